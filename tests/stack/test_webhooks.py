"""Webhooks from the API to a receiver on this machine: signed, sent again, held back, given up; nothing of it in clear."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.types.json import Jsonb
from standardwebhooks.webhooks import Webhook

from cluster.deliveries import OWE
from cluster.local.identity import mint_token
from tests.support.hooks import FINISHED, PUBLISHED, Hook
from tests.support.receiver import Receiver, receiving
from tests.support.running import Running
from tests.support.tenants import Tenant
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def test_what_happens_is_told_and_can_be_verified(running: Running, receiver: Receiver) -> None:
    hook = Hook(running, receiver.url)
    course = hook.tenant.course().text()
    hook.tenant.publish(course)
    hook.tenant.built(course)
    until("both told", lambda: len(receiver.heard) >= 2, 30, hook.deliveries)
    messages = {}
    for heard in receiver.heard:
        message = Webhook(hook.secret).verify(heard.content, heard.headers)
        messages[message["type"]] = (heard.headers["webhook-id"], message["data"])
    # A webhook may be told before the relay has carried the event.
    (published,) = until("sync-service heard", lambda: hook.tenant.running.heard(hook.tenant.name, PUBLISHED), 30)
    assert messages[PUBLISHED] == (published["id"], published["data"])
    finished = messages[FINISHED][1]
    assert (finished["state"], finished["subject"]["version"]) == ("succeeded", 1)
    until("both recorded", lambda: {row["state"] for row in hook.deliveries()} == {"delivered"}, 30, hook.deliveries)

    # It is nobody else's, and its secret stands nowhere.
    other = Tenant(running)
    token = mint_token(running.home.path, other.name, ["operator"], "x")
    answer = httpx.get(running.settings.api_url + hook.path, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 404
    stored = json.dumps(running.rows("select * from webhooks where tenant = %s", hook.tenant.name), default=str)
    assert hook.secret.removeprefix("whsec_") not in stored
    assert "secret" not in hook.show()


def test_what_fails_is_sent_again_under_the_same_id(running: Running, receiver: Receiver) -> None:
    hook = Hook(running, receiver.url)
    receiver.answers = [500, 302, 200]
    event_id = hook.test()
    done = hook.ended(event_id, "delivered")
    assert [attempt["status"] for attempt in done["log"]] == [500, 302, 200]
    assert {heard.headers["webhook-id"] for heard in receiver.heard} == {event_id}
    assert hook.show()["failing_since"] is None

    receiver.answers = [503]
    event_id = hook.test()
    failed = hook.ended(event_id, "failed")
    assert failed["attempts"] == len(running.settings.webhook_retry_s) + 1
    assert hook.show()["failing_since"] is not None
    receiver.answers = [200]
    assert hook.api.post(f"{hook.path}/deliveries/{event_id}/redeliver").status_code == 202
    assert hook.ended(event_id, "delivered")["attempts"] == failed["attempts"] + 1


def test_pausing_replacing_the_secret_and_gone(running: Running, receiver: Receiver) -> None:
    hook = Hook(running, receiver.url)
    hook.api.patch(hook.path, json={"state": "paused"}).raise_for_status()
    waits = hook.test()
    rotated = hook.api.post(f"{hook.path}/secret/rotate").json()["secret"]
    assert receiver.heard == []
    hook.api.patch(hook.path, json={"state": "active"}).raise_for_status()
    hook.ended(waits, "delivered")
    for secret in (hook.secret, rotated):
        Webhook(secret).verify(receiver.heard[-1].content, receiver.heard[-1].headers)

    receiver.answers = [410]
    hook.ended(hook.test(), "failed")
    shown = hook.show()
    assert (shown["state"], shown["reason"]) == ("disabled", "its receiver answered 410 Gone")
    in_order = "select action from audit_log where tenant = %s order by n"
    assert running.rows(in_order, hook.tenant.name)[-1]["action"] == "webhook.disabled"
    assert hook.api.delete(hook.path).status_code == 204
    assert hook.api.get(hook.path).status_code == 404


def test_an_event_that_is_promised_while_it_goes_on_is_not_left_behind(running: Running, receiver: Receiver) -> None:
    """The promise was made to a paused one, and is committed after the change that frees what paused ones are owed."""
    hook = Hook(running, receiver.url)
    hook.api.patch(hook.path, json={"state": "paused"}).raise_for_status()
    event = {"tenant": hook.tenant.name, "ids": ["evt-late"], "types": [FINISHED], "data": [Jsonb({"late": True})]}
    waits = "select 1 as x from pg_stat_activity where wait_event_type = 'Lock' and query ilike '%%webhooks%%'"
    with psycopg.connect(running.settings.postgres_worker.get_secret_value()) as db, ThreadPoolExecutor(1) as threads:
        db.execute("select set_config('app.tenant', %s, true)", [hook.tenant.name])
        db.execute(OWE, event)
        going_on = threads.submit(hook.api.patch, hook.path, json={"state": "active"})
        until("it waits, or is over", lambda: going_on.done() or running.rows(waits), 30)
        db.commit()
        going_on.result(30).raise_for_status()
    hook.ended("evt-late", "delivered")


def test_failing_for_days_ends_it_and_what_it_was_owed(running: Running, receiver: Receiver) -> None:
    hook = Hook(running, receiver.url)
    receiver.answers = [500]
    hook.ended(hook.test(), "failed")
    assert hook.show()["state"] == "active"
    with running.superuser() as connection:
        connection.execute(
            b"""update webhooks set failing_since = now() - make_interval(secs => %s)
                where tenant = %s and webhook_id = %s""",
            [running.settings.webhook_disable_after_s + 60, hook.tenant.name, hook.path.rpartition("/")[2]],
        )
    hook.ended(hook.test(), "failed")
    shown = until("disabled", lambda: (found := hook.show())["state"] == "disabled" and found, 20, hook.show)
    assert shown["reason"].startswith("every attempt failed since ")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"url": "ftp://example.com/", "types": [FINISHED]}, "webhook-url-refused"),
        ({"url": "http://127.0.0.1/", "types": ["content.nothing.v1"]}, "webhook-type-unknown"),
        ({"url": "http://127.0.0.1/", "types": []}, "request-invalid"),
        ({"url": "http://127.0.0.1/", "types": [FINISHED], "secret": "mine"}, "request-invalid"),
    ],
)
def test_what_cannot_be_a_webhook(running: Running, body: dict[str, Any], code: str) -> None:
    token = mint_token(running.home.path, Tenant(running).name, ["webhooks:manage"], "owner")
    refused = httpx.post(
        f"{running.settings.api_url}/v1/webhooks", json=body, headers={"Authorization": f"Bearer {token}"}
    )
    assert (refused.status_code, refused.json()["code"]) == (422, code)
