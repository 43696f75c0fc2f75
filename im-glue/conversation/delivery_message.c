/* A message as each contact gets it, and how it is known again when it comes back to us. */
#include "delivery_private.h"
#include "domains_private.h"
#include "handout_private.h"
#include "uri.h"

#define CALL_ID_DIGITS 32
#define TAG_DIGITS     16

/* A From field up to the tag, which is each copy's own. */
static bool from_begin(const struct sip_message *stored, struct arena *arena, struct text *from_out)
{
    struct text field;
    struct name_addr from;
    if (!sip_header(stored, "From", 0, arena, &field) || !name_addr_parse(field, &from, NULL))
        return false;
    *from_out = TEXT_CONCAT(arena, TEXT("<"), from.uri, TEXT(">;tag="));
    if (from.display.length)
        *from_out = TEXT_CONCAT(arena, TEXT("\""), from.display, TEXT("\" "), *from_out);
    return true;
}

static void name_own(struct delivery *delivery, struct text from)
{
    struct arena *arena = &delivery->arena;
    if (delivery->call_id.length) /* a copy is one request, whichever way it goes */
        return;
    const char *host = delivery->conversation->settings.agent.host;
    struct text digits = random_hex(arena, CALL_ID_DIGITS + TAG_DIGITS);
    delivery->call_id = TEXT_CONCAT(arena, text_slice(digits, 0, CALL_ID_DIGITS), TEXT("@"), text_of(host));
    delivery->from = TEXT_CONCAT(arena, from, text_slice(digits, CALL_ID_DIGITS, digits.length));
}

/* A copy out of a group is a request of its own (RFC 5365 §7.2): new Call-ID, CSeq and From tag, To the member. */
static bool make_own(struct delivery *delivery, struct sip_message *message)
{
    struct arena *arena = &delivery->arena;
    struct text from = {0};
    if (delivery->call_id.length == 0 && !from_begin(message, arena, &from))
        return false;
    name_own(delivery, from);
    return sip_header_set(message, "From", delivery->from) == OK &&
           sip_header_set(message, "To",
                          TEXT_CONCAT(arena, TEXT("<"), text_of(delivery->recipient->address), TEXT(">"))) == OK &&
           sip_header_set(message, "Call-ID", delivery->call_id) == OK &&
           sip_header_set(message, "CSeq", TEXT("1 MESSAGE")) == OK;
}

/* RFC 7315 §4.2: under which of his addresses he is called, since the Request-URI is his contact. What servers tell
 * each other is no client's. */
static void prepare_for_client(const struct delivery *delivery, const struct sip_message *stored,
                               struct sip_message *message, struct arena *arena)
{
    struct text address =
        delivery->fate.group.length ? text_of(delivery->recipient->address) : sip_request_uri(stored, arena);
    request_hide_core_headers(message);
    sip_header_set(message, "P-Called-Party-ID", TEXT_CONCAT(arena, TEXT("<"), address, TEXT(">")));
}

/* RFC 3325 §7: a core is told who sends, and to keep it for itself where he wants that. */
static void prepare_for_core(const struct delivery *delivery, struct sip_message *message, struct arena *arena)
{
    struct text value;
    if (sip_header(message, "P-Asserted-Identity", 0, arena, &value))
        return;
    sip_header_add(message, "P-Asserted-Identity", text_format(arena, "<%.*s>", TEXT_ARG(delivery->fate.sender)));
    if (!sip_header(message, "Privacy", 0, arena, &value))
        sip_header_add(message, "Privacy", TEXT("id"));
}

bool delivery_prepare_copies(const struct sip_message *stored, struct arena *arena, struct copies_pattern *pattern_out)
{
    if (!from_begin(stored, arena, &pattern_out->from))
        return false;
    pattern_out->message = sip_message_borrow(stored);
    sip_header_remove(pattern_out->message, "Via");
    request_hide_core_headers(pattern_out->message);
    return sip_header_set(pattern_out->message, "CSeq", TEXT("1 MESSAGE")) == OK;
}

/* RFC 3261 §19.1.1: header fields in a URI have no place in a Request-URI. */
static bool lead_to(struct sip_message *message, const struct branch *branch)
{
    struct text uri = text_slice(branch->contact, 0, text_find_char(branch->contact, '?'));
    return (branch->path.length == 0 || sip_header_set(message, "Route", branch->path) == OK) &&
           sip_request_uri_set(message, uri) == OK;
}

/* The same as below, of what has been done once for all copies. */
static struct sip_message *copy_for_client(struct delivery *delivery, const struct copies_pattern *pattern,
                                           const struct branch *branch)
{
    struct sip_message *message = sip_message_borrow(pattern->message);
    struct text to = TEXT_CONCAT(&delivery->arena, TEXT("<"), delivery->fate.recipient, TEXT(">"));
    name_own(delivery, pattern->from);
    sip_header_set(message, "P-Called-Party-ID", to);
    if (lead_to(message, branch) && sip_header_set(message, "From", delivery->from) == OK &&
        sip_header_set(message, "To", to) == OK && sip_header_set(message, "Call-ID", delivery->call_id) == OK)
        return message;
    sip_message_free(message);
    return NULL;
}

struct sip_message *delivery_message_for(struct delivery *delivery, const struct sip_message *stored,
                                         const struct branch *branch)
{
    const struct copies_pattern *pattern = delivery->copy && !branch->core ? handout_pattern(delivery->copy) : NULL;
    if (pattern)
        return copy_for_client(delivery, pattern, branch);
    struct sip_message *message = sip_message_borrow(stored);
    sip_header_remove(message, "Via");
    if (delivery->recipient->domain && !branch->core)
        outbound_prepare(delivery, message);
    else if (branch->core)
        prepare_for_core(delivery, message, &delivery->arena);
    else
        prepare_for_client(delivery, stored, message, &delivery->arena);
    if (lead_to(message, branch) && (!delivery->fate.group.length || make_own(delivery, message)))
        return message;
    sip_message_free(message);
    return NULL;
}

struct sip_message *delivery_read(const struct delivery *delivery)
{
    struct sip_message *message = NULL;
    struct sip_fault fault;
    if (sip_message_parse(delivery->message, &message, &fault) == OK)
        return message;
    sip_message_free(message);
    return NULL;
}

/* --- loops (RFC 3261 §16.3): a contact may lead back to us by way of others --- */

/* A copy out of a group is known by its Call-ID alone, which is its own. */
static struct text sent_key(struct text call_id, struct text cseq, const struct served *recipient, struct arena *arena)
{
    struct text number, method;
    text_cut(text_trim(cseq), ' ', &number, &method);
    struct text address = recipient ? text_of(recipient->address) : TEXT("");
    return TEXT_CONCAT(arena, number, TEXT(" "), address, TEXT(" "), call_id);
}

void delivery_note_sent(struct delivery *delivery, const struct sip_message *message)
{
    struct conversation *conversation = delivery->conversation;
    struct delivery *other;
    struct text cseq;
    if (delivery->sent_as.length || !sip_header(message, "CSeq", 0, &delivery->arena, &cseq))
        return;
    const struct served *recipient = delivery->fate.group.length ? NULL : delivery->recipient;
    struct text key = sent_key(sip_call_id(message, &delivery->arena), cseq, recipient, &delivery->arena);
    HASH_FIND(hh, conversation->sent, key.bytes, key.length, other);
    if (other) /* a client that uses one twice */
        return;
    delivery->sent_as = key;
    HASH_ADD_KEYPTR(hh, conversation->sent, delivery->sent_as.bytes, delivery->sent_as.length, delivery);
}

static struct delivery *find_sent(const struct conversation *conversation, struct text key)
{
    struct delivery *found = NULL;
    HASH_FIND(hh, conversation->sent, key.bytes, key.length, found);
    return found;
}

static const struct delivery *find_own(struct request *request, const struct served *recipient)
{
    struct arena *arena = &request->arena;
    struct text call_id = sip_call_id(request->message, arena), cseq = request_header(request, "CSeq");
    const struct delivery *copy = find_sent(request->conversation, sent_key(call_id, cseq, NULL, arena));
    if (!recipient || (copy && copy->recipient == recipient))
        return copy;
    return find_sent(request->conversation, sent_key(call_id, cseq, recipient, arena));
}

bool delivery_is_ours(struct request *request, const struct served *recipient)
{
    return find_own(request, recipient) != NULL;
}

bool delivery_is_on_its_last_way(struct request *request, const struct served *recipient)
{
    const struct delivery *delivery = find_own(request, recipient);
    return delivery && !delivery->onward;
}
