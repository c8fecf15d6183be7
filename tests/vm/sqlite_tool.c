/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite_tool write DB COUNT - count in memory, put each number into the database in a transaction
 * of its own, and then into the file COUNT, for ever. sqlite_tool check DB - how many numbers there
 * are; fails unless the database is whole and they are 1, 2, 3 ... Static: it runs anywhere.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void run(sqlite3 *db, const char *sql)
{
	char *why = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK) {
		fprintf(stderr, "%s: %s\n", sql, why);
		exit(1);
	}
}

static long number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *st;
	long n = -1;

	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW)
		n = (long)sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return n;
}

static void keep_writing(sqlite3 *db, const char *count)
{
	char sql[128], fresh[256];

	snprintf(fresh, sizeof(fresh), "%s.new", count);
	run(db, "create table t (n integer primary key, pad text)");
	for (long n = 1;; n++) {
		FILE *f;

		snprintf(sql, sizeof(sql), "insert into t values (%ld, hex(randomblob(200)))", n);
		run(db, sql);
		f = fopen(fresh, "we");
		if (!f || fprintf(f, "%ld\n", n) < 0 || fclose(f) || rename(fresh, count)) {
			perror(count);
			exit(1);
		}
		usleep(10000); /* several machines share an emulating host */
	}
}

int main(int argc, char **argv)
{
	sqlite3 *db;

	if (argc < 3 || sqlite3_open(argv[2], &db) != SQLITE_OK)
		return 2;
	sqlite3_busy_timeout(db, 60000);
	if (strcmp(argv[1], "write") == 0 && argc == 4)
		keep_writing(db, argv[3]);
	/* Of one moment: somebody writes. */
	run(db, "begin");
	if (number(db, "select count(*) = coalesce(max(n), 0) from t") != 1 ||
	    number(db,
		   "select count(*) from pragma_integrity_check where integrity_check = 'ok'") !=
		1) {
		fprintf(stderr, "the database is not whole\n");
		return 1;
	}
	printf("%ld\n", number(db, "select count(*) from t"));
	return 0;
}
