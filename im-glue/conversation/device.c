/* Temporary addresses of registered devices: the key that they are made with, and requests that are sent to one. */
#include "conversation_private.h"
#include "domains_private.h"
#include "gruu.h"
#include "log.h"
#include "target_private.h"

static const struct document_key key_of_keys = {TEXT_INIT(DOCUMENT_KEYS), TEXT_INIT("im-glue"), TEXT_INIT("gruu")};

static bool read_key(struct conversation *conversation, struct arena *arena)
{
    struct stored stored;
    if (document_internal_read(conversation->documents, &key_of_keys, arena, &stored) != OK ||
        stored.bytes.length != GRUU_KEY_BYTES)
        return false;
    memcpy(conversation->device_key, stored.bytes.bytes, GRUU_KEY_BYTES);
    return true;
}

/* Made once for the data folder: addresses that were given out are good after a restart. */
void device_load_key(struct conversation *conversation)
{
    struct arena arena;
    arena_init(&arena, "key");
    if (!read_key(conversation, &arena)) {
        struct text key = random_hex(&arena, GRUU_KEY_BYTES);
        struct commit commit = {.key = key_of_keys, .expected = VERSION_ABSENT, .bytes = key, .who = TEXT("im-glue")};
        memcpy(conversation->device_key, key.bytes, GRUU_KEY_BYTES);
        document_internal_commit(conversation->documents, &commit, 1);
        if (commit.status != OK && !read_key(conversation, &arena)) /* another process may have been faster */
            log_warning("temporary addresses of devices will not outlive this process status=%s",
                        status_name(commit.status));
    }
    arena_clear(&arena);
}

struct text device_temporary(const struct conversation *conversation, const struct contact *contact,
                             struct text address, struct arena *arena)
{
    const struct gruu gruu = {address, text_of(contact->instance), gruu_registration(text_of(contact->call_id), arena)};
    struct text user = gruu_make(conversation->device_key, &gruu, arena);
    return text_format(arena, "sip:%.*s@%.*s;gr", TEXT_ARG(user), TEXT_ARG(uri_domain(address)));
}

static bool is_registered(const struct conversation *conversation, const struct gruu *gruu, struct arena *arena)
{
    const struct served *served = served_find(conversation, gruu->address);
    for (size_t i = 0; served && i < served->contacts_count; i++) {
        const struct contact *contact = &served->contacts[i];
        if (contact->expires_ms > conversation->now.wall_ms && text_equal(text_of(contact->instance), gruu->instance) &&
            text_equal(gruu_registration(text_of(contact->call_id), arena), gruu->registration))
            return true;
    }
    return false;
}

/* RFC 5627 §6.2: it is the device under its address of record from here on. */
bool device_resolve(struct request *request)
{
    struct conversation *conversation = request->conversation;
    struct arena *arena = &request->arena;
    struct text uri_text = sip_request_uri(request->message, arena), value;
    struct gruu gruu;
    struct uri uri;
    if (text_find_char(uri_text, ';') == uri_text.length || !uri_parse(uri_text, &uri) ||
        !uri_parameter(uri.parameters, TEXT("gr"), &value) || value.length || !domain_is_ours(conversation, uri.host))
        return true;
    if (gruu_read(conversation->device_key, uri.user, arena, &gruu) && is_registered(conversation, &gruu, arena) &&
        sip_request_uri_set(request->message,
                            text_format(arena, "%.*s;gr=%.*s", TEXT_ARG(gruu.address), TEXT_ARG(gruu.instance))) == OK)
        return true;
    request_answer(request, 404, NULL);
    return false;
}
