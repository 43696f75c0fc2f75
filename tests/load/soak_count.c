/* Reads a data folder that no program uses: what became of each message for each recipient. One line for each record,
 * "STATE MESSAGE-ID RECIPIENT", then one for each contradiction, "wrong …".  soak_count FOLDER
 *
 * States: delivered, stored (it waits), refused, expired, deleted; lost is none that may be. */
#include <stdio.h>
#include <stdlib.h>

#include "deferred.h"
#include "fate.h"
#include "log.h"
#include "store.h"
#include "xml_validate.h"

#define PAGE 500

static struct arena arena, page_arena;
static struct documents *documents;
static size_t wrong;

static void die(const char *what, struct text why)
{
    fprintf(stderr, "soak_count: %s %.*s\n", what, TEXT_ARG(why));
    exit(EXIT_FAILURE);
}

static void say_wrong(const char *what, struct text a, struct text b)
{
    printf("wrong %s %.*s %.*s\n", what, TEXT_ARG(a), TEXT_ARG(b));
    wrong++;
}

/* The records that wait of one message for one recipient. */
static size_t waiting(const struct fate *fate)
{
    struct deferred_page page;
    size_t count = 0;
    struct text after = TEXT("");
    do {
        if (deferred_list(documents, fate->recipient, after, PAGE, &page_arena, &page) != OK)
            die("not readable", fate->recipient);
        for (size_t i = 0; i < page.count; i++)
            count += text_equal(page.items[i].message_id, fate->message_id) &&
                     text_equal(page.items[i].sender, fate->sender);
        if (page.count)
            after = page.items[page.count - 1].reference;
    } while (page.more && page.count);
    return count;
}

/* What it ended with; NULL: with nothing. The last that ends something counts: a try may fail after another arrived. */
static const char *end_of(const struct fate *fate)
{
    for (size_t i = fate->steps_count; i-- > 0;) {
        switch (fate->steps[i].kind) {
        case FATE_DELIVERED: return "delivered";
        case FATE_EXPIRED: return "expired";
        case FATE_DELETED: return "deleted";
        case FATE_REFUSED: return "refused";
        default: break;
        }
    }
    return NULL;
}

/* For a member of a group whose copy could not even be kept. */
static bool was_never_kept(const struct fate *fate)
{
    const struct fate_step *last = &fate->steps[fate->steps_count - 1];
    return fate->steps_count == 1 && last->kind == FATE_FAILED;
}

static void count_fate(const struct fate *fate)
{
    size_t waits = waiting(fate);
    const char *state = waits ? "stored" : end_of(fate);
    if (!state)
        state = fate->steps_count && was_never_kept(fate) ? "refused" : "lost";
    printf("%s %.*s %.*s\n", state, TEXT_ARG(fate->message_id), TEXT_ARG(fate->recipient));
    if (waits > 1)
        say_wrong("kept twice", fate->message_id, fate->recipient);
    if (waits && end_of(fate))
        say_wrong("waits though it has ended", fate->message_id, fate->recipient);
}

/* Of one message to one recipient, or to many. */
static void count_record(const struct document_key *key)
{
    struct fate fate, *fates;
    size_t count;
    if (key->name.length == 0 || key->name.bytes[0] != ' ') {
        if (fate_get_own(documents, key->owner, key->name, &page_arena, &fate) != OK)
            return say_wrong("fate not readable", key->owner, key->name);
        return count_fate(&fate);
    }
    if (fate_of_message(documents, key->owner, PAGE, &page_arena, &fates, &count) != OK)
        return say_wrong("fates not readable", key->owner, key->name);
    for (size_t i = 0; i < count; i++)
        if (fate_get_own(documents, key->owner, fates[i].recipient, &page_arena, &fate) == NOT_FOUND)
            count_fate(&fates[i]);
}

static void count_fates(void)
{
    const struct document_key all = {.usage = TEXT(DOCUMENT_FATES)};
    struct key_page page = {.more = true};
    struct document_key last;
    for (const struct document_key *after = NULL; page.more; after = &last) {
        if (document_internal_list(documents, &all, after, PAGE, &arena, &page) != OK)
            die("fates", TEXT("are not readable"));
        for (size_t i = 0; i < page.count; i++) {
            count_record(&page.keys[i]);
            arena_reset(&page_arena);
        }
        if (page.count == 0)
            break;
        last = page.keys[page.count - 1];
    }
}

/* Each that waits has its trace, and the sums are those of the records. */
static void check_deferred(void)
{
    struct deferred_page page = {.more = true};
    struct deferred last;
    struct deferred_figures figures;
    uint64_t count = 0, bytes = 0;
    for (const struct deferred *after = NULL; page.more; after = &last) {
        if (deferred_list_all(documents, after, PAGE, &arena, &page) != OK)
            die("records", TEXT("are not readable"));
        for (size_t i = 0; i < page.count; i++) {
            struct fate fate;
            const struct deferred *item = &page.items[i];
            if (fate_get(documents, item->message_id, item->owner, &page_arena, &fate) != OK)
                say_wrong("waits without a trace", item->message_id, item->owner);
            count++;
            bytes += item->size;
            arena_reset(&page_arena);
        }
        if (page.count == 0)
            break;
        last = page.items[page.count - 1];
    }
    if (deferred_figures(documents, TEXT(""), &figures) != OK || figures.count != count || figures.bytes != bytes)
        say_wrong("sums of what waits", text_format(&arena, "%llu", (unsigned long long)figures.count),
                  text_format(&arena, "%llu", (unsigned long long)count));
}

static void say_line(void *context, struct text line)
{
    (void)context;
    say_wrong("as a check says:", line, TEXT(""));
}

int main(int argc, char **argv)
{
    struct text error = {0};
    struct usage_set *usages = NULL;
    if (argc != 2)
        die("FOLDER", error);
    log_open("soak_count", LOG_LEVEL_ERROR);
    xml_open();
    arena_init(&arena, "soak");
    arena_init(&page_arena, "record");
    struct store *store = store_open_lmdb(argv[1], &arena, &error);
    if (!store || usage_set_load("schemas", &usages, &arena, &error) != OK)
        die("open", error);
    documents = documents_new(store, usages);
    count_fates();
    check_deferred();
    if (deferred_check(documents, INT64_MAX, say_line, NULL) == FAILED)
        die("records", TEXT("are not readable"));
    store_close(store);
    documents_free(documents);
    usage_set_free(usages);
    arena_clear(&arena);
    arena_clear(&page_arena);
    xml_close();
    return wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}
