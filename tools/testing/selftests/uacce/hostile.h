/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A user of a vaccel queue that does everything wrong, at random. Its queue may
 * fail in any way; it may not hang, and nobody else may notice.
 *
 * What can fail returns a negative errno.
 */
#ifndef SELFTESTS_UACCE_HOSTILE_H
#define SELFTESTS_UACCE_HOSTILE_H

#include <stdbool.h>
#include <linux/types.h>

#include "vq.h"

/*
 * The hostile user is a process like any other and could hit itself: a wild pointer
 * may be one to its own stack. So all its addresses are either none of user space,
 * or lie in an arena where nothing else is, its queue's regions included, and from
 * which no length leads out. As the engine may read an address while it changes,
 * this has to hold for any mixture of the bytes of two of them.
 */
#define ARENA		0x200000000000UL
#define ARENA_SIZE	0x100000000UL
/* What is used of it; between and behind these is more than VACCEL_MAX_LEN */
#define USED		(ARENA + 0x50000000)
#define REGIONS		(ARENA + 0xa0000000)
#define PAGE		4096UL
#define RW_PAGES	16	/* memory */
#define RO_PAGES	4	/* memory that may not be written */
#define NONE_PAGES	4	/* may not be touched */
#define ZAP_PAGES	8	/* comes and goes */
#define RO_START	(USED + RW_PAGES * PAGE)
#define NONE_START	(RO_START + RO_PAGES * PAGE)
#define ZAP_START	(NONE_START + NONE_PAGES * PAGE)
#define USED_PAGES	(RW_PAGES + RO_PAGES + NONE_PAGES + ZAP_PAGES + 4)
#define RO_BYTE		0x5a

struct hostile {
	struct vq vq;
	__u64 state;		/* of the random numbers */
	bool sva;
	bool stop;		/* for the second thread */
	bool digs;		/* takes memory away as well; not beside a second thread */
	__u32 first;		/* what is under way: index, and how many */
	unsigned int under_way;
	unsigned long seen[VACCEL_ST_INTERNAL + 1];	/* by status */
	unsigned long submitted;
	unsigned long executed;	/* of these, by their completions */
	unsigned long errors;	/* of the queue */
	unsigned long restarts;
	unsigned long holes;
};

/*
 * Of the descriptors that devices are to execute for a program, UACCE_FUZZ or
 * @unless_set, the share of one of two tests on one of the two kinds of device
 */
unsigned long hostile_share(unsigned long unless_set);

/* Opens a queue and, with SVA, lays out the arena around it */
int hostile_open(struct hostile *h, const struct sim *sim, __u64 seed);

/* A number of descriptors, and now and then a doorbell out of order */
int hostile_attack(struct hostile *h);

/*
 * Changes one field of one descriptor, or takes memory away, or gives it back.
 * Fit for a second thread, which has random numbers of its own in *@s.
 */
void hostile_disturb(struct hostile *h, __u64 *s);

/* Stops and starts the queue, after which it has to be as good as new */
int hostile_recover(struct hostile *h);

#endif
