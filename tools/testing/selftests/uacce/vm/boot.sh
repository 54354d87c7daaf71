#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# boot.sh DIRECTORY MODE SECONDS [QEMU ARGUMENT...]: boot DIRECTORY/vmlinux with
# DIRECTORY/initramfs and let its init do MODE. The kernel's log goes to
# DIRECTORY/console.log and what the guest says to DIRECTORY/results. A guest
# that is not done after SECONDS is stopped. MODE shell is interactive instead.
# APPEND is more of the kernel's command line, MEM the guest's memory in MB, CPUS how
# many processors it has (with CARRIER=vtd one, see below).
# ACCEL=kvm is faster where KVM works; nested KVM often only pretends to. Where QEMU has
# no such thing, as the one of qemu.sh, the processor is emulated all the same.
# CARRIER=vtd is a machine with an Intel IOMMU and three accelerators on PCI Express,
# each in a slot of its own: va0 and va1 share address spaces, va2 cannot. The QEMU
# is the one of qemu.sh then, whose status 4 says that there is none.

. "$(dirname "$0")/lib.sh"

run=$1
mode=$2
seconds=$3
shift 3

binary="qemu-system-x86_64"
machine=q35
threads=multi
cpus=${CPUS:-2}
devices=()

# The IOMMU comes before what it translates for, and slots are PCI Express's own:
# those of ACPI have no button that a driver could see.
accelerators()
{
	local iommu=intel-iommu,x-scalable-mode=on,x-flts=on,x-pasid-mode=on
	local i sva=(on on off)

	iommu+=,device-iotlb=on,intremap=on,aw-bits=48
	if "$binary" -device intel-iommu,help | grep -q '^ *svm='; then
		iommu+=,svm=on
	fi
	machine+=,kernel-irqchip=split
	# QEMU 10.2 can abort if one of its threads stores to a device's memory while
	# another one moves that, as in a reset of the function
	threads=single
	# and processors that take turns wait long for each other. Four more could come:
	# drivers take vectors for them.
	cpus=1,maxcpus=4
	# no_timer_check: where interrupts are remapped Linux panics if it counts too few
	# timer interrupts at boot, which is what a busy host gives it
	append+=" intel_iommu=on,sm_on no_timer_check"
	devices+=(-L /usr/share/seabios -L /usr/share/qemu -device "$iommu"
		-global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off)
	for i in 0 1 2; do
		devices+=(-device "pcie-root-port,id=rp$i,chassis=$((i + 1)),slot=$((i + 1))"
			-device "vaccel,bus=rp$i,id=va$i,sva=${sva[i]}")
	done
}

# On a loaded machine the guest gets the frequency of its TSC wrong, sometimes by a
# factor of 60, and then all its time limits. HPET and PM timer are always right.
# Two nodes with memory, so that pages can migrate
: "${MEM:=2048}"
for i in 0 1; do
	devices+=(-object "memory-backend-ram,id=mem$i,size=$(((MEM + i) / 2))M"
		-numa "node,nodeid=$i,memdev=mem$i")
done

append="console=ttyS0,115200 ignore_loglevel panic=-1 oops=panic nokaslr \
tsc=unstable uacce_vm=$mode ${APPEND:-}"
if [ "${CARRIER:-}" = vtd ]; then
	rc=0
	binary=$("$VM/qemu.sh" --path) || rc=$?
	if [ $rc != 0 ]; then
		say "$binary"
		exit $rc
	fi
	accelerators
fi

accel=tcg,thread=$threads
if [ -n "${ACCEL:-}" ]; then
	if "$binary" -accel help | grep -qx "${ACCEL%%,*}"; then
		accel=$ACCEL
	else
		say "$binary has no ACCEL=$ACCEL: the processor is emulated."
	fi
fi

qemu=(
	"$binary" -nodefaults -no-user-config -no-reboot -display none
	-machine "$machine" -accel "$accel" -cpu "max,la57=off"
	-smp "$cpus" -m "$MEM"
	-kernel "$run/vmlinux" -initrd "$run/initramfs"
	"${devices[@]}"
)

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
