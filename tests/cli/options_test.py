# SPDX-License-Identifier: Apache-2.0
"""What is made of the command table: help, manual pages, completion; that every option is used by some test; global options."""
import json, os, pathlib, re, shutil, subprocess

from caisson_test import BUILD, TOP, check, main, same, test

T = "caisson/tiny"


def table(env):
    return env.run("__gen", "json").ok().json()


@test
def every_option_is_named_in_some_test(env):
    text = "".join(p.read_text() for p in (TOP / "tests").rglob("*.py"))
    long = set(re.findall(r"--([a-z][a-z0-9-]*)", text))
    letters = set(re.findall(r"[\"' ]-([A-Za-z]+)[\"' =]", text))
    missing = []
    for c in table(env)["commands"]:
        for o in c["options"]:
            if o["name"] not in long and not any(o["letter"] and o["letter"] in combined for combined in letters):
                missing.append(f"{c['name']} --{o['name']}")
    same(missing, [], "options without a test")


@test
def help_names_every_option_once(env):
    for c in table(env)["commands"]:
        text = env.run(*c["name"].split(), "--help").ok().out
        for o in c["options"]:
            same(len(re.findall(rf"^  .{{0,4}}--{o['name']}[= ]", text, re.M)), 1, f"{c['name']} --help: --{o['name']}")


@test
def every_command_has_a_page_of_the_manual(env):
    pages = BUILD / "share/man/man1"
    for c in table(env)["commands"]:
        page = pages / f"caisson-{c['name'].replace(' ', '-')}.1"
        text = page.read_text()
        for o in c["options"]:
            check("\\-\\-" + o["name"].replace("-", "\\-") in text, f"{page.name}: --{o['name']}")
        if shutil.which("groff"):
            r = subprocess.run(["groff", "-man", "-ww", "-z", str(page)], capture_output=True, text=True)
            same((r.returncode, r.stderr), (0, ""), page.name)


def complete(env, *words):
    return [line.split("\t")[0] for line in env.run("__complete", "--", *words).ok().out.splitlines()]


@test(needs="root,netns")
def completion_offers_commands_options_values_and_names(env):
    env.run("create", "--name", "comp-one", T, "true").ok()
    env.run("create", "--name", "comp-two", "-v", "comp-vol:/x", T, "true").ok()
    for words, want in ((("ru",), ["run"]), (("container", "pru"), ["prune"]), (("system", "in"), ["info"]), (("image", "l"), ["ls", "list", "load"]),
                        (("run", "--isolation", "v"), ["vm"]), (("run", "--isolation=hy"), ["hyperv"]), (("run", "--rm", "caisson/"), [T + ":latest"]),
                        (("rm", "comp-"), ["comp-one", "comp-two"]), (("container", "rm", "-f", "comp-o"), ["comp-one"]), (("run", "--network", "no"), ["none"]),
                        (("run", "--env-file", ""), [":file"]), (("run", T, "--is"), [":file"]), (("run", "--link"), []), (("nonsense", "x"), [])):
        got = complete(env, *words)
        check(sorted(got) == sorted(want) if want != ["ls", "list", "load"] else set(want) <= set(got), f"{words}: {got}, want {want}")
    check({"run", "ps", "container", "image", "system"} <= set(complete(env, "")), "first words")
    check("store" not in complete(env, "run", "--"), "options")
    env.run("rm", "comp-one", "comp-two").ok()


@test(needs="root")
def the_scripts_of_the_shells(env):
    script = env.run("completion", "bash").ok().out
    test = script + """
caisson() { :; }
PATH="%s:$PATH"
COMP_LINE="$1"; COMP_POINT=${#COMP_LINE}
_caisson; printf '%%s\\n' "${COMPREPLY[@]}"
""" % BUILD
    test = test.replace('"${words[0]}" __complete', f'"{BUILD}/caisson" --root "{env.root}" --run-root "{env.run_root}" __complete')
    for line, want in (("caisson compl", "completion\n"), ("caisson run --isolation v", "vm\n"), ("caisson container pru", "prune\n"),
                       ("caisson run --cgroupns=h", "host\n")):
        r = subprocess.run(["bash", "-c", test, "x", line], capture_output=True, text=True)
        same((r.stdout, r.stderr), (want, ""), line)
    for shell, check_only in (("zsh", ["-n"]), ("fish", ["-n"])):
        f = env.tmp / f"c.{shell}"
        f.write_text(env.run("completion", shell).ok().out)
        if shutil.which(shell):
            same(subprocess.run([shell, *check_only, str(f)], capture_output=True, text=True).stderr, "", shell)
    env.run("completion", "csh").error(2, "csh")


@test(needs="root")
def groups_are_dockers(env):
    for words in (("container", "ls", "-a"), ("container", "ps"), ("container", "list"), ("image", "ls"), ("image", "list"), ("system", "info"), ("system", "df"),
                  ("container", "prune", "--force"), ("image", "prune", "--force")):
        env.run(*words).ok()
    env.run("container", "create", "--name", "grp", T, "true").ok()
    env.run("container", "inspect", "grp").ok()
    env.run("container", "rm", "grp").ok()
    env.run("container", "pull", T).error(2, "container")
    env.run("container", "container", "ls").error(2, "container")


@test(needs="root")
def options_too_small_for_a_test_of_their_own(env):
    check("DIGEST" in env.run("images", "--digests").ok().out, "images --digests")
    env.run("compare", "--max-time", "soon", T).error(2, "--max-time")
    env.run("run", "--rm", "--sig-proxy=maybe", T).error(2, "--sig-proxy")
    env.run("start", "--detach-keys", "", "no-such").error(1, "no-such")


@test(needs="root")
def global_options(env):
    exe = [str(BUILD / "caisson")]
    def run(*args, **kw):
        return subprocess.run(exe + list(args), capture_output=True, text=True, env={**env.os_env, **kw})
    for flags in (("-H", "tcp://x"), ("--host=unix:///x",), ("-D",), ("--debug",), ("--log-level", "debug"), ("-l", "info"), ("--context", "other"),
                  ("--tls",), ("--tlsverify",), ("--tlscacert", "x"), ("--tlscert", "x"), ("--tlskey", "x")):
        r = run(*flags, "version")
        check(r.returncode == 1 and r.stderr.startswith("caisson: --") and "not possible" in r.stderr, f"{flags}: {r.returncode} {r.stderr}")
    same(run("--context", "default", "version").returncode, 0, "--context default")
    same(run("-c", "default", "--version").returncode, 0, "-c default")
    # Credentials are looked up there.
    d = env.tmp / "config"
    d.mkdir()
    (d / "config.json").write_text("no JSON")
    r = run("--config", str(d), "logout", "localhost:1")
    check(r.returncode == 1 and "config.json" in r.stderr, f"--config: {r.returncode} {r.stderr}")


main()
