#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""patch-qemu.py FROM TO: change a QEMU source tree so that it has the device vaccel
and an Intel IOMMU that shares address spaces with it. The files that are changed
are read below FROM and written below TO, where they differ. Without arguments:
print which files these are.

QEMU's intel_iommu has all that SVA takes, but versions before the one that has
the property "svm" do not offer it, and some of it assumes that no other thread
accesses memory meanwhile. Each change below is made in one place of the file and
says what it is for. If one cannot be made, as this QEMU looks different, that is
an error, unless this QEMU has "svm" and so does not depend on it, or it is about speed.
"""
import re
import sys
from pathlib import Path

IOMMU = "hw/i386/intel_iommu.c"
INTERNAL = "hw/i386/intel_iommu_internal.h"
CACHE = "accel/tcg/tb-jmp-cache.h"
BUILD = "meson.build"
MESON = "hw/misc/meson.build"
KCONFIG = "hw/misc/Kconfig"
FILES = [IOMMU, INTERNAL, BUILD, MESON, KCONFIG]
OPTIONAL = [CACHE]


class Tree:
    """Files of a tree, changed in memory until all went well"""

    def __init__(self, top):
        self.text = {name: (Path(top) / name).read_text() for name in FILES + OPTIONAL
                     if (Path(top) / name).exists()}
        missing = [name for name in FILES if name not in self.text]
        if missing:
            sys.exit(f"this source has no {missing[0]}.")

    def replace(self, name, pattern, new):
        """Replace the one place that matches. False if it is not just one."""
        text, n = re.subn(pattern, lambda m: new.replace("@1@", m[m.lastindex or 0]),
                          self.text.get(name, ""), flags=re.M)
        if n == 1:
            self.text[name] = text
        return n == 1

    def append(self, name, line):
        self.text[name] += line + "\n"

    def write(self, top):
        for name, text in self.text.items():
            path = Path(top) / name
            if not path.exists() or path.read_text() != text:
                path.write_text(text)


# What makes a QEMU without "svm" offer SVA: file, what it is for, pattern, new text
OFFER = [
    # PRS 29, NWFS 33, PDS 42, SMPWC 48
    (IOMMU, "offer page requests with first-stage translation",
     r"^    if \(s->pasid\) \{\n"
     r"        s->ecap \|= VTD_ECAP_PASID \| VTD_ECAP_PSS;\n",
     "@1@"
     "        if (s->flts && x86_iommu->dt_supported) {\n"
     "            s->ecap |= VTD_ECAP_PRS | 1ULL << 33 | 1ULL << 42 | 1ULL << 48;\n"
     "        }\n"),
    (IOMMU, "allow PASIDs together with a device IOTLB",
     r"if \(s->pasid && x86_iommu->dt_supported\) \{(?=\n\s*/\*\n\s*\* PASID-based-Device)",
     "if (false) {"),
    # Linux sets it when it unbinds. There is nothing to drain: requests are in
    # the guest's queue as soon as they are made.
    (INTERNAL, "take the page request drain bit of a wait descriptor",
     r"(#define VTD_INV_DESC_WAIT_RSVD_LO +0[xX])fffff?180ULL",
     "@1@fffff100ULL"),
]

# What else went wrong with a device that works in threads of its own
REPAIR = [
    # Linux may clear an entry while we look at it: a plain store would bring it
    # back. And an entry with A set still lacks D for a write.
    (IOMMU, "set A and D of a page table entry atomically",
     r"^    if \(pte & flag\) \{\n        return MEMTX_OK;\n    \}\n"
     r"    pte \|= flag;\n    pte = cpu_to_le64\(pte\);\n"
     r"    return dma_memory_write\(&address_space_memory,\n[^;]*;\n",
     "    dma_addr_t len = sizeof(pte);\n"
     "    uint64_t *entry, was = cpu_to_le64(pte);\n"
     "    bool done;\n\n"
     "    if ((pte & flag) == flag) {\n"
     "        return MEMTX_OK;\n"
     "    }\n"
     "    entry = dma_memory_map(&address_space_memory,\n"
     "                           base_addr + index * sizeof(pte), &len,\n"
     "                           DMA_DIRECTION_FROM_DEVICE,\n"
     "                           MEMTXATTRS_UNSPECIFIED);\n"
     "    if (!entry) {\n"
     "        return MEMTX_ERROR;\n"
     "    }\n"
     "    done = len == sizeof(pte) &&\n"
     "           qatomic_cmpxchg(entry, was, cpu_to_le64(pte | flag)) == was;\n"
     "    dma_memory_unmap(&address_space_memory, entry, len,\n"
     "                     DMA_DIRECTION_FROM_DEVICE, done ? len : 0);\n"
     "    /* MEMTX_DECODE_ERROR: it has changed, look again */\n"
     "    return done ? MEMTX_OK : MEMTX_DECODE_ERROR;\n"),
    (IOMMU, "look again at a page table entry that has changed",
     r"^        if \(vtd_set_flag_in_pte\(addr, offset, flpte, flag_ad\) != MEMTX_OK\) \{\n",
     "        switch (vtd_set_flag_in_pte(addr, offset, flpte, flag_ad)) {\n"
     "        case MEMTX_OK:\n"
     "            break;\n"
     "        case MEMTX_DECODE_ERROR:\n"
     "            continue;\n"
     "        default:\n"),
    # A fault of a translation request is told to the device, in the answer. It is
    # not for the log: page requests are what comes next.
    (IOMMU, "know a translation request from an access",
     r"entry = vtd_iommu_translate\(iommu, addr, flags, 0\);",
     "entry = vtd_iommu_translate(iommu, addr, flags, VTD_ATS);"),
    (IOMMU, "declare how to know them",
     r"^static bool vtd_do_iommu_translate\(VTDAddressSpace \*vtd_as, PCIBus \*bus,\n"
     r" *uint8_t devfn, hwaddr addr, bool is_write,\n",
     "/* Instead of an index of vtd_iommu_translate(): a translation request */\n"
     "#define VTD_ATS 1\n\n"
     "@1@"
     "                                   bool ats,\n"),
    (IOMMU, "pass on what it is",
     r"vtd_do_iommu_translate\(vtd_as, vtd_as->bus, vtd_as->devfn,\n *addr, flag & IOMMU_WO, ",
     "@1@iommu_idx == VTD_ATS, "),
    (IOMMU, "not report a translation request that finds no page",
     r"^    if \(ret_fr\) \{\n(?=        vtd_report_fault\(s, -ret_fr, is_fpd_set, source_id,\n"
     r" *addr, is_write, pasid != PCI_NO_PASID, pasid\);\n        goto error;)",
     "    if (ats && (ret_fr == -VTD_FR_FS_PAGING_ENTRY_P ||\n"
     "                ret_fr == -VTD_FR_FS_PAGING_ENTRY_US ||\n"
     "                ret_fr == -VTD_FR_SM_WRITE)) {\n"
     "        goto error;\n"
     "    }\n"
     "    if (ret_fr) {\n"),
    # The device has a cache of its own. With ours the page tables would not learn
    # that a page which was read before is now written to.
    (IOMMU, "answer a translation request from the page tables",
     r"if \(iotlb_entry\) \{(?=\n *trace_vtd_iotlb_page_hit[^}]*goto out;\n        \}\n    \}\n\n"
     r"    /\* Try to fetch context-entry)",
     "if (iotlb_entry && !ats) {"),
    (IOMMU, "leave an interrupt to the main loop if another thread raises it",
     r"^(    msi\.data = vtd_get_long_raw\(s, mesg_data_reg\);\n)"
     r"(?=\n    trace_vtd_irq_generate\(msi\.address, msi\.data\);)",
     "@1@"
     "    if (!bql_locked()) {\n"
     "        aio_bh_schedule_oneshot(qemu_get_aio_context(), vtd_send_msi_bh,\n"
     "                                g_memdup2(&msi, sizeof(msi)));\n"
     "        return;\n"
     "    }\n"),
    (IOMMU, "send such an interrupt",
     r"^static void vtd_generate_interrupt\(",
     "static void vtd_send_msi_bh(void *opaque)\n"
     "{\n"
     "    apic_get_class(NULL)->send_msi(opaque);\n"
     "    g_free(opaque);\n"
     "}\n\n"
     "@1@"),
]

# A kernel that checks everything returns from functions all the time, and a third of
# what QEMU does is to look for the translation of where to: a bit less in a cache that
# has room for them.
FASTER = [
    (CACHE, "have it find translated code sooner",
     r"(#define TB_JMP_CACHE_BITS )12$", "@1@14"),
]

# Debian's tarball comes without firmware, and the build would unpack some
FIRMWARE = [
    (BUILD, "not unpack firmware that is not there",
     r"unpack_edk2_blobs = bzip2\.found\(\)", "unpack_edk2_blobs = false"),
]


def main():
    if len(sys.argv) == 1:
        print("\n".join(FILES + OPTIONAL))
        return
    tree = Tree(sys.argv[1])
    svm = '"svm"' in tree.text[IOMMU]
    for change in FIRMWARE + ([] if svm else OFFER) + REPAIR + FASTER:
        name, what, pattern, new = change
        if tree.replace(name, pattern, new):
            continue
        message = f"{name} is not as expected: there is no way to {what}."
        if not svm and change not in FASTER:
            sys.exit(message)
        print(message, file=sys.stderr)
    tree.append(MESON, "subdir('vaccel')")
    tree.append(KCONFIG, "source vaccel/Kconfig")
    tree.write(sys.argv[2])


if __name__ == "__main__":
    main()
