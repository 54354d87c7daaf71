// SPDX-License-Identifier: GPL-2.0-only
/*
 * vaccel on PCI Express: an instance is a function that is plugged in, taken by
 * whoever made the instance, for as long as it has it. A file for each, below
 * CLAIMS, says which function that is, so that other processes find it.
 *
 * What happens to bonds and queues is counted by the tracepoints of the core, what
 * happens on the device by its diagnostics.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "kselftest.h"
#include "carrier.h"
#include "events.h"
#include "qemu/vaccel-diag.h"
#include "regs.h"
#include "sim.h"

#define PCI_DEVICES	"/sys/bus/pci/devices"
#define PCI_DRIVER	"/sys/bus/pci/drivers/uacce_vaccel"
#define CLAIMS		"/tmp/uacce-pci"

static const char *pci_unavailable(void)
{
	struct stat st;

	if (stat(PCI_DRIVER, &st))
		load_module("uacce_vaccel");
	if (stat(PCI_DRIVER, &st))
		return "module uacce_vaccel (CONFIG_UACCE_VACCEL) is not available";
	if (mkdir(CLAIMS, 0755) && errno != EEXIST)
		return "cannot write to /tmp";
	if (events_prepare())
		return "needs instances of the tracer (CONFIG_FTRACE)";
	return NULL;
}

/* --- functions */

static void function_path(const char *bdf, const char *file, char *buf,
			  size_t len)
{
	snprintf(buf, len, PCI_DEVICES "/%s/%s", bdf, file);
}

static long function_id(const char *bdf, const char *file)
{
	char path[PATH_MAX], text[32];

	function_path(bdf, file, path, sizeof(path));
	return read_file(path, text, sizeof(text)) < 0 ?
		-1 : strtol(text, NULL, 16);
}

static bool function_is_ours(const char *bdf)
{
	return function_id(bdf, "vendor") == VACCEL_PCI_VENDOR &&
	       function_id(bdf, "device") == VACCEL_PCI_DEVICE;
}

/* It has SVA if it has the capability PASID */
static bool function_has_sva(const char *bdf)
{
	unsigned int pos = 0x100, hops;
	uint32_t header = 0;
	char path[PATH_MAX];
	int fd;

	function_path(bdf, "config", path, sizeof(path));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	/* Not all of it at once: it comes word by word from the device. */
	for (hops = 0; pos && hops < 100; hops++) {
		if (pread(fd, &header, sizeof(header), pos) != sizeof(header) ||
		    PCI_EXT_CAP_ID(header) == PCI_EXT_CAP_ID_PASID)
			break;
		pos = PCI_EXT_CAP_NEXT(header);
	}
	close(fd);
	return PCI_EXT_CAP_ID(header) == PCI_EXT_CAP_ID_PASID;
}

static bool function_is_bound(const char *bdf)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), PCI_DRIVER "/%s", bdf);
	return !access(path, F_OK);
}

static int function_bind(const char *bdf, bool bind)
{
	char path[PATH_MAX];
	int ret;

	if (function_is_bound(bdf) == bind)
		return 0;
	snprintf(path, sizeof(path), PCI_DRIVER "/%s", bind ? "bind" : "unbind");
	ret = write_file(path, bdf);
	/* it is there, and the driver will not have it: no reason to skip tests */
	return ret == -ENODEV ? -EIO : ret;
}

/* An unbound function need not decode its memory. */
static int function_enable_memory(const char *bdf)
{
	uint16_t command;
	char path[PATH_MAX];
	int fd, ret = 0;

	function_path(bdf, "config", path, sizeof(path));
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (pread(fd, &command, 2, PCI_COMMAND) != 2) {
		ret = -EIO;
	} else if (!(command & PCI_COMMAND_MEMORY)) {
		command |= PCI_COMMAND_MEMORY;
		if (pwrite(fd, &command, 2, PCI_COMMAND) != 2)
			ret = -EIO;
	}
	close(fd);
	return ret;
}

#define REGS_SIZE	0x10000

/* BAR 0 of a function, as it is mapped into this process */
struct regs {
	ino_t ino;	/* of the file in sysfs: another one is another function */
	char *mem;
};

static int regs_map(struct regs *r, const char *bdf, ino_t ino)
{
	char path[PATH_MAX];
	int fd, ret;
	void *mem;

	ret = function_enable_memory(bdf);
	if (ret)
		return ret;
	function_path(bdf, "resource0", path, sizeof(path));
	fd = open(path, O_RDWR | O_CLOEXEC | O_SYNC);
	if (fd < 0)
		return -errno;
	mem = mmap(NULL, REGS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (mem == MAP_FAILED)
		return -errno;

	if (r->mem)
		munmap(r->mem, REGS_SIZE);
	r->mem = mem;
	r->ino = ino;
	return 0;
}

/*
 * One register of BAR 0. Counters are read all the time, and mapping them takes long
 * in an emulated machine: what was mapped once stays so, in each thread.
 */
static int function_reg(const char *bdf, unsigned int reg, uint32_t *val,
			bool write)
{
	static __thread struct regs known[4];
	static __thread unsigned int next;
	struct regs *r = NULL;
	char path[PATH_MAX];
	struct stat st;
	unsigned int i;
	uint32_t *p;
	int ret;

	function_path(bdf, "resource0", path, sizeof(path));
	if (stat(path, &st))
		return -errno;
	for (i = 0; i < ARRAY_SIZE(known) && !r; i++) {
		if (known[i].mem && known[i].ino == st.st_ino)
			r = &known[i];
	}
	if (!r) {
		r = &known[next++ % ARRAY_SIZE(known)];
		ret = regs_map(r, bdf, st.st_ino);
		if (ret)
			return ret;
	}

	p = (uint32_t *)(r->mem + reg);
	if (write)
		__atomic_store_n(p, *val, __ATOMIC_RELAXED);
	else
		*val = __atomic_load_n(p, __ATOMIC_RELAXED);
	return 0;
}

static int function_write(const char *bdf, unsigned int reg, uint32_t val)
{
	return function_reg(bdf, reg, &val, true);
}

/* --- claims: which function an instance has */

static void claim_path(const char *name, char *buf, size_t len)
{
	snprintf(buf, len, CLAIMS "/%s", name);
}

static int claim_read(const char *name, char *bdf, size_t len)
{
	char path[PATH_MAX];
	int ret;

	claim_path(name, path, sizeof(path));
	ret = read_file(path, bdf, len);
	return ret < 0 ? ret : 0;
}

static int make_file(const char *path, const char *text)
{
	int fd = creat(path, 0600);

	if (fd < 0)
		return -errno;
	close(fd);
	return write_file(path, text);
}

/* How many functions are claimed; is @bdf? */
static int claims(const char *bdf, bool *claimed)
{
	char other[NAME_MAX + 1];
	struct dirent *e;
	int n = 0;
	DIR *dir;

	*claimed = false;
	dir = opendir(CLAIMS);
	if (!dir)
		return -errno;
	while ((e = readdir(dir))) {
		if (e->d_name[0] == '.' ||
		    claim_read(e->d_name, other, sizeof(other)))
			continue;
		n++;
		if (!strcmp(other, bdf))
			*claimed = true;
	}
	closedir(dir);
	return n;
}

static int find_function(bool sva, char *bdf, size_t len)
{
	int ret = -ENODEV;
	struct dirent *e;
	bool claimed;
	DIR *dir;

	dir = opendir(PCI_DEVICES);
	if (!dir)
		return -errno;
	while (ret == -ENODEV && (e = readdir(dir))) {
		if (e->d_name[0] == '.' || !function_is_ours(e->d_name) ||
		    function_has_sva(e->d_name) != sva)
			continue;
		if (claims(e->d_name, &claimed) < 0 || claimed)
			continue;
		snprintf(bdf, len, "%s", e->d_name);
		ret = 0;
	}
	closedir(dir);
	return ret;
}

/*
 * Tracing goes on until the end of the program that removed the last instance: to
 * switch it on and off for each test would take longer than the test. Tests are
 * children that leave with _exit(), which does not come by here.
 */
static __attribute__((destructor)) void end_tracing(void)
{
	bool claimed;

	if (!claims("", &claimed))
		events_end();
}

static int pci_remove(const char *name)
{
	char path[PATH_MAX], bdf[NAME_MAX + 1];
	int ret;

	ret = claim_read(name, bdf, sizeof(bdf));
	if (ret)
		return ret;
	ret = function_bind(bdf, false);
	if (ret)
		return ret;
	claim_path(name, path, sizeof(path));
	return unlink(path) ? -errno : 0;
}

static int pci_make(const char *name, bool no_sva)
{
	char path[PATH_MAX], bdf[NAME_MAX + 1];
	bool claimed;
	int ret;

	/* of a test that was killed */
	ret = pci_remove(name);
	if (ret && ret != -ENOENT)
		return ret;
	ret = find_function(!no_sva, bdf, sizeof(bdf));
	if (ret)
		return ret;
	/* Counting begins with the first of the instances that a test has. */
	ret = claims(bdf, &claimed);
	if (!ret)
		ret = events_begin(CLAIMS);
	if (ret < 0)
		return ret;

	ret = function_bind(bdf, false);
	if (!ret)
		ret = function_write(bdf, VACCEL_DIAG_ACTION,
				     VACCEL_DIAG_CLEAR);
	if (ret)
		return ret;

	claim_path(name, path, sizeof(path));
	return make_file(path, bdf);
}

/* --- attributes */

/* Attributes that are a register of the device */
static const struct {
	const char *attr;
	unsigned int reg;
	bool writable;
} regs[] = {
	{ "queues", VACCEL_DIAG_LIMIT, true },
	{ "stats/dma_stopped", VACCEL_DIAG_DMA_STOPPED, false },
	{ "stats/dma_retired", VACCEL_DIAG_DMA_RETIRED, false },
	{ "stats/dma_stale", VACCEL_DIAG_DMA_STALE, false },
	{ "stats/device_running", VACCEL_DIAG_RUNNING, false },
	{ "stats/device_starts", VACCEL_DIAG_STARTS, false },
	{ "stats/device_resets", VACCEL_DIAG_RESETS, false },
	{ "stats/descriptors", VACCEL_DIAG_DESCRIPTORS, false },
	{ "stats/completions", VACCEL_DIAG_COMPLETIONS, false },
	{ "stats/errors", VACCEL_DIAG_ERRORS, false },
	{ "stats/queue_errors", VACCEL_DIAG_QUEUE_ERRORS, false },
	{ "stats/translations", VACCEL_DIAG_TRANSLATIONS, false },
	{ "stats/page_faults", VACCEL_DIAG_PAGE_REQUESTS, false },
	{ "stats/page_faults_failed", VACCEL_DIAG_PAGE_REFUSED, false },
	{ "stats/page_no_room", VACCEL_DIAG_PAGE_NO_ROOM, false },
	{ "stats/page_retries", VACCEL_DIAG_PAGE_RETRIES, false },
	{ "stats/page_in_flight", VACCEL_DIAG_PAGE_IN_FLIGHT, false },
	{ "stats/page_most", VACCEL_DIAG_PAGE_MOST, false },
	{ "stats/invalidations", VACCEL_DIAG_INVALIDATIONS, false },
	{ "stats/in_vain", VACCEL_DIAG_IN_VAIN, false },
	{ "inject/action", VACCEL_DIAG_ACTION, true },
};

/* Points of the device */
static const struct {
	const char *name;
	unsigned int point;
} points[] = {
	{ "engine", VACCEL_DIAG_ENGINE },
	{ "dma", VACCEL_DIAG_DMA },
	{ "page_request", VACCEL_DIAG_REQUEST },
	{ "page_response", VACCEL_DIAG_PAGE },
	{ "device_stop", VACCEL_DIAG_STOP },
	{ "device_reset", VACCEL_DIAG_RESET },
};

static int attr_reg(const char *attr, bool write, unsigned int *reg)
{
	unsigned int i;
	bool hold;

	for (i = 0; i < ARRAY_SIZE(regs); i++) {
		if (!strcmp(attr, regs[i].attr) &&
		    (!write || regs[i].writable)) {
			*reg = regs[i].reg;
			return 0;
		}
	}

	hold = !strncmp(attr, "inject/hold_", 12);
	if (!hold && strncmp(attr, "inject/fail_", 12))
		return -EOPNOTSUPP;
	for (i = 0; i < ARRAY_SIZE(points); i++) {
		if (strcmp(attr + 12, points[i].name))
			continue;
		if (!hold)
			*reg = VACCEL_DIAG_FAIL(points[i].point);
		else if (write)
			*reg = VACCEL_DIAG_HOLD(points[i].point);
		else	/* as in configfs, what is read is who is held now */
			*reg = VACCEL_DIAG_HELD(points[i].point);
		return 0;
	}
	return -EOPNOTSUPP;
}

static int pci_set(const char *name, const char *attr, const char *val)
{
	unsigned int reg;
	char bdf[NAME_MAX + 1];
	int ret;

	ret = claim_read(name, bdf, sizeof(bdf));
	if (ret)
		return ret;
	if (!strcmp(attr, "live"))
		return function_bind(bdf, atoi(val));
	ret = attr_reg(attr, true, &reg);
	return ret ?: function_write(bdf, reg, strtol(val, NULL, 10));
}

/* The name of the device, empty if it has none */
static int pci_dev_name(const char *bdf, char *buf, size_t len)
{
	struct dirent *e;
	char path[PATH_MAX];
	DIR *dir;

	buf[0] = '\0';
	function_path(bdf, "uacce", path, sizeof(path));
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((e = readdir(dir))) {
		if (e->d_name[0] != '.')
			snprintf(buf, len, "%s", e->d_name);
	}
	closedir(dir);
	return strlen(buf);
}

static bool device_exists(const char *bdf, const char *dev)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/uacce/%s", bdf, dev);
	return !access(path, F_OK);
}

/*
 * The name is not there any more when the device was unbound; the counters are.
 * So it is noted, beside the claim, when it is first asked for.
 */
static int pci_noted_name(const char *name, const char *bdf, char *dev,
			  size_t len)
{
	char path[PATH_MAX], noted[64];
	int n, ret;

	snprintf(path, sizeof(path), CLAIMS "/.dev-%s", name);
	n = read_file(path, noted, sizeof(noted));
	if (n <= 0 || !device_exists(bdf, noted)) {
		ret = pci_dev_name(bdf, dev, len);
		if (ret > 0)
			return make_file(path, dev) ?: ret;
		if (ret < 0)
			return ret;
	}
	if (n < 0)
		return n == -ENOENT ? 0 : n;
	return snprintf(dev, len, "%s", noted);
}

/* Attributes that are a number of events, less that of others */
static const struct {
	const char *attr;
	enum event event, minus;
} events[] = {
	{ "stats/binds", EVENT_BIND, N_EVENTS },
	{ "stats/unbinds", EVENT_UNBIND, N_EVENTS },
	{ "stats/pasids", EVENT_BIND, EVENT_UNBIND },
	{ "stats/gets", EVENT_GET_QUEUE, N_EVENTS },
	{ "stats/puts", EVENT_PUT_QUEUE, N_EVENTS },
	{ "stats/queues", EVENT_GET_QUEUE, EVENT_PUT_QUEUE },
	{ "stats/starts", EVENT_START_QUEUE, N_EVENTS },
	{ "stats/stops", EVENT_STOP_QUEUE, N_EVENTS },
	{ "stats/running", EVENT_START_QUEUE, EVENT_STOP_QUEUE },
};

static int pci_event(const char *name, const char *bdf, unsigned int i, char *buf,
		     size_t len)
{
	char dev[64];
	long n;
	int ret;

	ret = pci_noted_name(name, bdf, dev, sizeof(dev));
	if (ret < 0)
		return ret;
	n = event_count(CLAIMS, dev, events[i].event, events[i].minus);
	return n < 0 ? n : snprintf(buf, len, "%ld", n);
}

static int pci_gets(const char *name, const char *attr, char *buf, size_t len)
{
	char bdf[NAME_MAX + 1], dev[64];
	unsigned int i, reg;
	uint32_t val;
	int ret;

	ret = claim_read(name, bdf, sizeof(bdf));
	if (ret)
		return ret;
	if (!strcmp(attr, "parent"))
		return snprintf(buf, len, "%s", bdf);
	if (!strcmp(attr, "live"))
		return snprintf(buf, len, "%d", function_is_bound(bdf));
	if (!strcmp(attr, "dev_name")) {
		ret = pci_noted_name(name, bdf, dev, sizeof(dev));
		return ret < 0 ? ret : pci_dev_name(bdf, buf, len);
	}

	for (i = 0; i < ARRAY_SIZE(events); i++) {
		if (!strcmp(attr, events[i].attr))
			return pci_event(name, bdf, i, buf, len);
	}

	ret = attr_reg(attr, false, &reg);
	if (!ret)
		ret = function_reg(bdf, reg, &val, false);
	return ret ?: snprintf(buf, len, "%u", val);
}

/* Nobody is held in the kernel here, only the device. */
static void pci_crash(void)
{
}

static const char * const pci_never[] = {
	"dma_stopped", "dma_retired", "dma_stale", NULL
};

const struct carrier carrier_pci = {
	.driver = PCI_DRIVER,
	.never = pci_never,
	.unavailable = pci_unavailable,
	.make = pci_make,
	.remove = pci_remove,
	.set = pci_set,
	.gets = pci_gets,
	.crash = pci_crash,
};
