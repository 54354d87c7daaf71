/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fixtures made of accelerators that are PCI functions
 */
#ifndef SELFTESTS_UACCE_PLUGGED_TEST_H
#define SELFTESTS_UACCE_PLUGGED_TEST_H

#include "uacce_test.h"
#include "kmsg.h"
#include "plugged.h"

static inline bool setup_plugged(struct __test_metadata *_metadata,
				 struct plugged *p, const char *name, bool no_sva)
{
	struct sim_config cfg = { .no_sva = no_sva };

	if (sim_is_simulated())
		SKIP(return false, "needs functions on a bus (UACCE_CARRIER=pci)");
	if (!setup_sim(_metadata, &p->sim, name, &cfg))
		return false;
	EXPECT_EQ(0, pci_find(&p->sim, &p->f));
	p->mark = log_mark("uacce: a test of PCI begins");
	EXPECT_GE(p->mark, 0);
	return p->mark >= 0;
}

/* Whatever the test has left: the next one finds a function that works */
static inline void teardown_plugged(struct __test_metadata *_metadata,
				    struct plugged *p)
{
	if (!p->f.name[0])
		return;
	EXPECT_EQ(0, pci_bring_back(&p->f));
	if (sim_sysfs_long(&p->sim, "isolate") > 0)
		EXPECT_EQ(0, pci_reset(&p->f));
	EXPECT_EQ(0, plugged_not_allowed(p));
	teardown_sim(_metadata, &p->sim);
}

#endif
