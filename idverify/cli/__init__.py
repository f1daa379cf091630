"""The command line: every command on one page; the work is imported when it is asked for.

Exit status: 0 holds, 1 does not hold, 2 could not tell, 64 wrong usage.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from idverify.cli.authenticator_commands import authenticators
from idverify.cli.output import Refused, WrongUsage, printable
from idverify.errors import IdverifyError

if TYPE_CHECKING:
    from idverify.cli.api import Sender

REFUSED, COULD_NOT_TELL, USAGE, INTERRUPTED = 1, 2, 64, 130

app = typer.Typer(
    name="idverify",
    help="Issues and verifies signed identity credentials. Start with: idverify up",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
apikey = typer.Typer(help="API keys of programs: made here, shown once, kept as hashes.", no_args_is_help=True)
securitykey = typer.Typer(help="A security key in software, for demonstrations and scripts.", no_args_is_help=True)
trust = typer.Typer(help="What verifiers rely on.", no_args_is_help=True)
wallet = typer.Typer(help="A demo wallet: holds a key, collects credentials, presents them.", no_args_is_help=True)
letter = typer.Typer(help="Letters on paper, for a print room.", no_args_is_help=True)
ledger = typer.Typer(help="The transparency ledger.", no_args_is_help=True)
witness = typer.Typer(help="A witness: cosigns what a log of somebody else's promises.", no_args_is_help=True)
tokens = typer.Typer(help="The HSM's tokens, and the way back when none is left.", no_args_is_help=True)
GROUPS = {
    "authenticators": authenticators,
    "apikey": apikey,
    "securitykey": securitykey,
    "trust": trust,
    "tokens": tokens,
    "wallet": wallet,
    "letter": letter,
    "ledger": ledger,
    "witness": witness,
}
for name, group in GROUPS.items():
    app.add_typer(group, name=name)

Data = Annotated[Path, typer.Option("--data", help="Directory that holds everything the service keeps.")]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
Wallet = Annotated[Path, typer.Option("--wallet", help="Directory of the wallet.")]
WitnessDirectory = Annotated[Path, typer.Option("--dir", help="Directory of the witness: its keys, its memory.")]
Published = Annotated[str, typer.Argument(help="URL or directory of a published log.")]
Vkeys = Annotated[
    list[str] | None, typer.Option("--vkey", help="The log's verifier key, or @FILE with one a line. May be repeated.")
]
PolicyFile = Annotated[
    Path | None, typer.Option("--policy", help="Or a tlog-policy: whom to believe, and who must have seen it.")
]
FirstUse = Annotated[
    bool, typer.Option("--trust-on-first-use", help="Or believe the keys that the log itself hands out.")
]
Output = Annotated[Path | None, typer.Option(help="File for the proof, if the log told two stories.")]
DATA, WALLET, WITNESS = Path("data"), Path("wallet"), Path("witness")


@app.command()
def up(
    data: Data = DATA,
    port: Annotated[int | None, typer.Option(help="Port to listen on (first run: 8080).")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; anything but loopback needs TLS.")] = None,
    public_url: Annotated[str | None, typer.Option(help="Fixed at the first run; credentials carry it.")] = None,
    tls_certificate: Annotated[Path | None, typer.Option(help="PEM certificate chain to serve TLS with.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key.")] = None,
    behind_proxy: Annotated[bool, typer.Option(help="A TLS proxy stands in front.")] = False,
    database_url: Annotated[
        str | None, typer.Option(help="First run: keep the rows in this PostgreSQL database instead of a file.")
    ] = None,
    demo: Annotated[
        bool | None,
        typer.Option(
            "--demo/--no-demo",
            envvar="IDVERIFY_SERVICE__DEMO",
            help="First run, for good: a demo has synthetic people and takes any security key (default: a demo).",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(envvar="IDVERIFY_IDENTITY__NAME", help="First run: the authority's name.")
    ] = None,
    country: Annotated[
        str | None, typer.Option(envvar="IDVERIFY_IDENTITY__COUNTRY", help="First run: ISO 3166-1 alpha-2, such as UT.")
    ] = None,
    witness: Annotated[
        list[str] | None, typer.Option(help="Who sees a key made that takes another's place. May be repeated.")
    ] = None,
    quorum: Annotated[int | None, typer.Option(help="How many of the witnesses must confirm (default: all).")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Agree to the set-up plan.")] = False,
) -> int:
    """Set up what is missing (tokens, keys, database; of a demo synthetic people) and serve."""
    from idverify.app.witnessed import present
    from idverify.cli.up import Founding, Listening, run

    del yes  # the set-up before this command has read it
    listening = Listening(port, host, public_url, tls_certificate, tls_key, behind_proxy)
    return run(data, listening, Founding(demo, name, country, database_url), present(witness or [], quorum))


@app.command()
def serve(data: Data = DATA) -> int:
    """Serve a data directory that is set up, with the settings in its idverify.toml."""
    from idverify.cli.up import serve_only

    return serve_only(data)


@app.command()
def verify(
    file: Annotated[
        list[str],
        typer.Argument(
            help="Documents, a wallet's presentation, the receipt of a check, the evidence of an act, or - for input."
        ),
    ],
    offline: Annotated[Path | None, typer.Option(help="Trust bundle (from: idverify trust export).")] = None,
    root_sha256: Annotated[str | None, typer.Option(help="Fingerprint of the root that you trust.")] = None,
    receipt: Annotated[Path | None, typer.Option(help="The document's ledger receipt (.tlog-proof).")] = None,
    nonce: Annotated[str | None, typer.Option(help="The nonce that the presentation must answer.")] = None,
    audience: Annotated[str | None, typer.Option(help="The audience that it must name.")] = None,
    at: Annotated[str | None, typer.Option(help="Verify as of this time (RFC 3339).")] = None,
    seen: Annotated[
        Path | None, typer.Option(help="File that remembers how new bundles and status lists were.")
    ] = None,
    vkey: Vkeys = None,
    policy: PolicyFile = None,
    json: Json = False,
) -> int:
    """Verify offline, a document from a trust bundle, evidence with the log's key: 0 accept, 1 reject, 2 refer.

    Nobody is asked. To have a running service check: idverify api POST URL/api/v1/verify BODY --key FILE
    """
    from idverify.cli.auditing.trust import Trust
    from idverify.cli.verify import Question, run

    return run(
        Question(tuple(file), offline, root_sha256, receipt, nonce, audience, at, seen, Trust(vkey or [], policy), json)
    )


@app.command()
def bench(
    only: Annotated[
        str | None, typer.Option(help="One group: hsm, ledger, webauthn, sdjwt, mdoc, pdf, letters, qr, status, http.")
    ] = None,
    json: Json = False,
) -> int:
    """Measure against this machine's own limit, in the same run; exit 1 if a target is missed."""
    from idverify.cli.bench import run

    return run(only, json=json)


@app.command()
def api(
    method: Annotated[str, typer.Argument(help="GET or POST.")],
    url: Annotated[str, typer.Argument(help="The full address; /openapi.json lists all.")],
    body: Annotated[str | None, typer.Argument(help="JSON; or @FILE, JSON or a document; or @- for input.")] = None,
    key: Annotated[Path | None, typer.Option(help="A file with a program's API key.")] = None,
    security_key: Annotated[
        Path | None, typer.Option(help="A file with your security key: signs in, confirms.")
    ] = None,
    member: Annotated[str | None, typer.Option(help="Print this member of the answer alone.")] = None,
) -> int:
    """Call the API of a running service: 0 done, 1 refused, 2 could not tell."""
    from idverify.cli.api import ApiCall, as_program, run

    call = ApiCall(method, url, body, member)
    if security_key is None:
        return run(call, as_program(key))
    if key is not None:
        raise WrongUsage("Give --key (a program's API key) or --security-key (a person's), not both.")
    from idverify.cli.signed_in import as_person

    return run(call, as_person(security_key))


@app.command()
def enrol(
    role: Annotated[str, typer.Option(help="officer, admin or relying-party.")],
    name: Annotated[str | None, typer.Option(help="Who it is for; without it the page asks.")] = None,
    purpose: Annotated[str | None, typer.Option(help="For a relying party: work, rent, travel, age or chosen.")] = None,
    data: Data = DATA,
    json: Json = False,
) -> int:
    """Print a one-time link with which a person enrols their security key; good for 15 minutes."""
    from idverify.cli.enrol import link

    return link(data, role, name, purpose, json=json)


@securitykey.command("enrol")
def securitykey_enrol(
    link: Annotated[str, typer.Argument(help="The one-time link (from: idverify up, or idverify enrol).")],
    key: Annotated[Path, typer.Option(help="The file for the key.")],
    name: Annotated[str | None, typer.Option(help="Your name, where the link does not say it.")] = None,
    json: Json = False,
) -> int:
    """Make a security key in software, in a file, and enrol it by a link: for demonstrations and scripts."""
    from idverify.cli.security_key import enrol as register

    return register(link, key, name, json=json)


@apikey.command("create")
def apikey_create(
    actor: Annotated[str, typer.Option(help="Whose program holds the key.")],
    role: Annotated[str, typer.Option(help="officer, relying-party or admin.")],
    purpose: Annotated[str | None, typer.Option(help="For a relying party: work, rent, travel, age or chosen.")] = None,
    data: Data = DATA,
    json: Json = False,
) -> int:
    """Make an API key and show it, this once."""
    from idverify.cli.apikey import create

    return create(data, actor, role, purpose, json=json)


@apikey.command("list")
def apikey_list(data: Data = DATA, json: Json = False) -> int:
    """Every API key, without its secret."""
    from idverify.cli.apikey import show

    return show(data, json=json)


@apikey.command("revoke")
def apikey_revoke(key_id: str, data: Data = DATA) -> int:
    """Revoke an API key by its id; it stops working at once."""
    from idverify.cli.apikey import revoke

    return revoke(data, key_id)


@tokens.command("wrap")
def tokens_wrap(data: Data = DATA, json: Json = False) -> int:
    """Make the keys that further tokens lack, and wrap people's keys for every token and the recovery key."""
    from idverify.cli.tokens import wrap

    return wrap(data, json=json)


@tokens.command("retire")
def tokens_retire(
    label: Annotated[str, typer.Argument(help="The token's label in the settings.")],
    data: Data = DATA,
    json: Json = False,
) -> int:
    """Take a token out of use for good: what its keys made still verifies, the other tokens go on alone."""
    from idverify.cli.tokens import retire

    return retire(data, label, json=json)


@tokens.command("recover")
def tokens_recover(
    share: Annotated[list[Path], typer.Option(help="A file with one share of the recovery key. Repeat it.")],
    data: Data = DATA,
    json: Json = False,
) -> int:
    """When every token is lost: open people's keys with the recovery key's shares, for the tokens configured now."""
    from idverify.cli.tokens import recover

    return recover(data, share, json=json)


@trust.command("export")
def trust_export(
    output: Annotated[Path, typer.Argument(help="Where to write the bundle.")] = Path("trust-bundle.jwt"),
    vkeys: Annotated[
        Path | None, typer.Option(help="Where to write the ledger's verifier keys, one a line, for --vkey @FILE.")
    ] = None,
    data: Data = DATA,
    json: Json = False,
) -> int:
    """Write a signed bundle of roots, issuers and statuses for offline verifiers."""
    from idverify.cli.trust import export

    return export(data, output, vkeys, json=json)


@trust.command("list")
def trust_list(
    at: Annotated[str | None, typer.Option(help="Those who were relied on at a time, 2026-05-03T12:00:00Z.")] = None,
    data: Data = DATA,
    json: Json = False,
) -> int:
    """Whom the service relies on, with everything that was ever decided on them."""
    from idverify.cli.trust import show

    return show(data, at, json=json)


@trust.command("inspect")
def trust_inspect(
    file: Annotated[Path, typer.Argument(help="A certificate (PEM or DER), a VICAL, or a trust bundle.")],
    provider_root: Annotated[Path | None, typer.Option(help="Of a VICAL: its provider's root certificate.")] = None,
    root_sha256: Annotated[str | None, typer.Option(help="Of a bundle: the fingerprint of its root.")] = None,
    json: Json = False,
) -> int:
    """What a file says in words: 0 it holds, 1 it does not, 2 nothing was given to tell it by."""
    from idverify.cli.trust import inspect

    return inspect(file, provider_root, root_sha256, json=json)


@trust.command("import")
def trust_import(
    file: Annotated[Path | None, typer.Argument(help="A certificate (PEM or DER), a VICAL, or a trust bundle.")] = None,
    output: Annotated[Path, typer.Option(help="Where to write the change for the admins.")] = Path("trust-change.json"),
    provider_root: Annotated[Path | None, typer.Option(help="Of a VICAL: its provider's root certificate.")] = None,
    root_sha256: Annotated[str | None, typer.Option(help="Of a bundle: the fingerprint of its root.")] = None,
    name: Annotated[str, typer.Option(help="Of a certificate: what people call the issuer.")] = "",
    country: Annotated[str, typer.Option(help="Its country, two letters.")] = "",
    iss: Annotated[str, typer.Option(help="How its documents name it; none for an issuer of mdocs alone.")] = "",
    type_: Annotated[
        list[str] | None, typer.Option("--type", help="FORMAT=TYPE of its documents. May be repeated.")
    ] = None,
    status_base: Annotated[list[str] | None, typer.Option(help="Where its status lists are. May be repeated.")] = None,
    origin: Annotated[str, typer.Option(help="Where the certificate came from.")] = "",
    issuer: Annotated[str | None, typer.Option(help="The issuer that a further root is of, by its key.")] = None,
    withdraw: Annotated[str | None, typer.Option(help="Instead of a file: an issuer, or a root's SHA-256.")] = None,
    since: Annotated[str | None, typer.Option(help="Withdrawn since when, 2026-05-03T12:00:00Z.")] = None,
    data: Data = DATA,
    json: Json = False,
) -> int:
    """Make a change of trusted issuers for two admins to confirm; nothing takes effect here."""
    from idverify.cli.trust import Wanted, make_change, types_of
    from idverify.services.trust_proposals import ByHand

    said = ByHand(name, country, iss, tuple(status_base or ()), types_of(type_ or []), origin, issuer)
    wanted = Wanted(file, output, provider_root, root_sha256, said, withdraw, since)
    return make_change(data, wanted, json=json)


@wallet.command("receive")
def wallet_receive(
    offer: Annotated[str, typer.Argument(help="The offer as JSON, or - for standard input.")],
    directory: Wallet = WALLET,
    json: Json = False,
) -> int:
    """Collect the credential of an offer, bound to this wallet's key."""
    from idverify.cli.wallet import receive

    return receive(offer, directory, json=json)


@wallet.command("list")
def wallet_list(directory: Wallet = WALLET, json: Json = False) -> int:
    """The credentials in the wallet."""
    from idverify.cli.wallet import show

    return show(directory, json=json)


@wallet.command("present")
def wallet_present(
    request: Annotated[str, typer.Option(help="The verification request as JSON, or - for standard input.")],
    disclose: Annotated[str, typer.Option(help="Claims to show, with commas between them.")],
    credential: Annotated[
        str | None, typer.Option(help="Which one, as wallet list calls it; without it the newest of the type.")
    ] = None,
    directory: Wallet = WALLET,
) -> int:
    """Answer a verification request with the chosen claims only; prints what to POST to /api/v1/verify."""
    from idverify.cli.wallet import present

    return present(request, [name.strip() for name in disclose.split(",")], credential, directory)


@wallet.command("receipts")
def wallet_receipts(
    directory: Wallet = WALLET,
    anew: Annotated[
        bool, typer.Option("--anew", help="Also those that it has: after the log changed witnesses.")
    ] = False,
    json: Json = False,
) -> int:
    """Fetch the receipts that did not come with their credentials."""
    from idverify.cli.wallet import fetch_receipts

    return fetch_receipts(directory, anew=anew, json=json)


@wallet.command("audit")
def wallet_audit(
    statement: Annotated[str, typer.Argument(help="The signed list (from: GET /api/v1/own-entries), or - for input.")],
    offline: Annotated[Path, typer.Option(help="Trust bundle (from: idverify trust export).")],
    root_sha256: Annotated[str, typer.Option(help="Fingerprint of the root that you trust.")],
    directory: Wallet = WALLET,
    json: Json = False,
) -> int:
    """Compare the service's list of your entries with your receipts: 0 it fits, 1 it does not, 2 a receipt lacks."""
    from idverify.cli.wallet_audit import run

    return run(statement, offline, root_sha256, directory, json=json)


def _as_somebody(url: str, key: Path | None, security_key: Path | None) -> AbstractContextManager[Sender]:
    """Calls of a program, or of a person in one session."""
    from idverify.cli.api import as_program

    if (key is None) == (security_key is None):
        raise WrongUsage("Give --key (a program's API key) or --security-key (a person's).")
    if security_key is None:
        return nullcontext(as_program(key))
    from idverify.cli.signed_in import as_one_session

    return as_one_session(url, security_key)


@letter.command("order")
def letter_order(
    service: Annotated[str, typer.Argument(help="Address of the service.")],
    people: Annotated[str, typer.Argument(help="File with a person's reference a line, or - for standard input.")],
    security_key: Annotated[Path, typer.Option(help="A file with the officer's security key, which confirms.")],
    document: Annotated[str, typer.Option("--type", help="The document.")] = "urn:idverify:immigration-status:1",
    purpose: Annotated[str, typer.Option(help="work, rent, travel, age or chosen: what the letters show.")] = "chosen",
    language: Annotated[str, typer.Option(help="en or cy.")] = "en",
    large_print: Annotated[bool, typer.Option("--large-print", help="In large print.")] = False,
    portrait: Annotated[bool, typer.Option("--portrait", help="With a small photo in each code.")] = False,
    output: Annotated[Path, typer.Option(help="Directory for the files.")] = Path("letters"),
    json: Json = False,
) -> int:
    """Order a letter for each person of a list, and bring them as files: 0 all, 1 some cannot be made."""
    from idverify.cli.letter import Place, order

    choices = {
        "type": document,
        "purpose": purpose,
        "language": language,
        "large_print": large_print,
        "portrait": portrait,
    }
    with _as_somebody(service, None, security_key) as send:
        return order(Place(service, output), people, choices, send, json=json)


@letter.command("fetch")
def letter_fetch(
    service: Annotated[str, typer.Argument(help="Address of the service.")],
    batch: Annotated[str, typer.Argument(help="Reference of the batch.")],
    key: Annotated[Path | None, typer.Option(help="A file with a program's API key, of an officer's role.")] = None,
    security_key: Annotated[Path | None, typer.Option(help="Or a file with an officer's security key.")] = None,
    output: Annotated[Path, typer.Option(help="Directory for the files.")] = Path("letters"),
    json: Json = False,
) -> int:
    """Bring the letters of a batch that was ordered, as they are made; what is there already stays."""
    from idverify.cli.letter import Place, fetch

    with _as_somebody(service, key, security_key) as send:
        return fetch(Place(service, output), batch, send, json=json)


@ledger.command("fsck")
def ledger_fsck(
    source: Annotated[
        str | None, typer.Argument(help="URL or directory of a published log; without it, the database of --data.")
    ] = None,
    data: Data = DATA,
    vkey: Vkeys = None,
    policy: PolicyFile = None,
    first_use: FirstUse = False,
    state: Annotated[
        Path | None, typer.Option(help="File to take an audit up from that was broken off; gone when it ends.")
    ] = None,
    json: Json = False,
) -> int:
    """Rehash every byte of the ledger; names the first bad entry: 0 it holds, 1 it does not, 2 could not tell."""
    if source is None:
        from idverify.cli.ledger import fsck

        if policy is not None or first_use or state is not None or len(vkey or []) > 1:
            raise WrongUsage("Of the database, one --vkey can be given; the other options are for a published log.")
        return fsck(data, vkey[0] if vkey else None, json=json)
    from idverify.cli.auditing.fsck import fsck as fsck_published
    from idverify.cli.auditing.trust import Trust

    return fsck_published(source, Trust(vkey or [], policy, first_use), state, json=json)


@ledger.command("transcript")
def ledger_transcript(
    file: Annotated[Path, typer.Argument(help="The transcript of a key's ceremony.")],
    data: Data = DATA,
    json: Json = False,
) -> int:
    """Which entry names the transcript of a key's ceremony, as it stands in this file: 0 it is that key's, 1 none."""
    from idverify.cli.transcript import run

    return run(data, file, json=json)


@ledger.command("follow")
def ledger_follow(
    source: Published,
    state: Annotated[Path, typer.Option(help="File that remembers the last checkpoint that held.")],
    vkey: Vkeys = None,
    policy: PolicyFile = None,
    first_use: FirstUse = False,
    once: Annotated[bool, typer.Option("--once", help="Look once and end.")] = False,
    interval: Annotated[float, typer.Option(min=1, help="Seconds between two looks.")] = 60,
    output: Output = None,
    json: Json = False,
) -> int:
    """Hold each new checkpoint, and the new entries, against what was seen before: 1 on a fork or rollback."""
    from idverify.cli.auditing.follow import Watch, follow
    from idverify.cli.auditing.trust import Trust

    return follow(Watch(source, state, output, interval, once, json), Trust(vkey or [], policy, first_use))


@ledger.command("verify")
def ledger_verify(
    receipt: Annotated[str, typer.Argument(help="The receipt (.tlog-proof, or a wallet's JSON), or - for input.")],
    vkey: Vkeys = None,
    policy: PolicyFile = None,
    object_file: Annotated[Path | None, typer.Option("--object", help="The file that it should be of.")] = None,
    sha256: Annotated[str | None, typer.Option(help="Or the SHA-256 of what it should be of.")] = None,
    record_type: Annotated[str | None, typer.Option("--type", help="What it should record.")] = None,
    json: Json = False,
) -> int:
    """Check a receipt, offline: 0 it holds, 1 it does not."""
    from idverify.cli.auditing.receipt import Question, verify
    from idverify.cli.auditing.trust import Trust

    return verify(Question(receipt, object_file, sha256, record_type, json), Trust(vkey or [], policy))


@ledger.command("compare")
def ledger_compare(
    one: Annotated[str, typer.Argument(help="URL or directory of a published log, or a file with a checkpoint.")],
    other: Annotated[str, typer.Argument(help="Another one.")],
    vkey: Vkeys = None,
    policy: PolicyFile = None,
    output: Output = None,
    json: Json = False,
) -> int:
    """Hold two views of a log against each other: 0 consistent, 1 a fork, 2 could not tell."""
    from idverify.cli.auditing.compare import Places, compare
    from idverify.cli.auditing.trust import Trust

    return compare(Places([one, other], [], output, json), Trust(vkey or [], policy))


@ledger.command("gossip")
def ledger_gossip(
    sources: Annotated[list[str], typer.Argument(help="Logs and mirrors by URL or directory, checkpoints by file.")],
    vkey: Vkeys = None,
    policy: PolicyFile = None,
    witness: Annotated[list[str] | None, typer.Option(help="Monitoring URL of a witness. May be repeated.")] = None,
    output: Output = None,
    json: Json = False,
) -> int:
    """Hold what log, mirrors and witnesses show against each other: 0 one story, 1 a fork, 2 could not tell."""
    from idverify.cli.auditing.compare import Places, compare
    from idverify.cli.auditing.trust import Trust

    return compare(Places(sources, witness or [], output, json), Trust(vkey or [], policy))


@ledger.command("rebuild")
def ledger_rebuild(
    source: Published,
    vkey: Vkeys = None,
    policy: PolicyFile = None,
    first_use: FirstUse = False,
    output: Annotated[Path | None, typer.Option(help="New directory for the tree.")] = None,
    data: Annotated[
        Path | None, typer.Option(help="Or the data directory, service stopped, whose ledger tables are damaged.")
    ] = None,
    json: Json = False,
) -> int:
    """Make every tile again from the entries alone, and hold them against the signed root."""
    from idverify.cli.auditing.rebuild import Target, rebuild_log
    from idverify.cli.auditing.trust import Trust

    return rebuild_log(source, Trust(vkey or [], policy, first_use), Target(output, data), json=json)


@ledger.command("erase-check")
def ledger_erase_check(
    places: Annotated[
        list[Path], typer.Argument(help="Files and directories to search: the data directory, backups, the tree.")
    ],
    receipt: Annotated[str | None, typer.Option(help="The erased person's receipt.")] = None,
    handle: Annotated[str | None, typer.Option(help="Or the entry's handle, in hexadecimal,")] = None,
    salt: Annotated[
        list[str] | None, typer.Option(help="with what may have been its salt, in hexadecimal. May be repeated.")
    ] = None,
    json: Json = False,
) -> int:
    """Search for whatever still opens an erased person's entry: 0 nothing is left, 1 something is."""
    from idverify.cli.auditing.erasure import Question, erase_check

    return erase_check(Question(places, receipt, handle, salt or [], json))


@ledger.command("audit-sample")
def ledger_audit_sample(
    count: Annotated[
        int | None, typer.Option(help="How many entries to draw, 20 if not given; with --recheck, how many had to be.")
    ] = None,
    seed: Annotated[
        str | None,
        typer.Option(help="32 bytes in hexadecimal, chosen by the auditor once the checkpoint is published."),
    ] = None,
    export: Annotated[Path | None, typer.Option(help="Write a report to publish into this directory.")] = None,
    recheck: Annotated[Path | None, typer.Option(help="Check a report instead, from this directory.")] = None,
    vkey: Vkeys = None,
    policy: PolicyFile = None,
    data: Data = DATA,
    json: Json = False,
) -> int:
    """Open entries that signed root and seed draw, and hold each against its evidence: 0 all hold, 1 one does not."""
    from idverify.cli import audit_sample

    wanted = audit_sample.asked(seed, count)
    if recheck is not None:
        from idverify.cli.auditing.trust import Trust

        return audit_sample.recheck(recheck, Trust(vkey or [], policy), wanted, json=json)
    return audit_sample.run(data, wanted, export, json=json)


@witness.command("init")
def witness_init(
    name: Annotated[str, typer.Option(help="What it signs as, like an address without https://.")],
    directory: WitnessDirectory = WITNESS,
    json: Json = False,
) -> int:
    """Make the keys of a witness, and print what others verify its cosignatures with."""
    from idverify.cli.witness import init

    return init(directory, name, json=json)


@witness.command("serve")
def witness_serve(
    log: Annotated[list[str], typer.Option(help="A log's verifier key; or @FILE with one a line. May be repeated.")],
    directory: WitnessDirectory = WITNESS,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8090,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    json: Json = False,
) -> int:
    """Cosign the checkpoints of these logs, as long as each extends all before it."""
    from idverify.cli.witness import serve as serve_witness

    return serve_witness(directory, log, host, port, json=json)


@witness.command("list")
def witness_list(directory: WitnessDirectory = WITNESS, json: Json = False) -> int:
    """What the witness cosigned last, log by log."""
    from idverify.cli.witness import show

    return show(directory, json=json)


@ledger.command("new-shard")
def ledger_new_shard(
    url: Annotated[str, typer.Argument(help="Address of the running service.")],
    security_key: Annotated[Path, typer.Option(help="A file with your security key: signs in, confirms.")],
    approve: Annotated[str | None, typer.Option(help="Carry out this proposal, which another admin made.")] = None,
    json: Json = False,
) -> int:
    """Let the ledger go on in a new log, after a halt or in good order; it takes two admins: 0 done, 1 refused."""
    from idverify.cli.new_shard import run

    return run(url, security_key, approve, json=json)


@ledger.command("export")
def ledger_export(
    to: Annotated[str, typer.Option(help="A directory, or s3://bucket/prefix; each shard goes below, by number.")],
    follow: Annotated[bool, typer.Option("--follow", help="Go on whenever the checkpoint moves.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Compare every file, also below the checkpoint that is there.")
    ] = False,
    endpoint: Annotated[str | None, typer.Option(help="Address of the object store (else AWS_ENDPOINT_URL).")] = None,
    region: Annotated[str | None, typer.Option(help="Its region (else AWS_DEFAULT_REGION).")] = None,
    data: Data = DATA,
    json: Json = False,
) -> int:
    """Write the published log as files, to be served by anything that serves files."""
    from idverify.cli.ledger_export import Destination, export

    return export(data, Destination(to, endpoint, region), follow=follow, everything=everything, json=json)


def main() -> int:
    """Run the command line; the exit status."""
    command = typer.main.get_command(app)
    try:
        status = command.main(sys.argv[1:], prog_name="idverify", standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        return COULD_NOT_TELL
    except (typer.TyperException, IdverifyError, OSError) as error:
        sentence, status = _explained(error)
        sys.stderr.write(f"{printable(sentence)}\n")
        return status
    return status if isinstance(status, int) else 0


def _explained(error: Exception) -> tuple[str, int]:
    """What to say of an error, and the exit status."""
    match error:
        case typer.TyperException():  # an unknown option, a missing argument, no command at all
            return error.format_message(), USAGE
        case WrongUsage():
            return str(error), USAGE
        case Refused():
            return str(error), REFUSED
        case OSError():  # a file or folder that was named cannot be used
            return f"{error.filename} cannot be used: {error.strerror}.", USAGE
        case IdverifyError():
            return f"{error.title}: {error.detail}", COULD_NOT_TELL
    return str(error), COULD_NOT_TELL
