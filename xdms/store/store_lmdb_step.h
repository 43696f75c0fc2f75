/* One commit on its way into a transaction of LMDB. */
#ifndef STORE_LMDB_STEP_H
#define STORE_LMDB_STEP_H

#include "store_lmdb_index.h"

struct step {
    struct lmdb_store *store;
    MDB_txn *txn;
    MDB_cursor *heads; /* NULL: not open. One for all steps: what is next to the last one is found without a search */
    struct commit *commit;
    struct lmdb_key place; /* of the document in heads */
    struct head old;       /* in the scratch arena: the map changes under writes. Without bytes */
    bool exists;
    uint64_t number, quiet; /* of the change, or the quiet write, that this makes */
    uint32_t index_number;  /* of the document, in its index */
    bool worked;            /* something was written that is neither */
    int64_t now_ms;
};

/* 0 with a status in the commit, whatever it is; else an LMDB error, and the transaction is lost. */
int lmdb_step_run(struct step *step);

#endif
