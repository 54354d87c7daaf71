// SPDX-License-Identifier: GPL-2.0-only
/*
 * Simulated accelerator: the engine of a queue. It looks at the doorbells, takes
 * descriptors, has them executed and completes them.
 *
 * The engine is a work item. It is queued by START and by a kick, runs until it
 * has found nothing to do for a while, and says in the control page that it sleeps
 * before it ends.
 *
 * Registers and rings are memory that user space can write at any moment. So
 * nothing is decided by what they hold but the two doorbells and the descriptors;
 * each of those is loaded once, checked, and not looked at again.
 */
#include <linux/ktime.h>
#include <linux/sched.h>
#include "sim.h"

/* How long an engine that found nothing goes on looking before it sleeps */
#define SIM_SPIN_US	50

struct sim_doorbells {
	u64 sq_tail;
	u64 cq_head;
};

static __le64 *sim_reg(struct sim_queue *q, unsigned int reg)
{
	return q->mmio + reg;
}

static void sim_reg_write(struct sim_queue *q, unsigned int reg, u64 val)
{
	WRITE_ONCE(*sim_reg(q, reg), cpu_to_le64(val));
}

static u64 sim_reg_read(struct sim_queue *q, unsigned int reg)
{
	/* Acquire: entries that the doorbell tells of are read after it */
	return le64_to_cpu(smp_load_acquire(sim_reg(q, reg)));
}

static void sim_engine_look(struct sim_queue *q, struct sim_doorbells *db)
{
	db->sq_tail = sim_reg_read(q, VACCEL_REG_SQ_TAIL);
	db->cq_head = sim_reg_read(q, VACCEL_REG_CQ_HEAD);
}

/* Is what the doorbells say possible? Return: VACCEL_QERR_* */
static unsigned int sim_engine_check(const struct sim_queue *q,
				     const struct sim_doorbells *db)
{
	if (upper_32_bits(db->sq_tail) ||
	    lower_32_bits(db->sq_tail) - q->sq_head > VACCEL_RING_ENTRIES)
		return VACCEL_QERR_SQ_TAIL;

	if (upper_32_bits(db->cq_head) ||
	    q->cq_tail - lower_32_bits(db->cq_head) > VACCEL_RING_ENTRIES)
		return VACCEL_QERR_CQ_HEAD;

	return VACCEL_QERR_NONE;
}

/* Is there a descriptor, and room for its completion? */
static bool sim_engine_ready(const struct sim_queue *q,
			     const struct sim_doorbells *db)
{
	return lower_32_bits(db->sq_tail) != q->sq_head &&
	       q->cq_tail - lower_32_bits(db->cq_head) < VACCEL_RING_ENTRIES;
}

/* Is there anything to do, be it to complain? */
static bool sim_engine_has_work(struct sim_queue *q)
{
	struct sim_doorbells db;

	sim_engine_look(q, &db);
	return sim_engine_check(q, &db) || sim_engine_ready(q, &db);
}

static void sim_engine_set_flags(struct sim_queue *q, u32 flags)
{
	WRITE_ONCE(sim_queue_ctrl(q)->flags, cpu_to_le32(flags));
}

static void sim_engine_set_state(struct sim_queue *q, unsigned int state,
				 unsigned int error)
{
	struct vaccel_ctrl *ctrl = sim_queue_ctrl(q);

	q->error = error;
	WRITE_ONCE(q->state, state);
	sim_reg_write(q, VACCEL_REG_STATUS, state | (u64)error << 32);
	WRITE_ONCE(ctrl->error, cpu_to_le32(error));
	/* The error is there before the state that makes somebody look for it */
	smp_store_release(&ctrl->state, cpu_to_le32(state));
}

static void sim_engine_wake_poll(struct sim_queue *q)
{
	if (wq_has_sleeper(&q->uq->wait))
		wake_up_interruptible(&q->uq->wait);
}

static void sim_engine_fail(struct sim_queue *q, unsigned int error)
{
	sim_stat_inc(&q->dev->inst->stats, SIM_STAT_QUEUE_ERRORS);
	sim_engine_set_state(q, VACCEL_STATE_ERROR, error);
	sim_engine_wake_poll(q);
}

/**
 * sim_engine_check_started() - catch an access that must not be
 * @q: queue for which memory is about to be accessed
 */
void sim_engine_check_started(struct sim_queue *q)
{
	struct sim_instance *inst = q->dev->inst;

	if (READ_ONCE(q->state) != VACCEL_STATE_STOPPED)
		return;

	sim_stat_inc(&inst->stats, SIM_STAT_DMA_AFTER_STOP);
	WARN(1, "%s: DMA for queue %u, which is stopped\n", inst->name, q->id);
}

static void sim_engine_take(struct sim_queue *q, struct vaccel_desc *desc)
{
	u32 slot = q->sq_head % VACCEL_RING_ENTRIES;

	sim_engine_check_started(q);
	memcpy(desc, q->dus + VACCEL_SQ_OFFSET + slot * sizeof(*desc),
	       sizeof(*desc));
	/* What the compiler makes of *desc from here on, it is the copy */
	barrier();

	q->sq_head++;
	/* The user may write the entry again when it sees this */
	smp_store_release(&sim_queue_ctrl(q)->sq_head, cpu_to_le32(q->sq_head));
	sim_stat_inc(&q->dev->inst->stats, SIM_STAT_DESCRIPTORS);
}

static void sim_engine_complete(struct sim_queue *q,
				const struct vaccel_cqe *cqe)
{
	struct sim_stats *stats = &q->dev->inst->stats;
	u32 slot = q->cq_tail % VACCEL_RING_ENTRIES;
	u32 status = le32_to_cpu(cqe->status);

	/* Counted first: who saw the completion finds it counted */
	sim_stat_inc(stats, SIM_STAT_COMPLETIONS);
	if (status != VACCEL_ST_OK && status != VACCEL_ST_MORE)
		sim_stat_inc(stats, SIM_STAT_ERRORS);
	sim_stat_add(stats, SIM_STAT_BYTES_IN, le32_to_cpu(cqe->consumed));
	sim_stat_add(stats, SIM_STAT_BYTES_OUT, le32_to_cpu(cqe->produced));

	sim_engine_check_started(q);
	memcpy(q->dus + VACCEL_CQ_OFFSET + slot * sizeof(*cqe), cqe,
	       sizeof(*cqe));
	/*
	 * Who sees the index in the control page may acknowledge it at once and poll, which
	 * compares with this one
	 */
	WRITE_ONCE(q->cq_tail, q->cq_tail + 1);
	/* Data and entry are visible before the index */
	smp_store_release(&sim_queue_ctrl(q)->cq_tail, cpu_to_le32(q->cq_tail));
	sim_engine_wake_poll(q);
}

/*
 * Do one descriptor, if there is one.
 *
 * Return: 1 if there was, 0 if not, -ECANCELED if the engine is not to come back
 */
static int sim_engine_step(struct sim_queue *q)
{
	struct sim_inject *inject = &q->dev->inst->inject;
	struct sim_doorbells db;
	struct vaccel_desc desc;
	struct vaccel_cqe cqe;
	unsigned int error;
	int ret;

	sim_engine_look(q, &db);
	error = sim_engine_check(q, &db);
	if (error)
		goto fail;
	if (!sim_engine_ready(q, &db))
		return 0;

	if (sim_inject(inject, SIM_POINT_ENGINE, &q->abort)) {
		error = VACCEL_QERR_DEVICE;
		goto fail;
	}
	if (sim_queue_aborted(q))
		return -ECANCELED;

	sim_engine_take(q, &desc);
	ret = sim_job_run(q, &desc, &cqe);
	if (ret)
		return ret;

	cqe.sq_head = cpu_to_le32(q->sq_head);
	sim_engine_complete(q, &cqe);
	return 1;

fail:
	sim_engine_fail(q, error);
	return -ECANCELED;
}

/* A user that submits one piece after the other need not kick for each */
static bool sim_engine_spin(struct sim_queue *q)
{
	ktime_t end = ktime_add_us(ktime_get(), SIM_SPIN_US);

	do {
		if (sim_engine_has_work(q) || sim_queue_aborted(q))
			return true;
		cpu_relax();
	} while (!need_resched() && ktime_before(ktime_get(), end));

	return false;
}

/*
 * Announce that the engine sleeps.
 *
 * Return: false if there is work, so that it must not
 */
static bool sim_engine_try_sleep(struct sim_queue *q)
{
	sim_engine_set_flags(q, VACCEL_CTRL_NEED_WAKEUP);
	/*
	 * The user stores a doorbell and then loads the flag; here it is the other way
	 * round. With a full barrier on both sides at least one sees the other.
	 */
	smp_mb();
	if (sim_engine_has_work(q)) {
		sim_engine_set_flags(q, 0);
		return false;
	}
	sim_stat_inc(&q->dev->inst->stats, SIM_STAT_SLEEPS);
	return true;
}

static void sim_engine_work(struct work_struct *work)
{
	struct sim_queue *q = container_of(work, struct sim_queue, work);
	int ret;

	/* A kick that came just before the queue failed has queued this once more */
	if (q->state != VACCEL_STATE_RUNNING)
		return;

	sim_engine_set_flags(q, 0);
	while (!sim_queue_aborted(q)) {
		cond_resched();
		ret = sim_engine_step(q);
		if (ret < 0)
			break;
		if (!ret && !sim_engine_spin(q) && sim_engine_try_sleep(q))
			break;
	}
}

/**
 * sim_engine_init() - prepare a queue that has its memory
 * @q: the queue
 */
void sim_engine_init(struct sim_queue *q)
{
	INIT_WORK(&q->work, sim_engine_work);
	sim_reg_write(q, VACCEL_REG_ID, VACCEL_ID);
}

/**
 * sim_engine_start() - start a queue
 * @q: the queue, stopped
 */
void sim_engine_start(struct sim_queue *q)
{
	q->sq_head = 0;
	WRITE_ONCE(q->cq_tail, 0);
	if (q->inflate)
		sim_inflate_reset(q->inflate);

	memset(sim_queue_ctrl(q), 0, sizeof(struct vaccel_ctrl));
	sim_reg_write(q, VACCEL_REG_ID, VACCEL_ID);
	sim_reg_write(q, VACCEL_REG_SQ_TAIL, 0);
	sim_reg_write(q, VACCEL_REG_CQ_HEAD, 0);

	q->abort = false;
	sim_engine_set_state(q, VACCEL_STATE_RUNNING, VACCEL_QERR_NONE);
	/* The flag says that the engine is awake, so let it be */
	queue_work(q->dev->wq, &q->work);
}

/**
 * sim_engine_stop() - stop a queue
 * @q: the queue, started
 *
 * Takes no longer than the engine needs for a page or a slice of data. After
 * return the engine does not run and nothing is written.
 */
void sim_engine_stop(struct sim_queue *q)
{
	WRITE_ONCE(q->abort, true);
	sim_inject_wake_engine(&q->dev->inst->inject);
	wake_up(&q->fault.wait);
	cancel_work_sync(&q->work);

	sim_engine_set_state(q, VACCEL_STATE_STOPPED, q->error);
}

/**
 * sim_engine_kick() - make the engine look at the doorbells
 * @q: the queue
 *
 * Return: 0, -EINVAL if the queue is not started, -EIO if it is in state ERROR
 */
int sim_engine_kick(struct sim_queue *q)
{
	switch (READ_ONCE(q->state)) {
	case VACCEL_STATE_STOPPED:
		return -EINVAL;
	case VACCEL_STATE_ERROR:
		return -EIO;
	}

	sim_stat_inc(&q->dev->inst->stats, SIM_STAT_KICKS);
	/*
	 * Clear first: between this and the start of the work other users of the queue
	 * need not kick. The work looks at the doorbells after it has set the flag again,
	 * so what they store meanwhile is not missed.
	 */
	sim_engine_set_flags(q, 0);
	queue_work(q->dev->wq, &q->work);
	return 0;
}

/**
 * sim_engine_updated() - is there something for the user to look at?
 * @q: the queue
 *
 * Runs beside everything else and does not sleep.
 *
 * Return: true if there are completions that the user did not acknowledge, or the
 * queue is in state ERROR
 */
bool sim_engine_updated(struct sim_queue *q)
{
	u64 cq_head = le64_to_cpu(READ_ONCE(*sim_reg(q, VACCEL_REG_CQ_HEAD)));

	return cq_head != READ_ONCE(q->cq_tail) ||
	       READ_ONCE(q->state) == VACCEL_STATE_ERROR;
}
