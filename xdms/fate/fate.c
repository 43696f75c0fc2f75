/* Message fates as internal documents: one record per message and recipient. Knows nothing of SIP. */
#include "fate_private.h"

#include <inttypes.h>
#include <stdlib.h>

#include "record.h"

#define FATE_CLAIM      "fate-of" /* kind of the shared claims: address, blank, time that counts backwards */
#define FATE_DETAIL_MAX 512       /* bytes: a line for people; what peers wrote may be in it */
#define ID_KEPT         512       /* bytes of an overlong message id that stay readable in the key */

static const char *const step_names[] = {"received", "refused", "sent",    "delivered", "stored",
                                         "failed",   "expired", "deleted", "reported",  "displayed"};
#define STEP_KINDS (sizeof(step_names) / sizeof(step_names[0]))

static struct document_key key_of(struct text message_id, struct text recipient, struct arena *arena);
static struct text record_of(const struct fate *fate, struct arena *arena);
static bool fate_read(struct text record, struct arena *arena, struct fate *fate_out);

const char *fate_step_name(enum fate_step_kind kind)
{
    return (size_t)kind < STEP_KINDS ? step_names[kind] : "unknown";
}

static int64_t first_ms(const struct fate *fate)
{
    return fate->steps_count ? fate->steps[0].when_ms : 0;
}

struct commit fate_commit(const struct fate *fate, struct arena *arena)
{
    struct commit commit = {
        .key = key_of(fate->message_id, fate->recipient, arena),
        .expected = VERSION_ANY,
        .bytes = record_of(fate, arena),
        .who = text_copy(arena, fate->sender),
    };
    fate_add_claims(fate, first_ms(fate), arena, &commit);
    return commit;
}

struct text fate_key_part(struct text text, struct arena *arena)
{
    bool fits = text.length <= STORE_PART_MAX && text_find_char(text, '\0') == text.length;
    if (fits)
        return text_copy(arena, text.bytes ? text : TEXT(""));
    size_t kept = text_find_char(text, '\0');
    struct text front = text_slice(text, 0, kept < ID_KEPT ? kept : ID_KEPT);
    /* Two seeds, for 128 bits; who finds a collision mixes up fates of messages of his own. */
    return text_format(arena, "%.*s#%016" PRIx64 "%016" PRIx64, TEXT_ARG(front), text_hash(text, 1),
                       text_hash(text, 2));
}

static struct document_key key_of(struct text message_id, struct text recipient, struct arena *arena)
{
    return (struct document_key){TEXT(DOCUMENT_FATES), fate_key_part(message_id, arena),
                                 fate_key_part(recipient, arena)};
}

static struct text cut_detail(struct text detail)
{
    if (detail.length <= FATE_DETAIL_MAX)
        return detail;
    size_t end = FATE_DETAIL_MAX;
    while (end > 0 && ((unsigned char)detail.bytes[end] & 0xC0) == 0x80) /* not inside a character */
        end--;
    return text_slice(detail, 0, end);
}

static struct text record_of(const struct fate *fate, struct arena *arena)
{
    struct text_builder record;
    builder_init(&record, arena);
    record_add(&record, "message-id", fate->message_id);
    record_add(&record, "sender", fate->sender);
    record_add(&record, "recipient", fate->recipient);
    record_add(&record, "group", fate->group);
    record_add(&record, "call-id", fate->call_id);
    for (size_t i = 0; i < fate->steps_count && i < FATE_STEPS_MAX; i++) {
        struct text_builder step;
        builder_init(&step, arena);
        record_add(&step, "kind", text_of(fate_step_name(fate->steps[i].kind)));
        record_add_number(&step, "when", fate->steps[i].when_ms);
        record_add(&step, "detail", cut_detail(fate->steps[i].detail));
        record_add(&record, "step", builder_text(&step));
    }
    return builder_text(&record);
}

/* Claims are read in byte order: with the time counting backwards the first page has the newest. */
static struct text claim_value(struct text address, int64_t when_ms, struct arena *arena)
{
    return TEXT_CONCAT(arena, address, TEXT(" "), text_hex(arena, (uint64_t)(INT64_MAX - when_ms)));
}

void fate_add_claims(const struct fate *fate, int64_t when_ms, struct arena *arena, struct commit *commit)
{
    struct claim *claims = arena_array(arena, struct claim, 2);
    const struct text addresses[] = {fate_key_part(fate->sender, arena), fate_key_part(fate->recipient, arena)};
    size_t count = text_equal(addresses[0], addresses[1]) ? 1 : 2; /* a note to oneself is one record */
    for (size_t i = 0; i < count; i++)
        claims[i] = (struct claim){TEXT(FATE_CLAIM), claim_value(addresses[i], when_ms, arena), true};
    commit->claims = claims;
    commit->claims_count = count;
}

struct fate fate_with(const struct fate *fate, enum fate_step_kind kind, int64_t when_ms, struct text detail,
                      struct arena *arena)
{
    struct fate longer = *fate;
    size_t count = fate->steps_count < FATE_STEPS_MAX ? fate->steps_count : FATE_STEPS_MAX;
    struct fate_step *steps = arena_alloc_raw(arena, (count + 1) * sizeof(*steps));
    if (count)
        memcpy(steps, fate->steps, count * sizeof(*steps));
    if (count == FATE_STEPS_MAX) {
        steps[FATE_STEPS_MAX - 2] = steps[FATE_STEPS_MAX - 1];
        count--;
    }
    steps[count] = (struct fate_step){kind, when_ms, text_copy(arena, cut_detail(detail))};
    longer.steps = steps;
    longer.steps_count = count + 1;
    return longer;
}

enum status fate_get(const struct documents *documents, struct text message_id, struct text recipient,
                     struct arena *arena, struct fate *fate_out)
{
    const struct document_key key = key_of(message_id, recipient, arena);
    struct stored found;
    enum status status = document_internal_read(documents, &key, arena, &found);
    if (status != OK)
        return status;
    return fate_read(found.bytes, arena, fate_out) ? OK : FAILED;
}

static bool step_read(struct text record, struct fate_step *step_out)
{
    struct text name = record_text(record, "kind");
    for (size_t kind = 0; kind < STEP_KINDS; kind++)
        if (text_equal(name, text_of(step_names[kind]))) {
            *step_out = (struct fate_step){(enum fate_step_kind)kind, record_number(record, "when", 0),
                                           record_text(record, "detail")};
            return true;
        }
    return false; /* of a newer program: the other steps are still worth showing */
}

static bool fate_read(struct text record, struct arena *arena, struct fate *fate_out)
{
    if (!record_valid(record))
        return false;
    struct fate_step *steps = arena_array(arena, struct fate_step, FATE_STEPS_MAX);
    struct text name, value;
    size_t cursor = 0, count = 0;
    while (count < FATE_STEPS_MAX && record_next(record, &cursor, &name, &value))
        if (text_equal(name, TEXT("step")) && step_read(value, &steps[count]))
            count++;
    *fate_out = (struct fate){
        .message_id = record_text(record, "message-id"),
        .sender = record_text(record, "sender"),
        .recipient = record_text(record, "recipient"),
        .group = record_text(record, "group"),
        .call_id = record_text(record, "call-id"),
        .steps = steps,
        .steps_count = count,
    };
    return true;
}

struct fate_list {
    struct fate *fates;
    size_t count;
};

/* Adds what the keys of a page lead to. */
static enum status list_add(const struct documents *documents, const struct key_page *page, struct arena *arena,
                            struct fate_list *list)
{
    for (size_t i = 0; i < page->count; i++) {
        struct stored found;
        enum status status = document_internal_read(documents, &page->keys[i], arena, &found);
        if (status == NOT_FOUND) /* deleted since the page was read */
            continue;
        if (status != OK)
            return status;
        if (fate_is_report(found.bytes)) /* it is shown with what it speaks of */
            continue;
        if (!fate_read(found.bytes, arena, &list->fates[list->count]))
            return FAILED;
        status = fate_add_reports(documents, arena, &list->fates[list->count]);
        if (status != OK)
            return status;
        list->count++;
    }
    return OK;
}

static size_t page_size(size_t limit, size_t count)
{
    return limit - count < STORE_PAGE_MAX ? limit - count : STORE_PAGE_MAX;
}

static int by_time(const void *left, const void *right)
{
    const struct fate *a = left, *b = right;
    if (first_ms(a) != first_ms(b))
        return first_ms(a) < first_ms(b) ? -1 : 1;
    return text_compare(a->recipient, b->recipient);
}

enum status fate_of_message(const struct documents *documents, struct text message_id, size_t limit,
                            struct arena *arena, struct fate **fates_out, size_t *count_out)
{
    struct document_key prefix = key_of(message_id, TEXT(""), arena);
    prefix.name = (struct text){0};
    struct fate_list list = {.fates = arena_array(arena, struct fate, limit)};
    struct key_page page = {.more = true};
    const struct document_key *after = NULL;
    enum status status = OK;
    while (status == OK && page.more && list.count < limit) {
        status = document_internal_list(documents, &prefix, after, page_size(limit, list.count), arena, &page);
        if (status != OK || page.count == 0)
            break;
        after = &page.keys[page.count - 1];
        status = list_add(documents, &page, arena, &list);
    }
    if (list.count)
        qsort(list.fates, list.count, sizeof(*list.fates), by_time);
    *fates_out = list.fates;
    *count_out = list.count;
    return status;
}

enum status fate_of_user(const struct documents *documents, struct text address, size_t limit, struct arena *arena,
                         struct fate **fates_out, size_t *count_out)
{
    struct text prefix = text_join(arena, fate_key_part(address, arena), TEXT(" "));
    struct fate_list list = {.fates = arena_array(arena, struct fate, limit)};
    struct key_page page = {.more = true};
    struct text *values = NULL;
    const struct text *after_value = NULL;
    const struct document_key *after = NULL;
    enum status status = OK;
    while (status == OK && page.more && list.count < limit) {
        status = document_internal_holders(documents, TEXT(FATE_CLAIM), prefix, after_value, after,
                                           page_size(limit, list.count), arena, &page, &values);
        if (status != OK || page.count == 0)
            break;
        after_value = &values[page.count - 1];
        after = &page.keys[page.count - 1];
        status = list_add(documents, &page, arena, &list);
    }
    /* They came newest first. */
    for (size_t i = 0; i < list.count / 2; i++) {
        struct fate other = list.fates[i];
        list.fates[i] = list.fates[list.count - 1 - i];
        list.fates[list.count - 1 - i] = other;
    }
    *fates_out = list.fates;
    *count_out = list.count;
    return status;
}

enum status fate_removals(const struct documents *documents, struct text address, size_t limit, struct text who,
                          struct arena *arena, struct commit **commits_out, size_t *count_out)
{
    struct text prefix = text_join(arena, fate_key_part(address, arena), TEXT(" "));
    struct key_page page = {0};
    enum status status = document_internal_holders(documents, TEXT(FATE_CLAIM), prefix, NULL, NULL, page_size(limit, 0),
                                                   arena, &page, NULL);
    *count_out = status == OK ? page.count : 0;
    *commits_out = arena_array(arena, struct commit, page.count + 1);
    for (size_t i = 0; i < *count_out; i++)
        (*commits_out)[i] = (struct commit){.key = page.keys[i], .expected = VERSION_ANY, .deletion = true, .who = who};
    return status;
}
