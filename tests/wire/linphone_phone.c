/* A phone made of Linphone's library, for tests/wire/linphone.py: commands come line by line on standard input, and
 * what the library tells goes line by line to standard output. No sound, no window. */
#include <linphone/api/c-api.h>
#include <linphone/core.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ITERATE_MS   20 /* as the library wants to be called */
#define LINE_MAX_LEN 4096

static const char *const states[] = {
    [LinphoneChatMessageStateIdle] = "idle",
    [LinphoneChatMessageStateInProgress] = "in-progress",
    [LinphoneChatMessageStateDelivered] = "accepted", /* by the server: 2xx */
    [LinphoneChatMessageStateNotDelivered] = "failed",
    [LinphoneChatMessageStateFileTransferError] = "file-error",
    [LinphoneChatMessageStateFileTransferDone] = "file-done",
    [LinphoneChatMessageStateDeliveredToUser] = "delivered", /* a report said so */
    [LinphoneChatMessageStateDisplayed] = "displayed",
};

static FILE *events; /* the standard output that we were started with: the library writes its log to the other */

static void say(const char *event, const char *a, const char *b, const char *c)
{
    fprintf(events, "%s %s %s %s\n", event, a ? a : "-", b ? b : "-", c ? c : "-");
    fflush(events);
}

static void on_state(LinphoneChatMessage *message, LinphoneChatMessageState state)
{
    if (state < sizeof(states) / sizeof(states[0]) && states[state])
        say("state", states[state], linphone_chat_message_get_utf8_text(message), NULL);
}

static void on_registration(LinphoneCore *core, LinphoneAccount *account, LinphoneRegistrationState state,
                            const char *reason)
{
    (void)core;
    (void)account;
    if (state == LinphoneRegistrationOk || state == LinphoneRegistrationFailed || state == LinphoneRegistrationCleared)
        say("registration", linphone_registration_state_to_string(state), reason, NULL);
}

static void on_message(LinphoneCore *core, LinphoneChatRoom *room, LinphoneChatMessage *message)
{
    const LinphoneAddress *from = linphone_chat_message_get_from_address(message);
    char *address = linphone_address_as_string_uri_only(from);
    (void)core;
    (void)room;
    say("message", address, linphone_chat_message_get_content_type(message),
        linphone_chat_message_get_utf8_text(message));
    bctbx_free(address);
}

static void on_composing(LinphoneCore *core, LinphoneChatRoom *room)
{
    (void)core;
    say("composing", linphone_chat_room_is_remote_composing(room) ? "yes" : "no", NULL, NULL);
}

/* The one room with that address, made when it is needed; CPIM comes with the account. */
static LinphoneChatRoom *room_of(LinphoneCore *core, const char *uri)
{
    LinphoneAddress *address = linphone_address_new(uri);
    LinphoneChatRoomParams *params = linphone_core_create_default_chat_room_params(core);
    bctbx_list_t *peer = bctbx_list_append(NULL, address);
    linphone_chat_room_params_set_backend(params, LinphoneChatRoomBackendBasic);
    LinphoneChatRoom *room = linphone_core_create_chat_room_6(core, params, NULL, peer);
    bctbx_list_free(peer);
    linphone_chat_room_params_unref(params);
    linphone_address_unref(address);
    return room;
}

static void send_text(LinphoneCore *core, const char *uri, const char *text)
{
    LinphoneChatMessage *message = linphone_chat_room_create_message_from_utf8(room_of(core, uri), text);
    LinphoneChatMessageCbs *callbacks = linphone_factory_create_chat_message_cbs(linphone_factory_get());
    linphone_chat_message_cbs_set_msg_state_changed(callbacks, on_state);
    linphone_chat_message_add_callbacks(message, callbacks);
    linphone_chat_message_cbs_unref(callbacks);
    linphone_chat_message_send(message); /* never unref'd: reports come for as long as the process lives */
}

static void add_account(LinphoneCore *core, const char *server, const char *user)
{
    char identity_text[256];
    snprintf(identity_text, sizeof(identity_text), "sip:%s@example.com", user);
    LinphoneAccountParams *params = linphone_core_create_account_params(core);
    LinphoneAddress *identity = linphone_address_new(identity_text), *address = linphone_address_new(server);
    LinphoneAuthInfo *secret = linphone_auth_info_new(user, NULL, user, NULL, NULL, "example.com");
    linphone_core_add_auth_info(core, secret);
    linphone_auth_info_unref(secret);
    linphone_account_params_set_identity_address(params, identity);
    linphone_account_params_set_server_address(params, address);
    linphone_account_params_set_outbound_proxy_enabled(params, TRUE);
    linphone_account_params_set_register_enabled(params, TRUE);
    linphone_account_params_enable_cpim_in_basic_chat_room(params, TRUE);
    LinphoneAccount *account = linphone_core_create_account(core, params);
    linphone_core_add_account(core, account);
    linphone_core_set_default_account(core, account);
    linphone_account_unref(account);
    linphone_account_params_unref(params);
    linphone_address_unref(identity);
    linphone_address_unref(address);
}

static LinphoneCore *start(const char *folder, const char *authority)
{
    char text[2048];
    snprintf(text, sizeof(text),
             "[storage]\nbackend=sqlite3\nuri=%s/linphone.db\n[sip]\nuse_ipv6=0\nroot_ca=%s\n[net]\nmtu=0\n"
             "[misc]\nuuid=%08x-0000-4000-8000-000000000000\n[lime]\nenabled=0\n",
             folder, authority, (unsigned)getpid());
    LinphoneConfig *config = linphone_config_new_from_buffer(text);
    LinphoneFactory *factory = linphone_factory_get();
    linphone_factory_set_data_dir(factory, folder);
    linphone_factory_set_config_dir(factory, folder);
    LinphoneCore *core = linphone_factory_create_core_with_config_3(factory, config, NULL);
    LinphoneTransports *transports = linphone_factory_create_transports(factory);
    linphone_transports_set_udp_port(transports, LC_SIP_TRANSPORT_RANDOM);
    linphone_transports_set_tcp_port(transports, LC_SIP_TRANSPORT_RANDOM);
    linphone_transports_set_tls_port(transports, LC_SIP_TRANSPORT_RANDOM);
    linphone_core_set_transports(core, transports);
    linphone_transports_unref(transports);
    LinphoneCoreCbs *callbacks = linphone_factory_create_core_cbs(factory);
    linphone_core_cbs_set_account_registration_state_changed(callbacks, on_registration);
    linphone_core_cbs_set_message_received(callbacks, on_message);
    linphone_core_cbs_set_is_composing_received(callbacks, on_composing);
    linphone_core_add_callbacks(core, callbacks);
    linphone_core_cbs_unref(callbacks);
    linphone_core_set_use_files(core, TRUE);
    linphone_core_start(core);
    return core;
}

static void obey(LinphoneCore *core, char *line)
{
    char *rest = line;
    const char *verb = strsep(&rest, " "), *uri = rest ? strsep(&rest, " ") : NULL;
    if (!uri)
        return;
    if (strcmp(verb, "send") == 0)
        send_text(core, uri, rest ? rest : "");
    else if (strcmp(verb, "compose") == 0)
        linphone_chat_room_compose(room_of(core, uri));
    else if (strcmp(verb, "read") == 0)
        linphone_chat_room_mark_as_read(room_of(core, uri));
}

int main(int count, char **arguments)
{
    char line[LINE_MAX_LEN];
    size_t length = 0;
    if (count != 5) /* server, user, folder, CA */
        return fprintf(stderr, "usage: linphone_phone SERVER USER FOLDER CA-FILE\n"), 2;
    events = fdopen(dup(STDOUT_FILENO), "w");
    dup2(STDERR_FILENO, STDOUT_FILENO);
    linphone_logging_service_set_log_level(linphone_logging_service_get(), LinphoneLogLevelMessage);
    LinphoneCore *core = start(arguments[3], arguments[4]);
    add_account(core, arguments[1], arguments[2]);
    for (bool open = true; open;) {
        struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
        linphone_core_iterate(core);
        if (poll(&input, 1, ITERATE_MS) <= 0)
            continue;
        ssize_t got = read(STDIN_FILENO, line + length, sizeof(line) - 1 - length);
        open = got > 0;
        length += open ? (size_t)got : 0;
        line[length] = '\0';
        for (char *end; (end = strchr(line, '\n'));) {
            *end = '\0';
            obey(core, line);
            length -= (size_t)(end + 1 - line);
            memmove(line, end + 1, length + 1);
        }
    }
    linphone_core_stop(core);
    linphone_core_unref(core);
    return 0;
}
