// SPDX-License-Identifier: GPL-2.0-only
/*
 * The end of a device: every queue is stopped, unmapped, put and unbound, with
 * its file still open.
 */
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/timer.h>

#include "uacce_private.h"

/* After how long a remove says whom it waits for */
#define UACCE_EVICT_PATIENCE	(10 * HZ)

/**
 * struct uacce_watch - tells the log when waiting for a queue takes long
 * @timer: runs out after UACCE_EVICT_PATIENCE
 * @q: the queue
 */
struct uacce_watch {
	struct timer_list timer;
	struct uacce_queue *q;
};

static pid_t uacce_mmap_pid(const struct uacce_queue *q)
{
	pid_t pid = 0;
	unsigned int i;

	for (i = 0; i < UACCE_MAX_REGION && !pid; i++)
		pid = READ_ONCE(q->regions[i].op_pid);

	return pid;
}

static void uacce_watch_expired(struct timer_list *t)
{
	struct uacce_watch *watch = timer_container_of(watch, t, timer);
	const struct uacce_queue *q = watch->q;
	const char *op = READ_ONCE(q->op);
	struct task_struct *task;
	pid_t pid;

	if (op) {
		pid = READ_ONCE(q->op_pid);
	} else {
		pid = uacce_mmap_pid(q);
		op = pid ? "mmap" : "a lock";
	}

	guard(rcu)();
	task = pid ? pid_task(find_pid_ns(pid, &init_pid_ns), PIDTYPE_PID) : NULL;
	dev_warn(&q->uacce->dev,
		 "removing the device waits for queue %u, which is in %s for task %s (pid %d)\n",
		 q->id, op, task ? task->comm : "unknown", pid);
}

static void uacce_watch_start(struct uacce_watch *watch, struct uacce_queue *q)
{
	watch->q = q;
	timer_setup_on_stack(&watch->timer, uacce_watch_expired, 0);
	mod_timer(&watch->timer, jiffies + UACCE_EVICT_PATIENCE);
}

static void uacce_watch_stop(struct uacce_watch *watch)
{
	timer_delete_sync(&watch->timer);
	timer_destroy_on_stack(&watch->timer);
}

/* What can be done without waiting for anybody: see that it is done first. */
static void uacce_evict_at_once(struct uacce_device *uacce)
{
	struct address_space *zapped = NULL;
	struct uacce_queue *q = NULL;
	struct uacce_mm *bond = NULL;

	while ((bond = uacce_bond_next(uacce, bond))) {
		uacce_bond_kill(bond);
		while ((q = uacce_bond_next_queue(bond, q))) {
			uacce_queue_mark_dead(q);
			uacce_queue_try_stop(q);
		}
	}

	while ((bond = uacce_bond_next(uacce, bond))) {
		while ((q = uacce_bond_next_queue(bond, q)))
			uacce_regions_zap(q, &zapped);
	}
}

/* Wait for the queues that were in an op, and for every mmap() under way. */
static void uacce_evict_busy(struct uacce_device *uacce)
{
	struct address_space *zapped = NULL;
	struct uacce_watch watch;
	struct uacce_queue *q = NULL;
	struct uacce_mm *bond = NULL;

	while ((bond = uacce_bond_next(uacce, bond))) {
		while ((q = uacce_bond_next_queue(bond, q))) {
			uacce_watch_start(&watch, q);
			uacce_queue_stop_for_good(q);
			uacce_regions_sync(q);
			uacce_watch_stop(&watch);
		}
	}

	while ((bond = uacce_bond_next(uacce, bond))) {
		while ((q = uacce_bond_next_queue(bond, q)))
			uacce_regions_zap(q, &zapped);
	}
}

static void uacce_evict_put(struct uacce_device *uacce)
{
	struct uacce_watch watch;
	struct uacce_queue *q = NULL;
	struct uacce_mm *bond = NULL;

	while ((bond = uacce_bond_next(uacce, bond))) {
		while ((q = uacce_bond_next_queue(bond, q))) {
			uacce_watch_start(&watch, q);
			uacce_queue_put_hw(q);
			uacce_watch_stop(&watch);
		}
	}
}

static void uacce_evict_unbind(struct uacce_device *uacce)
{
	struct uacce_mm *bond = NULL;

	while ((bond = uacce_bond_next(uacce, bond))) {
		/* A bind that is under way ends here; none begins any more. */
		mutex_lock(&bond->bind_lock);
		mutex_unlock(&bond->bind_lock);
		uacce_bond_teardown(bond);
	}

	/* Others may be tearing down: a close(), the exit work. */
	wait_event(uacce->idle, !READ_ONCE(uacce->binds));
}

/**
 * uacce_evict_all() - take a device away from all who use it
 * @uacce: the device, marked dead, so that there will be no new bonds
 *
 * When this returns no op of the driver runs, and none will.
 *
 * Context: process context; sleeps, if need be until user space lets an op
 *	return.
 */
void uacce_evict_all(struct uacce_device *uacce)
{
	uacce_evict_at_once(uacce);
	uacce_evict_busy(uacce);
	uacce_evict_put(uacce);
	uacce_evict_unbind(uacce);
}
