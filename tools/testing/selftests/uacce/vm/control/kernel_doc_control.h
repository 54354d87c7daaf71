/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * uacce_kernel_doc_control() - Deliberately wrong: one parameter too few
 * @a: the only one that is described
 */
int uacce_kernel_doc_control(int a, int b);
