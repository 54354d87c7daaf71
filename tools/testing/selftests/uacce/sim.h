/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Control of the accelerator: uacce_sim, or what else carries it (carrier.h).
 *
 * Every test makes instances of its own and never touches the default one.
 * What can fail returns a negative errno. Attributes and points have the names
 * that uacce_sim gives them; a test that asks for what the carrier does not have
 * is skipped.
 */
#ifndef SELFTESTS_UACCE_SIM_H
#define SELFTESTS_UACCE_SIM_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

struct vaccel_info;

/*
 * Longest wait for something that has to happen, in ms: ample for an emulated
 * machine with a debug kernel, since only a failing test ever waits so long.
 */
#define SIM_TIMEOUT_MS	20000

/* What poll() says about a dead queue */
#define POLL_DEAD	(POLLERR | POLLHUP)

/* What a new instance shall be; zero leaves a number at the default */
struct sim_config {
	bool no_sva;
	unsigned int queues;
	unsigned int pasid_bits;
};

/* Points that a test holds in one instance, at most */
#define SIM_MAX_HELD	6

struct sim {
	char name[48];		/* of the instance; a directory in configfs */
	char dev[64];		/* device, "<name>-<N>", set when it is live */
	char node[80];		/* /dev/<dev> */
	size_t mmio_size;	/* of the regions, as sysfs says */
	size_t dus_size;
	bool sva;
	const char *held[SIM_MAX_HELD];	/* where sim_hold() was used */
};

/*
 * Loads the simulator and mounts configfs where that is still to do. Returns
 * NULL, or why the tests cannot run here.
 */
const char *sim_unavailable(void);

/* Ends the test as skipped; set by setup_sim() */
extern void (*sim_skip)(const char *why);

/* Is it uacce_sim? */
bool sim_is_simulated(void);
/* Directory of the driver in sysfs */
const char *sim_driver(void);
/* Writes @parent to its file "bind" or "unbind" */
int sim_driver_write(const char *file, const char *parent);
/* Names of the stats of what must never happen: the @i-th, or NULL */
const char *sim_never(unsigned int i);

/*
 * Makes instance @name and its device. What an earlier test left under this
 * name is removed. The holds of all instances that the process made are
 * released if it aborts or crashes, so that it cannot wait for itself.
 */
int sim_create(struct sim *sim, const char *name, const struct sim_config *cfg);
/* Same, without making the device: attributes can still be set */
int sim_create_idle(struct sim *sim, const char *name,
		    const struct sim_config *cfg);
int sim_go_live(struct sim *sim);
/*
 * Waits until the device has no bonds, as debugfs says: 0, or -ETIMEDOUT. Where that
 * is not mounted, or the device is gone, there is nothing to wait for.
 */
int sim_wait_no_bonds(const struct sim *sim);
/* Removes the device, waits until that is done. The instance stays. */
int sim_kill(const struct sim *sim);
/* Removes device and instance */
int sim_destroy(const struct sim *sim);
/* The same in one go, without removing the device first */
int sim_rmdir(const struct sim *sim);

/* Attributes, named relative to the instance: "live", "inject/hold_stop" */
int sim_set(const struct sim *sim, const char *attr, long val);
int sim_get(const struct sim *sim, const char *attr, long *val);
int sim_gets(const struct sim *sim, const char *attr, char *buf, size_t len);
/* Does this carrier have that attribute? */
bool sim_has(const struct sim *sim, const char *attr);

/* stats/@name; a negative errno if there is no such counter */
long sim_stat(const struct sim *sim, const char *name);
/* Waits until stats/@name is @want: 0, or -ETIMEDOUT */
int sim_wait_stat(const struct sim *sim, const char *name, long want);
/* Same, with a limit of its own and without a word if it is not kept */
int sim_poll_stat(const struct sim *sim, const char *name, long want,
		  long timeout_ms);
int sim_wait_stat_ge(const struct sim *sim, const char *name, long want);
/* Waits until it is larger by @more than it is now */
int sim_wait_more(const struct sim *sim, const char *name, long more);

/*
 * 0 if the device has nothing left of anybody, right now, or the number of what it
 * has; also when it is gone
 */
int sim_not_clean(const struct sim *sim);

/* Hold the next @n arrivals at @point; -1: all */
int sim_hold(struct sim *sim, const char *point, int n);
/* Waits until @n or more are held there: 0, or -ETIMEDOUT */
int sim_wait_held(const struct sim *sim, const char *point, int n);
int sim_release(struct sim *sim, const char *point);
void sim_release_all(struct sim *sim);
/* Let the next @n arrivals at @point fail; -1: all */
int sim_fail(const struct sim *sim, const char *point, int n);

/* /sys/class/uacce/<dev>/@attr */
int sim_sysfs(const struct sim *sim, const char *attr, char *buf, size_t len);
long sim_sysfs_long(const struct sim *sim, const char *attr);
int sim_sysfs_write(const struct sim *sim, const char *attr, const char *val);

/* One whole file, without its last newline: length, or a negative errno */
int read_file(const char *path, char *buf, size_t len);
int write_file(const char *path, const char *val);

/* Calls of the user interface that return 0 (or a number), or -errno */
int q_open(const struct sim *sim);
int q_start(int fd);
int q_put(int fd);
long q_ioctl(int fd, unsigned long cmd, void *arg);
int q_info(int fd, struct vaccel_info *info);
/* @region: enum uacce_qfrt */
int q_mmap(int fd, unsigned int region, size_t len, void **map);
int q_mmap_flags(int fd, unsigned int region, size_t len, int prot, int flags,
		 void **map);
/* Returns revents, 0 after @timeout_ms, or -errno */
int q_poll(int fd, int timeout_ms);

/* 0 if @fd is a dead queue in every respect, or the number of what is not */
int q_not_dead(int fd);

/*
 * Calls @fn: 0, or -EFAULT if it raised SIGBUS, and was left at that point. Fit for
 * threads; not for a call within another.
 */
int survive(void (*fn)(void *arg), void *arg);
/* The same with a function that reads one word of a mapping */
int touch(const void *p);
/* Touches until it faults: 0, or -ETIMEDOUT */
int wait_sigbus(const void *p);

/* UACCE_SEED, or another one in each process that asks first */
__u64 random_seed(void);

/* Monotonic time in ms, and a short nap for loops that wait with a limit */
long now_ms(void);
void nap(void);

#endif
