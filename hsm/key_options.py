"""The options of the commands that look after keys."""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hsm.keys import Algorithm
from hsm.lifecycle import Stage

_MARKED = (Stage.PUBLISHED, Stage.ACTIVE, Stage.RETIRING)


def add(verbs: Any, token_options: Callable[[argparse.ArgumentParser], None]) -> Iterator[argparse.ArgumentParser]:
    """Add each command's parser with its options, and give it back."""
    for make in (_doctor, _inventory, _ceremony, _certify, _stamp, _mark, _rotate, _destroy):
        parser = make(verbs)
        token_options(parser)
        inventory_option(parser)
        yield parser


def inventory_option(parser: argparse.ArgumentParser) -> None:
    """Where the token's inventory is."""
    parser.add_argument(
        "--inventory", type=Path, metavar="FILE", help="the signed inventory (default: inventory.json beside --conf)"
    )


def _doctor(verbs: Any) -> argparse.ArgumentParser:
    parser = _parser(verbs, "doctor", "is everything in place? Logs in to nothing and reads no PIN")
    parser.add_argument(
        "--needs",
        action="append",
        type=Algorithm,
        choices=list(Algorithm),
        help="an algorithm that the token must have; may be repeated (default ES256)",
    )
    return parser


def _inventory(verbs: Any) -> argparse.ArgumentParser:
    parser = _parser(verbs, "inventory", "list the keys on the token; 1 when one was not made in it for good")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="hold the token against its signed inventory")
    what.add_argument("--start", action="store_true", help="sign the first inventory of a token")
    parser.add_argument(
        "--adopt",
        action="store_true",
        help="with --start: enter every key of the token, as active; with --again, as generated",
    )
    parser.add_argument("--again", action="store_true", help="with --start: the inventory that was there is lost")
    return parser


def _ceremony(verbs: Any) -> argparse.ArgumentParser:
    parser = _parser(verbs, "ceremony", "make a key before witnesses, with a signed transcript")
    parser.add_argument("--role", help="what the key is for, such as doc-signer/pid")
    parser.add_argument(
        "--algorithm", type=Algorithm, choices=list(Algorithm), default=Algorithm.ES256, help="default ES256"
    )
    _witness_options(parser)
    parser.add_argument("--verify", type=Path, metavar="FILE", help="check a transcript instead")
    return parser


def _rotate(verbs: Any) -> argparse.ArgumentParser:
    parser = _parser(verbs, "rotate", "make the successor of a key, or put the published one in its place")
    _key_option(parser)
    _witness_options(parser)
    return parser


def _witness_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--witness", action="append", default=[], metavar="NAME", help="who is present; repeat it")
    parser.add_argument("--quorum", type=int, help="how many of them must confirm (default: all)")
    parser.add_argument("--transcript", type=Path, metavar="FILE", help="where the transcript goes; must not exist")


def _certify(verbs: Any) -> argparse.ArgumentParser:
    parser = _parser(verbs, "certify", "request, issue or enter the certificate of a key")
    _key_option(parser)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--request", type=Path, metavar="FILE", help="write a certification request (PKCS#10, PEM)")
    what.add_argument("--install", type=Path, metavar="FILE", help="enter the certificate (PEM) that was issued")
    what.add_argument("--self-sign", action="store_true", help="make the key a CA of its own")
    what.add_argument("--issue", type=Path, metavar="FILE", help="certify a request (PEM) with this key, which is a CA")
    parser.add_argument("--subject", help="CN=...,O=...,C=... for --request and --self-sign")
    what.add_argument("--crl", type=Path, metavar="FILE", help="sign the next revocation list (PEM) of this CA")
    parser.add_argument(
        "--revoke", type=_serial, action="append", default=[], metavar="HEX", help="for --crl: a serial number; repeat"
    )
    parser.add_argument("--days", type=int, help="of validity (default 365; 7 for --crl)")
    parser.add_argument(
        "--issuer", type=Path, metavar="FILE", help="for --install: its issuer's certificate must be this"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="for --issue and --self-sign: where the certificate goes"
    )
    parser.add_argument("--time-stamping", action="store_true", help="for --issue: certify for time stamps alone")
    return parser


def _serial(text: str) -> int:
    """Positive, and of 20 bytes at most (RFC 5280 section 4.1.2.2)."""
    number = int(text, 16)
    if not 0 < number < 1 << 159:
        raise ValueError(text)
    return number


def _stamp(verbs: Any) -> argparse.ArgumentParser:
    parser = _parser(verbs, "stamp", "answer a request for a time stamp (RFC 3161), by this machine's clock")
    _key_option(parser)
    parser.add_argument("--query", type=Path, metavar="FILE", required=True, help="the request (TimeStampReq, DER)")
    parser.add_argument("--policy", metavar="OID", required=True, help="by which time stamps are given")
    parser.add_argument("--out", type=Path, metavar="FILE", required=True, help="where the answer goes")
    return parser


def _mark(verbs: Any) -> argparse.ArgumentParser:
    parser = _parser(verbs, "mark", "enter that a key is published, taken into use, or makes nothing new any more")
    _key_option(parser)
    parser.add_argument("--to", type=Stage, choices=_MARKED, required=True, help="its next stage")
    parser.add_argument(
        "--ends-role", action="store_true", help="with --to retiring: nothing new is made in its role any more"
    )
    return parser


def _destroy(verbs: Any) -> argparse.ArgumentParser:
    parser = _parser(verbs, "destroy", "destroy a key that is retiring or was never active, for good")
    _key_option(parser)
    parser.add_argument("--confirm", metavar="HEX", required=True, help="its id once more, or its label if it has none")
    parser.add_argument("--compromised", action="store_true", help="also while it is active: somebody else may have it")
    return parser


def _key_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--key", required=True, metavar="LABEL", help="its label in the inventory")


def _parser(verbs: Any, name: str, what: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=what)
    return parser
