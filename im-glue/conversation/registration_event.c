/* The package "reg" (RFC 3680): which contacts a user has, told to himself and to whom the operator lets watch. Who
 * asks hears of all of them, and from then on of those that change and of those that end, with the reason. */
#include "events_private.h"
#include "reginfo.h"
#include "target_private.h"
#include "user.h"

#define EXPIRES_S     3761 /* RFC 3680 §4.4 */
#define EXPIRES_S_MIN 60
#define EXPIRES_S_MAX 604800 /* servers of a core ask for a week or more (3GPP TS 24.229) */
#define INTERVAL_MS   5000   /* RFC 3680 §4.10 */

/* The last contacts of a user that ended, while he is watched. */
struct ended_contacts {
    struct ended_contact {
        char *name, *uri, *call_id;
        uint32_t cseq;
        const char *event;
        uint64_t number; /* among the changes of all contacts, so that each watcher hears of each once */
    } ring[CONVERSATION_BINDINGS_MAX];
    uint64_t count; /* of all so far */
};

static bool may_watch(struct request *request, const struct user *user);
static struct text write_state(struct conversation *conversation, const struct notice *notice, struct arena *arena);

const struct event_kind registration_event = {
    .package = {"reg", REGINFO_TYPE, EXPIRES_S, EXPIRES_S_MIN, EXPIRES_S_MAX, INTERVAL_MS},
    .may_watch = may_watch,
    .write = write_state,
};

/* --- who --- */

static bool is_watcher(const struct requester *who, struct text list)
{
    struct text one;
    while (text_next_item(&list, &one))
        if (requester_is(who, one))
            return true;
    return false;
}

static bool may_watch(struct request *request, const struct user *user)
{
    return requester_is(&request->who, user->address) ||
           is_watcher(&request->who, request->conversation->settings.registration_watchers);
}

/* --- what ended --- */

static void clear(struct ended_contact *ended)
{
    free(ended->name);
    free(ended->uri);
    free(ended->call_id);
    *ended = (struct ended_contact){0};
}

void registration_forget(struct served *served)
{
    for (size_t i = 0; served->ended && i < CONVERSATION_BINDINGS_MAX; i++)
        clear(&served->ended->ring[i]);
    free(served->ended);
    served->ended = NULL;
}

static void remember(struct conversation *conversation, struct served *served, const struct contact *contact,
                     const char *event)
{
    if (!served->ended)
        served->ended = memory_new(sizeof(*served->ended));
    struct ended_contact *ended = &served->ended->ring[served->ended->count++ % CONVERSATION_BINDINGS_MAX];
    clear(ended);
    *ended = (struct ended_contact){
        .name = text_keep(text_of(contact->name)),
        .uri = text_keep(text_of(contact->uri)),
        .call_id = text_keep(text_of(contact->call_id)),
        .cseq = contact->cseq,
        .event = event,
        .number = ++conversation->contact_changes,
    };
}

void registration_ends(struct conversation *conversation, struct served *served, struct text name, const char *event)
{
    if (!events_watched(conversation, &registration_event, text_of(served->address)))
        return;
    for (size_t i = 0; i < served->contacts_count; i++) {
        const struct contact *contact = &served->contacts[i];
        if (text_equal(text_of(contact->name), name))
            remember(conversation, served, contact,
                     contact->expires_ms > conversation->now.wall_ms ? event : "expired");
    }
}

void registration_changed(struct conversation *conversation, const struct served *served)
{
    events_changed(conversation, &registration_event, text_of(served->address));
}

/* --- the document --- */

/* The same for the same contact in each document; different for each address that it is bound to. */
static struct text id_of(struct text address, struct text name, struct arena *arena)
{
    struct text both = text_join(arena, text_join(arena, address, TEXT(" ")), name);
    return text_format(arena, "c%016llx", (unsigned long long)text_hash(both, 0));
}

/* What one watcher is told. */
struct telling {
    const struct conversation *conversation;
    const struct served *served;
    uint64_t known;  /* changes after this one are news */
    bool whole, own; /* all contacts; to the user himself */
    struct arena *arena;
};

/* RFC 5628 §5: temporary addresses are for who has them alone. */
static void add_gruus(const struct telling *telling, const struct contact *contact, struct text address,
                      struct reginfo_contact *written)
{
    struct text instance = text_of(contact->instance);
    if (instance.length == 0 || !text_starts_with(address, TEXT("sip:")))
        return;
    written->gruu = TEXT_CONCAT(telling->arena, address, TEXT(";gr="), instance);
    if (!telling->own || contact->core)
        return;
    written->temporary_gruu = device_temporary(telling->conversation, contact, address, telling->arena);
    written->first_cseq = contact->first_cseq;
}

static struct reginfo_contact live(const struct telling *telling, const struct contact *contact, struct text address)
{
    int64_t now_ms = telling->conversation->now.wall_ms;
    struct reginfo_contact written = {
        .id = id_of(address, text_of(contact->name), telling->arena),
        .uri = text_of(contact->uri),
        .active = true,
        .event = contact->renewed ? TEXT("refreshed") : TEXT("registered"),
        .call_id = text_of(contact->call_id),
        .cseq = contact->cseq,
        .expires_s = (uint64_t)((contact->expires_ms - now_ms + 999) / 1000),
        .registered_s = contact->since_ms ? (uint64_t)((now_ms - contact->since_ms) / 1000) : 0,
        .features = text_of(contact->features),
    };
    add_gruus(telling, contact, address, &written);
    return written;
}

static struct reginfo_contact gone(const struct ended_contact *ended, struct text address, struct arena *arena)
{
    return (struct reginfo_contact){
        .id = id_of(address, text_of(ended->name), arena),
        .uri = text_of(ended->uri),
        .event = text_of(ended->event),
        .call_id = text_of(ended->call_id),
        .cseq = ended->cseq,
    };
}

static bool is_live(const struct conversation *conversation, const struct contact *contact)
{
    return contact->expires_ms > conversation->now.wall_ms;
}

/* It has been registered again since. */
static bool is_back(const struct conversation *conversation, const struct served *served,
                    const struct ended_contact *ended)
{
    for (size_t i = 0; i < served->contacts_count; i++)
        if (is_live(conversation, &served->contacts[i]) && strcmp(served->contacts[i].name, ended->name) == 0)
            return true;
    return false;
}

/* A core has registered him, and has told of his devices too. */
static bool is_told_better(const struct conversation *conversation, const struct served *served, size_t index)
{
    const struct contact *contact = &served->contacts[index];
    if (!contact->core || strcmp(contact->name, served->address) != 0)
        return false;
    for (size_t i = 0; i < served->contacts_count; i++)
        if (i != index && served->contacts[i].core && is_live(conversation, &served->contacts[i]))
            return true;
    return false;
}

/* A mark that other contacts take the place of ends without being told, and of many that end some are forgotten. */
static bool must_be_whole(const struct served *served, uint64_t known)
{
    const struct ended_contacts *ended = served->ended;
    if (known == 0)
        return true;
    for (size_t i = 0; i < served->contacts_count; i++)
        if (served->contacts[i].core)
            return true;
    return ended && ended->count > CONVERSATION_BINDINGS_MAX &&
           ended->ring[ended->count % CONVERSATION_BINDINGS_MAX].number > known;
}

static struct reginfo_registration of_address(const struct telling *telling, struct text address)
{
    const struct conversation *conversation = telling->conversation;
    const struct served *served = telling->served;
    struct reginfo_contact *contacts =
        arena_array(telling->arena, struct reginfo_contact, 2 * CONVERSATION_BINDINGS_MAX);
    size_t count = 0, active = 0, ended_count = 0;
    for (size_t i = 0; i < served->contacts_count; i++) {
        const struct contact *contact = &served->contacts[i];
        if (!is_live(conversation, contact) || is_told_better(conversation, served, i))
            continue;
        active++;
        if (telling->whole || contact->changed > telling->known)
            contacts[count++] = live(telling, contact, address);
    }
    for (size_t i = 0; served->ended && i < CONVERSATION_BINDINGS_MAX; i++) {
        const struct ended_contact *ended = &served->ended->ring[i];
        if (ended->number <= telling->known || is_back(conversation, served, ended))
            continue;
        contacts[count++] = gone(ended, address, telling->arena);
        ended_count++;
    }
    return (struct reginfo_registration){
        .address = address,
        .id = id_of(address, (struct text){0}, telling->arena),
        .state = active        ? REGINFO_ACTIVE
                 : ended_count ? REGINFO_TERMINATED
                               : REGINFO_INIT,
        .contacts = contacts,
        .contacts_count = count,
    };
}

static struct text write_state(struct conversation *conversation, const struct notice *notice, struct arena *arena)
{
    struct served *served = served_get(conversation, notice->resource);
    struct text identities[1 + USER_ALIASES_MAX] = {notice->resource};
    size_t count = 1;
    struct user user;
    if (user_find(conversation->documents, notice->resource, arena, &user) == OK)
        count = user_identities(&user, identities);
    struct reginfo_registration *registrations = arena_array(arena, struct reginfo_registration, count);
    const struct telling telling = {
        .conversation = conversation,
        .served = served,
        .known = *notice->mark ? *notice->mark : conversation->contact_changes, /* what was before is no news */
        .whole = must_be_whole(served, *notice->mark),
        .own = text_equal(notice->subscriber, notice->resource),
        .arena = arena,
    };
    for (size_t i = 0; i < count; i++)
        registrations[i] = of_address(&telling, identities[i]);
    *notice->mark = conversation->contact_changes;
    const struct reginfo reginfo = {notice->version, telling.whole, registrations, count};
    return reginfo_write(&reginfo, arena);
}
