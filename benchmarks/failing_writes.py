"""What becomes of a good file when a save over it fails: ours and others', each system call made to fail in turn.

    python benchmarks/failing_writes.py --kills 1000 --json saving.json

Every library writes a small model over another one, in a process of its own, with a shim that makes the N-th call on
the folder fail (write, fsync, link, rename, close, ftruncate), for every N until a save passes untouched: once with
ENOSPC and EIO, from then on with ENOSPC and EDQUOT, and with a write that is short. Then ours is killed at random.
A library that is not installed is named and left out. Linux with a C compiler.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from machine import machine, show, write_json

from tests.saving.kills import kills
from tests.saving.sweep import KINDS, built, preloaded, save_ours, summary, sweep

Save = Callable[[Path, bool], None]
ROWS, COLUMNS = 200, 10


def data() -> tuple[Any, Any]:
    import numpy as np

    x = np.random.default_rng(0).normal(size=(ROWS, COLUMNS)).astype(np.float32)
    return x, (x[:, 0] > 0).astype(np.int64)


def ours() -> Save:
    return save_ours


def xgboost() -> Save:
    import xgboost as xgb

    table = xgb.DMatrix(*data())
    models = [xgb.train({"nthread": 1, "max_depth": 3}, table, rounds) for rounds in (20, 40)]
    return lambda path, is_new: models[is_new].save_model(path)


def lightgbm() -> Save:
    import lightgbm as lgb

    x, y = data()
    settings = {"num_threads": 1, "verbose": -1, "objective": "binary"}
    models = [lgb.train(settings, lgb.Dataset(x, y), rounds) for rounds in (20, 40)]
    return lambda path, is_new: models[is_new].save_model(path) and None


def joblib() -> Save:
    import warnings

    import joblib
    from sklearn.neural_network import MLPClassifier

    warnings.simplefilter("ignore")
    models = [MLPClassifier((100,), max_iter=2, random_state=seed).fit(*data()) for seed in (0, 1)]
    return lambda path, is_new: joblib.dump(models[is_new], path) and None


def arrays(is_new: bool) -> dict[str, Any]:
    import numpy as np

    return {"weights": np.full((100, 100), float(is_new), np.float32)}


def numpy() -> Save:
    import numpy as np

    return lambda path, is_new: np.savez(path, **arrays(is_new))


def onnx() -> Save:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    def model(is_new: bool) -> Any:
        weights = numpy_helper.from_array(arrays(is_new)["weights"], "w")
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 100]) for name in "xy"]
        graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", ends[:1], ends[1:], [weights])
        return helper.make_model(graph)

    models = [model(False), model(True)]
    return lambda path, is_new: onnx.save(models[is_new], path)


def torch() -> Save:
    import torch

    models = [{name: torch.from_numpy(of) for name, of in arrays(is_new).items()} for is_new in (False, True)]
    return lambda path, is_new: torch.save(models[is_new], path)


def safetensors() -> Save:
    from safetensors.numpy import save_file

    return lambda path, is_new: save_file(arrays(is_new), path)


LIBRARIES: dict[str, tuple[str, Callable[[], Save], str]] = {
    "fromlogits": ("fromlogits", ours, "m.safetensors"),
    "XGBoost, .json": ("xgboost", xgboost, "m.json"),
    "XGBoost, .ubj": ("xgboost", xgboost, "m.ubj"),
    "LightGBM, .txt": ("lightgbm", lightgbm, "m.txt"),
    "joblib.dump of an MLPClassifier": ("joblib", joblib, "m.joblib"),
    "numpy.savez": ("numpy", numpy, "m.npz"),
    "onnx.save": ("onnx", onnx, "m.onnx"),
    "torch.save": ("torch", torch, "m.pt"),
    "safetensors.numpy.save_file": ("safetensors", safetensors, "m.safetensors"),
}
"""What the library's file is called in the tables: module, a maker of `save`, the file's name."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures with what they were measured on, and write them where --json says."""
    parser = argparse.ArgumentParser(description="Good files after saves that fail.")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--one", choices=LIBRARIES, help=argparse.SUPPRESS)  # the process of one library
    options = parser.parse_args(arguments)
    if options.one is not None:
        _, make, name = LIBRARIES[options.one]
        print(json.dumps({"points": sweep(make(), name)}))
        return
    facts = machine("xgboost", "lightgbm", "scikit-learn", "joblib", "onnx", "torch", "safetensors")
    show(facts)
    report: dict[str, Any] = {**facts, "kinds": list(KINDS), "saves": {}}
    with tempfile.TemporaryDirectory() as scratch:
        shim = built(Path(scratch))
        if shim is None:
            raise SystemExit("this needs Linux and a C compiler")
        for library, (module, _, _) in LIBRARIES.items():
            if find_spec(module) is None:
                print(f"{library}: {module} is not installed; left out")
                continue
            points = preloaded(shim, [sys.executable, __file__, "--one", library])["points"]
            found = report["saves"][library] = {**summary(points), "calls": sorted({point["call"] for point in points})}
            print(f"{library}: {found}", flush=True)
    report["kills"] = {"seed": options.seed, **kills(save_ours, "m.safetensors", options.kills, options.seed)}
    print(f"killed: {report['kills']}")
    write_json(options.json, report)


if __name__ == "__main__":
    main()
