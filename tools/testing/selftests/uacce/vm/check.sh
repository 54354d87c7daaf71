#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# "make check": build the debug kernel with our files in it, run the static
# checks, boot it and run the selftests in it: in the lane "sim" on the simulated
# accelerator, in the lane "vtd" on one that is plugged in behind an Intel IOMMU.
# LANES names those to run, else it is both. TEST=pattern leaves the static checks
# out and runs only what has that in its name. KERNEL=kcsan takes the kernel that
# looks for data races instead. UACCE_SMP=1 has all programs of the lane "sim" meet several
# processors, and not only those that ask for it, and grace periods be as long as they are
# elsewhere. FULL=1 does that, and leaves nothing out that is left out for want of time.
# UACCE_STRESS and the like are passed on to the programs.
# The last lines are what failed, what was left out as a whole, and "N passed, N failed,
# N skipped".

. "$(dirname "$0")/lib.sh"

"$VM/setup.sh"
"$VM/fetch.sh"

kernel=${KERNEL:-debug}
# races are between processors
[ "$kernel" != kcsan ] || UACCE_SMP=1
read -ra lanes <<<"${LANES:-sim vtd}"
run=$OUT/check.$$
rm -rf "$run"
mkdir -p "$run/root"
trap 'rm -rf "$run"' EXIT
trap 'exit 1' TERM INT HUP
# what some programs take from the environment
guest_env=()
for v in UACCE_FUZZ UACCE_SOAK UACCE_STRESS UACCE_SEED; do
	[ -z "${!v:-}" ] || guest_env+=("$v=${!v}")
done

counts=$run/counts
: >"$counts"
settings=$TOP/tools/testing/selftests/uacce/settings
seconds=$(sed -n 's/^timeout=//p' "$settings")
# torture may last, and a hundred wrong descriptors take less than a second
extra=$((${UACCE_STRESS:-0} + ${UACCE_SOAK:-0} + ${UACCE_FUZZ:-0} / 100))
seconds=$((${seconds:-1200} + extra))

(
	kernel_lock
	"$VM/build.sh" "$kernel"
	build=$(build_dir "$kernel")
	# what the compiler noted for gcov: the next build, whoever's, notes something else
	if [ -n "${COVERAGE:-}" ]; then
		mkdir "$run/notes"
		(cd "$build/drivers/misc/uacce" &&
			find . -name '*.gcno' -exec cp --parents -t "$run/notes" {} +)
	fi
	if [ "$kernel" = debug ]; then
		verdict=fail
		! modinfo -F depends "$build/drivers/crypto/hisilicon/hisi_qm.ko" |
			grep -qw uacce || verdict=pass
		echo "$verdict the kernel's own accelerator driver is built on this uacce"
	fi >>"$counts"
	step "building the selftests and tools (seconds)"
	"$VM/userland.sh" "$build" "$run/root"
	if [ -z "${TEST:-}" ] && ! grep -q '_32$' "$run/root/tests/.programs"; then
		echo "skip 32-bit programs: the compiler makes none" \
			"(Debian's gcc-multilib can)" >>"$counts"
	fi
	for lane in "${lanes[@]}"; do
		"$VM/plan-tests.py" "$run/root/tests" "$seconds" \
			"$([ -n "${TEST:-}" ] && echo 1 || echo "$JOBS")" \
			"$CACHE/times-$lane" "$lane" "${TEST:-}"
	done
	"$VM/initramfs.sh" "$build" "$run/root" "$run"
)

# Where no QEMU for it can be had the lane is skipped, and counted as that.
if [[ " ${lanes[*]} " = *" vtd "* ]]; then
	rc=0
	why=$("$VM/qemu.sh" --path) || rc=$?
	case $rc in
	0)	export QEMU=$why ;;
	4)
		say "The tests on PCI Express are skipped: $why"
		echo "skip the lane vtd: $why" >>"$counts"
		mapfile -t lanes < <(printf '%s\n' "${lanes[@]}" | grep -vx vtd) ;;
	*)
		exit 1 ;;
	esac
fi

if [ -z "${TEST:-}" ] && [ -z "${LANES:-}" ]; then
	"$VM/static.sh" "$counts"
fi

# machine NAME: boot it, let it run its part of the tests, count. The lane is the
# part of the name before the number.
machine()
{
	local dir=$run/$1 vm append cpus
	local -a disk=()

	mkdir "$dir"
	mv "$run/root/tests/.expected.$1" "$dir/expected"
	ln -s ../vmlinux ../initramfs "$dir/"
	: >"$dir/results"
	# where to the guest writes which lines were executed
	if [ -n "${COVERAGE:-}" ]; then
		truncate -s 64M "$dir/coverage.tar"
		disk=(-drive "file=$dir/coverage.tar,format=raw,if=virtio")
	fi
	cpus=$(cat "$run/root/tests/.processors.$1")
	append=$(test_append "$1" "$kernel" "$cpus")
	CARRIER=${1%%[0-9]*} CPUS=$cpus MEM=$TEST_MEM APPEND="$append ${guest_env[*]}" \
		"$VM/boot.sh" "$dir" check $((4800 + extra)) "${disk[@]}" &
	vm=$!
	trap 'kill ${vm:-} 2>/dev/null || :' EXIT
	tail -n +1 -f --pid=$vm "$dir/results" |
		"$VM/report.py" "$dir/expected" "$dir/counts" "$1"
	if wait $vm; then
		echo "pass machine $1 went off by itself"
	else
		echo "fail machine $1 went off by itself"
	fi >>"$dir/counts"

	if "$VM/scan-log.sh" "$dir/console.log" >"$dir/splats"; then
		echo "pass the kernel log of machine $1 is clean" >>"$dir/counts"
	else
		echo "fail the kernel log of machine $1 is clean" >>"$dir/counts"
		say "The kernel of machine $1 reported mistakes of its own" \
		    "(all of it: $OUT/check/$1/console.log):"
		# head ends before it has read all
		"$VM/scan-log.sh" --context "$dir/console.log" | head -n 150 >&2 || :
	fi
}

# Wait until a processor has nothing to do.
free_processor()
{
	while [ "$(jobs -rp | wc -l)" -ge "$JOBS" ]; do
		sleep 1
	done
}

# begin LANE: start its machines, all of those of the first lane at the same time
begin()
{
	local lane=$1 programs plans m

	plans=("$run/root/tests/.plan.$lane"*)
	programs=$(cat "${plans[@]}" | wc -l)
	step "running $programs programs on the $(carrier_name "$lane") in" \
		"${#plans[@]} virtual machines (each boots in 15 seconds; about" \
		"4 minutes for all)"
	sed 's/^/  /' "$run/root/tests/.left-out.$lane" >&2
	[ -n "${TEST:-}" ] ||
		sed -n "s/^.*FULL=1.*/skip $lane: &/p" "$run/root/tests/.left-out.$lane" >>"$counts"
	for m in "${plans[@]##*.plan.}"; do
		[ "$lane" = "${lanes[0]}" ] || free_processor
		machine "$m" &
		machines+=($!)
		names+=("$m")
	done
}

# finish: wait for the machines that were started, and add up
finish()
{
	local m

	for m in "${!names[@]}"; do
		wait "${machines[m]}" ||
			echo "fail the account of machine ${names[m]} is complete" \
				>>"$run/${names[m]}/counts"
		cat "$run/${names[m]}/counts" >>"$counts"
	done
	# who is gone needs no kill
	machines=()
}

# remember LANE: how long its programs took, for the next plan
remember()
{
	awk '$1 == "@@" && $2 == "end" { print $3, $5 }' \
		"$run/$1"[0-9]*/results >"$CACHE/times-$1.$$"
	mv "$CACHE/times-$1.$$" "$CACHE/times-$1"
}

carrier_name()
{
	case $1 in
	sim)	echo "simulated accelerator" ;;
	vtd)	echo "PCI Express accelerator behind VT-d" ;;
	esac
}

machines=()
names=()
trap 'kill "${machines[@]}" 2>/dev/null || :; wait; rm -rf "$run"' EXIT
for lane in "${lanes[@]}"; do
	begin "$lane"
done
finish
# other kernels, and all that FULL adds, would unbalance the everyday runs
if [ -z "${TEST:-}" ] && [ "$kernel" = debug ] && ! asked_for FULL; then
	for lane in "${lanes[@]}"; do
		remember "$lane"
	done
fi

rm -rf "$OUT/check" "$run/root" "$run/vmlinux" "$run/initramfs"
mv "$run" "$OUT/check"
say "What the guests said and their kernel logs are in $OUT/check/."
grep '^fail' "$OUT/check/counts" | sed 's/^fail/failed:/' || true
# what the tests of a machine skipped, and why, was said when they ran
sed -nE '/^skip [a-z]+[0-9]+: /d; s/^skip /skipped: /p' "$OUT/check/counts"
awk '{ n[$1]++ }
	END { printf "%d passed, %d failed, %d skipped\n", n["pass"], n["fail"], n["skip"]
	      exit n["fail"] > 0 || n["pass"] == 0 }' "$OUT/check/counts"
