/* The list of what waits for a user, told to his clients that watch it; one that has it by NOTIFY has not read it yet
 * (RFC 3842 §3.5). Texts of the standard leave open by which package, so that it is told by those that a setting names.
 */
#include "events_private.h"
#include "uri.h"

#define AUID          TEXT("org.openmobilealliance.deferred-list")
#define NAME          TEXT("deferred-list")
#define EXPIRES_S     86400 /* RFC 6080 §6.4 */
#define EXPIRES_S_MIN 60
#define EXPIRES_S_MAX 604800
#define INTERVAL_MS   5000
#define LISTED_MAX    100 /* some fifty KiB, which a datagram still holds; all of it is there by XCAP */

/* Phones ask for the profiles of devices by the same package (RFC 6080 §5.2): who means the list says so. */
static bool is_meant(struct request *request)
{
    struct text event, parameters, type = {0}, auid = {0};
    text_cut(request_header(request, "Event"), ';', &event, &parameters);
    bool has_type = uri_parameter(parameters, TEXT("profile-type"), &type);
    bool has_auid = uri_parameter(parameters, TEXT("auid"), &auid);
    if (has_auid)
        return text_equal(auid, AUID);
    return has_type ? text_equal_nocase(type, TEXT("application")) : request_header(request, "Accept").length > 0;
}

static struct text write_state(struct conversation *conversation, const struct notice *notice, struct arena *arena)
{
    const struct usage *usage = usage_find(documents_usages(conversation->documents), AUID);
    const struct document_part part = {.limit = LISTED_MAX};
    struct document_place place = {.usage = usage, .tree = XCAP_USERS, .key = {AUID, notice->resource, NAME}};
    struct stored found = {0};
    struct text next;
    if (usage)
        place.row = usage_document(usage, XCAP_USERS, NAME);
    if (!place.row || document_read_part(conversation->documents, &place, &part, arena, &found, &next) != OK)
        return (struct text){0};
    return found.bytes;
}

bool list_event_open(const struct conversation *conversation, struct text package, struct arena *arena,
                     struct event_kind *kind_out)
{
    const struct usage_set *usages = documents_usages(conversation->documents);
    const struct usage *usage = usages ? usage_find(usages, AUID) : NULL;
    if (!usage)
        return false;
    *kind_out = (struct event_kind){
        .package = {text_cstring(arena, package), text_cstring(arena, usage->mime), EXPIRES_S, EXPIRES_S_MIN,
                    EXPIRES_S_MAX, INTERVAL_MS},
        .is_meant = is_meant,
        .may_watch = events_is_owner,
        .write = write_state,
    };
    return true;
}

void list_changed(struct conversation *conversation, struct text address)
{
    const struct event_table *events = conversation->events;
    for (size_t i = 0; i < events->lists_count; i++)
        events_changed(conversation, &events->lists[i], address);
}

bool list_is_watched(const struct conversation *conversation, struct text address)
{
    const struct event_table *events = conversation->events;
    for (size_t i = 0; i < events->lists_count; i++)
        if (events_watched(conversation, &events->lists[i], address))
            return true;
    return false;
}
