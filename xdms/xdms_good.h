/* What rows of the table cannot tell of the settings of xdms, before anything is opened. */
#ifndef XDMS_GOOD_H
#define XDMS_GOOD_H

#include "xdms_settings.h"

/* False: `error_out` has one line that names the setting. */
bool xdms_settings_good(const struct xdms_settings *settings, bool has_certificate, enum tls_clients *admin_clients_out,
                        struct arena *arena, struct text *error_out);

#endif
