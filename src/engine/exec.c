/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/exec.h"
#include "base/err.h"
#include "engine/plan_build.h"
#include "engine/request.h"
#include "engine/session.h"
#include "spec/plan.h"
#include "store/image.h"
#include "store/instance.h"
#include "store/store.h"

#include <string.h>

/* The process as the instance's own is, then what differs.  The plan is built anew from the record:
 * the monitor does not keep it in a form to be asked for. */
static int base_process(struct session *s, const struct instance *i, struct image **image,
			struct arena *a, struct plan *p, struct err *e)
{
	struct request *q = arena_alloc(a, sizeof(*q));
	struct plan_rootfs none = {0};
	struct plan_input in = {
	    .root = store_root_path(s->store),
	    .run_root = store_run_path(s->store),
	    .instance = i,
	    .request = q,
	    .rootfs = &none,
	    .dry = true,
	};
	int r = jbind_parse(&request_table, i->request, strlen(i->request), q, a, "request", e);

	if (r == 0)
		r = image_find_id(s->store, i->image_id, image, e);
	if (r < 0)
		return r;
	in.image = &(*image)->config.config;
	return plan_build(&in, a, p, e);
}

static int describe(const struct exec_request *q, struct plan_process *p, struct arena *a,
		    struct err *e)
{
	if (q->files.n) {
		p->files = q->files;
		p->args = q->files; /* an agent that does not know it finds no such program */
		p->terminal = false;
		return 0;
	}
	if (!q->args.n || !*q->args.v[0])
		return err_set(e, ERR_USAGE, "no command to execute");
	if (q->workdir && *q->workdir != '/')
		return err_set(e, ERR_USAGE, "--workdir '%.80s' is not an absolute path",
			       q->workdir);
	p->args = q->args;
	p->terminal = q->tty;
	if (q->workdir)
		p->cwd = q->workdir;
	if (q->user && *q->user)
		p->user.username = q->user;
	if (q->tty)
		plan_build_setenv(&p->env, "TERM=xterm", a);
	for (size_t i = 0; i < q->env.n; i++)
		plan_build_setenv(&p->env, q->env.v[i], a);
	return 0;
}

int exec_start(struct session *s, const struct instance *i, const struct exec_request *q,
	       struct conn *out, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct control_exec x = {.in = q->in && !q->detach, .out = !q->detach, .err = !q->detach};
	struct image *image = NULL;
	struct store *store;
	struct plan_process bare = {.cwd = "/"};
	struct plan p = {.process = &bare};
	int r = session_store(s, &store, e);

	/* A request about files is the agent's: nothing of the image counts, which for a build's
	 * step is none of the store's. */
	if (r == 0 && !q->files.n)
		r = base_process(s, i, &image, &a, &p, e);
	if (r == 0)
		r = describe(q, p.process, &a, e);
	if (r == 0)
		r = conn_open(s, i->id, out, e);
	if (r == 0) {
		x.process = *p.process;
		if (q->rows) {
			x.rows = (struct jbind_optint){true, q->rows};
			x.columns = (struct jbind_optint){true, q->columns};
		}
		r = conn_send_json(out, WIRE_EXEC, EXEC_STREAM, &control_exec_table, &x, e);
	}
	image_close(image);
	return r;
}
