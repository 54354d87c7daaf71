// SPDX-License-Identifier: GPL-2.0-only
/*
 * A queue of a device with SVA belongs to the address space that opened it.
 * Whoever else gets hold of the descriptor may wait on it and close it, but not
 * aim the device at the owner's memory.
 */
#include "uacce_test.h"

FIXTURE(owner)
{
	struct sim sim;
	int fd;
	struct peer stranger;	/* has the descriptor, not the address space */
	int stranger_fd;
};

FIXTURE_VARIANT(owner)
{
	bool passed;
};

/* A child that inherited the descriptor, and a process that was sent it */
FIXTURE_VARIANT_ADD(owner, forked_child) {};
FIXTURE_VARIANT_ADD(owner, passed_over_a_socket) { .passed = true };

FIXTURE_SETUP(owner)
{
	struct sim_config cfg = {};

	if (!setup_sim(_metadata, &self->sim, "ksft", &cfg))
		return;
	if (variant->passed)
		ASSERT_EQ(0, peer_start(&self->stranger));
	self->fd = q_open(&self->sim);
	ASSERT_GE(self->fd, 0);
	if (variant->passed) {
		self->stranger_fd = peer_give_fd(&self->stranger, self->fd);
		ASSERT_GE(self->stranger_fd, 0);
	} else {
		ASSERT_EQ(0, peer_start(&self->stranger));
		self->stranger_fd = self->fd;
	}
}

FIXTURE_TEARDOWN_PARENT(owner)
{
	teardown_sim(_metadata, &self->sim);
}

static long info_of(long fd, long unused1, long unused2)
{
	struct vaccel_info info;

	return q_info(fd, &info);
}

static long other_ioctl(long fd, long cmd, long unused)
{
	return q_ioctl(fd, cmd, NULL);
}

/* Maps and unmaps */
static long try_mmap(long fd, long region, long size)
{
	void *map;
	int ret = q_mmap(fd, region, size, &map);

	return ret ? ret : munmap(map, size);
}

static long try_mmap_ro(long fd, long region, long size)
{
	void *map;
	int ret = q_mmap_flags(fd, region, size, PROT_READ, MAP_SHARED, &map);

	return ret ? ret : munmap(map, size);
}

TEST_F(owner, stranger_may_not_ioctl)
{
	struct peer *p = &self->stranger;
	int fd = self->stranger_fd;

	EXPECT_EQ(-EPERM, peer_q_start(p, fd));
	EXPECT_EQ(-EPERM, peer_q_put(p, fd));
	EXPECT_EQ(-EPERM, peer_call(p, info_of, fd, 0, 0));
	EXPECT_EQ(-EPERM, peer_call(p, other_ioctl, fd, VACCEL_CMD_KICK, 0));
	EXPECT_EQ(-EPERM, peer_call(p, other_ioctl, fd, _IO('W', 0x7f), 0));
	EXPECT_EQ(0, sim_stat(&self->sim, "starts"));

	/* the owner has not noticed, and still may */
	ASSERT_EQ(0, q_start(self->fd));
	EXPECT_EQ(-EPERM, peer_q_start(p, fd));
	EXPECT_EQ(-EPERM, peer_q_put(p, fd));
	EXPECT_EQ(1, sim_stat(&self->sim, "running"));
	EXPECT_EQ(0, q_put(self->fd));
}

TEST_F(owner, stranger_may_not_mmap)
{
	struct peer *p = &self->stranger;
	int fd = self->stranger_fd;

	EXPECT_EQ(-EPERM, peer_call(p, try_mmap, fd, UACCE_QFRT_MMIO,
				    self->sim.mmio_size));
	EXPECT_EQ(-EPERM, peer_call(p, try_mmap, fd, UACCE_QFRT_DUS,
				    self->sim.dus_size));
	EXPECT_EQ(-EPERM, peer_call(p, try_mmap_ro, fd, UACCE_QFRT_DUS,
				    self->sim.dus_size));

	/* and has not used up the region */
	EXPECT_EQ(0, try_mmap(self->fd, UACCE_QFRT_MMIO, self->sim.mmio_size));
	EXPECT_EQ(0, try_mmap(self->fd, UACCE_QFRT_DUS, self->sim.dus_size));
}

TEST_F(owner, stranger_may_poll)
{
	struct vaccel_desc nop = { .opcode = VACCEL_OP_NOP };
	struct vaccel_queue q;

	ASSERT_EQ(0, vaccel_queue_attach(&q, self->fd));
	EXPECT_EQ(0, peer_q_poll(&self->stranger, self->stranger_fd, 0));
	ASSERT_EQ(0, vaccel_submit(&q, &nop));
	EXPECT_EQ(POLLIN, peer_q_poll(&self->stranger, self->stranger_fd,
				      SIM_TIMEOUT_MS));
}

TEST_F(owner, close_by_the_stranger_changes_nothing)
{
	ASSERT_EQ(0, q_start(self->fd));
	EXPECT_EQ(0, peer_close(&self->stranger, self->stranger_fd));
	EXPECT_EQ(1, sim_stat(&self->sim, "running"));
	EXPECT_EQ(0, q_put(self->fd));
}

TEST_F(owner, close_by_the_stranger_may_be_the_last)
{
	ASSERT_EQ(0, q_start(self->fd));
	ASSERT_EQ(0, close(self->fd));
	EXPECT_EQ(1, sim_stat(&self->sim, "running"));
	EXPECT_EQ(0, peer_close(&self->stranger, self->stranger_fd));
	EXPECT_EQ(0, sim_wait_stat(&self->sim, "puts", 1));
	EXPECT_EQ(1, sim_stat(&self->sim, "stops"));
	EXPECT_EQ(0, sim_wait_stat(&self->sim, "pasids", 0));
}

TEST_F(owner, dead_comes_before_not_allowed)
{
	struct peer *p = &self->stranger;
	int fd = self->stranger_fd;

	ASSERT_EQ(0, sim_kill(&self->sim));
	EXPECT_EQ(-ENXIO, peer_q_start(p, fd));
	EXPECT_EQ(-ENXIO, peer_q_put(p, fd));
	EXPECT_EQ(-ENXIO, peer_call(p, info_of, fd, 0, 0));
	EXPECT_EQ(-ENXIO, peer_call(p, try_mmap, fd, UACCE_QFRT_DUS,
				    self->sim.dus_size));
	EXPECT_EQ(POLL_DEAD, peer_q_poll(p, fd, 0));
	EXPECT_EQ(0, peer_close(p, fd));
}

/* What a stranger opens, even by way of the owner's descriptor, is its own */
static long reopen_and_use(long fd, long unused1, long unused2)
{
	char path[32];
	int fd2, ret;

	snprintf(path, sizeof(path), "/proc/self/fd/%ld", fd);
	fd2 = open(path, O_RDWR | O_CLOEXEC);
	if (fd2 < 0)
		return -errno;
	ret = q_start(fd2);
	if (!ret)
		ret = q_put(fd2);
	close(fd2);
	return ret;
}

TEST_F(owner, stranger_may_open_its_own)
{
	EXPECT_EQ(0, peer_call(&self->stranger, reopen_and_use,
			       self->stranger_fd, 0, 0));
	EXPECT_EQ(2, sim_stat(&self->sim, "binds"));
	EXPECT_EQ(0, q_start(self->fd));
}

FIXTURE(same_mm)
{
	struct sim sim;
	int fd;
};

FIXTURE_SETUP(same_mm)
{
	struct sim_config cfg = {};

	if (!setup_sim(_metadata, &self->sim, "ksft", &cfg))
		return;
	self->fd = q_open(&self->sim);
	EXPECT_GE(self->fd, 0);
}

FIXTURE_TEARDOWN_PARENT(same_mm)
{
	teardown_sim(_metadata, &self->sim);
}

static long use_all(long fd, long sim, long unused)
{
	const struct sim *s = (const struct sim *)sim;
	int ret;

	ret = q_start(fd);
	if (!ret)
		ret = info_of(fd, 0, 0);
	if (!ret)
		ret = try_mmap(fd, UACCE_QFRT_MMIO, s->mmio_size);
	if (!ret)
		ret = try_mmap(fd, UACCE_QFRT_DUS, s->dus_size);
	if (!ret)
		ret = q_poll(fd, 0);
	if (!ret)
		ret = q_put(fd);
	return ret;
}

TEST_F(same_mm, thread_may_use_the_queue)
{
	struct bg thread;

	ASSERT_EQ(0, bg_start(&thread, use_all, self->fd, (long)&self->sim, 0));
	EXPECT_EQ(0, bg_wait(&thread));
}

TEST_F(same_mm, clone_vm_process_may_use_the_queue)
{
	EXPECT_EQ(0, clone_vm_call(use_all, self->fd, (long)&self->sim, 0));
}

FIXTURE(no_sva)
{
	struct sim sim;
	int fd;
};

FIXTURE_SETUP(no_sva)
{
	struct sim_config cfg = { .no_sva = true };

	if (!setup_sim(_metadata, &self->sim, "ksft", &cfg))
		return;
	self->fd = q_open(&self->sim);
	EXPECT_GE(self->fd, 0);
}

FIXTURE_TEARDOWN_PARENT(no_sva)
{
	teardown_sim(_metadata, &self->sim);
}

/* There is no address space to aim it at */
TEST_F(no_sva, queue_without_sva_may_be_shared)
{
	struct peer child;

	ASSERT_EQ(0, peer_start(&child));
	EXPECT_EQ(0, peer_call(&child, use_all, self->fd, (long)&self->sim, 0));
	ASSERT_EQ(0, peer_q_start(&child, self->fd));
	EXPECT_EQ(-EINVAL, q_start(self->fd));
	EXPECT_EQ(0, q_put(self->fd));
}

TEST_F(no_sva, queue_without_sva_outlives_its_opener)
{
	struct peer opener;
	int fd, held;

	ASSERT_EQ(0, peer_start(&opener));
	fd = peer_open(&opener, &self->sim);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, peer_q_start(&opener, fd));
	held = peer_take_fd(&opener, fd);
	ASSERT_GE(held, 0);
	ASSERT_EQ(0, peer_exit(&opener));

	EXPECT_EQ(1, sim_stat(&self->sim, "running"));
	EXPECT_EQ(0, q_poll(held, 0));
	EXPECT_EQ(0, q_put(held));
	EXPECT_EQ(0, use_all(held, (long)&self->sim, 0));
}

TEST_HARNESS_MAIN
