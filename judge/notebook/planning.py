"""Tell how long a canary must be watched."""

from __future__ import annotations


def samples_needed(difference: float, *, alpha: float = 0.01, power: float = 0.9) -> int:
    """How many independent samples a side a Mann-Whitney test needs to see a shift, for values like a normal sample.

    Parameters
    ----------
    difference : float
        Shift in standard deviations of the metric, positive.
    alpha : float
        One-sided level.
    power : float
        Chance of seeing it.

    Returns
    -------
    int
        Samples on each side.

    Raises
    ------
    ValueError
        Where `difference` is not positive, or `alpha` or `power` not between 0 and 1.

    Examples
    --------
    >>> samples_needed(1.0) < samples_needed(0.5)
    True
    """
    import math

    import numpy as np
    from scipy.special import ndtri
    from statsmodels.stats.nonparametric import samplesize_rank_compare_onetail

    from judge.core.statistics.ranks import min_samples

    if not difference > 0 or not 0 < alpha < 1 or not 0 < power < 1:
        msg = f"need difference > 0 and alpha and power between 0 and 1, got {difference}, {alpha} and {power}"
        raise ValueError(msg)
    normal = ndtri((np.arange(2000) + 0.5) / 2000)
    found = samplesize_rank_compare_onetail(normal + difference, normal, alpha=alpha, power=power, nobs_ratio=1.0, alternative="larger")
    # However large the shift: with fewer samples no outcome at all is below the level.
    return max(math.ceil(float(found.nobs_ref)), min_samples(alpha))
