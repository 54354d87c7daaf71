// SPDX-License-Identifier: GPL-2.0-only
/*
 * vaccel: access to memory. Rings and the buffers of queues without SVA are
 * accessed untranslated and without a PASID, the buffers of queues with SVA by the
 * queue's translation cache.
 *
 * Every access goes through vaccel_dma_check(), which counts those that must not
 * be and knows nothing of how they are prevented.
 */
#include "vaccel.h"

/*
 * How often a page is asked for that was granted. It can be taken away again in
 * between, so more than once; not all that is granted becomes accessible, so not
 * for ever.
 */
#define VACCEL_TRIES		100
/* After so many in a row, leave the system some time for its trouble */
#define VACCEL_TRIES_FAST	10

/* Memory only: a device that reads the registers of another has no business here */
static const MemTxAttrs vaccel_attrs = { .memory = 1 };

struct vaccel_access {
	struct vaccel_job *job;
	uint64_t base;		/* of the buffer */
	uint64_t addr;
	uint64_t end;		/* of what is accessed for sure, later or now */
	uint8_t *buf;
	uint32_t len;
	bool write;
};

static void vaccel_dma_check(struct vaccel_queue *q)
{
	bool stopped;

	qemu_mutex_lock(&q->lock);
	stopped = q->state == VACCEL_STATE_STOPPED && !vaccel_queue_busy(q);
	qemu_mutex_unlock(&q->lock);
	if (stopped)
		vaccel_count(q->dev, DMA_STOPPED);
}

/**
 * vaccel_dma_begin() - a new descriptor begins
 * @q: the queue
 */
void vaccel_dma_begin(struct vaccel_queue *q)
{
	q->ahead = 1;
	q->refused_n = 0;
}

/*
 * QEMU looks at the same, but not for all of what we do, and it lets other threads go
 * on for a moment: what was refused here must not be told by an access there.
 */
static bool vaccel_is_master(struct vaccel_dev *d)
{
	return pci_get_word(PCI_DEVICE(d)->config + PCI_COMMAND) &
	       PCI_COMMAND_MASTER;
}

/*
 * QEMU takes the BQL for what is not plain memory in this direction, such as ROM that is
 * written to, and who has the BQL may be waiting for us. So none of that is accessed. (In
 * between the guest can have made ROM of it, by a register of its chipset. Then it is a
 * guest that does so under the hands of its devices.)
 *
 * Return: 0, or -EFAULT
 */
static int vaccel_dma_rw(AddressSpace *as, hwaddr addr, void *buf, hwaddr len,
			 bool write)
{
	hwaddr part, offset;
	MemoryRegion *mr;

	/* Data before what tells of it, and what told of it before data */
	smp_mb();
	RCU_READ_LOCK_GUARD();
	for (; len; len -= part, addr += part, buf += part) {
		part = len;
		mr = address_space_translate(as, addr, &offset, &part, write,
					     vaccel_attrs);
		if (!memory_access_is_direct(mr, write, vaccel_attrs) ||
		    address_space_rw(as, addr, vaccel_attrs, buf, part, write) !=
		    MEMTX_OK)
			return -EFAULT;
	}
	return 0;
}

/**
 * vaccel_dma_ring() - access the DUS region
 * @q: the queue
 * @offset: in the region
 * @buf: from or to
 * @len: bytes
 * @write: write to the region
 *
 * Return: 0, -EFAULT, -ECANCELED if the device is not to access memory any more
 */
int vaccel_dma_ring(struct vaccel_queue *q, uint64_t offset, void *buf,
		    size_t len, bool write)
{
	/* In a STOP the control page is still written, in a RESET nothing is */
	if (qatomic_read(&q->resetting))
		return -ECANCELED;
	if (!vaccel_is_master(q->dev))
		return -EFAULT;
	vaccel_dma_check(q);
	return vaccel_dma_rw(pci_get_address_space(PCI_DEVICE(q->dev)),
			     q->run_dus + offset, buf, len, write);
}

/*
 * Access by a translation that the queue has.
 *
 * Return: 1 if there is none, 0, -EFAULT if it does not lead to memory
 */
static int vaccel_dma_cached(struct vaccel_access *a, uint32_t len)
{
	struct vaccel_queue *q = a->job->q;
	struct vaccel_xlate *x;

	if (!vaccel_is_master(q->dev))
		return -EFAULT;
	vaccel_dma_check(q);
	/* Until this is unlocked no invalidation of what is used completes */
	QEMU_LOCK_GUARD(&q->atc_lock);
	x = vaccel_atc_find(q, a->addr, a->write);
	if (!x)
		return 1;
	vaccel_atc_check(q, x);
	return vaccel_dma_rw(&address_space_memory, x->gpa + (a->addr - x->iova),
			     a->buf, len, a->write);
}

/* Was this page refused when we looked ahead? */
static bool vaccel_dma_was_refused(const struct vaccel_queue *q, uint64_t page,
				   bool write)
{
	unsigned int i;

	for (i = 0; write == q->refused_write && i < q->refused_n; i++)
		if (q->refused[i] == page)
			return true;
	return false;
}

/* Collect the page and those after it that are missing as well */
static void vaccel_dma_collect(struct vaccel_access *a)
{
	struct vaccel_queue *q = a->job->q;
	uint64_t page = a->addr & VACCEL_PAGE_MASK;
	struct vaccel_batch *b = &q->batch;
	unsigned int i;

	b->write = a->write;
	b->addr[0] = page;
	b->n = 1;
	for (i = 1; i < q->ahead; i++) {
		page += VACCEL_PAGE;
		/* The last byte, as the end can be that of the address space */
		if (page > ((a->end - 1) & VACCEL_PAGE_MASK) || !page ||
		    !vaccel_atc_possible(q, page))
			break;
		if (!vaccel_dma_was_refused(q, page, a->write) &&
		    !vaccel_atc_ask(q, page, a->write))
			b->addr[b->n++] = page;
	}
}

/* Return: 0 if the page was granted, -EFAULT, -ENOMEM, -ECANCELED */
static int vaccel_dma_fault(struct vaccel_access *a)
{
	struct vaccel_queue *q = a->job->q;
	struct vaccel_batch *b = &q->batch;
	unsigned int i;
	int ret;

	if (vaccel_dma_was_refused(q, a->addr & VACCEL_PAGE_MASK, a->write))
		return -EFAULT;

	vaccel_dma_collect(a);
	ret = vaccel_pri_ask(q);
	if (ret)
		return ret;

	/* A buffer that begins to be missing is likely to be missing further on */
	q->ahead = MIN(q->ahead * 2, VACCEL_AHEAD);
	q->refused_n = 0;
	q->refused_write = a->write;
	for (i = 1; i < b->n; i++)
		if (b->verdict[i] == VACCEL_REFUSED)
			q->refused[q->refused_n++] = b->addr[i];

	switch (b->verdict[0]) {
	case VACCEL_GRANTED:
		return 0;
	case VACCEL_NO_ROOM:
		return -ENOMEM;
	default:
		return -EFAULT;
	}
}

/* A part of the access that lies in one page */
static int vaccel_dma_sva(struct vaccel_access *a, uint32_t len)
{
	struct vaccel_queue *q = a->job->q;
	unsigned int tries = 0;
	bool asked = false;
	int ret;

	if (!vaccel_atc_possible(q, a->addr))
		return -EFAULT;
	for (;;) {
		if (vaccel_aborted(q))
			return -ECANCELED;
		ret = vaccel_dma_cached(a, len);
		if (ret <= 0) {
			if (!asked)
				vaccel_count(q->dev, CACHE_HITS);
			return ret;
		}
		asked = true;
		if (vaccel_atc_ask(q, a->addr, a->write))
			continue;
		if (++tries > VACCEL_TRIES)
			return -EFAULT;
		if (tries > VACCEL_TRIES_FAST)
			g_usleep(1000);
		ret = vaccel_dma_fault(a);
		if (ret)
			return ret;
	}
}

static int vaccel_dma_part(struct vaccel_access *a, uint32_t len)
{
	struct vaccel_queue *q = a->job->q;
	int ret;

	if (q->run_pasid & VACCEL_PCI_PASID_VALID)
		return vaccel_dma_sva(a, len);
	if (vaccel_aborted(q))
		return -ECANCELED;
	ret = vaccel_dma_ring(q, a->addr, a->buf, len, a->write);
	/* Without SVA there are no faults that would be the user's */
	return ret == -EFAULT ? -ENOMEM : ret;
}

/* Where an access failed: the start of the page, if that is in the buffer */
static uint64_t vaccel_dma_fault_addr(const struct vaccel_access *a)
{
	return MAX(a->addr & VACCEL_PAGE_MASK, a->base);
}

static int vaccel_dma(struct vaccel_access *a)
{
	uint32_t len;
	int ret;

	while (a->len) {
		len = MIN(a->len, VACCEL_PAGE - (a->addr & ~VACCEL_PAGE_MASK));
		ret = vaccel_dma_part(a, len);
		if (ret == -EFAULT) {
			a->job->result = vaccel_dma_fault_addr(a);
			return vaccel_job_end(a->job, a->write ?
					      VACCEL_ST_FAULT_WRITE :
					      VACCEL_ST_FAULT_READ);
		}
		if (ret == -ENOMEM)
			return vaccel_job_end(a->job, VACCEL_ST_INTERNAL);
		if (ret)
			return ret;
		a->addr += len;
		a->buf += len;
		a->len -= len;
		if (a->len)
			vaccel_point(a->job->q, VACCEL_DIAG_DMA);
	}
	return 0;
}

/**
 * vaccel_job_end() - a descriptor has ended
 * @job: the descriptor
 * @status: how
 *
 * Return: VACCEL_DONE
 */
int vaccel_job_end(struct vaccel_job *job, uint32_t status)
{
	job->status = status;
	return VACCEL_DONE;
}

/**
 * vaccel_job_read() - read from the source of a descriptor
 * @job: the descriptor
 * @offset: from the start of the source
 * @buf: to here
 * @len: bytes, within the source
 * @ahead: how much is going to be read from @offset on; pages of it are asked for
 *	   before they are needed
 *
 * Return: 0, VACCEL_DONE after a fault, -ECANCELED
 */
int vaccel_job_read(struct vaccel_job *job, uint32_t offset, void *buf,
		    uint32_t len, uint32_t ahead)
{
	struct vaccel_access a = {
		.job = job,
		.base = job->src,
		.addr = job->src + offset,
		.end = job->src + offset + ahead,
		.buf = buf,
		.len = len,
	};

	return vaccel_dma(&a);
}

/**
 * vaccel_job_write() - write to the destination of a descriptor
 * @job: the descriptor
 * @offset: from the start of the destination
 * @buf: from here
 * @len: bytes, within the destination
 * @ahead: how much is going to be written from @offset on
 *
 * Return: 0, VACCEL_DONE after a fault, -ECANCELED
 */
int vaccel_job_write(struct vaccel_job *job, uint32_t offset, void *buf,
		     uint32_t len, uint32_t ahead)
{
	struct vaccel_access a = {
		.job = job,
		.base = job->dst,
		.addr = job->dst + offset,
		.end = job->dst + offset + ahead,
		.buf = buf,
		.len = len,
		.write = true,
	};

	return vaccel_dma(&a);
}
