"""Odd and hostile documents of packages, made in code: what each holds and what must come of it.

`CASES`: name → files, whether it is accepted, its edition, its first launch, and codes that must be among what is told (warnings
of the accepted ones, errors of the refused ones). Whatever reads packages can be run on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PAGE = b"<!DOCTYPE html><title>Page</title><p>Hello</p>"
NS12 = 'xmlns="http://www.imsproject.org/xsd/imscp_rootv1p1p2" xmlns:adlcp="http://www.adlnet.org/xsd/adlcp_rootv1p2"'
NS2004 = (
    'xmlns="http://www.imsglobal.org/xsd/imscp_v1p1" xmlns:adlcp="http://www.adlnet.org/xsd/adlcp_v1p3"'
    ' xmlns:adlseq="http://www.adlnet.org/xsd/adlseq_v1p3" xmlns:adlnav="http://www.adlnet.org/xsd/adlnav_v1p3"'
    ' xmlns:imsss="http://www.imsglobal.org/xsd/imsss"'
)
HEAD12 = "<metadata><schema>ADL SCORM</schema><schemaversion>1.2</schemaversion></metadata>"
ITEM = '<item identifier="item_1" identifierref="res_1"><title>One</title></item>'
RESOURCE = (
    '<resource identifier="res_1" type="webcontent" adlcp:scormtype="sco" href="index.html"><file href="index.html"/>'
    "</resource>"
)


@dataclass(frozen=True)
class Case:
    files: Mapping[str, bytes]
    accepted: bool
    edition: str | None
    launch: str | None
    codes: frozenset[str]


def manifest(
    *,
    head: str = HEAD12,
    namespaces: str = NS12,
    default: str = ' default="org_1"',
    organization: str = ' identifier="org_1"',
    title: str = "<title>A course</title>",
    items: str = ITEM,
    resources: str = RESOURCE,
    attributes: str = "",
    organizations: str | None = None,
    more: str = "",
    before: str = '<?xml version="1.0" encoding="UTF-8"?>\n',
    resources_attributes: str = "",
) -> str:
    """A manifest of SCORM 1.2 that is right where nothing else is said."""
    if organizations is None:
        inside = f"<organization{organization}>{title}{items}</organization>"
        organizations = f"<organizations{default}>{inside}</organizations>"
    return (
        f'{before}<manifest identifier="course_1" version="1.0" {namespaces}{attributes}>{head}'
        f"{organizations}<resources{resources_attributes}>{resources}</resources>{more}</manifest>"
    )


def resource(href: str, *, type_: str = "sco", files: str = "", base: str = "", name: str = "res_1") -> str:
    base = f' xml:base="{base}"' if base else ""
    return f'<resource identifier="{name}" type="webcontent" adlcp:scormtype="{type_}" href="{href}"{base}>{files}</resource>'


def head(version: str) -> str:
    return f"<metadata><schema>ADL SCORM</schema><schemaversion>{version}</schemaversion></metadata>"


def good(
    text: str | bytes,
    *codes: str,
    edition: str = "1.2",
    launch: str = "index.html",
    name: str = "imsmanifest.xml",
    files: tuple[str, ...] = ("index.html",),
    more: Mapping[str, bytes] | None = None,
) -> Case:
    data = text.encode() if isinstance(text, str) else text
    content = {name: data, **dict.fromkeys(files, PAGE), **(more or {})}
    return Case(content, True, edition, launch, frozenset(codes))


def bad(text: str | bytes, *codes: str, name: str = "imsmanifest.xml", more: Mapping[str, bytes] | None = None) -> Case:
    data = text.encode() if isinstance(text, str) else text
    return Case({name: data, "index.html": PAGE, **(more or {})}, False, None, None, frozenset(codes))


def without(*names: str, codes: tuple[str, ...]) -> Case:
    """No manifest, but these files."""
    return Case(dict.fromkeys(names, PAGE), False, None, None, frozenset(codes))


def _bomb(levels: int) -> str:
    entities = '<!ENTITY a0 "ha">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, levels))
    return manifest(title=f"<title>&a{levels - 1};</title>", before=f"<!DOCTYPE manifest [{entities}]>")


def _doctype(inside: str, title: str = "A course") -> str:
    return manifest(title=f"<title>{title}</title>", before=f'<?xml version="1.0"?><!DOCTYPE manifest [{inside}]>')


_AU = "system_id,type,command_line,file_name,max_score,mastery_score,web_launch,core_vendor\n"
_CMI5 = '<courseStructure xmlns="https://w3id.org/xapi/profiles/cmi5/v1/CourseStructure.xsd">'
_CMI5_TEXTS = (
    '<title><langstring lang="en">A title</langstring></title><description><langstring>Words</langstring></description>'
)
_TINCAN = '<tincan xmlns="http://projecttincan.com/tincan.xsd"><activities>'
_CHINESE, _JAPANESE, _TAIWANESE, _RUSSIAN = "课程一", "日本語の講座", "課程介紹", "Курс"


def _titled(title: str, declared: str | None, codec: str) -> bytes:
    before = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    return manifest(title=f"<title>{title}</title>", before=before).encode(codec)


def _upper(text: str) -> str:
    for name in ("manifest", "organizations", "organization", "item", "title", "resources", "resource", "file"):
        for start in ("<", "</"):
            for end in (" ", ">", "/"):
                text = text.replace(f"{start}{name}{end}", f"{start}{name.upper()}{end}")
    return text


def _to(name: str) -> str:
    return f'<item identifier="to_{name}" identifierref="{name}"><title>To {name}</title></item>'


def _sub(
    name: str, base: str = "", resources: str = RESOURCE, *, items: str = ITEM, more: str = "", rest: str = ""
) -> str:
    """A manifest for the inside of another."""
    return (
        f'<manifest identifier="{name}" xml:base="{base}"><metadata><schema>Of {name}</schema></metadata>'
        f'<organizations default="o_{name}"><organization identifier="o_{name}"><title>Of {name}</title>{items}'
        f"</organization></organizations><resources>{resources}</resources>{more}{rest}</manifest>"
    )


def _collection(name: str, mode: str) -> str:
    return (
        f'<imsss:sequencingCollection><imsss:sequencing ID="{name}"><imsss:controlMode {mode}="true"/>'
        "</imsss:sequencing></imsss:sequencingCollection>"
    )


def _deep_subs(levels: int, items: int) -> str:
    """Each level's last item, which is nested itself, refers to the manifest one level deeper."""
    made = ""
    for level in range(levels, 0, -1):
        inside = (_to(f"s{level + 1}") if level < levels else "") + ITEM
        for n in range(items):
            inside = f'<item identifier="i_{level}_{n}"><title>{n}</title>{inside}</item>'
        made = _sub(f"s{level}", items=inside, resources="" if level > 1 else RESOURCE, more=made)
    return manifest(items=_to("s1"), resources="", more=made)


_LETTERS: dict[str, Case] = {
    "bom-utf8": good(b"\xef\xbb\xbf" + manifest().encode()),
    "bom-utf16-le": good("\ufeff".encode("utf-16-le") + manifest().replace("UTF-8", "UTF-16").encode("utf-16-le")),
    "bom-utf16-be": good("\ufeff".encode("utf-16-be") + manifest().encode("utf-16-be")),
    "utf16-without-bom": good(manifest().encode("utf-16-le")),
    "utf16-declared-but-ascii": good(manifest().replace("UTF-8", "UTF-16")),
    "gb2312": good(_titled(_CHINESE, "GB2312", "gb2312")),
    "shift-jis": good(_titled(_JAPANESE, "Shift_JIS", "shift_jis")),
    "big5": good(_titled(_TAIWANESE, "Big5", "big5")),
    "windows-1251": good(_titled(_RUSSIAN, "windows-1251", "cp1251")),
    "koi8-r": good(_titled(_RUSSIAN, "KOI8-R", "koi8-r")),
    "latin1": good(_titled("Qualité", "ISO-8859-1", "latin-1")),
    "latin1-declared-but-utf8": good(_titled("Qualité", "ISO-8859-1", "utf-8"), "xml-encoding"),
    "cp1252-declared-as-utf8": good(_titled("Qualité – “première”", "UTF-8", "cp1252"), "xml-encoding"),
    "cp1252-without-declaration": good(_titled("Qualité", None, "cp1252"), "xml-encoding"),
    "encoding-unknown": good(_titled("A", "x-klingon", "utf-8"), "xml-encoding"),
    "encoding-that-is-no-charset": good(_titled("A", "unicode_escape", "utf-8"), "xml-encoding"),
    "no-declaration": good(manifest(before="")),
    "xml-1.1": good(manifest(before='<?xml version="1.1" encoding="UTF-8"?>')),
    "space-before-declaration": good(manifest(before='\n\n  <?xml version="1.0"?>'), "xml-declaration"),
    "comments-everywhere": good(
        manifest(items=f"<!-- & < -->{ITEM}<!-- <item/> -->", before="<?xml version='1.0'?><!-- a --><?x y?>")
    ),
    "stylesheet-instruction": good(
        manifest(before='<?xml version="1.0"?><?xml-stylesheet href="http://127.0.0.1:9/x.xsl" type="text/xsl"?>')
    ),
    "ampersand": good(manifest(title="<title>You & me</title>"), "xml-ampersand"),
    "ampersand-in-href": good(
        manifest(resources=resource("index.html?a=1&b=2")), "xml-ampersand", launch="index.html?a=1&b=2"
    ),
    "html-entity": good(manifest(title="<title>Caf&eacute;&nbsp;1</title>"), "xml-entity-name"),
    "control-characters": good(manifest(title="<title>A\x0bB\x00</title>"), "xml-characters"),
    "control-character-as-number": good(manifest(title="<title>A&#11;B&#xD800;C</title>"), "xml-characters"),
    "cdata-title": good(manifest(title="<title><![CDATA[<b>A & B</b>]]></title>")),
    "doctype-bare": good(manifest(before="<!DOCTYPE manifest>"), "xml-doctype"),
    "crlf": good(manifest().replace(">", ">\r\n")),
}

_NAMES: dict[str, Case] = {
    "prefix-undeclared": good(manifest(namespaces=NS12.partition(" xmlns:adlcp")[0]), "xml-prefix"),
    "no-namespaces": good(manifest(namespaces="", resources=RESOURCE.replace("adlcp:", "")), "namespace-missing"),
    "manifest-prefixed": good(
        manifest(namespaces=NS12.replace("xmlns=", "xmlns:p="))
        .replace("<manifest", "<p:manifest")
        .replace("</manifest", "</p:manifest"),
    ),
    "elements-in-upper-case": good(_upper(manifest())),
    "scormtype-in-camel-case": good(manifest(resources=RESOURCE.replace("scormtype", "scormType"))),
    "scormtype-upper-value": good(manifest(resources=RESOURCE.replace('"sco"', '" SCO "'))),
    "scormtype-missing": good(
        manifest(resources='<resource identifier="res_1" type="webcontent" href="index.html"/>'), "scormtype-missing"
    ),
    "scormtype-unknown": good(manifest(resources=RESOURCE.replace('"sco"', '"lesson"')), "scormtype-unknown"),
    "manifest-name-in-upper-case": good(manifest(), name="IMSMANIFEST.XML"),
    "lom-in-wrong-case": good(
        manifest(
            head=HEAD12.replace(
                "</metadata>",
                "<LOM><General><Title><LangString>Other</LangString></Title></General></LOM></metadata>",
            )
        )
    ),
}

_EDITIONS: dict[str, Case] = {
    f"edition-{number}": good(
        manifest(head=head(version), namespaces=NS2004, resources=RESOURCE.replace("scormtype", "scormType")),
        edition=edition,
    )
    for number, (version, edition) in enumerate(
        (
            ("CAM 1.3", "2004-2nd"),
            ("2004 2nd Edition", "2004-2nd"),
            ("2004 3rd Edition", "2004-3rd"),
            ("2004 4th Edition", "2004-4th"),
            ("  2004  4TH  edition ", "2004-4th"),
            ("SCORM 2004 3rd Ed.", "2004-3rd"),
            ("2004 Fourth Edition", "2004-4th"),
            ("2004 3rd", "2004-3rd"),
            ("2004 Edition 4", "2004-4th"),
            ("2004", "2004-2nd"),
        )
    )
} | {
    "edition-1.2-sloppy": good(manifest(head=head("SCORM_1.2"))),
    "2004-with-namespaces-of-1.2": good(manifest(head=head("2004 3rd Edition")), "schema-mismatch", edition="2004-3rd"),
    "1.2-with-namespaces-of-2004": good(manifest(namespaces=NS2004), "schema-mismatch"),
    "schemaversion-empty": good(manifest(head=head("")), "schemaversion-missing"),
    "schemaversion-missing-2004": good(
        manifest(head="", namespaces=NS2004), "schemaversion-missing", edition="2004-2nd"
    ),
    "schemaversion-unknown": good(manifest(head=head("7.5")), "schemaversion-unknown"),
    "nothing-said-but-sequencing": good(
        manifest(
            head="",
            namespaces="",
            items=ITEM.replace("</item>", "<sequencing><controlMode flow='true'/></sequencing></item>"),
            resources=RESOURCE.replace("adlcp:", ""),
        ),
        "schemaversion-missing",
        edition="2004-2nd",
    ),
    "nothing-said-but-mastery": good(
        manifest(
            head="",
            namespaces="",
            items=ITEM.replace("</item>", "<masteryscore>80</masteryscore></item>"),
            resources=RESOURCE.replace("adlcp:", ""),
        ),
        "schemaversion-missing",
    ),
    "schemaversion-missing-4th-features": good(
        manifest(
            head="",
            namespaces=NS2004,
            items=ITEM.replace("</item>", '<adlcp:completionThreshold minProgressMeasure="1"/></item>'),
        ),
        "schemaversion-missing",
        edition="2004-4th",
    ),
}

_BASED = ("a/b/c/index.html",)
_HREFS: dict[str, Case] = {
    "base-at-three-places": good(
        manifest(
            attributes=' xml:base="a/"',
            resources_attributes=' xml:base="b/"',
            resources=resource("index.html", base="c/"),
        ),
        launch="a/b/c/index.html",
        files=_BASED,
    ),
    "base-without-slash": good(
        manifest(resources=resource("index.html", base="a/b/c")), launch="a/b/c/index.html", files=_BASED
    ),
    "base-absolute": good(
        manifest(attributes=' xml:base="x/"', resources=resource("index.html", base="/a/b/c/")),
        "href-absolute",
        launch="a/b/c/index.html",
        files=_BASED,
    ),
    "base-goes-up": good(
        manifest(attributes=' xml:base="x/y/"', resources=resource("../../index.html")), launch="index.html"
    ),
    "base-remote": bad(manifest(attributes=' xml:base="http://127.0.0.1:9/"'), "launch-remote"),
    "query-and-fragment": good(manifest(resources=resource("index.html?a=1#top")), launch="index.html?a=1#top"),
    "parameters": good(
        manifest(items=ITEM.replace('"res_1"', '"res_1" parameters="?&amp;x=1"'), resources=resource("index.html?a=1")),
        launch="index.html?a=1&x=1",
    ),
    "parameters-fragment": good(
        manifest(items=ITEM.replace('"res_1"', '"res_1" parameters="#part2"')), launch="index.html#part2"
    ),
    "parameters-fragment-discarded": good(
        manifest(items=ITEM.replace('"res_1"', '"res_1" parameters="#b"'), resources=resource("index.html#a")),
        launch="index.html#a",
    ),
    "percent-encoded": good(
        manifest(resources=resource("my%20course/d%C3%A9but.html")),
        launch="my course/début.html",
        files=("my course/début.html",),
    ),
    "percent-in-the-name-itself": good(
        manifest(resources=resource("a%20b.html")), launch="a%20b.html", files=("a%20b.html",)
    ),
    "hash-in-the-name": good(
        manifest(resources=resource("c%23/index.html")), launch="c%23/index.html", files=("c#/index.html",)
    ),
    "hash-in-the-name-unescaped": good(
        manifest(resources=resource("c#/index.html")), launch="c%23/index.html", files=("c#/index.html",)
    ),
    "backslashes": good(
        manifest(resources=resource("a\\b\\c\\index.html")),
        "href-backslash",
        launch="a/b/c/index.html",
        files=_BASED,
    ),
    "other-case": good(manifest(resources=resource("INDEX.HTML")), "href-case"),
    "decomposed": good(
        manifest(resources=resource("de\u0301but.html")), launch="d\xe9but.html", files=("d\xe9but.html",)
    ),
    "dots-and-doubled-slashes": good(
        manifest(resources=resource("./a//b/./../b/c/index.html")), launch="a/b/c/index.html", files=_BASED
    ),
    "leading-slash": good(manifest(resources=resource("/index.html")), "href-absolute"),
    "drive-letter": good(
        manifest(resources=resource("C:\\courses\\index.html")),
        "href-absolute",
        "launch-file-missing",
        launch="courses/index.html",
    ),
    "traversal": bad(manifest(resources=resource("../../etc/passwd")), "launch-outside"),
    "traversal-encoded": bad(manifest(resources=resource("%2e%2e/..%2fetc/passwd")), "launch-outside"),
    "traversal-backslashes": bad(manifest(resources=resource("..\\..\\etc\\passwd")), "launch-outside"),
    "launch-missing-first": good(
        manifest(
            items='<item identifier="item_0" identifierref="res_0"><title>Zero</title></item>' + ITEM,
            resources='<resource identifier="res_0" type="webcontent" adlcp:scormtype="sco" href="gone.html"/>'
            + RESOURCE,
        ),
        "launch-file-missing",
    ),
    "traversal-in-files": good(
        manifest(resources=resource("index.html", files='<file href="/etc/passwd"/><file href="../../x"/>')),
        "href-outside",
        "href-absolute",
        "file-missing",
    ),
    "launch-file-scheme": bad(manifest(resources=resource("file:///etc/passwd")), "launch-scheme"),
    "launch-javascript": bad(manifest(resources=resource("javascript:alert(1)")), "launch-scheme"),
    "launch-javascript-dotted": bad(manifest(resources=resource("./javascript:alert(1)")), "launch-scheme"),
    "launch-javascript-absolute": bad(manifest(resources=resource("/javascript:alert(1)")), "launch-scheme"),
    "launch-javascript-above": bad(manifest(resources=resource("a/../javascript:alert(1)")), "launch-scheme"),
    "launch-javascript-hidden": bad(manifest(resources=resource(" &#1;jAva&#9;Script:alert(1)")), "launch-scheme"),
    "launch-javascript-second": bad(
        manifest(
            items=ITEM + ITEM.replace("_1", "_2"),
            resources=RESOURCE + resource("javascript:alert(1)", name="res_2"),
        ),
        "launch-scheme",
    ),
    "launch-data": bad(manifest(resources=resource("data:text/html,&lt;script>alert(1)&lt;/script>")), "launch-scheme"),
    "launch-scheme-by-base": bad(manifest(resources=resource("alert(1)", base="javascript:x/")), "launch-scheme"),
    "scheme-nobody-launches": good(
        manifest(resources=RESOURCE + resource("javascript:alert(1)", name="res_2")), "href-scheme"
    ),
    "launch-remote": bad(manifest(resources=resource("https://127.0.0.1:9/index.html")), "launch-remote"),
    "launch-remote-by-slashes": bad(manifest(resources=resource("//127.0.0.1:9/index.html")), "launch-remote"),
    "launch-remote-first": good(
        manifest(
            items=ITEM.replace("_1", "_0") + ITEM, resources=resource("http://127.0.0.1:9/", name="res_0") + RESOURCE
        ),
        "launch-remote",
    ),
    "launch-file-missing": good(
        manifest(resources=resource("gone.html")), "launch-file-missing", "files-unlisted", launch="gone.html"
    ),
    "manifest-alone": good(manifest(), "launch-file-missing", files=()),
    "file-missing": good(manifest(resources=resource("index.html", files='<file href="x.js"/>')), "file-missing"),
    "file-is-folder": good(
        manifest(resources=resource("index.html", files='<file href="pictures/"/>')),
        "file-is-folder",
        files=("index.html", "pictures/a.png", "pictures/b/c.png"),
    ),
    "files-unlisted": good(manifest(), "files-unlisted", files=("index.html", "a.js", "b.js")),
    "nested-beside-others": good(
        manifest(),
        "manifest-nested",
        name="course/imsmanifest.xml",
        launch="course/index.html",
        files=("course/index.html", "notes/read me.txt"),
    ),
}

_STRUCTURE: dict[str, Case] = {
    "default-dangling": good(manifest(default=' default="gone"'), "default-dangling"),
    "default-missing": good(manifest(default="")),
    "default-empty": good(
        manifest(
            organizations='<organizations default="a"><organization identifier="a"><title>A</title>'
            '<item identifier="x"><title>X</title></item></organization>'
            f'<organization identifier="org_1"><title>B</title>{ITEM}</organization></organizations>'
        ),
        "default-empty",
    ),
    "organization-without-identifier": good(manifest(organization=""), "identifier-missing", "default-dangling"),
    "organization-without-title": good(manifest(title=""), "title-missing"),
    "item-without-title": good(manifest(items='<item identifier="i" identifierref="res_1"/>'), "title-missing"),
    "item-without-identifier": good(
        manifest(items='<item identifierref="res_1"><title>One</title></item>'), "identifier-missing"
    ),
    "identifierref-dangling": good(manifest(items=ITEM.replace("_1", "_9") + ITEM), "identifierref-dangling"),
    "identifierref-in-other-case": good(manifest(items=ITEM.replace("res_1", "RES_1")), "identifierref-case"),
    "identifiers-with-spaces": good(
        manifest(items=ITEM.replace('"res_1"', '"  res_1 "'), default=' default=" org_1 "')
    ),
    "identifiers-invalid": good(
        manifest(items=ITEM.replace("item_1", "1 lesson/é"), resources=RESOURCE), "identifier-invalid"
    ),
    "identifiers-duplicate": good(manifest(items=ITEM + ITEM), "identifier-duplicate"),
    "item-and-resource-of-one-name": good(manifest(items=ITEM.replace('"item_1"', '"res_1"')), "identifier-duplicate"),
    "resources-of-one-name": good(manifest(resources=RESOURCE + resource("other.html")), "identifier-duplicate"),
    "dependency-dangling": good(
        manifest(resources=resource("index.html", files='<dependency identifierref="gone"/>')), "dependency-dangling"
    ),
    "dependencies-in-a-circle": good(
        manifest(
            resources=resource("index.html", files='<dependency identifierref="b"/>')
            + resource("", name="b", files='<dependency identifierref="res_1"/>')
        )
    ),
    "sub-manifest": good(manifest(more=manifest(before="")), "sub-manifest"),
    "sub-manifest-below-an-item": good(manifest(items=_to("sub"), resources="", more=_sub("sub")), "sub-manifest"),
    "sub-manifest-with-a-resource": good(
        manifest(items=_to("res_1"), resources="", more=_sub("sub", items="")), "sub-manifest"
    ),
    "sub-manifest-with-organizations": good(
        manifest(organizations="<organizations/>", resources="", more=_sub("sub")), "sub-manifest"
    ),
    "sub-manifests-with-organizations": good(
        manifest(organizations="", resources="", more=_sub("s1", items=_to("gone")) + _sub("s2")),
        "sub-manifest",
        "identifier-duplicate",
    ),
    "sub-manifests-of-one-spelling": good(
        manifest(items=_to("s1") + _to("s2"), resources="", more=_sub("s1") + _sub("s2", "b/", resource("two.html"))),
        "sub-manifest",
        "identifier-duplicate",
        files=("index.html", "b/two.html"),
    ),
    "sub-manifest-twice": good(
        manifest(items=_to("sub") + _to("sub"), resources="", more=_sub("sub")), "sub-manifest", "identifier-duplicate"
    ),
    "sub-manifest-in-sub-manifest": good(
        manifest(items=_to("s1"), more=_sub("s1", "a/", items=_to("s2"), resources="", more=_sub("s2", "b/"))),
        "sub-manifest",
        launch="a/b/index.html",
        files=("a/b/index.html", "index.html"),
    ),
    "sub-manifest-that-nothing-opens": good(
        manifest(items=_to("gone"), resources="", more=_sub("sub")), "sub-manifest", "identifierref-dangling"
    ),
    "sub-manifests-in-a-circle": good(
        manifest(items=_to("s1"), resources="", more=_sub("s1", items=ITEM + _to("s1") + _to("course_1"))),
        "sub-manifest",
        "identifierref-dangling",
    ),
    "sub-manifest-with-metadata-and-sequencing": good(
        manifest(
            head=head("2004 3rd Edition"),
            namespaces=NS2004,
            items=_to("sub"),
            resources="",
            more=_collection("x", "flow") + _sub("sub", rest=_collection("x", "choice") + _collection("y", "flow")),
        ).replace("scormtype", "scormType"),
        "sub-manifest",
        edition="2004-3rd",
    ),
    "sub-manifests-too-deep": good(_deep_subs(12, 14), "sub-manifest"),
    "sub-manifests-with-nothing": bad(
        manifest(items=_to("sub"), resources="", more=_sub("sub", items="", resources="")), "no-launch"
    ),
    "several-manifest-files": good(manifest(), "manifest-more", more={"other/imsmanifest.xml": manifest().encode()}),
    "schema-missing": good(
        manifest(
            attributes=' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="'
            'http://www.imsproject.org/xsd/imscp_rootv1p1p2 imscp_rootv1p1p2.xsd"'
        ),
        "schema-missing",
    ),
    "schema-on-the-network": good(
        manifest(
            attributes=' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="'
            'http://www.imsproject.org/xsd/imscp_rootv1p1p2 http://127.0.0.1:9/cp.xsd"'
        )
    ),
    "title-with-script": good(manifest(title="<title>&lt;script>alert(1)&lt;/script></title>")),
    "title-with-markup": good(manifest(title="<title>A <b>bold</b> one</title>")),
    "title-turned-around": good(manifest(title="<title>A\u202egpj.exe</title>")),
    "metadata-file-is-broken": good(
        manifest(head=HEAD12.replace("</metadata>", "<adlcp:location>lom.xml</adlcp:location></metadata>")),
        "metadata-unreadable",
        more={"lom.xml": b"<lom><general>"},
    ),
    "metadata-file-with-entities": good(
        manifest(head=HEAD12.replace("</metadata>", "<adlcp:location>lom.xml</adlcp:location></metadata>")),
        "metadata-unreadable",
        more={"lom.xml": b'<!DOCTYPE lom [<!ENTITY x SYSTEM "file:///etc/passwd">]><lom>&x;</lom>'},
    ),
    "metadata-file-missing": good(
        manifest(head=HEAD12.replace("</metadata>", "<adlcp:location>../../x.xml</adlcp:location></metadata>")),
        "metadata-missing",
    ),
    "content-package-with-pages": good(
        manifest(
            head="<metadata><schema>IMS Content</schema><schemaversion>1.1.4</schemaversion></metadata>",
            namespaces='xmlns="http://www.imsglobal.org/xsd/imscp_v1p1"',
            resources='<resource identifier="res_1" type="webcontent" href="index.html"/>',
        ),
        "schemaversion-unknown",
        edition="2004-2nd",
    ),
    "no-organizations": bad(manifest(organizations="<organizations/>"), "no-launch"),
    "no-items": bad(manifest(items=""), "no-launch"),
    "no-resources": bad(manifest(resources=""), "no-launch"),
    "no-href": bad(manifest(resources='<resource identifier="res_1" adlcp:scormtype="sco"/>'), "no-launch"),
}

_BOMBS: dict[str, Case] = {
    "entity-bomb": bad(_bomb(9), "xml-entities"),
    "entity-external": bad(_doctype('<!ENTITY x SYSTEM "file:///etc/passwd">', "&x;"), "xml-entities"),
    "entity-external-http": bad(_doctype('<!ENTITY x SYSTEM "http://127.0.0.1:9/x">', "&x;"), "xml-entities"),
    "entity-parameter": bad(_doctype('<!ENTITY % x SYSTEM "http://127.0.0.1:9/x.dtd"> %x;'), "xml-entities"),
    "entity-harmless": bad(_doctype('<!ENTITY copy "(c)">', "&copy;"), "xml-entities"),
    "doctype-with-subset": bad(_doctype("<!ELEMENT manifest ANY>"), "xml-dtd"),
    "doctype-external": bad(manifest(before='<!DOCTYPE manifest SYSTEM "http://127.0.0.1:9/cp.dtd">'), "xml-dtd"),
    "doctype-twice": bad(
        manifest(before='<!DOCTYPE a><!DOCTYPE manifest [<!ATTLIST item parameters CDATA "?injected=1">]>'), "xml-dtd"
    ),
    "doctype-later": bad(manifest(more='<!DOCTYPE x [<!ENTITY a "b">]>'), "xml-malformed"),
    "xinclude": bad(
        manifest(more='<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="/etc/passwd" parse="text"/>'),
        "xml-xinclude",
    ),
    "xinclude-undeclared": bad(manifest(more='<xi:include href="/etc/passwd"/>'), "xml-xinclude"),
    "deep": bad(manifest(more="<x>" * 5000 + "</x>" * 5000), "xml-limits"),
    "deep-items": bad(manifest(items="<item>" * 120 + ITEM + "</item>" * 120), "xml-limits"),
    "attributes": bad(manifest(more="<x " + " ".join(f'a{n}="{n % 7}"' for n in range(2000)) + "/>"), "xml-limits"),
    "text-huge": bad(manifest(more=f"<x>{''.join(f'{n:x} ' for n in range(200_000))}</x>"), "xml-limits"),
    "tag-huge": bad(manifest(more=f"<x a='{''.join(f'{n:x} ' for n in range(200_000))}'/>"), "xml-limits"),
    "mismatched": bad(manifest(items="<item><title>One</title>"), "xml-malformed"),
    "cut-off": bad(manifest()[:-30], "xml-malformed"),
    "attribute-twice": bad(manifest(attributes=' version="2"'), "xml-malformed"),
    "comment-without-end": bad(manifest(more="&<!-- " * 50), "xml-malformed"),
    "empty": bad("", "xml-malformed"),
    "no-xml": bad("PK\x03\x04 this is not XML", "xml-malformed"),
    "json": bad('{"manifest": {}}', "xml-malformed"),
    "html": bad("<html><body>404 Not Found</body></html>", "not-a-manifest"),
}

_CC = "http://www.imsglobal.org/xsd/imsccv1p3/imscp_v1p1"
_OTHERS: dict[str, Case] = {
    "common-cartridge": bad(manifest(namespaces=f'xmlns="{_CC}" xmlns:adlcp="x"', head=""), "common-cartridge"),
    "common-cartridge-by-schema": bad(
        manifest(head="<metadata><schema>IMS Common Cartridge</schema><schemaversion>1.1.0</schemaversion></metadata>"),
        "common-cartridge",
    ),
    "qti": bad(
        manifest(
            namespaces='xmlns="http://www.imsglobal.org/xsd/imscp_v1p1"',
            head="<metadata><schema>QTIv2.1 Package</schema></metadata>",
            resources='<resource identifier="q" type="imsqti_item_xmlv2p1" href="q.xml"/>',
        ),
        "qti",
    ),
    "qti-by-its-resources": bad(
        manifest(
            namespaces='xmlns="http://www.imsglobal.org/xsd/imscp_v1p1"',
            head="",
            organizations="<organizations/>",
            resources='<resource identifier="q" type="imsqti_item_xmlv2p1" href="q.xml"/>',
        ),
        "qti",
    ),
    "moodle-backup": without("moodle_backup.xml", "course/course.xml", codes=("moodle-backup",)),
    "h5p": without("h5p.json", "content/content.json", codes=("h5p",)),
    "epub": without("mimetype", "META-INF/container.xml", "OEBPS/x.xhtml", codes=("epub",)),
    "word": without("[Content_Types].xml", "word/document.xml", codes=("office-document",)),
    "powerpoint": without("[Content_Types].xml", "ppt/presentation.xml", codes=("office-document",)),
    "web-site": without("index.html", "style.css", codes=("web-site",)),
    "zip-in-zip": without("course.zip", codes=("nested-zip",)),
    "several-packages": without("a/imsmanifest.xml", "b/imsmanifest.xml", codes=("several-packages",)),
    "pictures": without("a.png", "b.png", codes=("no-manifest",)),
}

_COURSE_STRUCTURE = (
    f'{_CMI5}<course id="https://example.org/c">{_CMI5_TEXTS}</course>'
    f'<block id="https://example.org/b">{_CMI5_TEXTS}<au id="https://example.org/au" moveOn="Passed" masteryScore="0.8">'
    f"{_CMI5_TEXTS}<url>index.html?x=1</url><launchParameters>p</launchParameters></au></block></courseStructure>"
)
_ACTIVITY = '<activity id="https://example.org/a"><name lang="en">A</name>{launch}</activity>'
_STANDARDS: dict[str, Case] = {
    "cmi5": good(_COURSE_STRUCTURE, name="cmi5.xml", edition="cmi5", launch="index.html?x=1"),
    "cmi5-javascript": bad(
        _COURSE_STRUCTURE.replace("index.html?x=1", "javascript:alert(1)"), "launch-scheme", name="cmi5.xml"
    ),
    "cmi5-remote": bad(
        _COURSE_STRUCTURE.replace("index.html", "https://127.0.0.1:9/"), "launch-remote", name="cmi5.xml"
    ),
    "cmi5-without-au": bad(f'{_CMI5}<course id="x"/></courseStructure>', "no-launch", name="cmi5.xml"),
    "cmi5-bomb": bad(_bomb(9), "xml-entities", name="cmi5.xml"),
    "tincan": good(
        f"{_TINCAN}{_ACTIVITY.format(launch='<launch>index.html</launch>')}</activities></tincan>",
        name="tincan.xml",
        edition="tincan",
    ),
    "tincan-without-launch": bad(
        f"{_TINCAN}{_ACTIVITY.format(launch='')}</activities></tincan>", "no-launch", name="tincan.xml"
    ),
    "tincan-javascript": bad(
        f"{_TINCAN}{_ACTIVITY.format(launch='<launch>JAVASCRIPT:alert(1)</launch>')}</activities></tincan>",
        "launch-scheme",
        name="tincan.xml",
    ),
    "aicc": good(
        "[Course]\nCourse_ID=C1\nCourse_Title=A title\n",
        name="course.crs",
        edition="aicc",
        launch="index.html?x=1",
        more={
            "course.au": f"{_AU}A1,lesson,,index.html,100,80,x=1,data\n".encode(),
            "course.cst": b"block,member\nroot,a1\n",
        },
    ),
    "aicc-in-a-circle": good(
        "[course]\ncourse_id=C1\n",
        "aicc-structure",
        name="course.crs",
        edition="aicc",
        more={
            "course.au": f"{_AU}A1,,,index.html,,,,\n".encode(),
            "course.cst": b"block,member\nroot,B1\nB1,B2,A1\nB2,B1\n",
        },
    ),
    "aicc-remote": bad(
        "[course]\n",
        "launch-remote",
        name="course.crs",
        more={"course.au": f"{_AU}A1,,,http://127.0.0.1:9/x.html,,,,\n".encode()},
    ),
    "aicc-without-units": bad("[course]\ncourse_id=C1\n", "no-launch", name="course.crs"),
}

CASES: dict[str, Case] = {
    **_LETTERS,
    **_NAMES,
    **_EDITIONS,
    **_HREFS,
    **_STRUCTURE,
    **_BOMBS,
    **_OTHERS,
    **_STANDARDS,
}
