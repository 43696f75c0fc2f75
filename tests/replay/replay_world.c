/* The world of a replay: the real conversation, groups, documents and usages on the memory engine, with time and the
 * network under control of the script. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "deferred.h"
#include "metrics.h"
#include "replay_script.h"
#include "shipped_usages.h"
#include "user.h"

static void no_wake(void *context)
{
    (void)context; /* the world ticks after each input anyway */
}

static size_t peer_names(void *context, uint64_t connection, struct arena *arena, const struct text **names_out)
{
    const struct world *world = context;
    (void)connection;
    *names_out = &world->peer_name;
    (void)arena;
    return world->peer_name.length ? 1 : 0;
}

static void open_conversation(struct world *world)
{
    struct conversation_settings settings = {
        .domain = TEXT("example.com"),
        .exploder = TEXT("sip:exploder@example.com"),
        .deferred_address = TEXT("sip:deferred@example.com"),
        .history_address = TEXT("sip:history@example.com"),
        .delete_address = TEXT("sip:delete@example.com"),
        .waiting_notice = world->waiting_notice,
        .types_refused = TEXT("application/x-msdownload, video/*"),
        .message_bytes_max = 30000,
        .recipients_max = 8,
        .block_politely = world->block_politely,
        .md5_clients = TEXT("baresip v0, baresip v1"),
        .settings_event = TEXT("im-service-settings"),
        .settings_type = TEXT("application/vnd.oma.im.service-settings+xml"),
        .list_events = TEXT("ua-profile, sip-profile"),
        .block_status = world->block_status,
        .warning_forbidden = world->warning_forbidden,
        .warning_many = 102,
        .registrations = world->registrations,
        .watchers = world->watchers,
        .answer_ms = world->answer_ms,
        .records_ms = world->records_ms,
        .report_life_ms = world->report_life_ms,
        .report_window_ms = 30000,
        .registrars_watched = TEXT("*.ims.example.net"),
        .registration_watchers = world->no_watchers ? TEXT("") : TEXT("sip:watcher@example.net, sip:scscf.example.net"),
        .deferral = world->deferral,
        .history_ms = 3600000,
        .history_count_max = 4,
        .history_bytes_max = 100000,
        .agent = SIP_AGENT_SETTINGS_STANDARD,
        .list_senders = world->list_senders,
        .peering = world->peering,
        .core_routes = world->core_routes,
        .follow_redirects = world->follow_redirects,
        .trust = &world->trust,
        .cores = &world->cores,
        .peer_names = peer_names,
        .peer_names_context = world,
        .bytes_max = world->bytes_max,
        .messages_per_user = world->messages_per_user,
        .registers_per_user = world->registers_per_user,
    };
    struct group_settings groups = GROUP_SETTINGS_STANDARD(&world->root, 1);
    groups.accept_anonymous = world->accept_anonymous;
    settings.agent.host = "192.0.2.100";
    settings.agent.t1_ms = world->t1_ms ? world->t1_ms : settings.agent.t1_ms;
    settings.agent.t2_ms = world->t2_ms ? world->t2_ms : settings.agent.t2_ms;
    settings.sha256_first = world->strong_first;
    digest_offer(world->digest, DIGEST_SHA512, world->sha512);
    world->groups = groups_new(world->documents, &groups);
    world->conversation =
        conversation_new(&settings, world->documents, world->digest, world->groups, no_wake, world, world->now);
}

void world_open(struct world *world)
{
    static const uint8_t key[32] = {7};
    *world = (struct world){.now = {1000000, 1767607200000},
                            .root = TEXT("/xcap-root/"),
                            .accept_anonymous = true,
                            .warning_forbidden = 100,
                            .deferral = DEFERRAL_SETTINGS_STANDARD}; /* 2026-01-05T10:00:00Z */
    world->peering.domains_in = TEXT("*");
    arena_init(&world->arena, "replay");
    world->usages = shipped_usages();
    world->faulty = store_open_faulty(store_open_memory(), NULL, 0);
    world->store = world->faulty;
    world->documents = documents_new(world->store, world->usages);
    documents_set_records(world->documents, USAGE_FROM_DEFERRED, &deferred_records);
    world->digest = digest_new(TEXT("example.com"), TEXT("example.com"), key);
    world->guard = guard_new(&GUARD_SETTINGS_STANDARD);
    digest_set_guard(world->digest, world->guard);
    world->metrics = metrics_write(&world->arena);
    open_conversation(world);
}

static void close_conversation(struct world *world)
{
    store_faulty_release(world->faulty);
    conversation_free(world->conversation);
    groups_free(world->groups);
}

void world_restart(struct world *world)
{
    close_conversation(world);
    open_conversation(world);
    world_wait(world, 0);
}

void world_fail_write(struct world *world, unsigned nth)
{
    close_conversation(world);
    documents_free(world->documents);
    world->store = store_open_failing(world->store, nth, FAILED);
    world->documents = documents_new(world->store, world->usages);
    documents_set_records(world->documents, USAGE_FROM_DEFERRED, &deferred_records);
    open_conversation(world);
    world_wait(world, 0);
}

void world_fail_calls(struct world *world, const enum store_call *call)
{
    const struct store_fault fault = {.call = call ? *call : STORE_CALL_READ, .nth = 1, .status = FAILED};
    store_faulty_set(world->faulty, &fault, call ? 1 : 0);
}

void world_fill_store(struct world *world)
{
    const struct store_fault fault = {.call = STORE_CALL_COMMIT, .nth = 1, .status = FULL, .deletions_pass = true};
    store_faulty_set(world->faulty, &fault, 1);
}

void world_connect(struct world *world, struct actor *actor, bool listens)
{
    actor->flow.kind = FLOW_TCP;
    actor->flow.connection = ++world->connections;
    actor->listens = listens;
}

void world_disconnect(struct world *world, struct actor *actor)
{
    uint64_t connection = actor->flow.connection;
    actor->flow.connection = 0;
    store_faulty_hold(world->faulty);
    conversation_closed(world->conversation, connection, world->now);
    world_wait(world, 0);
}

void world_close(struct world *world)
{
    for (size_t i = 0; i < world->actors_count; i++) {
        for (size_t j = 0; j < world->actors[i].inbox_count; j++)
            sip_message_free(world->actors[i].inbox[j]);
        sip_message_free(world->actors[i].answerable);
        sip_message_free(world->actors[i].response);
    }
    if (world->store) {
        close_conversation(world);
        digest_free(world->digest);
        guard_free(world->guard);
        documents_free(world->documents);
        store_close(world->store);
    }
    arena_clear(&world->arena);
}

void world_fail(struct world *world, const char *format, ...)
{
    va_list arguments;
    if (world->problem[0])
        return;
    va_start(arguments, format);
    vsnprintf(world->problem, sizeof(world->problem), format, arguments);
    va_end(arguments);
}

bool world_failed(const struct world *world)
{
    return world->problem[0] != '\0';
}

/* Known by name; a new one gets the next address of 192.0.2.0/24. */
struct actor *world_actor(struct world *world, struct text name)
{
    for (size_t i = 0; i < world->actors_count; i++)
        if (text_equal(world->actors[i].name, name))
            return &world->actors[i];
    assert(world->actors_count < REPLAY_ACTORS_MAX);
    struct actor *actor = &world->actors[world->actors_count++];
    char address[32];
    snprintf(address, sizeof(address), "192.0.2.%zu", world->actors_count);
    actor->name = text_copy(&world->arena, name);
    text_cut(actor->name, '/', &actor->user, &name);
    actor->flow = (struct flow){.kind = FLOW_UDP};
    flow_set_peer(&actor->flow, address, 5060);
    return actor;
}

static bool reaches(struct world *world, const struct flow *flow, const struct actor *actor)
{
    if (flow->kind != actor->flow.kind)
        return false;
    if (flow->kind != FLOW_UDP && flow->connection)
        return flow->connection == actor->flow.connection;
    if (flow->kind != FLOW_UDP && !actor->listens)
        return false;
    return text_equal(flow_peer_text(&actor->flow, &world->arena), flow_peer_text(flow, &world->arena));
}

/* Datagrams get lost when nobody is there; a connection that cannot be made, or is gone, is reported. */
static void deliver(struct world *world, const struct sip_output *output)
{
    struct sip_fault fault;
    struct flow flow = output->flow;
    bool delivered = false;
    for (size_t i = 0; i < world->actors_count; i++) {
        struct actor *actor = &world->actors[i];
        if (!reaches(world, &flow, actor))
            continue;
        if (actor->inbox_count == REPLAY_INBOX_MAX)
            return world_fail(world, "inbox of %.*s is full", TEXT_ARG(actor->name));
        struct sip_message *message = NULL;
        if (sip_message_parse(output->bytes, &message, &fault) != OK)
            world_fail(world, "what %.*s got does not parse: %s", TEXT_ARG(actor->name), fault.reason);
        else
            actor->inbox[actor->inbox_count++] = message;
        delivered = true;
    }
    if (!delivered && flow.kind != FLOW_UDP)
        conversation_unreachable(world->conversation, &flow, world->now);
}

/* Records that nobody waits for may be due later (`limit records-ms`): they are all that is left when rounds change
 * nothing. */
static bool is_written(const struct world *world, unsigned rounds)
{
    size_t pending = conversation_pending(world->conversation);
    return pending == 0 || (world->records_ms && pending == 1 && rounds > 2);
}

/* The disk is the slowest of all: what im-glue writes is there when all that it has sent without waiting is. */
static void settle(struct world *world)
{
    struct sip_output output;
    unsigned rounds = 0; /* since something was sent or answered */
    do {
        rounds++;
        store_faulty_hold(world->faulty);
        conversation_tick(world->conversation, world->now);
        while (conversation_output(world->conversation, &output)) {
            rounds = 0;
            if (!output.close && !crash_happens(world))
                deliver(world, &output);
        }
        store_faulty_release(world->faulty);
    } while (!is_written(world, rounds) || world_answer(world));
    crash_recover(world);
}

void world_input(struct world *world, struct actor *actor, struct text bytes)
{
    actor->last = bytes;
    store_faulty_hold(world->faulty);
    conversation_input(world->conversation, &actor->flow, bytes, world->now);
    if (!world->held)
        settle(world);
}

/* From deadline to deadline, as the loop would. */
void world_wait(struct world *world, int64_t duration_ms)
{
    int64_t end_ms = world->now.monotonic_ms + duration_ms;
    settle(world);
    while (conversation_deadline(world->conversation) < end_ms) {
        int64_t next_ms = conversation_deadline(world->conversation);
        if (next_ms < world->now.monotonic_ms)
            next_ms = world->now.monotonic_ms;
        world->now.wall_ms += next_ms - world->now.monotonic_ms;
        world->now.monotonic_ms = next_ms;
        settle(world);
    }
    world->now.wall_ms += end_ms - world->now.monotonic_ms;
    world->now.monotonic_ms = end_ms;
    settle(world);
}

static void change(struct world *world, struct text auid, struct text owner, struct text name, struct text body,
                   bool deletion)
{
    struct document_change change = {
        .documents = world->documents,
        .deletion = deletion,
        .body = body,
        .content_type_fits = true,
        .who = owner,
        .arena = &world->arena,
    };
    change.place.usage = usage_find(world->usages, auid);
    if (!change.place.usage)
        return world_fail(world, "no usage '%.*s'", TEXT_ARG(auid));
    change.place.row = usage_document(change.place.usage, XCAP_USERS, name);
    change.place.key = (struct document_key){change.place.usage->auid, owner, name};
    document_change_wait(&change);
    if (change.status != OK)
        world_fail(world, "document refused: %s %s %.*s", status_name(change.status),
                   change.refusal.element ? change.refusal.element : "", TEXT_ARG(change.refusal.phrase));
}

void world_put(struct world *world, struct text auid, struct text owner, struct text name, struct text body)
{
    change(world, auid, owner, name, body, false);
}

void world_delete(struct world *world, struct text auid, struct text owner, struct text name)
{
    change(world, auid, owner, name, (struct text){0}, true);
}

struct sip_message *actor_take(struct world *world, struct actor *actor)
{
    if (actor->inbox_count == 0) {
        world_fail(world, "%.*s got nothing", TEXT_ARG(actor->name));
        return NULL;
    }
    struct sip_message *message = actor->inbox[0];
    actor->answered += !sip_is_request(message) && sip_status(message) >= 200;
    actor->inbox_count--;
    memmove(actor->inbox, actor->inbox + 1, actor->inbox_count * sizeof(actor->inbox[0]));
    return message;
}
