/* Who may come in at the admin port and at the policy port. */
#include "clock.h"
#include "log.h"
#include "service_admin.h"

static bool has_token(const struct admin_call *call, struct text token)
{
    struct text value;
    if (!http_header(call->request, "Authorization", &value) || !text_starts_with_nocase(value, TEXT("Bearer ")))
        return false;
    return secret_equal(text_trim(text_slice(value, 7, value.length)), token);
}

static void answer_wait(struct admin_call *call, int64_t wait_ms)
{
    admin_error(call, 429, TEXT("Too many wrong tokens; wait before the next try."));
    http_response_header(call->response, "Retry-After",
                         text_format(call->request->arena, "%lld", (long long)((wait_ms + 999) / 1000)));
}

static void answer_wrong(struct admin_call *call, const char *name, bool waits)
{
    struct arena *arena = call->request->arena;
    struct text given;
    if (http_header(call->request, "Authorization", &given)) /* who has none does not guess */
        log_warning("authentication failed user=%s peer=%.*s%s", name,
                    TEXT_ARG(http_peer_text(call->request->peer, arena)), waits ? " and has to wait" : "");
    admin_error(call, 401, text_format(arena, "The %s token is missing or wrong.", name));
    http_response_header(call->response, "WWW-Authenticate", text_format(arena, "Bearer realm=\"%s\"", name));
}

/* Whoever guesses at a token waits like those who guess at passwords. `name`: "admin", "policy". */
static bool check_token(struct admin_call *call, struct text token, const char *name)
{
    struct guard *guard = call->service->settings.guard;
    struct trust_address address;
    struct text given;
    bool known = service_client(call->service, call->request, &address);
    const struct guard_source source = {text_of(name), known ? &address : NULL};
    int64_t now_ms = clock_wall_ms();
    int64_t wait_ms = guard ? guard_wait_ms(guard, &source, now_ms) : 0;
    bool good = wait_ms == 0 && has_token(call, token);
    if (good && guard)
        guard_succeeded(guard, &source, now_ms);
    if (wait_ms)
        answer_wait(call, wait_ms);
    else if (!good)
        answer_wrong(call, name,
                     guard && http_header(call->request, "Authorization", &given) &&
                         guard_failed(guard, &source, now_ms));
    return good;
}

static bool host_is_loopback(struct text host)
{
    if (text_starts_with(host, TEXT("[")))
        return text_equal(host, TEXT("[::1]")) || text_starts_with(host, TEXT("[::1]:"));
    struct text name, port, octet, rest;
    uint64_t number;
    text_cut(host, ':', &name, &port);
    if (text_equal_nocase(name, TEXT("localhost")))
        return true;
    rest = name;
    for (int i = 0; i < 4; i++) { /* "127.evil.example" must not pass */
        bool more = text_cut(rest, '.', &octet, &rest);
        if (more != (i < 3) || !text_to_u64(octet, &number) || number > 255 || (i == 0 && number != 127))
            return false;
    }
    return true;
}

/* Without a token the loopback interface is the guard, or a certificate. */
static const char *refuse_place(const struct admin_call *call)
{
    struct text host;
    if (call->request->client_names_count > 0)
        return NULL;
    if (!http_peer_is_loopback(call->request->peer))
        return "Without an admin token only this machine, or who shows a certificate, may use the admin API.";
    if (http_header(call->request, "Host", &host) && !host_is_loopback(host)) /* a name that was rebound to 127.0.0.1 */
        return "Without an admin token the admin API is reached by a loopback address only.";
    return NULL;
}

/* Our own page, at the address by which this request came: any other page in a browser of this machine could send such
 * requests, too. Browsers say where a page is from by Origin, or by Sec-Fetch-Site. */
static bool is_by_other_page(const struct admin_call *call)
{
    const struct http_request *request = call->request;
    struct text origin, site, host = {0};
    http_header(request, "Host", &host);
    if (http_header(request, "Sec-Fetch-Site", &site) && !text_equal(site, TEXT("none")) &&
        !text_equal(site, TEXT("same-origin")))
        return true;
    struct text own = text_format(request->arena, "%s://%.*s", request->is_tls ? "https" : "http", TEXT_ARG(host));
    return http_header(request, "Origin", &origin) && (host.length == 0 || !text_equal_nocase(origin, own));
}

static bool check_place(struct admin_call *call)
{
    const char *refusal = refuse_place(call);
    if (refusal)
        admin_error(call, 403, text_of(refusal));
    return !refusal;
}

bool admin_check_caller(struct admin_call *call)
{
    if (call->service->settings.admin_token.length)
        return check_token(call, call->service->settings.admin_token, "admin");
    if (!check_place(call))
        return false;
    bool other = is_by_other_page(call);
    if (other)
        admin_error(call, 403, TEXT("Without an admin token no other web page may use the admin API."));
    return !other;
}

/* It holds nothing of anybody, and asks for the token that the API wants. */
bool admin_check_page(struct admin_call *call)
{
    return call->service->settings.admin_token.length || check_place(call);
}

static bool peer_may_ask(const struct admin_call *call)
{
    struct trust_address address;
    return trust_address_of(call->request->peer, &address) &&
           trust_ranges_have(&call->service->settings.policy_peers, &address);
}

/* IM servers are known by their address, and by a token if there is one. Certificates say nothing: phones have them,
 * too. Without it no page in a browser of such a machine may ask: Origin shows it, and where a name was rebound
 * Sec-Fetch-Site does. */
bool admin_check_asker(struct admin_call *call)
{
    struct text value;
    if (!peer_may_ask(call)) {
        admin_error(call, 403, TEXT("This address is not among those that may ask (policy.peers)."));
        return false;
    }
    if (call->service->settings.policy_token.length)
        return check_token(call, call->service->settings.policy_token, "policy");
    bool by_page = http_header(call->request, "Origin", &value) ||
                   (http_header(call->request, "Sec-Fetch-Site", &value) && !text_equal(value, TEXT("none")));
    if (by_page)
        admin_error(call, 403, TEXT("Without a policy token no web page may ask."));
    return !by_page;
}
