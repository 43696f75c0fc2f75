/* The list of a message's recipients as a resource-lists document (RFC 4826, profiled by RFC 5363) with the attributes
 * of RFC 5364. */
#include <stdlib.h>

#include "recipients.h"
#include "table.h"
#include "uri.h"
#include "xml_tree.h"

#define RESOURCE_LISTS TEXT("urn:ietf:params:xml:ns:resource-lists")
#define COPY_CONTROL   TEXT("urn:ietf:params:xml:ns:copycontrol")
#define ANONYMOUS      "sip:anonymous@anonymous.invalid" /* RFC 5364 §4.2 */
#define COUNT_MAX      1000000                           /* of what one entry claims to stand for */

struct known {
    UT_hash_handle hh;
    size_t index;
};

struct reading {
    struct recipients *recipients;
    struct arena *arena;
    struct known *known;
    size_t count_max;
    const char *reason;
    bool full;
};

static void wrong(struct reading *reading, const char *reason)
{
    if (!reading->reason)
        reading->reason = reason;
}

static enum recipient_copy read_copy(struct reading *reading, const struct xml_element *element)
{
    struct text value = TEXT("bcc");
    xml_attribute_ns(element, COPY_CONTROL, TEXT("copyControl"), &value);
    if (text_equal(value, TEXT("to")))
        return RECIPIENT_TO;
    if (text_equal(value, TEXT("cc")))
        return RECIPIENT_CC;
    if (!text_equal(value, TEXT("bcc")))
        wrong(reading, "Bad copyControl");
    return RECIPIENT_BCC;
}

static bool read_anonymize(struct reading *reading, const struct xml_element *element)
{
    struct text value = TEXT("false");
    xml_attribute_ns(element, COPY_CONTROL, TEXT("anonymize"), &value);
    bool yes = text_equal(value, TEXT("true")) || text_equal(value, TEXT("1"));
    if (!yes && !text_equal(value, TEXT("false")) && !text_equal(value, TEXT("0")))
        wrong(reading, "Bad anonymize");
    return yes;
}

static uint64_t read_count(struct reading *reading, const struct xml_element *element)
{
    struct text value;
    uint64_t count = 1;
    if (xml_attribute_ns(element, COPY_CONTROL, TEXT("count"), &value) &&
        (!text_to_u64(value, &count) || count == 0 || count > COUNT_MAX))
        wrong(reading, "Bad count");
    return count;
}

static void add(struct reading *reading, struct recipient recipient)
{
    struct recipients *recipients = reading->recipients;
    struct known *known;
    HASH_FIND(hh, reading->known, recipient.address.bytes, recipient.address.length, known);
    if (known) {
        struct recipient *before = &recipients->list[known->index];
        before->copy = before->copy > recipient.copy ? before->copy : recipient.copy;
        before->anonymize = before->anonymize || recipient.anonymize;
        if (before->headers.length == 0)
            before->headers = recipient.headers;
        return;
    }
    if (recipients->count + recipients->anchors_count == reading->count_max) {
        reading->full = true;
        return;
    }
    known = arena_new(reading->arena, struct known);
    known->index = recipients->count;
    recipients->list[recipients->count++] = recipient;
    HASH_ADD_KEYPTR(hh, reading->known, recipient.address.bytes, recipient.address.length, known);
}

static void take_entry(struct reading *reading, const struct xml_element *element)
{
    struct text value = {0};
    struct recipient recipient = {
        .copy = read_copy(reading, element),
        .anonymize = read_anonymize(reading, element),
        .count = read_count(reading, element),
    };
    xml_attribute(element, TEXT("uri"), &value);
    text_cut(text_trim(value), '?', &recipient.uri, &recipient.headers);
    recipient.address = uri_canonical(reading->arena, recipient.uri);
    if (recipient.address.length == 0)
        return wrong(reading, "Bad Recipient Address");
    add(reading, recipient);
}

static void take_anchor(struct reading *reading, const struct xml_element *element, struct text attribute)
{
    struct recipients *recipients = reading->recipients;
    struct text value;
    if (!xml_attribute(element, attribute, &value) || text_trim(value).length == 0)
        return wrong(reading, "Bad List Reference");
    if (recipients->count + recipients->anchors_count == reading->count_max)
        reading->full = true;
    else
        recipients->anchors[recipients->anchors_count++] = text_trim(value);
}

static void take_element(struct reading *reading, const struct xml_element *element)
{
    if (xml_is(element, RESOURCE_LISTS, TEXT("entry")))
        take_entry(reading, element);
    else if (xml_is(element, RESOURCE_LISTS, TEXT("external")))
        take_anchor(reading, element, TEXT("anchor"));
    else if (xml_is(element, RESOURCE_LISTS, TEXT("entry-ref")))
        take_anchor(reading, element, TEXT("ref"));
}

enum status recipients_read(struct text document, size_t count_max, struct arena *arena,
                            struct recipients *recipients_out, const char **reason_out)
{
    struct reading reading = {.recipients = recipients_out, .arena = arena, .count_max = count_max};
    const struct xml_element *root;
    *recipients_out = (struct recipients){
        .list = arena_array(arena, struct recipient, count_max),
        .anchors = arena_array(arena, struct text, count_max),
    };
    *reason_out = "Malformed Recipient List";
    if (xml_tree_read(document, arena, &root) != OK || !xml_is(root, RESOURCE_LISTS, TEXT("resource-lists")))
        return REFUSED;
    for (const struct xml_element *element = root; element && !reading.full; element = xml_next(element, root))
        take_element(&reading, element);
    HASH_CLEAR(hh, reading.known);
    *reason_out = reading.reason;
    return reading.full ? FULL : (reading.reason ? REFUSED : OK);
}

/* --- what others see --- */

static const char *copy_name(enum recipient_copy copy)
{
    return copy == RECIPIENT_TO ? "to" : "cc";
}

static void add_visible(struct text_builder *history, const struct recipients *recipients, enum recipient_copy copy,
                        struct arena *arena)
{
    uint64_t hidden = 0;
    for (size_t i = 0; i < recipients->count; i++) {
        const struct recipient *recipient = &recipients->list[i];
        if (recipient->copy != copy)
            continue;
        if (recipient->anonymize)
            hidden += recipient->count;
        else
            builder_add_format(history, "<entry uri=\"%.*s\" cp:copyControl=\"%s\"/>\r\n",
                               TEXT_ARG(xml_escape(arena, recipient->uri)), copy_name(copy));
    }
    if (hidden)
        builder_add_format(history, "<entry uri=\"" ANONYMOUS "\" cp:copyControl=\"%s\" cp:count=\"%llu\"/>\r\n",
                           copy_name(copy), (unsigned long long)hidden);
}

struct text recipients_history(const struct recipients *recipients, struct arena *arena)
{
    struct text_builder entries;
    builder_init(&entries, arena);
    add_visible(&entries, recipients, RECIPIENT_TO, arena);
    add_visible(&entries, recipients, RECIPIENT_CC, arena);
    if (entries.length == 0)
        return (struct text){0};
    return text_format(arena,
                       "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n"
                       "<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\" "
                       "xmlns:cp=\"urn:ietf:params:xml:ns:copycontrol\"><list>\r\n%.*s</list></resource-lists>",
                       TEXT_ARG(builder_text(&entries)));
}
