// SPDX-License-Identifier: GPL-2.0-only
/*
 * Simulated accelerator: instances in configfs.
 *
 *	/sys/kernel/config/uacce_sim/
 *		default/	an instance that is always there
 *		NAME/		made by mkdir, removed by rmdir
 *			live, dev_name, parent
 *			queues, pasid_bits, sva, numa_node, bare
 *			inject/	see configfs_inject.c
 *			stats/	see configfs_stats.c
 */
#include <linux/ctype.h>
#include <linux/kstrtox.h>
#include <linux/module.h>
#include <linux/nodemask.h>
#include <linux/slab.h>
#include "sim.h"

static struct sim_instance *to_sim_instance(struct config_item *item)
{
	return container_of(to_config_group(item), struct sim_instance, group);
}

static ssize_t sim_live_show(struct config_item *item, char *page)
{
	struct sim_instance *inst = to_sim_instance(item);
	bool live;

	mutex_lock(&inst->lock);
	live = inst->live;
	mutex_unlock(&inst->lock);

	return sysfs_emit(page, "%d\n", live);
}

static ssize_t sim_live_store(struct config_item *item, const char *page,
			      size_t count)
{
	bool live;
	int ret;

	ret = kstrtobool(page, &live);
	if (!ret)
		ret = sim_instance_set_live(to_sim_instance(item), live);
	return ret ?: count;
}

static ssize_t sim_dev_name_show(struct config_item *item, char *page)
{
	struct sim_instance *inst = to_sim_instance(item);
	ssize_t len;

	spin_lock(&inst->dev_lock);
	len = sysfs_emit(page, "%s\n", inst->dev_name);
	spin_unlock(&inst->dev_lock);

	return len;
}

static ssize_t sim_parent_show(struct config_item *item, char *page)
{
	int id = READ_ONCE(to_sim_instance(item)->id);

	if (id < 0)
		return sysfs_emit(page, "\n");
	return sysfs_emit(page, "%s.%d\n", SIM_NAME, id);
}

/*
 * The configuration is frozen while the instance is live. Readers do not take the lock.
 *
 * Return: 0 with the lock held, or -EBUSY
 */
static int sim_config_lock(struct sim_instance *inst)
{
	mutex_lock(&inst->lock);
	if (!inst->live)
		return 0;
	mutex_unlock(&inst->lock);

	return -EBUSY;
}

static int sim_config_set(struct sim_instance *inst, unsigned int *field,
			  const char *page, unsigned int min,
			  unsigned int max)
{
	unsigned int val;
	int ret;

	ret = kstrtouint(page, 0, &val);
	if (ret)
		return ret;
	if (val < min || val > max)
		return -EINVAL;

	ret = sim_config_lock(inst);
	if (ret)
		return ret;
	WRITE_ONCE(*field, val);
	mutex_unlock(&inst->lock);

	return 0;
}

static ssize_t sim_queues_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%u\n", READ_ONCE(to_sim_instance(item)->queues));
}

static ssize_t sim_queues_store(struct config_item *item, const char *page,
				size_t count)
{
	struct sim_instance *inst = to_sim_instance(item);

	return sim_config_set(inst, &inst->queues, page, 1, SIM_MAX_QUEUES) ?:
	       count;
}

static ssize_t sim_pasid_bits_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%u\n",
			  READ_ONCE(to_sim_instance(item)->pasid_bits));
}

static ssize_t sim_pasid_bits_store(struct config_item *item, const char *page,
				    size_t count)
{
	struct sim_instance *inst = to_sim_instance(item);

	return sim_config_set(inst, &inst->pasid_bits, page, 0,
			      SIM_MAX_PASID_BITS) ?: count;
}

static ssize_t sim_sva_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%d\n", READ_ONCE(to_sim_instance(item)->sva));
}

static int sim_config_set_bool(struct sim_instance *inst, bool *field,
			       const char *page)
{
	bool val;
	int ret;

	ret = kstrtobool(page, &val);
	if (ret)
		return ret;

	ret = sim_config_lock(inst);
	if (ret)
		return ret;
	WRITE_ONCE(*field, val);
	mutex_unlock(&inst->lock);

	return 0;
}

static ssize_t sim_sva_store(struct config_item *item, const char *page,
			     size_t count)
{
	struct sim_instance *inst = to_sim_instance(item);

	return sim_config_set_bool(inst, &inst->sva, page) ?: count;
}

static ssize_t sim_bare_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%d\n", READ_ONCE(to_sim_instance(item)->bare));
}

static ssize_t sim_bare_store(struct config_item *item, const char *page,
			      size_t count)
{
	struct sim_instance *inst = to_sim_instance(item);

	return sim_config_set_bool(inst, &inst->bare, page) ?: count;
}

static ssize_t sim_numa_node_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%d\n",
			  READ_ONCE(to_sim_instance(item)->numa_node));
}

static ssize_t sim_numa_node_store(struct config_item *item, const char *page,
				   size_t count)
{
	struct sim_instance *inst = to_sim_instance(item);
	int node, ret;

	ret = kstrtoint(page, 0, &node);
	if (ret)
		return ret;
	if (node < 0 || node >= MAX_NUMNODES || !node_online(node))
		return -EINVAL;

	ret = sim_config_lock(inst);
	if (ret)
		return ret;
	WRITE_ONCE(inst->numa_node, node);
	mutex_unlock(&inst->lock);

	return count;
}

CONFIGFS_ATTR(sim_, live);
CONFIGFS_ATTR_RO(sim_, dev_name);
CONFIGFS_ATTR_RO(sim_, parent);
CONFIGFS_ATTR(sim_, queues);
CONFIGFS_ATTR(sim_, pasid_bits);
CONFIGFS_ATTR(sim_, sva);
CONFIGFS_ATTR(sim_, numa_node);
CONFIGFS_ATTR(sim_, bare);

static struct configfs_attribute *sim_attrs[] = {
	&sim_attr_live,
	&sim_attr_dev_name,
	&sim_attr_parent,
	&sim_attr_queues,
	&sim_attr_pasid_bits,
	&sim_attr_sva,
	&sim_attr_numa_node,
	&sim_attr_bare,
	NULL,
};

static void sim_item_release(struct config_item *item)
{
	sim_instance_free(to_sim_instance(item));
}

static const struct configfs_item_operations sim_item_ops = {
	.release = sim_item_release,
};

static const struct config_item_type sim_instance_type = {
	.ct_owner = THIS_MODULE,
	.ct_item_ops = &sim_item_ops,
	.ct_attrs = sim_attrs,
};

static bool sim_name_ok(const char *name)
{
	const char *c;

	for (c = name; *c; c++) {
		/* islower() takes Latin-1, too */
		if ((*c < 'a' || *c > 'z') && !isdigit(*c) && *c != '_')
			return false;
	}
	return c > name && c - name <= SIM_NAME_LEN;
}

/*
 * The directory and the device can have different names: the default instance is in
 * "default".
 */
static struct sim_instance *sim_instance_make(const char *dir, const char *name)
{
	struct sim_instance *inst;

	inst = sim_instance_alloc(name);
	if (!inst)
		return ERR_PTR(-ENOMEM);

	config_group_init_type_name(&inst->group, dir, &sim_instance_type);
	config_group_init_type_name(&inst->inject_group, "inject",
				    &sim_inject_type);
	configfs_add_default_group(&inst->inject_group, &inst->group);
	config_group_init_type_name(&inst->stats_group, "stats",
				    &sim_stats_type);
	configfs_add_default_group(&inst->stats_group, &inst->group);
	return inst;
}

static struct config_group *sim_make_group(struct config_group *group,
					   const char *name)
{
	struct sim_instance *inst;

	if (!sim_name_ok(name))
		return ERR_PTR(-EINVAL);

	inst = sim_instance_make(name, name);
	return IS_ERR(inst) ? ERR_CAST(inst) : &inst->group;
}

/*
 * The files are gone already, and with them the way to let go who is held. So that
 * comes first: the removal of the device waits for them.
 */
static void sim_drop_item(struct config_group *group, struct config_item *item)
{
	struct sim_instance *inst = to_sim_instance(item);

	sim_inject_close(&inst->inject);
	sim_instance_set_live(inst, false);
	config_item_put(item);
}

static const struct configfs_group_operations sim_group_ops = {
	.make_group = sim_make_group,
	.drop_item = sim_drop_item,
};

static const struct config_item_type sim_root_type = {
	.ct_owner = THIS_MODULE,
	.ct_group_ops = &sim_group_ops,
};

static struct configfs_subsystem sim_subsys = {
	.su_group = {
		.cg_item = {
			.ci_namebuf = SIM_NAME,
			.ci_type = &sim_root_type,
		},
	},
};

/**
 * sim_configfs_init() - make the tree and the default instance in it
 *
 * Return: the default instance, not live, or an ERR_PTR()
 */
struct sim_instance *sim_configfs_init(void)
{
	struct sim_instance *inst;
	int ret;

	inst = sim_instance_make("default", SIM_NAME);
	if (IS_ERR(inst))
		return inst;

	config_group_init(&sim_subsys.su_group);
	mutex_init(&sim_subsys.su_mutex);
	configfs_add_default_group(&inst->group, &sim_subsys.su_group);

	ret = configfs_register_subsystem(&sim_subsys);
	if (ret) {
		config_group_put(&inst->group);
		return ERR_PTR(ret);
	}
	return inst;
}

/**
 * sim_configfs_exit() - remove the tree
 * @default_inst: the only instance left, not live
 */
void sim_configfs_exit(struct sim_instance *default_inst)
{
	configfs_unregister_subsystem(&sim_subsys);
	config_group_put(&default_inst->group);
}
