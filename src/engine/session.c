/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/session.h"
#include "engine/rootless.h"
#include "store/store.h"

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

void session_begin(struct session *s)
{
	if (geteuid() != 0)
		(void)rootless_enter(s, NULL);
}

int session_store(struct session *s, struct store **store, struct err *e)
{
	int r = 0;

	if (geteuid() != 0)
		r = rootless_enter(s, e);
	else if (!s->users_fd)
		rootless_stay(s);
	if (r == 0 && !s->store)
		r = store_open(s->root, s->run_root, &s->store, e);
	if (r == 0)
		*store = s->store;
	return r;
}

void session_done(struct session *s)
{
	if (s->store)
		store_close(s->store);
	if (s->users_fd)
		close(s->users_fd);
	free(s->root);
	free(s->run_root);
	free(s->libexec);
	free(s->data);
	free(s->signature_policy);
	free(s->self);
	*s = (struct session){0};
}
