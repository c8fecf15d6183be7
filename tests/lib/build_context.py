# SPDX-License-Identifier: Apache-2.0
"""Contexts of builds."""
import shutil


def context(env, dockerfile, files=None, name="ctx"):
    """A fresh directory with a Dockerfile and files: {path: text}."""
    d = env.tmp / name
    shutil.rmtree(d, ignore_errors=True)
    d.mkdir()
    (d / "Dockerfile").write_text(dockerfile)
    for n, content in (files or {}).items():
        p = d / n
        p.parent.mkdir(parents=True, exist_ok=True)
        p.write_text(content)
    return d
