/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/request.h"
#include "base/err.h"
#include "base/str.h"
#include "spec/plan.h"

#include <ctype.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define F(m, type, ...) JB(struct request, m, #m, type, ##__VA_ARGS__)

static const struct jbind_field fields[] = {
    F(image, JBIND_STR),
    F(name, JBIND_STR),
    F(isolation, JBIND_ENUM, .names = plan_isolation_names),
    F(platform, JBIND_STR),
    F(args, JBIND_STRS),
    F(env, JBIND_STRS),
    F(entrypoint, JBIND_STRS),
    F(entrypoint_set, JBIND_BOOL),
    F(workdir, JBIND_STR),
    F(user, JBIND_STR),
    F(hostname, JBIND_STR),
    F(group_add, JBIND_STRS),
    F(tty, JBIND_BOOL),
    F(open_stdin, JBIND_BOOL),
    F(auto_remove, JBIND_BOOL),
    F(read_only, JBIND_BOOL),
    F(init, JBIND_BOOL),
    F(volumes, JBIND_STRS),
    F(mounts, JBIND_STRS),
    F(tmpfs, JBIND_STRS),
    F(shm_bytes, JBIND_UINT),
    F(network, JBIND_STR),
    F(publish, JBIND_STRS),
    F(dns, JBIND_STRS),
    F(hosts, JBIND_STRS),
    F(memory_bytes, JBIND_UINT),
    F(nano_cpus, JBIND_INT),
    F(pids, JBIND_OPTINT),
    F(ulimits, JBIND_STRS),
    F(oom_score, JBIND_OPTINT),
    F(cap_add, JBIND_STRS),
    F(cap_drop, JBIND_STRS),
    F(security_opt, JBIND_STRS),
    F(labels, JBIND_STRS),
    F(stop_signal, JBIND_STR),
    F(stop_timeout_s, JBIND_OPTINT),
    JB_END,
};
const struct jbind request_table = {.size = sizeof(struct request), .fields = fields};

static const struct {
	const char *name;
	int sig;
} signals[] = {
    {"SIGHUP", SIGHUP},	  {"SIGINT", SIGINT},	    {"SIGQUIT", SIGQUIT}, {"SIGILL", SIGILL},
    {"SIGTRAP", SIGTRAP}, {"SIGABRT", SIGABRT},	    {"SIGBUS", SIGBUS},	  {"SIGFPE", SIGFPE},
    {"SIGKILL", SIGKILL}, {"SIGUSR1", SIGUSR1},	    {"SIGSEGV", SIGSEGV}, {"SIGUSR2", SIGUSR2},
    {"SIGPIPE", SIGPIPE}, {"SIGALRM", SIGALRM},	    {"SIGTERM", SIGTERM}, {"SIGSTKFLT", SIGSTKFLT},
    {"SIGCHLD", SIGCHLD}, {"SIGCONT", SIGCONT},	    {"SIGSTOP", SIGSTOP}, {"SIGTSTP", SIGTSTP},
    {"SIGTTIN", SIGTTIN}, {"SIGTTOU", SIGTTOU},	    {"SIGURG", SIGURG},	  {"SIGXCPU", SIGXCPU},
    {"SIGXFSZ", SIGXFSZ}, {"SIGVTALRM", SIGVTALRM}, {"SIGPROF", SIGPROF}, {"SIGWINCH", SIGWINCH},
    {"SIGIO", SIGIO},	  {"SIGPWR", SIGPWR},	    {"SIGSYS", SIGSYS},	  {"SIGPOLL", SIGPOLL},
    {"SIGIOT", SIGIOT},
};

/* "RTMIN", "RTMIN+3", "RTMAX-2": images of systemd ask for SIGRTMIN+3 to be stopped. */
static int realtime_signal(const char *s)
{
	const char *rest = str_after(s, "RTMIN");
	bool min = rest != NULL;
	long off = 0;
	char *end;

	if (!rest)
		rest = str_after(s, "RTMAX");
	if (!rest)
		return -1;
	if (*rest) {
		if (*rest != (min ? '+' : '-') || !isdigit((unsigned char)rest[1]))
			return -1;
		off = strtol(rest + 1, &end, 10);
		if (*end || off > SIGRTMAX - SIGRTMIN)
			return -1;
	}
	return min ? SIGRTMIN + (int)off : SIGRTMAX - (int)off;
}

int request_signal(const char *s, struct err *e)
{
	const char *name = strncasecmp(s, "SIG", 3) == 0 ? s + 3 : s;
	char *end;
	long n;

	if (isdigit((unsigned char)*s)) {
		n = strtol(s, &end, 10);
		if (!*end && n > 0 && n <= 64)
			return (int)n;
		return err_set(e, ERR_USAGE, "invalid signal '%s'", s);
	}
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (strcasecmp(signals[i].name + 3, name) == 0)
			return signals[i].sig;
	n = realtime_signal(name);
	return n > 0 ? (int)n : err_set(e, ERR_USAGE, "invalid signal '%s'", s);
}

const char *request_signal_name(int sig)
{
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (signals[i].sig == sig)
			return signals[i].name;
	return NULL;
}

/* RFC 1123 labels, as the kernel and resolvers want them: at most 64 bytes (sethostname(2)). */
static int check_hostname(const char *s, struct err *e)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && !(i && strchr("-._", s[i])))
			n = 0;
	if (!n || n > 64)
		return err_set(e, ERR_USAGE,
			       "invalid hostname '%.80s': letters, digits, '-' and '.', at most 64",
			       s);
	return 0;
}

static int check_env(const struct strs *env, struct err *e)
{
	for (size_t i = 0; i < env->n; i++)
		if (*env->v[i] == '=' || !strchr(env->v[i], '='))
			return err_set(e, ERR_USAGE, "invalid environment variable '%.80s'",
				       env->v[i]);
	return 0;
}

static int check_vm(const struct request *q, struct err *e)
{
	if (q->network && streq(q->network, "host"))
		return err_set(e, ERR_UNSUPPORTED,
			       "--network host is not possible with --isolation vm: a guest kernel "
			       "has its own interfaces");
	if (q->memory_bytes && q->memory_bytes < 96u << 20)
		return err_set(e, ERR_USAGE,
			       "--memory of a vm is at least 96m: its kernel needs some");
	return 0;
}

int request_check(const struct request *q, struct err *e)
{
	int r = 0;

	if (!q->image || !*q->image)
		return err_set(e, ERR_USAGE, "no image named");
	/* Docker's minimum: below it not even the runtime's own pages fit. */
	if (q->memory_bytes && q->memory_bytes < 6u << 20)
		return err_set(e, ERR_USAGE, "--memory is at least 6m");
	if (q->hostname && (r = check_hostname(q->hostname, e)) < 0)
		return r;
	if ((r = check_env(&q->env, e)) < 0)
		return r;
	if (q->workdir && *q->workdir != '/')
		return err_set(e, ERR_USAGE, "--workdir '%.80s' is not an absolute path",
			       q->workdir);
	if (q->stop_signal && (r = request_signal(q->stop_signal, e)) < 0)
		return r;
	if (q->publish.n && q->network && !streq(q->network, "bridge") &&
	    (streq(q->network, "host") || streq(q->network, "none")))
		return err_set(e, ERR_USAGE, "--publish has no meaning with --network %s",
			       q->network);
	if (q->hostname && q->network && streq(q->network, "host"))
		return err_set(e, ERR_USAGE, "conflicting options: --hostname and --network host");
	return q->isolation == PLAN_VM ? check_vm(q, e) : 0;
}
