/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/unitfile.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/lookup.h"
#include "engine/request.h"
#include "engine/runwords.h"
#include "engine/session.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What `stop` itself may take beside the time it leaves the instance. */
#define MARGIN_S 20
#define STOP_S	 10

struct unit {
	const struct session *s;
	const struct unitfile_opts *o;
	const struct request *q;
	const char *who;
	struct buf *out;
};

/* One word of a line, so that systemd reads the same bytes.  variables: of a command, where '$'
 * would stand for one. */
static void word(struct buf *out, const char *s, bool variables)
{
	bool plain = *s && !s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					"0123456789_./=:,@+-")];

	if (!plain)
		buf_puts(out, "\"");
	for (; *s; s++) {
		if (iscntrl((unsigned char)*s))
			buf_printf(out, "\\x%02x", (unsigned int)(unsigned char)*s);
		else if (*s == '"' || *s == '\\')
			buf_printf(out, "\\%c", *s);
		else if (*s == '%' || (*s == '$' && variables))
			buf_printf(out, "%c%c", *s, *s);
		else
			buf_add(out, s, 1);
	}
	if (!plain)
		buf_puts(out, "\"");
}

static void words(struct buf *out, const char *const *v)
{
	for (; *v; v++) {
		buf_puts(out, " ");
		word(out, *v, true);
	}
}

/* "KEY=PROGRAM --root DIR --run-root DIR": the program's own path knows no variables. */
static void command(const struct unit *u, const char *key, const char *const *v)
{
	const char *const roots[] = {"--root", u->s->root, "--run-root", u->s->run_root, NULL};

	buf_puts(u->out, key);
	word(u->out, u->s->self, false);
	words(u->out, roots);
	words(u->out, v);
}

static void stop(const struct unit *u, const char *key)
{
	const char *const plain[] = {"stop", u->who, NULL};
	char seconds[24];
	const char *const timed[] = {"stop", "--time", seconds, u->who, NULL};

	snprintf(seconds, sizeof(seconds), "%" PRId64, u->o->stop_s);
	command(u, key, u->o->stop_s == UNITFILE_OWN_TIME ? plain : timed);
	buf_puts(u->out, "\n");
}

static void section_unit(const struct unit *u, const char *name)
{
	buf_printf(u->out, "# caisson-%s.service\n[Unit]\nDescription=caisson instance %s\n",
		   u->who, name);
	/* A user's systemd knows no such target. */
	if (!u->s->users_fd)
		buf_puts(
		    u->out,
		    "Wants=network-online.target\nAfter=network-online.target local-fs.target\n");
	buf_puts(u->out, "RequiresMountsFor=");
	word(u->out, u->s->root, false);
	buf_puts(u->out, "\n");
}

static void times(const struct unit *u)
{
	int64_t own = u->q->stop_timeout_s.set ? u->q->stop_timeout_s.v : STOP_S;
	int64_t stop_s = u->o->stop_s == UNITFILE_OWN_TIME ? own : u->o->stop_s;

	buf_printf(u->out, "Restart=%s\n", u->o->restart);
	if (u->o->restart_s >= 0)
		buf_printf(u->out, "RestartSec=%" PRId64 "\n", u->o->restart_s);
	if (stop_s < 0)
		buf_puts(u->out, "TimeoutStopSec=infinity\n");
	else
		buf_printf(u->out, "TimeoutStopSec=%" PRId64 "\n", stop_s + MARGIN_S);
	/* To get the image or boot the vm. */
	buf_puts(u->out, "TimeoutStartSec=infinity\n");
	/* 128 + the signals that systemd takes for an orderly end: HUP, INT, PIPE, TERM. */
	buf_puts(u->out, "SuccessExitStatus=129 130 141 143\n");
	/* What else lives in the unit's cgroup may serve other instances, too (the holder of an
	 * ordinary user's namespaces); the instance itself is ended by the commands below. */
	buf_puts(u->out, "KillMode=process\n");
}

static int section_service(const struct unit *u, struct arena *a, struct err *e)
{
	const char *const start[] = {"start", "--attach", u->who, NULL};
	const char *const run[] = {"run", "--rm", "--name", u->who, NULL};
	const char *const rm[] = {"rm", "--force", u->who, NULL};
	struct strs v = {0};
	int r = u->o->fresh ? runwords_make(u->q, a, &v, e) : 0;

	if (r < 0)
		return r;
	buf_puts(u->out, "\n[Service]\nType=exec\n");
	times(u);
	if (u->o->fresh) {
		command(u, "ExecStartPre=-", rm);
		buf_puts(u->out, "\n");
	}
	command(u, "ExecStart=", u->o->fresh ? run : start);
	if (v.n)
		words(u->out, v.v);
	buf_puts(u->out, "\n");
	stop(u, "ExecStop=");
	/* Also when the command in front was killed, and ExecStop= is left out. */
	if (u->o->fresh) {
		command(u, "ExecStopPost=-", rm);
		buf_puts(u->out, "\n");
	} else {
		stop(u, "ExecStopPost=");
	}
	return 0;
}

static int check(const struct unit *u, const struct instance *i, struct err *e)
{
	if (u->q->restart && *u->q->restart && !streq(u->q->restart, "no"))
		return err_set(e, ERR_CONFLICT,
			       "instance '%s' has the restart policy %s, and systemd would start "
			       "it, too: caisson update --restart no %s",
			       i->name, u->q->restart, i->name);
	if (i->auto_remove && !u->o->fresh)
		return err_set(e, ERR_CONFLICT,
			       "instance '%s' was run with --rm: nothing is left of it to start "
			       "again; --new makes a new one each time",
			       i->name);
	if (u->q->tty && u->q->open_stdin)
		return err_set(e, ERR_UNSUPPORTED,
			       "instance '%s' was made with -it, and a unit has no terminal",
			       i->name);
	return 0;
}

int unitfile_write(const struct session *s, const struct lookup *l, const struct unitfile_opts *o,
		   struct buf *out, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct request q = {0};
	struct unit u = {.s = s, .o = o, .q = &q, .out = out};
	int r =
	    jbind_parse(&request_table, l->i.request, strlen(l->i.request), &q, &a, "request", e);

	/* A new one at each start has a new id each time. */
	u.who = o->by_name || o->fresh ? l->i.name : l->i.id;
	if (r == 0)
		r = check(&u, &l->i, e);
	if (r < 0)
		return r;
	section_unit(&u, l->i.name);
	r = section_service(&u, &a, e);
	if (r < 0)
		return err_wrap(e, r, "instance '%s'", l->i.name);
	buf_printf(out, "\n[Install]\nWantedBy=%s\n",
		   s->users_fd ? "default.target" : "multi-user.target");
	return 0;
}
