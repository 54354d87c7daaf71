// SPDX-License-Identifier: GPL-2.0-only
/*
 * The accelerator of uacce-gzip: which one, how many queues, and what becomes
 * of us when it goes away.
 */
#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "gzip.h"
#include "uacce-sysfs.h"

/**
 * struct gz_accel - the device
 * @node: its name in /dev
 * @queue: its queues, @nr of them open
 * @inflight: descriptors of each that are not completed
 * @nr: queues that are open
 * @exhausted: asking for one more queue failed
 * @open: the device was found and opened
 * @failed: it was not, or it is broken
 * @gone: it went away while we used it
 * @requests: descriptors submitted
 */
struct gz_accel {
	char *node;
	struct vaccel_queue queue[GZ_MAX_QUEUES];
	unsigned int inflight[GZ_MAX_QUEUES];
	unsigned int nr;
	bool exhausted;
	bool open;
	bool failed;
	int gone;
	unsigned long requests;
};

static struct gz_accel accel;

static const char how_to_get_one[] =
	"The virtual accelerator needs no hardware: \"modprobe uacce_sim\" as root,\n"
	"or \"make vm\" in the source tree of uacce.";

/* Put plain memory where a region was; the device cannot come back to it */
static bool replace_region(void *region, size_t size, const char *addr)
{
	if (!region || addr < (char *)region || addr >= (char *)region + size)
		return false;
	return mmap(region, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		    0) != MAP_FAILED;
}

/*
 * When the device goes away, its regions raise SIGBUS. Let the access that did
 * it go on in plain memory, and remember: whatever it found there is not used,
 * and the error takes the ordinary way out.
 */
static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	struct vaccel_queue *q;
	unsigned int i;

	(void)context;
	/* one more than are open: that one may be on its way */
	for (i = 0; i <= accel.nr && i < GZ_MAX_QUEUES; i++) {
		q = &accel.queue[i];
		if (replace_region(q->mmio, q->mmio_size, info->si_addr) ||
		    replace_region(q->dus, q->dus_size, info->si_addr)) {
			__atomic_store_n(&accel.gone, 1, __ATOMIC_RELAXED);
			return;
		}
	}
	gz_output_cleanup();
	signal(sig, SIG_DFL);
}

static bool is_gone(const struct gz_accel *a)
{
	/* a signal handler writes it */
	return __atomic_load_n(&a->gone, __ATOMIC_RELAXED);
}

static void catch_sigbus(void)
{
	struct sigaction sa = {
		.sa_sigaction = on_sigbus,
		.sa_flags = SA_SIGINFO,
	};

	sigemptyset(&sa.sa_mask);
	sigaction(SIGBUS, &sa, NULL);
}

static bool usable(const struct uacce_sysfs *dev)
{
	return !strcmp(dev->api, VACCEL_API_VER) &&
	       (dev->flags & UACCE_DEV_SVA) && dev->isolate <= 0;
}

static void no_device(const struct uacce_sysfs_list *list)
{
	bool busy = false;
	size_t i;

	for (i = 0; i < list->nr; i++)
		busy |= usable(&list->dev[i]);
	if (!list->nr)
		gz_error(NULL, "no accelerator: this machine has no UACCE device\n%s",
			 how_to_get_one);
	else if (busy)
		gz_error(NULL, "no accelerator is free (see lsuacce)");
	else
		gz_error(NULL, "no accelerator with %s and SVA among %zu device(s)\n%s",
			 VACCEL_API_VER, list->nr, how_to_get_one);
}

/* Is there a device of UACCE behind that name? */
static bool is_accelerator(const char *node)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), UACCE_SYSFS_ROOT "/class/uacce/%s",
		 basename(node));
	return !access(path, F_OK);
}

static void explain_open(const char *node, int err)
{
	switch (err) {
	case -ENOENT:
	case -ENXIO:
		gz_error(node, "no such accelerator\n%s", how_to_get_one);
		break;
	case -ENODEV:
		if (is_accelerator(node))
			gz_error(node, "went away, or the IOMMU cannot use this machine's\n"
				 "page tables. If these have five levels, boot with \"no5lvl\".");
		else
			gz_error(node, "is no UACCE accelerator, or went away\n%s",
				 how_to_get_one);
		break;
	case -EINVAL:
		gz_error(node, "cannot work on a program's own memory: its PASID, ATS or\n"
			 "PRI could not be switched on. The kernel's log may say why.");
		break;
	case -EPROTONOSUPPORT:
		gz_error(node, "this device does not speak %s", VACCEL_API_VER);
		break;
	case -EBUSY:
		gz_error(node, "is busy: all its queues are in use, or it is being reset. Try\n"
			 "again later. (Or this process has LAM, which the IOMMU does not know.)");
		break;
	case -EAGAIN:
		gz_error(node, "is being reset, or suspended. Try again later.");
		break;
	case -ENOSPC:
		gz_error(node, "has no PASID that is free. Try again later.");
		break;
	case -EIO:
		gz_error(node, "does not work. If lsuacce says that it is ISOLATED, it has\n"
			 "failed, until root resets it: echo 1 >%s/class/uacce/%s/device/reset",
			 UACCE_SYSFS_ROOT, basename(node));
		break;
	default:
		gz_error(node, "cannot be opened: %s", strerror(-err));
	}
}

/* Open a first queue of a->node; 0 or a negative errno, and not a word */
static int open_first(struct gz_accel *a)
{
	int ret = vaccel_queue_open(&a->queue[0], a->node);

	if (ret && is_gone(a)) {
		/* another one may be there */
		__atomic_store_n(&a->gone, 0, __ATOMIC_RELAXED);
		ret = -ENODEV;
	}
	return ret;
}

/* The device with the most free queues */
static struct uacce_sysfs *find_best(const struct uacce_sysfs_list *list)
{
	struct uacce_sysfs *dev, *best = NULL;
	size_t i;

	for (i = 0; i < list->nr; i++) {
		dev = &list->dev[i];
		if (usable(dev) && dev->available &&
		    (!best || dev->available > best->available))
			best = dev;
	}
	return best;
}

/*
 * Open the best device that can be: one may have been given to others since we have
 * looked at sysfs, or be in a reset, or broken.
 */
static int open_best(struct gz_accel *a, struct uacce_sysfs_list *list)
{
	struct uacce_sysfs *dev, *first = NULL;
	int ret, err = 0;

	while ((dev = find_best(list))) {
		/* whatever comes of it, not again */
		dev->available = 0;
		free(a->node);
		if (asprintf(&a->node, "/dev/%s", dev->name) < 0) {
			a->node = NULL;
			gz_error(NULL, "out of memory");
			return -1;
		}
		ret = open_first(a);
		if (!ret)
			return 0;
		if (opt.verbose)
			gz_note("%s cannot be opened: %s", a->node, strerror(-ret));
		if (!first) {
			first = dev;
			err = ret;
		}
	}
	if (first)
		explain_open(first->name, err);
	else
		no_device(list);
	return -1;
}

static int open_any(struct gz_accel *a)
{
	struct uacce_sysfs_list list;
	int ret;

	ret = uacce_sysfs_scan(&list, UACCE_SYSFS_ROOT);
	if (ret) {
		gz_error(UACCE_SYSFS_ROOT "/class/uacce", "%s", strerror(-ret));
		return -1;
	}
	ret = open_best(a, &list);
	uacce_sysfs_free(&list);
	return ret;
}

static int open_named(struct gz_accel *a)
{
	int ret;

	a->node = strdup(opt.device);
	if (!a->node) {
		gz_error(opt.device, "out of memory");
		return -1;
	}
	ret = open_first(a);
	if (!ret)
		return 0;
	explain_open(a->node, ret);
	return -1;
}

static int open_device(struct gz_accel *a)
{
	struct vaccel_queue *q = &a->queue[0];

	catch_sigbus();
	if (opt.device ? open_named(a) : open_any(a))
		return -1;
	if (!(q->info.flags & UACCE_DEV_SVA)) {
		gz_error(a->node, "cannot work on a program's own memory (it has no SVA)");
		vaccel_queue_close(q);
		return -1;
	}
	a->nr = 1;
	return 0;
}

struct gz_accel *gz_accel_get(void)
{
	struct gz_accel *a = &accel;

	if (!a->open && !a->failed) {
		if (open_device(a))
			a->failed = true;
		else
			a->open = true;
	}
	return a->open && !a->failed ? a : NULL;
}

unsigned int gz_accel_queues(struct gz_accel *a, unsigned int want)
{
	int ret;

	while (a->nr < want && !a->exhausted) {
		ret = vaccel_queue_open(&a->queue[a->nr], a->node);
		if (!ret) {
			a->nr++;
			continue;
		}
		a->exhausted = true;
		if (opt.verbose)
			gz_note("%s: going on with %u of %u queues: %s",
				a->node, a->nr, opt.queues, strerror(-ret));
	}
	return a->nr < want ? a->nr : want;
}

static const char *queue_error(const struct vaccel_queue *q)
{
	switch (vaccel_queue_error(q)) {
	case VACCEL_QERR_SQ_TAIL:
	case VACCEL_QERR_CQ_HEAD:
		return "it found a ring index out of range";
	case VACCEL_QERR_DEVICE:
		return "the device failed or was reset";
	default:
		return "reason unknown";
	}
}

/* Something is wrong with the device or the queue, not with the data */
static int broken(struct gz_accel *a, unsigned int queue, int err,
		  const char *name)
{
	a->failed = true;
	if (is_gone(a) || err == -ENXIO) {
		gz_error(name, "the accelerator %s went away before it was done",
			 a->node);
	} else if (err == -EIO) {
		gz_error(name, "the accelerator %s stopped a queue: %s",
			 a->node, queue_error(&a->queue[queue]));
	} else {
		gz_error(name, "%s: %s", a->node, strerror(-err));
	}
	return -1;
}

int gz_accel_submit(struct gz_accel *a, unsigned int queue,
		    const struct vaccel_desc *d, const char *name)
{
	int ret;

	ret = vaccel_submit(&a->queue[queue], d);
	/* after any other error it is in the ring, and may be at work */
	if (ret != -EAGAIN) {
		a->inflight[queue]++;
		a->requests++;
	}
	if (ret || is_gone(a))
		return broken(a, queue, ret, name);
	return 0;
}

int gz_accel_wait(struct gz_accel *a, unsigned int queue,
		  struct vaccel_cqe *cqe, const char *name)
{
	int ret;

	ret = vaccel_wait(&a->queue[queue], cqe, -1);
	if (ret < 0 || is_gone(a))
		return broken(a, queue, ret, name);
	a->inflight[queue]--;
	return 0;
}

void gz_accel_explain(const struct gz_accel *a, const struct vaccel_cqe *cqe,
		      const char *name)
{
	unsigned int status = le32toh(cqe->status);
	unsigned long long addr = le64toh(cqe->result);

	switch (status) {
	case VACCEL_ST_FAULT_READ:
		gz_error(name, "%s could not read memory at %#llx", a->node,
			 addr);
		break;
	case VACCEL_ST_FAULT_WRITE:
		gz_error(name, "%s could not write memory at %#llx (out of memory?)",
			 a->node, addr);
		break;
	case VACCEL_ST_INTERNAL:
		gz_error(name, "%s ran out of resources", a->node);
		break;
	default:
		gz_error(name, "%s refused the work (status %u)", a->node,
			 status);
	}
}

void gz_accel_abort(struct gz_accel *a)
{
	unsigned int i;
	int ret;

	for (i = 0; i < a->nr; i++) {
		if (!a->inflight[i])
			continue;
		a->inflight[i] = 0;
		ret = vaccel_queue_stop(&a->queue[i]);
		if (!ret)
			ret = vaccel_queue_start(&a->queue[i]);
		if (!ret)
			continue;
		/*
		 * A dead queue cannot be stopped, and the engine may not have
		 * heard of its death yet. But close() waits for it, so that the
		 * buffers are ours again.
		 */
		a->failed = true;
		vaccel_queue_close(&a->queue[i]);
	}
}

bool gz_accel_failed(void)
{
	return accel.failed;
}

void gz_accel_close(void)
{
	struct gz_accel *a = &accel;
	unsigned long kicks = 0;
	unsigned int i;

	for (i = 0; i < a->nr; i++) {
		kicks += a->queue[i].kicks;
		vaccel_queue_close(&a->queue[i]);
	}
	if (a->open && opt.verbose)
		gz_note("%s: %lu requests on %u queue(s), engine woken %lu times",
			a->node, a->requests, a->nr, kicks);
	a->nr = 0;
	a->open = false;
	free(a->node);
	a->node = NULL;
}
