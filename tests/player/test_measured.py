"""What passports say of the browser's checks is of this very player and exporter."""

from __future__ import annotations

from cluster import player
from content.exports import EXPORTER_VERSION, FORMATS


def test_the_browsers_checks_are_of_this_player_and_exporter() -> None:
    found = player.measured(player.load().version, EXPORTER_VERSION)
    assert set(found) == set(FORMATS), "the player or the exporter has changed: run `make measured`"
    for form, checks in found.items():
        names = {"network-blocked-play", "resume", *(() if form == "html" else ("iframe-launch", "popup-launch"))}
        assert {name: check["result"] for name, check in checks.items()} == dict.fromkeys(names, "passed")
