"""What a document names leads to public servers alone, in whatever spelling."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from idverify.web.reach import Reach, is_public

PUBLIC = ("8.8.8.8", "1.1.1.1", "192.0.1.1", "100.63.255.255", "100.128.0.0", "2606:4700::1111", "2a00:1450::8")
NOT_PUBLIC = (
    "0.0.0.0",  # noqa: S104  an address to refuse
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.170",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:0:8.8.8.8",
    "64:ff9b::7f00:1",
    "64:ff9b::8.8.8.8",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "3fff::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "4000::1",
)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address: str) -> None:
    """Servers of the internet, right up to the edges of what is refused."""
    assert is_public(ip_address(address))


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_addresses_that_are_nobody_s_public_server(address: str) -> None:
    """Of the machine itself, private networks, links, carriers' customers, multicast, and IPv4 inside IPv6."""
    assert not is_public(ip_address(address))
    assert not Reach().allows_address("list.example", address)


@pytest.mark.parametrize("address", ["fe80::1%eth0", "::1%lo", "not an address", ""])
def test_what_is_no_plain_address(address: str) -> None:
    """With a zone, or none at all."""
    for reach in (Reach(), Reach(private_hosts=frozenset({"list.example"}))):
        assert not reach.allows_address("list.example", address)


URLS = (
    "http://list.example/1",
    "HTTPS://list.example/1",
    "https:/list.example/1",
    "https:///list.example/1",
    "//list.example/1",
    "ftp://list.example/1",
    "file:///etc/passwd",
    "gopher://list.example/1",
    "data:application/statuslist+jwt,x",
    "https://list.example",
    "https://list/1",
    "https://LIST.example/1",
    "https://list.example./1",
    "https://list..example/1",
    "https://-list.example/1",
    "https://list.example:0/1",
    "https://list.example:65536/1",
    "https://list.example:443:443/1",
    "https://list.example:/1",
    "https://user@list.example/1",
    "https://user:pass@list.example/1",
    "https://list.example@evil.example/1",
    "https://list.example#@evil.example/1",
    "https://list.example\\@evil.example/1",
    "https://list.example/1?q",
    "https://list.example/1#f",
    "https://list.example/%2e%2e/1",
    "https://list.example/../1",
    "https://list.example/./1",
    "https://list.example//1",
    "https://list.example/a\r\nHost: evil.example",
    "https://list.example/\t1",
    " https://list.example/1",
    "https://list.example/1\n",
    "https://lïst.example/1",
    "https://xn--.example。com/1",
    "https://127.0.0.1/1",
    "https://8.8.8.8/1",
    "https://2130706433/1",
    "https://0x7f.0x0.0x0.0x1/1",
    "https://0x7f000001/1",
    "https://0177.0.0.01/1",
    "https://127.1/1",
    "https://127.0.0.1.nip.1/1",
    "https://[::1]/1",
    "https://[::ffff:127.0.0.1]/1",
    "https://[fe80::1%25eth0]/1",
    "https://localhost/1",
    "http://localhost/1",
    "https://" + "a." * 130 + "example/1",
    "https://list.example/" + "a" * 2000,
    "",
)


@pytest.mark.parametrize("url", URLS)
def test_urls_that_are_not_fetched(url: str) -> None:
    """Another scheme, an address for a name, two readings, a user, a query, a way up."""
    assert not Reach().allows_url(url)


def test_urls_that_are_fetched() -> None:
    """A name with a dot over https, with a port or without."""
    for url in ("https://list.example/1", "https://a.b-c.list.example:8443/status/1.jwt", "https://list.example/"):
        assert Reach().allows_url(url)


def test_a_demo_reaches_this_machine_by_its_name() -> None:
    """And by no other; nor does its name lead anywhere else."""
    demo = Reach(demo=True)

    assert demo.allows_url("http://localhost:8080/status/1")
    assert [demo.allows_address("localhost", one) for one in ("127.0.0.1", "::1", "10.0.0.1", "8.8.8.8")] == [
        True,
        True,
        False,
        False,
    ]
    assert not demo.allows_address("list.example", "127.0.0.1")
    assert not demo.allows_url("http://list.example/1")


def test_a_host_inside() -> None:
    """Whose addresses the operator vouches for: that one alone."""
    inside = Reach(private_hosts=frozenset({"status.inside.example"}))

    assert inside.allows_address("status.inside.example", "10.1.2.3")
    assert not inside.allows_address("list.example", "10.1.2.3")
    assert not inside.allows_url("http://status.inside.example/1")
