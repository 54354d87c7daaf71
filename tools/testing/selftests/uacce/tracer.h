/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Instances of the tracer, each with a buffer and events of its own.
 *
 * Functions return a negative errno if they fail.
 */
#ifndef SELFTESTS_UACCE_TRACER_H
#define SELFTESTS_UACCE_TRACER_H

#include <stdbool.h>

/* Has a directory for each of them */
#define TRACER_INSTANCES	"/sys/kernel/tracing/instances"

/* An event of the core */
struct tracer_event {
	char name[32];
	char dev[64];
	bool failed;	/* an op that did not return 0 */
	unsigned int queue;	/* 0 if it is not about one */
	unsigned int pasid;
};

/* Makes instance @name, if it is not there. 1: it was */
int tracer_make(const char *name);
int tracer_remove(const char *name);

/* Writes @val to a file of it */
int tracer_set(const char *name, const char *file, const char *val);
/* Enables @n events of the core, by "1", or disables them, by "0" */
int tracer_set_events(const char *name, const char * const *events,
		      unsigned int n, const char *val);
bool tracer_event_is_on(const char *name, const char *event);

/*
 * Opens what takes events out of the buffer, without waiting for some. There is one
 * reader at a time; a child may still have what its parent has opened.
 */
int tracer_open_pipe(const char *name);

/* False if that is no event of the core */
bool tracer_parse(const char *line, struct tracer_event *e);

#endif
