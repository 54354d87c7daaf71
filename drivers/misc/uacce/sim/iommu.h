/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Software IOMMU of the simulated accelerator: what the accelerator's side sees.
 *
 * The accelerator's engine is software, so nothing translates its addresses
 * unless it asks. It asks here: sim_iommu_read() and sim_iommu_write() go through
 * the PASID table that iommu_sva_bind_device() fills, and sim_iommu_fault() is the
 * page request of a device. Everything between, from the allocation of the
 * PASID to the handling of the fault, is the kernel's own IOMMU core.
 */
#ifndef _UACCE_SIM_IOMMU_H
#define _UACCE_SIM_IOMMU_H

#include <linux/types.h>

struct device;
struct platform_device;
struct sim_iommu_master;

/**
 * struct sim_iommu_master_ops - what the IOMMU tells the accelerator
 * @bind: A PASID is about to be set. An error refuses it, and becomes the error
 *	of iommu_sva_bind_device(). May sleep.
 * @unbind: The PASID is gone: no access through it is running, every fault that
 *	was reported for it has been answered, and @mm_released and @invalidated
 *	will not be called for it (unless it is bound again). Called once for each
 *	@bind that returned 0. May sleep.
 * @mm_released: The address space behind the PASID has come to its end, and the
 *	device must have been stopped before: from here on an access fails with
 *	-EOWNERDEAD. Called at most once for each @bind, from an mmu_notifier's
 *	release. Must be short.
 * @invalidated: Translations of [@start, @end) have changed (0 to -1 if all have).
 *	Called with spinlocks held: must not sleep.
 * @response: The core's answer to the fault @grpid: @success says that the access
 *	is worth another try. Called exactly once for each sim_iommu_fault() that
 *	returned 0, from the IOMMU core's page fault worker or from within
 *	sim_iommu_fault() itself, and always before @unbind. Must be short; the queue
 *	that asked may have been stopped in the meantime.
 *
 * All are required. @bind and @unbind run under locks of the IOMMU core that every
 * bind and unbind takes, and an unbind waits until the other three have returned.
 * So none of the five may bind or unbind, remove the device, or wait for a lock
 * or a task that does.
 */
struct sim_iommu_master_ops {
	int  (*bind)(void *priv);
	void (*unbind)(void *priv, u32 pasid);
	void (*mm_released)(void *priv, u32 pasid);
	void (*invalidated)(void *priv, u32 pasid, unsigned long start,
			    unsigned long end);
	void (*response)(void *priv, u32 pasid, u32 grpid, bool success);
};

struct sim_iommu_master *
sim_iommu_master_alloc(unsigned int pasid_bits,
		       const struct sim_iommu_master_ops *ops, void *priv);
void sim_iommu_master_free(struct sim_iommu_master *master);
int  sim_iommu_master_attach_pdev(struct platform_device *pdev,
				  struct sim_iommu_master *master);
bool sim_iommu_serves(struct device *dev);

ssize_t sim_iommu_read(struct sim_iommu_master *master, u32 pasid, u64 addr,
		       void *buf, size_t len);
ssize_t sim_iommu_write(struct sim_iommu_master *master, u32 pasid, u64 addr,
			const void *buf, size_t len);
int  sim_iommu_fault(struct sim_iommu_master *master, u32 pasid, u64 addr,
		     bool write, u32 grpid);

#endif /* _UACCE_SIM_IOMMU_H */
