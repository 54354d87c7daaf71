// SPDX-License-Identifier: GPL-2.0-only
/* Deliberately wrong: a check that does not flag this file did not run. */
#include <linux/compiler.h>

int uacce_sparse_control(const int __user *from);
int uacce_sparse_control(const int __user *from)
{
	return *from;
}
