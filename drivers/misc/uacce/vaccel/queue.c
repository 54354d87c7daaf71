// SPDX-License-Identifier: GPL-2.0-only
/*
 * vaccel on PCI Express: the ops that the UACCE core calls.
 */
#include <linux/bitfield.h>
#include <linux/uaccess.h>

#include "vaccel.h"

#define VACCEL_START_US		1000000	/* only the user waits */
#define VACCEL_STOP_US		10000	/* every process that exits may wait */

/* Tell the user of a started queue that it will not go on, as the device cannot. */
void vaccel_queue_fail(struct vaccel_queue *q)
{
	lockdep_assert_held(&q->lock);

	if (!q->started || q->failed)
		return;

	q->failed = true;
	WRITE_ONCE(q->dus->error, cpu_to_le32(VACCEL_QERR_DEVICE));
	/* Who sees the state must see the reason. */
	smp_store_release(&q->dus->state, cpu_to_le32(VACCEL_STATE_ERROR));
	wake_up_interruptible(&q->uq->wait);
}

static u32 vaccel_queue_status(struct vaccel_queue *q)
{
	u32 status = VACCEL_STATE_STOPPED;	/* offline it is as after a reset */

	guard(spinlock)(&q->lock);

	if (READ_ONCE(q->vaccel->online))
		status = readl(q->regs + VACCEL_PCI_Q_STATUS);
	/* Pulled out? The core will hear of it, the user should at once. */
	if (PCI_POSSIBLE_ERROR(status))
		vaccel_queue_fail(q);

	return status;
}

/*
 * Wait until no command is under way; what is returned tells whether one still is, or
 * may be: that is so if it is no answer. To wait for that would not be worth while.
 */
static u32 vaccel_queue_wait(struct vaccel_queue *q, unsigned int timeout_us)
{
	u32 status;

	static_assert(VACCEL_PCI_QS_BUSY & PCI_ERROR_RESPONSE);
	read_poll_timeout(vaccel_queue_status, status,
			  !(status & VACCEL_PCI_QS_BUSY) || PCI_POSSIBLE_ERROR(status),
			  VACCEL_POLL_US, timeout_us, false, q);
	return status;
}

static void vaccel_queue_write(struct vaccel_queue *q, u32 val, unsigned int reg)
{
	guard(spinlock)(&q->lock);
	if (READ_ONCE(q->vaccel->online))
		writel(val, q->regs + reg);
}

static void vaccel_queue_reset(struct vaccel_queue *q)
{
	struct vaccel *vaccel = q->vaccel;

	vaccel_queue_write(q, VACCEL_PCI_CMD_RESET, VACCEL_PCI_Q_CMD);
	if (!(vaccel_queue_wait(q, VACCEL_RESET_US) & VACCEL_PCI_QS_BUSY))
		return;

	guard(mutex)(&vaccel->state_lock);
	/* It may have been reset by now, with all of the device. */
	if (!(vaccel_queue_status(q) & VACCEL_PCI_QS_BUSY))
		return;
	/* Rather no accelerator than one that writes to others' memory, or may. */
	WRITE_ONCE(vaccel->fatal, true);
	vaccel_cut_off_locked(vaccel);
	dev_err(&vaccel->pdev->dev,
		"queue %u does not stop, or answer; the device is cut off until it is reset\n",
		q->id);
}

/* See "Rules for stop_queue" in Documentation/misc-devices/uacce.rst. */
static void vaccel_stop_queue(struct uacce_queue *uq)
{
	struct vaccel_queue *q = uq->priv;

	vaccel_queue_write(q, VACCEL_PCI_CMD_STOP, VACCEL_PCI_Q_CMD);
	if (vaccel_queue_wait(q, VACCEL_STOP_US) & VACCEL_PCI_QS_BUSY)
		vaccel_queue_reset(q);
	/* It may be another process's before put is called: no mistake shall find it. */
	vaccel_queue_write(q, 0, VACCEL_PCI_Q_PASID);

	guard(spinlock)(&q->lock);
	q->started = false;
	q->failed = false;
	/* The device did this, unless it had to be reset. */
	WRITE_ONCE(q->dus->state, cpu_to_le32(VACCEL_STATE_STOPPED));
}

static unsigned int vaccel_queue_vector(struct vaccel_queue *q)
{
	return 1 + q->id % q->vaccel->nr_vectors;
}

/* All of it each time, as there may have been a reset meanwhile. */
static int vaccel_queue_program(struct vaccel_queue *q)
{
	struct vaccel *vaccel = q->vaccel;
	u32 pasid = 0;

	guard(spinlock)(&q->lock);

	if (READ_ONCE(vaccel->fatal))
		return -EIO;
	/* Pairs with vaccel_online(): START comes after ENABLE. */
	if (!smp_load_acquire(&vaccel->online))
		return -EAGAIN;

	if (vaccel->uacce->flags & UACCE_DEV_SVA)
		pasid = VACCEL_PCI_PASID_VALID | q->uq->pasid;
	writel(pasid, q->regs + VACCEL_PCI_Q_PASID);
	writel(vaccel_queue_vector(q), q->regs + VACCEL_PCI_Q_VECTOR);
	lo_hi_writeq(q->dus_dma, q->regs + VACCEL_PCI_Q_DUS);
	writel(VACCEL_PCI_CMD_START, q->regs + VACCEL_PCI_Q_CMD);
	q->started = true;
	q->lost = false;

	return 0;
}

/* A user who is quick can have brought it from RUNNING to ERROR: no matter. */
static bool vaccel_has_started(u32 status)
{
	u32 state = FIELD_GET(VACCEL_PCI_QS_STATE, status);

	if (status & VACCEL_PCI_QS_BUSY)
		return false;

	return state == VACCEL_STATE_RUNNING ||
	       (state == VACCEL_STATE_ERROR &&
		FIELD_GET(VACCEL_PCI_QS_ERROR, status) != VACCEL_QERR_DEVICE);
}

static int vaccel_start_queue(struct uacce_queue *uq)
{
	struct vaccel_queue *q = uq->priv;
	struct vaccel *vaccel = q->vaccel;
	bool lost;
	int ret;

	ret = vaccel_queue_program(q);
	if (ret)
		return ret;

	if (vaccel_has_started(vaccel_queue_wait(q, VACCEL_START_US)))
		return 0;

	/* The device may be the first to notice that it is being cut off: wait for that. */
	scoped_guard(mutex, &vaccel->state_lock)
		lost = q->lost;
	vaccel_stop_queue(uq);
	/* The user need not know whether the reset came before START or after it. */
	if (lost && !READ_ONCE(vaccel->fatal))
		return -EAGAIN;

	dev_warn_ratelimited(&vaccel->pdev->dev, "queue %u does not start\n", q->id);
	return -EIO;
}

static int vaccel_get_queue(struct uacce_device *uacce, unsigned long arg,
			    struct uacce_queue *uq)
{
	struct vaccel *vaccel = uacce->priv;
	struct vaccel_queue *q;
	int id;

	id = ida_alloc_max(&vaccel->ids, vaccel->nr_queues - 1, GFP_KERNEL);
	if (id < 0)
		return id == -ENOSPC ? -EBUSY : id;

	/* Zeroed, so that the next user does not see what the last one left. */
	q = &vaccel->queues[id];
	q->dus = dma_alloc_coherent(&vaccel->pdev->dev, VACCEL_DUS_SIZE, &q->dus_dma,
				    GFP_KERNEL);
	if (!q->dus) {
		ida_free(&vaccel->ids, id);
		return -ENOMEM;
	}

	uq->priv = q;
	WRITE_ONCE(q->uq, uq);
	return 0;
}

/* Stopped long ago, and mapped by nobody. RESET clears the doorbells, too. */
static void vaccel_put_queue(struct uacce_queue *uq)
{
	struct vaccel_queue *q = uq->priv;
	struct vaccel *vaccel = q->vaccel;

	vaccel_queue_reset(q);

	/* After this no interrupt handler uses uq->wait. */
	WRITE_ONCE(q->uq, NULL);
	synchronize_irq(pci_irq_vector(vaccel->pdev, vaccel_queue_vector(q)));

	dma_free_coherent(&vaccel->pdev->dev, VACCEL_DUS_SIZE, q->dus, q->dus_dma);
	ida_free(&vaccel->ids, q->id);
}

/* For poll(): beside anything else, and it must not sleep. */
static int vaccel_is_q_updated(struct uacce_queue *uq)
{
	struct vaccel_queue *q = uq->priv;
	u32 status = vaccel_queue_status(q);

	if (PCI_POSSIBLE_ERROR(status))
		status = VACCEL_STATE_STOPPED;
	guard(spinlock)(&q->lock);
	return q->failed || status & VACCEL_PCI_QS_PENDING ||
	       FIELD_GET(VACCEL_PCI_QS_STATE, status) == VACCEL_STATE_ERROR;
}

/* Of the doorbells the user sees those of its own queue. */
static_assert(PAGE_SIZE <= VACCEL_PCI_DB_STRIDE);

/*
 * All at once: there is no page fault handler. The doorbells stay mapped in a reset,
 * when nobody answers there. This is not for platforms that do not live through such
 * an access: see "Resets and suspending" in Documentation/misc-devices/uacce.rst.
 */
static int vaccel_mmap(struct uacce_queue *uq, struct vm_area_struct *vma,
		       struct uacce_qfile_region *qfr)
{
	struct vaccel_queue *q = uq->priv;
	struct pci_dev *pdev = q->vaccel->pdev;
	unsigned long size = vma->vm_end - vma->vm_start;
	phys_addr_t doorbells;

	if (qfr->type == UACCE_QFRT_DUS) {
		/* The number of the region; here it would be an offset. */
		vma->vm_pgoff = 0;
		return dma_mmap_coherent(&pdev->dev, vma, q->dus, q->dus_dma, size);
	}

	doorbells = pci_resource_start(pdev, VACCEL_PCI_BAR_DOORBELL) +
		    q->id * VACCEL_PCI_DB_STRIDE;
	vma->vm_page_prot = pgprot_noncached(vma->vm_page_prot);
	return io_remap_pfn_range(vma, vma->vm_start, PHYS_PFN(doorbells), size,
				  vma->vm_page_prot);
}

static long vaccel_ioctl(struct uacce_queue *uq, unsigned int cmd,
			 unsigned long arg)
{
	struct vaccel_queue *q = uq->priv;
	struct vaccel_info info = {
		.version = 1,
		.flags = uq->uacce->flags,
		.opcodes = q->vaccel->opcodes,
		.ring_entries = VACCEL_RING_ENTRIES,
		.max_len = VACCEL_MAX_LEN,
		.queue_id = q->id,
		.pasid = uq->pasid,
	};

	switch (cmd) {
	case VACCEL_CMD_KICK:
		/* Hardware sees its doorbells; there is nothing to wake. */
		if (uq->state != UACCE_Q_STARTED)
			return -EINVAL;
		return FIELD_GET(VACCEL_PCI_QS_STATE, vaccel_queue_status(q)) ==
		       VACCEL_STATE_RUNNING ? 0 : -EIO;
	case VACCEL_CMD_INFO:
		return copy_to_user((void __user *)arg, &info, sizeof(info)) ? -EFAULT : 0;
	default:
		return -ENOTTY;
	}
}

/* It may not be true any more when it is read, so no lock makes it better. */
static int vaccel_get_available_instances(struct uacce_device *uacce)
{
	struct vaccel *vaccel = uacce->priv;
	unsigned int i;
	int n = 0;

	for (i = 0; i < vaccel->nr_queues; i++)
		n += !READ_ONCE(vaccel->queues[i].uq);

	return n;
}

static enum uacce_dev_state vaccel_get_isolate_state(struct uacce_device *uacce)
{
	struct vaccel *vaccel = uacce->priv;

	return READ_ONCE(vaccel->fatal) ? UACCE_DEV_ISOLATE : UACCE_DEV_NORMAL;
}

const struct uacce_ops vaccel_ops = {
	.get_available_instances = vaccel_get_available_instances,
	.get_queue = vaccel_get_queue,
	.put_queue = vaccel_put_queue,
	.start_queue = vaccel_start_queue,
	.stop_queue = vaccel_stop_queue,
	.is_q_updated = vaccel_is_q_updated,
	.mmap = vaccel_mmap,
	.ioctl = vaccel_ioctl,
	.get_isolate_state = vaccel_get_isolate_state,
};
