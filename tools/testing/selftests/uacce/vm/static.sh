#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# static.sh [COUNTS]: the checks that need no virtual machine. Each is first
# shown a file with a deliberate mistake (control/) and must flag it: a tool
# that is missing, too old or switched off would pass everything. Results are
# added to the file COUNTS, like report.py does; without it they are summed up.

. "$(dirname "$0")/lib.sh"

counts=${1:-}
if [ -z "$counts" ]; then
	"$VM/setup.sh"
	"$VM/fetch.sh"
	counts=$(mktemp)
	trap 'rm -rf "$counts" "${work:-}"' EXIT
	sum=yes
else
	trap 'rm -rf "${work:-}"' EXIT
fi
work=$(mktemp -d)
control=tools/testing/selftests/uacce/vm/control

# verdict NAME STATUS FILE: count it, show FILE if it went wrong
verdict()
{
	if [ "$2" = 0 ]; then
		echo "pass static: $1" >>"$counts"
		say "  ok   $1"
	else
		echo "fail static: $1" >>"$counts"
		say "  FAIL $1"
		head -n 60 "$3" | sed 's/^/       /' >&2
	fi
}

# clean NAME COMMAND...: the command must succeed
clean()
{
	local name=$1 rc=0

	shift
	"$@" >"$work/out" 2>&1 </dev/null || rc=$?
	verdict "$name" $rc "$work/out"
}

# flags NAME TEXT COMMAND...: the command must fail and say TEXT
flags()
{
	local name=$1 text=$2 rc=1

	shift 2
	if "$@" >"$work/out" 2>&1 </dev/null; then
		echo "It accepted a file that is wrong on purpose." >>"$work/out"
	elif ! grep -q -e "$text" "$work/out"; then
		echo "It failed without saying: $text" >>"$work/out"
	else
		rc=0
	fi
	verdict "$name" $rc "$work/out"
}

kernel_lock
step "static checks (half a minute; the first time 3 minutes)"
sparse=$("$VM/sparse.sh")
"$VM/build.sh" static prepare
"$VM/build.sh" static headers
src=$(kernel_dir)/src
out=$(build_dir static)

# what is ours: the files that git would see, or all where there is no git
mapfile -t files < <(cd "$TOP" &&
	{ git ls-files -co --exclude-standard 2>/dev/null ||
	  find . -path ./out -prune -o -type f -print; } |
	sed 's#^\./##' | grep -v "^$control/" | sort -u |
	while read -r f; do [ ! -f "$f" ] || echo "$f"; done)

ours()
{
	printf '%s\n' "${files[@]}" | grep -E "$1"
}

# --- the compiler and sparse, in the tree, everything built in

strict=(make -C "$src" "O=$out" ARCH=x86_64 "-j$JOBS" W=1 C=2
	"CHECK=$sparse -Wsparse-error" KCFLAGS=-Werror)

compile_control()
{
	rm -rf "${work:?}/$1"
	mkdir "$work/$1"
	cp "$TOP/$control/$1_control.c" "$work/$1/"
	echo "obj-m := $1_control.o" >"$work/$1/Makefile"
	"${strict[@]}" M="$work/$1" "$1_control.o"
}

all_were_checked()
{
	local n

	n=$(ours '^drivers/.*\.c$' | wc -l)
	echo "sparse looked at $(grep -c '^  CHECK ' "$out/strict.log") of $n files"
	[ "$(grep -c '^  CHECK ' "$out/strict.log")" -ge "$n" ]
}

flags "W=1 with -Werror flags an unused constant" "uacce_never_used" \
	compile_control werror
flags "sparse flags a user pointer that is followed" "dereference of noderef" \
	compile_control sparse
# With the same files, options and tools it would end the same way: what passed is
# compiled again only if one of them has changed, or if the tree is the user's own.
strictly()
{
	local now

	now=$({ cd "$src" && find drivers/misc/uacce -type f &&
		grep '^include/' .uacce-laid-over; } | sort |
		(cd "$src" && xargs -d '\n' sha256sum "$out/.config" "$sparse" \
			"$VM/static.sh") | sha256sum)
	if [ -n "${KSRC:-}" ] || [ "$now" != "$(cat "$out/.strict" 2>/dev/null)" ]; then
		rm -f "$out/.strict"
		"${strict[@]}" drivers/misc/uacce/ >"$out/strict.log" 2>&1 ||
			{ cat "$out/strict.log"; return 1; }
		echo "$now" >"$out/.strict"
	fi
}

clean "the drivers compile with W=1 -Werror and satisfy sparse" strictly
clean "sparse looked at every file of the drivers" all_were_checked

# --- style, inside the tree as well: checkpatch knows the kernel's own names then

# A file that passed is not looked at again until it, or checkpatch, changes.
checkpatch()
{
	local f key rc=0
	local -a ignore

	cd "$src" || return
	for f; do
		ignore=()
		case $f in
		*/uacce/qemu/*)
			ignore=(--ignore CAMELCASE) ;;	# QEMU's names
		drivers/*/trace.h)		# as all of them are written
			ignore=(--ignore "PARENTHESIS_ALIGNMENT,OPEN_ENDED_LINE") ;;
		esac
		case $f in
		/*|drivers/*|include/*|tools/*|Documentation/*)
			;;
		*)
			f=$TOP/$f ;;	# the kernel has others of that name
		esac
		key=$passed/$({ echo "$f"; cat scripts/checkpatch.pl "$f"; } |
			sha256sum | cut -c1-40)
		[ ! -e "$key" ] || continue
		if perl scripts/checkpatch.pl --strict --terse --show-types \
			--no-summary "${ignore[@]}" -f "$f"
		then
			: >"$key"
		else
			rc=1
		fi
	done
	return $rc
}

passed=$out/checkpatch
mkdir -p "$passed"
find "$passed" -type f -mtime +30 -delete
mapfile -t style < <(ours '\.([chS]|sh|py)$|(^|/)(Makefile|Kconfig|config)$|\.config$')
flags "checkpatch --strict flags bad style" SPACING \
	checkpatch "$TOP/$control/checkpatch_control.c"
printf '%s\0' "${style[@]}" >"$work/style"
export -f checkpatch
export src TOP passed
# shellcheck disable=SC2016 # bash expands it
clean "checkpatch --strict is content with ${#style[@]} files" \
	xargs -0 -n 8 -P "$JOBS" -a "$work/style" bash -c 'checkpatch "$@"' checkpatch

# --- kernel-doc

kernel_doc()
{
	python3 "$src/scripts/kernel-doc" -none -Wall -Werror "$@"
}

cd "$TOP"
mapfile -t docs < <(ours '^(include|drivers)/.*\.[ch]$')
flags "kernel-doc flags a parameter without a description" "'b' not described" \
	kernel_doc "$control/kernel_doc_control.h"
clean "kernel-doc is content with ${#docs[@]} files" kernel_doc "${docs[@]}"

# --- the user API: each header alone, as C and as C++

alone()
{
	local compiler=$1 language=$2 std=$3 header=$4

	echo "#include \"$header\"" |
		"$compiler" -x "$language" -std="$std" -Wall -Wextra -Werror \
			-pedantic -fsyntax-only -nostdinc \
			-isystem "$out/usr/include" -isystem "$(
			"$compiler" -print-file-name=include)" -
}

flags "the compiler flags a header that is not complete" __u64 \
	alone gcc c gnu11 "$TOP/$control/header_control.h"
for h in $(ours '^include/uapi/.*\.h$' | sed 's#^include/uapi/##'); do
	clean "$h compiles alone as C" alone gcc c gnu11 "$out/usr/include/$h"
	clean "$h compiles alone as C++" alone g++ c++ gnu++11 "$out/usr/include/$h"
done

# --- scripts

mapfile -t scripts < <(ours . | while read -r f; do
	head -n 3 "$f" | grep -qE '^#!.*[/ ](ba|)sh$|shellcheck shell=' && echo "$f"; done || true)
flags "shellcheck flags a variable without quotes" SC2086 \
	shellcheck "$control/shellcheck_control.sh"
printf '%s\0' "${scripts[@]}" >"$work/scripts"
clean "shellcheck is content with ${#scripts[@]} scripts" \
	xargs -0 -n 4 -P "$JOBS" -a "$work/scripts" shellcheck -x -P SCRIPTDIR

# --- the runner's own judges

# every line of the bad log must be caught when it stands alone, the good pass
bad_lines_are_caught()
{
	local line rc=0

	while read -r line; do
		echo "$line" >"$work/line"
		if "$VM/scan-log.sh" --part "$work/line" >/dev/null; then
			echo "missed: $line"
			rc=1
		fi
	done <"$VM/control/bad.log"
	return $rc
}

# with SED-SCRIPT: the good log, but for what that changes
with()
{
	sed "$1" "$VM/control/good.log" >"$work/log"
	"$VM/scan-log.sh" "$work/log"
}

flags "the log scanner flags a log with one WARNING" WARNING \
	with '2i [    1.0] WARNING: CPU: 0 PID: 1 at a.c:1 f+0x0/0x1'
clean "the log scanner catches $(wc -l <"$VM/control/bad.log") kinds of reports" \
	bad_lines_are_caught
flags "the log scanner flags a race that names us" 'BUG: KCSAN' \
	"$VM/scan-log.sh" --part "$VM/control/race.log"
clean "the log scanner accepts what is harmless" \
	"$VM/scan-log.sh" "$VM/control/good.log"
# shellcheck disable=SC2016 # $ is sed's
clean "the log scanner knows where a race elsewhere ends" \
	with 's/$/\r/; $i [   95.0]  uacce_fops_poll+0x12/0x34 [uacce]'
flags "the log scanner misses a log" "there is no kernel log" \
	"$VM/scan-log.sh" "$work/no-such-log"
flags "the log scanner misses what should be in a log" "is empty" with d
flags "the log scanner misses the beginning of a log" "no beginning" with 1d
flags "the log scanner misses lines that the kernel dropped" "has gaps" \
	with '2i ** 5 printk messages dropped **'
flags "the log scanner misses the end of a log" "no end" with '/Power down/d'
clean "the report catches short, missing, failed and hanging tests" \
	python3 "$VM/report_test.py"
clean "what is wrong with the coverage or the reasons for holes is noticed" \
	python3 "$VM/coverage_test.py"

[ -z "${sum:-}" ] || awk '{ n[$1]++ }
	END { printf "%d passed, %d failed, %d skipped\n", n["pass"], n["fail"], n["skip"]
	      exit n["fail"] > 0 }' "$counts"
