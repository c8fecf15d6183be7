#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Manual pages from the command table: mkman.py CAISSON DIR [STAMP] writes DIR/caisson.1 and DIR/caisson-COMMAND.1."""
import json, os, pathlib, subprocess, sys


def page(*name):
    return subprocess.run([sys.argv[1], "__gen", "man", *name], capture_output=True, check=True).stdout


# Meson runs it at installation, too; DIR is then below DESTDIR.
out = pathlib.Path(os.environ.get("MESON_INSTALL_DESTDIR_PREFIX", "/")) / sys.argv[2]
out.mkdir(parents=True, exist_ok=True)
doc = json.loads(subprocess.run([sys.argv[1], "__gen", "json"], capture_output=True, check=True).stdout)
(out / "caisson.1").write_bytes(page())
for c in doc["commands"]:
    (out / f"caisson-{c['name'].replace(' ', '-')}.1").write_bytes(page(c["name"]))
if len(sys.argv) > 3:
    pathlib.Path(sys.argv[3]).write_text("")
