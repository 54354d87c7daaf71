/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Simulated accelerator: the vaccel interface served by kernel threads.
 *
 * Objects
 *
 *	sim_instance		a directory in configfs: configuration, points for
 *	  |			misbehaviour, counters; lives until rmdir
 *	  +-- platform device	while "live" is 1
 *	  `-- sim_device	while the driver is bound to the platform device
 *	        `-- sim_queue	from get_queue() to put_queue()
 *
 * Whatever is below sim_instance can be gone the next moment, also while "live"
 * is 1, as the driver can be unbound in sysfs.
 *
 * Locks, outermost first
 *
 *	sim_instance.live_lock	making and removing the platform device. Held while
 *				that waits for ops of the driver, so for long.
 *	  sim_instance.lock	the configuration and .live
 *	    sim_instance.dev_lock (spinlock)
 *				.dev, .dev_name, sim_device.queues and the faults
 *				of all queues
 *	      sim_inject_point.lock (spinlock)
 *
 * Queues have no lock: the UACCE core calls get, start, stop, put and ioctl of
 * one queue one at a time, and the engine of a queue runs only between start and
 * stop, which waits for it. What mmap, is_q_updated and the engine may see at the
 * same time is read and written with READ_ONCE() and WRITE_ONCE().
 */
#ifndef _UACCE_SIM_H
#define _UACCE_SIM_H

#include <linux/configfs.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/spinlock.h>
#include <linux/uacce.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <uapi/misc/uacce/vaccel.h>

#include "inject.h"
#include "stats.h"

#define SIM_NAME		"uacce_sim"

#define SIM_MAX_QUEUES		1024
#define SIM_DEFAULT_QUEUES	64
#define SIM_MAX_PASID_BITS	20
#define SIM_DEFAULT_PASID_BITS	16
#define SIM_NAME_LEN		40

/* Size of a queue's two bounce buffers, and so of a piece of work */
#define SIM_BOUNCE_SIZE		SZ_64K

struct sim_device;
struct sim_inflate;
struct sim_iommu_master;

/**
 * struct sim_instance - an accelerator that can be made and removed
 * @group: its directory
 * @inject_group: subdirectory inject
 * @stats_group: subdirectory stats
 * @name: name that its device gets, without the minor
 * @live_lock: see above
 * @lock: see above
 * @live: the platform device exists; the configuration is frozen
 * @queues: configuration: hardware queues
 * @pasid_bits: configuration: width of PASIDs, 0 if there are none
 * @sva: configuration: work on the users' addresses
 * @numa_node: configuration: node of the platform device
 * @bare: configuration: no ops and no regions
 * @id: number of the platform device, -1 while there is none
 * @pdev: platform device while live
 * @master: its IOMMU side while live, unless it is without SVA
 * @probe_err: what the last probe returned
 * @dev_lock: see above
 * @dev: the bound device, or NULL
 * @dev_name: name of its device node, or empty
 * @inject: misbehaviour
 * @stats: counters
 * @fault_seq: makes page requests distinct
 * @isolated: reported by get_isolate_state()
 * @isolate_threshold: stored for the user, without effect
 * @kthread_open_err: how the last open() by a kernel thread ended
 */
struct sim_instance {
	struct config_group group;
	struct config_group inject_group;
	struct config_group stats_group;
	char name[SIM_NAME_LEN + 1];

	struct mutex live_lock; /* serializes changes of live */
	struct mutex lock; /* protects the configuration */
	bool live;
	unsigned int queues;
	unsigned int pasid_bits;
	bool sva;
	int numa_node;
	bool bare;

	int id;
	struct platform_device *pdev;
	struct sim_iommu_master *master;
	int probe_err;

	spinlock_t dev_lock; /* protects dev, its queues, dev_name */
	struct sim_device *dev;
	char dev_name[UACCE_MAX_NAME_SIZE];

	struct sim_inject inject;
	struct sim_stats stats;
	atomic_t fault_seq;
	bool isolated;
	u32 isolate_threshold;
	int kthread_open_err;
};

/**
 * struct sim_device - an instance that is registered with UACCE
 * @inst: the instance
 * @uacce: the registered device
 * @wq: runs the engines
 * @nr_used: elements of @queues in use
 * @nr_queues: number of elements of @queues
 * @queues: hardware queues: those in use, by number
 */
struct sim_device {
	struct sim_instance *inst;
	struct uacce_device *uacce;
	struct workqueue_struct *wq;
	unsigned int nr_used;
	unsigned int nr_queues;
	struct sim_queue *queues[] __counted_by(nr_queues);
};

enum sim_fault_state {
	SIM_FAULT_NONE,
	SIM_FAULT_PENDING,
	SIM_FAULT_GRANTED,
	SIM_FAULT_REFUSED,
};

/**
 * struct sim_fault - page request that a queue waits for
 * @grpid: its name; an answer with another one is not for us
 * @state: how far it is
 * @wait: where the engine waits
 */
struct sim_fault {
	u32 grpid;
	enum sim_fault_state state;
	wait_queue_head_t wait;
};

/**
 * struct sim_queue - hardware queue that is in use
 * @dev: the device
 * @uq: the UACCE queue
 * @id: number of the hardware queue
 * @sva: addresses are those of a process
 * @pasid: which process
 * @mmio: MMIO region
 * @dus: DUS region
 * @state: VACCEL_STATE_*. Changed by the engine or, while that cannot run, by an
 *	   op
 * @error: VACCEL_QERR_*, why @state is or was ERROR
 * @abort: the engine is to give up and not to come back
 * @work: the engine
 * @sq_head: descriptors taken. This and @cq_tail are what counts; the copies in
 *	     the control page are the user's to spoil
 * @cq_tail: completions written
 * @fault: page request
 * @bounce: piece of the source on its way, allocated when needed
 * @bounce_out: piece of the destination on its way, likewise
 * @deflate_ws: zlib's memory for COMPRESS, likewise
 * @inflate: stream context of DECOMPRESS, likewise
 */
struct sim_queue {
	struct sim_device *dev;
	struct uacce_queue *uq;
	unsigned int id;
	bool sva;
	u32 pasid;
	void *mmio;
	void *dus;

	unsigned int state;
	unsigned int error;
	bool abort;
	struct work_struct work;
	u32 sq_head;
	u32 cq_tail;
	struct sim_fault fault;

	void *bounce;
	void *bounce_out;
	void *deflate_ws;
	struct sim_inflate *inflate;
};

/**
 * struct sim_job - descriptor at work: checked, in the CPU's byte order
 * @q: the queue
 * @opcode: enum vaccel_opcode
 * @flags: VACCEL_F_*
 * @level: of compression
 * @src: address of the source
 * @dst: address of the destination
 * @src_len: its length
 * @dst_len: its length
 * @param: pattern or CRC
 * @status: outcome: enum vaccel_status
 * @produced: outcome
 * @consumed: outcome
 * @result: outcome
 */
struct sim_job {
	struct sim_queue *q;
	u8 opcode;
	u8 flags;
	u32 level;
	u64 src;
	u64 dst;
	u32 src_len;
	u32 dst_len;
	u64 param;

	u32 status;
	u32 produced;
	u32 consumed;
	u64 result;
};

/*
 * Functions that do a part of a job return 0 to go on, SIM_JOB_DONE if the job is
 * at its end, sim_job.status saying how, or -ECANCELED if the queue is being
 * stopped and the job is to leave no trace.
 */
#define SIM_JOB_DONE	1

static inline int sim_job_end(struct sim_job *job, enum vaccel_status status)
{
	job->status = status;
	return SIM_JOB_DONE;
}

static inline bool sim_queue_aborted(const struct sim_queue *q)
{
	return READ_ONCE(q->abort);
}

static inline struct vaccel_ctrl *sim_queue_ctrl(const struct sim_queue *q)
{
	return q->dus + VACCEL_CTRL_OFFSET;
}

/* configfs.c, configfs_inject.c, configfs_stats.c */
struct sim_instance *sim_configfs_init(void);
void sim_configfs_exit(struct sim_instance *default_inst);
extern const struct config_item_type sim_inject_type;
extern const struct config_item_type sim_stats_type;

/* instance.c */
struct sim_instance *sim_instance_alloc(const char *name);
void sim_instance_free(struct sim_instance *inst);
struct sim_instance *sim_instance_of(struct platform_device *pdev);
int sim_instance_set_live(struct sim_instance *inst, bool live);

/* kthread_open.c */
int sim_kthread_open(struct sim_instance *inst);

/* device.c */
extern struct platform_driver sim_driver;

/* master.c */
extern const struct sim_iommu_master_ops sim_master_ops;
u32 sim_fault_begin(struct sim_queue *q);
bool sim_fault_end(struct sim_queue *q);

/* queue.c */
extern const struct uacce_ops sim_uacce_ops;
extern const struct uacce_ops sim_bare_ops;

/* engine.c */
void sim_engine_init(struct sim_queue *q);
void sim_engine_check_started(struct sim_queue *q);
void sim_engine_start(struct sim_queue *q);
void sim_engine_stop(struct sim_queue *q);
int sim_engine_kick(struct sim_queue *q);
bool sim_engine_updated(struct sim_queue *q);

/* exec.c */
int sim_job_run(struct sim_queue *q, const struct vaccel_desc *desc,
		struct vaccel_cqe *cqe);
void sim_queue_free_buffers(struct sim_queue *q);

/* deflate.c */
int sim_deflate(struct sim_job *job);

/* inflate.c */
int sim_inflate(struct sim_job *job);
bool sim_inflate_flags_ok(const struct sim_job *job);
void sim_inflate_finish(const struct sim_job *job);
void sim_inflate_reset(struct sim_inflate *ctx);
void sim_inflate_free(struct sim_inflate *ctx);

/* dma.c */
int sim_dma_read(struct sim_job *job, u32 offset, void *buf, size_t len);
int sim_dma_write(struct sim_job *job, u32 offset, void *buf, size_t len);

#endif /* _UACCE_SIM_H */
