// SPDX-License-Identifier: GPL-2.0-only
/*
 * Simulated accelerator: the ops that the UACCE core calls.
 */
#include <linux/cleanup.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include "sim.h"

/* An op of the driver is executing */
DEFINE_GUARD(sim_op, struct sim_device *,
	     sim_stat_inc(&_T->inst->stats, SIM_STAT_OPS_RUNNING),
	     sim_stat_dec(&_T->inst->stats, SIM_STAT_OPS_RUNNING))

static int sim_queue_claim(struct sim_queue *q)
{
	struct sim_device *dev = q->dev;
	unsigned int id;

	lockdep_assert_held(&dev->inst->dev_lock);

	for (id = 0; id < dev->nr_queues; id++) {
		if (!dev->queues[id]) {
			q->id = id;
			dev->queues[id] = q;
			dev->nr_used++;
			return 0;
		}
	}
	return -EBUSY;
}

static void sim_queue_free(struct sim_queue *q)
{
	struct sim_device *dev = q->dev;

	spin_lock(&dev->inst->dev_lock);
	dev->queues[q->id] = NULL;
	dev->nr_used--;
	spin_unlock(&dev->inst->dev_lock);

	sim_queue_free_buffers(q);
	vfree(q->dus);
	vfree(q->mmio);
	kfree(q);
}

static struct sim_queue *sim_queue_alloc(struct sim_device *dev,
					 struct uacce_queue *uq)
{
	struct sim_queue *q;
	int ret;

	q = kzalloc_obj(*q);
	if (!q)
		return ERR_PTR(-ENOMEM);

	q->dev = dev;
	q->uq = uq;
	q->sva = dev->uacce->flags & UACCE_DEV_SVA;
	q->pasid = q->sva ? uq->pasid : 0;
	init_waitqueue_head(&q->fault.wait);

	spin_lock(&dev->inst->dev_lock);
	ret = sim_queue_claim(q);
	spin_unlock(&dev->inst->dev_lock);
	if (ret) {
		kfree(q);
		return ERR_PTR(ret);
	}

	q->mmio = vmalloc_user(PAGE_ALIGN(VACCEL_MMIO_SIZE));
	q->dus = vmalloc_user(PAGE_ALIGN(VACCEL_DUS_SIZE));
	if (!q->mmio || !q->dus) {
		sim_queue_free(q);
		return ERR_PTR(-ENOMEM);
	}

	sim_engine_init(q);
	return q;
}

static int sim_get_queue(struct uacce_device *uacce, unsigned long arg,
			 struct uacce_queue *uq)
{
	struct sim_device *dev = uacce->priv;
	struct sim_instance *inst = dev->inst;
	struct sim_queue *q;

	guard(sim_op)(dev);

	if (sim_inject(&inst->inject, SIM_POINT_GET_QUEUE, NULL))
		return -EBUSY;

	q = sim_queue_alloc(dev, uq);
	if (IS_ERR(q))
		return PTR_ERR(q);

	uq->priv = q;
	sim_stat_inc(&inst->stats, SIM_STAT_GETS);
	sim_stat_inc(&inst->stats, SIM_STAT_QUEUES);
	return sim_inject_success(&inst->inject);
}

/* The core has stopped the queue, and nobody maps its regions any more */
static void sim_put_queue(struct uacce_queue *uq)
{
	struct sim_queue *q = uq->priv;
	struct sim_instance *inst = q->dev->inst;

	guard(sim_op)(q->dev);

	sim_inject(&inst->inject, SIM_POINT_PUT_QUEUE, NULL);

	uq->priv = NULL;
	sim_queue_free(q);
	sim_stat_dec(&inst->stats, SIM_STAT_QUEUES);
	sim_stat_inc(&inst->stats, SIM_STAT_PUTS);
}

static int sim_start_queue(struct uacce_queue *uq)
{
	struct sim_queue *q = uq->priv;
	struct sim_instance *inst = q->dev->inst;

	guard(sim_op)(q->dev);

	if (sim_inject(&inst->inject, SIM_POINT_START, NULL))
		return -EIO;

	sim_engine_start(q);
	sim_stat_inc(&inst->stats, SIM_STAT_RUNNING);
	sim_stat_inc(&inst->stats, SIM_STAT_STARTS);
	return sim_inject_success(&inst->inject);
}

/*
 * This may be called while an address space ends, and even on the page fault worker
 * of the IOMMU core. So the engine is told to give up what it is doing, which
 * takes it no longer than a page; and a page request that it waits for is
 * forgotten, not waited for: the answer might be behind us on the same worker.
 */
static void sim_stop_queue(struct uacce_queue *uq)
{
	struct sim_queue *q = uq->priv;
	struct sim_instance *inst = q->dev->inst;

	guard(sim_op)(q->dev);

	sim_inject(&inst->inject, SIM_POINT_STOP, NULL);

	sim_engine_stop(q);
	sim_stat_dec(&inst->stats, SIM_STAT_RUNNING);
	sim_stat_inc(&inst->stats, SIM_STAT_STOPS);
}

static int sim_is_q_updated(struct uacce_queue *uq)
{
	struct sim_queue *q = uq->priv;

	guard(sim_op)(q->dev);

	return sim_engine_updated(q);
}

/* Not used, as the core puts its own in place of them. */
static const struct vm_operations_struct sim_vm_ops = {};

/*
 * All pages are mapped at once: the core has its own vm_ops, so there is no fault
 * handler that could bring in one later.
 */
static int sim_mmap(struct uacce_queue *uq, struct vm_area_struct *vma,
		    struct uacce_qfile_region *qfr)
{
	struct sim_queue *q = uq->priv;
	int ret;

	guard(sim_op)(q->dev);

	if (sim_inject(&q->dev->inst->inject, SIM_POINT_MMAP, NULL))
		return -ENOMEM;

	switch (qfr->type) {
	case UACCE_QFRT_MMIO:
		ret = remap_vmalloc_range(vma, q->mmio, 0);
		break;
	case UACCE_QFRT_DUS:
		ret = remap_vmalloc_range(vma, q->dus, 0);
		break;
	default:
		ret = -EINVAL;
	}

	/*
	 * Drivers leave things there, if only by way of the DMA API, and need not
	 * know which flags the core wants: it has to see to all of it.
	 */
	vma->vm_ops = &sim_vm_ops;
	vma->vm_private_data = q;
	vma->vm_pgoff = 0;
	vm_flags_clear(vma, VM_IO | VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP);

	return ret ?: sim_inject_success(&q->dev->inst->inject);
}

static long sim_ioctl_info(struct sim_queue *q, void __user *arg)
{
	struct vaccel_info info = {
		.version = 1,
		.flags = q->sva ? UACCE_DEV_SVA : 0,
		.opcodes = BIT(VACCEL_OP_NOP) | BIT(VACCEL_OP_COPY) |
			   BIT(VACCEL_OP_FILL) | BIT(VACCEL_OP_CRC32) |
			   BIT(VACCEL_OP_COMPRESS) | BIT(VACCEL_OP_DECOMPRESS),
		.ring_entries = VACCEL_RING_ENTRIES,
		.max_len = VACCEL_MAX_LEN,
		.queue_id = q->id,
		.pasid = q->pasid,
	};

	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

static long sim_ioctl(struct uacce_queue *uq, unsigned int cmd,
		      unsigned long arg)
{
	struct sim_queue *q = uq->priv;
	struct sim_inject *inject = &q->dev->inst->inject;

	guard(sim_op)(q->dev);

	switch (cmd) {
	case VACCEL_CMD_KICK:
		sim_inject(inject, SIM_POINT_IOCTL, NULL);
		return sim_engine_kick(q);
	case VACCEL_CMD_INFO:
		sim_inject(inject, SIM_POINT_IOCTL, NULL);
		return sim_ioctl_info(q, (void __user *)arg);
	default:
		return -ENOTTY;
	}
}

static int sim_get_available_instances(struct uacce_device *uacce)
{
	struct sim_device *dev = uacce->priv;
	int n;

	spin_lock(&dev->inst->dev_lock);
	n = dev->nr_queues - dev->nr_used;
	spin_unlock(&dev->inst->dev_lock);

	return n;
}

static enum uacce_dev_state sim_get_isolate_state(struct uacce_device *uacce)
{
	struct sim_device *dev = uacce->priv;

	return READ_ONCE(dev->inst->isolated) ? UACCE_DEV_ISOLATE :
						UACCE_DEV_NORMAL;
}

static int sim_isolate_err_threshold_write(struct uacce_device *uacce, u32 num)
{
	struct sim_device *dev = uacce->priv;

	WRITE_ONCE(dev->inst->isolate_threshold, num);
	return 0;
}

static u32 sim_isolate_err_threshold_read(struct uacce_device *uacce)
{
	struct sim_device *dev = uacce->priv;

	return READ_ONCE(dev->inst->isolate_threshold);
}

/* Each op is optional. */
const struct uacce_ops sim_bare_ops = {};

const struct uacce_ops sim_uacce_ops = {
	.get_available_instances = sim_get_available_instances,
	.get_queue = sim_get_queue,
	.put_queue = sim_put_queue,
	.start_queue = sim_start_queue,
	.stop_queue = sim_stop_queue,
	.is_q_updated = sim_is_q_updated,
	.mmap = sim_mmap,
	.ioctl = sim_ioctl,
	.get_isolate_state = sim_get_isolate_state,
	.isolate_err_threshold_write = sim_isolate_err_threshold_write,
	.isolate_err_threshold_read = sim_isolate_err_threshold_read,
};
