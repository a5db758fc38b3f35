"""Pages of documentation that are written from the code: docs/cli.md and the settings of docs/operations.md.

    python -m serve_app.cli.reference docs

writes both; tests compare them.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from rich.text import Text

from serve_app.cli import exits
from serve_app.cli.caller import SHARED

HEAD = """# The command line

Written from the code by `python -m serve_app.cli.reference docs`; `content-service COMMAND --help` shows the same.

The command is `.venv/bin/content-service` after `make install`. `content-service --install-completion` sets up completion for
the shell it is run in; `content-service --show-completion` prints it instead. Lists fit a terminal of 80 columns, and no id is
ever shortened or broken. Progress is shown on standard error, as a bar where that is a terminal.

## Which API, and who asks

Most commands speak HTTP to the API and take these options:

{shared}

With a token (`--token-file`, or a variable) they ask the API that `--api` names. Without one they use the local stack of
`--home`, whose identity provider mints a token with just the scopes that the command needs. What a neighbouring service does
(laying media down, enrolling) is there in the local stack alone; elsewhere such a command is refused as `local-stack-only`.

## For programs

`--json` prints one document on standard output: the API's own answer where there is one, `{{"items": […]}}` for a list. An
error is a document too, `{{"error": {{"code", "message", "remedy", "retryable", …}}}}`. Members may be added by a release; none is
renamed or removed.

| exit code | meaning |
|---|---|
{exits}
"""
MARK = re.compile(r"(<!-- settings -->\n).*?(<!-- /settings -->)", re.DOTALL)


def cli_page() -> str:
    """docs/cli.md."""
    from serve_app.cli import app

    root = typer.main.get_command(app)
    shared = _options(next(command for _, command, _ in _leaves(root) if _is_shared(command)), own=False)
    rows = "\n".join(f"| {code} | {meaning} |" for code, meaning in exits.MEANINGS.items())
    parts = [HEAD.format(shared="\n".join(_table(shared)), exits=rows)]
    panel = ""
    for path, command, found in _leaves(root):
        if found != panel:
            panel = found
            parts.append(f"## {panel}\n")
        parts.append(_section(path, command))
    return "\n".join(parts)


def settings_table() -> str:
    """Every setting with its default and what it is, in the order of the code."""
    from cluster.settings import Settings

    rows = ["| setting | default | what it is |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        rows.append(f"| `{name}` | {_default(field.default)} | {field.description or ''} |")
    return "\n".join(rows)


def with_settings(page: str) -> str:
    """docs/operations.md with its table as the code has it."""
    return MARK.sub(lambda found: f"{found[1]}{settings_table()}\n{found[2]}", page)


def _leaves(root: Any) -> Iterator[tuple[str, Any, str]]:
    """(words, command, panel) of every command, in the order of the help."""
    for name in root.list_commands(None):
        command = root.commands[name]
        panel = command.rich_help_panel
        if not hasattr(command, "commands"):
            yield name, command, panel
            continue
        for inner in command.commands:
            yield f"{name} {inner}", command.commands[inner], panel


def _section(path: str, command: Any) -> str:
    arguments = " ".join(_metavar(each) for each in command.params if each.param_type_name == "argument")
    lines = [f"### `{' '.join(f'{path} {arguments}'.split())}`", "", inspect.cleandoc(command.help or "")]
    options = _options(command, own=True)
    if options:
        lines += ["", *_table(options)]
    if _is_shared(command):
        lines += ["", "And [the options above](#which-api-and-who-asks)."]
    lines += ["", "```sh", *_examples(command), "```", ""]
    return "\n".join(lines)


def _is_shared(command: Any) -> bool:
    return set(SHARED) <= {parameter.name for parameter in command.params}


def _options(command: Any, *, own: bool) -> list[Any]:
    shared = _is_shared(command)
    return [
        each
        for each in command.params
        if each.name != "help"
        and (not shared or (each.name in SHARED) != own)
        and (each.param_type_name == "option" or each.help)
    ]


def _table(parameters: list[Any]) -> list[str]:
    rows = ["| option | what it is |", "|---|---|"]
    for each in parameters:
        is_option = each.param_type_name == "option"
        names = (
            ", ".join(f"`{name}`" for name in (*each.opts, *each.secondary_opts))
            if is_option
            else f"`{_metavar(each)}`"
        )
        told = (each.help or "").replace("|", "\\|")
        if is_option and each.envvar:
            told += f" Variable `{each.envvar}`."
        if is_option and each.default not in (None, False, True, [], ()) and not callable(each.default):
            shown = ", ".join(map(str, each.default)) if isinstance(each.default, list | tuple) else each.default
            told += f" Default: {shown}."
        rows.append(f"| {names} | {told.strip()} |")
    return rows


def _metavar(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    shown = f"{name}…" if argument.nargs == -1 else name
    return shown if argument.required else f"[{shown}]"


def _examples(command: Any) -> list[str]:
    return [line.strip() for line in Text.from_markup(command.epilog or "").plain.splitlines()[1:]]


def _default(value: Any) -> str:
    if hasattr(value, "get_secret_value"):
        value = value.get_secret_value()
    if value is None or value == "":
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return f"`{value}`" if isinstance(value, str | Path) else str(value)


def main(folder: Path) -> None:
    (folder / "cli.md").write_text(cli_page(), encoding="utf-8")
    operations = folder / "operations.md"
    operations.write_text(with_settings(operations.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
