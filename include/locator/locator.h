/* Where a request to a URI goes (RFC 3263): addresses and transports in the order to try them, worked out of what the
 * domain name system says and remembered as long as that is true. A protocol machine (docs/style.md): URIs and answers
 * in, questions and results out, next deadline. No socket, no clock. */
#ifndef LOCATOR_LOCATOR_H
#define LOCATOR_LOCATOR_H

#include "dns.h"
#include "flow.h"

#define LOCATOR_TARGETS_MAX 8     /* of one result: each may cost the patience of a transaction before the next */
#define LOCATOR_LOOKUPS_MAX 40    /* of one search: a domain with more servers than that has some to spare */
#define LOCATOR_FAILED_MS   30000 /* who did not answer is tried after the others so long */
#define LOCATOR_UNKNOWN_MS  5000  /* a domain whose servers do not answer is not asked about again so long */

struct locator_settings {
    /* What may be used (UDP, TCP, TLS), in the order tried where the domain has no preference of its own. */
    enum flow_kind transports[FLOW_KINDS];
    size_t transports_count;
    bool ipv6;           /* addresses of IPv6 are used, before those of IPv4 (RFC 7984 §3) */
    int64_t patience_ms; /* of one search: what is not known by then is not known */
    int64_t ttl_ms_max;  /* of what is remembered, whatever the domain says */
    size_t entries_max;  /* of what is remembered: at least LOCATOR_LOOKUPS_MAX */
};

#define LOCATOR_SETTINGS_STANDARD ((struct locator_settings){{FLOW_TCP, FLOW_UDP}, 2, false, 10000, 86400000, 10000})

struct locator;

struct locator *locator_new(const struct locator_settings *settings);
void locator_free(struct locator *locator);

/* A result with this cookie follows, at once where nothing must be asked. The URI is of sip, sips or im. */
void locator_find(struct locator *locator, struct text uri, uint64_t cookie, int64_t now_ms);

enum locator_outcome {
    LOCATOR_FOUND,
    LOCATOR_NOWHERE, /* there is no such domain, or none of our transports leads there */
    LOCATOR_UNKNOWN  /* nobody said: another time it may be known */
};

struct locator_result {
    uint64_t cookie;
    enum locator_outcome outcome;
    struct flow targets[LOCATOR_TARGETS_MAX];
    size_t count;
};

bool locator_result(struct locator *locator, struct locator_result *result_out); /* until false */
bool locator_question(struct locator *locator,
                      struct dns_question *question_out); /* until false; name: until the next call */
void locator_answer(struct locator *locator, uint64_t number, const struct dns_answer *answer, int64_t now_ms);

/* RFC 3263 §4.3: the target gave 503, cannot be reached or was silent. */
void locator_mark_failed(struct locator *locator, const struct flow *target, int64_t now_ms);

void locator_tick(struct locator *locator, int64_t now_ms);
int64_t locator_deadline(const struct locator *locator); /* INT64_MAX: none */

struct locator_figures {
    size_t searches, entries;
};

void locator_figures(const struct locator *locator, struct locator_figures *figures_out);

#endif
