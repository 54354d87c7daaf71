/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside the UACCE core.
 *
 * Objects
 *
 *	uacce_device --+-- uacce_mm --+-- uacce_queue
 *	               |              `-- uacce_queue
 *	               `-- uacce_mm ----- uacce_queue
 *
 * A uacce_mm ("bond") is one address space on one device. It has the only SVA
 * handle of the two, however many queues they share. A device without SVA has
 * one bond without an address space, which just keeps its queues.
 *
 * References: a queue is held by its file, by its work items and by whoever walks
 * over it; it holds its bond. A bond is also held by its notifier, its work
 * items, its users; it holds the device. Queue and bond stay on the list of
 * what is above them until their last reference goes: thus a walker that holds
 * one finds the next from it, and a queue whose close() is under way is still
 * found by those who must wait for it. Lists are walked with
 * uacce_bond_next() and uacce_bond_next_queue().
 *
 * Locks, outermost first
 *
 *	uacce_mm.bind_lock	one bind of a bond at a time; taken by open(), and
 *				tried by remove
 *	  mmap_lock		(in mmu_notifier_register())
 *	  uacce_device.mm_lock	.dead, .mms, .bonds, .binds; uacce_mm.users.
 *				Short: no op, no bind, no unbind under it.
 *	    uacce_mm.lock	.queues, .dead, .torn, .handle. Short as well.
 *	      uacce_queue.put_lock
 *				put_queue, which can take its time
 *		uacce_queue.lock
 *				the other serialized ops; .state, .has_hw, .op
 *		  mmap_lock	(an op may access user memory)
 *		    uacce_queue.map_lock
 *				.dead, .mapping, .regions. All that mmap, VMA open
 *				and close, poll take. No op but is_q_updated is
 *				called under it.
 *		      i_mmap_rwsem
 *				(in unmap_mapping_range())
 *
 * uacce_mm.lock is not held around ops: a walker takes a reference to the queue
 * and drops the lock. uacce_queue.lock nests in it only in open(), for a queue
 * that nobody else can have locked. put_queue runs without uacce_queue.lock, as
 * mm_exit takes that one and must not wait for more than stop_queue: the queue
 * is a zombie by then, so that no other op can run.
 *
 * The death of an address space (uacce_mm_release()) takes uacce_mm.lock,
 * uacce_queue.lock and uacce_queue.map_lock. It can run on the IOMMU's page fault
 * worker, because that one may drop the last reference to the mm. Unbinding
 * flushes this worker. So none of these locks may be held around
 * iommu_sva_unbind_device() nor around what can end in it, and neither around a
 * final mmput(). It also runs inside the SRCU section of the mmu notifiers, so
 * none may be held around mmu_notifier_unregister() or _synchronize().
 */
#ifndef _UACCE_PRIVATE_H
#define _UACCE_PRIVATE_H

#include <linux/mmu_notifier.h>
#include <linux/uacce.h>

struct file;
struct iommu_sva;

#define to_uacce_device(d) container_of(d, struct uacce_device, dev)

/**
 * struct uacce_mm - bond between a device and an address space
 * @ref: reference count
 * @uacce: the device; holds a reference to it
 * @mm: the address space, NULL on a device without SVA. Pinned (mmgrab) from
 *	creation to teardown; afterwards good for nothing, as all queues are dead
 * @hash: in &uacce_device.mms while the bond can get queues
 * @node: in &uacce_device.bonds
 * @users: open files and opens under way
 * @bind_lock: one bind at a time
 * @bind_pid: who had it last
 * @lock: see above
 * @queues: the queues
 * @dead: no further queue may come: the address space or the device is gone
 * @torn: teardown has begun
 * @handle: from iommu_sva_bind_device(); stays, and whoever sets @torn unbinds
 * @pasid: of @handle
 * @notifier: on @mm, newer than the IOMMU driver's own
 * @exit_work: tears the bond down after the address space died
 * @end_work: tears it down for a device that goes
 * @free_work: frees the bond, as its last reference may go in atomic context
 */
struct uacce_mm {
	struct kref ref;
	struct uacce_device *uacce;
	struct mm_struct *mm;
	struct rhash_head hash;
	struct list_head node;
	unsigned int users;
	struct mutex bind_lock;	/* one bind at a time */
	pid_t bind_pid;
	struct mutex lock;	/* queues, dead, torn, handle */
	struct list_head queues;
	bool dead;
	bool torn;
	struct iommu_sva *handle;
	u32 pasid;
	struct mmu_notifier notifier;
	struct work_struct exit_work;
	struct work_struct end_work;
	struct work_struct free_work;
};

/* bond.c */
int uacce_bonds_init(struct uacce_device *uacce);
void uacce_bonds_destroy(struct uacce_device *uacce);
struct uacce_mm *uacce_bond_open(struct uacce_device *uacce);
void uacce_bond_close(struct uacce_mm *bond);
int uacce_bond_add_queue(struct uacce_mm *bond, struct uacce_queue *q);
void uacce_bond_del_queue(struct uacce_mm *bond, struct uacce_queue *q);
void uacce_bond_kill(struct uacce_mm *bond);
void uacce_bond_queue_end(struct uacce_mm *bond);
struct uacce_mm *uacce_bond_next(struct uacce_device *uacce,
				 struct uacce_mm *prev);
struct uacce_queue *uacce_bond_next_queue(struct uacce_mm *bond,
					  struct uacce_queue *prev);
int uacce_bond_module_init(void);
void uacce_bond_module_drain(void);
void uacce_bond_module_exit(void);

/* mm_exit.c */
extern const struct mmu_notifier_ops uacce_mm_notifier_ops;
void uacce_notifier_put(struct uacce_mm *bond);
void uacce_notifiers_wait(void);
void uacce_notifiers_drain(void);
void uacce_bond_put(struct uacce_mm *bond);
void uacce_bond_queue_exit(struct uacce_mm *bond);

/* queue.c */
struct uacce_queue *uacce_queue_alloc(struct uacce_device *uacce);
void uacce_queue_put(struct uacce_queue *q);
int uacce_queue_get_hw(struct uacce_queue *q);
bool uacce_queue_try_put_hw(struct uacce_queue *q);
void uacce_queue_put_hw(struct uacce_queue *q);
long uacce_queue_ioctl(struct uacce_queue *q, unsigned int cmd,
		       unsigned long arg);
const char *uacce_queue_state_name(const struct uacce_queue *q);
void uacce_queue_mark_dead(struct uacce_queue *q);
bool uacce_queue_try_stop(struct uacce_queue *q);
void uacce_queue_stop_for_good(struct uacce_queue *q);
void uacce_queue_schedule_put(struct uacce_queue *q);
int uacce_queue_module_init(void);
void uacce_queue_module_exit(void);

/*
 * On a device with SVA a queue is for the address space that it belongs to and
 * for no other: whoever else could use it would aim the device at foreign
 * memory. The comparison is safe: as long as the queue is not dead, the bond
 * pins the mm, and @mm is the caller's own.
 */
static inline bool uacce_queue_owned_by(const struct uacce_queue *q,
					const struct mm_struct *mm)
{
	return !q->bond->mm || q->bond->mm == mm;
}

/* region.c */
int uacce_region_mmap(struct uacce_queue *q, struct vm_area_struct *vma);
bool uacce_regions_mapped(struct uacce_queue *q);
void uacce_regions_zap(struct uacce_queue *q, struct address_space **zapped);
void uacce_regions_sync(struct uacce_queue *q);
bool uacce_regions_synced(struct uacce_queue *q);
pid_t uacce_regions_pid(struct uacce_queue *q);
void uacce_regions_detach(struct uacce_queue *q);
void uacce_regions_init(struct uacce_queue *q);

/* evict.c */
void uacce_evict_all(struct uacce_device *uacce);

/* chardev.c */
extern const struct file_operations uacce_fops;

/* sysfs.c */
extern const struct attribute_group *uacce_dev_groups[];

/* debugfs.c */
void uacce_debugfs_add(struct uacce_device *uacce);
void uacce_debugfs_remove(struct uacce_device *uacce);
void uacce_debugfs_init(void);
void uacce_debugfs_exit(void);

/* device.c */
int uacce_device_module_init(void);
void uacce_device_module_exit(void);

#endif /* _UACCE_PRIVATE_H */
