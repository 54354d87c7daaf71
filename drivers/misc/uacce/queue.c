// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues: state machine, and the ops that are called one at a time.
 */
#include <linux/minmax.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "trace.h"
#include "uacce_private.h"

/* How long an open() waits for queues that are on their way back */
#define UACCE_PUT_WAIT		HZ

static struct workqueue_struct *uacce_put_wq;

/*
 * Note which op runs, for the one who waits for it (see evict.c), who reads both
 * without a lock.
 */
static void uacce_op_begin(struct uacce_queue *q, const char *op)
{
	WRITE_ONCE(q->op_pid, task_pid_nr(current));
	WRITE_ONCE(q->op, op);
}

static void uacce_op_end(struct uacce_queue *q)
{
	WRITE_ONCE(q->op, NULL);
}

static const char * const uacce_state_names[] = {
	[UACCE_Q_ZOMBIE] = "zombie",
	[UACCE_Q_INIT] = "init",
	[UACCE_Q_STARTED] = "started",
};

/*
 * For people: without the lock, as a queue that hangs in an op is the one worth
 * seeing.
 */
const char *uacce_queue_state_name(const struct uacce_queue *q)
{
	return uacce_state_names[READ_ONCE(q->state)];
}

static void uacce_queue_set_state(struct uacce_queue *q,
				  enum uacce_q_state state)
{
	lockdep_assert_held(&q->lock);

	WRITE_ONCE(q->state, state);
}

static int uacce_op_get(struct uacce_queue *q)
{
	const struct uacce_ops *ops = q->uacce->ops;
	int ret = 0;

	lockdep_assert_held(&q->lock);

	if (ops->get_queue) {
		uacce_op_begin(q, "get_queue");
		ret = ops->get_queue(q->uacce, q->pasid, q);
		uacce_op_end(q);
		/* Drivers were never told that positive numbers mean anything. */
		ret = min(ret, 0);
	}
	trace_uacce_get_queue(q, ret);

	return ret;
}

static int uacce_op_start(struct uacce_queue *q)
{
	const struct uacce_ops *ops = q->uacce->ops;
	int ret = 0;

	lockdep_assert_held(&q->lock);

	if (q->state != UACCE_Q_INIT)
		return -EINVAL;

	if (ops->start_queue) {
		uacce_op_begin(q, "start_queue");
		ret = ops->start_queue(q);
		uacce_op_end(q);
		ret = min(ret, 0);
	}
	trace_uacce_start_queue(q, ret);
	if (!ret)
		uacce_queue_set_state(q, UACCE_Q_STARTED);

	return ret;
}

static void uacce_op_stop(struct uacce_queue *q)
{
	const struct uacce_ops *ops = q->uacce->ops;

	lockdep_assert_held(&q->lock);

	if (q->state != UACCE_Q_STARTED)
		return;

	if (ops->stop_queue) {
		uacce_op_begin(q, "stop_queue");
		ops->stop_queue(q);
		uacce_op_end(q);
	}
	trace_uacce_stop_queue(q, 0);
	uacce_queue_set_state(q, UACCE_Q_INIT);
}

static long uacce_op_ioctl(struct uacce_queue *q, unsigned int cmd,
			   unsigned long arg)
{
	const struct uacce_ops *ops = q->uacce->ops;
	long ret;

	lockdep_assert_held(&q->lock);

	if (!ops->ioctl)
		return -ENOTTY;

	uacce_op_begin(q, "ioctl");
	ret = ops->ioctl(q, cmd, arg);
	uacce_op_end(q);

	return ret;
}

/**
 * uacce_queue_ioctl() - all ioctls
 * @q: the queue
 * @cmd: command
 * @arg: its argument
 *
 * Return: -ENXIO if the queue is dead, -EPERM if it is another address space's,
 *	else what the command says.
 */
long uacce_queue_ioctl(struct uacce_queue *q, unsigned int cmd,
		       unsigned long arg)
{
	long ret;

	/* Those who will be refused anyway need not wait for the lock. */
	if (READ_ONCE(q->dead))
		return -ENXIO;
	if (!uacce_queue_owned_by(q, current->mm))
		return -EPERM;

	if (mutex_lock_killable(&q->lock))
		return -EINTR;

	/* Marked dead but not stopped: do not make a remove wait once more. */
	if (q->state == UACCE_Q_ZOMBIE || READ_ONCE(q->dead)) {
		ret = -ENXIO;
		goto out_unlock;
	}

	switch (cmd) {
	case UACCE_CMD_START_Q:
		ret = uacce_op_start(q);
		break;
	case UACCE_CMD_PUT_Q:
		uacce_op_stop(q);
		ret = 0;
		break;
	default:
		ret = uacce_op_ioctl(q, cmd, arg);
	}

out_unlock:
	mutex_unlock(&q->lock);
	return ret;
}

/**
 * uacce_queue_mark_dead() - the queue is of no use any more; tell everybody
 * @q: the queue
 *
 * It need not be stopped yet. From now on there is no new mapping, and poll()
 * reports an error and calls no op.
 */
void uacce_queue_mark_dead(struct uacce_queue *q)
{
	scoped_guard(mutex, &q->map_lock)
		WRITE_ONCE(q->dead, true);
	wake_up_all(&q->wait);
	/* It may be an open() that waits for hardware. */
	wake_up_all(&q->uacce->idle);
}

static void uacce_queue_stop_locked(struct uacce_queue *q)
{
	uacce_op_stop(q);
	uacce_queue_set_state(q, UACCE_Q_ZOMBIE);
}

/**
 * uacce_queue_try_stop() - stop a dead queue, unless it is in an op
 * @q: the queue
 *
 * It keeps its hardware, for the sake of the mappings, until
 * uacce_queue_put_hw().
 *
 * Return: whether it is stopped.
 */
bool uacce_queue_try_stop(struct uacce_queue *q)
{
	if (!mutex_trylock(&q->lock))
		return false;

	uacce_queue_stop_locked(q);
	mutex_unlock(&q->lock);

	return true;
}

/**
 * uacce_queue_stop_for_good() - stop a dead queue
 * @q: the queue; waits for the op that it is in
 */
void uacce_queue_stop_for_good(struct uacce_queue *q)
{
	guard(mutex)(&q->lock);
	uacce_queue_stop_locked(q);
}

static void uacce_queue_put_hw_locked(struct uacce_queue *q)
{
	bool has_hw;

	lockdep_assert_held(&q->put_lock);

	scoped_guard(mutex, &q->lock) {
		uacce_queue_stop_locked(q);
		has_hw = q->has_hw;
		q->has_hw = false;
	}

	if (!has_hw)
		return;
	if (q->uacce->ops->put_queue) {
		uacce_op_begin(q, "put_queue");
		q->uacce->ops->put_queue(q);
		uacce_op_end(q);
	}
	trace_uacce_put_queue(q, 0);
}

/**
 * uacce_queue_put_hw() - give the hardware queue back to the driver
 * @q: the queue; none of its regions is mapped
 *
 * Only the first call does anything; others wait for it. Stops the queue if it
 * was not stopped yet.
 */
void uacce_queue_put_hw(struct uacce_queue *q)
{
	guard(mutex)(&q->put_lock);
	uacce_queue_put_hw_locked(q);
}

/**
 * uacce_queue_try_put_hw() - the same, unless somebody else is at it
 * @q: the queue; none of its regions is mapped
 *
 * Return: whether the driver has the hardware queue back.
 */
bool uacce_queue_try_put_hw(struct uacce_queue *q)
{
	if (!mutex_trylock(&q->put_lock))
		return false;

	uacce_queue_put_hw_locked(q);
	mutex_unlock(&q->put_lock);

	return true;
}

/* Return: whether it is worth while to ask the driver for hardware once more. */
static bool uacce_queue_wait_for_puts(struct uacce_queue *q)
{
	struct uacce_device *uacce = q->uacce;

	return wait_event_killable_timeout(uacce->idle,
					   !atomic_read(&uacce->puts_pending) ||
					   READ_ONCE(q->dead),
					   UACCE_PUT_WAIT) >= 0;
}

/**
 * uacce_queue_get_hw() - get a hardware queue from the driver
 * @q: the queue, just made
 *
 * The queues of processes that exited a moment ago may still be on their way
 * back: a driver that has none is asked again once they are there.
 *
 * Return: 0 or the error of the driver, or -ENODEV if the device went meanwhile.
 */
int uacce_queue_get_hw(struct uacce_queue *q)
{
	bool pending;
	int ret;

	lockdep_assert_held(&q->lock);

	/* Look before: they may be there by the time that the driver has refused. */
	pending = atomic_read(&q->uacce->puts_pending);
	ret = uacce_op_get(q);
	if (ret == -EBUSY && pending && uacce_queue_wait_for_puts(q))
		ret = READ_ONCE(q->dead) ? -ENODEV : uacce_op_get(q);
	if (ret)
		return ret;

	q->has_hw = true;
	uacce_queue_set_state(q, UACCE_Q_INIT);

	return 0;
}

static void uacce_queue_put_work(struct work_struct *work)
{
	struct uacce_queue *q = container_of(work, struct uacce_queue,
					     put_work);
	struct uacce_device *uacce = q->uacce;

	uacce_queue_put_hw(q);
	if (atomic_dec_and_test(&uacce->puts_pending))
		wake_up_all(&uacce->idle);
	uacce_queue_put(q);
}

/**
 * uacce_queue_schedule_put() - if dead and not mapped, give the hardware back
 * @q: the queue
 *
 * To be called whenever one of the two may have become true; the work does
 * nothing if it comes twice.
 */
void uacce_queue_schedule_put(struct uacce_queue *q)
{
	scoped_guard(mutex, &q->map_lock) {
		if (!q->dead || uacce_regions_mapped(q))
			return;
	}

	kref_get(&q->ref);
	atomic_inc(&q->uacce->puts_pending);
	if (!queue_work(uacce_put_wq, &q->put_work)) {
		/* The one that is queued may be done by now, so this may be the last. */
		if (atomic_dec_and_test(&q->uacce->puts_pending))
			wake_up_all(&q->uacce->idle);
		uacce_queue_put(q);
	}
}

/**
 * uacce_queue_alloc() - make a queue, complete but for its bond
 * @uacce: the device
 *
 * Return: the queue with one reference, or NULL.
 */
struct uacce_queue *uacce_queue_alloc(struct uacce_device *uacce)
{
	struct uacce_queue *q;

	/* One that is dead is bounded by nothing but the files that somebody has. */
	q = kzalloc_obj(*q, GFP_KERNEL_ACCOUNT);
	if (!q)
		return NULL;

	kref_init(&q->ref);
	mutex_init(&q->put_lock);
	mutex_init(&q->lock);
	mutex_init(&q->map_lock);
	init_waitqueue_head(&q->wait);
	INIT_WORK(&q->put_work, uacce_queue_put_work);
	uacce_regions_init(q);
	q->uacce = uacce;
	q->state = UACCE_Q_ZOMBIE;
	q->id = atomic_inc_return(&uacce->next_id);
	q->owner = get_pid(task_tgid(current));

	return q;
}

static void uacce_queue_release(struct kref *ref)
{
	struct uacce_queue *q = container_of(ref, struct uacce_queue, ref);

	mutex_destroy(&q->map_lock);
	mutex_destroy(&q->lock);
	mutex_destroy(&q->put_lock);
	put_pid(q->owner);
	if (q->bond)
		uacce_bond_del_queue(q->bond, q);
	kfree(q);
}

void uacce_queue_put(struct uacce_queue *q)
{
	kref_put(&q->ref, uacce_queue_release);
}

int uacce_queue_module_init(void)
{
	uacce_put_wq = alloc_workqueue("uacce_put", WQ_UNBOUND, 0);

	return uacce_put_wq ? 0 : -ENOMEM;
}

void uacce_queue_module_exit(void)
{
	destroy_workqueue(uacce_put_wq);
}
