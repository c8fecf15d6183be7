/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/tlsrelay.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PIECE	     16384 /* what a TLS record holds */
#define HANDSHAKE_MS 10000
#define FLUSH_MS     60000 /* for a client to take what is left when the server has ended */
#define LINGER_MS    2000
#define LINGER_MAX   (4u << 20)
#define DEPTH	     8 /* certificates between a client's and the authority's */

struct way {
	char b[PIECE];
	size_t at, end;
	bool over;   /* no more comes */
	bool told;   /* and the other side knows */
	short waits; /* what the TLS side needs before it goes on */
};

struct tlsrelay {
	SSL *ssl;
	int net, plain;
	struct way up, down; /* from the client, to the client */
	bool gone;	     /* the server's end is closed */
	bool dead;	     /* the client's is */
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static const char *reason(void)
{
	const char *s = ERR_reason_error_string(ERR_peek_last_error());

	return s ? s : "no reason given";
}

/* Or openssl would ask at a terminal. */
static int no_passphrase(char *buf, int size, int writes, void *arg)
{
	return -1;
}

SSL_CTX *tlsrelay_context(const char *ca, const char *cert, const char *key, char *why, size_t size)
{
	SSL_CTX *c = SSL_CTX_new(TLS_server_method());
	const char *what = NULL, *file = "";

	if (c)
		SSL_CTX_set_default_passwd_cb(c, no_passphrase);
	if (!c || SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION) != 1)
		what = "TLS";
	else if (SSL_CTX_load_verify_file(c, ca) != 1)
		what = "--tlscacert", file = ca;
	else if (SSL_CTX_use_certificate_chain_file(c, cert) != 1)
		what = "--tlscert", file = cert;
	else if (SSL_CTX_use_PrivateKey_file(c, key, SSL_FILETYPE_PEM) != 1 ||
		 SSL_CTX_check_private_key(c) != 1)
		what = "--tlskey", file = key;
	if (what) {
		snprintf(why, size, "%s %.200s: %s", what, file, reason());
		SSL_CTX_free(c);
		return NULL;
	}
	/* The names of the authority help clients with several certificates to choose. */
	SSL_CTX_set_client_CA_list(c, SSL_load_client_CA_file(ca));
	SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_verify_depth(c, DEPTH);
	SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(c, 0);
	SSL_CTX_set_options(c, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
				   SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return c;
}

/* What the last call waits for; 0: it failed. */
static short wants(SSL *ssl, int r)
{
	int why = SSL_get_error(ssl, r);

	return why == SSL_ERROR_WANT_READ ? POLLIN : why == SSL_ERROR_WANT_WRITE ? POLLOUT : 0;
}

static int handshake(struct tlsrelay *t, char *why, size_t size)
{
	static const char plain[] = "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain\r\n\r\n"
				    "Client sent an HTTP request to an HTTPS server.\n";
	int64_t until = now_ms() + HANDSHAKE_MS;
	long bad;

	for (;;) {
		struct pollfd p[] = {{.fd = t->net}, {.fd = t->plain}};
		int r = SSL_accept(t->ssl), left = (int)(until - now_ms());

		if (r == 1)
			return 0;
		p[0].events = wants(t->ssl, r);
		if (!p[0].events)
			break;
		if (left <= 0 || poll(p, 2, left) == 0) {
			snprintf(why, size, "no handshake in %d seconds", HANDSHAKE_MS / 1000);
			return -1;
		}
		if (p[1].revents & POLLHUP) {
			snprintf(why, size, "cut off to make room");
			return -1;
		}
	}
	bad = SSL_get_verify_result(t->ssl);
	snprintf(why, size, "%s%s%s", reason(), bad == X509_V_OK ? "" : ": ",
		 bad == X509_V_OK ? "" : X509_verify_cert_error_string(bad));
	if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST)
		(void)!write(t->net, plain, sizeof(plain) - 1);
	return -1;
}

/* ---- one step of each way; whether something moved ---- */

static bool from_client(struct tlsrelay *t)
{
	struct way *w = &t->up;
	int n;

	if (w->at < w->end || w->over || t->dead)
		return false;
	ERR_clear_error();
	n = SSL_read(t->ssl, w->b, PIECE);
	if (n > 0) {
		w->at = 0;
		w->end = (size_t)n;
		return true;
	}
	w->waits = wants(t->ssl, n);
	if (w->waits)
		return false;
	if (SSL_get_error(t->ssl, n) == SSL_ERROR_ZERO_RETURN)
		w->over = true;
	else
		t->dead = true;
	return true;
}

static bool to_server(struct tlsrelay *t)
{
	struct way *w = &t->up;
	ssize_t n;

	if (w->at == w->end) {
		if (!w->over || w->told)
			return false;
		shutdown(t->plain, SHUT_WR);
		return w->told = true;
	}
	n = write(t->plain, w->b + w->at, w->end - w->at);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	/* A server that reads no more may still have something to say. */
	w->at = n < 0 ? w->end : w->at + (size_t)n;
	return true;
}

static bool from_server(struct tlsrelay *t)
{
	struct way *w = &t->down;
	ssize_t n;

	if (w->at < w->end || w->over)
		return false;
	n = read(t->plain, w->b, PIECE);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	w->at = 0;
	w->end = n > 0 ? (size_t)n : 0;
	w->over = n <= 0;
	return true;
}

static bool to_client(struct tlsrelay *t)
{
	struct way *w = &t->down;
	int n;

	if (t->dead)
		return false;
	ERR_clear_error();
	if (w->at == w->end) {
		if (!w->over || w->told)
			return false;
		w->told = true;
		if (SSL_shutdown(t->ssl) < 0 && !wants(t->ssl, -1))
			t->dead = true;
		return true;
	}
	n = SSL_write(t->ssl, w->b + w->at, (int)(w->end - w->at));
	if (n > 0) {
		w->at += (size_t)n;
		return true;
	}
	w->waits = wants(t->ssl, n);
	t->dead = !w->waits;
	return t->dead;
}

static bool wait_more(struct tlsrelay *t)
{
	const struct way *u = &t->up, *d = &t->down;
	bool sends = d->at < d->end, has = u->at < u->end;
	struct pollfd p[] = {{.fd = t->net}, {.fd = t->gone ? -1 : t->plain}};
	int r;

	if (!has && !u->over)
		p[0].events |= u->waits;
	if (sends)
		p[0].events |= d->waits;
	if (has)
		p[1].events |= POLLOUT;
	if (!sends && !d->over)
		p[1].events |= POLLIN;
	r = poll(p, 2, d->over ? FLUSH_MS : -1);
	if (r == 0 || (r < 0 && errno != EINTR))
		return false;
	if (r > 0 && (p[0].revents & (POLLERR | POLLHUP)) && !(p[0].revents & POLLIN))
		t->dead = true;
	if (r > 0 && (p[1].revents & (POLLHUP | POLLERR)))
		t->gone = true;
	return true;
}

/* Closing with bytes unread would reset the connection, and what was sent last with it. */
static void linger(int net)
{
	struct pollfd p = {.fd = net, .events = POLLIN};
	int64_t until = now_ms() + LINGER_MS;
	char piece[4096];
	size_t all = 0;
	ssize_t n = 1;

	if (shutdown(net, SHUT_WR) < 0)
		return;
	while (n > 0 && all < LINGER_MAX && now_ms() < until) {
		n = poll(&p, 1, (int)(until - now_ms()));
		n = n > 0 ? read(net, piece, sizeof(piece)) : 0;
		all += n > 0 ? (size_t)n : 0;
	}
}

int tlsrelay_run(SSL_CTX *ctx, int net, int plain, char *why, size_t size)
{
	static struct tlsrelay t;
	bool go = true;
	int r;

	t = (struct tlsrelay){.ssl = SSL_new(ctx), .net = net, .plain = plain};
	if (!t.ssl || SSL_set_fd(t.ssl, net) != 1) {
		snprintf(why, size, "%s", reason());
		return -1;
	}
	r = handshake(&t, why, size);
	while (r == 0 && go && !t.dead) {
		bool moved = from_client(&t);

		moved |= to_server(&t);
		moved |= from_server(&t);
		moved |= to_client(&t);
		if (t.down.told && (t.up.told || t.gone))
			go = false;
		else if (!moved)
			go = wait_more(&t);
	}
	linger(net);
	SSL_free(t.ssl);
	return r;
}
