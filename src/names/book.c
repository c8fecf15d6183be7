/* SPDX-License-Identifier: Apache-2.0 */
#include "names/book.h"
#include "base/auto.h"
#include "base/str.h"
#include "sys/fd.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/inotify.h>
#include <unistd.h>

static void entry_clear(struct book_entry *e)
{
	arena_free(&e->a);
	*e = (struct book_entry){.a = ARENA_INIT};
}

static struct book_entry *entry_of(struct book *b, const char *file)
{
	struct book_entry *unused = NULL;

	for (size_t i = 0; i < b->n; i++) {
		if (streq(b->v[i].file, file))
			return &b->v[i];
		if (!b->v[i].file[0])
			unused = &b->v[i];
	}
	if (unused)
		return unused;
	if (b->n == b->room) {
		b->room = b->room ? 2 * b->room : 64;
		b->v = realloc(b->v, b->room * sizeof(*b->v));
		if (!b->v)
			abort();
	}
	b->v[b->n] = (struct book_entry){.a = ARENA_INIT};
	return &b->v[b->n++];
}

/* A record that came, changed or went. */
static void read_one(struct book *b, const char *file)
{
	char id[ATTACHMENT_ID + 1];
	struct book_entry *e;

	if (attachment_slot(file, id) < 0)
		return;
	e = entry_of(b, file);
	entry_clear(e);
	if (attachment_read_file(b->dir_fd, file, &e->a, &e->at, NULL) < 0 || !e->at.gateway ||
	    !e->at.address) {
		entry_clear(e);
		return;
	}
	snprintf(e->file, sizeof(e->file), "%s", file);
}

void book_reload(struct book *b)
{
	int fd = openat(b->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;

	for (size_t i = 0; i < b->n; i++)
		entry_clear(&b->v[i]);
	if (!d) {
		fd_close(fd);
		return;
	}
	while ((de = readdir(d)))
		read_one(b, de->d_name);
	closedir(d);
}

int book_open(struct book *b, int dir_fd)
{
	int r;

	*b = (struct book){.dir_fd = dir_fd, .watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK)};
	r = b->watch < 0 ? -errno : 0;
	/* Before the first look, so that nothing is missed. */
	if (r == 0 && inotify_add_watch(b->watch, ".",
					IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR) < 0)
		r = -errno;
	if (r == 0)
		book_reload(b);
	return r;
}

bool book_refresh(struct book *b)
{
	_Alignas(struct inotify_event) char text[16384];
	bool changed = false;
	ssize_t got;

	while ((got = read(b->watch, text, sizeof(text))) > 0) {
		for (char *p = text; p < text + got;) {
			const struct inotify_event *ev = (const void *)p;

			if (ev->mask & IN_Q_OVERFLOW)
				book_reload(b);
			else if (ev->len)
				read_one(b, ev->name);
			p += sizeof(*ev) + ev->len;
		}
		changed = true;
	}
	return changed;
}

bool book_empty(const struct book *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->v[i].file[0] && b->v[i].at.resolves)
			return false;
	return true;
}

const struct attachment *book_asker(const struct book *b, const char *gateway, const char *address)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct attachment *at = &b->v[i].at;

		if (b->v[i].file[0] && at->resolves && streq(at->address, address) &&
		    streq(at->gateway, gateway))
			return at;
	}
	return NULL;
}

static bool on_network(const struct book *b, const char *id, const char *network)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->v[i].file[0] && streq(b->v[i].at.id, id) &&
		    streq(b->v[i].at.network, network))
			return true;
	return false;
}

bool book_leads_out(const struct book *b, const struct attachment *asker)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->v[i].file[0] && streq(b->v[i].at.id, asker->id) && b->v[i].at.main)
			return true;
	return false;
}

/* NAME or NAME.NETWORK */
static bool is_called(const struct attachment *at, const char *name)
{
	for (size_t i = 0; i < at->names.n; i++) {
		const char *own = at->names.v[i];
		size_t len = strlen(own);

		if (strncasecmp(name, own, len) == 0 &&
		    (!name[len] ||
		     (name[len] == '.' && strcasecmp(name + len + 1, at->network) == 0)))
			return true;
	}
	return false;
}

static int reverse(const struct book *b, const struct attachment *asker, const char *name,
		   struct dns_record *v, size_t *n)
{
	static char text[2 * DNS_NAME_SIZE]; /* one answer at a time */
	char address[INET6_ADDRSTRLEN];
	uint8_t addr[16];
	int family = dns_reverse_name(name, addr);

	if (!family)
		return -ENOENT;
	inet_ntop(family, addr, address, sizeof(address));
	for (size_t i = 0; i < b->n; i++) {
		const struct attachment *at = &b->v[i].at;

		if (!b->v[i].file[0] || !at->resolves ||
		    !streq(family == AF_INET ? at->address
			   : at->address6    ? at->address6
					     : "",
			   address) ||
		    !at->names.n || !on_network(b, asker->id, at->network))
			continue;
		snprintf(text, sizeof(text), "%s.%s", at->names.v[0], at->network);
		v[(*n)++] = (struct dns_record){.type = DNS_PTR, .name = text};
		return DNS_OK;
	}
	return -ENOENT;
}

int book_look_up(const struct book *b, const struct attachment *asker, const struct dns_question *q,
		 struct dns_record *v, size_t *n)
{
	int r = -ENOENT;

	*n = 0;
	if (!q->plain || q->class_ != 1)
		return -ENOENT;
	if (q->type == DNS_PTR)
		return reverse(b, asker, q->name, v, n);
	for (size_t i = 0; i < b->n && *n < DNS_ANSWERS_MAX; i++) {
		const struct attachment *at = &b->v[i].at;

		if (!b->v[i].file[0] || !at->resolves || !is_called(at, q->name) ||
		    !on_network(b, asker->id, at->network))
			continue;
		r = DNS_OK;
		v[*n] = (struct dns_record){.type = q->type};
		if ((q->type == DNS_A && inet_pton(AF_INET, at->address, v[*n].addr) == 1) ||
		    (q->type == DNS_AAAA && at->address6 &&
		     inet_pton(AF_INET6, at->address6, v[*n].addr) == 1))
			++*n;
	}
	return r;
}
