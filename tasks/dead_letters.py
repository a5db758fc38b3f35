"""Dead letters brought in again, and removed: what operators do with them.

A replay hands the letter's bytes to `tasks.intake.receive`, just as if NATS had brought them: the inbox knows an event
that was taken in meanwhile, so a replay that was interrupted may be made again. Only what was taken in is removed; what
is refused again stays where it is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from cluster.connections import Connections
from cluster.dead_letters import DeadLetter, DeadLetters
from content.errors import ContentError
from tasks.intake import receive

PAGE = 100


@dataclass(frozen=True)
class Choice:
    """Which letters: all that match what is given. `last` is the newest sequence that is looked at, so that letters which
    come meanwhile are left alone."""

    reason: str | None = None
    subject: str | None = None
    last: int | None = None

    def takes(self, letter: DeadLetter) -> bool:
        return self.reason in (None, letter.reason) and self.subject in (None, letter.subject)


@dataclass(frozen=True)
class Replayed:
    """What became of one letter: `taken`, `known` (it was in already) or `refused`, with the code."""

    sequence: int
    outcome: str
    code: str = ""
    title: str = ""


async def chosen(letters: DeadLetters, choice: Choice, after: int = 0) -> AsyncIterator[DeadLetter]:
    """The letters of a choice in their order."""
    while page := await letters.after(after, PAGE):
        for letter in page:
            after = letter.sequence
            if choice.last is not None and after > choice.last:
                return
            if choice.takes(letter):
                yield letter


async def page(
    letters: DeadLetters, choice: Choice, *, after: int = 0, limit: int = 50
) -> tuple[list[DeadLetter], int | None]:
    """(up to `limit` letters, the sequence after which the next page begins, or None at the end)."""
    found: list[DeadLetter] = []
    async for letter in chosen(letters, choice, after):
        if len(found) == limit:
            return found, found[-1].sequence
        found.append(letter)
    return found, None


async def replay(connections: Connections, letters: DeadLetters, letter: DeadLetter) -> Replayed:
    """Bring one in again and remove it. Raises what is retryable (a part is away); nothing has changed then."""
    try:
        if not letter.whole:
            raise ContentError(
                "dead-letter-cut",
                "Only the beginning of this event was kept.",
                "Have it published again by its service.",
            )
        new = await receive(connections, letter.body)
    except ContentError as error:
        if error.retryable:
            raise
        return Replayed(letter.sequence, "refused", error.code, error.message)
    await letters.remove(letter.sequence)
    return Replayed(letter.sequence, "taken" if new else "known")


async def purge(letters: DeadLetters, choice: Choice) -> int:
    """Remove the chosen ones for good; returns how many."""
    sequences = [letter.sequence async for letter in chosen(letters, choice)]
    for sequence in sequences:
        await letters.remove(sequence)
    return len(sequences)
