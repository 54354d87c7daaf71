#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
cat <<'END'
UACCE: accelerators that work on their user's own pointers.

  make demo                a virtual machine whose virtual accelerator compresses
                           a real file; FILE=path takes yours, leaves FILE.gz here
  make check               static checks and all selftests under a debug kernel;
                           TEST=pattern runs only the tests with that in their name,
                           FULL=1 also what is left out for want of time
  make check-sim           only the tests on the simulated accelerator
  make check-vtd           only those on PCI Express, behind an Intel IOMMU;
                           'make demo' and 'make vm' take VTD=1 for that one
  make stress              random torture, ten minutes in each lane; UACCE_STRESS=
                           seconds, UACCE_SEED=the number of an earlier run
  make soak                uacce-gzip, many at a time, some of them killed, for ten
                           minutes in each lane; UACCE_SOAK=seconds
  make kcsan               the tests on the simulated accelerator, on a kernel that
                           looks for data races
  make coverage            all tests, and which lines of ours they execute
  make torture             all of these that take long, and one table: hours;
                           STEPS="fuzz stress" runs only some
  make mutants             do the tests notice? each file in the selftests' mutants/
                           is a mistake in the core that some test must find;
                           MUTANT=pattern
  make static              only the static checks
  make vm                  a shell in the virtual machine, everything loaded;
                           RUN='command' runs that instead,
                           KERNEL=debug takes the debug kernel (tests in /tests)
  make modules             all modules for a kernel of yours: KDIR=its build
                           directory (default: the running kernel's, else the
                           one that "make check" built)
  make setup               only install packages and fetch the kernel source
  make update              look for a newer kernel source in Debian's suites
  make clean               remove what was built, not the sources of kernel and QEMU;
                           ALL=1 removes the whole cache

LANES="sim" or "vtd" chooses where there are two lanes. ACCEL=kvm has virtual machines
run on the processor itself, if their QEMU has that; the one of the lane vtd has not.
The kernel is the newest 7.x that Debian packages; KSRC=tree takes your own.
The accelerator on PCI Express is part of a QEMU that is built from Debian's source;
QEMU_SRC=tree takes a source tree of yours, QEMU=binary one that has the device.
Downloads and builds are kept in ${XDG_CACHE_HOME:-~/.cache}/uacce.
END
