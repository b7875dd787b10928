"""`fedfundus-simulate`: the researcher's door.

Results go to standard output, progress and errors to standard error, so that `--json` prints one document and
nothing else.
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from shared_model.command_line import errors
from shared_model.command_line import run as run_command
from shared_model.config import Config, load_config
from shared_model.errors import ConfigError
from simulations.commands.audit import audit
from simulations.commands.bench import bench
from simulations.commands.exchange_study import exchange_study
from simulations.commands.options import ConfigFile, Data, Json, Seed, Set
from simulations.commands.poisoning import poisoning
from simulations.commands.privacy_curve import privacy_curve
from simulations.commands.tables import tables
from simulations.commands.transfer import transfer
from simulations.commands.weighting import weighting

Report = Annotated[
    Path | None,
    typer.Option(help="Write a page with plots and photographs to this file, which stays with the data."),
]

app = typer.Typer(
    help="Simulate a federation of hospitals on one machine.", no_args_is_help=True, add_completion=False
)


class Partition(StrEnum):
    """How patients are dealt to sites."""

    CENTER = "center"
    CAMERA = "camera"
    DIRICHLET = "dirichlet"
    IID = "iid"


class Grades(StrEnum):
    """Grade mix of a synthetic data set."""

    BALANCED = "balanced"
    PUBLISHED = "published"


@app.command()
def synthesize(
    folder: Annotated[Path, typer.Argument(help="Where to write it; must not exist or be empty.")],
    patients: Annotated[int, typer.Option(min=1)] = 600,
    test_patients: Annotated[
        int, typer.Option(min=0, help="Further patients that are only ever tested on.")
    ] = 0,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    grades: Annotated[Grades, typer.Option(help="Balanced over-samples the rare grades.")] = Grades.BALANCED,
) -> None:
    """Draw a BRSET-shaped data set: photographs, labels, three centres, missing values and dirt."""
    from shared_model.progress import RunProgress
    from simulations.synthesis.dataset import synthesize as draw

    with RunProgress(errors) as progress:
        summary = draw(
            folder,
            patients=patients,
            test_patients=test_patients,
            seed=seed,
            grades=grades.value,
            progress=lambda done, total: progress.update("drawing patients", done, total, unit="patients"),
        )
    print(
        f"{summary.photographs} photographs of {summary.patients + summary.test_patients} patients "
        f"in {summary.folder}; ICDR 0-4: {' / '.join(map(str, summary.icdr))}; "
        f"patients a centre: {', '.join(f'{name} {count}' for name, count in summary.centers.items())}"
    )


@app.command()
def run(
    data: Data,
    preset: Annotated[
        str, typer.Option(help="tiny, paper, adapters, adapters-all, private or private-tiny.")
    ] = "tiny",
    variant: Annotated[
        str, typer.Option(help="A named model of the paper's comparison, e.g. clip, vision, image_text.")
    ] = "full",
    partition: Annotated[Partition | None, typer.Option()] = None,
    sites: Annotated[int | None, typer.Option(min=1, help="Number of sites (dirichlet, iid).")] = None,
    rounds: Annotated[int | None, typer.Option(min=1)] = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            help="fedavg, fedprox, fedavgm, fedadam, fedyogi, trimmed_mean, median, krum or multi_krum."
        ),
    ] = None,
    engine: Annotated[str | None, typer.Option(help="inline or ray.")] = None,
    jobs: Annotated[
        int | None, typer.Option(min=0, help="Processes, each with a model in memory; 0 is one per core.")
    ] = None,
    seed: Seed = None,
    dp_epsilon: Annotated[
        float | None,
        typer.Option(help="Train under differential privacy of the patient, within this budget."),
    ] = None,
    dp_delta: Annotated[float | None, typer.Option(help="Its delta, 1e-5 unless set.")] = None,
    dp_mode: Annotated[str | None, typer.Option(help="prototypes or groups.")] = None,
    secure_aggregation: Annotated[
        bool, typer.Option("--secure-aggregation", help="Show the coordinator only the sum of the updates.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("runs/run"),
    config_file: ConfigFile = None,
    overrides: Set = None,
    as_json: Json = False,
) -> None:
    """Federate one model over simulated sites, beside each site alone and all data pooled."""
    asked = [o for o, value in (("--dp-delta", dp_delta), ("--dp-mode", dp_mode)) if value is not None]
    config = load_config(
        preset,
        variant=variant,
        file=config_file,
        overrides=overrides or (),
        federation__partition=partition.value if partition else None,
        federation__sites=sites,
        federation__rounds=rounds,
        federation__strategy=strategy,
        runtime__engine=engine,
        runtime__jobs=jobs,
        seed=seed,
        privacy__enabled=None if dp_epsilon is None else True,
        privacy__epsilon=dp_epsilon,
        privacy__delta=dp_delta,
        privacy__mode=dp_mode,
        secure_aggregation__enabled=secure_aggregation or None,
        privacy_elsewhere=bool(asked),  # said below, by the option's own name
    )
    if asked and not config.privacy.enabled:
        raise ConfigError(
            f"{asked[0]} asks for differential privacy, and --dp-epsilon is missing",
            where=asked[0],
            fix="give --dp-epsilon too, or a preset or file with privacy.enabled = true",
        )
    from shared_model.progress import RunProgress
    from simulations.output import check_output
    from simulations.run import Run
    from simulations.terminal import print_summary

    check_output(out)
    with RunProgress(errors) as progress:
        document = Run(config, data, out, progress).execute()
    if as_json:
        _print_json(document)
        return
    print_summary(document)
    print(f"report: {out / 'report.html'}")


@app.command()
def evaluate(
    model: Annotated[Path, typer.Option(help="The model/ folder of a run.")],
    data: Data,
    split: Annotated[
        str,
        typer.Option(help="test (patients the run never trained on, same data) or all (another data set)."),
    ] = "test",
    adapter: Annotated[
        str, typer.Option(help="How to read the folder, where not as the model's own data.")
    ] = "",
    report: Report = None,
    as_json: Json = False,
) -> None:
    """Evaluate a finished model on a data folder. Exit code 1: the leak guard failed, so its figures do not hold."""
    from shared_model.progress import RunProgress
    from simulations.evaluate import evaluate_model
    from simulations.terminal import print_summary

    with RunProgress(errors) as progress:
        document = evaluate_model(model, data, split, progress, adapter=adapter, report=report)
    if report is not None:
        errors.print(f"report: {report} (it shows photographs and notes: it stays here)", markup=False)
    if as_json:
        _print_json(document)
        raise typer.Exit(0 if document["verdict"]["ok"] else 1)
    for row in document["run"]["quarantine"]:
        errors.print(f"left out: line {row['row']}, {row['record']}: {row['reason']}", markup=False)
    for notice in document["run"]["notices"]:
        errors.print(f"notice: {notice}", markup=False)
    print_summary(document)
    if not document["verdict"]["ok"]:
        for said in document["verdict"]["errors"]:
            errors.print(f"the evaluation does not hold: {said}", markup=False)
        raise typer.Exit(1)


@app.command()
def crossvalidate(
    data: Data,
    folds: Annotated[int, typer.Option(min=2)] = 5,
    preset: Annotated[str, typer.Option()] = "tiny",
    partition: Annotated[Partition, typer.Option()] = Partition.DIRICHLET,
    sites: Annotated[int | None, typer.Option(min=1, help="Number of sites (dirichlet, iid).")] = None,
    rounds: Annotated[int | None, typer.Option(min=1)] = None,
    seed: Seed = None,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("runs/crossvalidation"),
    config_file: ConfigFile = None,
    overrides: Set = None,
    report: Report = None,
    as_json: Json = False,
) -> None:
    """Federate once per fold, test on the fold left out, and pool the folds: figures from few photographs."""
    config: Config = load_config(
        preset,
        file=config_file,
        overrides=overrides or (),
        federation__partition=partition.value,
        federation__sites=sites,
        federation__rounds=rounds,
        seed=seed,
    )
    from shared_model.progress import RunProgress
    from simulations.crossvalidation import CrossValidation
    from simulations.output import check_output
    from simulations.terminal import print_summary

    check_output(out)
    with RunProgress(errors) as progress:
        document = CrossValidation(config, data, folds, out, progress, report).execute()
    if report is not None:
        errors.print(f"report: {report} (it shows photographs and notes: it stays here)", markup=False)
    if as_json:
        _print_json(document)
    else:
        print_summary(document)
        print(f"figures: {out / 'metrics.json'}")


@app.command(name="check-accuracy")
def check_accuracy(
    photographs: Annotated[
        int, typer.Option(min=200, help="Size of the site that dirt is planted in.")
    ] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="20261 is for development, 20262 for reports.")] = 20262,
    real: Annotated[
        Path | None, typer.Option(help="Real photographs in BRSET's layout, to be judged too.")
    ] = None,
    only: Annotated[
        str, typer.Option(help='Ask about one folder alone, by its title: "planted", "notes, unseen" ...')
    ] = "",
    as_json: Json = False,
) -> None:
    """Plant every kind of dirt in a drawn site, and mark what `fedfundus-site check` finds of it."""
    from shared_model.progress import RunProgress
    from simulations.dirt.accuracy import check_accuracy as mark
    from simulations.dirt.show import show

    with RunProgress(errors) as progress:
        marked = mark(
            photographs,
            seed,
            real,
            only=only,
            stage=lambda name, done, total: progress.update(name, done, total, unit="done"),
        )
    if as_json:
        _print_json({"seed": seed, "folders": [one.document() for one in marked]})
    else:
        show(marked)
    if not all(one.holds for one in marked):
        raise typer.Exit(1)


app.command()(audit)
app.command()(bench)
app.command()(poisoning)
app.command(name="exchange-study")(exchange_study)
app.command(name="privacy-curve")(privacy_curve)
app.command()(tables)
app.command()(transfer)
app.command()(weighting)


def _print_json(document: dict[str, Any]) -> None:
    print(json.dumps(document, indent=1, allow_nan=False))


def main() -> None:
    """Run a command; see shared_model.command_line."""
    run_command(
        app,
        interrupted="nothing was written, but for the models that tables, transfer and weighting had finished",
        memory="use a smaller training.batch_size, fewer runtime.jobs, or --preset tiny",
    )
