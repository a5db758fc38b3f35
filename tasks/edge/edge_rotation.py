"""One step of a rotation of the key that signs addresses of the edge: what `cluster.edge.edge_keys.due` says, done so that it may be cut off anywhere.

What is known stands in a store (files of a local stack, or a secret of AWS Secrets Manager), which is written before and after the
edge's key group is changed: a private key is kept before its public one is published, and a retired one is forgotten after it was taken
out. Nothing here logs or returns a private key.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import httpx
import structlog
from botocore.exceptions import BotoCoreError, ClientError

from cluster.edge import edge_keys
from cluster.edge.cdn import UrlSigner
from cluster.edge.edge_keys import KeyGroup, Publish, Remove, Step, Switch, UrlKeys, Wait
from cluster.local.home import read_json, write_json
from cluster.settings import Settings
from content.errors import ContentError

PROBE = "/bundles/edge-probe/none"
"""Nothing is there: an edge that takes the signature says 404, and one that does not says 403."""
PROBES = 5
MEMBERS = ("edge_key_id", "edge_private_key", "edge_next_key_id", "edge_next_private_key", "edge_retired_keys")
PROBE_AGAIN_S = 60.0
log = structlog.get_logger()


class Store(Protocol):
    """Where the keys are kept. Blocks."""

    def read(self) -> UrlKeys: ...

    def write(self, keys: UrlKeys) -> None: ...


@dataclass(frozen=True)
class FileStore:
    """JSON files (0600) that have the settings among their members; all are written, the first is read. `texts`: where a member is text, as in
    a stack's secrets."""

    files: Sequence[Path]
    texts: Sequence[Path] = ()

    def read(self) -> UrlKeys:
        document = read_json(self.files[0])
        if "edge_private_key" not in document:
            raise ContentError("edge-keys-missing", f"{self.files[0]} holds no key of the edge.", "See docs/edge.md.")
        return UrlKeys.read(document)

    def write(self, keys: UrlKeys) -> None:
        given = keys.as_settings()
        # The texts first: a stack's settings are made from its secrets when it starts.
        for path in self.texts:
            write_json(path, {**read_json(path), **{name: _text(value) for name, value in given.items()}})
        for path in self.files:
            write_json(path, {**read_json(path), **given})


@dataclass(frozen=True)
class SecretStore:
    """A secret of AWS Secrets Manager: a JSON object whose members are the variables of a pod (`CONTENT_EDGE_…`); others in it stay. What it held
    before stays its version before."""

    client: Any
    name: str

    def read(self) -> UrlKeys:
        document = self._read()
        return UrlKeys.read(
            {name: _parsed(name, document[_variable(name)]) for name in MEMBERS if _variable(name) in document}
        )

    def write(self, keys: UrlKeys) -> None:
        given = {_variable(name): _text(value) for name, value in keys.as_settings().items()}
        text = json.dumps({**self._read(), **given})
        try:
            self.client.put_secret_value(SecretId=self.name, SecretString=text)
        except (ClientError, BotoCoreError) as error:
            raise ContentError(
                "edge-unavailable", f"The secret {self.name} was not written.", "Try again.", True
            ) from error

    def _read(self) -> dict[str, str]:
        try:
            document = json.loads(self.client.get_secret_value(SecretId=self.name)["SecretString"])
        except (ClientError, BotoCoreError, ValueError) as error:
            raise ContentError(
                "edge-keys-missing", f"The secret {self.name} cannot be read.", "See docs/edge.md."
            ) from error
        if not document.get(_variable("edge_private_key")):
            raise ContentError(
                "edge-keys-missing", f"The secret {self.name} holds no key of the edge.", "See docs/edge.md."
            )
        return document


@dataclass(frozen=True)
class Done:
    """The step that was done, or is waited for, and which key it is about."""

    step: Step
    key_id: str

    @property
    def waits(self) -> bool:
        return isinstance(self.step, Wait)


Accepts = Callable[[UrlKeys], bool]


def advance(
    store: Store, group: KeyGroup, settings: Settings, now: datetime, accepts: Accepts, *, emergency: bool = False
) -> Done:
    """Do the step that is due and say which. `accepts` asks the edge whether it takes the next key. In an `emergency` nothing is waited
    for but the edge itself."""
    keys, there = store.read(), group.keys()
    settles_s = 0.0 if emergency else group.settles_s()
    step = edge_keys.due(keys, there, group.changed_at(), settles_s, settings, now)
    if emergency and isinstance(step, Wait) and keys.retired:
        step = Remove(min(keys.retired, key=lambda key_id: keys.retired[key_id]), "it must not sign any more")
    match step:
        case Publish():
            return Done(step, _publish(store, keys, group))
        case Switch():
            if not accepts(keys):
                until = now + timedelta(seconds=PROBE_AGAIN_S)
                return Done(Wait(until, f"the edge does not take {keys.next_id} yet"), keys.next_id)
            store.write(keys.switched(now))
            log.info("another key signs addresses of the edge", key_id=keys.next_id, before=keys.key_id)
            return Done(step, keys.next_id)
        case Remove(key_id):
            if key_id == keys.key_id:
                raise ContentError("edge-key-signs", f"{key_id} is the key that signs.", "See `edge keys`.")
            group.remove(key_id)
            store.write(keys.without(key_id))
            log.info("a key of the edge was removed", key_id=key_id)
            return Done(step, key_id)
        case Wait():
            return Done(step, keys.next_id or keys.key_id)


def _publish(store: Store, keys: UrlKeys, group: KeyGroup) -> str:
    pem = keys.next_pem or edge_keys.new_key()
    store.write(keys.with_next(pem))
    key_id = group.add(edge_keys.public_of(pem))
    store.write(keys.with_next(pem, key_id))
    log.info("the next key of the edge is published", key_id=key_id)
    return key_id


def edge_accepts(settings: Settings) -> Accepts:
    """Asks the edge at `edge_url`, several times, since each answer may come from another server."""

    def ask(keys: UrlKeys) -> bool:
        signer = UrlSigner.of(settings.edge_url, keys.next_id, keys.next_pem, 300)
        try:
            with httpx.Client(timeout=10, follow_redirects=False, trust_env=False) as http:
                return all(_is_taken(http.get(signer.url(PROBE, datetime.now(UTC)))) for _ in range(PROBES))
        except httpx.HTTPError as error:
            raise ContentError("edge-unavailable", "The edge does not answer.", "Look at edge_url.", True) from error

    return ask


def _is_taken(answer: httpx.Response) -> bool:
    if answer.status_code not in (403, 404):
        raise ContentError("edge-unavailable", f"The edge answers {answer.status_code}.", "Look at it.", True)
    return answer.status_code == 404


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _parsed(name: str, text: str) -> Any:
    return json.loads(text or "{}") if name == "edge_retired_keys" else text


def _variable(name: str) -> str:
    return f"CONTENT_{name.upper()}"
