#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# "make coverage": all tests in both lanes, then how many lines of the core and of
# the drivers they executed, and which not. The debug kernel always counts; this has
# the guests write down what they counted.

. "$(dirname "$0")/lib.sh"

export COVERAGE=1 LANES=${LANES:-sim vtd}
"$VM/check.sh"

data=$OUT/check/coverage
for tar in "$OUT"/check/*/coverage.tar; do
	machine=$(basename "$(dirname "$tar")")
	mkdir -p "$data"
	# gcov wants what the compiler noted beside what the kernel counted
	cp -r "$OUT/check/notes" "$data/$machine"
	tar -x -f "$tar" -C "$data/$machine" --transform 's|^.*/drivers/misc/uacce/||'
	rm "$tar"
done

# what was not run, be it for want of a QEMU or because somebody wanted the other only
without=()
for lane in sim vtd; do
	why=$(sed -n "s/^skip the lane $lane: //p" "$OUT/check/counts")
	[[ " $LANES " = *" $lane "* ]] || why="LANES does not name it"
	[ -z "$why" ] || without+=("$lane=$why")
done

step "counting lines (seconds)"
"$VM/coverage.py" "$data" "$VM/coverage.reasons" "$TOP" "${without[@]}"
