// SPDX-License-Identifier: GPL-2.0-only
/*
 * vaccel: headers of zlib (RFC 1950) and gzip (RFC 1952) streams, read a byte at a
 * time, as a descriptor may end anywhere in them.
 */
#include "vaccel-inflate.h"
#include <zlib.h>

#define VACCEL_GZIP_FIXED_LEN	10

/* Flags of gzip; the one not named (text) is of no importance */
#define VACCEL_GZIP_F_CRC	0x02
#define VACCEL_GZIP_F_EXTRA	0x04
#define VACCEL_GZIP_F_NAME	0x08
#define VACCEL_GZIP_F_COMMENT	0x10
#define VACCEL_GZIP_F_RESERVED	0xe0

#define VACCEL_ZLIB_F_DICT	0x20

void vaccel_header_init(struct vaccel_header *h, bool gzip)
{
	*h = (struct vaccel_header) { .gzip = gzip };
}

static int vaccel_zlib_byte(struct vaccel_header *h, uint8_t byte)
{
	if (!h->pos++) {
		h->first = byte;
		if ((byte & 0xf) != Z_DEFLATED || (byte >> 4) + 8 > MAX_WBITS)
			return -EINVAL;
		return 0;
	}
	if ((h->first << 8 | byte) % 31 || (byte & VACCEL_ZLIB_F_DICT))
		return -EINVAL;
	return 1;
}

static int vaccel_gzip_fixed_byte(struct vaccel_header *h, uint8_t byte)
{
	switch (h->pos) {
	case 0:
		return byte == 0x1f ? 0 : -EINVAL;
	case 1:
		return byte == 0x8b ? 0 : -EINVAL;
	case 2:
		return byte == Z_DEFLATED ? 0 : -EINVAL;
	case 3:
		h->first = byte;
		return byte & VACCEL_GZIP_F_RESERVED ? -EINVAL : 0;
	default:
		/* Time, extra flags, operating system: nothing to check */
		return 0;
	}
}

/* Is there such a part in this header? */
static bool vaccel_gzip_has(const struct vaccel_header *h)
{
	switch (h->part) {
	case VACCEL_HEADER_EXTRA_LEN:
		return h->first & VACCEL_GZIP_F_EXTRA;
	case VACCEL_HEADER_EXTRA:
		return h->extra_len;
	case VACCEL_HEADER_NAME:
		return h->first & VACCEL_GZIP_F_NAME;
	case VACCEL_HEADER_COMMENT:
		return h->first & VACCEL_GZIP_F_COMMENT;
	case VACCEL_HEADER_CRC:
		return h->first & VACCEL_GZIP_F_CRC;
	default:
		return true;
	}
}

/* Return: true if the byte was the last of its part */
static bool vaccel_gzip_part_byte(struct vaccel_header *h, uint8_t byte)
{
	switch (h->part) {
	case VACCEL_HEADER_FIXED:
		return h->pos == VACCEL_GZIP_FIXED_LEN - 1;
	case VACCEL_HEADER_EXTRA_LEN:
		h->extra_len |= byte << (8 * h->pos);
		return h->pos == 1;
	case VACCEL_HEADER_EXTRA:
		return h->pos == h->extra_len - 1U;
	case VACCEL_HEADER_CRC:
		return h->pos == 1;
	default:
		return !byte;
	}
}

static int vaccel_gzip_byte(struct vaccel_header *h, uint8_t byte)
{
	if (h->part == VACCEL_HEADER_FIXED && vaccel_gzip_fixed_byte(h, byte))
		return -EINVAL;
	if (!vaccel_gzip_part_byte(h, byte)) {
		h->pos++;
		return 0;
	}
	h->pos = 0;
	do {
		h->part++;
	} while (!vaccel_gzip_has(h));
	return h->part == VACCEL_HEADER_END;
}

/**
 * vaccel_header_byte() - read the next byte of a header
 * @h: how far it has been read; not beyond its end
 * @byte: the byte
 *
 * Return: 1 if it was the last one, 0 if there are more, -EINVAL if the header is
 * not valid or calls for what there is not
 */
int vaccel_header_byte(struct vaccel_header *h, uint8_t byte)
{
	return h->gzip ? vaccel_gzip_byte(h, byte) : vaccel_zlib_byte(h, byte);
}
