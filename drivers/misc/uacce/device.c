// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices: how a driver gets one, publishes it, and takes it away.
 */
#include <linux/cdev.h>
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/iommu.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "trace.h"
#include "uacce_private.h"

#define UACCE_MINORS	(MINORMASK + 1)

static DEFINE_IDA(uacce_ida);
static dev_t uacce_devt;

static const struct class uacce_class = {
	.name = UACCE_NAME,
};

static void uacce_release(struct device *dev)
{
	struct uacce_device *uacce = to_uacce_device(dev);

	uacce_bonds_destroy(uacce);
	kfree(uacce);
}

/*
 * What the device can do of what the driver asked for. Whether the IOMMU driver
 * could enable what SVA takes besides PASIDs is nothing that one can ask: if not, the
 * first bind fails.
 */
static u32 uacce_negotiate(struct device *parent, u32 flags)
{
	if (!(flags & UACCE_DEV_SVA))
		return flags;

	if (!device_iommu_mapped(parent) || !parent->iommu) {
		dev_info(parent, "uacce: no SVA, the device is not behind an IOMMU\n");
		return flags & ~UACCE_DEV_SVA;
	}
	if (!IS_ENABLED(CONFIG_IOMMU_SVA) || !parent->iommu->max_pasids) {
		dev_info(parent, "uacce: no SVA, device, IOMMU and kernel have no PASIDs in common\n");
		return flags & ~UACCE_DEV_SVA;
	}

	return flags;
}

/**
 * uacce_alloc() - make an accelerator device
 * @parent: the device behind it
 * @interface: name, wanted flags and ops; need not outlive the call, but the ops
 *	       must live until uacce_remove() returned
 *
 * Look at the flags of what is returned: UACCE_DEV_SVA is cleared if @parent, its
 * IOMMU and the kernel have no PASIDs in common. Nothing is visible to user space
 * before uacce_register().
 *
 * Context: process context; sleeps.
 * Return: the device, to be given back with uacce_remove(), or an ERR_PTR():
 *	-EINVAL without parent, ops or name, -ENOMEM.
 */
struct uacce_device *uacce_alloc(struct device *parent,
				 struct uacce_interface *interface)
{
	struct uacce_device *uacce;
	int ret;

	if (!parent || !interface->ops || !interface->name[0] ||
	    strnlen(interface->name, UACCE_MAX_NAME_SIZE) == UACCE_MAX_NAME_SIZE)
		return ERR_PTR(-EINVAL);

	uacce = kzalloc_obj(*uacce);
	if (!uacce)
		return ERR_PTR(-ENOMEM);

	ret = uacce_bonds_init(uacce);
	if (ret)
		goto err_free;

	/* Work waits there for locks that users can keep: no matter to other devices. */
	uacce->sync_wq = alloc_workqueue("uacce_sync", WQ_UNBOUND, 0);
	if (!uacce->sync_wq) {
		ret = -ENOMEM;
		goto err_bonds;
	}

	uacce->parent = parent;
	uacce->ops = interface->ops;
	uacce->flags = uacce_negotiate(parent, interface->flags);
	init_waitqueue_head(&uacce->idle);

	device_initialize(&uacce->dev);
	uacce->dev.class = &uacce_class;
	uacce->dev.groups = uacce_dev_groups;
	uacce->dev.parent = parent;
	uacce->dev.release = uacce_release;

	/* Without the number, which is not known before uacce_register() */
	ret = dev_set_name(&uacce->dev, "%s", interface->name);
	if (ret) {
		destroy_workqueue(uacce->sync_wq);
		put_device(&uacce->dev);
		return ERR_PTR(ret);
	}

	return uacce;

err_bonds:
	uacce_bonds_destroy(uacce);
err_free:
	kfree(uacce);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_GPL(uacce_alloc);

/**
 * uacce_register() - show an accelerator to user space
 * @uacce: the device, with algs, api_ver, qf_pg_num and priv filled in
 *
 * From here on, that is before it returns, ops may be called.
 *
 * Context: process context; sleeps.
 * Return: 0 or a negative error. The device still has to be given back with
 *	uacce_remove() after an error.
 */
int uacce_register(struct uacce_device *uacce)
{
	int ret;

	if (!uacce)
		return -ENODEV;

	ret = ida_alloc_max(&uacce_ida, UACCE_MINORS - 1, GFP_KERNEL);
	if (ret < 0)
		return ret;

	uacce->dev_id = ret;
	uacce->dev.devt = MKDEV(MAJOR(uacce_devt), uacce->dev_id);
	ret = dev_set_name(&uacce->dev, "%s-%u", dev_name(&uacce->dev),
			   uacce->dev_id);
	if (ret)
		goto err_free_id;

	cdev_init(&uacce->cdev, &uacce_fops);
	uacce->cdev.owner = THIS_MODULE;

	ret = cdev_device_add(&uacce->cdev, &uacce->dev);
	if (ret)
		goto err_free_id;

	uacce_debugfs_add(uacce);
	trace_uacce_register(uacce);

	return 0;

err_free_id:
	ida_free(&uacce_ida, uacce->dev_id);
	return ret;
}
EXPORT_SYMBOL_GPL(uacce_register);

/**
 * uacce_remove() - take an accelerator away
 * @uacce: the device, registered or not; NULL is fine
 *
 * When this returns, all queues are stopped and put, nothing of the device is
 * mapped or bound, no op of the driver runs and none will be called. Files that
 * are open stay open, for nothing but to be closed.
 *
 * An op that does not return, or that waits for user space, delays this: every 10
 * seconds the log names the task that it runs in. An address space delays this if it
 * takes long to die, or to be unbound: the log tells how many there are. Ops behind
 * sysfs are waited for in silence, before anything is stopped.
 *
 * Context: process context; sleeps. Not from an op, and not under a lock that
 *	an op takes.
 */
void uacce_remove(struct uacce_device *uacce)
{
	bool registered;

	if (!uacce)
		return;

	trace_uacce_remove(uacce);
	registered = device_is_registered(&uacce->dev);

	scoped_guard(mutex, &uacce->mm_lock)
		uacce->dead = true;

	/* Waits for readers and writers of sysfs, which call ops too. */
	if (registered)
		cdev_device_del(&uacce->cdev, &uacce->dev);

	/* Even if not registered: an open() may have come before it failed. */
	uacce_evict_all(uacce);
	destroy_workqueue(uacce->sync_wq);
	/* Only now, so that one could see there what it was waiting for */
	uacce_debugfs_remove(uacce);
	trace_uacce_remove_done(uacce);

	if (registered)
		ida_free(&uacce_ida, uacce->dev_id);
	put_device(&uacce->dev);
}
EXPORT_SYMBOL_GPL(uacce_remove);

int uacce_device_module_init(void)
{
	int ret;

	ret = class_register(&uacce_class);
	if (ret)
		return ret;

	ret = alloc_chrdev_region(&uacce_devt, 0, UACCE_MINORS, UACCE_NAME);
	if (ret) {
		class_unregister(&uacce_class);
		return ret;
	}
	uacce_debugfs_init();

	return 0;
}

void uacce_device_module_exit(void)
{
	uacce_debugfs_exit();
	unregister_chrdev_region(uacce_devt, UACCE_MINORS);
	class_unregister(&uacce_class);
	ida_destroy(&uacce_ida);
}
