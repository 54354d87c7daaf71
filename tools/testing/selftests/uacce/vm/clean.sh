#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# "make clean": remove what was built, here and in the cache. ALL=1 removes the
# downloads as well.

. "$(dirname "$0")/lib.sh"

rm -rf "$OUT"
[ -d "$CACHE" ] || exit 0
for dir in "$CACHE"/linux-* "$CACHE"/tree-* "$CACHE"/qemu; do
	[ -d "$dir" ] || continue
	(
		lock "$dir/lock"
		find "$dir" -mindepth 1 -maxdepth 1 ! -name lock ! -name download \
			-exec rm -rf {} +
	)
done
rm -rf "$CACHE"/sparse "$CACHE"/sparse.new
if [ -n "${ALL:-}" ]; then
	rm -rf "$CACHE"
fi
