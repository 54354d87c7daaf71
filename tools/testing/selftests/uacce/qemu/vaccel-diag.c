// SPDX-License-Identifier: GPL-2.0-only
/*
 * vaccel: the diagnostics block. Counters, points where workers can be held or told
 * to fail, and accidents on demand.
 */
#include "vaccel.h"
#include "hw/pci/msix.h"
#include "hw/pci/pci_bridge.h"
#include "hw/pci/pcie.h"
#include "block/aio.h"
#include "monitor/qdev.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/timer.h"
#include "qobject/qdict.h"

/* From the end of a device that was unplugged until there is a new one */
#define VACCEL_PLUG_MS		3000

#define VACCEL_POINT_STRIDE	(VACCEL_DIAG_HOLD(1) - VACCEL_DIAG_HOLD(0))

/* Is a hold of this queue at this point over, whatever the test wants? */
static bool vaccel_point_over(const struct vaccel_queue *q, unsigned int point)
{
	if (point == VACCEL_DIAG_STOP)
		return qatomic_read(&q->resetting);
	if (point == VACCEL_DIAG_RESET)
		return qatomic_read(&q->dev->stopping);
	return vaccel_aborted(q);
}

/**
 * vaccel_point() - a worker arrives at a point
 * @q: the queue
 * @point: VACCEL_DIAG_ENGINE and so on
 *
 * Return: true if it is to fail there
 */
bool vaccel_point(struct vaccel_queue *q, unsigned int point)
{
	struct vaccel_dev *d = q->dev;
	struct vaccel_point *p = &d->points[point];
	uint64_t release;
	bool fail;

	/* The lock is the device's: no queue waits for it that has no reason to */
	if (!qatomic_read(&p->hold) && !qatomic_read(&p->fail))
		return false;

	QEMU_LOCK_GUARD(&d->diag_lock);
	if (p->hold) {
		if (p->hold > 0)
			qatomic_set(&p->hold, p->hold - 1);
		release = p->release;
		p->held++;
		while (release == p->release && !vaccel_point_over(q, point))
			qemu_cond_wait(&d->diag_cond, &d->diag_lock);
		p->held--;
	}
	if (vaccel_point_over(q, point))
		return false;
	fail = p->fail;
	if (p->fail > 0)
		qatomic_set(&p->fail, p->fail - 1);
	return fail;
}

/**
 * vaccel_point_wake() - make those who are held look whether that is over
 * @d: the device
 */
void vaccel_point_wake(struct vaccel_dev *d)
{
	QEMU_LOCK_GUARD(&d->diag_lock);
	qemu_cond_broadcast(&d->diag_cond);
}

static void vaccel_point_set_hold(struct vaccel_dev *d, struct vaccel_point *p,
				  int32_t n)
{
	QEMU_LOCK_GUARD(&d->diag_lock);
	qatomic_set(&p->hold, n);
	if (!n) {
		p->release++;
		qemu_cond_broadcast(&d->diag_cond);
		/* What is held at REQUEST is not a worker */
		qemu_bh_schedule(d->pri_bh);
	}
}

static void vaccel_diag_clear(struct vaccel_dev *d)
{
	unsigned int in_flight = (VACCEL_DIAG_PAGE_IN_FLIGHT - VACCEL_DIAG) / 4;
	unsigned int i;

	for (i = 0; i < VACCEL_DIAG_POINTS; i++) {
		vaccel_point_set_hold(d, &d->points[i], 0);
		qatomic_set(&d->points[i].fail, 0);
	}
	for (i = 0; i < VACCEL_COUNTERS; i++)
		if (i != in_flight)
			qatomic_set(&d->counters[i], 0);
	d->limit = 0;
	d->mute = false;
}

/**
 * vaccel_device_fail() - the device fails as a whole
 * @d: the device
 */
void vaccel_device_fail(struct vaccel_dev *d)
{
	unsigned int i;

	if (d->fatal)
		return;
	qatomic_set(&d->fatal, true);
	for (i = 0; i < d->nr_queues; i++)
		vaccel_queue_fail(&d->queues[i]);
	vaccel_point_wake(d);
	if (msix_enabled(PCI_DEVICE(d)))
		msix_notify(PCI_DEVICE(d), VACCEL_PCI_VECTOR_DEVICE);
}

/* The port's driver can see it, and is not told. */
static void vaccel_set_link(struct vaccel_dev *d, bool up)
{
	PCIDevice *port = pci_bridge_get_device(pci_get_bus(PCI_DEVICE(d)));
	uint8_t *status;

	qatomic_set(&d->gone, !up);
	if (!port || !port->exp.exp_cap)
		return;
	status = port->config + port->exp.exp_cap + PCI_EXP_LNKSTA;
	if (up)
		pci_word_test_and_set_mask(status, PCI_EXP_LNKSTA_DLLLA);
	else
		pci_word_test_and_clear_mask(status, PCI_EXP_LNKSTA_DLLLA);
}

static void vaccel_vanish(struct vaccel_dev *d)
{
	vaccel_set_link(d, false);
	vaccel_queue_reset_all(d);
}

/*
 * Report an error as PCI Express has it: AER logs it, and the root port interrupts.
 * Whether it is a fatal one is for the system to choose; these are as by default.
 */
static void vaccel_report_error(struct vaccel_dev *d, bool fatal)
{
	PCIDevice *pci = PCI_DEVICE(d);
	PCIEAERErr err = {
		.status = fatal ? PCI_ERR_UNC_DLP : PCI_ERR_UNC_COMP_TIME,
		.source_id = pci_requester_id(pci),
	};

	if (pcie_aer_inject_error(pci, &err))
		warn_report("vaccel: the error was not reported");
}

/*
 * The link breaks down. The error is the port's to tell; as for the system that is
 * the same, leave it to the device, as the last thing that it does.
 */
static void vaccel_link_break(struct vaccel_dev *d, unsigned int resets)
{
	vaccel_report_error(d, true);
	vaccel_vanish(d);
	d->lost = resets;
}

/**
 * vaccel_link_reset() - the bus was reset: is there a link now?
 * @d: the device
 */
void vaccel_link_reset(struct vaccel_dev *d)
{
	if (d->lost)
		d->lost--;
	if (!d->lost && d->gone)
		vaccel_set_link(d, true);
}

/* Not in the access to the register: it can end in the end of the device */
static void vaccel_unplug(void *opaque)
{
	DeviceState *dev = opaque;
	Error *err = NULL;

	if (dev->realized)
		qdev_unplug(dev, &err);
	if (err)
		warn_report_err(err);
	object_unref(OBJECT(dev));
}

/**
 * struct vaccel_plug - a device that is about to be plugged in
 * @timer: when
 * @what: which
 */
struct vaccel_plug {
	QEMUTimer *timer;
	QDict *what;
};

static void vaccel_plug(void *opaque)
{
	struct vaccel_plug *plug = opaque;
	Error *err = NULL;
	DeviceState *dev;

	dev = qdev_device_add_from_qdict(plug->what, false, &err);
	if (dev)
		object_unref(OBJECT(dev));
	if (err)
		warn_report_err(err);
	qobject_unref(plug->what);
	timer_free(plug->timer);
	g_free(plug);
}

/**
 * vaccel_plug_anew() - plug a new one in where this one was
 * @d: the device; it is on its way out
 *
 * Who pressed the button of the slot finds it switched off, pulls the device out,
 * and puts it back: the machine is as it was before. Not at once, as systems ignore
 * for a second or so what happens in a slot that they have just switched off.
 */
void vaccel_plug_anew(struct vaccel_dev *d)
{
	g_autofree char *queues = g_strdup_printf("%u", d->nr_queues);
	struct vaccel_plug *plug = g_new0(struct vaccel_plug, 1);
	DeviceState *dev = DEVICE(d);
	QDict *what = qdict_new();

	qdict_put_str(what, "driver", TYPE_VACCEL);
	qdict_put_str(what, "bus", qdev_get_parent_bus(dev)->name);
	if (dev->id)
		qdict_put_str(what, "id", dev->id);
	qdict_put_str(what, "sva", d->sva ? "on" : "off");
	qdict_put_str(what, "queues", queues);

	plug->what = what;
	plug->timer = timer_new_ms(QEMU_CLOCK_VIRTUAL, vaccel_plug, plug);
	timer_mod(plug->timer, qemu_clock_get_ms(QEMU_CLOCK_VIRTUAL) +
			       VACCEL_PLUG_MS);
}

static void vaccel_diag_action(struct vaccel_dev *d, uint32_t action)
{
	switch (action) {
	case VACCEL_DIAG_CLEAR:
		vaccel_diag_clear(d);
		break;
	case VACCEL_DIAG_FATAL:
		vaccel_device_fail(d);
		break;
	case VACCEL_DIAG_VANISH:
		vaccel_vanish(d);
		break;
	case VACCEL_DIAG_AER_NONFATAL:
		vaccel_report_error(d, false);
		break;
	case VACCEL_DIAG_AER_FATAL:
		vaccel_report_error(d, true);
		break;
	case VACCEL_DIAG_AER_LINK:
		vaccel_link_break(d, 1);
		break;
	case VACCEL_DIAG_AER_LOST:
		vaccel_link_break(d, 2);
		break;
	case VACCEL_DIAG_BURST:
		vaccel_point_set_hold(d, &d->points[VACCEL_DIAG_REQUEST], 0);
		vaccel_pri_burst(d);
		break;
	case VACCEL_DIAG_MUTE:
		d->mute = true;
		break;
	case VACCEL_DIAG_UNPLUG:
		d->pressed = true;
		object_ref(OBJECT(d));
		aio_bh_schedule_oneshot(qemu_get_aio_context(), vaccel_unplug,
					DEVICE(d));
		break;
	}
}

static uint32_t vaccel_diag_running(struct vaccel_dev *d)
{
	unsigned int i, n = 0;
	uint32_t status;

	for (i = 0; i < d->nr_queues; i++) {
		status = vaccel_queue_status(&d->queues[i]);
		if ((status & VACCEL_PCI_QS_BUSY) ||
		    (status & VACCEL_PCI_QS_STATE) == VACCEL_STATE_RUNNING)
			n++;
	}
	return n;
}

/* Which point a register belongs to, and which of its registers it is */
static struct vaccel_point *vaccel_diag_point(struct vaccel_dev *d,
					      uint32_t reg, uint32_t *which)
{
	uint32_t point = (reg - VACCEL_DIAG_HOLD(0)) / VACCEL_POINT_STRIDE;

	if (reg < VACCEL_DIAG_HOLD(0) || point >= VACCEL_DIAG_POINTS)
		return NULL;
	*which = reg - point * VACCEL_POINT_STRIDE;
	return &d->points[point];
}

/**
 * vaccel_diag_read() - read a register of the diagnostics block
 * @d: the device
 * @reg: its offset
 */
uint32_t vaccel_diag_read(struct vaccel_dev *d, uint32_t reg)
{
	struct vaccel_point *p;
	uint32_t which;

	p = vaccel_diag_point(d, reg, &which);
	if (p) {
		QEMU_LOCK_GUARD(&d->diag_lock);
		switch (which) {
		case VACCEL_DIAG_HOLD(0):
			return p->hold;
		case VACCEL_DIAG_HELD(0):
			return qatomic_read(&p->held);
		case VACCEL_DIAG_FAIL(0):
			return p->fail;
		}
		return 0;
	}
	if (reg == VACCEL_DIAG_LIMIT)
		return d->limit;
	if (reg == VACCEL_DIAG_RUNNING)
		return vaccel_diag_running(d);
	if (reg - VACCEL_DIAG < 4 * VACCEL_COUNTERS)
		return qatomic_read(&d->counters[(reg - VACCEL_DIAG) / 4]);
	return 0;
}

/**
 * vaccel_diag_write() - write a register of the diagnostics block
 * @d: the device
 * @reg: its offset
 * @val: what
 */
void vaccel_diag_write(struct vaccel_dev *d, uint32_t reg, uint32_t val)
{
	struct vaccel_point *p;
	uint32_t which;

	p = vaccel_diag_point(d, reg, &which);
	if (p && which == VACCEL_DIAG_HOLD(0))
		vaccel_point_set_hold(d, p, val);
	else if (p && which == VACCEL_DIAG_FAIL(0))
		qatomic_set(&p->fail, val);
	else if (reg == VACCEL_DIAG_ACTION)
		vaccel_diag_action(d, val);
	else if (reg == VACCEL_DIAG_LIMIT)
		d->limit = val;
}
