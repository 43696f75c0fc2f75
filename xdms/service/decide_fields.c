/* Reads a question, from a JSON object or from a query: which members there are and what form each has. An unknown one
 * is refused, since a question that is misspelt would be answered as another. Judges no address. */
#include "service_decide.h"

enum form { FORM_TEXT, FORM_LIST, FORM_FLAG };

struct field {
    const char *name;
    enum form form;
    size_t offset, count_offset;
    size_t count_max;
    bool inverted; /* the question says yes to what is the rule */
};

#define AT(member) offsetof(struct decide_fields, member)
#define TEXT_ROW(name)                                                                                                 \
    {                                                                                                                  \
#name, FORM_TEXT, AT(name), 0, 0, false                                                                        \
    }
#define FLAG_ROW(name)                                                                                                 \
    {                                                                                                                  \
#name, FORM_FLAG, AT(name), 0, 0, false                                                                        \
    }

static const struct field rows[] = {
    {"from", FORM_LIST, AT(from), AT(from_count), POLICY_IDENTITIES_MAX, false},
    TEXT_ROW(to),
    TEXT_ROW(kind),
    TEXT_ROW(media),
    TEXT_ROW(service),
    TEXT_ROW(sphere),
    TEXT_ROW(profile),
    TEXT_ROW(quality),
    TEXT_ROW(country),
    TEXT_ROW(region),
    TEXT_ROW(time),
    {"invited", FORM_LIST, AT(invited), AT(invited_count), DECIDE_INVITED_MAX, false},
    FLAG_ROW(anonymous),
    FLAG_ROW(deferred),
    FLAG_ROW(expired),
    {"reachable", FORM_FLAG, AT(unreachable), 0, 0, true},
    {"members", FORM_FLAG, AT(no_members), 0, 0, true},
};

static const struct field *find(struct text name)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (text_equal(text_of(rows[i].name), name))
            return &rows[i];
    }
    return NULL;
}

static void *place(struct decide_fields *fields, size_t offset)
{
    return (char *)fields + offset;
}

static enum status unknown(struct text name, struct arena *arena, struct refusal *refusal)
{
    if (name.length > 40 || !utf8_valid(name))
        name = TEXT("(long name)");
    struct text phrase = text_format(arena, "A question has no member '%.*s'.", TEXT_ARG(name));
    return refuse(refusal, REFUSAL_SYNTAX, text_cstring(arena, phrase));
}

static enum status wrong_form(const struct field *field, const char *wanted, struct arena *arena,
                              struct refusal *refusal)
{
    return refuse(refusal, REFUSAL_SYNTAX, text_cstring(arena, text_format(arena, "'%s' is %s.", field->name, wanted)));
}

static enum status add(struct decide_fields *fields, const struct field *field, struct text value, struct arena *arena,
                       struct refusal *refusal)
{
    if (field->form == FORM_TEXT) {
        *(struct text *)place(fields, field->offset) = value;
        return OK;
    }
    size_t *count = place(fields, field->count_offset);
    if (*count == field->count_max)
        return wrong_form(field, "a list of fewer addresses", arena, refusal);
    ((struct text *)place(fields, field->offset))[(*count)++] = value;
    return OK;
}

static void set_flag(struct decide_fields *fields, const struct field *field, bool yes)
{
    *(bool *)place(fields, field->offset) = yes != field->inverted;
}

static struct text string_of(const json_t *value)
{
    return (struct text){json_string_value(value), json_string_length(value)};
}

static enum status read_list(const json_t *value, struct decide_fields *fields, const struct field *field,
                             struct arena *arena, struct refusal *refusal)
{
    enum status status = OK;
    for (size_t i = 0; i < json_array_size(value) && status == OK; i++) {
        const json_t *item = json_array_get(value, i);
        status = json_is_string(item) ? add(fields, field, string_of(item), arena, refusal)
                                      : wrong_form(field, "a string or an array of strings", arena, refusal);
    }
    return status;
}

static enum status read_member(const json_t *value, struct decide_fields *fields, const struct field *field,
                               struct arena *arena, struct refusal *refusal)
{
    if (field->form == FORM_FLAG) {
        if (!json_is_boolean(value))
            return wrong_form(field, "true or false", arena, refusal);
        set_flag(fields, field, json_is_true(value));
        return OK;
    }
    if (json_is_string(value))
        return add(fields, field, string_of(value), arena, refusal);
    if (field->form == FORM_LIST && json_is_array(value))
        return read_list(value, fields, field, arena, refusal);
    return wrong_form(field, field->form == FORM_LIST ? "a string or an array of strings" : "a string", arena, refusal);
}

enum status decide_fields_of_json(const json_t *object, struct arena *arena, struct decide_fields *fields_out,
                                  struct refusal *refusal)
{
    *fields_out = (struct decide_fields){0};
    if (!json_is_object(object))
        return refuse(refusal, REFUSAL_SYNTAX, "A question is a JSON object.");
    enum status status = OK;
    for (void *at = json_object_iter((json_t *)(uintptr_t)object); at && status == OK;
         at = json_object_iter_next((json_t *)(uintptr_t)object, at)) {
        struct text name = text_of(json_object_iter_key(at));
        const struct field *field = find(name);
        status = field ? read_member(json_object_iter_value(at), fields_out, field, arena, refusal)
                       : unknown(name, arena, refusal);
    }
    return status;
}

static bool read_flag(struct text value, bool *yes_out)
{
    *yes_out = text_equal(value, TEXT("true")) || text_equal(value, TEXT("yes")) || text_equal(value, TEXT("1"));
    return *yes_out || text_equal(value, TEXT("false")) || text_equal(value, TEXT("no")) ||
           text_equal(value, TEXT("0"));
}

enum status decide_fields_of_query(struct text query, struct arena *arena, struct decide_fields *fields_out,
                                   struct refusal *refusal)
{
    struct text pair, name, raw, value;
    enum status status = OK;
    *fields_out = (struct decide_fields){0};
    while (query.length && status == OK) {
        text_cut(query, '&', &pair, &query);
        text_cut(pair, '=', &name, &raw);
        bool yes;
        const struct field *field = find(name);
        if (!percent_decode(arena, raw, &value))
            return refuse(refusal, REFUSAL_SYNTAX, "The query has a broken escape.");
        if (!field)
            status = unknown(name, arena, refusal);
        else if (field->form != FORM_FLAG)
            status = add(fields_out, field, value, arena, refusal);
        else if (read_flag(value, &yes))
            set_flag(fields_out, field, yes);
        else
            status = wrong_form(field, "true or false", arena, refusal);
    }
    return status;
}
