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

/* Bytes of BAR 2 for each queue; the driver wants no page to be larger */
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

#define VACCEL_PCI_STATUS_FATAL	0x1		/* only a reset helps */

/* MSI-X vector that is raised when the device becomes FATAL */
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

#endif /* _UACCE_VACCEL_REGS_H */
