/* What a sender asks for in Privacy (RFC 3323 §4.2, RFC 3325 §9.3). Who he is can be hidden, and by which hops his
 * message came; what he himself wrote into it cannot. */
#include "incoming_private.h"
#include "privacy_private.h"

#include "uri.h"

/* The fields of earlier hops never go on, and a message has no session. */
static bool is_done_here(struct text value)
{
    return text_equal_nocase(value, TEXT("header")) || text_equal_nocase(value, TEXT("session"));
}

static bool is_critical(struct text value)
{
    return text_equal_nocase(value, TEXT("critical"));
}

static struct text field_of(const struct sip_message *message, struct arena *arena)
{
    struct text value = {0};
    return sip_header(message, "Privacy", 0, arena, &value) ? value : (struct text){0};
}

static bool next_value(struct text *rest, struct text *value_out)
{
    while (rest->length) {
        text_cut(*rest, ';', value_out, rest);
        *value_out = text_trim(*value_out);
        if (value_out->length)
            return true;
    }
    return false;
}

bool privacy_is_asked(const struct sip_message *message, struct arena *arena)
{
    struct text rest = field_of(message, arena), value;
    while (next_value(&rest, &value))
        if (text_equal_nocase(value, TEXT("id")))
            return true;
    return false;
}

bool privacy_hides_sender(const struct sip_message *message, struct arena *arena)
{
    struct name_addr from;
    struct text value;
    return privacy_is_asked(message, arena) ||
           (sip_header(message, "From", 0, arena, &value) && name_addr_parse(value, &from, NULL) &&
            incoming_is_nobody(uri_canonical(arena, from.uri)));
}

/* RFC 3323 §5: what is not understood cannot be done. */
bool privacy_is_possible(const struct sip_message *message, struct arena *arena)
{
    struct text rest = field_of(message, arena), value;
    bool critical = false, all = true;
    while (next_value(&rest, &value)) {
        critical = critical || is_critical(value);
        all = all && (is_done_here(value) || is_critical(value) || text_equal_nocase(value, TEXT("id")) ||
                      text_equal_nocase(value, TEXT("none")));
    }
    return all || !critical;
}

/* RFC 3323 §5: what has been done is asked of nobody else; "id" is, of whoever is told the identity. */
void privacy_take_done(struct sip_message *message, struct arena *arena)
{
    struct text field = field_of(message, arena), rest = field, value;
    struct text_builder left;
    bool any_done = false, any_left = false;
    builder_init(&left, arena);
    while (next_value(&rest, &value)) {
        any_done = any_done || is_done_here(value);
        if (is_done_here(value))
            continue;
        any_left = any_left || !is_critical(value);
        builder_add_format(&left, "%s%.*s", left.length ? ";" : "", TEXT_ARG(value));
    }
    if (any_done && any_left)
        sip_header_set(message, "Privacy", builder_text(&left));
    else if (any_done)
        sip_header_remove(message, "Privacy");
}
