/* Requests of users about what is kept for them, by MESSAGE: to get what waits or what they said before, all or what a
 * list names, and to be rid of it. What they get comes as messages of its own, as when they register. */
#include "history.h"
#include "historylist.h"
#include "kept_private.h"
#include "mime.h"
#include "services_private.h"
#include "user.h"

#define DELETION_COMMITS   (DEFERRED_END_COMMITS + 1)
#define DEFERRED_LIST_AUID "org.openmobilealliance.deferred-list"
#define HISTORY_LIST_AUID  "org.openmobilealliance.conv-history"

/* --- which list ------------------------------------------------------------------------------------------------- */

static struct text type_of(const struct conversation *conversation, const char *auid)
{
    const struct usage_set *usages = documents_usages(conversation->documents);
    const struct usage *usage = usages ? usage_find(usages, text_of(auid)) : NULL;
    return usage ? usage->mime : (struct text){0};
}

static bool is_type(struct text type, struct text wanted)
{
    return wanted.length && mime_is(type, wanted);
}

/* False: answered. */
static bool read_list(struct wish *wish)
{
    struct request *request = wish->request;
    struct text type = request_header(request, "Content-Type"), body = sip_body(request->message);
    struct text deferred = type_of(request->conversation, DEFERRED_LIST_AUID);
    struct text history = type_of(request->conversation, HISTORY_LIST_AUID);
    if (body.length == 0)
        return true;
    wish->has_list = true;
    wish->of_history = is_type(type, history);
    if (!wish->of_history && !is_type(type, deferred)) {
        struct text both = text_format(&request->arena, "%.*s, %.*s", TEXT_ARG(deferred), TEXT_ARG(history));
        return request_answer_with(request, 415, NULL, "Accept", both), false;
    }
    switch (historylist_read(body, &request->arena, &wish->references, &wish->count)) {
    case OK: break;
    case FULL: return request_answer(request, 413, "Too Many Messages In The List"), false;
    default: return request_answer(request, 400, "Malformed List"), false;
    }
    if (wish->count == 0)
        return request_answer(request, 400, "Empty List"), false;
    return true;
}

/* --- deletion --------------------------------------------------------------------------------------------------- */

static void deleted(struct conversation *conversation, struct work *work)
{
    struct request *request = work->request;
    enum status status = work_status(work);
    work->request = NULL;
    deferred_count_ends(DEFERRED_DELETED, work->commits, work->count);
    expiry_note_ended(conversation);
    if (status != OK && status != CONFLICT) /* it has just been delivered */
        return request_answer_with(request, 500, "Not Deleted", "Retry-After", TEXT("5"));
    request_answer(request, 200, NULL);
}

static enum status find_deferred(const struct wish *wish, size_t nth, struct arena *arena, struct deferred *found_out)
{
    const struct documents *documents = wish->request->conversation->documents;
    if (wish->references[nth].length > STORE_PART_MAX)
        return NOT_FOUND;
    enum status status =
        deferred_get(documents, text_of(wish->served->address), wish->references[nth], arena, found_out);
    return status == OK && found_out->outcome != DEFERRED_WAITING ? NOT_FOUND : status;
}

static enum status delete_deferred(const struct wish *wish, size_t nth, struct work *work)
{
    struct conversation *conversation = work->conversation;
    int64_t now_ms = conversation->now.wall_ms;
    struct text who = text_of(wish->served->address);
    struct deferred found;
    enum status status = find_deferred(wish, nth, &work->arena, &found);
    if (status != OK)
        return status;
    struct fate fate = queue_fate(conversation, &found, &work->arena);
    fate = fate_with(&fate, FATE_DELETED, now_ms, text_format(&work->arena, "by %.*s", TEXT_ARG(who)), &work->arena);
    struct commit *end = &work->commits[work->count];
    work->count += deferred_end(&found, DEFERRED_DELETED, who, now_ms, &work->arena, end);
    work_add_fate(work, &fate);
    work->commits[work->count - 1].only_with = end; /* whoever ended it otherwise has said so */
    return OK;
}

static enum status delete_history(const struct wish *wish, size_t nth, struct work *work)
{
    struct text owner = text_of(wish->served->address), *reference = &wish->references[nth];
    struct history_entry entry;
    enum status status = history_get(work->conversation->documents, owner, *reference, &work->arena, &entry, NULL);
    if (status == OK)
        work->count += history_remove(owner, &entry.reference, 1, owner, &work->arena, &work->commits[work->count]);
    return status;
}

static void delete_some(struct wish *wish)
{
    struct request *request = wish->request;
    struct work *work = work_new(request->conversation, wish->count * DELETION_COMMITS, deleted);
    enum status status = OK;
    if (!wish->has_list)
        status = REFUSED;
    for (size_t i = 0; i < wish->count && (status == OK || status == NOT_FOUND); i++)
        status = wish->of_history ? delete_history(wish, i, work) : delete_deferred(wish, i, work);
    if (work->count && (status == OK || status == NOT_FOUND)) {
        work->request = request;
        return work_submit(work);
    }
    work_drop(work);
    if (status == REFUSED)
        return request_answer(request, 400, "No List");
    if (status != OK && status != NOT_FOUND)
        return request_answer_with(request, 500, "Not Readable", "Retry-After", TEXT("5"));
    request_answer(request, 404, "No Such Message");
}

/* --- what waits ------------------------------------------------------------------------------------------------- */

void wish_answer_nothing(struct request *request)
{
    struct sip_message *response = request_response(request, 480, NULL);
    sip_header_add(response, "Warning",
                   text_format(&request->arena, "399 %s \"No messages\"", request->conversation->settings.agent.host));
    request_send(request, response);
}

void wish_granted(struct conversation *conversation, struct work *work)
{
    struct request *request = work->request;
    enum status status = work_status(work);
    work->request = NULL;
    if (status != OK && status != CONFLICT)
        return request_answer_with(request, 500, "Not Stored", "Retry-After", TEXT("5"));
    request_answer(request, 202, NULL);
    work->served->fetching = true;
    queue_registered(conversation, work->served);
}

static void marked(struct conversation *conversation, struct work *work)
{
    work->served->kept_relays--;
    wish_granted(conversation, work);
}

/* They are as if they had come while he was there. What is handed over anyway, and may be on its way, is left as it is:
 * whoever ends it must find the record that he read. The queue waits for the disk, not to hand over what changes there.
 */
static void fetch_some(struct wish *wish)
{
    struct request *request = wish->request;
    struct conversation *conversation = request->conversation;
    struct work *work = work_new(conversation, wish->count, marked);
    bool any = false;
    enum status status = OK;
    for (size_t i = 0; i < wish->count && (status == OK || status == NOT_FOUND); i++) {
        struct deferred found;
        status = find_deferred(wish, i, &work->arena, &found);
        any = any || status == OK;
        if (status != OK || queue_hands_over(conversation, wish->served, &found))
            continue;
        found.away = false;
        work->commits[work->count++] = deferred_commit(&found, &work->arena);
    }
    if (any && (status == OK || status == NOT_FOUND)) {
        work->request = request;
        work->served = wish->served;
        wish->served->kept_relays++;
        return work_submit(work);
    }
    work_drop(work);
    if (status != OK && status != NOT_FOUND)
        return request_answer_with(request, 500, "Not Readable", "Retry-After", TEXT("5"));
    request_answer(request, 404, "No Such Message");
}

static void fetch_all(struct wish *wish)
{
    struct conversation *conversation = wish->request->conversation;
    struct served *served = wish->served;
    if (deferral_is_empty(conversation, served))
        return wish_answer_nothing(wish->request);
    request_answer(wish->request, 202, NULL);
    served->fetching = served->fetching_all = true;
    queue_registered(conversation, served);
}

/* --- who asks --------------------------------------------------------------------------------------------------- */

static bool is_address(struct text address, struct text target)
{
    return address.length && text_equal(address, target);
}

bool services_are(const struct conversation *conversation, struct text target)
{
    const struct conversation_settings *settings = &conversation->settings;
    return is_address(settings->deferred_address, target) || is_address(settings->history_address, target) ||
           is_address(settings->delete_address, target);
}

static void take(struct wish *wish, struct text target)
{
    const struct conversation_settings *settings = &wish->request->conversation->settings;
    if (is_address(settings->delete_address, target))
        return delete_some(wish);
    if (!served_is_here(wish->request->conversation, wish->served))
        return request_answer(wish->request, 480, "Not Registered");
    bool of_history = is_address(settings->history_address, target);
    if (wish->has_list && wish->of_history != of_history)
        return request_answer(wish->request, 404, "No Such Message");
    if (of_history)
        return wish_fetch_history(wish);
    return wish->has_list ? fetch_some(wish) : fetch_all(wish);
}

void services_receive(struct request *request, struct text target)
{
    struct conversation *conversation = request->conversation;
    struct wish wish = {.request = request};
    struct user user;
    if (request_refuse_extensions(request, "Require", (struct text){0}))
        return;
    switch (user_find(conversation->documents, request->user, &request->arena, &user)) {
    case OK: break;
    case NOT_FOUND: return request_answer(request, 403, "No User Of This Server");
    default: return request_answer_with(request, 500, "User Not Readable", "Retry-After", TEXT("5"));
    }
    if (user.no_messages)
        return request_answer(request, 403, "No Messages For This User");
    wish.served = served_get(conversation, user.address);
    if (read_list(&wish))
        take(&wish, target);
}
