/* Computed documents that are made of records: what is listed of them, and how an owner lets go of one by deleting its
 * element, or of all by deleting the document. Knows no record; who does gives commits for a name. */
#include "clock.h"
#include "documents.h"
#include "xcap_edit.h"
#include "xml_tree.h"

void documents_set_records(struct documents *documents, enum usage_source source,
                           const struct document_records *records)
{
    documents->records[source] = records;
}

static const struct document_records *records_of(const struct documents *documents, const struct document_place *place)
{
    return USAGE_SOURCE_IS_RECORDS(place->row->source) ? documents->records[place->row->source] : NULL;
}

enum status document_records_list(const struct documents *documents, const struct document_place *place,
                                  const struct document_part *part, struct text_builder *listing, struct text *next_out)
{
    const struct document_records *records = records_of(documents, place);
    builder_add(listing, TEXT("<records"));
    document_add_attribute(listing, "owner", place->key.owner);
    builder_add_char(listing, '>');
    enum status status = part && part->auid.length ? NOT_FOUND : OK; /* it has no folders */
    if (status == OK && records)
        status = records->list(documents, place->key.owner, part, listing, next_out);
    builder_add(listing, TEXT("</records>"));
    return status == OK && listing->length > DOCUMENT_LISTING_MAX ? FULL : status;
}

void document_records_listed(const struct documents *documents, const struct document_place *place, int64_t when_ms,
                             struct arena *arena)
{
    const struct document_records *records = place->row->kind == USAGE_COMPUTED ? records_of(documents, place) : NULL;
    if (records && records->listed)
        records->listed(documents, place->key.owner, when_ms, arena);
}

/* XML 1.0 §2.2: no controls, and U+FFFE and U+FFFF are none of its characters either. */
static struct text readable(struct text value, struct arena *arena)
{
    struct text_builder kept;
    bool valid = utf8_valid(value);
    builder_init(&kept, arena);
    for (size_t i = 0; i < value.length; i++) {
        unsigned char byte = (unsigned char)value.bytes[i];
        bool none = byte == 0xEF && i + 2 < value.length && (unsigned char)value.bytes[i + 1] == 0xBF &&
                    (unsigned char)value.bytes[i + 2] >= 0xBE;
        if (none)
            i += 2;
        else if (byte >= ' ' && (byte < 0x7F || (byte > 0x7F && valid)))
            builder_add_char(&kept, value.bytes[i]);
    }
    return builder_text(&kept);
}

void document_add_attribute(struct text_builder *listing, const char *name, struct text value)
{
    struct text shown = readable(value, listing->arena);
    if (shown.length)
        builder_add_format(listing, " %s=\"%.*s\"", name, TEXT_ARG(xml_escape(listing->arena, shown)));
}

void document_add_message(struct text_builder *listing, const struct document_message *message)
{
    struct arena *arena = listing->arena;
    builder_add(listing, TEXT("<record"));
    document_add_attribute(listing, "reference", message->reference);
    document_add_attribute(listing, "size", text_number(arena, message->size));
    document_add_attribute(listing, "date", clock_write_rfc3339(arena, message->when_ms));
    if (message->until_ms != INT64_MAX)
        document_add_attribute(listing, "until", clock_write_rfc3339(arena, message->until_ms));
    document_add_attribute(listing, "role", message->sent ? TEXT("sent") : TEXT("got"));
    document_add_attribute(listing, "from", message->from);
    document_add_attribute(listing, "to", message->to);
    document_add_attribute(listing, "group", message->group);
    document_add_attribute(listing, "group-name", message->group_name);
    document_add_attribute(listing, "subject", message->subject);
}

/* --- deletion --- */

bool document_can_shrink(const struct document_place *place, const struct xcap_selector *selector)
{
    return place->row && place->row->kind == USAGE_COMPUTED && place->row->entry.length &&
           (!selector || selector->terminal == XCAP_ELEMENT);
}

static struct text name_of(const struct usage_document *row, const struct xml_element *element)
{
    struct text name = {0};
    if (row->entry_name_is_attribute) {
        xml_attribute(element, row->entry_name, &name);
        return text_trim(name);
    }
    for (const struct xml_element *child = element->first_child; child; child = child->next)
        if (text_equal(child->local, row->entry_name))
            return text_trim(child->text);
    return name;
}

/* Which record the selected element stands for. */
static enum status find_name(struct document_change *change, struct text bytes)
{
    const struct usage_document *row = change->place.row;
    const struct xml_element *root;
    struct text node;
    enum status status = xcap_get(bytes, change->selector, &change->round, &node);
    if (status == OK && xml_tree_read(bytes, &change->round, &root) != OK)
        return FAILED;
    if (status != OK)
        return status;
    for (const struct xml_element *element = root->first_child; element; element = element->next)
        if (element->begin == (size_t)(node.bytes - bytes.bytes) && text_equal(element->local, row->entry))
            change->name = text_copy(change->arena, name_of(row, element));
    if (change->name.length)
        return OK;
    refuse(&change->refusal, REFUSAL_METHOD, "Whole entries can be deleted; what is in them cannot be changed.");
    change->refusal.allow = TEXT(XCAP_ALLOW_READ);
    return REFUSED;
}

/* Against the document as its owner reads it. */
static enum status look(struct document_change *change)
{
    struct stored current;
    enum status status = document_read(change->documents, &change->place, &change->round, &current);
    if (status == OK && change->selector)
        status = find_name(change, current.bytes);
    if (status == OK && !document_change_fits(change, &current))
        status = REFUSED;
    return status;
}

bool document_records_prepare(struct document_change *change)
{
    const struct document_records *records = records_of(change->documents, &change->place);
    bool first = change->tries == 0;
    if (first)
        arena_init(&change->round, "change");
    change->status = CONFLICT;
    if (change->tries++ == DOCUMENT_TRIES_MAX)
        return false;
    arena_reset(&change->round);
    change->status = records ? OK : NOT_FOUND;
    if (change->status == OK && first)
        change->status = look(change);
    if (change->status == OK)
        change->status = records->remove(change->documents, change->place.key.owner,
                                         change->selector ? &change->name : NULL, change->selector ? 1 : 0, change->who,
                                         &change->round, &change->records, &change->records_count);
    if (change->status != OK)
        return false;
    if (change->records_count == 0 && !change->removed && change->selector)
        change->status = NOT_FOUND; /* gone since it was listed */
    return change->records_count > 0;
}

/* The tag of what is left, for who goes on deleting; the deletion stands, whether it can be read or not. */
static void read_version(struct document_change *change)
{
    struct stored now;
    bool read = document_read(change->documents, &change->place, &change->round, &now) == OK;
    change->version = read && change->selector ? now.version : 0;
}

bool document_records_conclude(struct document_change *change)
{
    const struct document_records *records = records_of(change->documents, &change->place);
    bool again = !change->selector, progress = false;
    change->waiting = false;
    if (records->removed)
        records->removed(change->records, change->records_count);
    for (size_t i = 0; i < change->records_count; i++) {
        enum status status = change->records[i].status;
        again = again || status == CONFLICT;
        progress = progress || status == OK;
        if (status != OK && status != CONFLICT)
            change->status = status;
    }
    if (progress) { /* rounds without count */
        change->removed = true;
        change->tries = 1;
    }
    if (change->status == OK && again)
        return false;
    if (change->status == OK)
        read_version(change);
    return true;
}
