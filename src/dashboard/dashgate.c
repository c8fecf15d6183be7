/* SPDX-License-Identifier: Apache-2.0 */
#include "dashboard/dashgate.h"
#include "base/str.h"
#include "fmt/http_request.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

int dashgate_init(struct dashgate *g)
{
	unsigned char random[DASHGATE_SECRET / 2];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -1;
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(g->secret + 2 * i, 3, "%02x", random[i]);
	return 0;
}

void dashgate_url(const struct dashgate *g, char out[DASHGATE_URL])
{
	snprintf(out, DASHGATE_URL, "http://%s/%s/", g->host, g->secret);
}

/* The address itself, or "localhost" with its port.  A name that somebody made resolve to loopback
 * is a foreign page's (DNS rebinding). */
static bool is_our_name(const struct dashgate *g, const char *host)
{
	const char *port = strrchr(g->host, ':'),
		   *rest = host ? str_after(host, "localhost") : NULL;

	return host && (streq(host, g->host) || (rest && streq(rest, port)));
}

/* Browsers name the asking page with whatever is not a plain GET, WebSockets included; only what is
 * typed into the address line has neither field. */
static bool is_our_page(const struct dashgate *g, const struct http_request *r)
{
	const char *origin = http_request_field(r, "Origin");
	const char *site = http_request_field(r, "Sec-Fetch-Site");
	bool reads = streq(r->method, "GET") || streq(r->method, "HEAD");

	if (origin && !is_our_name(g, str_after(origin, "http://")))
		return false;
	if (site && !streq(site, "same-origin") && !(reads && streq(site, "none")))
		return false;
	return true;
}

/* In the same time wherever the first difference is. */
static bool is_secret(const struct dashgate *g, const char *said)
{
	unsigned char differs = 0;

	if (strnlen(said, DASHGATE_SECRET) < DASHGATE_SECRET)
		return false;
	for (size_t i = 0; i < DASHGATE_SECRET; i++)
		differs |= (unsigned char)(g->secret[i] ^ said[i]);
	return !differs;
}

int dashgate_pass(const struct dashgate *g, const struct http_request *r, const char **path)
{
	if (!is_our_name(g, r->host) || !is_our_page(g, r))
		return 403;
	if (r->path[0] != '/' || !is_secret(g, r->path + 1) || r->path[1 + DASHGATE_SECRET] != '/')
		return 404;
	*path = r->path + 1 + DASHGATE_SECRET;
	return 0;
}
