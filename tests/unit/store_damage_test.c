/* Every kind of record of a store, gone, spoilt, or right in itself and wrong in its place: a check says what it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "../../xdms/store/store_lmdb.h"
#include "scratch.h"

#define LONG 5000 /* bytes: enough to be packed */

static char scratch[SCRATCH_MAX], folder[160];
static struct arena arena;
static MDB_env *env; /* while damage is done */
static MDB_txn *txn;

/* What the store holds: a (change 1, three claims), b (changes 2 and 3), c (change 4, deleted by 5), a long one (6). */
static const struct document_key key_a = {TEXT_INIT("u"), TEXT_INIT("o"), TEXT_INIT("a")};
static const struct document_key key_b = {TEXT_INIT("u"), TEXT_INIT("o"), TEXT_INIT("b")};
static const struct document_key key_c = {TEXT_INIT("u"), TEXT_INIT("o"), TEXT_INIT("c")};
static const struct document_key key_long = {TEXT_INIT("u"), TEXT_INIT("o"), TEXT_INIT("long")};
static const struct claim claims_of_a[] = {{TEXT_INIT("uri"), TEXT_INIT("sip:team@x"), false},
                                           {TEXT_INIT("of"), TEXT_INIT("bob"), true},
                                           {TEXT_INIT("n"), TEXT_INIT("bob"), .counted = true, .weight = 9}};

static void put(struct store *store, struct document_key key, const char *bytes, const struct claim *claims,
                size_t claims_count)
{
    struct commit commit = {.key = key,
                            .expected = VERSION_ANY,
                            .deletion = !bytes,
                            .bytes = text_of(bytes),
                            .claims = claims,
                            .claims_count = claims_count};
    assert_int_equal(store_commit(store, &commit, 1), OK);
}

static uint64_t put_quiet(struct store *store, struct document_key key, const char *bytes)
{
    struct commit commit = {.key = key, .expected = VERSION_ANY, .bytes = text_of(bytes), .quiet = true};
    assert_int_equal(store_commit(store, &commit, 1), OK);
    return commit.version;
}

static struct store *opened(void)
{
    struct text error;
    struct store *store = store_open_lmdb(folder, &arena, &error);
    if (!store)
        fail_msg("%.*s", TEXT_ARG(error));
    return store;
}

static int begin(void **state)
{
    (void)state;
    arena_init(&arena, "test");
    return scratch_make(scratch, "store_damage") ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    arena_clear(&arena);
    return scratch_remove(scratch);
}

static void fill(void)
{
    struct store *store = opened();
    put(store, key_a, "1", claims_of_a, 3);
    put(store, key_b, "2", NULL, 0);
    put(store, key_b, "three", NULL, 0);
    put(store, key_c, "4", NULL, 0);
    put(store, key_c, NULL, NULL, 0);
    char *bytes = arena_alloc(&arena, LONG + 1);
    put(store, key_long, memset(bytes, 'x', LONG), NULL, 0);
    store_close(store);
}

/* --- how damage is done --- */

static MDB_dbi database(const char *name)
{
    MDB_dbi handle;
    assert_int_equal(mdb_dbi_open(txn, name, 0, &handle), 0);
    return handle;
}

static void raw_put(const char *name, struct text key, struct text value)
{
    MDB_val key_val = val_of(key), value_val = val_of(value);
    assert_int_equal(mdb_put(txn, database(name), &key_val, &value_val, 0), 0);
}

static void raw_delete(const char *name, struct text key)
{
    MDB_val key_val = val_of(key);
    assert_int_equal(mdb_del(txn, database(name), &key_val, NULL), 0);
}

static struct text place_of(const struct document_key *document)
{
    struct lmdb_key key;
    lmdb_key_of_document(&key, document);
    return text_copy(&arena, key_text(&key));
}

static struct text place_of_claim(const struct claim *claim, const struct document_key *holder)
{
    const struct text parts[SHARED_PARTS] = {claim->kind, claim->value, holder->usage, holder->owner, holder->name};
    struct lmdb_key key;
    size_t count = claim->shared ? SHARED_PARTS : CLAIM_PARTS;
    lmdb_key_write(&key, parts, count, count);
    return text_copy(&arena, key_text(&key));
}

static struct text holder_record(const struct claim *claim, const struct document_key *holder)
{
    const struct text parts[SHARED_PARTS] = {claim->kind, claim->value, holder->usage, holder->owner, holder->name};
    return parts_write(&arena, parts, SHARED_PARTS);
}

static struct text numbered(uint64_t number)
{
    struct number written = number_write(number);
    return text_copy(&arena, number_text(&written));
}

static struct text head_of(const struct document_key *key, uint64_t version, uint64_t size)
{
    const struct head head = {.version = version, .size = size, .key = *key};
    const struct lmdb_key place = {.hashed = true}; /* its key is in the head, and may be another */
    return head_write(&arena, &head, &place);
}

/* --- the damages --- */

static void a_head_is_gone(void)
{
    raw_delete("heads", place_of(&key_a));
}

static void a_head_is_junk(void)
{
    raw_put("heads", place_of(&key_b), TEXT("junk"));
}

static void a_head_stands_elsewhere(void)
{
    raw_put("heads", place_of(&key_c), head_of(&key_b, 3, 5));
}

static void a_head_is_of_the_future(void)
{
    raw_put("heads", place_of(&key_b), head_of(&key_b, 99, 5));
}

static void a_head_has_no_version(void)
{
    raw_put("heads", place_of(&key_b), head_of(&key_b, 0, 5));
}

static void a_head_has_another_size(void)
{
    raw_put("heads", place_of(&key_b), head_of(&key_b, 3, 4));
}

static void claims_of_a_head_are_junk(void)
{
    raw_put("heads", place_of(&key_b), text_join(&arena, head_of(&key_b, 3, 5), TEXT("u\1")));
}

/* The first quiet write that there ever was. */
static struct text quiet_head_of(const struct document_key *key, uint64_t number, uint64_t size, const char *bytes)
{
    const struct head head = {.version = VERSION_QUIET | number, .size = size, .key = *key, .bytes = text_of(bytes)};
    const struct lmdb_key place = {.hashed = false};
    return head_write(&arena, &head, &place);
}

static void a_quiet_head_is_of_the_future(void)
{
    raw_put(NULL, LAST_QUIET, numbered(1));
    raw_put("heads", place_of(&key_c), quiet_head_of(&key_c, 2, 1, "x"));
}

static void a_quiet_head_is_of_nobody_knows_when(void)
{
    raw_put("heads", place_of(&key_c), quiet_head_of(&key_c, 1, 1, "x"));
}

static void a_quiet_head_is_cut_short(void)
{
    struct text whole = quiet_head_of(&key_c, 1, 1, "");
    raw_put("heads", place_of(&key_c), text_slice(whole, 0, whole.length - 1));
}

static void bytes_in_a_head_are_damaged(void)
{
    raw_put(NULL, LAST_QUIET, numbered(1));
    raw_put("heads", place_of(&key_c), quiet_head_of(&key_c, 1, 600, "xyz"));
}

static void bytes_in_a_head_are_longer(void)
{
    raw_put(NULL, LAST_QUIET, numbered(1));
    raw_put("heads", place_of(&key_c), quiet_head_of(&key_c, 1, 2, "xyz"));
}

static void a_head_has_no_key_where_it_is_hashed(void)
{
    raw_put("heads", TEXT("no parts"), quiet_head_of(&key_c, 1, 3, "xyz"));
}

static void bytes_are_gone(void)
{
    raw_delete("documents", numbered(3));
}

static void bytes_are_cut_short(void)
{
    raw_put("documents", numbered(3), TEXT("thre"));
}

static void bytes_are_longer(void)
{
    raw_put("documents", numbered(3), TEXT("threes"));
}

static void packed_bytes_are_damaged(void)
{
    MDB_val key = val_of(numbered(6)), value;
    assert_int_equal(mdb_get(txn, database("documents"), &key, &value), 0);
    assert_true(value.mv_size < LONG);
    raw_put("documents", numbered(6), text_copy(&arena, (struct text){value.mv_data, value.mv_size - 1}));
}

static void old_bytes_are_kept(void)
{
    raw_put("documents", numbered(2), TEXT("2"));
}

static void bytes_of_a_deleted_document_are_kept(void)
{
    raw_put("documents", numbered(4), TEXT("4"));
}

static void bytes_have_no_number(void)
{
    raw_put("documents", TEXT("x"), TEXT("4"));
}

static void a_claim_is_gone(void)
{
    raw_delete("claims", place_of_claim(&claims_of_a[0], &key_a));
}

static void a_claim_is_junk(void)
{
    raw_put("claims", place_of_claim(&claims_of_a[0], &key_a), TEXT("junk"));
}

static void a_claim_is_held_by_another(void)
{
    raw_put("claims", place_of_claim(&claims_of_a[0], &key_a), holder_record(&claims_of_a[0], &key_b));
}

static void a_claim_stands_elsewhere(void)
{
    raw_put("claims", TEXT("uri\0sip:other@x"), holder_record(&claims_of_a[0], &key_a));
}

static void a_claim_is_made_by_nobody(void)
{
    const struct claim claim = {TEXT("uri"), TEXT("sip:free@x"), false};
    raw_put("claims", place_of_claim(&claim, &key_b), holder_record(&claim, &key_b));
}

static void a_claim_is_of_a_deleted_document(void)
{
    const struct claim claim = {TEXT("uri"), TEXT("sip:free@x"), false};
    raw_put("claims", place_of_claim(&claim, &key_c), holder_record(&claim, &key_c));
}

static void a_shared_claim_is_gone(void)
{
    raw_delete("shared", place_of_claim(&claims_of_a[1], &key_a));
}

static void a_shared_claim_is_junk(void)
{
    raw_put("shared", TEXT("x"), TEXT(""));
}

static void a_shared_claim_is_made_by_nobody(void)
{
    raw_put("shared", place_of_claim(&claims_of_a[1], &key_b), TEXT(""));
}

static void a_tally_is_gone(void)
{
    raw_delete("tallies", place_of_claim(&claims_of_a[2], &key_a));
}

static void a_tally_is_junk(void)
{
    raw_put("tallies", place_of_claim(&claims_of_a[2], &key_a), TEXT("junk"));
}

static void a_tally_stands_elsewhere(void)
{
    raw_put("tallies", TEXT("n\0carol"), tally_write(&arena, &(struct tally){0, 0}, &claims_of_a[2]));
}

static void a_tally_counts_too_many(void)
{
    raw_put("tallies", place_of_claim(&claims_of_a[2], &key_a),
            tally_write(&arena, &(struct tally){2, 9}, &claims_of_a[2]));
}

static void a_tally_weighs_too_much(void)
{
    raw_put("tallies", place_of_claim(&claims_of_a[2], &key_a),
            tally_write(&arena, &(struct tally){1, 10}, &claims_of_a[2]));
}

static void a_change_is_gone(void)
{
    raw_delete("changes", numbered(3));
}

static void the_newest_change_is_gone(void)
{
    raw_delete("changes", numbered(6));
}

static void all_changes_are_gone(void)
{
    assert_int_equal(mdb_drop(txn, database("changes"), 0), 0);
}

static void a_change_is_junk(void)
{
    raw_put("changes", numbered(2), TEXT("junk"));
}

static void a_change_is_of_the_future(void)
{
    raw_put("changes", numbered(7), change_write(&arena, &(struct change){.key = key_a, .previous = 1}));
}

static void a_change_comes_before_itself(void)
{
    raw_put("changes", numbered(3), change_write(&arena, &(struct change){.key = key_b, .previous = 4}));
}

static void a_change_has_no_number(void)
{
    raw_put("changes", TEXT("x"), change_write(&arena, &(struct change){.key = key_b}));
}

static void the_last_number_is_gone(void)
{
    raw_delete(NULL, LAST_CHANGE);
}

static void the_last_number_is_junk(void)
{
    raw_put(NULL, LAST_CHANGE, TEXT("junk"));
}

static void the_last_number_went_back(void)
{
    raw_put(NULL, LAST_CHANGE, numbered(2));
}

struct damage {
    void (*plant)(void);
    const char *problem;
};

static const struct damage damages[] = {
    {a_head_is_gone, "a claim is held by no document that makes it: uri sip:team@x"},
    {a_head_is_gone, "there are 2 documents, but bytes of 3"},
    {a_head_is_junk, "the head of a document is damaged: u o b"},
    {a_head_stands_elsewhere, "a document stands under a wrong key: u o c"},
    {a_head_is_of_the_future, "the version of a document is no change number: u o b"},
    {a_head_has_no_version, "the version of a document is no change number: u o b"},
    {a_head_has_another_size, "a document has another size than its head says: u o b"},
    {claims_of_a_head_are_junk, "the claims of a document are damaged: u o b"},
    {a_quiet_head_is_of_the_future, "the version of a document is no change number: u o c"},
    {a_quiet_head_is_of_nobody_knows_when, "the version of a document is no change number: u o c"},
    {a_quiet_head_is_cut_short, "the head of a document is damaged: u o c"},
    {bytes_in_a_head_are_damaged, "the bytes of a document are damaged: u o c"},
    {bytes_in_a_head_are_longer, "a document has another size than its head says: u o c"},
    {a_head_has_no_key_where_it_is_hashed, "the head of a document is damaged: no parts"},
    {bytes_are_gone, "the bytes of a document are missing: u o b"},
    {bytes_are_cut_short, "the bytes of a document are damaged: u o b"},
    {bytes_are_longer, "a document has another size than its head says: u o b"},
    {packed_bytes_are_damaged, "the bytes of a document are damaged: u o long"},
    {old_bytes_are_kept, "bytes are kept of a version that is no more: 2"},
    {bytes_of_a_deleted_document_are_kept, "bytes are kept of a version that is no more: 4"},
    {bytes_have_no_number, "bytes stand under a key that is no version: x"},
    {a_claim_is_gone, "a claim of a document is missing: uri sip:team@x"},
    {a_claim_is_junk, "a claim is damaged: uri sip:team@x"},
    {a_claim_is_held_by_another, "a claim of a document is held by another: uri sip:team@x"},
    {a_claim_stands_elsewhere, "a claim stands under a wrong key: uri sip:other@x"},
    {a_claim_is_made_by_nobody, "a claim is held by no document that makes it: uri sip:free@x"},
    {a_claim_is_of_a_deleted_document, "a claim is held by no document that makes it: uri sip:free@x"},
    {a_shared_claim_is_gone, "a claim of a document is missing: of bob u o a"},
    {a_shared_claim_is_junk, "a shared claim is damaged: x"},
    {a_shared_claim_is_made_by_nobody, "a claim is held by no document that makes it: of bob u o b"},
    {a_tally_is_gone, "the tallies of counted claims are not what documents claim"},
    {a_tally_is_junk, "a tally is damaged: n bob"},
    {a_tally_stands_elsewhere, "a tally stands under a wrong key: n carol"},
    {a_tally_counts_too_many, "the tallies of counted claims are not what documents claim"},
    {a_tally_weighs_too_much, "the tallies of counted claims are not what documents claim"},
    {a_change_is_gone, "changes are missing before: 4"},
    {the_newest_change_is_gone, "the newest change has no record: 6"},
    {all_changes_are_gone, "the newest change has no record: 6"},
    {a_change_is_junk, "the record of a change is damaged: 2"},
    {a_change_is_of_the_future, "the newest change has no record: 6"},
    {a_change_comes_before_itself, "the record of a change is damaged: 3"},
    {a_change_has_no_number, "a change has no number: x"},
    {the_last_number_is_gone, "the version of a document is no change number: u o a"},
    {the_last_number_is_junk, "the number of the newest change is damaged"},
    {the_last_number_went_back, "the version of a document is no change number: u o b"},
};

static void keep_problem(void *context, struct text line)
{
    struct text_builder *problems = context;
    builder_add(problems, line);
    builder_add_char(problems, '\n');
}

static void plant(void (*damage)(void))
{
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 8), 0);
    assert_int_equal(mdb_env_open(env, folder, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    damage();
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

#define FUTURE (UINT64_C(1) << 60)

static void the_last_numbers_are_in_the_future(void)
{
    raw_put(NULL, LAST_QUIET, numbered(FUTURE + 1));
}

static void the_last_numbers_are_of_an_older_format(void)
{
    raw_delete(NULL, LAST_CHANGE);
    raw_delete(NULL, LAST_QUIET);
    raw_put("meta", LAST_CHANGE, numbered(1));
    raw_put("meta", LAST_QUIET, numbered(FUTURE + 2));
}

static void a_whole_store_has_no_problem(void **state)
{
    struct text_builder problems;
    (void)state;
    builder_init(&problems, &arena);
    snprintf(folder, sizeof(folder), "%s/whole", scratch);
    fill();
    struct store *store = opened();
    assert_int_equal(store_check(store, keep_problem, &problems), OK);
    assert_int_equal(problems.length, 0);
    store_close(store);
}

static void each_kind_of_damage_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        struct text_builder problems;
        builder_init(&problems, &arena);
        snprintf(folder, sizeof(folder), "%s/%zu", scratch, i);
        fill();
        plant(damages[i].plant);
        struct store *store = opened();
        assert_int_equal(store_check(store, keep_problem, &problems), CONFLICT);
        store_close(store);
        struct text said = builder_text(&problems);
        if (text_find(said, text_of(damages[i].problem)) == said.length)
            fail_msg("%s: not in: %.*s", damages[i].problem, TEXT_ARG(said));
    }
}

/* --- restores: what xdmctl cannot show --- */

static void assert_private(const char *file_folder)
{
    char file[224];
    struct stat about;
    snprintf(file, sizeof(file), "%s/data.mdb", file_folder);
    assert_int_equal(stat(file, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
}

static void only_its_owner_reads_a_copy_and_what_is_restored_from_it(void **state)
{
    (void)state;
    char backup[192], restored[192];
    struct text error;
    struct text_builder problems;
    builder_init(&problems, &arena);
    snprintf(folder, sizeof(folder), "%s/first", scratch);
    snprintf(backup, sizeof(backup), "%s/backup", scratch);
    snprintf(restored, sizeof(restored), "%s/restored", scratch);
    fill();
    mode_t mask = umask(022);
    assert_int_equal(mkdir(backup, 0755), 0);
    assert_int_equal(mkdir(restored, 0755), 0);
    struct store *store = opened();
    assert_int_equal(store_backup(store, backup, &arena, &error), OK);
    store_close(store);
    assert_int_equal(store_restore(backup, restored, false, keep_problem, &problems, &arena, &error), OK);
    umask(mask);
    assert_private(backup);
    assert_private(restored);
}

static void a_restored_store_begins_above_all_versions(void **state)
{
    (void)state;
    char backup[192], restored[192];
    struct text error;
    struct text_builder problems;
    struct change_page page;
    struct stored found;
    builder_init(&problems, &arena);
    snprintf(folder, sizeof(folder), "%s/first", scratch);
    snprintf(backup, sizeof(backup), "%s/backup", scratch);
    snprintf(restored, sizeof(restored), "%s/restored", scratch);
    fill();
    struct store *store = opened();
    uint64_t quiet = put_quiet(store, key_c, "quiet");
    assert_int_equal(store_backup(store, backup, &arena, &error), OK);
    assert_int_equal(store_restore(backup, folder, true, keep_problem, &problems, &arena, &error), CONFLICT);
    store_close(store);
    assert_int_equal(store_restore(backup, restored, false, keep_problem, &problems, &arena, &error), OK);
    assert_int_equal(store_restore(backup, restored, false, keep_problem, &problems, &arena, &error), CONFLICT);

    snprintf(folder, sizeof(folder), "%s/restored", scratch);
    store = opened();
    assert_int_equal(store_check(store, keep_problem, &problems), OK);
    uint64_t last = store_last_change(store);
    assert_true(last > 1000000 * UINT64_C(1700000000));
    assert_int_equal(store_get(store, &key_b, &arena, &found), OK);
    assert_true(found.version == 3 && text_equal(found.bytes, TEXT("three")));
    /* whoever reads changes is told, wherever it stood */
    for (uint64_t after = 0; after <= 6; after++) {
        assert_int_equal(store_changes(store, after, 10, &arena, &page), OK);
        assert_true(page.lost && page.count == 0);
    }
    assert_int_equal(store_get(store, &key_c, &arena, &found), OK);
    assert_true(found.version == quiet && text_equal(found.bytes, TEXT("quiet")));
    assert_true(put_quiet(store, key_c, "later") > (VERSION_QUIET | last));
    put(store, key_b, "6", NULL, 0);
    assert_int_equal(store_changes(store, last, 10, &arena, &page), OK);
    assert_true(!page.lost && page.count == 1 && page.changes[0].number == last + 1 && page.changes[0].previous == 3);
    assert_int_equal(store_changes(store, 6, 10, &arena, &page), OK);
    assert_true(page.lost);
    assert_int_equal(store_check(store, keep_problem, &problems), OK);
    store_close(store);

    /* again, over what is there: above the last of both */
    assert_int_equal(store_restore(backup, restored, true, keep_problem, &problems, &arena, &error), OK);
    store = opened();
    assert_true(store_last_change(store) > last);
    store_close(store);

    /* …wherever its format kept the last */
    plant(the_last_numbers_are_in_the_future);
    assert_int_equal(store_restore(backup, restored, true, keep_problem, &problems, &arena, &error), OK);
    store = opened();
    assert_true(store_last_change(store) >= FUTURE + 1);
    store_close(store);
    plant(the_last_numbers_are_of_an_older_format);
    assert_int_equal(store_restore(backup, restored, true, keep_problem, &problems, &arena, &error), OK);
    store = opened();
    assert_true(store_last_change(store) >= FUTURE + 2);
    store_close(store);
    assert_int_equal(problems.length, 0);
}

static void a_damaged_backup_is_not_restored(void **state)
{
    (void)state;
    char restored[192];
    struct text error;
    struct text_builder problems;
    builder_init(&problems, &arena);
    snprintf(folder, sizeof(folder), "%s/damaged", scratch);
    snprintf(restored, sizeof(restored), "%s/restored", scratch);
    fill();
    plant(a_claim_is_gone);
    assert_int_equal(store_restore(folder, restored, false, keep_problem, &problems, &arena, &error), CONFLICT);
    assert_true(text_find(error, TEXT("is damaged")) < error.length);
    assert_true(problems.length > 0);
    char data[224];
    snprintf(data, sizeof(data), "%s/data.mdb", restored);
    assert_int_equal(access(data, F_OK), -1);
    assert_int_equal(store_restore(restored, folder, true, keep_problem, &problems, &arena, &error), NOT_FOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_whole_store_has_no_problem),
        TEST(each_kind_of_damage_is_named),
        TEST(only_its_owner_reads_a_copy_and_what_is_restored_from_it),
        TEST(a_restored_store_begins_above_all_versions),
        TEST(a_damaged_backup_is_not_restored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
