/* What recipients, or the server itself, reported about a message: a small record for each kind, beside that of its
 * fate. */
#include "fate_private.h"
#include "record.h"

static const struct text kinds[] = {TEXT_INIT("processing"), TEXT_INIT("delivery"), TEXT_INIT("display")};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* Behind the record of the fate, as its name begins with that one's. */
static struct document_key key_of(const struct fate *fate, struct text kind, struct arena *arena)
{
    struct text name = text_format(arena, "%.*s %.*s", TEXT_ARG(fate->recipient), TEXT_ARG(kind));
    return (struct document_key){TEXT(DOCUMENT_FATES), fate_key_part(fate->message_id, arena),
                                 fate_key_part(name, arena)};
}

struct commit fate_report_commit(const struct fate *fate, struct text kind, struct text status, int64_t when_ms,
                                 struct arena *arena)
{
    struct text_builder record;
    struct commit commit = {.key = key_of(fate, kind, arena), .expected = VERSION_ANY};
    builder_init(&record, arena);
    record_add(&record, "report", kind);
    record_add(&record, "sender", fate->sender);
    record_add(&record, "status", status);
    record_add_number(&record, "when", when_ms);
    commit.bytes = builder_text(&record);
    commit.who = text_copy(arena, fate->recipient);
    fate_add_claims(fate, when_ms, arena, &commit);
    return commit;
}

bool fate_is_report(struct text record)
{
    return record_text(record, "report").length > 0;
}

static enum status read_report(const struct documents *documents, const struct fate *fate, struct text kind,
                               struct arena *arena, struct stored *stored_out)
{
    const struct document_key key = key_of(fate, kind, arena);
    enum status status = document_internal_read(documents, &key, arena, stored_out);
    if (status != OK)
        return status;
    /* Another sender may have chosen the same id. */
    return text_equal(record_text(stored_out->bytes, "sender"), fate->sender) ? OK : NOT_FOUND;
}

enum status fate_report_get(const struct documents *documents, const struct fate *fate, struct text kind,
                            struct arena *arena, struct text *status_out)
{
    struct stored stored;
    enum status status = read_report(documents, fate, kind, arena, &stored);
    if (status == OK)
        *status_out = record_text(stored.bytes, "status");
    return status;
}

/* Before the first step that is later. */
static void insert(struct fate *fate, struct fate_step step, struct arena *arena)
{
    struct fate_step *steps = arena_array(arena, struct fate_step, fate->steps_count + 1);
    size_t before = 0;
    while (before < fate->steps_count && fate->steps[before].when_ms <= step.when_ms)
        before++;
    for (size_t i = 0; i < fate->steps_count; i++)
        steps[i < before ? i : i + 1] = fate->steps[i];
    steps[before] = step;
    fate->steps = steps;
    fate->steps_count++;
}

enum status fate_add_reports(const struct documents *documents, struct arena *arena, struct fate *fate)
{
    for (size_t i = 0; i < KINDS; i++) {
        struct stored stored;
        enum status status = read_report(documents, fate, kinds[i], arena, &stored);
        if (status == NOT_FOUND)
            continue;
        if (status != OK)
            return status;
        struct text said = record_text(stored.bytes, "status");
        bool displayed = text_equal(said, TEXT("displayed"));
        insert(fate,
               (struct fate_step){displayed ? FATE_DISPLAYED : FATE_REPORTED, record_number(stored.bytes, "when", 0),
                                  displayed ? TEXT("") : said},
               arena);
    }
    return OK;
}
