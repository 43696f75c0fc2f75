/* Proves of a history of reads and compare-and-set writes of one document that it could have happened one operation at
 * a time, each at a moment between its call and its return.
 *
 * Every write makes a version of its own, greater than all before. So each operation has a place: a write its version,
 * a read (and a write that was refused, which read what stood there) the version it saw. Such a history is linearizable
 * if and only if
 *   - each version was written from the one before it: the chain has no branch and no gap,
 *   - each version that was seen was written, with these bytes,
 *   - of two operations where one returned before the other was called, the later one has no lesser place, and a
 * greater one if it is a write. */
#ifndef SUPPORT_LINEAR_H
#define SUPPORT_LINEAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

enum linear_kind { LINEAR_READ, LINEAR_WRITE, LINEAR_REFUSED };

struct linear_op {
    enum linear_kind kind;
    int64_t called, returned; /* one clock for all */
    uint64_t expected;        /* writes: the version that they were to replace */
    uint64_t version;         /* written, or seen; 0: no document */
    uint64_t value;           /* written, or seen */
};

static inline int linear_by_call(const void *a, const void *b)
{
    const struct linear_op *left = a, *right = b;
    return (left->called > right->called) - (left->called < right->called);
}

static inline int linear_by_return(const void *a, const void *b)
{
    const struct linear_op *const *left = a, *const *right = b;
    return ((*left)->returned > (*right)->returned) - ((*left)->returned < (*right)->returned);
}

static inline int linear_by_version(const void *a, const void *b)
{
    const struct linear_op *const *left = a, *const *right = b;
    return ((*left)->version > (*right)->version) - ((*left)->version < (*right)->version);
}

/* The writes in the order of their versions, or NULL when they are no chain. */
static inline const struct linear_op **linear_chain(const struct linear_op *ops, size_t count, size_t *length_out)
{
    const struct linear_op **chain = malloc((count + 1) * sizeof(*chain));
    size_t length = 0;
    bool good = chain != NULL;
    for (size_t i = 0; good && i < count; i++)
        if (ops[i].kind == LINEAR_WRITE)
            chain[length++] = &ops[i];
    if (good)
        qsort(chain, length, sizeof(*chain), linear_by_version);
    for (size_t i = 0; good && i < length; i++)
        good = chain[i]->expected == (i ? chain[i - 1]->version : 0) && chain[i]->version > chain[i]->expected;
    if (!good) {
        free(chain);
        return NULL;
    }
    *length_out = length;
    return chain;
}

/* What was seen was written. A refused write saw another version than it expected. */
static inline bool linear_seen(const struct linear_op *op, const struct linear_op **chain, size_t length)
{
    if (op->kind == LINEAR_WRITE)
        return true;
    if (op->kind == LINEAR_REFUSED && op->version == op->expected)
        return false;
    if (op->version == 0)
        return true;
    for (size_t low = 0, high = length; low < high;) {
        size_t middle = (low + high) / 2;
        if (chain[middle]->version == op->version)
            return op->kind == LINEAR_REFUSED || chain[middle]->value == op->value;
        if (chain[middle]->version < op->version)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* Sorts `ops` by their calls. */
static inline bool linear_in_real_time(struct linear_op *ops, size_t count)
{
    struct linear_op **returned = malloc((count + 1) * sizeof(*returned));
    uint64_t newest = 0; /* place of what had returned */
    bool good = returned != NULL;
    qsort(ops, count, sizeof(*ops), linear_by_call);
    for (size_t i = 0; good && i < count; i++)
        returned[i] = &ops[i];
    if (good)
        qsort(returned, count, sizeof(struct linear_op *), linear_by_return);
    for (size_t i = 0, done = 0; good && i < count; i++) {
        for (; returned[done]->returned < ops[i].called; done++)
            if (returned[done]->version > newest)
                newest = returned[done]->version;
        good = ops[i].kind == LINEAR_WRITE ? ops[i].version > newest : ops[i].version >= newest;
    }
    free(returned);
    return good;
}

static inline bool linear_check(struct linear_op *ops, size_t count)
{
    size_t length = 0;
    const struct linear_op **chain = linear_chain(ops, count, &length);
    bool good = chain != NULL;
    for (size_t i = 0; good && i < count; i++)
        good = linear_seen(&ops[i], chain, length);
    free(chain);
    return good && linear_in_real_time(ops, count);
}

/* The definition itself, for short histories: tries all orders (Wing and Gong). `done` has a bit for each operation. */
static inline bool linear_search(const struct linear_op *ops, size_t count, unsigned done, uint64_t version,
                                 uint64_t value)
{
    if (done == (1u << count) - 1)
        return true;
    int64_t first_return = INT64_MAX;
    for (size_t i = 0; i < count; i++)
        if (!(done >> i & 1) && ops[i].returned < first_return)
            first_return = ops[i].returned;
    for (size_t i = 0; i < count; i++) {
        const struct linear_op *op = &ops[i];
        if (done >> i & 1 || op->called > first_return)
            continue; /* something else had returned before it was called */
        bool fits = op->kind == LINEAR_WRITE     ? op->expected == version && op->version > version
                    : op->kind == LINEAR_REFUSED ? op->version == version && op->expected != version
                                                 : op->version == version && (version == 0 || op->value == value);
        bool writes = op->kind == LINEAR_WRITE;
        if (fits &&
            linear_search(ops, count, done | 1u << i, writes ? op->version : version, writes ? op->value : value))
            return true;
    }
    return false;
}

#endif
