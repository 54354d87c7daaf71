// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bonds: which address spaces use a device, and the one SVA handle of each.
 */
#include <linux/iommu.h>
#include <linux/rhashtable.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "trace.h"
#include "uacce_private.h"

/* How often a bind that found no PASID is tried again */
#define UACCE_BIND_RETRIES	3

static struct workqueue_struct *uacce_bond_wq;

static const struct rhashtable_params uacce_mms_params = {
	.key_len = sizeof_field(struct uacce_mm, mm),
	.key_offset = offsetof(struct uacce_mm, mm),
	.head_offset = offsetof(struct uacce_mm, hash),
	.automatic_shrinking = true,
};

int uacce_bonds_init(struct uacce_device *uacce)
{
	mutex_init(&uacce->mm_lock);
	INIT_LIST_HEAD(&uacce->bonds);

	return rhashtable_init(&uacce->mms, &uacce_mms_params);
}

void uacce_bonds_destroy(struct uacce_device *uacce)
{
	rhashtable_destroy(&uacce->mms);
	mutex_destroy(&uacce->mm_lock);
}

static void uacce_bond_free_work(struct work_struct *work)
{
	struct uacce_mm *bond = container_of(work, struct uacce_mm, free_work);
	struct uacce_device *uacce = bond->uacce;

	scoped_guard(mutex, &uacce->mm_lock)
		list_del(&bond->node);

	mutex_destroy(&bond->lock);
	mutex_destroy(&bond->bind_lock);
	kfree(bond);
	put_device(&uacce->dev);
}

static void uacce_bond_release(struct kref *ref)
{
	struct uacce_mm *bond = container_of(ref, struct uacce_mm, ref);

	/* The last reference may be the notifier's: no sleeping here. */
	queue_work(uacce_bond_wq, &bond->free_work);
}

void uacce_bond_put(struct uacce_mm *bond)
{
	kref_put(&bond->ref, uacce_bond_release);
}

static void uacce_bond_unhash(struct uacce_mm *bond)
{
	lockdep_assert_held(&bond->uacce->mm_lock);

	/* Whoever comes second finds nothing, which is fine. */
	rhashtable_remove_fast(&bond->uacce->mms, &bond->hash,
			       uacce_mms_params);
}

/* Unbind, unless nothing was bound, and let go of the address space. */
static void uacce_bond_teardown(struct uacce_mm *bond)
{
	struct uacce_device *uacce = bond->uacce;

	/* Not done yet if the address space or the device went first */
	scoped_guard(mutex, &uacce->mm_lock)
		uacce_bond_unhash(bond);

	if (!bond->mm)
		return;

	if (bond->handle) {
		iommu_sva_unbind_device(bond->handle);
		trace_uacce_unbind(bond, bond->pasid);
		uacce_notifier_put(bond);
	}
	mmdrop(bond->mm);

	/* uacce_remove() waits for this: the parent is not touched any more. */
	scoped_guard(mutex, &uacce->mm_lock)
		uacce->binds--;
}

/*
 * Unbind a bond all of whose queues are stopped, and let go of the address space. Only
 * the first call does anything. It must not come while the bond is being bound. What
 * belongs to a dead address space is left to its exit work.
 *
 * No lock may be held that mm_exit takes.
 */
static void uacce_bond_end(struct uacce_mm *bond)
{
	struct mm_struct *mm = bond->mm;
	struct iommu_sva *handle;

	scoped_guard(mutex, &bond->lock) {
		handle = bond->handle;
		if (bond->torn)
			return;
		/* It must not die before it is unbound: see the exit work. */
		if (handle && !mmget_not_zero(mm))
			return;
		bond->torn = true;
		bond->dead = true;
	}

	uacce_bond_teardown(bond);
	if (handle)
		mmput_async(mm);
}

static void uacce_bond_end_work(struct work_struct *work)
{
	struct uacce_mm *bond = container_of(work, struct uacce_mm, end_work);

	uacce_bond_end(bond);
	uacce_bond_put(bond);
}

/**
 * uacce_bond_queue_end() - have a bond unbound for a device that goes away
 * @bond: the bond; all its queues are stopped, and none will come
 *
 * In a work item, as unbinding waits for page faults under way, and these perhaps for
 * a user: who takes the device away shall be able to say so meanwhile.
 */
void uacce_bond_queue_end(struct uacce_mm *bond)
{
	kref_get(&bond->ref);
	if (!queue_work(uacce_bond_wq, &bond->end_work))
		uacce_bond_put(bond);
}

static void uacce_bond_exit_work(struct work_struct *work)
{
	struct uacce_mm *bond = container_of(work, struct uacce_mm, exit_work);

	/*
	 * Unbinding must not meet the IOMMU driver's own .release, which takes the
	 * PASID away on the same hardware: the two do not lock each other out, and
	 * who comes second may skip the wait for page faults under way. All .release
	 * run in one SRCU section.
	 */
	mmu_notifier_synchronize();

	scoped_guard(mutex, &bond->lock)
		bond->torn = true;
	uacce_bond_teardown(bond);
	uacce_bond_put(bond);
}

/* Let go of a dead address space, later and elsewhere. */
void uacce_bond_queue_exit(struct uacce_mm *bond)
{
	kref_get(&bond->ref);
	/* An address space dies once. */
	if (WARN_ON(!queue_work(uacce_bond_wq, &bond->exit_work)))
		uacce_bond_put(bond);
}

static struct uacce_mm *uacce_bond_alloc(struct uacce_device *uacce,
					 struct mm_struct *mm)
{
	struct uacce_mm *bond;

	bond = kzalloc_obj(*bond, GFP_KERNEL_ACCOUNT);
	if (!bond)
		return NULL;

	kref_init(&bond->ref);
	mutex_init(&bond->bind_lock);
	mutex_init(&bond->lock);
	INIT_LIST_HEAD(&bond->queues);
	INIT_WORK(&bond->exit_work, uacce_bond_exit_work);
	INIT_WORK(&bond->end_work, uacce_bond_end_work);
	INIT_WORK(&bond->free_work, uacce_bond_free_work);
	bond->uacce = uacce;
	bond->mm = mm;

	return bond;
}

static int uacce_bond_publish(struct uacce_mm *bond)
{
	struct uacce_device *uacce = bond->uacce;
	int ret;

	lockdep_assert_held(&uacce->mm_lock);

	ret = rhashtable_insert_fast(&uacce->mms, &bond->hash,
				     uacce_mms_params);
	if (ret)
		return ret;

	get_device(&uacce->dev);
	list_add_tail(&bond->node, &uacce->bonds);
	if (bond->mm) {
		mmgrab(bond->mm);
		uacce->binds++;
	}

	return 0;
}

/*
 * Become a user of the bond of @mm. If there is none, of @new, which nobody knows
 * yet and which may be NULL.
 */
static struct uacce_mm *uacce_bond_join(struct uacce_device *uacce,
					struct mm_struct *mm,
					struct uacce_mm *new)
{
	struct uacce_mm *bond;
	int ret;

	guard(mutex)(&uacce->mm_lock);

	if (uacce->dead)
		return ERR_PTR(-ENODEV);

	/*
	 * What is hashed has users, and its mm is pinned: a match cannot be
	 * with an earlier mm that had the same address.
	 */
	bond = rhashtable_lookup_fast(&uacce->mms, &mm, uacce_mms_params);
	if (bond) {
		kref_get(&bond->ref);
	} else if (new) {
		ret = uacce_bond_publish(new);
		if (ret)
			return ERR_PTR(ret);
		bond = new;
	}
	if (bond)
		bond->users++;

	return bond;
}

static struct uacce_mm *uacce_bond_get(struct uacce_device *uacce,
				       struct mm_struct *mm)
{
	struct uacce_mm *bond, *new;

	bond = uacce_bond_join(uacce, mm, NULL);
	if (bond)
		return bond;

	/* Not under mm_lock, where it would keep others from closing */
	new = uacce_bond_alloc(uacce, mm);
	if (!new)
		return ERR_PTR(-ENOMEM);

	bond = uacce_bond_join(uacce, mm, new);
	if (bond != new)
		kfree(new);

	return bond;
}

/*
 * The PASID of a dead address space comes back only when its structure is freed,
 * and that happens behind the scenes: after our exit work, and after the grace
 * period of our notifier and the IOMMU driver's. One flush waits for all
 * that is ours. The IOMMU driver's part may take a little longer, and a CPU
 * that idles may still borrow the mm, hence more than one try.
 */
static struct iommu_sva *uacce_bond_sva_handle(struct uacce_mm *bond)
{
	struct device *parent = bond->uacce->parent;
	struct iommu_sva *handle;
	unsigned int i;

	lockdep_assert_held(&bond->bind_lock);

	handle = iommu_sva_bind_device(parent, bond->mm);
	for (i = 0; handle == ERR_PTR(-ENOSPC) && i < UACCE_BIND_RETRIES; i++) {
		if (fatal_signal_pending(current))
			break;
		flush_workqueue(uacce_bond_wq);
		uacce_notifiers_wait();
		handle = iommu_sva_bind_device(parent, bond->mm);
	}

	return handle;
}

static int uacce_bond_bind_locked(struct uacce_mm *bond)
{
	struct iommu_sva *handle;
	int ret;

	handle = uacce_bond_sva_handle(bond);
	if (IS_ERR(handle))
		return PTR_ERR(handle);

	/*
	 * After the bind: notifiers run newest first, and ours has to stop the
	 * queues before the IOMMU driver's takes the page tables away.
	 */
	kref_get(&bond->ref);
	bond->notifier.ops = &uacce_mm_notifier_ops;
	ret = mmu_notifier_register(&bond->notifier, bond->mm);
	if (ret) {
		uacce_bond_put(bond);
		iommu_sva_unbind_device(handle);
		return ret;
	}

	scoped_guard(mutex, &bond->lock) {
		bond->pasid = iommu_sva_get_pasid(handle);
		bond->handle = handle;
	}
	trace_uacce_bind(bond, bond->pasid);

	return 0;
}

/* Bind the address space, unless one of its other queues has done it. */
static int uacce_bond_bind(struct uacce_mm *bond)
{
	int ret;

	/* Another thread may be at it for seconds, if there is no PASID. */
	ACQUIRE(mutex_intr, lock)(&bond->bind_lock);
	ret = ACQUIRE_ERR(mutex_intr, &lock);
	if (ret)
		return ret;

	WRITE_ONCE(bond->bind_pid, task_pid_nr(current));

	scoped_guard(mutex, &bond->lock) {
		if (bond->dead)
			return -ENODEV;
		if (bond->handle)
			return 0;
	}

	return uacce_bond_bind_locked(bond);
}

/**
 * uacce_bond_open() - become a user of the bond of the current address space
 * @uacce: the device
 *
 * Context: process context with an address space; sleeps.
 * Return: the bond, bound if the device does SVA; undo with uacce_bond_close().
 *	-ENODEV if the device is going away, -ERESTARTSYS after a signal, or
 *	the error of the bind.
 */
struct uacce_mm *uacce_bond_open(struct uacce_device *uacce)
{
	bool sva = uacce->flags & UACCE_DEV_SVA;
	struct uacce_mm *bond;
	int ret;

	bond = uacce_bond_get(uacce, sva ? current->mm : NULL);
	if (IS_ERR(bond) || !sva)
		return bond;

	ret = uacce_bond_bind(bond);
	if (ret) {
		uacce_bond_close(bond);
		/* Registering a notifier gives up at any signal; so try again. */
		return ERR_PTR(ret == -EINTR ? -ERESTARTSYS : ret);
	}

	return bond;
}

/**
 * uacce_bond_close() - stop being a user of a bond
 * @bond: the bond; the last user unbinds, unless the address space is dead
 *
 * Context: process context; sleeps. No lock held that mm_exit takes.
 */
void uacce_bond_close(struct uacce_mm *bond)
{
	bool last;

	/* Unhash together with the count: nobody may join what is torn down. */
	scoped_guard(mutex, &bond->uacce->mm_lock) {
		last = !--bond->users;
		if (last)
			uacce_bond_unhash(bond);
	}

	if (last)
		uacce_bond_end(bond);
	uacce_bond_put(bond);
}

/* From now on the bond gets no queues. */
void uacce_bond_kill(struct uacce_mm *bond)
{
	guard(mutex)(&bond->lock);
	bond->dead = true;
}

/**
 * uacce_bond_add_queue() - make a queue part of a bond
 * @bond: the bond
 * @q: the queue, which nobody else knows yet
 *
 * Return: 0, with q->lock held, so that whoever finds the queue from now on has
 *	to wait until it is complete; -ENODEV if the bond is dead.
 */
int uacce_bond_add_queue(struct uacce_mm *bond, struct uacce_queue *q)
{
	guard(mutex)(&bond->lock);

	if (bond->dead)
		return -ENODEV;

	mutex_lock(&q->lock);
	kref_get(&bond->ref);
	q->bond = bond;
	q->pasid = bond->pasid;
	list_add_tail(&q->node, &bond->queues);

	return 0;
}

/* The last reference to @q is gone. */
void uacce_bond_del_queue(struct uacce_mm *bond, struct uacce_queue *q)
{
	scoped_guard(mutex, &bond->lock)
		list_del(&q->node);
	uacce_bond_put(bond);
}

/**
 * uacce_bond_next() - walk over the bonds of a device
 * @uacce: the device
 * @prev: the bond before, whose reference is dropped, or NULL to begin
 *
 * Having come to the end, it begins anew. A walk that does not go to the end
 * must drop the last reference itself.
 *
 * Return: a bond with a reference taken, or NULL at the end.
 */
struct uacce_mm *uacce_bond_next(struct uacce_device *uacce,
				 struct uacce_mm *prev)
{
	struct uacce_mm *bond, *next = NULL;

	scoped_guard(mutex, &uacce->mm_lock) {
		bond = list_prepare_entry(prev, &uacce->bonds, node);
		list_for_each_entry_continue(bond, &uacce->bonds, node) {
			if (kref_get_unless_zero(&bond->ref)) {
				next = bond;
				break;
			}
		}
	}
	if (prev)
		uacce_bond_put(prev);

	return next;
}

/**
 * uacce_bond_next_queue() - walk over the queues of a bond
 * @bond: the bond
 * @prev: the queue before, whose reference is dropped, or NULL to begin
 *
 * As uacce_bond_next().
 *
 * Return: a queue with a reference taken, or NULL at the end.
 */
struct uacce_queue *uacce_bond_next_queue(struct uacce_mm *bond,
					  struct uacce_queue *prev)
{
	struct uacce_queue *q, *next = NULL;

	scoped_guard(mutex, &bond->lock) {
		q = list_prepare_entry(prev, &bond->queues, node);
		list_for_each_entry_continue(q, &bond->queues, node) {
			if (kref_get_unless_zero(&q->ref)) {
				next = q;
				break;
			}
		}
	}
	if (prev)
		uacce_queue_put(prev);

	return next;
}

int uacce_bond_module_init(void)
{
	/*
	 * Not WQ_MEM_RECLAIM: unbinding flushes the IOMMU's fault queue, which
	 * is not either.
	 */
	uacce_bond_wq = alloc_workqueue("uacce_bond", WQ_UNBOUND, 0);

	return uacce_bond_wq ? 0 : -ENOMEM;
}

/* No device is left: wait for what the ends of address spaces still do. */
void uacce_bond_module_drain(void)
{
	/* Exit work puts notifiers. */
	flush_workqueue(uacce_bond_wq);
	uacce_notifiers_drain();
}

void uacce_bond_module_exit(void)
{
	destroy_workqueue(uacce_bond_wq);
}
