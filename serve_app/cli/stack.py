"""`content-service up | down | status | logs`: the local stack, or several regions of it, on the command line.

A home holds one stack, or a folder for each region (`up --regions`); the other commands see which it is.

Exit code 1: a part did not come up or is not healthy; 3: there is no stack. Progress goes to standard error.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from content.errors import ContentError
from serve_app.cli.exits import FAILED, NO_STACK, code_of
from serve_app.cli.options import DEFAULT_HOME, AsJson, Home, examples
from serve_app.cli.output import console, errors, print_json, tell, wants_json

if TYPE_CHECKING:
    from cluster.local.regions import Regions
    from cluster.local.stack import PartStatus, StackInfo
    from cluster.settings import Settings

PANEL = "Local stack"
MIB = 1 << 20


def _prepare(settings: Settings) -> None:
    from cluster.telemetry import logs
    from tasks.bootstrap import prepare  # pulls in all of the service

    logs.for_people()
    prepare(settings)


def register(app: typer.Typer, before_ray: Callable[[Settings], None] = _prepare) -> None:
    """Mount the commands. `before_ray` is called once all but Ray is healthy: migrations, the first tenant."""

    @app.command(rich_help_panel=PANEL, epilog=examples("up --home /tmp/second", "up --mtls", "up --regions us,eu", "up --regions us,eu,me --no-ray"))  # fmt: skip
    def up(  # pyright: ignore[reportUnusedFunction]
        home: Home = DEFAULT_HOME,
        ray: Annotated[
            bool,
            typer.Option(
                help="Start Ray and the service on it, too; regions without it have API and relay as processes."
            ),
        ] = True,
        regions: Annotated[
            str,
            typer.Option(
                metavar="REGION,…", help="Several regions side by side: us, eu, me, ap. The first two are whole."
            ),
        ] = "",
        unsafe_no_sandbox: Annotated[
            bool, typer.Option("--unsafe-no-sandbox", help="Decode media without a sandbox; for a machine without one.")
        ] = False,
        mtls: Annotated[
            bool | None,
            typer.Option(
                "--mtls/--no-mtls",
                help="Have the parts speak by mTLS from now on, or no longer.",
                show_default="as it was",
            ),
        ] = None,
        as_json: AsJson = False,
    ) -> None:
        """Start the local stack, or what of it is not running. Data of an earlier start is found again."""
        with _told(), errors.status("starting …") as spinner:

            def tell(line: str) -> None:
                spinner.console.print(f"[green]✓[/] {escape(line)}", highlight=False, soft_wrap=True)

            from cluster.local.stack import Stack

            # Said at each start: a stack does not stay unprotected because it once was.
            overrides = {"sandbox": "none" if unsafe_no_sandbox else "auto"}
            several = _regions(home)
            if mtls and (regions or several.names):
                raise typer.BadParameter("several regions on one machine speak in the clear.", param_hint="--mtls")
            if names := [name.strip() for name in regions.split(",") if name.strip()] or several.names:
                found = several.up(names, tell, ray=ray, before_ray=before_ray, overrides=lambda _: overrides)
                _print_regions(several, found, as_json)
                return
            info = Stack(home).up(tell, ray=ray, before_ray=before_ray, overrides=overrides, mtls=mtls)
        _print_info(info, as_json)

    @app.command(rich_help_panel=PANEL, epilog=examples("down"))
    def down(home: Home = DEFAULT_HOME) -> None:  # pyright: ignore[reportUnusedFunction]
        """Stop what this stack started, and nothing else. Data, keys and logs stay."""
        with _told():
            from cluster.local.stack import Stack

            def stopping(line: str) -> None:
                errors.print(f"[green]✓[/] {escape(line)}", highlight=False)

            several = _regions(home)
            stopped = any(several.down(stopping).values()) if several.names else bool(Stack(home).down(stopping))
        if not stopped:
            errors.print(f"Nothing was running in {escape(str(home.resolve()))}.", highlight=False)

    @app.command(rich_help_panel=PANEL, epilog=examples("status --json"))
    def status(home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:  # pyright: ignore[reportUnusedFunction]
        """Show each part: version, address, health, memory."""
        with _told():
            from cluster.local.stack import Stack

            several = _regions(home)
            if several.names:
                _print_status(several, as_json)
                return
            stack = Stack(home)
            parts, others = stack.status(), [stack.sandbox(), stack.importer()]
        if as_json:
            print_json([dataclasses.asdict(part) for part in (*parts, *others)])
        else:
            console.print(_table([*parts, *others]))
        if all(part.health == "stopped" for part in parts):
            errors.print("Nothing is running: `content-service up` starts it.")
            raise typer.Exit(NO_STACK)
        if any(part.health not in ("ok", "stopped") for part in (*parts, *others)):
            raise typer.Exit(FAILED)

    @app.command(
        rich_help_panel=PANEL, epilog=examples("logs content-bundler -n 20 -f", "logs content-api --region eu")
    )
    def logs(  # pyright: ignore[reportUnusedFunction]
        part: Annotated[str, typer.Argument(help="A part of `status`, `edge-access`, or a pool.")],
        home: Home = DEFAULT_HOME,
        follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on printing what is added.")] = False,
        lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many lines from the end.")] = 50,
        region: Annotated[str, typer.Option(help="Of which region, where the home has several.")] = "",
    ) -> None:
        """Print the end of a part's log."""
        with _told():
            from cluster.local.stack import Stack

            several = _regions(home)
            stack = several.stack(region) if region or several.names else Stack(home)
            try:
                for line in stack.logs(part, lines=lines, follow=follow):
                    typer.echo(line)
            except KeyboardInterrupt:
                return


@contextmanager
def _told() -> Generator[None]:
    """Tell an error of the stack with the end of its log, and leave with its exit code."""
    try:
        yield
    except ContentError as error:
        tell(error)
        if (log_end := getattr(error, "log_end", "")) and not wants_json.get():
            errors.print(escape(log_end), style="dim", highlight=False, soft_wrap=True)
        raise typer.Exit(code_of(error)) from error


def _regions(home: Path) -> Regions:
    from cluster.local.regions import Regions

    return Regions(home)


def _facts(info: StackInfo) -> dict[str, Any]:
    return {
        "home": str(info.home), "addresses": dict(info.addresses), "start_s": dict(info.start_s),
        "total_s": round(info.total_s, 2), "kept": list(info.kept), "warnings": list(info.warnings),
    }  # fmt: skip


def _print_regions(several: Regions, found: dict[str, StackInfo], as_json: bool) -> None:
    if as_json:
        print_json({"regions": {name: {"kind": several.kind(name), **_facts(info)} for name, info in found.items()}})
        return
    for name, info in found.items():
        console.print(
            f"{name}  {several.kind(name):<9} --home {escape(str(info.home))}", highlight=False, soft_wrap=True
        )
        for part in ("api", "dashboard", "edge", "learner"):
            if part in info.addresses:
                console.print(f"      {part:<10} {info.addresses[part]}", highlight=False)


def _print_status(several: Regions, as_json: bool) -> None:
    """Every region with its parts and memory, and the memory of all; exit codes as for one stack."""
    found = several.status()
    parts = [part for each in found.values() for part in each]
    total = sum(part.pss_bytes for part in parts)
    if as_json:
        shown = {
            name: {
                "kind": several.kind(name),
                "total_bytes": sum(part.pss_bytes for part in each),
                "parts": [dataclasses.asdict(part) for part in each],
            }
            for name, each in found.items()
        }
        print_json({"regions": shown, "total_bytes": total})
    else:
        for name, each in found.items():
            console.print(f"{name}  {several.kind(name)}", style="bold", highlight=False)
            console.print(_table(each))
        console.print(f"total of all regions {total // MIB} MiB", style="bold", highlight=False)
    if all(part.health == "stopped" for part in parts):
        raise typer.Exit(NO_STACK)
    if any(part.health not in ("ok", "stopped") for part in parts):
        raise typer.Exit(FAILED)


def _print_info(info: StackInfo, as_json: bool) -> None:
    if as_json:
        print_json(_facts(info))
        return
    console.print(f"Up in {info.total_s:.1f} s; home: {escape(str(info.home))}", highlight=False, soft_wrap=True)
    for name in ("api", "dashboard", "edge", "learner"):
        if name in info.addresses:
            suffix = "/docs" if name == "api" else ""
            console.print(f"  {name:<10} {info.addresses[name]}{suffix}", highlight=False)


def _table(parts: list[PartStatus]) -> Table:
    """At most 80 columns wide; health wraps, the rest does not."""
    table = Table(box=None, pad_edge=False)
    for heading, wraps in (("part", False), ("version", False), ("address", False), ("health", True)):
        table.add_column(heading, no_wrap=not wraps, overflow="fold")
    table.add_column("memory", justify="right", no_wrap=True)
    for part in parts:
        colour = {"ok": "green", "stopped": "dim"}.get(part.health, "red")
        memory = f"{part.pss_bytes // MIB} MiB" if part.pss_bytes else ""
        address = part.address.removeprefix("http://")
        table.add_row(part.part, part.version, address, f"[{colour}]{escape(part.health)}[/]", memory)
    if any(part.pss_bytes for part in parts):
        table.add_row("total", "", "", "", f"{sum(part.pss_bytes for part in parts) // MIB} MiB", style="bold")
    return table
