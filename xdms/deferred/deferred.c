/* Records of messages that wait, and the commits that make, change and end them. */
#include "deferred.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>

#include "deferred_own.h"
#include "metrics.h"
#include "record.h"

#define WHO           "im-glue"
#define SECRET_LENGTH 32 /* hex digits: 128 bits that nobody guesses */

static const char *const kind_names[] = {"pager", "large", "session", "report"};
static const char *const priority_names[] = {"urgent", "normal", "non-urgent"};
static const char *const outcome_names[] = {"waiting", "delivered", "expired", "deleted", "refused", "displaced"};

const char *deferred_kind_name(enum deferred_kind kind)
{
    return kind < DEFERRED_KINDS ? kind_names[kind] : "unknown";
}

const char *deferred_priority_name(enum deferred_priority priority)
{
    return priority < DEFERRED_PRIORITIES ? priority_names[priority] : "unknown";
}

const char *deferred_outcome_name(enum deferred_outcome outcome)
{
    return outcome < DEFERRED_OUTCOMES ? outcome_names[outcome] : "unknown";
}

/* --- names ----------------------------------------------------------------------------------------------------- */

uint64_t deferred_order(uint64_t last, int64_t wall_ms)
{
    uint64_t order = (uint64_t)wall_ms << ORDER_SHIFT;
    return order > last ? order : last + 1;
}

struct text deferred_content_name(uint64_t order, struct arena *arena)
{
    return text_join(arena, text_hex(arena, order), random_hex(arena, SECRET_LENGTH));
}

struct text deferred_reference(uint64_t order, enum deferred_priority priority, struct arena *arena)
{
    return TEXT_CONCAT(arena, text_number(arena, priority), text_hex(arena, order), random_hex(arena, SECRET_LENGTH));
}

uint64_t deferred_order_of(struct text reference)
{
    uint64_t order;
    return text_hex_to_u64(text_slice(reference, 1, 1 + ORDER_LENGTH), &order) ? order : 0;
}

struct text deferred_time_text(int64_t when_ms, struct arena *arena)
{
    return text_hex(arena, (uint64_t)(when_ms < 0 ? 0 : when_ms));
}

int64_t deferred_arrival(struct text content)
{
    uint64_t order;
    if (!text_hex_to_u64(text_slice(content, 0, ORDER_LENGTH), &order))
        return INT64_MAX;
    return (int64_t)(order >> ORDER_SHIFT);
}

/* --- records --------------------------------------------------------------------------------------------------- */

static struct text cut_error(struct text error)
{
    size_t end = error.length < DEFERRED_ERROR_MAX ? error.length : DEFERRED_ERROR_MAX;
    while (end < error.length && end > 0 && ((unsigned char)error.bytes[end] & 0xC0) == 0x80) /* a whole character */
        end--;
    return text_slice(error, 0, end);
}

/* What is empty or zero reads the same when it is not there: most of the fields of most records. */
static void add_given(struct text_builder *record, const char *name, struct text value)
{
    if (value.length)
        record_add(record, name, value);
}

static void add_nonzero(struct text_builder *record, const char *name, int64_t value)
{
    if (value)
        record_add_number(record, name, value);
}

static struct text record_of(const struct deferred *deferred, struct arena *arena)
{
    struct text_builder record;
    builder_init(&record, arena);
    add_given(&record, "content", deferred->content);
    add_given(&record, "message-id", deferred->message_id);
    add_given(&record, "call-id", deferred->call_id);
    add_given(&record, "sender", deferred->sender);
    add_given(&record, "group", deferred->group);
    add_given(&record, "group-name", deferred->group_name);
    add_given(&record, "from", deferred->from);
    add_given(&record, "to", deferred->to);
    add_given(&record, "route", deferred->route);
    add_given(&record, "subject", deferred->subject);
    add_given(&record, "type", deferred->type);
    add_given(&record, "error", cut_error(deferred->error));
    add_nonzero(&record, "size", (int64_t)deferred->size);
    add_nonzero(&record, "kind", (int64_t)deferred->kind);
    record_add_number(&record, "priority", (int64_t)deferred->priority);
    add_nonzero(&record, "received-ms", deferred->received_ms);
    record_add_number(&record, "expires-ms", deferred->expires_ms);
    add_nonzero(&record, "away", deferred->away);
    add_nonzero(&record, "once", deferred->once);
    add_nonzero(&record, "again", deferred->again);
    add_nonzero(&record, "plain-trace", deferred->plain_trace);
    add_nonzero(&record, "told", deferred->told);
    add_nonzero(&record, "tries", deferred->tries);
    add_nonzero(&record, "tried-ms", deferred->tried_ms);
    add_nonzero(&record, "outcome", (int64_t)deferred->outcome);
    add_nonzero(&record, "ended-ms", deferred->ended_ms);
    add_given(&record, "message", deferred->message);
    return builder_text(&record);
}

/* Of a newer program: the nearest that this one knows. */
static int64_t within(struct text value, int64_t count, int64_t other)
{
    int64_t number = record_to_number(value, other);
    return number >= 0 && number < count ? number : other;
}

bool deferred_read(const struct stored *stored, struct deferred *deferred_out)
{
    struct text size = {0}, kind = {0}, priority = {0}, received = {0}, expires = {0}, away = {0}, once = {0},
                plain = {0}, told = {0}, again = {0}, tries = {0}, tried = {0}, outcome = {0}, ended = {0};
    struct deferred found = {.owner = stored->key.owner, .reference = stored->key.name, .version = stored->version};
    const struct record_field fields[] = {
        {TEXT("content"), &found.content},
        {TEXT("message-id"), &found.message_id},
        {TEXT("call-id"), &found.call_id},
        {TEXT("sender"), &found.sender},
        {TEXT("group"), &found.group},
        {TEXT("group-name"), &found.group_name},
        {TEXT("from"), &found.from},
        {TEXT("to"), &found.to},
        {TEXT("route"), &found.route},
        {TEXT("subject"), &found.subject},
        {TEXT("type"), &found.type},
        {TEXT("error"), &found.error},
        {TEXT("size"), &size},
        {TEXT("kind"), &kind},
        {TEXT("priority"), &priority},
        {TEXT("received-ms"), &received},
        {TEXT("expires-ms"), &expires},
        {TEXT("away"), &away},
        {TEXT("once"), &once},
        {TEXT("again"), &again},
        {TEXT("plain-trace"), &plain},
        {TEXT("told"), &told},
        {TEXT("tries"), &tries},
        {TEXT("tried-ms"), &tried},
        {TEXT("outcome"), &outcome},
        {TEXT("ended-ms"), &ended},
        {TEXT("message"), &found.message},
    };
    if (!record_read(stored->bytes, fields, sizeof(fields) / sizeof(fields[0])) ||
        found.content.length + found.message.length == 0)
        return false;
    found.size = (uint64_t)record_to_number(size, 0);
    found.kind = (enum deferred_kind)within(kind, DEFERRED_KINDS, DEFERRED_PAGER);
    found.priority = (enum deferred_priority)within(priority, DEFERRED_PRIORITIES, DEFERRED_NORMAL);
    found.received_ms = record_to_number(received, 0);
    found.expires_ms = record_to_number(expires, INT64_MAX);
    found.away = record_to_number(away, 0) != 0;
    found.once = record_to_number(once, 0) != 0;
    found.again = record_to_number(again, 0) != 0;
    found.plain_trace = record_to_number(plain, 0) != 0;
    found.told = record_to_number(told, 0) != 0;
    found.tries = (unsigned)record_to_number(tries, 0);
    found.tried_ms = record_to_number(tried, 0);
    found.outcome = (enum deferred_outcome)within(outcome, DEFERRED_OUTCOMES, DEFERRED_WAITING);
    found.ended_ms = record_to_number(ended, 0);
    *deferred_out = found;
    return true;
}

/* --- commits --------------------------------------------------------------------------------------------------- */

static struct document_key content_key(struct text content, struct arena *arena)
{
    return (struct document_key){TEXT(DOCUMENT_CONTENTS), TEXT(""), text_copy(arena, content)};
}

static struct document_key key_of(const struct deferred *deferred, struct arena *arena)
{
    return (struct document_key){TEXT(DOCUMENT_DEFERRED), text_copy(arena, deferred->owner),
                                 text_copy(arena, deferred->reference)};
}

struct commit deferred_content_commit(struct text content, struct text bytes, struct arena *arena)
{
    return (struct commit){
        .key = content_key(content, arena), .expected = VERSION_ABSENT, .bytes = bytes, .who = TEXT(WHO)};
}

struct commit deferred_content_removal(struct text content, struct arena *arena)
{
    struct claim *claim = arena_new(arena, struct claim);
    *claim = (struct claim){.kind = TEXT(CLAIM_CONTENT), .value = text_copy(arena, content), .counted = true};
    return (struct commit){
        .key = content_key(content, arena),
        .expected = VERSION_ANY,
        .deletion = true,
        .who = TEXT(WHO),
        .unless_held = claim,
    };
}

/* What has ended is neither counted nor expires, but needs its bytes until whoever is to be told has been. */
static void add_claims(const struct deferred *deferred, struct arena *arena, struct commit *commit)
{
    bool waits = deferred->outcome == DEFERRED_WAITING;
    struct claim *claims = arena_array(arena, struct claim, 5);
    size_t count = 0;
    if (deferred->content.length)
        claims[count++] =
            (struct claim){.kind = TEXT(CLAIM_CONTENT), .value = text_copy(arena, deferred->content), .counted = true};
    claims[count++] = (struct claim){
        .kind = waits ? TEXT(CLAIM_EXPIRY) : TEXT(CLAIM_ENDED),
        .value = deferred_time_text(waits ? deferred->expires_ms : deferred->ended_ms, arena),
        .shared = true,
    };
    if (waits) {
        claims[count++] = (struct claim){
            .kind = TEXT(CLAIM_OWNED), .value = commit->key.owner, .counted = true, .weight = deferred->size};
        claims[count++] =
            (struct claim){.kind = TEXT(CLAIM_OWNED), .value = TEXT(""), .counted = true, .weight = deferred->size};
        claims[count++] = (struct claim){.kind = TEXT(CLAIM_SINCE),
                                         .value = deferred_time_text(deferred->received_ms / 1000, arena),
                                         .counted = true};
    }
    commit->claims = claims;
    commit->claims_count = count;
}

struct commit deferred_commit(const struct deferred *deferred, struct arena *arena)
{
    struct commit commit = {
        .key = key_of(deferred, arena),
        .expected = deferred->version, /* none: only if it is not there */
        .bytes = record_of(deferred, arena),
        .who = TEXT(WHO),
    };
    add_claims(deferred, arena, &commit);
    return commit;
}

struct commit deferred_unchanged(const struct deferred *deferred, struct arena *arena)
{
    /* A deletion that never takes place: what waits is itself among what waits. */
    struct claim *claim = arena_new(arena, struct claim);
    *claim = (struct claim){.kind = TEXT(CLAIM_OWNED), .value = TEXT(""), .counted = true};
    return (struct commit){.key = key_of(deferred, arena),
                           .expected = deferred->version,
                           .deletion = true,
                           .who = TEXT(WHO),
                           .unless_held = claim};
}

struct deferred deferred_tried(const struct deferred *deferred, struct text error, int64_t now_ms, struct arena *arena)
{
    struct deferred tried = *deferred;
    tried.tries++;
    tried.plain_trace = false;
    tried.tried_ms = now_ms;
    tried.error = text_copy(arena, cut_error(error));
    return tried;
}

static struct commit removal_of(const struct deferred *deferred, struct arena *arena)
{
    return (struct commit){
        .key = key_of(deferred, arena), .expected = deferred->version, .deletion = true, .who = TEXT(WHO)};
}

size_t deferred_end(const struct deferred *deferred, enum deferred_outcome outcome, struct text error, int64_t now_ms,
                    struct arena *arena, struct commit commits[DEFERRED_END_COMMITS])
{
    struct deferred ended = *deferred;
    assert(outcome != DEFERRED_WAITING && deferred->outcome == DEFERRED_WAITING && deferred->version);
    if (!deferred->told || outcome == DEFERRED_DELIVERED)
        return deferred_forget(deferred, arena, commits);
    ended.outcome = outcome;
    ended.ended_ms = now_ms;
    ended.error = error;
    commits[0] = deferred_commit(&ended, arena);
    return 1;
}

size_t deferred_forget(const struct deferred *ended, struct arena *arena, struct commit commits[DEFERRED_END_COMMITS])
{
    commits[0] = removal_of(ended, arena);
    if (ended->content.length == 0)
        return 1;
    commits[1] = deferred_content_removal(ended->content, arena);
    return 2;
}

/* --- ways ------------------------------------------------------------------------------------------------------- */

enum deferred_way deferred_way(const struct deferred_push *push, const struct deferred *deferred, uint64_t waiting)
{
    if (!deferred->away || deferred->again || deferred->kind == DEFERRED_REPORT)
        return DEFERRED_BY_MESSAGE;
    if (push->count_max && waiting > push->count_max)
        return DEFERRED_LEFT_FOR_MANY;
    if (push->bytes_max && deferred->size > push->bytes_max)
        return DEFERRED_LEFT_FOR_SIZE;
    return DEFERRED_BY_MESSAGE;
}

/* --- monitoring -------------------------------------------------------------------------------------------------- */

static struct metric *ends[DEFERRED_OUTCOMES];

static void register_ends(void)
{
    for (unsigned outcome = DEFERRED_WAITING + 1; outcome < DEFERRED_OUTCOMES; outcome++) {
        char labels[METRICS_LABELS_MAX];
        snprintf(labels, sizeof(labels), "outcome=\"%s\"", outcome_names[outcome]);
        ends[outcome] = metric_counter("im_deferred_ended_total", labels, "Stored messages that wait no more.");
    }
}

void deferred_metrics_open(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, register_ends);
}

void deferred_count_end(enum deferred_outcome outcome)
{
    deferred_metrics_open();
    metric_add(ends[outcome], 1);
}

void deferred_count_ends(enum deferred_outcome outcome, const struct commit *commits, size_t count)
{
    int64_t ended = 0;
    deferred_metrics_open();
    for (size_t i = 0; i < count; i++)
        ended += commits[i].status == OK && text_equal(commits[i].key.usage, TEXT(DOCUMENT_DEFERRED));
    metric_add(ends[outcome], ended);
}
