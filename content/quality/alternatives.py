"""Alternatives to what is seen and heard: texts for pictures, captions and transcripts for films and sounds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from content.drafts import Draft
from content.drafts.blocks import AudioBlock, ImageBlock, VideoBlock
from content.drafts.parts import escape
from content.errors import Problem
from content.media import Probe

MAX_ALT_CHARS = 250
_FILE_NAME = re.compile(
    r"\s*(\S+\.(jpe?g|png|gif|webp|avif|svg|tiff?|bmp|heic)|(img|dsc|dscn|dscf|pxl|screenshot)[-_ ]?\d[\w\- ]*)\s*",
    re.IGNORECASE,
)
Blocks = list[tuple[str, Any]]


def blocks(draft: Draft) -> Blocks:
    """Every block with its JSON pointer."""
    return [
        (f"/units/{at}/blocks/{index}", block)
        for at, unit in enumerate(draft.units)
        for index, block in enumerate(unit.blocks)
    ]


def silent(block: VideoBlock, probes: Mapping[str, Probe]) -> bool:
    """Whether the film is known to have no sound, so that there is nothing to be captioned."""
    return block.asset in probes and not probes[block.asset].has_audio


def alternatives(draft: Draft, probes: Mapping[str, Probe]) -> Iterator[Problem]:
    """What pictures, films and sounds lack, beyond what `content.drafts.checks` finds without knowing the files."""
    for pointer, block in blocks(draft):
        if isinstance(block, ImageBlock) and not block.decorative:
            yield from _alt(f"{pointer}/alt", block)
        if isinstance(block, (VideoBlock, AudioBlock)):
            yield from _heard(pointer, block, draft.language, probes)
    if draft.theme and draft.theme.logo and not draft.theme.logo_alt:
        yield Problem("/theme/logo_alt", "logo-alt-missing", "The logo has no alternative text.")


def alternative_totals(draft: Draft, probes: Mapping[str, Probe]) -> dict[str, Any]:
    """How many there are of each, and how many have what they need."""
    every = [block for _, block in blocks(draft)]
    images = [each for each in every if isinstance(each, ImageBlock)]
    films = [each for each in every if isinstance(each, VideoBlock)]
    sounds = [each for each in every if isinstance(each, AudioBlock)]
    heard = [each for each in films if not silent(each, probes)]
    return {
        "pictures": {
            "all": len(images),
            "decorative": sum(each.decorative for each in images),
            "with_text": sum(not each.decorative and bool(each.alt) for each in images),
        },
        "films": {
            "all": len(films),
            "silent": len(films) - len(heard),
            "with_captions": sum(bool(each.captions) for each in heard),
            "with_transcript": sum(bool(each.transcript) for each in films),
        },
        "sounds": {
            "all": len(sounds),
            "with_transcript": sum(bool(each.transcript or each.captions) for each in sounds),
        },
    }


def _alt(pointer: str, block: ImageBlock) -> Iterator[Problem]:
    for tag, text in (block.alt or {}).items():
        here = f"{pointer}/{escape(tag)}"
        if _FILE_NAME.fullmatch(text):
            yield Problem(here, "alt-file-name", f"The alternative text “{text.strip()}” is the name of a file.")
        if len(text) > MAX_ALT_CHARS:
            message = f"The alternative text has {len(text)} characters; it is read out at a stretch."
            yield Problem(here, "alt-long", message)


def _heard(
    pointer: str, block: VideoBlock | AudioBlock, language: str, probes: Mapping[str, Probe]
) -> Iterator[Problem]:
    if isinstance(block, VideoBlock) and not block.transcript:
        if silent(block, probes):
            message = "The film has no sound, and nothing says in words what it shows."
            yield Problem(pointer, "film-silent", message)
        else:
            message = "The film has no transcript, which who can neither see nor hear it would read."
            yield Problem(pointer, "film-transcript-missing", message)
    if block.captions and not any(_speaks(track.language, language) for track in block.captions):
        there = ", ".join(f"“{track.language}”" for track in block.captions)
        message = f"There are captions in {there}, but none in the course's language, “{language}”."
        yield Problem(f"{pointer}/captions", "captions-language", message)


def _speaks(tag: str, language: str) -> bool:
    return tag.lower().split("-")[0] == language.lower().split("-")[0]
