/* SPDX-License-Identifier: GPL-2.0-only */
/* Headers of zlib and gzip streams, read a byte at a time */
#ifndef _UACCE_SIM_INFLATE_H
#define _UACCE_SIM_INFLATE_H

#include <linux/types.h>

enum sim_header_part {
	SIM_HEADER_FIXED,
	SIM_HEADER_EXTRA_LEN,
	SIM_HEADER_EXTRA,
	SIM_HEADER_NAME,
	SIM_HEADER_COMMENT,
	SIM_HEADER_CRC,
	SIM_HEADER_END,
};

/**
 * struct sim_inflate_header - how far a header has been read
 * @gzip: it is one of gzip, not of zlib
 * @part: which part the next byte belongs to
 * @pos: bytes of this part that were read
 * @first: zlib: first byte; gzip: the flags
 * @extra_len: gzip: length of the extra field
 */
struct sim_inflate_header {
	bool gzip;
	enum sim_header_part part;
	unsigned int pos;
	u8 first;
	u16 extra_len;
};

void sim_inflate_header_init(struct sim_inflate_header *h, bool gzip);
int sim_inflate_header_byte(struct sim_inflate_header *h, u8 byte);

#endif /* _UACCE_SIM_INFLATE_H */
