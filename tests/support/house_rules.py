#!/usr/bin/env python3
"""Length limits, banned functions and file comments (docs/style.md): one line per finding, exit 1 if there is one."""
import re
import sys

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 700
BANNED = {
    "sprintf": "snprintf or text_format", "vsprintf": "vsnprintf", "strcpy": "struct text", "strcat": "text_builder",
    "strncpy": "struct text", "strncat": "text_builder", "strtok": "text_cut", "gets": "nothing", "atoi": "text_to_u64",
    "atol": "text_to_u64", "rand": "random_hex", "srand": "random_hex", "alloca": "an arena", "setjmp": "status codes",
    "longjmp": "status codes", "system": "nothing",
}
# The one file that knows each library (docs/architecture.md).
LIBRARY_HOMES = {
    "microhttpd.h": r"^xdms/http/http_server_mhd\.c$",
    "unicase.h": r"^xdms/base/unicode\.c$",
    "idn2.h": r"^xdms/uri/uri_iri\.c$",
    "lmdb.h": r"^xdms/store/store_lmdb\w*\.[ch]$",
    "lz4.h": r"^xdms/store/store_lmdb_pack\.c$",
    "ares.h": r"^im-glue/dns/dns_ares\.c$",
    "arpa/nameser.h": r"^im-glue/dns/dns_answer\.c$",
    "curl/": r"^(xdms/ctl/(http|pipe)\.c|xdms/service/search_domains\.c|tests/support/service_fixture\.h)$",
    "zlib.h": r"^(xdms/service/content_coding|im-glue/coding/coding|tests/unit/coding_test|tests/replay/replay_client)\.c$",
    "gnutls/": r"^(xdms/tls/|tests/support/certificates\.h$)",
    "libxml/": r"^xdms/xml/",
    "libxslt/": r"^xdms/xml/",
    "osipparser2/": r"^(im-glue/sip/|tests/unit/sip_plain_test\.c$)",
    "osip2/": r"^im-glue/sip/",
}
BARE = r"^tests/load/"  # programs that use a library alone, as the measure of what it could do


def without_strings_and_comments(text):
    pattern = r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
    return re.sub(pattern, lambda match: re.sub(r"[^\n]", " ", match.group()), text, flags=re.S)


def findings(path):
    text = open(path, encoding="utf-8").read()
    lines = text.split("\n")
    if len(lines) - 1 > FILE_LINES_MAX:
        yield 1, f"{len(lines) - 1} lines; a file has at most {FILE_LINES_MAX}"
    if not text.startswith("/*"):
        yield 1, "starts without saying what it is for"
    code = without_strings_and_comments(text)
    for number, line in enumerate(code.split("\n"), 1):
        for match in re.finditer(r"\b(\w+)\s*\(", line):
            if match.group(1) in BANNED:
                yield number, f"{match.group(1)} is banned: use {BANNED[match.group(1)]}"
    for number, line in enumerate(lines, 1):
        match = re.match(r'\s*#\s*include\s*[<"]([^>"]+)', line)
        for library, home in LIBRARY_HOMES.items():
            if match and match.group(1).startswith(library) and not re.match(home, path) and not re.match(BARE, path):
                yield number, f"<{match.group(1)}> belongs to another module"
    begin = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            begin = number
        elif line == "}" and begin:
            if number - begin - 1 > FUNCTION_LINES_MAX:
                yield begin, f"function of {number - begin - 1} lines; at most {FUNCTION_LINES_MAX}"
            begin = None


def main(paths):
    count = 0
    for path in paths:
        for number, message in findings(path):
            print(f"{path}:{number}: {message}")
            count += 1
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
