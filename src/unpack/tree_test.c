/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/test.h"
#include "fmt/limits.h"
#include "unpack/tree.h"

#include <sys/stat.h>

static struct tree_node *add(struct tree *t, struct tree_node *dir, const char *name, uint32_t mode)
{
	struct tree_node *n = NULL;

	tree_add(t, dir, name, strlen(name), tree_inode_new(t, mode), &n, NULL);
	return n;
}

TEST(names_are_found_by_directory)
{
	auto_tree struct tree t = {0};
	struct tree_node *a, *b;
	char path[64];

	tree_init(&t, NULL);
	a = add(&t, &t.root, "a", S_IFDIR | 0755);
	b = add(&t, a, "a", S_IFREG | 0644);
	CHECK(tree_find(&t, &t.root, "a", 1) == a);
	CHECK(tree_find(&t, a, "a", 1) == b);
	CHECK(tree_find(&t, a, "aa", 2) == NULL);
	CHECK(tree_walk(&t, "a/a") == b);
	CHECK(tree_walk(&t, "a/a/a") == NULL);
	CHECK(tree_walk(&t, "") == &t.root);
	CHECK_STR(tree_path(b, path, sizeof(path)), "a/a");
	CHECK_STR(tree_path(b, path, 3), "a");
}

TEST(removing_takes_what_is_below)
{
	auto_tree struct tree t = {0};
	struct tree_node *a, *b, *link;

	tree_init(&t, NULL);
	a = add(&t, &t.root, "a", S_IFDIR | 0755);
	b = add(&t, add(&t, a, "b", S_IFDIR | 0755), "f", S_IFREG | 0644);
	add(&t, a, "c", S_IFREG | 0644);
	CHECK_INT(tree_add(&t, &t.root, "link", 4, b->inode, &link, NULL), 0);
	CHECK_INT(b->inode->nlink, 2);
	CHECK_INT(t.nodes, 5);
	tree_remove(&t, a);
	CHECK_INT(t.nodes, 1);
	CHECK_INT(t.root.nchildren, 1);
	CHECK_INT(link->inode->nlink, 1);
	CHECK(tree_find(&t, &t.root, "a", 1) == NULL);
	CHECK(tree_walk(&t, "a/b/f") == NULL);
}

TEST(many_names_come_back_in_byte_order)
{
	auto_tree struct tree t = {0};
	struct tree_node **v;
	char name[16];

	tree_init(&t, NULL);
	for (int i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "%c%d", i % 2 ? '\xe4' : 'a', i * 7919 % 20000);
		CHECK(add(&t, &t.root, name, S_IFREG) != NULL);
	}
	v = tree_sorted(&t, &t.root);
	for (size_t i = 1; i < t.root.nchildren; i++)
		CHECK(strcmp(v[i - 1]->name, v[i]->name) < 0);
	CHECK(tree_find(&t, &t.root, "a0", 2) != NULL);
	CHECK(tree_find(&t, &t.root, "a20000", 6) == NULL);
}

TEST(attributes_are_sorted_and_limited)
{
	auto_tree struct tree t = {0};
	static uint8_t big[LIMIT_XATTR_VALUE + 1];
	struct tree_inode *in;
	struct err e = ERR_INIT;

	tree_init(&t, NULL);
	in = tree_inode_new(&t, S_IFREG);
	CHECK_INT(tree_xattr_set(&t, in, "user.b", "1", 1, &e), 0);
	CHECK_INT(tree_xattr_set(&t, in, "user.a", "2", 1, &e), 0);
	CHECK_INT(tree_xattr_set(&t, in, "user.b", "33", 2, &e), 0);
	CHECK_STR(in->xattrs->name, "user.a");
	CHECK_INT(in->xattrs->next->len, 2);
	CHECK(in->xattrs->next->next == NULL);
	CHECK(tree_xattr_set(&t, in, "user.c", big, sizeof(big), &e) < 0);
	CHECK_INT(e.kind, ERR_LIMIT);
	CHECK_INT(tree_xattr_set(&t, in, "user.c", big, LIMIT_XATTR_VALUE, &e), 0);
	CHECK_INT(tree_xattr_set(&t, in, "user.d", big, LIMIT_XATTR_VALUE - 50, &e), 0);
	CHECK(tree_xattr_set(&t, in, "user.e", big, 1000, &e) < 0);
}

TEST(the_metadata_of_a_layer_is_counted)
{
	auto_tree struct tree t = {0};
	struct err e = ERR_INIT;
	char name[100] = {0};

	tree_init(&t, NULL);
	CHECK_INT(tree_count(&t, LIMIT_META_BYTES - 100, &e), 0);
	CHECK(tree_keep(&t, "0123456789", 10, &e) != NULL);
	CHECK(tree_keep(&t, name, sizeof(name), &e) == NULL);
	CHECK_INT(e.kind, ERR_LIMIT);
}

TEST_MAIN(T(names_are_found_by_directory), T(removing_takes_what_is_below),
	  T(many_names_come_back_in_byte_order), T(attributes_are_sorted_and_limited),
	  T(the_metadata_of_a_layer_is_counted))
