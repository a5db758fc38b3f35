"""SVG pictures: what stays, what goes, and what is refused before it costs anything."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from lxml import etree

from cluster.settings import Settings
from content.errors import ContentError
from content.media import Probe, Rendition, SvgRecipe, choose, findings, plan
from content.media.svg import clean_declarations, clean_stylesheet
from tasks.render import probe, render

SETTINGS = Settings(svg_max_elements=500)
HEAD = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 40 30">'


def cleaned(body: str | bytes, folder: Path) -> tuple[Probe, bytes]:
    path = folder / "picture.png"  # a wrong name does not matter
    path.write_bytes(body.encode() if isinstance(body, str) else body)
    found = probe(path, "image", SETTINGS)
    (recipe,) = plan("image", found)
    assert isinstance(recipe, SvgRecipe)
    made = render(path, recipe, folder, lambda _: None, SETTINGS)
    assert (made.media_type, made.role, made.width) == ("image/svg+xml", "image", found.width)
    return found, made.path.read_bytes()


def refused(body: str | bytes, folder: Path) -> ContentError:
    with pytest.raises(ContentError) as error:
        cleaned(body, folder)
    assert "picture.png" in error.value.message
    assert error.value.remedy
    return error.value


def test_a_drawing_stays_as_it_is(tmp_path: Path):
    drawing = HEAD + '<defs><linearGradient id="g"><stop offset="0" stop-color="red"/></linearGradient></defs>'
    drawing += '<g transform="scale(2)"><path d="M0 0h5v5z" fill="url(#g)"/><text x="1">a<tspan>b</tspan>c</text></g>'
    found, made = cleaned(drawing + '<use xlink:href="#g"/></svg>', tmp_path)
    assert (found.width, found.height, found.media_type, found.removed) == (40, 30, "image/svg+xml", "")
    tree = etree.fromstring(made)
    assert [etree.QName(each).localname for each in tree.iter()] == (
        ["svg", "defs", "linearGradient", "stop", "g", "path", "text", "tspan", "use"]
    )
    assert b'fill="url(#g)"' in made and b'href="#g"' in made and b">a<tspan>b</tspan>c</text>" in made


def test_the_same_bytes_again_and_of_the_result(tmp_path: Path):
    drawing = HEAD + "<style>/* x */ .a , #b>path{fill:red; behavior:url(x)}</style><path class='a' d='M0 0'/></svg>"
    _, first = cleaned(drawing, tmp_path)
    assert cleaned(drawing, tmp_path)[1] == first
    assert cleaned(first, tmp_path)[1] == first
    assert b".a , #b&gt;path{fill:red}" in first


ACTIVE = [
    "<script>alert(1)</script>",
    '<rect width="5" onload="alert(1)" height="5"/>',
    "<foreignObject><body xmlns='http://www.w3.org/1999/xhtml'><iframe src='x'/></body></foreignObject>",
    '<image href="https://evil.example/x.png"/>',
    '<image xlink:href="data:image/svg+xml;base64,PHN2Zz48L3N2Zz4="/>',
    '<use href="https://evil.example/x.svg#a"/>',
    '<use xlink:href="data:image/svg+xml,evil"/>',
    '<a href="javascript:evil()"><path d="M0 0"/></a>',
    '<a xlink:href="https://evil.example/"><path d="M0 0"/></a>',
    '<rect style="fill:url(https://evil.example/x)" width="1"/>',
    '<rect fill="url( https://evil.example/x#a )" width="1"/>',
    '<rect style="background-image:url(//evil.example)" width="1"/>',
    "<rect style=\"fill:u\\72l('https://evil.example')\" width='1'/>",
    "<style>@import 'https://evil.example/x.css';</style>",
    "<style>rect{fill:url('https://evil.example/')}</style>",
    "<style>@font-face{font-family:a;src:url(https://evil.example/)}</style>",
    '<set attributeName="href" to="javascript:evil()"/>',
    '<animate attributeName="href" values="javascript:evil()"/>',
    "<filter id='f'><feImage href='https://evil.example/'/></filter>",
    "<evil:thing xmlns:evil='https://evil.example/ns'/>",
    "<?xml-stylesheet href='https://evil.example/x.css'?>",
    "<!-- evil -->",
    "<metadata>evil alert</metadata>",
    "<handler type='application/ecmascript'>evil()</handler>",
    '<rect width="1" xml:base="https://evil.example/"/>',
]


@pytest.mark.parametrize("active", ACTIVE)
def test_nothing_that_runs_moves_loads_or_links(active: str, tmp_path: Path):
    found, made = cleaned(HEAD + active + '<path d="M0 0"/></svg>', tmp_path)
    for word in (b"evil", b"alert", b"script", b"onload", b"foreign", b"iframe", b"data:", b"//e", b"@"):
        assert word not in made.replace(b"http://www.w3.org/", b"")
    assert b'<path d="M0 0"/>' in made
    if any(f"<{name}" in active for name in ("script", "foreignObject", "image", "a ", "set")):
        assert found.removed
        (finding,) = [each for each in findings("m", found, ("/x",)) if each.code == "svg-reduced"]
        assert (finding.severity, finding.pointer) == ("warning", "/x")


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ('width="10mm" height="20mm"', (38, 76)),
        ('viewBox="0 0 300 100" width="150"', (150, 50)),
        ('viewBox="-5,-5 10 20" width="100%"', (10, 20)),
        ("", (300, 150)),
        ('width="1e9" height="NaN"', (300, 150)),
    ],
)
def test_size(size: str, expected: tuple[int, int], tmp_path: Path):
    found, made = cleaned(f'<svg xmlns="http://www.w3.org/2000/svg" {size}><path d="M0 0"/></svg>', tmp_path)
    assert (found.width, found.height) == expected
    assert b"viewBox" in made


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "shift_jis"])
def test_encodings(encoding: str, tmp_path: Path):
    word = "視" if encoding in ("shift_jis", "utf-16", "utf-8") else "a"
    name = "utf-8" if encoding == "utf-8-sig" else encoding
    text = f"<?xml version='1.0' encoding='{name}'?>{HEAD}<title>{word}</title></svg>"
    assert word.encode() in cleaned(text.encode(encoding), tmp_path)[1]


def test_a_doctype_is_dropped_and_entities_are_refused(tmp_path: Path):
    doctype = '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">'
    assert b"DTD" not in cleaned(doctype + HEAD + "</svg>", tmp_path)[1]
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "ha" * 50}">' for n in range(12))
    bomb = f"<?xml version='1.0'?><!DOCTYPE svg [{laughs}]>{HEAD}<text>&l11;</text></svg>"
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    outside = f'<!DOCTYPE svg [<!ENTITY x SYSTEM "file://{secret}">]>{HEAD}<text>&x;</text></svg>'
    for each in (bomb, outside, bomb.encode("utf-16"), outside.encode("utf-16-le")):
        assert refused(each, tmp_path).code in ("media-unsupported", "media-unreadable")
    assert refused(bomb, tmp_path).code == "media-unsupported"
    sly = f"<?xml version='1.0' encoding='utf-7'?>{HEAD}</svg>"
    assert refused(sly, tmp_path).code == "media-unreadable"


def test_bombs_are_refused_quickly(tmp_path: Path):
    uses = "".join(f'<g id="g{n}">{f"<use href={chr(34)}#g{n - 1}{chr(34)}/>" * 10}</g>' for n in range(1, 12))
    repeating = f'{HEAD}<g id="g0"><path d="M0 0"/></g>{uses}</svg>'
    endless = f'{HEAD}<g id="a"><use href="#b"/></g><g id="b"><use href="#a"/></g></svg>'
    paints = f'{HEAD}<pattern id="p"><rect fill="url(#p)"/></pattern></svg>'
    links = "".join(f"<g id='c{n}'><use href='#c{n + 1}'/></g>" for n in range(240))
    chain = f"{HEAD}{links}</svg>"
    many = HEAD + "<g/>" * 600 + "</svg>"
    deep = HEAD + "<g>" * 150 + "</g>" * 150 + "</svg>"
    huge = HEAD + f'<path d="{"M0 0" * 600_000}"/></svg>'
    begun = time.monotonic()
    for each in (repeating, endless, paints, chain, many, deep, huge):
        assert refused(each, tmp_path).code == "media-too-large"
    assert time.monotonic() - begun < 60, "each is refused in moments; most of it is the start of sandboxes"


@pytest.mark.parametrize(
    "body", [HEAD, HEAD + "<g></svg>", "<svg", "<?xml version='1.0'?><html/>", HEAD + "&nbsp;</svg>"]
)
def test_what_is_no_svg(body: str, tmp_path: Path):
    assert refused(body, tmp_path).code in ("media-unreadable", "media-unsupported")


def test_every_profile_gets_the_drawing():
    drawing = Rendition("image", "image-svg", "image/svg+xml", "sha256:x", 9, width=4000, height=3000)
    assert [choose([drawing], profile) for profile in ("phone", "tablet", "desktop")] == [(drawing,)] * 3


def test_style_rules():
    assert clean_declarations("FILL : red ; position:fixed;stroke:url(#a);mask:url(x#a)") == "fill:red;stroke:url(#a)"
    assert clean_declarations("position:fixed") is None
    assert clean_stylesheet(".a{fill:red}.b{x:y}<!-- .c{stroke:blue} -->") == ".a{fill:red}\n.c{stroke:blue}"
    assert clean_stylesheet("a{fill:red} garbage") is None
    assert clean_stylesheet("a[href^='x']{fill:red}") is None
