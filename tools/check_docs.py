#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every command has docs/cli/<command>.md, every option is in it, and nothing is documented that does not exist.  Arg: the caisson binary."""
import json, pathlib, re, subprocess, sys

doc = json.loads(subprocess.run([sys.argv[1], "__gen", "json"], capture_output=True, text=True, check=True).stdout)
here = pathlib.Path(__file__).resolve().parents[1] / "docs/cli"
bad = 0
known = set()
for c in doc["commands"]:
    page = here / (c["name"].replace(" ", "_") + ".md")
    known.add(page.name)
    if not page.exists():
        print(f"{page.name}: missing: command '{c['name']}' is not documented"); bad += 1; continue
    text = page.read_text()
    # "the options of [run](run.md)": they stand there.
    for other in re.findall(r"options of \[\w+\]\((\w+\.md)\)", text):
        text += (here / other).read_text()
    said = set(re.findall(r"(?<![\w-])--([a-z][a-z0-9-]*)", text))
    for o in c["options"]:
        if o["name"] not in said:
            print(f"{page.name}: --{o['name']} is not documented"); bad += 1
    if "```" not in text:
        print(f"{page.name}: no example"); bad += 1
for page in here.glob("*.md"):
    if page.name not in known:
        print(f"{page.name}: there is no such command"); bad += 1
sys.exit(1 if bad else 0)
