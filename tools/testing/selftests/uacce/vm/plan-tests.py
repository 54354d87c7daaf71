#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""
plan-tests.py DIRECTORY SECONDS MACHINES TIMES LANE [PATTERN]: say who runs what.

DIRECTORY holds the installed selftests and .programs, the list of them. Each
program that was built with the kselftest harness, which is one named *_test or
*_test_32, is asked for its tests, here on the host, so that a test which never shows
up in the guest is missed: it is an error if one cannot say. Writes
for each machine N, at most MACHINES, DIRECTORY/.plan.LANEN for the guest ("program
seconds arguments...") and DIRECTORY/.expected.LANEN for the report ("program test",
test "*" if a program cannot list them). The file TIMES says how long programs
took before, so that the machines end at about the same time. PATTERN takes the
programs, or the single tests, with that in their name; it may have wildcards.

Programs that say that they are of use in one lane only are left out of others, and so
are, unless FULL is in the environment, those that say it nearly is so;
DIRECTORY/.left-out.LANE says which and why. Those that want several processors, see
DIRECTORY/.in-parallel, share one machine more, if there is more than one, and with
UACCE_SMP all have several. DIRECTORY/.processors.LANEN has the number of a machine's.
"""

import fnmatch
import os
import re
import subprocess
import sys


def content(program):
    with open(program, "rb") as f:
        return f.read()


def asked_for(name):
    """As asked_for of lib.sh: is NAME set, and not to 0?"""
    return os.environ.get(name, "0") not in ("", "0")


def why_not(program, lane):
    """Some programs are for one lane, see ONLY_IN_LANE() in uacce_test.h, and some
    nearly so, see MOSTLY_IN_LANE(). None if this one is to run."""
    m = re.search(rb"@(only|mostly) in lane (\w+)@", content(program))
    if not m or m.group(2).decode() == lane:
        return None
    if m.group(1) == b"only":
        return "is not for this lane"
    return None if asked_for("FULL") else "is for this lane with FULL=1 only"


def is_parallel(program):
    """Some programs want several processors, see IN_PARALLEL in uacce_test.h."""
    return b"@in parallel@" in content(program)


def harness_tests(program):
    """The names of the tests of a harness program; None for another kind."""
    if not re.search(r"_test(_32)?$", program):
        return None
    try:
        listing = subprocess.run([program, "-l"], stderr=subprocess.PIPE, text=True,
                                 stdin=subprocess.DEVNULL, check=False).stderr
    except OSError as e:
        sys.exit(f"error: {program} cannot be asked for its tests: {e}")
    names = []
    fixture, variants, tests = None, [], []

    def flush():
        for v in variants or [""]:
            for t in tests:
                names.append(".".join(x for x in (fixture, v, t) if x))

    # columns of at least 20 and 25 characters: fixture, variant, test; the
    # two lists to the right run independently of each other
    for line in listing.splitlines():
        if line.startswith("#"):
            continue
        if line.startswith("-----"):
            flush()
            fixture, variants, tests = None, [], []
            continue
        if not line.startswith(" "):
            fixture = line.split(" ", 1)[0]
            rest = line[max(20, len(fixture)) + 1:]
        else:
            rest = line[21:]
        if rest[:1] != " ":
            variant = rest.split(" ", 1)[0]
            if variant:
                variants.append(variant)
            rest = rest[max(25, len(variant)) + 1:]
        if rest.strip():
            tests.append(rest.strip())
    flush()
    if not names:
        sys.exit(f"error: {program} -l lists no tests.")
    return names


def share(programs, machines, times):
    """Spread the programs: the longest first, each to who has least to do."""
    known = {}
    if os.path.exists(times):
        with open(times, encoding="utf-8") as f:
            known = {name: int(s) for name, s in (line.split() for line in f)}
    load = [0] * max(1, min(machines, len(programs)))
    parts = [[] for _ in load]
    for name in sorted(programs, key=lambda p: -known.get(p, 20)):
        least = load.index(min(load))
        load[least] += known.get(name, 20)
        parts[least].append(name)
    return [sorted(p, key=programs.index) for p in parts]


def machines_for(directory, lane, names, number, times):
    """Who runs what, and on how many processors"""
    parallel = [p for p in names if is_parallel(os.path.join(directory, p))]
    alone = [p for p in names if p not in parallel]
    # the other lane's machines cannot have more than one: see boot.sh
    if lane == "vtd" or asked_for("UACCE_SMP"):
        processors = 1 if lane == "vtd" else 2
        return [(part, processors) for part in share(names, number, times)]
    if number == 1:
        return [(names, 2 if parallel else 1)]
    parts = [(part, 1) for part in share(alone, number, times)] if alone else []
    return parts + ([(parallel, 2)] if parallel else [])


def main():
    directory, seconds, machines, times, lane = sys.argv[1:6]
    pattern = f"*{sys.argv[6]}*" if len(sys.argv) > 6 and sys.argv[6] else "*"
    plan, expected = {}, {}

    with open(os.path.join(directory, ".programs"), encoding="utf-8") as f:
        programs = f.read().split()
    reasons = {p: why_not(os.path.join(directory, p), lane) for p in programs}
    left_out = [p for p in programs if reasons[p]]
    with open(os.path.join(directory, f".left-out.{lane}"), "w", encoding="utf-8") as f:
        f.writelines(f"{p} {reasons[p]}\n" for p in left_out)
    with open(os.path.join(directory, ".in-parallel"), "w", encoding="utf-8") as f:
        f.writelines(f"{p}\n" for p in programs
                     if is_parallel(os.path.join(directory, p)))
    for name in programs:
        if name in left_out:
            continue
        tests = harness_tests(os.path.join(directory, name))
        arguments = []
        if not fnmatch.fnmatch(name, pattern):
            tests = fnmatch.filter(tests or [], pattern)
            if not tests:
                continue
            arguments = [a for t in tests for a in ("-r", t)]
        plan[name] = " ".join([name, seconds] + arguments)
        expected[name] = "\n".join(f"{name} {t}" for t in tests or ["*"])

    if not plan:
        sys.exit(f"error: no test program and no test matches {pattern}.")
    parts = machines_for(directory, lane, list(plan), int(machines), times)
    for n, (part, processors) in enumerate(parts, 1):
        with open(os.path.join(directory, f".processors.{lane}{n}"), "w",
                  encoding="utf-8") as f:
            f.write(f"{processors}\n")
        for name, lines in ((f".plan.{lane}{n}", plan), (f".expected.{lane}{n}", expected)):
            with open(os.path.join(directory, name), "w", encoding="utf-8") as f:
                f.write("\n".join(lines[p] for p in part) + "\n")


if __name__ == "__main__":
    main()
