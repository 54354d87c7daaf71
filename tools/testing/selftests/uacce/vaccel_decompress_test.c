// SPDX-License-Identifier: GPL-2.0-only
/*
 * DECOMPRESS: streams of every kind, in one piece or through windows of any
 * size, and everything that is no stream.
 */
#include <endian.h>

#include "uacce_test.h"
#include "vaccel_ref.h"
#include "vq.h"

/* A stream of at most STREAM_MAX bytes goes to src, its contents to dst */
#define STREAM_MAX	(VQ_MEM / 4)
#define OUT_MAX		(VQ_MEM - STREAM_MAX)
#define UNTOUCHED	0xa5

FIXTURE(decompress) {
	struct sim sim;
	struct vq vq;
	__u8 *src;
	__u8 *dst;
};

FIXTURE_SETUP(decompress)
{
	struct sim_config cfg = {};

	if (!setup_sim(_metadata, &self->sim, "ksft_decompress", &cfg))
		return;
	ASSERT_EQ(0, vq_open(&self->vq, &self->sim));
	self->src = self->vq.mem;
	self->dst = self->vq.mem + STREAM_MAX;
	memset(self->dst, UNTOUCHED, OUT_MAX);
}

FIXTURE_TEARDOWN_PARENT(decompress)
{
	teardown_sim(_metadata, &self->sim);
}

/* A stream and what it holds */
struct sample {
	unsigned int framing;
	__u8 stream[STREAM_MAX];
	size_t stream_len;
	__u8 data[OUT_MAX];
	size_t len;
};

static struct vaccel_desc d_inflate(const struct vq *vq, unsigned int flags,
				    size_t src_len, size_t dst_len)
{
	return d_flate(vq, VACCEL_OP_DECOMPRESS, flags, vq->mem, src_len,
		       vq->mem + STREAM_MAX, dst_len);
}

static const __u8 gzip_plain[10] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3 };

static void put_header(struct sample *s, struct ref_bits *b)
{
	ref_bits_init(b, s->stream, sizeof(s->stream));
	if (s->framing == VACCEL_F_ZLIB)
		ref_put_bytes(b, "\x78\x9c", 2);
	else if (s->framing == VACCEL_F_GZIP)
		ref_put_bytes(b, gzip_plain, sizeof(gzip_plain));
}

static void put_trailer(struct sample *s, struct ref_bits *b)
{
	__u32 adler = ref_adler32(1, s->data, s->len);
	int i;

	ref_align(b);
	if (s->framing == VACCEL_F_ZLIB) {
		for (i = 24; i >= 0; i -= 8)
			ref_put(b, adler >> i, 8);
	} else if (s->framing == VACCEL_F_GZIP) {
		ref_put(b, ref_crc32(0, s->data, s->len), 32);
		ref_put(b, s->len, 32);
	}
	s->stream_len = b->len;
}

static void put_literal(struct sample *s, struct ref_bits *b, __u8 value)
{
	ref_fixed_symbol(b, value);
	s->data[s->len++] = value;
}

static void put_match(struct sample *s, struct ref_bits *b, size_t len,
		      size_t dist)
{
	ref_fixed_match(b, len, dist);
	while (len--) {
		s->data[s->len] = s->data[s->len - dist];
		s->len++;
	}
}

/* 40 bytes of stream for a few words: for tests that go through it by the bit */
static void make_small(struct sample *s, unsigned int framing)
{
	static const char word[] = "shared virtual addressing";
	struct ref_bits b;
	unsigned int i;

	*s = (struct sample) { .framing = framing };
	put_header(s, &b);
	ref_block(&b, false, 1);
	for (i = 0; i < 16; i++)
		put_literal(s, &b, word[i]);
	put_match(s, &b, 30, 16);
	put_match(s, &b, 258, 1);
	ref_fixed_symbol(&b, 256);
	ref_stored(&b, true, word, 5);
	memcpy(s->data + s->len, word, 5);
	s->len += 5;
	put_trailer(s, &b);
}

/*
 * As far back as a match can reach, and back again: a decoder that forgets its
 * window between two descriptors, or has too small a one, cannot do it.
 */
static void make_far(struct sample *s, unsigned int framing)
{
	struct ref_bits b;
	__u64 state = 9;
	__u8 noise[600];
	unsigned int i;

	*s = (struct sample) { .framing = framing };
	make_noise(noise, sizeof(noise), 8);
	put_header(s, &b);
	ref_stored(&b, false, noise, sizeof(noise));
	memcpy(s->data, noise, sizeof(noise));
	s->len = sizeof(noise);
	ref_block(&b, true, 1);
	while (s->len < 32768 + 7) {
		put_match(s, &b, 3 + rnd(&state) % 256, 1 + rnd(&state) % 600);
		put_literal(s, &b, rnd(&state));
	}
	for (i = 0; i < 20; i++) {
		put_match(s, &b, 258, 32768);
		put_match(s, &b, 3, 32767 - i);
	}
	ref_fixed_symbol(&b, 256);
	put_trailer(s, &b);
}

/*
 * Made by gzip 1.12 with -9: a block of dynamic codes, and a header with time
 * and file name.
 */
static const __u8 bottles_gz[] = {
	0x1f, 0x8b, 0x08, 0x08, 0x3b, 0xfe, 0x03, 0x6b, 0x02, 0x03, 0x62, 0x6f,
	0x74, 0x74, 0x6c, 0x65, 0x73, 0x00, 0x85, 0xd4, 0x4b, 0x0a, 0xc2, 0x40,
	0x14, 0x05, 0xd1, 0xad, 0xf4, 0x02, 0x44, 0xbc, 0x9d, 0xaf, 0xcb, 0x31,
	0xd0, 0xe2, 0x20, 0x18, 0xd0, 0x80, 0xdb, 0xd7, 0x79, 0x0a, 0x6b, 0xfc,
	0xa8, 0xd1, 0x3d, 0xdd, 0xdd, 0xa5, 0x2c, 0xdb, 0xbe, 0xaf, 0xed, 0x5d,
	0xb6, 0x7b, 0x59, 0x5a, 0x7b, 0x95, 0xed, 0x59, 0xf6, 0x47, 0x2b, 0x9f,
	0xdb, 0xba, 0x9e, 0x4a, 0x77, 0xb8, 0x9f, 0x4b, 0xbd, 0xfe, 0x6f, 0x8e,
	0xf7, 0x5f, 0x33, 0x4b, 0x33, 0x43, 0x33, 0x49, 0x33, 0x41, 0x33, 0x4a,
	0x33, 0x42, 0x33, 0x48, 0x33, 0x40, 0xd3, 0x4b, 0xd3, 0x43, 0xd3, 0x49,
	0xd3, 0x41, 0x53, 0xa5, 0xa9, 0xd0, 0x44, 0x9a, 0x40, 0x23, 0x0e, 0x2a,
	0x38, 0x88, 0x38, 0x08, 0x38, 0x88, 0x38, 0x08, 0x38, 0x88, 0x38, 0x08,
	0x38, 0x88, 0x38, 0x08, 0x38, 0x88, 0x38, 0x08, 0x38, 0x88, 0x38, 0x08,
	0x38, 0x88, 0x38, 0x08, 0x38, 0x88, 0x38, 0x08, 0x38, 0x88, 0x38, 0x08,
	0x38, 0x88, 0x38, 0x08, 0x38, 0x10, 0x06, 0xa0, 0x40, 0x10, 0x80, 0x01,
	0x21, 0x00, 0x02, 0x04, 0x00, 0xec, 0x2f, 0xf3, 0xc3, 0xfa, 0x32, 0x3e,
	0x6c, 0x2f, 0xd3, 0xd3, 0x0f, 0x20, 0x0f, 0x13, 0x36, 0x94, 0x09, 0x8f,
	0xc5, 0x17, 0xd6, 0x7d, 0x50, 0x52, 0x06, 0x06, 0x00, 0x00,
};

static void make_bottles(struct sample *s)
{
	char *text = (char *)s->data;
	int i;

	*s = (struct sample) { .framing = VACCEL_F_GZIP };
	for (i = 30; i > 0; i--)
		s->len += sprintf(text + s->len,
				  "%d bottles of beer on the wall, %d bottles of beer. ",
				  i, i);
	memcpy(s->stream, bottles_gz, sizeof(bottles_gz));
	s->stream_len = sizeof(bottles_gz);
}

static struct sample sample;

/* The whole of sample in one descriptor */
static void inflate_whole(struct __test_metadata *_metadata, struct vq *vq)
{
	struct vaccel_desc d = d_inflate(vq, sample.framing, sample.stream_len,
					 OUT_MAX);
	__u8 *dst = vq->mem + STREAM_MAX;
	struct vq_done done;

	memcpy(vq->mem, sample.stream, sample.stream_len);
	memset(dst, UNTOUCHED, OUT_MAX);
	ASSERT_EQ(VACCEL_ST_OK, vq_run(vq, &d, &done));
	ASSERT_EQ(sample.len, done.produced);
	ASSERT_EQ(sample.stream_len, done.consumed);
	ASSERT_EQ(ref_crc32(0, sample.data, sample.len), done.result);
	ASSERT_EQ(0, memcmp(sample.data, dst, sample.len));
	ASSERT_TRUE(all_bytes(dst + sample.len, OUT_MAX - sample.len,
			      UNTOUCHED));
}

/*
 * The same through windows: never more than @in bytes of source and @out bytes
 * of destination at once. Checks every step.
 */
static void inflate_windows(struct __test_metadata *_metadata, struct vq *vq,
			    size_t in, size_t out)
{
	__u8 *dst = vq->mem + STREAM_MAX;
	size_t pos = 0, made = 0, given;
	unsigned int flags = sample.framing;
	struct vaccel_desc d;
	struct vq_done done;
	int ret;

	do {
		given = sample.stream_len - pos;
		if (given > in)
			given = in;
		memcpy(vq->mem, sample.stream + pos, given);
		memset(dst, UNTOUCHED, out + 1);
		d = d_inflate(vq, flags, given, out);
		ret = vq_run(vq, &d, &done);
		ASSERT_LE(ret, VACCEL_ST_MORE) {
			TH_LOG("windows %zu, %zu: at %zu, %zu", in, out, pos,
			       made);
		}
		ASSERT_GE(ret, VACCEL_ST_OK);
		ASSERT_LE(done.produced, out);
		ASSERT_LE(done.consumed, given);
		ASSERT_LE(made + done.produced, sample.len);
		ASSERT_EQ(0, memcmp(sample.data + made, dst, done.produced));
		ASSERT_TRUE(all_bytes(dst + done.produced,
				      out + 1 - done.produced, UNTOUCHED));
		pos += done.consumed;
		made += done.produced;
		ASSERT_EQ(ref_crc32(0, sample.data, made), done.result);
		/* it stops for nothing but one of the windows */
		if (ret == VACCEL_ST_MORE)
			ASSERT_TRUE(done.consumed == given ||
				    done.produced == out);
		flags = sample.framing | VACCEL_F_CONTINUE;
	} while (ret == VACCEL_ST_MORE && pos + made <
		 sample.stream_len + sample.len);

	EXPECT_EQ(VACCEL_ST_OK, ret) {
		TH_LOG("windows %zu, %zu", in, out);
	}
	EXPECT_EQ(sample.stream_len, pos);
	EXPECT_EQ(sample.len, made);
}

TEST_F(decompress, stored_fixed_and_dynamic_blocks_in_every_framing)
{
	static const unsigned int framings[] = {
		VACCEL_F_RAW, VACCEL_F_ZLIB, VACCEL_F_GZIP
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(framings); i++) {
		make_small(&sample, framings[i]);
		inflate_whole(_metadata, &self->vq);
		make_far(&sample, framings[i]);
		inflate_whole(_metadata, &self->vq);
	}
	make_bottles(&sample);
	inflate_whole(_metadata, &self->vq);
}

TEST_F(decompress, windows_of_any_size_give_the_same)
{
	static const size_t windows[][2] = {
		{ 1, 1 }, { 1, 4096 }, { 4096, 1 }, { 7, 13 }, { 2, 100 }
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(windows); i++) {
		make_small(&sample, VACCEL_F_GZIP);
		inflate_windows(_metadata, &self->vq, windows[i][0],
				windows[i][1]);
	}
	make_small(&sample, VACCEL_F_ZLIB);
	inflate_windows(_metadata, &self->vq, 1, 1);
	make_small(&sample, VACCEL_F_RAW);
	inflate_windows(_metadata, &self->vq, 1, 1);
	/* a dynamic block, its table cut in many places */
	make_bottles(&sample);
	inflate_windows(_metadata, &self->vq, 1, 4096);
}

TEST_F(decompress, the_window_of_32_kib_lasts_over_descriptors)
{
	make_far(&sample, VACCEL_F_ZLIB);
	inflate_windows(_metadata, &self->vq, STREAM_MAX, 1000);
	inflate_windows(_metadata, &self->vq, 50, 4000);
}

TEST_F(decompress, gzip_optional_fields_are_skipped)
{
	struct ref_bits b;

	sample = (struct sample) { .framing = VACCEL_F_GZIP };
	ref_bits_init(&b, sample.stream, sizeof(sample.stream));
	/* text, header CRC, extra field, name, comment */
	ref_put_bytes(&b, "\x1f\x8b\x08\x1f\x01\x02\x03\x04\x02\x03", 10);
	ref_put_bytes(&b, "\5\0a\0b\0c", 7);
	ref_put_bytes(&b, "name", 5);
	ref_put_bytes(&b, "comment", 8);
	ref_put(&b, ref_crc32(0, sample.stream, b.len), 16);
	ref_stored(&b, true, "hello", 5);
	memcpy(sample.data, "hello", 5);
	sample.len = 5;
	put_trailer(&sample, &b);

	inflate_whole(_metadata, &self->vq);
	inflate_windows(_metadata, &self->vq, 1, 1);
	inflate_windows(_metadata, &self->vq, 3, 2);
}

TEST_F(decompress, destination_of_the_exact_size_ends_the_stream)
{
	struct vaccel_desc d;
	struct vq_done done;

	make_small(&sample, VACCEL_F_GZIP);
	memcpy(self->src, sample.stream, sample.stream_len);
	d = d_inflate(&self->vq, VACCEL_F_GZIP, sample.stream_len, sample.len);
	EXPECT_EQ(VACCEL_ST_OK, vq_run(&self->vq, &d, &done));
	EXPECT_EQ(sample.len, done.produced);
	EXPECT_EQ(UNTOUCHED, self->dst[sample.len]);

	/* one byte less, and then that byte */
	d = d_inflate(&self->vq, VACCEL_F_GZIP, sample.stream_len,
		      sample.len - 1);
	ASSERT_EQ(VACCEL_ST_MORE, vq_run(&self->vq, &d, &done));
	ASSERT_EQ(sample.len - 1, done.produced);
	ASSERT_LE(done.consumed, sample.stream_len);
	d = d_flate(&self->vq, VACCEL_OP_DECOMPRESS,
		    VACCEL_F_GZIP | VACCEL_F_CONTINUE,
		    self->src + done.consumed,
		    sample.stream_len - done.consumed, self->dst, 1);
	EXPECT_EQ(VACCEL_ST_OK, vq_run(&self->vq, &d, &done));
	EXPECT_EQ(1, done.produced);
	EXPECT_EQ(sample.data[sample.len - 1], self->dst[0]);
	EXPECT_EQ(ref_crc32(0, sample.data, sample.len), done.result);
}

TEST_F(decompress, an_empty_stream_needs_no_destination)
{
	struct vaccel_desc d;
	struct vq_done done;
	struct ref_bits b;

	sample = (struct sample) { .framing = VACCEL_F_ZLIB };
	put_header(&sample, &b);
	ref_stored(&b, true, "", 0);
	put_trailer(&sample, &b);
	memcpy(self->src, sample.stream, sample.stream_len);
	d = d_inflate(&self->vq, VACCEL_F_ZLIB, sample.stream_len, 0);
	EXPECT_EQ(VACCEL_ST_OK, vq_run(&self->vq, &d, &done));
	EXPECT_EQ(0, done.produced);
	EXPECT_EQ(sample.stream_len, done.consumed);
	EXPECT_EQ(0, done.result);
}

TEST_F(decompress, nothing_to_work_with_means_more)
{
	struct vaccel_desc d = d_inflate(&self->vq, VACCEL_F_GZIP, 0, 100);
	struct vq_done done;

	EXPECT_EQ(VACCEL_ST_MORE, vq_run(&self->vq, &d, &done));
	EXPECT_EQ(0, done.produced);
	EXPECT_EQ(0, done.consumed);
	EXPECT_EQ(0, done.result);

	/* and that has begun a stream */
	make_small(&sample, VACCEL_F_GZIP);
	memcpy(self->src, sample.stream, sample.stream_len);
	d = d_inflate(&self->vq, VACCEL_F_GZIP | VACCEL_F_CONTINUE,
		      sample.stream_len, OUT_MAX);
	EXPECT_EQ(VACCEL_ST_OK, vq_run(&self->vq, &d, &done));
	EXPECT_EQ(sample.len, done.produced);
}

TEST_F(decompress, what_follows_the_stream_is_left_for_the_next)
{
	struct vaccel_desc d;
	struct vq_done done;
	size_t len;

	make_small(&sample, VACCEL_F_GZIP);
	len = sample.stream_len;
	memcpy(self->src, sample.stream, len);
	memcpy(self->src + len, bottles_gz, sizeof(bottles_gz));
	d = d_inflate(&self->vq, VACCEL_F_GZIP, len + sizeof(bottles_gz),
		      OUT_MAX);
	ASSERT_EQ(VACCEL_ST_OK, vq_run(&self->vq, &d, &done));
	EXPECT_EQ(len, done.consumed);
	EXPECT_EQ(sample.len, done.produced);

	make_bottles(&sample);
	d = d_flate(&self->vq, VACCEL_OP_DECOMPRESS, VACCEL_F_GZIP,
		    self->src + len, sizeof(bottles_gz), self->dst, OUT_MAX);
	ASSERT_EQ(VACCEL_ST_OK, vq_run(&self->vq, &d, &done));
	EXPECT_EQ(sizeof(bottles_gz), done.consumed);
	EXPECT_EQ(sample.len, done.produced);
	EXPECT_EQ(0, memcmp(sample.data, self->dst, sample.len));
}

/* Ends the first half of sample with MORE; the other half is at src then */
static void begin(struct __test_metadata *_metadata, struct vq *vq)
{
	size_t half = sample.stream_len / 2;
	struct vaccel_desc d = d_inflate(vq, sample.framing, half, OUT_MAX);
	struct vq_done done;

	memcpy(vq->mem, sample.stream, half);
	ASSERT_EQ(VACCEL_ST_MORE, vq_run(vq, &d, &done));
	ASSERT_EQ(half, done.consumed);
	memcpy(vq->mem, sample.stream + half, sample.stream_len - half);
}

/* Goes on with the second half: the status */
static int go_on(struct vq *vq, unsigned int framing)
{
	size_t half = sample.stream_len / 2;
	struct vaccel_desc d = d_inflate(vq, framing | VACCEL_F_CONTINUE,
					 sample.stream_len - half, OUT_MAX);

	return vq_run(vq, &d, NULL);
}

TEST_F(decompress, continue_needs_a_stream_that_ended_in_more)
{
	struct vaccel_desc d;

	make_small(&sample, VACCEL_F_GZIP);
	EXPECT_EQ(VACCEL_ST_BAD_FIELD, go_on(&self->vq, VACCEL_F_GZIP));

	/* good for one end of the stream only */
	begin(_metadata, &self->vq);
	EXPECT_EQ(VACCEL_ST_OK, go_on(&self->vq, VACCEL_F_GZIP));
	EXPECT_EQ(VACCEL_ST_BAD_FIELD, go_on(&self->vq, VACCEL_F_GZIP));

	/* not after a stream that turned out to be bad: a wrong checksum */
	begin(_metadata, &self->vq);
	self->src[sample.stream_len - sample.stream_len / 2 - 5] ^= 1;
	EXPECT_EQ(VACCEL_ST_BAD_DATA, go_on(&self->vq, VACCEL_F_GZIP));
	EXPECT_EQ(VACCEL_ST_BAD_FIELD, go_on(&self->vq, VACCEL_F_GZIP));

	/* not after a decompress that was refused */
	begin(_metadata, &self->vq);
	d = d_inflate(&self->vq, VACCEL_F_GZIP, 10, VACCEL_MAX_LEN + 1);
	EXPECT_EQ(VACCEL_ST_BAD_LEN, vq_run(&self->vq, &d, NULL));
	EXPECT_EQ(VACCEL_ST_BAD_FIELD, go_on(&self->vq, VACCEL_F_GZIP));
}

TEST_F(decompress, continue_needs_the_same_framing)
{
	make_small(&sample, VACCEL_F_GZIP);
	begin(_metadata, &self->vq);
	EXPECT_EQ(VACCEL_ST_BAD_FIELD, go_on(&self->vq, VACCEL_F_ZLIB));
	/* which ends the stream */
	EXPECT_EQ(VACCEL_ST_BAD_FIELD, go_on(&self->vq, VACCEL_F_GZIP));

	begin(_metadata, &self->vq);
	EXPECT_EQ(VACCEL_ST_BAD_FIELD, go_on(&self->vq, VACCEL_F_RAW));
}

TEST_F(decompress, a_new_stream_and_a_restart_forget_the_old)
{
	make_small(&sample, VACCEL_F_GZIP);
	begin(_metadata, &self->vq);
	begin(_metadata, &self->vq);
	EXPECT_EQ(VACCEL_ST_OK, go_on(&self->vq, VACCEL_F_GZIP));

	begin(_metadata, &self->vq);
	ASSERT_EQ(0, vq_restart(&self->vq));
	EXPECT_EQ(VACCEL_ST_BAD_FIELD, go_on(&self->vq, VACCEL_F_GZIP));
}

TEST_F(decompress, other_work_in_between_does_not_disturb_the_stream)
{
	__u8 *spare = self->dst + OUT_MAX - 4096;
	struct vaccel_desc d;

	make_small(&sample, VACCEL_F_ZLIB);
	begin(_metadata, &self->vq);

	d = d_nop();
	ASSERT_EQ(VACCEL_ST_OK, vq_run(&self->vq, &d, NULL));
	d = d_fill(&self->vq, spare, 1000, 0x2020202020202020);
	ASSERT_EQ(VACCEL_ST_OK, vq_run(&self->vq, &d, NULL));
	d = d_flate(&self->vq, VACCEL_OP_COMPRESS, VACCEL_F_ZLIB, spare, 1000,
		    spare + 1000, 1000);
	ASSERT_EQ(VACCEL_ST_OK, vq_run(&self->vq, &d, NULL));
	d = d_crc(&self->vq, spare, 1000, 0);
	ASSERT_EQ(VACCEL_ST_OK, vq_run(&self->vq, &d, NULL));
	d = d_copy(&self->vq, spare, spare + 1000, 1000);
	ASSERT_EQ(VACCEL_ST_OK, vq_run(&self->vq, &d, NULL));
	d.opcode = 77;
	ASSERT_EQ(VACCEL_ST_BAD_OPCODE, vq_run(&self->vq, &d, NULL));

	EXPECT_EQ(VACCEL_ST_OK, go_on(&self->vq, VACCEL_F_ZLIB));
}

TEST_F(decompress, every_queue_has_a_stream_of_its_own)
{
	struct vq other;

	ASSERT_EQ(0, vq_open(&other, &self->sim));
	make_bottles(&sample);
	begin(_metadata, &self->vq);
	EXPECT_EQ(VACCEL_ST_BAD_FIELD, go_on(&other, VACCEL_F_GZIP));
	begin(_metadata, &other);
	EXPECT_EQ(VACCEL_ST_OK, go_on(&self->vq, VACCEL_F_GZIP));
	EXPECT_EQ(VACCEL_ST_OK, go_on(&other, VACCEL_F_GZIP));
}

TEST_F(decompress, a_chain_queued_ahead_works_and_breaks_as_a_whole)
{
	struct vaccel_desc d;
	size_t third, pos;
	int round, i;

	make_small(&sample, VACCEL_F_GZIP);
	third = sample.stream_len / 3;
	for (round = 0; round < 2; round++) {
		memcpy(self->src, sample.stream, sample.stream_len);
		if (round)	/* no magic number */
			memset(self->src, 0xff, 11);
		ASSERT_EQ(0, sim_hold(&self->sim, "engine", -1));
		for (i = 0, pos = 0; i < 3; i++, pos += third) {
			d = d_flate(&self->vq, VACCEL_OP_DECOMPRESS,
				    VACCEL_F_GZIP | (i ? VACCEL_F_CONTINUE : 0),
				    self->src + pos,
				    i < 2 ? third : sample.stream_len - pos,
				    self->dst + i * 4096, 4096);
			ASSERT_GE(vq_submit(&self->vq, &d), 0);
		}
		ASSERT_EQ(0, sim_release(&self->sim, "engine"));
		EXPECT_EQ(round ? VACCEL_ST_BAD_DATA : VACCEL_ST_MORE,
			  vq_wait(&self->vq, NULL));
		EXPECT_EQ(round ? VACCEL_ST_BAD_FIELD : VACCEL_ST_MORE,
			  vq_wait(&self->vq, NULL));
		EXPECT_EQ(round ? VACCEL_ST_BAD_FIELD : VACCEL_ST_OK,
			  vq_wait(&self->vq, NULL));
	}
}

TEST_F(decompress, a_stream_cut_short_anywhere_asks_for_more)
{
	struct vaccel_desc d;
	struct vq_done done;
	size_t len;

	make_small(&sample, VACCEL_F_GZIP);
	memcpy(self->src, sample.stream, sample.stream_len);
	for (len = 0; len < sample.stream_len; len++) {
		d = d_inflate(&self->vq, VACCEL_F_GZIP, len, OUT_MAX);
		ASSERT_EQ(VACCEL_ST_MORE, vq_run(&self->vq, &d, &done)) {
			TH_LOG("cut at %zu", len);
		}
		ASSERT_EQ(len, done.consumed);
		ASSERT_LE(done.produced, sample.len);
		ASSERT_EQ(0, memcmp(sample.data, self->dst, done.produced));
		ASSERT_EQ(ref_crc32(0, sample.data, done.produced),
			  done.result);
	}
}

TEST_F(decompress, no_single_bit_can_be_wrong_unnoticed)
{
	static __u8 out[OUT_MAX];
	enum ref_result want;
	struct vaccel_desc d;
	struct vq_done done;
	size_t bit, used, made;
	unsigned int fine = 0;
	int ret;

	make_small(&sample, VACCEL_F_GZIP);
	for (bit = 0; bit < sample.stream_len * 8; bit++) {
		memcpy(self->src, sample.stream, sample.stream_len);
		self->src[bit / 8] ^= 1 << bit % 8;
		want = ref_decode(VACCEL_F_GZIP, self->src, sample.stream_len,
				  out, sizeof(out), &used, &made);
		d = d_inflate(&self->vq, VACCEL_F_GZIP, sample.stream_len,
			      OUT_MAX);
		ret = vq_run(&self->vq, &d, &done);
		if (want == REF_OK) {
			EXPECT_EQ(VACCEL_ST_OK, ret);
			EXPECT_EQ(0, memcmp(sample.data, self->dst,
					    sample.len));
			fine++;
		} else {
			EXPECT_TRUE(ret == VACCEL_ST_BAD_DATA ||
				    ret == VACCEL_ST_MORE) {
				TH_LOG("bit %zu: status %d", bit, ret);
			}
		}
	}
	/*
	 * What nobody checks: time, hints, system and "text" flag in the
	 * header, and what fills up the byte before a stored block.
	 */
	EXPECT_EQ(32 + 8 + 8 + 1 + 6, fine);
}

/* One way to spoil a stream of the word "hello" */
static const struct spoiled {
	const char *what;
	unsigned int framing;
	int pos;		/* of the byte, from the end if negative */
	__u8 flip;
} spoiled[] = {
	{ "raw: block type", VACCEL_F_RAW, 0, 0x06 },
	{ "raw: length of stored block", VACCEL_F_RAW, 1, 0x01 },
	{ "raw: check of the length", VACCEL_F_RAW, 4, 0x80 },
	{ "zlib: method", VACCEL_F_ZLIB, 0, 0x01 },
	{ "zlib: window", VACCEL_F_ZLIB, 0, 0x80 },
	{ "zlib: header check", VACCEL_F_ZLIB, 1, 0x01 },
	{ "zlib: Adler-32, first byte", VACCEL_F_ZLIB, -4, 0x80 },
	{ "zlib: Adler-32, last byte", VACCEL_F_ZLIB, -1, 0x01 },
	{ "zlib: contents", VACCEL_F_ZLIB, 9, 0x01 },
	{ "gzip: magic", VACCEL_F_GZIP, 0, 0x01 },
	{ "gzip: magic", VACCEL_F_GZIP, 1, 0x80 },
	{ "gzip: method", VACCEL_F_GZIP, 2, 0x08 },
	{ "gzip: reserved flag", VACCEL_F_GZIP, 3, 0x20 },
	{ "gzip: reserved flag", VACCEL_F_GZIP, 3, 0x40 },
	{ "gzip: reserved flag", VACCEL_F_GZIP, 3, 0x80 },
	{ "gzip: contents", VACCEL_F_GZIP, 17, 0x01 },
	{ "gzip: CRC-32, first byte", VACCEL_F_GZIP, -8, 0x01 },
	{ "gzip: CRC-32, last byte", VACCEL_F_GZIP, -5, 0x80 },
	{ "gzip: size, first byte", VACCEL_F_GZIP, -4, 0x01 },
	{ "gzip: size, last byte", VACCEL_F_GZIP, -1, 0x80 },
};

static void make_hello(struct sample *s, unsigned int framing)
{
	struct ref_bits b;

	*s = (struct sample) { .framing = framing, .len = 5 };
	memcpy(s->data, "hello", 5);
	put_header(s, &b);
	ref_stored(&b, true, "hello", 5);
	put_trailer(s, &b);
}

TEST_F(decompress, every_check_of_header_and_trailer_is_made)
{
	const struct spoiled *sp;
	struct vaccel_desc d;
	size_t pos;

	for (sp = spoiled; sp < spoiled + ARRAY_SIZE(spoiled); sp++) {
		make_hello(&sample, sp->framing);
		inflate_whole(_metadata, &self->vq);

		pos = sp->pos < 0 ? sample.stream_len + sp->pos : sp->pos;
		self->src[pos] ^= sp->flip;
		d = d_inflate(&self->vq, sp->framing, sample.stream_len,
			      OUT_MAX);
		EXPECT_EQ(VACCEL_ST_BAD_DATA, vq_run(&self->vq, &d, NULL)) {
			TH_LOG("%s", sp->what);
		}
	}
}

TEST_F(decompress, zlib_header_with_a_good_check_can_still_be_bad)
{
	/* method 7, window of 64 KiB, preset dictionary */
	static const __u8 headers[][2] = {
		{ 0x77, 0x85 }, { 0x88, 0x1c }, { 0x78, 0x20 },
	};
	struct vaccel_desc d;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(headers); i++) {
		ASSERT_EQ(0, (headers[i][0] << 8 | headers[i][1]) % 31);
		make_hello(&sample, VACCEL_F_ZLIB);
		memcpy(self->src, sample.stream, sample.stream_len);
		memcpy(self->src, headers[i], 2);
		d = d_inflate(&self->vq, VACCEL_F_ZLIB, sample.stream_len,
			      OUT_MAX);
		EXPECT_EQ(VACCEL_ST_BAD_DATA, vq_run(&self->vq, &d, NULL)) {
			TH_LOG("header %u", i);
		}
	}
}

/*
 * The header of a dynamic block: @nlit, @ndist as they are sent, and a code for
 * the lengths that has just the two symbols @a and @b (of those that come first
 * in the header), one bit each: 0 for the smaller one.
 */
static void put_dynamic(struct ref_bits *b, unsigned int nlit,
			unsigned int ndist, unsigned int sym_a,
			unsigned int sym_b)
{
	static const unsigned int order[4] = { 16, 17, 18, 0 };
	int i;

	ref_block(b, true, 2);
	ref_put(b, nlit, 5);
	ref_put(b, ndist, 5);
	ref_put(b, 0, 4);
	for (i = 0; i < 4; i++)
		ref_put(b, order[i] == sym_a || order[i] == sym_b, 3);
}

/* Streams that no encoder makes; false when there are no more */
static bool make_invalid(struct ref_bits *b, unsigned int n, const char **what)
{
	switch (n) {
	case 0:
		*what = "block type 3";
		ref_block(b, true, 3);
		break;
	case 1:
		*what = "distance before the beginning";
		ref_block(b, true, 1);
		ref_fixed_symbol(b, 'a');
		ref_fixed_match(b, 3, 2);
		break;
	case 2:
		*what = "far distance before the beginning";
		ref_block(b, true, 1);
		ref_fixed_symbol(b, 'a');
		ref_fixed_match(b, 258, 32768);
		break;
	case 3:
	case 4:
		*what = "length symbol 286 or 287";
		ref_block(b, true, 1);
		ref_fixed_symbol(b, 'a');
		ref_fixed_symbol(b, 283 + n);
		break;
	case 5:
	case 6:
		*what = "distance symbol 30 or 31";
		ref_block(b, true, 1);
		ref_fixed_symbol(b, 'a');
		ref_fixed_symbol(b, 257);
		ref_put(b, n == 5 ? 0x0f : 0x1f, 5);
		break;
	case 7:
		*what = "287 literal codes";
		put_dynamic(b, 30, 0, 18, 0);
		break;
	case 8:
		*what = "31 distance codes";
		put_dynamic(b, 0, 30, 18, 0);
		break;
	case 9:
		*what = "too many codes of one bit";
		ref_block(b, true, 2);
		ref_put(b, 0, 14);
		for (n = 0; n < 4; n++)
			ref_put(b, 1, 3);
		break;
	case 10:
		*what = "too few codes";
		ref_block(b, true, 2);
		ref_put(b, 0, 14);
		for (n = 0; n < 4; n++)
			ref_put(b, 3, 3);
		break;
	case 11:
		*what = "repetition of what is not there";
		put_dynamic(b, 0, 0, 16, 0);
		ref_put(b, 1, 1);
		ref_put(b, 0, 2);
		break;
	case 12:
		*what = "repetition over the end";
		put_dynamic(b, 0, 0, 18, 0);
		ref_put(b, 1, 1);
		ref_put(b, 127, 7);
		ref_put(b, 1, 1);
		ref_put(b, 127, 7);
		break;
	case 13:
		*what = "no code for the end of the block";
		put_dynamic(b, 0, 0, 18, 0);
		ref_put(b, 1, 1);
		ref_put(b, 138 - 11, 7);
		ref_put(b, 1, 1);
		ref_put(b, 120 - 11, 7);
		break;
	default:
		return false;
	}
	/* more than enough input: it is never for want of that */
	ref_put_bytes(b, "................", 16);
	return true;
}

TEST_F(decompress, an_invalid_stream_is_bad_data)
{
	struct vaccel_desc d;
	struct vq_done done;
	struct ref_bits b;
	const char *what;
	unsigned int n;

	for (n = 0;; n++) {
		ref_bits_init(&b, sample.stream, sizeof(sample.stream));
		if (!make_invalid(&b, n, &what))
			break;
		memcpy(self->src, sample.stream, b.len);
		d = d_inflate(&self->vq, VACCEL_F_RAW, b.len, OUT_MAX);
		EXPECT_EQ(VACCEL_ST_BAD_DATA, vq_run(&self->vq, &d, &done)) {
			TH_LOG("%s", what);
		}
	}
	EXPECT_EQ(14, n);

	/* and the queue is as good as before */
	make_small(&sample, VACCEL_F_RAW);
	inflate_whole(_metadata, &self->vq);
}

TEST_HARNESS_MAIN
