"""A hospital's machine is its own: what site.toml says, then its own probe; of a run plan, only the wish for fp32."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from client.site.config import SiteConfig, load_site
from client.site.state import SiteState
from client.training.machine import Machine
from client.worker.host import WorkerHost, open_site
from client.worker.own_machine import own_runtime, require_machine
from client.worker.resident import training_machine
from server.signing import make_plan
from shared_model.config import Config
from shared_model.config.runtime import RuntimeConfig
from shared_model.errors import ConfigError

SiteOf = Callable[[str], SiteConfig]
WITHOUT_CUDA = pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is there")


@pytest.fixture
def site_of(tmp_path: Path) -> SiteOf:
    def make(resources: str) -> SiteConfig:
        file = tmp_path / "site.toml"
        file.write_text(f'[site]\nname = "moema"\n[data]\nfolder = "data"\n[resources]\n{resources}\n')
        return load_site(file)

    return make


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (RuntimeConfig(device="cuda", threads=16, precision="bf16"), ("auto", 0, "auto")),
        (RuntimeConfig(device="cpu", threads=1, precision="fp32"), ("auto", 0, "fp32")),
        (RuntimeConfig(precision="fp16"), ("auto", 0, "auto")),
    ],
)
def test_a_site_that_says_nothing_probes_for_itself_and_grants_fp32(
    asked: RuntimeConfig, found: tuple[str, int, str], site_of: SiteOf
) -> None:
    own = own_runtime(site_of(""), asked)
    assert (own.device, own.threads, own.precision) == found


def test_what_a_site_says_stands_over_any_plan(site_of: SiteOf) -> None:
    site = site_of('device = "cpu"\nthreads = 3\nprecision = "bf16"')
    asked = RuntimeConfig(device="cuda", threads=16, precision="fp32", plain=True)
    assert own_runtime(site, asked) == asked.model_copy(
        update={"device": "cpu", "threads": 3, "precision": "bf16"}
    )


@WITHOUT_CUDA
@pytest.mark.parametrize("asked", [("device", "cuda"), ("precision", "fp16"), ("threads", 200)])
def test_a_plan_that_this_machine_cannot_carry_out_stops_no_site(
    asked: tuple[str, str | int], site_of: SiteOf, small_config: Callable[..., Config], tmp_path: Path
) -> None:
    config = small_config("{}.{}={}".format("runtime", *asked))
    worker = open_site(site_of(""), SiteState.open(tmp_path / "s", tmp_path / "k"), plan(config))
    machine = training_machine(worker._plan)
    assert machine.device == "cpu"
    assert machine.threads < 200


def test_a_worker_computes_on_what_its_site_says(
    site_of: SiteOf, small_config: Callable[..., Config], tmp_path: Path
) -> None:
    site = site_of('device = "cpu"\nthreads = 2\nprecision = "bf16"')
    worker = open_site(site, SiteState.open(tmp_path / "s", tmp_path / "k"), plan(small_config()))
    assert training_machine(worker._plan) == Machine("cpu", "bf16", 2)


def test_private_training_stays_on_the_processor_in_fp32(
    site_of: SiteOf, small_config: Callable[..., Config]
) -> None:
    site, config = site_of('threads = 2\nprecision = "bf16"'), small_config()
    private = config.privacy.model_copy(update={"enabled": True})
    here = config.model_copy(
        update={"privacy": private, "runtime": own_runtime(site, RuntimeConfig(device="cuda"))}
    )
    assert training_machine(here) == Machine("cpu", "fp32", 2)


@WITHOUT_CUDA
@pytest.mark.parametrize(
    ("resources", "key", "what"),
    [
        ('device = "cuda"', "resources.device", "PyTorch finds no CUDA device"),
        ('precision = "fp16"', "resources.precision", "fp16 needs a CUDA device"),
        ('device = "cpu"\nprecision = "fp16"', "resources.precision", "fp16 needs a CUDA device"),
    ],
)
def test_a_machine_that_site_toml_has_wrong_is_named_before_a_worker_serves(
    resources: str, key: str, what: str, site_of: SiteOf, tmp_path: Path
) -> None:
    site = site_of(resources)
    with pytest.raises(ConfigError, match=what) as raised:
        WorkerHost(site, SiteState.open(tmp_path / "s", tmp_path / "k"))
    assert raised.value.where == f"{site.file}: {key}"
    assert "auto" in raised.value.fix
    assert "site.toml" not in raised.value.what  # which may leave the site


def test_a_machine_that_is_there_is_accepted(site_of: SiteOf) -> None:
    require_machine(site_of('device = "cpu"\nprecision = "bf16"\nthreads = 4'))


def plan(config: Config):  # type: ignore[no-untyped-def]
    return make_plan(config, run="run-1", federation="north")
