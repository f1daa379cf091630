"""`python -m hsm certify` and `stamp`: what the keys of a token vouch for, and what vouches for them."""

from argparse import Namespace
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate, Name

from hsm import x509
from hsm.algorithms import SIGNING
from hsm.book import Book, opened, put_in_place
from hsm.commands import Outcome, token_of
from hsm.entries import Entry, pem, rfc3339
from hsm.errors import HsmPolicy
from hsm.frames import Op
from hsm.key_rows import content_of, path_of, row_of
from hsm.lifecycle import DAY, Stage
from hsm.revocation import read_list, revoking
from hsm.rules import KeyRules
from hsm.stand_in import Sign
from hsm.time_stamps import stamped

_MAKES: Final = frozenset({"issue", "self_sign"})
YEAR: Final = 365  # days that a certificate is good for, unless said otherwise
WEEK: Final = 7  # and a revocation list


async def certify(arguments: Namespace) -> Outcome:
    """Request, issue or enter a certificate."""
    async with opened(token_of(arguments), path_of(arguments)) as book:
        entry = _certifiable(book.now.entry(arguments.key))
        assert entry.id is not None
        identity = entry.id
        for mode, work in _CERTIFY.items():
            if getattr(arguments, mode):
                _require_no_out(mode, arguments)
                return await work(book, entry, arguments, lambda data: book.hsm.sign(identity, data))
    raise HsmPolicy("Expected one of --request, --install, --self-sign, --issue and --crl, got none.")


def _require_no_out(mode: str, arguments: Namespace) -> None:
    if arguments.out is not None and mode not in _MAKES:
        raise HsmPolicy("Expected --out with --issue or --self-sign only, got another. Leave it out.")


async def _request(_: Book, entry: Entry, arguments: Namespace, sign: Sign) -> Outcome:
    asked = await x509.request(entry, _subject(arguments), sign)
    put_in_place(arguments.request, asked.public_bytes(Encoding.PEM))
    return True, [row_of(entry) | {"request": str(arguments.request)}]


async def _install(book: Book, entry: Entry, arguments: Namespace, _: Sign) -> Outcome:
    issuer = None if arguments.issuer is None else x509.read_certificate(content_of(arguments.issuer))
    if entry.certificate is not None:
        _require_same_issuer(entry, issuer)
    return await _enter(book, entry, x509.read_certificate(content_of(arguments.install)), issuer)


def _require_same_issuer(entry: Entry, issuer: Certificate | None) -> None:
    """Who vouched for a key is not exchanged for somebody else by whoever types a command."""
    if issuer is None or not x509.is_issued_by(x509.certificate_of(entry), issuer):
        raise HsmPolicy(
            f"Expected --issuer with the certificate that issued the one of {entry.label!r}, got "
            f"{'none' if issuer is None else 'another'}. For one of another issuer make another key: "
            "`python -m hsm rotate`."
        )


async def _self_sign(book: Book, entry: Entry, arguments: Namespace, sign: Sign) -> Outcome:
    if entry.certificate is not None:
        raise HsmPolicy(
            f"Expected a key that has no certificate yet, got {entry.label!r}, which has. A CA gets another with "
            "another key: `python -m hsm rotate`."
        )
    made = await x509.self_signed(entry, _subject(arguments), book.time, _days(arguments), sign)
    if arguments.out is not None:
        put_in_place(arguments.out, made.public_bytes(Encoding.PEM))
    return await _enter(book, entry, made, made)


async def _issue(book: Book, entry: Entry, arguments: Namespace, sign: Sign) -> Outcome:
    if arguments.out is None:
        raise HsmPolicy("Expected --out with --issue, got none. Say where the certificate goes.")
    assert entry.id is not None
    asked = x509.read_request(content_of(arguments.issue))
    KeyRules(book.now).require(Op.SIGN, entry.id, book.time, book.time + _days(arguments) * DAY)
    stamping = arguments.time_stamping
    made = await x509.issued(entry, asked, book.time, _days(arguments), sign, stamping=stamping)
    put_in_place(arguments.out, made.public_bytes(Encoding.PEM))
    return True, [
        {
            "subject": made.subject.rfc4514_string(),
            "issuer": made.issuer.rfc4514_string(),
            "serial": f"{made.serial_number:x}",
            "not_after": rfc3339(int(made.not_valid_after_utc.timestamp())),
            "certificate": str(arguments.out),
        }
    ]


async def _revoke(book: Book, entry: Entry, arguments: Namespace, sign: Sign) -> Outcome:
    """The next list of a CA: what is in the file, if there is one, and the serial numbers that are named."""
    assert entry.id is not None
    days = WEEK if arguments.days is None else arguments.days
    KeyRules(book.now).require(Op.SIGN, entry.id, book.time, book.time + days * DAY)
    path = arguments.crl
    before = read_list(path.read_bytes()) if path.exists() else None
    made = await revoking(entry, before, arguments.revoke, book.time, days, sign)
    put_in_place(path, made.public_bytes(Encoding.PEM))
    return True, [
        {
            "issuer": made.issuer.rfc4514_string(),
            "revoked": [f"{one.serial_number:x}" for one in made],
            "next_update": rfc3339(book.time + days * DAY),
            "crl": str(path),
        }
    ]


async def _enter(book: Book, entry: Entry, certificate: Certificate, issuer: Certificate | None) -> Outcome:
    fresh = entry.with_certificate(x509.accept(entry, certificate, issuer, book.time))
    await book.write(book.now.having(fresh))
    return True, [row_of(fresh) | {"certificate": pem(fresh.certificate or b"")}]


async def stamp(arguments: Namespace) -> Outcome:
    """Answer a request for a time stamp with the time of this machine's clock."""
    async with opened(token_of(arguments), path_of(arguments)) as book:
        entry = _certifiable(book.now.entry(arguments.key))
        assert entry.id is not None
        identity = entry.id
        KeyRules(book.now).require(Op.SIGN, identity, book.time, book.time)
        query = content_of(arguments.query)
        made = await stamped(entry, query, arguments.policy, book.time, lambda data: book.hsm.sign(identity, data))
    put_in_place(arguments.out, made)
    return True, [{"key": entry.label, "time": rfc3339(book.time), "answer": str(arguments.out)}]


_CERTIFY: Final[Mapping[str, Callable[[Book, Entry, Namespace, Sign], Awaitable[Outcome]]]] = {
    "request": _request,
    "install": _install,
    "self_sign": _self_sign,
    "issue": _issue,
    "crl": _revoke,
}


def _certifiable(entry: Entry) -> Entry:
    if entry.algorithm not in SIGNING:
        raise HsmPolicy(
            f"Expected a key pair, got {entry.label!r}: {entry.algorithm}. A secret key has no certificate."
        )
    if entry.public_key is None or entry.stage not in {Stage.ATTESTED, Stage.PUBLISHED, Stage.ACTIVE}:
        raise HsmPolicy(
            f"Expected a key pair that is attested, published or active, got {entry.label!r}, which is {entry.stage}. "
            "Finish its ceremony first."
        )
    return entry


def _days(arguments: Namespace) -> int:
    return YEAR if arguments.days is None else int(arguments.days)


def _subject(arguments: Namespace) -> Name:
    if arguments.subject is None:
        raise HsmPolicy("Expected --subject, got none. Write it as CN=Documents,O=Authority,C=UT.")
    return x509.name_of(arguments.subject)
