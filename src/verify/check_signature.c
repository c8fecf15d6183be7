/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/check_signature.h"
#include "base/auto.h"
#include "base/err.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define RSA_BITS_MIN  2048
#define SIGNATURE_MAX 4096 /* bytes of base64; an RSA key of 16384 bits makes 2732 */

struct check_signature {
	EVP_PKEY *key;
	EVP_MD_CTX *ctx; /* ready: fetched and initialised */
};

static bool on_p256(EVP_PKEY *key)
{
	char group[80];
	size_t n = 0;

	return EVP_PKEY_get_group_name(key, group, sizeof(group), &n) == 1 &&
	       strcmp(group, "prime256v1") == 0;
}

static int know_key(EVP_PKEY *key, const EVP_MD **md, struct err *e)
{
	*md = EVP_sha256();
	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_ED25519:
		*md = NULL;
		return 0;
	case EVP_PKEY_RSA:
		if (EVP_PKEY_get_bits(key) >= RSA_BITS_MIN)
			return 0;
		return err_set(e, ERR_UNSUPPORTED, "an RSA key of %d bits is too short",
			       EVP_PKEY_get_bits(key));
	case EVP_PKEY_EC:
		if (on_p256(key))
			return 0;
		break;
	default:
		break;
	}
	return err_set(e, ERR_UNSUPPORTED, "the key is not of ECDSA P-256, Ed25519 or RSA");
}

int check_signature_open(const char *pem, size_t len, struct check_signature **out, struct err *e)
{
	struct check_signature *c = calloc(1, sizeof(*c));
	const EVP_MD *md = NULL;
	BIO *bio;
	int r = 0;

	if (!c || len > INT_MAX)
		abort();
	bio = BIO_new_mem_buf(pem, (int)len);
	if (!bio)
		abort();
	c->key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	BIO_free(bio);
	if (!c->key)
		r = err_set(e, ERR_CORRUPT, "no public key in PEM form");
	if (r >= 0)
		r = know_key(c->key, &md, e);
	if (r >= 0) {
		c->ctx = EVP_MD_CTX_new();
		if (!c->ctx || EVP_DigestVerifyInit(c->ctx, NULL, md, NULL, c->key) != 1)
			r = err_set(e, ERR_SYSTEM, "OpenSSL does not take the key");
	}
	if (r < 0) {
		check_signature_close(c);
		return r;
	}
	*out = c;
	return 0;
}

void check_signature_close(struct check_signature *c)
{
	if (!c)
		return;
	EVP_MD_CTX_free(c->ctx);
	EVP_PKEY_free(c->key);
	free(c);
}

int check_signature_run(struct check_signature *c, const void *payload, size_t len,
			const char *text, size_t text_len)
{
	unsigned char raw[SIGNATURE_MAX];
	int n;

	while (text_len && strchr("\r\n", text[text_len - 1]))
		text_len--;
	if (!text_len || text_len > SIGNATURE_MAX || text_len % 4)
		return 0;
	n = EVP_DecodeBlock(raw, (const unsigned char *)text, (int)text_len);
	if (n <= 0)
		return 0;
	/* It counts what '=' stands for as bytes. */
	n -= (text[text_len - 1] == '=') + (text_len > 1 && text[text_len - 2] == '=');
	/* Anything but 1 is "no": 0 wrong, negative malformed. */
	return EVP_DigestVerify(c->ctx, raw, (size_t)n, payload, len) == 1;
}
