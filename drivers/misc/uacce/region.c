// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regions: the parts of a queue that user space maps.
 *
 * A region is mapped at most once, as a whole, and stays where it is. What
 * counts is the VMAs that show it: a mremap() that is refused makes a second one
 * for a moment.
 */
#include <linux/fs.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/workqueue.h>

#include "uacce_private.h"

static struct uacce_qfile_region *uacce_vma_region(struct vm_area_struct *vma)
{
	struct uacce_queue *q = vma->vm_private_data;

	/* uacce_region_mmap() checked it, and no VMA of ours is ever split. */
	return &q->regions[vma->vm_pgoff];
}

/* Return: whether that was the last VMA. */
static bool uacce_region_unclaim(struct uacce_queue *q,
				 struct uacce_qfile_region *region)
{
	guard(mutex)(&q->map_lock);

	if (--region->vmas)
		return false;

	/* Not the last reference: the VMA was in this very mm. */
	mmdrop(region->mm);
	region->mm = NULL;

	return true;
}

static void uacce_vma_open(struct vm_area_struct *vma)
{
	struct uacce_queue *q = vma->vm_private_data;

	guard(mutex)(&q->map_lock);
	uacce_vma_region(vma)->vmas++;
}

static void uacce_vma_close(struct vm_area_struct *vma)
{
	struct uacce_queue *q = vma->vm_private_data;

	/* A queue whose address space died may have waited for this. */
	if (uacce_region_unclaim(q, uacce_vma_region(vma)))
		uacce_queue_schedule_put(q);
}

static int uacce_vma_may_split(struct vm_area_struct *vma, unsigned long addr)
{
	return -EINVAL;
}

static int uacce_vma_mremap(struct vm_area_struct *vma)
{
	return -EPERM;
}

/* All is mapped by mmap(): what is not there any more was zapped. */
static vm_fault_t uacce_vma_fault(struct vm_fault *vmf)
{
	return VM_FAULT_SIGBUS;
}

static const struct vm_operations_struct uacce_vm_ops = {
	.open = uacce_vma_open,
	.close = uacce_vma_close,
	.may_split = uacce_vma_may_split,
	.mremap = uacce_vma_mremap,
	.fault = uacce_vma_fault,
};

/*
 * VM_DONTCOPY keeps the region from children; with VM_IO madvise() can undo
 * neither that nor VM_DONTDUMP.
 */
static void uacce_vma_prepare(struct vm_area_struct *vma, struct uacce_queue *q,
			      enum uacce_qfrt type)
{
	vm_flags_set(vma, VM_IO | VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_ops = &uacce_vm_ops;
	vma->vm_private_data = q;
	vma->vm_pgoff = type;
}

/* Take the region for a mapping; from here on a remove waits for it. */
static int uacce_region_claim(struct uacce_queue *q, struct vm_area_struct *vma)
{
	struct uacce_device *uacce = q->uacce;
	struct uacce_qfile_region *region;

	guard(mutex)(&q->map_lock);

	if (q->dead)
		return -ENXIO;
	if (!uacce_queue_owned_by(q, vma->vm_mm))
		return -EPERM;
	if (vma->vm_pgoff >= UACCE_MAX_REGION || !uacce->ops->mmap)
		return -EINVAL;
	if (!(vma->vm_flags & VM_MAYSHARE) ||
	    vma_pages(vma) > uacce->qf_pg_num[vma->vm_pgoff])
		return -EINVAL;

	region = &q->regions[vma->vm_pgoff];
	if (region->vmas)
		return -EEXIST;

	mmgrab(vma->vm_mm);
	region->mm = vma->vm_mm;
	region->pid = task_pid_nr(current);
	region->vmas = 1;

	return 0;
}

/**
 * uacce_region_mmap() - map a region
 * @q: the queue
 * @vma: the VMA; its page offset names the region
 *
 * The driver's op runs without a lock of ours, so that poll() does not wait
 * for it. It runs under the mmap_lock, by which uacce_regions_sync() knows
 * when it is over.
 *
 * Return: 0; -ENXIO if the queue is dead; -EPERM if it is another address
 *	space's; -EINVAL for a region that does not exist, a size beyond it,
 *	a private mapping; -EEXIST if it is mapped; or the driver's error.
 */
int uacce_region_mmap(struct uacce_queue *q, struct vm_area_struct *vma)
{
	enum uacce_qfrt type = vma->vm_pgoff;
	struct uacce_qfile_region *region;
	int ret;

	mmap_assert_write_locked(vma->vm_mm);

	ret = uacce_region_claim(q, vma);
	if (ret)
		return ret;

	region = &q->regions[type];
	uacce_vma_prepare(vma, q, type);
	ret = min(q->uacce->ops->mmap(q, vma, region), 0);
	/* The driver may have had its own idea of these. */
	uacce_vma_prepare(vma, q, type);
	if (ret) {
		/*
		 * What it mapped before it failed must go before the queue can
		 * be put, so do not leave that to the end of mmap().
		 */
		zap_vma(vma);
		uacce_region_unclaim(q, region);
	}

	return ret;
}

bool uacce_regions_mapped(struct uacce_queue *q)
{
	unsigned int i;

	lockdep_assert_held(&q->map_lock);

	for (i = 0; i < UACCE_MAX_REGION; i++) {
		if (q->regions[i].vmas)
			return true;
	}

	return false;
}

static struct mm_struct *uacce_region_get_mm(struct uacce_queue *q,
					     unsigned int type)
{
	struct mm_struct *mm;

	guard(mutex)(&q->map_lock);

	mm = q->regions[type].mm;

	return mm && mmget_not_zero(mm) ? mm : NULL;
}

static void uacce_regions_sync_work(struct work_struct *work)
{
	struct uacce_queue *q = container_of(work, struct uacce_queue, sync_work);
	struct mm_struct *mm;
	unsigned int i;

	for (i = 0; i < UACCE_MAX_REGION; i++) {
		mm = uacce_region_get_mm(q, i);
		if (!mm)
			continue;
		/*
		 * For reading will do: mmap() has it for writing. Nobody kills a
		 * work item, but this way it is no hung task while a user keeps
		 * the lock.
		 */
		if (!mmap_read_lock_killable(mm))
			mmap_read_unlock(mm);
		/* If it is the last reference, mm_exit must not run here. */
		mmput_async(mm);
	}

	/* Pairs with uacce_regions_synced(). */
	smp_store_release(&q->synced, true);
	uacce_queue_put(q);
}

/**
 * uacce_regions_sync() - begin to wait for the calls of mmap() that are under way
 * @q: the queue, marked dead a moment ago
 *
 * A VMA can be found only after the driver's op, at the end of mmap(). Having had
 * the mmap_lock for a moment, we know that each mmap() of this queue either has
 * come to its end or will see that the queue is dead. Others may want the lock all
 * the time, so it takes somebody who stands in line for it: a work item, once.
 */
void uacce_regions_sync(struct uacce_queue *q)
{
	scoped_guard(mutex, &q->map_lock) {
		if (!uacce_regions_mapped(q)) {
			q->synced = true;
			return;
		}
	}

	kref_get(&q->ref);
	queue_work(q->uacce->sync_wq, &q->sync_work);
}

/* Return: whether no mmap() is under way, and the VMAs of earlier ones can be found */
bool uacce_regions_synced(struct uacce_queue *q)
{
	/* Pairs with the end of the work. */
	return smp_load_acquire(&q->synced);
}

/* Who maps a region of the queue, or 0 */
pid_t uacce_regions_pid(struct uacce_queue *q)
{
	unsigned int i;

	guard(mutex)(&q->map_lock);

	for (i = 0; i < UACCE_MAX_REGION; i++) {
		if (q->regions[i].vmas)
			return q->regions[i].pid;
	}

	return 0;
}

/**
 * uacce_regions_zap() - take the pages of a dead queue away from user space
 * @q: the queue
 * @zapped: what was zapped last
 *
 * All queues that were opened through one device node share its address_space,
 * and one zap serves them all: @zapped spares the others.
 */
void uacce_regions_zap(struct uacce_queue *q, struct address_space **zapped)
{
	guard(mutex)(&q->map_lock);

	if (!q->mapping || q->mapping == *zapped)
		return;

	unmap_mapping_range(q->mapping, 0, 0, 1);
	*zapped = q->mapping;
}

/*
 * The file is on its way out, and with it the inode that q->mapping is part of.
 * No VMA is left, as each had a reference to the file.
 */
void uacce_regions_detach(struct uacce_queue *q)
{
	guard(mutex)(&q->map_lock);
	q->mapping = NULL;
}

void uacce_regions_init(struct uacce_queue *q)
{
	unsigned int i;

	for (i = 0; i < UACCE_MAX_REGION; i++)
		q->regions[i].type = i;
	INIT_WORK(&q->sync_work, uacce_regions_sync_work);
}
