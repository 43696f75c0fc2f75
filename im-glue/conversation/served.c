/* Users and their contacts in memory, kept equal to the documents in "#bindings": those are written first. */
#include "conversation_private.h"
#include "log.h"
#include "record.h"

char *text_keep(struct text text)
{
    char *copy = memory_new(text.length + 1);
    memcpy(copy, text.bytes ? text.bytes : "", text.length);
    return copy;
}

struct served *served_get(struct conversation *conversation, struct text address)
{
    struct served *served = NULL;
    HASH_FIND(hh, conversation->served, address.bytes, address.length, served);
    if (served)
        return served;
    served = memory_new(sizeof(*served));
    served->address = text_keep(address);
    served->stored_count = -1;
    HASH_ADD_KEYPTR(hh, conversation->served, served->address, address.length, served);
    return served;
}

void contact_clear(struct contact *contact)
{
    free(contact->name);
    free(contact->uri);
    free(contact->call_id);
    *contact = (struct contact){0};
}

void served_free_all(struct conversation *conversation)
{
    struct served *served, *next;
    HASH_ITER(hh, conversation->served, served, next)
    {
        HASH_DEL(conversation->served, served);
        for (size_t i = 0; i < served->contacts_count; i++)
            contact_clear(&served->contacts[i]);
        free(served->address);
        free(served);
    }
}

bool served_reachable(const struct conversation *conversation, const struct served *served)
{
    for (size_t i = 0; i < served->contacts_count; i++)
        if (served->contacts[i].expires_ms > conversation->now.wall_ms)
            return true;
    return false;
}

void served_remove_contact(struct served *served, struct text name)
{
    for (size_t i = 0; i < served->contacts_count; i++) {
        if (!text_equal(text_of(served->contacts[i].name), name))
            continue;
        contact_clear(&served->contacts[i]);
        served->contacts_count--;
        for (size_t j = i; j < served->contacts_count; j++)
            served->contacts[j] = served->contacts[j + 1];
        served->contacts[served->contacts_count] = (struct contact){0};
        return;
    }
}

void served_set_contact(struct served *served, struct contact *contact)
{
    served_remove_contact(served, text_of(contact->name));
    if (served->contacts_count == CONVERSATION_BINDINGS_MAX) /* two REGISTERs in flight at once: the oldest gives way */
        served_remove_contact(served, text_of(served->contacts[0].name));
    served->contacts[served->contacts_count++] = *contact;
    *contact = (struct contact){0};
}

struct commit contact_commit(const struct contact *contact, struct text owner, struct arena *arena)
{
    struct text_builder record;
    builder_init(&record, arena);
    record_add(&record, "uri", text_of(contact->uri));
    record_add(&record, "call-id", text_of(contact->call_id));
    record_add_number(&record, "cseq", contact->cseq);
    record_add_number(&record, "expires-ms", contact->expires_ms);
    record_add_number(&record, "source-tcp", contact->source.kind == FLOW_TCP);
    record_add(&record, "source-address", flow_address_text(&contact->source, arena));
    record_add_number(&record, "source-port", flow_port(&contact->source));
    record_add_number(&record, "by-source", contact->by_source);
    return (struct commit){
        .key = {TEXT(DOCUMENT_BINDINGS), text_copy(arena, owner), text_copy(arena, text_of(contact->name))},
        .expected = VERSION_ANY,
        .bytes = builder_text(&record),
        .who = text_copy(arena, owner),
    };
}

static bool read_contact(const struct stored *stored, struct arena *arena, struct contact *contact_out)
{
    struct text record = stored->bytes;
    struct contact contact = {
        .cseq = (uint32_t)record_number(record, "cseq", 0),
        .expires_ms = record_number(record, "expires-ms", 0),
        .by_source = record_number(record, "by-source", 0) != 0,
        .source.kind = record_number(record, "source-tcp", 0) ? FLOW_TCP : FLOW_UDP,
    };
    if (!flow_set_peer(&contact.source, text_cstring(arena, record_text(record, "source-address")),
                       (uint16_t)record_number(record, "source-port", 0)))
        return false;
    contact.name = text_keep(stored->key.name);
    contact.uri = text_keep(record_text(record, "uri"));
    contact.call_id = text_keep(record_text(record, "call-id"));
    *contact_out = contact;
    return true;
}

/* Names in a URI need DNS, which the flow of the REGISTER does not. */
bool contact_flow(const struct contact *contact, struct flow *flow_out)
{
    struct uri uri;
    struct text transport = {0};
    struct arena arena;
    *flow_out = contact->source;
    if (contact->by_source || !uri_parse(text_of(contact->uri), &uri))
        return true;
    struct flow flow = {.kind = contact->source.kind};
    if (uri_parameter(uri.parameters, TEXT("transport"), &transport))
        flow.kind = text_equal_nocase(transport, TEXT("tcp")) ? FLOW_TCP : FLOW_UDP;
    arena_init(&arena, "contact");
    bool numeric = flow_set_peer(&flow, text_cstring(&arena, uri.host), uri.port ? uri.port : 5060);
    arena_clear(&arena);
    if (numeric)
        *flow_out = flow;
    return true;
}

#define LOAD_PAGE 500 /* keys read at once */

static void load_binding(struct conversation *conversation, const struct document_key *key, struct arena *arena)
{
    struct stored stored;
    struct contact contact;
    if (document_internal_read(conversation->documents, key, arena, &stored) != OK ||
        !read_contact(&stored, arena, &contact))
        return;
    if (contact.expires_ms > conversation->now.wall_ms)
        served_set_contact(served_get(conversation, stored.key.owner), &contact);
    else
        contact_clear(&contact);
}

void served_load(struct conversation *conversation)
{
    struct document_key all = {.usage = TEXT(DOCUMENT_BINDINGS)}, after;
    struct key_page page = {.more = true};
    struct arena arena;
    size_t total = 0;
    arena_init(&arena, "load");
    for (const struct document_key *last = NULL; page.more; last = &after) {
        if (document_internal_list(conversation->documents, &all, last, LOAD_PAGE, &arena, &page) != OK)
            break;
        for (size_t i = 0; i < page.count; i++)
            load_binding(conversation, &page.keys[i], &arena);
        total += page.count;
        if (page.count == 0)
            break;
        after = page.keys[page.count - 1];
    }
    arena_clear(&arena);
    for (struct served *served = conversation->served; served; served = served->hh.next)
        queue_flush(conversation, served);
    log_info("bindings loaded=%zu users=%u", total, HASH_COUNT(conversation->served));
}

void served_sweep(struct conversation *conversation)
{
    for (struct served *served = conversation->served; served; served = served->hh.next) {
        struct work *work = NULL;
        for (size_t i = served->contacts_count; i-- > 0;) {
            struct contact *contact = &served->contacts[i];
            if (contact->expires_ms > conversation->now.wall_ms)
                continue;
            if (!work)
                work = work_new(conversation, CONVERSATION_BINDINGS_MAX, work_ignore);
            work_add_deletion(work, DOCUMENT_BINDINGS, text_of(served->address), text_of(contact->name));
            served_remove_contact(served, work->commits[work->count - 1].key.name);
        }
        if (work)
            work_submit(work);
        if (served->retry_at_ms && served->retry_at_ms <= conversation->now.monotonic_ms)
            queue_flush(conversation, served);
    }
}

bool served_has_room(struct conversation *conversation, struct served *served)
{
    if (served->stored_count < 0) {
        struct document_key prefix = {TEXT(DOCUMENT_DEFERRED), text_of(served->address), {0}};
        struct key_page page;
        struct arena arena;
        arena_init(&arena, "count");
        if (document_internal_list(conversation->documents, &prefix, NULL, STORE_PAGE_MAX, &arena, &page) == OK)
            served->stored_count = (int64_t)page.count;
        arena_clear(&arena);
    }
    return served->stored_count < CONVERSATION_DEFERRED_MAX;
}
