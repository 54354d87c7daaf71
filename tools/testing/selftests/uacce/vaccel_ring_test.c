// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rings: order, limits, sleeping and waking, what a stop and a restart do,
 * and what becomes of a queue whose doorbells hold nonsense.
 */
#include <endian.h>
#include <sys/epoll.h>

#include "uacce_test.h"
#include "vq.h"

IN_PARALLEL;

#define ENTRIES		VACCEL_RING_ENTRIES
#define HALF		(VQ_MEM / 2)
#define UNTOUCHED	0xa5

FIXTURE(ring) {
	struct sim sim;
	struct vq vq;
};

FIXTURE_SETUP(ring)
{
	struct sim_config cfg = { .queues = 8 };

	if (!setup_sim(_metadata, &self->sim, "ksft_ring", &cfg))
		return;
	ASSERT_EQ(0, vq_open(&self->vq, &self->sim));
}

FIXTURE_TEARDOWN_PARENT(ring)
{
	teardown_sim(_metadata, &self->sim);
}

static int submit_nops(struct vq *vq, unsigned int n)
{
	struct vaccel_desc d = d_nop();
	long ret;

	while (n--) {
		ret = vq_submit(vq, &d);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* Reaps @n completions, all of them OK and in order */
static int reap_nops(struct vq *vq, unsigned int n)
{
	int ret = 0;

	while (n-- && !ret)
		ret = vq_wait(vq, NULL);
	return ret;
}

/* Does @vq work? One COPY shows it. */
static bool works(struct vq *vq)
{
	struct vaccel_desc d = d_copy(vq, vq->mem, vq->mem + HALF, 5000);

	make_noise(vq->mem, 5000, vq->q.sq_tail);
	return vq_run(vq, &d, NULL) == VACCEL_ST_OK &&
	       !memcmp(vq->mem, vq->mem + HALF, 5000);
}

TEST_F(ring, completions_come_in_order_around_the_ring_many_times)
{
	unsigned int n, total = 0;
	__u64 state = 1;

	while (total < 6 * ENTRIES) {
		n = 1 + rnd(&state) % ENTRIES;
		ASSERT_EQ(0, submit_nops(&self->vq, n));
		/* vq_wait() looks at user_data and index of each */
		ASSERT_EQ(0, reap_nops(&self->vq, n));
		total += n;
	}
	EXPECT_EQ(total, sim_stat(&self->sim, "descriptors"));
	EXPECT_EQ(total, sim_stat(&self->sim, "completions"));
	EXPECT_EQ(0, sim_stat(&self->sim, "errors"));
	EXPECT_EQ(total, vq_sq_head(&self->vq));
	EXPECT_EQ(total, vq_cq_tail(&self->vq));
}

TEST_F(ring, full_submission_ring_takes_no_more_until_the_engine_does)
{
	struct vaccel_desc d = d_nop();

	ASSERT_EQ(0, sim_hold(&self->sim, "engine", -1));
	ASSERT_EQ(0, submit_nops(&self->vq, ENTRIES));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "engine", 1));
	EXPECT_EQ(0, vaccel_queue_space(&self->vq.q));
	EXPECT_EQ(-EAGAIN, vq_submit(&self->vq, &d));
	EXPECT_EQ(0, vq_sq_head(&self->vq));

	ASSERT_EQ(0, sim_release(&self->sim, "engine"));
	EXPECT_EQ(0, reap_nops(&self->vq, ENTRIES));
	EXPECT_EQ(ENTRIES, vaccel_queue_space(&self->vq.q));
	EXPECT_TRUE(works(&self->vq));
}

TEST_F(ring, full_completion_ring_holds_the_engine_back)
{
	struct vq *vq = &self->vq;
	unsigned int i;

	ASSERT_EQ(0, submit_nops(vq, ENTRIES));
	ASSERT_EQ(0, vq_wait_cq_tail(vq, ENTRIES));
	ASSERT_EQ(0, submit_nops(vq, 10));
	/* it went to sleep with work in the ring: there is no room for more */
	ASSERT_EQ(0, vq_wait_asleep(vq));
	EXPECT_EQ(ENTRIES, vq_sq_head(vq));
	EXPECT_EQ(ENTRIES, vq_cq_tail(vq));
	for (i = 0; i < ENTRIES; i++)
		EXPECT_EQ(vq->serial + i, le64toh(vq_cq(vq, i)->user_data));

	/* each one that is read makes room for one */
	EXPECT_EQ(0, reap_nops(vq, 1));
	EXPECT_EQ(0, vq_wait_cq_tail(vq, ENTRIES + 1));
	ASSERT_EQ(0, vq_wait_asleep(vq));
	EXPECT_EQ(ENTRIES + 1, vq_sq_head(vq));
	EXPECT_EQ(0, reap_nops(vq, ENTRIES + 9));
	EXPECT_EQ(ENTRIES + 10, vq_cq_tail(vq));
	EXPECT_TRUE(works(vq));
}

TEST_F(ring, a_queue_that_is_held_up_does_not_hold_up_another)
{
	struct vq other;
	int i;

	ASSERT_EQ(0, vq_open(&other, &self->sim));
	ASSERT_EQ(0, sim_hold(&self->sim, "engine", 1));
	ASSERT_EQ(0, submit_nops(&self->vq, 1));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "engine", 1));

	for (i = 0; i < 20; i++)
		ASSERT_TRUE(works(&other));
	EXPECT_EQ(0, vq_sq_head(&self->vq));

	ASSERT_EQ(0, sim_release(&self->sim, "engine"));
	EXPECT_EQ(0, reap_nops(&self->vq, 1));
}

static long work_hard(long arg, long rounds, long unused)
{
	struct vq *vq = (struct vq *)arg;

	while (rounds--)
		if (!works(vq))
			return -EIO;
	return 0;
}

TEST_F(ring, queues_work_side_by_side)
{
	struct vq vq[8];
	struct bg bg[8];
	int i;

	vaccel_queue_close(&self->vq.q);
	for (i = 0; i < 8; i++)
		ASSERT_EQ(0, vq_open(&vq[i], &self->sim));
	/* all at the same point at the same time */
	ASSERT_EQ(0, sim_hold(&self->sim, "engine", -1));
	for (i = 0; i < 8; i++)
		ASSERT_EQ(0, bg_start(&bg[i], work_hard, (long)&vq[i], 20, 0));
	EXPECT_EQ(0, sim_wait_held(&self->sim, "engine", 8));
	ASSERT_EQ(0, sim_release(&self->sim, "engine"));
	for (i = 0; i < 8; i++)
		EXPECT_EQ(0, bg_wait(&bg[i]));
}

TEST_F(ring, an_idle_engine_sleeps_until_it_is_kicked)
{
	struct vq other, *vq = &self->vq;
	int i;

	ASSERT_EQ(0, vq_open(&other, &self->sim));
	EXPECT_TRUE(works(vq));
	ASSERT_EQ(0, vq_wait_asleep(vq));

	/* the doorbell alone: an engine that spins would see it */
	*vq_sq(vq, 1) = d_nop();
	vq_sq(vq, 1)->user_data = htole64(vq->serial + 1);
	vq_set_reg(vq, VACCEL_REG_SQ_TAIL, 2);
	vq->q.sq_tail = 2;
	for (i = 0; i < 10; i++)
		ASSERT_TRUE(works(&other));
	EXPECT_EQ(1, vq_sq_head(vq));

	EXPECT_EQ(0, vaccel_kick(&vq->q));
	EXPECT_EQ(0, reap_nops(vq, 1));
	EXPECT_LE(1, sim_stat(&self->sim, "sleeps"));
}

TEST_F(ring, kicks_without_need_do_no_harm)
{
	int i;

	for (i = 0; i < 50; i++)
		ASSERT_EQ(0, vaccel_kick(&self->vq.q));
	EXPECT_EQ(0, vq_cq_tail(&self->vq));
	EXPECT_EQ(VACCEL_STATE_RUNNING, vaccel_queue_state(&self->vq.q));
	EXPECT_EQ(0, q_poll(self->vq.q.fd, 0));
	EXPECT_EQ(50, sim_stat(&self->sim, "kicks"));
	EXPECT_TRUE(works(&self->vq));
}

TEST_F(ring, poll_sleeps_until_there_is_a_completion)
{
	int fd = self->vq.q.fd;
	struct bg bg;

	ASSERT_EQ(0, sim_hold(&self->sim, "engine", 1));
	ASSERT_EQ(0, submit_nops(&self->vq, 1));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "engine", 1));
	EXPECT_EQ(0, q_poll(fd, 0));
	ASSERT_EQ(0, bg_q_poll(&bg, fd, -1));
	ASSERT_EQ(0, wait_poller());
	EXPECT_FALSE(bg_done(&bg));

	ASSERT_EQ(0, sim_release(&self->sim, "engine"));
	EXPECT_EQ(POLLIN, bg_wait(&bg));
	/* as long as it is not taken */
	EXPECT_EQ(POLLIN, q_poll(fd, 0));
	EXPECT_EQ(0, reap_nops(&self->vq, 1));
	EXPECT_EQ(0, q_poll(fd, 0));
}

TEST_F(ring, edge_triggered_epoll_tells_of_each_completion)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	int ep = epoll_create1(0);

	ASSERT_GE(ep, 0);
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->vq.q.fd, &ev));
	EXPECT_EQ(0, epoll_wait(ep, &ev, 1, 0));

	ASSERT_EQ(0, submit_nops(&self->vq, 1));
	EXPECT_EQ(1, epoll_wait(ep, &ev, 1, SIM_TIMEOUT_MS));
	EXPECT_EQ(EPOLLIN, ev.events);
	ASSERT_EQ(0, vq_wait_asleep(&self->vq));
	EXPECT_EQ(0, epoll_wait(ep, &ev, 1, 0));

	/* one more, while the first is still there: a new edge */
	ASSERT_EQ(0, submit_nops(&self->vq, 1));
	EXPECT_EQ(1, epoll_wait(ep, &ev, 1, SIM_TIMEOUT_MS));
	EXPECT_EQ(0, reap_nops(&self->vq, 2));
	close(ep);
}

TEST_F(ring, info_says_what_the_device_is)
{
	struct vaccel_info info, second;
	struct vq other;
	unsigned int i;

	memset(&info, 0xff, sizeof(info));
	ASSERT_EQ(0, q_ioctl(self->vq.q.fd, VACCEL_CMD_INFO, &info));
	EXPECT_EQ(1, info.version);
	EXPECT_EQ(UACCE_DEV_SVA, info.flags);
	EXPECT_EQ(sim_sysfs_long(&self->sim, "flags"), info.flags);
	EXPECT_EQ(0x3f, info.opcodes);
	EXPECT_EQ(ENTRIES, info.ring_entries);
	EXPECT_EQ(VACCEL_MAX_LEN, info.max_len);
	EXPECT_GT(8, info.queue_id);
	EXPECT_NE(0, info.pasid);
	for (i = 0; i < ARRAY_SIZE(info.reserved); i++)
		EXPECT_EQ(0, info.reserved[i]);

	/* another queue of the same process */
	ASSERT_EQ(0, vq_open(&other, &self->sim));
	ASSERT_EQ(0, q_ioctl(other.q.fd, VACCEL_CMD_INFO, &second));
	EXPECT_NE(info.queue_id, second.queue_id);
	EXPECT_EQ(info.pasid, second.pasid);

	/* stopped or not */
	ASSERT_EQ(0, vaccel_queue_stop(&self->vq.q));
	ASSERT_EQ(0, q_ioctl(self->vq.q.fd, VACCEL_CMD_INFO, &second));
	EXPECT_EQ(0, memcmp(&info, &second, sizeof(info)));
	EXPECT_EQ(-EFAULT, q_ioctl(self->vq.q.fd, VACCEL_CMD_INFO,
				   (void *)8));
}

TEST_F(ring, unknown_ioctls_are_enotty)
{
	int fd = self->vq.q.fd;

	EXPECT_EQ(-ENOTTY, q_ioctl(fd, _IO('W', 0x3f), NULL));
	EXPECT_EQ(-ENOTTY, q_ioctl(fd, _IO('W', 0x42), NULL));
	EXPECT_EQ(-ENOTTY, q_ioctl(fd, _IO('V', 0x40), NULL));
	EXPECT_EQ(-ENOTTY, q_ioctl(fd, _IOW('W', 0x40, int), NULL));
	EXPECT_EQ(-ENOTTY, q_ioctl(fd, _IOR('W', 0x41, int), NULL));
	EXPECT_TRUE(works(&self->vq));
}

TEST_F(ring, registers_of_a_new_queue)
{
	unsigned int reg;
	__u64 want;

	for (reg = 0; reg < VACCEL_MMIO_SIZE; reg += 8) {
		want = 0;
		if (reg == VACCEL_REG_ID)
			want = VACCEL_ID;
		else if (reg == VACCEL_REG_STATUS)
			want = VACCEL_STATE_RUNNING;
		EXPECT_EQ(want, vq_reg(&self->vq, reg)) {
			TH_LOG("register %#x", reg);
		}
	}
	ASSERT_EQ(0, vaccel_queue_stop(&self->vq.q));
	EXPECT_EQ(VACCEL_STATE_STOPPED, vq_reg(&self->vq, VACCEL_REG_STATUS));
	EXPECT_EQ(VACCEL_STATE_STOPPED, vaccel_queue_state(&self->vq.q));
}

/* Half a register, as 32-bit programs see it: the one at @offset */
static __u32 *half(const struct vq *vq, unsigned int offset)
{
	return (void *)((char *)vq->q.mmio + offset);
}

static __u32 load_half(const struct vq *vq, unsigned int offset)
{
	return le32toh(__atomic_load_n(half(vq, offset), __ATOMIC_ACQUIRE));
}

static void store_half(const struct vq *vq, unsigned int offset, __u32 val)
{
	__atomic_store_n(half(vq, offset), htole32(val), __ATOMIC_SEQ_CST);
}

TEST_F(ring, registers_by_halves)
{
	struct vq *vq = &self->vq;

	EXPECT_EQ((__u32)VACCEL_ID, load_half(vq, VACCEL_REG_ID));
	EXPECT_EQ(VACCEL_ID >> 32, load_half(vq, VACCEL_REG_ID + 4));
	EXPECT_EQ(VACCEL_STATE_RUNNING, load_half(vq, VACCEL_REG_STATUS));
	EXPECT_EQ(0, load_half(vq, VACCEL_REG_STATUS + 4));

	/* both doorbells are rung with their low halves */
	*vq_sq(vq, 0) = d_nop();
	store_half(vq, VACCEL_REG_SQ_TAIL, 1);
	ASSERT_EQ(0, vaccel_kick(&vq->q));
	ASSERT_EQ(0, vq_wait_cq_tail(vq, 1));
	EXPECT_EQ(POLLIN, q_poll(vq->q.fd, 0));
	EXPECT_EQ(1, vq_reg(vq, VACCEL_REG_SQ_TAIL));
	EXPECT_EQ(1, load_half(vq, VACCEL_REG_SQ_TAIL));
	store_half(vq, VACCEL_REG_CQ_HEAD, 1);
	EXPECT_EQ(1, vq_reg(vq, VACCEL_REG_CQ_HEAD));
	EXPECT_EQ(0, q_poll(vq->q.fd, 0));

	/* a high half that is not zero is a mistake, and the low one stays */
	store_half(vq, VACCEL_REG_SQ_TAIL + 4, 1);
	EXPECT_EQ(1ULL << 32 | 1, vq_reg(vq, VACCEL_REG_SQ_TAIL));
	EXPECT_EQ(1, load_half(vq, VACCEL_REG_SQ_TAIL + 4));
	vaccel_kick(&vq->q);
	EXPECT_EQ(POLLIN, q_poll(vq->q.fd, SIM_TIMEOUT_MS));
	EXPECT_EQ(VACCEL_QERR_SQ_TAIL, load_half(vq, VACCEL_REG_STATUS + 4));
	EXPECT_EQ(VACCEL_STATE_ERROR, load_half(vq, VACCEL_REG_STATUS));
}

TEST_F(ring, nothing_of_its_last_user_is_left_in_a_queue)
{
	struct vq vq[8];
	__u8 *dus;
	int i, round;

	/* all the hardware queues there are, twice */
	vaccel_queue_close(&self->vq.q);
	for (round = 0; round < 2; round++) {
		for (i = 0; i < 8; i++) {
			ASSERT_EQ(0, vq_open(&vq[i], &self->sim));
			dus = vq[i].q.dus;
			EXPECT_TRUE(all_bytes(dus + VACCEL_SQ_OFFSET,
					      VACCEL_DUS_SIZE -
					      VACCEL_SQ_OFFSET, 0));
			EXPECT_EQ(0, vq_reg(&vq[i], VACCEL_REG_SQ_TAIL));
			EXPECT_EQ(0, vq_reg(&vq[i], 0xff8));
		}
		for (i = 0; i < 8; i++) {
			memset(vq[i].q.dus, 's', VACCEL_DUS_SIZE);
			memset(vq[i].q.mmio, 's', VACCEL_MMIO_SIZE);
			vq_close(&vq[i]);
		}
	}
}

TEST_F(ring, kick_of_a_stopped_queue_is_einval)
{
	ASSERT_EQ(0, vaccel_queue_stop(&self->vq.q));
	EXPECT_EQ(-EINVAL, vaccel_kick(&self->vq.q));
	ASSERT_EQ(0, vaccel_queue_start(&self->vq.q));
	EXPECT_EQ(0, vaccel_kick(&self->vq.q));
}

TEST_F(ring, restart_begins_with_empty_rings_and_keeps_the_data)
{
	struct vq *vq = &self->vq;
	__u8 *data = (__u8 *)vq->q.dus + VACCEL_DATA_OFFSET;

	memset(data, 'd', VACCEL_DATA_SIZE);
	ASSERT_EQ(0, submit_nops(vq, 5));
	ASSERT_EQ(0, reap_nops(vq, 3));
	ASSERT_EQ(0, vq_wait_cq_tail(vq, 5));
	ASSERT_EQ(0, vaccel_queue_stop(&vq->q));
	/* where the line is, stays visible */
	EXPECT_EQ(5, vq_cq_tail(vq));

	ASSERT_EQ(0, vaccel_queue_start(&vq->q));
	EXPECT_EQ(0, vq_sq_head(vq));
	EXPECT_EQ(0, vq_cq_tail(vq));
	EXPECT_EQ(0, vq_reg(vq, VACCEL_REG_SQ_TAIL));
	EXPECT_EQ(0, vq_reg(vq, VACCEL_REG_CQ_HEAD));
	EXPECT_EQ(0, q_poll(vq->q.fd, 0));
	EXPECT_TRUE(all_bytes(data, VACCEL_DATA_SIZE, 'd'));

	/* and counts from there */
	ASSERT_EQ(0, submit_nops(vq, ENTRIES));
	EXPECT_EQ(0, reap_nops(vq, ENTRIES));
	EXPECT_EQ(ENTRIES, vq_cq_tail(vq));
}

TEST_F(ring, a_stopped_queue_takes_nothing)
{
	struct vq *vq = &self->vq;

	ASSERT_EQ(0, vaccel_queue_stop(&vq->q));
	*vq_sq(vq, 0) = d_nop();
	vq_set_reg(vq, VACCEL_REG_SQ_TAIL, 1);
	EXPECT_EQ(-EINVAL, vaccel_kick(&vq->q));
	/* START forgets what was rung before */
	ASSERT_EQ(0, vaccel_queue_start(&vq->q));
	EXPECT_EQ(0, vaccel_kick(&vq->q));
	ASSERT_EQ(0, vq_wait_asleep(vq));
	EXPECT_EQ(0, vq_sq_head(vq));
	EXPECT_EQ(0, sim_stat(&self->sim, "descriptors"));
}

TEST_F(ring, stop_leaves_what_was_not_begun_undone)
{
	struct vq *vq = &self->vq;
	struct vaccel_desc d;
	int i;

	memset(vq->mem, UNTOUCHED, VQ_MEM);
	ASSERT_EQ(0, submit_nops(vq, 2));
	ASSERT_EQ(0, reap_nops(vq, 2));
	ASSERT_EQ(0, sim_hold(&self->sim, "engine", -1));
	d = d_fill(vq, vq->mem, VQ_MEM, 0);
	for (i = 0; i < 10; i++)
		ASSERT_EQ(2 + i, vq_submit(vq, &d));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "engine", 1));

	/* nobody lets the engine go: stop has to, or does not return */
	EXPECT_EQ(0, vaccel_queue_stop(&vq->q));
	ASSERT_EQ(0, sim_release(&self->sim, "engine"));
	EXPECT_EQ(2, vq_sq_head(vq));
	EXPECT_EQ(2, vq_cq_tail(vq));
	EXPECT_EQ(VACCEL_STATE_STOPPED, vaccel_queue_state(&vq->q));

	ASSERT_EQ(0, vaccel_queue_start(&vq->q));
	EXPECT_EQ(0, submit_nops(vq, 1));
	EXPECT_EQ(0, reap_nops(vq, 1));
	EXPECT_TRUE(all_bytes(vq->mem, VQ_MEM, UNTOUCHED));
}

/* Submits a FILL of all memory and waits until the engine is amidst of it */
static void hold_fill(struct __test_metadata *_metadata, struct sim *sim,
		      struct vq *vq)
{
	struct vaccel_desc d = d_fill(vq, vq->mem, VQ_MEM, 0);

	memset(vq->mem, UNTOUCHED, VQ_MEM);
	ASSERT_EQ(0, sim_hold(sim, "dma", 1));
	ASSERT_EQ(0, vq_submit(vq, &d));
	ASSERT_EQ(0, sim_wait_held(sim, "dma", 1));
	ASSERT_EQ(0, vq->mem[0]);
	ASSERT_EQ(UNTOUCHED, vq->mem[VQ_MEM - 1]);
}

static void stop_amidst(struct __test_metadata *_metadata, struct sim *sim,
			struct vq *vq)
{
	struct vq other;
	static __u8 seen[VQ_MEM];
	struct bg bg;
	int i;

	ASSERT_EQ(0, vq_open(&other, sim));
	hold_fill(_metadata, sim, vq);

	/* returns though the engine is held in the middle of the work */
	ASSERT_EQ(0, bg_q_put(&bg, vq->q.fd));
	ASSERT_EQ(0, bg_wait(&bg));
	memcpy(seen, vq->mem, VQ_MEM);
	EXPECT_EQ(0, vq_cq_tail(vq));
	EXPECT_EQ(0, sim_wait_stat(sim, "running", 1));

	ASSERT_EQ(0, sim_release(sim, "dma"));
	for (i = 0; i < 10; i++)
		ASSERT_TRUE(works(&other));
	EXPECT_EQ(0, memcmp(seen, vq->mem, VQ_MEM));
	EXPECT_EQ(0, vq_cq_tail(vq));
	EXPECT_EQ(0, sim_stat(sim, "dma_after_stop"));

	/* the aborted descriptor has no completion, the next one has */
	ASSERT_EQ(0, vaccel_queue_start(&vq->q));
	EXPECT_TRUE(works(vq));
}

TEST_F(ring, nothing_is_written_after_stop_returned)
{
	stop_amidst(_metadata, &self->sim, &self->vq);
}

TEST_F(ring, nothing_is_written_after_close_returned)
{
	struct vq other, *vq = &self->vq;
	static __u8 seen[VQ_MEM];
	struct bg bg;
	int i, fd = vq->q.fd;

	ASSERT_EQ(0, vq_open(&other, &self->sim));
	hold_fill(_metadata, &self->sim, vq);
	vq->q.fd = -1;
	munmap(vq->q.mmio, vq->q.mmio_size);
	munmap(vq->q.dus, vq->q.dus_size);
	ASSERT_EQ(0, bg_close(&bg, fd));
	ASSERT_EQ(0, bg_wait(&bg));
	ASSERT_EQ(0, sim_wait_stat(&self->sim, "queues", 1));
	memcpy(seen, vq->mem, VQ_MEM);

	ASSERT_EQ(0, sim_release(&self->sim, "dma"));
	for (i = 0; i < 10; i++)
		ASSERT_TRUE(works(&other));
	EXPECT_EQ(0, memcmp(seen, vq->mem, VQ_MEM));
	EXPECT_EQ(0, sim_stat(&self->sim, "dma_after_stop"));
}

/* @vq is in state ERROR, for @error; everybody says so, and START mends it */
static void expect_error(struct __test_metadata *_metadata, struct vq *vq,
			 unsigned int error)
{
	struct vaccel_info info;
	struct vaccel_cqe cqe;

	EXPECT_EQ(-EIO, vaccel_wait(&vq->q, &cqe, SIM_TIMEOUT_MS));
	EXPECT_EQ(POLLIN, q_poll(vq->q.fd, 0));
	EXPECT_EQ(VACCEL_STATE_ERROR, vaccel_queue_state(&vq->q));
	EXPECT_EQ(error, vaccel_queue_error(&vq->q));
	EXPECT_EQ((__u64)error << 32 | VACCEL_STATE_ERROR,
		  vq_reg(vq, VACCEL_REG_STATUS));
	EXPECT_EQ(-EIO, vaccel_kick(&vq->q));
	EXPECT_EQ(-EINVAL, q_start(vq->q.fd));
	EXPECT_EQ(0, q_ioctl(vq->q.fd, VACCEL_CMD_INFO, &info));

	EXPECT_EQ(0, vaccel_queue_stop(&vq->q));
	EXPECT_EQ(VACCEL_STATE_STOPPED, vaccel_queue_state(&vq->q));
	EXPECT_EQ(error, vaccel_queue_error(&vq->q));
	EXPECT_EQ(0, vaccel_queue_start(&vq->q));
	EXPECT_EQ(0, vaccel_queue_error(&vq->q));
	EXPECT_EQ(VACCEL_STATE_RUNNING, vq_reg(vq, VACCEL_REG_STATUS));
	EXPECT_TRUE(works(vq));
}

/* Rings @reg with @val on a queue with 3 descriptors done, none waiting */
static void ring_badly(struct __test_metadata *_metadata, struct vq *vq,
		       unsigned int reg, __u64 val)
{
	ASSERT_EQ(0, vq_restart(vq));
	ASSERT_EQ(0, submit_nops(vq, 3));
	ASSERT_EQ(0, reap_nops(vq, 3));
	ASSERT_EQ(0, vq_wait_asleep(vq));
	vq_set_reg(vq, reg, val);
	ASSERT_EQ(0, vaccel_kick(&vq->q));
}

TEST_F(ring, a_tail_that_is_not_in_the_ring_stops_this_queue_only)
{
	static const __u64 tails[] = {
		2, 0, 3 + ENTRIES + 1, 0x80000000, 0xffffffff,
		1ULL << 32, 1ULL << 32 | 3, 1ULL << 63 | 4, -1ULL,
	};
	struct vq other;
	unsigned int i;

	ASSERT_EQ(0, vq_open(&other, &self->sim));
	for (i = 0; i < ARRAY_SIZE(tails); i++) {
		ring_badly(_metadata, &self->vq, VACCEL_REG_SQ_TAIL, tails[i]);
		expect_error(_metadata, &self->vq, VACCEL_QERR_SQ_TAIL);
		EXPECT_TRUE(works(&other));
		EXPECT_EQ(i + 1, sim_stat(&self->sim, "queue_errors"));
		if (_metadata->exit_code) {
			TH_LOG("tail %#llx", tails[i]);
			break;
		}
	}
}

TEST_F(ring, a_head_that_is_not_in_the_ring_stops_this_queue_only)
{
	static const __u64 heads[] = {
		4, 3 + ENTRIES, 0x80000000, 0xffffff00,
		1ULL << 32, 1ULL << 32 | 3, 1ULL << 63 | 2, -1ULL,
	};
	struct vq other;
	unsigned int i;

	ASSERT_EQ(0, vq_open(&other, &self->sim));
	for (i = 0; i < ARRAY_SIZE(heads); i++) {
		ring_badly(_metadata, &self->vq, VACCEL_REG_CQ_HEAD, heads[i]);
		expect_error(_metadata, &self->vq, VACCEL_QERR_CQ_HEAD);
		EXPECT_TRUE(works(&other));
		EXPECT_EQ(i + 1, sim_stat(&self->sim, "queue_errors"));
		if (_metadata->exit_code) {
			TH_LOG("head %#llx", heads[i]);
			break;
		}
	}
}

TEST_F(ring, with_both_indices_bad_the_tail_is_to_blame)
{
	ASSERT_EQ(0, vq_wait_asleep(&self->vq));
	vq_set_reg(&self->vq, VACCEL_REG_CQ_HEAD, -1);
	vq_set_reg(&self->vq, VACCEL_REG_SQ_TAIL, -1);
	ASSERT_EQ(0, vaccel_kick(&self->vq.q));
	expect_error(_metadata, &self->vq, VACCEL_QERR_SQ_TAIL);
}

TEST_F(ring, what_was_taken_before_the_error_has_its_completion)
{
	struct vq *vq = &self->vq;
	struct vaccel_desc d = d_copy(vq, vq->mem, vq->mem + HALF, HALF);

	make_noise(vq->mem, HALF, 1);
	memset(vq->mem + HALF, 0, HALF);
	ASSERT_EQ(0, sim_hold(&self->sim, "dma", 1));
	ASSERT_EQ(0, vq_submit(vq, &d));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "dma", 1));
	vq_set_reg(vq, VACCEL_REG_SQ_TAIL, 1000);
	ASSERT_EQ(0, sim_release(&self->sim, "dma"));

	EXPECT_EQ(VACCEL_ST_OK, vq_wait(vq, NULL));
	EXPECT_EQ(0, memcmp(vq->mem, vq->mem + HALF, HALF));
	expect_error(_metadata, vq, VACCEL_QERR_SQ_TAIL);
}

TEST_F(ring, a_sleeping_poller_hears_of_a_queue_error)
{
	struct bg bg;

	ASSERT_EQ(0, vq_wait_asleep(&self->vq));
	ASSERT_EQ(0, bg_q_poll(&bg, self->vq.q.fd, -1));
	ASSERT_EQ(0, wait_poller());
	EXPECT_FALSE(bg_done(&bg));
	vq_set_reg(&self->vq, VACCEL_REG_SQ_TAIL, -1);
	ASSERT_EQ(0, vaccel_kick(&self->vq.q));
	EXPECT_EQ(POLLIN, bg_wait(&bg));
	expect_error(_metadata, &self->vq, VACCEL_QERR_SQ_TAIL);
}

TEST_F(ring, a_device_failure_stops_one_queue_and_aborts_its_work)
{
	struct vq other, *vq = &self->vq;

	ASSERT_EQ(0, vq_open(&other, &self->sim));
	ASSERT_EQ(0, submit_nops(vq, 2));
	ASSERT_EQ(0, reap_nops(vq, 2));
	ASSERT_EQ(0, sim_fail(&self->sim, "engine", 1));
	*vq_sq(vq, 2) = d_nop();
	vq_set_reg(vq, VACCEL_REG_SQ_TAIL, 3);
	/* the engine may not have slept, then it may be in ERROR by now */
	vaccel_kick(&vq->q);
	expect_error(_metadata, vq, VACCEL_QERR_DEVICE);
	EXPECT_TRUE(works(&other));
	EXPECT_EQ(1, sim_stat(&self->sim, "queue_errors"));
}

TEST_F(ring, the_engine_does_not_believe_the_control_page)
{
	static const __u8 junk[] = { 0xff, 0x00, 0x80 };
	struct vq *vq = &self->vq;
	struct vaccel_desc *d;
	__u32 index = 3;
	unsigned int i;

	ASSERT_EQ(0, submit_nops(vq, 3));
	ASSERT_EQ(0, reap_nops(vq, 3));
	for (i = 0; i < ARRAY_SIZE(junk); i++, index++) {
		memset(vq_ctrl(vq), junk[i], 0x1000);
		memset(vq_cq(vq, 0), junk[i], ENTRIES * sizeof(struct vaccel_cqe));
		vq_set_reg(vq, VACCEL_REG_ID, -1);
		vq_set_reg(vq, VACCEL_REG_STATUS, -1);

		d = vq_sq(vq, index);
		*d = d_nop();
		d->user_data = htole64(vq->serial + index);
		vq_set_reg(vq, VACCEL_REG_SQ_TAIL, index + 1);
		ASSERT_EQ(0, vaccel_kick(&vq->q));
		ASSERT_EQ(0, vq_wait_cq_tail(vq, index + 1));
		EXPECT_EQ(index + 1, vq_sq_head(vq));
		EXPECT_EQ(vq->serial + index,
			  le64toh(vq_cq(vq, index)->user_data));
		EXPECT_EQ(VACCEL_ST_OK, le32toh(vq_cq(vq, index)->status));
		EXPECT_EQ(POLLIN, q_poll(vq->q.fd, 0));
		vq_set_reg(vq, VACCEL_REG_CQ_HEAD, index + 1);
		EXPECT_EQ(0, q_poll(vq->q.fd, 0));
	}
	EXPECT_EQ(0, sim_stat(&self->sim, "queue_errors"));
	EXPECT_EQ(index, sim_stat(&self->sim, "completions"));
	/* nor do stop and start */
	ASSERT_EQ(0, vq_restart(vq));
	EXPECT_TRUE(works(vq));
}

TEST_F(ring, a_descriptor_is_read_once_when_it_is_taken)
{
	struct vq *vq = &self->vq;
	struct vaccel_desc d = d_copy(vq, vq->mem, vq->mem + HALF, HALF);

	make_noise(vq->mem, HALF, 1);
	memset(vq->mem + HALF, 0, HALF);
	ASSERT_EQ(0, sim_hold(&self->sim, "dma", 1));
	ASSERT_EQ(0, vq_submit(vq, &d));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "dma", 1));
	/* sq_head says that the entry is the user's again */
	EXPECT_EQ(1, vq_sq_head(vq));
	memset(vq_sq(vq, 0), 0xff, sizeof(d));
	ASSERT_EQ(0, sim_release(&self->sim, "dma"));

	EXPECT_EQ(VACCEL_ST_OK, vq_wait(vq, NULL));
	EXPECT_EQ(0, memcmp(vq->mem, vq->mem + HALF, HALF));
}

/* What could be different where no IOMMU is between engine and memory */
FIXTURE(ring_no_sva) {
	struct sim sim;
	struct vq vq;
};

FIXTURE_SETUP(ring_no_sva)
{
	struct sim_config cfg = { .no_sva = true };

	if (!setup_sim(_metadata, &self->sim, "ksft_ring", &cfg))
		return;
	ASSERT_EQ(0, vq_open(&self->vq, &self->sim));
}

FIXTURE_TEARDOWN_PARENT(ring_no_sva)
{
	teardown_sim(_metadata, &self->sim);
}

TEST_F(ring_no_sva, nothing_is_written_after_stop_returned)
{
	stop_amidst(_metadata, &self->sim, &self->vq);
}

TEST_F(ring_no_sva, info_says_that_addresses_are_offsets)
{
	struct vaccel_info info;

	ASSERT_EQ(0, q_ioctl(self->vq.q.fd, VACCEL_CMD_INFO, &info));
	EXPECT_EQ(0, info.flags);
	EXPECT_EQ(0, info.pasid);
	EXPECT_EQ(0, sim_sysfs_long(&self->sim, "flags"));
}

TEST_HARNESS_MAIN
