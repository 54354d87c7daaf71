/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel says in its log */
#ifndef SELFTESTS_UACCE_KMSG_H
#define SELFTESTS_UACCE_KMSG_H

/*
 * Writes @text to the log: the number of that record, or a negative errno. Other
 * processes can look for what was said since then as well.
 */
long log_mark(const char *text);

/* How many records since @mark have all of @words, NULL at the end */
int log_count(long mark, const char * const *words);
/* Waits until there is one: 0, or -ETIMEDOUT */
int log_wait(long mark, const char * const *words, long timeout_ms);

#endif
