"""The documentation is held against the code: what is there is mentioned, and what is mentioned is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.core
import typer.main
from pydantic import BaseModel

from idverify.cli import app
from idverify.config import Config
from idverify.core.policy import Role
from idverify.core.types import CREDENTIAL_TYPES
from idverify.core.verdict import CheckId
from idverify.errors import ClientError, DocumentError, IdverifyError
from idverify.web.endpoint import Endpoint
from idverify.web.routes import ROUTES

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\[[^]\n]+\]\(([^)\s]+)\)")
OUR_FILE = re.compile(r"`((?:\.ci|deploy|docs|hsm|idverify|tests)/[\w./-]*)`")
PATH_PARAMETER = re.compile(r"\{(\w+):(?:[^{}]|\{[^{}]*\})+\}")


def page(name: str) -> str:
    return (ROOT / name).read_text()


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def settings(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every setting by its dotted name; the data directory is an argument, not a setting."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from settings(kind, f"{prefix}{name}.")
        elif name != "data":
            yield prefix + name


def commands(group: typer.core.TyperGroup, prefix: str = "idverify") -> Iterator[str]:
    """Every command as it is typed."""
    for name, command in group.commands.items():
        if isinstance(command, typer.core.TyperGroup):
            yield from commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}"


def heads(text: str) -> set[str]:
    """The anchors of a page's headings, as forges make them."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def problems(error: type[IdverifyError]) -> Iterator[type[IdverifyError]]:
    """The errors of the tree that callers meet: those with a slug of their own, but for the branches that are none."""
    if "slug" in vars(error) and error not in {ClientError, DocumentError}:
        yield error
    for below in error.__subclasses__():
        yield from problems(below)


def test_every_setting_is_explained() -> None:
    """Each field of the settings stands in its table, and no other does."""
    rows = re.findall(r"^\| (`[\w.]+`(?:, `[\w.]+`)*) \|", page("docs/settings.md"), re.MULTILINE)
    named = re.findall(r"`([\w.]+)`", " ".join(rows))

    assert sorted(named) == sorted(settings(Config))


def test_every_default_is_the_real_one() -> None:
    """A default that a settings table shows is the one in the code."""
    shown = re.findall(r"^\| `(\w+)\.(\w+)`.*? \| `([^`]+)` \|", page("docs/settings.md"), re.MULTILINE)
    real = {
        (section, name): field.default
        for section, holder in Config.model_fields.items()
        if isinstance(holder.annotation, type) and issubclass(holder.annotation, BaseModel)
        for name, field in holder.annotation.model_fields.items()
    }

    assert len(shown) >= 6
    assert [
        (section, name, text) for section, name, text in shown if text.lower() != str(real[section, name]).lower()
    ] == []


def test_every_command_is_listed() -> None:
    """The guide's table names each command, and none that does not exist; ``test`` belongs to the set-up."""
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    table = page("docs/api.md").partition("## The command line")[2]
    listed = re.findall(r"`(idverify [a-z -]+)`", "\n".join(re.findall(r"^\| (`idverify.*?) \|", table, re.MULTILINE)))

    assert sorted(listed) == sorted([*commands(group), "idverify test"])


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_is_listed(route: Endpoint) -> None:
    """The guide has a row for each route."""
    path = PATH_PARAMETER.sub(r"{\1}", route.path)

    assert f"| `{route.method} {path}` |" in page("docs/api.md")


@pytest.mark.parametrize("error", sorted(problems(IdverifyError), key=lambda error: error.slug))
def test_every_problem_is_explained(error: type[IdverifyError]) -> None:
    """The guide has a row that names each problem type, with its status."""
    rows = re.findall(rf"^\|.*`{error.slug}`.* \| (\d+) \|", page("docs/api.md"), re.MULTILINE)

    assert rows == [str(error.status)]


def test_what_a_purpose_may_learn_is_listed() -> None:
    """One row for each purpose and type, with the very names, and no other."""
    table = page("docs/api.md").partition("| purpose | of | may learn |\n|---|---|---|\n")[2]
    due = []
    for kind in CREDENTIAL_TYPES.values():
        for purpose, view in next(iter(kind.forms.values())).views.items():
            if view is not None:
                names = ", ".join(f"`{name}`" for name in sorted(str(path[-1]) for path in view))
                due.append(f"| `{purpose}` | `{kind.id}` | {names or 'nothing'} |")

    assert table.partition("\n\n")[0].splitlines() == due


def test_every_check_has_a_section() -> None:
    """The page on checks has a section for each id, in the order of the code, and no other."""
    assert re.findall(r"^## `(\w+)`$", page("docs/checks.md"), re.MULTILINE) == [check.value for check in CheckId]


@pytest.mark.parametrize("path", PAGES, ids=place)
def test_links_lead_somewhere(path: Path) -> None:
    """A link to a page of ours finds the page, and its heading."""
    for target in LINK.findall(path.read_text()):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        found = (path.parent / name).resolve() if name else path

        assert found.exists(), target
        assert not anchor or anchor in heads(found.read_text()), target


@pytest.mark.parametrize("path", PAGES, ids=place)
def test_files_that_are_named_exist(path: Path) -> None:
    """A file of this repository that a page names is in it."""
    assert [name for name in OUR_FILE.findall(path.read_text()) if not (ROOT / name).exists()] == []


def test_decisions_are_numbered_and_listed() -> None:
    """Decisions count from 0001 without a gap, and the first lists the others."""
    names = sorted(path.name for path in (ROOT / "docs" / "decisions").glob("*.md"))
    listed = page(f"docs/decisions/{names[0]}")

    assert [name[:4] for name in names] == [f"{number:04}" for number in range(1, len(names) + 1)]
    assert [name for name in names[1:] if f"({name})" not in listed] == []


def test_changelog_has_unreleased() -> None:
    """What changed since the last release has its place on top."""
    assert re.findall(r"^## \[(.+?)\]", page("CHANGELOG.md"), re.MULTILINE)[0] == "Unreleased"


def test_roles_are_named_in_the_guide() -> None:
    """Whoever makes a key finds the roles that can call something."""
    for role in (Role.OFFICER, Role.RELYING_PARTY):
        assert f"`{role.value}`" in page("docs/api.md")
