// SPDX-License-Identifier: GPL-2.0-only
/*
 * UACCE: hardware accelerators driven directly from user space.
 *
 * uacce_private.h tells how the parts belong together and which locks there are.
 */
#include <linux/init.h>
#include <linux/module.h>

#include "uacce_private.h"

static int __init uacce_init(void)
{
	int ret;

	ret = uacce_bond_module_init();
	if (ret)
		return ret;

	ret = uacce_queue_module_init();
	if (ret)
		goto err_bond;

	ret = uacce_device_module_init();
	if (ret)
		goto err_queue;

	return 0;

err_queue:
	uacce_queue_module_exit();
err_bond:
	uacce_bond_module_exit();
	return ret;
}

static void __exit uacce_exit(void)
{
	uacce_device_module_exit();
	uacce_bond_module_drain();
	/* Puts hold queues, and the last of a bond queues work to free that. */
	uacce_queue_module_exit();
	uacce_bond_module_exit();
}

/* Before the drivers of accelerators, which may be built in as well */
subsys_initcall(uacce_init);
module_exit(uacce_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Accelerator framework for user land");
