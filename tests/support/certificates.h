/* Certificates made for one test: an authority of its own, and whom it vouches for. ECDSA, written as PEM files. */
#ifndef TESTS_CERTIFICATES_H
#define TESTS_CERTIFICATES_H

#include <assert.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "text.h"

#define CERTIFICATE_DAY_S    86400
#define CERTIFICATE_PEM_MAX  16384
#define CERTIFICATE_PATH_MAX 256

struct certificate_order {
    const char *file; /* "NAME": NAME.crt and NAME.key in the folder */
    const char *common_name, *dns, *uri;
    const char *ipv4;   /* 4 bytes */
    int64_t days_valid; /* from now; negative: it has expired */
    bool is_authority;
};

struct certificate {
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t certificate;
    char certificate_path[CERTIFICATE_PATH_MAX], key_path[CERTIFICATE_PATH_MAX];
};

static inline void certificate_file(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "we");
    assert(file);
    size_t written = fwrite(bytes, 1, size, file);
    assert(written == size);
    fclose(file);
    chmod(path, S_IRUSR | S_IWUSR);
}

static inline void certificate_save(struct certificate *made, const char *folder, const char *name)
{
    char pem[CERTIFICATE_PEM_MAX];
    size_t size = sizeof(pem);
    snprintf(made->certificate_path, CERTIFICATE_PATH_MAX, "%s/%s.crt", folder, name);
    snprintf(made->key_path, CERTIFICATE_PATH_MAX, "%s/%s.key", folder, name);
    gnutls_x509_crt_export(made->certificate, GNUTLS_X509_FMT_PEM, pem, &size);
    certificate_file(made->certificate_path, pem, size);
    size = sizeof(pem);
    gnutls_x509_privkey_export(made->key, GNUTLS_X509_FMT_PEM, pem, &size);
    certificate_file(made->key_path, pem, size);
}

static inline void certificate_name(gnutls_x509_crt_t made, gnutls_x509_subject_alt_name_t type, const char *name,
                                    size_t size)
{
    if (name)
        gnutls_x509_crt_set_subject_alt_name(made, type, name, (unsigned)size, GNUTLS_FSAN_APPEND);
}

/* Signed by `issuer`, or by itself when that is NULL. */
static inline struct certificate certificate_make(const char *folder, const struct certificate_order *order,
                                                  const struct certificate *issuer)
{
    struct certificate made = {0};
    static unsigned char serial = 1;
    time_t now = time(NULL), end = now + order->days_valid * CERTIFICATE_DAY_S;
    gnutls_x509_privkey_init(&made.key);
    gnutls_x509_privkey_generate(made.key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
    gnutls_x509_crt_init(&made.certificate);
    gnutls_x509_crt_set_version(made.certificate, 3);
    gnutls_x509_crt_set_serial(made.certificate, &serial, 1);
    serial++;
    gnutls_x509_crt_set_activation_time(made.certificate, (end < now ? end : now) - CERTIFICATE_DAY_S);
    gnutls_x509_crt_set_expiration_time(made.certificate, end);
    gnutls_x509_crt_set_dn_by_oid(made.certificate, GNUTLS_OID_X520_COMMON_NAME, 0, order->common_name,
                                  (unsigned)strlen(order->common_name));
    certificate_name(made.certificate, GNUTLS_SAN_DNSNAME, order->dns, order->dns ? strlen(order->dns) : 0);
    certificate_name(made.certificate, GNUTLS_SAN_URI, order->uri, order->uri ? strlen(order->uri) : 0);
    certificate_name(made.certificate, GNUTLS_SAN_IPADDRESS, order->ipv4, 4);
    gnutls_x509_crt_set_basic_constraints(made.certificate, order->is_authority, -1);
    gnutls_x509_crt_set_key_usage(made.certificate, order->is_authority ? GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN
                                                                        : GNUTLS_KEY_DIGITAL_SIGNATURE);
    gnutls_x509_crt_set_key(made.certificate, made.key);
    int signed_well = gnutls_x509_crt_sign2(made.certificate, issuer ? issuer->certificate : made.certificate,
                                            issuer ? issuer->key : made.key, GNUTLS_DIG_SHA256, 0);
    assert(signed_well == 0);
    certificate_save(&made, folder, order->file);
    return made;
}

/* Says that `issuer` has revoked `who`; the list is good for so many days from now. */
static inline void certificate_revoke(const char *path, const struct certificate *issuer, const struct certificate *who,
                                      int64_t days_valid)
{
    char pem[CERTIFICATE_PEM_MAX];
    size_t size = sizeof(pem);
    time_t now = time(NULL);
    gnutls_x509_crl_t list;
    gnutls_x509_crl_init(&list);
    gnutls_x509_crl_set_version(list, 2);
    gnutls_x509_crl_set_this_update(list, now - 2 * CERTIFICATE_DAY_S);
    gnutls_x509_crl_set_next_update(list, now + days_valid * CERTIFICATE_DAY_S);
    gnutls_x509_crl_set_crt(list, who->certificate, now - CERTIFICATE_DAY_S);
    int signed_well = gnutls_x509_crl_sign2(list, issuer->certificate, issuer->key, GNUTLS_DIG_SHA256, 0);
    assert(signed_well == 0);
    gnutls_x509_crl_export(list, GNUTLS_X509_FMT_PEM, pem, &size);
    certificate_file(path, pem, size);
    gnutls_x509_crl_deinit(list);
}

static inline void certificate_free(struct certificate *made)
{
    gnutls_x509_crt_deinit(made->certificate);
    gnutls_x509_privkey_deinit(made->key);
    unlink(made->certificate_path);
    unlink(made->key_path);
}

#endif
