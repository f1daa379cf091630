"""What each command that looks after keys does: arguments in, (holds, report) out."""

from argparse import Namespace

from hsm.commands import Outcome, token_of
from hsm.doctor import examine, verdict
from hsm.keys import Algorithm


async def doctor(arguments: Namespace) -> Outcome:
    """Look at module, files and token from outside; holds when nothing is in the way of serving."""
    findings = await examine(token_of(arguments), arguments.needs or [Algorithm.ES256])
    return verdict(findings), [finding.to_json() for finding in findings]
