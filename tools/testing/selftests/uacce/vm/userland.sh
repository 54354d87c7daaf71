#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# userland.sh BUILD ROOT: build the tools and the selftests against the headers
# of the kernel in BUILD. The tools go to ROOT/usr/bin, the tests to ROOT/tests.
# They are linked statically: a process without shared libraries has half the
# mappings, and in a kernel that checks everything a fork costs half as much.

. "$(dirname "$0")/lib.sh"

build=$1
root=$2
src=$(kernel_dir)/src
log=$build/userland.log
headers="-isystem $build/usr/include"
ldflags="-static -s"

quietly()
{
	if ! logged "$log" "$@"; then
		grep -E 'error:|warning:|undefined|\*\*\* ' "$log" | head -n 20 >&2 || true
		die "building the user programs failed; all of it is in $log"
	fi
}

kernel_lock
quietly make -s -C "$src" O="$build" ARCH=x86_64 headers
# make does not see that a user program depends on the installed headers and on
# how it is linked
now=$({ cat "$build"/usr/include/misc/uacce/*.h; echo "$ldflags"; } | sha256sum)
if [ "$(cat "$build/.uapi" 2>/dev/null)" != "$now" ]; then
	rm -rf "$build/uacce-tools" "$build/uacce-tests"
	echo "$now" >"$build/.uapi"
fi
mkdir -p "$build/uacce-tools" "$build/uacce-tests" "$root/usr/bin"
quietly make -C "$src/tools/uacce" -j"$JOBS" OUTPUT="$build/uacce-tools" \
	KHDR_INCLUDES="$headers" USERLDFLAGS="$ldflags"
for t in uacce-gzip lsuacce; do
	cp "$build/uacce-tools/$t" "$root/usr/bin/$t"
done
[ "${3:-}" != tools ] || exit 0
all_32=
! asked_for FULL || all_32=y
quietly make -C "$src/tools/testing/selftests/uacce" -j"$JOBS" ALL_32=$all_32 \
	OUTPUT="$build/uacce-tests" KHDR_INCLUDES="$headers" \
	USERLDFLAGS="$ldflags" INSTALL_PATH="$root/tests" install
grep 'warning:' "$log" >&2 || true
make -s -C "$src/tools/testing/selftests/uacce" ALL_32=$all_32 \
	OUTPUT="$build/uacce-tests" COLLECTION=uacce emit_tests |
	sed 's/.*://' >"$root/tests/.programs"
