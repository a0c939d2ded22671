"""One dense layer, x wT + b, by the core's own kernels and by NumPy's OpenBLAS, on one thread.

    python benchmarks/products.py --json products.json

Ours is `NativeEngine.logits` of a network of that one layer; NumPy's is `np.matmul(x, w.T, out=out)` and the biases
added in place; both from Python, so that small products carry the same call. Rounds are interleaved, a round is the
best of several runs of some milliseconds, and the ratio is taken round by round. Compared before anything is timed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine, show, spread, write_json

from fromlogits.data.features import Features
from fromlogits.engines.native import NativeEngine
from fromlogits.spec import Dense, Network

SHAPES = [(n, d, h) for d, h in ((784, 25), (25, 15), (15, 10), (784, 256)) for n in (1, 4, 16, 32, 64)] + [
    (256, 1024, 1024),
    (2048, 2048, 2048),
]
"""Rows, inputs, units."""
RUN_S = 0.003


def seconds_of(call: Callable[[], object]) -> float:
    """Of one call: the best of five runs, each long enough for the clock."""
    start = time.perf_counter()
    call()
    calls = max(1, int(RUN_S / max(time.perf_counter() - start, 1e-7)))
    runs = []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(calls):
            call()
        runs.append((time.perf_counter() - start) / calls)
    return min(runs)


def measure(n: int, d: int, h: int, rounds: int) -> dict[str, Any]:
    from threadpoolctl import threadpool_limits

    rng = np.random.default_rng(0)
    x_nd = rng.standard_normal((n, d)).astype(np.float32)
    w_hd, b_h = rng.standard_normal((h, d)).astype(np.float32), rng.standard_normal(h).astype(np.float32)
    engine = NativeEngine(Network((Dense(h),)).with_input(d), "softmax", n_threads=1)
    engine.set_parameters([(w_hd, b_h)])
    features, out_nh = Features(x_nd), np.empty((n, h), np.float32)

    def theirs() -> None:
        np.matmul(x_nd, w_hd.T, out=out_nh)
        np.add(out_nh, b_h, out=out_nh)

    with threadpool_limits(1, user_api="blas"):
        theirs()
        scale = float(np.abs(out_nh).max())
        difference = float(np.abs(engine.logits(features) - out_nh).max()) / scale
        assert difference < 1e-5, f"the results differ by {difference:.1e}"
        pairs = [(seconds_of(lambda: engine.logits(features)), seconds_of(theirs)) for _ in range(rounds)]
    ours_s, theirs_s = spread([ours for ours, _ in pairs]), spread([their for _, their in pairs])
    flops = 2 * n * d * h
    return {
        "rows": n, "inputs": d, "units": h, "ours_us": {k: v * 1e6 for k, v in ours_s.items()},
        "openblas_us": {k: v * 1e6 for k, v in theirs_s.items()}, "ours_gflops": flops / ours_s["median"] / 1e9,
        "openblas_gflops": flops / theirs_s["median"] / 1e9, "openblas_over_ours": spread([b / a for a, b in pairs]),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    facts = machine("threadpoolctl")
    show(facts)
    print("rows x inputs x units     ours µs  OpenBLAS µs   ours GF/s  OpenBLAS GF/s   OpenBLAS / ours")
    results = []
    for shape in SHAPES:
        result = measure(*shape, arguments.rounds)
        results.append(result)
        ratio = result["openblas_over_ours"]
        print(
            f"{' x '.join(map(str, shape)):22} {result['ours_us']['median']:10.2f}"
            f" {result['openblas_us']['median']:12.2f}"
            f" {result['ours_gflops']:11.1f} {result['openblas_gflops']:14.1f}"
            f"   {ratio['median']:.2f} ({ratio['lowest']:.2f}–{ratio['highest']:.2f})",
            flush=True,
        )
    write_json(arguments.json, {"machine": facts, "results": results})


if __name__ == "__main__":
    main()
