// SPDX-License-Identifier: GPL-2.0-only
/*
 * vaccel: COMPRESS. zlib makes the deflate stream; header and trailer of zlib and
 * gzip are put around it here, as zlib would choose other contents for the header.
 */
#include "vaccel.h"
#include <zlib.h>

/*
 * zlib is given so much at a time, and between two slices the worker looks whether
 * it is to stop: there is data on which level 9 is slow.
 */
#define VACCEL_DEFLATE_SLICE	1024

/*
 * zlib's own default. COMPRESS promises how much it needs at most, and that holds for this
 * one only: with 9 a block can be longer than what zlib still has of the source, and then
 * it cannot be stored where it does not get smaller.
 */
#define VACCEL_DEFLATE_MEM_LEVEL	8

/*
 * Room in the output buffer below which it is emptied first. A flush that ends
 * with no room left would have to be asked for once more to learn that it was over.
 */
#define VACCEL_DEFLATE_ROOM	64

/**
 * struct vaccel_deflate - compression under way
 * @job: the descriptor
 * @strm: zlib's state
 * @flush: what zlib is to do at the end of its input
 * @piece: bytes of the source in q->in
 * @pos: how many of them zlib was given
 * @read: bytes of the source that were read
 * @fill: bytes in q->out
 * @written: bytes of the destination that were written
 * @crc: of the bytes read
 * @adler: of the bytes read
 */
struct vaccel_deflate {
	struct vaccel_job *job;
	z_stream strm;
	int flush;
	uint32_t piece;
	uint32_t pos;
	uint32_t read;
	uint32_t fill;
	uint32_t written;
	uint32_t crc;
	uint32_t adler;
};

static const uint8_t vaccel_zlib_header[] = { 0x78, 0x9c };
static const uint8_t vaccel_gzip_header[] = {
	0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff
};

/* Empty the output buffer into the destination */
static int vaccel_deflate_drain(struct vaccel_deflate *z)
{
	struct vaccel_job *job = z->job;
	int ret;

	if (z->fill > job->dst_len - z->written)
		return vaccel_job_end(job, VACCEL_ST_DST_FULL);
	ret = vaccel_job_write(job, z->written, job->q->out, z->fill, z->fill);
	if (ret)
		return ret;
	z->written += z->fill;
	z->fill = 0;
	return 0;
}

static int vaccel_deflate_put(struct vaccel_deflate *z, const void *data,
			      uint32_t len)
{
	int ret;

	if (VACCEL_CHUNK - z->fill < len) {
		ret = vaccel_deflate_drain(z);
		if (ret)
			return ret;
	}
	memcpy(z->job->q->out + z->fill, data, len);
	z->fill += len;
	return 0;
}

static int vaccel_deflate_header(struct vaccel_deflate *z)
{
	switch (z->job->flags & VACCEL_F_FRAMING) {
	case VACCEL_F_ZLIB:
		return vaccel_deflate_put(z, vaccel_zlib_header,
					  sizeof(vaccel_zlib_header));
	case VACCEL_F_GZIP:
		return vaccel_deflate_put(z, vaccel_gzip_header,
					  sizeof(vaccel_gzip_header));
	default:
		return 0;
	}
}

static int vaccel_deflate_trailer(struct vaccel_deflate *z)
{
	uint8_t buf[8];

	switch (z->job->flags & VACCEL_F_FRAMING) {
	case VACCEL_F_ZLIB:
		stl_be_p(buf, z->adler);
		return vaccel_deflate_put(z, buf, 4);
	case VACCEL_F_GZIP:
		stl_le_p(buf, z->crc);
		stl_le_p(buf + 4, z->job->src_len);
		return vaccel_deflate_put(z, buf, 8);
	default:
		return 0;
	}
}

/* Read the next piece of the source when zlib has had the one before */
static int vaccel_deflate_fetch(struct vaccel_deflate *z)
{
	struct vaccel_job *job = z->job;
	uint32_t left = job->src_len - z->read;
	uint8_t *buf = job->q->in;
	int ret;

	if (z->pos < z->piece || !left)
		return 0;
	z->pos = 0;
	z->piece = MIN(left, VACCEL_CHUNK);
	ret = vaccel_job_read(job, z->read, buf, z->piece, left);
	if (ret)
		return ret;
	z->read += z->piece;
	z->crc = crc32(z->crc, buf, z->piece);
	z->adler = adler32(z->adler, buf, z->piece);
	return 0;
}

/* Give zlib its next slice, and with the last one say how to end */
static int vaccel_deflate_feed(struct vaccel_deflate *z)
{
	struct vaccel_job *job = z->job;
	uint32_t slice;
	int ret;

	if (z->strm.avail_in)
		return 0;
	ret = vaccel_deflate_fetch(z);
	if (ret)
		return ret;
	slice = MIN(z->piece - z->pos, VACCEL_DEFLATE_SLICE);
	z->strm.next_in = job->q->in + z->pos;
	z->strm.avail_in = slice;
	z->pos += slice;
	if (z->pos == z->piece && z->read == job->src_len)
		z->flush = job->flags & VACCEL_F_PARTIAL ? Z_SYNC_FLUSH :
							   Z_FINISH;
	return 0;
}

/* Return: 0 to go on, 1 if the stream is complete, or a negative errno */
static int vaccel_deflate_slice(struct vaccel_deflate *z)
{
	int ret;

	z->strm.next_out = z->job->q->out + z->fill;
	z->strm.avail_out = VACCEL_CHUNK - z->fill;
	ret = deflate(&z->strm, z->flush);
	z->fill = VACCEL_CHUNK - z->strm.avail_out;

	if (ret == Z_STREAM_END)
		return 1;
	if (ret != Z_OK)
		return -EIO;
	return z->flush == Z_SYNC_FLUSH && z->strm.avail_out;
}

static int vaccel_deflate_body(struct vaccel_deflate *z)
{
	int ret;

	for (;;) {
		if (vaccel_aborted(z->job->q))
			return -ECANCELED;
		ret = vaccel_deflate_feed(z);
		if (ret)
			return ret;
		if (VACCEL_CHUNK - z->fill < VACCEL_DEFLATE_ROOM) {
			ret = vaccel_deflate_drain(z);
			if (ret)
				return ret;
		}
		ret = vaccel_deflate_slice(z);
		if (ret < 0)
			return vaccel_job_end(z->job, VACCEL_ST_INTERNAL);
		if (ret)
			return 0;
	}
}

/**
 * vaccel_deflate() - COMPRESS
 * @job: the descriptor
 *
 * Return: VACCEL_DONE or -ECANCELED
 */
int vaccel_deflate(struct vaccel_job *job)
{
	struct vaccel_deflate z = {
		.job = job,
		.flush = Z_NO_FLUSH,
		.adler = 1,
	};
	int level = job->level ? (int)job->level : Z_DEFAULT_COMPRESSION;
	int ret;

	/* Negative: no header and trailer */
	if (deflateInit2(&z.strm, level, Z_DEFLATED, -MAX_WBITS,
			 VACCEL_DEFLATE_MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
		return vaccel_job_end(job, VACCEL_ST_INTERNAL);

	ret = vaccel_deflate_header(&z);
	if (!ret)
		ret = vaccel_deflate_body(&z);
	deflateEnd(&z.strm);
	if (!ret)
		ret = vaccel_deflate_trailer(&z);
	if (!ret)
		ret = vaccel_deflate_drain(&z);
	if (ret)
		return ret;

	job->consumed = job->src_len;
	job->produced = z.written;
	job->result = z.crc;
	return vaccel_job_end(job, VACCEL_ST_OK);
}
