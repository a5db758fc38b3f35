"""What a queue entry names."""

from __future__ import annotations

from tasks.planning import Group


def test_a_group_is_read_as_it_was_written() -> None:
    group = Group("pkg_1", 3, "phone", "bulk", "shared")
    assert Group.parse(group.subject(2)) == (group, 2)


def test_an_entry_of_an_earlier_release_is_understood() -> None:
    assert Group.parse("pkg_1/3/phone/bulk/2") == (Group("pkg_1", 3, "phone", "bulk", "device"), 2)
