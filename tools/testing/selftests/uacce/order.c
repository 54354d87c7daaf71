// SPDX-License-Identifier: GPL-2.0-only
/*
 * What happened to a device, and in which order: an instance of the tracer whose clock
 * is a counter, so that events of different processors can be compared.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest.h"
#include "order.h"
#include "sim.h"
#include "tracer.h"

#define INSTANCE	"uacce_order"

static const char * const names[N_ORDER] = {
	[ORDER_BIND] = "uacce_bind",
	[ORDER_UNBIND] = "uacce_unbind",
	[ORDER_MM_EXIT] = "uacce_mm_exit",
	[ORDER_MM_EXIT_DONE] = "uacce_mm_exit_done",
	[ORDER_GET] = "uacce_get_queue",
	[ORDER_PUT] = "uacce_put_queue",
	[ORDER_START] = "uacce_start_queue",
	[ORDER_STOP] = "uacce_stop_queue",
	[ORDER_REMOVE] = "uacce_remove",
	[ORDER_REMOVE_DONE] = "uacce_remove_done",
	[ORDER_FORGET] = "qi_submit",
};

/* Of what VT-d is asked, only to drop a cached entry of the PASID table: type 7 */
#define FORGET_FILTER	"qw0 & 4 && qw0 & 2 && qw0 & 1"
#define FORGET_PASID(qw0)	(((qw0) >> 32) & 0xfffff)

static int set_events(const char *val)
{
	int ret = tracer_set_events(INSTANCE, names, ORDER_FORGET, val);

	/* A machine with another IOMMU does not have these. */
	if (!ret && !tracer_set(INSTANCE, "events/intel_iommu/qi_submit/filter",
				FORGET_FILTER))
		ret = tracer_set(INSTANCE, "events/intel_iommu/qi_submit/enable",
				 val);
	return ret;
}

int order_begin(struct order *o, const char *dev)
{
	int ret;

	memset(o, 0, sizeof(*o));
	snprintf(o->dev, sizeof(o->dev), "%s", dev);
	ret = tracer_make(INSTANCE);
	if (ret < 0)
		return ret;
	ret = tracer_set(INSTANCE, "trace_clock", "counter");
	if (!ret)
		ret = set_events("1");
	return ret ?: order_clear(o);
}

int order_end(void)
{
	int ret = set_events("0");

	/* it did not begin */
	return ret == -ENOENT ? 0 : ret;
}

/* Of a task that has not run for long the tracer only knows the number. */
static bool by_worker(const char *line)
{
	char path[32], comm[32];
	const char *cpu = strstr(line, " [");
	const char *pid = cpu;

	if (strstr(line, "kworker/"))
		return true;
	while (pid && pid > line && pid[-1] != '-')
		pid--;
	if (!pid)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/comm", atoi(pid));
	return read_file(path, comm, sizeof(comm)) > 0 &&
	       !strncmp(comm, "kworker/", 8);
}

/* False if it is of no interest */
static bool parse(const struct order *o, const char *line, struct order_event *e)
{
	struct tracer_event t;
	unsigned long long qw0;
	const char *forget;
	int what;

	memset(e, 0, sizeof(*e));
	forget = strstr(line, ": qi_submit: pc_inv ");
	if (forget) {
		if (sscanf(forget + 20, "%*s %llx", &qw0) != 1)
			return false;
		e->what = ORDER_FORGET;
		e->pasid = FORGET_PASID(qw0);
		return true;
	}
	if (!tracer_parse(line, &t) || t.failed || strcmp(t.dev, o->dev))
		return false;
	e->queue = t.queue;
	e->pasid = t.pasid;
	for (what = 0; what < ORDER_FORGET; what++) {
		if (!strcmp(t.name, names[what])) {
			e->what = what;
			e->worker = by_worker(line);
			return true;
		}
	}
	return false;
}

int order_update(struct order *o)
{
	struct order_event e;
	char line[512];
	int fd, ret = 0;
	FILE *f;

	fd = tracer_open_pipe(INSTANCE);
	if (fd < 0)
		return fd;
	f = fdopen(fd, "r");
	if (!f) {
		close(fd);
		return -ENOMEM;
	}
	while (!ret && fgets(line, sizeof(line), f)) {
		if (strstr(line, "[LOST "))
			ret = -EOVERFLOW;
		else if (!parse(o, line, &e))
			continue;
		else if (o->n == ORDER_MAX)
			ret = -ENOSPC;
		else
			o->event[o->n++] = e;
	}
	fclose(f);
	return ret;
}

int order_clear(struct order *o)
{
	int ret;

	/* There may be more than we have room for. */
	do {
		o->n = 0;
		ret = order_update(o);
	} while (ret == -ENOSPC || ret == -EOVERFLOW);
	o->n = 0;
	return ret;
}

static bool is(const struct order_event *e, enum order_what what,
	       unsigned int queue)
{
	return e->what == what && (!queue || e->queue == queue);
}

int order_count(const struct order *o, enum order_what what, unsigned int queue)
{
	int i, n = 0;

	for (i = 0; i < o->n; i++)
		n += is(&o->event[i], what, queue);
	return n;
}

int order_first(const struct order *o, enum order_what what, unsigned int queue)
{
	int i;

	for (i = 0; i < o->n; i++) {
		if (is(&o->event[i], what, queue))
			return i;
	}
	return -1;
}

int order_wait(struct order *o, enum order_what what, int n)
{
	long end = now_ms() + SIM_TIMEOUT_MS;
	int ret;

	for (;;) {
		ret = order_update(o);
		if (ret || order_count(o, what, 0) >= n)
			return ret;
		if (now_ms() > end) {
			fprintf(stderr, "# %s: %s %d times, not %d\n", o->dev,
				names[what], order_count(o, what, 0), n);
			return -ETIMEDOUT;
		}
		nap();
	}
}

void order_print(const struct order *o)
{
	int i;

	for (i = 0; i < o->n; i++) {
		const struct order_event *e = &o->event[i];

		fprintf(stderr, "# %d: %s queue=%u pasid=%u%s\n", i,
			names[e->what], e->queue, e->pasid,
			e->worker ? " on a worker" : "");
	}
}
