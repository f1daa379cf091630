"""Ceremonies and what follows them, as an operator types them: from a bare token to a certified key and its end."""

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from hsm import Algorithm, HsmInventoryRefused, HsmKeyRefused, HsmPolicy, keeping
from hsm.algorithms import SIGNING
from hsm.book import put_in_place, started
from hsm.ceremony import FORMAT, Witnesses, check_transcript
from hsm.cli import COULD_NOT_TELL, DOES_NOT_HOLD, HOLDS, USAGE
from hsm.entries import Entry
from hsm.inventory import render, to_be_signed
from hsm.lifecycle import Stage
from hsm.verify import verify_signature

from .conftest import OFFERED, Prepared
from .test_inventory import path_of
from .test_outsiders import signed_with, spki
from .typed import Typed, made, options

pytestmark = pytest.mark.softhsm

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def test_from_a_bare_token_to_a_certified_key_and_its_end(own_token: Prepared, run: Typed, tmp_path: Path) -> None:
    """The whole life, with a CA of our own; openssl has no objection to what came of it."""
    assert run("inventory", "--start")[0] == HOLDS
    request, certificate, root = tmp_path / "request.pem", tmp_path / "certificate.pem", tmp_path / "root.pem"

    ca = made(run, "root")["label"]
    code, (row,) = run("certify", "--key", ca, "--self-sign", "--subject", "CN=Root,C=UT", "--days", "1000")
    assert code == HOLDS
    root.write_text(row["certificate"])
    for stage in ("published", "active"):
        assert run("mark", "--key", ca, "--to", stage)[0] == HOLDS

    key = made(run)
    named = ["--key", key["label"]]
    assert run("certify", *named, "--request", str(request), "--subject", "CN=Documents,C=UT")[0] == HOLDS
    assert "verify OK" in openssl("req", "-in", str(request), "-noout", "-verify")
    issued = run("certify", "--key", ca, "--issue", str(request), "--days", "90", "--out", str(certificate))
    assert issued[0] == HOLDS
    assert issued[1][0]["issuer"] == "CN=Root,C=UT"
    assert "OK" in openssl("verify", "-x509_strict", "-CAfile", str(root), str(certificate))
    crl = tmp_path / "crl.pem"
    for revoked in (["0a"], ["0a", issued[1][0]["serial"]]):
        code, (row,) = run("certify", "--key", ca, "--crl", str(crl), "--revoke", revoked[-1])
        assert (code, row["revoked"]) == (
            HOLDS,
            sorted((serial.lstrip("0") for serial in revoked), key=lambda s: int(s, 16)),
        )
    checked = openssl("verify", "-crl_check", "-CRLfile", str(crl), "-CAfile", str(root), str(certificate))
    assert "certificate revoked" in checked
    installed = run("certify", *named, "--install", str(certificate), "--issuer", str(root))
    assert installed[0] == HOLDS
    assert installed[1][0]["not_after"] == issued[1][0]["not_after"]
    for stage in ("published", "active"):
        assert run("mark", *named, "--to", stage)[0] == HOLDS
    code, rows = run("inventory", "--check")
    assert [row["check"] for row in rows if not row["holds"]] == sorted(algorithm.value for algorithm in OFFERED)
    assert code == DOES_NOT_HOLD  # the keys of the prepared token are nobody's here

    assert run("mark", *named, "--to", "retiring", "--ends-role")[0] == HOLDS
    assert run("destroy", *named, "--confirm", "00")[0] == USAGE
    code, (row,) = run("destroy", *named, "--confirm", key["id"])
    assert (code, row["stage"], row["objects"]) == (HOLDS, "destroyed", 2)


@pytest.mark.parametrize(
    ("ca", "leaf"),
    [
        (Algorithm.ES384, Algorithm.EDDSA),
        (Algorithm.EDDSA, Algorithm.PS256),
        (Algorithm.PS256, Algorithm.ES384),
    ],
)
def test_other_algorithms_certify_as_it_is_typed(
    own_token: Prepared, run: Typed, tmp_path: Path, ca: Algorithm, leaf: Algorithm
) -> None:
    """A CA of one algorithm on the token, a key of another: request, certificate and list, all accepted by openssl."""
    run("inventory", "--start", "--adopt")
    root, request, certificate, crl = (tmp_path / name for name in ("root", "request", "certificate", "crl"))
    code, (row,) = run("certify", "--key", ca.value, "--self-sign", "--subject", "CN=Root,C=UT", "--days", "100")
    assert code == HOLDS
    root.write_text(row["certificate"])
    named = ["--key", leaf.value]
    assert run("certify", *named, "--request", str(request), "--subject", "CN=Documents,C=UT")[0] == HOLDS
    assert "verify OK" in openssl("req", "-in", str(request), "-noout", "-verify")
    call = ["certify", "--key", ca.value, "--issue", str(request), "--days", "90", "--out", str(certificate)]
    assert run(*call)[0] == HOLDS
    assert run("certify", *named, "--install", str(certificate), "--issuer", str(root))[0] == HOLDS
    assert run("certify", "--key", ca.value, "--crl", str(crl))[0] == HOLDS
    checked = ["verify", "-x509_strict", "-crl_check", "-CRLfile", str(crl), "-CAfile", str(root), str(certificate)]
    assert f"{certificate}: OK" in openssl(*checked)
    code, error = run("certify", "--key", ca.value, "--crl", str(crl), "--days", "101")
    assert code == COULD_NOT_TELL
    assert "outlive what it signs" in error


def test_time_stamps_as_they_are_typed(run: Typed, tmp_path: Path) -> None:
    """A key that is certified for them alone answers a request of openssl's; any other key does not."""
    run("inventory", "--start", "--adopt")
    ca, tsa = Algorithm.ES384.value, Algorithm.ES256.value
    root, request, certificate, data, query, answer = (tmp_path / name for name in ("r", "q", "c", "data", "tsq", "a"))
    _, (row,) = run("certify", "--key", ca, "--self-sign", "--subject", "CN=Root", "--days", "100")
    root.write_text(row["certificate"])
    run("certify", "--key", tsa, "--request", str(request), "--subject", "CN=Time")
    call = ["certify", "--key", ca, "--issue", str(request), "--out", str(certificate), "--days", "90"]
    install = ["certify", "--key", tsa, "--install", str(certificate), "--issuer", str(root)]
    data.write_text("data")
    openssl("ts", "-query", "-data", str(data), "-sha256", "-cert", "-out", str(query))
    stamp = ["stamp", "--key", tsa, "--query", str(query), "--policy", "1.3.6.1.4.1.32473.1", "--out", str(answer)]

    assert [run(*call)[0], run(*install)[0]] == [HOLDS, HOLDS]
    code, error = run(*stamp)
    assert (code, answer.exists()) == (USAGE, False)
    assert "for time stamps alone" in error
    assert [run(*call, "--time-stamping")[0], run(*install)[0]] == [HOLDS, HOLDS]
    code, error = run(*stamp[:2], made(run, "early")["label"], *stamp[3:])
    assert (code, "to be active for SIGN" in error) == (COULD_NOT_TELL, True)
    code, (row,) = run(*stamp)
    assert (code, row["answer"]) == (HOLDS, str(answer))
    known = ["ts", "-verify", "-in", str(answer), "-CAfile", str(root)]
    assert "Verification: OK" in openssl(*known, "-queryfile", str(query))
    data.write_text("other")
    assert "Verification: OK" not in openssl(*known, "-data", str(data))


@pytest.mark.parametrize("serial", ["0", "-5", "1" + 40 * "0", "x", ""])
def test_a_serial_number_is_one(run: Typed, tmp_path: Path, serial: str) -> None:
    """Positive and 20 bytes at most (RFC 5280 section 4.1.2.2): no other is on any certificate."""
    with pytest.raises(SystemExit) as refused:
        run("certify", "--key", "root", "--crl", str(tmp_path / "crl"), f"--revoke={serial}")
    assert refused.value.code == USAGE


def openssl(*arguments: str) -> str:
    """What openssl says."""
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_a_transcript_says_who_saw_what(run: Typed, tmp_path: Path) -> None:
    """Names, thumbprint, proof; its hash is in the report; one letter changed and it is refused."""
    run("inventory", "--start")
    path = tmp_path / "transcript.json"
    row = made(run, "documents", "--transcript", str(path))

    told = json.loads(path.read_text())["signed"]
    assert [one["name"] for one in told["witnesses"] if one["confirmed"]] == ["Ada", "Bob"] == row["confirmed"]
    assert told["key"]["thumbprint"] == row["thumbprint"]
    vouched = {"local": True, "never_extractable": True, "always_sensitive": True, "made_by": "EC_KEY_PAIR_GEN"}
    assert told["key"]["provenance"] == vouched
    assert row["transcript_sha256"] == sha256(path.read_bytes()).hexdigest()
    code, (checked,) = run("ceremony", "--verify", str(path))
    assert (code, checked["thumbprint"], checked["confirmed"]) == (HOLDS, row["thumbprint"], ["Ada", "Bob"])

    # ECDSA has two signatures for each: the same words under the other are not what the inventory names
    document = json.loads(path.read_text())
    r, s = (document["signature"][start : start + 64] for start in (0, 64))
    other = render(document["signed"], bytes.fromhex(r) + (P256_ORDER - int(s, 16)).to_bytes(32))
    twin = tmp_path / "twin.json"
    twin.write_bytes(other)
    code, (void,) = run("ceremony", "--verify", str(twin))
    assert code == DOES_NOT_HOLD
    assert "void" in void["next"]

    path.write_text(path.read_text().replace("Bob", "Eve"))
    code, error = run("ceremony", "--verify", str(path))
    assert code == DOES_NOT_HOLD
    assert "does not hold" in error


class CutOffError(Exception):
    """The process ended here."""


def test_a_transcript_that_no_key_names_is_void(run: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written, and cut off before the inventory had its hash: the ceremony is held again, and the second counts."""
    run("inventory", "--start")
    first, second = tmp_path / "first.json", tmp_path / "second.json"

    def cut_off(path: Path, content: bytes) -> None:
        put_in_place(path, content)
        raise CutOffError

    with monkeypatch.context() as patch:
        patch.setattr("hsm.ceremony.put_in_place", cut_off)
        with pytest.raises(CutOffError):
            made(run, "documents", "--transcript", str(first))
    row = made(run, "documents", "--transcript", str(second))

    code, (void,) = run("ceremony", "--verify", str(first))
    assert (code, void["label"], void["thumbprint"]) == (DOES_NOT_HOLD, row["label"], row["thumbprint"])
    assert "cut off, and it is void" in void["next"]
    assert run("ceremony", "--verify", str(second))[0] == HOLDS


def transcript(**changes: Any) -> tuple[bytes, bytes]:
    """One of a key in memory, signed by an inventory key in memory, with some members changed; with that key's SPKI."""
    key, signer = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    entry = Entry("documents#1", "documents", Algorithm.ES256, Stage.GENERATED, public_key=spki(key))
    challenge = bytes(range(32))
    told: dict[str, Any] = {
        "format": FORMAT,
        "key": entry.to_json(),
        "proof_of_possession": {
            "challenge": challenge.hex(),
            "signature": signed_with(key, b"hsm-proof-of-possession/1\n" + challenge).hex(),
        },
        "quorum": 2,
        "witnesses": [{"name": name, "confirmed": "2026-03-01T10:00:00Z"} for name in ("Ada", "Bob")],
    }
    if changes.pop("bare", False):
        told["proof_of_possession"]["signature"] = signed_with(key, challenge).hex()
    told |= changes
    return render(told, signed_with(signer, to_be_signed(FORMAT, told))), spki(signer)


ABSENT = [{"name": "Ada", "confirmed": "2026-03-01T10:00:00Z"}, {"name": "Bob", "confirmed": None}]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"bare": True}, "a proof that does not hold"),
        ({"proof_of_possession": {"challenge": "00", "signature": "00" * 64}}, "a proof that does not hold"),
        ({"proof_of_possession": {"challenge": "00", "signature": None}}, "a proof that does not hold"),
        ({"witnesses": ABSENT}, "Expected 2 witnesses"),
        ({"witnesses": [], "quorum": 0}, "Expected 0 witnesses"),
        ({"witnesses": None}, "another version"),
        ({"quorum": "two"}, "another version"),
        ({"key": {}}, "another version"),
        ({"proof_of_possession": {}}, "another version"),
    ],
)
def test_what_is_no_transcript_though_the_token_signed_it(changes: dict[str, Any], reason: str) -> None:
    """A proof over the bare challenge or by nobody, too few witnesses, members that are missing."""
    assert check_transcript(*transcript(), "transcript")["quorum"] == 2
    with pytest.raises(HsmInventoryRefused, match=reason):
        check_transcript(*transcript(**changes), "transcript")


def test_an_inventory_is_no_transcript() -> None:
    """The token signs both; what it signed as one is not taken as the other."""
    signer = ec.generate_private_key(ec.SECP256R1())
    told: dict[str, Any] = {"format": FORMAT}
    forged = render(told, signed_with(signer, to_be_signed("hsm-inventory/1", told)))
    with pytest.raises(HsmInventoryRefused, match="does not hold"):
        check_transcript(forged, spki(signer), "transcript")


def test_without_a_quorum_a_key_signs_nothing(own_token: Prepared, run: Typed) -> None:
    """None, then one of two confirmed: exit 1, still generated. The next run shows the same key again."""
    run("inventory", "--start")
    call = ["ceremony", "--role", "documents", "--witness", "Ada", "--witness", "Bob"]
    code, (row,) = run(*call, answers="\nwrong\n")
    assert (code, row["stage"], row["confirmed"], row["transcript_sha256"]) == (DOES_NOT_HOLD, "generated", [], None)
    assert run("mark", "--key", row["label"], "--to", "published")[0] == USAGE
    code, (row,) = run(*call, answers=f"{row['thumbprint'][-8:]}\nwrong\n")
    assert (code, row["stage"], row["confirmed"]) == (DOES_NOT_HOLD, "generated", ["Ada"])
    assert row["transcript_sha256"] is None

    code, (again,) = run(*call)
    assert (code, again["stage"], again["thumbprint"]) == (HOLDS, "attested", row["thumbprint"])


def test_whoever_refused_is_not_outvoted(run: Typed) -> None:
    """The quorum with which a ceremony began never falls; it may rise."""
    run("inventory", "--start")
    call = ["ceremony", "--role", "documents"]
    two = ["--witness", "Ada", "--witness", "Bob"]
    assert run(*call, *two, answers="\n\n")[0] == DOES_NOT_HOLD
    for fewer in (["--witness", "me"], [*two, "--quorum", "1"]):
        code, error = run(*call, *fewer)
        assert code == USAGE
        assert "quorum of 2" in error
    code, (row,) = run(*call, *two, "--witness", "Cleo")
    assert (code, row["confirmed"]) == (HOLDS, ["Ada", "Bob", "Cleo"])


def test_a_lost_inventory_brings_no_key_into_use(own_token: Prepared, run: Typed) -> None:
    """Begun again, the keys of the token wait for their ceremonies: a refused one is not let in by losing a file."""
    run("inventory", "--start", "--adopt")
    refused = ["ceremony", "--role", "documents", "--witness", "Ada"]
    assert run(*refused, answers="\n")[0] == DOES_NOT_HOLD
    path_of(own_token).unlink()
    code, rows = run("inventory", "--start", "--again", "--adopt")
    assert code == HOLDS
    assert {row["stage"] for row in rows} == {"generated"}
    code, (row,) = run("ceremony", "--role", "ES256", "--witness", "Ada")
    assert (code, row["label"], row["stage"]) == (HOLDS, "ES256", "attested")


def test_one_of_two_is_enough_where_the_quorum_says_so(run: Typed) -> None:
    """The other is named in the transcript all the same, as not having confirmed."""
    run("inventory", "--start")
    call = ["ceremony", "--role", "documents", "--witness", "Ada", "--witness", "Bob", "--quorum", "1"]
    _, (row,) = run(*call, answers="\n\n")
    code, (row,) = run(*call, answers=f"{row['thumbprint'][-8:].upper()}\nnot me\n")

    assert (code, row["confirmed"]) == (HOLDS, ["Ada"])
    witnesses = json.loads(Path(row["transcript"]).read_text())["signed"]["witnesses"]
    assert [bool(one["confirmed"]) for one in witnesses] == [True, False]


@pytest.mark.parametrize("algorithm", OFFERED)
async def test_every_kind_of_key_proves_that_it_works(own_token: Prepared, algorithm: Algorithm) -> None:
    """A signature for pairs, over more than the challenge alone; a round trip for the others."""
    async with started(own_token.config, path_of(own_token)) as book:
        await keeping.start(book, adopt=True)
        entry = book.now.entry(algorithm.value)
        proof = await keeping.prove(book, entry)
        if algorithm is Algorithm.HS256:
            code = await book.hsm.hmac(own_token.id(algorithm), bytes.fromhex(proof["challenge"]))
            assert proof["hmac"] == code.hex()

    challenge = bytes.fromhex(proof["challenge"])
    assert len(challenge) == 32
    assert (proof["signature"] is not None) == (algorithm in SIGNING)
    if entry.public_key is not None:
        signature = bytes.fromhex(proof["signature"])
        verify_signature(entry.public_key, b"hsm-proof-of-possession/1\n" + challenge, signature)


@pytest.mark.parametrize("codes", [[b"a", b"b", b"c"], [b"a", b"a", b"a"]])
async def test_a_key_whose_codes_say_nothing_proves_nothing(codes: list[bytes]) -> None:
    """Another code for the same value, and the same for another value."""
    answers = iter(codes)

    async def hmac(*_: object) -> bytes:
        return next(answers)

    book: Any = SimpleNamespace(hsm=SimpleNamespace(hmac=hmac))
    with pytest.raises(HsmKeyRefused, match="out of service"):
        await keeping.prove(book, Entry("codes", "codes", Algorithm.HS256, Stage.GENERATED, id=b"id"))


def test_rotation_as_it_is_typed(own_token: Prepared, run: Typed) -> None:
    """The same command again and again, each saying what is next, until the successor signs."""
    run("inventory", "--start", "--adopt")
    call = ["rotate", "--key", "ES256", "--witness", "Ada"]
    code, (row,) = run(*call)
    assert (code, row["stage"]) == (HOLDS, "attested")
    code, (row,) = run(*call)
    assert code == DOES_NOT_HOLD
    assert "`python -m hsm mark --key ES256#2 --to published`" in row["next"]
    assert run("mark", "--key", row["label"], "--to", "published")[0] == HOLDS
    code, rows = run(*call)
    assert code == HOLDS
    assert [(each["label"], each["stage"]) for each in rows] == [("ES256#2", "active"), ("ES256", "retiring")]
    assert run("inventory", "--check")[0] == HOLDS


def test_a_certificate_must_fit(own_token: Prepared, run: Typed, tmp_path: Path) -> None:
    """Another key's, one of another issuer, a CA that is none, one that would outlive its CA, and no certificate."""
    run("inventory", "--start")
    labels = []
    for role in ("one", "other"):
        label = made(run, role)["label"]
        labels.append(label)
        code, (row,) = run("certify", "--key", label, "--self-sign", "--subject", f"CN={role}", "--days", "30")
        assert code == HOLDS
        (tmp_path / role).write_text(row["certificate"])
        for stage in ("published", "active"):
            run("mark", "--key", label, "--to", stage)
    (one, other), two = labels, made(run, "two")["label"]
    request, out, again = tmp_path / "request", tmp_path / "out", tmp_path / "again"
    run("certify", "--key", two, "--request", str(request), "--subject", "CN=two")
    code, _ = run("certify", "--key", one, "--issue", str(request), "--days", "29", "--out", str(out))
    assert code == HOLDS
    refused = {
        "another key": ["--key", one, "--install", str(out), "--issuer", str(tmp_path / "one")],
        "that was named": ["--key", two, "--install", str(out), "--issuer", str(tmp_path / "other")],
        "outlive": ["--key", one, "--issue", str(request), "--days", "31", "--out", str(out)],
        "in PEM": ["--key", two, "--install", str(own_token.config.pin_file)],
        "--out": ["--key", one, "--issue", str(request)],
        "--subject": ["--key", two, "--self-sign"],
        "a name": ["--key", two, "--self-sign", "--subject", "nobody"],
        "one day": ["--key", two, "--self-sign", "--subject", "CN=x", "--days", "0"],
        "at most": ["--key", two, "--self-sign", "--subject", "CN=x", "--days", "99999999"],
        "no certificate yet": ["--key", one, "--self-sign", "--subject", "CN=one", "--days", "7000"],
        "There are": ["--key", "three", "--self-sign"],
    }
    for reason, arguments in refused.items():
        code, error = run("certify", *arguments)
        assert code in {USAGE, COULD_NOT_TELL}
        assert reason in error, arguments

    assert run("certify", "--key", two, "--install", str(out), "--issuer", str(tmp_path / "one"))[0] == HOLDS
    for stage in ("published", "active"):
        run("mark", "--key", two, "--to", stage)
    assert "is not" in run("certify", "--key", two, "--issue", str(request), "--days", "1", "--out", str(again))[1]
    for issuer, name in ((other, "other"), (one, "one")):  # who vouches for a key with a certificate stays the same
        run("certify", "--key", issuer, "--issue", str(request), "--days", "28", "--out", str(again))
        call = ["certify", "--key", two, "--install", str(again), "--issuer", str(tmp_path / name)]
        assert run(*call)[0] == (HOLDS if issuer == one else USAGE)
        assert run(*call[:-2])[0] == USAGE


@pytest.mark.parametrize(
    ("names", "quorum"),
    [
        ((), 0),
        (("Ada",), 0),
        (("Ada",), 2),
        (("Ada", "Ada"), 1),
        (("Ada B", "ADA  b "), 1),
        ((" ",), 1),
        (("A\nB",), 1),
    ],
)
def test_witnesses_are_distinct_and_enough(names: tuple[str, ...], quorum: int) -> None:
    """Whatever could not be a quorum of named people is refused before anything is made."""
    with pytest.raises(HsmPolicy, match="Expected"):
        Witnesses(names, quorum)


def test_what_needs_an_inventory_says_so(own_token: Prepared, run: Typed, tmp_path: Path) -> None:
    """A token that has none, and one whose file is nowhere."""
    code, error = run("ceremony", "--role", "documents", "--witness", "Ada")
    assert code == DOES_NOT_HOLD
    assert "inventory --start" in error
    code, error = run("inventory", "--check")
    assert code == DOES_NOT_HOLD
    assert "inventory --start" in error
    assert run("inventory", "--adopt")[0] == USAGE
    assert run("ceremony", "--witness", "Ada")[0] == USAGE


def test_a_transcript_is_never_written_over(own_token: Prepared, run: Typed, tmp_path: Path) -> None:
    """The key is not made either."""
    path = tmp_path / "transcript.json"
    path.write_text("mine")
    run("inventory", "--start")
    code, error = run("ceremony", "--role", "documents", "--witness", "Ada", "--transcript", str(path))
    assert code == USAGE
    assert "Name another" in error
    assert path.read_text() == "mine"
    assert "documents#1" not in {row["label"] for row in run("inventory")[1]}


WITNESSED = """
import sys
from hsm import cli, key_commands
key_commands.at_terminal = lambda question: question.partition(":")[2].split("\\n")[0].split()[-1]
sys.exit(cli.main(sys.argv[1:]))
"""


def killed_after(seconds: float, command: list[str]) -> bool:
    """Run a command as a process of its own and kill it then; whether it came to its end before."""
    process = subprocess.Popen(
        [sys.executable, "-c", WITNESSED, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        return process.wait(seconds) == HOLDS
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False


def test_whenever_it_is_killed_it_goes_on(own_token: Prepared, run: Typed) -> None:
    """SIGKILL at any moment of a ceremony and of a destruction: in the end one key, then none, and the check holds."""
    run("inventory", "--start", "--adopt")
    ceremony = ["ceremony", *options(own_token), "--role", "documents", "--witness", "Ada"]
    done = [killed_after(0.25 + 0.05 * step, ceremony) for step in range(14)]
    key = run("inventory")[1]
    while not any(row["label"] == "documents#1" for row in key):
        assert run(*ceremony[:1], *ceremony[-4:])[0] == HOLDS
        key = run("inventory")[1]
    labels = [row["label"] for row in key if row["label"].startswith("documents")]
    assert sum(done) <= len(labels) == len(set(labels))  # one killed on its last step was done, and did not say so
    code, rows = run("inventory", "--check")
    cut_off = [row for row in rows if not row["holds"]]
    assert all("ceremony was cut off" in row["found"] for row in cut_off)
    assert len(cut_off) <= 1  # the last one killed: the next run finishes it
    entries = [
        entry
        for entry in json.loads(path_of(own_token).read_text())["signed"]["keys"]
        if entry["role"] != entry["label"]
    ]
    unfinished = [entry for entry in entries if entry["stage"] != "attested"]
    assert len(unfinished) <= 1  # none is left behind: a run goes on with the one that was cut off

    code, (row,) = run(*ceremony[:1], *ceremony[-4:])
    assert code == HOLDS
    assert run("inventory", "--check")[0] == HOLDS
    destruction = ["destroy", *options(own_token), "--key", row["label"], "--confirm", row["id"]]
    for step in range(10):
        killed_after(0.25 + 0.05 * step, destruction)
    assert run(*destruction[:1], *destruction[-4:])[0] == HOLDS
    assert run("inventory", "--check")[0] == HOLDS
    assert row["label"] not in {each["label"] for each in run("inventory")[1]}
