/* xdmctl check: reads a whole data folder and says what contradicts itself. Needs no server; one may run meanwhile. */
#include <stdio.h>
#include <unistd.h>

#include "ctl.h"
#include "store.h"

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

enum ctl_exit ctl_check(struct ctl *ctl, int count, char **arguments)
{
    const char *folder = NULL;
    if (!ctl_option(&count, &arguments, "--data", &folder) || count)
        return CTL_USAGE;
    struct store *store = ctl_open_store(ctl, folder);
    if (!store)
        return CTL_REFUSED;
    enum status status = store_check(store, ctl_print_problem, ctl);
    store_close(store);
    if (status == FAILED)
        return ctl_error("%s: could not be read to its end", folder);
    return status == OK ? CTL_OK : ctl_error("%s: is damaged", folder);
}
