/* Reports of the server's own. Each is said once: the mark of that goes to the disk with the report, and with what it
 * speaks of. Who gets it is a user of ours, or somebody whose domain may be sent to; nobody else can be told. */
#include "own_report.h"
#include "domains_private.h"
#include "incoming_private.h"
#include "kept_private.h"
#include "reports_private.h"

#include "imdn.h"
#include "log.h"
#include "uri.h"
#include "user.h"

struct own_report_draft own_report_draft(struct work *work, const struct fate *about, struct text from,
                                         struct text route, size_t parts_max)
{
    return (struct own_report_draft){
        .work = work,
        .about = *about,
        .from = from,
        .route = route,
        .parts = arena_array(&work->arena, struct text, parts_max),
        .first = work->count,
    };
}

void own_report_say(struct own_report_draft *draft, struct text recipient, bool named, struct text kind,
                    struct text status)
{
    struct work *work = draft->work;
    struct conversation *conversation = work->conversation;
    struct fate about = draft->about;
    struct text said;
    int64_t now_ms = conversation->now.wall_ms;
    about.recipient = recipient;
    if (fate_report_get(conversation->documents, &about, kind, &work->arena, &said) != NOT_FOUND)
        return;
    const struct imdn imdn = {about.message_id, kind, status};
    work->commits[work->count++] = fate_report_commit(&about, kind, status, now_ms, &work->arena);
    draft->parts[draft->count++] = imdn_write(&imdn, named ? recipient : (struct text){0},
                                              clock_write_rfc3339(&work->arena, now_ms), &work->arena);
    log_info("report call-id=%.*s message-id=%.*s about=%.*s to=%.*s says=%.*s", TEXT_ARG(about.call_id),
             TEXT_ARG(about.message_id), TEXT_ARG(recipient), TEXT_ARG(about.sender), TEXT_ARG(status));
}

/* RFC 5438 §7.1.2: the way that the intermediaries of the message want. */
static struct text first_hop(const struct own_report_draft *draft)
{
    struct text line, rest;
    struct name_addr hop;
    text_cut(draft->route, '\n', &line, &rest);
    if (draft->route.length && name_addr_parse(line, &hop, NULL))
        return uri_canonical(&draft->work->arena, hop.uri);
    return draft->about.sender;
}

static struct served *addressee(struct conversation *conversation, struct text address, struct arena *arena)
{
    struct user user;
    if (address.length && user_find(conversation->documents, address, arena, &user) == OK)
        return served_of(conversation, &user);
    if (domain_is_ours(conversation, uri_domain(address)) || !outbound_allows(conversation, address))
        return NULL;
    return domain_served(conversation, address);
}

struct own_report own_report_add(const struct own_report_draft *draft)
{
    struct work *work = draft->work;
    struct conversation *conversation = work->conversation;
    struct own_report report = {.first = draft->first};
    struct text id, message, hop = first_hop(draft);
    if (draft->count == 0)
        return report;
    report.addressee = addressee(conversation, hop, &work->arena);
    id = random_hex(&work->arena, 32);
    const struct report_message letter = {draft->from, draft->about.sender, hop,         draft->route,
                                          id,          draft->parts,        draft->count};
    message = report.addressee ? report_message_write(conversation, &letter, &work->arena) : TEXT("");
    if (message.length == 0 || !deferral_has_room(conversation, report.addressee, message.length)) {
        log_info("report not sent call-id=%.*s message-id=%.*s to=%.*s", TEXT_ARG(draft->about.call_id),
                 TEXT_ARG(draft->about.message_id), TEXT_ARG(hop));
        work->count = draft->first;
        return (struct own_report){0};
    }
    struct fate fate = {
        .message_id = id,
        .sender = draft->from,
        .recipient = text_of(report.addressee->address),
        .call_id = id,
    };
    fate = fate_with(&fate, FATE_RECEIVED, conversation->now.wall_ms,
                     text_format(&work->arena, "reports: %zu", draft->count), &work->arena);
    report.deferred = deferral_of_report(conversation, &fate, message.length);
    report.record = deferral_add(work, report.addressee, &report.deferred, message, NULL);
    work_add_fate(work, &fate);
    report.last = work->count;
    return report;
}

void own_report_done(const struct work *work, const struct own_report *report)
{
    if (!report->addressee)
        return;
    deferral_arrived(report->addressee, report->deferred.size);
    if (work->commits[report->record].status != OK)
        return;
    expiry_note(work->conversation, report->deferred.expires_ms);
    queue_flush(work->conversation, report->addressee);
}

void own_report_failed(const struct own_report *report)
{
    if (report->addressee)
        deferral_arrived(report->addressee, report->deferred.size);
}

void own_report_take_back(struct work *work, const struct work *of, const struct own_report *report)
{
    if (!report->addressee)
        return;
    deferral_remove(work, &report->deferred);
    for (size_t i = report->first; i < report->last; i++) {
        const struct document_key *key = &of->commits[i].key;
        if (text_equal(key->usage, TEXT(DOCUMENT_FATES)))
            work_add_deletion(work, DOCUMENT_FATES, key->owner, key->name);
    }
}

struct answering {
    struct own_report report;
    int status;
};

static void answered(struct conversation *conversation, struct work *work)
{
    const struct answering *answering = work->details;
    struct request *request = work->request;
    (void)conversation;
    work->request = NULL;
    request_answer(request, answering->status, NULL);
    own_report_done(work, &answering->report);
}

void own_report_answer(struct request *request, int status, const struct fate *about, struct text route,
                       struct text said)
{
    struct work *work = work_new(request->conversation, OWN_REPORT_COMMITS + 1, answered);
    struct own_report_draft draft = own_report_draft(work, about, about->recipient, route, 1);
    struct answering *answering = arena_new(&work->arena, struct answering);
    own_report_say(&draft, about->recipient, true, TEXT("processing"), said);
    *answering = (struct answering){own_report_add(&draft), status};
    work->details = answering;
    work->request = request;
    work_submit(work);
}

bool own_report_may_name(struct conversation *conversation, struct text group, struct text sender)
{
    const struct group_question question = {.kind = TEXT("conference-state")};
    const struct group_sender who = {
        .identities = &sender, .identities_count = 1, .wall_ms = conversation->now.wall_ms, .question = &question};
    const struct group *found;
    struct text rule;
    if (group.length == 0 || exploder_is(conversation, group))
        return true;
    return group_find(conversation->groups, group, &found) == OK &&
           group_may_send(conversation->groups, found, &who, &rule);
}
