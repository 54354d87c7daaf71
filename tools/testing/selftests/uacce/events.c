// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counts events of the core with an instance of the tracer of our own: whoever asks
 * takes what is new out of its buffer and adds it to the counts in a file. A
 * histogram would do that in the kernel, but takes seconds to be made or cleared.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "kselftest.h"
#include "events.h"
#include "sim.h"
#include "tracer.h"

#define INSTANCE	"uacce_selftests"

/* For a test that makes events in a loop, before anybody asks how many */
#define BUFFER_KB	"16384"

#define MAX_DEVS	16

static const char * const names[N_EVENTS] = {
	[EVENT_BIND] = "uacce_bind",
	[EVENT_UNBIND] = "uacce_unbind",
	[EVENT_GET_QUEUE] = "uacce_get_queue",
	[EVENT_PUT_QUEUE] = "uacce_put_queue",
	[EVENT_START_QUEUE] = "uacce_start_queue",
	[EVENT_STOP_QUEUE] = "uacce_stop_queue",
	[EVENT_REGISTER] = "uacce_register",
	[EVENT_REMOVE_DONE] = "uacce_remove_done",
};

/* The file */
struct counts {
	struct {
		char name[64];
		long n[N_EVENTS];
	} dev[MAX_DEVS];
};

/* Opens the file of the counts, which is locked as long as it is open */
static int counts_open(const char *dir)
{
	char path[PATH_MAX];
	int fd, ret;

	snprintf(path, sizeof(path), "%s/.events", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	do {
		ret = flock(fd, LOCK_EX);
	} while (ret && errno == EINTR);
	if (!ret)
		return fd;
	ret = -errno;
	close(fd);
	return ret;
}

/* A child may have it open as well, and for longer: the lock has to go by itself */
static void counts_close(int fd)
{
	flock(fd, LOCK_UN);
	close(fd);
}

/* Nothing is read from a new file, which is: no device has any */
static int counts_read(int fd, struct counts *c)
{
	memset(c, 0, sizeof(*c));
	return pread(fd, c, sizeof(*c), 0) < 0 ? -errno : 0;
}

static int counts_write(int fd, const struct counts *c)
{
	return pwrite(fd, c, sizeof(*c), 0) == sizeof(*c) ? 0 : -EIO;
}

static long *counts_of(struct counts *c, const char *dev)
{
	unsigned int i;

	for (i = 0; i < MAX_DEVS; i++) {
		if (!c->dev[i].name[0])
			snprintf(c->dev[i].name, sizeof(c->dev[i].name), "%s", dev);
		if (!strcmp(c->dev[i].name, dev))
			return c->dev[i].n;
	}
	return NULL;
}

/* The first that one hears of another device; it can be opened while it registers */
static bool is_birth(enum event event)
{
	return event == EVENT_REGISTER || event == EVENT_BIND ||
	       event == EVENT_GET_QUEUE;
}

static int count_line(struct counts *c, const char *line)
{
	struct tracer_event e;
	unsigned int i;
	long *n;

	/* "CPU:0 [LOST 7 EVENTS]" */
	if (!tracer_parse(line, &e))
		return strstr(line, "[LOST ") ? -EOVERFLOW : 0;
	for (i = 0; i < N_EVENTS && !e.failed; i++) {
		if (strcmp(e.name, names[i]))
			continue;
		n = counts_of(c, e.dev);
		if (!n)
			return -ENOSPC;
		if (n[EVENT_REMOVE_DONE] && is_birth(i))
			memset(n, 0, sizeof(*n) * N_EVENTS);
		n[i]++;
	}
	return 0;
}

/* When was that, by the clock of now_ms()? */
static double time_of(const char *line)
{
	const char *p = strstr(line, ": uacce_");

	while (p && p > line && p[-1] != ' ')
		p--;
	return p ? strtod(p, NULL) * 1000 : 0;
}

/* Counts the lines of @text. Are these the last that happened before @end? */
static int count_text(struct counts *c, char *text, double end, bool *last)
{
	char *line, *rest = text;
	int ret = 0;

	while (!ret && (line = strsep(&rest, "\n"))) {
		ret = count_line(c, line);
		if (time_of(line) > end)
			*last = true;
	}
	return ret;
}

/*
 * Moves what is in the buffer into the counts, and not what comes while it does so:
 * that may be more and more. What is read at a time is lines that are complete, if
 * there is room for as much as the kernel has of them.
 */
static int drain(struct counts *c)
{
	double end = now_ms() + 1;
	bool last = false;
	char text[65536];
	int fd, ret = 0;
	ssize_t n;

	fd = tracer_open_pipe(INSTANCE);
	if (fd < 0)
		return fd;
	while (!ret && !last) {
		n = read(fd, text, sizeof(text) - 1);
		if (n <= 0) {
			if (n < 0 && errno != EAGAIN)
				ret = -errno;
			break;
		}
		text[n] = '\0';
		ret = count_text(c, text, end, &last);
	}
	close(fd);
	return ret;
}

int events_prepare(void)
{
	int ret = tracer_make(INSTANCE);

	if (ret)
		return ret < 0 ? ret : 0;
	return tracer_set(INSTANCE, "trace_clock", "mono") ?:
	       tracer_set(INSTANCE, "buffer_size_kb", BUFFER_KB);
}

/* Tracing, which slows down a little what it looks at */
static int trace(bool on)
{
	return tracer_set_events(INSTANCE, names, N_EVENTS, on ? "1" : "0");
}

/* They are switched on one after the other. */
static bool is_traced(void)
{
	return tracer_event_is_on(INSTANCE, names[N_EVENTS - 1]);
}

int events_begin(const char *dir)
{
	struct counts none = {}, before = {};
	int fd, ret;

	ret = events_prepare();
	if (!ret && !is_traced())
		ret = trace(true);
	if (ret)
		return ret;

	fd = counts_open(dir);
	if (fd < 0)
		return fd;
	/* If events were lost, nobody would have asked for them. */
	do {
		ret = drain(&before);
	} while (ret == -EOVERFLOW);
	if (!ret)
		ret = counts_write(fd, &none);
	counts_close(fd);
	return ret;
}

int events_end(void)
{
	return is_traced() ? trace(false) : 0;
}

long event_count(const char *dir, const char *dev, enum event event, enum event minus)
{
	struct counts c;
	long *n, ret;
	int fd;

	fd = counts_open(dir);
	if (fd < 0)
		return fd;
	ret = counts_read(fd, &c);
	if (!ret)
		ret = drain(&c);
	if (!ret)
		ret = counts_write(fd, &c);
	counts_close(fd);
	if (ret)
		return ret;
	n = counts_of(&c, dev);
	if (!n)
		return -ENOSPC;
	return minus == N_EVENTS ? n[event] : n[event] - n[minus];
}
