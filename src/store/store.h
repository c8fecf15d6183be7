/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store - the two directories in which everything is kept, and who may touch them when.
 *
 * Root (survives a boot): version, lock, blobs/sha256/, layers/, metas/, images/, instances/,
 * networks/, volumes/, tmp/, cache/.  Run root (may vanish at boot): instances/, ns/, layers/,
 * net/.  The formats stand in docs/formats/store.md.
 *
 * The lock: whoever names or adds things that garbage collection could take holds STORE_SHARED for
 * that step, never across network or workload I/O; collection holds STORE_EXCLUSIVE.  What a longer
 * operation needs stays safe between its steps by leases in its staging directory (store/stage.h).
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

struct arena;
struct err;
struct store;

/* Open both, making what is missing (mode 0700).  run_root may be NULL for what never runs
 * anything. Errors: ERR_UNSUPPORTED a store of another version, ERR_DENIED, ERR_SYSTEM. */
int store_open(const char *root, const char *run_root, struct store **out, struct err *e);
void store_close(struct store *s);

/* Borrowed descriptors (O_RDONLY | O_DIRECTORY) and absolute paths. */
int store_root_fd(const struct store *s);
int store_run_fd(const struct store *s);
const char *store_root_path(const struct store *s);
const char *store_run_path(const struct store *s);

enum store_lock { STORE_SHARED, STORE_EXCLUSIVE };
/* Waits.  Returns a descriptor; closing it (or dying) gives the lock back. */
int store_lock(const struct store *s, enum store_lock how, struct err *e);

/* Open a directory of the root or run root by its relative name (read-only). */
int store_dir(const struct store *s, const char *name, struct err *e);

/* A config.json (fmt/docker_config.h) that goes before the user's own for registries, as a
 * descriptor; taken over, -1: none.  Of a request that brings its credentials. */
void store_set_credentials(struct store *s, int fd);
int store_credentials(const struct store *s);

/* Who makes writable roots of containers (store/rootdriver.h), ROOTDRIVER_*; NULL: whoever can.
 * Borrowed.  ERR_USAGE: another name. */
int store_set_driver(struct store *s, const char *name, struct err *e);

/* Path of a helper program: beside the running program in a build tree, else
 * PREFIX/libexec/caisson. NULL when it is not there. */
const char *store_helper(const struct store *s, const char *name, struct arena *a);

#endif
