"""What is raised says something, whoever raises it and however little it was told."""

import inspect
import re
from pathlib import Path

import pytest
from pkcs11 import PKCS11Error, exceptions

import hsm.errors
from hsm.ckr import BY_NUMBER, STATUS_OF, Fault, fault_of, status_of, told
from hsm.errors import HsmBusy, HsmError, for_another
from hsm.frames import Op, Status
from hsm.health import BreakerState, HsmState
from hsm.link import ERRORS

TREE = [error for _, error in inspect.getmembers(hsm.errors, inspect.isclass) if issubclass(error, HsmError)]
RETURN_VALUES = [
    error for _, error in inspect.getmembers(exceptions, inspect.isclass) if issubclass(error, PKCS11Error)
]


@pytest.mark.parametrize("error", TREE)
def test_no_error_is_without_words(error: type[HsmError]) -> None:
    """Raised with an empty sentence it says what its class stands for, also for the next caller; so without any."""
    assert error.__name__ in str(error(""))
    assert len(str(error("")).split()) > 3
    assert str(for_another(error(""))) == str(error(""))
    if error is not HsmBusy:  # which cannot be raised without a sentence
        assert str(error()) == str(error(""))


def test_the_tree_is_drawn_and_exported_whole() -> None:
    """Every class stands in the drawing at the top of its module, and can be imported from the package."""
    assert hsm.errors.__doc__ is not None
    for error in TREE:
        assert error.__name__ in hsm.errors.__doc__
        assert getattr(hsm, error.__name__) is error


@pytest.mark.parametrize("error", RETURN_VALUES)
def test_every_return_value_becomes_a_typed_error_with_words_and_a_cure(error: type[PKCS11Error]) -> None:
    """python-pkcs11 raises most of its classes with no text at all."""
    for op in Op:
        fault = fault_of(op, error())

        assert error.__name__ in fault.sentence
        assert op.name in fault.sentence
        assert len(fault.sentence.split(". ")) >= 2, "the cure is a sentence of its own"
        assert str(fault) == fault.sentence
        assert issubclass(ERRORS[fault.status], HsmError)
        assert str(ERRORS[fault.status](fault.sentence)) == fault.sentence


@pytest.mark.parametrize(("number", "row"), BY_NUMBER.items())
def test_return_values_without_a_class_are_told_by_their_number(number: int, row: tuple[str, Status]) -> None:
    """Their names are the standard's."""
    error = PKCS11Error(f"Unmapped error code {number:#x}")

    assert status_of(error) is row[1]
    assert row[0] in told(error)
    assert row[0] in fault_of(Op.SIGN, error).sentence


def test_a_number_never_overrules_a_class() -> None:
    """What has a class is told by that, whatever its text."""
    assert {status_of(error("0x1b")) for error in STATUS_OF} == set(STATUS_OF.values())


def test_a_module_that_was_finalised_means_a_fresh_process() -> None:
    """python-pkcs11 says so in words of its own, without the number."""
    error = PKCS11Error("Initialisation error (not initialized). Should never see this.")

    assert status_of(error) is Status.SESSION_LOST


def test_a_fault_says_what_it_was_made_with() -> None:
    """On its way to the client it is no mere number."""
    assert str(Fault(Status.POLICY, "Expected this, got that. Do so.")) == "Expected this, got that. Do so."


def test_operators_are_told_of_every_error_and_state() -> None:
    """A row in docs/hsm.md for each error, each state of a token and of its breaker."""
    page = (Path(__file__).parents[2] / "docs" / "hsm.md").read_text()
    rows = set(re.findall(r"^\| `([\w-]+)`", page, re.MULTILINE))

    assert rows >= {error.__name__ for error in TREE if error is not HsmError}
    assert rows >= {state.value for state in HsmState}
    assert {state.value for state in BreakerState} <= set(re.findall(r"`([\w-]+)`", page))
