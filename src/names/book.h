/* SPDX-License-Identifier: Apache-2.0 */
/*
 * book - who is on which network under which names: the records of run-root/net/attached, kept in
 * memory as they come and go (inotify).
 *
 * Only one's own networks count: an instance finds those that share a network with it, and by the
 * name of another network it finds nothing.  Who asks is known by the address that the packet
 * filter lets it send from.
 */
#ifndef NAMES_BOOK_H
#define NAMES_BOOK_H

#include "fmt/dns.h"
#include "net/attachment.h"

#include <stdbool.h>
#include <stddef.h>

struct book_entry {
	char file[80]; /* the record's name; "" free */
	struct arena a;
	struct attachment at;
};

struct book {
	int dir_fd, watch;
	struct book_entry *v;
	size_t n, room;
};

/* dir_fd: run-root/net/attached, which is also the current directory.  watch is readable when
 * something changed.  0 or -errno. */
int book_open(struct book *b, int dir_fd);
/* Take in what changed since.  Whether anything did. */
bool book_refresh(struct book *b);
/* Read everything anew. */
void book_reload(struct book *b);

/* Records of networks whose names are answered. */
bool book_empty(const struct book *b);

/* Who sends from this address (as text) on the network with this gateway; NULL: nobody. */
const struct attachment *book_asker(const struct book *b, const char *gateway, const char *address);
/* Whether one of its networks leads outside. */
bool book_leads_out(const struct book *b, const struct attachment *asker);

/* The answer of its networks: DNS_OK with *n records (0: the name is there, without such a record),
 * or -ENOENT: ask elsewhere.  v: room for DNS_ANSWERS_MAX.  Strings live until the next change. */
int book_look_up(const struct book *b, const struct attachment *asker, const struct dns_question *q,
		 struct dns_record *v, size_t *n);

#endif
