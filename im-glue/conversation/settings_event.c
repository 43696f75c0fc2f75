/* What a user's clients have published together (IM service settings), told to each of them that watches: what one has
 * set shows on the others. The package has the name of the one by which they publish. */
#include "events_private.h"
#include "imsettings.h"

#define EXPIRES_S     3600 /* as RFC 4354 §5.5 for its like, and so the next two */
#define EXPIRES_S_MIN 60
#define EXPIRES_S_MAX 86400
#define INTERVAL_MS   5000

static struct text write_state(struct conversation *conversation, const struct notice *notice, struct arena *arena)
{
    const struct imsettings settings = publication_settings(conversation, served_get(conversation, notice->resource));
    return imsettings_write(&settings, arena);
}

void settings_event_open(const struct conversation_settings *settings, struct arena *arena, struct event_kind *kind_out)
{
    *kind_out = (struct event_kind){
        .package = {text_cstring(arena, settings->settings_event), text_cstring(arena, settings->settings_type),
                    EXPIRES_S, EXPIRES_S_MIN, EXPIRES_S_MAX, INTERVAL_MS},
        .may_watch = events_is_owner,
        .write = write_state,
    };
}

void settings_changed(struct conversation *conversation, const struct served *served)
{
    if (conversation->settings.settings_event.length)
        events_changed(conversation, &conversation->events->settings, text_of(served->address));
}
