/* Many users and documents in one request, one JSON object per line. Each takes the way that it would take alone, and
 * all that wait for the disk wait together; a line that is refused harms no other. */
#include "admin_import.h"

#define LINES_MAX 10000 /* of one request: bounds what one request keeps in memory beside its body */
#define TURN_MAX  16    /* lines begun before other requests of the worker get their turn: a millisecond or two */

static bool begin_import(struct admin_call *call);
static bool import_step(struct import *import);
static bool import_waits(struct import *import, bool more);
static enum http_progress import_answer(struct import *import);
static void line_begin(struct import_line *line);
static void line_resume(struct import_line *line);

enum http_progress admin_import(struct admin_call *call)
{
    if (!call->import && !begin_import(call))
        return HTTP_DONE;
    bool more = true;
    for (size_t i = 0; i < TURN_MAX && more; i++)
        more = import_step(call->import);
    return import_waits(call->import, more) ? HTTP_WAITING : import_answer(call->import);
}

static bool read_existing(struct admin_call *call, enum import_existing *existing_out)
{
    static const char *const names[] = {"refuse", "keep", "replace"};
    struct text value;
    *existing_out = EXISTING_REFUSED;
    if (!admin_parameter(call, "existing", &value))
        return true;
    for (int i = EXISTING_REFUSED; i <= EXISTING_REPLACED; i++)
        if (text_equal(value, text_of(names[i]))) {
            *existing_out = (enum import_existing)i;
            return true;
        }
    admin_error(call, 400, TEXT("existing is refuse, keep or replace."));
    return false;
}

static bool begin_import(struct admin_call *call)
{
    struct arena *arena = call->request->arena;
    struct text rest = call->request->body, line;
    struct import *import = arena_new(arena, struct import);
    size_t lines = 1;
    if (!read_existing(call, &import->existing))
        return false;
    for (size_t i = 0; i < rest.length; i++)
        lines += rest.bytes[i] == '\n';
    if (lines > LINES_MAX + 1) {
        admin_error(call, 413, TEXT("One request has at most 10000 lines."));
        return false;
    }
    import->lines = arena_array(arena, struct import_line, lines);
    for (size_t number = 1; rest.length; number++) {
        text_cut(rest, '\n', &line, &rest);
        if (text_trim(line).length)
            import->lines[import->count++] = (struct import_line){.import = import, .number = number, .text = line};
    }
    import->call = call;
    import->refused = json_array();
    pthread_mutex_init(&import->lock, NULL);
    call->import = import;
    return true;
}

/* One line further, begun or ended. False: nothing to do now. */
static bool import_step(struct import *import)
{
    pthread_mutex_lock(&import->lock);
    struct import_line *line = import->ready;
    if (line)
        import->ready = line->next_ready;
    pthread_mutex_unlock(&import->lock);
    if (line) {
        import->outstanding--;
        line_resume(line);
        return true;
    }
    if (import->next < import->count) {
        line = &import->lines[import->next++];
        if (import->phase == PHASE_USERS || line->phase == PHASE_DOCUMENTS)
            line_begin(line);
        return true;
    }
    if (import->phase == PHASE_USERS && import->outstanding == 0) {
        import->phase = PHASE_DOCUMENTS;
        import->next = 0;
        return true;
    }
    return false;
}

/* With more to do the worker serves its other connections first; with nothing to do the store wakes the request. */
static bool import_waits(struct import *import, bool more)
{
    if (!more && import->outstanding == 0)
        return false;
    pthread_mutex_lock(&import->lock);
    more = more || import->ready;
    import->sleeping = !more;
    pthread_mutex_unlock(&import->lock);
    if (more)
        http_resume(import->call->request);
    return true;
}

/* On the store's thread, or inside the call that submits. After the unlock the request may be gone. */
void import_line_ready(void *context)
{
    struct import_line *line = context;
    struct import *import = line->import;
    struct http_request *request = import->call->request;
    pthread_mutex_lock(&import->lock);
    line->next_ready = import->ready;
    import->ready = line;
    bool resume = import->sleeping;
    import->sleeping = false;
    pthread_mutex_unlock(&import->lock);
    if (resume)
        http_resume(request);
}

static enum http_progress import_answer(struct import *import)
{
    struct admin_call *call = import->call;
    pthread_mutex_destroy(&import->lock);
    return admin_answer(call, 200,
                        json_pack("{s:I, s:I, s:I, s:o}", "added", (json_int_t)import->outcomes[ADDED], "replaced",
                                  (json_int_t)import->outcomes[REPLACED], "unchanged",
                                  (json_int_t)import->outcomes[UNCHANGED], "refused", import->refused));
}

/* --- how a line ends ------------------------------------------------------------------------------------------ */

void import_line_end(struct import_line *line, enum import_outcome outcome)
{
    json_decref(line->json);
    line->json = NULL;
    line->import->outcomes[outcome]++;
}

void import_line_refuse(struct import_line *line, int status, struct text sentence, const char *conflict)
{
    struct import *import = line->import;
    json_t *entry = json_pack("{s:I, s:i, s:o}", "line", (json_int_t)line->number, "status", status, "error",
                              admin_string(import->call, sentence));
    if (conflict)
        json_object_set_new(entry, "conflict", json_string(conflict));
    json_array_append_new(import->refused, entry);
    json_decref(line->json);
    line->json = NULL;
}

void import_line_exists(struct import_line *line)
{
    if (line->import->existing == EXISTING_KEPT)
        import_line_end(line, UNCHANGED);
    else
        import_line_refuse(line, 412, TEXT("It exists already."), NULL);
}

void import_line_fail(struct import_line *line, enum status status, const struct refusal *refusal)
{
    bool refused = status == REFUSED;
    import_line_refuse(line, respond_code(status, refusal), refused ? refusal->phrase : text_of(respond_phrase(status)),
                       refused ? refusal->element : NULL);
}

/* What a report of refused lines adds is known. */
bool import_members_known(struct import_line *line, const char *const *names)
{
    static const char *const reported[] = {"error", "source", NULL};
    const char *member;
    json_t *value;
    json_object_foreach(line->json, member, value)
    {
        bool known = false;
        for (const char *const *name = reported; *name; name++)
            known = known || strcmp(member, *name) == 0;
        for (const char *const *name = names; *name; name++)
            known = known || strcmp(member, *name) == 0;
        if (!known) {
            import_line_refuse(line, 400,
                               text_format(line->import->call->request->arena, "There is no member %s.", member), NULL);
            return false;
        }
    }
    return true;
}

/* --- a line --------------------------------------------------------------------------------------------------- */

static void line_begin(struct import_line *line)
{
    json_error_t error;
    if (line->phase == PHASE_DOCUMENTS) {
        import_document_begin(line);
        return;
    }
    line->json = json_loadb(line->text.bytes, line->text.length, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(line->json)) {
        import_line_refuse(line, 400, TEXT("The line is no JSON object in UTF-8."), NULL);
        return;
    }
    if (json_object_get(line->json, "user"))
        import_user_begin(line);
    else
        line->phase = PHASE_DOCUMENTS; /* kept, read as it is, until all users are there */
}

static void line_resume(struct import_line *line)
{
    if (line->import->phase == PHASE_USERS)
        import_user_resume(line);
    else
        import_document_resume(line);
}
