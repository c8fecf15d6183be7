#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Health checks: times, bounds, what an image says."""
import json, time

from caisson_test import check, main, same, test, wait_for
from oci_image import Layout, busybox_layer

TINY = "caisson/tiny"


def health(env, name):
    return env.run("inspect", "-f", "{{json .State.Health}}", name).ok().json()


def make(env, name, cmd, *flags):
    env.run("run", "-d", "--name", name, "--network", "none", "--health-cmd", cmd, "--health-interval", "100ms", *flags, TINY, "sleep", "1000").ok()


@test(needs="root")
def a_check_that_hangs_is_killed(env):
    make(env, "h", "echo begun; sleep 100", "--health-timeout", "300ms", "--health-retries", "1")
    wait_for(lambda: health(env, "h")["Status"] == "unhealthy", what="unhealthy")
    last = health(env, "h")["Log"][-1]
    same(last["ExitCode"], -1)
    check("exceeded timeout" in last["Output"], last)
    # One may still be dying while the next has begun.
    wait_for(lambda: env.run("top", "h", "-o", "args").ok().out.count("sleep 100\n") <= 1, what="checks do not pile up")
    env.run("rm", "-f", "h").ok()


@test(needs="root")
def output_and_log_are_bounded(env):
    make(env, "b", "yes | head -c 100000; exit 1")
    wait_for(lambda: health(env, "b")["FailingStreak"] > 5, what="more than five results")
    same([len(r["Output"]) for r in health(env, "b")["Log"]], [4096] * 5)
    env.run("rm", "-f", "b").ok()


@test(needs="root")
def failures_in_the_start_period_do_not_count(env):
    make(env, "s", "test -e /tmp/up", "--health-start-period", "100s", "--health-start-interval", "100ms", "--health-retries", "1", "--health-interval", "200ms")
    wait_for(lambda: len(health(env, "s")["Log"]) >= 3, what="three results")
    same((health(env, "s")["Status"], health(env, "s")["FailingStreak"]), ("starting", 0))
    env.run("exec", "s", "touch", "/tmp/up").ok()
    wait_for(lambda: health(env, "s")["Status"] == "healthy", what="healthy ends the start period")
    env.run("exec", "s", "rm", "/tmp/up").ok()
    wait_for(lambda: health(env, "s")["Status"] == "unhealthy", what="then one failure counts")
    env.run("rm", "-f", "s").ok()


@test(needs="root")
def what_cannot_run_is_a_failure(env):
    env.run("run", "-d", "--name", "n", "--network", "none", "--health-cmd", "/no/such", "--health-interval", "100ms", "--health-retries", "1", TINY, "sleep", "1000").ok()
    wait_for(lambda: health(env, "n")["Status"] == "unhealthy", what="unhealthy")
    env.run("pause", "n").ok()
    n = health(env, "n")["FailingStreak"]
    time.sleep(0.4)
    check(health(env, "n")["FailingStreak"] <= n + 1, "a paused instance is asked")
    env.run("rm", "-f", "n").ok()
    env.run("run", "--no-healthcheck", "--health-cmd", "true", TINY, "true").error(2, "--no-healthcheck")
    env.run("run", "--health-interval", "x", TINY, "true").error(2, "--health-interval")


@test(needs="root")
def an_image_says_what_to_ask(env):
    lay = Layout(env.tmp / "layout")
    check_ = {"Test": ["CMD", "test", "-e", "/bin/busybox"], "Interval": 200000000, "Retries": 1}
    lay.image([(busybox_layer(), "gzip")], {"Healthcheck": check_, "Cmd": ["/bin/sleep", "1000"]}, tag="h")
    env.run("pull", f"oci:{lay.path}:h").ok()
    name = env.run("images", "--format", "{{.Repository}}:{{.Tag}}").ok().out.splitlines()[0]
    image = env.run("images", "-q").ok().out.split()[0]
    env.run("run", "-d", "--name", "i", "--network", "none", image).ok()
    same(env.run("inspect", "-f", "{{json .Config.Healthcheck}}", "i").ok().json(), check_, name)
    wait_for(lambda: health(env, "i")["Status"] == "healthy", what="healthy")
    env.run("run", "-d", "--name", "o", "--network", "none", "--health-cmd", "exit 1", image).ok()
    wait_for(lambda: health(env, "o")["Status"] == "unhealthy", what="another command, the image's times")
    env.run("run", "-d", "--name", "x", "--network", "none", "--no-healthcheck", image).ok()
    same(env.run("inspect", "-f", "{{.State.Health}}", "x").ok().out, "<no value>\n")
    check("health" not in env.run("ps", "--filter", "name=x").out, "a check that was switched off")
    env.run("rm", "-f", "i", "o", "x").ok()


main()
