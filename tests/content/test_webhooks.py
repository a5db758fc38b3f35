"""Messages to webhooks, verified by the standard's own library, and what follows from an answer."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from content.webhooks import Again, Delivered, GaveUp, body, decide, headers, secret_text

KEY, OTHER = bytes(range(32)), bytes(range(32, 64))
THEN = datetime(2026, 11, 20, tzinfo=UTC)
CONTENT = body("content.job.finished.v1", THEN, {"title": "Grüße", "n": 1})


def sent(*keys: bytes) -> dict[str, str]:
    """Header fields of a message sent this moment: the library takes none that is older than five minutes."""
    return headers(list(keys), "msg-1", datetime.now(UTC), CONTENT)


def test_a_message_is_verified_by_the_standards_library() -> None:
    message = Webhook(secret_text(KEY)).verify(CONTENT, sent(KEY))
    assert message["type"] == "content.job.finished.v1"
    assert message["data"] == {"title": "Grüße", "n": 1}


def test_while_a_secret_is_replaced_both_verify() -> None:
    both = sent(KEY, OTHER)
    for key in (KEY, OTHER):
        Webhook(secret_text(key)).verify(CONTENT, both)


@pytest.mark.parametrize(
    ("content", "changed"),
    [
        (CONTENT + b" ", {}),
        (CONTENT, {"webhook-id": "msg-2"}),
        (CONTENT, {"webhook-timestamp": str(int((THEN - timedelta(hours=1)).timestamp()))}),
        (CONTENT, {"webhook-signature": "v1," + base64.b64encode(bytes(32)).decode()}),
    ],
)
def test_nothing_of_it_can_be_changed(content: bytes, changed: dict[str, str]) -> None:
    with pytest.raises(WebhookVerificationError):
        Webhook(secret_text(KEY)).verify(content, {**sent(KEY), **changed})


SCHEDULE = (5.0, 300.0)


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_every_2xx_is_an_end(status: int) -> None:
    assert decide(status, 1, SCHEDULE, 0.5) == Delivered()


@pytest.mark.parametrize("status", [None, 301, 302, 400, 401, 404, 429, 500, 503])
def test_everything_else_is_sent_again_and_given_up_in_the_end(status: int | None) -> None:
    assert decide(status, 1, SCHEDULE, 0.5) == Again(5.0)
    assert decide(status, 2, SCHEDULE, 0.5) == Again(300.0)
    assert decide(status, 3, SCHEDULE, 0.5) == GaveUp(gone=False)


def test_a_receiver_is_not_asked_sooner_than_it_said() -> None:
    assert decide(503, 1, SCHEDULE, 0.5, 60.0) == Again(60.0)
    assert decide(503, 2, SCHEDULE, 0.5, 60.0) == Again(300.0)
    assert decide(503, 3, SCHEDULE, 0.5, 60.0) == GaveUp(gone=False)


def test_gone_is_final_at_once() -> None:
    assert decide(410, 1, SCHEDULE, 0.5) == GaveUp(gone=True)


def test_waits_are_spread_by_a_fifth_either_way() -> None:
    assert decide(500, 2, SCHEDULE, 0.0) == Again(240.0)
    assert decide(500, 2, SCHEDULE, 1.0) == Again(360.0)
