"""Opening a bundle that travels as one file: lists first, then the licence of this device, then as any other bundle.

docs/bundle-format.md, "Single file", steps 4 to 6. What the lists lead to is saved before any licence is looked at; else
the holder of a revoked bundle could show the old lists again. Before: `container.py` checked the layout. After:
`OpenBundle`, whose parts are read out of the file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from content.bundles.container import AGAIN, Container
from content.bundles.container_layout import (
    CHAIN,
    INDEX,
    LICENCES,
    LIMITS,
    MAX_LICENCES,
    REVOCATIONS,
    REVOCATIONS_SIGNATURE,
)
from content.bundles.errors import BundleRefused
from content.bundles.index import Index
from content.bundles.licence import MAX_BYTES as MAX_LICENCE_BYTES
from content.bundles.licence import IndexRef, parse_index_ref
from content.bundles.lists import accept_lists
from content.bundles.open import OpenBundle, ReadRange, open_bundle
from content.bundles.state import ReaderState
from content.devices.identity import DeviceIdentity
from content.documents import THUMBPRINT, DocumentRefused, Fields, parse_canonical, parse_document


@dataclass(frozen=True)
class CarriedLists:
    """Chain and revocation list as they came; nothing of them is believed yet."""

    chain: Any
    revocations: bytes
    revocations_signature: Any


@dataclass(frozen=True)
class CarriedLicence:
    """A licence as it came, and where it says its index lies; nothing of it is believed yet."""

    licence: bytes
    signature: Any
    index: IndexRef


def lists_of(container: Container) -> CarriedLists:
    """Raises BundleRefused `container-document`."""
    chain, signature = (_canonical(name, container.contents(name)) for name in (CHAIN, REVOCATIONS_SIGNATURE))
    return CarriedLists(chain, container.contents(REVOCATIONS), signature)


def licences_of(container: Container) -> dict[str, CarriedLicence]:
    """By device id, in its order; none in a file of lists alone. Raises BundleRefused `container-document`."""
    return {} if container.lists_only else parse_licences(container.contents(LICENCES))


def licence_of(container: Container, device_id: str) -> CarriedLicence:
    """Raises BundleRefused `container-document` or `container-device`."""
    found = licences_of(container)
    if not found:
        message = "The file holds trust and revocation lists, and no course."
        raise BundleRefused("container-device", message, "Use a file with a course in it.")
    if device_id not in found:
        others = "one other device" if len(found) == 1 else f"{len(found):,} other devices"
        message = f"The file is for {others}, not for this one."
        raise BundleRefused("container-device", message, "Ask for a file that includes this device.")
    return found[device_id]


def open_container(
    container: Container,
    *,
    device: DeviceIdentity,
    state: ReaderState,
    now: datetime,
    save: Callable[[ReaderState], None],
    pinned_root: str | None = None,
) -> OpenBundle:
    """Steps 4 to 6: the bundle for this device. `save` is given the state that the lists lead to, before any licence is
    looked at; the caller keeps it whatever comes afterwards, and the bundle's own state once the bundle is its.

    Raises ContentError subclasses only: `container-document`, `container-device`, `container-parts`, or the code of
    `accept_lists` and `open_bundle`.
    """
    lists = lists_of(container)
    accepted = accept_lists(
        state, lists.chain, lists.revocations, lists.revocations_signature,
        tenant=device.tenant, now=now, pinned_root=pinned_root,
    )  # fmt: skip
    save(accepted.state)
    carried = licence_of(container, device.id)
    read_range, bind = part_reader(container)
    bundle = open_bundle(
        licence=carried.licence,
        signature=carried.signature,
        index=container.contents(INDEX),
        chain=lists.chain,
        revocations=lists.revocations,
        revocations_signature=lists.revocations_signature,
        device=device,
        state=accepted.state,
        now=now,
        read_range=read_range,
        pinned_root=pinned_root,
    )
    bind(bundle.index)
    return bundle


def part_reader(container: Container) -> tuple[ReadRange, Callable[[Index], None]]:
    """A `read_range(path, offset, length)` over the file, and how to tell it, once it is verified, which index names the
    paths; that raises BundleRefused `container-parts` unless number and sizes of the parts are those of the index."""
    numbers: dict[str, int] = {}

    def bind(index: Index) -> None:
        if [entry.size for entry in container.parts] != [part.size for part in index.parts]:
            raise BundleRefused("container-parts", "The parts in the file are not those of its index.", AGAIN)
        numbers.update((part.path, number) for number, part in enumerate(index.parts))

    return lambda path, offset, length: container.read_part(numbers[path], offset, length), bind


def parse_licences(data: bytes) -> dict[str, CarriedLicence]:
    """The licences of a file by device id. Of each only the device and the index are looked at here: what else it says is
    checked by the device it is for. Raises BundleRefused `container-document`."""
    found: dict[str, CarriedLicence] = {}
    members = _canonical(LICENCES, data)
    if not isinstance(members, list) or not 1 <= len(cast("list[Any]", members)) <= MAX_LICENCES:
        raise BundleRefused("container-document", f"The licences are not a list of 1 to {MAX_LICENCES:,}.", AGAIN)
    last = ""
    for member in cast("list[Any]", members):
        try:
            device_id, carried = _parse_carried(member)
        except DocumentRefused as error:
            raise BundleRefused(
                "container-document", "A licence in the file has not the form it must have.", AGAIN
            ) from error
        if device_id <= last or (found and carried.index != found[last].index):
            raise BundleRefused(
                "container-document", "The licences are not in order of their devices, or not of one index.", AGAIN
            )
        found[device_id], last = carried, device_id
    return found


def _parse_carried(member: object) -> tuple[str, CarriedLicence]:
    fields = Fields(member, "licence")
    text, signature = fields.take("licence"), fields.take("signature")
    fields.done()
    if not isinstance(text, str):
        raise fields.refuse("it is not a string")
    licence = text.encode()
    members = Fields(parse_document(licence, "licence", MAX_LICENCE_BYTES), "licence")
    device_id = members.fields("device").text("id", THUMBPRINT)
    return device_id, CarriedLicence(licence, signature, parse_index_ref(members))


def _canonical(name: str, data: bytes) -> Any:
    try:
        return parse_canonical(data, name, LIMITS[name])
    except DocumentRefused as error:
        raise BundleRefused("container-document", f"{name} is not JSON in its canonical form.", AGAIN) from error
