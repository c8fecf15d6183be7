/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/err.h"
#include "base/test.h"
#include "cli/template.h"
#include "fmt/json.h"

#include <string.h>

static const char doc[] =
    "{\"Name\":\"/web\",\"State\":{\"Pid\":42,\"Running\":true,\"Error\":\"\"},"
    "\"Args\":[\"a\",\"b\"],\"Ports\":{\"80/"
    "tcp\":[{\"HostPort\":\"8080\"}]},\"Labels\":{\"x\":\"1\",\"y\":\"2\"},\"Nets\":{\"bridge\":{"
    "\"IP\":\"1."
    "2\"}}}";

static const char *fill(const char *t)
{
	static char out[1024];
	auto_buf struct buf b = BUF_INIT(1024);
	struct json *j = NULL;
	struct err e = ERR_INIT;
	int r = json_parse(doc, sizeof(doc) - 1, "test", &j, &e);

	if (r == 0)
		r = template_print(t, j, &b, &e);
	snprintf(out, sizeof(out), "%s", r < 0 ? e.msg : b.p);
	json_free(j);
	return out;
}

TEST(members_and_functions)
{
	CHECK_STR(fill("{{.Name}}\\t{{.State.Pid}}"), "/web\t42");
	CHECK_STR(fill("{{json .Args}} {{.Args}}"), "[\"a\",\"b\"] [a b]");
	CHECK_STR(fill("{{.Labels}} {{.Nets}}"), "map[x:1 y:2] map[bridge:map[IP:1.2]]");
	CHECK_STR(fill("{{.Nope}} {{.State.Error}}."), "<no value> .");
	CHECK_STR(fill("{{upper .Name}} {{len .Args}} {{join .Args \"-\"}}"), "/WEB 2 a-b");
	CHECK_STR(fill("{{index .Labels \"x\"}}{{index .Args 1}}{{index .Labels \"q\"}}"), "1b");
	CHECK_STR(fill("{{.Name | json}} {{.State.Running}}"), "\"/web\" true");
}

TEST(blocks)
{
	CHECK_STR(fill("{{range .Args}}<{{.}}>{{end}}"), "<a><b>");
	CHECK_STR(fill("{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}"), "x=1;y=2;");
	CHECK_STR(fill("{{range .Nets}}{{.IP}}{{end}}"), "1.2");
	CHECK_STR(fill("{{range $n, $c := .Nets}}{{$n}} {{$c.IP}}{{end}}"), "bridge 1.2");
	CHECK_STR(fill("{{if .State.Running}}up{{else}}down{{end}}"), "up");
	CHECK_STR(fill("{{if eq .Name \"x\"}}up{{else}}down{{end}}"), "down");
	CHECK_STR(fill("{{with .State}}{{.Pid}} {{$.Name}}{{end}}"), "42 /web");
	CHECK_STR(fill("a {{- .State.Pid -}} b"), "a42b");
}

TEST(what_dockers_pages_show)
{
	CHECK_STR(fill("{{(index (index .Ports \"80/tcp\") 0).HostPort}}"), "8080");
	CHECK_STR(fill("{{range $p, $c := .Ports}}{{$p}} -> {{(index $c 0).HostPort}}{{end}}"),
		  "80/tcp -> 8080");
	CHECK_STR(fill("{{index .Ports \"80/tcp\" 0 | json}}"), "{\"HostPort\":\"8080\"}");
	CHECK_STR(fill("{{split .Name \"w\"}}{{join (split \"a:b:c\" \":\") \"/\"}}"),
		  "[/ eb]a/b/c");
	CHECK_STR(fill("<{{pad .Name 1 2}}{{truncate .Name 2}}{{title \"two words\"}}>"),
		  "< /web  /wTwo Words>");
	CHECK_STR(fill("{{range .Args}}{{println .}}{{end}}"), "a\nb\n");
	CHECK_STR(fill("{{printf \"%-4s|%3d|%q\" \"ab\" 7 .Name}}"), "ab  |  7|\"/web\"");
	CHECK_STR(fill("{{if and .State.Running (eq .State.Pid 42)}}yes{{end}}"), "yes");
	CHECK_STR(fill("{{or .State.Error \"fine\"}} {{not .State.Running}}"), "fine false");
	CHECK_STR(fill("{{if .State.Error}}a{{else if eq .Name \"x\"}}b{{else if "
		       ".Args}}c{{else}}d{{end}}"),
		  "c");
	CHECK_STR(fill("{{range .Nope}}x{{else}}none{{end}}{{with .State.Error}}x{{else}}-{{end}}"),
		  "none-");
	CHECK_STR(fill("{{$n := .Name}}{{range .Args}}{{$n}}{{.}} {{end}}{{/* not this */}}"),
		  "/weba /webb ");
	CHECK_STR(fill("{{range $v := .Args}}{{$v}}{{end}}{{range $i, $v := .Args}}{{$i}}{{end}}"),
		  "ab01");
	CHECK_STR(fill("{{eq .Name \"a\" \"/web\"}} {{lt 9 10}} {{ge .State.Pid 43}}"),
		  "true true false");
	CHECK_STR(fill("{{.name}} {{.STATE.pid}} {{\"}}\"}} {{`a\\b`}} {{\"t\\tt\"}}"),
		  "/web 42 }} a\\b t\tt");
	CHECK_STR(fill("{{len .Nets.bridge}}{{print 1 2 \"x\" \"y\"}}"), "11 2xy");
}

TEST(what_is_not_understood_is_named)
{
	CHECK_STR(fill("{{.Name"), "template: cannot understand '{{.Name'");
	CHECK_STR(fill("{{frob .Name}}"), "template: cannot understand 'frob'");
	CHECK_STR(fill("{{range .Args}}"), "template: a block without {{end}}");
	CHECK_STR(fill("{{}}"), "template: cannot understand '{{}}'");
	CHECK_STR(fill("{{.Name |}}"), "template: cannot understand '|'");
	CHECK_STR(fill("{{\"x}}"), "template: cannot understand '{{\"x'");
	CHECK_STR(fill("{{(.Name}}"), "template: cannot understand '(.Name'");
	CHECK_STR(fill("{{.Name .Args}}"), "template: cannot understand '.Args'");
	CHECK_STR(fill("{{index .Args 7}}"), "template: index out of range: 7");
	CHECK_STR(fill("{{$nope}}"), "template: cannot understand '$nope'");
	CHECK_STR(fill("{{if .Name}}a{{else nonsense}}b{{end}}c"), "ac");
	CHECK_STR(fill("{{if .Nope}}a{{else nonsense}}b{{end}}"),
		  "template: cannot understand '{{else nonsense}}'");
	CHECK_STR(fill("{{pad .Name -1 2}}"), "template: pad takes 0 to 1024 blanks");
	CHECK(strstr(fill("{{printf \"%x\" 1}}"), "printf knows"));
	CHECK(strstr(fill("{{range .Args}}{{range .Args}}{{end}}"), "without {{end}}"));
}

TEST(tables_align)
{
	static const char *const heads[][2] = {{"ID", "CONTAINER ID"}, {"Names", "NAMES"}, {0}};
	auto_buf struct buf lines = BUF_INIT(1024), out = BUF_INIT(1024);

	template_head("{{.ID}}\\t{{.Names}}", heads, &lines);
	buf_puts(&lines, "1\tweb\n");
	template_align(&lines, &out);
	CHECK_STR(out.p, "CONTAINER ID   NAMES\n1              web\n");
	CHECK_STR(template_table("table {{.ID}}"), "{{.ID}}");
	CHECK(!template_table("tablet"));
}

TEST_MAIN(T(members_and_functions), T(blocks), T(what_dockers_pages_show),
	  T(what_is_not_understood_is_named), T(tables_align))
