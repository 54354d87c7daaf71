#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# "make coverage": all tests in both lanes, then how many lines of the core and of
# the drivers they executed, and which not. The debug kernel always counts; this has
# the guests write down what they counted.

. "$(dirname "$0")/lib.sh"

export COVERAGE=1 LANES=${LANES:-sim vtd}
"$VM/check.sh"

build=$(build_dir debug)
data=$OUT/check/coverage
for tar in "$OUT"/check/*/coverage.tar; do
	machine=$(basename "$(dirname "$tar")")
	mkdir -p "$data/$machine"
	tar -x -f "$tar" -C "$data/$machine" --transform 's|^.*/drivers/misc/uacce/||'
	rm "$tar"
	# gcov wants what the compiler noted beside what the kernel counted
	(cd "$data/$machine" && find . -name '*.gcda') | while read -r f; do
		cp "$build/drivers/misc/uacce/${f%.gcda}.gcno" "$data/$machine/${f%/*}/"
	done
done

step "counting lines (seconds)"
"$VM/coverage.py" "$data" "$VM/coverage.reasons" "$TOP"
