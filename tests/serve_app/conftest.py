"""What the command line's and the devices' tests share; lets them import `tests.vectors`, however pytest was started."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from serve_app.cli import main  # noqa: E402
from serve_app.client import Client  # noqa: E402
from serve_app.device import download  # noqa: E402
from tests.serve_app.device_world import Made, bundle  # noqa: E402
from tests.support.answers import API, Answers, Run, token  # noqa: E402


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command against an API in memory: (exit code, standard output, standard error)."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("CONTENT_TOKEN", token())
    monkeypatch.setenv("CONTENT_API_URL", API)
    monkeypatch.delenv("CONTENT_TENANT", raising=False)

    def called(*arguments: str, api: Answers | None = None) -> tuple[int, str, str]:
        transport = httpx.MockTransport(api or Answers({}))
        made = partial(Client, transport=transport, sleep=lambda _: None, patience_s=0.0)
        monkeypatch.setattr("serve_app.client.Client", made)
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return called


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "FIRST_PAUSE_S", 0.0)


@pytest.fixture(scope="session")
def first() -> Made:
    return bundle(1)


@pytest.fixture(scope="session")
def second() -> Made:
    """All of it is new."""
    return bundle(2)
