// SPDX-License-Identifier: GPL-2.0-only
/*
 * What can happen to a PCI function
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "pci.h"
#include "regs.h"
#include "sim.h"

#define PCI	"/sys/bus/pci"

static void pci_path(const char *name, const char *file, char *path, size_t len)
{
	snprintf(path, len, PCI "/devices/%s/%s", name, file);
}

static int pci_write(const char *name, const char *file, const char *val)
{
	char path[PATH_MAX];

	pci_path(name, file, path, sizeof(path));
	return write_file(path, val);
}

static bool pci_is_there(const char *name)
{
	char path[PATH_MAX];

	pci_path(name, "", path, sizeof(path));
	return !access(path, F_OK);
}

int pci_find(const struct sim *sim, struct pci_function *f)
{
	char path[PATH_MAX], real[PATH_MAX], *slash;
	int ret;

	ret = sim_gets(sim, "parent", f->name, sizeof(f->name));
	if (ret < 0)
		return ret;
	/* ...0000:00:04.0/0000:01:00.0 */
	pci_path(f->name, "..", path, sizeof(path));
	if (!realpath(path, real))
		return -errno;
	slash = strrchr(real, '/');
	snprintf(f->port, sizeof(f->port), "%.15s", slash + 1);
	return 0;
}

/* Two bytes of configuration space, changed */
static int pci_config(const char *name, unsigned int reg, uint16_t clear,
		      uint16_t set)
{
	char path[PATH_MAX];
	uint16_t val;
	int fd, ret = 0;

	pci_path(name, "config", path, sizeof(path));
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (pread(fd, &val, sizeof(val), reg) != sizeof(val)) {
		ret = -EIO;
	} else {
		val = (val & ~clear) | set;
		if (pwrite(fd, &val, sizeof(val), reg) != sizeof(val))
			ret = -EIO;
	}
	close(fd);
	return ret;
}

/* Is it there, and does it say so itself? What is gone says nothing but ones. */
static bool pci_answers(const char *name)
{
	uint32_t id = 0;
	char path[PATH_MAX];
	int fd;

	pci_path(name, "config", path, sizeof(path));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (pread(fd, &id, sizeof(id), PCI_VENDOR_ID) != sizeof(id))
		id = 0;
	close(fd);
	return id == (VACCEL_PCI_VENDOR | VACCEL_PCI_DEVICE << 16);
}

int pci_reset(const struct pci_function *f)
{
	return pci_write(f->name, "reset", "1");
}

int pci_power_cycle(const struct pci_function *f)
{
	int ret, after;

	ret = pci_write(f->name, "reset_method", "pm");
	if (ret)
		return ret;
	ret = pci_reset(f);
	/* what the kernel would take */
	after = pci_write(f->name, "reset_method", "default");
	return ret ? ret : after;
}

int pci_set_master(const struct pci_function *f, bool on)
{
	return pci_config(f->name, PCI_COMMAND, PCI_COMMAND_MASTER,
			  on ? PCI_COMMAND_MASTER : 0);
}

int pci_remove_function(const struct pci_function *f)
{
	return pci_write(f->name, "remove", "1");
}

int pci_wait_gone(const struct pci_function *f)
{
	long end = now_ms() + SIM_TIMEOUT_MS;

	while (pci_is_there(f->name)) {
		if (now_ms() > end)
			return -ETIMEDOUT;
		nap();
	}
	return 0;
}

/* Is the function an accelerator that can be opened? */
static bool pci_has_node(const char *name)
{
	char path[PATH_MAX], node[NAME_MAX + 6] = "";
	struct dirent *e;
	DIR *dir;

	pci_path(name, "uacce", path, sizeof(path));
	dir = opendir(path);
	if (!dir)
		return false;
	while ((e = readdir(dir))) {
		if (e->d_name[0] != '.')
			snprintf(node, sizeof(node), "/dev/%s", e->d_name);
	}
	closedir(dir);
	return !access(node, F_OK);
}

int pci_wait_back(const struct pci_function *f)
{
	long end = now_ms() + SIM_TIMEOUT_MS;

	while (!pci_has_node(f->name)) {
		if (now_ms() > end)
			return -ETIMEDOUT;
		nap();
	}
	return 0;
}

/* Does @slot belong to the bus and device of the function? */
static bool slot_is(const char *slot, const struct pci_function *f)
{
	char path[PATH_MAX], address[16];
	int n;

	snprintf(path, sizeof(path), PCI "/slots/%s/address", slot);
	n = read_file(path, address, sizeof(address));
	return n > 0 && !strncmp(address, f->name, n);
}

static void slot_switch_on(const struct pci_function *f)
{
	char path[PATH_MAX];
	struct dirent *e;
	DIR *dir;

	dir = opendir(PCI "/slots");
	if (!dir)
		return;
	while ((e = readdir(dir))) {
		if (e->d_name[0] == '.' || !slot_is(e->d_name, f))
			continue;
		snprintf(path, sizeof(path), PCI "/slots/%s/power", e->d_name);
		write_file(path, "1");
	}
	closedir(dir);
}

void pci_reset_bus(const struct pci_function *f)
{
	pci_config(f->port, PCI_BRIDGE_CONTROL, 0, PCI_BRIDGE_CTL_BUS_RESET);
	nap();
	pci_config(f->port, PCI_BRIDGE_CONTROL, PCI_BRIDGE_CTL_BUS_RESET, 0);
	nap();
}

/* Something that may help; one after the other, as often as there is time */
static void revive(const struct pci_function *f, unsigned int how)
{
	/* a function that does not answer has to go before it can come */
	if (pci_is_there(f->name))
		pci_remove_function(f);
	switch (how % 3) {
	case 1:
		pci_reset_bus(f);
		break;
	case 2:
		slot_switch_on(f);
		break;
	}
	write_file(PCI "/rescan", "1");
}

int pci_bring_back(const struct pci_function *f)
{
	long end = now_ms() + SIM_TIMEOUT_MS;
	unsigned int how = 0;

	while (!pci_answers(f->name)) {
		if (now_ms() > end)
			return -ETIMEDOUT;
		revive(f, how);
		/* it may need a while */
		if (how++ >= 2)
			usleep(100000);
	}
	return 0;
}
