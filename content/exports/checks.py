"""What can be seen of an export before anybody opens it: each check reads the finished bytes, not what made them."""

from __future__ import annotations

import json
import re
from urllib.parse import unquote

from content.exports.check import NOT_RUN, PASSED, WARNING, Check, Made, judged
from content.exports.imported.checks import awkward
from content.exports.page_checks import check_inline, check_links, check_remote
from content.exports.schemas import schema_errors
from content.exports.suspend import LIMITS, worst_case
from content.exports.xml import etree

MAX_PATH_CHARS = 120
_PORTABLE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*")
_XS_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


def run_checks(made: Made) -> tuple[Check, ...]:
    """All checks, in a fixed order."""
    return tuple(
        check(made)
        for check in (_names, _listed, _identifiers, _schema, check_links, check_inline, check_remote, _suspend)
    )


def _names(made: Made) -> Check:
    ours = made.paths - made.foreign
    odd = [path for path in sorted(ours) if not _PORTABLE.fullmatch(path) or len(path) > MAX_PATH_CHARS]
    odd += [path for path in sorted(made.paths) if path != path.lower() and path.lower() in made.paths]
    if odd or not (theirs := awkward(made.foreign)):
        return judged("file-names", odd, f"{len(made.paths)} names that every system and archive can hold.")
    return theirs


def _listed(made: Made) -> Check:
    """Every file is named by the manifest, and every file it names is there."""
    named, whole = _named(made)
    named = {unquote(path) for path in named}
    faults = [f"“{path}” is named but not there" for path in sorted(named - made.paths)]
    if whole:
        faults += [f"“{path}” is there but not named" for path in sorted(made.paths - named - made.unlisted)]
    return judged("files-listed", faults, f"{len(named)} files are named, and all of them are there.")


def _named(made: Made) -> tuple[set[str], bool]:
    """What the format's own list names, and whether it has to name all."""
    if made.manifest is None:
        script = made.files["precache.js"].decode()
        return set(json.loads(script.removeprefix("self.precache = ").rstrip(";\n"))["paths"]), True
    root = etree.fromstring(made.files[made.manifest])
    if made.manifest == "imsmanifest.xml":
        return {each.get("href") for each in root.iter("{*}file", "{*}resource") if each.get("href")}, True
    return {each.text for each in root.iter("{*}url", "{*}launch")}, False


def _identifiers(made: Made) -> Check:
    name = "identifiers"
    if made.manifest is None:
        return Check(name, PASSED, "The format has none.")
    root = etree.fromstring(made.files[made.manifest])
    found = [each.get("identifier") or each.get("id") for each in root.iter("{*}*")]
    ids = [each for each in found if each]
    faults = [f"“{each}” stands twice" for each in sorted({each for each in ids if ids.count(each) > 1})]
    if made.manifest == "imsmanifest.xml":
        faults += [f"“{each}” is no xs:ID" for each in ids if not _XS_ID.fullmatch(each)]
        pointing = [each.get("identifierref") for each in root.iter("{*}*") if each.get("identifierref")]
        faults += [f"“{each}” is not there" for each in sorted(set(pointing) - set(ids))]
    return judged(name, faults, f"{len(ids)} identifiers, each once.")


def _schema(made: Made) -> Check:
    name = "schema"
    if made.manifest is None or not made.roots:
        return Check(name, NOT_RUN, "There is no schema for this format.")
    missing = [file for _, file in made.roots if file not in made.schemas]
    if missing:
        return Check(name, NOT_RUN, f"The player was built without {', '.join(missing)}.")
    faults = schema_errors(made.files[made.manifest], made.schemas, made.roots)
    files = ", ".join(file for _, file in made.roots)
    return judged(name, faults, f"The manifest agrees with {files}.")


def _suspend(made: Made) -> Check:
    name, document = "suspend-data", made.course.document
    units = [unit["id"] for unit in made.course.units] if made.options.packaging == "unit" else [None]
    longest = max(worst_case(document, unit) for unit in units)
    limit = LIMITS.get(made.options.format)
    if limit is None:
        return Check(name, PASSED, f"At most {longest} characters; the format sets no limit.")
    if longest <= limit:
        return Check(name, PASSED, f"At most {longest} of {limit} characters.")
    detail = (
        f"What a learner answers can need {longest} characters, and a platform has to keep only {limit}. "
        "Then the longest answers are not kept from one visit to the next."
    )
    return Check(name, WARNING, detail)
