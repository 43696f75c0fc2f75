/* The HTTP side of xdms: XCAP, the admin API and the management endpoints, each a handler for http_server_open. */
#ifndef SERVICE_SERVICE_H
#define SERVICE_SERVICE_H

#include "deferred.h"
#include "digest.h"
#include "document.h"
#include "group.h"
#include "http.h"
#include "requester.h"
#include "trust.h"

/* Other servers that are searched, too, and those that search here for their users. */
struct service_search_settings {
    struct text domains;          /* "DOMAIN=URL, …" */
    struct text peers;            /* "DOMAIN=ADDRESS, DOMAIN=NAME, …": who speaks for the users of which domain */
    int64_t domain_ms_max;        /* until an answer has to be there */
    struct text server_ca;        /* PEM file: whose certificates other servers show; empty: CAs of the system */
    struct text certificate, key; /* PEM files of what we show them; empty: nothing */
    bool servers_unverified;
};

struct service_settings {
    struct service_search_settings search;
    const struct text *roots; /* XCAP root paths, each with '/' at both ends */
    size_t roots_count;
    struct text root_uri; /* absolute URI of the first root, for sheets and Location */
    struct text domain;   /* of user names without one */
    struct text realm;
    struct text admin_token;              /* Bearer token that the admin API wants; empty: none (loopback only) */
    struct group_settings groups;         /* `roots` are those above */
    struct text policy_token;             /* Bearer token that the policy port wants; empty: none */
    struct trust_ranges policy_peers;     /* who may ask there */
    struct deferred_push push;            /* as im-glue hands over what waits; only shown here */
    int64_t policy_max_age_s;             /* for which an answer may be kept; 0: asked again each time */
    const struct requester_grant *grants; /* roles that settings give, beside those of accounts */
    size_t grants_count;
    const struct trust *trust; /* outlives the service; NULL: nobody's word is taken */
    struct guard *guard;       /* of the digest, for the admin token too; NULL: nobody waits */
    bool basic;                /* passwords may be told over TLS */
    /* as the settings of the same names; 0: the most there can be, and nothing is compressed */
    size_t target_bytes_max, selector_steps_max, gzip_bytes_min, search_documents_max, search_results_max;
    int64_t search_us_max;
    bool trailing_slash, raw_attributes, element_declarations, absent_first;
};

struct service; /* shared by all worker threads */

/* Are `domains` and `peers` such lists? `domain`: our own. False: `error_out` has one line. */
bool service_search_good(const struct service_search_settings *settings, struct text domain, struct arena *arena,
                         struct text *error_out);

/* Texts of the settings are copied; what they point to beside, the documents and the digest outlive the service. To be
 * freed when no port calls it any more. */
struct service *service_new(const struct service_settings *settings, const struct documents *documents,
                            struct digest *digest);
void service_free(struct service *service);

/* http_handler_fn / http_preview_fn with the service as context. */
enum http_progress service_xcap(void *service, struct http_request *request, struct http_response *response);
bool service_xcap_preview(void *service, struct http_request *request, struct http_response *response);
enum http_progress service_admin(void *service, struct http_request *request, struct http_response *response);
bool service_admin_preview(void *service, struct http_request *request, struct http_response *response);
enum http_progress service_policy(void *service, struct http_request *request, struct http_response *response);
bool service_policy_preview(void *service, struct http_request *request, struct http_response *response);
enum http_progress service_management(void *service, struct http_request *request, struct http_response *response);

/* /readyz answers 503 until told so. */
void service_set_ready(struct service *service, bool ready);

#endif
