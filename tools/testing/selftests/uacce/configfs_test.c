// SPDX-License-Identifier: GPL-2.0-only
/*
 * The files of the simulated accelerator in configfs say what they were told, take
 * nothing that makes no sense, and what is counted and slowed down is so.
 */
#include <limits.h>
#include <sys/stat.h>

#include "uacce_test.h"
#include "carrier.h"
#include "vq.h"

ONLY_IN_LANE("sim");

/* Of two pages: delayed at the point "dma" once */
#define WORK	8192

/* LONG_MIN: there is no such file */
static long read_long(const struct sim *sim, const char *attr)
{
	long val;
	int ret = sim_get(sim, attr, &val);

	return ret ? LONG_MIN : val;
}

/* An instance that has a directory and no device */
static void setup_idle(struct __test_metadata *_metadata, struct sim *sim)
{
	struct sim_config cfg = {};

	if (setup_sim(_metadata, sim, "ksft", &cfg))
		ASSERT_EQ(0, sim_kill(sim));
}

FIXTURE(idle)
{
	struct sim sim;
};

FIXTURE_SETUP(idle)
{
	setup_idle(_metadata, &self->sim);
}

FIXTURE_TEARDOWN_PARENT(idle)
{
	teardown_sim(_metadata, &self->sim);
}

/* The same whatever the attribute is */
FIXTURE(config)
{
	struct sim sim;
};

FIXTURE_VARIANT(config)
{
	const char *attr;
	long initial, least, most;
	bool is_bool;		/* only the first letter counts */
};

FIXTURE_VARIANT_ADD(config, queues) {
	.attr = "queues", .initial = 64, .least = 1, .most = 1024,
};

FIXTURE_VARIANT_ADD(config, pasid_bits) {
	.attr = "pasid_bits", .initial = 16, .least = 0, .most = 20,
};

FIXTURE_VARIANT_ADD(config, sva) {
	.attr = "sva", .initial = 1, .least = 0, .most = 1,
	.is_bool = true,
};

FIXTURE_VARIANT_ADD(config, bare) {
	.attr = "bare", .initial = 0, .least = 0, .most = 1,
	.is_bool = true,
};

FIXTURE_VARIANT_ADD(config, numa_node) {
	.attr = "numa_node", .initial = 0, .least = 0, .most = 0,
};

FIXTURE_SETUP(config)
{
	setup_idle(_metadata, &self->sim);
}

FIXTURE_TEARDOWN_PARENT(config)
{
	teardown_sim(_metadata, &self->sim);
}

TEST_F(config, default_is_the_documented_one)
{
	EXPECT_EQ(variant->initial, read_long(&self->sim, variant->attr));
}

TEST_F(config, reads_as_what_was_written)
{
	EXPECT_EQ(0, sim_set(&self->sim, variant->attr, variant->least));
	EXPECT_EQ(variant->least, read_long(&self->sim, variant->attr));
	EXPECT_EQ(0, sim_set(&self->sim, variant->attr, variant->most));
	EXPECT_EQ(variant->most, read_long(&self->sim, variant->attr));
}

TEST_F(config, nonsense_is_refused_and_changes_nothing)
{
	static const char * const nonsense[] = {
		"\n", "many", "-1", "\x80", "99999999999999999999", "1025", "0x",
	};
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(nonsense) - 2 * variant->is_bool; i++) {
		ret = carrier()->set(self->sim.name, variant->attr, nonsense[i]);
		EXPECT_TRUE(ret == -EINVAL || ret == -ERANGE)
			TH_LOG("\"%s\": %d", nonsense[i], ret);
		EXPECT_EQ(variant->initial, read_long(&self->sim, variant->attr));
	}
}

TEST_F(config, is_frozen_while_live)
{
	ASSERT_EQ(0, sim_go_live(&self->sim));
	EXPECT_EQ(-EBUSY, sim_set(&self->sim, variant->attr, variant->most));
	EXPECT_EQ(variant->initial, read_long(&self->sim, variant->attr));
	ASSERT_EQ(0, sim_kill(&self->sim));
	EXPECT_EQ(0, sim_set(&self->sim, variant->attr, variant->most));
}

TEST_F(idle, name_and_parent_are_those_of_the_device)
{
	char name[64], parent[64], link[64], path[160];
	ssize_t len;

	/* there is none */
	ASSERT_EQ(0, sim_gets(&self->sim, "dev_name", name, sizeof(name)));
	EXPECT_STREQ("", name);
	ASSERT_EQ(0, sim_gets(&self->sim, "parent", parent, sizeof(parent)));
	EXPECT_STREQ("", parent);
	EXPECT_EQ(0, read_long(&self->sim, "live"));

	ASSERT_EQ(0, sim_go_live(&self->sim));
	EXPECT_EQ(1, read_long(&self->sim, "live"));
	ASSERT_LT(0, sim_gets(&self->sim, "parent", parent, sizeof(parent)));
	snprintf(path, sizeof(path), "/sys/class/uacce/%s/device", self->sim.dev);
	len = readlink(path, link, sizeof(link) - 1);
	ASSERT_GT(len, 0);
	link[len] = '\0';
	EXPECT_STREQ(parent, strrchr(link, '/') + 1);

	/* unbound, but plugged in */
	ASSERT_EQ(0, sim_driver_write("unbind", parent));
	ASSERT_EQ(0, sim_gets(&self->sim, "dev_name", name, sizeof(name)));
	EXPECT_STREQ("", name);
	ASSERT_LT(0, sim_gets(&self->sim, "parent", link, sizeof(link)));
	EXPECT_STREQ(parent, link);
	ASSERT_EQ(0, sim_driver_write("bind", parent));
	ASSERT_LT(0, sim_gets(&self->sim, "dev_name", name, sizeof(name)));
}

TEST_F(idle, live_twice_is_live_once)
{
	char name[64];

	ASSERT_EQ(0, sim_go_live(&self->sim));
	EXPECT_EQ(0, sim_set(&self->sim, "live", 1));
	ASSERT_LT(0, sim_gets(&self->sim, "dev_name", name, sizeof(name)));
	EXPECT_STREQ(self->sim.dev, name);
	ASSERT_EQ(0, sim_kill(&self->sim));
	EXPECT_EQ(0, sim_kill(&self->sim));
	EXPECT_EQ(-1, access(self->sim.node, F_OK));
	EXPECT_EQ(-EINVAL, carrier()->set(self->sim.name, "live", "perhaps"));
	EXPECT_EQ(0, read_long(&self->sim, "live"));
}

TEST_F(idle, device_is_on_the_node_that_was_asked_for)
{
	char path[160], text[16];

	if (access("/sys/devices/system/node/node1", F_OK))
		SKIP(return, "needs two nodes");
	ASSERT_EQ(0, sim_set(&self->sim, "numa_node", 1));
	EXPECT_EQ(1, read_long(&self->sim, "numa_node"));
	ASSERT_EQ(0, sim_go_live(&self->sim));
	snprintf(path, sizeof(path), "/sys/class/uacce/%s/device/numa_node",
		 self->sim.dev);
	ASSERT_LT(0, read_file(path, text, sizeof(text)));
	EXPECT_STREQ("1", text);
}

TEST_F(idle, names_are_lower_case_and_not_too_long)
{
	static const char * const bad[] = {
		"KSFT", "ks-ft", "ks.ft", "ks ft", "k\xc3\xa4se", "k\xe4se",
		"ksft_that_has_a_name_of_41_characters_xxx",
	};
	char path[160];
	unsigned int i;

	ASSERT_EQ(41, strlen(bad[6]));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/config/uacce_sim/%s",
			 bad[i]);
		EXPECT_EQ(-1, mkdir(path, 0755));
		EXPECT_EQ(EINVAL, errno)
			TH_LOG("%s", bad[i]);
	}
	/* one less fits */
	path[strlen(path) - 1] = '\0';
	EXPECT_EQ(0, mkdir(path, 0755));
	EXPECT_EQ(0, rmdir(path));
}

/* A live instance with a queue */
FIXTURE(working)
{
	struct sim sim;
	struct vq vq;
};

FIXTURE_VARIANT(working)
{
	bool no_sva;
};

FIXTURE_VARIANT_ADD(working, sva) {};
FIXTURE_VARIANT_ADD(working, no_sva) { .no_sva = true };

FIXTURE_SETUP(working)
{
	struct sim_config cfg = { .no_sva = variant->no_sva, .queues = 2 };

	if (setup_sim(_metadata, &self->sim, "ksft", &cfg))
		ASSERT_EQ(0, vq_open(&self->vq, &self->sim));
}

FIXTURE_TEARDOWN_PARENT(working)
{
	teardown_sim(_metadata, &self->sim);
}

TEST_F(working, bytes_in_and_out_are_those_of_the_operations)
{
	struct vq *vq = &self->vq;
	struct vaccel_desc d;
	struct vq_done done;

	d = d_copy(vq, vq->mem, vq->mem + WORK, WORK);
	ASSERT_EQ(VACCEL_ST_OK, vq_run(vq, &d, &done));
	EXPECT_EQ(WORK, sim_stat(&self->sim, "bytes_in"));
	EXPECT_EQ(WORK, sim_stat(&self->sim, "bytes_out"));

	d = d_crc(vq, vq->mem, 100, 0);
	ASSERT_EQ(VACCEL_ST_OK, vq_run(vq, &d, &done));
	EXPECT_EQ(WORK + 100, sim_stat(&self->sim, "bytes_in"));
	EXPECT_EQ(WORK, sim_stat(&self->sim, "bytes_out"));

	d = d_fill(vq, vq->mem, 64, 0);
	ASSERT_EQ(VACCEL_ST_OK, vq_run(vq, &d, &done));
	EXPECT_EQ(WORK + 100, sim_stat(&self->sim, "bytes_in"));
	EXPECT_EQ(WORK + 64, sim_stat(&self->sim, "bytes_out"));

	/* an operation that fails has used nothing */
	d = d_raw(0xff, 0, 0, 0, 0);
	ASSERT_EQ(VACCEL_ST_BAD_OPCODE, vq_run(vq, &d, &done));
	EXPECT_EQ(WORK + 100, sim_stat(&self->sim, "bytes_in"));
	EXPECT_EQ(1, sim_stat(&self->sim, "errors"));
}

TEST_F(working, isolate_reads_as_what_was_written)
{
	EXPECT_EQ(0, read_long(&self->sim, "inject/isolate"));
	ASSERT_EQ(0, sim_set(&self->sim, "inject/isolate", 1));
	EXPECT_EQ(1, read_long(&self->sim, "inject/isolate"));
	EXPECT_EQ(1, sim_sysfs_long(&self->sim, "isolate"));
	EXPECT_EQ(-EINVAL, carrier()->set(self->sim.name, "inject/isolate", "perhaps"));
	EXPECT_EQ(1, sim_sysfs_long(&self->sim, "isolate"));
	ASSERT_EQ(0, sim_set(&self->sim, "inject/isolate", 0));
	EXPECT_EQ(0, sim_sysfs_long(&self->sim, "isolate"));
}

/* One for each point */
FIXTURE(point)
{
	struct sim sim;
};

/* Each leads a task, or the engine, to points; 0 or what it fails with */

static int pass_open(const struct sim *sim)
{
	int fd = q_open(sim);

	if (fd < 0)
		return fd;
	close(fd);
	return sim_wait_stat(sim, "queues", 0);
}

static int pass_start(const struct sim *sim)
{
	int fd = q_open(sim), ret;

	if (fd < 0)
		return fd;
	ret = q_start(fd);
	close(fd);
	return ret;
}

static int pass_ioctl(const struct sim *sim)
{
	struct vaccel_info info;
	int fd = q_open(sim), ret;

	if (fd < 0)
		return fd;
	ret = q_info(fd, &info);
	close(fd);
	return ret;
}

static int pass_mmap(const struct sim *sim)
{
	int fd = q_open(sim), ret;
	void *map;

	if (fd < 0)
		return fd;
	ret = q_mmap(fd, UACCE_QFRT_DUS, sim->dus_size, &map);
	if (!ret)
		munmap(map, sim->dus_size);
	close(fd);
	return ret;
}

/* Pages that were never touched: the device has to ask for them */
static int pass_work(const struct sim *sim)
{
	struct vaccel_desc d;
	struct vq_done done;
	struct vq vq;
	int ret;
	__u8 *p;

	ret = vq_open(&vq, sim);
	if (ret)
		return ret;
	p = mmap(NULL, 2 * WORK, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED) {
		vq_close(&vq);
		return -ENOMEM;
	}
	d = d_copy(&vq, p, p + WORK, WORK);
	ret = vq_run(&vq, &d, &done);
	vq_close(&vq);
	munmap(p, 2 * WORK);
	return ret == VACCEL_ST_FAULT_READ ? -EFAULT : ret;
}

FIXTURE_VARIANT(point)
{
	const char *name;
	int (*pass)(const struct sim *sim);
	int error;		/* of those that are to fail; 0: none can be */
	bool no_delay;
};

FIXTURE_VARIANT_ADD(point, bind) {
	.name = "bind", .pass = pass_open, .error = -EIO, .no_delay = true,
};

FIXTURE_VARIANT_ADD(point, get_queue) {
	.name = "get_queue", .pass = pass_open, .error = -EBUSY,
};

FIXTURE_VARIANT_ADD(point, put_queue) {
	.name = "put_queue", .pass = pass_open,
};

FIXTURE_VARIANT_ADD(point, start) {
	.name = "start", .pass = pass_start, .error = -EIO,
};

FIXTURE_VARIANT_ADD(point, stop) {
	.name = "stop", .pass = pass_start,
};

FIXTURE_VARIANT_ADD(point, ioctl) {
	.name = "ioctl", .pass = pass_ioctl,
};

FIXTURE_VARIANT_ADD(point, mmap) {
	.name = "mmap", .pass = pass_mmap, .error = -ENOMEM,
};

FIXTURE_VARIANT_ADD(point, page_response) {
	.name = "page_response", .pass = pass_work, .error = -EFAULT,
};

FIXTURE_VARIANT_ADD(point, engine) {
	.name = "engine", .pass = pass_work, .error = -EIO,
};

FIXTURE_VARIANT_ADD(point, dma) {
	.name = "dma", .pass = pass_work,
};

FIXTURE_SETUP(point)
{
	struct sim_config cfg = {};

	setup_sim(_metadata, &self->sim, "ksft", &cfg);
}

FIXTURE_TEARDOWN_PARENT(point)
{
	teardown_sim(_metadata, &self->sim);
}

TEST_F(point, as_many_fail_as_were_told_to)
{
	char attr[40];

	snprintf(attr, sizeof(attr), "inject/fail_%s", variant->name);
	if (!variant->error) {
		EXPECT_EQ(LONG_MIN, read_long(&self->sim, attr));
		return;
	}
	EXPECT_EQ(0, read_long(&self->sim, attr));
	ASSERT_EQ(0, sim_set(&self->sim, attr, 2));
	EXPECT_EQ(2, read_long(&self->sim, attr));
	EXPECT_EQ(variant->error, variant->pass(&self->sim));
	EXPECT_EQ(1, read_long(&self->sim, attr));
	EXPECT_EQ(variant->error, variant->pass(&self->sim));
	EXPECT_EQ(0, read_long(&self->sim, attr));
	EXPECT_EQ(0, variant->pass(&self->sim));

	ASSERT_EQ(0, sim_set(&self->sim, attr, -1));
	EXPECT_EQ(variant->error, variant->pass(&self->sim));
	EXPECT_EQ(-1, read_long(&self->sim, attr));
	EXPECT_EQ(-EINVAL, sim_set(&self->sim, attr, -2));
	EXPECT_EQ(-EINVAL, carrier()->set(self->sim.name, attr, "all"));
	EXPECT_EQ(-1, read_long(&self->sim, attr));
	ASSERT_EQ(0, sim_set(&self->sim, attr, 0));
	EXPECT_EQ(0, variant->pass(&self->sim));
}

TEST_F(point, delay_is_at_least_that_long)
{
	char attr[40];
	long start;

	snprintf(attr, sizeof(attr), "inject/delay_%s_ms", variant->name);
	if (variant->no_delay) {
		EXPECT_EQ(LONG_MIN, read_long(&self->sim, attr));
		return;
	}
	EXPECT_EQ(0, read_long(&self->sim, attr));
	EXPECT_EQ(-EINVAL, sim_set(&self->sim, attr, 60001));
	EXPECT_EQ(-EINVAL, sim_set(&self->sim, attr, -1));
	EXPECT_EQ(0, read_long(&self->sim, attr));
	EXPECT_EQ(0, sim_set(&self->sim, attr, 60000));
	ASSERT_EQ(0, sim_set(&self->sim, attr, 200));
	EXPECT_EQ(200, read_long(&self->sim, attr));

	start = now_ms();
	EXPECT_EQ(0, variant->pass(&self->sim));
	/* a tick is up to 10 ms */
	EXPECT_LE(190, now_ms() - start);
	ASSERT_EQ(0, sim_set(&self->sim, attr, 0));
}

TEST_F(point, hold_takes_only_numbers)
{
	char attr[40];

	snprintf(attr, sizeof(attr), "inject/hold_%s", variant->name);
	EXPECT_EQ(0, read_long(&self->sim, attr));
	EXPECT_EQ(-EINVAL, sim_set(&self->sim, attr, -2));
	EXPECT_EQ(-EINVAL, carrier()->set(self->sim.name, attr, "all"));
	/* nobody is held there by that */
	EXPECT_EQ(0, variant->pass(&self->sim));
	EXPECT_EQ(0, read_long(&self->sim, attr));
}

TEST_HARNESS_MAIN
