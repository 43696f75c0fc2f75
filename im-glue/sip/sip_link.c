/* Links: what hangs on one connection, or on one peer when there is no connection yet. */
#include <assert.h>
#include <stdlib.h>

#include "sip_agent_private.h"

/* A connection is known by its number, whatever its kind; a peer without one by kind, address and port. */
static bool same(const struct small_flow *a, const struct small_flow *b)
{
    if (a->kind != b->kind || a->connection != b->connection)
        return false;
    return a->connection != 0 || memcmp(&a->peer, &b->peer, sizeof(a->peer)) == 0;
}

static struct small_flow identity_of(const struct flow *flow)
{
    struct small_flow identity = {.kind = flow->connection ? FLOW_TCP : flow->kind, .connection = flow->connection};
    /* Only what names the peer: flow labels and padding may differ between two looks at it. */
    if (flow->connection == 0 && flow->peer.ss_family == AF_INET) {
        struct sockaddr_in full, bare = {.sin_family = AF_INET};
        memcpy(&full, &flow->peer, sizeof(full));
        bare.sin_port = full.sin_port;
        bare.sin_addr = full.sin_addr;
        memcpy(&identity.peer, &bare, sizeof(bare));
    } else if (flow->connection == 0 && flow->peer.ss_family == AF_INET6) {
        struct sockaddr_in6 full;
        memcpy(&full, &flow->peer, sizeof(full));
        identity.peer.sin6_family = AF_INET6;
        identity.peer.sin6_port = full.sin6_port;
        identity.peer.sin6_addr = full.sin6_addr;
        identity.peer.sin6_scope_id = full.sin6_scope_id;
    }
    return identity;
}

static uint64_t hash_of(const struct sip_agent *agent, const struct small_flow *identity)
{
    char bytes[sizeof(identity->connection) + sizeof(identity->peer) + 1];
    bytes[0] = (char)identity->kind;
    memcpy(bytes + 1, &identity->connection, sizeof(identity->connection));
    memcpy(bytes + 1 + sizeof(identity->connection), &identity->peer, sizeof(identity->peer));
    return text_hash((struct text){bytes, sizeof(bytes)}, agent->seed);
}

uint64_t link_hash(const struct sip_agent *agent, const struct flow *flow)
{
    struct small_flow identity = identity_of(flow);
    return hash_of(agent, &identity);
}

static struct link *find(const struct sip_agent *agent, const struct small_flow *identity, uint64_t hash)
{
    void **place = table_place(&agent->links, hash);
    struct link *link = place ? *place : NULL;
    while (link && !(link->hash == hash && same(&link->flow, identity)))
        link = link->next;
    return link;
}

struct link *link_find(const struct sip_agent *agent, const struct flow *flow)
{
    struct small_flow identity = identity_of(flow);
    return find(agent, &identity, hash_of(agent, &identity));
}

struct link *link_take(struct sip_agent *agent, const struct flow *flow)
{
    struct small_flow identity = identity_of(flow);
    uint64_t hash = hash_of(agent, &identity);
    struct link *link = find(agent, &identity, hash);
    if (link)
        return link;
    table_prepare(&agent->links, offsetof(struct link, next), offsetof(struct link, hash));
    link = memory_take(sizeof(*link));
    *link = (struct link){.hash = hash, .flow = identity};
    table_put(&agent->links, hash, link, offsetof(struct link, next));
    return link;
}

static void link_free(struct sip_agent *agent, struct link *link)
{
    table_take_out(&agent->links, link->hash, link, offsetof(struct link, next));
    agent->bytes -= link->capacity;
    free(link->buffer);
    memory_give(link, sizeof(*link));
}

void link_release(struct sip_agent *agent, struct link *link)
{
    if (!link->busy && link->length == 0 && link->capacity > 0) {
        agent->bytes -= link->capacity;
        free(link->buffer);
        link->buffer = NULL;
        link->capacity = 0;
    }
    if (!link->busy && !link->transactions && link->length == 0 && link->blank_lines == 0 && !link->dead)
        link_free(agent, link);
}

void link_free_all(struct sip_agent *agent)
{
    struct table *links = &agent->links;
    for (size_t i = links->moved; i < links->old_count; i++)
        while (links->old[i])
            link_free(agent, links->old[i]);
    for (size_t i = 0; i < links->bucket_count; i++)
        while (links->buckets[i])
            link_free(agent, links->buckets[i]);
    table_clear(links);
}

void link_attach(struct sip_agent *agent, struct transaction *transaction, const struct flow *flow)
{
    struct link *link = link_take(agent, flow);
    transaction->link = link;
    transaction->link_previous = NULL;
    transaction->link_next = link->transactions;
    if (link->transactions)
        link->transactions->link_previous = transaction;
    link->transactions = transaction;
}

void link_detach(struct sip_agent *agent, struct transaction *transaction)
{
    struct link *link = transaction->link;
    if (transaction->link_previous)
        transaction->link_previous->link_next = transaction->link_next;
    else
        link->transactions = transaction->link_next;
    if (transaction->link_next)
        transaction->link_next->link_previous = transaction->link_previous;
    transaction->link = NULL;
    link_release(agent, link);
}
