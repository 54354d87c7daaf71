/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Registers of vaccel on PCI Express that are for tests, and not for its driver. They
 * follow those of drivers/misc/uacce/vaccel/regs.h in BAR 0.
 */
#ifndef UACCE_VACCEL_DIAG_H
#define UACCE_VACCEL_DIAG_H

/*
 * Counters are RO and begin anew with VACCEL_DIAG_CLEAR. They and the holds survive
 * resets.
 */
#define VACCEL_DIAG		0x8000
#define VACCEL_DIAG_ACTION	0x8000		/* WO: one of these: */
#define VACCEL_DIAG_CLEAR		1	/* counters, holds, fails, limit to 0; no MUTE */
#define VACCEL_DIAG_FATAL		2	/* the device fails */
#define VACCEL_DIAG_VANISH		3	/* it is gone without a word; a bus reset helps */
#define VACCEL_DIAG_UNPLUG		4	/* somebody wants it out, and in again later */
#define VACCEL_DIAG_AER_NONFATAL	5	/* AER reports an error, not a fatal one */
#define VACCEL_DIAG_AER_FATAL		6	/* AER reports a fatal one */
#define VACCEL_DIAG_AER_LINK		7	/* and VANISH, until the next reset of the bus */
#define VACCEL_DIAG_AER_LOST		8	/* and VANISH, until the second one */
#define VACCEL_DIAG_BURST		9	/* what is held at REQUEST goes, multiplied */
#define VACCEL_DIAG_MUTE		10	/* no answer from BAR 0, until the next reset */
#define VACCEL_DIAG_LIMIT	0x8004		/* RW: shown in QUEUES if not 0 */

/* What must never happen */
#define VACCEL_DIAG_DMA_STOPPED	0x8010		/* access for a queue that is stopped */
#define VACCEL_DIAG_DMA_RETIRED	0x8014		/* translation for a PASID given up */
#define VACCEL_DIAG_DMA_STALE	0x8018		/* use of what was invalidated */

#define VACCEL_DIAG_RUNNING	0x8020		/* queues RUNNING or BUSY now */
#define VACCEL_DIAG_STARTS	0x8024
#define VACCEL_DIAG_STOPS	0x8028
#define VACCEL_DIAG_RESETS	0x802c		/* of the function */
#define VACCEL_DIAG_DESCRIPTORS	0x8030
#define VACCEL_DIAG_COMPLETIONS	0x8034
#define VACCEL_DIAG_ERRORS	0x8038		/* completions other than OK and MORE */
#define VACCEL_DIAG_QUEUE_ERRORS 0x803c
#define VACCEL_DIAG_TRANSLATIONS 0x8040		/* asked of the IOMMU */
#define VACCEL_DIAG_CACHE_HITS	0x8044		/* found on the device */
#define VACCEL_DIAG_PAGE_REQUESTS 0x8048
#define VACCEL_DIAG_PAGE_REFUSED 0x804c		/* of these, answered with a no */
#define VACCEL_DIAG_PAGE_RETRIES 0x8050		/* repeated: the IOMMU had no room */
#define VACCEL_DIAG_PAGE_IN_FLIGHT 0x8054	/* now */
#define VACCEL_DIAG_PAGE_MOST	0x8058		/* the most there were at a time */
#define VACCEL_DIAG_INVALIDATIONS 0x805c	/* by the IOMMU, of what was cached */
#define VACCEL_DIAG_IN_VAIN	0x8060		/* accesses to BAR 0 while it was gone */
#define VACCEL_DIAG_PAGE_NO_ROOM 0x8064		/* page requests not taken: the queue was full */

/* Points where the device can be held up, three registers each */
#define VACCEL_DIAG_HOLD(point)	(0x8100 + (point) * 0x10)	/* RW: next n, -1: all, 0: none */
#define VACCEL_DIAG_HELD(point)	(0x8104 + (point) * 0x10)	/* RO: held now */
#define VACCEL_DIAG_FAIL(point)	(0x8108 + (point) * 0x10)	/* RW: fail the next n, -1: all */
#define VACCEL_DIAG_ENGINE	0	/* a descriptor is about to be taken; fails: QERR_DEVICE */
#define VACCEL_DIAG_DMA		1	/* in an access to memory, between two pages */
#define VACCEL_DIAG_PAGE	2	/* a page answer is about to be used; fails: refused */
#define VACCEL_DIAG_STOP	3	/* STOP is about to be over; RESET does not wait for this */
#define VACCEL_DIAG_RESET	4	/* RESET is about to be over, if it had something to end */
#define VACCEL_DIAG_REQUEST	5	/* page requests that are to be sent; all or none */
#define VACCEL_DIAG_POINTS	6

/* Requests that each of those held becomes in a BURST: a group, all for its page */
#define VACCEL_DIAG_BURST_GROUP	64

#endif
