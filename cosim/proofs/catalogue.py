"""All proofs, by name."""

from gatewright.cosim.proofs import accumulators, axi, lane_products, rounding, sequencer, sigma, streams
from gatewright.cosim.proofs.proof import Proof
from gatewright.errors import ConfigError

PROOFS: dict[str, Proof] = {
    proof.name: proof
    for subject in (rounding, lane_products, sigma, accumulators, streams, axi, sequencer)
    for proof in subject.PROOFS
}
"""In the order of the subjects."""


def proof(name: str) -> Proof:
    """Find a proof.

    Raises
    ------
    ConfigError
        There is none of that name; the text lists those that there are.
    """
    try:
        return PROOFS[name]
    except KeyError:
        raise ConfigError(f"there is no proof {name!r}; there are {', '.join(PROOFS)}") from None
