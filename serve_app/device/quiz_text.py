"""A quiz to read, with its answers: this page is for looking at a course, not for taking it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

Speak = Callable[[Mapping[str, str] | None], str]


def question(document: Mapping[str, Any], speak: Speak) -> str:
    """Prompt, answers (the right ones marked) and feedback of one question."""
    feedback = document.get("feedback") or {}
    notes = "".join(
        f"<li>{mark} {escape(speak(feedback[name]))}</li>"
        for name, mark in (("correct", "✓"), ("incorrect", "✗"))
        if feedback.get(name)
    )
    prompt = speak(document["prompt"])  # sanitised when the package was built
    return f"<div>{prompt}{_answers(document, speak)}{f'<small><ul>{notes}</ul></small>' if notes else ''}</div>"


def _answers(document: Mapping[str, Any], speak: Speak) -> str:
    match document["kind"]:
        case "single" | "multiple":
            items = [(speak(each["text"]), bool(each.get("correct"))) for each in document["choices"]]
            return _list("ul", items)
        case "true_false":
            return _list("ul", [("true" if document["answer"] else "false", True)])
        case "numeric":
            tolerance = f" ± {document['tolerance']}" if document.get("tolerance") else ""
            return _list("ul", [(f"{document['answer']}{tolerance} {speak(document.get('unit'))}".strip(), True)])
        case "short_text":
            accepted = document["answers"]
            texts = {tag: " / ".join(answers) for tag, answers in accepted.items()}
            return _list("ul", [(speak(texts), True)])
        case "matching":
            items = [(f"{speak(each['left'])} — {speak(each['right'])}", False) for each in document["pairs"]]
            return _list("ul", items)
        case "ordering":
            return _list("ol", [(speak(each["text"]), False) for each in document["items"]])
        case other:
            return f"<p><small>{escape(str(other))}</small></p>"


def _list(kind: str, items: list[tuple[str, bool]]) -> str:
    marks = {True: ' class="correct"', False: ""}
    entries = "".join(f"<li{marks[right]}>{escape(text)}</li>" for text, right in items)
    return f"<{kind}>{entries}</{kind}>"
