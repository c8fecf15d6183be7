/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/test.h"
#include "build/imageconf.h"
#include "fmt/dockerfile.h"

#include <errno.h>

static struct arena arena;
static struct imageconf conf;
static struct scope_args none;

/* Apply each line behind "FROM scratch"; "" or the error. */
static const char *apply(const char *lines)
{
	const char *text = arena_printf(&arena, "FROM scratch\n%s\n", lines);
	struct dockerfile *f = NULL;
	struct err e = ERR_INIT;

	if (imageconf_begin(&conf, NULL, NULL, &none, '\\', &arena, &e) < 0 ||
	    imageconf_path(&conf, &e) < 0 ||
	    dockerfile_parse(text, strlen(text), "Dockerfile", &arena, &f, NULL, &e) < 0)
		return arena_dup(&arena, e.msg);
	for (size_t i = 1; i < f->n; i++)
		if (imageconf_apply(&conf, &f->v[i], &e) < 0)
			return arena_dup(&arena, *e.msg ? e.msg : "makes files");
	imageconf_finish(&conf, "1970-01-01T00:00:00Z");
	return "";
}

TEST(environment)
{
	CHECK_STR(apply("ENV A=1\nENV A=2 B=$A\nENV C=${B}x"), "");
	CHECK_INT(conf.c.config.env.n, 4);
	CHECK(strstr(conf.c.config.env.v[0], "PATH=/usr/local/sbin"));
	CHECK_STR(conf.c.config.env.v[1], "A=2");
	CHECK_STR(conf.c.config.env.v[2], "B=1");
	CHECK_STR(conf.c.config.env.v[3], "C=1x");
}

TEST(commands)
{
	CHECK_STR(apply("CMD echo hi"), "");
	CHECK_INT(conf.c.config.cmd.n, 3);
	CHECK_STR(conf.c.config.cmd.v[0], "/bin/sh");
	CHECK_STR(apply("SHELL [\"/bin/bash\", \"-e\", \"-c\"]\nCMD [\"x\"]\nENTRYPOINT y z"), "");
	CHECK_INT(conf.c.config.cmd.n, 1);
	CHECK_INT(conf.c.config.entrypoint.n, 4);
	CHECK_STR(conf.c.config.entrypoint.v[3], "y z");
	CHECK_STR(apply("CMD"), "");
	CHECK_INT(conf.c.config.cmd.n, 0);
}

TEST(inherited_command_goes_with_a_new_entrypoint)
{
	struct oci_config base = {0};
	struct dockerfile_instr *in = NULL;
	struct err e = ERR_INIT;

	arena_strs_add(&arena, &base.config.cmd, "old");
	CHECK_INT(imageconf_begin(&conf, &base, NULL, &none, '\\', &arena, &e), 0);
	CHECK_INT(dockerfile_parse_one("ENTRYPOINT [\"x\"]", 16, "x", &arena, &in, &e), 0);
	CHECK_INT(imageconf_apply(&conf, in, &e), 0);
	CHECK_INT(conf.c.config.cmd.n, 0);
}

TEST(ports_and_volumes)
{
	CHECK_STR(
	    apply("ENV P='80 81'\nEXPOSE $P 443/UDP 9000-9002 80\nVOLUME /a /b\nVOLUME [\"/a\"]"),
	    "");
	CHECK_INT(conf.c.config.exposed_ports.n, 6);
	CHECK_STR(conf.c.config.exposed_ports.v[2], "443/udp");
	CHECK_STR(conf.c.config.exposed_ports.v[5], "9002/tcp");
	CHECK_INT(conf.c.config.volumes.n, 2);
	CHECK(strstr(apply("EXPOSE 70000"), "want PORT"));
	CHECK(strstr(apply("EXPOSE 80/icmp"), "want tcp, udp or sctp"));
}

TEST(health)
{
	CHECK_STR(apply("HEALTHCHECK --interval=5s --retries=3 CMD curl \"x\""), "");
	CHECK_STR(
	    conf.c.config.healthcheck,
	    "{\"Test\":[\"CMD-SHELL\",\"curl \\\"x\\\"\"],\"Interval\":5000000000,\"Retries\":3}");
	CHECK_STR(apply("HEALTHCHECK NONE"), "");
	CHECK_STR(conf.c.config.healthcheck, "{\"Test\":[\"NONE\"]}");
	CHECK(strstr(apply("HEALTHCHECK --interval=soon CMD x"), "want a duration"));
}

TEST(words)
{
	struct dockerfile_instr *in = NULL;
	struct err e = ERR_INIT;
	const char *path = NULL;

	CHECK_STR(apply("ARG U=7\nUSER $U\nSTOPSIGNAL SIGINT\nLABEL a=1 \"b c\"='d e'\nLABEL a=2\n"
			"ONBUILD RUN x\nMAINTAINER me"),
		  "");
	CHECK_STR(conf.c.config.user, "7");
	CHECK_INT(conf.c.config.labels.n, 2);
	CHECK_STR(jbind_lookup(&conf.c.config.labels, "b c"), "d e");
	CHECK_STR(conf.c.config.on_build.v[0], "RUN x");
	CHECK_STR(conf.c.author, "me");
	CHECK_INT(conf.c.history.n, 7);
	CHECK_STR(apply("RUN x"), "makes files");
	CHECK_INT(dockerfile_parse_one("WORKDIR a/../b", 14, "x", &arena, &in, &e), 0);
	conf.c.config.working_dir = "/w";
	CHECK_INT(imageconf_workdir(&conf, in, &path, &e), 0);
	CHECK_STR(path, "/w/b");
	CHECK(strstr(apply("USER $NONE"), "is empty once"));
}

TEST_MAIN(T(environment), T(commands), T(inherited_command_goes_with_a_new_entrypoint),
	  T(ports_and_volumes), T(health), T(words))
