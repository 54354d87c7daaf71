# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# TAP and an instance of the simulated accelerator for tests that are scripts.
#
# A test is a function that returns 0 if all is well. What it prints is shown only
# if it fails. It runs in $work, an empty directory; its name is what it shows,
# with _ for spaces.

sim=/sys/kernel/config/uacce_sim
# shellcheck disable=SC2034 # for the tests
here=$(cd "$(dirname "$0")" && pwd)
work=
instances=
planned=
n_tests=0
n_failed=0
n_skipped=0

skip_all()
{
	echo "TAP version 13"
	echo "1..0 # SKIP $*"
	planned=none
	exit 4
}

# Before anything else; skips all if there is no simulator
begin()
{
	[ "$(id -u)" = 0 ] || skip_all "needs root"
	[ -d $sim ] || modprobe uacce_sim 2>/dev/null
	[ -d $sim ] || mount -t configfs none /sys/kernel/config 2>/dev/null
	[ -d $sim ] || skip_all "module uacce_sim is not available"
	work=$(mktemp -d) || exit 1
	trap finish EXIT
	trap 'exit 1' INT TERM HUP
}

# plan COUNT: how many tests there are
plan()
{
	planned=$1
	echo "TAP version 13"
	echo "1..$planned"
}

# run FUNCTION...
run()
{
	for t in "$@"; do
		n_tests=$((n_tests + 1))
		what=$(echo "$t" | tr _ ' ')
		mkdir "$work/t"
		# a shell of its own: what it changes goes with it
		(cd "$work/t" && "$t") >"$work/log" 2>&1
		case $? in
		0)
			echo "ok $n_tests $what"
			;;
		4)
			echo "ok $n_tests $what # SKIP $(tail -n 1 "$work/log")"
			n_skipped=$((n_skipped + 1))
			;;
		*)
			sed 's/^/# /' "$work/log"
			echo "not ok $n_tests $what"
			n_failed=$((n_failed + 1))
			;;
		esac
		release_all
		rm -rf "$work/t"
	done
}

# Says why before a test fails: expect "what should be" COMMAND...
expect()
{
	why=$1
	shift
	"$@" && return 0
	echo "not so: $why ($*)"
	return 1
}

# make_instance NAME [ATTRIBUTE=VALUE...]: the device is in $dev then
make_instance()
{
	dir=$sim/$1
	shift
	[ ! -d "$dir" ] || remove_instance "$dir" || return
	mkdir "$dir" || return
	instances="$instances $dir"
	for a in "$@"; do
		echo "${a#*=}" >"$dir/${a%%=*}" || return
	done
	echo 1 >"$dir/live" || return
	# shellcheck disable=SC2034 # for the tests
	dev=$(cat "$dir/dev_name")
}

release()
{
	for f in "$1"/inject/hold_* "$1"/inject/delay_* "$1"/inject/fail_*; do
		echo 0 >"$f"
	done
}

release_all()
{
	for d in $instances; do
		release "$d"
	done
}

remove_instance()
{
	release "$1"
	echo 0 >"$1/live"
	rmdir "$1"
}

# without_devices COMMAND...: as on a machine that has none, since nothing is seen
# in sysfs
without_devices()
{
	# shellcheck disable=SC2016 # for the inner shell
	unshare -m sh -c 'mount -t tmpfs none /sys/class/uacce && exec "$@"' sh "$@"
}

# wait_for COMMAND...: until it succeeds, at most 60 s
wait_for()
{
	end=$(($(cut -d. -f1 /proc/uptime) + 60))
	until "$@"; do
		[ "$(cut -d. -f1 /proc/uptime)" -lt $end ] || {
			echo "waited in vain for: $*"
			return 1
		}
		sleep 0.05
	done
}

# at_least FILE NUMBER
at_least()
{
	[ "$(cat "$1")" -ge "$2" ]
}

finish()
{
	trap - EXIT
	for d in $instances; do
		remove_instance "$d"
	done
	rm -rf "$work"
	[ "$planned" != none ] || exit 4
	passed=$((n_tests - n_failed - n_skipped))
	echo "# Totals: pass:$passed fail:$n_failed skip:$n_skipped"
	# a bare exit would give the status from before the trap
	[ "$n_failed $n_tests" = "0 $planned" ] || exit 1
	exit 0
}
