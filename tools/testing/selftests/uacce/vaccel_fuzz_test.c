// SPDX-License-Identifier: GPL-2.0-only
/*
 * As many wrong descriptors, doorbells, rings and addresses as one likes, while
 * another process works on a queue of the same device and must not notice.
 *
 * UACCE_FUZZ=n is how many descriptors are to be executed in all, by default what
 * takes some seconds. The seed is another one each time and is printed;
 * UACCE_SEED=n repeats it, as far as two processes and a device repeat anything.
 */
#include <unistd.h>

#include "uacce_test.h"
#include "hostile.h"
#include "vaccel_ref.h"
#include "vq.h"

IN_PARALLEL;

#define DEFAULT_COUNT	8000
#define HALF		(VQ_MEM / 2)
#define CANARY		0xb5

/* As long as UACCE_FUZZ says */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 86400

/* What the bystander and the test have in common */
struct shared {
	bool stop;
	unsigned long rounds;
};

static int round_of_work(struct vq *vq, __u64 *state)
{
	__u8 *src = vq->mem, *dst = vq->mem + HALF;
	size_t len = 1 + rnd(state) % 2000;
	struct vaccel_desc d;
	struct vq_done done;
	int ret;

	make_noise(src, len, rnd(state));
	memset(dst, 0, len + 1);

	d = d_copy(vq, src, dst, len);
	ret = vq_run(vq, &d, &done);
	if (ret != VACCEL_ST_OK)
		return ret < 0 ? ret : 100 + ret;
	if (memcmp(src, dst, len) || dst[len])
		return 1;

	d = d_crc(vq, dst, len, 0);
	ret = vq_run(vq, &d, &done);
	if (ret != VACCEL_ST_OK)
		return ret < 0 ? ret : 200 + ret;
	return done.result == ref_crc32(0, src, len) ? 0 : 2;
}

/*
 * A process that works and minds its own business. What it has where the hostile
 * one has its memory must stay what it is: the addresses are the same, the
 * address spaces are not.
 */
static long bystand(long sim, long arg, long seed)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
	const size_t len = RW_PAGES * PAGE;
	struct shared *shared = (struct shared *)arg;
	__u8 *canary = (__u8 *)USED;
	__u64 state = seed;
	struct vq vq;
	int ret;

	if (mmap(canary, len, PROT_READ | PROT_WRITE, flags, -1, 0) != canary)
		return -ENOMEM;
	memset(canary, CANARY, len);

	ret = vq_open(&vq, (const struct sim *)sim);
	if (ret)
		return ret;
	while (!ret && !__atomic_load_n(&shared->stop, __ATOMIC_RELAXED)) {
		ret = round_of_work(&vq, &state);
		__atomic_fetch_add(&shared->rounds, 1, __ATOMIC_RELAXED);
	}
	vq_close(&vq);
	if (!ret && !all_bytes(canary, len, CANARY))
		ret = 3;
	return ret;
}

FIXTURE(fuzz) {
	struct sim sim;
	struct shared *shared;
	struct peer peer;
};

FIXTURE_VARIANT(fuzz) {
	bool no_sva;
};

FIXTURE_VARIANT_ADD(fuzz, sva) {};
FIXTURE_VARIANT_ADD(fuzz, no_sva) { .no_sva = true };

FIXTURE_SETUP(fuzz)
{
	struct sim_config cfg = { .no_sva = variant->no_sva };

	if (!setup_sim(_metadata, &self->sim, "ksft_fuzz", &cfg))
		return;
	self->shared = mmap(NULL, sizeof(*self->shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->shared);
	ASSERT_EQ(0, peer_start(&self->peer));
	ASSERT_EQ(0, peer_send(&self->peer, bystand, (long)&self->sim,
			       (long)self->shared, random_seed()));
}

FIXTURE_TEARDOWN_PARENT(fuzz)
{
	teardown_sim(_metadata, &self->sim);
}

static void show(struct __test_metadata *_metadata, const struct hostile *h)
{
	TH_LOG("seed %llu: %lu descriptors, of %lu, %lu queue errors, %lu restarts, %lu holes",
	       (unsigned long long)random_seed(), h->executed, h->submitted,
	       h->errors, h->restarts, h->holes);
	TH_LOG("ok %lu more %lu opcode %lu field %lu len %lu", h->seen[0],
	       h->seen[1], h->seen[2], h->seen[3], h->seen[4]);
	TH_LOG("read %lu write %lu full %lu data %lu internal %lu", h->seen[5],
	       h->seen[6], h->seen[7], h->seen[8], h->seen[9]);
}

/* Attacks until there were enough; the bystander has to get on all the time */
static void fuzz(struct __test_metadata *_metadata, struct shared *shared,
		 struct peer *bystander, struct hostile *h)
{
	unsigned long count = hostile_share(DEFAULT_COUNT);
	unsigned long rounds = 0;
	int ret;

	TH_LOG("UACCE_SEED=%llu", (unsigned long long)random_seed());
	/* and at least one doorbell that stopped the queue, if need be later */
	while (h->executed < count ||
	       (!h->errors && h->executed < 20 * count)) {
		ret = hostile_attack(h);
		ASSERT_EQ(0, ret) {
			show(_metadata, h);
		}
		/* an answer before it is asked for one is that something is wrong */
		ASSERT_FALSE(peer_answered(bystander)) {
			show(_metadata, h);
			TH_LOG("the bystander returned %ld", peer_recv(bystander));
		}
	}
	show(_metadata, h);
	rounds = __atomic_load_n(&shared->rounds, __ATOMIC_RELAXED);
	TH_LOG("the bystander has done %lu rounds of work", rounds);
	EXPECT_LT(0, rounds);
	EXPECT_LT(0, h->seen[VACCEL_ST_OK]);
	EXPECT_LT(0, h->seen[VACCEL_ST_BAD_FIELD]);
	EXPECT_LT(0, h->errors);
	EXPECT_EQ(0, h->seen[VACCEL_ST_INTERNAL]);
	if (h->sva)
		EXPECT_TRUE(all_bytes((__u8 *)RO_START, RO_PAGES * PAGE,
				      RO_BYTE));
}

/* After all that the hostile queue itself is as good as new */
static void finish(struct __test_metadata *_metadata, struct shared *shared,
		   struct peer *bystander, struct hostile *h)
{
	__u64 state = 1;

	__atomic_store_n(&shared->stop, true, __ATOMIC_RELAXED);
	EXPECT_EQ(0, peer_recv(bystander));
	ASSERT_EQ(0, hostile_recover(h));
	EXPECT_EQ(0, round_of_work(&h->vq, &state));
	EXPECT_EQ(0, peer_exit(bystander));
}

static long second_thread(long arg, long seed, long unused)
{
	struct hostile *h = (struct hostile *)arg;
	__u64 state = seed;

	while (!__atomic_load_n(&h->stop, __ATOMIC_RELAXED))
		hostile_disturb(h, &state);
	return 0;
}

TEST_F(fuzz, everything_changes_under_the_device)
{
	struct hostile h;
	struct bg bg;

	ASSERT_EQ(0, hostile_open(&h, &self->sim, random_seed()));
	ASSERT_EQ(0, bg_start(&bg, second_thread, (long)&h, random_seed(), 0));
	fuzz(_metadata, self->shared, &self->peer, &h);
	__atomic_store_n(&h.stop, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, bg_wait(&bg));
	finish(_metadata, self->shared, &self->peer, &h);
}

TEST_F(fuzz, rings_and_memory_come_and_go)
{
	struct hostile h;

	ASSERT_EQ(0, hostile_open(&h, &self->sim, random_seed() + 1));
	h.digs = true;
	fuzz(_metadata, self->shared, &self->peer, &h);
	EXPECT_LT(0, h.holes);
	finish(_metadata, self->shared, &self->peer, &h);
}

TEST_HARNESS_MAIN
