// SPDX-License-Identifier: GPL-2.0-only
/* Simulated accelerator: the files in stats/ */
#include <linux/module.h>
#include "sim.h"

static ssize_t sim_stat_show(struct config_item *item, enum sim_stat stat,
			     char *page)
{
	struct sim_instance *inst =
		container_of(to_config_group(item), struct sim_instance,
			     stats_group);

	return sysfs_emit(page, "%lld\n", sim_stat_read(&inst->stats, stat));
}

#define SIM_STAT_ATTR(_name, _stat)					\
static ssize_t sim_##_name##_show(struct config_item *item, char *page)	\
{									\
	return sim_stat_show(item, _stat, page);			\
}									\
CONFIGFS_ATTR_RO(sim_, _name)

SIM_STAT_ATTR(binds, SIM_STAT_BINDS);
SIM_STAT_ATTR(unbinds, SIM_STAT_UNBINDS);
SIM_STAT_ATTR(pasids, SIM_STAT_PASIDS);
SIM_STAT_ATTR(page_faults, SIM_STAT_PAGE_FAULTS);
SIM_STAT_ATTR(page_faults_failed, SIM_STAT_PAGE_FAULTS_FAILED);
SIM_STAT_ATTR(invalidations, SIM_STAT_INVALIDATIONS);
SIM_STAT_ATTR(mm_releases, SIM_STAT_MM_RELEASES);
SIM_STAT_ATTR(gets, SIM_STAT_GETS);
SIM_STAT_ATTR(puts, SIM_STAT_PUTS);
SIM_STAT_ATTR(starts, SIM_STAT_STARTS);
SIM_STAT_ATTR(stops, SIM_STAT_STOPS);
SIM_STAT_ATTR(queues, SIM_STAT_QUEUES);
SIM_STAT_ATTR(running, SIM_STAT_RUNNING);
SIM_STAT_ATTR(descriptors, SIM_STAT_DESCRIPTORS);
SIM_STAT_ATTR(completions, SIM_STAT_COMPLETIONS);
SIM_STAT_ATTR(errors, SIM_STAT_ERRORS);
SIM_STAT_ATTR(queue_errors, SIM_STAT_QUEUE_ERRORS);
SIM_STAT_ATTR(bytes_in, SIM_STAT_BYTES_IN);
SIM_STAT_ATTR(bytes_out, SIM_STAT_BYTES_OUT);
SIM_STAT_ATTR(kicks, SIM_STAT_KICKS);
SIM_STAT_ATTR(sleeps, SIM_STAT_SLEEPS);
SIM_STAT_ATTR(dma_after_stop, SIM_STAT_DMA_AFTER_STOP);
SIM_STAT_ATTR(dma_after_release, SIM_STAT_DMA_AFTER_RELEASE);
SIM_STAT_ATTR(running_at_release, SIM_STAT_RUNNING_AT_RELEASE);
SIM_STAT_ATTR(ops_running, SIM_STAT_OPS_RUNNING);

static struct configfs_attribute *sim_stats_attrs[] = {
	&sim_attr_binds,
	&sim_attr_unbinds,
	&sim_attr_pasids,
	&sim_attr_page_faults,
	&sim_attr_page_faults_failed,
	&sim_attr_invalidations,
	&sim_attr_mm_releases,
	&sim_attr_gets,
	&sim_attr_puts,
	&sim_attr_starts,
	&sim_attr_stops,
	&sim_attr_queues,
	&sim_attr_running,
	&sim_attr_descriptors,
	&sim_attr_completions,
	&sim_attr_errors,
	&sim_attr_queue_errors,
	&sim_attr_bytes_in,
	&sim_attr_bytes_out,
	&sim_attr_kicks,
	&sim_attr_sleeps,
	&sim_attr_dma_after_stop,
	&sim_attr_dma_after_release,
	&sim_attr_running_at_release,
	&sim_attr_ops_running,
	NULL,
};

const struct config_item_type sim_stats_type = {
	.ct_owner = THIS_MODULE,
	.ct_attrs = sim_stats_attrs,
};
