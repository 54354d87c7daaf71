// SPDX-License-Identifier: GPL-2.0-only
/*
 * vaccel: DECOMPRESS. zlib reads the deflate stream; header and trailer of zlib and
 * gzip are read here, a byte at a time, as a descriptor may end anywhere in them.
 */
#include "vaccel.h"
#include "vaccel-inflate.h"
#include <zlib.h>

enum vaccel_stage {
	VACCEL_STAGE_HEADER,
	VACCEL_STAGE_BODY,
	VACCEL_STAGE_TRAILER,
	VACCEL_STAGE_END,
};

/**
 * struct vaccel_inflate - stream context of a queue
 * @active: the last DECOMPRESS ended with MORE, so there may be a CONTINUE
 * @framing: VACCEL_F_RAW, _ZLIB or _GZIP
 * @stage: where in the stream we are
 * @header: position in the header
 * @ready: zlib's state is there
 * @strm: zlib's state
 * @trailer: what there is of the trailer
 * @trailer_fill: bytes of it
 * @crc: CRC-32 of the output so far
 * @adler: Adler-32 of the output so far
 * @total: bytes of output so far, modulo 2^32 as in gzip's trailer
 */
struct vaccel_inflate {
	bool active;
	uint8_t framing;
	enum vaccel_stage stage;
	struct vaccel_header header;
	bool ready;
	z_stream strm;
	uint8_t trailer[8];
	unsigned int trailer_fill;
	uint32_t crc;
	uint32_t adler;
	uint32_t total;
};

/**
 * struct vaccel_piece - piece of the source in q->in
 * @data: where it starts
 * @len: how much is left of it
 * @read: bytes of the source that were read
 */
struct vaccel_piece {
	const uint8_t *data;
	uint32_t len;
	uint32_t read;
};

/**
 * vaccel_inflate_reset() - forget the stream
 * @q: the queue
 */
void vaccel_inflate_reset(struct vaccel_queue *q)
{
	if (q->inflate)
		q->inflate->active = false;
}

/**
 * vaccel_inflate_free() - free the stream context
 * @q: the queue
 */
void vaccel_inflate_free(struct vaccel_queue *q)
{
	if (q->inflate && q->inflate->ready)
		inflateEnd(&q->inflate->strm);
	g_free(q->inflate);
	q->inflate = NULL;
}

/**
 * vaccel_inflate_flags_ok() - is there a stream to go on with, if that is wanted?
 * @job: the descriptor
 */
bool vaccel_inflate_flags_ok(const struct vaccel_job *job)
{
	const struct vaccel_inflate *ctx = job->q->inflate;

	if (!(job->flags & VACCEL_F_CONTINUE))
		return true;
	return ctx && ctx->active &&
	       ctx->framing == (job->flags & VACCEL_F_FRAMING);
}

/**
 * vaccel_inflate_finish() - keep the stream for the next descriptor, or do not
 * @job: DECOMPRESS that has ended, possibly before it began
 */
void vaccel_inflate_finish(const struct vaccel_job *job)
{
	if (job->q->inflate)
		job->q->inflate->active = job->status == VACCEL_ST_MORE;
}

static int vaccel_inflate_begin(struct vaccel_job *job)
{
	struct vaccel_queue *q = job->q;
	struct vaccel_inflate *ctx;
	int ret;

	if (job->flags & VACCEL_F_CONTINUE)
		return 0;
	if (!q->inflate)
		q->inflate = g_new0(struct vaccel_inflate, 1);
	ctx = q->inflate;

	ctx->framing = job->flags & VACCEL_F_FRAMING;
	ctx->stage = ctx->framing == VACCEL_F_RAW ? VACCEL_STAGE_BODY :
						    VACCEL_STAGE_HEADER;
	vaccel_header_init(&ctx->header, ctx->framing == VACCEL_F_GZIP);
	ctx->trailer_fill = 0;
	ctx->crc = 0;
	ctx->adler = 1;
	ctx->total = 0;

	/* Negative: no header and trailer */
	ret = ctx->ready ? inflateReset(&ctx->strm) :
			   inflateInit2(&ctx->strm, -MAX_WBITS);
	if (ret != Z_OK)
		return vaccel_job_end(job, VACCEL_ST_INTERNAL);
	ctx->ready = true;
	return 0;
}

/*
 * Is the destination full, with the stream still going on? What zlib is waiting
 * for then can be room as well as input, which only more input could tell.
 */
static bool vaccel_inflate_full(const struct vaccel_job *job)
{
	return job->q->inflate->stage == VACCEL_STAGE_BODY &&
	       job->produced == job->dst_len;
}

/*
 * Read more of the source; what was read before is used up. A piece never goes
 * beyond the end of a page: so a page that cannot be read is an error only if the
 * stream goes on in it.
 *
 * Return: 0, VACCEL_DONE if there is no more or it cannot be read, -ECANCELED
 */
static int vaccel_inflate_fetch(struct vaccel_job *job, struct vaccel_piece *in)
{
	uint64_t addr = job->src + in->read;
	uint32_t len;
	int ret;

	if (in->read == job->src_len)
		return vaccel_job_end(job, VACCEL_ST_MORE);

	len = MIN(job->src_len - in->read,
		  VACCEL_PAGE - (addr & ~VACCEL_PAGE_MASK));
	ret = vaccel_job_read(job, in->read, job->q->in, len, len);
	if (ret == VACCEL_DONE && job->status == VACCEL_ST_FAULT_READ &&
	    vaccel_inflate_full(job))
		return vaccel_job_end(job, VACCEL_ST_MORE);
	if (ret)
		return ret;

	in->data = job->q->in;
	in->len = len;
	in->read += len;
	return 0;
}

static int vaccel_inflate_header(struct vaccel_job *job,
				 struct vaccel_piece *in)
{
	struct vaccel_inflate *ctx = job->q->inflate;
	int ret;

	while (in->len) {
		ret = vaccel_header_byte(&ctx->header, *in->data);
		if (ret < 0)
			return vaccel_job_end(job, VACCEL_ST_BAD_DATA);
		in->data++;
		in->len--;
		if (ret) {
			ctx->stage = VACCEL_STAGE_BODY;
			return 0;
		}
	}
	return -EAGAIN;
}

/* Take what zlib has made to the destination */
static int vaccel_inflate_output(struct vaccel_job *job, uint32_t len)
{
	struct vaccel_inflate *ctx = job->q->inflate;
	uint8_t *buf = job->q->out;
	int ret;

	ret = vaccel_job_write(job, job->produced, buf, len, len);
	if (ret)
		return ret;
	job->produced += len;
	ctx->crc = crc32(ctx->crc, buf, len);
	ctx->adler = adler32(ctx->adler, buf, len);
	ctx->total += len;
	return 0;
}

/*
 * One call of zlib. Also if there is no room for output: it then goes on until it
 * has some, and the end of the stream needs none. Also if there is no input: what
 * it had may be enough for more output, and for the end.
 */
static int vaccel_inflate_body(struct vaccel_job *job, struct vaccel_piece *in)
{
	uint32_t room = MIN(job->dst_len - job->produced, VACCEL_CHUNK);
	struct vaccel_inflate *ctx = job->q->inflate;
	z_stream *strm = &ctx->strm;
	uint32_t used, made;
	int zret, ret;

	strm->next_in = (uint8_t *)in->data;
	strm->avail_in = in->len;
	strm->next_out = job->q->out;
	strm->avail_out = room;
	zret = inflate(strm, Z_SYNC_FLUSH);
	used = in->len - strm->avail_in;
	made = room - strm->avail_out;

	in->data += used;
	in->len -= used;
	ret = vaccel_inflate_output(job, made);
	if (ret)
		return ret;

	switch (zret) {
	case Z_STREAM_END:
		ctx->stage = ctx->framing == VACCEL_F_RAW ?
			     VACCEL_STAGE_END : VACCEL_STAGE_TRAILER;
		return 0;
	case Z_OK:
	case Z_BUF_ERROR:
		if (used || made)
			return 0;
		/* If there is input, it is room that is missing */
		return in->len ? vaccel_job_end(job, VACCEL_ST_MORE) : -EAGAIN;
	case Z_MEM_ERROR:
		return vaccel_job_end(job, VACCEL_ST_INTERNAL);
	default:
		return vaccel_job_end(job, VACCEL_ST_BAD_DATA);
	}
}

static bool vaccel_trailer_ok(const struct vaccel_inflate *ctx)
{
	if (ctx->framing == VACCEL_F_ZLIB)
		return ldl_be_p(ctx->trailer) == (int)ctx->adler;
	return ldl_le_p(ctx->trailer) == (int)ctx->crc &&
	       ldl_le_p(ctx->trailer + 4) == (int)ctx->total;
}

static int vaccel_inflate_trailer(struct vaccel_job *job,
				  struct vaccel_piece *in)
{
	struct vaccel_inflate *ctx = job->q->inflate;
	unsigned int size = ctx->framing == VACCEL_F_ZLIB ? 4 : 8;

	for (; in->len && ctx->trailer_fill < size; in->len--)
		ctx->trailer[ctx->trailer_fill++] = *in->data++;
	if (ctx->trailer_fill < size)
		return -EAGAIN;
	if (!vaccel_trailer_ok(ctx))
		return vaccel_job_end(job, VACCEL_ST_BAD_DATA);
	ctx->stage = VACCEL_STAGE_END;
	return 0;
}

/*
 * Return: 0 after some progress, -EAGAIN if more input is needed, VACCEL_DONE or
 * -ECANCELED
 */
static int vaccel_inflate_stage(struct vaccel_job *job, struct vaccel_piece *in)
{
	switch (job->q->inflate->stage) {
	case VACCEL_STAGE_HEADER:
		return vaccel_inflate_header(job, in);
	case VACCEL_STAGE_BODY:
		return vaccel_inflate_body(job, in);
	case VACCEL_STAGE_TRAILER:
		return vaccel_inflate_trailer(job, in);
	default:
		return vaccel_job_end(job, VACCEL_ST_OK);
	}
}

/**
 * vaccel_inflate() - DECOMPRESS
 * @job: the descriptor
 *
 * Return: VACCEL_DONE or -ECANCELED
 */
int vaccel_inflate(struct vaccel_job *job)
{
	/* Not NULL, which zlib takes for a mistake */
	struct vaccel_piece in = { .data = job->q->in };
	int ret;

	ret = vaccel_inflate_begin(job);
	while (!ret) {
		if (vaccel_aborted(job->q))
			return -ECANCELED;
		ret = vaccel_inflate_stage(job, &in);
		if (ret == -EAGAIN)
			ret = vaccel_inflate_fetch(job, &in);
	}
	if (job->status == VACCEL_ST_OK || job->status == VACCEL_ST_MORE) {
		job->consumed = in.read - in.len;
		job->result = job->q->inflate->crc;
	}
	return ret;
}
