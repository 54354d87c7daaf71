#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Get the kernel source that everything is built in: the newest 7.x that Debian
# packages as source, or a copy of the tree that KSRC names. Once it is in the
# cache no network is needed; "fetch.sh --newest" looks again.

. "$(dirname "$0")/lib.sh"
. "$VM/archive.sh"

# Print "PACKAGE VERSION" of the newest one in the suites we can read.
newest()
{
	local names

	mapfile -t names < <(archive_apt cache pkgnames linux-source-7. |
		grep -Ex 'linux-source-7\.[0-9]+')
	[ ${#names[@]} -gt 0 ] || return 0
	archive_apt cache madison "${names[@]}" |
		awk -F' *[|] *' '/Packages/ { gsub(/ /, "", $1); print $1, $2 }' |
		sort -u -k2,2V | tail -n 1
}

choose()
{
	local found

	step "looking for the newest kernel source in Debian's suites (about 1 minute)"
	archive_update || die "no kernel source was found." \
		"Set KSRC=tree to use a kernel tree of your own."
	found=$(newest)
	[ -n "$found" ] ||
		die "Debian's suites have no linux-source-7.x, or could not be" \
		    "read; see $APT_DIR/update.log. Set KSRC=tree to use a" \
		    "kernel tree of your own."
	printf '%s\n' "$found" >"$CACHE/kernel.new"
	mv "$CACHE/kernel.new" "$CACHE/kernel"
}

download()
{
	local package=$1 version=$2 deb=$3 part

	[ ! -s "$deb" ] || return 0
	step "downloading $package $version (170 MB, 1 to 5 minutes)"
	[ -s "$APT_DIR/sources.list" ] || archive_update
	part=$CACHE/download/part
	rm -rf "$part"
	mkdir -p "$part"
	(cd "$part" && logged "$CACHE/download.log" \
		archive_apt get download "$package=$version") ||
		die "downloading $package $version failed; see" \
		    "$CACHE/download.log. Run the command again when the" \
		    "network is back, or 'make update' to look for another one."
	mv "$part"/*.deb "$deb"
	rmdir "$part"
}

unpack()
{
	local package=$1 deb=$2 dir=$3

	step "unpacking $package (about 1 minute)"
	rm -rf "$dir/src.new"
	mkdir -p "$dir/src.new"
	dpkg-deb --fsys-tarfile "$deb" |
		tar -xO "./usr/src/$package.tar.xz" |
		tar -xJ -C "$dir/src.new" --strip-components=1 ||
		die "unpacking $deb failed. Is the disk full? (df -h $CACHE)"
	mv "$dir/src.new" "$dir/src"
}

# A tree of the user's own: never built in, never changed, copied. What lies over
# the copy already stays there, so that only what changed is built again.
copy_tree()
{
	local dir=$1 list=$1/src/.uacce-laid-over version

	[ -f "$KSRC/Kbuild" ] || die "KSRC=$KSRC is no kernel source tree."
	version=$(make -s -C "$KSRC" kernelversion)
	[ "${version%%.*}" -ge 7 ] ||
		die "KSRC=$KSRC is Linux $version; kernels before 7.0 are not supported."
	step "copying the kernel tree $KSRC (up to 1 minute)"
	mkdir -p "$dir/src"
	{
		printf '/%s\n' .git '.config*' .uacce-laid-over '.checkpatch-*' \
			include/config include/generated 'arch/*/include/generated' \
			'vmlinux*' Module.symvers "${OWN_DIRS[@]}"
		printf '%s\n' '*.o' '*.ko' '*.a' '*.mod' '.*.cmd'
		[ ! -f "$list" ] || sed 's#^#/#' "$list"
	} >"$dir/exclude"
	rsync -a --delete --exclude-from="$dir/exclude" "$KSRC/" "$dir/src/"
}

mkdir -p "$CACHE/download"
lock "$CACHE/lock.fetch"
if [ -n "${KSRC:-}" ]; then
	dir=$(kernel_dir)
	kernel_lock
	copy_tree "$dir"
	exit 0
fi
if [ "${1:-}" = --newest ] || [ ! -s "$CACHE/kernel" ]; then
	choose
fi
read -r package version <"$CACHE/kernel"
dir=$(kernel_dir)
[ ! -d "$dir/src" ] || exit 0
deb=$CACHE/download/${package}_$version.deb
kernel_lock
download "$package" "$version" "$deb"
unpack "$package" "$deb" "$dir"
