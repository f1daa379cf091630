"""The table from PKCS#11 return values to actions."""

import inspect

import pytest
from pkcs11 import PKCS11Error, exceptions

from hsm.ckr import STATUS_OF, fault_of
from hsm.frames import Op, Status
from hsm.link import ERRORS

NAMED = {
    error
    for _, error in inspect.getmembers(exceptions, inspect.isclass)
    if issubclass(error, PKCS11Error) and error is not PKCS11Error
}


def test_every_return_value_has_one_action() -> None:
    """The table covers what python-pkcs11 names, no more and no less."""
    assert set(STATUS_OF) == NAMED


def test_every_status_has_an_error() -> None:
    """Whatever a worker reports, the client has an exception for it."""
    assert set(ERRORS) == set(Status) - {Status.OK}


def test_no_pin_error_is_ever_repeated() -> None:
    """Everything about a PIN is terminal."""
    pins = {error for error in NAMED if "Pin" in error.__name__}

    assert {STATUS_OF[error] for error in pins} == {Status.PIN_REFUSED}


@pytest.mark.parametrize("op", list(Op))
def test_a_general_error_means_a_wrong_tag_only_where_one_is_checked(op: Op) -> None:
    """Decrypt and whatever unwraps report the ciphertext; anywhere else the token is at fault."""
    opening = {Op.DECRYPT, Op.UNWRAP, Op.OPEN_SEALED, Op.SIGN_SEALED}
    expected = Status.DECRYPT_FAILED if op in opening else Status.TOKEN_DOWN

    assert fault_of(op, exceptions.GeneralError()).status is expected


def test_an_unmapped_return_value_is_a_fault_of_the_token() -> None:
    """python-pkcs11 raises its base class for values it does not know."""
    fault = fault_of(Op.SIGN, PKCS11Error("Unmapped error code 0x80000001"))

    assert fault.status is Status.TOKEN_DOWN
    assert "0x80000001" in fault.sentence


@pytest.mark.parametrize(
    "error", [exceptions.ObjectHandleInvalid, exceptions.SessionHandleInvalid, exceptions.UserNotLoggedIn]
)
def test_dead_handles_mean_a_fresh_process(error: type[PKCS11Error]) -> None:
    """Also in the middle of a decryption."""
    assert {fault_of(op, error()).status for op in (Op.SIGN, Op.DECRYPT)} == {Status.SESSION_LOST}
