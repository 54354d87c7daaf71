/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the data operations of a vaccel device should compute, written down a
 * second time from the RFCs (1950, 1951, 1952), slowly and obviously. The tests
 * compare the device's answers with these, so that neither can hide a mistake
 * that it shares with the kernel's own zlib, and no library is needed.
 */
#ifndef VACCEL_REF_H
#define VACCEL_REF_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

/* CRC-32 and Adler-32 of @len bytes; @seed is the value of what came before */
__u32 ref_crc32(__u32 seed, const void *data, size_t len);
__u32 ref_adler32(__u32 seed, const void *data, size_t len);

enum ref_result {
	REF_OK,		/* the stream's end was reached */
	REF_SHORT,	/* the input ended before the stream did */
	REF_FULL,	/* the output does not fit */
	REF_BAD,	/* not a valid stream */
};

/*
 * Decode a stream with VACCEL_F_RAW, _ZLIB or _GZIP framing. @used and @made
 * are how much was read and written, whatever the result.
 */
enum ref_result ref_decode(unsigned int framing, const __u8 *src,
			   size_t src_len, __u8 *dst, size_t dst_len,
			   size_t *used, size_t *made);

/*
 * Put a deflate stream together bit by bit: what an encoder would never write
 * is just what a decoder must be shown. Running over @cap aborts the program.
 */
struct ref_bits {
	__u8 *buf;
	size_t cap;
	size_t len;
	__u32 hold;
	unsigned int held;
};

void ref_bits_init(struct ref_bits *b, __u8 *buf, size_t cap);
/* @count bits of @value, lowest first */
void ref_put(struct ref_bits *b, __u32 value, unsigned int count);
/* fill up the last byte with zero bits */
void ref_align(struct ref_bits *b);
void ref_put_bytes(struct ref_bits *b, const void *data, size_t len);
/* header of a block: 0 stored, 1 fixed codes, 2 dynamic codes, 3 invalid */
void ref_block(struct ref_bits *b, bool final, unsigned int type);
/* a whole stored block, at most 65535 bytes */
void ref_stored(struct ref_bits *b, bool final, const void *data, size_t len);
/* within a block of fixed codes: literal/length symbol 0..287 */
void ref_fixed_symbol(struct ref_bits *b, unsigned int symbol);
/* @len 3..258, @dist 1..32768 */
void ref_fixed_match(struct ref_bits *b, unsigned int len, unsigned int dist);

#endif /* VACCEL_REF_H */
