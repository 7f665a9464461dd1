"""``python -m theory``: the door to the ledger of claims and to the bounds."""

import sys

from theory.cli import main

if __name__ == "__main__":
    sys.exit(main())
