// SPDX-License-Identifier: GPL-2.0-only
/*
 * A user of a vaccel queue that does everything wrong, at random.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest.h"
#include "hostile.h"
#include "sim.h"

static int map_arena(void)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
			  MAP_FIXED_NOREPLACE;

	if (mmap((void *)ARENA, ARENA_SIZE, PROT_NONE, flags, -1, 0) !=
	    (void *)ARENA)
		return -ENOMEM;
	if (mprotect((void *)USED, RW_PAGES * PAGE, PROT_READ | PROT_WRITE) ||
	    mprotect((void *)RO_START, RO_PAGES * PAGE,
		     PROT_READ | PROT_WRITE) ||
	    mprotect((void *)ZAP_START, ZAP_PAGES * PAGE,
		     PROT_READ | PROT_WRITE))
		return -errno;
	memset((void *)RO_START, RO_BYTE, RO_PAGES * PAGE);
	return mprotect((void *)RO_START, RO_PAGES * PAGE, PROT_READ) ?
	       -errno : 0;
}

/* A region cannot be moved, but unmapped and mapped again */
static int map_region_at(const struct vq *vq, unsigned int region, void **map,
			 size_t len, unsigned long addr)
{
	void *p;

	munmap(*map, len);
	p = mmap((void *)addr, len, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED, vq->q.fd, region * getpagesize());
	if (p == MAP_FAILED)
		return -errno;
	*map = p;
	return 0;
}

unsigned long hostile_share(unsigned long unless_set)
{
	const char *text = getenv("UACCE_FUZZ");

	return (text ? strtoul(text, NULL, 0) : unless_set) / 4;
}

int hostile_open(struct hostile *h, const struct sim *sim, __u64 seed)
{
	int ret;

	memset(h, 0, sizeof(*h));
	h->state = seed;
	ret = vq_open(&h->vq, sim);
	if (ret)
		return ret;
	h->sva = h->vq.sva;
	if (!h->sva)
		return 0;

	ret = map_arena();
	if (!ret)
		ret = map_region_at(&h->vq, UACCE_QFRT_DUS, &h->vq.q.dus,
				    h->vq.q.dus_size, REGIONS);
	if (!ret)
		ret = map_region_at(&h->vq, UACCE_QFRT_MMIO, &h->vq.q.mmio,
				    h->vq.q.mmio_size, REGIONS + 0x100000);
	return ret;
}

static __u64 pick_pointer(const struct hostile *h, __u64 *state)
{
	const __u64 low = rnd(state) & 0xffffffff;

	switch (rnd(state) % 32) {
	case 0:
		return low % 0x10000;
	case 1:		/* the kernel's part */
		return 0xffff888000000000ULL | low;
	case 2:		/* nobody's part */
		return 0x0000800000000000ULL | low;
	case 3:
		return -1ULL - low % 0x10000;
	case 4:		/* the queue's own rings and registers */
		return (unsigned long)h->vq.q.dus + low % VACCEL_DUS_SIZE;
	case 5:
		return (unsigned long)h->vq.q.mmio + low % VACCEL_MMIO_SIZE;
	case 6:
		return RO_START - PAGE + low % ((RO_PAGES + 1) * PAGE);
	case 7:
		return NONE_START - PAGE + low % ((NONE_PAGES + 1) * PAGE);
	case 8:
		return ZAP_START + low % (ZAP_PAGES * PAGE);
	case 9:
		return USED - PAGE + low % ((USED_PAGES + 1) * PAGE);
	default:
		return USED + low % (RW_PAGES * PAGE);
	}
}

static __u64 pick_offset(__u64 *state)
{
	switch (rnd(state) % 8) {
	case 0:
		return rnd(state);
	case 1:
		return -1ULL - rnd(state) % 0x20000;
	case 2:
		return rnd(state) % (VACCEL_DUS_SIZE + 4096);
	default:
		return VACCEL_DATA_OFFSET + rnd(state) % VACCEL_DATA_SIZE;
	}
}

static __u64 pick_addr(const struct hostile *h, __u64 *state)
{
	return h->sva ? pick_pointer(h, state) : pick_offset(state);
}

static __u32 pick_len(__u64 *state)
{
	switch (rnd(state) % 16) {
	case 0:
		return 0;
	case 1:
		return rnd(state);
	case 2:
		return VACCEL_MAX_LEN + rnd(state) % 2;
	case 3:
		return rnd(state) % (8 * PAGE);
	case 4:
	case 5:
	case 6:
		return rnd(state) % (2 * PAGE);
	default:
		return rnd(state) % 300;
	}
}

/* A descriptor of which about half is right */
static void pick_desc(struct hostile *h, struct vaccel_desc *d)
{
	__u64 *s = &h->state;

	memset(d, 0, sizeof(*d));
	d->opcode = rnd(s) % 32 ? rnd(s) % 6 : rnd(s);
	d->user_data = rnd(s);
	if (d->opcode != VACCEL_OP_NOP && d->opcode != VACCEL_OP_FILL) {
		d->src = htole64(pick_addr(h, s));
		d->src_len = htole32(pick_len(s));
	}
	if (d->opcode != VACCEL_OP_NOP && d->opcode != VACCEL_OP_CRC32) {
		d->dst = htole64(pick_addr(h, s));
		d->dst_len = htole32(pick_len(s));
	}
	if (d->opcode == VACCEL_OP_COPY && rnd(s) % 4)
		d->dst_len = d->src_len;
	if (d->opcode == VACCEL_OP_FILL)
		d->param = rnd(s);
	if (d->opcode == VACCEL_OP_COMPRESS) {
		d->level = htole32(rnd(s) % 10);
		d->flags = rnd(s) % 4;
	}
	if (d->opcode == VACCEL_OP_DECOMPRESS)
		d->flags = rnd(s) % 4 | (rnd(s) % 4 ? 0 : VACCEL_F_CONTINUE);

	switch (rnd(s) % 16) {
	case 0:
		d->flags ^= 1 << rnd(s) % 8;
		break;
	case 1:
		d->level = rnd(s);
		break;
	case 2:
		((__u8 *)d)[rnd(s) % sizeof(*d)] ^= rnd(s);
		/* but where it points to has to stay within bounds, see above */
		d->src = htole64(pick_addr(h, s));
		d->dst = htole64(pick_addr(h, s));
		break;
	}
}

static __u64 pick_doorbell(__u64 *state, __u32 near)
{
	switch (rnd(state) % 4) {
	case 0:
		return rnd(state);
	case 1:
		return (__u32)rnd(state);
	default:
		return (__u32)(near - 300 + rnd(state) % 600);
	}
}

/*
 * What stands in the control page is what the device says, and not what it goes by. Most
 * of the page is not used, so half of the time take what is.
 */
static void disturb_ctrl(struct hostile *h, __u64 *s)
{
	struct vaccel_ctrl *ctrl = vq_ctrl(&h->vq);
	__le32 *used[] = {
		&ctrl->sq_head, &ctrl->state, &ctrl->error, &ctrl->cq_tail, &ctrl->flags,
	};
	__le32 *word = used[rnd(s) % ARRAY_SIZE(used)];

	switch (rnd(s) % 4) {
	case 0:		/* what could well stand there */
		__atomic_store_n(word, htole32(rnd(s) % 4), __ATOMIC_RELAXED);
		break;
	case 1:
		__atomic_store_n(word, rnd(s), __ATOMIC_RELAXED);
		break;
	default:
		__atomic_store_n((__u64 *)ctrl + rnd(s) % (VACCEL_SQ_OFFSET / 8),
				 rnd(s), __ATOMIC_RELAXED);
	}
}

void hostile_disturb(struct hostile *h, __u64 *s)
{
	struct vaccel_desc *d = vq_sq(&h->vq, rnd(s));
	void *zap = (void *)(ZAP_START + rnd(s) % ZAP_PAGES * PAGE);
	unsigned int i;
	__u64 *word;

	switch (rnd(s) % 16) {
	case 0:
		__atomic_store_n(&d->opcode, rnd(s) % 8, __ATOMIC_RELAXED);
		break;
	case 1:
		__atomic_store_n(&d->flags, rnd(s) % 16, __ATOMIC_RELAXED);
		break;
	case 2:
	case 3:
		__atomic_store_n(&d->src, htole64(pick_addr(h, s)),
				 __ATOMIC_RELAXED);
		break;
	case 4:
	case 5:
		__atomic_store_n(&d->dst, htole64(pick_addr(h, s)),
				 __ATOMIC_RELAXED);
		break;
	case 6:
	case 7:
		__atomic_store_n(&d->src_len, htole32(pick_len(s)),
				 __ATOMIC_RELAXED);
		break;
	case 8:
	case 9:
		__atomic_store_n(&d->dst_len, htole32(pick_len(s)),
				 __ATOMIC_RELAXED);
		break;
	case 10:
		disturb_ctrl(h, s);
		break;
	case 11:	/* registers; doorbells seldom, or nothing would run */
		i = rnd(s) % (VACCEL_MMIO_SIZE / 8);
		word = (__u64 *)h->vq.q.mmio + i;
		if ((i != VACCEL_REG_SQ_TAIL / 8 &&
		     i != VACCEL_REG_CQ_HEAD / 8) || !(rnd(s) % 64))
			__atomic_store_n(word, rnd(s), __ATOMIC_RELAXED);
		break;
	case 12:
		if (h->sva)
			madvise(zap, PAGE, MADV_DONTNEED);
		break;
	case 13:
		if (h->sva)
			mprotect(zap, PAGE, rnd(s) % 2 ? PROT_READ : PROT_NONE);
		break;
	case 14:
		if (h->sva)
			mprotect(zap, PAGE, PROT_READ | PROT_WRITE);
		break;
	case 15:	/* others need the processor, too */
		usleep(1);
		break;
	}
}

/* No status of a completion: the device has not written it yet */
#define NO_STATUS	0xffffffff

/*
 * Before the device hears of them. So one knows what it has done whatever the control
 * page says. Where a descriptor has it write to its own rings one may be mistaken: then
 * the worst is a doorbell out of order.
 */
static void expect(struct hostile *h, __u32 index, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		vq_cq(&h->vq, index + i)->status = htole32(NO_STATUS);
	h->first = index;
	h->under_way = n;
	h->submitted += n;
}

static __u32 status_of(const struct hostile *h, unsigned int i)
{
	const struct vaccel_cqe *cqe = vq_cq(&h->vq, h->first + i);

	return le32toh(__atomic_load_n(&cqe->status, __ATOMIC_ACQUIRE));
}

/* What was under way is executed, or never will be. */
static void count_executed(struct hostile *h)
{
	unsigned int i;
	__u32 status;

	for (i = 0; i < h->under_way; i++) {
		status = status_of(h, i);
		if (status < ARRAY_SIZE(h->seen)) {
			h->seen[status]++;
			h->executed++;
		}
	}
	h->under_way = 0;
}

int hostile_recover(struct hostile *h)
{
	int ret = vaccel_queue_stop(&h->vq.q);

	/* after that no completion comes */
	if (!ret)
		count_executed(h);
	h->restarts++;
	return ret ? ret : vq_restart(&h->vq);
}

/*
 * Waits until the engine has done all there is, or has had enough. Rings again and
 * again: the doorbells may have been overwritten.
 */
static int wait_done(struct hostile *h, __u32 head, __u32 tail)
{
	long end = now_ms() + SIM_TIMEOUT_MS;
	int ret;

	for (;;) {
		vq_set_reg(&h->vq, VACCEL_REG_SQ_TAIL, tail);
		vq_set_reg(&h->vq, VACCEL_REG_CQ_HEAD, head);
		ret = vaccel_kick(&h->vq.q);
		if (ret)
			return ret;
		if (status_of(h, h->under_way - 1) != NO_STATUS)
			return 0;
		if (now_ms() > end)
			return -ETIMEDOUT;
		usleep(200);
	}
}

/* Is gone for a moment, at any time of whatever the engine does */
static int remap(struct hostile *h, unsigned int region, void **map, size_t len)
{
	munmap(*map, len);
	usleep(rnd(&h->state) % 300);
	return map_region_at(&h->vq, region, map, len, (unsigned long)*map);
}

/*
 * Takes a region or memory away while the device is at work, or tries to do to a
 * region what cannot be done, and makes everything as it was. -EBADMSG: it could
 * be done. Not beside a second thread, which would be hit.
 */
static int dig(struct hostile *h)
{
	void *zap = (void *)(ZAP_START + rnd(&h->state) % ZAP_PAGES * PAGE);
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
	struct vaccel_queue *q = &h->vq.q;
	size_t len = q->dus_size;
	char *page = (char *)q->dus + rnd(&h->state) % (len / PAGE) * PAGE;

	h->holes++;
	switch (rnd(&h->state) % 8) {
	case 0:
		return mprotect(page, PAGE, PROT_READ) ? 0 : -EBADMSG;
	case 1:
		return munmap(page, PAGE) ? 0 : -EBADMSG;
	case 2:
		/* what is at the target is lost all the same: nothing is there */
		return mremap(q->dus, len, len, MREMAP_MAYMOVE | MREMAP_FIXED,
			      (void *)ARENA) == MAP_FAILED ? 0 : -EBADMSG;
	case 3:
		return mremap(q->dus, len, len - PAGE, 0) == MAP_FAILED ?
		       0 : -EBADMSG;
	case 4:		/* what that does to the page is nobody's business */
		madvise(page, PAGE, MADV_DONTNEED);
		return remap(h, UACCE_QFRT_DUS, &q->dus, len);
	case 5:
		return remap(h, UACCE_QFRT_DUS, &q->dus, len);
	case 6:
		return remap(h, UACCE_QFRT_MMIO, &q->mmio, q->mmio_size);
	default:
		if (!h->sva)
			return 0;
		munmap(zap, PAGE);
		usleep(rnd(&h->state) % 300);
		return mmap(zap, PAGE, PROT_READ | PROT_WRITE, flags, -1, 0) ==
		       zap ? 0 : -ENOMEM;
	}
}

/* Rings @reg with something, and lets the engine have a look at it */
static void ring_at_random(struct hostile *h, unsigned int reg, __u32 near)
{
	/* a flag that was overwritten may never say that it sleeps */
	long end = now_ms() + 100;

	vq_set_reg(&h->vq, reg, pick_doorbell(&h->state, near));
	if (vaccel_kick(&h->vq.q))
		return;
	/* Hardware looks at once, and does not say when it has done so. */
	if (!sim_is_simulated())
		end = now_ms() + 2;
	while (!vq_asleep(&h->vq) &&
	       vaccel_queue_state(&h->vq.q) != VACCEL_STATE_ERROR &&
	       now_ms() < end)
		usleep(200);
}

int hostile_attack(struct hostile *h)
{
	struct vq *vq = &h->vq;
	unsigned int i, n = 1 + rnd(&h->state) % 64;
	__u32 head = vq->q.sq_tail;
	struct vaccel_desc d;
	int ret;

	for (i = 0; i < n; i++) {
		pick_desc(h, &d);
		*vq_sq(vq, head + i) = d;
	}
	expect(h, head, n);
	vq_set_reg(vq, VACCEL_REG_SQ_TAIL, head + n);
	ret = vaccel_kick(&vq->q);

	switch (rnd(&h->state) % 16) {
	case 0:		/* stop it in whatever it does */
		return hostile_recover(h);
	case 1:
		ring_at_random(h, VACCEL_REG_SQ_TAIL, head);
		break;
	case 2:
		ring_at_random(h, VACCEL_REG_CQ_HEAD, head);
		break;
	}

	if (h->digs && rnd(&h->state) % 2) {
		int err = dig(h);

		if (err)
			return err;
	}
	if (!ret)
		ret = wait_done(h, head, head + n);
	if (ret == -EIO) {
		h->errors++;
		return hostile_recover(h);
	}
	if (ret)
		return ret;

	count_executed(h);
	vq_set_reg(vq, VACCEL_REG_CQ_HEAD, head + n);
	vq->q.sq_tail = head + n;
	vq->q.cq_head = head + n;
	return 0;
}
