#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# "make modules": build all modules on their own against the kernel in KDIR, the
# build directory of an installed or a built kernel. They land in out/modules.

. "$(dirname "$0")/lib.sh"

if [ -z "${KDIR:-}" ]; then
	KDIR=/lib/modules/$(uname -r)/build
	if [ ! -e "$KDIR/Makefile" ] && { [ -s "$CACHE/kernel" ] || [ -n "${KSRC:-}" ]; }; then
		KDIR=$(build_dir debug)
	fi
fi
KDIR=$(realpath -m "$KDIR")
[ -e "$KDIR/Makefile" ] ||
	die "$KDIR is no kernel's build directory. Install the headers of your" \
	    "kernel, name another one with KDIR=, or run 'make check' first."

version=$(make -s -C "$KDIR" kernelversion)
[ "${version%%.*}" -ge 7 ] ||
	die "$KDIR is of kernel $version; kernels before 7.0 are not supported."

has()
{
	grep -q "^CONFIG_$1=[ym]" "$KDIR/include/config/auto.conf"
}

for option in MODULES MMU IOMMU_API; do
	has $option || die "the kernel in $KDIR is built without CONFIG_$option."
done

# The build happens in a copy, so that nothing is left in the source tree. A
# kernel with an own uacce has its declarations; ours must come first.
out=$OUT/modules
mkdir -p "$out"
lock "$OUT/lock.modules"
rsync -rlp --checksum --delete --include='*/' --include='*.[ch]' \
	--include=Makefile --include=Kconfig --exclude='*' \
	"$TOP/drivers/misc/uacce/" "$out/src/"

options=(CONFIG_UACCE=m)
defines=(-DCONFIG_UACCE_MODULE=1)
if has IOMMU_SVA && has IOMMU_IOPF && has CONFIGFS_FS &&
	has ZLIB_DEFLATE && has ZLIB_INFLATE; then
	options+=(CONFIG_UACCE_SIM=m)
	defines+=(-DCONFIG_UACCE_SIM_MODULE=1)
else
	options+=(CONFIG_UACCE_SIM=n)
	say "the kernel in $KDIR lacks an option that the simulated accelerator" \
	    "needs (IOMMU_SVA, IOMMU_IOPF, CONFIGFS_FS, ZLIB_DEFLATE," \
	    "ZLIB_INFLATE); it is not built."
fi
if has PCI_MSI; then
	options+=(CONFIG_UACCE_VACCEL=m)
	defines+=(-DCONFIG_UACCE_VACCEL_MODULE=1)
else
	options+=(CONFIG_UACCE_VACCEL=n)
	say "the kernel in $KDIR has no MSI (PCI_MSI), so the driver of vaccel on" \
	    "PCI Express is not built."
fi

step "building the modules for Linux $version (under a minute)"
logged "$out/build.log" make -C "$KDIR" M="$out/src" -j"$JOBS" "${options[@]}" \
	NOSTDINC_FLAGS="-nostdinc -I$TOP/include -I$TOP/include/uapi" \
	KCFLAGS="${defines[*]}" modules || {
	grep -E 'error:|ERROR:|\*\*\* ' "$out/build.log" | head -n 20 >&2 || true
	die "building the modules failed; all of it is in $out/build.log"
}
find "$out/src" -name '*.ko' -exec mv -t "$out" {} +
say "Built: $(cd "$out" && echo *.ko) in $out"
