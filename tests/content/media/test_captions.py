from __future__ import annotations

import time

import pytest

from content.errors import ContentError
from content.media import Probe, findings, to_webvtt
from content.media.captions import GUESSED, MAX_BYTES, read_captions

SRT = "1\r\n00:00:01,000 --> 00:00:02,500\r\n<i>Hello</i>\r\n\r\n2\r\n00:00:00,000 --> 00:00:00,500\r\nفجر\r\n"
VTT = "WEBVTT\n\n00:00:00.000 --> 00:00:00.500\nفجر\n\n00:00:01.000 --> 00:00:02.500\n<i>Hello</i>\n"


@pytest.mark.parametrize("data", [SRT.encode(), b"\xef\xbb\xbf" + SRT.encode(), SRT.encode("utf-16"), VTT.encode()])
def test_any_make_to_the_same_bytes(data: bytes):
    assert to_webvtt(data) == VTT.encode()


def test_normal_form_is_stable():
    assert to_webvtt(to_webvtt(SRT.encode())) == to_webvtt(SRT.encode())


def test_styles_settings_and_foreign_tags_go():
    data = b"WEBVTT\n\nSTYLE\n::cue { background: url(http://e.example/) }\n\n"
    data += b"00:01.000 --> 00:02.000 position:-100%\n<c.x><script>a</script> <b>bold</b></c>\n"
    assert to_webvtt(data) == b"WEBVTT\n\n00:00:01.000 --> 00:00:02.000\na <b>bold</b>\n"


@pytest.mark.parametrize(
    "data",
    [b"", b"hello", b"WEBVTT\n\n", b"\xff\x00\xfe", SRT.encode("latin-1", "replace")[:20], b"x" * (MAX_BYTES + 1)],
)
def test_unreadable(data: bytes):
    with pytest.raises(ContentError) as refused:
        to_webvtt(data)
    assert refused.value.code == "captions-unreadable"


GOOD = b"WEBVTT\n\n00:00:01.000 --> 00:00:02.500\nhello\n\n00:00:03.000 --> 00:00:04.000\nworld\n"
ODD = {
    "hours missing, comma": "WEBVTT\n\n00:01,000 --> 00:02,500\nhello\n\n00:03,0 --> 00:04\nworld",
    "dots in SRT": "1\n00:00:01.000 --> 00:00:02.500\nhello\n\n2\n00:00:03.000 --> 00:00:04.000\nworld",
    "no empty lines": "1\n00:00:01,000 --> 00:00:02,500\nhello\n2\n00:00:03,000 --> 00:00:04,000\nworld",
    "many empty lines": "\n\n\n1\n0:00:01,000 --> 0:00:02,500\nhello\n\n\n\n2\n00:00:03,000 --> 00:00:04,000\nworld\n\n\n",
    "no numbers": "00:00:01,000 --> 00:00:02,500\nhello\n\n00:00:03,000 --> 00:00:04,000\nworld",
    "line ends": "1\r00:00:01,000 --> 00:00:02,500\rhello\r\r2\r\n00:00:03,000 --> 00:00:04,000\r\nworld\r\n",
    "settings": "WEBVTT - a title\n\n00:01.000 --> 00:02.500 align:start line:0%\nhello\n\n00:03.000 --> 00:04.000\nworld",
    "HTML": "1\n00:00:01,000 --> 00:00:02,500\n<font color=red>hello</font>\n\n2\n00:00:03,000 --> 00:00:04,000\n<a href=x>world</a>",
    "cues turned round": "1\n00:00:03,000 --> 00:00:04,000\nworld\n\n2\n00:00:01,000 --> 00:00:02,500\nhello",
}


@pytest.mark.parametrize("odd", ODD)
def test_as_authors_tools_write_them(odd: str):
    assert to_webvtt(ODD[odd].encode()) == GOOD


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_unicode_in_every_form(encoding: str):
    data = SRT.encode(encoding)
    assert to_webvtt(data) == VTT.encode()
    assert read_captions(data).encoding != GUESSED


def test_older_western_texts_are_guessed_and_the_author_is_told():
    text = "1\n00:00:00,000 --> 00:00:01,000\nÇa va très bien, dit-il à l’élève.\n"
    found = read_captions(text.encode("cp1252"))
    assert "Ça va très bien, dit-il à l’élève." in found.webvtt.decode()
    (problem,) = findings("m", Probe("captions", "text/vtt", codec=found.encoding), ("/x",))
    assert (problem.code, problem.severity, problem.pointer) == ("captions-encoding", "warning", "/x")


@pytest.mark.parametrize(("words", "encoding"), [("مرحبا بكم في الدرس", "cp1256"), ("Добро пожаловать", "cp1251")])
def test_other_older_texts_are_refused_and_not_guessed(words: str, encoding: str):
    with pytest.raises(ContentError) as refused:
        to_webvtt(f"1\n00:00:00,000 --> 00:00:01,000\n{words}\n".encode(encoding))
    assert refused.value.code == "captions-unreadable"
    assert "UTF-8" in refused.value.message


def test_cues_at_the_same_time_stay_and_the_end_is_known():
    text = "1\n00:00:01,000 --> 01:00:09,500\none\n\n2\n00:00:02,000 --> 00:00:03,000\ntwo\n\n3\n00:00:02,000 --> 00:00:03,000\nthree\n"
    found = read_captions(text.encode())
    assert (found.cues, found.end_s) == (3, 3609.5)
    assert found.overlaps == (2.0, 2.0)


@pytest.mark.parametrize(
    ("times", "overlaps"),
    [
        ("1-2 2-3", ()),
        ("1-2.04 2-3", ()),
        ("1-2.1 2-3", (2.0,)),
        ("12.5-14 11-13 13.9-15 20-21", (12.5, 13.9)),
        ("0-60 5-6 30-31", (5.0, 30.0)),
        ("1-2 1-2", (1.0,)),
    ],
)
def test_cues_that_overlap_are_known_by_when_they_begin(times: str, overlaps: tuple[float, ...]):
    spans = [span.split("-") for span in times.split()]
    text = "".join(
        f"00:{float(start):06.3f} --> 00:{min(float(end), 59.9):06.3f}\ncue {number}\n\n"
        for number, (start, end) in enumerate(spans)
    )
    assert read_captions(f"WEBVTT\n\n{text}".encode()).overlaps == overlaps


def test_the_author_is_told_where_captions_overlap():
    probe = Probe("captions", "text/vtt", overlaps=3, overlap_s=72.4)
    (problem,) = findings("en-vtt", probe, ("/units/0/blocks/1/captions/0/asset",))
    assert (problem.code, problem.severity) == ("captions-overlap", "warning")
    assert problem.pointer == "/units/0/blocks/1/captions/0/asset"
    assert "two cues at once from 1:12" in problem.message
    assert "2 more" in problem.message


def test_many_cues_are_read_in_a_moment():
    cues = "".join(
        f"{n}\n{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02},000 --> {n // 3600:02}:{n // 60 % 60:02}:{n % 60:02},900\nline {n}\n\n"
        for n in range(5_000)
    )
    begun = time.monotonic()
    assert read_captions(cues.encode()).cues == 5_000
    assert time.monotonic() - begun < 60
