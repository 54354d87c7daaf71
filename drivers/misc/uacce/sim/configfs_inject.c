// SPDX-License-Identifier: GPL-2.0-only
/*
 * Simulated accelerator: the files in inject/.
 *
 * A store function of configfs is told the item but not the attribute, so there is a
 * pair of functions for each file, made by macros.
 */
#include <linux/kstrtox.h>
#include <linux/module.h>
#include "sim.h"

static struct sim_instance *to_sim_instance(struct config_item *item)
{
	return container_of(to_config_group(item), struct sim_instance,
			    inject_group);
}

static struct sim_inject *to_sim_inject(struct config_item *item)
{
	return &to_sim_instance(item)->inject;
}

static ssize_t sim_hold_store(struct config_item *item, enum sim_point point,
			      const char *page, size_t count)
{
	int n, ret;

	ret = kstrtoint(page, 0, &n);
	if (!ret)
		ret = sim_inject_set_hold(to_sim_inject(item), point, n);
	return ret ?: count;
}

static ssize_t sim_delay_store(struct config_item *item, enum sim_point point,
			       const char *page, size_t count)
{
	unsigned int ms;
	int ret;

	ret = kstrtouint(page, 0, &ms);
	if (!ret)
		ret = sim_inject_set_delay(to_sim_inject(item), point, ms);
	return ret ?: count;
}

static ssize_t sim_fail_store(struct config_item *item, enum sim_point point,
			      const char *page, size_t count)
{
	int n, ret;

	ret = kstrtoint(page, 0, &n);
	if (!ret)
		ret = sim_inject_set_fail(to_sim_inject(item), point, n);
	return ret ?: count;
}

/* The points by the names that they have in files */
static const enum sim_point sim_point_bind = SIM_POINT_BIND;
static const enum sim_point sim_point_get_queue = SIM_POINT_GET_QUEUE;
static const enum sim_point sim_point_put_queue = SIM_POINT_PUT_QUEUE;
static const enum sim_point sim_point_start = SIM_POINT_START;
static const enum sim_point sim_point_stop = SIM_POINT_STOP;
static const enum sim_point sim_point_ioctl = SIM_POINT_IOCTL;
static const enum sim_point sim_point_mmap = SIM_POINT_MMAP;
static const enum sim_point sim_point_page_response = SIM_POINT_PAGE_RESPONSE;
static const enum sim_point sim_point_engine = SIM_POINT_ENGINE;
static const enum sim_point sim_point_dma = SIM_POINT_DMA;

#define SIM_HOLD_ATTR(_name)						\
static ssize_t sim_hold_##_name##_show(struct config_item *item,	\
				       char *page)			\
{									\
	unsigned int held = sim_inject_held(to_sim_inject(item),	\
					    sim_point_##_name);		\
									\
	return sysfs_emit(page, "%u\n", held);				\
}									\
static ssize_t sim_hold_##_name##_store(struct config_item *item,	\
					const char *page, size_t count)	\
{									\
	return sim_hold_store(item, sim_point_##_name, page, count);	\
}									\
CONFIGFS_ATTR(sim_, hold_##_name)

#define SIM_DELAY_ATTR(_name)						\
static ssize_t sim_delay_##_name##_ms_show(struct config_item *item,	\
					   char *page)			\
{									\
	unsigned int ms = sim_inject_delay(to_sim_inject(item),		\
					   sim_point_##_name);		\
									\
	return sysfs_emit(page, "%u\n", ms);				\
}									\
static ssize_t sim_delay_##_name##_ms_store(struct config_item *item,	\
					    const char *page,		\
					    size_t count)		\
{									\
	return sim_delay_store(item, sim_point_##_name, page, count);	\
}									\
CONFIGFS_ATTR(sim_, delay_##_name##_ms)

#define SIM_FAIL_ATTR(_name)						\
static ssize_t sim_fail_##_name##_show(struct config_item *item,	\
				       char *page)			\
{									\
	int left = sim_inject_fails_left(to_sim_inject(item),		\
					 sim_point_##_name);		\
									\
	return sysfs_emit(page, "%d\n", left);				\
}									\
static ssize_t sim_fail_##_name##_store(struct config_item *item,	\
					const char *page, size_t count)	\
{									\
	return sim_fail_store(item, sim_point_##_name, page, count);	\
}									\
CONFIGFS_ATTR(sim_, fail_##_name)

/* The IOMMU core's locks are held there: no other bind of the machine goes on */
SIM_HOLD_ATTR(bind);
SIM_FAIL_ATTR(bind);

SIM_HOLD_ATTR(get_queue);
SIM_DELAY_ATTR(get_queue);
SIM_FAIL_ATTR(get_queue);

SIM_HOLD_ATTR(put_queue);
SIM_DELAY_ATTR(put_queue);

SIM_HOLD_ATTR(start);
SIM_DELAY_ATTR(start);
SIM_FAIL_ATTR(start);

SIM_HOLD_ATTR(stop);
SIM_DELAY_ATTR(stop);

SIM_HOLD_ATTR(ioctl);
SIM_DELAY_ATTR(ioctl);

SIM_HOLD_ATTR(mmap);
SIM_DELAY_ATTR(mmap);
SIM_FAIL_ATTR(mmap);

SIM_HOLD_ATTR(page_response);
SIM_DELAY_ATTR(page_response);
SIM_FAIL_ATTR(page_response);

SIM_HOLD_ATTR(engine);
SIM_DELAY_ATTR(engine);
SIM_FAIL_ATTR(engine);

SIM_HOLD_ATTR(dma);
SIM_DELAY_ATTR(dma);

static ssize_t sim_flag_store(bool *flag, const char *page, size_t count)
{
	bool value;
	int ret;

	ret = kstrtobool(page, &value);
	if (ret)
		return ret;

	WRITE_ONCE(*flag, value);
	return count;
}

static ssize_t sim_positive_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%d\n",
			  READ_ONCE(to_sim_inject(item)->positive));
}

static ssize_t sim_positive_store(struct config_item *item, const char *page,
				  size_t count)
{
	return sim_flag_store(&to_sim_inject(item)->positive, page, count);
}

CONFIGFS_ATTR(sim_, positive);

static ssize_t sim_isolate_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%d\n",
			  READ_ONCE(to_sim_instance(item)->isolated));
}

static ssize_t sim_isolate_store(struct config_item *item, const char *page,
				 size_t count)
{
	return sim_flag_store(&to_sim_instance(item)->isolated, page, count);
}

CONFIGFS_ATTR(sim_, isolate);

static ssize_t sim_kthread_open_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%d\n",
			  READ_ONCE(to_sim_instance(item)->kthread_open_err));
}

static ssize_t sim_kthread_open_store(struct config_item *item,
				      const char *page, size_t count)
{
	struct sim_instance *inst = to_sim_instance(item);

	/* That it failed is the outcome, and not an error of this write */
	WRITE_ONCE(inst->kthread_open_err, sim_kthread_open(inst));
	return count;
}

CONFIGFS_ATTR(sim_, kthread_open);

static struct configfs_attribute *sim_inject_attrs[] = {
	&sim_attr_hold_bind,
	&sim_attr_fail_bind,
	&sim_attr_hold_get_queue,
	&sim_attr_delay_get_queue_ms,
	&sim_attr_fail_get_queue,
	&sim_attr_hold_put_queue,
	&sim_attr_delay_put_queue_ms,
	&sim_attr_hold_start,
	&sim_attr_delay_start_ms,
	&sim_attr_fail_start,
	&sim_attr_hold_stop,
	&sim_attr_delay_stop_ms,
	&sim_attr_hold_ioctl,
	&sim_attr_delay_ioctl_ms,
	&sim_attr_hold_mmap,
	&sim_attr_delay_mmap_ms,
	&sim_attr_fail_mmap,
	&sim_attr_hold_page_response,
	&sim_attr_delay_page_response_ms,
	&sim_attr_fail_page_response,
	&sim_attr_hold_engine,
	&sim_attr_delay_engine_ms,
	&sim_attr_fail_engine,
	&sim_attr_hold_dma,
	&sim_attr_delay_dma_ms,
	&sim_attr_positive,
	&sim_attr_isolate,
	&sim_attr_kthread_open,
	NULL,
};

const struct config_item_type sim_inject_type = {
	.ct_owner = THIS_MODULE,
	.ct_attrs = sim_inject_attrs,
};
