#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# "make stress": random torture for ten minutes in each lane, or for UACCE_STRESS
# seconds. UACCE_SEED repeats what the workers of an earlier run did.

export LANES=${LANES:-sim vtd} UACCE_STRESS=${UACCE_STRESS:-600} TEST=stress_test
exec "$(dirname "$0")/check.sh"
