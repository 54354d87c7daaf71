/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What happened to a device, and in which order, on whatever processor: the
 * tracepoints of the core and, where the IOMMU is Intel's, when it forgets a PASID.
 *
 * Functions return a negative errno if they fail.
 */
#ifndef SELFTESTS_UACCE_ORDER_H
#define SELFTESTS_UACCE_ORDER_H

#include <stdbool.h>

enum order_what {
	ORDER_BIND,
	ORDER_UNBIND,
	ORDER_MM_EXIT,
	ORDER_MM_EXIT_DONE,
	ORDER_GET,
	ORDER_PUT,
	ORDER_START,
	ORDER_STOP,
	ORDER_REMOVE,
	ORDER_REMOVE_DONE,
	ORDER_FORGET,	/* the IOMMU's part; not every one tells */
	N_ORDER
};

struct order_event {
	enum order_what what;
	unsigned int queue;	/* 0 if it is not about one */
	unsigned int pasid;
	bool worker;		/* on a worker of the kernel */
};

#define ORDER_MAX	256

struct order {
	char dev[64];
	int n;
	struct order_event event[ORDER_MAX];
};

/* Listens to what happens to device @dev; an op that failed does not count */
int order_begin(struct order *o, const char *dev);
int order_end(void);

/* Adds what has happened since */
int order_update(struct order *o);
/* Forgets all that has happened */
int order_clear(struct order *o);

/* How often, and at which place first (or -1); @queue 0: of any */
int order_count(const struct order *o, enum order_what what, unsigned int queue);
int order_first(const struct order *o, enum order_what what, unsigned int queue);
/* Waits until it was so often: 0, or -ETIMEDOUT */
int order_wait(struct order *o, enum order_what what, int n);
/* Tells it on stderr */
void order_print(const struct order *o);

#endif
