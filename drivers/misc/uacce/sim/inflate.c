// SPDX-License-Identifier: GPL-2.0-only
/*
 * Simulated accelerator: DECOMPRESS. The kernel's zlib reads the deflate stream;
 * header and trailer of zlib and gzip are read here, a byte at a time, as a
 * descriptor may end anywhere in them.
 */
#include <linux/crc32.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/unaligned.h>
#include <linux/zlib.h>
#include <linux/zutil.h>
#include "inflate.h"
#include "sim.h"

enum sim_inflate_stage {
	SIM_INFLATE_HEADER,
	SIM_INFLATE_BODY,
	SIM_INFLATE_TRAILER,
	SIM_INFLATE_END,
};

/**
 * struct sim_inflate - stream context of a queue
 * @active: the last DECOMPRESS ended with MORE, so there may be a CONTINUE
 * @framing: VACCEL_F_RAW, _ZLIB or _GZIP
 * @stage: where in the stream we are
 * @header: position in the header
 * @strm: zlib's state
 * @trailer: what there is of the trailer
 * @trailer_fill: bytes of it
 * @crc: CRC-32 of the output so far
 * @adler: Adler-32 of the output so far
 * @total: bytes of output so far, modulo 2^32 as in gzip's trailer
 * @workspace: zlib's memory
 */
struct sim_inflate {
	bool active;
	u8 framing;
	enum sim_inflate_stage stage;
	struct sim_inflate_header header;
	struct z_stream_s strm;
	u8 trailer[8];
	unsigned int trailer_fill;
	u32 crc;
	u32 adler;
	u32 total;
	u8 workspace[] __aligned(sizeof(u64));
};

/**
 * struct sim_inflate_in - piece of the source in the bounce buffer
 * @data: where it starts
 * @len: how much is left of it
 * @read: bytes of the source that were read
 */
struct sim_inflate_in {
	const u8 *data;
	u32 len;
	u32 read;
};

/**
 * sim_inflate_reset() - forget the stream
 * @ctx: the context
 */
void sim_inflate_reset(struct sim_inflate *ctx)
{
	ctx->active = false;
}

/**
 * sim_inflate_free() - free a stream context
 * @ctx: the context or NULL
 */
void sim_inflate_free(struct sim_inflate *ctx)
{
	kvfree(ctx);
}

/**
 * sim_inflate_flags_ok() - is there a stream to go on with, if the job wants that?
 * @job: the job
 *
 * Return: true if there is, or the job begins one
 */
bool sim_inflate_flags_ok(const struct sim_job *job)
{
	const struct sim_inflate *ctx = job->q->inflate;

	if (!(job->flags & VACCEL_F_CONTINUE))
		return true;

	return ctx && ctx->active &&
	       ctx->framing == (job->flags & VACCEL_F_FRAMING);
}

/**
 * sim_inflate_finish() - keep the stream for the next job, or do not
 * @job: DECOMPRESS that has ended, possibly before it began
 */
void sim_inflate_finish(const struct sim_job *job)
{
	struct sim_inflate *ctx = job->q->inflate;

	if (ctx)
		ctx->active = job->status == VACCEL_ST_MORE;
}

static int sim_inflate_begin(struct sim_job *job)
{
	struct sim_queue *q = job->q;
	struct sim_inflate *ctx = q->inflate;

	if (job->flags & VACCEL_F_CONTINUE)
		return 0;

	/* Zeroed, so that no stream can show what was in the memory before */
	if (!ctx)
		ctx = kvzalloc(struct_size(ctx, workspace,
					   zlib_inflate_workspacesize()),
			       GFP_KERNEL);
	if (!ctx)
		return sim_job_end(job, VACCEL_ST_INTERNAL);
	q->inflate = ctx;

	ctx->framing = job->flags & VACCEL_F_FRAMING;
	ctx->stage = ctx->framing == VACCEL_F_RAW ? SIM_INFLATE_BODY :
						    SIM_INFLATE_HEADER;
	sim_inflate_header_init(&ctx->header, ctx->framing == VACCEL_F_GZIP);
	ctx->trailer_fill = 0;
	ctx->crc = 0;
	ctx->adler = 1;
	ctx->total = 0;

	ctx->strm = (struct z_stream_s) { .workspace = ctx->workspace };
	/* Negative: no header and trailer */
	if (zlib_inflateInit2(&ctx->strm, -MAX_WBITS) != Z_OK)
		return sim_job_end(job, VACCEL_ST_INTERNAL);

	return 0;
}

/*
 * Is the destination full, with the stream still going on? What zlib is waiting for
 * then can be room as well as input, which only more input could tell.
 */
static bool sim_inflate_full(const struct sim_job *job)
{
	return job->q->inflate->stage == SIM_INFLATE_BODY &&
	       job->produced == job->dst_len;
}

/*
 * Read more of the source; what was read before is used up.
 *
 * A piece never goes beyond the end of a page: so a page that cannot be read is an
 * error only if the stream goes on in it.
 *
 * Return: 0, SIM_JOB_DONE if there is no more or it cannot be read, -ECANCELED
 */
static int sim_inflate_fetch(struct sim_job *job, struct sim_inflate_in *in)
{
	u64 addr = job->src + in->read;
	size_t len;
	int ret;

	if (in->read == job->src_len)
		return sim_job_end(job, VACCEL_ST_MORE);

	len = min(job->src_len - in->read, PAGE_SIZE - offset_in_page(addr));
	len = min(len, SIM_BOUNCE_SIZE);
	ret = sim_dma_read(job, in->read, job->q->bounce, len);
	if (ret == SIM_JOB_DONE && job->status == VACCEL_ST_FAULT_READ &&
	    sim_inflate_full(job))
		return sim_job_end(job, VACCEL_ST_MORE);
	if (ret)
		return ret;

	in->data = job->q->bounce;
	in->len = len;
	in->read += len;
	return 0;
}

static int sim_inflate_header(struct sim_job *job, struct sim_inflate_in *in)
{
	struct sim_inflate *ctx = job->q->inflate;
	int ret;

	while (in->len) {
		ret = sim_inflate_header_byte(&ctx->header, *in->data);
		if (ret < 0)
			return sim_job_end(job, VACCEL_ST_BAD_DATA);
		in->data++;
		in->len--;
		if (ret) {
			ctx->stage = SIM_INFLATE_BODY;
			return 0;
		}
	}
	return -EAGAIN;
}

/* Take what zlib has made to the destination */
static int sim_inflate_output(struct sim_job *job, u32 len)
{
	struct sim_inflate *ctx = job->q->inflate;
	void *buf = job->q->bounce_out;
	int ret;

	ret = sim_dma_write(job, job->produced, buf, len);
	if (ret)
		return ret;

	job->produced += len;
	ctx->crc = ~crc32_le(~ctx->crc, buf, len);
	ctx->adler = zlib_adler32(ctx->adler, buf, len);
	ctx->total += len;
	return 0;
}

/*
 * One call of zlib. Also if there is no room for output: it then goes on until it has
 * some, and the end of the stream needs none. Also if there is no input: what it
 * had may be enough for more output, and for the end.
 */
static int sim_inflate_body(struct sim_job *job, struct sim_inflate_in *in)
{
	u32 room = min(job->dst_len - job->produced, SIM_BOUNCE_SIZE);
	struct sim_inflate *ctx = job->q->inflate;
	struct z_stream_s *strm = &ctx->strm;
	u32 used, made;
	int zret, ret;

	strm->next_in = in->data;
	strm->avail_in = in->len;
	strm->next_out = job->q->bounce_out;
	strm->avail_out = room;
	zret = zlib_inflate(strm, Z_SYNC_FLUSH);
	used = in->len - strm->avail_in;
	made = room - strm->avail_out;

	in->data += used;
	in->len -= used;
	ret = sim_inflate_output(job, made);
	if (ret)
		return ret;

	switch (zret) {
	case Z_STREAM_END:
		ctx->stage = ctx->framing == VACCEL_F_RAW ?
			     SIM_INFLATE_END : SIM_INFLATE_TRAILER;
		return 0;
	case Z_OK:
	case Z_BUF_ERROR:
		if (used || made)
			return 0;
		/* If there is input, it is room that is missing */
		return in->len ? sim_job_end(job, VACCEL_ST_MORE) : -EAGAIN;
	default:
		return sim_job_end(job, VACCEL_ST_BAD_DATA);
	}
}

static bool sim_inflate_trailer_ok(const struct sim_inflate *ctx)
{
	if (ctx->framing == VACCEL_F_ZLIB)
		return get_unaligned_be32(ctx->trailer) == ctx->adler;

	return get_unaligned_le32(ctx->trailer) == ctx->crc &&
	       get_unaligned_le32(ctx->trailer + 4) == ctx->total;
}

static int sim_inflate_trailer(struct sim_job *job, struct sim_inflate_in *in)
{
	struct sim_inflate *ctx = job->q->inflate;
	unsigned int size = ctx->framing == VACCEL_F_ZLIB ? 4 : 8;

	for (; in->len && ctx->trailer_fill < size; in->len--)
		ctx->trailer[ctx->trailer_fill++] = *in->data++;

	if (ctx->trailer_fill < size)
		return -EAGAIN;
	if (!sim_inflate_trailer_ok(ctx))
		return sim_job_end(job, VACCEL_ST_BAD_DATA);

	ctx->stage = SIM_INFLATE_END;
	return 0;
}

/*
 * Return: 0 after some progress, -EAGAIN if more input is needed, SIM_JOB_DONE or
 * -ECANCELED
 */
static int sim_inflate_stage(struct sim_job *job, struct sim_inflate_in *in)
{
	switch (job->q->inflate->stage) {
	case SIM_INFLATE_HEADER:
		return sim_inflate_header(job, in);
	case SIM_INFLATE_BODY:
		return sim_inflate_body(job, in);
	case SIM_INFLATE_TRAILER:
		return sim_inflate_trailer(job, in);
	default:
		return sim_job_end(job, VACCEL_ST_OK);
	}
}

/**
 * sim_inflate() - DECOMPRESS
 * @job: the job
 *
 * Return: SIM_JOB_DONE or -ECANCELED
 */
int sim_inflate(struct sim_job *job)
{
	struct sim_inflate_in in = {};
	int ret;

	ret = sim_inflate_begin(job);
	while (!ret) {
		if (sim_queue_aborted(job->q))
			return -ECANCELED;
		cond_resched();

		ret = sim_inflate_stage(job, &in);
		if (ret == -EAGAIN)
			ret = sim_inflate_fetch(job, &in);
	}

	if (job->status == VACCEL_ST_OK || job->status == VACCEL_ST_MORE) {
		job->consumed = in.read - in.len;
		job->result = job->q->inflate->crc;
	}
	return ret;
}
