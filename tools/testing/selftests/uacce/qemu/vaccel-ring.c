// SPDX-License-Identifier: GPL-2.0-only
/*
 * vaccel: rings and control page, as their queue's worker sees them.
 *
 * All of this memory is written by the user at any moment. An entry is read once,
 * into memory of our own, and the control page is not read at all. pci_dma_*()
 * begin with a full barrier, so accesses are seen in the order in which they are
 * written here.
 */
#include "vaccel.h"

struct vaccel_doorbells {
	uint64_t sq_tail;
	uint64_t cq_head;
};

static void vaccel_ring_look(const struct vaccel_queue *q,
			     struct vaccel_doorbells *db)
{
	db->sq_tail = qatomic_load_acquire(&q->sq_tail);
	db->cq_head = qatomic_load_acquire(&q->cq_head);
}

/* Is what the doorbells say possible? Return: VACCEL_QERR_* */
static uint32_t vaccel_ring_check(const struct vaccel_queue *q,
				  const struct vaccel_doorbells *db)
{
	if (db->sq_tail >> 32 ||
	    (uint32_t)db->sq_tail - q->sq_head > VACCEL_RING_ENTRIES)
		return VACCEL_QERR_SQ_TAIL;
	if (db->cq_head >> 32 ||
	    q->cq_tail - (uint32_t)db->cq_head > VACCEL_RING_ENTRIES)
		return VACCEL_QERR_CQ_HEAD;
	return VACCEL_QERR_NONE;
}

/* Is there a descriptor, and room for its completion? */
static bool vaccel_ring_can_take(const struct vaccel_queue *q,
				 const struct vaccel_doorbells *db)
{
	return (uint32_t)db->sq_tail != q->sq_head &&
	       q->cq_tail - (uint32_t)db->cq_head < VACCEL_RING_ENTRIES;
}

/**
 * vaccel_ring_ready() - is there anything to do, be it to complain?
 * @q: the queue
 */
bool vaccel_ring_ready(const struct vaccel_queue *q)
{
	struct vaccel_doorbells db;

	vaccel_ring_look(q, &db);
	return vaccel_ring_check(q, &db) || vaccel_ring_can_take(q, &db);
}

static int vaccel_ring_store(struct vaccel_queue *q, size_t field, uint32_t val)
{
	uint32_t le = cpu_to_le32(val);

	return vaccel_dma_ring(q, VACCEL_CTRL_OFFSET + field, &le, sizeof(le),
			       true);
}

/**
 * vaccel_ring_state() - tell a new state in the control page
 * @q: the queue
 * @state: VACCEL_STATE_*
 * @error: VACCEL_QERR_*
 *
 * Return: 0 or a negative errno
 */
int vaccel_ring_state(struct vaccel_queue *q, uint32_t state, uint32_t error)
{
	int ret;

	ret = vaccel_ring_store(q, offsetof(struct vaccel_ctrl, error), error);
	/* The error is there before the state that makes somebody look for it */
	if (!ret)
		ret = vaccel_ring_store(q, offsetof(struct vaccel_ctrl, state),
					state);
	return ret;
}

/**
 * vaccel_ring_start() - begin with empty rings
 * @q: the queue; its doorbells are zero
 *
 * Return: 0 or a negative errno
 */
int vaccel_ring_start(struct vaccel_queue *q)
{
	int ret;

	q->sq_head = 0;
	ret = vaccel_ring_store(q, offsetof(struct vaccel_ctrl, sq_head), 0);
	if (!ret)
		ret = vaccel_ring_store(q, offsetof(struct vaccel_ctrl, cq_tail),
					0);
	if (!ret)
		ret = vaccel_ring_store(q, offsetof(struct vaccel_ctrl, flags),
					0);
	if (!ret)
		ret = vaccel_ring_state(q, VACCEL_STATE_RUNNING,
					VACCEL_QERR_NONE);
	return ret;
}

static int vaccel_ring_take(struct vaccel_queue *q, struct vaccel_desc *desc)
{
	uint32_t slot = q->sq_head % VACCEL_RING_ENTRIES;
	int ret;

	ret = vaccel_dma_ring(q, VACCEL_SQ_OFFSET + slot * sizeof(*desc), desc,
			      sizeof(*desc), false);
	if (ret)
		return ret;
	q->sq_head++;
	vaccel_count(q->dev, DESCRIPTORS);
	/* From here on the user may write the entry again */
	return vaccel_ring_store(q, offsetof(struct vaccel_ctrl, sq_head),
				 q->sq_head);
}

static int vaccel_ring_complete(struct vaccel_queue *q, struct vaccel_cqe *cqe)
{
	uint32_t slot = q->cq_tail % VACCEL_RING_ENTRIES;
	uint32_t status = le32_to_cpu(cqe->status);
	int ret;

	/* Counted first: who has seen the completion finds it counted */
	vaccel_count(q->dev, COMPLETIONS);
	if (status != VACCEL_ST_OK && status != VACCEL_ST_MORE)
		vaccel_count(q->dev, ERRORS);

	ret = vaccel_dma_ring(q, VACCEL_CQ_OFFSET + slot * sizeof(*cqe), cqe,
			      sizeof(*cqe), true);
	if (ret)
		return ret;
	/*
	 * Who sees it in memory may ring CQ_HEAD at once, or ask STATUS whether there
	 * is more: both compare with this one.
	 */
	qatomic_set(&q->cq_tail, q->cq_tail + 1);
	ret = vaccel_ring_store(q, offsetof(struct vaccel_ctrl, cq_tail),
				q->cq_tail);
	if (!ret)
		qemu_bh_schedule(q->irq);
	return ret;
}

/**
 * vaccel_ring_step() - do one descriptor, if there is one
 * @q: the queue
 * @error: set if the queue is to go to state ERROR
 *
 * Return: 0, or a negative errno if the descriptor was not completed
 */
int vaccel_ring_step(struct vaccel_queue *q, uint32_t *error)
{
	struct vaccel_doorbells db;
	struct vaccel_desc desc;
	struct vaccel_cqe cqe;
	int ret;

	vaccel_ring_look(q, &db);
	*error = vaccel_ring_check(q, &db);
	if (*error || !vaccel_ring_can_take(q, &db))
		return 0;

	if (vaccel_point(q, VACCEL_DIAG_ENGINE)) {
		*error = VACCEL_QERR_DEVICE;
		return 0;
	}
	if (vaccel_aborted(q))
		return -ECANCELED;

	ret = vaccel_ring_take(q, &desc);
	if (!ret)
		ret = vaccel_execute(q, &desc, &cqe);
	if (!ret) {
		cqe.sq_head = cpu_to_le32(q->sq_head);
		ret = vaccel_ring_complete(q, &cqe);
	}
	/* Rings that cannot be accessed: the driver gave us a bad address */
	if (ret && ret != -ECANCELED)
		*error = VACCEL_QERR_DEVICE;
	return ret;
}
