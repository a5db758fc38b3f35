"""Whether a migration leaves the version before able to run: only what it may ignore is added, nothing it needs is taken.

During a release the version before runs on the new schema, and after a roll-back it goes on doing so. So migrations expand:
tables, columns that may be left out, indexes. What narrows (drops, renames, new demands on old tables) is found here, statement by
statement, and refused unless the comment above the statement says why it harms nobody:

    -- contract: nothing has read it since 0021
    alter table jobs drop column position;
    -- compatible: no version writes anything else
    alter table jobs add check (kind <> '');

It reads SQL by patterns, not by a grammar: it may ask for a word too many, and what a function does when it is called it does not
see. That is what the tests with the code of the version before are for. What a file makes itself is its own affair. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

FIRST = "0016"
"""The first migration after the schema that every installation began with; older ones were never run beside older code."""
EXCUSE = re.compile(r"^--\s*(contract|compatible):\s*(\S.{9,})$", re.MULTILINE)
_DOLLARS = re.compile(r"\$(\w*)\$")
_NAME = r"(?:only\s+)?(?:if\s+(?:not\s+)?exists\s+)?(?:public\.)?\"?(\w+)\"?"
_CREATED = re.compile(
    rf"create\s+(?:unlogged\s+)?(?:table|(?:or\s+replace\s+)?(?:view|function|procedure))\s+{_NAME}", re.IGNORECASE
)
_ADDED = re.compile(rf"add\s+column\s+{_NAME}", re.IGNORECASE)
_WORDS = frozenset(
    """add all and any array as between cascade check constraint date deferrable delete false foreign from if in index
    initially interval is key not null of on or primary references restrict select set text then true unique update where
    with integer bigint boolean jsonb timestamptz now nulls distinct default""".split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Finding:
    """A statement that narrows, and which promise it breaks."""

    rule: str
    statement: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.statement}"


def narrowing(sql: str) -> list[Finding]:
    """What of a migration the version before may stumble over, without what is excused."""
    created = {match[1].lower() for match in _CREATED.finditer(_bare(sql))}
    added = {match[1].lower() for match in _ADDED.finditer(_bare(sql))}
    return [
        Finding(rule, " ".join(statement.split())[:160])
        for comments, statement in statements(sql)
        if not EXCUSE.search(comments)
        for rule in _broken(statement, created, added)
    ]


def statements(sql: str) -> Iterator[tuple[str, str]]:
    """(the comments directly above it, the statement without comments). A `do` block is looked into, a function is not: its body
    comes out as one word."""
    at, length, begin, dollar = 0, len(sql), 0, ""
    pieces: list[str] = []
    comments: list[str] = []
    while at < length:
        if not dollar and sql.startswith("--", at):
            pieces.append(sql[begin:at])
            end = sql.find("\n", at)
            end = length if end < 0 else end
            if not "".join(pieces).strip():
                comments.append(sql[at:end])
            at = begin = end
        elif match := _DOLLARS.match(sql, at):
            dollar = "" if dollar == match[0] else dollar or match[0]
            at = match.end()
        elif not dollar and sql[at] == "'":
            at = sql.index("'", at + 1) + 1
        elif not dollar and sql[at] == ";":
            yield "\n".join(comments), ("".join(pieces) + sql[begin:at]).strip()
            at += 1
            begin, pieces, comments = at, [], []
        else:
            at += 1
    if rest := ("".join(pieces) + sql[begin:]).strip():
        yield "\n".join(comments), rest


def _bare(sql: str) -> str:
    return re.sub(r"--[^\n]*", "", sql)


def _broken(statement: str, created: set[str], added: set[str]) -> Iterator[str]:
    text = statement.lower()
    if re.match(r"create\s+(or\s+replace\s+)?(function|procedure|trigger)\b", text):
        return
    if text.startswith("do"):
        # Its statements are in quotes, or parted by semicolons of its own.
        for rule, pattern in _INSIDE.items():
            if re.search(pattern, _bare(text)):
                yield rule
        return
    if match := re.match(rf"alter\s+table\s+{_NAME}(.*)", text, re.DOTALL):
        if match[1] not in created:
            yield from _altered(match[2], added)
        return
    for rule, pattern in _WHOLE.items():
        if (match := re.match(pattern, text, re.DOTALL)) and match["name"] not in created:
            yield rule
    unique = rf"create\s+unique\s+index\s+(?:concurrently\s+)?\w*\s*on\s+{_NAME}\s*(.*)"
    if (match := re.match(unique, text, re.DOTALL)) and match[1] not in created and not _only(match[2], added):
        yield "a new unique index"


def _altered(actions: str, added: set[str]) -> Iterator[str]:
    for action in _parted(actions):
        if re.match(r"rename\b", action):
            yield "a rename"
        elif re.match(r"drop\s+(column|constraint)\b", action) or re.match(
            r"drop\s+(?!column|constraint)\w+\s*(cascade)?$", action
        ):
            yield "a dropped column or constraint"
        elif re.match(r"alter\s+(column\s+)?\w+\s+(set\s+data\s+)?type\b", action):
            yield "another type"
        elif re.match(r"alter\s+(column\s+)?\w+\s+(set\s+not\s+null|drop\s+default)", action):
            yield "a value that may not be left out any more"
        elif re.match(r"add\s+(column\s+)?(?!constraint|check|unique|primary|foreign|exclude)", action):
            if re.search(r"\bnot\s+null\b", action) and not re.search(r"\b(default|generated)\b", action):
                yield "a value that may not be left out any more"
        elif re.match(r"add\b", action) and not _only(action, added):
            yield "a new demand on old rows"
        elif re.match(r"enable\s+row\s+level", action):
            yield "rows that are not seen any more"


def _parted(actions: str) -> Iterator[str]:
    """The actions of one `alter table`, parted by commas outside of parentheses."""
    depth, begin = 0, 0
    for at, character in enumerate(actions + ","):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            yield actions[begin:at].strip()
            begin = at + 1


def _only(text: str, added: set[str]) -> bool:
    """Whether a demand names nothing but columns that came with it."""
    names = set(re.findall(r"[a-z_]\w*", re.sub(r"'[^']*'", "", text))) - _WORDS
    return bool(names) and names <= added


_WHOLE = {
    "something dropped": r"drop\s+(?!index\b|trigger\b)(?:materialized\s+)?\w+\s+(?:if\s+exists\s+)?(?P<name>\w+)",
    "a rename": r"alter\s+(?!table)\w+\s+(?P<name>\w+).*\brename\b",
    "a right taken away": r"revoke\b.*\bon\s+(?:table\s+|function\s+|procedure\s+|all\s+\w+\s+in\s+schema\s+)?(?P<name>\w+)",
    "rows removed": r"(?:delete\s+from|truncate(?:\s+table)?)\s+(?P<name>\w+)",
}
_INSIDE = {
    "something dropped": r"\bdrop\s+(table|column|constraint|view|function|type)\b",
    "a rename": r"\brename\s+(to|column)\b",
    "a value that may not be left out any more": r"\bset\s+not\s+null\b",
    "rows removed": r"\b(delete\s+from|truncate)\b",
}
