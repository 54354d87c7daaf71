// SPDX-License-Identifier: GPL-2.0-only
/*
 * Allocations that fail, one after the other.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#if __has_include("sys/rseq.h")
#include <sys/rseq.h>
#endif

#include "kselftest.h"
#include "nth.h"
#include "sim.h"
#include "tracer.h"

#define DEBUGFS		"/sys/kernel/debug/"
#define SLABS		"/sys/kernel/slab"
#define SELF		"/proc/thread-self/fail-nth"
#define INSTANCE	"ksft_fail_nth"

/* More than can happen in a call that is only to be counted */
#define COUNT_FROM	1000000000

/*
 * Rounds without a failure until a sweep is over: how much a call allocates is
 * not the same each time, as caches are filled and checks of the kernel come by.
 */
#define DRY_ROUNDS	3

static unsigned int positive(const char *name, int otherwise)
{
	const char *text = getenv(name);
	int n = text ? atoi(text) : otherwise;

	return n > 0 ? n : otherwise;
}

/*
 * In a hurry, with UACCE_NTH_STEP=4 in the environment, only every fourth of what
 * comes after the first twenty, or UACCE_NTH_FIRST, is made to fail.
 */
static unsigned int step(void)
{
	return positive("UACCE_NTH_STEP", 1);
}

static unsigned int first(void)
{
	return positive("UACCE_NTH_FIRST", 20);
}

/* Without the first there is nothing to test. */
static struct knob {
	const char *path;
	const char *val;
	bool needed;
	char saved[24];
} knobs[] = {
	{ .path = DEBUGFS "failslab/ignore-gfp-wait", .val = "N", .needed = true },
	{ .path = DEBUGFS "failslab/verbose", .val = "0" },
	{ .path = DEBUGFS "fail_page_alloc/ignore-gfp-wait", .val = "N" },
	{ .path = DEBUGFS "fail_page_alloc/ignore-gfp-highmem", .val = "N" },
	{ .path = DEBUGFS "fail_page_alloc/min-order", .val = "0" },
	{ .path = DEBUGFS "fail_page_alloc/verbose", .val = "0" },
	{ .path = DEBUGFS "fail_usercopy/verbose", .val = "0" },
	{ .path = DEBUGFS "fail_futex/verbose", .val = "0" },
};

/*
 * Caches of what keeps books on allocations. They fill up at any time, with many
 * allocations at once that nobody misses; when these come and go between the
 * rounds of a sweep, it runs past others.
 */
static bool keeps_books(const char *cache)
{
	return !strcmp(cache, "debug_objects_cache") ||
	       !strncmp(cache, "kmemleak_", 9);
}

/* Marks all other caches. False if one cannot be: then all are to fail. */
static bool mark_caches(const char *val)
{
	char path[PATH_MAX];
	struct dirent *e;
	bool all = true;
	DIR *dir;

	dir = opendir(SLABS);
	if (!dir)
		return false;
	while ((e = readdir(dir))) {
		if (e->d_name[0] == '.' || keeps_books(e->d_name))
			continue;
		snprintf(path, sizeof(path), SLABS "/%s/failslab", e->d_name);
		all &= !write_file(path, val);
	}
	closedir(dir);
	return all;
}

static bool filter_caches(void)
{
	bool marked = mark_caches("1");

	return !write_file(DEBUGFS "failslab/cache-filter", marked ? "Y" : "N");
}

/* When the program starts: the setup of a test is not its teardown's process. */
static __attribute__((constructor)) void save_knobs(void)
{
	struct knob *k;

	for (k = knobs; k < knobs + ARRAY_SIZE(knobs); k++) {
		if (read_file(k->path, k->saved, sizeof(k->saved)) < 0)
			k->saved[0] = '\0';
	}
}

/*
 * The kernel notes in the memory of a thread on which processor it runs, at any
 * time. If it cannot, as it has no page for that, it kills the thread.
 */
static void leave_rseq(void)
{
#ifdef RSEQ_SIG
	char *area = (char *)__builtin_thread_pointer() + __rseq_offset;
	unsigned int len;

	/* it has to be the length that the C library has given */
	for (len = 32; len <= 512; len += 4) {
		if (!syscall(SYS_rseq, area, len, RSEQ_FLAG_UNREGISTER,
			     RSEQ_SIG))
			break;
	}
#endif
}

const char *nth_prepare(void)
{
	struct knob *k;

	leave_rseq();
	if (access(SELF, W_OK))
		return "needs /proc/PID/fail-nth (CONFIG_FAULT_INJECTION)";

	for (k = knobs; k < knobs + ARRAY_SIZE(knobs); k++) {
		if (write_file(k->path, k->val) && k->needed)
			return "needs failslab in debugfs (CONFIG_FAILSLAB)";
	}
	if (!filter_caches())
		return "needs failslab in debugfs (CONFIG_FAILSLAB)";
	return nth_works() ? NULL : "no allocation fails when it is to";
}

void nth_restore(void)
{
	struct knob *k;

	write_file(DEBUGFS "failslab/cache-filter", "N");
	mark_caches("0");
	for (k = knobs; k < knobs + ARRAY_SIZE(knobs); k++) {
		if (k->saved[0])
			write_file(k->path, k->saved);
	}
}

bool nth_works(void)
{
	struct nth nth;
	bool failed = false;
	int fd;

	nth_begin(&nth);
	while (!failed && nth_next(&nth)) {
		nth_arm(&nth);
		fd = open("/proc/version", O_RDONLY | O_CLOEXEC);
		nth_disarm(&nth);
		failed = nth.hit && fd < 0;
		if (fd >= 0)
			close(fd);
	}
	close(nth.fd);
	return failed;
}

static void put_number(int fd, unsigned int n)
{
	char text[12];
	int len = snprintf(text, sizeof(text), "%u", n);

	/* where the kernel makes accesses to user memory fail, this one may */
	while (pwrite(fd, text, len, 0) != len) {
		if (errno != EFAULT) {
			perror("# " SELF);
			abort();
		}
	}
}

static int get_number(int fd)
{
	char text[12] = "";

	/* what made this fail was the failure that was still to come */
	if (pread(fd, text, sizeof(text) - 1, 0) < 0)
		return 1;
	return atoi(text);
}

static int open_self(void)
{
	int fd = open(SELF, O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		perror("# " SELF);
		abort();
	}
	return fd;
}

void nth_begin(struct nth *nth)
{
	memset(nth, 0, sizeof(*nth));
	nth->fd = open_self();
}

bool nth_next(struct nth *nth)
{
	if (nth->dry == DRY_ROUNDS || nth->n >= NTH_MAX) {
		close(nth->fd);
		nth->fd = -1;
		return false;
	}
	if (nth->injected < first() || nth->injected < nth->first)
		nth->n++;
	else
		nth->n += step();
	nth->hit = false;
	return true;
}

unsigned int nth_least(unsigned int all)
{
	return all <= first() ? all : first() + (all - first()) / step();
}

void nth_arm(const struct nth *nth)
{
	put_number(nth->fd, nth->n);
}

void nth_note(struct nth *nth, bool hit)
{
	nth->hit = hit;
	if (hit) {
		nth->injected++;
		nth->dry = 0;
	} else {
		nth->dry++;
	}
}

void nth_disarm(struct nth *nth)
{
	int saved = errno;

	nth_note(nth, get_number(nth->fd) == 0);
	put_number(nth->fd, 0);
	errno = saved;
}

void nth_count_begin(const struct nth *nth)
{
	put_number(nth->fd, COUNT_FROM);
}

unsigned int nth_count_end(const struct nth *nth)
{
	unsigned int left = get_number(nth->fd);

	put_number(nth->fd, 0);
	return COUNT_FROM - left;
}

void nth_arm_self(unsigned int n)
{
	put_number(open_self(), n);
}

bool nth_hit_of(pid_t pid)
{
	char path[40], text[12];

	snprintf(path, sizeof(path), "/proc/%d/fail-nth", pid);
	return read_file(path, text, sizeof(text)) > 0 && atoi(text) == 0;
}

bool nth_may_return(long err, const int *errors)
{
	while (*errors) {
		if (err == *errors++)
			return true;
	}
	/* kernels in which accesses to user memory fail on demand as well */
	return err == -EFAULT && !access("/sys/kernel/debug/fail_usercopy", F_OK);
}

static bool trace_add(const char *event, const char *filter)
{
	char file[80];

	if (!strncmp(event, "kmem/", 5)) {
		snprintf(file, sizeof(file), "events/%s/filter", event);
		if (tracer_set(INSTANCE, file, filter))
			return false;
	}
	snprintf(file, sizeof(file), "events/%s/enable", event);
	return !tracer_set(INSTANCE, file, "1");
}

bool trace_begin(const char * const *events, unsigned int n_events,
		 const char *filter)
{
	unsigned int i;

	tracer_remove(INSTANCE);
	if (tracer_make(INSTANCE) || trace_on(false) ||
	    tracer_set(INSTANCE, "buffer_size_kb", "8192"))
		goto none;
	for (i = 0; i < n_events; i++) {
		if (!trace_add(events[i], filter))
			goto none;
	}
	return true;
none:
	tracer_remove(INSTANCE);
	return false;
}

bool trace_stacks(const char *event, const char *filter)
{
	char file[80], trigger[80];

	snprintf(file, sizeof(file), "events/%s/trigger", event);
	snprintf(trigger, sizeof(trigger), "stacktrace if %s", filter);
	return !tracer_set(INSTANCE, file, trigger);
}

int trace_on(bool on)
{
	return tracer_set(INSTANCE, "tracing_on", on ? "1" : "0");
}

FILE *trace_open(void)
{
	return fopen(TRACER_INSTANCES "/" INSTANCE "/trace", "re");
}

int trace_end(void)
{
	return tracer_remove(INSTANCE);
}

bool trace_keeps_books(const char *line)
{
	static const char * const callers[] = {
		"fill_pool", "kmem_alloc_batch", "debug_object",
		"mem_pool_alloc", "kmemleak", "stack_depot", "kasan",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(callers); i++) {
		if (strstr(line, callers[i]))
			return true;
	}
	return false;
}
