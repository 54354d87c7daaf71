// SPDX-License-Identifier: GPL-2.0-only
/* Simulated accelerator: the module */
#include <linux/module.h>
#include <linux/moduleparam.h>
#include "sim.h"

static bool default_instance = true;
module_param(default_instance, bool, 0444);
MODULE_PARM_DESC(default_instance,
		 "bring the instance \"default\" to life at once (default: on)");

static struct sim_instance *sim_default;

static int __init sim_init(void)
{
	int ret;

	ret = platform_driver_register(&sim_driver);
	if (ret)
		return ret;

	sim_default = sim_configfs_init();
	if (IS_ERR(sim_default)) {
		platform_driver_unregister(&sim_driver);
		return PTR_ERR(sim_default);
	}

	/*
	 * If that fails the module stays: on a machine whose own IOMMU is in the
	 * way, an instance without SVA still can be had.
	 */
	if (default_instance) {
		ret = sim_instance_set_live(sim_default, true);
		if (ret)
			pr_err("%s: no default instance: error %d\n", SIM_NAME,
			       ret);
	}
	return 0;
}

/* No instance is live: each holds a reference to the module */
static void __exit sim_exit(void)
{
	sim_configfs_exit(sim_default);
	platform_driver_unregister(&sim_driver);
}

module_init(sim_init);
module_exit(sim_exit);

MODULE_DESCRIPTION("Simulated accelerator for UACCE");
MODULE_LICENSE("GPL");
