/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/session.h"
#include "base/err.h"
#include "store/store.h"

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

int session_store(struct session *s, struct store **store, struct err *e)
{
	int r;

	/* Layers are mounted, owners set and networks made as root; half of that would be no help.
	 */
	if (geteuid() != 0)
		return err_set(
		    e, ERR_UNSUPPORTED,
		    "this version works as root only: images and instances of an ordinary "
		    "user need rootless mode, which it does not have");
	r = s->store ? 0 : store_open(s->root, s->run_root, &s->store, e);
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
	free(s->signature_policy);
	free(s->self);
	*s = (struct session){0};
}
