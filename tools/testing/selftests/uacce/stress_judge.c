// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random torture: which answers are right.
 *
 * A device is made and removed by somebody else, who counts before and after.
 * Creation number n is taken away by removal number n. From how the counters were
 * before and after a call follows what can have happened during it:
 *
 *	made before > removing after		it was there all the time
 *	removed before >= making after		it was not there at any time
 *
 * and for a queue that was opened between these two, from what is seen later:
 *
 *	removing after >= made			it may be dead
 *	removed before >= making		it is dead
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "stress.h"
#include "vq.h"

struct stress *stress;

unsigned int pick(struct actor *a, unsigned int n)
{
	return rnd(&a->rnd) % n;
}

bool seldom(struct actor *a, unsigned int n)
{
	return !pick(a, n);
}

int fail(struct actor *a, const char *format, ...)
{
	char what[160];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);

	if (!__atomic_exchange_n(&stress->failed, true, __ATOMIC_SEQ_CST))
		snprintf(stress->failure, sizeof(stress->failure),
			 "worker %u.%u.%u operation %lu (%s): %s; UACCE_SEED=%llu",
			 a->worker, a->life, a->thread, a->nr, a->op, what,
			 (unsigned long long)stress->seed);
	__atomic_store_n(&stress->stop, true, __ATOMIC_SEQ_CST);
	return -1;
}

void call_begin(struct call *c, struct actor *a, struct target *target,
		struct queue *q, const char *name)
{
	unsigned int i;

	memset(c, 0, sizeof(*c));
	c->a = a;
	c->target = target;
	c->q = q;
	c->name = name;
	c->made = get(&target->made);
	c->removed = get(&target->removed);
	for (i = 0; i < N_FAILURES; i++)
		c->ended[i] = get(&target->fails[i].ended);
}

void call_right(struct call *c, long answer)
{
	if (c->n < ARRAY_SIZE(c->right))
		c->right[c->n++] = answer;
}

void call_fails(struct call *c, enum failure f, long answer)
{
	if (get(&c->target->fails[f].begun) != c->ended[f])
		call_right(c, answer);
}

bool call_gone(const struct call *c)
{
	return c->made <= get(&c->target->removing);
}

bool call_here(const struct call *c)
{
	return c->removed < get(&c->target->making);
}

bool call_on_dead(const struct call *c)
{
	return c->q->dead || c->removed >= c->q->making;
}

bool queue_may_be_dead(const struct queue *q)
{
	return q->dead || get(&q->target->removing) >= q->made;
}

void queue_is_dead(struct queue *q)
{
	if (!q->dead)
		stress_add(&stress->dead, 1);
	q->dead = true;
}

int wait_removed(struct actor *a, const struct target *t)
{
	unsigned int removing = get(&t->removing);
	long end = now_ms() + PATIENCE_MS;

	while (get(&t->removed) < removing) {
		if (now_ms() > end)
			return fail(a, "%s is not removed in time", t->sim.node);
		nap();
	}
	return 0;
}

static bool call_is_right(const struct call *c, long ret)
{
	unsigned int i;

	for (i = 0; i < c->n; i++) {
		if (c->right[i] == ret)
			return true;
	}
	return false;
}

int call_end(struct call *c, long ret)
{
	long shown = ret < 0 ? -ret : ret;

	if (c->q && ret == -ENXIO && queue_may_be_dead(c->q)) {
		queue_is_dead(c->q);
		return 0;
	}
	if (c->q && call_on_dead(c))
		return fail(c->a, "%s of a dead queue of %s: %ld %s", c->name,
			    c->target->sim.node, ret, strerror(shown));
	if (c->wide && ret == -ENXIO && c->target->shaky)
		return 0;
	if (call_is_right(c, ret))
		return 0;
	if (ret < 0)
		return fail(c->a, "%s of %s: errno %ld, %s", c->name,
			    c->target->sim.node, shown, strerror(shown));
	return fail(c->a, "%s of %s: %ld, which is not an error", c->name,
		    c->target->sim.node, ret);
}
