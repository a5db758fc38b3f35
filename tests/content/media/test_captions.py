from __future__ import annotations

import pytest

from content.errors import ContentError
from content.media import to_webvtt
from content.media.captions import MAX_BYTES

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
