"""The log says what happened and where, and nothing about whom."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog

from idverify.app.logs import log_to

SECRET = "QUILLIGFEATHER\nsecond line"


@pytest.fixture
def log_file(tmp_path: Path) -> Iterator[Path]:
    """A log that lasts for one test."""
    root, handlers = logging.getLogger(), logging.getLogger().handlers[:]
    log_to(tmp_path / "log")
    yield tmp_path / "log"
    structlog.reset_defaults()
    root.handlers[:] = handlers


def lines(path: Path) -> list[dict[str, Any]]:
    """Every line, decoded."""
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def break_something() -> None:
    raise ValueError(SECRET)


def test_a_line_is_one_json_object(log_file: Path) -> None:
    """Whatever a value holds, it stays inside its line, with level and time."""
    structlog.get_logger().info("request", route=SECRET)

    (line,) = lines(log_file)
    assert (line["event"], line["level"], line["route"]) == ("request", "info", SECRET)
    assert line["timestamp"].endswith("Z")


def test_an_exception_without_its_words(log_file: Path) -> None:
    """Of an exception its kind and places are kept; what it says, which may be about somebody, is not."""
    try:
        break_something()
    except ValueError:
        structlog.get_logger().exception("unexpected_error")

    (line,) = lines(log_file)
    assert line["exception"]["kind"] == "ValueError"
    assert line["exception"]["places"][-1].endswith("break_something")
    assert "QUILLIGFEATHER" not in log_file.read_text()


def test_libraries_log_without_their_words(log_file: Path) -> None:
    """Warnings and errors of libraries become lines of ours that name the library and no more."""
    library = logging.getLogger("aiohttp.server")
    library.info("not shown: %s", SECRET)
    library.error("Bad request from %s", SECRET)
    try:
        break_something()
    except ValueError:
        library.exception(SECRET)

    said = [(line["event"], line["logger"], line["level_there"]) for line in lines(log_file)]
    assert said == [("library", "aiohttp.server", "ERROR")] * 2
    assert lines(log_file)[1]["exception"]["kind"] == "ValueError"
    assert "QUILLIGFEATHER" not in log_file.read_text()
