/* SPDX-License-Identifier: GPL-2.0-only */
/* Counters of a simulated accelerator. configfs_stats.c names them for user space. */
#ifndef _UACCE_SIM_STATS_H
#define _UACCE_SIM_STATS_H

#include <linux/atomic.h>

/**
 * enum sim_stat - what is counted
 * @SIM_STAT_BINDS: PASIDs that were set
 * @SIM_STAT_UNBINDS: PASIDs that were taken away
 * @SIM_STAT_PASIDS: PASIDs in use now
 * @SIM_STAT_PAGE_FAULTS: page requests to the IOMMU
 * @SIM_STAT_PAGE_FAULTS_FAILED: those not granted
 * @SIM_STAT_INVALIDATIONS: changes of translations that the IOMMU told of
 * @SIM_STAT_MM_RELEASES: address spaces that ended while bound
 * @SIM_STAT_GETS: get_queue() calls that succeeded
 * @SIM_STAT_PUTS: put_queue() calls
 * @SIM_STAT_STARTS: start_queue() calls that succeeded
 * @SIM_STAT_STOPS: stop_queue() calls
 * @SIM_STAT_QUEUES: queues held now
 * @SIM_STAT_RUNNING: queues started now
 * @SIM_STAT_DESCRIPTORS: descriptors taken
 * @SIM_STAT_COMPLETIONS: completions written
 * @SIM_STAT_ERRORS: completions with an error
 * @SIM_STAT_QUEUE_ERRORS: queues that went to state ERROR
 * @SIM_STAT_BYTES_IN: source bytes that operations used
 * @SIM_STAT_BYTES_OUT: destination bytes that operations produced
 * @SIM_STAT_KICKS: kicks from user space
 * @SIM_STAT_SLEEPS: times that an engine went to sleep
 * @SIM_STAT_DMA_AFTER_STOP: accesses for a queue that is not started
 * @SIM_STAT_DMA_AFTER_RELEASE: accesses with the PASID of a dead address space
 * @SIM_STAT_RUNNING_AT_RELEASE: queues that were started when their address space
 *	ended, or when their PASID was unbound
 * @SIM_STAT_OPS_RUNNING: driver ops that are executing now
 * @SIM_STAT_NR: number of counters
 */
enum sim_stat {
	SIM_STAT_BINDS,
	SIM_STAT_UNBINDS,
	SIM_STAT_PASIDS,
	SIM_STAT_PAGE_FAULTS,
	SIM_STAT_PAGE_FAULTS_FAILED,
	SIM_STAT_INVALIDATIONS,
	SIM_STAT_MM_RELEASES,
	SIM_STAT_GETS,
	SIM_STAT_PUTS,
	SIM_STAT_STARTS,
	SIM_STAT_STOPS,
	SIM_STAT_QUEUES,
	SIM_STAT_RUNNING,
	SIM_STAT_DESCRIPTORS,
	SIM_STAT_COMPLETIONS,
	SIM_STAT_ERRORS,
	SIM_STAT_QUEUE_ERRORS,
	SIM_STAT_BYTES_IN,
	SIM_STAT_BYTES_OUT,
	SIM_STAT_KICKS,
	SIM_STAT_SLEEPS,
	SIM_STAT_DMA_AFTER_STOP,
	SIM_STAT_DMA_AFTER_RELEASE,
	SIM_STAT_RUNNING_AT_RELEASE,
	SIM_STAT_OPS_RUNNING,
	SIM_STAT_NR,
};

struct sim_stats {
	atomic64_t count[SIM_STAT_NR];
};

static inline void sim_stat_add(struct sim_stats *stats, enum sim_stat stat,
				s64 n)
{
	atomic64_add(n, &stats->count[stat]);
}

static inline void sim_stat_inc(struct sim_stats *stats, enum sim_stat stat)
{
	atomic64_inc(&stats->count[stat]);
}

static inline void sim_stat_dec(struct sim_stats *stats, enum sim_stat stat)
{
	atomic64_dec(&stats->count[stat]);
}

static inline s64 sim_stat_read(struct sim_stats *stats, enum sim_stat stat)
{
	return atomic64_read(&stats->count[stat]);
}

static inline void sim_stats_reset(struct sim_stats *stats)
{
	int i;

	for (i = 0; i < SIM_STAT_NR; i++)
		atomic64_set(&stats->count[i], 0);
}

#endif /* _UACCE_SIM_STATS_H */
