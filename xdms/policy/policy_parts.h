/* A compiled policy. What the document names (addresses, domains, spheres, media, list anchors) became numbers, so that
 * a decision looks the requester up once and then compares numbers only. */
#ifndef POLICY_PARTS_H
#define POLICY_PARTS_H

#include "policy.h"

/* Names of one kind, each with a number from 1; 0 is "not named in this policy". */
struct policy_names {
    struct text *texts; /* of number i at [i - 1] */
    uint32_t count;
    uint32_t *slots; /* open addressing over numbers, at most half full */
    uint32_t capacity;
};

uint32_t policy_names_add(struct policy_names *names, struct arena *arena, struct text text); /* empty text: 0 */
uint32_t policy_names_find(const struct policy_names *names, struct text text);

/* Numbers; sorted by policy_set_close, only then asked. */
struct policy_set {
    uint32_t *ids;
    uint32_t count;
    uint32_t capacity;
};

void policy_set_add(struct policy_set *set, struct arena *arena, uint32_t id); /* 0 is not kept */
void policy_set_close(struct policy_set *set);
bool policy_set_has(const struct policy_set *set, uint32_t id);

enum policy_condition_kind {
    POLICY_NEVER,
    POLICY_IDENTITY,
    POLICY_SPHERE,
    POLICY_VALIDITY,
    POLICY_OTHER_IDENTITY,
    POLICY_EXTERNAL_LIST,
    POLICY_ANONYMOUS_REQUEST,
    POLICY_MEDIA_LIST,
    POLICY_SERVICE_LIST,
    POLICY_LIST_MEMBER,
    POLICY_PROFILE_LIST,
    POLICY_INVITED,
    POLICY_QUALITY_LIST,
    POLICY_REGION_LIST,
    POLICY_DEFERRED,
    POLICY_EXPIRED
};

struct policy_many { /* cp:many with exceptions */
    bool any_domain;
    uint32_t domain;
    struct policy_set except_identities;
    struct policy_set except_domains;
};

struct policy_identity {
    struct policy_set ones;
    struct policy_set domains; /* of cp:many without exceptions */
    bool anybody;              /* cp:many without domain and exceptions */
    struct policy_many *manys;
    size_t manys_count;
};

struct policy_period {
    int64_t from_ms, until_ms;
};

struct policy_validity {
    struct policy_period *periods;
    size_t count;
};

struct policy_region { /* 0: any */
    uint32_t country, region;
};

struct policy_regions {
    struct policy_region *places;
    size_t count;
};

struct policy_listing { /* of media, services or profiles */
    struct policy_set named;
    struct policy_set excepted;
    bool all_but_excepted;
};

struct policy_condition {
    enum policy_condition_kind kind;
    const struct xml_element *source;
    union {
        struct policy_identity identity;
        struct policy_set words; /* spheres; anchors of external lists; qualities */
        struct policy_validity validity;
        struct policy_listing listing;
        struct policy_regions regions;
    };
};

/* OMA precedence, lowest first. */
enum policy_layer { LAYER_REST, LAYER_OTHER_IDENTITY, LAYER_EXTERNAL_LIST, LAYER_IDENTITY, LAYER_ANONYMOUS };

struct policy_grant {
    uint32_t permission;
    int64_t rank;
    struct policy_set items; /* numbers from 1, of POLICY_SET */
};

struct policy_rule {
    struct text id;
    const struct policy_condition *conditions;
    size_t conditions_count;
    const struct policy_grant *grants;
    size_t grants_count;
    enum policy_layer layer;
    bool asks_identity; /* has a condition that an anonymous requester cannot meet */
    bool asks_anonymous;
};

/* Rules by what must be known of the requester for them to match: those of number i are rules[ends[i - 1]] up to, not
 * including, rules[ends[i]]. */
struct policy_postings {
    uint32_t *ends;
    uint32_t *rules;
};

#define POLICY_RULE_WORDS (POLICY_RULES_MAX / 64)

/* Which rules to look at for a requester, so that 1000 rules for others cost nothing. */
struct policy_index {
    struct policy_postings by_identity, by_domain, by_anchor;
    uint64_t always[POLICY_RULE_WORDS]; /* rules that may match anybody */
    /* Who is named by some rule, and so is no other-identity. */
    bool *identity_named, *domain_named; /* by number */
    bool anybody_named;
    const struct policy_many **manys;
    size_t manys_count;
};

struct policy {
    const struct policy_vocabulary *vocabulary;
    struct policy_rule *rules;
    size_t rules_count;
    struct policy_names identities; /* canonical addresses */
    struct policy_names domains;    /* lower case */
    struct policy_names words;      /* lower-case spheres; media; services; profiles; qualities; lower-case places */
    struct policy_names anchors;
    struct policy_names item_names;
    struct policy_item *items; /* of number i at [i - 1] */
    size_t items_count, items_capacity;
    int64_t *borders; /* of all validities, ascending */
    size_t borders_count;
    struct policy_index index;
};

struct policy_lists {
    struct arena *arena;
    struct policy_names identities;
    struct policy_set *anchors; /* of identity i at [i - 1]: numbers of anchors */
    size_t anchors_capacity;
};

#define POLICY_SPHERE_LENGTH_MAX 255 /* spheres are words; a longer one is never equal to one */

/* Lower case for comparison, into `buffer`; empty when it is longer than any sphere. */
struct text policy_sphere_fold(struct text sphere, char buffer[POLICY_SPHERE_LENGTH_MAX]);

void policy_compile_condition(struct policy *policy, const struct xml_element *element, struct arena *arena,
                              struct policy_condition *condition_out);

/* RFC 4745 §7.1; also what OMA says of those who are invited. */
void policy_compile_identity(struct policy *policy, const struct xml_element *element, struct arena *arena,
                             struct policy_condition *condition);

/* The grants in the children of cp:actions and cp:transformations, each permission once. */
void policy_compile_grants(struct policy *policy, const struct xml_element *rule, struct arena *arena,
                           struct policy_rule *rule_out);

void policy_index_build(struct policy *policy, struct arena *arena);

enum policy_known { POLICY_UNKNOWN = 0, POLICY_NO, POLICY_YES };

/* The requester in the numbers of this policy, and what is found out about it on the way. */
struct policy_asker {
    const struct policy *policy;
    const struct policy_request *request;
    uint32_t identities[POLICY_IDENTITIES_MAX];
    uint32_t domains[POLICY_IDENTITIES_MAX];
    uint32_t listed[POLICY_IDENTITIES_MAX]; /* in the lists of the request */
    size_t count;
    uint32_t sphere, media, media_kind, service, profile, quality, country, region;
    bool anonymous;
    enum policy_known named;
};

void policy_asker_init(struct policy_asker *asker, const struct policy *policy, const struct policy_request *request);
bool policy_rule_is_closed(const struct policy_asker *asker, const struct policy_rule *rule); /* to the anonymous */
bool policy_condition_matches(struct policy_asker *asker, const struct policy_condition *condition);
bool policy_rule_matches(struct policy_asker *asker, const struct policy_rule *rule);

/* Lists that hold one of the requester's identities, as numbers of anchors; one set for each identity. */
const struct policy_set *policy_asker_lists(const struct policy_asker *asker, size_t identity);

#define POLICY_NAMESPACE_COMMON TEXT("urn:ietf:params:xml:ns:common-policy")

#endif
