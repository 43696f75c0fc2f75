/* What peers write of identities and of those before them: no crash; an assertion that is read is a list of canonical
 * addresses without anything that could end a line; an address is in the range of itself. */
#include <assert.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#include "asserted.h"
#include "trust.h"
#include "uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_identities(struct text value, struct arena *arena)
{
    struct text identities[ASSERTED_MAX];
    size_t count;
    if (asserted_parse(value, arena, identities, &count) != OK)
        return;
    assert(count >= 1 && count <= ASSERTED_MAX);
    for (size_t i = 0; i < count; i++) {
        assert(text_equal(uri_canonical(arena, identities[i]), identities[i]));
        for (size_t j = 0; j < identities[i].length; j++)
            assert((unsigned char)identities[i].bytes[j] > 0x20);
        for (size_t j = 0; j < i; j++)
            assert(!text_equal(identities[i], identities[j]));
    }
}

static void read_clients(struct text header, struct arena *arena)
{
    const struct sockaddr_in peer = {.sin_family = AF_INET, .sin_addr = {htonl(0x7f000001)}};
    struct trust trust = {.forwarded = TRUST_X_FORWARDED_FOR};
    struct trust_ranges ranges;
    struct trust_address client;
    struct text bad;
    bool good = trust_ranges_parse(TEXT("127.0.0.0/8"), &trust.proxies, &bad);
    assert(good);
    for (int form = 0; form < 2; form++) {
        trust.forwarded = form ? TRUST_FORWARDED : TRUST_X_FORWARDED_FOR;
        if (!trust_client(&trust, (const struct sockaddr *)(const void *)&peer, header, &client))
            continue;
        assert(!trust_ranges_have(&trust.proxies, &client));
        bool parsed = trust_ranges_parse(trust_address_text(&client, arena), &ranges, &bad);
        assert(parsed && trust_ranges_have(&ranges, &client));
    }
    trust_ranges_parse(header, &ranges, &bad);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text value = {(const char *)data, size};
    struct arena arena;
    arena_init(&arena, "fuzz");
    read_identities(value, &arena);
    read_clients(value, &arena);
    arena_clear(&arena);
    return 0;
}
