/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tlsrelay - the server's side of one TLS connection, its plain text on a socket.
 *
 * Client certificates are a must, TLS 1.2 the least; no session is resumed, because each connection
 * has a process of its own.  The end of either direction is handed on by itself (close_notify,
 * shutdown(2)), so that what half-closes, as the input of an attached instance does, goes through.
 * Source: RFC 8446, RFC 5246; openssl's SSL_CTX_set_verify(3), SSL_get_error(3).
 */
#ifndef TLS_TLSRELAY_H
#define TLS_TLSRELAY_H

#include <stddef.h>

typedef struct ssl_ctx_st SSL_CTX;

/* Certificate, key and authority from PEM files.  NULL with a sentence in why. */
SSL_CTX *tlsrelay_context(const char *ca, const char *cert, const char *key, char *why,
			  size_t size);

/* Until both sides have ended; both descriptors must not block.  0, or -1 with a sentence in why
 * when the client was refused or the handshake did not end in ten seconds. */
int tlsrelay_run(SSL_CTX *ctx, int net, int plain, char *why, size_t size);

#endif
