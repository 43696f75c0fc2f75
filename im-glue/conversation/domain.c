/* Domains that are not ours: which of them may be sent to, by which way, and how much is on its way to each at once. */
#include "conversation_private.h"
#include "domains_private.h"
#include "kept_private.h"
#include "log.h"
#include "user.h"

#define IN_FLIGHT_MAX 200 /* to a domain that is silent each holds a transaction for half a minute */

bool domain_is_below(struct text domain, struct text upper)
{
    return domain.length > upper.length + 1 && domain.bytes[domain.length - upper.length - 1] == '.' &&
           text_equal_nocase(text_slice(domain, domain.length - upper.length, domain.length), upper);
}

static bool matches(struct text pattern, struct text domain)
{
    if (text_equal(pattern, TEXT("*")))
        return domain.length > 0;
    if (text_starts_with(pattern, TEXT("*.")))
        return domain_is_below(domain, text_slice(pattern, 2, pattern.length));
    return text_equal_nocase(pattern, domain);
}

bool domain_is_listed(struct text list, struct text domain)
{
    struct text pattern;
    while (text_next_item(&list, &pattern))
        if (matches(pattern, domain))
            return true;
    return false;
}

/* A star is a whole label, and the first one. */
static bool is_pattern(struct text pattern)
{
    if (text_equal(pattern, TEXT("*")))
        return true;
    if (text_starts_with(pattern, TEXT("*.")))
        pattern = text_slice(pattern, 2, pattern.length);
    return pattern.length > 0 && pattern.bytes[0] != '.' && pattern.bytes[pattern.length - 1] != '.' &&
           text_find(pattern, TEXT("..")) == pattern.length && text_find_char(pattern, '*') == pattern.length &&
           text_find_char(pattern, ' ') == pattern.length && text_find_char(pattern, '@') == pattern.length;
}

bool conversation_domains_valid(struct text domains, struct text *bad_out)
{
    while (text_next_item(&domains, bad_out))
        if (!is_pattern(*bad_out))
            return false;
    return true;
}

/* The longest pattern says most. */
struct text domain_route(struct text routes, struct text domain)
{
    struct text one, pattern, uri, found = {0};
    size_t longest = 0;
    for (bool more = routes.length > 0; more;) {
        more = text_cut(routes, ',', &one, &routes);
        if (!text_cut(one, '=', &pattern, &uri))
            continue;
        pattern = text_trim(pattern);
        if (pattern.length <= longest || !matches(pattern, domain))
            continue;
        longest = pattern.length;
        found = text_trim(uri);
    }
    return found;
}

bool conversation_routes_valid(struct text routes, struct text *bad_out)
{
    struct text one, pattern, address;
    struct uri uri;
    for (bool more = text_trim(routes).length > 0; more;) {
        more = text_cut(routes, ',', &one, &routes);
        *bad_out = text_trim(one);
        if (!text_cut(one, '=', &pattern, &address) || !is_pattern(text_trim(pattern)) ||
            !uri_parse(text_trim(address), &uri) || uri.host.length == 0)
            return false;
    }
    return true;
}

bool conversation_core_routes_valid(struct text routes, struct text *bad_out)
{
    struct text one, pattern, address;
    if (!conversation_routes_valid(routes, bad_out))
        return false;
    while (text_next_item(&routes, &one)) {
        *bad_out = one;
        text_cut(one, '=', &pattern, &address);
        if (!outbound_is_loose(text_trim(address)))
            return false;
    }
    return true;
}

bool domain_is_ours(const struct conversation *conversation, struct text domain)
{
    return text_equal_nocase(domain, conversation->settings.domain);
}

bool domain_is_server(const struct conversation *conversation, const struct uri *uri)
{
    return uri->user.length == 0 && (domain_is_ours(conversation, uri->host) ||
                                     text_equal_nocase(uri->host, text_of(conversation->settings.agent.host)));
}

static struct domain *domain_get(struct conversation *conversation, struct text name)
{
    struct domain *domain = NULL;
    HASH_FIND(hh, conversation->domains, name.bytes, name.length, domain);
    if (domain)
        return domain;
    domain = memory_new(sizeof(*domain));
    domain->name = text_keep(name);
    TAILQ_INIT(&domain->waiting);
    HASH_ADD_KEYPTR(hh, conversation->domains, domain->name, name.length, domain);
    return domain;
}

struct served *domain_served(struct conversation *conversation, struct text address)
{
    struct served *served = served_get(conversation, address);
    if (!served->domain) {
        served->domain = domain_get(conversation, uri_domain(address));
        served->domain->users++;
    }
    return served;
}

bool domain_has_room(const struct conversation *conversation, const struct domain *domain)
{
    size_t most = conversation->settings.peering.in_flight_max;
    return domain->in_flight < (most ? most : IN_FLIGHT_MAX);
}

void domain_wait(struct conversation *conversation, struct served *served)
{
    if (!served->domain || served->waits || domain_has_room(conversation, served->domain))
        return;
    served->waits = true;
    TAILQ_INSERT_TAIL(&served->domain->waiting, served, wait);
}

void domain_enter(struct domain *domain)
{
    domain->in_flight++;
}

void domain_leave(struct conversation *conversation, struct domain *domain)
{
    domain->in_flight--;
    if (domain->ready || TAILQ_EMPTY(&domain->waiting))
        return;
    domain->ready = true;
    TAILQ_INSERT_TAIL(&conversation->domains_ready, domain, entry);
}

/* First come, first served: where one has no message after all, the next one is asked. */
static void run_waiting(struct conversation *conversation, struct domain *domain)
{
    struct served *served;
    while (domain_has_room(conversation, domain) && (served = TAILQ_FIRST(&domain->waiting))) {
        TAILQ_REMOVE(&domain->waiting, served, wait);
        served->waits = false;
        queue_flush(conversation, served);
    }
}

void domain_run_waiting(struct conversation *conversation)
{
    struct domain *domain;
    while ((domain = TAILQ_FIRST(&conversation->domains_ready))) {
        TAILQ_REMOVE(&conversation->domains_ready, domain, entry);
        domain->ready = false;
        run_waiting(conversation, domain);
    }
}

/* --- those whom nothing is known of any more --- */

static bool is_idle(struct conversation *conversation, struct served *served)
{
    return served->domain && served->deliveries == 0 && !served->flushing && !served->kept_relays &&
           !served->arriving && !served->waits && !served->retry_at_ms && deferral_is_empty(conversation, served);
}

static void forget_domain(struct conversation *conversation, struct domain *domain)
{
    HASH_DEL(conversation->domains, domain);
    free(domain->name);
    free(domain);
}

void domain_sweep(struct conversation *conversation)
{
    struct served *served, *next;
    struct domain *domain, *next_domain;
    HASH_ITER(hh, conversation->served, served, next)
    {
        if (!is_idle(conversation, served))
            continue;
        served->domain->users--;
        served_free(conversation, served);
    }
    HASH_ITER(hh, conversation->domains, domain, next_domain)
    {
        if (domain->users == 0 && domain->in_flight == 0 && !domain->ready)
            forget_domain(conversation, domain);
    }
}

void domain_free_all(struct conversation *conversation)
{
    struct domain *domain, *next;
    HASH_ITER(hh, conversation->domains, domain, next)
    {
        forget_domain(conversation, domain);
    }
}

/* --- when the server starts --- */

#define AFTER_ALL "~" /* behind every reference, in byte order */

static bool is_foreign(struct conversation *conversation, struct text address, struct arena *arena)
{
    struct user user;
    return uri_domain(address).length && !domain_is_ours(conversation, uri_domain(address)) &&
           user_find(conversation->documents, address, arena, &user) == NOT_FOUND;
}

/* Nobody registers there, so that what is kept for them goes on by itself: from owner to owner, not message by message.
 */
void domain_load(struct conversation *conversation)
{
    struct deferred after = {.reference = TEXT(AFTER_ALL)};
    struct deferred_page page;
    struct arena arena;
    size_t count = 0;
    char *owner = NULL;
    arena_init(&arena, "foreign");
    while (deferred_list_all(conversation->documents, owner ? &after : NULL, 1, &arena, &page) == OK && page.count) {
        free(owner);
        owner = text_keep(page.items[0].owner);
        after.owner = text_of(owner);
        if (is_foreign(conversation, after.owner, &arena)) {
            queue_flush(conversation, domain_served(conversation, after.owner));
            count++;
        } else if (core_knows_all(conversation, after.owner)) {
            queue_flush(conversation, served_get(conversation, after.owner));
        }
        arena_reset(&arena);
    }
    free(owner);
    arena_clear(&arena);
    log_info("messages for other domains loaded recipients=%zu", count);
}
