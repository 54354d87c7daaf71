/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vaccel, a model for QEMU of the accelerator that uacce-vaccel.rst (what the
 * user of a queue sees) and uacce-vaccel-pci.rst (what the driver sees) specify.
 *
 * Threads and locks. Registers are accessed with the Big QEMU Lock (BQL) held, and
 * so are the IOMMU's callbacks: invalidations, answers to page requests. Each queue
 * has a worker thread, which executes its descriptors. A worker never takes the
 * BQL: what needs it (interrupts, page requests) is left to bottom halves, and what
 * QEMU would take it for (a write to ROM) is refused before, see vaccel_dma_rw(). So
 * who has the BQL may wait for a worker, and does in a reset. In turn the worker looks
 * at q->abort at least every 64 KiB.
 *
 * Order, outermost first: BQL, d->pri_lock, q->lock, q->atc_lock, d->log_lock.
 * d->diag_lock is taken alone. No lock is held while memory is accessed, but for
 * the q->atc_lock during one access to a translated page: an invalidation takes it,
 * and so it waits for just these.
 */
#ifndef HW_MISC_VACCEL_H
#define HW_MISC_VACCEL_H

#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/main-loop.h"
#include "qemu/thread.h"
#include "hw/pci/pci.h"
#include "hw/pci/pci_device.h"
#include "interface.h"
#include "regs.h"
#include "vaccel-diag.h"

#define TYPE_VACCEL "vaccel"
OBJECT_DECLARE_SIMPLE_TYPE(vaccel_dev, VACCEL)

#define VACCEL_PAGE_SHIFT	12
#define VACCEL_PAGE		4096U
#define VACCEL_PAGE_MASK	(~(uint64_t)(VACCEL_PAGE - 1))

/* Bytes that a worker moves between two looks at q->abort */
#define VACCEL_CHUNK		0x10000U

/* Translations that a queue keeps: of 4 KiB pages, and of larger ones */
#define VACCEL_ATC_SMALL	512
#define VACCEL_ATC_LARGE	32
#define VACCEL_ATC_ENTRIES	(VACCEL_ATC_SMALL + VACCEL_ATC_LARGE)

/* Page request group indices: 9 bits in PCI Express */
#define VACCEL_PRGS		512
/* Pages that one queue asks for at a time */
#define VACCEL_AHEAD		16

/* Invalidations that are remembered to check accesses against */
#define VACCEL_LOG		4096

/* Bit n: operation n is supported */
#define VACCEL_OPCODES		0x3fULL

/* Results of what a worker does, other than 0 to go on */
#define VACCEL_DONE		1	/* the descriptor has ended, see job->status */

struct vaccel_queue;

/* Counters are registers: the index is (register - VACCEL_DIAG) / 4 */
#define VACCEL_COUNTERS		0x1a
#define vaccel_count(d, name)	\
	qatomic_inc(&(d)->counters[(VACCEL_DIAG_##name - VACCEL_DIAG) / 4])

/**
 * struct vaccel_space - a PASID in use, with what the IOMMU calls back
 * @link: in dev->spaces
 * @refs: queues that have it
 * @asked: page requests of it that are not answered
 */
struct vaccel_space {
	QLIST_ENTRY(vaccel_space) link;
	struct vaccel_dev *dev;
	IOMMUNotifier inval;
	IOMMUPRINotifier pri;
	uint32_t pasid;
	unsigned int refs;
	unsigned int asked;
};

/**
 * struct vaccel_xlate - a translation
 * @iova: of the first byte
 * @mask: size less one; 0 if there is no translation
 * @gpa: where @iova is
 * @write: may be written to
 * @asked: number of the last invalidation that had begun when it was asked for
 * @checked: up to which one it was compared with the log
 */
struct vaccel_xlate {
	uint64_t iova;
	uint64_t mask;
	uint64_t gpa;
	bool write;
	uint64_t asked;
	uint64_t checked;
};

/* What a page request has come to */
enum vaccel_verdict {
	VACCEL_PENDING,
	VACCEL_GRANTED,
	VACCEL_REFUSED,
	VACCEL_NO_ROOM,
};

/**
 * struct vaccel_batch - page requests of a queue that it waits for, under q->lock
 * @seq: an answer to an earlier batch is late, and dropped
 */
struct vaccel_batch {
	uint64_t seq;
	unsigned int n;
	unsigned int pending;
	uint64_t addr[VACCEL_AHEAD];
	uint8_t verdict[VACCEL_AHEAD];
	bool write;
};

/**
 * struct vaccel_request - a page request, waiting to be sent or sent
 * @link: in dev->requests while it waits
 * @index: place in the batch @seq of @q
 */
struct vaccel_request {
	QTAILQ_ENTRY(vaccel_request) link;
	struct vaccel_queue *q;
	struct vaccel_space *space;
	uint64_t seq;
	unsigned int index;
	uint64_t addr;
	bool write;
};

/**
 * struct vaccel_queue - a queue
 * @lock: protects everything up to @batch, but what is marked otherwise
 * @cond: for the worker: something to do, or an answer
 * @idle: for who waits for the worker: nothing under way any more
 * @working: the worker does not sleep, so that RESET is left to it
 * @quit: the worker is to end
 * @starting: START is under way
 * @stopping: STOP is under way
 * @resetting: RESET is under way
 * @failing: the device failed, the worker has to put the queue in state ERROR
 * @abort: what is under way has to end (atomic)
 * @sq_tail: doorbell (atomic)
 * @cq_head: doorbell (atomic)
 * @space: that of @pasid, from START to RESET (BQL)
 * @cq_tail: written by the worker, read by all (atomic)
 * @irq_vector: vector since START
 * @irq: raises it
 * @run_pasid: the worker's copy of @pasid; what it really uses
 */
struct vaccel_queue {
	struct vaccel_dev *dev;
	unsigned int id;
	QemuThread thread;
	bool threaded;

	QemuMutex lock;
	QemuCond cond;
	QemuCond idle;
	bool working;
	bool quit;
	bool starting;
	bool stopping;
	bool resetting;
	bool failing;
	bool abort;
	uint32_t state;
	uint32_t error;
	uint32_t pasid;
	uint32_t vector;
	uint64_t dus;
	uint64_t sq_tail;
	uint64_t cq_head;
	struct vaccel_batch batch;

	struct vaccel_space *space;
	uint32_t cq_tail;
	uint32_t irq_vector;
	QEMUBH *irq;

	/* the translation cache: under atc_lock */
	QemuMutex atc_lock;
	uint64_t atc_gen;
	struct vaccel_xlate atc[VACCEL_ATC_ENTRIES];

	/* the worker's own */
	uint32_t run_pasid;
	uint64_t run_dus;
	uint32_t sq_head;
	unsigned int ahead;
	bool refused_write;
	unsigned int refused_n;
	uint64_t refused[VACCEL_AHEAD];
	uint8_t *in;
	uint8_t *out;
	struct vaccel_inflate *inflate;
};

/**
 * struct vaccel_point - where workers can be held, under dev->diag_lock
 * @release: changes when those held are let go
 */
struct vaccel_point {
	int32_t hold;
	int32_t fail;
	uint32_t held;
	uint64_t release;
};

struct vaccel_inval {
	uint64_t number;
	uint32_t pasid;
	uint64_t iova;
	uint64_t mask;
};

QLIST_HEAD(vaccel_spaces, vaccel_space);
QTAILQ_HEAD(vaccel_requests, vaccel_request);

/**
 * struct vaccel_dev - the function
 * @enabled: VACCEL_PCI_CTRL_ENABLE
 * @fatal: VACCEL_PCI_STATUS_FATAL
 * @gone: VACCEL_DIAG_VANISH (atomic)
 * @lost: resets of the bus until there is a link again
 * @mute: VACCEL_DIAG_MUTE
 * @stopping: all queues are being reset, whatever a test wants (atomic)
 * @pressed: VACCEL_DIAG_UNPLUG
 * @spaces: PASIDs in use (BQL)
 * @space_bh: lets go of those that are no longer in use
 * @prg: page requests that were sent, by group index, under @pri_lock
 * @pri_bh: sends those that wait
 * @inval_begun: number of the last invalidation that has begun (atomic)
 * @inval_logged: number of the last one that is over (atomic)
 */
struct vaccel_dev {
	PCIDevice parent_obj;

	uint32_t nr_queues;
	bool sva;

	MemoryRegion ctrl_bar;
	MemoryRegion doorbell_bar;
	MemoryRegion msix_bar;
	struct vaccel_queue *queues;
	bool enabled;
	bool fatal;
	bool gone;
	unsigned int lost;
	bool mute;
	bool stopping;
	bool pressed;
	uint32_t limit;
	uint8_t addr_width;
	struct vaccel_spaces spaces;
	QEMUBH *space_bh;

	QemuMutex pri_lock;
	union vaccel_requests requests;
	struct vaccel_request *prg[VACCEL_PRGS];
	unsigned int next_prg;
	unsigned int in_flight;
	QEMUBH *pri_bh;

	QemuMutex log_lock;
	uint64_t inval_begun;
	uint64_t inval_logged;
	struct vaccel_inval *log;

	uint32_t counters[VACCEL_COUNTERS];
	QemuMutex diag_lock;
	QemuCond diag_cond;
	struct vaccel_point points[VACCEL_DIAG_POINTS];
};

/**
 * struct vaccel_job - the descriptor that a queue works on
 */
struct vaccel_job {
	struct vaccel_queue *q;
	uint8_t opcode;
	uint8_t flags;
	uint32_t level;
	uint64_t src;
	uint64_t dst;
	uint32_t src_len;
	uint32_t dst_len;
	uint64_t param;
	uint32_t status;
	uint32_t produced;
	uint32_t consumed;
	uint64_t result;
};

/* vaccel-queue.c */
void vaccel_queue_init(struct vaccel_dev *d, unsigned int id);
void vaccel_queue_exit(struct vaccel_queue *q);
void vaccel_queue_command(struct vaccel_queue *q, uint32_t cmd);
void vaccel_queue_reset_all(struct vaccel_dev *d);
void vaccel_queue_fail(struct vaccel_queue *q);
void vaccel_queue_doorbell(struct vaccel_queue *q, uint64_t *reg,
			   unsigned int shift, unsigned int bits, uint64_t val);
uint32_t vaccel_queue_status(struct vaccel_queue *q);
bool vaccel_queue_busy(const struct vaccel_queue *q);
static inline bool vaccel_aborted(const struct vaccel_queue *q)
{
	return qatomic_read(&q->abort);
}

/* vaccel-ring.c */
int vaccel_ring_start(struct vaccel_queue *q);
int vaccel_ring_state(struct vaccel_queue *q, uint32_t state, uint32_t error);
int vaccel_ring_step(struct vaccel_queue *q, uint32_t *error);
bool vaccel_ring_ready(const struct vaccel_queue *q);

/* vaccel-dma.c */
void vaccel_dma_begin(struct vaccel_queue *q);
int vaccel_dma_ring(struct vaccel_queue *q, uint64_t offset, void *buf,
		    size_t len, bool write);
int vaccel_job_end(struct vaccel_job *job, uint32_t status);
int vaccel_job_read(struct vaccel_job *job, uint32_t offset, void *buf,
		    uint32_t len, uint32_t ahead);
int vaccel_job_write(struct vaccel_job *job, uint32_t offset, void *buf,
		     uint32_t len, uint32_t ahead);

/* vaccel-atc.c */
void vaccel_atc_init(struct vaccel_dev *d);
void vaccel_atc_exit(struct vaccel_dev *d);
void vaccel_space_get(struct vaccel_queue *q);
void vaccel_space_put(struct vaccel_queue *q);
void vaccel_space_release_all(struct vaccel_dev *d);
void vaccel_space_release(struct vaccel_space *space);
void vaccel_atc_flush(struct vaccel_queue *q);
struct vaccel_xlate *vaccel_atc_find(struct vaccel_queue *q, uint64_t addr,
				     bool write);
bool vaccel_atc_possible(const struct vaccel_queue *q, uint64_t addr);
bool vaccel_atc_ask(struct vaccel_queue *q, uint64_t addr, bool write);
void vaccel_atc_check(struct vaccel_queue *q, struct vaccel_xlate *x);

/* vaccel-pri.c */
void vaccel_pri_init(struct vaccel_dev *d);
void vaccel_pri_exit(struct vaccel_dev *d);
void vaccel_pri_forget(struct vaccel_dev *d);
void vaccel_pri_burst(struct vaccel_dev *d);
void vaccel_pri_answer(IOMMUPRINotifier *n, IOMMUPRIResponse *response);
int vaccel_pri_ask(struct vaccel_queue *q);

/* vaccel-ops.c */
int vaccel_execute(struct vaccel_queue *q, const struct vaccel_desc *desc,
		   struct vaccel_cqe *cqe);

/* vaccel-deflate.c */
int vaccel_deflate(struct vaccel_job *job);

/* vaccel-inflate.c */
int vaccel_inflate(struct vaccel_job *job);
bool vaccel_inflate_flags_ok(const struct vaccel_job *job);
void vaccel_inflate_finish(const struct vaccel_job *job);
void vaccel_inflate_reset(struct vaccel_queue *q);
void vaccel_inflate_free(struct vaccel_queue *q);

/* vaccel-diag.c */
uint32_t vaccel_diag_read(struct vaccel_dev *d, uint32_t reg);
void vaccel_diag_write(struct vaccel_dev *d, uint32_t reg, uint32_t val);
bool vaccel_point(struct vaccel_queue *q, unsigned int point);
void vaccel_point_wake(struct vaccel_dev *d);
void vaccel_device_fail(struct vaccel_dev *d);
void vaccel_plug_anew(struct vaccel_dev *d);
void vaccel_link_reset(struct vaccel_dev *d);

#endif /* HW_MISC_VACCEL_H */
