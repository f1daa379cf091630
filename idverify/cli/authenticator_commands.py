"""``idverify authenticators``: which security keys staff may use, and what is known of their models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

authenticators = typer.Typer(help="Which security keys staff may use.", no_args_is_help=True)

Data = Annotated[Path, typer.Option("--data", help="Directory that holds everything the service keeps.")]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
DATA = Path("data")


@authenticators.command()
def show(data: Data = DATA, json: Json = False) -> int:
    """The list in force, and how old the metadata are."""
    from idverify.cli.authenticators import show as run

    return run(data, json=json)


@authenticators.command()
def allow(
    model: Annotated[str, typer.Argument(help="Its AAGUID; of a U2F key the identifier of its maker's key.")],
    name: Annotated[str, typer.Option(help="What people call it.")],
    anchor: Annotated[
        list[Path] | None,
        typer.Option(help="PEM: the maker's root. May be repeated. Without it the metadata say who vouches for it."),
    ] = None,
    least: Annotated[
        str | None, typer.Option(help="From now on ask for this certification, such as FIDO_CERTIFIED_L1; or: none.")
    ] = None,
    data: Data = DATA,
    json: Json = False,
) -> int:
    """Add a model to the list; refused once two admins are active, who change it on their page."""
    from idverify.cli.authenticators import allow as run

    return run(data, model, name, anchor or [], least, json=json)


@authenticators.command("set")
def set_list(
    file: Annotated[Path, typer.Argument(help="The whole list as JSON, such as: show --json prints.")],
    data: Data = DATA,
    json: Json = False,
) -> int:
    """Put a whole list in force; refused once two admins are active."""
    from idverify.cli.authenticators import set_list as run

    return run(data, file, json=json)


@authenticators.command("dry-run")
def dry_run(
    file: Annotated[Path, typer.Argument(help="A list as JSON.")], data: Data = DATA, json: Json = False
) -> int:
    """Which registered keys a list would refuse: 0 none, 1 some."""
    from idverify.cli.authenticators import dry_run as run

    return run(data, file, json=json)


@authenticators.command("load-metadata")
def load_metadata(
    source: Annotated[str, typer.Argument(help="FIDO's metadata (BLOB): a file, or an https address.")],
    data: Data = DATA,
    json: Json = False,
) -> int:
    """Load newer metadata, signed under a root of security_keys.metadata_roots."""
    from idverify.cli.authenticators import load_metadata as run

    return run(data, source, json=json)
