/* Lists of references to messages ("urn:oma:xml:im:history-list"), with which clients name those that they want to get
 * or to be rid of: reads the document. It must not know what is behind a reference. */
#ifndef HISTORYLIST_HISTORYLIST_H
#define HISTORYLIST_HISTORYLIST_H

#include "arena.h"
#include "status.h"
#include "text.h"

#define HISTORYLIST_MAX 100 /* references of one list: each is work that others wait for */

/* Published texts leave open what the root is called and whether a reference is an attribute or an element: any root,
 * and both. Each reference once, in document order; other elements are skipped. REFUSED: malformed; FULL: too many,
 * equal ones too. */
enum status historylist_read(struct text document, struct arena *arena, struct text **references_out,
                             size_t *count_out);

#endif
