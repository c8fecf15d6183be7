/* SPDX-License-Identifier: Apache-2.0 */
/* workhttp - the smallest web server that is one: keep-alive, one answer. */
#ifndef WORKLOAD_WORKHTTP_H
#define WORKLOAD_WORKHTTP_H

#include <stdint.h>

/* Serve 127 bytes for every request on all addresses, in a child that ends with us; another one
 * that served before is ended.  *port 0: a free one, which is then said.  0 or -errno. */
int workhttp_serve(uint16_t *port);

#endif
