// SPDX-License-Identifier: GPL-2.0-only
/*
 * The simulated accelerator: an instance is a directory in configfs.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kselftest.h"
#include "carrier.h"
#include "sim.h"

#define CONFIGFS	"/sys/kernel/config"
#define SIM_ROOT	CONFIGFS "/uacce_sim"

/* Points where a task may be held, which does not die before it is let go */
static const char * const hold_points[] = {
	"bind", "get_queue", "put_queue", "start", "stop", "ioctl", "mmap",
	"page_response", "engine", "dma",
};

/*
 * Paths of all hold files of the instances this process has made, ready for the
 * crash handler, which may not call much.
 */
#define MAX_SIMS	4
static char hold_paths[MAX_SIMS][ARRAY_SIZE(hold_points)][200];
static int n_sims;

static const char *configfs_unavailable(void)
{
	struct stat st;

	if (!stat(SIM_ROOT, &st))
		return NULL;

	load_module("uacce_sim");
	if (!stat(SIM_ROOT, &st))
		return NULL;
	/* only now: this is what CONFIG_CONFIGFS_FS=m waits for */
	if (mount("none", CONFIGFS, "configfs", 0, NULL) && errno != EBUSY)
		return "cannot mount configfs";
	if (!stat(SIM_ROOT, &st))
		return NULL;
	return "module uacce_sim (CONFIG_UACCE_SIM) is not available";
}

static void configfs_path(const char *name, const char *attr, char *buf,
			  size_t len)
{
	snprintf(buf, len, SIM_ROOT "/%s/%s", name, attr);
}

static int configfs_set(const char *name, const char *attr, const char *val)
{
	char path[160];

	configfs_path(name, attr, path, sizeof(path));
	return write_file(path, val);
}

static int configfs_gets(const char *name, const char *attr, char *buf,
			 size_t len)
{
	char path[160];

	configfs_path(name, attr, path, sizeof(path));
	return read_file(path, buf, len);
}

static void remember_holds(const char *name)
{
	char attr[40];
	unsigned int p;

	if (n_sims == MAX_SIMS)
		return;
	for (p = 0; p < ARRAY_SIZE(hold_points); p++) {
		snprintf(attr, sizeof(attr), "inject/hold_%s", hold_points[p]);
		configfs_path(name, attr, hold_paths[n_sims][p],
			      sizeof(hold_paths[n_sims][p]));
	}
	n_sims++;
}

static void configfs_crash(void)
{
	unsigned int p;
	int s, fd;

	for (s = 0; s < n_sims; s++) {
		for (p = 0; p < ARRAY_SIZE(hold_points); p++) {
			fd = open(hold_paths[s][p], O_WRONLY | O_CLOEXEC);
			if (fd < 0)
				continue;
			if (write(fd, "0", 1) != 1)
				errno = 0;
			close(fd);
		}
	}
}

static int configfs_remove(const char *name)
{
	char path[160];

	configfs_path(name, "", path, sizeof(path));
	return rmdir(path) ? -errno : 0;
}

/* A test that was killed has left its instance, and maybe tasks held in it */
static int remove_leftover(const char *name)
{
	char attr[40];
	unsigned int p;
	int ret;

	for (p = 0; p < ARRAY_SIZE(hold_points); p++) {
		snprintf(attr, sizeof(attr), "inject/hold_%s", hold_points[p]);
		configfs_set(name, attr, "0");
	}
	ret = configfs_set(name, "live", "0");
	return ret ?: configfs_remove(name);
}

static int configfs_make(const char *name, bool no_sva)
{
	char path[160];
	int ret;

	configfs_path(name, "", path, sizeof(path));
	if (mkdir(path, 0755)) {
		if (errno != EEXIST)
			return -errno;
		ret = remove_leftover(name);
		if (ret)
			return ret;
		if (mkdir(path, 0755))
			return -errno;
	}
	remember_holds(name);

	ret = no_sva ? configfs_set(name, "sva", "0") : 0;
	if (ret)
		rmdir(path);
	return ret;
}

static const char * const configfs_never[] = {
	"dma_after_stop", "dma_after_release", "running_at_release", NULL
};

const struct carrier carrier_configfs = {
	.driver = "/sys/bus/platform/drivers/uacce_sim",
	.never = configfs_never,
	.unavailable = configfs_unavailable,
	.make = configfs_make,
	.remove = configfs_remove,
	.set = configfs_set,
	.gets = configfs_gets,
	.crash = configfs_crash,
};
