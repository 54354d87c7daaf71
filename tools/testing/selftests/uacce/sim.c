// SPDX-License-Identifier: GPL-2.0-only
/*
 * Control of the accelerator, whatever carries it, and the calls of the user
 * interface that every test makes.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/futex.h>
#include <misc/uacce/uacce.h>
#include <misc/uacce/vaccel.h>

#include "kselftest.h"
#include "carrier.h"
#include "sim.h"

void (*sim_skip)(const char *why);

static __thread sigjmp_buf touch_env;
static __thread bool touching;

long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void nap(void)
{
	struct timespec ts = { .tv_nsec = 2000000 };

	nanosleep(&ts, NULL);
}

__u64 random_seed(void)
{
	const char *text = getenv("UACCE_SEED");
	static __u64 seed;

	if (text)
		return strtoull(text, NULL, 0);
	while (!seed) {
		if (getrandom(&seed, 4, 0) != 4)
			seed = now_ms();
	}
	return seed;
}

int read_file(const char *path, char *buf, size_t len)
{
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, buf, len - 1);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n < 0)
		return n;
	if (n && buf[n - 1] == '\n')
		n--;
	buf[n] = '\0';
	return n;
}

int write_file(const char *path, const char *val)
{
	size_t len = strlen(val);
	ssize_t n;
	int fd;

	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = write(fd, val, len);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n < 0)
		return n;
	return (size_t)n == len ? 0 : -EIO;
}

/*
 * A task that is held in the kernel does not die before it is let go. So that a
 * failed assertion ends the test at once, let everybody go first.
 */
static void crash(int sig)
{
	int saved = errno;

	if (sig == SIGBUS && __atomic_load_n(&touching, __ATOMIC_RELAXED))
		siglongjmp(touch_env, 1);

	carrier()->crash();
	errno = saved;
	signal(sig, SIG_DFL);
	raise(sig);
}

static void catch_crashes(void)
{
	static const int sigs[] = { SIGABRT, SIGBUS, SIGSEGV };
	struct sigaction sa = { .sa_handler = crash, .sa_flags = SA_NODEFER };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sigs); i++)
		sigaction(sigs[i], &sa, NULL);
}

void load_module(const char *name)
{
	pid_t pid = fork();

	if (!pid) {
		if (!freopen("/dev/null", "w", stderr))
			_exit(1);
		execlp("modprobe", "modprobe", name, NULL);
		execl("/sbin/modprobe", "modprobe", name, NULL);
		_exit(127);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

const struct carrier *carrier(void)
{
	static const struct carrier *chosen;
	const char *name;

	if (!chosen) {
		name = getenv("UACCE_CARRIER");
		chosen = name && !strcmp(name, "pci") ? &carrier_pci :
							&carrier_configfs;
	}
	return chosen;
}

/* The C library of 32-bit programs waits with a call that kernels can lack. */
static bool can_wait(void)
{
#ifdef SYS_futex
	int word = 0;

	return sizeof(long) == 8 ||
	       !syscall(SYS_futex, &word, FUTEX_WAKE, 1, NULL, NULL, 0);
#else
	return true;
#endif
}

const char *sim_unavailable(void)
{
	if (geteuid())
		return "needs root";
	if (!can_wait())
		return "32-bit programs need CONFIG_COMPAT_32BIT_TIME";
	return carrier()->unavailable();
}

bool sim_is_simulated(void)
{
	return carrier() == &carrier_configfs;
}

const char *sim_driver(void)
{
	return carrier()->driver;
}

int sim_driver_write(const char *file, const char *parent)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/%s", sim_driver(), file);
	return write_file(path, parent);
}

const char *sim_never(unsigned int i)
{
	return carrier()->never[i];
}

/* A test that asks for what this carrier cannot do is skipped. */
static int supported(int ret, const char *what)
{
	char why[120];

	if (ret == -EOPNOTSUPP && sim_skip) {
		snprintf(why, sizeof(why), "this carrier has no %s", what);
		sim_skip(why);
	}
	return ret;
}

static int try_set(const struct sim *sim, const char *attr, long val)
{
	char text[24];

	snprintf(text, sizeof(text), "%ld", val);
	return carrier()->set(sim->name, attr, text);
}

int sim_set(const struct sim *sim, const char *attr, long val)
{
	return supported(try_set(sim, attr, val), attr);
}

int sim_gets(const struct sim *sim, const char *attr, char *buf, size_t len)
{
	return supported(carrier()->gets(sim->name, attr, buf, len), attr);
}

bool sim_has(const struct sim *sim, const char *attr)
{
	char text[64];

	return carrier()->gets(sim->name, attr, text, sizeof(text)) !=
	       -EOPNOTSUPP;
}

int sim_get(const struct sim *sim, const char *attr, long *val)
{
	char text[64];
	char *end;
	int ret;

	ret = sim_gets(sim, attr, text, sizeof(text));
	if (ret < 0)
		return ret;
	*val = strtol(text, &end, 10);
	return end == text || *end ? -EINVAL : 0;
}

long sim_stat(const struct sim *sim, const char *name)
{
	char attr[64];
	long val;
	int ret;

	snprintf(attr, sizeof(attr), "stats/%s", name);
	ret = sim_get(sim, attr, &val);
	return ret ? ret : val;
}

int sim_poll_stat(const struct sim *sim, const char *name, long want,
		  long timeout_ms)
{
	long end = now_ms() + timeout_ms;

	while (sim_stat(sim, name) != want) {
		if (now_ms() > end)
			return -ETIMEDOUT;
		nap();
	}
	return 0;
}

int sim_wait_stat(const struct sim *sim, const char *name, long want)
{
	int ret = sim_poll_stat(sim, name, want, SIM_TIMEOUT_MS);

	if (ret)
		fprintf(stderr, "# %s: stats/%s is %ld, not %ld\n", sim->name,
			name, sim_stat(sim, name), want);
	return ret;
}

int sim_wait_stat_ge(const struct sim *sim, const char *name, long want)
{
	long end = now_ms() + SIM_TIMEOUT_MS;
	long val;

	while ((val = sim_stat(sim, name)) < want) {
		if (now_ms() > end) {
			fprintf(stderr, "# %s: stats/%s is %ld, below %ld\n",
				sim->name, name, val, want);
			return -ETIMEDOUT;
		}
		nap();
	}
	return 0;
}

int sim_wait_more(const struct sim *sim, const char *name, long more)
{
	return sim_wait_stat_ge(sim, name, sim_stat(sim, name) + more);
}

static int set_inject(const struct sim *sim, const char *kind,
		      const char *point, int n)
{
	char attr[64];

	snprintf(attr, sizeof(attr), "inject/%s_%s", kind, point);
	return sim_set(sim, attr, n);
}

int sim_hold(struct sim *sim, const char *point, int n)
{
	unsigned int i;

	for (i = 0; i < SIM_MAX_HELD; i++) {
		if (!sim->held[i] || !strcmp(sim->held[i], point))
			break;
	}
	if (i == SIM_MAX_HELD)
		return -ENOSPC;
	sim->held[i] = point;
	return set_inject(sim, "hold", point, n);
}

int sim_release(struct sim *sim, const char *point)
{
	return set_inject(sim, "hold", point, 0);
}

void sim_release_all(struct sim *sim)
{
	unsigned int i;

	for (i = 0; i < SIM_MAX_HELD && sim->held[i]; i++)
		sim_release(sim, sim->held[i]);
}

int sim_fail(const struct sim *sim, const char *point, int n)
{
	return set_inject(sim, "fail", point, n);
}

int sim_wait_held(const struct sim *sim, const char *point, int n)
{
	long end = now_ms() + SIM_TIMEOUT_MS;
	char attr[64];
	long val = 0;
	int ret;

	snprintf(attr, sizeof(attr), "inject/hold_%s", point);
	for (;;) {
		ret = sim_get(sim, attr, &val);
		if (ret)
			return ret;
		if (val >= n)
			return 0;
		if (now_ms() > end) {
			fprintf(stderr, "# %s: %ld held at %s, not %d\n",
				sim->name, val, point, n);
			return -ETIMEDOUT;
		}
		nap();
	}
}

int sim_rmdir(const struct sim *sim)
{
	return carrier()->remove(sim->name);
}

int sim_destroy(const struct sim *sim)
{
	int ret = sim_set(sim, "live", 0);

	return ret ?: sim_rmdir(sim);
}

int sim_create_idle(struct sim *sim, const char *name,
		    const struct sim_config *cfg)
{
	int ret;

	memset(sim, 0, sizeof(*sim));
	snprintf(sim->name, sizeof(sim->name), "%s", name);
	sim->sva = !cfg->no_sva;

	ret = carrier()->make(name, cfg->no_sva);
	if (ret) {
		sim->name[0] = '\0';
		return ret;
	}
	catch_crashes();

	if (cfg->queues)
		ret = try_set(sim, "queues", cfg->queues);
	if (!ret && cfg->pasid_bits)
		ret = try_set(sim, "pasid_bits", cfg->pasid_bits);
	if (ret) {
		sim_rmdir(sim);
		sim->name[0] = '\0';
	}
	return supported(ret, cfg->pasid_bits ? "pasid_bits" : "queues");
}

int sim_go_live(struct sim *sim)
{
	int ret;

	ret = sim_set(sim, "live", 1);
	if (ret)
		return ret;
	ret = sim_gets(sim, "dev_name", sim->dev, sizeof(sim->dev));
	if (ret < 0)
		return ret;
	snprintf(sim->node, sizeof(sim->node), "/dev/%s", sim->dev);
	sim->mmio_size = sim_sysfs_long(sim, "region_mmio_size");
	sim->dus_size = sim_sysfs_long(sim, "region_dus_size");
	return 0;
}

int sim_create(struct sim *sim, const char *name, const struct sim_config *cfg)
{
	int ret;

	ret = sim_create_idle(sim, name, cfg);
	if (ret)
		return ret;
	ret = sim_go_live(sim);
	if (ret) {
		sim_destroy(sim);
		sim->name[0] = '\0';
	}
	return ret;
}

int sim_wait_no_bonds(const struct sim *sim)
{
	long end = now_ms() + SIM_TIMEOUT_MS;
	char path[160], text[4096];
	int ret;

	snprintf(path, sizeof(path), "/sys/kernel/debug/uacce/%s/bonds",
		 sim->dev);
	for (;;) {
		/* the first line says what the columns are */
		ret = read_file(path, text, sizeof(text));
		if (ret < 0)
			return ret == -ENOENT ? 0 : ret;
		if (!strchr(text, '\n'))
			return 0;
		if (now_ms() > end) {
			fprintf(stderr, "# %s: still bound: %s\n", sim->name,
				text);
			return -ETIMEDOUT;
		}
		nap();
	}
}

int sim_not_clean(const struct sim *sim)
{
	if (sim_has(sim, "stats/ops_running") && sim_stat(sim, "ops_running"))
		return 1;
	if (sim_stat(sim, "running"))
		return 2;
	if (sim_stat(sim, "queues"))
		return 3;
	if (sim_stat(sim, "pasids"))
		return 4;
	if (sim_stat(sim, "starts") != sim_stat(sim, "stops"))
		return 5;
	if (sim_stat(sim, "gets") != sim_stat(sim, "puts"))
		return 6;
	if (sim_stat(sim, "binds") != sim_stat(sim, "unbinds"))
		return 7;
	return 0;
}

int sim_kill(const struct sim *sim)
{
	return sim_set(sim, "live", 0);
}

int sim_sysfs(const struct sim *sim, const char *attr, char *buf, size_t len)
{
	char path[160];

	snprintf(path, sizeof(path), "/sys/class/uacce/%s/%s", sim->dev, attr);
	return read_file(path, buf, len);
}

long sim_sysfs_long(const struct sim *sim, const char *attr)
{
	char text[64];
	char *end;
	long val;
	int ret;

	ret = sim_sysfs(sim, attr, text, sizeof(text));
	if (ret < 0)
		return ret;
	val = strtol(text, &end, 10);
	return end == text || *end ? -EINVAL : val;
}

int sim_sysfs_write(const struct sim *sim, const char *attr, const char *val)
{
	char path[160];

	snprintf(path, sizeof(path), "/sys/class/uacce/%s/%s", sim->dev, attr);
	return write_file(path, val);
}

int q_open(const struct sim *sim)
{
	int fd = open(sim->node, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

long q_ioctl(int fd, unsigned long cmd, void *arg)
{
	int ret = ioctl(fd, cmd, arg);

	return ret < 0 ? -errno : ret;
}

int q_start(int fd)
{
	return q_ioctl(fd, UACCE_CMD_START_Q, NULL);
}

int q_put(int fd)
{
	return q_ioctl(fd, UACCE_CMD_PUT_Q, NULL);
}

int q_info(int fd, struct vaccel_info *info)
{
	return q_ioctl(fd, VACCEL_CMD_INFO, info);
}

int q_mmap_flags(int fd, unsigned int region, size_t len, int prot, int flags,
		 void **map)
{
	void *p = mmap(NULL, len, prot, flags, fd, region * getpagesize());

	if (p == MAP_FAILED)
		return -errno;
	*map = p;
	return 0;
}

int q_mmap(int fd, unsigned int region, size_t len, void **map)
{
	return q_mmap_flags(fd, region, len, PROT_READ | PROT_WRITE, MAP_SHARED,
			    map);
}

int q_poll(int fd, int timeout_ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	int ret = poll(&pfd, 1, timeout_ms);

	if (ret < 0)
		return -errno;
	return ret ? pfd.revents : 0;
}

int q_not_dead(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = 0 };
	struct vaccel_info info;
	void *map;

	if (q_start(fd) != -ENXIO)
		return 1;
	if (q_put(fd) != -ENXIO)
		return 2;
	if (q_info(fd, &info) != -ENXIO)
		return 3;
	if (q_ioctl(fd, _IO('W', 0x7f), NULL) != -ENXIO)
		return 4;
	if (q_mmap(fd, UACCE_QFRT_MMIO, getpagesize(), &map) != -ENXIO)
		return 5;
	if (q_mmap(fd, UACCE_QFRT_DUS, getpagesize(), &map) != -ENXIO)
		return 6;
	if (q_poll(fd, 0) != POLL_DEAD)
		return 7;
	if (q_poll(fd, -1) != POLL_DEAD)
		return 8;
	if (poll(&pfd, 1, -1) != 1 || pfd.revents != POLL_DEAD)
		return 9;
	return 0;
}

int survive(void (*fn)(void *arg), void *arg)
{
	if (sigsetjmp(touch_env, 1)) {
		__atomic_store_n(&touching, false, __ATOMIC_RELAXED);
		return -EFAULT;
	}
	__atomic_store_n(&touching, true, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	fn(arg);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(&touching, false, __ATOMIC_RELAXED);
	return 0;
}

static void load_word(void *p)
{
	__atomic_load_n((const unsigned int *)p, __ATOMIC_RELAXED);
}

int touch(const void *p)
{
	return survive(load_word, (void *)p);
}

int wait_sigbus(const void *p)
{
	long end = now_ms() + SIM_TIMEOUT_MS;

	while (!touch(p)) {
		if (now_ms() > end)
			return -ETIMEDOUT;
		nap();
	}
	return 0;
}
