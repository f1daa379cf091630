"""``python -m idverify.cli``: the command line in an environment that is complete, without looking for one."""

import sys

from idverify.cli import main

sys.exit(main())
