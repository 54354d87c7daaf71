#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# boot.sh DIRECTORY MODE SECONDS [QEMU ARGUMENT...]: boot DIRECTORY/vmlinux with
# DIRECTORY/initramfs and let its init do MODE. The kernel's log goes to
# DIRECTORY/console.log and what the guest says to DIRECTORY/results. A guest
# that is not done after SECONDS is stopped. MODE shell is interactive instead.
# APPEND is more of the kernel's command line, MEM the guest's memory in MB.
# ACCEL=kvm is faster where KVM works; nested KVM often only pretends to.

. "$(dirname "$0")/lib.sh"

run=$1
mode=$2
seconds=$3
shift 3

qemu=(
	qemu-system-x86_64 -nodefaults -no-user-config -no-reboot -display none
	-machine q35 -accel "${ACCEL:-tcg,thread=multi}" -cpu "max,la57=off"
	-smp 2 -m "${MEM:-2048}"
	-kernel "$run/vmlinux" -initrd "$run/initramfs"
)
append="console=ttyS0,115200 ignore_loglevel panic=-1 oops=panic nokaslr \
uacce_vm=$mode ${APPEND:-}"

if [ "$mode" = shell ]; then
	exec "${qemu[@]}" "$@" -append "${append/ignore_loglevel/quiet}" \
		-serial mon:stdio
fi

: >"$run/results"
: >"$run/console.log"
rc=0
timeout --foreground --kill-after=10 "$seconds" \
	"${qemu[@]}" "$@" -append "$append" \
	-serial "file:$run/console.log" -serial "file:$run/results" \
	</dev/null >"$run/qemu.log" 2>&1 &
vm=$!
trap 'kill $vm 2>/dev/null || :' EXIT
trap 'exit 1' TERM INT HUP
wait $vm || rc=$?
case $rc in
0)
	;;
124|137)
	say "the virtual machine was not done after $seconds seconds; it was stopped."
	;;
*)
	tail -n 5 "$run/qemu.log" >&2
	say "QEMU ended with status $rc."
	;;
esac
exit $rc
