/* One reading of the files: what GnuTLS needs, checked piece by piece, so that an operator is told which file is wrong
 * and how. */
#include "tls_private.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "clock.h"
#include "log.h"

#define FILE_BYTES_MAX (16 << 20) /* the CAs of the whole world are less than half a megabyte */
#define CHAIN_MAX      16         /* ours: leaf, one or two between, root */
#define KEY_ID_MAX     64

/* Certificate and key while they are put together. */
struct pair {
    gnutls_x509_crt_t *chain;
    unsigned chain_count;
    gnutls_x509_privkey_t key;
};

static bool load(struct tls_generation *generation, const struct tls_settings *settings, struct arena *arena,
                 struct text *error_out);
static bool load_priority(struct tls_generation *generation, const char *priority, struct arena *arena,
                          struct text *error_out);
static bool load_pair(struct pair *pair, const struct tls_settings *settings, struct arena *arena,
                      struct text *error_out);
static bool is_pair(const struct pair *pair);
static int64_t first_expiry_ms(const struct pair *pair);
static bool set_pair(struct tls_generation *generation, const struct pair *pair);
static void free_pair(struct pair *pair);
static bool load_authorities(gnutls_certificate_credentials_t credentials, const char *setting, const char *path,
                             struct arena *arena, struct text *error_out);
static bool load_revoked(gnutls_certificate_credentials_t credentials, const char *path, struct arena *arena,
                         struct text *error_out);
static void warn_of_age(const char *path, const gnutls_datum_t *bytes);
static bool read_file(const char *setting, const char *path, struct arena *arena, gnutls_datum_t *bytes_out,
                      struct text *error_out);
static void warn_of_readers(const char *path, const struct stat *about);

struct tls_generation *tls_generation_load(const struct tls_settings *settings, struct arena *arena,
                                           struct text *error_out)
{
    struct tls_generation *generation = memory_new(sizeof(*generation));
    atomic_init(&generation->users, 1);
    if (load(generation, settings, arena, error_out))
        return generation;
    tls_generation_free(generation);
    return NULL;
}

void tls_generation_free(struct tls_generation *generation)
{
    if (generation->server)
        gnutls_certificate_free_credentials(generation->server);
    if (generation->client)
        gnutls_certificate_free_credentials(generation->client);
    if (generation->priority)
        gnutls_priority_deinit(generation->priority);
    if (generation->ticket_key.data) {
        gnutls_memset(generation->ticket_key.data, 0, generation->ticket_key.size);
        gnutls_free(generation->ticket_key.data);
    }
    free(generation);
}

static bool load(struct tls_generation *generation, const struct tls_settings *settings, struct arena *arena,
                 struct text *error_out)
{
    struct pair pair = {0};
    bool loaded =
        load_priority(generation, settings->priority, arena, error_out) && load_pair(&pair, settings, arena, error_out);
    if (loaded) {
        generation->expires_ms = first_expiry_ms(&pair);
        loaded = set_pair(generation, &pair);
        if (!loaded)
            *error_out = text_format(arena, "tls.certificate cannot be used: %s", settings->certificate);
    }
    free_pair(&pair);
    if (!loaded || !load_authorities(generation->server, "tls.client-ca", settings->client_ca, arena, error_out) ||
        !load_revoked(generation->server, settings->client_crl, arena, error_out) ||
        !load_authorities(generation->client, "tls.server-ca", settings->server_ca, arena, error_out))
        return false;
    if (!settings->server_ca || !settings->server_ca[0]) /* a machine without a list believes no server */
        gnutls_certificate_set_x509_system_trust(generation->client);
    return true;
}

static bool load_priority(struct tls_generation *generation, const char *priority, struct arena *arena,
                          struct text *error_out)
{
    const char *at = NULL;
    const char *wanted = priority && priority[0] ? priority : TLS_PRIORITY_STANDARD;
    if (gnutls_priority_init(&generation->priority, wanted, &at) == GNUTLS_E_SUCCESS) {
        const unsigned *versions;
        int count = gnutls_priority_protocol_list(generation->priority, &versions);
        for (int i = 0; i < count; i++)
            generation->speaks_old_versions |= versions[i] < GNUTLS_TLS1_2;
        return true;
    }
    generation->priority = NULL;
    *error_out = text_format(arena, "tls.priority is not understood from here on: %s", at && *at ? at : wanted);
    return false;
}

/* --- our certificate and its key --- */

static bool load_pair(struct pair *pair, const struct tls_settings *settings, struct arena *arena,
                      struct text *error_out)
{
    gnutls_datum_t certificate, key;
    if (!read_file("tls.certificate", settings->certificate, arena, &certificate, error_out) ||
        !read_file("tls.key", settings->key, arena, &key, error_out))
        return false;
    int result = gnutls_x509_crt_list_import2(&pair->chain, &pair->chain_count, &certificate, GNUTLS_X509_FMT_PEM,
                                              GNUTLS_X509_CRT_LIST_SORT);
    if (result < 0 || pair->chain_count == 0 || pair->chain_count > CHAIN_MAX) {
        *error_out = text_format(arena, "tls.certificate holds no chain of PEM certificates: %s: %s",
                                 settings->certificate, result < 0 ? gnutls_strerror(result) : "too many, or none");
        return false;
    }
    gnutls_x509_privkey_init(&pair->key);
    result = gnutls_x509_privkey_import2(pair->key, &key, GNUTLS_X509_FMT_PEM, NULL, 0);
    gnutls_memset(key.data, 0, key.size);
    if (result < 0) {
        *error_out = text_format(arena, "tls.key holds no PEM private key without a password: %s: %s", settings->key,
                                 gnutls_strerror(result));
        return false;
    }
    if (is_pair(pair))
        return true;
    *error_out =
        text_format(arena, "tls.key does not belong to tls.certificate: %s, %s", settings->key, settings->certificate);
    return false;
}

static bool is_pair(const struct pair *pair)
{
    unsigned char certified[KEY_ID_MAX], own[KEY_ID_MAX];
    size_t certified_size = sizeof(certified), own_size = sizeof(own);
    return gnutls_x509_crt_get_key_id(pair->chain[0], GNUTLS_KEYID_USE_SHA256, certified, &certified_size) == 0 &&
           gnutls_x509_privkey_get_key_id(pair->key, GNUTLS_KEYID_USE_SHA256, own, &own_size) == 0 &&
           certified_size == own_size && memcmp(certified, own, own_size) == 0;
}

static int64_t first_expiry_ms(const struct pair *pair)
{
    time_t first = gnutls_x509_crt_get_expiration_time(pair->chain[0]);
    for (unsigned i = 1; i < pair->chain_count; i++) {
        time_t expires = gnutls_x509_crt_get_expiration_time(pair->chain[i]);
        first = expires < first ? expires : first;
    }
    return (int64_t)first * 1000;
}

static bool set_pair(struct tls_generation *generation, const struct pair *pair)
{
    if (gnutls_certificate_allocate_credentials(&generation->server) < 0 ||
        gnutls_certificate_allocate_credentials(&generation->client) < 0 ||
        gnutls_session_ticket_key_generate(&generation->ticket_key) < 0)
        return false;
    gnutls_certificate_credentials_t both[] = {generation->server, generation->client};
    for (size_t i = 0; i < 2; i++) {
        if (gnutls_certificate_set_x509_key(both[i], pair->chain, (int)pair->chain_count, pair->key) < 0)
            return false;
        gnutls_certificate_set_verify_function(both[i], tls_session_verify);
    }
    return true;
}

static void free_pair(struct pair *pair)
{
    for (unsigned i = 0; i < pair->chain_count; i++)
        gnutls_x509_crt_deinit(pair->chain[i]);
    gnutls_free(pair->chain);
    if (pair->key)
        gnutls_x509_privkey_deinit(pair->key);
}

/* --- whom we believe --- */

static bool load_authorities(gnutls_certificate_credentials_t credentials, const char *setting, const char *path,
                             struct arena *arena, struct text *error_out)
{
    gnutls_datum_t bytes;
    if (!path || !path[0])
        return true;
    if (!read_file(setting, path, arena, &bytes, error_out))
        return false;
    if (gnutls_certificate_set_x509_trust_mem(credentials, &bytes, GNUTLS_X509_FMT_PEM) > 0)
        return true;
    *error_out = text_format(arena, "%s holds no PEM certificate: %s", setting, path);
    return false;
}

static bool load_revoked(gnutls_certificate_credentials_t credentials, const char *path, struct arena *arena,
                         struct text *error_out)
{
    gnutls_datum_t bytes;
    if (!path || !path[0])
        return true;
    if (!read_file("tls.client-crl", path, arena, &bytes, error_out))
        return false;
    if (gnutls_certificate_set_x509_crl_mem(credentials, &bytes, GNUTLS_X509_FMT_PEM) > 0)
        return warn_of_age(path, &bytes), true;
    *error_out = text_format(arena, "tls.client-crl holds no PEM list of revoked certificates: %s", path);
    return false;
}

/* The library holds on to what an old list says. */
static void warn_of_age(const char *path, const gnutls_datum_t *bytes)
{
    gnutls_x509_crl_t *lists = NULL;
    unsigned count = 0;
    time_t now = (time_t)(clock_wall_ms() / 1000);
    if (gnutls_x509_crl_list_import2(&lists, &count, bytes, GNUTLS_X509_FMT_PEM, 0) < 0)
        return;
    for (unsigned i = 0; i < count; i++) {
        if (gnutls_x509_crl_get_next_update(lists[i]) < now)
            log_warning("TLS list of revoked certificates is out of date file=%s", path);
        gnutls_x509_crl_deinit(lists[i]);
    }
    gnutls_free(lists);
}

/* --- files --- */

static bool read_file(const char *setting, const char *path, struct arena *arena, gnutls_datum_t *bytes_out,
                      struct text *error_out)
{
    struct stat about;
    if (!path || !path[0]) {
        *error_out = text_format(arena, "%s names no file", setting);
        return false;
    }
    FILE *file = fopen(path, "re");
    if (!file || fstat(fileno(file), &about) != 0) {
        char reason[128];
        const char *words = strerror_r(errno, reason, sizeof(reason));
        *error_out = text_format(arena, "%s cannot be read: %s: %s", setting, path, words);
        if (file)
            fclose(file);
        return false;
    }
    size_t size = S_ISREG(about.st_mode) && about.st_size <= FILE_BYTES_MAX ? (size_t)about.st_size : 0;
    bytes_out->data = arena_alloc(arena, size + 1);
    bytes_out->size = (unsigned)fread(bytes_out->data, 1, size, file);
    fclose(file);
    if (bytes_out->size == 0) {
        *error_out = text_format(arena, "%s is empty, or no file: %s", setting, path);
        return false;
    }
    if (strcmp(setting, "tls.key") == 0)
        warn_of_readers(path, &about);
    return true;
}

static void warn_of_readers(const char *path, const struct stat *about)
{
    if (about->st_mode & S_IROTH)
        log_warning("TLS private key can be read by everybody on this machine file=%s", path);
}
