// SPDX-License-Identifier: GPL-2.0-only
/*
 * Errors that PCI Express reports (AER): the function is taken out of service, the
 * bus below its port is reset, the function is set up anew. Queues end in ERROR, and
 * start again afterwards, with the same mappings and the same address space.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "uacce_test.h"
#include "kmsg.h"
#include "plugged_test.h"
#include "qemu/vaccel-diag.h"
#include "regs.h"
#include "usermem.h"

ONLY_IN_LANE("vtd");

#define RECOVERED	"device recovery successful"
#define NOT_RECOVERED	"device recovery failed"

/* Like setup_plugged(), where the kernel is told of errors */
static bool setup_reporting(struct __test_metadata *_metadata, struct plugged *p,
			    const char *name, bool no_sva)
{
	char path[64];

	if (!setup_plugged(_metadata, p, name, no_sva))
		return false;
	snprintf(path, sizeof(path),
		 "/sys/bus/pci_express/drivers/aer/%s:pcie002", p->f.port);
	if (access(path, F_OK))
		SKIP(return false, "the port's errors are not the kernel's (CONFIG_PCIEAER)");
	return true;
}

/* Has the device report an error: where the log was before, or a negative errno */
static long begin_error(struct plugged *p, int action)
{
	long mark = log_mark("uacce: an error of PCI Express");
	int ret;

	if (mark < 0)
		return mark;
	ret = sim_set(&p->sim, "inject/action", action);
	return ret ? ret : mark;
}

/* Waits until the kernel has done with it */
static int wait_error(struct plugged *p, long mark, const char *outcome)
{
	const char * const words[] = { p->f.port, outcome, NULL };

	return mark < 0 ? mark : log_wait(mark, words, SIM_TIMEOUT_MS);
}

static int report_error(struct plugged *p, int action, const char *outcome)
{
	return wait_error(p, begin_error(p, action), outcome);
}

/* 0 if a poller that sleeps is woken by an interrupt, or what is wrong */
static int not_interrupting(struct sim *sim, struct vq *vq)
{
	struct vaccel_desc d = d_nop();
	struct bg poller;

	if (dev_hold(sim, vq, "engine", &d))
		return 1;
	if (bg_q_poll(&poller, vq->q.fd, -1) || bg_wait_asleep(&poller))
		return 2;
	if (bg_done(&poller))
		return 3;
	if (sim_release(sim, "engine") || bg_wait(&poller) != POLLIN)
		return 4;
	return vq_wait(vq, NULL) == VACCEL_ST_OK ? 0 : 5;
}

/*
 * 0 if the device takes pages that nobody has touched from the process, so PASID,
 * page requests and translations are on; or what is wrong
 */
static int not_sharing(struct sim *sim, struct vq *vq)
{
	long faults = sim_stat(sim, "page_faults");
	__u8 *src = fresh(WORK), *dst = fresh(WORK);
	int ret = 0;

	make_noise(src, WORK * PAGE, 7);
	if (dev_copy(vq, src, dst, WORK * PAGE) != VACCEL_ST_OK)
		ret = 1;
	else if (memcmp(src, dst, WORK * PAGE))
		ret = 2;
	else if (sim_stat(sim, "page_faults") < faults + 1)
		ret = 3;
	munmap(src, WORK * PAGE);
	munmap(dst, WORK * PAGE);
	return ret;
}

/* All of that, of a queue that was started again: 0, or what is wrong */
static int not_like_new(struct sim *sim, struct vq *vq)
{
	int ret = not_working(vq);

	if (ret)
		return ret;
	ret = not_interrupting(sim, vq);
	if (ret)
		return 10 + ret;
	ret = vq->sva ? not_sharing(sim, vq) : 0;
	return ret ? 20 + ret : 0;
}

FIXTURE(error)
{
	struct plugged p;
	struct vq vq;
};

FIXTURE_VARIANT(error)
{
	int action;
	bool no_sva;
};

/* It works on meanwhile, if nobody stops it */
FIXTURE_VARIANT_ADD(error, nonfatal) { .action = VACCEL_DIAG_AER_NONFATAL };
FIXTURE_VARIANT_ADD(error, fatal) { .action = VACCEL_DIAG_AER_FATAL };
/* It can be reached by nobody until the bus is reset */
FIXTURE_VARIANT_ADD(error, link_down) { .action = VACCEL_DIAG_AER_LINK };
FIXTURE_VARIANT_ADD(error, nonfatal_no_sva)
{
	.action = VACCEL_DIAG_AER_NONFATAL, .no_sva = true,
};

FIXTURE_VARIANT_ADD(error, fatal_no_sva)
{
	.action = VACCEL_DIAG_AER_FATAL, .no_sva = true,
};

FIXTURE_SETUP(error)
{
	if (!setup_reporting(_metadata, &self->p, "ksft", variant->no_sva))
		return;
	ASSERT_EQ(0, vq_open(&self->vq, &self->p.sim));
}

FIXTURE_TEARDOWN_PARENT(error)
{
	teardown_plugged(_metadata, &self->p);
}

TEST_F(error, ends_work_in_the_middle)
{
	struct sim *sim = &self->p.sim;
	struct vq *vq = &self->vq;
	long resets = sim_stat(sim, "device_resets");
	struct vaccel_cqe cqe;
	struct bg poller;
	struct vq other;

	ASSERT_EQ(0, vq_open(&other, sim));
	ASSERT_EQ(0, bg_q_poll(&poller, other.q.fd, -1));
	ASSERT_EQ(0, bg_wait_asleep(&poller));
	ASSERT_EQ(0, begin_work(sim, vq));
	ASSERT_EQ(0, report_error(&self->p, variant->action, RECOVERED));

	EXPECT_EQ(POLLIN, bg_wait(&poller));
	EXPECT_EQ(0, not_failed(&other));
	EXPECT_EQ(0, not_failed(vq));
	EXPECT_EQ(-EIO, vaccel_wait(&vq->q, &cqe, SIM_TIMEOUT_MS));
	EXPECT_EQ(1, vq_cq_tail(vq));
	EXPECT_EQ(0, sim_stat(sim, "device_running"));
	EXPECT_LT(resets, sim_stat(sim, "device_resets"));
	EXPECT_EQ(0, sim_sysfs_long(sim, "isolate"));

	/* nor does it come later */
	ASSERT_EQ(0, sim_release(sim, "dma"));
	ASSERT_EQ(0, vq_restart(vq));
	EXPECT_TRUE(only_first_page(vq));
	EXPECT_EQ(0, not_like_new(sim, vq));
	ASSERT_EQ(0, vq_restart(&other));
	EXPECT_EQ(0, not_like_new(sim, &other));
}

TEST_F(error, with_nobody_there_leaves_no_trace)
{
	struct sim *sim = &self->p.sim;
	struct vq other;
	int idle;

	vq_close(&self->vq);
	ASSERT_EQ(0, sim_wait_stat(sim, "queues", 0));
	ASSERT_EQ(0, report_error(&self->p, variant->action, RECOVERED));
	/* registers behind a link that is down are left alone */
	EXPECT_EQ(0, sim_stat(sim, "in_vain"));
	ASSERT_EQ(0, vq_open(&other, sim));
	EXPECT_EQ(0, not_like_new(sim, &other));
	vq_close(&other);

	/* a queue that is not started has nothing to lose */
	idle = q_open(sim);
	ASSERT_GE(idle, 0);
	ASSERT_EQ(0, report_error(&self->p, variant->action, RECOVERED));
	EXPECT_EQ(0, q_poll(idle, 0));
	EXPECT_EQ(0, q_start(idle));
	EXPECT_EQ(0, q_put(idle));
}

/* What is restored is as good the second time, and after resets of other kinds */
TEST_F(error, again_and_again)
{
	struct sim *sim = &self->p.sim;
	struct vq *vq = &self->vq;
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, report_error(&self->p, variant->action, RECOVERED));
		EXPECT_EQ(0, not_failed(vq));
		ASSERT_EQ(0, vq_restart(vq));
		EXPECT_EQ(0, not_like_new(sim, vq));
		ASSERT_EQ(0, pci_reset(&self->p.f));
		ASSERT_EQ(0, vq_restart(vq));
		EXPECT_EQ(0, not_like_new(sim, vq));
	}
	vq_close(vq);
	ASSERT_EQ(0, sim_kill(sim));
	ASSERT_EQ(0, sim_go_live(sim));
	ASSERT_EQ(0, vq_open(vq, sim));
	ASSERT_EQ(0, report_error(&self->p, variant->action, RECOVERED));
	ASSERT_EQ(0, vq_restart(vq));
	EXPECT_EQ(0, not_like_new(sim, vq));
}

TEST_F(error, reaches_every_process)
{
	struct sim *sim = &self->p.sim;
	struct peer stays, leaves;

	ASSERT_EQ(0, peer_start(&stays));
	ASSERT_EQ(0, peer_start(&leaves));
	ASSERT_EQ(0, peer_call(&stays, peer_vq_open, (long)sim, 0, 0));
	ASSERT_EQ(0, peer_call(&leaves, peer_vq_open, (long)sim, 0, 0));
	ASSERT_EQ(0, report_error(&self->p, variant->action, RECOVERED));
	EXPECT_EQ(0, peer_call(&stays, peer_not_failed, 0, 0, 0));
	EXPECT_EQ(0, not_failed(&self->vq));

	/* one that does not start again, one that does */
	EXPECT_EQ(0, peer_exit(&leaves));
	EXPECT_EQ(0, sim_wait_stat(sim, "queues", 2));
	EXPECT_EQ(0, peer_call(&stays, peer_vq_restart, 0, 0, 0));
	EXPECT_EQ(0, peer_call(&stays, peer_not_working, 0, 0, 0));
	ASSERT_EQ(0, vq_restart(&self->vq));
	EXPECT_EQ(0, not_like_new(sim, &self->vq));
	if (!variant->no_sva)
		EXPECT_EQ(0, sim_wait_stat(sim, "pasids", 2));
	EXPECT_EQ(0, peer_exit(&stays));
}

TEST_F(error, while_queues_are_started_and_stopped)
{
	struct sim *sim = &self->p.sim;
	/* a link that is down, before anybody has heard of it */
	int also = variant->action == VACCEL_DIAG_AER_LINK ? -EIO : 0;
	struct restless others;
	int i;

	ASSERT_EQ(0, restless_begin(&others, sim, also));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, sim_wait_more(sim, "device_starts", 2));
		EXPECT_EQ(0, report_error(&self->p, variant->action, RECOVERED));
	}
	EXPECT_EQ(0, restless_end(&others));
	ASSERT_EQ(0, vq_restart(&self->vq));
	EXPECT_EQ(0, not_like_new(sim, &self->vq));
}

static long library_restarts(long vq, long enough, long unused)
{
	struct vaccel_queue *q = &((struct vq *)vq)->q;
	int ret = 0;

	while (!ret && !__atomic_load_n((bool *)enough, __ATOMIC_RELAXED)) {
		ret = vaccel_queue_stop(q);
		if (!ret)
			ret = vaccel_queue_start(q);
		nap();
	}
	return ret;
}

/* START fails with EAGAIN while the device is out of service. Nobody has to see it. */
TEST_F(error, is_waited_for_by_the_library)
{
	struct sim *sim = &self->p.sim;
	bool enough = false;
	struct bg bg;
	int i;

	if (variant->action == VACCEL_DIAG_AER_LINK)
		SKIP(return, "START fails with EIO before anybody has heard of it");
	ASSERT_EQ(0, bg_start(&bg, library_restarts, (long)&self->vq, (long)&enough, 0));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, sim_wait_more(sim, "device_starts", 2));
		EXPECT_EQ(0, report_error(&self->p, variant->action, RECOVERED));
	}
	__atomic_store_n(&enough, true, __ATOMIC_RELAXED);
	EXPECT_EQ(0, bg_wait(&bg));
	ASSERT_EQ(0, vq_restart(&self->vq));
	EXPECT_EQ(0, not_working(&self->vq));
}

/* --- two functions */

FIXTURE(two)
{
	struct plugged p[2];
	struct vq vq[2];
};

FIXTURE_VARIANT(two)
{
	int action;
};

FIXTURE_VARIANT_ADD(two, nonfatal) { .action = VACCEL_DIAG_AER_NONFATAL };
FIXTURE_VARIANT_ADD(two, fatal) { .action = VACCEL_DIAG_AER_FATAL };
FIXTURE_VARIANT_ADD(two, link_down) { .action = VACCEL_DIAG_AER_LINK };

FIXTURE_SETUP(two)
{
	if (!setup_reporting(_metadata, &self->p[0], "ksft", false) ||
	    !setup_reporting(_metadata, &self->p[1], "ksft_other", false))
		return;
	ASSERT_EQ(0, vq_open(&self->vq[0], &self->p[0].sim));
	ASSERT_EQ(0, vq_open(&self->vq[1], &self->p[1].sim));
}

FIXTURE_TEARDOWN_PARENT(two)
{
	teardown_plugged(_metadata, &self->p[1]);
	teardown_plugged(_metadata, &self->p[0]);
}

/* They serve the same address space, with the same PASID */
TEST_F(two, error_of_one_leaves_the_other_alone)
{
	const size_t len = WORK * PAGE;
	__u8 *src = fresh(WORK), *dst = fresh(WORK);
	struct sim *sim = &self->p[1].sim;
	struct vq *vq = &self->vq[1];
	struct vaccel_desc d;

	memset(src, 's', len);
	d = d_copy(vq, src, dst, len);
	ASSERT_EQ(0, dev_hold(sim, vq, "dma", &d));
	ASSERT_EQ(0, begin_work(&self->p[0].sim, &self->vq[0]));
	ASSERT_EQ(0, report_error(&self->p[0], variant->action, RECOVERED));

	EXPECT_EQ(0, not_failed(&self->vq[0]));
	EXPECT_EQ(VACCEL_STATE_RUNNING, vaccel_queue_state(&vq->q));
	ASSERT_EQ(0, sim_release(sim, "dma"));
	EXPECT_EQ(VACCEL_ST_OK, vq_wait(vq, NULL));
	EXPECT_TRUE(all_bytes(dst, len, 's'));
	EXPECT_EQ(0, not_like_new(sim, vq));
	EXPECT_EQ(0, sim_stat(sim, "device_resets"));
	ASSERT_EQ(0, sim_release(&self->p[0].sim, "dma"));
	ASSERT_EQ(0, vq_restart(&self->vq[0]));
	EXPECT_EQ(0, not_like_new(&self->p[0].sim, &self->vq[0]));
}

/* --- an error that a reset does not mend */

FIXTURE(loss)
{
	struct plugged p;
	struct vq vq;
};

FIXTURE_SETUP(loss)
{
	if (!setup_reporting(_metadata, &self->p, "ksft", false))
		return;
	ASSERT_EQ(0, vq_open(&self->vq, &self->p.sim));
}

FIXTURE_TEARDOWN_PARENT(loss)
{
	teardown_plugged(_metadata, &self->p);
}

TEST_F(loss, nobody_waits_for_a_device_that_is_given_up)
{
	struct sim *sim = &self->p.sim;
	struct bg poller;
	struct vq other;

	ASSERT_EQ(0, vq_open(&other, sim));
	ASSERT_EQ(0, bg_q_poll(&poller, other.q.fd, -1));
	ASSERT_EQ(0, bg_wait_asleep(&poller));
	ASSERT_EQ(0, begin_work(sim, &self->vq));
	ASSERT_EQ(0, report_error(&self->p, VACCEL_DIAG_AER_LOST, NOT_RECOVERED));

	EXPECT_EQ(POLLIN, bg_wait(&poller));
	EXPECT_EQ(0, not_failed(&other));
	EXPECT_EQ(0, not_failed(&self->vq));
	EXPECT_TRUE(only_first_page(&self->vq));
	/* "again later" would be a lie */
	EXPECT_EQ(1, sim_sysfs_long(sim, "isolate"));
	EXPECT_EQ(0, q_put(self->vq.q.fd));
	EXPECT_EQ(-EIO, q_start(self->vq.q.fd));

	ASSERT_EQ(0, pci_remove_function(&self->p.f));
	EXPECT_EQ(0, q_not_dead(self->vq.q.fd));
	EXPECT_EQ(0, q_not_dead(other.q.fd));
	EXPECT_EQ(0, not_reborn(&self->p));
}

/* Resets of a function, from one moment to another */
struct resets {
	struct pci_function f;
	bool begin;
	bool end;
};

/* Goes first as soon as it can: the recovery is done by a thread of real-time priority. */
static long reset_all_the_time(long resets, long unused1, long unused2)
{
	struct sched_param first = { .sched_priority = 99 };
	struct resets *r = (struct resets *)resets;
	int ret = 0;

	if (sched_setscheduler(0, SCHED_FIFO, &first))
		return -errno;
	while (!__atomic_load_n(&r->begin, __ATOMIC_RELAXED))
		nap();
	while (!ret && !__atomic_load_n(&r->end, __ATOMIC_RELAXED))
		ret = pci_reset(&r->f);
	return ret;
}

/*
 * A reset of the function that comes between that of the bus and the end of the
 * recovery saves a configuration that is lost.
 */
TEST_F(loss, reset_amid_a_recovery_does_not_make_it_lasting)
{
	static const int actions[] = { VACCEL_DIAG_AER_NONFATAL, VACCEL_DIAG_AER_FATAL };
	struct resets resets = { .f = self->p.f };
	struct vq *vq = &self->vq;
	struct bg bg;
	long mark;
	int i;

	for (i = 0; i < 2; i++) {
		resets.begin = false;
		resets.end = false;
		ASSERT_EQ(0, bg_start(&bg, reset_all_the_time, (long)&resets, 0, 0));
		ASSERT_EQ(0, bg_wait_asleep(&bg));
		mark = begin_error(&self->p, actions[i]);
		__atomic_store_n(&resets.begin, true, __ATOMIC_RELAXED);
		EXPECT_EQ(0, wait_error(&self->p, mark, RECOVERED));
		__atomic_store_n(&resets.end, true, __ATOMIC_RELAXED);
		EXPECT_EQ(0, bg_wait(&bg));
		ASSERT_EQ(0, vq_restart(vq));
		EXPECT_EQ(0, not_like_new(&self->p.sim, vq));

		/* and what is saved and restored from now on is a whole one */
		ASSERT_EQ(0, pci_reset(&self->p.f));
		ASSERT_EQ(0, vq_restart(vq));
		EXPECT_EQ(0, not_like_new(&self->p.sim, vq));
	}
}

/* The bus was reset, and nobody has restored anything: the reset of the function does. */
TEST_F(loss, reset_helps_once_there_is_a_link_again)
{
	struct sim *sim = &self->p.sim;
	struct vq *vq = &self->vq;

	ASSERT_EQ(0, report_error(&self->p, VACCEL_DIAG_AER_LOST, NOT_RECOVERED));
	pci_reset_bus(&self->p.f);
	EXPECT_EQ(1, sim_sysfs_long(sim, "isolate"));
	ASSERT_EQ(0, pci_reset(&self->p.f));
	EXPECT_EQ(0, sim_sysfs_long(sim, "isolate"));
	EXPECT_EQ(0, not_failed(vq));
	ASSERT_EQ(0, vq_restart(vq));
	EXPECT_EQ(0, not_like_new(sim, vq));
}

TEST_HARNESS_MAIN
