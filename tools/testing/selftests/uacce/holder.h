/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who can hold the open file of a queue that belongs to another process, and sleep on
 * it.
 *
 * What can fail returns a negative errno.
 */
#ifndef SELFTESTS_UACCE_HOLDER_H
#define SELFTESTS_UACCE_HOLDER_H

#include <stdbool.h>
#include <sys/types.h>

#include "bg.h"
#include "peer.h"

enum holder_kind {
	HOLDER_NOBODY,
	HOLDER_CHILD,		/* of the owner, made by fork() */
	HOLDER_STRANGER,	/* who was sent it, asleep in poll() */
	HOLDER_EPOLL,		/* the same, asleep in epoll_wait() */
	HOLDER_RING,		/* an io_uring, with a poll request; no descriptor */
};

struct holder {
	enum holder_kind kind;
	int fd;
	int epoll;
	struct bg sleeper;
	pid_t child;
	int ask[2], tell[2];
};

/* Says why there cannot be such a holder, or NULL */
const char *holder_unavailable(enum holder_kind kind);

/* To be called before the owner is made */
int holder_prepare(struct holder *h, enum holder_kind kind);
/* From now on it holds what is @fd in @owner, and sleeps */
int holder_begin(struct holder *h, struct peer *owner, int fd);
/* Has nobody woken it yet? */
bool holder_sleeps(struct holder *h);
/* 0 if it is woken, and told that the queue is dead; or what is wrong */
int holder_is_told(struct holder *h);
/* 0 if the queue is dead to it in every respect; or what is not */
int holder_not_dead(struct holder *h);
/* Lets the file go */
int holder_end(struct holder *h);

#endif
