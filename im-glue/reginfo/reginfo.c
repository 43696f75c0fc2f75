/* Registration information as XML, both ways. */
#include "reginfo.h"

#include "uri.h"
#include "xml_tree.h"

#define NAMESPACE TEXT("urn:ietf:params:xml:ns:reginfo")
#define GRUU      TEXT("urn:ietf:params:xml:ns:gruuinfo")

static const struct text states[] = {TEXT_INIT("init"), TEXT_INIT("active"), TEXT_INIT("terminated")};

/* --- parameters of a Contact --- */

/* These have attributes of their own, or say nothing to others. */
static bool is_known(struct text name)
{
    static const struct text known[] = {TEXT_INIT("expires"), TEXT_INIT("q"), TEXT_INIT("pub-gruu"),
                                        TEXT_INIT("temp-gruu")};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (text_equal_nocase(name, known[i]))
            return true;
    return name.length == 0;
}

/* --- writing --- */

static void add_attribute(struct text_builder *document, const char *name, struct text value)
{
    if (value.length)
        builder_add_format(document, " %s=\"%.*s\"", name, TEXT_ARG(xml_escape(document->arena, value)));
}

static void add_number(struct text_builder *document, const char *name, uint64_t number)
{
    if (number)
        builder_add_format(document, " %s=\"%llu\"", name, (unsigned long long)number);
}

static void write_contact(struct text_builder *document, const struct reginfo_contact *contact)
{
    struct arena *arena = document->arena;
    struct text rest = contact->features, name, value;
    builder_add(document, TEXT("<contact"));
    add_attribute(document, "id", contact->id);
    add_attribute(document, "state", contact->active ? TEXT("active") : TEXT("terminated"));
    add_attribute(document, "event", contact->event);
    add_number(document, "duration-registered", contact->registered_s);
    if (contact->expires_s || !contact->active) /* Kamailio's reader wants it of each */
        builder_add_format(document, " expires=\"%llu\"", (unsigned long long)contact->expires_s);
    if (uri_parameter(contact->features, TEXT("q"), &value))
        add_attribute(document, "q", value);
    add_attribute(document, "callid", contact->call_id);
    add_number(document, "cseq", contact->cseq);
    builder_add_format(document, "><uri>%.*s</uri>", TEXT_ARG(xml_escape(arena, contact->uri)));
    while (uri_parameter_next(&rest, &name, &value))
        if (!is_known(name))
            builder_add_format(document, "<unknown-param name=\"%.*s\">%.*s</unknown-param>",
                               TEXT_ARG(xml_escape(arena, name)), TEXT_ARG(xml_escape(arena, value)));
    if (contact->gruu.length)
        builder_add_format(document, "<gr:pub-gruu uri=\"%.*s\"/>", TEXT_ARG(xml_escape(arena, contact->gruu)));
    if (contact->temporary_gruu.length)
        builder_add_format(document, "<gr:temp-gruu uri=\"%.*s\" first-cseq=\"%llu\"/>",
                           TEXT_ARG(xml_escape(arena, contact->temporary_gruu)),
                           (unsigned long long)contact->first_cseq);
    builder_add(document, TEXT("</contact>"));
}

static void write_registration(struct text_builder *document, const struct reginfo_registration *registration)
{
    builder_add(document, TEXT("<registration"));
    add_attribute(document, "aor", registration->address);
    add_attribute(document, "id", registration->id);
    add_attribute(document, "state", states[registration->state]);
    builder_add_char(document, '>');
    for (size_t i = 0; i < registration->contacts_count; i++)
        write_contact(document, &registration->contacts[i]);
    builder_add(document, TEXT("</registration>"));
}

struct text reginfo_write(const struct reginfo *reginfo, struct arena *arena)
{
    struct text_builder document;
    builder_init(&document, arena);
    builder_add_format(&document,
                       "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<reginfo xmlns=\"%s\" xmlns:gr=\"%s\" "
                       "version=\"%llu\" state=\"%s\">",
                       NAMESPACE.bytes, GRUU.bytes, (unsigned long long)reginfo->version,
                       reginfo->full ? "full" : "partial");
    for (size_t i = 0; i < reginfo->registrations_count; i++)
        write_registration(&document, &reginfo->registrations[i]);
    builder_add(&document, TEXT("</reginfo>"));
    return builder_text(&document);
}

/* --- reading --- */

static size_t count_children(const struct xml_element *element, struct text name)
{
    size_t count = 0;
    for (const struct xml_element *child = xml_child(element, NAMESPACE, name); child; child = xml_next_same(child))
        count++;
    return count;
}

static struct text attribute(const struct xml_element *element, struct text name)
{
    struct text value = {0};
    return xml_attribute(element, name, &value) ? text_trim(value) : (struct text){0};
}

static bool read_number(const struct xml_element *element, struct text name, uint64_t *number_out)
{
    struct text value = attribute(element, name);
    *number_out = 0;
    return value.length == 0 || text_to_u64(value, number_out);
}

/* As it stood in the Contact; a quote is opened and closed in one parameter, or it is none. */
static bool add_feature(struct text_builder *features, const struct xml_element *parameter)
{
    struct text name = attribute(parameter, TEXT("name")), value = text_trim(parameter->text), read_name, read_value;
    if (features->length)
        builder_add_char(features, ';');
    size_t begin = features->length;
    builder_add(features, name);
    if (value.length) {
        builder_add_char(features, '=');
        builder_add(features, value);
    }
    struct text all = builder_text(features), rest = text_slice(all, begin, all.length);
    for (size_t i = 0; i < rest.length; i++)
        if ((unsigned char)rest.bytes[i] < ' ')
            return false;
    return uri_parameter_next(&rest, &read_name, &read_value) && rest.length == 0 && text_equal(name, read_name);
}

static enum status read_contact(const struct xml_element *element, struct arena *arena, struct reginfo_contact *contact)
{
    const struct xml_element *uri = xml_child(element, NAMESPACE, TEXT("uri"));
    const struct xml_element *gruu = xml_child(element, GRUU, TEXT("pub-gruu"));
    const struct xml_element *temporary = xml_child(element, GRUU, TEXT("temp-gruu"));
    struct text state = attribute(element, TEXT("state"));
    struct text_builder features;
    builder_init(&features, arena);
    *contact = (struct reginfo_contact){
        .id = attribute(element, TEXT("id")),
        .uri = uri ? text_trim(uri->text) : (struct text){0},
        .active = text_equal(state, TEXT("active")),
        .event = attribute(element, TEXT("event")),
        .call_id = attribute(element, TEXT("callid")),
        .gruu = gruu ? attribute(gruu, TEXT("uri")) : (struct text){0},
        .temporary_gruu = temporary ? attribute(temporary, TEXT("uri")) : (struct text){0},
    };
    if (temporary && !read_number(temporary, TEXT("first-cseq"), &contact->first_cseq))
        return REFUSED;
    if (contact->id.length == 0 || contact->uri.length == 0 || contact->event.length == 0 ||
        (!contact->active && !text_equal(state, states[REGINFO_TERMINATED])) ||
        !read_number(element, TEXT("expires"), &contact->expires_s) ||
        !read_number(element, TEXT("duration-registered"), &contact->registered_s) ||
        !read_number(element, TEXT("cseq"), &contact->cseq))
        return REFUSED;
    const struct xml_element *one = xml_child(element, NAMESPACE, TEXT("unknown-param"));
    for (; one; one = xml_next_same(one))
        if (!add_feature(&features, one))
            return REFUSED;
    struct text q = attribute(element, TEXT("q"));
    if (q.length)
        builder_add_format(&features, "%sq=%.*s", features.length ? ";" : "", TEXT_ARG(q));
    contact->features = builder_text(&features);
    return OK;
}

static enum status read_registration(const struct xml_element *element, struct arena *arena,
                                     struct reginfo_registration *registration)
{
    size_t count = count_children(element, TEXT("contact")), i = 0;
    struct text state = attribute(element, TEXT("state"));
    int which = REGINFO_INIT;
    while (which <= REGINFO_TERMINATED && !text_equal(state, states[which]))
        which++;
    if (count > REGINFO_CONTACTS_MAX || which > REGINFO_TERMINATED)
        return REFUSED;
    struct reginfo_contact *contacts = arena_array(arena, struct reginfo_contact, count);
    *registration = (struct reginfo_registration){
        .address = attribute(element, TEXT("aor")),
        .id = attribute(element, TEXT("id")),
        .state = (enum reginfo_state)which,
        .contacts = contacts,
        .contacts_count = count,
    };
    if (registration->address.length == 0 || registration->id.length == 0)
        return REFUSED;
    const struct xml_element *contact = xml_child(element, NAMESPACE, TEXT("contact"));
    for (; contact; contact = xml_next_same(contact))
        if (read_contact(contact, arena, &contacts[i++]) != OK)
            return REFUSED;
    return OK;
}

enum status reginfo_read(struct text document, struct arena *arena, struct reginfo *reginfo_out)
{
    const struct xml_element *root;
    size_t i = 0;
    *reginfo_out = (struct reginfo){0};
    if (xml_tree_read(document, arena, &root) != OK || !xml_is(root, NAMESPACE, TEXT("reginfo")))
        return REFUSED;
    struct text state = attribute(root, TEXT("state"));
    size_t count = count_children(root, TEXT("registration"));
    reginfo_out->full = text_equal(state, TEXT("full"));
    if (count > REGINFO_REGISTRATIONS_MAX || !text_to_u64(attribute(root, TEXT("version")), &reginfo_out->version) ||
        (!reginfo_out->full && !text_equal(state, TEXT("partial"))))
        return REFUSED;
    struct reginfo_registration *registrations = arena_array(arena, struct reginfo_registration, count);
    reginfo_out->registrations = registrations;
    reginfo_out->registrations_count = count;
    const struct xml_element *registration = xml_child(root, NAMESPACE, TEXT("registration"));
    for (; registration; registration = xml_next_same(registration))
        if (read_registration(registration, arena, &registrations[i++]) != OK)
            return REFUSED;
    return OK;
}
