/* SPDX-License-Identifier: GPL-2.0-only */
/* Headers of zlib and gzip streams, read a byte at a time */
#ifndef HW_MISC_VACCEL_INFLATE_H
#define HW_MISC_VACCEL_INFLATE_H

#include "qemu/osdep.h"

enum vaccel_header_part {
	VACCEL_HEADER_FIXED,
	VACCEL_HEADER_EXTRA_LEN,
	VACCEL_HEADER_EXTRA,
	VACCEL_HEADER_NAME,
	VACCEL_HEADER_COMMENT,
	VACCEL_HEADER_CRC,
	VACCEL_HEADER_END,
};

/**
 * struct vaccel_header - how far a header has been read
 * @gzip: it is one of gzip, not of zlib
 * @part: which part the next byte belongs to
 * @pos: bytes of this part that were read
 * @first: zlib: first byte; gzip: the flags
 * @extra_len: gzip: length of the extra field
 */
struct vaccel_header {
	bool gzip;
	enum vaccel_header_part part;
	unsigned int pos;
	uint8_t first;
	uint16_t extra_len;
};

void vaccel_header_init(struct vaccel_header *h, bool gzip);
int vaccel_header_byte(struct vaccel_header *h, uint8_t byte);

#endif /* HW_MISC_VACCEL_INFLATE_H */
