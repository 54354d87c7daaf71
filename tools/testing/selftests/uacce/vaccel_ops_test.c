// SPDX-License-Identifier: GPL-2.0-only
/*
 * NOP, COPY, FILL and CRC32: the right bytes, no others, and which descriptors
 * are refused.
 */
#include <endian.h>

#include "uacce_test.h"
#include "vaccel_ref.h"
#include "vq.h"

#ifndef __LP64__
/* What is 32 bits wide is the user's side, which is the same on any carrier. */
MOSTLY_IN_LANE("sim");
#endif

#define HALF		(VQ_MEM / 2)
#define UNTOUCHED	0xa5

FIXTURE(ops) {
	struct sim sim;
	struct vq vq;
	__u8 *src;		/* HALF bytes each, within vq.mem */
	__u8 *dst;
};

FIXTURE_VARIANT(ops) {
	bool no_sva;
};

FIXTURE_VARIANT_ADD(ops, sva) {};
FIXTURE_VARIANT_ADD(ops, no_sva) { .no_sva = true };

FIXTURE_SETUP(ops)
{
	struct sim_config cfg = { .no_sva = variant->no_sva };

	if (!setup_sim(_metadata, &self->sim, "ksft_ops", &cfg))
		return;
	ASSERT_EQ(0, vq_open(&self->vq, &self->sim));
	ASSERT_EQ(!variant->no_sva, self->vq.sva);
	self->src = self->vq.mem;
	self->dst = self->vq.mem + HALF;
	make_noise(self->src, HALF, 1);
	memset(self->dst, UNTOUCHED, HALF);
}

FIXTURE_TEARDOWN_PARENT(ops)
{
	teardown_sim(_metadata, &self->sim);
}

/* Lengths and misalignments around the sizes that engines work in */
static const size_t lengths[] = { 1, 7, 8, 63, 4095, 4096, 4097, 12289 };
static const size_t shifts[] = { 0, 1, 4095 };

TEST_F(ops, nop_completes_and_touches_nothing)
{
	struct vaccel_desc d = d_nop();
	struct vq_done done;

	EXPECT_EQ(VACCEL_ST_OK, vq_run(&self->vq, &d, &done));
	EXPECT_EQ(0, done.produced);
	EXPECT_EQ(0, done.consumed);
	EXPECT_EQ(0, done.result);
	EXPECT_TRUE(all_bytes(self->dst, HALF, UNTOUCHED));
}

static void copy_once(struct __test_metadata *_metadata, struct vq *vq,
		      __u8 *src, __u8 *dst, size_t len)
{
	struct vaccel_desc d = d_copy(vq, src, dst, len);
	struct vq_done done;

	ASSERT_EQ(VACCEL_ST_OK, vq_run(vq, &d, &done));
	ASSERT_EQ(len, done.produced);
	ASSERT_EQ(len, done.consumed);
	ASSERT_EQ(0, done.result);
	ASSERT_EQ(0, memcmp(src, dst, len));
	/* put back what was there, so that the next call can look again */
	memset(dst, UNTOUCHED, len);
}

TEST_F(ops, copy_moves_just_these_bytes_at_any_alignment)
{
	unsigned int i, from, to;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		for (from = 0; from < ARRAY_SIZE(shifts); from++) {
			for (to = 0; to < ARRAY_SIZE(shifts); to++)
				copy_once(_metadata, &self->vq,
					  self->src + shifts[from],
					  self->dst + shifts[to], lengths[i]);
			ASSERT_TRUE(all_bytes(self->dst, HALF, UNTOUCHED));
		}
	}
}

TEST_F(ops, copy_leaves_the_rest_of_the_destination_alone)
{
	struct vaccel_desc d = d_copy(&self->vq, self->src, self->dst, 5000);
	struct vq_done done;

	d.dst_len = htole32(9000);
	ASSERT_EQ(VACCEL_ST_OK, vq_run(&self->vq, &d, &done));
	EXPECT_EQ(5000, done.produced);
	EXPECT_EQ(0, memcmp(self->src, self->dst, 5000));
	EXPECT_TRUE(all_bytes(self->dst + 5000, HALF - 5000, UNTOUCHED));
}

TEST_F(ops, a_descriptor_sees_what_the_ones_before_it_wrote)
{
	struct vaccel_desc d;
	int i;

	/* hand the block along in steps of 4 KiB, all queued at once */
	ASSERT_EQ(0, sim_hold(&self->sim, "engine", -1));
	for (i = 0; i < 7; i++) {
		d = d_copy(&self->vq, i ? self->dst + (i - 1) * 4096 : self->src,
			   self->dst + i * 4096, 4096);
		ASSERT_EQ(i, vq_submit(&self->vq, &d));
	}
	ASSERT_EQ(0, sim_release(&self->sim, "engine"));
	for (i = 0; i < 7; i++)
		ASSERT_EQ(VACCEL_ST_OK, vq_wait(&self->vq, NULL));
	for (i = 0; i < 7; i++)
		EXPECT_EQ(0, memcmp(self->src, self->dst + i * 4096, 4096));
}

TEST_F(ops, fill_repeats_its_pattern_from_any_start)
{
	static const __u8 pattern[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	unsigned int i, to;
	struct vaccel_desc d;
	struct vq_done done;
	size_t len, pos;
	__u8 *dst;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		for (to = 0; to < ARRAY_SIZE(shifts); to++) {
			len = lengths[i];
			dst = self->dst + shifts[to];
			d = d_fill(&self->vq, dst, len, 0x0807060504030201);
			ASSERT_EQ(VACCEL_ST_OK, vq_run(&self->vq, &d, &done));
			ASSERT_EQ(len, done.produced);
			ASSERT_EQ(0, done.consumed);
			for (pos = 0; pos < len; pos++)
				ASSERT_EQ(pattern[pos % 8], dst[pos]);
			memset(dst, UNTOUCHED, len);
			ASSERT_TRUE(all_bytes(self->dst, HALF, UNTOUCHED));
		}
	}
}

TEST_F(ops, crc32_has_the_published_check_value)
{
	struct vaccel_desc d = d_crc(&self->vq, self->src, 9, 0);
	struct vq_done done;

	memcpy(self->src, "123456789", 9);
	ASSERT_EQ(VACCEL_ST_OK, vq_run(&self->vq, &d, &done));
	EXPECT_EQ(0xcbf43926, done.result);
	EXPECT_EQ(9, done.consumed);
	EXPECT_EQ(0, done.produced);
}

TEST_F(ops, crc32_of_any_length_alignment_and_seed)
{
	static const __u32 seeds[] = { 0, 1, 0x80000000, 0xffffffff };
	unsigned int i, from;
	struct vaccel_desc d;
	struct vq_done done;
	size_t len;
	__u32 seed;
	__u8 *src;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		for (from = 0; from < ARRAY_SIZE(shifts); from++) {
			len = lengths[i];
			src = self->src + shifts[from];
			seed = seeds[(i + from) % ARRAY_SIZE(seeds)];
			d = d_crc(&self->vq, src, len, seed);
			ASSERT_EQ(VACCEL_ST_OK, vq_run(&self->vq, &d, &done));
			ASSERT_EQ(ref_crc32(seed, src, len), done.result);
			ASSERT_EQ(len, done.consumed);
		}
	}
}

TEST_F(ops, crc32_of_pieces_is_that_of_the_whole)
{
	static const size_t cuts[] = { 0, 1, 4095, 4096, 4097, 9999, 10000 };
	__u32 want = ref_crc32(0, self->src, 10000);
	struct vaccel_desc d;
	struct vq_done done;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cuts); i++) {
		d = d_crc(&self->vq, self->src, cuts[i], 0);
		ASSERT_EQ(VACCEL_ST_OK, vq_run(&self->vq, &d, &done));
		d = d_crc(&self->vq, self->src + cuts[i], 10000 - cuts[i],
			  done.result);
		ASSERT_EQ(VACCEL_ST_OK, vq_run(&self->vq, &d, &done));
		EXPECT_EQ(want, done.result);
	}
}

TEST_F(ops, zero_length_does_nothing_at_whatever_address)
{
	const __u64 nowhere = 0xdead00000000beef;
	struct vaccel_desc d;
	struct vq_done done;

	d = d_raw(VACCEL_OP_COPY, nowhere, 0, nowhere, 0);
	EXPECT_EQ(VACCEL_ST_OK, vq_run(&self->vq, &d, &done));
	EXPECT_EQ(0, done.produced);

	d = d_raw(VACCEL_OP_FILL, 0, 0, nowhere, 0);
	EXPECT_EQ(VACCEL_ST_OK, vq_run(&self->vq, &d, &done));
	EXPECT_EQ(0, done.produced);

	d = d_raw(VACCEL_OP_CRC32, nowhere, 0, 0, 0);
	d.param = htole64(0x12345678);
	EXPECT_EQ(VACCEL_ST_OK, vq_run(&self->vq, &d, &done));
	EXPECT_EQ(0x12345678, done.result);
}

TEST_F(ops, compressed_data_decompresses_to_the_same)
{
	static const unsigned int framings[] = {
		VACCEL_F_RAW, VACCEL_F_ZLIB, VACCEL_F_GZIP
	};
	__u8 *back = self->dst + HALF / 2;
	struct vaccel_desc d;
	struct vq_done done;
	unsigned int i;

	make_text(self->src, 12000, 1);
	for (i = 0; i < ARRAY_SIZE(framings); i++) {
		memset(self->dst, UNTOUCHED, HALF);
		d = d_flate(&self->vq, VACCEL_OP_COMPRESS, framings[i],
			    self->src, 12000, self->dst, HALF / 2);
		ASSERT_EQ(VACCEL_ST_OK, vq_run(&self->vq, &d, &done));
		ASSERT_LT(done.produced, 6000);
		d = d_flate(&self->vq, VACCEL_OP_DECOMPRESS, framings[i],
			    self->dst, done.produced, back, HALF / 2);
		ASSERT_EQ(VACCEL_ST_OK, vq_run(&self->vq, &d, &done));
		EXPECT_EQ(12000, done.produced);
		EXPECT_EQ(ref_crc32(0, self->src, 12000), done.result);
		EXPECT_EQ(0, memcmp(self->src, back, 12000));
	}
}

TEST_F(ops, unknown_opcode_is_refused)
{
	static const unsigned int opcodes[] = { 6, 7, 31, 64, 127, 128, 255 };
	struct vaccel_desc d = d_copy(&self->vq, self->src, self->dst, 8);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(opcodes); i++) {
		d.opcode = opcodes[i];
		EXPECT_EQ(VACCEL_ST_BAD_OPCODE, vq_run(&self->vq, &d, NULL)) {
			TH_LOG("opcode %u", opcodes[i]);
		}
	}
	EXPECT_TRUE(all_bytes(self->dst, HALF, UNTOUCHED));
}

/* A descriptor of each operation that works */
static struct vaccel_desc example(const struct vq *vq, unsigned int opcode)
{
	__u8 *src = vq->mem, *dst = vq->mem + HALF;

	switch (opcode) {
	case VACCEL_OP_COPY:
		return d_copy(vq, src, dst, 8);
	case VACCEL_OP_FILL:
		return d_fill(vq, dst, 8, 0x1111111111111111);
	case VACCEL_OP_CRC32:
		return d_crc(vq, src, 8, 7);
	case VACCEL_OP_COMPRESS:
		return d_flate(vq, opcode, VACCEL_F_RAW, src, 8, dst, 100);
	case VACCEL_OP_DECOMPRESS:
		return d_flate(vq, opcode, VACCEL_F_RAW, src, 0, dst, 100);
	default:
		return d_nop();
	}
}

TEST_F(ops, a_field_that_must_not_be_set_is_refused)
{
	struct vaccel_desc good, d;
	unsigned int op, bit;

#define REFUSED(_field, _value) do {					\
		d = good;						\
		d._field = (_value);					\
		EXPECT_EQ(VACCEL_ST_BAD_FIELD, vq_run(&self->vq, &d, NULL)) { \
			TH_LOG("opcode %u, " #_field " " #_value, op);	\
		}							\
	} while (0)

	for (op = VACCEL_OP_NOP; op <= VACCEL_OP_DECOMPRESS; op++) {
		good = example(&self->vq, op);
		ASSERT_LE(vq_run(&self->vq, &good, NULL), VACCEL_ST_MORE);
		memset(self->dst, UNTOUCHED, HALF);
		/* an empty stream of its own: CONTINUE finds nothing below */
		if (op == VACCEL_OP_DECOMPRESS)
			ASSERT_EQ(0, vq_restart(&self->vq));

		REFUSED(reserved0, htole16(1));
		REFUSED(reserved0, htole16(0x8000));
		REFUSED(reserved1[0], htole64(1));
		REFUSED(reserved1[1], htole64(1ULL << 63));

		if (op == VACCEL_OP_COMPRESS) {
			REFUSED(level, htole32(10));
			REFUSED(level, htole32(0x80000000));
		} else {
			REFUSED(level, htole32(1));
		}

		if (op == VACCEL_OP_CRC32) {
			REFUSED(param, htole64(1ULL << 32));
		} else if (op != VACCEL_OP_FILL) {
			REFUSED(param, htole64(1));
			REFUSED(param, htole64(1ULL << 63));
		}

		if (op == VACCEL_OP_NOP || op == VACCEL_OP_FILL) {
			REFUSED(src, good.dst | htole64(4096));
			REFUSED(src_len, htole32(1));
		}
		if (op == VACCEL_OP_NOP || op == VACCEL_OP_CRC32) {
			REFUSED(dst, good.src | htole64(4096));
			REFUSED(dst_len, htole32(1));
		}

		for (bit = 0x10; bit <= 0x80; bit <<= 1)
			REFUSED(flags, bit);
		if (op == VACCEL_OP_COMPRESS) {
			REFUSED(flags, VACCEL_F_CONTINUE);
			REFUSED(flags, VACCEL_F_PARTIAL | VACCEL_F_ZLIB);
			REFUSED(flags, VACCEL_F_PARTIAL | VACCEL_F_GZIP);
			REFUSED(flags, VACCEL_F_FRAMING);
		} else if (op == VACCEL_OP_DECOMPRESS) {
			REFUSED(flags, VACCEL_F_PARTIAL);
			REFUSED(flags, VACCEL_F_FRAMING);
			REFUSED(flags, VACCEL_F_CONTINUE);
		} else {
			for (bit = 1; bit <= 8; bit <<= 1)
				REFUSED(flags, bit);
		}
		EXPECT_TRUE(all_bytes(self->dst, HALF, UNTOUCHED));
	}
#undef REFUSED
}

TEST_F(ops, a_length_over_the_limit_is_refused)
{
	static const __u32 too_long[] = {
		VACCEL_MAX_LEN + 1, 0x80000000, 0xffffffff
	};
	struct vaccel_desc d;
	unsigned int op, i;

	for (op = VACCEL_OP_COPY; op <= VACCEL_OP_DECOMPRESS; op++) {
		for (i = 0; i < ARRAY_SIZE(too_long); i++) {
			d = example(&self->vq, op);
			if (op != VACCEL_OP_CRC32) {
				d.dst_len = htole32(too_long[i]);
				EXPECT_EQ(VACCEL_ST_BAD_LEN,
					  vq_run(&self->vq, &d, NULL)) {
					TH_LOG("opcode %u dst_len %u", op, i);
				}
			}

			/* COPY: so that it is not the order that is wrong */
			if (op != VACCEL_OP_COPY)
				d = example(&self->vq, op);
			if (op != VACCEL_OP_FILL) {
				d.src_len = htole32(too_long[i]);
				EXPECT_EQ(VACCEL_ST_BAD_LEN,
					  vq_run(&self->vq, &d, NULL)) {
					TH_LOG("opcode %u src_len %u", op, i);
				}
			}
		}
	}
	EXPECT_TRUE(all_bytes(self->dst, HALF, UNTOUCHED));
}

TEST_F(ops, copy_to_too_short_a_destination_is_refused)
{
	struct vaccel_desc d = d_copy(&self->vq, self->src, self->dst, 100);

	d.dst_len = htole32(99);
	EXPECT_EQ(VACCEL_ST_BAD_LEN, vq_run(&self->vq, &d, NULL));
	d.dst_len = 0;
	EXPECT_EQ(VACCEL_ST_BAD_LEN, vq_run(&self->vq, &d, NULL));
	EXPECT_TRUE(all_bytes(self->dst, HALF, UNTOUCHED));
}

TEST_F(ops, opcode_is_checked_before_fields_and_those_before_lengths)
{
	struct vaccel_desc d = d_copy(&self->vq, self->src, self->dst, 8);

	d.dst_len = 0;
	EXPECT_EQ(VACCEL_ST_BAD_LEN, vq_run(&self->vq, &d, NULL));
	d.level = htole32(1);
	EXPECT_EQ(VACCEL_ST_BAD_FIELD, vq_run(&self->vq, &d, NULL));
	d.opcode = 200;
	EXPECT_EQ(VACCEL_ST_BAD_OPCODE, vq_run(&self->vq, &d, NULL));
}

TEST_F(ops, a_refused_descriptor_does_not_stop_those_behind_it)
{
	struct vaccel_desc bad = d_nop();
	struct vaccel_desc good = d_copy(&self->vq, self->src, self->dst, 100);
	int i;

	bad.opcode = 99;
	for (i = 0; i < 20; i++)
		ASSERT_EQ(i, vq_submit(&self->vq, i % 2 ? &good : &bad));
	for (i = 0; i < 20; i++)
		EXPECT_EQ(i % 2 ? VACCEL_ST_OK : VACCEL_ST_BAD_OPCODE,
			  vq_wait(&self->vq, NULL));
	EXPECT_EQ(0, memcmp(self->src, self->dst, 100));
	EXPECT_EQ(10, sim_stat(&self->sim, "errors"));
	EXPECT_EQ(20, sim_stat(&self->sim, "completions"));
}

/* Without SVA, addresses are offsets, and the data area is all there is */
FIXTURE(offsets) {
	struct sim sim;
	struct vq vq;
};

FIXTURE_SETUP(offsets)
{
	struct sim_config cfg = { .no_sva = true };

	if (!setup_sim(_metadata, &self->sim, "ksft_offsets", &cfg))
		return;
	ASSERT_EQ(0, vq_open(&self->vq, &self->sim));
	memset(self->vq.mem, UNTOUCHED, VQ_MEM);
}

FIXTURE_TEARDOWN_PARENT(offsets)
{
	teardown_sim(_metadata, &self->sim);
}

#define AREA	((__u64)VACCEL_DATA_OFFSET)
#define END	((__u64)VACCEL_DUS_SIZE)

TEST_F(offsets, the_whole_data_area_can_be_used)
{
	struct vaccel_desc d;
	struct vq_done done;

	d = d_raw(VACCEL_OP_FILL, 0, 0, AREA, END - AREA);
	EXPECT_EQ(VACCEL_ST_OK, vq_run(&self->vq, &d, NULL));
	EXPECT_TRUE(all_bytes(self->vq.mem, VQ_MEM, 0));

	self->vq.mem[0] = 'a';
	self->vq.mem[VQ_MEM - 1] = 'z';
	d = d_raw(VACCEL_OP_CRC32, AREA, END - AREA, 0, 0);
	EXPECT_EQ(VACCEL_ST_OK, vq_run(&self->vq, &d, &done));
	EXPECT_EQ(ref_crc32(0, self->vq.mem, VQ_MEM), done.result);

	/* the last byte to the first */
	d = d_raw(VACCEL_OP_COPY, END - 1, 1, AREA, 1);
	EXPECT_EQ(VACCEL_ST_OK, vq_run(&self->vq, &d, NULL));
	EXPECT_EQ('z', self->vq.mem[0]);
}

TEST_F(offsets, nothing_outside_the_data_area_can_be_used)
{
	static const struct {
		__u64 offset;
		__u32 len;
	} outside[] = {
		{ 0, 1 },
		{ VACCEL_SQ_OFFSET, 64 },
		{ VACCEL_CQ_OFFSET, 32 },
		{ AREA - 1, 1 },
		{ AREA - 1, 2 },
		{ AREA, END - AREA + 1 },
		{ AREA + 1, END - AREA },
		{ END - 1, 2 },
		{ END, 1 },
		{ END + 4096, 1 },
		{ AREA, VACCEL_MAX_LEN },
		{ 1ULL << 32 | AREA, 1 },
		{ 1ULL << 63, 1 },
		{ -1ULL, 1 },
		{ -1ULL, 2 },
		{ -AREA, 2 * AREA + 1 },
		{ -4096ULL, 0x20000 },
	};
	struct vaccel_desc d;
	unsigned int op, i;

	for (i = 0; i < ARRAY_SIZE(outside); i++) {
		for (op = VACCEL_OP_COPY; op <= VACCEL_OP_DECOMPRESS; op++) {
			/* as source */
			d = d_raw(op, outside[i].offset, outside[i].len,
				  AREA, END - AREA);
			if (op == VACCEL_OP_COPY)
				d.dst_len = htole32(VACCEL_MAX_LEN);
			if (op == VACCEL_OP_CRC32) {
				d.dst = 0;
				d.dst_len = 0;
			}
			if (op != VACCEL_OP_FILL)
				EXPECT_EQ(VACCEL_ST_BAD_LEN,
					  vq_run(&self->vq, &d, NULL)) {
					TH_LOG("opcode %u src %u", op, i);
				}
			/* as destination, of which not all need be used */
			d = d_raw(op, AREA, 1, outside[i].offset,
				  outside[i].len);
			if (op == VACCEL_OP_FILL) {
				d.src = 0;
				d.src_len = 0;
			}
			if (op != VACCEL_OP_CRC32)
				EXPECT_EQ(VACCEL_ST_BAD_LEN,
					  vq_run(&self->vq, &d, NULL)) {
					TH_LOG("opcode %u dst %u", op, i);
				}
		}
	}
	EXPECT_TRUE(all_bytes(self->vq.mem, VQ_MEM, UNTOUCHED));
}

TEST_HARNESS_MAIN
