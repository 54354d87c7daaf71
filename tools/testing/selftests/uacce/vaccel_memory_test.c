// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a device with SVA sees: the memory of its process as the process has it at
 * that moment, whatever kind of memory it is, and not a byte more.
 */
#include <endian.h>
#include <sys/wait.h>
#include <unistd.h>

#include "uacce_test.h"
#include "usermem.h"
#include "vaccel_ref.h"
#include "vq.h"

FIXTURE(memory) {
	struct sim sim;
	struct vq vq;
};

FIXTURE_SETUP(memory)
{
	struct sim_config cfg = {};

	if (!setup_sim(_metadata, &self->sim, "ksft_memory", &cfg))
		return;
	ASSERT_EQ(PAGE, getpagesize());
	ASSERT_EQ(0, vq_open(&self->vq, &self->sim));
	ASSERT_TRUE(self->vq.sva);
}

FIXTURE_TEARDOWN_PARENT(memory)
{
	teardown_sim(_metadata, &self->sim);
}

TEST_F(memory, untouched_pages_are_brought_in_one_fault_each)
{
	__u8 *p = fresh(16);

	ASSERT_EQ(0, sim_stat(&self->sim, "page_faults"));
	ASSERT_EQ(VACCEL_ST_OK, dev_fill(&self->vq, p, 16 * PAGE, 'f'));
	EXPECT_EQ(16, sim_stat(&self->sim, "page_faults"));
	EXPECT_TRUE(all_bytes(p, 16 * PAGE, 'f'));

	/* those that are there need none */
	ASSERT_EQ(VACCEL_ST_OK, dev_fill(&self->vq, p, 16 * PAGE, 'g'));
	EXPECT_EQ(16, sim_stat(&self->sim, "page_faults"));
	EXPECT_EQ(0, sim_stat(&self->sim, "page_faults_failed"));
	EXPECT_TRUE(all_bytes(p, 16 * PAGE, 'g'));
}

TEST_F(memory, untouched_pages_are_zeros_to_read_and_still_writable)
{
	__u8 *src = fresh(4), *dst = fresh(4);

	memset(dst, 0xff, 4 * PAGE);
	ASSERT_EQ(VACCEL_ST_OK, dev_copy(&self->vq, src, dst, 4 * PAGE));
	EXPECT_TRUE(all_bytes(dst, 4 * PAGE, 0));

	/* the zero page is everybody's: a write must not go there */
	ASSERT_EQ(VACCEL_ST_OK, dev_fill(&self->vq, src, 4 * PAGE, 'w'));
	EXPECT_TRUE(all_bytes(src, 4 * PAGE, 'w'));
	EXPECT_TRUE(all_bytes(fresh(4), 4 * PAGE, 0));
}

TEST_F(memory, any_pointer_of_the_process_will_do)
{
	static const char constant[] = "constants in the program's text";
	static char zeroed[200], initialized[200] = "x";
	char *heap = malloc(200);
	char stack[200];

	ASSERT_NE(NULL, heap);
	ASSERT_EQ(VACCEL_ST_OK, dev_copy(&self->vq, constant, stack,
					 sizeof(constant)));
	EXPECT_STREQ(constant, stack);
	ASSERT_EQ(VACCEL_ST_OK, dev_copy(&self->vq, stack, heap,
					 sizeof(constant)));
	EXPECT_STREQ(constant, heap);
	ASSERT_EQ(VACCEL_ST_OK, dev_copy(&self->vq, heap, zeroed,
					 sizeof(constant)));
	EXPECT_STREQ(constant, zeroed);
	ASSERT_EQ(VACCEL_ST_OK, dev_copy(&self->vq, zeroed, initialized,
					 sizeof(constant)));
	EXPECT_STREQ(constant, initialized);
	free(heap);
}

TEST_F(memory, after_fork_the_device_writes_to_the_parents_copy)
{
	__u8 *p = fresh(4);
	struct peer child;

	memset(p, 'p', 4 * PAGE);
	ASSERT_EQ(0, peer_start(&child));
	ASSERT_EQ(VACCEL_ST_OK, dev_fill(&self->vq, p, 4 * PAGE, 'd'));
	EXPECT_TRUE(all_bytes(p, 4 * PAGE, 'd'));
	EXPECT_EQ(1, peer_call(&child, peer_peek, (long)p, 4 * PAGE, 'p'));
	EXPECT_EQ(0, peer_exit(&child));
}

TEST_F(memory, after_fork_the_device_does_not_see_the_childs_writes)
{
	__u8 *p = fresh(4);
	struct peer child;

	memset(p, 'p', 4 * PAGE);
	ASSERT_EQ(0, peer_start(&child));
	EXPECT_EQ(0, peer_call(&child, peer_poke, (long)p, 4 * PAGE, 'c'));
	EXPECT_TRUE(dev_sees(&self->vq, p, 4 * PAGE, 'p'));
	EXPECT_EQ(1, peer_call(&child, peer_peek, (long)p, 4 * PAGE, 'c'));
	EXPECT_EQ(0, peer_exit(&child));
}

TEST_F(memory, shared_memory_is_shared_with_the_device_too)
{
	__u8 *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct peer child;

	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, peer_start(&child));
	ASSERT_EQ(VACCEL_ST_OK, dev_fill(&self->vq, p, 4 * PAGE, 'd'));
	EXPECT_EQ(1, peer_call(&child, peer_peek, (long)p, 4 * PAGE, 'd'));
	EXPECT_EQ(0, peer_call(&child, peer_poke, (long)p, 4 * PAGE, 'c'));
	EXPECT_TRUE(dev_sees(&self->vq, p, 4 * PAGE, 'c'));
	EXPECT_EQ(0, peer_exit(&child));
}

TEST_F(memory, writes_to_a_shared_file_mapping_reach_the_file)
{
	int fd = memory_file(4);
	__u8 *p = map_file(fd, 4, PROT_READ | PROT_WRITE, MAP_SHARED);
	__u8 buf[100];

	ASSERT_EQ(VACCEL_ST_OK, dev_fill(&self->vq, p + PAGE - 50, 100, 'd'));
	ASSERT_EQ(100, pread(fd, buf, 100, PAGE - 50));
	EXPECT_TRUE(all_bytes(buf, 100, 'd'));

	memset(buf, 'w', 100);
	ASSERT_EQ(100, pwrite(fd, buf, 100, 2 * PAGE));
	EXPECT_TRUE(dev_sees(&self->vq, p + 2 * PAGE, 100, 'w'));
}

TEST_F(memory, writes_to_a_private_file_mapping_do_not)
{
	int fd = memory_file(2);
	__u8 *p = map_file(fd, 2, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	__u8 buf[PAGE];

	memset(buf, 'f', PAGE);
	ASSERT_EQ(PAGE, pwrite(fd, buf, PAGE, 0));
	EXPECT_TRUE(dev_sees(&self->vq, p, PAGE, 'f'));
	ASSERT_EQ(VACCEL_ST_OK, dev_fill(&self->vq, p, 2 * PAGE, 'd'));
	EXPECT_TRUE(all_bytes(p, 2 * PAGE, 'd'));
	ASSERT_EQ(PAGE, pread(fd, buf, PAGE, 0));
	EXPECT_TRUE(all_bytes(buf, PAGE, 'f'));
	ASSERT_EQ(PAGE, pread(fd, buf, PAGE, PAGE));
	EXPECT_TRUE(all_bytes(buf, PAGE, 0));
}

TEST_F(memory, a_program_file_can_be_read_and_not_written)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	__u8 *p = map_file(fd, 5, PROT_READ, MAP_SHARED);
	struct vaccel_desc d = d_crc(&self->vq, p, 5 * PAGE, 0);
	static __u8 buf[5 * PAGE];
	struct vq_done done;

	ASSERT_EQ(sizeof(buf), read(fd, buf, sizeof(buf)));
	ASSERT_EQ(VACCEL_ST_OK, vq_run(&self->vq, &d, &done));
	EXPECT_EQ(ref_crc32(0, buf, sizeof(buf)), done.result);
	EXPECT_EQ(0, dev_no_write(&self->vq, p + 10, 10, p + 10));
	EXPECT_EQ(0, memcmp(p, buf, sizeof(buf)));
}

TEST_F(memory, behind_the_end_of_a_file_is_a_fault)
{
	int fd = memory_file(1);
	__u8 *p = map_file(fd, 2, PROT_READ | PROT_WRITE, MAP_SHARED);

	EXPECT_EQ(0, dev_no_write(&self->vq, p, 2 * PAGE, p + PAGE));
	EXPECT_EQ(0, dev_no_read(&self->vq, p + PAGE - 1, 2, p + PAGE));
	/* until it is there */
	ASSERT_EQ(0, ftruncate(fd, 2 * PAGE));
	EXPECT_EQ(VACCEL_ST_OK, dev_fill(&self->vq, p, 2 * PAGE, 'd'));
}

TEST_F(memory, a_transparent_huge_page_comes_in_one_fault)
{
	const char *name = "/sys/kernel/mm/transparent_hugepage/enabled";
	__u8 *p, *huge;
	char buf[64];

	if (read_file(name, buf, sizeof(buf)) < 0 || strstr(buf, "[never]"))
		SKIP(return, "no transparent huge pages");

	p = mmap(NULL, 2 * HUGE_SIZE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	huge = (__u8 *)(((unsigned long)p + HUGE_SIZE - 1) & -HUGE_SIZE);
	ASSERT_EQ(0, madvise(huge, HUGE_SIZE, MADV_HUGEPAGE));

	ASSERT_EQ(VACCEL_ST_OK, dev_fill(&self->vq, huge + HUGE_SIZE / 2,
					 40 * PAGE, 'h'));
	EXPECT_EQ(1, sim_stat(&self->sim, "page_faults"));
	EXPECT_TRUE(all_bytes(huge + HUGE_SIZE / 2, 40 * PAGE, 'h'));
	EXPECT_TRUE(all_bytes(huge, HUGE_SIZE / 2, 0));

	/* in pieces */
	ASSERT_EQ(0, mprotect(huge + HUGE_SIZE / 2 + 8 * PAGE, PAGE,
			      PROT_READ));
	EXPECT_EQ(0, dev_no_write(&self->vq, huge + HUGE_SIZE / 2, 40 * PAGE,
				  huge + HUGE_SIZE / 2 + 8 * PAGE));
	EXPECT_TRUE(dev_sees(&self->vq, huge + HUGE_SIZE / 2 + 8 * PAGE,
			     32 * PAGE, 'h'));
}

TEST_F(memory, hugetlb_pages_work)
{
	const char *nr = "/proc/sys/vm/nr_hugepages";
	char before[32];
	__u8 *p;

	if (read_file(nr, before, sizeof(before)) < 0)
		SKIP(return, "no hugetlb pages");
	write_file(nr, "2");
	p = mmap(NULL, HUGE_SIZE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (p == MAP_FAILED) {
		write_file(nr, before);
		SKIP(return, "no memory for a hugetlb page");
	}

	EXPECT_EQ(VACCEL_ST_OK, dev_fill(&self->vq, p + 3, 40 * PAGE, 'h'));
	EXPECT_EQ(1, sim_stat(&self->sim, "page_faults"));
	EXPECT_TRUE(all_bytes(p + 3, 40 * PAGE, 'h'));
	EXPECT_TRUE(dev_sees(&self->vq, p + 3, 40 * PAGE, 'h'));
	EXPECT_EQ(0, munmap(p, HUGE_SIZE));
	write_file(nr, before);
}

TEST_F(memory, a_fault_tells_the_first_byte_out_of_reach)
{
	static const size_t starts[] = { 0, 1, PAGE - 1, PAGE, PAGE + 77 };
	__u8 *none = fresh(3), *hole = fresh(3), *ro = fresh(3);
	const __u8 *first;
	unsigned int i;

	/* the page in the middle is the bad one */
	memset(none, 1, 3 * PAGE);
	memset(hole, 1, 3 * PAGE);
	memset(ro, 1, 3 * PAGE);
	ASSERT_EQ(0, mprotect(none + PAGE, PAGE, PROT_NONE));
	ASSERT_EQ(0, munmap(hole + PAGE, PAGE));
	ASSERT_EQ(0, mprotect(ro + PAGE, PAGE, PROT_READ));

	for (i = 0; i < ARRAY_SIZE(starts); i++) {
		first = none + (starts[i] < PAGE ? PAGE : starts[i]);
		EXPECT_EQ(0, dev_no_read(&self->vq, none + starts[i],
					 3 * PAGE - starts[i], first));
		EXPECT_EQ(0, dev_no_write(&self->vq, none + starts[i],
					  3 * PAGE - starts[i], first));

		first = hole + (starts[i] < PAGE ? PAGE : starts[i]);
		EXPECT_EQ(0, dev_no_read(&self->vq, hole + starts[i],
					 3 * PAGE - starts[i], first));
		EXPECT_EQ(0, dev_no_write(&self->vq, hole + starts[i],
					  3 * PAGE - starts[i], first));

		first = ro + (starts[i] < PAGE ? PAGE : starts[i]);
		EXPECT_EQ(0, dev_no_write(&self->vq, ro + starts[i],
					  3 * PAGE - starts[i], first));
	}
	EXPECT_TRUE(all_bytes(ro + PAGE, PAGE, 1));

	/* what lies before, and behind, can be used */
	EXPECT_EQ(VACCEL_ST_OK, dev_fill(&self->vq, ro, PAGE, 2));
	EXPECT_EQ(VACCEL_ST_OK, dev_fill(&self->vq, hole + 2 * PAGE, PAGE, 2));
	EXPECT_TRUE(dev_sees(&self->vq, ro + PAGE, PAGE, 1));
}

TEST_F(memory, copy_says_which_of_its_buffers_was_bad)
{
	__u8 *good = fresh(2), *bad = fresh(2);
	struct vaccel_desc d;

	ASSERT_EQ(0, munmap(bad + PAGE, PAGE));
	d = d_copy(&self->vq, bad + 100, good, PAGE);
	EXPECT_EQ(0, dev_fault(&self->vq, &d, VACCEL_ST_FAULT_READ,
			       (unsigned long)bad + PAGE));
	d = d_copy(&self->vq, good, bad + 100, PAGE);
	EXPECT_EQ(0, dev_fault(&self->vq, &d, VACCEL_ST_FAULT_WRITE,
			       (unsigned long)bad + PAGE));
}

TEST_F(memory, addresses_outside_user_space_are_faults)
{
	static const __u64 addrs[] = {
		0, 1, 0xfff,
		0x00007ffffffff000,	/* behind the last page of a process */
		0x0000800000000000,	/* not canonical */
		0x1234567890abcdef,
		0xffff800000000000,	/* the kernel's */
		0xffff888000000000,
		0xffffffff81000000,
		0xfffffffffffff000,
		0xfffffffffffffff8,	/* up to the very end */
	};
	struct vaccel_desc d;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(addrs); i++) {
		d = d_raw(VACCEL_OP_CRC32, addrs[i], 8, 0, 0);
		EXPECT_EQ(0, dev_fault(&self->vq, &d, VACCEL_ST_FAULT_READ,
				       addrs[i]));
		d = d_raw(VACCEL_OP_FILL, 0, 0, addrs[i], 8);
		EXPECT_EQ(0, dev_fault(&self->vq, &d, VACCEL_ST_FAULT_WRITE,
				       addrs[i]));
	}
}

TEST_F(memory, a_buffer_does_not_go_around_the_end_of_the_address_space)
{
	static const struct {
		__u64 addr;
		__u32 len;
	} around[] = {
		{ -1ULL, 2 },
		{ -8ULL, 9 },
		{ -(__u64)PAGE, PAGE + 1 },
		{ -(__u64)PAGE, VACCEL_MAX_LEN },
	};
	struct vaccel_desc d;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(around); i++) {
		d = d_raw(VACCEL_OP_CRC32, around[i].addr, around[i].len, 0, 0);
		EXPECT_EQ(VACCEL_ST_BAD_LEN, vq_run(&self->vq, &d, NULL));
		d = d_raw(VACCEL_OP_FILL, 0, 0, around[i].addr, around[i].len);
		EXPECT_EQ(VACCEL_ST_BAD_LEN, vq_run(&self->vq, &d, NULL));
	}
}

TEST_F(memory, the_longest_length_is_a_length)
{
	__u8 *p = fresh(2);

	/* not refused: the device goes as far as it can */
	ASSERT_EQ(0, munmap(p + PAGE, PAGE));
	EXPECT_EQ(0, dev_no_read(&self->vq, p, VACCEL_MAX_LEN, p + PAGE));
}

TEST_F(memory, what_is_not_needed_need_not_be_there)
{
	__u8 *src = fresh(2), *dst = fresh(2);
	struct vaccel_desc d;
	struct ref_bits b;
	__u8 stream[64];

	make_text(src, PAGE, 1);
	ASSERT_EQ(0, munmap(src + PAGE, PAGE));
	ASSERT_EQ(0, munmap(dst + PAGE, PAGE));

	d = d_copy(&self->vq, src, dst, PAGE);
	d.dst_len = htole32(5 * PAGE);
	EXPECT_EQ(VACCEL_ST_OK, vq_run(&self->vq, &d, NULL));

	d = d_flate(&self->vq, VACCEL_OP_COMPRESS, VACCEL_F_GZIP, src, PAGE,
		    dst, 5 * PAGE);
	EXPECT_EQ(VACCEL_ST_OK, vq_run(&self->vq, &d, NULL));

	/* a stream that ends with the page */
	ref_bits_init(&b, stream, sizeof(stream));
	ref_stored(&b, true, "hello", 5);
	memcpy(src + PAGE - b.len, stream, b.len);
	d = d_flate(&self->vq, VACCEL_OP_DECOMPRESS, VACCEL_F_RAW,
		    src + PAGE - b.len, 1000, dst, 5 * PAGE);
	EXPECT_EQ(VACCEL_ST_OK, vq_run(&self->vq, &d, NULL));
	EXPECT_EQ(0, memcmp(dst, "hello", 5));
}

TEST_F(memory, compress_and_decompress_between_untouched_buffers)
{
	const size_t len = 50 * PAGE + 123;
	__u8 *text = fresh(51), *packed = fresh(51), *back = fresh(51);
	struct vaccel_desc d;
	struct vq_done done;
	size_t out;

	make_text(text, len, 3);
	d = d_flate(&self->vq, VACCEL_OP_COMPRESS, VACCEL_F_GZIP, text, len,
		    packed + 1, 50 * PAGE);
	ASSERT_EQ(VACCEL_ST_OK, vq_run(&self->vq, &d, &done));
	out = done.produced;
	EXPECT_LT(out, len / 2);
	EXPECT_EQ(ref_crc32(0, text, len), done.result);

	d = d_flate(&self->vq, VACCEL_OP_DECOMPRESS, VACCEL_F_GZIP, packed + 1,
		    out, back, 51 * PAGE);
	ASSERT_EQ(VACCEL_ST_OK, vq_run(&self->vq, &d, &done));
	EXPECT_EQ(len, done.produced);
	EXPECT_EQ(0, memcmp(text, back, len));
}

TEST_F(memory, memory_that_was_unmapped_is_gone_and_what_follows_is_new)
{
	long before;
	__u8 *p = fresh(2);

	ASSERT_EQ(VACCEL_ST_OK, dev_fill(&self->vq, p, 2 * PAGE, 'o'));
	before = sim_stat(&self->sim, "invalidations");
	ASSERT_EQ(0, munmap(p, 2 * PAGE));
	EXPECT_LT(before, sim_stat(&self->sim, "invalidations"));
	EXPECT_EQ(0, dev_no_read(&self->vq, p, 2 * PAGE, p));
	EXPECT_EQ(0, dev_no_write(&self->vq, p, 2 * PAGE, p));

	ASSERT_EQ(p, mmap(p, 2 * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	EXPECT_TRUE(dev_sees(&self->vq, p, 2 * PAGE, 0));
	ASSERT_EQ(VACCEL_ST_OK, dev_fill(&self->vq, p, 2 * PAGE, 'n'));
	EXPECT_TRUE(all_bytes(p, 2 * PAGE, 'n'));
}

TEST_F(memory, protection_changes_take_effect_at_once)
{
	__u8 *p = fresh(2);

	ASSERT_EQ(VACCEL_ST_OK, dev_fill(&self->vq, p, 2 * PAGE, 'a'));
	ASSERT_EQ(0, mprotect(p, 2 * PAGE, PROT_READ));
	EXPECT_EQ(0, dev_no_write(&self->vq, p, 2 * PAGE, p));
	EXPECT_TRUE(dev_sees(&self->vq, p, 2 * PAGE, 'a'));

	ASSERT_EQ(0, mprotect(p, 2 * PAGE, PROT_NONE));
	EXPECT_EQ(0, dev_no_read(&self->vq, p + 9, 9, p + 9));

	ASSERT_EQ(0, mprotect(p, 2 * PAGE, PROT_READ | PROT_WRITE));
	EXPECT_TRUE(all_bytes(p, 2 * PAGE, 'a'));
	ASSERT_EQ(VACCEL_ST_OK, dev_fill(&self->vq, p, 2 * PAGE, 'b'));
	EXPECT_TRUE(all_bytes(p, 2 * PAGE, 'b'));
}

TEST_F(memory, thrown_away_pages_are_zeros_again)
{
	__u8 *p = fresh(2);

	ASSERT_EQ(VACCEL_ST_OK, dev_fill(&self->vq, p, 2 * PAGE, 'a'));
	ASSERT_EQ(0, madvise(p, 2 * PAGE, MADV_DONTNEED));
	EXPECT_TRUE(dev_sees(&self->vq, p, 2 * PAGE, 0));
	ASSERT_EQ(VACCEL_ST_OK, dev_fill(&self->vq, p, 2 * PAGE, 'b'));
	EXPECT_TRUE(all_bytes(p, 2 * PAGE, 'b'));
}

TEST_F(memory, moved_memory_is_found_at_its_new_place_only)
{
	__u8 *p = fresh(2), *new;

	ASSERT_EQ(VACCEL_ST_OK, dev_fill(&self->vq, p, 2 * PAGE, 'm'));
	new = mremap(p, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		     fresh(4));
	ASSERT_NE(MAP_FAILED, new);
	EXPECT_TRUE(dev_sees(&self->vq, new, 2 * PAGE, 'm'));
	EXPECT_EQ(0, dev_no_read(&self->vq, p, 8, p));
	ASSERT_EQ(VACCEL_ST_OK, dev_fill(&self->vq, new, 4 * PAGE, 'n'));
	EXPECT_TRUE(all_bytes(new, 4 * PAGE, 'n'));
}

TEST_F(memory, memory_can_go_in_the_middle_of_a_descriptor)
{
	struct vq_done done;
	__u8 *p = fresh(8);

	memset(p, 'o', 8 * PAGE);
	ASSERT_EQ(0, hold_fill(&self->sim, &self->vq, p, 8, 'd'));
	ASSERT_EQ(0, munmap(p + 5 * PAGE, PAGE));
	ASSERT_EQ(0, sim_release(&self->sim, "dma"));
	EXPECT_EQ(VACCEL_ST_FAULT_WRITE, vq_wait(&self->vq, &done));
	EXPECT_EQ((unsigned long)p + 5 * PAGE, done.result);

	memset(p, 'o', 5 * PAGE);
	ASSERT_EQ(0, hold_fill(&self->sim, &self->vq, p, 5, 'd'));
	ASSERT_EQ(0, mprotect(p + 3 * PAGE, PAGE, PROT_READ));
	ASSERT_EQ(0, sim_release(&self->sim, "dma"));
	EXPECT_EQ(VACCEL_ST_FAULT_WRITE, vq_wait(&self->vq, &done));
	EXPECT_EQ((unsigned long)p + 3 * PAGE, done.result);
	EXPECT_TRUE(all_bytes(p + 3 * PAGE, PAGE, 'o'));
}

TEST_F(memory, fork_in_the_middle_of_a_descriptor_gives_the_child_the_state_then)
{
	__u8 *p = fresh(4);
	struct peer child;

	memset(p, 'o', 4 * PAGE);
	ASSERT_EQ(0, hold_fill(&self->sim, &self->vq, p, 4, 'd'));
	ASSERT_EQ(0, peer_start(&child));
	ASSERT_EQ(0, sim_release(&self->sim, "dma"));
	ASSERT_EQ(VACCEL_ST_OK, vq_wait(&self->vq, NULL));
	EXPECT_TRUE(all_bytes(p, 4 * PAGE, 'd'));
	EXPECT_EQ(1, peer_call(&child, peer_peek, (long)p, PAGE, 'd'));
	EXPECT_EQ(1, peer_call(&child, peer_peek, (long)p + PAGE, 3 * PAGE,
			       'o'));
	EXPECT_EQ(0, peer_exit(&child));
}

static struct vq peer_vq;

static long peer_vq_open(long sim, long unused1, long unused2)
{
	return vq_open(&peer_vq, (const struct sim *)sim);
}

static long peer_dev_sees(long addr, long len, long value)
{
	return dev_sees(&peer_vq, (const void *)addr, len, value);
}

static long peer_dev_fill(long addr, long len, long value)
{
	return dev_fill(&peer_vq, (void *)addr, len, value);
}

static long peer_pasid(long unused1, long unused2, long unused3)
{
	return peer_vq.q.info.pasid;
}

TEST_F(memory, at_one_address_each_process_has_its_own_memory)
{
	__u8 *p = fresh(2);
	struct peer child;

	memset(p, 'p', 2 * PAGE);
	ASSERT_EQ(0, peer_start(&child));
	ASSERT_EQ(0, peer_call(&child, peer_vq_open, (long)&self->sim, 0, 0));
	EXPECT_NE(self->vq.q.info.pasid,
		  peer_call(&child, peer_pasid, 0, 0, 0));
	EXPECT_EQ(0, peer_call(&child, peer_poke, (long)p, PAGE, 'c'));

	EXPECT_TRUE(dev_sees(&self->vq, p, 2 * PAGE, 'p'));
	EXPECT_EQ(1, peer_call(&child, peer_dev_sees, (long)p, PAGE, 'c'));
	EXPECT_EQ(VACCEL_ST_OK,
		  peer_call(&child, peer_dev_fill, (long)p + PAGE, PAGE, 'e'));
	EXPECT_EQ(1, peer_call(&child, peer_peek, (long)p + PAGE, PAGE, 'e'));
	EXPECT_TRUE(all_bytes(p, 2 * PAGE, 'p'));
	EXPECT_EQ(0, peer_exit(&child));
}

TEST_F(memory, a_refused_page_is_a_fault_and_can_be_asked_for_again)
{
	__u8 *p = fresh(3);

	ASSERT_EQ(VACCEL_ST_OK, dev_fill(&self->vq, p, PAGE, 'a'));
	ASSERT_EQ(0, sim_fail(&self->sim, "page_response", 1));
	EXPECT_EQ(0, dev_no_write(&self->vq, p + 10, 2 * PAGE, p + PAGE));
	EXPECT_EQ(1, sim_stat(&self->sim, "page_faults_failed"));
	EXPECT_EQ(VACCEL_ST_OK, dev_fill(&self->vq, p, 2 * PAGE, 'b'));

	ASSERT_EQ(0, sim_fail(&self->sim, "page_response", 1));
	EXPECT_EQ(0, dev_no_read(&self->vq, p + 2 * PAGE + 7, 9,
				 p + 2 * PAGE + 7));
	EXPECT_EQ(2, sim_stat(&self->sim, "page_faults_failed"));
	EXPECT_TRUE(dev_sees(&self->vq, p + 2 * PAGE, PAGE, 0));
}

TEST_F(memory, the_engine_waits_for_a_page_and_others_go_on)
{
	__u8 *p = fresh(2), *q = fresh(2);
	struct vaccel_desc d = d_fill(&self->vq, p, 2 * PAGE, 0);
	struct vq other;

	ASSERT_EQ(0, vq_open(&other, &self->sim));
	memset(q, 'q', 2 * PAGE);
	ASSERT_EQ(0, sim_hold(&self->sim, "page_response", 1));
	ASSERT_EQ(0, vq_submit(&self->vq, &d));
	d = d_nop();
	ASSERT_EQ(1, vq_submit(&self->vq, &d));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "page_response", 1));

	/* not even the NOP behind it is done; another queue has its pages */
	EXPECT_EQ(VACCEL_ST_OK, dev_fill(&other, q, 2 * PAGE, 'r'));
	EXPECT_EQ(VACCEL_ST_OK, dev_fill(&other, fresh(2), 2 * PAGE, 'r'));
	EXPECT_EQ(0, vq_cq_tail(&self->vq));
	EXPECT_EQ(1, vq_sq_head(&self->vq));

	ASSERT_EQ(0, sim_release(&self->sim, "page_response"));
	EXPECT_EQ(VACCEL_ST_OK, vq_wait(&self->vq, NULL));
	EXPECT_EQ(VACCEL_ST_OK, vq_wait(&self->vq, NULL));
	EXPECT_TRUE(all_bytes(p, 2 * PAGE, 0));
}

TEST_F(memory, stop_does_not_wait_for_a_page_and_nothing_comes_later)
{
	__u8 *p = fresh(4);
	struct vaccel_desc d = d_fill(&self->vq, p, 4 * PAGE, -1);
	struct vq other;
	struct bg bg;
	long start;
	int i;

	ASSERT_EQ(0, vq_open(&other, &self->sim));
	ASSERT_EQ(0, sim_hold(&self->sim, "page_response", 1));
	ASSERT_EQ(0, vq_submit(&self->vq, &d));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "page_response", 1));

	start = now_ms();
	ASSERT_EQ(0, bg_q_put(&bg, self->vq.q.fd));
	ASSERT_EQ(0, bg_wait(&bg));
	EXPECT_LT(now_ms() - start, 5000);
	EXPECT_EQ(0, vq_cq_tail(&self->vq));

	ASSERT_EQ(0, sim_release(&self->sim, "page_response"));
	for (i = 0; i < 10; i++)
		ASSERT_EQ(VACCEL_ST_OK, dev_fill(&other, other.mem, PAGE, i));
	EXPECT_TRUE(all_bytes(p, 4 * PAGE, 0));
	EXPECT_EQ(0, vq_cq_tail(&self->vq));

	/* the late answer is not taken for that to a new question */
	ASSERT_EQ(0, vaccel_queue_start(&self->vq.q));
	EXPECT_EQ(VACCEL_ST_OK, dev_fill(&self->vq, fresh(2), 2 * PAGE, 1));
	EXPECT_TRUE(all_bytes(p, 4 * PAGE, 0));
}

TEST_F(memory, a_process_can_die_while_its_queue_waits_for_a_page)
{
	__u8 *p = fresh(4);
	struct vaccel_desc d;
	int status;
	pid_t pid;

	ASSERT_EQ(0, sim_hold(&self->sim, "page_response", 1));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		if (vq_open(&peer_vq, &self->sim))
			_exit(1);
		d = d_fill(&peer_vq, p, 4 * PAGE, -1);
		if (vq_submit(&peer_vq, &d))
			_exit(2);
		pause();
		_exit(3);
	}
	EXPECT_EQ(0, sim_wait_held(&self->sim, "page_response", 1));
	kill(pid, SIGKILL);
	EXPECT_EQ(0, wait_pid(pid, &status));
	EXPECT_EQ(0, sim_wait_stat(&self->sim, "queues", 1));
	EXPECT_EQ(0, sim_wait_stat(&self->sim, "pasids", 1));
	EXPECT_EQ(VACCEL_ST_OK, dev_fill(&self->vq, p, 4 * PAGE, 1));
}

TEST_HARNESS_MAIN
