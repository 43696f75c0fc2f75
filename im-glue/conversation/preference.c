/* Which of a user's contacts a request is for (RFC 3841 §7.2): what its sender prefers, against what the contacts said
 * of themselves when they registered (RFC 3840). All contacts are asked at once, so that only who is left out matters,
 * not the order. */
#include "conversation_private.h"
#include "target_private.h"

/* Parameters of a Contact that speak of features without a plus (RFC 3840 §9, RFC 4235 ff). */
static const struct text base_tags[] = {
    TEXT_INIT("audio"),       TEXT_INIT("automata"), TEXT_INIT("class"),    TEXT_INIT("duplex"),
    TEXT_INIT("data"),        TEXT_INIT("control"),  TEXT_INIT("mobility"), TEXT_INIT("description"),
    TEXT_INIT("events"),      TEXT_INIT("priority"), TEXT_INIT("methods"),  TEXT_INIT("extensions"),
    TEXT_INIT("schemes"),     TEXT_INIT("video"),    TEXT_INIT("language"), TEXT_INIT("type"),
    TEXT_INIT("isfocus"),     TEXT_INIT("actor"),    TEXT_INIT("text"),     TEXT_INIT("message"),
    TEXT_INIT("application"),
};

static bool is_feature(struct text name)
{
    if (text_starts_with(name, TEXT("+")))
        return !text_equal_nocase(name, TEXT("+sip.instance")); /* who it is, not what it can do */
    for (size_t i = 0; i < sizeof(base_tags) / sizeof(base_tags[0]); i++)
        if (text_equal_nocase(name, base_tags[i]))
            return true;
    return false;
}

/* Next parameter of a list; its value as uri_parameter gives it. */
static bool next_parameter(struct text *rest, struct text *name_out, struct text *value_out)
{
    if (!uri_parameter_next(rest, name_out, value_out))
        return false;
    struct text value = *value_out;
    if (value.length > 1 && value.bytes[0] == '"')
        *value_out = text_slice(value, 1, value.length - 1);
    return true;
}

static bool has_features(struct text features)
{
    struct text name, value;
    while (next_parameter(&features, &name, &value))
        if (is_feature(name))
            return true;
    return false;
}

static bool holds(struct text list, struct text wanted)
{
    struct text one;
    for (bool more = true; more;) {
        more = text_cut(list, ',', &one, &list);
        if (text_equal_nocase(text_trim(one), wanted))
            return true;
    }
    return false;
}

/* Any of the values that are asked for; "!" asks for any other. A flag is TRUE. */
static bool value_fits(struct text asked, struct text has)
{
    struct text one;
    if (has.length == 0)
        has = TEXT("TRUE");
    if (asked.length == 0)
        asked = TEXT("TRUE");
    for (bool more = true; more;) {
        more = text_cut(asked, ',', &one, &asked);
        one = text_trim(one);
        bool other = text_starts_with(one, TEXT("!"));
        if (other)
            one = text_slice(one, 1, one.length);
        if (holds(has, one) != other)
            return true;
    }
    return false;
}

struct fit {
    bool differs;            /* some feature has another value */
    bool absent;             /* the contact says nothing of some feature */
    bool require, explicit_; /* as the sender put it */
};

static void judge(struct fit *fit, struct text features, struct text name, struct text asked)
{
    struct text has = {0};
    if (!uri_parameter(features, name, &has))
        fit->absent = true;
    else if (!value_fits(asked, has))
        fit->differs = true;
}

static struct fit fit_of(struct text predicate, struct text features)
{
    struct fit fit = {0};
    struct text name, asked;
    while (next_parameter(&predicate, &name, &asked)) {
        if (text_equal_nocase(name, TEXT("require")))
            fit.require = true;
        else if (text_equal_nocase(name, TEXT("explicit")))
            fit.explicit_ = true;
        else if (is_feature(name))
            judge(&fit, features, name, asked);
    }
    return fit;
}

static bool is_left_out(bool reject, struct text predicate, struct text features)
{
    struct fit fit = fit_of(predicate, features);
    if (reject) /* only who says of himself all that is not wanted */
        return !fit.differs && !fit.absent;
    return fit.require && (fit.differs || (fit.explicit_ && fit.absent));
}

static bool any_leaves_out(const struct sip_message *message, const char *header, bool reject, struct text features,
                           struct arena *arena)
{
    struct text value;
    for (size_t i = 0; sip_header(message, header, i, arena, &value); i++) {
        struct name_addr one;
        for (struct text rest = value; rest.length && name_addr_parse(rest, &one, &rest);)
            if (is_left_out(reject, one.parameters, features))
                return true;
    }
    return false;
}

bool preference_allows(const struct sip_message *message, struct text features, struct arena *arena)
{
    if (!has_features(features)) /* RFC 3841 §7.2.2: who says nothing of himself is never left out */
        return true;
    return !any_leaves_out(message, "Reject-Contact", true, features, arena) &&
           !any_leaves_out(message, "Accept-Contact", false, features, arena);
}
