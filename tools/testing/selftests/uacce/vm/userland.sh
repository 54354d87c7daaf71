#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# userland.sh BUILD ROOT: build the tools and the selftests against the headers
# of the kernel in BUILD. The tools go to ROOT/usr/bin, the tests to ROOT/tests.

. "$(dirname "$0")/lib.sh"

build=$1
root=$2
src=$(kernel_dir)/src
log=$build/userland.log
headers="-isystem $build/usr/include"

quietly()
{
	if ! logged "$log" "$@"; then
		grep -E 'error:|warning:|undefined|\*\*\* ' "$log" | head -n 20 >&2 || true
		die "building the user programs failed; all of it is in $log"
	fi
}

kernel_lock
quietly make -s -C "$src" O="$build" ARCH=x86_64 headers
mkdir -p "$build/tools" "$build/selftests" "$root/usr/bin"
quietly make -C "$src/tools/uacce" -j"$JOBS" OUTPUT="$build/tools" \
	KHDR_INCLUDES="$headers" USERCFLAGS=-Werror
for t in uacce-gzip lsuacce; do
	cp "$build/tools/$t" "$root/usr/bin/$t"
done
[ "${3:-}" != tools ] || exit 0
# a library's header or source may have changed behind a program's back
quietly make -C "$src/tools/testing/selftests/uacce" -j"$JOBS" \
	OUTPUT="$build/selftests" KHDR_INCLUDES="$headers" USERCFLAGS=-Werror \
	INSTALL_PATH="$root/tests" install
make -s -C "$src/tools/testing/selftests/uacce" OUTPUT="$build/selftests" \
	COLLECTION=uacce emit_tests | sed 's/.*://' >"$root/tests/.programs"
