/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/compare.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "compare/compare_int.h"
#include "compare/sample.h"
#include "engine/session.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/path.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

/* Of the whole time: rounds begin before this share of it is over; the rest is for what comes after
 * them, and for a round that takes longer than the one before. */
#define ROUNDS_SHARE 0.5
#define COMMAND_NS   10000000000 /* the least that a command is waited for */
#define NARROW_FROM  6		 /* below, no interval holds the median with 95 % */

/* Set by SIGINT: what was measured until then is the report. */
static volatile sig_atomic_t interrupted;

static void interrupt(int sig)
{
	interrupted = 1;
}

bool compare_interrupted(void)
{
	return interrupted;
}

void compare_progress(struct compare *c, const char *what)
{
	double all = (double)(c->end_ns - c->begin_ns);

	if (c->q->progress)
		c->q->progress(what, (double)(trace_now_ns() - c->begin_ns) / all,
			       c->q->progress_arg);
}

void compare_reap(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

void compare_complain(const struct sample *m, struct err *e)
{
	const char *said = m->err_end[0] ? m->err_end : m->out;
	size_t n = strlen(said);
	const char *last = said;

	while (n && said[n - 1] == '\n')
		n--;
	for (size_t i = 0; i + 1 < n; i++)
		if (said[i] == '\n')
			last = said + i + 1;
	n -= (size_t)(last - said);
	if (n > 9 && str_after(last, "caisson: ")) {
		last += 9;
		n -= 9;
	}
	err_set(e, ERR_SYSTEM, "exit code %d%s%.*s", m->code, n ? ": " : "", (int)n, last);
}

int compare_call(struct compare *c, const struct strs *argv, struct sample *out, struct err *e)
{
	struct sample m;
	int r = sample_run(argv->v, c->env, COMPARE_START_NS, &m, e);

	if (r == 0 && m.code) {
		compare_complain(&m, e);
		r = -EIO;
	}
	if (r == 0 && out)
		*out = m;
	return r;
}

/* ---- rounds ---- */

static bool enough(struct compare *c)
{
	bool all = true;

	for (unsigned int s = 0; s < REPORT_SUBJECT_MAX_; s++) {
		struct subject *u = &c->subjects[s];

		if (!u->off && !u->narrow && c->report->rounds >= NARROW_FROM)
			u->narrow = turn_narrow(c, (enum report_subject)s);
		all = all && (u->off || u->narrow);
	}
	return all;
}

static void one_round(struct compare *c)
{
	enum report_subject order[REPORT_SUBJECT_MAX_];
	unsigned int salt[REPORT_SUBJECT_MAX_] = {0};

	if (getrandom(salt, sizeof(salt), 0) != sizeof(salt))
		salt[0] = 0; /* some order then */
	for (unsigned int i = 0; i < REPORT_SUBJECT_MAX_; i++) {
		/* The warm-up is in order: what hangs does so as a host process first. */
		unsigned int j = c->counting ? salt[i] % (i + 1) : i;

		order[i] = order[j];
		order[j] = (enum report_subject)i;
	}
	for (unsigned int i = 0; i < REPORT_SUBJECT_MAX_; i++) {
		const struct subject *u = &c->subjects[order[i]];

		if (u->off || u->narrow || interrupted)
			continue;
		turn_once(c, order[i]);
		noise_loop(c);
	}
}

static void rounds(struct compare *c)
{
	int64_t all = c->end_ns - c->begin_ns, began, last = 0;
	char what[64];

	compare_progress(c, "warming up");
	one_round(c);
	c->counting = true;
	for (uint64_t n = 1; n <= c->q->samples; n++) {
		began = trace_now_ns();
		if (interrupted || enough(c) ||
		    (n > 1 &&
		     began + last / 2 > c->begin_ns + (int64_t)(ROUNDS_SHARE * (double)all)))
			return;
		snprintf(what, sizeof(what), "round %u of at most %u", (unsigned int)n,
			 (unsigned int)c->q->samples);
		compare_progress(c, what);
		one_round(c);
		last = trace_now_ns() - began;
		if (!interrupted)
			c->report->rounds = n;
	}
}

/* ---- before and after ---- */

static int copy_workload(struct compare *c, struct err *e)
{
	const char *from = arena_printf(c->arena, "%s/caisson-workload", c->s->libexec);
	const char *to = arena_printf(c->arena, "%s/context/caisson-workload", c->dir);
	auto_fd int in = open(from, O_RDONLY | O_CLOEXEC);
	auto_fd int out = -1;
	ssize_t n;

	if (in < 0)
		return err_sys(e, "'%s'", from);
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	if (out < 0)
		return err_sys(e, "'%s'", to);
	n = fd_copy(in, out);
	if (n < 0 || fchmod(out, 0755) < 0) {
		errno = n < 0 ? (int)-n : errno;
		return err_sys(e, "'%s'", to);
	}
	c->workload = to;
	return 0;
}

static int write_text(const char *path, const char *text, struct err *e)
{
	auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 || fd_write_all(fd, text, strlen(text)) < 0)
		return err_sys(e, "'%s'", path);
	return 0;
}

static int make_dir(struct compare *c, struct err *e)
{
	char *dir = arena_printf(c->arena, "%s/compare-XXXXXX", c->s->root);
	int r;

	if (!mkdtemp(dir))
		return err_sys(e, "'%s'", dir);
	c->dir = dir;
	c->trace = arena_printf(c->arena, "%s/trace", dir);
	c->secret = arena_printf(c->arena, "%s/secret", dir);
	if (mkdir(arena_printf(c->arena, "%s/context", dir), 0755) < 0 ||
	    mkdir(arena_printf(c->arena, "%s/io", dir), 0700) < 0)
		return err_sys(e, "'%s'", dir);
	r = write_text(c->trace, "", e);
	if (r == 0)
		r = write_text(c->secret, "of the host\n", e);
	return r < 0 ? r : copy_workload(c, e);
}

static void make_env(struct compare *c)
{
	struct strs env = {0};

	for (char **v = c->s->environment; v && *v; v++)
		if (!str_after(*v, "CAISSON_TRACE="))
			arena_strs_add(c->arena, &env, *v);
	arena_strs_add(c->arena, &env, arena_printf(c->arena, "CAISSON_TRACE=%s", c->trace));
	c->env = env.v;
}

/* IMAGE and our program on top: the same for every subject, and for other engines, too. */
static int build_image(struct compare *c, struct err *e)
{
	struct strs v = subject_up(c, REPORT_CONTAINER);
	const char *context = arena_printf(c->arena, "%s/context", c->dir);
	const char *words[] = {"build", "-q", "-t", NULL, context, NULL};
	int r;

	c->image = arena_printf(c->arena, "caisson-compare/%08x", c->salt);
	words[3] = c->image;
	r = write_text(arena_printf(c->arena, "%s/Dockerfile", context),
		       arena_printf(c->arena, "FROM %s\nCOPY caisson-workload " COMPARE_INSIDE "\n",
				    c->q->image),
		       e);
	subject_add(c, &v, words);
	return r < 0 ? r : compare_call(c, &v, NULL, e);
}

/* "2 cpus", or "1 of 2 cpus" where we may not use all. */
static const char *processors(struct compare *c)
{
	long all = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t set;
	int ours = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : (int)all;

	return ours < all ? arena_printf(c->arena, "%d of %ld cpus", ours, all)
			  : arena_printf(c->arena, "%ld cpu%s", all, all == 1 ? "" : "s");
}

static void describe(struct compare *c)
{
	auto_buf struct buf cmd = BUF_INIT(4096);
	time_t now = time(NULL);
	struct tm tm;
	struct utsname u;
	char date[64] = "";

	for (size_t i = 0; i < c->q->command.n; i++)
		buf_printf(&cmd, "%s%s", i ? " " : "", c->q->command.v[i]);
	c->report->command = arena_dup(c->arena, cmd.len ? cmd.p : "uname -r");
	c->report->image = c->q->image;
	if (gmtime_r(&now, &tm))
		strftime(date, sizeof(date), "%Y-%m-%d %H:%M UTC", &tm);
	c->report->date = arena_dup(c->arena, date);
	c->report->machine = "unknown machine";
	if (uname(&u) == 0)
		c->report->machine =
		    arena_printf(c->arena, "%s, %s %s", processors(c), u.sysname, u.release);
}

static void measure_all(struct compare *c)
{
	for (unsigned int s = 0; s < REPORT_SUBJECT_MAX_; s++)
		if (!c->subjects[s].off && !interrupted) {
			compare_progress(
			    c, arena_printf(c->arena, "preparing %s", report_subject_names[s]));
			subject_prepare(c, (enum report_subject)s);
		}
	noise_begin(c);
	rounds(c);
	if (!interrupted)
		published_all(c);
	if (!interrupted)
		replica_all(c);
	if (!interrupted)
		density_all(c);
	/* The last: other engines forget the image for it. */
	if (!interrupted)
		imagepull_all(c);
	noise_end(c);
}

/* Cells that nobody came to. */
static void explain(struct compare *c)
{
	for (unsigned int s = 0; s < REPORT_SUBJECT_MAX_; s++)
		for (unsigned int row = 0; row < REPORT_PHASES; row++)
			report_missing(c->report, row, (enum report_subject)s,
				       interrupted ? "it was interrupted before"
						   : "the time was over (--max-time)");
}

static int nothing_ran(const struct compare *c, struct err *e)
{

	static const enum report_subject ours[] = {REPORT_ROOTLESS, REPORT_VM, REPORT_COLD,
						   REPORT_POD, REPORT_CONTAINER};
	const char *why = "nothing ran";

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		const struct report_who *w = &c->report->who[ours[i]];

		if (!c->subjects[ours[i]].off)
			return 0;
		if (w->why && c->subjects[ours[i]].tried)
			why = w->why;
	}
	return err_set(e, ERR_SYSTEM, "compare '%s': %s", c->q->image, why);
}

/* The state directory is made by a command of its own: ours stays outside of the namespaces in
 * which an ordinary user's engine works, as the ones that are measured begin there. */
static int make_store(struct compare *c, struct err *e)
{
	const char *argv[] = {c->s->self,     "--root", c->s->root, "--run-root",
			      c->s->run_root, "images", "-q",	    NULL};
	const struct strs v = {argv, 7};
	struct strs env = {0};

	for (char **p = c->s->environment; p && *p; p++)
		arena_strs_add(c->arena, &env, *p);
	c->env = env.v;
	return compare_call(c, &v, NULL, e);
}

static int run(struct compare *c, struct err *e)
{
	struct sigaction before, pipe_before;
	int r = make_store(c, e);

	if (r == 0)
		r = make_dir(c, e);
	if (r < 0)
		return r;
	make_env(c);
	subject_init(c);
	interrupted = 0;
	sigaction(SIGINT, &(struct sigaction){.sa_handler = interrupt}, &before);
	/* Workloads end while we still talk to them. */
	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, &pipe_before);
	compare_progress(c, "preparing the image");
	r = build_image(c, e);
	if (r < 0)
		err_wrap(e, r, "compare '%s'", c->q->image);
	else
		measure_all(c);
	subject_sweep(c);
	sigaction(SIGINT, &before, NULL);
	sigaction(SIGPIPE, &pipe_before, NULL);
	c->report->partial = interrupted;
	return interrupted && r < 0
		   ? err_set(e, ERR_CANCELED, "compare '%s': interrupted", c->q->image)
		   : r;
}

int compare_run(struct session *s, const struct compare_request *q, struct arena *a,
		struct report *out, struct err *e)
{
	struct compare *c = arena_alloc(a, sizeof(*c));
	int r;

	*c = (struct compare){.s = s, .q = q, .arena = a, .report = out};
	*out = (struct report){.arena = a};
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return err_sys(e, "become a subreaper");
	if (getrandom(&c->salt, sizeof(c->salt), 0) != sizeof(c->salt))
		c->salt = (unsigned int)getpid();
	c->begin_ns = trace_now_ns();
	c->end_ns = c->begin_ns + q->max_time_ns;
	c->command_ns = q->max_time_ns / 10 > COMMAND_NS ? q->max_time_ns / 10 : COMMAND_NS;
	describe(c);
	r = run(c, e);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	if (c->dir)
		path_remove(AT_FDCWD, c->dir);
	if (r < 0)
		return r;
	if (out->partial && !out->rounds)
		return err_set(e, ERR_CANCELED, "compare '%s': interrupted before a round was over",
			       q->image);
	explain(c);
	out->took_ns = trace_now_ns() - c->begin_ns;
	return nothing_ran(c, e);
}
