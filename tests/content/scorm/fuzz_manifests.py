"""Documents of packages, mutated without end: each is refused by name or read soundly, and quickly.

`python -m tests.content.scorm.fuzz_manifests 100000 [SEED]` runs as long as one likes; the tests run a few hundred.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

from content.scorm.findings import PackageRefused
from content.scorm.model import Course, parse_course
from tests.content.scorm.course.reading import read
from tests.content.scorm.hostile_manifests import CASES

NASTY = (
    b"", b"&", b"<", b">", b"]]>", b"<!--", b"-->", b"<![CDATA[", b"<?", b"?>", b"<!DOCTYPE a>", b"<!DOCTYPE a [", b"&#0;",
    b"&#x110000;", b"&lt", b"&nbsp;", b"\0", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xef\xbf\xbf", b"xml:base", b"xmlns",
    b'xmlns:xml=""', b"../", b"..\\", b"%2e%2e/", b"%00", b"javascript:", b"file:", b"//", b"C:\\", b"?", b"#", b"\t\r\n",
    b"<item>", b"</item>", b"<manifest>", b"<resource>", b"identifierref", b'=""', b"'", b'"', b"\xe2\x80\xae", b"a" * 3000,
)  # fmt: skip
VALUES = (
    "", " ", "&#9;", "item_1", "res_1", "org_1", "RES_1", "course_1", "1", "a b", "é", "../../x", "/x", "//x/y", "a/", "..", "#", "?",
    "#a?b", "?a#b", "%2e%2e/x", "%", "%zz", "index.html", "INDEX.HTML", "./index.html", "index.html?a=1&amp;b", "javascript:x",
    "http://127.0.0.1:9/", "file:x", "x:", "C:/x", "sco", "asset", "false", "2004 4th Edition", "1.2", "&lt;b>", "\u202e", "😀" * 300,
    "http://www.imsglobal.org/xsd/imscp_v1p1", "http://www.w3.org/2001/XInclude", "imsqti_item", "\u0301", "\u3000",
)  # fmt: skip
_VALUE = re.compile(r"(?<==)(\"[^\"<]*\"|'[^'<]*')|(?<=>)[^<>]+(?=<)")
_ELEMENT = re.compile(r"<(\w[\w:]*)(?: [^<>]*)?>[^<]*</\1>|<\w[^<>]*/>|<(item|resource)\b.*?</\2>", re.DOTALL)
SEEDS = [dict(case.files) for case in CASES.values() if sum(map(len, case.files.values())) < 20_000]


def mutated(files: Mapping[str, bytes], random: Random) -> dict[str, bytes]:
    """One document of it changed in some places."""
    changed = dict(files)
    names = [name for name in changed if not name.endswith((".html", ".png", ".js"))] or list(changed)
    name = random.choice(names)
    if random.random() < 0.6:
        changed[name] = _rewritten(changed[name].decode("utf-8", "replace"), random).encode()
        return changed
    data = bytearray(changed[name])
    for _ in range(random.choice((1, 1, 2, 4, 16))):
        at = random.randrange(len(data) + 1)
        to = min(len(data), at + random.choice((0, 1, 2, 8, 40, 200)))
        match random.randrange(6):
            case 0:
                data[at:to] = b""
            case 1:
                data[at:at] = random.choice(NASTY)
            case 2:
                data[at:to] = random.choice(NASTY)
            case 3:
                data[at:at] = data[at:to] * random.choice((1, 2, 50))
            case 4:
                data[at:to] = bytes(random.randrange(256) for _ in range(to - at))
            case _:
                other = random.choice(SEEDS)
                piece = other[random.choice(list(other))]
                start = random.randrange(len(piece) + 1)
                data[at:to] = piece[start : start + random.choice((5, 50, 500))]
    changed[name] = bytes(data[:60_000])
    return changed


def _rewritten(text: str, random: Random) -> str:
    """Still well-formed XML, if it was: other values and texts, elements twice, gone or elsewhere."""
    for _ in range(random.choice((1, 2, 5))):
        values, elements = list(_VALUE.finditer(text)), list(_ELEMENT.finditer(text))
        if values and random.random() < 0.6:
            found = random.choice(values)
            value = random.choice((*VALUES, random.choice(values)[0].strip("\"'")))
            quote = found[0][0] if found[0][0] in "\"'" else ""
            if not quote or quote not in value:
                text = f"{text[: found.start()]}{quote}{value}{quote}{text[found.end() :]}"
        elif elements:
            found, other = random.choice(elements), random.choice(elements)
            piece = random.choice(("", found[0], found[0] * 2, other[0], f"<item>{other[0]}</item>"))
            text = f"{text[: found.start()]}{piece}{text[found.end() :]}"
    return text[:60_000]


def is_sound(course: Course) -> None:
    """What holds for every course that is read, however its package was made."""
    document: dict[str, Any] = course.document()
    assert parse_course(json.dumps(document)) == course
    assert course.launches
    resources = {each.identifier: each for each in course.resources}
    names = [item.identifier for organization in course.organizations for item in organization.walk()]
    names += [each.identifier for each in course.organizations] + list(resources)
    assert len(names) == len(set(names)) and len(resources) == len(course.resources)
    assert course.default in {each.identifier for each in course.organizations}
    for organization in course.organizations:
        for item in organization.walk():
            assert item.resource is None or item.resource in resources
            assert item.title == " ".join(item.title.split())
    for each in course.resources:
        assert set(each.dependencies) <= set(resources)
    for launch in course.launches:
        path = launch.href.partition("?")[0].partition("#")[0]
        assert path and not path.startswith("/") and ".." not in path.split("/")


def one(random: Random) -> str:
    """Reads one mutation; what came of it. Raises AssertionError and whatever else should not be."""
    files = mutated(random.choice(SEEDS), random)
    try:
        course, _ = read(files)
    except PackageRefused as refused:
        assert refused.errors and all(each.code and each.message for each in refused.errors)
        return refused.errors[0].code
    is_sound(course)
    return "accepted"


def main() -> None:
    """Keeps the seed of what failed."""
    rounds, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time())
    seen: dict[str, int] = {}
    for n in range(seed, seed + rounds):
        began = time.process_time()
        try:
            outcome = one(Random(n))
        except Exception:
            print(f"seed {n}")
            raise
        seen[outcome] = seen.get(outcome, 0) + 1
        if time.process_time() - began > 2:
            print(f"seed {n} took {time.process_time() - began:.1f} s")
    print(seen)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
    main()
