/* Changes documents: reads, works out the result outside any transaction, commits if nothing moved, else begins again.
 * The order in which a request can be refused is decided here and nowhere else. */
#include "documents.h"
#include "xcap_edit.h"

static bool change_prepare(struct document_change *change);
static bool change_conclude(struct document_change *change);
static void change_finish(struct document_change *change);

enum document_step document_change_run(struct document_change *change, commit_done_fn *done, void *context)
{
    if (!change->entered) {
        change->entered = true;
        change->turn = (struct gate_waiter){done, context, NULL};
        if (!gate_enter(change->documents->gates, &change->place.key, &change->turn))
            return DOCUMENT_WAITING;
    }
    if (!change->waiting || !change_conclude(change)) {
        if (change_prepare(change)) {
            change->waiting = true;
            /* The change may be run again, and be gone, before this returns. */
            if (change->records_count)
                store_submit(change->documents->store, change->records, change->records_count, done, context);
            else
                store_submit(change->documents->store, &change->commit, 1, done, context);
            return DOCUMENT_WAITING;
        }
    }
    change_finish(change);
    return DOCUMENT_FINISHED;
}

void document_change_wait(struct document_change *change)
{
    gate_enter_wait(change->documents->gates, &change->place.key);
    do {
        if (!change_prepare(change))
            break;
        if (change->records_count)
            store_commit(change->documents->store, change->records, change->records_count);
        else
            store_commit(change->documents->store, &change->commit, 1);
    } while (!change_conclude(change));
    change_finish(change);
}

static enum status read_current(struct document_change *change, struct stored *current_out);
static void keep_refusal(struct document_change *change);
static enum status check_target(struct document_change *change, const struct stored *current);
static enum status check_parent(struct document_change *change, const struct stored *current);
static enum status check_conditions(struct document_change *change, const struct stored *current);
bool document_change_fits(struct document_change *change, const struct stored *current)
{
    return check_conditions(change, current) == OK;
}

static enum status make_bytes(struct document_change *change, const struct stored *current, struct text *bytes_out);
static enum status check_result(struct document_change *change, struct text bytes);

/* A whole document does not depend on what stands there: it is checked once, however often it loses. */
static bool body_is_checked(const struct document_change *change)
{
    return !change->selector && !change->deletion && change->tries > 1;
}

enum status document_change_look(struct document_change *change)
{
    struct stored current;
    arena_init(&change->round, "look");
    change->status = read_current(change, &current);
    if (change->status == OK)
        change->status = check_target(change, &current);
    if (change->status == OK)
        change->status = check_parent(change, &current);
    if (change->status == OK)
        change->status = check_conditions(change, &current);
    keep_refusal(change);
    arena_clear(&change->round);
    return change->status;
}

/* True when there is something to commit; else `status` and what belongs to it are set. */
static bool change_prepare(struct document_change *change)
{
    if (change->deletion && document_can_shrink(&change->place, change->selector))
        return document_records_prepare(change);
    if (change->tries == 0)
        arena_init(&change->round, "change");
    change->status = CONFLICT;
    if (change->tries++ == DOCUMENT_TRIES_MAX)
        return false;
    if (!body_is_checked(change))
        arena_reset(&change->round);

    struct stored current;
    struct text bytes = change->commit.bytes;
    change->status = read_current(change, &current);
    if (change->status == OK)
        change->status = check_target(change, &current);
    if (change->status == OK) {
        change->status = check_conditions(change, &current);
        if (change->status == REFUSED)
            check_parent(change, &current); /* comes first; otherwise the edit itself looks for it */
    }
    change->created = !change->deletion && current.version == VERSION_ABSENT;
    if (change->status == OK && !body_is_checked(change))
        change->status = make_bytes(change, &current, &bytes);
    if (change->status != OK)
        return false;
    bool removed = change->deletion && !change->selector;
    if (!removed && !body_is_checked(change))
        change->status = check_result(change, bytes);
    change->commit.key = change->place.key;
    change->commit.expected = current.version;
    change->commit.deletion = removed;
    change->commit.bytes = bytes;
    change->commit.who = change->who;
    return change->status == OK;
}

static enum status read_current(struct document_change *change, struct stored *current_out)
{
    const struct document_key *key = &change->place.key;
    struct store *store = change->documents->store;
    enum status status =
        change->selector ? store_get(store, key, &change->round, current_out) : store_head(store, key, current_out);
    if (status == NOT_FOUND)
        *current_out = (struct stored){.version = VERSION_ABSENT};
    return status == NOT_FOUND ? OK : status;
}

static enum status refuse_no_document(struct document_change *change)
{
    refuse_conflict(&change->refusal, "no-parent", TEXT("The document does not exist."));
    change->refusal.content = document_ancestor(&change->place, change->root_uri, &change->round);
    return REFUSED;
}

/* What must be there before anything else is looked at: 405, 404, 409 no-parent. */
static enum status check_target(struct document_change *change, const struct stored *current)
{
    const struct xcap_selector *selector = change->selector;
    if (change->place.row->kind == USAGE_COMPUTED || (selector && selector->terminal == XCAP_NAMESPACES)) {
        refuse(&change->refusal, REFUSAL_METHOD, "This can be read and not be changed.");
        change->refusal.allow = TEXT(XCAP_ALLOW_READ);
        return REFUSED;
    }
    struct text node;
    if (change->deletion) {
        if (current->version == VERSION_ABSENT)
            return NOT_FOUND;
        return selector ? xcap_get(current->bytes, selector, &change->round, &node) : OK;
    }
    if (!selector)
        return OK;
    if (current->version == VERSION_ABSENT)
        return refuse_no_document(change);
    return OK;
}

/* Of a node to be put. Fills the refusal only when it refuses. */
static enum status check_parent(struct document_change *change, const struct stored *current)
{
    const struct xcap_selector *selector = change->selector;
    return selector && !change->deletion ? xcap_check_parent(current->bytes, selector, &change->round, &change->refusal)
                                         : OK;
}

/* 415, then 412: a precondition counts only when all else before the body is right (RFC 9110 §13.2.1). */
static enum status check_conditions(struct document_change *change, const struct stored *current)
{
    if (!change->deletion && !change->content_type_fits)
        return refuse(&change->refusal, REFUSAL_MEDIA_TYPE, "The content type is not the one of this resource.");
    if (change->if_match && !document_if_match(*change->if_match, current->version))
        return refuse(&change->refusal, REFUSAL_PRECONDITION, "The document is not the one named by If-Match.");
    if (!change->if_match && change->unmodified_since_ms && current->version != VERSION_ABSENT &&
        document_modified_since(current, change->unmodified_since_ms))
        return refuse(&change->refusal, REFUSAL_PRECONDITION, "The document was changed later than that.");
    if (change->if_none_match && !document_if_none_match(*change->if_none_match, current->version))
        return refuse(&change->refusal, REFUSAL_PRECONDITION, "The document is one of those named by If-None-Match.");
    return OK;
}

static enum status make_bytes(struct document_change *change, const struct stored *current, struct text *bytes_out)
{
    static const struct text byte_order_mark = TEXT_INIT("\xEF\xBB\xBF");
    const struct xcap_selector *selector = change->selector;
    struct arena *arena = &change->round;
    if (selector && change->deletion)
        return xcap_delete(current->bytes, selector, arena, bytes_out, &change->refusal);
    if (selector)
        return xcap_put(current->bytes, selector, change->body, arena, bytes_out, &change->created, &change->refusal);
    *bytes_out = change->body;
    if (text_starts_with(change->body, byte_order_mark))
        *bytes_out = text_slice(change->body, byte_order_mark.length, change->body.length);
    return OK;
}

static enum status take_claims(struct document_change *change)
{
    size_t count = change->claims_count;
    if (count > STORE_CLAIMS_MAX)
        return refuse_conflict(&change->refusal, "constraint-failure", TEXT("The document names too many addresses."));
    struct claim *claims = arena_array(&change->round, struct claim, count);
    for (size_t i = 0; i < count; i++) {
        const struct usage_claim *claim = &change->claims[i];
        if (claim->value.length > STORE_VALUE_MAX)
            return refuse_conflict(&change->refusal, "constraint-failure", TEXT("An address is too long."));
        claims[i] = (struct claim){claim->kind, claim->value, claim->shared};
    }
    change->commit.claims = claims;
    change->commit.claims_count = count;
    return OK;
}

/* The commit itself finds what another document of the same kind holds, and nothing else. */
static bool must_stand_apart(const struct document_change *change)
{
    for (size_t i = 0; i < change->claims_count; i++)
        if (change->claims[i].apart_count)
            return true;
    return false;
}

/* What stood there was well-formed, so it is the body that is not. Lines count from the start of the document that
 * would have come of it. */
static void blame_body(struct document_change *change)
{
    struct refusal *refusal = &change->refusal;
    bool attribute = change->selector->terminal == XCAP_ATTRIBUTE;
    if (refusal->kind != REFUSAL_CONFLICT)
        return;
    if (strcmp(refusal->element, "not-well-formed") == 0)
        refusal->element = attribute ? "not-xml-att-value" : "not-xml-frag";
    if (text_starts_with(refusal->phrase, TEXT("line ")))
        refusal->phrase =
            text_format(&change->round, "in the document as it would be, %.*s", TEXT_ARG(refusal->phrase));
}

/* RFC 4825 §8.2.5 wants uniqueness before other constraints, so a sheet's refusal waits for a look at the claims. */
static enum status check_result(struct document_change *change, struct text bytes)
{
    const struct usage_subject subject = {change->place.key.owner, change->place.key.name, change->root_uri,
                                          change->owner_addresses};
    change->claims = NULL;
    change->claims_count = 0;
    enum status status = usage_check(change->place.usage, &subject, bytes, &change->round, &change->claims,
                                     &change->claims_count, &change->refusal);
    if (status == REFUSED && change->selector)
        blame_body(change);
    if (status == OK && must_stand_apart(change))
        status = change_refuse_taken(change, TEXT(""), &change->round, &change->refusal);
    if (status == OK)
        return take_claims(change);
    struct refusal taken;
    if (status == REFUSED && change->refusal.kind == REFUSAL_CONFLICT &&
        strcmp(change->refusal.element, "constraint-failure") == 0 &&
        change_refuse_taken(change, TEXT(""), &change->round, &taken) == REFUSED)
        change->refusal = taken;
    return status;
}

/* The answer was lost: what stands there now tells, unless yet another change came over it. FAILED: it did not happen.
 */
static enum status read_back(struct document_change *change)
{
    struct commit *commit = &change->commit;
    struct stored now;
    enum status status = store_get(change->documents->store, &commit->key, &change->round, &now);
    if (status != OK && status != NOT_FOUND)
        return UNCERTAIN;
    uint64_t version = status == OK ? now.version : VERSION_ABSENT;
    if (version == commit->expected)
        return FAILED;
    if (commit->deletion)
        return version == VERSION_ABSENT ? OK : UNCERTAIN;
    if (version == VERSION_ABSENT || !text_equal(now.bytes, commit->bytes))
        return UNCERTAIN;
    commit->version = version;
    return OK;
}

/* True when the change is finished, false when it has to begin again. */
static bool change_conclude(struct document_change *change)
{
    struct commit *commit = &change->commit;
    if (change->records_count)
        return document_records_conclude(change);
    change->waiting = false;
    change->status = commit->status == UNCERTAIN ? read_back(change) : commit->status;
    if (change->status == CONFLICT) /* with If-Match the next round finds that it fits no more: 412 */
        return false;
    if (change->status == TAKEN)
        change->status = change_refuse_taken(change, commit->taken_value, &change->round, &change->refusal);
    if (change->status == OK)
        change->version = commit->deletion ? 0 : commit->version;
    return true;
}

/* It outlives the arena of the round. */
static void keep_refusal(struct document_change *change)
{
    struct refusal *refusal = &change->refusal;
    if (change->status != REFUSED && change->status != FAILED) /* a sheet that fails says why */
        return;
    if (refusal->element)
        refusal->element = text_cstring(change->arena, text_of(refusal->element));
    refusal->phrase = text_copy(change->arena, refusal->phrase);
    refusal->content = text_copy(change->arena, refusal->content);
    refusal->allow = text_copy(change->arena, refusal->allow);
}

static void change_finish(struct document_change *change)
{
    gate_leave(change->documents->gates, &change->place.key);
    keep_refusal(change);
    if (change->status != OK)
        change->created = false;
    arena_clear(&change->round);
    change->commit = (struct commit){0};
    change->records = NULL;
    change->records_count = 0;
    change->claims = NULL;
    change->claims_count = 0;
}
