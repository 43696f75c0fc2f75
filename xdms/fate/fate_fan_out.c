/* Records of what became of one message for many: one document instead of one for each recipient. */
#include "fate_private.h"
#include "record.h"

#define NAME_MARK  ' ' /* names begin with it: before all recipients in byte order, and none of them */
#define NAMES_PAGE 8   /* records for many of one message: more than one only if it was sent again, or is large */

bool fate_is_fan_out(const struct document_key *key)
{
    return key->name.length > 0 && key->name.bytes[0] == NAME_MARK;
}

static struct document_key key_of(struct text message_id, struct text name, struct arena *arena)
{
    return (struct document_key){TEXT(DOCUMENT_FATES), fate_key_part(message_id, arena),
                                 text_join(arena, TEXT(" "), name)};
}

/* --- records ----------------------------------------------------------------------------------------------------- */

static struct text record_of(const struct fate_fan_out *fan_out, struct arena *arena)
{
    struct text_builder record;
    builder_init(&record, arena);
    record_add(&record, "message-id", fan_out->message_id);
    record_add(&record, "sender", fan_out->sender);
    record_add(&record, "call-id", fan_out->call_id);
    record_add(&record, "group", fan_out->group);
    record_add_number(&record, "received-ms", fan_out->received_ms);
    record_add(&record, "entries", fan_out->entries);
    return builder_text(&record);
}

static bool record_parse(const struct stored *stored, struct fate_fan_out *found_out)
{
    struct fate_fan_out found = {.version = stored->version};
    struct text received = {0};
    const struct record_field fields[] = {
        {TEXT("message-id"), &found.message_id}, {TEXT("sender"), &found.sender},  {TEXT("call-id"), &found.call_id},
        {TEXT("group"), &found.group},           {TEXT("received-ms"), &received}, {TEXT("entries"), &found.entries},
    };
    found.name = text_slice(stored->key.name, 1, stored->key.name.length);
    if (!record_read(stored->bytes, fields, sizeof(fields) / sizeof(fields[0])))
        return false;
    found.received_ms = record_to_number(received, 0);
    *found_out = found;
    return true;
}

static void add_claims(const struct fate_fan_out *fan_out, struct arena *arena, struct commit *commit)
{
    struct text time = fate_claim_value(TEXT(""), fan_out->received_ms, arena);
    size_t count = 1, most = 1, cursor = 0;
    struct fate_entry entry;
    while (fate_entry_next(fan_out->entries, &cursor, (struct text){0}, &entry))
        most++;
    struct claim *claims = arena_array(arena, struct claim, most);
    claims[0] = (struct claim){TEXT(FATE_CLAIM), text_join(arena, fate_key_part(fan_out->sender, arena), time), true};
    cursor = 0;
    while (fate_entry_next(fan_out->entries, &cursor, (struct text){0}, &entry))
        if (!text_equal(entry.recipient, fan_out->sender))
            claims[count++] =
                (struct claim){TEXT(FATE_CLAIM), text_join(arena, fate_key_part(entry.recipient, arena), time), true};
    commit->claims = claims;
    commit->claims_count = count;
}

struct commit fate_fan_out_commit(const struct fate_fan_out *fan_out, struct arena *arena)
{
    struct commit commit = {
        .key = key_of(fan_out->message_id, fan_out->name, arena),
        .expected = fan_out->version,
        .bytes = record_of(fan_out, arena),
        .who = text_copy(arena, fan_out->sender),
    };
    add_claims(fan_out, arena, &commit);
    return commit;
}

struct commit fate_fan_out_removal(const struct fate_fan_out *fan_out, struct arena *arena)
{
    return (struct commit){
        .key = key_of(fan_out->message_id, fan_out->name, arena),
        .expected = VERSION_ANY,
        .deletion = true,
        .who = text_copy(arena, fan_out->sender),
    };
}

static enum status read_at(const struct documents *documents, const struct document_key *key, struct arena *arena,
                           struct fate_fan_out *found_out)
{
    struct stored stored;
    enum status status = document_internal_read(documents, key, arena, &stored);
    if (status != OK)
        return status;
    return record_parse(&stored, found_out) ? OK : FAILED;
}

/* --- what is found ------------------------------------------------------------------------------------------------ */

/* Of several that have him the last: their names are in the order of time. */
enum status fate_fan_out_find(const struct documents *documents, struct text message_id, struct text recipient,
                              struct arena *arena, struct fate *fate_out)
{
    const struct document_key prefix = {TEXT(DOCUMENT_FATES), fate_key_part(message_id, arena), {0}};
    const struct document_key *after = NULL;
    struct key_page page = {.more = true};
    bool found = false;
    while (page.more) {
        enum status status = document_internal_list(documents, &prefix, after, NAMES_PAGE, arena, &page);
        if (status != OK)
            return status;
        for (size_t i = 0; i < page.count; i++) {
            struct fate_fan_out fan_out;
            struct fate_entry entry;
            if (!fate_is_fan_out(&page.keys[i]))
                return found ? OK : NOT_FOUND;
            status = read_at(documents, &page.keys[i], arena, &fan_out);
            if (status != OK && status != NOT_FOUND)
                return status;
            if (status != OK || !fate_entry_find(&fan_out, recipient, &entry))
                continue;
            *fate_out = fate_of_entry(&fan_out, &entry, arena);
            found = true;
        }
        if (page.count == 0)
            break;
        after = &page.keys[page.count - 1];
    }
    return found ? OK : NOT_FOUND;
}

static void add_fates(const struct fate_fan_out *fan_out, struct text address, struct arena *arena,
                      struct fate_list *list)
{
    struct fate_entry entry;
    bool all = address.length == 0 || text_equal(address, fan_out->sender);
    for (size_t cursor = 0;
         list->count < list->limit && fate_entry_next(fan_out->entries, &cursor, fan_out->group, &entry);)
        if (all || text_equal(entry.recipient, address))
            list->fates[list->count++] = fate_of_entry(fan_out, &entry, arena);
}

enum status fate_fan_out_list(const struct documents *documents, const struct document_key *key, struct text address,
                              struct arena *arena, struct fate_list *list)
{
    struct fate_fan_out fan_out;
    enum status status = read_at(documents, key, arena, &fan_out);
    if (status == OK)
        add_fates(&fan_out, address, arena, list);
    return status;
}

/* --- erasure ------------------------------------------------------------------------------------------------------ */

bool fate_fan_out_erasure(const struct documents *documents, const struct document_key *key, struct text address,
                          struct text who, struct arena *arena, struct commit *commit_out)
{
    struct fate_fan_out fan_out;
    enum status status = read_at(documents, key, arena, &fan_out);
    *commit_out = (struct commit){.key = *key, .expected = VERSION_ANY, .deletion = true, .who = who};
    if (status == NOT_FOUND)
        return false;
    if (status != OK || text_equal(fan_out.sender, address)) /* damaged: nobody can say what is about whom */
        return true;
    struct text rest = fate_entries_without(fan_out.entries, address, arena);
    if (rest.length == fan_out.entries.length)
        return false;
    fan_out.entries = rest;
    if (rest.length == 0)
        return true;
    *commit_out = fate_fan_out_commit(&fan_out, arena);
    commit_out->who = who;
    return true;
}
