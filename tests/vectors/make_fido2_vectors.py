"""Writes ``fido2/*.json``: answers of security keys that hold, and for each rule of ours answers that break it alone.

Run from the root of the project: ``python -m tests.vectors.make_fido2_vectors``. Keys and signatures are fixed, so a
second run writes the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec

from tests.simulators import authenticator as sim
from tests.simulators.authenticator import AT, BE, BS, ED, UP, UV, Authenticator, authenticator_data, cbor, client_data

FOLDER = Path(__file__).parent / "fido2"
KEY = Authenticator()
P25519 = 2**255 - 19


@dataclass(frozen=True)
class Case:
    """One answer. ``breaks`` is the rule that refuses it (``None``: it holds); ``cose_key`` is the known one."""

    name: str
    response: dict[str, Any]
    breaks: str | None = None
    cose_key: str = KEY.cose_key.hex()
    user_verification: bool = True
    account_known: bool = False


def client_cases(type_: str, answer: Callable[[bytes], dict[str, Any]]) -> Iterator[Case]:
    """Section 5.8.1 and the steps on client data, which both ceremonies share."""

    def said(**changes: Any) -> dict[str, Any]:
        return answer(client_data(type_, changes=changes))

    yield Case("a byte order mark", answer(b"\xef\xbb\xbf" + client_data(type_)))
    yield Case("a member of the future", said(extra="an unknown member [{"))
    yield Case("no crossOrigin", said(crossOrigin=...))
    yield Case("another of our origins", said(origin=sim.OTHER_ORIGIN))
    other = "webauthn.get" if type_ == "webauthn.create" else "webauthn.create"
    for another in (other, "payment.get", "public-key", type_.upper(), f"{type_} ", f"{type_}\0", ""):
        yield Case(f"type {another}", said(type=another), "ceremony-type")
    for name, value in (
        ("another", bytes(32)),
        ("half a", sim.CHALLENGE[:16]),
        ("no", b""),
        ("more than the", sim.CHALLENGE + b"\0"),
        ("the hash of the", hashlib.sha256(sim.CHALLENGE).digest()),
        ("the text of the", sim.text(sim.CHALLENGE).encode()),
    ):
        yield Case(f"{name} challenge", said(challenge=sim.text(value)), "challenge")
    for origin in (
        "http://id.example",
        "https://id.example:8443",
        "https://id.example/",
        "https://ID.example",
        "https://sub.id.example",
        "https://id.example.evil.example",
        "https://evil.example",
        "https://evil.example/https://id.example",
        "https://id.example@evil.example",
        "https://user@id.example",
        "https://id.example:443",
        "https://id.example.",
        "https://id.example\n",
        " https://id.example",
        "https://\u0131d.example",
        "HTTPS://id.example",
        "//id.example",
        "id.example",
        "wss://id.example",
        "file://",
        "android:apk-key-hash:AAAA",
        "null",
        "",
    ):
        yield Case(f"origin {origin}", said(origin=origin), "origin")
    yield Case("in a frame", said(crossOrigin=True), "cross-origin")
    yield Case("on top of us", said(topOrigin="https://evil.example"), "top-origin")
    yield Case("on top of us, ourselves", said(topOrigin=sim.ORIGIN), "top-origin")
    yield Case("on top of us, without a name", said(topOrigin=""), "top-origin")


def malformed_client_cases(type_: str, answer: Callable[[bytes], dict[str, Any]]) -> Iterator[Case]:
    """RFC 8259, and members of other types."""
    honest = client_data(type_)
    opened = honest.removesuffix(b"}")
    for name, client in (
        ("not JSON", b"webauthn"),
        ("a list", b"[" + honest + b"]"),
        ("not UTF-8", opened + b',"x":"\xff"}'),
        ("UTF-16", honest.decode().encode("utf-16")),
        ("two byte order marks", b"\xef\xbb\xbf" * 2 + honest),
        ("bytes that follow", honest + b"{}"),
        ("nothing", b"{}"),
        ("a name twice", opened + b',"origin":"https://id.example"}'),
        ("a name twice, spelled in two ways", opened + b',"\\u006frigin":"https://id.example"}'),
        ("a name twice, further in", opened + b',"x":{"y":1,"y":1}}'),
        ("a comma too many", opened + b",}"),
        ("a comment", opened + b"/* */}"),
        ("the quotes of another language", honest.replace(b'"', b"'")),
        ("a line break in a text", opened + b',"x":"\n"}'),
        ("not a number", opened + b',"x":NaN}'),
        ("no end of a number", opened + b',"x":-Infinity}'),
        ("a number with a plus", opened + b',"x":+1}'),
        ("too deep", opened + b',"x":' + b"[" * 20 + b"]" * 20 + b"}"),
        ("a number beyond reason", opened + b',"x":' + b"9" * 5000 + b"}"),
        ("no type", client_data(type_, changes={"type": ...})),
        ("a challenge with padding", client_data(type_, changes={"challenge": sim.text(sim.CHALLENGE) + "="})),
        ("a challenge with spare bits", client_data(type_, changes={"challenge": sim.text(sim.CHALLENGE)[:-1] + "9"})),
        ("a challenge that is not ASCII", client_data(type_, changes={"challenge": "é"})),
        ("a challenge that is a number", client_data(type_, changes={"challenge": 7})),
        ("several origins", client_data(type_, changes={"origin": [sim.ORIGIN]})),
        ("crossOrigin as text", client_data(type_, changes={"crossOrigin": "false"})),
        ("crossOrigin as null", client_data(type_, changes={"crossOrigin": None})),
        ("topOrigin as null", client_data(type_, changes={"topOrigin": None})),
    ):
        yield Case(name, answer(client), "client-data")


def flag_cases(flags: int, answer: Callable[[bytes], dict[str, Any]], tail: bytes) -> Iterator[Case]:
    """Section 6.1 and the steps on flags, which both ceremonies share."""

    def said(flags: int = flags, more: bytes = b"", rp_id: str = sim.RP_ID) -> dict[str, Any]:
        return answer(authenticator_data(flags, count=2, rp_id=rp_id, tail=tail + more))

    yield Case("reserved bits", said(flags | 0x22))
    yield Case("extension outputs", said(flags | ED, cbor({"credProtect": 2})))
    yield Case("another RP ID", said(rp_id="other.example"), "rp-id")
    yield Case("nobody there", said(flags & ~UP), "user-present")
    yield Case("nobody verified", said(flags & ~UV), "user-verified")
    yield Case("nobody verified, not asked", said(flags & ~UV), user_verification=False)
    yield Case("backed up, not eligible", said(flags | BS), "backup-state")
    for name, data in (
        ("36 bytes", authenticator_data(flags, tail=tail)[:36]),
        ("bytes that no flag announces", authenticator_data(flags, tail=tail + b"\xa0")),
        ("extensions that are missing", authenticator_data(flags | ED, tail=tail)),
        ("extensions in a list", authenticator_data(flags | ED, tail=tail + cbor(["x"]))),
        ("extensions without names", authenticator_data(flags | ED, tail=tail + cbor({1: 2}))),
        ("bytes after the extensions", authenticator_data(flags | ED, tail=tail + cbor({}) + b"\x00")),
        ("an extension twice", authenticator_data(flags | ED, tail=tail + bytes.fromhex("a2616101616101"))),
        ("extensions in another order", authenticator_data(flags | ED, tail=tail + bytes.fromhex("a2616201616101"))),
        ("extensions without a length", authenticator_data(flags | ED, tail=tail + bytes.fromhex("bf616101ff"))),
        ("an extension that is a float", authenticator_data(flags | ED, tail=tail + cbor({"a": 1.5}))),
        ("an extension with a tag", authenticator_data(flags | ED, tail=tail + bytes.fromhex("a16161c101"))),
    ):
        yield Case(name, answer(data), "authenticator-data")


def outer_cases(answer: Callable[..., dict[str, Any]], parts: tuple[str, ...]) -> Iterator[Case]:
    """Section 5.1: the members of ``PublicKeyCredential.toJSON()``."""
    id_ = sim.text(KEY.credential_id)
    yield Case("members of the future", answer(outer={"x": 1}, inner={"y": [2]}))
    yield Case("another credential type", answer(outer={"type": "password"}), "json-type")
    yield Case("no credential type", answer(outer={"type": ...}), "json-type")
    yield Case("no id", answer(outer={"id": ...}), "json-id")
    yield Case("another id", answer(outer={"id": sim.text(b"another")}), "json-id")
    yield Case("id as a number", answer(outer={"id": 1, "rawId": 1}), "json-rawId")
    yield Case("an empty id", answer(outer={"id": "", "rawId": ""}), "json-rawId")
    yield Case("id with padding", answer(outer={"id": f"{id_}=", "rawId": f"{id_}="}), "json-rawId")
    long = sim.text(bytes(1024))
    yield Case("an id of 1024 bytes", answer(outer={"id": long, "rawId": long}), "json-rawId")
    yield Case("no response", answer(outer={"response": ...}), "json-response")
    yield Case("response as a list", answer(outer={"response": []}), "json-response")
    for part in parts:
        yield Case(f"no {part}", answer(inner={part: ...}), f"json-{part}")
        yield Case(f"{part} as null", answer(inner={part: None}), f"json-{part}")
        yield Case(f"{part} as a list", answer(inner={part: [1, 2]}), f"json-{part}")
        yield Case(f"{part} empty", answer(inner={part: ""}), f"json-{part}")
        yield Case(f"{part} in the other alphabet", answer(inner={part: "+/+/"}), f"json-{part}")
        yield Case(f"{part} not ASCII", answer(inner={part: "é\ud800"}), f"json-{part}")


def _register(**key: Any) -> dict[str, Any]:
    """A registration of other attested credential data."""
    return KEY.register(said=authenticator_data(UP | UV | AT, tail=KEY.attested(**key)))


def _attest(value: Any) -> dict[str, Any]:
    return KEY.register(attestation=value if isinstance(value, bytes) else cbor(value))


def key_cases() -> Iterator[Case]:
    """Section 5.8.5 and RFC 9053: keys that nothing could be verified with, or anything."""
    es256, ed25519 = sim.cose_key(KEY.key), sim.cose_key(sim.edwards_key("edwards"))
    for name, key, breaks in (
        ("P-384", sim.cose_key(sim.elliptic_key("384", ec.SECP384R1())), None),
        ("P-521", sim.cose_key(sim.elliptic_key("521", ec.SECP521R1())), None),
        ("Ed25519", ed25519, None),
        ("ES256K", {**es256, 3: -47, -1: 8}, "algorithm"),
        ("an algorithm that nobody knows", {**es256, 3: -999}, "algorithm"),
        ("no algorithm", {1: 2, -1: 1, -2: es256[-2], -3: es256[-3]}, "cose-key"),
        ("algorithm as text", {**es256, 3: "ES256"}, "cose-key"),
        ("algorithm as a truth", {**es256, 3: True}, "cose-key"),
        ("a list", [1, 2], "cose-key"),
        ("a point off the curve", {**es256, -3: es256[-2]}, "cose-key"),
        ("a compressed point", {**es256, -3: True}, "cose-key"),
        ("a short coordinate", {**es256, -2: es256[-2][1:]}, "cose-key"),
        ("a byte of x in y", {**es256, -2: es256[-2][:-1], -3: es256[-2][-1:] + es256[-3]}, "cose-key"),
        ("coordinates of P-384", {**sim.cose_key(sim.elliptic_key("384", ec.SECP384R1())), 3: -7, -1: 1}, "cose-key"),
        ("another curve", {**es256, -1: 2}, "cose-key"),
        ("another key type", {**es256, 1: 1}, "cose-key"),
        ("no y", {1: 2, 3: -7, -1: 1, -2: es256[-2]}, "cose-key"),
        ("one parameter more", {**es256, 2: b"kid"}, "cose-key"),
        ("Ed25519 off the curve", {**ed25519, -2: bytes([2]) + bytes(31)}, "cose-key"),
        ("Ed25519 in another spelling", {**ed25519, -2: (P25519 + 3).to_bytes(32, "little")}, "cose-key"),
        ("Ed25519 too short", {**ed25519, -2: ed25519[-2][1:]}, "cose-key"),
        ("Ed25519 of order 1", {**ed25519, -2: bytes([1]) + bytes(31)}, "cose-key"),
        ("Ed25519 of order 4", {**ed25519, -2: bytes(32)}, "cose-key"),
        (
            "Ed25519 of order 8",
            {**ed25519, -2: bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")},
            "cose-key",
        ),
        ("Ed448 of order 4", {1: 1, 3: -53, -1: 7, -2: bytes(57)}, "cose-key"),
        ("ML-DSA-44 too short", {1: 7, 3: -48, -1: bytes(1311)}, "cose-key"),
    ):
        yield Case(f"key: {name}", _register(key=cbor(key)), breaks)


def rsa_cases() -> Iterator[Case]:
    """RFC 8230 and FIPS 186-5 section 5.1."""
    modulus = int.from_bytes(b"".join(hashlib.sha512(bytes([n])).digest() for n in range(16)), "big")

    def rsa(bits: int, e: bytes = b"\x01\x00\x01", last: int = 1) -> dict[int, Any]:
        n = (modulus | 1 << 8191) >> 8192 - bits & ~1 | last
        return {1: 3, 3: -257, -1: n.to_bytes((bits + 7) // 8, "big"), -2: e}

    for name, key, breaks in (
        ("RSA of 2048 bits", rsa(2048), None),
        ("RSA of 4096 bits", rsa(4096), None),
        ("RS1", {**rsa(2048), 3: -65535}, "algorithm"),
        ("RSA of 1024 bits", rsa(1024), "key-strength"),
        ("RSA of 2047 bits", rsa(2047), "key-strength"),
        ("RSA of 4097 bits", rsa(4097), "key-strength"),
        ("RSA with exponent 3", rsa(2048, b"\x03"), "key-strength"),
        ("RSA with a huge exponent", rsa(2048, b"\x01" + bytes(31) + b"\x01"), "key-strength"),
        ("RSA with an even exponent", rsa(2048, b"\x01\x00\x02"), "cose-key"),
        ("RSA with an even modulus", rsa(2048, last=0), "cose-key"),
    ):
        yield Case(f"key: {name}", _register(key=cbor(key)), breaks)


def attestation_cases() -> Iterator[Case]:
    """Section 6.5.4 and CTAP2 canonical CBOR."""
    said = authenticator_data(UP | UV | AT, tail=KEY.attested())
    whole = {"fmt": "none", "attStmt": {}, "authData": said}
    entry = {name: cbor(name) + cbor(value) for name, value in whole.items()}
    fmt, statement, data = entry["fmt"], entry["attStmt"], entry["authData"]
    compound = [{"fmt": "packed", "attStmt": {"x5c": [b"certificate"]}}]
    yield Case("a format that nobody knows", _attest({**whole, "fmt": "future", "attStmt": {"x": 1}}))
    yield Case("an algorithm that is not verified", _attest({**whole, "fmt": "packed", "attStmt": {"alg": -65535}}))
    yield Case("a service that has ended", _attest({**whole, "fmt": "android-safetynet", "attStmt": {"ver": "1"}}))
    yield Case(
        "packed, a signature that is none",
        _attest({**whole, "fmt": "packed", "attStmt": {"alg": -7, "sig": b"x"}}),
        "packed-self-signature",
    )
    yield Case("compound of one", _attest({**whole, "fmt": "compound", "attStmt": compound}), "attestation-statement")
    yield Case("none with a statement", _attest({**whole, "attStmt": {"alg": -7}}), "none-statement")
    yield Case("none with a list", _attest({**whole, "attStmt": []}), "none-statement")
    for name, attestation in (
        ("no authData", {"fmt": "none", "attStmt": {}}),
        ("a member more", {**whole, "epAtt": True}),
        ("a list", [whole]),
        ("fmt as bytes", {**whole, "fmt": b"none"}),
        ("fmt empty", {**whole, "fmt": ""}),
        ("fmt too long", {**whole, "fmt": "x" * 33}),
        ("fmt not ASCII", {**whole, "fmt": "nöne"}),
        ("attStmt as text", {**whole, "attStmt": "x"}),
        ("authData as text", {**whole, "authData": "x"}),
        ("a statement that is too deep", {**whole, "fmt": "x", "attStmt": {"a": [[[[]]]]}}),
        ("a float", {**whole, "fmt": "x", "attStmt": {"a": 1.5}}),
        ("undefined", {**whole, "fmt": "x", "attStmt": {"a": cbor2.undefined}}),
        ("a key that is bytes", {**whole, "fmt": "x", "attStmt": {b"a": 1}}),
        ("a tag", b"\xc1" + cbor(whole)),
        ("bytes that follow", cbor(whole) + b"\x00"),
        ("bytes that are missing", cbor(whole)[:-1]),
        ("nothing", b"\xff"),
        ("another order", b"\xa3" + statement + fmt + data),
        ("a name twice", b"\xa4" + fmt + fmt + statement + data),
        ("an indefinite map", b"\xbf" + fmt + statement + data + b"\xff"),
        ("a length that could be shorter", b"\xb8\x03" + fmt + statement + data),
        ("a length beyond the end", b"\xbb" + b"\xff" * 8 + fmt + statement + data),
        ("a length of 15 bytes", b"\xbc" + fmt + statement + data),
        ("text that is not UTF-8", b"\xa3" + cbor("fmt") + b"\x61\xff" + statement + data),
        ("a truth of two bytes", b"\xa3" + cbor("fmt") + b"\xf8\x15" + statement + data),
    ):
        yield Case(f"attestation: {name}", _attest(attestation), "attestation-object")


def registration_cases() -> Iterator[Case]:
    """Section 7.1."""
    flags = UP | UV | AT
    long = Authenticator(credential_id=bytes(range(256)) * 3 + bytes(255))
    yield Case("as made", KEY.register())
    yield Case("backed up", KEY.register(said=authenticator_data(flags | BE | BS, tail=KEY.attested())))
    yield Case("an id of 1023 bytes", long.register())
    yield Case("no transports", KEY.register(inner={"transports": ...}))
    yield Case("eight transports", KEY.register(inner={"transports": ["usb"] * 8}))
    yield from client_cases("webauthn.create", lambda client: KEY.register(client=client))
    yield from malformed_client_cases("webauthn.create", lambda client: KEY.register(client=client))
    yield from flag_cases(flags, lambda said: KEY.register(said=said), KEY.attested())
    yield from outer_cases(KEY.register, ("clientDataJSON", "attestationObject"))
    for name, transports in (
        ("as text", "usb"),
        ("with markup", ["<b>"]),
        ("as numbers", [1]),
        ("too many", ["usb"] * 9),
        ("too long", ["u" * 33]),
        ("as null", None),
    ):
        yield Case(f"transports {name}", KEY.register(inner={"transports": transports}), "json-transports")
    yield Case("another id than attested", _register(credential_id=b"another"), "attested-id")
    yield Case("no new credential", KEY.register(said=authenticator_data(UP | UV)), "attested")
    for name, data in (
        ("half an AAGUID", sim.AAGUID[:8]),
        ("an id beyond the end", sim.AAGUID + b"\xff\xff" + KEY.credential_id),
        ("no key", KEY.attested(key=b"")),
        ("half a key", KEY.attested(key=KEY.cose_key[:20])),
        ("a key out of order", KEY.attested(key=b"\xa2\x03\x26\x01\x02")),
    ):
        yield Case(name, KEY.register(said=authenticator_data(flags, tail=data)), "authenticator-data")
    yield from key_cases()
    yield from rsa_cases()
    yield from attestation_cases()


def assertion_cases() -> Iterator[Case]:
    """Section 7.2."""
    flags = UP | UV
    stranger, edwards = Authenticator(sim.elliptic_key("stranger")), Authenticator(sim.edwards_key("edwards"))
    other_id = Authenticator(credential_id=b"another")
    honest = KEY.sign_in()
    said, client = authenticator_data(flags, count=2), client_data("webauthn.get")
    yield Case("as made", honest)
    yield Case("Ed25519", edwards.sign_in(), cose_key=edwards.cose_key.hex())
    yield Case("whose is known", KEY.sign_in(inner={"userHandle": ...}), account_known=True)
    yield Case("whose is known, said as null", KEY.sign_in(inner={"userHandle": None}), account_known=True)
    yield from client_cases("webauthn.get", lambda client: KEY.sign_in(client=client))
    yield from malformed_client_cases("webauthn.get", lambda client: KEY.sign_in(client=client))
    yield from flag_cases(flags, lambda said: KEY.sign_in(said=said), b"")
    yield from outer_cases(KEY.sign_in, ("clientDataJSON", "authenticatorData", "signature"))
    yield Case("another key", stranger.sign_in(), "signature")
    yield Case("a signature of other client data", KEY.sign_in(signature=KEY.sign(said, client + b" ")), "signature")
    yield Case(
        "a signature of another count", KEY.sign_in(signature=KEY.sign(said[:-1] + b"\x03", client)), "signature"
    )
    yield Case("a signature that is none", KEY.sign_in(signature=b"x"), "signature")
    yield Case(
        "Ed25519, a signature that is none", edwards.sign_in(signature=b"x"), "signature", edwards.cose_key.hex()
    )
    yield Case("another credential", other_id.sign_in(), "credential-id")
    yield Case("another account", KEY.sign_in(inner={"userHandle": sim.text(b"another")}), "user-handle")
    yield Case("half an account", KEY.sign_in(inner={"userHandle": sim.text(sim.USER_HANDLE[:32])}), "user-handle")
    yield Case(
        "another account, one is known",
        KEY.sign_in(inner={"userHandle": sim.text(b"x")}),
        "user-handle",
        account_known=True,
    )
    yield Case("nobody's account", KEY.sign_in(inner={"userHandle": ...}), "user-handle")
    yield Case("an empty account", KEY.sign_in(inner={"userHandle": ""}), "json-userHandle")
    yield Case("an account too long", KEY.sign_in(inner={"userHandle": sim.text(bytes(65))}), "json-userHandle")
    yield Case("eligible since", KEY.sign_in(said=authenticator_data(flags | BE, count=2)), "backup-eligibility")
    attested = authenticator_data(flags | AT, count=2, tail=KEY.attested())
    yield Case("a new credential", KEY.sign_in(said=attested), "attested")


FAMILIES: dict[str, Callable[[], Iterator[Case]]] = {"registration": registration_cases, "assertion": assertion_cases}


def document(family: str) -> str:
    """The file of one family."""
    return json.dumps([asdict(case) for case in FAMILIES[family]()], indent=1) + "\n"


def load(family: str) -> list[Case]:
    """The cases of one family, from its file."""
    return [Case(**case) for case in json.loads((FOLDER / f"{family}.json").read_text())]


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name in FAMILIES:
        (FOLDER / f"{name}.json").write_text(document(name))
