"""``docs/results`` takes rows of committed code only, so that anyone can measure them again."""

from collections.abc import Sequence
from pathlib import Path

from gatewright.errors import ConfigError
from gatewright.origin import HERE, Checkout, named
from gatewright.results import Row, write_rows

RESULTS, ASIDE = Path("docs/results"), Path("runs/results")
"""In a checkout: the rows that the documents state, and where files lie, by the same paths, before they get there."""


def checkout_of(path: Path) -> Path | None:
    """Return the checkout whose `RESULTS` a path is, or is in; None for any other."""
    places = (Path(path).resolve(), *Path(path).resolve().parents)
    for root in places:
        if (root / "src" / "gatewright").is_dir() and root / RESULTS in places:
            return root
    return None


def refuse_changes(path: Path, checkout: Checkout = HERE) -> None:
    """Refuse to begin what would write rows of uncommitted code to `RESULTS`.

    Parameters
    ----------
    path : Path
        Where the rows would go.
    checkout : Checkout
        The code that would run.

    Raises
    ------
    ConfigError
        The file is there, and the code has uncommitted changes.
    """
    changes = checkout.changes()
    if changes and checkout_of(path):
        raise ConfigError(
            f"{path} takes rows of committed code only, and these files are not committed: {named(changes)}. "
            "Commit them, or have the rows of a benchmark elsewhere, where they say that they are dirty"
        )


def publish(path: Path, rows: Sequence[Row]) -> None:
    """Write rows; those for `RESULTS` of code that changed while it was measured go to `ASIDE`, with an error.

    Raises
    ------
    ConfigError
        The rows are dirty, and the file is in `RESULTS`.
    """
    root = checkout_of(path)
    if root is None or not any(row.dirty for row in rows):
        write_rows(path, rows)
        return
    kept = root / ASIDE / RESULTS / path.name
    kept.parent.mkdir(parents=True, exist_ok=True)
    write_rows(kept, rows)
    raise ConfigError(
        f"{path}: the code changed while it was measured; its rows are in {kept}, marked dirty. Measure again while "
        "the checkout stays as it is"
    )
