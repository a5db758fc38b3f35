"""The event log as bytes: changes, segments, the chain of segments. docs/event-log.md is the specification."""

from content.eventlog.chain import Position, beyond, follow, whole
from content.eventlog.changes import Change, latest
from content.eventlog.segment import Base, LogRefused, Segment, make_segment, parse_segment

__all__ = [
    "Base",
    "Change",
    "LogRefused",
    "Position",
    "Segment",
    "beyond",
    "follow",
    "latest",
    "make_segment",
    "parse_segment",
    "whole",
]
