// SPDX-License-Identifier: GPL-2.0-only
/*
 * The death of an address space.
 *
 * The IOMMU core does not tell the users of SVA that an mm goes away, so each
 * bond has an mmu_notifier to learn it: its .release runs when the last user of
 * the mm is gone and before the page tables are, and before the IOMMU driver's
 * own .release. Every queue of the mm is stopped there, whoever holds its
 * file. The rest can wait, and must, as unbinding is not allowed there: work
 * items unbind, and put each queue once nothing maps its regions.
 */
#include <linux/ktime.h>
#include <linux/rcupdate.h>
#include <linux/wait.h>

#include "trace.h"
#include "uacce_private.h"

/* Stopping the queues of one mm delays every other mm that exits. */
#define UACCE_SLOW_EXIT_MS	1000

/* Notifiers that were put and not freed yet */
static atomic_t uacce_notifiers_dying = ATOMIC_INIT(0);
static DECLARE_WAIT_QUEUE_HEAD(uacce_notifiers_idle);

/* The queue that took longest to stop, to name it */
struct uacce_slowest {
	u32 id;
	s64 ms;
};

static void uacce_slowest_note(struct uacce_slowest *slowest,
			       const struct uacce_queue *q, ktime_t since)
{
	s64 ms = ktime_ms_delta(ktime_get(), since);

	if (ms >= slowest->ms) {
		slowest->id = q->id;
		slowest->ms = ms;
	}
}

static void uacce_mm_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct uacce_mm *bond = container_of(mn, struct uacce_mm, notifier);
	struct uacce_slowest slowest = {};
	ktime_t start = ktime_get(), since;
	struct uacce_queue *q = NULL;
	s64 ms;

	trace_uacce_mm_exit(bond, bond->pasid);
	uacce_bond_kill(bond);

	/* One that is busy, say with a close(), does not delay the others. */
	while ((q = uacce_bond_next_queue(bond, q))) {
		uacce_queue_mark_dead(q);
		since = ktime_get();
		uacce_queue_try_stop(q);
		uacce_slowest_note(&slowest, q, since);
	}

	while ((q = uacce_bond_next_queue(bond, q))) {
		since = ktime_get();
		uacce_queue_stop_for_good(q);
		uacce_slowest_note(&slowest, q, since);
		uacce_queue_schedule_put(q);
	}

	trace_uacce_mm_exit_done(bond, bond->pasid);

	ms = ktime_ms_delta(ktime_get(), start);
	if (ms > UACCE_SLOW_EXIT_MS)
		dev_warn_ratelimited(&bond->uacce->dev,
				     "stopping an exiting process took %lld ms, of which queue %u %lld ms: stop_queue of the driver is too slow\n",
				     ms, slowest.id, slowest.ms);

	uacce_bond_queue_exit(bond);
}

/* Bottom halves are off: no mutex here, and no last put of a device. */
static void uacce_mm_free_notifier(struct mmu_notifier *mn)
{
	uacce_bond_put(container_of(mn, struct uacce_mm, notifier));
	if (atomic_dec_and_test(&uacce_notifiers_dying))
		wake_up_all(&uacce_notifiers_idle);
}

const struct mmu_notifier_ops uacce_mm_notifier_ops = {
	.release = uacce_mm_release,
	.free_notifier = uacce_mm_free_notifier,
};

void uacce_notifier_put(struct uacce_mm *bond)
{
	atomic_inc(&uacce_notifiers_dying);
	mmu_notifier_put(&bond->notifier);
}

/**
 * uacce_notifiers_wait() - wait for the notifiers that were put
 *
 * When this returns they have let go of their mm. Gives up after a while, as
 * there can be new ones all the time, and if the caller is killed.
 *
 * Context: process context; sleeps.
 */
void uacce_notifiers_wait(void)
{
	if (wait_event_killable_timeout(uacce_notifiers_idle,
					!atomic_read(&uacce_notifiers_dying), HZ) < 0)
		return;
	/*
	 * .free_notifier is called just before the mm is dropped, both with
	 * bottom halves off, which an RCU grace period waits for.
	 */
	synchronize_rcu();
}

/* Before the module goes: no callback may run or come. */
void uacce_notifiers_drain(void)
{
	wait_event(uacce_notifiers_idle, !atomic_read(&uacce_notifiers_dying));
	mmu_notifier_synchronize();
	synchronize_rcu();
}
