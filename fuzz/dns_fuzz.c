/* SPDX-License-Identifier: Apache-2.0 */
/* What is read as a question can be answered within bounds, and the answer is known as its own. */
#include "fmt/dns.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns_record v[DNS_ANSWERS_MAX];
	uint8_t out[DNS_ANSWER_MAX], addr[16];
	struct dns_question q;
	size_t n;

	if (dns_question_read(data, size, &q) != 0)
		return 0;
	if (q.end > size || strlen(q.name) >= sizeof(q.name))
		abort();
	(void)dns_reverse_name(q.name, addr);
	for (size_t i = 0; i < DNS_ANSWERS_MAX; i++)
		v[i] = (struct dns_record){.type = i % 3 ? DNS_A : DNS_PTR, .name = q.name};
	n = dns_answer_write(data, &q, DNS_OK, v, DNS_ANSWERS_MAX, 5, out);
	if (n > sizeof(out) || !dns_answers(out, n, q.id, data, &q) ||
	    dns_answers(data, size, q.id, data, &q))
		abort();
	return 0;
}
