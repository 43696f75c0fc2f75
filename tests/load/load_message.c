/* Requests as text, with digest authentication (RFC 7616), and as much of the answers as the load generator looks at.
 * The same bytes go to every server, also to those that do not look at credentials, so that the client costs all of
 * them the same. */
#include "load.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <nettle/base16.h>
#include <nettle/md5.h>
#include <nettle/sha2.h>

#define PEER_NONCE "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" /* for who challenges nobody */
#define CNONCE     "0a4f113b0a4f113b"

static void hash(const struct load_options *options, const char *text, size_t length, char hex_out[65])
{
    uint8_t digest[SHA256_DIGEST_SIZE];
    size_t size = options->md5 ? MD5_DIGEST_SIZE : SHA256_DIGEST_SIZE;
    if (options->md5) {
        struct md5_ctx context;
        md5_init(&context);
        md5_update(&context, length, (const uint8_t *)text);
        md5_digest(&context, size, digest);
    } else {
        struct sha256_ctx context;
        sha256_init(&context);
        sha256_update(&context, length, (const uint8_t *)text);
        sha256_digest(&context, size, digest);
    }
    base16_encode_update(hex_out, size, digest);
    hex_out[2 * size] = '\0';
}

static void fill_target(char *out, size_t room, const char *pattern, unsigned user, unsigned document)
{
    size_t used = 0;
    while (*pattern && used + 16 < room) {
        if (strncmp(pattern, "{user}", 6) == 0) {
            used += (size_t)snprintf(out + used, room - used, "%u", user);
            pattern += 6;
        } else if (strncmp(pattern, "{document}", 10) == 0) {
            used += (size_t)snprintf(out + used, room - used, "%u", document);
            pattern += 10;
        } else {
            out[used++] = *pattern++;
        }
    }
    assert(!*pattern);
    out[used] = '\0';
}

void load_connection_init(struct load_connection *connection, const struct load_options *options, unsigned number)
{
    char text[2048];
    unsigned user = number % options->users;
    *connection = (struct load_connection){.options = options, .fd = -1, .number = number};
    connection->documents = calloc(options->documents, sizeof(*connection->documents));
    connection->request = malloc(LOAD_REQUEST_MAX);
    connection->response = malloc(LOAD_RESPONSE_MAX);
    assert(connection->documents && connection->request && connection->response);
    snprintf(connection->user, sizeof(connection->user), "u%u", user);
    snprintf(text, sizeof(text), "%s:%s:%s", connection->user, options->realm, connection->user);
    hash(options, text, strlen(text), connection->user_hash);
    snprintf(connection->nonce, sizeof(connection->nonce), "%s", PEER_NONCE);
    for (unsigned i = 0; i < options->documents; i++) {
        struct load_document *document = &connection->documents[i];
        fill_target(document->target, sizeof(document->target), options->target, user, i);
        snprintf(text, sizeof(text), "%s:%s", options->method, document->target);
        hash(options, text, strlen(text), document->path_hash);
    }
}

void load_connection_clear(struct load_connection *connection)
{
    free(connection->documents);
    free(connection->request);
    free(connection->response);
}

static size_t write_credentials(struct load_connection *connection, const struct load_document *document, char *out,
                                size_t room)
{
    char text[1024], response[65];
    connection->count++;
    int length = snprintf(text, sizeof(text), "%s:%s:%08x:%s:auth:%s", connection->user_hash, connection->nonce,
                          connection->count, CNONCE, document->path_hash);
    assert(length > 0 && (size_t)length < sizeof(text));
    hash(connection->options, text, (size_t)length, response);
    length =
        snprintf(out, room,
                 "Authorization: Digest username=\"%s\", realm=\"%s\", nonce=\"%s\", uri=\"%s\", algorithm=%s, "
                 "response=\"%s\", qop=auth, nc=%08x, cnonce=\"%s\"%s%s%s\r\n",
                 connection->user, connection->options->realm, connection->nonce, document->target,
                 connection->options->md5 ? "MD5" : "SHA-256", response, connection->count, CNONCE,
                 connection->opaque[0] ? ", opaque=\"" : "", connection->opaque, connection->opaque[0] ? "\"" : "");
    assert(length > 0 && (size_t)length < room);
    return (size_t)length;
}

void load_request_make(struct load_connection *connection, bool conditional)
{
    static unsigned serial;
    const struct load_options *options = connection->options;
    const struct load_document *document = &connection->documents[connection->next];
    char *out = connection->request;
    size_t room = LOAD_REQUEST_MAX - options->body_size;
    size_t used = (size_t)snprintf(out, room, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n%s", options->method,
                                   document->target, options->port, options->headers);
    if (conditional && document->tag[0])
        used += (size_t)snprintf(out + used, room - used, "If-None-Match: %s\r\n", document->tag);
    used += write_credentials(connection, document, out + used, room - used);
    if (options->body) {
        if (options->serial) {
            char digits[9];
            snprintf(digits, sizeof(digits), "%08u", ++serial % 100000000);
            memcpy(options->serial, digits, 8);
        }
        used += (size_t)snprintf(out + used, room - used, "Content-Type: %s\r\nContent-Length: %zu\r\n",
                                 options->content_type, options->body_size);
    }
    assert(used + 2 < room);
    memcpy(out + used, "\r\n", 2);
    used += 2;
    if (options->body)
        memcpy(out + used, options->body, options->body_size);
    connection->request_size = used + options->body_size;
    connection->request_sent = 0;
    connection->response_size = 0;
}

/* Value of the header line that begins with `name` and holds `part`, NULL without one. `response` ends in NUL. */
static const char *find_header(const char *head, size_t head_size, const char *name, const char *part)
{
    const char *end = head + head_size;
    for (const char *line = memchr(head, '\n', head_size); line && line + 1 < end;
         line = memchr(line + 1, '\n', (size_t)(end - line - 1))) {
        const char *line_end = memchr(line + 1, '\n', (size_t)(end - line - 1));
        if (strncasecmp(line + 1, name, strlen(name)) != 0 || !line_end)
            continue;
        const char *value = line + 1 + strlen(name);
        if (!part || memmem(value, (size_t)(line_end - value), part, strlen(part)))
            return value;
    }
    return NULL;
}

bool load_answer_read(const struct load_connection *connection, struct load_answer *answer_out)
{
    const char *bytes = connection->response;
    const char *head_end = memmem(bytes, connection->response_size, "\r\n\r\n", 4);
    if (!head_end || connection->response_size < 12)
        return false;
    *answer_out = (struct load_answer){.head_size = (size_t)(head_end - bytes) + 2};
    answer_out->status = (int)strtol(bytes + 9, NULL, 10);
    const char *length = find_header(bytes, answer_out->head_size, "Content-Length:", NULL);
    bool bodiless = answer_out->status == 304 || answer_out->status == 204 || answer_out->status / 100 == 1;
    size_t body = length && !bodiless ? strtoul(length, NULL, 10) : 0;
    answer_out->size = answer_out->head_size + 2 + body;
    answer_out->closes = find_header(bytes, answer_out->head_size, "Connection:", "lose") != NULL;
    assert(answer_out->size < LOAD_RESPONSE_MAX);
    return connection->response_size >= answer_out->size;
}

static bool take_parameter(const char *value, const char *name, char out[LOAD_NONCE_MAX])
{
    const char *end = strchr(value, '\n');
    const char *at = memmem(value, (size_t)(end - value), name, strlen(name));
    const char *close = at ? strchr(at + strlen(name), '"') : NULL;
    if (!close || close > end || (size_t)(close - at) - strlen(name) >= LOAD_NONCE_MAX)
        return false;
    size_t length = (size_t)(close - at) - strlen(name);
    memcpy(out, at + strlen(name), length);
    out[length] = '\0';
    return true;
}

bool load_challenge_take(struct load_connection *connection, const struct load_answer *answer)
{
    bool md5 = connection->options->md5;
    const char *value =
        find_header(connection->response, answer->head_size, "WWW-Authenticate:", md5 ? "MD5" : "SHA-256");
    if (!value && md5) /* an old server need not name it */
        value = find_header(connection->response, answer->head_size, "WWW-Authenticate:", "nonce=");
    if (!value || !take_parameter(value, "nonce=\"", connection->nonce))
        return false;
    if (!take_parameter(value, "opaque=\"", connection->opaque))
        connection->opaque[0] = '\0';
    connection->count = 0;
    return true;
}

void load_tag_take(struct load_connection *connection, const struct load_answer *answer)
{
    char *tag = connection->documents[connection->next].tag;
    const char *value = find_header(connection->response, answer->head_size, "ETag:", NULL);
    size_t length = 0;
    while (value && *value == ' ')
        value++;
    while (value && !isspace((unsigned char)value[length]) && length + 1 < LOAD_TAG_MAX)
        length++;
    memcpy(tag, value ? value : "", length);
    tag[length] = '\0';
}
