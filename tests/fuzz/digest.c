/* Authorization values from peers, and request targets beside them: no crash, and nothing is good that a holder of the
 * password did not make. The first line is the target, the rest the header. */
#include "basic.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "user.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW INT64_C(1767225600000)

static struct documents *documents_with_alice(struct store **store_out)
{
    struct arena arena;
    struct user user;
    struct refusal refusal;
    arena_init(&arena, "fuzz");
    *store_out = store_open_memory();
    struct documents *documents = documents_new(*store_out, NULL);
    enum status status = user_make(TEXT("alice"), TEXT("secret"), TEXT(""), TEXT("example.com"), TEXT("example.com"), 0,
                                   &arena, &user, &refusal);
    assert(status == OK);
    status = user_put(documents, &user, VERSION_ANY, TEXT("fuzz"));
    assert(status == OK);
    arena_clear(&arena);
    return documents;
}

/* Who knows the password may tell it; mutation finds that out. */
static bool tells_password(struct text header, struct arena *arena)
{
    struct text scheme, encoded, decoded;
    text_cut(text_trim(header), ' ', &scheme, &encoded);
    return base64_decode(arena, text_trim(encoded), &decoded) && text_ends_with(decoded, TEXT(":secret"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t key[32] = "unknown to whoever makes inputs";
    static struct store *store;
    static struct documents *documents;
    static struct digest *digest; /* one for all inputs: its tables are large, and no input gets into them */
    if (!digest) {
        documents = documents_with_alice(&store);
        digest = digest_new(TEXT("example.com"), TEXT("example.com"), key);
    }
    struct text target, header;
    struct digest_answer answer;
    text_cut((struct text){(const char *)data, size}, '\n', &target, &header);
    struct arena arena;
    arena_init(&arena, "fuzz");
    for (int sip = 0; sip < 2; sip++) {
        const struct digest_request request = {
            .authorization = header, .method = TEXT("GET"), .uri = target, .body = TEXT("body"), .sip = sip};
        enum digest_result result = digest_check(digest, documents, &request, NOW, &arena, &answer);
        /* A right response to a nonce that is not ours is as far as an input with the password gets. */
        assert(result != DIGEST_GOOD && result != DIGEST_FAILED);
        assert(answer.user.address.length == 0 && answer.info.length == 0);
    }
    enum digest_result result = basic_check(digest, documents, header, NULL, NOW, &arena, &answer);
    assert(result != DIGEST_FAILED);
    assert(result != DIGEST_GOOD || tells_password(header, &arena));
    arena_clear(&arena);
    return 0;
}
