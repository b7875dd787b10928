"""Many models of one data folder: each trained once, in one way, with one seed, and kept, so that tables, transfer
and the comparison of loss weightings share their work and an interruption costs the models under way.
"""

from simulations.experiments.experiment import Experiment, in_modes, modes_of
from simulations.experiments.results import Result
from simulations.experiments.study import Study

__all__ = ["Experiment", "Result", "Study", "in_modes", "modes_of"]
