// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random torture: what workers do to their queues.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "stress.h"
#include "vq.h"

/* Nothing is ever here: a target for what is not to be moved */
#define ELSEWHERE	0x200000000000UL

#define UNKNOWN_CMD	_IO('W', 0x7f)

static void **queue_region(struct queue *q, unsigned int region)
{
	return region == UACCE_QFRT_MMIO ? &q->q.mmio : &q->q.dus;
}

static struct target *pick_target(struct actor *a)
{
	struct target *t;

	do {
		t = &stress->targets[pick(a, N_TARGETS)];
	} while (!t->present);
	return t;
}

/* Opens @t for @q; what open() returned is judged */
static int open_target(struct actor *a, struct target *t, struct queue *q,
		       int *fd)
{
	struct call c;

	call_begin(&c, a, t, NULL, "open");
	*fd = open(t->sim.node, O_RDWR | O_CLOEXEC);
	if (*fd < 0)
		*fd = -errno;
	q->made = c.made;
	q->making = get(&t->making);

	if (call_here(&c))
		call_right(&c, 0);
	if (call_gone(&c)) {
		call_right(&c, -ENODEV);
		call_right(&c, -ENXIO);
		call_right(&c, -ENOENT);
	}
	if (t->few_queues)
		call_right(&c, -EBUSY);
	if (t->few_pasids) {
		call_right(&c, -ENOSPC);
		/* the process has a PASID already, which is too long for this */
		call_right(&c, -EOVERFLOW);
	}
	call_fails(&c, FAIL_GET_QUEUE, -EBUSY);
	call_fails(&c, FAIL_BIND, -EIO);
	if (*fd == -EBUSY && !t->shaky)
		stress_add(&stress->no_queue, 1);
	if (*fd == -ENOSPC)
		stress_add(&stress->no_pasid, 1);
	return call_end(&c, *fd < 0 ? *fd : 0);
}

int queue_open(struct actor *a, struct queue *q)
{
	struct target *t = pick_target(a);
	__u64 number = a->memories++ * THREADS + a->thread;
	int fd, ret;

	memset(q, 0, sizeof(*q));
	q->q.fd = -1;
	q->mem.file = -1;
	ret = open_target(a, t, q, &fd);
	if (ret || fd < 0)
		return ret;

	q->target = t;
	q->q.fd = fd;
	q->q.mmio_size = t->size[UACCE_QFRT_MMIO];
	q->q.dus_size = t->size[UACCE_QFRT_DUS];
	q->fresh = true;
	if (!t->sim.sva)
		return 0;
	ret = memory_map(&q->mem, seldom(a, 2), number);
	return ret ? fail(a, "no memory: errno %d", -ret) : 0;
}

static void unmap_regions(struct queue *q)
{
	unsigned int r;

	for (r = 0; r < 2; r++) {
		if (*queue_region(q, r))
			munmap(*queue_region(q, r), q->target->size[r]);
		*queue_region(q, r) = NULL;
	}
}

/* When the device is removed there is nothing to be seen of it any more. */
static int check_regions_are_gone(struct actor *a, struct queue *q)
{
	unsigned int r;

	if (wait_removed(a, q->target))
		return -1;
	for (r = 0; r < 2; r++) {
		if (*queue_region(q, r) && !touch(*queue_region(q, r)))
			return fail(a, "region %u of a removed device is still there",
				    r);
	}
	return 0;
}

/*
 * Without stopping it: others may have the file open, and the device may still work.
 * So with the queue its memory goes.
 */
static int drop(struct actor *a, struct queue *q)
{
	int fd = q->q.fd;

	if (q->dead && check_regions_are_gone(a, q))
		return -1;
	unmap_regions(q);
	if (q->mem.base)
		memory_unmap(&q->mem);
	q->q.fd = -1;
	q->n_jobs = 0;
	q->in_ep = false;
	return close(fd) ? fail(a, "close: errno %d", errno) : 0;
}

int queue_close(struct actor *a, struct queue *q)
{
	/* Now and then with all that is under way */
	if (q->started && !seldom(a, 4) && queue_stop(a, q))
		return -1;
	return drop(a, q);
}

int queue_map(struct actor *a, struct queue *q, unsigned int region)
{
	void **map = queue_region(q, region), *p = NULL;
	struct call c;
	int ret;

	call_begin(&c, a, q->target, q, "mmap");
	ret = q_mmap(q->q.fd, region, q->target->size[region], &p);
	call_right(&c, *map ? -EEXIST : 0);
	if (!*map)
		call_fails(&c, FAIL_MMAP, -ENOMEM);
	if (call_end(&c, ret))
		return -1;
	if (!ret) {
		*map = p;
		if (region == UACCE_QFRT_DUS && !q->target->sim.sva) {
			q->mem.base = (__u8 *)p + VACCEL_DATA_OFFSET;
			q->mem.offset = VACCEL_DATA_OFFSET;
		}
	}
	return 0;
}

int queue_start(struct actor *a, struct queue *q)
{
	struct call c;
	int ret;

	call_begin(&c, a, q->target, q, "START_Q");
	ret = q_start(q->q.fd);
	call_right(&c, q->started ? -EINVAL : 0);
	if (!q->started)
		call_fails(&c, FAIL_START, -EIO);
	if (call_end(&c, ret))
		return -1;
	if (!ret) {
		q->started = true;
		q->fresh = false;
		q->q.sq_tail = 0;
		q->q.cq_head = 0;
		q->serial = rnd(&a->rnd);
		q->start_fails = c.ended[FAIL_ENGINE];
	}
	return 0;
}

int queue_stop(struct actor *a, struct queue *q)
{
	struct call c;
	int ret;

	call_begin(&c, a, q->target, q, "PUT_Q");
	ret = q_put(q->q.fd);
	call_right(&c, 0);
	/* The removal that has killed the queue stops it, sooner or later. */
	if (call_end(&c, ret) || (q->dead && wait_removed(a, q->target)))
		return -1;
	q->started = false;
	return work_aborted(a, q);
}

/* --- operations on a queue that is open */

static int op_close(struct actor *a, struct queue *q)
{
	return queue_close(a, q);
}

/* One more, for a moment */
static int op_open(struct actor *a, struct queue *q)
{
	struct queue other = {};
	int fd, ret;

	ret = open_target(a, pick_target(a), &other, &fd);
	if (fd >= 0)
		close(fd);
	return ret;
}

static int op_start(struct actor *a, struct queue *q)
{
	return queue_start(a, q);
}

static int op_stop(struct actor *a, struct queue *q)
{
	return queue_stop(a, q);
}

static int check_info(struct actor *a, struct queue *q,
		      const struct vaccel_info *info)
{
	if (info->version != 1 || info->ring_entries != VACCEL_RING_ENTRIES ||
	    !(info->flags & UACCE_DEV_SVA) == q->target->sim.sva ||
	    !info->pasid == q->target->sim.sva)
		return fail(a, "INFO of %s: version %u flags %u pasid %u",
			    q->target->sim.node, info->version, info->flags,
			    info->pasid);
	return 0;
}

static int op_info(struct actor *a, struct queue *q)
{
	bool nowhere = seldom(a, 4);
	struct vaccel_info info;
	struct call c;
	int ret;

	call_begin(&c, a, q->target, q, "INFO");
	ret = q_info(q->q.fd, nowhere ? NULL : &info);
	call_right(&c, nowhere ? -EFAULT : 0);
	if (call_end(&c, ret))
		return -1;
	return ret ? 0 : check_info(a, q, &info);
}

static int op_kick(struct actor *a, struct queue *q)
{
	struct call c;
	int ret;

	call_begin(&c, a, q->target, q, "KICK");
	c.ended[FAIL_ENGINE] = q->start_fails;
	ret = q_ioctl(q->q.fd, VACCEL_CMD_KICK, NULL);
	call_right(&c, q->started ? 0 : -EINVAL);
	if (q->started)
		call_fails(&c, FAIL_ENGINE, -EIO);
	return call_end(&c, ret);
}

static int op_unknown(struct actor *a, struct queue *q)
{
	struct call c;
	int ret;

	call_begin(&c, a, q->target, q, "an unknown ioctl");
	ret = q_ioctl(q->q.fd, seldom(a, 2) ? UNKNOWN_CMD : rnd(&a->rnd) |
		      1U << 31, NULL);
	call_right(&c, -ENOTTY);
	return call_end(&c, ret);
}

static int op_map(struct actor *a, struct queue *q)
{
	return queue_map(a, q, pick(a, 2));
}

/* What cannot be mapped */
static int op_map_wrong(struct actor *a, struct queue *q)
{
	unsigned int region = pick(a, 2);
	size_t len = q->target->size[region];
	int flags = MAP_SHARED;
	struct call c;
	void *p;

	switch (pick(a, 3)) {
	case 0:
		region = 2 + pick(a, 1000);
		break;
	case 1:
		len += PAGE * (1 + pick(a, 4));
		break;
	default:
		flags = MAP_PRIVATE;
	}
	call_begin(&c, a, q->target, q, "a wrong mmap");
	call_right(&c, -EINVAL);
	return call_end(&c, q_mmap_flags(q->q.fd, region, len,
					 PROT_READ | PROT_WRITE, flags, &p));
}

static int op_unmap(struct actor *a, struct queue *q)
{
	unsigned int r = pick(a, 2);
	void **map = queue_region(q, r);

	/* Without SVA the jobs' memory is in there. */
	if (q->n_jobs && !q->target->sim.sva)
		return 0;
	if (*map && munmap(*map, q->target->size[r]))
		return fail(a, "munmap of region %u: errno %d", r, errno);
	*map = NULL;
	return 0;
}

/* These are the memory manager's own, and the same on a dead queue. */
static int refuses(struct actor *a, const char *what, bool refused, int want)
{
	if (!refused)
		return fail(a, "%s of a region succeeds", what);
	if (errno != want)
		return fail(a, "%s of a region: errno %d, not %d", what, errno,
			    want);
	return 0;
}

static int op_move(struct actor *a, struct queue *q)
{
	unsigned int r = pick(a, 2);
	size_t len = q->target->size[r];
	void *map = *queue_region(q, r), *p;

	if (!map)
		return 0;
	switch (pick(a, 3)) {
	case 0:
		p = mremap(map, len, len, MREMAP_MAYMOVE | MREMAP_FIXED,
			   (void *)(ELSEWHERE + (a->thread << 30)));
		return refuses(a, "moving", p == MAP_FAILED, EPERM);
	case 1:
		p = mremap(map, len, len + PAGE, MREMAP_MAYMOVE);
		return refuses(a, "growing", p == MAP_FAILED, EFAULT);
	default:
		if (len == PAGE)
			return 0;
		p = mremap(map, len, len - PAGE, 0);
		return refuses(a, "shrinking", p == MAP_FAILED, EINVAL);
	}
}

static int op_split(struct actor *a, struct queue *q)
{
	size_t len = q->target->size[UACCE_QFRT_DUS];
	char *map = q->q.dus, *page;

	if (!map)
		return 0;
	page = map + pick(a, len / PAGE) * PAGE;
	switch (pick(a, 5)) {
	case 0:
		return refuses(a, "munmap of a part", munmap(page, PAGE), EINVAL);
	case 1:
		return refuses(a, "mprotect of a part",
			       mprotect(page, PAGE, PROT_READ), EINVAL);
	case 2:
		return refuses(a, "MADV_DOFORK", madvise(map, len, MADV_DOFORK),
			       EINVAL);
	case 3:
		return refuses(a, "MADV_DODUMP", madvise(map, len, MADV_DODUMP),
			       EINVAL);
	default:
		/* all of it, and back */
		if (mprotect(map, len, PROT_READ) ||
		    mprotect(map, len, PROT_READ | PROT_WRITE))
			return fail(a, "mprotect of a region: errno %d", errno);
		return 0;
	}
}

static int op_touch(struct actor *a, struct queue *q)
{
	unsigned int r = pick(a, 2);
	void *map = *queue_region(q, r);
	unsigned int removed = get(&q->target->removed);
	int ret;

	if (!map)
		return 0;
	ret = touch(map);
	if (!ret)
		return removed < q->making ? 0 :
		       fail(a, "a region of a removed device is still there");
	if (!queue_may_be_dead(q))
		return fail(a, "SIGBUS, and %s is there", q->target->sim.node);
	queue_is_dead(q);
	return 0;
}

static int check_events(struct actor *a, struct queue *q, bool on_dead,
			int events)
{
	if (events == POLL_DEAD) {
		if (!queue_may_be_dead(q))
			return fail(a, "POLLERR, and %s is there",
				    q->target->sim.node);
		queue_is_dead(q);
		return 0;
	}
	if (on_dead)
		return fail(a, "events %#x of a dead queue", events);
	if (events && (events != POLLIN || q->fresh))
		return fail(a, "events %#x of a %s queue", events,
			    q->fresh ? "fresh" : "live");
	return 0;
}

static int op_poll(struct actor *a, struct queue *q)
{
	struct call c;
	int ret;

	call_begin(&c, a, q->target, q, "poll");
	ret = q_poll(q->q.fd, pick(a, 4));
	if (ret < 0)
		return fail(a, "poll: errno %d", -ret);
	return check_events(a, q, call_on_dead(&c), ret);
}

static int ep_change(struct actor *a, struct queue *q, int op, int other)
{
	struct epoll_event ev = { .events = EPOLLIN };

	if (epoll_ctl(a->ep, op, q->q.fd, &ev) &&
	    !(errno == other && q->renumbered))
		return fail(a, "epoll_ctl %d: errno %d", op, errno);
	q->in_ep = op == EPOLL_CTL_ADD;
	return 0;
}

static int op_epoll(struct actor *a, struct queue *q)
{
	struct epoll_event ev[8];
	int i, n;

	switch (pick(a, 3)) {
	case 0:
		return q->in_ep ? ep_change(a, q, EPOLL_CTL_DEL, ENOENT) :
				  ep_change(a, q, EPOLL_CTL_ADD, EEXIST);
	case 1:
		if (q->in_ep) {
			ev[0].events = EPOLLIN;
			return epoll_ctl(a->ep, EPOLL_CTL_ADD, q->q.fd, ev) &&
			       errno == EEXIST ? 0 :
			       fail(a, "epoll_ctl has it twice");
		}
		return 0;
	default:
		n = epoll_wait(a->ep, ev, ARRAY_SIZE(ev), pick(a, 3));
		for (i = 0; i < n; i++) {
			if (ev[i].events & ~(EPOLLIN | EPOLLERR | EPOLLHUP))
				return fail(a, "epoll events %#x",
					    ev[i].events);
		}
		return n < 0 ? fail(a, "epoll_wait: errno %d", errno) : 0;
	}
}

static int op_dup(struct actor *a, struct queue *q)
{
	int fd = fcntl(q->q.fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return fail(a, "dup: errno %d", errno);
	if (seldom(a, 2)) {
		close(fd);
		return 0;
	}
	close(q->q.fd);
	q->q.fd = fd;
	q->in_ep = false;
	q->renumbered = true;
	return 0;
}

static int op_read(struct actor *a, struct queue *q)
{
	char byte = 0;
	ssize_t n = seldom(a, 2) ? read(q->q.fd, &byte, 1) :
				   write(q->q.fd, &byte, 1);

	return n < 0 && errno == EINVAL ? 0 :
	       fail(a, "read or write: %zd, errno %d", n, errno);
}

/* What others show of it */
static int op_look(struct actor *a, struct queue *q)
{
	const struct target *t = q->target;
	char path[160], text[4096];
	struct call c;
	int ret;

	call_begin(&c, a, q->target, NULL, "looking");
	switch (pick(a, 3)) {
	case 0:
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", q->q.fd);
		ret = read_file(path, text, sizeof(text));
		return ret > 0 && strstr(text, "uacce-state:") ? 0 :
		       fail(a, "fdinfo: %d", ret);
	case 1:
		snprintf(path, sizeof(path),
			 "/sys/class/uacce/%s/available_instances", t->sim.dev);
		break;
	default:
		snprintf(path, sizeof(path), "/sys/kernel/debug/uacce/%s/%s",
			 t->sim.dev, seldom(a, 2) ? "queues" : "bonds");
		call_right(&c, -ENOENT);
	}
	ret = read_file(path, text, sizeof(text));
	call_right(&c, 0);
	if (call_gone(&c)) {
		call_right(&c, -ENOENT);
		call_right(&c, -ENODEV);
		call_right(&c, -EIO);
	}
	return call_end(&c, ret > 0 ? 0 : ret);
}

/* --- the queue of all threads */

static int common_ioctl(struct actor *a, struct common *com)
{
	struct vaccel_info info;
	struct call c;
	long ret;

	call_begin(&c, a, com->target, NULL, "START_Q");
	c.wide = true;
	switch (pick(a, 5)) {
	case 0:
		ret = q_start(com->fd);
		call_right(&c, 0);
		call_right(&c, -EINVAL);
		call_fails(&c, FAIL_START, -EIO);
		return call_end(&c, ret);
	case 1:
		c.name = "PUT_Q";
		ret = q_put(com->fd);
		call_right(&c, 0);
		return call_end(&c, ret);
	case 2:
		c.name = "KICK";
		ret = q_ioctl(com->fd, VACCEL_CMD_KICK, NULL);
		call_right(&c, 0);
		call_right(&c, -EINVAL);
		if (com->target->shaky)
			call_right(&c, -EIO);
		return call_end(&c, ret);
	case 3:
		c.name = "INFO";
		ret = q_info(com->fd, &info);
		call_right(&c, 0);
		return call_end(&c, ret);
	default:
		c.name = "an unknown ioctl";
		ret = q_ioctl(com->fd, UNKNOWN_CMD, NULL);
		call_right(&c, -ENOTTY);
		return call_end(&c, ret);
	}
}

static int common_map(struct actor *a, struct common *com)
{
	unsigned int r = pick(a, 2);
	void *p = NULL;
	struct call c;
	int ret;

	if (seldom(a, 2)) {
		call_begin(&c, a, com->target, NULL, "mmap");
		c.wide = true;
		ret = q_mmap(com->fd, r, com->target->size[r], &p);
		call_right(&c, 0);
		call_right(&c, -EEXIST);
		call_fails(&c, FAIL_MMAP, -ENOMEM);
		if (call_end(&c, ret))
			return -1;
	}
	/* With nothing in exchange, this is munmap(); also if it is another file's */
	p = __atomic_exchange_n(&com->map[r], p, __ATOMIC_SEQ_CST);
	if (p && munmap(p, com->target->size[r]))
		return fail(a, "munmap of region %u: errno %d", r, errno);
	return 0;
}

/* Another queue in its place, under the feet of the other threads */
static int common_replace(struct actor *a, struct common *com)
{
	struct queue q = {};
	int fd;

	if (open_target(a, com->target, &q, &fd))
		return -1;
	if (fd < 0)
		return 0;
	if (dup3(fd, com->fd, O_CLOEXEC) != com->fd)
		return fail(a, "dup3: errno %d", errno);
	close(fd);
	return 0;
}

static int common_poll(struct actor *a, struct common *com)
{
	int ret = q_poll(com->fd, pick(a, 3));

	if (ret && ret != POLLIN && !(ret == POLL_DEAD && com->target->shaky))
		return fail(a, "poll: %d", ret);
	return 0;
}

static int op_common(struct actor *a, struct queue *q)
{
	switch (pick(a, 8)) {
	case 0:
		return common_replace(a, a->common);
	case 1:
		return common_poll(a, a->common);
	case 2:
	case 3:
	case 4:
		return common_map(a, a->common);
	default:
		return common_ioctl(a, a->common);
	}
}

int common_init(struct actor *a, struct common *common)
{
	struct queue q = {};
	int ret;

	a->op = "first open";
	memset(common, 0, sizeof(*common));
	common->fd = -1;
	/* It may be gone, or have no queues at the moment: take another one */
	while (common->fd < 0 && !stress_over()) {
		common->target = pick_target(a);
		ret = open_target(a, common->target, &q, &common->fd);
		if (ret)
			return ret;
		if (common->fd < 0)
			nap();
	}
	return 0;
}

static const struct op {
	const char *name;
	unsigned int weight;
	int (*fn)(struct actor *a, struct queue *q);
} ops[] = {
	{ "work", 30, op_work },
	{ "disturb", 6, op_disturb },
	{ "open", 3, op_open },
	{ "close", 5, op_close },
	{ "start", 5, op_start },
	{ "put", 5, op_stop },
	{ "info", 4, op_info },
	{ "kick", 3, op_kick },
	{ "ioctl", 3, op_unknown },
	{ "mmap", 5, op_map },
	{ "mmap-wrong", 3, op_map_wrong },
	{ "munmap", 3, op_unmap },
	{ "mremap", 3, op_move },
	{ "split", 3, op_split },
	{ "touch", 4, op_touch },
	{ "poll", 5, op_poll },
	{ "epoll", 6, op_epoll },
	{ "dup", 3, op_dup },
	{ "read", 2, op_read },
	{ "look", 2, op_look },
	{ "fork", 3, op_fork },
	{ "send", 3, op_send },
	{ "receive", 3, op_receive },
	{ "common", 10, op_common },
};

const char *op_name(unsigned int kind)
{
	return kind < ARRAY_SIZE(ops) ? ops[kind].name : NULL;
}

static unsigned int pick_op(struct actor *a)
{
	unsigned int i, n = 0;

	for (i = 0; i < ARRAY_SIZE(ops); i++)
		n += ops[i].weight;
	n = pick(a, n);
	for (i = 0; n >= ops[i].weight; i++)
		n -= ops[i].weight;
	return i;
}

/* Random numbers that depend on nothing that happened before */
static __u64 seed_of_step(const struct actor *a)
{
	__u64 s = stress->seed;

	s = rnd(&s) ^ a->worker;
	s = rnd(&s) ^ a->life;
	s = rnd(&s) ^ a->thread;
	s = rnd(&s) ^ a->nr;
	return rnd(&s);
}

void actor_init(struct actor *a, struct common *common)
{
	unsigned int i;

	a->common = common;
	a->op = "begin";
	a->rnd = seed_of_step(a);
	a->guest.q.q.fd = -1;
	for (i = 0; i < SLOTS; i++)
		a->slots[i].q.fd = -1;
}

int actor_step(struct actor *a)
{
	unsigned int kind;
	struct queue *q;
	int ret;

	a->nr++;
	a->rnd = seed_of_step(a);
	q = &a->slots[pick(a, SLOTS)];
	kind = pick_op(a);
	a->op = ops[kind].name;
	stress->now[a->worker][a->thread].nr = a->nr;
	stress->now[a->worker][a->thread].op = a->op;
	stress_add(&stress->ops[kind], 1);

	if (q->q.fd < 0)
		return queue_open(a, q);
	ret = ops[kind].fn(a, q);
	/* A dead one is good for a few more answers */
	if (!ret && q->q.fd >= 0 && q->dead && seldom(a, 4))
		ret = queue_close(a, q);
	return ret;
}

int actor_end(struct actor *a)
{
	unsigned int i;
	int ret = 0;

	a->op = "end";
	for (i = 0; i < SLOTS; i++) {
		if (a->slots[i].q.fd >= 0 && queue_close(a, &a->slots[i]))
			ret = -1;
	}
	if (a->guest.q.q.fd >= 0)
		close(a->guest.q.q.fd);
	return children_wait(a) ? -1 : ret;
}
