// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each allocation is made to fail in turn while accelerators come and go, as do
 * their drivers and the modules. What failed leaves nothing, and works the next
 * time.
 */
#include <dirent.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <linux/module.h>

#include "uacce_test.h"
#include "nth.h"

/* There are many rounds, and each takes a device away and brings it back. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 550

/* Long enough for configfs to allocate it */
#define NAME	"ksft_nth_with_a_rather_long_name"

#define ROOT	"/sys/kernel/config/uacce_sim"

#define PCI_AUTOPROBE	"/sys/bus/pci/drivers_autoprobe"

/* Room for the path of a module */
#define PATH_LEN	256

/* How many entries a directory has; 0 for one that is not there */
static int entries(const char *path)
{
	struct dirent *e;
	DIR *dir = opendir(path);
	int n = 0;

	if (!dir)
		return 0;
	while ((e = readdir(dir)))
		n += e->d_name[0] != '.';
	closedir(dir);
	return n;
}

/* Where the devices and what belongs to them would be seen */
static const char * const places[] = {
	ROOT,
	"/sys/class/uacce",
	"/sys/kernel/debug/uacce",
	"/sys/bus/platform/devices",
	"/sys/bus/platform/drivers/uacce_sim",
	"/sys/bus/pci/drivers/uacce_vaccel",
	"/sys/class/iommu",
	"/sys/kernel/iommu_groups",
	"/sys/kernel/software_nodes",
	"/sys/bus/workqueue/devices",
};

#define N_PLACES	ARRAY_SIZE(places)

static void look(int *n)
{
	unsigned int i;

	for (i = 0; i < N_PLACES; i++)
		n[i] = entries(places[i]);
}

static bool as_before(struct __test_metadata *_metadata, const int *before)
{
	long end = now_ms() + SIM_TIMEOUT_MS;
	int now[N_PLACES];
	unsigned int i;

	do {
		look(now);
		if (!memcmp(now, before, sizeof(now)))
			return true;
		nap();
	} while (now_ms() < end);

	for (i = 0; i < N_PLACES; i++) {
		if (now[i] != before[i])
			TH_LOG("%s: %d entries, not %d", places[i], now[i],
			       before[i]);
	}
	return false;
}

/*
 * Locks whose classes come and go with them: each workqueue has one, and nothing else
 * tells of a workqueue that nobody knows any more. 0 where the kernel does not count.
 */
static int lock_keys(void)
{
	FILE *f = fopen("/proc/lockdep_stats", "re");
	char line[120];
	int n = 0;

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, " dynamic-keys: %d", &n) == 1)
			break;
	}
	fclose(f);
	return n;
}

/* They go a little later than what they belong to: wait for those that are about to. */
static int lock_keys_for_now(void)
{
	int before, now = lock_keys();

	do {
		before = now;
		usleep(50000);
		now = lock_keys();
	} while (now < before);
	return now;
}

static bool no_more_keys(struct __test_metadata *_metadata, int before)
{
	long end = now_ms() + SIM_TIMEOUT_MS;
	int now;

	while ((now = lock_keys()) > before) {
		if (now_ms() > end) {
			TH_LOG("%d keys of locks, %d before", now, before);
			return false;
		}
		nap();
	}
	return true;
}

/* Open, start, one descriptor, close */
static int works(const struct sim *sim)
{
	struct vaccel_desc nop = { .opcode = VACCEL_OP_NOP };
	struct vaccel_queue q;
	struct vaccel_cqe cqe;
	int ret;

	ret = vaccel_queue_open(&q, sim->node);
	if (ret)
		return ret;
	ret = vaccel_run(&q, &nop, &cqe);
	vaccel_queue_close(&q);
	return ret ? ret : (int)cqe.status;
}

/**
 * struct sweep - a call that makes something or takes it away
 * @name: for the log
 * @prepare: before each try
 * @call: the call; a negative errno if it fails
 * @check: is everything as it should be after @call returned that? 0 if so
 * @restore: makes it as it was before @prepare, whatever @call returned
 * @errors: what it may fail with, up to the first zero
 * @min: failures that there are at least
 * @most: how often it may fail, if not 0. For what has to succeed: the kernel may have
 *	no memory for the arguments of the system call, and then it was never asked.
 */
struct sweep {
	const char *name;
	int (*prepare)(struct sim *sim);
	long (*call)(struct sim *sim);
	int (*check)(struct sim *sim, long ret);
	int (*restore)(struct sim *sim);
	int errors[6];
	unsigned int min;
	unsigned int most;
};

static void run(struct __test_metadata *_metadata, struct sim *sim,
		const struct sweep *sweep)
{
	int before[N_PLACES], keys = lock_keys_for_now();
	unsigned int refused = 0;
	struct nth nth;
	long ret;

	look(before);
	nth_begin(&nth);
	while (nth_next(&nth)) {
		ASSERT_EQ(0, sweep->prepare(sim));
		nth_arm(&nth);
		ret = sweep->call(sim);
		nth_disarm(&nth);

		if (ret < 0) {
			refused++;
			ASSERT_TRUE(nth.hit && nth_may_return(ret, sweep->errors)) {
				TH_LOG("%s, allocation %u: error %ld",
				       sweep->name, nth.n, ret);
			}
		}
		ASSERT_EQ(0, sweep->check(sim, ret)) {
			TH_LOG("%s, allocation %u: returned %ld", sweep->name,
			       nth.n, ret);
		}
		ASSERT_EQ(0, sweep->restore(sim));
		ASSERT_TRUE(as_before(_metadata, before)) {
			TH_LOG("%s, allocation %u: returned %ld", sweep->name,
			       nth.n, ret);
		}
	}
	ASSERT_GT(NTH_MAX, nth.n);
	TH_LOG("%s: %u failures injected, %u times refused", sweep->name,
	       nth.injected, refused);
	EXPECT_TRUE(no_more_keys(_metadata, keys));
	EXPECT_GE(nth.injected, nth_least(sweep->min));
	if (sweep->min)
		EXPECT_LT(0, refused);
	if (sweep->most)
		EXPECT_GE(sweep->most, refused);
}

/* A file that is open before the call, which is to be the write() alone */
static int target = -1;

static long write_target(const char *text)
{
	ssize_t n = write(target, text, strlen(text));

	return n < 0 ? -errno : 0;
}

static int open_target(const char *path)
{
	target = open(path, O_WRONLY | O_CLOEXEC);
	return target < 0 ? -errno : 0;
}

static int close_target(void)
{
	int ret = close(target) ? -errno : 0;

	target = -1;
	return ret;
}

/* --- who is there when a device goes */

/*
 * The test itself, with a queue that is started and mapped, and one that is neither; a
 * process asleep in poll() on a started and mapped one; and one with such a queue that
 * is killed at that moment. The test holds the files of their queues as well.
 */
static struct users {
	struct vaccel_queue own;
	int idle;
	struct peer sleeper, dying;
	int of_sleeper, of_dying;
} users;

/* In a process of them */
static struct vaccel_queue users_queue;

static long users_open(long node, long unused1, long unused2)
{
	int ret = vaccel_queue_open(&users_queue, (const char *)node);

	return ret ? ret : users_queue.fd;
}

static long users_sleep(long unused1, long unused2, long unused3)
{
	return q_poll(users_queue.fd, -1);
}

/* Its queue, or a negative errno */
static int user_begin(struct peer *peer, const struct sim *sim)
{
	int fd = peer_start(peer);

	if (!fd)
		fd = peer_call(peer, users_open, (long)sim->node, 0, 0);
	return fd < 0 ? fd : peer_take_fd(peer, fd);
}

static int users_begin(const struct sim *sim)
{
	int ret;

	users.of_sleeper = user_begin(&users.sleeper, sim);
	if (users.of_sleeper < 0)
		return users.of_sleeper;
	ret = peer_send(&users.sleeper, users_sleep, 0, 0, 0);
	if (ret)
		return ret;
	users.of_dying = user_begin(&users.dying, sim);
	if (users.of_dying < 0)
		return users.of_dying;
	ret = vaccel_queue_open(&users.own, sim->node);
	if (ret)
		return ret;
	users.idle = q_open(sim);
	return users.idle < 0 ? users.idle : peer_begin_kill(&users.dying);
}

/* 0 if all of them have been told, or who has not, and of what */
static int users_not_dead(void)
{
	if (touch(users.own.mmio) != -EFAULT || touch(users.own.dus) != -EFAULT)
		return 100;
	if (peer_recv(&users.sleeper) != POLL_DEAD)
		return 101;
	return q_not_dead(users.own.fd) ?: q_not_dead(users.idle) ?:
	       q_not_dead(users.of_sleeper) ?: q_not_dead(users.of_dying);
}

/* 0 if nothing has happened to those who are to stay, or what has */
static int users_not_working(void)
{
	struct vaccel_desc nop = { .opcode = VACCEL_OP_NOP };
	struct vaccel_cqe cqe;
	int ret = vaccel_run(&users.own, &nop, &cqe);

	if (ret)
		return ret;
	if (peer_answered(&users.sleeper))
		return 110;
	return cqe.status ? 111 : q_start(users.idle);
}

static int users_end(void)
{
	int ret;

	vaccel_queue_close(&users.own);
	ret = close(users.idle) || close(users.of_sleeper) ||
	      close(users.of_dying) ? -errno : 0;
	return ret ?: peer_kill(&users.sleeper) ?: peer_wait(&users.dying);
}

/* 0 if all of them have been told that the device has gone, or if none has */
static int users_check(bool gone)
{
	int ret = gone ? users_not_dead() : users_not_working();

	return users_end() ?: ret;
}

/* --- instances of the simulator */

FIXTURE(instance)
{
	struct sim sim;
};

FIXTURE_VARIANT(instance)
{
	bool no_sva;
};

FIXTURE_VARIANT_ADD(instance, sva) {};
FIXTURE_VARIANT_ADD(instance, no_sva) { .no_sva = true };

FIXTURE_SETUP(instance)
{
	struct sim_config cfg = { .no_sva = variant->no_sva };
	const char *why = nth_prepare();

	if (!why && !sim_is_simulated())
		why = "is about the instances of uacce_sim";
	if (why)
		SKIP(return, "%s", why);
	/* this one is for what has to be there when the first one comes */
	setup_sim(_metadata, &self->sim, "ksft_other", &cfg);
}

FIXTURE_TEARDOWN_PARENT(instance)
{
	nth_restore();
	if (sim_is_simulated())
		teardown_sim(_metadata, &self->sim);
}

static int no_prepare(struct sim *sim)
{
	return 0;
}

static bool instance_exists(void)
{
	return !access(ROOT "/" NAME, F_OK);
}

static bool device_exists(void)
{
	bool exists = false;
	struct dirent *e;
	DIR *dir = opendir("/sys/class/uacce");

	if (!dir)
		return false;
	while ((e = readdir(dir)))
		exists |= !strncmp(e->d_name, NAME "-", strlen(NAME) + 1);
	closedir(dir);
	return exists;
}

/* An instance, not live; like @other with SVA or without */
static int make_instance(struct sim *other)
{
	struct sim sim;
	struct sim_config cfg = { .no_sva = !other->sva, .queues = 6 };

	return sim_create_idle(&sim, NAME, &cfg);
}

static int remove_instance(struct sim *other)
{
	struct sim sim = { .name = NAME };

	return instance_exists() ? sim_destroy(&sim) : 0;
}

static int set_idle(struct sim *other)
{
	struct sim sim = { .name = NAME };

	return sim_kill(&sim);
}

/* It is live and works, or it is not and has nothing that makes it look so */
static int check_live(bool live)
{
	struct sim sim = { .name = NAME };
	char dev[80];
	long val;
	int ret;

	ret = sim_get(&sim, "live", &val);
	if (ret)
		return ret;
	if (val != live)
		return 1;
	ret = sim_gets(&sim, "dev_name", dev, sizeof(dev));
	if (ret < 0)
		return ret;
	if (!!dev[0] != live)
		return 2;
	if (device_exists() != live)
		return 3;
	/* what is live already stays so */
	ret = sim_go_live(&sim);
	return ret ? ret : works(&sim);
}

static long call_mkdir(struct sim *other)
{
	return mkdir(ROOT "/" NAME, 0755) ? -errno : 0;
}

static int check_mkdir(struct sim *other, long ret)
{
	if (instance_exists() != !ret)
		return 10;
	if (ret)
		return make_instance(other);
	ret = sim_set(&(struct sim){ .name = NAME }, "sva", other->sva);
	return ret ? (int)ret : check_live(false);
}

static int prepare_live(struct sim *other)
{
	return open_target(ROOT "/" NAME "/live");
}

static long call_live(struct sim *other)
{
	return write_target("1");
}

static int check_live_on(struct sim *other, long ret)
{
	return close_target() ?: check_live(!ret);
}

static int prepare_unlive(struct sim *other)
{
	struct sim sim = { .name = NAME };
	int ret = sim_go_live(&sim);

	return ret ? ret : open_target(ROOT "/" NAME "/live");
}

static long call_unlive(struct sim *other)
{
	return write_target("0");
}

static int check_unlive(struct sim *other, long ret)
{
	return close_target() ?: check_live(!!ret);
}

static long call_rmdir(struct sim *other)
{
	return rmdir(ROOT "/" NAME) ? -errno : 0;
}

static int prepare_rmdir(struct sim *other)
{
	struct sim sim = { .name = NAME };

	return make_instance(other) ?: sim_go_live(&sim) ?: users_begin(&sim);
}

/* What could not be removed is as it was; what was, can be made again */
static int check_rmdir(struct sim *other, long ret)
{
	int err;

	if (instance_exists() != !!ret)
		return 10;
	err = users_check(!ret);
	if (err)
		return err;
	if (ret)
		return check_live(true);
	return device_exists() ? 11 : 0;
}

TEST_F(instance, mkdir_in_configfs)
{
	static const struct sweep sweep = {
		.name = "mkdir", .prepare = no_prepare, .call = call_mkdir,
		.check = check_mkdir, .restore = remove_instance,
		.errors = { -ENOMEM }, .min = 20,
	};

	run(_metadata, &self->sim, &sweep);
}

/*
 * ENODEV: something failed before the driver was asked. EBUSY: the IOMMU core
 * did not accept the device. EINVAL: what the platform bus says to a device for
 * whose name it has no memory.
 */
TEST_F(instance, make_it_live)
{
	static const struct sweep sweep = {
		.name = "live = 1", .prepare = prepare_live, .call = call_live,
		.check = check_live_on, .restore = set_idle,
		.errors = { -ENOMEM, -ENODEV, -EBUSY, -EINVAL },
		.min = 50,
	};

	ASSERT_EQ(0, make_instance(&self->sim));
	run(_metadata, &self->sim, &sweep);
	EXPECT_EQ(0, remove_instance(&self->sim));
}

TEST_F(instance, make_it_live_no_more)
{
	static const struct sweep sweep = {
		.name = "live = 0", .prepare = prepare_unlive,
		.call = call_unlive, .check = check_unlive,
		.restore = set_idle, .errors = { -ENOMEM }, .most = 2,
	};

	ASSERT_EQ(0, make_instance(&self->sim));
	run(_metadata, &self->sim, &sweep);
	EXPECT_EQ(0, remove_instance(&self->sim));
}

TEST_F(instance, rmdir_while_it_is_in_use)
{
	static const struct sweep sweep = {
		.name = "rmdir", .prepare = prepare_rmdir,
		.call = call_rmdir, .check = check_rmdir,
		.restore = remove_instance, .errors = { -ENOMEM },
		.min = 6, .most = 2,
	};

	run(_metadata, &self->sim, &sweep);
}

/* --- drivers */

FIXTURE(driver)
{
	struct sim sim;
};

FIXTURE_VARIANT(driver)
{
	bool no_sva;
};

FIXTURE_VARIANT_ADD(driver, sva) {};
FIXTURE_VARIANT_ADD(driver, no_sva) { .no_sva = true };

FIXTURE_SETUP(driver)
{
	struct sim_config cfg = { .no_sva = variant->no_sva };
	const char *why = nth_prepare();

	if (why)
		SKIP(return, "%s", why);
	setup_sim(_metadata, &self->sim, "ksft_nth", &cfg);
}

FIXTURE_TEARDOWN_PARENT(driver)
{
	nth_restore();
	teardown_sim(_metadata, &self->sim);
}

static char parent[64];

static int set_bound(const struct sim *sim, bool bound)
{
	return sim_driver_write(bound ? "bind" : "unbind", parent);
}

static bool is_bound(void)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", sim_driver(), parent);
	return !access(path, F_OK);
}

/* Bound, and so works; or not, and there is no device */
static int check_bound(struct sim *sim, bool bound)
{
	char dev[sizeof(sim->dev)];
	int ret;

	if (is_bound() != bound)
		return 1;
	if (!bound) {
		if (!access(sim->node, F_OK))
			return 2;
		ret = set_bound(sim, true);
		if (ret)
			return ret;
	}
	/* with the number that it had before, as nobody has taken that */
	ret = sim_gets(sim, "dev_name", dev, sizeof(dev));
	if (ret < 0)
		return ret;
	return strcmp(dev, sim->dev) ? 3 : works(sim);
}

static int open_driver_file(const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", sim_driver(), name);
	return open_target(path);
}

static int prepare_bind(struct sim *sim)
{
	return open_driver_file("bind");
}

/* Also where it is bound: debugfs, say, it may have to do without */
static int make_unbound(struct sim *sim)
{
	return is_bound() ? set_bound(sim, false) : 0;
}

static long call_bind(struct sim *sim)
{
	return write_target(parent);
}

static int check_bind(struct sim *sim, long ret)
{
	return close_target() ?: check_bound(sim, !ret);
}

static int prepare_unbind(struct sim *sim)
{
	return users_begin(sim) ?: open_driver_file("unbind");
}

static int check_unbind(struct sim *sim, long ret)
{
	/* with all their files still open */
	int left = ret ? 0 : sim_not_clean(sim);

	return close_target() ?: users_check(!ret) ?: left ?:
	       check_bound(sim, !!ret);
}

static int stay_bound(struct sim *sim)
{
	return is_bound() ? 0 : set_bound(sim, true);
}

/*
 * EBUSY and EINVAL: what a BAR is when there is no memory to note that it is
 * taken, or to map it. ENODEV and ENOSPC: the same of interrupts.
 */
TEST_F(driver, bind)
{
	static const struct sweep sweep = {
		.name = "bind", .prepare = prepare_bind, .call = call_bind,
		.check = check_bind, .restore = make_unbound,
		.errors = { -ENOMEM, -EBUSY, -EINVAL, -ENODEV, -ENOSPC },
		.min = 30,
	};

	ASSERT_LT(0, sim_gets(&self->sim, "parent", parent, sizeof(parent)));
	ASSERT_EQ(0, make_unbound(&self->sim));
	run(_metadata, &self->sim, &sweep);
	EXPECT_EQ(0, stay_bound(&self->sim));
}

TEST_F(driver, unbind_while_the_device_is_in_use)
{
	static const struct sweep sweep = {
		.name = "unbind", .prepare = prepare_unbind,
		.call = call_bind, .check = check_unbind,
		.restore = stay_bound, .errors = { -ENOMEM },
		.min = 5, .most = 2,
	};

	ASSERT_LT(0, sim_gets(&self->sim, "parent", parent, sizeof(parent)));
	run(_metadata, &self->sim, &sweep);
}

/* --- modules */

FIXTURE(module)
{
	char path[3][PATH_LEN];
};

FIXTURE_SETUP(module)
{
	const char *why = nth_prepare();

	if (!why)
		why = sim_unavailable();
	if (why)
		SKIP(return, "%s", why);
}

/* In the order in which they can be loaded */
static const char * const sim_modules[] = {
	"uacce", "uacce_sim_iommu", "uacce_sim",
};

FIXTURE_TEARDOWN_PARENT(module)
{
	nth_restore();
	if (!sim_is_simulated())
		EXPECT_EQ(0, write_file(PCI_AUTOPROBE, "1"));
	/* all of them, and the default instance or all devices */
	EXPECT_EQ(NULL, sim_unavailable());
}

/* nftw() has no argument to pass on */
static const char *wanted;
static char *found;

static int find_module(const char *path, const struct stat *st, int type,
		       struct FTW *ftw)
{
	const char *name = path + ftw->base;
	size_t i, len = strlen(wanted);

	for (i = 0; i < len; i++) {
		if (name[i] != wanted[i] && !(name[i] == '-' && wanted[i] == '_'))
			return 0;
	}
	if (strncmp(name + len, ".ko", 3))
		return 0;
	return snprintf(found, PATH_LEN, "%s", path) < PATH_LEN;
}

static bool module_path(const char *name, char *path)
{
	char dir[400];
	struct utsname uts;

	uname(&uts);
	snprintf(dir, sizeof(dir), "/lib/modules/%s", uts.release);
	wanted = name;
	found = path;
	return nftw(dir, find_module, 8, FTW_PHYS) == 1;
}

static int load(int fd, const char *path)
{
	const char *suffix = strrchr(path, '.');
	int flags = strcmp(suffix, ".ko") ? MODULE_INIT_COMPRESSED_FILE : 0;
	const char *args = strstr(path, "uacce_sim.ko") ||
			   strstr(path, "uacce-sim.ko") ?
			   "default_instance=0" : "";

	return syscall(SYS_finit_module, fd, args, flags) ? -errno : 0;
}

static int load_path(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = load(fd, path);
	close(fd);
	return ret;
}

/* Modules disappear a little after their last user has */
static int unload(const char *name)
{
	long end = now_ms() + SIM_TIMEOUT_MS;
	int ret;

	do {
		ret = syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
		if (ret != -EWOULDBLOCK)
			break;
		nap();
	} while (now_ms() < end);
	return ret;
}

static bool is_loaded(const char *name)
{
	char path[80];

	snprintf(path, sizeof(path), "/sys/module/%s/initstate", name);
	return !access(path, F_OK);
}

static int chrdevs(void)
{
	char line[80];
	FILE *f = fopen("/proc/devices", "re");
	int n = 0;

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		n += !!strstr(line, " uacce\n");
	fclose(f);
	return n;
}

/* Everything in use and back: is what was loaded good? */
static int check_loaded_sim(void)
{
	struct sim_config cfg = { .queues = 4 };
	struct sim sim;
	int ret = sim_create(&sim, NAME, &cfg);

	/* another IOMMU is in the way */
	if (ret == -EBUSY) {
		cfg.no_sva = true;
		sim_rmdir(&sim);
		ret = sim_create(&sim, NAME, &cfg);
	}
	if (ret)
		return ret;
	ret = works(&sim);
	return sim_destroy(&sim) ?: ret;
}

/*
 * What the loader allocates before it calls the module is not at issue. Worse, if
 * it gets none for a trace event, the kernel sees a mistake of its own in that.
 * So count what comes behind the event that says that a module is loaded. The
 * loader's last steps are taken in, as the count need not be exact.
 */
#define MARGIN	10

static const char * const load_events[] = {
	"module/module_load",
	"kmem/kmalloc", "kmem/kmem_cache_alloc", "kmem/mm_page_alloc",
};

static unsigned int count_trace(void)
{
	bool loaded = false;
	unsigned int n = 0;
	char line[512];
	FILE *f = trace_open();

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		if (strstr(line, ": module_load: "))
			loaded = true;
		else if (loaded && line[0] != '#')
			n += !trace_keeps_books(line);
	}
	fclose(f);
	return n;
}

/* How many allocations are the module's own, about? 0: skipped */
static unsigned int count_own(struct __test_metadata *_metadata,
			      const char *path)
{
	unsigned int own;
	char filter[40];

	snprintf(filter, sizeof(filter), "common_pid == %d", getpid());
	if (!trace_begin(load_events, ARRAY_SIZE(load_events), filter))
		SKIP(return 0, "needs trace events of modules and slabs");
	EXPECT_EQ(0, trace_on(true));
	EXPECT_EQ(0, load_path(path));
	EXPECT_EQ(0, trace_on(false));
	own = count_trace();
	EXPECT_EQ(0, trace_end());
	EXPECT_LT(0, own);
	return own;
}

/* How many are there in all? At the first time there may be more. */
static unsigned int count_all(struct __test_metadata *_metadata,
			      const struct nth *nth, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned int all;

	EXPECT_LE(0, fd);
	nth_count_begin(nth);
	EXPECT_EQ(0, load(fd, path));
	all = nth_count_end(nth);
	close(fd);
	return all;
}

/*
 * Loads @names[@which] again and again. Those before it are loaded; where it is
 * said to have been loaded those after it are, too, to see whether it works.
 */
static void run_load(struct __test_metadata *_metadata,
		     const char * const *names, unsigned int n_names,
		     char (*path)[PATH_LEN], unsigned int which)
{
	/* EINVAL: the driver core has no memory for a name or a directory */
	static const int errors[] = { -ENOMEM, -EINVAL, 0 };
	unsigned int i, own, all, refused = 0;
	int before[N_PLACES], devs, keys;
	struct nth nth;
	int fd, ret;

	for (i = 0; i < which; i++)
		ASSERT_EQ(0, load_path(path[i]));
	look(before);
	keys = lock_keys_for_now();
	devs = chrdevs();
	nth_begin(&nth);
	/* the core makes one thing after the other, each with a few allocations */
	if (!which)
		nth.first = NTH_MAX;
	own = count_own(_metadata, path[which]);
	if (!own)
		return;
	ASSERT_EQ(0, unload(names[which]));
	all = count_all(_metadata, &nth, path[which]);
	ASSERT_EQ(0, unload(names[which]));
	TH_LOG("%s: %u allocations, %u of its own", names[which], all, own);
	ASSERT_LT(own + MARGIN, all);
	nth.n = all - own - MARGIN;
	while (nth_next(&nth)) {
		fd = open(path[which], O_RDONLY | O_CLOEXEC);
		ASSERT_GE(fd, 0);
		nth_arm(&nth);
		ret = load(fd, path[which]);
		nth_disarm(&nth);
		close(fd);

		if (ret) {
			refused++;
			ASSERT_TRUE(nth.hit && nth_may_return(ret, errors)) {
				TH_LOG("%s, allocation %u: error %d",
				       names[which], nth.n, ret);
			}
			ASSERT_FALSE(is_loaded(names[which]));
		} else {
			for (i = which + 1; i < n_names; i++)
				ASSERT_EQ(0, load_path(path[i]));
			if (!strcmp(names[n_names - 1], "uacce_sim"))
				ASSERT_EQ(0, check_loaded_sim()) {
					TH_LOG("%s, allocation %u: loaded, but does not work",
					       names[which], nth.n);
				}
			for (i = n_names; i-- > which;)
				ASSERT_EQ(0, unload(names[i]));
		}
		ASSERT_TRUE(as_before(_metadata, before)) {
			TH_LOG("%s, allocation %u: returned %d", names[which],
			       nth.n, ret);
		}
		ASSERT_EQ(devs, chrdevs());
	}
	EXPECT_TRUE(no_more_keys(_metadata, keys));
	for (i = which; i-- > 0;)
		ASSERT_EQ(0, unload(names[i]));
	ASSERT_GT(NTH_MAX, nth.n);
	TH_LOG("loading %s: %u failures injected, %u times refused",
	       names[which], nth.injected, refused);
	EXPECT_LE(nth_least(20), nth.injected);
	EXPECT_LE(10, refused);
}

/* Nothing loaded, and a path for each of @names */
static bool begin_modules(struct __test_metadata *_metadata,
			  const char * const *names, unsigned int n,
			  char (*path)[PATH_LEN])
{
	struct sim def = { .name = "default" };
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (!is_loaded(names[i]))
			SKIP(return false, "needs the drivers as modules");
		if (!module_path(names[i], path[i]))
			SKIP(return false, "does not find the file of module %s",
			     names[i]);
	}
	if (sim_is_simulated())
		EXPECT_EQ(0, sim_kill(&def));
	for (i = n; i-- > 0;) {
		if (unload(names[i])) {
			EXPECT_EQ(NULL, sim_unavailable());
			SKIP(return false, "module %s is in use", names[i]);
		}
	}
	return true;
}

static void load_sim_modules(struct __test_metadata *_metadata,
			     char (*path)[PATH_LEN], unsigned int which)
{
	if (!sim_is_simulated())
		SKIP(return, "is about the modules of uacce_sim");
	if (!begin_modules(_metadata, sim_modules, ARRAY_SIZE(sim_modules),
			   path))
		return;
	run_load(_metadata, sim_modules, ARRAY_SIZE(sim_modules), path, which);
}

TEST_F(module, uacce)
{
	load_sim_modules(_metadata, self->path, 0);
}

TEST_F(module, uacce_sim_iommu)
{
	load_sim_modules(_metadata, self->path, 1);
}

TEST_F(module, uacce_sim)
{
	load_sim_modules(_metadata, self->path, 2);
}

/* Without a probe of the devices: that is what "bind" is for. */
TEST_F(module, uacce_vaccel)
{
	static const char * const names[] = { "uacce", "uacce_vaccel" };

	if (sim_is_simulated())
		SKIP(return, "is about the driver of vaccel on PCI Express");
	if (!begin_modules(_metadata, names, ARRAY_SIZE(names), self->path))
		return;
	ASSERT_EQ(0, write_file(PCI_AUTOPROBE, "0"));
	run_load(_metadata, names, ARRAY_SIZE(names), self->path, 1);
}

TEST_HARNESS_MAIN
