"""Which API a command speaks to, and as whom. Every command of the API's users takes the same options for it.

A deployment is named by its address and a token (`--api`, `--token-file`, or the variables). Without a token it is the local
stack of `--home`, whose identity provider mints one with the scopes that the command needs and no others.
"""

from __future__ import annotations

import base64
import functools
import inspect
import json
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from content.errors import ContentError
from serve_app.cli.options import DEFAULT_HOME, AsJson, Home
from serve_app.cli.output import print_json

if TYPE_CHECKING:
    from serve_app.client import Client

DEFAULT_TENANT = "demo"
PANEL = "Which API, and who asks"
Api = Annotated[
    str | None, typer.Option("--api", envvar="CONTENT_API_URL", rich_help_panel=PANEL, help="Address of the API.")
]
Token = Annotated[
    str | None,
    typer.Option("--token", envvar="CONTENT_TOKEN", rich_help_panel=PANEL, help="Bearer token; others may see it in `ps`."),
]  # fmt: skip
TokenFile = Annotated[
    Path | None,
    typer.Option("--token-file", envvar="CONTENT_TOKEN_FILE", rich_help_panel=PANEL, help="File with the bearer token."),
]  # fmt: skip
TenantName = Annotated[
    str | None,
    typer.Option(
        "--tenant", envvar="CONTENT_TENANT", rich_help_panel=PANEL, help="The token's, or demo in a local stack."
    ),
]
SHARED: dict[str, tuple[Any, Any]] = {
    "api_url": (Api, None),
    "token": (Token, None),
    "token_file": (TokenFile, None),
    "tenant": (TenantName, None),
    "home": (Home, DEFAULT_HOME),
    "as_json": (AsJson, False),
}


@dataclass(frozen=True)
class Caller:
    """Who asks which API. `local` is the home of the local stack, or None for any other deployment."""

    api: Client
    tenant: str
    local: Path | None
    as_json: bool

    def show(self, document: Any, told: Callable[[], None]) -> None:
        """The document for a program, or what a person is told."""
        if self.as_json:
            print_json(document)
        else:
            told()

    def stack(self, what: str) -> Path:
        """The home of the local stack; raises `local-stack-only` elsewhere."""
        if self.local is None:
            raise ContentError(
                "local-stack-only",
                f"{what} plays a neighbouring service, which only the local stack lets us.",
                "In a deployment that service does it; leave out --api and the token to use a local stack.",
            )
        return self.local


def asks(*scopes: str, lists: str = "") -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the shared options and a `Caller` in their place, its first argument.

    `scopes` are what its token needs. `lists` is the command that shows which ids there are: it is what to do when one is
    not found.
    """

    def decorated(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        own = list(signature.parameters.values())[1:]

        @functools.wraps(command)
        def called(**given: Any) -> None:
            shared = {name: given.pop(name) for name in SHARED}
            with ExitStack() as opened:
                caller = _caller(scopes, **shared)
                opened.enter_context(caller.api)
                try:
                    command(caller, **given)
                except ContentError as error:
                    if error.code == "not-found" and lists:
                        raise _with_remedy(error, f"`content-service {lists}` shows which there are.") from error
                    raise

        shared = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for name, (annotation, default) in SHARED.items()
        ]
        mine = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
        called.__signature__ = inspect.Signature([*mine, *shared])  # type: ignore[attr-defined]
        called.__annotations__ = {parameter.name: parameter.annotation for parameter in (*mine, *shared)}
        called.__doc__ = f"{inspect.cleandoc(command.__doc__ or '')}\n\n{_needs(scopes)}"
        return called

    return decorated


def _needs(scopes: Iterable[str]) -> str:
    return f"Needs the scope {' and '.join(scopes)}."


def _with_remedy(error: ContentError, remedy: str) -> ContentError:
    changed = replace(error)
    changed.remedy = remedy
    return changed


def _caller(
    scopes: Iterable[str],
    *,
    api_url: str | None,
    token: str | None,
    token_file: Path | None,
    tenant: str | None,
    home: Path,
    as_json: bool,
) -> Caller:
    from serve_app.client import Client

    if token_file is not None and token is None:
        token = _read(token_file)
    if token is not None:
        return Caller(Client(api_url or _local_url(home), token=token), _tenant_of(token, tenant), None, as_json)
    if api_url is not None and not _is_local(home, api_url):
        raise ContentError(
            "token-missing", f"Nobody is named to {api_url}.", "Give --token-file, or set CONTENT_TOKEN."
        )
    from cluster.local.identity import mint_token

    url, tenant = _local_url(home), tenant or DEFAULT_TENANT
    return Caller(Client(url, token=mint_token(home, tenant, scopes, "cli")), tenant, home, as_json)


def _local_url(home: Path) -> str:
    from serve_app.cli.options import settings_for

    try:
        return settings_for(home).api_url
    except ContentError as error:
        if error.code != "stack-unknown":
            raise
        raise _with_remedy(
            error, "`content-service up` starts one here; for another deployment give --api and --token-file."
        ) from error


def _is_local(home: Path, url: str) -> bool:
    try:
        return _local_url(home) == url.rstrip("/")
    except ContentError:
        return False


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ContentError(
            "token-file", f"The token file {path} cannot be read: {error}.", "Check --token-file."
        ) from error


def _tenant_of(token: str, wanted: str | None) -> str:
    """The tenant that a token says it is of; the API alone judges whether that is true."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        found = str(claims["tenant"])
    except (IndexError, ValueError, KeyError, TypeError) as error:
        raise ContentError(
            "token-malformed", "The token is no JWT with a tenant.", "Get one from the identity provider."
        ) from error
    if wanted is not None and wanted != found:
        raise ContentError(
            "token-tenant",
            f"The token is of the tenant {found}, not of {wanted}.",
            "Leave out --tenant, or use another token.",
        )
    return found
