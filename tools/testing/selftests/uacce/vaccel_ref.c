// SPDX-License-Identifier: GPL-2.0-only
/*
 * CRC-32, Adler-32, inflate with its three framings, and a writer of deflate
 * streams. For clarity, not for speed: one bit at a time.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <misc/uacce/vaccel.h>

#include "vaccel_ref.h"

#define MAX_BITS	15	/* longest Huffman code */
#define MAX_LITLEN	286	/* symbols 286 and 287 have codes, but no meaning */
#define MAX_DIST	30

static __u32 crc_table[256];

static void crc_table_init(void)
{
	__u32 crc;
	int i, bit;

	for (i = 0; i < 256; i++) {
		crc = i;
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
		crc_table[i] = crc;
	}
}

__u32 ref_crc32(__u32 seed, const void *data, size_t len)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const __u8 *p = data;
	__u32 crc;

	/* Several threads may come here at the same time. */
	pthread_once(&once, crc_table_init);
	crc = ~seed;
	while (len--)
		crc = crc_table[(crc ^ *p++) & 0xff] ^ crc >> 8;
	return ~crc;
}

__u32 ref_adler32(__u32 seed, const void *data, size_t len)
{
	__u32 low = seed & 0xffff, high = seed >> 16;
	const __u8 *p = data;

	while (len--) {
		low = (low + *p++) % 65521;
		high = (high + low) % 65521;
	}
	return high << 16 | low;
}

/* One decoding; "result" stays REF_OK until something ends it */
struct decoder {
	const __u8 *src;
	size_t src_len;
	size_t pos;
	__u8 *dst;
	size_t dst_len;
	size_t out;
	unsigned int bit;	/* of src[pos], next to be read */
	enum ref_result result;
};

/* Canonical code: how many codes of each length, and the symbols in order */
struct code {
	unsigned int count[MAX_BITS + 1];
	unsigned int symbol[288];
};

static void stop(struct decoder *d, enum ref_result why)
{
	if (d->result == REF_OK)
		d->result = why;
}

static unsigned int get_bit(struct decoder *d)
{
	unsigned int value;

	if (d->result != REF_OK)
		return 0;
	if (d->pos == d->src_len) {
		stop(d, REF_SHORT);
		return 0;
	}

	value = d->src[d->pos] >> d->bit & 1;
	if (++d->bit == 8) {
		d->bit = 0;
		d->pos++;
	}
	return value;
}

static unsigned int get_bits(struct decoder *d, unsigned int count)
{
	unsigned int i, value = 0;

	for (i = 0; i < count; i++)
		value |= get_bit(d) << i;
	return value;
}

static void next_byte(struct decoder *d)
{
	if (d->bit) {
		d->bit = 0;
		d->pos++;
	}
}

static void put_byte(struct decoder *d, __u8 value)
{
	if (d->result != REF_OK)
		return;
	if (d->out == d->dst_len)
		stop(d, REF_FULL);
	else
		d->dst[d->out++] = value;
}

/*
 * A code must use up its space exactly. Literals and distances have an
 * exception (@lone): no symbol at all, or a single one of one bit.
 */
static bool build(struct code *code, const __u8 *lengths, unsigned int n,
		  bool lone)
{
	unsigned int len, i, filled = 0;
	int left = 1;

	memset(code, 0, sizeof(*code));
	for (i = 0; i < n; i++)
		code->count[lengths[i]]++;
	for (len = 1; len <= MAX_BITS; len++)
		for (i = 0; i < n; i++)
			if (lengths[i] == len)
				code->symbol[filled++] = i;
	code->count[0] = 0;

	for (len = 1; len <= MAX_BITS; len++) {
		left = left * 2 - (int)code->count[len];
		if (left < 0)
			return false;
	}
	if (!left)
		return true;
	return lone && filled == code->count[1] && filled <= 1;
}

static unsigned int get_symbol(struct decoder *d, const struct code *code)
{
	unsigned int len, value = 0, first = 0, index = 0;

	for (len = 1; len <= MAX_BITS; len++) {
		value = value << 1 | get_bit(d);
		if (value - first < code->count[len])
			return code->symbol[index + value - first];
		index += code->count[len];
		first = (first + code->count[len]) << 1;
	}
	stop(d, REF_BAD);
	return 0;
}

/* Base and extra bits of length symbols 257.. and of distance symbols 0.. */
static void length_of(unsigned int n, unsigned int *base, unsigned int *extra)
{
	*extra = n < 8 || n == 28 ? 0 : n / 4 - 1;
	*base = n < 8 ? 3 + n : n == 28 ? 258 : 3 + ((4 + n % 4) << *extra);
}

static void dist_of(unsigned int n, unsigned int *base, unsigned int *extra)
{
	*extra = n < 4 ? 0 : n / 2 - 1;
	*base = n < 4 ? 1 + n : 1 + ((2 + n % 2) << *extra);
}

static void match(struct decoder *d, unsigned int symbol,
		  const struct code *dist_code)
{
	unsigned int base, extra, len, dist;

	if (symbol >= MAX_LITLEN) {
		stop(d, REF_BAD);
		return;
	}
	length_of(symbol - 257, &base, &extra);
	len = base + get_bits(d, extra);

	symbol = get_symbol(d, dist_code);
	if (symbol >= MAX_DIST) {
		stop(d, REF_BAD);
		return;
	}
	dist_of(symbol, &base, &extra);
	dist = base + get_bits(d, extra);

	if (d->result == REF_OK && dist > d->out)
		stop(d, REF_BAD);
	while (d->result == REF_OK && len--)
		put_byte(d, d->dst[d->out - dist]);
}

static void coded_block(struct decoder *d, const struct code *litlen,
			const struct code *dist)
{
	unsigned int symbol;

	while (d->result == REF_OK) {
		symbol = get_symbol(d, litlen);
		if (d->result != REF_OK || symbol == 256)
			return;
		if (symbol < 256)
			put_byte(d, symbol);
		else
			match(d, symbol, dist);
	}
}

static void fixed_block(struct decoder *d)
{
	struct code litlen, dist;
	__u8 lengths[288];

	memset(lengths, 8, 144);
	memset(lengths + 144, 9, 112);
	memset(lengths + 256, 7, 24);
	memset(lengths + 280, 8, 8);
	build(&litlen, lengths, 288, false);
	memset(lengths, 5, 32);
	build(&dist, lengths, 32, false);

	coded_block(d, &litlen, &dist);
}

static void read_lengths(struct decoder *d, const struct code *code,
			 __u8 *lengths, unsigned int n)
{
	unsigned int i = 0, symbol, repeat;
	__u8 value;

	while (i < n && d->result == REF_OK) {
		symbol = get_symbol(d, code);
		if (symbol < 16) {
			lengths[i++] = symbol;
			continue;
		}

		value = 0;
		if (symbol == 16) {
			if (!i) {
				stop(d, REF_BAD);
				return;
			}
			value = lengths[i - 1];
			repeat = 3 + get_bits(d, 2);
		} else if (symbol == 17) {
			repeat = 3 + get_bits(d, 3);
		} else {
			repeat = 11 + get_bits(d, 7);
		}
		if (repeat > n - i) {
			stop(d, REF_BAD);
			return;
		}
		memset(lengths + i, value, repeat);
		i += repeat;
	}
}

static void dynamic_block(struct decoder *d)
{
	static const __u8 order[19] = {
		16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15
	};
	unsigned int nlit = 257 + get_bits(d, 5);
	unsigned int ndist = 1 + get_bits(d, 5);
	unsigned int ncode = 4 + get_bits(d, 4);
	struct code code, litlen, dist;
	__u8 lengths[320] = { 0 };
	unsigned int i;

	for (i = 0; i < ncode; i++)
		lengths[order[i]] = get_bits(d, 3);
	if (d->result != REF_OK)
		return;
	if (nlit > MAX_LITLEN || ndist > MAX_DIST ||
	    !build(&code, lengths, 19, false)) {
		stop(d, REF_BAD);
		return;
	}

	memset(lengths, 0, sizeof(lengths));
	read_lengths(d, &code, lengths, nlit + ndist);
	if (d->result != REF_OK)
		return;
	if (!lengths[256] || !build(&litlen, lengths, nlit, true) ||
	    !build(&dist, lengths + nlit, ndist, true)) {
		stop(d, REF_BAD);
		return;
	}
	coded_block(d, &litlen, &dist);
}

static void stored_block(struct decoder *d)
{
	unsigned int len, check;

	next_byte(d);
	len = get_bits(d, 16);
	check = get_bits(d, 16);
	if (d->result == REF_OK && (len ^ check) != 0xffff)
		stop(d, REF_BAD);
	while (d->result == REF_OK && len--)
		put_byte(d, get_bits(d, 8));
}

static void inflate(struct decoder *d)
{
	unsigned int final = 0;

	while (d->result == REF_OK && !final) {
		final = get_bit(d);
		switch (get_bits(d, 2)) {
		case 0:
			stored_block(d);
			break;
		case 1:
			fixed_block(d);
			break;
		case 2:
			dynamic_block(d);
			break;
		default:
			stop(d, REF_BAD);
		}
	}
	next_byte(d);
}

static void zlib_header(struct decoder *d)
{
	unsigned int cmf = get_bits(d, 8), flags = get_bits(d, 8);

	if (d->result != REF_OK)
		return;
	/* deflate, a window of at most 32 KiB, no preset dictionary */
	if ((cmf & 0xf) != 8 || cmf >> 4 > 7 || (cmf << 8 | flags) % 31 ||
	    flags & 0x20)
		stop(d, REF_BAD);
}

static void zlib_trailer(struct decoder *d)
{
	__u32 sum = 0;
	int i;

	for (i = 0; i < 4; i++)
		sum = sum << 8 | get_bits(d, 8);
	if (d->result == REF_OK && sum != ref_adler32(1, d->dst, d->out))
		stop(d, REF_BAD);
}

static void skip_string(struct decoder *d)
{
	while (get_bits(d, 8))
		;
}

static void gzip_header(struct decoder *d)
{
	unsigned int magic = get_bits(d, 16), method = get_bits(d, 8);
	unsigned int flags = get_bits(d, 8), len;

	get_bits(d, 32);	/* time: anything goes */
	get_bits(d, 16);	/* compression hints, operating system: too */
	if (d->result != REF_OK)
		return;
	if (magic != 0x8b1f || method != 8 || flags & 0xe0) {
		stop(d, REF_BAD);
		return;
	}

	if (flags & 0x04)
		for (len = get_bits(d, 16); len; len--)
			get_bits(d, 8);
	if (flags & 0x08)
		skip_string(d);
	if (flags & 0x10)
		skip_string(d);
	if (flags & 0x02)
		get_bits(d, 16);	/* not checked by vaccel, nor by many */
}

static void gzip_trailer(struct decoder *d)
{
	__u32 sum = get_bits(d, 32), size = get_bits(d, 32);

	if (d->result == REF_OK &&
	    (sum != ref_crc32(0, d->dst, d->out) || size != (__u32)d->out))
		stop(d, REF_BAD);
}

enum ref_result ref_decode(unsigned int framing, const __u8 *src,
			   size_t src_len, __u8 *dst, size_t dst_len,
			   size_t *used, size_t *made)
{
	struct decoder d = {
		.src = src,
		.src_len = src_len,
		.dst = dst,
		.dst_len = dst_len,
	};

	if (framing == VACCEL_F_ZLIB)
		zlib_header(&d);
	else if (framing == VACCEL_F_GZIP)
		gzip_header(&d);
	inflate(&d);
	if (framing == VACCEL_F_ZLIB)
		zlib_trailer(&d);
	else if (framing == VACCEL_F_GZIP)
		gzip_trailer(&d);

	*used = d.pos;
	*made = d.out;
	return d.result;
}

void ref_bits_init(struct ref_bits *b, __u8 *buf, size_t cap)
{
	*b = (struct ref_bits) { .buf = buf, .cap = cap };
}

void ref_put(struct ref_bits *b, __u32 value, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		b->hold |= (value >> i & 1) << b->held;
		if (++b->held == 8) {
			if (b->len == b->cap)
				abort();
			b->buf[b->len++] = b->hold;
			b->hold = 0;
			b->held = 0;
		}
	}
}

void ref_align(struct ref_bits *b)
{
	if (b->held)
		ref_put(b, 0, 8 - b->held);
}

void ref_put_bytes(struct ref_bits *b, const void *data, size_t len)
{
	const __u8 *p = data;

	ref_align(b);
	while (len--)
		ref_put(b, *p++, 8);
}

void ref_block(struct ref_bits *b, bool final, unsigned int type)
{
	ref_put(b, final, 1);
	ref_put(b, type, 2);
}

void ref_stored(struct ref_bits *b, bool final, const void *data, size_t len)
{
	ref_block(b, final, 0);
	ref_align(b);
	ref_put(b, len, 16);
	ref_put(b, ~len, 16);
	ref_put_bytes(b, data, len);
}

/* Codes, unlike all other fields, are sent highest bit first */
static void put_code(struct ref_bits *b, unsigned int code, unsigned int count)
{
	while (count--)
		ref_put(b, code >> count & 1, 1);
}

void ref_fixed_symbol(struct ref_bits *b, unsigned int symbol)
{
	if (symbol < 144)
		put_code(b, 0x30 + symbol, 8);
	else if (symbol < 256)
		put_code(b, 0x190 + symbol - 144, 9);
	else if (symbol < 280)
		put_code(b, symbol - 256, 7);
	else
		put_code(b, 0xc0 + symbol - 280, 8);
}

void ref_fixed_match(struct ref_bits *b, unsigned int len, unsigned int dist)
{
	unsigned int n, base, extra;

	n = 28;
	length_of(n, &base, &extra);
	while (base > len)
		length_of(--n, &base, &extra);
	ref_fixed_symbol(b, 257 + n);
	ref_put(b, len - base, extra);

	n = 29;
	dist_of(n, &base, &extra);
	while (base > dist)
		dist_of(--n, &base, &extra);
	put_code(b, n, 5);
	ref_put(b, dist - base, extra);
}
