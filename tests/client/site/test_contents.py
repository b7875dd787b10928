from __future__ import annotations

from pathlib import Path

from client.site.contents import CONTENTS, files, leftovers, named, present
from client.site.state import SiteState


def test_every_content_says_what_it_is_and_either_when_it_goes_or_why_it_stays() -> None:
    assert len({content.name for content in CONTENTS}) == len(CONTENTS)
    for content in CONTENTS:
        assert content.what
        assert bool(content.retention) != bool(content.kept)


def test_files_are_found_with_what_interrupted_writes_left_and_not_through_links(tmp_path: Path) -> None:
    state = SiteState.open(tmp_path / "state", tmp_path / "site.key")
    state.write("worker/run-1/local.safetensors", b"")
    (state.folder / "worker" / "run-1" / ".local.safetensors.abc").write_bytes(b"")
    (state.folder / ".images.npy.12.tmp").write_bytes(b"")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "moments.safetensors").write_bytes(b"")
    (state.folder / "worker" / "run-2").symlink_to(tmp_path / "elsewhere")
    worker = [path.name for path in files(state.folder, named("worker state"))]
    assert worker == [".local.safetensors.abc", "local.safetensors"]
    assert [path.name for path in leftovers(state.folder, named("photographs"))] == [".images.npy.12.tmp"]
    assert [content.name for content in present(state.folder)] == ["photographs", "worker state", "salt"]
