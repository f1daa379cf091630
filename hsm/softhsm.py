"""SoftHSM, the token in software: where its module is, and a private place for its tokens."""

from pathlib import Path

from hsm.errors import HsmModuleMissing, HsmTokenMissing
from hsm.private import create_private

_MODULE_PLACES = (
    "/usr/lib/softhsm/libsofthsm2.so",  # Debian
    "/usr/lib64/pkcs11/libsofthsm2.so",  # Fedora, RHEL
    "/usr/local/lib/softhsm/libsofthsm2.so",  # built from source
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",  # Homebrew
)

_TEMPLATE_PLACES = (
    Path(__file__).parent / "softhsm.conf",  # installed
    Path(__file__).parent.parent / "softhsm.conf",  # a checkout
)

_PLACEHOLDER = "@TOKENDIR@"


def find_module() -> Path:
    """SoftHSM's PKCS#11 module; `HsmModuleMissing` when it is in none of the usual places."""
    for place in _MODULE_PLACES:
        if Path(place).is_file():
            return Path(place)
    raise HsmModuleMissing(
        f"Expected SoftHSM's module in one of {', '.join(_MODULE_PLACES)}, got none. "
        "Install it (Debian: apt install softhsm2) or name the module."
    )


def render(directory: Path, name: str = "softhsm.conf") -> Path:
    """Write a configuration and an empty token directory below `directory`; returns the configuration's path.

    Both are readable by the owner alone: whoever reads the token's files can try PINs against them unhindered.
    An existing configuration is kept, for its tokens are found through it.
    """
    tokens = directory.resolve() / "tokens"
    tokens.mkdir(mode=0o700, parents=True, exist_ok=True)
    configuration = directory.resolve() / name
    create_private(configuration, _template().replace(_PLACEHOLDER, str(tokens)), keep=True)
    return configuration


def _template() -> str:
    for place in _TEMPLATE_PLACES:
        if place.is_file():
            lines = place.read_text(encoding="utf-8").splitlines(keepends=True)
            return "".join(line for line in lines if not line.startswith("#"))
    raise HsmTokenMissing(
        f"Expected the template softhsm.conf at {_TEMPLATE_PLACES[0]}, got none. Reinstall the package."
    )
