/* SPDX-License-Identifier: Apache-2.0 */
/* create - a request becomes an instance on disk; nothing runs yet. */
#ifndef ENGINE_CREATE_H
#define ENGINE_CREATE_H

#include "base/arena.h"

struct err;
struct image_pull_opts;
struct instance;
struct request;
struct session;

/* Make the instance asked for; its image is fetched as pull says.  Fills *out (in a) and returns
 * the descriptor of its directory, locked: nobody else can start or remove it until it is closed.
 * Errors: what request_check() and image_ensure() say, ERR_EXISTS the name is taken.  Nothing is
 * left behind. */
int create_instance(struct session *s, const struct request *asked,
		    const struct image_pull_opts *pull, struct arena *a, struct instance *out,
		    struct err *e);

struct image;
/* The same of an image that is at hand, and need not be recorded: a build's step.  The caller keeps
 * its layers from being collected. */
int create_instance_of(struct session *s, const struct request *q, const struct image *image,
		       struct arena *a, struct instance *out, struct err *e);

#endif
