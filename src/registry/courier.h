/* SPDX-License-Identifier: Apache-2.0 */
/* courier - answers the engine's requests (spec/fetch.h) from a source, each in a thread of its
 * own. */
#ifndef REGISTRY_COURIER_H
#define REGISTRY_COURIER_H

struct err;
struct source;

#define COURIER_THREADS_MAX 16

/* Until the engine closes its end.  0, or -errno when the socket breaks. */
int courier_run(struct source *s, int sock);

/* What went wrong before the first request is the answer to every one. */
int courier_refuse(int sock, const struct err *why);

#endif
