/* Users who are registered with a core (an S-CSCF, a registrar in front of us): a trusted server registers them here,
 * and where the operator wants it, its event package "reg" tells of their devices. What is for them goes through it. */
#include "domains_private.h"
#include "events_private.h"
#include "kept_private.h"
#include "log.h"
#include "mime.h"
#include "reginfo.h"
#include "terms_private.h"
#include "user.h"

#define WATCH_S 3761 /* RFC 3680 §4.4 */
#define SPREAD_MS                                                                                                      \
    5 /* between two SUBSCRIBEs when the server starts: a core of 100,000 users is asked within ten minutes */

/* What one NOTIFY changes, applied to memory when it is durable. All texts are in the arena of its work. */
struct learned {
    struct contact set[CONVERSATION_BINDINGS_MAX];
    size_t set_count;
    struct text removed[CONVERSATION_BINDINGS_MAX];
    const char *events[CONVERSATION_BINDINGS_MAX]; /* why they are */
    size_t removed_count;
};

/* --- whom to watch --- */

bool core_is_watched(struct request *request)
{
    struct name_addr from;
    struct uri uri;
    if (!name_addr_parse(request_header(request, "From"), &from, NULL) || !uri_parse(from.uri, &uri))
        return false;
    return domain_is_listed(request->conversation->settings.registrars_watched, uri.host);
}

bool core_knows_all(const struct conversation *conversation, struct text address)
{
    struct text routes = conversation->settings.core_routes;
    return routes.length && domain_route(routes, uri_domain(address)).length;
}

struct text core_way(const struct conversation *conversation, const struct served *served)
{
    struct text routes = conversation->settings.core_routes;
    if (routes.length == 0 || served->domain || served_is_here(conversation, served))
        return (struct text){0};
    return domain_route(routes, uri_domain(text_of(served->address)));
}

static bool is_mark(const struct served *served, const struct contact *contact)
{
    return contact->core && strcmp(contact->name, served->address) == 0;
}

static const struct contact *mark_of(const struct conversation *conversation, const struct served *served)
{
    for (size_t i = 0; i < served->contacts_count; i++)
        if (is_mark(served, &served->contacts[i]) && served->contacts[i].expires_ms > conversation->now.wall_ms)
            return &served->contacts[i];
    return NULL;
}

static void watch(struct conversation *conversation, const struct served *served, const struct contact *mark,
                  int64_t at_ms)
{
    const struct subscriber_order order = {
        .package = text_of(registration_event.package.name),
        .type = TEXT(REGINFO_TYPE),
        .resource = text_of(served->address),
        .route = text_of(mark->path),
        .flow = mark->source,
        .expires_s = WATCH_S,
    };
    if (!subscriber_begin(conversation->subscriber, &order, at_ms))
        log_warning("registration not watched, too many are user=%s", served->address);
}

void core_registered(struct conversation *conversation, const struct served *served, bool present)
{
    const struct contact *mark = mark_of(conversation, served);
    if (present && mark)
        watch(conversation, served, mark, conversation->now.monotonic_ms);
    else
        subscriber_end(conversation->subscriber, text_of(registration_event.package.name), text_of(served->address),
                       conversation->now.monotonic_ms);
}

void core_load(struct conversation *conversation)
{
    int64_t at_ms = conversation->now.monotonic_ms;
    for (const struct served *served = conversation->served; served; served = served->hh.next) {
        const struct contact *mark = mark_of(conversation, served);
        if (mark && mark->watched)
            watch(conversation, served, mark, at_ms += SPREAD_MS);
    }
}

/* --- what it tells --- */

static bool find_served(struct conversation *conversation, struct text address, struct arena *arena, struct user *user,
                        struct served **served_out)
{
    if (user_find(conversation->documents, address, arena, user) != OK)
        return false;
    *served_out = served_get(conversation, user->address);
    return true;
}

static struct text name_of(const struct reginfo_contact *device, struct arena *arena)
{
    return text_format(arena, "core:%016llx", (unsigned long long)text_hash(device->uri, 0));
}

/* "<urn:uuid:…>" without its brackets. */
static struct text instance_of(struct text features)
{
    struct terms none = {0};
    return terms_device(&none, features).instance;
}

/* Contacts that he has beside the devices: the mark, and those that registered here. */
static size_t others_count(const struct served *served)
{
    size_t count = 0;
    for (size_t i = 0; i < served->contacts_count; i++)
        count += !served->contacts[i].core || is_mark(served, &served->contacts[i]);
    return count;
}

static void add_device(struct conversation *conversation, const struct served *served, const struct contact *mark,
                       const struct reginfo_contact *device, struct arena *arena, struct learned *learned)
{
    struct text name = name_of(device, arena);
    int64_t now_ms = conversation->now.wall_ms, expires_ms = mark->expires_ms;
    for (size_t i = 0; i < learned->set_count; i++)
        if (text_equal(text_of(learned->set[i].name), name)) /* under another of his addresses */
            return;
    if (learned->set_count + others_count(served) >= CONVERSATION_BINDINGS_MAX) {
        log_warning("device of a core left out, too many are contact=%.*s", TEXT_ARG(device->uri));
        return;
    }
    if (device->expires_s && device->expires_s < (uint64_t)INT32_MAX)
        expires_ms = now_ms + (int64_t)device->expires_s * 1000;
    learned->set[learned->set_count++] = (struct contact){
        .name = text_cstring(arena, name),
        .uri = text_cstring(arena, device->uri),
        .path = text_cstring(arena, text_of(mark->path)),
        .instance = text_cstring(arena, instance_of(device->features)),
        .call_id = text_cstring(arena, device->call_id),
        .features = text_cstring(arena, device->features),
        .cseq = (uint32_t)device->cseq,
        .expires_ms = expires_ms,
        .first_cseq = (uint32_t)device->cseq,
        .since_ms = now_ms - (int64_t)(device->registered_s < INT32_MAX ? device->registered_s : 0) * 1000,
        .renewed = text_equal(device->event, TEXT("refreshed")),
        .source = mark->source,
        .by_source = mark->by_source,
        .core = true,
        .watched = true,
    };
}

static void remove_contact(struct learned *learned, const struct contact *contact, const char *event,
                           struct arena *arena)
{
    struct text name = text_of(contact->name);
    for (size_t i = 0; i < learned->set_count; i++)
        if (text_equal(text_of(learned->set[i].name), name))
            return;
    for (size_t i = 0; i < learned->removed_count; i++)
        if (text_equal(learned->removed[i], name))
            return;
    learned->events[learned->removed_count] = event;
    learned->removed[learned->removed_count++] = text_copy(arena, name);
}

/* The word of the standard, as ours outlive the document. */
static const char *event_of(struct text event)
{
    static const char *const events[] = {"expired", "deactivated", "probation", "rejected"};
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
        if (text_equal(event, text_of(events[i])))
            return events[i];
    return "unregistered";
}

static void remove_device(const struct served *served, const struct reginfo_contact *device, struct arena *arena,
                          struct learned *learned)
{
    struct text name = name_of(device, arena);
    for (size_t i = 0; i < served->contacts_count; i++)
        if (text_equal(text_of(served->contacts[i].name), name))
            remove_contact(learned, &served->contacts[i], event_of(device->event), arena);
}

/* Of the addresses of this user alone; another one of the same household has a subscription of his own. */
static void compare(struct conversation *conversation, const struct served *served, const struct user *user,
                    const struct reginfo *reginfo, struct arena *arena, struct learned *learned)
{
    const struct contact *mark = mark_of(conversation, served);
    bool active = false, ended = false;
    for (size_t i = 0; mark && i < reginfo->registrations_count; i++) {
        const struct reginfo_registration *one = &reginfo->registrations[i];
        if (!user_is(user, uri_canonical(arena, one->address)))
            continue;
        active = active || one->state == REGINFO_ACTIVE;
        ended = ended || one->state == REGINFO_TERMINATED;
        for (size_t j = 0; j < one->contacts_count; j++)
            if (one->state == REGINFO_ACTIVE && one->contacts[j].active)
                add_device(conversation, served, mark, &one->contacts[j], arena, learned);
        for (size_t j = 0; j < one->contacts_count; j++)
            if (!one->contacts[j].active)
                remove_device(served, &one->contacts[j], arena, learned);
    }
    for (size_t i = 0; i < served->contacts_count; i++) {
        const struct contact *contact = &served->contacts[i];
        bool all = (ended && !active) || (reginfo->full && !is_mark(served, contact));
        if (contact->core && all)
            remove_contact(learned, contact, "unregistered", arena);
    }
}

static void apply(struct conversation *conversation, struct work *work)
{
    struct learned *learned = work->details;
    struct served *served = work->served;
    struct request *request = work->request;
    work->request = NULL;
    served->registering--;
    if (work_status(work) != OK)
        return request_answer_with(request, 500, "Bindings Not Stored", "Retry-After", TEXT("5"));
    for (size_t i = 0; i < learned->removed_count; i++) {
        registration_ends(conversation, served, learned->removed[i], learned->events[i]);
        served_remove_contact(conversation, served, learned->removed[i]);
    }
    for (size_t i = 0; i < learned->set_count; i++)
        served_set_contact(conversation, served, &learned->set[i]);
    log_info("core told user=%s devices=%zu gone=%zu", served->address, learned->set_count, learned->removed_count);
    request_answer(request, 200, NULL);
    registration_changed(conversation, served);
    if (learned->set_count)
        queue_registered(conversation, served);
}

static void submit(struct request *request, struct served *served, struct work *work)
{
    struct learned *learned = work->details;
    struct text address = text_of(served->address);
    for (size_t i = 0; i < learned->removed_count; i++)
        work_add_deletion(work, DOCUMENT_BINDINGS, address, learned->removed[i]);
    for (size_t i = 0; i < learned->set_count; i++)
        work->commits[work->count++] = contact_commit(&learned->set[i], address, &work->arena);
    served->registering++;
    work->request = request;
    work->served = served;
    work_submit(work);
}

/* RFC 3680 §5.2: is it newer than what is known? What was missed in between is asked for. A whole document is as new as
 * its NOTIFY, which came in order: some notifiers (presence_reginfo of Kamailio 5.6) call all versions 0. */
static bool is_news(struct conversation *conversation, struct served *served, const struct reginfo *reginfo,
                    const struct news *news)
{
    uint64_t version = reginfo->version + 1, known = news->first ? 0 : served->core_version;
    if (!reginfo->full && version <= known)
        return false;
    if (!reginfo->full && version > known + 1)
        subscriber_refresh(conversation->subscriber, news->package, news->resource, conversation->now.monotonic_ms);
    served->core_version = version;
    return true;
}

void core_learn(struct request *request, const struct news *news)
{
    struct conversation *conversation = request->conversation;
    struct reginfo reginfo;
    struct user user;
    struct served *served;
    if (news->ended)
        log_info("registration not watched any more user=%.*s reason=%.*s", TEXT_ARG(news->resource),
                 TEXT_ARG(news->reason));
    if (news->body.length == 0)
        return request_answer(request, 200, NULL);
    if (!mime_is(news->type, TEXT(REGINFO_TYPE)))
        return request_answer_with(request, 415, NULL, "Accept", TEXT(REGINFO_TYPE));
    if (reginfo_read(news->body, &request->arena, &reginfo) != OK)
        return request_answer(request, 400, "Bad Registration Information");
    if (!find_served(conversation, news->resource, &request->arena, &user, &served) ||
        !is_news(conversation, served, &reginfo, news))
        return request_answer(request, 200, NULL);
    struct work *work = work_new(conversation, 2 * CONVERSATION_BINDINGS_MAX, apply);
    struct learned *learned = arena_new(&work->arena, struct learned);
    work->details = learned;
    compare(conversation, served, &user, &reginfo, &work->arena, learned);
    submit(request, served, work);
}
