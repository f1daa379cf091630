"""The service with one more type in its table, as a process of its own: ``python -m tests.simulators.library serve``.

The table is what somebody edits who adds a type; here its line is added before anything else reads the table.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from idverify.core import types
from tests.simulators.library_card import LIBRARY_CARD

types.CREDENTIAL_TYPES = {**types.CREDENTIAL_TYPES, LIBRARY_CARD.id: LIBRARY_CARD}

from idverify.app.provision import Wishes, provision  # noqa: E402  these read the table
from idverify.cli import main  # noqa: E402  as above
from idverify.config import load  # noqa: E402  as above

if __name__ == "__main__":
    data = Path(sys.argv[sys.argv.index("--data") + 1])
    config = load(data)
    asyncio.run(provision(data, Wishes(config.identity.public_url, config.service.port)))  # as ``up`` does
    sys.exit(main())
