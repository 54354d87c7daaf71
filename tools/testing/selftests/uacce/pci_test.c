// SPDX-License-Identifier: GPL-2.0-only
/*
 * What can happen to an accelerator that is a PCI function: it is reset, fails,
 * does not stop, is pulled out, vanishes, is suspended, all that in the middle of
 * work. Users hear of it, nobody hangs, and nothing is written any more.
 */
#include <endian.h>
#include <sys/wait.h>
#include <unistd.h>

#include "uacce_test.h"
#include "kmsg.h"
#include "plugged_test.h"
#include "qemu/vaccel-diag.h"
#include "regs.h"
#include "usermem.h"
#include "vq.h"

ONLY_IN_LANE("vtd");

static long peer_fd(long unused1, long unused2, long unused3)
{
	return peer_vq.q.fd;
}

/* --- resets, and failures that a reset mends */

FIXTURE(function)
{
	struct plugged p;
	struct vq vq;
};

FIXTURE_VARIANT(function)
{
	bool no_sva;
};

FIXTURE_VARIANT_ADD(function, sva) {};
FIXTURE_VARIANT_ADD(function, no_sva) { .no_sva = true };

FIXTURE_SETUP(function)
{
	if (!setup_plugged(_metadata, &self->p, "ksft", variant->no_sva))
		return;
	ASSERT_EQ(0, vq_open(&self->vq, &self->p.sim));
}

FIXTURE_TEARDOWN_PARENT(function)
{
	teardown_plugged(_metadata, &self->p);
}

TEST_F(function, reset_without_work_leaves_no_trace)
{
	long resets = sim_stat(&self->p.sim, "device_resets");
	struct vq other;
	int idle;

	vq_close(&self->vq);
	ASSERT_EQ(0, sim_wait_stat(&self->p.sim, "queues", 0));
	ASSERT_EQ(0, pci_reset(&self->p.f));
	EXPECT_LT(resets, sim_stat(&self->p.sim, "device_resets"));
	EXPECT_EQ(0, vq_open(&other, &self->p.sim));
	EXPECT_EQ(0, not_working(&other));

	/* a queue that is not started has nothing to lose */
	idle = q_open(&self->p.sim);
	ASSERT_GE(idle, 0);
	ASSERT_EQ(0, pci_reset(&self->p.f));
	EXPECT_EQ(0, q_poll(idle, 0));
	EXPECT_EQ(0, q_start(idle));
	EXPECT_EQ(0, q_put(idle));
}

TEST_F(function, reset_ends_work_in_the_middle)
{
	struct vaccel_cqe cqe;

	ASSERT_EQ(0, begin_work(&self->p.sim, &self->vq));
	ASSERT_EQ(0, pci_reset(&self->p.f));
	EXPECT_EQ(0, not_failed(&self->vq));
	EXPECT_EQ(-EIO, vaccel_wait(&self->vq.q, &cqe, SIM_TIMEOUT_MS));
	EXPECT_EQ(1, vq_cq_tail(&self->vq));
	EXPECT_EQ(0, sim_stat(&self->p.sim, "device_running"));

	/* nor does it come later */
	ASSERT_EQ(0, sim_release(&self->p.sim, "dma"));
	ASSERT_EQ(0, vq_restart(&self->vq));
	EXPECT_TRUE(only_first_page(&self->vq));
	EXPECT_EQ(0, not_working(&self->vq));
}

/* What the function loses in D3hot is set up again, bus mastering not too early */
TEST_F(function, power_cycle_ends_work_in_the_middle)
{
	struct sim *sim = &self->p.sim;
	struct vq *vq = &self->vq;
	long resets = sim_stat(sim, "device_resets");
	int i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, begin_work(sim, vq));
		ASSERT_EQ(0, pci_power_cycle(&self->p.f));
		EXPECT_EQ(resets + i + 1, sim_stat(sim, "device_resets"));
		EXPECT_EQ(0, not_failed(vq));
		EXPECT_EQ(0, sim_stat(sim, "device_running"));
		ASSERT_EQ(0, sim_release(sim, "dma"));
		ASSERT_EQ(0, vq_restart(vq));
		EXPECT_TRUE(only_first_page(vq));
		EXPECT_EQ(0, not_working(vq));
	}
}

TEST_F(function, reset_ends_every_queue_and_each_starts_again)
{
	struct vq other[3];
	struct peer peer;
	int i;

	ASSERT_EQ(0, peer_start(&peer));
	ASSERT_EQ(0, peer_call(&peer, peer_vq_open, (long)&self->p.sim, 0, 0));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, vq_open(&other[i], &self->p.sim));
	ASSERT_EQ(0, begin_work(&self->p.sim, &other[1]));
	ASSERT_EQ(0, pci_reset(&self->p.f));

	EXPECT_EQ(0, not_failed(&self->vq));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, not_failed(&other[i]));
	EXPECT_EQ(0, peer_call(&peer, peer_not_failed, 0, 0, 0));

	/* in another order, with what each address space was bound to before */
	EXPECT_EQ(0, peer_call(&peer, peer_vq_restart, 0, 0, 0));
	EXPECT_EQ(0, peer_call(&peer, peer_not_working, 0, 0, 0));
	for (i = 2; i >= 0; i--) {
		ASSERT_EQ(0, vq_restart(&other[i]));
		EXPECT_EQ(0, not_working(&other[i]));
	}
	ASSERT_EQ(0, vq_restart(&self->vq));
	EXPECT_EQ(0, not_working(&self->vq));
	EXPECT_EQ(0, peer_call(&peer, peer_not_working, 0, 0, 0));
	if (!variant->no_sva)
		EXPECT_EQ(2, sim_stat(&self->p.sim, "pasids"));
	EXPECT_EQ(0, peer_exit(&peer));
}

TEST_F(function, reset_wakes_a_sleeping_poll)
{
	struct bg poller;

	ASSERT_EQ(0, bg_q_poll(&poller, self->vq.q.fd, -1));
	ASSERT_EQ(0, bg_wait_asleep(&poller));
	EXPECT_FALSE(bg_done(&poller));
	ASSERT_EQ(0, pci_reset(&self->p.f));
	EXPECT_EQ(POLLIN, bg_wait(&poller));
	EXPECT_EQ(0, not_failed(&self->vq));
}

TEST_F(function, queue_can_be_put_and_closed_after_a_reset)
{
	struct vq other;

	ASSERT_EQ(0, vq_open(&other, &self->p.sim));
	ASSERT_EQ(0, pci_reset(&self->p.f));
	EXPECT_EQ(0, q_put(self->vq.q.fd));
	EXPECT_EQ(0, q_put(self->vq.q.fd));
	EXPECT_EQ(VACCEL_STATE_STOPPED, vaccel_queue_state(&self->vq.q));
	EXPECT_EQ(0, q_poll(self->vq.q.fd, 0));
	vq_close(&other);
	EXPECT_EQ(0, sim_wait_stat(&self->p.sim, "queues", 1));
	EXPECT_EQ(2, sim_stat(&self->p.sim, "stops"));
}

TEST_F(function, reset_while_queues_are_started_and_stopped)
{
	struct restless others;
	int i;

	ASSERT_EQ(0, restless_begin(&others, &self->p.sim, 0));
	for (i = 0; i < 5; i++) {
		EXPECT_EQ(0, sim_wait_more(&self->p.sim, "device_starts", 2));
		EXPECT_EQ(0, pci_reset(&self->p.f));
	}
	EXPECT_EQ(0, restless_end(&others));
	ASSERT_EQ(0, vq_restart(&self->vq));
	EXPECT_EQ(0, not_working(&self->vq));
}

TEST_F(function, stop_that_does_not_end_becomes_a_reset_of_the_queue)
{
	struct vq other;
	struct bg bg;
	int i;

	ASSERT_EQ(0, vq_open(&other, &self->p.sim));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, sim_hold(&self->p.sim, "device_stop", -1));
		ASSERT_EQ(0, bg_q_put(&bg, self->vq.q.fd));
		/* nobody lets the device go */
		EXPECT_EQ(0, bg_wait(&bg));
		EXPECT_EQ(VACCEL_STATE_STOPPED,
			  vaccel_queue_state(&self->vq.q));
		ASSERT_EQ(0, vq_restart(&self->vq));
		EXPECT_EQ(0, not_working(&self->vq));
		/* a reset of that queue, no other one */
		EXPECT_EQ(0, not_working(&other));
		EXPECT_EQ(0, sim_stat(&self->p.sim, "device_resets"));
	}
}

TEST_F(function, work_of_a_queue_that_does_not_stop_is_over)
{
	ASSERT_EQ(0, begin_work(&self->p.sim, &self->vq));
	ASSERT_EQ(0, sim_hold(&self->p.sim, "device_stop", -1));
	ASSERT_EQ(0, q_put(self->vq.q.fd));
	sim_release_all(&self->p.sim);
	ASSERT_EQ(0, vq_restart(&self->vq));
	EXPECT_TRUE(only_first_page(&self->vq));
	EXPECT_EQ(0, not_working(&self->vq));
}

TEST_F(function, device_that_obeys_no_reset_is_cut_off_until_it_is_reset)
{
	const char * const words[] = { self->p.f.name, "is cut off", NULL };
	struct vaccel_desc fill;
	struct bg poller;
	struct vq other;

	ASSERT_EQ(0, vq_open(&other, &self->p.sim));
	/* it knows that page by now */
	fill = d_fill(&other, other.mem, PAGE, 0);
	ASSERT_EQ(VACCEL_ST_OK, vq_run(&other, &fill, NULL));
	ASSERT_EQ(0, bg_q_poll(&poller, other.q.fd, -1));
	ASSERT_EQ(0, bg_wait_asleep(&poller));
	ASSERT_EQ(0, begin_work(&self->p.sim, &self->vq));
	ASSERT_EQ(0, sim_hold(&self->p.sim, "device_stop", -1));
	ASSERT_EQ(0, sim_hold(&self->p.sim, "device_reset", -1));

	/* who stops a queue does not wait for ever, and says what became of it */
	EXPECT_EQ(0, q_put(self->vq.q.fd));
	EXPECT_EQ(VACCEL_STATE_STOPPED, vaccel_queue_state(&self->vq.q));
	EXPECT_EQ(1, log_count(self->p.mark, words));
	EXPECT_EQ(1, isolated(&self->p.sim, 1));
	/* the others hear of it */
	EXPECT_EQ(POLLIN, bg_wait(&poller));
	EXPECT_EQ(0, not_failed(&other));
	EXPECT_EQ(-EIO, q_start(self->vq.q.fd));

	/*
	 * The device knows nothing of that, and its doorbells are there. But what it does
	 * now, for the other queue as well, reaches no memory: that ends its work.
	 */
	memset(other.mem, 1, PAGE);
	EXPECT_LE(0, vq_submit(&other, &fill));
	EXPECT_EQ(0, sim_wait_stat(&self->p.sim, "queue_errors", 1));
	EXPECT_TRUE(all_bytes(other.mem, PAGE, 1));
	EXPECT_TRUE(only_first_page(&self->vq));

	/* the reset of the function ends that of the queue as well */
	ASSERT_EQ(0, pci_reset(&self->p.f));
	sim_release_all(&self->p.sim);
	EXPECT_EQ(0, sim_sysfs_long(&self->p.sim, "isolate"));
	ASSERT_EQ(0, vq_restart(&self->vq));
	EXPECT_EQ(0, not_working(&self->vq));
	ASSERT_EQ(0, vq_restart(&other));
	EXPECT_EQ(0, not_working(&other));
}

/* A read that gives ones says nothing of what the device does to memory. */
TEST_F(function, device_that_does_not_answer_is_cut_off_until_it_is_reset)
{
	const char * const words[] = { self->p.f.name, "is cut off", NULL };
	struct sim *sim = &self->p.sim;
	struct vq other;

	ASSERT_EQ(0, vq_open(&other, sim));
	ASSERT_EQ(0, begin_work(sim, &self->vq));
	ASSERT_EQ(0, sim_set(sim, "inject/action", VACCEL_DIAG_MUTE));
	EXPECT_EQ(0, q_put(self->vq.q.fd));
	EXPECT_EQ(1, log_count(self->p.mark, words));
	EXPECT_EQ(1, sim_sysfs_long(sim, "isolate"));
	EXPECT_EQ(0, not_failed(&other));
	EXPECT_EQ(-EIO, q_start(self->vq.q.fd));

	/* it has not heard of that, and goes on: in vain */
	ASSERT_EQ(0, sim_release(sim, "dma"));
	EXPECT_EQ(0, sim_wait_stat(sim, "queue_errors", 1));
	EXPECT_TRUE(only_first_page(&self->vq));

	ASSERT_EQ(0, pci_reset(&self->p.f));
	EXPECT_EQ(0, sim_sysfs_long(sim, "isolate"));
	ASSERT_EQ(0, vq_restart(&self->vq));
	EXPECT_EQ(0, not_working(&self->vq));
	ASSERT_EQ(0, vq_restart(&other));
	EXPECT_EQ(0, not_working(&other));
}

/* More queues than it has doorbells for, or than any can have */
TEST_F(function, device_that_says_nonsense_is_not_bound)
{
	const char * const words[] = { self->p.f.name, "cannot have", NULL };
	static const long nonsense[] = { 65, 256, 257, 0xfffffffe };
	unsigned int i;

	vq_close(&self->vq);
	ASSERT_EQ(0, sim_kill(&self->p.sim));
	for (i = 0; i < ARRAY_SIZE(nonsense); i++) {
		ASSERT_EQ(0, sim_set(&self->p.sim, "queues", nonsense[i]));
		EXPECT_NE(0, sim_go_live(&self->p.sim));
		EXPECT_EQ(i + 1, log_count(self->p.mark, words));
	}
	ASSERT_EQ(0, sim_set(&self->p.sim, "queues", 0));
	ASSERT_EQ(0, sim_go_live(&self->p.sim));
	ASSERT_EQ(0, vq_open(&self->vq, &self->p.sim));
	EXPECT_EQ(0, not_working(&self->vq));
}

/* Its queue neither stops nor can be reset, and is at work when somebody else binds it */
TEST_F(function, device_that_does_not_come_to_rest_is_not_bound)
{
	const char * const words[] = { self->p.f.name, "does not come to rest", NULL };

	ASSERT_EQ(0, begin_work(&self->p.sim, &self->vq));
	ASSERT_EQ(0, sim_hold(&self->p.sim, "device_stop", -1));
	ASSERT_EQ(0, sim_hold(&self->p.sim, "device_reset", -1));
	ASSERT_EQ(0, sim_kill(&self->p.sim));
	EXPECT_NE(0, sim_go_live(&self->p.sim));
	EXPECT_EQ(1, log_count(self->p.mark, words));
	/* without SVA that memory went with the queue */
	if (self->p.sim.sva)
		EXPECT_TRUE(only_first_page(&self->vq));

	vq_close(&self->vq);
	sim_release_all(&self->p.sim);
	ASSERT_EQ(0, sim_go_live(&self->p.sim));
	ASSERT_EQ(0, vq_open(&self->vq, &self->p.sim));
	EXPECT_EQ(0, not_working(&self->vq));
}

TEST_F(function, device_that_fails_says_so_and_is_mended_by_a_reset)
{
	const char * const words[] = { self->p.f.name, "the device failed", NULL };
	struct vq other;
	struct bg poller;
	int fd;

	EXPECT_EQ(0, sim_sysfs_long(&self->p.sim, "isolate"));
	ASSERT_EQ(0, vq_open(&other, &self->p.sim));
	ASSERT_EQ(0, bg_q_poll(&poller, other.q.fd, -1));
	ASSERT_EQ(0, bg_wait_asleep(&poller));
	ASSERT_EQ(0, begin_work(&self->p.sim, &self->vq));
	ASSERT_EQ(0, sim_set(&self->p.sim, "inject/action", VACCEL_DIAG_FATAL));

	EXPECT_EQ(POLLIN, bg_wait(&poller));
	EXPECT_EQ(0, not_failed(&other));
	EXPECT_EQ(POLLIN, q_poll(self->vq.q.fd, SIM_TIMEOUT_MS));
	EXPECT_EQ(0, not_failed(&self->vq));
	EXPECT_EQ(1, isolated(&self->p.sim, 1));
	EXPECT_EQ(0, log_wait(self->p.mark, words, SIM_TIMEOUT_MS));
	EXPECT_TRUE(only_first_page(&self->vq));

	/* nothing can be started, the rest goes on as usual */
	EXPECT_EQ(0, q_put(self->vq.q.fd));
	EXPECT_EQ(-EIO, q_start(self->vq.q.fd));
	fd = q_open(&self->p.sim);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(-EIO, q_start(fd));
	EXPECT_EQ(0, q_put(fd));
	EXPECT_EQ(0, close(fd));

	ASSERT_EQ(0, sim_release(&self->p.sim, "dma"));
	ASSERT_EQ(0, pci_reset(&self->p.f));
	EXPECT_EQ(0, sim_sysfs_long(&self->p.sim, "isolate"));
	EXPECT_EQ(0, not_failed(&other));
	ASSERT_EQ(0, vq_restart(&self->vq));
	EXPECT_EQ(0, not_working(&self->vq));
	ASSERT_EQ(0, vq_restart(&other));
	EXPECT_EQ(0, not_working(&other));
}

/* It is what the driver takes away from a device that does not obey. */
TEST_F(function, nothing_is_written_without_bus_mastering)
{
	ASSERT_EQ(0, begin_work(&self->p.sim, &self->vq));
	ASSERT_EQ(0, pci_set_master(&self->p.f, false));
	ASSERT_EQ(0, sim_release(&self->p.sim, "dma"));
	/* the next thing that it does in vain ends the queue */
	EXPECT_EQ(0, sim_wait_stat(&self->p.sim, "device_running", 0));
	EXPECT_EQ(1, vq_cq_tail(&self->vq));
	EXPECT_TRUE(only_first_page(&self->vq));
	EXPECT_EQ(POLLIN, q_poll(self->vq.q.fd, 0));
	EXPECT_EQ(0, q_put(self->vq.q.fd));

	ASSERT_EQ(0, pci_set_master(&self->p.f, true));
	ASSERT_EQ(0, vq_restart(&self->vq));
	EXPECT_EQ(0, not_working(&self->vq));
}

TEST_F(function, no_page_shows_the_doorbells_of_two_queues)
{
	size_t off, size = self->vq.q.mmio_size;
	struct vq other;
	void *p;
	int fd;

	fd = q_open(&self->p.sim);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(-EINVAL, q_mmap(fd, UACCE_QFRT_MMIO, size + PAGE, &p));
	EXPECT_EQ(-EINVAL, q_mmap(fd, UACCE_QFRT_MMIO, 0x20000, &p));
	EXPECT_EQ(-EINVAL, q_mmap(fd, UACCE_QFRT_DUS,
				  self->vq.q.dus_size + PAGE, &p));
	EXPECT_EQ(-EINVAL, q_mmap(fd, 2, PAGE, &p));
	EXPECT_EQ(-EINVAL, q_mmap(fd, 0x10, PAGE, &p));

	/* whatever one stores in its page, the neighbour's is its own */
	ASSERT_EQ(0, vq_open(&other, &self->p.sim));
	ASSERT_EQ(0, not_working(&self->vq));
	ASSERT_EQ(0, not_working(&self->vq));
	EXPECT_EQ(2, vq_reg(&self->vq, VACCEL_REG_SQ_TAIL));
	EXPECT_EQ(0, vq_reg(&other, VACCEL_REG_SQ_TAIL));
	for (off = 0; off < size; off += 8)
		vq_set_reg(&other, off, 0xdeadbeef00000000 + off);
	EXPECT_EQ(2, vq_reg(&self->vq, VACCEL_REG_SQ_TAIL));
	EXPECT_EQ(2, vq_reg(&self->vq, VACCEL_REG_CQ_HEAD));
	EXPECT_EQ(0, not_working(&self->vq));
	/*
	 * The one that did it has only itself to blame. It could poll at once, as it
	 * acknowledged completions that were none.
	 */
	EXPECT_EQ(0, sim_wait_stat(&self->p.sim, "queue_errors", 1));
	EXPECT_EQ(POLLIN, q_poll(other.q.fd, 0));
	EXPECT_EQ(VACCEL_STATE_ERROR, vaccel_queue_state(&other.q));
	ASSERT_EQ(0, vq_restart(&other));
	EXPECT_EQ(0, not_working(&other));
}

/* Rehearses a suspend until all functions are in D3hot, and the way back: 0 or -errno */
static int rehearse_suspend(void)
{
	int ret;

	write_file("/sys/module/suspend/parameters/pm_test_delay", "0");
	ret = write_file("/sys/power/pm_test", "platform");
	if (ret)
		return ret;
	ret = write_file("/sys/power/state", "freeze");
	write_file("/sys/power/pm_test", "none");
	return ret;
}

TEST_F(function, suspend_ends_work_and_after_it_queues_start_again)
{
	long resets = sim_stat(&self->p.sim, "device_resets");
	struct bg poller;
	struct vq other;

	if (access("/sys/power/pm_test", W_OK))
		SKIP(return, "suspending cannot be rehearsed (CONFIG_PM_DEBUG)");
	ASSERT_EQ(0, vq_open(&other, &self->p.sim));
	ASSERT_EQ(0, bg_q_poll(&poller, other.q.fd, -1));
	ASSERT_EQ(0, bg_wait_asleep(&poller));
	ASSERT_EQ(0, begin_work(&self->p.sim, &self->vq));
	ASSERT_EQ(0, rehearse_suspend());
	/* it did lose what it knew */
	EXPECT_EQ(resets + 1, sim_stat(&self->p.sim, "device_resets"));

	EXPECT_EQ(POLLIN, bg_wait(&poller));
	EXPECT_EQ(0, not_failed(&other));
	EXPECT_EQ(0, not_failed(&self->vq));
	ASSERT_EQ(0, sim_release(&self->p.sim, "dma"));
	ASSERT_EQ(0, vq_restart(&self->vq));
	EXPECT_TRUE(only_first_page(&self->vq));
	EXPECT_EQ(0, not_working(&self->vq));
	ASSERT_EQ(0, vq_restart(&other));
	EXPECT_EQ(0, not_working(&other));
}

/* --- the function goes */

FIXTURE(gone)
{
	struct plugged p;
	struct vq vq;
	int idle;	/* a queue that is not started */
};

FIXTURE_VARIANT(gone)
{
	bool no_sva;
	const char *point;	/* where work is held when it happens */
};

FIXTURE_VARIANT_ADD(gone, sva_not_yet_begun) { .point = "engine" };
FIXTURE_VARIANT_ADD(gone, sva_amid_dma) { .point = "dma" };
FIXTURE_VARIANT_ADD(gone, sva_waiting_for_a_page) { .point = "page_response" };
FIXTURE_VARIANT_ADD(gone, no_sva_amid_dma) { .no_sva = true, .point = "dma" };

FIXTURE_SETUP(gone)
{
	struct vaccel_desc d;

	if (!setup_plugged(_metadata, &self->p, "ksft", variant->no_sva))
		return;
	ASSERT_EQ(0, vq_open(&self->vq, &self->p.sim));
	self->idle = q_open(&self->p.sim);
	ASSERT_GE(self->idle, 0);
	/* what the device knows, it need not wait for */
	if (strcmp(variant->point, "page_response"))
		ASSERT_EQ(VACCEL_ST_OK, dev_fill(&self->vq, self->vq.mem,
						 WORK * PAGE, 0));
	d = d_fill(&self->vq, self->vq.mem, WORK * PAGE, PATTERN('d'));
	ASSERT_EQ(0, dev_hold(&self->p.sim, &self->vq, variant->point, &d));
}

FIXTURE_TEARDOWN_PARENT(gone)
{
	teardown_plugged(_metadata, &self->p);
}

/* Everything about the queues of a function that was removed; or what differs */
static int not_cut_off(const struct sim *sim, const struct vq *vq, int idle)
{
	if (q_not_dead(vq->q.fd))
		return 1;
	if (q_not_dead(idle))
		return 2;
	if (!touch(vq->q.mmio) || !touch(vq->q.dus))
		return 3;
	if (q_open(sim) != -ENOENT)
		return 4;
	return sim_not_clean(sim) ? 5 : 0;
}

TEST_F(gone, function_that_is_removed_leaves_dead_queues)
{
	struct vaccel_queue old = self->vq.q;
	__u8 *copy = fresh(WORK), *mem = NULL;
	struct bg poller;
	int i;

	/* without SVA it goes with the device */
	if (!variant->no_sva) {
		mem = self->vq.mem;
		memcpy(copy, mem, WORK * PAGE);
	}
	ASSERT_EQ(0, bg_q_poll(&poller, self->vq.q.fd, -1));
	ASSERT_EQ(0, bg_wait_asleep(&poller));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, pci_remove_function(&self->p.f));
		if (!i)
			EXPECT_EQ(POLL_DEAD, bg_wait(&poller));
		EXPECT_EQ(0, not_cut_off(&self->p.sim, &self->vq, self->idle));
		/* with files of all that went before still open */
		EXPECT_EQ(0, not_reborn(&self->p));
		EXPECT_EQ(0, q_not_dead(old.fd));
		ASSERT_EQ(0, vq_open(&self->vq, &self->p.sim));
		self->idle = q_open(&self->p.sim);
		ASSERT_GE(self->idle, 0);
	}
	/* the old ones never reach the new one, nor it their memory */
	vaccel_queue_close(&old);
	EXPECT_EQ(0, not_working(&self->vq));
	sim_release_all(&self->p.sim);
	EXPECT_EQ(0, not_working(&self->vq));
	if (mem)
		EXPECT_EQ(0, memcmp(copy, mem, WORK * PAGE));
}

TEST_F(gone, function_that_vanishes_is_reported_and_nobody_hangs)
{
	struct vaccel_info info;
	struct bg poller, bg;
	struct peer peer;
	struct vq other;

	ASSERT_EQ(0, peer_start(&peer));
	ASSERT_EQ(0, peer_call(&peer, peer_vq_open, (long)&self->p.sim, 0, 0));
	ASSERT_EQ(0, vq_open(&other, &self->p.sim));
	ASSERT_EQ(0, bg_q_poll(&poller, self->vq.q.fd, -1));
	ASSERT_EQ(0, bg_wait_asleep(&poller));
	ASSERT_EQ(0, sim_set(&self->p.sim, "inject/action",
			     VACCEL_DIAG_VANISH));

	/* a queue that is not started has nothing to say, and registers say nothing */
	EXPECT_EQ(0, q_poll(self->idle, 0));
	/* who asks hears of it; who sleeps is woken by the answer to the other */
	EXPECT_EQ(POLLIN, q_poll(self->vq.q.fd, 0));
	EXPECT_EQ(POLLIN, bg_wait(&poller));
	EXPECT_EQ(0, not_failed(&self->vq));
	EXPECT_EQ(POLLIN, q_poll(other.q.fd, 0));
	EXPECT_EQ(0, q_info(other.q.fd, &info));
	ASSERT_EQ(0, bg_q_put(&bg, other.q.fd));
	EXPECT_EQ(0, bg_wait(&bg));
	ASSERT_EQ(0, bg_q_start(&bg, self->idle));
	EXPECT_EQ(-EIO, bg_wait(&bg));
	munmap(other.q.mmio, other.q.mmio_size);
	munmap(other.q.dus, other.q.dus_size);
	ASSERT_EQ(0, bg_close(&bg, other.q.fd));
	EXPECT_EQ(0, bg_wait(&bg));
	EXPECT_EQ(0, peer_exit(&peer));

	/* nor does the removal */
	ASSERT_EQ(0, pci_remove_function(&self->p.f));
	EXPECT_EQ(0, not_cut_off(&self->p.sim, &self->vq, self->idle));
	EXPECT_EQ(0, not_reborn(&self->p));
}

/* --- several at once */

FIXTURE(crowd)
{
	struct plugged p;
};

FIXTURE_SETUP(crowd)
{
	setup_plugged(_metadata, &self->p, "ksft", false);
}

FIXTURE_TEARDOWN_PARENT(crowd)
{
	teardown_plugged(_metadata, &self->p);
}

TEST_F(crowd, process_can_die_after_a_reset)
{
	struct peer peer;
	int fd, held;
	struct vq vq;

	ASSERT_EQ(0, vq_open(&vq, &self->p.sim));
	ASSERT_EQ(0, peer_start(&peer));
	ASSERT_EQ(0, peer_call(&peer, peer_vq_open, (long)&self->p.sim, 0, 0));
	fd = peer_call(&peer, peer_fd, 0, 0, 0);
	held = peer_take_fd(&peer, fd);
	ASSERT_GE(held, 0);
	ASSERT_EQ(0, pci_reset(&self->p.f));
	ASSERT_EQ(0, peer_exit(&peer));
	EXPECT_EQ(1, sim_stat(&self->p.sim, "stops"));
	EXPECT_EQ(0, q_not_dead(held));
	EXPECT_EQ(0, sim_wait_stat(&self->p.sim, "queues", 1));
	EXPECT_EQ(0, sim_wait_stat(&self->p.sim, "pasids", 1));
	ASSERT_EQ(0, vq_restart(&vq));
	EXPECT_EQ(0, not_working(&vq));
}

TEST_F(crowd, process_whose_queue_does_not_stop_can_die)
{
	struct peer peer;
	struct vq vq;

	ASSERT_EQ(0, vq_open(&vq, &self->p.sim));
	ASSERT_EQ(0, peer_start(&peer));
	ASSERT_EQ(0, peer_call(&peer, peer_vq_open, (long)&self->p.sim, 0, 0));
	ASSERT_EQ(0, sim_hold(&self->p.sim, "device_stop", -1));
	EXPECT_EQ(0, peer_exit(&peer));
	EXPECT_EQ(0, sim_wait_stat(&self->p.sim, "pasids", 1));
	EXPECT_EQ(0, not_working(&vq));
}

#define CROWD		64
#define CROWD_PAGES	24

/* What Linux says when requests were lost, and when it has handled those before */
static const char * const overflow[] = { "PRQ overflow detected", NULL };
static const char * const overflow_over[] = { "PRQ overflow cleared", NULL };

/*
 * The IOMMU's queue of page requests overflows: it has room for 2047, and each of the
 * 64 queues asks 64 times for its first page, all before anybody can look. Those that
 * were not heard ask again; of one the IOMMU has heard only a part.
 */
TEST_F(crowd, storm_of_page_faults_from_all_queues)
{
	const size_t len = CROWD_PAGES * PAGE;
	static struct vq vq[CROWD];
	struct sim *sim = &self->p.sim;
	__u8 *src = fresh(CROWD * CROWD_PAGES), *dst = fresh(CROWD * CROWD_PAGES);
	const int n = CROWD;
	struct vaccel_desc d;
	int i;

	ASSERT_EQ(n, sim_sysfs_long(sim, "available_instances"));
	ASSERT_EQ(0, sim_hold(sim, "page_request", -1));
	ASSERT_EQ(0, sim_hold(sim, "dma", n));
	for (i = 0; i < n; i++) {
		ASSERT_EQ(0, vq_open(&vq[i], sim));
		d = d_fill(&vq[i], src + i * len, len, PATTERN(i + 1));
		ASSERT_EQ(0, vq_submit(&vq[i], &d));
	}
	ASSERT_EQ(0, sim_wait_held(sim, "page_request", n));
	ASSERT_EQ(0, sim_stat(sim, "page_faults"));
	ASSERT_EQ(0, sim_set(sim, "inject/action", VACCEL_DIAG_BURST));
	EXPECT_LT(0, sim_stat(sim, "page_no_room"));

	/* each gets it in the end, and will soon ask for several */
	ASSERT_EQ(0, sim_wait_held(sim, "dma", n));
	/* the last one comes without a newline, and can be read when there is another */
	EXPECT_LT(0, log_mark("uacce: all requests have been answered"));
	EXPECT_LT(0, log_count(self->p.mark, overflow));
	EXPECT_LT(0, log_count(self->p.mark, overflow_over));
	ASSERT_EQ(0, sim_release(sim, "dma"));
	for (i = 0; i < n; i++)
		EXPECT_EQ(VACCEL_ST_OK, vq_wait(&vq[i], NULL));
	for (i = 0; i < n; i++)
		EXPECT_TRUE(all_bytes(src + i * len, len, i + 1));

	/* what others have written, to where nobody has been */
	for (i = 0; i < n; i++) {
		d = d_copy(&vq[i], src + (n - 1 - i) * len, dst + i * len, len);
		ASSERT_EQ(1, vq_submit(&vq[i], &d));
	}
	for (i = 0; i < n; i++)
		EXPECT_EQ(VACCEL_ST_OK, vq_wait(&vq[i], NULL));
	for (i = 0; i < n; i++)
		EXPECT_TRUE(all_bytes(dst + i * len, len, n - i));

	TH_LOG("most in flight: %ld, no room for: %ld",
	       sim_stat(sim, "page_most"), sim_stat(sim, "page_no_room"));
	EXPECT_EQ(sim_stat(sim, "page_no_room"), sim_stat(sim, "page_retries"));
	EXPECT_LT(n, sim_stat(sim, "page_most"));
	EXPECT_LE(2L * n * CROWD_PAGES, sim_stat(sim, "page_faults"));
	EXPECT_EQ(0, sim_stat(sim, "page_faults_failed"));
	EXPECT_EQ(0, sim_wait_stat(sim, "page_in_flight", 0));
}

/* The answers come to a device that has forgotten what it asked */
TEST_F(crowd, reset_amid_a_storm_of_page_faults)
{
	const size_t len = CROWD_PAGES * PAGE;
	static struct vq vq[CROWD];
	struct sim *sim = &self->p.sim;
	__u8 *mem = fresh(CROWD * CROWD_PAGES);
	struct vaccel_desc d;
	int round, i;

	for (i = 0; i < 16; i++)
		ASSERT_EQ(0, vq_open(&vq[i], sim));
	for (round = 0; round < 3; round++) {
		long faults = sim_stat(sim, "page_faults");

		ASSERT_EQ(0, madvise(mem, 16 * len, MADV_DONTNEED));
		for (i = 0; i < 16; i++) {
			d = d_fill(&vq[i], mem + i * len, len, PATTERN('d'));
			ASSERT_GE(vq_submit(&vq[i], &d), 0);
		}
		ASSERT_EQ(0, sim_wait_stat_ge(sim, "page_faults", faults + 16));
		ASSERT_EQ(0, pci_reset(&self->p.f));
		for (i = 0; i < 16; i++)
			ASSERT_EQ(0, vq_restart(&vq[i]));
	}
	for (i = 0; i < 16; i++) {
		EXPECT_EQ(VACCEL_ST_OK, dev_fill(&vq[i], mem + i * len, len,
						 'e'));
		EXPECT_TRUE(all_bytes(mem + i * len, len, 'e'));
	}
	EXPECT_EQ(0, sim_wait_stat(sim, "page_in_flight", 0));
}

/* Opens, works, closes, until it is enough. In a peer. */
struct load {
	struct sim sim;		/* in shared memory: it is renewed */
	bool enough;
};

static struct vq load_vq;
static int load_error;

/* A user that gets this has met the end, or a reset, of the device. */
static bool is_to_be_expected(int err)
{
	static const int errs[] = {
		-ENOENT, -ENODEV, -ENXIO,	/* there is none */
		-EBUSY, -EAGAIN,		/* in the middle of a reset */
		-EPROTONOSUPPORT,		/* registers without a device */
		-EIO,				/* the queue has failed */
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(errs); i++) {
		if (err == errs[i])
			return true;
	}
	return false;
}

static void load_once(void *arg)
{
	struct load *load = arg;
	struct sim sim = load->sim;
	int i, ret;

	ret = vq_open(&load_vq, &sim);
	for (i = 0; !ret && i < 4; i++) {
		ret = dev_fill(&load_vq, load_vq.mem, VQ_MEM, 'a' + i);
		if (!ret && !all_bytes(load_vq.mem, VQ_MEM, 'a' + i))
			ret = -EBADMSG;
	}
	if (ret > 0)
		ret = -ENODATA;
	if (ret && !is_to_be_expected(ret)) {
		fprintf(stderr, "# a user of the device got %d\n", ret);
		load_error = ret;
	}
}

static long load_loop(long load, long unused1, long unused2)
{
	struct load *l = (struct load *)load;

	while (!load_error && !__atomic_load_n(&l->enough, __ATOMIC_RELAXED)) {
		load_vq.q.fd = -1;
		/* the mappings may go at any time */
		survive(load_once, l);
		vaccel_queue_close(&load_vq.q);
		if (load_vq.sva && load_vq.mem)
			munmap(load_vq.mem, VQ_MEM);
		memset(&load_vq, 0, sizeof(load_vq));
	}
	return load_error;
}

FIXTURE(load)
{
	struct plugged p;
	struct load *load;
	struct peer peer[2];
};

FIXTURE_VARIANT(load)
{
	bool no_sva;
};

FIXTURE_VARIANT_ADD(load, sva) {};
FIXTURE_VARIANT_ADD(load, no_sva) { .no_sva = true };

FIXTURE_SETUP(load)
{
	int i;

	if (!setup_plugged(_metadata, &self->p, "ksft", variant->no_sva))
		return;
	self->load = mmap(NULL, sizeof(*self->load), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->load);
	self->load->sim = self->p.sim;
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, peer_start(&self->peer[i]));
		ASSERT_EQ(0, peer_bg_start(&self->peer[i], load_loop,
					   (long)self->load));
	}
}

FIXTURE_TEARDOWN_PARENT(load)
{
	teardown_plugged(_metadata, &self->p);
}

TEST_F(load, driver_is_unbound_and_bound)
{
	int i;

	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, sim_wait_more(&self->p.sim, "device_starts", 2));
		ASSERT_EQ(0, sim_kill(&self->p.sim));
		EXPECT_EQ(0, sim_not_clean(&self->p.sim));
		ASSERT_EQ(0, sim_go_live(&self->p.sim));
		self->load->sim = self->p.sim;
	}
	self->load->enough = true;
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, peer_bg_wait(&self->peer[i]));
}

TEST_F(load, function_is_reset)
{
	struct vq vq;
	int i;

	for (i = 0; i < 6; i++) {
		ASSERT_EQ(0, sim_wait_more(&self->p.sim, "device_starts", 2));
		ASSERT_EQ(0, pci_reset(&self->p.f));
	}
	self->load->enough = true;
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, peer_bg_wait(&self->peer[i]));
	ASSERT_EQ(0, vq_open(&vq, &self->p.sim));
	EXPECT_EQ(0, not_working(&vq));
}

/* --- the end of an address space */

FIXTURE(retired)
{
	struct plugged p;
	struct peer owner;
};

FIXTURE_VARIANT(retired)
{
	const char *point;
	bool kill;
};

FIXTURE_VARIANT_ADD(retired, amid_dma_exit) { .point = "dma" };
FIXTURE_VARIANT_ADD(retired, amid_dma_kill) { .point = "dma", .kill = true };
FIXTURE_VARIANT_ADD(retired, waiting_for_a_page_exit)
{
	.point = "page_response",
};

FIXTURE_VARIANT_ADD(retired, waiting_for_a_page_kill)
{
	.point = "page_response", .kill = true,
};

/* Memory of the owner; zeros, which the device knows */
static __u8 *owner_mem;

static long owner_introduce(long pages, long unused1, long unused2)
{
	owner_mem = fresh(pages);
	return dev_fill(&peer_vq, owner_mem, pages * PAGE, 0);
}

static long owner_submit(long pages, long unused1, long unused2)
{
	__u8 *p = owner_mem ? owner_mem : fresh(pages);
	struct vaccel_desc d;

	d = d_fill(&peer_vq, p, pages * PAGE, PATTERN('d'));
	return vq_submit(&peer_vq, &d) < 0;
}

FIXTURE_SETUP(retired)
{
	if (!setup_plugged(_metadata, &self->p, "ksft", false))
		return;
	ASSERT_EQ(0, peer_start(&self->owner));
	ASSERT_EQ(0, peer_call(&self->owner, peer_vq_open, (long)&self->p.sim,
			       0, 0));
	if (strcmp(variant->point, "page_response"))
		ASSERT_EQ(VACCEL_ST_OK, peer_call(&self->owner, owner_introduce,
						  64, 0, 0));
	ASSERT_EQ(0, sim_hold(&self->p.sim, variant->point, 1));
	ASSERT_EQ(0, peer_call(&self->owner, owner_submit, 64, 0, 0));
	ASSERT_EQ(0, sim_wait_held(&self->p.sim, variant->point, 1));
}

FIXTURE_TEARDOWN_PARENT(retired)
{
	teardown_plugged(_metadata, &self->p);
}

TEST_F(retired, pasid_is_not_used_any_more)
{
	struct sim *sim = &self->p.sim;
	struct peer next;
	long asked, done;

	done = sim_stat(sim, "completions");
	asked = sim_stat(sim, "translations") + sim_stat(sim, "page_faults");
	ASSERT_EQ(0, variant->kill ? peer_kill(&self->owner) :
				     peer_exit(&self->owner));
	EXPECT_EQ(0, sim_wait_stat(sim, "stops", 1));
	EXPECT_EQ(0, sim_wait_stat(sim, "pasids", 0));
	EXPECT_EQ(0, sim_stat(sim, "device_running"));
	/* though the one who held it lets it go now */
	sim_release_all(sim);
	EXPECT_EQ(done, sim_stat(sim, "completions"));
	EXPECT_EQ(asked, sim_stat(sim, "translations") +
			 sim_stat(sim, "page_faults"));

	/* and whoever comes next, perhaps with the same PASID, works */
	ASSERT_EQ(0, peer_start(&next));
	ASSERT_EQ(0, peer_call(&next, peer_vq_open, (long)sim, 0, 0));
	EXPECT_EQ(0, peer_call(&next, peer_not_working, 0, 0, 0));
	EXPECT_EQ(0, sim_stat(sim, "dma_retired"));
	EXPECT_EQ(0, sim_stat(sim, "dma_stopped"));
	EXPECT_EQ(0, peer_exit(&next));
}

/* --- two functions */

FIXTURE(two)
{
	struct plugged p[2];
	struct vq vq[2];
};

FIXTURE_SETUP(two)
{
	if (!setup_plugged(_metadata, &self->p[0], "ksft", false) ||
	    !setup_plugged(_metadata, &self->p[1], "ksft_other", false))
		return;
	ASSERT_EQ(0, vq_open(&self->vq[0], &self->p[0].sim));
	ASSERT_EQ(0, vq_open(&self->vq[1], &self->p[1].sim));
}

FIXTURE_TEARDOWN_PARENT(two)
{
	teardown_plugged(_metadata, &self->p[1]);
	teardown_plugged(_metadata, &self->p[0]);
}

/* Both devices copy @len at @src and are held in the middle of it */
static int hold_both(struct plugged *p, struct vq *vq, const __u8 *src,
		     __u8 **dst, size_t len)
{
	struct vaccel_desc d;
	int i, ret = 0;

	for (i = 0; !ret && i < 2; i++) {
		d = d_copy(&vq[i], src, dst[i], len);
		ret = dev_hold(&p[i].sim, &vq[i], "dma", &d);
	}
	return ret;
}

TEST_F(two, devices_copy_the_same_buffer_at_the_same_time)
{
	const size_t len = 64 * PAGE;
	__u8 *src = fresh(64), *dst[2] = { fresh(64), fresh(64) };
	int i;

	make_noise(src, len, 3);
	ASSERT_EQ(0, hold_both(self->p, self->vq, src, dst, len));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, sim_release(&self->p[i].sim, "dma"));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(VACCEL_ST_OK, vq_wait(&self->vq[i], NULL));
		EXPECT_EQ(0, memcmp(src, dst[i], len));
	}
}

TEST_F(two, change_of_memory_reaches_both_devices)
{
	const size_t len = 64 * PAGE;
	__u8 *src = fresh(64), *dst[2] = { fresh(64), fresh(64) };
	int i;

	memset(src, 'o', len);
	for (i = 0; i < 2; i++)
		ASSERT_TRUE(dev_sees(&self->vq[i], src, len, 'o'));
	ASSERT_EQ(0, hold_both(self->p, self->vq, src, dst, len));
	ASSERT_EQ(0, munmap(src + 9 * PAGE, PAGE));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, sim_release(&self->p[i].sim, "dma"));
		EXPECT_EQ(0, vq_wait_fault(&self->vq[i], VACCEL_ST_FAULT_READ,
					   (unsigned long)src + 9 * PAGE));
	}
}

TEST_F(two, reset_of_one_leaves_the_other_alone)
{
	const size_t len = 64 * PAGE;
	__u8 *src = fresh(64), *dst[2] = { fresh(64), fresh(64) };

	memset(src, 's', len);
	ASSERT_EQ(0, hold_both(self->p, self->vq, src, dst, len));
	ASSERT_EQ(0, pci_reset(&self->p[0].f));
	EXPECT_EQ(0, not_failed(&self->vq[0]));
	ASSERT_EQ(0, sim_release(&self->p[1].sim, "dma"));
	EXPECT_EQ(VACCEL_ST_OK, vq_wait(&self->vq[1], NULL));
	EXPECT_TRUE(all_bytes(dst[1], len, 's'));
	ASSERT_EQ(0, sim_release(&self->p[0].sim, "dma"));
	ASSERT_EQ(0, vq_restart(&self->vq[0]));
	EXPECT_EQ(0, not_working(&self->vq[0]));
}

TEST_F(two, removal_of_one_leaves_the_other_alone)
{
	const size_t len = 64 * PAGE;
	__u8 *src = fresh(64), *dst[2] = { fresh(64), fresh(64) };

	memset(src, 's', len);
	ASSERT_EQ(0, hold_both(self->p, self->vq, src, dst, len));
	ASSERT_EQ(0, pci_remove_function(&self->p[0].f));
	EXPECT_EQ(0, q_not_dead(self->vq[0].q.fd));
	ASSERT_EQ(0, sim_release(&self->p[1].sim, "dma"));
	EXPECT_EQ(VACCEL_ST_OK, vq_wait(&self->vq[1], NULL));
	EXPECT_TRUE(all_bytes(dst[1], len, 's'));
	EXPECT_EQ(0, not_reborn(&self->p[0]));
	EXPECT_EQ(0, not_working(&self->vq[1]));
}

/* --- the button, at the very end: a slot that stays empty is missed by others */

FIXTURE(button)
{
	struct plugged p;
	struct vq vq;
	int idle;
};

FIXTURE_SETUP(button)
{
	if (!setup_plugged(_metadata, &self->p, "ksft", false))
		return;
	ASSERT_EQ(0, vq_open(&self->vq, &self->p.sim));
	self->idle = q_open(&self->p.sim);
	ASSERT_GE(self->idle, 0);
}

FIXTURE_TEARDOWN_PARENT(button)
{
	teardown_plugged(_metadata, &self->p);
}

TEST_F(button, slot_is_switched_off_amid_work)
{
	struct bg poller;

	ASSERT_EQ(0, begin_work(&self->p.sim, &self->vq));
	ASSERT_EQ(0, bg_q_poll(&poller, self->vq.q.fd, -1));
	ASSERT_EQ(0, bg_wait_asleep(&poller));
	ASSERT_EQ(0, sim_set(&self->p.sim, "inject/action",
			     VACCEL_DIAG_UNPLUG));
	/* five seconds are for those who pressed it by mistake */
	ASSERT_EQ(0, pci_wait_gone(&self->p.f));
	EXPECT_EQ(POLL_DEAD, bg_wait(&poller));
	EXPECT_EQ(0, not_cut_off(&self->p.sim, &self->vq, self->idle));
	EXPECT_TRUE(only_first_page(&self->vq));
	/* and a while later there is a new one in the slot */
	ASSERT_EQ(0, pci_wait_back(&self->p.f));
	EXPECT_EQ(0, not_reborn(&self->p));
}

TEST_HARNESS_MAIN
