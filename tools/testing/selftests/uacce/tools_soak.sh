#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Many uacce-gzip at a time on two accelerators, some of which are killed: what the
# others make is right, and nothing is left of anybody. UACCE_SOAK is for how many
# seconds (without it each worker has but one turn, with a short file); UACCE_SEED
# repeats the choices of an earlier run, though not when who is killed.

# shellcheck source-path=SCRIPTDIR source=tap.sh
. "$(dirname "$0")/tap.sh"

gz=${UACCE_GZIP:-uacce-gzip}
soak=${UACCE_SOAK:-0}
seed=${UACCE_SEED:-$(od -An -N3 -tu4 /dev/urandom | tr -d ' ')}
workers=4 longest=2500000
[ "$soak" -gt 0 ] || workers=2 longest=150000

uptime()
{
	read -r now _ </proc/uptime
	echo "${now%.*}"
}

# random N: $chosen is 0 to N - 1
random()
{
	state=$(((state * 1103515245 + 12345) & 0x7fffffff))
	chosen=$((state / 65536 % $1))
}

# gzip_or_die OUTPUT OPTION...: 0 if it came to its end, 1 if it failed, 2 if it was killed
gzip_or_die()
{
	out=$1
	shift
	random 2
	d=$dev_a
	[ $chosen = 0 ] || d=$dev_b
	random 3
	"$gz" --device="/dev/$d" --queues=$((chosen + 1)) -c "$@" >"$out" 2>"$out.err" &
	pid=$!
	random 3
	if [ $chosen = 0 ] || [ "$turns" = 0 ]; then
		random 10
		sleep 0.$chosen
		kill -KILL $pid
	fi 2>/dev/null
	wait $pid
	case $? in
	0)	return 0 ;;
	137)	killed=$((killed + 1)); return 2 ;;
	*)	cat "$out.err"; return 1 ;;
	esac
}

# turn WORKER: there and back; 1 if something is wrong
turn()
{
	random $longest
	head -c $((chosen + 1)) "$work/input" >"in.$1"
	gzip_or_die "gz.$1" "in.$1" || return $(($? & 1))
	gunzip -c <"gz.$1" | cmp - "in.$1" || return 1
	gzip_or_die "back.$1" -d "gz.$1" || return $(($? & 1))
	cmp "back.$1" "in.$1" || return 1
	right=$((right + 1))
}

# worker NUMBER: takes turns until $end; says how often all went well, and who died
worker()
{
	state=$((seed + $1)) turns=0 right=0 killed=0
	while [ $turns = 0 ] || [ $right = 0 ] || [ "$(uptime)" -lt "$end" ]; do
		turn "$1" || return 1
		turns=$((turns + 1))
	done
	echo "$right $killed" >"$work/account.$1"
}

streams_are_right_while_processes_are_killed()
{
	end=$(($(uptime) + soak)) pids=
	for w in $(seq $workers); do
		worker "$w" &
		pids="$pids $!"
	done
	for p in $pids; do
		wait "$p" || return 1
	done
}

# is_zero ATTRIBUTE
is_zero()
{
	[ "$(attribute "$1")" = 0 ]
}

nothing_is_left_of_them()
{
	for inst in $instances; do
		wait_for is_zero stats/queues && wait_for is_zero stats/pasids || return
		expect "all that was started is stopped" is_zero stats/running || return
		expect "as many puts as gets" \
			[ "$(attribute stats/puts)" = "$(attribute stats/gets)" ] || return
		expect "as many unbinds as binds" \
			[ "$(attribute stats/unbinds)" = "$(attribute stats/binds)" ] || return
	done
}

nothing_happened_that_never_must()
{
	for inst in $instances; do
		"$here/simctl" never "$inst" || return
	done
}

command -v "$gz" >/dev/null || skip_all "uacce-gzip is not installed"
begin
make_instance ksft_soak queues=64 || skip_all "no accelerator with SVA"
dev_a=$dev
make_instance ksft_soak_too queues=64 || skip_all "no second accelerator with SVA"
dev_b=$dev
plan 3

# of all kinds; the programs are there anyway
cat "$here"/*_test "$here"/*.sh | head -c 3000000 >"$work/input"

run	streams_are_right_while_processes_are_killed
cat "$work"/account.* 2>/dev/null | awk -v seed="$seed" '{ right += $1; killed += $2 }
	END { printf "# soak: streams=%d killed=%d seed=%d\n", right, killed, seed }'
run	nothing_is_left_of_them \
	nothing_happened_that_never_must
