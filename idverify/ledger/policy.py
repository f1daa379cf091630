"""Which logs to believe, and which witnesses must have seen what they say (c2sp.org/tlog-policy).

A policy is all a reader needs to be configured with. Its file is made of lines:

```
log <vkey> [<url>]
witness <name> <vkey> [<url>]
group <name> all|any|<k> <name>...
quorum <name>|none
```

One rule is stricter than the text, which believes a checkpoint that any one of the listed keys signed: keys with
the same name are keys of one log, and `require_log` says which of them must have signed.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from idverify.ledger.checkpoint import Checkpoint, require_log
from idverify.ledger.cosignature import COSIGNATURE_V1, ML_DSA_44, timestamp
from idverify.ledger.ecdsa import ECDSA
from idverify.ledger.errors import MalformedError, SignatureError
from idverify.ledger.lines import parse_decimal
from idverify.ledger.note import ED25519, NoteVerifier, open_note, parse_vkey, split_note

LOG_TYPES: Final = frozenset({ED25519, ECDSA, ML_DSA_44})
WITNESS_TYPES: Final = frozenset({COSIGNATURE_V1, ML_DSA_44})
NONE: Final = "none"

MAX_POLICY: Final = 256 * 1024
"""Characters; room for the 32 logs and 32 witnesses that the text asks for, each with an ML-DSA key, twice over."""
MAX_LINES: Final = 1024
MAX_EACH: Final = 64
"""Logs, witnesses and groups, each."""

_STRANGE: Final = re.compile(r"[^\t\n -~\x80-\U0010ffff]")
_BLANK: Final = re.compile(r"[ \t]+")


@dataclass(frozen=True, slots=True)
class Log:
    """One key of a log; `url` is the prefix under which it is served, if the policy says so."""

    verifier: NoteVerifier
    url: str | None = None


@dataclass(frozen=True, slots=True)
class PolicyWitness:
    """One key of a witness; `name` is the policy's own, `url` its submission prefix, if the policy says so."""

    name: str
    verifier: NoteVerifier
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Stands for its members once `threshold` of them, each a witness or a group, have witnessed."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """`quorum` names the witness or group that must have witnessed a checkpoint; None asks for nobody."""

    logs: tuple[Log, ...]
    witnesses: tuple[PolicyWitness, ...] = ()
    groups: tuple[Group, ...] = ()
    quorum: str | None = None

    def __post_init__(self) -> None:
        """Refuse what could count one key, or one witness, twice, and names that lead nowhere."""
        keys = [log.verifier for log in self.logs] + [witness.verifier for witness in self.witnesses]
        _require_once("key", [key.public_key.hex() for key in keys])
        _require_once("key id", [f"{key.name} {key.key_id.hex()}" for key in keys])
        _require_once("name", [NONE, *(witness.name for witness in self.witnesses), *(one.name for one in self.groups)])
        _require_once("group member", [name for group in self.groups for name in group.members])
        known = {witness.name for witness in self.witnesses}
        for group in self.groups:
            _require_known(group.members, known)
            if not 1 <= group.threshold <= len(group.members):
                raise MalformedError(f"policy: group {group.name}: expected a threshold of 1 to its number of members")
            known.add(group.name)
        _require_known([] if self.quorum is None else [self.quorum], known)

    @property
    def origins(self) -> frozenset[str]:
        """The names of the logs whose keys are listed."""
        return frozenset(log.verifier.name for log in self.logs)

    @classmethod
    def of_log(cls, verifiers: Iterable[NoteVerifier]) -> Self:
        """The policy of a reader who knows a log's keys and no witness."""
        return cls(tuple(Log(verifier) for verifier in verifiers))

    def open(self, note: bytes) -> tuple[Checkpoint, frozenset[str]]:
        """The checkpoint, signed by the log it names, and the names of the witnesses that cosigned it.

        Whether those suffice is for `satisfied_by` to say, and `require` asks both.

        Raises `MalformedError`: not a signed checkpoint.
        Raises `SignatureError`: its log is not in the policy or did not sign with all it should, or a signature by a
        known key is wrong.
        """
        checkpoint, times = self.witnessed(note)
        return checkpoint, frozenset(times)

    def witnessed(self, note: bytes) -> tuple[Checkpoint, Mapping[str, int]]:
        """Like `open`, with the unix time at which each witness cosigned."""
        log_keys = [log.verifier for log in self.logs]
        opened = open_note(note, [*log_keys, *(witness.verifier for witness in self.witnesses)])
        checkpoint = Checkpoint.parse(opened.text)
        require_log(opened, checkpoint.origin, log_keys)
        stamped = {(line.name, line.key_id): timestamp(line.signature) for line in opened.verified}
        times = {
            witness.name: stamped.get((witness.verifier.name, witness.verifier.key_id), 0) for witness in self.witnesses
        }
        # Time 0 says that the cosigner does not claim to have seen nothing larger, which is all that a witness is for.
        return checkpoint, {name: time for name, time in times.items() if time}

    def satisfied_by(self, names: Collection[str]) -> bool:
        """Whether cosignatures of these witnesses make up the quorum."""
        witnessed = {witness.name for witness in self.witnesses} & set(names)
        for group in self.groups:
            if len(witnessed.intersection(group.members)) >= group.threshold:
                witnessed.add(group.name)
        return self.quorum is None or self.quorum in witnessed

    def judge(self, note: bytes) -> tuple[Checkpoint, str]:
        """The checkpoint, signed by its log, and what its quorum lacks: nothing where it is met.

        Raises what `open` raises.
        """
        checkpoint, names = self.open(note)
        if self.satisfied_by(names):
            return checkpoint, ""
        seen = ", ".join(sorted(names)) or "nobody"
        return checkpoint, f"expected the quorum {self.quorum} to have cosigned, witnessed by {seen}"

    def require(self, note: bytes) -> Checkpoint:
        """The checkpoint, signed by its log and witnessed by the quorum.

        Raises what `open` raises, and `SignatureError`: the quorum is not met.
        """
        return _met(*self.judge(note))


@dataclass(frozen=True, slots=True)
class Policies:
    """Several policies, each for logs of its own: where one key signs several logs, no single policy can name them."""

    each: tuple[Policy, ...]

    def require(self, note: bytes) -> Checkpoint:
        """The checkpoint, as the policy of the log that it names demands.

        Raises what `Policy.require` raises, and `SignatureError`: none of them is for this log.
        """
        return _met(*self.judge(note))

    def judge(self, note: bytes) -> tuple[Checkpoint, str]:
        """Like `Policy.judge`, by the policy of the log that the checkpoint names.

        Raises what `Policy.open` raises, and `SignatureError`: none of them is for this log.
        """
        text, _ = split_note(note)
        origin = Checkpoint.parse(text).origin
        for policy in self.each:
            if origin in policy.origins:
                return policy.judge(note)
        raise SignatureError(f"expected a checkpoint of a log in the policies, got one of {origin}")


def _met(checkpoint: Checkpoint, lacking: str) -> Checkpoint:
    if lacking:
        raise SignatureError(lacking)
    return checkpoint


def parse_policy(text: str) -> Policy:
    """The policy that a file says.

    Raises `MalformedError`: anything that the text does not allow, with the number of the line. Keys count as the
    same under any name and type, and a log is no witness: not even of another log.
    """
    if len(text) > MAX_POLICY:
        raise MalformedError(f"policy: expected at most {MAX_POLICY} characters, got {len(text)}")
    if strange := _STRANGE.search(text):
        raise MalformedError(f"policy: expected no control character but tab and newline, got {strange[0]!r}")
    *lines, rest = text.split("\n")
    if rest or len(lines) > MAX_LINES:
        raise MalformedError(f"policy: expected at most {MAX_LINES} lines, each with a newline at its end")
    draft = _Draft()
    for number, line in enumerate(lines, 1):
        words = [word for word in _BLANK.split(line) if word]
        if words and not words[0].startswith("#"):
            try:
                draft.read(words)
            except MalformedError as error:
                raise MalformedError(f"policy: line {number}: {error}") from error
    return draft.finish()


@dataclass(slots=True)
class _Draft:
    logs: list[Log] = field(default_factory=list)
    witnesses: list[PolicyWitness] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    quorum: list[str] = field(default_factory=list)

    def read(self, words: list[str]) -> None:
        keyword, *rest = words
        if keyword not in _LINES:
            raise MalformedError(f"expected {', '.join(_LINES)}, got {keyword[:80]!r}")
        _LINES[keyword](self, rest)

    def log(self, words: list[str]) -> None:
        match words:
            case [key, *url] if len(url) <= 1:
                _room(self.logs)
                self.logs.append(Log(_key(key, LOG_TYPES), *url))
            case _:
                raise MalformedError("expected: log <vkey> [<url>]")

    def witness(self, words: list[str]) -> None:
        match words:
            case [name, key, *url] if len(url) <= 1:
                _room(self.witnesses)
                self.witnesses.append(PolicyWitness(name, _key(key, WITNESS_TYPES), *url))
            case _:
                raise MalformedError("expected: witness <name> <vkey> [<url>]")

    def group(self, words: list[str]) -> None:
        match words:
            case [name, threshold, first, *others]:
                _room(self.groups)
                members = (first, *others)
                named = {"any": 1, "all": len(members)}
                self._require_defined(members)
                count = named[threshold] if threshold in named else parse_decimal(threshold, "threshold")
                self.groups.append(Group(name, count, members))
            case _:
                raise MalformedError("expected: group <name> all|any|<k> <name>...")

    def set_quorum(self, words: list[str]) -> None:
        match words:
            case [name] if not self.quorum:
                self._require_defined([] if name == NONE else [name])
                self.quorum.append(name)
            case _:
                raise MalformedError("expected one line: quorum <name>|none")

    def finish(self) -> Policy:
        match self.quorum:
            case [name]:
                quorum = None if name == NONE else name
                return Policy(tuple(self.logs), tuple(self.witnesses), tuple(self.groups), quorum)
        raise MalformedError("policy: expected a quorum line, got none")

    def _require_defined(self, names: Collection[str]) -> None:
        """In the lines above: `Policy` knows the order of groups, but not that of groups among witnesses."""
        defined = {witness.name for witness in self.witnesses} | {group.name for group in self.groups}
        if missing := set(names) - defined:
            raise MalformedError(f"expected names defined above, got {min(missing)[:80]!r}")


_LINES: Final[Mapping[str, Callable[[_Draft, list[str]], None]]] = {
    "log": _Draft.log,
    "witness": _Draft.witness,
    "group": _Draft.group,
    "quorum": _Draft.set_quorum,
}


def _room(members: Collection[object]) -> None:
    if len(members) == MAX_EACH:
        raise MalformedError(f"expected at most {MAX_EACH} of this kind")


def _key(text: str, types: Collection[int]) -> NoteVerifier:
    verifier = parse_vkey(text)
    if verifier.signature_type not in types:
        supported = ", ".join(f"{kind:02x}" for kind in sorted(types))
        raise MalformedError(f"expected a key of type {supported}, got {verifier.signature_type:02x}")
    return verifier


def _require_once(what: str, values: Sequence[str]) -> None:
    for value, count in Counter(values).items():
        if count > 1:
            raise MalformedError(f"policy: expected each {what} once, got {value[:80]!r} {count} times")


def _require_known(names: Iterable[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            raise MalformedError(f"policy: expected a witness or group defined before, got {name[:80]!r}")
