/* IM service settings, read by local names wherever they stand in the document; written with attributes. */
#include "imsettings.h"

#include "xml_tree.h"

#define NAMESPACE TEXT("urn:oma:xml:im:service-settings")

/* An attribute, or a child element, of that name; false: neither. */
static bool find_value(const struct xml_element *element, struct text name, struct text *value_out)
{
    if (xml_attribute(element, name, value_out))
        return true;
    const struct xml_element *child = xml_child(element, NAMESPACE, name);
    if (child)
        *value_out = child->text;
    return child != NULL;
}

/* False: it is no truth value. What is not said stays. */
static bool read_active(const struct xml_element *element, bool *active)
{
    struct text value;
    if (!find_value(element, TEXT("active"), &value))
        return true;
    value = text_trim(value);
    *active = text_equal(value, TEXT("true")) || text_equal(value, TEXT("1"));
    return *active || text_equal(value, TEXT("false")) || text_equal(value, TEXT("0"));
}

static bool read_history(const struct xml_element *element, struct imsettings *settings)
{
    struct text type = {0};
    find_value(element, TEXT("type"), &type);
    type = text_trim(type);
    if (text_equal(type, TEXT("session-mode")))
        return read_active(element, &settings->keep_session);
    if (text_equal(type, TEXT("pager-large-mode")))
        return read_active(element, &settings->keep_large);
    return true;
}

static bool read_element(const struct xml_element *element, struct imsettings *settings)
{
    if (!element->parent)
        return read_active(element, &settings->active);
    if (xml_is(element, NAMESPACE, TEXT("offline-delivery")))
        return read_active(element, &settings->push);
    if (xml_is(element, NAMESPACE, TEXT("vis-status")))
        return read_active(element, &settings->visible);
    if (xml_is(element, NAMESPACE, TEXT("hist-activation")))
        return read_history(element, settings);
    return true;
}

enum status imsettings_read(struct text document, struct arena *arena, struct imsettings *settings_out)
{
    const struct xml_element *root;
    *settings_out = IMSETTINGS_STANDARD;
    if (xml_tree_read(document, arena, &root) != OK || !text_equal(root->namespace, NAMESPACE))
        return REFUSED;
    for (const struct xml_element *element = root; element; element = xml_next(element, root))
        if (!read_element(element, settings_out))
            return REFUSED;
    return OK;
}

static const char *word(bool value)
{
    return value ? "true" : "false";
}

struct text imsettings_write(const struct imsettings *settings, struct arena *arena)
{
    return text_format(arena,
                       "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<im-service-settings xmlns=\"%s\" active=\"%s\">"
                       "<deferred-settings><offline-delivery active=\"%s\"/></deferred-settings>"
                       "<vis-settings><vis-status active=\"%s\"/></vis-settings>"
                       "<hist-settings><hist-activation type=\"session-mode\" active=\"%s\"/>"
                       "<hist-activation type=\"pager-large-mode\" active=\"%s\"/></hist-settings>"
                       "</im-service-settings>",
                       NAMESPACE.bytes, word(settings->active), word(settings->push), word(settings->visible),
                       word(settings->keep_session), word(settings->keep_large));
}
