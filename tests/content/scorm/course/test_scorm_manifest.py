"""What is kept of manifests, and how what is wrong in them is put right."""

from __future__ import annotations

from content.scorm.course.identifiers import Identifiers, valid_id
from content.scorm.course.namespaces import ADLCP_12, ADLNAV, IMSMD, IMSSS, LOM
from content.scorm.findings import Findings
from content.scorm.model import Element, Item
from tests.content.scorm.course.reading import codes, read
from tests.content.scorm.hostile_manifests import HEAD12, ITEM, NS2004, PAGE, RESOURCE, head, manifest, resource

TEXTS = """<adlcp:prerequisites type="aicc_script">item_0&amp;item_9</adlcp:prerequisites>
<adlcp:maxtimeallowed>00:30:00</adlcp:maxtimeallowed><adlcp:timelimitaction>exit,no message</adlcp:timelimitaction>
<adlcp:datafromlms> a
 b </adlcp:datafromlms><adlcp:masteryscore> 80 </adlcp:masteryscore>"""


def first_item(**parts: str) -> Item:
    course, _ = read({"imsmanifest.xml": manifest(**parts), "index.html": PAGE})
    return course.organizations[0].items[0]


def test_an_items_texts_are_kept_as_they_stand() -> None:
    item = first_item(items=ITEM.replace("</title>", f"</title>{TEXTS}").replace("<item", '<item isvisible="FALSE"'))
    assert item == Item(
        "item_1",
        "One",
        "res_1",
        visible=False,
        prerequisites="item_0&item_9",
        max_time_allowed="00:30:00",
        time_limit_action="exit,no message",
        data_from_lms=" a\n b ",
        mastery_score="80",
    )


def test_sequencing_is_kept_with_names_attributes_and_texts() -> None:
    rules = (
        '<imsss:sequencing IDRef="s1"><imsss:objectives><imsss:primaryObjective objectiveID="o" satisfiedByMeasure="true">'
        "<imsss:minNormalizedMeasure> 0.6 </imsss:minNormalizedMeasure></imsss:primaryObjective></imsss:objectives>"
        "</imsss:sequencing><adlnav:presentation><adlnav:navigationInterface><adlnav:hideLMSUI>exit</adlnav:hideLMSUI>"
        "</adlnav:navigationInterface></adlnav:presentation>"
    )
    text = manifest(
        namespaces=NS2004,
        head=head("2004 4th Edition"),
        items=ITEM.replace("</item>", f"{rules}</item>"),
        more='<imsss:sequencingCollection><imsss:sequencing ID="s1"/></imsss:sequencingCollection>',
    )
    course, found = read({"imsmanifest.xml": text, "index.html": PAGE})
    sequencing, presentation = course.organizations[0].items[0].extras
    measure = Element(f"{{{IMSSS}}}minNormalizedMeasure", text=" 0.6 ")
    objective = Element(
        f"{{{IMSSS}}}primaryObjective", (("objectiveID", "o"), ("satisfiedByMeasure", "true")), "", (measure,)
    )
    assert sequencing == Element(
        f"{{{IMSSS}}}sequencing", (("IDRef", "s1"),), "", (Element(f"{{{IMSSS}}}objectives", children=(objective,)),)
    )
    assert presentation.children[0].children[0] == Element(f"{{{ADLNAV}}}hideLMSUI", text="exit")
    assert course.extras[0].children[0].attributes == (("ID", "s1"),)
    assert not found.warnings


def test_what_stands_in_no_namespace_comes_home() -> None:
    item = first_item(
        namespaces="",
        head=head("2004 3rd Edition"),
        resources=RESOURCE.replace("adlcp:", ""),
        items=ITEM.replace(
            "</item>", '<sequencing><controlMode flow="true"/></sequencing><metadata><lom/></metadata></item>'
        ),
    )
    sequencing, metadata = item.extras
    assert sequencing == Element(
        f"{{{IMSSS}}}sequencing", children=(Element(f"{{{IMSSS}}}controlMode", (("flow", "true"),)),)
    )
    assert metadata == Element("metadata", children=(Element(f"{{{LOM}}}lom"),))


def test_an_undeclared_prefix_means_the_editions_namespace() -> None:
    item = first_item(
        namespaces='xmlns="http://www.imsproject.org/xsd/imscp_rootv1p1p2"',
        items=ITEM.replace("</item>", '<adlcp:other a="1"/><own:thing own:b="2"/></item>'),
    )
    assert [each.name for each in item.extras] == [f"{{{ADLCP_12}}}other", "{urn:undeclared-prefix:own}thing"]
    assert item.extras[1].attributes == (("{urn:undeclared-prefix:own}b", "2"),)


def test_foreign_elements_are_kept_and_never_read_as_ours() -> None:
    item = first_item(
        items=ITEM.replace(
            "<title>", '<d:title xmlns:d="urn:dc">No</d:title><d:item xmlns:d="urn:dc" identifier="x"/><title>', 1
        )
    )
    assert (item.title, item.children) == ("One", ())
    assert [each.name for each in item.extras] == ["{urn:dc}title", "{urn:dc}item"]


def test_metadata_of_1_2_and_of_2004() -> None:
    lom = (
        '<m:lom xmlns:m="{space}"><m:general><m:title><m:{s} {l}="fr">Un cours</m:{s}><m:{s} {l}="en-us">A course</m:{s}>'
        "</m:title><m:language>en</m:language><m:description><m:{s}> Of\n birds </m:{s}></m:description>"
        "<m:keyword><m:{s}>birds</m:{s}><m:{s}>prey</m:{s}></m:keyword><m:keyword><m:{s}>birds</m:{s}></m:keyword>"
        "</m:general></m:lom>"
    )
    for space, text, language in ((IMSMD, "langstring", "xml:lang"), (LOM, "string", "language")):
        inline = lom.format(space=space, s=text, l=language)
        course, found = read(
            {
                "imsmanifest.xml": manifest(head=HEAD12.replace("</metadata>", f"{inline}</metadata>"), title=""),
                "index.html": PAGE,
            }
        )
        assert (course.title, course.language, course.description) == ("A course", "en", "Of birds")
        assert course.keywords == ("birds", "prey")
        assert [each.name for each in course.metadata] == [f"{{{space}}}lom"]
        assert codes(found) == {"title-missing"}


def test_the_language_is_a_tag_of_today_or_none() -> None:
    for said, tag in (("en_US", "en-US"), ("EN-us", "en-US"), ("iw", "he"), ("x-none", ""), ("English language", "")):
        lom = f'<m:lom xmlns:m="{IMSMD}"><m:general><m:language>{said}</m:language></m:general></m:lom>'
        text = manifest(head=HEAD12.replace("</metadata>", f"{lom}</metadata>"))
        assert read({"imsmanifest.xml": text, "index.html": PAGE})[0].language == tag
    text = manifest(attributes=' xml:lang="pt_br"')
    assert read({"imsmanifest.xml": text, "index.html": PAGE})[0].language == "pt-BR"


def test_metadata_locations_are_paths_of_the_package() -> None:
    lom = f'<lom xmlns="{IMSMD}"><general><title><langstring>Of a file</langstring></title></general></lom>'
    text = manifest(
        attributes=' xml:base="content/"',
        title="",
        head=HEAD12.replace("</metadata>", "<adlcp:location>a%20b.xml</adlcp:location></metadata>"),
        items=ITEM.replace("</item>", "<metadata><adlcp:location>A b.xml</adlcp:location></metadata></item>"),
    )
    course, found = read({"imsmanifest.xml": text, "content/index.html": PAGE, "content/a b.xml": lom})
    assert course.title == "Of a file"
    assert course.metadata == (Element(f"{{{ADLCP_12}}}location", text="content/a b.xml"),)
    assert course.organizations[0].items[0].extras[0].children[0].text == "content/a b.xml"
    assert "files-unlisted" not in codes(found)


def test_organizations_keep_their_other_attributes() -> None:
    course, _ = read(
        {
            "imsmanifest.xml": manifest(
                namespaces=NS2004,
                head=head("2004 3rd Edition"),
                organization=' identifier="org_1" structure=" linear " adlseq:objectivesGlobalToSystem="false"',
            ),
            "index.html": PAGE,
        }
    )
    (organization,) = course.organizations
    assert organization.structure == "linear"
    assert organization.attributes == (("{http://www.adlnet.org/xsd/adlseq_v1p3}objectivesGlobalToSystem", "false"),)


def test_repaired_identifiers_are_followed() -> None:
    other = ITEM.replace('"item_1"', '"2 b"').replace(
        "</item>", "<adlcp:prerequisites>1a&amp;!x</adlcp:prerequisites></item>"
    )
    text = manifest(
        default=' default="3"',
        organization=' identifier="3"',
        items=ITEM.replace('"item_1"', '"1a"').replace("res_1", "4") + other.replace("res_1", "4"),
        resources=RESOURCE.replace("res_1", "4").replace("</resource>", '<dependency identifierref="1a"/></resource>')
        + resource("", name="1a"),
    )
    course, found = read({"imsmanifest.xml": text, "index.html": PAGE})
    (organization,) = course.organizations
    assert (course.default, organization.identifier) == ("_3", "_3")
    assert [item.identifier for item in organization.items] == ["_1a", "_2_b"]
    assert [item.resource for item in organization.items] == ["_4", "_4"]
    assert organization.items[1].prerequisites == "_1a&!x"
    assert [each.identifier for each in course.resources] == ["_4", "_1a-2"]
    assert course.resources[0].dependencies == ("_1a-2",)
    assert codes(found) == {"identifier-invalid"}


def test_every_identifier_is_an_ncname_and_none_is_twice() -> None:
    identifiers = Identifiers(Findings())
    identifiers.reserve("kept")
    given = [
        identifiers.claim(each, "item", "")
        for each in ("a", "a", "a", "a-2", "kept", "", "", "é", "1", "a b", "a/b", "😀")
    ]
    assert given == ["a", "a-2", "a-3", "a-2-2", "kept-2", "item-1", "item-2", "é", "_1", "a_b", "a_b-2", "😀"]
    assert valid_id("x" * 1000) == "x" * 200
    assert valid_id("-") == "_-"
    assert valid_id("\u0301") == "_\u0301"


def test_files_are_paths_of_the_archive_each_once() -> None:
    listed = "".join(f'<file href="{each}"/>' for each in ("a/x.js", "A/X.JS", "./a/x.js?v=2", "gone.js", "a\\y.css"))
    text = manifest(resources=resource("index.html", files=listed, base="a/.."))
    course, found = read({"imsmanifest.xml": text, "index.html": PAGE, "a/x.js": b"", "a/y.css": b""})
    assert course.resources[0].files == ("index.html", "a/x.js", "a/y.css")
    assert codes(found) == {"file-missing", "href-case", "href-backslash"}


def test_unlisted_files_are_one_warning_with_examples() -> None:
    more = {f"extra/{n}.png": b"" for n in range(12)}
    schemas = {"imscp_rootv1p1p2.xsd": b"", "a/b.dtd": b""}
    _, found = read({"imsmanifest.xml": manifest(), "index.html": PAGE, **more, **schemas})
    (told,) = found.all_warnings()
    assert told.code == "files-unlisted"
    assert "12 files" in told.message and "extra/0.png" in told.message and "xsd" not in told.message


def test_every_organization_is_kept_and_the_default_is_played() -> None:
    both = (
        '<organizations default="b"><organization identifier="a"><title>A</title>'
        f'{ITEM.replace("item_1", "item_0")}</organization><organization identifier="b"><title>B</title>{ITEM}'
        "</organization></organizations>"
    )
    course, _ = read({"imsmanifest.xml": manifest(organizations=both), "index.html": PAGE})
    assert [each.identifier for each in course.organizations] == ["a", "b"]
    assert (course.default, course.title) == ("b", "B")
    assert [launch.item for launch in course.launches] == ["item_1"]


def test_places_name_the_line() -> None:
    text = manifest(
        items=f"\n\n{ITEM.replace('res_1', 'gone')}\n{ITEM.replace('item_1', 'item_2')}",
        before="\n<?xml version='1.0'?>\n",
    )
    _, found = read({"imsmanifest.xml": text, "index.html": PAGE})
    places = {each.code: each.place for each in found.all_warnings()}
    assert places == {"xml-declaration": "imsmanifest.xml:1", "identifierref-dangling": "imsmanifest.xml:5"}


def test_twenty_thousand_items_and_the_deepest_tree() -> None:
    many = "".join(ITEM.replace("item_1", f"item_{n}") for n in range(20_000))
    course, found = read({"imsmanifest.xml": manifest(items=many), "index.html": PAGE})
    assert course.items == len(course.launches) == 20_000
    assert not found.warnings
    names = [f"<item identifier='i{n}'><title>{n}</title>" for n in range(90)]
    text = manifest(items="".join(names) + ITEM + "</item>" * 90)
    course, _ = read({"imsmanifest.xml": text, "index.html": PAGE})
    assert course.items == 91
    assert course.launches[0].item == "item_1"


def test_attributes_that_nobody_knows_are_kept() -> None:
    text = manifest(
        items=ITEM.replace("<item", '<item xml:lang="en"'),
        resources=RESOURCE.replace("<resource", '<resource adlcp:persistState="true"'),
    )
    course, found = read({"imsmanifest.xml": text, "index.html": PAGE})
    assert not found.warnings
    assert course.organizations[0].items[0].attributes == (("{http://www.w3.org/XML/1998/namespace}lang", "en"),)
    assert [(name.rpartition("}")[2], value) for name, value in course.resources[0].attributes] == [
        ("persistState", "true")
    ]
