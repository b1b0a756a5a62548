"""Cell lanes that final points lack: no step is shorter than its drain, however small the matrices are."""

from collections.abc import Callable
from dataclasses import replace

from gatewright.cosim.search.costs import Costs
from gatewright.cosim.search.folder import Plan
from gatewright.cosim.search.hardware import candidate_config, refusal
from gatewright.errors import CapacityError, ConfigError
from gatewright.hw.config import AcceleratorConfig
from gatewright.sw.search.parameters import CELL_LANES
from gatewright.sw.search.space import Candidate

PAYS = 0.01
"""Share of the cycles that twice the cell lanes must save to be worth their logic."""

CostsOf = Callable[[AcceleratorConfig], Costs]
"""What one model costs on a configuration."""


def off_the_floor(
    plan: Plan, candidate: Candidate, costs: Costs, costs_of: CostsOf
) -> tuple[Candidate, Costs]:
    """Double a candidate's cell lanes within its space as long as that fits and saves more than `PAYS`.

    What a model computes does not depend on them, so it need not be trained again.
    """
    values = plan.space.choices.get(CELL_LANES, ())
    while (doubled := _doubled(plan, candidate, costs, costs_of)) is not None:
        cell_lanes = doubled.compiled.config.cell_lanes
        if cell_lanes not in values:
            break
        candidate, costs = candidate | {CELL_LANES: cell_lanes}, doubled
    return candidate, costs


def floor(plan: Plan, candidate: Candidate, costs: Costs, costs_of: CostsOf) -> str:
    """Say what twice the cell lanes would save, where they fit and it is more than `PAYS`; else nothing."""
    doubled = _doubled(plan, candidate, costs, costs_of)
    if doubled is None:
        return ""
    return (
        f"{doubled.compiled.config.cell_lanes} cell lanes in place of {costs.compiled.config.cell_lanes} save "
        f"{100 * (1 - doubled.cycles / costs.cycles):.1f} % of its cycles"
        + (f" and fit {plan.device}" if plan.device else "")
    )


def _doubled(plan: Plan, candidate: Candidate, costs: Costs, costs_of: CostsOf) -> Costs | None:
    """Give the costs with twice the cell lanes; None where these do not fit or do not pay."""
    cell_lanes = 2 * costs.compiled.config.cell_lanes
    try:
        if plan.config is None:
            config = candidate_config(plan, costs.bundle, candidate | {CELL_LANES: cell_lanes})
        else:
            config = replace(plan.config, cell_lanes=cell_lanes)
        if refusal(plan, config):
            return None
        doubled = costs_of(config)
    except (ConfigError, CapacityError):
        return None
    return doubled if doubled.cycles < (1 - PAYS) * costs.cycles else None
