# SPDX-License-Identifier: Apache-2.0
"""What every bench begins and ends with: its options, namespaces of its own, and a file for its results."""
import argparse, json, os, pathlib, platform, sys, time

TOP = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TOP / "tests/lib"))
import caisson_test
from caisson_test import World, inner_init, settle_inside


def parser(doc, rounds):
    """Options that every bench has; add_argument() for its own."""
    ap = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--build", default=TOP / "build", type=pathlib.Path)
    ap.add_argument("--rounds", default=rounds, type=int)
    return ap


def settle(ap):
    """Go on in network, mount, PID and cgroup namespaces of our own: the options, and a directory for this run."""
    a = ap.parse_args()
    a.build = a.build.resolve()
    inside = os.environ.get(caisson_test.INSIDE)
    if not inside:
        if os.geteuid():
            sys.exit("bench: needs root, for namespaces of its own")
        os.environ["PATH"] += ":/usr/sbin:/sbin"
        sys.exit(World().run())
    settle_inside()
    inner_init()
    return a, inside


def save(name, a, result):
    """Write the results beside what they were measured on, and end the bench: the last word."""
    out = TOP / ".cache/bench" / f"{name}-{platform.node()}-{time.strftime('%Y%m%d-%H%M%S')}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({"machine": platform.uname()._asdict(), "cpus": os.cpu_count(), "load": os.getloadavg(), "rounds": a.rounds, **result}, indent=1))
    print(f"\nresults: {out}")
    sys.stdout.flush()
    os._exit(0)
