// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/class/uacce/<name>-<N>/, as Documentation/ABI/testing/sysfs-driver-uacce
 * describes it.
 */
#include <linux/device.h>
#include <linux/kstrtox.h>
#include <linux/mm.h>
#include <linux/sysfs.h>

#include "uacce_private.h"

static ssize_t api_show(struct device *dev, struct device_attribute *attr,
			char *buf)
{
	return sysfs_emit(buf, "%s\n", to_uacce_device(dev)->api_ver ?: "");
}
static DEVICE_ATTR_RO(api);

static ssize_t flags_show(struct device *dev, struct device_attribute *attr,
			  char *buf)
{
	return sysfs_emit(buf, "%u\n", to_uacce_device(dev)->flags);
}
static DEVICE_ATTR_RO(flags);

static ssize_t algorithms_show(struct device *dev,
			       struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", to_uacce_device(dev)->algs ?: "");
}
static DEVICE_ATTR_RO(algorithms);

static ssize_t available_instances_show(struct device *dev,
					struct device_attribute *attr,
					char *buf)
{
	struct uacce_device *uacce = to_uacce_device(dev);

	if (!uacce->ops->get_available_instances)
		return -ENODEV;

	return sysfs_emit(buf, "%d\n",
			  uacce->ops->get_available_instances(uacce));
}
static DEVICE_ATTR_RO(available_instances);

static ssize_t uacce_show_region_size(struct device *dev, char *buf,
				      enum uacce_qfrt type)
{
	struct uacce_device *uacce = to_uacce_device(dev);

	return sysfs_emit(buf, "%lu\n", uacce->qf_pg_num[type] << PAGE_SHIFT);
}

static ssize_t region_mmio_size_show(struct device *dev,
				     struct device_attribute *attr, char *buf)
{
	return uacce_show_region_size(dev, buf, UACCE_QFRT_MMIO);
}
static DEVICE_ATTR_RO(region_mmio_size);

static ssize_t region_dus_size_show(struct device *dev,
				    struct device_attribute *attr, char *buf)
{
	return uacce_show_region_size(dev, buf, UACCE_QFRT_DUS);
}
static DEVICE_ATTR_RO(region_dus_size);

static ssize_t isolate_show(struct device *dev, struct device_attribute *attr,
			    char *buf)
{
	struct uacce_device *uacce = to_uacce_device(dev);

	return sysfs_emit(buf, "%d\n", uacce->ops->get_isolate_state(uacce));
}
static DEVICE_ATTR_RO(isolate);

static ssize_t isolate_strategy_show(struct device *dev,
				     struct device_attribute *attr, char *buf)
{
	struct uacce_device *uacce = to_uacce_device(dev);

	if (!uacce->ops->isolate_err_threshold_read)
		return -ENOENT;

	return sysfs_emit(buf, "%u\n",
			  uacce->ops->isolate_err_threshold_read(uacce));
}

static ssize_t isolate_strategy_store(struct device *dev,
				      struct device_attribute *attr,
				      const char *buf, size_t count)
{
	struct uacce_device *uacce = to_uacce_device(dev);
	u32 threshold;
	int ret;

	if (!uacce->ops->isolate_err_threshold_write)
		return -ENOENT;

	/* One errno for whatever is not a threshold, out of range or no number */
	if (kstrtou32(buf, 0, &threshold) ||
	    threshold > UACCE_MAX_ERR_THRESHOLD)
		return -EINVAL;

	ret = uacce->ops->isolate_err_threshold_write(uacce, threshold);

	return ret ?: count;
}
static DEVICE_ATTR_RW(isolate_strategy);

static struct attribute *uacce_dev_attrs[] = {
	&dev_attr_api.attr,
	&dev_attr_flags.attr,
	&dev_attr_available_instances.attr,
	&dev_attr_algorithms.attr,
	&dev_attr_region_mmio_size.attr,
	&dev_attr_region_dus_size.attr,
	&dev_attr_isolate.attr,
	&dev_attr_isolate_strategy.attr,
	NULL
};

static umode_t uacce_dev_is_visible(struct kobject *kobj,
				    struct attribute *attr, int n)
{
	const struct uacce_ops *ops = to_uacce_device(kobj_to_dev(kobj))->ops;

	if (attr == &dev_attr_isolate.attr && !ops->get_isolate_state)
		return 0;
	if (attr == &dev_attr_isolate_strategy.attr &&
	    !ops->isolate_err_threshold_read &&
	    !ops->isolate_err_threshold_write)
		return 0;

	return attr->mode;
}

static const struct attribute_group uacce_dev_group = {
	.attrs = uacce_dev_attrs,
	.is_visible = uacce_dev_is_visible,
};

const struct attribute_group *uacce_dev_groups[] = {
	&uacce_dev_group,
	NULL
};
