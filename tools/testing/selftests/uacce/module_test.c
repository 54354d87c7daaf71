// SPDX-License-Identifier: GPL-2.0-only
/*
 * The modules are in use as long as there is a device of theirs, and can go
 * when there is none, whatever files of former devices are still open.
 */
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "uacce_test.h"

ONLY_IN_LANE("sim");
IN_PARALLEL;

FIXTURE(module)
{
	struct sim sim;
};

FIXTURE_VARIANT(module)
{
	bool no_sva;
};

FIXTURE_VARIANT_ADD(module, sva) {};
FIXTURE_VARIANT_ADD(module, no_sva) { .no_sva = true };

static int unload(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}

/* Modules disappear a little after their last user has */
static int wait_unload(const char *name)
{
	long end = now_ms() + SIM_TIMEOUT_MS;
	int ret;

	while ((ret = unload(name)) == -EWOULDBLOCK && now_ms() < end)
		nap();
	return ret;
}

static bool is_module(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/module/%s/initstate", name);
	return !access(path, F_OK);
}

/* Remove the instance that the module makes by itself */
static int remove_default(void)
{
	struct sim def = { .name = "default" };

	return sim_kill(&def);
}

static int stay_on(pid_t pid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(pid, sizeof(set), &set) ? -errno : 0;
}

/* Somebody who takes a processor for himself */
struct occupant {
	pid_t pid;
	int go;
};

/*
 * Makes one who, when he is told to, lets nothing but interrupts have @cpu for @ms:
 * neither processes nor the threads of the kernel that belong there. 0 or -errno
 */
static int occupant_prepare(struct occupant *o, int cpu, long ms)
{
	const struct sched_param param = { .sched_priority = 1 };
	int fd[2], ret;
	long end;
	char c;

	if (pipe(fd))
		return -errno;
	o->go = fd[1];
	o->pid = fork();
	if (!o->pid) {
		close(fd[1]);
		if (read(fd[0], &c, 1) == 1)
			for (end = now_ms() + ms; now_ms() < end; )
				;
		_exit(0);
	}
	close(fd[0]);
	ret = stay_on(o->pid, cpu);
	if (!ret && sched_setscheduler(o->pid, SCHED_FIFO, &param))
		ret = -errno;
	return ret;
}

static int occupant_begin(const struct occupant *o)
{
	return write(o->go, "", 1) == 1 ? 0 : -errno;
}

FIXTURE_SETUP(module)
{
	struct sim_config cfg = { .no_sva = variant->no_sva };

	if (!sim_is_simulated())
		SKIP(return, "is about the modules of uacce_sim");
	if (!setup_sim(_metadata, &self->sim, "ksft", &cfg))
		return;
	if (!is_module("uacce_sim") || !is_module("uacce_sim_iommu") ||
	    !is_module("uacce")) {
		sim_destroy(&self->sim);
		SKIP(return, "needs the drivers as modules");
	}
	/* what is unloaded here must come back */
	if (system("modprobe -D uacce_sim >/dev/null 2>&1")) {
		sim_destroy(&self->sim);
		SKIP(return, "needs modprobe");
	}
}

FIXTURE_TEARDOWN_PARENT(module)
{
	struct sim_config cfg = { .no_sva = variant->no_sva };
	struct sim def = { .name = "default" };

	if (!sim_is_simulated())
		return;
	/* all modules, the default device, and a place for the checks */
	EXPECT_EQ(NULL, sim_unavailable());
	EXPECT_EQ(0, sim_go_live(&def));
	EXPECT_EQ(0, access(def.node, F_OK));
	EXPECT_EQ(0, sim_create_idle(&self->sim, "ksft", &cfg));
	teardown_sim(_metadata, &self->sim);
}

TEST_F(module, is_in_use_while_a_device_exists)
{
	ASSERT_EQ(0, remove_default());
	EXPECT_EQ(-EWOULDBLOCK, unload("uacce_sim"));
	EXPECT_EQ(-EWOULDBLOCK, unload("uacce_sim_iommu"));
	EXPECT_EQ(-EWOULDBLOCK, unload("uacce"));

	/* the instance alone is enough: it can be made live at any time */
	ASSERT_EQ(0, sim_kill(&self->sim));
	EXPECT_EQ(-EWOULDBLOCK, unload("uacce_sim"));
	EXPECT_EQ(0, sim_go_live(&self->sim));
}

TEST_F(module, goes_while_files_of_former_devices_are_open)
{
	struct vaccel_queue q;
	struct peer peer;
	int fd, held;

	ASSERT_EQ(0, vaccel_queue_open(&q, self->sim.node));
	ASSERT_EQ(0, peer_start(&peer));
	fd = peer_open(&peer, &self->sim);
	ASSERT_GE(fd, 0);
	held = peer_take_fd(&peer, fd);
	ASSERT_GE(held, 0);
	ASSERT_EQ(0, peer_exit(&peer));

	ASSERT_EQ(0, remove_default());
	ASSERT_EQ(0, sim_destroy(&self->sim));
	EXPECT_EQ(0, wait_unload("uacce_sim"));
	EXPECT_EQ(0, wait_unload("uacce_sim_iommu"));
	EXPECT_FALSE(is_module("uacce_sim"));

	/* the core serves these files for as long as they are open */
	EXPECT_EQ(0, q_not_dead(q.fd));
	EXPECT_EQ(0, q_not_dead(held));
	EXPECT_EQ(-EFAULT, touch(q.dus));
	EXPECT_EQ(-EWOULDBLOCK, unload("uacce"));

	vaccel_queue_close(&q);
	close(held);
	EXPECT_EQ(0, wait_unload("uacce"));
	EXPECT_FALSE(is_module("uacce"));
}

TEST_F(module, goes_right_after_the_last_process_died)
{
	struct peer peer;

	/* what the core does behind a dying process must be over by then */
	ASSERT_EQ(0, remove_default());
	ASSERT_EQ(0, peer_start(&peer));
	ASSERT_GE(peer_open(&peer, &self->sim), 0);
	ASSERT_GE(peer_open(&peer, &self->sim), 0);
	ASSERT_EQ(0, peer_kill(&peer));
	ASSERT_EQ(0, sim_destroy(&self->sim));
	EXPECT_EQ(0, wait_unload("uacce_sim"));
	EXPECT_EQ(0, wait_unload("uacce"));
	EXPECT_EQ(0, wait_unload("uacce_sim_iommu"));
}

/*
 * The kernel calls back for each address space that was unbound, some ticks later, on the
 * boot processor. What it calls must not be gone, however long it takes to get there.
 */
TEST_F(module, goes_after_the_last_call_of_a_notifier)
{
	struct occupant occupant = {};
	struct vaccel_queue q;

	if (stay_on(0, 1))
		SKIP(return, "needs two processors");
	ASSERT_EQ(0, remove_default());
	/* less than what makes the scheduler take pity on the others */
	ASSERT_EQ(0, occupant_prepare(&occupant, 0, 900));
	ASSERT_EQ(0, vaccel_queue_open(&q, self->sim.node));
	vaccel_queue_close(&q);
	ASSERT_EQ(0, occupant_begin(&occupant));
	EXPECT_EQ(0, sim_destroy(&self->sim));
	EXPECT_EQ(0, wait_unload("uacce_sim"));
	EXPECT_EQ(0, wait_unload("uacce"));
	EXPECT_EQ(occupant.pid, waitpid(occupant.pid, NULL, 0));
	EXPECT_EQ(0, wait_unload("uacce_sim_iommu"));
}

TEST_HARNESS_MAIN
