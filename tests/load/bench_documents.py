"""Documents of the benches: address lists of a given size or number of entries. Each holds "00000000" once, which the
load generator replaces by a running number."""

HEAD = ('<?xml version="1.0" encoding="UTF-8"?>\n<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists">\n'
        '  <list name="friends">\n    <display-name>Friends 00000000</display-name>\n')
TAIL = "  </list>\n</resource-lists>\n"


def entry(number):
    return f'    <entry uri="sip:person{number:05d}@example.com"><display-name>Person {number}</display-name></entry>\n'


def list_of(count):
    return HEAD + "".join(entry(number) for number in range(count)) + TAIL


def write_list(path, size):
    """About `size` bytes; the exact number."""
    count = (size - len(HEAD) - len(TAIL)) // len(entry(0))
    text = list_of(count)
    text = text.replace(TAIL, " " * (size - len(text)) + TAIL)
    with open(path, "w") as file:
        file.write(text)
    return len(text)
