"""`python -m gattn_tg` is `gattn`."""

import sys

from gattn_tg.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
