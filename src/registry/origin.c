/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/origin.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <strings.h>

/* By what the name says, not by what it resolves to: the address is somebody else's answer. */
static bool is_loopback(const char *host)
{
	struct in_addr v4;
	struct in6_addr v6;
	char name[64];
	size_t n = strlen(host);

	if (strcasecmp(host, "localhost") == 0)
		return true;
	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	if (host[0] != '[' || n < 3 || n > sizeof(name))
		return false;
	memcpy(name, host + 1, n - 2);
	name[n - 2] = '\0';
	return inet_pton(AF_INET6, name, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static char *part(CURLU *u, CURLUPart what, unsigned int flags, struct arena *a)
{
	char *v = NULL, *out = NULL;

	if (curl_url_get(u, what, &v, flags) == CURLUE_OK)
		out = arena_dup(a, v);
	curl_free(v);
	return out;
}

int origin_parse(const char *url, struct arena *a, struct origin *out, struct err *e)
{
	CURLU *u = curl_url();
	struct origin o = {0};
	char *port = NULL, *user = NULL;

	if (!u)
		abort();
	if (curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK) {
		o.scheme = part(u, CURLUPART_SCHEME, 0, a);
		o.host = part(u, CURLUPART_HOST, 0, a);
		port = part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT, a);
		user = part(u, CURLUPART_USER, 0, a);
	}
	curl_url_cleanup(u);
	if (!o.scheme || !o.host || !port || user ||
	    (!streq(o.scheme, "https") && !streq(o.scheme, "http")))
		return err_set(e, ERR_DENIED, "'%.200s' is not an http(s) address", url);
	o.port = (int)strtol(port, NULL, 10);
	o.loopback = is_loopback(o.host);
	*out = o;
	return 0;
}

bool origin_same(const struct origin *a, const struct origin *b)
{
	return streq(a->scheme, b->scheme) && strcasecmp(a->host, b->host) == 0 &&
	       a->port == b->port;
}

int origin_check(const struct origin *registry, const struct origin *to, struct err *e)
{
	if (streq(to->scheme, "http") && !to->loopback &&
	    !(registry->insecure && strcasecmp(registry->host, to->host) == 0))
		return err_set(e, ERR_DENIED, "plain HTTP to '%.100s' is refused", to->host);
	if (to->loopback && !registry->loopback)
		return err_set(e, ERR_DENIED, "'%.100s' leads to this machine's '%.60s'; refused",
			       registry->host, to->host);
	return 0;
}

bool origin_trusts(const struct origin *registry, const struct origin *to)
{
	const char *dot = strchr(registry->host, '.');

	if (strcasecmp(registry->host, to->host) == 0)
		return streq(to->scheme, "https") || to->loopback || registry->insecure;
	if (!streq(to->scheme, "https"))
		return false;
	if (streq(registry->host, "registry-1.docker.io"))
		return streq(to->host, "auth.docker.io");
	return dot && strchr(dot + 1, '.') && strcasecmp(dot + 1, to->host) == 0;
}
