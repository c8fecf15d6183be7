# SPDX-License-Identifier: Apache-2.0
# timeout: 100
"""What a pull shows while it works: bars on a terminal, whatever its size; lines, JSON or nothing elsewhere."""
import json, os, re, shutil

from caisson_test import check, main, same, test
from oci_image import Layout, tar


def layout(env, name="app", n=3):
    shutil.rmtree(env.tmp / name, ignore_errors=True)
    lay = Layout(env.tmp / name)
    lay.image([(tar([(f"f{i}", os.urandom(200_000 * (i + 1)))]), None) for i in range(n)])
    return f"oci:{lay.path}"


def clean(env):
    for i in env.run("images", "-q", "--no-trunc").out.split():
        env.run("rmi", "-f", i).ok()


def screen(text, rows, cols):
    """What a terminal shows after this: enough of one for what we write.  Everything that ever stood on it, too."""
    lines, at, col, top, ever = [""], 0, 0, 0, set()
    for m in re.finditer(r"\x1b\[(\d*)([AKJ])|\x1b.|(.)", text, re.S):
        n, what, c = m[1], m[2], m[3]
        check(what or c, f"an unknown escape: {m[0]!r}")
        if what == "A":
            at = max(at - int(n or 1), top)
        elif what == "K":
            lines[at] = lines[at][:col]
        elif what == "J":
            del lines[at + 1:]
            lines[at] = lines[at][:col]
        elif c == "\r":
            col = 0
        elif c == "\n":
            ever.add(lines[at])
            at += 1
            if at == len(lines):
                lines.append("")
            top = max(top, len(lines) - rows)
        else:
            lines[at] = lines[at][:col].ljust(col) + c + lines[at][col + 1:]
            col += 1
            check(col <= cols, f"a line of more than {cols} columns: {lines[at]!r}")
    return lines, ever


@test(needs="root")
def bars_on_a_terminal(env):
    for rows, cols in ((24, 80), (24, 50), (24, 30), (4, 80)):
        source = layout(env, n=6)
        t = env.tty("pull", source, rows=rows, cols=cols)
        text = t.finish().out
        check(t.p.returncode == 0, text)
        first, _, rest = text.partition("layers\r\n")      # the source's path is as long as it is
        shown, ever = screen(rest, rows, cols)
        bars = [line for line in shown if re.match(r"[0-9a-f]{12}  ", line)]
        same(len(bars), 6 if rows > 6 else rows - 1, f"lines of layers on {rows} rows")
        check(all("done" in line for line in bars), shown)
        same(shown[-2:], ["app:latest", ""], "the name below")
        same(any("[====" in line for line in bars), cols > 45, bars)
        check(not re.search(r"\x1b\[[\d;]*m", text), "colours")
        clean(env)


@test(needs="root")
def lines_json_or_nothing(env):
    def pull(*more, **kw):
        clean(env)
        return env.run("pull", *more, layout(env), **kw).ok(out="app:latest\n").err
    plain = pull()
    same((len(re.findall(r"^[0-9a-f]{12}: fetch \d", plain, re.M)), len(re.findall(r"^[0-9a-f]{12}: done$", plain, re.M))), (3, 3), plain)
    check("\x1b" not in plain and "\r" not in plain, repr(plain))
    same(pull("-q"), "", "quiet")
    same(pull("--progress", "none"), "", "none")
    check("\x1b[" in pull("--progress", "tty"), "no bars")
    events = [json.loads(line) for line in pull("--progress", "json").splitlines()]
    same((events[0]["event"], events[0]["layers"]), ("resolved", 3), "first")
    done = [e for e in events if e["event"] == "done"]
    same((sorted(e["layer"] for e in done), [e for e in done if e["done"] != e["total"]]), ([0, 1, 2], []), "done")
    check({e["event"] for e in events} <= {"resolved", "fetch", "bytes", "unpack", "done"}, events)
    env.run("pull", "--progress", "loud", "x").error(2, "--progress", "loud")
    source = layout(env, "other")
    t = env.tty("pull", source, env={"TERM": "dumb"})
    check("\x1b" not in t.finish().out, "a dumb terminal got more than lines")
    same(env.run("copy", "--progress", "json", source, f"dir:{env.tmp}/d").ok().err.count('"event":"done"'), 4, "blobs copied")
    clean(env)


main()
