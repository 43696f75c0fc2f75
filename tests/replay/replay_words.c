/* The words of a replay script. tests/replay/README.md explains them. */
#include <nettle/md5.h>
#include <stdio.h>

#include "replay_script.h"
#include "user.h"

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
    struct text nonce = quoted_parameter(header, TEXT("nonce")), name = actor->name;
    struct text opaque = {0};
    if (text_find(header, TEXT("opaque=")) < header.length)
        opaque = text_format(arena, ",opaque=\"%.*s\"", TEXT_ARG(quoted_parameter(header, TEXT("opaque"))));
    struct text a1 = md5_hex(arena, text_format(arena, "%.*s:example.com:%.*s", TEXT_ARG(name), TEXT_ARG(name)));
    struct text a2 = md5_hex(arena, text_format(arena, "%.*s:%.*s", TEXT_ARG(method), TEXT_ARG(uri)));
    struct text response = md5_hex(
        arena, text_format(arena, "%.*s:%.*s:00000001:abc:auth:%.*s", TEXT_ARG(a1), TEXT_ARG(nonce), TEXT_ARG(a2)));
    return text_format(arena,
                       "%s: Digest username=\"%.*s\",realm=\"example.com\",nonce=\"%.*s\",uri=\"%.*s\",algorithm=MD5,"
                       "qop=auth,nc=00000001,cnonce=\"abc\",response=\"%.*s\"%.*s\r\n",
                       proxy ? "Proxy-Authorization" : "Authorization", TEXT_ARG(name), TEXT_ARG(nonce), TEXT_ARG(uri),
                       TEXT_ARG(response), TEXT_ARG(opaque));
}

struct text client_request(struct world *world, struct actor *actor, struct text method, struct text uri,
                           struct text extra_headers, struct text body, const struct sip_message *challenge)
{
    struct arena *arena = &world->arena;
    struct text name = actor->name, peer = flow_peer_text(&actor->flow, arena);
    struct text proof = challenge ? credentials(world, actor, method, uri, challenge) : (struct text){0};
    unsigned number = ++actor->requests;
    return text_format(
        arena,
        "%.*s %.*s SIP/2.0\r\nVia: SIP/2.0/UDP %.*s;branch=z9hG4bK%.*s%u\r\nMax-Forwards: 70\r\n"
        "From: <sip:%.*s@example.com>;tag=%.*s%u\r\nTo: <%.*s>\r\nCall-ID: %.*s-%u\r\nCSeq: %u %.*s\r\n"
        "%.*s%.*sContent-Length: %zu\r\n\r\n%.*s",
        TEXT_ARG(method), TEXT_ARG(uri), TEXT_ARG(peer), TEXT_ARG(name), number, TEXT_ARG(name), TEXT_ARG(name), number,
        (int)(text_equal(method, TEXT("REGISTER")) ? strlen("sip:@example.com") + name.length : uri.length),
        text_equal(method, TEXT("REGISTER")) ? text_format(arena, "sip:%.*s@example.com", TEXT_ARG(name)).bytes
                                             : uri.bytes,
        TEXT_ARG(name), number, number, TEXT_ARG(method), TEXT_ARG(extra_headers), TEXT_ARG(proof), body.length,
        TEXT_ARG(body));
}

static void expect_status(struct world *world, struct actor *actor, uint64_t status)
{
    struct sip_message *message = actor_take(world, actor);
    if (message && (sip_is_request(message) || sip_status(message) != (int)status))
        world_fail(world, "%.*s got %s%.*s%d, not %d", TEXT_ARG(actor->name),
                   sip_is_request(message) ? "a request " : "", TEXT_ARG(sip_method(message)),
                   sip_is_request(message) ? 0 : sip_status(message), (int)status);
    sip_message_free(message);
}

/* Sends, answers the challenge, leaves the answer to the second try in the inbox. */
static void request_with_proof(struct world *world, struct actor *actor, struct text method, struct text uri,
                               struct text headers, struct text body)
{
    size_t waiting = actor->inbox_count;
    world_input(world, actor, client_request(world, actor, method, uri, headers, body, NULL));
    if (actor->inbox_count != waiting + 1)
        return world_fail(world, "no challenge for %.*s", TEXT_ARG(actor->name));
    struct sip_message *challenge = actor->inbox[--actor->inbox_count];
    if (sip_is_request(challenge) || (sip_status(challenge) != 401 && sip_status(challenge) != 407))
        world_fail(world, "%.*s was not challenged", TEXT_ARG(actor->name));
    else
        world_input(world, actor, client_request(world, actor, method, uri, headers, body, challenge));
    sip_message_free(challenge);
}

static struct text next_word(struct text *line)
{
    struct text word;
    *line = text_trim(*line);
    if (line->length && line->bytes[0] == '"') {
        struct text rest = text_slice(*line, 1, line->length);
        size_t end = text_find_char(rest, '"');
        *line = end < rest.length ? text_slice(rest, end + 1, rest.length) : (struct text){0};
        return text_slice(rest, 0, end);
    }
    text_cut(*line, ' ', &word, line);
    return word;
}

static struct text address_of(struct world *world, struct text name)
{
    if (text_find_char(name, ':') < name.length)
        return name;
    return text_format(&world->arena, "sip:%.*s@example.com", TEXT_ARG(name));
}

static void word_user(struct world *world, struct text line, struct text block)
{
    (void)block;
    for (struct text name = next_word(&line); name.length; name = next_word(&line)) {
        struct user user;
        struct refusal refusal = {0};
        if (user_make(name, name, name, TEXT("example.com"), TEXT("example.com"), world->now.wall_ms, &world->arena,
                      &user, &refusal) != OK ||
            user_put(world->documents, &user, VERSION_ABSENT, TEXT("test")) != OK)
            world_fail(world, "user %.*s: %.*s", TEXT_ARG(name), TEXT_ARG(refusal.phrase));
    }
}

static void word_document(struct world *world, struct text line, struct text block)
{
    struct text auid = next_word(&line), owner = next_word(&line), name = next_word(&line);
    if (text_equal(text_trim(line), TEXT("deleted")))
        world_delete(world, auid, address_of(world, owner), name);
    else
        world_put(world, auid, address_of(world, owner), name, block);
}

static void word_register(struct world *world, struct text line, struct text block)
{
    struct text name = next_word(&line), expires = next_word(&line), port = next_word(&line);
    struct actor *actor = world_actor(world, name);
    (void)block;
    struct text headers =
        text_format(&world->arena, "Contact: <sip:%.*s@%.*s:%.*s>\r\nExpires: %.*s\r\n", TEXT_ARG(name),
                    TEXT_ARG(flow_address_text(&actor->flow, &world->arena)),
                    TEXT_ARG(port.length ? port : TEXT("5060")), TEXT_ARG(expires.length ? expires : TEXT("3600")));
    size_t waiting = actor->inbox_count;
    request_with_proof(world, actor, TEXT("REGISTER"), TEXT("sip:example.com"), headers, (struct text){0});
    /* The 200 may stand behind stored messages that came with it; it was sent first. */
    if (actor->inbox_count <= waiting)
        return world_fail(world, "%.*s: no answer to REGISTER", TEXT_ARG(name));
    struct sip_message *answer = actor->inbox[waiting];
    if (sip_is_request(answer) || sip_status(answer) != 200)
        world_fail(world, "%.*s: REGISTER answered %d", TEXT_ARG(name), sip_status(answer));
    memmove(actor->inbox + waiting, actor->inbox + waiting + 1,
            (--actor->inbox_count - waiting) * sizeof(actor->inbox[0]));
    sip_message_free(answer);
}

static void word_send(struct world *world, struct text line, struct text block)
{
    struct text name = next_word(&line), target = next_word(&line), body = next_word(&line), type = TEXT("text/plain");
    struct text headers = {0};
    if (block.length) { /* headers, an empty line, the body: CRLF line ends */
        size_t end = text_find(block, TEXT("\r\n\r\n"));
        headers = text_slice(block, 0, end + 2);
        body = text_slice(block, end + 4, block.length - 2); /* the block ends with a line end of its own */
    } else {
        headers = text_format(&world->arena, "Content-Type: %.*s\r\n", TEXT_ARG(type));
    }
    request_with_proof(world, world_actor(world, name), TEXT("MESSAGE"), address_of(world, target), headers, body);
}

static void expect_message(struct world *world, struct actor *actor, struct text line)
{
    struct text method = next_word(&line), body = next_word(&line);
    struct sip_message *message = actor_take(world, actor);
    if (!message)
        return;
    if (!sip_is_request(message) || !text_equal(sip_method(message), method))
        world_fail(world, "%.*s got a %d, not a %.*s", TEXT_ARG(actor->name), sip_status(message), TEXT_ARG(method));
    else if (body.length && text_find(sip_body(message), body) == sip_body(message).length)
        world_fail(world, "%.*s got the body '%.*s'", TEXT_ARG(actor->name), TEXT_ARG(sip_body(message)));
    sip_message_free(actor->answerable);
    actor->answerable = message;
}

static void expect_nothing(struct world *world)
{
    for (size_t i = 0; i < world->actors_count; i++) {
        const struct actor *actor = &world->actors[i];
        if (actor->inbox_count)
            world_fail(world, "%.*s has %zu more, first %.*s %d", TEXT_ARG(actor->name), actor->inbox_count,
                       TEXT_ARG(sip_method(actor->inbox[0])),
                       sip_is_request(actor->inbox[0]) ? 0 : sip_status(actor->inbox[0]));
    }
}

static void word_expect(struct world *world, struct text line, struct text block)
{
    struct text name = next_word(&line), rest = line;
    uint64_t status;
    (void)block;
    if (text_equal(name, TEXT("nothing")))
        expect_nothing(world);
    else if (text_to_u64(next_word(&rest), &status))
        expect_status(world, world_actor(world, name), status);
    else
        expect_message(world, world_actor(world, name), line);
}

/* A header of the last message taken: "header bob To <sip:bob@example.com>". */
static void word_header(struct world *world, struct text line, struct text block)
{
    struct actor *actor = world_actor(world, next_word(&line));
    const char *header = text_cstring(&world->arena, next_word(&line));
    struct text value = {0}, wanted = text_trim(line);
    (void)block;
    if (!actor->answerable || !sip_header(actor->answerable, header, 0, &world->arena, &value))
        return wanted.length ? world_fail(world, "no %s", header) : (void)0;
    if (wanted.length == 0 || text_find(value, wanted) == value.length)
        world_fail(world, "%s is '%.*s'", header, TEXT_ARG(value));
}

/* The body of the last message taken is the block, byte for byte. */
static void word_body(struct world *world, struct text line, struct text block)
{
    struct actor *actor = world_actor(world, next_word(&line));
    if (!actor->answerable || !text_equal(sip_body(actor->answerable), text_slice(block, 0, block.length - 2)))
        world_fail(world, "the body differs");
}

static void word_answer(struct world *world, struct text line, struct text block)
{
    struct actor *actor = world_actor(world, next_word(&line));
    uint64_t status = 0;
    (void)block;
    if (!actor->answerable || !text_to_u64(next_word(&line), &status))
        return world_fail(world, "nothing to answer");
    struct sip_message *response = sip_response_new(actor->answerable, (int)status, "Answer", TEXT("tag"));
    struct text bytes = text_copy(&world->arena, sip_message_write(response, &world->arena));
    sip_message_free(response);
    world_input(world, actor, bytes);
}

static void word_repeat(struct world *world, struct text line, struct text block)
{
    struct actor *actor = world_actor(world, next_word(&line));
    (void)block;
    world_input(world, actor, actor->last);
}

static void word_raw(struct world *world, struct text line, struct text block)
{
    world_input(world, world_actor(world, next_word(&line)), block);
}

static void word_wait(struct world *world, struct text line, struct text block)
{
    uint64_t amount = 0;
    struct text number = next_word(&line), unit = next_word(&line);
    (void)block;
    if (!text_to_u64(number, &amount))
        return world_fail(world, "wait how long?");
    world_wait(world, (int64_t)amount * (text_equal(unit, TEXT("s")) ? 1000 : 1));
}

static void word_restart(struct world *world, struct text line, struct text block)
{
    (void)line;
    (void)block;
    world_restart(world);
}

typedef void word_fn(struct world *world, struct text line, struct text block);

static const struct {
    struct text name;
    word_fn *run;
} words[] = {
    {TEXT_INIT("user"), word_user}, {TEXT_INIT("document"), word_document}, {TEXT_INIT("register"), word_register},
    {TEXT_INIT("send"), word_send}, {TEXT_INIT("expect"), word_expect},     {TEXT_INIT("header"), word_header},
    {TEXT_INIT("body"), word_body}, {TEXT_INIT("answer"), word_answer},     {TEXT_INIT("repeat"), word_repeat},
    {TEXT_INIT("raw"), word_raw},   {TEXT_INIT("wait"), word_wait},         {TEXT_INIT("restart"), word_restart},
};

void script_run(struct world *world, struct text line, struct text block)
{
    struct text word = next_word(&line);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (text_equal(words[i].name, word))
            return words[i].run(world, line, block);
    world_fail(world, "unknown word '%.*s'", TEXT_ARG(word));
}
