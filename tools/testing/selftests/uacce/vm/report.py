#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""
report.py [--first] EXPECTED COUNTS MACHINE: read on stdin what the guest says (see guest/check),
print a line for each program and the whole story of each failure, and add to
the file COUNTS one line "pass NAME", "fail NAME" or "skip NAME" per test.

A program must announce its plan, keep to it, and run exactly the tests that
EXPECTED has for it; a test that is missing, or that nobody expected, fails.
With --first that is all as soon as one test has failed.
"""

import re
import signal
import sys

RESULT = re.compile(r"(not )?ok\b(?: (\d+))?(?: -)? ?(.*?)(?: +# *(\w+)\b[ :]*(.*))?$")


class Program:
    """What one program of the plan has said so far."""

    def __init__(self, name, expected):
        self.name = name
        self.expected = expected
        self.plan = None
        self.results = []       # (verdict, test, reason, story)
        self.story = []

    def line(self, line):
        m = re.match(r"1\.\.(\d+)", line)
        if m:
            self.plan = int(m.group(1))
            return
        m = RESULT.match(line)
        if not m:
            self.story.append(line)
            return
        bad, _, test, word, reason = m.groups()
        verdict = "fail" if bad else "pass"
        if (word or "").upper() == "SKIP":
            verdict = "skip"
        elif (word or "").upper() == "XFAIL":
            verdict = "pass"
        self.results.append((verdict, test, reason or "", self.story))
        self.story = []

    def finish(self, status, seconds):
        """All complaints about the program as such, as failed results."""
        seen = [r[1] for r in self.results]
        wrong = []
        if self.plan is None:
            wrong.append("it announced no plan")
        elif self.plan != len(seen) or not seen:
            wrong.append(f"it announced {self.plan} tests and gave {len(seen)} results")
        if status == "timeout":
            wrong.append(f"it was not done after {seconds} s and was stopped")
        elif status is None:
            wrong.append("the virtual machine ended before it did")
        elif status != "0" and not any(r[0] == "fail" for r in self.results):
            # 4: the program as a whole was skipped
            if not (status == "4" and all(r[0] == "skip" for r in self.results)):
                wrong.append(f"it ended with status {status}")
        if self.expected != ["*"]:
            wrong += [f"{t} did not run" for t in self.expected if t not in seen]
            wrong += [f"nobody expected {t}" for t in seen if t not in self.expected]
            wrong += [f"{t} ran twice" for t in set(seen) if seen.count(t) > 1]
        for w in wrong:
            self.results.append(("fail", w, "", self.story))
            self.story = []


def show(machine, program, seconds):
    count = {v: sum(r[0] == v for r in program.results) for v in ("pass", "fail", "skip")}
    text = f"{count['pass']} passed"
    for verdict, word in (("fail", "failed"), ("skip", "skipped")):
        if count[verdict]:
            text += f", {count[verdict]} {word}"
    word = "FAIL" if count["fail"] else "ok"
    lines = [f"  {word:4} {machine:5} {program.name:28} {text:36}"
             + (f"{seconds:>4} s" if seconds else "")]
    skips = {}
    for verdict, test, reason, _ in program.results:
        if verdict == "skip":
            skips.setdefault(reason or "no reason given", []).append(test)
    for reason, tests in skips.items():
        lines.append(f"       skipped: {', '.join(tests[:2])}"
                     + (f" and {len(tests) - 2} more" if len(tests) > 2 else "") + f": {reason}")
    for verdict, test, reason, story in program.results:
        if verdict == "fail":
            lines.append(f"       FAILED: {test}" + (f": {reason}" if reason else ""))
            lines += [f"           {line}" for line in story[-40:]]
    # in one go: there may be several of us
    sys.stdout.write("\n".join(line.rstrip() for line in lines) + "\n")
    sys.stdout.flush()


def failed(program):
    return any(r[0] == "fail" for r in program.results)


def account(arguments, programs):
    """Add all results to COUNTS."""
    _, counts, machine = arguments
    with open(counts, "a", encoding="utf-8") as f:
        for program in programs:
            for verdict, test, _, _ in program.results:
                f.write(f"{verdict} {machine}: {program.name}: {test}\n")


def main():
    signal.signal(signal.SIGINT, signal.SIG_DFL)    # no traceback for Ctrl-C
    first = sys.argv[1] == "--first"
    arguments = sys.argv[2:] if first else sys.argv[1:]
    expected = {}
    with open(arguments[0], encoding="utf-8") as f:
        for line in f:
            name, test = line.split()
            expected.setdefault(name, []).append(test)

    finished = []
    machine = Program(f"machine {arguments[2]} itself", ["*"])
    current = None
    done = False
    for raw in sys.stdin.buffer:
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        words = line.split()
        if words[:2] == ["@@", "start"]:
            current = Program(words[2], expected.get(words[2], []))
        elif words[:2] == ["@@", "end"] and current:
            current.finish(words[3], words[4])
            show(arguments[2], current, words[4])
            finished.append(current)
            current = None
        elif words[:2] == ["@@", "done"]:
            machine.plan = int(words[2])
            done = True
        else:
            (current or machine).line(line)
        if first and any(failed(p) for p in [machine, current] + finished if p):
            if current:
                show(arguments[2], current, "")
                finished.append(current)
            account(arguments, [machine] + finished)
            return

    if current:
        current.finish(None, "?")
        show(arguments[2], current, "?")
        finished.append(current)
    if not done:
        machine.results.append(("fail", "the virtual machine came to the end of its work",
                                "", machine.story))
        machine.plan = len(machine.results)
    machine.finish("0", "")
    show(arguments[2], machine, "")
    ran = {p.name for p in finished}
    for name in expected:
        if name not in ran:
            program = Program(name, ["*"])
            program.results.append(("fail", "it did not run at all", "", []))
            show(arguments[2], program, 0)
            finished.append(program)

    account(arguments, [machine] + finished)


if __name__ == "__main__":
    main()
