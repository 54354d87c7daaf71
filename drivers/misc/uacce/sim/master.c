// SPDX-License-Identifier: GPL-2.0-only
/*
 * Simulated accelerator: its side of the IOMMU. Page requests of the queues, and
 * what the IOMMU has to tell.
 */
#include <linux/build_bug.h>
#include <linux/log2.h>
#include "iommu.h"
#include "sim.h"

/*
 * A page request is found again by its group id: the low bits are the number of
 * the queue, the others tell its requests apart. An answer that comes after the
 * queue was stopped, or was put and taken by somebody else, matches nothing and is
 * dropped.
 */
#define SIM_FAULT_QUEUE_BITS	ilog2(SIM_MAX_QUEUES)
#define SIM_FAULT_QUEUE_MASK	(SIM_MAX_QUEUES - 1)

/**
 * sim_fault_begin() - prepare a page request
 * @q: the queue that is about to make it
 *
 * Return: the request's group id
 */
u32 sim_fault_begin(struct sim_queue *q)
{
	struct sim_instance *inst = q->dev->inst;
	u32 grpid;

	BUILD_BUG_ON_NOT_POWER_OF_2(SIM_MAX_QUEUES);

	grpid = (u32)atomic_inc_return(&inst->fault_seq);
	grpid = (grpid << SIM_FAULT_QUEUE_BITS) | q->id;

	spin_lock(&inst->dev_lock);
	q->fault.grpid = grpid;
	WRITE_ONCE(q->fault.state, SIM_FAULT_PENDING);
	spin_unlock(&inst->dev_lock);

	return grpid;
}

/**
 * sim_fault_end() - the queue does not wait for its request any more
 * @q: the queue
 *
 * Return: true if the request was granted
 */
bool sim_fault_end(struct sim_queue *q)
{
	struct sim_instance *inst = q->dev->inst;
	bool granted;

	spin_lock(&inst->dev_lock);
	granted = q->fault.state == SIM_FAULT_GRANTED;
	WRITE_ONCE(q->fault.state, SIM_FAULT_NONE);
	spin_unlock(&inst->dev_lock);

	return granted;
}

static void sim_master_response(void *priv, u32 pasid, u32 grpid, bool success)
{
	u32 id = grpid & SIM_FAULT_QUEUE_MASK;
	struct sim_instance *inst = priv;
	struct sim_queue *q = NULL;

	spin_lock(&inst->dev_lock);
	if (inst->dev && id < inst->dev->nr_queues)
		q = inst->dev->queues[id];

	if (q && q->pasid == pasid && q->fault.grpid == grpid &&
	    q->fault.state == SIM_FAULT_PENDING) {
		WRITE_ONCE(q->fault.state,
			   success ? SIM_FAULT_GRANTED : SIM_FAULT_REFUSED);
		wake_up(&q->fault.wait);
	}
	spin_unlock(&inst->dev_lock);
}

static int sim_master_bind(void *priv)
{
	struct sim_instance *inst = priv;

	if (sim_inject(&inst->inject, SIM_POINT_BIND, NULL))
		return -EIO;

	sim_stat_inc(&inst->stats, SIM_STAT_BINDS);
	sim_stat_inc(&inst->stats, SIM_STAT_PASIDS);
	return 0;
}

/*
 * The UACCE core is to stop the queues of an address space before the IOMMU hears
 * of its end, and before it unbinds. Only look: what a queue does that was forgotten
 * is for its engine to find out.
 */
static void sim_master_check_stopped(struct sim_instance *inst, u32 pasid,
				     const char *what)
{
	struct sim_queue *q;
	unsigned int i;

	spin_lock(&inst->dev_lock);
	for (i = 0; inst->dev && i < inst->dev->nr_queues; i++) {
		q = inst->dev->queues[i];
		if (!q || q->pasid != pasid ||
		    READ_ONCE(q->state) == VACCEL_STATE_STOPPED)
			continue;

		sim_stat_inc(&inst->stats, SIM_STAT_RUNNING_AT_RELEASE);
		WARN(1, "%s: queue %u is started, and its PASID %u was %s\n",
		     inst->name, q->id, pasid, what);
	}
	spin_unlock(&inst->dev_lock);
}

static void sim_master_unbind(void *priv, u32 pasid)
{
	struct sim_instance *inst = priv;

	sim_master_check_stopped(inst, pasid, "unbound");
	sim_stat_inc(&inst->stats, SIM_STAT_UNBINDS);
	sim_stat_dec(&inst->stats, SIM_STAT_PASIDS);
}

static void sim_master_mm_released(void *priv, u32 pasid)
{
	struct sim_instance *inst = priv;

	sim_master_check_stopped(inst, pasid, "released");
	sim_stat_inc(&inst->stats, SIM_STAT_MM_RELEASES);
}

static void sim_master_invalidated(void *priv, u32 pasid, unsigned long start,
				   unsigned long end)
{
	struct sim_instance *inst = priv;

	/* Translations are not cached: every access goes through the page tables */
	sim_stat_inc(&inst->stats, SIM_STAT_INVALIDATIONS);
}

const struct sim_iommu_master_ops sim_master_ops = {
	.bind = sim_master_bind,
	.unbind = sim_master_unbind,
	.mm_released = sim_master_mm_released,
	.invalidated = sim_master_invalidated,
	.response = sim_master_response,
};
