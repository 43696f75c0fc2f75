/* Keeps documents. All engines make the same promises; tests/store_contract.c states them.
 *
 * The store knows bytes, versions, claims and changes, and no XML. A pointer that it hands out lives in the caller's
 * arena. Every call may be made from any thread. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "arena.h"
#include "status.h"
#include "text.h"

#define STORE_PART_MAX     1024       /* bytes of one key part; longer is refused before it comes here */
#define STORE_DOCUMENT_MAX (8u << 20) /* bytes of one document: bounds memory of a batch */
#define STORE_CLAIMS_MAX   8192       /* claims of one document: more than the largest group has members */
#define STORE_VALUE_MAX    8192       /* bytes of a claim's value: a URI with parameters; no NUL in it or in its kind */
#define STORE_PAGE_MAX     1000       /* entries of one page */

/* Where a document stands. No part holds a NUL byte; any may be empty. */
struct document_key {
    struct text usage; /* AUID, or the name of an internal usage */
    struct text owner; /* canonical XUI; empty in the global tree */
    struct text name;
};

/* A value that leads to a document. A unique claim has one holder in the whole store ("group-uri" "sip:team@…");
 * a shared one may have many and is for finding ("message-of" "sip:bob@…"). A counted one finds nobody: the store keeps
 * how many documents hold it, and the sum of their weights, without a walk over them. */
struct claim {
    struct text kind;
    struct text value;
    bool shared;
    bool counted;    /* not with `shared`; twice in one document counts twice */
    uint64_t weight; /* of a counted one */
};

struct stored {
    struct document_key key;
    struct text bytes;
    uint64_t version;    /* number of the write: never used twice in a store, not even after a deletion */
    int64_t modified_ms; /* wall clock */
};

#define VERSION_ANY    UINT64_MAX   /* write whatever is there */
#define VERSION_ABSENT 0            /* write only if there is none */
#define VERSION_QUIET  (1ull << 63) /* in the versions of quiet writes; those of all others are change numbers */

/* One change of one document: all of it or nothing. The caller keeps it and all it points to until its result is known.
 */
struct commit {
    struct document_key key;
    uint64_t expected; /* a version, VERSION_ANY or VERSION_ABSENT; another state there: CONFLICT */
    bool deletion;     /* with VERSION_ANY a missing document is OK, and changes nothing */
    struct text bytes;
    const struct claim *claims; /* replace those the document held before */
    size_t claims_count;
    struct text who; /* for the change record */
    bool quiet;      /* no change record: who follows changes, or keeps what he read until something changes, hears
                      * nothing. For what is read again each time, and comes and goes in masses */
    /* A deletion takes place only while no document holds this counted claim; else it is OK and changes nothing. NULL:
     * whoever holds what. */
    const struct claim *unless_held;
    /* An earlier commit of the same call: this one takes place only if that is OK, and gets its status else. NULL: not
     * so.
     */
    const struct commit *only_with;
    struct store_job *job; /* engines' own; NULL */

    /* results */
    enum status status;      /* OK, CONFLICT, TAKEN, FULL, FAILED, UNCERTAIN */
    uint64_t version;        /* OK: of this change; CONFLICT: the one that is there now (0: none) */
    struct text taken_value; /* TAKEN: which claim (points into `claims`) */
};

struct store;

/* `done` runs on the committer's thread (or inside store_submit, for the memory engine): it must not block. */
typedef void commit_done_fn(void *context);

/* Engines. The memory engine forgets at close and commits inside the call. */
struct store *store_open_memory(void);

/* How a folder on disk is used. Processes that share one should agree. */
struct store_settings {
    uint64_t map_bytes;     /* address space (not disk) to begin with; it grows by itself */
    uint64_t bytes_max;     /* the data file grows to this size and no further: then writes are FULL */
    uint64_t changes_max;   /* change records that are kept; the oldest go first */
    int64_t changes_ms_max; /* older change records go too */
    /* Of those that open a folder with a name here one may have it open, whatever their names are. NULL: any number. */
    const char *alone_as;
};

/* Some 200 MB of change records, or a fortnight: long enough for a reader that was down. */
#define STORE_SETTINGS_STANDARD                                                                                        \
    {                                                                                                                  \
        .map_bytes = 64ull << 30, .bytes_max = 4ull << 40, .changes_max = 1000000, .changes_ms_max = 14 * 86400000ll   \
    }

/* One folder, many processes of one machine. `error_out` gets one line when it fails: not ours, newer format, being
 * restored, on a network file system, no permission… */
struct store *store_open_lmdb_with(const char *folder, const struct store_settings *settings, struct arena *arena,
                                   struct text *error_out);
struct store *store_open_lmdb(const char *folder, struct arena *arena, struct text *error_out); /* standard settings */

/* Could it be opened or made there, as far as can be seen without doing so? `error_out` has one line if not. */
bool store_folder_good(const char *folder, struct arena *arena, struct text *error_out);

/* Wrappers for tests, which own `inner`. */
enum store_call {
    STORE_CALL_READ,   /* store_get, store_head, store_tally, store_first_tally */
    STORE_CALL_COMMIT, /* store_commit, store_submit: all commits of the call */
    STORE_CALL_FIND,
    STORE_CALL_LIST,
    STORE_CALL_HOLDERS, /* store_holders */
    STORE_CALL_CHANGES,
    STORE_CALL_LAST, /* store_last_change: STORE_CHANGE_UNKNOWN */
    STORE_CALL_BACKUP,
    STORE_CALL_CHECK,
    STORE_CALLS
};

struct store_fault {
    enum store_call call;
    unsigned nth;        /* the first that fails; 1: the next of this kind */
    unsigned count;      /* how many fail in a row; 0: all from then on */
    enum status status;  /* their answer */
    bool carried_out;    /* commits: they happen all the same, and `status` is all that is heard of it */
    bool deletions_pass; /* commits: those alone that write fail, as on a full disk */
};

#define STORE_FAULTS_MAX 8

/* Answers as `inner`, but for the calls that fail. */
struct store *store_open_faulty(struct store *inner, const struct store_fault *faults, size_t count);

/* Other faults from now on, and calls are counted anew; not while calls are made. False: nothing failed so far. */
bool store_faulty_set(struct store *faulty, const struct store_fault *faults, size_t count);

/* Calls of this kind since the last store_faulty_set. */
unsigned store_faulty_calls(const struct store *faulty, enum store_call call);

/* A disk that is slower than all else: what is submitted after store_faulty_hold is carried out at
 * store_faulty_release, in its order. All from one thread, which must not wait for a commit meanwhile. */
void store_faulty_hold(struct store *faulty);
void store_faulty_release(struct store *faulty);
/* As another process, which does not wait for what is held: what is submitted meanwhile is carried out at once. */
void store_faulty_overtake(struct store *faulty, bool overtakes);

/* The n-th store_commit or store_submit fails with `status` and changes nothing, the rest pass through. */
struct store *store_open_failing(struct store *inner, unsigned nth, enum status status);

void store_close(struct store *store); /* waits for what was submitted */

/* NOT_FOUND or FAILED. */
enum status store_get(struct store *store, const struct document_key *key, struct arena *arena,
                      struct stored *found_out);

/* Version and time alone, without the bytes: what a conditional GET needs. */
enum status store_head(struct store *store, const struct document_key *key, struct stored *found_out);

/* Each commit gets its own result; one that fails never harms the others; all that are OK are durable on return.
 * Later commits of the same call see earlier ones. Returns OK if every one is OK, else the first other status. */
enum status store_commit(struct store *store, struct commit *commits, size_t count);

/* Queued for the committer, which takes all that wait into one durable transaction. The queue is bounded
 * (STORE_QUEUE_MAX commits): past it the results are FULL and `done` is called at once. */
#define STORE_QUEUE_MAX 65536 /* some seconds of the fastest disk; more waiting means nobody waits for the answer */
void store_submit(struct store *store, struct commit *commits, size_t count, commit_done_fn *done, void *context);

/* Holder of a unique claim. */
enum status store_find(struct store *store, struct text kind, struct text value, struct arena *arena,
                       struct document_key *key_out);

/* Of a counted claim, as of the last commit: zeros when nobody holds it. OK or FAILED. */
struct tally {
    uint64_t count;
    uint64_t weight; /* of all */
};
enum status store_tally(struct store *store, struct text kind, struct text value, struct tally *tally_out);

/* The first value, in byte order, that anybody holds of a counted kind, among those of up to 256 bytes. NOT_FOUND:
 * nobody holds any. */
enum status store_first_tally(struct store *store, struct text kind, struct arena *arena, struct text *value_out);

struct key_page {
    struct document_key *keys;
    uint64_t *versions; /* same length; of the documents */
    int64_t *modified_ms;
    size_t *sizes; /* bytes of the documents */
    size_t count;
    bool more; /* continue after the last key */
};

/* Keys in byte order of (usage, owner, name), whose parts equal those of `prefix` that are given: an owner of
 * {NULL, 0} stands for all owners, a name of {NULL, 0} for all names (an empty part with bytes != NULL is a value).
 * `after` NULL: from the start. At most `limit` (1…STORE_PAGE_MAX). */
enum status store_list(struct store *store, const struct document_key *prefix, const struct document_key *after,
                       size_t limit, struct arena *arena, struct key_page *page_out);

/* Documents holding a shared claim whose value starts with `value_prefix`, in byte order of (value, key).
 * `after_value`/`after` NULL: from the start. `values_out`, when not NULL, gets the claim values. */
enum status store_holders(struct store *store, struct text kind, struct text value_prefix,
                          const struct text *after_value, const struct document_key *after, size_t limit,
                          struct arena *arena, struct key_page *page_out, struct text **values_out);

/* Change records, oldest first. */
struct change {
    uint64_t number; /* 1, 2, 3… in the order of commit; without gaps but for one at each restore */
    struct document_key key;
    uint64_t previous; /* version before; 0: was created */
    bool deletion;
    int64_t when_ms;
    struct text who;
};

struct change_page {
    struct change *changes;
    size_t count;
    bool lost; /* records after `after` were dropped already, or `after` is ahead of the store (it was put back from a
                * backup): read the documents again */
};

/* Those after number `after`, oldest first, at most `limit`. OK or FAILED. */
enum status store_changes(struct store *store, uint64_t after, size_t limit, struct arena *arena,
                          struct change_page *page_out);

/* Number of the newest change (0: none yet): one cheap read, made before every use of a cache. */
#define STORE_CHANGE_UNKNOWN UINT64_MAX /* it could not be read: no cache may be used */
uint64_t store_last_change(struct store *store);

/* Consistent copy into `folder` (made if absent) while readers and writers go on. CONFLICT: it is not empty. */
enum status store_backup(struct store *store, const char *folder, struct arena *arena, struct text *error_out);

/* Compares all documents, claims and changes with each other in one state of the store, while readers and writers go
 * on. `problem` gets one line for each contradiction. OK: none; CONFLICT: some; FAILED: could not be read. */
typedef void store_problem_fn(void *context, struct text line);
enum status store_check(struct store *store, store_problem_fn *problem, void *context);

/* Makes `folder` (made if absent) a data folder with what the folder `backup` holds, while no program uses it; one may
 * use `backup`, whose state of this moment is taken. What is copied is checked as by store_check before it counts.
 * Versions go on above all that were ever given out there, so that no entity tag comes back, and change records are not
 * kept: feeds find some lost. With `replace` a store that is in the folder gives way; its file is kept beside the new
 * one. NOT_FOUND: no backup; CONFLICT: the folder is in use or holds something, or the backup is damaged; FULL, FAILED.
 * The folder is as it was unless it is OK; `error_out` has one line. */
enum status store_restore(const char *backup, const char *folder, bool replace, store_problem_fn *problem,
                          void *context, struct arena *arena, struct text *error_out);

#endif
