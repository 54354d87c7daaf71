// SPDX-License-Identifier: GPL-2.0-only
/*
 * Read /sys/class/uacce.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "uacce-sysfs.h"

/* sysfs never shows more than a page of an attribute */
#define ATTR_MAX	65536

char *uacce_sysfs_read(const char *dir, const char *attr)
{
	char path[PATH_MAX];
	size_t len = 0;
	ssize_t got;
	char *buf;
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", dir, attr) >=
	    (int)sizeof(path))
		return NULL;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;

	buf = malloc(ATTR_MAX + 1);
	if (!buf)
		goto out;
	while (len < ATTR_MAX) {
		got = read(fd, buf + len, ATTR_MAX - len);
		if (got < 0) {
			free(buf);
			buf = NULL;
			goto out;
		}
		if (!got)
			break;
		len += got;
	}
	if (len && buf[len - 1] == '\n')
		len--;
	buf[len] = '\0';
out:
	close(fd);
	return buf;
}

static char *read_string(const char *dir, const char *attr)
{
	char *s = uacce_sysfs_read(dir, attr);

	return s ? s : strdup("");
}

static long long read_number(const char *dir, const char *attr,
			     long long otherwise)
{
	char *s = uacce_sysfs_read(dir, attr);
	long long value;
	char *end;

	if (!s)
		return otherwise;
	errno = 0;
	value = strtoll(s, &end, 0);
	if (errno || end == s || *end)
		value = otherwise;
	free(s);
	return value;
}

/* Where a symbolic link in sysfs leads to, without the way there */
static char *link_name(const char *dir, const char *attr)
{
	char path[PATH_MAX], target[PATH_MAX];
	char *slash;
	ssize_t len;

	if (snprintf(path, sizeof(path), "%s/%s", dir, attr) >=
	    (int)sizeof(path))
		return strdup("");
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0)
		return strdup("");
	target[len] = '\0';
	slash = strrchr(target, '/');
	return strdup(slash ? slash + 1 : target);
}

static void free_device(struct uacce_sysfs *dev)
{
	free(dev->path);
	free(dev->name);
	free(dev->api);
	free(dev->algorithms);
	free(dev->devt);
	free(dev->parent);
	free(dev->driver);
}

static int read_device(struct uacce_sysfs *dev, const char *class,
		       const char *name)
{
	memset(dev, 0, sizeof(*dev));
	if (asprintf(&dev->path, "%s/%s", class, name) < 0) {
		dev->path = NULL;
		return -ENOMEM;
	}

	dev->name = strdup(name);
	dev->api = read_string(dev->path, "api");
	dev->algorithms = read_string(dev->path, "algorithms");
	dev->devt = read_string(dev->path, "dev");
	dev->parent = link_name(dev->path, "device");
	dev->driver = link_name(dev->path, "device/driver");
	dev->flags = read_number(dev->path, "flags", 0);
	dev->available = read_number(dev->path, "available_instances", -1);
	dev->mmio_size = read_number(dev->path, "region_mmio_size", 0);
	dev->dus_size = read_number(dev->path, "region_dus_size", 0);
	dev->numa_node = read_number(dev->path, "device/numa_node", -1);
	dev->isolate = read_number(dev->path, "isolate", -1);
	dev->isolate_strategy = read_number(dev->path, "isolate_strategy", -1);

	if (!dev->name || !dev->api || !dev->algorithms || !dev->devt ||
	    !dev->parent || !dev->driver) {
		free_device(dev);
		return -ENOMEM;
	}
	return 0;
}

/* By name, then by number: x-2 comes before x-10 */
static int compare(const void *a, const void *b)
{
	return strverscmp(((const struct uacce_sysfs *)a)->name,
			  ((const struct uacce_sysfs *)b)->name);
}

static int add_device(struct uacce_sysfs_list *list, const char *class,
		      const char *name)
{
	struct uacce_sysfs *dev;
	int ret;

	dev = realloc(list->dev, (list->nr + 1) * sizeof(*dev));
	if (!dev)
		return -ENOMEM;
	list->dev = dev;
	dev += list->nr;
	ret = read_device(dev, class, name);
	if (ret)
		return ret;

	/* went away while we read? */
	if (access(dev->path, F_OK)) {
		free_device(dev);
		return 0;
	}
	list->nr++;
	return 0;
}

int uacce_sysfs_scan(struct uacce_sysfs_list *list, const char *root)
{
	char class[PATH_MAX];
	struct dirent *entry;
	DIR *dir;
	int ret = 0;

	memset(list, 0, sizeof(*list));
	if (snprintf(class, sizeof(class), "%s/class/uacce", root) >=
	    (int)sizeof(class))
		return -ENAMETOOLONG;

	dir = opendir(class);
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	list->has_class = true;

	while (!ret && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			ret = add_device(list, class, entry->d_name);
	closedir(dir);

	if (ret)
		uacce_sysfs_free(list);
	else if (list->nr)
		qsort(list->dev, list->nr, sizeof(*list->dev), compare);
	return ret;
}

void uacce_sysfs_free(struct uacce_sysfs_list *list)
{
	size_t i;

	for (i = 0; i < list->nr; i++)
		free_device(&list->dev[i]);
	free(list->dev);
	list->dev = NULL;
	list->nr = 0;
}
