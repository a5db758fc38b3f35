"""Writing an object from front to back: in pieces, whole or not at all, and what failed on the way is heard of."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.uploads import Upload
from content.errors import ContentError


class Store:
    """The calls of `cluster.objects.Objects` that an upload makes, in memory."""

    def __init__(self, broken_piece: int = 0) -> None:
        self.whole: dict[str, bytes] = {}
        self.told: dict[str, Any] = {}
        self.pieces: dict[int, bytes] = {}
        self.aborted: list[str] = []
        self._broken_piece = broken_piece

    def put(self, key: str, body: bytes, media_type: str, *, file_name: str | None) -> None:
        self.whole[key], self.told = body, {"media_type": media_type, "file_name": file_name}

    def begin(self, key: str, media_type: str, *, file_name: str | None) -> str:
        self.told = {"media_type": media_type, "file_name": file_name}
        return f"upload of {key}"

    def piece(self, key: str, upload: str, number: int, body: bytes) -> dict[str, Any]:
        if number == self._broken_piece:
            raise ContentError("storage-unavailable", "Away.", "Try again.", True)
        self.pieces[number] = body
        return {"PartNumber": number}

    def finish(self, key: str, upload: str, pieces: list[dict[str, Any]]) -> None:
        assert [piece["PartNumber"] for piece in pieces] == sorted(self.pieces)
        self.whole[key] = b"".join(self.pieces[number] for number in sorted(self.pieces))

    def abort(self, key: str, upload: str) -> None:
        self.aborted.append(upload)


def upload(store: Store, **options: Any) -> Upload:
    return Upload(store, "k", "application/zip", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 20, 21, 95])
@pytest.mark.parametrize("step", [1, 7, 10, 33])
def test_what_is_written_is_what_is_there(size: int, step: int) -> None:
    store, data = Store(), bytes(range(size))
    with upload(store, piece=10, file_name="a.zip") as out:
        for at in range(0, size, step):
            assert out.write(data[at : at + step]) == len(data[at : at + step])
        assert (out.written, out.tell(), store.whole) == (size, size, {})
        out.finish()
    assert store.whole == {"k": data}
    assert store.told == {"media_type": "application/zip", "file_name": "a.zip"}
    assert [len(store.pieces[number]) for number in sorted(store.pieces)][:-1] == [10] * max(0, len(store.pieces) - 1)
    assert (len(store.pieces) > 0) == (size > 10)
    assert store.aborted == []


def test_an_upload_that_is_given_up_leaves_nothing() -> None:
    store = Store()
    with pytest.raises(RuntimeError), upload(store, piece=10) as out:
        out.write(b"x" * 25)
        raise RuntimeError
    assert (store.whole, store.aborted) == ({}, ["upload of k"])
    small = Store()
    with pytest.raises(RuntimeError), upload(small, piece=10) as out:
        out.write(b"x")
        raise RuntimeError
    assert (small.whole, small.aborted) == ({}, [])


@pytest.mark.parametrize("broken", [1, 3, 4])
def test_a_piece_that_the_store_did_not_take_fails_the_whole(broken: int) -> None:
    store = Store(broken_piece=broken)
    with pytest.raises(ContentError) as failed, upload(store, piece=10) as out:
        for _ in range(4):
            out.write(b"x" * 10)
        out.finish()
    assert failed.value.code == "storage-unavailable"
    assert (store.whole, store.aborted) == ({}, ["upload of k"])
