// SPDX-License-Identifier: GPL-2.0-only
/*
 * An accelerator that is a PCI function, and how its queues are
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "kselftest.h"
#include "kmsg.h"
#include "pci.h"
#include "plugged.h"
#include "sim.h"
#include "usermem.h"
#include "vq.h"

/* What an IOMMU says of an access that it does not allow */
static const char * const not_allowed[] = { "fault reason", NULL };

int plugged_not_allowed(const struct plugged *p)
{
	return log_count(p->mark, not_allowed);
}

int not_failed(struct vq *vq)
{
	struct vaccel_info info;

	if (vaccel_queue_state(&vq->q) != VACCEL_STATE_ERROR)
		return 1;
	if (vaccel_queue_error(&vq->q) != VACCEL_QERR_DEVICE)
		return 2;
	if (q_poll(vq->q.fd, 0) != POLLIN)
		return 3;
	if (vaccel_kick(&vq->q) != -EIO)
		return 4;
	if (q_info(vq->q.fd, &info))
		return 5;
	/* to UACCE it is started */
	if (q_start(vq->q.fd) != -EINVAL)
		return 6;
	return 0;
}

int not_working(struct vq *vq)
{
	if (vaccel_queue_state(&vq->q) != VACCEL_STATE_RUNNING)
		return 1;
	memset(vq->mem, 'b', VQ_MEM);
	if (dev_fill(vq, vq->mem + 1, VQ_MEM - 2, 'w') != VACCEL_ST_OK)
		return 2;
	if (!all_bytes(vq->mem + 1, VQ_MEM - 2, 'w'))
		return 3;
	return vq->mem[0] == 'b' && vq->mem[VQ_MEM - 1] == 'b' ? 0 : 4;
}

int begin_work(struct sim *sim, struct vq *vq)
{
	int ret = dev_fill(vq, vq->mem, WORK * PAGE, 0);

	return ret ? ret : hold_fill(sim, vq, vq->mem, WORK, 'd');
}

bool only_first_page(const struct vq *vq)
{
	return all_bytes(vq->mem, PAGE, 'd') &&
	       all_bytes(vq->mem + PAGE, (WORK - 1) * PAGE, 0);
}

struct vq peer_vq;

long peer_vq_open(long sim, long unused1, long unused2)
{
	return vq_open(&peer_vq, (const struct sim *)sim);
}

long peer_vq_restart(long unused1, long unused2, long unused3)
{
	return vq_restart(&peer_vq);
}

long peer_not_failed(long unused1, long unused2, long unused3)
{
	return not_failed(&peer_vq);
}

long peer_not_working(long unused1, long unused2, long unused3)
{
	return not_working(&peer_vq);
}

int not_reborn(struct plugged *p)
{
	struct vq vq;
	int ret;

	if (pci_bring_back(&p->f))
		return 100;
	if (sim_go_live(&p->sim))
		return 101;
	if (vq_open(&vq, &p->sim))
		return 102;
	ret = not_working(&vq);
	vq_close(&vq);
	return ret;
}

long isolated(const struct sim *sim, long want)
{
	long end = now_ms() + SIM_TIMEOUT_MS;
	long val;

	/* the driver hears of it by an interrupt */
	while ((val = sim_sysfs_long(sim, "isolate")) != want) {
		if (now_ms() > end)
			break;
		nap();
	}
	return val;
}

static long start_and_put(long fd, long enough, long also)
{
	int ret;

	while (!__atomic_load_n((bool *)enough, __ATOMIC_RELAXED)) {
		ret = q_start(fd);
		/* a reset is under way */
		if (ret && ret != -EAGAIN && ret != also)
			return ret;
		ret = q_put(fd);
		if (ret)
			return ret;
		/* Others need the processor as well, perhaps the only one. */
		nap();
	}
	return 0;
}

int restless_begin(struct restless *r, const struct sim *sim, int also)
{
	unsigned int i;
	int ret;

	r->enough = false;
	for (i = 0; i < ARRAY_SIZE(r->fd); i++) {
		r->fd[i] = q_open(sim);
		if (r->fd[i] < 0)
			return r->fd[i];
		ret = bg_start(&r->bg[i], start_and_put, r->fd[i], (long)&r->enough,
			       also);
		if (ret)
			return ret;
	}
	return 0;
}

int restless_end(struct restless *r)
{
	unsigned int i;
	int ret = 0;

	__atomic_store_n(&r->enough, true, __ATOMIC_RELAXED);
	for (i = 0; i < ARRAY_SIZE(r->fd); i++)
		ret = bg_wait(&r->bg[i]) ?: q_start(r->fd[i]) ?: ret;
	return ret;
}
