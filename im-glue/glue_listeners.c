/* A table of the listeners beside listen.sip, and what is done for each of them. */
#include "glue_listeners.h"

#include <assert.h>
#include <stdio.h>

/* An empty address is none. */
struct listener {
    const char *name, *address;
    enum flow_kind kind;
};

#define LISTENERS 3

static void list(const struct glue_settings *settings, struct listener listeners_out[LISTENERS])
{
    listeners_out[0] = (struct listener){"sips", settings->sips, FLOW_TLS};
    listeners_out[1] = (struct listener){"ws", settings->ws, FLOW_WS};
    listeners_out[2] = (struct listener){"wss", settings->wss, FLOW_WSS};
}

bool glue_listeners_good(const struct glue_settings *settings, struct node *node, struct text *error_out)
{
    const struct listen_address addresses[] = {
        {"listen.sip", settings->sip, false},
        {"listen.sips", settings->sips, true},
        {"listen.ws", settings->ws, false},
        {"listen.wss", settings->wss, true},
        {"listen.management", settings->management, settings->management_tls},
    };
    char why[SETTINGS_ERROR_MAX];
    if (!settings->sip[0]) {
        *error_out = TEXT("listen.sip: empty");
        return false;
    }
    if (listen_addresses_good(addresses, sizeof(addresses) / sizeof(addresses[0]), node->tls != NULL, why))
        return true;
    *error_out = text_copy(&node->arena, text_of(why));
    return false;
}

static bool open_one(struct node *node, struct transport *transport, const struct listener *one, struct text *error_out)
{
    char host[256];
    struct transport_listener listener = {.kind = one->kind, .host = host, .clients = node->clients};
    if (!one->address[0])
        return true;
    bool good = address_split(one->address, host, sizeof(host), &listener.port);
    assert(good); /* glue_listeners_good */
    return transport_listen(transport, &listener, &node->arena, error_out);
}

bool glue_listeners_open(const struct glue_settings *settings, struct node *node, struct transport *transport,
                         struct text *error_out)
{
    struct listener listeners[LISTENERS];
    list(settings, listeners);
    if (node->tls)
        transport_use_tls(transport, node->tls);
    for (size_t i = 0; i < LISTENERS; i++)
        if (!open_one(node, transport, &listeners[i], error_out))
            return false;
    return true;
}

void glue_listeners_print(const struct glue_settings *settings, const struct transport *transport)
{
    struct listener listeners[LISTENERS];
    list(settings, listeners);
    for (size_t i = 0; i < LISTENERS; i++) {
        const char *address = listeners[i].address, *colon = strrchr(address, ':');
        if (colon)
            printf(" %s=%.*s:%u", listeners[i].name, (int)(colon - address), address,
                   transport_port_of(transport, listeners[i].kind));
    }
}
