#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# "make demo": boot a virtual machine, have its virtual accelerator compress a
# file through the pointers of uacce-gzip, bring the result back, see that gzip
# here gets the very same bytes out of it, and give an account. FILE=path takes
# that file and leaves FILE.gz in the current directory. VTD=1 takes the
# accelerator that is a PCI Express function behind an Intel IOMMU.

. "$(dirname "$0")/lib.sh"

if [ -n "${FILE:-}" ]; then
	[ -f "$FILE" ] || die "FILE=$FILE is no file."
	[ -r "$FILE" ] || die "FILE=$FILE cannot be read."
	result=$PWD/${FILE##*/}.gz
	[ ! -e "$result" ] || die "$result is there already; remove it first."
fi

"$VM/setup.sh"
"$VM/fetch.sh"
if [ -n "${VTD:-}" ]; then
	QEMU=$("$VM/qemu.sh" --path) || die "there is no QEMU for VTD=1: $QEMU"
	export QEMU CARRIER=vtd
fi

run=$(mktemp -d)
trap 'rm -rf "$run"' EXIT
trap 'exit 1' TERM INT HUP

if [ -n "${FILE:-}" ]; then
	ln -s "$(realpath "$FILE")" "$run/input"
	name=${FILE##*/}
else
	# the kernel's own documentation: real text, and everybody has it here
	name=kernel-documentation.txt
	(cd "$(kernel_dir)/src" && find Documentation -name '*.rst' -print0 |
		sort -z | xargs -0 cat) >"$run/input"
fi
size=$(stat -L -c %s "$run/input")
megabytes=$((size / 1048576))
memory=$((768 + megabytes * 5 / 2))
free=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)
[ "$memory" -lt "$free" ] ||
	die "$name has $megabytes MB; the virtual machine would need $memory MB of" \
	    "memory for it and only $free MB are free here."

mkdir -p "$run/root/vm"
printf '%s\n' "$name" >"$run/root/vm/demo.name"
printf '%s %s\n' "$size" "$(stat -L -c %Y "$run/input")" >"$run/root/vm/demo.conf"
(
	kernel_lock
	"$VM/build.sh" lean
	build=$(build_dir lean)
	"$VM/userland.sh" "$build" "$run/root" tools
	"$VM/initramfs.sh" "$build" "$run/root" "$run"
)

# room for what cannot be made smaller
truncate -s $((size + size / 100 + 1048576 & ~511)) "$run/output"
disk=$run/input
if [ "$size" = 0 ]; then
	disk=$run/blank		# QEMU has no disks without a sector
	truncate -s 512 "$disk"
fi
disks=(-drive "file=$disk,format=raw,if=virtio,index=0,readonly=on"
	-drive "file=$run/output,format=raw,if=virtio,index=1,cache=unsafe")

step "compressing $name ($size bytes) in the virtual machine (boots in 5 seconds," \
	"then about 5 MB a second)"
MEM=$memory "$VM/boot.sh" "$run" demo $((120 + megabytes * 4)) "${disks[@]}" ||
	die "the virtual machine did not come to its end; its last words were:" \
	    "$(tail -n 5 "$run/console.log")"
grep -qx "all done" "$run/results" ||
	die "the demo failed in the virtual machine: $(grep ^failed "$run/results" ||
		tail -n 5 "$run/results")"
"$VM/scan-log.sh" "$run/console.log" >&2 ||
	die "the kernel in the virtual machine reported the mistakes above."

got()
{
	awk -v name="$1" '$1 == name { print $2 }' "$run/results"
}

truncate -s "$(got bytes)" "$run/output"
mv "$run/output" "$run/output.gz"
gzip -t "$run/output.gz" || die "gzip finds the result damaged."
gzip -dc "$run/output.gz" | cmp - "$run/input" ||
	die "expanding the result gives other bytes than $name has."

awk -v name="$name" -v size="$size" -v vtd="${VTD:-}" '
	function group(n,	s) {
		n = sprintf("%d", n)
		for (s = ""; length(n) > 3; n = substr(n, 1, length(n) - 3))
			s = "," substr(n, length(n) - 2) s
		return n s
	}
	function line(what, value, remark) {
		printf "  %-24s %15s  %s\n", what, value, remark
	}
	{ v[$1] = $2 }
	END {
		t = v["ended"] - v["began"]
		print ""
		print name ", compressed by the virtual accelerator" \
			(vtd ? " on PCI Express, behind VT-d:" : ":")
		line("bytes in", group(size), "")
		line("bytes out", group(v["bytes"]),
		     size ? sprintf("%.1f %% of the input", 100 * v["bytes"] / size) : "")
		line("seconds", sprintf("%.2f", t),
		     t ? sprintf("%.1f MB/s on an emulated processor", size / t / 1e6) : "")
		line("queues", v["gets"], "opened by one process")
		line("bonds", v["binds"], "address spaces bound to the device")
		if ("kicks" in v)
			line("pieces of work", group(v["descriptors"]),
			     v["kicks"] " of them had to wake the accelerator")
		line("I/O page faults", group(v["page_faults"]),
		     "pages brought in by the IOMMU, none pinned before")
		print "  gzip -t accepts it, and expanded it equals the input byte for byte."
	}' "$run/results"
if [ -n "${FILE:-}" ]; then
	mv "$run/output.gz" "$result"
	echo "  It is in $result"
fi
