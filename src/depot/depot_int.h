/* SPDX-License-Identifier: Apache-2.0 */
/* depot_int - what the files of this directory share. */
#ifndef DEPOT_DEPOT_INT_H
#define DEPOT_DEPOT_INT_H

#include "httpd/exchange.h"

struct depot_opts;

struct depot {
	struct store *s;
	const struct depot_opts *o;
	const char *address; /* where it listens */
	struct stage
	    *stage; /* uploads, and leases of what came by them; the server's, NULL: none */
};

/* One request, taken apart. */
struct depot_call {
	struct depot *d;
	struct exchange *x;
	struct arena *a;
	const char *method;
	const char *name; /* of the repository, as in the URL */
	const char *ref;  /* tag, digest or upload, by route */
};

/* Answers {"errors":[...]} with one of the specification's codes. */
int depot_refuse(struct depot_call *c, int status, const char *code, const char *message,
		 struct err *e);
/* Is it this method (a GET answers HEAD too)?  Else 405. */
bool depot_reads(const struct depot_call *c);

int depot_manifest_get(struct depot_call *c, struct err *e);
int depot_manifest_put(struct depot_call *c, struct err *e);
int depot_upload_begin(struct depot_call *c, struct err *e);
int depot_upload_step(struct depot_call *c, struct err *e); /* c->ref: the upload */

#endif
