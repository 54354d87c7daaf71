// SPDX-License-Identifier: GPL-2.0-only
/*
 * Simulated accelerator: headers of zlib (RFC 1950) and gzip (RFC 1952) streams.
 */
#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/zlib.h>
#include <linux/zutil.h>
#include "inflate.h"

#define SIM_GZIP_FIXED_LEN	10

/* Flags of gzip; the one not named (text) is of no importance */
#define SIM_GZIP_F_CRC		BIT(1)
#define SIM_GZIP_F_EXTRA	BIT(2)
#define SIM_GZIP_F_NAME		BIT(3)
#define SIM_GZIP_F_COMMENT	BIT(4)
#define SIM_GZIP_F_RESERVED	GENMASK(7, 5)

void sim_inflate_header_init(struct sim_inflate_header *h, bool gzip)
{
	*h = (struct sim_inflate_header) { .gzip = gzip };
}

static int sim_zlib_byte(struct sim_inflate_header *h, u8 byte)
{
	if (!h->pos++) {
		h->first = byte;
		if ((byte & 0xf) != Z_DEFLATED || (byte >> 4) + 8 > MAX_WBITS)
			return -EINVAL;
		return 0;
	}

	if ((h->first << 8 | byte) % 31 || (byte & PRESET_DICT))
		return -EINVAL;
	return 1;
}

static int sim_gzip_fixed_byte(struct sim_inflate_header *h, u8 byte)
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
		return byte & SIM_GZIP_F_RESERVED ? -EINVAL : 0;
	default:
		/* Time, extra flags, operating system: nothing to check */
		return 0;
	}
}

/* Is there such a part in this header? */
static bool sim_gzip_has(const struct sim_inflate_header *h)
{
	switch (h->part) {
	case SIM_HEADER_EXTRA_LEN:
		return h->first & SIM_GZIP_F_EXTRA;
	case SIM_HEADER_EXTRA:
		return h->extra_len;
	case SIM_HEADER_NAME:
		return h->first & SIM_GZIP_F_NAME;
	case SIM_HEADER_COMMENT:
		return h->first & SIM_GZIP_F_COMMENT;
	case SIM_HEADER_CRC:
		return h->first & SIM_GZIP_F_CRC;
	default:
		return true;
	}
}

/* Return: true if the byte was the last of its part */
static bool sim_gzip_part_byte(struct sim_inflate_header *h, u8 byte)
{
	switch (h->part) {
	case SIM_HEADER_FIXED:
		return h->pos == SIM_GZIP_FIXED_LEN - 1;
	case SIM_HEADER_EXTRA_LEN:
		h->extra_len |= byte << (8 * h->pos);
		return h->pos == 1;
	case SIM_HEADER_EXTRA:
		return h->pos == h->extra_len - 1;
	case SIM_HEADER_CRC:
		return h->pos == 1;
	default:
		return !byte;
	}
}

static int sim_gzip_byte(struct sim_inflate_header *h, u8 byte)
{
	if (h->part == SIM_HEADER_FIXED && sim_gzip_fixed_byte(h, byte))
		return -EINVAL;

	if (!sim_gzip_part_byte(h, byte)) {
		h->pos++;
		return 0;
	}

	h->pos = 0;
	do {
		h->part++;
	} while (!sim_gzip_has(h));

	return h->part == SIM_HEADER_END;
}

/**
 * sim_inflate_header_byte() - read the next byte of a header
 * @h: how far it has been read; not beyond its end
 * @byte: the byte
 *
 * Return: 1 if it was the last one, 0 if there are more, -EINVAL if the header is
 * not valid or calls for what there is not
 */
int sim_inflate_header_byte(struct sim_inflate_header *h, u8 byte)
{
	return h->gzip ? sim_gzip_byte(h, byte) : sim_zlib_byte(h, byte);
}
