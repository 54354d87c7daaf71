// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decompress: gzip members, one after the other, through bounded windows.
 *
 * A stream can only be expanded from front to back, so one queue has one
 * descriptor at a time; while the accelerator works on it we write what the one
 * before it produced. Header, CRC and length are checked by the accelerator.
 */
#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gzip.h"

#define WINDOW_OUT	(1024 * 1024)

/**
 * struct expand - a file being expanded
 * @accel: who does it
 * @in: compressed
 * @out: expanded
 * @buf: two windows, the accelerator's and the one that is written
 * @turn: which is the accelerator's
 * @ready: bytes in the other one
 */
struct expand {
	struct gz_accel *accel;
	struct gz_input *in;
	struct gz_output *out;
	char *buf[2];
	int turn;
	size_t ready;
};

static int flush(struct expand *x)
{
	size_t len = x->ready;

	x->ready = 0;
	return gz_output_write(x->out, x->buf[!x->turn], len);
}

static int check(const struct expand *x, const struct vaccel_cqe *cqe,
		 size_t len)
{
	unsigned int status = le32toh(cqe->status);
	const char *name = x->in->name;

	if (gz_input_shrank(x->in) ||
	    (status == VACCEL_ST_FAULT_READ &&
	     gz_input_maps(x->in, le64toh(cqe->result)))) {
		gz_error(name, "cannot be read, or became shorter, while it was expanded");
		return -1;
	}
	if (status == VACCEL_ST_BAD_DATA) {
		gz_error(name, "invalid compressed data");
		return -1;
	}
	if (status != VACCEL_ST_OK && status != VACCEL_ST_MORE) {
		gz_accel_explain(x->accel, cqe, name);
		return -1;
	}
	if (le32toh(cqe->consumed) > len ||
	    le32toh(cqe->produced) > WINDOW_OUT) {
		gz_error(name, "the accelerator's answer makes no sense");
		return -1;
	}
	if (status == VACCEL_ST_MORE && !cqe->consumed && !cqe->produced) {
		gz_error(name, len ? "the accelerator makes no progress" :
				     "unexpected end of file");
		return -1;
	}
	return 0;
}

/* One window; 1 if the member goes on, 0 if that was its end */
static int step(struct expand *x, unsigned int flags)
{
	struct vaccel_desc d = { .opcode = VACCEL_OP_DECOMPRESS };
	struct vaccel_cqe cqe;
	const void *data;
	size_t len;

	if (gz_input_window(x->in, 1, &data, &len))
		return -1;
	d.flags = VACCEL_F_GZIP | flags;
	d.src = htole64((uintptr_t)data);
	d.src_len = htole32(len);
	d.dst = htole64((uintptr_t)x->buf[x->turn]);
	d.dst_len = htole32(WINDOW_OUT);

	if (gz_accel_submit(x->accel, 0, &d, x->in->name) || flush(x) ||
	    gz_accel_wait(x->accel, 0, &cqe, x->in->name))
		return -1;
	if (check(x, &cqe, len))
		return -1;

	x->ready = le32toh(cqe.produced);
	x->turn = !x->turn;
	gz_input_skip(x->in, le32toh(cqe.consumed));
	gz_progress(x->in, x->out);
	return le32toh(cqe.status) == VACCEL_ST_MORE;
}

static int expand_member(struct expand *x)
{
	unsigned int flags = 0;
	int ret;

	do {
		ret = step(x, flags);
		flags = VACCEL_F_CONTINUE;
	} while (ret > 0);
	return ret;
}

/* Tapes and the like fill up with zeros; anything else deserves a word */
static int trailing_garbage(struct expand *x)
{
	char buf[4096];
	size_t len, i;

	for (;;) {
		if (gz_input_peek(x->in, buf, sizeof(buf), &len))
			return -1;
		if (!len)
			return 0;
		for (i = 0; i < len; i++) {
			if (buf[i]) {
				gz_warn(x->in->name, "decompression OK, trailing garbage ignored");
				return 0;
			}
		}
		gz_input_skip(x->in, len);
	}
}

static int expand_members(struct expand *x)
{
	unsigned char magic[2];
	bool first = true;
	size_t len;

	for (;; first = false) {
		if (gz_input_peek(x->in, magic, sizeof(magic), &len))
			return -1;
		if (len < 2 || magic[0] != 0x1f || magic[1] != 0x8b)
			break;
		if (expand_member(x))
			return -1;
	}
	if (!first)
		return flush(x) ? -1 : trailing_garbage(x);
	gz_error(x->in->name, len ? "not in gzip format" :
				    "unexpected end of file");
	return -1;
}

int gz_expand(struct gz_accel *a, struct gz_input *in, struct gz_output *out)
{
	struct expand x = {
		.accel = a,
		.in = in,
		.out = out,
	};
	int ret = -1;

	x.buf[0] = malloc(WINDOW_OUT);
	x.buf[1] = malloc(WINDOW_OUT);
	if (x.buf[0] && x.buf[1])
		ret = expand_members(&x);
	else
		gz_error(in->name, "%s", strerror(ENOMEM));
	/* before the buffers go: the accelerator may still write to them */
	if (ret)
		gz_accel_abort(a);
	free(x.buf[0]);
	free(x.buf[1]);
	return ret;
}
