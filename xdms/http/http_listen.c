/* Opens the listening socket and says in one line why it cannot. */
#include "http_private.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

static int listen_on(const struct addrinfo *address);
static struct text address_name(const char *host, uint16_t port, struct arena *arena);
static struct text error_line(int error, struct text name, struct arena *arena);

int http_listen(const char *host, uint16_t port, struct arena *arena, struct text *error_out)
{
    struct text bare = text_of(host);
    if (bare.length > 2 && host[0] == '[' && host[bare.length - 1] == ']')
        bare = text_slice(bare, 1, bare.length - 1);
    struct addrinfo hints = {
        .ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct text name = address_name(text_cstring(arena, bare), port, arena);
    struct addrinfo *found = NULL;
    char service[sizeof("65535")];
    snprintf(service, sizeof(service), "%u", (unsigned)port);
    int outcome = getaddrinfo(text_cstring(arena, bare), service, &hints, &found);
    if (outcome) {
        *error_out = text_format(arena, "cannot listen on %.*s: %s", TEXT_ARG(name), gai_strerror(outcome));
        return -1;
    }
    int listener = -1;
    int error = 0;
    for (const struct addrinfo *address = found; address && listener < 0; address = address->ai_next) {
        listener = listen_on(address);
        error = listener < 0 && !error ? errno : error; /* the first address is what was meant */
    }
    freeaddrinfo(found);
    if (listener < 0)
        *error_out = error_line(error, name, arena);
    return listener;
}

static int listen_on(const struct addrinfo *address)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int on = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static struct text address_name(const char *host, uint16_t port, struct arena *arena)
{
    return text_format(arena, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, (unsigned)port);
}

static struct text error_line(int error, struct text name, struct arena *arena)
{
    if (error == EADDRINUSE)
        return text_format(arena, "address already in use: %.*s", TEXT_ARG(name));
    char reason[128];
    return text_format(arena, "cannot listen on %.*s: %s", TEXT_ARG(name), strerror_r(error, reason, sizeof(reason)));
}

uint16_t http_listen_port(int listener)
{
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    } address = {0};
    socklen_t size = sizeof(address);
    if (getsockname(listener, &address.any, &size) != 0)
        return 0;
    return ntohs(address.any.sa_family == AF_INET6 ? address.six.sin6_port : address.four.sin_port);
}
