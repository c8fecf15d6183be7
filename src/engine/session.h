/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session - what every verb of the engine needs to know about this installation and this caller:
 * where state is, where the helper programs are.  One per command; the API server has one in all.
 */
#ifndef ENGINE_SESSION_H
#define ENGINE_SESSION_H

struct err;
struct lookup_cache;
struct store;

/* Heap strings, owned by the session. */
struct session {
	char *root;		/* what must survive a boot: images, instances, volumes */
	char *run_root;		/* what may vanish: sockets, mounts, locks of running things */
	char *libexec;		/* directory of caisson-monitor, caisson-fetch, caisson-unpack */
	char *data;		/* directory of the built-in image, guest kernel and initramfs */
	char *driver;		/* of writable roots (store/rootdriver.h), or NULL */
	char *signature_policy; /* policy.json that applies, or NULL */
	char *self;		/* path of the caisson program itself */
	char **environment;	/* borrowed: the caller's */
	struct store *store;	/* opened by session_store() */
	int users_fd;		/* lock on the user namespace (rootless.h); 0: none */
	struct lookup_cache *lookups; /* of who asks again and again; NULL: none */
};

/* Before anything is opened: an ordinary user's command goes into its namespaces, for a file that
 * was opened outside lies on another mount than one opened inside, and neither can be renamed to
 * the other.  Whether it worked is session_store()'s to say. */
void session_begin(struct session *s);

/* The store, opened at the first call.  Borrowed from the session. */
int session_store(struct session *s, struct store **store, struct err *e);

/* For registries, in the place of the user's own: a config.json as docker has it, until the next
 * call; NULL: the user's own again. */
struct buf;
int session_credentials(struct session *s, const struct buf *config, struct err *e);

/* Frees what the session holds. */
void session_done(struct session *s);

#endif
