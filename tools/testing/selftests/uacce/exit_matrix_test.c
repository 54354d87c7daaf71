// SPDX-License-Identifier: GPL-2.0-only
/*
 * The end of an address space, however it comes, whoever else holds the file of its
 * queue, and whatever that queue is doing: the queue is stopped once if it was started,
 * before the IOMMU lets go of the address space, nothing is written any more, and
 * hardware and PASID come back though the holder does not close.
 *
 * A test is one kind of death and one kind of holder. It goes through all states of the
 * queue, each a cell of the matrix, and says how many cells there were. In a hurry, with
 * UACCE_CELL_STEP=2 in the environment, it goes through every second one, such that each
 * state has its turn with half of the deaths and half of the holders.
 */
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "uacce_test.h"
#include "group.h"
#include "holder.h"
#include "late.h"
#include "order.h"
#include "usermem.h"
#include "vq.h"

/* Pages of what a queue works on */
#define WORK		4

/* --- the rows: how an address space dies */

enum death {
	DEATH_EXIT,
	DEATH_KILL,
	DEATH_KILL_AMID_COPY,
	DEATH_OOM,
	DEATH_EXEC,
	DEATH_LAST_SHARER,	/* of processes made with CLONE_VM */
	DEATH_PAGE_HELD,	/* the device has not got the answer to a page request */
	DEATH_ON_WORKER,	/* on the one that resolves a page fault of the device */
};

/*
 * Deaths for which the device has to do something, whatever the queue is doing that the
 * cell is about, do that with a second queue.
 */
static bool needs_companion(enum death death)
{
	return death == DEATH_KILL_AMID_COPY || death == DEATH_PAGE_HELD ||
	       death == DEATH_ON_WORKER;
}

/* --- the columns: what the queue is doing */

/* An ioctl that waits for a page, which a signal that kills puts an end to */
#define IN_USER_MEMORY	"user memory"

static const struct state {
	const char *name;
	bool started;		/* before it happens */
	bool starts;		/* gets started while it happens */
	bool busy;		/* in the middle of work */
	bool unmapped;		/* no mapping is part of the address space */
	bool closing;		/* a stranger, who was the last to have it, closes it */
	const char *held;	/* in which op of the driver, if in one */
	unsigned long cmd;
} states[] = {
	{ .name = "INIT", .unmapped = true },
	{ .name = "idle", .started = true, .unmapped = true },
	{ .name = "busy", .started = true, .busy = true },
	{
		.name = "in an ioctl that waits for user memory",
		.started = true,
		.held = IN_USER_MEMORY,
		.cmd = VACCEL_CMD_INFO,
	}, {
		.name = "in an ioctl",
		.started = true,
		.held = "ioctl",
		.cmd = VACCEL_CMD_INFO,
	}, {
		.name = "in start_queue",
		.starts = true,
		.held = "start",
		.cmd = UACCE_CMD_START_Q,
	}, {
		.name = "in stop_queue",
		.started = true,
		.held = "stop",
		.cmd = UACCE_CMD_PUT_Q,
	}, {
		.name = "in the stop_queue of a close",
		.started = true,
		.unmapped = true,
		.closing = true,
		.held = "stop",
	},
};

static bool waits_for_user_memory(const struct state *s)
{
	return s->held && !strcmp(s->held, IN_USER_MEMORY);
}

/* Held by the simulator, and thus by nothing that ends with the process */
static bool is_held(const struct state *s)
{
	return s->held && !waits_for_user_memory(s);
}

static bool possible(enum death death, enum holder_kind kind,
		     const struct state *s)
{
	/* Who closes it is no holder any more. */
	if (s->closing && kind != HOLDER_NOBODY)
		return false;
	/* Only the simulator can hold its driver. */
	if (is_held(s) && !sim_is_simulated())
		return false;
	/*
	 * The process closes its userfaultfd when it exits, which waits for page
	 * faults: it would still be there when the worker is the last.
	 */
	return death != DEATH_ON_WORKER || !waits_for_user_memory(s);
}

/* --- a cell */

struct cell {
	struct sim *sim;
	enum death death;
	const struct state *s;
	struct holder holder;
	struct order order;
	struct peer owner;
	pid_t sharer[2];
	int tell_sharer;
	int taken;		/* the descriptor that is to be closed */
	struct bg closer;
	int n_queues;
	unsigned int queue[2];	/* by their numbers; the last is the cell's */
	long mm_releases;
	long stops;
	__u8 before[2 * WORK * PAGE];
};

/* What the device writes to, of all processes: the cell's queue, the companion */
static __u8 *written;

/* --- what the owner does */

static struct vq owner_q, owner_companion;
static int owner_fd, owner_uffd;
static void *owner_page, *owner_source;
static struct bg owner_call;

/* The device shall know these pages, and need not ask for them. */
static int make_known(struct vq *vq, __u8 *p)
{
	return dev_fill(vq, p, WORK * PAGE, 0) == VACCEL_ST_OK ? 0 : -EIO;
}

static int open_companion(const struct cell *c)
{
	int ret = vq_open(&owner_companion, c->sim);

	if (ret || c->death != DEATH_KILL_AMID_COPY)
		return ret;
	owner_source = fresh(WORK);
	ret = make_known(&owner_companion, owner_source);
	if (!ret)
		ret = make_known(&owner_companion, written + WORK * PAGE);
	memset(owner_source, 'c', WORK * PAGE);
	return ret;
}

/*
 * A process closes its files before the page fault worker lets go of its memory; so a
 * queue that nothing maps would not live to see that, if nobody else has it.
 */
static bool is_unmapped(const struct cell *c)
{
	return c->s->unmapped && (c->s->closing || c->death != DEATH_ON_WORKER);
}

static int open_mapped(const struct cell *c)
{
	void *p;
	int ret;

	owner_fd = q_open(c->sim);
	if (owner_fd < 0 || is_unmapped(c))
		return owner_fd < 0 ? owner_fd : 0;
	ret = q_mmap(owner_fd, UACCE_QFRT_MMIO, c->sim->mmio_size, &p);
	return ret ? ret : q_mmap(owner_fd, UACCE_QFRT_DUS, c->sim->dus_size,
				  &p);
}

static int open_for_work(const struct cell *c)
{
	int ret = vq_open(&owner_q, c->sim);

	owner_fd = owner_q.q.fd;
	return ret ? ret : make_known(&owner_q, written);
}

/*
 * An idle processor can still have the last address space that ran there, and with it
 * its PASID. So run on each of them.
 */
static void visit_processors(void)
{
	cpu_set_t all, one;
	int i;

	if (sched_getaffinity(0, sizeof(all), &all))
		return;
	for (i = 0; i < CPU_SETSIZE; i++) {
		if (!CPU_ISSET(i, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(i, &one);
		sched_setaffinity(0, sizeof(one), &one);
	}
	sched_setaffinity(0, sizeof(all), &all);
}

static int open_all(const struct cell *c)
{
	int ret = needs_companion(c->death) ? open_companion(c) : 0;

	if (ret)
		return ret;
	if (c->s->busy)
		return open_for_work(c);
	ret = open_mapped(c);
	return ret || !c->s->started ? ret : q_start(owner_fd);
}

/* Returns the descriptor of the cell's queue */
static long owner_open(long cell, long unused1, long unused2)
{
	long end = now_ms() + SIM_TIMEOUT_MS;
	int ret;

	while ((ret = open_all((const struct cell *)cell)) == -ENOSPC &&
	       now_ms() < end)
		visit_processors();
	return ret ? ret : owner_fd;
}

static struct vaccel_desc companions_work(enum death death)
{
	struct vq *vq = &owner_companion;
	void *page = NULL;

	switch (death) {
	case DEATH_KILL_AMID_COPY:
		return d_copy(vq, owner_source, written + WORK * PAGE,
			      WORK * PAGE);
	case DEATH_PAGE_HELD:
		return d_fill(vq, fresh(WORK), WORK * PAGE, PATTERN('c'));
	default:
		if (late_file_map(&page))
			abort();
		return d_crc(vq, page, PAGE, 0);
	}
}

static long owner_work(long cell, long unused1, long unused2)
{
	const struct cell *c = (const struct cell *)cell;
	struct vaccel_desc d;

	if (c->s->busy) {
		d = d_fill(&owner_q, written, WORK * PAGE, PATTERN('d'));
		if (vq_submit(&owner_q, &d) < 0)
			return -EIO;
	}
	if (needs_companion(c->death)) {
		d = companions_work(c->death);
		if (vq_submit(&owner_companion, &d) < 0)
			return -EIO;
	}
	/* not before there is a child, which would keep the address space by it */
	if (waits_for_user_memory(c->s))
		owner_uffd = late_page(&owner_page);
	return owner_uffd < 0 ? owner_uffd : 0;
}

/* The op that is in progress when it happens */
static long op(long fd, long cmd, long unused)
{
	static struct vaccel_info info;

	return q_ioctl(fd, cmd, owner_page ?: &info);
}

static long owner_op(long cmd, long unused1, long unused2)
{
	return bg_start(&owner_call, op, owner_fd, cmd, 0);
}

static long owner_is_waited_for(long unused1, long unused2, long unused3)
{
	return q_poll(owner_uffd, SIM_TIMEOUT_MS) == POLLIN ? 0 : -ETIMEDOUT;
}

/* A memory cgroup that is too small for what its process wants */
#define SMALL_GROUP	"uacce_small"
#define SMALL		(8UL << 20)

static long owner_wants_memory(long unused1, long unused2, long unused3)
{
	char *p;

	p = mmap(NULL, 8 * SMALL, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED || group_join(SMALL_GROUP))
		return -EIO;
	memset(p, 'm', 8 * SMALL);
	return 0;
}

#define EXEC_ENV	"UACCE_TEST_EXEC"

static __attribute__((constructor)) void after_exec(void)
{
	if (getenv(EXEC_ENV))
		_exit(0);
}

static long owner_execs(long unused1, long unused2, long unused3)
{
	setenv(EXEC_ENV, "1", 1);
	execl("/proc/self/exe", "uacce", NULL);
	return -errno;
}

/*
 * Processes that share the owner's address space and outlive it. They may call little:
 * their C library thinks that they are the owner. One of them makes the call for which
 * the others would have a thread.
 */
static int sharer_in;
static unsigned long sharer_cmd;
static long double sharer_stack[2][4096];	/* for its alignment */

static int sharer_main(void *calls)
{
	char c;

	while (!calls)
		pause();
	while (read(sharer_in, &c, 1) == 1)
		op(owner_fd, sharer_cmd, 0);
	return 0;
}

static long owner_clones(long i, long in, long cmd)
{
	int pid;

	sharer_in = in;
	sharer_cmd = cmd;
	pid = clone(sharer_main, sharer_stack[i] + ARRAY_SIZE(sharer_stack[i]),
		    CLONE_VM | SIGCHLD, i ? &sharer_cmd : NULL);
	return pid < 0 ? -errno : pid;
}

/* --- what the test does */

static int make_sharers(struct cell *c)
{
	int p[2], in, i;

	if (pipe2(p, O_CLOEXEC))
		return -errno;
	c->tell_sharer = p[1];
	in = peer_give_fd(&c->owner, p[0]);
	close(p[0]);
	if (in < 0)
		return in;
	for (i = 0; i < 2; i++) {
		c->sharer[i] = peer_call(&c->owner, owner_clones, i, in,
					 c->s->cmd);
		if (c->sharer[i] < 0)
			return c->sharer[i];
	}
	return 0;
}

/* The state before the work and the op */
static int cell_open(struct cell *c, enum holder_kind kind)
{
	int fd, ret;

	ret = holder_prepare(&c->holder, kind);
	if (!ret)
		ret = order_clear(&c->order);
	if (!ret)
		ret = peer_start(&c->owner);
	if (ret)
		return ret;
	fd = peer_call(&c->owner, owner_open, (long)c, 0, 0);
	if (fd < 0)
		return fd;
	if (c->s->closing) {
		c->taken = peer_take_fd(&c->owner, fd);
		if (c->taken < 0)
			return c->taken;
		return peer_close(&c->owner, fd);
	}
	return holder_begin(&c->holder, &c->owner, fd);
}

static int cell_work(struct cell *c)
{
	int n = c->s->busy + (c->death == DEATH_KILL_AMID_COPY);
	int ret = 0;

	if (n)
		ret = sim_hold(c->sim, "dma", n);
	if (!ret && c->death == DEATH_PAGE_HELD)
		ret = sim_hold(c->sim, "page_response", 1);
	if (!ret)
		ret = peer_call(&c->owner, owner_work, (long)c, 0, 0);
	if (!ret && n)
		ret = sim_wait_held(c->sim, "dma", n);
	if (!ret && c->death == DEATH_PAGE_HELD)
		ret = sim_wait_held(c->sim, "page_response", 1);
	if (!ret && c->death == DEATH_ON_WORKER)
		ret = late_file_wait();
	return ret;
}

static int cell_op(struct cell *c)
{
	int ret = 0;

	if (!c->s->held)
		return 0;
	if (is_held(c->s))
		ret = sim_hold(c->sim, c->s->held, 1);
	if (!ret && c->s->closing)
		ret = bg_close(&c->closer, c->taken);
	else if (!ret && c->death == DEATH_LAST_SHARER)
		ret = write(c->tell_sharer, "c", 1) == 1 ? 0 : -errno;
	else if (!ret)
		ret = peer_call(&c->owner, owner_op, c->s->cmd, 0, 0);
	if (ret)
		return ret;
	return is_held(c->s) ? sim_wait_held(c->sim, c->s->held, 1) :
		peer_call(&c->owner, owner_is_waited_for, 0, 0, 0);
}

/* What is known before it happens */
static int cell_note(struct cell *c)
{
	int i, ret;

	ret = order_update(&c->order);
	if (ret)
		return ret;
	c->n_queues = 0;
	for (i = 0; i < c->order.n; i++) {
		if (c->order.event[i].what == ORDER_GET && c->n_queues < 2)
			c->queue[c->n_queues++] = c->order.event[i].queue;
	}
	if (c->n_queues != 1 + needs_companion(c->death))
		return -EBADMSG;
	c->stops = sim_stat(c->sim, "stops");
	if (sim_is_simulated())
		c->mm_releases = sim_stat(c->sim, "mm_releases");
	return 0;
}

static int cell_begin(struct cell *c, enum holder_kind kind)
{
	int ret;

	memset(written, 0, 2 * WORK * PAGE);
	ret = cell_open(c, kind);
	if (!ret)
		ret = cell_work(c);
	if (!ret && c->death == DEATH_LAST_SHARER)
		ret = make_sharers(c);
	if (!ret)
		ret = cell_op(c);
	return ret ? ret : cell_note(c);
}

static unsigned int cells_queue(const struct cell *c)
{
	return c->queue[c->n_queues - 1];
}

/* Whether nothing has happened to the queue but @stops that the process asked for */
static bool lives(struct cell *c, int stops)
{
	if (sim_stat(c->sim, "stops") != c->stops + stops)
		return false;
	if (sim_is_simulated() &&
	    sim_stat(c->sim, "mm_releases") != c->mm_releases)
		return false;
	return holder_sleeps(&c->holder);
}

/* All but one of those who share the address space go; it lives on. */
static int sharers_go(struct cell *c)
{
	int ret = peer_exit(&c->owner);

	if (ret || !lives(c, 0))
		return ret ?: -EBADMSG;
	if (kill(c->sharer[0], SIGKILL))
		return -errno;
	ret = wait_pid(c->sharer[0], NULL);
	if (ret || !lives(c, 0))
		return ret ?: -EBADMSG;
	return kill(c->sharer[1], SIGKILL) ? -errno : 0;
}

static int death_begins(struct cell *c)
{
	switch (c->death) {
	case DEATH_EXIT:
	case DEATH_PAGE_HELD:
		return peer_begin_exit(&c->owner);
	case DEATH_OOM:
		return peer_send(&c->owner, owner_wants_memory, 0, 0, 0);
	case DEATH_EXEC:
		return peer_send(&c->owner, owner_execs, 0, 0, 0);
	case DEATH_LAST_SHARER:
		return sharers_go(c);
	default:
		return peer_begin_kill(&c->owner);
	}
}

/* The process is on its way out, but for the thread that is in the driver. */
static int death_waits(struct cell *c)
{
	int ret = 0;

	if (c->death == DEATH_EXEC)
		ret = wait_state(c->owner.pid, "SD");
	else if (c->death != DEATH_LAST_SHARER)
		ret = wait_state(c->owner.pid, "Z");
	if (ret)
		return ret;
	return lives(c, 0) ? 0 : -EBADMSG;
}

static int death_ends(struct cell *c)
{
	int ret;

	if (c->death == DEATH_LAST_SHARER) {
		close(c->tell_sharer);
		return wait_pid(c->sharer[1], NULL);
	}
	ret = peer_wait(&c->owner);
	if (ret || c->death != DEATH_ON_WORKER)
		return ret;
	/* there is no process any more, and still somebody has its memory */
	if (!lives(c, c->s->cmd == UACCE_CMD_PUT_Q))
		return -EBADMSG;
	return late_file_fill();
}

/* The exit waits for the stop that the close has begun, having stopped the others. */
static int exit_waits(struct cell *c)
{
	int ret;

	ret = order_wait(&c->order, ORDER_MM_EXIT, 1);
	if (!ret)
		ret = order_wait(&c->order, ORDER_STOP, c->n_queues - 1);
	if (ret)
		return ret;
	if (order_count(&c->order, ORDER_STOP, cells_queue(c)) ||
	    order_count(&c->order, ORDER_MM_EXIT_DONE, 0))
		return -EBADMSG;
	/* states that are held are the simulator's, and so is this */
	return sim_stat(c->sim, "mm_releases") == c->mm_releases ? 0 : -EBADMSG;
}

/* What its process cannot be in when an address space dies, but another one can */
static int die_while_closing(struct cell *c)
{
	bool on_worker = c->death == DEATH_ON_WORKER;
	int ret = death_begins(c);

	if (!ret && on_worker)
		ret = death_ends(c);
	if (!ret)
		ret = exit_waits(c);
	if (!ret)
		ret = sim_release(c->sim, c->s->held);
	if (!ret && !on_worker)
		ret = death_ends(c);
	return ret ? ret : bg_wait(&c->closer);
}

static int cell_die(struct cell *c)
{
	int ret;

	if (c->s->closing)
		return die_while_closing(c);
	ret = death_begins(c);
	if (!ret && is_held(c->s)) {
		ret = death_waits(c);
		if (!ret)
			ret = sim_release(c->sim, c->s->held);
	}
	return ret ? ret : death_ends(c);
}

/* How often is the cell's queue to be stopped, from its open on? */
static int stops_wanted(const struct cell *c)
{
	return c->s->started || c->s->starts;
}

/*
 * Where the device works, it may be the worker that answers it, or that lets go of the
 * memory it has used, who is the last to have the address space. Else the death of the
 * process was that of the address space, and there is nothing to wait for.
 */
static bool over_at_once(const struct cell *c)
{
	return c->s->busy || needs_companion(c->death) ||
	       sim_stat(c->sim, "stops") == c->stops + stops_wanted(c);
}

/* Was the queue stopped in time, and put after that? 0, or what is wrong */
static int queue_in_disorder(const struct cell *c, unsigned int queue, int want)
{
	const struct order *o = &c->order;
	int exits = order_first(o, ORDER_MM_EXIT, 0);
	int done = order_first(o, ORDER_MM_EXIT_DONE, 0);
	int stop = order_first(o, ORDER_STOP, queue);
	int put = order_first(o, ORDER_PUT, queue);

	if (order_count(o, ORDER_STOP, queue) != want)
		return 1;
	if (order_count(o, ORDER_PUT, queue) != 1 || put < exits || put < stop)
		return 2;
	if (!want)
		return 0;
	/* a stop that the process had begun is over before, and no other comes */
	if (queue == cells_queue(c) && c->s->cmd == UACCE_CMD_PUT_Q)
		return stop < exits ? 0 : 3;
	return stop > exits && stop < done ? 0 : 4;
}

/* Where is it that the IOMMU forgets the address space? -1 if it does not say */
static int forgotten(const struct order *o)
{
	unsigned int pasid = o->event[order_first(o, ORDER_BIND, 0)].pasid;
	int i;

	for (i = 0; i < o->n; i++) {
		if (o->event[i].what == ORDER_FORGET &&
		    o->event[i].pasid == pasid)
			return i;
	}
	return -1;
}

static int in_disorder(struct cell *c)
{
	const struct order *o = &c->order;
	int exits, done, forget, ret;

	if (order_count(o, ORDER_BIND, 0) != 1 ||
	    order_count(o, ORDER_MM_EXIT, 0) != 1 ||
	    order_count(o, ORDER_MM_EXIT_DONE, 0) != 1 ||
	    order_count(o, ORDER_UNBIND, 0) != 1)
		return 10;
	exits = order_first(o, ORDER_MM_EXIT, 0);
	done = order_first(o, ORDER_MM_EXIT_DONE, 0);
	if (done < exits || order_first(o, ORDER_UNBIND, 0) < done)
		return 20;
	/* It comes after us. The simulator's has counters: see not_given_back(). */
	forget = forgotten(o);
	if (forget >= 0 ? forget < done : !sim_is_simulated())
		return 30;
	if (c->death == DEATH_ON_WORKER && !o->event[exits].worker)
		return 40;
	ret = queue_in_disorder(c, cells_queue(c), stops_wanted(c));
	if (ret)
		return 50 + ret;
	ret = c->n_queues > 1 ? queue_in_disorder(c, c->queue[0], 1) : 0;
	return ret ? 60 + ret : 0;
}

/* Nothing of it may be there, though the file is. 0, or what is wrong */
static int not_given_back(struct cell *c)
{
	unsigned int i;

	if (order_wait(&c->order, ORDER_PUT, c->n_queues) ||
	    order_wait(&c->order, ORDER_UNBIND, 1))
		return 1;
	if (sim_wait_stat(c->sim, "queues", 0) ||
	    sim_wait_stat(c->sim, "pasids", 0))
		return 2;
	if (sim_stat(c->sim, "running"))
		return 3;
	if (sim_is_simulated() &&
	    sim_stat(c->sim, "mm_releases") != c->mm_releases + 1)
		return 4;
	for (i = 0; sim_never(i); i++) {
		if (sim_stat(c->sim, sim_never(i)))
			return 5;
	}
	return 0;
}

static long newcomer_life(long sim, long unused1, long unused2)
{
	long end = now_ms() + SIM_TIMEOUT_MS;
	struct vaccel_desc nop = d_nop();
	struct vq vq;
	int ret;

	while ((ret = vq_open(&vq, (const struct sim *)sim)) == -ENOSPC &&
	       now_ms() < end)
		visit_processors();
	if (!ret)
		ret = vq_run(&vq, &nop, NULL);
	vq_close(&vq);
	return ret;
}

/* Somebody else gets a queue and a PASID; where there is one only, that one. */
static int newcomer_fails(struct cell *c)
{
	struct peer newcomer;
	long ret = peer_start(&newcomer);

	if (!ret)
		ret = peer_call(&newcomer, newcomer_life, (long)c->sim, 0, 0);
	if (!ret)
		ret = peer_exit(&newcomer);
	return ret;
}

/* Though those who held the device have let it go by now */
static int written_later(struct cell *c)
{
	__u8 last = written[WORK * PAGE - 1], copied = written[2 * WORK * PAGE - 1];

	if (c->s->busy && (!written[0] || last))
		return 1;
	if (c->death == DEATH_KILL_AMID_COPY && copied)
		return 2;
	return memcmp(written, c->before, sizeof(c->before)) ? 3 : 0;
}

/* The holder lets go, which is nothing to the driver. */
static int not_let_go(struct cell *c)
{
	unsigned int queue = cells_queue(c);

	if (holder_end(&c->holder))
		return 1;
	if (order_update(&c->order))
		return 2;
	if (order_count(&c->order, ORDER_STOP, queue) != stops_wanted(c))
		return 3;
	return order_count(&c->order, ORDER_PUT, queue) != 1 ? 4 : 0;
}

static int step(const char *what, int ret)
{
	if (ret)
		fprintf(stderr, "# %s: %d\n", what, ret);
	return ret;
}

static int one_cell(struct cell *c, enum holder_kind kind)
{
	int ret;

	ret = step("cell does not begin", cell_begin(c, kind)) ?:
	      step("process does not die", cell_die(c)) ?:
	      step("queue is not stopped at once", !over_at_once(c)) ?:
	      step("holder is not told", holder_is_told(&c->holder)) ?:
	      step("something is not given back", not_given_back(c)) ?:
	      step("in disorder", in_disorder(c));
	if (ret)
		return ret;
	memcpy(c->before, written, sizeof(c->before));
	sim_release_all(c->sim);
	return step("queue is not dead", holder_not_dead(&c->holder)) ?:
	       step("newcomer fails", newcomer_fails(c)) ?:
	       step("written later", written_later(c)) ?:
	       step("queue is not dead any more", holder_not_dead(&c->holder)) ?:
	       step("not let go", not_let_go(c));
}

/* --- the matrix */

FIXTURE(exit)
{
	struct sim sim;
};

FIXTURE_VARIANT(exit)
{
	enum death death;
};

FIXTURE_VARIANT_ADD(exit, exit) { .death = DEATH_EXIT };
FIXTURE_VARIANT_ADD(exit, sigkill) { .death = DEATH_KILL };
FIXTURE_VARIANT_ADD(exit, sigkill_amid_a_copy)
{
	.death = DEATH_KILL_AMID_COPY,
};

FIXTURE_VARIANT_ADD(exit, out_of_memory) { .death = DEATH_OOM };
FIXTURE_VARIANT_ADD(exit, execve) { .death = DEATH_EXEC };
FIXTURE_VARIANT_ADD(exit, last_of_several_clone_vm)
{
	.death = DEATH_LAST_SHARER,
};

FIXTURE_VARIANT_ADD(exit, page_response_held) { .death = DEATH_PAGE_HELD };
FIXTURE_VARIANT_ADD(exit, on_the_page_fault_worker)
{
	.death = DEATH_ON_WORKER,
};

static const char *death_unavailable(enum death death)
{
	if (death == DEATH_OOM && !group_begin(SMALL_GROUP, SMALL))
		return "needs the memory controller of /sys/fs/cgroup (CONFIG_MEMCG)";
	if (death == DEATH_ON_WORKER && late_file_begin())
		return "needs a file in user space (CONFIG_FUSE_FS)";
	return NULL;
}

FIXTURE_SETUP(exit)
{
	struct sim_config cfg = {};
	const char *why = sim_unavailable();

	if (why)
		SKIP(return, "%s", why);
	/*
	 * One PASID, that each in turn must get. But the kernel keeps what the OOM
	 * killer has killed for two seconds, for its reaper: there are some more.
	 */
	if (sim_is_simulated())
		cfg.pasid_bits = variant->death == DEATH_OOM ? 4 : 1;
	why = death_unavailable(variant->death);
	if (why)
		SKIP(return, "%s", why);
	if (!setup_sim(_metadata, &self->sim, "ksft", &cfg)) {
		late_file_end();
		group_end(SMALL_GROUP);
		return;
	}
	written = mmap(NULL, 2 * WORK * PAGE, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, written);
}

FIXTURE_TEARDOWN_PARENT(exit)
{
	EXPECT_EQ(0, order_end());
	late_file_end();
	teardown_sim(_metadata, &self->sim);
	EXPECT_EQ(0, group_end(SMALL_GROUP));
}

/* Of those of a row and a holder, the @n-th; there are three at least. */
static bool has_its_turn(enum death death, enum holder_kind kind, unsigned int n)
{
	const char *text = getenv("UACCE_CELL_STEP");
	int every = text ? atoi(text) : 1;

	if (every > 3)
		every = 3;
	return every <= 1 || (n + death + kind) % every == 0;
}

static void every_state(struct __test_metadata *_metadata, struct sim *sim,
			enum death death, enum holder_kind kind)
{
	struct cell c = { .sim = sim, .death = death };
	const char *why = holder_unavailable(kind);
	unsigned int i, n = 0, cells = 0;

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, order_begin(&c.order, sim->dev));
	for (i = 0; i < ARRAY_SIZE(states); i++) {
		if (!possible(death, kind, &states[i]) ||
		    !has_its_turn(death, kind, n++))
			continue;
		c.s = &states[i];
		ASSERT_EQ(0, one_cell(&c, kind)) {
			TH_LOG("with the queue %s", c.s->name);
			order_print(&c.order);
		}
		cells++;
	}
	ASSERT_LT(0, cells);
	fprintf(stderr, "# cells: %u\n", cells);
}

TEST_F(exit, nobody_else_holds_it)
{
	every_state(_metadata, &self->sim, variant->death, HOLDER_NOBODY);
}

TEST_F(exit, child_holds_it)
{
	every_state(_metadata, &self->sim, variant->death, HOLDER_CHILD);
}

TEST_F(exit, stranger_holds_it)
{
	every_state(_metadata, &self->sim, variant->death, HOLDER_STRANGER);
}

TEST_F(exit, stranger_with_epoll_holds_it)
{
	every_state(_metadata, &self->sim, variant->death, HOLDER_EPOLL);
}

TEST_F(exit, io_uring_holds_it)
{
	every_state(_metadata, &self->sim, variant->death, HOLDER_RING);
}

TEST_HARNESS_MAIN
