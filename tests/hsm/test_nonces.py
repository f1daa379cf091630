"""Who makes the nonce of AES-GCM: the token where it can, the worker where it cannot."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import Any

import pytest
from pkcs11 import Mechanism, exceptions
from pkcs11.exceptions import DeviceError, FunctionNotSupported, MechanismInvalid, PKCS11Error

from hsm.ckr import BY_NUMBER, STATUS_OF
from hsm.frames import Op, join_pair
from hsm.interface import _ERRORS, Interface, _Interface
from hsm.operations import OPERATIONS

from .conftest import Prepared

PLAIN, AAD = b"text", b"about it"


class Session:
    """One that no module has opened."""

    handle = 1


class Ring:
    """A key ring whose token makes nonces, or fails to."""

    session = None
    listed = frozenset({"AES_GCM"})

    def __init__(self, fails: type[PKCS11Error] | None) -> None:
        self.fails = fails
        self.interface = self

    def mechanism(self, _: object) -> Mechanism:
        return Mechanism.AES_GCM

    def secret(self, *_: object) -> Ring:
        return self

    def encrypt(self, *given: Any, mechanism_param: Any = None, **_: object) -> bytes:
        """Both ways in: that of v3.0 has the session first, that of python-pkcs11 the parameters of the mechanism."""
        if mechanism_param is not None:
            return b"by the worker"
        if self.fails is not None:
            raise self.fails
        assert given[-2:] == (AAD, PLAIN)
        return b"by the token"


def test_the_token_makes_the_nonce_where_it_can() -> None:
    """What it answers is the answer, its nonce included."""
    assert OPERATIONS[Op.ENCRYPT](Ring(None), b"key", join_pair(AAD, PLAIN)) == b"by the token"  # type: ignore[arg-type]


@pytest.mark.parametrize("refusal", [FunctionNotSupported, MechanismInvalid])
def test_the_worker_makes_it_where_the_token_cannot(refusal: type[PKCS11Error]) -> None:
    """A module may have v3.0 without messages, or without this mechanism for them."""
    sealed = OPERATIONS[Op.ENCRYPT](Ring(refusal), b"key", join_pair(AAD, PLAIN))  # type: ignore[arg-type]

    assert sealed[12:] == b"by the worker"


def test_a_token_that_fails_is_not_taken_for_one_that_cannot() -> None:
    """Its error goes to the caller."""
    with pytest.raises(DeviceError):
        OPERATIONS[Op.ENCRYPT](Ring(DeviceError), b"key", join_pair(AAD, PLAIN))  # type: ignore[arg-type]


def test_every_answer_means_the_same_by_number() -> None:
    """One row for each of PKCS#11's return values that a function of a session gives and python-pkcs11 has a class for.

    Those that it raises by itself, at a login, or when somebody is to be told of a slot have no number here.
    """
    elsewhere = {
        name
        for name in vars(exceptions)
        if name.startswith(("Pin", "UserPin", "UserAlready", "UserTooMany", "AnotherUser", "NoSuch", "Multiple"))
    }
    elsewhere |= {"SessionExists", "SessionReadOnlyExists", "SessionReadWriteSOExists", "NoEvent", "FunctionRejected"}
    elsewhere |= {"ExceededMaxIterations", "PublicKeyInvalid"}
    assert {error.__name__ for error in STATUS_OF} - {error.__name__ for error in _ERRORS.values()} == {
        name for name in elsewhere if getattr(exceptions, name) in STATUS_OF
    }
    assert len(set(_ERRORS.values())) == len(_ERRORS)
    assert not set(_ERRORS) & set(BY_NUMBER)
    told = {0x20: "POLICY", 0x41: "DECRYPT_FAILED", 0x110: "DECRYPT_FAILED", 0xF0: "SESSION_LOST", 0x30: "TOKEN_DOWN"}
    assert {number: STATUS_OF[_ERRORS[number]].name for number in told} == told


def test_an_older_module_has_no_such_interface(token: Prepared) -> None:
    """SoftHSM 2.6 has PKCS#11 v2.40: everything goes by python-pkcs11."""
    assert Interface.of(str(token.config.module), Session()) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(("version", "is_one"), [((3, 0), True), ((3, 2), True), ((2, 40), False)])
def test_an_older_interface_is_none(version: tuple[int, int], monkeypatch: pytest.MonkeyPatch, *, is_one: bool) -> None:
    """A module may answer with the one it has, whose list of functions ends before ours."""
    answers = ctypes.CFUNCTYPE(ctypes.c_ulong)(lambda: 0)
    places = (ctypes.c_void_p * 100)(*[ctypes.cast(answers, ctypes.c_void_p).value] * 100)
    ctypes.memmove(places, bytes(version), 2)
    offered = _Interface(b"PKCS 11", ctypes.cast(places, ctypes.POINTER(ctypes.c_void_p)), 0)

    def get_interface(_: object, __: object, found: Any, ___: object) -> int:
        found._obj.contents = offered
        return 0

    monkeypatch.setattr("hsm.interface.ctypes.CDLL", lambda _: SimpleNamespace(C_GetInterface=get_interface))
    assert (Interface.of("module", Session()) is not None) is is_one  # type: ignore[arg-type]


def test_a_module_that_does_not_know_the_session_is_not_called(nss_token: Prepared) -> None:
    """NSS has the interface, but nobody has initialised it in this process, let alone opened a session."""
    assert Interface.of(str(nss_token.config.module), Session()) is None  # type: ignore[arg-type]
