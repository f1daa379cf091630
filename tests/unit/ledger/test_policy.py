"""Trust policies: the file's every rule, and what is believed under one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.cosignature import COSIGNATURE_V1, ML_DSA_44
from idverify.ledger.cosigner import Cosigner
from idverify.ledger.errors import MalformedError, SignatureError
from idverify.ledger.note import Ed25519Verifier, vkey, write_note
from idverify.ledger.policy import Group, Log, Policy, PolicyWitness, parse_policy
from tests.simulators.signed_log import SignedLog

LOG = SignedLog()
HEAD = LOG.checkpoint(5)
WITNESSES = {
    name: Cosigner.from_seed(kind, f"{name.lower()}.example/w", name.encode() * 16)
    for name, kind in zip(("X1", "X2", "X3", "Y1", "Y2"), [ML_DSA_44, COSIGNATURE_V1] * 3, strict=False)
}
KEYS = {name: vkey(witness.verifier) for name, witness in WITNESSES.items()}
LOG_KEY = vkey(LOG.verifier)
DEFINED = "".join(f"witness {name} {key}\n" for name, key in KEYS.items())
NESTED = f"""
# A comment, and a line of nothing but blanks:
 \t
log {LOG_KEY} https://log.example/log/1
{DEFINED}
group X-witnesses 2 X1 X2 X3
\tgroup  Y-witnesses\tany Y1 Y2\u0020
group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""


def note(*names: str, time: int = 1) -> bytes:
    """The checkpoint, signed by its log and cosigned by these witnesses."""
    cosignatures = [WITNESSES[name].cosign(HEAD.text(), time) for name in names]
    return write_note(HEAD.text(), [LOG.sign(HEAD.text()), *cosignatures])


def test_a_policy_reads_as_it_is_written() -> None:
    """Comments, blank lines and tabs; thresholds in words and numbers; addresses where they are given."""
    policy = parse_policy(NESTED.replace(f"{KEYS['X1']}\n", f"{KEYS['X1']} https://x1.example/\n"))

    assert policy.logs == (Log(LOG.verifier, "https://log.example/log/1"),)
    assert policy.witnesses[0] == PolicyWitness("X1", WITNESSES["X1"].verifier, "https://x1.example/")
    assert {witness.url for witness in policy.witnesses[1:]} == {None}
    assert policy.groups == (
        Group("X-witnesses", 2, ("X1", "X2", "X3")),
        Group("Y-witnesses", 1, ("Y1", "Y2")),
        Group("X-and-Y", 2, ("X-witnesses", "Y-witnesses")),
    )
    assert policy.quorum == "X-and-Y"


@pytest.mark.parametrize(
    ("names", "met"),
    [
        (["X1", "X2", "Y1"], True),
        (["X1", "X3", "Y2"], True),
        (["X1", "X2", "X3", "Y1", "Y2"], True),
        (["X1", "Y1", "Y2"], False),
        (["X1", "X2", "X3"], False),
        (["X-and-Y"], False),
        ([], False),
    ],
)
def test_quorums_of_groups(names: list[str], met: bool) -> None:  # noqa: FBT001 - a column of the table
    """Two of three here and one of two there; a group's name is not a witness."""
    assert parse_policy(NESTED).satisfied_by(names) is met


@pytest.mark.parametrize(
    ("lines", "names", "met"),
    [
        ("quorum none\n", [], True),
        ("quorum X1\n", ["X1"], True),
        ("quorum X1\n", ["X2"], False),
        ("group g all X1 X2\nquorum g\n", ["X1"], False),
        ("group g all X1 X2\nquorum g\n", ["X1", "X2"], True),
        ("group g any X1 X2\nquorum g\n", ["X2"], True),
        ("group g 1 X1\ngroup h 1 g\nquorum h\n", ["X1"], True),
        ("group g 1 X1\nquorum X1\n", ["X1"], True),
    ],
)
def test_quorums(lines: str, names: list[str], met: bool) -> None:  # noqa: FBT001 - a column of the table
    """Nobody, one witness, all, any, a group of one in a group of one."""
    assert parse_policy(DEFINED + lines).satisfied_by(names) is met


def test_what_a_note_shows_under_a_policy() -> None:
    """The witnesses that cosigned, when each did, and whether they suffice."""
    policy = parse_policy(NESTED)

    assert policy.open(note("X1", "Y1")) == (HEAD, frozenset({"X1", "Y1"}))
    assert policy.witnessed(note("X1", "X2", time=77)) == (HEAD, {"X1": 77, "X2": 77})
    assert policy.require(note("X1", "X2", "Y1")) == HEAD
    with pytest.raises(SignatureError, match="expected the quorum X-and-Y to have cosigned, witnessed by X1, Y1"):
        policy.require(note("X1", "Y1"))


def test_a_witness_that_does_not_say_when_has_not_witnessed() -> None:
    """Time 0 leaves out the claim to have seen nothing larger."""
    policy = parse_policy(f"log {LOG_KEY}\n{DEFINED}quorum X1\n")

    assert policy.open(note("X1", "X2", time=0)) == (HEAD, frozenset())


def test_witnesses_alone_make_no_checkpoint() -> None:
    """The log's own signature is needed, whatever the quorum says; also without any log in the policy."""
    policy = parse_policy(NESTED)
    cosigned = write_note(HEAD.text(), [witness.cosign(HEAD.text(), 1) for witness in WITNESSES.values()])
    with pytest.raises(SignatureError, match=r"the log log\.example/1 to sign its own"):
        policy.open(cosigned)
    with pytest.raises(SignatureError, match="a key we know"):
        parse_policy(f"{DEFINED}quorum none\n").open(note("X1"))


def test_a_witness_under_a_log_s_name_is_no_log() -> None:
    """What a key may say is what the policy's line says it is for, not its name."""
    impostor = Cosigner.from_seed(ML_DSA_44, HEAD.origin, b"i" * 32)
    policy = parse_policy(f"log {LOG_KEY}\nwitness w {vkey(impostor.verifier)}\nquorum w\n")
    with pytest.raises(SignatureError, match=r"the log log\.example/1 to sign its own"):
        policy.open(write_note(HEAD.text(), [impostor.cosign(HEAD.text(), 1)]))


def test_a_known_witness_s_wrong_signature_spoils_the_note() -> None:
    """Also when the quorum does not need it."""
    other = Checkpoint(HEAD.origin, 6, bytes(32)).text()
    spoilt = write_note(HEAD.text(), [LOG.sign(HEAD.text()), WITNESSES["Y1"].cosign(other, 1)])
    with pytest.raises(SignatureError, match="does not verify"):
        parse_policy(f"log {LOG_KEY}\n{DEFINED}quorum none\n").open(spoilt)


def test_a_log_of_two_kinds_of_keys_needs_both() -> None:
    """A reader who was given an Ed25519 and an ML-DSA key of a log takes no note that one was stripped from."""
    policy = parse_policy(f"log {LOG_KEY}\nlog {vkey(LOG.post_quantum.verifier)}\nquorum none\n")
    both = [LOG.sign(HEAD.text()), LOG.post_quantum.cosign(HEAD.text(), 0)]

    assert policy.open(write_note(HEAD.text(), both)) == (HEAD, frozenset())
    for stripped in both:
        with pytest.raises(SignatureError, match=r"the log log\.example/1 to sign its own checkpoint with"):
            policy.open(write_note(HEAD.text(), [stripped]))


def test_any_log_of_the_policy_will_do() -> None:
    """Keys of different names are different logs."""
    other = SignedLog("other.example", b"o" * 32)
    policy = parse_policy(f"log {LOG_KEY}\nlog {vkey(other.verifier)}\nquorum none\n")

    assert policy.open(note()) == (HEAD, frozenset())


def ed25519_log_key_of(name: str) -> str:
    """The Ed25519 key of a witness as the key of a log under another name."""
    return vkey(Ed25519Verifier("copy.example", WITNESSES[name].verifier.public_key))


def renamed(name: str) -> str:
    """A witness's key under another key name."""
    verifier = WITNESSES[name].verifier
    return vkey(type(verifier)("renamed.example", verifier.public_key))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected a quorum line, got none"),
        ("quorum none", "a newline at its end"),
        ("\n" * 1025 + "quorum none\n", "at most 1024 lines"),
        ("quorum none\n" + "#" * 262_144, "at most 262144 characters"),
        ("quorum none\r\n", "no control character"),
        ("quorum none\x7f\n", "no control character"),
        ("quorum\x0bnone\n", "no control character"),
        ("quorum none\nquorum none\n", "line 2: expected one line: quorum"),
        ("quorum none none\n", "line 1: expected one line: quorum"),
        ("quorum\n", "line 1: expected one line: quorum"),
        ("quorum\u00a0none\n", "line 1: expected log, witness, group, quorum"),
        ("Quorum none\n", "line 1: expected log, witness, group, quorum"),
        ("quorum nobody\n", "line 1: expected names defined above, got 'nobody'"),
        (f"quorum X1\n{DEFINED}", "line 1: expected names defined above, got 'X1'"),
        ("log\n", "expected: log <vkey>"),
        (f"log {LOG_KEY} https://log.example more\n", "expected: log <vkey>"),
        (f"log log.example {LOG_KEY}\n", "vkey: expected name"),
        (f"log {LOG_KEY[:-1]}\n", "vkey: expected"),
        (f"log {KEYS['X2']}\n", "expected a key of type 01, 02, 06, got 04"),
        (f"witness X1 {LOG_KEY}\n", "expected a key of type 04, 06, got 01"),
        (f"witness {KEYS['X1']}\n", "expected: witness <name> <vkey>"),
        (f"witness X1 {KEYS['X1']} https://x1.example more\n", "expected: witness <name> <vkey>"),
        (f"log {LOG_KEY}\nlog {LOG_KEY}\nquorum none\n", "each key once"),
        (f"witness a {KEYS['X1']}\nwitness b {KEYS['X1']}\nquorum none\n", "each key once"),
        (f"witness a {KEYS['X1']}\nwitness b {renamed('X1')}\nquorum none\n", "each key once"),
        (f"log {ed25519_log_key_of('X2')}\nwitness a {KEYS['X2']}\nquorum none\n", "each key once"),
        (f"witness a {KEYS['X1']}\nwitness a {KEYS['X2']}\nquorum none\n", "each name once, got 'a'"),
        (f"witness none {KEYS['X1']}\nquorum none\n", "each name once, got 'none'"),
        (f"{DEFINED}group X1 any X2\nquorum none\n", "each name once, got 'X1'"),
        (f"{DEFINED}group none any X2\nquorum none\n", "each name once, got 'none'"),
        (f"{DEFINED}group g\n", "expected: group <name>"),
        (f"{DEFINED}group g all\n", "expected: group <name>"),
        (f"{DEFINED}group g 0 X1\nquorum none\n", "threshold of 1 to its number"),
        (f"{DEFINED}group g 2 X1\nquorum none\n", "threshold of 1 to its number"),
        (f"{DEFINED}group g 01 X1\nquorum none\n", "threshold: expected a decimal"),
        (f"{DEFINED}group g most X1\nquorum none\n", "threshold: expected a decimal"),
        (f"{DEFINED}group g any none\nquorum none\n", "names defined above, got 'none'"),
        (f"{DEFINED}group g any g\nquorum none\n", "names defined above, got 'g'"),
        (f"{DEFINED}group g any h\ngroup h any X1\nquorum none\n", "names defined above, got 'h'"),
        (f"group g any X1\n{DEFINED}quorum none\n", "names defined above, got 'X1'"),
        (f"{DEFINED}group g any X1 X1\nquorum none\n", "each group member once, got 'X1'"),
        (f"{DEFINED}group g any X1\ngroup h any X1 X2\nquorum none\n", "each group member once, got 'X1'"),
        (f"{DEFINED}" + "".join(f"group g{n} any X1\n" for n in range(65)) + "quorum none\n", "at most 64"),
    ],
)
def test_what_is_not_a_policy_is_refused(text: str, said: str) -> None:
    """Each rule of tlog-policy, broken alone; the line is named where one line is to blame."""
    with pytest.raises(MalformedError, match=said):
        parse_policy(text)


def test_a_policy_built_in_code_keeps_the_same_rules() -> None:
    """Groups that come too early, thresholds and quorums out of range, two keys that a note cannot tell apart."""
    witness = PolicyWitness("w", WITNESSES["X1"].verifier)
    for groups, quorum in [
        ((Group("g", 1, ("h",)), Group("h", 1, ("w",))), "g"),
        ((Group("g", 2, ("w",)),), "g"),
        ((), "g"),
    ]:
        with pytest.raises(MalformedError, match="policy"):
            Policy((), (witness,), groups, quorum)

    with pytest.raises(MalformedError, match="each key id once"):
        Policy.of_log([LOG.verifier, Twin(LOG.origin, bytes(32))])


class Twin(Ed25519Verifier):
    """Another key with the same name and id."""

    key_id = LOG.verifier.key_id


WORDS = st.sampled_from(
    [*"XY", "X1", "log", "witness", "group", "quorum", "none", "all", "any", "1", LOG_KEY, *KEYS.values()]
)


@given(st.lists(st.lists(WORDS, max_size=5).map(" ".join), max_size=8).map("\n".join), st.sampled_from(["", "\n"]))
def test_no_lines_do_more_than_be_refused(text: str, end: str) -> None:
    """Whatever words stand in whatever order, there is a policy or a `MalformedError`."""
    try:
        policy = parse_policy(text + end)
    except MalformedError:
        return
    assert policy.satisfied_by(KEYS) or policy.quorum is not None


@given(st.text())
def test_no_text_does_more_than_be_refused(text: str) -> None:
    """The same for any text at all: there is none that is a policy by chance."""
    with pytest.raises(MalformedError, match=r"^policy"):
        parse_policy(text)


@given(st.sets(st.sampled_from(sorted(WITNESSES))), st.sets(st.sampled_from(sorted(WITNESSES))))
def test_more_witnesses_are_never_worse(some: set[str], more: set[str]) -> None:
    """A quorum once met stays met."""
    policy = parse_policy(NESTED)

    assert policy.satisfied_by(some | more) or not policy.satisfied_by(some)
