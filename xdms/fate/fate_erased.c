/* Who was erased, and when, as far as those must know who write down later what came before. There is one record for
 * each, and one whose version changes whenever an erasure begins or ends. */
#include "fate_private.h"
#include "record.h"

#define ERASING    "erasing"  /* kind of the counted claims of those whose erasure has not ended */
#define ERASURES   "erasures" /* likewise of the one record, which is there for good */
#define LAST       "last-ms"
#define RUNNING    "running"
#define NOTHING    "nothing"         /* name under which nothing stands */
#define NO_VERSION (VERSION_ANY - 1) /* that nothing ever has */
#define HEX_DIGITS 16                /* of a time in the value of a claim */

static struct document_key key_of(struct text address)
{
    return (struct document_key){TEXT(DOCUMENT_ERASED), address, TEXT("")};
}

static struct claim *claim_of(const char *kind, struct arena *arena)
{
    struct claim *claim = arena_new(arena, struct claim);
    *claim = (struct claim){.kind = text_of(kind), .value = TEXT(""), .counted = true};
    return claim;
}

static struct commit note_of(struct text address, int64_t when_ms, bool running, const char *kind, struct arena *arena)
{
    struct text_builder record;
    builder_init(&record, arena);
    record_add_number(&record, LAST, when_ms);
    record_add_number(&record, RUNNING, running);
    return (struct commit){
        .key = key_of(address),
        .expected = VERSION_ANY,
        .bytes = builder_text(&record),
        .claims = kind ? claim_of(kind, arena) : NULL,
        .claims_count = kind ? 1 : 0,
        .who = TEXT("erasure"),
    };
}

void fate_note_erasure(struct text address, int64_t when_ms, bool running, struct arena *arena,
                       struct commit commits[FATE_ERASURE_COMMITS])
{
    commits[0] = note_of(fate_key_part(address, arena), when_ms, running, running ? ERASING : NULL, arena);
    commits[1] = note_of(TEXT(""), when_ms, false, ERASURES, arena);
}

enum status fate_erasures(const struct documents *documents, struct arena *arena, struct fate_erasures *erasures_out)
{
    const struct document_key key = key_of(TEXT(""));
    struct stored stored;
    struct tally tally = {0};
    *erasures_out = (struct fate_erasures){.version = VERSION_ABSENT, .last_ms = INT64_MIN};
    enum status status = document_internal_read(documents, &key, arena, &stored);
    if (status == NOT_FOUND)
        return OK;
    if (status == OK)
        status = document_internal_tally(documents, TEXT(ERASING), TEXT(""), &tally);
    if (status != OK) /* that no state has, and of which everything is in question */
        *erasures_out = (struct fate_erasures){.version = NO_VERSION, .running = true};
    else
        *erasures_out = (struct fate_erasures){
            .version = stored.version, .last_ms = record_number(stored.bytes, LAST, 0), .running = tally.count > 0};
    return status;
}

struct commit fate_no_erasure_since(const struct fate_erasures *erasures, struct arena *arena)
{
    /* A deletion that never takes place. */
    return (struct commit){.key = key_of(TEXT("")),
                           .expected = erasures->version,
                           .deletion = true,
                           .who = TEXT("im-glue"),
                           .unless_held = claim_of(ERASURES, arena)};
}

/* `address` is a part of a key already. What cannot be read is taken for erased. */
static bool is_erased(const struct documents *documents, struct text address, int64_t since_ms, struct arena *arena)
{
    const struct document_key key = key_of(address);
    struct stored stored;
    enum status status = address.length ? document_internal_read(documents, &key, arena, &stored)
                                        : NOT_FOUND; /* empty: the one record */
    if (status != OK)
        return status != NOT_FOUND;
    return record_number(stored.bytes, RUNNING, 0) || record_number(stored.bytes, LAST, 0) >= since_ms;
}

static bool is_in_question(const struct fate_erasures *erasures, int64_t since_ms)
{
    return erasures->running || erasures->last_ms >= since_ms;
}

bool fate_is_erased(const struct documents *documents, const struct fate_erasures *erasures, const struct fate *fate,
                    struct arena *arena)
{
    int64_t since_ms = fate_first_ms(fate);
    return is_in_question(erasures, since_ms) &&
           (is_erased(documents, fate_key_part(fate->sender, arena), since_ms, arena) ||
            is_erased(documents, fate_key_part(fate->recipient, arena), since_ms, arena));
}

struct commit fate_no_commit(void)
{
    return (struct commit){
        .key = {TEXT(DOCUMENT_ERASED), TEXT(""), TEXT(NOTHING)}, .expected = VERSION_ANY, .deletion = true};
}

/* --- records that could not be written because of an erasure ------------------------------------------------------ */

/* "address 7fff…": its time counts backwards. */
static bool claim_is_of_erased(const struct documents *documents, const struct fate_erasures *erasures,
                               const struct claim *claim, struct arena *arena)
{
    struct text value = claim->value;
    uint64_t backwards = 0;
    if (value.length < HEX_DIGITS + 1 ||
        !text_hex_to_u64(text_slice(value, value.length - HEX_DIGITS, value.length), &backwards))
        return false;
    int64_t since_ms = INT64_MAX - (int64_t)backwards;
    return is_in_question(erasures, since_ms) &&
           is_erased(documents, text_slice(value, 0, value.length - HEX_DIGITS - 1), since_ms, arena);
}

/* What was written meanwhile came later, unless it was there before. */
static bool is_overtaken(const struct fate *ours, const struct fate *there)
{
    int64_t ours_ms = ours->steps_count ? ours->steps[ours->steps_count - 1].when_ms : 0;
    int64_t there_ms = there->steps_count ? there->steps[there->steps_count - 1].when_ms : 0;
    return there_ms > ours_ms || (there_ms == ours_ms && there->steps_count > ours->steps_count);
}

static void write_over(const struct documents *documents, struct arena *arena, struct commit *commit)
{
    struct stored stored;
    struct fate ours, there;
    if (fate_is_report(commit->bytes) || document_internal_read(documents, &commit->key, arena, &stored) != OK)
        return;
    if (fate_read(commit->bytes, arena, &ours) && fate_read(stored.bytes, arena, &there) && is_overtaken(&ours, &there))
        *commit = fate_no_commit();
    else
        commit->expected = stored.version;
}

void fate_revise(const struct documents *documents, const struct fate_erasures *erasures, struct arena *arena,
                 struct commit *commit)
{
    bool erased = false;
    bool shared = fate_is_fan_out(&commit->key);
    if (!text_equal(commit->key.usage, TEXT(DOCUMENT_FATES)) || commit->deletion)
        return;
    for (size_t i = 0; i < commit->claims_count; i++)
        erased = erased || claim_is_of_erased(documents, erasures, &commit->claims[i], arena);
    if (erased && shared)
        commit->expected = NO_VERSION;
    else if (erased)
        *commit = fate_no_commit();
    else if (!shared)
        write_over(documents, arena, commit);
}
