"""What only looks or administers starts without the libraries that read tables, which take a second to load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from client.adapters import adapters
from client.site.config import SHIPPED_ADAPTERS


def test_site_toml_is_read_without_loading_what_reads_tables(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(
        '[site]\nname = "moema"\n[data]\nfolder = "data"\nadapter = "table"\n[data.table]\nfile = "export.csv"\n'
    )
    program = (
        "import sys, client.cli\n"
        "from pathlib import Path\n"
        "from client.site.config import load_site\n"
        "assert load_site(Path(sys.argv[1])).options == {'file': 'export.csv'}\n"
        "sys.exit(', '.join(name for name in ('pandas', 'pandera', 'torch', 'PIL') if name in sys.modules) or None)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "site.toml")],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr.strip()) == (0, "")


def test_the_adapters_that_are_known_without_loading_are_those_that_there_are() -> None:
    assert set(adapters()) == SHIPPED_ADAPTERS
