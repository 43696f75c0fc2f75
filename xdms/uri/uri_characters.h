/* Character classes that URIs and the names around them share. */
#ifndef URI_URI_CHARACTERS_H
#define URI_URI_CHARACTERS_H

#include <stdbool.h>
#include <string.h>

static inline bool uri_is_alphanumeric(char character)
{
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
           (character >= '0' && character <= '9');
}

/* RFC 3261 §25.1 unreserved */
static inline bool uri_is_unreserved(char character)
{
    return uri_is_alphanumeric(character) || (character && strchr("-_.!~*'()", character));
}

/* RFC 3966 §3 visual-separator */
static inline bool uri_is_visual_separator(char character)
{
    return character && strchr("-.()", character);
}

#endif
