/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory control groups: how much memory the kernel lets some processes have */
#ifndef SELFTESTS_UACCE_GROUP_H
#define SELFTESTS_UACCE_GROUP_H

#include <stdbool.h>

/* Makes group @name, with memory for @max bytes, or as much as it likes with 0 */
bool group_begin(const char *name, unsigned long max);
/* Puts the calling process there: 0, or a negative errno */
int group_join(const char *name);
/* The number called @key in its memory.stat, or a negative errno; for a member of it */
long group_stat(const char *name, const char *key);
/* Removes it, also if it is not there. -ETIMEDOUT */
int group_end(const char *name);

#endif
