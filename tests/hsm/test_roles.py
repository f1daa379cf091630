# ruff: noqa: ASYNC110 -- these tests poll states, which announce nothing
"""One role on two real tokens, each with a SoftHSM configuration of its own: both sign, and one is enough."""

import asyncio
import datetime as dt
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from hsm import (
    Algorithm,
    Hsm,
    HsmBusy,
    HsmError,
    HsmKeyRefused,
    HsmPinRefused,
    HsmPolicy,
    HsmState,
    HsmTokenMissing,
    HsmUnavailable,
    KeyRole,
    RoleKey,
    Roles,
    TokenConfig,
    TokenSet,
    init_token,
)
from hsm.health import Latencies
from hsm.pins import create_pin, read_pin
from hsm.pool import Pool
from hsm.softhsm import render
from hsm.supervisor import Supervisor
from hsm.verify import verify_signature

pytestmark = pytest.mark.softhsm

ROLE = "doc-signer/pid"
NAMES = ("first", "second")
DAY = 86_400.0


@dataclass(frozen=True)
class Pair:
    """Two tokens and the role's keys on them."""

    configs: dict[str, TokenConfig]
    role: KeyRole
    spki: dict[bytes, bytes]

    def directory(self, name: str) -> Path:
        """Where a token's files are."""
        conf = self.configs[name].softhsm_conf
        assert conf is not None
        return conf.parent / "tokens"


async def _make(module: Path, home: Path, name: str) -> tuple[TokenConfig, bytes, bytes]:
    conf = render(home)
    so_pin, pin = create_pin(home / "so-pin"), create_pin(home / "pin")
    serial = await init_token(module, name, read_pin(so_pin), read_pin(pin), conf)
    config = TokenConfig(module, name, serial, pin, conf)
    async with Hsm(replace(config, writable=True)) as hsm:
        key = await hsm.generate(Algorithm.ES256, ROLE)
    assert key.public_key is not None
    return config, key.id, key.public_key


@pytest.fixture(scope="session")
def made(module: Path, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """Two tokens with a published key on each."""
    homes = {name: tmp_path_factory.mktemp(name) for name in NAMES}

    async def make() -> dict[str, tuple[TokenConfig, bytes, bytes]]:
        return {name: await _make(module, home, name) for name, home in homes.items()}

    both = asyncio.run(make())
    keys = tuple(RoleKey(name, key, None, published=True) for name, (_, key, _) in both.items())
    spki = {key: public for _, key, public in both.values()}
    return Pair({name: config for name, (config, _, _) in both.items()}, KeyRole(ROLE, keys), spki)


@pytest.fixture
def pair(made: Pair, tmp_path: Path) -> Pair:
    """Copies of the two for a test that damages them."""
    configs = {}
    for name, config in made.configs.items():
        home = tmp_path / name
        shutil.copytree(made.directory(name), home / "tokens")
        pin_file = shutil.copy(config.pin_file, home / "pin")
        configs[name] = replace(config, softhsm_conf=render(home), pin_file=Path(pin_file))
    return Pair(configs, made.role, made.spki)


@pytest.fixture
async def tokens(pair: Pair) -> AsyncIterator[TokenSet]:
    """Both, open."""
    async with TokenSet(pair.configs) as opened:
        yield opened


def certificate(ends_in: float, starts_in: float = -DAY) -> bytes:
    """A certificate that lasts from and to so many seconds from now."""
    key, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "signer")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now + dt.timedelta(seconds=starts_in))
    made = builder.not_valid_after(now + dt.timedelta(seconds=ends_in)).sign(key, hashes.SHA256())
    return made.public_bytes(Encoding.DER)


async def test_both_tokens_sign_in_turn(pair: Pair, tokens: TokenSet) -> None:
    """Requests one after the other go to either token, and each answer names the key that verifies it."""
    roles = Roles(tokens, [pair.role])
    signed = [await roles.sign(ROLE, b"m%d" % n) for n in range(10)]
    assert {one.key.token for one in signed} == set(NAMES)
    for n, one in enumerate(signed):
        verify_signature(pair.spki[one.key.key], b"m%d" % n, one.signature)


async def test_the_least_pending_is_chosen(pair: Pair, tokens: TokenSet) -> None:
    """While one token has work, the next request goes to the other."""
    roles = Roles(tokens, [pair.role])
    busy = pair.role.keys[0]
    waiting = [asyncio.ensure_future(tokens[busy.token].sign(busy.key, b"x")) for _ in range(50)]
    await asyncio.sleep(0)
    assert [roles.pick(ROLE).token for _ in range(5)] == ["second"] * 5
    await asyncio.gather(*waiting)


@pytest.mark.parametrize("away", ["killed", "removed"])
async def test_losing_a_token_loses_no_request(pair: Pair, tokens: TokenSet, away: str) -> None:
    """One token's workers are killed for good, or its directory goes, under 40 callers: none goes unanswered."""
    roles = Roles(tokens, [pair.role])
    answered: dict[bytes, tuple[bytes, bytes]] = {}

    async def caller(number: int) -> None:
        for n in range(25):
            message = b"%d/%d" % (number, n)
            signed = await roles.sign(ROLE, message)
            assert message not in answered
            answered[message] = signed.key.key, signed.signature

    async def lose() -> None:
        await asyncio.sleep(0.05)
        pair.directory("first").rename(pair.directory("first").with_name("gone"))
        if away == "killed":
            for pid in tokens["first"].health().workers:
                os.kill(pid, signal.SIGKILL)

    await asyncio.gather(lose(), *(caller(number) for number in range(40)))
    assert len(answered) == 40 * 25
    for message, (key, signature) in answered.items():
        verify_signature(pair.spki[key], message, signature)
    assert {(await roles.sign(ROLE, b"later")).key.token for _ in range(4)} == {"second"}


async def test_a_token_that_comes_back_signs_again(pair: Pair, tokens: TokenSet) -> None:
    """After its directory is back, its state machine brings it back, and the role uses it."""
    roles = Roles(tokens, [pair.role])
    place = pair.directory("first")
    place.rename(place.with_name("gone"))
    for _ in range(4):
        await roles.sign(ROLE, b"while away")
    assert tokens["first"].state is not HsmState.READY
    place.with_name("gone").rename(place)
    while tokens["first"].state is not HsmState.READY:
        await asyncio.sleep(0.05)
    assert {(await roles.sign(ROLE, b"back")).key.token for _ in range(4)} == set(NAMES)


async def test_what_is_signed_is_made_again_for_the_other_key(pair: Pair, tokens: TokenSet) -> None:
    """A message that names its key is made for the key that signs it in the end."""
    roles = Roles(tokens, [pair.role])
    shutil.rmtree(pair.directory("first"))
    made: list[str] = []

    def text(key: RoleKey) -> bytes:
        made.append(key.token)
        return b"signed with " + key.key

    for _ in range(2):
        signed = await roles.sign(ROLE, text)
        assert signed.key.token == "second"
        verify_signature(pair.spki[signed.key.key], b"signed with " + signed.key.key, signed.signature)
    assert "first" in made


async def test_without_any_token_every_one_is_named(pair: Pair, tokens: TokenSet) -> None:
    """The error says of each token what it said."""
    roles = Roles(tokens, [pair.role])
    for name in NAMES:
        shutil.rmtree(pair.directory(name))
    with pytest.raises(HsmUnavailable, match=r"first: .*; second: |second: .*; first: "):
        await roles.sign(ROLE, b"m")


async def test_a_full_queue_moves_to_the_other_token(pair: Pair) -> None:
    """`HsmBusy` of one token is no answer while another has room; when none has, it is the answer."""
    configs = {name: replace(config, queue_limit=1) for name, config in pair.configs.items()}
    async with TokenSet(configs) as tokens:
        roles = Roles(tokens, [pair.role])
        both = await asyncio.gather(roles.sign(ROLE, b"1"), roles.sign(ROLE, b"2"))
        assert {one.key.token for one in both} == set(NAMES)
        three = await asyncio.gather(*(roles.sign(ROLE, b"m") for _ in range(3)), return_exceptions=True)
        assert [type(one) for one in three].count(HsmBusy) == 1


async def test_a_key_that_its_token_refuses_moves_to_the_other_token(
    pair: Pair, tokens: TokenSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its token is well and has nothing pending, so the key itself is set aside: the next choice is the other's."""
    asked = []

    async def refused(key: bytes, *_: object, **__: object) -> bytes:
        asked.append(key)
        raise HsmKeyRefused("Expected an active key, got one that is retiring. Use another.")

    first, second = pair.role.keys
    monkeypatch.setattr(tokens["first"], "sign", refused)
    roles = Roles(tokens, [pair.role])
    for _ in range(6):
        assert (await roles.sign(ROLE, b"message")).key == second
    assert asked == [first.key]
    assert roles.pick(ROLE) == second
    assert roles.pick(ROLE, besides=[second]) == first, "where nothing else is left it is asked all the same"
    with pytest.raises(HsmUnavailable, match="retiring"):
        await Roles({"first": tokens["first"]}, [KeyRole(ROLE, (first,))]).sign(ROLE, b"message")


async def test_a_token_away_at_the_start_comes_later(pair: Pair) -> None:
    """One token is enough to begin with; the other is opened when it is there."""
    place = pair.directory("first")
    place.rename(place.with_name("gone"))
    async with TokenSet(pair.configs) as tokens:
        assert list(tokens.away()) == ["first"]
        assert not tokens.serves("first")
        assert tokens.health()["first"].state is HsmState.DOWN
        assert (await Roles(tokens, [pair.role]).sign(ROLE, b"m")).key.token == "second"
        place.with_name("gone").rename(place)
        while not tokens.serves("first"):
            await asyncio.sleep(0.05)
        assert tokens.away() == {}


async def test_a_token_that_is_tried_again_is_down_meanwhile(pair: Pair) -> None:
    """With the reason, also while an attempt is under way: who asks is refused at once."""
    place = pair.directory("first")
    place.rename(place.with_name("gone"))
    async with TokenSet(pair.configs) as tokens:
        for _ in range(40):
            health = tokens.health()["first"]
            assert (health.state, health.workers) == (HsmState.DOWN, ())
            assert "Expected" in (health.reason or "")
            with pytest.raises(HsmError, match=r"tokendir|labelled"):
                async with asyncio.timeout(0.5):
                    await tokens["first"].random(8)
            await asyncio.sleep(0.05)
        place.with_name("gone").rename(place)


async def test_nobody_is_served_before_the_token_is_admitted(pair: Pair) -> None:
    """Whoever looks at it has it alone, with all that it starts; others are told that it is not open."""
    looking, looked = asyncio.Event(), asyncio.Event()

    async def admit(name: str, hsm: Hsm) -> None:
        if name == "first":
            assert [len(one) for one in await asyncio.gather(hsm.random(8), hsm.random(8))] == [8, 8]
            looking.set()
            await looked.wait()

    tokens = TokenSet(pair.configs, admit)
    opening = asyncio.create_task(tokens.__aenter__())
    async with asyncio.timeout(30):
        await looking.wait()
    with pytest.raises(HsmUnavailable, match="not"):
        await tokens["first"].random(8)
    assert tokens.health()["first"].state is HsmState.CLOSED
    looked.set()
    await opening
    assert len(await tokens["first"].random(8)) == 8
    await tokens.__aexit__(None, None, None)


async def test_whatever_an_admission_raises_it_is_asked_again(pair: Pair) -> None:
    """What it asks may be away, too: a database, say."""
    place, asked = pair.directory("first"), 0

    async def admit(name: str, hsm: Hsm) -> None:
        nonlocal asked
        if name == "first":
            assert len(await hsm.random(8)) == 8
            asked += 1
            if asked == 1:
                raise RuntimeError("the database is away")

    place.rename(place.with_name("gone"))
    async with TokenSet(pair.configs, admit) as tokens:
        place.with_name("gone").rename(place)
        async with asyncio.timeout(30):
            while "the database is away" not in (tokens.health()["first"].reason or ""):
                await asyncio.sleep(0.02)
            while not tokens.serves("first"):
                await asyncio.sleep(0.05)
        assert asked == 2


async def test_what_is_known_of_a_pin_outlives_an_attempt(pair: Pair) -> None:
    """A process that ends in its login may have spent a try: the next attempt heeds what the token counts."""
    hsm = Hsm(pair.configs["first"], program="this")  # a module that says something and ends
    assert not hsm._pin.uncertain
    with pytest.raises(HsmUnavailable):
        async with hsm:
            pytest.fail("opened")
    assert hsm._pin.uncertain
    supervisor = Supervisor(pair.configs["first"], Pool(1, 1.0, 1.0), Latencies(), hsm._pin)
    assert json.loads(supervisor._configuration())["uncertain"]


async def test_no_token_at_the_start_is_an_error(pair: Pair) -> None:
    """A service without any token does not come up."""
    for name in NAMES:
        shutil.rmtree(pair.directory(name))
    with pytest.raises((HsmTokenMissing, HsmUnavailable)):
        async with TokenSet(pair.configs):
            pass


async def test_a_refused_pin_is_tried_once(pair: Pair) -> None:
    """A wrong PIN of one token leaves the other serving and costs one attempt, until it is corrected."""
    pin_file = pair.configs["first"].pin_file
    right = pin_file.read_text()
    pin_file.write_text("wrong-pin\n")
    async with TokenSet(pair.configs) as tokens:
        refused = tokens.away()["first"]
        await asyncio.sleep(1.2)
        assert tokens.away()["first"] is refused
        health = tokens.health()["first"]
        assert (health.state, health.refused, health.last_error) == (HsmState.REFUSED, True, "HsmPinRefused")
        assert "Correct the PIN file" in (health.reason or "")
        with pytest.raises(HsmPinRefused, match="Correct the PIN file"):
            await tokens["first"].random(8)
        pin_file.write_text(right)
        async with asyncio.timeout(10):
            while not tokens.serves("first"):
                await asyncio.sleep(0.05)
        assert tokens.health()["first"].reason is None
        assert len(await tokens["first"].random(8)) == 8


async def test_a_token_that_is_not_admitted_says_why(pair: Pair) -> None:
    """It was open for whoever looks at it alone; what comes after is told what that one said."""

    async def admit(name: str, hsm: Hsm) -> None:
        assert len(await hsm.random(8)) == 8
        if name == "first":
            raise HsmKeyRefused("Expected another token.")

    async with TokenSet(pair.configs, admit) as tokens:
        health = tokens.health()["first"]
        assert (health.state, health.reason, health.workers) == (HsmState.DOWN, "Expected another token.", ())
        with pytest.raises(HsmKeyRefused, match="another token"):
            await tokens["first"].random(8)
        assert len(await tokens["second"].random(8)) == 8


@pytest.mark.parametrize(
    ("change", "until"),
    [
        (lambda key: replace(key, published=False), None),
        (lambda key: replace(key, certificate=certificate(-1.0)), None),
        (lambda key: replace(key, certificate=certificate(2 * DAY, starts_in=DAY)), None),
        (lambda key: replace(key, certificate=certificate(DAY)), 2 * DAY),
    ],
    ids=["not published", "expired", "not yet", "ends before what it signs"],
)
async def test_keys_that_may_not_sign(
    pair: Pair, tokens: TokenSet, change: Callable[[RoleKey], RoleKey], until: float | None
) -> None:
    """Such a key is passed over; when every key of the role is such a one, that is said."""
    end = None if until is None else dt.datetime.now(dt.UTC).timestamp() + until
    first, second = pair.role.keys
    one = Roles(tokens, [KeyRole(ROLE, (change(first), second))])
    assert {(await one.sign(ROLE, b"m", until=end)).key.token for _ in range(4)} == {"second"}
    none = Roles(tokens, [KeyRole(ROLE, (change(first), change(second)))])
    with pytest.raises(HsmPolicy, match="published key"):
        await none.sign(ROLE, b"m", until=end)


def test_roles_that_mean_nothing() -> None:
    """No key, two on one token, one key on two tokens: each is refused, as is a token nobody configured."""
    for keys in (
        (),
        (RoleKey("a", b"1", None, published=True), RoleKey("a", b"2", None, published=True)),
        (RoleKey("a", b"1", None, published=True), RoleKey("b", b"1", None, published=True)),
    ):
        with pytest.raises(HsmPolicy):
            KeyRole(ROLE, keys)
    with pytest.raises(HsmPolicy, match="configured token"):
        Roles({}, [KeyRole(ROLE, (RoleKey("a", b"1", None, published=True),))])
    with pytest.raises(HsmPolicy, match="at least one token"):
        TokenSet({})
    with pytest.raises(HsmPolicy, match="one of the roles"):
        Roles({}, []).pick(ROLE)
