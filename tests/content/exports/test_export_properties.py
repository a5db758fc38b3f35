from __future__ import annotations

import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from content.exports import FORMATS, REPORTS, Options, plan_export
from content.exports.narrow import Narrowing
from content.exports.options import UNIT_FORMATS
from content.exports.unit_order import Done, Passed, UnitOrder
from content.exports.xml import add, etree, identifier, to_bytes
from content.exports.xml import text as line_of
from tests.content.exports.examples import draft, manifest, player, results, zip_bytes

LANGUAGES = st.sampled_from([(), ("en",), ("ar",), ("en", "ar"), ("ar", "en")])
PLAYER = player()


@st.composite
def options(draw: st.DrawFn) -> Options:
    format = draw(st.sampled_from(FORMATS))
    return Options(
        format=format,
        report=draw(st.sampled_from(REPORTS)),
        mastery=draw(st.none() | st.floats(0, 1)),
        packaging=draw(st.sampled_from(["course", "unit"])) if format in UNIT_FORMATS else "course",
        languages=draw(LANGUAGES),
        profile=draw(st.sampled_from(["phone", "tablet", "desktop"])),
        video=draw(st.booleans()),
    )


@given(
    options(),
    st.dictionaries(
        st.sampled_from(["en", "ar"]),
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip),
        min_size=2,
    ),
)
@settings(max_examples=60, deadline=None)
def test_any_export_of_any_title_passes_its_checks(chosen: Options, title: dict[str, str]):
    given_ = manifest(draft(title=title, units=[{**unit, "title": title} for unit in draft()["units"]]))
    made = plan_export(given_, chosen, PLAYER)
    assert {name: result for name, result in results(made).items() if result not in ("passed", "not-run")} == {}
    assert len(zip_bytes(made)) == made.size_bytes
    assert plan_export(given_, chosen, PLAYER).entries == made.entries


@st.composite
def orders(draw: st.DrawFn) -> UnitOrder:
    """What `content.drafts.sequence_checks` lets through."""
    units = tuple(f"u{at}" for at in range(draw(st.integers(1, 8))))
    pretest = draw(st.none() | st.sampled_from(units[:-1] or (None,)))
    posttest = units[-1] if units[-1] != pretest and draw(st.booleans()) else None
    after = units[units.index(pretest) + 1 :] if pretest else ()
    skips = draw(st.sets(st.sampled_from(after), min_size=1)) if after else set()
    return UnitOrder(units, draw(st.booleans()), posttest, pretest, frozenset(skips))


def is_open(order: UnitOrder, unit: str, facts: set[Any]) -> bool:
    return all(any(fact in facts for fact in either) for either in order.conditions(unit))


@given(orders(), st.booleans())
def test_every_order_can_be_walked_to_its_end(order: UnitOrder, passes: bool):
    facts: set[Any] = set()
    for unit in order.units:
        if Passed() in facts and unit in order.skips:
            continue
        assert is_open(order, unit, facts)
        facts.add(Done(unit))
        if unit == order.pretest and passes:
            facts.add(Passed())


@given(orders(), st.data())
def test_a_forced_order_opens_nothing_early(order: UnitOrder, data: st.DataObject):
    """Whatever has been done in an order that the rules allow: a unit is open only if all before it are done or left out."""
    facts: set[Any] = set()
    for _ in range(20):
        ready = [unit for unit in order.units if is_open(order, unit, facts)]
        for unit in ready:
            before = order.units[: order.units.index(unit)]
            if order.forced or unit == order.posttest:
                assert all(Done(each) in facts or (each in order.skips and Passed() in facts) for each in before)
        chosen = data.draw(st.sampled_from(ready))
        facts.add(Done(chosen))
        if chosen == order.pretest and data.draw(st.booleans()):
            facts.add(Passed())


@given(
    st.dictionaries(st.sampled_from(["en", "ar", "fr", "de"]), st.text(), min_size=1),
    st.lists(st.sampled_from(["en", "ar", "fr"]), min_size=1, unique=True),
)
def test_no_text_is_lost(texts: dict[str, str], languages: list[str]):
    narrowing = Narrowing(languages, "en")
    kept = narrowing.texts(texts)
    assert kept
    assert kept.items() <= texts.items()
    assert set(kept) <= set(languages) or (len(kept) == 1 and not set(texts) & set(languages))
    assert narrowing.untranslated == (0 if set(texts) & set(languages) else 1)


@given(st.lists(st.text(), unique=True, max_size=6))
def test_identifiers_are_valid_and_told_apart(names: list[str]):
    made = [identifier("x-", name) for name in names]
    assert len(set(made)) == len(names)
    for each in made:
        assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", each)
        assert len(each) < 80


@given(st.text(), st.none() | st.integers(1, 50))
def test_any_text_goes_through_xml(value: str, limit: int | None):
    line = line_of(value, limit)
    assert limit is None or len(line) <= limit
    parsed = etree.fromstring(to_bytes(add(etree.Element("{x}a"), "b", line, c=line)))
    assert (parsed.text or "", parsed.get("c")) == (line, line)
