"""Which tables the log leaves out is said with a reason, once."""

from __future__ import annotations

from cluster.eventlog import slips, tables


def test_reasons_are_sentences_and_names_are_not_twice() -> None:
    assert not set(tables.UNTOLD) & set(tables.WORK)
    assert all(len(reason) > 15 for reason in (*tables.UNTOLD.values(), *tables.WORK.values()))


def test_an_identity_lies_apart_from_all_that_is_kept_for_good() -> None:
    key = {"tenant": "acme", "pseudonym": "lrn_1"}
    assert tables.identity("learners", "acme", key) == "identities/acme/lrn_1"
    assert tables.identity("erasure_salts", "acme", {"tenant": "acme"}) == "identities/acme/salt"
    assert not set(tables.PERSONAL) & set(slips.URGENT)
