"""How large errors are, beside those of the fake-quantised reference."""

from __future__ import annotations

from typing import Dict, Sequence

import numpy as np

from fuzzing.graphs.walk import Values

ALLOWED = 3.0  # times the reference's error
FEW, FEW_ALLOWED = 90, 6.0  # values of an output over all pictures
NOISE = {"float32": 2e-4, "float16": 6e-3}  # what the order of sums changes, as a part of the output's size


class Scale:
    """How large errors may be, for each output."""

    def __init__(self, plain: Sequence[Values], fakes: Sequence[Sequence[Values]], half: bool) -> None:
        self._size = _errors(plain, [{name: np.zeros(1) for name in plain[0]}])
        noise = NOISE["float16" if half else "float32"]
        self._least = {name: noise * size + 1e-6 for name, size in self._size.items()}
        self._fake = _errors([*plain] * len(fakes), [values for each in fakes for values in each])
        sizes = {name: value.size * len(plain) for name, value in plain[0].items()}
        self._few = {name: FEW_ALLOWED / ALLOWED if size < FEW else 1.0 for name, size in sizes.items()}

    def ratio(self, found: Sequence[Values], wanted: Sequence[Values]) -> float:
        """The largest error over the reference's; half of that where an output has few values."""
        errors = _errors(found, wanted)
        return max(e / (self._fake[name] + self._least[name]) / self._few[name] for name, e in errors.items())

    def relative(self, found: Sequence[Values], wanted: Sequence[Values]) -> float:
        """The largest error over the output's size."""
        errors = _errors(found, wanted)
        return max(error / (self._size[name] + 1e-9) for name, error in errors.items())


def _errors(found: Sequence[Values], wanted: Sequence[Values]) -> Dict[str, float]:
    pairs = list(zip(found, list(wanted) * (len(found) if len(wanted) == 1 else 1)))
    if any(a[name].shape != b[name].shape for a, b in pairs for name in a if b[name].ndim > 1):
        return dict.fromkeys(found[0], float("inf"))
    names = list(found[0])
    squares = {n: np.mean([np.square(a[n].astype(np.float64) - b[n]).mean() for a, b in pairs]) for n in names}
    return {name: float(np.sqrt(square)) for name, square in squares.items()}
