// SPDX-License-Identifier: GPL-2.0-only
/*
 * Simulated accelerator: COMPRESS. The kernel's zlib makes the deflate stream;
 * header and trailer of zlib and gzip are put around it here.
 */
#include <linux/crc32.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/unaligned.h>
#include <linux/zlib.h>
#include <linux/zutil.h>
#include "sim.h"

/*
 * zlib is given so much at a time, and between two slices the engine looks whether it
 * is to stop. At level 9 there is data on which zlib needs some 10 microseconds for
 * every byte, and stopping is a matter of milliseconds.
 */
#define SIM_DEFLATE_SLICE	256

/*
 * Room in the bounce buffer below which it is emptied first. If a flush ends with no
 * room left, zlib has to be called once more to learn that it was the end, and then
 * flushes again; which does no harm but is not worth having often.
 */
#define SIM_DEFLATE_ROOM	64

/**
 * struct sim_deflate - compression under way
 * @job: the job
 * @strm: zlib's state
 * @flush: what zlib is to do at the end of its input
 * @piece: bytes of the source in the bounce buffer
 * @pos: how many of them zlib was given
 * @read: bytes of the source that were read
 * @fill: bytes in the output bounce buffer
 * @written: bytes of the destination that were written
 * @crc: of the bytes read
 * @adler: of the bytes read
 */
struct sim_deflate {
	struct sim_job *job;
	struct z_stream_s strm;
	int flush;
	u32 piece;
	u32 pos;
	u32 read;
	u32 fill;
	u32 written;
	u32 crc;
	u32 adler;
};

static const u8 sim_zlib_header[] = { 0x78, 0x9c };
static const u8 sim_gzip_header[] = {
	0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff
};

/* Empty the output bounce buffer into the destination */
static int sim_deflate_drain(struct sim_deflate *d)
{
	struct sim_job *job = d->job;
	int ret;

	if (d->fill > job->dst_len - d->written)
		return sim_job_end(job, VACCEL_ST_DST_FULL);

	ret = sim_dma_write(job, d->written, job->q->bounce_out, d->fill);
	if (ret)
		return ret;

	d->written += d->fill;
	d->fill = 0;
	return 0;
}

static int sim_deflate_put(struct sim_deflate *d, const void *data, u32 len)
{
	int ret;

	if (SIM_BOUNCE_SIZE - d->fill < len) {
		ret = sim_deflate_drain(d);
		if (ret)
			return ret;
	}

	memcpy(d->job->q->bounce_out + d->fill, data, len);
	d->fill += len;
	return 0;
}

static int sim_deflate_header(struct sim_deflate *d)
{
	switch (d->job->flags & VACCEL_F_FRAMING) {
	case VACCEL_F_ZLIB:
		return sim_deflate_put(d, sim_zlib_header,
				       sizeof(sim_zlib_header));
	case VACCEL_F_GZIP:
		return sim_deflate_put(d, sim_gzip_header,
				       sizeof(sim_gzip_header));
	default:
		return 0;
	}
}

static int sim_deflate_trailer(struct sim_deflate *d)
{
	u8 buf[8];

	switch (d->job->flags & VACCEL_F_FRAMING) {
	case VACCEL_F_ZLIB:
		put_unaligned_be32(d->adler, buf);
		return sim_deflate_put(d, buf, 4);
	case VACCEL_F_GZIP:
		put_unaligned_le32(d->crc, buf);
		put_unaligned_le32(d->job->src_len, buf + 4);
		return sim_deflate_put(d, buf, 8);
	default:
		return 0;
	}
}

/* Read the next piece of the source when zlib has had the one before */
static int sim_deflate_fetch(struct sim_deflate *d)
{
	struct sim_job *job = d->job;
	void *buf = job->q->bounce;
	int ret;

	if (d->pos < d->piece || d->read == job->src_len)
		return 0;

	d->pos = 0;
	d->piece = min(job->src_len - d->read, SIM_BOUNCE_SIZE);
	ret = sim_dma_read(job, d->read, buf, d->piece);
	if (ret)
		return ret;

	d->read += d->piece;
	d->crc = ~crc32_le(~d->crc, buf, d->piece);
	d->adler = zlib_adler32(d->adler, buf, d->piece);
	return 0;
}

/* Give zlib its next slice, and with the last one say how to end */
static int sim_deflate_feed(struct sim_deflate *d)
{
	struct sim_job *job = d->job;
	u32 slice;
	int ret;

	if (d->strm.avail_in)
		return 0;

	ret = sim_deflate_fetch(d);
	if (ret)
		return ret;

	slice = min(d->piece - d->pos, SIM_DEFLATE_SLICE);
	d->strm.next_in = job->q->bounce + d->pos;
	d->strm.avail_in = slice;
	d->pos += slice;

	if (d->pos == d->piece && d->read == job->src_len)
		d->flush = job->flags & VACCEL_F_PARTIAL ? Z_SYNC_FLUSH :
							   Z_FINISH;
	return 0;
}

/* Return: 0 to go on, 1 if the stream is complete, or an error */
static int sim_deflate_slice(struct sim_deflate *d)
{
	int ret;

	d->strm.next_out = d->job->q->bounce_out + d->fill;
	d->strm.avail_out = SIM_BOUNCE_SIZE - d->fill;
	ret = zlib_deflate(&d->strm, d->flush);
	d->fill = SIM_BOUNCE_SIZE - d->strm.avail_out;

	if (ret == Z_STREAM_END)
		return 1;
	if (ret != Z_OK)
		return -EIO;
	return d->flush == Z_SYNC_FLUSH && d->strm.avail_out;
}

static int sim_deflate_body(struct sim_deflate *d)
{
	int ret;

	for (;;) {
		if (sim_queue_aborted(d->job->q))
			return -ECANCELED;
		cond_resched();

		ret = sim_deflate_feed(d);
		if (ret)
			return ret;

		if (SIM_BOUNCE_SIZE - d->fill < SIM_DEFLATE_ROOM) {
			ret = sim_deflate_drain(d);
			if (ret)
				return ret;
		}

		ret = sim_deflate_slice(d);
		if (ret < 0)
			return sim_job_end(d->job, VACCEL_ST_INTERNAL);
		if (ret)
			return 0;
	}
}

static int sim_deflate_init(struct sim_deflate *d)
{
	struct sim_job *job = d->job;
	struct sim_queue *q = job->q;
	int level = job->level ?: Z_DEFAULT_COMPRESSION;

	if (!q->deflate_ws)
		q->deflate_ws =
			kvmalloc(zlib_deflate_workspacesize(MAX_WBITS,
							    MAX_MEM_LEVEL),
				 GFP_KERNEL);
	if (!q->deflate_ws)
		return sim_job_end(job, VACCEL_ST_INTERNAL);

	d->strm.workspace = q->deflate_ws;
	/* Negative: no header and trailer */
	if (zlib_deflateInit2(&d->strm, level, Z_DEFLATED, -MAX_WBITS,
			      MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
		return sim_job_end(job, VACCEL_ST_INTERNAL);

	return 0;
}

/**
 * sim_deflate() - COMPRESS
 * @job: the job
 *
 * Return: SIM_JOB_DONE or -ECANCELED
 */
int sim_deflate(struct sim_job *job)
{
	struct sim_deflate d = {
		.job = job,
		.flush = Z_NO_FLUSH,
		.adler = 1,
	};
	int ret;

	ret = sim_deflate_init(&d);
	if (!ret)
		ret = sim_deflate_header(&d);
	if (!ret)
		ret = sim_deflate_body(&d);
	if (!ret)
		ret = sim_deflate_trailer(&d);
	if (!ret)
		ret = sim_deflate_drain(&d);
	if (ret)
		return ret;

	job->consumed = job->src_len;
	job->produced = d.written;
	job->result = d.crc;
	return sim_job_end(job, VACCEL_ST_OK);
}
