// SPDX-License-Identifier: GPL-2.0-only
/*
 * What sysfs says about a device: the names and formats that user libraries
 * rely on.
 */
#include <ctype.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "uacce_test.h"
#include "kmsg.h"

FIXTURE(sysfs)
{
	struct sim sim;
};

FIXTURE_VARIANT(sysfs)
{
	bool no_sva;
};

FIXTURE_VARIANT_ADD(sysfs, sva) {};
FIXTURE_VARIANT_ADD(sysfs, no_sva) { .no_sva = true };

FIXTURE_SETUP(sysfs)
{
	struct sim_config cfg = { .no_sva = variant->no_sva, .queues = 10 };

	setup_sim(_metadata, &self->sim, "ksft", &cfg);
}

FIXTURE_TEARDOWN_PARENT(sysfs)
{
	teardown_sim(_metadata, &self->sim);
}

/* A decimal number and a newline, nothing else */
static bool is_decimal_line(const struct sim *sim, const char *attr)
{
	char path[160], text[64];
	ssize_t n, i;
	int fd;

	snprintf(path, sizeof(path), "/sys/class/uacce/%s/%s", sim->dev, attr);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text));
	close(fd);
	if (n < 2 || text[n - 1] != '\n')
		return false;
	for (i = 0; i < n - 1; i++) {
		if (!isdigit((unsigned char)text[i]))
			return false;
	}
	return n == 2 || text[0] != '0';
}

static int mode_of(const struct sim *sim, const char *attr)
{
	struct stat st;
	char path[160];

	snprintf(path, sizeof(path), "/sys/class/uacce/%s/%s", sim->dev, attr);
	return stat(path, &st) ? -errno : (int)(st.st_mode & 0777);
}

/* A device whose driver does not isolate it by itself has no such attribute. */
static bool has_strategy(void)
{
	return sim_is_simulated();
}

TEST_F(sysfs, attributes_are_those_of_the_abi)
{
	static const char * const read_only[] = {
		"api", "flags", "available_instances", "algorithms",
		"region_mmio_size", "region_dus_size", "isolate",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(read_only); i++) {
		EXPECT_EQ(0444, mode_of(&self->sim, read_only[i]))
			TH_LOG("%s", read_only[i]);
	}
	EXPECT_EQ(has_strategy() ? 0644 : -ENOENT,
		  mode_of(&self->sim, "isolate_strategy"));
}

TEST_F(sysfs, numbers_are_decimal)
{
	static const char * const numbers[] = {
		"flags", "available_instances", "region_mmio_size",
		"region_dus_size", "isolate", "isolate_strategy",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(numbers) - !has_strategy(); i++) {
		EXPECT_TRUE(is_decimal_line(&self->sim, numbers[i]))
			TH_LOG("%s", numbers[i]);
	}
}

TEST_F(sysfs, flags_are_the_negotiated_ones)
{
	struct vaccel_info info = {};
	int fd;

	EXPECT_EQ(variant->no_sva ? 0 : UACCE_DEV_SVA,
		  sim_sysfs_long(&self->sim, "flags"));
	/* and the driver goes by them */
	fd = q_open(&self->sim);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, q_info(fd, &info));
	EXPECT_EQ(variant->no_sva ? 0 : UACCE_DEV_SVA, info.flags);
	EXPECT_EQ(variant->no_sva, !info.pasid);
}

TEST_F(sysfs, api_is_the_name_of_the_interface)
{
	char api[64];

	ASSERT_GT(sim_sysfs(&self->sim, "api", api, sizeof(api)), 0);
	EXPECT_STREQ(VACCEL_API_VER, api);
}

/*
 * Libraries look for a name by strstr() and accept the first place only if a
 * line ends there: a name that is part of an earlier one is never found.
 */
TEST_F(sysfs, every_algorithm_can_be_found)
{
	char algs[512] = "", copy[512];
	char *name, *save, *at;
	int n = 0;

	ASSERT_GT(sim_sysfs(&self->sim, "algorithms", algs, sizeof(algs)), 0);
	memcpy(copy, algs, sizeof(copy));
	for (name = strtok_r(copy, "\n", &save); name;
	     name = strtok_r(NULL, "\n", &save)) {
		n++;
		at = strstr(algs, name);
		ASSERT_NE(NULL, at);
		EXPECT_EQ(name - copy, at - algs) TH_LOG("%s", name);
		EXPECT_EQ(NULL, strpbrk(name, " \t,"));
	}
	EXPECT_GE(n, 1);
}

TEST_F(sysfs, region_sizes_can_be_mapped)
{
	size_t page = getpagesize();
	int fd = q_open(&self->sim);
	void *p;

	ASSERT_GE(fd, 0);
	EXPECT_EQ(0, self->sim.mmio_size % page);
	EXPECT_EQ(0, self->sim.dus_size % page);
	EXPECT_GE(self->sim.mmio_size, VACCEL_MMIO_SIZE);
	EXPECT_GE(self->sim.dus_size, VACCEL_DUS_SIZE);
	EXPECT_EQ(0, q_mmap(fd, UACCE_QFRT_MMIO, self->sim.mmio_size, &p));
	EXPECT_EQ(0, q_mmap(fd, UACCE_QFRT_DUS, self->sim.dus_size, &p));
}

TEST_F(sysfs, numa_node_is_known)
{
	if (access("/sys/devices/system/node", F_OK))
		SKIP(return, "needs CONFIG_NUMA");
	if (!sim_is_simulated())
		SKIP(return, "the firmware says where a function is, or not");
	EXPECT_GE(sim_sysfs_long(&self->sim, "device/numa_node"), 0);
}

TEST_F(sysfs, available_instances_follows_opens)
{
	int fd[10];
	int i;

	EXPECT_EQ(10, sim_sysfs_long(&self->sim, "available_instances"));
	for (i = 0; i < 10; i++) {
		fd[i] = q_open(&self->sim);
		ASSERT_GE(fd[i], 0);
		EXPECT_EQ(9 - i, sim_sysfs_long(&self->sim,
						"available_instances"));
	}
	EXPECT_EQ(-EBUSY, q_open(&self->sim));
	EXPECT_EQ(0, sim_sysfs_long(&self->sim, "available_instances"));
	for (i = 0; i < 10; i++)
		close(fd[i]);
	EXPECT_EQ(0, sim_wait_stat(&self->sim, "queues", 0));
	EXPECT_EQ(10, sim_sysfs_long(&self->sim, "available_instances"));
}

TEST_F(sysfs, isolate_is_the_drivers_answer)
{
	EXPECT_EQ(0, sim_sysfs_long(&self->sim, "isolate"));
	ASSERT_EQ(0, sim_set(&self->sim, "inject/isolate", 1));
	EXPECT_EQ(1, sim_sysfs_long(&self->sim, "isolate"));
	ASSERT_EQ(0, sim_set(&self->sim, "inject/isolate", 0));
	EXPECT_EQ(0, sim_sysfs_long(&self->sim, "isolate"));
}

TEST_F(sysfs, isolate_strategy_takes_up_to_65535)
{
	static const char * const bad[] = {
		"65536", "4294967295", "4294967296", "18446744073709551616",
		"-1", "many", "1 2",
	};
	unsigned int i;

	if (!has_strategy())
		SKIP(return, "this device is not isolated by its driver");
	EXPECT_EQ(0, sim_sysfs_write(&self->sim, "isolate_strategy", "65535"));
	EXPECT_EQ(65535, sim_sysfs_long(&self->sim, "isolate_strategy"));
	EXPECT_EQ(0, sim_sysfs_write(&self->sim, "isolate_strategy", "17\n"));
	EXPECT_EQ(17, sim_sysfs_long(&self->sim, "isolate_strategy"));
	EXPECT_EQ(0, sim_sysfs_write(&self->sim, "isolate_strategy", "0x10"));
	EXPECT_EQ(16, sim_sysfs_long(&self->sim, "isolate_strategy"));

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, sim_sysfs_write(&self->sim,
						   "isolate_strategy", bad[i]))
			TH_LOG("%s", bad[i]);
	}
	EXPECT_EQ(16, sim_sysfs_long(&self->sim, "isolate_strategy"));
	EXPECT_EQ(0, sim_sysfs_write(&self->sim, "isolate_strategy", "0"));
	EXPECT_EQ(0, sim_sysfs_long(&self->sim, "isolate_strategy"));
}

TEST_F(sysfs, node_has_the_devices_number_in_its_name)
{
	char dev[32], want[64];
	struct stat st;

	ASSERT_EQ(0, stat(self->sim.node, &st));
	EXPECT_TRUE(S_ISCHR(st.st_mode));
	ASSERT_GT(sim_sysfs(&self->sim, "dev", dev, sizeof(dev)), 0);
	snprintf(want, sizeof(want), "%u:%u", major(st.st_rdev),
		 minor(st.st_rdev));
	EXPECT_STREQ(want, dev);
	snprintf(want, sizeof(want), "%s-%u",
		 sim_is_simulated() ? "ksft" : "uacce_vaccel",
		 minor(st.st_rdev));
	EXPECT_STREQ(want, self->sim.dev);
}

TEST_F(sysfs, number_is_free_again_after_removal)
{
	char old[64];
	int fd = q_open(&self->sim);

	ASSERT_GE(fd, 0);
	memcpy(old, self->sim.dev, sizeof(old));
	ASSERT_EQ(0, sim_kill(&self->sim));
	ASSERT_EQ(0, sim_go_live(&self->sim));
	/* even while a file of the old device is open */
	EXPECT_STREQ(old, self->sim.dev);
	EXPECT_EQ(0, q_not_dead(fd));
}

TEST_F(sysfs, device_that_is_not_live_is_not_there)
{
	char path[160], text[64];
	int fd;

	snprintf(path, sizeof(path), "/sys/class/uacce/%s/api", self->sim.dev);
	fd = open(path, O_RDONLY);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, sim_kill(&self->sim));
	EXPECT_EQ(-1, read(fd, text, sizeof(text)));
	EXPECT_EQ(ENODEV, errno);
	EXPECT_EQ(-1, access(path, F_OK));
	EXPECT_EQ(ENOENT, errno);
}

FIXTURE(no_pasids)
{
	struct sim sim;
};

FIXTURE_SETUP(no_pasids)
{
	struct sim_config cfg = {};

	if (!setup_sim(_metadata, &self->sim, "ksft", &cfg))
		return;
	ASSERT_EQ(0, sim_kill(&self->sim));
	ASSERT_EQ(0, sim_set(&self->sim, "pasid_bits", 0));
}

FIXTURE_TEARDOWN_PARENT(no_pasids)
{
	teardown_sim(_metadata, &self->sim);
}

TEST_F(no_pasids, flag_is_taken_from_the_driver)
{
	const char * const words[] = { "uacce_sim", "no SVA", "PASIDs", NULL };
	char old[64];
	long mark;

	memcpy(old, self->sim.dev, sizeof(old));
	mark = log_mark("uacce: test of a device without PASIDs");
	ASSERT_GE(mark, 0);
	/* uacce_sim was told to do SVA, and gives up without */
	EXPECT_EQ(-ENODEV, sim_go_live(&self->sim));
	EXPECT_EQ(1, log_count(mark, words));

	/* what was never registered has taken no number */
	ASSERT_EQ(0, sim_set(&self->sim, "pasid_bits", 8));
	ASSERT_EQ(0, sim_go_live(&self->sim));
	EXPECT_STREQ(old, self->sim.dev);
	EXPECT_EQ(UACCE_DEV_SVA, sim_sysfs_long(&self->sim, "flags"));
}

TEST_HARNESS_MAIN
