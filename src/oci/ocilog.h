/* SPDX-License-Identifier: Apache-2.0 */
/* ocilog - log lines as containerd, podman and dockerd parse them (logrus's text and JSON). */
#ifndef OCI_OCILOG_H
#define OCI_OCILOG_H

#include <stddef.h>

struct err;
struct ocicmd_globals;
struct timespec;

/* To --log (appended) when given, and to stderr. */
void ocilog_error(const struct ocicmd_globals *g, const struct err *e);
__attribute__((format(printf, 2, 3))) void ocilog_warn(const struct ocicmd_globals *g,
						       const char *fmt, ...);
__attribute__((format(printf, 2, 3))) void ocilog_debug(const struct ocicmd_globals *g,
							const char *fmt, ...);

/* RFC 3339 in UTC, with nanoseconds. */
void ocilog_time(const struct timespec *ts, char *out, size_t size);

#endif
