// SPDX-License-Identifier: GPL-2.0-only
/*
 * What drivers do that nobody expects. One need not have any op, and a device need
 * not have any region: what the core does then is the same for all of them. Another
 * returns a number where it should return 0.
 */
#include <sys/stat.h>

#include "uacce_test.h"

ONLY_IN_LANE("sim");

FIXTURE(bare)
{
	struct sim sim;
	int fd;
};

FIXTURE_VARIANT(bare)
{
	bool no_sva;
};

FIXTURE_VARIANT_ADD(bare, sva) {};
FIXTURE_VARIANT_ADD(bare, no_sva) { .no_sva = true };

FIXTURE_SETUP(bare)
{
	struct sim_config cfg = { .no_sva = variant->no_sva };

	if (!setup_sim(_metadata, &self->sim, "ksft", &cfg))
		return;
	ASSERT_EQ(0, sim_kill(&self->sim));
	ASSERT_EQ(0, sim_set(&self->sim, "bare", 1));
	ASSERT_EQ(0, sim_go_live(&self->sim));
	self->fd = q_open(&self->sim);
	ASSERT_GE(self->fd, 0);
}

FIXTURE_TEARDOWN_PARENT(bare)
{
	teardown_sim(_metadata, &self->sim);
}

TEST_F(bare, queue_can_be_started_and_put)
{
	EXPECT_EQ(0, q_put(self->fd));
	EXPECT_EQ(0, q_start(self->fd));
	EXPECT_EQ(-EINVAL, q_start(self->fd));
	EXPECT_EQ(0, q_put(self->fd));
	EXPECT_EQ(0, q_start(self->fd));
	EXPECT_EQ(variant->no_sva ? 0 : 1, sim_stat(&self->sim, "binds"));
}

TEST_F(bare, ioctl_that_nobody_knows_is_ENOTTY)
{
	EXPECT_EQ(-ENOTTY, q_ioctl(self->fd, VACCEL_CMD_KICK, NULL));
	EXPECT_EQ(-ENOTTY, q_ioctl(self->fd, _IO('W', 0x7f), NULL));
	ASSERT_EQ(0, q_start(self->fd));
	EXPECT_EQ(-ENOTTY, q_ioctl(self->fd, _IO('W', 0x7f), NULL));
}

TEST_F(bare, poll_has_nothing_to_report)
{
	EXPECT_EQ(0, q_poll(self->fd, 0));
	ASSERT_EQ(0, q_start(self->fd));
	EXPECT_EQ(0, q_poll(self->fd, 0));
}

TEST_F(bare, region_that_is_not_there_is_EINVAL)
{
	void *p;

	EXPECT_EQ(-EINVAL, q_mmap(self->fd, UACCE_QFRT_MMIO, getpagesize(), &p));
	EXPECT_EQ(-EINVAL, q_mmap(self->fd, UACCE_QFRT_DUS, getpagesize(), &p));
}

/* User libraries do without a device that has no file with the size */
TEST_F(bare, size_of_a_region_that_is_not_there_is_0)
{
	EXPECT_EQ(0, sim_sysfs_long(&self->sim, "region_mmio_size"));
	EXPECT_EQ(0, sim_sysfs_long(&self->sim, "region_dus_size"));
}

TEST_F(bare, sysfs_has_what_the_driver_can_answer)
{
	char text[64], path[160];
	struct stat st;

	EXPECT_EQ(-ENODEV, sim_sysfs(&self->sim, "available_instances", text,
				     sizeof(text)));
	snprintf(path, sizeof(path), "/sys/class/uacce/%s/isolate",
		 self->sim.dev);
	EXPECT_EQ(-1, stat(path, &st));
	snprintf(path, sizeof(path), "/sys/class/uacce/%s/isolate_strategy",
		 self->sim.dev);
	EXPECT_EQ(-1, stat(path, &st));
}

TEST_F(bare, removal_leaves_a_dead_queue)
{
	struct bg poller;

	ASSERT_EQ(0, q_start(self->fd));
	ASSERT_EQ(0, bg_q_poll(&poller, self->fd, -1));
	ASSERT_EQ(0, bg_wait_asleep(&poller));
	ASSERT_EQ(0, sim_kill(&self->sim));
	EXPECT_EQ(POLL_DEAD, bg_wait(&poller));
	EXPECT_EQ(0, q_not_dead(self->fd));
}

FIXTURE(positive)
{
	struct sim sim;
};

FIXTURE_VARIANT(positive)
{
	bool no_sva;
};

FIXTURE_VARIANT_ADD(positive, sva) {};
FIXTURE_VARIANT_ADD(positive, no_sva) { .no_sva = true };

FIXTURE_SETUP(positive)
{
	struct sim_config cfg = { .no_sva = variant->no_sva };

	if (!setup_sim(_metadata, &self->sim, "ksft", &cfg))
		return;
	ASSERT_EQ(0, sim_set(&self->sim, "inject/positive", 1));
}

FIXTURE_TEARDOWN_PARENT(positive)
{
	teardown_sim(_metadata, &self->sim);
}

TEST_F(positive, number_that_an_op_returns_is_success)
{
	int fd = q_open(&self->sim);
	long positive;
	void *p;

	ASSERT_EQ(0, sim_get(&self->sim, "inject/positive", &positive));
	EXPECT_EQ(1, positive);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, q_mmap(fd, UACCE_QFRT_DUS, self->sim.dus_size, &p));
	EXPECT_EQ(0, touch(p));
	EXPECT_EQ(0, q_start(fd));
	/* started it is, so it can be stopped, and not started twice */
	EXPECT_EQ(-EINVAL, q_start(fd));
	EXPECT_EQ(0, q_put(fd));
	EXPECT_EQ(1, sim_stat(&self->sim, "stops"));
	/* mapped it is as well */
	EXPECT_EQ(-EEXIST, q_mmap(fd, UACCE_QFRT_DUS, self->sim.dus_size, &p));
}

TEST_HARNESS_MAIN
