/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A vaccel queue with memory that its device can reach, the same for devices
 * with SVA (where any memory will do) and without (where it is the data area).
 *
 * What can fail returns a negative errno.
 */
#ifndef SELFTESTS_UACCE_VQ_H
#define SELFTESTS_UACCE_VQ_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "vaccel-queue.h"

struct sim;

/* Size of vq.mem: what a device without SVA can reach */
#define VQ_MEM		VACCEL_DATA_SIZE

struct vq {
	struct vaccel_queue q;
	__u8 *mem;		/* page aligned */
	bool sva;
	__u64 serial;	/* makes user_data of each descriptor unique */
};

/* Opens and starts a queue */
int vq_open(struct vq *vq, const struct sim *sim);
void vq_close(struct vq *vq);
/* @p as the device calls it; on a device without SVA @p must be in vq.mem */
__u64 vq_addr(const struct vq *vq, const void *p);

/* Descriptors */
struct vaccel_desc d_nop(void);
struct vaccel_desc d_copy(const struct vq *vq, const void *src, void *dst,
			  size_t len);
struct vaccel_desc d_fill(const struct vq *vq, void *dst, size_t len,
			  __u64 pattern);
struct vaccel_desc d_crc(const struct vq *vq, const void *src, size_t len,
			 __u32 seed);
/* COMPRESS and DECOMPRESS */
struct vaccel_desc d_flate(const struct vq *vq, unsigned int opcode,
			   unsigned int flags, const void *src, size_t src_len,
			   void *dst, size_t dst_len);
/* Any operation, nothing but the numbers given, in the device's byte order */
struct vaccel_desc d_raw(unsigned int opcode, __u64 src, size_t src_len,
			 __u64 dst, size_t dst_len);

/* A completion in the CPU's byte order */
struct vq_done {
	unsigned int status;
	__u32 produced;
	__u32 consumed;
	__u64 result;
	__u64 user_data;
};

/*
 * Submits @d, with user_data of its own, without waiting. Returns the index of
 * the descriptor.
 */
long vq_submit(struct vq *vq, const struct vaccel_desc *d);
/*
 * Waits for the next completion and checks what holds for each: the order of
 * user_data and sq_head, and the zeros that go with an error. Returns the
 * status, or -EBADMSG if one of these was wrong (and says which), or what
 * vaccel_wait() returned, -ETIMEDOUT included.
 */
int vq_wait(struct vq *vq, struct vq_done *done);
/* Both */
int vq_run(struct vq *vq, const struct vaccel_desc *d, struct vq_done *done);
/* Stops and starts the queue, user_data begins anew */
int vq_restart(struct vq *vq);

/* The raw queue */
struct vaccel_ctrl *vq_ctrl(const struct vq *vq);
struct vaccel_desc *vq_sq(const struct vq *vq, __u32 index);
struct vaccel_cqe *vq_cq(const struct vq *vq, __u32 index);
__u64 vq_reg(const struct vq *vq, unsigned int reg);
void vq_set_reg(const struct vq *vq, unsigned int reg, __u64 val);
__u32 vq_sq_head(const struct vq *vq);
__u32 vq_cq_tail(const struct vq *vq);
bool vq_asleep(const struct vq *vq);	/* NEED_WAKEUP is set */
/* Until ctrl.cq_tail is @want, or the engine sleeps: 0 or -ETIMEDOUT */
int vq_wait_cq_tail(const struct vq *vq, __u32 want);
int vq_wait_asleep(const struct vq *vq);

/* Repeatable random numbers; a text that compresses; bytes that do not */
__u64 rnd(__u64 *state);
void make_text(__u8 *buf, size_t len, __u64 seed);
void make_noise(__u8 *buf, size_t len, __u64 seed);
/* Is it @value all over? */
bool all_bytes(const __u8 *buf, size_t len, __u8 value);

/* Waits until a thread of this process sleeps in poll(): 0 or -ETIMEDOUT */
int wait_poller(void);

#endif
