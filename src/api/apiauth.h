/* SPDX-License-Identifier: Apache-2.0 */
/* apiauth - credentials that come with a request: they are for that request, and kept nowhere. */
#ifndef API_APIAUTH_H
#define API_APIAUTH_H

struct apicall;
struct err;

/* X-Registry-Auth, for what `image` (a name) is asked of its registry until the request's end.
 * What says nothing is none: then the engine's own user's count (`caisson login`).
 * ERR_USAGE malformed, or of another registry; ERR_UNSUPPORTED a token of a kind not known here. */
int apiauth_take(struct apicall *c, const char *image, struct err *e);
/* X-Registry-Config: of several registries, for a build. */
int apiauth_take_all(struct apicall *c, struct err *e);

#endif
