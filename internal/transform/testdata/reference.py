"""The transforms of fieldcrypt/FORMAT.md, written a second time.

    python3.12 reference.py vectors/v1/*.json

checks every vector. It needs a Python whose unicodedata is Unicode 15.0.0
(3.12 is the only one): the Go code was compared with it over every code point.
"""
import json
import re
import sys
import unicodedata

assert unicodedata.unidata_version == "15.0.0", "needs Python 3.12"

WHITE_SPACE = "".join(map(chr, [
    *range(0x09, 0x0E), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000]))


def nfc(s):
    return unicodedata.normalize("NFC", s)


def is_alnum(c):
    category = unicodedata.category(c)
    return category[0] not in "PSZ" and category not in ("Cc", "Cf")


# str.lower and str.upper of one character have no context, as it should be.
PLAIN = {
    "alnum": lambda s: "".join(filter(is_alnum, s)),
    "digits": lambda s: "".join(str(unicodedata.decimal(c)) for c in s if unicodedata.category(c) == "Nd"),
    "fold": lambda s: nfc(nfc(s).casefold()),
    "lower": lambda s: "".join(c.lower() for c in s),
    "nfc": nfc,
    "trim": lambda s: s.strip(WHITE_SPACE),
    "upper": lambda s: "".join(c.upper() for c in s),
}
COUNT = {"first": lambda s, n: s[:n], "last": lambda s, n: s[-n:]}


def parse(spec):
    """Returns the functions of a specification, or None if it is wrong."""
    stages = []
    for text in spec.split("|"):
        match = re.fullmatch(r"(first|last)\(([1-9][0-9]{0,2}|1000)\)", text)
        if match:
            stages.append(lambda s, f=COUNT[match[1]], n=int(match[2]): f(s, n))
        elif text in PLAIN:
            stages.append(PLAIN[text])
        else:
            return None
    return stages


def apply(spec, data):
    """Returns what a vector holds beside "name", "spec" and "in"."""
    stages = parse(spec)
    if stages is None:
        return {"error": "pipeline"}
    try:
        s = data.decode("utf-8")
    except UnicodeDecodeError:
        return {"error": "utf8"}
    for stage in stages:
        s = stage(s)
    return {"out": s.encode("utf-8").hex()}


if __name__ == "__main__":
    checked = 0
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            for vector in json.load(file):
                want = apply(vector["spec"], bytes.fromhex(vector["in"]))
                assert {**vector, **want} == vector, (path, vector, want)
                checked += 1
    print(checked, "vectors agree")
