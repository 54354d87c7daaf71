// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a process does to its memory while a device works on it. A device keeps
 * translations, of which each change of the memory has to take some away: from
 * then on it finds what the process finds, or a fault at the right address.
 *
 * The device is held at a point of its work that is known, the memory is changed,
 * and the device goes on. Nothing here depends on who is faster.
 */
#include <endian.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "uacce_test.h"
#include "usermem.h"
#include "vaccel_ref.h"
#include "vq.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

FIXTURE(translation)
{
	struct sim sim;
	struct vq vq;
};

FIXTURE_SETUP(translation)
{
	struct sim_config cfg = {};

	if (!setup_sim(_metadata, &self->sim, "ksft", &cfg))
		return;
	ASSERT_EQ(PAGE, getpagesize());
	ASSERT_EQ(0, vq_open(&self->vq, &self->sim));
}

FIXTURE_TEARDOWN_PARENT(translation)
{
	teardown_sim(_metadata, &self->sim);
}

/*
 * A descriptor on BUF pages, all of which the device has used before. While it is
 * held, something happens to page HIT.
 */
#define BUF	8
#define HIT	4

/*
 * @point: where it is held
 * @write: a FILL with 'd', or else a CRC32
 * @next: first page that it will access when it goes on
 */
struct situation {
	const char *name;
	const char *point;
	bool write;
	unsigned int next;
};

static const struct situation situations[] = {
	{ "a read that has not begun", "engine", false, 0 },
	{ "a write that has not begun", "engine", true, 0 },
	{ "a read between two pages", "dma", false, 1 },
	{ "a write between two pages", "dma", true, 1 },
	{ "a read that waits for a page", "page_response", false, 1 },
	{ "a write that waits for a page", "page_response", true, 1 },
};

/*
 * @file: what the buffer is a mapping of: 'o' all over
 * @p: the buffer
 * @hit: page HIT of it
 */
struct work {
	struct sim *sim;
	struct vq *vq;
	const struct situation *s;
	int file;
	__u8 *p;
	__u8 *hit;
};

/* Has the device use the buffer, then submits the work, and waits until it is held */
static int work_begin(struct work *w)
{
	const struct situation *s = w->s;
	struct vaccel_desc d;

	w->file = memory_file(BUF);
	w->p = map_file(w->file, BUF, PROT_READ | PROT_WRITE, MAP_SHARED);
	w->hit = w->p + HIT * PAGE;
	/* for writing, and so for reading as well */
	if (dev_fill(w->vq, w->p, BUF * PAGE, 'o') != VACCEL_ST_OK)
		return -EIO;

	/* The data stay in the file; it is the translation that goes */
	if (!strcmp(s->point, "page_response") &&
	    madvise(w->p + PAGE, PAGE, MADV_DONTNEED))
		return -errno;

	d = s->write ? d_fill(w->vq, w->p, BUF * PAGE, PATTERN('d')) :
		       d_crc(w->vq, w->p, BUF * PAGE, 0);
	return dev_hold(w->sim, w->vq, s->point, &d);
}

static void work_end(struct work *w)
{
	munmap(w->p, BUF * PAGE);
	close(w->file);
}

/* Is page @page of the file @value all over? */
static bool file_page_is(int file, unsigned int page, __u8 value)
{
	__u8 buf[PAGE];

	return pread(file, buf, PAGE, page * PAGE) == PAGE &&
	       all_bytes(buf, PAGE, value);
}

/*
 * Was the file before page @page written by the device, if it writes, and what
 * follows not?
 */
static bool is_written(const struct work *w, unsigned int page)
{
	unsigned int i;

	for (i = 0; i < BUF; i++) {
		if (!file_page_is(w->file, i,
				  w->s->write && i < page ? 'd' : 'o'))
			return false;
	}
	return true;
}

/* The device goes on. Does its work end with a fault at @addr? */
static bool ends_at(const struct work *w, const __u8 *addr)
{
	return !sim_release(w->sim, w->s->point) &&
	       !vq_wait_fault(w->vq, w->s->write ? VACCEL_ST_FAULT_WRITE :
						   VACCEL_ST_FAULT_READ,
			      (unsigned long)addr);
}

/*
 * The device goes on. Does it succeed, having seen @value on page HIT, if it reads,
 * and 'o' elsewhere?
 */
static bool succeeds(const struct work *w, __u8 value)
{
	__u8 want[BUF * PAGE];
	struct vq_done done;

	if (sim_release(w->sim, w->s->point) ||
	    vq_wait(w->vq, &done) != VACCEL_ST_OK)
		return false;
	memset(want, 'o', sizeof(want));
	memset(want + HIT * PAGE, value, PAGE);
	return w->s->write || done.result == ref_crc32(0, want, sizeof(want));
}

/* In each situation makes the change: that returns 0, or what went wrong */
static void everywhere(struct __test_metadata *_metadata, struct sim *sim,
		       struct vq *vq, int (*change)(struct work *w))
{
	struct work w = { .sim = sim, .vq = vq };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(situations); i++) {
		w.s = &situations[i];
		ASSERT_EQ(0, work_begin(&w)) {
			TH_LOG("%s does not begin", w.s->name);
		}
		ASSERT_EQ(0, change(&w)) {
			TH_LOG("under %s", w.s->name);
		}
		work_end(&w);
	}
}

static int no_change_is_no_obstacle(struct work *w)
{
	if (!succeeds(w, 'o'))
		return 1;
	return is_written(w, BUF) ? 0 : 2;
}

TEST_F(translation, no_change_is_no_obstacle)
{
	everywhere(_metadata, &self->sim, &self->vq, no_change_is_no_obstacle);
}

static int unmapped_page_is_a_fault(struct work *w)
{
	if (munmap(w->hit, PAGE))
		return 1;
	if (!ends_at(w, w->hit))
		return 2;
	return is_written(w, HIT) ? 0 : 3;
}

TEST_F(translation, unmapped_page_is_a_fault)
{
	everywhere(_metadata, &self->sim, &self->vq, unmapped_page_is_a_fault);
}

static int unmapped_buffer_is_a_fault_at_once(struct work *w)
{
	if (munmap(w->p, BUF * PAGE))
		return 1;
	if (!ends_at(w, w->p + w->s->next * PAGE))
		return 2;
	return is_written(w, w->s->next) ? 0 : 3;
}

TEST_F(translation, unmapped_buffer_is_a_fault_at_once)
{
	everywhere(_metadata, &self->sim, &self->vq,
		   unmapped_buffer_is_a_fault_at_once);
}

static int what_is_mapped_instead_is_used(struct work *w)
{
	int other = memory_file(BUF);
	__u8 page[PAGE];

	memset(page, 'n', PAGE);
	if (pwrite(other, page, PAGE, HIT * PAGE) != PAGE)
		return 1;
	if (munmap(w->hit, PAGE) ||
	    mmap(w->hit, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		 other, HIT * PAGE) != w->hit)
		return 2;
	if (!succeeds(w, 'n'))
		return 3;
	if (!file_page_is(other, HIT, w->s->write ? 'd' : 'n'))
		return 4;
	close(other);
	/* what was there before is nobody's any more */
	return file_page_is(w->file, HIT, 'o') ? 0 : 5;
}

TEST_F(translation, what_is_mapped_instead_is_used)
{
	everywhere(_metadata, &self->sim, &self->vq,
		   what_is_mapped_instead_is_used);
}

static int what_is_mapped_over_it_is_used(struct work *w)
{
	if (mmap(w->hit, PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != w->hit)
		return 1;
	if (!succeeds(w, 0))
		return 2;
	if (!all_bytes(w->hit, PAGE, w->s->write ? 'd' : 0))
		return 3;
	return file_page_is(w->file, HIT, 'o') ? 0 : 4;
}

TEST_F(translation, what_is_mapped_over_it_is_used)
{
	everywhere(_metadata, &self->sim, &self->vq,
		   what_is_mapped_over_it_is_used);
}

static int read_only_page_can_only_be_read(struct work *w)
{
	if (mprotect(w->hit, PAGE, PROT_READ))
		return 1;
	if (w->s->write ? !ends_at(w, w->hit) : !succeeds(w, 'o'))
		return 2;
	return is_written(w, HIT) ? 0 : 3;
}

TEST_F(translation, read_only_page_can_only_be_read)
{
	everywhere(_metadata, &self->sim, &self->vq,
		   read_only_page_can_only_be_read);
}

static int page_without_access_is_a_fault(struct work *w)
{
	if (mprotect(w->hit, PAGE, PROT_NONE))
		return 1;
	if (!ends_at(w, w->hit))
		return 2;
	return is_written(w, HIT) ? 0 : 3;
}

TEST_F(translation, page_without_access_is_a_fault)
{
	everywhere(_metadata, &self->sim, &self->vq,
		   page_without_access_is_a_fault);
}

static int protection_that_was_lifted_again_is_no_fault(struct work *w)
{
	if (mprotect(w->p, BUF * PAGE, PROT_NONE) ||
	    mprotect(w->p, BUF * PAGE, PROT_READ) ||
	    mprotect(w->p, BUF * PAGE, PROT_READ | PROT_WRITE))
		return 1;
	if (!succeeds(w, 'o'))
		return 2;
	return is_written(w, BUF) ? 0 : 3;
}

TEST_F(translation, protection_that_was_lifted_again_is_no_fault)
{
	everywhere(_metadata, &self->sim, &self->vq,
		   protection_that_was_lifted_again_is_no_fault);
}

static int page_that_was_moved_is_a_fault_and_left_alone(struct work *w)
{
	__u8 *new = fresh(1);

	if (mremap(w->hit, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, new) !=
	    new)
		return 1;
	if (!ends_at(w, w->hit))
		return 2;
	if (!is_written(w, HIT))
		return 3;
	/* at its new place it can be used */
	if (!dev_sees(w->vq, new, PAGE, 'o'))
		return 4;
	if (dev_fill(w->vq, new, PAGE, 'm') != VACCEL_ST_OK)
		return 5;
	munmap(new, PAGE);
	return file_page_is(w->file, HIT, 'm') ? 0 : 6;
}

TEST_F(translation, page_that_was_moved_is_a_fault_and_left_alone)
{
	everywhere(_metadata, &self->sim, &self->vq,
		   page_that_was_moved_is_a_fault_and_left_alone);
}

static int dropped_page_is_found_again(struct work *w)
{
	if (madvise(w->p, BUF * PAGE, MADV_DONTNEED))
		return 1;
	if (!succeeds(w, 'o'))
		return 2;
	return is_written(w, BUF) ? 0 : 3;
}

TEST_F(translation, dropped_page_is_found_again)
{
	everywhere(_metadata, &self->sim, &self->vq,
		   dropped_page_is_found_again);
}

static int hole_in_the_file_is_zeros(struct work *w)
{
	if (fallocate(w->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      HIT * PAGE, PAGE))
		return 1;
	if (!succeeds(w, 0))
		return 2;
	return file_page_is(w->file, HIT, w->s->write ? 'd' : 0) ? 0 : 3;
}

TEST_F(translation, hole_in_the_file_is_zeros)
{
	everywhere(_metadata, &self->sim, &self->vq, hole_in_the_file_is_zeros);
}

static long cut_file(long file, long size, long unused)
{
	return ftruncate(file, size) ? -errno : 0;
}

static int file_that_another_process_cuts_off_is_a_fault(struct work *w)
{
	struct peer peer;

	if (peer_start(&peer) ||
	    peer_call(&peer, cut_file, w->file, HIT * PAGE, 0))
		return 1;
	if (!ends_at(w, w->hit))
		return 2;
	/* no byte was written to what the file was cut off from */
	if (peer_call(&peer, cut_file, w->file, BUF * PAGE, 0))
		return 3;
	if (!file_page_is(w->file, HIT, 0))
		return 4;
	if (dev_fill(w->vq, w->hit, PAGE, 'n') != VACCEL_ST_OK)
		return 5;
	return peer_exit(&peer) ? 6 : 0;
}

TEST_F(translation, file_that_another_process_cuts_off_is_a_fault)
{
	everywhere(_metadata, &self->sim, &self->vq,
		   file_that_another_process_cuts_off_is_a_fault);
}

static int what_another_process_writes_is_read(struct work *w)
{
	struct peer peer;

	/* at the same address, of the same file, in another address space */
	if (peer_start(&peer) ||
	    peer_call(&peer, peer_poke, (long)w->hit, PAGE, 'c'))
		return 1;
	if (!succeeds(w, 'c'))
		return 2;
	if (!peer_call(&peer, peer_peek, (long)w->hit, PAGE,
		       w->s->write ? 'd' : 'c'))
		return 3;
	return peer_exit(&peer) ? 4 : 0;
}

TEST_F(translation, what_another_process_writes_is_read)
{
	everywhere(_metadata, &self->sim, &self->vq,
		   what_another_process_writes_is_read);
}

/* A page can be taken away after it was granted, before it is used. */
TEST_F(translation, page_that_goes_after_it_was_granted_is_a_fault)
{
	__u8 *p = fresh(4);
	struct vaccel_desc d = d_fill(&self->vq, p, 4 * PAGE, PATTERN('d'));

	ASSERT_EQ(0, dev_hold(&self->sim, &self->vq, "page_response", &d));
	ASSERT_EQ(0, munmap(p, PAGE));
	ASSERT_EQ(0, sim_release(&self->sim, "page_response"));
	EXPECT_EQ(0, vq_wait_fault(&self->vq, VACCEL_ST_FAULT_WRITE,
				   (unsigned long)p));
	EXPECT_TRUE(all_bytes(p + PAGE, 3 * PAGE, 0));
}

TEST_F(translation, page_that_is_replaced_after_it_was_granted_is_asked_for_again)
{
	__u8 *p = fresh(4);
	struct vaccel_desc d = d_fill(&self->vq, p, 4 * PAGE, PATTERN('d'));
	int file = memory_file(4);

	ASSERT_EQ(0, dev_hold(&self->sim, &self->vq, "page_response", &d));
	ASSERT_EQ(p, mmap(p, 4 * PAGE, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_FIXED, file, 0));
	ASSERT_EQ(0, sim_release(&self->sim, "page_response"));
	EXPECT_EQ(VACCEL_ST_OK, vq_wait(&self->vq, NULL));
	EXPECT_TRUE(file_page_is(file, 0, 'd'));
	EXPECT_TRUE(file_page_is(file, 3, 'd'));
}

/* Anonymous memory, all of it 'o' and known to the device, for writing */
static __u8 *known(struct vq *vq, size_t pages)
{
	__u8 *p = fresh(pages);

	if (dev_fill(vq, p, pages * PAGE, 'o'))
		abort();
	return p;
}

/* Lets a CRC32 of @len at @p go on: has the device seen what is there now? */
static bool has_read(struct sim *sim, struct vq *vq, const void *p, size_t len)
{
	struct vq_done done;

	return !sim_release(sim, "dma") && vq_wait(vq, &done) == VACCEL_ST_OK &&
	       done.result == ref_crc32(0, p, len);
}

TEST_F(translation, thrown_away_source_is_read_as_zeros)
{
	__u8 *p = known(&self->vq, 8);

	ASSERT_EQ(0, hold_crc(&self->sim, &self->vq, p, 8));
	ASSERT_EQ(0, madvise(p + 2 * PAGE, 4 * PAGE, MADV_DONTNEED));
	EXPECT_TRUE(has_read(&self->sim, &self->vq, p, 8 * PAGE));
	EXPECT_TRUE(all_bytes(p + 2 * PAGE, 4 * PAGE, 0));
}

TEST_F(translation, thrown_away_destination_has_what_was_written_afterwards)
{
	__u8 *p = known(&self->vq, 8);

	ASSERT_EQ(0, hold_fill(&self->sim, &self->vq, p, 8, 'd'));
	ASSERT_EQ(0, madvise(p, 4 * PAGE, MADV_DONTNEED));
	ASSERT_EQ(0, sim_release(&self->sim, "dma"));
	ASSERT_EQ(VACCEL_ST_OK, vq_wait(&self->vq, NULL));
	EXPECT_TRUE(all_bytes(p, PAGE, 0));
	EXPECT_TRUE(all_bytes(p + PAGE, 7 * PAGE, 'd'));
}

TEST_F(translation, what_the_parent_writes_after_a_fork_is_read)
{
	__u8 *p = known(&self->vq, 8);
	struct peer child;

	ASSERT_EQ(0, hold_crc(&self->sim, &self->vq, p, 8));
	ASSERT_EQ(0, peer_start(&child));
	/* a copy of the page is made, for the parent */
	memset(p + 3 * PAGE, 'p', PAGE);
	EXPECT_TRUE(has_read(&self->sim, &self->vq, p, 8 * PAGE));
	EXPECT_EQ(1, peer_call(&child, peer_peek, (long)p, 8 * PAGE, 'o'));
	EXPECT_EQ(0, peer_exit(&child));
}

TEST_F(translation, what_the_child_writes_after_a_fork_is_not)
{
	__u8 *p = known(&self->vq, 8);
	struct peer child;

	ASSERT_EQ(0, hold_crc(&self->sim, &self->vq, p, 8));
	ASSERT_EQ(0, peer_start(&child));
	ASSERT_EQ(0, peer_call(&child, peer_poke, (long)p, 8 * PAGE, 'c'));
	EXPECT_TRUE(has_read(&self->sim, &self->vq, p, 8 * PAGE));
	EXPECT_TRUE(all_bytes(p, 8 * PAGE, 'o'));
	EXPECT_EQ(0, peer_exit(&child));
}

TEST_F(translation, what_the_device_writes_after_a_fork_is_the_parents)
{
	__u8 *p = known(&self->vq, 8);
	struct peer child, other;

	/* the device may write to these pages, until the fork */
	ASSERT_EQ(0, hold_fill(&self->sim, &self->vq, p, 8, 'd'));
	ASSERT_EQ(0, peer_start(&child));
	memset(p + 3 * PAGE, 'p', PAGE);
	ASSERT_EQ(0, peer_start(&other));
	ASSERT_EQ(0, sim_release(&self->sim, "dma"));
	ASSERT_EQ(VACCEL_ST_OK, vq_wait(&self->vq, NULL));

	EXPECT_TRUE(all_bytes(p, 8 * PAGE, 'd'));
	EXPECT_EQ(1, peer_call(&child, peer_peek, (long)p, PAGE, 'd'));
	EXPECT_EQ(1, peer_call(&child, peer_peek, (long)p + PAGE, 7 * PAGE,
			       'o'));
	EXPECT_EQ(1, peer_call(&other, peer_peek, (long)p + 3 * PAGE, PAGE,
			       'p'));

	/* nobody shares them now: they can be written to where they are */
	EXPECT_EQ(0, peer_exit(&child));
	EXPECT_EQ(0, peer_exit(&other));
	EXPECT_EQ(VACCEL_ST_OK, dev_fill(&self->vq, p, 8 * PAGE, 'e'));
	EXPECT_TRUE(all_bytes(p, 8 * PAGE, 'e'));
}

TEST_F(translation, what_the_device_read_before_a_fork_it_writes_to_a_copy)
{
	__u8 *p = fresh(4);
	struct peer child;

	memset(p, 'o', 4 * PAGE);
	ASSERT_EQ(0, peer_start(&child));
	/* shared with the child, so to be read only */
	EXPECT_TRUE(dev_sees(&self->vq, p, 4 * PAGE, 'o'));
	ASSERT_EQ(VACCEL_ST_OK, dev_fill(&self->vq, p, 4 * PAGE, 'd'));
	EXPECT_TRUE(dev_sees(&self->vq, p, 4 * PAGE, 'd'));
	EXPECT_EQ(1, peer_call(&child, peer_peek, (long)p, 4 * PAGE, 'o'));
	EXPECT_EQ(0, peer_exit(&child));
}

TEST_F(translation, moved_buffer_is_found_at_its_new_place_only)
{
	__u8 *p = known(&self->vq, 4), *new = fresh(4);

	ASSERT_EQ(0, hold_fill(&self->sim, &self->vq, p, 4, 'd'));
	ASSERT_EQ(new, mremap(p, 4 * PAGE, 4 * PAGE,
			      MREMAP_MAYMOVE | MREMAP_FIXED, new));
	/* and another one takes its place */
	ASSERT_EQ(p, mmap(p, 4 * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	ASSERT_EQ(0, sim_release(&self->sim, "dma"));
	ASSERT_EQ(VACCEL_ST_OK, vq_wait(&self->vq, NULL));
	EXPECT_TRUE(all_bytes(p, PAGE, 0));
	EXPECT_TRUE(all_bytes(p + PAGE, 3 * PAGE, 'd'));
	EXPECT_TRUE(all_bytes(new, PAGE, 'd'));
	EXPECT_TRUE(all_bytes(new + PAGE, 3 * PAGE, 'o'));
	EXPECT_TRUE(dev_sees_this(&self->vq, new, 4 * PAGE, new));
}

/* Page requests that had to be repeated, as the IOMMU had no room for them */
static long repeated(const struct sim *sim)
{
	return sim_is_simulated() ? 0 : sim_stat(sim, "page_retries");
}

/* Not all at once, as one descriptor has only so much time: the status */
static int copy_in_pieces(struct vq *vq, const __u8 *src, __u8 *dst, size_t pages)
{
	size_t i;
	int ret = 0;

	for (i = 0; !ret && i < pages; i += 16)
		ret = dev_copy(vq, src + i * PAGE, dst + i * PAGE, 16 * PAGE);
	return ret;
}

/* Each page that is not there is asked for once, however many are in flight */
TEST_F(translation, every_page_of_a_mebibyte_is_asked_for_once)
{
	const size_t pages = (1 << 20) / PAGE;
	__u8 *src = fresh(pages), *dst = fresh(pages);

	ASSERT_EQ(VACCEL_ST_OK, copy_in_pieces(&self->vq, src, dst, pages));
	EXPECT_LE(2 * pages, sim_stat(&self->sim, "page_faults"));
	EXPECT_GE(2 * pages, sim_stat(&self->sim, "page_faults") -
			     repeated(&self->sim));
	EXPECT_EQ(0, sim_stat(&self->sim, "page_faults_failed"));
	EXPECT_TRUE(all_bytes(dst, pages * PAGE, 0));

	/* what was only read was given for reading: each page once more */
	ASSERT_EQ(VACCEL_ST_OK, dev_fill(&self->vq, src, PAGE, 's'));
	ASSERT_EQ(VACCEL_ST_OK, copy_in_pieces(&self->vq, dst, src, pages));
	EXPECT_LE(3 * pages, sim_stat(&self->sim, "page_faults"));
	EXPECT_GE(3 * pages, sim_stat(&self->sim, "page_faults") -
			     repeated(&self->sim));
	EXPECT_TRUE(all_bytes(src, pages * PAGE, 0));
}

/* Numbers of @n physical pages, 0 where there is none (or nobody is to know) */
static void physical_pages(const void *p, __u64 *number, size_t n)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	size_t i;

	memset(number, 0, n * sizeof(*number));
	if (pread(fd, number, n * sizeof(*number),
		  (unsigned long)p / PAGE * sizeof(*number)) < 0)
		n = 0;
	for (i = 0; i < n; i++) {
		/* bit 63: it is in memory */
		number[i] = number[i] >> 63 ? number[i] << 9 >> 9 : 0;
	}
	close(fd);
}

static __u64 physical_page(const void *p)
{
	__u64 number;

	physical_pages(p, &number, 1);
	return number;
}

/* Is it one page? */
static bool is_huge(const __u8 *p)
{
	static __u64 number[HUGE_SIZE / PAGE];
	size_t i;

	physical_pages(p, number, ARRAY_SIZE(number));
	for (i = 1; i < ARRAY_SIZE(number); i++) {
		if (number[i] != number[0] + i)
			return false;
	}
	return number[0] && !(number[0] % ARRAY_SIZE(number));
}

/* An address that a huge page can have, of memory that nobody has touched */
static __u8 *huge_range(void)
{
	__u8 *p = fresh(2 * HUGE_SIZE / PAGE);

	return (__u8 *)(((unsigned long)p + HUGE_SIZE - 1) & -HUGE_SIZE);
}

/* A huge page of 'o' that the device knows, or NULL if there is none to be had */
static __u8 *huge_page(struct vq *vq)
{
	__u8 *p = huge_range();

	if (madvise(p, HUGE_SIZE, MADV_HUGEPAGE))
		return NULL;
	memset(p, 'o', HUGE_SIZE);
	if (!is_huge(p) || dev_fill(vq, p, HUGE_SIZE, 'o') || !is_huge(p))
		return NULL;
	return p;
}

TEST_F(translation, huge_page_is_read_and_written_all_over)
{
	__u8 *p = huge_page(&self->vq);
	long faults;

	if (!p)
		SKIP(return, "no transparent huge page to be had");
	faults = sim_stat(&self->sim, "page_faults");
	make_noise(p, HUGE_SIZE, 1);
	EXPECT_TRUE(dev_sees_this(&self->vq, p, HUGE_SIZE, p));
	/* across its middle and its end */
	ASSERT_EQ(VACCEL_ST_OK, dev_copy(&self->vq, p + HUGE_SIZE / 2 - 5000,
					 p + HUGE_SIZE - 10001, 10001));
	EXPECT_EQ(0, memcmp(p + HUGE_SIZE / 2 - 5000, p + HUGE_SIZE - 10001,
			    10001));
	EXPECT_EQ(faults, sim_stat(&self->sim, "page_faults"));
}

TEST_F(translation, part_of_a_huge_page_that_is_unmapped_is_a_fault)
{
	__u8 *p = huge_page(&self->vq);

	if (!p)
		SKIP(return, "no transparent huge page to be had");
	ASSERT_EQ(0, hold_fill(&self->sim, &self->vq, p, 60, 'd'));
	ASSERT_EQ(0, munmap(p + 40 * PAGE, PAGE));
	ASSERT_EQ(0, sim_release(&self->sim, "dma"));
	EXPECT_EQ(0, vq_wait_fault(&self->vq, VACCEL_ST_FAULT_WRITE,
				   (unsigned long)p + 40 * PAGE));
	EXPECT_TRUE(all_bytes(p, 40 * PAGE, 'd'));
	EXPECT_TRUE(all_bytes(p + 41 * PAGE, 19 * PAGE, 'o'));
	EXPECT_TRUE(dev_sees(&self->vq, p + 41 * PAGE, 19 * PAGE, 'o'));
	EXPECT_EQ(VACCEL_ST_OK, dev_fill(&self->vq, p + 41 * PAGE, PAGE, 'e'));
	EXPECT_TRUE(all_bytes(p + 41 * PAGE, PAGE, 'e'));
}

TEST_F(translation, part_of_a_huge_page_that_is_protected_is_a_fault)
{
	__u8 *p = huge_page(&self->vq);

	if (!p)
		SKIP(return, "no transparent huge page to be had");
	ASSERT_EQ(0, hold_fill(&self->sim, &self->vq, p, 60, 'd'));
	ASSERT_EQ(0, mprotect(p + 40 * PAGE, PAGE, PROT_READ));
	ASSERT_EQ(0, sim_release(&self->sim, "dma"));
	EXPECT_EQ(0, vq_wait_fault(&self->vq, VACCEL_ST_FAULT_WRITE,
				   (unsigned long)p + 40 * PAGE));
	EXPECT_TRUE(all_bytes(p + 40 * PAGE, 20 * PAGE, 'o'));
	EXPECT_TRUE(dev_sees_this(&self->vq, p, 60 * PAGE, p));
}

TEST_F(translation, part_of_a_huge_page_that_is_thrown_away_is_zeros)
{
	__u8 *p = huge_page(&self->vq);

	if (!p)
		SKIP(return, "no transparent huge page to be had");
	ASSERT_EQ(0, hold_crc(&self->sim, &self->vq, p, 60));
	ASSERT_EQ(0, madvise(p + 40 * PAGE, PAGE, MADV_DONTNEED));
	EXPECT_TRUE(has_read(&self->sim, &self->vq, p, 60 * PAGE));
	EXPECT_TRUE(all_bytes(p + 40 * PAGE, PAGE, 0));
}

/* Small pages become a huge one: their data are elsewhere from then on */
static bool collapse(__u8 *p)
{
	__u64 before = physical_page(p + 2 * PAGE);

	return !madvise(p, HUGE_SIZE, MADV_HUGEPAGE) &&
	       !madvise(p, HUGE_SIZE, MADV_COLLAPSE) && is_huge(p) &&
	       physical_page(p + 2 * PAGE) != before;
}

TEST_F(translation, pages_that_are_moved_under_a_read_are_found)
{
	__u8 *p = huge_range();

	ASSERT_EQ(VACCEL_ST_OK, dev_fill(&self->vq, p, 64 * PAGE, 'o'));
	ASSERT_EQ(0, hold_crc(&self->sim, &self->vq, p, 64));
	if (!collapse(p))
		SKIP(return, "no small pages are made a huge one here");
	/* who reads where they were does not see this */
	memset(p + PAGE, 'n', 32 * PAGE);
	EXPECT_TRUE(has_read(&self->sim, &self->vq, p, 64 * PAGE));
}

TEST_F(translation, pages_that_are_moved_under_a_write_are_found)
{
	__u8 *p = huge_range();

	ASSERT_EQ(VACCEL_ST_OK, dev_fill(&self->vq, p, 64 * PAGE, 'o'));
	ASSERT_EQ(0, hold_fill(&self->sim, &self->vq, p, 64, 'd'));
	if (!collapse(p))
		SKIP(return, "no small pages are made a huge one here");
	ASSERT_EQ(0, sim_release(&self->sim, "dma"));
	ASSERT_EQ(VACCEL_ST_OK, vq_wait(&self->vq, NULL));
	EXPECT_TRUE(all_bytes(p, 64 * PAGE, 'd'));
	EXPECT_TRUE(all_bytes(p + 64 * PAGE, HUGE_SIZE - 64 * PAGE, 0));
}

/* On which node of memory the page is, or a negative errno */
static int node_of(void *p)
{
	int status = -EINVAL;

	if (syscall(SYS_move_pages, 0, 1UL, &p, NULL, &status, 0))
		return -errno;
	return status;
}

/* Moves @n pages at @p to the other one of two nodes */
static int move_to_other_node(__u8 *p, size_t n)
{
	int to = !node_of(p);
	int node[64], status[64];
	void *page[64];
	size_t i;

	for (i = 0; i < n; i++) {
		page[i] = p + i * PAGE;
		node[i] = to;
	}
	if (syscall(SYS_move_pages, 0, n, page, node, status, 2 /* MF_MOVE */))
		return -errno;
	for (i = 0; i < n; i++) {
		if (node_of(page[i]) != to)
			return -EBUSY;
	}
	return 0;
}

TEST_F(translation, pages_that_migrate_to_another_node_are_found)
{
	__u8 *p = known(&self->vq, 64);

	if (access("/sys/devices/system/node/node1", F_OK))
		SKIP(return, "memory is all of one node");

	ASSERT_EQ(0, hold_crc(&self->sim, &self->vq, p, 64));
	ASSERT_EQ(0, move_to_other_node(p, 64));
	memset(p + PAGE, 'n', 32 * PAGE);
	EXPECT_TRUE(has_read(&self->sim, &self->vq, p, 64 * PAGE));

	ASSERT_EQ(0, hold_fill(&self->sim, &self->vq, p, 64, 'd'));
	ASSERT_EQ(0, move_to_other_node(p, 64));
	ASSERT_EQ(0, sim_release(&self->sim, "dma"));
	ASSERT_EQ(VACCEL_ST_OK, vq_wait(&self->vq, NULL));
	EXPECT_TRUE(all_bytes(p, 64 * PAGE, 'd'));
}

/* Identical pages are one page, until somebody writes to one of them. */
#define KSM	"/sys/kernel/mm/ksm"

FIXTURE(merged)
{
	struct sim sim;
	struct vq vq;
	__u8 *a, *b;	/* eight pages each, known to the device, all alike */
};

FIXTURE_SETUP(merged)
{
	struct sim_config cfg = {};

	if (access(KSM "/run", F_OK))
		SKIP(return, "no merging of identical pages (CONFIG_KSM)");
	if (!setup_sim(_metadata, &self->sim, "ksft", &cfg))
		return;
	ASSERT_EQ(0, vq_open(&self->vq, &self->sim));
	self->a = known(&self->vq, 8);
	self->b = known(&self->vq, 8);
	ASSERT_EQ(0, madvise(self->a, 8 * PAGE, MADV_MERGEABLE));
	ASSERT_EQ(0, madvise(self->b, 8 * PAGE, MADV_MERGEABLE));
	ASSERT_EQ(0, write_file(KSM "/sleep_millisecs", "1"));
}

FIXTURE_TEARDOWN_PARENT(merged)
{
	if (!self->sim.name[0])
		return;
	write_file(KSM "/run", "0");
	write_file(KSM "/sleep_millisecs", "20");
	teardown_sim(_metadata, &self->sim);
}

/* Waits until the pages at @p and @q are one: 0 or -ETIMEDOUT */
static int merge(const __u8 *p, const __u8 *q)
{
	long end = now_ms() + SIM_TIMEOUT_MS;
	int ret = write_file(KSM "/run", "1");
	__u64 page;

	while (!ret) {
		page = physical_page(p);
		if (page && page == physical_page(q))
			break;
		if (now_ms() > end)
			ret = -ETIMEDOUT;
		nap();
	}
	return ret;
}

TEST_F(merged, pages_are_read_and_written_apart)
{
	ASSERT_EQ(0, merge(self->a + 5 * PAGE, self->b + 2 * PAGE));
	EXPECT_TRUE(dev_sees(&self->vq, self->a, 8 * PAGE, 'o'));
	EXPECT_TRUE(dev_sees(&self->vq, self->b, 8 * PAGE, 'o'));
	ASSERT_EQ(VACCEL_ST_OK, dev_fill(&self->vq, self->a, 8 * PAGE, 'd'));
	EXPECT_TRUE(all_bytes(self->a, 8 * PAGE, 'd'));
	EXPECT_TRUE(all_bytes(self->b, 8 * PAGE, 'o'));
}

TEST_F(merged, device_amid_a_write_does_not_write_to_the_twin)
{
	ASSERT_EQ(0, hold_fill(&self->sim, &self->vq, self->a, 8, 'd'));
	ASSERT_EQ(0, merge(self->a + 5 * PAGE, self->b + 5 * PAGE));
	ASSERT_EQ(0, sim_release(&self->sim, "dma"));
	ASSERT_EQ(VACCEL_ST_OK, vq_wait(&self->vq, NULL));
	EXPECT_TRUE(all_bytes(self->a, 8 * PAGE, 'd'));
	EXPECT_TRUE(all_bytes(self->b, 8 * PAGE, 'o'));
}

TEST_F(merged, device_amid_a_read_sees_what_is_written_after_the_merge)
{
	ASSERT_EQ(0, hold_crc(&self->sim, &self->vq, self->a, 8));
	ASSERT_EQ(0, merge(self->a + 5 * PAGE, self->b + 5 * PAGE));
	memset(self->a + 5 * PAGE, 'n', PAGE);
	EXPECT_TRUE(has_read(&self->sim, &self->vq, self->a, 8 * PAGE));
	EXPECT_TRUE(dev_sees(&self->vq, self->b, 8 * PAGE, 'o'));
}

/* Memory that the process itself has never touched, of every kind. */
#define TOUCHED	12

FIXTURE(first_touch)
{
	struct sim sim;
	struct vq vq;
	int file;	/* behind it, or -1 */
	__u8 before;	/* what it is full of */
	__u8 *p;
};

FIXTURE_VARIANT(first_touch)
{
	bool memfd, tmpfs;
	int flags;
};

FIXTURE_VARIANT_ADD(first_touch, anonymous)
{
	.flags = MAP_PRIVATE | MAP_ANONYMOUS,
};

FIXTURE_VARIANT_ADD(first_touch, shared)
{
	.flags = MAP_SHARED | MAP_ANONYMOUS,
};

FIXTURE_VARIANT_ADD(first_touch, memfd_shared)
{
	.memfd = true, .flags = MAP_SHARED,
};

FIXTURE_VARIANT_ADD(first_touch, memfd_private)
{
	.memfd = true, .flags = MAP_PRIVATE,
};

FIXTURE_VARIANT_ADD(first_touch, file_shared)
{
	.tmpfs = true, .flags = MAP_SHARED,
};

FIXTURE_VARIANT_ADD(first_touch, file_private)
{
	.tmpfs = true, .flags = MAP_PRIVATE,
};

FIXTURE_SETUP(first_touch)
{
	struct sim_config cfg = {};
	__u8 page[PAGE];
	int i;

	if (!setup_sim(_metadata, &self->sim, "ksft", &cfg))
		return;
	ASSERT_EQ(0, vq_open(&self->vq, &self->sim));
	self->file = -1;
	if (variant->memfd)
		self->file = memory_file(TOUCHED);
	if (variant->tmpfs) {
		self->file = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC,
				  0600);
		if (self->file < 0)
			self->file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC,
					  0600);
		ASSERT_GE(self->file, 0);
		/* these have data, the others only a size */
		self->before = 'f';
		memset(page, 'f', PAGE);
		for (i = 0; i < TOUCHED; i++)
			ASSERT_EQ(PAGE, write(self->file, page, PAGE));
	}
	self->p = mmap(NULL, TOUCHED * PAGE, PROT_READ | PROT_WRITE,
		       variant->flags, self->file, 0);
	ASSERT_NE(MAP_FAILED, self->p);
	madvise(self->p, TOUCHED * PAGE, MADV_NOHUGEPAGE);
}

FIXTURE_TEARDOWN_PARENT(first_touch)
{
	teardown_sim(_metadata, &self->sim);
}

TEST_F(first_touch, is_a_read)
{
	long faults;

	EXPECT_TRUE(dev_sees(&self->vq, self->p, TOUCHED * PAGE, self->before));
	faults = sim_stat(&self->sim, "page_faults");
	/* a fault on a file may bring in the pages around it as well */
	EXPECT_LE(1, faults);
	EXPECT_GE(TOUCHED, faults);
	EXPECT_TRUE(dev_sees(&self->vq, self->p, TOUCHED * PAGE, self->before));
	EXPECT_EQ(faults, sim_stat(&self->sim, "page_faults"));
	EXPECT_TRUE(all_bytes(self->p, TOUCHED * PAGE, self->before));
}

TEST_F(first_touch, is_a_write)
{
	bool shared = variant->flags & MAP_SHARED;
	unsigned int i;

	/* all but the ends, which keep what was there */
	ASSERT_EQ(VACCEL_ST_OK, dev_fill(&self->vq, self->p + 100,
					 TOUCHED * PAGE - 200, 'd'));
	EXPECT_EQ(TOUCHED, sim_stat(&self->sim, "page_faults"));
	EXPECT_TRUE(all_bytes(self->p, 100, self->before));
	EXPECT_TRUE(all_bytes(self->p + 100, TOUCHED * PAGE - 200, 'd'));
	EXPECT_TRUE(all_bytes(self->p + TOUCHED * PAGE - 100, 100,
			      self->before));
	for (i = 1; self->file >= 0 && i < TOUCHED - 1; i++)
		EXPECT_TRUE(file_page_is(self->file, i,
					 shared ? 'd' : self->before));
}

TEST_F(first_touch, is_a_read_and_then_a_write)
{
	bool shared = variant->flags & MAP_SHARED;

	EXPECT_TRUE(dev_sees(&self->vq, self->p, TOUCHED * PAGE, self->before));
	ASSERT_EQ(VACCEL_ST_OK, dev_fill(&self->vq, self->p, TOUCHED * PAGE,
					 'd'));
	EXPECT_TRUE(dev_sees(&self->vq, self->p, TOUCHED * PAGE, 'd'));
	EXPECT_TRUE(all_bytes(self->p, TOUCHED * PAGE, 'd'));
	if (self->file >= 0)
		EXPECT_TRUE(file_page_is(self->file, 3,
					 shared ? 'd' : self->before));
}

/* Two processes with a queue each and a file that both have mapped. */
static struct vq peer_vq;

static long peer_vq_open(long sim, long unused1, long unused2)
{
	return vq_open(&peer_vq, (const struct sim *)sim);
}

static long peer_dev_fill(long addr, long len, long value)
{
	return dev_fill(&peer_vq, (void *)addr, len, value);
}

static long peer_dev_sees(long addr, long len, long value)
{
	return dev_sees(&peer_vq, (const void *)addr, len, value);
}

/* Maps the file at another address than the test has it */
static long peer_map(long file, long pages, long unused)
{
	return (long)map_file(file, pages, PROT_READ | PROT_WRITE, MAP_SHARED);
}

TEST_F(translation, file_of_two_processes_is_one_for_their_queues)
{
	int file = memory_file(4);
	__u8 *p = map_file(file, 4, PROT_READ | PROT_WRITE, MAP_SHARED);
	struct peer peer;
	long q;

	ASSERT_EQ(0, peer_start(&peer));
	ASSERT_EQ(0, peer_call(&peer, peer_vq_open, (long)&self->sim, 0, 0));
	q = peer_call(&peer, peer_map, file, 4, 0);
	ASSERT_NE(p, (__u8 *)q);

	ASSERT_EQ(VACCEL_ST_OK, dev_fill(&self->vq, p, 4 * PAGE, 'd'));
	EXPECT_EQ(1, peer_call(&peer, peer_dev_sees, q, 4 * PAGE, 'd'));
	ASSERT_EQ(VACCEL_ST_OK, peer_call(&peer, peer_dev_fill, q, 4 * PAGE,
					  'e'));
	EXPECT_TRUE(dev_sees(&self->vq, p, 4 * PAGE, 'e'));

	/* what one of them protects the other can still use */
	ASSERT_EQ(0, mprotect(p, 4 * PAGE, PROT_READ));
	EXPECT_EQ(0, dev_no_write(&self->vq, p, 4 * PAGE, p));
	EXPECT_EQ(VACCEL_ST_OK, peer_call(&peer, peer_dev_fill, q, 4 * PAGE,
					  'f'));
	EXPECT_TRUE(dev_sees(&self->vq, p, 4 * PAGE, 'f'));
	EXPECT_EQ(0, peer_exit(&peer));
}

/* Two queues of one process have a cache each, and each is told. */
TEST_F(translation, change_reaches_every_queue_of_the_process)
{
	__u8 *p = known(&self->vq, 8);
	struct vaccel_desc d;
	struct vq other;

	ASSERT_EQ(0, vq_open(&other, &self->sim));
	ASSERT_EQ(VACCEL_ST_OK, dev_fill(&other, p, 8 * PAGE, 'o'));

	ASSERT_EQ(0, sim_hold(&self->sim, "dma", 2));
	d = d_fill(&self->vq, p, 8 * PAGE, PATTERN('d'));
	ASSERT_EQ(1, vq_submit(&self->vq, &d));
	d = d_crc(&other, p, 8 * PAGE, 0);
	ASSERT_EQ(1, vq_submit(&other, &d));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "dma", 2));
	ASSERT_EQ(0, munmap(p + 6 * PAGE, PAGE));
	ASSERT_EQ(0, sim_release(&self->sim, "dma"));
	EXPECT_EQ(0, vq_wait_fault(&self->vq, VACCEL_ST_FAULT_WRITE,
				   (unsigned long)p + 6 * PAGE));
	EXPECT_EQ(0, vq_wait_fault(&other, VACCEL_ST_FAULT_READ,
				   (unsigned long)p + 6 * PAGE));
}

/* What belongs to a queue that was stopped is not found by one that is started. */
TEST_F(translation, change_reaches_a_queue_that_is_stopped)
{
	__u8 *p = known(&self->vq, 8);

	ASSERT_EQ(0, hold_fill(&self->sim, &self->vq, p, 8, 'd'));
	ASSERT_EQ(0, vaccel_queue_stop(&self->vq.q));
	ASSERT_EQ(0, munmap(p + 4 * PAGE, PAGE));
	ASSERT_EQ(0, sim_release(&self->sim, "dma"));
	ASSERT_EQ(0, vq_restart(&self->vq));
	EXPECT_EQ(0, dev_no_write(&self->vq, p, 8 * PAGE, p + 4 * PAGE));
}

TEST_HARNESS_MAIN
