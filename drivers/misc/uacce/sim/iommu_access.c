// SPDX-License-Identifier: GPL-2.0-only
/*
 * Software IOMMU of the simulated accelerator: access to memory by PASID, and
 * page faults.
 */
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "iommu_internal.h"

/*
 * A page request queue has an end. A user whose faults are not answered, as the
 * page is a file's whose server hangs, could else make more and more of them.
 */
#define SIM_IOMMU_MAX_FAULTS	4096

struct sim_iommu_fault {
	struct list_head node;
	u32 pasid;
	u32 grpid;
};

/*
 * The mm of a PASID, with a reference to its users; drop it with mmput_async(),
 * since the end of an mm stops the very engine that calls here.
 */
static struct mm_struct *sim_iommu_get_mm(struct sim_iommu_master *master,
					  u32 pasid)
{
	struct sim_iommu_sva *sva;

	lockdep_assert(srcu_read_lock_held(&sim_iommu_srcu));

	sva = xa_load(&master->pasids, pasid);
	if (!sva)
		return ERR_PTR(-ESRCH);

	/* The end of an mm begins when its last user is gone, so not after this */
	if (mmget_not_zero(sva->mn.mm))
		return sva->mn.mm;

	/*
	 * Between the last user and the notifiers' release a device may still be
	 * running: nothing was stopped yet. It gets nothing any more, though.
	 */
	return ERR_PTR(READ_ONCE(sva->released) ? -EOWNERDEAD : -EFAULT);
}

/* Copy what is there, page by page, as the current mm sees it */
static ssize_t sim_iommu_copy(u64 addr, void *buf, size_t len, bool write)
{
	size_t done, n;

	for (done = 0; done < len; done += n) {
		void __user *uaddr = u64_to_user_ptr(addr + done);
		long ret;

		n = min(len - done, PAGE_SIZE - offset_in_page(addr + done));
		if (write)
			ret = copy_to_user_nofault(uaddr, buf + done, n);
		else
			ret = copy_from_user_nofault(buf + done, uaddr, n);
		if (ret)
			break;
		cond_resched();
	}
	return done || !len ? done : -EFAULT;
}

static ssize_t sim_iommu_access(struct sim_iommu_master *master, u32 pasid,
				u64 addr, void *buf, size_t len, bool write)
{
	struct mm_struct *mm;
	ssize_t ret;
	int idx;

	if (WARN_ON_ONCE(!(current->flags & PF_KTHREAD)))
		return -EINVAL;

	idx = srcu_read_lock(&sim_iommu_srcu);
	mm = sim_iommu_get_mm(master, pasid);
	if (IS_ERR(mm)) {
		ret = PTR_ERR(mm);
	} else {
		kthread_use_mm(mm);
		ret = sim_iommu_copy(addr, buf, len, write);
		kthread_unuse_mm(mm);
		mmput_async(mm);
	}
	srcu_read_unlock(&sim_iommu_srcu, idx);
	return ret;
}

/**
 * sim_iommu_read() - read memory of an address space
 * @master: the device that reads
 * @pasid: whose memory
 * @addr: from which address on
 * @buf: where to
 * @len: how many bytes
 *
 * One attempt: it does not wait for a page that is not there. An address that
 * is no user address is like a page that is not there. So is memory under a
 * protection key other than 0, even if a fault was answered with success: callers
 * limit how often they try.
 *
 * Context: A kernel thread that uses no mm. Does not sleep for long.
 * Return: the number of bytes moved, which may be less than @len but is never 0
 * unless @len is; or -EFAULT if the first page is not there or must not be
 * accessed so, -ESRCH if @pasid is not bound, -EOWNERDEAD if its address space
 * has come to its end and the device should have been stopped.
 */
ssize_t sim_iommu_read(struct sim_iommu_master *master, u32 pasid, u64 addr,
		       void *buf, size_t len)
{
	return sim_iommu_access(master, pasid, addr, buf, len, false);
}
EXPORT_SYMBOL_GPL(sim_iommu_read);

/**
 * sim_iommu_write() - write memory of an address space
 * @master: the device that writes
 * @pasid: whose memory
 * @addr: from which address on
 * @buf: where from
 * @len: how many bytes
 *
 * As sim_iommu_read(), in the other direction.
 *
 * Context: as sim_iommu_read().
 * Return: as sim_iommu_read().
 */
ssize_t sim_iommu_write(struct sim_iommu_master *master, u32 pasid, u64 addr,
			const void *buf, size_t len)
{
	return sim_iommu_access(master, pasid, addr, (void *)buf, len, true);
}
EXPORT_SYMBOL_GPL(sim_iommu_write);

static struct sim_iommu_fault *
sim_iommu_find_fault(struct sim_iommu_master *master, u32 pasid, u32 grpid)
{
	struct sim_iommu_fault *fault;

	lockdep_assert_held(&master->fault_lock);

	list_for_each_entry(fault, &master->faults, node)
		if (fault->pasid == pasid && fault->grpid == grpid)
			return fault;
	return NULL;
}

static int sim_iommu_add_fault(struct sim_iommu_master *master, u32 pasid,
			       u32 grpid)
{
	struct sim_iommu_fault *fault;
	int ret = 0;

	fault = kzalloc_obj(*fault);
	if (!fault)
		return -ENOMEM;
	fault->pasid = pasid;
	fault->grpid = grpid;

	spin_lock(&master->fault_lock);
	if (master->nr_faults == SIM_IOMMU_MAX_FAULTS ||
	    sim_iommu_find_fault(master, pasid, grpid)) {
		ret = -EBUSY;
	} else {
		list_add(&fault->node, &master->faults);
		master->nr_faults++;
	}
	spin_unlock(&master->fault_lock);

	if (ret)
		kfree(fault);
	return ret;
}

/* Whoever takes a fault off the list settles it, so it is settled once */
static bool sim_iommu_take_fault(struct sim_iommu_master *master, u32 pasid,
				 u32 grpid)
{
	struct sim_iommu_fault *fault;

	spin_lock(&master->fault_lock);
	fault = sim_iommu_find_fault(master, pasid, grpid);
	if (fault) {
		list_del(&fault->node);
		master->nr_faults--;
	}
	spin_unlock(&master->fault_lock);

	kfree(fault);
	return fault;
}

/**
 * sim_iommu_fault() - report that a page is not there
 * @master: the device that met it
 * @pasid: whose memory
 * @addr: which address
 * @write: for which kind of access
 * @grpid: names the fault in the answer. Must not be that of a fault of @pasid
 *	   that is not answered yet, not even one that nobody waits for any more.
 *
 * Context: May sleep, but not for the answer.
 * Return: 0 if the answer comes, or has come, through @response; or an error, and
 * there will be no answer: -ESRCH and -EOWNERDEAD as sim_iommu_read(), -EBUSY if
 * @grpid is in use or too many faults are not answered, -ENOMEM.
 */
int sim_iommu_fault(struct sim_iommu_master *master, u32 pasid, u64 addr,
		    bool write, u32 grpid)
{
	struct iopf_fault evt = {
		.fault = {
			.type = IOMMU_FAULT_PAGE_REQ,
			.prm = {
				.flags = IOMMU_FAULT_PAGE_REQUEST_PASID_VALID |
					 IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE,
				.pasid = pasid,
				.grpid = grpid,
				.perm = write ? IOMMU_FAULT_PERM_WRITE :
						IOMMU_FAULT_PERM_READ,
				.addr = addr,
			},
		},
	};
	struct sim_iommu_sva *sva;
	int idx, ret;

	/* What keeps the PASID bound, as the core demands, while it is told */
	idx = srcu_read_lock(&sim_iommu_srcu);
	sva = xa_load(&master->pasids, pasid);
	if (!sva)
		ret = -ESRCH;
	else if (READ_ONCE(sva->released))
		ret = -EOWNERDEAD;
	else
		ret = sim_iommu_add_fault(master, pasid, grpid);
	if (ret)
		goto out;

	/* The core answers most of what it refuses; what it did not, is ours */
	ret = iommu_report_device_fault(master->dev, &evt);
	if (ret && !sim_iommu_take_fault(master, pasid, grpid))
		ret = 0;
out:
	srcu_read_unlock(&sim_iommu_srcu, idx);
	return ret;
}
EXPORT_SYMBOL_GPL(sim_iommu_fault);

/**
 * sim_iommu_page_response() - the core's answer to a page fault
 * @dev: a device of ours
 * @evt: the fault
 * @resp: the answer
 */
void sim_iommu_page_response(struct device *dev, struct iopf_fault *evt,
			     struct iommu_page_response *resp)
{
	struct sim_iommu_master *master = dev_iommu_priv_get(dev);

	if (!sim_iommu_take_fault(master, resp->pasid, resp->grpid)) {
		dev_warn_ratelimited(dev, "answer to no fault: PASID %u group %u\n",
				     resp->pasid, resp->grpid);
		return;
	}
	master->ops->response(master->priv, resp->pasid, resp->grpid,
			      resp->code == IOMMU_PAGE_RESP_SUCCESS);
}
