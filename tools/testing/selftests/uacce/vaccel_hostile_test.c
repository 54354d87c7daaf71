// SPDX-License-Identifier: GPL-2.0-only
/*
 * A user that does everything wrong, at random, while another one works. The
 * hostile queue may fail in any way; it may not hang, and nobody else may notice.
 *
 * UACCE_FUZZ=n is how many descriptors the device is to execute. The seed is another
 * one each time and is printed; UACCE_SEED=n repeats it.
 */
#include <endian.h>
#include <unistd.h>

#include "uacce_test.h"
#include "hostile.h"
#include "vaccel_ref.h"
#include "vq.h"

IN_PARALLEL;

#define DEFAULT_COUNT	20000
#define HALF		(VQ_MEM / 2)

/* As long as UACCE_FUZZ says */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 86400

static long second_thread(long arg, long seed, long unused)
{
	struct hostile *h = (struct hostile *)arg;
	__u64 state = seed;

	while (!__atomic_load_n(&h->stop, __ATOMIC_RELAXED))
		hostile_disturb(h, &state);
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
	TH_LOG("UACCE_SEED=%llu: %lu descriptors, of %lu, %lu queue errors, %lu restarts",
	       (unsigned long long)random_seed(), h->executed, h->submitted,
	       h->errors, h->restarts);
	TH_LOG("ok %lu more %lu opcode %lu field %lu len %lu read %lu write %lu full %lu data %lu",
	       h->seen[0], h->seen[1], h->seen[2], h->seen[3], h->seen[4],
	       h->seen[5], h->seen[6], h->seen[7], h->seen[8]);
}

TEST_F(hostile, random_descriptors_hurt_only_their_own_queue)
{
	unsigned long count = hostile_share(DEFAULT_COUNT);
	unsigned int i, rounds = 0;
	struct hostile h;

	ASSERT_EQ(0, hostile_open(&h, &self->sim, random_seed()));
	while (h.executed < count) {
		ASSERT_EQ(0, hostile_attack(&h)) {
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
	ASSERT_EQ(0, hostile_recover(&h));
	EXPECT_TRUE(works(&h.vq, 1));
}

TEST_F(hostile, changing_everything_under_the_engine_hurts_only_its_queue)
{
	unsigned long count = hostile_share(DEFAULT_COUNT);
	unsigned int rounds = 0;
	struct hostile h;
	struct bg bg;

	ASSERT_EQ(0, hostile_open(&h, &self->sim, random_seed() + 1));
	ASSERT_EQ(0, bg_start(&bg, second_thread, (long)&h, random_seed(), 0));
	while (h.executed < count) {
		ASSERT_EQ(0, hostile_attack(&h)) {
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
	ASSERT_EQ(0, hostile_recover(&h));
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
			if (hostile_open(&h, &self->sim, random_seed() + i))
				_exit(1);
			while (!hostile_attack(&h))
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
	__u64 state = random_seed();
	enum ref_result result;
	struct vaccel_desc d;
	struct vq_done done;
	int ret;

	for (round = 0; round < hostile_share(DEFAULT_COUNT) / 20; round++) {
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
			TH_LOG("UACCE_SEED=%llu round %lu: %d, %d",
			       (unsigned long long)random_seed(), round,
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
