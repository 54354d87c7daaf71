#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Lay our files over the kernel tree in the cache, in place of its own uacce.
# A file is written only if its content differs, so that make rebuilds only
# what changed, and one that we no longer have goes. The caller holds the lock.

. "$(dirname "$0")/lib.sh"

src=$(kernel_dir)/src
list=$src/.uacce-laid-over

cd "$TOP"
for d in "${OWN_DIRS[@]}"; do
	mkdir -p "$src/$d"
	[ ! -d "$d" ] ||
		rsync -rlp --checksum --delete --delete-excluded \
			--exclude='.*.sw?' --exclude='*~' \
			--exclude='*.o' --exclude='*.ko' "$d/" "$src/$d/"
done

new=$(mktemp)
trap 'rm -f "$new"' EXIT
find "${SHARED_DIRS[@]}" -type f ! -name '*~' ! -name '.*' | sort >"$new"
rsync -lp --checksum --files-from="$new" ./ "$src/"
if [ -f "$list" ]; then
	comm -13 "$new" "$list" | while read -r f; do
		rm -f "$src/$f"
	done
fi
cp "$new" "$list"
