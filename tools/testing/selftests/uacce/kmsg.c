// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel says in its log
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kmsg.h"
#include "sim.h"

#define KMSG	"/dev/kmsg"

/* The next record and its number: its length, 0 if there is none, or -errno */
static int next_record(int kmsg, char *buf, size_t len, long *number)
{
	ssize_t n;

	do {
		n = read(kmsg, buf, len - 1);
		/* that one is no longer there, the next may be */
	} while (n < 0 && errno == EPIPE);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	buf[n] = '\0';
	if (sscanf(buf, "%*d,%ld,", number) != 1)
		return -EBADMSG;
	return n;
}

long log_mark(const char *text)
{
	char record[2048], line[256];
	long number;
	int kmsg, ret;

	/* without a newline it could be continued, and cannot be read yet */
	snprintf(line, sizeof(line), "%s\n", text);
	kmsg = open(KMSG, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (kmsg < 0)
		return -errno;
	ret = lseek(kmsg, 0, SEEK_END) < 0 ? -errno : 0;
	if (!ret && write(kmsg, line, strlen(line)) < 0)
		ret = -errno;
	while (!ret) {
		ret = next_record(kmsg, record, sizeof(record), &number);
		if (!ret)
			ret = -EIO;
		if (ret > 0 && strstr(record, text))
			break;
		if (ret > 0)
			ret = 0;
	}
	close(kmsg);
	return ret < 0 ? ret : number;
}

static bool has_all(const char *record, const char * const *words)
{
	while (*words) {
		if (!strstr(record, *words++))
			return false;
	}
	return true;
}

/* Same as log_count(), of what is still to be read from @kmsg */
static int scan(int kmsg, long mark, const char * const *words)
{
	char record[2048];
	long number;
	int ret, n = 0;

	while ((ret = next_record(kmsg, record, sizeof(record), &number)) > 0) {
		if (number > mark && has_all(record, words))
			n++;
	}
	return ret < 0 ? ret : n;
}

int log_count(long mark, const char * const *words)
{
	int kmsg = open(KMSG, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	int ret;

	if (kmsg < 0)
		return -errno;
	ret = scan(kmsg, mark, words);
	close(kmsg);
	return ret;
}

int log_wait(long mark, const char * const *words, long timeout_ms)
{
	int kmsg = open(KMSG, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	long end = now_ms() + timeout_ms;
	int ret;

	if (kmsg < 0)
		return -errno;
	while (!(ret = scan(kmsg, mark, words))) {
		if (now_ms() > end) {
			ret = -ETIMEDOUT;
			break;
		}
		nap();
	}
	close(kmsg);
	return ret < 0 ? ret : 0;
}
