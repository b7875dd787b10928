"""Starts `fedfundus-coordinator`; nothing is imported before Ctrl-C is answered."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    try:
        from server.cli import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
