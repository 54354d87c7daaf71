#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Many uacce-gzip at a time on two accelerators, some of which are killed: what the
# others make is right, and nothing is left of anybody. UACCE_SOAK is for how many
# seconds (without it each worker has but a turn or two, with short files); UACCE_SEED
# repeats the choices of an earlier run, though not when who is killed.

# shellcheck source-path=SCRIPTDIR source=tap.sh
. "$(dirname "$0")/tap.sh"

gz=${UACCE_GZIP:-uacce-gzip}
soak=${UACCE_SOAK:-0}
seed=${UACCE_SEED:-$(od -An -N3 -tu4 /dev/urandom | tr -d ' ')}
workers=4 longest=2500000
[ "$soak" -gt 0 ] || workers=2 longest=150000

# random N: $chosen is 0 to N - 1, and may be up to 2^30
random()
{
	state=$(((state * 1103515245 + 12345) & 0x7fffffff))
	high=$((state / 65536))
	state=$(((state * 1103515245 + 12345) & 0x7fffffff))
	chosen=$(((high * 32768 + state / 65536) % $1))
}

# killed_at_work WORKER: somebody who has the device, and cannot come to an end, as what is
# to be compressed does not
killed_at_work()
{
	mkfifo "pipe.$1" || return
	"$gz" --device="/dev/$dev_a" --queues=2 -c <"pipe.$1" >"gz.$1" 2>"gz.$1.err" &
	pid=$!
	exec 9>"pipe.$1"
	head -c $longest "$work/input" >&9
	kill -KILL $pid
	exec 9>&-
	wait $pid
	[ $? = 137 ] || { cat "gz.$1.err"; return 1; }
	killed=$((killed + 1))
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
	if [ $chosen = 0 ]; then
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
	size=$chosen
	gzip_or_die "gz.$1" "in.$1" || return $(($? & 1))
	gunzip -c <"gz.$1" | cmp - "in.$1" || return 1
	gzip_or_die "back.$1" -d "gz.$1" || return $(($? & 1))
	cmp "back.$1" "in.$1" || return 1
	right=$((right + 1))
	[ "$size" -le "$long" ] || long=$size
}

# worker NUMBER: takes turns until $end; says how often all went well, and who died
worker()
{
	state=$((seed + $1)) right=0 killed=0 long=0
	killed_at_work "$1" || return 1
	while [ $right = 0 ] || [ "$(uptime)" -lt "$end" ]; do
		turn "$1" || return 1
	done
	echo "$right $killed $long" >"$work/account.$1"
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

# sum FIELD, most FIELD: of what the workers said
sum()
{
	cat "$work"/account.* | awk -v field="$1" '{ n += $field } END { print n + 0 }'
}

most()
{
	cat "$work"/account.* | awk -v field="$1" '$field > n { n = $field } END { print n + 0 }'
}

# long enough for chunks in flight on two queues, that is
some_were_killed_and_some_were_long()
{
	expect "killed" [ "$(sum 2)" -ge $workers ] || return
	[ "$soak" = 0 ] || expect "long" [ "$(most 3)" -gt 2097152 ]
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
echo "# soak: streams=$(sum 1) killed=$(sum 2) seed=$seed"
run	some_were_killed_and_some_were_long \
	nothing_is_left_of_them
