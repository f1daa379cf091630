"""The options of the commands that look after keys."""

import argparse
from collections.abc import Callable, Iterator
from typing import Any

from hsm.keys import Algorithm


def add(verbs: Any, token_options: Callable[[argparse.ArgumentParser], None]) -> Iterator[argparse.ArgumentParser]:
    """Add each command's parser with its options, and give it back."""
    for parser in (_doctor(verbs),):
        token_options(parser)
        yield parser


def _doctor(verbs: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        "doctor", help="is everything in place? Logs in to nothing and reads no PIN"
    )
    parser.add_argument(
        "--needs",
        action="append",
        type=Algorithm,
        choices=list(Algorithm),
        help="an algorithm that the token must have; may be repeated (default ES256)",
    )
    return parser
