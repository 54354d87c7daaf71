// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "group.h"
#include "sim.h"

#define GROUPS	"/sys/fs/cgroup"

static const char *group_path(const char *name, const char *file)
{
	static char path[160];

	snprintf(path, sizeof(path), GROUPS "/%s/%s", name, file);
	return path;
}

bool group_begin(const char *name, unsigned long max)
{
	char text[24] = "max";

	rmdir(group_path(name, ""));
	write_file(GROUPS "/cgroup.subtree_control", "+memory");
	if (max)
		snprintf(text, sizeof(text), "%lu", max);
	return !mkdir(group_path(name, ""), 0755) &&
	       !write_file(group_path(name, "memory.max"), text);
}

int group_join(const char *name)
{
	return write_file(group_path(name, "cgroup.procs"), "0");
}

/*
 * The kernel brings its numbers up to date for a reader only if much has changed since
 * it did so last: see that it has. Each page fault counts.
 */
static void change_much(void)
{
	const size_t size = 4 << 20;
	char *p;

	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return;
	madvise(p, size, MADV_NOHUGEPAGE);
	memset(p, 1, size);
	munmap(p, size);
}

long group_stat(const char *name, const char *key)
{
	char text[8192], *line, *rest = text;
	size_t len = strlen(key);
	int ret;

	change_much();
	ret = read_file(group_path(name, "memory.stat"), text, sizeof(text));
	if (ret < 0)
		return ret;
	while ((line = strsep(&rest, "\n"))) {
		if (!strncmp(line, key, len) && line[len] == ' ')
			return atol(line + len);
	}
	return -ENOENT;
}

int group_end(const char *name)
{
	long end = now_ms() + SIM_TIMEOUT_MS;

	/* who was in it may not be quite gone */
	while (rmdir(group_path(name, "")) && errno != ENOENT) {
		if (now_ms() > end)
			return -ETIMEDOUT;
		nap();
	}
	return 0;
}
