/* Users and their contacts in memory, kept equal to the documents in "#bindings": those are written first. */
#include "domains_private.h"
#include "events_private.h"
#include "kept_private.h"
#include "log.h"

struct served *served_find(const struct conversation *conversation, struct text address)
{
    struct served *served = NULL;
    HASH_FIND(hh, conversation->served, address.bytes, address.length, served);
    return served;
}

struct served *served_get(struct conversation *conversation, struct text address)
{
    struct served *served = served_find(conversation, address);
    if (served)
        return served;
    served = memory_new(sizeof(*served));
    served->address = text_keep(address);
    TAILQ_INIT(&served->copies);
    TAILQ_INIT(&served->taken);
    HASH_ADD_KEYPTR(hh, conversation->served, served->address, address.length, served);
    return served;
}

struct served *served_of(struct conversation *conversation, const struct user *user)
{
    struct served *served = served_get(conversation, user->address);
    served->keep_ms_max = (int64_t)(user->keep_s < USER_KEEP_S_MAX ? user->keep_s : USER_KEEP_S_MAX) * 1000;
    return served;
}

static void contact_clear(struct contact *contact)
{
    free(contact->name); /* and the other texts, which stand behind it */
    *contact = (struct contact){0};
}

void served_free(struct conversation *conversation, struct served *served)
{
    HASH_DEL(conversation->served, served);
    for (size_t i = 0; i < served->contacts_count; i++)
        contact_clear(&served->contacts[i]);
    free(served->contacts);
    publication_free_all(served);
    registration_forget(served);
    free(served->flush_after);
    free(served->taken_to);
    free(served->address);
    free(served);
}

void served_free_all(struct conversation *conversation)
{
    struct served *served, *next;
    HASH_ITER(hh, conversation->served, served, next)
    {
        served_free(conversation, served);
    }
}

/* Who does not want to be seen is away to all others. */
bool served_reachable(const struct conversation *conversation, const struct served *served)
{
    if (served->domain) /* its server decides the rest */
        return domain_has_room(conversation, served->domain);
    struct imsettings settings = publication_settings(conversation, served);
    return settings.active && settings.visible &&
           (served_is_here(conversation, served) || core_way(conversation, served).length);
}

bool served_is_here(const struct conversation *conversation, const struct served *served)
{
    for (size_t i = 0; i < served->contacts_count; i++)
        if (served->contacts[i].expires_ms > conversation->now.wall_ms)
            return true;
    return false;
}

void served_remove_contact(struct conversation *conversation, struct served *served, struct text name)
{
    for (size_t i = 0; i < served->contacts_count; i++) {
        if (!text_equal(text_of(served->contacts[i].name), name))
            continue;
        contact_clear(&served->contacts[i]);
        served->contacts_count--;
        conversation->bindings--;
        for (size_t j = i; j < served->contacts_count; j++)
            served->contacts[j] = served->contacts[j + 1];
        served->contacts[served->contacts_count] = (struct contact){0};
        return;
    }
}

/* In one piece, those first that each message to him looks at: they are read together. */
static void keep_texts(struct contact *contact)
{
    char **texts[] = {&contact->name,     &contact->uri,      &contact->path,
                      &contact->features, &contact->instance, &contact->call_id};
    const size_t count = sizeof(texts) / sizeof(texts[0]);
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += text_of(*texts[i]).length + 1;
    char *at = memory_new_raw(bytes);
    for (size_t i = 0; i < count; i++) {
        struct text text = text_of(*texts[i]);
        *texts[i] = at;
        if (text.length > 0)
            memcpy(at, text.bytes, text.length);
        at[text.length] = '\0';
        at += text.length + 1;
    }
}

/* Most have one, and there may be a million of them. */
static void make_room(struct served *served)
{
    size_t room = served->contacts_room ? served->contacts_room * 2 : 1;
    if (served->contacts_count < served->contacts_room)
        return;
    served->contacts_room = room < CONVERSATION_BINDINGS_MAX ? room : CONVERSATION_BINDINGS_MAX;
    served->contacts = memory_resize(served->contacts, served->contacts_room * sizeof(*served->contacts));
}

void served_set_contact(struct conversation *conversation, struct served *served, const struct contact *contact)
{
    struct contact copy = *contact;
    keep_texts(&copy);
    copy.changed = ++conversation->contact_changes;
    contact_find_way(&copy);
    served_remove_contact(conversation, served, text_of(copy.name));
    if (served->contacts_count == CONVERSATION_BINDINGS_MAX) { /* two REGISTERs in flight at once: one gives way */
        contact_clear(&served->contacts[0]);
        served->contacts[0] = served->contacts[--served->contacts_count];
        conversation->bindings--;
    }
    make_room(served);
    served->contacts[served->contacts_count++] = copy;
    conversation->bindings++;
}

#define LOAD_PAGE 500 /* keys read at once */

static void load_binding(struct conversation *conversation, const struct document_key *key, struct arena *arena)
{
    struct stored stored;
    struct contact contact;
    if (document_internal_read(conversation->documents, key, arena, &stored) == OK &&
        contact_read(&stored, arena, &contact) && contact.expires_ms > conversation->now.wall_ms)
        served_set_contact(conversation, served_get(conversation, stored.key.owner), &contact);
}

size_t served_load_records(struct conversation *conversation, const char *usage, load_record_fn *load)
{
    struct document_key all = {.usage = text_of(usage)}, after;
    struct key_page page = {.more = true};
    struct arena arena;
    size_t total = 0;
    arena_init(&arena, "load");
    for (const struct document_key *last = NULL; page.more; last = &after) {
        if (document_internal_list(conversation->documents, &all, last, LOAD_PAGE, &arena, &page) != OK) {
            log_error("records not readable usage=%s after=%zu", usage, total);
            break;
        }
        for (size_t i = 0; i < page.count; i++)
            load(conversation, &page.keys[i], &arena);
        total += page.count;
        if (page.count == 0)
            break;
        after = page.keys[page.count - 1];
    }
    arena_clear(&arena);
    return total;
}

void served_load(struct conversation *conversation)
{
    size_t total = served_load_records(conversation, DOCUMENT_BINDINGS, load_binding);
    for (struct served *served = conversation->served; served; served = served->hh.next)
        queue_flush(conversation, served);
    log_info("bindings loaded=%zu users=%u", total, HASH_COUNT(conversation->served));
}

/* Not while a REGISTER is on its way to the disk: a deletion behind it would take what it renews. */
static void sweep(struct conversation *conversation, struct served *served)
{
    struct work *work = NULL;
    for (size_t i = served->contacts_count; i-- > 0 && !served->registering;) {
        struct contact *contact = &served->contacts[i];
        if (contact->expires_ms > conversation->now.wall_ms)
            continue;
        if (!work)
            work = work_new(conversation, CONVERSATION_BINDINGS_MAX, work_ignore);
        work_add_deletion(work, DOCUMENT_BINDINGS, text_of(served->address), text_of(contact->name));
        registration_ends(conversation, served, text_of(contact->name), "expired");
        served_remove_contact(conversation, served, work->commits[work->count - 1].key.name);
    }
    if (!work)
        return;
    work_submit(work);
    registration_changed(conversation, served);
}

void served_sweep(struct conversation *conversation)
{
    for (struct served *served = conversation->served; served; served = served->hh.next) {
        sweep(conversation, served);
        if (served->contacts_count == 0) { /* only here, where nobody looks at one of them */
            free(served->contacts);
            served->contacts = NULL;
            served->contacts_room = 0;
        }
        publication_sweep(conversation, served);
    }
}

bool served_is_behind(struct conversation *conversation, struct served *served)
{
    if (served->flushing || served->kept_relays || served->arriving || served->copies_count)
        return true;
    /* Who fetches what was kept gets what comes now all the same. */
    if (served->nothing_waits || !publication_settings(conversation, served).push)
        return false;
    served->nothing_waits = deferral_is_empty(conversation, served); /* nothing is on its way to the disk, see above */
    return !served->nothing_waits;
}
