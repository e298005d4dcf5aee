"""Normal, Student t, beta and binomial in plain floats, so that an interval needs no scipy.

Tests compare with scipy to 1e-10 over wide ranges. The incomplete beta function is a continued fraction (DLMF 8.17.22,
Lentz's evaluation) times a factor in the saddle-point form of Loader (2000), "Fast and accurate computation of
binomial probabilities", which keeps its digits where log-gammas would cancel.
"""

from __future__ import annotations

from math import erfc, exp, floor, inf, isnan, lgamma, log, log1p, pi, sqrt

_LOG_SQRT_2PI = 0.5 * log(2 * pi)
_TINY = 1e-300
_SMALL = 1e-290
_EPSILON = 1e-16
_MANY_DF = 3e5  # from here Fisher's expansion about the normal has more digits than the fraction
_STIRLING_FROM = 16.0


def normal_cdf(x: float) -> float:
    """Return P(Z <= x) of the standard normal."""
    return 0.5 * erfc(-x / sqrt(2))


def normal_quantile(p: float) -> float:
    """Return the z with P(Z <= z) = p, for 0 < p < 1 (Wichura's AS 241, which the standard library has)."""
    from statistics import NormalDist

    _check_probability(p)
    return NormalDist().inv_cdf(p)


def t_cdf(t: float, df: float) -> float:
    """Return P(T <= t) of Student's t with ``df`` > 0 degrees of freedom."""
    if not df > 0 or isnan(t):
        raise ValueError(f"Student's t needs positive degrees of freedom and a number, not df={df}, t={t}")
    if t in (inf, -inf):
        return 1.0 if t > 0 else 0.0
    if df > _MANY_DF:
        return _t_cdf_of_many(t, df)
    square = t * t
    x = df / (df + square)
    if square < 1:
        middle = 0.5 * _beta_cdf(square / (df + square), x, 0.5, 0.5 * df)
        return 0.5 + middle if t > 0 else 0.5 - middle
    tail = 0.5 * _beta_cdf(x, 1 / (1 + df / square), 0.5 * df, 0.5)
    return 1.0 - tail if t > 0 else tail


def _t_cdf_of_many(t: float, df: float) -> float:
    """Return P(T <= t) by Fisher's (1925) expansion in 1/df about the normal, to the third power."""
    s = t * t
    first = (s + 1) / 4
    second = (((3 * s - 7) * s - 5) * s - 3) / 96
    third = (((((s - 11) * s + 14) * s + 6) * s - 3) * s - 15) / 384
    density = exp(-0.5 * s - _LOG_SQRT_2PI)
    return normal_cdf(t) - density * t * (first + (second + third / df) / df) / df


def t_quantile(p: float, df: float) -> float:
    """Return the t with P(T <= t) = p, for 0 < p < 1 and ``df`` > 0.

    Newton's method on log P(T <= -e^u), which is concave in u: from the second step on it nears the root from one side.
    """
    _check_probability(p)
    if not df > 0:
        raise ValueError(f"Student's t needs positive degrees of freedom, not {df}")
    tail = min(p, 1.0 - p)
    z = -normal_quantile(tail)
    if z <= 0:
        return 0.0
    u, goal = log(z), log(tail)
    if df > z * z:  # Fisher's expansion is near then, and saves most of the steps
        u = log(z + ((z * z + 1) + ((5 * z * z + 16) * z * z + 3) / (24 * df)) * z / (4 * df))
    for _ in range(200):
        t = exp(u)
        below = t_cdf(-t, df)
        slope = _beta_factor(df / (df + t * t), t * t / (df + t * t), 0.5 * df, 0.5) / below
        step = (log(below) - goal) / slope
        u += step
        if abs(step) < 1e-9:  # noqa: PLR2004 - steps square, so the next one is rounding
            break
    return exp(u) if p > 0.5 else -exp(u)  # noqa: PLR2004 - the median


def beta_cdf(x: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b), for 0 <= x <= 1 and a, b > 0."""
    if not (0 <= x <= 1 and a > 0 and b > 0):
        raise ValueError(f"the beta distribution needs 0 <= x <= 1 and positive parameters, not x={x}, a={a}, b={b}")
    if x in (0.0, 1.0):
        return float(x)
    return _beta_cdf(x, 1.0 - x, a, b)


def _beta_cdf(x: float, y: float, a: float, b: float) -> float:
    """I_x(a, b) with ``y`` = 1 - x given apart, so that a tiny one of the two keeps its digits."""
    factor = _beta_factor(x, y, a, b)
    if x < (a + 1) / (a + b + 2):
        return factor * _fraction(x, a, b) / a
    return 1.0 - factor * _fraction(y, b, a) / b


def _beta_factor(x: float, y: float, a: float, b: float) -> float:
    """Return x^a y^b / B(a, b)."""
    if x == 0 or y == 0:
        return 0.0
    n = a + b
    if min(x, y) < _SMALL:  # where n * x could vanish
        return exp(a * log(x) + b * log(y) - (lgamma(a) + lgamma(b) - lgamma(n)))
    exponent = _stirling_error(n) - _stirling_error(a) - _stirling_error(b)
    exponent -= _deviance(a, n * x) + _deviance(b, n * y)
    return exp(exponent) * sqrt(a * b / (2 * pi * n))


def _fraction(x: float, a: float, b: float) -> float:
    """Evaluate the continued fraction of the incomplete beta function by the modified method of Lentz."""
    d = 1 - (a + b) * x / (a + 1)
    d = 1 / (d if abs(d) > _TINY else _TINY)
    c, value = 1.0, d
    for m in range(1, 1_000_000):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 + numerator * d
            d = 1 / (d if abs(d) > _TINY else _TINY)
            c = 1 + numerator / c
            c = c if abs(c) > _TINY else _TINY
            value *= c * d
        if abs(c * d - 1) < _EPSILON:
            break
    return value


def _stirling_error(n: float) -> float:
    """Return log(n!) minus Stirling's formula, for any n > 0."""
    if n < _STIRLING_FROM:
        return lgamma(n + 1) - (n + 0.5) * log(n) + n - _LOG_SQRT_2PI
    s = n * n
    return (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / 1188 / s) / s) / s) / s) / n


def _deviance(x: float, m: float) -> float:
    """Return x log(x / m) + m - x without losing digits where x is near m (Loader's bd0)."""
    if abs(x - m) >= 0.1 * (x + m):
        return x * log(x / m) + m - x
    v = (x - m) / (x + m)
    total, term, power = (x - m) * v, 2 * x * v, 1
    while True:
        term *= v * v
        power += 2
        longer = total + term / power
        if longer == total:
            return total
        total = longer


def binomial_pmf(k: int, n: int, p: float) -> float:
    """Return P(X = k) for X ~ Binomial(n, p)."""
    _check_binomial(n, p)
    if k < 0 or k > n:
        return 0.0
    if p in (0.0, 1.0):
        return float(k == n * p)
    if k == 0:
        return exp(n * log1p(-p))
    if k == n:
        return p**n
    return _beta_factor(p, 1.0 - p, k, n - k) * n / (k * (n - k))


def binomial_cdf(k: float, n: int, p: float) -> float:
    """Return P(X <= k) for X ~ Binomial(n, p)."""
    _check_binomial(n, p)
    whole = floor(k)
    if whole < 0:
        return 0.0
    if whole >= n or p == 0:
        return 1.0
    return _beta_cdf(1.0 - p, p, n - whole, whole + 1) if p < 1 else 0.0


def _check_probability(p: float) -> None:
    if not 0 < p < 1:
        raise ValueError(f"a quantile needs a probability between 0 and 1, not {p}")


def _check_binomial(n: int, p: float) -> None:
    if n < 0 or not 0 <= p <= 1:
        raise ValueError(f"a binomial needs n >= 0 and a probability, not n={n}, p={p}")
