"""``idverify api``: what is sent, what is shown, and which exit status says what."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import orjson
import pytest

from idverify.cli import COULD_NOT_TELL, USAGE, main

# What the service answers at each path: status, headers, body.
ANSWERS: dict[str, tuple[int, dict[str, str], bytes]] = {
    "/made": (201, {"Content-Type": "application/json"}, b'{"proposal":"0f","count":3}'),
    "/der": (200, {"Content-Type": "application/pkix-crl"}, b"\x30\x82\x00"),
    "/refused": (403, {}, b'{"detail":"Another officer must."}'),
    "/malformed": (400, {}, b'{"detail":"Some fields.","errors":[{"at":"/type","expected":"a string"}]}'),
    "/away": (503, {}, b'{"detail":"The disk is nearly full."}'),
    "/no-problem": (502, {}, b"<html>"),
    "/api/v1/enrolments/options": (410, {}, b'{"detail":"This code has expired."}'),
    "/elsewhere": (302, {"Location": "/made"}, b""),
}


@dataclass
class Service:
    """A service that answers from the table, and what it was asked: (method, path, key, body), and in which type."""

    url: str
    asked: list[tuple[str, str, str | None, bytes]] = field(default_factory=list)
    media: list[str | None] = field(default_factory=list)


@pytest.fixture
def service() -> Iterator[Service]:
    """The service, until the test is over."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            running.media.append(self.headers.get("Content-Type"))
            running.asked.append((self.command, self.path, self.headers.get("Authorization"), body))
            status, headers, answer = ANSWERS[self.path]
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = answer  # noqa: N815  the names that http.server looks for

        def log_message(self, *_: object) -> None:
            """Standard error belongs to the command under test."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        running = Service(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield running
        server.shutdown()
        thread.join()


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A file with an API key."""
    path = tmp_path / "officer.key"
    path.write_text("idv_key\n")
    return path


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["idverify", "api", *words])
    return main()


def test_sends_method_key_and_body(service: Service, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request is what the command line says, the key without its line end."""
    assert run(monkeypatch, "post", f"{service.url}/made", '{"a":1}', "--key", str(key)) == 0
    assert service.asked == [("POST", "/made", "Bearer idv_key", b'{"a":1}')]


def test_sends_a_file(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``@FILE`` is the file's content, and without a key none is sent."""
    (tmp_path / "body.json").write_bytes(b'{"from":"file"}')

    assert run(monkeypatch, "POST", f"{service.url}/made", f"@{tmp_path / 'body.json'}") == 0
    assert service.asked == [("POST", "/made", None, b'{"from":"file"}')]


def test_shows_json(service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """An answer in JSON is printed for people and still is JSON."""
    assert run(monkeypatch, "GET", f"{service.url}/made") == 0
    assert orjson.loads(capsys.readouterr().out) == {"proposal": "0f", "count": 3}


@pytest.mark.parametrize(("member", "shown"), [("proposal", "0f\n"), ("count", "3\n")])
def test_shows_one_member(
    member: str, shown: str, service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``--member`` prints a text bare, so that a shell variable can hold it, and anything else as JSON."""
    assert run(monkeypatch, "GET", f"{service.url}/made", "--member", member) == 0
    assert capsys.readouterr().out == shown


@pytest.mark.parametrize("path", ["/made", "/der"])
def test_a_member_that_is_not_there(path: str, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking for a member that the answer has not is wrong usage."""
    assert run(monkeypatch, "GET", service.url + path, "--member", "absent") == USAGE


def test_shows_other_media_as_they_came(
    service: Service, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """A certificate or a list can be piped on."""
    assert run(monkeypatch, "GET", f"{service.url}/der") == 0
    assert capfdbinary.readouterr().out == ANSWERS["/der"][2]


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/refused", 1, "403: Another officer must."),
        ("/malformed", 1, "/type: a string"),
        ("/elsewhere", 1, "302"),
        ("/away", COULD_NOT_TELL, "The disk is nearly full."),
        ("/no-problem", COULD_NOT_TELL, "502"),
    ],
)
def test_a_refusal_is_told_apart_from_a_failure(
    path: str,
    status: int,
    told: str,
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """1 is the service's no, 2 is not known; the reason is on standard error and nothing else anywhere."""
    assert run(monkeypatch, "GET", service.url + path) == status
    printed = capsys.readouterr()
    assert told in printed.err
    assert printed.out == ""


def test_every_command_says_a_refusal_in_one_way(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The service's own sentence, with status 1: no words of ours before it that do not fit."""
    link = f"{service.url}/enrol/0000-0000-0000-0000-0000"
    monkeypatch.setattr("sys.argv", ["idverify", "securitykey", "enrol", link, "--key", str(tmp_path / "a.key")])
    assert main() == 1
    assert capsys.readouterr().err == (
        f"{service.url}/api/v1/enrolments/options answered 410: This code has expired.\n"
    )


def test_a_redirect_is_not_followed(service: Service, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key goes where it was sent and nowhere else."""
    run(monkeypatch, "GET", f"{service.url}/elsewhere", "--key", str(key))

    assert [path for _, path, _, _ in service.asked] == ["/elsewhere"]


def test_a_key_of_two_lines_is_refused(service: Service, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What would become a header of its own never leaves."""
    key.write_text("idv_key\nX-Other: 1\n")

    assert run(monkeypatch, "GET", f"{service.url}/made", "--key", str(key)) == USAGE
    assert service.asked == []


@pytest.mark.parametrize(
    ("body", "media"), [(b' {"a":1}', "application/json"), (b"%PDF-1.7\n\xff", "application/octet-stream")]
)
def test_a_file_may_be_a_document(
    body: bytes, media: str, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A letter goes as the bytes that it is; the API tells what they are."""
    (tmp_path / "file").write_bytes(body)

    assert run(monkeypatch, "POST", f"{service.url}/made", f"@{tmp_path / 'file'}") == 0
    assert (service.asked[0][3], service.media) == (body, [media])


def test_nobody_there(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A service that does not run is not known to refuse."""
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as closed:
        url = f"http://127.0.0.1:{closed.server_port}/"

    assert run(monkeypatch, "GET", url) == COULD_NOT_TELL
    assert "cannot be reached" in capsys.readouterr().err
