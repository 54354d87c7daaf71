/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * uacce_vaccel: driver of vaccel on PCI Express, and the one to copy from.
 *
 * pci.c is the life of the function: probe, resets, power, remove. queue.c is the
 * life of a queue: the ops that the UACCE core calls. The hardware, and why the driver
 * does some things as it does, is in Documentation/misc-devices/uacce-vaccel-pci.rst.
 *
 * The core calls get, start, stop, put and ioctl of one queue one at a time. They
 * run beside those of other queues, beside mmap and is_q_updated, and beside the
 * callbacks of the PCI core, of which there is one at a time (device lock).
 *
 * There is a lock for each queue, and one for cutting the device off, which is taken
 * first. Each is held for some accesses to memory and registers, never while somebody
 * waits for the device. So no queue waits for another one, and what stops the queues
 * of a dying process waits for no reset.
 */
#ifndef _UACCE_VACCEL_H
#define _UACCE_VACCEL_H

#include <linux/cleanup.h>
#include <linux/dma-mapping.h>
#include <linux/idr.h>
#include <linux/interrupt.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/iopoll.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/spinlock.h>
#include <linux/uacce.h>
#include <uapi/misc/uacce/vaccel.h>

#include "regs.h"

/*
 * How long a queue may take to be reset before the device counts as broken. It is
 * done after microseconds; but if it is a model, its machine may be busy.
 */
#define VACCEL_RESET_US		500000
#define VACCEL_POLL_US		20

/* A hardware queue; exists as long as the driver is bound */
struct vaccel_queue {
	struct vaccel *vaccel;
	void __iomem *regs;
	unsigned int id;
	struct uacce_queue *uq;	/* who has it; interrupts read this without a lock */
	struct vaccel_ctrl *dus; /* the DUS region, from get to put, ... */
	dma_addr_t dus_dma;	/* ... and as the device sees it */
	/*
	 * Who holds this and finds the device online may access the registers. It
	 * also protects what follows.
	 */
	spinlock_t lock;
	bool started;		/* between start and stop */
	bool failed;		/* started, but the device will not go on with it */
	bool lost;		/* it was cut off since it was programmed */
};

/* A PCI function that is an accelerator */
struct vaccel {
	struct pci_dev *pdev;
	struct uacce_device *uacce;
	void __iomem *ctrl;	/* BAR 0 */
	u64 opcodes;		/* what it can do, as in struct vaccel_info */
	struct mutex state_lock; /* held while the device is cut off and its queues fail */
	bool online;		/* or the registers may not be there, and it has no memory */
	bool fatal;		/* it failed; no reset was since, or is to come by itself */
	bool recovering;	/* AER has a reset under way: wait for its end */
	struct pci_saved_state *saved;	/* the configuration, as probe left it */
	struct ida ids;		/* numbers of the queues in use */
	unsigned int nr_vectors; /* of the queues, which share them evenly */
	unsigned int nr_queues;
	struct vaccel_queue queues[] __counted_by(nr_queues);
};

/* pci.c */
void vaccel_cut_off_locked(struct vaccel *vaccel);

/* queue.c */
extern const struct uacce_ops vaccel_ops;
void vaccel_queue_fail(struct vaccel_queue *q);

#endif /* _UACCE_VACCEL_H */
