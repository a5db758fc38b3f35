"""Manifests inside the manifest: whose items are played, which names mean what, and what stays of the rest."""

from __future__ import annotations

import time

from content.scorm.findings import Findings
from content.scorm.model import Course, Item
from tests.content.scorm.course.reading import LIMITS, read
from tests.content.scorm.hostile_manifests import CASES, ITEM, PAGE, RESOURCE, manifest, resource

Tree = list[tuple[str, str | None, "Tree"]]


def tree(items: tuple[Item, ...]) -> Tree:
    return [(each.identifier, each.resource, tree(each.children)) for each in items]


def of(name: str) -> tuple[Course, list[str]]:
    course, found = read(dict(CASES[name].files))
    return course, told(found)


def told(found: Findings) -> list[str]:
    return [each.message for each in found.all_warnings() if each.code == "sub-manifest"]


def hrefs(course: Course) -> list[str]:
    return [each.href for each in course.launches]


def test_an_item_gets_the_items_of_the_manifest_that_it_refers_to():
    course, messages = of("sub-manifest-below-an-item")
    (organization,) = course.organizations
    assert (organization.identifier, organization.items[0].title) == ("org_1", "To sub")
    assert tree(organization.items) == [("to_sub", None, [("item_1", "res_1", [])])]
    assert len(messages) == 1 and "“sub”" in messages[0]


def test_an_item_may_open_a_resource_of_an_inner_manifest():
    course, _ = of("sub-manifest-with-a-resource")
    assert tree(course.organizations[0].items) == [("to_res_1", "res_1", [])]


def test_where_the_outer_one_has_no_organizations_the_inner_ones_stand_for_it():
    course, messages = of("sub-manifests-with-organizations")
    assert [each.identifier for each in course.organizations] == ["o_s1", "o_s2"]
    assert course.default == "o_s2"
    assert [each.extras[0].children[0].text for each in course.organizations] == ["Of s1", "Of s2"]
    assert len(messages) == 2


def test_where_nothing_of_the_outer_one_opens_they_stand_beside_its_own():
    course, _ = of("sub-manifest-that-nothing-opens")
    assert [each.identifier for each in course.organizations] == ["org_1", "o_sub"]
    assert course.default == "o_sub"


def test_each_manifest_means_its_own_by_a_name_that_several_use():
    course, _ = of("sub-manifests-of-one-spelling")
    assert hrefs(course) == ["index.html", "b/two.html"]
    assert tree(course.organizations[0].items) == [
        ("to_s1", None, [("item_1", "res_1", [])]),
        ("to_s2", None, [("item_1-2", "res_1-2", [])]),
    ]


def test_prerequisites_and_dependencies_too():
    inner = CASES["sub-manifests-of-one-spelling"].files["imsmanifest.xml"].decode()
    rule = "<adlcp:prerequisites>item_1</adlcp:prerequisites>"
    text = inner.replace("<title>One</title>", f"<title>One</title>{rule}")
    text = text.replace("</resource>", '<dependency identifierref="res_1"/></resource>')
    course, _ = read({"imsmanifest.xml": text, "index.html": PAGE, "b/two.html": PAGE})
    assert [each.children[0].prerequisites for each in course.organizations[0].items] == ["item_1", "item_1-2"]
    assert [each.dependencies for each in course.resources] == [("res_1",), ("res_1-2",)]


def test_bases_are_composed_through_all_levels():
    course, _ = of("sub-manifest-in-sub-manifest")
    assert hrefs(course) == ["a/b/index.html"]
    assert tree(course.organizations[0].items) == [("to_s1", None, [("to_s2", None, [("item_1", "res_1-2", [])])])]


def test_who_refers_to_it_again_gets_nothing():
    course, messages = of("sub-manifest-twice")
    assert tree(course.organizations[0].items) == [
        ("to_sub", None, [("item_1", "res_1", [])]),
        ("to_sub-2", None, []),
    ]
    assert "already" in messages[-1]


def test_metadata_and_sequencing_stay():
    course, messages = of("sub-manifest-with-metadata-and-sequencing")
    (item,) = course.organizations[0].items
    assert item.extras[0].children[0].text == "Of sub"
    (collection,) = course.extras
    assert [dict(each.attributes)["ID"] for each in collection.children] == ["x", "y"]
    assert dict(collection.children[0].children[0].attributes) == {"flow": "true"}
    assert any("same" in each or "ID" in each for each in messages)


def test_the_item_keeps_what_it_has_and_takes_what_it_lacks():
    own = "<metadata><schema>Own</schema></metadata><x:a xmlns:x='urn:x'>own</x:a>"
    theirs = "<x:a xmlns:x='urn:x'>theirs</x:a><x:b xmlns:x='urn:x'>theirs</x:b>"
    inner = (
        f'<manifest identifier="sub"><metadata><schema>Theirs</schema></metadata><organizations default="two">'
        f'<organization identifier="one"><title>1</title></organization><organization identifier="two"><title>2</title>{ITEM}{theirs}'
        f"</organization></organizations><resources>{RESOURCE}</resources></manifest>"
    )
    outer = f'<item identifier="i" identifierref="sub">{own}</item>'
    course, found = read({"imsmanifest.xml": manifest(items=outer, resources="", more=inner), "index.html": PAGE})
    (item,) = course.organizations[0].items
    assert item.title == "2"
    assert [each.name.rpartition("}")[2] for each in item.extras] == ["metadata", "a", "b"]
    assert [item.extras[0].children[0].text, *(each.text for each in item.extras[1:])] == ["Own", "own", "theirs"]
    messages = told(found)
    assert any("1 other organization" in each for each in messages)
    assert any("no place for: metadata" in each for each in messages)
    assert any("no place for: a" in each for each in messages)


def test_what_nobody_refers_to_is_not_played_but_kept():
    inner = (
        '<manifest identifier="sub"><organizations><organization identifier="o"><title>T</title>'
        '<item identifier="x" identifierref="y"><title>X</title></item></organization></organizations>'
        f"<resources>{resource('b.html', name='y')}</resources></manifest>"
    )
    course, found = read({"imsmanifest.xml": manifest(more=inner), "index.html": PAGE, "b.html": PAGE})
    assert [each.identifier for each in course.organizations] == ["org_1"]
    assert [each.identifier for each in course.resources] == ["res_1", "y"]
    assert ["not played" in each for each in told(found)] == [True]


def test_no_tree_gets_deeper_than_a_document_may_be():
    course, messages = of("sub-manifests-too-deep")
    deepest = 0
    waiting = [(item, 4) for item in course.organizations[0].items]
    while waiting:
        item, depth = waiting.pop()
        deepest = max(deepest, depth + 1)  # its title
        waiting.extend((child, depth + 1) for child in item.children)
    assert 60 < deepest <= LIMITS.xml_depth
    assert any("too deep" in each for each in messages)


def test_many_that_refer_to_many_take_no_time():
    count = 20_000
    items = "".join(f'<item identifier="i{n}" identifierref="{"s" if n % 2 else "S9"}"/>' for n in range(count))
    inner = "".join(f'<manifest identifier="s"><manifest identifier="t{n}"/></manifest>' for n in range(count))
    text = manifest(items=ITEM + items, more=inner)
    before = time.process_time()
    course, _ = read({"imsmanifest.xml": text, "index.html": PAGE})
    assert course.items == count + 1
    assert time.process_time() - before < 20
