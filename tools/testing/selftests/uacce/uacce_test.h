/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the UACCE test programs have in common: the harness, and fixtures made
 * of instances of the simulated accelerator.
 *
 *	FIXTURE(queue) {
 *		struct sim sim;
 *	};
 *	FIXTURE_VARIANT(queue) {
 *		bool no_sva;
 *	};
 *	FIXTURE_VARIANT_ADD(queue, sva) {};
 *	FIXTURE_VARIANT_ADD(queue, no_sva) { .no_sva = true };
 *
 *	FIXTURE_SETUP(queue)
 *	{
 *		struct sim_config cfg = { .no_sva = variant->no_sva };
 *
 *		setup_sim(_metadata, &self->sim, "ksft", &cfg);
 *	}
 *
 *	FIXTURE_TEARDOWN_PARENT(queue)
 *	{
 *		teardown_sim(_metadata, &self->sim);
 *	}
 *
 *	TEST_F(queue, stop_without_start_does_nothing)
 *	{
 *		int fd = q_open(&self->sim);
 *
 *		ASSERT_GE(fd, 0);
 *		EXPECT_EQ(0, q_put(fd));
 *	}
 *
 *	TEST_HARNESS_MAIN
 *
 * The teardown runs in the parent, when the test and with it all its files are
 * gone, whatever became of the test. It then checks that nothing was left
 * behind: every test is a test for leaks too.
 */
#ifndef SELFTESTS_UACCE_TEST_H
#define SELFTESTS_UACCE_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include <misc/uacce/uacce.h>
#include <misc/uacce/vaccel.h>

#include "kselftest_harness.h"
#include "vaccel-queue.h"

#include "bg.h"
#include "peer.h"
#include "sim.h"

/* Everything is slow in an emulated machine with a debug kernel */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 150

/*
 * For a program that is of use in one lane of "make check" only: "sim" or "vtd". Who
 * plans the other one finds this in it and leaves it out.
 */
#define ONLY_IN_LANE(lane) \
	const char * const only_in_lane = "@only in lane " lane "@"

/*
 * For one that has little to say in the other lane which it has not said in this one.
 * There it runs with FULL=1 only.
 */
#define MOSTLY_IN_LANE(lane) \
	const char * const mostly_in_lane = "@mostly in lane " lane "@"

/*
 * For a program whose threads and processes are to meet wherever they like. Who plans
 * the lane "sim" gives it a machine with several processors; the others make do with
 * one. What is held at a certain point by a test meets there on one as well, and in
 * half the time, as an emulated processor waits long for another one.
 */
#define IN_PARALLEL \
	const char * const in_parallel = "@in parallel@"

static struct __test_metadata *test_of_this_process;

/* SKIP() for functions that do not know the harness */
static inline void skip_test(const char *why)
{
	struct __test_metadata *_metadata = test_of_this_process;

	SKIP(_exit(KSFT_SKIP), "%s", why);
}

/*
 * In a FIXTURE_SETUP: makes a live instance. False if the test is not to go on:
 * it was skipped, or has failed.
 */
static inline bool setup_sim(struct __test_metadata *_metadata, struct sim *sim,
			     const char *name, const struct sim_config *cfg)
{
	const char *why = sim_unavailable();
	int err;

	if (why)
		SKIP(return false, "%s", why);

	test_of_this_process = _metadata;
	sim_skip = skip_test;

	/* orphans of peers shall become children of the test, not of init */
	prctl(PR_SET_CHILD_SUBREAPER, 1);

	err = sim_create(sim, name, cfg);
	if (err == -EBUSY && !cfg->no_sva)
		SKIP(return false, "this machine's IOMMU driver serves all devices");
	if (err == -ENODEV && !sim_is_simulated())
		SKIP(return false, "no such function is plugged in");
	EXPECT_EQ(0, err);
	if (err)
		return false;
	/* There is an instance to take down, even if the setup comes to no end. */
	*_metadata->no_teardown = false;
	return true;
}

/*
 * In a FIXTURE_TEARDOWN_PARENT: checks that the device has nothing left of the
 * test, and removes the instance. Where there are several instances, release
 * the holds of all of them first.
 */
static inline void teardown_sim(struct __test_metadata *_metadata,
				struct sim *sim)
{
	unsigned int i;

	/* it was not made, or not any more */
	if (!sim->name[0])
		return;
	sim_release_all(sim);

	/*
	 * What the test has left running ends when it sees that the test has.
	 * If not, it is a failed test that left it, and it is helped along.
	 */
	if (sim_poll_stat(sim, "queues", 0, 2000))
		EXPECT_EQ(0, reap_group());

	EXPECT_EQ(0, sim_wait_stat(sim, "queues", 0));
	EXPECT_EQ(0, sim_wait_stat(sim, "pasids", 0));
	EXPECT_EQ(0, sim_wait_no_bonds(sim));
	if (sim_has(sim, "stats/ops_running"))
		EXPECT_EQ(0, sim_wait_stat(sim, "ops_running", 0));
	EXPECT_EQ(0, sim_stat(sim, "running"));
	EXPECT_EQ(sim_stat(sim, "binds"), sim_stat(sim, "unbinds"));
	EXPECT_EQ(sim_stat(sim, "gets"), sim_stat(sim, "puts"));
	EXPECT_EQ(sim_stat(sim, "starts"), sim_stat(sim, "stops"));
	for (i = 0; sim_never(i); i++)
		EXPECT_EQ(0, sim_stat(sim, sim_never(i)));

	EXPECT_EQ(0, sim_destroy(sim));
}

#endif
