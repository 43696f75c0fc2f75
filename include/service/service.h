/* The HTTP side of xdms: XCAP, the admin API and the management endpoints, each a handler for http_server_open. */
#ifndef SERVICE_SERVICE_H
#define SERVICE_SERVICE_H

#include "digest.h"
#include "document.h"
#include "group.h"
#include "http.h"
#include "requester.h"
#include "trust.h"

struct service_settings {
    const struct text *roots; /* XCAP root paths, each with '/' at both ends */
    size_t roots_count;
    struct text root_uri; /* absolute URI of the first root, for sheets and Location */
    struct text domain;   /* of user names without one */
    struct text realm;
    struct text admin_token;          /* Bearer token that the admin API wants; empty: none (loopback only) */
    struct group_settings groups;     /* `roots` are those above */
    struct text policy_token;         /* Bearer token that the policy port wants; empty: none */
    struct trust_ranges policy_peers; /* who may ask there */
    int64_t policy_max_age_s;         /* for which an answer may be kept; 0: asked again each time */
    struct text search_domains;       /* "DOMAIN=URL, …" of other servers that are searched, too */
    int64_t search_domain_ms_max;
    const struct requester_grant *grants; /* roles that settings give, beside those of accounts */
    size_t grants_count;
    const struct trust *trust; /* outlives the service; NULL: nobody's word is taken */
    struct guard *guard;       /* of the digest, for the admin token too; NULL: nobody waits */
    bool basic;                /* passwords may be told over TLS */
    /* as the settings of the same names; 0: the most there can be, and nothing is compressed */
    size_t target_bytes_max, selector_steps_max, gzip_bytes_min, search_documents_max, search_results_max;
    bool trailing_slash, raw_attributes, element_declarations, absent_first;
};

struct service; /* shared by all worker threads */

/* Is it a list of domains and URLs? False: `error_out` has one line. */
bool service_search_domains_good(struct text list, struct arena *arena, struct text *error_out);

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
