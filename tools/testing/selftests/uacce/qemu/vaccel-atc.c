// SPDX-License-Identifier: GPL-2.0-only
/*
 * vaccel: address spaces (PASIDs) and translations. Each queue has a cache of its
 * own, so that queues do not wait for each other.
 *
 * Two things keep a stale translation from being used. An invalidation takes the
 * lock of each cache of that PASID, removes what it covers and changes the cache's
 * generation: accesses under the lock are over then. And a translation that was
 * asked for in an earlier generation than the one in which it arrives is dropped.
 *
 * That this works is checked at each access by other means, a log of the
 * invalidations that are over: see vaccel_atc_check().
 */
#include "vaccel.h"
#include "hw/pci/pcie.h"

/* Does the range that @iova and @mask make up meet the translation? */
static bool vaccel_xlate_covered(const struct vaccel_xlate *x, uint64_t iova,
				 uint64_t mask)
{
	iova &= ~mask;
	return x->mask && x->iova <= (iova | mask) &&
	       iova <= (x->iova | x->mask);
}

static bool vaccel_atc_remove(struct vaccel_queue *q, uint64_t iova,
			      uint64_t mask)
{
	bool removed = false;
	unsigned int i;

	QEMU_LOCK_GUARD(&q->atc_lock);
	q->atc_gen++;
	for (i = 0; i < VACCEL_ATC_ENTRIES; i++) {
		if (vaccel_xlate_covered(&q->atc[i], iova, mask)) {
			q->atc[i].mask = 0;
			removed = true;
		}
	}
	return removed;
}

/* An invalidation by the IOMMU. It is over when this returns. */
static void vaccel_space_invalidate(IOMMUNotifier *n, IOMMUTLBEntry *entry)
{
	struct vaccel_space *space = container_of(n, struct vaccel_space, inval);
	struct vaccel_dev *d = space->dev;
	uint64_t number = qatomic_fetch_inc(&d->inval_begun) + 1;
	struct vaccel_inval *log;
	bool removed = false;
	unsigned int i;

	for (i = 0; i < d->nr_queues; i++)
		if (d->queues[i].space == space &&
		    vaccel_atc_remove(&d->queues[i], entry->iova,
				      entry->addr_mask))
			removed = true;
	if (removed)
		vaccel_count(d, INVALIDATIONS);

	QEMU_LOCK_GUARD(&d->log_lock);
	log = &d->log[number % VACCEL_LOG];
	log->number = number;
	log->pasid = space->pasid;
	log->iova = entry->iova;
	log->mask = entry->addr_mask;
	qatomic_set(&d->inval_logged, number);
}

/**
 * vaccel_atc_check() - count an access by a translation that was invalidated
 * @q: the queue, whose worker calls, with the lock of its cache
 * @x: about to be used
 *
 * Stale is what was asked for before an invalidation that covers it began, and is
 * used after that is over.
 */
void vaccel_atc_check(struct vaccel_queue *q, struct vaccel_xlate *x)
{
	uint32_t pasid = q->run_pasid & VACCEL_PCI_PASID_MASK;
	struct vaccel_dev *d = q->dev;
	struct vaccel_inval *log;
	uint64_t number, last;

	last = qatomic_read(&d->inval_logged);
	if (x->checked == last)
		return;

	QEMU_LOCK_GUARD(&d->log_lock);
	number = MAX(x->asked, x->checked) + 1;
	/* What has fallen out of the log cannot be checked any more */
	if (last >= VACCEL_LOG)
		number = MAX(number, last - VACCEL_LOG + 1);
	for (; number <= last; number++) {
		log = &d->log[number % VACCEL_LOG];
		if (log->pasid == pasid &&
		    vaccel_xlate_covered(x, log->iova, log->mask)) {
			vaccel_count(d, DMA_STALE);
			break;
		}
	}
	x->checked = last;
}

static struct vaccel_xlate *vaccel_atc_small(struct vaccel_queue *q,
					     uint64_t addr)
{
	return &q->atc[(addr >> VACCEL_PAGE_SHIFT) % VACCEL_ATC_SMALL];
}

static struct vaccel_xlate *vaccel_atc_large(struct vaccel_queue *q,
					     uint64_t addr, uint64_t mask)
{
	return &q->atc[VACCEL_ATC_SMALL +
		       (addr >> ctpop64(mask)) % VACCEL_ATC_LARGE];
}

static bool vaccel_xlate_fits(const struct vaccel_xlate *x, uint64_t addr,
			      bool write)
{
	return x->mask && (addr & ~x->mask) == x->iova && (x->write || !write);
}

/**
 * vaccel_atc_find() - find a translation
 * @q: the queue; the lock of its cache is held
 * @addr: address
 * @write: for writing
 *
 * Return: the translation or NULL
 */
struct vaccel_xlate *vaccel_atc_find(struct vaccel_queue *q, uint64_t addr,
				     bool write)
{
	struct vaccel_xlate *x = vaccel_atc_small(q, addr);
	unsigned int i;

	if (!vaccel_xlate_fits(x, addr, write)) {
		for (i = VACCEL_ATC_SMALL; i < VACCEL_ATC_ENTRIES; i++)
			if (vaccel_xlate_fits(&q->atc[i], addr, write))
				break;
		if (i == VACCEL_ATC_ENTRIES)
			return NULL;
		x = &q->atc[i];
	}
	return x;
}

static void vaccel_atc_insert(struct vaccel_queue *q,
			      const struct vaccel_xlate *x)
{
	if (x->mask < VACCEL_PAGE)
		*vaccel_atc_small(q, x->iova) = *x;
	else
		*vaccel_atc_large(q, x->iova, x->mask) = *x;
}

/**
 * vaccel_atc_possible() - is there any point in asking for an address?
 * @q: the queue
 * @addr: address
 *
 * Return: false if it is none that the IOMMU's page tables can have
 */
bool vaccel_atc_possible(const struct vaccel_queue *q, uint64_t addr)
{
	int64_t top = (int64_t)addr >> (q->dev->addr_width - 1);

	return top == 0 || top == -1;
}

/*
 * Ask the IOMMU for the translation of a page.
 *
 * Return: true if it has one that allows the access
 */
static bool vaccel_translate(struct vaccel_queue *q, uint64_t addr, bool write,
			     struct vaccel_xlate *x)
{
	uint32_t pasid = q->run_pasid & VACCEL_PCI_PASID_MASK;
	struct vaccel_dev *d = q->dev;
	IOMMUTLBEntry entry;
	uint32_t errors = 0;
	ssize_t n;

	/* What the queue may use is what the driver finds in its register */
	qemu_mutex_lock(&q->lock);
	if (q->pasid != q->run_pasid)
		vaccel_count(d, DMA_RETIRED);
	qemu_mutex_unlock(&q->lock);

	x->asked = qatomic_read(&d->inval_begun);
	vaccel_count(d, TRANSLATIONS);
	WITH_RCU_READ_LOCK_GUARD() {
		n = pci_ats_request_translation(PCI_DEVICE(d), pasid, false,
						false, addr & VACCEL_PAGE_MASK,
						VACCEL_PAGE, !write, &entry, 1,
						&errors);
	}
	if (n != 1 || errors || !(entry.perm & IOMMU_RO) ||
	    (write && !(entry.perm & IOMMU_WO)) || !entry.addr_mask)
		return false;

	x->mask = entry.addr_mask;
	x->iova = addr & ~x->mask;
	x->gpa = entry.translated_addr & ~x->mask;
	x->write = write && (entry.perm & IOMMU_WO);
	x->checked = 0;
	return true;
}

/**
 * vaccel_atc_ask() - ask for a translation
 * @q: the queue, whose worker calls
 * @addr: address
 * @write: for writing
 *
 * Return: true if there is one. It need not be in the cache afterwards.
 */
bool vaccel_atc_ask(struct vaccel_queue *q, uint64_t addr, bool write)
{
	struct vaccel_xlate x;
	uint64_t gen;

	qemu_mutex_lock(&q->atc_lock);
	gen = q->atc_gen;
	qemu_mutex_unlock(&q->atc_lock);

	if (!vaccel_translate(q, addr, write, &x))
		return false;

	QEMU_LOCK_GUARD(&q->atc_lock);
	if (gen == q->atc_gen)
		vaccel_atc_insert(q, &x);
	return true;
}

/**
 * vaccel_atc_flush() - forget all translations
 * @q: the queue
 */
void vaccel_atc_flush(struct vaccel_queue *q)
{
	vaccel_atc_remove(q, 0, UINT64_MAX);
}

static bool vaccel_can_translate(struct vaccel_dev *d)
{
	PCIDevice *pci = PCI_DEVICE(d);

	return pcie_ats_enabled(pci) && pcie_pasid_enabled(pci) &&
	       pcie_pri_enabled(pci);
}

static struct vaccel_space *vaccel_space_new(struct vaccel_dev *d,
					     uint32_t pasid)
{
	struct vaccel_space *space = g_new0(struct vaccel_space, 1);
	PCIDevice *pci = PCI_DEVICE(d);
	uint32_t page;

	space->dev = d;
	space->pasid = pasid;
	space->pri.notify = vaccel_pri_answer;
	if (pci_iommu_get_iotlb_info(pci, &d->addr_width, &page) ||
	    pci_iommu_init_iotlb_notifier(pci, &space->inval,
					  vaccel_space_invalidate, space) ||
	    pci_iommu_register_iotlb_notifier(pci, pasid, &space->inval)) {
		g_free(space);
		return NULL;
	}
	if (pci_pri_register_notifier(pci, pasid, &space->pri)) {
		pci_iommu_unregister_iotlb_notifier(pci, pasid, &space->inval);
		g_free(space);
		return NULL;
	}
	QLIST_INSERT_HEAD(&d->spaces, space, link);
	return space;
}

/**
 * vaccel_space_release() - free a PASID that nobody has and nothing is asked for
 * @space: the PASID
 */
void vaccel_space_release(struct vaccel_space *space)
{
	PCIDevice *pci = PCI_DEVICE(space->dev);
	uint8_t *ctrl = pci->config + pci->exp.pasid_cap + PCI_PASID_CTRL;
	uint16_t old = pci_get_word(ctrl);

	if (space->refs || space->asked)
		return;
	QLIST_REMOVE(space, link);
	pci_pri_unregister_notifier(pci, space->pasid);
	/* QEMU refuses this where the driver has switched PASIDs off meanwhile */
	pci_set_word(ctrl, old | PCI_PASID_CTRL_ENABLE);
	pci_iommu_unregister_iotlb_notifier(pci, space->pasid, &space->inval);
	pci_set_word(ctrl, old);
	g_free(space);
}

/**
 * vaccel_space_release_all() - free all PASIDs that nobody has
 * @d: the device
 */
void vaccel_space_release_all(struct vaccel_dev *d)
{
	struct vaccel_space *space, *next;

	QLIST_FOREACH_SAFE(space, &d->spaces, link, next)
		vaccel_space_release(space);
}

/**
 * vaccel_space_put() - a queue lets go of its PASID
 * @q: the queue; the BQL is held
 */
void vaccel_space_put(struct vaccel_queue *q)
{
	struct vaccel_space *space = q->space;

	if (!space)
		return;
	q->space = NULL;
	space->refs--;
	vaccel_space_release(space);
}

/**
 * vaccel_space_get() - a queue is about to use the PASID in its register
 * @q: the queue, STOPPED; the BQL is held
 *
 * It has a space afterwards if all is well and the PASID is VALID.
 */
void vaccel_space_get(struct vaccel_queue *q)
{
	uint32_t pasid = q->pasid & VACCEL_PCI_PASID_MASK;
	struct vaccel_dev *d = q->dev;
	struct vaccel_space *space;
	bool valid;

	valid = (q->pasid & VACCEL_PCI_PASID_VALID) && vaccel_can_translate(d);
	if (q->space && valid && q->space->pasid == pasid)
		return;
	vaccel_space_put(q);
	vaccel_atc_flush(q);
	if (!valid)
		return;

	QLIST_FOREACH(space, &d->spaces, link)
		if (space->pasid == pasid)
			break;
	if (!space)
		space = vaccel_space_new(d, pasid);
	if (!space)
		return;
	space->refs++;
	q->space = space;
}

/* Queues that were RESET have let go of their PASID */
static void vaccel_space_sweep(void *opaque)
{
	struct vaccel_dev *d = opaque;
	struct vaccel_queue *q;
	unsigned int i;
	bool idle;

	for (i = 0; i < d->nr_queues; i++) {
		q = &d->queues[i];
		qemu_mutex_lock(&q->lock);
		idle = !q->pasid && !vaccel_queue_busy(q);
		qemu_mutex_unlock(&q->lock);
		if (idle)
			vaccel_space_put(q);
	}
}

void vaccel_atc_init(struct vaccel_dev *d)
{
	QLIST_INIT(&d->spaces);
	qemu_mutex_init(&d->log_lock);
	d->log = g_new0(struct vaccel_inval, VACCEL_LOG);
	d->space_bh = qemu_bh_new(vaccel_space_sweep, d);
}

void vaccel_atc_exit(struct vaccel_dev *d)
{
	qemu_bh_delete(d->space_bh);
	g_free(d->log);
	qemu_mutex_destroy(&d->log_lock);
}
