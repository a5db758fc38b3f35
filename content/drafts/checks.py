"""What no single part of a draft can know: unique ids, references, languages, and what a learner would miss.

Works on whatever `content.drafts.parts` found well formed. Each check is a generator of problems; errors stop a build,
warnings stay in its report.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from content.drafts.base import Model
from content.drafts.blocks import AssistantBlock, AudioBlock, ImageBlock, TextBlock, VideoBlock
from content.drafts.course import AssetKind, CompletionBlocks, CompletionScore, CourseHead, asset_uses
from content.drafts.language_maps import head_maps, maps_in
from content.drafts.markup import Format, mark_up
from content.drafts.parts import Parts, escape
from content.drafts.quiz import MultipleQuestion, QuizBlock, SingleQuestion
from content.drafts.sequence_checks import check_sequencing
from content.errors import Problem

MIN_CONTRAST = 4.5  # WCAG 2.2, 1.4.3: text of normal size
MAX_NAMED_FORMULAS = 20  # of one text; the others are counted


def check(parts: Parts) -> Iterator[Problem]:
    """Every problem that shows only when the parts are seen together."""
    yield from _ids(parts)
    yield from _assets(parts)
    for pointer, block in parts.blocks:
        yield from _block(pointer, block)
    if parts.head is not None:
        yield from _completion(parts, parts.head)
        yield from _contrast(parts.head)
        yield from _languages(parts, parts.head)
        yield from check_sequencing(parts, parts.head)
    yield from _grounding(parts)
    for pointer, model in _located(parts):
        yield from _unknown(pointer, model)


def _ids(parts: Parts) -> Iterator[Problem]:
    for what, found in (("unit", parts.units), ("block", parts.blocks)):
        seen: dict[str, str] = {}
        for pointer, model in cast("list[tuple[str, Any]]", found):
            first = seen.setdefault(model.id, pointer)
            if first != pointer:
                message = f"Two {what}s have the id “{model.id}”; the other is {first}."
                yield Problem(f"{pointer}/id", f"duplicate-{what}-id", message)


def _assets(parts: Parts) -> Iterator[Problem]:
    uses: list[tuple[str, AssetKind, str]] = []
    if parts.head and parts.head.theme and parts.head.theme.logo:
        uses.append((parts.head.theme.logo, "image", "/theme/logo"))
    for pointer, block in parts.blocks:
        uses += asset_uses(block, pointer)
    entries = parts.head.assets if parts.head else None
    kinds: dict[str, str] = {asset: entry.kind for asset, entry in (entries or {}).items()}
    for asset, kind, pointer in uses:
        if entries is not None and asset not in entries:
            yield Problem(pointer, "asset-unknown", f"“{asset}” is not among the assets of this course.")
        elif kinds.setdefault(asset, kind) != kind:
            message = f"“{asset}” is used as {kind} here, but it is {kinds[asset]} elsewhere in this course."
            yield Problem(pointer, "asset-kind", message)
    for asset in sorted(set(entries or {}) - {asset for asset, _, _ in uses}):
        message = f"“{asset}” is listed but no block uses it."
        yield Problem(f"/assets/{escape(asset)}", "asset-unused", message, "warning")


def _block(pointer: str, block: Model) -> Iterator[Problem]:
    if isinstance(block, ImageBlock) and not block.decorative and not block.alt:
        message = "Say in “alt” what the picture shows, or mark it as decorative."
        yield Problem(pointer, "alt-missing", message)
    if isinstance(block, VideoBlock) and not block.captions:
        message = "The film has no captions; who cannot hear it will miss what is said."
        yield Problem(pointer, "captions-missing", message, "warning")
    if isinstance(block, AudioBlock) and not block.captions and not block.transcript:
        message = "The sound has neither transcript nor captions; who cannot hear it will miss it."
        yield Problem(pointer, "transcript-missing", message, "warning")
    if isinstance(block, TextBlock):
        yield from _marked_up(f"{pointer}/text", block.text, block.format)
    if isinstance(block, (VideoBlock, AudioBlock)) and block.transcript:
        yield from _marked_up(f"{pointer}/transcript", block.transcript)
    if isinstance(block, QuizBlock):
        yield from _quiz(pointer, block)


def _marked_up(pointer: str, texts: Mapping[str, str], form: Format = "markdown") -> Iterator[Problem]:
    """What of the texts of one language map cannot be shown as it is written."""
    for tag, text in texts.items():
        marked, here = mark_up(text, form), f"{pointer}/{escape(tag)}"
        if marked.removed:
            message = f"These elements are not allowed in a text and are left out: {', '.join(marked.removed)}."
            yield Problem(here, "markup-removed", message, "warning")
        for message in marked.unreadable[:MAX_NAMED_FORMULAS]:
            yield Problem(here, "formula-unreadable", message, "warning")
        if (rest := len(marked.unreadable) - MAX_NAMED_FORMULAS) > 0:
            message = f"{rest} more formulas of this text are shown as they are written."
            yield Problem(here, "formula-unreadable", message, "warning")


def _quiz(pointer: str, quiz: QuizBlock) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, question in enumerate(quiz.questions):
        here = f"{pointer}/questions/{index}"
        if question.id in seen:
            yield Problem(f"{here}/id", "duplicate-question-id", f"Two questions have the id “{question.id}”.")
        seen.add(question.id)
        yield from _marked_up(f"{here}/prompt", question.prompt)
        for name in ("choices", "pairs", "items"):
            ids = [part.id for part in getattr(question, name, ())]
            for part in sorted({part for part in ids if ids.count(part) > 1}):
                yield Problem(f"{here}/{name}", "duplicate-choice-id", f"The id “{part}” stands here more than once.")
        if isinstance(question, (SingleQuestion, MultipleQuestion)):
            right = sum(choice.correct for choice in question.choices)
            if right == 0 or (right > 1 and isinstance(question, SingleQuestion)):
                wanted = "exactly one" if isinstance(question, SingleQuestion) else "at least one"
                message = f"Mark {wanted} of the choices as correct; now {right} are."
                yield Problem(f"{here}/choices", "correct-choices", message)


def _completion(parts: Parts, head: CourseHead) -> Iterator[Problem]:
    blocks = {cast("Any", block).id for _, block in parts.blocks}
    if isinstance(head.completion, CompletionBlocks):
        for index, block in enumerate(head.completion.blocks):
            if block not in blocks:
                message = f"Completion asks for the block “{block}”, which is not in the course."
                yield Problem(f"/completion/blocks/{index}", "block-unknown", message)
    if isinstance(head.completion, CompletionScore) and not any(isinstance(b, QuizBlock) for _, b in parts.blocks):
        yield Problem("/completion", "completion-without-quiz", "Completion asks for a score, but there is no quiz.")


def _grounding(parts: Parts) -> Iterator[Problem]:
    blocks = {cast("Any", block).id for _, block in parts.blocks}
    for pointer, block in parts.blocks:
        if isinstance(block, AssistantBlock):
            for index, name in enumerate(block.grounding):
                if name not in blocks:
                    message = f"The assistant is to answer from the block “{name}”, which is not in the course."
                    yield Problem(f"{pointer}/grounding/{index}", "block-unknown", message)


def _contrast(head: CourseHead) -> Iterator[Problem]:
    if head.theme and head.theme.colours:
        colours = head.theme.colours
        ratio = contrast(colours.text, colours.background)
        if ratio < MIN_CONTRAST:
            message = f"Text and background differ too little to read easily ({int(ratio * 100) / 100}, wanted {MIN_CONTRAST})."
            yield Problem("/theme/colours", "contrast-low", message, "warning")


def contrast(first: str, second: str) -> float:
    """WCAG contrast ratio of two `#rrggbb` colours, 1–21."""
    light, dark = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _languages(parts: Parts, head: CourseHead) -> Iterator[Problem]:
    for pointer, texts in _texts(parts):
        if head.language not in texts:
            message = f"This text is missing in the course's language, “{head.language}”."
            yield Problem(pointer, "language-missing", message)
        absent = [tag for tag in head.translations if tag not in texts and tag != head.language]
        if absent:
            message = f"This text is not translated into {', '.join(f'“{tag}”' for tag in absent)}."
            yield Problem(pointer, "translation-missing", message, "warning")


def _texts(parts: Parts) -> Iterator[tuple[str, dict[str, Any]]]:
    for pointer, model in _located(parts):
        yield from head_maps(model) if isinstance(model, CourseHead) else maps_in(pointer, model)


def _located(parts: Parts) -> Iterator[tuple[str, Model]]:
    if parts.head is not None:
        yield "", parts.head
    yield from parts.units
    yield from parts.blocks


def _unknown(pointer: str, value: Any) -> Iterator[Problem]:
    if isinstance(value, Model):
        for name in value.model_extra or {}:
            message = f"“{name}” is not known here and is ignored."
            yield Problem(f"{pointer}/{escape(name)}", "unknown-field", message, "warning")
        for name in type(value).model_fields:
            yield from _unknown(f"{pointer}/{name}", getattr(value, name))
    elif isinstance(value, tuple):
        for index, item in enumerate(cast("tuple[Any, ...]", value)):
            yield from _unknown(f"{pointer}/{index}", item)
    elif isinstance(value, dict):
        for name, item in cast("dict[str, Any]", value).items():
            yield from _unknown(f"{pointer}/{escape(name)}", item)
