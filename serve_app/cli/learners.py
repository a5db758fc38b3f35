"""`content-service enrol`, `enrolments …` and `devices …`: who learns what, and on which devices."""

from __future__ import annotations

import secrets
from itertools import islice
from typing import Annotated

import typer

from serve_app.cli import foreseen
from serve_app.cli.caller import Caller, asks
from serve_app.cli.groups import Commands
from serve_app.cli.options import examples
from serve_app.cli.output import say
from serve_app.cli.tables import column, moment, show, when

enrolments_app = Commands(help="Enrolments, as enrollment-service told of them.")
devices_app = Commands(help="Registered devices of learners (to be one, see `device`).")
EnrolmentId = Annotated[str, typer.Argument(metavar="ENROLMENT", help="Its id.")]
DeviceId = Annotated[str, typer.Argument(metavar="DEVICE", help="Its id, the thumbprint of its key.")]
Limit = Annotated[int, typer.Option(min=1, help="How many at most.")]
PANEL = "Learners"
STUB = "An enrolment's event"


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel=PANEL, epilog=examples("enrol ada first-aid", "enrol ada first-aid --id enr-17 --json"))(enrol)  # fmt: skip
    app.add_typer(enrolments_app, name="enrolments", rich_help_panel=PANEL)
    app.add_typer(devices_app, name="devices", rich_help_panel=PANEL)


@asks("content:read")
def enrol(
    call: Caller,
    learner: Annotated[str, typer.Argument(help="The learner's id.")],
    course: Annotated[str, typer.Argument(help="The course's id.")],
    enrolment_id: Annotated[str | None, typer.Option("--id", help="Of the enrolment; a new one, if left out.")] = None,
) -> None:
    """Local stack: publish the event with which enrollment-service enrols a learner.

    In any other deployment enrollment-service does that, and this is refused.
    """
    home = call.stack(STUB)
    from cluster.local import publishing

    enrolment_id = enrolment_id or f"enr-{secrets.token_hex(6)}"
    event = publishing.enrol(home, call.tenant, enrollment_id=enrolment_id, learner_id=learner, course_id=course)
    facts = {"enrollment_id": enrolment_id, "learner_id": learner, "course_id": course, "event_id": event}
    call.show(facts, lambda: say(f"{enrolment_id}: {learner} is enrolled in {course} (event {event})."))


@enrolments_app.command("list", epilog=examples("enrolments list", "enrolments list --learner ada --state active"))
@asks("content:read")
def list_enrolments(
    call: Caller,
    learner: Annotated[str | None, typer.Option(help="Only this learner's.")] = None,
    course: Annotated[str | None, typer.Option(help="Only in this course.")] = None,
    state: Annotated[str | None, typer.Option(help="active or cancelled.")] = None,
    limit: Limit = 50,
) -> None:
    """Enrolments, newest first."""
    rows = list(islice(call.api.enrolments(learner_id=learner, course_id=course, state=state), limit))
    columns = [
        column("enrolment", "enrollment_id"), column("state"), column("learner", "learner_id"),
        column("course", "course_id"), moment("created", "created_at"),
    ]  # fmt: skip
    call.show({"items": rows}, lambda: show(columns, rows, "There are no such enrolments."))


@enrolments_app.command("show", epilog=examples("enrolments show enr-17"))
@asks("content:read", lists="enrolments list")
def show_enrolment(call: Caller, enrolment_id: EnrolmentId) -> None:
    """One enrolment."""
    found = call.api.enrolment(enrolment_id)

    def told() -> None:
        say(f"{found['enrollment_id']}  {found['state']}: {found['learner_id']} in {found['course_id']}")
        say(f"  from {when(found['starts_at']) or 'now on'} to {when(found['ends_at']) or 'open end'}")

    call.show(found, told)


@enrolments_app.command(epilog=examples('enrolments cancel enr-17 --reason "left the school"'))
@asks("content:read", lists="enrolments list")
def cancel(
    call: Caller,
    enrolment_id: EnrolmentId,
    reason: Annotated[str, typer.Option(help="Told in the event.")] = "cancelled by hand",
) -> None:
    """Local stack: publish the event with which enrollment-service ends an enrolment."""
    home = call.stack(STUB)
    call.api.enrolment(enrolment_id)
    from cluster.local import publishing

    event = publishing.cancel(home, call.tenant, enrollment_id=enrolment_id, reason=reason)
    facts = {"enrollment_id": enrolment_id, "event_id": event}
    call.show(facts, lambda: say(f"{enrolment_id} is cancelled (event {event})."))


@devices_app.command("list", epilog=examples("devices list", "devices list --learner ada --json"))
@asks("content:read")
def list_devices(
    call: Caller,
    learner: Annotated[str | None, typer.Option(help="Only this learner's.")] = None,
    state: Annotated[str | None, typer.Option(help="active or revoked.")] = None,
    limit: Limit = 50,
) -> None:
    """Registered devices, newest first."""
    rows = list(islice(call.api.devices(learner_id=learner, state=state), limit))
    columns = [
        column("device", "device_id"), column("state"), column("profile"), column("learner", "learner_id"),
        moment("registered", "registered_at"),
    ]  # fmt: skip
    call.show({"items": rows}, lambda: show(columns, rows, "There are no such devices: `content-service device register` makes one."))  # fmt: skip


@devices_app.command("show", epilog=examples("devices show DEVICE"))
@asks("content:read", lists="devices list")
def show_device(call: Caller, device_id: DeviceId) -> None:
    """One device."""
    found = call.api.device(device_id)
    call.show(
        found, lambda: say(f"{found['device_id']}  {found['state']}, a {found['profile']} of {found['learner_id']}")
    )


@devices_app.command(epilog=examples("devices foresight DEVICE", "devices foresight DEVICE --holds BUNDLE --json"))
@asks("content:read", lists="devices list")
def foresight(
    call: Caller,
    device_id: DeviceId,
    holds: Annotated[
        list[str] | None,
        typer.Option(metavar="BUNDLE", help="A bundle on it; repeat it for each. Else the licences it has registered."),
    ] = None,
) -> None:
    """What a device's next sync will fetch, how full its disk gets, and what is deleted."""
    found = call.api.foresight(device_id, holds or ())

    def told() -> None:
        say(f"It holds {', '.join(found['holds']) or 'no bundle'}.")
        for line in foreseen.lines(found):
            say(line)
        for each in found["unknown"]:
            say(f"{each} was never made for this device: not counted.")

    call.show(found, told)


@devices_app.command(epilog=examples("devices deactivate DEVICE"))
@asks("device:revoke", lists="devices list")
def deactivate(call: Caller, device_id: DeviceId) -> None:
    """Take a device out that was lost or given away: it gets nothing more, and opens nothing once it has heard of it."""
    call.api.deactivate_device(device_id)
    call.show({"device_id": device_id, "state": "revoked"}, lambda: say(f"{device_id} is deactivated."))
