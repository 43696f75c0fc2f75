/* Requests that wait for their turn: when more come than can be worked off, each source has its turn after the others,
 * and what is more than the queue holds is refused at once with 503, of whoever has most in it. Nothing of a request is
 * looked at before that but whose it is. */
#include <assert.h>
#include <stdlib.h>

#include "sip_agent_private.h"

#define WAIT_MS_MAX 200 /* T1 is 500: nobody shall send again what waits */

struct waiting {
    TAILQ_ENTRY(waiting) entry;
    int64_t since_ms;
    struct flow flow;
    size_t length;
    char bytes[];
};

struct intake *intake_new(const struct sip_agent *agent)
{
    struct intake *intake = memory_new(sizeof(*intake));
    TAILQ_INIT(&intake->turns);
    for (size_t i = 0; i < INTAKE_LINES; i++)
        TAILQ_INIT(&intake->lines[i].requests);
    assert(agent->settings.queue_max > 0);
    return intake;
}

/* Who sends for many is told from whom each of it is (RFC 3261 §20.20), so that one of them is not all. */
static struct text sender_of(struct text bytes)
{
    static const struct text names[] = {TEXT_INIT("\nFrom:"), TEXT_INIT("\nf:")};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t at = text_find(bytes, names[i]);
        if (at == bytes.length)
            continue;
        struct text value = text_slice(bytes, at + names[i].length, bytes.length);
        value.length = text_find_char(value, '\n');
        size_t end = text_find_char(value, '>'); /* tags differ from request to request */
        return text_slice(value, 0, end < value.length ? end : text_find_char(value, ';'));
    }
    return (struct text){0};
}

static struct intake_line *line_of(const struct sip_agent *agent, struct text bytes, const struct flow *flow)
{
    uint64_t hash = link_hash(agent, flow);
    if (agent->settings.is_shared && agent->settings.is_shared(agent->settings.is_shared_context, flow))
        hash ^= text_hash(sender_of(bytes), agent->seed);
    return &agent->intake->lines[hash % INTAKE_LINES];
}

static void take_out(struct sip_agent *agent, struct intake_line *line, struct waiting *waiting)
{
    struct intake *intake = agent->intake;
    TAILQ_REMOVE(&line->requests, waiting, entry);
    line->count--;
    intake->count--;
    agent->bytes -= sizeof(*waiting) + waiting->length;
    if (line->count == 0)
        TAILQ_REMOVE(&intake->turns, line, turn);
}

static void put_in(struct sip_agent *agent, struct intake_line *line, struct text bytes, const struct flow *flow,
                   int64_t now_ms)
{
    struct intake *intake = agent->intake;
    struct waiting *waiting = memory_new_raw(sizeof(*waiting) + bytes.length);
    waiting->flow = *flow;
    waiting->since_ms = now_ms;
    waiting->length = bytes.length;
    memcpy(waiting->bytes, bytes.bytes, bytes.length);
    if (line->count == 0)
        TAILQ_INSERT_TAIL(&intake->turns, line, turn);
    TAILQ_INSERT_TAIL(&line->requests, waiting, entry);
    line->count++;
    intake->count++;
    agent->bytes += sizeof(*waiting) + waiting->length;
}

/* It holds too many, or what it holds waits too long because each takes its time. */
static bool is_full(const struct sip_agent *agent, int64_t now_ms)
{
    const struct intake_line *next = TAILQ_FIRST(&agent->intake->turns);
    return agent->intake->count >= agent->settings.queue_max ||
           (next && now_ms - TAILQ_FIRST(&next->requests)->since_ms > WAIT_MS_MAX);
}

static struct intake_line *longest(struct intake *intake)
{
    struct intake_line *line, *most = TAILQ_FIRST(&intake->turns);
    TAILQ_FOREACH(line, &intake->turns, turn)
    if (line->count > most->count)
        most = line;
    return most;
}

/* Who hears nothing sends the same again: one of them is enough, and a refusal would belie the answer of the other. */
static bool waits_already(const struct intake_line *line, struct text bytes)
{
    struct waiting *waiting;
    TAILQ_FOREACH(waiting, &line->requests, entry)
    if (text_equal((struct text){waiting->bytes, waiting->length}, bytes))
        return true;
    return false;
}

void intake_add(struct sip_agent *agent, struct text bytes, const struct flow *flow, int64_t now_ms)
{
    struct intake *intake = agent->intake;
    struct intake_line *line = line_of(agent, bytes, flow);
    if (!is_full(agent, now_ms))
        return put_in(agent, line, bytes, flow, now_ms);
    if (waits_already(line, bytes))
        return;
    struct intake_line *most = longest(intake);
    if (line->count + 1 >= most->count) {
        agent_refuse(agent, bytes, flow, now_ms);
        return;
    }
    struct waiting *newest = TAILQ_LAST(&most->requests, waiting_list);
    take_out(agent, most, newest);
    put_in(agent, line, bytes, flow, now_ms);
    agent_refuse(agent, (struct text){newest->bytes, newest->length}, &newest->flow, now_ms);
    free(newest);
}

bool sip_agent_turn(struct sip_agent *agent, int64_t now_ms)
{
    struct intake *intake = agent->intake;
    struct intake_line *line = intake ? TAILQ_FIRST(&intake->turns) : NULL;
    if (!line)
        return false;
    struct waiting *first = TAILQ_FIRST(&line->requests);
    take_out(agent, line, first);
    if (line->count > 0) {
        TAILQ_REMOVE(&intake->turns, line, turn);
        TAILQ_INSERT_TAIL(&intake->turns, line, turn);
    }
    arena_reset(&agent->scratch);
    agent_request(agent, (struct text){first->bytes, first->length}, &first->flow, now_ms);
    free(first);
    return true;
}

uint64_t sip_agent_turned_away(const struct sip_agent *agent)
{
    return agent->turned_away;
}

size_t sip_agent_waiting(const struct sip_agent *agent)
{
    return agent->intake ? agent->intake->count : 0;
}

void intake_free(struct sip_agent *agent)
{
    for (struct intake_line *line; agent->intake && (line = TAILQ_FIRST(&agent->intake->turns));) {
        struct waiting *first = TAILQ_FIRST(&line->requests);
        take_out(agent, line, first);
        free(first);
    }
    free(agent->intake);
}
