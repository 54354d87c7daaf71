#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""
Shows report.py what can go wrong in the guest, one thing at a time, and sees
that it counts a failure for each, and none for a run in which all is well.
"""

import os
import subprocess
import sys
import tempfile

EXPECTED = "a_test f.one\na_test f.two\ns.sh *\n"
GOOD = """ok 1 lockdep is on
@@ start a_test
TAP version 13
1..2
#  RUN           f.one ...
ok 1 f.one
ok 2 f.two # SKIP no such device
# Totals: pass:1 fail:0 xfail:0 xpass:0 skip:1 error:0
@@ end a_test 0 3
@@ start s.sh
1..1
ok 1 - it works
@@ end s.sh 0 1
ok 2 nothing leaked
@@ done 2
"""

# what is wrong, and how to get it from the good run: replace first by second
BAD = {
    "a failed test": ("ok 1 f.one", "not ok 1 f.one"),
    "a failed check of the machine": ("ok 2 nothing", "not ok 2 nothing"),
    "a test without a result": ("ok 1 f.one\n", ""),
    "a test that ran twice": ("ok 2 f.two # SKIP no such device", "ok 2 f.one"),
    "a test with another name": ("ok 1 f.one", "ok 1 f.three"),
    "a program without a plan": ("1..2\n", ""),
    "a plan that is too short": ("1..2\n", "1..1\n"),
    "a script without a result": ("ok 1 - it works\n", ""),
    "a script that announces nothing": ("1..1\nok 1 - it works\n", "1..0\n"),
    "a program that crashed": ("@@ end a_test 0", "@@ end a_test 139"),
    "a program that hung": ("@@ end a_test 0", "@@ end a_test timeout"),
    "a program that never ran": ("@@ start s.sh\n1..1\nok 1 - it works\n@@ end s.sh 0 1\n", ""),
    "a guest that died between programs": (GOOD[GOOD.index("@@ start s.sh"):], ""),
    "a guest that died in a program": (GOOD[GOOD.index("ok 2 f.two"):], ""),
    "a guest that died at the end": ("@@ done 2\n", ""),
    "a check of the machine that is missing": ("ok 2 nothing leaked\n", ""),
    "a guest that never said anything": (GOOD, ""),
}


def counts(text, *options):
    """Run report.py on the text; the numbers of passes, failures and skips."""
    with tempfile.TemporaryDirectory() as d:
        expected, result = os.path.join(d, "expected"), os.path.join(d, "counts")
        with open(expected, "w", encoding="utf-8") as f:
            f.write(EXPECTED)
        report = os.path.join(os.path.dirname(os.path.abspath(__file__)), "report.py")
        subprocess.run([sys.executable, report, *options, expected, result, "1"], input=text, text=True,
                       stdout=subprocess.DEVNULL, check=True)
        with open(result, encoding="utf-8") as f:
            words = [line.split()[0] for line in f]
    return tuple(words.count(w) for w in ("pass", "fail", "skip"))


def main():
    wrong = []
    if counts(GOOD) != (4, 0, 1):
        wrong.append(f"a good run: {counts(GOOD)} instead of (4, 0, 1)")
    if counts(GOOD, "--first") != (4, 0, 1):
        wrong.append(f"a good run with --first: {counts(GOOD, '--first')}")
    if counts(GOOD.replace("ok 1 f.one", "not ok 1 f.one"), "--first") != (1, 1, 0):
        wrong.append("--first does not end with the first failure")
    for name, (old, new) in BAD.items():
        assert old in GOOD
        if counts(GOOD.replace(old, new, 1))[1] == 0:
            wrong.append(f"{name} was not noticed")
        if counts(GOOD.replace(old, new, 1), "--first")[1] == 0:
            wrong.append(f"{name} was not noticed with --first")
    sys.exit("\n".join(wrong) or 0)


if __name__ == "__main__":
    main()
