// SPDX-License-Identifier: GPL-2.0-only
/*
 * The end of a device, however it comes, whatever is being done to its queues: when it
 * returns nothing of the driver runs and none of it will, nothing of the device is
 * mapped, and every file says that its queue is dead; a new device of the same name works.
 *
 * A test is one way to go. It goes through all points at which that can be met, each a
 * cell of the matrix, and says how many cells there were. remove_test has what happens
 * to other queues meanwhile.
 */
#include <stdlib.h>
#include <sys/syscall.h>

#include "uacce_test.h"
#include "carrier.h"
#include "kmsg.h"
#include "late.h"
#include "order.h"
#include "pci.h"
#include "usermem.h"
#include "vq.h"

/* --- the columns: what a peer is doing at that time */

/* Memory by which peer and test see how far the other is */
static struct shared {
	unsigned long touched;
	bool enough;
} *shared;

static struct vq peer_q;
static int peer_fd, peer_uffd;
static void *peer_page;
static size_t peer_dus_size;

static long prepare_nothing(long sim, long unused1, long unused2)
{
	return -1;
}

static long prepare_unstarted(long sim, long unused1, long unused2)
{
	peer_fd = q_open((const struct sim *)sim);
	peer_dus_size = ((const struct sim *)sim)->dus_size;
	return peer_fd;
}

static long prepare_started(long sim, long unused1, long unused2)
{
	int ret = vq_open(&peer_q, (const struct sim *)sim);

	peer_fd = peer_q.q.fd;
	return ret ? ret : peer_fd;
}

static long prepare_late_page(long sim, long unused1, long unused2)
{
	peer_uffd = late_page(&peer_page);
	return peer_uffd < 0 ? peer_uffd : prepare_started(sim, 0, 0);
}

/* An open that was over in time: what it has got dies. */
#define OPENED_AND_DIED	1000

static long act_open(long sim, long unused1, long unused2)
{
	int fd = q_open((const struct sim *)sim);

	if (fd < 0)
		return fd;
	while (!__atomic_load_n(&shared->enough, __ATOMIC_RELAXED)) {
		if (q_poll(fd, 10) == POLL_DEAD)
			return q_not_dead(fd) ?: OPENED_AND_DIED;
	}
	return 0;
}

static long act_start(long unused1, long unused2, long unused3)
{
	return q_start(peer_fd);
}

static long act_stop(long unused1, long unused2, long unused3)
{
	return q_put(peer_fd);
}

static long act_ioctl(long unused1, long unused2, long unused3)
{
	static struct vaccel_info info;

	return q_info(peer_fd, peer_page ?: &info);
}

/* What has been mapped after all is of no use. */
static long act_mmap(long unused1, long unused2, long unused3)
{
	int ret;
	void *p;

	ret = q_mmap(peer_fd, UACCE_QFRT_DUS, peer_dus_size, &p);
	if (ret)
		return ret;
	while (!touch(p)) {
		if (__atomic_load_n(&shared->enough, __ATOMIC_RELAXED))
			return 0;
		nap();
	}
	return -ENXIO;
}

static long act_touch(long unused1, long unused2, long unused3)
{
	while (!touch(peer_q.q.dus)) {
		__atomic_fetch_add(&shared->touched, 1, __ATOMIC_RELAXED);
		if (__atomic_load_n(&shared->enough, __ATOMIC_RELAXED))
			return 0;
	}
	return -EFAULT;
}

static long act_poll(long unused1, long unused2, long unused3)
{
	return q_poll(peer_fd, -1);
}

static long act_close(long unused1, long unused2, long unused3)
{
	return close(peer_fd) ? -errno : 0;
}

static long peer_is_waited_for(long unused1, long unused2, long unused3)
{
	return q_poll(peer_uffd, SIM_TIMEOUT_MS) == POLLIN ? 0 : -ETIMEDOUT;
}

static long peer_fills_page(long unused1, long unused2, long unused3)
{
	return late_page_fill(peer_uffd, peer_page);
}

enum sync {
	SYNC_HELD,		/* by the simulator */
	SYNC_PAGE,		/* by a page that is not there */
	SYNC_DEVICE,		/* by the device, but the driver does not wait for long */
	SYNC_TOUCHED,
	SYNC_ASLEEP,
};

static const struct point {
	const char *name;
	enum sync sync;
	const char *hold;
	peer_fn prepare;
	bg_fn act;		/* NULL: the peer exits */
	bool second;		/* another removal waits for it already */
	long result[2];		/* of the act, one or the other */
} points[] = {
	{
		.name = "open in get_queue",
		.hold = "get_queue",
		.prepare = prepare_nothing,
		.act = act_open,
		.result = { -ENODEV, -ENODEV },
	}, {
		.name = "start",
		.hold = "start",
		.prepare = prepare_unstarted,
		.act = act_start,
	}, {
		.name = "stop",
		.hold = "stop",
		.prepare = prepare_started,
		.act = act_stop,
	}, {
		.name = "stop that the device does not obey",
		.sync = SYNC_DEVICE,
		.hold = "device_stop",
		.prepare = prepare_started,
		.act = act_stop,
		.result = { 0, -ENXIO },
	}, {
		.name = "ioctl",
		.hold = "ioctl",
		.prepare = prepare_started,
		.act = act_ioctl,
	}, {
		.name = "ioctl in user memory",
		.sync = SYNC_PAGE,
		.prepare = prepare_late_page,
		.act = act_ioctl,
	}, {
		.name = "mmap in the driver",
		.hold = "mmap",
		.prepare = prepare_unstarted,
		.act = act_mmap,
		.result = { -ENXIO, -ENXIO },
	}, {
		.name = "mapping in use",
		.sync = SYNC_TOUCHED,
		.prepare = prepare_started,
		.act = act_touch,
		.result = { -EFAULT, -EFAULT },
	}, {
		.name = "poll asleep",
		.sync = SYNC_ASLEEP,
		.prepare = prepare_started,
		.act = act_poll,
		.result = { POLL_DEAD, POLL_DEAD },
	}, {
		.name = "close in put_queue",
		.hold = "put_queue",
		.prepare = prepare_unstarted,
		.act = act_close,
	}, {
		.name = "exit in stop_queue",
		.hold = "stop",
		.prepare = prepare_started,
	}, {
		.name = "exit in a stop that the device does not obey",
		.sync = SYNC_DEVICE,
		.hold = "device_stop",
		.prepare = prepare_started,
	}, {
		.name = "another removal under way",
		.sync = SYNC_PAGE,
		.prepare = prepare_late_page,
		.act = act_ioctl,
		.second = true,
	},
};

/* --- the rows: how the device goes */

struct cell;

struct way {
	bool refused;		/* as long as there is a device */
	bool lets_go;		/* of everybody who is held, before it does anything */
	long (*remove)(struct cell *c);
	/* the removal that is under way if this one is the second */
	long (*first)(struct cell *c);
	int (*revive)(struct cell *c);
};

struct cell {
	struct sim *sim;
	char parent[64];
	struct pci_function f;
	const struct way *way;
	const struct point *p;
	struct order order;
	struct peer peer;
	struct vq q;		/* the test's own */
	int held;		/* the peer's, or -1 */
	struct bg first, removal;
};

static long by_live(struct cell *c)
{
	return sim_kill(c->sim);
}

static long by_rmdir(struct cell *c)
{
	int ret = sim_rmdir(c->sim);

	/* On PCI that is to unbind and to forget, and there is nothing to unbind. */
	return ret == -ENODEV && c->p->second ? sim_rmdir(c->sim) : ret;
}

static long by_unbind(struct cell *c)
{
	long ret = sim_driver_write("unbind", c->parent);

	/* Where another one was first there is nothing to unbind. */
	return ret == -ENODEV && c->p->second ? 0 : ret;
}

static long by_unload(struct cell *c)
{
	const char *module = sim_is_simulated() ? "uacce_sim" : "uacce_vaccel";

	return syscall(SYS_delete_module, module, O_NONBLOCK) ? -errno : 0;
}

static long by_hot_removal(struct cell *c)
{
	return pci_remove_function(&c->f);
}

static int revive_live(struct cell *c)
{
	int ret = sim_go_live(c->sim);

	if (ret)
		return ret;
	ret = sim_gets(c->sim, "parent", c->parent, sizeof(c->parent));
	return ret < 0 ? ret : 0;
}

static int revive_made_anew(struct cell *c)
{
	struct sim_config cfg = {};
	int ret = sim_create(c->sim, "ksft", &cfg);

	return ret ? ret : revive_live(c);
}

static int revive_bound(struct cell *c)
{
	int ret;

	/* the one before has taken the parent away as well */
	if (c->p->second)
		return revive_live(c);
	ret = sim_driver_write("bind", c->parent);
	if (ret)
		return ret;
	ret = sim_gets(c->sim, "dev_name", c->sim->dev, sizeof(c->sim->dev));
	if (ret <= 0)
		return ret ?: -ENODEV;
	snprintf(c->sim->node, sizeof(c->sim->node), "/dev/%s", c->sim->dev);
	return 0;
}

static int revive_loaded(struct cell *c)
{
	load_module("uacce_vaccel");
	return sim_go_live(c->sim);
}

static int revive_plugged(struct cell *c)
{
	int ret = pci_bring_back(&c->f);

	return ret ? ret : sim_go_live(c->sim);
}

/* What carries the accelerator goes: the platform device, the PCI function. */
static const struct way parent_goes_sim = {
	.remove = by_live, .first = by_unbind, .revive = revive_live,
};

static const struct way parent_goes_pci = {
	.remove = by_hot_removal, .first = by_unbind, .revive = revive_plugged,
};

static const struct way unbind_sim = {
	.remove = by_unbind, .first = by_live, .revive = revive_bound,
};

static const struct way unbind_pci = {
	.remove = by_unbind, .first = by_hot_removal, .revive = revive_plugged,
};

static const struct way instance_goes_sim = {
	.lets_go = true, .remove = by_rmdir, .first = by_unbind,
	.revive = revive_made_anew,
};

static const struct way instance_goes_pci = {
	.remove = by_rmdir, .first = by_unbind, .revive = revive_made_anew,
};

/* Its instances hold the module. */
static const struct way unload_sim = {
	.refused = true, .remove = by_unload, .first = by_live,
	.revive = revive_live,
};

static const struct way unload_pci = {
	.remove = by_unload, .first = by_unbind, .revive = revive_loaded,
};

static bool is_held(const struct point *p)
{
	return p->sync == SYNC_HELD;
}

static bool possible(const struct point *p)
{
	/* Only the simulator can hold its driver, and has no device to disobey. */
	if (is_held(p))
		return sim_is_simulated();
	return p->sync != SYNC_DEVICE || !sim_is_simulated();
}

/* --- a cell */

/* The peer is at the point. */
static int arrive(struct cell *c)
{
	const struct point *p = c->p;
	long end = now_ms() + SIM_TIMEOUT_MS;

	switch (p->sync) {
	case SYNC_HELD:
		return sim_wait_held(c->sim, p->hold, 1);
	case SYNC_PAGE:
		return peer_call(&c->peer, peer_is_waited_for, 0, 0, 0);
	case SYNC_ASLEEP:
		return peer_bg_wait_asleep(&c->peer);
	case SYNC_TOUCHED:
		while (!__atomic_load_n(&shared->touched, __ATOMIC_RELAXED)) {
			if (now_ms() > end)
				return -ETIMEDOUT;
		}
		return 0;
	default:
		return 0;
	}
}

static int act(struct cell *c)
{
	if (!c->p->act)
		return peer_begin_exit(&c->peer);
	return peer_bg_start(&c->peer, c->p->act, (long)c->sim);
}

static int cell_begin(struct cell *c)
{
	int fd, ret;

	memset(shared, 0, sizeof(*shared));
	ret = order_begin(&c->order, c->sim->dev) ?: vq_open(&c->q, c->sim) ?:
	      peer_start(&c->peer);
	if (ret)
		return ret;
	c->held = -1;
	fd = peer_call(&c->peer, c->p->prepare, (long)c->sim, 0, 0);
	if (fd < 0 && c->p->prepare != prepare_nothing)
		return fd;
	/* but the last close has to be the last */
	if (fd >= 0 && c->p->act != act_close) {
		c->held = peer_take_fd(&c->peer, fd);
		if (c->held < 0)
			return c->held;
	}
	ret = c->p->hold ? sim_hold(c->sim, c->p->hold, is_held(c->p) ? 1 : -1) :
			   0;
	return ret ?: act(c) ?: arrive(c);
}

static long run_first(long c, long unused1, long unused2)
{
	return ((struct cell *)c)->way->first((struct cell *)c);
}

static long run_removal(long c, long unused1, long unused2)
{
	return ((struct cell *)c)->way->remove((struct cell *)c);
}

static int let_go(struct cell *c)
{
	if (c->p->sync == SYNC_PAGE)
		return peer_call(&c->peer, peer_fills_page, 0, 0, 0);
	if (c->p->hold)
		return sim_release(c->sim, c->p->hold);
	return 0;
}

/*
 * Is there somebody in the driver whom a removal must wait for? (Who disobeys is waited
 * for by the driver, not for long.)
 */
static bool must_wait(const struct cell *c)
{
	if (is_held(c->p))
		return !c->way->lets_go;
	return c->p->sync == SYNC_PAGE;
}

/* The device goes, but not before the one in the driver does. */
static int device_goes(struct cell *c)
{
	int ret;

	if (c->p->second) {
		ret = bg_start(&c->first, run_first, (long)c, 0, 0) ?:
		      wait_sigbus(c->q.q.dus);
		if (ret)
			return ret;
	}
	ret = bg_start(&c->removal, run_removal, (long)c, 0, 0);
	if (ret)
		return ret;
	if (must_wait(c)) {
		/* by now it has come to those who are not in the driver */
		ret = wait_sigbus(c->q.q.dus);
		if (ret || bg_done(c->p->second ? &c->first : &c->removal))
			return ret ?: -EBADMSG;
		ret = let_go(c);
		if (ret)
			return ret;
	}
	ret = bg_wait(&c->removal);
	return ret ?: c->p->second ? bg_wait(&c->first) : 0;
}

/* The device does not go, and nobody is the worse for it. */
static int device_stays(struct cell *c)
{
	int ret;

	if (c->p->second) {
		ret = bg_start(&c->first, run_first, (long)c, 0, 0) ?:
		      wait_sigbus(c->q.q.dus);
		if (ret)
			return ret;
	}
	if (c->way->remove(c) != -EWOULDBLOCK)
		return -EBADMSG;
	if (!c->p->second && (touch(c->q.q.dus) || q_poll(c->q.q.fd, 0)))
		return -ENXIO;
	ret = let_go(c);
	__atomic_store_n(&shared->enough, true, __ATOMIC_RELAXED);
	return ret ?: c->p->second ? bg_wait(&c->first) : 0;
}

/* Is there anything of the driver after the end? 0, or what is wrong */
static int in_disorder(struct cell *c)
{
	static const enum order_what ops[] = {
		ORDER_GET, ORDER_PUT, ORDER_START, ORDER_STOP, ORDER_UNBIND,
	};
	struct order *o = &c->order;
	unsigned int i;
	int end, j;

	if (order_update(o))
		return 1;
	end = order_first(o, ORDER_REMOVE_DONE, 0);
	if (end < 0 || order_count(o, ORDER_REMOVE, 0) != 1)
		return 2;
	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		for (j = end; j < o->n; j++) {
			if (o->event[j].what == ops[i])
				return 3;
		}
	}
	for (j = 0; j < o->n; j++) {
		unsigned int queue = o->event[j].queue;

		if (queue && order_count(o, ORDER_PUT, queue) != 1)
			return 4;
		if (order_count(o, ORDER_STOP, queue) !=
		    order_count(o, ORDER_START, queue))
			return 5;
	}
	return 0;
}

static int act_went_wrong(struct cell *c)
{
	const long *want = c->p->result;
	long ret;

	if (!c->p->act)
		return peer_wait(&c->peer);
	ret = peer_bg_wait(&c->peer);
	if (ret == want[0] || ret == want[1])
		return 0;
	if (c->way->lets_go && ret == OPENED_AND_DIED)
		return 0;
	fprintf(stderr, "# the peer got %ld\n", ret);
	return 1;
}

/* The inode of an open file still knows its device. */
static int reopen(int fd)
{
	char path[32];
	int fd2;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fd2 = open(path, O_RDWR | O_CLOEXEC);
	return fd2 < 0 ? -errno : fd2;
}

/* All that promise 3 says. 0, or what is wrong */
static int not_cut_off(struct cell *c)
{
	int ret;

	if (q_not_dead(c->q.q.fd))
		return 1;
	if (!touch(c->q.q.mmio) || !touch(c->q.q.dus))
		return 2;
	if (c->held >= 0 && q_not_dead(c->held))
		return 3;
	ret = reopen(c->q.q.fd);
	if (ret != -ENODEV && ret != -ENXIO)
		return 4;
	return q_open(c->sim) != -ENOENT ? 5 : 0;
}

/* It is as if nothing had happened. 0, or what is wrong */
static int harmed(struct cell *c)
{
	struct vaccel_desc nop = d_nop();
	long ret;

	if (!c->p->act) {
		if (peer_wait(&c->peer))
			return 1;
	} else if (c->p->sync != SYNC_ASLEEP) {
		ret = peer_bg_wait(&c->peer);
		if (ret)
			return 2;
		if (peer_exit(&c->peer))
			return 3;
	} else if (peer_kill(&c->peer)) {
		return 4;
	}
	return vq_run(&c->q, &nop, NULL) ? 5 : 0;
}

/* A new device of that name works, and has nothing to do with the old one. */
static int not_reborn(struct cell *c)
{
	struct vaccel_desc nop = d_nop();
	struct vq new;
	int ret = c->way->revive(c);

	if (ret)
		return ret;
	if (vq_open(&new, c->sim) || vq_run(&new, &nop, NULL))
		return 1;
	if (q_not_dead(c->q.q.fd) || !touch(c->q.q.dus))
		return 2;
	if (c->held >= 0 && q_not_dead(c->held))
		return 3;
	vq_close(&new);
	return 0;
}

static int step(const char *what, int ret)
{
	if (ret)
		fprintf(stderr, "# %s: %d\n", what, ret);
	return ret;
}

static int cell_end(struct cell *c)
{
	sim_release_all(c->sim);
	vq_close(&c->q);
	if (c->held >= 0)
		close(c->held);
	return sim_wait_stat(c->sim, "queues", 0) ?:
	       sim_wait_stat(c->sim, "pasids", 0);
}

static int cell_stays(struct cell *c)
{
	int ret = step("removal is not refused", device_stays(c));

	if (ret)
		return ret;
	if (!c->p->second)
		return step("harmed", harmed(c));
	return step("act", act_went_wrong(c)) ?:
	       step("peer does not exit", peer_exit(&c->peer)) ?:
	       step("not reborn", not_reborn(c));
}

static int cell_goes(struct cell *c)
{
	int ret = step("device does not go", device_goes(c));

	if (!ret && c->way->remove != by_rmdir)
		ret = step("not clean", sim_not_clean(c->sim));
	return ret ?: step("not cut off", not_cut_off(c)) ?:
	       step("act", act_went_wrong(c)) ?:
	       step("peer does not exit", c->p->act ? peer_exit(&c->peer) : 0) ?:
	       step("in disorder", in_disorder(c)) ?:
	       step("not reborn", not_reborn(c));
}

static int one_cell(struct cell *c)
{
	return step("cell does not begin", cell_begin(c)) ?:
	       (c->way->refused ? cell_stays(c) : cell_goes(c)) ?:
	       step("cell does not end", cell_end(c));
}

/* --- the matrix */

FIXTURE(removal)
{
	struct sim sim;
	struct pci_function f;
};

FIXTURE_SETUP(removal)
{
	struct sim_config cfg = {};

	if (!setup_sim(_metadata, &self->sim, "ksft", &cfg))
		return;
	if (!sim_is_simulated())
		ASSERT_EQ(0, pci_find(&self->sim, &self->f));
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, shared);
}

/* Whatever the test has left: the next one finds a device */
FIXTURE_TEARDOWN_PARENT(removal)
{
	EXPECT_EQ(0, order_end());
	if (self->f.name[0]) {
		load_module("uacce_vaccel");
		EXPECT_EQ(0, pci_bring_back(&self->f));
	}
	teardown_sim(_metadata, &self->sim);
}

static bool is_module(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/module/%s/initstate", name);
	return !access(path, F_OK);
}

static void everywhere(struct __test_metadata *_metadata, struct sim *sim,
		       const struct pci_function *f, const struct way *way)
{
	struct cell c = { .sim = sim, .f = *f, .way = way };
	unsigned int i, cells = 0;

	if (way->remove == by_unload &&
	    !is_module(sim_is_simulated() ? "uacce_sim" : "uacce_vaccel"))
		SKIP(return, "needs the driver as a module");
	ASSERT_GT(sim_gets(sim, "parent", c.parent, sizeof(c.parent)), 0);
	for (i = 0; i < ARRAY_SIZE(points); i++) {
		if (!possible(&points[i]))
			continue;
		c.p = &points[i];
		ASSERT_EQ(0, one_cell(&c)) {
			TH_LOG("at: %s", c.p->name);
			order_print(&c.order);
		}
		cells++;
	}
	ASSERT_LT(0, cells);
	fprintf(stderr, "# cells: %u\n", cells);
}

TEST_F(removal, parent_device_goes)
{
	everywhere(_metadata, &self->sim, &self->f, sim_is_simulated() ?
		   &parent_goes_sim : &parent_goes_pci);
}

TEST_F(removal, instance_goes)
{
	everywhere(_metadata, &self->sim, &self->f, sim_is_simulated() ?
		   &instance_goes_sim : &instance_goes_pci);
}

TEST_F(removal, driver_is_unbound)
{
	everywhere(_metadata, &self->sim, &self->f, sim_is_simulated() ?
		   &unbind_sim : &unbind_pci);
}

TEST_F(removal, driver_is_unloaded)
{
	everywhere(_metadata, &self->sim, &self->f, sim_is_simulated() ?
		   &unload_sim : &unload_pci);
}

/*
 * One that sleeps in user memory, and others that are in the middle of work. How the
 * removal was begun makes no difference here.
 */
static long named_ioctl(long name, long unused1, long unused2)
{
	prctl(PR_SET_NAME, name);
	return act_ioctl(0, 0, 0);
}

TEST_F(removal, those_at_work_do_not_wait_for_one_in_user_memory)
{
	const char * const named[] = {
		self->sim.dev, "waits for queue", "ioctl", "uacce_in_memory", NULL
	};
	const char * const any[] = { self->sim.dev, "waits for queue", NULL };
	long mark = log_mark("uacce: test of a removal that a page delays");
	struct peer slow;
	struct bg poller, remover;
	struct vaccel_desc d;
	struct vq vq[2];
	int i;

	ASSERT_GE(mark, 0);
	ASSERT_EQ(0, peer_start(&slow));
	ASSERT_GE(peer_call(&slow, prepare_late_page, (long)&self->sim, 0, 0), 0);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, vq_open(&vq[i], &self->sim));
		ASSERT_EQ(VACCEL_ST_OK, dev_fill(&vq[i], vq[i].mem, 4 * PAGE, 0));
	}
	ASSERT_EQ(0, sim_hold(&self->sim, "dma", 2));
	for (i = 0; i < 2; i++) {
		d = d_fill(&vq[i], vq[i].mem, 4 * PAGE, PATTERN('d'));
		ASSERT_GE(vq_submit(&vq[i], &d), 0);
	}
	ASSERT_EQ(0, sim_wait_held(&self->sim, "dma", 2));
	ASSERT_EQ(0, peer_bg_start(&slow, named_ioctl, (long)"uacce_in_memory"));
	ASSERT_EQ(0, peer_call(&slow, peer_is_waited_for, 0, 0, 0));
	ASSERT_EQ(0, bg_q_poll(&poller, vq[0].q.fd, -1));
	ASSERT_EQ(0, bg_wait_asleep(&poller));

	ASSERT_EQ(0, bg_sim_kill(&remover, &self->sim));
	EXPECT_EQ(POLL_DEAD, bg_wait(&poller));
	EXPECT_EQ(0, sim_wait_stat(&self->sim, "running", 1));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, wait_sigbus(vq[i].q.dus));
		EXPECT_EQ(0, q_not_dead(vq[i].q.fd));
		EXPECT_TRUE(all_bytes(vq[i].mem + PAGE, 3 * PAGE, 0));
	}
	EXPECT_EQ(0, log_wait(mark, named, 10000 + SIM_TIMEOUT_MS));
	EXPECT_FALSE(bg_done(&remover));

	ASSERT_EQ(0, peer_call(&slow, peer_fills_page, 0, 0, 0));
	EXPECT_EQ(0, bg_wait(&remover));
	EXPECT_EQ(0, peer_bg_wait(&slow));
	EXPECT_EQ(0, sim_not_clean(&self->sim));
	/* once, and nobody else */
	EXPECT_EQ(1, log_count(mark, any));
	for (i = 0; i < 2; i++)
		EXPECT_TRUE(all_bytes(vq[i].mem + PAGE, 3 * PAGE, 0));
}

TEST_HARNESS_MAIN
