"""`python -m hsm`."""

from hsm.cli import main

raise SystemExit(main())
