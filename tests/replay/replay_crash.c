/* Stories that hold wherever im-glue is killed: `crash anywhere` has the runner tell one again and again, with a kill
 * at each point between two steps. What the dead process did not write is not there, what it did not send nobody has.
 */
#include "deferred.h"
#include "erasure.h"
#include "fate.h"
#include "replay_script.h"

#define PATIENCE_MS 33000 /* a client gives up a transaction at 32 s, and tries again */
#define PATIENCE    5     /* times */
#define TURN_MS     500   /* clients that live answer within */

/* --- the kill -------------------------------------------------------------------------------------------------- */

/* `crash anywhere`: points are counted from here on. */
void word_crash(struct world *world, struct text line, struct text block)
{
    struct crash *crash = &world->crash;
    const struct store_fault last = {
        .call = STORE_CALL_COMMIT, .nth = crash->at, .count = 1, .status = FAILED, .carried_out = true};
    struct store_fault faults[2] = {last, {.call = STORE_CALL_COMMIT, .nth = crash->at, .status = FAILED}};
    (void)block;
    if (!text_equal(script_word(&line), TEXT("anywhere")))
        return world_fail(world, "crash where?");
    crash->asked = crash->armed = true;
    if (crash->kind == CRASH_BEFORE_WRITE) {
        store_faulty_set(world->faulty, &faults[1], 1);
    } else if (crash->kind == CRASH_AFTER_WRITE) {
        faults[1].nth++;
        store_faulty_set(world->faulty, faults, 2);
    } else {
        store_faulty_set(world->faulty, NULL, 0);
    }
}

static void die(struct world *world)
{
    const struct store_fault dead = {.call = STORE_CALL_COMMIT, .nth = 1, .status = FAILED};
    world->crash.armed = false;
    world->crash.dead = true;
    store_faulty_set(world->faulty, &dead, 1);
}

static bool has_written(const struct world *world)
{
    const struct crash *crash = &world->crash;
    return (crash->kind == CRASH_BEFORE_WRITE || crash->kind == CRASH_AFTER_WRITE) &&
           store_faulty_calls(world->faulty, STORE_CALL_COMMIT) >= crash->at;
}

bool crash_happens(struct world *world)
{
    struct crash *crash = &world->crash;
    if (crash->armed) {
        crash->sent++;
        if (has_written(world) || (crash->kind == CRASH_BEFORE_SENDING && crash->sent == crash->at))
            die(world);
    }
    return crash->dead;
}

void crash_recover(struct world *world)
{
    if (world->crash.armed && has_written(world))
        die(world);
    if (!world->crash.dead)
        return;
    world->crash.dead = false;
    store_faulty_set(world->faulty, NULL, 0);
    world_restart(world);
}

/* --- clients that do not give up --------------------------------------------------------------------------------- */

static void put_back(struct actor *actor, struct sip_message **kept, size_t count)
{
    memcpy(actor->inbox, kept, count * sizeof(*kept));
    actor->inbox_count = count;
}

/* Takes the answers from the inbox; the last one. */
static int take_status(struct world *world, struct actor *actor)
{
    struct sip_message *kept[REPLAY_INBOX_MAX];
    size_t count = 0;
    int status = 0;
    while (actor->inbox_count) {
        struct sip_message *message = actor_take(world, actor);
        if (sip_is_request(message)) {
            kept[count++] = message;
            continue;
        }
        status = sip_status(message);
        sip_message_free(message);
    }
    put_back(actor, kept, count);
    return status;
}

static void see(struct world *world, struct actor *actor, const struct sip_message *request)
{
    struct text branch = {0};
    sip_header(request, "Via", 0, &world->arena, &branch);
    for (size_t i = 0; i < actor->seen_count; i++)
        if (text_equal(actor->seen[i].branch, branch))
            return;
    if (actor->seen_count == REPLAY_SEEN_MAX)
        return world_fail(world, "%.*s has seen too much", TEXT_ARG(actor->name));
    actor->seen[actor->seen_count++] =
        (struct seen){branch, text_copy(&world->arena, sip_message_write(request, &world->arena))};
}

static void answer_all(struct world *world, struct actor *actor)
{
    while (actor->inbox_count) {
        struct sip_message *message = actor_take(world, actor);
        if (sip_is_request(message)) {
            see(world, actor, message);
            struct sip_message *response = sip_response_new(message, 200, "OK", TEXT("tag"));
            struct text bytes = text_copy(&world->arena, sip_message_write(response, &world->arena));
            sip_message_free(response);
            world_input(world, actor, bytes);
        }
        sip_message_free(message);
    }
}

static void wait_among_present(struct world *world, int64_t duration_ms)
{
    for (int64_t left_ms = duration_ms; left_ms >= 0 && !world_failed(world); left_ms -= TURN_MS) {
        for (size_t i = 0; i < world->actors_count; i++)
            if (world->actors[i].present)
                answer_all(world, &world->actors[i]);
        world_wait(world, left_ms < TURN_MS ? 0 : TURN_MS);
    }
}

/* True: it is done with; also by the answer `other`, of a server that had done it before it died. */
static bool is_accepted(struct world *world, struct actor *actor, int other)
{
    int status = take_status(world, actor);
    if (status && status == other)
        return true;
    if (status >= 300 && status != 401 && status != 407) /* 401: the server that asked is dead */
        world_fail(world, "%.*s got %d", TEXT_ARG(actor->name), status);
    return world_failed(world) || (status >= 200 && status < 300);
}

static void insist(struct world *world, struct actor *actor, const struct client_message *message, int other)
{
    for (int i = 0; i < PATIENCE; i++) {
        client_send(world, actor, message);
        if (is_accepted(world, actor, other))
            return wait_among_present(world, 0);
        for (int64_t left_ms = PATIENCE_MS; left_ms >= 0; left_ms -= TURN_MS) {
            wait_among_present(world, TURN_MS);
            if (is_accepted(world, actor, other))
                return;
        }
    }
    world_fail(world, "%.*s got no answer", TEXT_ARG(actor->name));
}

/* As `send`, again and again until it is accepted. */
void word_insist(struct world *world, struct text line, struct text block)
{
    struct text name = script_word(&line), target = script_address(world, script_word(&line));
    struct actor *actor = world_actor(world, name);
    struct client_message message = script_message(TEXT("MESSAGE"), target, script_fill_in(world, actor, block));
    uint64_t other = 0;
    if (block.length == 0) {
        message.headers = TEXT("Content-Type: text/plain\r\n");
        message.body = script_word(&line);
    } else {
        text_to_u64(script_word(&line), &other);
    }
    insist(world, actor, &message, (int)other);
}

/* As `register`, likewise; from then on it answers whatever comes while anybody insists. */
void word_come(struct world *world, struct text line, struct text block)
{
    struct actor *actor = world_actor(world, script_word(&line));
    (void)block;
    const struct client_message message = {
        .method = TEXT("REGISTER"),
        .uri = TEXT("sip:example.com"),
        .headers = text_format(&world->arena, "Contact: <sip:%.*s@%.*s:5060>\r\nExpires: 86400\r\n",
                               TEXT_ARG(actor->user), TEXT_ARG(flow_address_text(&actor->flow, &world->arena))),
    };
    insist(world, actor, &message, 0);
    actor->present = true;
    wait_among_present(world, 0);
}

/* `live 60 s bob carol`: so long these answer all requests with 200, each of which is remembered once. */
void word_live(struct world *world, struct text line, struct text block)
{
    struct text number = script_word(&line), unit = script_word(&line);
    uint64_t seconds = 0;
    (void)block;
    if (!text_to_u64(number, &seconds) || !text_equal(unit, TEXT("s")))
        return world_fail(world, "live how long?");
    for (int64_t left_ms = (int64_t)seconds * 1000; left_ms >= 0 && !world_failed(world); left_ms -= TURN_MS) {
        struct text names = line;
        for (struct text name = script_word(&names); name.length; name = script_word(&names))
            answer_all(world, world_actor(world, name));
        world_wait(world, TURN_MS);
    }
}

/* `copies bob 1 2 "TEXT"`: so many of those hold the text, at least and at most. */
void word_copies(struct world *world, struct text line, struct text block)
{
    const struct actor *actor = world_actor(world, script_word(&line));
    struct text least_word = script_word(&line), most_word = script_word(&line), wanted = script_word(&line);
    uint64_t least = 0, most = 0, count = 0;
    (void)block;
    text_to_u64(least_word, &least);
    text_to_u64(most_word, &most);
    for (size_t i = 0; i < actor->seen_count; i++)
        count += text_find(actor->seen[i].bytes, wanted) < actor->seen[i].bytes.length;
    /* What the kill may double is one; without it nothing may come twice. */
    if (world->crash.kind == CRASH_NEVER)
        most = least;
    if (count < least || count > most)
        world_fail(world, "%.*s got '%.*s' %llu times", TEXT_ARG(actor->name), TEXT_ARG(wanted),
                   (unsigned long long)count);
}

/* --- what is kept ------------------------------------------------------------------------------------------------ */

/* `waiting bob 2 [200]`: so many messages, of so many bytes, wait for bob; `all` for everybody, and then there are as
 * many contents at most as records that refer to one, also of what is being handed out, and none without. */
static bool contents_fit(struct world *world, const struct deferred_page *page, const struct key_page *handed_out,
                         size_t contents)
{
    size_t referring = 0;
    struct deferred_fan_out fan_out;
    for (size_t i = 0; i < handed_out->count; i++)
        if (deferred_fan_out_get(world->documents, handed_out->keys[i].name, &world->arena, &fan_out) == OK)
            referring += fan_out.shared.content.length > 0;
    for (size_t i = 0; i < page->count; i++)
        referring += page->items[i].content.length > 0;
    return contents <= referring && (contents == 0) == (referring == 0);
}

void word_waiting(struct world *world, struct text line, struct text block)
{
    struct text name = script_word(&line), number = script_word(&line), bytes = script_word(&line);
    bool all = text_equal(name, TEXT("all"));
    const struct document_key contents = {.usage = TEXT(DOCUMENT_CONTENTS)};
    const struct document_key fan_outs = {.usage = TEXT(DOCUMENT_FAN_OUTS)};
    struct deferred_figures figures;
    struct deferred_page page;
    struct key_page keys, handed_out;
    uint64_t count = 0, size = 0;
    (void)block;
    if (!text_to_u64(number, &count) || (bytes.length && !text_to_u64(bytes, &size)))
        return world_fail(world, "how many wait?");
    struct text owner = all ? TEXT("") : script_address(world, name);
    if (deferred_figures(world->documents, owner, &figures) != OK ||
        deferred_list_all(world->documents, NULL, STORE_PAGE_MAX, &world->arena, &page) != OK ||
        document_internal_list(world->documents, &contents, NULL, STORE_PAGE_MAX, &world->arena, &keys) != OK ||
        document_internal_list(world->documents, &fan_outs, NULL, STORE_PAGE_MAX, &world->arena, &handed_out) != OK)
        return world_fail(world, "what waits cannot be read");
    if (figures.count != count || (bytes.length && figures.bytes != size))
        return world_fail(world, "%llu wait, of %llu bytes", (unsigned long long)figures.count,
                          (unsigned long long)figures.bytes);
    if (all && (page.count != count || !contents_fit(world, &page, &handed_out, keys.count)))
        world_fail(world, "%zu records and %zu contents", page.count, keys.count);
}

/* `erase bob`: all that waits for him, as he or an admin would; `erase bob everything`: all about him. */
static void erase(struct world *world, struct text line)
{
    struct text owner = script_address(world, script_word(&line));
    struct erasure erasure;
    size_t count;
    if (text_equal(script_word(&line), TEXT("everything"))) {
        if (erasure_begin(world->documents, owner, owner, world->now.wall_ms, &world->arena, &erasure) != OK ||
            erasure_run(world->documents, &erasure, world->now.wall_ms) != OK)
            world_fail(world, "not erased");
        return;
    }
    if (deferred_erase_all(world->documents, owner, owner, world->now.wall_ms, &count) != OK)
        world_fail(world, "not erased");
}

/* By another process: it does not wait for what im-glue has not written yet. */
void word_erase(struct world *world, struct text line, struct text block)
{
    (void)block;
    store_faulty_overtake(world->faulty, true);
    erase(world, line);
    store_faulty_overtake(world->faulty, false);
}
