/* Reads answers as they come from a server. The bytes are a stranger's: the resolver of the C library takes them apart
 * and this looks at what it finds. */
#include "dns.h"

#include <arpa/nameser.h>
#include <netinet/in.h>

#define STRINGS_MAX 3 /* flags, service and regular expression of a NAPTR */

const char *dns_type_name(enum dns_type type)
{
    static const char *const names[] = {[DNS_ADDRESSES] = "A/AAAA", [DNS_SRV] = "SRV", [DNS_NAPTR] = "NAPTR"};
    return names[type];
}

static uint16_t number_at(const unsigned char *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

/* A name as text; false when it does not end where it must. */
static bool read_name(const ns_msg *message, const unsigned char *at, const unsigned char *end, struct arena *arena,
                      struct text *name_out)
{
    char name[NS_MAXDNAME];
    int used = ns_name_uncompress(ns_msg_base(*message), ns_msg_end(*message), at, name, sizeof(name));
    struct text text = text_of(name);
    if (used < 0 || at + used != end)
        return false;
    if (text_equal(text, TEXT("."))) /* RFC 2782: no such service; RFC 3403 §4.1: nothing to replace it by */
        text.length = 0;
    *name_out = text_lower(arena, text);
    return true;
}

static bool read_srv(const ns_msg *message, const ns_rr *record, struct arena *arena, struct dns_record *record_out)
{
    const unsigned char *data = ns_rr_rdata(*record), *end = data + ns_rr_rdlen(*record);
    if (ns_rr_rdlen(*record) < 7)
        return false;
    record_out->priority = number_at(data);
    record_out->weight = number_at(data + 2);
    record_out->port = number_at(data + 4);
    return read_name(message, data + 6, end, arena, &record_out->target);
}

static bool read_naptr(const ns_msg *message, const ns_rr *record, struct arena *arena, struct dns_record *record_out)
{
    const unsigned char *at = ns_rr_rdata(*record), *end = at + ns_rr_rdlen(*record);
    struct text strings[STRINGS_MAX];
    if (end - at < 4)
        return false;
    record_out->order = number_at(at);
    record_out->preference = number_at(at + 2);
    at += 4;
    for (size_t i = 0; i < STRINGS_MAX; i++) {
        if (at == end || end - at - 1 < *at)
            return false;
        strings[i] = text_copy(arena, (struct text){(const char *)at + 1, *at});
        at += 1 + *at;
    }
    record_out->flags = strings[0];
    record_out->service = strings[1];
    record_out->substitution = strings[2];
    return at < end && read_name(message, at, end, arena, &record_out->target);
}

/* RFC 2308 §5: how long "there is none" is true stands beside it. */
static int64_t none_ttl_s(ns_msg *message)
{
    ns_rr record;
    for (int i = 0; i < ns_msg_count(*message, ns_s_ns); i++) {
        if (ns_parserr(message, ns_s_ns, i, &record) != 0 || ns_rr_type(record) != ns_t_soa || ns_rr_rdlen(record) < 4)
            continue;
        const unsigned char *minimum = ns_rr_rdata(record) + ns_rr_rdlen(record) - 4;
        int64_t own = (int64_t)number_at(minimum) << 16 | number_at(minimum + 2);
        return own < ns_rr_ttl(record) ? own : ns_rr_ttl(record);
    }
    return DNS_NONE_TTL_S;
}

static bool read_record(const ns_msg *message, const ns_rr *record, enum dns_type type, struct arena *arena,
                        struct dns_record *record_out)
{
    if (ns_rr_class(*record) != ns_c_in || ns_rr_type(*record) != (type == DNS_SRV ? ns_t_srv : ns_t_naptr))
        return false;
    return type == DNS_SRV ? read_srv(message, record, arena, record_out)
                           : read_naptr(message, record, arena, record_out);
}

void dns_answer_read(const void *bytes, size_t length, enum dns_type type, struct arena *arena,
                     struct dns_answer *answer_out)
{
    struct dns_record *records = arena_array(arena, struct dns_record, DNS_RECORDS_MAX);
    ns_msg message;
    *answer_out = (struct dns_answer){.outcome = DNS_UNKNOWN, .records = records};
    if (length > NS_MAXMSG || ns_initparse(bytes, (int)length, &message) != 0 ||
        (ns_msg_getflag(message, ns_f_rcode) != ns_r_noerror && ns_msg_getflag(message, ns_f_rcode) != ns_r_nxdomain))
        return;
    answer_out->ttl_s = INT32_MAX;
    for (int i = 0; i < ns_msg_count(message, ns_s_an) && answer_out->count < DNS_RECORDS_MAX; i++) {
        ns_rr record;
        if (ns_parserr(&message, ns_s_an, i, &record) != 0)
            break;
        if (ns_rr_ttl(record) < answer_out->ttl_s)                                      /* of aliases on the way, too */
            answer_out->ttl_s = ns_rr_ttl(record) <= INT32_MAX ? ns_rr_ttl(record) : 0; /* RFC 2181 §8 */
        answer_out->count += read_record(&message, &record, type, arena, &records[answer_out->count]);
    }
    answer_out->outcome = answer_out->count ? DNS_FOUND : DNS_NONE;
    if (answer_out->count == 0)
        answer_out->ttl_s = none_ttl_s(&message);
}
