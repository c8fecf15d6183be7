/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/session.h"
#include "store/store.h"

#include <stddef.h>
#include <stdlib.h>

int session_store(struct session *s, struct store **store, struct err *e)
{
	int r = s->store ? 0 : store_open(s->root, s->run_root, &s->store, e);

	if (r == 0)
		*store = s->store;
	return r;
}

void session_done(struct session *s)
{
	if (s->store)
		store_close(s->store);
	free(s->root);
	free(s->run_root);
	free(s->libexec);
	free(s->data);
	free(s->self);
	*s = (struct session){0};
}
