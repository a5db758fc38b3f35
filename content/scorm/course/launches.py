"""What is opened: the organization that is played and its launches, whatever standard the package follows.

Refused: nothing to open, only addresses on the network, and addresses that are no web addresses (`javascript:` and the like),
which nobody puts into an item by accident.
"""

from __future__ import annotations

from content.scorm.course.hrefs import compose, split
from content.scorm.course.openings import Openings, is_opened
from content.scorm.findings import Findings
from content.scorm.model import Launch, Organization


def choose(
    organizations: tuple[Organization, ...], default: str, openings: Openings, document: str, found: Findings
) -> tuple[str, tuple[Launch, ...]]:
    """The organization that is played and what it launches. Raises PackageRefused if that is nothing."""
    all_launches = {each.identifier: _launches(each, openings, document, found) for each in organizations}
    _tell_resources(organizations, openings, document, found)
    chosen = default or (organizations[0].identifier if organizations else "")
    if not all_launches.get(chosen):
        other = next((name for name, launches in all_launches.items() if launches), "")
        if other and default:
            message = f"Nothing in the default organization “{default}” can be opened; “{other}” is played."
            found.warn("default-empty", document, message)
        chosen = other
    if not chosen and not found.errors:
        _tell_why(organizations, openings, document, found)
    found.require()
    return chosen, all_launches[chosen]


def _launches(organization: Organization, openings: Openings, document: str, found: Findings) -> tuple[Launch, ...]:
    launches: list[Launch] = []
    missing: list[Launch] = []
    for item in organization.walk():
        resource = openings.resources.get(item.resource or "")
        if resource is None or not is_opened(resource):
            continue
        place = f"{document}#{item.identifier}"
        if resource.remote:
            message = (
                f"“{item.title}” is on the network ({resource.href}), so it is not in the package and is not played."
            )
            found.warn("launch-remote", place, message)
            continue
        into = launches
        if resource.identifier in openings.missing:
            into = missing
            path = split(resource.href)[0]
            message = (
                f"“{item.title}” opens “{path}”, which is not in the package. Put the file there and pack it again."
            )
            found.warn("launch-file-missing", place, message)
        into.append(
            Launch(organization.identifier, item.identifier, item.title, compose(resource.href, item.parameters))
        )
    return tuple(launches or missing)


def _tell_resources(
    organizations: tuple[Organization, ...], openings: Openings, document: str, found: Findings
) -> None:
    used = {item.resource for organization in organizations for item in organization.walk()}
    for name, (said, place) in openings.forbidden.items():
        scheme = said.partition(":")[0].strip()
        if name in used:
            message = f"An item would open “{said}”. Only files of the package can be opened, nothing with “{scheme}:”."
            found.error("launch-scheme", place, message)
        else:
            found.warn("href-scheme", place, f"“{said}” is no file of the package; it was left out.")
    for name, (said, place) in openings.outside.items():
        if name in used:
            message = (
                f"An item would open “{said}”, which leads out of the package. Only files of the package can be opened."
            )
            found.error("launch-outside", place, message)
    for name in sorted(openings.missing - used):
        message = (
            f"“{split(openings.resources[name].href)[0]}” is named by the resource “{name}” but not in the package."
        )
        found.warn("file-missing", document, message)


def _tell_why(organizations: tuple[Organization, ...], openings: Openings, document: str, found: Findings) -> None:
    items = [item for organization in organizations for item in organization.walk()]
    resources = openings.resources.values()
    if any(openings.resources[item.resource].remote for item in items if item.resource in openings.resources):
        message = "Everything that the course opens is on the network. Export it with its content in the package."
        found.error("launch-remote", document, message)
    elif resources and all(each.type.lower().startswith("imsqti") for each in resources):
        message = "This is a package of questions (QTI), not a course. Import it where questions are kept, or export a course."
        found.error("qti", document, message)
    elif not items:
        more = "" if not resources else f" Its {len(resources)} resources are used by no item."
        message = f"The manifest has no items, so there is nothing to open.{more} Export the package as a course."
        found.error("no-launch", document, message)
    else:
        message = (
            "No item of the course opens anything: none refers to a resource with an href. Export the package again."
        )
        found.error("no-launch", document, message)
