// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/debug/uacce/<name>-<N>/: who uses the device, and what keeps it busy.
 *
 * No op of the driver is called here, and no lock is taken that is held around
 * one: a queue that hangs is the one worth seeing.
 */
#include <linux/debugfs.h>
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/seq_file.h>

#include "uacce_private.h"

static struct dentry *uacce_debugfs_root;

static int bonds_show(struct seq_file *m, void *unused)
{
	struct uacce_device *uacce = m->private;
	struct uacce_mm *bond = NULL;
	struct list_head *pos;
	unsigned int queues;

	seq_puts(m, "# pasid users queues state\n");
	while ((bond = uacce_bond_next(uacce, bond))) {
		guard(mutex)(&bond->lock);

		queues = 0;
		list_for_each(pos, &bond->queues)
			queues++;
		seq_printf(m, "%u %u %u %s\n", bond->pasid,
			   READ_ONCE(bond->users), queues,
			   bond->torn ? "unbound" : bond->dead ? "dead" : "live");
	}

	return 0;
}
DEFINE_SHOW_ATTRIBUTE(bonds);

static void uacce_show_owner(struct seq_file *m, struct uacce_queue *q)
{
	struct task_struct *task;
	char comm[TASK_COMM_LEN] = "-";

	guard(rcu)();
	task = pid_task(q->owner, PIDTYPE_TGID);
	if (task)
		get_task_comm(comm, task);
	seq_printf(m, " %d ", pid_nr(q->owner));
	seq_escape(m, comm, " \t\n\\");
}

static void uacce_show_queue(struct seq_file *m, struct uacce_queue *q)
{
	const char *op = READ_ONCE(q->op);

	seq_printf(m, "%u %u %s%s", q->id, q->pasid, uacce_queue_state_name(q),
		   READ_ONCE(q->dead) ? ",dead" : "");
	uacce_show_owner(m, q);
	if (op)
		seq_printf(m, " %s %d\n", op, READ_ONCE(q->op_pid));
	else
		seq_puts(m, " - -\n");
}

static int queues_show(struct seq_file *m, void *unused)
{
	struct uacce_device *uacce = m->private;
	struct uacce_mm *bond = NULL;
	struct uacce_queue *q = NULL;

	seq_puts(m, "# id pasid state opened-by comm op op-by\n");
	while ((bond = uacce_bond_next(uacce, bond))) {
		while ((q = uacce_bond_next_queue(bond, q)))
			uacce_show_queue(m, q);
	}

	return 0;
}
DEFINE_SHOW_ATTRIBUTE(queues);

void uacce_debugfs_add(struct uacce_device *uacce)
{
	uacce->debugfs = debugfs_create_dir(dev_name(&uacce->dev),
					    uacce_debugfs_root);
	debugfs_create_file("bonds", 0400, uacce->debugfs, uacce, &bonds_fops);
	debugfs_create_file("queues", 0400, uacce->debugfs, uacce,
			    &queues_fops);
}

/* Waits for readers. */
void uacce_debugfs_remove(struct uacce_device *uacce)
{
	debugfs_remove(uacce->debugfs);
}

void uacce_debugfs_init(void)
{
	uacce_debugfs_root = debugfs_create_dir(UACCE_NAME, NULL);
}

void uacce_debugfs_exit(void)
{
	debugfs_remove(uacce_debugfs_root);
}
