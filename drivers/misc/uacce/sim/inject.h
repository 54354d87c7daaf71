/* SPDX-License-Identifier: GPL-2.0-only */
/* Misbehaviour on demand: points where a simulated accelerator can be held up */
#ifndef _UACCE_SIM_INJECT_H
#define _UACCE_SIM_INJECT_H

#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>

/* Longest delay that can be set, in milliseconds */
#define SIM_INJECT_MAX_DELAY	60000

/**
 * enum sim_point - places in the driver and the engine
 * @SIM_POINT_BIND: the IOMMU is about to set a PASID
 * @SIM_POINT_GET_QUEUE: start of get_queue()
 * @SIM_POINT_PUT_QUEUE: start of put_queue()
 * @SIM_POINT_START: start of start_queue()
 * @SIM_POINT_STOP: start of stop_queue()
 * @SIM_POINT_IOCTL: before a known ioctl does its work
 * @SIM_POINT_MMAP: start of mmap()
 * @SIM_POINT_PAGE_RESPONSE: the answer to a page request is about to be used
 * @SIM_POINT_ENGINE: there is a descriptor, and it is about to be taken
 * @SIM_POINT_DMA: in an access to memory, between two pages
 * @SIM_POINT_NR: number of points
 */
enum sim_point {
	SIM_POINT_BIND,
	SIM_POINT_GET_QUEUE,
	SIM_POINT_PUT_QUEUE,
	SIM_POINT_START,
	SIM_POINT_STOP,
	SIM_POINT_IOCTL,
	SIM_POINT_MMAP,
	SIM_POINT_PAGE_RESPONSE,
	SIM_POINT_ENGINE,
	SIM_POINT_DMA,
	SIM_POINT_NR,
};

/**
 * struct sim_inject_point - what is to happen to those who arrive at a point
 * @lock: protects @hold, @fail, @held, @release_seq
 * @wait: where they wait
 * @hold: how many more to hold, -1 for everybody
 * @fail: how many more are to fail, -1 for everybody
 * @held: how many are held now
 * @release_seq: goes up when those who are held are let go
 * @delay_ms: how long each one sleeps
 */
struct sim_inject_point {
	spinlock_t lock; /* protects the counts below */
	wait_queue_head_t wait;
	int hold;
	int fail;
	unsigned int held;
	unsigned int release_seq;
	unsigned int delay_ms;
};

/**
 * struct sim_inject - all points of an instance
 * @closed: the instance is going for good: nobody is held or delayed any more
 * @positive: ops that went well return a positive number
 * @points: the points
 */
struct sim_inject {
	bool closed;
	bool positive;
	struct sim_inject_point points[SIM_POINT_NR];
};

void sim_inject_init(struct sim_inject *inject);
void sim_inject_close(struct sim_inject *inject);
bool sim_inject(struct sim_inject *inject, enum sim_point point,
		const bool *abort);
int sim_inject_success(const struct sim_inject *inject);
void sim_inject_wake_engine(struct sim_inject *inject);

int sim_inject_set_hold(struct sim_inject *inject, enum sim_point point, int n);
unsigned int sim_inject_held(struct sim_inject *inject, enum sim_point point);
int sim_inject_set_delay(struct sim_inject *inject, enum sim_point point,
			 unsigned int ms);
unsigned int sim_inject_delay(struct sim_inject *inject, enum sim_point point);
int sim_inject_set_fail(struct sim_inject *inject, enum sim_point point, int n);
int sim_inject_fails_left(struct sim_inject *inject, enum sim_point point);

#endif /* _UACCE_SIM_INJECT_H */
