/* The setting that names other servers. */
#include "search_domains_own.h"

/* A root as search_domains.h has it: what a query, a fragment or a password would make of it is nothing to ask. */
static bool is_root(struct text url)
{
    bool scheme = text_starts_with(url, TEXT("http://")) || text_starts_with(url, TEXT("https://"));
    for (size_t i = 0; i < url.length; i++)
        if ((unsigned char)url.bytes[i] <= ' ' || strchr("?#@", url.bytes[i]))
            return false;
    return scheme;
}

static bool is_named(const struct search_domains *domains, struct text name)
{
    for (size_t i = 0; i < domains->count; i++)
        if (text_equal(domains->list[i].name, name))
            return true;
    return false;
}

static bool read_domain(struct search_domains *domains, struct text written)
{
    struct domain *domain = &domains->list[domains->count];
    if (domains->count == DOMAINS_MAX || !text_cut(written, '=', &domain->name, &domain->url))
        return false;
    domain->name = text_lower(&domains->arena, text_trim(domain->name));
    domain->url = text_copy(&domains->arena, text_trim(domain->url));
    while (text_ends_with(domain->url, TEXT("/")))
        domain->url.length--;
    bool good = domain->name.length && !is_named(domains, domain->name) && is_root(domain->url);
    domains->count++;
    return good;
}

bool search_domains_read(struct search_domains *domains, struct text list, struct arena *arena, struct text *error_out)
{
    struct text rest = text_trim(list), one;
    *error_out = (struct text){0};
    while (rest.length && error_out->length == 0) {
        text_cut(rest, ',', &one, &rest);
        rest = text_trim(rest);
        if (!read_domain(domains, text_trim(one)))
            *error_out =
                text_format(arena, "search.domains: '%.*s' is not DOMAIN=URL, named twice, or one of more than %d",
                            TEXT_ARG(text_trim(one)), DOMAINS_MAX);
    }
    return error_out->length == 0;
}

bool search_domains_good(struct text list, struct arena *arena, struct text *error_out)
{
    struct search_domains domains = {0};
    arena_init(&domains.arena, "domains");
    bool good = search_domains_read(&domains, list, arena, error_out);
    arena_clear(&domains.arena);
    return good;
}

size_t search_domains_count(const struct search_domains *domains)
{
    return domains ? domains->count : 0;
}

struct text search_domains_name(const struct search_domains *domains, size_t index)
{
    return domains->list[index].name;
}
