// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues do not wait for each other: while the driver takes its time on one,
 * everything can be done to the others.
 */
#include <sys/epoll.h>

#include "uacce_test.h"

MOSTLY_IN_LANE("sim");
IN_PARALLEL;

#define CROWD	8

/* All that can be done to a queue, from open to close: 0, or where it failed */
static long whole_life(long sim, long unused1, long unused2)
{
	const struct sim *s = (const struct sim *)sim;
	struct vaccel_info info;
	void *mmio, *dus;
	int fd;

	fd = q_open(s);
	if (fd < 0)
		return 1;
	if (q_mmap(fd, UACCE_QFRT_MMIO, s->mmio_size, &mmio) ||
	    q_mmap(fd, UACCE_QFRT_DUS, s->dus_size, &dus))
		return 2;
	if (q_start(fd))
		return 3;
	if (q_info(fd, &info))
		return 4;
	if (q_ioctl(fd, VACCEL_CMD_KICK, NULL))
		return 5;
	if (q_poll(fd, 0))
		return 6;
	if (touch(mmio) || touch(dus))
		return 7;
	if (q_put(fd))
		return 8;
	if (munmap(mmio, s->mmio_size) || munmap(dus, s->dus_size))
		return 9;
	return close(fd) ? 10 : 0;
}

/* One op of one queue. Those that need a started queue get one. */
static long op_start(long fd, long unused1, long unused2)
{
	return q_start(fd);
}

static long op_stop(long fd, long unused1, long unused2)
{
	return q_put(fd);
}

static long op_ioctl(long fd, long unused1, long unused2)
{
	struct vaccel_info info;

	return q_info(fd, &info);
}

static long op_mmap(long fd, long sim, long unused)
{
	void *p;

	return q_mmap(fd, UACCE_QFRT_DUS, ((const struct sim *)sim)->dus_size,
		      &p);
}

static long op_open(long fd, long sim, long unused)
{
	return q_open((const struct sim *)sim) < 0;
}

static long op_close(long fd, long unused1, long unused2)
{
	return close(fd) ? -errno : 0;
}

FIXTURE(held)
{
	struct sim sim;
	struct bg call;
	int fd;
};

FIXTURE_VARIANT(held)
{
	bool no_sva;
	bool started;
	const char *point;
	bg_fn op;
};

FIXTURE_VARIANT_ADD(held, start) { .point = "start", .op = op_start };
FIXTURE_VARIANT_ADD(held, stop)
{
	.point = "stop", .op = op_stop, .started = true,
};

FIXTURE_VARIANT_ADD(held, ioctl) { .point = "ioctl", .op = op_ioctl };
FIXTURE_VARIANT_ADD(held, open) { .point = "get_queue", .op = op_open };
FIXTURE_VARIANT_ADD(held, close) { .point = "put_queue", .op = op_close };
FIXTURE_VARIANT_ADD(held, close_of_a_started_queue)
{
	.point = "stop", .op = op_close, .started = true,
};

FIXTURE_VARIANT_ADD(held, start_no_sva)
{
	.no_sva = true, .point = "start", .op = op_start,
};

FIXTURE_VARIANT_ADD(held, ioctl_no_sva)
{
	.no_sva = true, .point = "ioctl", .op = op_ioctl,
};

FIXTURE_VARIANT_ADD(held, close_no_sva)
{
	.no_sva = true, .point = "put_queue", .op = op_close,
};

FIXTURE_SETUP(held)
{
	struct sim_config cfg = { .no_sva = variant->no_sva };

	if (!setup_sim(_metadata, &self->sim, "ksft", &cfg))
		return;
	self->fd = q_open(&self->sim);
	ASSERT_GE(self->fd, 0);
	if (variant->started)
		ASSERT_EQ(0, q_start(self->fd));
	ASSERT_EQ(0, sim_hold(&self->sim, variant->point, 1));
	ASSERT_EQ(0, bg_start(&self->call, variant->op, self->fd,
			      (long)&self->sim, 0));
	ASSERT_EQ(0, sim_wait_held(&self->sim, variant->point, 1));
}

FIXTURE_TEARDOWN_PARENT(held)
{
	teardown_sim(_metadata, &self->sim);
}

TEST_F(held, op_delays_no_other_queue)
{
	struct peer peer;
	struct bg life;

	/* of the same process, of another one */
	ASSERT_EQ(0, bg_start(&life, whole_life, (long)&self->sim, 0, 0));
	EXPECT_EQ(0, bg_wait(&life));
	ASSERT_EQ(0, peer_start(&peer));
	EXPECT_EQ(0, peer_call(&peer, whole_life, (long)&self->sim, 0, 0));
	/* nor whoever asks for free queues */
	EXPECT_GT(sim_sysfs_long(&self->sim, "available_instances"), 0);

	EXPECT_FALSE(bg_done(&self->call));
	ASSERT_EQ(0, sim_release(&self->sim, variant->point));
	EXPECT_EQ(0, bg_wait(&self->call));
}

/* An op and what is done to the same queue meanwhile */
FIXTURE(same_queue)
{
	struct sim sim;
	struct bg call;
	int fd;
};

FIXTURE_VARIANT(same_queue)
{
	bool started;
	const char *point;
	bg_fn op;
};

FIXTURE_VARIANT_ADD(same_queue, start) { .point = "start", .op = op_start };
FIXTURE_VARIANT_ADD(same_queue, stop)
{
	.point = "stop", .op = op_stop, .started = true,
};

FIXTURE_VARIANT_ADD(same_queue, ioctl) { .point = "ioctl", .op = op_ioctl };

FIXTURE_SETUP(same_queue)
{
	struct sim_config cfg = {};

	if (!setup_sim(_metadata, &self->sim, "ksft", &cfg))
		return;
	self->fd = q_open(&self->sim);
	ASSERT_GE(self->fd, 0);
	if (variant->started)
		ASSERT_EQ(0, q_start(self->fd));
	ASSERT_EQ(0, sim_hold(&self->sim, variant->point, 1));
	ASSERT_EQ(0, bg_start(&self->call, variant->op, self->fd,
			      (long)&self->sim, 0));
	ASSERT_EQ(0, sim_wait_held(&self->sim, variant->point, 1));
}

FIXTURE_TEARDOWN_PARENT(same_queue)
{
	teardown_sim(_metadata, &self->sim);
}

static long epoll_once(long fd, long unused1, long unused2)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int ep, ret;

	ep = epoll_create1(EPOLL_CLOEXEC);
	if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev))
		return -errno;
	ret = epoll_wait(ep, &ev, 1, 0);
	close(ep);
	return ret;
}

TEST_F(same_queue, poll_and_mmap_do_not_wait_for_the_op)
{
	struct bg poller, epoller, mapper;

	ASSERT_EQ(0, bg_q_poll(&poller, self->fd, 0));
	EXPECT_EQ(0, bg_wait(&poller));
	ASSERT_EQ(0, bg_start(&epoller, epoll_once, self->fd, 0, 0));
	EXPECT_EQ(0, bg_wait(&epoller));
	ASSERT_EQ(0, bg_start(&mapper, op_mmap, self->fd, (long)&self->sim, 0));
	EXPECT_EQ(0, bg_wait(&mapper));

	EXPECT_FALSE(bg_done(&self->call));
	ASSERT_EQ(0, sim_release(&self->sim, variant->point));
	EXPECT_EQ(0, bg_wait(&self->call));
}

TEST_F(same_queue, ioctl_waits_for_the_op)
{
	struct bg second;

	ASSERT_EQ(0, bg_start(&second, op_ioctl, self->fd, 0, 0));
	ASSERT_EQ(0, bg_wait_asleep(&second));
	EXPECT_FALSE(bg_done(&second));
	EXPECT_EQ(1, sim_stat(&self->sim, "ops_running"));
	ASSERT_EQ(0, sim_release(&self->sim, variant->point));
	EXPECT_EQ(0, bg_wait(&self->call));
	EXPECT_EQ(0, bg_wait(&second));
}

/* A crowd of queues, one op on each, all inside the driver at once */
FIXTURE(crowd)
{
	struct sim sim;
};

FIXTURE_VARIANT(crowd)
{
	bool no_sva;
	bool started;
	const char *point;
	bg_fn op;
};

FIXTURE_VARIANT_ADD(crowd, open) { .point = "get_queue", .op = op_open };
FIXTURE_VARIANT_ADD(crowd, start) { .point = "start", .op = op_start };
FIXTURE_VARIANT_ADD(crowd, stop)
{
	.point = "stop", .op = op_stop, .started = true,
};

FIXTURE_VARIANT_ADD(crowd, ioctl) { .point = "ioctl", .op = op_ioctl };
FIXTURE_VARIANT_ADD(crowd, close) { .point = "put_queue", .op = op_close };
FIXTURE_VARIANT_ADD(crowd, open_no_sva)
{
	.no_sva = true, .point = "get_queue", .op = op_open,
};

FIXTURE_VARIANT_ADD(crowd, close_no_sva)
{
	.no_sva = true, .point = "put_queue", .op = op_close,
};

FIXTURE_SETUP(crowd)
{
	struct sim_config cfg = { .no_sva = variant->no_sva };

	setup_sim(_metadata, &self->sim, "ksft", &cfg);
}

FIXTURE_TEARDOWN_PARENT(crowd)
{
	teardown_sim(_metadata, &self->sim);
}

TEST_F(crowd, ops_of_different_queues_run_at_once)
{
	struct bg call[CROWD];
	int fd[CROWD];
	int i;

	for (i = 0; i < CROWD; i++) {
		fd[i] = q_open(&self->sim);
		ASSERT_GE(fd[i], 0);
		if (variant->started)
			ASSERT_EQ(0, q_start(fd[i]));
	}
	ASSERT_EQ(0, sim_hold(&self->sim, variant->point, -1));
	for (i = 0; i < CROWD; i++) {
		ASSERT_EQ(0, bg_start(&call[i], variant->op, fd[i],
				      (long)&self->sim, 0));
	}
	EXPECT_EQ(0, sim_wait_held(&self->sim, variant->point, CROWD));
	ASSERT_EQ(0, sim_release(&self->sim, variant->point));
	for (i = 0; i < CROWD; i++)
		EXPECT_EQ(0, bg_wait(&call[i]));
}

FIXTURE(processes)
{
	struct sim sim;
	struct peer peer[2];
	int fd[2];
};

FIXTURE_VARIANT(processes)
{
	bool no_sva;
};

FIXTURE_VARIANT_ADD(processes, sva) {};
FIXTURE_VARIANT_ADD(processes, no_sva) { .no_sva = true };

FIXTURE_SETUP(processes)
{
	struct sim_config cfg = { .no_sva = variant->no_sva };
	int i;

	if (!setup_sim(_metadata, &self->sim, "ksft", &cfg))
		return;
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, peer_start(&self->peer[i]));
		self->fd[i] = peer_open(&self->peer[i], &self->sim);
		ASSERT_GE(self->fd[i], 0);
	}
}

FIXTURE_TEARDOWN_PARENT(processes)
{
	teardown_sim(_metadata, &self->sim);
}

/* Within one process they wait for each other in mmap() itself */
TEST_F(processes, mmaps_run_at_once)
{
	int i;

	ASSERT_EQ(0, sim_hold(&self->sim, "mmap", 2));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, peer_send(&self->peer[i], op_mmap, self->fd[i],
				       (long)&self->sim, 0));
	}
	EXPECT_EQ(0, sim_wait_held(&self->sim, "mmap", 2));
	EXPECT_EQ(0, whole_life((long)&self->sim, 0, 0));
	ASSERT_EQ(0, sim_release(&self->sim, "mmap"));
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, peer_recv(&self->peer[i]));
}

TEST_F(processes, poll_does_not_wait_for_mmap)
{
	int held = peer_take_fd(&self->peer[0], self->fd[0]);
	struct bg poller;

	ASSERT_GE(held, 0);
	ASSERT_EQ(0, sim_hold(&self->sim, "mmap", 1));
	ASSERT_EQ(0, peer_send(&self->peer[0], op_mmap, self->fd[0],
			       (long)&self->sim, 0));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "mmap", 1));
	ASSERT_EQ(0, bg_q_poll(&poller, held, 0));
	EXPECT_EQ(0, bg_wait(&poller));
	ASSERT_EQ(0, sim_release(&self->sim, "mmap"));
	EXPECT_EQ(0, peer_recv(&self->peer[0]));
}

/*
 * An exit that is held while it stops a queue: other address spaces go on,
 * and may come and go on the device.
 */
TEST_F(processes, exit_that_is_held_delays_no_other_queue)
{
	struct bg life;

	/* without SVA the exit closes the queue, which stops it as well */
	ASSERT_EQ(0, peer_q_start(&self->peer[0], self->fd[0]));
	ASSERT_EQ(0, sim_hold(&self->sim, "stop", 1));
	ASSERT_EQ(0, peer_begin_exit(&self->peer[0]));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "stop", 1));

	EXPECT_EQ(0, peer_call(&self->peer[1], whole_life, (long)&self->sim, 0,
			       0));
	ASSERT_EQ(0, bg_start(&life, whole_life, (long)&self->sim, 0, 0));
	EXPECT_EQ(0, bg_wait(&life));
	EXPECT_EQ(0, peer_close(&self->peer[1], self->fd[1]));

	ASSERT_EQ(0, sim_release(&self->sim, "stop"));
	EXPECT_EQ(0, peer_wait(&self->peer[0]));
}

FIXTURE(binding)
{
	struct sim sim;
};

FIXTURE_SETUP(binding)
{
	struct sim_config cfg = {};

	setup_sim(_metadata, &self->sim, "ksft", &cfg);
}

FIXTURE_TEARDOWN_PARENT(binding)
{
	teardown_sim(_metadata, &self->sim);
}

/* Whoever is bound already has nothing to wait for */
TEST_F(binding, bind_that_is_held_delays_no_bond_that_is_there)
{
	struct peer peer;
	struct bg life;

	ASSERT_GE(q_open(&self->sim), 0);
	ASSERT_EQ(0, peer_start(&peer));
	ASSERT_EQ(0, sim_hold(&self->sim, "bind", 1));
	ASSERT_EQ(0, peer_send(&peer, op_open, 0, (long)&self->sim, 0));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "bind", 1));

	ASSERT_EQ(0, bg_start(&life, whole_life, (long)&self->sim, 0, 0));
	EXPECT_EQ(0, bg_wait(&life));
	EXPECT_FALSE(peer_answered(&peer));
	ASSERT_EQ(0, sim_release(&self->sim, "bind"));
	EXPECT_EQ(0, peer_recv(&peer));
}

TEST_HARNESS_MAIN
