/* Nodes of stored documents. Large documents whose nodes are read again and again are kept with an index, so that a
 * read costs what it touches. What is kept is found by its version, which no other state of any document has: nothing
 * must ever be told that it is out of date. */
#include <pthread.h>
#include <stdlib.h>

#include "documents.h"
#include "xcap_edit.h"
#include "xcap_index.h"

#define SHARDS          16         /* threads meet by chance only */
#define SLOTS           64         /* of a shard */
#define SHARD_BYTES_MAX (2u << 20) /* 32 MB in all */
#define KEPT_BYTES_MIN  4096       /* what is smaller is read and scanned as fast as it is found here */
#define KEPT_BYTES_MAX  (SHARD_BYTES_MAX / 4)

struct kept {
    uint64_t version;
    char *bytes;
    size_t length;
    struct xcap_index *index;
};

struct shard {
    pthread_mutex_t lock; /* held while a node is looked up and copied */
    struct kept kept[SLOTS];
    uint64_t seen[SLOTS]; /* versions that were read once: what is read again is kept */
    size_t bytes;
    size_t next; /* to be dropped when there is no room */
};

struct document_nodes {
    struct shard shards[SHARDS];
};

struct document_nodes *document_nodes_new(void)
{
    struct document_nodes *nodes = memory_new(sizeof(*nodes));
    for (size_t i = 0; i < SHARDS; i++)
        pthread_mutex_init(&nodes->shards[i].lock, NULL);
    return nodes;
}

static size_t kept_bytes(const struct kept *kept)
{
    return kept->index ? kept->length + xcap_index_bytes(kept->index) : 0;
}

static void drop(struct shard *shard, struct kept *kept)
{
    shard->bytes -= kept_bytes(kept);
    xcap_index_free(kept->index);
    free(kept->bytes);
    *kept = (struct kept){0};
}

void document_nodes_free(struct document_nodes *nodes)
{
    for (size_t i = 0; i < SHARDS; i++) {
        for (size_t k = 0; k < SLOTS; k++)
            drop(&nodes->shards[i], &nodes->shards[i].kept[k]);
        pthread_mutex_destroy(&nodes->shards[i].lock);
    }
    free(nodes);
}

static struct shard *shard_of(struct document_nodes *nodes, uint64_t version, size_t *slot_out)
{
    *slot_out = version / SHARDS % SLOTS;
    return &nodes->shards[version % SHARDS];
}

/* True: the status is that of xcap_get. False: not kept; `*again_out`: but asked for before. */
static bool find_kept(struct document_nodes *nodes, uint64_t version, const struct xcap_selector *selector,
                      struct arena *arena, enum status *status_out, struct text *node_out, bool *again_out)
{
    size_t slot;
    struct shard *shard = shard_of(nodes, version, &slot);
    pthread_mutex_lock(&shard->lock);
    const struct kept *kept = &shard->kept[slot];
    bool found = kept->index && kept->version == version;
    if (found) {
        const struct text document = {kept->bytes, kept->length};
        *status_out = xcap_index_get(kept->index, document, selector, arena, node_out);
        if (*status_out == OK)
            *node_out = text_copy(arena, *node_out);
    } else {
        *again_out = shard->seen[slot] == version;
        shard->seen[slot] = version;
    }
    pthread_mutex_unlock(&shard->lock);
    return found;
}

static void keep(struct document_nodes *nodes, const struct stored *found)
{
    struct kept fresh = {.version = found->version, .length = found->bytes.length};
    if (fresh.length < KEPT_BYTES_MIN || fresh.length > KEPT_BYTES_MAX)
        return;
    fresh.index = xcap_index_new(found->bytes);
    if (!fresh.index)
        return;
    fresh.bytes = memcpy(memory_new_raw(fresh.length), found->bytes.bytes, fresh.length);
    size_t slot;
    struct shard *shard = shard_of(nodes, found->version, &slot);
    pthread_mutex_lock(&shard->lock);
    drop(shard, &shard->kept[slot]);
    for (size_t i = 0; i < SLOTS && shard->bytes + kept_bytes(&fresh) > SHARD_BYTES_MAX; i++)
        drop(shard, &shard->kept[shard->next++ % SLOTS]);
    shard->kept[slot] = fresh;
    shard->bytes += kept_bytes(&fresh);
    if (shard->bytes > SHARD_BYTES_MAX) /* its index alone is too large */
        drop(shard, &shard->kept[slot]);
    pthread_mutex_unlock(&shard->lock);
}

/* The document, or as much of a made one as is needed to find the node. */
static enum status read_for_node(const struct documents *documents, const struct document_place *place,
                                 const struct xcap_selector *selector, struct arena *arena, struct stored *found_out)
{
    struct text kind, value, next;
    struct document_key holder;
    if (!usage_selects_claim(place->usage, place->row, selector, arena, &kind, &value))
        return document_read(documents, place, arena, found_out);
    enum status status = value.length ? store_find(documents->store, kind, value, arena, &holder) : NOT_FOUND;
    if (status != OK)
        return status;
    return document_compute(documents, place, &(struct document_choice){.holder = &holder}, arena, found_out, &next);
}

enum status document_read_node(const struct documents *documents, const struct document_place *place,
                               const struct xcap_selector *selector, struct arena *arena, struct stored *found_out,
                               struct text *node_out)
{
    bool again = false;
    enum status status;
    if (place->row->kind != USAGE_COMPUTED) {
        status = store_head(documents->store, &place->key, found_out);
        if (status != OK)
            return status;
        if (find_kept(documents->nodes, found_out->version, selector, arena, &status, node_out, &again))
            return status;
    }
    status = read_for_node(documents, place, selector, arena, found_out);
    if (status != OK)
        return status;
    if (again)
        keep(documents->nodes, found_out);
    return xcap_get(found_out->bytes, selector, arena, node_out);
}
