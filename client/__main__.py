"""Starts `fedfundus-site`; nothing is imported before Ctrl-C is answered, since the imports take a second."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    try:
        from client.cli import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
