/* xdmctl check: reads a whole data folder and says what contradicts itself. Needs no server; one may run meanwhile. */
#include <stdio.h>
#include <unistd.h>

#include "clock.h"
#include "ctl.h"
#include "deferred.h"
#include "document_index.h"
#include "store.h"
#include "xml_validate.h"

void ctl_print_problem(void *context, struct text line)
{
    struct ctl *ctl = context;
    ctl_print(text_cstring(&ctl->arena, line));
    putchar('\n');
}

struct store *ctl_open_store(struct ctl *ctl, const char *folder)
{
    struct text error;
    /* Opening makes what is missing. */
    if (access(text_cstring(&ctl->arena, text_format(&ctl->arena, "%s/data.mdb", folder)), R_OK) != 0) {
        ctl_error("%s: holds no store that can be read", folder);
        return NULL;
    }
    ctl_guard(folder);
    struct store *store = store_open_lmdb(folder, &ctl->arena, &error);
    if (!store)
        ctl_error("%.*s", TEXT_ARG(error));
    return store;
}

#define ORPHAN_AGE_MS 600000 /* of bytes whose records may still come: far more than it takes */

static enum status check_deferred(struct ctl *ctl, struct store *store)
{
    struct documents *documents = documents_new(store, NULL);
    enum status status = deferred_check(documents, clock_wall_ms() - ORPHAN_AGE_MS, ctl_print_problem, ctl);
    documents_free(documents);
    return status;
}

/* Entries of indexes against the documents that they are of. */
static enum status check_indexes(struct ctl *ctl, struct store *store, const char *schemas)
{
    struct usage_set *set = NULL;
    struct text error;
    xml_open();
    enum status status = usage_set_load(schemas, &set, &ctl->arena, &error);
    if (status == OK) {
        struct documents *documents = documents_new(store, set);
        status = document_index_check(documents, ctl_print_problem, ctl);
        documents_free(documents);
        usage_set_free(set);
    } else {
        ctl_error("%.*s", TEXT_ARG(error));
    }
    xml_close();
    return status;
}

enum ctl_exit ctl_check(struct ctl *ctl, int count, char **arguments)
{
    const char *folder = NULL, *schemas = NULL;
    while (ctl_option(&count, &arguments, "--data", &folder) || ctl_option(&count, &arguments, "--schemas", &schemas))
        ;
    if (count || !folder)
        return CTL_USAGE;
    struct store *store = ctl_open_store(ctl, folder);
    if (!store)
        return CTL_REFUSED;
    enum status status = store_check(store, ctl_print_problem, ctl);
    if (status == OK)
        status = check_deferred(ctl, store);
    if (status == OK && schemas)
        status = check_indexes(ctl, store, schemas);
    store_close(store);
    if (status == FAILED)
        return ctl_error("%s: could not be read to its end", folder);
    return status == OK ? CTL_OK : ctl_error("%s: is damaged", folder);
}
