/* How a request to another server ended, as it is told to the asker, in the log and in metrics. */
#include "log.h"
#include "search_domains_own.h"

void search_domains_register(struct search_domains *domains)
{
    static const char *const labels[DOMAIN_ENDS] = {
        [DOMAIN_ANSWERED] = "result=\"answered\"",       [DOMAIN_LATE] = "result=\"late\"",
        [DOMAIN_UNREACHABLE] = "result=\"unreachable\"", [DOMAIN_UNTRUSTED] = "result=\"untrusted\"",
        [DOMAIN_REFUSED] = "result=\"refused\"",         [DOMAIN_TOO_LONG] = "result=\"too-long\""};
    for (int end = 0; end < DOMAIN_ENDS; end++)
        domains->ends[end] = metric_counter("xdms_search_domain_requests_total", labels[end],
                                            "Searches that were passed on to other servers, one for each of them.");
}

/* What the asker hears. Addresses of other servers and what a library says are for the log. */
static void fill(const struct search_domains *domains, struct domain_answer *answer, enum domain_end end, long status)
{
    switch (end) {
    case DOMAIN_LATE: answer->missing = TEXT("no answer in time"); break;
    case DOMAIN_UNREACHABLE: answer->missing = TEXT("cannot be reached"); break;
    case DOMAIN_UNTRUSTED: answer->missing = TEXT("shows no good certificate"); break;
    case DOMAIN_REFUSED: answer->missing = text_format(answer->job->arena, "answers %ld", status); break;
    case DOMAIN_TOO_LONG: answer->missing = TEXT("answers too much"); break;
    default: answer->body = builder_text(&answer->received);
    }
    metric_add(domains->ends[end], 1);
}

/* Once for each time that a server begins to fail: every search meets it. What it refuses may be this search alone. */
static void note(struct domain *domain, const struct domain_answer *answer, enum domain_end end, long status)
{
    bool fails = end != DOMAIN_ANSWERED;
    if (end == DOMAIN_REFUSED && status != 401 && status < 500)
        return;
    if (fails && !domain->fails)
        log_warning("search of %.*s at %.*s fails: %.*s %s", TEXT_ARG(domain->name), TEXT_ARG(domain->url),
                    TEXT_ARG(answer->missing), answer->reason);
    else if (!fails && domain->fails)
        log_info("search of %.*s works again", TEXT_ARG(domain->name));
    domain->fails = fails;
}

void search_domains_tell(struct search_domains *domains, struct domain_answer *answer, enum domain_end end, long status)
{
    fill(domains, answer, end, status);
    note(&domains->list[answer->domain], answer, end, status);
}
