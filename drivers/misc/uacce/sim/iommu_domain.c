// SPDX-License-Identifier: GPL-2.0-only
/*
 * Software IOMMU of the simulated accelerator: domains and the PASID table.
 */
#include <linux/err.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include "iommu_internal.h"

DEFINE_SRCU(sim_iommu_srcu);

/* Domains whose notifier has not been freed yet */
static atomic_t sim_iommu_nr_sva;

static struct sim_iommu_sva *to_sim_iommu_sva(struct iommu_domain *domain)
{
	return container_of(domain, struct sim_iommu_sva, domain);
}

/*
 * Stop translating with a domain that was just taken out of the PASID table. The
 * IOMMU core's lock of all SVA bonds of the machine is held here, so the grace
 * period is an expedited one. A reader may have queued a fault: flush after it.
 */
static void sim_iommu_sva_stop(struct sim_iommu_sva *sva)
{
	struct sim_iommu_master *master = sva->master;
	u32 pasid = sva->pasid;

	iommu_group_mutex_assert(master->dev);

	WRITE_ONCE(sva->pasid, 0);
	synchronize_srcu_expedited(&sim_iommu_srcu);
	iopf_queue_flush_dev(master->dev);
	master->ops->unbind(master->priv, pasid);
}

/**
 * sim_iommu_clear_pasid() - empty an entry of the PASID table
 * @master: whose table
 * @pasid: which entry
 *
 * When it returns no access and no fault of @pasid is under way.
 */
void sim_iommu_clear_pasid(struct sim_iommu_master *master, u32 pasid)
{
	struct sim_iommu_sva *sva = xa_erase(&master->pasids, pasid);

	if (sva)
		sim_iommu_sva_stop(sva);
}

static int sim_iommu_sva_set_dev_pasid(struct iommu_domain *domain,
				       struct device *dev, ioasid_t pasid,
				       struct iommu_domain *old)
{
	struct sim_iommu_master *master = dev_iommu_priv_get(dev);
	struct sim_iommu_sva *sva = to_sim_iommu_sva(domain);
	struct sim_iommu_sva *prev;
	int ret;

	iommu_group_mutex_assert(dev);

	/*
	 * The core offers each new bond of an mm the domains that the mm has. A
	 * domain of its own for each device keeps the devices apart.
	 */
	if (sva->master != master || sva->pasid)
		return -EINVAL;

	ret = sim_iommu_faults_enable(master);
	if (ret)
		return ret;
	ret = xa_reserve(&master->pasids, pasid, GFP_KERNEL);
	if (ret)
		return ret;
	ret = master->ops->bind(master->priv);
	if (ret) {
		xa_release(&master->pasids, pasid);
		return ret;
	}

	WRITE_ONCE(sva->pasid, pasid);
	prev = xa_store(&master->pasids, pasid, sva, GFP_KERNEL);
	if (prev)
		sim_iommu_sva_stop(prev);
	return 0;
}

/* free_notifier frees the domain, once no other of its callbacks can run */
static void sim_iommu_sva_free(struct iommu_domain *domain)
{
	mmu_notifier_put(&to_sim_iommu_sva(domain)->mn);
}

static const struct iommu_domain_ops sim_iommu_sva_domain_ops = {
	.set_dev_pasid	= sim_iommu_sva_set_dev_pasid,
	.free		= sim_iommu_sva_free,
};

static void sim_iommu_sva_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct sim_iommu_sva *sva = container_of(mn, struct sim_iommu_sva, mn);
	u32 pasid;
	int idx;

	idx = srcu_read_lock(&sim_iommu_srcu);
	WRITE_ONCE(sva->released, true);
	pasid = READ_ONCE(sva->pasid);
	if (pasid)
		sva->master->ops->mm_released(sva->master->priv, pasid);
	srcu_read_unlock(&sim_iommu_srcu, idx);
}

static void sim_iommu_sva_invalidate(struct mmu_notifier *mn,
				     struct mm_struct *mm,
				     unsigned long start, unsigned long end)
{
	struct sim_iommu_sva *sva = container_of(mn, struct sim_iommu_sva, mn);
	u32 pasid;
	int idx;

	/* Nothing is cached here: an access reads the CPU's page tables */
	idx = srcu_read_lock(&sim_iommu_srcu);
	pasid = READ_ONCE(sva->pasid);
	if (pasid)
		sva->master->ops->invalidated(sva->master->priv, pasid, start,
					      end);
	srcu_read_unlock(&sim_iommu_srcu, idx);
}

static void sim_iommu_sva_free_notifier(struct mmu_notifier *mn)
{
	kfree(container_of(mn, struct sim_iommu_sva, mn));
	if (atomic_dec_and_test(&sim_iommu_nr_sva))
		wake_up_var(&sim_iommu_nr_sva);
}

static const struct mmu_notifier_ops sim_iommu_sva_mn_ops = {
	.release			= sim_iommu_sva_release,
	.arch_invalidate_secondary_tlbs	= sim_iommu_sva_invalidate,
	.free_notifier			= sim_iommu_sva_free_notifier,
};

/**
 * sim_iommu_sva_alloc() - make the domain of an address space on a device
 * @dev: the device
 * @mm: the address space; the caller holds a reference to its users
 *
 * Return: the domain, or an ERR_PTR.
 */
struct iommu_domain *sim_iommu_sva_alloc(struct device *dev,
					 struct mm_struct *mm)
{
	struct sim_iommu_sva *sva;
	int ret;

	sva = kzalloc_obj(*sva);
	if (!sva)
		return ERR_PTR(-ENOMEM);

	sva->domain.ops = &sim_iommu_sva_domain_ops;
	sva->mn.ops = &sim_iommu_sva_mn_ops;
	sva->master = dev_iommu_priv_get(dev);

	ret = mmu_notifier_register(&sva->mn, mm);
	if (ret) {
		kfree(sva);
		return ERR_PTR(ret);
	}
	atomic_inc(&sim_iommu_nr_sva);
	return &sva->domain;
}

/**
 * sim_iommu_sva_drain() - wait until no notifier calls this module any more
 *
 * No domain may be left. mmu_notifier_synchronize() alone waits for a grace
 * period, but not for the callbacks that were due at its end.
 */
void sim_iommu_sva_drain(void)
{
	wait_var_event(&sim_iommu_nr_sva, !atomic_read(&sim_iommu_nr_sva));
	mmu_notifier_synchronize();
}

/* A master does no DMA without a PASID: nothing has to be done to attach it */
static int sim_iommu_attach_dev(struct iommu_domain *domain,
				struct device *dev, struct iommu_domain *old)
{
	return 0;
}

static const struct iommu_domain_ops sim_iommu_identity_ops = {
	.attach_dev	= sim_iommu_attach_dev,
};

struct iommu_domain sim_iommu_identity = {
	.type	= IOMMU_DOMAIN_IDENTITY,
	.ops	= &sim_iommu_identity_ops,
};

static int sim_iommu_blocked_set_dev_pasid(struct iommu_domain *domain,
					   struct device *dev, ioasid_t pasid,
					   struct iommu_domain *old)
{
	iommu_group_mutex_assert(dev);
	sim_iommu_clear_pasid(dev_iommu_priv_get(dev), pasid);
	return 0;
}

static const struct iommu_domain_ops sim_iommu_blocked_ops = {
	.attach_dev	= sim_iommu_attach_dev,
	.set_dev_pasid	= sim_iommu_blocked_set_dev_pasid,
};

struct iommu_domain sim_iommu_blocked = {
	.type	= IOMMU_DOMAIN_BLOCKED,
	.ops	= &sim_iommu_blocked_ops,
};
