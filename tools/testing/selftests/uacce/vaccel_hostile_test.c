// SPDX-License-Identifier: GPL-2.0-only
/*
 * A user that does everything wrong, at random, while another one works. The
 * hostile queue may fail in any way; it may not hang, and nobody else may notice.
 *
 * The numbers come from a seed, which is printed. UACCE_FUZZ_SEED sets another one,
 * UACCE_FUZZ_COUNT how many descriptors are thrown at the device.
 */
#include <endian.h>
#include <stdlib.h>
#include <unistd.h>

#include "uacce_test.h"
#include "vaccel_ref.h"
#include "vq.h"

#define DEFAULT_SEED	1
#define DEFAULT_COUNT	20000
#define HALF		(VQ_MEM / 2)

/*
 * The hostile user is a process like any other and could hit itself: a wild pointer
 * may be one to its own stack. So all its addresses are either none of user space,
 * or lie in an arena where nothing else is, its queue's regions included, and from
 * which no length leads out. As the engine may read an address while it changes,
 * this has to hold for any mixture of the bytes of two of them.
 */
#define ARENA		0x200000000000UL
#define ARENA_SIZE	0x100000000UL
/* What is used of it; between and behind these is more than VACCEL_MAX_LEN */
#define USED		(ARENA + 0x50000000)
#define REGIONS		(ARENA + 0xa0000000)
#define PAGE		4096UL
#define RW_PAGES	16	/* memory */
#define RO_PAGES	4	/* memory that may not be written */
#define NONE_PAGES	4	/* may not be touched */
#define ZAP_PAGES	8	/* comes and goes */
#define RO_START	(USED + RW_PAGES * PAGE)
#define NONE_START	(RO_START + RO_PAGES * PAGE)
#define ZAP_START	(NONE_START + NONE_PAGES * PAGE)
#define USED_PAGES	(RW_PAGES + RO_PAGES + NONE_PAGES + ZAP_PAGES + 4)
#define RO_BYTE		0x5a

struct hostile {
	struct vq vq;
	__u64 state;		/* of the random numbers */
	bool sva;
	bool stop;		/* for the second thread */
	unsigned long seen[VACCEL_ST_INTERNAL + 1];	/* by status */
	unsigned long submitted;
	unsigned long errors;	/* of the queue */
	unsigned long restarts;
};

static __u64 seed_of_test(void)
{
	const char *text = getenv("UACCE_FUZZ_SEED");

	return text ? strtoull(text, NULL, 0) : DEFAULT_SEED;
}

/* The share of one of the two tests on one of the two kinds of device */
static unsigned long count_of_test(void)
{
	const char *text = getenv("UACCE_FUZZ_COUNT");

	return (text ? strtoul(text, NULL, 0) : DEFAULT_COUNT) / 4;
}

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

static int open_hostile(struct hostile *h, const struct sim *sim, __u64 seed)
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

/* Changes one field of one descriptor, or takes memory away, or gives it back */
static void disturb(struct hostile *h, __u64 *s)
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
	case 10:	/* control page, but for what we wait for */
		word = h->vq.q.dus;
		word += rnd(s) % (0x1000 / 8);
		if (word != (__u64 *)&vq_ctrl(&h->vq)->cq_tail &&
		    word != (__u64 *)&vq_ctrl(&h->vq)->flags)
			__atomic_store_n(word, rnd(s), __ATOMIC_RELAXED);
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

static long second_thread(long arg, long seed, long unused)
{
	struct hostile *h = (struct hostile *)arg;
	__u64 state = seed;

	while (!__atomic_load_n(&h->stop, __ATOMIC_RELAXED))
		disturb(h, &state);
	return 0;
}

/* Stops and starts the queue, after which it has to be as good as new */
static int recover(struct hostile *h)
{
	int ret = vq_restart(&h->vq);

	h->restarts++;
	return ret;
}

/* What the completions say, as far as they make sense */
static void count_statuses(struct hostile *h, __u32 head, unsigned int n)
{
	__u32 status;

	while (n--) {
		status = le32toh(vq_cq(&h->vq, head++)->status);
		if (status < ARRAY_SIZE(h->seen))
			h->seen[status]++;
	}
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
		if (vq_cq_tail(&h->vq) == tail)
			return 0;
		if (now_ms() > end)
			return -ETIMEDOUT;
		usleep(200);
	}
}

/* Rings @reg with something, and lets the engine have a look at it */
static void ring_at_random(struct hostile *h, unsigned int reg, __u32 near)
{
	long end = now_ms() + 1000;

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

/* A number of descriptors, and now and then a doorbell out of order */
static int attack(struct hostile *h)
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
	h->submitted += n;
	vq_set_reg(vq, VACCEL_REG_SQ_TAIL, head + n);
	ret = vaccel_kick(&vq->q);

	switch (rnd(&h->state) % 16) {
	case 0:		/* stop it in whatever it does */
		return recover(h);
	case 1:
		ring_at_random(h, VACCEL_REG_SQ_TAIL, head);
		break;
	case 2:
		ring_at_random(h, VACCEL_REG_CQ_HEAD, head);
		break;
	}

	if (!ret)
		ret = wait_done(h, head, head + n);
	if (ret == -EIO) {
		h->errors++;
		return recover(h);
	}
	if (ret)
		return ret;

	count_statuses(h, head, n);
	vq_set_reg(vq, VACCEL_REG_CQ_HEAD, head + n);
	vq->q.sq_tail = head + n;
	vq->q.cq_head = head + n;
	return 0;
}

static bool works(struct vq *vq, unsigned int n)
{
	struct vaccel_desc d = d_copy(vq, vq->mem, vq->mem + HALF, 300);

	make_noise(vq->mem, 300, n);
	return vq_run(vq, &d, NULL) == VACCEL_ST_OK &&
	       !memcmp(vq->mem, vq->mem + HALF, 300);
}

FIXTURE(hostile) {
	struct sim sim;
	struct vq good;
};

FIXTURE_VARIANT(hostile) {
	bool no_sva;
};

FIXTURE_VARIANT_ADD(hostile, sva) {};
FIXTURE_VARIANT_ADD(hostile, no_sva) { .no_sva = true };

FIXTURE_SETUP(hostile)
{
	struct sim_config cfg = { .no_sva = variant->no_sva };

	if (!setup_sim(_metadata, &self->sim, "ksft_hostile", &cfg))
		return;
	ASSERT_EQ(0, vq_open(&self->good, &self->sim));
}

FIXTURE_TEARDOWN_PARENT(hostile)
{
	teardown_sim(_metadata, &self->sim);
}

static void show(struct __test_metadata *_metadata, const struct hostile *h)
{
	TH_LOG("seed %llu: %lu descriptors, %lu queue errors, %lu restarts",
	       (unsigned long long)seed_of_test(), h->submitted, h->errors,
	       h->restarts);
	TH_LOG("ok %lu more %lu opcode %lu field %lu len %lu read %lu write %lu full %lu data %lu",
	       h->seen[0], h->seen[1], h->seen[2], h->seen[3], h->seen[4],
	       h->seen[5], h->seen[6], h->seen[7], h->seen[8]);
}

TEST_F(hostile, random_descriptors_hurt_only_their_own_queue)
{
	unsigned long count = count_of_test();
	unsigned int i, rounds = 0;
	struct hostile h;

	ASSERT_EQ(0, open_hostile(&h, &self->sim, seed_of_test()));
	while (h.submitted < count) {
		ASSERT_EQ(0, attack(&h)) {
			show(_metadata, &h);
		}
		ASSERT_TRUE(works(&self->good, rounds++)) {
			show(_metadata, &h);
		}
	}
	show(_metadata, &h);

	/* it was really all of that, not the same refusal every time */
	for (i = VACCEL_ST_OK; i <= VACCEL_ST_BAD_DATA; i++) {
		if (!variant->no_sva || (i != VACCEL_ST_FAULT_READ &&
					 i != VACCEL_ST_FAULT_WRITE))
			EXPECT_LT(0, h.seen[i]) {
				TH_LOG("status %u never seen", i);
			}
	}
	EXPECT_LT(0, h.errors);
	if (h.sva)
		EXPECT_TRUE(all_bytes((__u8 *)RO_START, RO_PAGES * PAGE,
				      RO_BYTE));
	ASSERT_EQ(0, recover(&h));
	EXPECT_TRUE(works(&h.vq, 1));
}

TEST_F(hostile, changing_everything_under_the_engine_hurts_only_its_queue)
{
	unsigned long count = count_of_test();
	unsigned int rounds = 0;
	struct hostile h;
	struct bg bg;

	ASSERT_EQ(0, open_hostile(&h, &self->sim, seed_of_test() + 1));
	ASSERT_EQ(0, bg_start(&bg, second_thread, (long)&h, seed_of_test(), 0));
	while (h.submitted < count) {
		ASSERT_EQ(0, attack(&h)) {
			show(_metadata, &h);
		}
		ASSERT_TRUE(works(&self->good, rounds++)) {
			show(_metadata, &h);
		}
	}
	__atomic_store_n(&h.stop, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, bg_wait(&bg));
	show(_metadata, &h);

	EXPECT_LT(0, h.seen[VACCEL_ST_OK]);
	if (h.sva)
		EXPECT_TRUE(all_bytes((__u8 *)RO_START, RO_PAGES * PAGE,
				      RO_BYTE));
	ASSERT_EQ(0, recover(&h));
	EXPECT_TRUE(works(&h.vq, 1));
}

TEST_F(hostile, killing_an_attacker_anywhere_leaves_nothing)
{
	struct hostile h;
	int i, status;
	long before;
	pid_t pid;

	for (i = 0; i < 5; i++) {
		before = sim_stat(&self->sim, "descriptors");
		pid = fork();
		ASSERT_GE(pid, 0);
		if (!pid) {
			if (open_hostile(&h, &self->sim, seed_of_test() + i))
				_exit(1);
			while (!attack(&h))
				;
			_exit(2);
		}
		EXPECT_EQ(0, sim_wait_stat_ge(&self->sim, "descriptors",
					      before + 100 + 37 * i));
		kill(pid, SIGKILL);
		ASSERT_EQ(0, wait_pid(pid, &status));
		EXPECT_TRUE(WIFSIGNALED(status));
		EXPECT_EQ(0, sim_wait_stat(&self->sim, "queues", 1));
		EXPECT_TRUE(works(&self->good, i));
	}
}

/* A valid raw stream of random contents */
static size_t make_stream(__u8 *buf, size_t cap, __u64 *state)
{
	unsigned int i, made = 0;
	struct ref_bits b;

	ref_bits_init(&b, buf, cap);
	ref_block(&b, true, 1);
	for (i = 0; i < 40; i++) {
		if (made && rnd(state) % 3 == 0) {
			ref_fixed_match(&b, 3 + rnd(state) % 20,
					1 + rnd(state) % made);
		} else {
			ref_fixed_symbol(&b, rnd(state) % 256);
			made++;
		}
	}
	ref_fixed_symbol(&b, 256);
	ref_align(&b);
	return b.len;
}

TEST_F(hostile, mutated_streams_decode_as_the_reference_does)
{
	__u8 *src = self->good.mem, *dst = self->good.mem + HALF;
	static __u8 want[HALF];
	unsigned long round, ok = 0, bad = 0;
	size_t len, used, made, i, flips;
	__u64 state = seed_of_test();
	enum ref_result result;
	struct vaccel_desc d;
	struct vq_done done;
	int ret;

	for (round = 0; round < count_of_test() / 20; round++) {
		len = make_stream(src, HALF, &state);
		flips = rnd(&state) % 4;
		for (i = 0; i < flips; i++)
			src[rnd(&state) % len] ^= 1 << rnd(&state) % 8;

		result = ref_decode(VACCEL_F_RAW, src, len, want, HALF, &used,
				    &made);
		d = d_flate(&self->good, VACCEL_OP_DECOMPRESS, VACCEL_F_RAW,
			    src, len, dst, HALF);
		ret = vq_run(&self->good, &d, &done);
		ASSERT_GE(ret, 0);
		ASSERT_EQ(result == REF_OK, ret == VACCEL_ST_OK) {
			TH_LOG("seed %llu round %lu: %d, %d",
			       (unsigned long long)seed_of_test(), round,
			       result, ret);
		}
		if (result != REF_OK) {
			ASSERT_TRUE(ret == VACCEL_ST_BAD_DATA ||
				    ret == VACCEL_ST_MORE);
			bad++;
			continue;
		}
		ASSERT_EQ(made, done.produced);
		ASSERT_EQ(used, done.consumed);
		ASSERT_EQ(0, memcmp(want, dst, made));
		ok++;
	}
	EXPECT_LT(0, ok);
	EXPECT_LT(0, bad);
}

TEST_HARNESS_MAIN
