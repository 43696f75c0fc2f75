/* What the files of the policy query share: a question as it was put, and what it comes to. */
#ifndef SERVICE_DECIDE_H
#define SERVICE_DECIDE_H

#include "group.h"
#include "service_admin.h"

#define DECIDE_JSON_MAX      262144 /* bytes of a body: DECIDE_QUESTIONS_MAX long questions */
#define DECIDE_QUESTIONS_MAX 256    /* in one body: they are answered by one thread */
#define DECIDE_INVITED_MAX   64

/* As written; texts borrowed from the request or from the JSON. */
struct decide_fields {
    struct text from[POLICY_IDENTITIES_MAX], invited[DECIDE_INVITED_MAX];
    size_t from_count, invited_count;
    struct text to, kind, media, service, sphere, profile, quality, country, region, time;
    bool anonymous, deferred, expired;
    bool unreachable; /* the IM server knows that the recipient is not there */
    bool no_members;  /* of a group: the answer is wanted without them */
};

/* REFUSED: a phrase of what is wrong. */
enum status decide_fields_of_json(const json_t *object, struct arena *arena, struct decide_fields *fields_out,
                                  struct refusal *refusal);
enum status decide_fields_of_query(struct text query, struct arena *arena, struct decide_fields *fields_out,
                                   struct refusal *refusal);

struct decide_question {
    struct decide_fields fields;
    struct text identities[POLICY_IDENTITIES_MAX], invited[DECIDE_INVITED_MAX]; /* canonical */
    struct group_sender sender;
    struct group_question asked;
    struct text to;
};

/* Addresses made canonical, users replaced by all their addresses, the time read. REFUSED, FAILED. The question does
 * not move afterwards: it points into itself. */
enum status decide_question_make(const struct admin_call *call, const struct groups *groups,
                                 const struct decide_fields *fields, struct decide_question *question_out,
                                 struct refusal *refusal);

/* The answer as JSON; `until_ms_out`: how long it holds if no document changes. NULL: what is stored cannot be read. */
json_t *decide_answer(struct admin_call *call, struct groups *groups, const struct decide_question *question,
                      int64_t *until_ms_out);

/* Whose rules answer, for explanations: as in the answer. */
enum decide_target { DECIDE_GROUP, DECIDE_USER, DECIDE_NOBODY, DECIDE_BROKEN };
enum decide_target decide_find(const struct admin_call *call, struct groups *groups, struct text to,
                               const struct group **group_out, struct text *owner_out);

/* JSON of the permissions that the rules speak of. */
json_t *decide_permissions(struct admin_call *call, const struct group_ruling *ruling);

/* Sends it in the form that Accept wants, with its tag; `root` names the document element in XML. `value` is taken
 * over. */
enum http_progress decide_send(struct admin_call *call, json_t *value, const char *root, int64_t until_ms);

/* Does the request want this type more than application/json? */
bool decide_accepts(const struct http_request *request, const char *type);

#endif
