# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""The page that caisson compare writes: in a browser, at three widths, light and dark, printed, and for those who do not see it."""
import json, os, pathlib

from caisson_test import check, main, same, test
from chromium import Chromium

T = "caisson/tiny"


def everybody(doc):
    """The same report with figures for every subject there can be: the widest page."""
    names = [s["name"] for s in doc["subjects"]] + ["docker", "podman", "crun"]
    doc["subjects"] = [{"name": n, "command": f"{n} run --rm a-very-long-name-of-an-image.example.org/with/a/path:and-a-tag", "note": "as <b>container</b>"} for n in names]
    for row in doc["rows"]:
        for n in names:
            row[n] = row["container"]
    for attempt in doc["attempts"]:
        attempt.update({n: attempt["container"] for n in names})
    doc["density"]["curves"] = {n: doc["density"]["curves"]["container"] for n in names}
    return doc


@test(needs="root,web,chromium", timeout=200)
def the_page_in_a_browser(env):
    report, page = env.tmp / "report.json", env.tmp / "page.html"
    report.write_text(env.run("compare", "-n", "1", "--only", "host,container", "--density", "64m", "--density-most", "3", "--max-time", "40s", "--format", "json", T,
                              timeout=190).ok().out)
    wide = env.tmp / "wide.json"
    wide.write_text(json.dumps(everybody(json.loads(report.read_text()))))
    keep = os.environ.get("CAISSON_SCREENSHOTS")       # a directory, for those who want to look
    with Chromium() as c:
        for kind, source in (("narrow", report), ("wide", wide)):
            env.run("compare", "--from", str(source), "--html", str(page)).ok()
            for dark in (False, True):
                for width in (360, 800, 1400):
                    c.look(width, 900, dark)
                    c.open(page.as_uri())
                    same(c.overflow(), 0, f"{kind} page wider than {width} pixels, in pixels")
                    if keep:
                        c.screenshot(pathlib.Path(keep) / f"{kind}-{width}-{'dark' if dark else 'light'}.png")
                same(c.axe(), [], f"what axe-core finds on the {kind} page, dark: {dark}")
                same(c.errors(), [], "what the console says")
        # What is said comes first, and the headings are an outline without gaps.
        same(c.eval("[...document.querySelectorAll('h2')].map((h) => h.textContent)"),
             ["What it says", "Figures", "How many fit", "A start, phase by phase", "Attempts to get out", "Method", "Data"], "sections")
        # By the keyboard alone: the data opens, and what scrolls can be scrolled.
        c.press("summary")
        check(c.eval("document.querySelector('details').open"), "the data does not open by Enter")
        same(json.loads(c.eval("document.querySelector('pre').textContent"))["image"], T, "the embedded data")
        check(c.eval("[...document.querySelectorAll('.scroll, pre')].every((e) => e.tabIndex === 0)"), "something scrolls that no key reaches")
        # Who does not see the drawing has its figures in a table.
        check(c.eval("[...document.querySelectorAll('svg')].every((s) => s.getAttribute('aria-hidden') || (s.getAttribute('role') === 'img' && s.getAttribute('aria-label')))"),
              "a drawing without words")
        c.call("Emulation.setEmulatedMedia", media="print")
        check(c.eval("getComputedStyle(document.querySelector('details')).display") == "none", "the raw data is printed")


main()
