"""What README and docs show is true: links, headings, commands, options, routes, settings, and names of code.

Reads files and asks the command line and the API what they have; starts nothing.
"""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "tests/vectors/README.md")),
        *(ROOT / "docs").rglob("*.md"),
    ]
)
RECORDS = sorted((ROOT / "docs/adr").glob("*.md"))
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
CODE_NAME = re.compile(r"((?:[\w.-]+/)+[\w.-]+\.(?:py|sql)):([A-Za-z_][\w.]*)")
CODE_PATH = re.compile(r"(?:content|cluster|tasks|actors|serve_app|tests|docs|bench)/[\w./-]*")
# Put together here, so that this file does not hold what it looks for.
FORBIDDEN = tuple(
    re.compile(re.escape(left + right))
    for left, right in (
        ("/wo", "rk/"),
        ("/ro", "ot/"),
        ("/ho", "me/"),
        ("/tmp/te", "am"),
        ("pypi.", "org"),
        ("python", "hosted.org"),
        ("registry.", "npmjs"),
        ("proxy.", "golang"),
        ("docker.", "io"),
        ("ghcr.", "io"),
    )
)


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def prose(page: Path) -> str:
    """The text without fenced blocks and code spans: links inside those are not links."""
    return re.sub(r"(?<!`)`[^`\n]+`(?!`)", lambda span: "`" * len(span[0]), FENCE.sub("", page.read_text()))


@cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors of a page's headings, as forges make them."""
    found: dict[str, int] = {}
    for line in FENCE.sub("", page.read_text()).splitlines():
        if heading := re.match(r"#{1,6}\s+(.*)", line):
            text = LINK.sub(lambda link: link[2], heading[1]).strip().lower()
            slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
            found[slug] = found.get(slug, -1) + 1
    return frozenset(slug if not n else f"{slug}-{n}" for slug, many in found.items() for n in range(many + 1))


class Mention(NamedTuple):
    """Something that a page shows as code."""

    page: Path
    text: str


def shown(pages: list[Path]) -> Iterator[Mention]:
    """Lines of fenced blocks, and code spans."""
    for page in pages:
        text = page.read_text()
        for block in FENCE.findall(text):
            yield from (Mention(page, line) for line in block.splitlines()[1:-1])
        yield from (Mention(page, span) for span in SPAN.findall(FENCE.sub("", text)))


# -- links ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for image, text, target in LINK.findall(re.sub(r"`", "", prose(page))):
        if re.match(r"https?://", target):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"[{text}]({target})"
        assert found.is_relative_to(ROOT), f"[{text}]({target}) leads out of the repository"
        if anchor:
            assert found.suffix == ".md" and anchor in anchors(found), f"[{text}]({target}): no such heading"
        if image:
            assert text, f"the picture {target} has no text in its place"


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "bundle-format.md"], ids=name_of)
def test_no_code_span_is_broken_over_two_lines(page: Path) -> None:
    """The checks below read spans line by line; a broken one would hide what it names (the format names no code)."""
    assert not [line for line in FENCE.sub("", page.read_text()).splitlines() if line.count("`") % 2]


def test_the_picture_is_well_formed_and_described() -> None:
    picture = ET.parse(ROOT / "docs/flow.svg").getroot()
    names = {element.tag.rpartition("}")[2] for element in picture}
    assert {"title", "desc"} <= names


def test_the_index_names_every_document_and_record() -> None:
    indexes = [ROOT / "docs/README.md", ROOT / "docs/runbooks/README.md"]
    linked = {
        (index.parent / target.partition("#")[0]).resolve()
        for index in indexes
        for _, _, target in LINK.findall(index.read_text())
    }
    missing = [name_of(page) for page in (ROOT / "docs").rglob("*.md") if page not in {indexes[0], *linked}]
    assert not missing


# -- commands ---------------------------------------------------------------------------------------------------------


def targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_every_make_target_exists() -> None:
    named = [(m, target) for m in shown(PAGES) for target in re.findall(r"\bmake ([a-z][a-z-]*)", m.text)]
    assert len(named) > 5
    assert not [(name_of(m.page), target) for m, target in named if target not in targets()]


def test_ci_runs_the_checks_and_then_exactly_the_readmes_test_command() -> None:
    lines = [line.strip() for line in (ROOT / ".ci/run").read_text().splitlines()]
    run = [line for line in lines if line and not line.startswith(("#", "set ", "cd "))]
    told = [line.partition("#")[0].strip() for line in FENCE.findall((ROOT / "README.md").read_text())[0].splitlines()]
    assert run == ["make check", told[2]]
    assert told[1:3] == ["make demo", "make test"]


@cache
def command_line() -> Any:
    import typer

    from serve_app.cli import app

    return typer.main.get_command(app)


def invocations() -> Iterator[tuple[Mention, list[str]]]:
    """The words after `content-service`, up to the end of that command."""
    for mention in shown(PAGES):
        text = re.sub(r"\$\((?!content-service)[^()]*\)", "X", mention.text)
        for rest in re.findall(r"content-service (?![-\w./]*\.)([^|;)#\n]*)", text):
            words = shlex.split(rest.replace("…", "X"))
            if words and re.fullmatch(r"-?-?[a-z][a-z-]*", words[0]):
                yield mention, words


def problem_of(words: list[str]) -> str | None:
    """Why the command line would not take these words, or None."""
    node = command_line()
    while hasattr(node, "commands"):
        if not words or words[0].startswith("-"):
            known = {"--help", *(name for option in node.params for name in option.opts)}
            return None if not words or words[0] in known else f"option {words[0]}"
        if words[0] not in node.commands:
            return f"command {words[0]}"
        node, words = node.commands[words[0]], words[1:]
    options = {name: option for option in node.params for name in (*option.opts, *option.secondary_opts)}
    unknown = [word for word in words if re.match(r"--?[a-z]", word) and word.partition("=")[0] not in options]
    return f"option {unknown[0]}" if unknown else None


def test_every_command_shown_exists_with_its_options() -> None:
    found = list(invocations())
    assert len(found) > 15
    wrong = [(name_of(mention.page), " ".join(words), why) for mention, words in found if (why := problem_of(words))]
    assert not wrong


def test_what_is_no_command_is_found() -> None:
    assert problem_of(["fly"]) == "command fly"
    assert problem_of(["device", "fly"]) == "command fly"
    assert problem_of(["status", "--fly"]) == "option --fly"
    assert problem_of(["device", "open", "./phone", "-o", "./course"]) is None


def test_the_page_of_the_command_line_is_the_one_that_the_code_writes() -> None:
    from serve_app.cli.reference import cli_page

    assert (ROOT / "docs/cli.md").read_text() == cli_page(), "run: python -m serve_app.cli.reference docs"


# -- code -------------------------------------------------------------------------------------------------------------


@cache
def names_in(path: Path) -> frozenset[str]:
    """Functions, classes, their members, and module constants of a Python file, dotted; tables of an SQL file."""
    text = path.read_text()
    if path.suffix == ".sql":
        return frozenset(re.findall(r"create table (\w+)", text))
    return frozenset(_defined(ast.parse(text).body))


def _defined(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
    for node in body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield prefix + node.name
            case ast.ClassDef():
                yield prefix + node.name
                yield from _defined(node.body, f"{prefix}{node.name}.")
            case ast.Assign():
                yield from (prefix + target.id for target in node.targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield prefix + name
            case _:
                pass


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_name_of_code_exists(page: Path) -> None:
    for span in SPAN.findall(FENCE.sub("", page.read_text())):
        if named := CODE_NAME.fullmatch(span):
            path = ROOT / named[1]
            assert path.exists(), span
            assert named[2] in names_in(path), span
        elif CODE_PATH.fullmatch(span):
            assert (ROOT / span).exists(), span


def test_the_tour_links_each_name_to_its_file() -> None:
    page = ROOT / "docs/tour.md"
    text = page.read_text()
    named = [span for span in SPAN.findall(text) if CODE_NAME.fullmatch(span)]
    linked = re.findall(r"\[`([^`]+)`\]\(([^)]+)\)", text)
    assert len(named) > 50
    assert [span for span, _ in linked if CODE_NAME.fullmatch(span)] == named
    for span, target in linked:
        if found := CODE_NAME.fullmatch(span):
            assert (page.parent / target).resolve() == ROOT / found[1], span


def test_the_tour_names_only_failpoints_that_are_hit() -> None:
    code = "".join(path.read_text() for path in (ROOT / "tasks").rglob("*.py"))
    hit = set(re.findall(r'hit,? ?\(?\s*"([a-z_.]+)"', code))
    told = {
        span
        for line in re.findall(r"failpoint[^)]*\)|\(`[a-z]+\.[a-z_]+`\)", (ROOT / "docs/tour.md").read_text())
        for span in SPAN.findall(line)
    }
    assert len(told) >= 6
    assert told <= hit


# -- figures and tables -----------------------------------------------------------------------------------------------


def test_routes_shown_exist() -> None:
    from serve_app.api import create_app

    routes = [re.sub(r"\{\w+\}", "[^/]+", path) for path in create_app().openapi()["paths"]]
    text = (ROOT / "docs/api.md").read_text()
    paths = {found.replace("$PKG", "pkg_x") for found in re.findall(r"/(?:v1/[\w{}/$…-]+|livez\b|readyz\b)", text)}
    assert len(paths) > 8
    assert not [path for path in paths if not any(re.fullmatch(route, path) for route in routes)]


def test_every_setting_is_in_the_table_and_says_what_it_is() -> None:
    from cluster.settings import Settings
    from serve_app.cli.reference import with_settings

    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
    page = (ROOT / "docs/operations.md").read_text()
    assert page == with_settings(page), "run: python -m serve_app.cli.reference docs"
    assert page.count("| `lease_s` |") == 1


def test_every_dependency_has_its_row() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["local"],
        *project["dependency-groups"]["dev"],
    ]
    table = (ROOT / "docs/adr/0010-dependencies.md").read_text()
    first = {
        name.partition("[")[0].strip()
        for row in re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE)
        for name in row.split(",")
    }
    names = {re.split(r"[\[<>=~! ]", line)[0] for line in wanted}
    assert names - first == set()
    assert first - names <= {"package", "---"}


@pytest.mark.parametrize("record", RECORDS, ids=name_of)
def test_a_record_has_its_parts(record: Path) -> None:
    text = record.read_text()
    assert re.match(rf"# {record.name[:4]}: .+\n\nStatus: \w+.* · \d{{4}}-\d{{2}}-\d{{2}}\n", text)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]


def test_readme_and_tour_stay_short() -> None:
    for name, most in (("README.md", 150), ("docs/tour.md", 275)):
        assert len((ROOT / name).read_text().splitlines()) <= most, name


@pytest.mark.parametrize(
    "file",
    [*PAGES, *(ROOT / name for name in ("Makefile", "pyproject.toml", "requirements.lock", "LICENSE"))],
    ids=name_of,
)
def test_no_machine_and_no_registry_is_named(file: Path) -> None:
    text = file.read_text()
    assert not [pattern.pattern for pattern in FORBIDDEN if pattern.search(text)]


def test_the_licence_is_the_whole_apache_licence() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text and "Version 2.0, January 2004" in text and "END OF TERMS AND CONDITIONS" in text
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license"] == "Apache-2.0"
