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
    POLICY_LIST_MEMBER
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

struct policy_listing { /* of media or services */
    struct policy_set named;
    struct policy_set excepted;
    bool all_but_excepted;
};

struct policy_condition {
    enum policy_condition_kind kind;
    union {
        struct policy_identity identity;
        struct policy_set words; /* spheres; anchors of external lists */
        struct policy_validity validity;
        struct policy_listing listing;
    };
};

/* OMA precedence, lowest first. */
enum policy_layer { LAYER_REST, LAYER_OTHER_IDENTITY, LAYER_EXTERNAL_LIST, LAYER_IDENTITY, LAYER_ANONYMOUS };

struct policy_grant {
    uint32_t permission;
    int64_t rank;
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

struct policy {
    const struct policy_vocabulary *vocabulary;
    struct policy_rule *rules;
    size_t rules_count;
    struct policy_names identities; /* canonical addresses */
    struct policy_names domains;    /* lower case */
    struct policy_names words;      /* lower-case spheres; media; services */
    struct policy_names anchors;
};

#define POLICY_SPHERE_LENGTH_MAX 255 /* spheres are words; a longer one is never equal to one */

/* Lower case for comparison, into `buffer`; empty when it is longer than any sphere. */
struct text policy_sphere_fold(struct text sphere, char buffer[POLICY_SPHERE_LENGTH_MAX]);

void policy_compile_condition(struct policy *policy, const struct xml_element *element, struct arena *arena,
                              struct policy_condition *condition_out);

/* The grants in the children of cp:actions and cp:transformations, each permission once. */
void policy_compile_grants(const struct policy_vocabulary *vocabulary, const struct xml_element *rule,
                           struct arena *arena, struct policy_rule *rule_out);

#define POLICY_NAMESPACE_COMMON TEXT("urn:ietf:params:xml:ns:common-policy")

#endif
