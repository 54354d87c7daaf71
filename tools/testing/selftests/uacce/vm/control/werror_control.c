// SPDX-License-Identifier: GPL-2.0-only
/* Deliberately wrong: only W=1 warns of a constant that nobody uses. */
static const int uacce_never_used = 1;
