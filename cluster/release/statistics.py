"""How sure a difference between two shares is: Fisher's exact test and Wilson's bounds, and histograms as Prometheus has them.

Percentages of few requests say little: one error in forty is 2.5 %, and nothing. So two versions are compared by the
probability that chance alone brings a split as lopsided, exact for small numbers as well as large ones. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass


def worse_by_chance(bad: int, total: int, other_bad: int, other_total: int) -> float:
    """Fisher's exact test, one-sided: the probability that so many or more of all bad ones fall on the first group by chance.

    1.0 where there is nothing to say: an empty group, nothing bad, or no more of them than an even split would have. Raises
    ValueError for impossible counts.
    """
    if not (0 <= bad <= total and 0 <= other_bad <= other_total):
        raise ValueError(f"{bad} of {total} and {other_bad} of {other_total} are no counts")
    all_bad, everything = bad + other_bad, total + other_total
    if not total or not other_total or bad * everything <= all_bad * total:
        return 1.0
    most = min(total, all_bad)
    log_term = (
        _log_choose(all_bad, bad) + _log_choose(everything - all_bad, total - bad) - _log_choose(everything, total)
    )
    term, found = math.exp(log_term), 0.0
    for count in range(bad, most + 1):
        found += term
        # The next term of the hypergeometric distribution; it falls fast once past the mean.
        step = (all_bad - count) * (total - count)
        below = (count + 1) * (everything - all_bad - total + count + 1)
        term = term * step / below if below else 0.0
        if count > bad and term < found * 1e-12:
            break
    return min(1.0, found)


def wilson(bad: int, total: int, z: float = 2.576) -> tuple[float, float]:
    """Bounds of the true share with 99 % confidence (Wilson's score interval); (0, 1) for no observations."""
    if total <= 0:
        return 0.0, 1.0
    share, spread = bad / total, z * z / total
    middle = share + spread / 2
    width = z * math.sqrt(share * (1 - share) / total + spread / (4 * total))
    return max(0.0, (middle - width) / (1 + spread)), min(1.0, (middle + width) / (1 + spread))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


@dataclass(frozen=True)
class Histogram:
    """How many values were at most each bound; the last bound is infinite. Sorted by bound, counts cumulative."""

    counts: tuple[tuple[float, int], ...] = ()

    @classmethod
    def of(cls, buckets: Mapping[float, float]) -> Histogram:
        """From buckets as Prometheus has them. Scrapes of several processes are not of one moment: counts are made to rise."""
        found, so_far = list[tuple[float, int]](), 0
        for bound in sorted(buckets):
            so_far = max(so_far, round(buckets[bound]))
            found.append((bound, so_far))
        return cls(tuple(found))

    @property
    def total(self) -> int:
        return self.counts[-1][1] if self.counts else 0

    @property
    def last_bound(self) -> float:
        """The largest finite bound; 0 without one."""
        return max((bound for bound, _ in self.counts if not math.isinf(bound)), default=0.0)

    def over(self, bound: float) -> int:
        """Values over a bound of the histogram."""
        return self.total - next((count for each, count in self.counts if each >= bound), self.total)

    def bound_of(self, share: float) -> float:
        """The smallest bound under which this share of the values lies; infinite without values."""
        return next((bound for bound, count in self.counts if self.total and count >= share * self.total), math.inf)

    def quantile(self, share: float) -> float:
        """The value below which this share lies, interpolated within its bucket, as `histogram_quantile` does; NaN without
        values, and the last finite bound for what lies beyond it."""
        if not self.total:
            return math.nan
        before_bound, before_count = 0.0, 0
        for bound, count in self.counts:
            if count >= share * self.total:
                if math.isinf(bound):
                    return before_bound
                within = (share * self.total - before_count) / max(count - before_count, 1)
                return before_bound + (bound - before_bound) * within
            before_bound, before_count = bound, count
        return before_bound
