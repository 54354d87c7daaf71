/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory of a test, and what a device with SVA does to it and sees of it.
 */
#ifndef SELFTESTS_UACCE_USERMEM_H
#define SELFTESTS_UACCE_USERMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "sim.h"
#include "vq.h"

#define PAGE		4096UL
#define HUGE_SIZE	(2UL << 20)

/* Parameter of a FILL with bytes of one value */
#define PATTERN(value)	((value) * 0x0101010101010101ULL)

/*
 * Memory that nobody has touched yet, of small pages; a file in memory; a mapping
 * of one. They abort the test if there is none to be had.
 */
__u8 *fresh(size_t pages);
int memory_file(size_t pages);
__u8 *map_file(int fd, size_t pages, int prot, int flags);

/* The device's hands: each returns the status */
int dev_fill(struct vq *vq, void *dst, size_t len, __u8 value);
int dev_copy(struct vq *vq, const void *src, void *dst, size_t len);
/* The device's eyes: does it see @len bytes of @value, or those of @want? */
bool dev_sees(struct vq *vq, const void *src, size_t len, __u8 value);
bool dev_sees_this(struct vq *vq, const void *src, size_t len, const void *want);

/*
 * 0 if the next completion, that of @d, or a write or read of the device to or
 * from @p on is a fault at @addr; -EBADMSG, and a word about it, if it is not
 */
int vq_wait_fault(struct vq *vq, int status, __u64 addr);
int dev_fault(struct vq *vq, const struct vaccel_desc *d, int status, __u64 addr);
int dev_no_write(struct vq *vq, const void *p, size_t len, const void *addr);
int dev_no_read(struct vq *vq, const void *p, size_t len, const void *addr);

/* Submits @d and waits until the device is held with it at @point */
int dev_hold(struct sim *sim, struct vq *vq, const char *point,
	     const struct vaccel_desc *d);
/*
 * Same with a FILL or a CRC32 of @pages at @p, at "dma": the first page was
 * written, or read, and no other
 */
int hold_fill(struct sim *sim, struct vq *vq, __u8 *p, size_t pages, __u8 value);
int hold_crc(struct sim *sim, struct vq *vq, const __u8 *p, size_t pages);

/* For peers: is there but @value at @addr; make it so. Both in their memory */
long peer_peek(long addr, long len, long value);
long peer_poke(long addr, long len, long value);

#endif
