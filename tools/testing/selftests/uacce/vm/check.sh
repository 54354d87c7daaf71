#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# "make check": build the debug kernel with our files in it, run the static
# checks, boot it and run the selftests in it. TEST=pattern leaves the static
# checks out and runs only what has that in its name. The last line is
# "N passed, N failed, N skipped".

. "$(dirname "$0")/lib.sh"

"$VM/setup.sh"
"$VM/fetch.sh"

run=$OUT/check.$$
rm -rf "$run"
mkdir -p "$run/root"
trap 'rm -rf "$run"' EXIT
trap 'exit 1' TERM INT HUP
counts=$run/counts
: >"$counts"
settings=$TOP/tools/testing/selftests/uacce/settings
seconds=$(sed -n 's/^timeout=//p' "$settings")

(
	kernel_lock
	"$VM/build.sh" debug
	build=$(build_dir debug)
	if modinfo -F depends "$build/drivers/crypto/hisilicon/hisi_qm.ko" |
		grep -qw uacce
	then
		echo "pass the kernel's own accelerator driver is built on this uacce"
	else
		echo "fail the kernel's own accelerator driver is built on this uacce"
	fi >>"$counts"
	step "building the selftests and tools (seconds)"
	"$VM/userland.sh" "$build" "$run/root"
	"$VM/plan-tests.py" "$run/root/tests" "${seconds:-300}" \
		"$([ -n "${TEST:-}" ] && echo 1 || echo "$JOBS")" \
		"$CACHE/times" "${TEST:-}"
	"$VM/initramfs.sh" "$build" "$run/root" "$run"
)

if [ -z "${TEST:-}" ]; then
	"$VM/static.sh" "$counts"
fi

# machine N: boot it, let it run its part of the tests, count
machine()
{
	local dir=$run/$1 vm

	mkdir "$dir"
	mv "$run/root/tests/.expected.$1" "$dir/expected"
	ln -s ../vmlinux ../initramfs "$dir/"
	: >"$dir/results"
	APPEND="uacce_machine=$1" "$VM/boot.sh" "$dir" check 2400 &
	vm=$!
	trap 'kill $vm 2>/dev/null || :' EXIT
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
		"$VM/scan-log.sh" --context "$dir/console.log" | head -n 150 >&2
	fi
}

n=$(find "$run/root/tests" -name '.plan.*' | wc -l)
programs=$(cat "$run"/root/tests/.plan.* | wc -l)
step "running $programs programs in $n virtual machines (each boots in 15 seconds;" \
	"about 2 minutes for all)"
machines=()
trap 'kill "${machines[@]}" 2>/dev/null || :; wait; rm -rf "$run"' EXIT
for ((i = 1; i <= n; i++)); do
	machine $i &
	machines+=($!)
done
for ((i = 1; i <= n; i++)); do
	wait "${machines[i - 1]}" ||
		echo "fail the account of machine $i is complete" >>"$run/$i/counts"
done
cat "$run"/[0-9]*/counts >>"$counts"

if [ -z "${TEST:-}" ]; then
	awk '$1 == "@@" && $2 == "end" { print $3, $5 }' "$run"/[0-9]*/results \
		>"$CACHE/times.$$"
	mv "$CACHE/times.$$" "$CACHE/times"
fi
rm -rf "$OUT/check" "$run/root" "$run/vmlinux" "$run/initramfs"
mv "$run" "$OUT/check"
say "What the guests said and their kernel logs are in $OUT/check/."
grep '^fail' "$OUT/check/counts" | sed 's/^fail/failed:/' || true
awk '{ n[$1]++ }
	END { printf "%d passed, %d failed, %d skipped\n", n["pass"], n["fail"], n["skip"]
	      exit n["fail"] > 0 || n["pass"] == 0 }' "$OUT/check/counts"
