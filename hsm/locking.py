"""Loading a PKCS#11 module, and the promise that is made to it about threads.

C_Initialize(NULL) promises that one thread alone will call the module (PKCS#11 v2.40 section 5.4). python-pkcs11 makes
that promise for everybody and then releases Python's own lock around every call, so two threads, each with a session
of its own, crash SoftHSM. So there are two ways to load a module here and no third:

    one thread       C_Initialize(NULL), and from then on no thread can be started in this process
    several threads  C_Initialize(CKF_OS_LOCKING_OK), the module's own word that they may; one that says
                     CKR_CANT_LOCK is initialised for one thread instead
"""

import _thread
import atexit
import ctypes
import threading
from dataclasses import dataclass
from typing import Any, NoReturn, Self

import pkcs11
from pkcs11 import PKCS11Error, _pkcs11
from pkcs11.exceptions import ArgumentsBad, GeneralError

from hsm.ckr import STATUS_OF, Fault, status_of, told
from hsm.frames import Status

Library = Any
"""python-pkcs11's class for a loaded module, which the package hides behind the function that caches it."""

_CKF_OS_LOCKING_OK = 0x02
_CKR_OK, _CKR_CANT_LOCK = 0x00, 0x0A
_DEVICE = frozenset({0x05, 0x06, 0x30, 0x31, 0x32})  # GENERAL_ERROR, FUNCTION_FAILED, DEVICE_ERROR, _MEMORY, _REMOVED
_C_INITIALIZE, _C_FINALIZE = 1, 2  # places in CK_FUNCTION_LIST counted in pointers, its version taking the first


class _InitializeArguments(ctypes.Structure):
    """CK_C_INITIALIZE_ARGS (PKCS#11 v2.40 section 3.7), and the field that NSS adds behind it.

    pReserved must be NULL by the standard. NSS reads a string there, LibraryParameters, and then a reserved field of
    its own after it; other modules do not look so far.
    """

    _fields_ = (
        ("create_mutex", ctypes.c_void_p),
        ("destroy_mutex", ctypes.c_void_p),
        ("lock_mutex", ctypes.c_void_p),
        ("unlock_mutex", ctypes.c_void_p),
        ("flags", ctypes.c_ulong),
        ("library_parameters", ctypes.c_char_p),
        ("reserved", ctypes.c_void_p),
    )


@dataclass(frozen=True, slots=True)
class Module:
    """A module that is loaded and initialised; `locking` when several threads may call it."""

    library: Library
    locking: bool


class LockingLib(_pkcs11.lib):
    """A module initialised with the arguments that python-pkcs11 does not pass.

    Its C_Initialize is called through the list of functions that the module gives to every caller. A module that
    makes a list per caller (p11-kit's proxy and client) does not fit, and says that it is not initialised.
    """

    def __new__(cls, so: str, *_: object, **__: object) -> Self:
        """The extension type takes the path alone."""
        return super().__new__(cls, so)  # type: ignore[call-arg]  # its stub says nothing of __new__

    def __init__(self, so: str, parameters: str | None, *, threads: bool) -> None:
        self.locking = threads
        self._parameters = parameters
        self._functions = _function_list(so)
        super().__init__(so)  # calls `initialize`
        atexit.register(self.finalize)

    def initialize(self) -> None:
        """C_Initialize for several threads if they are wanted, for one if the module cannot lock."""
        value = self._initialize(_CKF_OS_LOCKING_OK if self.locking else 0)
        if value == _CKR_CANT_LOCK and self.locking:
            self.locking = False
            value = self._initialize(0)
        if value != _CKR_OK:
            raise Fault(
                Status.TOKEN_DOWN if value in _DEVICE else Status.MODULE_MISSING,
                f"Expected the module to initialise, got CKR 0x{value:x}. Check its configuration and its arguments.",
            )

    def finalize(self) -> None:
        """C_Finalize, once: the base class believes that the module was never initialised."""
        atexit.unregister(self.finalize)
        ctypes.CFUNCTYPE(ctypes.c_ulong, ctypes.c_void_p)(self._functions[_C_FINALIZE])(None)

    def _initialize(self, flags: int) -> int:
        parameters = None if self._parameters is None else self._parameters.encode()
        if not flags and parameters is None:
            arguments = None
        else:
            arguments = ctypes.byref(_InitializeArguments(flags=flags, library_parameters=parameters))
        prototype = ctypes.CFUNCTYPE(ctypes.c_ulong, ctypes.c_void_p)
        return int(prototype(self._functions[_C_INITIALIZE])(arguments))


def load(path: str, *, threads: int = 1, arguments: str | None = None) -> Module:
    """The PKCS#11 module at `path`, initialised for so many threads, or for one if it cannot lock.

    `arguments` is what some modules take at initialisation: NSS's LibraryParameters. From the return on, no further
    thread can be started in this process unless the module is `locking`.
    """
    try:
        if threads == 1 and arguments is None:
            module = Module(_for_one_thread(path), locking=False)
        else:
            library = LockingLib(path, arguments, threads=threads > 1)
            module = Module(library, locking=library.locking)
    except GeneralError as error:
        raise Fault(
            Status.TOKEN_DOWN,
            f"Expected {path} to initialise, got {type(error).__name__}. For SoftHSM, check that SOFTHSM2_CONF "
            "names a readable file (`--conf`, `softhsm_conf`) whose directories.tokendir exists: bring it back.",
        ) from error
    except (PKCS11Error, OSError) as error:
        if isinstance(error, PKCS11Error) and status_of(error) is Status.SESSION_LOST:
            raise _makes_a_state_for_each_caller(path) from error
        said = told(error) if isinstance(error, PKCS11Error) else error
        missing = STATUS_OF.get(type(error), Status.MODULE_MISSING)  # type: ignore[arg-type]  # an OSError is not in it
        cure = "Correct the path"
        if isinstance(error, ArgumentsBad):
            cure = "Give it the arguments that it takes (`module_arguments`, `--module-arguments`)"
        raise Fault(missing, f"Expected a PKCS#11 module at {path}, got: {said}. {cure}.") from error
    if not module.locking:
        _forbid_threads()
    return module


def _makes_a_state_for_each_caller(path: str) -> Fault:
    """Of a module that was initialised through its list of functions and says that it was not."""
    return Fault(
        Status.POLICY,
        f"Expected a module that is the same for all its callers, as several sessions of a worker and arguments need, "
        f"got {path}, which makes a state for each of them. With p11-kit set `sessions` to 1, give no "
        "`module_arguments`, and raise `workers` for more speed; or name the maker's own module.",
    )


def _for_one_thread(path: str) -> Library:
    """The stock loader, C_Initialize(NULL)."""
    _assert_alone()
    return pkcs11.lib(path)


def _assert_alone() -> None:
    running = threading.active_count()
    if running != 1:
        raise AssertionError(f"Expected one thread in a process that loads a module for one, got {running}.")


def _forbid_threads() -> None:
    """Make a second thread impossible, not only unintended: whoever starts one gets the assertion."""
    _assert_alone()
    _thread.start_new_thread = _refuse_thread
    threading._start_new_thread = _refuse_thread  # type: ignore[attr-defined]  # noqa: SLF001 what Thread.start calls


def _refuse_thread(*_: object, **__: object) -> NoReturn:
    raise AssertionError(
        "Expected one thread in a process whose PKCS#11 module was initialised for one, got a second. "
        "Ask for `sessions` > 1, which initialises it with locking."
    )


def _function_list(path: str) -> "ctypes._Pointer[ctypes.c_void_p]":
    """CK_FUNCTION_LIST as an array of pointers, of the library that the base class has loaded or will."""
    functions = ctypes.POINTER(ctypes.c_void_p)()
    value = ctypes.CDLL(path).C_GetFunctionList(ctypes.byref(functions))
    if value != _CKR_OK:
        raise Fault(
            Status.MODULE_MISSING, f"Expected a list of functions from {path}, got CKR 0x{value:x}. Correct the path."
        )
    return functions
