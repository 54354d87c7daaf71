// SPDX-License-Identifier: GPL-2.0-only
/*
 * Simulated accelerator: instances, and the platform devices that they have while
 * they are live.
 */
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/xarray.h>
#include "iommu.h"
#include "sim.h"

/* Live instances by the number of their platform device */
static DEFINE_XARRAY_ALLOC(sim_live);

/**
 * sim_instance_alloc() - make an instance, not live
 * @name: valid name for its device
 *
 * Return: the instance or NULL
 */
struct sim_instance *sim_instance_alloc(const char *name)
{
	struct sim_instance *inst;

	inst = kzalloc_obj(*inst);
	if (!inst)
		return NULL;

	strscpy(inst->name, name);
	mutex_init(&inst->live_lock);
	mutex_init(&inst->lock);
	spin_lock_init(&inst->dev_lock);
	inst->id = -1;
	inst->queues = SIM_DEFAULT_QUEUES;
	inst->pasid_bits = SIM_DEFAULT_PASID_BITS;
	inst->sva = true;
	sim_inject_init(&inst->inject);
	return inst;
}

/**
 * sim_instance_free() - free an instance that is not live
 * @inst: the instance
 */
void sim_instance_free(struct sim_instance *inst)
{
	mutex_destroy(&inst->lock);
	mutex_destroy(&inst->live_lock);
	kfree(inst);
}

/**
 * sim_instance_of() - instance of a platform device
 * @pdev: any platform device: sysfs lets root bind our driver to foreign ones
 *
 * Return: the instance or NULL
 */
struct sim_instance *sim_instance_of(struct platform_device *pdev)
{
	struct sim_instance *inst;

	if (pdev->id < 0)
		return NULL;

	xa_lock(&sim_live);
	inst = xa_load(&sim_live, pdev->id);
	if (inst && inst->pdev != pdev)
		inst = NULL;
	xa_unlock(&sim_live);

	/* Stays: removing the instance waits until @pdev is unbound */
	return inst;
}

static int sim_master_add(struct sim_instance *inst)
{
	struct sim_iommu_master *master;
	int ret;

	master = sim_iommu_master_alloc(inst->pasid_bits, &sim_master_ops, inst);
	if (IS_ERR(master))
		return PTR_ERR(master);

	ret = sim_iommu_master_attach_pdev(inst->pdev, master);
	if (ret) {
		sim_iommu_master_free(master);
		return ret;
	}

	inst->master = master;
	return 0;
}

/* The IOMMU side goes last: the platform device knows it to its end */
static void sim_pdev_put(struct sim_instance *inst)
{
	platform_device_put(inst->pdev);
	inst->pdev = NULL;

	if (inst->master)
		sim_iommu_master_free(inst->master);
	inst->master = NULL;
}

static int sim_pdev_add(struct sim_instance *inst)
{
	u32 id;
	int ret;

	ret = xa_alloc(&sim_live, &id, inst, XA_LIMIT(0, INT_MAX), GFP_KERNEL);
	if (ret)
		return ret;

	inst->pdev = platform_device_alloc(SIM_NAME, id);
	if (!inst->pdev) {
		xa_erase(&sim_live, id);
		return -ENOMEM;
	}
	set_dev_node(&inst->pdev->dev, inst->numa_node);

	if (inst->sva) {
		ret = sim_master_add(inst);
		if (ret)
			goto err_put;
	}

	/* Stays so if something fails before our probe is reached */
	inst->probe_err = -ENODEV;
	ret = platform_device_add(inst->pdev);
	if (ret)
		goto err_put;

	ret = inst->probe_err;
	if (ret)
		goto err_del;

	WRITE_ONCE(inst->id, id);
	return 0;

err_del:
	platform_device_del(inst->pdev);
err_put:
	xa_erase(&sim_live, id);
	sim_pdev_put(inst);
	return ret;
}

static void sim_pdev_del(struct sim_instance *inst)
{
	int id = inst->id;

	platform_device_del(inst->pdev);
	WRITE_ONCE(inst->id, -1);
	xa_erase(&sim_live, id);
	sim_pdev_put(inst);
}

static void sim_instance_mark(struct sim_instance *inst, bool live)
{
	mutex_lock(&inst->lock);
	inst->live = live;
	mutex_unlock(&inst->lock);
}

/**
 * sim_instance_set_live() - create or remove the device of an instance
 * @inst: the instance
 * @live: create it
 *
 * Does nothing if it is so already. Removal waits for ops of the driver, held
 * ones too.
 *
 * Return: 0 or an error
 */
int sim_instance_set_live(struct sim_instance *inst, bool live)
{
	int ret = 0;

	mutex_lock(&inst->live_lock);
	if (inst->live == live)
		goto out;

	if (live) {
		/* The module must outlive the device, which no file pins */
		if (!try_module_get(THIS_MODULE)) {
			ret = -ENODEV;
			goto out;
		}
		sim_instance_mark(inst, true);
		sim_stats_reset(&inst->stats);
		ret = sim_pdev_add(inst);
	} else {
		sim_pdev_del(inst);
	}

	if (!live || ret) {
		sim_instance_mark(inst, false);
		module_put(THIS_MODULE);
	}
out:
	mutex_unlock(&inst->live_lock);
	return ret;
}
