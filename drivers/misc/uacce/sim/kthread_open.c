// SPDX-License-Identifier: GPL-2.0-only
/*
 * Simulated accelerator: open() of the device node by a kernel thread. That is no way
 * to use an accelerator, as a kernel thread has no address space; it is here for
 * the test that shows that the core says so.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include "sim.h"

static int sim_kthread_open_in(struct vfsmount *mnt, const char *name)
{
	struct path root = { .mnt = mnt, .dentry = mnt->mnt_root };
	struct file *file;

	file = file_open_root(&root, name, O_RDWR, 0);
	if (IS_ERR(file))
		return PTR_ERR(file);

	/* Closed when this returns, and not by some work item later on */
	__fput_sync(file);
	return 0;
}

struct sim_kthread_open {
	struct work_struct work;
	struct sim_instance *inst;
	int ret;
};

/*
 * What /dev is to a kernel thread differs between kernels, and need not be what it is
 * to users. So take a mount of devtmpfs of our own.
 */
static int sim_kthread_open_node(struct sim_instance *inst)
{
	struct file_system_type *type;
	char name[UACCE_MAX_NAME_SIZE];
	struct vfsmount *mnt;
	int ret;

	spin_lock(&inst->dev_lock);
	strscpy(name, inst->dev_name);
	spin_unlock(&inst->dev_lock);
	if (!*name)
		return -ENODEV;

	/* Never a module, so there is no reference to drop */
	type = get_fs_type("devtmpfs");
	if (!type)
		return -ENODEV;

	mnt = kern_mount(type);
	if (IS_ERR(mnt))
		return PTR_ERR(mnt);

	ret = sim_kthread_open_in(mnt, name);
	kern_unmount(mnt);
	return ret;
}

static void sim_kthread_open_work(struct work_struct *work)
{
	struct sim_kthread_open *o =
		container_of(work, struct sim_kthread_open, work);

	o->ret = sim_kthread_open_node(o->inst);
}

/**
 * sim_kthread_open() - open the device node from a kernel thread
 * @inst: the instance
 *
 * Return: 0 if it opened (it is closed again), or the error
 */
int sim_kthread_open(struct sim_instance *inst)
{
	struct sim_kthread_open o = { .inst = inst };

	INIT_WORK_ONSTACK(&o.work, sim_kthread_open_work);
	queue_work(system_dfl_wq, &o.work);
	flush_work(&o.work);
	destroy_work_on_stack(&o.work);
	return o.ret;
}
