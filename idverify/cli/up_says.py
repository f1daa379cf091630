"""What ``up`` and ``serve`` say: the plan, where it serves, and what whoever started it does next."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from idverify.app.demo import FOLDER
from idverify.cli.output import say
from idverify.config import Config
from idverify.core.types.immigration_status import IMMIGRATION_STATUS
from idverify.services.invite import TERMS, Kind
from idverify.services.status_lists import REFRESH_SECONDS

IDVERIFY: Final = "python3 -m idverify"
LOUD: Final = "DEMO: synthetic people, keys in software. Not for real documents."


@dataclass(frozen=True, slots=True)
class ToTell:
    """What was found before serving.

    ``references`` are of the demo's people who hold a status now (``None``: not looked for), ``codes`` for its first
    officers. ``has_list``: which security keys staff may use is set.
    """

    demo: bool
    references: list[str] | None
    codes: tuple[str, ...] = ()
    two_admins: bool = False
    has_list: bool = False


def say_plan(data: Path, *, is_new: bool, demo: bool) -> None:
    """What is going to be made."""
    if not is_new:
        say(f"Using the data in {data}; what is there stays as it is.")
        return
    say(f"Setting up {data}:")
    for step in (
        "two private SoftHSM tokens with random PINs: one online, one for the offline root",
        "keys on them, certificates, a revocation list",
        "the database, the ledger's first entries" + (", three synthetic people" if demo else ""),
    ):
        say(f"  - {step}")


def tell_serving(config: Config) -> None:
    """What ``serve`` says."""
    say(f"Serving {config.identity.public_url}")
    if config.service.demo:
        say(LOUD)


def tell(config: Config, found: ToTell, log_file: str) -> None:
    """What ``up`` says once the port is open."""
    url, data = config.identity.public_url, config.data
    say()
    say(f"idverify serves {url}  (log: {data / log_file})")
    if found.demo:
        say(LOUD)
    say()
    if found.demo or found.two_admins:
        _tell_officers(url, found.codes)
    else:
        _tell_first_staff(url, data, has_list=found.has_list)
    if found.demo:
        _tell_of_people(url, data, found)
    say(
        f"API: {url}/openapi.json   Health: {url}/readyz   Statuses are signed anew at least every {REFRESH_SECONDS} s."
    )
    say("Stop with Ctrl-C.")


def tell_halted(config: Config, reason: str) -> None:
    """Nobody may overlook it: what happened, what still works, what to do."""
    say()
    say(f"THE LEDGER IS HALTED: {reason}")
    say("Nothing is issued, decided or recorded. Documents are still verified, status lists still published.")
    say("Is there a newer copy of the database? Stop this, put it in place, start again.")
    say("If not, two admins open a new log; the runbook, under Restore, says what to do before:")
    say(f"  {IDVERIFY} ledger new-shard {config.identity.public_url} --security-key FILE")


def _tell_officers(url: str, codes: tuple[str, ...]) -> None:
    """Some decisions take two people, so two are enrolled first, each with a key of their own."""
    if not codes:
        say(f"Open {url}/sign-in and sign in with your security key.")
        return
    say(
        f"Officers to enrol: {len(codes)}. Open each link in a browser profile of its own, with a key of its own at hand."
    )
    say(f"Each is good once, for {TERMS[Kind.LINK].seconds // 60} minutes; after that stop this and start it again.")
    for code in codes:
        say(f"  {url}/enrol/{code}")
    say("There, give your name, click the button and touch your key. You are signed in at once; start with Verify.")


def _tell_first_staff(url: str, data: Path, *, has_list: bool) -> None:
    """Staff's keys prove their make by a list, and two admins come before all other staff: the runbook's next step."""
    where = shlex.quote(str(data))
    say("Two admins come first. In another terminal (docs/runbook.md, Security keys of staff, says how to choose):")
    if not has_list:
        say("  # which models of security keys staff may use, by their maker's root certificate")
        say(f"  {IDVERIFY} authenticators allow MODEL --name NAME --anchor ROOT.pem --least none --data {where}")
    say("  # a link for each of the two; each of them registers two security keys")
    say(f"  {IDVERIFY} enrol --role admin --name 'Ada Admin' --data {where}")
    say(f"Once both have their keys, they enrol everybody else of staff at {url}/admin.")


def _tell_of_people(url: str, data: Path, found: ToTell) -> None:
    if found.references is None:
        say("The demo's people are as they were.")
    elif found.references:
        say(f"One of the demo's people, to find at the officer's desk by reference: {found.references[0]}")
        _tell_walk(url, data, found.references[0], two_admins=found.two_admins)
    else:
        say("Nobody of the demo holds a status any more; start a fresh one with another --data DIR.")


def _tell_walk(url: str, data: Path, person: str, *, two_admins: bool) -> None:
    """The README's walk on the command line, with this deployment's own address, keys and person."""
    asked = f'\'{{"type":"{IMMIGRATION_STATUS.id}"}}\''
    post, employer = f"{IDVERIFY} api POST {url}/api/v1", f"--key {shlex.quote(str(data / FOLDER / 'employer.key'))}"
    shown = "--disclose family_name,given_name,work"
    walk = {
        **_walk_begins(url, data, two_admins=two_admins),
        "the officer offers a credential, and confirms it": f"{post}/people/{person}/offers {asked} --security-key olive.key > offer.json",
        "the person's wallet collects it": f"{IDVERIFY} wallet receive offer.json",
        "an employer asks for a presentation": f"{post}/verification-requests {asked} {employer} > request.json",
        "the wallet shows name and work, nothing else": f"{IDVERIFY} wallet present --request request.json {shown} > presentation.json",
        "the employer checks it": f"{post}/verify @presentation.json {employer}",
    }
    say()
    say("Or try it without a browser, in another terminal:")
    for comment, command in walk.items():
        say(f"  # {comment}")
        say(f"  {command}")
    say()


def _walk_begins(url: str, data: Path, *, two_admins: bool) -> dict[str, str]:
    """How an officer gets their link: from the operator, until two admins can agree on it."""
    enrol = f"{IDVERIFY} securitykey enrol"
    if two_admins:
        return {f"an officer enrols, by the LINK that two admins make at {url}/admin": f"{enrol} LINK --key olive.key"}
    link = f"{IDVERIFY} enrol --role officer --name 'Olive Officer' --data {shlex.quote(str(data))}"
    return {"an officer enrols, here with a security key in a file": f'{enrol} "$({link})" --key olive.key'}
