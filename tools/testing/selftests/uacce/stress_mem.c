// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random torture: memory that a device works on, and what may be in it.
 *
 * Each job has memory of its own, with its source in the lower part and its
 * destination in the upper one. Between two jobs there is nothing but REST in it: a
 * device that writes later, or elsewhere, is found out by the next job.
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "stress.h"
#include "vaccel_ref.h"
#include "vq.h"

#define REST		0xa5
#define MAX_SRC		6144
/* Memory is here, and no address is used twice by a process: late writes hit nothing */
#define ARENA		0x100000000000UL
#define ARENA_STEP	(2 * MEM_SIZE)

static __thread __u8 expected[LONG_SIZE];
static __thread __u8 expanded[MAX_SRC + 1];
static __thread char message[120];

int memory_map(struct memory *mem, bool file, __u64 number)
{
	const int flags = MAP_FIXED_NOREPLACE | MAP_NORESERVE;
	void *want = (void *)(ARENA + number * ARENA_STEP);
	void *p;

	memset(mem, 0, sizeof(*mem));
	mem->sva = true;
	mem->file = -1;
	if (file) {
		mem->file = memfd_create("stress", MFD_CLOEXEC);
		if (mem->file < 0 || ftruncate(mem->file, MEM_SIZE))
			return -errno;
	}
	p = mmap(want, MEM_SIZE, PROT_READ | PROT_WRITE,
		 file ? flags | MAP_SHARED :
			flags | MAP_PRIVATE | MAP_ANONYMOUS, mem->file, 0);
	if (p == MAP_FAILED)
		return -errno;
	mem->base = p;
	return 0;
}

void memory_unmap(struct memory *mem)
{
	if (mem->sva) {
		munmap(mem->base, MEM_SIZE);
		if (mem->file >= 0)
			close(mem->file);
	}
	memset(mem, 0, sizeof(*mem));
	mem->file = -1;
}

static void make_source(const struct job *job, __u8 *buf)
{
	if (job->seed % 2)
		make_text(buf, job->len, job->seed);
	else
		make_noise(buf, job->len, job->seed);
}

/* What a COPY or FILL has to write */
static void make_expected(const struct job *job)
{
	__u64 pattern = htole64(job->param);
	size_t i;

	if (job->opcode == VACCEL_OP_COPY) {
		make_source(job, expected);
		return;
	}
	/* there is room for that */
	for (i = 0; i < job->dst_len; i += sizeof(pattern))
		memcpy(expected + i, &pattern, sizeof(pattern));
}

/* Where the destination can be; all of it is @old before */
static __u8 *dst_area(const struct job *job, size_t *size)
{
	size_t skip = job->area_size == JOB_SIZE ? JOB_DST : 0;

	*size = job->area_size - skip;
	return job->area + skip;
}

/* Has the device bring the pages of the destination in by itself */
static int drop_destination(struct job *job)
{
	size_t size;
	__u8 *p = dst_area(job, &size);

	if (madvise(p, size, MADV_DONTNEED))
		return -errno;
	/* a file keeps what was written to it */
	if (job->mem->file < 0)
		job->old = 0;
	return 0;
}

static void job_layout(struct job *job, unsigned int n, __u64 *r)
{
	static const __u8 opcodes[] = {
		VACCEL_OP_COPY, VACCEL_OP_COPY, VACCEL_OP_FILL, VACCEL_OP_FILL,
		VACCEL_OP_CRC32, VACCEL_OP_CRC32, VACCEL_OP_COMPRESS,
		VACCEL_OP_NOP,
	};

	bool is_long = !n && job->mem->sva && !(rnd(r) % 4);

	/* Now and then one that takes its time, and has the others wait */
	job->opcode = is_long ? VACCEL_OP_FILL :
				opcodes[rnd(r) % sizeof(opcodes)];
	job->seed = rnd(r);
	job->param = rnd(r);
	job->framing = rnd(r) % 3;
	job->len = 1 + rnd(r) % (rnd(r) % 2 ? MAX_SRC : 300);
	job->area = job->mem->base + n * JOB_SIZE;
	job->area_size = JOB_SIZE;
	job->src = job->area + rnd(r) % 2048;
	job->dst = job->area + JOB_DST + rnd(r) % 2048;
	job->dst_len = job->len;

	switch (job->opcode) {
	case VACCEL_OP_NOP:
		job->len = 0;
		job->dst_len = 0;
		break;
	case VACCEL_OP_CRC32:
		job->param = (__u32)job->param;
		job->dst_len = 0;
		break;
	case VACCEL_OP_COMPRESS:
		job->dst_len += job->len / 8 + 128;
		break;
	case VACCEL_OP_FILL:
		job->len = 0;
		if (is_long) {
			job->area = job->mem->base + LONG_OFFSET;
			job->area_size = LONG_SIZE;
			job->dst = job->area + rnd(r) % 2048;
			job->dst_len = LONG_SIZE / 2 +
				       rnd(r) % (LONG_SIZE / 2 - 2048);
		}
		break;
	}
}

const char *job_prepare(struct job *job, struct memory *mem, unsigned int n,
			__u64 *r)
{
	__u32 bit;

	memset(job, 0, sizeof(*job));
	job->mem = mem;
	job->old = REST;
	job_layout(job, n, r);

	bit = job->area_size == LONG_SIZE ? 1U << 31 : 1U << n;
	if (!(mem->rested & bit))
		memset(job->area, REST, job->area_size);
	else if (!all_bytes(job->area, job->area_size, REST))
		return "memory that no device works on was written to";
	mem->rested |= bit;

	make_source(job, job->src);
	if (job->opcode == VACCEL_OP_CRC32)
		job->crc = ref_crc32(job->param, job->src, job->len);
	else if (job->opcode == VACCEL_OP_COMPRESS)
		job->crc = ref_crc32(0, job->src, job->len);
	if (mem->sva && rnd(r) % 2 && drop_destination(job))
		return "madvise(MADV_DONTNEED) of a buffer fails";
	return NULL;
}

static __u64 device_address(const struct job *job, const __u8 *p)
{
	return job->mem->sva ? (unsigned long)p :
			       (unsigned long)(p - job->mem->base) +
			       job->mem->offset;
}

struct vaccel_desc job_descriptor(const struct job *job, __u64 user_data)
{
	struct vaccel_desc d = {
		.opcode = job->opcode,
		.user_data = htole64(user_data),
	};

	if (job->len) {
		d.src = htole64(device_address(job, job->src));
		d.src_len = htole32(job->len);
	}
	if (job->dst_len) {
		d.dst = htole64(device_address(job, job->dst));
		d.dst_len = htole32(job->dst_len);
	}
	if (job->opcode == VACCEL_OP_FILL || job->opcode == VACCEL_OP_CRC32)
		d.param = htole64(job->param);
	if (job->opcode == VACCEL_OP_COMPRESS)
		d.flags = job->framing;
	return d;
}

/* Only what was there before, or zeros where the memory was taken away */
static bool untouched(const struct job *job, const __u8 *p, size_t len)
{
	size_t i;

	if (all_bytes(p, len, job->old))
		return true;
	for (i = 0; job->rough && i < len; i++) {
		if (p[i] != job->old && p[i])
			return false;
	}
	return job->rough;
}

/* The first @done bytes can have been written, and no others */
static bool surroundings_are_untouched(const struct job *job, size_t done)
{
	size_t size;
	const __u8 *p = dst_area(job, &size);
	const __u8 *end = job->dst + done;

	return untouched(job, p, job->dst - p) &&
	       untouched(job, end, p + size - end);
}

static bool source_is_untouched(const struct job *job)
{
	if (!job->len || job->rough)
		return true;
	make_source(job, expected);
	return !memcmp(job->src, expected, job->len);
}

/* Each byte is the old one or the new one */
static bool partly_written(const struct job *job)
{
	unsigned int i;

	if (job->opcode == VACCEL_OP_COMPRESS)
		return true;
	make_expected(job);
	if (!memcmp(job->dst, expected, job->dst_len))
		return true;
	for (i = 0; i < job->dst_len; i++) {
		if (job->dst[i] != expected[i] && job->dst[i] != job->old &&
		    !(job->rough && !job->dst[i]))
			return false;
	}
	return true;
}

static const char *wrong(const char *what, __u64 seen, __u64 want)
{
	snprintf(message, sizeof(message), "%s is %#llx, not %#llx", what,
		 (unsigned long long)seen, (unsigned long long)want);
	return message;
}

static const char *check_memory(const struct job *job, size_t done)
{
	if (!source_is_untouched(job))
		return "a source was written to";
	if (!surroundings_are_untouched(job, done))
		return "memory beside a destination was written to";
	return NULL;
}

static const char *check_compressed(const struct job *job, __u32 produced)
{
	size_t used, made;

	if (produced > job->dst_len)
		return wrong("produced", produced, job->dst_len);
	if (job->rough)
		return NULL;
	make_source(job, expected);
	if (ref_decode(job->framing, job->dst, produced, expanded,
		       sizeof(expanded), &used, &made) != REF_OK ||
	    used != produced || made != job->len ||
	    memcmp(expanded, expected, made))
		return "what COMPRESS wrote does not expand to its source";
	return NULL;
}

static const char *check_ok(const struct job *job, const struct vaccel_cqe *cqe)
{
	__u32 produced = le32toh(cqe->produced);
	__u64 result = le64toh(cqe->result);
	const char *why;

	if (le32toh(cqe->consumed) != job->len)
		return wrong("consumed", le32toh(cqe->consumed), job->len);
	if (job->opcode == VACCEL_OP_COMPRESS) {
		why = check_compressed(job, produced);
		if (why)
			return why;
	} else if (produced != job->dst_len) {
		return wrong("produced", produced, job->dst_len);
	}

	if (job->opcode == VACCEL_OP_CRC32 ||
	    job->opcode == VACCEL_OP_COMPRESS) {
		if (!job->rough && result != job->crc)
			return wrong("the CRC", result, job->crc);
	} else {
		if (result)
			return wrong("result", result, 0);
		if (!partly_written(job))
			return "a destination has neither old nor new bytes";
		if (!job->rough && memcmp(job->dst, expected, job->dst_len))
			return "not all of a destination was written";
	}
	return check_memory(job, produced);
}

static bool within(__u64 addr, const __u8 *p, size_t len)
{
	return addr >= (unsigned long)p && addr - (unsigned long)p < len;
}

static const char *check_fault(const struct job *job,
			       const struct vaccel_cqe *cqe, bool may_fault)
{
	bool write = le32toh(cqe->status) == VACCEL_ST_FAULT_WRITE;
	__u64 addr = le64toh(cqe->result);

	if (!job->rough && !may_fault)
		return wrong(write ? "the address of a write fault" :
				     "the address of a read fault", addr, 0);
	if (!within(addr, write ? job->dst : job->src,
		    write ? job->dst_len : job->len))
		return wrong("the address of a fault", addr,
			     (unsigned long)(write ? job->dst : job->src));
	if (cqe->produced || cqe->consumed)
		return "something was produced or consumed by what failed";
	return job_check_aborted(job);
}

const char *job_check(const struct job *job, const struct vaccel_cqe *cqe,
		      bool may_fault)
{
	switch (le32toh(cqe->status)) {
	case VACCEL_ST_OK:
		stress_add(&stress->verified, job->len + job->dst_len);
		return check_ok(job, cqe);
	case VACCEL_ST_FAULT_READ:
	case VACCEL_ST_FAULT_WRITE:
		stress_add(&stress->faults, 1);
		return check_fault(job, cqe, may_fault);
	default:
		return wrong("the status", le32toh(cqe->status), VACCEL_ST_OK);
	}
}

const char *job_check_aborted(const struct job *job)
{
	if (!partly_written(job))
		return "a destination has neither old nor new bytes";
	return check_memory(job, job->dst_len);
}

void job_done(struct job *job)
{
	memset(job->area, REST, job->area_size);
}
