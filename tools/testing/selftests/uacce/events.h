/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How often the tracepoints of the core were passed, for each device. For carriers
 * that do not count what is asked of them. Any process can ask, whoever began.
 *
 * Functions return a negative errno if they fail.
 */
#ifndef SELFTESTS_UACCE_EVENTS_H
#define SELFTESTS_UACCE_EVENTS_H

enum event {
	EVENT_BIND,
	EVENT_UNBIND,
	EVENT_GET_QUEUE,
	EVENT_PUT_QUEUE,
	EVENT_START_QUEUE,
	EVENT_STOP_QUEUE,
	EVENT_REGISTER,
	EVENT_REMOVE_DONE,
	N_EVENTS
};

/* Sees that there can be any */
int events_prepare(void);
/* Counts from 0 on; @dir is where the counts are kept */
int events_begin(const char *dir);
/* Traces no more, if there was a beginning; the counts can still be asked for */
int events_end(void);
/*
 * How often @event happened to @dev, less how often @minus did, if that is not
 * N_EVENTS; an op that failed does not count. Of a device that was removed, until
 * there is another one of that name.
 */
long event_count(const char *dir, const char *dev, enum event event, enum event minus);

#endif
