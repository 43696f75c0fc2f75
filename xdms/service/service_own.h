/* What the files of this module share: the service itself, one XCAP request on its way, and how answers are filled. */
#ifndef SERVICE_OWN_H
#define SERVICE_OWN_H

#include <pthread.h>
#include <stdatomic.h>

#include "metrics.h"
#include "service.h"

enum service_port { SERVICE_XCAP, SERVICE_ADMIN, SERVICE_POLICY, SERVICE_PORTS };

/* Also the methods that are counted apart; a peer can make up any number of others. */
enum service_method {
    METHOD_GET,
    METHOD_HEAD,
    METHOD_PUT,
    METHOD_DELETE,
    METHOD_POST,
    METHOD_OPTIONS,
    METHOD_OTHER,
    METHODS
};

#define SERVICE_STATUS_CLASSES 4 /* 2xx to 5xx */
#define SERVICE_AUTH_RESULTS   (DIGEST_FAILED + 1)

struct service_metrics {
    struct metric *requests[SERVICE_PORTS][METHODS][SERVICE_STATUS_CLASSES];
    struct metric *latency[SERVICE_PORTS];
    struct metric *auth_failures[SERVICE_AUTH_RESULTS];
    struct metric *created, *replaced, *deleted;
};

/* clerk.c: does what waits for the disk inside, beside the workers. Taken tasks are done before it is freed. */
struct clerk_task {
    void (*run)(struct clerk_task *task);
    struct clerk_task *next; /* the clerk's */
};

struct service {
    struct service_settings settings; /* all text in `arena` */
    struct arena arena;
    const struct documents *documents;
    struct digest *digest;
    struct group_pool *groups;
    struct clerk *clerk;      /* NULL: workers do it themselves */
    struct clerk_task resume; /* at the start */
    struct searchers *searchers;
    struct search_domains *domains; /* NULL: no others are searched */
    struct search_peers *peers;     /* NULL: nobody else searches here for others */
    atomic_bool ready;
    struct service_metrics metrics;
    pthread_mutex_t job_lock; /* for what follows */
    pthread_cond_t job_ended;
    bool job_runs;
};

struct clerk *clerk_new(void); /* NULL: no thread to be had */
void clerk_free(struct clerk *clerk);
void clerk_take(struct clerk *clerk, struct clerk_task *task);

/* One job of a thread's own at a time, which uses the store: the service is not freed before its end. */
bool service_job_begin(struct service *service); /* false: there is one already */
void service_job_end(struct service *service);   /* the service may be gone after this */

void service_metrics_register(struct service_metrics *metrics);
enum service_method service_method_of(struct text method);

/* The last thing done to a request: one access line, one count. */
void service_account(const struct service *service, enum service_port port, const struct http_request *request,
                     const struct http_response *response, struct text user, struct text auid, int64_t began_us);

/* Where a request comes from, through the proxies that are listed. False: nobody knows, because a proxy stands for
 * many.
 */
bool service_client(const struct service *service, const struct http_request *request,
                    struct trust_address *address_out);

/* Who asks, and what the answer has to say about that. */
struct service_caller {
    struct requester requester;
    struct text auth_info; /* value of Authentication-Info, or empty */
    bool stale;            /* 401 because of the nonce alone */
    int64_t wait_ms;       /* 429: until then */
};

/* By the word of a trusted peer, else by Authorization. REFUSED, telling nothing but that: 401, 400, 429, or 403 for an
 * intended identity of somebody else. FAILED: the users cannot be read. */
enum status service_identify(struct service *service, const struct http_request *request,
                             struct service_caller *caller_out, struct refusal *refusal);

/* Challenges of a 401, Retry-After of a 429, and Authentication-Info of everything else. */
void service_answer_caller(const struct service *service, const struct http_request *request,
                           const struct service_caller *caller, struct http_response *response);

/* One XCAP request, from its header section to its answer. Lies in the request's arena as its `state`. */
struct xcap_call {
    struct service *service;
    struct http_request *request;
    int64_t began_us;
    enum service_method method;
    struct service_caller caller; /* nobody: nobody had to say who it is */
    struct document_place place;
    const struct xcap_selector *selector;
    bool admitted;       /* what the header section allows to refuse has been looked at */
    bool authenticated;  /* `caller` holds: credentials are looked at once */
    uint64_t generation; /* of the usages that `place` and `selector` point into */
    bool entered;        /* documents_enter has no documents_leave yet */
    bool changing;       /* `change` is filled in */
    struct document_change change;
    bool posted;                /* something is sent to a usage as such: service_search.h */
    struct search_call *search; /* NULL: not begun */
};

/* True if the response must be made from the whole body: the header section says nothing yet. */
bool xcap_protects_body(const struct http_request *request);

/* Authentication, place, permission, method: all that is decided before a body is needed. */
enum status xcap_admit(struct xcap_call *call, struct refusal *refusal);

/* The document as an HTML page. False: there is none, so the document itself is what can be sent. */
bool respond_page(const struct xcap_call *call, struct text bytes, struct http_response *response);

/* OK: the response is filled in, 304 included. */
enum status xcap_read(struct xcap_call *call, struct http_response *response, struct refusal *refusal);

/* Does the query of a made document ask for a part of it? REFUSED: 400, it cannot. */
enum status xcap_part_asked(const struct xcap_call *call, struct document_part *part_out, bool *asked_out,
                            struct refusal *refusal);

/* Link to the part that begins behind `next`, if there is one. */
void xcap_part_link(const struct xcap_call *call, const struct document_part *part, struct text next,
                    struct http_response *response);

/* What the header section says of the body. */
enum content_fit { CONTENT_FITS, CONTENT_OTHER_TYPE, CONTENT_CODED, CONTENT_OTHER_CHARSET };
enum content_fit content_fit(const struct http_request *request, struct text type_wanted);

/* Thousandths of "q=…" in the parameters of an Accept… field; what cannot be read counts as absent: 1000. */
unsigned content_quality(struct text parameters);

bool content_accepts_gzip(const struct http_request *request);

/* Compresses a body of at least that size if the client accepts it and it gets smaller: then it is sent with
 * Content-Encoding: gzip. The new one is in the request's arena. */
bool content_gzip(const struct http_request *request, size_t bytes_min, struct text *body_inout);

/* Would the client rather read a page for people than this type (RFC 9110 §12.5.1)? */
bool content_prefers_page(const struct http_request *request, struct text type);
struct text content_type_of(const struct document_place *place, const struct xcap_selector *selector,
                            struct arena *arena);

/* A PUT that its header section dooms, refused in the order of all refusals and without its body. OK: it is not. */
enum status xcap_check_content(struct xcap_call *call, struct refusal *refusal);

/* DOCUMENT_WAITING: call again when the request is resumed. */
enum document_step xcap_change(struct xcap_call *call, struct http_response *response, enum status *status_out,
                               struct refusal *refusal);

/* The date in that field; 0 when there is none, or nothing that is one (RFC 9110 §13.1.3: then it is ignored). */
int64_t request_date_ms(const struct http_request *request, const char *name);

/* Fills a change with what any request to change a document says. */
/* What the owner is called beside his address of record, so that documents may name him by it. */
enum status change_name_owner(struct document_change *change);
void change_begin(struct document_change *change, const struct service *service, const struct http_request *request,
                  const struct document_place *place);
void change_count(const struct service *service, const struct document_change *change);
void change_done(void *request); /* commit_done_fn */

/* HTTP status of a refusal or of a failed call. */
int respond_code(enum status status, const struct refusal *refusal);
const char *respond_phrase(enum status status);
void respond_text(struct http_response *response, int status, struct text line);
void respond_document(struct http_response *response, int status, struct text type, struct text bytes);
void respond_xcap_refusal(const struct xcap_call *call, enum status status, const struct refusal *refusal,
                          struct http_response *response);

#endif
