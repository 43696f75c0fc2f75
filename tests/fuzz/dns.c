/* Any bytes as an answer of a server, read for both types: what is found is text, and there is never too much of it. */
#include <assert.h>

#include "dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum dns_type types[] = {DNS_SRV, DNS_NAPTR};
    struct dns_answer answer;
    struct arena arena;
    arena_init(&arena, "fuzz");
    for (size_t i = 0; i < 2; i++) {
        dns_answer_read(data, size, types[i], &arena, &answer);
        assert(answer.count <= DNS_RECORDS_MAX && answer.ttl_s >= 0);
        assert((answer.outcome == DNS_FOUND) == (answer.count > 0));
        for (size_t j = 0; j < answer.count; j++)
            assert(text_find_char(answer.records[j].target, '\0') == answer.records[j].target.length);
    }
    arena_clear(&arena);
    return 0;
}
