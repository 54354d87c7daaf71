// SPDX-License-Identifier: GPL-2.0-only
/*
 * What administrators are told: debugfs says who uses a device and what keeps it
 * busy, tracepoints say what happened in which order.
 */
#include <dirent.h>
#include <sys/mount.h>

#include "uacce_test.h"
#include "tracer.h"

#define DEBUGFS	"/sys/kernel/debug"
#define TRACER	"uacce_test"
#define TRACE	TRACER_INSTANCES "/" TRACER "/trace"

/* What is shown is the core's; half of it needs a driver that is held. */
MOSTLY_IN_LANE("sim");

FIXTURE(debug)
{
	struct sim sim;
};

FIXTURE_VARIANT(debug)
{
	bool no_sva;
};

FIXTURE_VARIANT_ADD(debug, sva) {};
FIXTURE_VARIANT_ADD(debug, no_sva) { .no_sva = true };

FIXTURE_SETUP(debug)
{
	struct sim_config cfg = { .no_sva = variant->no_sva };

	if (access(DEBUGFS "/uacce", F_OK) &&
	    mount("none", DEBUGFS, "debugfs", 0, NULL))
		SKIP(return, "needs debugfs (CONFIG_DEBUG_FS)");
	setup_sim(_metadata, &self->sim, "ksft", &cfg);
}

FIXTURE_TEARDOWN_PARENT(debug)
{
	teardown_sim(_metadata, &self->sim);
}

static int debugfs_read(const struct sim *sim, const char *file, char *buf,
			size_t len)
{
	char path[160];

	snprintf(path, sizeof(path), DEBUGFS "/uacce/%s/%s", sim->dev, file);
	return read_file(path, buf, len);
}

/* A line of "queues" */
struct row {
	unsigned int id, pasid;
	char state[32];
	int pid;
	char comm[40], op[40];
	int op_pid;
};

/* Rows of "queues", at most @n: how many there are, or a negative errno */
static int read_rows(const struct sim *sim, struct row *rows, int n)
{
	char text[4096], op_by[16], *line, *end;
	int ret, i = 0;

	ret = debugfs_read(sim, "queues", text, sizeof(text));
	if (ret < 0)
		return ret;
	for (line = strtok_r(text, "\n", &end); line && i < n;
	     line = strtok_r(NULL, "\n", &end)) {
		struct row *r = &rows[i];

		if (line[0] == '#')
			continue;
		if (sscanf(line, "%u %u %31s %d %39s %39s %15s", &r->id,
			   &r->pasid, r->state, &r->pid, r->comm, r->op,
			   op_by) != 7)
			return -EBADMSG;
		r->op_pid = atoi(op_by);
		i++;
	}
	return i;
}

TEST_F(debug, lists_each_queue_and_who_opened_it)
{
	struct vaccel_info info;
	struct row rows[3];
	int fd[2];

	EXPECT_EQ(0, read_rows(&self->sim, rows, 3));
	prctl(PR_SET_NAME, "a b\nc");
	fd[0] = q_open(&self->sim);
	ASSERT_GE(fd[0], 0);
	fd[1] = q_open(&self->sim);
	ASSERT_GE(fd[1], 0);
	ASSERT_EQ(0, q_start(fd[1]));
	ASSERT_EQ(0, q_info(fd[0], &info));

	ASSERT_EQ(2, read_rows(&self->sim, rows, 3));
	EXPECT_STREQ("init", rows[0].state);
	EXPECT_STREQ("started", rows[1].state);
	EXPECT_LT(rows[0].id, rows[1].id);
	EXPECT_EQ(info.pasid, rows[0].pasid);
	EXPECT_EQ(info.pasid, rows[1].pasid);
	EXPECT_EQ(getpid(), rows[0].pid);
	/* a name cannot break the line */
	EXPECT_STREQ("a\\040b\\012c", rows[0].comm);
	EXPECT_STREQ("-", rows[0].op);
	EXPECT_EQ(0, rows[0].op_pid);

	ASSERT_EQ(0, close(fd[0]));
	EXPECT_EQ(1, read_rows(&self->sim, rows, 3));
}

TEST_F(debug, lists_each_bond)
{
	char text[256], want[64];
	struct vaccel_info info;
	int fd, fd2;

	fd = q_open(&self->sim);
	ASSERT_GE(fd, 0);
	fd2 = q_open(&self->sim);
	ASSERT_GE(fd2, 0);
	ASSERT_EQ(0, q_info(fd, &info));

	ASSERT_GT(debugfs_read(&self->sim, "bonds", text, sizeof(text)), 0);
	snprintf(want, sizeof(want), "\n%u 2 2 live", info.pasid);
	EXPECT_NE(NULL, strstr(text, want));
	TH_LOG("%s", text);
}

TEST_F(debug, names_the_op_that_hangs)
{
	struct row rows[2];
	struct bg starter;
	int fd;

	fd = q_open(&self->sim);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, sim_hold(&self->sim, "start", 1));
	ASSERT_EQ(0, bg_q_start(&starter, fd));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "start", 1));

	/* and reading it does not hang as well */
	ASSERT_EQ(1, read_rows(&self->sim, rows, 2));
	EXPECT_STREQ("start_queue", rows[0].op);
	EXPECT_EQ(starter.tid, rows[0].op_pid);
	EXPECT_STREQ("init", rows[0].state);

	ASSERT_EQ(0, sim_release(&self->sim, "start"));
	EXPECT_EQ(0, bg_wait(&starter));
	ASSERT_EQ(1, read_rows(&self->sim, rows, 2));
	EXPECT_STREQ("-", rows[0].op);
}

TEST_F(debug, shows_whom_a_removal_waits_for)
{
	struct bg remover;
	struct row rows[2];
	char text[16];
	int fd;

	fd = q_open(&self->sim);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, q_start(fd));
	ASSERT_EQ(0, sim_hold(&self->sim, "stop", 1));
	ASSERT_EQ(0, bg_sim_kill(&remover, &self->sim));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "stop", 1));

	ASSERT_EQ(1, read_rows(&self->sim, rows, 2));
	EXPECT_STREQ("stop_queue", rows[0].op);
	EXPECT_STREQ("started,dead", rows[0].state);

	ASSERT_EQ(0, sim_release(&self->sim, "stop"));
	EXPECT_EQ(0, bg_wait(&remover));
	/* the file is still open, but the device has no name any more */
	EXPECT_EQ(-ENOENT, debugfs_read(&self->sim, "queues", text, sizeof(text)));
}

static long read_fdinfo(long fd, long buf, long len)
{
	char path[64];
	int ret;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%ld", fd);
	ret = read_file(path, (char *)buf, len);
	return ret < 0 ? ret : 0;
}

TEST_F(debug, fdinfo_tells_of_the_queue)
{
	struct bg starter, reader;
	struct vaccel_info info;
	char text[512], want[80];
	int fd;

	fd = q_open(&self->sim);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, q_info(fd, &info));
	ASSERT_EQ(0, sim_hold(&self->sim, "start", 1));
	ASSERT_EQ(0, bg_q_start(&starter, fd));
	ASSERT_EQ(0, sim_wait_held(&self->sim, "start", 1));

	/* also while it is in an op */
	ASSERT_EQ(0, bg_start(&reader, read_fdinfo, fd, (long)text,
			      sizeof(text)));
	ASSERT_EQ(0, bg_wait(&reader));
	snprintf(want, sizeof(want), "\nuacce-device:\t%s\n", self->sim.dev);
	EXPECT_NE(NULL, strstr(text, want));
	EXPECT_NE(NULL, strstr(text, "\nuacce-queue:\t"));
	EXPECT_NE(NULL, strstr(text, "\nuacce-state:\tinit"));
	snprintf(want, sizeof(want), "\nuacce-pasid:\t%u", info.pasid);
	EXPECT_EQ(!variant->no_sva, !!strstr(text, want));

	ASSERT_EQ(0, sim_release(&self->sim, "start"));
	EXPECT_EQ(0, bg_wait(&starter));
	ASSERT_EQ(0, read_fdinfo(fd, (long)text, sizeof(text)));
	EXPECT_NE(NULL, strstr(text, "\nuacce-state:\tstarted"));
}

FIXTURE(trace)
{
	struct sim sim;
	bool made;
};

FIXTURE_SETUP(trace)
{
	struct sim_config cfg = {};

	if (tracer_make(TRACER) < 0)
		SKIP(return, "needs tracefs (CONFIG_TRACING)");
	self->made = true;
	if (!setup_sim(_metadata, &self->sim, "ksft", &cfg))
		return;
	ASSERT_EQ(0, tracer_set(TRACER, "events/uacce/enable", "1"));
}

FIXTURE_TEARDOWN_PARENT(trace)
{
	if (!self->made)
		return;
	teardown_sim(_metadata, &self->sim);
	EXPECT_EQ(0, tracer_remove(TRACER));
}

/* Names of the events of our device so far, without "uacce_", a space after each */
static int traced(const struct sim *sim, char *buf, size_t len)
{
	FILE *f = fopen(TRACE, "re");
	struct tracer_event e;
	char line[512];
	size_t n = 0;

	if (!f)
		return -errno;
	buf[0] = '\0';
	while (n < len && fgets(line, sizeof(line), f)) {
		if (tracer_parse(line, &e) && !strcmp(e.dev, sim->dev))
			n += snprintf(buf + n, len - n, "%s ",
				      e.name + strlen("uacce_"));
	}
	fclose(f);
	return 0;
}

TEST_F(trace, tells_the_life_of_a_queue)
{
	static const char want[] =
		"bind get_queue start_queue stop_queue start_queue stop_queue put_queue unbind ";
	char events[512];
	int fd = q_open(&self->sim);

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, q_start(fd));
	ASSERT_EQ(0, q_put(fd));
	ASSERT_EQ(0, q_start(fd));
	ASSERT_EQ(0, close(fd));
	ASSERT_EQ(0, sim_wait_stat(&self->sim, "unbinds", 1));
	ASSERT_EQ(0, traced(&self->sim, events, sizeof(events)));
	EXPECT_STREQ(want, events);
}

TEST_F(trace, tells_that_an_exit_stops_first_and_unbinds_then)
{
	const char *first = "bind get_queue start_queue mm_exit stop_queue ";
	char events[512], *unbind, *done;
	struct peer peer;
	int fd;

	ASSERT_EQ(0, peer_start(&peer));
	fd = peer_open(&peer, &self->sim);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, peer_q_start(&peer, fd));
	ASSERT_GE(peer_take_fd(&peer, fd), 0);
	ASSERT_EQ(0, peer_exit(&peer));
	ASSERT_EQ(0, sim_wait_stat(&self->sim, "unbinds", 1));
	ASSERT_EQ(0, sim_wait_stat(&self->sim, "puts", 1));

	ASSERT_EQ(0, traced(&self->sim, events, sizeof(events)));
	TH_LOG("%s", events);
	EXPECT_EQ(0, strncmp(events, first, strlen(first)));
	/* the put and the unbinding are works of their own, in any order */
	unbind = strstr(events, " unbind ");
	done = strstr(events, " mm_exit_done ");
	ASSERT_NE(NULL, unbind);
	ASSERT_NE(NULL, done);
	EXPECT_LT(done, unbind);
	EXPECT_NE(NULL, strstr(events, " put_queue "));
}

TEST_F(trace, tells_that_a_removal_is_over_when_all_is_put_and_unbound)
{
	static const char want[] =
		"bind get_queue start_queue remove stop_queue put_queue unbind remove_done ";
	char events[512];
	int fd = q_open(&self->sim);

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, q_start(fd));
	ASSERT_EQ(0, sim_kill(&self->sim));
	ASSERT_EQ(0, traced(&self->sim, events, sizeof(events)));
	EXPECT_STREQ(want, events);
}

TEST_F(trace, tells_why_a_start_failed)
{
	char line[256], text[8192];
	int fd = q_open(&self->sim);

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, sim_fail(&self->sim, "start", 1));
	EXPECT_EQ(-EIO, q_start(fd));
	ASSERT_GT(read_file(TRACE, text, sizeof(text)), 0);
	snprintf(line, sizeof(line), "uacce_start_queue: dev=%s ",
		 self->sim.dev);
	ASSERT_NE(NULL, strstr(text, line));
	EXPECT_NE(NULL, strstr(strstr(text, line), " ret=-5"));
}

TEST_F(trace, debugfs_shows_the_queue_of_a_dead_process)
{
	struct peer peer;
	struct row rows[2];
	int fd;

	ASSERT_EQ(0, peer_start(&peer));
	fd = peer_open(&peer, &self->sim);
	ASSERT_GE(fd, 0);
	ASSERT_GE(peer_take_fd(&peer, fd), 0);
	ASSERT_EQ(0, peer_exit(&peer));

	ASSERT_EQ(1, read_rows(&self->sim, rows, 2));
	EXPECT_STREQ("zombie,dead", rows[0].state);
	EXPECT_EQ(peer.pid, rows[0].pid);
	EXPECT_STREQ("-", rows[0].comm);
}

TEST_HARNESS_MAIN
