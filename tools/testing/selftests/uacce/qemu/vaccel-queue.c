// SPDX-License-Identifier: GPL-2.0-only
/*
 * vaccel: the life of a queue. Commands come from the driver, with the BQL held,
 * and leave a mark; the queue's worker does what they ask for.
 */
#include "vaccel.h"
#include "hw/pci/msix.h"
#include "hw/pci/pcie.h"
#include "qemu/rcu.h"

/**
 * vaccel_queue_busy() - is a command under way?
 * @q: the queue, locked
 */
bool vaccel_queue_busy(const struct vaccel_queue *q)
{
	return q->starting || q->stopping || q->resetting;
}

static void vaccel_queue_set_abort(struct vaccel_queue *q)
{
	qatomic_set(&q->abort, true);
	q->batch.seq++;
	qemu_cond_signal(&q->cond);
}

/* The registers are as after power-on */
static void vaccel_queue_clear(struct vaccel_queue *q)
{
	q->state = VACCEL_STATE_STOPPED;
	q->error = VACCEL_QERR_NONE;
	q->pasid = 0;
	q->vector = 0;
	q->dus = 0;
	qatomic_set(&q->sq_tail, 0);
	qatomic_set(&q->cq_head, 0);
	qatomic_set(&q->cq_tail, 0);
	q->starting = false;
	q->stopping = false;
	q->resetting = false;
	q->failing = false;
	qemu_cond_broadcast(&q->idle);
}

static void vaccel_queue_enter_error(struct vaccel_queue *q, uint32_t error)
{
	vaccel_count(q->dev, QUEUE_ERRORS);
	q->error = error;
	q->state = VACCEL_STATE_ERROR;
	qemu_bh_schedule(q->irq);
}

/*
 * Put the queue in state ERROR, in the order that is promised: the control page,
 * STATUS, the interrupt. The queue is locked, but not while memory is written.
 */
static void vaccel_worker_error(struct vaccel_queue *q, uint32_t error)
{
	qemu_mutex_unlock(&q->lock);
	vaccel_ring_state(q, VACCEL_STATE_ERROR, error);
	qemu_mutex_lock(&q->lock);
	/* A command that came meanwhile goes first */
	if (q->state == VACCEL_STATE_RUNNING && !q->stopping && !q->resetting)
		vaccel_queue_enter_error(q, error);
}

static void vaccel_worker_start(struct vaccel_queue *q)
{
	struct vaccel_dev *d = q->dev;
	int ret = -EIO;

	qemu_mutex_unlock(&q->lock);

	vaccel_inflate_reset(q);
	if (q->irq_vector < PCI_DEVICE(d)->msix_entries_nr &&
	    (!(q->run_pasid & VACCEL_PCI_PASID_VALID) || q->space) &&
	    !qatomic_read(&d->fatal))
		ret = vaccel_ring_start(q);
	if (ret)
		vaccel_ring_state(q, VACCEL_STATE_ERROR, VACCEL_QERR_DEVICE);

	qemu_mutex_lock(&q->lock);
	if (q->stopping || q->resetting)
		return;
	q->starting = false;
	q->error = VACCEL_QERR_NONE;
	if (ret)
		vaccel_queue_enter_error(q, VACCEL_QERR_DEVICE);
	else
		q->state = VACCEL_STATE_RUNNING;
	/* The device can have failed since we looked */
	q->failing = qatomic_read(&d->fatal);
}

static void vaccel_worker_stop(struct vaccel_queue *q)
{
	uint32_t error = q->error;

	qemu_mutex_unlock(&q->lock);
	vaccel_point(q, VACCEL_DIAG_STOP);
	/* After a hold that a RESET has ended, the control page is not written */
	if (!qatomic_read(&q->resetting))
		vaccel_ring_state(q, VACCEL_STATE_STOPPED, error);
	qemu_mutex_lock(&q->lock);
	if (q->resetting)
		return;
	q->starting = false;
	q->stopping = false;
	qemu_cond_broadcast(&q->idle);
}

static void vaccel_worker_run(struct vaccel_queue *q)
{
	uint32_t error = VACCEL_QERR_NONE;

	qemu_mutex_unlock(&q->lock);
	vaccel_ring_step(q, &error);
	qemu_mutex_lock(&q->lock);
	if (error && q->state == VACCEL_STATE_RUNNING)
		vaccel_worker_error(q, error);
}

static bool vaccel_worker_has_work(const struct vaccel_queue *q)
{
	return q->quit || q->failing || vaccel_queue_busy(q) ||
	       (q->state == VACCEL_STATE_RUNNING && vaccel_ring_ready(q));
}

static void *vaccel_worker(void *opaque)
{
	struct vaccel_queue *q = opaque;

	rcu_register_thread();
	qemu_mutex_lock(&q->lock);
	for (;;) {
		while (!vaccel_worker_has_work(q)) {
			q->working = false;
			qemu_cond_wait(&q->cond, &q->lock);
		}
		q->working = true;

		if (q->resetting) {
			qemu_mutex_unlock(&q->lock);
			vaccel_point(q, VACCEL_DIAG_RESET);
			qemu_mutex_lock(&q->lock);
			/* Registers last: until then the queue is BUSY */
			vaccel_atc_flush(q);
			vaccel_queue_clear(q);
			/* With the BQL, the PASID is let go of */
			qemu_bh_schedule(q->dev->space_bh);
		} else if (q->quit) {
			break;
		} else if (q->stopping) {
			vaccel_worker_stop(q);
		} else if (q->failing) {
			q->failing = false;
			if (q->state == VACCEL_STATE_RUNNING)
				vaccel_worker_error(q, VACCEL_QERR_DEVICE);
		} else if (q->starting) {
			vaccel_worker_start(q);
		} else {
			vaccel_worker_run(q);
		}
	}
	qemu_mutex_unlock(&q->lock);
	rcu_unregister_thread();
	return NULL;
}

/* Interrupts are for those who have the BQL */
static void vaccel_queue_irq(void *opaque)
{
	struct vaccel_queue *q = opaque;
	PCIDevice *pci = PCI_DEVICE(q->dev);

	if (!qatomic_read(&q->dev->gone) && msix_enabled(pci) &&
	    q->irq_vector < pci->msix_entries_nr)
		msix_notify(pci, q->irq_vector);
}

static void vaccel_queue_make_worker(struct vaccel_queue *q)
{
	char name[16];

	if (q->threaded)
		return;
	snprintf(name, sizeof(name), "vaccel-q%u", q->id);
	q->in = g_malloc(VACCEL_CHUNK);
	q->out = g_malloc(VACCEL_CHUNK);
	q->threaded = true;
	q->working = true;
	qemu_thread_create(&q->thread, name, vaccel_worker, q,
			   QEMU_THREAD_JOINABLE);
}

static void vaccel_queue_start(struct vaccel_queue *q)
{
	bool idle;

	qemu_mutex_lock(&q->lock);
	idle = q->state == VACCEL_STATE_STOPPED && !vaccel_queue_busy(q);
	qemu_mutex_unlock(&q->lock);
	if (!idle || !q->dev->enabled)
		return;

	/* That stays so without the lock: another command needs the BQL */
	vaccel_count(q->dev, STARTS);
	/* If there is no space after this, the worker finds out */
	vaccel_space_get(q);
	vaccel_queue_make_worker(q);

	qemu_mutex_lock(&q->lock);
	q->starting = true;
	/* The worker sleeps. It can find a STOP as the first thing that it has to do. */
	qatomic_set(&q->abort, false);
	q->run_pasid = q->pasid;
	q->run_dus = q->dus;
	q->irq_vector = q->vector;
	qatomic_set(&q->sq_tail, 0);
	qatomic_set(&q->cq_head, 0);
	qatomic_set(&q->cq_tail, 0);
	qemu_cond_signal(&q->cond);
	qemu_mutex_unlock(&q->lock);
}

static void vaccel_queue_stop(struct vaccel_queue *q)
{
	vaccel_count(q->dev, STOPS);
	qemu_mutex_lock(&q->lock);
	if ((q->state != VACCEL_STATE_STOPPED || q->starting) && !q->resetting) {
		q->state = VACCEL_STATE_STOPPED;
		q->stopping = true;
		vaccel_queue_set_abort(q);
	}
	qemu_mutex_unlock(&q->lock);
	vaccel_point_wake(q->dev);
}

static void vaccel_queue_reset(struct vaccel_queue *q)
{
	bool working;

	qemu_mutex_lock(&q->lock);
	working = q->working;
	if (working) {
		q->state = VACCEL_STATE_STOPPED;
		/* Read without the lock in a STOP */
		qatomic_set(&q->resetting, true);
		vaccel_queue_set_abort(q);
	} else {
		/* A worker that sleeps need not be waited for */
		vaccel_atc_flush(q);
		vaccel_queue_clear(q);
	}
	qemu_mutex_unlock(&q->lock);
	if (working)
		vaccel_point_wake(q->dev);
	else
		vaccel_space_put(q);
}

/**
 * vaccel_queue_command() - the driver has written CMD
 * @q: the queue
 * @cmd: what
 */
void vaccel_queue_command(struct vaccel_queue *q, uint32_t cmd)
{
	switch (cmd) {
	case VACCEL_PCI_CMD_START:
		vaccel_queue_start(q);
		break;
	case VACCEL_PCI_CMD_STOP:
		vaccel_queue_stop(q);
		break;
	case VACCEL_PCI_CMD_RESET:
		vaccel_queue_reset(q);
		break;
	}
}

static void vaccel_queue_wait(struct vaccel_queue *q)
{
	qemu_mutex_lock(&q->lock);
	while (vaccel_queue_busy(q))
		qemu_cond_wait(&q->idle, &q->lock);
	qemu_mutex_unlock(&q->lock);
}

/**
 * vaccel_queue_reset_all() - reset all queues, and wait until that is over
 * @d: the device
 *
 * The BQL is held, and that is all right: see vaccel.h. Nobody could let go those who
 * are held meanwhile, so they go.
 */
void vaccel_queue_reset_all(struct vaccel_dev *d)
{
	unsigned int i;

	qatomic_set(&d->stopping, true);
	for (i = 0; i < d->nr_queues; i++)
		vaccel_queue_reset(&d->queues[i]);
	vaccel_point_wake(d);
	for (i = 0; i < d->nr_queues; i++)
		vaccel_queue_wait(&d->queues[i]);
	qatomic_set(&d->stopping, false);
}

/**
 * vaccel_queue_fail() - the device has failed, and with it the queue
 * @q: the queue
 */
void vaccel_queue_fail(struct vaccel_queue *q)
{
	qemu_mutex_lock(&q->lock);
	if (q->state == VACCEL_STATE_RUNNING) {
		q->failing = true;
		vaccel_queue_set_abort(q);
	}
	qemu_mutex_unlock(&q->lock);
}

/**
 * vaccel_queue_doorbell() - somebody has rung
 * @q: the queue
 * @reg: q->sq_tail or q->cq_head
 * @shift: the lowest bit of it that was stored to
 * @bits: how many were: all 64, or one half
 * @val: what was stored
 */
void vaccel_queue_doorbell(struct vaccel_queue *q, uint64_t *reg,
			   unsigned int shift, unsigned int bits, uint64_t val)
{
	qemu_mutex_lock(&q->lock);
	qatomic_set(reg, deposit64(*reg, shift, bits, val));
	if (q->state == VACCEL_STATE_RUNNING)
		qemu_cond_signal(&q->cond);
	qemu_mutex_unlock(&q->lock);
}

/**
 * vaccel_queue_status() - contents of VACCEL_PCI_Q_STATUS
 * @q: the queue
 */
uint32_t vaccel_queue_status(struct vaccel_queue *q)
{
	uint32_t val;

	qemu_mutex_lock(&q->lock);
	val = q->state | q->error << 8;
	if (vaccel_queue_busy(q))
		val |= VACCEL_PCI_QS_BUSY;
	if (qatomic_read(&q->cq_tail) != qatomic_read(&q->cq_head))
		val |= VACCEL_PCI_QS_PENDING;
	qemu_mutex_unlock(&q->lock);
	return val;
}

/**
 * vaccel_queue_init() - make a queue
 * @d: the device
 * @id: number of the queue
 */
void vaccel_queue_init(struct vaccel_dev *d, unsigned int id)
{
	struct vaccel_queue *q = &d->queues[id];

	q->dev = d;
	q->id = id;
	qemu_mutex_init(&q->lock);
	qemu_mutex_init(&q->atc_lock);
	qemu_cond_init(&q->cond);
	qemu_cond_init(&q->idle);
	q->irq = qemu_bh_new(vaccel_queue_irq, q);
}

/**
 * vaccel_queue_exit() - end the worker and free what the queue has
 * @q: the queue, RESET
 */
void vaccel_queue_exit(struct vaccel_queue *q)
{
	if (q->threaded) {
		qemu_mutex_lock(&q->lock);
		q->quit = true;
		qemu_cond_signal(&q->cond);
		qemu_mutex_unlock(&q->lock);
		qemu_thread_join(&q->thread);
	}
	vaccel_space_put(q);
	qemu_bh_delete(q->irq);
	vaccel_inflate_free(q);
	g_free(q->in);
	g_free(q->out);
	qemu_cond_destroy(&q->idle);
	qemu_cond_destroy(&q->cond);
	qemu_mutex_destroy(&q->atc_lock);
	qemu_mutex_destroy(&q->lock);
}
