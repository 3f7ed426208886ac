"""`python -m research` is the `research` command."""

import sys

from research.cli.app import main

sys.exit(main())
