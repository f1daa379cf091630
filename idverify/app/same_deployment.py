"""What was fixed at the first run, held against the settings: the address, whose it is, whether it is a demo."""

from __future__ import annotations

from idverify.config import Config
from idverify.errors import SetupError
from idverify.services.office import Deployment


def require_same_deployment(config: Config, ours: Deployment) -> None:
    """Raises ``SetupError`` where the settings say otherwise than the database."""
    if config.identity.public_url.rstrip("/") != ours.iss:
        raise SetupError(
            f"This deployment is {ours.iss}, the settings say {config.identity.public_url}.",
            "Credentials carry the first; put it back, or start a new deployment with --data DIR.",
        )
    if (config.identity.name, config.identity.country) != (ours.name, ours.country):
        raise SetupError(
            f"This deployment is of {ours.name} ({ours.country}) for good; the settings say {config.identity.name} "
            f"({config.identity.country}).",
            "Certificates carry the first; put it back, or start a new deployment with --data DIR.",
        )
    if config.service.demo != ours.demo:
        raise another_kind(ours.demo)


def another_kind(demo: bool) -> SetupError:  # noqa: FBT001  the one thing that it is about
    """Of a demo the people, API keys and unproven security keys would stay; real records would get a demo's."""
    if demo:
        return SetupError(
            "This deployment was set up as a demo and stays one, with its people, API keys and security keys.",
            "Leave service.demo true, or set up another one: up --no-demo with another --data DIR.",
        )
    return SetupError(
        "This deployment was set up as no demo and never becomes one.",
        "Leave service.demo false, or set up a demo: up with another --data DIR.",
    )
