// SPDX-License-Identifier: GPL-2.0-only
/*
 * vaccel: page requests. A worker leaves what it asks for in a list; a bottom half,
 * which has the BQL, sends it, as far as the system allowed requests in flight.
 * Each page is a group of its own, so each has an answer of its own. A test can have
 * each sent as a group of many.
 */
#include "vaccel.h"
#include "hw/pci/pcie.h"

/*
 * How often a request is repeated for which the system had no room, and after how
 * many milliseconds at most
 */
#define VACCEL_PRI_RETRIES	1000
#define VACCEL_PRI_PAUSE	16

#define vaccel_gauge(d, name)	\
	((d)->counters[(VACCEL_DIAG_##name - VACCEL_DIAG) / 4])

/* Give the worker its answer, if it still waits for this one */
static void vaccel_pri_deliver(struct vaccel_request *r,
			       enum vaccel_verdict verdict)
{
	struct vaccel_batch *b = &r->q->batch;

	QEMU_LOCK_GUARD(&r->q->lock);
	if (b->seq != r->seq || b->verdict[r->index] != VACCEL_PENDING)
		return;
	b->verdict[r->index] = verdict;
	if (!--b->pending)
		qemu_cond_signal(&r->q->cond);
}

/* Take a request that was sent out of the table; pri_lock is held */
static struct vaccel_request *vaccel_pri_take(struct vaccel_dev *d,
					      unsigned int prg)
{
	struct vaccel_request *r = d->prg[prg];

	if (r) {
		d->prg[prg] = NULL;
		d->in_flight--;
		qatomic_set(&vaccel_gauge(d, PAGE_IN_FLIGHT), d->in_flight);
	}
	return r;
}

/**
 * vaccel_pri_answer() - the system answers a page request
 * @n: the callback of the PASID
 * @response: the answer
 */
void vaccel_pri_answer(IOMMUPRINotifier *n, IOMMUPRIResponse *response)
{
	struct vaccel_space *space = container_of(n, struct vaccel_space, pri);
	unsigned int prg = response->prgi % VACCEL_PRGS;
	enum vaccel_verdict verdict;
	struct vaccel_dev *d = space->dev;
	struct vaccel_request *r = NULL;

	qemu_mutex_lock(&d->pri_lock);
	if (d->prg[prg] && d->prg[prg]->space == space)
		r = vaccel_pri_take(d, prg);
	qemu_mutex_unlock(&d->pri_lock);
	if (!r)
		return;

	switch (response->response_code) {
	case IOMMU_PRI_RESP_SUCCESS:
		verdict = VACCEL_GRANTED;
		break;
	case IOMMU_PRI_RESP_INVALID_REQUEST:
		verdict = VACCEL_REFUSED;
		break;
	default:
		verdict = VACCEL_NO_ROOM;
		break;
	}
	vaccel_pri_deliver(r, verdict);
	g_free(r);

	/* There is room for one more */
	qemu_bh_schedule(d->pri_bh);
	space->asked--;
	vaccel_space_release(space);
}

/* Find a free group index, a different one each time; pri_lock is held */
static int vaccel_pri_free_prg(struct vaccel_dev *d)
{
	uint32_t allowed = pcie_pri_get_req_alloc(PCI_DEVICE(d));
	unsigned int i, prg;

	if (d->in_flight >= allowed)
		return -EBUSY;
	for (i = 0; i < VACCEL_PRGS; i++) {
		prg = d->next_prg++ % VACCEL_PRGS;
		if (!d->prg[prg])
			return prg;
	}
	return -EBUSY;
}

static void vaccel_pri_sent(struct vaccel_dev *d, struct vaccel_request *r,
			    unsigned int prg)
{
	d->prg[prg] = r;
	d->in_flight++;
	r->space->asked++;
	qatomic_set(&vaccel_gauge(d, PAGE_IN_FLIGHT), d->in_flight);
	if (d->in_flight > vaccel_gauge(d, PAGE_MOST))
		qatomic_set(&vaccel_gauge(d, PAGE_MOST), d->in_flight);
	vaccel_count(d, PAGE_REQUESTS);
}

/*
 * Send a request, @n times in a group of which the last one is answered, or find that
 * it is no longer wanted. The queue is locked in between, so that its RESET is not
 * over before the request is on its way.
 *
 * Return: 0 if it was sent, -ECANCELED or why it could not be sent
 */
static int vaccel_pri_send(struct vaccel_dev *d, struct vaccel_request *r,
			   unsigned int prg, unsigned int n)
{
	struct vaccel_queue *q = r->q;
	int ret = 0;

	QEMU_LOCK_GUARD(&q->lock);
	if (q->batch.seq != r->seq)
		return -ECANCELED;
	if (!q->space)
		return -ENODEV;
	r->space = q->space;
	if (q->pasid != (VACCEL_PCI_PASID_VALID | r->space->pasid))
		vaccel_count(d, DMA_RETIRED);
	while (n-- && !ret)
		ret = pci_pri_request_page(PCI_DEVICE(d), r->space->pasid,
					   false, false, r->addr, !n, prg, true,
					   r->write);
	if (!ret)
		vaccel_pri_sent(d, r, prg);
	return ret;
}

/* Send what waits, in groups of @n; pri_lock is held */
static void vaccel_pri_send_all(struct vaccel_dev *d, unsigned int n)
{
	struct vaccel_request *r;
	int prg, ret;

	while ((r = QTAILQ_FIRST(&d->requests))) {
		prg = vaccel_pri_free_prg(d);
		/* A function whose PRI is disabled may not send at all */
		if (prg < 0 && pcie_pri_enabled(PCI_DEVICE(d)))
			break;
		QTAILQ_REMOVE(&d->requests, r, link);
		ret = prg < 0 ? -EPERM : vaccel_pri_send(d, r, prg, n);
		if (!ret)
			continue;
		if (ret == -ENOSPC)
			vaccel_count(d, PAGE_NO_ROOM);
		if (ret != -ECANCELED)
			vaccel_pri_deliver(r, ret == -ENOSPC ? VACCEL_NO_ROOM :
						  VACCEL_REFUSED);
		g_free(r);
	}
}

/* Does a test want what waits to be kept? How much that is; pri_lock is held */
static bool vaccel_pri_held(struct vaccel_dev *d)
{
	struct vaccel_point *p = &d->points[VACCEL_DIAG_REQUEST];
	bool hold = qatomic_read(&p->hold);
	struct vaccel_request *r;
	unsigned int n = 0;

	if (hold)
		QTAILQ_FOREACH(r, &d->requests, link)
			n++;
	qatomic_set(&p->held, n);
	return hold;
}

static void vaccel_pri_flush(void *opaque)
{
	struct vaccel_dev *d = opaque;

	QEMU_LOCK_GUARD(&d->pri_lock);
	if (!vaccel_pri_held(d))
		vaccel_pri_send_all(d, 1);
}

/**
 * vaccel_pri_burst() - send what a test has held until now, and much more
 * @d: the device; the BQL is held
 *
 * All of it arrives before any processor can answer. What makes it much is that it
 * is sent in groups: more than what was allowed, as if several devices, each of which
 * was allowed as much as the system has room for, had all used that.
 */
void vaccel_pri_burst(struct vaccel_dev *d)
{
	QEMU_LOCK_GUARD(&d->pri_lock);
	if (!vaccel_pri_held(d))
		vaccel_pri_send_all(d, VACCEL_DIAG_BURST_GROUP);
}

/* Leave those requests of the queue's batch that have no answer to be sent */
static void vaccel_pri_submit(struct vaccel_queue *q)
{
	struct vaccel_batch *b = &q->batch;
	struct vaccel_dev *d = q->dev;
	struct vaccel_request *r;
	unsigned int i;

	QEMU_LOCK_GUARD(&d->pri_lock);
	for (i = 0; i < b->n; i++) {
		if (b->verdict[i] != VACCEL_PENDING)
			continue;
		r = g_new0(struct vaccel_request, 1);
		r->q = q;
		r->seq = qatomic_read(&b->seq);
		r->index = i;
		r->addr = b->addr[i];
		r->write = b->write;
		QTAILQ_INSERT_TAIL(&d->requests, r, link);
	}
	qemu_bh_schedule(d->pri_bh);
}

/*
 * Wait for the answers to a batch.
 *
 * Return: how many there was no room for, or -ECANCELED
 */
static int vaccel_pri_wait(struct vaccel_queue *q)
{
	struct vaccel_batch *b = &q->batch;
	unsigned int i;
	int again = 0;

	QEMU_LOCK_GUARD(&q->lock);
	while (b->pending && !vaccel_aborted(q))
		qemu_cond_wait(&q->cond, &q->lock);
	/* An answer from here on is late */
	b->seq++;
	if (vaccel_aborted(q))
		return -ECANCELED;
	for (i = 0; i < b->n; i++)
		if (b->verdict[i] == VACCEL_NO_ROOM)
			again++;
	return again;
}

/*
 * Let the system make room. A request that it does not take costs it time, too, so the
 * longer it takes the less often it is asked.
 */
static void vaccel_pri_pause(struct vaccel_queue *q, unsigned int tries)
{
	QEMU_LOCK_GUARD(&q->lock);
	if (!vaccel_aborted(q))
		qemu_cond_timedwait(&q->cond, &q->lock,
				    MIN(tries, VACCEL_PRI_PAUSE));
}

static void vaccel_pri_prepare(struct vaccel_queue *q, enum vaccel_verdict which)
{
	struct vaccel_batch *b = &q->batch;
	unsigned int i;

	QEMU_LOCK_GUARD(&q->lock);
	b->pending = 0;
	for (i = 0; i < b->n; i++) {
		if (b->verdict[i] != which)
			continue;
		b->verdict[i] = VACCEL_PENDING;
		b->pending++;
	}
}

/**
 * vaccel_pri_ask() - request the pages of a queue's batch and wait for the answers
 * @q: the queue, whose worker calls
 *
 * Return: 0, or -ECANCELED if the queue is stopped
 */
int vaccel_pri_ask(struct vaccel_queue *q)
{
	struct vaccel_batch *b = &q->batch;
	struct vaccel_dev *d = q->dev;
	unsigned int i, tries = 0;
	int again;

	memset(b->verdict, VACCEL_PENDING, sizeof(b->verdict));
	vaccel_pri_prepare(q, VACCEL_PENDING);
	for (;;) {
		vaccel_pri_submit(q);
		again = vaccel_pri_wait(q);
		if (again < 0)
			return again;
		if (!again || ++tries > VACCEL_PRI_RETRIES)
			break;
		vaccel_pri_pause(q, tries);
		qatomic_add(&vaccel_gauge(d, PAGE_RETRIES), again);
		vaccel_pri_prepare(q, VACCEL_NO_ROOM);
	}

	for (i = 0; i < b->n; i++) {
		if (vaccel_point(q, VACCEL_DIAG_PAGE))
			b->verdict[i] = VACCEL_REFUSED;
		if (vaccel_aborted(q))
			return -ECANCELED;
		if (b->verdict[i] == VACCEL_REFUSED)
			vaccel_count(d, PAGE_REFUSED);
	}
	return 0;
}

/**
 * vaccel_pri_forget() - drop all requests; answers that still come are dropped, too
 * @d: the device, no queue of which has a request that it waits for
 */
void vaccel_pri_forget(struct vaccel_dev *d)
{
	struct vaccel_space *space;
	struct vaccel_request *r;
	unsigned int i;

	QEMU_LOCK_GUARD(&d->pri_lock);
	while ((r = QTAILQ_FIRST(&d->requests))) {
		QTAILQ_REMOVE(&d->requests, r, link);
		g_free(r);
	}
	vaccel_pri_held(d);
	for (i = 0; i < VACCEL_PRGS; i++)
		g_free(vaccel_pri_take(d, i));
	QLIST_FOREACH(space, &d->spaces, link)
		space->asked = 0;
}

void vaccel_pri_init(struct vaccel_dev *d)
{
	qemu_mutex_init(&d->pri_lock);
	QTAILQ_INIT(&d->requests);
	d->pri_bh = qemu_bh_new(vaccel_pri_flush, d);
}

void vaccel_pri_exit(struct vaccel_dev *d)
{
	qemu_bh_delete(d->pri_bh);
	qemu_mutex_destroy(&d->pri_lock);
}
