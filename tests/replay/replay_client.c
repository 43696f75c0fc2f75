/* The clients of a replay: what they send, and their answers to a challenge. */
#include <assert.h>
#include <nettle/md5.h>
#include <zlib.h>

#include "replay_script.h"

static struct text md5_hex(struct arena *arena, struct text text)
{
    struct md5_ctx context;
    uint8_t digest[MD5_DIGEST_SIZE];
    md5_init(&context);
    md5_update(&context, text.length, (const uint8_t *)text.bytes);
    md5_digest(&context, sizeof(digest), digest);
    return hex_encode(arena, digest, sizeof(digest));
}

static struct text quoted_parameter(struct text header, struct text name)
{
    size_t begin = text_find(header, name) + name.length + 2;
    struct text rest = text_slice(header, begin, header.length);
    return text_slice(rest, 0, text_find_char(rest, '"'));
}

/* Credentials for the MD5 challenge, the first of the two (RFC 7616 §3.4). */
static struct text credentials(struct world *world, struct actor *actor, struct text method, struct text uri,
                               const struct sip_message *challenge)
{
    struct arena *arena = &world->arena;
    bool proxy = sip_status(challenge) == 407;
    struct text header;
    if (!sip_header(challenge, proxy ? "Proxy-Authenticate" : "WWW-Authenticate", 0, arena, &header))
        return world_fail(world, "no MD5 challenge"), (struct text){0};
    struct text nonce = quoted_parameter(header, TEXT("nonce")), name = actor->user;
    struct text password = actor->password.length ? actor->password : name;
    struct text opaque = {0};
    if (text_find(header, TEXT("opaque=")) < header.length)
        opaque = text_format(arena, ",opaque=\"%.*s\"", TEXT_ARG(quoted_parameter(header, TEXT("opaque"))));
    struct text a1 = md5_hex(arena, text_format(arena, "%.*s:example.com:%.*s", TEXT_ARG(name), TEXT_ARG(password)));
    struct text a2 = md5_hex(arena, text_format(arena, "%.*s:%.*s", TEXT_ARG(method), TEXT_ARG(uri)));
    struct text response = md5_hex(
        arena, text_format(arena, "%.*s:%.*s:00000001:abc:auth:%.*s", TEXT_ARG(a1), TEXT_ARG(nonce), TEXT_ARG(a2)));
    return text_format(arena,
                       "%s: Digest username=\"%.*s\",realm=\"example.com\",nonce=\"%.*s\",uri=\"%.*s\",algorithm=MD5,"
                       "qop=auth,nc=00000001,cnonce=\"abc\",response=\"%.*s\"%.*s\r\n",
                       proxy ? "Proxy-Authorization" : "Authorization", TEXT_ARG(name), TEXT_ARG(nonce), TEXT_ARG(uri),
                       TEXT_ARG(response), TEXT_ARG(opaque));
}

static bool has_header(struct text headers, const char *name, struct arena *arena)
{
    struct text all = text_format(arena, "\r\n%.*s", TEXT_ARG(text_lower(arena, headers)));
    struct text wanted = text_lower(arena, text_format(arena, "\r\n%s:", name));
    return text_find(all, wanted) < all.length;
}

/* Unless the script gives one of its own. */
static void add_standard(struct text_builder *request, struct text headers, const char *name, struct text value)
{
    if (!has_header(headers, name, request->arena))
        builder_add_format(request, "%s: %.*s\r\n", name, TEXT_ARG(value));
}

/* As the script has them; every request has a From tag of its own, or it would be taken for a merged one. Those of a
 * dialog have the tag that the script says. */
static void add_extra(struct text_builder *request, struct text headers, struct text from_tag)
{
    struct text line, rest = headers;
    while (rest.length) {
        text_cut(rest, '\n', &line, &rest);
        line = text_trim(line);
        builder_add(request, line);
        if (text_starts_with_nocase(line, TEXT("From:")) && text_find(line, TEXT(";tag=")) == line.length)
            builder_add(request, from_tag);
        builder_add(request, TEXT("\r\n"));
    }
}

/* What a header announces, it is: the script has it as text. */
static struct text encoded(struct arena *arena, const struct client_message *message)
{
    struct text lower = text_lower(arena, message->headers);
    uLongf length = compressBound(message->body.length);
    if (text_find(lower, TEXT("content-encoding: deflate")) == lower.length)
        return message->body;
    char *bytes = arena_alloc(arena, length);
    int result = compress((Bytef *)bytes, &length, (const Bytef *)message->body.bytes, message->body.length);
    assert(result == Z_OK);
    return (struct text){bytes, length};
}

static struct text client_request(struct world *world, struct actor *actor, const struct client_message *message,
                                  const struct sip_message *challenge)
{
    struct arena *arena = &world->arena;
    struct text name = actor->name, peer = flow_peer_text(&actor->flow, arena), method = message->method;
    struct text own = text_format(arena, "<sip:%.*s@example.com>", TEXT_ARG(actor->user));
    struct text target = text_format(arena, "<%.*s>", TEXT_ARG(message->uri));
    unsigned number = ++actor->requests;
    struct text body = encoded(arena, message);
    struct text tag = text_format(arena, ";tag=%.*s%u", TEXT_ARG(name), number);
    struct text_builder request;
    builder_init(&request, arena);
    builder_add_format(&request, "%.*s %.*s SIP/2.0\r\nVia: SIP/2.0/%s %.*s;branch=z9hG4bK%.*s%u\r\n", TEXT_ARG(method),
                       TEXT_ARG(message->uri), flow_kind_name(actor->flow.kind), TEXT_ARG(peer), TEXT_ARG(name),
                       number);
    add_standard(&request, message->headers, "Max-Forwards", TEXT("70"));
    add_standard(&request, message->headers, "From", text_join(arena, own, tag));
    add_standard(&request, message->headers, "To", text_equal(method, TEXT("REGISTER")) ? own : target);
    add_standard(&request, message->headers, "Call-ID", text_format(arena, "%.*s-%u", TEXT_ARG(name), number));
    add_standard(&request, message->headers, "CSeq", text_format(arena, "%u %.*s", number, TEXT_ARG(method)));
    add_extra(&request, message->headers, tag);
    if (challenge)
        builder_add(&request, credentials(world, actor, method, message->uri, challenge));
    builder_add_format(&request, "Content-Length: %zu\r\n\r\n", body.length);
    builder_add(&request, body);
    return builder_text(&request);
}

void client_send(struct world *world, struct actor *actor, const struct client_message *message)
{
    size_t waiting = actor->inbox_count;
    actor->asked++;
    world_input(world, actor, client_request(world, actor, message, NULL));
    if (actor->inbox_count != waiting + 1 || actor->silent)
        return;
    struct sip_message *challenge = actor->inbox[waiting];
    if (sip_is_request(challenge) || (sip_status(challenge) != 401 && sip_status(challenge) != 407))
        return;
    actor->inbox_count--;
    world_input(world, actor, client_request(world, actor, message, challenge));
    sip_message_free(challenge);
}
