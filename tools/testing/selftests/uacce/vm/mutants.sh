#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# "make mutants": test the tests. Each patch in ../mutants is a mistake that a
# programmer could make in the core. The modules are built with it, in a private
# copy of our files, and the selftests run on them in a virtual machine until one
# fails, or the kernel complains, or crashes. If nothing does, the mutant survived,
# and a test is missing. MUTANT=pattern runs only those with that in their names.
#
# The head of a patch says what is wrong, which promise of the core that breaks,
# which programs should notice ("Test: a b", they run first), and with "Kernel:
# debug" that only the checks of the debug kernel can see it. What another program
# notices, as these did not, is noticed elsewhere: that can be luck, or a slow host, so
# it is as bad as a mutant that survived.

. "$(dirname "$0")/lib.sh"

# how many virtual machines at a time
MACHINES=$JOBS

patches=$TOP/tools/testing/selftests/uacce/mutants
run=$OUT/mutants.$$
copy=$run/copy
table=$run/table

# field PATCH NAME: what the head of the patch says about it
field()
{
	sed -n "/^--- /q; s/^$2: *//p" "$1"
}

kernel_of()
{
	local kernel

	kernel=$(field "$1" Kernel)
	printf '%s\n' "${kernel:-lean}"
}

# prepare KERNEL: a machine that has everything, for each mutant to be put into
prepare()
{
	local kernel=$1 dir=$run/$1 build

	mkdir -p "$dir/root"
	kernel_lock
	"$VM/build.sh" "$kernel"
	build=$(build_dir "$kernel")
	"$VM/userland.sh" "$build" "$dir/root"
	"$VM/plan-tests.py" "$dir/root/tests" "$seconds" 1 "$CACHE/times-sim" sim
	"$VM/initramfs.sh" "$build" "$dir/root" "$dir"
	cp "$build/usr/gen_init_cpio" "$dir/"
	(cd "$dir/root" && find lib/modules -name 'uacce*.ko') >"$dir/modules"
}

refresh()
{
	local d

	for d in drivers include "${VM#"$TOP"/}"; do
		mkdir -p "$copy/$d"
		rsync -rlp --checksum --delete "$TOP/$d/" "$copy/$d/"
	done
}

# build JOB [PATCH]: the modules; complains into JOB/broken and fails if that does
# not go without a warning
build()
{
	local job=$1 patch=${2:-} log=$copy/out/modules/build.log

	refresh
	if [ -n "$patch" ] &&
		! patch -d "$copy" -p1 -F0 --no-backup-if-mismatch <"$patch" >"$job/patch.log" 2>&1
	then
		echo "does not apply" >"$job/broken"
		return 1
	fi
	if ! (kernel_lock && KDIR=$(build_dir "$kernel") \
		"$copy/${VM#"$TOP"/}/modules.sh" >"$job/build.log" 2>&1)
	then
		echo "does not compile" >"$job/broken"
		return 1
	fi
	if grep 'warning:' "$log" >>"$job/build.log"; then
		echo "compiles with warnings" >"$job/broken"
		return 1
	fi
}

# pack JOB [PROGRAM...]: the initramfs of a mutant is the common one, and after it
# what is different: the modules, and that the programs named run first
pack()
{
	local job=$1 f

	shift
	printf '%s\n' "$@" | awk 'FNR == NR { wanted[$1] = FNR; next }
		{ print ($1 in wanted ? wanted[$1] : 1000 + FNR), $0 }' \
		- "$dir/root/tests/.plan.sim1" | sort -n | cut -d' ' -f2- >"$job/plan"
	{
		while read -r f; do
			echo "file /$f $copy/out/modules/${f##*/} 644 0 0"
		done <"$dir/modules"
		echo "file /tests/.plan.sim1 $job/plan 644 0 0"
	} >"$job/list"
	"$dir/gen_init_cpio" "$job/list" | cat "$dir/initramfs" - >"$job/initramfs"
	ln -s "$dir/vmlinux" "$job/vmlinux"
}

# processors PROGRAM...: how many a machine has that runs these first: as many as in
# "make check", see IN_PARALLEL
processors()
{
	local p

	for p in "$@"; do
		if grep -qxF "$p" "$dir/root/tests/.in-parallel"; then
			echo 2
			return
		fi
	done
	echo 1
}

# boot JOB KERNEL PROCESSORS: run it until something is wrong; JOB/verdict says what, if so
boot()
{
	local job=$1 kernel=$2 cpus=$3 limit=900 vm='' judge='' rc=0 append

	trap 'kill ${judge:-} ${vm:-} 2>/dev/null || :' EXIT
	trap 'exit 1' TERM INT HUP
	[ "$kernel" = lean ] || limit=2400
	: >"$job/results"
	: >"$job/console.log"
	append=$(test_append sim1 "$kernel" "$cpus")
	CPUS=$cpus MEM=$TEST_MEM APPEND=$append \
		"$VM/boot.sh" "$job" check $limit 2>"$job/boot.log" &
	vm=$!
	tail -n +1 -f --pid=$vm "$job/results" 2>/dev/null | "$VM/report.py" \
		--first "$run/$kernel/root/tests/.expected.sim1" "$job/counts" \
		sim1 >"$job/report" 2>&1 &
	judge=$!
	while kill -0 $judge 2>/dev/null; do
		sleep 1
		"$VM/scan-log.sh" --part "$job/console.log" >"$job/splats" || break
	done
	# a machine that somebody else ended says nothing about the mutant
	if kill -0 $judge 2>/dev/null ||
		{ kill -0 $vm 2>/dev/null && grep -q '^fail' "$job/counts"; }
	then
		kill $vm 2>/dev/null || :
		wait $vm || :
	else
		wait $vm || rc=$?
	fi
	wait $judge || :
	if [ $rc != 0 ] && [ $rc != 124 ]; then
		echo "QEMU ended with status $rc" >"$job/broken"
	elif [ ! -s "$job/counts" ]; then
		echo "there is no report" >"$job/broken"
	else
		judge_job "$job" $rc >"$job/verdict"
		# that nothing was wrong means nothing if there is no log that could say so
		[ -s "$job/verdict" ] ||
			"$VM/scan-log.sh" "$job/console.log" >"$job/splats" ||
			head -n 1 "$job/splats" >"$job/broken"
	fi
	rm -f "$job/initramfs"
}

# what was begun last
last_program()
{
	sed -n 's/^@@ start //p' "$1/results" | tail -n 1
}

# judge_job JOB STATUS: what was wrong; JOB/killer is the program that it was in
judge_job()
{
	local job=$1 rc=$2 splat test program=

	splat=$("$VM/scan-log.sh" --part "$job/console.log" | tr -d '\r' |
		sed -n '1s/^[0-9]*:\(\[[^]]*\] \)*//p') || :
	# one that quits early, behind a pipe, would end us with it
	test=$(sed -n '/^fail sim1: /{s///p;q}' "$job/counts")
	if [ -n "$splat" ]; then
		# the log knows better than the results, which may be further by now
		program=$("$VM/scan-log.sh" --context "$job/console.log" | tr -d '\r' |
			sed -n '1s/.*uacce-vm: [a-z]* \([^ ]*\).*/\1/p')
		echo "the kernel's log: $splat, in ${program:-no program}"
	elif [ "$rc" = 124 ]; then
		program=$(last_program "$job")
		echo "a hang in $program"
	elif [[ $test = "machine sim1 itself: the virtual machine came to the end"* ]]; then
		program=$(last_program "$job")
		echo "a machine that ended in $program"
	elif [ -n "$test" ]; then
		program=${test%%: *}
		echo "$test"
	fi
	echo "$program" >"$job/killer"
}

# account JOB: a line of the table
account()
{
	local job=$1 name=${1##*/} word text=

	if [ -s "$job/broken" ]; then
		word=BROKEN text=$(cat "$job/broken")
	elif [ ! -e "$job/verdict" ]; then
		word=BROKEN text="was not judged"
	elif [ ! -s "$job/verdict" ]; then
		word=SURVIVED
	else
		word=killed text="by $(cat "$job/verdict")"
		grep -qxFf "$job/killer" "$job/tests" || word=elsewhere
	fi
	printf '%-9s %-30s %s\n' "$word" "$name" "$text" | tee -a "$table" >&2
}

# job NAME KERNEL [PATCH [PROGRAM...]]: build it here, boot it in the background
job()
{
	local name=$1 kernel=$2 patch=${3:-} job=$run/jobs/$1 dir=$run/$2 cpus p

	shift $(($# < 3 ? $# : 3))
	mkdir -p "$job"
	printf '%s\n' "$@" >"$job/tests"
	for p in "$@"; do
		grep -q "^$p " "$dir/root/tests/.plan.sim1" ||
			echo "there is no program $p to notice it" >"$job/broken"
	done
	if [ -s "$job/broken" ] || ! build "$job" "$patch"; then
		account "$job"
		return
	fi
	pack "$job" "$@"
	cpus=$(processors "$@")
	while [ "$(jobs -rp | wc -l)" -ge "$MACHINES" ]; do
		wait -n || :
	done
	(boot "$job" "$kernel" "$cpus"; account "$job") &
}

"$VM/setup.sh"
"$VM/fetch.sh"

mutants=()
for p in "$patches"/*.patch; do
	name=${p##*/}
	# shellcheck disable=SC2053 # it is a pattern
	[[ ${name%.patch} = *${MUTANT:-}* ]] && mutants+=("$p")
done
[ ${#mutants[@]} -gt 0 ] || die "there is no mutant called ${MUTANT:-}."
mapfile -t kernels < <(for p in "${mutants[@]}"; do kernel_of "$p"; done | sort -u)

seconds=$(sed -n 's/^timeout=//p' "$TOP/tools/testing/selftests/uacce/settings")
rm -rf "$run"
mkdir -p "$run/jobs"
finish()
{
	local -a machines

	mapfile -t machines < <(jobs -rp)
	kill "${machines[@]}" 2>/dev/null || :
	wait
	rm -rf "$run"
}
trap finish EXIT
trap 'exit 1' TERM INT HUP

for k in "${kernels[@]}"; do
	(prepare "$k")
done

# With no mistake all must pass, or else anything would look like a success.
step "all tests, on the core as it is (2 minutes, on the debug kernel 5)"
for k in "${kernels[@]}"; do
	job "as-it-is-$k" "$k"
done
wait
if [ "$(grep -c '^SURVIVED  *as-it-is-' "$table")" != ${#kernels[@]} ]; then
	rm -rf "$OUT/mutants"
	mv "$run" "$OUT/mutants"
	die "the core as it is does not pass; see $OUT/mutants/jobs"
fi
rm "$table"
touch "$table"

step "${#mutants[@]} mutants, $MACHINES at a time (each a quarter of a minute to 2 minutes)"
for p in "${mutants[@]}"; do
	name=${p##*/}
	read -ra tests <<<"$(field "$p" Test)"
	job "${name%.patch}" "$(kernel_of "$p")" "$p" "${tests[@]}"
done
wait
for p in "${mutants[@]}"; do
	name=${p##*/}
	name=${name%.patch}
	awk -v name="$name" '$2 == name { n++ } END { exit n != 1 }' "$table" ||
		printf '%-9s %-30s %s\n' BROKEN "$name" "was not judged" | tee -a "$table" >&2
done

rm -rf "$copy" "$run"/*/root "$run"/*/vmlinux "$run"/*/initramfs "$run"/jobs/*/vmlinux
rm -rf "$OUT/mutants"
mv "$run" "$OUT/mutants"
sort -k2 "$OUT/mutants/table"
if grep '^elsewhere' "$OUT/mutants/table" >"$OUT/mutants/elsewhere"; then
	say "These were noticed, but not by the programs that \"Test:\" names. Name the one" \
		"that did if it is sure to, or write the test that is missing:"
	cat "$OUT/mutants/elsewhere" >&2
fi
awk '{ n[$1]++ }
	END { printf "%d killed, %d survived", n["killed"], n["SURVIVED"]
	      if (n["elsewhere"]) printf ", %d noticed elsewhere", n["elsewhere"]
	      if (n["BROKEN"]) printf ", %d broken", n["BROKEN"]
	      print ""; exit n["SURVIVED"] || n["elsewhere"] || n["BROKEN"] }' \
	"$OUT/mutants/table"
