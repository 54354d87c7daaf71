#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Lay our files over the kernel tree in the cache, in place of its own uacce.
# A file is written only if its content differs, so that make rebuilds only
# what changed, and one that we no longer have goes. The caller holds the lock.
#
# fixes/ holds mistakes of the kernel itself that the tests run into. One that a
# kernel does not have (any more, or in this form) is left alone.

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

for fix in "$VM"/fixes/*.patch; do
	if patch -d "$src" -p1 -R -s -f --dry-run <"$fix" >/dev/null 2>&1; then
		continue
	elif patch -d "$src" -p1 -s -f --dry-run <"$fix" >/dev/null 2>&1; then
		patch -d "$src" -p1 -s <"$fix"
	else
		say "note: $(basename "$fix") does not fit this kernel and is left out."
	fi
done
