"""When two numbers are near enough."""

from __future__ import annotations

import math

from llmkit.errors import ConfigError, Problem


def check_tolerances(**tolerances: float) -> None:
    """Raise a `ConfigError` that names every tolerance that is negative or not finite."""
    problems = [
        Problem(f"{name}: a tolerance is a finite number of at least 0, got {value!r}")
        for name, value in tolerances.items()
        if not (math.isfinite(value) and value >= 0)
    ]
    if problems:
        raise ConfigError(problems=problems)


def near(found: float, wanted: float, abs_tol: float, rel_tol: float) -> bool:
    """Tell whether |found - wanted| <= max(abs_tol, rel_tol * |wanted|); without tolerances, whether they are equal."""
    if found == wanted:
        return True
    if not (abs_tol or rel_tol):
        return False
    try:
        x, y = float(found), float(wanted)
    except OverflowError:
        return False
    return math.isfinite(x) and math.isfinite(y) and abs(x - y) <= max(abs_tol, rel_tol * abs(y))
