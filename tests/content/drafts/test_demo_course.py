from __future__ import annotations

from pathlib import Path

import pytest

from content.drafts import parse, validate
from content.errors import ContentError
from serve_app.demo_course import DemoCourse, make_demo_course


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoCourse:
    try:
        return make_demo_course(tmp_path_factory.mktemp("demo"))
    except ContentError as error:
        pytest.skip(str(error))


def test_both_revisions_are_right_in_every_language(demo: DemoCourse):
    for document in (demo.draft, demo.changed_draft):
        assert validate(document).problems == ()
        assert parse(document).languages() == ("en", "ar")


def test_every_original_is_there_and_credited(demo: DemoCourse):
    for document in (demo.draft, demo.changed_draft):
        draft = parse(document)
        for original in draft.originals():
            assert demo.media[original.asset].stat().st_size > 0
            assert draft.assets and draft.assets[original.asset].license and draft.assets[original.asset].credit


def test_one_picture_differs(demo: DemoCourse):
    before = {each.asset for each in parse(demo.draft).originals()}
    after = {each.asset for each in parse(demo.changed_draft).originals()}
    assert after - before == {demo.changed_asset}
    assert len(before) == len(after)


def test_made_again_it_is_the_same(demo: DemoCourse, tmp_path: Path):
    again = make_demo_course(tmp_path)
    assert again.draft == demo.draft
    for asset, path in demo.media.items():
        assert path.read_bytes() == again.media[asset].read_bytes()
