"""How small a difference n seeds can find: power of the paired t test, by the noncentral t distribution.

If the true mean difference is δ and the differences' standard deviation σ, the t statistic is noncentral t with n − 1
degrees of freedom and noncentrality δ·√n/σ (Cohen, Statistical Power Analysis, 1988). σ is taken from the seeds at hand.
"""

import math

POWER = 0.8
ALPHA = 0.05
_MOST_SEEDS = 1000


def minimum_detectable(sd: float, n: int, *, sides: int = 2, alpha: float = ALPHA, power: float = POWER) -> float:
    """The smallest true |mean difference| that a test of n ≥ 2 pairs finds with that power, in the unit of `sd`."""
    return sd * _detectable_effect(n, sides=sides, alpha=alpha, power=power)


def seeds_needed(sd: float, delta: float, *, sides: int = 1, alpha: float = ALPHA, power: float = POWER) -> int | None:
    """The fewest seeds, at least 3, that find a true difference of `delta` > 0; None if 1000 are not enough."""
    if minimum_detectable(sd, _MOST_SEEDS, sides=sides, alpha=alpha, power=power) > delta:
        return None
    low, high = 2, _MOST_SEEDS  # the detectable effect falls with n; high is enough, low is not (or is not wanted)
    while high - low > 1:
        middle = (low + high) // 2
        if minimum_detectable(sd, middle, sides=sides, alpha=alpha, power=power) <= delta:
            high = middle
        else:
            low = middle
    return high


def _detectable_effect(n: int, *, sides: int, alpha: float, power: float) -> float:
    """The smallest detectable effect, in standard deviations of the differences."""
    from scipy.optimize import brentq
    from scipy.special import stdtrit
    from scipy.stats import nct

    critical = float(stdtrit(n - 1, 1 - alpha / sides))

    def missing(effect: float) -> float:  # leaves out the far tail of a two-sided test, below 1e-4 here
        return float(nct.sf(critical, n - 1, effect * math.sqrt(n))) - power

    return float(brentq(missing, 0.0, 50.0 * critical / math.sqrt(n), xtol=1e-6))
