"""Bytes to event and back.

Reading never trusts: size, JSON, type, version, then the whole shape. What is refused goes to the dead letters with
the error's code and message. Before: a message of NATS, or a change of ours. After: intake, or the outbox.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar, cast

from pydantic import ValidationError

from content.canonical import canonical, rfc3339
from content.errors import ContentError, InvalidInput, Problem
from content.events.types import EVENT_TYPES, SEQUENCE_DIGITS, Envelope

MAX_BYTES = 1 << 20  # JetStream's own default for a message
SOURCE = "/content-service"
_VERSIONED = re.compile(r"^(.+)\.v(\d+)$")

E = TypeVar("E", bound=Envelope)


def parse(data: bytes) -> Envelope:
    """The event, as an instance of its type's model.

    Raises ContentError `event-too-large`, `event-not-json`, `event-unknown-type`, `event-unknown-version` (the type is
    known, its major version is not), or InvalidInput `event-invalid` with the pointers of what is wrong.
    """
    if len(data) > MAX_BYTES:
        raise ContentError("event-too-large", f"The event has {len(data)} bytes; {MAX_BYTES} are allowed.")
    try:
        loaded = json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise ContentError("event-not-json", f"The event is not JSON: {error}.") from error
    if not isinstance(loaded, dict):
        raise _invalid((Problem("", "wrong-type", "A CloudEvent is a JSON object."),))
    model = _model(cast("dict[str, Any]", loaded).get("type"))
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        raise _invalid(_problems(error)) from error


def make(
    model: type[E],
    *,
    event_id: str,
    sequence: int,
    time: datetime,
    data: Mapping[str, Any],
    region: str = "",
    traceparent: str | None = None,
) -> E:
    """An event of ours. `data` is JSON (times as RFC 3339 text) and holds `tenant_id` and the order key, which becomes
    the subject. Raises InvalidInput `event-invalid`."""
    document: dict[str, Any] = {
        "specversion": "1.0",
        "id": event_id,
        "source": f"{SOURCE}/{region}" if region else SOURCE,
        "type": model.TYPE,
        "subject": data.get(model.ORDER_KEY),
        "time": rfc3339(time),
        "datacontenttype": "application/json",
        "sequence": f"{sequence:0{SEQUENCE_DIGITS}d}",
        "data": dict(data),
    }
    if traceparent:
        document["traceparent"] = traceparent
    try:
        return model.model_validate_json(canonical(document))
    except ValidationError as error:
        raise _invalid(_problems(error)) from error


def to_bytes(event: Envelope) -> bytes:
    """What is published: canonical JSON."""
    return canonical(event.document())


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of two members with one name two readers may take different ones, so neither is taken."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _model(name: Any) -> type[Envelope]:
    if not isinstance(name, str):
        raise _invalid((Problem("/type", "missing", "A CloudEvent has a type."),))
    if name in EVENT_TYPES:
        return EVENT_TYPES[name]
    versioned = _VERSIONED.match(name)
    if versioned and any(known.rpartition(".v")[0] == versioned[1] for known in EVENT_TYPES):
        remedy = "Upgrade this service, or have the older version sent."
        raise ContentError("event-unknown-version", f"Version {versioned[2]} of {versioned[1]} is not known.", remedy)
    raise ContentError("event-unknown-type", f"Events of the type {name[:200]!r} are not known.")


def _invalid(problems: tuple[Problem, ...]) -> InvalidInput:
    first = f"{problems[0].pointer or 'the event'}: {problems[0].message}"
    return InvalidInput("event-invalid", f"The event is not as its type says: {first}", "", False, problems)


def _problems(error: ValidationError) -> tuple[Problem, ...]:
    return tuple(
        Problem("".join(f"/{step}" for step in detail["loc"]), detail["type"].replace("_", "-"), detail["msg"])
        for detail in error.errors(include_url=False, include_input=False)
    )
