/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns - questions of instances and answers to them, as bytes.
 *
 * Only what a forwarding name server for a small network needs: one question is read, an answer is
 * built from addresses or a name, an answer of somebody else's is recognised as the one that was
 * asked for and passed on unread.  A question's name is never compressed, so nothing here follows
 * pointers.  Source: RFC 1035, sections 4.1 and 3.4; RFC 3596; RFC 2308.
 */
#ifndef FMT_DNS_H
#define FMT_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_HEADER	 12
#define DNS_QUESTION_MAX 4096 /* bytes of a message with a question that is looked at */
#define DNS_ANSWERS_MAX	 16   /* records in an answer that is built here: it fits into 512 bytes */
#define DNS_ANSWER_MAX	 1024
#define DNS_NAME_SIZE	 256

enum { DNS_A = 1, DNS_PTR = 12, DNS_AAAA = 28 };
enum {
	DNS_OK = 0,
	DNS_BAD_FORMAT = 1,
	DNS_FAILED = 2,
	DNS_NO_NAME = 3,
	DNS_NOT_DONE = 4,
	DNS_REFUSED = 5
};

struct dns_question {
	uint16_t id, type, class_;
	bool plain;		  /* name has host names' letters only, and .name is usable */
	char name[DNS_NAME_SIZE]; /* lower case, dots between labels, none at the end */
	size_t end;		  /* offset behind the question */
};

/* 0, or what to answer: DNS_BAD_FORMAT, DNS_NOT_DONE (another operation); or -EBADMSG: nothing can
 * or may be answered (too short, itself an answer). */
int dns_question_read(const uint8_t *p, size_t n, struct dns_question *out);

struct dns_record {
	uint16_t type;	  /* DNS_A, DNS_AAAA or DNS_PTR */
	uint8_t addr[16]; /* network byte order */
	const char *name; /* of a PTR: dots between labels */
};

/* An answer to the question in p (which dns_question_read() took, or of which only the header is
 * used when q is NULL).  Returns its length, at most DNS_ANSWER_MAX. */
size_t dns_answer_write(const uint8_t *p, const struct dns_question *q, int rcode,
			const struct dns_record *v, size_t n, uint32_t ttl_s,
			uint8_t out[DNS_ANSWER_MAX]);

/* Whether p answers the question asked, which q describes, under this id. */
bool dns_answers(const uint8_t *p, size_t n, uint16_t id, const uint8_t *asked,
		 const struct dns_question *q);

/* "4.3.2.1.in-addr.arpa" or the 32 digits of ip6.arpa: the family, address in addr; 0: neither. */
int dns_reverse_name(const char *name, uint8_t addr[16]);

#endif
