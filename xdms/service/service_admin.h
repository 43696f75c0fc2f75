/* What the files of the admin API share: one request on its way and the JSON of its answer. */
#ifndef SERVICE_ADMIN_H
#define SERVICE_ADMIN_H

#include <jansson.h>

#include "service_own.h"
#include "user.h"

#define ADMIN_LIMIT_STANDARD 100   /* entries of a page when the request does not say */
#define ADMIN_LIMIT_MAX      1000  /* STORE_PAGE_MAX */
#define ADMIN_JSON_MAX       65536 /* bytes of a JSON body: a password and a name, with much room */

struct admin_route;
struct import;
struct admin_search;
struct reindex;
struct backup;

struct admin_call {
    struct service *service;
    struct http_request *request;
    struct http_response *response; /* of this run of the handler */
    enum service_port port;
    int64_t began_us;
    const struct admin_route *route;
    struct text argument; /* the one segment of the path that is a value, decoded */
    struct text query;    /* raw */
    bool changing;
    struct document_change change;
    struct admin_search *search; /* admin_search's own */
    struct reindex *reindex;     /* admin_reindex's own */
    struct import *import;       /* admin_import's own */
    struct backup *backup;       /* admin_backup's own */
    struct clerk_task task;      /* while the clerk has the request */
    struct http_response apart;  /* what the clerk made of it */
    bool answered;               /* it did */
    uint64_t generation;         /* of the usages that were in force when the handler began; 0: not yet */
};

typedef enum http_progress admin_handler_fn(struct admin_call *call);

admin_handler_fn admin_users_list, admin_users_create, admin_user_show, admin_user_put, admin_user_delete;
admin_handler_fn admin_groups_list, admin_group_show, admin_group_put, admin_group_delete;
admin_handler_fn admin_message_show, admin_user_messages;
admin_handler_fn admin_user_erase, admin_erasures;
admin_handler_fn admin_queue, admin_user_queue, admin_queue_drop, admin_queue_retry;
admin_handler_fn admin_backup, admin_import;
admin_handler_fn admin_search, admin_user_groups, admin_reindex;
admin_handler_fn admin_user_documents, admin_document_show, admin_page;
admin_handler_fn decide_get, decide_post, explain_get, admin_openapi;

/* admin_guard.c. May whoever asks use the admin API, see its page, or ask at the policy port? False: that was
 * answered. */
bool admin_check_caller(struct admin_call *call);
bool admin_check_page(struct admin_call *call);
bool admin_check_asker(struct admin_call *call);

/* All answer and return HTTP_DONE. `body` is taken over. */
enum http_progress admin_answer(struct admin_call *call, int status, json_t *body);
enum http_progress admin_error(struct admin_call *call, int status, struct text sentence);
enum http_progress admin_refused(struct admin_call *call, enum status status, const struct refusal *refusal);

/* A document as it is stored: whatever it holds, no browser makes a page of it that runs anything here. */
void admin_document(struct admin_call *call, struct text type, struct text bytes);

/* admin_page.c. Is there a file of the page at that path? */
bool admin_page_has(struct text path);

/* False when the request was answered already: no JSON object, or it has another member than `members`, which are
 * separated by spaces; NULL: the caller judges them. Freed with json_decref. */
bool admin_body(struct admin_call *call, const char *members, json_t **body_out);

/* False when the request was answered already: another name than `names`, or one of them twice. */
bool admin_parameters_known(struct admin_call *call, const char *names);
bool admin_members_known(struct admin_call *call, json_t *body, const char *names);

/* NULL and absent give false; what is there but no string too, with *broken_out set. */
bool admin_member(const json_t *body, const char *name, struct text *value_out, bool *broken_out);

/* Aliases and roles, as far as `body` speaks of them. REFUSED: not of the right form. */
enum status admin_account_apply(struct admin_call *call, const json_t *body, struct user *user,
                                struct refusal *refusal);
void admin_account_show(struct admin_call *call, const struct user *user, json_t *shown);

/* A JSON string of bytes that may not be UTF-8. */
json_t *admin_string(struct admin_call *call, struct text text);

/* Value of "name=value" in the query, percent-decoded ('+' stands for itself: telephone numbers begin with it). */
bool admin_parameter(const struct admin_call *call, const char *name, struct text *value_out);
bool admin_limit(struct admin_call *call, size_t *limit_out); /* false when the request was answered: no such number */

#endif
