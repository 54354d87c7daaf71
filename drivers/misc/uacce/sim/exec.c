// SPDX-License-Identifier: GPL-2.0-only
/*
 * Simulated accelerator: executing descriptors. What a descriptor may hold is
 * checked here; NOP, COPY, FILL and CRC32 are done here as well.
 */
#include <linux/crc32.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "sim.h"

/**
 * struct sim_op - what an operation takes, and who does it
 * @run: does it
 * @flags: flags that it knows
 * @max_level: highest level
 * @max_param: highest param
 * @src: has a source
 * @dst: has a destination
 */
struct sim_op {
	int (*run)(struct sim_job *job);
	u8 flags;
	u32 max_level;
	u64 max_param;
	bool src;
	bool dst;
};

static int sim_run_nop(struct sim_job *job)
{
	return sim_job_end(job, VACCEL_ST_OK);
}

static int sim_run_copy(struct sim_job *job)
{
	struct sim_queue *q = job->q;
	u32 done = 0, len;
	int ret;

	while (done < job->src_len) {
		len = min(job->src_len - done, SIM_BOUNCE_SIZE);

		ret = sim_dma_read(job, done, q->bounce, len);
		if (!ret)
			ret = sim_dma_write(job, done, q->bounce, len);
		if (ret)
			return ret;
		done += len;
	}

	job->consumed = done;
	job->produced = done;
	return sim_job_end(job, VACCEL_ST_OK);
}

static int sim_run_fill(struct sim_job *job)
{
	__le64 pattern = cpu_to_le64(job->param);
	struct sim_queue *q = job->q;
	u32 done = 0, len;
	int ret;

	/* Pieces are a multiple of the pattern, so each starts where it starts */
	len = min(job->dst_len, SIM_BOUNCE_SIZE);
	memset64(q->bounce, (__force u64)pattern, DIV_ROUND_UP(len, 8));

	while (done < job->dst_len) {
		len = min(job->dst_len - done, SIM_BOUNCE_SIZE);

		ret = sim_dma_write(job, done, q->bounce, len);
		if (ret)
			return ret;
		done += len;
	}

	job->produced = done;
	return sim_job_end(job, VACCEL_ST_OK);
}

static int sim_run_crc32(struct sim_job *job)
{
	struct sim_queue *q = job->q;
	u32 crc = ~(u32)job->param;
	u32 done = 0, len;
	int ret;

	while (done < job->src_len) {
		len = min(job->src_len - done, SIM_BOUNCE_SIZE);

		ret = sim_dma_read(job, done, q->bounce, len);
		if (ret)
			return ret;
		crc = crc32_le(crc, q->bounce, len);
		done += len;
	}

	job->consumed = done;
	job->result = ~crc;
	return sim_job_end(job, VACCEL_ST_OK);
}

static const struct sim_op sim_ops[] = {
	[VACCEL_OP_NOP] = {
		.run = sim_run_nop,
	},
	[VACCEL_OP_COPY] = {
		.run = sim_run_copy,
		.src = true,
		.dst = true,
	},
	[VACCEL_OP_FILL] = {
		.run = sim_run_fill,
		.max_param = U64_MAX,
		.dst = true,
	},
	[VACCEL_OP_CRC32] = {
		.run = sim_run_crc32,
		.max_param = U32_MAX,
		.src = true,
	},
	[VACCEL_OP_COMPRESS] = {
		.run = sim_deflate,
		.flags = VACCEL_F_FRAMING | VACCEL_F_PARTIAL,
		.max_level = 9,
		.src = true,
		.dst = true,
	},
	[VACCEL_OP_DECOMPRESS] = {
		.run = sim_inflate,
		.flags = VACCEL_F_FRAMING | VACCEL_F_CONTINUE,
		.src = true,
		.dst = true,
	},
};

static bool sim_flags_ok(const struct sim_job *job, const struct sim_op *op)
{
	u8 framing = job->flags & VACCEL_F_FRAMING;

	if (job->flags & ~op->flags)
		return false;
	if (framing == VACCEL_F_FRAMING)
		return false;
	if ((job->flags & VACCEL_F_PARTIAL) && framing != VACCEL_F_RAW)
		return false;

	return true;
}

static bool sim_fields_ok(const struct sim_job *job, const struct sim_op *op,
			  const struct vaccel_desc *desc)
{
	if (desc->reserved0 || desc->reserved1[0] || desc->reserved1[1])
		return false;
	if (!sim_flags_ok(job, op))
		return false;
	if (job->level > op->max_level || job->param > op->max_param)
		return false;
	if (!op->src && (job->src || job->src_len))
		return false;
	if (!op->dst && (job->dst || job->dst_len))
		return false;
	if (job->opcode == VACCEL_OP_DECOMPRESS && !sim_inflate_flags_ok(job))
		return false;

	return true;
}

static bool sim_buffer_ok(const struct sim_job *job, u64 addr, u32 len)
{
	u64 last;

	if (!len)
		return true;
	if (len > VACCEL_MAX_LEN || check_add_overflow(addr, len - 1, &last))
		return false;

	return job->q->sva || (addr >= VACCEL_DATA_OFFSET &&
			       last < VACCEL_DUS_SIZE);
}

static bool sim_lengths_ok(const struct sim_job *job)
{
	if (job->opcode == VACCEL_OP_COPY && job->dst_len < job->src_len)
		return false;

	return sim_buffer_ok(job, job->src, job->src_len) &&
	       sim_buffer_ok(job, job->dst, job->dst_len);
}

/* The queue's own memory for pieces of work; kept until the queue is put */
static bool sim_queue_alloc_buffers(struct sim_queue *q)
{
	if (!q->bounce)
		q->bounce = kvmalloc(SIM_BOUNCE_SIZE, GFP_KERNEL);
	if (!q->bounce_out)
		q->bounce_out = kvmalloc(SIM_BOUNCE_SIZE, GFP_KERNEL);

	return q->bounce && q->bounce_out;
}

/**
 * sim_queue_free_buffers() - free what the operations have allocated
 * @q: the queue, about to be freed
 */
void sim_queue_free_buffers(struct sim_queue *q)
{
	sim_inflate_free(q->inflate);
	kvfree(q->deflate_ws);
	kvfree(q->bounce_out);
	kvfree(q->bounce);
}

static int sim_job_execute(struct sim_job *job, const struct vaccel_desc *desc)
{
	const struct sim_op *op;

	if (job->opcode >= ARRAY_SIZE(sim_ops))
		return sim_job_end(job, VACCEL_ST_BAD_OPCODE);

	op = &sim_ops[job->opcode];
	if (!sim_fields_ok(job, op, desc))
		return sim_job_end(job, VACCEL_ST_BAD_FIELD);
	if (!sim_lengths_ok(job))
		return sim_job_end(job, VACCEL_ST_BAD_LEN);
	if ((op->src || op->dst) && !sim_queue_alloc_buffers(job->q))
		return sim_job_end(job, VACCEL_ST_INTERNAL);

	return op->run(job);
}

/* How far an operation came is reported only where that is exact */
static void sim_job_clean(struct sim_job *job)
{
	switch (job->status) {
	case VACCEL_ST_OK:
	case VACCEL_ST_MORE:
		return;
	case VACCEL_ST_FAULT_READ:
	case VACCEL_ST_FAULT_WRITE:
		break;
	default:
		job->result = 0;
	}
	job->produced = 0;
	job->consumed = 0;
}

/**
 * sim_job_run() - execute a descriptor
 * @q: the queue
 * @desc: private copy of the descriptor
 * @cqe: for the completion; sq_head is left to the caller
 *
 * Return: 0, or -ECANCELED if the queue is being stopped and there is no completion
 */
int sim_job_run(struct sim_queue *q, const struct vaccel_desc *desc,
		struct vaccel_cqe *cqe)
{
	struct sim_job job = {
		.q = q,
		.opcode = desc->opcode,
		.flags = desc->flags,
		.level = le32_to_cpu(desc->level),
		.src = le64_to_cpu(desc->src),
		.dst = le64_to_cpu(desc->dst),
		.src_len = le32_to_cpu(desc->src_len),
		.dst_len = le32_to_cpu(desc->dst_len),
		.param = le64_to_cpu(desc->param),
	};
	int ret;

	ret = sim_job_execute(&job, desc);
	if (job.opcode == VACCEL_OP_DECOMPRESS)
		sim_inflate_finish(&job);
	if (ret < 0)
		return ret;

	sim_job_clean(&job);
	*cqe = (struct vaccel_cqe) {
		.user_data = desc->user_data,
		.status = cpu_to_le32(job.status),
		.produced = cpu_to_le32(job.produced),
		.consumed = cpu_to_le32(job.consumed),
		.result = cpu_to_le64(job.result),
	};
	return 0;
}
