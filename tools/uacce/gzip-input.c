// SPDX-License-Identifier: GPL-2.0-only
/*
 * The data to work on.
 *
 * A file is mapped, and the accelerator gets pointers into the mapping: nobody
 * copies, and pages that are not in memory are brought in by the device's page
 * faults. We never touch the mapping ourselves, so that a file that is cut
 * short meanwhile costs a completion with an error and no SIGBUS. What cannot
 * be mapped (pipes, /proc) is read.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "gzip.h"

static void map_file(struct gz_input *in)
{
	size_t page = sysconf(_SC_PAGESIZE);
	off_t start, from;

	if (!S_ISREG(in->st.st_mode))
		return;
	/* standard input need not be at its beginning */
	start = lseek(in->fd, 0, SEEK_CUR);
	if (start < 0 || start >= in->st.st_size)
		return;
	from = start & ~((off_t)page - 1);
	if ((__u64)(in->st.st_size - from) > SIZE_MAX / 2)
		return;

	in->map_size = in->st.st_size - from;
	in->map = mmap(NULL, in->map_size, PROT_READ, MAP_SHARED, in->fd, from);
	if (in->map == MAP_FAILED) {
		in->map = NULL;
		return;
	}
	madvise(in->map, in->map_size, MADV_SEQUENTIAL);
	in->next = in->map + (start - from);
	in->left = in->st.st_size - start;
	/* what is appended from now on is found by read() */
	lseek(in->fd, in->st.st_size, SEEK_SET);
}

int gz_input_open(struct gz_input *in, int fd, const char *name)
{
	memset(in, 0, sizeof(*in));
	in->fd = fd;
	in->name = name;
	if (fstat(fd, &in->st)) {
		gz_error(name, "%s", strerror(errno));
		gz_input_close(in);
		return -1;
	}
	map_file(in);
	return 0;
}

void gz_input_close(struct gz_input *in)
{
	if (in->map)
		munmap(in->map, in->map_size);
	in->map = NULL;
	free(in->buf);
	in->buf = NULL;
	if (in->fd > STDIN_FILENO)
		close(in->fd);
	in->fd = -1;
}

/* Read at most @size bytes; @least, unless the input ends before */
static int read_more(struct gz_input *in, char *buf, size_t least, size_t size,
		     size_t *len)
{
	ssize_t got;

	*len = 0;
	if (size && in->has_ahead) {
		buf[(*len)++] = in->ahead;
		in->has_ahead = false;
	}
	while (*len < least && !in->eof) {
		got = read(in->fd, buf + *len, size - *len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			gz_error(in->name, "%s", strerror(errno));
			return -1;
		}
		if (!got)
			in->eof = true;
		*len += got;
	}
	return 0;
}

static int look_ahead(struct gz_input *in)
{
	size_t len;

	if (in->has_ahead)
		return 0;
	if (read_more(in, &in->ahead, 1, 1, &len))
		return -1;
	in->has_ahead = len;
	return 0;
}

int gz_input_chunk(struct gz_input *in, void *buf, size_t size,
		   const void **data, size_t *len, bool *last)
{
	if (in->left) {
		*data = in->next;
		*len = in->left < size ? in->left : size;
		in->next += *len;
		in->left -= *len;
	} else {
		*data = buf;
		if (read_more(in, buf, size, size, len))
			return -1;
	}
	in->total += *len;

	if (!in->left && look_ahead(in))
		return -1;
	*last = !in->left && !in->has_ahead;
	return 0;
}

int gz_input_window(struct gz_input *in, size_t least, const void **data,
		    size_t *len)
{
	size_t got;

	if (!in->map && in->left < least) {
		if (!in->buf)
			in->buf = malloc(GZ_WINDOW);
		if (!in->buf) {
			gz_error(in->name, "%s", strerror(ENOMEM));
			return -1;
		}
		if (in->left)
			memmove(in->buf, in->next, in->left);
		in->next = in->buf;
		if (read_more(in, in->buf + in->left, least - in->left,
			      GZ_WINDOW - in->left, &got))
			return -1;
		in->left += got;
	}
	*data = in->next;
	*len = in->left < GZ_WINDOW ? in->left : GZ_WINDOW;
	return 0;
}

int gz_input_peek(struct gz_input *in, void *to, size_t size, size_t *len)
{
	const void *data;
	ssize_t got;

	if (gz_input_window(in, size, &data, len))
		return -1;
	if (*len > size)
		*len = size;
	if (!in->map) {
		memcpy(to, data, *len);
		return 0;
	}
	got = pread(in->fd, to, *len, in->st.st_size - in->left);
	if (got < 0) {
		gz_error(in->name, "%s", strerror(errno));
		return -1;
	}
	*len = got;
	return 0;
}

void gz_input_skip(struct gz_input *in, size_t len)
{
	in->next += len;
	in->left -= len;
	in->total += len;
}

__u64 gz_input_size(const struct gz_input *in)
{
	return in->map ? in->total + in->left : 0;
}

bool gz_input_maps(const struct gz_input *in, __u64 addr)
{
	return in->map && addr >= (uintptr_t)in->map &&
	       addr - (uintptr_t)in->map < in->map_size;
}

bool gz_input_shrank(const struct gz_input *in)
{
	struct stat st;

	return in->map && !fstat(in->fd, &st) && st.st_size < in->st.st_size;
}
