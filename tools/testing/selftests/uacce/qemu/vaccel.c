// SPDX-License-Identifier: GPL-2.0-only
/*
 * vaccel: the PCI Express function. Capabilities, registers, reset, plugging.
 */
#include "vaccel.h"
#include "hw/pci/msix.h"
#include "hw/pci/pcie.h"
#include "qapi/error.h"
#include "qemu/host-utils.h"
#include "qemu/module.h"
#if __has_include("hw/core/qdev-properties.h")
#include "hw/core/qdev-properties.h"
#else
#include "hw/qdev-properties.h"
#endif

#define VACCEL_CTRL_SIZE	0x10000
#define VACCEL_QUEUE_STRIDE	(VACCEL_PCI_QUEUE(1) - VACCEL_PCI_QUEUE(0))

/* Table and pending bits of up to 257 vectors */
#define VACCEL_MSIX_SIZE	0x4000
#define VACCEL_MSIX_PBA		0x2000

#define VACCEL_CAP_POWER	0x40
#define VACCEL_CAP_EXPRESS	0x80
#define VACCEL_CAP_AER		0x100
#define VACCEL_CAP_ATS		0x150
#define VACCEL_CAP_PASID	0x160
#define VACCEL_CAP_PRI		0x170
#define VACCEL_PASID_BITS	20

static uint32_t vaccel_queue_read(struct vaccel_queue *q, uint32_t reg)
{
	uint32_t val = 0;

	if (reg == VACCEL_PCI_Q_STATUS)
		return vaccel_queue_status(q);

	QEMU_LOCK_GUARD(&q->lock);
	switch (reg) {
	case VACCEL_PCI_Q_PASID:
		val = q->pasid;
		break;
	case VACCEL_PCI_Q_VECTOR:
		val = q->vector;
		break;
	case VACCEL_PCI_Q_DUS:
		val = q->dus;
		break;
	case VACCEL_PCI_Q_DUS + 4:
		val = q->dus >> 32;
		break;
	}
	return val;
}

/* The PASID that the queue had is let go of by this */
static void vaccel_queue_set_pasid(struct vaccel_queue *q, uint32_t val)
{
	bool allowed;

	val &= VACCEL_PCI_PASID_VALID | VACCEL_PCI_PASID_MASK;
	qemu_mutex_lock(&q->lock);
	allowed = q->state == VACCEL_STATE_STOPPED && !vaccel_queue_busy(q);
	if (allowed)
		q->pasid = val;
	qemu_mutex_unlock(&q->lock);

	if (allowed && q->space && val != (VACCEL_PCI_PASID_VALID |
					   q->space->pasid)) {
		vaccel_atc_flush(q);
		vaccel_space_put(q);
	}
}

static void vaccel_queue_write(struct vaccel_queue *q, uint32_t reg,
			       uint32_t val)
{
	if (reg == VACCEL_PCI_Q_CMD) {
		vaccel_queue_command(q, val);
		return;
	}
	if (reg == VACCEL_PCI_Q_PASID) {
		vaccel_queue_set_pasid(q, val);
		return;
	}

	QEMU_LOCK_GUARD(&q->lock);
	if (q->state != VACCEL_STATE_STOPPED || vaccel_queue_busy(q))
		return;
	switch (reg) {
	case VACCEL_PCI_Q_VECTOR:
		q->vector = val;
		break;
	case VACCEL_PCI_Q_DUS:
		q->dus = deposit64(q->dus, 0, 32, val & VACCEL_PAGE_MASK);
		break;
	case VACCEL_PCI_Q_DUS + 4:
		q->dus = deposit64(q->dus, 32, 32, val);
		break;
	}
}

/* Which queue a register of BAR 0 belongs to, or NULL */
static struct vaccel_queue *vaccel_reg_queue(struct vaccel_dev *d, hwaddr addr)
{
	hwaddr n;

	if (addr < VACCEL_PCI_QUEUE(0))
		return NULL;
	n = (addr - VACCEL_PCI_QUEUE(0)) / VACCEL_QUEUE_STRIDE;
	return n < d->nr_queues ? &d->queues[n] : NULL;
}

static void vaccel_set_ctrl(struct vaccel_dev *d, uint32_t val)
{
	unsigned int i;

	d->enabled = val & VACCEL_PCI_CTRL_ENABLE;
	if (d->enabled)
		return;
	for (i = 0; i < d->nr_queues; i++)
		vaccel_queue_command(&d->queues[i], VACCEL_PCI_CMD_RESET);
}

static uint32_t vaccel_device_read(struct vaccel_dev *d, hwaddr addr)
{
	switch (addr) {
	case VACCEL_PCI_ID:
		return (uint32_t)VACCEL_ID;
	case VACCEL_PCI_ID + 4:
		return VACCEL_ID >> 32;
	case VACCEL_PCI_QUEUES:
		return d->limit ? d->limit : d->nr_queues;
	case VACCEL_PCI_CTRL:
		return d->enabled ? VACCEL_PCI_CTRL_ENABLE : 0;
	case VACCEL_PCI_OPCODES:
		return (uint32_t)VACCEL_OPCODES;
	case VACCEL_PCI_OPCODES + 4:
		return VACCEL_OPCODES >> 32;
	case VACCEL_PCI_STATUS:
		return d->fatal ? VACCEL_PCI_STATUS_FATAL : 0;
	default:
		return 0;
	}
}

static uint64_t vaccel_ctrl_read(void *opaque, hwaddr addr, unsigned int size)
{
	struct vaccel_dev *d = opaque;
	struct vaccel_queue *q;

	if (qatomic_read(&d->gone)) {
		vaccel_count(d, IN_VAIN);
		return UINT32_MAX;
	}
	if (addr >= VACCEL_DIAG)
		return vaccel_diag_read(d, addr);
	if (d->mute)
		return UINT32_MAX;
	q = vaccel_reg_queue(d, addr);
	if (q)
		return vaccel_queue_read(q, addr % VACCEL_QUEUE_STRIDE);
	return vaccel_device_read(d, addr);
}

static void vaccel_ctrl_write(void *opaque, hwaddr addr, uint64_t val,
			      unsigned int size)
{
	struct vaccel_dev *d = opaque;
	struct vaccel_queue *q;

	if (qatomic_read(&d->gone)) {
		vaccel_count(d, IN_VAIN);
		return;
	}
	q = vaccel_reg_queue(d, addr);
	if (addr >= VACCEL_DIAG)
		vaccel_diag_write(d, addr, val);
	else if (d->mute)
		return;
	else if (q)
		vaccel_queue_write(q, addr % VACCEL_QUEUE_STRIDE, val);
	else if (addr == VACCEL_PCI_CTRL)
		vaccel_set_ctrl(d, val);
}

static const MemoryRegionOps vaccel_ctrl_ops = {
	.read = vaccel_ctrl_read,
	.write = vaccel_ctrl_write,
	.endianness = DEVICE_LITTLE_ENDIAN,
	.valid = { .min_access_size = 4, .max_access_size = 8 },
	.impl = { .min_access_size = 4, .max_access_size = 4 },
};

/* A register of the MMIO region of a queue, all 64 bits of it */
static uint64_t vaccel_mmio_read(struct vaccel_queue *q, uint32_t reg)
{
	uint32_t status;

	switch (reg) {
	case VACCEL_REG_ID:
		return VACCEL_ID;
	case VACCEL_REG_STATUS:
		status = vaccel_queue_status(q);
		return (status & VACCEL_PCI_QS_STATE) |
		       (uint64_t)(status & VACCEL_PCI_QS_ERROR) << 24;
	case VACCEL_REG_SQ_TAIL:
		return qatomic_read(&q->sq_tail);
	case VACCEL_REG_CQ_HEAD:
		return qatomic_read(&q->cq_head);
	default:
		return 0;
	}
}

static uint64_t vaccel_doorbell_read(void *opaque, hwaddr addr,
				     unsigned int size)
{
	struct vaccel_dev *d = opaque;
	uint64_t n = addr / VACCEL_PCI_DB_STRIDE;
	uint32_t reg = addr % VACCEL_PCI_DB_STRIDE;
	uint64_t val;

	if (qatomic_read(&d->gone))
		return UINT64_MAX;
	if (size < 4 || n >= d->nr_queues)
		return 0;
	val = vaccel_mmio_read(&d->queues[n], reg & ~7);
	/* Of an access to a half, QEMU passes on the low 32 bits of the value */
	return reg & 4 ? val >> 32 : val;
}

static void vaccel_doorbell_write(void *opaque, hwaddr addr, uint64_t val,
				  unsigned int size)
{
	struct vaccel_dev *d = opaque;
	uint64_t n = addr / VACCEL_PCI_DB_STRIDE;
	uint32_t reg = addr % VACCEL_PCI_DB_STRIDE;
	struct vaccel_queue *q;

	if (size < 4 || n >= d->nr_queues || qatomic_read(&d->gone))
		return;
	q = &d->queues[n];
	switch (reg & ~7) {
	case VACCEL_REG_SQ_TAIL:
		vaccel_queue_doorbell(q, &q->sq_tail, reg & 4 ? 32 : 0, size * 8,
				      val);
		break;
	case VACCEL_REG_CQ_HEAD:
		vaccel_queue_doorbell(q, &q->cq_head, reg & 4 ? 32 : 0, size * 8,
				      val);
		break;
	}
}

/*
 * Aligned accesses of any size reach us as they are made: QEMU makes no two of one,
 * so that a store of 64 bits is seen at once. Those of less than 32 are ignored.
 */
static const MemoryRegionOps vaccel_doorbell_ops = {
	.read = vaccel_doorbell_read,
	.write = vaccel_doorbell_write,
	.endianness = DEVICE_LITTLE_ENDIAN,
	.valid = { .min_access_size = 1, .max_access_size = 8 },
	.impl = { .min_access_size = 1, .max_access_size = 8 },
};

/*
 * The queues are as after power-on when this returns, and nothing accesses memory.
 * Takes as long as the slowest worker needs to notice, see vaccel.h.
 */
static void vaccel_stop_all(struct vaccel_dev *d)
{
	unsigned int i;

	vaccel_queue_reset_all(d);
	vaccel_pri_forget(d);
	for (i = 0; i < d->nr_queues; i++)
		vaccel_space_put(&d->queues[i]);
	vaccel_space_release_all(d);
}

/* What QEMU leaves as it is in a reset, unlike the specifications */
static void vaccel_reset_capabilities(PCIDevice *pci)
{
	pcie_cap_deverr_reset(pci);
	if (!pci->exp.ats_cap)
		return;
	pci_set_word(pci->config + pci->exp.ats_cap + PCI_ATS_CTRL, 0);
	pci_set_word(pci->config + pci->exp.pasid_cap + PCI_PASID_CTRL, 0);
	pci_set_word(pci->config + pci->exp.pri_cap + PCI_PRI_CTRL, 0);
	pci_set_long(pci->config + pci->exp.pri_cap + PCI_PRI_ALLOC_REQ, 0);
}

/* FLR, reset of the bus, reset of the machine */
static void vaccel_reset(DeviceState *dev)
{
	struct vaccel_dev *d = VACCEL(dev);

	vaccel_stop_all(d);
	d->enabled = false;
	qatomic_set(&d->fatal, false);
	d->mute = false;
	/* If it is gone, this is a reset of the bus, after which there may be a link */
	vaccel_link_reset(d);
	vaccel_reset_capabilities(PCI_DEVICE(d));
	vaccel_count(d, RESETS);
}

static uint32_t vaccel_config_read(PCIDevice *pci, uint32_t addr, int len)
{
	if (qatomic_read(&VACCEL(pci)->gone))
		return UINT32_MAX;
	return pci_default_read_config(pci, addr, len);
}

static unsigned int vaccel_power_state(PCIDevice *pci)
{
	return pci_get_word(pci->config + pci->pm_cap + PCI_PM_CTRL) &
	       PCI_PM_CTRL_STATE_MASK;
}

/*
 * In D3hot it sends no requests, and in D0 afterwards it is as after a reset:
 * No_Soft_Reset is clear. QEMU itself hides the BARs meanwhile, no more.
 */
static void vaccel_power_changed(PCIDevice *pci, unsigned int was)
{
	struct vaccel_dev *d = VACCEL(pci);
	unsigned int now = vaccel_power_state(pci);

	if (!was && now) {
		vaccel_stop_all(d);
		d->enabled = false;
	} else if (was && !now) {
		pci_device_reset(pci);
	}
}

static void vaccel_config_write(PCIDevice *pci, uint32_t addr, uint32_t val,
				int len)
{
	unsigned int power = vaccel_power_state(pci);

	if (qatomic_read(&VACCEL(pci)->gone))
		return;
	pci_default_write_config(pci, addr, val, len);
	vaccel_power_changed(pci, power);
	pcie_cap_flr_write_config(pci, addr, val, len);
	pcie_aer_write_config(pci, addr, val, len);
}

static bool vaccel_init_bars(struct vaccel_dev *d, Error **errp)
{
	const uint8_t type = PCI_BASE_ADDRESS_SPACE_MEMORY |
			     PCI_BASE_ADDRESS_MEM_TYPE_64;
	PCIDevice *pci = PCI_DEVICE(d);
	unsigned int i;

	memory_region_init_io(&d->ctrl_bar, OBJECT(d), &vaccel_ctrl_ops, d,
			      "vaccel-ctrl", VACCEL_CTRL_SIZE);
	memory_region_init_io(&d->doorbell_bar, OBJECT(d), &vaccel_doorbell_ops,
			      d, "vaccel-doorbell", VACCEL_PCI_DB_STRIDE *
			      pow2ceil(d->nr_queues));
	memory_region_init(&d->msix_bar, OBJECT(d), "vaccel-msix",
			   VACCEL_MSIX_SIZE);
	pci_register_bar(pci, VACCEL_PCI_BAR_CTRL, type, &d->ctrl_bar);
	pci_register_bar(pci, VACCEL_PCI_BAR_DOORBELL, type, &d->doorbell_bar);
	pci_register_bar(pci, VACCEL_PCI_BAR_MSIX, type, &d->msix_bar);

	/* One vector for the device, and as many as there are queues */
	if (msix_init(pci, d->nr_queues + 1, &d->msix_bar, VACCEL_PCI_BAR_MSIX,
		      0, &d->msix_bar, VACCEL_PCI_BAR_MSIX, VACCEL_MSIX_PBA, 0,
		      errp))
		return false;
	for (i = 0; i <= d->nr_queues; i++)
		msix_vector_use(pci, i);
	return true;
}

/* D0 and D3hot, the states that every function has */
static bool vaccel_init_power(PCIDevice *pci, Error **errp)
{
	if (pci_pm_init(pci, VACCEL_CAP_POWER, errp) < 0)
		return false;
	pci_set_word(pci->config + pci->pm_cap + PCI_PM_PMC, 3); /* version 1.2 */
	pci_set_word(pci->wmask + pci->pm_cap + PCI_PM_CTRL,
		     PCI_PM_CTRL_STATE_MASK);
	return true;
}

static bool vaccel_init_capabilities(struct vaccel_dev *d, Error **errp)
{
	PCIDevice *pci = PCI_DEVICE(d);

	if (!vaccel_init_power(pci, errp))
		return false;
	if (pcie_endpoint_cap_init(pci, VACCEL_CAP_EXPRESS) < 0) {
		error_setg(errp, "vaccel is for a PCI Express bus");
		return false;
	}
	pcie_cap_flr_init(pci);
	pcie_cap_deverr_init(pci);
	if (pcie_aer_init(pci, PCI_ERR_VER, VACCEL_CAP_AER, PCI_ERR_SIZEOF,
			  errp) < 0) {
		pcie_cap_exit(pci);
		return false;
	}
	if (d->sva) {
		pcie_ats_init(pci, VACCEL_CAP_ATS, true);
		pcie_pasid_init(pci, VACCEL_CAP_PASID, VACCEL_PASID_BITS, false,
				false);
		pcie_pri_init(pci, VACCEL_CAP_PRI, VACCEL_PRGS, true);
	}
	return true;
}

static void vaccel_realize(PCIDevice *pci, Error **errp)
{
	struct vaccel_dev *d = VACCEL(pci);
	unsigned int i;

	if (!d->nr_queues || d->nr_queues > VACCEL_PCI_MAX_QUEUES) {
		error_setg(errp, "queues has to be 1 to %u",
			   VACCEL_PCI_MAX_QUEUES);
		return;
	}
	if (!vaccel_init_capabilities(d, errp))
		return;
	if (!vaccel_init_bars(d, errp)) {
		pcie_aer_exit(pci);
		pcie_cap_exit(pci);
		return;
	}

	qemu_mutex_init(&d->diag_lock);
	qemu_cond_init(&d->diag_cond);
	vaccel_pri_init(d);
	vaccel_atc_init(d);
	d->queues = g_new0(struct vaccel_queue, d->nr_queues);
	for (i = 0; i < d->nr_queues; i++)
		vaccel_queue_init(d, i);
}

static void vaccel_exit(PCIDevice *pci)
{
	struct vaccel_dev *d = VACCEL(pci);
	unsigned int i;

	vaccel_stop_all(d);
	if (d->pressed)
		vaccel_plug_anew(d);
	for (i = 0; i < d->nr_queues; i++)
		vaccel_queue_exit(&d->queues[i]);
	g_free(d->queues);
	vaccel_atc_exit(d);
	vaccel_pri_exit(d);
	qemu_cond_destroy(&d->diag_cond);
	qemu_mutex_destroy(&d->diag_lock);
	msix_uninit(pci, &d->msix_bar, &d->msix_bar);
	pcie_aer_exit(pci);
	pcie_cap_exit(pci);
}

static const Property vaccel_properties[] = {
	DEFINE_PROP_UINT32("queues", struct vaccel_dev, nr_queues, 64),
	DEFINE_PROP_BOOL("sva", struct vaccel_dev, sva, true),
};

static void vaccel_class_init(ObjectClass *class, const void *data)
{
	PCIDeviceClass *k = PCI_DEVICE_CLASS(class);
	DeviceClass *dc = DEVICE_CLASS(class);

	k->realize = vaccel_realize;
	k->exit = vaccel_exit;
	k->config_read = vaccel_config_read;
	k->config_write = vaccel_config_write;
	k->vendor_id = VACCEL_PCI_VENDOR;
	k->device_id = VACCEL_PCI_DEVICE;
	k->class_id = 0x1200;		/* processing accelerator */
	device_class_set_legacy_reset(dc, vaccel_reset);
	device_class_set_props(dc, vaccel_properties);
	set_bit(DEVICE_CATEGORY_MISC, dc->categories);
	dc->desc = "virtual accelerator with shared virtual addressing";
}

static const TypeInfo vaccel_types[] = {
	{
		.name = TYPE_VACCEL,
		.parent = TYPE_PCI_DEVICE,
		.instance_size = sizeof(struct vaccel_dev),
		.class_init = vaccel_class_init,
		.interfaces = (const InterfaceInfo[]) {
			{ INTERFACE_PCIE_DEVICE },
			{ },
		},
	},
};

DEFINE_TYPES(vaccel_types)
