/* Who the peer is: whether the chain of its certificate is good, and which names stand in it. */
#include "tls_private.h"

#include <gnutls/x509.h>

#define NAMES_MAX     64   /* of one certificate; more are not looked at */
#define NAME_SIZE_MAX 1024 /* longer names are no hosts and no addresses */

struct names {
    struct text list[NAMES_MAX];
    size_t count;
};

static bool collect_alternatives(gnutls_x509_crt_t certificate, struct names *names, struct arena *arena);
static void collect_common_name(gnutls_x509_crt_t certificate, struct names *names, struct arena *arena);
static bool is_plain(struct text name, bool is_host);

const char *tls_peer_problem(gnutls_session_t session, const char *name, gnutls_alert_description_t *alert_out)
{
    unsigned status = 0;
    gnutls_typed_vdata_st wanted = {.type = GNUTLS_DT_DNS_HOSTNAME, .data = (unsigned char *)name};
    int result = gnutls_certificate_verify_peers(session, &wanted, name ? 1 : 0, &status);
    *alert_out = GNUTLS_A_BAD_CERTIFICATE;
    if (result < 0)
        return gnutls_strerror(result);
    if (status & GNUTLS_CERT_EXPIRED)
        return *alert_out = GNUTLS_A_CERTIFICATE_EXPIRED, "the peer's certificate has expired";
    if (status & GNUTLS_CERT_NOT_ACTIVATED)
        return "the peer's certificate is not valid yet";
    if (status & GNUTLS_CERT_REVOKED)
        return *alert_out = GNUTLS_A_CERTIFICATE_REVOKED, "the peer's certificate is revoked";
    if (status & (GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNER_NOT_CA))
        return *alert_out = GNUTLS_A_UNKNOWN_CA, "the peer's certificate is from a CA that is not trusted here";
    if (status & GNUTLS_CERT_SIGNATURE_FAILURE)
        return "the peer's certificate is not signed by the CA that it names";
    if (status & GNUTLS_CERT_UNEXPECTED_OWNER)
        return "the peer's certificate is for another name";
    return status ? "the peer's certificate is not good" : NULL;
}

size_t tls_certificate_names(const gnutls_datum_t *der, struct arena *arena, const struct text **names_out)
{
    struct names names = {.count = 0};
    gnutls_x509_crt_t certificate;
    if (gnutls_x509_crt_init(&certificate) < 0)
        return 0;
    if (gnutls_x509_crt_import(certificate, der, GNUTLS_X509_FMT_DER) >= 0 &&
        !collect_alternatives(certificate, &names, arena))
        collect_common_name(certificate, &names, arena);
    gnutls_x509_crt_deinit(certificate);
    struct text *list = arena_array(arena, struct text, names.count + 1);
    memcpy(list, names.list, names.count * sizeof(*list));
    *names_out = list;
    return names.count;
}

/* True if there are any, also when none of them is taken. */
static bool collect_alternatives(gnutls_x509_crt_t certificate, struct names *names, struct arena *arena)
{
    bool found = false;
    for (unsigned i = 0; i < NAMES_MAX; i++) {
        char bytes[NAME_SIZE_MAX];
        size_t size = sizeof(bytes);
        int type = gnutls_x509_crt_get_subject_alt_name(certificate, i, bytes, &size, NULL);
        if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
            break;
        bool is_host = type == GNUTLS_SAN_DNSNAME;
        struct text name = {bytes, size};
        if (type == GNUTLS_E_SHORT_MEMORY_BUFFER || is_host || type == GNUTLS_SAN_URI)
            found = true;
        if ((is_host || type == GNUTLS_SAN_URI) && is_plain(name, is_host))
            names->list[names->count++] = is_host ? text_lower(arena, name) : text_copy(arena, name);
    }
    return found;
}

static void collect_common_name(gnutls_x509_crt_t certificate, struct names *names, struct arena *arena)
{
    char bytes[NAME_SIZE_MAX];
    size_t size = sizeof(bytes);
    int result = gnutls_x509_crt_get_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, 0, bytes, &size);
    struct text name = {bytes, size};
    if (result >= 0 && is_plain(name, false))
        names->list[names->count++] = text_copy(arena, name);
}

/* No control characters, among them NUL, and in hosts nothing but what hosts are made of. */
static bool is_plain(struct text name, bool is_host)
{
    for (size_t i = 0; i < name.length; i++) {
        unsigned char byte = (unsigned char)name.bytes[i];
        bool alphanumeric = (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z');
        if (byte < 0x20 || byte == 0x7f || (is_host && !alphanumeric && !strchr(".-_*", byte)))
            return false;
    }
    return name.length > 0;
}
