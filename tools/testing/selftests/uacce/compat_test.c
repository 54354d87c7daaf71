// SPDX-License-Identifier: GPL-2.0-only
/*
 * The user interface as 32-bit programs see it. On x86-64 no such program is
 * needed to get there: the old entry to the kernel leads to the same calls.
 */
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "uacce_test.h"

/* Numbers of i386 */
#define SYS32_OPEN	5
#define SYS32_CLOSE	6
#define SYS32_GETPID	20
#define SYS32_IOCTL	54
#define SYS32_MMAP	90
#define SYS32_MUNMAP	91
#define SYS32_POLL	168

/* What mmap of i386 gets: a pointer to this */
struct mmap32 {
	__u32 addr;
	__u32 len;
	__u32 prot;
	__u32 flags;
	__u32 fd;
	__u32 offset;
};

/* What is passed by address has to be where 32 bits reach */
struct low {
	char node[80];
	struct vaccel_info info;
	struct mmap32 mmap;
	struct pollfd pfd;
	__u8 src[64];
	__u8 dst[64];
};

#ifdef __x86_64__

static long sys32(unsigned int nr, unsigned long a, unsigned long b,
		  unsigned long c)
{
	int ret;

	asm volatile("int $0x80"
		     : "=a" (ret)
		     : "a" (nr), "b" (a), "c" (b), "d" (c)
		     : "r8", "r9", "r10", "r11", "memory");
	return ret;
}

/* Where the kernel has no such entry, who tries it is killed */
static bool have_sys32(void)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(sys32(SYS32_GETPID, 0, 0, 0) != getpid());
	return pid > 0 && !wait_pid(pid, &status) && !status;
}

#else

static long sys32(unsigned int nr, unsigned long a, unsigned long b,
		  unsigned long c)
{
	return -EOPNOTSUPP;
}

static bool have_sys32(void)
{
	return false;
}

#endif

static long ioctl32(int fd, unsigned int cmd, const void *arg)
{
	return sys32(SYS32_IOCTL, fd, cmd, (unsigned long)arg);
}

FIXTURE(compat) {
	struct sim sim;
	struct low *low;
	int fd;
};

FIXTURE_VARIANT(compat) {
	bool no_sva;
};

FIXTURE_VARIANT_ADD(compat, sva) {};
FIXTURE_VARIANT_ADD(compat, no_sva) { .no_sva = true };

FIXTURE_SETUP(compat)
{
	struct sim_config cfg = { .no_sva = variant->no_sva };

	if (!have_sys32())
		SKIP(return, "needs x86-64 with CONFIG_IA32_EMULATION");
	if (!setup_sim(_metadata, &self->sim, "ksft_compat", &cfg))
		return;
#ifdef MAP_32BIT
	self->low = mmap(NULL, sizeof(*self->low), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	ASSERT_NE(MAP_FAILED, self->low);
	ASSERT_EQ((unsigned long)self->low, (__u32)(unsigned long)self->low);
	snprintf(self->low->node, sizeof(self->low->node), "%s", self->sim.node);
	self->fd = sys32(SYS32_OPEN, (unsigned long)self->low->node, O_RDWR, 0);
	ASSERT_GE(self->fd, 0);
#endif
}

FIXTURE_TEARDOWN_PARENT(compat)
{
	teardown_sim(_metadata, &self->sim);
}

TEST_F(compat, every_ioctl)
{
	struct vaccel_info info;

	EXPECT_EQ(0, ioctl32(self->fd, UACCE_CMD_PUT_Q, NULL));
	EXPECT_EQ(-EINVAL, ioctl32(self->fd, VACCEL_CMD_KICK, NULL));
	EXPECT_EQ(0, ioctl32(self->fd, UACCE_CMD_START_Q, NULL));
	EXPECT_EQ(-EINVAL, ioctl32(self->fd, UACCE_CMD_START_Q, NULL));
	EXPECT_EQ(0, ioctl32(self->fd, VACCEL_CMD_KICK, NULL));

	EXPECT_EQ(0, ioctl32(self->fd, VACCEL_CMD_INFO, &self->low->info));
	ASSERT_EQ(0, q_info(self->fd, &info));
	EXPECT_EQ(0, memcmp(&info, &self->low->info, sizeof(info)));
	EXPECT_EQ(-EFAULT, ioctl32(self->fd, VACCEL_CMD_INFO, (void *)1));

	EXPECT_EQ(0, ioctl32(self->fd, UACCE_CMD_PUT_Q, NULL));
	EXPECT_EQ(-ENOTTY, ioctl32(self->fd, _IO('W', 0x7f), NULL));
	EXPECT_EQ(0, sys32(SYS32_CLOSE, self->fd, 0, 0));
}

TEST_F(compat, who_may_not_is_refused)
{
	int status;
	pid_t pid;

	ASSERT_EQ(0, ioctl32(self->fd, UACCE_CMD_START_Q, NULL));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid)
		_exit(-ioctl32(self->fd, UACCE_CMD_PUT_Q, NULL));
	ASSERT_EQ(0, wait_pid(pid, &status));
	EXPECT_EQ(variant->no_sva ? 0 : EPERM, WEXITSTATUS(status));

	ASSERT_EQ(0, sim_kill(&self->sim));
	EXPECT_EQ(-ENXIO, ioctl32(self->fd, UACCE_CMD_START_Q, NULL));
	EXPECT_EQ(-ENXIO, ioctl32(self->fd, VACCEL_CMD_INFO, &self->low->info));
	EXPECT_EQ(0, sys32(SYS32_CLOSE, self->fd, 0, 0));
	EXPECT_EQ(0, sim_go_live(&self->sim));
}

/* Returns where the region is, below 4 GiB, or a negative errno */
static long map32(struct low *low, int fd, unsigned int region, size_t len)
{
	low->mmap = (struct mmap32) {
		.len = len,
		.prot = PROT_READ | PROT_WRITE,
		.flags = MAP_SHARED,
		.fd = fd,
		.offset = region * getpagesize(),
	};
	return sys32(SYS32_MMAP, (unsigned long)&low->mmap, 0, 0);
}

static void *region_at(long addr)
{
	return (void *)(unsigned long)(__u32)addr;
}

TEST_F(compat, regions_and_work)
{
	struct vaccel_queue q = {
		.fd = self->fd,
		.mmio_size = self->sim.mmio_size,
		.dus_size = self->sim.dus_size,
	};
	struct vaccel_desc d = { .opcode = VACCEL_OP_COPY };
	struct low *low = self->low;
	struct vaccel_cqe cqe;
	__u8 *src = low->src, *dst = low->dst;
	long addr;

	addr = map32(low, self->fd, UACCE_QFRT_MMIO, q.mmio_size);
	ASSERT_TRUE(addr > 0 || addr < -4095);
	q.mmio = region_at(addr);
	addr = map32(low, self->fd, UACCE_QFRT_DUS, q.dus_size);
	ASSERT_TRUE(addr > 0 || addr < -4095);
	q.dus = region_at(addr);
	EXPECT_EQ(-EEXIST, map32(low, self->fd, UACCE_QFRT_DUS, q.dus_size));
	EXPECT_EQ(-EINVAL, map32(low, self->fd, 2, q.mmio_size));

	ASSERT_EQ(0, ioctl32(self->fd, UACCE_CMD_START_Q, NULL));
	low->pfd = (struct pollfd) { .fd = self->fd, .events = POLLIN };
	EXPECT_EQ(0, sys32(SYS32_POLL, (unsigned long)&low->pfd, 1, 0));

	if (variant->no_sva) {
		src = (__u8 *)q.dus + VACCEL_DATA_OFFSET;
		dst = src + 64;
		d.src = VACCEL_DATA_OFFSET;
		d.dst = VACCEL_DATA_OFFSET + 64;
	} else {
		d.src = (unsigned long)src;
		d.dst = (unsigned long)dst;
	}
	d.src_len = 64;
	d.dst_len = 64;
	memset(src, 0x5a, 64);
	ASSERT_EQ(0, vaccel_submit(&q, &d));
	EXPECT_EQ(1, sys32(SYS32_POLL, (unsigned long)&low->pfd, 1, 20000));
	EXPECT_EQ(POLLIN, low->pfd.revents);
	ASSERT_EQ(1, vaccel_reap(&q, &cqe));
	EXPECT_EQ(VACCEL_ST_OK, cqe.status);
	EXPECT_EQ(0, memcmp(src, dst, 64));

	EXPECT_EQ(0, sys32(SYS32_MUNMAP, (unsigned long)q.dus, q.dus_size, 0));
	addr = map32(low, self->fd, UACCE_QFRT_DUS, q.dus_size);
	EXPECT_TRUE(addr > 0 || addr < -4095);
}

TEST_HARNESS_MAIN
