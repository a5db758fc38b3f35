"""AWS' evaluation of policies, as far as ours use it: does a role with these documents get to do that?

Within one account: a denial anywhere ends it; else an identity policy or the resource's policy must allow it. Only the
operators that our documents use are known, and an unknown one, or a condition key that the request does not name where it
must be named, is never taken for an allowance. It is an evaluator of our own: it shows what the documents mean by AWS'
published rules, not that AWS accepts them.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Request:
    """Who asks for what. `context` holds condition keys; a list where a key has several values."""

    principal: str
    action: str
    resource: str
    context: Mapping[str, Any] = field(default_factory=dict[str, Any])


def allowed(request: Request, identity: Iterable[Mapping[str, Any]], resource: Mapping[str, Any] | None = None) -> bool:
    """Whether the request passes: `identity` are the role's policies, `resource` the policy of what is asked for."""
    granted = False
    for document in identity:
        for statement in document["Statement"]:
            if _matches(statement, request):
                if statement["Effect"] == "Deny":
                    return False
                granted = True
    for statement in (resource or {"Statement": ()})["Statement"]:
        if _names(statement["Principal"], request.principal) and _matches(statement, request):
            if statement["Effect"] == "Deny":
                return False
            granted = True
    return granted


def _matches(statement: Mapping[str, Any], request: Request) -> bool:
    assert set(statement) <= {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}, "NotAction and the like"
    return (
        any(_like(pattern.lower(), request.action.lower()) for pattern in _list(statement["Action"]))
        and any(_like(pattern, request.resource) for pattern in _list(statement.get("Resource", "*")))
        and all(
            _holds(operator, key, _list(wanted), request)
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


def _names(principal: Any, who: str) -> bool:
    """`root` in a resource's policy hands the question to the account's identity policies; here it allows nobody by itself."""
    named = _list(principal["AWS"]) if "AWS" in principal else _list(principal["Service"])
    return "*" in named or who in named


def _holds(operator: str, key: str, wanted: list[str], request: Request) -> bool:
    context = {**request.context, "aws:PrincipalArn": request.principal}
    plain = operator.removesuffix("IfExists")
    if plain == "Null":
        return (key not in context) == (wanted == ["true"])
    if plain.startswith("ForAllValues:"):
        return all(_compare(plain.split(":")[1], value, wanted) for value in _list(context.get(key, [])))
    if key not in context:
        # A negated operator is true of what is not there, as AWS documents it.
        return operator.endswith("IfExists") or "Not" in plain
    return _compare(plain, context[key], wanted)


def _compare(operator: str, value: Any, wanted: list[str]) -> bool:
    match operator:
        case "StringEquals":
            return str(value) in wanted
        case "StringLike":
            return any(_like(pattern, str(value)) for pattern in wanted)
        case "ArnNotEquals":
            return not any(_like(pattern, str(value)) for pattern in wanted)
        case "Bool":
            return str(value).lower() in wanted
        case "NumericLessThan":
            return any(float(value) < float(each) for each in wanted)
        case _:
            raise AssertionError(f"the evaluator does not know {operator}")


def _like(pattern: str, text: str) -> bool:
    """`*` and `?`, and nothing else that fnmatch knows."""
    return re.fullmatch(fnmatch.translate(pattern.replace("[", "[[]")), text) is not None


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
