// SPDX-License-Identifier: GPL-2.0-only
/*
 * Simulated accelerator: the platform driver. Probe registers the device with
 * UACCE, remove takes it away again, whatever its users are doing.
 */
#include <linux/iommu.h>
#include <linux/slab.h>
#include "iommu.h"
#include "sim.h"

static struct sim_device *sim_device_alloc(struct sim_instance *inst)
{
	struct sim_device *dev;

	dev = kzalloc_flex(*dev, queues, inst->queues);
	if (!dev)
		return ERR_PTR(-ENOMEM);

	dev->nr_queues = inst->queues;
	dev->inst = inst;
	/*
	 * An engine can sit in its work item for as long as a page fault takes, or a
	 * test likes. So there have to be as many at a time as there are queues
	 * (the limit is shared out to the nodes of a NUMA machine, so with many
	 * nodes there may be fewer).
	 */
	dev->wq = alloc_workqueue("%s/%s", WQ_UNBOUND, WQ_MAX_ACTIVE, SIM_NAME,
				  inst->name);
	if (!dev->wq) {
		kfree(dev);
		return ERR_PTR(-ENOMEM);
	}
	return dev;
}

static void sim_device_free(struct sim_device *dev)
{
	WARN_ON(dev->nr_used);
	destroy_workqueue(dev->wq);
	kfree(dev);
}

static void sim_device_publish(struct sim_instance *inst,
			       struct sim_device *dev)
{
	spin_lock(&inst->dev_lock);
	inst->dev = dev;
	spin_unlock(&inst->dev_lock);
}

static void sim_device_set_name(struct sim_instance *inst, const char *name)
{
	spin_lock(&inst->dev_lock);
	strscpy(inst->dev_name, name);
	spin_unlock(&inst->dev_lock);
}

static int sim_device_add(struct sim_instance *inst, struct device *parent)
{
	struct uacce_interface interface = {
		/* Cleared without our IOMMU, and if there are no PASIDs */
		.flags = UACCE_DEV_SVA,
		.ops = inst->bare ? &sim_bare_ops : &sim_uacce_ops,
	};
	struct uacce_device *uacce;
	struct sim_device *dev;
	int ret;

	if (inst->sva && !sim_iommu_serves(parent)) {
		dev_err(parent,
			"the machine's own IOMMU driver is in the way of the software IOMMU: boot with intel_iommu=off or amd_iommu=off, or set sva to 0\n");
		return -EBUSY;
	}

	dev = sim_device_alloc(inst);
	if (IS_ERR(dev))
		return PTR_ERR(dev);

	strscpy(interface.name, inst->name);
	uacce = uacce_alloc(parent, &interface);
	if (IS_ERR(uacce)) {
		ret = PTR_ERR(uacce);
		goto err_free;
	}
	dev->uacce = uacce;

	if (inst->sva != !!(uacce->flags & UACCE_DEV_SVA)) {
		ret = -ENODEV;
		goto err_remove;
	}

	uacce->priv = dev;
	uacce->algs = VACCEL_ALGORITHMS;
	uacce->api_ver = VACCEL_API_VER;
	if (!inst->bare) {
		uacce->qf_pg_num[UACCE_QFRT_MMIO] = PFN_UP(VACCEL_MMIO_SIZE);
		uacce->qf_pg_num[UACCE_QFRT_DUS] = PFN_UP(VACCEL_DUS_SIZE);
	}

	/* The first open() can come before uacce_register() returns */
	sim_device_publish(inst, dev);
	ret = uacce_register(uacce);
	if (ret)
		goto err_remove;

	sim_device_set_name(inst, dev_name(&uacce->dev));
	return 0;

err_remove:
	uacce_remove(uacce);
	sim_device_publish(inst, NULL);
err_free:
	sim_device_free(dev);
	return ret;
}

static int sim_probe(struct platform_device *pdev)
{
	struct sim_instance *inst = sim_instance_of(pdev);

	if (!inst)
		return -ENODEV;

	inst->probe_err = sim_device_add(inst, &pdev->dev);
	if (!inst->probe_err)
		platform_set_drvdata(pdev, inst);
	return inst->probe_err;
}

static void sim_remove(struct platform_device *pdev)
{
	struct sim_instance *inst = platform_get_drvdata(pdev);
	struct sim_device *dev = inst->dev;

	sim_device_set_name(inst, "");
	/* Stops and puts all queues. The answers to faults are let in until then. */
	uacce_remove(dev->uacce);
	sim_device_publish(inst, NULL);
	sim_device_free(dev);
}

struct platform_driver sim_driver = {
	.probe = sim_probe,
	.remove = sim_remove,
	.driver = {
		.name = SIM_NAME,
		/* "live" wants to know how the probe ended */
		.probe_type = PROBE_FORCE_SYNCHRONOUS,
	},
};
