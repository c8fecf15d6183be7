/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/session.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "engine/lookup.h"
#include "engine/rootless.h"
#include "store/store.h"
#include "sys/fd.h"

#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
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
		r = store_set_driver(s->store, s->driver, e);
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
	lookup_cache_free(s->lookups);
	free(s->root);
	free(s->run_root);
	free(s->libexec);
	free(s->data);
	free(s->driver);
	free(s->signature_policy);
	free(s->self);
	*s = (struct session){0};
}

int session_credentials(struct session *s, const struct buf *config, struct err *e)
{
	auto_fd int fd = -1;
	struct store *store;
	int r;

	/* None were set without a store. */
	if (!config && !s->store)
		return 0;
	r = session_store(s, &store, e);
	if (r < 0)
		return r;
	if (config) {
		/* Never a file: what was killed would leave a password. */
		fd = memfd_create("config.json", MFD_CLOEXEC);
		if (fd < 0 || fd_write_all(fd, config->p, config->len) < 0)
			return err_sys(e, "credentials");
	}
	store_set_credentials(store, config ? take_fd(&fd) : -1);
	return 0;
}
