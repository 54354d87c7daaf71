/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What carries the virtual accelerator that the tests run on. A test does not
 * know: it makes an instance, sets and reads attributes of it by name, opens
 * its device. The names are those that uacce_sim has in configfs.
 *
 *	configfs	instances of uacce_sim, as many as one likes
 *	PCI		functions that are plugged in, driven by uacce_vaccel
 *
 * All functions return a negative errno if they fail; -EOPNOTSUPP stands for
 * what this carrier cannot do by its nature.
 */
#ifndef SELFTESTS_UACCE_CARRIER_H
#define SELFTESTS_UACCE_CARRIER_H

#include <stdbool.h>
#include <stddef.h>

/**
 * struct carrier - one of them
 * @driver: directory of the driver in sysfs, with bind and unbind
 * @never: names of the counters of what must never happen, NULL at the end
 * @unavailable: loads what is needed; says why there can be no tests, or NULL
 * @make: makes instance @name, not live yet; without SVA if @no_sva
 * @remove: removes an instance, live or not
 * @set: sets an attribute
 * @gets: reads an attribute: its length
 * @crash: lets go whoever is held in the kernel; called in a signal handler
 */
struct carrier {
	const char *driver;
	const char * const *never;
	const char *(*unavailable)(void);
	int (*make)(const char *name, bool no_sva);
	int (*remove)(const char *name);
	int (*set)(const char *name, const char *attr, const char *val);
	int (*gets)(const char *name, const char *attr, char *buf, size_t len);
	void (*crash)(void);
};

extern const struct carrier carrier_configfs;
extern const struct carrier carrier_pci;

/* The one that the environment variable UACCE_CARRIER names: "sim" or "pci" */
const struct carrier *carrier(void);

/* Loads a module, if that can be done */
void load_module(const char *name);

#endif
