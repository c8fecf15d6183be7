#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The whole suite: unit tests and style checks (meson), sanitizers, integration files two at a time.

Prints one line per test file, the output of what failed, and `N passed, N failed, N skipped` as the last line.
A file may say how long it may take and that --quick leaves it out, in its first lines:  # timeout: 300   # slow
"""
import argparse, concurrent.futures, json, os, pathlib, re, signal, subprocess, sys, time

TOP = pathlib.Path(__file__).resolve().parents[1]
LIB = TOP / "tests/lib"


class Outcome:
    def __init__(self, name, text="", code=0, seconds=0.0):
        self.name, self.text, self.code, self.seconds = name, text, code, seconds
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


def meson_tests(build, label):
    """One Outcome per meson test, from its own log."""
    code, text, _ = run(["meson", "test", "-C", str(build), "--no-rebuild", "--num-processes", "2", *(["--no-suite", "style"] if label else [])], 900)
    out = []
    log = build / "meson-logs/testlog.json"
    for line in log.read_text().splitlines() if log.exists() else []:
        t = json.loads(line)
        o = Outcome(label + t["name"].rpartition(" / ")[2], t.get("stdout", "") + t.get("stderr", ""), t["returncode"], t["duration"])
        if re.search(r"^(not )?ok \d", o.text, re.M):
            o.read_tap()
            if t["result"] not in ("OK", "SKIP") and not o.failed:
                o.failed += 1
        elif t["result"] == "SKIP":
            o.skipped = 1
        elif t["result"] == "OK":
            o.passed = 1
        else:
            o.failed = 1
            o.text += f"\n# {t['result']}\n"
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
        code, text, seconds = run(s, 900)
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
    code, text, seconds = run([sys.executable, str(path)], header(path, "timeout") or 180, env)
    return Outcome(name, text, code, seconds).read_tap()


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
    started, outcomes = time.monotonic(), []

    def done(o):
        outcomes.append(o)
        print(o.line(), flush=True)
        if o.failed:
            print("\n".join("     " + line for line in o.text.strip().splitlines()[-120:]), flush=True)

    if not a.only_asan and not a.area:
        for o in meson_tests(build, ""):
            done(o)
    if a.only_asan or not (a.quick or a.area):
        for o in asan():
            done(o)
    if not a.only_asan:
        files = sorted((f for f in (TOP / "tests").glob("*/*_test.py") if f.parent != LIB), key=lambda f: -(header(f, "timeout") or 180))
        if a.area:
            files = [f for f in files if any(str(f.relative_to(TOP / "tests")).startswith(x) for x in a.area)]
        if a.quick:
            files = [f for f in files if not header(f, "slow")]
        with concurrent.futures.ThreadPoolExecutor(a.jobs) as pool:
            for f in concurrent.futures.as_completed([pool.submit(integration, p, env) for p in files]):
                done(f.result())
    total = [sum(getattr(o, w) for o in outcomes) for w in ("passed", "failed", "skipped")]
    for o in outcomes:
        for line in o.text.splitlines():
            if "# SKIP" in line:
                print(f"skip {o.name}: {line.split(' - ', 1)[-1]}")
    print(f"in {time.monotonic() - started:.0f} s")
    print("{} passed, {} failed, {} skipped".format(*total), flush=True)
    sys.exit(1 if total[1] or not total[0] else 0)


if __name__ == "__main__":
    main()
