/* SPDX-License-Identifier: Apache-2.0 */
/* httpload - requests to a web server on loopback, over connections that are kept. */
#ifndef COMPARE_HTTPLOAD_H
#define COMPARE_HTTPLOAD_H

#include <stddef.h>
#include <stdint.h>

struct err;

/* Until it answers, ten seconds at most. */
int httpload_wait(uint16_t port, struct err *e);

/* n requests over one connection, one after the other: ns from the request to the whole answer. */
int httpload_times(uint16_t port, double *ns, size_t n, struct err *e);

/* Over several connections, each with one request under way, for that long: answers a second. */
int httpload_rate(uint16_t port, unsigned int connections, int64_t for_ns, double *rate,
		  struct err *e);

#endif
