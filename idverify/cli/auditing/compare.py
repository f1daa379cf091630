"""``idverify ledger compare`` and ``gossip``: what different places show of one log, held against each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from idverify.cli.auditing.findings import keep, tell_equivocation
from idverify.cli.auditing.http import HttpFiles
from idverify.cli.auditing.sources import SCHEMES, opened
from idverify.cli.auditing.trust import Trust
from idverify.cli.output import WrongUsage, print_json, read_input, say
from idverify.errors import Unavailable
from idverify.ledger.errors import MalformedError
from idverify.ledger.files import require_file
from idverify.ledger.gossip import Agreement, View, gossip
from idverify.ledger.policy import Policy
from idverify.ledger.published import CHECKPOINT

CONSISTENT, FORKED, COULD_NOT_TELL = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Places:
    """What to compare: logs and mirrors (URL or directory), notes in files, witnesses by their monitoring URL."""

    sources: Sequence[str]
    witnesses: Sequence[str]
    output: Path | None
    json: bool


def compare(places: Places, trust: Trust) -> int:
    """0 one story, 1 a fork or a note that the log did not sign, 2 not all could be read or proven."""
    if len(places.sources) + len(places.witnesses) < 2:
        raise WrongUsage("Give at least two places to compare.")
    policy = trust.resolve()
    away: list[str] = []
    with ExitStack() as stack:
        views = [*_logs(places.sources, stack, away), *_witnesses(places.witnesses, policy, away)]
        result = gossip(views, policy)
    keep(result.equivocation, places.output)
    if places.json:
        print_json(_as_json(result, away))
    else:
        _tell(result, away)
    if result.equivocation or result.refused:
        return FORKED
    return CONSISTENT if result.complete and not away else COULD_NOT_TELL


def _logs(sources: Sequence[str], stack: ExitStack, away: list[str]) -> Iterator[View]:
    for source in sources:
        if not source.startswith(SCHEMES) and Path(source).is_file():
            yield View(source, read_input(source))
            continue
        files = stack.enter_context(opened(source))
        try:
            yield View(source, require_file(files, CHECKPOINT), files)
        except (Unavailable, MalformedError) as error:
            away.append(f"{source}: {error}")


def _witnesses(urls: Sequence[str], policy: Policy, away: list[str]) -> Iterator[View]:
    """What each witness saw last of each log of the policy (tlog-witness, monitoring)."""
    for url in urls:
        for origin in sorted({log.verifier.name for log in policy.logs}):
            place = f"{url.rstrip('/')}/{sha256(origin.encode()).hexdigest()}"
            try:
                with HttpFiles(place) as files:
                    yield View(url, require_file(files, CHECKPOINT))
            except (Unavailable, MalformedError) as error:
                away.append(f"{url}: {error}")


def _as_json(result: Agreement, away: list[str]) -> dict[str, object]:
    proof = result.equivocation
    return {
        "consistent": proof is None and result.complete and not away,
        "seen": [
            {
                "place": seen.view.name,
                "size": seen.checkpoint.size,
                "root": seen.checkpoint.root.hex(),
                "proven": seen.proven,
            }
            for seen in result.seen
        ],
        "refused": [{"place": name, "detail": why} for name, why in result.refused],
        "away": away,
        "equivocation": None if proof is None else [proof.first.decode(), proof.second.decode()],
    }


def _tell(result: Agreement, away: list[str]) -> None:
    largest = max((seen.checkpoint.size for seen in result.seen), default=0)
    for seen in result.seen:
        behind = largest - seen.checkpoint.size
        where = f"{behind} behind" if behind else "the largest"
        held = "" if seen.proven or result.equivocation else "; unproven: there is no tree to hold it against"
        say(f"  {seen.checkpoint.size:>12} entries  {seen.view.name} ({where}{held})")
    for name, why in result.refused:
        say(f"  REFUSED  {name}: {why}")
    for why in away:
        say(f"  not there  {why}")
    if result.equivocation:
        tell_equivocation(result.equivocation)
    elif not result.refused:
        say("One story: each is a prefix of the largest." if result.complete and not away else "Nothing contradicts.")
