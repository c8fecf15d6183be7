/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sdjournal - messages to systemd's journal over its datagram socket.
 *
 * A message is a sequence of fields, "NAME=value\n", or for any bytes "NAME\n", the length as 64
 * bits little-endian, the bytes, "\n".  One that a datagram does not carry goes as a sealed memfd.
 * Source: systemd, docs/JOURNAL_NATIVE_PROTOCOL.md.
 */
#ifndef SYS_SDJOURNAL_H
#define SYS_SDJOURNAL_H

#include <stddef.h>

#define SDJOURNAL_SOCKET "/run/systemd/journal/socket"

struct buf;

/* A descriptor to send from, or -errno; path is looked at now, so that a missing one is told. */
int sdjournal_open(const char *path);
/* Blocks while the journal is busy; addressed each time, so that it may begin anew meanwhile.
 * -ENOENT, -ECONNREFUSED: nobody is there. */
int sdjournal_send(int fd, const char *path, const void *message, size_t len);
/* One field whose value may hold any bytes. */
void sdjournal_field(struct buf *b, const char *name, const void *value, size_t len);

#endif
