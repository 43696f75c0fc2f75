/* From what was written to what is asked: canonical addresses, all addresses of the persons who have them, a time that
 * is one. Decides nothing. */
#include "clock.h"
#include "service_decide.h"
#include "uri.h"

static bool has(const struct decide_question *question, struct text address)
{
    for (size_t i = 0; i < question->sender.identities_count; i++)
        if (text_equal(question->identities[i], address))
            return true;
    return false;
}

static void add_identity(struct decide_question *question, struct text address)
{
    if (question->sender.identities_count < POLICY_IDENTITIES_MAX && !has(question, address))
        question->identities[question->sender.identities_count++] = address;
}

/* Hosts may be written with letters beyond ASCII, as in rules. */
static struct text address_of(const struct admin_call *call, struct text written)
{
    struct arena *arena = call->request->arena;
    return user_address(uri_from_iri(arena, text_trim(written)), call->service->settings.domain, arena);
}

/* Addresses as they were given come first: there may be more than are looked at. */
static enum status read_sender(const struct admin_call *call, const struct decide_fields *fields,
                               struct decide_question *question, struct refusal *refusal)
{
    struct arena *arena = call->request->arena;
    for (size_t i = 0; i < fields->from_count; i++) {
        struct text address = address_of(call, fields->from[i]);
        if (address.length == 0)
            return refuse(refusal, REFUSAL_SYNTAX, "'from' is a SIP or TEL address, or several.");
        add_identity(question, address);
    }
    size_t given = question->sender.identities_count;
    for (size_t i = 0; i < given; i++) {
        struct user user;
        enum status status = user_find(call->service->documents, question->identities[i], arena, &user);
        if (status == FAILED)
            return FAILED;
        if (status != OK)
            continue;
        add_identity(question, user.address);
        for (size_t a = 0; a < user.aliases_count; a++)
            add_identity(question, user.aliases[a]);
    }
    return OK;
}

static enum status read_invited(const struct admin_call *call, const struct decide_fields *fields,
                                struct decide_question *question, struct refusal *refusal)
{
    for (size_t i = 0; i < fields->invited_count; i++) {
        question->invited[i] = address_of(call, fields->invited[i]);
        if (question->invited[i].length == 0)
            return refuse(refusal, REFUSAL_SYNTAX, "'invited' is a list of SIP or TEL addresses.");
    }
    question->asked.invited = question->invited;
    question->asked.invited_count = fields->invited_count;
    return OK;
}

static enum status read_what(const struct admin_call *call, const struct groups *groups,
                             const struct decide_fields *fields, struct decide_question *question,
                             struct refusal *refusal)
{
    question->to = address_of(call, fields->to);
    if (question->to.length == 0)
        return refuse(refusal, REFUSAL_SYNTAX, "'to' is the SIP or TEL address of a user or a group.");
    if (fields->kind.length && !group_kind_known(groups, fields->kind))
        return refuse(refusal, REFUSAL_SYNTAX, "No document service knows such a 'kind' of question.");
    question->sender.wall_ms = clock_wall_ms();
    if (fields->time.length && !clock_parse_rfc3339(fields->time, &question->sender.wall_ms))
        return refuse(refusal, REFUSAL_SYNTAX, "'time' is a date and time of RFC 3339.");
    question->sender.anonymous = fields->anonymous;
    question->asked = (struct group_question){
        .kind = fields->kind.length ? fields->kind : TEXT("message"),
        .media = fields->media,
        .service = fields->service,
        .sphere = fields->sphere,
        .profile = fields->profile,
        .quality = fields->quality,
        .country = fields->country,
        .region = fields->region,
        .deferred = fields->deferred,
        .expired = fields->expired,
    };
    return OK;
}

enum status decide_question_make(const struct admin_call *call, const struct groups *groups,
                                 const struct decide_fields *fields, struct decide_question *question_out,
                                 struct refusal *refusal)
{
    *question_out = (struct decide_question){.fields = *fields};
    question_out->sender.identities = question_out->identities;
    question_out->sender.question = &question_out->asked;
    enum status status = read_what(call, groups, fields, question_out, refusal);
    if (status == OK)
        status = read_invited(call, fields, question_out, refusal);
    return status == OK ? read_sender(call, fields, question_out, refusal) : status;
}
