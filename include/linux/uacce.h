/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * In-kernel interface of UACCE, for drivers of accelerators that user programs
 * drive directly. Documentation/misc-devices/uacce.rst has the guide.
 */
#ifndef _LINUX_UACCE_H
#define _LINUX_UACCE_H

#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rhashtable-types.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <uapi/misc/uacce/uacce.h>

#define UACCE_NAME		"uacce"
#define UACCE_MAX_REGION	2
#define UACCE_MAX_NAME_SIZE	64
#define UACCE_MAX_ERR_THRESHOLD	65535

struct dentry;
struct mm_struct;
struct pid;
struct uacce_device;
struct uacce_mm;
struct uacce_queue;
struct vm_area_struct;

/**
 * enum uacce_dev_state - answer of &uacce_ops.get_isolate_state
 * @UACCE_DEV_NORMAL: the device can be used
 * @UACCE_DEV_ISOLATE: the device had too many errors and takes no work
 */
enum uacce_dev_state {
	UACCE_DEV_NORMAL,
	UACCE_DEV_ISOLATE,
};

/**
 * enum uacce_q_state - life of a queue
 * @UACCE_Q_ZOMBIE: no use any more (or not yet): closed, or its address space
 *		    or its device is gone
 * @UACCE_Q_INIT: has its hardware queue; takes no work
 * @UACCE_Q_STARTED: takes work
 */
enum uacce_q_state {
	UACCE_Q_ZOMBIE = 0,
	UACCE_Q_INIT,
	UACCE_Q_STARTED,
};

/**
 * struct uacce_qfile_region - one of the regions of a queue that user space maps
 * @type: which region it is
 */
struct uacce_qfile_region {
	enum uacce_qfrt type;
	/* private: all under uacce_queue.map_lock */
	unsigned int vmas;
	struct mm_struct *mm;
	pid_t pid;
};

/**
 * struct uacce_ops - what a driver does for the core
 *
 * @get_available_instances: How many queues can still be had; shown in sysfs.
 *	Optional.
 * @get_queue: Give @q a hardware queue. @arg is the PASID (0 without SVA). A
 *	negative error refuses the open and is what open() returns. -EBUSY if there
 *	is none left: if queues of dead processes are just coming back, the core
 *	waits for them, for a second at most, and calls this once more. Optional.
 * @put_queue: Take the hardware queue back. The queue is stopped and no user
 *	mapping of its regions is left: memory behind them may be freed here.
 *	Called exactly once for each successful @get_queue, perhaps from a work
 *	item, when the PASID may be another process's already. May take its
 *	time: who waits for it is close(), uacce_remove() and, for a second at
 *	most, an open() that was refused a queue. Optional.
 * @start_queue: Program the queue, PASID included, and let it take work. A
 *	negative error leaves it stopped. Optional.
 * @stop_queue: Make the queue stop. When it returns, the device must not access
 *	memory for this queue any more, and should have forgotten the PASID. Called
 *	exactly once for each successful @start_queue; also when the address space
 *	dies, perhaps on the IOMMU's page fault worker, and with others that die
 *	and have an mmu_notifier (KVM, RDMA, ...) waiting. Hence it must be bounded
 *	(milliseconds, not seconds), must abort what is outstanding, and must not
 *	wait for answers to page faults. Optional.
 * @is_q_updated: Is there something for user space to look at (1) or not (0)?
 *	Answers poll(). Must not sleep; may run beside any other op. Optional.
 * @mmap: Fill @vma, all of it at once, with the beginning of region @qfr->type
 *	(remap_pfn_range(), vm_insert_pages(), dma_mmap_coherent()...). It may be
 *	shorter than the region, but not longer: the core has checked that, type and
 *	owner. vm_pgoff is the region's number; set it to 0 for helpers that take it
 *	for an offset. The core sets vm_ops, vm_private_data, vm_pgoff and the flags
 *	after this op, whatever it put there. May run beside any op of the
 *	same queue; caller holds the mmap_lock for writing. Optional; without
 *	it nothing can be mapped.
 * @ioctl: All ioctls but the core's own. Optional.
 * @get_isolate_state: See enum uacce_dev_state; shown in sysfs. Optional.
 * @isolate_err_threshold_write: Set how many errors in an hour isolate the
 *	device (at most UACCE_MAX_ERR_THRESHOLD, 0 for never). Optional.
 * @isolate_err_threshold_read: Get that number. Optional.
 *
 * Context: @get_queue, @put_queue, @start_queue, @stop_queue and @ioctl of one
 * queue never run at the same time; those of different queues do. They may
 * sleep, and @get_queue, @start_queue and @ioctl, which run in the user's own
 * process, may access user memory. No op may call mmput() (mmput_async() is
 * fine) or mmu_notifier_unregister(), nor uacce_remove(), which waits for all of
 * them.
 *
 * Those behind sysfs, @get_available_instances, @get_isolate_state and the two of the
 * threshold, may sleep and run beside everything else. uacce_remove() waits for them
 * before it stops the first queue. So they must be short, and not wait for a lock
 * that is held around something long. What @get_available_instances returns is shown
 * as it is, a negative error as well.
 *
 * No op runs, and none will be called, once uacce_remove() returned.
 */
struct uacce_ops {
	int (*get_available_instances)(struct uacce_device *uacce);
	int (*get_queue)(struct uacce_device *uacce, unsigned long arg,
			 struct uacce_queue *q);
	void (*put_queue)(struct uacce_queue *q);
	int (*start_queue)(struct uacce_queue *q);
	void (*stop_queue)(struct uacce_queue *q);
	int (*is_q_updated)(struct uacce_queue *q);
	int (*mmap)(struct uacce_queue *q, struct vm_area_struct *vma,
		    struct uacce_qfile_region *qfr);
	long (*ioctl)(struct uacce_queue *q, unsigned int cmd,
		      unsigned long arg);
	enum uacce_dev_state (*get_isolate_state)(struct uacce_device *uacce);
	int (*isolate_err_threshold_write)(struct uacce_device *uacce, u32 num);
	u32 (*isolate_err_threshold_read)(struct uacce_device *uacce);
};

/**
 * struct uacce_interface - what uacce_alloc() needs to know
 * @name: name of the device: /dev/@name-N
 * @flags: UACCE_DEV_* that the driver would like
 * @ops: the driver's ops
 */
struct uacce_interface {
	char name[UACCE_MAX_NAME_SIZE];
	unsigned int flags;
	const struct uacce_ops *ops;
};

/**
 * struct uacce_queue - one open file: one hardware queue
 * @uacce: the device
 * @priv: for the driver
 * @wait: where poll() sleeps; the driver wakes it when work is done. Valid from
 *	  before &uacce_ops.get_queue until &uacce_ops.put_queue returns
 * @state: where the queue is in its life; written by the core, stable in all
 *	   ops but &uacce_ops.mmap and &uacce_ops.is_q_updated
 * @pasid: PASID of the address space that the queue belongs to; 0 without SVA
 */
struct uacce_queue {
	struct uacce_device *uacce;
	void *priv;
	wait_queue_head_t wait;
	enum uacce_q_state state;
	u32 pasid;
	/* private: see drivers/misc/uacce/uacce_private.h for the locks */
	u32 id;
	struct pid *owner;
	struct kref ref;
	struct uacce_mm *bond;
	struct list_head node;
	struct mutex put_lock;	/* the put_queue op */
	struct mutex lock;	/* the other serialized ops, state, has_hw */
	bool has_hw;
	const char *op;
	pid_t op_pid;
	struct mutex map_lock;	/* dead, mapping, regions */
	bool dead;
	struct address_space *mapping;
	struct uacce_qfile_region regions[UACCE_MAX_REGION];
	struct work_struct put_work;
	bool synced;
	struct work_struct sync_work;
};

/**
 * struct uacce_device - one accelerator
 * @algs: algorithms that it knows, separated by newlines; set by the driver
 *	  before uacce_register()
 * @api_ver: name of the contract between driver and user library; set by the
 *	     driver before uacce_register()
 * @ops: the driver's ops
 * @qf_pg_num: sizes of the regions, in pages, 0 for one that does not exist;
 *	       set by the driver before uacce_register()
 * @parent: the device behind it
 * @is_vf: for the driver: whether it is a virtual function
 * @flags: negotiated UACCE_DEV_*; look at them after uacce_alloc()
 * @dev_id: minor number, and the number in the name; set by uacce_register()
 * @cdev: its character device
 * @dev: its device in sysfs class uacce
 * @priv: for the driver
 */
struct uacce_device {
	const char *algs;
	const char *api_ver;
	const struct uacce_ops *ops;
	unsigned long qf_pg_num[UACCE_MAX_REGION];
	struct device *parent;
	bool is_vf;
	u32 flags;
	u32 dev_id;
	struct cdev cdev;
	struct device dev;
	void *priv;
	/* private: see drivers/misc/uacce/uacce_private.h for the locks */
	struct mutex mm_lock;	/* dead, mms, bonds, binds */
	bool dead;
	struct rhashtable mms;
	struct list_head bonds;
	unsigned int binds;
	wait_queue_head_t idle;
	atomic_t puts_pending;
	atomic_t next_id;
	struct workqueue_struct *sync_wq;
	struct dentry *debugfs;
};

#if IS_ENABLED(CONFIG_UACCE)

struct uacce_device *uacce_alloc(struct device *parent,
				 struct uacce_interface *interface);
int uacce_register(struct uacce_device *uacce);
void uacce_remove(struct uacce_device *uacce);

#else /* CONFIG_UACCE */

static inline
struct uacce_device *uacce_alloc(struct device *parent,
				 struct uacce_interface *interface)
{
	return ERR_PTR(-ENODEV);
}

static inline int uacce_register(struct uacce_device *uacce)
{
	return -EINVAL;
}

static inline void uacce_remove(struct uacce_device *uacce) {}

#endif /* CONFIG_UACCE */

#endif /* _LINUX_UACCE_H */
