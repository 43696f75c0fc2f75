/* Requests that wait for their turn: when more come than can be worked off, each source has its turn after the others,
 * and what is more than the queue holds is refused at once with 503, of whoever has most in it. Nothing of a request is
 * looked at before that but whose it is. */
#include <assert.h>
#include <stdlib.h>

#include "sip_agent_private.h"

#define WAIT_MS_MAX 200 /* T1 is 500: nobody shall send again what waits */

/* Of both limits, while too many come all the time: what is taken out was put in shortly before, and is still in the
 * processor's cache. Two turns between looks at the sockets (of 64) are enough for the queue not to run dry. */
#define CROWDED_PART      4
#define CROWDED_COUNT_MAX 128

#define EXPECTED_BYTES_MAX 1024 /* of the next request, fetched into the cache: most are no longer */

struct waiting {
    TAILQ_ENTRY(waiting) entry;
    struct waiting *known_next;
    uint64_t hash;
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
    for (size_t i = 0; i < INTAKE_RANKS; i++)
        TAILQ_INIT(&intake->ranks[i]);
    assert(agent->settings.queue_max > 0);
    return intake;
}

/* Who sends for many is told from whom each of it is (RFC 3261 §20.20), so that one of them is not all. */
static struct text sender_of(struct text bytes)
{
    struct text line, rest = bytes;
    while (text_cut(rest, '\n', &line, &rest) && rest.length > 0 && rest.bytes[0] != '\r') {
        if ((rest.bytes[0] | 0x20) != 'f' ||
            !(text_starts_with_nocase(rest, TEXT("From:")) || text_starts_with_nocase(rest, TEXT("f:"))))
            continue;
        text_cut(rest, '\n', &line, &rest);
        size_t end = text_find_char(line, '>'); /* tags differ from request to request */
        return text_slice(line, 0, end < line.length ? end : text_find_char(line, ';'));
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

static size_t rank_of(const struct intake_line *line)
{
    return line->count < INTAKE_RANKS ? line->count : INTAKE_RANKS - 1;
}

/* A line with one more or one less, and where it stands among the others. */
static void set_count(struct intake *intake, struct intake_line *line, size_t count)
{
    if (line->count > 0)
        TAILQ_REMOVE(&intake->ranks[rank_of(line)], line, rank);
    line->count = count;
    if (count > 0)
        TAILQ_INSERT_TAIL(&intake->ranks[rank_of(line)], line, rank);
    if (rank_of(line) > intake->longest)
        intake->longest = rank_of(line);
    while (intake->longest > 0 && TAILQ_EMPTY(&intake->ranks[intake->longest]))
        intake->longest--;
}

static struct waiting **known_place(const struct intake *intake, uint64_t hash)
{
    return (struct waiting **)table_place(&intake->known, hash);
}

static void waiting_free(struct waiting *waiting)
{
    memory_give(waiting, sizeof(*waiting) + waiting->length);
}

static void take_out(struct sip_agent *agent, struct intake_line *line, struct waiting *waiting)
{
    struct intake *intake = agent->intake;
    TAILQ_REMOVE(&line->requests, waiting, entry);
    set_count(intake, line, line->count - 1);
    intake->count--;
    agent->bytes -= sizeof(*waiting) + waiting->length;
    intake->crowded = intake->crowded && intake->count > 0;
    if (line->count == 0)
        TAILQ_REMOVE(&intake->turns, line, turn);
    struct waiting **place = known_place(intake, waiting->hash);
    while (*place != waiting)
        place = &(*place)->known_next;
    *place = waiting->known_next;
    intake->known.count--;
}

static void put_in(struct sip_agent *agent, struct intake_line *line, struct text bytes, const struct flow *flow,
                   int64_t now_ms)
{
    struct intake *intake = agent->intake;
    struct waiting *waiting = memory_take(sizeof(*waiting) + bytes.length);
    waiting->flow = *flow;
    waiting->since_ms = now_ms;
    waiting->length = bytes.length;
    waiting->hash = text_hash(bytes, agent->seed);
    memcpy(waiting->bytes, bytes.bytes, bytes.length);
    table_prepare(&intake->known, offsetof(struct waiting, known_next), offsetof(struct waiting, hash));
    struct waiting **place = known_place(intake, waiting->hash);
    waiting->known_next = *place;
    *place = waiting;
    intake->known.count++;
    if (line->count == 0)
        TAILQ_INSERT_TAIL(&intake->turns, line, turn);
    TAILQ_INSERT_TAIL(&line->requests, waiting, entry);
    set_count(intake, line, line->count + 1);
    intake->count++;
    agent->bytes += sizeof(*waiting) + waiting->length;
}

static bool memory_is_full(const struct sip_agent *agent)
{
    return agent->bytes >= agent->settings.bytes_max;
}

/* None when it holds too many or too much, or when what it holds waits too long because each takes its time. One that
 * nobody stands before is refused when it has its turn. */
size_t sip_agent_room(const struct sip_agent *agent, int64_t now_ms)
{
    const struct intake *intake = agent->intake;
    if (!intake)
        return SIZE_MAX;
    const struct intake_line *next = TAILQ_FIRST(&intake->turns);
    size_t part = intake->crowded ? CROWDED_PART : 1, count_max = agent->settings.queue_max / part;
    if (intake->crowded && count_max > CROWDED_COUNT_MAX)
        count_max = CROWDED_COUNT_MAX;
    if (intake->count >= count_max || (next && memory_is_full(agent)) ||
        (next && now_ms - TAILQ_FIRST(&next->requests)->since_ms > WAIT_MS_MAX / (int64_t)part))
        return 0;
    return count_max - intake->count;
}

/* Who hears nothing sends the same again: one of them is enough, and a refusal would belie the answer of the other. */
static bool waits_already(const struct sip_agent *agent, struct text bytes)
{
    const struct intake *intake = agent->intake;
    uint64_t hash = text_hash(bytes, agent->seed);
    struct waiting *waiting = intake->known.count ? *known_place(intake, hash) : NULL;
    while (waiting && !(waiting->hash == hash && text_equal((struct text){waiting->bytes, waiting->length}, bytes)))
        waiting = waiting->known_next;
    return waiting != NULL;
}

void intake_add(struct sip_agent *agent, struct text bytes, const struct flow *flow, int64_t now_ms)
{
    struct intake *intake = agent->intake;
    struct intake_line *line = line_of(agent, bytes, flow);
    if (sip_agent_room(agent, now_ms) > 0)
        return put_in(agent, line, bytes, flow, now_ms);
    if (waits_already(agent, bytes))
        return;
    intake->crowded = true;
    struct intake_line *most = TAILQ_FIRST(&intake->ranks[intake->longest]);
    struct waiting *newest = TAILQ_LAST(&most->requests, waiting_list);
    if (line->count + 1 >= most->count || (memory_is_full(agent) && bytes.length > newest->length)) {
        agent_refuse(agent, bytes, flow, now_ms);
        return;
    }
    take_out(agent, most, newest);
    put_in(agent, line, bytes, flow, now_ms);
    agent_refuse(agent, (struct text){newest->bytes, newest->length}, &newest->flow, now_ms);
    waiting_free(newest);
}

/* The first of whose turn it is; NULL: nothing waits. */
static struct waiting *take_next(struct sip_agent *agent)
{
    struct intake *intake = agent->intake;
    struct intake_line *line = intake ? TAILQ_FIRST(&intake->turns) : NULL;
    if (!line)
        return NULL;
    struct waiting *first = TAILQ_FIRST(&line->requests);
    take_out(agent, line, first);
    if (line->count > 0) {
        TAILQ_REMOVE(&intake->turns, line, turn);
        TAILQ_INSERT_TAIL(&intake->turns, line, turn);
    }
    return first;
}

/* While one has its turn, the next comes into the processor's cache: it has waited, and others have passed by. */
static void expect_next(const struct intake *intake)
{
    enum { CACHE_LINE = 64 };
    const struct intake_line *line = TAILQ_FIRST(&intake->turns);
    const struct waiting *next = line ? TAILQ_FIRST(&line->requests) : NULL;
    if (!next)
        return;
    for (size_t at = 0; at < sizeof(*next) + EXPECTED_BYTES_MAX; at += CACHE_LINE)
        __builtin_prefetch((const void *)((uintptr_t)next + at)); /* beyond its end, too: nothing is read */
}

/* After a halt of the machine: what its sender has given up meanwhile (timers B and F) he sends anew, and it would be
 * delivered twice. */
static bool is_given_up(const struct sip_agent *agent, const struct waiting *waiting, int64_t now_ms)
{
    return now_ms - waiting->since_ms >= agent->end_ms;
}

bool sip_agent_turn(struct sip_agent *agent, int64_t now_ms)
{
    struct waiting *first;
    while ((first = take_next(agent)) && is_given_up(agent, first, now_ms)) {
        agent->turned_away++;
        waiting_free(first);
    }
    if (!first)
        return false;
    expect_next(agent->intake);
    arena_reset(&agent->scratch);
    agent_request(agent, (struct text){first->bytes, first->length}, &first->flow, now_ms);
    waiting_free(first);
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
        waiting_free(first);
    }
    if (agent->intake)
        table_clear(&agent->intake->known);
    free(agent->intake);
}
