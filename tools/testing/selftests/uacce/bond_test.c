// SPDX-License-Identifier: GPL-2.0-only
/*
 * One address space is bound to one device once, however many queues it has
 * there, and for as long as it has any.
 */
#include "uacce_test.h"
#include "group.h"

IN_PARALLEL;

#define RACERS	8

FIXTURE(bond)
{
	struct sim sim;
	struct sim other;
};

FIXTURE_SETUP(bond)
{
	struct sim_config cfg = {};

	if (setup_sim(_metadata, &self->sim, "ksft", &cfg))
		setup_sim(_metadata, &self->other, "ksft_other", &cfg);
}

FIXTURE_TEARDOWN_PARENT(bond)
{
	sim_release_all(&self->other);
	teardown_sim(_metadata, &self->sim);
	teardown_sim(_metadata, &self->other);
}

/* The PASID of an open queue, or a negative errno */
static long pasid_of(long fd, long unused1, long unused2)
{
	struct vaccel_info info = {};
	int ret = q_info(fd, &info);

	return ret ? ret : (long)info.pasid;
}

/* Opens a queue, remembers its PASID in *@pasid, and closes it */
static long open_and_close(long sim, long pasid, long unused)
{
	int fd = q_open((const struct sim *)sim);

	if (fd < 0)
		return fd;
	*(long *)pasid = pasid_of(fd, 0, 0);
	return close(fd) ? -errno : 0;
}

TEST_F(bond, second_queue_binds_nothing)
{
	int fd[3];
	long pasid;
	int i;

	for (i = 0; i < 3; i++) {
		fd[i] = q_open(&self->sim);
		ASSERT_GE(fd[i], 0);
		EXPECT_EQ(1, sim_stat(&self->sim, "binds"));
	}
	EXPECT_EQ(3, sim_stat(&self->sim, "queues"));
	EXPECT_EQ(1, sim_stat(&self->sim, "pasids"));

	pasid = pasid_of(fd[0], 0, 0);
	EXPECT_GT(pasid, 0);
	EXPECT_EQ(pasid, pasid_of(fd[1], 0, 0));
	EXPECT_EQ(pasid, pasid_of(fd[2], 0, 0));
}

TEST_F(bond, last_close_unbinds)
{
	int fd[3];
	int i;

	for (i = 0; i < 3; i++) {
		fd[i] = q_open(&self->sim);
		ASSERT_GE(fd[i], 0);
	}
	/* the queue that made the bond is not the one that ends it */
	ASSERT_EQ(0, close(fd[0]));
	ASSERT_EQ(0, close(fd[2]));
	EXPECT_EQ(0, sim_wait_stat(&self->sim, "queues", 1));
	EXPECT_EQ(0, sim_stat(&self->sim, "unbinds"));
	EXPECT_GT(pasid_of(fd[1], 0, 0), 0);

	ASSERT_EQ(0, close(fd[1]));
	EXPECT_EQ(0, sim_wait_stat(&self->sim, "unbinds", 1));
	EXPECT_EQ(0, sim_wait_stat(&self->sim, "pasids", 0));
	EXPECT_EQ(1, sim_stat(&self->sim, "binds"));
}

TEST_F(bond, open_after_last_close_binds_again)
{
	int fd = q_open(&self->sim);

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, close(fd));
	ASSERT_EQ(0, sim_wait_stat(&self->sim, "unbinds", 1));

	fd = q_open(&self->sim);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(2, sim_stat(&self->sim, "binds"));
	EXPECT_GT(pasid_of(fd, 0, 0), 0);
	EXPECT_EQ(0, q_start(fd));
}

TEST_F(bond, threads_share_it)
{
	int fd = q_open(&self->sim);
	struct bg thread;
	int fd2;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, bg_q_open(&thread, &self->sim));
	fd2 = bg_wait(&thread);
	ASSERT_GE(fd2, 0);
	EXPECT_EQ(1, sim_stat(&self->sim, "binds"));
	EXPECT_EQ(pasid_of(fd, 0, 0), pasid_of(fd2, 0, 0));
}

TEST_F(bond, clone_vm_process_shares_it)
{
	int fd = q_open(&self->sim);
	long pasid = -1;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, clone_vm_call(open_and_close, (long)&self->sim,
				   (long)&pasid, 0));
	EXPECT_EQ(pasid_of(fd, 0, 0), pasid);
	EXPECT_EQ(1, sim_stat(&self->sim, "binds"));
	EXPECT_EQ(2, sim_stat(&self->sim, "gets"));
	EXPECT_EQ(0, sim_stat(&self->sim, "unbinds"));
}

TEST_F(bond, forked_child_has_its_own)
{
	int fd = q_open(&self->sim);
	struct peer child;
	int fd2;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, peer_start(&child));
	fd2 = peer_open(&child, &self->sim);
	ASSERT_GE(fd2, 0);
	EXPECT_EQ(2, sim_stat(&self->sim, "binds"));
	EXPECT_EQ(2, sim_stat(&self->sim, "pasids"));
	EXPECT_NE(pasid_of(fd, 0, 0), peer_call(&child, pasid_of, fd2, 0, 0));

	/* the end of one leaves the other alone */
	ASSERT_EQ(0, peer_exit(&child));
	EXPECT_EQ(0, sim_wait_stat(&self->sim, "pasids", 1));
	EXPECT_EQ(0, q_start(fd));
}

/* Queues are few, but files of dead ones may be as many as somebody likes. */
#define CHARGED		32
/* What a queue takes at least: locks, two regions, two work items, ... */
#define CHARGE		400
#define CHARGED_GROUP	"uacce_charged"

/* Opens @node that often: by how much more memory the kernel keeps for the caller */
static long cost_of_files(long node, long unused1, long unused2)
{
	long before, after;
	int i;

	before = group_stat(CHARGED_GROUP, "slab");
	for (i = 0; i < CHARGED; i++) {
		if (open((const char *)node, O_RDWR | O_CLOEXEC) < 0)
			return -errno;
	}
	after = group_stat(CHARGED_GROUP, "slab");
	return before < 0 || after < 0 ? -EIO : after - before;
}

static long join_group(long name, long unused1, long unused2)
{
	return group_join((const char *)name);
}

FIXTURE(charged)
{
	struct sim sim;
	struct peer peer;
};

FIXTURE_SETUP(charged)
{
	struct sim_config cfg = {};
	const char *why = sim_unavailable();

	if (why)
		SKIP(return, "%s", why);
	if (!group_begin(CHARGED_GROUP, 0))
		SKIP(return, "needs the memory controller of /sys/fs/cgroup (CONFIG_MEMCG)");
	if (!setup_sim(_metadata, &self->sim, "ksft", &cfg)) {
		group_end(CHARGED_GROUP);
		return;
	}
	ASSERT_EQ(0, peer_start(&self->peer));
	ASSERT_EQ(0, peer_call(&self->peer, join_group, (long)CHARGED_GROUP, 0, 0));
}

FIXTURE_TEARDOWN_PARENT(charged)
{
	teardown_sim(_metadata, &self->sim);
	EXPECT_EQ(0, group_end(CHARGED_GROUP));
}

TEST_F(charged, memory_of_queues_is_charged_to_who_opens_them)
{
	long files, queues;

	/* whatever the first files of a process and of the device take */
	ASSERT_GE(peer_open(&self->peer, &self->sim), 0);
	ASSERT_LE(0, peer_call(&self->peer, cost_of_files, (long)"/dev/null", 0, 0));

	files = peer_call(&self->peer, cost_of_files, (long)"/dev/null", 0, 0);
	ASSERT_LE(0, files);
	queues = peer_call(&self->peer, cost_of_files, (long)self->sim.node, 0, 0);
	EXPECT_GE(queues, files + CHARGED * CHARGE) {
		TH_LOG("%d files take %ld bytes, with queues %ld", CHARGED, files, queues);
	}
}

TEST_F(bond, two_devices_have_one_each)
{
	struct vaccel_desc nop = { .opcode = VACCEL_OP_NOP };
	struct vaccel_queue q, other;
	struct vaccel_cqe cqe;

	ASSERT_EQ(0, vaccel_queue_open(&q, self->sim.node));
	ASSERT_EQ(0, vaccel_queue_open(&other, self->other.node));
	EXPECT_EQ(1, sim_stat(&self->sim, "binds"));
	EXPECT_EQ(1, sim_stat(&self->other, "binds"));

	/* the last close on one device ends nothing on the other */
	vaccel_queue_close(&q);
	EXPECT_EQ(0, sim_wait_stat(&self->sim, "pasids", 0));
	EXPECT_EQ(0, sim_stat(&self->other, "unbinds"));
	EXPECT_EQ(1, sim_stat(&self->other, "pasids"));
	EXPECT_EQ(0, vaccel_run(&other, &nop, &cqe));
	EXPECT_EQ(VACCEL_ST_OK, cqe.status);
}

/*
 * The first open is inside the driver, its bond is new; the second neither
 * waits for it nor binds again.
 */
TEST_F(bond, second_open_joins_while_the_first_is_in_the_driver)
{
	struct bg first, second;
	int fd, fd2;

	ASSERT_EQ(0, sim_hold(&self->sim, "get_queue", 1));
	ASSERT_EQ(0, bg_q_open(&first, &self->sim));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "get_queue", 1));

	ASSERT_EQ(0, bg_q_open(&second, &self->sim));
	fd2 = bg_wait(&second);
	ASSERT_GE(fd2, 0);
	EXPECT_FALSE(bg_done(&first));
	EXPECT_EQ(1, sim_stat(&self->sim, "binds"));

	/* it may also be the first to go */
	ASSERT_EQ(0, close(fd2));
	EXPECT_EQ(0, sim_stat(&self->sim, "unbinds"));

	ASSERT_EQ(0, sim_release(&self->sim, "get_queue"));
	fd = bg_wait(&first);
	ASSERT_GE(fd, 0);
	EXPECT_GT(pasid_of(fd, 0, 0), 0);
	EXPECT_EQ(1, sim_stat(&self->sim, "binds"));
	EXPECT_EQ(0, sim_stat(&self->sim, "unbinds"));
}

static int gate;

static long open_at_gate(long sim, long unused1, long unused2)
{
	while (!__atomic_load_n(&gate, __ATOMIC_ACQUIRE))
		;
	return q_open((const struct sim *)sim);
}

TEST_F(bond, concurrent_first_opens_bind_once)
{
	struct bg racer[RACERS];
	int fd[RACERS];
	int round, i;

	for (round = 1; round <= 10; round++) {
		__atomic_store_n(&gate, 0, __ATOMIC_RELEASE);
		for (i = 0; i < RACERS; i++) {
			ASSERT_EQ(0, bg_start(&racer[i], open_at_gate,
					      (long)&self->sim, 0, 0));
		}
		__atomic_store_n(&gate, 1, __ATOMIC_RELEASE);

		for (i = 0; i < RACERS; i++) {
			fd[i] = bg_wait(&racer[i]);
			ASSERT_GE(fd[i], 0);
		}
		EXPECT_EQ(round, sim_stat(&self->sim, "binds"));
		for (i = 0; i < RACERS; i++)
			ASSERT_EQ(0, close(fd[i]));
		ASSERT_EQ(0, sim_wait_stat(&self->sim, "unbinds", round));
	}
}

/* Opens, works and closes; each time the bond may be old, new or going */
static long work_and_close(long sim, long rounds, long unused)
{
	struct vaccel_desc nop = { .opcode = VACCEL_OP_NOP };
	struct vaccel_queue q;
	struct vaccel_cqe cqe;
	int ret;

	while (rounds--) {
		ret = vaccel_queue_open(&q, ((const struct sim *)sim)->node);
		if (ret)
			return ret;
		ret = q.info.pasid ? vaccel_run(&q, &nop, &cqe) : -ENODATA;
		vaccel_queue_close(&q);
		if (ret)
			return ret;
	}
	return 0;
}

TEST_F(bond, last_close_may_race_with_an_open)
{
	struct bg racer[2];
	int i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, bg_start(&racer[i], work_and_close,
				      (long)&self->sim, 50, 0));
	}
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, bg_wait(&racer[i]));
	EXPECT_EQ(100, sim_stat(&self->sim, "gets"));
	EXPECT_EQ(0, sim_wait_stat(&self->sim, "pasids", 0));
}

TEST_F(bond, open_while_the_last_close_unbinds_binds_anew)
{
	struct bg binder, closer, opener;
	int fd = q_open(&self->sim);

	ASSERT_GE(fd, 0);
	/* Who is about to bind, to whatever device, has others wait to bind and unbind. */
	ASSERT_EQ(0, sim_hold(&self->other, "bind", 1));
	ASSERT_EQ(0, bg_q_open(&binder, &self->other));
	ASSERT_EQ(0, sim_wait_held(&self->other, "bind", 1));

	ASSERT_EQ(0, bg_close(&closer, fd));
	ASSERT_EQ(0, sim_wait_stat(&self->sim, "puts", 1));
	ASSERT_EQ(0, bg_wait_asleep(&closer));
	ASSERT_EQ(0, bg_q_open(&opener, &self->sim));
	ASSERT_EQ(0, bg_wait_asleep(&opener));

	ASSERT_EQ(0, sim_release(&self->other, "bind"));
	EXPECT_EQ(0, bg_wait(&closer));
	fd = bg_wait(&opener);
	ASSERT_GE(fd, 0);
	EXPECT_GT(pasid_of(fd, 0, 0), 0);
	EXPECT_EQ(0, q_start(fd));
	EXPECT_GE(bg_wait(&binder), 0);
}

TEST_F(bond, open_by_a_kernel_thread_is_refused)
{
	long err;

	ASSERT_EQ(0, sim_set(&self->sim, "inject/kthread_open", 1));
	ASSERT_EQ(0, sim_get(&self->sim, "inject/kthread_open", &err));
	EXPECT_EQ(-EINVAL, err);
	EXPECT_EQ(0, sim_stat(&self->sim, "binds"));
	EXPECT_EQ(0, sim_stat(&self->sim, "gets"));
}

static void on_signal(int sig)
{
}

/*
 * To register a notifier is given up at any signal. Then all is undone, and done
 * again if that is what the handler wants.
 */
TEST_F(bond, open_that_a_signal_interrupts_begins_anew)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct bg opener;
	int fd;

	ASSERT_EQ(0, sigaction(SIGUSR1, &sa, NULL));
	ASSERT_EQ(0, sim_hold(&self->sim, "bind", 1));
	ASSERT_EQ(0, bg_q_open(&opener, &self->sim));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "bind", 1));
	ASSERT_EQ(0, pthread_kill(opener.thread, SIGUSR1));
	ASSERT_EQ(0, sim_release(&self->sim, "bind"));

	fd = bg_wait(&opener);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(2, sim_stat(&self->sim, "binds"));
	EXPECT_EQ(1, sim_stat(&self->sim, "unbinds"));
	EXPECT_EQ(1, sim_stat(&self->sim, "gets"));
	EXPECT_EQ(0, q_start(fd));
}

/* A bind takes seconds if no PASID is free. Who waits for another thread's can leave. */
TEST_F(bond, wait_for_the_bind_of_another_thread_ends_with_a_signal)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct bg binder, waiter;

	ASSERT_EQ(0, sigaction(SIGUSR1, &sa, NULL));
	ASSERT_EQ(0, sim_hold(&self->sim, "bind", 1));
	ASSERT_EQ(0, bg_q_open(&binder, &self->sim));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "bind", 1));
	ASSERT_EQ(0, bg_q_open(&waiter, &self->sim));
	ASSERT_EQ(0, bg_wait_asleep(&waiter));
	ASSERT_EQ(0, pthread_kill(waiter.thread, SIGUSR1));

	EXPECT_EQ(-EINTR, bg_wait(&waiter));
	EXPECT_FALSE(bg_done(&binder));
	ASSERT_EQ(0, sim_release(&self->sim, "bind"));
	EXPECT_GE(bg_wait(&binder), 0);
	EXPECT_EQ(1, sim_stat(&self->sim, "binds"));
	EXPECT_EQ(0, sim_stat(&self->sim, "unbinds"));
}

TEST_F(bond, failed_bind_leaves_nothing)
{
	ASSERT_EQ(0, sim_fail(&self->sim, "bind", 1));
	EXPECT_EQ(-EIO, q_open(&self->sim));
	EXPECT_EQ(0, sim_stat(&self->sim, "gets"));
	EXPECT_EQ(0, sim_stat(&self->sim, "pasids"));
	EXPECT_GE(q_open(&self->sim), 0);
	EXPECT_EQ(1, sim_stat(&self->sim, "binds"));
}

TEST_F(bond, refused_first_queue_leaves_nothing)
{
	ASSERT_EQ(0, sim_fail(&self->sim, "get_queue", 1));
	EXPECT_EQ(-EBUSY, q_open(&self->sim));
	EXPECT_EQ(0, sim_wait_stat(&self->sim, "pasids", 0));
	EXPECT_EQ(0, sim_stat(&self->sim, "queues"));
	EXPECT_EQ(sim_stat(&self->sim, "binds"),
		  sim_stat(&self->sim, "unbinds"));
	EXPECT_GE(q_open(&self->sim), 0);
}

TEST_F(bond, refused_second_queue_leaves_the_first_alone)
{
	int fd = q_open(&self->sim);

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, sim_fail(&self->sim, "get_queue", 1));
	EXPECT_EQ(-EBUSY, q_open(&self->sim));
	EXPECT_EQ(0, sim_stat(&self->sim, "unbinds"));
	EXPECT_EQ(1, sim_stat(&self->sim, "queues"));
	EXPECT_GT(pasid_of(fd, 0, 0), 0);
	EXPECT_EQ(0, q_start(fd));
}

FIXTURE(small)
{
	struct sim sim;
};

FIXTURE_SETUP(small)
{
	struct sim_config cfg = { .queues = 12, .pasid_bits = 3 };

	setup_sim(_metadata, &self->sim, "ksft", &cfg);
}

FIXTURE_TEARDOWN_PARENT(small)
{
	teardown_sim(_metadata, &self->sim);
}

TEST_F(small, open_without_a_hardware_queue_left_is_refused)
{
	int fd[12];
	int i;

	for (i = 0; i < 12; i++) {
		fd[i] = q_open(&self->sim);
		ASSERT_GE(fd[i], 0);
	}
	EXPECT_EQ(-EBUSY, q_open(&self->sim));
	EXPECT_EQ(1, sim_stat(&self->sim, "binds"));
	ASSERT_EQ(0, close(fd[5]));
	EXPECT_GE(q_open(&self->sim), 0);
}

/* Three bits: PASIDs 1 to 7, of which a dying process may still have some */
TEST_F(small, open_without_a_pasid_left_is_refused)
{
	struct peer peer[8];
	int fd = 0;
	int i;

	for (i = 0; i < 8 && fd >= 0; i++) {
		ASSERT_EQ(0, peer_start(&peer[i]));
		fd = peer_open(&peer[i], &self->sim);
	}
	EXPECT_EQ(-ENOSPC, fd);
	EXPECT_GT(i, 1);
	EXPECT_EQ(i - 1, sim_stat(&self->sim, "pasids"));
	EXPECT_EQ(i - 1, sim_stat(&self->sim, "queues"));

	/* each one that ends makes room */
	while (--i)
		ASSERT_EQ(0, peer_exit(&peer[i - 1]));
	EXPECT_EQ(0, sim_wait_stat(&self->sim, "pasids", 0));
	EXPECT_GE(q_open(&self->sim), 0);
}

/* Each of two CPUs may borrow the address space of one that is gone for a while */
#define BROOD		3

static long open_queue(long sim, long unused1, long unused2)
{
	return q_open((const struct sim *)sim);
}

FIXTURE(exits)
{
	struct sim sim;
	struct sim other;
};

FIXTURE_SETUP(exits)
{
	struct sim_config small = { .queues = 12, .pasid_bits = 3 };
	struct sim_config cfg = {};

	if (setup_sim(_metadata, &self->sim, "ksft", &small))
		setup_sim(_metadata, &self->other, "ksft_other", &cfg);
}

FIXTURE_TEARDOWN_PARENT(exits)
{
	sim_release_all(&self->other);
	teardown_sim(_metadata, &self->sim);
	teardown_sim(_metadata, &self->other);
}

/*
 * They come back some time after a process is gone. As long as another device binds an
 * address space the IOMMU core unbinds none: when it does, the one who opens is there.
 * Of those who go somebody has the file, or else they would unbind and wait themselves.
 */
TEST_F(exits, open_waits_for_the_pasids_that_they_give_back)
{
	struct peer brood[BROOD], next, binder, peer[8];
	int fd = 0;
	int i;

	for (i = 0; i < BROOD; i++) {
		ASSERT_EQ(0, peer_start(&brood[i]));
		fd = peer_open(&brood[i], &self->sim);
		ASSERT_GE(fd, 0);
		ASSERT_GE(peer_take_fd(&brood[i], fd), 0);
	}
	for (i = 0; i < 8 && fd >= 0; i++) {
		ASSERT_EQ(0, peer_start(&peer[i]));
		fd = peer_open(&peer[i], &self->sim);
	}
	ASSERT_EQ(-ENOSPC, fd);

	ASSERT_EQ(0, peer_start(&next));
	ASSERT_EQ(0, peer_start(&binder));
	ASSERT_EQ(0, sim_hold(&self->other, "bind", 1));
	ASSERT_EQ(0, peer_bg_start(&binder, open_queue, (long)&self->other));
	ASSERT_EQ(0, sim_wait_held(&self->other, "bind", 1));
	for (i = 0; i < BROOD; i++)
		ASSERT_EQ(0, peer_exit(&brood[i]));
	ASSERT_EQ(0, peer_bg_start(&next, open_queue, (long)&self->sim));
	ASSERT_EQ(0, peer_bg_wait_asleep(&next));
	EXPECT_FALSE(peer_bg_done(&next));

	ASSERT_EQ(0, sim_release(&self->other, "bind"));
	EXPECT_GE(peer_bg_wait(&next), 0);
	EXPECT_GE(peer_bg_wait(&binder), 0);
}

FIXTURE(no_sva)
{
	struct sim sim;
};

FIXTURE_SETUP(no_sva)
{
	struct sim_config cfg = { .no_sva = true };

	setup_sim(_metadata, &self->sim, "ksft", &cfg);
}

FIXTURE_TEARDOWN_PARENT(no_sva)
{
	teardown_sim(_metadata, &self->sim);
}

TEST_F(no_sva, device_without_sva_binds_nothing)
{
	int fd = q_open(&self->sim);
	struct peer peer;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, peer_start(&peer));
	ASSERT_GE(peer_open(&peer, &self->sim), 0);
	EXPECT_EQ(0, sim_stat(&self->sim, "binds"));
	EXPECT_EQ(0, pasid_of(fd, 0, 0));
	EXPECT_EQ(0, q_start(fd));
}

TEST_HARNESS_MAIN
