/* Addresses of ports as settings write them. */
#include "settings.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>

#include "settings_row.h"

#define HOST_MAX 253 /* RFC 1035 §3.1, without the final dot */

static bool is_host_name(struct text host)
{
    for (size_t i = 0; i < host.length; i++) {
        char c = host.bytes[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-._", c))))
            return false;
    }
    return host.length > 0 && host.length <= HOST_MAX;
}

/* The part before the port, out of its brackets. */
static bool take_host(struct text text, struct text *host_out, bool *ipv6_out)
{
    *ipv6_out = text_starts_with(text, TEXT("[")) && text_ends_with(text, TEXT("]"));
    *host_out = *ipv6_out ? text_slice(text, 1, text.length - 1) : text;
    return *ipv6_out || is_host_name(text);
}

bool address_split(const char *address, char *host_out, size_t host_size, uint16_t *port_out)
{
    const char *colon = strrchr(address, ':');
    struct text host;
    bool ipv6;
    uint64_t port;
    struct in6_addr unused;
    if (!colon || !text_to_u64(text_of(colon + 1), &port) || port > UINT16_MAX)
        return false;
    if (!take_host((struct text){address, (size_t)(colon - address)}, &host, &ipv6) || host.length >= host_size)
        return false;
    memcpy(host_out, host.bytes, host.length);
    host_out[host.length] = '\0';
    if (ipv6 && inet_pton(AF_INET6, host_out, &unused) != 1)
        return false;
    *port_out = (uint16_t)port;
    return true;
}

bool address_is_loopback(const char *address)
{
    char host[HOST_MAX + 1];
    uint16_t port;
    struct in_addr ipv4;
    struct in6_addr ipv6;
    if (!address_split(address, host, sizeof(host), &port))
        return false;
    if (inet_pton(AF_INET, host, &ipv4) == 1)
        return ntohl(ipv4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, host, &ipv6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&ipv6);
    return text_equal_nocase(text_of(host), TEXT("localhost"));
}

/* A port that is bound and not listened at is in nobody's way. */
static const char *bind_problem(const struct addrinfo *info)
{
    int one = 1;
    int fd = socket(info->ai_family, info->ai_socktype | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return strerror(errno);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    int error = bind(fd, info->ai_addr, info->ai_addrlen) == 0 ? 0 : errno;
    close(fd);
    return error == 0 || error == EADDRINUSE ? NULL : strerror(error);
}

static const char *address_problem(const char *address)
{
    char host[HOST_MAX + 1], service[sizeof("65535")];
    uint16_t port;
    const struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM};
    struct addrinfo *infos;
    if (!address_split(address, host, sizeof(host), &port))
        return "not HOST:PORT";
    snprintf(service, sizeof(service), "%u", (unsigned)port);
    int error = getaddrinfo(host, service, &hints, &infos);
    if (error)
        return gai_strerror(error);
    const char *problem = "no address";
    for (const struct addrinfo *info = infos; info && problem; info = info->ai_next)
        problem = bind_problem(info);
    freeaddrinfo(infos);
    return problem;
}

/* Port 0 is another one each time. */
static bool is_same(const char *a, const char *b)
{
    return text_equal_nocase(text_of(a), text_of(b)) && !text_ends_with(text_of(a), TEXT(":0"));
}

bool listen_addresses_good(const struct listen_address *addresses, size_t count, bool has_certificate,
                           char error[SETTINGS_ERROR_MAX])
{
    for (size_t i = 0; i < count; i++) {
        const struct listen_address *one = &addresses[i];
        if (!one->address[0])
            continue;
        if (one->is_tls && !has_certificate)
            return settings_error(error, "%s shall speak TLS, but there is no tls.certificate", one->setting) == OK;
        const char *problem = address_problem(one->address);
        if (problem)
            return settings_error(error, "%s: %s: %.200s", one->setting, problem, one->address) == OK;
        for (size_t j = 0; j < i; j++)
            if (is_same(one->address, addresses[j].address))
                return settings_error(error, "%s: %.200s is that of %s already", one->setting, one->address,
                                      addresses[j].setting) == OK;
    }
    return true;
}
