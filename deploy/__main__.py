"""Starts `fedfundus-provision`; nothing is imported before Ctrl-C is answered."""

from __future__ import annotations

import sys

from shared_model.interruption import listen, raise_if_pressed


def main() -> None:
    """Run the command line."""
    listen()
    try:
        from deploy.cli import main as run

        raise_if_pressed()
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
