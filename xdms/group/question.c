/* From a question to what rules are asked. It must not know whose rules they are. */
#include "group_private.h"

struct text question_kind(const struct group_sender *sender)
{
    bool said = sender->question && sender->question->kind.length;
    return said ? sender->question->kind : TEXT("message");
}

/* The medium that a kind of question is about when the question does not say. */
static struct text media_of(struct text kind)
{
    static const struct {
        struct text kind, media;
    } rows[] = {
        {TEXT_INIT("message"), TEXT_INIT("pager-mode-message")},
        {TEXT_INIT("session"), TEXT_INIT("message-session")},
        {TEXT_INIT("file"), TEXT_INIT("file-transfer")},
        {TEXT_INIT("advertise"), TEXT_INIT("group-advertisement")},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (text_equal(rows[i].kind, kind))
            return rows[i].media;
    }
    return (struct text){0};
}

void question_request(const struct group_sender *sender, struct policy_request *request_out)
{
    static const struct group_question message = {0};
    const struct group_question *question = sender->question ? sender->question : &message;
    *request_out = (struct policy_request){
        .identities = sender->identities,
        .identities_count = sender->identities_count,
        .anonymous = sender->anonymous,
        .wall_ms = sender->wall_ms,
        .media = question->media.length ? question->media : media_of(question_kind(sender)),
        .service = question->service,
        .sphere = question->sphere,
        .profile = question->profile,
        .quality = question->quality,
        .country = question->country,
        .region = question->region,
        .invited = question->invited,
        .invited_count = question->invited_count,
        .deferred = question->deferred,
        .expired = question->expired,
    };
}
