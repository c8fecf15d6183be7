/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/resolv_conf.h"
#include "base/buf.h"
#include "base/str.h"

#include <arpa/inet.h>

#define SPACES " \t\r"

/* Words of a line, onto l; the line ends at its newline, '#' or ';'. */
static void words(const char *p, struct arena *a, struct strs *l)
{
	for (;;) {
		size_t n;

		p += strspn(p, SPACES);
		n = strcspn(p, SPACES "\n#;");
		if (!n)
			return;
		if (l->n < RESOLV_CONF_WORDS_MAX)
			arena_strs_add(a, l, arena_dupn(a, p, n));
		p += n;
	}
}

/* What follows the keyword when the line begins with it. */
static const char *after(const char *line, const char *keyword)
{
	const char *rest = str_after(line, keyword);

	return rest && (*rest == ' ' || *rest == '\t') ? rest : NULL;
}

void resolv_conf_parse(const char *text, struct arena *a, struct resolv_conf *out)
{
	struct resolv_conf c = {0};

	for (const char *line = text; *line;) {
		const char *p;

		if ((p = after(line, "nameserver"))) {
			struct strs one = {0};

			words(p, a, &one);
			if (one.n && c.servers.n < RESOLV_CONF_WORDS_MAX)
				arena_strs_add(a, &c.servers, one.v[0]);
		} else if ((p = after(line, "search")) || (p = after(line, "domain"))) {
			c.search = (struct strs){0};
			words(p, a, &c.search);
		} else if ((p = after(line, "options"))) {
			words(p, a, &c.options);
		}
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	*out = c;
}

bool resolv_conf_local(const char *server)
{
	struct in_addr in;

	if (inet_pton(AF_INET, server, &in) != 1)
		return true;
	return ntohl(in.s_addr) >> 24 == 127 || in.s_addr == 0;
}

static void line(const char *keyword, const struct strs *l, struct buf *out)
{
	if (!l->n)
		return;
	buf_puts(out, keyword);
	for (size_t i = 0; i < l->n; i++)
		buf_printf(out, " %s", l->v[i]);
	buf_puts(out, "\n");
}

void resolv_conf_write(const struct resolv_conf *c, struct buf *out)
{
	line("search", &c->search, out);
	for (size_t i = 0; i < c->servers.n; i++)
		buf_printf(out, "nameserver %s\n", c->servers.v[i]);
	line("options", &c->options, out);
}
