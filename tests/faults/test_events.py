"""Events that are no good: each is a dead letter with its reason, none holds up the next, all can be brought in again."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nats
import pytest
from nats.js.errors import APIError

from cluster.local.home import read_json
from cluster.local.identity import mint_token
from serve_app.client import Client
from tests.support import messages
from tests.support.light import Light
from tests.support.tenants import Tenant
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(300)

ENROLLED, DRAFTED = "enrollment.created.v1", "authoring.course_draft.published.v1"
FIVE_MB = 5 << 20


@pytest.fixture
def tenant(bare: Light) -> Tenant:
    return Tenant(bare)


def newest(running: Light) -> int:
    letters = messages.dead_letters(running)
    return letters[-1].sequence if letters else 0


def enrolment(tenant: str, number: int | str = 1) -> dict[str, Any]:
    data = {"enrollment_id": f"enr-{number}", "learner_id": "learner-1", "course_id": "course-1"}
    return messages.event(ENROLLED, tenant, data)


def bad_ones(tenant: str) -> dict[str, tuple[str, bytes]]:
    """What is wrong → (code of the refusal, the bytes)."""
    good = enrolment(tenant)
    text = json.dumps(good)

    def but(**members: Any) -> bytes:
        return json.dumps({**good, **members}).encode()

    return {
        "no JSON": ("event-not-json", b"good morning"),
        "nothing": ("event-not-json", b""),
        "half of it": ("event-not-json", text[: len(text) // 2].encode()),
        "invalid UTF-8": ("event-not-json", text.encode().replace(b"learner-1", b"learner-\xff")),
        "UTF-16": ("event-not-json", text.encode("utf-16")),
        "a name twice": ("event-not-json", text.replace('"source"', '"id": "other", "source"').encode()),
        "not a number": ("event-not-json", text.replace('"learner-1"', "NaN").encode()),
        "nested deeply": ("event-not-json", b'{"data":' + b"[" * 200_000 + b"]" * 200_000 + b"}"),
        "a list": ("event-invalid", b"[]"),
        "no data": ("event-invalid", but(data=None)),
        "a field missing": ("event-invalid", but(data={"tenant_id": tenant, "learner_id": "l", "course_id": "c"})),
        "a NUL in an id": ("event-invalid", but(id="a\0b")),
        "half a character": ("event-invalid", text.replace("learner-1", "\\ud800").encode()),
        "unknown version": ("event-unknown-version", but(type="enrollment.created.v7")),
        "unknown type": ("event-unknown-type", but(type="enrollment.dreamt.v1")),
        "ours, not theirs": ("event-invalid", but(type="content.play_package.published.v1")),
        "unknown tenant": ("tenant-unknown", json.dumps(enrolment("nobody-here")).encode()),
    }


def test_what_is_wrong_is_a_dead_letter_with_its_reason_and_blocks_nobody(bare: Light, tenant: Tenant) -> None:
    before, bad = newest(bare), bad_ones(tenant.name)
    for number, (_, body) in enumerate(bad.values()):
        messages.send(bare, ENROLLED, body, enrolment(tenant.name, number))
    bare.worker("relay")
    until("all taken in", lambda: messages.intake_is_through(bare), 120)
    letters = messages.dead_letters(bare, before)
    assert [(letter.reason, letter.body) for letter in letters] == list(bad.values())
    for letter in letters:
        assert (letter.subject, letter.size_bytes, letter.whole) == (ENROLLED, len(letter.body), True)
        assert letter.problem["title"]
    taken = bare.rows("select enrollment_id from enrolments where tenant = %s", tenant.name)
    assert {row["enrollment_id"] for row in taken} == {f"enr-{number}" for number in range(len(bad))}


def test_five_megabytes_are_refused_by_the_server(bare: Light) -> None:
    """As a client that knows no limit sends them; the connection ends, nothing is stored."""
    user, where = read_json(bare.home.keys / "neighbours.json"), urlsplit(bare.settings.nats_url)
    hello = {"user": user["nats_user"], "pass": user["nats_password"], "verbose": False, "pedantic": False}
    stored = messages.asked(bare, lambda stream: stream.stream_info("DOMAIN")).state.messages
    with socket.create_connection((str(where.hostname), where.port or 4222), timeout=10) as connection:
        assert b'"max_payload":1048576' in connection.recv(4096)
        connection.sendall(f"CONNECT {json.dumps(hello)}\r\nPUB {ENROLLED} {FIVE_MB}\r\n".encode())
        answer = b""
        while b"-ERR" not in answer:
            answer += connection.recv(4096)
    assert b"Maximum Payload Violation" in answer
    assert messages.asked(bare, lambda stream: stream.stream_info("DOMAIN")).state.messages == stored


def command(running: Light, *arguments: str) -> tuple[int, str]:
    program = Path(sys.executable).with_name("content-service")
    argv = [str(program), "events", *arguments, "--home", str(running.home.path)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


def test_dead_letters_are_listed_shown_brought_in_again_and_purged(bare: Light) -> None:
    """The way of an operator who made a tenant too late."""
    before, missing = newest(bare), f"late-{secrets.token_hex(4)}"
    orphan = enrolment(missing)
    messages.send(bare, ENROLLED, orphan, b"nonsense", orphan)
    bare.worker("relay")
    until("three dead letters", lambda: len(messages.dead_letters(bare, before)) == 3, 120)
    until("all taken in", lambda: messages.intake_is_through(bare), 60)

    code, text = command(bare, "dead", "--after", str(before))
    assert code == 0
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "tenant-unknown" in text
    assert "event-not-json" in text
    code, text = command(bare, "dead", "--after", str(before), "--limit", "1", "--json")
    first = json.loads(text)
    assert (code, first["items"][0]["reason"], first["next"]) == (0, "tenant-unknown", first["items"][0]["sequence"])
    assert "learner" not in text, "a list shows nothing of the events themselves"
    number = str(first["items"][0]["sequence"])
    assert "learner-1" in command(bare, "show", number)[1]

    assert command(bare, "replay")[0] == 1, "nothing was chosen"
    code, text = command(bare, "replay", number)
    assert code == 1
    assert "tenant-unknown" in text
    assert any(letter.sequence == int(number) for letter in messages.dead_letters(bare, before)), "it stays"

    token = mint_token(bare.home.path, missing, ["operator"], "operator")
    Client(bare.settings.api_url, token=token).post("/v1/tenants", {"tenant": missing, "region": "eu"})
    code, text = command(bare, "replay", "--reason", "tenant-unknown", "--json")
    mine = [entry["outcome"] for entry in json.loads(text) if entry["sequence"] > before]
    assert mine == ["taken", "known"], "the second is the same event"
    assert bare.rows("select 1 from enrolments where tenant = %s", missing)
    assert [letter.reason for letter in messages.dead_letters(bare, before)] == ["event-not-json"]
    assert command(bare, "purge", "--reason", "event-not-json")[0] == 0
    assert messages.dead_letters(bare, before) == []
    assert command(bare, "show", number) == (1, f"dead-letter-unknown: There is no dead letter {number}.\n  → See `content-service events dead`.\n")  # fmt: skip


def test_the_service_may_add_dead_letters_and_neither_read_nor_remove_any(bare: Light) -> None:
    async def read(stream: Any) -> None:
        await stream.get_msg("CONTENT_DEAD", seq=1)

    async def purge(stream: Any) -> None:
        await stream.purge_stream("CONTENT_DEAD")

    for forbidden in (read, purge):
        with pytest.raises((nats.errors.Error, APIError, asyncio.TimeoutError)):
            messages.asked(bare, forbidden)
