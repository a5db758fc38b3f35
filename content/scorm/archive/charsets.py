"""Names in a zip that are not UTF-8: which character set they are in.

A zip has no field for it: Windows writes the code page of whoever packed it (866 in Moscow, GBK in Beijing), so it is guessed.
The best witness is the manifest, which names the same files: the set under which most names occur in it wins. Without one the
set does under which the names look most like words of a language. A wrong guess loses nothing: bytes are kept, and `lookup`
compares by them.
"""

from __future__ import annotations

import codecs
import html
import re
import unicodedata
from collections.abc import Iterable, Sequence
from urllib.parse import unquote

_HANGUL = frozenset(
    "이다는을를에의하고기지가도로사자제강학습차시문과정수업평험동영상미페그림목록인대일보어해부장화리스아트나교육"
)
_SIMPLIFIED = frozenset(
    "的一是了我不人在有这个上们来到时大为子中国年和出也里后以会家可下过天能对小多学发成用第作开面页单元课程图片视频音教测试题目录习文本语介绍数安全"
)
_TRADITIONAL = frozenset(
    "的一是了我不人在有這個上們來到時大為子中國年和出也裡後以會家可下過天能對小多學發成用第作開面頁單元課程圖片視頻音教測試題目錄習文本語介紹數安全"
)
_RUSSIAN = re.compile("[А-Яа-яЁёІіЇїЄєҐґЎў№«»]")
_LATIN, _CYRILLIC, _OTHER, _WIDE = "latin", "cyrillic", "other", "wide"

CODECS: dict[str, str] = {
    "utf-8": _OTHER,
    "cp866": _CYRILLIC,
    "cp1251": _CYRILLIC,
    "gbk": _WIDE,
    "cp932": _WIDE,
    "cp950": _WIDE,
    "cp949": _WIDE,
    "cp850": _LATIN,
    "cp437": _LATIN,
    "cp1252": _LATIN,
    "cp852": _LATIN,
    "cp1250": _LATIN,
    "cp857": _LATIN,
    "cp1254": _LATIN,
    "mac_roman": _LATIN,
    "koi8-r": _CYRILLIC,
    "cp737": _OTHER,
    "cp1253": _OTHER,
    "cp862": _OTHER,
    "cp1255": _OTHER,
    "cp720": _OTHER,
    "cp1256": _OTHER,
    "cp874": _OTHER,
}
"""What is tried, and what kind of letters it is mostly used for; the more usual first."""
DEFAULT = "cp437"
"""APPNOTE D.1: what a name without a flag is in. Every byte is a character in it."""
_MOST_NAMES, _LONGEST, _MOST_LETTERS = 500, 1024, 4000
"""As many are looked at; further ones would not change the guess."""
_MOST_WITNESS = 4 << 20
_DECLARED = frozenset(
    ("gb2312", "gb18030", "shift_jis", "euc_jp", "euc_kr", "big5", "big5hkscs", "koi8-u", "cp1257", "cp1258")
)


def guess(names: Sequence[bytes], witness: bytes) -> str:
    """The codec of `names`, none of which is ASCII. `witness`: the manifest's bytes, or empty."""
    some = [name for name in names if len(name) <= _LONGEST][:_MOST_NAMES]
    if not some:
        return DEFAULT
    hrefs = _hrefs(witness)
    best, best_score = DEFAULT, (0, -1.0)
    for codec in CODECS:
        if codec == "utf-8":
            continue
        try:
            texts = [name.decode(codec) for name in some]
        except UnicodeDecodeError:
            continue
        seen = sum(1 for text in texts if last_segment(text) in hrefs) if hrefs else 0
        score = (seen, likeness(texts, codec))
        if score > best_score:
            best, best_score = codec, score
    return best


def last_segment(text: str) -> str:
    return unicodedata.normalize("NFC", text.replace("\\", "/").rstrip("/").rpartition("/")[2])


def likeness(texts: Iterable[str], codec: str) -> float:
    """0 to about 1.3: how much of what is not ASCII looks like letters that follow each other in a word."""
    total, good = 0, 0.0
    for text in texts:
        before = ""
        for at, letter in enumerate(text):
            if not letter.isascii() and total < _MOST_LETTERS:
                after = text[at + 1 : at + 2]
                weight = len(letter.encode(codec)) if CODECS[codec] == _WIDE else 1
                total += weight
                good += weight * (_wide if CODECS[codec] == _WIDE else _narrow)(letter, before, after, codec)
            before = letter
    return good / total if total else 0.0


def _narrow(letter: str, before: str, after: str, codec: str) -> float:
    kind = CODECS[codec]
    if kind == _CYRILLIC and not _RUSSIAN.match(letter):
        return 0.0
    if not letter.isalpha() and not unicodedata.category(letter).startswith("M"):
        return 0.1
    is_latin = unicodedata.name(letter, "").startswith("LATIN")
    if kind == _LATIN:
        if not is_latin:
            return 0.0
        beside = [each for each in (before, after) if each.isalpha()]
        score = 0.9 if any(each.isascii() for each in beside) else 0.5  # accents seldom stand alone
    else:
        if is_latin:
            return 0.2
        score = 0.2 if any(each.isascii() and each.isalpha() for each in (before, after)) else 1.0
    if letter.isupper() and before.isalpha():
        score *= 0.6 if before.isupper() else 0.3
    return score


def _wide(letter: str, before: str, after: str, codec: str) -> float:
    code = letter.encode(codec)
    if codec == "gbk":
        score = 0.0 if len(code) < 2 or code[1] < 0xA1 else 1.0 if 0xB0 <= code[0] <= 0xD7 else 0.4
        return score + 0.3 * (letter in _SIMPLIFIED)
    if codec == "cp932":
        if "\u3041" <= letter <= "\u30fe":
            return 1.3
        return 0.9 if len(code) == 2 and 0x88 <= code[0] <= 0x97 else 0.1 if len(code) == 1 else 0.3
    if codec == "cp950":
        return (1.0 if 0xA4 <= code[0] <= 0xC6 else 0.3) + 0.3 * (letter in _TRADITIONAL) - 0.05
    score = 1.0 if 0xB0 <= code[0] <= 0xC8 and len(code) == 2 and code[1] >= 0xA1 else 0.2
    return score + 0.3 * (letter in _HANGUL)


def _hrefs(witness: bytes) -> frozenset[str]:
    """The last segments of what a manifest refers to."""
    text = _text(witness)
    values = (
        html.unescape(match[1] or match[2] or "")
        for match in re.finditer(r"href\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", text)
    )
    both = (form for value in values for form in (value, unquote(value), unquote(value).partition("?")[0]))
    return frozenset(last_segment(each) for each in both if not each.isascii())


def _text(data: bytes) -> str:
    data = data[:_MOST_WITNESS]
    declared = re.match(rb"\s*<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})", data)
    told = _known(declared[1].decode()) if declared else "cp1251"
    first = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    for codec in (first, told):
        try:
            return data.decode(codec)
        except UnicodeDecodeError:
            continue
    return data.decode("utf-8", "replace")


def _known(name: str) -> str:
    """A declared character set if it is one of these: Python has codecs that take minutes for a megabyte."""
    try:
        found = codecs.lookup(name).name
    except LookupError:
        return DEFAULT
    usual = found in CODECS or found in _DECLARED or found.startswith("iso8859-")
    return found if usual else DEFAULT
