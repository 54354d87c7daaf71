/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Allocations that fail, one after the other: the first of a call, then, in
 * another try of the same call, the second, and so on, until the call comes to
 * its end with nothing left to fail.
 *
 *	struct nth nth;
 *
 *	nth_begin(&nth);
 *	while (nth_next(&nth)) {
 *		...			what the call needs
 *		nth_arm(&nth);
 *		ret = call();
 *		nth_disarm(&nth);
 *		...			nth.hit: one has failed
 *	}
 *	...				nth.injected: how many in all
 *
 * It is the kernel that counts, for the calling thread alone: what it allocates,
 * from slabs and in pages, sleeping or not.
 */
#ifndef SELFTESTS_UACCE_NTH_H
#define SELFTESTS_UACCE_NTH_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

/* More allocations than any call has; one that never ends must not either */
#define NTH_MAX		20000

/**
 * struct nth - sweep over the allocations of a call
 * @fd: the file that arms the failure
 * @n: which allocation fails in this round. To begin further on, set it to the
 *	one before, after nth_begin().
 * @hit: it did
 * @injected: rounds in which one did
 * @dry: rounds since the last in which one did
 * @first: to be set after nth_begin() where in a hurry more of the first are to fail
 */
struct nth {
	int fd;
	unsigned int n;
	bool hit;
	unsigned int injected;
	unsigned int dry;
	unsigned int first;
};

/*
 * Makes every kind of allocation one that can fail, without a word in the log.
 * Returns NULL, or why there can be no tests. nth_restore() puts back what was
 * set when the program began.
 */
const char *nth_prepare(void);
void nth_restore(void);

/* Does a failure that is asked for happen? Tries it on a file in /proc. */
bool nth_works(void);

void nth_begin(struct nth *nth);
/* Is there another round? The last rounds are those that injected nothing. */
bool nth_next(struct nth *nth);
/* How many failures there are at least, when @all would be without a hurry */
unsigned int nth_least(unsigned int all);
void nth_arm(const struct nth *nth);
void nth_disarm(struct nth *nth);

/* How many allocations are there between the two? */
void nth_count_begin(const struct nth *nth);
unsigned int nth_count_end(const struct nth *nth);

/* Is that one of the errors that a failure may lead to? The last of @errors is 0. */
bool nth_may_return(long err, const int *errors);

/* For a process that does it to itself and then does not come back */
void nth_arm_self(unsigned int n);
/* Has the failure that @pid was armed with happened? @pid may be a zombie. */
bool nth_hit_of(pid_t pid);
/* The round was another process's: it ended so */
void nth_note(struct nth *nth, bool hit);

/*
 * Trace events, in a buffer of our own. Those of the group kmem are only
 * recorded where @filter is true. False if there are none. trace_open() is for
 * when what was to be traced is over.
 */
bool trace_begin(const char * const *events, unsigned int n_events,
		 const char *filter);
/* After each @event where @filter is true, who it was: lines that begin with " => " */
bool trace_stacks(const char *event, const char *filter);
int trace_on(bool on);
FILE *trace_open(void);
int trace_end(void);
/* Is this an allocation by a check of the kernel that keeps books on others? */
bool trace_keeps_books(const char *line);

#endif
