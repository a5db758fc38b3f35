"""Days and spans as people say them: in what a reader refuses, and in the state of a licence."""

from __future__ import annotations

from datetime import datetime, timedelta


def day(moment: datetime) -> str:
    """3 May 2026."""
    return f"{moment.day} {moment:%B %Y}"


def days(span: timedelta) -> str:
    """Whole days of a span."""
    count = max(0, span.days)
    return "less than a day" if count == 0 else "1 day" if count == 1 else f"{count} days"
