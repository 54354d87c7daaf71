// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instances of the tracer, and what the core has it say.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim.h"
#include "tracer.h"

#define TRACEFS		"/sys/kernel/tracing"

static void instance_path(const char *name, const char *file, char *buf,
			  size_t len)
{
	snprintf(buf, len, TRACER_INSTANCES "/%s/%s", name, file);
}

int tracer_make(const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	if (stat(TRACER_INSTANCES, &st) &&
	    mount("none", TRACEFS, "tracefs", 0, NULL) && errno != EBUSY)
		return -errno;
	instance_path(name, "", path, sizeof(path));
	if (!mkdir(path, 0755))
		return 0;
	return errno == EEXIST ? 1 : -errno;
}

int tracer_remove(const char *name)
{
	char path[PATH_MAX];

	instance_path(name, "", path, sizeof(path));
	return rmdir(path) ? -errno : 0;
}

int tracer_set(const char *name, const char *file, const char *val)
{
	char path[PATH_MAX];

	instance_path(name, file, path, sizeof(path));
	return write_file(path, val);
}

/* The file that says whether an event of the core is on */
static void event_path(const char *name, const char *event, char *buf, size_t len)
{
	char file[80];

	snprintf(file, sizeof(file), "events/uacce/%s/enable", event);
	instance_path(name, file, buf, len);
}

int tracer_set_events(const char *name, const char * const *events,
		      unsigned int n, const char *val)
{
	char path[PATH_MAX];
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < n; i++) {
		event_path(name, events[i], path, sizeof(path));
		ret = write_file(path, val);
	}
	return ret;
}

bool tracer_event_is_on(const char *name, const char *event)
{
	char path[PATH_MAX], text[8];

	event_path(name, event, path, sizeof(path));
	return read_file(path, text, sizeof(text)) > 0 && text[0] == '1';
}

int tracer_open_pipe(const char *name)
{
	long end = now_ms() + SIM_TIMEOUT_MS;
	char path[PATH_MAX];
	int fd;

	instance_path(name, "trace_pipe", path, sizeof(path));
	while ((fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)) < 0) {
		if (errno != EBUSY || now_ms() > end)
			return -errno;
		nap();
	}
	return fd;
}

static unsigned int number(const char *text, const char *field)
{
	const char *p = strstr(text, field);

	return p ? strtoul(p + strlen(field), NULL, 10) : 0;
}

/*
 * One line:  TASK-PID [CPU] FLAGS TIME: uacce_get_queue: dev=D queue=0 pasid=1 ret=0
 */
bool tracer_parse(const char *line, struct tracer_event *e)
{
	const char *text = strstr(line, ": uacce_");

	if (!text ||
	    sscanf(text, ": %31[a-z_]: dev=%63s", e->name, e->dev) != 2)
		return false;
	/* a negative one is large */
	e->failed = number(text, " ret=");
	e->queue = number(text, " queue=");
	e->pasid = number(text, " pasid=");
	return true;
}
