/* SIP of the load generator: requests with digest authentication, answers to what comes. It looks at no more of a
 * message than it needs, so that the client takes little from the server that it shares the machine with. */
#include "sip_load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <nettle/base16.h>
#include <nettle/md5.h>

#define CNONCE "0a4f113b0a4f113b"
#define BODY   "Let us meet at the station at eight, and bring the map of the island with you, please."

static void md5_hex(const char *text, size_t length, char hex_out[33])
{
    uint8_t digest[MD5_DIGEST_SIZE];
    struct md5_ctx context;
    md5_init(&context);
    md5_update(&context, length, (const uint8_t *)text);
    md5_digest(&context, sizeof(digest), digest);
    base16_encode_update(hex_out, sizeof(digest), digest);
    hex_out[32] = '\0';
}

void user_init(uint32_t number)
{
    char text[128];
    struct sip_load_user *user = &sip_load_users[number];
    snprintf(user->name, sizeof(user->name), "u%u", number);
    int length = snprintf(text, sizeof(text), "%s:%s:%s", user->name, sip_load_options.domain, user->name);
    md5_hex(text, (size_t)length, user->secret_hash);
}

static int write_credentials(const struct sip_load_user *user, unsigned count, const char *header, const char *method,
                             const char *uri, char *out, size_t room)
{
    char text[512], path_hash[33], response[33];
    int length = snprintf(text, sizeof(text), "%s:%s", method, uri);
    md5_hex(text, (size_t)length, path_hash);
    length =
        snprintf(text, sizeof(text), "%s:%s:%08x:%s:auth:%s", user->secret_hash, user->nonce, count, CNONCE, path_hash);
    md5_hex(text, (size_t)length, response);
    return snprintf(out, room,
                    "%s: Digest username=\"%s\", realm=\"%s\", nonce=\"%s\", uri=\"%s\", algorithm=MD5, "
                    "response=\"%s\", qop=auth, nc=%08x, cnonce=\"%s\"\r\n",
                    header, user->name, sip_load_options.domain, user->nonce, uri, response, count, CNONCE);
}

static void write_target(const struct sip_load_message *message, char out[128])
{
    const struct sip_load_options *options = &sip_load_options;
    if (options->groups)
        snprintf(out, 128, "sip:%s_%u@%s", options->target, message->sender % options->groups, options->domain);
    else
        snprintf(out, 128, "sip:u%u@%s", message->receiver, options->domain);
}

size_t make_message(uint32_t index, char out[SIP_LOAD_PACKET_MAX])
{
    const struct sip_load_options *options = &sip_load_options;
    const struct sip_load_message *message = &sip_load_messages[index];
    const struct sip_load_user *sender = &sip_load_users[message->sender];
    char target[128], body[160], credentials[768] = "";
    write_target(message, target);
    if (options->asserted)
        snprintf(credentials, sizeof(credentials), "P-Asserted-Identity: <sip:%s@%s>\r\n", sender->name,
                 options->domain);
    else if (message->count)
        write_credentials(sender, message->count, "Proxy-Authorization", "MESSAGE", target, credentials,
                          sizeof(credentials));
    int body_length = snprintf(body, sizeof(body), "%%%08x-%08x%% " BODY, options->run, index);
    int length = snprintf(
        out, SIP_LOAD_PACKET_MAX,
        "MESSAGE %s SIP/2.0\r\nVia: SIP/2.0/%s 127.0.0.1:%u;branch=z9hG4bK%08x-%08x-%u;rport\r\nMax-Forwards: 70\r\n"
        "From: <sip:%s@%s>;tag=%08x\r\nTo: <%s>\r\nCall-ID: m%08x-%08x@127.0.0.1\r\nCSeq: %u MESSAGE\r\n%s"
        "User-Agent: sip_load\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s",
        target, options->tcp ? "TCP" : "UDP", wire_endpoint(message->sender)->port, options->run, index, message->turns,
        sender->name, options->domain, index, target, options->run, index, message->turns + 1u, credentials,
        body_length, body);
    if (length >= SIP_LOAD_PACKET_MAX)
        sip_load_die("a message that is too long");
    return (size_t)length;
}

size_t make_register(uint32_t number, unsigned expires, char out[SIP_LOAD_PACKET_MAX])
{
    const struct sip_load_options *options = &sip_load_options;
    struct sip_load_user *user = &sip_load_users[number];
    char uri[128], credentials[768] = "";
    unsigned port = wire_endpoint(number)->port;
    const char *transport = options->tcp ? "TCP" : "UDP";
    snprintf(uri, sizeof(uri), "sip:%s", options->domain);
    if (user->nonce[0])
        write_credentials(user, ++user->count, "Authorization", "REGISTER", uri, credentials, sizeof(credentials));
    int length = snprintf(
        out, SIP_LOAD_PACKET_MAX,
        "REGISTER %s SIP/2.0\r\nVia: SIP/2.0/%s 127.0.0.1:%u;branch=z9hG4bKr%08x-%08x-%u;rport\r\nMax-Forwards: 70\r\n"
        "From: <sip:%s@%s>;tag=%08x\r\nTo: <sip:%s@%s>\r\nCall-ID: r%08x-%08x@127.0.0.1\r\nCSeq: %u REGISTER\r\n%s"
        "Contact: <sip:%s@127.0.0.1:%u%s>\r\nExpires: %u\r\nUser-Agent: sip_load\r\nContent-Length: 0\r\n\r\n",
        uri, transport, port, options->run, number, user->cseq + 1, user->name, options->domain, number, user->name,
        options->domain, options->run, number, user->cseq + 1, credentials, user->name, port,
        options->tcp ? ";transport=tcp" : "", expires);
    user->cseq++;
    return (size_t)length;
}

const char *find_line(const char *bytes, size_t length, const char *name, size_t *length_out)
{
    const char *end = bytes + length;
    size_t name_length = strlen(name);
    for (const char *line = memchr(bytes, '\n', length); line && end - line > 2 && line[1] != '\r';
         line = memchr(line + 1, '\n', (size_t)(end - line - 1))) {
        if ((size_t)(end - line) < name_length + 3 || line[name_length + 1] != ':' ||
            strncasecmp(line + 1, name, name_length) != 0)
            continue;
        const char *value = line + name_length + 2, *stop = memchr(value, '\r', (size_t)(end - value));
        while (value < end && *value == ' ')
            value++;
        *length_out = stop ? (size_t)(stop - value) : 0;
        return stop ? value : NULL;
    }
    return NULL;
}

/* The lines that an answer takes from its request, as they are. */
size_t make_answer(const char *request, size_t length, char out[SIP_LOAD_PACKET_MAX])
{
    static const char status[] = "SIP/2.0 200 OK\r\n", end[] = "Content-Length: 0\r\n\r\n";
    const char *stop = request + length;
    size_t used = sizeof(status) - 1;
    memcpy(out, status, used);
    for (const char *line = memchr(request, '\n', length); line && stop - line > 2 && line[1] != '\r';) {
        const char *first = line + 1, *last = memchr(first, '\n', (size_t)(stop - first));
        if (!last)
            break;
        bool is_to = strncasecmp(first, "To:", 3) == 0;
        bool wanted = is_to || strncasecmp(first, "Via:", 4) == 0 || strncasecmp(first, "From:", 5) == 0 ||
                      strncasecmp(first, "Call-ID:", 8) == 0 || strncasecmp(first, "CSeq:", 5) == 0;
        size_t part = (size_t)(last - first) + 1;
        if (wanted && used + part + 64 < SIP_LOAD_PACKET_MAX) {
            memcpy(out + used, first, part);
            used += part;
            if (is_to && !memmem(first, part, ";tag=", 5)) {
                memcpy(out + used - 2, ";tag=load\r\n", 11);
                used += 9;
            }
        }
        line = last;
    }
    memcpy(out + used, end, sizeof(end) - 1);
    return used + sizeof(end) - 1;
}

/* The first that is for MD5, or says nothing of an algorithm. */
bool take_challenge(struct sip_load_user *user, const char *bytes, size_t length)
{
    size_t value_length;
    const char *value = find_line(bytes, length, "WWW-Authenticate", &value_length);
    if (!value)
        value = find_line(bytes, length, "Proxy-Authenticate", &value_length);
    const char *nonce = value ? memmem(value, value_length, "nonce=\"", 7) : NULL;
    const char *close = nonce ? memchr(nonce + 7, '"', (size_t)(value + value_length - nonce - 7)) : NULL;
    if (!close || close - nonce - 7 >= SIP_LOAD_NONCE_MAX)
        return false;
    memcpy(user->nonce, nonce + 7, (size_t)(close - nonce - 7));
    user->nonce[close - nonce - 7] = '\0';
    user->count = 0;
    return true;
}
