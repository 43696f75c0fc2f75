/* Which names a query and a JSON body may have: a misspelt one would be answered as another request. Knows no meanings.
 */
#include "service_admin.h"

static bool is_among(struct text name, const char *names)
{
    struct text rest = text_of(names), one;
    while (rest.length) {
        text_cut(rest, ' ', &one, &rest);
        if (text_equal(one, name))
            return true;
    }
    return false;
}

static bool refuse_name(struct admin_call *call, const char *what, struct text name, const char *names)
{
    admin_error(call, 400,
                text_format(call->request->arena, "There is no %s '%.*s' here%s%s.", what, TEXT_ARG(name),
                            *names ? ", only: " : "", names));
    return false;
}

bool admin_parameters_known(struct admin_call *call, const char *names)
{
    struct text rest = call->query, pair, key, value, later, other;
    while (rest.length) {
        text_cut(rest, '&', &pair, &rest);
        text_cut(pair, '=', &key, &value);
        if (pair.length && !is_among(key, names))
            return refuse_name(call, "parameter", key, names);
        for (later = rest; pair.length && later.length;) { /* a target is short, and its names are few */
            text_cut(later, '&', &pair, &later);
            text_cut(pair, '=', &other, &value);
            if (text_equal(key, other))
                return admin_error(call, 400, TEXT("A parameter stands twice in the query.")), false;
        }
    }
    return true;
}

bool admin_members_known(struct admin_call *call, json_t *body, const char *names)
{
    for (void *at = json_object_iter(body); at; at = json_object_iter_next(body, at)) {
        struct text name = text_of(json_object_iter_key(at));
        if (!is_among(name, names))
            return refuse_name(call, "member", name, names);
    }
    return true;
}
