// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each allocation in each system call on a queue is made to fail in turn. The
 * call fails, or does without, and nothing is left behind; the next one works.
 */
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "uacce_test.h"
#include "nth.h"

/* What the device has of whom, as far as one can see it */
struct held {
	long pasids;
	long queues;
	long running;
	long gets;	/* that were not put */
	long binds;	/* that were not unbound */
	long starts;	/* that were not stopped */
	long free;	/* sysfs available_instances */
	long bond_lines;	/* debugfs */
	long queue_lines;
};

/* A device, and what a sweep works on */
struct subject {
	struct sim sim;
	int fd;
	void *map[2];
	size_t size[2];
	int epoll;
	struct held before;
};

FIXTURE(nth)
{
	struct subject s;
};

FIXTURE_VARIANT(nth)
{
	bool no_sva;
};

FIXTURE_VARIANT_ADD(nth, sva) {};
FIXTURE_VARIANT_ADD(nth, no_sva) { .no_sva = true };

FIXTURE_SETUP(nth)
{
	struct sim_config cfg = { .no_sva = variant->no_sva, .queues = 16 };
	const char *why = nth_prepare();

	self->s.fd = -1;
	if (why)
		SKIP(return, "%s", why);
	if (!setup_sim(_metadata, &self->s.sim, "ksft_nth", &cfg))
		return;
	self->s.size[UACCE_QFRT_MMIO] = self->s.sim.mmio_size;
	self->s.size[UACCE_QFRT_DUS] = self->s.sim.dus_size;
}

FIXTURE_TEARDOWN_PARENT(nth)
{
	nth_restore();
	teardown_sim(_metadata, &self->s.sim);
}

/* --- what there must not be more of afterwards */

static long lines_in_debugfs(const struct sim *sim, const char *name)
{
	char path[160], line[200];
	long n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/kernel/debug/uacce/%s/%s", sim->dev,
		 name);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		n += line[0] != '#';
	fclose(f);
	return n;
}

static void look(const struct sim *sim, struct held *h)
{
	memset(h, 0, sizeof(*h));
	h->pasids = sim_stat(sim, "pasids");
	h->queues = sim_stat(sim, "queues");
	h->running = sim_stat(sim, "running");
	h->gets = sim_stat(sim, "gets") - sim_stat(sim, "puts");
	h->binds = sim_stat(sim, "binds") - sim_stat(sim, "unbinds");
	h->starts = sim_stat(sim, "starts") - sim_stat(sim, "stops");
	h->free = sim_sysfs_long(sim, "available_instances");
	h->bond_lines = lines_in_debugfs(sim, "bonds");
	h->queue_lines = lines_in_debugfs(sim, "queues");
}

static void show(struct __test_metadata *_metadata, const char *when,
		 const struct held *h)
{
	TH_LOG("%s: pasids %ld queues %ld running %ld free %ld", when, h->pasids,
	       h->queues, h->running, h->free);
	TH_LOG("%s: gets %ld binds %ld starts %ld debugfs bonds %ld queues %ld",
	       when, h->gets, h->binds, h->starts, h->bond_lines,
	       h->queue_lines);
}

/* Soon, as some of it goes in the background */
static bool as_before(struct __test_metadata *_metadata, const struct sim *sim,
		      const struct held *before)
{
	long end = now_ms() + SIM_TIMEOUT_MS;
	struct held now;

	for (;;) {
		look(sim, &now);
		if (!memcmp(&now, before, sizeof(now)))
			return true;
		if (now_ms() > end)
			break;
		nap();
	}
	show(_metadata, "before", before);
	show(_metadata, "after", &now);
	return false;
}

static int open_and_close(const struct sim *sim)
{
	int fd = q_open(sim);

	if (fd < 0)
		return fd;
	return close(fd) ? -errno : 0;
}

/* --- sweeps */

/**
 * struct sweep - a call, and what belongs to it
 * @name: for the log
 * @call: the call; a negative errno if it fails
 * @undo: afterwards, if it did not fail
 * @errors: what it may fail with, up to the first zero
 * @min: failures that there are at least. It is 0 for what allocates nothing.
 */
struct sweep {
	const char *name;
	long (*call)(struct subject *s);
	int (*undo)(struct subject *s, long ret);
	int errors[4];
	unsigned int min;
};

static void run(struct __test_metadata *_metadata, struct subject *s,
		const struct sweep *sweep)
{
	unsigned int refused = 0;
	struct nth nth;
	long ret;

	look(&s->sim, &s->before);
	nth_begin(&nth);
	while (nth_next(&nth)) {
		nth_arm(&nth);
		ret = sweep->call(s);
		nth_disarm(&nth);

		if (ret < 0) {
			refused++;
			ASSERT_TRUE(nth.hit && nth_may_return(ret, sweep->errors)) {
				TH_LOG("%s, allocation %u: error %ld", sweep->name,
				       nth.n, ret);
			}
		} else if (sweep->undo) {
			ASSERT_EQ(0, sweep->undo(s, ret));
		}
		ASSERT_TRUE(as_before(_metadata, &s->sim, &s->before)) {
			TH_LOG("%s, allocation %u: returned %ld", sweep->name,
			       nth.n, ret);
		}
		ASSERT_EQ(0, open_and_close(&s->sim)) {
			TH_LOG("after %s, allocation %u: returned %ld",
			       sweep->name, nth.n, ret);
		}
	}
	ASSERT_GT(NTH_MAX, nth.n);
	TH_LOG("%s: %u failures injected, %u times refused", sweep->name,
	       nth.injected, refused);
	EXPECT_GE(nth.injected, nth_least(sweep->min));
	if (sweep->min)
		EXPECT_LT(0, refused);
}

static long call_open(struct subject *s)
{
	return q_open(&s->sim);
}

static int undo_open(struct subject *s, long ret)
{
	return close(ret) ? -errno : 0;
}

static const struct sweep sweep_open = {
	.name = "open",
	.call = call_open,
	.undo = undo_open,
	.errors = { -ENOMEM },
	.min = 8,
};

/* The address space was here before, its bond was not: it is made each time */
TEST_F(nth, open_of_a_first_queue)
{
	struct sweep sweep = sweep_open;

	sweep.name = "open of a first queue";
	sweep.min = variant->no_sva ? 8 : 12;
	run(_metadata, &self->s, &sweep);
}

TEST_F(nth, open_of_a_further_queue)
{
	struct sweep sweep = sweep_open;

	self->s.fd = q_open(&self->s.sim);
	ASSERT_GE(self->s.fd, 0);
	sweep.name = "open of a further queue";
	run(_metadata, &self->s, &sweep);
}

/* What a child has to say, in shared memory */
struct answer {
	long ret;
	bool hit;
};

static struct answer *make_answer(void)
{
	void *p = mmap(NULL, sizeof(struct answer), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* A bind of an address space that has never been bound to anything */
TEST_F(nth, open_in_a_new_address_space)
{
	struct answer *answer = make_answer();
	unsigned int refused = 0;
	struct nth nth, mine;
	int status;
	pid_t pid;

	ASSERT_NE(NULL, answer);
	look(&self->s.sim, &self->s.before);
	nth_begin(&nth);
	while (nth_next(&nth)) {
		fflush(NULL);
		pid = fork();
		ASSERT_GE(pid, 0);
		if (!pid) {
			nth_begin(&mine);
			mine.n = nth.n;
			nth_arm(&mine);
			answer->ret = q_open(&self->s.sim);
			nth_disarm(&mine);
			answer->hit = mine.hit;
			_exit(answer->ret >= 0 ||
			      open_and_close(&self->s.sim) == 0 ? 0 : 1);
		}
		ASSERT_EQ(0, wait_pid(pid, &status));
		nth_note(&nth, answer->hit);
		ASSERT_EQ(0, status) {
			TH_LOG("allocation %u: open returned %ld, and then did not work",
			       nth.n, answer->ret);
		}
		/* ENOSPC: what the IOMMU core makes of any failure to find a PASID */
		if (answer->ret < 0) {
			refused++;
			ASSERT_TRUE(nth.hit && (answer->ret == -ENOMEM ||
						answer->ret == -ENOSPC)) {
				TH_LOG("allocation %u: error %ld", nth.n,
				       answer->ret);
			}
		}
		ASSERT_TRUE(as_before(_metadata, &self->s.sim, &self->s.before)) {
			TH_LOG("allocation %u: open returned %ld", nth.n,
			       answer->ret);
		}
	}
	ASSERT_GT(NTH_MAX, nth.n);
	TH_LOG("open in a new address space: %u failures injected, %u times refused",
	       nth.injected, refused);
	EXPECT_GE(nth.injected, variant->no_sva ? 8 : 14);
	EXPECT_LT(0, refused);
}

static long call_start(struct subject *s)
{
	return q_start(s->fd);
}

static int undo_start(struct subject *s, long ret)
{
	return q_put(s->fd);
}

static long call_put(struct subject *s)
{
	return q_put(s->fd);
}

static int undo_put(struct subject *s, long ret)
{
	return q_start(s->fd);
}

static long call_kick(struct subject *s)
{
	return q_ioctl(s->fd, VACCEL_CMD_KICK, NULL);
}

static long call_info(struct subject *s)
{
	struct vaccel_info info;
	int ret = q_info(s->fd, &info);

	return ret ? ret : info.version == 1 ? 0 : -EBADMSG;
}

/* Nothing is allocated to start or stop a queue: it always works. */
TEST_F(nth, ioctls)
{
	static const struct sweep start = {
		.name = "START_Q", .call = call_start, .undo = undo_start,
	};
	static const struct sweep put = {
		.name = "PUT_Q", .call = call_put, .undo = undo_put,
	};
	static const struct sweep kick = {
		.name = "KICK", .call = call_kick,
	};
	static const struct sweep info = {
		.name = "INFO", .call = call_info,
	};

	self->s.fd = q_open(&self->s.sim);
	ASSERT_GE(self->s.fd, 0);
	run(_metadata, &self->s, &info);
	run(_metadata, &self->s, &start);
	ASSERT_EQ(0, q_start(self->s.fd));
	run(_metadata, &self->s, &put);
	run(_metadata, &self->s, &kick);
	run(_metadata, &self->s, &info);
	EXPECT_TRUE(nth_works());
}

/*
 * Far from whatever a program has, where there are no page tables yet. Mappings
 * one gigabyte apart have none in common.
 */
#define NOWHERE(i)	((void *)(0x200000000000UL + ((i) << 30)))

static long map_region(struct subject *s, unsigned int type)
{
	void *p = mmap(NOWHERE((unsigned long)type), s->size[type],
		       PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE,
		       s->fd, type * getpagesize());

	if (p == MAP_FAILED)
		return -errno;
	s->map[type] = p;
	return 0;
}

/* It must be all there, and go without a trace */
static int unmap_region(struct subject *s, unsigned int type)
{
	const char *p = s->map[type];
	size_t i;

	for (i = 0; i < s->size[type]; i += getpagesize()) {
		if (touch(p + i))
			return -EFAULT;
	}
	return munmap(s->map[type], s->size[type]) ? -errno : 0;
}

static long call_map_mmio(struct subject *s)
{
	return map_region(s, UACCE_QFRT_MMIO);
}

static int undo_map_mmio(struct subject *s, long ret)
{
	return unmap_region(s, UACCE_QFRT_MMIO);
}

static long call_map_dus(struct subject *s)
{
	return map_region(s, UACCE_QFRT_DUS);
}

static int undo_map_dus(struct subject *s, long ret)
{
	return unmap_region(s, UACCE_QFRT_DUS);
}

/* EFAULT: what vm_insert_pages() says to a page table that it cannot have */
TEST_F(nth, mmap_of_each_region)
{
	static const struct sweep mmio = {
		.name = "mmap of MMIO", .call = call_map_mmio,
		.undo = undo_map_mmio, .errors = { -ENOMEM }, .min = 3,
	};
	static const struct sweep dus = {
		.name = "mmap of DUS", .call = call_map_dus,
		.undo = undo_map_dus, .errors = { -ENOMEM, -EFAULT },
		.min = 3,
	};

	self->s.fd = q_open(&self->s.sim);
	ASSERT_GE(self->s.fd, 0);
	run(_metadata, &self->s, &mmio);
	run(_metadata, &self->s, &dus);
	/* a region that a failed mmap() took for good could not be had */
	EXPECT_EQ(0, map_region(&self->s, UACCE_QFRT_MMIO));
	EXPECT_EQ(0, map_region(&self->s, UACCE_QFRT_DUS));
}

static long call_munmap(struct subject *s)
{
	return munmap(s->map[UACCE_QFRT_DUS], s->size[UACCE_QFRT_DUS]) ?
	       -errno : 0;
}

static int undo_munmap(struct subject *s, long ret)
{
	return map_region(s, UACCE_QFRT_DUS);
}

/* Moving a region is refused; a copy of the VMA comes and goes meanwhile */
static long call_mremap(struct subject *s)
{
	size_t size = s->size[UACCE_QFRT_DUS];
	void *p = mremap(s->map[UACCE_QFRT_DUS], size, size,
			 MREMAP_MAYMOVE | MREMAP_FIXED, NOWHERE(2UL));

	return p == MAP_FAILED ? -errno : 0;
}

static long call_split(struct subject *s)
{
	return mprotect(s->map[UACCE_QFRT_DUS], getpagesize(), PROT_READ) ?
	       -errno : 0;
}

/* Calls that fail as they should if they do not fail for want of memory */
static void run_refused(struct __test_metadata *_metadata, struct subject *s,
			const char *name, long (*call)(struct subject *s), long want)
{
	struct nth nth;
	long ret;

	look(&s->sim, &s->before);
	nth_begin(&nth);
	while (nth_next(&nth)) {
		nth_arm(&nth);
		ret = call(s);
		nth_disarm(&nth);
		ASSERT_TRUE(ret == want || (nth.hit && ret == -ENOMEM)) {
			TH_LOG("%s, allocation %u: returned %ld", name, nth.n,
			       ret);
		}
		ASSERT_TRUE(as_before(_metadata, &s->sim, &s->before));
		ASSERT_EQ(0, touch(s->map[UACCE_QFRT_DUS]));
	}
	TH_LOG("%s: %u failures injected", name, nth.injected);
}

TEST_F(nth, changes_of_a_mapping)
{
	static const struct sweep unmap = {
		.name = "munmap", .call = call_munmap, .undo = undo_munmap,
		.errors = { -ENOMEM },
	};
	unsigned int i;
	void *p;

	self->s.fd = q_open(&self->s.sim);
	ASSERT_GE(self->s.fd, 0);
	ASSERT_EQ(0, map_region(&self->s, UACCE_QFRT_DUS));
	run_refused(_metadata, &self->s, "mremap", call_mremap, -EPERM);
	run_refused(_metadata, &self->s, "mprotect of a page", call_split, -EINVAL);
	run(_metadata, &self->s, &unmap);

	/* the region was counted right all the time: it is free, and only once */
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, unmap_region(&self->s, UACCE_QFRT_DUS));
		ASSERT_EQ(0, map_region(&self->s, UACCE_QFRT_DUS));
		EXPECT_EQ(-EEXIST, q_mmap(self->s.fd, UACCE_QFRT_DUS,
					  getpagesize(), &p));
	}
}

static long call_poll(struct subject *s)
{
	return q_poll(s->fd, 0);
}

static long call_poll_sleep(struct subject *s)
{
	return q_poll(s->fd, 1);
}

static long call_epoll_add(struct subject *s)
{
	struct epoll_event ev = { .events = EPOLLIN };

	return epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->fd, &ev) ? -errno : 0;
}

static int undo_epoll_add(struct subject *s, long ret)
{
	return epoll_ctl(s->epoll, EPOLL_CTL_DEL, s->fd, NULL) ? -errno : 0;
}

static long call_epoll_wait(struct subject *s)
{
	struct epoll_event ev;
	int n = epoll_wait(s->epoll, &ev, 1, 0);

	return n < 0 ? -errno : n;
}

TEST_F(nth, poll_and_epoll)
{
	static const struct sweep poll = {
		.name = "poll", .call = call_poll, .errors = { -ENOMEM },
	};
	static const struct sweep poll_sleep = {
		.name = "poll that sleeps", .call = call_poll_sleep,
		.errors = { -ENOMEM },
	};
	static const struct sweep add = {
		.name = "epoll_ctl", .call = call_epoll_add,
		.undo = undo_epoll_add, .errors = { -ENOMEM }, .min = 2,
	};
	static const struct sweep wait = {
		.name = "epoll_wait", .call = call_epoll_wait,
		.errors = { -ENOMEM },
	};

	self->s.fd = q_open(&self->s.sim);
	ASSERT_GE(self->s.fd, 0);
	self->s.epoll = epoll_create1(EPOLL_CLOEXEC);
	ASSERT_GE(self->s.epoll, 0);
	ASSERT_EQ(0, q_start(self->s.fd));

	run(_metadata, &self->s, &poll);
	run(_metadata, &self->s, &poll_sleep);
	run(_metadata, &self->s, &add);
	ASSERT_EQ(0, call_epoll_add(&self->s));
	run(_metadata, &self->s, &wait);
}

/* The system call itself: what the C library does around it is not at issue */
static long call_fork(struct subject *s)
{
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (!pid)
		_exit(0);
	return pid < 0 ? -errno : pid;
}

static int undo_fork(struct subject *s, long ret)
{
	int status;
	int err = wait_pid(ret, &status);

	return err ? err : status;
}

TEST_F(nth, fork_with_mapped_regions)
{
	/* EAGAIN: what copy_process() makes of some of its failures */
	static const struct sweep sweep = {
		.name = "fork", .call = call_fork, .undo = undo_fork,
		.errors = { -ENOMEM, -EAGAIN }, .min = 20,
	};

	self->s.fd = q_open(&self->s.sim);
	ASSERT_GE(self->s.fd, 0);
	ASSERT_EQ(0, map_region(&self->s, UACCE_QFRT_MMIO));
	ASSERT_EQ(0, map_region(&self->s, UACCE_QFRT_DUS));
	ASSERT_EQ(0, q_start(self->s.fd));
	run(_metadata, &self->s, &sweep);

	EXPECT_EQ(0, unmap_region(&self->s, UACCE_QFRT_MMIO));
	EXPECT_EQ(0, unmap_region(&self->s, UACCE_QFRT_DUS));
	EXPECT_EQ(0, q_put(self->s.fd));
}

/*
 * All that a process can do to let a queue go. A mapping holds the file as well, so it
 * is the last of these that has the queue stopped and put.
 */
static long call_close(struct subject *s)
{
	long ret = close(s->fd) ? -errno : 0;
	unsigned int i;

	s->fd = -1;
	for (i = 0; i < ARRAY_SIZE(s->map); i++) {
		if (munmap(s->map[i], s->size[i]) && !ret)
			ret = -errno;
	}
	return ret;
}

/* The only queue of its bond, started and mapped */
TEST_F(nth, close_always_works)
{
	struct nth nth;
	long ret;

	look(&self->s.sim, &self->s.before);
	nth_begin(&nth);
	while (nth_next(&nth)) {
		self->s.fd = q_open(&self->s.sim);
		ASSERT_GE(self->s.fd, 0);
		ASSERT_EQ(0, map_region(&self->s, UACCE_QFRT_MMIO));
		ASSERT_EQ(0, map_region(&self->s, UACCE_QFRT_DUS));
		ASSERT_EQ(0, q_start(self->s.fd));
		nth_arm(&nth);
		ret = call_close(&self->s);
		nth_disarm(&nth);
		ASSERT_EQ(0, ret);
		ASSERT_TRUE(as_before(_metadata, &self->s.sim, &self->s.before)) {
			TH_LOG("close, allocation %u", nth.n);
		}
	}
	ASSERT_GT(NTH_MAX, nth.n);
	TH_LOG("close: %u failures injected", nth.injected);
	EXPECT_GE(nth.injected, nth_least(4));
	EXPECT_TRUE(nth_works());
}

/* --- the end of a process */

static long begin_work(long sim, long unused1, long unused2)
{
	struct vaccel_queue q;
	int ret = vaccel_queue_open(&q, ((const struct sim *)sim)->node);

	return ret ? ret : q.fd;
}

static long exit_armed(long n, long unused1, long unused2)
{
	nth_arm_self(n);
	_exit(0);
}

/* The zombie knows whether the failure happened */
static int wait_zombie(pid_t pid, bool *hit)
{
	siginfo_t info;

	if (waitid(P_PID, pid, &info, WEXITED | WNOWAIT))
		return -errno;
	*hit = nth_hit_of(pid);
	return 0;
}

static void run_exit(struct __test_metadata *_metadata, struct subject *s, bool keep)
{
	struct peer peer;
	struct nth nth;
	bool hit = false;
	int fd, kept;

	look(&s->sim, &s->before);
	nth_begin(&nth);
	while (nth_next(&nth)) {
		kept = -1;
		ASSERT_EQ(0, peer_start(&peer));
		fd = peer_call(&peer, begin_work, (long)&s->sim, 0, 0);
		ASSERT_GE(fd, 0);
		if (keep) {
			kept = peer_take_fd(&peer, fd);
			ASSERT_GE(kept, 0);
		}
		ASSERT_EQ(0, peer_send(&peer, exit_armed, nth.n, 0, 0));
		ASSERT_EQ(0, wait_zombie(peer.pid, &hit));
		nth_note(&nth, hit);
		ASSERT_EQ(0, peer_wait(&peer));

		/* what a kept fd of a device with SVA holds is nothing any more */
		EXPECT_EQ(0, sim_wait_stat(&s->sim, "running",
					   keep && !s->sim.sva));
		if (keep && s->sim.sva) {
			ASSERT_EQ(0, sim_wait_stat(&s->sim, "queues", 0));
			ASSERT_EQ(0, sim_wait_stat(&s->sim, "pasids", 0));
			EXPECT_EQ(0, q_not_dead(kept));
		}
		if (keep)
			ASSERT_EQ(0, close(kept));
		ASSERT_TRUE(as_before(_metadata, &s->sim, &s->before)) {
			TH_LOG("exit, allocation %u", nth.n);
		}
	}
	ASSERT_GT(NTH_MAX, nth.n);
	TH_LOG("exit%s: %u failures injected", keep ? " with a kept fd" : "",
	       nth.injected);
	EXPECT_TRUE(nth_works());
	EXPECT_EQ(0, open_and_close(&s->sim));
}

TEST_F(nth, exit_of_the_process)
{
	run_exit(_metadata, &self->s, false);
}

TEST_F(nth, exit_while_another_process_keeps_the_fd)
{
	run_exit(_metadata, &self->s, true);
}

/* --- the work behind it */

/* Those of the core */
static const char * const core_works[] = {
	"uacce_bond_exit_work", "uacce_bond_free_work", "uacce_queue_put_work",
	"uacce_regions_sync_work",
};

/* Who is at what: the work items that the workers are executing */
struct worker {
	int pid;
	char work[64];
	char pages[512];	/* an allocation, of which it may still be told by whom */
};

struct account {
	struct worker workers[64];
	unsigned int n_workers;
	struct worker *last;	/* in the trace */
	unsigned int executed[ARRAY_SIZE(core_works)];
	unsigned int allocs;	/* in them */
	unsigned int others;	/* allocations in works of others */
	char first[600];	/* of the allocs */
};

static struct worker *worker_of(struct account *a, int pid)
{
	unsigned int i;

	for (i = 0; i < a->n_workers; i++) {
		if (a->workers[i].pid == pid)
			return &a->workers[i];
	}
	if (i == ARRAY_SIZE(a->workers))
		return NULL;
	a->n_workers++;
	a->workers[i].pid = pid;
	a->workers[i].work[0] = '\0';
	a->workers[i].pages[0] = '\0';
	return &a->workers[i];
}

/* Its index, or that behind the last */
static unsigned int core_work(const char *work)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(core_works); i++) {
		if (!strcmp(work, core_works[i]))
			break;
	}
	return i;
}

static void account_alloc(struct account *a, const struct worker *w,
			  const char *line)
{
	if (!w->work[0] || trace_keeps_books(line))
		return;
	if (core_work(w->work) == ARRAY_SIZE(core_works)) {
		a->others++;
	} else if (!a->allocs++) {
		snprintf(a->first, sizeof(a->first), "%s: %s", w->work, line);
		a->first[strcspn(a->first, "\n")] = '\0';
	}
}

/* Nobody who keeps books was seen in the stack trace of these pages. */
static void account_pages(struct account *a, struct worker *w)
{
	if (w->pages[0])
		account_alloc(a, w, w->pages);
	w->pages[0] = '\0';
}

static void account_event(struct account *a, struct worker *w, const char *line)
{
	const char *work;
	unsigned int i;

	if (strstr(line, ": workqueue_execute_start: ")) {
		work = strstr(line, "function ");
		if (work)
			sscanf(work, "function %63[a-zA-Z0-9_]", w->work);
		i = core_work(w->work);
		if (i < ARRAY_SIZE(core_works))
			a->executed[i]++;
	} else if (strstr(line, ": workqueue_execute_end: ")) {
		w->work[0] = '\0';
	} else if (strstr(line, ": mm_page_alloc: ")) {
		snprintf(w->pages, sizeof(w->pages), "%s", line);
	} else {
		account_alloc(a, w, line);
	}
}

/* "  kworker/u8:1-57  [000] ...2.  12.345678: EVENT: DETAILS", or " => FUNCTION" */
static void account_line(struct account *a, const char *line)
{
	const char *p = strstr(line, " [");

	if (line[0] == '#')
		return;
	if (!strncmp(line, " => ", 4)) {
		if (a->last && trace_keeps_books(line))
			a->last->pages[0] = '\0';
		return;
	}
	if (!p)
		return;
	while (p > line && p[-1] != '-')
		p--;
	a->last = worker_of(a, atoi(p));
	if (!a->last || strstr(line, ": <stack trace>"))
		return;
	account_pages(a, a->last);
	account_event(a, a->last, line);
}

static int account_trace(struct account *a)
{
	char line[512];
	unsigned int i;
	FILE *f = trace_open();

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		account_line(a, line);
	fclose(f);
	for (i = 0; i < a->n_workers; i++)
		account_pages(a, &a->workers[i]);
	return 0;
}

/* Hardware does not; and without SVA it does not come as far as that here. */
static bool engine_allocates(const struct sim *sim)
{
	return sim_is_simulated() && sim->sva;
}

/* The engine of a new queue allocates its buffers: such a work is noticed */
static int make_engine_allocate(const struct sim *sim)
{
	static char src[64], dst[64];
	struct vaccel_desc d = {
		.opcode = VACCEL_OP_COPY,
		.src = (unsigned long)src, .dst = (unsigned long)dst,
		.src_len = sizeof(src), .dst_len = sizeof(dst),
	};
	struct vaccel_queue q;
	struct vaccel_cqe cqe;
	int ret;

	ret = vaccel_queue_open(&q, sim->node);
	if (ret)
		return ret;
	ret = vaccel_run(&q, &d, &cqe);
	vaccel_queue_close(&q);
	return ret ? ret : (int)cqe.status;
}

/*
 * What a process leaves behind when it dies, or a device when it goes, is cleared away
 * by work items, which nobody could tell that there is no memory. So they must not need
 * any.
 */
static bool begin_account(struct __test_metadata *_metadata, const struct sim *sim)
{
	static const char * const events[] = {
		"workqueue/workqueue_execute_start",
		"workqueue/workqueue_execute_end",
		"kmem/kmalloc", "kmem/kmem_cache_alloc", "kmem/mm_page_alloc",
	};
	static const char filter[] = "comm ~ \"kworker*\"";

	/* what an event of pages does not say is who wanted them */
	if (!trace_begin(events, ARRAY_SIZE(events), filter) ||
	    !trace_stacks("kmem/mm_page_alloc", filter))
		SKIP(return false, "needs trace events of workqueues, slabs and pages");
	EXPECT_EQ(0, trace_on(true));
	if (engine_allocates(sim))
		EXPECT_EQ(0, make_engine_allocate(sim));
	return true;
}

/* @n of the work items @name were executed at least, and nothing was allocated. */
static void end_account(struct __test_metadata *_metadata, const struct sim *sim,
			const char *name, unsigned int n)
{
	struct account account = {};
	unsigned int i;

	EXPECT_EQ(0, trace_on(false));
	EXPECT_EQ(0, account_trace(&account));
	for (i = 0; i < ARRAY_SIZE(core_works); i++)
		TH_LOG("%u times %s", account.executed[i], core_works[i]);
	TH_LOG("%u allocations in them, %u in works of others", account.allocs,
	       account.others);
	EXPECT_LE(n, account.executed[core_work(name)]);
	EXPECT_EQ(0, account.allocs) {
		TH_LOG("%s", account.first);
	}
	if (engine_allocates(sim))
		EXPECT_LT(0, account.others);
	EXPECT_EQ(0, trace_end());
}

TEST_F(nth, work_after_an_exit_allocates_nothing)
{
	struct peer peer[8];
	int fd, kept[8];
	unsigned int i;

	if (variant->no_sva)
		SKIP(return, "the end of an address space is nothing to this device");
	for (i = 0; i < ARRAY_SIZE(peer); i++) {
		ASSERT_EQ(0, peer_start(&peer[i]));
		fd = peer_call(&peer[i], begin_work, (long)&self->s.sim, 0, 0);
		ASSERT_GE(fd, 0);
		kept[i] = peer_take_fd(&peer[i], fd);
		ASSERT_GE(kept[i], 0);
	}

	if (!begin_account(_metadata, &self->s.sim))
		return;
	for (i = 0; i < ARRAY_SIZE(peer); i++)
		ASSERT_EQ(0, peer_kill(&peer[i]));
	ASSERT_EQ(0, sim_wait_stat(&self->s.sim, "pasids", 0));
	ASSERT_EQ(0, sim_wait_stat(&self->s.sim, "queues", 0));
	for (i = 0; i < ARRAY_SIZE(kept); i++)
		ASSERT_EQ(0, close(kept[i]));
	end_account(_metadata, &self->s.sim, "uacce_bond_exit_work",
		    ARRAY_SIZE(peer));
}

/* Queues of which something is mapped: a removal has a work item wait for each. */
TEST_F(nth, work_of_a_removal_allocates_nothing)
{
	struct peer peer[4];
	unsigned int i;

	if (variant->no_sva)
		SKIP(return, "this work is the same without SVA");
	for (i = 0; i < ARRAY_SIZE(peer); i++) {
		ASSERT_EQ(0, peer_start(&peer[i]));
		ASSERT_GE(peer_call(&peer[i], begin_work, (long)&self->s.sim, 0, 0), 0);
	}

	if (!begin_account(_metadata, &self->s.sim))
		return;
	ASSERT_EQ(0, sim_kill(&self->s.sim));
	ASSERT_EQ(0, sim_not_clean(&self->s.sim));
	for (i = 0; i < ARRAY_SIZE(peer); i++)
		ASSERT_EQ(0, peer_exit(&peer[i]));
	end_account(_metadata, &self->s.sim, "uacce_regions_sync_work",
		    ARRAY_SIZE(peer));
}

TEST_HARNESS_MAIN
