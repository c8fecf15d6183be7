/* SPDX-License-Identifier: Apache-2.0 */
/* connection - all requests of one connection, in the process that is only for it. */
#ifndef HTTPD_CONNECTION_H
#define HTTPD_CONNECTION_H

struct httpd_opts;

/* Until the client leaves, stalls, or errs.  *waits: nonzero while no request has begun. */
void connection_serve(int fd, const struct httpd_opts *o, unsigned char *waits);

#endif
