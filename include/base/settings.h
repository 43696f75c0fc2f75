/* Settings as a table: one row per setting says name, kind, default, bounds and meaning, and everything else
 * (file, command line, --dump-defaults, docs/settings.md) follows from the table. */
#ifndef BASE_SETTINGS_H
#define BASE_SETTINGS_H

#include <stdio.h>

#include "status.h"
#include "text.h"

enum setting_kind {
    SETTING_TEXT,   /* char *: freed by settings_clear */
    SETTING_DOMAIN, /* the same, of the form of a domain name */
    SETTING_REALM,  /* the same: something, and nothing that ends a quoted string */
    SETTING_NUMBER, /* int64_t, between min and max */
    SETTING_SWITCH  /* bool: true/false, yes/no, on/off */
};

struct setting {
    const char *name; /* "http.listen"; in the file "http:" and below it "listen:" */
    enum setting_kind kind;
    size_t offset;        /* of the member in the program's settings struct */
    const char *standard; /* default, as text */
    int64_t min, max;     /* SETTING_NUMBER only, inclusive */
    const char *unit;     /* "ms", "bytes", "" */
    const char *meaning;  /* one sentence */
};

struct settings_table {
    const struct setting *rows;
    size_t count;
    const struct settings_table *shared; /* further rows, which several programs have; NULL: none */
    size_t shared_offset;                /* of the struct that these rows fill, in the program's settings struct */
};

/* Every call that can refuse prints nothing: it leaves one line in `error` (what is wrong, where). */
#define SETTINGS_ERROR_MAX 512

void settings_init(const struct settings_table *table, void *target); /* all defaults */
void settings_clear(const struct settings_table *table, void *target);
enum status settings_set(const struct settings_table *table, void *target, const char *name, const char *value,
                         char error[SETTINGS_ERROR_MAX]);

/* YAML: a mapping of sections, each a mapping of scalars. Unknown names, wrong kinds and duplicates are refused with
 * file and line. */
enum status settings_read_file(const struct settings_table *table, void *target, const char *path,
                               char error[SETTINGS_ERROR_MAX]);

void settings_dump(const struct settings_table *table, const void *target, FILE *stream); /* YAML, values in force */
void settings_document(const struct settings_table *table, const char *program, FILE *stream); /* Markdown table */

/* "HOST:PORT" with a name, IPv4 or [IPv6] host; false if it has another form. */
bool address_split(const char *address, char *host_out, size_t host_size, uint16_t *port_out);

/* Where a program shall listen. An empty address is none. */
struct listen_address {
    const char *setting, *address;
    bool is_tls;
};

/* False: one is not HOST:PORT, or of no address here, or not to be had by this process; two are the same; or one shall
 * be encrypted without a certificate. Who listens there already is no reason, and nothing is taken. */
bool listen_addresses_good(const struct listen_address *addresses, size_t count, bool has_certificate,
                           char error[SETTINGS_ERROR_MAX]);

/* "HOST:PORT" that this machine alone can reach: 127.0.0.0/8, [::1] or localhost. */
bool address_is_loopback(const char *address);

#endif
