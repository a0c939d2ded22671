"""Makes core/polynomials.h: `python core/tools/polynomials.py > core/polynomials.h` (needs mpmath).

Interpolation at Chebyshev nodes, whose largest error is within a factor of about two of the best polynomial's.
"""

import mpmath as mp

mp.mp.dps = 60


def interpolate(f, low, high, degree):
    """Coefficients, constant first, rounded to double, of the polynomial that meets f at the Chebyshev nodes."""
    nodes = [
        (low + high) / 2 + (high - low) / 2 * mp.cos(mp.pi * (2 * i + 1) / (2 * degree + 2)) for i in range(degree + 1)
    ]
    powers = mp.matrix([[x**k for k in range(degree + 1)] for x in nodes])
    return [float(c) for c in mp.lu_solve(powers, mp.matrix([f(x) for x in nodes]))]


def largest_error(error, low, high):
    points = [low + (high - low) * mp.mpf(i) / 4001 for i in range(1, 4001)]
    return mp.nstr(max(abs(error(x)) for x in points), 2)


def value(coefficients, x):
    return mp.polyval([mp.mpf(c) for c in reversed(coefficients)], x)


def exponential(r):
    """(exp(r) - 1 - r) / r^2."""
    return mp.nsum(lambda k: r**k / mp.factorial(k + 2), [0, 40]) if abs(r) < 0.01 else (mp.expm1(r) - r) / r**2


def power_of_2(r):
    """(2^r - 1) / r."""
    x = r * mp.log(2)
    return mp.log(2) * mp.nsum(lambda k: x**k / mp.factorial(k + 1), [0, 40]) if abs(r) < 0.01 else mp.expm1(x) / r


def logarithm(z):
    """(2 atanh(s) / s - 2) / z at z = s^2."""
    s = mp.sqrt(z)
    return mp.nsum(lambda k: 2 * z**k / (2 * k + 3), [0, 60]) if z < 0.01 else (2 * mp.atanh(s) / s - 2) / z


def table(name, comment, numbers):
    rows = "".join(f"    {number.hex()},\n" for number in numbers)
    return f"// {comment}\ninline constexpr double {name}[] = {{\n{rows}}};\n"


def log_table(name, largest, degree):
    """Of log((1+s)/(1-s)) for 0 <= s <= largest."""
    edge = largest**2 * (1 + mp.mpf(2) ** -20)
    found = interpolate(logarithm, mp.mpf(0), edge, degree)
    error = largest_error(
        lambda z: z * mp.sqrt(z) * (value(found, z) - logarithm(z)) / (2 * mp.atanh(mp.sqrt(z))), mp.mpf(0), edge
    )
    comment = (
        f"(log((1+s)/(1-s)) / s - 2) / s^2, in s^2 <= {mp.nstr(edge, 3)}; the logarithm is off by {error} of itself."
    )
    return table(name, comment, found)


# The reductions round, so the arguments reach a little beyond the half.
half = mp.log(2) / 2 * (1 + mp.mpf(2) ** -20)
exp_table = interpolate(exponential, -half, half, 9)
exp_error = largest_error(lambda r: value(exp_table, r) * r**2 / mp.exp(r) + (1 + r) / mp.exp(r) - 1, -half, half)

step = mp.mpf(1) / 32 * (1 + mp.mpf(2) ** -20)
power_table = interpolate(power_of_2, -step, step, 5)
power_error = largest_error(lambda r: (value(power_table, r) * r + 1) / mp.mpf(2) ** r - 1, -step, step)

print("// Made by core/tools/polynomials.py. Constant term first.\n#pragma once\n")
print("namespace fromlogits {\n")
comment = f"(exp(r) - 1 - r) / r^2 for |r| <= log(2) / 2; exp(r) is off by at most {exp_error} of itself."
print(table("exp_polynomial", comment, exp_table))
comment = f"(2^r - 1) / r for |r| <= 1/32; 2^r is off by at most {power_error} of itself."
print(table("power_polynomial", comment, power_table))
powers = [mp.mpf(2) ** (mp.mpf(j) / 16) for j in range(16)]
print(table("sixteenth_powers", "2^(j/16)", [float(power) for power in powers]))
roundings = [float(power / float(power) - 1) for power in powers]
print(table("sixteenth_roundings", "What their rounding took away, as a share of them.", roundings))
print(log_table("log_polynomial", (mp.sqrt(2) - 1) / (mp.sqrt(2) + 1), 6))
print(log_table("log1p_polynomial", mp.mpf(1) / 3, 10))
quarter = mp.mpf(1) / 4 * (1 + mp.mpf(2) ** -20)
for name, comment, exact in (
    ("cosine", "cos(2 pi r) in r^2 for |r| <= 1/2", lambda z: mp.cos(2 * mp.pi * mp.sqrt(z))),
    ("sine", "sin(2 pi r) / r in r^2 for |r| <= 1/2", lambda z: 2 * mp.pi * mp.sinc(2 * mp.pi * mp.sqrt(z))),
):
    found = interpolate(exact, mp.mpf(0), quarter, 7)
    error = largest_error(lambda z: value(found, z) - exact(z), mp.mpf(0), quarter)  # noqa: B023
    print(table(f"{name}_polynomial", f"{comment}; off by at most {error}.", found))
print("}  // namespace fromlogits")
