/* The LMDB engine's own parts, seen by store_lmdb*.c and its tests. Nothing else knows LMDB.
 *
 * Databases of one folder (all numbers big-endian); versions are change numbers:
 *   (unnamed)  "last-change" and "last-quiet" -> numbers, beside LMDB's own records of the databases: each transaction
 *              writes its page anyway
 *   meta       "format" -> format name and number, "restored" -> number
 *   heads      document key -> version, time, number and size, true key if the key has a hash in it, claims; of a quiet
 *              write the bytes, too: one place to write instead of three
 *   documents  version -> bytes, packed if they are shorter than the head says; apart from heads, so that these
 *              stay small and bytes are written at the end
 *   claims     kind, value -> holder, true kind and value (unique claims)
 *   shared     kind, value, document key -> nothing, or the true parts if the key has a hash in it
 *   tallies    kind, value -> how many documents hold the counted claim, sum of weights, true kind and value
 *   changes    change number -> previous version, time, kind of change, true key, who
 *   entries    table, field, value -> numbers of documents, one after another; store_lmdb_index.h
 *   numbers    number -> index, owner and name of the document
 * meta has "indexes", too: which there are, and their tables. */
#ifndef STORE_LMDB_H
#define STORE_LMDB_H

#include <limits.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "clock.h"
#include "store_engine.h"

#define READERS_MAX   1024 /* slots of all processes on one folder; 64 bytes each */
#define READ_TXNS_MAX 128  /* live read transactions of this process; more threads than cores only wait */

/* --- keys: store_lmdb_key.c --------------------------------------------------------------------------------- */

#define LMDB_KEY_MAX 511 /* compiled into LMDB */

struct lmdb_key {
    char bytes[LMDB_KEY_MAX];
    size_t length;
    bool hashed; /* the key alone does not tell the parts */
};

#define DOCUMENT_PARTS 3 /* usage, owner, name */
#define CLAIM_PARTS    2 /* kind, value */
#define SHARED_PARTS   5 /* kind, value, usage, owner, name */

/* The first `given` of `count` parts: a whole key, or the prefix of all keys that begin with these parts. */
void lmdb_key_write(struct lmdb_key *key, const struct text *parts, size_t given, size_t count);

/* Prefix of the keys of shared claims whose value may start with `value_prefix`: those found are to be compared. */
void lmdb_key_write_value_prefix(struct lmdb_key *key, struct text kind, struct text value_prefix);

void lmdb_key_of_document(struct lmdb_key *key, const struct document_key *document);

/* --- records: store_lmdb_record.c --------------------------------------------------------------------------- */

struct head {
    uint64_t version;
    int64_t modified_ms;
    uint32_t size;
    uint32_t number; /* in indexes; 0: none */
    struct document_key key;
    struct text claims; /* as claims_write made them */
    struct text bytes;  /* of a quiet write, as lmdb_pack made them; they are the end of the record */
};

static inline bool head_is_quiet(const struct head *head)
{
    return (head->version & VERSION_QUIET) != 0;
}

/* Texts that are read point into the record, and into its key. Reading is false for damage. */
struct text head_write(struct arena *arena, const struct head *head, const struct lmdb_key *place);
bool head_read(struct text place, struct text record, struct head *head_out);
struct text tally_write(struct arena *arena, const struct tally *tally, const struct claim *claim);
bool tally_read(struct text record, struct tally *tally_out, struct claim *claim_out);
struct text claims_write(struct arena *arena, const struct claim *claims, size_t count);
bool claims_next(struct text *rest, struct claim *claim_out); /* false at the end, too */
struct text change_write(struct arena *arena, const struct change *change);
bool change_read(struct text record, struct change *change_out);
struct text parts_write(struct arena *arena, const struct text *parts, size_t count);
bool parts_read(struct text record, struct text *parts_out, size_t count);
bool parts_split(struct text key, struct text *parts_out, size_t count); /* of a key without a hash */

struct number {
    char bytes[8];
};

struct number number_write(uint64_t number);
bool number_read(struct text record, uint64_t *number_out);

/* --- documents: store_lmdb_pack.c --------------------------------------------------------------------------- */

/* As short as it can be made, in the arena, or the bytes themselves. */
struct text lmdb_pack(struct text bytes, struct arena *arena);

/* Into the arena. False for damage. */
bool lmdb_unpack(struct text stored, uint64_t size, struct arena *arena, struct text *bytes_out);

/* --- folder and format: store_lmdb_folder.c, store_lmdb_format.c ---------------------------------------------- */

struct lmdb_store;

struct folder_content {
    bool database;
    bool others; /* no part of a store */
};

bool folder_make(const char *folder, struct arena *arena, struct text *error_out);
bool folder_look(const char *folder, struct folder_content *content_out, struct arena *arena, struct text *error_out);

/* Locks the folder until the descriptor is closed. With `alone`, for what must not happen under anybody's feet (a
 * restore): -1 when anybody else has it. Else it is held alone if nobody else was there, to be shared as soon as the
 * store is open; -1 when somebody else holds it alone, or on another machine, or when the file system cannot lock or is
 * not this machine's. `error_out` has one line. */
int folder_lock(const char *folder, bool alone, struct arena *arena, struct text *error_out);
bool folder_lock_alone(int fd); /* false: others have it too, and it may be lost: close it */
bool folder_lock_share(int fd); /* false: another holds it alone */
bool folder_lock_role(int fd);  /* beside these: false: another has it; until the descriptor is closed */

/* Gives what root made there to the owner of the folder, whose programs could not open it else. */
bool folder_own(const char *folder, struct arena *arena, struct text *error_out);

#define FILE_MODE 0600
int sync_path(const char *path, int flags); /* fsync; 0 or errno */
int copy_database(MDB_env *env,
                  const char *folder); /* compact, as a new file with FILE_MODE; 0, errno or an LMDB error */
bool folder_say(struct arena *arena, struct text *error_out, const char *folder, const char *what); /* false */

/* One step from a format to the next, inside the one transaction that also writes the new number. 0 or an LMDB error.
 */
typedef int lmdb_migration_fn(struct lmdb_store *store, MDB_txn *txn);

/* Formats that can be read: the newest is `count` + 1, and step i leads from format i + 1 to i + 2. */
struct lmdb_formats {
    lmdb_migration_fn *const *steps;
    uint64_t count;
};

extern const struct lmdb_formats lmdb_formats;

/* Opens the databases of the folder, brings an older format to the newest, refuses a newer one and what is not ours. */
bool format_open(struct lmdb_store *store, struct arena *arena, struct text *error_out);
int format_reopen(struct lmdb_store *store); /* of a folder that was opened before: reads only */

/* --- who is inside: store_lmdb_gate.c -------------------------------------------------------------------------- */

struct lmdb_place {
    atomic_bool taken;
    _Atomic(MDB_txn *)
        parked;     /* of this place: in use while it is taken, else reset. Saves the search for a reader slot */
    char apart[48]; /* places of two threads share no cache line */
};

struct lmdb_gate {
    struct lmdb_place places[READ_TXNS_MAX];
    atomic_bool closed;   /* set under the lock: nobody may come in */
    atomic_uint waiting;  /* set under the lock: who wants to be told of changes */
    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t changed;
    size_t others; /* inside without a place: the writer, backups */
};

void lmdb_gate_init(struct lmdb_gate *gate);
void lmdb_gate_clear(struct lmdb_gate *gate);
bool lmdb_gate_empty(struct lmdb_gate *gate);

/* Readers; they wait while the gate is closed or all places are taken. */
struct lmdb_place *lmdb_gate_enter(struct lmdb_gate *gate);
void lmdb_gate_leave(struct lmdb_gate *gate, struct lmdb_place *place);
struct lmdb_place *lmdb_gate_place(struct lmdb_gate *gate, const MDB_txn *txn); /* where it is in use */

void lmdb_gate_enter_other(struct lmdb_gate *gate);
void lmdb_gate_leave_other(struct lmdb_gate *gate);

/* On return nobody is inside, and nobody comes in until it is opened again. */
void lmdb_gate_close(struct lmdb_gate *gate);
void lmdb_gate_open(struct lmdb_gate *gate);

/* --- the store: store_lmdb.c ---------------------------------------------------------------------------------- */

struct lmdb_options {
    struct store_settings settings;
    unsigned readers_max;
    int64_t (*now_ms)(void); /* wall clock */
    const struct lmdb_formats *formats;
};

#define LMDB_OPTIONS_STANDARD                                                                                          \
    {                                                                                                                  \
        STORE_SETTINGS_STANDARD, READERS_MAX, clock_wall_ms, &lmdb_formats                                             \
    }

/* Entries of shared claims that a transaction has collected so far. */
struct lmdb_shared {
    struct arena arena;
    struct lmdb_shared_entry *entries;
    size_t count, room;
};

struct lmdb_store {
    struct lmdb_store *next; /* of those open in this process */
    dev_t device;
    ino_t inode;
    char *folder;
    int folder_fd; /* holds the lock of the folder */
    struct lmdb_options options;

    MDB_env *env; /* NULL: broken, to be opened again */
    MDB_dbi unnamed, meta, heads, documents, claims, shared, tallies, changes, entries, numbers;
    struct store_queue *queue;

    struct lmdb_gate gate;
    int64_t renewed_ms; /* inside the closed gate; monotonic, of the last try to open a broken environment again */

    /* The newest change as a transaction of that number saw it, or one of a later change (lmdb_last_change). */
    pthread_mutex_t seen_lock; /* for writing */
    _Atomic uint64_t seen_txn, seen_change;

    struct store_indexer indexer;
    size_t gather_max; /* bytes of entries that a build keeps in memory; tests have less */

    atomic_bool unsynced;          /* what was found after a failure may not be on the disk */
    _Atomic int64_t sync_tried_ms; /* monotonic */

    /* the committer's own */
    struct arena scratch;  /* of one commit */
    struct arena counting; /* of one transaction: its tallies */
    struct lmdb_counted *counted;
    struct lmdb_shared sharing;
    struct lmdb_indexing *indexing;
    int64_t readers_checked_ms;
    bool tight; /* the file may not grow: what is written goes to pages that were freed */
    bool full;  /* said so in the log */
};

struct store *lmdb_open(const char *folder, const struct lmdb_options *options, struct arena *arena,
                        struct text *error_out);

struct lmdb_store *lmdb_store_of(struct store *store); /* for tests */

/* --- the environment: store_lmdb_environment.c ---------------------------------------------------------------- */

/* 0 or an LMDB error. Close frees parked transactions too; nobody may be inside. */
int lmdb_environment_open(struct lmdb_store *store);
void lmdb_environment_close(struct lmdb_store *store);

/* Both give 0 or an LMDB error, said in the log. What is read from a transaction is gone after its end. */
int lmdb_read_begin(struct lmdb_store *store, MDB_txn **txn_out);
void lmdb_read_end(struct lmdb_store *store, MDB_txn *txn);

/* A commit that gives 0 is durable; LMDB_UNCERTAIN: it may be, or may not; else nothing of it is there, or ever will.
 */
#define LMDB_UNCERTAIN INT_MAX
int lmdb_write_begin(struct lmdb_store *store, MDB_txn **txn_out);
int lmdb_write_end(struct lmdb_store *store, MDB_txn *txn, bool commit);

/* Without a transaction of this thread. Grow, after MDB_MAP_FULL: false when it is as large as it may be. */
void lmdb_map_set(struct lmdb_store *store, uint64_t bytes);
bool lmdb_map_grow(struct lmdb_store *store);

/* Before a transaction of these commits: sees to it that deletions find room whatever happens. False: the store is
 * tight, and what is no deletion may fail for lack of room. store_lmdb_room.c */
#define LMDB_RESERVE_BYTES (1u << 20) /* some dozens of deletions while a long reader keeps old pages from reuse */
bool lmdb_room(struct lmdb_store *store, struct commit *const *commits, size_t count);
enum status lmdb_status_of(int error);

/* For what looks at the environment outside of a transaction: it is not opened anew meanwhile. False: there is none. */
bool lmdb_hold(struct lmdb_store *store);
void lmdb_release(struct lmdb_store *store);

/* Frees the reader slots of killed processes, which keep old pages from being used again. */
void lmdb_readers_clean(struct lmdb_store *store);

void lmdb_log(const struct lmdb_store *store, const char *what, int error);

/* mdb_get; MDB_NOTFOUND is an ordinary answer. */
int lmdb_value(MDB_txn *txn, MDB_dbi database, struct text key, struct text *value_out);
int lmdb_put(MDB_txn *txn, MDB_dbi database, struct text key, struct text value, unsigned flags);

static inline MDB_val val_of(struct text text)
{
    return (MDB_val){.mv_size = text.length, .mv_data = (void *)text.bytes};
}

static inline struct text text_of_val(MDB_val val)
{
    return (struct text){val.mv_data, val.mv_size};
}

static inline struct text key_text(const struct lmdb_key *key)
{
    return (struct text){key->bytes, key->length};
}

static inline struct text number_text(const struct number *number)
{
    return (struct text){number->bytes, sizeof(number->bytes)};
}

/* The bytes of a document as they are stored: of the head, or beside it. MDB_CORRUPTED: they are missing. */
int lmdb_bytes(struct lmdb_store *store, MDB_txn *txn, const struct head *head, struct text *stored_out);

/* Takes what is new and lets go of what is no more, of claims as claims_write made them; what stays costs nothing. 0 or
 * an LMDB error. store_lmdb_claims.c */
int lmdb_claims_replace(struct lmdb_store *store, MDB_txn *txn, const struct document_key *key, struct text old,
                        struct text now);

/* Takes, or lets go of, the entry of a shared claim: with the next write of all that were noted. Both give 0 or an LMDB
 * error; write before the end of the transaction, forget before the next one. store_lmdb_shared.c */
int lmdb_shared_note(struct lmdb_store *store, MDB_txn *txn, struct text key, struct text record, bool take);
int lmdb_shared_write(struct lmdb_store *store, MDB_txn *txn);
void lmdb_shared_forget(struct lmdb_store *store);
void lmdb_shared_free(struct lmdb_store *store);

/* --- calls of the engine: store_lmdb_read.c, store_lmdb_write.c ----------------------------------------------- */

enum status lmdb_read(void *state, const struct document_key *key, struct arena *arena, struct stored *found_out);
enum status lmdb_find(void *state, struct text kind, struct text value, struct arena *arena,
                      struct document_key *key_out);
enum status lmdb_tally(void *state, struct text kind, struct text value, struct tally *tally_out);
enum status lmdb_first_tally(void *state, struct text kind, struct arena *arena, struct text *value_out);
enum status lmdb_list(void *state, const struct document_key *prefix, const struct document_key *after, size_t limit,
                      struct arena *arena, struct key_page *page_out);
enum status lmdb_holders(void *state, struct text kind, struct text value_prefix, const struct text *after_value,
                         const struct document_key *after, size_t limit, struct arena *arena, struct key_page *page_out,
                         struct text **values_out);
enum status lmdb_changes(void *state, uint64_t after, size_t limit, struct arena *arena, struct change_page *page_out);
uint64_t lmdb_last_change(void *state);
enum status lmdb_check(void *state, store_problem_fn *problem, void *context); /* store_lmdb_check.c */
void lmdb_commit(void *state, struct commit **commits, size_t count);

/* The tally of a counted claim as the transaction of the committer sees it: zeros, or what is there. 0 or an LMDB
 * error; also: adds one holder, or takes one away; writes what has changed, before the end of the transaction; forgets
 * it all, before the next one. store_lmdb_tally.c */
int lmdb_tally_get(struct lmdb_store *store, MDB_txn *txn, const struct claim *claim, struct tally *tally_out);
int lmdb_tally_apply(struct lmdb_store *store, MDB_txn *txn, const struct claim *claim, bool take);
int lmdb_tallies_write(struct lmdb_store *store, MDB_txn *txn);
void lmdb_tallies_forget(struct lmdb_store *store);

/* Do the tallies say what the claims of all documents say? Both are added up, as one number each. */
struct tally_sum {
    uint64_t sum;
};
void lmdb_tally_sum(struct tally_sum *sum, const struct claim *claim, const struct tally *tally);

#define LAST_CHANGE   TEXT("last-change") /* in the unnamed database, as is… */
#define LAST_QUIET    TEXT("last-quiet")  /* …how many quiet writes there were */
#define META_FORMAT   TEXT("format")
#define META_INDEXES  TEXT("indexes")
#define META_RESTORED TEXT("restored") /* last-change as the last restore set it: there are no records up to it */

/* Number of the newest change, or quiet write, as this transaction sees it. */
int lmdb_last(struct lmdb_store *store, MDB_txn *txn, uint64_t *last_out);
int lmdb_last_quiet(struct lmdb_store *store, MDB_txn *txn, uint64_t *last_out);

#endif
