/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_signature - was this signed with that key?  ECDSA on P-256 and RSA (PKCS #1 v1.5, from 2048
 * bits) over the SHA-256 of the payload, Ed25519 over the payload itself: what cosign makes.
 */
#ifndef VERIFY_CHECK_SIGNATURE_H
#define VERIFY_CHECK_SIGNATURE_H

#include <stddef.h>

struct check_signature;
struct err;

/* Everything that opens files is done here, before the process locks itself in.  pem: a public key.
 * Errors: ERR_CORRUPT no key, ERR_UNSUPPORTED another kind of key. */
int check_signature_open(const char *pem, size_t len, struct check_signature **out, struct err *e);
void check_signature_close(struct check_signature *c);

/* text: the signature in base64.  1 it is good, 0 it is not. */
int check_signature_run(struct check_signature *c, const void *payload, size_t len,
			const char *text, size_t text_len);

#endif
