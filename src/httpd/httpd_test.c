/* SPDX-License-Identifier: Apache-2.0 */
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "base/test.h"
#include "httpd/exchange.h"
#include "httpd/httpd.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

/* ---- a service ---- */

static int echo(struct exchange *x, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(1 << 16);
	int r = exchange_slurp(x, &b, e);

	exchange_field(x, "X-Note", "two\r\nlines");
	return r < 0 ? r : exchange_send(x, 200, "text/plain", b.p, b.len, e);
}

static int count(struct exchange *x, struct err *e)
{
	char piece[4096], text[32];
	size_t all = 0;
	ssize_t n;

	while ((n = exchange_read(x, piece, sizeof(piece), e)) > 0)
		all += (size_t)n;
	return n < 0 ? (int)n
		     : exchange_send(x, 200, NULL, text,
				     (size_t)snprintf(text, sizeof(text), "%zu", all), e);
}

static int stream(struct exchange *x, struct err *e)
{
	int r = exchange_begin(x, 200, "text/plain", e);

	for (int i = 0; r >= 0 && i < 3; i++)
		r = exchange_write(x, "abc", (size_t)i + 1, e);
	return r;
}

static int file(struct exchange *x, struct err *e)
{
	auto_fd int fd = memfd_create("file", MFD_CLOEXEC);
	uint64_t first = 2, last = 5;

	if (write(fd, "0123456789", 10) != 10)
		return -EIO;
	http_request_range(&x->request, 10, &first, &last);
	return exchange_send_file(x, 206, NULL, fd, first, last - first + 1, e);
}

/* Sends back what comes, in capitals, until the end. */
static int hijack(struct exchange *x, struct err *e)
{
	struct exchange_early early;
	int fd = exchange_hijack(x, "application/octet-stream", &early, e);
	char b[64];
	ssize_t n = (ssize_t)early.len;

	if (fd < 0)
		return fd;
	memcpy(b, early.p, early.len);
	while (n > 0 || (n = read(fd, b, sizeof(b))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			b[i] = (char)(b[i] & ~0x20);
		if (write(fd, b, (size_t)n) != n)
			break;
		n = 0;
	}
	return 0;
}

static int handle(struct exchange *x, void *arg, struct err *e)
{
	static const struct {
		const char *path;
		int (*fn)(struct exchange *x, struct err *e);
	} routes[] = {{"/echo", echo},
		      {"/count", count},
		      {"/stream", stream},
		      {"/file", file},
		      {"/hijack", hijack}};

	for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++)
		if (streq(x->request.path, routes[i].path))
			return routes[i].fn(x, e);
	if (streq(x->request.path, "/cut")) {
		exchange_begin(x, 200, NULL, NULL);
		return err_set(e, ERR_SYSTEM, "it broke");
	}
	return streq(x->request.path, "/silent") ? 0 : err_set(e, ERR_NOT_FOUND, "no such thing");
}

/* ---- a client ---- */

static char where[HTTPD_ADDRESS_MAX];
static pid_t server; /* the process of the service */

static void serve(unsigned int connections)
{
	int fd = httpd_listen("127.0.0.1:0", 1, where, NULL);
	struct httpd_opts o = {.listen = &fd,
			       .nlisten = 1,
			       .handle = handle,
			       .connections_max = connections,
			       .head_seconds = 1,
			       .idle_seconds = 2,
			       .stall_seconds = 1};

	server = fork();
	if (server == 0)
		_exit(fd < 0 || httpd_run(&o, NULL) < 0);
	close(fd);
}

static int stop(void)
{
	int status = -1;

	kill(server, SIGTERM);
	waitpid(server, &status, 0);
	return status;
}

static int dial(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				 .sin_port =
				     htons((uint16_t)strtoul(strchr(where, ':') + 1, NULL, 10))};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return connect(fd, (struct sockaddr *)&in, sizeof(in)) < 0 ? -1 : fd;
}

/* Everything until the server closes, or for at most 5 s. */
static const char *rest(int fd)
{
	static char b[1 << 16];
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t n = 0;

	while (n + 1 < sizeof(b) && poll(&p, 1, 5000) > 0) {
		ssize_t k = read(fd, b + n, sizeof(b) - 1 - n);

		if (k <= 0)
			break;
		n += (size_t)k;
	}
	b[n] = '\0';
	return b;
}

static const char *ask(const char *text)
{
	auto_fd int fd = dial();

	if (fd < 0 || send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		return "no connection";
	shutdown(fd, SHUT_WR);
	return rest(fd);
}

static bool begins(const char *text, const char *with)
{
	if (!str_after(text, with))
		printf("# '%.300s'\n", text);
	return str_after(text, with) != NULL;
}

static bool ends(const char *text, const char *with)
{
	size_t n = strlen(text), k = strlen(with);

	if (n < k || !streq(text + n - k, with))
		printf("# '%.300s'\n", text);
	return n >= k && streq(text + n - k, with);
}

/* ---- tests ---- */

TEST(answers)
{
	const char *got;

	serve(0);
	got = ask("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
	CHECK(begins(got, "HTTP/1.1 200 OK\r\n"));
	CHECK(strstr(got, "\r\nX-Note: two??lines\r\n") && strstr(got, "\r\nDate: "));
	CHECK(strstr(got, "\r\nContent-Length: 5\r\n") && ends(got, "\r\n\r\nhello"));
	got = ask("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
		  "2\r\nab\r\n1;x\r\nc\r\n0\r\n\r\n");
	CHECK(ends(got, "\r\n\r\nabc"));
	got = ask(GET("/stream"));
	CHECK(strstr(got, "\r\nTransfer-Encoding: chunked\r\n"));
	CHECK(ends(got, "\r\n\r\n1\r\na\r\n2\r\nab\r\n3\r\nabc\r\n0\r\n\r\n"));
	got = ask("GET /stream HTTP/1.0\r\n\r\n");
	CHECK(strstr(got, "\r\nConnection: close\r\n") && ends(got, "\r\n\r\naababc"));
	got = ask(GET("/file"));
	CHECK(ends(got, "\r\n\r\n2345"));
	got = ask("HEAD /file HTTP/1.1\r\nHost: a\r\nRange: bytes=-3\r\n\r\n");
	CHECK(strstr(got, "\r\nContent-Length: 3\r\n") && ends(got, "\r\n\r\n"));
	got = ask("HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n");
	CHECK(ends(got, "\r\n\r\n"));
	CHECK_INT(stop(), 0);
}

TEST(errors)
{
	const char *got;

	serve(0);
	got = ask(GET("/nothing"));
	CHECK(begins(got, "HTTP/1.1 404 ") && ends(got, "\r\n\r\nno such thing"));
	CHECK(begins(ask(GET("/silent")), "HTTP/1.1 500 "));
	/* Cut off: the end of the chunks does not come. */
	CHECK(begins(ask(GET("/cut")), "HTTP/1.1 200 ") && ends(ask(GET("/cut")), "\r\n\r\n"));
	got = ask("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
		  "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" GET("/file"));
	CHECK(begins(got, "HTTP/1.1 400 ") && !strstr(got + 9, "HTTP/1.1"));
	CHECK(begins(ask("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz"),
		     "HTTP/1.1 400 "));
	CHECK(begins(ask("\x16\x03\x01 hello\r\n\r\n"), "HTTP/1.1 400 "));
	got = ask("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: x\r\nContent-Length: 70000\r\n\r\n");
	CHECK(begins(got, "HTTP/1.1 501 "));
	CHECK_STR(ask(""), "");
	CHECK_INT(stop(), 0);
}

TEST(requests_follow_each_other)
{
	const char *got, *second;

	serve(0);
	got =
	    ask(GET("/file")
		    GET("/nothing") "POST /echo HTTP/1.1\r\nHost: a\r\n"
				    "Connection: close\r\nContent-Length: 1\r\n\r\nX" GET("/file"));
	second = strstr(got, "2345HTTP/1.1 404 ");
	CHECK(second && strstr(second, "no such thingHTTP/1.1 200 ") && ends(got, "\r\n\r\nX"));
	/* A body that nobody read does not become the next request. */
	got = ask("POST /file HTTP/1.1\r\nHost: a\r\nContent-Length: 36\r\n\r\n" GET("/nothing")
		      GET("/echo"));
	CHECK(!strstr(got, "404") && strstr(got, "2345HTTP/1.1 200 "));
	CHECK_INT(stop(), 0);
}

TEST(a_large_body_is_invited)
{
	auto_fd int fd = -1;
	char *big = calloc(1, 1 << 20);
	struct pollfd p = {.events = POLLIN};
	char b[64] = "";
	static const char head[] = "POST /count HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
				   "Expect: 100-continue\r\nContent-Length: 1048576\r\n\r\n";

	serve(0);
	fd = dial();
	CHECK(send(fd, head, sizeof(head) - 1, 0) > 0);
	p.fd = fd;
	CHECK(poll(&p, 1, 5000) == 1 && read(fd, b, sizeof(b) - 1) > 0);
	CHECK_STR(b, "HTTP/1.1 100 Continue\r\n\r\n");
	for (size_t n = 0; n < 1 << 20;) {
		ssize_t k = write(fd, big + n, (1 << 20) - n);

		CHECK(k > 0);
		n += (size_t)k;
	}
	CHECK(ends(rest(fd), "\r\n\r\n1048576"));
	free(big);
	CHECK_INT(stop(), 0);
}

TEST(a_connection_is_handed_over)
{
	static const char up[] = "POST /hijack HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
				 "Upgrade: tcp\r\n\r\nearly";
	const char *got;

	serve(0);
	got = ask(up);
	CHECK(begins(got, "HTTP/1.1 101 UPGRADED\r\n") && strstr(got, "\r\nUpgrade: tcp\r\n"));
	CHECK(!strstr(got, "Content-Length") && ends(got, "\r\n\r\nEARLY"));
	got = ask("POST /hijack HTTP/1.1\r\nHost: a\r\n\r\nlate");
	CHECK(begins(got, "HTTP/1.1 200 OK\r\n") && ends(got, "\r\n\r\nLATE"));
	CHECK_INT(stop(), 0);
}

static int64_t seconds_until_closed(int fd)
{
	struct timespec a, b;

	clock_gettime(CLOCK_MONOTONIC, &a);
	rest(fd);
	clock_gettime(CLOCK_MONOTONIC, &b);
	return b.tv_sec - a.tv_sec;
}

TEST(who_is_slow_does_not_keep_a_connection)
{
	auto_fd int head = -1;
	auto_fd int body = -1;

	serve(0);
	head = dial();
	body = dial();
	CHECK(send(head, "GET / HT", 8, 0) == 8);
	CHECK(send(body, "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1", 53, 0) >
	      0);
	CHECK(seconds_until_closed(head) < 5);
	CHECK(seconds_until_closed(body) < 5);
	CHECK_INT(stop(), 0);
}

/* More than may be there at once wait for their turn; ending the server ends them. */
TEST(connections_are_counted_and_end_with_it)
{
	int fds[3];

	serve(2);
	for (int i = 0; i < 3; i++)
		fds[i] = dial();
	CHECK(begins(ask(GET("/file")), "HTTP/1.1 206 "));
	CHECK_INT(stop(), 0);
	for (int i = 0; i < 3; i++) {
		CHECK_STR(rest(fds[i]), "");
		close(fds[i]);
	}
}

/* Who asks nothing gives way to who comes; who is being answered does not. */
TEST(the_silent_give_way)
{
	static const char head[] = "POST /count HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
				   "Expect: 100-continue\r\nContent-Length: 9\r\n\r\n";
	auto_fd int busy = -1;
	char b[64] = "";
	int fds[6];

	serve(2);
	busy = dial();
	CHECK(send(busy, head, sizeof(head) - 1, 0) > 0);
	/* Invited: the request has begun. */
	CHECK(read(busy, b, sizeof(b) - 1) > 0);
	for (int i = 0; i < 6; i++)
		fds[i] = dial();
	CHECK(begins(ask(GET("/file")), "HTTP/1.1 206 "));
	CHECK(send(busy, "123456789", 9, 0) == 9);
	CHECK(begins(rest(busy), "HTTP/1.1 200 "));
	for (int i = 0; i < 6; i++)
		close(fds[i]);
	CHECK_INT(stop(), 0);
}

TEST(only_loopback_when_asked)
{
	char bound[HTTPD_ADDRESS_MAX];
	struct err e = ERR_INIT;
	static const char *const wrong[] = {"0.0.0.0:0", "[::]:0",     "10.0.0.1:80",
					    "localhost", "127.0.0.1:", "127.0.0.1:70000",
					    ":80",	 "[::1:80"};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		CHECK(httpd_listen(wrong[i], 1, bound, &e) < 0);
		CHECK_INT(e.kind, ERR_USAGE);
	}
}

TEST_MAIN(T(answers), T(errors), T(requests_follow_each_other), T(a_large_body_is_invited),
	  T(a_connection_is_handed_over), T(who_is_slow_does_not_keep_a_connection),
	  T(connections_are_counted_and_end_with_it), T(the_silent_give_way),
	  T(only_loopback_when_asked))
