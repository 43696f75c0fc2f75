/* Keeps documents that were made of the contents of others until one of those changes. What was kept holds as long as
 * no change record since then is of its usage, so it is right in every process, whoever writes. */
#include <pthread.h>
#include <stdlib.h>

#include "documents.h"
#include "metrics.h"

#define MADE_MAX 8     /* documents: one or two usages have such, each once per name of the server */
#define WALK_MAX 20000 /* change records that are looked through; past it making anew is as cheap */

struct made {
    const struct usage *usage; /* NULL: free. Sets that are replaced are forgotten before they go */
    char *memory;              /* name, root URI and bytes, one after another */
    struct text name, root_uri, bytes;
    uint64_t version;
    uint64_t change; /* number of the change up to which it is known to hold */
    uint64_t used;   /* the larger, the later */
};

struct document_made {
    pthread_mutex_t lock; /* held while change records are looked through: who waits would look through the same */
    struct made kept[MADE_MAX];
    uint64_t clock;
    struct metric *kept_total, *made_total;
};

static struct made *find(struct document_made *made, const struct document_place *place);
static bool still_holds(const struct documents *documents, struct made *entry);

struct document_made *document_made_new(void)
{
    struct document_made *made = memory_new(sizeof(*made));
    const char *help = "Documents that were made of others, and those that were kept and given again.";
    pthread_mutex_init(&made->lock, NULL);
    made->made_total = metric_counter("xdms_made_documents_total", "how=\"made\"", help);
    made->kept_total = metric_counter("xdms_made_documents_total", "how=\"kept\"", help);
    return made;
}

static void forget(struct made *entry)
{
    free(entry->memory);
    *entry = (struct made){0};
}

void document_made_forget(struct document_made *made)
{
    pthread_mutex_lock(&made->lock);
    for (size_t i = 0; i < MADE_MAX; i++)
        forget(&made->kept[i]);
    pthread_mutex_unlock(&made->lock);
}

void document_made_free(struct document_made *made)
{
    document_made_forget(made);
    pthread_mutex_destroy(&made->lock);
    free(made);
}

bool document_made_find(const struct documents *documents, const struct document_place *place, struct arena *arena,
                        struct stored *found_out)
{
    struct document_made *made = documents->made;
    pthread_mutex_lock(&made->lock);
    struct made *entry = find(made, place);
    bool holds = entry && still_holds(documents, entry);
    if (holds) {
        entry->used = ++made->clock;
        found_out->bytes = text_copy(arena, entry->bytes);
        found_out->version = entry->version;
    } else if (entry) {
        forget(entry);
    }
    pthread_mutex_unlock(&made->lock);
    metric_add(holds ? made->kept_total : made->made_total, 1);
    return holds;
}

static struct made *find(struct document_made *made, const struct document_place *place)
{
    for (size_t i = 0; i < MADE_MAX; i++) {
        struct made *entry = &made->kept[i];
        if (entry->usage == place->usage && text_equal(entry->name, place->key.name) &&
            text_equal(entry->root_uri, place->root_uri))
            return entry;
    }
    return NULL;
}

/* The records are read in the order of their numbers, so a change that comes while they are read comes later. */
static bool still_holds(const struct documents *documents, struct made *entry)
{
    uint64_t last = store_last_change(documents->store);
    struct arena arena;
    bool holds = last != STORE_CHANGE_UNKNOWN && last >= entry->change && last - entry->change <= WALK_MAX;
    arena_init(&arena, "changes");
    while (holds && entry->change < last) {
        struct change_page page = {0};
        arena_reset(&arena);
        enum status status = store_changes(documents->store, entry->change, STORE_PAGE_MAX, &arena, &page);
        holds = status == OK && !page.lost && page.count > 0;
        for (size_t i = 0; holds && i < page.count; i++)
            holds = !text_equal(page.changes[i].key.usage, entry->usage->auid);
        if (holds)
            entry->change = page.changes[page.count - 1].number;
    }
    arena_clear(&arena);
    return holds;
}

static struct text append(char **end, struct text part)
{
    struct text copy = {*end, part.length};
    if (part.length)
        memcpy(*end, part.bytes, part.length);
    *end += part.length;
    return copy;
}

static struct made *longest_unused(struct document_made *made)
{
    struct made *entry = &made->kept[0]; /* free ones were never used */
    for (size_t i = 1; i < MADE_MAX; i++)
        if (made->kept[i].used < entry->used)
            entry = &made->kept[i];
    return entry;
}

void document_made_keep(const struct documents *documents, const struct document_place *place, uint64_t change,
                        const struct stored *found)
{
    struct document_made *made = documents->made;
    pthread_mutex_lock(&made->lock);
    struct made *entry = find(made, place);
    /* another thread may have kept a later one meanwhile */
    if (!entry || entry->change <= change) {
        entry = entry ? entry : longest_unused(made);
        forget(entry);
        char *end = memory_new(place->key.name.length + place->root_uri.length + found->bytes.length + 1);
        entry->memory = end;
        entry->name = append(&end, place->key.name);
        entry->root_uri = append(&end, place->root_uri);
        entry->bytes = append(&end, found->bytes);
        entry->usage = place->usage;
        entry->version = found->version;
        entry->change = change;
        entry->used = ++made->clock;
    }
    pthread_mutex_unlock(&made->lock);
}
