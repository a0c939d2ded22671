"""Members that share their weights, or none that do: what a small ensemble gains, and what it costs.

    python benchmarks/members.py --data TABLES --json members.json

TABLES holds a folder for each set: train.csv.gz with the column `target`, and schema.json, which says what each column
is. Only training rows are read; a quarter of them, drawn once, judges.

A network of three hidden layers of 256 relu units is trained by PyTorch (adamw, a cosine from 2e-3 to 0, 40 epochs,
batches of 128 rows, dropout 0.1; the epoch with the best log-loss on a tenth of the rows is kept; numbers on their
interquartile range and smoothly clipped, categories one feature a value), as one of

- independent: k networks of their own, each with its own weights and, as members of an ensemble have it, its own order
  of the rows;
- shared: BatchEnsemble in the manner of TabM (Gorishniy et al., ICLR 2025): one weight matrix for all k members of a
  layer, ((x R) W') S + b with R, S and b of each member, the first R of random signs and all other R and S 1, a head
  for each member, the loss the mean of the members' losses;
- mini: the first R alone is of each member, all else is shared but the heads.

The probabilities of the members are averaged. Seconds are CPU seconds of the process in training, one thread; they are
PyTorch's, whose batched products serve both kinds alike. A row of the table is the geometric mean over the sets and
seeds, as a ratio to one network.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine, show, write_json

SETS = ("german_credit", "soybean", "wine_quality", "satimage", "drybean", "letter")
KINDS = (("independent", 1), ("independent", 4), ("shared", 4), ("mini", 4), ("independent", 8), ("shared", 8))
EPOCHS, BATCH, UNITS, RATE = 40, 128, (256, 256, 256), 2e-3


def rows_of(folder: Path) -> tuple[Any, Any, Any, Any]:
    """Encoded rows and class numbers: to train on, and to judge by."""
    import pandas as pd

    schema = json.loads((folder / "schema.json").read_text())
    names = [column["name"] for column in schema["features"] if column["type"] == "categorical"]
    table = pd.read_csv(folder / "train.csv.gz", dtype=dict.fromkeys(names, str), keep_default_na=False, na_values=[""])
    y_n = np.unique(table.pop("target").to_numpy().astype(str), return_inverse=True)[1]
    order = np.random.default_rng(1).permutation(len(y_n))
    n_judging = len(y_n) // 4
    judging, training = order[:n_judging], order[n_judging:]
    columns = []
    for name in table.columns:
        if name in names:
            columns += [(table[name] == value).to_numpy(float) for value in table[name].dropna().unique()]
            continue
        x_n = table[name].to_numpy(float)
        low, q25, median, q75, high = np.nanquantile(x_n[training], [0, 0.25, 0.5, 0.75, 1])
        scale = 1 / (q75 - q25) if q75 > q25 else 2 / (high - low) if high > low else 0.0
        z_n = (np.nan_to_num(x_n, nan=median) - median) * scale
        columns.append(z_n / np.sqrt(1 + (z_n / 3) ** 2))
    x_nd = np.stack(columns, axis=1).astype(np.float32)
    return x_nd[training], y_n[training], x_nd[judging], y_n[judging]


def network(kind: str, k: int, d: int, c: int) -> Any:
    """k members as one module: (k, n, d) -> (k, n, c)."""
    import torch
    from torch import nn

    class Layer(nn.Module):  # type: ignore[misc]
        def __init__(self, d: int, h: int, *, is_first: bool, is_head: bool) -> None:
            super().__init__()
            own = kind == "independent" or is_head
            bound = d**-0.5
            self.weight = nn.Parameter(torch.empty(k if own else 1, d, h).uniform_(-bound, bound))
            self.bias = nn.Parameter(torch.empty(k if own or kind == "shared" else 1, 1, h).uniform_(-bound, bound))
            self.r = self.s = None
            if not own and (is_first or kind == "shared"):
                signs = torch.randint(0, 2, (k, 1, d)) * 2.0 - 1.0
                self.r = nn.Parameter(signs if is_first else torch.ones(k, 1, d))
            if not own and kind == "shared":
                self.s = nn.Parameter(torch.ones(k, 1, h))

        def forward(self, x: Any) -> Any:
            x = x if self.r is None else x * self.r
            if self.weight.shape[0] == 1:  # one product for the rows of all members
                z = (x.reshape(-1, x.shape[-1]) @ self.weight[0]).reshape(*x.shape[:-1], -1)
            else:
                z = torch.bmm(x, self.weight)
            return (z if self.s is None else z * self.s) + self.bias

    widths = (d, *UNITS)
    layers: list[Any] = []
    for i, (before, after) in enumerate(zip(widths, UNITS, strict=False)):
        layers += [Layer(before, after, is_first=i == 0, is_head=False), nn.ReLU(), nn.Dropout(0.1)]
    return nn.Sequential(*layers, Layer(widths[-1], c, is_first=False, is_head=True))


def fit(kind: str, k: int, seed: int, rows: tuple[Any, Any, Any, Any]) -> dict[str, float]:
    """Train and judge: log-loss in nats, error, and CPU seconds of the training."""
    import torch
    from torch.nn.functional import cross_entropy

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    x_nd, y_n, x_judging, y_judging = rows
    c = int(max(y_n.max(), y_judging.max())) + 1
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(y_n))
    held, own = order[: len(y_n) // 10], order[len(y_n) // 10 :]
    x, y = torch.from_numpy(x_nd), torch.from_numpy(y_n)
    net = network(kind, k, x_nd.shape[1], c)
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=0.02)
    steps = EPOCHS * -(-len(own) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)

    def probabilities(some: Any) -> Any:
        net.eval()
        with torch.no_grad():
            return torch.softmax(net(some.expand(k, *some.shape)), dim=2).mean(dim=0)

    started, best, kept = time.process_time(), np.inf, None
    for _ in range(EPOCHS):
        net.train()
        orders = [generator.permutation(own) for _ in range(k if kind == "independent" else 1)]
        for at in range(0, len(own), BATCH):
            part = torch.from_numpy(np.stack([one[at : at + BATCH] for one in orders])).expand(k, -1)
            loss = cross_entropy(net(x[part]).reshape(-1, c), y[part].reshape(-1)) * k  # each member its own mean
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        likely = probabilities(x[held]).gather(1, y[held][:, None]).clamp_min(1e-30)
        if (value := float(-likely.log().mean())) < best:
            best, kept = value, {name: tensor.clone() for name, tensor in net.state_dict().items()}
    seconds = time.process_time() - started
    net.load_state_dict(kept)
    p_nc = probabilities(torch.from_numpy(x_judging)).numpy()
    likely_n = p_nc[np.arange(len(y_judging)), y_judging]
    return {
        "log_loss": float(-np.log(np.maximum(likely_n, 1e-30)).mean()),
        "error": float((p_nc.argmax(axis=1) != y_judging).mean()),
        "cpu_seconds": seconds,
    }


def table(fits: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Of each kind the ratios to one network: log-loss, error, seconds, and in how many sets it is the better one."""

    def mean(kind: str, k: int, name: str, figure: str) -> float:
        return float(np.mean([f[figure] for f in fits if (f["kind"], f["k"], f["set"]) == (kind, k, name)]))

    names = sorted({one["set"] for one in fits})
    yield f"{'members':<16} {'log-loss':>9} {'error':>9} {'seconds':>9}   over {', '.join(names)}"
    for kind, k in KINDS:
        if {one["set"] for one in fits if (one["kind"], one["k"]) == (kind, k)} != set(names):
            continue
        ratios = [
            np.exp(np.mean([np.log(mean(kind, k, name, figure) / mean(*KINDS[0], name, figure)) for name in names]))
            for figure in ("log_loss", "error", "cpu_seconds")
        ]
        yield f"{k} {kind:<14} " + " ".join(f"{ratio:9.3f}" for ratio in ratios)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    about = machine("numpy", "torch", "pandas")
    show(about)
    fits: list[dict[str, Any]] = []
    for name in arguments.sets.split(","):
        rows = rows_of(arguments.data / name)
        for seed in range(arguments.seeds):
            for kind, k in KINDS:
                fits.append({"set": name, "kind": kind, "k": k, "seed": seed, **fit(kind, k, seed, rows)})
                one = fits[-1]
                print(
                    f"{name} {k} {kind}: {one['log_loss']:.4f} {one['error']:.4f} {one['cpu_seconds']:.1f} s",
                    flush=True,
                )
    print("\n".join(table(fits)))
    if arguments.json:
        write_json(arguments.json, {"machine": about, "fits": fits})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
