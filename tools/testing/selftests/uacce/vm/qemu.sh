#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# qemu.sh [--path]: have a QEMU with our device "vaccel"; --path prints where.
#
# It is built in the cache from the newest source that Debian packages (10.2 or
# later), or from a copy of the tree that QEMU_SRC names. QEMU=binary is taken as it
# is. Where none can be had the status is 4, and a sentence says why: with --path on
# stdout.

. "$(dirname "$0")/lib.sh"
. "$VM/archive.sh"

SKIP=4
OLDEST=1:10.2
MODEL=$VM/../qemu
QDIR=$CACHE/qemu
what=${1:-}

give_up()
{
	if [ -n "$what" ]; then
		printf '%s\n' "$*"
	else
		say "$*"
	fi
	exit $SKIP
}

has_vaccel()
{
	"$1" -device help 2>/dev/null | grep -q '^name "vaccel"'
}

found()
{
	[ "$what" != --path ] || printf '%s\n' "$1"
	exit 0
}

# versions of Debian's qemu source that are new enough, the newest first
versions()
{
	local v

	archive_apt cache showsrc --only-source qemu 2>/dev/null |
		sed -n 's/^Version: //p' | sort -uVr |
		while read -r v; do
			if dpkg --compare-versions "$v" ge "$OLDEST"; then
				echo "$v"
			fi
		done
}

# fetch VERSION: its tarball goes to the download directory
fetch()
{
	local part=$QDIR/download/part

	rm -rf "$part"
	mkdir -p "$part"
	(cd "$part" && logged "$QDIR/download.log" archive_apt get source \
		--only-source --tar-only "qemu=$1") || return 1
	mv "$part"/qemu_*.orig.tar.* "$QDIR/download/"
	rm -rf "$part"
}

tarball()
{
	find "$QDIR/download" -maxdepth 1 -name 'qemu_*.orig.tar.*' 2>/dev/null |
		sort -V | tail -n 1
}

# An index can name what its mirror no longer has, so older ones are tried, too.
download()
{
	local v

	[ -z "$(tarball)" ] || return 0
	step "downloading QEMU's source (40 MB, up to 2 minutes)"
	archive_update || give_up "no QEMU source: apt reads no Debian archive here."
	for v in $(versions); do
		if fetch "$v"; then
			return 0
		fi
		say "QEMU $v could not be downloaded."
	done
	give_up "no QEMU source from $OLDEST on could be downloaded from Debian's" \
		"archive (see $QDIR/download.log); QEMU_SRC=tree uses one of your own."
}

# keep_originals FROM [all]: the files that we change, as they were; without "all",
# those that are not there yet, since an earlier version of ours left them alone
keep_originals()
{
	local f

	[ -f "$1/hw/i386/intel_iommu.c" ] || die "$1 is no QEMU source tree."
	for f in $("$MODEL/patch-qemu.py"); do
		[ -n "${2:-}" ] || [ ! -f "$dir/orig/$f" ] || continue
		mkdir -p "$dir/orig/$(dirname "$f")"
		# some are not in all versions: patch-qemu.py knows which must be
		rm -f "$dir/orig/$f"
		[ ! -f "$1/$f" ] || cp "$1/$f" "$dir/orig/$f"
	done
}

unpack()
{
	[ ! -d "$dir/src" ] || return 0
	step "unpacking QEMU (half a minute)"
	rm -rf "$dir/src.new"
	mkdir -p "$dir/src.new"
	tar -xf "$1" -C "$dir/src.new" --strip-components=1 \
		--exclude='*/roms/*' --exclude='*/tests/data/*' ||
		die "unpacking $1 failed. Is the disk full? (df -h $CACHE)"
	keep_originals "$dir/src.new" all
	mv "$dir/src.new" "$dir/src"
}

copy_tree()
{
	local f exclude=()

	step "copying the QEMU tree $QEMU_SRC (up to 1 minute)"
	mkdir -p "$dir/src"
	keep_originals "$QEMU_SRC" all
	for f in .git build hw/misc/vaccel $(cd "$dir/orig" && find . -type f -printf '%P '); do
		exclude+=(--exclude="/$f")
	done
	rsync -a --delete "${exclude[@]}" "$QEMU_SRC/" "$dir/src/"
}

# Put our files into the tree, those only that differ from what is there.
lay_over()
{
	local device=$dir/src/hw/misc/vaccel new=$dir/device.new

	rm -rf "$new"
	mkdir -p "$new"
	cp "$MODEL"/*.[ch] "$MODEL/meson.build" "$MODEL/Kconfig" "$new/"
	cp "$TOP/drivers/misc/uacce/vaccel/regs.h" "$new/regs.h"
	cp "$TOP/include/uapi/misc/uacce/vaccel.h" "$new/interface.h"
	rsync -rp --checksum --delete "$new/" "$device/"
	keep_originals "$dir/src"
	"$MODEL/patch-qemu.py" "$dir/orig" "$dir/src" 2>"$dir/patch.log" ||
		give_up "this QEMU cannot be used: $(tail -n 1 "$dir/patch.log")"
}

# QEMU wants a newer meson than Debian 12 has. It and what else it asks Python for
# are taken from the packages of a newer Debian, without installing them.
python_path()
{
	local py=$QDIR/python deb

	if python3 -c 'import mesonbuild.coredata as m, pycotap, sys
sys.exit([int(x) for x in m.version.split(".")[:2]] < [1, 5])' 2>/dev/null; then
		return 0
	fi
	if [ ! -d "$py" ]; then
		step "downloading meson from Debian's archive (1 MB)"
		[ -s "$APT_DIR/sources.list" ] || archive_update ||
			give_up "no meson 1.5: apt reads no Debian archive here."
		rm -rf "$py.new"
		mkdir -p "$py.new"
		(cd "$py.new" && logged "$QDIR/meson.log" archive_apt get download \
			meson python3-pycotap) ||
			give_up "meson and python3-pycotap could not be downloaded from" \
				"Debian's archive; see $QDIR/meson.log."
		for deb in "$py.new"/*.deb; do
			dpkg-deb -x "$deb" "$py.new"
		done
		mv "$py.new" "$py"
	fi
	export PYTHONPATH=$py/usr/lib/python3/dist-packages
}

# All of QEMU's devices are built: a choice of our own would be one that nobody else
# builds, and that fails to with the next version. What hardens a QEMU against its guest
# is left out: it takes a twelfth of the time, and the guest is ours.
configure=(
	--target-list=x86_64-softmmu --without-default-features --enable-tcg
	--disable-docs --disable-tools --disable-install-blobs --disable-download
	--disable-debug-info --disable-stack-protector
	--extra-cflags="-ftrivial-auto-var-init=uninitialized -fzero-call-used-regs=skip"
)

build()
{
	local key out log
	local begin=$SECONDS

	key=$({ printf '%s\n' "${configure[@]}"; gcc -dumpfullversion; } |
		sha256sum | cut -c1-12)
	out=$dir/build-$key
	log=$dir/build.log
	binary=$out/qemu-system-x86_64
	mkdir -p "$out"
	if [ ! -f "$out/.configured" ]; then
		step "configuring and building QEMU (the first time about 4 minutes on 2 cores)"
		rm -rf "$dir"/build-*
		mkdir -p "$out"
		(cd "$out" && logged "$log" "$dir/src/configure" "${configure[@]}") ||
			die "configuring QEMU failed; see $log"
		touch "$out/.configured"
	# all of it is read: a pipe that is closed early would count as a failure
	elif ninja -C "$out" -n qemu-system-x86_64 2>&1 |
			grep -E 'Compiling|build\.ninja' >/dev/null; then
		step "building what changed in QEMU (seconds)"
	else
		return 0
	fi
	if ! logged "$log" ninja -C "$out" -j"$JOBS" qemu-system-x86_64; then
		grep -E 'error:|FAILED' "$log" | head -n 20 >&2 || true
		die "building QEMU failed; all of it is in $log"
	fi
	grep -E 'hw/misc/vaccel/.*warning:' "$log" >&2 || true
	say "QEMU took $((SECONDS - begin)) seconds."
}

# Another tree may have another device and build it here at any time: what is to be run
# has a name that goes by what is in it. Those of the last four trees are kept.
keep()
{
	local kept

	kept=$dir/kept/qemu-system-x86_64-$(sha256sum <"$binary" | cut -c1-12)
	mkdir -p "$dir/kept"
	if [ ! -x "$kept" ]; then
		cp "$binary" "$kept.new"
		mv "$kept.new" "$kept"
	fi
	touch "$kept"
	binary=$kept
	find "$dir/kept" -type f -printf '%T@ %p\n' | sort -rn | tail -n +5 | cut -d' ' -f2- |
		xargs -r -d '\n' rm -f
}

if [ -n "${QEMU:-}" ]; then
	command -v "$QEMU" >/dev/null || die "QEMU=$QEMU is no program."
	has_vaccel "$QEMU" || die "QEMU=$QEMU has no device vaccel."
	found "$(command -v "$QEMU")"
fi

"$VM/setup.sh" qemu ||
	give_up "the Debian packages that building QEMU takes are not installed."
mkdir -p "$QDIR/download"
lock "$QDIR/lock"
if [ -n "${QEMU_SRC:-}" ]; then
	[ -x "$QEMU_SRC/configure" ] || die "QEMU_SRC=$QEMU_SRC is no QEMU source tree."
	dir=$QDIR/tree-$(realpath "$QEMU_SRC" | sha256sum | cut -c1-12)
	mkdir -p "$dir"
	copy_tree
else
	download
	archive=$(tarball)
	dir=$QDIR/$(basename "$archive" | sed 's/\.orig\.tar.*//; s/[^A-Za-z0-9.-]/_/g')
	mkdir -p "$dir"
	unpack "$archive"
fi
lay_over
python_path
build
keep
has_vaccel "$binary" || die "the QEMU that was built has no device vaccel: $binary"
found "$binary"
