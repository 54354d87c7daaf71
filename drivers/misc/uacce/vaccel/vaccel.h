/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * uacce_vaccel: driver of vaccel on PCI Express, and the one to copy from.
 *
 * pci.c is the life of the function: probe, resets, power, remove. queue.c is the
 * life of a queue: the ops that the UACCE core calls. The hardware is described in
 * Documentation/misc-devices/uacce-vaccel-pci.rst.
 *
 * The core calls get, start, stop, put and ioctl of one queue one at a time. They
 * run beside those of other queues, beside mmap and is_q_updated, and beside the
 * callbacks of the PCI core, of which there is one at a time (device lock).
 *
 * There is a lock for each queue, and one for the state of the device. Each is held
 * for a few accesses to memory and registers, never while somebody waits for the
 * device. So no queue waits for another one, and what stops the queues of a dying
 * process waits for no reset.
 */
#ifndef _UACCE_VACCEL_H
#define _UACCE_VACCEL_H

#include <linux/idr.h>
#include <linux/io-64-nonatomic-lo-hi.h>
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

/**
 * enum vaccel_state - may the registers be accessed?
 * @VACCEL_OFFLINE: no, they may not be there. The device accesses no memory.
 * @VACCEL_QUIESCING: yes, but nothing can be started
 * @VACCEL_ONLINE: yes
 */
enum vaccel_state {
	VACCEL_OFFLINE,
	VACCEL_QUIESCING,
	VACCEL_ONLINE,
};

/**
 * struct vaccel_queue - a hardware queue; exists as long as the driver is bound
 * @vaccel: the device
 * @regs: its registers
 * @id: its number
 * @vector: the MSI-X vector that it raises
 * @uq: who has it, or NULL; the interrupt handler reads this without a lock
 * @dus: the DUS region, from get to put
 * @dus_dma: the same as the device sees it
 * @lock: protects the next two, and the way to the registers: who holds it and
 *	  finds the device not offline may access them
 * @started: between start and stop
 * @failed: started, but what it did was lost in a reset
 */
struct vaccel_queue {
	struct vaccel *vaccel;
	void __iomem *regs;
	unsigned int id;
	unsigned int vector;
	struct uacce_queue *uq;
	void *dus;
	dma_addr_t dus_dma;
	spinlock_t lock; /* see above */
	bool started;
	bool failed;
};

/**
 * struct vaccel - a PCI function that is an accelerator
 * @pdev: the function
 * @uacce: the accelerator
 * @ctrl: BAR 0
 * @opcodes: what it can do, as in &struct vaccel_info
 * @state_lock: held while the device is put in service or taken out of it, which
 *		takes a few accesses. Who only wants to know @state, @cut_offs or @fatal
 *		does without.
 * @state: enum vaccel_state
 * @cut_offs: how often @state has become VACCEL_OFFLINE; written before that
 * @fatal: it failed, and was not reset since
 * @ids: numbers of the queues in use
 * @nr_vectors: MSI-X vectors of the queues, which share them evenly
 * @nr_queues: number of elements of @queues
 * @queues: all that the hardware has
 */
struct vaccel {
	struct pci_dev *pdev;
	struct uacce_device *uacce;
	void __iomem *ctrl;
	u64 opcodes;
	struct mutex state_lock; /* see above */
	enum vaccel_state state;
	unsigned int cut_offs;
	bool fatal;
	struct ida ids;
	unsigned int nr_vectors;
	unsigned int nr_queues;
	struct vaccel_queue queues[] __counted_by(nr_queues);
};

/* pci.c */
bool vaccel_give_up(struct vaccel *vaccel, unsigned int cut_offs);

/* queue.c */
extern const struct uacce_ops vaccel_ops;
bool vaccel_queue_wait_idle(struct vaccel_queue *q, unsigned int timeout_us);
void vaccel_queue_fail(struct vaccel_queue *q);

#endif /* _UACCE_VACCEL_H */
