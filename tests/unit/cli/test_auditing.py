"""The auditor's commands, from a directory and over HTTP: exit status, sentence, JSON, and no trust in anybody."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from idverify.cli import main
from idverify.cli.auditing import fsck as fsck_command
from idverify.cli.auditing import http
from idverify.ledger import Checkpoint, Opening, Record, TlogProof, commitment, decode_bundle, encode_bundle
from idverify.ledger.audit_state import AuditState
from idverify.ledger.entry import Draft, EntryType
from idverify.ledger.equivocation import Equivocation
from idverify.ledger.file_tree import FileTree
from idverify.ledger.note import vkey
from idverify.ledger.published import CHECKPOINT, DESCRIPTION, QUORUM
from idverify.stores.writes import WriteSet
from tests.simulators.ledger_memory import NOW, LedgerMemory, SoftwareSigner
from tests.simulators.log_server import LogServer
from tests.simulators.published_tree import (
    DESCRIPTION_OF_LOG,
    POLICY,
    SIGNER,
    TreeInMemory,
    another_story,
    log_of,
    open_note,
    tree_of,
)

KEY = vkey(SIGNER.verifier)
STRANGER = SoftwareSigner(seed=bytes([7] * 32))
GZIPPED = gzip.compress(b"x", mtime=0)


@dataclass(frozen=True)
class Done:
    """What a command answered."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Auditor:
    """Types commands."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *words: object) -> Done:
        self._monkeypatch.setattr("sys.argv", ["idverify", "ledger", *map(str, words)])
        status = main()
        told = self._capsys.readouterr()
        return Done(status, told.out, told.err)


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Auditor:
    """Runs `idverify ledger ...`; waits between attempts are short."""
    monkeypatch.setattr(http, "PAUSE", 0.01)
    return Auditor(monkeypatch, capsys)


@pytest.fixture
def tree() -> TreeInMemory:
    """600 entries, to be damaged."""
    return tree_of(log_of(600))


@pytest.fixture
def served(tree: TreeInMemory) -> Iterator[LogServer]:
    """The same tree behind a URL."""
    with LogServer(tree) as server:
        yield server


def damaged(tree: TreeInMemory, index: int) -> TreeInMemory:
    path = f"tile/entries/00{index // 256}" + (".p/88" if index >= 512 else "")
    entries = decode_bundle(tree.files[path])
    entries[index % 256] = entries[index % 256][:-1] + b"x"
    tree.files[path] = encode_bundle(entries)
    return tree


# fsck


@pytest.mark.parametrize("packed", [False, True])
def test_a_log_holds_from_a_directory_and_from_a_url(
    ledger: Auditor, tree: TreeInMemory, tmp_path: Path, *, packed: bool
) -> None:
    """With nothing but the key: status 0, and the size and root that were signed."""
    with LogServer(tree, packed=packed) as server:
        for source in (tree.write(tmp_path), server.url, server.url + "/"):
            done = ledger("fsck", source, "--vkey", KEY, "--json")
            assert (done.status, done.json["holds"], done.json["size"]) == (0, True, 600)
            assert done.json["root"] == open_note(tree.files[CHECKPOINT]).root.hex()
            assert "600 entries" in ledger("fsck", source, "--vkey", KEY).out


def test_the_first_bad_entry_is_named(ledger: Auditor, served: LogServer, tree: TreeInMemory, tmp_path: Path) -> None:
    """Status 1, and the index, for people and for programs."""
    damaged(tree, 300)
    for source in (served.url, tree.write(tmp_path)):
        done = ledger("fsck", source, "--vkey", KEY, "--json")
        assert (done.status, done.json["first_bad_index"]) == (1, 300)
        assert "First bad entry: 300" in ledger("fsck", source, "--vkey", KEY).out


def test_a_missing_file_is_a_finding_and_no_crash(ledger: Auditor, served: LogServer, tree: TreeInMemory) -> None:
    """What the server does not have is named by its path."""
    paths = list(tree.files)
    tree.files[QUORUM] = tree.files[CHECKPOINT]
    for path in paths:
        kept = tree.files.pop(path)
        done = ledger("fsck", served.url, "--vkey", KEY, "--json")
        tree.files[path] = kept
        assert done.status == 1
        assert path in done.json["findings"][0]["detail"]


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--vkey", "nonsense"],
        ["--vkey", KEY, "--trust-on-first-use"],
        ["--vkey", KEY, "--vkey", KEY],
        ["--vkey", "@/absent"],
        ["--policy", "/absent"],
    ],
)
def test_without_one_clear_key_nothing_is_audited(ledger: Auditor, served: LogServer, words: list[str]) -> None:
    """A log's own word on its keys is no key: wrong usage, and a sentence."""
    done = ledger("fsck", served.url, *words)

    assert done.status == 64
    assert done.out == ""
    assert done.err.count("\n") == 1


def test_a_place_without_a_log_is_no_log_that_does_not_hold(
    ledger: Auditor, served: LogServer, tree: TreeInMemory, tmp_path: Path
) -> None:
    """The folder above the shards, or a wrong address: status 2 and where shards lie, never the alarm."""
    tree.write(tmp_path / "1")
    url = served.url + "/other"
    for words in (("fsck",), ("rebuild",), ("follow", "--once", "--state", tmp_path / "state")):
        for source in (tmp_path, url):
            done = ledger(*words, source, "--vkey", KEY)
            assert (done.status, done.out) == (2, "")
            assert f"no log at {source}" in done.err
    tree.files.pop(CHECKPOINT)
    tree.files[DESCRIPTION] = DESCRIPTION_OF_LOG
    told = ledger("fsck", served.url, "--vkey", KEY)
    assert (told.status, "First bad entry" in told.out) == (1, False)


def test_another_key_does_not_do(ledger: Auditor, served: LogServer) -> None:
    """A checkpoint that the given key did not sign is a finding."""
    done = ledger("fsck", served.url, "--vkey", vkey(STRANGER.verifier), "--json")

    assert done.status == 1
    assert [finding["rule"] for finding in done.json["findings"]] == ["checkpoint"]


def test_the_logs_own_keys_are_used_only_when_asked(ledger: Auditor, served: LogServer, tree: TreeInMemory) -> None:
    """Trust on first use says which key it took, so that the next audit can bring it."""
    tree.files[DESCRIPTION] = DESCRIPTION_OF_LOG
    done = ledger("fsck", served.url, "--trust-on-first-use")

    assert done.status == 0
    assert KEY in done.err


@pytest.mark.parametrize(
    "description", [b"", b"[" * 200_000, b"{}", b'{"vkeys": 1}', b'{"vkeys": ["x"]}', b"x" * 400_000]
)
def test_a_hostile_description_is_refused(
    ledger: Auditor, served: LogServer, tree: TreeInMemory, description: bytes
) -> None:
    """Whatever stands in log.json, it is one sentence."""
    tree.files[DESCRIPTION] = description
    done = ledger("fsck", served.url, "--trust-on-first-use")

    assert done.status == 64
    assert done.err.count("\n") == 1


def test_keys_and_policies_come_from_files(ledger: Auditor, served: LogServer, tmp_path: Path) -> None:
    """Post-quantum keys are long: a file holds them; a policy is one."""
    (tmp_path / "keys").write_text(f"# the log's\n{KEY}\n")
    (tmp_path / "policy").write_text(f"log {KEY}\nquorum none\n")

    assert ledger("fsck", served.url, "--vkey", f"@{tmp_path / 'keys'}").status == 0
    assert ledger("fsck", served.url, "--policy", tmp_path / "policy").status == 0


def test_a_policys_quorum_is_asked_of_the_quorum_checkpoint(
    ledger: Auditor, served: LogServer, tree: TreeInMemory, tmp_path: Path
) -> None:
    """The latest checkpoint may be too young for witnesses; the other one may not lack them."""
    from idverify.ledger.cosignature import COSIGNATURE_V1
    from idverify.ledger.cosigner import Cosigner

    witness = Cosigner.from_seed(COSIGNATURE_V1, "witness.example", bytes([9] * 32))
    policy = tmp_path / "policy"
    policy.write_text(f"log {KEY}\nwitness w {vkey(witness.verifier)}\nquorum w\n")
    note = tree_of(log_of(600), 500).files[CHECKPOINT]
    text = note.rpartition(b"\n\n")[0]
    cosigned = note + witness.cosign(text + b"\n", NOW).line().encode()
    tree.files[QUORUM] = cosigned
    assert ledger("fsck", served.url, "--policy", policy).status == 0
    tree.files[QUORUM] = note
    done = ledger("fsck", served.url, "--policy", policy, "--json")

    assert done.status == 1
    assert "quorum w" in done.json["findings"][0]["detail"]


def test_the_state_file_takes_up_an_audit(
    ledger: Auditor, served: LogServer, tree: TreeInMemory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken off in the middle, the audit goes on from there, and forgets once it is through."""

    async def gone(_: web.Request) -> web.StreamResponse:
        return web.Response(status=503)

    state = tmp_path / "state"
    served.faults["tile/entries/001"] = gone
    broken = ledger("fsck", served.url, "--vkey", KEY, "--state", state)
    assert broken.status == 2
    assert AuditState.decode(state.read_bytes()).entries == 256
    served.faults.clear()
    served.asked.clear()
    done = ledger("fsck", served.url, "--vkey", KEY, "--state", state)

    assert done.status == 0
    assert not served.asked["tile/entries/000"]
    assert served.asked["tile/entries/001"]
    assert not state.exists()


@pytest.mark.parametrize("content", [b"", b"{}", b"x" * 5_000_000])
def test_a_state_file_that_is_none_is_wrong_usage(
    ledger: Auditor, served: LogServer, tmp_path: Path, content: bytes
) -> None:
    """Nothing is skipped because of a file that somebody cut."""
    (tmp_path / "state").write_bytes(content)

    assert ledger("fsck", served.url, "--vkey", KEY, "--state", tmp_path / "state").status == 64


def test_a_state_of_another_log_is_wrong_usage(
    ledger: Auditor, served: LogServer, tree: TreeInMemory, tmp_path: Path
) -> None:
    """The checkpoint in it is verified with the same key as everything else."""
    note = STRANGER.note(open_note(tree.files[CHECKPOINT]))
    for found in (note, b"no note", b""):
        (tmp_path / "state").write_bytes(AuditState(found, 600, 512, NOW).encode())
        assert ledger("fsck", served.url, "--vkey", KEY, "--state", tmp_path / "state").status == 64
        assert look(ledger, served, tmp_path / "state").status == 64


@pytest.mark.parametrize(
    "source", ["ftp://id.example/log/1", "http://", "http://[", "/absent", "http://id.example/?x=1"]
)
def test_what_is_no_place_is_wrong_usage(ledger: Auditor, source: str) -> None:
    """Neither a URL nor a directory."""
    assert ledger("fsck", source, "--vkey", KEY).status == 64


def test_options_of_a_published_log_do_not_fit_the_database(ledger: Auditor, tmp_path: Path) -> None:
    """The database is audited with one key or its own."""
    assert ledger("fsck", "--data", tmp_path, "--state", tmp_path / "state").status == 64


# a directory that is not what it seems


def test_links_are_not_followed_out_of_the_directory(ledger: Auditor, tree: TreeInMemory, tmp_path: Path) -> None:
    """A link within is a file like any other; one that leads out is not read."""
    directory = tree.write(tmp_path / "log")
    bundle = directory / "tile/entries/001"
    bundle.rename(directory / "elsewhere")
    bundle.symlink_to(directory / "elsewhere")
    assert ledger("fsck", directory, "--vkey", KEY).status == 0
    (directory / "elsewhere").rename(tmp_path / "outside")
    bundle.unlink()
    bundle.symlink_to(tmp_path / "outside")
    done = ledger("fsck", directory, "--vkey", KEY)

    assert done.status == 2
    assert "leads out" in done.err


def test_what_is_no_file_is_missing(ledger: Auditor, tree: TreeInMemory, tmp_path: Path) -> None:
    """A pipe or a directory in the place of a file neither blocks nor crashes the audit."""
    directory = tree.write(tmp_path)
    (directory / "tile/0/000").unlink()
    os.mkfifo(directory / "tile/0/000")
    (directory / "tile/0/001").unlink()
    (directory / "tile/0/001").mkdir()
    done = ledger("fsck", directory, "--vkey", KEY, "--json")

    assert done.status == 1
    assert [finding["detail"] for finding in done.json["findings"]] == [
        "tile/0/000 is missing",
        "tile/0/001 is missing",
    ]


# a server that does not want to be audited


def fault(status: int, **others: Any) -> Any:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, **others)

    return answer


@pytest.mark.parametrize("status", [429, 500, 503])
def test_transient_errors_are_tried_again(ledger: Auditor, served: LogServer, status: int) -> None:
    """A log that stumbles once holds; one that keeps stumbling could not be checked."""
    path, answers = "tile/entries/001", iter([status])

    async def once(_: web.Request) -> web.StreamResponse:
        return web.Response(status=next(answers, 200), body=served.tree.files[path])

    served.faults[path] = once
    assert ledger("fsck", served.url, "--vkey", KEY).status == 0
    served.asked.clear()
    served.faults[path] = fault(status)
    done = ledger("fsck", served.url, "--vkey", KEY)

    assert done.status == 2
    assert path in done.err
    assert served.asked[path] == http.ATTEMPTS


@pytest.mark.parametrize("status", [204, 206, 301, 302, 307, 308, 401, 403, 418])
def test_other_answers_are_no_answer(ledger: Auditor, served: LogServer, status: int) -> None:
    """No redirect is followed, no refusal taken for a missing file: it could not be checked."""
    target = served.url.replace("/log/1", "/elsewhere")
    served.faults["/elsewhere"] = fault(200, body=served.tree.files["tile/entries/001"])
    served.faults["tile/entries/001"] = fault(status, headers={"Location": target})
    done = ledger("fsck", served.url, "--vkey", KEY)

    assert done.status == 2
    assert str(status) in done.err
    assert not served.asked["/elsewhere"]


def test_410_is_missing_as_404_is(ledger: Auditor, served: LogServer) -> None:
    """A file that is gone for good is a finding."""
    served.faults["tile/entries/001"] = fault(410)

    assert ledger("fsck", served.url, "--vkey", KEY, "--json").json["first_bad_index"] == 256


@pytest.mark.parametrize("path", ["tile/entries/001", "tile/0/001", CHECKPOINT])
def test_a_gzip_bomb_is_not_unpacked(ledger: Auditor, served: LogServer, path: str) -> None:
    """Of 200 MB in 200 kB no more than a file may have is ever unpacked: a finding, in little memory."""
    import tracemalloc

    bomb = gzip.compress(bytes(200_000_000), 9)
    served.faults[path] = fault(200, body=bomb, headers={"Content-Encoding": "gzip"})
    tracemalloc.start()
    done = ledger("fsck", served.url, "--vkey", KEY, "--json")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert done.status in {1, 2}
    assert peak < 20_000_000


def test_an_endless_body_is_cut(ledger: Auditor, served: LogServer) -> None:
    """A body that goes on for ever is read as far as the file may be long."""

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(65_536))

    served.faults["tile/0/001"] = endless
    done = ledger("fsck", served.url, "--vkey", KEY, "--json")

    assert done.status == 1
    assert [finding["rule"] for finding in done.json["findings"]] == ["tile"]


@pytest.mark.parametrize("body", [b"not gzip", GZIPPED[:-3], GZIPPED + b"y"])
def test_gzip_that_is_none_could_not_be_checked(ledger: Auditor, served: LogServer, body: bytes) -> None:
    """What the server packed wrongly says nothing about the log."""
    served.faults["tile/0/001"] = fault(200, body=body, headers={"Content-Encoding": "gzip"})

    assert ledger("fsck", served.url, "--vkey", KEY).status == 2


def test_another_packing_is_refused(ledger: Auditor, served: LogServer) -> None:
    """Only gzip was asked for."""
    served.faults["tile/0/001"] = fault(200, body=b"x", headers={"Content-Encoding": "br"})

    assert ledger("fsck", served.url, "--vkey", KEY).status == 2


def test_a_slow_answer_ends(ledger: Auditor, served: LogServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that sends a byte now and then is given up after the time that an answer may take in all."""

    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x")
            await asyncio.sleep(0.05)

    monkeypatch.setattr(http, "SECONDS", 0.3)
    served.faults["tile/entries/000"] = drip
    begin = time.monotonic()
    done = ledger("fsck", served.url, "--vkey", KEY)

    assert done.status == 2
    assert time.monotonic() - begin < 5


def test_nobody_there_could_not_be_checked(ledger: Auditor) -> None:
    """No server at all is status 2, not 1, and said in the system's own words."""
    done = ledger("fsck", "http://127.0.0.1:1/log/1", "--vkey", KEY)

    assert done.status == 2
    assert "cannot be reached (Connect" in done.err
    assert "ssl" not in done.err


@pytest.mark.parametrize("size", [2**63, 2**64 - 1])
def test_a_hostile_size_ends(ledger: Auditor, tree: TreeInMemory, tmp_path: Path, size: int) -> None:
    """A log that signs for more entries than there can be is refused in bounded time."""
    tree.files[CHECKPOINT] = SIGNER.note(Checkpoint(SIGNER.name, size, bytes(32)))

    assert ledger("fsck", tree.write(tmp_path), "--vkey", KEY).status == 1


# follow


def look(ledger: Auditor, served: LogServer, state: Path, *words: object) -> Done:
    return ledger("follow", served.url, "--vkey", KEY, "--state", state, "--once", *words)


def test_following_reads_only_what_is_new(ledger: Auditor, served: LogServer, tmp_path: Path) -> None:
    """Each look remembers; the next one proves the old tree a prefix and examines the rest."""
    state = tmp_path / "state"
    assert look(ledger, served, state).status == 0
    served.tree = tree_of(log_of(70_000), 1000)
    served.asked.clear()
    done = look(ledger, served, state, "--json")

    assert (done.status, done.json["known_size"], done.json["size"]) == (0, 600, 1000)
    assert not served.asked["tile/entries/001"]
    assert served.asked["tile/entries/003.p/232"]
    assert AuditState.decode(state.read_bytes()).size == 1000


def test_new_entries_are_examined(ledger: Auditor, served: LogServer, tmp_path: Path) -> None:
    """A damaged new entry is named, at every look, and the old state is kept."""
    state = tmp_path / "state"
    look(ledger, served, state)
    before = state.read_bytes()
    served.tree = tree_of(log_of(700))
    served.tree.files["tile/entries/002.p/188"] = served.tree.files["tile/entries/002.p/188"][:-1] + b"x"
    for _ in range(2):
        done = look(ledger, served, state, "--json")
        assert (done.status, done.json["first_bad_index"]) == (1, 699)
    assert state.read_bytes() == before


@pytest.mark.parametrize(
    ("shown", "rule"),
    [(another_story(600), "fork"), (another_story(700), "fork"), (tree_of(log_of(600), 300), "rollback")],
)
def test_forks_and_rollbacks_raise_the_alarm(
    ledger: Auditor, served: LogServer, tmp_path: Path, shown: TreeInMemory, rule: str
) -> None:
    """One look is enough, and so is the watch without end: status 1, and the proof of a fork in a file."""
    state, output = tmp_path / "state", tmp_path / "proof"
    look(ledger, served, state)
    served.tree = shown
    for words in (["--once"], ["--interval", "1"]):
        done = ledger("follow", served.url, "--vkey", KEY, "--state", state, "--output", output, *words)
        assert done.status == 1
        assert "ALERT" in done.out
        assert rule in done.out
    if rule == "fork":
        Equivocation.decode(output.read_bytes()).verify(POLICY)
        assert shown.files[CHECKPOINT].decode() in done.out


def test_a_watch_outlives_a_log_that_is_away(
    ledger: Auditor, served: LogServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --once an unreachable log is told and looked at again; the fork behind it is still found."""
    look(ledger, served, tmp_path / "state")
    served.faults[CHECKPOINT] = fault(503)
    looks = []

    def sleep(_: float) -> None:
        looks.append(1)
        served.faults.clear()
        served.tree = another_story(600)

    monkeypatch.setattr(time, "sleep", sleep)
    done = ledger("follow", served.url, "--vkey", KEY, "--state", tmp_path / "state")

    assert (done.status, len(looks)) == (1, 1)
    assert "not there" in done.err


# verify


def receipt_of(tree: TreeInMemory, log: LedgerMemory, index: int, opening: Opening) -> bytes:
    signed = FileTree.load(tree, open_note(tree.files[CHECKPOINT]))
    return TlogProof(index, tuple(signed.inclusion_proof(index)), tree.files[CHECKPOINT], opening.encode()).encode()


@pytest.fixture
def letter() -> bytes:
    """The object that was recorded."""
    return b"a letter"


@pytest.fixture
def receipt(letter: bytes) -> tuple[bytes, Opening]:
    """The receipt of a letter in a log of 300 entries, and its opening."""
    salt, record = bytes(range(32)), Record("letter.issued", hashlib.sha256(letter).digest())
    log = LedgerMemory()
    log.append(200, NOW)
    log.add(Draft(EntryType.CREDENTIAL, b"h" * 16, commitment(salt, record)), NOW)
    log.append(99, NOW)
    opening = Opening(log.log[200], salt, record)
    return receipt_of(tree_of(log), log, 200, opening), opening


def test_a_receipt_is_checked_offline(
    ledger: Auditor, tmp_path: Path, letter: bytes, receipt: tuple[bytes, Opening]
) -> None:
    """By file or digest of the object, or with nothing to compare; another object does not hold."""
    file, object_file, other = tmp_path / "r.tlog-proof", tmp_path / "letter", tmp_path / "other"
    file.write_bytes(receipt[0])
    object_file.write_bytes(letter)
    other.write_bytes(b"another letter")
    digest = hashlib.sha256(letter).hexdigest()
    for words in ([], ["--object", object_file], ["--sha256", digest], ["--type", "letter.issued"]):
        done = ledger("verify", file, "--vkey", KEY, "--json", *words)
        assert (done.status, done.json["index"]) == (0, 200)
        assert done.json["object_compared"] == (len(words) == 2 and words[0] != "--type")
        assert ledger("verify", file, "--vkey", KEY, *words).status == 0
    for words, rule in (
        (["--object", other], "object"),
        (["--sha256", "00" * 32], "object"),
        (["--type", "letter.revoked"], "type"),
    ):
        done = ledger("verify", file, "--vkey", KEY, "--json", *words)
        assert (done.status, done.json["rule"]) == (1, rule)
        assert rule in ledger("verify", file, "--vkey", KEY, *words).out
    assert ledger("verify", file, "--vkey", vkey(STRANGER.verifier), "--json").json["rule"] == "checkpoint"


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--vkey", KEY, "--sha256", "x"],
        ["--vkey", KEY, "--sha256", "00"],
        ["--vkey", KEY, "--sha256", "00" * 32, "--object", "x"],
    ],
)
def test_a_question_that_cannot_be_asked(
    ledger: Auditor, tmp_path: Path, receipt: tuple[bytes, Opening], words: list[str]
) -> None:
    """No key, or no digest: wrong usage."""
    (tmp_path / "r").write_bytes(receipt[0])

    assert ledger("verify", tmp_path / "r", *words).status == 64


def test_a_receipt_is_also_taken_from_where_a_wallet_keeps_it(
    ledger: Auditor, tmp_path: Path, receipt: tuple[bytes, Opening]
) -> None:
    """What a wallet holds or presents is JSON, with the receipt as one of its members."""
    (tmp_path / "w.json").write_text(json.dumps({"document": "x", "receipt": receipt[0].decode()}))
    assert ledger("verify", tmp_path / "w.json", "--vkey", KEY).status == 0
    (tmp_path / "w.json").write_text(json.dumps({"document": "x", "receipt": None}))
    assert ledger("verify", tmp_path / "w.json", "--vkey", KEY).status == 1


@pytest.mark.parametrize(
    "data", [b"", b"c2sp.org/tlog-proof@v1\nindex 0\n\n", b"[]", b"1", bytes(range(256)), bytes(1_000_000)]
)
def test_what_is_no_receipt_does_not_hold(ledger: Auditor, tmp_path: Path, data: bytes) -> None:
    """Bytes of any kind are an answer, not a crash."""
    (tmp_path / "r").write_bytes(data)

    assert ledger("verify", tmp_path / "r", "--vkey", KEY).status == 1


# compare and gossip


def test_two_views_are_compared(ledger: Auditor, served: LogServer, tree: TreeInMemory, tmp_path: Path) -> None:
    """URL, directory and note: equal, behind, or not to be told."""
    directory = tree_of(log_of(600), 256).write(tmp_path / "mirror")
    note, ahead = tmp_path / "note", tmp_path / "ahead"
    note.write_bytes(tree_of(log_of(600), 100).files[CHECKPOINT])
    ahead.write_bytes(tree_of(log_of(700)).files[CHECKPOINT])
    for pair, status in (
        ((served.url, served.url), 0),
        ((served.url, directory), 0),
        ((note, served.url), 0),
        ((note, directory), 0),
        ((note, note), 2),
        ((served.url, ahead), 2),
        ((served.url, "http://127.0.0.1:1/"), 2),
    ):
        done = ledger("compare", *pair, "--vkey", KEY, "--json")
        assert done.status == status, pair
        assert done.json["consistent"] == (status == 0)
        assert ledger("compare", *pair, "--vkey", KEY).status == status
    assert ledger("compare", served.url, "/absent", "--vkey", KEY).status == 64
    assert ledger("gossip", served.url, "--vkey", KEY).status == 64


@pytest.mark.parametrize("size", [600, 500, 601])
def test_a_fork_is_printed_and_kept(
    ledger: Auditor, served: LogServer, tree: TreeInMemory, tmp_path: Path, size: int
) -> None:
    """Two signed checkpoints that contradict each other: both notes, verbatim, and a file that convinces a stranger."""
    other, output = another_story(size), tmp_path / "proof"
    note = tmp_path / "note"
    note.write_bytes(other.files[CHECKPOINT])
    for second in (note, other.write(tmp_path / "other")):
        if size == 601 and second is note:
            continue  # nobody has the tree that the larger note signs
        done = ledger("compare", served.url, second, "--vkey", KEY, "--output", output)
        assert done.status == 1
        assert tree.files[CHECKPOINT].decode() in done.out
        assert other.files[CHECKPOINT].decode() in done.out
        Equivocation.decode(output.read_bytes()).verify(POLICY)
        told = ledger("compare", served.url, second, "--vkey", KEY, "--json").json["equivocation"]
        assert {note.encode() for note in told} == {tree.files[CHECKPOINT], other.files[CHECKPOINT]}


def test_a_note_that_the_log_did_not_sign_is_refused(ledger: Auditor, served: LogServer, tmp_path: Path) -> None:
    """It accuses nobody, and is told."""
    (tmp_path / "note").write_bytes(STRANGER.note(open_note(served.tree.files[CHECKPOINT])))
    done = ledger("compare", served.url, tmp_path / "note", "--vkey", KEY, "--json")

    assert (done.status, len(done.json["refused"]), done.json["equivocation"]) == (1, 1, None)


def test_witnesses_are_asked_by_the_hash_of_the_origin(
    ledger: Auditor, served: LogServer, tree: TreeInMemory, tmp_path: Path
) -> None:
    """The monitoring address of tlog-witness; a witness that saw another story is the proof."""
    base = served.url.removesuffix("/log/1")
    path = f"/w/{hashlib.sha256(SIGNER.name.encode()).hexdigest()}/checkpoint"
    served.faults[path] = fault(200, body=tree_of(log_of(600), 400).files[CHECKPOINT])
    words = ("gossip", served.url, tree.write(tmp_path / "mirror"), "--witness", f"{base}/w", "--vkey", KEY)
    done = ledger(*words, "--json")
    assert done.status == 0
    assert [seen["size"] for seen in done.json["seen"]] == [600, 600, 400]
    served.faults[path] = fault(200, body=another_story(400).files[CHECKPOINT])
    assert ledger(*words).status == 1
    served.faults[path] = fault(404)
    assert ledger(*words).status == 2


# rebuild


def test_a_tree_is_rebuilt_from_its_entries(ledger: Auditor, tree: TreeInMemory, tmp_path: Path) -> None:
    """Into a new directory, the same to the byte; the checkpoint and its companions are copied."""
    tree.files[QUORUM] = tree_of(log_of(600), 500).files[CHECKPOINT]
    tree.files[DESCRIPTION] = DESCRIPTION_OF_LOG
    left = TreeInMemory({path: data for path, data in tree.files.items() if "tile" not in path or "entries" in path})
    done = ledger("rebuild", left.write(tmp_path / "left"), "--vkey", KEY, "--output", tmp_path / "new", "--json")
    made = {
        path.relative_to(tmp_path / "new").as_posix(): path.read_bytes()
        for path in (tmp_path / "new").rglob("*")
        if path.is_file()
    }

    assert (done.status, done.json["size"]) == (0, 600)
    assert made == tree.files
    assert ledger("fsck", tmp_path / "new", "--vkey", KEY).status == 0
    assert ledger("rebuild", tmp_path / "left", "--vkey", KEY, "--output", tmp_path / "new").status == 64
    assert ledger("rebuild", tmp_path / "left", "--vkey", KEY).status == 0


def test_a_log_that_moves_on_is_rebuilt_as_it_was_verified(
    ledger: Auditor, tree: TreeInMemory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checkpoint written is the one whose tree is there, whatever the log shows when all of it is read."""
    tree.files[QUORUM] = tree.files[CHECKPOINT]
    later = tree_of(log_of(700)).files[CHECKPOINT]
    read_many = tree.read_many

    def moving(paths: Iterable[str]) -> Iterator[bytes | None]:
        tree.files |= {CHECKPOINT: later, QUORUM: later}
        return read_many(paths)

    monkeypatch.setattr(tree, "read_many", moving)
    monkeypatch.setattr("idverify.cli.auditing.rebuild.opened", lambda _: nullcontext(tree))
    done = ledger("rebuild", "https://log.example", "--vkey", KEY, "--output", tmp_path / "new", "--json")
    monkeypatch.undo()

    assert (done.status, done.json["size"]) == (0, 600)
    assert ledger("fsck", tmp_path / "new", "--vkey", KEY).status == 0
    assert not (tmp_path / "new" / QUORUM).exists()


def test_entries_that_are_not_the_signed_ones_make_no_tree(ledger: Auditor, tree: TreeInMemory, tmp_path: Path) -> None:
    """Status 1, the entry behind the changed one is named, and the new directory shows no checkpoint."""
    done = ledger("rebuild", damaged(tree, 300).write(tmp_path / "log"), "--vkey", KEY, "--output", tmp_path / "new")

    assert done.status == 1
    assert "entry 301" in done.out
    assert not (tmp_path / "new" / CHECKPOINT).exists()


def test_the_ledger_of_a_database_is_rebuilt(ledger: Auditor, tmp_path: Path) -> None:
    """From published files, into the data directory of a service that is stopped; never beside one that runs."""
    import fcntl
    import sqlite3

    from tests.unit.stores.conftest import sqlite
    from tests.unit.stores.rows import entry

    async def made() -> Path:
        path = tmp_path / "idverify.sqlite"
        database = await sqlite(tmp_path)
        async with database.open() as store:
            await store.commit(WriteSet((), tuple(entry(number) for number in range(300))))
        return path

    path = asyncio.run(made())
    token = 'module = "/m.so"\nlabel = "t"\nserial = "1"\npin_file = "pin"\n'
    settings = f'[identity]\npublic_url = "http://localhost:8080"\n[online]\n{token}[root]\n{token}'
    (tmp_path / "idverify.toml").write_text(settings)
    log = LedgerMemory()
    for number in range(300):
        log.add(entry(number).draft, NOW)
    published = tree_of(log).write(tmp_path / "log")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM ledger_bundle")
        connection.commit()
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert ledger("rebuild", published, "--vkey", KEY, "--data", tmp_path).status == 2
    assert ledger("rebuild", published, "--vkey", KEY, "--data", tmp_path, "--output", tmp_path / "new").status == 64
    done = ledger("rebuild", published, "--vkey", KEY, "--data", tmp_path, "--json")
    with closing(sqlite3.connect(path)) as connection:
        count, size = connection.execute(
            "SELECT sum(count), max(signed_size) FROM ledger_bundle, ledger_state"
        ).fetchone()

    assert done.status == 0
    assert (count, size) == (300, 300)


# erase-check


def test_nothing_is_left_of_an_erased_person(ledger: Auditor, tmp_path: Path, receipt: tuple[bytes, Opening]) -> None:
    """A data directory without salt and record is clean; one file with either is not, and it is named."""
    data, file = tmp_path / "data", tmp_path / "r.tlog-proof"
    tree_of(log_of(300)).write(data / "log")
    file.write_bytes(receipt[0])
    (data / "entry").write_bytes(receipt[1].entry)
    assert ledger("erase-check", data, "--receipt", file).status == 0
    for content in (receipt[1].salt, receipt[1].record.encode(), receipt[0]):
        (data / "forgotten.log").write_bytes(b"x" * 100_000 + content)
        done = ledger("erase-check", data, "--receipt", file, "--json")
        assert done.status == 1
        assert {Path(each["file"]).name for each in done.json["left"]} == {"forgotten.log"}
        assert "forgotten.log" in ledger("erase-check", data, "--receipt", file).out
        assert ledger("erase-check", data / "forgotten.log", data / "entry", "--receipt", file).status == 1
    assert ledger("erase-check", data / "entry", "--receipt", file).status == 0
    (data / "forgotten.log").write_bytes(receipt[1].salt.hex().encode())
    words = ("erase-check", data, "--handle", (b"h" * 16).hex(), "--salt", "00" * 32, "--salt", receipt[1].salt.hex())
    assert ledger(*words).status == 1


@pytest.mark.parametrize(
    "words",
    [[], ["--handle", "00"], ["--handle", "00" * 16], ["--handle", "x", "--salt", "y"], ["--receipt", "/absent"]],
)
def test_a_search_for_nothing_is_wrong_usage(ledger: Auditor, tmp_path: Path, words: list[str]) -> None:
    """Finding nothing must mean something."""
    assert ledger("erase-check", tmp_path, *words).status == 64
    assert ledger("erase-check", tmp_path / "absent", "--handle", "00" * 16, "--salt", "00" * 32).status == 64


def test_the_state_is_saved_now_and_then(
    ledger: Auditor, tree: TreeInMemory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An audit that is killed without warning loses no more than the time between two writes."""
    saved = []
    monkeypatch.setattr(fsck_command, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(fsck_command.state_file, "save", lambda _, state: saved.append(state.entries))
    ledger("fsck", tree.write(tmp_path / "log"), "--vkey", KEY, "--state", tmp_path / "state")

    assert saved == [256, 512, 512]
