/* Looks into requests and fills responses. Pure: knows neither the HTTP library nor sockets, only addresses. */
#include "http.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>

static bool value_clean(struct text value);

bool http_header(const struct http_request *request, const char *name, struct text *value_out)
{
    struct text wanted = text_of(name);
    for (size_t i = 0; i < request->headers_count; i++) {
        if (text_equal_nocase(request->headers[i].name, wanted)) {
            *value_out = request->headers[i].value;
            return true;
        }
    }
    *value_out = (struct text){0};
    return false;
}

struct text http_header_joined(const struct http_request *request, const char *name)
{
    struct text wanted = text_of(name);
    struct text_builder joined;
    struct text only = {0};
    size_t found = 0;
    builder_init(&joined, request->arena);
    for (size_t i = 0; i < request->headers_count; i++) {
        if (!text_equal_nocase(request->headers[i].name, wanted))
            continue;
        if (found++ == 0) {
            only = request->headers[i].value;
            continue;
        }
        if (found == 2)
            builder_add(&joined, only);
        builder_add(&joined, TEXT(", "));
        builder_add(&joined, request->headers[i].value);
    }
    return found > 1 ? builder_text(&joined) : only;
}

void http_response_header(struct http_response *response, const char *name, struct text value)
{
    assert(response->headers_count < sizeof(response->headers) / sizeof(response->headers[0]));
    assert(name[0] && !strpbrk(name, " \t\r\n:"));
    assert(value_clean(value));
    /* framing belongs to the server: a length that is not the body's would smuggle a response */
    assert(!text_equal_nocase(text_of(name), TEXT("Content-Length")));
    assert(!text_equal_nocase(text_of(name), TEXT("Transfer-Encoding")));
    response->headers[response->headers_count++] = (struct http_header){text_of(name), value};
}

static bool value_clean(struct text value)
{
    return text_find_char(value, '\r') == value.length && text_find_char(value, '\n') == value.length &&
           text_find_char(value, '\0') == value.length;
}

bool http_peer_is_loopback(const struct sockaddr *peer)
{
    if (peer->sa_family == AF_INET)
        return (ntohl(((const struct sockaddr_in *)peer)->sin_addr.s_addr) >> 24) == 127;
    if (peer->sa_family != AF_INET6)
        return false;
    const struct in6_addr *address = &((const struct sockaddr_in6 *)peer)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(address) || (IN6_IS_ADDR_V4MAPPED(address) && address->s6_addr[12] == 127);
}

struct text http_peer_text(const struct sockaddr *peer, struct arena *arena)
{
    char address[INET6_ADDRSTRLEN];
    if (peer->sa_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)peer;
        uint32_t number = ntohl(four->sin_addr.s_addr);
        struct text_builder written;
        builder_init(&written, arena);
        for (int shift = 24; shift >= 0; shift -= 8) {
            builder_add_number(&written, number >> shift & 0xff);
            builder_add_char(&written, shift ? '.' : ':');
        }
        builder_add_number(&written, ntohs(four->sin_port));
        return builder_text(&written);
    }
    if (peer->sa_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)peer;
        inet_ntop(AF_INET6, &six->sin6_addr, address, sizeof(address));
        return text_format(arena, "[%s]:%u", address, (unsigned)ntohs(six->sin6_port));
    }
    return TEXT("unknown");
}
