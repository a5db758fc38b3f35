"""What all parts of a draft share: the frozen model, identifiers, and language maps.

A language map is a JSON object from BCP 47 tag to text. Models keep fields they do not know in `model_extra`, so that
`content.drafts.checks` can name them to the author; nothing of them reaches a package.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from content.drafts.languages import is_language_tag
from content.drafts.limits import MAX_LANGUAGES, MAX_LINE_CHARS, MAX_TEXT_CHARS


class Model(BaseModel):
    """Frozen and strict (a number is never taken for a text); unknown fields are kept aside."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="allow", allow_inf_nan=False, use_attribute_docstrings=True
    )


def _language_tag(tag: str) -> str:
    if not is_language_tag(tag):
        raise PydanticCustomError(
            "language-unknown", "“{tag}” is not a language tag such as “en” or “zh-Hant”.", {"tag": tag}
        )
    return tag


LanguageTag = Annotated[str, AfterValidator(_language_tag)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=MAX_LINE_CHARS, pattern=r"\S")]
LongText = Annotated[str, StringConstraints(max_length=MAX_TEXT_CHARS)]

LineMap = Annotated[dict[LanguageTag, Line], Field(min_length=1, max_length=MAX_LANGUAGES)]
TextMap = Annotated[dict[LanguageTag, LongText], Field(min_length=1, max_length=MAX_LANGUAGES)]

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
AssetId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$")]
Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9A-Fa-f]{6}$")]
