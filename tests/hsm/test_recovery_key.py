"""The offline recovery key: any enough shares open what was sealed to it, and everything else is told."""

import asyncio
import hashlib
import itertools
import json
import operator
import os
import random
import secrets
import stat
from base64 import b32encode
from functools import reduce
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from hsm import Algorithm, Hsm, HsmDecryptFailed, HsmPolicy, HsmSharesRefused, recovery_commands, shamir
from hsm.cli import COULD_NOT_TELL, DOES_NOT_HOLD, HOLDS, USAGE, main
from hsm.private import create_private
from hsm.recovery import RecoveryKey, make, recover
from hsm.shares import Share, read_share, share_out

from .conftest import Prepared

SECRET = bytes(range(32))
NAME = b"somebody"


def test_the_published_shares_give_the_published_secret() -> None:
    """The test case of draft-mcgrew-tss-03 section 9, which shares over the same field."""
    shares = {1: bytes.fromhex("b9fa07e185"), 2: bytes.fromhex("f5409b4511")}
    assert shamir.combine(shares) == bytes.fromhex("7465737400")


def test_the_products_of_the_standard() -> None:
    """The worked example of FIPS 197 section 4.2: {57} times {83} is {c1}; and every element has its inverse."""
    assert shamir._times(0x57, 0x83) == 0xC1
    assert all(shamir._times(a, shamir._inverse(a)) == 1 for a in range(1, 256))


@given(st.binary(min_size=1, max_size=40), st.integers(2, 6), st.integers(0, 4), st.randoms(use_true_random=False))
def test_any_enough_shares_give_the_secret(secret: bytes, needed: int, more: int, order: random.Random) -> None:
    """Whichever are taken, in whichever order."""
    shares = list(shamir.split(secret, needed, needed + more).items())
    order.shuffle(shares)
    assert shamir.combine(dict(shares[:needed])) == secret


def test_one_share_too_few_fits_every_secret() -> None:
    """With one share of two, each of the 256 values of a byte has exactly one second share that leads to it."""
    first = shamir.split(b"\x2a", 2, 2)[1]
    assert {shamir.combine({1: first, 2: bytes([y])})[0] for y in range(256)} == set(range(256))


@pytest.mark.parametrize("needed", [2, 3, 5])
def test_what_hides_the_secret_is_drawn_anew(needed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A random coefficient for each byte and each share needed but one; with another draw every share is another."""
    drawn: list[bytes] = []

    def draw(size: int) -> bytes:
        drawn.append(os.urandom(size))
        return drawn[-1]

    monkeypatch.setattr(secrets, "token_bytes", draw)
    once, again = shamir.split(SECRET, needed, 5), shamir.split(SECRET, needed, 5)
    assert [len(one) for one in drawn] == [len(SECRET)] * 2 * (needed - 1)
    assert len({SECRET, *once.values(), *again.values()}) == 11
    at_one = [bytes(a ^ b for a, b in zip(SECRET, shares[1], strict=True)) for shares in (once, again)]
    halves = drawn[: needed - 1], drawn[needed - 1 :]
    assert at_one == [bytes(map(_sum, zip(*half, strict=True))) for half in halves]


def _sum(column: tuple[int, ...]) -> int:
    return reduce(operator.xor, column)


def test_one_share_too_few_gives_another_secret() -> None:
    """Of shares that were really made: what fewer of them make has nothing to do with the secret."""
    shares = shamir.split(SECRET, 3, 5)
    for chosen in itertools.combinations(shares, 2):
        assert shamir.combine({number: shares[number] for number in chosen}) != SECRET


@pytest.mark.parametrize(("needed", "total"), [(1, 3), (0, 3), (4, 3), (2, 256)])
def test_shares_that_make_no_sense(needed: int, total: int) -> None:
    """Fewer than two, more than there are, or more than the field has."""
    with pytest.raises(HsmPolicy, match="needed"):
        make(needed, total)


def test_any_three_of_five_open() -> None:
    """All ten choices of three, and all five together."""
    key, shares = make(3, 5)
    sealed = key.seal(SECRET, NAME)
    for chosen in (*itertools.combinations(shares, 3), shares):
        assert recover(list(chosen)).open(sealed, NAME) == SECRET


def test_sealed_is_hpke_of_rfc_9180() -> None:
    """The encapsulated key (32 bytes), then ciphertext and tag, readable by anybody's HPKE with the same `info`."""
    private = X25519PrivateKey.generate()
    sealed = RecoveryKey.of(private.public_key()).seal(SECRET, NAME)
    suite = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
    assert len(sealed) == 32 + len(SECRET) + 16
    assert suite.decrypt(sealed, private, b"hsm recovery 1|" + NAME) == SECRET


def test_what_does_not_open() -> None:
    """Another name, another key, an altered byte, or too short: each is a failed decryption."""
    key, shares = make(2, 2)
    opened, sealed = recover(shares), key.seal(SECRET, NAME)
    other, _ = make(2, 2)
    wrong = [(sealed, b"else"), (other.seal(SECRET, NAME), NAME), (sealed[:-1], NAME), (b"", NAME)]
    wrong += [(sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :], NAME) for at in range(0, len(sealed), 7)]
    for content, name in wrong:
        with pytest.raises(HsmDecryptFailed, match="recovery key"):
            opened.open(content, name)


def test_a_public_half_goes_through_its_file() -> None:
    """The key read back has the same id; what is no X25519 key is refused."""
    key, _ = make(2, 3)
    assert RecoveryKey.from_pem(key.pem()) == key
    for pem in (b"", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"):
        with pytest.raises(HsmPolicy, match="X25519"):
            RecoveryKey.from_pem(pem)


def test_a_share_is_typed_as_people_type() -> None:
    """Case, spaces, hyphens, line ends, and the digits that look like letters do not matter."""
    share = make(2, 2)[1][0]
    text = share.text()
    assert len(text.replace(" ", "")) == 80
    for typed in (text.lower(), text.replace(" ", ""), text.replace(" ", "-") + "\n", f"  {text}\n"):
        assert read_share(typed) == share
    assert read_share(text.replace("O", "0").replace("I", "1").replace("B", "8")) == share


def test_a_slip_of_the_pen_is_noticed() -> None:
    """Every letter changed, two exchanged, one left out or added: the checksum does not hold."""
    letters = make(2, 2)[1][0].text().replace(" ", "")
    slips = [letters[:at] + ("A" if letters[at] != "A" else "C") + letters[at + 1 :] for at in range(80)]
    slips += [
        letters[:at] + letters[at + 1] + letters[at] + letters[at + 2 :]
        for at in range(79)
        if letters[at] != letters[at + 1]
    ]
    slips += [letters[1:], letters + "A", "", "share number one", letters[:40]]
    for slip in slips:
        with pytest.raises(HsmSharesRefused, match="checksum"):
            read_share(slip)


def test_a_share_of_a_later_version() -> None:
    """It is told apart from a slip."""
    text = Share(b"k" * 8, 2, 1, SECRET)
    body = b"\x02" + text.key_id + bytes([2, 1]) + SECRET
    with pytest.raises(HsmSharesRefused, match="version 1, got 2"):
        read_share(b32encode(body + hashlib.sha256(body).digest()[:7]).decode())


@pytest.mark.parametrize(("needed", "number"), [(0, 1), (1, 1), (2, 0)])
def test_a_share_that_nobody_makes(needed: int, number: int) -> None:
    """Its checksum holds; its numbers are of no share."""
    with pytest.raises(HsmSharesRefused, match="leave it out"):
        read_share(Share(b"k" * 8, needed, number, SECRET).text())


def test_shares_that_do_not_belong_together() -> None:
    """None, too few, the same twice, of two keys, two with one number: each is told with what to bring."""
    _, shares = make(3, 5)
    _, others = make(3, 5)
    with pytest.raises(HsmSharesRefused, match="got none"):
        recover([])
    with pytest.raises(HsmSharesRefused, match="Bring 1 more"):
        recover(shares[:2])
    with pytest.raises(HsmSharesRefused, match="Bring 1 more"):
        recover([shares[0], shares[1], shares[0]])
    with pytest.raises(HsmSharesRefused, match=f"number 4 of the key {others[3].key_id.hex()}"):
        recover([*shares[:2], others[3]])
    with pytest.raises(HsmSharesRefused, match="2 on number 3"):
        recover([*shares[:2], Share(shares[2].key_id, 2, 3, shares[2].value)])
    with pytest.raises(HsmSharesRefused, match="number 1, got two"):
        recover([*shares[:3], Share(shares[0].key_id, 3, 1, bytes(32))])


def test_a_forged_share() -> None:
    """One whose checksum holds, of the right key and number: named if there are enough others, told in any case."""
    _, shares = make(3, 5)
    forged = share_out(bytes(32), shares[0].key_id, 3, 5)[1]
    with pytest.raises(HsmSharesRefused, match="another as number 2"):
        recover([shares[0], forged, shares[2], shares[3]])
    with pytest.raises(HsmSharesRefused, match="at least one that is not of it"):
        recover([shares[0], forged, shares[2]])


def _made(tmp_path: Path) -> tuple[RecoveryKey, list[str]]:
    public, papers = tmp_path / "recovery.pem", tmp_path / "shares"
    made = main(["recovery-key", "--needed", "2", "--total", "3", "--public", str(public), "--shares", str(papers)])
    assert made == HOLDS
    return RecoveryKey.from_pem(public.read_bytes()), [str(papers / f"share-{n}") for n in (1, 2, 3)]


def test_the_shares_are_in_files_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each in its own, for its owner alone; nothing of them is printed, and nothing is written over."""
    _, papers = _made(tmp_path)
    printed = capsys.readouterr().out
    for paper in papers:
        text = Path(paper).read_text().strip()
        assert text not in printed
        assert stat.S_IMODE(Path(paper).stat().st_mode) == 0o600
    again = ["recovery-key", "--needed", "2", "--total", "3", "--public", str(tmp_path / "recovery.pem")]
    assert main([*again, "--shares", str(tmp_path / "more")]) == USAGE


def test_no_public_half_without_its_shares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written is read back and put together; a file that is of another key leaves no public half behind."""
    others = make(2, 3)[1]

    def swapped(path: Path, text: str) -> None:
        create_private(path, others[2].text() + "\n" if path.name == "share-3" else text)

    monkeypatch.setattr(recovery_commands, "create_private", swapped)
    asked = ["recovery-key", "--needed", "2", "--total", "3", "--public", str(tmp_path / "recovery.pem")]
    assert main([*asked, "--shares", str(tmp_path / "shares")]) == COULD_NOT_TELL
    assert not (tmp_path / "recovery.pem").exists()


@pytest.mark.softhsm
def test_recover_wraps_everything_for_another_token(
    own_token: Prepared, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From shares and a list: the token's wrapping key opens what was sealed; a line that does not open is named."""
    key, papers = _made(tmp_path)
    people = {bytes([n]) * 16: bytes([n]) * 32 for n in range(1, 6)}
    lines = [
        json.dumps({"name": name.hex(), "sealed": key.seal(secret, name).hex()}) for name, secret in people.items()
    ]
    sealed, config = tmp_path / "sealed.jsonl", own_token.config
    sealed.write_text("\n".join(lines) + "\n")
    token = ["--label", config.label, "--pin-file", str(config.pin_file), "--conf", str(config.softhsm_conf)]
    asked = ["recover", *token, "--share", papers[0], "--share", papers[2], "--sealed", str(sealed), "--json"]
    assert main([*asked, "--wrapped", str(tmp_path / "wrapped")]) == HOLDS

    async def opened() -> dict[bytes, bytes]:
        async with Hsm(config) as hsm:
            made = [one for one in await hsm.inventory() if one.label == "wrapping"]
            assert [one.algorithm for one in made] == [Algorithm.A256KWP]
            rows = [json.loads(line) for line in (tmp_path / "wrapped").read_text().splitlines()]
            assert {row["key"] for row in rows} == {made[0].id.hex()}
            return {
                bytes.fromhex(row["name"]): await hsm.unwrap(made[0].id, bytes.fromhex(row["wrapped"])) for row in rows
            }

    assert asyncio.run(opened()) == people

    capsys.readouterr()
    sealed.write_text(lines[0] + "\n" + json.dumps({"name": "00", "sealed": key.seal(SECRET, NAME).hex()}) + "\n")
    assert main([*asked, "--wrapped", str(tmp_path / "again")]) == DOES_NOT_HOLD
    said = json.loads(capsys.readouterr().out)
    assert (said[0]["line"], said[1]["recovered"]) == (2, 1)

    assert main([*asked, "--wrapped", str(tmp_path / "again")]) == USAGE, "nothing is written over"
    capsys.readouterr()
    hostile = ["{}", '{"name": "00", "sealed": 7}', "[" * 10_000, "\xff"]
    hostile.append(json.dumps({"name": NAME.hex(), "sealed": key.seal(bytes(20), NAME).hex()}))
    sealed.write_bytes("\n".join([*hostile, lines[1]]).encode("latin-1") + b"\n")
    assert main([*asked, "--wrapped", str(tmp_path / "more")]) == DOES_NOT_HOLD
    said = json.loads(capsys.readouterr().out)
    assert [row.get("line") for row in said] == [1, 2, 3, 4, 5, None]
    assert said[-1]["recovered"] == 1, "whatever anybody sealed to the public half holds up nobody else"
    too_few = ["recover", *token, "--share", papers[0], "--sealed", str(sealed), "--wrapped", str(tmp_path / "x")]
    assert main(too_few) == COULD_NOT_TELL
    assert "Bring 1 more" in capsys.readouterr().err
