"""The rotation of the key that signs addresses of the edge: each step at its time, cut off anywhere, on every kind of key group."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
import structlog
from moto import mock_aws

from cluster.edge import cdn, edge_keys
from cluster.edge.cdn import UrlSigner
from cluster.edge.cloudflare import Cloudflare, WorkerKeys
from cluster.edge.cloudfront_keys import SETTLES_S, CloudFrontKeys
from cluster.edge.edge_keys import KeyGroup, Publish, Remove, Switch, UrlKeys, Wait
from cluster.local.edge_keys import KeyFile, LocalKeys
from cluster.settings import Settings
from content.errors import ContentError
from tasks.edge.edge_rotation import Done, FileStore, SecretStore, Store, advance
from tests.support.cdn_fakes import FakeCloudFront, cloudflare

NOW = datetime(2100, 1, 1, tzinfo=UTC)
"""Beyond what groups say of their last change, which is by the real clock."""
SETTINGS = Settings(edge_ttl_s=600, preview_ttl_s=3600, edge_rollout_s=1800)
LONGEST = timedelta(seconds=1800 + 3600)


@pytest.fixture(params=["local", "cloudfront", "cloudflare"])
def group(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[KeyGroup]:
    match request.param:
        case "local":
            (tmp_path / "keys").mkdir()
            path = tmp_path / "keys" / "edge-keys.json"
            path.write_text("{}")
            yield LocalKeys(path)
        case "cloudfront":
            yield CloudFrontKeys(FakeCloudFront(), "g1")
        case _:
            with cloudflare() as told:
                yield WorkerKeys(Cloudflare(told.url, "t"), "a1", "n1")


class Memory:
    """A store that may fail at its nth write."""

    def __init__(self, keys: UrlKeys) -> None:
        self.keys, self.writes, self.fails_at = keys, 0, 0

    def read(self) -> UrlKeys:
        return UrlKeys.read(json.loads(json.dumps(self.keys.as_settings())))

    def write(self, keys: UrlKeys) -> None:
        self.writes += 1
        if self.writes == self.fails_at:
            raise ContentError("edge-unavailable", "Cut off.", "", True)
        self.keys = keys


def begun(group: KeyGroup) -> Memory:
    """A store and a group with one key that signs."""
    pem = edge_keys.new_key()
    return Memory(UrlKeys(group.add(edge_keys.public_of(pem)), pem))


def stepped(
    store: Store, group: KeyGroup, now: datetime, accepts: Callable[[UrlKeys], bool] = lambda _: True, **how: bool
) -> Done:
    return advance(store, group, SETTINGS, now, accepts, **how)


def served(group: KeyGroup, url: str, now: datetime) -> bool:
    """Whether an edge that has this group serves it."""
    try:
        cdn.verify(url, {key_id: cdn.load_public_key(pem) for key_id, pem in group.keys().items()}, now=now)
    except cdn.UrlRefused:
        return False
    return True


def later(group: KeyGroup, s: float = 1.0) -> datetime:
    return max(NOW, group.changed_at()) + timedelta(seconds=group.settles_s() + s)


def test_a_rotation_goes_through_its_steps_and_nothing_that_was_signed_is_ever_refused(group: KeyGroup) -> None:
    store = begun(group)
    first, now = store.keys.key_id, later(group)
    in_flight: list[tuple[str, datetime]] = []

    def sign() -> None:
        """What replicas sign now, and how long it lives; all that lives is served."""
        signer = UrlSigner.of("https://edge.example", store.keys.key_id, store.keys.pem, 600)
        in_flight.append((signer.url("/bundles/a/b", now), now + timedelta(seconds=600)))
        assert all(served(group, url, now) for url, end in in_flight if now < end)

    sign()
    done = stepped(store, group, now)
    assert isinstance(done.step, Publish) and store.keys.key_id == first, "the old one goes on signing"
    assert set(group.keys()) == {first, done.key_id}
    sign()
    if group.settles_s():
        assert isinstance(stepped(store, group, group.changed_at()).step, Wait)
    now = later(group)
    assert isinstance(stepped(store, group, now, lambda _: False).step, Wait), "the edge does not take it yet"
    sign()
    done = stepped(store, group, now)
    assert isinstance(done.step, Switch) and store.keys.key_id == done.key_id != first
    sign()
    # A replica that was not rolled out yet signs with the old key, up to the end of the roll-out.
    assert set(group.keys()) == {first, store.keys.key_id}
    early = stepped(store, group, now + LONGEST - timedelta(seconds=1)).step
    assert isinstance(early, Wait) and early.until == now + LONGEST
    assert first in set(group.keys())
    now += LONGEST
    sign()
    done = stepped(store, group, now)
    assert isinstance(done.step, Remove) and done.key_id == first
    assert set(group.keys()) == {store.keys.key_id} and store.keys.retired == {}
    sign()
    assert isinstance(stepped(store, group, later(group)).step, Publish), "and from the beginning"


@pytest.mark.parametrize("fails_at", [1, 2, 3, 4])
def test_a_step_that_was_cut_off_is_done_again_without_harm(group: KeyGroup, fails_at: int) -> None:
    store = begun(group)
    store.fails_at = fails_at
    first, now, failed = store.keys.key_id, later(group), 0
    for _ in range(4):
        try:
            step = stepped(store, group, now).step
        except ContentError:
            failed += 1
            step = stepped(store, group, now).step
        assert store.keys.key_id in set(group.keys()), "what signs is always taken"
        now = later(group) + (LONGEST if store.keys.retired else timedelta())
        if isinstance(step, Remove):
            break
    assert failed == 1
    assert set(group.keys()) == {store.keys.key_id} != {first}, "and no key is left over"


def test_in_an_emergency_only_the_edge_itself_is_waited_for(group: KeyGroup) -> None:
    store = begun(group)
    first, url = (
        store.keys.key_id,
        UrlSigner.of("https://e", store.keys.key_id, store.keys.pem, 600).url("/bundles/a", NOW),
    )
    assert isinstance(stepped(store, group, NOW, emergency=True).step, Publish)
    assert isinstance(stepped(store, group, NOW, lambda _: False, emergency=True).step, Wait)
    assert isinstance(stepped(store, group, NOW, emergency=True).step, Switch)
    assert served(group, url, NOW)
    assert isinstance(stepped(store, group, NOW, emergency=True).step, Remove)
    assert first not in set(group.keys()) and not served(group, url, NOW)


def test_keys_that_nobody_knows_are_seen() -> None:
    keys = UrlKeys("K1", "pem", "K2", "pem", {"K0": NOW})
    assert edge_keys.states(keys, dict.fromkeys(("K1", "K2", "K9"), "")) == {
        "K9": "unknown", "K0": "retired", "K1": "signs", "K2": "next",
    }  # fmt: skip


def test_no_private_key_is_printed_or_logged(group: KeyGroup) -> None:
    store = begun(group)
    with structlog.testing.capture_logs() as logs:
        stepped(store, group, later(group))
        shown = [repr(store.keys)]
        stepped(store, group, later(group))
    shown += [repr(store.keys), json.dumps(logs, default=str)]
    assert logs and not any("PRIVATE KEY" in text for text in shown)
    told = Settings(**store.keys.as_settings()).model_dump(mode="json")
    assert "PRIVATE KEY" not in json.dumps(told)


def test_a_public_key_that_was_made_before_a_crash_is_found_again() -> None:
    client = FakeCloudFront()
    group = CloudFrontKeys(client, "g1")
    pem = edge_keys.public_of(edge_keys.new_key())
    first = group.add(pem)
    client.group = {**client.group, "Items": []}  # it died before it changed the group
    client.create_public_key(PublicKeyConfig={"CallerReference": "x", "Name": "another", "EncodedKey": "x"})
    assert group.add(pem) == group.add(pem) == first and client.group["Items"] == [first]
    assert group.settles_s() == SETTLES_S > 0


def test_of_two_rotations_at_once_one_is_refused() -> None:
    client = FakeCloudFront()
    group = CloudFrontKeys(client, "g1")
    version = client.get_key_group(Id="g1")["ETag"]
    group.add(edge_keys.public_of(edge_keys.new_key()))
    assert client.version != version
    seen = client.get_key_group
    client.get_key_group = lambda **given: {**seen(**given), "ETag": version}  # type: ignore[method-assign]
    with pytest.raises(ContentError) as error:
        group.add(edge_keys.public_of(edge_keys.new_key()))
    assert (error.value.code, error.value.retryable) == ("edge-unavailable", True)


def test_a_full_group_takes_no_more(group: KeyGroup) -> None:
    if isinstance(group, LocalKeys):
        pytest.skip("a file has no quota")
    for _ in range(edge_keys.MOST_KEYS):
        group.add(edge_keys.public_of(edge_keys.new_key()))
    with pytest.raises(ContentError) as error:
        group.add(edge_keys.public_of(edge_keys.new_key()))
    assert error.value.code == "edge-keys-full"


# Where they are kept


def test_files_keep_what_is_not_theirs(tmp_path: Path) -> None:
    settings, secrets = tmp_path / "settings.json", tmp_path / "secrets.json"
    pem = edge_keys.new_key()
    settings.write_text(json.dumps({"region": "eu", "edge_key_id": "K1", "edge_private_key": pem}))
    secrets.write_text(json.dumps({"openbao_token": "x", "edge_private_key": pem}))
    store = FileStore([settings], [secrets])
    keys = store.read().with_next(edge_keys.new_key(), "K2").switched(NOW)
    store.write(keys)
    assert store.read() == keys
    assert json.loads(settings.read_text())["region"] == "eu"
    kept: dict[str, Any] = json.loads(secrets.read_text())
    assert kept["openbao_token"] == "x" and json.loads(kept["edge_retired_keys"]) == {"K1": "2100-01-01T00:00:00Z"}
    assert all(isinstance(value, str) for value in kept.values())
    assert (settings.stat().st_mode | secrets.stat().st_mode) & 0o077 == 0
    with pytest.raises(ContentError):
        FileStore([tmp_path / "none.json"]).read()


def test_a_secret_of_aws_keeps_them_beside_the_rest_of_a_pods_variables() -> None:
    with mock_aws():
        client = boto3.client("secretsmanager", "eu-central-1")
        pem = edge_keys.new_key()
        first = {"CONTENT_POSTGRES_API": "x", "CONTENT_EDGE_KEY_ID": "K1", "CONTENT_EDGE_PRIVATE_KEY": pem}
        client.create_secret(Name="content/content-api", SecretString=json.dumps(first))
        store = SecretStore(client, "content/content-api")
        assert store.read() == UrlKeys("K1", pem)
        keys = UrlKeys("K1", pem, "K2", edge_keys.new_key(), {"K0": NOW})
        store.write(keys)
        assert store.read() == keys
        kept = json.loads(client.get_secret_value(SecretId="content/content-api")["SecretString"])
        assert kept["CONTENT_POSTGRES_API"] == "x" and all(isinstance(value, str) for value in kept.values())
        # As a pod is given them, each as a variable.
        told = Settings(**{name: _read(name, kept[f"CONTENT_{name.upper()}"]) for name in keys.as_settings()})
        assert UrlKeys.of(told) == keys
        client.create_secret(Name="another", SecretString="{}")
        for name in ("none", "another"):
            with pytest.raises(ContentError) as error:
                SecretStore(client, name).read()
            assert error.value.code == "edge-keys-missing"


def _read(name: str, text: str) -> Any:
    return json.loads(text) if name == "edge_retired_keys" else text


def test_the_edge_reads_its_file_of_keys_again_when_it_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "edge-keys.json"
    path.write_text("{}")
    edge, group = KeyFile(path), LocalKeys(path)
    assert len(edge) == 0
    one, two = (edge_keys.public_of(edge_keys.new_key()) for _ in range(2))
    first = group.add(one)
    assert list(edge) == [first] and group.add(one) == first
    second = group.add(two)
    assert set(edge) == {first, second} and edge.get("K9") is None
    group.remove(first)
    assert list(edge) == [second]
    path.unlink()
    assert list(edge) == [second], "what was known stays known"
