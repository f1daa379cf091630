"""The log says what happened and where, and nothing about whom."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from io import BytesIO, TextIOWrapper
from typing import Any

import orjson
import pytest
import structlog

from idverify.app import logs

SECRET = "QUILLIGFEATHER\nsecond line"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[BytesIO]:
    """What the log holds; it lasts for one test."""
    root, handlers = logging.getLogger(), logging.getLogger().handlers[:]
    standard_error = TextIOWrapper(stream := BytesIO())
    monkeypatch.setattr(sys, "stderr", standard_error)
    monkeypatch.setattr(logs, "log", structlog.get_logger())  # a logger keeps the stream of its first line
    logs.log_to(None)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = handlers


def lines(text: str) -> list[dict[str, Any]]:
    """Every line, decoded."""
    return [orjson.loads(line) for line in text.splitlines()]


def break_something() -> None:
    raise ValueError(SECRET)


def test_a_line_is_one_json_object(written: BytesIO) -> None:
    """Whatever a value holds, it stays inside its line, with level and time."""
    structlog.get_logger().info("request", route=SECRET)

    (line,) = lines(written.getvalue().decode())
    assert (line["event"], line["level"], line["route"]) == ("request", "info", SECRET)
    assert line["timestamp"].endswith("Z")


def test_an_exception_without_its_words(written: BytesIO) -> None:
    """Of an exception its kind and places are kept; what it says, which may be about somebody, is not."""
    try:
        break_something()
    except ValueError:
        structlog.get_logger().exception("unexpected_error")

    text = written.getvalue().decode()
    (line,) = lines(text)
    assert line["exception"]["kind"] == "ValueError"
    assert line["exception"]["places"][-1].endswith("break_something")
    assert "QUILLIGFEATHER" not in text


def test_libraries_log_without_their_words(written: BytesIO) -> None:
    """Warnings and errors of libraries become lines of ours that name the library and no more."""
    library = logging.getLogger("aiohttp.server")
    library.info("not shown: %s", SECRET)
    library.error("Bad request from %s", SECRET)
    try:
        break_something()
    except ValueError:
        library.exception(SECRET)

    text = written.getvalue().decode()
    said = [(line["event"], line["logger"], line["level_there"]) for line in lines(text)]
    assert said == [("library", "aiohttp.server", "ERROR")] * 2
    assert lines(text)[1]["exception"]["kind"] == "ValueError"
    assert "QUILLIGFEATHER" not in text
