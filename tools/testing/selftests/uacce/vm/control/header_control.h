/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/* Deliberately wrong: a header that needs another one and does not say so. */
struct uacce_header_control {
	__u64 addr;
};
