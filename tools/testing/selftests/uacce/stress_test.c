// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random torture: workers that do to their queues and their memory what they like,
 * are killed in the middle of it and replaced, on devices that come and go, fail
 * and are held up. See stress.h.
 *
 * UACCE_STRESS says for how many seconds, UACCE_SEED repeats what the workers do.
 */
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "uacce_test.h"
#include "carrier.h"
#include "stress.h"
#include "vq.h"

IN_PARALLEL;

#define DEFAULT_SECONDS	30

/* What hangs is found, and has a limit of its own. All of it takes what it takes. */
#define A_WEEK		(7 * 24 * 3600)

static const struct target_config {
	const char *name;
	struct sim_config sim;
	bool shaky;
} target_configs[N_TARGETS] = {
	[ROOMY] = { .name = "st_roomy", .sim = { .queues = 512 } },
	[TIGHT] = { .name = "st_tight", .sim = { .queues = 4, .pasid_bits = 2 } },
	[SHAKY] = {
		.name = "st_shaky", .sim = { .queues = 512 }, .shaky = true,
	},
	[SHAKY_NO_SVA] = {
		.name = "st_nosva", .sim = { .no_sva = true, .queues = 512 },
		.shaky = true,
	},
};

/* What an instance is made with: hardware has as many queues and PASIDs as it has */
static struct sim_config config_of(enum target_kind i)
{
	struct sim_config cfg = target_configs[i].sim;

	if (!sim_is_simulated()) {
		cfg.pasid_bits = 0;
		if (i != TIGHT)
			cfg.queues = 0;
	}
	return cfg;
}

static long seconds_of_test(void)
{
	const char *text = getenv("UACCE_STRESS");

	return text ? atol(text) : DEFAULT_SECONDS;
}

/* --- processes; each is an actor, too, with random numbers and a name */

static void role_init(struct actor *a, unsigned int number, const char *name)
{
	memset(a, 0, sizeof(*a));
	a->worker = number;
	a->op = name;
	a->rnd = stress->seed ^ (__u64)number << 32;
}

/* Sleeps for a while, but not beyond the end */
static void pause_ms(struct actor *a, unsigned int least, unsigned int most)
{
	long end = now_ms() + least + pick(a, most - least);

	while (now_ms() < end && !stress_over())
		nap();
}

static pid_t spawn(int (*fn)(unsigned int worker, unsigned int life),
		   unsigned int worker, unsigned int life)
{
	pid_t parent = getpid(), pid;

	fflush(NULL);
	pid = fork();
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	_exit(fn(worker, life) ? 1 : 0);
}

/* --- workers */

static void *thread_main(void *arg)
{
	struct actor *a = arg;

	while (!stress_over() && !actor_step(a))
		;
	return NULL;
}

static int worker_main(unsigned int worker, unsigned int life)
{
	static struct actor actors[THREADS];
	static struct common common;
	pthread_t threads[THREADS];
	unsigned int i;
	int ret = 0;

	for (i = 0; i < THREADS; i++) {
		actors[i].worker = worker;
		actors[i].life = life;
		actors[i].thread = i;
		actor_init(&actors[i], &common);
		actors[i].ep = epoll_create1(EPOLL_CLOEXEC);
		if (actors[i].ep < 0)
			return fail(&actors[i], "epoll_create1: errno %d", errno);
	}
	if (common_init(&actors[0], &common))
		return -1;

	for (i = 1; i < THREADS; i++) {
		ret = pthread_create(&threads[i], NULL, thread_main, &actors[i]);
		if (ret)
			return fail(&actors[i], "pthread_create: errno %d", ret);
	}
	thread_main(&actors[0]);
	for (i = 1; i < THREADS; i++)
		pthread_join(threads[i], NULL);

	/* Every other one leaves its queues to the kernel, with work in flight. */
	for (i = 0; i < THREADS; i++) {
		if (worker % 2 ? children_wait(&actors[i]) : actor_end(&actors[i]))
			ret = -1;
	}
	return ret;
}

/* --- what makes devices slow, or fail, or stand still */

/* The first one knows no delay */
static const char * const driver_points[] = {
	"bind", "get_queue", "put_queue", "start", "stop", "ioctl", "mmap",
};

/* Hardware has these too */
static const char * const device_points[] = { "engine", "dma", "page_response" };

static const char * const failing_points[N_FAILURES] = {
	[FAIL_BIND] = "bind",
	[FAIL_GET_QUEUE] = "get_queue",
	[FAIL_START] = "start",
	[FAIL_MMAP] = "mmap",
	[FAIL_PAGE_RESPONSE] = "page_response",
	[FAIL_ENGINE] = "engine",
};

static int order(struct actor *a, const struct target *t, const char *kind,
		 const char *point, const char *unit, unsigned int n)
{
	char attr[64];
	int ret;

	snprintf(attr, sizeof(attr), "inject/%s_%s%s", kind, point, unit);
	ret = sim_set(&t->sim, attr, n);
	/* It may be between two lives. */
	if (ret && !t->shaky)
		return fail(a, "%s of %s: errno %d", attr, t->sim.name, -ret);
	return 0;
}

static int order_for_a_while(struct actor *a, const struct target *t,
			     const char *kind, const char *point,
			     const char *unit, unsigned int n)
{
	if (order(a, t, kind, point, unit, n))
		return -1;
	pause_ms(a, 1, 60);
	return order(a, t, kind, point, unit, 0);
}

static int order_failure(struct actor *a, struct target *t)
{
	enum failure f = pick(a, N_FAILURES);
	int ret;

	count(&t->fails[f].begun);
	ret = order_for_a_while(a, t, "fail", failing_points[f], "",
				1 + pick(a, 3));
	/* What is on its way out takes no orders any more, but still obeys earlier ones. */
	if (wait_removed(a, t))
		ret = -1;
	count(&t->fails[f].ended);
	return ret;
}

static int inject(struct actor *a, struct target *t)
{
	bool simulated = sim_is_simulated();
	const char *point = device_points[pick(a, ARRAY_SIZE(device_points))];

	/*
	 * A function's registers may not be touched while somebody else has its
	 * driver bound or unbound.
	 */
	if (!simulated && t->shaky)
		return 0;
	stress_add(&stress->injections, 1);
	if (simulated && seldom(a, 2))
		point = driver_points[pick(a, ARRAY_SIZE(driver_points))];
	if (t->shaky && seldom(a, 2))
		return order_failure(a, t);
	if (simulated && point != driver_points[0] && seldom(a, 3))
		return order_for_a_while(a, t, "delay", point, "_ms",
					 1 + pick(a, 5));
	return order_for_a_while(a, t, "hold", point, "", 1 + pick(a, 3));
}

static int meddler_main(unsigned int number, unsigned int unused)
{
	struct target *t;
	struct actor a;

	role_init(&a, number, "inject");
	while (!stress_over()) {
		pause_ms(&a, 1, 60);
		a.nr++;
		t = &stress->targets[pick(&a, N_TARGETS)];
		if (t->present && inject(&a, t))
			return -1;
		/* Whatever counts events must be asked before it has too many. */
		if (!sim_is_simulated() && sim_stat(&stress->targets[TIGHT].sim,
						    "gets") < 0)
			return fail(&a, "events cannot be counted any more");
	}
	return 0;
}

static void release(const struct target *t, const char *point)
{
	char attr[64];

	snprintf(attr, sizeof(attr), "inject/hold_%s", point);
	sim_set(&t->sim, attr, 0);
}

/* Nobody is held any more, even if the meddler was killed */
static void release_all(const struct target *t)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(driver_points) && sim_is_simulated(); i++)
		release(t, driver_points[i]);
	for (i = 0; i < ARRAY_SIZE(device_points); i++)
		release(t, device_points[i]);
}

/* --- devices that come and go */

/* When the removal of a device is over there is nothing left of its users. */
static int check_removed(struct actor *a, const struct sim *sim)
{
	static const char * const pairs[][2] = {
		{ "binds", "unbinds" }, { "gets", "puts" }, { "starts", "stops" },
	};
	unsigned int i;
	long val;

	for (i = 0; i < ARRAY_SIZE(pairs); i++) {
		val = sim_stat(sim, pairs[i][0]);
		if (val < 0 || val != sim_stat(sim, pairs[i][1]))
			return fail(a, "%s is removed: %s %ld, %s %ld", sim->name,
				    pairs[i][0], val, pairs[i][1],
				    sim_stat(sim, pairs[i][1]));
	}
	for (i = 0; sim_never(i); i++) {
		val = sim_stat(sim, sim_never(i));
		if (val)
			return fail(a, "%s is removed: %s is %ld", sim->name,
				    sim_never(i), val);
	}
	return 0;
}

enum removal { BY_LIVE, BY_DRIVER, BY_RMDIR };

static int remove_device(struct actor *a, const struct sim *sim,
			 enum removal how, const char *parent)
{
	int ret;

	switch (how) {
	case BY_DRIVER:
		ret = sim_driver_write("unbind", parent);
		break;
	case BY_RMDIR:
		ret = sim_rmdir(sim);
		break;
	default:
		ret = sim_kill(sim);
	}
	if (ret)
		return fail(a, "removing %s: errno %d", sim->name, -ret);
	/* after rmdir nobody knows its counters any more */
	return how == BY_RMDIR ? 0 : check_removed(a, sim);
}

static int make_device(struct actor *a, enum target_kind i, enum removal how,
		       const char *parent)
{
	const struct target *t = &stress->targets[i];
	struct sim_config cfg = config_of(i);
	struct sim sim = t->sim;
	int ret;

	switch (how) {
	case BY_DRIVER:
		ret = sim_driver_write("bind", parent);
		break;
	case BY_RMDIR:
		ret = sim_create(&sim, target_configs[i].name, &cfg);
		break;
	default:
		ret = sim_go_live(&sim);
	}
	if (ret)
		return fail(a, "making %s: errno %d", t->sim.dev, -ret);
	if (strcmp(sim.dev, t->sim.dev))
		return fail(a, "%s comes back as %s", t->sim.dev, sim.dev);
	return 0;
}

static int churn(struct actor *a, enum target_kind i)
{
	struct target *t = &stress->targets[i];
	enum removal how = sim_is_simulated() ? pick(a, 3) : BY_LIVE;
	const char *point;
	unsigned int slow;
	char parent[64];
	int ret;

	ret = sim_gets(&t->sim, "parent", parent, sizeof(parent));
	if (ret < 0)
		return fail(a, "%s has no parent: errno %d", t->sim.dev, -ret);

	/* Somebody may be in there, and take his time */
	point = driver_points[1 + pick(a, ARRAY_SIZE(driver_points) - 1)];
	slow = sim_is_simulated() && seldom(a, 2) ? 1 + pick(a, 30) : 0;
	if (slow && order(a, t, "delay", point, "_ms", slow))
		return -1;
	pause_ms(a, slow ? 5 : 0, 20);
	count(&t->removing);
	if (remove_device(a, &t->sim, how, parent))
		return -1;
	count(&t->removed);
	if (slow && order(a, t, "delay", point, "_ms", 0))
		return -1;
	pause_ms(a, 1, 50);
	count(&t->making);
	if (make_device(a, i, how, parent))
		return -1;
	count(&t->made);
	stress_add(&stress->churns, 1);
	return 0;
}

static int churner_main(unsigned int number, unsigned int unused)
{
	enum target_kind i;
	struct actor a;

	role_init(&a, number, "churn");
	while (!stress_over()) {
		pause_ms(&a, 20, 600);
		i = seldom(&a, 3) ? SHAKY_NO_SVA : SHAKY;
		a.nr++;
		if (stress->targets[i].present && churn(&a, i))
			return -1;
	}
	return 0;
}

/* --- the one who has started them all */

#define CHURNER		WORKERS
#define MEDDLER		(WORKERS + 1)
#define PROCESSES	(WORKERS + 2)

/* @alone: no process is left, of ours or of those whose parents were killed */
struct master {
	struct actor a;
	pid_t pids[PROCESSES];
	unsigned int lives[WORKERS];
	bool alone;
};

static int master_start(struct master *m, unsigned int i)
{
	if (i == CHURNER)
		m->pids[i] = spawn(churner_main, i, 0);
	else if (i == MEDDLER)
		m->pids[i] = spawn(meddler_main, i, 0);
	else
		m->pids[i] = spawn(worker_main, i, m->lives[i]++);
	return m->pids[i] < 0 ? fail(&m->a, "fork: errno %d", errno) : 0;
}

/* One of ours that was not killed, or a child of one that was, has come to an end */
static int master_judge(struct master *m, pid_t pid, int status)
{
	unsigned int i;

	for (i = 0; i < PROCESSES && m->pids[i] != pid; i++)
		;
	if (i < PROCESSES)
		m->pids[i] = 0;
	if (i < PROCESSES && (!stress_over() || status))
		return fail(&m->a, "process %u ends with status %#x", i, status);
	if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
		return fail(&m->a, "a child dies of signal %d", WTERMSIG(status));
	return 0;
}

static int master_reap(struct master *m)
{
	int status, ret = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (master_judge(m, pid, status))
			ret = -1;
	}
	m->alone = pid < 0;
	return ret;
}

/* A process that is killed dies, whatever it is in */
static int master_kill(struct master *m, unsigned int i)
{
	long end = now_ms() + PATIENCE_MS;
	int status;

	kill(m->pids[i], SIGKILL);
	while (waitpid(m->pids[i], &status, WNOHANG) != m->pids[i]) {
		if (now_ms() > end)
			return fail(&m->a, "worker %u does not die, its threads are at %s and %s",
				    i, stress->now[i][0].op, stress->now[i][1].op);
		nap();
	}
	m->pids[i] = 0;
	stress_add(&stress->deaths, 1);
	return WIFSIGNALED(status) || stress_over() ? 0 :
	       fail(&m->a, "worker %u ends with status %#x", i, status);
}

static const char *where(unsigned int i, unsigned int thread)
{
	return i < WORKERS ? stress->now[i][thread].op : "its own work";
}

/* Everybody sees that it is over, and goes */
static void master_end(struct master *m)
{
	long end = now_ms() + PATIENCE_MS;
	unsigned int i;

	__atomic_store_n(&stress->stop, true, __ATOMIC_SEQ_CST);
	while (now_ms() < end) {
		master_reap(m);
		if (m->alone)
			return;
		nap();
	}
	for (i = 0; i < PROCESSES; i++) {
		if (m->pids[i])
			fail(&m->a, "process %u does not end, its threads are at %s and %s",
			     i, where(i, 0), where(i, 1));
	}
	fail(&m->a, "a child of a worker does not end");
}

/* A test in which nothing happens is none. Hardware has more than enough of all. */
static bool enough_happened(void)
{
	if (sim_is_simulated() && !(stress->no_queue && stress->no_pasid))
		return false;
	return stress->completed && stress->deaths && stress->churns;
}

static void master_run(struct master *m, long seconds)
{
	long end = now_ms() + seconds * 1000;
	unsigned int i;

	for (i = 0; i < PROCESSES; i++) {
		if (master_start(m, i))
			return;
	}
	while (!stress_over() && (now_ms() < end || !enough_happened())) {
		pause_ms(&m->a, 50, 1000);
		m->a.nr++;
		i = pick(&m->a, WORKERS);
		if (master_reap(m) || stress_over() || master_kill(m, i) ||
		    master_start(m, i))
			return;
	}
}

static void report(long seconds)
{
	unsigned long ops = 0;
	char kinds[600];
	unsigned int i;
	int n = 0;

	for (i = 0; op_name(i); i++) {
		ops += stress->ops[i];
		n += snprintf(kinds + n, sizeof(kinds) - n, " %s=%lu", op_name(i),
			      stress->ops[i]);
	}
	fprintf(stderr,
		"# stress: seed=%llu seconds=%ld ops=%lu submitted=%lu completed=%lu faults=%lu aborted=%lu verified=%lu children=%lu deaths=%lu churns=%lu dead_queues=%lu no_queue=%lu no_pasid=%lu injections=%lu\n# stress:%s\n",
		(unsigned long long)stress->seed, seconds, ops,
		stress->submitted, stress->completed, stress->faults,
		stress->aborted, stress->verified, stress->children,
		stress->deaths, stress->churns, stress->dead, stress->no_queue,
		stress->no_pasid, stress->injections, kinds);
}

FIXTURE(stress)
{
	struct stress s;
};

static bool setup_target(struct __test_metadata *_metadata, struct target *t,
			 enum target_kind i)
{
	struct sim_config cfg = config_of(i);

	if (!setup_sim(_metadata, &t->sim, target_configs[i].name, &cfg))
		return false;
	t->size[UACCE_QFRT_MMIO] = t->sim.mmio_size;
	t->size[UACCE_QFRT_DUS] = t->sim.dus_size;
	t->shaky = target_configs[i].shaky;
	t->few_pasids = cfg.pasid_bits;
	t->few_queues = cfg.queues < 512;
	t->making = 1;
	t->made = 1;
	t->present = true;
	return true;
}

/* There is no teardown after a setup that did not come to its end. */
static void remove_targets(unsigned int n)
{
	while (n--) {
		if (stress->targets[n].present)
			sim_destroy(&stress->targets[n].sim);
	}
}

FIXTURE_SETUP(stress)
{
	unsigned int i;

	stress = &self->s;
	stress->seed = random_seed();
	for (i = 0; i < N_TARGETS; i++) {
		/* Tests can count on no more than two functions with SVA. */
		if (i == ROOMY && !sim_is_simulated())
			continue;
		if (!setup_target(_metadata, &stress->targets[i], i)) {
			remove_targets(i);
			return;
		}
	}
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0,
				stress->post));
}

FIXTURE_TEARDOWN_PARENT(stress)
{
	unsigned int i;

	for (i = 0; i < N_TARGETS; i++) {
		if (self->s.targets[i].present)
			release_all(&self->s.targets[i]);
	}
	for (i = 0; i < N_TARGETS; i++) {
		if (self->s.targets[i].present)
			teardown_sim(_metadata, &self->s.targets[i].sim);
	}
}

TEST_F_TIMEOUT(stress, whatever_happens_the_answers_are_right, A_WEEK)
{
	long seconds = seconds_of_test();
	static struct master m;

	TH_LOG("UACCE_SEED=%llu", (unsigned long long)stress->seed);
	role_init(&m.a, PROCESSES, "master");
	master_run(&m, seconds);
	master_end(&m);
	report(seconds);
	EXPECT_FALSE(stress->failed) {
		TH_LOG("%s", stress->failure);
	}
}

TEST_HARNESS_MAIN
