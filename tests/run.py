#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The whole suite: unit tests and style checks (meson), sanitizers, integration files two at a time.

Prints one line per test file, the output of what failed, and `N passed, N failed, N skipped` as the last line.
A file of unit tests or integration tests that fails runs once more, alone, after everything else: one that passes then is
listed as unsteady before the last line, and forgiven up to UNSTEADY_MAX of them (docs/decisions/0017).
A file may say how long it may take and that --quick leaves it out, in its first lines:  # timeout: 300   # slow
"""
import argparse, concurrent.futures, json, os, pathlib, re, signal, subprocess, sys, time

TOP = pathlib.Path(__file__).resolve().parents[1]
LIB = TOP / "tests/lib"
UNSTEADY_MAX = 3
LONGER = 4      # than a file says it takes: machines are slow, and loaded


class Outcome:
    def __init__(self, name, text="", code=0, seconds=0.0, again=None):
        self.name, self.text, self.code, self.seconds = name, text, code, seconds
        self.again = again      # called without arguments: the Outcome of a second run, alone
        self.passed = self.failed = self.skipped = 0

    def read_tap(self):
        for line in self.text.splitlines():
            m = re.match(r"(not )?ok \d+", line)
            if not m:
                continue
            if m[1]:
                self.failed += 1
            elif "# SKIP" in line:
                self.skipped += 1
            else:
                self.passed += 1
        plan = re.search(r"^1\.\.(\d+)$", self.text, re.M)
        seen = self.passed + self.failed + self.skipped
        # A program that dies half way has not passed the tests it did not reach.
        if (plan and int(plan[1]) != seen) or (self.code not in (0, 77) and not self.failed) or not seen:
            self.failed += 1
            self.text += f"\n# ended with code {self.code} after {seen} tests of {plan[1] if plan else 'an unknown number'}\n"
        return self

    def line(self):
        parts = [f"{n} {w}" for n, w in ((self.passed, "passed"), (self.failed, "failed"), (self.skipped, "skipped")) if n]
        return f"{'FAIL' if self.failed else 'ok  '} {self.name:<34} {', '.join(parts):<28} {self.seconds:6.1f} s"

    def tail(self):
        return self.text.strip().splitlines()[-120:]

    def failures(self):
        """Names of the tests that failed."""
        return re.findall(r"^not ok \d+ - ([^ \n]+)", self.text, re.M) or ["(ended early)"]


def run(args, timeout, env=None, cwd=TOP):
    t0 = time.monotonic()
    p = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=env, cwd=cwd)
    try:
        out, _ = p.communicate(timeout=timeout)
        code = p.returncode
    except subprocess.TimeoutExpired:
        p.send_signal(signal.SIGTERM)      # the world around a test file cleans up on it
        out, _ = p.communicate()
        out, code = out + f"\n# not finished after {timeout} s\n".encode(), 124
    return code, out.decode(errors="replace"), time.monotonic() - t0


def meson_outcome(t, label):
    """Of one line of meson's log."""
    o = Outcome(label + t["name"].rpartition(" / ")[2], t.get("stdout", "") + t.get("stderr", ""), t["returncode"], t["duration"])
    if re.search(r"^(not )?ok \d", o.text, re.M):
        o.read_tap()
        if t["result"] not in ("OK", "SKIP") and not o.failed:
            o.failed += 1
    elif t["result"] == "OK":
        o.passed = 1
    elif t["result"] != "SKIP":
        o.failed = 1
        o.text += f"\n# {t['result']}\n"
    return o


def meson_tests(build, label, only=()):
    """One Outcome per meson test, from its own log."""
    log = build / "meson-logs/testlog.json"
    log.unlink(missing_ok=True)     # else the last one is read when meson does not come so far
    code, text, _ = run(["meson", "test", "-C", str(build), "--no-rebuild", "--num-processes", "2", "--timeout-multiplier", "5",
                         *(["--no-suite", "style"] if label else []), *only], 1800)
    out = []
    for line in log.read_text().splitlines() if log.exists() else []:
        t = json.loads(line)
        o = meson_outcome(t, label)
        # What the sanitizers, a fuzz replay or a style check find is no matter of time.
        if not label and ":unit" in t["name"]:
            o.again = lambda name=o.name: meson_tests(build, "", [name])[0]
        out.append(o)
    if not out:
        o = Outcome(label + "meson test", text, code)
        o.failed = 1
        out.append(o)
    return out


def asan():
    """Unit tests and fuzz replays again, with the address and undefined sanitizers."""
    build = TOP / "build-asan"
    for s in (["tools/setup", str(build), "-Db_sanitize=address,undefined", "-Db_lundef=false"], ["ninja", "-C", str(build)]):
        code, text, seconds = run(s, 3600)
        if code:
            o = Outcome("asan build", text, code, seconds)
            o.failed = 1
            return [o]
    os.environ.setdefault("ASAN_OPTIONS", "detect_leaks=1")
    os.environ.setdefault("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1")
    return meson_tests(build, "asan ")


def header(path, key):
    m = re.search(rf"^# {key}:? *(\d*)$", "\n".join(path.read_text().splitlines()[:12]), re.M)
    return None if not m else int(m[1] or 1)


def integration(path, env):
    name = str(path.relative_to(TOP / "tests"))[:-len("_test.py")]
    code, text, seconds = run([sys.executable, str(path)], LONGER * (header(path, "timeout") or 180), env)
    return Outcome(name, text, code, seconds, lambda: integration(path, env)).read_tap()


def comment(lines):
    """Nobody who reads our output for `not ok` shall take these lines for a verdict."""
    return "\n".join(f"#     {line}".rstrip() for line in lines)


class Suite:
    """Outcomes as they come, and what is decided at the end."""
    def __init__(self):
        self.outcomes, self.doubtful, self.unsteady = [], [], []

    def done(self, o):
        if o.failed and o.again:
            self.doubtful.append(o)
            print(f"# failed: {o.name} ({', '.join(o.failures())}); once more, alone, after everything else")
            print(comment(o.tail()), flush=True)
        else:
            self.settle(o)

    def settle(self, o):
        self.outcomes.append(o)
        print(o.line(), flush=True)
        if o.failed:
            print("\n".join("     " + line for line in o.tail()), flush=True)

    def run_again(self):
        # With more of them it cannot pass any more, and a tree where nothing works is not run twice.
        if len(self.doubtful) > UNSTEADY_MAX:
            print(f"# {len(self.doubtful)} files failed, more than {UNSTEADY_MAX}: none is run again", flush=True)
            for o in self.doubtful:
                self.settle(o)
            return
        for first in self.doubtful:
            second = first.again()
            self.settle(second)
            if not second.failed:
                self.unsteady.append(first)

    def total(self):
        return [sum(getattr(o, w) for o in self.outcomes) for w in ("passed", "failed", "skipped")]

    def report(self, seconds):
        for o in self.outcomes:
            for line in o.text.splitlines():
                if "# SKIP" in line:
                    print(f"skip {o.name}: {line.split(' - ', 1)[-1]}")
        if self.unsteady:
            print(f"#\n# UNSTEADY: {len(self.unsteady)} file(s) failed once and passed alone. Each is a race in a test or in caisson, to be mended.")
        for o in self.unsteady:
            print(f"# UNSTEADY {o.name}: {', '.join(o.failures())}; the first run said:\n{comment(o.tail())}")
        print(f"in {seconds:.0f} s{f', {len(self.unsteady)} unsteady' if self.unsteady else ''}")
        print("{} passed, {} failed, {} skipped".format(*self.total()), flush=True)


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--build", default="build")
    ap.add_argument("--jobs", type=int, default=2)
    ap.add_argument("--quick", action="store_true", help="leave out files marked slow and the sanitizers")
    ap.add_argument("--only-asan", action="store_true")
    ap.add_argument("area", nargs="*", help="integration areas or files such as cli or cli/errors; all when none")
    a = ap.parse_args()
    build = (TOP / a.build).resolve()
    env = {**os.environ, "PYTHONPATH": str(LIB), "CAISSON_BUILD": str(build), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
    started, suite = time.monotonic(), Suite()

    if not a.only_asan and not a.area:
        for o in meson_tests(build, ""):
            suite.done(o)
    if a.only_asan or not (a.quick or a.area):
        for o in asan():
            suite.done(o)
    if not a.only_asan:
        files = sorted((f for f in (TOP / "tests").glob("*/*_test.py") if f.parent != LIB), key=lambda f: -(header(f, "timeout") or 180))
        if a.area:
            files = [f for f in files if any(str(f.relative_to(TOP / "tests")).startswith(x) for x in a.area)]
        if a.quick:
            files = [f for f in files if not header(f, "slow")]
        with concurrent.futures.ThreadPoolExecutor(a.jobs) as pool:
            for f in concurrent.futures.as_completed([pool.submit(integration, p, env) for p in files]):
                suite.done(f.result())
    suite.run_again()
    suite.report(time.monotonic() - started)
    passed, failed, _ = suite.total()
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
