#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# "make soak": uacce-gzip, several at a time, some of them killed, for ten minutes in
# each lane, or for UACCE_SOAK seconds.

export LANES=${LANES:-sim vtd} UACCE_SOAK=${UACCE_SOAK:-600} TEST=tools_soak
exec "$(dirname "$0")/check.sh"
