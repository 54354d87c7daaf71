/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The accelerators of this machine, as sysfs shows them.
 */
#ifndef UACCE_SYSFS_H
#define UACCE_SYSFS_H

#include <stdbool.h>
#include <stddef.h>

#define UACCE_SYSFS_ROOT	"/sys"

/**
 * struct uacce_sysfs - one device
 * @path: its directory, <root>/class/uacce/<name>
 * @name: <name>, also the name of the node in /dev
 * @api: what the user library must speak
 * @algorithms: newline-separated
 * @devt: "major:minor"
 * @parent: name of the parent device, empty if there is none
 * @driver: name of the parent's driver, empty if there is none
 * @flags: UACCE_DEV_*
 * @available: free queues, -1 if not told
 * @mmio_size: bytes of region 0
 * @dus_size: bytes of region 1
 * @numa_node: of the parent, -1 if not told
 * @isolate: 1 if taken out of service after errors, 0 if not, -1 if not told
 * @isolate_strategy: errors per hour that it takes, -1 if not told
 */
struct uacce_sysfs {
	char *path;
	char *name;
	char *api;
	char *algorithms;
	char *devt;
	char *parent;
	char *driver;
	unsigned int flags;
	long available;
	unsigned long long mmio_size;
	unsigned long long dus_size;
	int numa_node;
	int isolate;
	long isolate_strategy;
};

/**
 * struct uacce_sysfs_list - all devices, sorted by name
 * @dev: array of @nr devices
 * @nr: how many
 * @has_class: the class directory exists: the core is loaded
 */
struct uacce_sysfs_list {
	struct uacce_sysfs *dev;
	size_t nr;
	bool has_class;
};

/* A device that goes away meanwhile is left out. 0 or -errno. */
int uacce_sysfs_scan(struct uacce_sysfs_list *list, const char *root);
void uacce_sysfs_free(struct uacce_sysfs_list *list);

/* Contents of @dir/@attr without the last newline, or NULL; to be freed */
char *uacce_sysfs_read(const char *dir, const char *attr);

#endif /* UACCE_SYSFS_H */
