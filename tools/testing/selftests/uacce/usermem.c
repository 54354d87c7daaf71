// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of a test, and what a device with SVA does to it and sees of it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "usermem.h"
#include "vaccel_ref.h"

__u8 *fresh(size_t pages)
{
	void *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	madvise(p, pages * PAGE, MADV_NOHUGEPAGE);
	return p;
}

int memory_file(size_t pages)
{
	int fd = memfd_create("uacce", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, pages * PAGE))
		abort();
	return fd;
}

__u8 *map_file(int fd, size_t pages, int prot, int flags)
{
	void *p = mmap(NULL, pages * PAGE, prot, flags, fd, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

int dev_fill(struct vq *vq, void *dst, size_t len, __u8 value)
{
	struct vaccel_desc d = d_fill(vq, dst, len, PATTERN(value));

	return vq_run(vq, &d, NULL);
}

int dev_copy(struct vq *vq, const void *src, void *dst, size_t len)
{
	struct vaccel_desc d = d_copy(vq, src, dst, len);

	return vq_run(vq, &d, NULL);
}

static bool dev_crc_is(struct vq *vq, const void *src, size_t len, __u32 want)
{
	struct vaccel_desc d = d_crc(vq, src, len, 0);
	struct vq_done done;

	return vq_run(vq, &d, &done) == VACCEL_ST_OK && done.result == want;
}

bool dev_sees(struct vq *vq, const void *src, size_t len, __u8 value)
{
	__u32 want = 0;
	size_t i;

	for (i = 0; i < len; i++)
		want = ref_crc32(want, &value, 1);
	return dev_crc_is(vq, src, len, want);
}

bool dev_sees_this(struct vq *vq, const void *src, size_t len, const void *want)
{
	return dev_crc_is(vq, src, len, ref_crc32(0, want, len));
}

int vq_wait_fault(struct vq *vq, int status, __u64 addr)
{
	struct vq_done done;
	int ret = vq_wait(vq, &done);

	if (ret == status && done.result == addr)
		return 0;
	fprintf(stderr, "# status %d at %#llx, not %d at %#llx\n", ret,
		(unsigned long long)done.result, status,
		(unsigned long long)addr);
	return -EBADMSG;
}

int dev_fault(struct vq *vq, const struct vaccel_desc *d, int status, __u64 addr)
{
	long ret = vq_submit(vq, d);

	return ret < 0 ? ret : vq_wait_fault(vq, status, addr);
}

int dev_no_write(struct vq *vq, const void *p, size_t len, const void *addr)
{
	struct vaccel_desc d = d_fill(vq, (void *)p, len, PATTERN('w'));

	return dev_fault(vq, &d, VACCEL_ST_FAULT_WRITE, (unsigned long)addr);
}

int dev_no_read(struct vq *vq, const void *p, size_t len, const void *addr)
{
	struct vaccel_desc d = d_crc(vq, p, len, 0);

	return dev_fault(vq, &d, VACCEL_ST_FAULT_READ, (unsigned long)addr);
}

int dev_hold(struct sim *sim, struct vq *vq, const char *point,
	     const struct vaccel_desc *d)
{
	long ret = sim_hold(sim, point, 1);

	if (ret)
		return ret;
	ret = vq_submit(vq, d);
	return ret < 0 ? ret : sim_wait_held(sim, point, 1);
}

int hold_fill(struct sim *sim, struct vq *vq, __u8 *p, size_t pages, __u8 value)
{
	struct vaccel_desc d = d_fill(vq, p, pages * PAGE, PATTERN(value));
	int ret = dev_hold(sim, vq, "dma", &d);

	if (ret)
		return ret;
	return p[0] == value && p[PAGE] != value ? 0 : -EBADMSG;
}

int hold_crc(struct sim *sim, struct vq *vq, const __u8 *p, size_t pages)
{
	struct vaccel_desc d = d_crc(vq, p, pages * PAGE, 0);

	return dev_hold(sim, vq, "dma", &d);
}

long peer_peek(long addr, long len, long value)
{
	return all_bytes((const __u8 *)addr, len, value);
}

long peer_poke(long addr, long len, long value)
{
	memset((void *)addr, value, len);
	return 0;
}
