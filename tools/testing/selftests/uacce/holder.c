// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who can hold the open file of a queue
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/io_uring.h>

#include "holder.h"
#include "sim.h"

/* --- an io_uring with room for one file */

#define RING_ENTRIES	4

static struct {
	int fd;
	__u32 *sq_tail, *sq_mask, *sq_array;
	__u32 *cq_head, *cq_tail, *cq_mask;
	struct io_uring_cqe *cqes;
	struct io_uring_sqe *sqes;
} ring = { .fd = -1 };

static void *ring_map(size_t size, off_t off)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_POPULATE, ring.fd, off);

	return p == MAP_FAILED ? NULL : p;
}

static int ring_find(const struct io_uring_params *p)
{
	size_t sq_size = p->sq_off.array + p->sq_entries * sizeof(__u32);
	size_t cq_size = p->cq_off.cqes +
			 p->cq_entries * sizeof(struct io_uring_cqe);
	char *sq, *cq;

	sq = ring_map(sq_size, IORING_OFF_SQ_RING);
	cq = ring_map(cq_size, IORING_OFF_CQ_RING);
	ring.sqes = ring_map(p->sq_entries * sizeof(*ring.sqes),
			     IORING_OFF_SQES);
	if (!sq || !cq || !ring.sqes)
		return -ENOMEM;
	ring.sq_tail = (__u32 *)(sq + p->sq_off.tail);
	ring.sq_mask = (__u32 *)(sq + p->sq_off.ring_mask);
	ring.sq_array = (__u32 *)(sq + p->sq_off.array);
	ring.cq_head = (__u32 *)(cq + p->cq_off.head);
	ring.cq_tail = (__u32 *)(cq + p->cq_off.tail);
	ring.cq_mask = (__u32 *)(cq + p->cq_off.ring_mask);
	ring.cqes = (struct io_uring_cqe *)(cq + p->cq_off.cqes);
	return 0;
}

static int ring_make(void)
{
	struct io_uring_params p = {};

	if (ring.fd >= 0)
		return 0;
	ring.fd = syscall(SYS_io_uring_setup, RING_ENTRIES, &p);
	if (ring.fd < 0)
		return -errno;
	return ring_find(&p);
}

static int ring_register(int fd)
{
	return syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_FILES,
		       &fd, 1) < 0 ? -errno : 0;
}

static int ring_unregister(void)
{
	return syscall(SYS_io_uring_register, ring.fd, IORING_UNREGISTER_FILES,
		       NULL, 0) < 0 ? -errno : 0;
}

/* A request about the file that is registered */
static int ring_submit(__u8 opcode, __u32 poll_events)
{
	__u32 tail = *ring.sq_tail, i = tail & *ring.sq_mask;

	memset(&ring.sqes[i], 0, sizeof(ring.sqes[i]));
	ring.sqes[i].opcode = opcode;
	ring.sqes[i].flags = IOSQE_FIXED_FILE;
	ring.sqes[i].poll32_events = poll_events;
	ring.sq_array[i] = i;
	__atomic_store_n(ring.sq_tail, tail + 1, __ATOMIC_RELEASE);
	return syscall(SYS_io_uring_enter, ring.fd, 1, 0, 0, NULL, 0) == 1 ?
		0 : -errno;
}

static bool ring_is_empty(void)
{
	return *ring.cq_head == __atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE);
}

/* What became of the request */
static int ring_result(void)
{
	long end = now_ms() + SIM_TIMEOUT_MS;
	int res;

	while (ring_is_empty()) {
		if (now_ms() > end)
			return -ETIMEDOUT;
		nap();
	}
	res = ring.cqes[*ring.cq_head & *ring.cq_mask].res;
	__atomic_store_n(ring.cq_head, *ring.cq_head + 1, __ATOMIC_RELEASE);
	return res;
}

/* The file from the ring, for calls that the ring cannot make */
static int ring_install(void)
{
	int ret = ring_submit(IORING_OP_FIXED_FD_INSTALL, 0);

	return ret ? ret : ring_result();
}

static int begin_ring(struct holder *h)
{
	int ret = ring_make();

	if (!ret)
		ret = ring_register(h->fd);
	close(h->fd);
	h->fd = -1;
	return ret ? ret : ring_submit(IORING_OP_POLL_ADD, POLLIN);
}

static int not_dead_from_ring(void)
{
	int fd = ring_install();
	int ret;

	if (fd < 0)
		return fd;
	ret = q_not_dead(fd);
	close(fd);
	return ret;
}

/* --- a child of the owner */

static void child_main(const struct holder *h, int fd)
{
	int ret;
	char c;

	/* so that it hears of the end of the test */
	close(h->ask[1]);
	ret = q_poll(fd, -1) == POLL_DEAD ? 0 : 99;
	while (write(h->tell[1], &ret, sizeof(ret)) == sizeof(ret) &&
	       read(h->ask[0], &c, 1) == 1 && c == 'd')
		ret = q_not_dead(fd);
	_exit(0);
}

static long become_parent(long h, long fd, long unused)
{
	pid_t pid = fork();

	if (!pid)
		child_main((const struct holder *)h, fd);
	return pid < 0 ? -errno : pid;
}

static int begin_child(struct holder *h, struct peer *owner, int fd)
{
	h->child = peer_call(owner, become_parent, (long)h, fd, 0);
	return h->child < 0 ? h->child : wait_asleep(h->child);
}

static int child_says(const struct holder *h)
{
	int ret;

	if (q_poll(h->tell[0], SIM_TIMEOUT_MS) != POLLIN)
		return -ETIMEDOUT;
	return read(h->tell[0], &ret, sizeof(ret)) == sizeof(ret) ? ret : -EIO;
}

static int end_child(struct holder *h)
{
	int i, ret;

	ret = write(h->ask[1], "x", 1) == 1 ? wait_pid(h->child, NULL) : -errno;
	for (i = 0; i < 2; i++) {
		close(h->ask[i]);
		close(h->tell[i]);
	}
	return ret;
}

/* --- a stranger who waits with epoll */

static long epoll_sleep(long epoll, long unused1, long unused2)
{
	struct epoll_event ev;
	int n = epoll_wait(epoll, &ev, 1, -1);

	return n == 1 ? (long)ev.events : -errno;
}

static int begin_epoll(struct holder *h)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int ret;

	h->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (h->epoll < 0 || epoll_ctl(h->epoll, EPOLL_CTL_ADD, h->fd, &ev))
		return -errno;
	ret = bg_start(&h->sleeper, epoll_sleep, h->epoll, 0, 0);
	return ret ? ret : bg_wait_asleep(&h->sleeper);
}

static int begin_poll(struct holder *h)
{
	int ret = bg_q_poll(&h->sleeper, h->fd, -1);

	return ret ? ret : bg_wait_asleep(&h->sleeper);
}

/* --- any of them */

const char *holder_unavailable(enum holder_kind kind)
{
	if (kind == HOLDER_RING && ring_make())
		return "needs io_uring (CONFIG_IO_URING, not disabled)";
	return NULL;
}

int holder_prepare(struct holder *h, enum holder_kind kind)
{
	memset(h, 0, sizeof(*h));
	h->kind = kind;
	h->fd = -1;
	if (kind != HOLDER_CHILD)
		return 0;
	return pipe2(h->ask, O_CLOEXEC) || pipe2(h->tell, O_CLOEXEC) ? -errno : 0;
}

int holder_begin(struct holder *h, struct peer *owner, int fd)
{
	if (h->kind == HOLDER_NOBODY)
		return 0;
	if (h->kind == HOLDER_CHILD)
		return begin_child(h, owner, fd);
	h->fd = peer_take_fd(owner, fd);
	if (h->fd < 0)
		return h->fd;
	switch (h->kind) {
	case HOLDER_EPOLL:
		return begin_epoll(h);
	case HOLDER_RING:
		return begin_ring(h);
	default:
		return begin_poll(h);
	}
}

bool holder_sleeps(struct holder *h)
{
	switch (h->kind) {
	case HOLDER_NOBODY:
		return true;
	case HOLDER_CHILD:
		return !q_poll(h->tell[0], 0);
	case HOLDER_RING:
		return ring_is_empty();
	default:
		return !bg_done(&h->sleeper);
	}
}

int holder_is_told(struct holder *h)
{
	switch (h->kind) {
	case HOLDER_NOBODY:
		return 0;
	case HOLDER_CHILD:
		return child_says(h);
	case HOLDER_RING:
		return ring_result() == POLL_DEAD ? 0 : 1;
	default:
		return bg_wait(&h->sleeper) == POLL_DEAD ? 0 : 1;
	}
}

int holder_not_dead(struct holder *h)
{
	switch (h->kind) {
	case HOLDER_NOBODY:
		return 0;
	case HOLDER_CHILD:
		return write(h->ask[1], "d", 1) == 1 ? child_says(h) : -errno;
	case HOLDER_RING:
		return not_dead_from_ring();
	default:
		return q_not_dead(h->fd);
	}
}

int holder_end(struct holder *h)
{
	switch (h->kind) {
	case HOLDER_NOBODY:
		return 0;
	case HOLDER_CHILD:
		return end_child(h);
	case HOLDER_RING:
		return ring_unregister();
	case HOLDER_EPOLL:
		close(h->epoll);
		break;
	default:
		break;
	}
	return close(h->fd) ? -errno : 0;
}
