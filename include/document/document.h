/* The one way to read and change documents, for every program: XCAP requests, admin calls and the internal documents of
 * im-glue alike. Works out the new document outside any transaction, then commits if nothing moved meanwhile. */
#ifndef DOCUMENT_DOCUMENT_H
#define DOCUMENT_DOCUMENT_H

#include "store.h"
#include "usage.h"
#include "xcap_selector.h"

/* Rounds that a change may lose to other processes before it is answered 503; within a process changes of a document
 * take turns. Two that write one document without pause lose every second round: so many in a row are one in 65,000. */
#define DOCUMENT_TRIES_MAX 16

/* Bytes that are read to make a computed document. Past it nothing is made (FULL): whoever asks would wait for seconds
 * and get what no client can use. */
#define DOCUMENT_LISTING_MAX USAGE_LISTING_MAX

/* Bytes after which a part of a made document ends: what a client reads at once without effort, some thousand entries.
 */
#define DOCUMENT_PART_BYTES_MAX (1u << 20)

/* Entries that are counted behind a folder that is listed in part: a tenth of a second. */
#define DOCUMENT_MORE_MAX 100000

struct documents; /* a store and a usage set; shared by threads */

struct documents *documents_new(struct store *store, const struct usage_set *usages);
/* Neither the store nor the set goes; but no document is changed by way of this store any more, unless it has others.
 */
void documents_free(struct documents *documents);
const struct usage_set *documents_usages(const struct documents *documents); /* those in force */

/* The usages may be replaced under running requests if each request enters before it looks at one and leaves when it
 * has let go of all it got from them: usages, places, rows. Programs that never replace need neither. A generation is
 * never 0; when the one entered is that of an earlier entry, what was found then still holds. */
uint64_t documents_enter(const struct documents *documents);
void documents_leave(const struct documents *documents, uint64_t generation);

/* The new set is in force at once. False: the one before the present is still in use; try later. */
bool documents_replace(struct documents *documents, const struct usage_set *usages);

/* True once, when nobody uses what was replaced any more: now it may be freed. */
bool documents_retired(struct documents *documents);

/* Where an XCAP target stands: usage known, owner canonical, name allowed. */
struct document_place {
    const struct usage *usage;
    const struct usage_document *row;
    enum xcap_tree tree;
    struct document_key key;
    struct text root_uri; /* of the XCAP root, for documents that are computed; set by whoever asks, may be empty */
};

/* Tells them of that; does nothing for other documents. */
void document_records_listed(const struct documents *documents, const struct document_place *place, int64_t when_ms,
                             struct arena *arena);

/* Computed, and yet it, or what the selector names, can be deleted. */
bool document_can_shrink(const struct document_place *place, const struct xcap_selector *selector);

/* REFUSED: 404 for an unknown AUID, an owner that is no address, or a name that the usage does not know (`put`, into a
 * missing sub-directory: 409 no-parent), 400 for a node selector that does not parse. `selector_out` is NULL for a
 * whole document. What was understood before a refusal is in `place_out` all the same, so that whoever may not know is
 * told nothing: its usage is NULL for an unknown AUID or an owner that is no address. */
enum status document_place(const struct documents *documents, const struct xcap_target *target, bool put,
                           struct arena *arena, struct document_place *place_out,
                           const struct xcap_selector **selector_out, struct refusal *refusal);

/* "<ancestor>…</ancestor>" of a no-parent: the home directory or the global tree of a place, which are always there
 * (RFC 4825 §8.2.1). Empty without a root. */
struct text document_ancestor(const struct document_place *place, struct text root_uri, struct arena *arena);

/* A node of the document, as xcap_get finds it: NOT_FOUND when there is no document, or no such node in it (then
 * `found_out` has a version). The bytes of the document may be left out. What a usage finds by a unique value
 * (usage_selects_claim) is made of the document that holds it, whose version it then has; the whole is never made. */
enum status document_read_node(const struct documents *documents, const struct document_place *place,
                               const struct xcap_selector *selector, struct arena *arena, struct stored *found_out,
                               struct text *node_out);

/* Computed documents have a version too: it changes when their bytes do. NOT_FOUND; FAILED, where the bytes are what
 * the sheet complained of, if it was that; FULL for one made of contents that would be larger than
 * DOCUMENT_LISTING_MAX. One made of a home lists folders in part instead. */
enum status document_read(const struct documents *documents, const struct document_place *place, struct arena *arena,
                          struct stored *found_out);
enum status document_read_version(const struct documents *documents, const struct document_place *place,
                                  struct stored *found_out);

/* A part of a document that is made of a home, of contents or of records. */
struct document_part {
    struct text auid;  /* of a home: the one usage to be listed, or empty: all, each from its beginning */
    struct text after; /* begins behind this name in that usage, this owner of contents or this record; empty: at the
                          beginning */
    size_t limit; /* entries of a folder, or documents: 1…STORE_PAGE_MAX; there is one at least, if there is any */
};

/* A part is a document of the same form, whose version follows its own bytes alone. `next_out` is the `after` of the
 * part that follows; empty when this is the last, or of all folders. NOT_FOUND: not such a document, or it has no such
 * folder; FULL: one of the documents is too large alone. What is there all the time while parts are read one after
 * another is in exactly one of them. */
enum status document_read_part(const struct documents *documents, const struct document_place *place,
                               const struct document_part *part, struct arena *arena, struct stored *found_out,
                               struct text *next_out);

/* Records that a module above keeps for each user, who reads them as a computed document and may let go of some. */
#define DOCUMENT_RECORDS_MAX 1000 /* listed at most: more than a client shows, and the list stays below a megabyte */
struct document_records {
    /* Adds one <record reference="…"…/> for each that is to be listed: those of a part, with the name behind which the
     * next one begins, in the arena of the listing; or, with `part` NULL, what the owner sees who asks for the whole,
     * at most DOCUMENT_RECORDS_MAX. OK, FAILED. */
    enum status (*list)(const struct documents *documents, struct text owner, const struct document_part *part,
                        struct text_builder *listing, struct text *next_out);
    /* Commits, for one call, that remove those names, or some of all when `names` is NULL; none when nothing is there.
     * One that ends in CONFLICT is looked at again by another call. */
    enum status (*remove)(const struct documents *documents, struct text owner, const struct text *names, size_t count,
                          struct text who, struct arena *arena, struct commit **commits_out, size_t *commits_count_out);
    /* What `remove` gave has its results. NULL: that is no matter. */
    void (*removed)(const struct commit *commits, size_t count);
    /* The owner has read the whole of it, as it was at that time. NULL: that is no matter. */
    void (*listed)(const struct documents *documents, struct text owner, int64_t when_ms, struct arena *arena);
};

/* Before the documents are shared. Without: there are none. `records` outlive the documents. */
void documents_set_records(struct documents *documents, enum usage_source source,
                           const struct document_records *records);

/* name="…" in a listing; what XML cannot hold is left out, and so is an empty value. */
void document_add_attribute(struct text_builder *listing, const char *name, struct text value);

/* A message among the records of a user. */
struct document_message {
    struct text reference;
    uint64_t size;
    int64_t when_ms, until_ms; /* until INT64_MAX: without end */
    bool sent;                 /* by the user, rather than got */
    struct text from, to, group, group_name, subject;
};

/* <record reference="…"…, whose end, and what is in it, is left to the caller. */
void document_add_message(struct text_builder *listing, const struct document_message *message);

/* Entity tag of a version, with its quotes, and that of its gzip: other bytes, so another strong tag (RFC 9110 §8.8.3).
 */
struct text document_etag(uint64_t version, struct arena *arena);
struct text document_etag_gzip(uint64_t version, struct arena *arena);

/* If-Match / If-None-Match as sent (lists, "*", weak and unquoted forms; RFC 9110 §13.1). version 0: no document. Both
 * tags of a version stand for it. */
bool document_if_match(struct text header, uint64_t version);
bool document_if_none_match(struct text header, uint64_t version); /* false: 304 or 412 */

/* By the time that Last-Modified tells, whole seconds. What is computed has none and counts as changed. */
bool document_modified_since(const struct stored *found, int64_t since_ms);

/* Does the If-None-Match of a reader name the version? The tag that it has, for its 304: the one of the gzip only if
 * the reader still takes that. */
bool document_reader_has(struct text header, uint64_t version, bool gzip, struct arena *arena, struct text *tag_out);

/* Waits for its turn at a document that another change works on. */
struct gate_waiter {
    commit_done_fn *entered;
    void *context;
    struct gate_waiter *next;
};

struct document_change {
    const struct documents *documents;
    struct document_place place;
    const struct xcap_selector *selector; /* NULL: the whole document */
    bool deletion;
    struct text body;
    const struct text *if_match, *if_none_match; /* raw header values; NULL when absent */
    int64_t unmodified_since_ms;                 /* a later change there: 412; 0: no matter, and so with if_match */
    bool content_type_fits; /* checked by the caller; a mismatch is refused here, in its place of the order (415) */
    struct text who;        /* canonical, for the change record */
    struct text root_uri;
    struct text owner_addresses; /* beside the owner's address of record, separated by blanks */
    struct arena *arena;         /* lives as long as the change */

    /* results, when document_change_run says DOCUMENT_FINISHED */
    enum status status;     /* OK, NOT_FOUND, REFUSED (see refusal), FULL, FAILED, CONFLICT (lost DOCUMENT_TRIES_MAX),
                             * UNCERTAIN (it may have happened, and what stands there does not tell) */
    struct refusal refusal; /* of a sheet that FAILED its phrase, for those who wrote it */
    bool created;           /* 201 rather than 200 */
    uint64_t version;       /* of the document after the change; 0 when it was deleted */

    /* private */
    struct commit commit;
    struct commit *records; /* of what is made of records: these instead of `commit` */
    size_t records_count;
    const struct usage_claim *claims;
    size_t claims_count;
    struct arena round; /* of one try: a change that loses often must not keep every version it saw */
    struct gate_waiter turn;
    unsigned tries;
    bool entered;     /* has its turn, or waits for it */
    bool waiting;     /* for the store */
    bool removed;     /* records, in an earlier round */
    struct text name; /* of the one record that goes; empty: all */
};

enum document_step { DOCUMENT_FINISHED, DOCUMENT_WAITING };

/* Runs until finished or until it waits for the disk. After DOCUMENT_WAITING `done` is called once, from another thread
 * or before this returns; only then call again, until DOCUMENT_FINISHED (which frees what the tries took). The order of
 * refusals is that of RFC 4825 §8 (409 no-parent, 415, 412, 409 body, edit, schema, uniqueness, constraint). */
enum document_step document_change_run(struct document_change *change, commit_done_fn *done, void *context);

/* What refuses the change whatever its body is: target, type, conditions. A look that takes no turn and changes
 * nothing: OK, NOT_FOUND, REFUSED with `refusal`, FAILED. The change may be run afterwards. */
enum status document_change_look(struct document_change *change);

/* document_change_run, waiting inside: for tools and tests. */
void document_change_wait(struct document_change *change);

/* Internal usages: their documents are records (record.h), their names start with '#', XCAP never serves them. */
#define DOCUMENT_USERS            "#users"    /* owner: canonical address */
#define DOCUMENT_BINDINGS         "#bindings" /* owner: canonical address, name: of the contact */
#define DOCUMENT_DEFERRED         "#deferred" /* owner: recipient, name: reference, in the order of delivery */
#define DOCUMENT_CONTENTS         "#contents" /* no owner, name: of a message that #deferred refers to */
#define DOCUMENT_FAN_OUTS         "#fan-outs" /* no owner, name: of copies that are being handed out, in their order */
#define DOCUMENT_FATES            "#fates"    /* owner: message id, name: recipient; or of many recipients */
#define DOCUMENT_KEYS             "#keys"     /* owner: a program, name: what for; secrets of the data folder */
#define DOCUMENT_REPORTS          "#reports"  /* owner: who gets them, name: order of arrival */
#define DOCUMENT_SETTINGS         "#settings" /* owner: canonical address, name: of what one client published */
#define DOCUMENT_SUBSCRIPTIONS    "#subscriptions" /* owner: canonical address that is watched, name: random */
#define DOCUMENT_ERASURES         "#erasures"      /* no owner, name: in the order of time, newest first */
#define DOCUMENT_ERASED           "#erased"        /* owner: canonical address, or none: when that was, or the last */
#define DOCUMENT_LOOKS            "#looks"         /* owner: canonical address, name: what im-glue is to look at */
#define DOCUMENT_LISTED           "#listed" /* owner: canonical address, name: empty; when he read the list of what waits */
#define DOCUMENT_HISTORY          "#history"          /* owner: canonical address, name: reference of an entry */
#define DOCUMENT_HISTORY_MESSAGES "#history-messages" /* owner: id of a message that histories keep, name: empty */

/* Kind of the unique claims that a user's document holds of each of his addresses, the canonical address of record
 * first (identity/user.h). */
#define DOCUMENT_USER_ADDRESS "user-address"

/* Whose documents stand under a canonical address: the address of record of the user who has it among his addresses,
 * else the address itself. FAILED. */
enum status document_owner(const struct documents *documents, struct text address, struct arena *arena,
                           struct text *owner_out);

/* For monitoring, from any thread: can anything be read? */
bool document_store_answers(const struct documents *documents, struct arena *arena);

/* Number of the newest change in the whole store: looked at before each use of what was kept (store_last_change). */
uint64_t document_newest_change(const struct documents *documents);

/* store_get, store_head, store_list and store_holders, for whoever knows no store. Asserts that the usage is an
 * internal one. */
enum status document_internal_read(const struct documents *documents, const struct document_key *key,
                                   struct arena *arena, struct stored *found_out);
enum status document_internal_head(const struct documents *documents, const struct document_key *key,
                                   struct stored *found_out);
enum status document_internal_list(const struct documents *documents, const struct document_key *prefix,
                                   const struct document_key *after, size_t limit, struct arena *arena,
                                   struct key_page *page_out);
enum status document_internal_holders(const struct documents *documents, struct text kind, struct text value_prefix,
                                      const struct text *after_value, const struct document_key *after, size_t limit,
                                      struct arena *arena, struct key_page *page_out, struct text **values_out);

/* store_tally and store_first_tally: of counted claims that documents of internal usages hold. */
enum status document_internal_first_tally(const struct documents *documents, struct text kind, struct arena *arena,
                                          struct text *value_out);
enum status document_internal_tally(const struct documents *documents, struct text kind, struct text value,
                                    struct tally *tally_out);

/* Queued; each commit gets its own result. Asserts that every key is of an internal usage. */
void document_internal_submit(const struct documents *documents, struct commit *commits, size_t count,
                              commit_done_fn *done, void *context);
enum status document_internal_commit(const struct documents *documents, struct commit *commits, size_t count);

/* Finds the XCAP document that holds a unique claim ("group-uri"). NOT_FOUND. */
enum status document_find(const struct documents *documents, struct text claim_kind, struct text claim_value,
                          struct arena *arena, struct stored *found_out);

/* All documents of one owner in one usage, oldest name first, at most `limit`. */
enum status document_list(const struct documents *documents, const struct usage *usage, struct text owner,
                          const struct document_key *after, size_t limit, struct arena *arena,
                          struct key_page *page_out);

/* All documents of one usage, whoever owns them, in byte order of (owner, name). */
enum status document_list_all(const struct documents *documents, const struct usage *usage,
                              const struct document_key *after, size_t limit, struct arena *arena,
                              struct key_page *page_out);

/* Commits that delete documents of one owner, of any usage that is loaded: at most `limit`, with room for one more. */
enum status document_removals(const struct documents *documents, struct text owner, size_t limit, struct text who,
                              struct arena *arena, struct commit **commits_out, size_t *count_out);

/* In one call, with what becomes of internal documents meanwhile. Asserts that others are only deleted. */
enum status document_erase(const struct documents *documents, struct commit *commits, size_t count);

/* Follows an XCAP URI inside a document (external anchor, entry-ref): absolute or relative to the root, any of `roots`
 * (paths: which host an absolute URI names is not looked at). Gives the document and, inside its bytes, what the URI
 * names: all of them or a node. `reader` is the user (address of record) whose rights count, as the manifests say;
 * empty: no rights are asked for. NOT_FOUND when it is not ours, not for the reader or not there; once it is known to
 * be ours and his to read, the key and the version (0: no document) of `found_out` are right all the same, for whoever
 * wants to know when that changes. */
enum status document_follow(const struct documents *documents, struct text uri, const struct text *roots,
                            size_t roots_count, struct text reader, struct arena *arena, struct stored *found_out,
                            struct text *node_out);

struct store *documents_store(const struct documents *documents); /* for feed_new and backups alone */

#endif
