// SPDX-License-Identifier: GPL-2.0-only
/*
 * Software IOMMU of the simulated accelerator: its masters, and what the IOMMU
 * core knows of it.
 *
 * No firmware describes this IOMMU, so it is registered without a firmware node.
 * The core then offers it every device that has no IOMMU in its own description,
 * and it takes those that were announced as masters. There is one such place
 * per machine: where VT-d or the AMD IOMMU has it, ours is never asked.
 */
#include <linux/device.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/property.h>
#include <linux/slab.h>

#include "iommu_internal.h"

static struct iommu_device sim_iommu = {
	.max_pasids = 1U << SIM_IOMMU_MAX_PASID_BITS,
};

static struct platform_device *sim_iommu_pdev;
static struct iopf_queue *sim_iommu_iopf;

static DEFINE_MUTEX(sim_iommu_masters_lock);
static LIST_HEAD(sim_iommu_masters);

static struct sim_iommu_master *sim_iommu_find_master(struct device *dev)
{
	struct sim_iommu_master *master;

	lockdep_assert_held(&sim_iommu_masters_lock);

	list_for_each_entry(master, &sim_iommu_masters, node)
		if (master->dev == dev)
			return master;
	return NULL;
}

/**
 * sim_iommu_master_alloc() - make a master
 * @pasid_bits: width of its PASIDs, 1 to 20; 0 if it knows none
 * @ops: what to call; must outlive the master
 * @priv: to call it with
 *
 * Return: the master, or an ERR_PTR.
 */
struct sim_iommu_master *
sim_iommu_master_alloc(unsigned int pasid_bits,
		       const struct sim_iommu_master_ops *ops, void *priv)
{
	struct sim_iommu_master *master;

	if (pasid_bits > SIM_IOMMU_MAX_PASID_BITS)
		return ERR_PTR(-EINVAL);

	master = kzalloc_obj(*master);
	if (!master)
		return ERR_PTR(-ENOMEM);

	INIT_LIST_HEAD(&master->node);
	master->pasid_bits = pasid_bits;
	master->ops = ops;
	master->priv = priv;
	xa_init(&master->pasids);
	spin_lock_init(&master->fault_lock);
	INIT_LIST_HEAD(&master->faults);
	return master;
}
EXPORT_SYMBOL_GPL(sim_iommu_master_alloc);

/**
 * sim_iommu_master_free() - undo sim_iommu_master_alloc()
 * @master: the master, or NULL
 *
 * If a device was attached it must have been deleted, or never added.
 */
void sim_iommu_master_free(struct sim_iommu_master *master)
{
	if (!master)
		return;

	if (master->dev) {
		WARN_ON(device_is_registered(master->dev));

		mutex_lock(&sim_iommu_masters_lock);
		list_del(&master->node);
		mutex_unlock(&sim_iommu_masters_lock);
		put_device(master->dev);
	}

	WARN_ON(!xa_empty(&master->pasids));
	WARN_ON(!list_empty(&master->faults));
	kfree(master);
}
EXPORT_SYMBOL_GPL(sim_iommu_master_free);

/**
 * sim_iommu_master_attach_pdev() - announce a device as a master
 * @pdev: made with platform_device_alloc(), not yet added
 * @master: what it is to us; without a device so far
 *
 * Gives @pdev the software node that tells the core the width of its PASIDs.
 *
 * Return: 0, or a negative errno. Either way @pdev and @master remain to be put
 * and freed by their owner.
 */
int sim_iommu_master_attach_pdev(struct platform_device *pdev,
				 struct sim_iommu_master *master)
{
	const struct property_entry props[] = {
		PROPERTY_ENTRY_U32("pasid-num-bits", master->pasid_bits),
		{ }
	};
	int ret;

	if (WARN_ON(master->dev || device_is_registered(&pdev->dev)))
		return -EBUSY;

	/* A property that is 0 would stand for one PASID. */
	if (master->pasid_bits) {
		ret = device_create_managed_software_node(&pdev->dev, props,
							  NULL);
		if (ret)
			return ret;
	}

	/*
	 * Devices are told apart by their address, so it must not be used again
	 * while the master is in the list.
	 */
	master->dev = get_device(&pdev->dev);
	mutex_lock(&sim_iommu_masters_lock);
	list_add(&master->node, &sim_iommu_masters);
	mutex_unlock(&sim_iommu_masters_lock);
	return 0;
}
EXPORT_SYMBOL_GPL(sim_iommu_master_attach_pdev);

/**
 * sim_iommu_serves() - is a device behind this IOMMU?
 * @dev: a device that was attached to a master and then added
 *
 * It is not if another IOMMU driver answers for the devices that no firmware
 * places behind an IOMMU, or if the core ran out of memory.
 *
 * Return: true if it is.
 */
bool sim_iommu_serves(struct device *dev)
{
	return dev->iommu && dev->iommu->iommu_dev == &sim_iommu;
}
EXPORT_SYMBOL_GPL(sim_iommu_serves);

static struct iommu_device *sim_iommu_probe_device(struct device *dev)
{
	struct sim_iommu_master *master;

	mutex_lock(&sim_iommu_masters_lock);
	master = sim_iommu_find_master(dev);
	mutex_unlock(&sim_iommu_masters_lock);
	if (!master)
		return ERR_PTR(-ENODEV);

	dev_iommu_priv_set(dev, master);
	return &sim_iommu;
}

/* Also called if the core gave up half-way through its probe of the device */
static void sim_iommu_release_device(struct device *dev)
{
	struct sim_iommu_master *master = dev_iommu_priv_get(dev);
	unsigned long pasid;
	void *entry;

	/* The driver should have unbound them; do not translate any longer */
	xa_for_each(&master->pasids, pasid, entry) {
		dev_WARN(dev, "removed with PASID %lu in use\n", pasid);
		sim_iommu_clear_pasid(master, pasid);
	}

	if (master->faults_on) {
		iopf_queue_flush_dev(dev);
		iopf_queue_remove_device(sim_iommu_iopf, dev);
		master->faults_on = false;
	}
}

/**
 * sim_iommu_faults_enable() - make page faults of a master possible
 * @master: the master
 *
 * Done with the first PASID and not when the device is probed: at that time the
 * core can only be told about a failure by refusing the device for good.
 *
 * Return: 0, or a negative errno.
 */
int sim_iommu_faults_enable(struct sim_iommu_master *master)
{
	int ret;

	iommu_group_mutex_assert(master->dev);

	if (master->faults_on)
		return 0;

	ret = iopf_queue_add_device(sim_iommu_iopf, master->dev);
	if (!ret)
		master->faults_on = true;
	return ret;
}

/* A master does no DMA without a PASID, so there is nothing to translate */
static int sim_iommu_def_domain_type(struct device *dev)
{
	return IOMMU_DOMAIN_IDENTITY;
}

static const struct iommu_ops sim_iommu_ops = {
	.owner			= THIS_MODULE,
	.probe_device		= sim_iommu_probe_device,
	.release_device		= sim_iommu_release_device,
	.device_group		= generic_device_group,
	.def_domain_type	= sim_iommu_def_domain_type,
	.domain_alloc_sva	= sim_iommu_sva_alloc,
	.page_response		= sim_iommu_page_response,
	.identity_domain	= &sim_iommu_identity,
	.blocked_domain		= &sim_iommu_blocked,
	.release_domain		= &sim_iommu_blocked,
};

static int __init sim_iommu_init(void)
{
	int ret;

	sim_iommu_iopf = iopf_queue_alloc("uacce_sim");
	if (!sim_iommu_iopf)
		return -ENOMEM;

	sim_iommu_pdev = platform_device_register_simple("uacce_sim_iommu",
							 PLATFORM_DEVID_NONE,
							 NULL, 0);
	if (IS_ERR(sim_iommu_pdev)) {
		ret = PTR_ERR(sim_iommu_pdev);
		goto err_queue;
	}

	ret = iommu_device_sysfs_add(&sim_iommu, &sim_iommu_pdev->dev, NULL,
				     "uacce_sim_iommu");
	if (ret)
		goto err_pdev;

	ret = iommu_device_register(&sim_iommu, &sim_iommu_ops, NULL);
	if (ret)
		goto err_sysfs;

	return 0;

err_sysfs:
	iommu_device_sysfs_remove(&sim_iommu);
err_pdev:
	platform_device_unregister(sim_iommu_pdev);
err_queue:
	iopf_queue_free(sim_iommu_iopf);
	return ret;
}

/*
 * The core holds the module for each device that it has given to us, so there is
 * no domain any more. But notifiers are freed some time after their domain.
 */
static void __exit sim_iommu_exit(void)
{
	iommu_device_unregister(&sim_iommu);
	iommu_device_sysfs_remove(&sim_iommu);
	platform_device_unregister(sim_iommu_pdev);
	iopf_queue_free(sim_iommu_iopf);
	sim_iommu_sva_drain();
}

module_init(sim_iommu_init);
module_exit(sim_iommu_exit);

MODULE_DESCRIPTION("Software IOMMU of the simulated UACCE accelerator");
MODULE_LICENSE("GPL");
