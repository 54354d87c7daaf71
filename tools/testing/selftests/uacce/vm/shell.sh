#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# "make vm": a shell in the virtual machine with everything loaded. With
# RUN='command' that command is run instead, its output is what is printed.
# KERNEL=debug boots the kernel of "make check" (with the selftests in /tests),
# VTD=1 has the accelerators on PCI Express, behind an Intel IOMMU.

. "$(dirname "$0")/lib.sh"

[ -n "${RUN:-}" ] || [ -t 0 ] ||
	die "'make vm' needs a terminal. RUN='command' runs a command without one."

kernel=${KERNEL:-lean}
"$VM/setup.sh"
"$VM/fetch.sh"
if [ -n "${VTD:-}" ]; then
	QEMU=$("$VM/qemu.sh" --path) || die "there is no QEMU for VTD=1: $QEMU"
	export QEMU CARRIER=vtd
fi

run=$(mktemp -d)
trap 'rm -rf "$run"' EXIT
(
	kernel_lock
	"$VM/build.sh" "$kernel"
	build=$(build_dir "$kernel")
	what=tools
	[ "$kernel" != debug ] || what=all
	"$VM/userland.sh" "$build" "$run/root" $what
	mkdir -p "$run/root/vm"
	printf '%s\n' "${RUN:-}" >"$run/root/vm/command"
	"$VM/initramfs.sh" "$build" "$run/root" "$run"
)

if [ -n "${RUN:-}" ]; then
	rc=0
	"$VM/boot.sh" "$run" run "${SECONDS_MAX:-600}" || rc=$?
	cat "$run/results"
	[ -z "${KEEP:-}" ] || cp "$run/console.log" "$run/results" "$KEEP/"
	say "---- warnings of the kernel:"
	"$VM/scan-log.sh" "$run/console.log" >&2 || rc=1
	exit $rc
fi
step "booting (5 seconds; leave with 'exit', or Ctrl-A X)"
"$VM/boot.sh" "$run" shell 0
