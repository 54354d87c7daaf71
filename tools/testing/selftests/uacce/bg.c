// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls that run in a thread of the test.
 */
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include <misc/uacce/uacce.h>

#include "bg.h"
#include "peer.h"
#include "sim.h"

static void *bg_main(void *arg)
{
	struct bg *bg = arg;

	__atomic_store_n(&bg->tid, gettid(), __ATOMIC_RELEASE);
	bg->ret = bg->fn(bg->arg[0], bg->arg[1], bg->arg[2]);
	__atomic_store_n(&bg->done, true, __ATOMIC_RELEASE);
	return NULL;
}

int bg_start(struct bg *bg, bg_fn fn, long a, long b, long c)
{
	bg->fn = fn;
	bg->arg[0] = a;
	bg->arg[1] = b;
	bg->arg[2] = c;
	bg->done = false;
	bg->tid = 0;
	return -pthread_create(&bg->thread, NULL, bg_main, bg);
}

bool bg_done(const struct bg *bg)
{
	return __atomic_load_n(&bg->done, __ATOMIC_ACQUIRE);
}

long bg_wait(struct bg *bg)
{
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += SIM_TIMEOUT_MS / 1000;
	if (pthread_clockjoin_np(bg->thread, NULL, CLOCK_MONOTONIC, &end))
		return -ETIMEDOUT;
	return bg->ret;
}

int bg_wait_asleep(const struct bg *bg)
{
	pid_t tid;

	while (!(tid = __atomic_load_n(&bg->tid, __ATOMIC_ACQUIRE)))
		nap();
	return bg_done(bg) ? 0 : wait_asleep(tid);
}

static long do_ioctl(long fd, long cmd, long arg)
{
	return q_ioctl(fd, cmd, (void *)arg);
}

static long do_poll(long fd, long timeout_ms, long unused)
{
	return q_poll(fd, timeout_ms);
}

static long do_open(long sim, long unused1, long unused2)
{
	return q_open((const struct sim *)sim);
}

static long do_close(long fd, long unused1, long unused2)
{
	return close(fd) ? -errno : 0;
}

static long do_kill(long sim, long unused1, long unused2)
{
	return sim_kill((const struct sim *)sim);
}

int bg_q_ioctl(struct bg *bg, int fd, unsigned long cmd, void *arg)
{
	return bg_start(bg, do_ioctl, fd, cmd, (long)arg);
}

int bg_q_start(struct bg *bg, int fd)
{
	return bg_q_ioctl(bg, fd, UACCE_CMD_START_Q, NULL);
}

int bg_q_put(struct bg *bg, int fd)
{
	return bg_q_ioctl(bg, fd, UACCE_CMD_PUT_Q, NULL);
}

int bg_q_poll(struct bg *bg, int fd, int timeout_ms)
{
	return bg_start(bg, do_poll, fd, timeout_ms, 0);
}

int bg_q_open(struct bg *bg, const struct sim *sim)
{
	return bg_start(bg, do_open, (long)sim, 0, 0);
}

int bg_close(struct bg *bg, int fd)
{
	return bg_start(bg, do_close, fd, 0, 0);
}

int bg_sim_kill(struct bg *bg, const struct sim *sim)
{
	return bg_start(bg, do_kill, (long)sim, 0, 0);
}
