#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""
coverage.py DATA REASONS SOURCE [LANE=WHY...]: say how much of our code was executed.

DATA has a directory for each machine, in it the .gcno files below drivers/misc/uacce,
and the .gcda files of what the machine had loaded. Executed is what was executed in
any of them. Prints a table of the files, and each line that was not executed with the
reason why, which REASONS gives in lines of

    FILE: FUNCTION: TEXT: REASON

FILE is below drivers/misc/uacce, TEXT a part of a line of the function, "*" all of it.
If there are others like it in the function, "LINE / TEXT" is the one whose line before
has the part LINE. "as above" is the REASON of the entry before.

What is wrong: a line that was not executed and has no reason, which is one that a
test should reach; an entry that fits no line, or several, of the source; a file that
no machine has data of; less of a module than LIMITS says. An entry whose lines were
executed is right: what depends on who comes first is, in some runs. LANE was not run;
what only it executes is left out, and WHY is said.
"""

import collections
import glob
import json
import os
import subprocess
import sys

OURS = "drivers/misc/uacce/"

# percent of the lines of a module that are executed at least
LIMITS = {"core": 95, "sim": 85, "vaccel": 85}

# what is executed in one lane only
LANES = {"sim": "sim", "vaccel": "vtd"}

Reason = collections.namedtuple("Reason", "file function text why")


class File:
    """What all machines together say of a file"""

    def __init__(self, path):
        with open(path, encoding="utf-8") as f:
            self.text = [line.strip() for line in f]
        self.counts = collections.Counter()     # of the lines that have code
        self.functions = {}                     # name: the numbers of its lines
        self.has_data = False

    def lines(self, reason):
        """The numbers of the lines that it is about"""
        numbers = self.functions.get(reason.function, ())
        if reason.text == "*":
            return list(numbers)
        before, _, text = reason.text.rpartition(" / ")
        return [n for n in numbers
                if text in self.text[n - 1] and before in self.text[n - 2]]


def gcov(gcno):
    """What gcov says of an object; without a .gcda that none of it was executed"""
    out = subprocess.run(["gcov", "--json-format", "--stdout", os.path.basename(gcno)],
                         cwd=os.path.dirname(gcno), check=False, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    # notes of another build, above all, which it takes for lines not executed
    if out.returncode or (out.stderr and os.path.exists(gcno[:-4] + "gcda")):
        sys.exit(f"coverage.py: {gcno}: gcov says: {out.stderr}")
    for text in out.stdout.splitlines():
        yield from json.loads(text)["files"]


def add(files, machine):
    """Add what one machine executed; complain if that is nothing at all"""
    found = 0
    for gcno in glob.glob(os.path.join(machine, "**/*.gcno"), recursive=True):
        name = os.path.relpath(gcno, machine)[:-4]
        if os.path.exists(os.path.join(machine, name + "gcda")):
            found += 1
            if name + "c" in files:
                files[name + "c"].has_data = True
        for f in gcov(gcno):
            ours = files.get(f["file"].partition(OURS)[2])
            if not ours:
                continue
            for line in f["lines"]:
                ours.counts[line["line_number"]] += line["count"]
            for function in f["functions"]:
                ours.functions[function["name"]] = range(
                    function["start_line"], function["end_line"] + 1)
    if not found:
        sys.exit("coverage.py: there is no data in " + machine)


def module(name):
    return name.split("/", 1)[0] if "/" in name else "core"


def read_reasons(path):
    reasons = []
    with open(path, encoding="utf-8") as f:
        for line in f:
            if not line.strip() or line.startswith("#"):
                continue
            words = [x.strip() for x in line.split(": ", 3)]
            if len(words) < 4:
                sys.exit(f"coverage.py: {path} has a line that is no entry: {line}")
            if words[3] == "as above":
                words[3] = reasons[-1].why
            reasons.append(Reason(*words))
    return reasons


def read_sources(source):
    directory = os.path.join(source, OURS)
    names = [os.path.relpath(path, directory) for path in
             glob.glob(os.path.join(directory, "**/*.c"), recursive=True)]
    return {name: File(os.path.join(directory, name))
            for name in sorted(names, key=lambda n: (module(n) != "core", n))}


def show_files(files):
    """How much of each; the names of those that nobody has data of"""
    print("lines executed, by file:")
    for name, f in files.items():
        executed = sum(1 for c in f.counts.values() if c)
        print("  %-28s %4d of %4d" % (name, executed, len(f.counts)))
    return [name for name, f in files.items() if not f.has_data]


def show_lines(files, reasons):
    """What was not executed; how many lines of that have no reason"""
    why = {(r.file, n): r.why for r in reversed(reasons) if r.file in files
           for n in files[r.file].lines(r)}
    unexplained = 0
    print("lines not executed, and why:")
    for name, f in files.items():
        for number in sorted(n for n, count in f.counts.items() if not count):
            reason = why.get((name, number))
            unexplained += not reason
            print("  %s:%d: %s\n        %s" % (
                name, number, f.text[number - 1],
                reason or "NO REASON: a test should reach it"))
    return unexplained


def wrong_reasons(files, reasons):
    """Entries that do not say which line they are about"""
    for r in reasons:
        lines = files[r.file].lines(r) if r.file in files else []
        if not lines or (len(lines) > 1 and r.text != "*"):
            yield "%s: %s: %s fits %s" % (
                r.file, r.function, r.text,
                "the lines " + ", ".join(map(str, lines)) if lines else "no line")


def show_modules(files, skipped):
    """How much of each module; how many of them have too little"""
    bad = 0
    for name in sorted({module(f) for f in files} | set(LIMITS)):
        if name in skipped:
            print("coverage of %-8s skipped: %s" % (name + ":", skipped[name]))
            continue
        counts = [c for n, f in files.items() if module(n) == name
                  for c in f.counts.values()]
        percent = 100.0 * sum(1 for c in counts if c) / (len(counts) or 1)
        # one that nobody thought of
        limit = LIMITS.get(name, 100)
        print("coverage of %-8s %5.1f %% of %d lines (wanted: %d %%)" % (
            name + ":", percent, len(counts), limit))
        bad += percent < limit
    return bad


def main():
    data, reasons, source = sys.argv[1], read_reasons(sys.argv[2]), sys.argv[3]
    why = dict(word.split("=", 1) for word in sys.argv[4:])
    skipped = {m: f"the lane {lane} was not run: {why[lane]}"
               for m, lane in LANES.items() if lane in why}
    files = read_sources(source)
    machines = sorted(glob.glob(os.path.join(data, "*/")))
    if not machines:
        sys.exit("coverage.py: there is nothing in " + data)
    for machine in machines:
        add(files, machine)
    wrong = list(wrong_reasons(files, reasons))

    for name in [n for n in files if module(n) in skipped]:
        del files[name]
    missing = show_files(files)
    unexplained = show_lines(files, reasons)
    for name in missing:
        print(f"NO DATA: no machine counted what it executed of {name}")
    for text in wrong:
        print(f"WRONG REASON: {text}")
    bad = show_modules(files, skipped)
    print(f"coverage: {unexplained} lines without a reason, {len(wrong)} wrong reasons,"
          f" {len(missing)} files without data")
    sys.exit(1 if bad or unexplained or wrong or missing else 0)


if __name__ == "__main__":
    main()
