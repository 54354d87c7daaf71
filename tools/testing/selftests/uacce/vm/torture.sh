#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# "make torture": everything that takes too long for "make check", one after the
# other, then one table. STEPS names those to run. A step that fails does not keep
# the others from running.

. "$(dirname "$0")/lib.sh"

read -ra steps <<<"${STEPS:-static check fuzz stress soak kcsan mutants}"
dir=$OUT/torture
rm -rf "$dir"
mkdir -p "$dir"
table=$dir/table

# made STEP NAME: are there files of that NAME from its machines?
made()
{
	compgen -G "$dir/$1/*/$2" >/dev/null
}

# sum PATTERN STEP: add up the numbers in what matches PATTERN of what the programs
# said in that step
sum()
{
	if ! made "$2" results; then
		echo "unknown"
		return
	fi
	cat "$dir/$2"/*/results | { grep -oE "$1" || :; } |
		{ grep -oE '[0-9]+' || :; } | awk '{ n += $1 } END { print n + 0 }'
}

races()
{
	if ! made kcsan splats; then
		echo "unknown: the step made no logs"
		return
	fi
	cat "$dir"/kcsan/*/splats | grep -c 'BUG: KCSAN' || :
}

# how many passed
headline()
{
	{ grep -E '^[0-9]+ (passed|killed),' "$dir/$1.log" || :; } | tail -n 1
}

# what a step has to say beside that
account()
{
	grep '^skipped: ' "$dir/$1.log" || :
	case $1 in
	check)
		echo "allocations that failed: $(sum '[0-9]+ failures injected' check)"
		echo "cells of the matrices: $(sum 'cells: [0-9]+' check)"
		grep '^coverage' "$dir/check.log" || echo "coverage: unknown" ;;
	fuzz)
		echo "descriptors: $(sum '[0-9]+ descriptors,' fuzz)" ;;
	stress)
		echo "operations: $(sum ' ops=[0-9]+' stress)," \
			"completed descriptors: $(sum ' completed=[0-9]+' stress)," \
			"processes killed: $(sum ' deaths=[0-9]+' stress)," \
			"devices removed: $(sum ' churns=[0-9]+' stress)" ;;
	soak)
		echo "streams: $(sum 'streams=[0-9]+' soak)," \
			"processes killed: $(sum 'killed=[0-9]+' soak)" ;;
	kcsan)
		echo "reports of races in our code: $(races)" ;;
	mutants)
		# the log has each twice: as it happens, and at the end
		sed -nE '/ as-it-is-/d; /^(SURVIVED|elsewhere|BROKEN) /p' "$dir/mutants.log" |
			sort -u ;;
	esac
}

take()
{
	case $1 in
	static)		"$VM/static.sh" ;;
	check)		FULL=1 "$VM/coverage.sh" ;;
	fuzz)		UACCE_FUZZ=${UACCE_FUZZ:-1000000} TEST=vaccel_fuzz_test \
				"$VM/check.sh" ;;
	stress)		"$VM/stress.sh" ;;
	soak)		"$VM/soak.sh" ;;
	kcsan)		KERNEL=kcsan LANES=sim "$VM/check.sh" ;;
	mutants)	"$VM/mutants.sh" ;;
	*)		die "there is no step $1." ;;
	esac
}

failed=0
for s in "${steps[@]}"; do
	step "torture: $s (the log is $dir/$s.log)"
	began=$SECONDS
	verdict=ok
	# a step that dies before it has results must not be told those of another one
	rm -rf "$OUT/check"
	(take "$s") >"$dir/$s.log" 2>&1 || { verdict=FAILED; failed=1; }
	[ ! -e "$OUT/check" ] || mv "$OUT/check" "$dir/$s"
	{
		printf '%-9s %-7s %6d s  %s\n' "$s" "$verdict" \
			$((SECONDS - began)) "$(headline "$s")"
		account "$s" | sed 's/^/                            /'
	} | tee -a "$table" >&2
done
cat "$table"
exit $failed
