#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What biometric_rates printed, as a picture or as tables.

usage: biometric_plot.py svg RATES > docs/biometric-rates.svg
       biometric_plot.py tables RATES
"""
import math
import sys

COINS = 249  # as in noise.h


def read(path):
    rows = []
    with open(path, encoding="ascii") as lines:
        for line in lines:
            if not line.startswith("#"):
                kind, level, readings, right, other, differing = line.split()
                rows.append((kind, float(level), int(readings), int(right), int(other),
                             float(differing)))
    return rows


def binomial_at_most(k, n, p):
    """P(at most k of n), by logarithms, so that nothing is lost for large n."""
    if p <= 0:
        return 1.0
    if p >= 1:
        return 1.0 if k >= n else 0.0
    total = 0.0
    for i in range(k, -1, -1):
        term = math.exp(math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1)
                        + i * math.log(p) + (n - i) * math.log1p(-p))
        total += term
        if term < total * 1e-12 and i < k - 10 and i < n * p:
            break
    return min(total, 1.0)


def solve(below, low, high):
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return (low + high) / 2


def interval(k, n):
    """Clopper and Pearson, 95 %."""
    if k > n // 2:
        low, high = interval(n - k, n)
        return 1 - high, 1 - low
    low = 0.0 if k == 0 else solve(lambda p: 1 - binomial_at_most(k - 1, n, p) < 0.025, 0, 1)
    return low, solve(lambda p: binomial_at_most(k, n, p) > 0.025, 0, 1)


def share(x):
    return "0" if x == 0 else f"{100 * x:.4f} %" if x < 0.1 else f"{100 * x:.2f} %"


def tables(rows):
    for kind in dict.fromkeys(row[0] for row in rows):
        mine = [row for row in rows if row[0] == kind]
        accept = kind.startswith("impostor")
        print(f"\n{kind}\n\n| level | readings | {'accepted' if accept else 'refused'} | rate | "
              "95 % interval |\n|---|---|---|---|---|")
        for _, level, readings, right, other, _ in mine:
            assert other == 0
            count = right if accept else readings - right
            low, high = interval(count, readings)
            print(f"| {level:g} % | {readings} | {count} | {share(count / readings)} | "
                  f"{share(low)} to {share(high)} |")
    print(f"\nfalse accept of a random eye of {COINS} coins: 2^{math.log2(any_eye(rows)):.1f}")


def any_eye(rows):
    """The sum, over the number of differing coins, of how often that comes and how often it is
    accepted: straight lines between the logarithms of what was measured, the last one continued."""
    points = [(round(level * COINS / 100), right / readings)
              for kind, level, readings, right, _, _ in rows if kind == "eye-at" and right >= 10]
    total = 0.0
    for k in range(COINS + 1):
        if k <= points[0][0]:
            accepted = 1.0
        else:
            after = [i for i in range(1, len(points)) if points[i][0] >= k]
            i = after[0] if after else len(points) - 1
            (x0, y0), (x1, y1) = points[i - 1], points[i]
            slope = (math.log(y1) - math.log(y0)) / (x1 - x0)
            accepted = math.exp(math.log(y0) + slope * (k - x0))
        total += math.comb(COINS, k) / 2**COINS * min(accepted, 1.0)
    return total


CURVES = [("independent", "#1d5f8a", "", "every bit by itself"),
          ("bursts", "#b3541e", "", "in bursts of 64 bits"),
          ("bursts/ord", "#b3541e", "5 4", "in bursts, the code not spread"),
          ("eye-at", "#3d7a3a", "", "in runs of 8 bits (249 coins)"),
          ("impostor", "#1b2733", "2 3", "another eye, alike by that much")]
LEFT, TOP, WIDTH, HEIGHT, MOST = 70, 50, 620, 320, 52


def svg(rows):
    def x(percent):
        return LEFT + WIDTH * percent / MOST

    def y(part):
        return TOP + HEIGHT * (1 - part)

    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 440" width="720" height="440"\n'
          '     font-family="sans-serif" font-size="13" fill="#1b2733" role="img"\n'
          '     aria-label="Share of readings accepted, by the share of bits that differ">\n'
          '  <rect width="720" height="440" fill="#ffffff"/>')
    print('  <text x="70" y="28" font-size="15" font-weight="bold">Readings that give the secret back,'
          ' by the bits that differ</text>')
    for part in range(0, 101, 20):
        print(f'  <path d="M{LEFT} {y(part / 100):g}h{WIDTH}" stroke="#d5dde4"/>'
              f'<text x="{LEFT - 8}" y="{y(part / 100) + 4:g}" text-anchor="end">{part} %</text>')
    for percent in range(0, 51, 5):
        print(f'  <path d="M{x(percent):.1f} {TOP}v{HEIGHT + 5}" stroke="#d5dde4"/>'
              f'<text x="{x(percent):.1f}" y="{TOP + HEIGHT + 20}" text-anchor="middle">{percent}</text>')
    print(f'  <text x="{LEFT + WIDTH / 2:g}" y="{TOP + HEIGHT + 42}" text-anchor="middle">'
          'per cent of the 2048 bits that differ from the enrolled template</text>')
    for i, (kind, colour, dashes, name) in enumerate(CURVES):
        points = [(100 * row[5], row[3] / row[2]) for row in rows if row[0] == kind]
        path = "L".join(f"{x(a):.1f} {y(b):.1f}" for a, b in points)
        dash = f' stroke-dasharray="{dashes}"' if dashes else ""
        print(f'  <path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
        for a, b in points:
            print(f'  <circle cx="{x(a):.1f}" cy="{y(b):.1f}" r="2.5" fill="{colour}"/>')
        at = TOP + 16 + 20 * i
        print(f'  <path d="M430 {at}h26" stroke="{colour}" stroke-width="2"{dash}/>'
              f'<text x="462" y="{at + 4}">{name}</text>')
    print("</svg>")


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("svg", "tables"):
        sys.exit(__doc__)
    {"svg": svg, "tables": tables}[sys.argv[1]](read(sys.argv[2]))
