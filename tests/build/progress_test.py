#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""caisson build --progress: plain lines, a terminal that is drawn again, BuildKit's JSON."""
import base64, json, re

from build_context import context
from caisson_test import check, main, same, test

# Names wider than a line, characters of two cells, what a terminal would obey, more output than is shown, instructions that only describe.
TEXT = ("FROM caisson/tiny AS first\nENV A=1\nRUN for i in 1 2 3 4 5 6; do echo line-$i; done; printf 'esc\\033[2Jape\\n'; printf 'no end'\n"
        "RUN echo " + "very-long-word-" * 12 + " > /dev/null\nFROM caisson/tiny AS second\nRUN echo 漢字かな漢字かな漢字かな漢字かな漢字かな漢字かな漢字かな漢字かな > /k\nFROM scratch\nCOPY --from=first /etc/group /\nCOPY --from=second /k /k\n")


def cells(text):
    return sum(2 if ord(c) >= 0x2e80 else 1 for c in text)


class Screen:
    """So much of a terminal as is drawn with here; anything else fails."""

    def __init__(self, columns):
        self.columns, self.lines, self.y, self.x, self.colors, self.cursor = columns, [""], 0, 0, set(), True

    def put(self, c):
        self.x += cells(c)
        check(self.x < self.columns, f"a line of more than {self.columns - 1} cells: {self.lines[self.y]!r} {c!r}")
        self.lines[self.y] += c

    def feed(self, text):
        for part in re.findall(r"\033\[[?0-9;]*[A-Za-z]|[^\033]|\033", text, re.S):
            if part == "\r":
                self.x = 0
            elif part == "\n":
                self.y += 1
                if self.y == len(self.lines):
                    self.lines.append("")
            elif part.startswith("\033["):
                n, what = part[2:-1], part[-1]
                if what == "A":
                    self.y -= int(n)
                    check(self.y >= 0, "above the first line")
                elif what == "J":
                    del self.lines[self.y + 1:]
                    self.lines[self.y] = ""
                elif what == "K":
                    pass
                elif what == "m":
                    self.colors.add(n)
                elif n in ("?25l", "?25h") or what in "lh":
                    self.cursor = what == "h"
                else:
                    check(False, f"{part!r}")
            else:
                check(part >= " ", f"{part!r}")
                if self.x == 0:
                    self.lines[self.y] = ""
                self.put(part)


def draw(env, columns, *opts, rows=24, code=0, **variables):
    t = env.tty("build", "--network=none", "--progress=tty", *opts, env.tmp / "ctx", rows=rows, cols=columns, env={"TERM": "xterm", **variables})
    out = t.finish().expect(code).out
    s = Screen(columns)
    # The id, or the error, comes after the last drawing.
    drawing, rest = out[:out.rindex("\033[?25h") + 6], out[out.rindex("\033[?25h") + 6:]
    s.feed(drawing)
    check(s.cursor, "the cursor is not there again")
    return [l.rstrip() for l in s.lines if l], s, rest


@test(needs="root")
def a_terminal_of_eighty_columns(env):
    context(env, TEXT)
    lines, s, rest = draw(env, 80, "--no-cache")
    check(re.fullmatch(r"\[\+\] Building \d+\.\ds \(9/9\) FINISHED", lines[0]), lines[0])
    same(len(lines), 10, "lines")
    check(lines[3].startswith(" => [first 3/4] RUN for i in 1 2 3 4 5 6;") and re.search(r" \d+\.\ds$", lines[3]) and len(lines[3]) == 79, lines[3])
    # The time stands in the same column whatever is before it.
    same({cells(l) for l in lines[1:]}, {79}, "widths")
    check("RUN echo 漢字かな" in lines[6], lines[6])
    check("sha256:" in rest, rest)
    check(s.colors - {"0"}, "no colours")
    lines, s, _ = draw(env, 80, NO_COLOR="1")
    same(s.colors - {"0"}, set(), "colours with NO_COLOR")
    same(sum(l.startswith(" => CACHED [") for l in lines), 5, "cached steps")
    # Narrow, and so low that not all steps have a place until the end.
    for columns, rows in ((40, 24), (132, 24), (80, 5)):
        lines, _, _ = draw(env, columns, "--no-cache", rows=rows)
        same(len(lines), 10, f"lines at {columns}x{rows}")


@test(needs="root")
def a_failure_on_a_terminal(env):
    context(env, "FROM caisson/tiny\nENV A=1\nRUN echo last words; exit 3\nRUN echo never\n")
    lines, _, rest = draw(env, 80, code=1)
    check(any(l.startswith(" => ERROR [stage-0 3/4] RUN echo last words; exit 3") for l in lines), lines)
    check("last words" in rest and "ended with code 3" in rest and ">>>    3 |" in rest, rest)
    check("never" not in rest.split(">>>")[0], rest)


@test(needs="root")
def which_is_chosen(env):
    context(env, "FROM caisson/tiny\nRUN echo x\n")
    t = env.tty("build", "--network=none", env.tmp / "ctx", env={"TERM": "xterm"})
    check("[+] Building" in t.finish().ok().out, "a terminal")
    t = env.tty("build", "--network=none", env.tmp / "ctx", env={"TERM": "dumb"})
    check("[+] Building" not in t.finish().ok().out, "a dumb terminal")
    check("[+] Building" not in env.run("build", "--network=none", env.tmp / "ctx").ok().err, "no terminal")


@test(needs="root")
def lines_of_json(env):
    context(env, TEXT)
    for opts, cached in ((["--no-cache"], False), ([], True)):
        r = env.run("build", "--network=none", "--progress=rawjson", *opts, env.tmp / "ctx").ok()
        docs = [json.loads(l) for l in r.err.splitlines()]
        same({k for d in docs for k in d} - {"vertexes", "logs", "warnings"}, set(), "members")
        last = {}
        for v in (v for d in docs for v in d.get("vertexes", [])):
            check(re.fullmatch("sha256:[0-9a-f]{64}", v["digest"]) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", v["started"]), v)
            last[v["digest"]] = v
        same(len(last), 9, "vertexes")
        for v in last.values():
            check("completed" in v and set(v.get("inputs", [])) <= set(last), v)
        runs = [v for v in last.values() if "] RUN for" in v["name"]]
        same((len(runs), runs[0].get("cached", False), len(runs[0]["inputs"])), (1, cached, 1), "a step")
        log = b"".join(base64.b64decode(l["data"]) for d in docs for l in d.get("logs", []) if l["vertex"] == runs[0]["digest"])
        same(log, b"" if cached else b"".join(b"line-%d\n" % i for i in range(1, 7)) + b"esc\033[2Jape\nno end", "its output, as it was")
    context(env, "FROM caisson/tiny as X\nRUN echo last words; exit 3\n")
    r = env.run("build", "--network=none", "--progress=rawjson", env.tmp / "ctx").expect(1)
    docs = [json.loads(l) for l in r.err.splitlines() if l.startswith("{")]
    check(r.err.splitlines()[-1].startswith("caisson: ") and len(docs) == len(r.err.splitlines()) - 1, r.err)
    check(any("StageNameCasing" in base64.b64decode(w["short"]).decode() for d in docs for w in d.get("warnings", [])), docs)
    errors = [v["error"] for d in docs for v in d.get("vertexes", []) if v.get("error")]
    check(len(errors) == 1 and "ended with code 3" in errors[0], errors)


if __name__ == "__main__":
    main()
