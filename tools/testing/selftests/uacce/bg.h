/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A call that runs in a thread of the test, so that the test can look at the
 * world while the call blocks.
 */
#ifndef SELFTESTS_UACCE_BG_H
#define SELFTESTS_UACCE_BG_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct sim;

typedef long (*bg_fn)(long a, long b, long c);

struct bg {
	pthread_t thread;
	bg_fn fn;
	long arg[3];
	long ret;
	pid_t tid;
	bool done;
};

int bg_start(struct bg *bg, bg_fn fn, long a, long b, long c);
bool bg_done(const struct bg *bg);
/* Waits for the end of the call: what it returned, or -ETIMEDOUT */
long bg_wait(struct bg *bg);

/* Waits until the call sleeps in the kernel (or is over). -ETIMEDOUT */
int bg_wait_asleep(const struct bg *bg);

/* Common calls */
int bg_q_start(struct bg *bg, int fd);
int bg_q_put(struct bg *bg, int fd);
int bg_q_ioctl(struct bg *bg, int fd, unsigned long cmd, void *arg);
int bg_q_poll(struct bg *bg, int fd, int timeout_ms);
int bg_q_open(struct bg *bg, const struct sim *sim);
int bg_close(struct bg *bg, int fd);
int bg_sim_kill(struct bg *bg, const struct sim *sim);

#endif
