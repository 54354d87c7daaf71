# SPDX-License-Identifier: GPL-2.0-only
#
# UACCE in kernel layout: drivers/, include/, tools/ and Documentation/ drop
# into a kernel tree as they are. This file only starts the scripts that build,
# run and check them; see "make help".

vm := $(dir $(lastword $(MAKEFILE_LIST)))tools/testing/selftests/uacce/vm
export ALL FULL KSRC FILE TEST RUN KERNEL ACCEL KDIR LANES STEPS VTD QEMU QEMU_SRC MUTANT
export UACCE_SOAK UACCE_STRESS UACCE_SEED UACCE_FUZZ UACCE_NTH_STEP UACCE_NTH_FIRST UACCE_CELL_STEP UACCE_SMP

help:
	@$(vm)/help.sh

setup:
	@$(vm)/setup.sh && $(vm)/fetch.sh

update: setup
	@$(vm)/fetch.sh --newest

demo:
	@$(vm)/demo.sh

check:
	@$(vm)/check.sh

check-sim:
	@LANES=sim $(vm)/check.sh

check-vtd:
	@LANES=vtd $(vm)/check.sh

coverage:
	@$(vm)/coverage.sh

kcsan:
	@KERNEL=kcsan LANES=sim $(vm)/check.sh

stress:
	@$(vm)/stress.sh

soak:
	@$(vm)/soak.sh

torture:
	@$(vm)/torture.sh

mutants:
	@$(vm)/mutants.sh

static:
	@$(vm)/static.sh

vm:
	@$(vm)/shell.sh

modules:
	@$(vm)/modules.sh

clean:
	@$(vm)/clean.sh

.PHONY: help setup update demo check check-sim check-vtd coverage kcsan stress soak torture mutants static vm modules clean
