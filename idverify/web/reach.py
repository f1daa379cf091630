"""Which hosts and addresses may be connected to, when what to fetch is named by a document: the public internet alone.

>>> from ipaddress import ip_address
>>> is_public(ip_address("8.8.8.8")), is_public(ip_address("::ffff:8.8.8.8")), is_public(ip_address("169.254.169.254"))
(True, False, False)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

# The IANA special-purpose registries (RFC 6890), multicast and what is reserved: none of it is a public server's.
_REFUSED_IPV4: Final = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",  # shared by carriers' customers, RFC 6598
            "127.0.0.0/8",
            "169.254.0.0/16",  # link-local, where clouds serve their metadata
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.31.196.0/24",
            "192.52.193.0/24",
            "192.88.99.0/24",  # 6to4 relays
            "192.168.0.0/16",
            "192.175.48.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
        ),
    )
)
# Of IPv6 what is global unicast, without what is special in it or carries an IPv4 address to somewhere else.
_GLOBAL_IPV6: Final = ip_network("2000::/3")
_REFUSED_IPV6: Final = tuple(
    map(ip_network, ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"))
)
# A name with a dot whose last part is no number: no address in any spelling (WHATWG URL, "ends in a number").
_HOST: Final = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
_URL: Final = re.compile(r"(https?)://([a-z0-9.-]+)(:[1-9][0-9]{0,4})?/[A-Za-z0-9._~!$&'()*+,;=:@/-]*")
_MOST_URL: Final = 2000
_HERE: Final = "localhost"


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is a public server's, and leads to no other network by way of IPv6."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _REFUSED_IPV4)
    return address in _GLOBAL_IPV6 and not any(address in network for network in _REFUSED_IPV6)


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a fetcher may reach. ``demo``: also what listens on this machine, under the name ``localhost``.

    ``private_hosts`` are names whose addresses need not be public: the operator's word that they are inside.
    """

    demo: bool = False
    private_hosts: frozenset[str] = frozenset()

    def allows_url(self, url: str) -> bool:
        """Whether a URL is one that is fetched at all: https, a name, a port that is one, and a plain path."""
        parts = _URL.fullmatch(url) if len(url) <= _MOST_URL else None
        if parts is None or not 0 < int((parts[3] or ":443")[1:]) <= 65535:
            return False
        path = urlsplit(url).path
        if "//" in path or any(step in {".", ".."} for step in path.split("/")):
            return False
        if parts[2] == _HERE:
            return self.demo
        return parts[1] == "https" and len(parts[2]) <= 253 and _HOST.fullmatch(parts[2]) is not None

    def allows_address(self, host: str, address: str) -> bool:
        """Whether an address that a host's name leads to may be connected to."""
        try:
            seen = ip_address(address)
        except ValueError:
            return False
        if "%" in address:  # with a zone, it is of one link
            return False
        if host == _HERE:
            return self.demo and seen.is_loopback
        return host in self.private_hosts or is_public(seen)
