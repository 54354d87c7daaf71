// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regions of a queue are mapped once, shared, whole, and stay where they are,
 * in one address space.
 */
#include "uacce_test.h"

#define RW	(PROT_READ | PROT_WRITE)

#ifndef __LP64__
/* The core answers 32-bit programs itself, so on any carrier alike. */
MOSTLY_IN_LANE("sim");
#endif

FIXTURE(region)
{
	struct sim sim;
	int fd;
	size_t page;
};

FIXTURE_VARIANT(region)
{
	bool no_sva;
};

FIXTURE_VARIANT_ADD(region, sva) {};
FIXTURE_VARIANT_ADD(region, no_sva) { .no_sva = true };

FIXTURE_SETUP(region)
{
	struct sim_config cfg = { .no_sva = variant->no_sva };

	if (!setup_sim(_metadata, &self->sim, "ksft", &cfg))
		return;
	self->page = getpagesize();
	self->fd = q_open(&self->sim);
	EXPECT_GE(self->fd, 0);
	/* there must be something to split */
	EXPECT_GE(self->sim.dus_size, 4 * self->page);
}

FIXTURE_TEARDOWN_PARENT(region)
{
	teardown_sim(_metadata, &self->sim);
}

static int map_mmio(const struct sim *sim, int fd, void **map)
{
	return q_mmap(fd, UACCE_QFRT_MMIO, sim->mmio_size, map);
}

static int map_dus(const struct sim *sim, int fd, void **map)
{
	return q_mmap(fd, UACCE_QFRT_DUS, sim->dus_size, map);
}

/*
 * 0 if exactly [@map, @map + @len) is one VMA and can be read, else the number
 * of what is wrong
 */
static int not_whole(const char *map, size_t len)
{
	unsigned long start, end;
	char line[512];
	bool found = false;
	size_t off;
	FILE *f;

	f = fopen("/proc/self/maps", "r");
	if (!f)
		return 1;
	while (!found && fgets(line, sizeof(line), f))
		found = sscanf(line, "%lx-%lx", &start, &end) == 2 &&
			start == (unsigned long)map && end == start + len;
	fclose(f);
	if (!found)
		return 2;
	for (off = 0; off < len; off += getpagesize()) {
		if (touch(map + off))
			return 3;
	}
	return 0;
}

static bool unmapped(const void *p)
{
	return msync((void *)p, getpagesize(), MS_ASYNC) && errno == ENOMEM;
}

TEST_F(region, both_map_at_their_page_offset)
{
	void *mmio, *dus;

	ASSERT_EQ(0, map_mmio(&self->sim, self->fd, &mmio));
	ASSERT_EQ(0, map_dus(&self->sim, self->fd, &dus));
	EXPECT_EQ(0, not_whole(mmio, self->sim.mmio_size));
	EXPECT_EQ(0, not_whole(dus, self->sim.dus_size));
	EXPECT_EQ(VACCEL_ID, *(__u64 *)(mmio + VACCEL_REG_ID));
}

TEST_F(region, unknown_one_is_EINVAL)
{
	static const unsigned int regions[] = { 2, 3, 255, 256, 0x7fffff };
	unsigned int i;
	void *p;

	for (i = 0; i < ARRAY_SIZE(regions); i++) {
		p = mmap(NULL, self->page, RW, MAP_SHARED, self->fd,
			 (off_t)regions[i] * self->page);
		EXPECT_EQ(MAP_FAILED, p) TH_LOG("region %u", regions[i]);
		EXPECT_EQ(EINVAL, errno) TH_LOG("region %u", regions[i]);
	}
}

TEST_F(region, second_mapping_is_EEXIST)
{
	void *mmio, *dus, *p;

	ASSERT_EQ(0, map_mmio(&self->sim, self->fd, &mmio));
	EXPECT_EQ(-EEXIST, map_mmio(&self->sim, self->fd, &p));
	ASSERT_EQ(0, map_dus(&self->sim, self->fd, &dus));
	EXPECT_EQ(-EEXIST, map_dus(&self->sim, self->fd, &p));
	EXPECT_EQ(-EEXIST, map_mmio(&self->sim, self->fd, &p));
	EXPECT_EQ(0, not_whole(mmio, self->sim.mmio_size));
	EXPECT_EQ(0, not_whole(dus, self->sim.dus_size));
}

TEST_F(region, may_be_unmapped_and_mapped_again)
{
	void *mmio, *dus;
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, map_mmio(&self->sim, self->fd, &mmio));
		ASSERT_EQ(0, map_dus(&self->sim, self->fd, &dus));
		ASSERT_EQ(0, munmap(mmio, self->sim.mmio_size));
		ASSERT_EQ(0, munmap(dus, self->sim.dus_size));
		EXPECT_TRUE(unmapped(mmio));
		EXPECT_TRUE(unmapped(dus));
	}
	/* one says nothing about the other */
	ASSERT_EQ(0, map_mmio(&self->sim, self->fd, &mmio));
	ASSERT_EQ(0, map_dus(&self->sim, self->fd, &dus));
	ASSERT_EQ(0, munmap(mmio, self->sim.mmio_size));
	EXPECT_EQ(-EEXIST, map_dus(&self->sim, self->fd, &dus));
	EXPECT_EQ(0, map_mmio(&self->sim, self->fd, &mmio));
}

TEST_F(region, longer_than_its_size_is_EINVAL)
{
	void *p;

	EXPECT_EQ(-EINVAL, q_mmap(self->fd, UACCE_QFRT_MMIO,
				  self->sim.mmio_size + 1, &p));
	EXPECT_EQ(-EINVAL, q_mmap(self->fd, UACCE_QFRT_DUS,
				  self->sim.dus_size + self->page, &p));
	EXPECT_EQ(-EINVAL, q_mmap(self->fd, UACCE_QFRT_DUS,
				  self->sim.dus_size * 64, &p));
	/* and uses nothing up */
	EXPECT_EQ(0, map_mmio(&self->sim, self->fd, &p));
	EXPECT_EQ(0, map_dus(&self->sim, self->fd, &p));

	/* It is not left to the driver, which is not asked about what is mapped. */
	EXPECT_EQ(-EINVAL, q_mmap(self->fd, UACCE_QFRT_MMIO,
				  self->sim.mmio_size + 1, &p));
	EXPECT_EQ(-EINVAL, q_mmap(self->fd, UACCE_QFRT_DUS,
				  self->sim.dus_size * 64, &p));
}

TEST_F(region, private_mapping_is_EINVAL)
{
	void *p;

	EXPECT_EQ(-EINVAL, q_mmap_flags(self->fd, UACCE_QFRT_MMIO,
					self->sim.mmio_size, RW, MAP_PRIVATE,
					&p));
	EXPECT_EQ(-EINVAL, q_mmap_flags(self->fd, UACCE_QFRT_DUS,
					self->sim.dus_size, RW, MAP_PRIVATE,
					&p));
	EXPECT_EQ(-EINVAL, q_mmap_flags(self->fd, UACCE_QFRT_DUS,
					self->sim.dus_size, PROT_READ,
					MAP_PRIVATE, &p));
	EXPECT_EQ(0, map_mmio(&self->sim, self->fd, &p));
	EXPECT_EQ(0, map_dus(&self->sim, self->fd, &p));
}

TEST_F(region, read_only_descriptor_maps_read_only)
{
	int fd = open(self->sim.node, O_RDONLY | O_CLOEXEC);
	void *p;

	ASSERT_GE(fd, 0);
	EXPECT_EQ(-EACCES, q_mmap(fd, UACCE_QFRT_DUS, self->sim.dus_size, &p));
	ASSERT_EQ(0, q_mmap_flags(fd, UACCE_QFRT_DUS, self->sim.dus_size,
				  PROT_READ, MAP_SHARED, &p));
	EXPECT_EQ(0, not_whole(p, self->sim.dus_size));
	EXPECT_EQ(-1, mprotect(p, self->sim.dus_size, RW));
	EXPECT_EQ(EACCES, errno);
}

TEST_F(region, failed_mmap_in_the_driver_leaves_it_free)
{
	void *p;

	ASSERT_EQ(0, sim_fail(&self->sim, "mmap", 2));
	EXPECT_EQ(-ENOMEM, map_dus(&self->sim, self->fd, &p));
	EXPECT_EQ(-ENOMEM, map_mmio(&self->sim, self->fd, &p));
	EXPECT_EQ(0, map_dus(&self->sim, self->fd, &p));
	EXPECT_EQ(0, map_mmio(&self->sim, self->fd, &p));
}

TEST_F(region, queues_have_regions_of_their_own)
{
	int fd2 = q_open(&self->sim);
	void *p, *p2;
	__u64 *data, *data2;

	ASSERT_GE(fd2, 0);
	ASSERT_EQ(0, map_dus(&self->sim, self->fd, &p));
	ASSERT_EQ(0, q_mmap(fd2, UACCE_QFRT_DUS, self->sim.dus_size, &p2));
	data = p + VACCEL_DATA_OFFSET;
	data2 = p2 + VACCEL_DATA_OFFSET;
	*data = 1;
	*data2 = 2;
	EXPECT_EQ(1, *data);
	ASSERT_EQ(0, munmap(p, self->sim.dus_size));
	EXPECT_EQ(2, *data2);
	/* unmapping did not empty it */
	ASSERT_EQ(0, map_dus(&self->sim, self->fd, &p));
	data = p + VACCEL_DATA_OFFSET;
	EXPECT_EQ(1, *data);
}

TEST_F(region, mapping_keeps_the_queue_after_close)
{
	void *p;

	ASSERT_EQ(0, map_dus(&self->sim, self->fd, &p));
	ASSERT_EQ(0, q_start(self->fd));
	ASSERT_EQ(0, close(self->fd));
	EXPECT_EQ(1, sim_stat(&self->sim, "running"));
	EXPECT_EQ(0, sim_stat(&self->sim, "puts"));
	EXPECT_EQ(0, not_whole(p, self->sim.dus_size));

	ASSERT_EQ(0, munmap(p, self->sim.dus_size));
	EXPECT_EQ(0, sim_wait_stat(&self->sim, "puts", 1));
	EXPECT_EQ(1, sim_stat(&self->sim, "stops"));
}

TEST_F(region, mapping_survives_stop_and_start)
{
	void *p;

	ASSERT_EQ(0, map_dus(&self->sim, self->fd, &p));
	ASSERT_EQ(0, q_start(self->fd));
	ASSERT_EQ(0, q_put(self->fd));
	EXPECT_EQ(0, not_whole(p, self->sim.dus_size));
	ASSERT_EQ(0, q_start(self->fd));
	EXPECT_EQ(0, not_whole(p, self->sim.dus_size));
	EXPECT_EQ(-EEXIST, map_dus(&self->sim, self->fd, &p));
}

TEST_F(region, is_not_inherited_by_fork)
{
	void *mmio, *dus;
	int status;
	pid_t pid;

	ASSERT_EQ(0, map_mmio(&self->sim, self->fd, &mmio));
	ASSERT_EQ(0, map_dus(&self->sim, self->fd, &dus));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid)
		_exit(unmapped(mmio) && unmapped(dus) ? 0 : 1);
	ASSERT_EQ(0, wait_pid(pid, &status));
	EXPECT_EQ(0, status);
	/* the child's end has not unmapped ours */
	EXPECT_EQ(0, not_whole(dus, self->sim.dus_size));
	EXPECT_EQ(-EEXIST, map_dus(&self->sim, self->fd, &dus));
}

TEST_F(region, madvise_cannot_make_it_inheritable)
{
	int status;
	pid_t pid;
	void *p;

	ASSERT_EQ(0, map_dus(&self->sim, self->fd, &p));
	EXPECT_EQ(-1, madvise(p, self->sim.dus_size, MADV_DOFORK));
	EXPECT_EQ(EINVAL, errno);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid)
		_exit(unmapped(p) ? 0 : 1);
	ASSERT_EQ(0, wait_pid(pid, &status));
	EXPECT_EQ(0, status);
}

TEST_F(region, madvise_cannot_put_it_into_core_dumps)
{
	void *mmio, *dus;

	ASSERT_EQ(0, map_mmio(&self->sim, self->fd, &mmio));
	ASSERT_EQ(0, map_dus(&self->sim, self->fd, &dus));
	EXPECT_EQ(-1, madvise(mmio, self->sim.mmio_size, MADV_DODUMP));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, madvise(dus, self->sim.dus_size, MADV_DODUMP));
	EXPECT_EQ(EINVAL, errno);
}

/* The VmFlags line of smaps for the mapping that starts at @map */
static int vm_flags(const void *map, char *flags, size_t len)
{
	unsigned long start, end;
	bool mine = false;
	char line[512];
	FILE *f;

	f = fopen("/proc/self/smaps", "r");
	if (!f)
		return -errno;
	flags[0] = '\0';
	while (!flags[0] && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx", &start, &end) == 2)
			mine = start == (unsigned long)map;
		else if (mine && !strncmp(line, "VmFlags:", 8))
			snprintf(flags, len, "%s", line + 8);
	}
	fclose(f);
	return flags[0] ? 0 : -ENODATA;
}

TEST_F(region, is_io_memory_not_copied_not_expanded_not_dumped)
{
	static const char * const want[] = { " io ", " dc ", " de ", " dd " };
	char flags[512];
	unsigned int i;
	void *p;

	ASSERT_EQ(0, map_dus(&self->sim, self->fd, &p));
	if (vm_flags(p, flags, sizeof(flags)))
		SKIP(return, "no VmFlags: needs CONFIG_PROC_PAGE_MONITOR");
	for (i = 0; i < ARRAY_SIZE(want); i++) {
		EXPECT_TRUE(!!strstr(flags, want[i]))
			TH_LOG("flag %u of VmFlags:%s", i, flags);
	}
}

/* What must not break a mapping into parts */
struct split {
	const char *name;
	int (*call)(char *map, size_t len, size_t page);
};

static int err(long ret)
{
	return ret == -1 ? -errno : 0;
}

static int unmap_head(char *map, size_t len, size_t page)
{
	return err(munmap(map, page));
}

static int unmap_middle(char *map, size_t len, size_t page)
{
	return err(munmap(map + page, page));
}

static int unmap_tail(char *map, size_t len, size_t page)
{
	return err(munmap(map + len - page, page));
}

static int unmap_across_end(char *map, size_t len, size_t page)
{
	return err(munmap(map + len - page, 2 * page));
}

static int protect_head(char *map, size_t len, size_t page)
{
	return err(mprotect(map, page, PROT_READ));
}

static int protect_tail(char *map, size_t len, size_t page)
{
	return err(mprotect(map + page, len - page, PROT_NONE));
}

static int advise_head(char *map, size_t len, size_t page)
{
	return err(madvise(map, page, MADV_RANDOM));
}

static int advise_middle(char *map, size_t len, size_t page)
{
	return err(madvise(map + page, page, MADV_SEQUENTIAL));
}

static int shrink(char *map, size_t len, size_t page)
{
	return err((long)mremap(map, len, len - page, 0));
}

static int shrink_and_move(char *map, size_t len, size_t page)
{
	return err((long)mremap(map, len, page, MREMAP_MAYMOVE));
}

static int map_over_head(char *map, size_t len, size_t page)
{
	return err((long)mmap(map, page, RW,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
}

static int map_over_tail(char *map, size_t len, size_t page)
{
	return err((long)mmap(map + len - page, 2 * page, RW,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
}

static int move_head(char *map, size_t len, size_t page)
{
	char *to = mmap(NULL, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			0);

	return err((long)mremap(map, page, page, MREMAP_MAYMOVE | MREMAP_FIXED,
				to));
}

TEST_F(region, split_is_EINVAL)
{
	static const struct split splits[] = {
		{ "munmap of the head", unmap_head },
		{ "munmap of the middle", unmap_middle },
		{ "munmap of the tail", unmap_tail },
		{ "munmap across the end", unmap_across_end },
		{ "mprotect of the head", protect_head },
		{ "mprotect of the tail", protect_tail },
		{ "madvise of the head", advise_head },
		{ "madvise of the middle", advise_middle },
		{ "mremap that shrinks", shrink },
		{ "mremap that shrinks and may move", shrink_and_move },
		{ "mmap over the head", map_over_head },
		{ "mmap over the tail", map_over_tail },
		{ "mremap of the head", move_head },
	};
	unsigned int i;
	void *map, *p;

	ASSERT_EQ(0, map_dus(&self->sim, self->fd, &map));
	for (i = 0; i < ARRAY_SIZE(splits); i++) {
		EXPECT_EQ(-EINVAL, splits[i].call(map, self->sim.dus_size,
						  self->page))
			TH_LOG("%s", splits[i].name);
		EXPECT_EQ(0, not_whole(map, self->sim.dus_size))
			TH_LOG("%s", splits[i].name);
		/* still mapped, as far as the queue knows */
		EXPECT_EQ(-EEXIST, map_dus(&self->sim, self->fd, &p))
			TH_LOG("%s", splits[i].name);
	}

	/* and the slot has not lost count */
	ASSERT_EQ(0, munmap(map, self->sim.dus_size));
	EXPECT_EQ(0, map_dus(&self->sim, self->fd, &map));
	EXPECT_EQ(0, not_whole(map, self->sim.dus_size));
}

/* The kernel does not lock device memory, so it says yes and does nothing */
TEST_F(region, mlock_does_not_split)
{
	void *map, *p;

	ASSERT_EQ(0, map_dus(&self->sim, self->fd, &map));
	EXPECT_EQ(0, mlock(map + self->page, self->page));
	EXPECT_EQ(0, not_whole(map, self->sim.dus_size));
	EXPECT_EQ(0, munlock(map, self->page));
	EXPECT_EQ(0, not_whole(map, self->sim.dus_size));
	EXPECT_EQ(-EEXIST, map_dus(&self->sim, self->fd, &p));
}

static void *somewhere_else(size_t len)
{
	return mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

TEST_F(region, move_is_EPERM)
{
	size_t len = self->sim.dus_size;
	void *map, *to;

	ASSERT_EQ(0, map_dus(&self->sim, self->fd, &map));
	to = somewhere_else(len);
	ASSERT_NE(MAP_FAILED, to);
	EXPECT_EQ(MAP_FAILED, mremap(map, len, len,
				     MREMAP_MAYMOVE | MREMAP_FIXED, to));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(0, not_whole(map, len));
}

TEST_F(region, failed_move_does_not_free_the_slot)
{
	size_t len = self->sim.dus_size;
	void *map, *to, *p;
	int i;

	ASSERT_EQ(0, map_dus(&self->sim, self->fd, &map));
	for (i = 0; i < 3; i++) {
		to = somewhere_else(len);
		ASSERT_NE(MAP_FAILED, to);
		ASSERT_EQ(MAP_FAILED, mremap(map, len, len,
					     MREMAP_MAYMOVE | MREMAP_FIXED,
					     to));
		EXPECT_EQ(-EEXIST, map_dus(&self->sim, self->fd, &p));
		EXPECT_EQ(0, not_whole(map, len));
	}

	/* which the mapping that is left does when it goes */
	ASSERT_EQ(0, munmap(map, len));
	ASSERT_EQ(0, map_dus(&self->sim, self->fd, &map));
	EXPECT_EQ(0, not_whole(map, len));
}

TEST_F(region, failed_move_does_not_put_a_queue)
{
	size_t len = self->sim.dus_size;
	void *map, *to;

	ASSERT_EQ(0, map_dus(&self->sim, self->fd, &map));
	ASSERT_EQ(0, q_start(self->fd));
	ASSERT_EQ(0, close(self->fd));
	to = somewhere_else(len);
	ASSERT_EQ(MAP_FAILED, mremap(map, len, len,
				     MREMAP_MAYMOVE | MREMAP_FIXED, to));
	EXPECT_EQ(1, sim_stat(&self->sim, "running"));
	EXPECT_EQ(0, sim_stat(&self->sim, "puts"));
	ASSERT_EQ(0, munmap(map, len));
	EXPECT_EQ(0, sim_wait_stat(&self->sim, "puts", 1));
}

TEST_F(region, cannot_grow_or_be_duplicated)
{
	size_t len = self->sim.dus_size;
	void *map;

	ASSERT_EQ(0, map_dus(&self->sim, self->fd, &map));
	EXPECT_EQ(MAP_FAILED, mremap(map, len, len + self->page,
				     MREMAP_MAYMOVE));
	EXPECT_EQ(MAP_FAILED, mremap(map, 0, len, MREMAP_MAYMOVE));
	EXPECT_EQ(MAP_FAILED, mremap(map, len, len,
				     MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0));
	EXPECT_EQ(0, not_whole(map, len));
	EXPECT_EQ(-EEXIST, map_dus(&self->sim, self->fd, &map));
}

TEST_F(region, protection_of_the_whole_may_change)
{
	size_t len = self->sim.dus_size;
	void *map;

	ASSERT_EQ(0, map_dus(&self->sim, self->fd, &map));
	EXPECT_EQ(0, mprotect(map, len, PROT_READ));
	EXPECT_EQ(0, not_whole(map, len));
	EXPECT_EQ(0, mprotect(map, len, RW));
	EXPECT_EQ(0, not_whole(map, len));
}

TEST_HARNESS_MAIN
