/* SPDX-License-Identifier: Apache-2.0 */
#include "unpack/tree.h"
#include "base/err.h"
#include "fmt/limits.h"
#include "fmt/tar_name.h"
#include "unpack/spill.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

/* What the arena adds to a small piece counts too, or many empty ones would be free. */
#define KEEP_OVERHEAD 32

static inline uint64_t rotl(uint64_t x, int n)
{
	return x << n | x >> (64 - n);
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] = rotl(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] = rotl(v[2], 32);
}

/* SipHash-1-3 over the parent's address and the name: the names are an attacker's, and a hash
 * without a secret would let them all fall into one bucket. */
static uint64_t hash(const struct tree *t, const struct tree_node *dir, const char *name,
		     size_t len)
{
	uint64_t v[4] = {
	    t->key[0] ^ 0x736f6d6570736575,
	    t->key[1] ^ 0x646f72616e646f6d,
	    t->key[0] ^ 0x6c7967656e657261,
	    t->key[1] ^ 0x7465646279746573,
	};
	uint64_t m = (uint64_t)(uintptr_t)dir, total = len << 56;

	for (;;) {
		v[3] ^= m;
		sip_round(v);
		v[0] ^= m;
		if (len < 8)
			break;
		memcpy(&m, name, 8);
		name += 8;
		len -= 8;
	}
	m = total;
	for (size_t i = 0; i < len; i++)
		m |= (uint64_t)(uint8_t)name[i] << 8 * i;
	v[3] ^= m;
	sip_round(v);
	v[0] ^= m;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void tree_init(struct tree *t, struct spill *spill)
{
	*t = (struct tree){.buckets = 1024, .spill = spill};
	t->arena.source = spill ? spill_source(spill) : NULL;
	t->table = arena_array(&t->arena, t->buckets, sizeof(struct tree_node *));
	/* Without the kernel's random numbers the addresses (ASLR) are what is left of the secret.
	 */
	if (getrandom(t->key, sizeof(t->key), GRND_NONBLOCK) != sizeof(t->key))
		t->key[0] = (uint64_t)(uintptr_t)t->table;
	t->root.parent = &t->root;
	t->root.name = "";
	t->root.inode = tree_inode_new(t, S_IFDIR | 0755);
}

void tree_done(struct tree *t)
{
	t->table = NULL;
	arena_free(&t->arena);
	spill_free(t->spill);
	t->spill = NULL;
}

struct tree_inode *tree_inode_new(struct tree *t, uint32_t mode)
{
	struct tree_inode *i = arena_alloc(&t->arena, sizeof(*i));

	i->mode = mode;
	return i;
}

struct tree_node *tree_find(const struct tree *t, const struct tree_node *dir, const char *name,
			    size_t len)
{
	struct tree_node *n = t->table[hash(t, dir, name, len) & (t->buckets - 1)];

	while (n && (n->parent != dir || n->len != len || memcmp(n->name, name, len)))
		n = n->hash_next;
	return n;
}

struct tree_node *tree_walk(struct tree *t, const char *path)
{
	struct tree_node *n = &t->root;
	const char *comp;
	size_t len;

	while (n && (len = tar_name_next(&path, &comp)))
		n = S_ISDIR(n->inode->mode) ? tree_find(t, n, comp, len) : NULL;
	return n;
}

/* The old table stays in the arena: all of them together are half of the new one. */
static void grow(struct tree *t)
{
	size_t buckets = t->buckets * 4;
	struct tree_node **table = arena_array(&t->arena, buckets, sizeof(struct tree_node *));

	for (size_t i = 0; i < t->buckets; i++) {
		struct tree_node *n = t->table[i], *next;

		for (; n; n = next) {
			size_t at = hash(t, n->parent, n->name, n->len) & (buckets - 1);

			next = n->hash_next;
			n->hash_next = table[at];
			table[at] = n;
		}
	}
	t->table = table;
	t->buckets = buckets;
}

int tree_add(struct tree *t, struct tree_node *dir, const char *name, size_t len,
	     struct tree_inode *inode, struct tree_node **out, struct err *e)
{
	struct tree_node *n;
	size_t at;

	assert(S_ISDIR(dir->inode->mode) && len && len <= LIMIT_NAME);
	if (t->made++ >= LIMIT_ENTRIES)
		return err_set(e, ERR_LIMIT, "more than %d entries in one layer", LIMIT_ENTRIES);
	if (t->nodes >= t->buckets)
		grow(t);
	if (tree_count(t, len + KEEP_OVERHEAD, e) < 0)
		return -EOVERFLOW;
	/* One piece with its name: a layer has as many of these as names. */
	n = arena_alloc(&t->arena, sizeof(*n) + len + 1);
	n->name = memcpy(n + 1, name, len);
	n->len = (uint16_t)len;
	n->inode = inode;
	inode->nlink++;
	n->parent = dir;
	n->next = dir->children;
	if (n->next)
		n->next->prev = n;
	dir->children = n;
	dir->nchildren++;
	at = hash(t, dir, name, len) & (t->buckets - 1);
	n->hash_next = t->table[at];
	t->table[at] = n;
	t->nodes++;
	*out = n;
	return 0;
}

static void unhash(struct tree *t, struct tree_node *node)
{
	struct tree_node **p =
	    &t->table[hash(t, node->parent, node->name, node->len) & (t->buckets - 1)];

	while (*p != node)
		p = &(*p)->hash_next;
	*p = node->hash_next;
	t->nodes--;
	node->inode->nlink--;
}

void tree_remove(struct tree *t, struct tree_node *node)
{
	struct tree_node *n = node;

	assert(node != &t->root);
	/* Depth first, without recursion: a node goes when its children are gone. */
	for (;;) {
		struct tree_node *up = n->parent;

		if (n->children) {
			n = n->children;
			continue;
		}
		unhash(t, n);
		if (n->prev)
			n->prev->next = n->next;
		else
			up->children = n->next;
		if (n->next)
			n->next->prev = n->prev;
		up->nchildren--;
		if (n == node)
			return;
		n = up;
	}
}

static int by_name(const void *a, const void *b)
{
	const struct tree_node *x = *(struct tree_node *const *)a;
	const struct tree_node *y = *(struct tree_node *const *)b;
	int r = memcmp(x->name, y->name, x->len < y->len ? x->len : y->len);

	return r ? r : (int)x->len - (int)y->len;
}

struct tree_node **tree_sorted(struct tree *t, const struct tree_node *dir)
{
	struct tree_node **v =
	    arena_array(&t->arena, dir->nchildren + 1, sizeof(struct tree_node *));
	size_t n = 0;

	for (struct tree_node *c = dir->children; c; c = c->next)
		v[n++] = c;
	qsort(v, n, sizeof(struct tree_node *), by_name);
	return v;
}

int tree_count(struct tree *t, uint64_t bytes, struct err *e)
{
	t->meta_bytes += bytes;
	if (t->meta_bytes <= LIMIT_META_BYTES)
		return 0;
	return err_set(e, ERR_LIMIT, "names and attributes of more than %llu bytes in one layer",
		       (unsigned long long)LIMIT_META_BYTES);
}

char *tree_keep(struct tree *t, const void *p, size_t len, struct err *e)
{
	if (tree_count(t, len + KEEP_OVERHEAD, e) < 0)
		return NULL;
	return arena_dupn(&t->arena, p, len);
}

int tree_xattr_set(struct tree *t, struct tree_inode *inode, const char *name, const void *value,
		   size_t len, struct err *e)
{
	struct tree_xattr **p = &inode->xattrs, *x;
	size_t total = strlen(name) + len, count = 1;

	if (strlen(name) > LIMIT_XATTR_NAME || len > LIMIT_XATTR_VALUE)
		return err_set(e, ERR_LIMIT,
			       "extended attribute '%.64s' of %zu bytes, at most %d are possible",
			       name, len, LIMIT_XATTR_VALUE);
	for (x = inode->xattrs; x; x = x->next) {
		total += strlen(x->name) + x->len;
		count++;
	}
	if (total > LIMIT_XATTR_TOTAL || count > LIMIT_XATTRS)
		return err_set(e, ERR_LIMIT,
			       "extended attributes of more than %d bytes or %d pieces",
			       LIMIT_XATTR_TOTAL, LIMIT_XATTRS);
	while (*p && strcmp((*p)->name, name) < 0)
		p = &(*p)->next;
	x = *p;
	if (!x || strcmp(x->name, name)) {
		x = arena_alloc(&t->arena, sizeof(*x));
		x->name = tree_keep(t, name, strlen(name), e);
		if (!x->name)
			return -EOVERFLOW;
		x->next = *p;
		*p = x;
	}
	x->value = (const uint8_t *)tree_keep(t, value, len, e);
	x->len = (uint32_t)len;
	return x->value ? 0 : -EOVERFLOW;
}

const char *tree_path(const struct tree_node *node, char *buf, size_t size)
{
	char *p = buf + size - 1;

	*p = '\0';
	for (; node->parent != node; node = node->parent) {
		if ((size_t)(p - buf) < node->len + 1u)
			return p;
		if (*p)
			*--p = '/';
		p -= node->len;
		memcpy(p, node->name, node->len);
	}
	return p;
}
