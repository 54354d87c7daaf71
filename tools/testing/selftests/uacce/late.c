// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that is there when the test says so
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/fuse.h>
#include <linux/userfaultfd.h>

#include "bg.h"
#include "late.h"
#include "sim.h"

#define LATE_FILE	"/tmp/uacce_late_file"
#define LATE_SIZE	4096U

int late_page(void **page)
{
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_api api = { .api = UFFD_API };
	int uffd;

	uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (uffd < 0)
		return -errno;
	*page = mmap(NULL, LATE_SIZE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	reg.range.start = (unsigned long)*page;
	reg.range.len = LATE_SIZE;
	if (*page == MAP_FAILED || ioctl(uffd, UFFDIO_API, &api) ||
	    ioctl(uffd, UFFDIO_REGISTER, &reg)) {
		close(uffd);
		return -EIO;
	}
	return uffd;
}

int late_page_fill(int uffd, void *page)
{
	struct uffdio_zeropage zero = {
		.range = { .start = (unsigned long)page, .len = LATE_SIZE },
	};

	return ioctl(uffd, UFFDIO_ZEROPAGE, &zero) ? -errno : 0;
}

/* --- the file */

static int fuse = -1;
static struct bg server;
static __u64 waiting;	/* the request for the page that is not answered yet */

static int answer(__u64 unique, int error, const void *data, size_t len)
{
	struct fuse_out_header head = {
		.len = sizeof(head) + len, .error = error, .unique = unique,
	};
	struct iovec iov[] = {
		{ .iov_base = &head, .iov_len = sizeof(head) },
		{ .iov_base = (void *)data, .iov_len = len },
	};

	return writev(fuse, iov, 2) < 0 ? -errno : 0;
}

static int answer_init(__u64 unique)
{
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_write = LATE_SIZE,
	};

	return answer(unique, 0, &out, sizeof(out));
}

static int answer_getattr(__u64 unique)
{
	struct fuse_attr_out out = {
		.attr_valid = 1000,
		.attr = {
			.ino = FUSE_ROOT_ID, .size = LATE_SIZE, .nlink = 1,
			.mode = S_IFREG | 0644,
		},
	};

	return answer(unique, 0, &out, sizeof(out));
}

/* Without FOPEN_KEEP_CACHE the kernel drops what it has of the file. */
static int answer_open(__u64 unique)
{
	struct fuse_open_out out = {};

	return answer(unique, 0, &out, sizeof(out));
}

static void serve_one(const struct fuse_in_header *in)
{
	switch (in->opcode) {
	case FUSE_INIT:
		answer_init(in->unique);
		break;
	case FUSE_GETATTR:
		answer_getattr(in->unique);
		break;
	case FUSE_OPEN:
		answer_open(in->unique);
		break;
	case FUSE_READ:
		__atomic_store_n(&waiting, in->unique, __ATOMIC_RELEASE);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break;
	case FUSE_FLUSH:
	case FUSE_RELEASE:
		answer(in->unique, 0, NULL, 0);
		break;
	default:
		answer(in->unique, -EOPNOTSUPP, NULL, 0);
	}
}

static long serve(long unused1, long unused2, long unused3)
{
	static union {
		struct fuse_in_header in;
		char bytes[LATE_SIZE + 8192];
	} buf;
	ssize_t n;

	for (;;) {
		n = read(fuse, &buf, sizeof(buf));
		if (n >= (ssize_t)sizeof(buf.in))
			serve_one(&buf.in);
		else if (n < 0 && errno != EINTR && errno != EAGAIN &&
			 errno != ENOENT)
			return -errno;
	}
}

int late_file_begin(void)
{
	char options[80];
	int fd;

	late_file_end();
	fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fuse < 0)
		return -errno;
	/* its root is no directory but the file itself */
	fd = open(LATE_FILE, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	close(fd);
	snprintf(options, sizeof(options),
		 "fd=%d,rootmode=100000,user_id=0,group_id=0", fuse);
	if (mount("uacce", LATE_FILE, "fuse", MS_NOSUID | MS_NODEV, options))
		return -errno;
	return bg_start(&server, serve, 0, 0, 0);
}

int late_file_map(void **page)
{
	struct stat st;
	int fd, ret = 0;

	fd = open(LATE_FILE, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* by which the kernel learns its size */
	if (fstat(fd, &st) || st.st_size != LATE_SIZE)
		ret = -EIO;
	*page = mmap(NULL, LATE_SIZE, PROT_READ, MAP_PRIVATE, fd, 0);
	if (!ret && *page == MAP_FAILED)
		ret = -errno;
	close(fd);
	return ret;
}

int late_file_wait(void)
{
	long end = now_ms() + SIM_TIMEOUT_MS;

	while (!__atomic_load_n(&waiting, __ATOMIC_ACQUIRE)) {
		if (now_ms() > end)
			return -ETIMEDOUT;
		nap();
	}
	return 0;
}

int late_file_fill(void)
{
	static const char zeros[LATE_SIZE];
	__u64 unique = __atomic_exchange_n(&waiting, 0, __ATOMIC_ACQ_REL);

	return unique ? answer(unique, 0, zeros, sizeof(zeros)) : -EINVAL;
}

void late_file_end(void)
{
	umount2(LATE_FILE, MNT_DETACH);
	unlink(LATE_FILE);
}
