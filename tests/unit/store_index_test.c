/* Indexes of the LMDB engine: builds in several rounds and such that are cut short, two programs on one folder,
 * backups, and what a check finds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../xdms/store/store_lmdb_index.h"
#include "scratch.h"
#include "word_index.h"

#define DOCUMENTS 3000

static char scratch[SCRATCH_MAX], folder[160], other_folder[160];
static struct arena arena;
static struct store *store;
static const struct store_index users = {TEXT_INIT("u"), true};

static void open_folder(const char *path)
{
    struct text error;
    store = store_open_lmdb(path, &arena, &error);
    if (!store)
        fail_msg("%.*s", TEXT_ARG(error));
    store_indexer_set(store, index_words, &rules);
}

static void close_folder(void)
{
    store_close(store);
    store = NULL;
}

static int begin(void **state)
{
    (void)state;
    arena_init(&arena, "test");
    rules = RULES;
    if (!scratch_make(scratch, "store_index"))
        return -1;
    snprintf(folder, sizeof(folder), "%s/data", scratch);
    snprintf(other_folder, sizeof(other_folder), "%s/other", scratch);
    open_folder(folder);
    return 0;
}

static int end(void **state)
{
    (void)state;
    close_folder();
    arena_clear(&arena);
    return scratch_remove(scratch);
}

static struct commit change(unsigned number, const char *bytes)
{
    return (struct commit){
        .key = {TEXT("u"), text_format(&arena, "o%u", number % 50), text_format(&arena, "%05u", number)},
        .expected = VERSION_ANY,
        .deletion = !bytes,
        .bytes = text_of(bytes)};
}

static void put(unsigned number, const char *bytes)
{
    struct commit commit = change(number, bytes);
    assert_int_equal(store_commit(store, &commit, 1), OK);
}

static const char *words_of(unsigned number)
{
    return text_cstring(&arena, text_format(&arena, "a:%u b:%u c:same", number, number % 7));
}

static void fill(unsigned count)
{
    static struct commit commits[DOCUMENTS];
    for (unsigned i = 0; i < count; i++)
        commits[i] = change(i, words_of(i));
    assert_int_equal(store_commit(store, commits, count), OK);
}

static size_t found(char field, const char *value)
{
    const struct store_look_up wanted = {
        .kind = STORE_LOOK_UP_ENTRY, .field = field_of(field), .value = text_of(value), .whole = true};
    struct document_key *keys;
    size_t count;
    enum status status = store_index_find(store, &users, RULES, &wanted, 2 * DOCUMENTS, &arena, &keys, &count);
    return status == OK ? count : SIZE_MAX;
}

static void say(void *lines, struct text line)
{
    print_message("%.*s\n", TEXT_ARG(line));
    builder_add(lines, line);
    builder_add_char(lines, '\n');
}

/* Lines of both checks. */
static const char *problems(void)
{
    struct text_builder lines;
    builder_init(&lines, &arena);
    enum status sound = store_check(store, say, &lines), right = store_index_check(store, &users, RULES, say, &lines);
    assert_int_equal(sound == CONFLICT || right == CONFLICT, lines.length > 0);
    return text_cstring(&arena, builder_text(&lines));
}

static void assert_indexed(unsigned count)
{
    assert_int_equal(found('c', "same"), count);
    for (unsigned i = 0; i < 7; i++)
        assert_int_equal(found('b', text_cstring(&arena, text_format(&arena, "%u", i))), (count + 6 - i) / 7);
    assert_int_equal(found('a', "5"), 1);
    assert_string_equal(problems(), "");
}

static void a_build_that_finds_no_room_in_memory_takes_several_rounds(void **state)
{
    (void)state;
    struct store_index_work work;
    fill(DOCUMENTS);
    lmdb_store_of(store)->gather_max = 10000;
    assert_int_equal(store_index_build(store, &users, RULES, NULL, &work), OK);
    assert_int_equal(work.documents, DOCUMENTS);
    assert_int_equal(work.entries, 3 * DOCUMENTS);
    assert_indexed(DOCUMENTS);
    assert_int_equal(store_index_build(store, &users, RULES, NULL, &work), OK); /* beside one that answers */
    assert_indexed(DOCUMENTS);
}

/* As a program that was killed in the midst of a build left it. */
static void a_build_that_was_cut_short_is_taken_away_by_the_next(void **state)
{
    (void)state;
    struct store_index_work work;
    struct lmdb_store *lmdb = lmdb_store_of(store);
    struct lmdb_indexes indexes;
    struct entry_key key;
    struct entry_number number = entry_number_write(1);
    MDB_txn *txn;
    fill(200);
    assert_int_equal(store_index_build(store, &users, RULES, NULL, &work), OK);
    assert_int_equal(lmdb_write_begin(lmdb, &txn), 0);
    assert_int_equal(lmdb_indexes_read(lmdb, txn, &indexes), 0);
    indexes.list[0].building = lmdb_table_new(&indexes);
    indexes.list[0].appending = true;
    MDB_val place = val_of(entry_key_write(&key, indexes.list[0].building, 1, TEXT("5"))),
            value = entry_number_val(&number);
    assert_int_equal(mdb_put(txn, lmdb->entries, &place, &value, 0), 0);
    MDB_val name = val_of(META_INDEXES), record = val_of(lmdb_indexes_write(&indexes, &arena));
    assert_int_equal(mdb_put(txn, lmdb->meta, &name, &record, 0), 0);
    assert_int_equal(lmdb_write_end(lmdb, txn, true), 0);
    close_folder();

    open_folder(folder);
    assert_indexed(200);
    put(3, "a:3 b:9");
    put(201, words_of(201));
    put(3, words_of(3));
    put(201, NULL);
    put(200, words_of(200));
    assert_indexed(201);
    assert_int_equal(store_index_build(store, &users, RULES, NULL, &work), OK);
    assert_indexed(201);
    MDB_stat entries;
    assert_int_equal(lmdb_read_begin(lmdb_store_of(store), &txn), 0);
    assert_int_equal(mdb_stat(txn, lmdb_store_of(store)->entries, &entries), 0);
    lmdb_read_end(lmdb_store_of(store), txn);
    assert_int_equal(entries.ms_entries, 3 * 201); /* of one table */
}

/* Another program builds while this one writes. */
static void two_programs_keep_one_index(void **state)
{
    (void)state;
    int ends[2];
    char byte = 0;
    fill(DOCUMENTS);
    close_folder();
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t builder = fork();
    if (builder == 0) {
        struct store_index_work work;
        bool good = true;
        open_folder(folder);
        good = write(ends[1], &byte, 1) == 1;
        for (int i = 0; i < 5; i++)
            good = store_index_build(store, &users, RULES, NULL, &work) == OK && good;
        close_folder();
        _exit(good ? 0 : 1);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    open_folder(folder);
    int status = -1;
    for (unsigned i = 0; waitpid(builder, &status, WNOHANG) == 0; i++) {
        put(i % DOCUMENTS, "a:other b:other");
        put((i + 7) % DOCUMENTS, NULL);
        put(i % DOCUMENTS, words_of(i % DOCUMENTS));
        put((i + 7) % DOCUMENTS, words_of((i + 7) % DOCUMENTS));
    }
    close(ends[0]);
    assert_int_equal(status, 0);
    assert_indexed(DOCUMENTS);
}

static void a_backup_has_the_index(void **state)
{
    (void)state;
    struct text error;
    struct text_builder lines;
    char backup[sizeof(folder)];
    snprintf(backup, sizeof(backup), "%s/backup", scratch);
    builder_init(&lines, &arena);
    assert_int_equal(store_index_begin(store, &users, RULES), OK);
    fill(100);
    assert_int_equal(store_backup(store, backup, &arena, &error), OK);
    close_folder();
    assert_int_equal(store_restore(backup, other_folder, false, say, &lines, &arena, &error), OK);
    open_folder(other_folder);
    assert_indexed(100);
    put(100, words_of(100));
    assert_indexed(101);
}

/* --- damage ------------------------------------------------------------------------------------------------------- */

static void spoil(bool numbers, struct text key, const char *value, size_t length, bool take)
{
    struct lmdb_store *lmdb = lmdb_store_of(store);
    MDB_txn *txn;
    MDB_val place = val_of(key), record = {length, (void *)value};
    assert_int_equal(lmdb_write_begin(lmdb, &txn), 0);
    MDB_dbi database = numbers ? lmdb->numbers : lmdb->entries;
    assert_int_equal(take ? mdb_del(txn, database, &place, &record) : mdb_put(txn, database, &place, &record, 0), 0);
    assert_int_equal(lmdb_write_end(lmdb, txn, true), 0);
}

static void what_is_wrong_with_an_index_is_found(void **state)
{
    (void)state;
    struct entry_key key;
    struct entry_number second = entry_number_write(2), unknown = entry_number_write(77);
    const char *two = (const char *)second.bytes, *none = (const char *)unknown.bytes;
    assert_int_equal(store_index_begin(store, &users, RULES), OK);
    fill(5);
    struct text same = text_copy(&arena, entry_key_write(&key, 1, field_of('c'), TEXT("same")));
    struct text odd = text_copy(&arena, entry_key_write(&key, 1, field_of('c'), TEXT("odd")));
    struct text lost = text_copy(&arena, entry_key_write(&key, 9, 1, TEXT("x")));
    assert_string_equal(problems(), "");
    spoil(false, same, two, 4, true);
    assert_string_equal(problems(), "the index entries of a document are not what its manifest says: u o1 00001\n");
    spoil(false, same, two, 4, false);
    spoil(false, odd, two, 4, false);
    assert_string_equal(problems(), "1 index entries are of no document that has them: u\n");
    spoil(false, odd, two, 4, true);
    spoil(false, odd, none, 4, false);
    assert_string_equal(problems(), "an index entry leads to no document\n"
                                    "1 index entries are of no document that has them: u\n");
    spoil(false, odd, none, 4, true);
    spoil(false, lost, two, 4, false);
    assert_string_equal(problems(), "an index entry is of no index\n");
    spoil(false, lost, two, 4, true);
    assert_string_equal(problems(), "");
    spoil(true, (struct text){two, 4},
          "\1o2\0"
          "00002",
          9, false);
    assert_true(strstr(problems(), "the number of a document does not lead to it: u o1 00001\n") != NULL);
    assert_true(strstr(problems(), "a number leads to no document that has it\n") != NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_build_that_finds_no_room_in_memory_takes_several_rounds),
        TEST(a_build_that_was_cut_short_is_taken_away_by_the_next),
        TEST(two_programs_keep_one_index),
        TEST(a_backup_has_the_index),
        TEST(what_is_wrong_with_an_index_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
