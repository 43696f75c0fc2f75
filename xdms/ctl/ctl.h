/* What the files of xdmctl share: one run of the program, calls of the admin API, and how to leave. */
#ifndef CTL_H
#define CTL_H

#include <jansson.h>

#include "arena.h"
#include "text.h"

/* The handshake of TLS with it: a busy server takes its time, and where none listens that is told at once. */
#define CONNECT_MS_MAX 30000

enum ctl_exit { CTL_OK = 0, CTL_REFUSED = 1, CTL_USAGE = 2, CTL_UNREACHABLE = 3, CTL_NOTHING = 4 };

struct ctl {
    struct arena arena;
    const char *admin;               /* HOST:PORT, or a URL without path: http://… or https://… */
    const char *token;               /* NULL: none */
    const char *cacert, *cert, *key; /* PEM files for https; NULL: the system's CAs, no certificate of ours */
    json_t *json;                    /* of the last answer */
};

struct ctl_request {
    const char *method;
    struct text path; /* below /api/v1/, with escapes and query */
    const char *content_type;
    struct text body;
    bool may_take_long; /* no limit on the time of the answer */
};

struct ctl_answer {
    long status;
    struct text body;
    json_t *json; /* NULL when the body is no JSON; lives until the next call */
};

/* OK: there is an answer, whatever it says. UNREACHABLE: that has been said on standard error. */
enum ctl_exit ctl_ask(struct ctl *ctl, const struct ctl_request *request, struct ctl_answer *answer_out);

/* The same; an answer that is no 2xx is said on standard error too: REFUSED. */
enum ctl_exit ctl_call(struct ctl *ctl, const struct ctl_request *request, struct ctl_answer *answer_out);
enum ctl_exit ctl_refused(const struct ctl_answer *answer);

/* Calls GET PATH page by page and `print` for each entry of the array `list`. */
enum ctl_exit ctl_each(struct ctl *ctl, const char *path, const char *list, void (*print)(const json_t *entry));

/* Opens the store of a data folder, which programs may be using; NULL: why not has been said. A wrong name does not
 * become an empty store. */
struct store;
struct store *ctl_open_store(struct ctl *ctl, const char *folder);
void ctl_guard(const char *folder);                  /* before a folder is read that may be damaged */
void ctl_print_problem(void *ctl, struct text line); /* store_problem_fn */

/* For http.c and pipe.c: sets where a call (of the HTTP library) goes, below /api/v1/, and how it is encrypted. */
void ctl_address(struct ctl *ctl, void *curl, struct text path);

struct curl_slist;
struct curl_slist *ctl_headers(struct ctl *ctl, const char *content_type); /* for http.c and pipe.c */

/* Commands get what stands after their own words. USAGE: the caller prints how they are called. */
typedef enum ctl_exit ctl_command_fn(struct ctl *ctl, int count, char **arguments);

ctl_command_fn ctl_user_add, ctl_user_del, ctl_user_list, ctl_user_alias, ctl_user_role, ctl_user_keep;
ctl_command_fn ctl_group_put, ctl_group_show, ctl_group_del, ctl_group_list;
ctl_command_fn ctl_user_erase, ctl_queue, ctl_queue_drop, ctl_queue_retry;
ctl_command_fn ctl_find, ctl_user_groups, ctl_reindex;
ctl_command_fn ctl_trace, ctl_backup, ctl_restore, ctl_check, ctl_import, ctl_export;

/* Takes "--name VALUE" (or a flag, when `value_out` is NULL) at the front of the arguments; false if there is none. */
bool ctl_option(int *count, char ***arguments, const char *name, const char **value_out);

struct text ctl_segment(struct ctl *ctl, const char *value);    /* as one segment of a path */
const char *ctl_string(const json_t *object, const char *name); /* "" if absent */

/* To standard output; control characters, which peers may have chosen, as '?'. */
void ctl_print(const char *text);

const char *ctl_clean(struct arena *arena, const char *text); /* the same, as a copy */

enum ctl_exit ctl_error(const char *format, ...) __attribute__((format(printf, 1, 2))); /* one line; CTL_REFUSED */

#endif
