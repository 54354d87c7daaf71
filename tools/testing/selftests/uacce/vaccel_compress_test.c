// SPDX-License-Identifier: GPL-2.0-only
/*
 * COMPRESS: what comes out is a stream that an independent decoder turns back
 * into what went in, in every framing, at every level, whole or in parts.
 */
#include <endian.h>

#include "uacce_test.h"
#include "vaccel_ref.h"
#include "vq.h"

#define HALF		(VQ_MEM / 2)
#define UNTOUCHED	0xa5

/* The most that COMPRESS may need for @len bytes */
static size_t bound(size_t len)
{
	return len + len / 1024 + 64;
}

FIXTURE(compress) {
	struct sim sim;
	struct vq vq;
	__u8 *src;		/* HALF bytes each, within vq.mem */
	__u8 *dst;
};

FIXTURE_SETUP(compress)
{
	struct sim_config cfg = {};

	if (!setup_sim(_metadata, &self->sim, "ksft_compress", &cfg))
		return;
	ASSERT_EQ(0, vq_open(&self->vq, &self->sim));
	self->src = self->vq.mem;
	self->dst = self->vq.mem + HALF;
	memset(self->dst, UNTOUCHED, HALF);
}

FIXTURE_TEARDOWN_PARENT(compress)
{
	teardown_sim(_metadata, &self->sim);
}

enum content { TEXT, NOISE, ZEROS, N_CONTENTS };

static void make_content(__u8 *buf, size_t len, enum content content)
{
	if (content == TEXT)
		make_text(buf, len, 1);
	else if (content == NOISE)
		make_noise(buf, len, 1);
	else
		memset(buf, 0, len);
}

/* Is @stream, all of it, a stream of the @len bytes at @data? */
static bool decodes_to(unsigned int framing, const __u8 *stream,
		       size_t stream_len, const __u8 *data, size_t len)
{
	static __u8 out[VQ_MEM];
	size_t used, made;

	return ref_decode(framing, stream, stream_len, out, sizeof(out), &used,
			  &made) == REF_OK &&
	       used == stream_len && made == len && !memcmp(out, data, len);
}

/*
 * Compresses the first @len bytes of src to the beginning of dst, where the
 * device gets no more room than it is entitled to. Returns the length.
 */
static size_t compress(struct __test_metadata *_metadata, struct vq *vq,
		       size_t len, unsigned int flags, unsigned int level)
{
	__u8 *src = vq->mem, *dst = vq->mem + HALF;
	struct vaccel_desc d = d_flate(vq, VACCEL_OP_COMPRESS, flags, src, len,
				       dst, bound(len));
	struct vq_done done;

	d.level = htole32(level);
	memset(dst, UNTOUCHED, HALF);
	ASSERT_EQ(VACCEL_ST_OK, vq_run(vq, &d, &done)) {
		TH_LOG("%zu bytes, flags %u, level %u", len, flags, level);
	}
	ASSERT_EQ(len, done.consumed);
	ASSERT_EQ(ref_crc32(0, src, len), done.result);
	ASSERT_LE(done.produced, bound(len));
	ASSERT_TRUE(all_bytes(dst + done.produced, HALF - done.produced,
			      UNTOUCHED));
	return done.produced;
}

TEST_F(compress, every_framing_of_any_content_decodes_to_the_source)
{
	static const unsigned int framings[] = {
		VACCEL_F_RAW, VACCEL_F_ZLIB, VACCEL_F_GZIP
	};
	static const size_t lengths[] = { 0, 1, 4095, 4097, 20000 };
	unsigned int f, c, i;
	size_t len, out;

	for (c = 0; c < N_CONTENTS; c++) {
		make_content(self->src, HALF, c);
		for (i = 0; i < ARRAY_SIZE(lengths); i++) {
			len = lengths[i];
			for (f = 0; f < ARRAY_SIZE(framings); f++) {
				out = compress(_metadata, &self->vq, len,
					       framings[f], 0);
				ASSERT_TRUE(decodes_to(framings[f], self->dst,
						       out, self->src, len)) {
					TH_LOG("content %u, %zu bytes, framing %u",
					       c, len, framings[f]);
				}
			}
		}
	}
}

TEST_F(compress, gzip_header_is_the_plain_one)
{
	static const __u8 header[10] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255 };

	make_text(self->src, 1000, 1);
	compress(_metadata, &self->vq, 1000, VACCEL_F_GZIP, 0);
	EXPECT_EQ(0, memcmp(header, self->dst, sizeof(header)));
}

TEST_F(compress, every_level_works_and_nine_is_smaller_than_one)
{
	size_t out[10];
	unsigned int level;

	make_text(self->src, HALF, 2);
	for (level = 0; level <= 9; level++) {
		out[level] = compress(_metadata, &self->vq, 16000,
				      VACCEL_F_ZLIB, level);
		ASSERT_TRUE(decodes_to(VACCEL_F_ZLIB, self->dst, out[level],
				       self->src, 16000)) {
			TH_LOG("level %u", level);
		}
		EXPECT_LT(out[level], 16000 / 2);
	}
	EXPECT_LT(out[9], out[1]);
}

TEST_F(compress, noise_stays_within_the_bound_at_every_level)
{
	unsigned int level;
	size_t out;

	make_noise(self->src, HALF, 3);
	for (level = 0; level <= 9; level++) {
		/* the room given is the bound: DST_FULL would show */
		out = compress(_metadata, &self->vq, 20000, VACCEL_F_GZIP,
			       level);
		EXPECT_GT(out, 20000);
		out = compress(_metadata, &self->vq, 20000,
			       VACCEL_F_RAW | VACCEL_F_PARTIAL, level);
		EXPECT_GT(out, 20000);
	}
}

TEST_F(compress, destination_of_the_exact_size_does_and_one_less_is_full)
{
	static const unsigned int flags[] = {
		VACCEL_F_RAW, VACCEL_F_ZLIB, VACCEL_F_GZIP,
		VACCEL_F_RAW | VACCEL_F_PARTIAL
	};
	struct vaccel_desc d;
	struct vq_done done;
	unsigned int i;
	size_t out;

	make_text(self->src, HALF, 4);
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		out = compress(_metadata, &self->vq, 10000, flags[i], 0);
		memset(self->dst, UNTOUCHED, HALF);
		d = d_flate(&self->vq, VACCEL_OP_COMPRESS, flags[i], self->src,
			    10000, self->dst, out);
		EXPECT_EQ(VACCEL_ST_OK, vq_run(&self->vq, &d, &done));
		EXPECT_EQ(out, done.produced);

		d.dst_len = htole32(out - 1);
		EXPECT_EQ(VACCEL_ST_DST_FULL, vq_run(&self->vq, &d, &done));
		d.dst_len = htole32(1);
		EXPECT_EQ(VACCEL_ST_DST_FULL, vq_run(&self->vq, &d, &done));
		d.dst_len = 0;
		EXPECT_EQ(VACCEL_ST_DST_FULL, vq_run(&self->vq, &d, &done));
		EXPECT_TRUE(all_bytes(self->dst + out, HALF - out, UNTOUCHED));
	}
}

TEST_F(compress, an_overfull_destination_is_not_overrun)
{
	struct vaccel_desc d;

	make_noise(self->src, HALF, 5);
	d = d_flate(&self->vq, VACCEL_OP_COMPRESS, VACCEL_F_RAW, self->src,
		    HALF, self->dst + 1, 5000);
	EXPECT_EQ(VACCEL_ST_DST_FULL, vq_run(&self->vq, &d, NULL));
	EXPECT_EQ(UNTOUCHED, self->dst[0]);
	EXPECT_TRUE(all_bytes(self->dst + 5001, HALF - 5001, UNTOUCHED));
}

/* More than what an engine buffers */
#define LARGE		0x40000
#define BUFFER		0x10000

FIXTURE(large) {
	struct sim sim;
	struct vq vq;
	__u8 *src;		/* LARGE bytes each */
	__u8 *dst;
	__u8 *out;
};

FIXTURE_SETUP(large)
{
	struct sim_config cfg = {};

	if (!setup_sim(_metadata, &self->sim, "ksft_compress", &cfg))
		return;
	ASSERT_EQ(0, vq_open(&self->vq, &self->sim));
	self->src = mmap(NULL, 3 * LARGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->src);
	self->dst = self->src + LARGE;
	self->out = self->dst + LARGE;
	make_noise(self->src, LARGE, 7);
}

FIXTURE_TEARDOWN_PARENT(large)
{
	teardown_sim(_metadata, &self->sim);
}

TEST_F(large, destination_that_is_full_in_the_middle_is_not_overrun)
{
	const size_t room = BUFFER + BUFFER / 2;
	struct vaccel_desc d;
	struct vq_done done;

	memset(self->dst, UNTOUCHED, LARGE);
	d = d_flate(&self->vq, VACCEL_OP_COMPRESS, VACCEL_F_RAW, self->src, LARGE,
		    self->dst, room);
	EXPECT_EQ(VACCEL_ST_DST_FULL, vq_run(&self->vq, &d, &done));
	EXPECT_TRUE(all_bytes(self->dst + room, LARGE - room, UNTOUCHED));

	/* and the queue is as good as before */
	d.dst_len = htole32(LARGE);
	d.src_len = htole32(BUFFER);
	EXPECT_EQ(VACCEL_ST_OK, vq_run(&self->vq, &d, &done));
}

/* The stream and its trailer end before, at, and after the end of a buffer. */
TEST_F(large, streams_that_end_near_the_end_of_a_buffer_decode)
{
	struct vaccel_desc d;
	struct vq_done done;
	size_t len, used, made;
	bool before = false, after = false;

	for (len = BUFFER - 80; len < BUFFER; len++) {
		d = d_flate(&self->vq, VACCEL_OP_COMPRESS, VACCEL_F_GZIP, self->src,
			    len, self->dst, LARGE);
		d.level = htole32(1);
		ASSERT_EQ(VACCEL_ST_OK, vq_run(&self->vq, &d, &done));
		ASSERT_EQ(REF_OK, ref_decode(VACCEL_F_GZIP, self->dst, done.produced,
					     self->out, LARGE, &used, &made));
		ASSERT_EQ(done.produced, used);
		ASSERT_EQ(len, made);
		ASSERT_EQ(0, memcmp(self->src, self->out, len));
		before |= done.produced <= BUFFER;
		after |= done.produced > BUFFER + 8;
	}
	EXPECT_TRUE(before && after);
}

/*
 * Noise in which no three bytes come twice. There is nothing to refer to, so each block
 * has as many bytes as there are symbols in it, and none of them gets smaller.
 */
static void make_literals(__u8 *buf, size_t len, __u64 seed)
{
	static __u8 seen[1 << 21];	/* a bit for each three bytes */
	__u32 three;
	size_t i;

	make_noise(buf, len, seed);
	for (i = 2; i < len; i++) {
		do {
			buf[i]++;
			three = buf[i - 2] << 16 | buf[i - 1] << 8 | buf[i];
		} while (seen[three / 8] & 1 << three % 8);
		seen[three / 8] |= 1 << three % 8;
	}
}

/* Long enough for what each block takes too much to exceed the 64 bytes */
TEST_F(large, source_of_many_blocks_stays_within_the_bound)
{
	static const unsigned int flags[] = {
		VACCEL_F_GZIP, VACCEL_F_RAW | VACCEL_F_PARTIAL
	};
	const size_t len = 2 * LARGE;
	__u8 *src, *dst, *back;
	struct vaccel_desc d;
	struct vq_done done;
	size_t used, made;
	unsigned int i;

	src = mmap(NULL, 4 * len, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, src);
	dst = src + len;
	back = dst + 2 * len;
	make_literals(src, len, 8);
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		d = d_flate(&self->vq, VACCEL_OP_COMPRESS, flags[i], src, len, dst,
			    bound(len));
		d.level = htole32(1);
		ASSERT_EQ(VACCEL_ST_OK, vq_run(&self->vq, &d, &done));
		EXPECT_GT(done.produced, len);
	}
	/* that was a part of a stream, and an empty block ends it */
	memcpy(dst + done.produced, "\1\0\0\377\377", 5);
	ASSERT_EQ(REF_OK, ref_decode(VACCEL_F_RAW, dst, done.produced + 5, back,
				     len, &used, &made));
	EXPECT_EQ(len, made);
	EXPECT_EQ(0, memcmp(src, back, len));
}

TEST_F(compress, same_source_has_same_stream_whatever_came_before)
{
	__u8 first[10000];
	size_t len, out;

	make_text(self->src, HALF, 6);
	len = compress(_metadata, &self->vq, 8000,
		       VACCEL_F_RAW | VACCEL_F_PARTIAL, 0);
	memcpy(first, self->dst, len);

	/* the same words would be cheaper if they could refer to those before */
	out = compress(_metadata, &self->vq, 8000,
		       VACCEL_F_RAW | VACCEL_F_PARTIAL, 0);
	EXPECT_EQ(len, out);
	EXPECT_EQ(0, memcmp(first, self->dst, out));
}

TEST_F(compress, partial_outputs_of_two_queues_make_one_stream)
{
	/* what each descriptor gets, one of them nothing */
	static const size_t parts[] = { 5000, 1, 0, 4096, 3000 };
	static __u8 data[VQ_MEM], stream[VQ_MEM];
	size_t pos = 0, len = 0, out;
	struct vq other, *vq;
	unsigned int i, flags;

	ASSERT_EQ(0, vq_open(&other, &self->sim));
	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		vq = i % 2 ? &other : &self->vq;
		make_text(vq->mem, parts[i], i);
		memcpy(data + pos, vq->mem, parts[i]);
		pos += parts[i];

		flags = VACCEL_F_RAW;
		if (i < ARRAY_SIZE(parts) - 1)
			flags |= VACCEL_F_PARTIAL;
		out = compress(_metadata, vq, parts[i], flags, 0);
		if (flags & VACCEL_F_PARTIAL)
			EXPECT_EQ(0, memcmp(vq->mem + HALF + out - 4,
					    "\0\0\377\377", 4));
		memcpy(stream + len, vq->mem + HALF, out);
		len += out;
	}
	EXPECT_TRUE(decodes_to(VACCEL_F_RAW, stream, len, data, pos));
}

TEST_F(compress, device_decompresses_what_it_compressed)
{
	struct vaccel_desc d;
	struct vq_done done;
	size_t out;

	make_text(self->src, 12000, 7);
	out = compress(_metadata, &self->vq, 12000, VACCEL_F_GZIP, 0);
	ASSERT_LE(out, 12000);
	d = d_flate(&self->vq, VACCEL_OP_DECOMPRESS, VACCEL_F_GZIP, self->dst,
		    out, self->src + 12000, 12000);
	ASSERT_EQ(VACCEL_ST_OK, vq_run(&self->vq, &d, &done));
	EXPECT_EQ(12000, done.produced);
	EXPECT_EQ(out, done.consumed);
	EXPECT_EQ(0, memcmp(self->src, self->src + 12000, 12000));
}

TEST_HARNESS_MAIN
