// SPDX-License-Identifier: GPL-2.0-only
/*
 * vaccel: executing descriptors. What a descriptor may hold is checked here; NOP,
 * COPY, FILL and CRC32 are done here as well.
 */
#include "vaccel.h"
#include <zlib.h>

/**
 * struct vaccel_op - what an operation takes, and who does it
 * @run: does it
 * @flags: flags that it knows
 * @max_level: highest level
 * @max_param: highest param
 * @src: has a source
 * @dst: has a destination
 */
struct vaccel_op {
	int (*run)(struct vaccel_job *job);
	uint8_t flags;
	uint32_t max_level;
	uint64_t max_param;
	bool src;
	bool dst;
};

static int vaccel_nop(struct vaccel_job *job)
{
	return vaccel_job_end(job, VACCEL_ST_OK);
}

static int vaccel_copy(struct vaccel_job *job)
{
	struct vaccel_queue *q = job->q;
	uint32_t done, len, left;
	int ret;

	for (done = 0; done < job->src_len; done += len) {
		left = job->src_len - done;
		len = MIN(left, VACCEL_CHUNK);
		ret = vaccel_job_read(job, done, q->in, len, left);
		if (!ret)
			ret = vaccel_job_write(job, done, q->in, len, left);
		if (ret)
			return ret;
	}
	job->consumed = done;
	job->produced = done;
	return vaccel_job_end(job, VACCEL_ST_OK);
}

static int vaccel_fill(struct vaccel_job *job)
{
	struct vaccel_queue *q = job->q;
	uint32_t done, len, left;
	int ret;

	/* Pieces are a multiple of the pattern, so each starts where it starts */
	for (len = 0; len < VACCEL_CHUNK; len += sizeof(job->param))
		stq_le_p(q->out + len, job->param);

	for (done = 0; done < job->dst_len; done += len) {
		left = job->dst_len - done;
		len = MIN(left, VACCEL_CHUNK);
		ret = vaccel_job_write(job, done, q->out, len, left);
		if (ret)
			return ret;
	}
	job->produced = done;
	return vaccel_job_end(job, VACCEL_ST_OK);
}

static int vaccel_crc32(struct vaccel_job *job)
{
	struct vaccel_queue *q = job->q;
	uint32_t crc = job->param;
	uint32_t done, len, left;
	int ret;

	for (done = 0; done < job->src_len; done += len) {
		left = job->src_len - done;
		len = MIN(left, VACCEL_CHUNK);
		ret = vaccel_job_read(job, done, q->in, len, left);
		if (ret)
			return ret;
		crc = crc32(crc, q->in, len);
	}
	job->consumed = done;
	job->result = crc;
	return vaccel_job_end(job, VACCEL_ST_OK);
}

static const struct vaccel_op vaccel_ops[] = {
	[VACCEL_OP_NOP] = {
		.run = vaccel_nop,
	},
	[VACCEL_OP_COPY] = {
		.run = vaccel_copy,
		.src = true,
		.dst = true,
	},
	[VACCEL_OP_FILL] = {
		.run = vaccel_fill,
		.max_param = UINT64_MAX,
		.dst = true,
	},
	[VACCEL_OP_CRC32] = {
		.run = vaccel_crc32,
		.max_param = UINT32_MAX,
		.src = true,
	},
	[VACCEL_OP_COMPRESS] = {
		.run = vaccel_deflate,
		.flags = VACCEL_F_FRAMING | VACCEL_F_PARTIAL,
		.max_level = 9,
		.src = true,
		.dst = true,
	},
	[VACCEL_OP_DECOMPRESS] = {
		.run = vaccel_inflate,
		.flags = VACCEL_F_FRAMING | VACCEL_F_CONTINUE,
		.src = true,
		.dst = true,
	},
};

/* Of what VACCEL_PCI_OPCODES says */
G_STATIC_ASSERT((1ULL << ARRAY_SIZE(vaccel_ops)) - 1 == VACCEL_OPCODES);

static bool vaccel_flags_ok(const struct vaccel_job *job,
			    const struct vaccel_op *op)
{
	uint8_t framing = job->flags & VACCEL_F_FRAMING;

	if (job->flags & ~op->flags)
		return false;
	if (framing == VACCEL_F_FRAMING)
		return false;
	return !(job->flags & VACCEL_F_PARTIAL) || framing == VACCEL_F_RAW;
}

static bool vaccel_fields_ok(const struct vaccel_job *job,
			     const struct vaccel_op *op,
			     const struct vaccel_desc *desc)
{
	if (desc->reserved0 || desc->reserved1[0] || desc->reserved1[1])
		return false;
	if (!vaccel_flags_ok(job, op))
		return false;
	if (job->level > op->max_level || job->param > op->max_param)
		return false;
	if (!op->src && (job->src || job->src_len))
		return false;
	if (!op->dst && (job->dst || job->dst_len))
		return false;
	return job->opcode != VACCEL_OP_DECOMPRESS ||
	       vaccel_inflate_flags_ok(job);
}

static bool vaccel_buffer_ok(const struct vaccel_job *job, uint64_t addr,
			     uint32_t len)
{
	uint64_t last;

	if (!len)
		return true;
	if (len > VACCEL_MAX_LEN || uadd64_overflow(addr, len - 1, &last))
		return false;
	return (job->q->run_pasid & VACCEL_PCI_PASID_VALID) ||
	       (addr >= VACCEL_DATA_OFFSET && last < VACCEL_DUS_SIZE);
}

static bool vaccel_lengths_ok(const struct vaccel_job *job)
{
	if (job->opcode == VACCEL_OP_COPY && job->dst_len < job->src_len)
		return false;
	return vaccel_buffer_ok(job, job->src, job->src_len) &&
	       vaccel_buffer_ok(job, job->dst, job->dst_len);
}

static int vaccel_job_run(struct vaccel_job *job,
			  const struct vaccel_desc *desc)
{
	const struct vaccel_op *op;

	if (job->opcode >= ARRAY_SIZE(vaccel_ops))
		return vaccel_job_end(job, VACCEL_ST_BAD_OPCODE);
	op = &vaccel_ops[job->opcode];
	if (!vaccel_fields_ok(job, op, desc))
		return vaccel_job_end(job, VACCEL_ST_BAD_FIELD);
	if (!vaccel_lengths_ok(job))
		return vaccel_job_end(job, VACCEL_ST_BAD_LEN);
	vaccel_dma_begin(job->q);
	return op->run(job);
}

/* How far an operation came is told only where that is exact */
static void vaccel_job_clean(struct vaccel_job *job)
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
 * vaccel_execute() - execute a descriptor
 * @q: the queue
 * @desc: private copy of the descriptor
 * @cqe: for the completion; sq_head is left to the caller
 *
 * Return: 0, or -ECANCELED if the queue is stopped and there is no completion
 */
int vaccel_execute(struct vaccel_queue *q, const struct vaccel_desc *desc,
		   struct vaccel_cqe *cqe)
{
	struct vaccel_job job = {
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

	ret = vaccel_job_run(&job, desc);
	if (job.opcode == VACCEL_OP_DECOMPRESS)
		vaccel_inflate_finish(&job);
	if (ret < 0)
		return ret;

	vaccel_job_clean(&job);
	*cqe = (struct vaccel_cqe) {
		.user_data = desc->user_data,
		.status = cpu_to_le32(job.status),
		.produced = cpu_to_le32(job.produced),
		.consumed = cpu_to_le32(job.consumed),
		.result = cpu_to_le64(job.result),
	};
	return 0;
}
