"""What `doctor` says of keys that are out of use, of drills, and of settings for AWS KMS."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from cluster.settings import Settings
from tasks.doctor import configuration, keys

DAY_S = 86_400.0


def settings(**given: Any) -> Settings:
    return Settings(**given)  # pyright: ignore[reportCallIssue]


@pytest.mark.parametrize(
    ("overdue", "status", "told"),
    [
        ({"enabled": 0, "alone": 0}, "ok", "disabled"),
        ({"enabled": 2, "alone": 1}, "warn", "2 keys that are out of use still sign"),
        ({"enabled": 0, "alone": 3}, "warn", "3 keys stand in one region only"),
    ],
)
def test_keys_that_wait_for_upkeep_are_found(overdue: dict[str, int], status: str, told: str) -> None:
    found = keys._ends(overdue)
    assert (found.status, told in found.what) == (status, True)


@pytest.mark.parametrize(
    ("age_days", "drills", "stuck", "profile", "status"),
    [
        (None, 0, 0, "development", "ok"),
        (3, 0, 0, "development", "ok"),
        (3, 0, 0, "production", "warn"),
        (3, 5, 0, "production", "ok"),
        (97, 5, 0, "production", "ok"),
        (99, 5, 0, "production", "fail"),
        (99, 5, 0, "development", "fail"),
        (3, 5, 1, "production", "warn"),
    ],
)
def test_a_drill_is_overdue_a_week_after_its_quarter(
    age_days: float | None, drills: int, stuck: int, profile: str, status: str
) -> None:
    age_s = None if age_days is None else age_days * DAY_S
    found = keys._drill({"age_s": age_s, "drills": drills, "stuck": stuck}, settings(profile=profile))
    assert found.status == status


def test_with_kms_nothing_of_openbao_need_be_set() -> None:
    secrets = {name: SecretStr("x") for name in configuration.SECRETS if name != "openbao_token"}
    addresses = {name: "https://there" for name in configuration.ADDRESSES if name != "openbao_url"}
    with_kms = settings(**secrets, **addresses, key_service="kms", openbao_url="")
    assert configuration._complete(with_kms).status == "ok"
    assert "openbao_token" in configuration._complete(settings(**secrets, **addresses)).what
    on_aws = with_kms.model_copy(
        update={"s3_endpoint": None, "s3_access_key": SecretStr(""), "s3_secret_key": SecretStr("")}
    )
    assert configuration._complete(on_aws).status == "ok", "the pod has a role"


def test_a_production_whose_keys_have_no_policy_is_not_safe() -> None:
    given = {**dict.fromkeys(configuration.ADDRESSES, "https://there"), "openbao_url": "http://127.0.0.1:8200"}
    production = settings(**given, profile="production", key_service="kms")
    found = configuration._safe(production)
    assert (found.status, "kms_account" in found.remedy) == ("fail", True)
    assert configuration._safe(production.model_copy(update={"kms_account": "111122223333"})).status == "ok"
