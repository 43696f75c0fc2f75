/* Entries and messages as internal documents: written and read. */
#include "history_own.h"

#include <inttypes.h>
#include <nettle/sha2.h>

#include "record.h"

#define WHO "im-glue"

/* --- names --- */

struct text history_message_id(struct text message, struct arena *arena)
{
    struct sha256_ctx hash;
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_init(&hash);
    sha256_update(&hash, message.length, (const uint8_t *)message.bytes);
    sha256_digest(&hash, sizeof(digest), digest);
    return hex_encode(arena, digest, HISTORY_ID_DIGITS / 2);
}

struct text history_time(int64_t when_ms, struct arena *arena)
{
    return text_format(arena, "%0*" PRIx64, HISTORY_TIME_DIGITS, (uint64_t)(when_ms > 0 ? when_ms : 0));
}

void history_name(struct history_entry *entry, struct text message, struct arena *arena)
{
    entry->size = message.length;
    entry->reference = text_format(arena, "%.*s-%zx-%.*s%c", TEXT_ARG(history_time(entry->when_ms, arena)), entry->size,
                                   TEXT_ARG(history_message_id(message, arena)), entry->sent ? 's' : 'r');
}

bool history_parts_read(struct text reference, struct history_parts *parts_out)
{
    struct text time, rest, size, id;
    if (!text_cut(reference, '-', &time, &rest) || !text_cut(rest, '-', &size, &id) ||
        id.length != HISTORY_ID_DIGITS + 1)
        return false;
    parts_out->id = text_slice(id, 0, HISTORY_ID_DIGITS);
    return text_hex_to_u64(size, &parts_out->size);
}

/* --- commits --- */

struct commit history_commit_message(struct text message, struct arena *arena)
{
    return (struct commit){
        .key = {TEXT(DOCUMENT_HISTORY_MESSAGES), history_message_id(message, arena), TEXT("")},
        .expected = VERSION_ANY,
        .bytes = message,
        .who = TEXT(WHO),
    };
}

static void add_claims(const struct history_entry *entry, struct arena *arena, struct commit *commit)
{
    struct history_parts parts = {0};
    struct claim *claims = arena_array(arena, struct claim, 3);
    history_parts_read(entry->reference, &parts);
    claims[0] =
        (struct claim){.kind = TEXT(HISTORY_UNTIL), .value = history_time(entry->until_ms, arena), .shared = true};
    claims[1] = (struct claim){.kind = TEXT(HISTORY_MESSAGE), .value = parts.id, .counted = true};
    claims[2] =
        (struct claim){.kind = TEXT(HISTORY_OWNED), .value = commit->key.owner, .counted = true, .weight = entry->size};
    commit->claims = claims;
    commit->claims_count = 3;
}

struct commit history_commit(const struct history_entry *entry, struct arena *arena)
{
    struct text_builder record;
    builder_init(&record, arena);
    record_add_number(&record, "sent", entry->sent);
    record_add_number(&record, "when-ms", entry->when_ms);
    record_add_number(&record, "until-ms", entry->until_ms);
    record_add(&record, "from", entry->from);
    record_add(&record, "to", entry->to);
    record_add(&record, "group", entry->group);
    if (entry->group_name.length)
        record_add(&record, "group-name", entry->group_name);
    record_add(&record, "subject", entry->subject);
    record_add(&record, "content-type", entry->content_type);
    record_add(&record, "message-id", entry->message_id);
    struct text_builder list;
    builder_init(&list, arena);
    for (size_t i = 0; i < entry->recipients_count && i < HISTORY_RECIPIENTS_MAX; i++)
        builder_add_format(&list, "%.*s\n", TEXT_ARG(entry->recipients[i]));
    record_add(&record, "recipients", builder_text(&list));
    struct commit commit = {
        .key = {TEXT(DOCUMENT_HISTORY), text_copy(arena, entry->owner), entry->reference},
        .expected = VERSION_ANY,
        .bytes = builder_text(&record),
        .who = TEXT(WHO),
    };
    add_claims(entry, arena, &commit);
    return commit;
}

/* --- reading --- */

static void read_recipients(struct text list, struct arena *arena, struct history_entry *entry)
{
    struct text *recipients = arena_array(arena, struct text, HISTORY_RECIPIENTS_MAX);
    while (list.length && entry->recipients_count < HISTORY_RECIPIENTS_MAX)
        text_cut(list, '\n', &recipients[entry->recipients_count++], &list);
    entry->recipients = recipients;
}

static enum status read_entry(const struct stored *stored, struct arena *arena, struct history_entry *entry_out)
{
    struct text record = stored->bytes, recipients = record_text(record, "recipients");
    struct history_parts parts;
    if (!record_valid(record) || !history_parts_read(stored->key.name, &parts))
        return FAILED;
    *entry_out = (struct history_entry){
        .owner = stored->key.owner,
        .reference = stored->key.name,
        .sent = record_number(record, "sent", 0) != 0,
        .when_ms = record_number(record, "when-ms", 0),
        .until_ms = record_number(record, "until-ms", 0),
        .from = record_text(record, "from"),
        .to = record_text(record, "to"),
        .group = record_text(record, "group"),
        .group_name = record_text(record, "group-name"),
        .subject = record_text(record, "subject"),
        .content_type = record_text(record, "content-type"),
        .message_id = record_text(record, "message-id"),
        .size = (size_t)parts.size,
    };
    if (recipients.length)
        read_recipients(recipients, arena, entry_out);
    return OK;
}

static enum status read_message(const struct documents *documents, struct text reference, struct arena *arena,
                                struct text *message_out)
{
    struct history_parts parts;
    struct stored stored;
    if (!history_parts_read(reference, &parts))
        return NOT_FOUND;
    const struct document_key key = {TEXT(DOCUMENT_HISTORY_MESSAGES), parts.id, TEXT("")};
    enum status status = document_internal_read(documents, &key, arena, &stored);
    *message_out = status == OK ? stored.bytes : (struct text){0};
    return status;
}

enum status history_get(const struct documents *documents, struct text owner, struct text reference,
                        struct arena *arena, struct history_entry *entry_out, struct text *message_out)
{
    const struct document_key key = {TEXT(DOCUMENT_HISTORY), owner, reference};
    struct stored stored;
    enum status status = reference.length && reference.length <= STORE_PART_MAX
                             ? document_internal_read(documents, &key, arena, &stored)
                             : NOT_FOUND;
    if (status == OK)
        status = read_entry(&stored, arena, entry_out);
    if (status == OK && message_out)
        status = read_message(documents, reference, arena, message_out);
    return status;
}

enum status history_list(const struct documents *documents, struct text owner, struct text after, size_t limit,
                         struct arena *arena, struct history_entry **entries_out, size_t *count_out, bool *more_out)
{
    const struct document_key prefix = {TEXT(DOCUMENT_HISTORY), owner, {0}};
    const struct document_key from = {TEXT(DOCUMENT_HISTORY), owner, after};
    struct key_page page = {0};
    size_t most = limit < STORE_PAGE_MAX ? limit : STORE_PAGE_MAX;
    enum status status = document_internal_list(documents, &prefix, after.length ? &from : NULL, most, arena, &page);
    *entries_out = arena_array(arena, struct history_entry, page.count + 1);
    *count_out = 0;
    *more_out = page.more;
    for (size_t i = 0; status == OK && i < page.count; i++) {
        struct stored stored;
        status = document_internal_read(documents, &page.keys[i], arena, &stored);
        if (status == NOT_FOUND) { /* deleted since the page was read */
            status = OK;
            continue;
        }
        if (status == OK)
            status = read_entry(&stored, arena, &(*entries_out)[*count_out]);
        *count_out += status == OK;
    }
    return status;
}

enum status history_figures(const struct documents *documents, struct text owner, struct history_figures *figures_out)
{
    struct tally tally = {0};
    enum status status = document_internal_tally(documents, TEXT(HISTORY_OWNED), owner, &tally);
    *figures_out = (struct history_figures){tally.count, tally.weight};
    return status;
}

/* Reads keys alone. */
enum status history_newest(const struct documents *documents, struct text owner, size_t limit, struct arena *arena,
                           struct text *after_out)
{
    const struct document_key prefix = {TEXT(DOCUMENT_HISTORY), owner, {0}};
    struct document_key after = prefix;
    struct history_figures figures = {0};
    enum status status = history_figures(documents, owner, &figures);
    size_t skip = figures.count > limit ? (size_t)figures.count - limit : 0;
    while (status == OK && skip) {
        struct key_page page = {0};
        status = document_internal_list(documents, &prefix, after.name.length ? &after : NULL,
                                        skip < STORE_PAGE_MAX ? skip : STORE_PAGE_MAX, arena, &page);
        if (status != OK || page.count == 0)
            break;
        after = page.keys[page.count - 1];
        skip -= page.count;
    }
    *after_out = after.name;
    return status;
}
