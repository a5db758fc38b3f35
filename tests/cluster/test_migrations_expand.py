"""The version before runs on the new schema: no migration narrows without saying why; and each way to narrow is found."""

from __future__ import annotations

from importlib import resources

import pytest

from cluster.release.expand import FIRST, narrowing, statements

FOLDER = resources.files("cluster.migrations")
FILES = {entry.name: entry.read_text() for entry in FOLDER.iterdir() if entry.name.endswith(".sql")}


@pytest.mark.parametrize("name", sorted(name for name in FILES if name >= FIRST))
def test_a_migration_expands(name: str) -> None:
    found = narrowing(FILES[name])
    assert not found, f"{name}: {'; '.join(map(str, found))}: the version before may need it (docs/release.md, Schema)"


@pytest.mark.parametrize(
    "sql",
    [
        "drop table jobs;",
        "drop view if exists queue_depths;",
        "drop function held(text, text);",
        "drop type state;",
        "alter table jobs drop column position;",
        "alter table jobs drop position;",
        "alter table only jobs add column a text, drop column b;",
        "alter table jobs rename column a to b;",
        "alter table jobs rename to tasks;",
        "alter view depths rename to depth;",
        "alter table jobs alter column a type bigint;",
        "alter table jobs alter a set data type bigint;",
        "alter table jobs alter column a set not null;",
        "alter table jobs alter column a drop default;",
        "alter table jobs add column a text not null;",
        "alter table jobs add a text not null check (a <> '');",
        "alter table jobs add check (kind <> 'x');",
        "alter table jobs add constraint c unique (tenant, kind);",
        "alter table jobs add column a text, add unique (tenant, a);",
        "alter table jobs drop constraint jobs_check;",
        "alter table jobs enable row level security;",
        "create unique index on jobs (kind);",
        "create unique index once on jobs (tenant, kind) where state = 'queued';",
        "revoke update on jobs from content_worker;",
        "delete from jobs where state = 'failed';",
        "truncate jobs;",
        "do $$ begin execute format('alter table %I drop constraint %I', 'jobs', 'c'); end $$;",
        "do $x$ begin alter table jobs alter column a set not null; end $x$;",
        "-- contract\ndrop table jobs;",
        "-- contract: it is old\nselect 1;\ndrop table jobs;",
    ],
)  # fmt: skip
def test_what_narrows_is_found(sql: str) -> None:
    assert narrowing(sql), sql


@pytest.mark.parametrize(
    "sql",
    [
        "create table news (a text not null, unique (a)); alter table news add check (a <> ''); create unique index on news (a);",
        "alter table jobs add column a text;",
        "alter table jobs add column a text not null default '' check (a in ('', 'b'));",
        "alter table jobs add column a text, add column b text, add check (a is null or b is not null);",
        "alter table jobs add column n bigint generated always as identity;",
        "alter table jobs alter column a drop not null;",
        "alter table jobs no force row level security;",
        "create index on jobs (kind);",
        "drop index jobs_by_kind;",
        "grant select on jobs to content_ops;",
        "create table news (a text); revoke update on news from content_api;",
        "create function f() returns void language plpgsql as $$ begin delete from jobs; drop table x; end $$;",
        "-- drop table jobs;\nselect 1;",
        "insert into notes values ('drop table jobs;');",
        "-- contract: nothing has read it since 0021\nalter table jobs drop column position;",
        "-- Longer words first.\n-- compatible: no version writes anything else\nalter table jobs add check (kind <> '');",
    ],
)
def test_what_expands_or_is_excused_is_let_pass(sql: str) -> None:
    assert narrowing(sql) == []


def test_statements_are_parted_where_they_end() -> None:
    sql = "-- one\nselect ';' ; -- after\nselect 2;\ndo $$ begin x; y; end $$;\n-- left"
    assert list(statements(sql)) == [
        ("-- one", "select ';'"), ("-- after", "select 2"), ("", "do $$ begin x; y; end $$"),
    ]  # fmt: skip


def test_the_rules_bite_on_migrations_that_did_narrow() -> None:
    """Those of the time before the first release, when nothing older ran beside them."""
    assert {found.rule for found in narrowing(FILES["0008_seals.sql"])} >= {
        "a dropped column or constraint", "a new demand on old rows",
    }  # fmt: skip
    assert narrowing(FILES["0010_plans.sql"])
