/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of lsuacce share.
 */
#ifndef LSUACCE_H
#define LSUACCE_H

#include "uacce-sysfs.h"

/* Take one flag out of @flags and return its name, NULL if none is left */
const char *next_flag_word(unsigned int *flags);

/* lsuacce-json.c */
int print_json(const struct uacce_sysfs_list *list);

#endif /* LSUACCE_H */
