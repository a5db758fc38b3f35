"""Withdrawals become invalidations: few, with the quotas of CloudFront, and not one is lost or told twice without need."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.errors import ConnectionClosedError

from cluster.edge import purging
from cluster.edge.cloudflare import MOST_TAGS, Cloudflare, CloudflarePurger, tag_of
from cluster.edge.cloudfront import CloudFrontPurger
from cluster.edge.purging import ANY, invalidate_prefix, of_version, reduced, reference_of
from cluster.settings import Settings
from cluster.telemetry import metrics
from content.errors import ContentError
from tasks.edge import edge_shell, edge_words
from tasks.edge.edge_words import EdgeWords
from tests.support.cdn_fakes import FOLDERS, PATHS, FakeCloudFront, cloudflare

DISTRIBUTIONS = {"files": "EFILES", "sites": "ESITES"}


class Message:
    def __init__(
        self, number: int, tenant: str = "acme", package: str | None = None, body: bytes | None = None
    ) -> None:
        self.name = f"event-{number}"
        data = {
            "tenant_id": tenant, "package_id": package or f"pkg_{number}", "version": 1, "manifest_digest": f"sha256:{number:064x}",
        }  # fmt: skip
        self.data = body if body is not None else json.dumps({"id": self.name, "data": data}).encode()
        self.acked = self.alive = 0

    async def ack(self) -> None:
        self.acked += 1

    async def in_progress(self) -> None:
        self.alive += 1


class Removed(Message):
    """Folders that are gone from the store."""

    def __init__(self, number: int, *folders: str, tenant: str = "acme", at: datetime | None = None) -> None:
        data = {"tenant_id": tenant, "folders": list(folders)}
        told = {"id": f"event-{number}", "data": data, **({"time": at.isoformat()} if at else {})}
        super().__init__(number, body=json.dumps(told).encode())


class Stream:
    """Events that were not acknowledged, as two durable consumers hand them out."""

    def __init__(self, *messages: Message) -> None:
        self.waiting = list(messages)
        self.away = False
        self.removed: Stream | None = None

    def puller(self, stream: str, durable: str, subject: str, ack_wait_s: float) -> Stream:
        assert stream == "CONTENT_EVENTS"
        if durable == "content-edge":
            assert subject == "content.play_package.withdrawn.v1"
            return self
        assert (durable, subject) == ("content-edge-removed", "content.play_package.removed.v1")
        self.removed = self.removed or Stream()
        return self.removed

    async def fetch(self, count: int) -> list[Message]:
        if self.away:
            raise ContentError("events-unavailable", "Away.", "", True)
        given, self.waiting = self.waiting[:count], self.waiting[count:]
        return given

    async def close(self) -> None: ...


class World:
    def __init__(self, *messages: Message, **cdn: Any) -> None:
        self.now = 1000.0
        self.stream, self.messages = Stream(*messages), list(messages)
        self.cdn = FakeCloudFront(clock=lambda: self.now, **cdn)
        self.words = self.process()

    def process(self) -> EdgeWords:
        purger = CloudFrontPurger(self.cdn, DISTRIBUTIONS)
        return EdgeWords(Settings(lease_s=60), self.stream, purger, lambda: self.now)  # pyright: ignore[reportArgumentType]

    async def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            await self.words.step()
            self.now += 1.0

    def told(self, distribution: str = "EFILES") -> list[str]:
        return self.cdn.paths(distribution)

    def covered(self, message: Message) -> bool:
        """Whether manifest and exports are gone from both."""
        data = json.loads(message.data)["data"]
        manifest, exports = of_version(data["tenant_id"], data["package_id"], 1, data["manifest_digest"])
        return covers(self.told(), manifest) and covers(self.told(), exports) and covers(self.told("ESITES"), exports)


def covers(paths: list[str], path: str) -> bool:
    return path in paths or any(each.endswith(ANY) and path.startswith(each[:-1]) for each in paths)


async def test_a_withdrawal_is_told_at_once_to_the_distributions_that_it_concerns() -> None:
    world = World(Message(1))
    await world.words.step()
    assert world.told() == ["/exports/acme/pkg_1/1/*", f"/packages/acme/pkg_1/1/{1:064x}.json"]
    assert world.told("ESITES") == ["/exports/acme/pkg_1/1/*"]
    assert [each.acked for each in world.messages] == [1]
    await world.run(60)
    assert len(world.told()) == 2


async def test_what_a_tenant_leaves_at_the_edge_is_forgotten_by_folder() -> None:
    """All that an edge keeps of it, on both distributions, in the same invalidation as what else is there."""
    world = World(Message(1, tenant="other"))
    assert world.stream.removed is not None
    gone = Removed(2, *purging.folders_of("acme"))
    world.stream.removed.waiting.append(gone)
    await world.words.step()
    folders = {f"/{kind}/acme/*" for kind in ("assets", "bundles", "exports", "packages")}
    assert folders < set(world.told()) and set(world.told("ESITES")) == {"/exports/acme/*", "/exports/other/pkg_1/1/*"}
    assert (gone.acked, world.messages[0].acked) == (1, 1)
    assert len(world.cdn.invalidations["EFILES"]) == 1


async def test_a_removed_export_is_forgotten_where_it_lay() -> None:
    world = World()
    assert world.stream.removed is not None
    world.stream.removed.waiting.append(Removed(1, "exports/acme/pkg_1/3/exp_1/"))
    await world.words.step()
    assert world.told() == world.told("ESITES") == ["/exports/acme/pkg_1/3/exp_1/*"]


@pytest.mark.parametrize(
    "folder", ["exports/other/pkg_1/", "exports/acme", "sites/acme/", "", "/", "*", "_player/acme/"]
)
async def test_a_folder_that_is_not_the_tenants_is_not_told(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    numbers = Numbers(monkeypatch)
    assert world.stream.removed is not None
    world.stream.removed.waiting.append(strange := Removed(1, folder))
    await world.words.step()
    assert world.cdn.invalidations == {} and strange.acked == 1
    assert numbers.words == ["unreadable"]


class Numbers:
    """What is told to Prometheus: the age of the oldest word, and what became of words."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ages: list[float] = []
        self.words: list[str] = []
        monkeypatch.setattr(metrics.Metric, "set", lambda metric, value: self.ages.append(value))
        monkeypatch.setattr(metrics.Metric, "add", lambda metric, result: self.words.append(result))


async def test_how_long_the_oldest_word_has_waited_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What alerts look at: words that a CDN does not take, and a NATS that says nothing, are seen alike."""
    numbers = Numbers(monkeypatch)
    old = Removed(1, "exports/acme/pkg_1/", at=datetime.now(UTC) - timedelta(seconds=400))
    world = World(lost_answers=2)
    assert world.stream.removed is not None
    await world.words.step()
    assert numbers.ages == [0.0]
    world.stream.removed.waiting.append(old)
    await world.words.step()
    assert 400 <= numbers.ages[-1] < 460 and numbers.words == ["failed"]
    await world.run(30)
    assert numbers.ages[-1] == 0.0 and numbers.words[-1] == "told"
    world.stream.away = True
    world.now += 350
    with pytest.raises(ContentError):
        await world.words.step()
    assert numbers.ages[-1] >= 350


async def test_many_at_once_are_one_invalidation_within_the_quotas() -> None:
    world = World(*(Message(number) for number in range(1, 201)))
    await world.words.step()
    assert [len(known) for known in world.cdn.invalidations.values()] == [1, 1] and world.cdn.refused == 0
    assert sum(path.endswith(ANY) for path in world.told()) == 1 and len(world.told()) <= 201
    assert all(world.covered(message) and message.acked == 1 for message in world.messages)


async def test_a_flood_waits_for_the_cdn_is_reduced_and_loses_nothing() -> None:
    """4,000 versions of 40 tenants, where an invalidation takes 30 s and only so much may be under way."""
    world = World(*(Message(number, tenant=f"t{number % 40}") for number in range(4000)), takes_s=30.0)
    await world.run(400)
    assert all(world.covered(message) and message.acked == 1 for message in world.messages)
    assert world.cdn.refused > 0, "the quota was met"
    assert len(world.told()) < 4000


async def test_an_answer_that_was_lost_is_asked_for_again_and_is_no_second_invalidation() -> None:
    world = World(Message(1), Message(2), lost_answers=2)
    await world.words.step()
    assert [each.acked for each in world.messages] == [0, 0]
    world.stream.waiting.append(late := Message(3))  # which must not change what was sent
    await world.run(30)
    assert [each.acked for each in [*world.messages, late]] == [1, 1, 1]
    assert len(world.told()) == len(set(world.told())) == 6
    assert len(world.cdn.invalidations["EFILES"]) == 2


async def test_what_a_dead_process_held_comes_again_and_costs_nothing() -> None:
    world = World(Message(1), Message(2), lost_answers=1)
    await world.words.step()
    assert not any(each.acked for each in world.messages)
    # It dies; the consumer hands out again what was not acknowledged.
    world.stream.waiting, world.words = list(world.messages), world.process()
    await world.run(5)
    assert all(each.acked == 1 for each in world.messages)
    assert len(world.cdn.invalidations["EFILES"]) == 1, "the same events, the same invalidation"


async def test_what_is_held_while_the_cdn_is_busy_is_not_given_to_another() -> None:
    world = World(Message(1), takes_s=1000.0)
    world.cdn.invalidations["EFILES"] = [(world.now, "theirs", tuple(f"/packages/x{n}/*" for n in range(FOLDERS)))]
    await world.run(90)
    assert world.messages[0].acked == 0 and world.messages[0].alive >= 3
    assert world.cdn.refused < 12, "it is not asked all the time"
    world.cdn.invalidations["EFILES"].clear()
    await world.run(30)
    assert world.messages[0].acked == 1 and world.covered(world.messages[0])


async def test_the_same_version_withdrawn_twice_is_one_path_and_what_cannot_be_read_holds_back_nothing() -> None:
    world = World(
        Message(1), Message(2, package="pkg_1", body=Message(1).data), Message(3, body=b"{}"), Message(4, body=b"\xff")
    )
    await world.words.step()
    assert len(world.told()) == 2 and [each.acked for each in world.messages] == [1, 1, 1, 1]


async def test_an_outage_of_nats_is_told_and_then_it_goes_on() -> None:
    world = World(Message(1))
    world.stream.away = True
    with pytest.raises(ContentError, match="Away"):
        await world.words.step()
    world.stream.away = False
    await world.run(3)
    assert world.messages[0].acked == 1


class Deaf(Message):
    async def ack(self) -> None:
        raise ConnectionClosedError


async def test_an_acknowledgement_that_nats_does_not_hear_ends_nothing() -> None:
    world = World(Deaf(1), Message(2))
    await world.run(3)
    assert world.messages[1].acked == 1 and len(world.told()) == 4


def test_without_a_cdn_nothing_is_listened_to() -> None:
    assert EdgeWords.of(Settings(), None) is None  # pyright: ignore[reportArgumentType]
    assert purging.connect(Settings()) is None


# Which paths

PATH = st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=2, max_size=5).map(lambda parts: "/" + "/".join(parts))
ANY_PATH = st.one_of(PATH, PATH.map(lambda path: path + ANY))


@given(st.lists(ANY_PATH, max_size=40), st.integers(1, 10), st.integers(1, 5))
def test_what_is_reduced_still_covers_everything_in_no_more_paths_than_may_be(
    paths: list[str], most: int, folders: int
) -> None:
    found = reduced(paths, most, folders)
    assert all(covers(found, path) for path in paths)
    assert sum(path.endswith(ANY) for path in found) <= folders
    assert sum(not path.endswith(ANY) for path in found) <= most
    assert found == sorted(set(found)) and reduced(found, most, folders) == found


def test_nothing_is_taken_with_it_where_there_is_room() -> None:
    paths = ["/packages/a/p/1/x.json", "/packages/a/p/1/y.json", "/exports/a/p/1/*"]
    assert reduced([*paths, "/exports/a/p/1/e/f", "/exports/a/p/1/*"]) == sorted(paths)
    folders = [f"/exports/a/p/{version}/*" for version in range(purging.MOST_FOLDERS)]
    assert reduced(folders) == sorted(folders)
    assert reduced([*folders, "/exports/b/p/1/*", "/exports/c/p/1/*"]) == [
        "/exports/a/p/*", "/exports/b/p/1/*", "/exports/c/p/1/*",
    ]  # fmt: skip
    assert purging.MOST_PATHS * 2 < PATHS and purging.MOST_FOLDERS < FOLDERS


def test_a_purge_is_named_by_what_it_says_and_why() -> None:
    assert reference_of(["/b", "/a"], ["2", "1"]) == reference_of(["/a", "/b", "/a"], ["1", "2"])
    assert (
        len({reference_of(["/a"]), reference_of(["/b"]), reference_of(["/a"], ["1"]), reference_of(["/a"], ["2"])}) == 4
    )


def test_a_release_invalidates_by_prefix_once(monkeypatch: pytest.MonkeyPatch) -> None:
    cdn = FakeCloudFront()
    monkeypatch.setattr("cluster.edge.purging.connect", lambda _: CloudFrontPurger(cdn, DISTRIBUTIONS))
    for _ in range(2):
        assert invalidate_prefix(Settings(), "packages/", "2.4.0") is True
    assert cdn.invalidations["EFILES"][0][2] == ("/packages/*",) and len(cdn.invalidations["EFILES"]) == 1
    assert "ESITES" not in cdn.invalidations, "there are no manifests"
    invalidate_prefix(Settings(), "packages/", "2.5.0")
    assert len(cdn.invalidations["EFILES"]) == 2
    invalidate_prefix(Settings(), "exports/acme", "x")
    assert cdn.paths("ESITES") == ["/exports/acme/*"]
    with pytest.raises(ContentError, match="at least one folder"):
        invalidate_prefix(Settings(), "/", "x")


def test_where_no_cdn_is_told_it_says_so() -> None:
    assert invalidate_prefix(Settings(), "packages/", "2.4.0") is False


# Cloudflare


def test_cloudflare_purges_by_the_tags_that_the_worker_makes() -> None:
    manifest, exports = of_version("acme", "pkg_1", 3, "sha256:00ff")
    assert (tag_of(manifest), tag_of(exports)) == ("packages/acme/pkg_1/3", "exports/acme/pkg_1/3")
    assert (tag_of("/exports/acme/*"), tag_of("/packages/*"), tag_of("/*")) == ("exports/acme", "packages", "")
    assert tag_of("/exports/acme/pkg_1/3/exp_1/0f/*") == "exports/acme/pkg_1/3"
    with cloudflare() as told:
        purger = CloudflarePurger(Cloudflare(told.url, "secret"), "z1")
        purger.purge([f"/exports/acme/pkg_{number}/1/*" for number in range(70)], "r")
        assert [len(each) for each in told.tags] == [MOST_TAGS, MOST_TAGS, 10]
        assert told.tokens == {"Bearer secret"}
        told.busy = 1
        with pytest.raises(ContentError) as error:
            purger.purge(["/packages/*"], "r")
        assert (error.value.code, error.value.retryable) == ("edge-busy", True)
        purger.purge(["/packages/*", "/*"], "r")
        assert told.everything == 1
        with pytest.raises(ContentError) as error:
            CloudflarePurger(Cloudflare(told.url, "secret"), "z2").purge(["/packages/*"], "r")
        assert error.value.code == "edge-unavailable" and "secret" not in str(vars(error.value))
    with pytest.raises(ContentError) as error:
        purger.purge(["/packages/*"], "r")
    assert error.value.code == "edge-unavailable"


def test_what_is_connected_follows_from_the_settings() -> None:
    cloud = Settings(edge_cdn="cloudflare", cloudflare_zone_id="z1")
    assert isinstance(purging.connect(cloud), CloudflarePurger)
    amazon = Settings(edge_cdn="cloudfront", cloudfront_distribution_ids=DISTRIBUTIONS)
    assert isinstance(purging.connect(amazon), CloudFrontPurger)
    for lacking in (Settings(edge_cdn="cloudfront"), Settings(edge_cdn="cloudflare")):
        with pytest.raises(ContentError) as error:
            purging.connect(lacking)
        assert error.value.code == "edge-settings"
    assert edge_words.PACE_S < 60


# The shell


class Stored:
    def __init__(self) -> None:
        self.there: dict[str, tuple[bytes, str]] = {}
        self.puts = 0

    def get(self, key: str) -> bytes:
        if key not in self.there:
            raise ContentError("object-missing", "Missing.")
        return self.there[key][0]

    def put(self, key: str, body: bytes, media_type: str) -> None:
        self.there[key], self.puts = (body, media_type), self.puts + 1


def test_the_shell_is_put_where_the_cdn_looks_for_it_and_only_what_differs(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<p>")
    (tmp_path / "sw.js").write_text("self")
    objects = Stored()
    assert edge_shell.publish(objects, tmp_path) == 2  # pyright: ignore[reportArgumentType]
    assert objects.there == {
        "_player/index.html": (b"<p>", "text/html; charset=utf-8"), "_player/sw.js": (b"self", "text/javascript; charset=utf-8"),
    }  # fmt: skip
    assert edge_shell.publish(objects, tmp_path) == 0  # pyright: ignore[reportArgumentType]
    (tmp_path / "sw.js").write_text("another")
    assert edge_shell.publish(objects, tmp_path) == 1  # pyright: ignore[reportArgumentType]
    with pytest.raises(ContentError) as error:
        edge_shell.publish(objects, tmp_path / "none")  # pyright: ignore[reportArgumentType]
    assert error.value.code == "player-not-built"
