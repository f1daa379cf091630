"""Signed notes of golang/mod `sumdb/note`: its keys, its notes, and its rules for what to refuse."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from idverify.ledger.errors import LedgerError, MalformedError, SignatureError
from idverify.ledger.lines import parse_base64
from idverify.ledger.note import NoteSignature, NoteVerifier, open_note, parse_vkey, write_note

FILE = Path(__file__).resolve().parents[3] / "shared" / "vectors" / "ledger" / "golang-mod" / "note_vectors.json"

pytestmark = pytest.mark.skipif(not FILE.is_file(), reason="the shared vectors are not beside this checkout")

VECTORS = json.loads(FILE.read_text()) if FILE.is_file() else {}
TEXT = VECTORS.get("text", "")
PETER, ENOCH = (VECTORS["sig_lines"][name] for name in ("peter", "enoch")) if VECTORS else ("", "")

MESSAGES = {
    "text\\n+peter+enoch": f"{TEXT}\n{PETER}{ENOCH}".encode(),
    "text\\n+enoch": f"{TEXT}\n{ENOCH}".encode(),
    "text\\n+peter[:60]+'ABCD'+peter[60:]": f"{TEXT}\n{PETER[:60]}ABCD{PETER[60:]}".encode(),
    "text\\n+101*peter": f"{TEXT}\n{PETER * 101}".encode(),
    "text": TEXT.encode(),
    "text\\n": f"{TEXT}\n".encode(),
    "text\\n+peter without final newline": f"{TEXT}\n{PETER[:-1]}".encode(),
    "0x01+text\\n+peter": f"\x01{TEXT}\n{PETER}".encode(),
    "0xff+text\\n+peter": b"\xff" + f"{TEXT}\n{PETER}".encode(),
    "text\\n+'\u2014 Bad Name <sig>'": f"{TEXT}\n\u2014 Bad Name {PETER.rpartition(' ')[2]}".encode(),
    "text\\n+peter+'Unexpected line.\\n'": f"{TEXT}\n{PETER}Unexpected line.\n".encode(),
}
"""The file names its messages by a recipe; this is each recipe carried out."""

NAMES = {"peter": "PeterNeumann", "enoch": "EnochRoot"}


def verifiers(keys: list[str]) -> list[NoteVerifier]:
    vkeys = dict(zip(NAMES, VECTORS["vkey_ok"], strict=True))
    return [parse_vkey(vkeys[key]) for key in keys]


@pytest.mark.parametrize("case", VECTORS.get("open_cases", []), ids=lambda case: f"{case['msg']} by {case['keys']}")
def test_open(case: dict[str, Any]) -> None:
    """Each note opens to the same signers as in Go, or is refused."""
    message, keys = MESSAGES[case["msg"]], verifiers(case["keys"])
    if "error" in case:
        with pytest.raises(LedgerError):
            open_note(message, keys)
        return
    note = open_note(message, keys)

    assert note.text == TEXT.encode()
    assert [NAMES[key] for key in case["verified"]] == [line.name for line in note.verified]
    assert [NAMES[key] for key in case["unverified"]] == [line.name for line in note.ignored]


def test_vkeys_are_read() -> None:
    """Both published keys parse to their names."""
    assert list(NAMES.values()) == [parse_vkey(vkey).name for vkey in VECTORS["vkey_ok"]]


def test_bad_vkeys_are_refused() -> None:
    """Trailing garbage and an unknown type."""
    for vkey in VECTORS["vkey_bad"]:
        with pytest.raises(MalformedError):
            parse_vkey(vkey)


def test_no_mutation_of_a_vkey_is_a_vkey() -> None:
    """Every proper substring and every byte raised by one is refused (golang/mod's rule)."""
    vkey = VECTORS["vkey_ok"][0]
    parts = {vkey[start:stop] for start in range(len(vkey)) for stop in range(start, len(vkey) + 1)} - {vkey}
    raised = {vkey[:place] + chr(ord(vkey[place]) + 1) + vkey[place + 1 :] for place in range(len(vkey))}
    for mutated in parts | raised:
        with pytest.raises(MalformedError):
            parse_vkey(mutated)


def test_signing_gives_the_same_line() -> None:
    """Ed25519 is deterministic: from the published seed comes the published signature."""
    key = parse_base64(VECTORS["skey"].split("+", 4)[4], "key")
    verifier = parse_vkey(VECTORS["vkey_ok"][0])
    signature = Ed25519PrivateKey.from_private_bytes(key[1:]).sign(TEXT.encode())
    line = NoteSignature(verifier.name, verifier.key_id, signature)

    assert line.line() == PETER
    assert write_note(TEXT.encode(), [line]) == f"{TEXT}\n{PETER}".encode()


def test_a_signature_over_another_text_is_refused() -> None:
    """One letter of the text differs."""
    with pytest.raises(SignatureError):
        open_note(f"{TEXT.replace('you', 'You', 1)}\n{PETER}".encode(), verifiers(["peter"]))
