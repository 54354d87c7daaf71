// SPDX-License-Identifier: GPL-2.0-only
/*
 * The end of an address space is the end of its queues, whoever still holds
 * their descriptors: each is stopped once, before the IOMMU lets the address
 * space go, and gives back its hardware and its PASID.
 */
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "uacce_test.h"
#include "order.h"
#include "kmsg.h"
#include "late.h"

#define BIG	(64UL << 20)

FIXTURE(mm_exit)
{
	struct sim sim;
	struct peer owner;
	int fd;		/* the owner's */
	int held;	/* the same open file, held by the test */
};

/* What peers run. Each has its own copy of this. */
static struct vaccel_queue peer_queue;

static long open_queue(long sim, long unused1, long unused2)
{
	int ret;

	ret = vaccel_queue_open(&peer_queue, ((const struct sim *)sim)->node);
	return ret ? ret : peer_queue.fd;
}

static long run_nop(long unused1, long unused2, long unused3)
{
	struct vaccel_desc nop = { .opcode = VACCEL_OP_NOP };
	struct vaccel_cqe cqe;
	int ret;

	ret = vaccel_run(&peer_queue, &nop, &cqe);
	return ret ? ret : (long)cqe.status;
}

/* Copies between two buffers of which no page is there yet */
static long submit_copy(long len, long unused1, long unused2)
{
	struct vaccel_desc copy = {
		.opcode = VACCEL_OP_COPY, .src_len = len, .dst_len = len,
	};
	char *p;

	p = mmap(NULL, 2 * len, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	copy.src = (unsigned long)p;
	copy.dst = (unsigned long)p + len;
	return vaccel_submit(&peer_queue, &copy);
}

FIXTURE_SETUP(mm_exit)
{
	struct sim_config cfg = {};

	if (!setup_sim(_metadata, &self->sim, "ksft", &cfg))
		return;
	ASSERT_EQ(0, peer_start(&self->owner));
	self->fd = peer_call(&self->owner, open_queue, (long)&self->sim, 0, 0);
	ASSERT_GE(self->fd, 0);
	self->held = peer_take_fd(&self->owner, self->fd);
	ASSERT_GE(self->held, 0);
	ASSERT_EQ(1, sim_stat(&self->sim, "running"));
}

FIXTURE_TEARDOWN_PARENT(mm_exit)
{
	teardown_sim(_metadata, &self->sim);
}

/* Everything but the descriptor is given back */
static int wait_gone(const struct sim *sim)
{
	if (sim_wait_stat(sim, "queues", 0))
		return 1;
	if (sim_wait_stat(sim, "pasids", 0))
		return 2;
	if (sim_stat(sim, "running"))
		return 3;
	return 0;
}

TEST_F(mm_exit, exit_stops_the_queue_though_its_fd_is_held)
{
	ASSERT_EQ(0, peer_call(&self->owner, run_nop, 0, 0, 0));
	EXPECT_EQ(0, sim_stat(&self->sim, "stops"));
	ASSERT_EQ(0, peer_exit(&self->owner));

	/* the exit did it: there is nothing to wait for */
	EXPECT_EQ(1, sim_stat(&self->sim, "stops"));
	EXPECT_EQ(0, sim_stat(&self->sim, "running"));
	EXPECT_EQ(0, sim_stat(&self->sim, "running_at_release"));
	EXPECT_EQ(0, q_not_dead(self->held));
}

TEST_F(mm_exit, dead_queue_gives_back_hardware_and_pasid_though_its_fd_is_held)
{
	ASSERT_EQ(0, peer_exit(&self->owner));
	EXPECT_EQ(0, wait_gone(&self->sim));
	EXPECT_EQ(1, sim_stat(&self->sim, "puts"));
	EXPECT_EQ(1, sim_stat(&self->sim, "unbinds"));
	EXPECT_EQ(0, q_not_dead(self->held));

	ASSERT_EQ(0, close(self->held));
	EXPECT_EQ(1, sim_stat(&self->sim, "stops"));
	EXPECT_EQ(1, sim_stat(&self->sim, "puts"));
	EXPECT_EQ(1, sim_stat(&self->sim, "unbinds"));
}

static long become_sleeper(long fd, long unused1, long unused2)
{
	pid_t pid = fork();

	if (!pid)
		_exit(q_poll(fd, -1) == POLL_DEAD ? q_not_dead(fd) : 99);
	return pid < 0 ? -errno : pid;
}

TEST_F(mm_exit, exit_wakes_a_child_asleep_in_poll)
{
	int status;
	pid_t pid;

	ASSERT_EQ(0, close(self->held));
	pid = peer_call(&self->owner, become_sleeper, self->fd, 0, 0);
	ASSERT_GT(pid, 0);
	ASSERT_EQ(0, wait_asleep(pid));
	ASSERT_EQ(0, peer_exit(&self->owner));

	/* an orphan by now, so ours */
	ASSERT_EQ(0, wait_pid(pid, &status));
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
	EXPECT_EQ(1, sim_stat(&self->sim, "stops"));
}

TEST_F(mm_exit, exit_wakes_a_stranger_asleep_in_poll)
{
	struct bg poller;

	ASSERT_EQ(0, bg_q_poll(&poller, self->held, -1));
	ASSERT_EQ(0, bg_wait_asleep(&poller));
	ASSERT_EQ(0, peer_exit(&self->owner));
	EXPECT_EQ(POLL_DEAD, bg_wait(&poller));
	EXPECT_EQ(0, q_not_dead(self->held));
}

TEST_F(mm_exit, sigkill_stops_the_queue)
{
	ASSERT_EQ(0, peer_kill(&self->owner));
	EXPECT_EQ(0, sim_wait_stat(&self->sim, "stops", 1));
	EXPECT_EQ(0, q_not_dead(self->held));
	EXPECT_EQ(0, wait_gone(&self->sim));
}

TEST_F(mm_exit, queue_that_was_put_before_is_not_stopped_again)
{
	ASSERT_EQ(0, peer_q_put(&self->owner, self->fd));
	ASSERT_EQ(0, peer_exit(&self->owner));
	EXPECT_EQ(0, wait_gone(&self->sim));
	EXPECT_EQ(1, sim_stat(&self->sim, "stops"));
	EXPECT_EQ(0, q_not_dead(self->held));
}

TEST_F(mm_exit, queue_that_never_started_is_not_stopped)
{
	int fd, held;

	fd = peer_open(&self->owner, &self->sim);
	ASSERT_GE(fd, 0);
	held = peer_take_fd(&self->owner, fd);
	ASSERT_GE(held, 0);
	ASSERT_EQ(0, peer_exit(&self->owner));
	EXPECT_EQ(0, wait_gone(&self->sim));
	EXPECT_EQ(1, sim_stat(&self->sim, "stops"));
	EXPECT_EQ(2, sim_stat(&self->sim, "puts"));
	EXPECT_EQ(0, q_not_dead(held));
}

TEST_F(mm_exit, every_queue_of_the_address_space_is_stopped_once)
{
	int held[5];
	int i, fd;

	for (i = 0; i < 5; i++) {
		fd = peer_open(&self->owner, &self->sim);
		ASSERT_GE(fd, 0);
		ASSERT_EQ(0, peer_q_start(&self->owner, fd));
		held[i] = peer_take_fd(&self->owner, fd);
		ASSERT_GE(held[i], 0);
	}
	ASSERT_EQ(0, peer_exit(&self->owner));
	EXPECT_EQ(6, sim_stat(&self->sim, "stops"));
	for (i = 0; i < 5; i++)
		EXPECT_EQ(0, q_not_dead(held[i]));
	EXPECT_EQ(0, q_not_dead(self->held));
	EXPECT_EQ(0, wait_gone(&self->sim));
}

TEST_F(mm_exit, queues_of_other_address_spaces_live_on)
{
	struct vaccel_desc nop = { .opcode = VACCEL_OP_NOP };
	struct vaccel_queue q;
	struct vaccel_cqe cqe;

	ASSERT_EQ(0, vaccel_queue_open(&q, self->sim.node));
	ASSERT_EQ(0, peer_exit(&self->owner));
	EXPECT_EQ(0, sim_wait_stat(&self->sim, "pasids", 1));
	EXPECT_EQ(1, sim_stat(&self->sim, "running"));
	EXPECT_EQ(0, q_poll(q.fd, 0));
	EXPECT_EQ(0, vaccel_run(&q, &nop, &cqe));
	EXPECT_EQ(VACCEL_ST_OK, cqe.status);
}

/* execve() gives a process a new address space; the old one dies */
#define DEAD_FD_ENV	"UACCE_TEST_DEAD_FD"

static __attribute__((constructor)) void after_exec(void)
{
	const char *fd = getenv(DEAD_FD_ENV);

	if (fd)
		_exit(q_not_dead(atoi(fd)));
}

static long do_exec(long fd, long unused1, long unused2)
{
	char text[16];

	snprintf(text, sizeof(text), "%ld", fd);
	setenv(DEAD_FD_ENV, text, 1);
	fcntl(fd, F_SETFD, 0);
	execl("/proc/self/exe", "uacce", NULL);
	return -errno;
}

TEST_F(mm_exit, execve_kills_the_queue)
{
	int status;

	ASSERT_EQ(0, peer_send(&self->owner, do_exec, self->fd, 0, 0));
	ASSERT_EQ(0, wait_pid(self->owner.pid, &status));
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
	EXPECT_EQ(1, sim_stat(&self->sim, "stops"));
	EXPECT_EQ(0, q_not_dead(self->held));
	EXPECT_EQ(0, wait_gone(&self->sim));
}

/*
 * A process that shares the owner's address space and outlives it. It may call
 * little: its C library thinks it is the owner.
 */
struct sharer {
	int fd;
	int in, out;
};

static long double sharer_stack[4096];	/* for its alignment */

static int sharer_main(void *arg)
{
	struct sharer *s = arg;
	long ret;
	char c;

	while (read(s->in, &c, 1) == 1) {
		ret = c == 'p' ? q_put(s->fd) : q_start(s->fd);
		if (write(s->out, &ret, sizeof(ret)) != sizeof(ret))
			break;
	}
	return 0;
}

static long start_sharer(long fd, long in, long out)
{
	static struct sharer s;
	int pid;

	s.fd = fd;
	s.in = in;
	s.out = out;
	pid = clone(sharer_main, sharer_stack + ARRAY_SIZE(sharer_stack),
		    CLONE_VM | SIGCHLD, &s);
	return pid < 0 ? -errno : pid;
}

TEST_F(mm_exit, clone_vm_process_keeps_the_address_space_alive)
{
	int in[2], out[2];
	struct peer owner;
	int fd, held;
	pid_t pid;
	long ret;

	ASSERT_EQ(0, peer_exit(&self->owner));
	ASSERT_EQ(0, sim_wait_stat(&self->sim, "queues", 0));

	ASSERT_EQ(0, pipe(in));
	ASSERT_EQ(0, pipe(out));
	ASSERT_EQ(0, peer_start(&owner));
	fd = peer_call(&owner, open_queue, (long)&self->sim, 0, 0);
	ASSERT_GE(fd, 0);
	held = peer_take_fd(&owner, fd);
	ASSERT_GE(held, 0);
	pid = peer_call(&owner, start_sharer, fd, in[0], out[1]);
	ASSERT_GT(pid, 0);

	/* the opener is gone, its address space is not */
	ASSERT_EQ(0, peer_exit(&owner));
	EXPECT_EQ(1, sim_stat(&self->sim, "stops"));
	EXPECT_EQ(1, sim_stat(&self->sim, "running"));
	EXPECT_EQ(0, q_poll(held, 0));

	/* nor has the queue another owner */
	ASSERT_EQ(1, write(in[1], "p", 1));
	ASSERT_EQ(sizeof(ret), read(out[0], &ret, sizeof(ret)));
	EXPECT_EQ(0, ret);
	ASSERT_EQ(1, write(in[1], "s", 1));
	ASSERT_EQ(sizeof(ret), read(out[0], &ret, sizeof(ret)));
	EXPECT_EQ(0, ret);
	EXPECT_EQ(-EPERM, q_put(held));
	EXPECT_EQ(2, sim_stat(&self->sim, "stops"));

	/* the last to share it ends it */
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(0, wait_pid(pid, NULL));
	EXPECT_EQ(3, sim_stat(&self->sim, "stops"));
	EXPECT_EQ(0, q_not_dead(held));
	EXPECT_EQ(0, wait_gone(&self->sim));
}

/*
 * Work in flight: held before the engine takes it, in the middle of its memory
 * accesses, and while it waits for a page.
 */
FIXTURE(in_flight)
{
	struct sim sim;
	struct peer owner;
	int held;
};

FIXTURE_VARIANT(in_flight)
{
	const char *point;
	bool kill;
};

FIXTURE_VARIANT_ADD(in_flight, not_yet_begun_exit) { .point = "engine" };
FIXTURE_VARIANT_ADD(in_flight, not_yet_begun_kill)
{
	.point = "engine", .kill = true,
};

FIXTURE_VARIANT_ADD(in_flight, amid_dma_exit) { .point = "dma" };
FIXTURE_VARIANT_ADD(in_flight, amid_dma_kill)
{
	.point = "dma", .kill = true,
};

FIXTURE_VARIANT_ADD(in_flight, waiting_for_a_page_exit)
{
	.point = "page_response",
};

FIXTURE_VARIANT_ADD(in_flight, waiting_for_a_page_kill)
{
	.point = "page_response", .kill = true,
};

FIXTURE_SETUP(in_flight)
{
	struct sim_config cfg = {};
	int fd;

	if (!setup_sim(_metadata, &self->sim, "ksft", &cfg))
		return;
	ASSERT_EQ(0, peer_start(&self->owner));
	fd = peer_call(&self->owner, open_queue, (long)&self->sim, 0, 0);
	ASSERT_GE(fd, 0);
	self->held = peer_take_fd(&self->owner, fd);
	ASSERT_GE(self->held, 0);
	ASSERT_EQ(0, sim_hold(&self->sim, variant->point, -1));
	ASSERT_EQ(0, peer_call(&self->owner, submit_copy, 1 << 20, 0, 0));
	ASSERT_EQ(0, sim_wait_held(&self->sim, variant->point, 1));
}

FIXTURE_TEARDOWN_PARENT(in_flight)
{
	teardown_sim(_metadata, &self->sim);
}

/* The holds are not released: whoever waits for the work to finish hangs */
TEST_F(in_flight, work_is_aborted_and_the_queue_stopped)
{
	ASSERT_EQ(0, variant->kill ? peer_kill(&self->owner) :
				     peer_exit(&self->owner));
	EXPECT_EQ(0, sim_wait_stat(&self->sim, "stops", 1));
	EXPECT_EQ(0, wait_gone(&self->sim));
	EXPECT_EQ(0, sim_stat(&self->sim, "completions"));
	EXPECT_EQ(0, q_not_dead(self->held));
}

/*
 * Queues without mappings. A mapping is a reference to the open file as a
 * descriptor is, and only the address space has it.
 */
FIXTURE(unmapped)
{
	struct sim sim;
	struct peer owner;
	int held;	/* the only descriptor there is */
};

FIXTURE_SETUP(unmapped)
{
	struct sim_config cfg = {};
	int fd;

	if (!setup_sim(_metadata, &self->sim, "ksft", &cfg))
		return;
	ASSERT_EQ(0, peer_start(&self->owner));
	fd = peer_open(&self->owner, &self->sim);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, peer_q_start(&self->owner, fd));
	self->held = peer_take_fd(&self->owner, fd);
	ASSERT_GE(self->held, 0);
	ASSERT_EQ(0, peer_close(&self->owner, fd));
	ASSERT_EQ(0, sim_hold(&self->sim, "stop", 1));
}

FIXTURE_TEARDOWN_PARENT(unmapped)
{
	EXPECT_EQ(0, order_end());
	teardown_sim(_metadata, &self->sim);
}

TEST_F(unmapped, last_close_during_the_exit_does_not_stop_or_put_twice)
{
	struct bg closer;

	ASSERT_EQ(0, peer_begin_exit(&self->owner));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "stop", 1));
	ASSERT_EQ(0, bg_close(&closer, self->held));
	ASSERT_EQ(0, bg_wait_asleep(&closer));
	/* the queue is not put while the driver still stops it */
	EXPECT_EQ(0, sim_stat(&self->sim, "puts"));

	ASSERT_EQ(0, sim_release(&self->sim, "stop"));
	EXPECT_EQ(0, bg_wait(&closer));
	ASSERT_EQ(0, peer_wait(&self->owner));
	EXPECT_EQ(0, wait_gone(&self->sim));
	EXPECT_EQ(1, sim_stat(&self->sim, "stops"));
	EXPECT_EQ(1, sim_stat(&self->sim, "puts"));
	EXPECT_EQ(1, sim_stat(&self->sim, "unbinds"));
}

/* The other way round: else the device runs on when the IOMMU lets go */
TEST_F(unmapped, exit_waits_for_the_stop_that_a_close_has_begun)
{
	struct bg closer;
	struct order o;
	int i;

	ASSERT_EQ(0, order_begin(&o, self->sim.dev));
	ASSERT_EQ(0, bg_close(&closer, self->held));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "stop", 1));
	ASSERT_EQ(0, peer_begin_exit(&self->owner));
	EXPECT_EQ(0, order_wait(&o, ORDER_MM_EXIT, 1));
	/* nothing says that somebody waits: have one that does not be seen to be done */
	for (i = 0; i < 50; i++)
		nap();
	EXPECT_EQ(0, order_update(&o));
	EXPECT_EQ(0, order_count(&o, ORDER_MM_EXIT_DONE, 0));
	EXPECT_EQ(0, sim_stat(&self->sim, "mm_releases"));

	ASSERT_EQ(0, sim_release(&self->sim, "stop"));
	ASSERT_EQ(0, peer_wait(&self->owner));
	EXPECT_EQ(0, bg_wait(&closer));
	EXPECT_EQ(0, order_wait(&o, ORDER_MM_EXIT_DONE, 1));
	EXPECT_LE(0, order_first(&o, ORDER_STOP, 0));
	EXPECT_LT(order_first(&o, ORDER_STOP, 0),
		  order_first(&o, ORDER_MM_EXIT_DONE, 0));
	EXPECT_EQ(0, wait_gone(&self->sim));
	EXPECT_EQ(1, sim_stat(&self->sim, "stops"));
	EXPECT_EQ(1, sim_stat(&self->sim, "puts"));
}

/* A stop is bounded, a put is not: a dying process waits for the first only */
TEST_F(unmapped, exit_does_not_wait_for_the_put_that_a_close_has_begun)
{
	struct bg closer;

	ASSERT_EQ(0, sim_release(&self->sim, "stop"));
	ASSERT_EQ(0, sim_hold(&self->sim, "put_queue", 1));
	ASSERT_EQ(0, bg_close(&closer, self->held));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "put_queue", 1));
	ASSERT_EQ(0, peer_begin_exit(&self->owner));
	EXPECT_EQ(0, peer_wait(&self->owner));
	EXPECT_FALSE(bg_done(&closer));

	ASSERT_EQ(0, sim_release(&self->sim, "put_queue"));
	EXPECT_EQ(0, bg_wait(&closer));
	EXPECT_EQ(0, wait_gone(&self->sim));
	EXPECT_EQ(1, sim_stat(&self->sim, "stops"));
	EXPECT_EQ(1, sim_stat(&self->sim, "puts"));
}

TEST_F(unmapped, poll_does_not_wait_for_the_stop)
{
	struct bg poller;

	ASSERT_EQ(0, peer_begin_exit(&self->owner));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "stop", 1));
	ASSERT_EQ(0, bg_q_poll(&poller, self->held, 0));
	EXPECT_GE(bg_wait(&poller), 0);
	ASSERT_EQ(0, sim_release(&self->sim, "stop"));
	ASSERT_EQ(0, peer_wait(&self->owner));
	EXPECT_EQ(0, q_not_dead(self->held));
}

TEST_F(unmapped, remove_during_the_exit_does_not_stop_or_put_twice)
{
	struct bg remover;

	ASSERT_EQ(0, peer_begin_exit(&self->owner));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "stop", 1));
	ASSERT_EQ(0, bg_sim_kill(&remover, &self->sim));
	ASSERT_EQ(0, bg_wait_asleep(&remover));
	EXPECT_FALSE(bg_done(&remover));
	EXPECT_EQ(0, sim_stat(&self->sim, "puts"));

	ASSERT_EQ(0, sim_release(&self->sim, "stop"));
	EXPECT_EQ(0, bg_wait(&remover));
	EXPECT_EQ(1, sim_stat(&self->sim, "stops"));
	EXPECT_EQ(1, sim_stat(&self->sim, "puts"));
	EXPECT_EQ(1, sim_stat(&self->sim, "unbinds"));
	ASSERT_EQ(0, peer_wait(&self->owner));
	EXPECT_EQ(0, q_not_dead(self->held));
}

/*
 * The page fault worker takes a reference to the address space for each fault;
 * if the process is killed meanwhile, its last reference may be the worker's,
 * and all of its end happens there.
 */
TEST_F(mm_exit, sigkill_amid_a_storm_of_page_faults)
{
	struct peer owner;
	int round;
	long fd;

	ASSERT_EQ(0, peer_kill(&self->owner));
	for (round = 0; round < 10; round++) {
		long faults = sim_stat(&self->sim, "page_faults");

		ASSERT_EQ(0, peer_start(&owner));
		fd = peer_call(&owner, open_queue, (long)&self->sim, 0, 0);
		ASSERT_GE(fd, 0);
		ASSERT_EQ(0, peer_call(&owner, submit_copy, BIG, 0, 0));
		ASSERT_EQ(0, sim_wait_stat_ge(&self->sim, "page_faults",
					      faults + 10));
		ASSERT_EQ(0, peer_kill(&owner));
		ASSERT_EQ(0, sim_wait_stat(&self->sim, "stops", round + 2));
		ASSERT_EQ(0, wait_gone(&self->sim));
	}
	/* a fault that finds the address space dying is an error */
	EXPECT_EQ(sim_stat(&self->sim, "errors"),
		  sim_stat(&self->sim, "completions"));
}

/*
 * Many processes, one after the other, on a device that has PASIDs and queues
 * for a few, with a collector that keeps every dead descriptor: here it is a
 * table of files that they all share.
 */
#define MANY	1000
/* Processes that may be on their way out when the next one comes */
#define DYING	4

FIXTURE(collector)
{
	struct sim sim;
};

FIXTURE_SETUP(collector)
{
	struct sim_config cfg = { .queues = 64, .pasid_bits = 8 };

	setup_sim(_metadata, &self->sim, "ksft", &cfg);
}

FIXTURE_TEARDOWN_PARENT(collector)
{
	teardown_sim(_metadata, &self->sim);
}

/*
 * Each mapping makes fork and exit dearer, here a thousand times: the children get
 * none of those that only the harness and the C library's clocks have a use for.
 * 32-bit programs make their system calls in the vDSO, too.
 */
static void slim_children(void)
{
	const char *unused = sizeof(long) == 8 ? "[v" : "[vvar";
	unsigned long start, end;
	char line[256], perm[8];
	FILE *maps;

	maps = fopen("/proc/self/maps", "re");
	if (!maps)
		return;
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %7s", &start, &end, perm) == 3 &&
		    (perm[3] == 's' || strstr(line, unused)))
			madvise((void *)start, end - start, MADV_DONTFORK);
	}
	fclose(maps);
}

/* Opens, starts, tells @out the descriptor or an error, and exits */
static pid_t short_life(const struct sim *sim, int out)
{
	pid_t pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);

	if (!pid) {
		int fd = q_open(sim);
		int ret = fd < 0 ? fd : q_start(fd);

		if (!ret)
			ret = fd;
		if (write(out, &ret, sizeof(ret)) != sizeof(ret))
			_exit(1);
		_exit(0);
	}
	return pid;
}

TEST_F_TIMEOUT(collector, thousand_processes_whose_dead_fds_are_kept, 900)
{
	struct rlimit lim = { MANY + 100, MANY + 100 };
	struct sim sim = self->sim;	/* for them: the fixture is not theirs */
	pid_t pid[DYING];
	int fd[MANY];
	int p[2];
	int i;

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &lim));
	ASSERT_EQ(0, pipe(p));
	slim_children();
	for (i = 0; i < MANY; i++) {
		if (i >= DYING) {
			pid_t old = pid[i % DYING];

			ASSERT_EQ(old, waitpid(old, NULL, 0));
		}
		pid[i % DYING] = short_life(&sim, p[1]);
		ASSERT_GT(pid[i % DYING], 0);
		ASSERT_EQ(sizeof(fd[i]), read(p[0], &fd[i], sizeof(fd[i])));
		ASSERT_GE(fd[i], 0) {
			TH_LOG("process %d", i);
		}
	}
	for (i = 0; i < DYING; i++)
		ASSERT_EQ(pid[i], waitpid(pid[i], NULL, 0));

	EXPECT_EQ(0, wait_gone(&self->sim));
	EXPECT_EQ(MANY, sim_stat(&self->sim, "stops"));
	EXPECT_EQ(MANY, sim_stat(&self->sim, "puts"));
	EXPECT_EQ(MANY, sim_stat(&self->sim, "binds"));
	for (i = 0; i < MANY; i += MANY / 20)
		EXPECT_EQ(0, q_not_dead(fd[i]));
}

/* A device with one queue, which a process has that is about to die */
FIXTURE(single)
{
	struct sim sim;
	struct peer owner;
};

FIXTURE_SETUP(single)
{
	struct sim_config cfg = { .queues = 1 };
	int fd;

	if (!setup_sim(_metadata, &self->sim, "ksft", &cfg))
		return;
	ASSERT_EQ(0, peer_start(&self->owner));
	fd = peer_open(&self->owner, &self->sim);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, peer_q_start(&self->owner, fd));
	ASSERT_GE(peer_take_fd(&self->owner, fd), 0);
}

FIXTURE_TEARDOWN_PARENT(single)
{
	teardown_sim(_metadata, &self->sim);
}

TEST_F(single, open_waits_for_the_queue_that_an_exit_gives_back)
{
	struct bg opener;

	ASSERT_EQ(0, sim_hold(&self->sim, "put_queue", 1));
	ASSERT_EQ(0, peer_exit(&self->owner));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "put_queue", 1));
	ASSERT_EQ(0, bg_q_open(&opener, &self->sim));
	ASSERT_EQ(0, bg_wait_asleep(&opener));
	EXPECT_FALSE(bg_done(&opener));
	ASSERT_EQ(0, sim_release(&self->sim, "put_queue"));
	EXPECT_GE(bg_wait(&opener), 0);
}

/* It was on its way back when the open() began, and the driver refuses all the same */
TEST_F(single, open_asks_again_if_the_queue_came_back_while_it_was_refused)
{
	struct bg opener;
	int i;

	ASSERT_EQ(0, sim_hold(&self->sim, "put_queue", 1));
	ASSERT_EQ(0, peer_exit(&self->owner));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "put_queue", 1));
	ASSERT_EQ(0, sim_hold(&self->sim, "get_queue", 1));
	ASSERT_EQ(0, sim_fail(&self->sim, "get_queue", 1));
	ASSERT_EQ(0, bg_q_open(&opener, &self->sim));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "get_queue", 1));

	ASSERT_EQ(0, sim_release(&self->sim, "put_queue"));
	ASSERT_EQ(0, sim_wait_stat(&self->sim, "puts", 1));
	/* what comes after the op is nothing that one can see: give it time */
	for (i = 0; i < 10; i++)
		nap();
	ASSERT_EQ(0, sim_release(&self->sim, "get_queue"));
	EXPECT_GE(bg_wait(&opener), 0);
	EXPECT_EQ(2, sim_stat(&self->sim, "gets"));
}

TEST_F(single, log_names_the_device_whose_stop_takes_over_a_second)
{
	const char * const words[] = { self->sim.dev, "too slow", NULL };
	long mark = log_mark("uacce: test of a slow stop");

	ASSERT_GE(mark, 0);
	ASSERT_EQ(0, sim_set(&self->sim, "inject/delay_stop_ms", 1100));
	ASSERT_EQ(0, peer_exit(&self->owner));
	EXPECT_EQ(1, log_count(mark, words));
}

/* Somebody who reads memory of the owner, that of a page which is not there yet */
FIXTURE(reader)
{
	struct sim sim;
	struct peer owner;
	struct bg call;
	int held;
	char mem[40];
};

static void *late_page_of_peer;

static long map_late_file(long unused1, long unused2, long unused3)
{
	int ret = late_file_map(&late_page_of_peer);

	return ret ? ret : (long)late_page_of_peer;
}

static long read_memory(long path, long addr, long unused)
{
	int fd = open((const char *)path, O_RDONLY | O_CLOEXEC);
	char c;

	if (fd < 0)
		return -errno;
	return pread64(fd, &c, 1, (unsigned long)addr) == 1 ? 0 : -errno;
}

FIXTURE_SETUP(reader)
{
	struct sim_config cfg = {};
	long addr;
	int fd;

	if (!setup_sim(_metadata, &self->sim, "ksft", &cfg))
		return;
	if (late_file_begin())
		SKIP(return, "needs a file in user space (CONFIG_FUSE_FS)");
	ASSERT_EQ(0, peer_start(&self->owner));
	fd = peer_call(&self->owner, open_queue, (long)&self->sim, 0, 0);
	ASSERT_GE(fd, 0);
	self->held = peer_take_fd(&self->owner, fd);
	ASSERT_GE(self->held, 0);
	addr = peer_call(&self->owner, map_late_file, 0, 0, 0);
	/* the upper half is for errors only in so far as no page is there */
	ASSERT_TRUE(addr >= 0 || addr < -4095);
	snprintf(self->mem, sizeof(self->mem), "/proc/%d/mem", self->owner.pid);
	ASSERT_EQ(0, bg_start(&self->call, read_memory, (long)self->mem, addr, 0));
	ASSERT_EQ(0, late_file_wait());
}

FIXTURE_TEARDOWN_PARENT(reader)
{
	late_file_end();
	teardown_sim(_metadata, &self->sim);
}

TEST_F(reader, address_space_lives_as_long_as_somebody_reads_its_memory)
{
	ASSERT_EQ(0, peer_kill(&self->owner));
	EXPECT_EQ(0, sim_stat(&self->sim, "stops"));
	EXPECT_EQ(1, sim_stat(&self->sim, "running"));
	EXPECT_EQ(0, q_poll(self->held, 0) & POLLERR);

	ASSERT_EQ(0, late_file_fill());
	EXPECT_EQ(0, bg_wait(&self->call));
	EXPECT_EQ(0, sim_wait_stat(&self->sim, "stops", 1));
	EXPECT_EQ(0, q_not_dead(self->held));
	EXPECT_EQ(0, wait_gone(&self->sim));
}

TEST_HARNESS_MAIN
