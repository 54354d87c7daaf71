/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An accelerator that is a PCI function, and how its queues are when something has
 * happened to it
 */
#ifndef SELFTESTS_UACCE_PLUGGED_H
#define SELFTESTS_UACCE_PLUGGED_H

#include <stdbool.h>

#include "bg.h"
#include "pci.h"
#include "sim.h"
#include "vq.h"

/* Pages of what a queue works on that is interrupted */
#define WORK	8

/* An accelerator, the function behind it, and where in the log its test begins */
struct plugged {
	struct sim sim;
	struct pci_function f;
	long mark;
};

/* How often the IOMMU has said since then that it did not allow an access */
int plugged_not_allowed(const struct plugged *p);

/* 0 if the device has failed this queue, as the user sees it; or what differs */
int not_failed(struct vq *vq);
/* 0 if the queue does its work, or what is wrong */
int not_working(struct vq *vq);
/* The function is back: is it a whole new accelerator? 0, or what is wrong */
int not_reborn(struct plugged *p);

/*
 * Has the device write 'd' to pages that are zeros, and holds it after the first.
 * It knows all of them, so that there is nothing that it had to ask for.
 */
int begin_work(struct sim *sim, struct vq *vq);
/* Has only the first page been written of what was begun there? */
bool only_first_page(const struct vq *vq);

/* Waits until "isolate" is @want: what it is in the end */
long isolated(const struct sim *sim, long want);

/* A queue in a peer, and what the test may ask about it */
extern struct vq peer_vq;

long peer_vq_open(long sim, long unused1, long unused2);
long peer_vq_restart(long unused1, long unused2, long unused3);
long peer_not_failed(long unused1, long unused2, long unused3);
long peer_not_working(long unused1, long unused2, long unused3);

/* Two threads, each of which starts and stops a queue of its own all the time */
struct restless {
	struct bg bg[2];
	int fd[2];
	bool enough;
};

/*
 * While the device is being reset START may fail with EAGAIN; @also is another error,
 * or 0. What the threads meet with besides, or a queue that does not start when all is
 * over, is what restless_end() returns.
 */
int restless_begin(struct restless *r, const struct sim *sim, int also);
int restless_end(struct restless *r);

#endif
