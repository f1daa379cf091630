"""``idverify enrol``: a one-time link for a member of staff or an organisation, made where only the operator can."""

from __future__ import annotations

from pathlib import Path

from idverify.cli.database import with_doors
from idverify.cli.output import WrongUsage, one_of, print_json, say
from idverify.config import load
from idverify.core.credential_type import Purpose
from idverify.core.policy import Role
from idverify.errors import Unprocessable
from idverify.ports import SystemClock, system_entropy
from idverify.services.enrol_staff import invite_first
from idverify.services.invite import Invited


def link(data: Path, role: str, name: str | None, purpose: str | None, *, json: bool) -> int:
    """Make a link and show it."""
    allowed = None if purpose is None else one_of(Purpose, purpose, "--purpose")
    invited = Invited(one_of(Role, role, "--role"), name, allowed)
    try:
        made = with_doors(
            data,
            lambda store, doors: invite_first(store, doors, SystemClock(), system_entropy, invited, "command line"),
        )
    except Unprocessable as wrong:
        raise WrongUsage(str(wrong)) from wrong
    address = f"{load(data).identity.public_url}/enrol/{made.code}"
    if json:
        print_json({"link": address, "expires_at": made.expires_at, **invited.to_json()})
    else:
        say(address)
    return 0
