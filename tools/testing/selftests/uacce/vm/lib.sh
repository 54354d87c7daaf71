# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the scripts of this directory share: where things are, how to speak to
# the person who started them, and the locks that keep two runs apart.

# shellcheck disable=SC2034 # variables for the scripts that source this file

set -euo pipefail
export LC_ALL=C

# what a caller's make or shell may have set must not steer the builds below
unset MAKEFLAGS MAKELEVEL MFLAGS ARCH CROSS_COMPILE KBUILD_OUTPUT \
	KCFLAGS KCPPFLAGS KBUILD_EXTRA_WARN INSTALL_MOD_PATH O M V W C

VM=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOP=$(cd "$VM/../../../../.." && pwd)
CACHE=${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/uacce
OUT=$TOP/out
JOBS=$(nproc)

# where each part of the project lies, relative to a kernel tree: the first
# list is ours alone, the second is shared with the kernel's own files
OWN_DIRS=(drivers/misc/uacce tools/uacce tools/testing/selftests/uacce)
SHARED_DIRS=(include Documentation)

say()
{
	printf '%s\n' "$*" >&2
}

# what the next step is, and how long one waits for it
step()
{
	say "==> $*"
}

die()
{
	say "error: $*"
	exit 1
}

# lock FILE: wait for whoever else works on the thing that FILE stands for.
# The lock goes when this process and its children are gone; the scripts that
# it calls meanwhile pass through.
lock()
{
	local fd

	case :${UACCE_LOCKS:-}: in
	*":$1:"*)
		return 0 ;;
	esac
	mkdir -p "$(dirname "$1")"
	exec {fd}>>"$1"
	if ! flock -n "$fd"; then
		say "waiting for another run that uses $(dirname "$1")"
		flock "$fd"
	fi
	export UACCE_LOCKS=${UACCE_LOCKS:-}:$1
}

# logged FILE COMMAND...: keep a long command's output out of the way
logged()
{
	local log=$1

	shift
	"$@" >"$log" 2>&1 </dev/null
}

# The kernel in use, as fetch.sh noted it: a name for its directory.
kernel_name()
{
	if [ -n "${KSRC:-}" ]; then
		printf 'tree-%s\n' "$(realpath "$KSRC" | sha256sum | cut -c1-12)"
	elif [ -s "$CACHE/kernel" ]; then
		awk '{ v = $2; gsub(/[^A-Za-z0-9.-]/, "_", v); print "linux-" v }' "$CACHE/kernel"
	else
		die "no kernel source was chosen yet; 'make setup' does that"
	fi
}

kernel_dir()
{
	local name

	name=$(kernel_name)
	printf '%s/%s\n' "$CACHE" "$name"
}

# the lock of everything below the kernel's directory
kernel_lock()
{
	local dir

	dir=$(kernel_dir)
	lock "$dir/lock"
}

# The fragments that make up configuration $1, in order.
fragments()
{
	printf '%s\n' "$VM/base.config" "$VM/$1.config"
}

# The output directory of configuration $1. Another compiler or another
# configuration is another directory, so nothing stale is ever reused.
build_dir()
{
	local dir files key

	dir=$(kernel_dir)
	mapfile -t files < <(fragments "$1")
	key=$({ grep -h '^\(# \)\?CONFIG_' "${files[@]}" | sort -u
		gcc -dumpfullversion; } | sha256sum | cut -c1-12)
	printf '%s/%s-%s\n' "$dir" "$1" "$key"
}

# The machines that run tests. No test needs more memory, and all of it has to be
# looked after.
TEST_MEM=1024

# asked_for NAME: is that set, and not to 0? plan-tests.py has the same.
asked_for()
{
	[ -n "${!1:-}" ] && [ "${!1}" != 0 ]
}

# With FULL nothing is left out for want of time, unless the caller says otherwise.
if asked_for FULL; then
	: "${UACCE_NTH_STEP:=1}" "${UACCE_CELL_STEP:=1}" "${UACCE_SMP:=1}"
fi
export UACCE_SMP

# test_append MACHINE KERNEL PROCESSORS: what its kernel is told. With the caches of
# pointers that SLUB has in front of kmalloc() a leak goes unseen: they still hold what
# they gave out. A cache with sanity checks has none. A timer that goes by itself is one
# that nobody programs anew thousands of times, and programming it takes QEMU long. In
# everyday life RCU is in a hurry where there is one processor; with UACCE_SMP, and on
# more of them, it takes its time. More is left out in the lane where all takes longer.
# What a kernel does not know becomes the environment of init, and of all.
test_append()
{
	local nth_step=16 nth_first=20 cell_step=2

	if [ "${1%%[0-9]*}" = vtd ]; then
		nth_step=32 nth_first=15 cell_step=3
	fi
	printf '%s ' "uacce_machine=$1" "uacce_kernel=$2" "uacce_processors=$3" \
		'slab_debug=F,kmalloc-*' highres=off nohz=off
	if [ "$3" = 1 ] && ! asked_for UACCE_SMP; then
		printf 'rcupdate.rcu_expedited=1 '
	fi
	printf '%s %s %s\n' "UACCE_NTH_STEP=${UACCE_NTH_STEP:-$nth_step}" \
		"UACCE_NTH_FIRST=${UACCE_NTH_FIRST:-$nth_first}" \
		"UACCE_CELL_STEP=${UACCE_CELL_STEP:-$cell_step}"
}
