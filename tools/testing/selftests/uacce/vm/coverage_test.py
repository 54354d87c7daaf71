#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""
Shows coverage.py what can be wrong with the data of a run and with the reasons, one
thing at a time, and sees that it fails and says so, and that it is content with a run
in which all is well. What is executed is a program that stands for each module.
"""

import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
OURS = "drivers/misc/uacce"
FILES = ("main.c", "sim/main.c", "vaccel/main.c")
PROGRAM = """int main(int argc, char **argv)
{
	int x = !argv;

%s	if (argc > 1)
		x = 2;
	if (argc > 2)
		x = 3;
	return x;
}
""" % (50 * "	x = 0;\n")
NEVER = """
int never(int x)
{
	return x
%s		;
}
""" % (30 * "		+ (x ? x++ : 1)\n")
REASONS = "".join(f"{f}: main: x = 2;: no arguments\n{f}: main: argc > 2) / x = 3;: as above\n"
                  for f in FILES)


class Run:
    """What a run leaves: the sources, the data of a machine, the reasons"""

    def __init__(self, directory, like=None):
        self.directory = directory
        self.arguments = []
        if like:
            shutil.copytree(like.directory, directory)
            return
        self.write("reasons", REASONS)
        for f in FILES:
            self.write(f"{OURS}/{f}", PROGRAM)
            self.execute(f)

    def path(self, name):
        return os.path.join(self.directory, name)

    def data(self, name):
        return self.path("data/machine1/" + name)

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)

    def compile(self, name):
        os.makedirs(os.path.dirname(self.data(name)), exist_ok=True)
        subprocess.run(["gcc", "--coverage", self.path(f"{OURS}/{name}"), "-c", "-o",
                        self.data(name[:-2] + ".o")], check=True)

    def execute(self, name):
        self.compile(name)
        subprocess.run(["gcc", "--coverage", self.data(name[:-2] + ".o"), "-o",
                        self.data("program")], check=True)
        subprocess.run([self.data("program")], check=True)

    def replace_reason(self, old, new):
        assert old in REASONS
        self.write("reasons", REASONS.replace(old, new, 1))

    def judge(self):
        out = subprocess.run([sys.executable, os.path.join(HERE, "coverage.py"),
                              self.path("data"), self.path("reasons"), self.directory,
                              *self.arguments], text=True, check=False,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return out.returncode, out.stdout


def no_vaccel(run, *arguments):
    run.arguments = list(arguments)
    os.remove(run.data("vaccel/main.gcda"))


def another_build(run):
    run.write(f"{OURS}/main.c", PROGRAM.replace("x = 3", "x = argc + 3"))
    run.compile("main.c")


def less_than_wanted(run):
    run.write(f"{OURS}/sim/main.c", PROGRAM + NEVER)
    os.remove(run.data("sim/main.gcda"))
    run.execute("sim/main.c")
    run.write("reasons", REASONS + "sim/main.c: never: *: nobody calls it\n")


# what is wrong, how to make it so, and what must be said
BAD = (
    ("a line without a reason", lambda r: r.replace_reason("x = 2;", "x = 3;"),
     "main.c:56: x = 2;\n        NO REASON"),
    ("a reason for a line that is not there", lambda r: r.replace_reason("x = 2;", "x = 4;"),
     "x = 4; fits no line"),
    ("a reason for another function", lambda r: r.replace_reason("main: x", "mine: x"),
     "mine: x = 2; fits no line"),
    ("a reason for a file that is not there", lambda r: r.replace_reason("main.c", "mine.c"),
     "mine.c: main: x = 2; fits no line"),
    ("a reason for several lines", lambda r: r.replace_reason("x = 2;", "x ="),
     "fits the lines 3, 5, 6"),
    ("what is no reason", lambda r: r.write("reasons", "main.c: x = 2;: none\n"),
     "is no entry"),
    ("a file without data", lambda r: r.write(f"{OURS}/sim/more.c", PROGRAM),
     "executed of sim/more.c"),
    ("a module without data", no_vaccel, "executed of vaccel/main.c"),
    ("a module without files", lambda r: shutil.rmtree(r.path(f"{OURS}/vaccel")),
     "coverage of vaccel:    0.0 %"),
    ("a module that has no limit", lambda r: r.write(f"{OURS}/new/main.c", PROGRAM),
     "(wanted: 100 %)"),
    ("less than wanted", less_than_wanted, "0 lines without a reason, 0 wrong"),
    ("the notes of another build", another_build, "stamp mismatch"),
    ("a machine without data", lambda r: os.makedirs(r.path("data/machine2")),
     "there is no data in"),
    ("no machine", lambda r: shutil.rmtree(r.path("data")), "there is nothing in"),
)


def main():
    wrong = []
    with tempfile.TemporaryDirectory() as d:
        good = Run(os.path.join(d, "good"))
        status, text = good.judge()
        if status:
            wrong.append("a good run: " + text)
        for n, (name, change, what) in enumerate(BAD):
            run = Run(os.path.join(d, str(n)), good)
            change(run)
            status, text = run.judge()
            if not status or what not in text:
                wrong.append(f"{name} was not noticed, with status {status}: {text}")
        run = Run(os.path.join(d, "skipped"), good)
        no_vaccel(run, "vtd=there is no QEMU")
        status, text = run.judge()
        if status or "vaccel:  skipped: the lane vtd was not run: there is no QEMU" not in text:
            wrong.append(f"a lane that was not run: status {status}: {text}")
    sys.exit("\n".join(wrong) or 0)


if __name__ == "__main__":
    main()
