// SPDX-License-Identifier: GPL-2.0-only
/*
 * Compress: one gzip member out of chunks that are compressed side by side.
 *
 * Each chunk becomes a piece of a bare deflate stream that ends on a byte
 * boundary; the last one ends the stream. Put together they are one stream, to
 * which we add gzip's header and trailer. Chunk n is done by queue n modulo the
 * number of queues. A queue completes in order, so waiting for the oldest chunk
 * is waiting for the next completion of its queue.
 */
#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <zlib.h>

#include "gzip.h"

#define CHUNK		(1024 * 1024)
/* Room for data that does not get smaller, whatever the engine makes of it */
#define CHUNK_OUT	(CHUNK + CHUNK / 8 + 4096)
/* One that the engine works on, one that waits for it */
#define PER_QUEUE	2
#define MAX_SLOTS	(GZ_MAX_QUEUES * PER_QUEUE)

/**
 * struct slot - buffers of a chunk in flight, used again and again
 * @in: for input that is read, NULL as long as it is mapped
 * @out: what the accelerator writes
 * @len: input bytes of the chunk
 */
struct slot {
	void *in;
	void *out;
	size_t len;
};

struct job {
	struct gz_accel *accel;
	struct gz_input *in;
	struct gz_output *out;
	struct slot *slots;
	unsigned int queues;
	unsigned int depth;
	__u64 submitted;
	__u64 done;
	bool last;
	unsigned long crc;
	__u64 size;
};

/* Pages come when the accelerator writes to them */
static void *get_buffer(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void put_slots(struct slot *slots)
{
	unsigned int i;

	for (i = 0; i < MAX_SLOTS; i++) {
		if (slots[i].in)
			munmap(slots[i].in, CHUNK);
		if (slots[i].out)
			munmap(slots[i].out, CHUNK_OUT);
	}
	free(slots);
}

static int fill_slot(struct job *job, struct slot *slot, const void **data)
{
	if (!slot->out)
		slot->out = get_buffer(CHUNK_OUT);
	if (!slot->in && !job->in->left)
		slot->in = get_buffer(CHUNK);
	if (!slot->out || (!slot->in && !job->in->left)) {
		gz_error(job->in->name, "%s", strerror(ENOMEM));
		return -1;
	}
	return gz_input_chunk(job->in, slot->in, CHUNK, data, &slot->len,
			      &job->last);
}

static int submit_chunk(struct job *job)
{
	struct slot *slot = &job->slots[job->submitted % job->depth];
	struct vaccel_desc d = { .opcode = VACCEL_OP_COMPRESS };
	const void *data;

	if (fill_slot(job, slot, &data))
		return -1;

	d.flags = VACCEL_F_RAW | (job->last ? 0 : VACCEL_F_PARTIAL);
	d.level = htole32(opt.level);
	d.user_data = htole64(job->submitted);
	d.src = htole64((uintptr_t)data);
	d.src_len = htole32(slot->len);
	d.dst = htole64((uintptr_t)slot->out);
	d.dst_len = htole32(CHUNK_OUT);
	if (gz_accel_submit(job->accel, job->submitted % job->queues, &d,
			    job->in->name))
		return -1;
	job->submitted++;
	return 0;
}

static int check_chunk(const struct job *job, const struct slot *slot,
		       const struct vaccel_cqe *cqe)
{
	const char *name = job->in->name;

	if (gz_input_shrank(job->in) ||
	    (le32toh(cqe->status) == VACCEL_ST_FAULT_READ &&
	     gz_input_maps(job->in, le64toh(cqe->result)))) {
		gz_error(name, "cannot be read, or became shorter, while it was compressed");
		return -1;
	}
	if (le32toh(cqe->status) != VACCEL_ST_OK) {
		gz_accel_explain(job->accel, cqe, name);
		return -1;
	}
	if (le64toh(cqe->user_data) != job->done ||
	    le32toh(cqe->consumed) != slot->len ||
	    le32toh(cqe->produced) > CHUNK_OUT) {
		gz_error(name, "the accelerator's answer makes no sense");
		return -1;
	}
	return 0;
}

static int finish_chunk(struct job *job)
{
	struct slot *slot = &job->slots[job->done % job->depth];
	struct vaccel_cqe cqe;

	if (gz_accel_wait(job->accel, job->done % job->queues, &cqe,
			  job->in->name))
		return -1;
	if (check_chunk(job, slot, &cqe))
		return -1;
	if (gz_output_write(job->out, slot->out, le32toh(cqe.produced)))
		return -1;

	job->crc = crc32_combine(job->crc, le64toh(cqe.result), slot->len);
	job->size += slot->len;
	job->done++;
	gz_progress(job->in, job->out);
	return 0;
}

static int run(struct job *job)
{
	do {
		while (!job->last && job->submitted - job->done < job->depth)
			if (submit_chunk(job))
				return -1;
		if (finish_chunk(job))
			return -1;
	} while (!job->last || job->done < job->submitted);
	return 0;
}

static void put_le32(unsigned char *to, __u32 value)
{
	value = htole32(value);
	memcpy(to, &value, sizeof(value));
}

static int write_header(struct gz_input *in, struct gz_output *out)
{
	unsigned char header[10] = { 0x1f, 0x8b, Z_DEFLATED };
	const char *name = NULL;

	if (!opt.no_name && S_ISREG(in->st.st_mode)) {
		/* seconds since 1970 fit until 2106; zero means not known */
		if (in->st.st_mtime > 0 && in->st.st_mtime <= UINT32_MAX)
			put_le32(header + 4, in->st.st_mtime);
		if (in->fd != STDIN_FILENO)
			name = basename(in->name);
	}
	header[3] = name ? 0x08 : 0;
	header[8] = opt.level == 9 ? 2 : opt.level == 1 ? 4 : 0;
	header[9] = 3;	/* Unix */

	if (gz_output_write(out, header, sizeof(header)))
		return -1;
	return name ? gz_output_write(out, name, strlen(name) + 1) : 0;
}

static int write_trailer(const struct job *job)
{
	unsigned char trailer[8];

	put_le32(trailer, job->crc);
	put_le32(trailer + 4, job->size);
	return gz_output_write(job->out, trailer, sizeof(trailer));
}

/* No more queues than there are chunks */
static unsigned int useful_queues(const struct gz_input *in)
{
	__u64 size = gz_input_size(in);

	if (!size || size / CHUNK >= opt.queues)
		return opt.queues;
	return (size + CHUNK - 1) / CHUNK;
}

int gz_compress(struct gz_accel *a, struct gz_input *in, struct gz_output *out)
{
	struct job job = {
		.accel = a,
		.in = in,
		.out = out,
	};
	int ret;

	job.slots = calloc(MAX_SLOTS, sizeof(*job.slots));
	if (!job.slots) {
		gz_error(in->name, "%s", strerror(ENOMEM));
		return -1;
	}
	job.queues = gz_accel_queues(a, useful_queues(in));
	job.depth = job.queues * PER_QUEUE;

	ret = write_header(in, out);
	if (!ret)
		ret = run(&job);
	if (!ret)
		ret = write_trailer(&job);
	if (ret)
		gz_accel_abort(a);
	put_slots(job.slots);
	return ret;
}
