/* SPDX-License-Identifier: GPL-2.0+ WITH Linux-syscall-note */
/*
 * vaccel: the interface of the virtual accelerator.
 *
 * A queue has two regions. MMIO is one page of registers (VACCEL_REG_*). DUS is
 * memory: a control page (struct vaccel_ctrl), a submission ring of struct
 * vaccel_desc, a completion ring of struct vaccel_cqe, and a data area. All
 * numbers are little-endian. Documentation/misc-devices/uacce-vaccel.rst is the
 * specification: ordering, errors, what a stopped queue does.
 */
#ifndef _UAPI_MISC_UACCE_VACCEL_H
#define _UAPI_MISC_UACCE_VACCEL_H

#include <linux/types.h>
#include <linux/ioctl.h>

/* sysfs "api" of a device that speaks this interface */
#define VACCEL_API_VER		"vaccel_v1"

/*
 * sysfs "algorithms" of such a device. User libraries look for a name with strstr(),
 * and at the first hit only: no name may be part of an earlier one.
 */
#define VACCEL_ALGORITHMS	"nop\ncopy\nfill\ncrc32\ndeflate\nzlib\ngzip"

/*
 * Registers: byte offsets in the MMIO region, 64 bits each, aligned accesses
 * of 64 bits, or of 32 to one half (the low half is the one at the offset). The
 * rest of the page reads as zero and ignores stores.
 *
 * SQ_TAIL and CQ_HEAD are the doorbells, and the only ones the device obeys a
 * store to. Each holds a free-running 32-bit index in its low half (an entry's
 * place in its ring is the index modulo the number of entries); the high half
 * must be zero.
 */
#define VACCEL_REG_ID		0x00	/* RO: VACCEL_ID */
#define VACCEL_REG_STATUS	0x08	/* RO: VACCEL_STATE_*, VACCEL_QERR_* << 32 */
#define VACCEL_REG_SQ_TAIL	0x40	/* RW: descriptors submitted so far */
#define VACCEL_REG_CQ_HEAD	0x80	/* RW: completions consumed so far */
#define VACCEL_MMIO_SIZE	0x1000	/* used bytes; the region is whole pages */

/* VACCEL_REG_ID: "VACL" in the low half, version 1 in the high half */
#define VACCEL_ID		0x000000014c434156ULL

/* Low half of VACCEL_REG_STATUS and vaccel_ctrl.state */
#define VACCEL_STATE_STOPPED	0
#define VACCEL_STATE_RUNNING	1
#define VACCEL_STATE_ERROR	2	/* stopped by the device; see the high half */

/* High half of VACCEL_REG_STATUS and vaccel_ctrl.error: why a queue stopped */
#define VACCEL_QERR_NONE	0
#define VACCEL_QERR_SQ_TAIL	1	/* SQ_TAIL is not within the ring */
#define VACCEL_QERR_CQ_HEAD	2	/* CQ_HEAD is not within the ring */
#define VACCEL_QERR_DEVICE	3	/* the device failed */

/* Number of entries in each ring: a power of two */
#define VACCEL_RING_ENTRIES	256

/* Layout of the DUS region, in bytes from its start */
#define VACCEL_CTRL_OFFSET	0x0000
#define VACCEL_SQ_OFFSET	0x1000	/* VACCEL_RING_ENTRIES descriptors */
#define VACCEL_CQ_OFFSET	0x5000	/* VACCEL_RING_ENTRIES completions */
#define VACCEL_DATA_OFFSET	0x10000
#define VACCEL_DATA_SIZE	0x10000
#define VACCEL_DUS_SIZE		(VACCEL_DATA_OFFSET + VACCEL_DATA_SIZE)

/* Most bytes that one descriptor may name as source or as destination */
#define VACCEL_MAX_LEN		(1U << 30)

/**
 * struct vaccel_ctrl - control page; the device writes, user space reads
 * @sq_head: descriptors taken so far (free-running)
 * @state: VACCEL_STATE_*
 * @error: VACCEL_QERR_*
 * @reserved0: zero
 * @cq_tail: completions written so far (free-running)
 * @reserved1: zero
 * @flags: VACCEL_CTRL_*
 * @reserved2: zero
 *
 * These are copies for user space to look at. The device keeps its own and does
 * not read these back. The two indices and @flags are on cache lines of their
 * own.
 */
struct vaccel_ctrl {
	__le32 sq_head;
	__le32 state;
	__le32 error;
	__le32 reserved0[13];
	__le32 cq_tail;
	__le32 reserved1[15];
	__le32 flags;
	__le32 reserved2[15];
};

/*
 * The engine sleeps: after the store to a doorbell, call VACCEL_CMD_KICK. Only
 * software engines set it; hardware sees its doorbells.
 */
#define VACCEL_CTRL_NEED_WAKEUP	(1U << 0)

/* Operations */
enum vaccel_opcode {
	VACCEL_OP_NOP = 0,
	VACCEL_OP_COPY = 1,		/* dst = src; dst_len >= src_len */
	VACCEL_OP_FILL = 2,		/* dst = param, 8 bytes repeated */
	VACCEL_OP_CRC32 = 3,		/* result = CRC-32 of src, from param */
	VACCEL_OP_COMPRESS = 4,		/* dst = deflate(src) */
	VACCEL_OP_DECOMPRESS = 5,	/* dst = inflate(src) */
};

/*
 * Descriptor flags.
 *
 * VACCEL_F_RAW, _ZLIB, _GZIP: framing of COMPRESS and DECOMPRESS: a bare
 *	deflate stream (RFC 1951), zlib (RFC 1950), gzip (RFC 1952).
 * VACCEL_F_PARTIAL: COMPRESS with RAW only. Do not end the stream: end on a byte
 *	boundary, in an empty stored block, so that the output of a next descriptor
 *	can be appended to this one's. What each descriptor compresses does not
 *	depend on the one before.
 * VACCEL_F_CONTINUE: DECOMPRESS only. Go on with the stream at which the queue's
 *	last DECOMPRESS ended with VACCEL_ST_MORE. Framing must be the same.
 */
#define VACCEL_F_FRAMING	0x3
#define VACCEL_F_RAW		0x0
#define VACCEL_F_ZLIB		0x1
#define VACCEL_F_GZIP		0x2
#define VACCEL_F_PARTIAL	0x4
#define VACCEL_F_CONTINUE	0x8

/**
 * struct vaccel_desc - submission ring entry
 * @opcode: enum vaccel_opcode
 * @flags: VACCEL_F_*; zero for NOP, COPY, FILL and CRC32
 * @reserved0: zero
 * @level: COMPRESS: 1 (fast) to 9 (small), 0 for the device's choice; else zero
 * @user_data: copied to the completion
 * @src: address of the source
 * @dst: address of the destination
 * @src_len: bytes of source, at most VACCEL_MAX_LEN
 * @dst_len: bytes of destination, at most VACCEL_MAX_LEN
 * @param: FILL: pattern; CRC32: the CRC of what came before, zero at the start;
 *	   else zero
 * @reserved1: zero
 *
 * On a device with UACCE_DEV_SVA an address is a pointer of the process. On one
 * without, it is an offset in the DUS region, and the whole buffer must lie
 * in the data area. An operation that has no source (NOP, FILL) or no
 * destination (NOP, CRC32) has zero for that address and length.
 */
struct vaccel_desc {
	__u8 opcode;
	__u8 flags;
	__le16 reserved0;
	__le32 level;
	__le64 user_data;
	__le64 src;
	__le64 dst;
	__le32 src_len;
	__le32 dst_len;
	__le64 param;
	__le64 reserved1[2];
};

/* vaccel_cqe.status */
enum vaccel_status {
	VACCEL_ST_OK = 0,
	VACCEL_ST_MORE = 1,		/* DECOMPRESS: more input or output needed */
	VACCEL_ST_BAD_OPCODE = 2,
	VACCEL_ST_BAD_FIELD = 3,	/* a flag or field that must not be set */
	VACCEL_ST_BAD_LEN = 4,		/* a length or offset out of range */
	VACCEL_ST_FAULT_READ = 5,	/* cannot read at vaccel_cqe.result */
	VACCEL_ST_FAULT_WRITE = 6,	/* cannot write at vaccel_cqe.result */
	VACCEL_ST_DST_FULL = 7,		/* COMPRESS: destination too small */
	VACCEL_ST_BAD_DATA = 8,		/* DECOMPRESS: not a valid stream */
	VACCEL_ST_INTERNAL = 9,		/* the device ran out of something */
};

/**
 * struct vaccel_cqe - completion ring entry
 * @user_data: of the descriptor
 * @status: enum vaccel_status
 * @produced: bytes written to the destination
 * @consumed: bytes of the source that were used
 * @sq_head: index of the descriptor that this completes, plus one
 * @result: CRC32, COMPRESS, DECOMPRESS: CRC-32 of the data (uncompressed; with
 *	    CONTINUE, of the stream so far); VACCEL_ST_FAULT_*: the address; else 0
 *
 * A descriptor that fails with VACCEL_ST_FAULT_*, DST_FULL, BAD_DATA or INTERNAL
 * may have written anything to any part of its destination. @produced and @consumed
 * are zero unless the status is OK or MORE.
 */
struct vaccel_cqe {
	__le64 user_data;
	__le32 status;
	__le32 produced;
	__le32 consumed;
	__le32 sq_head;
	__le64 result;
};

/*
 * VACCEL_CMD_KICK: wake the engine of a started queue. Needed only after
 * VACCEL_CTRL_NEED_WAKEUP was seen; always allowed. EINVAL if the queue is not
 * started, EIO if the device stopped it with an error.
 */
#define VACCEL_CMD_KICK		_IO('W', 0x40)

/**
 * struct vaccel_info - answer of VACCEL_CMD_INFO
 * @version: 1
 * @flags: UACCE_DEV_SVA if addresses are pointers
 * @opcodes: bit n is set if opcode n is supported
 * @ring_entries: VACCEL_RING_ENTRIES
 * @max_len: VACCEL_MAX_LEN
 * @queue_id: number of the hardware queue
 * @pasid: PASID of the address space, or zero
 * @reserved: zero
 */
struct vaccel_info {
	__u32 version;
	__u32 flags;
	__u64 opcodes;
	__u32 ring_entries;
	__u32 max_len;
	__u32 queue_id;
	__u32 pasid;
	__u64 reserved[4];
};

/* VACCEL_CMD_INFO: what the device can do */
#define VACCEL_CMD_INFO		_IOR('W', 0x41, struct vaccel_info)

#endif /* _UAPI_MISC_UACCE_VACCEL_H */
