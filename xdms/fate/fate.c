/* Message fates as internal documents. Those of many recipients in one record are in fate_fan_out.c. Knows nothing of
 * SIP. */
#include "fate_private.h"

#include <inttypes.h>
#include <stdlib.h>

#include "record.h"

#define ID_KEPT 512 /* bytes of an overlong message id that stay readable in the key */

static const char *const step_names[] = {"received", "refused", "sent",    "delivered", "stored",
                                         "failed",   "expired", "deleted", "reported",  "displayed"};
#define STEP_KINDS (sizeof(step_names) / sizeof(step_names[0]))

static struct document_key key_of(struct text message_id, struct text recipient, struct arena *arena);
static struct text record_of(const struct fate *fate, struct arena *arena);

const char *fate_step_name(enum fate_step_kind kind)
{
    return (size_t)kind < STEP_KINDS ? step_names[kind] : "unknown";
}

bool fate_step_kind_of(struct text name, enum fate_step_kind *kind_out)
{
    for (size_t kind = 0; kind < STEP_KINDS; kind++) {
        *kind_out = (enum fate_step_kind)kind;
        if (text_equal(name, text_of(step_names[kind])))
            return true;
    }
    return false;
}

int64_t fate_first_ms(const struct fate *fate)
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
    fate_add_claims(fate, fate_first_ms(fate), arena, &commit);
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

struct text fate_cut_detail(struct text detail)
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
        record_add(&step, "detail", fate_cut_detail(fate->steps[i].detail));
        record_add(&record, "step", builder_text(&step));
    }
    return builder_text(&record);
}

/* Claims are read in byte order: with the time counting backwards the first page has the newest. */
struct text fate_claim_value(struct text address, int64_t when_ms, struct arena *arena)
{
    return TEXT_CONCAT(arena, address, TEXT(" "), text_hex(arena, (uint64_t)(INT64_MAX - when_ms)));
}

void fate_add_claims(const struct fate *fate, int64_t when_ms, struct arena *arena, struct commit *commit)
{
    struct claim *claims = arena_array(arena, struct claim, 2);
    const struct text addresses[] = {fate_key_part(fate->sender, arena), fate_key_part(fate->recipient, arena)};
    size_t count = text_equal(addresses[0], addresses[1]) ? 1 : 2; /* a note to oneself is one record */
    for (size_t i = 0; i < count; i++)
        claims[i] = (struct claim){TEXT(FATE_CLAIM), fate_claim_value(addresses[i], when_ms, arena), true};
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
    steps[count] = (struct fate_step){kind, when_ms, text_copy(arena, fate_cut_detail(detail))};
    longer.steps = steps;
    longer.steps_count = count + 1;
    return longer;
}

enum status fate_get_own(const struct documents *documents, struct text message_id, struct text recipient,
                         struct arena *arena, struct fate *fate_out)
{
    const struct document_key key = key_of(message_id, recipient, arena);
    struct stored found;
    enum status status = document_internal_read(documents, &key, arena, &found);
    if (status != OK)
        return status;
    return fate_read(found.bytes, arena, fate_out) ? OK : FAILED;
}

enum status fate_get(const struct documents *documents, struct text message_id, struct text recipient,
                     struct arena *arena, struct fate *fate_out)
{
    struct fate shared;
    enum status status = fate_get_own(documents, message_id, recipient, arena, fate_out);
    if (status != OK && status != NOT_FOUND)
        return status;
    enum status other = fate_fan_out_find(documents, message_id, recipient, arena, &shared);
    if (other == NOT_FOUND)
        return status;
    if (other == OK && (status != OK || fate_first_ms(&shared) > fate_first_ms(fate_out)))
        *fate_out = shared;
    return other;
}

static bool step_read(struct text record, struct fate_step *step_out)
{
    enum fate_step_kind kind;
    if (!fate_step_kind_of(record_text(record, "kind"), &kind))
        return false; /* of a newer program: the other steps are still worth showing */
    *step_out = (struct fate_step){kind, record_number(record, "when", 0), record_text(record, "detail")};
    return true;
}

bool fate_read(struct text record, struct arena *arena, struct fate *fate_out)
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

static enum status list_one(const struct documents *documents, const struct document_key *key, struct arena *arena,
                            struct fate_list *list)
{
    struct stored found;
    enum status status = document_internal_read(documents, key, arena, &found);
    if (status != OK)
        return status;
    if (fate_is_report(found.bytes)) /* it is shown with what it speaks of */
        return OK;
    return fate_read(found.bytes, arena, &list->fates[list->count++]) ? OK : FAILED;
}

/* Adds what the keys of a page lead to; if an address is given, that alone which is about it. */
static enum status list_add(const struct documents *documents, const struct key_page *page, struct text address,
                            struct arena *arena, struct fate_list *list)
{
    size_t before = list->count;
    enum status status = OK;
    for (size_t i = 0; i < page->count && list->count < list->limit; i++) {
        status = fate_is_fan_out(&page->keys[i]) ? fate_fan_out_list(documents, &page->keys[i], address, arena, list)
                                                 : list_one(documents, &page->keys[i], arena, list);
        if (status != OK && status != NOT_FOUND) /* deleted since the page was read */
            return status;
    }
    status = OK;
    for (size_t i = before; status == OK && i < list->count; i++)
        status = fate_add_reports(documents, arena, &list->fates[i]);
    return status;
}

static size_t page_size(size_t limit, size_t count)
{
    return limit - count < STORE_PAGE_MAX ? limit - count : STORE_PAGE_MAX;
}

static int by_time(const void *left, const void *right)
{
    const struct fate *a = left, *b = right;
    if (fate_first_ms(a) != fate_first_ms(b))
        return fate_first_ms(a) < fate_first_ms(b) ? -1 : 1;
    return text_compare(a->recipient, b->recipient);
}

void fate_sort(struct fate *fates, size_t count)
{
    if (count)
        qsort(fates, count, sizeof(*fates), by_time);
}

static int by_recipient(const void *left, const void *right)
{
    const struct fate *a = left, *b = right;
    int order = text_compare(a->recipient, b->recipient);
    return order ? order : by_time(left, right);
}

/* A message that was sent again may be in a record for many and in one of a recipient's own. */
static void keep_newest(struct fate_list *list)
{
    size_t kept = 0;
    if (list->count)
        qsort(list->fates, list->count, sizeof(*list->fates), by_recipient);
    for (size_t i = 0; i < list->count; i++)
        if (i + 1 == list->count || !text_equal(list->fates[i].recipient, list->fates[i + 1].recipient))
            list->fates[kept++] = list->fates[i];
    list->count = kept;
}

enum status fate_of_message(const struct documents *documents, struct text message_id, size_t limit,
                            struct arena *arena, struct fate **fates_out, size_t *count_out)
{
    struct document_key prefix = key_of(message_id, TEXT(""), arena);
    prefix.name = (struct text){0};
    struct fate_list list = {.fates = arena_array(arena, struct fate, limit), .limit = limit};
    struct key_page page = {.more = true};
    const struct document_key *after = NULL;
    enum status status = OK;
    while (status == OK && page.more && list.count < limit) {
        status = document_internal_list(documents, &prefix, after, page_size(limit, list.count), arena, &page);
        if (status != OK || page.count == 0)
            break;
        after = &page.keys[page.count - 1];
        status = list_add(documents, &page, TEXT(""), arena, &list);
    }
    keep_newest(&list);
    fate_sort(list.fates, list.count);
    *fates_out = list.fates;
    *count_out = list.count;
    return status;
}

enum status fate_of_user(const struct documents *documents, struct text address, size_t limit, struct arena *arena,
                         struct fate **fates_out, size_t *count_out)
{
    struct text prefix = text_join(arena, fate_key_part(address, arena), TEXT(" "));
    struct fate_list list = {.fates = arena_array(arena, struct fate, limit), .limit = limit};
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
        status = list_add(documents, &page, address, arena, &list);
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
