/* The words of a replay script. tests/replay/README.md explains them. */
#include <stddef.h>
#include <stdio.h>

#include "coding.h"
#include "fate.h"
#include "replay_script.h"
#include "user.h"

static void expect_status(struct world *world, struct actor *actor, uint64_t status)
{
    struct sip_message *message = actor_take(world, actor);
    if (message && (sip_is_request(message) || sip_status(message) != (int)status))
        world_fail(world, "%.*s got %s%.*s%d, not %d", TEXT_ARG(actor->name),
                   sip_is_request(message) ? "a request " : "", TEXT_ARG(sip_method(message)),
                   sip_is_request(message) ? 0 : sip_status(message), (int)status);
    if (!message || sip_is_request(message))
        return sip_message_free(message);
    sip_message_free(actor->response);
    actor->response = message;
    actor->taken = message;
}

struct text script_word(struct text *line)
{
    struct text word;
    *line = text_trim(*line);
    if (line->length && line->bytes[0] == '"') {
        struct text rest = text_slice(*line, 1, line->length);
        size_t end = text_find_char(rest, '"');
        *line = end < rest.length ? text_slice(rest, end + 1, rest.length) : (struct text){0};
        return text_slice(rest, 0, end);
    }
    text_cut(*line, ' ', &word, line);
    return word;
}

struct text script_address(struct world *world, struct text name)
{
    if (text_find_char(name, ':') < name.length)
        return name;
    if (text_starts_with(name, TEXT("{")) && text_ends_with(name, TEXT("}")))
        return script_remembered(world, text_slice(name, 1, name.length - 1));
    return text_format(&world->arena, "sip:%.*s@example.com", TEXT_ARG(name));
}

static void word_user(struct world *world, struct text line, struct text block)
{
    (void)block;
    for (struct text name = script_word(&line); name.length; name = script_word(&line)) {
        struct user user;
        struct refusal refusal = {0};
        if (user_make(name, name, name, TEXT("example.com"), TEXT("example.com"), world->now.wall_ms, &world->arena,
                      &user, &refusal) != OK ||
            user_put(world->documents, &user, VERSION_ABSENT, TEXT("test")) != OK)
            world_fail(world, "user %.*s: %.*s", TEXT_ARG(name), TEXT_ARG(refusal.phrase));
    }
}

/* "alias alice tel:+15550100": one more address of a user. */
static void word_alias(struct world *world, struct text line, struct text block)
{
    struct text address = script_address(world, script_word(&line)), alias = script_word(&line);
    struct refusal refusal = {0};
    struct user user;
    (void)block;
    if (user_get(world->documents, address, &world->arena, &user) != OK ||
        user_set_aliases(&user, &alias, 1, TEXT("example.com"), &world->arena, &refusal) != OK ||
        user_put(world->documents, &user, user.version, TEXT("test")) != OK)
        world_fail(world, "alias %.*s: %.*s", TEXT_ARG(alias), TEXT_ARG(refusal.phrase));
}

/* "keep bob 60": messages wait for him a minute at most; "keep bob off", "keep bob on": his account is without
 * messages, or has them again. */
static void word_keep(struct world *world, struct text line, struct text block)
{
    struct text address = script_address(world, script_word(&line));
    struct user user;
    (void)block;
    if (user_get(world->documents, address, &world->arena, &user) != OK)
        return world_fail(world, "no user %.*s", TEXT_ARG(address));
    line = text_trim(line);
    user.no_messages = text_equal(line, TEXT("off"));
    bool said = user.no_messages || text_equal(line, TEXT("on")) || text_to_u64(line, &user.keep_s);
    if (!said || user_put(world->documents, &user, user.version, TEXT("test")) != OK)
        world_fail(world, "no limit: %.*s", TEXT_ARG(line));
}

/* "trust 192.0.2.3": whose P-Asserted-Identity is believed from now on. */
static void word_trust(struct world *world, struct text line, struct text block)
{
    struct text bad;
    (void)block;
    if (!trust_ranges_parse(line, &world->trust.peers, &bad) || !trust_ranges_parse(line, &world->cores, &bad))
        world_fail(world, "no range: %.*s", TEXT_ARG(bad));
}

/* "cores 192.0.2.3": which of those are cores. */
static void word_cores(struct world *world, struct text line, struct text block)
{
    struct text bad;
    (void)block;
    if (!trust_ranges_parse(line, &world->cores, &bad))
        world_fail(world, "no range: %.*s", TEXT_ARG(bad));
}

struct limit {
    struct text name;
    size_t offset, size; /* of the member of the world */
    uint64_t unit;
};

#define LIMIT(name, member, unit)                                                                                      \
    {                                                                                                                  \
        TEXT_INIT(name), offsetof(struct world, member), sizeof(((struct world *)NULL)->member), unit                  \
    }

static const struct limit limits[] = {
    LIMIT("messages", messages_per_user, 1),
    LIMIT("registers", registers_per_user, 1),
    LIMIT("memory", bytes_max, 1024),
    LIMIT("polite", block_politely, 1),
    LIMIT("anonymous", accept_anonymous, 1),
    LIMIT("no-watchers", no_watchers, 1),
    LIMIT("sha512", sha512, 1),
    LIMIT("redirects", follow_redirects, 1),
    LIMIT("t1", t1_ms, 1),
    LIMIT("t2", t2_ms, 1),
    LIMIT("strong-first", strong_first, 1),
    LIMIT("notices", waiting_notice, 1),
    LIMIT("block-status", block_status, 1),
    LIMIT("warning", warning_forbidden, 1),
    LIMIT("expires-min", registrations.expires_s_min, 1),
    LIMIT("expires-max", registrations.expires_s_max, 1),
    LIMIT("expires", registrations.expires_s, 1),
    LIMIT("contacts", registrations.contacts_max, 1),
    LIMIT("subscriptions", watchers.all_max, 1),
    LIMIT("subscriptions-of-one", watchers.of_one_max, 1),
    LIMIT("watched", watchers.watched_max, 1),
    LIMIT("answer-ms", answer_ms, 1),
    LIMIT("records-ms", records_ms, 1),
    LIMIT("report-life", report_life_ms, 1000),
    LIMIT("waiting", deferral.count_max, 1),
    LIMIT("waiting-bytes", deferral.bytes_max, 1),
    LIMIT("waiting-bytes-of-all", deferral.all_bytes_max, 1),
    LIMIT("waiting-413", deferral.full_is_413, 1),
    LIMIT("silent-deletions", deferral.silent_deletions, 1),
    LIMIT("urgent-first", deferral.urgent_first, 1),
    LIMIT("drop-oldest", deferral.drop_oldest, 1),
    LIMIT("push", deferral.push.count_max, 1),
    LIMIT("push-bytes", deferral.push.bytes_max, 1),
};

static void set_limit(struct world *world, const struct limit *limit, uint64_t value)
{
    void *member = (char *)world + limit->offset;
    value *= limit->unit;
    if (limit->size == sizeof(bool))
        *(bool *)member = value != 0;
    else if (limit->size == sizeof(uint32_t))
        *(uint32_t *)member = (uint32_t)value;
    else
        *(uint64_t *)member = value;
}

/* "limit messages 3", "limit registers 3" a minute for each user, "limit memory 200" KiB; im-glue starts again. */
static void word_limit(struct world *world, struct text line, struct text block)
{
    struct text what = script_word(&line);
    uint64_t most;
    (void)block;
    if (!text_to_u64(text_trim(line), &most))
        return world_fail(world, "no limit: %.*s", TEXT_ARG(line));
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        if (!text_equal(what, limits[i].name))
            continue;
        set_limit(world, &limits[i], most);
        return world_restart(world);
    }
    world_fail(world, "unknown limit '%.*s'", TEXT_ARG(what));
}

/* "lists members": who may send to the addresses of lists; im-glue starts again. */
static void word_lists(struct world *world, struct text line, struct text block)
{
    (void)block;
    if (!list_senders_parse(script_word(&line), &world->list_senders))
        return world_fail(world, "who may send to lists?");
    world_restart(world);
}

static void word_document(struct world *world, struct text line, struct text block)
{
    struct text auid = script_word(&line), owner = script_word(&line), name = script_word(&line);
    if (text_equal(text_trim(line), TEXT("deleted")))
        world_delete(world, auid, script_address(world, owner), name);
    else
        world_put(world, auid, script_address(world, owner), name, block);
}

static void word_register(struct world *world, struct text line, struct text block)
{
    struct text name = script_word(&line), expires = script_word(&line), port = script_word(&line);
    struct actor *actor = world_actor(world, name);
    (void)block;
    struct client_message message = {
        .method = TEXT("REGISTER"),
        .uri = TEXT("sip:example.com"),
        .headers = text_format(
            &world->arena, "Contact: <sip:%.*s@%.*s:%.*s%s>\r\nExpires: %.*s\r\n", TEXT_ARG(actor->user),
            TEXT_ARG(flow_address_text(&actor->flow, &world->arena)), TEXT_ARG(port.length ? port : TEXT("5060")),
            actor->flow.kind == FLOW_TCP ? ";transport=tcp" : "", TEXT_ARG(expires.length ? expires : TEXT("3600"))),
    };
    size_t waiting = actor->inbox_count;
    client_send(world, actor, &message);
    /* The 200 may stand behind stored messages that came with it; it was sent first. */
    if (actor->inbox_count <= waiting)
        return world_fail(world, "%.*s: no answer to REGISTER", TEXT_ARG(name));
    struct sip_message *answer = actor->inbox[waiting];
    if (sip_is_request(answer) || sip_status(answer) != 200)
        world_fail(world, "%.*s: REGISTER answered %d", TEXT_ARG(name), sip_status(answer));
    memmove(actor->inbox + waiting, actor->inbox + waiting + 1,
            (--actor->inbox_count - waiting) * sizeof(actor->inbox[0]));
    actor->answered++;
    sip_message_free(answer);
}

/* Headers, an empty line, the body; CRLF line ends. Without the empty line it is all headers. */
struct client_message script_message(struct text method, struct text uri, struct text block)
{
    struct client_message message = {.method = method, .uri = uri, .headers = block};
    size_t end = text_find(block, TEXT("\r\n\r\n"));
    if (end < block.length) {
        message.headers = text_slice(block, 0, end + 2);
        message.body = text_slice(block, end + 4, block.length - 2); /* the block ends with a line end of its own */
    }
    return message;
}

static void word_send(struct world *world, struct text line, struct text block)
{
    struct text name = script_word(&line), target = script_address(world, script_word(&line)),
                body = script_word(&line);
    struct client_message message = script_message(TEXT("MESSAGE"), target, block);
    if (block.length == 0) {
        message.headers = TEXT("Content-Type: text/plain\r\n");
        message.body = body;
    }
    client_send(world, world_actor(world, name), &message);
}

static bool taken_header(struct world *world, const struct actor *actor, struct text name, struct text *value_out)
{
    const char *header = text_cstring(&world->arena, name);
    return (actor->taken && sip_header(actor->taken, header, 0, &world->arena, value_out)) ||
           (actor->response && sip_header(actor->response, header, 0, &world->arena, value_out));
}

/* "{SIP-ETag}" stands for that header of the last message taken, or else of the last answer; "{core SIP-ETag}" for what
 * another client took. */
struct text script_fill_in(struct world *world, const struct actor *actor, struct text block)
{
    struct arena *arena = &world->arena;
    struct text before, name, header, value, rest = block;
    struct text_builder filled;
    builder_init(&filled, arena);
    while (text_cut(rest, '{', &before, &rest) && text_cut(rest, '}', &name, &rest)) {
        bool named = text_cut(name, ' ', &value, &header);
        const struct actor *by = named ? world_actor(world, value) : actor;
        builder_add(&filled, before);
        struct text owner = value;
        bool kept = named && kept_reference(world, owner, header, &value);
        if (!kept && !taken_header(world, by, named ? header : name, &value))
            value = text_format(arena, "{%.*s}", TEXT_ARG(name));
        builder_add(&filled, value);
        block = rest;
    }
    builder_add(&filled, block);
    return builder_text(&filled);
}

static void word_request(struct world *world, struct text line, struct text block)
{
    struct text name = script_word(&line), method = script_word(&line),
                target = script_address(world, script_word(&line));
    struct actor *actor = world_actor(world, name);
    struct client_message message = script_message(method, target, script_fill_in(world, actor, block));
    client_send(world, actor, &message);
}

static void word_many(struct world *world, struct text line, struct text block)
{
    uint64_t count = 0;
    struct text number = script_word(&line);
    struct text name = line;
    struct actor *actor = world_actor(world, script_word(&name));
    if (!text_to_u64(number, &count))
        return world_fail(world, "how many?");
    for (uint64_t i = 0; i < count && !world_failed(world); i++) {
        word_send(world, line, block);
        expect_status(world, actor, 202);
    }
}

/* As its reader sees it, whatever coding it came in. */
static bool body_contains(struct world *world, const struct sip_message *message, struct text wanted)
{
    struct text encoding = {0}, body;
    sip_header(message, "Content-Encoding", 0, &world->arena, &encoding);
    return coding_take_off(encoding, sip_body(message), SIP_BODY_MAX, &world->arena, &body) == OK &&
           text_find(body, wanted) < body.length;
}

static void expect_message(struct world *world, struct actor *actor, struct text line)
{
    struct text method = script_word(&line), body = script_word(&line);
    struct sip_message *message = actor_take(world, actor);
    if (!message)
        return;
    if (!sip_is_request(message) || !text_equal(sip_method(message), method))
        world_fail(world, "%.*s got a %d, not a %.*s", TEXT_ARG(actor->name), sip_status(message), TEXT_ARG(method));
    else if (body.length && !body_contains(world, message, body))
        world_fail(world, "%.*s got the body '%.*s'", TEXT_ARG(actor->name), TEXT_ARG(sip_body(message)));
    sip_message_free(actor->answerable);
    actor->answerable = message;
    actor->taken = message;
}

static void expect_nothing(struct world *world)
{
    for (size_t i = 0; i < world->actors_count; i++) {
        const struct actor *actor = &world->actors[i];
        if (actor->inbox_count)
            world_fail(world, "%.*s has %zu more, first %.*s %d", TEXT_ARG(actor->name), actor->inbox_count,
                       TEXT_ARG(sip_method(actor->inbox[0])),
                       sip_is_request(actor->inbox[0]) ? 0 : sip_status(actor->inbox[0]));
    }
}

static void word_expect(struct world *world, struct text line, struct text block)
{
    struct text name = script_word(&line), rest = line;
    uint64_t status;
    (void)block;
    if (text_equal(name, TEXT("nothing")))
        expect_nothing(world);
    else if (text_to_u64(script_word(&rest), &status))
        expect_status(world, world_actor(world, name), status);
    else
        expect_message(world, world_actor(world, name), line);
}

static bool header_of(struct world *world, const struct sip_message *message, const char *name, struct text *value_out)
{
    if (text_equal(text_of(name), TEXT("Request-URI"))) {
        *value_out = sip_request_uri(message, &world->arena);
        return true;
    }
    return sip_header(message, name, 0, &world->arena, value_out);
}

/* A header of the last message taken: "header bob To <sip:bob@example.com>"; Request-URI is one here. */
static void word_header(struct world *world, struct text line, struct text block)
{
    struct actor *actor = world_actor(world, script_word(&line));
    const char *header = text_cstring(&world->arena, script_word(&line));
    struct text value = {0}, wanted = text_trim(line);
    (void)block;
    if (!actor->taken || !header_of(world, actor->taken, header, &value))
        return wanted.length ? world_fail(world, "no %s", header) : (void)0;
    if (wanted.length == 0 || text_find(value, wanted) == value.length)
        world_fail(world, "%s is '%.*s'", header, TEXT_ARG(value));
}

/* How many of a header the last message taken has: "headers bob Via 2". */
static void word_headers(struct world *world, struct text line, struct text block)
{
    struct actor *actor = world_actor(world, script_word(&line));
    const char *header = text_cstring(&world->arena, script_word(&line));
    struct text value;
    uint64_t wanted = 0;
    size_t count = 0;
    (void)block;
    if (!actor->taken || !text_to_u64(text_trim(line), &wanted))
        return world_fail(world, "how many of what?");
    while (sip_header(actor->taken, header, count, &world->arena, &value))
        count++;
    if (count != wanted)
        world_fail(world, "there are %zu of %s", count, header);
}

/* "password alice wrong": what her client answers challenges with from now on; "password alice none": nothing. */
static void word_password(struct world *world, struct text line, struct text block)
{
    struct actor *actor = world_actor(world, script_word(&line));
    struct text word = script_word(&line);
    (void)block;
    actor->silent = text_equal(word, TEXT("none"));
    actor->password = word;
}

/* The body of the last message taken is the block, byte for byte. */
static void word_body(struct world *world, struct text line, struct text block)
{
    struct actor *actor = world_actor(world, script_word(&line));
    if (!actor->answerable || !text_equal(sip_body(actor->answerable), text_slice(block, 0, block.length - 2)))
        world_fail(world, "the body differs");
}

static void add_lines(struct world *world, struct sip_message *response, struct text lines)
{
    struct text line, name, value;
    while (lines.length) {
        text_cut(lines, '\n', &line, &lines);
        if (text_cut(line, ':', &name, &value))
            sip_header_add(response, text_cstring(&world->arena, name), text_trim(value));
    }
}

static void answer(struct world *world, struct actor *actor, const struct sip_message *request, uint64_t status,
                   struct text headers)
{
    struct sip_message *response = sip_response_new(request, (int)status, "Answer", TEXT("tag"));
    add_lines(world, response, headers);
    struct text bytes = text_copy(&world->arena, sip_message_write(response, &world->arena));
    sip_message_free(response);
    world_input(world, actor, bytes);
}

static void word_answer(struct world *world, struct text line, struct text block)
{
    struct actor *actor = world_actor(world, script_word(&line));
    uint64_t status = 0;
    if (!actor->answerable || !text_to_u64(script_word(&line), &status))
        return world_fail(world, "nothing to answer");
    answer(world, actor, actor->answerable, status, block);
}

/* Requests are answered, responses thrown away, until nothing comes any more. */
static void word_drain(struct world *world, struct text line, struct text block)
{
    struct actor *actor = world_actor(world, script_word(&line));
    uint64_t status = 0;
    (void)block;
    text_to_u64(script_word(&line), &status);
    while (actor->inbox_count) {
        struct sip_message *message = actor_take(world, actor);
        if (sip_is_request(message) && status)
            answer(world, actor, message, status, (struct text){0});
        sip_message_free(message);
    }
}

static void word_settled(struct world *world, struct text line, struct text block)
{
    const struct actor *actor = world_actor(world, script_word(&line));
    (void)block;
    if (actor->asked != actor->answered)
        world_fail(world, "%.*s asked %u times and got %u answers", TEXT_ARG(actor->name), actor->asked,
                   actor->answered);
}

static void word_repeat(struct world *world, struct text line, struct text block)
{
    struct actor *actor = world_actor(world, script_word(&line));
    (void)block;
    world_input(world, actor, actor->last);
}

/* What NAME sent last as somebody would who overheard it: another transaction and call, the same credentials. */
static void word_overhear(struct world *world, struct text line, struct text block)
{
    static const char *const changed[] = {"branch=z9hG4bK", "Call-ID: "};
    struct text by = script_word(&line);
    struct text bytes = world_actor(world, script_word(&line))->last;
    (void)block;
    for (size_t i = 0; i < 2; i++) {
        size_t at = text_find(bytes, text_of(changed[i])) + strlen(changed[i]);
        bytes = text_format(&world->arena, "%.*sagain%.*s", TEXT_ARG(text_slice(bytes, 0, at)),
                            TEXT_ARG(text_slice(bytes, at, bytes.length)));
    }
    world_input(world, world_actor(world, by), bytes);
}

/* What comes in until `release` is there at once: nothing of it is on the disk, and nothing is answered, before all is.
 */
static void word_hold(struct world *world, struct text line, struct text block)
{
    (void)line;
    (void)block;
    world->held = true;
}

static void word_release(struct world *world, struct text line, struct text block)
{
    (void)line;
    (void)block;
    world->held = false;
    world_wait(world, 0);
}

static void word_raw(struct world *world, struct text line, struct text block)
{
    world_input(world, world_actor(world, script_word(&line)), block);
}

static void word_wait(struct world *world, struct text line, struct text block)
{
    uint64_t amount = 0;
    struct text number = script_word(&line), unit = script_word(&line);
    (void)block;
    if (!text_to_u64(number, &amount))
        return world_fail(world, "wait how long?");
    world_wait(world, (int64_t)amount * (text_equal(unit, TEXT("s")) ? 1000 : 1));
}

static void word_restart(struct world *world, struct text line, struct text block)
{
    uint64_t nth = 1;
    struct text failing = script_word(&line), number = script_word(&line);
    (void)block;
    if (text_equal(failing, TEXT("orderly"))) {
        conversation_stop(world->conversation, world->now);
        world_wait(world, 0);
    }
    if (!text_equal(failing, TEXT("failing")))
        return world_restart(world);
    if (number.length && !text_to_u64(number, &nth))
        return world_fail(world, "which write fails?");
    world_fail_write(world, (unsigned)nth);
}

static void word_fail(struct world *world, struct text line, struct text block)
{
    static const char *const calls[STORE_CALLS] = {"read",    "commit", "find",   "list", "holders",
                                                   "changes", "last",   "backup", "check"};
    struct text name = script_word(&line);
    (void)block;
    if (text_equal(name, TEXT("growth")))
        return world_fill_store(world);
    for (int i = 0; i < STORE_CALLS; i++)
        if (text_equal(name, text_of(calls[i])))
            return world_fail_calls(world, &(enum store_call){(enum store_call)i});
    world_fail(world, "which calls fail?");
}

static void word_heal(struct world *world, struct text line, struct text block)
{
    (void)line;
    (void)block;
    world_fail_calls(world, NULL);
}

static void word_connect(struct world *world, struct text line, struct text block)
{
    struct actor *actor = world_actor(world, script_word(&line));
    (void)block;
    world_connect(world, actor, text_equal(script_word(&line), TEXT("listening")));
}

static void word_disconnect(struct world *world, struct text line, struct text block)
{
    (void)block;
    world_disconnect(world, world_actor(world, script_word(&line)));
}

#define FATES_MAX 100 /* of one user that are looked at */

/* The last step in the newest record of what was sent to somebody: "fate bob delivered 200". */
static void word_fate(struct world *world, struct text line, struct text block)
{
    struct text address = script_address(world, script_word(&line)), step = script_word(&line),
                detail = text_trim(line);
    const struct fate *newest = NULL;
    struct fate *fates;
    size_t count;
    (void)block;
    if (deferred_fates_of_user(world->documents, address, FATES_MAX, &world->arena, &fates, &count) != OK)
        return world_fail(world, "fates cannot be read");
    for (size_t i = 0; i < count; i++)
        if (text_equal(fates[i].recipient, address))
            newest = &fates[i];
    if (!newest || newest->steps_count == 0)
        return text_equal(step, TEXT("none")) ? (void)0 : world_fail(world, "no fate");
    const struct fate_step *last = &newest->steps[newest->steps_count - 1];
    if (!text_equal(text_of(fate_step_name(last->kind)), step) ||
        (detail.length && text_find(last->detail, detail) == last->detail.length))
        world_fail(world, "fate is %s '%.*s'", fate_step_name(last->kind), TEXT_ARG(last->detail));
}

static const struct {
    struct text name;
    word_fn *run;
} words[] = {
    {TEXT_INIT("user"), word_user},
    {TEXT_INIT("document"), word_document},
    {TEXT_INIT("register"), word_register},
    {TEXT_INIT("send"), word_send},
    {TEXT_INIT("many"), word_many},
    {TEXT_INIT("request"), word_request},
    {TEXT_INIT("expect"), word_expect},
    {TEXT_INIT("header"), word_header},
    {TEXT_INIT("headers"), word_headers},
    {TEXT_INIT("body"), word_body},
    {TEXT_INIT("answer"), word_answer},
    {TEXT_INIT("drain"), word_drain},
    {TEXT_INIT("settled"), word_settled},
    {TEXT_INIT("repeat"), word_repeat},
    {TEXT_INIT("raw"), word_raw},
    {TEXT_INIT("hold"), word_hold},
    {TEXT_INIT("release"), word_release},
    {TEXT_INIT("wait"), word_wait},
    {TEXT_INIT("restart"), word_restart},
    {TEXT_INIT("connect"), word_connect},
    {TEXT_INIT("disconnect"), word_disconnect},
    {TEXT_INIT("fate"), word_fate},
    {TEXT_INIT("fail"), word_fail},
    {TEXT_INIT("heal"), word_heal},
    {TEXT_INIT("alias"), word_alias},
    {TEXT_INIT("keep"), word_keep},
    {TEXT_INIT("trust"), word_trust},
    {TEXT_INIT("cores"), word_cores},
    {TEXT_INIT("password"), word_password},
    {TEXT_INIT("overhear"), word_overhear},
    {TEXT_INIT("limit"), word_limit},
    {TEXT_INIT("lists"), word_lists},
    {TEXT_INIT("remember"), word_remember},
    {TEXT_INIT("differ"), word_differ},
    {TEXT_INIT("dns"), word_dns},
    {TEXT_INIT("peering"), word_peering},
    {TEXT_INIT("peer"), word_peer},
    {TEXT_INIT("back"), word_back},
    {TEXT_INIT("history"), word_history},
    {TEXT_INIT("crash"), word_crash},
    {TEXT_INIT("insist"), word_insist},
    {TEXT_INIT("come"), word_come},
    {TEXT_INIT("live"), word_live},
    {TEXT_INIT("copies"), word_copies},
    {TEXT_INIT("waiting"), word_waiting},
    {TEXT_INIT("look"), word_look},
    {TEXT_INIT("listed"), word_listed},
    {TEXT_INIT("erase"), word_erase},
    {TEXT_INIT("counted"), word_counted},
};

void script_run(struct world *world, struct text line, struct text block)
{
    struct text word = script_word(&line);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (text_equal(words[i].name, word))
            return words[i].run(world, line, block);
    world_fail(world, "unknown word '%.*s'", TEXT_ARG(word));
}
