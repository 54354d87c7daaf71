// SPDX-License-Identifier: GPL-2.0-only
/*
 * The end of a device: every queue is stopped, unmapped, put and unbound, with
 * its file still open.
 *
 * Nobody knows how long an op takes that waits for user space. So nothing here
 * waits for one queue while there is another to look after: what cannot be done
 * at once is tried again, over and over.
 */
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>

#include "uacce_private.h"

/* How often a remove says whom it waits for */
#define UACCE_EVICT_PATIENCE	(10 * HZ)
/* How long it sleeps between two rounds */
#define UACCE_EVICT_NAP_MS	5

/* How many of those it waits for it names at a time */
#define UACCE_EVICT_NAMES	10

/**
 * struct uacce_eviction - a remove that is under way
 * @uacce: the device
 * @deadline: when its patience ends next, in jiffies
 * @complain: it has ended in this round
 * @n_named: how many were named in this round, or would have been
 * @named: who, and what for
 */
struct uacce_eviction {
	struct uacce_device *uacce;
	unsigned long deadline;
	bool complain;
	unsigned int n_named;
	struct {
		pid_t pid;
		const char *what;
	} named[UACCE_EVICT_NAMES];
};

/* Go on with @phase, of which each call is a round, until it says that it is over. */
static void uacce_evict_until(struct uacce_eviction *ev,
			      bool (*phase)(struct uacce_eviction *ev))
{
	while (!phase(ev)) {
		schedule_timeout_idle(msecs_to_jiffies(UACCE_EVICT_NAP_MS));

		ev->n_named = 0;
		ev->complain = time_after(jiffies, ev->deadline);
		if (ev->complain)
			ev->deadline = jiffies + UACCE_EVICT_PATIENCE;
	}
	ev->complain = false;
}

/* Is that worth a line of its own? Many queues may wait for the same. */
static bool uacce_evict_is_news(struct uacce_eviction *ev, const char *what, pid_t pid)
{
	unsigned int i;

	for (i = 0; i < min(ev->n_named, UACCE_EVICT_NAMES); i++) {
		if (ev->named[i].pid == pid && ev->named[i].what == what)
			return false;
	}
	if (ev->n_named++ < UACCE_EVICT_NAMES) {
		ev->named[i].pid = pid;
		ev->named[i].what = what;
		return true;
	}
	if (ev->n_named == UACCE_EVICT_NAMES + 1)
		dev_warn(&ev->uacce->dev, "removing the device waits for more than these\n");

	return false;
}

/* The queue is the first of those that wait for that. */
static void uacce_evict_complain(struct uacce_eviction *ev, const struct uacce_queue *q,
				 const char *what, pid_t pid)
{
	struct task_struct *task;
	const char *comm;

	if (!ev->complain || !uacce_evict_is_news(ev, what, pid))
		return;

	guard(rcu)();
	task = pid ? pid_task(find_pid_ns(pid, &init_pid_ns), PIDTYPE_PID) : NULL;
	comm = task ? task->comm : "unknown";
	if (q)
		dev_warn(&ev->uacce->dev,
			 "removing the device waits for queue %u: %s, task %s (pid %d)\n",
			 q->id, what, comm, pid);
	else
		dev_warn(&ev->uacce->dev,
			 "removing the device waits for a bind: %s, task %s (pid %d)\n",
			 what, comm, pid);
}

static void uacce_evict_complain_queue(struct uacce_eviction *ev,
				       struct uacce_queue *q)
{
	const char *op = READ_ONCE(q->op);

	if (op)
		uacce_evict_complain(ev, q, op, READ_ONCE(q->op_pid));
	else
		uacce_evict_complain(ev, q, "mmap, or the mmap_lock of its process",
				     uacce_regions_pid(q));
}

/* Tell everybody that the device is gone. */
static void uacce_evict_mark(struct uacce_device *uacce)
{
	struct uacce_mm *bond = NULL;
	struct uacce_queue *q = NULL;

	while ((bond = uacce_bond_next(uacce, bond))) {
		uacce_bond_kill(bond);
		while ((q = uacce_bond_next_queue(bond, q))) {
			uacce_queue_mark_dead(q);
			uacce_regions_sync(q);
		}
	}
}

static void uacce_evict_zap(struct uacce_device *uacce)
{
	struct address_space *zapped = NULL;
	struct uacce_mm *bond = NULL;
	struct uacce_queue *q = NULL;

	while ((bond = uacce_bond_next(uacce, bond))) {
		while ((q = uacce_bond_next_queue(bond, q)))
			uacce_regions_zap(q, &zapped);
	}
}

/* Do @step on each queue. Return: whether it was done on all. */
static bool uacce_evict_round(struct uacce_eviction *ev,
			      bool (*step)(struct uacce_queue *q))
{
	struct uacce_mm *bond = NULL;
	struct uacce_queue *q = NULL;
	bool done = true;

	while ((bond = uacce_bond_next(ev->uacce, bond))) {
		while ((q = uacce_bond_next_queue(bond, q))) {
			if (!step(q)) {
				done = false;
				uacce_evict_complain_queue(ev, q);
			}
		}
	}

	return done;
}

static bool uacce_evict_stop_one(struct uacce_queue *q)
{
	return uacce_queue_try_stop(q) && uacce_regions_synced(q);
}

/*
 * Zap after the round: what the last mmap() made is mapped by the time that its queue
 * counts as stopped.
 */
static bool uacce_evict_stop(struct uacce_eviction *ev)
{
	bool stopped = uacce_evict_round(ev, uacce_evict_stop_one);

	uacce_evict_zap(ev->uacce);
	return stopped;
}

/* Drivers free the memory of regions here: nothing is mapped any more. */
static bool uacce_evict_put(struct uacce_eviction *ev)
{
	return uacce_evict_round(ev, uacce_queue_try_put_hw);
}

static bool uacce_evict_unbind(struct uacce_eviction *ev)
{
	struct uacce_mm *bond = NULL;
	bool done = true;

	while ((bond = uacce_bond_next(ev->uacce, bond))) {
		/* Once we had this lock, no bind is under way and none begins. */
		if (mutex_trylock(&bond->bind_lock)) {
			mutex_unlock(&bond->bind_lock);
			uacce_bond_queue_end(bond);
		} else {
			done = false;
			uacce_evict_complain(ev, NULL, "open",
					     READ_ONCE(bond->bind_pid));
		}
	}

	return done;
}

/*
 * Those who are at it, be they work of ours, of an address space that died before, or
 * a close(), use the parent until they are done. They wait for page faults, and thus
 * perhaps for a user.
 */
static bool uacce_evict_is_unbound(struct uacce_eviction *ev)
{
	struct uacce_device *uacce = ev->uacce;

	guard(mutex)(&uacce->mm_lock);

	if (!uacce->binds)
		return true;

	if (ev->complain)
		dev_warn(&uacce->dev,
			 "removing the device waits for %u address spaces that go away\n",
			 uacce->binds);
	return false;
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
	struct uacce_eviction ev = {
		.uacce = uacce,
		.deadline = jiffies + UACCE_EVICT_PATIENCE,
	};

	uacce_evict_mark(uacce);
	uacce_evict_until(&ev, uacce_evict_stop);
	uacce_evict_until(&ev, uacce_evict_put);
	uacce_evict_until(&ev, uacce_evict_unbind);
	uacce_evict_until(&ev, uacce_evict_is_unbound);
}
