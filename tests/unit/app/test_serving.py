"""What the service refuses before it opens a port."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from idverify.app.serve import LOOPBACK, listener_tls
from idverify.app.services import hold
from idverify.config import Service
from idverify.errors import SetupError


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "id.example"])  # noqa: S104  what must be refused
def test_the_public_needs_tls(host: str) -> None:
    """People's data never crosses a network in the clear; the sentence names both cures."""
    with pytest.raises(SetupError, match=r"--tls-certificate .* --behind-proxy"):
        listener_tls(Service(host=host))


@pytest.mark.parametrize("service", [*(Service(host=host) for host in LOOPBACK), Service(host="::", behind_proxy=True)])
def test_this_machine_and_a_proxy_need_none(service: Service) -> None:
    """Loopback, and a proxy that speaks TLS in front, are served as they are."""
    assert listener_tls(service) is None


def test_a_certificate_that_is_none_is_refused(tmp_path: Path) -> None:
    """A file that does not hold a certificate is told before anybody connects."""
    (tmp_path / "tls.pem").write_text("no certificate")

    with pytest.raises(SetupError, match="cannot be used"):
        listener_tls(Service(tls_certificate=tmp_path / "tls.pem", tls_key=tmp_path / "tls.pem"))


def test_one_process_holds_a_data_directory(tmp_path: Path) -> None:
    """A second instance is refused until the first lets go."""
    first = hold(tmp_path)
    with pytest.raises(SetupError, match="Another idverify"):
        hold(tmp_path)
    os.close(first)

    os.close(hold(tmp_path))
