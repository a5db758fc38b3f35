"""A Dockerfile as steps, and the rules that ours keep. Only what ours use is understood; anything else is an error."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

KNOWN = {"ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "FROM", "LABEL", "RUN", "USER", "WORKDIR"}
LABELS = ("title", "description", "licenses", "version", "revision")
_DIGEST = re.compile(r"[a-z0-9.]+(/[a-z0-9._-]+)+:[\w.-]+@sha256:[0-9a-f]{64}")
_INSTALLS = re.compile(r"\bpip install\b")


class DockerfileError(ValueError):
    """Line and reason."""


@dataclass(frozen=True)
class Step:
    """One instruction of a stage, its words not yet expanded."""

    line: int
    name: str
    text: str

    def options(self) -> tuple[dict[str, str], str]:
        """(`--name=value` words at the beginning, the rest)."""
        found, rest = {}, self.text
        while match := re.match(r"--([a-z-]+)=(\S+)\s+", rest):
            found[match[1]] = match[2]
            rest = rest[match.end() :]
        return found, rest

    def argv(self) -> list[str]:
        """Of CMD and ENTRYPOINT, which are written as JSON."""
        return list(json.loads(self.text))

    def pairs(self) -> dict[str, str]:
        """Of ENV, LABEL and ARG."""
        words = (word.partition("=") for word in shlex.split(self.text))
        return {name: value for name, _, value in words}


@dataclass(frozen=True)
class Stage:
    base: str
    name: str
    steps: tuple[Step, ...]

    def of(self, name: str) -> list[Step]:
        return [step for step in self.steps if step.name == name]


@dataclass(frozen=True)
class Dockerfile:
    """`arguments`: those before the first stage, with their defaults."""

    arguments: dict[str, str] = field(default_factory=dict)
    stages: tuple[Stage, ...] = ()


def parse(text: str) -> Dockerfile:
    """Raises DockerfileError for what is not understood."""
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for step in _steps(text):
        if step.name == "FROM":
            words = step.text.split()
            if len(words) not in (1, 3):
                raise DockerfileError(f"line {step.line}: FROM {step.text}")
            stages.append(Stage(words[0], words[2] if len(words) == 3 else "", ()))
        elif stages:
            last = stages[-1]
            stages[-1] = Stage(last.base, last.name, (*last.steps, step))
        elif step.name == "ARG":
            arguments |= step.pairs()
        else:
            raise DockerfileError(f"line {step.line}: {step.name} before the first FROM")
    return Dockerfile(arguments, tuple(stages))


def _steps(text: str) -> Iterator[Step]:
    held, began = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if not held and (not line.strip() or line.startswith("#")):
            continue
        began = began if held else number
        held += line
        if held.endswith("\\"):
            held = held[:-1].rstrip() + " "
            continue
        name, _, rest = held.partition(" ")
        if name not in KNOWN:
            raise DockerfileError(f"line {began}: {name} is not used here")
        yield Step(began, name, re.sub(r"\s+", " ", rest).strip())
        held = ""
    if held:
        raise DockerfileError(f"line {began}: it does not end")


def broken_rules(text: str, root: Path) -> list[str]:
    """What is wrong with a Dockerfile of ours; `root` is the folder that it is built in."""
    file = parse(text)
    final = file.stages[-1]
    wrong: list[str] = []
    if not _DIGEST.fullmatch(file.arguments.get("BASE", "")):
        wrong.append("BASE is not named by tag and digest")
    wrong += [f"a stage is built on {stage.base}" for stage in file.stages if stage.base != "${BASE}"]
    for stage in file.stages:
        for step in stage.steps:
            wrong += [f"line {step.line}: {why}" for why in _wrong(step, root)]
    if final.of("RUN"):
        wrong.append("the final stage runs something: what it leaves is no part of what was built")
    for step in final.of("COPY"):
        if step.options()[0].get("from") != "build" or step.text.split()[-1] == "/":
            wrong.append(f"line {step.line}: the final stage takes only what was built")
    users = final.of("USER")
    if not users or not re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1].text):
        wrong.append("the last USER is not a number above 0, which runAsNonRoot can see")
    labels = {name for step in final.of("LABEL") for name in step.pairs()}
    wrong += [f"no label {each}" for each in LABELS if f"org.opencontainers.image.{each}" not in labels]
    if not any("SOURCE_DATE_EPOCH" in step.pairs() for step in file.stages[0].of("ENV")):
        wrong.append("SOURCE_DATE_EPOCH is not set where it is built")
    runs = " ".join(step.text for step in file.stages[0].of("RUN"))
    if "cyclonedx-py environment" not in runs:
        wrong.append("there is no list of parts")
    if "compileall" not in runs or "unchecked-hash" not in runs:
        wrong.append("bytecode is not compiled by content")
    return wrong


def _wrong(step: Step, root: Path) -> Iterator[str]:
    if step.name == "RUN":
        if _INSTALLS.search(step.text):
            ours = "--no-index --find-links /wheels" in step.text
            if "--no-deps" not in step.text or not (ours or "--require-hashes" in step.text):
                yield "something is installed without its hash"
        if re.search(r"\b(apt|apt-get|curl|wget|git|npm|sudo)\b|https?://", step.text):
            yield "something is fetched that is not in the lock"
    if step.name == "COPY" and "from" not in step.options()[0]:
        for source in step.options()[1].split()[:-1]:
            if source == "." or not (root / source).exists():
                yield f"COPY {source}: name what there is, not everything"
    if step.name in ("ARG", "ENV") and re.search(r"(?i)token|password|secret|_key\b", step.text):
        yield "a secret would stay in the image's history"
