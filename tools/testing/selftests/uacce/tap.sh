# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# TAP and instances of the accelerator for tests that are scripts.
#
# A test is a function that returns 0 if all is well. What it prints is shown only
# if it fails. It runs in $work, an empty directory; its name is what it shows,
# with _ for spaces. Whatever it returns, it fails if something happened on an
# instance that never must.

# shellcheck disable=SC2034 # for the tests
here=$(cd "$(dirname "$0")" && pwd)
work=
instances=
guilty=
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

# Before anything else; skips all if there is no accelerator
begin()
{
	why=$("$here/simctl" check) || skip_all "$why"
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
		result=$?
		# shellcheck disable=SC2086 # a list
		release $instances >>"$work/log" 2>&1 || result=1
		look_for_what_never_must_happen >>"$work/log" 2>&1 || result=1
		case $result in
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

# make_instance NAME [ATTRIBUTE=VALUE...]: it is $inst, and its device $dev, then
make_instance()
{
	inst=$1
	dev=$("$here/simctl" make "$@") || {
		status=$?
		echo "# $dev"
		return $status
	}
	instances="$instances $inst"
}

# attribute NAME: of the current instance
attribute()
{
	"$here/simctl" get "$inst" "$1"
}

# set_attribute NAME VALUE
set_attribute()
{
	"$here/simctl" set "$inst" "$1" "$2"
}

# release INSTANCE...
release()
{
	for i in "$@"; do
		"$here/simctl" release "$i" || return
	done
}

# An instance counts until it goes live anew, so one that was found is not looked at again.
look_for_what_never_must_happen()
{
	found=0
	for i in $instances; do
		case " $guilty " in
		*" $i "*)
			continue ;;
		esac
		"$here/simctl" never "$i" || {
			echo "that happened on $i, and never must"
			guilty="$guilty $i"
			found=1
		}
	done
	return $found
}

remove_instance()
{
	release "$1"
	"$here/simctl" remove "$1"
}

# without_devices COMMAND...: as on a machine that has none, since nothing is seen
# in sysfs
without_devices()
{
	# shellcheck disable=SC2016 # for the inner shell
	unshare -m sh -c 'mount -t tmpfs none /sys/class/uacce && exec "$@"' sh "$@"
}

# in seconds
uptime()
{
	read -r now _ </proc/uptime
	echo "${now%.*}"
}

# wait_for COMMAND...: until it succeeds, at most 60 s
wait_for()
{
	end=$(($(uptime) + 60))
	until "$@"; do
		[ "$(uptime)" -lt $end ] || {
			echo "waited in vain for: $*"
			return 1
		}
		sleep 0.05
	done
}

# at_least ATTRIBUTE NUMBER
at_least()
{
	[ "$(attribute "$1")" -ge "$2" ]
}

finish()
{
	trap - EXIT
	for i in $instances; do
		remove_instance "$i"
	done
	rm -rf "$work"
	[ "$planned" != none ] || exit 4
	passed=$((n_tests - n_failed - n_skipped))
	echo "# Totals: pass:$passed fail:$n_failed skip:$n_skipped"
	# a bare exit would give the status from before the trap
	[ "$n_failed $n_tests" = "0 $planned" ] || exit 1
	exit 0
}
