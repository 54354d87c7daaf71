/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Software IOMMU of the simulated accelerator: private to its module.
 *
 * Locking, outermost first:
 *
 *	the IOMMU core's probe, SVA, group and fault queue locks
 *	  sim_iommu_masters_lock	which devices are ours
 *	  sim_iommu_srcu		every use of an entry of a PASID table
 *	    the IOMMU core's lock of a device's faults
 *	      master->fault_lock	faults that wait for their answer
 *
 * sim_iommu_srcu is what a stop of translation waits for, with the core's outer
 * locks held: when an entry has left the table and the readers are gone, no
 * access through it is running and no callback for it is either. A reader may
 * therefore take none of those locks. The mm of an entry is pinned for as long
 * as a reader can see the entry.
 *
 * The callbacks of struct sim_iommu_master_ops run with no lock of this file
 * held, but @mm_released, @invalidated and, when a fault cannot be queued,
 * @response run as readers.
 */
#ifndef _UACCE_SIM_IOMMU_INTERNAL_H
#define _UACCE_SIM_IOMMU_INTERNAL_H

#include <linux/iommu.h>
#include <linux/list.h>
#include <linux/mmu_notifier.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>
#include <linux/xarray.h>

#include "iommu.h"

#define SIM_IOMMU_MAX_PASID_BITS	20

/**
 * struct sim_iommu_master - a device behind the IOMMU
 * @node: in the list of masters, from sim_iommu_master_attach_pdev() on
 * @dev: the device; a reference is held for as long as @node is in the list
 * @pasid_bits: width of its PASIDs
 * @ops: what to call
 * @priv: to call it with
 * @pasids: PASID table: struct sim_iommu_sva. Changed under the group's mutex,
 *	    read under sim_iommu_srcu.
 * @faults_on: the device is on the queue of page faults. Group's mutex.
 * @fault_lock: protects @faults and @nr_faults
 * @faults: struct sim_iommu_fault, reported and not yet answered
 * @nr_faults: how many
 */
struct sim_iommu_master {
	struct list_head node;
	struct device *dev;
	unsigned int pasid_bits;
	const struct sim_iommu_master_ops *ops;
	void *priv;
	struct xarray pasids;
	bool faults_on;
	spinlock_t fault_lock;	/* faults, nr_faults */
	struct list_head faults;
	unsigned int nr_faults;
};

/**
 * struct sim_iommu_sva - domain of one address space on one master
 * @domain: the core's view
 * @mn: tells us about the end and the changes of the address space
 * @master: the only device that can be attached
 * @pasid: under which it is attached, 0 if it is not. Written under the group's
 *	   mutex, read under sim_iommu_srcu.
 * @released: the mm has come to its end
 */
struct sim_iommu_sva {
	struct iommu_domain domain;
	struct mmu_notifier mn;
	struct sim_iommu_master *master;
	u32 pasid;
	bool released;
};

/* iommu.c */
int sim_iommu_faults_enable(struct sim_iommu_master *master);

/* iommu_domain.c */
extern struct srcu_struct sim_iommu_srcu;
extern struct iommu_domain sim_iommu_identity;
extern struct iommu_domain sim_iommu_blocked;
struct iommu_domain *sim_iommu_sva_alloc(struct device *dev,
					 struct mm_struct *mm);
void sim_iommu_clear_pasid(struct sim_iommu_master *master, u32 pasid);
void sim_iommu_sva_drain(void);

/* iommu_access.c */
void sim_iommu_page_response(struct device *dev, struct iopf_fault *evt,
			     struct iommu_page_response *resp);

#endif /* _UACCE_SIM_IOMMU_INTERNAL_H */
