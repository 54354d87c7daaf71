// SPDX-License-Identifier: GPL-2.0-only
/*
 * One queue of a vaccel device: mapping, rings, doorbells, sleeping.
 *
 * Both sides of the rings share memory without a lock. The order that makes it
 * work, user's side:
 *
 *	submit:	store the descriptor
 *		barrier to device memory	the device sees the descriptor
 *		store-release SQ_TAIL		before it sees the new index
 *		full barrier
 *		load flags			NEED_WAKEUP: kick
 *
 *	reap:	load-acquire cq_tail		the entry is read after the
 *		load the completion		index that covers it
 *		barrier to device memory	the entry is read before the
 *		store-release CQ_HEAD		device may write it again
 *		full barrier
 *		load flags			NEED_WAKEUP, and the device has
 *						work left: kick
 *
 * A software engine sets NEED_WAKEUP, passes a full barrier and looks at the
 * doorbells once more before it sleeps. So either it sees our store, or we see
 * its flag; without the two full barriers both sides could miss each other and
 * sleep for good.
 *
 * The doorbells of a software engine are memory like the rings, and there
 * store-release is all that it takes. Those of hardware are device memory, and on
 * most architectures store-release does not keep a store to that behind those to
 * normal memory: hence the barrier before it.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "vaccel-queue.h"

/* Between two attempts to start a queue */
#define NAP_MS	10

static struct vaccel_ctrl *queue_ctrl(const struct vaccel_queue *q)
{
	return (void *)((char *)q->dus + VACCEL_CTRL_OFFSET);
}

static __u64 *queue_reg(const struct vaccel_queue *q, unsigned int offset)
{
	return (void *)((char *)q->mmio + offset);
}

static __u32 load_acquire(const __le32 *p)
{
	return le32toh(__atomic_load_n(p, __ATOMIC_ACQUIRE));
}

/* What comes before, in normal memory, is there before a store to device memory */
static inline void device_barrier(void)
{
#if defined(__aarch64__) || (defined(__arm__) && __ARM_ARCH >= 7)
	/* stores; for loads the store-release that follows is enough */
	asm volatile("dsb st" ::: "memory");
#elif defined(__x86_64__) || defined(__i386__)
	/* it keeps all stores in order, and loads before them; so must the compiler */
	asm volatile("" ::: "memory");
#elif defined(__powerpc__)
	asm volatile("sync" ::: "memory");
#elif defined(__riscv)
	asm volatile("fence rw, o" ::: "memory");
#else
	/*
	 * Orders normal memory, so that it does for a software engine. For hardware
	 * look at what the kernel's wmb() is on your architecture.
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

static void ring_doorbell(const struct vaccel_queue *q, unsigned int offset,
			  __u32 index)
{
	__u64 *reg = queue_reg(q, offset);

	device_barrier();
	/* Not every 32-bit processor stores 64 bits at once; the high half is zero. */
	if (sizeof(long) == 4)
		__atomic_store_n((__u32 *)reg, htole32(index), __ATOMIC_RELEASE);
	else
		__atomic_store_n(reg, htole64(index), __ATOMIC_RELEASE);
	/* against the engine's barrier between its flag and its last look */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static __s64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (__s64)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int queue_ioctl(const struct vaccel_queue *q, unsigned long cmd,
		       void *arg)
{
	int ret;

	do {
		ret = ioctl(q->fd, cmd, arg);
	} while (ret < 0 && errno == EINTR);

	return ret < 0 ? -errno : 0;
}

/* The regions' sizes are in sysfs, where the device number leads to them */
static int region_size(int fd, const char *attr, size_t *size)
{
	unsigned long long value;
	struct stat st;
	char path[96];
	char *end;
	char buf[32];
	ssize_t len;
	int sysfs;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISCHR(st.st_mode))
		return -ENODEV;

	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/%s",
		 major(st.st_rdev), minor(st.st_rdev), attr);
	sysfs = open(path, O_RDONLY | O_CLOEXEC);
	if (sysfs < 0)
		return errno == ENOENT ? -ENODEV : -errno;
	len = read(sysfs, buf, sizeof(buf) - 1);
	close(sysfs);
	if (len <= 0)
		return -ENODEV;
	buf[len] = '\0';

	errno = 0;
	value = strtoull(buf, &end, 10);
	if (errno || end == buf || (*end && *end != '\n') || value > SIZE_MAX)
		return -ENODEV;
	*size = value;
	return 0;
}

static int map_region(int fd, enum uacce_qfrt region, const char *attr,
		      size_t least, void **addr, size_t *size)
{
	off_t offset = (off_t)region * sysconf(_SC_PAGESIZE);
	int ret;

	ret = region_size(fd, attr, size);
	if (ret)
		return ret;
	/* a device with less is some other kind of accelerator */
	if (*size < least)
		return -EPROTONOSUPPORT;

	*addr = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		     offset);
	if (*addr == MAP_FAILED) {
		*addr = NULL;
		return -errno;
	}
	return 0;
}

static void unmap_regions(struct vaccel_queue *q)
{
	if (q->mmio)
		munmap(q->mmio, q->mmio_size);
	if (q->dus)
		munmap(q->dus, q->dus_size);
	q->mmio = NULL;
	q->dus = NULL;
}

static int check_version(const struct vaccel_queue *q)
{
	if (q->info.version != 1 ||
	    q->info.ring_entries != VACCEL_RING_ENTRIES ||
	    le64toh(*queue_reg(q, VACCEL_REG_ID)) != VACCEL_ID)
		return -EPROTONOSUPPORT;
	return 0;
}

int vaccel_queue_attach(struct vaccel_queue *q, int fd)
{
	int ret;

	memset(q, 0, sizeof(*q));
	q->fd = fd;

	ret = map_region(fd, UACCE_QFRT_MMIO, "region_mmio_size",
			 VACCEL_MMIO_SIZE, &q->mmio, &q->mmio_size);
	if (ret)
		goto err;
	ret = map_region(fd, UACCE_QFRT_DUS, "region_dus_size",
			 VACCEL_DUS_SIZE, &q->dus, &q->dus_size);
	if (ret)
		goto err;

	ret = queue_ioctl(q, VACCEL_CMD_INFO, &q->info);
	if (ret == -ENOTTY)
		ret = -EPROTONOSUPPORT;
	if (!ret)
		ret = check_version(q);
	if (!ret)
		ret = vaccel_queue_start(q);
	if (ret)
		goto err;

	return 0;
err:
	unmap_regions(q);
	q->fd = -1;
	return ret;
}

int vaccel_queue_open(struct vaccel_queue *q, const char *node)
{
	int fd, ret;

	memset(q, 0, sizeof(*q));
	q->fd = -1;

	fd = open(node, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = vaccel_queue_attach(q, fd);
	if (ret)
		close(fd);
	return ret;
}

void vaccel_queue_close(struct vaccel_queue *q)
{
	unmap_regions(q);
	if (q->fd >= 0)
		close(q->fd);
	q->fd = -1;
}

int vaccel_queue_start(struct vaccel_queue *q)
{
	__s64 end = now_ms() + VACCEL_START_TIMEOUT_MS;
	int ret;

	for (;;) {
		ret = queue_ioctl(q, UACCE_CMD_START_Q, NULL);
		/* a reset is under way, or a suspension */
		if (ret != -EAGAIN || now_ms() >= end)
			break;
		poll(NULL, 0, NAP_MS);
	}
	if (ret)
		return ret;

	/* starting cleared the device's indices and the doorbells, too */
	q->sq_tail = 0;
	q->cq_head = 0;
	return 0;
}

int vaccel_queue_stop(struct vaccel_queue *q)
{
	return queue_ioctl(q, UACCE_CMD_PUT_Q, NULL);
}

__u32 vaccel_queue_state(const struct vaccel_queue *q)
{
	return load_acquire(&queue_ctrl(q)->state);
}

__u32 vaccel_queue_error(const struct vaccel_queue *q)
{
	return load_acquire(&queue_ctrl(q)->error);
}

unsigned int vaccel_queue_space(const struct vaccel_queue *q)
{
	__u32 taken = load_acquire(&queue_ctrl(q)->sq_head);
	__u32 used = q->sq_tail - taken;

	/* whatever stands in the control page, never overrun the ring */
	return used < VACCEL_RING_ENTRIES ? VACCEL_RING_ENTRIES - used : 0;
}

int vaccel_kick(struct vaccel_queue *q)
{
	q->kicks++;
	return queue_ioctl(q, VACCEL_CMD_KICK, NULL);
}

static bool engine_sleeps(const struct vaccel_queue *q)
{
	return load_acquire(&queue_ctrl(q)->flags) & VACCEL_CTRL_NEED_WAKEUP;
}

int vaccel_submit(struct vaccel_queue *q, const struct vaccel_desc *d)
{
	struct vaccel_desc *sq = (void *)((char *)q->dus + VACCEL_SQ_OFFSET);

	if (!vaccel_queue_space(q))
		return -EAGAIN;

	sq[q->sq_tail % VACCEL_RING_ENTRIES] = *d;
	q->sq_tail++;
	ring_doorbell(q, VACCEL_REG_SQ_TAIL, q->sq_tail);

	return engine_sleeps(q) ? vaccel_kick(q) : 0;
}

int vaccel_reap(struct vaccel_queue *q, struct vaccel_cqe *cqe)
{
	struct vaccel_cqe *cq = (void *)((char *)q->dus + VACCEL_CQ_OFFSET);
	struct vaccel_ctrl *ctrl = queue_ctrl(q);

	if (load_acquire(&ctrl->cq_tail) == q->cq_head)
		return 0;

	*cqe = cq[q->cq_head % VACCEL_RING_ENTRIES];
	q->cq_head++;
	ring_doorbell(q, VACCEL_REG_CQ_HEAD, q->cq_head);

	/*
	 * The engine may have gone to sleep on a full completion ring. An idle
	 * engine sleeps, too, but has taken all descriptors: leave it alone.
	 * If the kick fails the queue has stopped, and vaccel_wait() says why.
	 */
	if (engine_sleeps(q) && load_acquire(&ctrl->sq_head) != q->sq_tail)
		vaccel_kick(q);

	return 1;
}

int vaccel_wait(struct vaccel_queue *q, struct vaccel_cqe *cqe, int timeout_ms)
{
	__s64 end = now_ms() + timeout_ms;
	struct pollfd pfd = { .fd = q->fd, .events = POLLIN };
	int left = timeout_ms;
	__u32 state;
	int ret;

	for (;;) {
		/* before the last look for completions: none can follow it */
		state = vaccel_queue_state(q);
		if (vaccel_reap(q, cqe))
			return 1;
		if (state == VACCEL_STATE_ERROR)
			return -EIO;

		ret = poll(&pfd, 1, left);
		if (ret < 0 && errno != EINTR)
			return -errno;
		if (ret > 0 && (pfd.revents & POLLHUP))
			return -ENXIO;
		if (ret > 0 && (pfd.revents & POLLERR))
			return -EIO;
		if (ret > 0 && (pfd.revents & POLLNVAL))
			return -EBADF;

		if (timeout_ms < 0)
			continue;
		left = end - now_ms();
		if (left <= 0)
			return vaccel_reap(q, cqe);
	}
}

int vaccel_run(struct vaccel_queue *q, const struct vaccel_desc *d,
	       struct vaccel_cqe *cqe)
{
	int ret;

	ret = vaccel_submit(q, d);
	if (ret)
		return ret;
	ret = vaccel_wait(q, cqe, VACCEL_RUN_TIMEOUT_MS);
	if (ret < 0)
		return ret;
	return ret ? 0 : -ETIMEDOUT;
}
