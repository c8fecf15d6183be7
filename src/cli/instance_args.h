/* SPDX-License-Identifier: Apache-2.0 */
/* instance_args - the options that `run` and `create` share, and the request they make. */
#ifndef CLI_INSTANCE_ARGS_H
#define CLI_INSTANCE_ARGS_H

#include "base/opt.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct request;
struct session;

struct instance_args {
	bool rm, interactive, tty, read_only;
	const char *name, *hostname, *workdir, *user, *network, *platform, *cidfile;
	const char *entrypoint, *stop_signal;
	int isolation, pull; /* pull: enum image_pull_policy */
	uint64_t memory, shm;
	int64_t cpus, pids, stop_timeout, oom_score;
	struct opt_list env, env_file, volume, mount, tmpfs, publish, dns, add_host;
	struct opt_list cap_add, cap_drop, security_opt, label, ulimit, group_add;
};

extern const char *const instance_args_isolations[], *const instance_args_pulls[];

/* Members of struct S, in which the struct instance_args is called M.  Alphabetical. */
#define INSTANCE_ARGS_LIST(S, M, member, name_, letter_, arg_, help_)                              \
	OPT(S, M.member, .name = name_, .letter = letter_, .type = OPT_LIST, .arg = arg_,          \
	    .help = help_)
#define INSTANCE_ARGS_STR(S, M, member, name_, letter_, arg_, help_)                               \
	OPT(S, M.member, .name = name_, .letter = letter_, .type = OPT_STR, .arg = arg_,           \
	    .help = help_)
#define INSTANCE_ARGS_OPTS(S, M)                                                                   \
	INSTANCE_ARGS_LIST(S, M, add_host, "add-host", 0, "NAME:ADDRESS",                          \
			   "add a line to /etc/hosts"),                                            \
	    INSTANCE_ARGS_LIST(S, M, cap_add, "cap-add", 0, "CAP", "add a capability, or ALL"),    \
	    INSTANCE_ARGS_LIST(S, M, cap_drop, "cap-drop", 0, "CAP", "drop a capability, or ALL"), \
	    OPT(S, M.cidfile, .name = "cidfile", .type = OPT_STR, .arg = "FILE",                   \
		.complete = "file", .help = "write the id to a file that does not exist yet"),     \
	    OPT(S, M.cpus, .name = "cpus", .type = OPT_DECIMAL, .arg = "N", .min = 10000000,       \
		.max = 1024000000000,                                                              \
		.help = "processors, such as 1.5; a vm has the next whole number"),                \
	    INSTANCE_ARGS_LIST(S, M, dns, "dns", 0, "ADDRESS", "name server to use"),              \
	    INSTANCE_ARGS_STR(S, M, entrypoint, "entrypoint", 0, "COMMAND",                        \
			      "replace the entry point of the image"),                             \
	    INSTANCE_ARGS_LIST(S, M, env, "env", 'e', "KEY[=VALUE]",                               \
			       "set a variable, or pass on your own"),                             \
	    OPT(S, M.env_file, .name = "env-file", .type = OPT_LIST, .arg = "FILE",                \
		.complete = "file", .help = "read variables from a file, one KEY=VALUE per line"), \
	    INSTANCE_ARGS_LIST(S, M, group_add, "group-add", 0, "GID",                             \
			       "one more group for the process"),                                  \
	    INSTANCE_ARGS_STR(S, M, hostname, "hostname", 'h', "NAME",                             \
			      "host name inside, the short id by default"),                        \
	    OPT(S, M.interactive, .name = "interactive", .letter = 'i', .type = OPT_BOOL,          \
		.help = "keep stdin open"),                                                        \
	    OPT(S, M.isolation, .name = "isolation", .type = OPT_ENUM, .arg = "KIND",              \
		.values = instance_args_isolations, .preset = "container",                         \
		.help = "the wall: namespaces, or a guest kernel"),                                \
	    INSTANCE_ARGS_LIST(S, M, label, "label", 'l', "KEY=VALUE", "attach a label"),          \
	    OPT(S, M.memory, .name = "memory", .letter = 'm', .type = OPT_BYTES, .arg = "SIZE",    \
		.help = "memory limit; the size of a vm"),                                         \
	    INSTANCE_ARGS_LIST(S, M, mount, "mount", 0, "SPEC",                                    \
			       "mount: type=bind|volume|tmpfs,source=..,target=..[,readonly]"),    \
	    INSTANCE_ARGS_STR(S, M, name, "name", 0, "NAME", "name of the instance"),              \
	    OPT(S, M.network, .name = "network", .type = OPT_STR, .arg = "NET",                    \
		.complete = "network", .preset = "bridge",                                         \
		.help = "bridge, none, host, or a network's name"),                                \
	    OPT(S, M.oom_score, .name = "oom-score-adj", .type = OPT_INT, .arg = "N",              \
		.min = -1000, .max = 1000,                                                         \
		.help = "how likely the kernel kills it for want of memory, -1000 to 1000"),       \
	    OPT(S, M.pids, .name = "pids-limit", .type = OPT_INT, .arg = "N", .min = -1,           \
		.max = 4194304, .preset = "2048",                                                  \
		.help = "how many processes it may have, -1 for no limit"),                        \
	    INSTANCE_ARGS_STR(S, M, platform, "platform", 0, "OS/ARCH",                            \
			      "which image of an index"),                                          \
	    INSTANCE_ARGS_LIST(S, M, publish, "publish", 'p', "[[IP:]HOST:]PORT[/PROTO]",          \
			       "publish a port on the host"),                                      \
	    OPT(S, M.pull, .name = "pull", .type = OPT_ENUM, .arg = "WHEN",                        \
		.values = instance_args_pulls, .preset = "missing", .help = "fetch the image"),    \
	    OPT(S, M.read_only, .name = "read-only", .type = OPT_BOOL,                             \
		.help = "mount the root read-only"),                                               \
	    OPT(S, M.rm, .name = "rm", .type = OPT_BOOL,                                           \
		.help = "remove the instance when it has ended"),                                  \
	    INSTANCE_ARGS_LIST(S, M, security_opt, "security-opt", 0, "OPTION",                    \
			       "no-new-privileges, seccomp=unconfined, systempaths=unconfined"),   \
	    OPT(S, M.shm, .name = "shm-size", .type = OPT_BYTES, .arg = "SIZE", .preset = "64m",   \
		.help = "size of /dev/shm"),                                                       \
	    INSTANCE_ARGS_STR(S, M, stop_signal, "stop-signal", 0, "SIGNAL",                       \
			      "signal that asks it to end"),                                       \
	    OPT(S, M.stop_timeout, .name = "stop-timeout", .type = OPT_INT, .arg = "SECONDS",      \
		.min = -1, .max = 1 << 30, .preset = "10",                                         \
		.help = "time between that signal and SIGKILL, -1 for never"),                     \
	    INSTANCE_ARGS_LIST(S, M, tmpfs, "tmpfs", 0, "DIR[:OPTIONS]", "mount a tmpfs"),         \
	    OPT(S, M.tty, .name = "tty", .letter = 't', .type = OPT_BOOL,                          \
		.help = "give it a terminal"),                                                     \
	    INSTANCE_ARGS_LIST(S, M, ulimit, "ulimit", 0, "NAME=SOFT[:HARD]",                      \
			       "resource limit of the process"),                                   \
	    INSTANCE_ARGS_STR(S, M, user, "user", 'u', "USER[:GROUP]", "user by name or id"),      \
	    INSTANCE_ARGS_LIST(S, M, volume, "volume", 'v', "[SOURCE:]DIR[:ro]",                   \
			       "mount a host path or a volume"),                                   \
	    INSTANCE_ARGS_STR(S, M, workdir, "workdir", 'w', "DIR", "working directory inside")

/* argv: image and command.  Strings are borrowed or in a. */
int instance_args_request(const struct instance_args *i, const struct session *s, int argc,
			  char **argv, struct arena *a, struct request *q, struct err *e);

/* KEY=VALUE from what -e and --env-file say. */
struct strs;
int instance_args_env(const struct opt_list *env, const struct opt_list *files,
		      const struct session *s, struct arena *a, struct strs *out, struct err *e);

/* Refuses an existing file before anything is made; then writes the id. */
int instance_args_cidfile_check(const char *path, struct err *e);
int instance_args_cidfile_write(const char *path, const char *id, struct err *e);

#endif
