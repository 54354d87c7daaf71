#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# "make clean": remove what was built, here and in the cache. ALL=1 removes the
# downloads as well.

. "$(dirname "$0")/lib.sh"

rm -rf "$OUT"
[ -d "$CACHE" ] || exit 0
for dir in "$CACHE"/linux-* "$CACHE"/tree-*; do
	[ -d "$dir" ] || continue
	(lock "$dir/lock"; rm -rf "${dir:?}"/*)
done
rm -rf "$CACHE"/sparse-*
if [ -n "${ALL:-}" ]; then
	rm -rf "$CACHE"
fi
