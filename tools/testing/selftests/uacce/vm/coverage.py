#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""
coverage.py DATA REASONS SOURCE: say how much of our code was executed.

DATA has a directory for each machine, in it the .gcda and .gcno files below
drivers/misc/uacce. Executed is what was executed in any of them. Prints a table of
the files, and each line that was not executed with the reason why, which REASONS
gives in lines of

    FILE: TEXT: REASON

FILE is below drivers/misc/uacce, TEXT a part of the line or the name of the
function, "*" all of the file. A line without a reason is one that a test should
reach. What depends on who comes first is executed in some runs only, so neither
that nor a reason without a line is a failure: less of a module than LIMITS says is.
"""

import collections
import glob
import json
import os
import subprocess
import sys

# percent of the lines of a module that are executed at least
LIMITS = {"core": 95, "sim": 85, "vaccel": 85}


def counts(directory):
    """{file: {line: [how often, function]}} of one machine"""
    found = collections.defaultdict(dict)
    for gcda in sorted(glob.glob(os.path.join(directory, "**/*.gcda"),
                                 recursive=True)):
        out = subprocess.run(["gcov", "--json-format", "--stdout",
                              os.path.basename(gcda)],
                             cwd=os.path.dirname(gcda), check=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for text in out.stdout.splitlines():
            for f in json.loads(text)["files"]:
                _, ours, name = f["file"].partition("drivers/misc/uacce/")
                if not ours or not name.endswith(".c"):
                    continue
                for line in f["lines"]:
                    old = found[name].get(line["line_number"], [0, ""])
                    found[name][line["line_number"]] = [
                        old[0] + line["count"],
                        line.get("function_name", old[1])]
    return found


def module(name):
    return name.split("/", 1)[0] if "/" in name else "core"


def read_reasons(path):
    reasons = []
    with open(path, encoding="utf-8") as f:
        for line in f:
            if line.strip() and not line.startswith("#"):
                reasons.append([x.strip() for x in line.split(": ", 2)])
    return reasons


def main():
    data, reasons, source = sys.argv[1], read_reasons(sys.argv[2]), sys.argv[3]
    total = collections.defaultdict(dict)
    for machine in sorted(glob.glob(os.path.join(data, "*/"))):
        for name, lines in counts(machine).items():
            for number, (count, function) in lines.items():
                old = total[name].get(number, [0, function])
                total[name][number] = [old[0] + count, function]
    if not total:
        sys.exit("coverage.py: there is nothing in " + data)

    sums = collections.defaultdict(lambda: [0, 0])
    unexplained, bad = 0, 0
    print("lines executed, by file:")
    for name in sorted(total, key=lambda n: (module(n) != "core", n)):
        executed = sum(1 for c, _ in total[name].values() if c)
        sums[module(name)][0] += executed
        sums[module(name)][1] += len(total[name])
        print("  %-28s %4d of %4d" % (name, executed, len(total[name])))

    print("lines not executed, and why:")
    for name in sorted(total, key=lambda n: (module(n) != "core", n)):
        with open(os.path.join(source, "drivers/misc/uacce", name),
                  encoding="utf-8") as f:
            text = f.read().splitlines()
        for number, (count, function) in sorted(total[name].items()):
            if count:
                continue
            line = text[number - 1].strip()
            why = [i for i, r in enumerate(reasons) if r[0] == name and
                   (r[1] in ("*", function) or r[1] in line)]
            unexplained += not why
            print("  %s:%d: %s\n        %s" % (
                name, number, line,
                reasons[why[0]][2] if why else "NO REASON: a test should reach it"))

    print("%d lines without a reason" % unexplained)
    for name, (executed, lines) in sorted(sums.items()):
        percent = 100.0 * executed / lines
        limit = LIMITS.get(name, 0)
        print("%-8s %5.1f %% of %d lines (wanted: %d %%)" % (
            name, percent, lines, limit))
        bad += percent < limit
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
