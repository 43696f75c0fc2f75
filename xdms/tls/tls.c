/* Credentials: which generation of them is in force, and until when the old ones are kept. What a generation is made of
 * is in tls_load.c. */
#include "tls_private.h"

#include <pthread.h>
#include <stdlib.h>

#include "clock.h"
#include "log.h"
#include "metrics.h"

#define DAY_MS (24 * 3600 * INT64_C(1000))

struct tls {
    struct tls_settings settings; /* with copies of the paths */
    struct arena arena;
    pthread_mutex_t lock;
    struct tls_generation *generation; /* under the lock */
};

static void tell_expiry(const char *path, int64_t expires_ms);
static const char *keep(struct arena *arena, const char *path);

bool tls_clients_parse(struct text word, enum tls_clients *clients_out)
{
    static const struct text words[] = {TEXT_INIT("none"), TEXT_INIT("optional"), TEXT_INIT("required")};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (!text_equal(word, words[i]))
            continue;
        *clients_out = (enum tls_clients)i;
        return true;
    }
    return false;
}

struct tls *tls_open(const struct tls_settings *settings, struct arena *arena, struct text *error_out)
{
    struct tls_generation *generation = tls_generation_load(settings, arena, error_out);
    if (!generation)
        return NULL;
    struct tls *tls = memory_new(sizeof(*tls));
    arena_init(&tls->arena, "tls");
    tls->settings = (struct tls_settings){
        .certificate = keep(&tls->arena, settings->certificate),
        .key = keep(&tls->arena, settings->key),
        .client_ca = keep(&tls->arena, settings->client_ca),
        .client_crl = keep(&tls->arena, settings->client_crl),
        .server_ca = keep(&tls->arena, settings->server_ca),
        .priority = keep(&tls->arena, settings->priority),
        .servers_unverified = settings->servers_unverified,
    };
    tls->generation = generation;
    pthread_mutex_init(&tls->lock, NULL);
    tell_expiry(tls->settings.certificate, generation->expires_ms);
    return tls;
}

static const char *keep(struct arena *arena, const char *path)
{
    return text_cstring(arena, text_of(path ? path : ""));
}

static void tell_expiry(const char *path, int64_t expires_ms)
{
    int64_t left_ms = expires_ms - clock_wall_ms();
    struct arena arena;
    arena_init(&arena, "tls expiry");
    struct text date = clock_write_rfc3339(&arena, expires_ms);
    if (left_ms <= 0)
        log_warning("TLS certificate has expired file=%s expired=%.*s", path, TEXT_ARG(date));
    else if (left_ms < TLS_EXPIRY_WARNING_DAYS * DAY_MS)
        log_warning("TLS certificate expires soon file=%s days=%lld expires=%.*s", path, (long long)(left_ms / DAY_MS),
                    TEXT_ARG(date));
    else
        log_info("TLS certificate in force file=%s expires=%.*s", path, TEXT_ARG(date));
    arena_clear(&arena);
    metric_set(metric_gauge("xdm_tls_certificate_expires_timestamp_seconds", "",
                            "When the TLS certificate in force ends, in seconds since 1970."),
               expires_ms / 1000);
}

enum status tls_reload(struct tls *tls, struct arena *arena, struct text *error_out)
{
    struct tls_generation *generation = tls_generation_load(&tls->settings, arena, error_out);
    if (!generation)
        return FAILED;
    int64_t expires_ms = generation->expires_ms;
    pthread_mutex_lock(&tls->lock);
    struct tls_generation *old = tls->generation;
    tls->generation = generation;
    pthread_mutex_unlock(&tls->lock);
    tls_generation_release(old);
    tell_expiry(tls->settings.certificate, expires_ms);
    return OK;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    tls_generation_release(tls->generation);
    pthread_mutex_destroy(&tls->lock);
    arena_clear(&tls->arena);
    free(tls);
}

struct tls_generation *tls_generation_take(struct tls *tls)
{
    pthread_mutex_lock(&tls->lock);
    struct tls_generation *generation = tls->generation;
    atomic_fetch_add(&generation->users, 1);
    pthread_mutex_unlock(&tls->lock);
    return generation;
}

void tls_generation_release(struct tls_generation *generation)
{
    if (atomic_fetch_sub(&generation->users, 1) == 1)
        tls_generation_free(generation);
}

bool tls_servers_unverified(const struct tls *tls)
{
    return tls->settings.servers_unverified;
}

int64_t tls_expires_ms(struct tls *tls)
{
    struct tls_generation *generation = tls_generation_take(tls);
    int64_t expires_ms = generation->expires_ms;
    tls_generation_release(generation);
    return expires_ms;
}
