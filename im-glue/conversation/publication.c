/* PUBLISH (RFC 3903) of IM service settings: what each of a user's clients asks for, on disk before the 200 and in
 * force for the next request. Several clients are put together in favour of whoever wants more. */
#include "events_private.h"
#include "imsettings.h"
#include "kept_private.h"
#include "log.h"
#include "mime.h"
#include "record.h"
#include "user.h"

#define NAME_DIGITS   16   /* of documents and entity tags */
#define EXPIRES_S_MIN 60   /* shorter: 423 with Min-Expires */
#define EXPIRES_S     3600 /* when the client asks for nothing */
#define EXPIRES_S_MAX 86400

/* What one client published. */
struct publication {
    char *name, *etag;
    struct imsettings settings;
    int64_t expires_ms; /* wall clock */
    struct publication *next;
};

/* What one PUBLISH does, in the arena of its work. */
struct publishing {
    struct text name, etag; /* etag: the new one */
    struct imsettings settings;
    int64_t expires_ms;
    uint64_t seconds; /* 0: it ends */
};

static void published(struct conversation *conversation, struct work *work);

/* --- in memory --- */

static void publication_free(struct publication *publication)
{
    free(publication->name);
    free(publication->etag);
    free(publication);
}

void publication_free_all(struct served *served)
{
    while (served->publications) {
        struct publication *publication = served->publications;
        served->publications = publication->next;
        publication_free(publication);
    }
}

static void drop(struct served *served, struct text name)
{
    struct publication **link = &served->publications;
    while (*link && !text_equal(text_of((*link)->name), name))
        link = &(*link)->next;
    struct publication *found = *link;
    if (!found)
        return;
    *link = found->next;
    publication_free(found);
}

static void keep(struct served *served, const struct publishing *publishing)
{
    struct publication *publication = memory_new(sizeof(*publication));
    drop(served, publishing->name);
    publication->name = text_keep(publishing->name);
    publication->etag = text_keep(publishing->etag);
    publication->settings = publishing->settings;
    publication->expires_ms = publishing->expires_ms;
    publication->next = served->publications;
    served->publications = publication;
}

struct imsettings publication_settings(const struct conversation *conversation, const struct served *served)
{
    struct imsettings all = {0};
    bool any = false;
    for (const struct publication *one = served->publications; one; one = one->next) {
        if (one->expires_ms <= conversation->now.wall_ms)
            continue;
        any = true;
        all.active = all.active || one->settings.active;
        all.visible = all.visible || (one->settings.active && one->settings.visible);
        all.push = all.push || one->settings.push;
        all.keep_session = all.keep_session || one->settings.keep_session;
        all.keep_large = all.keep_large || one->settings.keep_large;
    }
    return any ? all : IMSETTINGS_STANDARD;
}

void publication_sweep(struct conversation *conversation, struct served *served)
{
    struct work *work = NULL;
    for (struct publication *one = served->publications, *next; one && !served->publishing; one = next) {
        next = one->next;
        if (one->expires_ms > conversation->now.wall_ms)
            continue;
        if (!work)
            work = work_new(conversation, PUBLICATIONS_MAX, work_ignore);
        work_add_deletion(work, DOCUMENT_SETTINGS, text_of(served->address), text_of(one->name));
        drop(served, work->commits[work->count - 1].key.name);
    }
    if (!work)
        return;
    work_submit(work);
    settings_changed(conversation, served);
    queue_registered(conversation, served); /* without them he may be there */
}

/* --- on disk --- */

static struct commit publication_commit(const struct publishing *publishing, struct text owner, struct arena *arena)
{
    const struct imsettings *settings = &publishing->settings;
    struct text_builder record;
    builder_init(&record, arena);
    record_add(&record, "etag", publishing->etag);
    record_add_number(&record, "expires-ms", publishing->expires_ms);
    record_add_number(&record, "active", settings->active);
    record_add_number(&record, "visible", settings->visible);
    record_add_number(&record, "push", settings->push);
    record_add_number(&record, "keep-session", settings->keep_session);
    record_add_number(&record, "keep-large", settings->keep_large);
    return (struct commit){
        .key = {TEXT(DOCUMENT_SETTINGS), text_copy(arena, owner), publishing->name},
        .expected = VERSION_ANY,
        .bytes = builder_text(&record),
        .who = text_copy(arena, owner),
    };
}

static void load_one(struct conversation *conversation, const struct document_key *key, struct arena *arena)
{
    struct stored stored;
    if (document_internal_read(conversation->documents, key, arena, &stored) != OK)
        return;
    struct text record = stored.bytes;
    keep(served_get(conversation, stored.key.owner),
         &(struct publishing){
             .name = stored.key.name,
             .etag = record_text(record, "etag"),
             .expires_ms = record_number(record, "expires-ms", 0),
             .settings = {.active = record_number(record, "active", 1) != 0,
                          .visible = record_number(record, "visible", 1) != 0,
                          .push = record_number(record, "push", 1) != 0,
                          .keep_session = record_number(record, "keep-session", 0) != 0,
                          .keep_large = record_number(record, "keep-large", 0) != 0},
         });
}

void publication_load(struct conversation *conversation)
{
    served_load_records(conversation, DOCUMENT_SETTINGS, load_one);
}

/* --- PUBLISH --- */

static bool refused(struct request *request, int status, const char *name, struct text value)
{
    if (name)
        request_answer_with(request, status, NULL, name, value);
    else
        request_answer(request, status, NULL);
    return false;
}

static bool check_event(struct request *request)
{
    struct text event = request->conversation->settings.settings_event;
    if (event.length && mime_is(request_header(request, "Event"), event))
        return true;
    return refused(request, 489, event.length ? "Allow-Events" : NULL, event);
}

/* RFC 3903 §6 step 3. */
static bool read_expires(struct request *request, struct publishing *publishing)
{
    struct text value = text_trim(request_header(request, "Expires"));
    uint64_t seconds = EXPIRES_S;
    if (value.length && !text_to_u64(value, &seconds))
        return refused(request, 400, NULL, value);
    if (seconds > 0 && seconds < EXPIRES_S_MIN)
        return refused(request, 423, "Min-Expires", text_format(&request->arena, "%d", EXPIRES_S_MIN));
    publishing->seconds = seconds < EXPIRES_S_MAX ? seconds : EXPIRES_S_MAX;
    publishing->expires_ms = request->conversation->now.wall_ms + (int64_t)publishing->seconds * 1000;
    return true;
}

/* RFC 3903 §6 step 4: which publication is meant; a new one where none is named. */
static bool find_publication(struct request *request, const struct served *served, struct publishing *publishing)
{
    const struct conversation *conversation = request->conversation;
    struct text wanted = text_trim(request_header(request, "SIP-If-Match"));
    const struct publication *one = served->publications;
    size_t count = 0;
    for (; one; one = one->next, count++) {
        if (wanted.length == 0 || !text_equal(text_of(one->etag), wanted) ||
            one->expires_ms <= conversation->now.wall_ms)
            continue;
        publishing->name = text_of(one->name);
        publishing->settings = one->settings;
        return true;
    }
    if (wanted.length)
        return refused(request, 412, NULL, wanted);
    if (count >= PUBLICATIONS_MAX)
        return refused(request, 403, NULL, wanted);
    publishing->name = random_hex(&request->arena, NAME_DIGITS);
    return true;
}

/* RFC 3903 §6 step 5: a body, or one that is known and goes on. */
static bool read_body(struct request *request, struct publishing *publishing)
{
    struct text body = sip_body(request->message), type = request->conversation->settings.settings_type;
    if (body.length == 0 && request_header(request, "SIP-If-Match").length)
        return true;
    if (body.length == 0)
        return refused(request, 400, NULL, body);
    if (!mime_is(request_header(request, "Content-Type"), type))
        return refused(request, 415, "Accept", type);
    if (imsettings_read(body, &request->arena, &publishing->settings) != OK)
        return refused(request, 400, NULL, body);
    return true;
}

static void submit(struct request *request, struct served *served, struct publishing *read)
{
    struct work *work = work_new(request->conversation, 1, published);
    struct publishing *publishing = arena_new(&work->arena, struct publishing);
    *publishing = *read;
    publishing->name = text_copy(&work->arena, read->name);
    publishing->etag = random_hex(&work->arena, NAME_DIGITS);
    work->request = request;
    work->served = served;
    work->details = publishing;
    if (publishing->seconds)
        work->commits[work->count++] = publication_commit(publishing, text_of(served->address), &work->arena);
    else
        work_add_deletion(work, DOCUMENT_SETTINGS, text_of(served->address), publishing->name);
    served->publishing = true;
    work_submit(work);
}

static void publish(struct request *request, struct served *served)
{
    struct publishing publishing = {.settings = IMSETTINGS_STANDARD};
    if (served->publishing) /* its tag is about to change */
        return request_answer_with(request, 500, "Another Is In Progress", "Retry-After", TEXT("1"));
    if (read_expires(request, &publishing) && find_publication(request, served, &publishing) &&
        read_body(request, &publishing))
        submit(request, served, &publishing);
}

void publication_receive(struct request *request)
{
    struct conversation *conversation = request->conversation;
    struct user user;
    if (request_refuse_extensions(request, "Require", (struct text){0}) || !check_event(request) ||
        !request_authenticate(request, false))
        return;
    struct text address = uri_canonical(&request->arena, sip_request_uri(request->message, &request->arena));
    if (!requester_is(&request->who, address))
        return request_answer(request, 403, "Not Your Address");
    switch (user_find(conversation->documents, address, &request->arena, &user)) {
    case OK: return publish(request, served_get(conversation, user.address));
    case NOT_FOUND: return request_answer(request, 404, "No Such User");
    default: request_answer_with(request, 500, "User Not Readable", "Retry-After", TEXT("5"));
    }
}

static void published(struct conversation *conversation, struct work *work)
{
    const struct publishing *publishing = work->details;
    struct served *served = work->served;
    struct request *request = work->request;
    work->request = NULL;
    served->publishing = false;
    enum status status = work_status(work);
    if (status != OK && (publishing->seconds || status != NOT_FOUND))
        return request_answer_with(request, 500, "Settings Not Stored", "Retry-After", TEXT("5"));
    if (publishing->seconds)
        keep(served, publishing);
    else
        drop(served, publishing->name);
    struct imsettings now = publication_settings(conversation, served);
    log_info("settings user=%s active=%d visible=%d push=%d", served->address, now.active, now.visible, now.push);
    struct sip_message *response = request_response(request, 200, NULL);
    sip_header_add(response, "SIP-ETag", publishing->etag);
    sip_header_add(response, "Expires", text_format(&request->arena, "%llu", (unsigned long long)publishing->seconds));
    request_send(request, response);
    settings_changed(conversation, served);
    queue_registered(conversation, served);
}
