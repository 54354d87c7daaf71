// SPDX-License-Identifier: GPL-2.0-only
/*
 * The character device: an open file is a queue.
 */
#include <linux/cdev.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/seq_file.h>

#include "uacce_private.h"

static int uacce_fops_open(struct inode *inode, struct file *filp)
{
	/*
	 * The inode's own cdev, which this open has a reference to, and not
	 * whatever has that minor by now.
	 */
	struct uacce_device *uacce = container_of(inode->i_cdev,
						  struct uacce_device, cdev);
	struct uacce_queue *q;
	struct uacce_mm *bond;
	int ret;

	if (!current->mm)
		return -EINVAL;

	q = uacce_queue_alloc(uacce);
	if (!q)
		return -ENOMEM;
	q->mapping = filp->f_mapping;

	bond = uacce_bond_open(uacce);
	if (IS_ERR(bond)) {
		ret = PTR_ERR(bond);
		goto err_put;
	}

	ret = uacce_bond_add_queue(bond, q);
	if (ret)
		goto err_close;

	ret = uacce_queue_get_hw(q);
	mutex_unlock(&q->lock);
	if (!ret && READ_ONCE(q->dead))
		ret = -ENODEV;
	if (ret)
		goto err_dead;

	filp->private_data = q;

	return 0;

err_dead:
	uacce_queue_mark_dead(q);
	uacce_queue_put_hw(q);
	uacce_regions_detach(q);
err_close:
	uacce_bond_close(bond);
err_put:
	uacce_queue_put(q);
	return ret;
}

static int uacce_fops_release(struct inode *inode, struct file *filp)
{
	struct uacce_queue *q = filp->private_data;

	uacce_queue_mark_dead(q);
	uacce_queue_put_hw(q);
	uacce_regions_detach(q);
	uacce_bond_close(q->bond);
	uacce_queue_put(q);

	return 0;
}

static long uacce_fops_ioctl(struct file *filp, unsigned int cmd,
			     unsigned long arg)
{
	return uacce_queue_ioctl(filp->private_data, cmd, arg);
}

static int uacce_fops_mmap(struct file *filp, struct vm_area_struct *vma)
{
	return uacce_region_mmap(filp->private_data, vma);
}

static __poll_t uacce_fops_poll(struct file *filp, poll_table *wait)
{
	struct uacce_queue *q = filp->private_data;
	const struct uacce_ops *ops;

	poll_wait(filp, &q->wait, wait);

	guard(mutex)(&q->map_lock);

	if (q->dead)
		return EPOLLERR | EPOLLHUP;

	ops = q->uacce->ops;
	if (ops->is_q_updated && ops->is_q_updated(q))
		return EPOLLIN | EPOLLRDNORM;

	return 0;
}

static void uacce_fops_show_fdinfo(struct seq_file *m, struct file *filp)
{
	struct uacce_queue *q = filp->private_data;

	/* Without the lock, as a queue that hangs in an op is worth seeing. */
	seq_printf(m, "uacce-device:\t%s\n", dev_name(&q->uacce->dev));
	seq_printf(m, "uacce-queue:\t%u\n", q->id);
	seq_printf(m, "uacce-state:\t%s\n", uacce_queue_state_name(q));
	if (q->bond->mm)
		seq_printf(m, "uacce-pasid:\t%u\n", q->pasid);
}

const struct file_operations uacce_fops = {
	.owner		= THIS_MODULE,
	.open		= uacce_fops_open,
	.release	= uacce_fops_release,
	.unlocked_ioctl	= uacce_fops_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.mmap		= uacce_fops_mmap,
	.poll		= uacce_fops_poll,
	.show_fdinfo	= uacce_fops_show_fdinfo,
};
