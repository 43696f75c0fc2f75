"""Turns tests/cases/*.case into inputs of the fuzz targets: case_seeds.py OUT_FOLDER CASE_FILE... makes
OUT_FOLDER/{xcap_target,xcap_selector,xcap_edit}/. Each case that somebody wrote is a place where fuzzing starts."""
import pathlib
import shutil
import sys
import urllib.parse

HOME = "/xcap-root/test/users/sip:ann@example.net/index/~~/"
LISTS = "/xcap-root/resource-lists/users/sip:alice@example.com/index"  # $lists of the cases in http/
LISTS_NAMESPACE = "urn:ietf:params:xml:ns:resource-lists"


def cases(path):
    """The cases of one file as dictionaries; namespace and document hold until they are given again."""
    lasting, case, key = {"namespace": "", "document": ""}, None, None
    for line in path.read_text(encoding="utf-8").split("\n"):
        if line.startswith("|"):
            kept = lasting if key in lasting else case
            kept[key] = kept[key] + ("\n" if kept[key] else "") + line[2:]
            continue
        if not line or line.startswith("#"):
            continue
        key, value = line.split(":", 1)
        if key in ("namespace", "document", "case") and case:
            yield case
            case = None
        if key in lasting:
            lasting[key] = value.strip()
        elif key == "case":
            case = {"body": ""}
        if case is not None and key not in lasting:
            case.setdefault("of", lasting.copy())
            case[key] = value[1:]
    if case:
        yield case


def seeds(case, over_http):
    node = case["request"].strip().partition(" ")[2]
    target = node.replace("$lists", LISTS) if over_http else HOME + node
    if over_http:
        node = target.partition("/~~/")[2]
        case["of"]["namespace"] = LISTS_NAMESPACE
    written, _, query = (urllib.parse.unquote_to_bytes(part) for part in node.partition("?"))
    namespace, document = case["of"]["namespace"].encode(), case["of"]["document"].encode()
    return {
        "xcap_target": target.encode(),
        "xcap_selector": b"\0".join([written, query, namespace]),
        "xcap_edit": b"\0".join([written, query, namespace, case["body"].encode(), document]),
    }


def main():
    out = pathlib.Path(sys.argv[1])
    shutil.rmtree(out, ignore_errors=True)
    count = 0
    for path in map(pathlib.Path, sys.argv[2:]):
        for number, case in enumerate(cases(path), 1):
            if "request" not in case:
                continue
            count += 1
            over_http = path.parent.name == "http"
            for target, content in seeds(case, over_http).items():
                folder = out / target
                folder.mkdir(parents=True, exist_ok=True)
                (folder / f"{'http_' * over_http}{path.stem}_{number}").write_bytes(content)
    if not count:
        sys.exit("no case has a request")
    (out / "done").touch()


if __name__ == "__main__":
    main()
