"""The blocks of a course as plain HTML, for `page.py`: what they say in one language, and the files they show."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from html import escape
from typing import Any, Protocol
from urllib.parse import quote

from serve_app.device.quiz_text import question


class File(Protocol):
    """What is asked of a file of the course."""

    @property
    def name(self) -> str: ...
    @property
    def size_bytes(self) -> int: ...
    @property
    def path(self) -> Any: ...


Files = Mapping[str, Mapping[str, File]]


class Speaker:
    """Picks one language of a map, else the course's own, else any."""

    def __init__(self, tag: str, fallback: str) -> None:
        self.tag, self._fallback = tag, fallback

    def __call__(self, texts: Mapping[str, str] | None) -> str:
        texts = texts or {}
        return texts.get(self.tag) or texts.get(self._fallback) or next(iter(texts.values()), "")


def block(document: Mapping[str, Any], files: Files, speak: Speaker) -> str:
    """One block. A type that this page does not know is named, not dropped."""
    match document["type"]:
        case "text":
            return f"<div>{speak(document['html'])}</div>"  # sanitised when the package was built
        case "image":
            return _image(document, files, speak)
        case "video" | "audio":
            return _timed(document, files, speak)
        case "file":
            return _file(document, files, speak)
        case "embed":
            return _package(document, files, speak)
        case "quiz":
            questions = "\n".join(question(each, speak) for each in document["questions"])
            return f'<section class="quiz"><h3>{escape(speak(document.get("title")))}</h3>{questions}</section>'
        case other:
            return f"<p><small>{escape(str(other))}: {escape(speak(document.get('purpose')))}</small></p>"


def _image(document: Mapping[str, Any], files: Files, speak: Speaker) -> str:
    file = files.get(document["asset"], {}).get("image")
    caption = escape(speak(document.get("caption")))
    if file is None:
        return _absent(document["asset"])
    image = f'<img src="{_url(file)}" alt="{escape(speak(document["alt"]))}">'
    return f"<figure>{image}{f'<figcaption>{caption}</figcaption>' if caption else ''}</figure>"


def _timed(document: Mapping[str, Any], files: Files, speak: Speaker) -> str:
    kind = document["type"]
    roles = files.get(document["asset"], {})
    stills = [roles[name] for name in sorted(roles) if name.startswith("still-")]
    if kind not in roles and not stills:
        return _absent(document["asset"])
    poster = files.get(document.get("poster") or "", {}).get("image") or roles.get("poster")
    attributes = f' poster="{_url(poster)}"' if kind == "video" and poster else ""
    tracks, texts = _captions(document, files, speak)
    transcript = speak(document.get("transcript"))
    if transcript:
        texts += f"<details open><summary>…</summary>{transcript}</details>"  # sanitised as texts are
    if kind in roles:
        media = f'<{kind} controls preload="metadata" src="{_url(roles[kind])}"{attributes}>{tracks}</{kind}>'
    else:  # a lite edition: what is said, and stills of it
        media = "".join(f'<img src="{_url(still)}" alt="">' for still in stills)
        if "audio" in roles:
            media += f'<audio controls preload="metadata" src="{_url(roles["audio"])}">{tracks}</audio>'
    return f"<figure>{media}<figcaption>{escape(speak(document.get('title')))}</figcaption>{texts}</figure>"


def _captions(document: Mapping[str, Any], files: Files, speak: Speaker) -> tuple[str, str]:
    """(tracks, the same texts to read). A page on disk may not load a track from a file, so it is in the page."""
    tracks, texts = "", ""
    for each in document.get("captions", ()):
        file = files.get(each["asset"], {}).get("captions")
        if file is None:
            continue
        data, language = file.path.read_bytes(), escape(each["language"])
        default = " default" if each["language"] == speak.tag else ""
        source = f"data:text/vtt;base64,{base64.b64encode(data).decode()}"
        tracks += (
            f'<track kind="{escape(each["kind"])}" srclang="{language}" label="{language}" src="{source}"{default}>'
        )
        words = escape(data.decode("utf-8", "replace"))
        texts += f'<details><summary>{language} · <a href="{_url(file)}">{escape(file.name)}</a></summary><pre lang="{language}" dir="auto">{words}</pre></details>'
    return tracks, texts


def _file(document: Mapping[str, Any], files: Files, speak: Speaker) -> str:
    file = files.get(document["asset"], {}).get("file")
    if file is None:
        return _absent(document["asset"])
    title = escape(speak(document["title"]))
    return f'<p><a href="{_url(file)}" download>{title}</a> <small>{file.size_bytes:,} bytes</small></p>'


def _package(document: Mapping[str, Any], files: Files, speak: Speaker) -> str:
    """Where the files of an embedded package are; what opens them is a player."""
    file = files.get(document["asset"], {}).get("package")
    title = escape(speak(document.get("title")) or document["course"]["scorm"]["title"])
    if file is None:
        return f"<p>{title}</p>{_absent(document['asset'])}"
    return f"<p>{title} <small>{file.size_bytes:,} bytes in {escape(file.name)}</small></p>"


def _absent(asset: str) -> str:
    return f'<p class="absent"><small>{escape(asset)}: not in this bundle.</small></p>'


def _url(file: File) -> str:
    return f"assets/{quote(file.name)}"
