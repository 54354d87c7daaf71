/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One queue of a vaccel device, seen from user space.
 *
 * The smallest thing that speaks <misc/uacce/vaccel.h>: open a queue, put
 * descriptors in, take completions out. No threads, no allocation. It is also
 * the example to read when writing a library of one's own; the barriers are in
 * vaccel-queue.c and explained there.
 *
 * A typical use:
 *
 *	struct vaccel_queue q;
 *	struct vaccel_desc d = { .opcode = VACCEL_OP_CRC32, ... };
 *	struct vaccel_cqe cqe;
 *
 *	ret = vaccel_queue_open(&q, "/dev/uacce_sim-0");
 *	ret = vaccel_run(&q, &d, &cqe);
 *	if (!ret && le32toh(cqe.status) == VACCEL_ST_OK)
 *		crc = le64toh(cqe.result);
 *	vaccel_queue_close(&q);
 *
 * Rules:
 *  - Functions return 0 or more on success, a negative errno on failure.
 *  - Descriptors and completions are in the device's byte order, little-endian.
 *  - A queue is used by one thread at a time; two threads use two queues.
 *  - The source and destination of a descriptor belong to the device until its
 *    completion was reaped or the queue was stopped.
 *  - When the device goes away, touching the regions raises SIGBUS, and so do
 *    the functions here that look into them. Whoever wants to survive that
 *    installs a handler.
 */
#ifndef VACCEL_QUEUE_H
#define VACCEL_QUEUE_H

#include <stddef.h>
#include <misc/uacce/uacce.h>
#include <misc/uacce/vaccel.h>

/* How long vaccel_run() waits */
#define VACCEL_RUN_TIMEOUT_MS	30000

/* How long vaccel_queue_start() waits for the end of a reset */
#define VACCEL_START_TIMEOUT_MS	3000

/**
 * struct vaccel_queue - an open queue
 * @fd: the open device node, or -1
 * @mmio: the registers, VACCEL_REG_*
 * @dus: control page, rings and data area
 * @mmio_size: length of the mapping at @mmio
 * @dus_size: length of the mapping at @dus
 * @info: what VACCEL_CMD_INFO answered
 * @sq_tail: descriptors submitted since the queue was started
 * @cq_head: completions reaped since the queue was started
 * @kicks: how often the engine had to be woken by VACCEL_CMD_KICK
 *
 * All fields may be read. A test that wants to break the protocol may write
 * to the regions, too.
 */
struct vaccel_queue {
	int fd;
	void *mmio;
	void *dus;
	size_t mmio_size;
	size_t dus_size;
	struct vaccel_info info;
	__u32 sq_tail;
	__u32 cq_head;
	unsigned long kicks;
};

/*
 * Open @node, map both regions, read the info and start the queue. On failure
 * nothing is left behind. Besides what open(), mmap() and ioctl() return:
 * -ENODEV if @node is not a uacce device, -EPROTONOSUPPORT if it is one that
 * does not speak vaccel_v1. -EBUSY is open()'s: there is no free queue, or the
 * device is being reset, and another device may be of use.
 */
int vaccel_queue_open(struct vaccel_queue *q, const char *node);

/*
 * The same for a device node that is already open and not yet mapped. On
 * success @fd belongs to the queue; on failure it stays with the caller.
 */
int vaccel_queue_attach(struct vaccel_queue *q, int fd);

/* Unmap and close. A queue that was closed may be closed again. */
void vaccel_queue_close(struct vaccel_queue *q);

/*
 * Start a stopped queue, with empty rings; stop a started one, which aborts
 * what is outstanding without a completion. Opening starts the queue. While the
 * device is being reset it cannot be started: that is tried again and again for
 * VACCEL_START_TIMEOUT_MS, and then -EAGAIN. -EIO: the device has failed, and does
 * not come back before somebody resets it.
 */
int vaccel_queue_start(struct vaccel_queue *q);
int vaccel_queue_stop(struct vaccel_queue *q);

/* VACCEL_STATE_* and VACCEL_QERR_*, from the control page */
__u32 vaccel_queue_state(const struct vaccel_queue *q);
__u32 vaccel_queue_error(const struct vaccel_queue *q);

/*
 * How many descriptors can be submitted now. A place in the ring is free again
 * as soon as the device took the descriptor, be it completed or not.
 */
unsigned int vaccel_queue_space(const struct vaccel_queue *q);

/*
 * Submit a copy of @d. -EAGAIN: the ring is full, nothing was done. Any other
 * error is that of VACCEL_CMD_KICK: the descriptor is in the ring, but the
 * queue does not run (-EINVAL stopped, -EIO stopped by the device, -ENXIO dead,
 * -EPERM another process's).
 */
int vaccel_submit(struct vaccel_queue *q, const struct vaccel_desc *d);

/* Wake the engine, needed or not */
int vaccel_kick(struct vaccel_queue *q);

/* Take the oldest completion: 1, or 0 if there is none */
int vaccel_reap(struct vaccel_queue *q, struct vaccel_cqe *cqe);

/*
 * Take the oldest completion, and sleep in poll(2) until there is one: 1, or 0
 * after @timeout_ms (negative: never). -EIO: the device stopped the queue, see
 * vaccel_queue_error(); completions that came before that are returned first.
 * -ENXIO: the queue is dead, and what was not taken yet is lost. The buffers are
 * the caller's again only after vaccel_queue_close(). Signals do not end the
 * sleep.
 */
int vaccel_wait(struct vaccel_queue *q, struct vaccel_cqe *cqe, int timeout_ms);

/*
 * Submit @d and wait for its completion, on a queue with nothing outstanding.
 * 0: see cqe->status. -ETIMEDOUT after VACCEL_RUN_TIMEOUT_MS: @d is still
 * outstanding. Other errors as above.
 */
int vaccel_run(struct vaccel_queue *q, const struct vaccel_desc *d,
	       struct vaccel_cqe *cqe);

#endif /* VACCEL_QUEUE_H */
