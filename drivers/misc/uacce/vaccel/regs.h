/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Registers of vaccel on PCI Express, as its driver sees them.
 *
 * Documentation/misc-devices/uacce-vaccel-pci.rst is the specification. What the
 * users of a queue see (rings, doorbells) is in <uapi/misc/uacce/vaccel.h>. The
 * model of the device is compiled from this file as well: nothing but numbers
 * may be in here.
 */
#ifndef _UACCE_VACCEL_REGS_H
#define _UACCE_VACCEL_REGS_H

#define VACCEL_PCI_VENDOR	0x1234		/* QEMU's */
#define VACCEL_PCI_DEVICE	0xacce

#define VACCEL_PCI_BAR_CTRL	0		/* what follows, for the driver */
#define VACCEL_PCI_BAR_DOORBELL	2		/* a piece for each queue, for its user */
#define VACCEL_PCI_BAR_MSIX	4

/* Bytes of BAR 2 for each queue: a page on any machine */
#define VACCEL_PCI_DB_STRIDE	0x10000

/*
 * BAR 0: registers of the device. 32 bits wide, those marked 64 have a second
 * half 4 bytes further on.
 */
#define VACCEL_PCI_ID		0x00		/* RO, 64: VACCEL_ID */
#define VACCEL_PCI_QUEUES	0x08		/* RO: number of queues */
#define VACCEL_PCI_CTRL		0x0c		/* RW: VACCEL_PCI_CTRL_* */
#define VACCEL_PCI_OPCODES	0x10		/* RO, 64: as in vaccel_info */
#define VACCEL_PCI_STATUS	0x18		/* RO: VACCEL_PCI_STATUS_* */

#define VACCEL_PCI_CTRL_ENABLE	0x1		/* off: every queue is reset */

#define VACCEL_PCI_STATUS_FATAL	0x1		/* only a reset of the function helps */

/* MSI-X vector that reports a change of VACCEL_PCI_STATUS */
#define VACCEL_PCI_VECTOR_DEVICE	0

/* BAR 0: registers of queue n */
#define VACCEL_PCI_QUEUE(n)	(0x1000 + (n) * 0x40)
#define VACCEL_PCI_MAX_QUEUES	256

#define VACCEL_PCI_Q_CMD	0x00		/* WO: VACCEL_PCI_CMD_* */
#define VACCEL_PCI_Q_STATUS	0x04		/* RO: VACCEL_PCI_QS_* */
#define VACCEL_PCI_Q_PASID	0x08		/* RW: VACCEL_PCI_PASID_VALID | PASID */
#define VACCEL_PCI_Q_VECTOR	0x0c		/* RW: MSI-X vector */
#define VACCEL_PCI_Q_DUS	0x10		/* RW, 64: bus address of the DUS region */

#define VACCEL_PCI_CMD_START	1
#define VACCEL_PCI_CMD_STOP	2
#define VACCEL_PCI_CMD_RESET	3

#define VACCEL_PCI_QS_STATE	0x00000003	/* VACCEL_STATE_* */
#define VACCEL_PCI_QS_BUSY	0x00000010	/* START, STOP or RESET under way */
#define VACCEL_PCI_QS_PENDING	0x00000020	/* completions not acknowledged */
#define VACCEL_PCI_QS_ERROR	0x0000ff00	/* VACCEL_QERR_* */

#define VACCEL_PCI_PASID_VALID	0x80000000	/* off: a queue without SVA */
#define VACCEL_PCI_PASID_MASK	0x000fffff

/*
 * BAR 0: diagnostics, for tests and not for drivers. Counters are RO and begin
 * anew with VACCEL_DIAG_CLEAR. They and the holds survive resets.
 */
#define VACCEL_DIAG		0x8000
#define VACCEL_DIAG_ACTION	0x8000		/* WO: one of these: */
#define VACCEL_DIAG_CLEAR		1	/* counters, holds, fails, limit to 0 */
#define VACCEL_DIAG_FATAL		2	/* the device fails */
#define VACCEL_DIAG_VANISH		3	/* it is gone without a word; a bus reset helps */
#define VACCEL_DIAG_UNPLUG		4	/* somebody wants it out, and in again later */
#define VACCEL_DIAG_AER_NONFATAL	5	/* AER reports an error, not a fatal one */
#define VACCEL_DIAG_AER_FATAL		6	/* AER reports a fatal one */
#define VACCEL_DIAG_AER_LINK		7	/* and VANISH, until the next reset of the bus */
#define VACCEL_DIAG_AER_LOST		8	/* and VANISH, until the second one */
#define VACCEL_DIAG_LIMIT	0x8004		/* RW: shown in QUEUES if not 0 */

/* What must never happen */
#define VACCEL_DIAG_DMA_STOPPED	0x8010		/* access for a queue that is stopped */
#define VACCEL_DIAG_DMA_RETIRED	0x8014		/* translation for a PASID given up */
#define VACCEL_DIAG_DMA_STALE	0x8018		/* use of what was invalidated */

#define VACCEL_DIAG_RUNNING	0x8020		/* queues RUNNING or BUSY now */
#define VACCEL_DIAG_STARTS	0x8024
#define VACCEL_DIAG_STOPS	0x8028
#define VACCEL_DIAG_RESETS	0x802c		/* of the function */
#define VACCEL_DIAG_DESCRIPTORS	0x8030
#define VACCEL_DIAG_COMPLETIONS	0x8034
#define VACCEL_DIAG_ERRORS	0x8038		/* completions other than OK and MORE */
#define VACCEL_DIAG_QUEUE_ERRORS 0x803c
#define VACCEL_DIAG_TRANSLATIONS 0x8040		/* asked of the IOMMU */
#define VACCEL_DIAG_CACHE_HITS	0x8044		/* found on the device */
#define VACCEL_DIAG_PAGE_REQUESTS 0x8048
#define VACCEL_DIAG_PAGE_REFUSED 0x804c		/* of these, answered with a no */
#define VACCEL_DIAG_PAGE_RETRIES 0x8050		/* repeated: the IOMMU had no room */
#define VACCEL_DIAG_PAGE_IN_FLIGHT 0x8054	/* now */
#define VACCEL_DIAG_PAGE_MOST	0x8058		/* the most there were at a time */
#define VACCEL_DIAG_INVALIDATIONS 0x805c	/* by the IOMMU, of what was cached */
#define VACCEL_DIAG_IN_VAIN	0x8060		/* accesses to BAR 0 while it was gone */

/* Points where the device can be held up, three registers each */
#define VACCEL_DIAG_HOLD(point)	(0x8100 + (point) * 0x10)	/* RW: next n, -1: all, 0: none */
#define VACCEL_DIAG_HELD(point)	(0x8104 + (point) * 0x10)	/* RO: held now */
#define VACCEL_DIAG_FAIL(point)	(0x8108 + (point) * 0x10)	/* RW: fail the next n, -1: all */
#define VACCEL_DIAG_ENGINE	0	/* a descriptor is about to be taken; fails: QERR_DEVICE */
#define VACCEL_DIAG_DMA		1	/* in an access to memory, between two pages */
#define VACCEL_DIAG_PAGE	2	/* a page answer is about to be used; fails: refused */
#define VACCEL_DIAG_STOP	3	/* STOP is about to be over; RESET does not wait for this */
#define VACCEL_DIAG_RESET	4	/* RESET is about to be over, if it had something to end */
#define VACCEL_DIAG_POINTS	5

#endif /* _UACCE_VACCEL_REGS_H */
