"""`python -m headcast` is the `headcast` command."""

import sys

from headcast.cli.main import main

sys.exit(main())
