"""Which authoring tool made a package, and its version where that is written.

Told by files that a tool always leaves, and by what it writes about itself into the few pages that are read here. It decides
nothing: it tells an author which of many packages this is, and whom to ask when something is missing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from content.scorm.report import Tool
from content.scorm.shown import shown

READ_BYTES = 64 << 10
Read = Callable[[str], str]
"""The beginning of a file as text; empty where there is no such file."""

_VERSION = r"[^0-9<>\"']{0,20}?v?(\d{1,6}(?:\.\d{1,8}){0,4})"
_META = ("meta.xml", r"<application\b[^<>]{0,300}?\bversion=[\"'](\d[\d.]{0,30})")


@dataclass(frozen=True)
class Mark:
    """How a tool is recognised: by one of each group of `files` (parts of paths in lower case, which begin with `/` and where
    a name has its end with a line's), or else by one of `words` in the pages (lower case, too). `versions`: where its version
    stands, as (path, expression), a path of "" for all that was read."""

    name: str
    files: tuple[tuple[str, ...], ...] = ()
    words: tuple[str, ...] = ()
    versions: tuple[tuple[str, str], ...] = ()


def _named(name: str) -> tuple[tuple[str, str], ...]:
    return (("", name + r"\b" + _VERSION),)


# The more particular first: a tool is often made of another one. All files are looked at before any words.
MARKS = (
    Mark("Articulate Rise", (("/scormcontent/lib/rise/", "/scormcontent/lib/main.bundle.js\n", "/scormcontent/locales/und.js\n", "/lib/rise/"),)),
    Mark(
        "Articulate Storyline",
        (("/story_content/",), ("/story.html\n", "/story_html5.html\n", "/index_lms.html\n", "/index_lms_html5.html\n", "/index.html\n")),
        ("created using storyline", "created using articulate storyline", 'name="articulate storyline'),
        (("", r"<!-- version: (\d[\d.]{2,30}) ?-->"), _META),
    ),
    Mark("Articulate Presenter", (("/presentation_content/",),), ("created using articulate presenter", "created using presenter"), (_META,)),
    Mark("Articulate Presenter", (("/player.html\n",), ("/player/viewer.swf\n", "/data/swf/"))),
    Mark("Articulate Quizmaker", (("/quiz_content/",),), ("created using articulate quizmaker", "created using quizmaker"), (_META,)),
    Mark("Articulate Engage", (("/engage_content/", "/interaction_content/"),), ("created using articulate engage", "created using engage"), (_META,)),
    Mark(
        "Adobe Captivate",
        (("/assets/js/cpm.js\n", "/assets/js/cpxhrloader.js\n"),),
        ("adobe captivate", '"generator":"captivate"', '"generator": "captivate"'),
        (
            ("assets/js/CPM.js", r"CaptivateVersion['\"],\s?['\"](\d[\d.]{0,20})"),
            ("project.txt", r"\"(?:captivateVersion|generatorVersion)\"\s{0,4}:\s{0,4}\"(\d[\d.]{0,20})"),
            *_named("Adobe Captivate"),
        ),
    ),
    Mark(
        "iSpring",
        (("/data/player.js\n",), ("/metainfo.xml\n", "/data/slide1.js\n", "/res/index.html\n")),
        ("ispring suite", "ispring pro", "ispring free", "ispring presenter", "ispring quizmaker", "ispringsolutions.com", "ispringpresentation"),
        _named(r"iSpring (?:Suite|Pro|Free|Presenter|QuizMaker)"),
    ),
    Mark("Lectora", (("/trivantis",),), ("lectora", "trivantis"), _named("Lectora")),
    Mark("eXeLearning", (("/exe_jquery.js\n", "/contentv3.xml\n", "/exe_export.js\n"),), ('content="exelearning', "www.exelearning.org"), _named("eXeLearning")),
    Mark("Evolve", (), ("evolve authoring", "evolveauthoring.com", "appitierre")),
    Mark("Adapt", (("/adapt/js/", "/adapt/css/"),), ("adaptlearning.org",)),
    Mark("Adapt", (("/course/config.json\n",), ("/course/en/course.json\n", "/course.json\n", "/language_data_manifest.js\n"))),
    Mark("Lumi", (), ('content="lumi', "lumi.education")),
    Mark("H5P", (("/h5p.json\n", "/h5p.js\n", "/h5p-core", "/h5p.classes.js\n"),)),
    Mark("Camtasia", (("/techsmith-smart-player",),), ("camtasia",), _named("Camtasia(?: Studio)?")),
    Mark("Elucidat", (), ("elucidat.com", "elucidat_", "elucidat-", "elucidat.")),
    Mark("Easygenerator", (("/publishsettings.js",), ("/content/data.js",)), ("easygenerator",)),
    Mark("dominKnow", (("/dkplayer", "/dki_", "/dkcommon"),), ("dominknow",), _named("dominKnow")),
    Mark("Gomo", (), ("gomolearning", "gomo learning", "gomo_")),
    Mark("Xerte", (("/xenith.js\n", "/common_html5/", "/rloobject.htm\n"),), ("xerte",), (("version.txt", r"(\d{1,3}\.\d{1,3}(?:\.\d{1,3})?)"),)),
    Mark("CourseLab", (), ("courselab.com", "courselab.ru", "websoft courselab", "courselab "), _named("CourseLab")),
    Mark("SoftChalk", (("/softchalk",),), ("softchalk",), _named("SoftChalk")),
    Mark("ActivePresenter", (("/activepresenter", "/aprt.js\n"),), ("activepresenter",), _named("ActivePresenter")),
    Mark("isEazy", (), ("iseazy",)),
    Mark("Genially", (), ("genial.ly", "genially.com")),
    Mark("Hot Potatoes", (), ("hot potatoes",), _named("Hot Potatoes")),
    Mark("LiaScript", (), ("liascript",)),
    Mark("ILIAS", (), ("ilias.de",)),
    Mark("Chamilo", (), ("chamilo",)),
    Mark("Reload Editor", (), ("this is a reload version",), _named("This is a Reload version")),
    Mark("SCORM Cloud dispatch", (("/scormdispatch", "/dispatch.html\n", "/dispatch.js\n"),), ("dispatchhost", "scormengineinterface/dispatch")),
    Mark("Rustici Software sample", (("/scormenginepackageproperties.xsd\n",),), ("provided by rustici software", "golfsamples")),
    Mark("ADL test suite", (), ("lmstestpackage_", "lms test content package")),
    Mark("ADL sample", (), ("adl technical team", "adl scorm sample", "photoshop example -- competency")),
)  # fmt: skip

_PAGES = ("index.html", "story.html", "story_html5.html", "meta.xml", "project.txt", "tincan.xml", "res/index.html")
_GENERATOR = re.compile(
    r"<meta\b(?=[^<>]{0,300}\bname\s?=\s?[\"']?generator\b)[^<>]{0,300}?\bcontent\s?=\s?[\"']([^\"'<>]{1,200})", re.I
)
_TRAILING_VERSION = re.compile(r"^(.{2,100}?)[ ,/-]+(?:v|version )?(\d{1,6}(?:\.[\da-z]{1,10}){0,4})(?:[ -].{0,100})?$", re.I)  # fmt: skip


def recognise(paths: Iterable[str], read: Read, pages: Sequence[str]) -> Tool | None:
    """What made a package of these files. `pages`: its manifest and launch pages, which `read` may be asked for."""
    folder = next((each.rpartition("/")[0] for each in pages[1:]), "")
    places = dict.fromkeys((*pages, *_PAGES, *(f"{folder}/{name}" for name in _PAGES if folder)))
    texts = {path: text for path in places if (text := read(path))}
    known = "".join(f"/{path.lower()}\n" for path in paths)
    said = "\n".join(texts.values()).lower()
    by_files = (
        mark for mark in MARKS if mark.files and all(any(part in known for part in group) for group in mark.files)
    )
    by_words = (mark for mark in MARKS if any(word in said for word in mark.words))
    for mark in (*by_files, *by_words):
        return Tool(mark.name, _version(mark, texts, read, folder))
    return _generator(texts.values())


def _version(mark: Mark, texts: Mapping[str, str], read: Read, folder: str) -> str:
    for path, expression in mark.versions:
        beside = (path, f"{folder}/{path}") if folder else (path,)
        for text in texts.values() if not path else map(read, beside):
            if found := re.search(expression, text, re.I):
                return found[1]
    return ""


def _generator(texts: Iterable[str]) -> Tool | None:
    """What a page names as its generator."""
    for text in texts:
        if found := _GENERATOR.search(text):
            named = shown(found[1], 100)
            parts = _TRAILING_VERSION.match(named)
            return Tool(parts[1], parts[2]) if parts else Tool(named)
    return None
