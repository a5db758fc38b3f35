"""What `make audit` makes of the answers of the advisory databases; their forms are those of pip-audit 2 and npm 11."""

from __future__ import annotations

from tests.audit import CLEAN, EXPLAINED, FOUND, UNKNOWN, Answer, Fault, explained, judge, of_npm_audit, of_pip_audit

PIP = {
    "dependencies": [
        {"name": "sound", "version": "1.0", "vulns": []},
        {
            "name": "faulty",
            "version": "2.0",
            "vulns": [{"id": "PYSEC-2026-1", "fix_versions": [], "description": "Bad."}],
        },
        {"name": "strange", "skip_reason": "Dependency not found"},
    ]
}
NPM = {
    "vulnerabilities": {
        "inner": {"via": [{"title": "Worse", "url": "https://github.com/advisories/GHSA-aaaa-bbbb-cccc"}]},
        "outer": {"via": ["inner"]},
    }
}


def test_answers_are_read() -> None:
    assert of_pip_audit(PIP) == Answer((Fault("faulty 2.0", "PYSEC-2026-1", "Bad."),), ("strange",))
    assert of_npm_audit(NPM) == Answer((Fault("inner", "GHSA-aaaa-bbbb-cccc", "Worse"),))
    assert of_npm_audit({"error": {"code": "ENOAUDIT"}}).unasked


def test_what_is_found_outranks_what_could_not_be_asked() -> None:
    code, lines = judge([of_pip_audit(PIP)], set())
    assert code == FOUND and "PYSEC-2026-1" in lines[0]


def test_not_asked_is_not_clean() -> None:
    assert judge([Answer(unasked=("a", "b"))], set())[0] == UNKNOWN
    assert judge([of_pip_audit(PIP)], {"PYSEC-2026-1"})[0] == UNKNOWN


def test_clean_and_an_explanation_that_nothing_needs() -> None:
    assert judge([Answer()], set())[0] == CLEAN
    assert judge([of_npm_audit(NPM)], {"GHSA-aaaa-bbbb-cccc"})[0] == CLEAN
    assert judge([Answer()], {"GHSA-aaaa-bbbb-cccc"})[0] == FOUND


def test_the_page_is_read() -> None:
    assert explained("| GHSA-aaaa-bbbb-cccc | inner | never called |\n| PYSEC-2026-1 | x | y |") == {
        "GHSA-aaaa-bbbb-cccc", "PYSEC-2026-1"
    }  # fmt: skip
    assert isinstance(explained(EXPLAINED.read_text()), set)
