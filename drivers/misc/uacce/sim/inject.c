// SPDX-License-Identifier: GPL-2.0-only
/*
 * Misbehaviour on demand.
 *
 * Tests of concurrency need an interleaving, not luck. So there are points at
 * which whoever comes along can be held until further notice, delayed, or told to
 * fail. The waits are TASK_IDLE: however long a test holds somebody, that is
 * neither load nor a hung task.
 */
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include "inject.h"

void sim_inject_init(struct sim_inject *inject)
{
	int i;

	for (i = 0; i < SIM_POINT_NR; i++) {
		spin_lock_init(&inject->points[i].lock);
		init_waitqueue_head(&inject->points[i].wait);
	}
}

static bool sim_inject_over(const struct sim_inject *inject, const bool *abort)
{
	return READ_ONCE(inject->closed) || (abort && READ_ONCE(*abort));
}

static void sim_inject_hold(struct sim_inject *inject,
			    struct sim_inject_point *p, const bool *abort)
{
	unsigned int seq;

	spin_lock(&p->lock);
	if (!p->hold) {
		spin_unlock(&p->lock);
		return;
	}
	if (p->hold > 0)
		p->hold--;
	seq = p->release_seq;
	p->held++;
	spin_unlock(&p->lock);

	wait_event_idle(p->wait,
			READ_ONCE(p->release_seq) != seq ||
			sim_inject_over(inject, abort));

	spin_lock(&p->lock);
	p->held--;
	spin_unlock(&p->lock);
}

/**
 * sim_inject() - arrive at a point
 * @inject: the instance's points
 * @point: which one
 * @abort: flag that ends the wait early, or NULL. Who sets it calls
 *	   sim_inject_wake_engine() afterwards
 *
 * Return: true if the caller is to fail
 */
bool sim_inject(struct sim_inject *inject, enum sim_point point,
		const bool *abort)
{
	struct sim_inject_point *p = &inject->points[point];
	unsigned int ms;
	bool fail;

	might_sleep();

	sim_inject_hold(inject, p, abort);

	ms = READ_ONCE(p->delay_ms);
	if (ms)
		wait_event_idle_timeout(p->wait, sim_inject_over(inject, abort),
					msecs_to_jiffies(ms));

	if (sim_inject_over(inject, abort))
		return false;

	spin_lock(&p->lock);
	fail = p->fail;
	if (p->fail > 0)
		p->fail--;
	spin_unlock(&p->lock);

	return fail;
}

/* What an op returns that went well: drivers have been seen to return a number. */
int sim_inject_success(const struct sim_inject *inject)
{
	return READ_ONCE(inject->positive) ? 1 : 0;
}

/**
 * sim_inject_wake_engine() - make engines look at their abort flags
 * @inject: the instance's points
 */
void sim_inject_wake_engine(struct sim_inject *inject)
{
	wake_up_all(&inject->points[SIM_POINT_ENGINE].wait);
	wake_up_all(&inject->points[SIM_POINT_DMA].wait);
	wake_up_all(&inject->points[SIM_POINT_PAGE_RESPONSE].wait);
}

/**
 * sim_inject_close() - let everybody go and hold nobody from now on
 * @inject: the instance's points
 *
 * An instance that is removed for good takes the files with it through which
 * those who are held could be let go, and then waits for them.
 */
void sim_inject_close(struct sim_inject *inject)
{
	int i;

	WRITE_ONCE(inject->closed, true);
	for (i = 0; i < SIM_POINT_NR; i++)
		wake_up_all(&inject->points[i].wait);
}

/**
 * sim_inject_set_hold() - hold those who arrive next, or let all go
 * @inject: the instance's points
 * @point: which one
 * @n: how many to hold, -1 for everybody, 0 to let go and hold no more
 *
 * Return: 0 or -EINVAL
 */
int sim_inject_set_hold(struct sim_inject *inject, enum sim_point point, int n)
{
	struct sim_inject_point *p = &inject->points[point];

	if (n < -1)
		return -EINVAL;

	spin_lock(&p->lock);
	p->hold = n;
	if (!n)
		WRITE_ONCE(p->release_seq, p->release_seq + 1);
	spin_unlock(&p->lock);

	if (!n)
		wake_up_all(&p->wait);
	return 0;
}

unsigned int sim_inject_held(struct sim_inject *inject, enum sim_point point)
{
	struct sim_inject_point *p = &inject->points[point];
	unsigned int held;

	spin_lock(&p->lock);
	held = p->held;
	spin_unlock(&p->lock);

	return held;
}

int sim_inject_set_delay(struct sim_inject *inject, enum sim_point point,
			 unsigned int ms)
{
	if (ms > SIM_INJECT_MAX_DELAY)
		return -EINVAL;

	WRITE_ONCE(inject->points[point].delay_ms, ms);
	return 0;
}

unsigned int sim_inject_delay(struct sim_inject *inject, enum sim_point point)
{
	return READ_ONCE(inject->points[point].delay_ms);
}

/**
 * sim_inject_set_fail() - make those who arrive next fail
 * @inject: the instance's points
 * @point: which one
 * @n: how many, -1 for everybody
 *
 * Return: 0 or -EINVAL
 */
int sim_inject_set_fail(struct sim_inject *inject, enum sim_point point, int n)
{
	struct sim_inject_point *p = &inject->points[point];

	if (n < -1)
		return -EINVAL;

	spin_lock(&p->lock);
	p->fail = n;
	spin_unlock(&p->lock);
	return 0;
}

int sim_inject_fails_left(struct sim_inject *inject, enum sim_point point)
{
	struct sim_inject_point *p = &inject->points[point];
	int fail;

	spin_lock(&p->lock);
	fail = p->fail;
	spin_unlock(&p->lock);

	return fail;
}
