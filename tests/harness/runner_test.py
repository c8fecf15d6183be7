# SPDX-License-Identifier: Apache-2.0
"""tests/run.py itself: what it counts, what it runs again, what it forgives."""
import os, re, shutil, subprocess, sys

from caisson_test import TOP, check, main, same, test

# Prints TAP.  {n}: fails as long as its file has been run fewer times than this.
FILE = """# SPDX-License-Identifier: Apache-2.0
import pathlib, sys
count = pathlib.Path(__file__ + ".count")
times = len(count.read_text()) if count.exists() else 0
count.write_text("x" * (times + 1))
print("1..3\\nok 1 - first (0.1 s)")
if times < {n}:
    print("# at line 7: the reason\\nnot ok 2 - second (0.1 s)")
else:
    print("ok 2 - second (0.1 s)")
print("ok 3 - third # SKIP needs nothing", flush=True)
{end}
sys.exit(1 if times < {n} else 0)
"""


class Tree:
    """A project with nothing but the runner and the test files that a test gives it."""
    def __init__(self, env, name):
        self.dir = env.tmp / name
        (self.dir / "tests/some").mkdir(parents=True)
        shutil.copy(TOP / "tests/run.py", self.dir / "tests")

    def file(self, name, fails, end=""):
        (self.dir / f"tests/some/{name}_test.py").write_text(FILE.format(n=fails, end=end))
        return self

    def runs(self, name):
        return len((self.dir / f"tests/some/{name}_test.py.count").read_text())

    def run(self, *args, **env):
        p = subprocess.run([sys.executable, str(self.dir / "tests/run.py"), *args], capture_output=True, text=True, timeout=200, env={**os.environ, **env})
        same(p.stderr, "", "stderr")
        return p.returncode, p.stdout.splitlines()


def no_verdict(lines):
    same([line for line in lines if re.match(r"\s*not ok|FAIL", line)], [], "lines that tell of a failure")


@test(timeout=240)
def all_pass(env):
    code, lines = Tree(env, "pass").file("a", 0).file("b", 0).run("some")
    same((code, lines[-1]), (0, "4 passed, 0 failed, 2 skipped"), "exit code and last line")
    no_verdict(lines)
    check(not any("UNSTEADY" in line for line in lines), f"{lines}")


@test(timeout=240)
def one_that_fails_once_is_named_and_forgiven(env):
    t = Tree(env, "once").file("a", 1).file("b", 0)
    code, lines = t.run("some")
    same((code, lines[-1]), (0, "4 passed, 0 failed, 2 skipped"), "exit code and last line")
    same((t.runs("a"), t.runs("b")), (2, 1), "runs")
    no_verdict(lines)
    at = next((n for n, line in enumerate(lines) if line.startswith("# UNSTEADY some/a: second")), None)
    check(at is not None, f"not named: {lines}")
    check("#     # at line 7: the reason" in lines[at:] and "#     not ok 2 - second (0.1 s)" in lines[at:], f"why is not told: {lines[at:]}")
    # Last of all, but for the time and the count.
    check(all(line.startswith("#") for line in lines[at:-2]) and lines[-2].endswith(", 1 unsteady"), f"not at the end: {lines[at:]}")


@test(timeout=240)
def it_runs_again_after_everything_else(env):
    t = Tree(env, "after").file("a", 1).file("b", 0, "import time; time.sleep(1)")
    code, lines = t.run("some", "--jobs", "2")
    same(code, 0, "exit code")
    same([line.split()[1] for line in lines if line.startswith("ok ")], ["some/b", "some/a"], "order")


@test(timeout=240)
def one_that_fails_twice_is_a_failure(env):
    t = Tree(env, "twice").file("a", 2).file("b", 1).file("c", 0)
    code, lines = t.run("some")
    same((code, lines[-1]), (1, "5 passed, 1 failed, 3 skipped"), "exit code and last line")
    same((t.runs("a"), t.runs("b"), t.runs("c")), (2, 2, 1), "runs")
    check(any(line.startswith("FAIL some/a") for line in lines) and any(line.startswith("# UNSTEADY some/b") for line in lines), f"{lines}")
    check(not any(line.startswith("# UNSTEADY some/a") for line in lines), f"a failure is called unsteady: {lines}")


@test(timeout=240)
def three_are_forgiven_and_four_are_not(env):
    t = Tree(env, "three")
    for name in "abc":
        t.file(name, 1)
    code, lines = t.run("some")
    same((code, lines[-1]), (0, "6 passed, 0 failed, 3 skipped"), "three")
    same(sorted(line.split()[2] for line in lines if re.match("# UNSTEADY some/", line)), ["some/a:", "some/b:", "some/c:"], "named")
    t = Tree(env, "four")
    for name in "abcd":
        t.file(name, 1)
    code, lines = t.run("some")
    same((code, lines[-1]), (1, "4 passed, 4 failed, 4 skipped"), "four")
    same([t.runs(n) for n in "abcd"], [1, 1, 1, 1], "runs")
    same(sum(line.startswith("FAIL some/") for line in lines), 4, "named")


@test(timeout=240)
def one_that_ends_early_or_runs_nothing_has_failed(env):
    t = Tree(env, "early").file("a", 0)
    (t.dir / "tests/some/b_test.py").write_text("print('1..2')\nprint('ok 1 - x', flush=True)\nraise SystemExit(0)\n")
    (t.dir / "tests/some/c_test.py").write_text("raise SystemExit(0)\n")
    code, lines = t.run("some")
    same((code, lines[-1]), (1, "3 passed, 2 failed, 1 skipped"), "exit code and last line")
    check(any("ended with code 0 after 1 tests of 2" in line for line in lines), f"{lines}")


@test(timeout=240)
def one_that_is_not_finished_in_its_time_has_failed(env):
    t = Tree(env, "slow")
    (t.dir / "tests/some/a_test.py").write_text("# timeout: 1\nimport time\nprint('1..1', flush=True)\ntime.sleep(30)\n")
    code, lines = t.run("some")
    same((code, lines[-1]), (1, "0 passed, 1 failed, 0 skipped"), "exit code and last line")
    check(any("not finished after 4 s" in line for line in lines), f"{lines}")


# What stands in for meson: writes its log; a test of the name "shaky" fails the first time.
MESON = """#!{python}
import json, pathlib, sys
args = sys.argv[1:]
build = pathlib.Path(args[args.index("-C") + 1])
logs = build / "meson-logs"
logs.mkdir(parents=True, exist_ok=True)
runs = build / "runs"
n = int(runs.read_text()) if runs.exists() else 0
runs.write_text(str(n + 1))
tests = [("p:unit+base / base/steady", True), ("p:unit+base / base/shaky", n > 0), ("p:fuzz / fuzz/tar", {fuzz} or n > 0)]
only = [a for a in args if a.startswith("base/")]
with open(logs / "testlog.json", "w") as f:
    for name, good in tests:
        if not only or name.split(" / ")[1] in only:
            text = "1..1\\n" + ("ok" if good else "# why\\nnot ok") + " 1 - t\\n"
            f.write(json.dumps(dict(name=name, stdout=text, result="OK" if good else "FAIL", returncode=0 if good else 1, duration=0.1)) + "\\n")
"""


@test(timeout=240)
def unit_tests_run_again_and_fuzz_replays_do_not(env):
    for fuzz, want in ((True, (0, "5 passed, 0 failed, 1 skipped")), (False, (1, "4 passed, 1 failed, 1 skipped"))):
        t = Tree(env, f"unit-{fuzz}")
        t.file("a", 0)
        bin = t.dir / "bin"
        bin.mkdir()
        (bin / "meson").write_text(MESON.format(python=sys.executable, fuzz=fuzz))
        (bin / "meson").chmod(0o755)
        code, lines = t.run("--quick", PATH=f"{bin}:{os.environ['PATH']}")
        same((code, lines[-1]), want, f"fuzz passes: {fuzz}: {lines}")
        check(any(line.startswith("# UNSTEADY base/shaky: t") for line in lines), f"{lines}")
        same((t.dir / "build/runs").read_text(), "2", "runs of meson")
        same(any(line.startswith("FAIL fuzz/tar") for line in lines), not fuzz, f"the replay that failed: {lines}")


main()
