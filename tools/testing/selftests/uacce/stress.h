/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random torture: what its files share.
 *
 *	stress_test.c	processes: who is started, killed, removed, and when
 *	stress_ops.c	what workers do to their queues
 *	stress_work.c	what they have the device do, and do to memory meanwhile
 *	stress_mem.c	what may be in memory then
 *	stress_child.c	children, and descriptors that wander
 *	stress_judge.c	which answers are right
 *
 * What a worker does is determined by the seed, its number, how many of its
 * predecessors were killed, the thread, and the number of the operation: each
 * operation has random numbers of its own. What comes of it is not, as there are
 * others. So each operation knows all answers that are right in the circumstances.
 */
#ifndef SELFTESTS_UACCE_STRESS_H
#define SELFTESTS_UACCE_STRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <linux/types.h>

#include "kselftest.h"
#include "sim.h"
#include "vaccel-queue.h"

#define WORKERS		4
#define THREADS		2
#define SLOTS		3	/* queues of a thread */
#define PAGE		4096UL
#define MAX_OPS		32	/* kinds of operations */

/*
 * Longest wait for something that has to happen, in ms. All of it is busy here, so
 * it may take longer than elsewhere; only a failing test ever waits so long.
 */
#define PATIENCE_MS	120000

/* The accelerators */
enum target_kind {
	ROOMY,		/* nothing fails */
	TIGHT,		/* few queues and PASIDs */
	SHAKY,		/* comes and goes, and fails */
	SHAKY_NO_SVA,
	N_TARGETS
};

/* What the simulator can be told to fail in */
enum failure {
	FAIL_BIND, FAIL_GET_QUEUE, FAIL_START, FAIL_MMAP, FAIL_PAGE_RESPONSE,
	FAIL_ENGINE, N_FAILURES
};

/*
 * struct target - one of the accelerators
 * @sim: it has the same names each time
 * @size: of the regions
 * @making: how often its making was begun
 * @made: how often it was made
 * @removing: how often its removal was begun
 * @removed: how often it was removed
 * @fails: how often it was told to fail, and to stop that
 */
struct target {
	struct sim sim;
	size_t size[2];
	bool present;
	bool shaky;
	bool few_queues;
	bool few_pasids;
	unsigned int making;
	unsigned int made;
	unsigned int removing;
	unsigned int removed;
	struct {
		unsigned int begun;
		unsigned int ended;
	} fails[N_FAILURES];
};

/*
 * struct stress - what all processes share
 * @stop: come to an end
 * @failed: somebody has written to @failure
 * @post: sockets by which descriptors wander
 * @now: what each thread is doing
 * @ops: operations by kind
 */
struct stress {
	__u64 seed;
	bool stop;
	bool failed;
	char failure[320];
	int post[2];
	struct target targets[N_TARGETS];
	struct {
		const char *op;
		unsigned long nr;
	} now[WORKERS][THREADS];
	unsigned long ops[MAX_OPS];
	unsigned long submitted;
	unsigned long completed;
	unsigned long faults;
	unsigned long aborted;
	unsigned long verified;		/* bytes */
	unsigned long dead;		/* queues of which that was seen */
	unsigned long children;
	unsigned long deaths;
	unsigned long churns;
	unsigned long injections;
	unsigned long no_queue;		/* times that no more were to be had */
	unsigned long no_pasid;
};

extern struct stress *stress;

static inline void stress_add(unsigned long *counter, unsigned long n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

static inline unsigned int get(const unsigned int *p)
{
	return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}

static inline void count(unsigned int *p)
{
	__atomic_fetch_add(p, 1, __ATOMIC_SEQ_CST);
}

static inline bool stress_over(void)
{
	return __atomic_load_n(&stress->stop, __ATOMIC_RELAXED);
}

/* --- stress_mem.c */

#define JOBS		6	/* at most, at a time, of a queue */
#define MEM_SIZE	0x200000UL
#define JOB_SIZE	0x6000	/* memory of a job; without SVA there is room for 2 */
#define JOB_DST		0x2000	/* where its destinations are in that */
#define LONG_OFFSET	0x100000UL	/* memory of a long FILL */
#define LONG_SIZE	0x10000

/*
 * struct memory - buffers of a queue
 * @base: what the worker calls it; with SVA that is what the device calls it
 * @offset: what the device adds to offsets in it, without SVA
 * @file: it is a mapping of this file, or -1
 * @rested: jobs whose memory was put to rest, a bit each
 */
struct memory {
	__u8 *base;
	__u64 offset;
	bool sva;
	int file;
	__u32 rested;
};

/*
 * struct job - a descriptor, and what is to come of it
 * @area: the memory that belongs to it
 * @old: what was in the destination, and all around it
 * @crc: of the source
 * @rough: its memory was taken away for a while
 */
struct job {
	struct memory *mem;
	__u8 opcode;
	__u8 framing;
	__u8 old;
	bool rough;
	__u8 *area;
	size_t area_size;
	__u8 *src;
	__u8 *dst;
	__u32 len;
	__u32 dst_len;
	__u64 seed;
	__u64 param;
	__u32 crc;
};

/* Memory with SVA, at an address that had none before. 0 or -errno */
int memory_map(struct memory *mem, bool file, __u64 number);
void memory_unmap(struct memory *mem);
/*
 * Makes job @n of @mem: a source, an empty destination. Returns NULL, or what is
 * wrong: somebody has written where nobody may.
 */
const char *job_prepare(struct job *job, struct memory *mem, unsigned int n,
			__u64 *rnd);
struct vaccel_desc job_descriptor(const struct job *job, __u64 user_data);
/*
 * Is what @cqe says, and what is in memory, what has to come of @job? @may_fault: it
 * can have failed without fault of its own. NULL, or what is wrong.
 */
const char *job_check(const struct job *job, const struct vaccel_cqe *cqe,
		      bool may_fault);
/* The same for one that has no completion, and that the device has let go of */
const char *job_check_aborted(const struct job *job);
/* Afterwards: back to where the next one expects it to be */
void job_done(struct job *job);

/* --- stress_judge.c */

/*
 * struct queue - an open file
 * @q: what has to be known to submit; fd is -1 if it is not open
 * @made: how often its device had been made before it was opened, at least
 * @making: and when it was, at most
 * @started: the worker has started it
 * @fresh: it never was started
 * @dead: it is known to be dead
 * @in_ep: epoll knows it
 * @renumbered: it had other descriptors before
 * @start_fails: failures that had ended when it was started
 * @submit_fails: the same, of page responses, when @jobs were submitted
 * @jobs: outstanding
 */
struct queue {
	struct target *target;
	struct vaccel_queue q;
	unsigned int made;
	unsigned int making;
	bool started;
	bool fresh;
	bool dead;
	bool in_ep;
	bool renumbered;
	unsigned int start_fails;
	unsigned int submit_fails;
	struct memory mem;
	struct job jobs[JOBS];
	unsigned int first;
	unsigned int n_jobs;
	__u64 serial;
};

/* The queue of a worker that all of its threads use at the same time */
struct common {
	struct target *target;
	int fd;
	void *map[2];
};

/* A descriptor that came from somewhere else */
struct letter {
	unsigned int target;
	unsigned int made;
	unsigned int making;
	unsigned int worker;
	unsigned int life;
};

struct guest {
	struct queue q;
	struct letter from;
};

/*
 * struct actor - a thread of a worker
 * @life: how many workers of this number were there before
 * @nr: number of the operation
 * @op: its name
 * @rnd: its random numbers
 * @memories: number of the next memory
 * @lingering: children that may be there
 */
struct actor {
	unsigned int worker;
	unsigned int life;
	unsigned int thread;
	unsigned long nr;
	const char *op;
	__u64 rnd;
	struct queue slots[SLOTS];
	struct common *common;
	struct guest guest;
	int ep;
	__u64 memories;
	pid_t lingering[2];
};

/* A number below @n */
unsigned int pick(struct actor *a, unsigned int n);
/* One chance in @n */
bool seldom(struct actor *a, unsigned int n);

/* Something is wrong; returns -1. The first one to say so is heard. */
int __printf(2, 3) fail(struct actor *a, const char *format, ...);

/*
 * struct call - one call, and its right answers
 * @q: the queue, or NULL
 * @wide: the queue may be dead if the device can go at all
 *
 * The answers are added after the call, when it is known what was going on
 * meanwhile.
 */
struct call {
	struct actor *a;
	struct target *target;
	struct queue *q;
	const char *name;
	bool wide;
	unsigned int made;
	unsigned int removed;
	unsigned int ended[N_FAILURES];
	long right[12];
	unsigned int n;
};

void call_begin(struct call *c, struct actor *a, struct target *target,
		struct queue *q, const char *name);
void call_right(struct call *c, long answer);
/* @answer, if a failure of this kind was ordered at any time during the call */
void call_fails(struct call *c, enum failure f, long answer);
/* Was or is a device there, for some of the time, for all of it */
bool call_gone(const struct call *c);
bool call_here(const struct call *c);
/* Was the queue dead before the call? May it be now? */
bool call_on_dead(const struct call *c);
bool queue_may_be_dead(const struct queue *q);
void queue_is_dead(struct queue *q);
/* Waits until the removal that is under way, if one is, is over. 0, or -1 if it does not end */
int wait_removed(struct actor *a, const struct target *t);
/* 0, or -1 if @ret is not right */
int call_end(struct call *c, long ret);

/* --- operations: 0, or -1 if something was wrong and fail() was told */

/* stress_ops.c */
int actor_step(struct actor *a);
void actor_init(struct actor *a, struct common *common);
/* Closes everything */
int actor_end(struct actor *a);
int common_init(struct actor *a, struct common *common);
const char *op_name(unsigned int kind);

int queue_open(struct actor *a, struct queue *q);
int queue_map(struct actor *a, struct queue *q, unsigned int region);
int queue_start(struct actor *a, struct queue *q);
int queue_stop(struct actor *a, struct queue *q);
int queue_close(struct actor *a, struct queue *q);

/* stress_work.c */
int op_work(struct actor *a, struct queue *q);
int op_disturb(struct actor *a, struct queue *q);
/* Outstanding jobs of a queue that does not run any more */
int work_aborted(struct actor *a, struct queue *q);
/* A descriptor, and nobody waits for it. 0, or -EFAULT if the region is gone */
int work_throw(struct queue *q, void *dst, size_t len);

/* stress_child.c */
int op_fork(struct actor *a, struct queue *q);
int op_send(struct actor *a, struct queue *q);
int op_receive(struct actor *a, struct queue *q);
/* A child that does nothing but copy the address space */
int child_blink(struct actor *a);
int children_wait(struct actor *a);

#endif
