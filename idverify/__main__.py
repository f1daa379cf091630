"""`python3 -m idverify`: the first file that runs on a fresh machine.

An old Python must be able to read this file in order to be told that it is too old, so there is nothing newer
than Python 3.7 in it, and `bootstrap` is imported only after the version is known.
"""

import sys

OLDEST_PYTHON = (3, 11)


def main() -> int:
    """Set up what is missing, run the command line, and return its exit status (2: could not be set up)."""
    if sys.version_info < OLDEST_PYTHON:
        wanted, found = (".".join(map(str, version[:2])) for version in (OLDEST_PYTHON, sys.version_info))
        sys.stderr.write(
            f"idverify needs Python {wanted} or newer and this is {found}: "
            f"start it with a newer one, for example `python{wanted} -m idverify`.\n"
        )
        return 2
    from idverify.bootstrap import start  # noqa: PLC0415 - its syntax is newer than the check above

    return start(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
