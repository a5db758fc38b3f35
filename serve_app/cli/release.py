"""`content-service release promote | status | rollback`: the canary of the API (docs/release.md).

Exit codes of `promote`: 0, the release has all the traffic, or there is none to promote; 1, it was taken back, or something is
as a person has to see to it; 5, with `--once`, it is under way, or else the edge is still to be told of its end.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from serve_app.cli.exits import AGAIN, FAILED
from serve_app.cli.groups import Commands
from serve_app.cli.options import AsJson, examples
from serve_app.cli.output import console, errors, print_json, say
from serve_app.cli.tables import column, moment, show

if TYPE_CHECKING:
    from cluster.release.plan import Plan
    from cluster.release.promoter import Looked, Promoter
    from cluster.release.weights import Gateway

release_app = Commands(help="The canary of the API: a growing share of requests for a new release, or none again.")
EVERY_S = 15.0
LINGER_S = 45.0
"""Three scrapes of 15 s."""
SIGNS = {"passed": "[green]✓[/]", "breach": "[bold red]✗[/]", "unclear": "[yellow]…[/]", "silent": "[dim]–[/]"}

LocalGateway = Annotated[
    str,
    typer.Option(
        "--gateway", metavar="URL", help="A local gateway's administration address, in place of an HTTPRoute."
    ),
]
Namespace = Annotated[str, typer.Option(help="Of the HTTPRoute; the pod's own, if left out.")]
Route = Annotated[str, typer.Option(help="The HTTPRoute whose weights are set.")]
Kubernetes = Annotated[str, typer.Option("--kubernetes", metavar="URL", help="Address of the Kubernetes API.")]
Account = Annotated[Path, typer.Option(metavar="DIR", help="Where the service account's token and authority lie.")]
StableService = Annotated[str, typer.Option(help="The Service of the stable version, as the HTTPRoute names it.")]
CanaryService = Annotated[str, typer.Option(help="The Service of the canary.")]
NAMESPACE, ROUTE, KUBERNETES = "", "content-api", "https://kubernetes.default.svc"
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
STABLE, CANARY = "content-api-serve-svc", "content-api-canary-serve-svc"


def register(app: typer.Typer) -> None:
    app.add_typer(release_app, name="release", rich_help_panel="Operate")


@release_app.command(
    epilog=examples(
        "release promote --probe-token-file token",
        "release promote --gateway http://127.0.0.1:9901",
        "release promote --once --dry-run",
    )
)
def promote(
    prometheus: Annotated[str, typer.Option(metavar="URL", help="Whose numbers decide.")] = "http://prometheus:9090",
    stable_url: Annotated[
        str, typer.Option(metavar="URL", help="The stable version, past the gateway.")
    ] = f"http://{STABLE}:8000",
    canary_url: Annotated[
        str, typer.Option(metavar="URL", help="The canary, past the gateway.")
    ] = f"http://{CANARY}:8000",
    probe_token_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A token (content:read) of the tenant whose manifests are compared."),
    ] = None,
    without_comparison: Annotated[
        bool, typer.Option("--without-comparison", help="Promote although no answers are compared.")
    ] = False,
    plan: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Steps and objectives, JSON; docs/release.md has them.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="One look; exit code 5 if the release is under way.")] = False,
    every_s: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = EVERY_S,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be decided, and change nothing.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Try a release that was taken back before.")] = False,
    gateway: LocalGateway = "",
    namespace: Namespace = NAMESPACE,
    route: Route = ROUTE,
    kubernetes: Kubernetes = KUBERNETES,
    account: Account = ACCOUNT,
    stable_service: StableService = STABLE,
    canary_service: CanaryService = CANARY,
    as_json: AsJson = False,
) -> None:
    """Give the canary its share step by step while it holds its objectives, and take it back by itself when it does not."""
    if probe_token_file is None and not without_comparison:
        raise typer.BadParameter("--probe-token-file is needed to compare answers; or say --without-comparison")
    _listen()
    place = _gateway(gateway, namespace, route, kubernetes, account, stable_service, canary_service)
    token = None if probe_token_file is None else _reader(probe_token_file)
    promoter = _promoter(place, prometheus, stable_url, canary_url, token, _plan(plan), dry_run)

    def tell(looked: Looked) -> None:
        if as_json:
            print_json(_document(looked))
        else:
            _print(looked)

    if once or dry_run:
        looked = promoter.look(again=again)
        tell(looked)
    else:
        looked = promoter.run(tell, every_s=every_s, again=again)
    _linger(looked.name)
    if not looked.ended:
        raise typer.Exit(AGAIN)
    if looked.name in ("roll-back", "halt") or (looked.state is not None and looked.state.phase == "rolled-back"):
        raise typer.Exit(FAILED)


@release_app.command(epilog=examples("release status", "release status --gateway http://127.0.0.1:9901 --json"))
def status(
    gateway: LocalGateway = "",
    namespace: Namespace = NAMESPACE,
    route: Route = ROUTE,
    kubernetes: Kubernetes = KUBERNETES,
    account: Account = ACCOUNT,
    stable_service: StableService = STABLE,
    canary_service: CanaryService = CANARY,
    as_json: AsJson = False,
) -> None:
    """Where the release stands, and the decisions that led there."""
    from cluster.release import state as states
    from content.canonical import rfc3339

    weights = _gateway(gateway, namespace, route, kubernetes, account, stable_service, canary_service).read()
    state, history = states.read(weights.annotations)
    if as_json:
        told = None if state is None else {
            "release": state.release, "phase": state.phase, "since": rfc3339(state.since), "reason": state.reason,
            "manifest_shapes": state.shapes, "edge_told": state.edge_told,
        }  # fmt: skip
        print_json({"share": weights.share, "state": told, "decisions": history})
        return
    if state is None:
        say(f"No release was begun here; the canary gets {weights.share} %.")
        return
    say(f"Release {state.release}: {state.phase} since {rfc3339(state.since)}; the canary gets {weights.share} %.")
    columns = [moment("at", "at"), column("decision"), column("release"), column("share"), column("reason", text=True)]
    show(columns, [dict(row) for row in history], "There were no decisions.")


@release_app.command(epilog=examples('release rollback --reason "complaints of a customer"'))
def rollback(
    reason: Annotated[str, typer.Option(help="Why; kept with the decision.")],
    gateway: LocalGateway = "",
    namespace: Namespace = NAMESPACE,
    route: Route = ROUTE,
    kubernetes: Kubernetes = KUBERNETES,
    account: Account = ACCOUNT,
    stable_service: StableService = STABLE,
    canary_service: CanaryService = CANARY,
    as_json: AsJson = False,
) -> None:
    """Give the stable version all the traffic, now. Needs neither Prometheus nor the versions, and may be said twice."""
    from cluster.release.plan import Plan

    _listen()
    place = _gateway(gateway, namespace, route, kubernetes, account, stable_service, canary_service)
    promoter = _promoter(place, "", "", "", None, Plan(), False)
    state = promoter.roll_back(f"by hand: {reason}")
    if as_json:
        print_json({"release": state.release, "phase": state.phase, "share": state.share, "reason": state.reason})
    else:
        say(f"The stable version has all the traffic; release {state.release or 'without a name'} is rolled back.")
    promoter.settle_edge(EVERY_S)


def _listen() -> None:
    """In production each decision is a line of the log; and numbers are told where a port for them is set."""
    from cluster import telemetry
    from cluster.settings import Settings
    from cluster.telemetry import exposition, logs

    settings = Settings.load()
    if settings.profile == "production":
        telemetry.begin("content-release", settings)
        return
    logs.for_people()
    if settings.metrics_port:
        exposition.tell(settings.metrics_port)


def _linger(name: str) -> None:
    """A process that ends takes its numbers along: stay until Prometheus has seen how it ended."""
    from cluster.telemetry import exposition

    if exposition.kept() is not None and name in ("promote", "settle", "roll-back", "halt"):
        time.sleep(LINGER_S)


def _gateway(
    local: str, namespace: str, route: str, kubernetes: str, account: Path, stable: str, canary: str
) -> Gateway:
    if local:
        from cluster.release.local_gateway import LocalGateway as Local

        return Local(local)
    from cluster.release.kubernetes import HttpRoute

    if not namespace:
        file = account / "namespace"
        namespace = file.read_text().strip() if file.exists() else "content"
    return HttpRoute(namespace, route, stable, canary, url=kubernetes, account=account)


def _promoter(
    place: Gateway,
    prometheus: str,
    stable: str,
    canary: str,
    token: Callable[[], str] | None,
    plan: Plan,
    dry_run: bool,
) -> Promoter:
    from cluster.release.edge import Purged
    from cluster.release.prometheus import HttpPrometheus
    from cluster.release.promoter import Promoter
    from cluster.release.shadow import Shadow
    from cluster.settings import Settings

    shadow = Shadow(stable, canary, token)
    return Promoter(place, HttpPrometheus(prometheus), shadow, plan, edge=Purged(Settings.load()), dry_run=dry_run)


def _reader(file: Path) -> Callable[[], str]:
    """The token is read for each look: it is replaced while a release is under way."""

    def read() -> str:
        from content.errors import ContentError

        try:
            return file.read_text().strip()
        except OSError as error:
            raise ContentError(
                "probe-token", "The probe's token cannot be read.", "Look at --probe-token-file."
            ) from error

    return read


def _plan(file: Path | None) -> Plan:
    from cluster.release import plan

    return plan.Plan() if file is None else plan.read(file.read_bytes())


def _document(looked: Looked) -> dict[str, Any]:
    state = looked.state
    told: dict[str, Any] = {"decision": looked.name, "reason": looked.decision.reason}
    if state is not None:
        told |= {"release": state.release, "phase": state.phase, "share": state.share}
    findings = [{"objective": f.objective, "verdict": f.verdict, "told": f.told} for f in looked.findings]
    return told | {"findings": findings}


def _print(looked: Looked) -> None:
    """A hold is progress and goes to standard error; what changes something is the answer."""
    where = console if looked.ended or looked.name != "hold" else errors
    share = f"{looked.state.share:>3} %" if looked.state is not None else "     "
    where.print(f"{share} [bold]{looked.name}[/] {escape(looked.decision.reason)}", highlight=False, soft_wrap=True)
    for finding in looked.findings:
        told = f"      {SIGNS[finding.verdict]} {finding.objective}: {escape(finding.told)}"
        errors.print(told, highlight=False, soft_wrap=True)
