// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random torture: what workers have the device do, and what they do to the memory
 * that it works on.
 */
#include <endian.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>

#include "stress.h"
#include "vq.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

/* Memory is moved there for a moment */
#define SCRATCH		0x300000000000UL

/* What survive() is to do, with what comes of it */
struct batch {
	struct actor *a;
	struct queue *q;
	unsigned int n;
	int ret;
	const char *why;
};

static bool pages_may_fail(const struct queue *q)
{
	return get(&q->target->fails[FAIL_PAGE_RESPONSE].begun) !=
	       q->submit_fails;
}

/* Everything mapped, and started? 1, 0 or -1 */
static int make_ready(struct actor *a, struct queue *q)
{
	if ((!q->q.mmio && queue_map(a, q, UACCE_QFRT_MMIO)) ||
	    (!q->q.dus && queue_map(a, q, UACCE_QFRT_DUS)))
		return -1;
	if (!q->started && queue_start(a, q))
		return -1;
	return q->q.mmio && q->q.dus && q->started && !q->dead;
}

/* The region was not there: so the device may not be either */
static int lost_region(struct actor *a, struct queue *q)
{
	if (!queue_may_be_dead(q))
		return fail(a, "SIGBUS, and %s is there", q->target->sim.node);
	queue_is_dead(q);
	return queue_stop(a, q);
}

static void submit_some(void *arg)
{
	struct batch *b = arg;
	struct queue *q = b->q;
	struct vaccel_desc d;
	struct job *job;

	while (!b->ret && q->n_jobs < b->n) {
		job = &q->jobs[q->n_jobs];
		b->why = job_prepare(job, &q->mem, q->n_jobs, &b->a->rnd);
		if (b->why)
			return;
		d = job_descriptor(job, q->serial + q->q.sq_tail);
		/* before: it may be submitted and the region gone before that returns */
		q->n_jobs++;
		stress_add(&stress->submitted, 1);
		b->ret = vaccel_submit(&q->q, &d);
	}
}

static int submit(struct actor *a, struct queue *q)
{
	struct batch b = {
		.a = a, .q = q, .n = 1 + pick(a, q->target->sim.sva ? JOBS : 2),
	};
	struct call c;
	int err;

	call_begin(&c, a, q->target, q, "submitting");
	q->submit_fails = c.ended[FAIL_PAGE_RESPONSE];
	q->first = 0;
	err = survive(submit_some, &b);
	if (b.why)
		return fail(a, "%s", b.why);
	if (err)
		return lost_region(a, q);
	/* A failure of the engine lasts until the queue is started again */
	c.ended[FAIL_ENGINE] = q->start_fails;
	call_right(&c, 0);
	call_fails(&c, FAIL_ENGINE, -EIO);
	if (call_end(&c, b.ret))
		return -1;
	return b.ret ? queue_stop(a, q) : 0;
}

static const char *check_cqe(const struct queue *q, const struct vaccel_cqe *cqe)
{
	__u32 index = q->q.cq_head - 1;

	if (le64toh(cqe->user_data) != q->serial + index)
		return "user_data is that of another descriptor";
	if (le32toh(cqe->sq_head) != index + 1)
		return "sq_head is that of another descriptor";
	return job_check(&q->jobs[q->first], cqe, pages_may_fail(q));
}

static void job_is_over(struct queue *q)
{
	job_done(&q->jobs[q->first]);
	q->first++;
	q->n_jobs--;
}

/* Takes completions: @wait for all, or those that are there */
static void reap(struct batch *b, bool wait)
{
	struct queue *q = b->q;
	struct vaccel_cqe cqe;

	while (q->n_jobs) {
		b->ret = wait ? vaccel_wait(&q->q, &cqe, PATIENCE_MS) :
				vaccel_reap(&q->q, &cqe);
		if (b->ret != 1)
			return;
		stress_add(&stress->completed, 1);
		b->why = check_cqe(q, &cqe);
		if (b->why)
			return;
		job_is_over(q);
	}
}

static void reap_all(void *arg)
{
	reap(arg, true);
}

static int finish(struct actor *a, struct queue *q)
{
	struct batch b = { .a = a, .q = q };
	struct call c;
	int err;

	call_begin(&c, a, q->target, q, "waiting for completions");
	err = survive(reap_all, &b);
	if (b.why)
		return fail(a, "%s", b.why);
	if (err)
		return lost_region(a, q);
	if (!q->n_jobs)
		return 0;
	if (!b.ret)
		return fail(a, "no completion in time");
	c.ended[FAIL_ENGINE] = q->start_fails;
	call_fails(&c, FAIL_ENGINE, -EIO);
	return call_end(&c, b.ret) ? -1 : queue_stop(a, q);
}

/* What came before the stop, and then what never will */
static void abort_rest(void *arg)
{
	struct batch *b = arg;
	struct queue *q = b->q;

	if (q->q.dus && q->q.mmio && !q->dead)
		reap(b, false);
	while (q->n_jobs && !b->why) {
		stress_add(&stress->aborted, 1);
		b->why = job_check_aborted(&q->jobs[q->first]);
		if (!b->why)
			job_is_over(q);
	}
}

int work_aborted(struct actor *a, struct queue *q)
{
	struct batch b = { .a = a, .q = q };

	/* A region can go meanwhile, which leaves the rest to do. */
	while (q->n_jobs) {
		/* This memory has gone with the device. */
		if (q->dead && !q->target->sim.sva) {
			q->n_jobs = 0;
			break;
		}
		if (!survive(abort_rest, &b))
			break;
		if (!queue_may_be_dead(q))
			return fail(a, "SIGBUS, and %s is there",
				    q->target->sim.node);
		queue_is_dead(q);
	}
	return b.why ? fail(a, "aborted: %s", b.why) : 0;
}

/* --- memory under DMA */

static void wait_a_little(struct actor *a)
{
	unsigned int n = pick(a, 8);

	while (n--)
		sched_yield();
}

/* Advice that need not be taken */
static int advise(struct actor *a, void *p, size_t len, int advice)
{
	static const int right[] = { EINVAL, EAGAIN, EBUSY, ENOMEM };
	unsigned int i;

	if (!madvise(p, len, advice))
		return 0;
	for (i = 0; i < ARRAY_SIZE(right); i++) {
		if (errno == right[i])
			return 0;
	}
	return fail(a, "madvise %d: errno %d", advice, errno);
}

static int protect(struct actor *a, void *p, size_t len, int prot)
{
	if (mprotect(p, len, prot))
		return fail(a, "mprotect: errno %d", errno);
	wait_a_little(a);
	return mprotect(p, len, PROT_READ | PROT_WRITE) ?
	       fail(a, "mprotect: errno %d", errno) : 0;
}

static int unmap_for_a_while(struct actor *a, struct memory *mem, __u8 *p,
			     size_t len)
{
	int flags = MAP_FIXED | (mem->file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS :
						 MAP_SHARED);

	if (munmap(p, len))
		return fail(a, "munmap: errno %d", errno);
	wait_a_little(a);
	if (mmap(p, len, PROT_READ | PROT_WRITE, flags, mem->file,
		 mem->file < 0 ? 0 : p - mem->base) != p)
		return fail(a, "mmap: errno %d", errno);
	return 0;
}

static int move_for_a_while(struct actor *a, void *p, size_t len)
{
	const int flags = MREMAP_MAYMOVE | MREMAP_FIXED;
	void *scratch = (void *)(SCRATCH + ((unsigned long)a->thread << 30));

	if (mremap(p, len, len, flags, scratch) != scratch)
		return fail(a, "mremap: errno %d", errno);
	wait_a_little(a);
	if (mremap(scratch, len, len, flags, p) != p)
		return fail(a, "mremap back: errno %d", errno);
	return 0;
}

static int drop_pages(struct actor *a, struct job *job, __u8 *p, size_t len)
{
	/* a file has them still */
	job->rough |= job->mem->file < 0;
	return madvise(p, len, MADV_DONTNEED) ?
	       fail(a, "MADV_DONTNEED: errno %d", errno) : 0;
}

int op_disturb(struct actor *a, struct queue *q)
{
	struct job *job;
	size_t skip, len;
	__u8 *p;

	if (!q->n_jobs || !q->target->sim.sva)
		return 0;

	/* the last one is the one that has most likely not begun */
	job = &q->jobs[q->first + q->n_jobs - 1];
	if (seldom(a, 2))
		job = &q->jobs[q->first + pick(a, q->n_jobs)];

	/* the source or the destination */
	skip = job->area_size == JOB_SIZE && seldom(a, 2) ? JOB_DST : 0;
	p = job->area + skip;
	len = skip ? JOB_SIZE - JOB_DST :
		     job->area_size == JOB_SIZE ? JOB_DST : job->area_size;

	switch (pick(a, 10)) {
	case 0:
		/* a source needs no more */
		job->rough |= skip || job->area_size != JOB_SIZE;
		return protect(a, p, len, PROT_READ);
	case 1:
		return advise(a, q->mem.base, MEM_SIZE, MADV_COLLAPSE);
	case 2:
		return advise(a, q->mem.base, MEM_SIZE, MADV_PAGEOUT);
	case 3:
		return advise(a, p, len, MADV_COLD);
	case 4:
	case 5:
		return child_blink(a);
	case 6:
		return drop_pages(a, job, p, len);
	case 7:
		job->rough = true;
		return protect(a, p, len, PROT_NONE);
	case 8:
		job->rough = true;
		return unmap_for_a_while(a, &q->mem, p, len);
	default:
		job->rough = true;
		return move_for_a_while(a, p, len);
	}
}

int op_work(struct actor *a, struct queue *q)
{
	unsigned int n = pick(a, 4);
	int ret;

	ret = make_ready(a, q);
	if (ret <= 0)
		return ret;
	if (!q->n_jobs && submit(a, q))
		return -1;
	while (n-- && q->n_jobs) {
		if (op_disturb(a, q))
			return -1;
	}
	if (!q->n_jobs)
		return 0;

	switch (pick(a, 12)) {
	case 0:
	case 1:		/* whatever comes next comes in the middle of it */
		return 0;
	case 2:
		return queue_stop(a, q);
	case 3:
		return queue_close(a, q);
	default:
		return finish(a, q);
	}
}

struct throw {
	struct queue *q;
	struct vaccel_desc d;
};

static void throw(void *arg)
{
	struct throw *t = arg;

	/* if it is too late for that, so be it */
	vaccel_submit(&t->q->q, &t->d);
}

int work_throw(struct queue *q, void *dst, size_t len)
{
	struct throw t = {
		.q = q,
		.d = {
			.opcode = VACCEL_OP_FILL,
			.dst = htole64((unsigned long)dst),
			.dst_len = htole32(len),
		},
	};

	return survive(throw, &t);
}
