/* What one commit of a batch does: it is checked against the state inside the transaction before its first write, so
 * that only lack of room or damage can stop it half way. */
#include "store_lmdb_step.h"

#define QUIET_PACK_MIN 1700 /* what is shorter shares a page with its key as it is, and is read once or twice */

static int step_load(struct step *step);
static bool step_allowed(struct step *step, struct text claims, int *error);
static int is_held(struct step *step, bool *held_out);
static int document_write(struct step *step, struct text claims);
static int document_delete(struct step *step);

/* It reads what the commits before it wrote. */
static int job_run(struct step *step)
{
    int error = lmdb_indexing_flush(step->store, step->txn);
    if (step->heads)
        mdb_cursor_close(step->heads);
    step->heads = NULL;
    if (!error)
        error = step->commit->job->run(step->commit->job, step->txn);
    if (!error)
        step->commit->status = OK;
    step->worked = true;
    return error;
}

int lmdb_step_run(struct step *step)
{
    struct commit *commit = step->commit;
    struct text claims = {0};
    int error = 0;
    commits_refuse(commit, 1, FAILED);
    if (commit->job)
        return job_run(step);
    if (!commit_within_limits(commit))
        return 0;
    if (commit->only_with && commit->only_with->status != OK) {
        commit->status = commit->only_with->status;
        return 0;
    }
    error = step_load(step);
    if (error)
        return error;
    if (!commit->deletion)
        claims = claims_write(&step->store->scratch, commit->claims, commit->claims_count);
    if (!step_allowed(step, claims, &error))
        return error;

    commit->status = OK;
    bool kept = !step->exists;
    if (commit->deletion && !kept)
        error = is_held(step, &kept);
    if (error || (commit->deletion && kept))
        return error;
    error = lmdb_indexing_change(step->store, step->txn, commit, step->exists ? &step->old : NULL, &step->index_number);
    if (error)
        return error;
    commit->version = commit->quiet ? VERSION_QUIET | step->quiet++ : step->number++;
    return commit->deletion ? document_delete(step) : document_write(step, claims);
}

/* The cursor stands at the head, if there is one. */
static int head_find(struct step *step, struct text *record_out)
{
    MDB_val key = val_of(key_text(&step->place)), value = {0};
    int error = step->heads ? 0 : mdb_cursor_open(step->txn, step->store->heads, &step->heads);
    if (!error)
        error = mdb_cursor_get(step->heads, &key, &value, MDB_SET);
    *record_out = text_of_val(value);
    return error;
}

static int step_load(struct step *step)
{
    struct text record;
    step->old = (struct head){0};
    lmdb_key_of_document(&step->place, &step->commit->key);
    const struct text place = key_text(&step->place);
    int error = head_find(step, &record);
    step->exists = !error;
    if (error)
        return error == MDB_NOTFOUND ? 0 : error;
    if (!head_read(place, record, &step->old))
        return MDB_CORRUPTED;
    if (!step->old.number) /* else its index wants to know them */
        record.length -= step->old.bytes.length;
    if (!head_read(place, text_copy(&step->store->scratch, record), &step->old))
        return MDB_CORRUPTED;
    /* Two keys with one SHA-256: neither may overwrite the other. */
    return key_compare(&step->old.key, &step->commit->key) == 0 ? 0 : MDB_KEYEXIST;
}

/* Is there somebody for whom the document must stay? */
static int is_held(struct step *step, bool *held_out)
{
    struct tally tally = {0};
    const struct claim *claim = step->commit->unless_held;
    int error = claim ? lmdb_tally_get(step->store, step->txn, claim, &tally) : 0;
    *held_out = tally.count > 0;
    return error;
}

/* Free, or held by this very document. */
static int claim_is_free(struct step *step, const struct claim *claim, bool *free_out)
{
    const struct text wanted[CLAIM_PARTS] = {claim->kind, claim->value};
    struct text parts[SHARED_PARTS];
    struct lmdb_key place;
    struct text record;
    lmdb_key_write(&place, wanted, CLAIM_PARTS, CLAIM_PARTS);
    int error = lmdb_value(step->txn, step->store->claims, key_text(&place), &record);
    *free_out = error == MDB_NOTFOUND;
    if (error)
        return *free_out ? 0 : error;
    if (!parts_read(record, parts, SHARED_PARTS))
        return MDB_CORRUPTED;
    const struct document_key holder = {parts[2], parts[3], parts[4]};
    *free_out = key_compare(&holder, &step->commit->key) == 0;
    return 0;
}

/* The state that was expected is there, and no claim is another document's. */
static bool step_allowed(struct step *step, struct text claims, int *error)
{
    struct commit *commit = step->commit;
    if (commit->expected != VERSION_ANY && commit->expected != step->old.version) {
        commit->status = CONFLICT;
        commit->version = step->old.version;
        return false;
    }
    if (commit->deletion || text_equal(claims, step->old.claims))
        return true;
    for (size_t i = 0; i < commit->claims_count; i++) {
        bool is_free = true;
        if (!commit->claims[i].shared && !commit->claims[i].counted)
            *error = claim_is_free(step, &commit->claims[i], &is_free);
        if (*error)
            return false;
        if (!is_free) {
            commit->status = TAKEN;
            commit->taken_value = commit->claims[i].value;
            return false;
        }
    }
    return true;
}

/* What is not there need not be deleted: a document may name one claim twice. */
static int value_delete(struct step *step, MDB_dbi database, struct text key)
{
    MDB_val key_val = val_of(key);
    int error = mdb_del(step->txn, database, &key_val, NULL);
    return error == MDB_NOTFOUND ? 0 : error;
}

static int change_record(struct step *step)
{
    const struct change change = {
        .key = step->commit->key,
        .previous = step->old.version,
        .deletion = step->commit->deletion,
        .when_ms = step->now_ms,
        .who = step->commit->who,
    };
    struct number number = number_write(step->commit->version);
    if (step->commit->quiet)
        return 0;
    return lmdb_put(step->txn, step->store->changes, number_text(&number), change_write(&step->store->scratch, &change),
                    MDB_APPEND);
}

static int old_bytes_delete(struct step *step)
{
    if (!step->exists || head_is_quiet(&step->old))
        return 0;
    struct number version = number_write(step->old.version);
    return value_delete(step, step->store->documents, number_text(&version));
}

static int head_put(struct step *step, const struct head *head)
{
    MDB_val key = val_of(key_text(&step->place)), value = val_of(head_write(&step->store->scratch, head, &step->place));
    return mdb_cursor_put(step->heads, &key, &value, 0);
}

static int document_write(struct step *step, struct text claims)
{
    const struct commit *commit = step->commit;
    struct head head = {
        .version = commit->version,
        .modified_ms = step->now_ms,
        .size = (uint32_t)commit->bytes.length,
        .number = step->index_number,
        .key = commit->key,
        .claims = claims,
    };
    bool packs = !commit->quiet || commit->bytes.length >= QUIET_PACK_MIN;
    struct text bytes = packs ? lmdb_pack(commit->bytes, &step->store->scratch) : commit->bytes;
    struct number version = number_write(head.version);
    int error = old_bytes_delete(step);
    if (commit->quiet)
        head.bytes = bytes;
    else if (!error)
        error = lmdb_put(step->txn, step->store->documents, number_text(&version), bytes, MDB_APPEND);
    if (!error)
        error = head_put(step, &head);
    if (!error)
        error = lmdb_claims_replace(step->store, step->txn, &commit->key, step->old.claims, claims);
    return error ? error : change_record(step);
}

static int document_delete(struct step *step)
{
    int error = old_bytes_delete(step);
    if (!error)
        error = mdb_cursor_del(step->heads, 0); /* it stands where it was found */
    if (!error)
        error = lmdb_claims_replace(step->store, step->txn, &step->commit->key, step->old.claims, (struct text){0});
    return error ? error : change_record(step);
}
