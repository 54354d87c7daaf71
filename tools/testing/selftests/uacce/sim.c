// SPDX-License-Identifier: GPL-2.0-only
/*
 * Control of the simulated accelerator through configfs, and the calls of the
 * user interface that every test makes.
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
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <misc/uacce/uacce.h>
#include <misc/uacce/vaccel.h>

#include "kselftest.h"
#include "sim.h"

#define CONFIGFS	"/sys/kernel/config"
#define SIM_ROOT	CONFIGFS "/uacce_sim"

static const char * const hold_points[] = {
	"get_queue", "put_queue", "start", "stop", "ioctl", "mmap",
	"page_response", "engine", "dma",
};

#define N_POINTS	ARRAY_SIZE(hold_points)

/*
 * Paths of all hold files of the instances this process has made, ready for the
 * crash handler, which may not call much.
 */
#define MAX_SIMS	4
static char hold_paths[MAX_SIMS][N_POINTS][200];
static int n_sims;

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
	unsigned int p;
	int s, fd;

	if (sig == SIGBUS && __atomic_load_n(&touching, __ATOMIC_RELAXED))
		siglongjmp(touch_env, 1);

	for (s = 0; s < n_sims; s++) {
		for (p = 0; p < N_POINTS; p++) {
			fd = open(hold_paths[s][p], O_WRONLY | O_CLOEXEC);
			if (fd < 0)
				continue;
			if (write(fd, "0", 1) != 1)
				errno = 0;
			close(fd);
		}
	}
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

static void run_modprobe(void)
{
	pid_t pid = fork();

	if (!pid) {
		if (!freopen("/dev/null", "w", stderr))
			_exit(1);
		execlp("modprobe", "modprobe", "uacce_sim", NULL);
		execl("/sbin/modprobe", "modprobe", "uacce_sim", NULL);
		_exit(127);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

const char *sim_unavailable(void)
{
	struct stat st;

	if (geteuid())
		return "needs root";
	if (!stat(SIM_ROOT, &st))
		return NULL;

	run_modprobe();
	if (!stat(SIM_ROOT, &st))
		return NULL;
	/* only now: this is what CONFIG_CONFIGFS_FS=m waits for */
	if (mount("none", CONFIGFS, "configfs", 0, NULL) && errno != EBUSY)
		return "cannot mount configfs";
	if (!stat(SIM_ROOT, &st))
		return NULL;
	return "module uacce_sim (CONFIG_UACCE_SIM) is not available";
}

void sim_path(const struct sim *sim, const char *attr, char *buf, size_t len)
{
	snprintf(buf, len, SIM_ROOT "/%s/%s", sim->name, attr);
}

int sim_set(const struct sim *sim, const char *attr, long val)
{
	char path[160], text[24];

	sim_path(sim, attr, path, sizeof(path));
	snprintf(text, sizeof(text), "%ld", val);
	return write_file(path, text);
}

int sim_gets(const struct sim *sim, const char *attr, char *buf, size_t len)
{
	char path[160];

	sim_path(sim, attr, path, sizeof(path));
	return read_file(path, buf, len);
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

static int set_inject(const struct sim *sim, const char *kind,
		      const char *point, int n)
{
	char attr[64];

	snprintf(attr, sizeof(attr), "inject/%s_%s", kind, point);
	return sim_set(sim, attr, n);
}

static unsigned int point_bit(const char *point)
{
	unsigned int p;

	for (p = 0; p < N_POINTS; p++) {
		if (!strcmp(hold_points[p], point))
			return 1u << p;
	}
	return 0;
}

int sim_hold(struct sim *sim, const char *point, int n)
{
	sim->held |= point_bit(point);
	return set_inject(sim, "hold", point, n);
}

int sim_release(struct sim *sim, const char *point)
{
	sim->held &= ~point_bit(point);
	return set_inject(sim, "hold", point, 0);
}

void sim_release_all(struct sim *sim)
{
	unsigned int p;

	for (p = 0; p < N_POINTS; p++) {
		if (sim->held & (1u << p))
			sim_release(sim, hold_points[p]);
	}
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

int sim_destroy(const struct sim *sim)
{
	char path[160];
	int ret;

	ret = sim_set(sim, "live", 0);
	if (ret)
		return ret;
	sim_path(sim, "", path, sizeof(path));
	return rmdir(path) ? -errno : 0;
}

/* A test that was killed has left its instance, and maybe tasks held in it */
static int remove_leftover(struct sim *sim)
{
	sim->held = ~0u;
	sim_release_all(sim);
	return sim_destroy(sim);
}

int sim_create_idle(struct sim *sim, const char *name,
		    const struct sim_config *cfg)
{
	unsigned int p;
	char path[160];
	int ret = 0;

	memset(sim, 0, sizeof(*sim));
	snprintf(sim->name, sizeof(sim->name), "%s", name);
	sim->sva = !cfg->no_sva;

	sim_path(sim, "", path, sizeof(path));
	if (mkdir(path, 0755)) {
		if (errno != EEXIST)
			return -errno;
		ret = remove_leftover(sim);
		if (ret)
			return ret;
		if (mkdir(path, 0755))
			return -errno;
	}

	if (n_sims < MAX_SIMS) {
		for (p = 0; p < N_POINTS; p++)
			snprintf(hold_paths[n_sims][p],
				 sizeof(hold_paths[n_sims][p]),
				 "%sinject/hold_%s", path, hold_points[p]);
		n_sims++;
	}
	catch_crashes();

	if (cfg->no_sva)
		ret = sim_set(sim, "sva", 0);
	if (!ret && cfg->queues)
		ret = sim_set(sim, "queues", cfg->queues);
	if (!ret && cfg->pasid_bits)
		ret = sim_set(sim, "pasid_bits", cfg->pasid_bits);
	if (ret)
		rmdir(path);
	return ret;
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
	if (ret)
		sim_destroy(sim);
	return ret;
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

int touch(const void *p)
{
	if (sigsetjmp(touch_env, 1)) {
		__atomic_store_n(&touching, false, __ATOMIC_RELAXED);
		return -EFAULT;
	}
	__atomic_store_n(&touching, true, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__atomic_load_n((const unsigned int *)p, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(&touching, false, __ATOMIC_RELAXED);
	return 0;
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
