// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a queue: open, START_Q, PUT_Q, close, in the right order and in
 * others.
 */
#include "uacce_test.h"

#ifndef __LP64__
/* The core answers 32-bit programs itself, so on any carrier alike. */
MOSTLY_IN_LANE("sim");
#endif

FIXTURE(state)
{
	struct sim sim;
	int fd;
};

FIXTURE_VARIANT(state)
{
	bool no_sva;
};

FIXTURE_VARIANT_ADD(state, sva) {};
FIXTURE_VARIANT_ADD(state, no_sva) { .no_sva = true };

FIXTURE_SETUP(state)
{
	struct sim_config cfg = { .no_sva = variant->no_sva };

	if (!setup_sim(_metadata, &self->sim, "ksft", &cfg))
		return;
	self->fd = q_open(&self->sim);
	EXPECT_GE(self->fd, 0);
}

FIXTURE_TEARDOWN_PARENT(state)
{
	teardown_sim(_metadata, &self->sim);
}

static __u32 ctrl_state(const struct vaccel_queue *q)
{
	const struct vaccel_ctrl *ctrl = q->dus + VACCEL_CTRL_OFFSET;

	return __atomic_load_n(&ctrl->state, __ATOMIC_ACQUIRE);
}

TEST_F(state, ioctl_numbers_are_the_abi)
{
	EXPECT_EQ(0x5700, UACCE_CMD_START_Q);
	EXPECT_EQ(0x5701, UACCE_CMD_PUT_Q);
	EXPECT_EQ(0, q_ioctl(self->fd, 0x5700, NULL));
	EXPECT_EQ(1, sim_stat(&self->sim, "starts"));
	EXPECT_EQ(0, q_ioctl(self->fd, 0x5701, NULL));
	EXPECT_EQ(1, sim_stat(&self->sim, "stops"));
}

TEST_F(state, open_takes_a_queue_and_close_puts_it)
{
	EXPECT_EQ(1, sim_stat(&self->sim, "gets"));
	EXPECT_EQ(0, sim_stat(&self->sim, "starts"));
	ASSERT_EQ(0, close(self->fd));
	EXPECT_EQ(0, sim_wait_stat(&self->sim, "puts", 1));
	EXPECT_EQ(0, sim_stat(&self->sim, "stops"));
}

TEST_F(state, second_start_is_EINVAL)
{
	ASSERT_EQ(0, q_start(self->fd));
	EXPECT_EQ(-EINVAL, q_start(self->fd));
	EXPECT_EQ(1, sim_stat(&self->sim, "starts"));
	EXPECT_EQ(0, sim_stat(&self->sim, "stops"));
	EXPECT_EQ(1, sim_stat(&self->sim, "running"));
}

TEST_F(state, concurrent_starts_start_once)
{
	struct bg first, second;

	ASSERT_EQ(0, sim_hold(&self->sim, "start", 1));
	ASSERT_EQ(0, bg_q_start(&first, self->fd));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "start", 1));
	ASSERT_EQ(0, bg_q_start(&second, self->fd));
	ASSERT_EQ(0, sim_release(&self->sim, "start"));
	EXPECT_EQ(0, bg_wait(&first));
	EXPECT_EQ(-EINVAL, bg_wait(&second));
	EXPECT_EQ(1, sim_stat(&self->sim, "starts"));
}

TEST_F(state, put_stops_but_keeps_the_queue)
{
	ASSERT_EQ(0, q_start(self->fd));
	ASSERT_EQ(0, q_put(self->fd));
	EXPECT_EQ(1, sim_stat(&self->sim, "stops"));
	EXPECT_EQ(0, sim_stat(&self->sim, "running"));
	EXPECT_EQ(0, sim_stat(&self->sim, "puts"));
	EXPECT_EQ(1, sim_stat(&self->sim, "queues"));
}

TEST_F(state, put_of_a_stopped_queue_does_nothing)
{
	EXPECT_EQ(0, q_put(self->fd));
	EXPECT_EQ(0, sim_stat(&self->sim, "stops"));
	ASSERT_EQ(0, q_start(self->fd));
	EXPECT_EQ(0, q_put(self->fd));
	EXPECT_EQ(0, q_put(self->fd));
	EXPECT_EQ(1, sim_stat(&self->sim, "stops"));
}

TEST_F(state, queue_can_be_started_again)
{
	struct vaccel_desc nop = { .opcode = VACCEL_OP_NOP };
	struct vaccel_queue q;
	struct vaccel_cqe cqe;
	int i;

	ASSERT_EQ(0, vaccel_queue_open(&q, self->sim.node));
	for (i = 1; i <= 3; i++) {
		EXPECT_EQ(VACCEL_STATE_RUNNING, ctrl_state(&q));
		ASSERT_EQ(0, vaccel_run(&q, &nop, &cqe));
		EXPECT_EQ(VACCEL_ST_OK, cqe.status);
		ASSERT_EQ(0, vaccel_queue_stop(&q));
		EXPECT_EQ(VACCEL_STATE_STOPPED, ctrl_state(&q));
		EXPECT_EQ(i, sim_stat(&self->sim, "stops"));
		ASSERT_EQ(0, vaccel_queue_start(&q));
	}
	EXPECT_EQ(4, sim_stat(&self->sim, "starts"));
	EXPECT_EQ(2, sim_stat(&self->sim, "gets"));
	EXPECT_EQ(0, sim_stat(&self->sim, "puts"));
}

TEST_F(state, put_aborts_outstanding_work)
{
	struct vaccel_desc nop = { .opcode = VACCEL_OP_NOP };
	struct vaccel_queue q;
	struct vaccel_cqe cqe;

	ASSERT_EQ(0, vaccel_queue_open(&q, self->sim.node));
	ASSERT_EQ(0, sim_hold(&self->sim, "engine", 1));
	ASSERT_EQ(0, vaccel_submit(&q, &nop));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "engine", 1));

	/* it does not wait for what is held */
	EXPECT_EQ(0, vaccel_queue_stop(&q));
	ASSERT_EQ(0, sim_release(&self->sim, "engine"));
	EXPECT_EQ(0, vaccel_reap(&q, &cqe));
	EXPECT_EQ(0, sim_stat(&self->sim, "completions"));
	EXPECT_EQ(0, sim_stat(&self->sim, "running"));
}

TEST_F(state, close_of_a_started_queue_stops_it_first)
{
	struct bg closer;

	ASSERT_EQ(0, q_start(self->fd));
	ASSERT_EQ(0, sim_hold(&self->sim, "put_queue", 1));
	ASSERT_EQ(0, bg_close(&closer, self->fd));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "put_queue", 1));
	EXPECT_EQ(1, sim_stat(&self->sim, "stops"));
	EXPECT_EQ(0, sim_stat(&self->sim, "running"));
	ASSERT_EQ(0, sim_release(&self->sim, "put_queue"));
	EXPECT_EQ(0, bg_wait(&closer));
	EXPECT_EQ(0, sim_wait_stat(&self->sim, "puts", 1));
	EXPECT_EQ(1, sim_stat(&self->sim, "stops"));
}

TEST_F(state, close_of_a_stopped_queue_does_not_stop_it_again)
{
	ASSERT_EQ(0, q_start(self->fd));
	ASSERT_EQ(0, q_put(self->fd));
	ASSERT_EQ(0, close(self->fd));
	EXPECT_EQ(0, sim_wait_stat(&self->sim, "puts", 1));
	EXPECT_EQ(1, sim_stat(&self->sim, "stops"));
}

TEST_F(state, failed_start_leaves_it_stopped)
{
	ASSERT_EQ(0, sim_fail(&self->sim, "start", 1));
	EXPECT_EQ(-EIO, q_start(self->fd));
	EXPECT_EQ(0, sim_stat(&self->sim, "running"));

	/* so there is nothing to stop ... */
	EXPECT_EQ(0, q_put(self->fd));
	EXPECT_EQ(0, sim_stat(&self->sim, "stops"));

	/* ... and it can still be started */
	EXPECT_EQ(0, q_start(self->fd));
	EXPECT_EQ(1, sim_stat(&self->sim, "starts"));
}

TEST_F(state, failed_start_then_close_does_not_stop)
{
	ASSERT_EQ(0, sim_fail(&self->sim, "start", 1));
	EXPECT_EQ(-EIO, q_start(self->fd));
	ASSERT_EQ(0, close(self->fd));
	EXPECT_EQ(0, sim_wait_stat(&self->sim, "puts", 1));
	EXPECT_EQ(0, sim_stat(&self->sim, "stops"));
}

TEST_F(state, unknown_ioctl_is_ENOTTY)
{
	static const unsigned long cmds[] = {
		_IO('W', 2), _IO('W', 0x7f), _IO('X', 0), _IOR('W', 0, int),
		_IOW('W', 1, int), 0, 0xffffffff,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		EXPECT_EQ(-ENOTTY, q_ioctl(self->fd, cmds[i], NULL))
			TH_LOG("cmd %#lx", cmds[i]);
	}
	EXPECT_EQ(0, sim_stat(&self->sim, "starts"));

	ASSERT_EQ(0, q_start(self->fd));
	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		EXPECT_EQ(-ENOTTY, q_ioctl(self->fd, cmds[i], NULL))
			TH_LOG("cmd %#lx", cmds[i]);
	}
	EXPECT_EQ(0, sim_stat(&self->sim, "stops"));
}

TEST_F(state, drivers_ioctl_works_in_every_state)
{
	struct vaccel_info info = {};

	EXPECT_EQ(0, q_info(self->fd, &info));
	EXPECT_EQ(1, info.version);
	EXPECT_EQ(variant->no_sva ? 0 : UACCE_DEV_SVA, info.flags);
	EXPECT_EQ(-EINVAL, q_ioctl(self->fd, VACCEL_CMD_KICK, NULL));
	ASSERT_EQ(0, q_start(self->fd));
	EXPECT_EQ(0, q_info(self->fd, &info));
	EXPECT_EQ(0, q_ioctl(self->fd, VACCEL_CMD_KICK, NULL));
	ASSERT_EQ(0, q_put(self->fd));
	EXPECT_EQ(0, q_info(self->fd, &info));
	EXPECT_EQ(-EINVAL, q_ioctl(self->fd, VACCEL_CMD_KICK, NULL));
}

TEST_F(state, drivers_ioctl_may_fault)
{
	EXPECT_EQ(-EFAULT, q_info(self->fd, (void *)8));
	EXPECT_EQ(0, q_start(self->fd));
}

TEST_F(state, poll_tells_of_completions_only)
{
	struct vaccel_desc nop = { .opcode = VACCEL_OP_NOP };
	struct vaccel_queue q;
	struct vaccel_cqe cqe;

	/* neither stopped nor started and idle is news */
	EXPECT_EQ(0, q_poll(self->fd, 0));
	ASSERT_EQ(0, q_start(self->fd));
	EXPECT_EQ(0, q_poll(self->fd, 0));

	ASSERT_EQ(0, vaccel_queue_open(&q, self->sim.node));
	EXPECT_EQ(0, q_poll(q.fd, 0));
	ASSERT_EQ(0, vaccel_submit(&q, &nop));
	EXPECT_EQ(POLLIN, q_poll(q.fd, SIM_TIMEOUT_MS));
	/* until they are taken */
	EXPECT_EQ(POLLIN, q_poll(q.fd, 0));
	EXPECT_EQ(1, vaccel_reap(&q, &cqe));
	EXPECT_EQ(0, q_poll(q.fd, 0));
	/* and of those of the queue alone */
	EXPECT_EQ(0, q_poll(self->fd, 0));
}

TEST_F(state, completion_wakes_a_sleeping_poll)
{
	struct vaccel_desc nop = { .opcode = VACCEL_OP_NOP };
	struct vaccel_queue q;
	struct bg poller;

	ASSERT_EQ(0, vaccel_queue_open(&q, self->sim.node));
	ASSERT_EQ(0, sim_hold(&self->sim, "engine", 1));
	ASSERT_EQ(0, vaccel_submit(&q, &nop));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "engine", 1));
	ASSERT_EQ(0, bg_q_poll(&poller, q.fd, -1));
	ASSERT_EQ(0, bg_wait_asleep(&poller));
	EXPECT_FALSE(bg_done(&poller));
	ASSERT_EQ(0, sim_release(&self->sim, "engine"));
	EXPECT_EQ(POLLIN, bg_wait(&poller));
}

/* Opening takes a queue each time, also through another name of the file */
TEST_F(state, every_open_is_another_queue)
{
	char path[32];
	int fd2;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->fd);
	fd2 = open(path, O_RDWR);
	ASSERT_GE(fd2, 0);
	EXPECT_EQ(2, sim_stat(&self->sim, "queues"));
	ASSERT_EQ(0, q_start(self->fd));
	ASSERT_EQ(0, q_start(fd2));
	EXPECT_EQ(2, sim_stat(&self->sim, "running"));
}

TEST_F(state, dup_is_the_same_queue)
{
	int fd2 = dup(self->fd);

	ASSERT_GE(fd2, 0);
	ASSERT_EQ(0, q_start(self->fd));
	EXPECT_EQ(-EINVAL, q_start(fd2));
	ASSERT_EQ(0, close(self->fd));
	EXPECT_EQ(1, sim_stat(&self->sim, "running"));
	EXPECT_EQ(0, q_put(fd2));
	EXPECT_EQ(0, sim_stat(&self->sim, "puts"));
}

#ifdef __x86_64__
/* The way into the kernel that a 32-bit process takes */
static int compat_call(int nr, int a, unsigned int b, unsigned int c)
{
	long ret;

	asm volatile("int $0x80" : "=a" (ret)
		     : "a" (nr), "b" (a), "c" (b), "d" (c)
		     : "memory", "r8", "r9", "r10", "r11");
	return ret;
}

#define COMPAT_NR_GETPID	20
#define COMPAT_NR_IOCTL		54

static bool compat_works(void)
{
	int status = 1;
	pid_t pid = fork();

	/* where it does not, it is a bad instruction */
	if (!pid) {
		signal(SIGSEGV, SIG_DFL);
		_exit(compat_call(COMPAT_NR_GETPID, 0, 0, 0) <= 0);
	}
	return pid > 0 && !wait_pid(pid, &status) && !status;
}

static int compat_ioctl(int fd, unsigned int cmd, void *arg)
{
	return compat_call(COMPAT_NR_IOCTL, fd, cmd, (unsigned long)arg);
}

TEST_F(state, ioctls_of_a_32_bit_process_are_the_same)
{
	struct vaccel_info *info;

	if (!compat_works())
		SKIP(return, "needs CONFIG_IA32_EMULATION");
	info = mmap(NULL, getpagesize(), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	ASSERT_NE(MAP_FAILED, info);

	EXPECT_EQ(0, compat_ioctl(self->fd, UACCE_CMD_START_Q, NULL));
	EXPECT_EQ(-EINVAL, compat_ioctl(self->fd, UACCE_CMD_START_Q, NULL));
	EXPECT_EQ(0, compat_ioctl(self->fd, VACCEL_CMD_INFO, info));
	EXPECT_EQ(1, info->version);
	EXPECT_EQ(-EFAULT, compat_ioctl(self->fd, VACCEL_CMD_INFO, (void *)8));
	EXPECT_EQ(-ENOTTY, compat_ioctl(self->fd, _IO('W', 0x7f), NULL));
	EXPECT_EQ(0, compat_ioctl(self->fd, UACCE_CMD_PUT_Q, NULL));
	EXPECT_EQ(1, sim_stat(&self->sim, "stops"));
	ASSERT_EQ(0, sim_kill(&self->sim));
	EXPECT_EQ(-ENXIO, compat_ioctl(self->fd, UACCE_CMD_START_Q, NULL));
}
#endif

TEST_HARNESS_MAIN
