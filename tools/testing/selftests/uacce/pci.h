/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What can happen to a PCI function, and what the user of its driver sees of it.
 *
 * What can fail returns a negative errno.
 */
#ifndef SELFTESTS_UACCE_PCI_H
#define SELFTESTS_UACCE_PCI_H

#include <stdbool.h>

struct sim;

struct pci_function {
	char name[16];	/* 0000:01:00.0 */
	char port[16];	/* the port that it is plugged in at */
};

/* Which function carries @sim */
int pci_find(const struct sim *sim, struct pci_function *f);

/* A function-level reset, as the administrator asks for it */
int pci_reset(const struct pci_function *f);
/* The same by way of D3hot, in which the function sends nothing, and back */
int pci_power_cycle(const struct pci_function *f);
/* Whether the function may access memory by itself, interrupts included */
int pci_set_master(const struct pci_function *f, bool on);

/* A reset of all that is below its port, of which the kernel knows nothing */
void pci_reset_bus(const struct pci_function *f);

/* Removes the function from the kernel's list of what there is */
int pci_remove_function(const struct pci_function *f);
/* Waits until it is no longer in that list */
int pci_wait_gone(const struct pci_function *f);
/* Waits until it is an accelerator again, without doing anything for it */
int pci_wait_back(const struct pci_function *f);
/*
 * Has the function in that list, whatever became of it: looks for it on the bus,
 * resets the bus, switches the slot on
 */
int pci_bring_back(const struct pci_function *f);

#endif
