"""Settings: ``idverify.toml`` in the data directory, overridden by ``IDVERIFY_...`` in the environment.

Unknown keys are refused. ``idverify up`` writes the file; every field below is documented for whoever edits it.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Any, Final, Self
from urllib.parse import parse_qs, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from idverify.errors import SetupError

FILE_NAME: Final = "idverify.toml"
DATABASE: Final = "idverify.sqlite"
NOT_IN_BACKUPS: Final = "not-in-backups"
Port = Annotated[int, Field(ge=0, le=65535)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Identity(_Section):
    """Who this deployment is. Fixed at init and recorded in the ledger's first entry; changing it here is refused."""

    public_url: str = Field(description="Where the public reaches the service; credentials carry it as iss.")
    name: str = Field(default="Demo Immigration Authority", description="The authority's name.")
    country: str = Field(default="UT", description="ISO 3166-1 alpha-2; UT is the specimen Utopia.")


class Token(_Section):
    """One PKCS#11 token, chosen by label and serial, never by slot."""

    module: Path = Field(description="The vendor's PKCS#11 library.")
    label: str
    serial: str
    pin_file: Path = Field(description="A file that only the service's user can read.")
    softhsm_conf: Path | None = Field(default=None, description="SOFTHSM2_CONF of a SoftHSM token.")
    workers: int = Field(default=1, ge=1, le=16, description="Signer processes.")
    sessions: int = Field(default=1, ge=1, le=64, description="Threads of each signer process, for network HSMs.")
    inventory: Path | None = Field(default=None, description="The token's signed inventory, kept and held to.")


class Recovery(_Section):
    """The way back to people's data when no token is left."""

    public_key: Path | None = Field(
        default=None,
        description="PEM: what people's keys are wrapped to besides; `python -m hsm recovery-key` makes it.",
    )


class Service(_Section):
    """How the service listens."""

    host: str = Field(default="127.0.0.1", description="Loopback unless there is TLS or a proxy in front.")
    port: Port = 8080
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    behind_proxy: bool = Field(default=False, description="A TLS proxy stands in front.")
    demo: bool = Field(default=False, description="Synthetic people and demo keys; says so loudly.")
    related_origins: tuple[str, ...] = Field(
        default=(), description="Other origins where people may register our keys and sign in with them."
    )

    @field_validator("related_origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        """As browsers spell them, since they are compared as whole strings."""
        for origin in origins:
            parts = urlsplit(origin)
            here = parts.scheme == "http" and parts.hostname == "localhost"
            if not (parts.scheme == "https" or here) or origin != f"{parts.scheme}://{parts.netloc}".lower():
                raise ValueError(
                    "must be origins such as https://id.example: scheme and host in small letters, no path"
                )
        return origins


class Database(_Section):
    """Where the rows are: a SQLite file in the data directory, or a database of a PostgreSQL server."""

    url: str | None = Field(
        default=None, description="postgresql://USER@HOST/DATABASE?sslmode=verify-full; without it the SQLite file."
    )

    @field_validator("url")
    @classmethod
    def _is_private(cls, url: str | None) -> str | None:
        """Over a network only with TLS and the server's certificate checked; asyncpg's default is to do without."""
        if url is None:
            return url
        try:
            parts = urlsplit(url)
            whole = parts.port != 0 and not parts.fragment and "@" not in parts.path
        except ValueError:  # its text quotes what may be a password
            whole = False
        if not whole:  # a password was cut in two, and errors that name the database would tell half of it
            raise ValueError("must be an address in which what is special in a password is percent-encoded")
        if parts.scheme != "postgresql" or not parts.path.strip("/"):
            raise ValueError("must be postgresql://USER@HOST/DATABASE")
        asked = parse_qs(parts.query)
        hosts = [host.partition(":")[0] for host in ",".join(asked.get("host", [parts.hostname or ""])).split(",")]
        if not all(_is_here(host) for host in hosts) and asked.get("sslmode") != ["verify-full"]:
            raise ValueError("a server on another machine needs ?sslmode=verify-full")
        return url


class Ledger(_Section):
    """The log and those who watch it."""

    witnesses: Path | None = Field(
        default=None, description="The witness, group and quorum lines of a tlog-policy; without it nobody witnesses."
    )
    guard: Path | None = Field(
        default=None, description="Where the largest signed checkpoint is remembered; never part of a backup."
    )


class SecurityKeys(_Section):
    """What is believed about authenticators."""

    metadata_roots: Path | None = Field(
        default=None, description="PEM: under whom FIDO's metadata are signed; without it there are none."
    )
    metadata_url: str | None = Field(default=None, description="Where newer metadata are fetched from, every day.")

    @field_validator("metadata_url")
    @classmethod
    def _is_https(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith("https://"):
            raise ValueError("must be an https address")
        return url


class Fetching(_Section):
    """Where status lists of other issuers may be fetched from."""

    private_hosts: tuple[str, ...] = Field(
        default=(),
        description="Hosts of trusted issuers inside our own network.",
    )


class Sandbox(_Section):
    """Worker processes that read and make documents."""

    workers: int = Field(default=2, ge=1, le=64, description="Workers of each pool, at most.")


class Config(BaseSettings):
    """All settings. ``data`` is the directory that holds everything the service keeps."""

    model_config = SettingsConfigDict(extra="forbid", env_prefix="IDVERIFY_", env_nested_delimiter="__", frozen=True)

    data: Path
    identity: Identity
    online: Token
    root: Token
    further: tuple[Token, ...] = Field(
        default=(), description="Tokens beside the online one, each with keys of its own; all serve."
    )
    recovery: Recovery = Recovery()
    service: Service = Service()
    database: Database = Database()
    ledger: Ledger = Ledger()
    security_keys: SecurityKeys = SecurityKeys()
    fetching: Fetching = Fetching()
    sandbox: Sandbox = Sandbox()

    @property
    def tokens(self) -> tuple[Token, ...]:
        """Those that the service uses, the online one first."""
        return (self.online, *self.further)

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        """Rows name a key's token by its label; where there is one online token, the role tells it from the root's."""
        labels = [token.label for token in (*self.tokens, self.root)]
        if self.further and len(set(labels)) < len(labels):
            raise ValueError("online, root and further tokens must have different labels")
        return self

    @property
    def location(self) -> Path | str:
        """The SQLite file, or the URL of a PostgreSQL database."""
        return self.database.url or self.data / DATABASE

    @property
    def guard(self) -> Path:
        """The fork guard's file."""
        return self.ledger.guard or self.data / NOT_IN_BACKUPS / "last-checkpoint"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  pydantic-settings passes it
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  likewise
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments over environment over the file, which lies in the data directory given as argument."""
        path = Path(init_settings()["data"]) / FILE_NAME
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls, path))


def load(data: Path, **overrides: Any) -> Config:
    """The settings of a data directory. Raises ``SetupError`` that names every key that is wrong."""
    path = data / FILE_NAME
    if not path.exists():
        raise SetupError(f"There is no {FILE_NAME} in {data}.", f"Run: python3 -m idverify up --data {data}")
    try:
        return Config(data=data, **overrides)
    except (ValidationError, ValueError) as error:
        raise SetupError(f"{path} cannot be used: {_explain(error)}.", "Correct it and start again.") from error


def _is_here(host: str) -> bool:
    """Whether a server's host, or the directory of its socket, is on this machine."""
    if host in {"", "localhost"} or host.startswith("/"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _explain(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
