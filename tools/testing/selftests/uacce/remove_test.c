// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device may go at any time. When its removal returns, nothing of the driver
 * runs any more and nothing of the device can be touched; the files stay open
 * and say so.
 */
#include <linux/userfaultfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "uacce_test.h"
#include "kmsg.h"
#include "late.h"

IN_PARALLEL;

FIXTURE(remove)
{
	struct sim sim;
	struct vaccel_queue q;
	char parent[64];
};

FIXTURE_VARIANT(remove)
{
	bool no_sva;
	int (*remove)(const struct sim *sim, const char *parent);
};

static int by_live(const struct sim *sim, const char *parent)
{
	return sim_kill(sim);
}

static int by_rmdir(const struct sim *sim, const char *parent)
{
	return sim_rmdir(sim);
}

static int by_unbind(const struct sim *sim, const char *parent)
{
	return sim_driver_write("unbind", parent);
}

FIXTURE_VARIANT_ADD(remove, live) { .remove = by_live };
FIXTURE_VARIANT_ADD(remove, unbind) { .remove = by_unbind };
FIXTURE_VARIANT_ADD(remove, rmdir_no_sva)
{
	.no_sva = true, .remove = by_rmdir,
};

FIXTURE_SETUP(remove)
{
	struct sim_config cfg = { .no_sva = variant->no_sva };

	if (!setup_sim(_metadata, &self->sim, "ksft", &cfg))
		return;
	ASSERT_GT(sim_gets(&self->sim, "parent", self->parent,
			   sizeof(self->parent)), 0);
	ASSERT_EQ(0, vaccel_queue_open(&self->q, self->sim.node));
}

FIXTURE_TEARDOWN_PARENT(remove)
{
	struct sim_config cfg = { .no_sva = variant->no_sva };

	/* for the checks, if the test has removed the instance itself */
	EXPECT_EQ(0, reap_group());
	if (variant->remove == by_rmdir)
		sim_create_idle(&self->sim, "ksft", &cfg);
	teardown_sim(_metadata, &self->sim);
}

TEST_F(remove, leaves_the_device_clean_and_the_files_safe)
{
	int idle = q_open(&self->sim);

	ASSERT_GE(idle, 0);
	ASSERT_EQ(0, variant->remove(&self->sim, self->parent));
	if (variant->remove != by_rmdir)
		EXPECT_EQ(0, sim_not_clean(&self->sim));
	EXPECT_EQ(0, q_not_dead(self->q.fd));
	EXPECT_EQ(0, q_not_dead(idle));
	EXPECT_EQ(0, munmap(self->q.dus, self->q.dus_size));
	EXPECT_EQ(0, q_not_dead(self->q.fd));
	EXPECT_EQ(0, close(self->q.fd));
	EXPECT_EQ(0, close(idle));
}

TEST_F(remove, wakes_a_sleeping_poll)
{
	struct bg poller;

	ASSERT_EQ(0, bg_q_poll(&poller, self->q.fd, -1));
	ASSERT_EQ(0, bg_wait_asleep(&poller));
	EXPECT_FALSE(bg_done(&poller));
	ASSERT_EQ(0, variant->remove(&self->sim, self->parent));
	EXPECT_EQ(POLL_DEAD, bg_wait(&poller));
}

static long read_until_sigbus(long p, long unused1, long unused2)
{
	return wait_sigbus((const void *)p);
}

TEST_F(remove, mappings_in_use_raise_sigbus)
{
	struct bg reader[2];
	size_t off;

	ASSERT_EQ(0, touch(self->q.mmio));
	ASSERT_EQ(0, touch(self->q.dus));
	ASSERT_EQ(0, bg_start(&reader[0], read_until_sigbus,
			      (long)self->q.mmio, 0, 0));
	ASSERT_EQ(0, bg_start(&reader[1], read_until_sigbus,
			      (long)self->q.dus, 0, 0));
	ASSERT_EQ(0, variant->remove(&self->sim, self->parent));

	/* at once, with nothing left behind */
	EXPECT_EQ(-EFAULT, touch(self->q.mmio));
	for (off = 0; off < self->q.dus_size; off += getpagesize())
		EXPECT_EQ(-EFAULT, touch(self->q.dus + off));
	EXPECT_EQ(0, bg_wait(&reader[0]));
	EXPECT_EQ(0, bg_wait(&reader[1]));
}

TEST_F(remove, new_open_fails)
{
	char stale[] = "/dev/uacce_ksft_stale";
	struct stat st;

	ASSERT_EQ(0, stat(self->sim.node, &st));
	ASSERT_EQ(0, variant->remove(&self->sim, self->parent));
	EXPECT_EQ(-ENOENT, q_open(&self->sim));

	/* nor does it help to know the number */
	unlink(stale);
	ASSERT_EQ(0, mknod(stale, S_IFCHR | 0600, st.st_rdev));
	EXPECT_EQ(-1, open(stale, O_RDWR));
	EXPECT_TRUE(errno == ENXIO || errno == ENODEV);
	unlink(stale);
}

TEST_F(remove, of_an_idle_device)
{
	vaccel_queue_close(&self->q);
	EXPECT_EQ(0, variant->remove(&self->sim, self->parent));
}

TEST_F(remove, with_work_in_flight)
{
	struct vaccel_desc nop = { .opcode = VACCEL_OP_NOP };

	ASSERT_EQ(0, sim_hold(&self->sim, "engine", -1));
	ASSERT_EQ(0, vaccel_submit(&self->q, &nop));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "engine", 1));
	EXPECT_EQ(0, variant->remove(&self->sim, self->parent));
	EXPECT_EQ(0, q_not_dead(self->q.fd));
}

/* Two nodes of one device: mappings through both must go */
TEST_F(remove, zaps_what_was_mapped_through_another_node)
{
	char node[] = "/dev/uacce_ksft_alias";
	struct vaccel_queue q2, q3;
	struct stat st;

	ASSERT_EQ(0, stat(self->sim.node, &st));
	unlink(node);
	ASSERT_EQ(0, mknod(node, S_IFCHR | 0600, st.st_rdev));
	ASSERT_EQ(0, vaccel_queue_open(&q2, node));
	unlink(node);
	ASSERT_EQ(0, vaccel_queue_open(&q3, self->sim.node));
	ASSERT_EQ(0, variant->remove(&self->sim, self->parent));
	EXPECT_EQ(-EFAULT, touch(self->q.dus));
	EXPECT_EQ(-EFAULT, touch(q2.dus));
	EXPECT_EQ(-EFAULT, touch(q2.mmio));
	EXPECT_EQ(-EFAULT, touch(q3.dus));
}

/*
 * What happens while the removal is under way. Always by live=0: how it was
 * begun makes no difference here.
 */
FIXTURE(removing)
{
	struct sim sim;
	struct vaccel_queue q;
};

FIXTURE_VARIANT(removing)
{
	bool no_sva;
};

FIXTURE_VARIANT_ADD(removing, sva) {};
FIXTURE_VARIANT_ADD(removing, no_sva) { .no_sva = true };

FIXTURE_SETUP(removing)
{
	struct sim_config cfg = { .no_sva = variant->no_sva };

	if (!setup_sim(_metadata, &self->sim, "ksft", &cfg))
		return;
	ASSERT_EQ(0, vaccel_queue_open(&self->q, self->sim.node));
}

FIXTURE_TEARDOWN_PARENT(removing)
{
	teardown_sim(_metadata, &self->sim);
}

/* Drivers free the memory of regions in put_queue() */
TEST_F(removing, every_mapping_is_zapped_before_the_first_put)
{
	struct vaccel_queue q2;
	struct bg remover;

	ASSERT_EQ(0, vaccel_queue_open(&q2, self->sim.node));
	ASSERT_EQ(0, sim_hold(&self->sim, "put_queue", 1));
	ASSERT_EQ(0, bg_sim_kill(&remover, &self->sim));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "put_queue", 1));

	EXPECT_EQ(2, sim_stat(&self->sim, "stops"));
	EXPECT_EQ(0, sim_stat(&self->sim, "puts"));
	EXPECT_EQ(-EFAULT, touch(self->q.mmio));
	EXPECT_EQ(-EFAULT, touch(self->q.dus));
	EXPECT_EQ(-EFAULT, touch(q2.mmio));
	EXPECT_EQ(-EFAULT, touch(q2.dus));
	EXPECT_EQ(0, q_not_dead(self->q.fd));
	EXPECT_EQ(0, q_not_dead(q2.fd));
	EXPECT_FALSE(bg_done(&remover));

	ASSERT_EQ(0, sim_release(&self->sim, "put_queue"));
	EXPECT_EQ(0, bg_wait(&remover));
	EXPECT_EQ(0, sim_not_clean(&self->sim));
}

TEST_F(removing, waits_for_a_close_that_is_in_the_driver)
{
	struct bg closer, remover;
	int fd = q_open(&self->sim);

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, sim_hold(&self->sim, "put_queue", 1));
	ASSERT_EQ(0, bg_close(&closer, fd));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "put_queue", 1));
	ASSERT_EQ(0, bg_sim_kill(&remover, &self->sim));
	/* the other queue does not wait with it */
	EXPECT_EQ(0, sim_wait_stat(&self->sim, "stops", 1));
	EXPECT_EQ(0, wait_sigbus(self->q.dus));
	EXPECT_EQ(0, sim_wait_stat(&self->sim, "puts", 1));
	/* nothing else is left to do that would take this long */
	usleep(300000);
	EXPECT_FALSE(bg_done(&remover));

	ASSERT_EQ(0, sim_release(&self->sim, "put_queue"));
	EXPECT_EQ(0, bg_wait(&remover));
	EXPECT_EQ(0, sim_not_clean(&self->sim));
	EXPECT_EQ(2, sim_stat(&self->sim, "puts"));
	EXPECT_EQ(0, bg_wait(&closer));
}

TEST_F(removing, after_the_owner_has_died)
{
	struct peer owner;
	int fd, held;

	ASSERT_EQ(0, peer_start(&owner));
	fd = peer_open(&owner, &self->sim);
	ASSERT_GE(fd, 0);
	held = peer_take_fd(&owner, fd);
	ASSERT_GE(held, 0);
	ASSERT_EQ(0, peer_exit(&owner));
	EXPECT_EQ(0, sim_kill(&self->sim));
	EXPECT_EQ(0, sim_not_clean(&self->sim));
	EXPECT_EQ(0, q_not_dead(held));
}

TEST_F(removing, owner_may_die_afterwards)
{
	struct peer owner;
	int fd, held;

	ASSERT_EQ(0, peer_start(&owner));
	fd = peer_open(&owner, &self->sim);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, peer_q_start(&owner, fd));
	held = peer_take_fd(&owner, fd);
	ASSERT_GE(held, 0);
	EXPECT_EQ(0, sim_kill(&self->sim));
	EXPECT_EQ(0, sim_not_clean(&self->sim));
	ASSERT_EQ(0, peer_exit(&owner));
	EXPECT_EQ(0, q_not_dead(held));
	EXPECT_EQ(2, sim_stat(&self->sim, "stops"));
}

TEST_F(removing, device_can_be_made_again_while_old_files_are_open)
{
	struct vaccel_desc nop = { .opcode = VACCEL_OP_NOP };
	struct vaccel_queue fresh;
	struct vaccel_cqe cqe;
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, sim_kill(&self->sim));
		ASSERT_EQ(0, sim_go_live(&self->sim));

		ASSERT_EQ(0, vaccel_queue_open(&fresh, self->sim.node));
		EXPECT_EQ(1, sim_stat(&self->sim, "gets"));

		/* the old file never reaches the new device */
		EXPECT_EQ(0, q_not_dead(self->q.fd));
		EXPECT_EQ(1, sim_stat(&self->sim, "starts"));
		EXPECT_EQ(0, sim_stat(&self->sim, "stops"));
		EXPECT_EQ(-EFAULT, touch(self->q.dus));
		vaccel_queue_close(&self->q);
		EXPECT_EQ(0, sim_stat(&self->sim, "puts"));
		EXPECT_EQ(1, sim_stat(&self->sim, "queues"));

		EXPECT_EQ(0, vaccel_run(&fresh, &nop, &cqe));
		self->q = fresh;
	}
}

TEST_F(removing, driver_can_be_bound_again_while_old_files_are_open)
{
	char parent[64], dev[64];

	ASSERT_GT(sim_gets(&self->sim, "parent", parent, sizeof(parent)), 0);
	ASSERT_EQ(0, sim_driver_write("unbind", parent));
	EXPECT_EQ(0, sim_gets(&self->sim, "dev_name", dev, sizeof(dev)));
	ASSERT_EQ(0, sim_driver_write("bind", parent));
	ASSERT_GT(sim_gets(&self->sim, "dev_name", self->sim.dev,
			   sizeof(self->sim.dev)), 0);
	snprintf(self->sim.node, sizeof(self->sim.node), "/dev/%s",
		 self->sim.dev);
	EXPECT_EQ(0, q_not_dead(self->q.fd));
	EXPECT_GE(q_open(&self->sim), 0);
	EXPECT_EQ(1, sim_stat(&self->sim, "queues"));
}

/* Whatever an open file's inode may be, it is not another device's */
static int reopen(int fd)
{
	char path[32];
	int fd2;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fd2 = open(path, O_RDWR | O_CLOEXEC);
	return fd2 < 0 ? -errno : fd2;
}

TEST_F(removing, old_inode_opens_neither_the_old_device_nor_a_new_one)
{
	char old[64];
	int ret;

	memcpy(old, self->sim.dev, sizeof(old));
	ASSERT_EQ(0, sim_kill(&self->sim));
	ret = reopen(self->q.fd);
	EXPECT_TRUE(ret == -ENODEV || ret == -ENXIO);

	ASSERT_EQ(0, sim_go_live(&self->sim));
	ASSERT_STREQ(old, self->sim.dev);
	ret = reopen(self->q.fd);
	EXPECT_TRUE(ret == -ENODEV || ret == -ENXIO);
	EXPECT_EQ(0, sim_stat(&self->sim, "gets"));
}

TEST_F(removing, ioctl_that_waits_for_another_is_not_begun)
{
	struct vaccel_info info, info2;
	struct bg first, second, remover;

	ASSERT_EQ(0, sim_hold(&self->sim, "ioctl", 1));
	ASSERT_EQ(0, bg_q_ioctl(&first, self->q.fd, VACCEL_CMD_INFO, &info));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "ioctl", 1));
	ASSERT_EQ(0, bg_q_ioctl(&second, self->q.fd, VACCEL_CMD_INFO, &info2));
	ASSERT_EQ(0, bg_wait_asleep(&second));
	ASSERT_EQ(0, bg_sim_kill(&remover, &self->sim));
	EXPECT_EQ(0, wait_sigbus(self->q.dus));

	ASSERT_EQ(0, sim_release(&self->sim, "ioctl"));
	EXPECT_EQ(0, bg_wait(&first));
	EXPECT_EQ(-ENXIO, bg_wait(&second));
	EXPECT_EQ(0, bg_wait(&remover));
}

/*
 * An op is held inside the driver on one queue, in another process. The removal
 * waits for it, but first does everything else: the queues of the test and the
 * other queue of the same process are stopped and their mappings are gone.
 */
FIXTURE(busy)
{
	struct sim sim;
	struct peer peer;
	struct vaccel_queue q;
};

static struct vaccel_queue peer_queue;

/* The op, on a queue of its own; that queue is closed if the op went well */
static long op_start(long sim, long unused1, long unused2)
{
	return q_start(q_open((const struct sim *)sim));
}

static long op_stop(long sim, long unused1, long unused2)
{
	int fd = q_open((const struct sim *)sim);
	int ret = q_start(fd);

	return ret ? ret : q_put(fd);
}

static long op_ioctl(long sim, long unused1, long unused2)
{
	struct vaccel_info info;

	return q_info(q_open((const struct sim *)sim), &info);
}

/* Either it is too late for the removal, or what was opened is dead */
static long op_open(long sim, long unused1, long unused2)
{
	int fd = q_open((const struct sim *)sim);

	if (fd == -ENODEV || fd == -ENXIO)
		return 0;
	return fd < 0 ? fd : q_not_dead(fd);
}

/* Likewise: what has been mapped after all is of no use */
static long op_mmap(long sim, long unused1, long unused2)
{
	const struct sim *s = (const struct sim *)sim;
	int ret;
	void *p;

	ret = q_mmap(q_open(s), UACCE_QFRT_DUS, s->dus_size, &p);
	if (ret == -ENXIO)
		return 0;
	if (ret)
		return ret;
	return wait_sigbus(p);
}

FIXTURE_VARIANT(busy)
{
	bool no_sva;
	const char *point;
	bg_fn op;
};

FIXTURE_VARIANT_ADD(busy, open)
{
	.point = "get_queue", .op = op_open,
};

FIXTURE_VARIANT_ADD(busy, no_sva_open)
{
	.no_sva = true, .point = "get_queue", .op = op_open,
};

FIXTURE_VARIANT_ADD(busy, start)
{
	.point = "start", .op = op_start,
};

FIXTURE_VARIANT_ADD(busy, no_sva_start)
{
	.no_sva = true, .point = "start", .op = op_start,
};

FIXTURE_VARIANT_ADD(busy, stop)
{
	.point = "stop", .op = op_stop,
};

FIXTURE_VARIANT_ADD(busy, no_sva_stop)
{
	.no_sva = true, .point = "stop", .op = op_stop,
};

FIXTURE_VARIANT_ADD(busy, ioctl)
{
	.point = "ioctl", .op = op_ioctl,
};

FIXTURE_VARIANT_ADD(busy, no_sva_ioctl)
{
	.no_sva = true, .point = "ioctl", .op = op_ioctl,
};

FIXTURE_VARIANT_ADD(busy, mmap)
{
	.point = "mmap", .op = op_mmap,
};

FIXTURE_VARIANT_ADD(busy, no_sva_mmap)
{
	.no_sva = true, .point = "mmap", .op = op_mmap,
};

static long peer_open_queue(long sim, long unused1, long unused2)
{
	return vaccel_queue_open(&peer_queue, ((const struct sim *)sim)->node);
}

static long peer_is_cut_off(long unused1, long unused2, long unused3)
{
	if (q_poll(peer_queue.fd, SIM_TIMEOUT_MS) != POLL_DEAD)
		return 1;
	return wait_sigbus(peer_queue.dus) ? 2 : 0;
}

FIXTURE_SETUP(busy)
{
	struct sim_config cfg = { .no_sva = variant->no_sva };

	if (!setup_sim(_metadata, &self->sim, "ksft", &cfg))
		return;
	ASSERT_EQ(0, peer_start(&self->peer));
	ASSERT_EQ(0, peer_call(&self->peer, peer_open_queue, (long)&self->sim,
			       0, 0));
	ASSERT_EQ(0, vaccel_queue_open(&self->q, self->sim.node));

	ASSERT_EQ(0, sim_hold(&self->sim, variant->point, 1));
	ASSERT_EQ(0, peer_bg_start(&self->peer, variant->op, (long)&self->sim));
	ASSERT_EQ(0, sim_wait_held(&self->sim, variant->point, 1));
}

FIXTURE_TEARDOWN_PARENT(busy)
{
	teardown_sim(_metadata, &self->sim);
}

TEST_F(busy, removal_waits_only_for_the_queue_in_the_driver)
{
	struct bg poller, remover;

	ASSERT_EQ(0, bg_q_poll(&poller, self->q.fd, -1));
	ASSERT_EQ(0, bg_wait_asleep(&poller));
	ASSERT_EQ(0, bg_sim_kill(&remover, &self->sim));

	EXPECT_EQ(POLL_DEAD, bg_wait(&poller));
	EXPECT_EQ(0, wait_sigbus(self->q.dus));
	EXPECT_EQ(0, wait_sigbus(self->q.mmio));
	/* in the process whose mmap() is held, a page fault waits for that */
	if (variant->op != op_mmap)
		EXPECT_EQ(0, peer_call(&self->peer, peer_is_cut_off, 0, 0, 0));
	EXPECT_EQ(0, sim_wait_stat(&self->sim, "stops", 2));
	EXPECT_EQ(0, q_not_dead(self->q.fd));
	/* zapped first: no queue is put as long as one may be mapped */
	EXPECT_EQ(0, sim_stat(&self->sim, "puts"));

	EXPECT_FALSE(bg_done(&remover));
	EXPECT_FALSE(peer_bg_done(&self->peer));
	ASSERT_EQ(0, sim_release(&self->sim, variant->point));
	EXPECT_EQ(0, bg_wait(&remover));
	EXPECT_EQ(0, sim_not_clean(&self->sim));
	EXPECT_EQ(0, peer_bg_wait(&self->peer));
	EXPECT_EQ(0, peer_call(&self->peer, peer_is_cut_off, 0, 0, 0));
}

/*
 * Two queues are in the driver when the removal begins, and one of them stays
 * there. The other is done with as soon as its own op is over, whichever of the
 * two the removal may come to first.
 */
FIXTURE(two_busy)
{
	struct sim sim;
	struct peer slow, quick;
	struct vaccel_queue q;	/* in no op */
};

FIXTURE_VARIANT(two_busy)
{
	bool no_sva;
	bool quick_first;
};

FIXTURE_VARIANT_ADD(two_busy, slow_first) {};
FIXTURE_VARIANT_ADD(two_busy, quick_first) { .quick_first = true };
FIXTURE_VARIANT_ADD(two_busy, slow_first_no_sva) { .no_sva = true };
FIXTURE_VARIANT_ADD(two_busy, quick_first_no_sva)
{
	.no_sva = true, .quick_first = true,
};

FIXTURE_SETUP(two_busy)
{
	struct sim_config cfg = { .no_sva = variant->no_sva };
	struct peer *peer[] = { &self->slow, &self->quick };
	int i;

	if (!setup_sim(_metadata, &self->sim, "ksft", &cfg))
		return;
	for (i = 0; i < 2; i++) {
		struct peer *p = peer[variant->quick_first ? !i : i];

		ASSERT_EQ(0, peer_start(p));
		ASSERT_EQ(0, peer_call(p, peer_open_queue, (long)&self->sim, 0,
				       0));
	}
	ASSERT_EQ(0, vaccel_queue_open(&self->q, self->sim.node));
}

FIXTURE_TEARDOWN_PARENT(two_busy)
{
	teardown_sim(_metadata, &self->sim);
}

static long peer_info(long unused1, long unused2, long unused3)
{
	struct vaccel_info info;

	return q_info(peer_queue.fd, &info);
}

static long peer_put(long unused1, long unused2, long unused3)
{
	return q_put(peer_queue.fd);
}

static long peer_remap(long unused1, long unused2, long unused3)
{
	int ret = munmap(peer_queue.dus, peer_queue.dus_size);

	return ret ? ret : q_mmap(peer_queue.fd, UACCE_QFRT_DUS,
				  peer_queue.dus_size, &peer_queue.dus);
}

TEST_F(two_busy, queue_that_leaves_an_ioctl_is_stopped_at_once)
{
	struct bg remover;

	ASSERT_EQ(0, sim_hold(&self->sim, "stop", 1));
	ASSERT_EQ(0, peer_send(&self->slow, peer_put, 0, 0, 0));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "stop", 1));
	ASSERT_EQ(0, sim_hold(&self->sim, "ioctl", 1));
	ASSERT_EQ(0, peer_send(&self->quick, peer_info, 0, 0, 0));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "ioctl", 1));

	ASSERT_EQ(0, bg_sim_kill(&remover, &self->sim));
	EXPECT_EQ(POLL_DEAD, q_poll(self->q.fd, SIM_TIMEOUT_MS));
	EXPECT_EQ(0, wait_sigbus(self->q.dus));
	ASSERT_EQ(0, sim_release(&self->sim, "ioctl"));
	EXPECT_EQ(0, peer_recv(&self->quick));
	/* the third stop is the one that is held */
	EXPECT_EQ(0, sim_wait_stat(&self->sim, "stops", 2));
	EXPECT_EQ(0, peer_call(&self->quick, peer_is_cut_off, 0, 0, 0));
	EXPECT_FALSE(bg_done(&remover));

	ASSERT_EQ(0, sim_release(&self->sim, "stop"));
	EXPECT_EQ(0, peer_recv(&self->slow));
	EXPECT_EQ(0, bg_wait(&remover));
	EXPECT_EQ(0, sim_not_clean(&self->sim));
}

TEST_F(two_busy, mapping_that_comes_too_late_is_cut_off_at_once)
{
	struct bg remover;
	long ret;

	ASSERT_EQ(0, sim_hold(&self->sim, "ioctl", 1));
	ASSERT_EQ(0, peer_send(&self->slow, peer_info, 0, 0, 0));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "ioctl", 1));
	ASSERT_EQ(0, sim_hold(&self->sim, "mmap", 1));
	ASSERT_EQ(0, peer_send(&self->quick, peer_remap, 0, 0, 0));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "mmap", 1));

	ASSERT_EQ(0, bg_sim_kill(&remover, &self->sim));
	EXPECT_EQ(0, wait_sigbus(self->q.dus));
	ASSERT_EQ(0, sim_release(&self->sim, "mmap"));
	ret = peer_recv(&self->quick);
	EXPECT_TRUE(!ret || ret == -ENXIO);
	if (!ret)
		EXPECT_EQ(0, peer_call(&self->quick, peer_is_cut_off, 0, 0, 0));
	EXPECT_FALSE(bg_done(&remover));

	ASSERT_EQ(0, sim_release(&self->sim, "ioctl"));
	EXPECT_EQ(0, peer_recv(&self->slow));
	EXPECT_EQ(0, bg_wait(&remover));
	EXPECT_EQ(0, sim_not_clean(&self->sim));
}

/* Others that bind or unbind while the removal is under way */
FIXTURE(bonds)
{
	struct sim sim;
	struct sim other;
	char parent[64];
	struct peer peer;
};

FIXTURE_SETUP(bonds)
{
	struct sim_config cfg = {};

	if (!setup_sim(_metadata, &self->sim, "ksft", &cfg) ||
	    !setup_sim(_metadata, &self->other, "ksft_other", &cfg))
		return;
	ASSERT_GT(sim_gets(&self->sim, "parent", self->parent,
			   sizeof(self->parent)), 0);
	ASSERT_EQ(0, peer_start(&self->peer));
}

FIXTURE_TEARDOWN_PARENT(bonds)
{
	sim_release_all(&self->other);
	teardown_sim(_metadata, &self->sim);
	teardown_sim(_metadata, &self->other);
}

TEST_F(bonds, open_that_is_in_its_bind_gets_no_queue)
{
	struct vaccel_queue q;
	struct bg remover;

	ASSERT_EQ(0, vaccel_queue_open(&q, self->sim.node));
	ASSERT_EQ(0, sim_hold(&self->sim, "bind", 1));
	ASSERT_EQ(0, peer_send(&self->peer, op_open, (long)&self->sim, 0, 0));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "bind", 1));

	ASSERT_EQ(0, bg_sim_kill(&remover, &self->sim));
	EXPECT_EQ(0, wait_sigbus(q.dus));
	EXPECT_EQ(0, sim_wait_stat(&self->sim, "puts", 1));
	EXPECT_FALSE(bg_done(&remover));

	ASSERT_EQ(0, sim_release(&self->sim, "bind"));
	EXPECT_EQ(0, peer_recv(&self->peer));
	EXPECT_EQ(0, bg_wait(&remover));
	EXPECT_EQ(0, sim_not_clean(&self->sim));
	EXPECT_EQ(1, sim_stat(&self->sim, "gets"));
}

/* Work that will fault; no mapping of the queue stays */
static long peer_submit_and_unmap(long sim, long unused1, long unused2)
{
	size_t len = getpagesize();
	struct vaccel_desc copy = {
		.opcode = VACCEL_OP_COPY, .src_len = len, .dst_len = len,
	};
	long ret = peer_open_queue(sim, 0, 0);
	char *p;

	if (ret)
		return ret;
	p = mmap(NULL, 2 * len, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	copy.src = (unsigned long)p;
	copy.dst = (unsigned long)p + len;
	ret = vaccel_submit(&peer_queue, &copy);
	if (ret)
		return ret;
	return munmap(peer_queue.mmio, peer_queue.mmio_size) ||
	       munmap(peer_queue.dus, peer_queue.dus_size) ? -errno : 0;
}

static long peer_close_queue(long unused1, long unused2, long unused3)
{
	return close(peer_queue.fd) ? -errno : 0;
}

static long do_unbind(long parent, long unused1, long unused2)
{
	return sim_driver_write("unbind", (const char *)parent);
}

/*
 * To unbind is to wait for the page faults of the address space, and these wait for
 * its mmap_lock, which an mmap() on another device has.
 */
TEST_F(bonds, unbind_that_a_close_has_begun_is_waited_for)
{
	struct bg remover;

	ASSERT_EQ(0, sim_hold(&self->sim, "engine", 1));
	ASSERT_EQ(0, peer_call(&self->peer, peer_submit_and_unmap,
			       (long)&self->sim, 0, 0));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "engine", 1));
	ASSERT_EQ(0, sim_hold(&self->other, "mmap", 1));
	ASSERT_EQ(0, peer_bg_start(&self->peer, op_mmap, (long)&self->other));
	ASSERT_EQ(0, sim_wait_held(&self->other, "mmap", 1));
	ASSERT_EQ(0, sim_release(&self->sim, "engine"));
	ASSERT_EQ(0, sim_wait_stat_ge(&self->sim, "page_faults", 1));
	ASSERT_EQ(0, peer_send(&self->peer, peer_close_queue, 0, 0, 0));
	ASSERT_EQ(0, sim_wait_stat(&self->sim, "puts", 1));

	ASSERT_EQ(0, bg_start(&remover, do_unbind, (long)self->parent, 0, 0));
	ASSERT_EQ(0, bg_wait_asleep(&remover));
	usleep(100000);
	EXPECT_FALSE(bg_done(&remover));
	EXPECT_FALSE(peer_answered(&self->peer));

	ASSERT_EQ(0, sim_release(&self->other, "mmap"));
	EXPECT_EQ(0, peer_recv(&self->peer));
	EXPECT_EQ(0, bg_wait(&remover));
	EXPECT_EQ(0, sim_not_clean(&self->sim));
	/* it has mapped all right, and waits for that to end */
	ASSERT_EQ(0, sim_kill(&self->other));
	EXPECT_EQ(0, peer_bg_wait(&self->peer));
}

/* What threads that map and unmap all the time have in common */
struct crowd {
	bool enough;
	int turns;	/* how often one of them had the lock for long */
};

static long map_and_unmap(long fd, long len, long crowd)
{
	struct crowd *c = (struct crowd *)crowd;
	void *map;
	int ret;

	while (!__atomic_load_n(&c->enough, __ATOMIC_RELAXED)) {
		ret = q_mmap(fd, UACCE_QFRT_DUS, len, &map);
		if (ret)
			return ret;
		__atomic_add_fetch(&c->turns, 1, __ATOMIC_RELAXED);
		if (munmap(map, len))
			return -errno;
	}
	return 0;
}

/*
 * Threads of its user that map and unmap all the time, something else at that. Each
 * mmap() takes long, so one has the mmap_lock and the other stands in line for it.
 * Between two of them the lock is free for a moment, so who tries now and then is lucky
 * after twenty turns or so: count them, of several removals.
 */
TEST_F(bonds, remove_gets_its_turn_at_a_lock_that_is_never_free)
{
	struct crowd crowd = {};
	struct bg busy[2], remover;
	struct vaccel_queue q;
	int i, fd, before, turns = 0;

	if (!sim_has(&self->other, "inject/delay_mmap_ms"))
		SKIP(return, "ops of this driver take no time");
	ASSERT_EQ(0, sim_set(&self->other, "inject/delay_mmap_ms", 30));
	for (i = 0; i < 2; i++) {
		fd = q_open(&self->other);
		ASSERT_GE(fd, 0);
		ASSERT_EQ(0, bg_start(&busy[i], map_and_unmap, fd,
				      self->other.dus_size, (long)&crowd));
	}
	ASSERT_EQ(0, sim_wait_stat(&self->other, "ops_running", 1));
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, vaccel_queue_open(&q, self->sim.node));
		ASSERT_EQ(0, bg_sim_kill(&remover, &self->sim));
		before = __atomic_load_n(&crowd.turns, __ATOMIC_RELAXED);
		EXPECT_EQ(0, bg_wait(&remover));
		turns += __atomic_load_n(&crowd.turns, __ATOMIC_RELAXED) - before;
		EXPECT_EQ(0, sim_not_clean(&self->sim));
		EXPECT_EQ(0, q_not_dead(q.fd));
		vaccel_queue_close(&q);
		ASSERT_EQ(0, sim_go_live(&self->sim));
	}
	/* three or four each, as there is more to a removal */
	TH_LOG("%d turns of others, in 10 removals", turns);
	EXPECT_GT(80, turns);
	for (i = 0; i < 2; i++)
		EXPECT_FALSE(bg_done(&busy[i]));
	__atomic_store_n(&crowd.enough, true, __ATOMIC_RELAXED);
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, bg_wait(&busy[i]));
}

/* An op that waits for user space */
TEST_F(removing, copy_to_a_userfaultfd_page_delays_only_its_queue)
{
	struct vaccel_queue other;
	struct uffd_msg msg;
	struct bg caller, remover;
	void *page = NULL;
	int uffd;

	uffd = late_page(&page);
	if (uffd < 0)
		SKIP(return, "needs CONFIG_USERFAULTFD");
	ASSERT_EQ(0, vaccel_queue_open(&other, self->sim.node));

	ASSERT_EQ(0, bg_q_ioctl(&caller, self->q.fd, VACCEL_CMD_INFO, page));
	ASSERT_EQ(POLLIN, q_poll(uffd, SIM_TIMEOUT_MS));
	ASSERT_EQ(sizeof(msg), read(uffd, &msg, sizeof(msg)));
	ASSERT_EQ(UFFD_EVENT_PAGEFAULT, msg.event);

	ASSERT_EQ(0, bg_sim_kill(&remover, &self->sim));
	EXPECT_EQ(POLL_DEAD, q_poll(other.fd, SIM_TIMEOUT_MS));
	EXPECT_EQ(0, wait_sigbus(other.dus));
	EXPECT_EQ(0, sim_wait_stat(&self->sim, "stops", 1));
	EXPECT_FALSE(bg_done(&remover));
	EXPECT_FALSE(bg_done(&caller));

	ASSERT_EQ(0, late_page_fill(uffd, page));
	EXPECT_EQ(0, bg_wait(&caller));
	EXPECT_EQ(0, bg_wait(&remover));
	EXPECT_EQ(0, sim_not_clean(&self->sim));
	EXPECT_EQ(0, q_not_dead(self->q.fd));
}

static long named_info(long fd, long info, long unused)
{
	prctl(PR_SET_NAME, "uacce_laggard");
	return q_info(fd, (struct vaccel_info *)info);
}

/* So many that not all are named: one of them for what keeps three queues busy */
#define LAGGARDS	12
#define NAMED		10

/* Takes ten seconds twice, and has nothing to do with SVA: so for one variant only */
FIXTURE(patience)
{
	struct sim sim;
	struct peer peer;
	long mark;
};

FIXTURE_SETUP(patience)
{
	struct sim_config cfg = { .no_sva = true };

	if (!setup_sim(_metadata, &self->sim, "ksft", &cfg))
		return;
	ASSERT_EQ(0, peer_start(&self->peer));
	self->mark = log_mark("uacce: test of a removal that takes long");
	ASSERT_GE(self->mark, 0);
}

FIXTURE_TEARDOWN_PARENT(patience)
{
	teardown_sim(_metadata, &self->sim);
}

/* How many lines name the removal and @word since @mark? */
static int complaints(const struct sim *sim, long mark, const char *word)
{
	const char * const words[] = { sim->dev, "removing", word, NULL };

	return log_count(mark, words);
}

/* One task that maps keeps three queues waiting, and each of the others one. */
TEST_F(patience, log_names_again_and_again_each_task_that_a_removal_waits_for)
{
	const char * const last[] = { self->sim.dev, "more than these", NULL };
	struct bg caller[LAGGARDS], remover;
	struct vaccel_info info[LAGGARDS];
	int fd, i, round;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, peer_call(&self->peer, peer_open_queue, (long)&self->sim,
				       0, 0));
	ASSERT_EQ(0, sim_hold(&self->sim, "mmap", 1));
	ASSERT_EQ(0, peer_send(&self->peer, op_mmap, (long)&self->sim, 0, 0));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "mmap", 1));

	ASSERT_EQ(0, sim_hold(&self->sim, "ioctl", LAGGARDS));
	for (i = 0; i < LAGGARDS; i++) {
		fd = q_open(&self->sim);
		ASSERT_GE(fd, 0);
		ASSERT_EQ(0, bg_start(&caller[i], named_info, fd, (long)&info[i], 0));
	}
	ASSERT_EQ(0, sim_wait_held(&self->sim, "ioctl", LAGGARDS));

	ASSERT_EQ(0, bg_sim_kill(&remover, &self->sim));
	for (round = 0; round < 2; round++) {
		EXPECT_EQ(0, log_wait(self->mark, last, 10000 + SIM_TIMEOUT_MS));
		/* queues are looked at in the order in which they were opened */
		EXPECT_EQ(1, complaints(&self->sim, self->mark, "mmap_lock"));
		EXPECT_EQ(NAMED - 1, complaints(&self->sim, self->mark, "uacce_laggard"));
		EXPECT_EQ(NAMED + 1, complaints(&self->sim, self->mark, "removing"));
		self->mark = log_mark("uacce: it waits for them still");
		ASSERT_GE(self->mark, 0);
	}
	EXPECT_FALSE(bg_done(&remover));
	ASSERT_EQ(0, sim_release(&self->sim, "mmap"));
	ASSERT_EQ(0, sim_release(&self->sim, "ioctl"));
	EXPECT_EQ(0, bg_wait(&remover));
	for (i = 0; i < LAGGARDS; i++)
		EXPECT_EQ(0, bg_wait(&caller[i]));
	EXPECT_EQ(0, peer_recv(&self->peer));
}

/*
 * Two address spaces that take long to be unbound. One dies and uses two devices, of
 * which the other is slow to stop; the device waits for a page of the other, and that
 * for user space.
 */
FIXTURE(slow_unbind)
{
	struct sim sim, slow;
	struct peer dying, late;
	long mark;
};

static long peer_submit_late_page(long sim, long unused1, long unused2)
{
	struct vaccel_desc crc = {
		.opcode = VACCEL_OP_CRC32, .src_len = getpagesize(),
	};
	long ret = peer_open_queue(sim, 0, 0);
	void *page;

	ret = ret ? ret : late_file_map(&page);
	if (ret)
		return ret;
	crc.src = (unsigned long)page;
	return vaccel_submit(&peer_queue, &crc);
}

FIXTURE_SETUP(slow_unbind)
{
	struct sim_config cfg = {};
	int fd;

	if (!setup_sim(_metadata, &self->sim, "ksft", &cfg) ||
	    !setup_sim(_metadata, &self->slow, "slow", &cfg))
		return;
	if (late_file_begin())
		SKIP(return, "needs a file in user space (CONFIG_FUSE_FS)");
	ASSERT_EQ(0, peer_start(&self->dying));
	ASSERT_GE(peer_open(&self->dying, &self->sim), 0);
	/* the one that was bound last hears of the end first */
	fd = peer_open(&self->dying, &self->slow);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, peer_q_start(&self->dying, fd));
	ASSERT_EQ(0, peer_start(&self->late));
	self->mark = log_mark("uacce: test of a removal that waits for address spaces");
	ASSERT_GE(self->mark, 0);
}

FIXTURE_TEARDOWN_PARENT(slow_unbind)
{
	late_file_end();
	sim_release_all(&self->slow);
	teardown_sim(_metadata, &self->sim);
	teardown_sim(_metadata, &self->slow);
}

TEST_F(slow_unbind, log_tells_for_how_many_address_spaces_a_removal_waits)
{
	const char * const words[] = { self->sim.dev, "2 address spaces", NULL };
	struct bg remover;

	ASSERT_EQ(0, sim_hold(&self->slow, "stop", 1));
	ASSERT_EQ(0, peer_begin_exit(&self->dying));
	ASSERT_EQ(0, sim_wait_held(&self->slow, "stop", 1));
	ASSERT_EQ(0, peer_call(&self->late, peer_submit_late_page, (long)&self->sim,
			       0, 0));
	ASSERT_EQ(0, late_file_wait());

	ASSERT_EQ(0, bg_sim_kill(&remover, &self->sim));
	EXPECT_EQ(0, log_wait(self->mark, words, 10000 + SIM_TIMEOUT_MS));
	EXPECT_FALSE(bg_done(&remover));
	EXPECT_EQ(0, sim_stat(&self->sim, "queues"));
	ASSERT_EQ(0, late_file_fill());
	ASSERT_EQ(0, sim_release(&self->slow, "stop"));
	EXPECT_EQ(0, bg_wait(&remover));
	EXPECT_EQ(0, sim_not_clean(&self->sim));
	EXPECT_EQ(0, peer_wait(&self->dying));
}

/*
 * Anything at any time. There are few answers that a user may get, and the
 * teardown sees what is left.
 */
static bool stop_load;

static long load(long sim, long unused1, long unused2)
{
	struct vaccel_info info;
	void *dus;
	int fd;

	while (!__atomic_load_n(&stop_load, __ATOMIC_RELAXED)) {
		fd = q_open((const struct sim *)sim);
		if (fd == -ENOENT || fd == -ENODEV || fd == -ENXIO)
			continue;
		if (fd < 0)
			return fd;
		q_start(fd);
		q_info(fd, &info);
		if (!q_mmap(fd, UACCE_QFRT_DUS, VACCEL_DUS_SIZE, &dus)) {
			touch(dus);
			munmap(dus, VACCEL_DUS_SIZE);
		}
		q_poll(fd, 0);
		q_put(fd);
		close(fd);
	}
	return 0;
}

static long end_load(long unused1, long unused2, long unused3)
{
	__atomic_store_n(&stop_load, true, __ATOMIC_RELAXED);
	return 0;
}

TEST_F(removing, under_load_from_several_processes)
{
	struct peer peer[2];
	int i;

	vaccel_queue_close(&self->q);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, peer_start(&peer[i]));
		ASSERT_EQ(0, peer_bg_start(&peer[i], load, (long)&self->sim));
	}
	for (i = 0; i < 8; i++) {
		ASSERT_EQ(0, sim_wait_more(&self->sim, "gets", 3));
		ASSERT_EQ(0, sim_kill(&self->sim));
		ASSERT_EQ(0, sim_not_clean(&self->sim));
		ASSERT_EQ(0, sim_go_live(&self->sim));
	}
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, peer_call(&peer[i], end_load, 0, 0, 0));
		EXPECT_EQ(0, peer_bg_wait(&peer[i]));
	}
}

TEST_HARNESS_MAIN
