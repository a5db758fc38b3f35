"""Drafts: a course as its authors wrote it (course → units → blocks).

Start at `report` (`validate`, `parse`), then `course` and `blocks` for the shape, `checks` for the rules.
"""

from content.drafts.course import Draft, OriginalRef
from content.drafts.report import DraftReport, parse, validate

__all__ = ["Draft", "DraftReport", "OriginalRef", "parse", "validate"]
