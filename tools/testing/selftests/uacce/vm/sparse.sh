#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Print the path of a sparse that is new enough for the kernel: after 0.6.4. As
# Debian's stable releases carry an older one, it is built once from Debian's
# newest source package.

. "$(dirname "$0")/lib.sh"
. "$VM/archive.sh"

# 0.6.4 stumbles over what the kernel's headers now use, and the kernel's build
# then goes on without it.
new_enough()
{
	! echo 'static int f(const int *q) { __typeof_unqual__(*q) v = *q; return v; }' |
		"$1" - 2>&1 | grep -q .
}

own=$(command -v sparse) || own=
if [ -n "$own" ] && new_enough "$own"; then
	printf '%s\n' "$own"
	exit 0
fi

mkdir -p "$CACHE"
lock "$CACHE/lock.sparse"
if [ ! -x "$CACHE/sparse/sparse" ]; then
	step "building sparse from Debian's source package (1 minute)"
	log=$CACHE/sparse.log
	rm -rf "$CACHE/sparse.new"
	mkdir -p "$CACHE/sparse.new"
	cd "$CACHE/sparse.new"
	[ -s "$APT_DIR/sources.list" ] || archive_update ||
		die "no source package of sparse was found."
	logged "$log" archive_apt get source --download-only sparse ||
		die "downloading the source of sparse failed; see $log." \
		    "Run the command again when the network is back."
	logged "$log" dpkg-source --no-check -x ./*.dsc source ||
		die "unpacking the source of sparse failed; see $log"
	logged "$log" make -C source -j"$JOBS" CC=gcc HAVE_LLVM=no HAVE_SQLITE=no \
		HAVE_LIBXML=no HAVE_GTK=no sparse ||
		die "building sparse failed; see $log"
	new_enough source/sparse ||
		die "Debian's source of sparse is too old for the kernel"
	mv source/sparse .
	rm -rf source ./*.tar.* ./*.dsc
	cd "$CACHE"
	rm -rf "$CACHE/sparse"
	mv "$CACHE/sparse.new" "$CACHE/sparse"
fi
printf '%s\n' "$CACHE/sparse/sparse"
