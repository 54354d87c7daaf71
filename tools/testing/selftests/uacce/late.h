/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory that is there when the test says so: whoever accesses it waits for that,
 * system calls and the IOMMU's page faults alike.
 *
 * What can fail returns a negative errno.
 */
#ifndef SELFTESTS_UACCE_LATE_H
#define SELFTESTS_UACCE_LATE_H

#include <stdbool.h>

/*
 * A page of anonymous memory, by userfaultfd(2); for those who may retry, which the
 * IOMMU may not. A signal that kills ends the wait. Returns a descriptor, which can be
 * read when somebody waits.
 */
int late_page(void **page);
int late_page_fill(int uffd, void *page);

/*
 * A file of one page, by FUSE, that a thread of the caller serves. No signal ends a
 * wait for a page of its mapping. There can be one.
 */
int late_file_begin(void);
/* Maps it anew, in any process: nobody has its page */
int late_file_map(void **page);
/* Waits until somebody waits for the page: 0, or -ETIMEDOUT; lets him have it */
int late_file_wait(void);
int late_file_fill(void);
/* When the process that began it is gone */
void late_file_end(void);

#endif
