// SPDX-License-Identifier: GPL-2.0-only
/*
 * Simulated accelerator: access to the memory that descriptors name.
 *
 * With SVA this goes through the software IOMMU, page by page. A page that is not
 * there is asked for with a page request and then tried again, as a device with PCI
 * PRI does. Without SVA it is a copy from or to the queue's data area.
 */
#include <linux/delay.h>
#include <linux/mm.h>
#include "iommu.h"
#include "sim.h"

/*
 * How often a page is tried after it was granted. It can be reclaimed in between,
 * so more than once; some mappings (device memory) are granted but never become
 * accessible, so not for ever.
 */
#define SIM_DMA_TRIES		100
/* After so many tries in a row, leave the machine some time for its trouble */
#define SIM_DMA_TRIES_FAST	10

struct sim_access {
	struct sim_job *job;
	u64 addr;
	void *buf;
	size_t len;
	bool write;
};

/* Return: 0 if the page was granted, -EFAULT if not, -ENOMEM, -ECANCELED */
static int sim_dma_fault(struct sim_access *a)
{
	struct sim_queue *q = a->job->q;
	struct sim_instance *inst = q->dev->inst;
	struct sim_fault *fault = &q->fault;
	bool granted;
	u32 grpid;
	int ret;

	grpid = sim_fault_begin(q);
	sim_stat_inc(&inst->stats, SIM_STAT_PAGE_FAULTS);

	ret = sim_iommu_fault(inst->master, q->pasid, a->addr, a->write, grpid);
	if (!ret)
		wait_event_idle(fault->wait,
				READ_ONCE(fault->state) != SIM_FAULT_PENDING ||
				sim_queue_aborted(q));

	/* From here on an answer is dropped */
	granted = sim_fault_end(q);

	if (!sim_queue_aborted(q) &&
	    sim_inject(&inst->inject, SIM_POINT_PAGE_RESPONSE, &q->abort))
		granted = false;
	if (sim_queue_aborted(q))
		return -ECANCELED;

	if (granted)
		return 0;

	sim_stat_inc(&inst->stats, SIM_STAT_PAGE_FAULTS_FAILED);
	/* Not even asked, for lack of memory or as too many are unanswered */
	if (ret == -ENOMEM || ret == -EBUSY)
		return -ENOMEM;
	return -EFAULT;
}

/* The PASID that a started queue works with is gone: somebody forgot to stop it */
static void sim_dma_warn_released(struct sim_queue *q, ssize_t err)
{
	struct sim_instance *inst = q->dev->inst;

	sim_stat_inc(&inst->stats, SIM_STAT_DMA_AFTER_RELEASE);
	WARN(1, "%s: DMA for queue %u with PASID %u, whose address space is gone (%zd)\n",
	     inst->name, q->id, q->pasid, err);
}

/* The address was checked before the job began */
static ssize_t sim_dma_try_local(struct sim_access *a, size_t len)
{
	void *mem = a->job->q->dus + a->addr;

	if (a->write)
		memcpy(mem, a->buf, len);
	else
		memcpy(a->buf, mem, len);
	/* The user can change the memory meanwhile: what counts is the copy */
	barrier();
	return len;
}

static ssize_t sim_dma_try_sva(struct sim_access *a, size_t len)
{
	struct sim_queue *q = a->job->q;
	struct sim_iommu_master *master = q->dev->inst->master;
	ssize_t ret;

	if (a->write)
		ret = sim_iommu_write(master, q->pasid, a->addr, a->buf, len);
	else
		ret = sim_iommu_read(master, q->pasid, a->addr, a->buf, len);

	if (ret == -EOWNERDEAD || ret == -ESRCH)
		sim_dma_warn_released(q, ret);
	return ret;
}

static ssize_t sim_dma_try(struct sim_access *a, size_t len)
{
	sim_engine_check_started(a->job->q);

	return a->job->q->sva ? sim_dma_try_sva(a, len) :
				sim_dma_try_local(a, len);
}

/* As much of the access as lies in one page */
static int sim_dma_page(struct sim_access *a)
{
	size_t todo = min(a->len, PAGE_SIZE - offset_in_page(a->addr));
	struct sim_queue *q = a->job->q;
	unsigned int tries = 0;
	ssize_t done;
	int ret;

	while (todo) {
		if (sim_queue_aborted(q))
			return -ECANCELED;

		done = sim_dma_try(a, todo);
		if (done > 0) {
			a->addr += done;
			a->buf += done;
			a->len -= done;
			todo -= done;
			tries = 0;
			continue;
		}
		if (done < 0 && done != -EFAULT)
			return -EFAULT;
		if (++tries > SIM_DMA_TRIES)
			return -EFAULT;
		if (tries > SIM_DMA_TRIES_FAST)
			fsleep(1000);

		ret = sim_dma_fault(a);
		if (ret)
			return ret;
	}
	return 0;
}

static int sim_dma(struct sim_access *a)
{
	struct sim_job *job = a->job;
	struct sim_queue *q = job->q;
	int ret;

	while (a->len) {
		ret = sim_dma_page(a);
		if (ret == -EFAULT) {
			job->result = a->addr;
			return sim_job_end(job, a->write ?
					   VACCEL_ST_FAULT_WRITE :
					   VACCEL_ST_FAULT_READ);
		}
		if (ret == -ENOMEM)
			return sim_job_end(job, VACCEL_ST_INTERNAL);
		if (ret)
			return ret;

		/* No reference to the address space is held here */
		if (a->len)
			sim_inject(&q->dev->inst->inject, SIM_POINT_DMA,
				   &q->abort);
		cond_resched();
	}
	return 0;
}

/**
 * sim_dma_read() - read from the source of a job
 * @job: the job
 * @offset: from the start of the source
 * @buf: where to
 * @len: how much; does not go beyond the end of the source
 *
 * Return: 0, SIM_JOB_DONE after a fault, -ECANCELED
 */
int sim_dma_read(struct sim_job *job, u32 offset, void *buf, size_t len)
{
	struct sim_access a = {
		.job = job,
		.addr = job->src + offset,
		.buf = buf,
		.len = len,
	};

	return sim_dma(&a);
}

/**
 * sim_dma_write() - write to the destination of a job
 * @job: the job
 * @offset: from the start of the destination
 * @buf: where from
 * @len: how much; does not go beyond the end of the destination
 *
 * Return: 0, SIM_JOB_DONE after a fault, -ECANCELED
 */
int sim_dma_write(struct sim_job *job, u32 offset, void *buf, size_t len)
{
	struct sim_access a = {
		.job = job,
		.addr = job->dst + offset,
		.buf = buf,
		.len = len,
		.write = true,
	};

	return sim_dma(&a);
}
