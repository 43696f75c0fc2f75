/* Addresses, the root and tokens of xdms, judged before it starts. */
#include "xdms_good.h"

static bool refuse_with(struct text *error_out, struct text line)
{
    *error_out = line;
    return false;
}

static bool read_admin_clients(const struct xdms_settings *settings, enum tls_clients *clients_out,
                               struct text *error_out)
{
    if (!tls_clients_parse(text_of(settings->admin_clients), clients_out))
        return refuse_with(error_out, TEXT("tls.admin-clients is none, optional or required"));
    if (*clients_out != TLS_CLIENTS_NONE && !settings->admin_tls)
        return refuse_with(error_out, TEXT("tls.admin-clients asks for certificates, but tls.admin is not on"));
    if (*clients_out != TLS_CLIENTS_NONE && !settings->node.client_ca[0])
        return refuse_with(error_out, TEXT("tls.admin-clients asks for certificates, but tls.client-ca names no CA"));
    if (settings->admin[0] && !settings->admin_token[0] && *clients_out != TLS_CLIENTS_REQUIRED &&
        !address_is_loopback(settings->admin))
        return refuse_with(error_out,
                           TEXT("admin.token must be set when listen.admin is not a loopback address, unless "
                                "tls.admin-clients is required"));
    return true;
}

static bool are_addresses_good(const struct xdms_settings *settings, bool has_certificate, struct arena *arena,
                               struct text *error_out)
{
    const struct listen_address addresses[] = {
        {"listen.http", settings->http, false},
        {"listen.https", settings->https, true},
        {"listen.management", settings->management, settings->management_tls},
        {"listen.admin", settings->admin, settings->admin_tls},
        {"listen.policy", settings->policy, settings->policy_tls},
    };
    char why[SETTINGS_ERROR_MAX];
    if (!settings->http[0] && !settings->https[0])
        return refuse_with(error_out, TEXT("listen.http and listen.https are both empty"));
    return listen_addresses_good(addresses, sizeof(addresses) / sizeof(addresses[0]), has_certificate, why) ||
           refuse_with(error_out, text_copy(arena, text_of(why)));
}

/* Anchors in documents begin with it, so it ends where their paths begin. */
static bool is_root_uri(struct text uri)
{
    struct text scheme, rest, host, path;
    if (!text_cut(uri, ':', &scheme, &rest) || !text_starts_with(rest, TEXT("//")) ||
        !(text_equal_nocase(scheme, TEXT("http")) || text_equal_nocase(scheme, TEXT("https"))))
        return false;
    for (size_t i = 0; i < uri.length; i++)
        if (strchr(" \"<>\\^`{|}?#", uri.bytes[i]))
            return false;
    return text_cut(text_slice(rest, 2, rest.length), '/', &host, &path) && host.length > 0 &&
           text_ends_with(uri, TEXT("/"));
}

/* RFC 6750 §2.1: what a header can carry. */
static bool is_bearer(const char *token)
{
    for (; *token; token++)
        if ((unsigned char)*token <= ' ' || (unsigned char)*token > '~')
            return false;
    return true;
}

bool xdms_settings_good(const struct xdms_settings *settings, bool has_certificate, enum tls_clients *admin_clients_out,
                        struct arena *arena, struct text *error_out)
{
    if (settings->root_uri[0] && !is_root_uri(text_of(settings->root_uri)))
        return refuse_with(error_out,
                           TEXT("xcap.root-uri: not http://HOST/PATH/ or https://HOST/PATH/, with a slash at the end"));
    if (!is_bearer(settings->admin_token))
        return refuse_with(error_out, TEXT("admin.token: only visible characters of ASCII"));
    if (!is_bearer(settings->policy_token))
        return refuse_with(error_out, TEXT("policy.token: only visible characters of ASCII"));
    return are_addresses_good(settings, has_certificate, arena, error_out) &&
           read_admin_clients(settings, admin_clients_out, error_out);
}
