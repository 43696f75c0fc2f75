/* Records of erasures, and the work itself: page after page of each kind, each committed together with the counts. */
#include "erasure.h"

#include <inttypes.h>

#include "clock.h"
#include "deferred.h"
#include "erasure_own.h"
#include "fate.h"
#include "log.h"
#include "record.h"

#define RUNNING   "erasure-running" /* kind of the claims of those that have not ended: address */
#define ID_TIME   16                /* hex digits, so that byte order is that of the time */
#define ID_RANDOM 8                 /* hex digits behind the time */
#define ROUNDS    8                 /* looks for what came while it was erased; im-glue ends what it has in hand */

static const char *const kind_names[ERASURE_KINDS] = {
    [ERASURE_ACCOUNT] = "account",     [ERASURE_BINDINGS] = "contacts", [ERASURE_SETTINGS] = "settings",
    [ERASURE_DOCUMENTS] = "documents", [ERASURE_MESSAGES] = "messages", [ERASURE_REPORTS] = "reports",
    [ERASURE_HISTORY] = "history",     [ERASURE_TRACES] = "traces",
};

const char *erasure_kind_name(enum erasure_kind kind)
{
    return kind_names[kind];
}

/* --- the record --- */

static struct commit erasure_commit(const struct erasure *erasure, struct arena *arena)
{
    struct text_builder record;
    builder_init(&record, arena);
    record_add(&record, "address", erasure->address);
    record_add(&record, "who", erasure->who);
    record_add_number(&record, "began-ms", erasure->began_ms);
    record_add_number(&record, "ended-ms", erasure->ended_ms);
    for (unsigned i = 0; i < ERASURE_KINDS; i++)
        record_add_number(&record, kind_names[i], (int64_t)erasure->counts[i]);
    struct commit commit = {
        .key = {TEXT(DOCUMENT_ERASURES), TEXT(""), erasure->id},
        .expected = VERSION_ANY,
        .bytes = builder_text(&record),
        .who = erasure->who,
    };
    struct claim *claim = arena_new(arena, struct claim);
    *claim = (struct claim){.kind = TEXT(RUNNING), .value = erasure->address, .shared = true};
    commit.claims = claim;
    commit.claims_count = erasure->ended_ms ? 0 : 1;
    return commit;
}

static enum status erasure_get(const struct documents *documents, const struct document_key *key, struct arena *arena,
                               struct erasure *erasure_out)
{
    struct stored stored;
    enum status status = document_internal_read(documents, key, arena, &stored);
    if (status != OK)
        return status;
    struct text record = stored.bytes;
    *erasure_out = (struct erasure){
        .id = text_copy(arena, key->name),
        .address = record_text(record, "address"),
        .who = record_text(record, "who"),
        .began_ms = record_number(record, "began-ms", 0),
        .ended_ms = record_number(record, "ended-ms", 0),
    };
    for (unsigned i = 0; i < ERASURE_KINDS; i++)
        erasure_out->counts[i] = (uint64_t)record_number(record, kind_names[i], 0);
    return record_valid(record) ? OK : FAILED;
}

static enum status find_running(const struct documents *documents, struct text address, struct arena *arena,
                                struct erasure *erasure_out)
{
    struct key_page page = {0};
    struct text *values = NULL;
    enum status status =
        document_internal_holders(documents, TEXT(RUNNING), address, NULL, NULL, STORE_PAGE_MAX, arena, &page, &values);
    for (size_t i = 0; status == OK && i < page.count; i++)
        if (address.length == 0 || text_equal(values[i], address))
            return erasure_get(documents, &page.keys[i], arena, erasure_out);
    return status == OK ? NOT_FOUND : status;
}

enum status erasure_begin(const struct documents *documents, struct text address, struct text who, int64_t now_ms,
                          struct arena *arena, struct erasure *erasure_out)
{
    enum status status = find_running(documents, address, arena, erasure_out);
    if (status != NOT_FOUND)
        return status;
    *erasure_out = (struct erasure){
        /* the newest comes first in byte order */
        .id = text_format(arena, "%016" PRIx64 "%.*s", (uint64_t)(INT64_MAX - now_ms),
                          TEXT_ARG(random_hex(arena, ID_RANDOM))),
        .address = address,
        .who = who,
        .began_ms = now_ms,
    };
    struct commit commit = erasure_commit(erasure_out, arena);
    return document_internal_commit(documents, &commit, 1);
}

bool erasure_id_valid(struct text id)
{
    bool valid = id.length == ID_TIME + ID_RANDOM;
    for (size_t i = 0; valid && i < id.length; i++)
        valid = strchr("0123456789abcdef", id.bytes[i]) != NULL && id.bytes[i];
    return valid;
}

enum status erasure_list(const struct documents *documents, struct text after, size_t limit, struct arena *arena,
                         struct erasure **erasures_out, size_t *count_out, bool *more_out)
{
    const struct document_key prefix = {TEXT(DOCUMENT_ERASURES), TEXT(""), {0}};
    const struct document_key from = {TEXT(DOCUMENT_ERASURES), TEXT(""), after};
    struct key_page page = {0};
    enum status status = document_internal_list(documents, &prefix, after.length ? &from : NULL, limit, arena, &page);
    *erasures_out = arena_array(arena, struct erasure, page.count + 1);
    *count_out = 0;
    *more_out = page.more;
    for (size_t i = 0; status == OK && i < page.count; i++, ++*count_out)
        status = erasure_get(documents, &page.keys[i], arena, &(*erasures_out)[i]);
    return status;
}

/* --- the work --- */

/* One page of a kind. `count_out`: how many went; 0: there are none. */
static enum status erase_page(const struct documents *documents, struct erasure *erasure, enum erasure_kind kind,
                              struct arena *arena, size_t *count_out)
{
    struct erasure_page page = {0};
    struct erasure counted = *erasure;
    *count_out = 0;
    enum status status = erasure_page_of(documents, erasure, kind, arena, &page);
    if (status != OK || page.items == 0)
        return status;
    counted.counts[kind] += page.items;
    page.commits[page.count++] = erasure_commit(&counted, arena);
    status = document_erase(documents, page.commits, page.count);
    deferred_count_ends(DEFERRED_DELETED, page.commits, page.waiting);
    if (status != OK && status != CONFLICT)
        return status;
    erasure->counts[kind] = counted.counts[kind];
    for (size_t i = 0; i < page.count; i++) /* im-glue has just worked on it: it comes again, or is gone */
        erasure->counts[kind] -= page.commits[i].status == CONFLICT;
    *count_out = page.items;
    return OK;
}

static enum status erase_kind(const struct documents *documents, struct erasure *erasure, enum erasure_kind kind,
                              bool *any_out)
{
    struct arena arena;
    size_t count = 1;
    enum status status = OK;
    arena_init(&arena, "erase");
    while (status == OK && count) {
        arena_reset(&arena);
        status = erase_page(documents, erasure, kind, &arena, &count);
        *any_out = *any_out || count;
    }
    arena_clear(&arena);
    return status;
}

static void tell(const struct erasure *erasure)
{
    log_info("erased user=%.*s by=%.*s documents=%" PRIu64 " messages=%" PRIu64 " history=%" PRIu64 " traces=%" PRIu64
             " id=%.*s",
             TEXT_ARG(erasure->address), TEXT_ARG(erasure->who), erasure->counts[ERASURE_DOCUMENTS],
             erasure->counts[ERASURE_MESSAGES], erasure->counts[ERASURE_HISTORY], erasure->counts[ERASURE_TRACES],
             TEXT_ARG(erasure->id));
}

/* Before anything is looked for: what im-glue has not written by now names the user no more. */
static enum status note_begin(const struct documents *documents, const struct erasure *erasure, int64_t now_ms)
{
    struct commit commits[FATE_ERASURE_COMMITS];
    struct arena arena;
    arena_init(&arena, "erasure");
    fate_note_erasure(erasure->address, now_ms, true, &arena, commits);
    enum status status = document_internal_commit(documents, commits, FATE_ERASURE_COMMITS);
    arena_clear(&arena);
    return status;
}

static enum status note_end(const struct documents *documents, struct erasure *erasure)
{
    struct commit commits[FATE_ERASURE_COMMITS + 2];
    struct arena arena;
    arena_init(&arena, "erasure");
    fate_note_erasure(erasure->address, erasure->ended_ms, false, &arena, commits);
    commits[FATE_ERASURE_COMMITS] = erasure_commit(erasure, &arena);
    commits[FATE_ERASURE_COMMITS].only_with = &commits[FATE_ERASURE_COMMITS - 1];
    commits[FATE_ERASURE_COMMITS + 1] = deferred_look(erasure->address, DEFERRED_LOOK_GONE, &arena);
    enum status status = document_internal_commit(documents, commits, FATE_ERASURE_COMMITS + 2);
    arena_clear(&arena);
    return status;
}

enum status erasure_run(const struct documents *documents, struct erasure *erasure, int64_t now_ms)
{
    int64_t begin_ms = clock_monotonic_ms();
    enum status status = note_begin(documents, erasure, now_ms);
    bool any = true;
    for (unsigned round = 0; status == OK && any && round < ROUNDS; round++) {
        any = false;
        for (unsigned kind = 0; status == OK && kind < ERASURE_KINDS; kind++)
            status = erase_kind(documents, erasure, (enum erasure_kind)kind, &any);
    }
    if (status != OK)
        return status;
    erasure->ended_ms = now_ms + clock_monotonic_ms() - begin_ms;
    status = note_end(documents, erasure);
    if (status == OK)
        tell(erasure);
    return status;
}

enum status erasure_resume(const struct documents *documents, int64_t now_ms)
{
    enum status status = OK;
    while (status == OK) {
        struct erasure erasure;
        struct arena arena;
        arena_init(&arena, "resume");
        status = find_running(documents, (struct text){0}, &arena, &erasure);
        if (status == OK) {
            log_warning("erasure goes on user=%.*s id=%.*s", TEXT_ARG(erasure.address), TEXT_ARG(erasure.id));
            status = erasure_run(documents, &erasure, now_ms);
        }
        arena_clear(&arena);
    }
    return status == NOT_FOUND ? OK : status;
}
