"""`fromlogits inspect`: what a model file holds."""

from __future__ import annotations

import sys
from typing import Any

from .display import Screen
from .opening import open_model
from .options import Json, Model
from .output import as_json, figures_text, in_words, listed, per_label_table, say_of_validation


def inspect(model: Model, json: Json = False) -> int:
    """Say what MODEL holds and how it was trained."""
    classifier = open_model(model, None)
    results = Screen(sys.stdout)
    held = classifier.describe()
    if json:
        results.tell(as_json(held))
        return 0
    schema, record, plan = classifier.encoder_.schema, held["record"], held["plan"]
    kind = "classes" if held["task"] == "multi-class" else "labels"
    results.tell(f"{model}: {held['task']}, {len(held['classes']):,} {kind}: {listed(held['classes'])}", "bold")
    results.tell(f"\n{classifier.network_}\n{held['head']}\n")
    lines: list[tuple[str, str]] = [("input", _input(schema))]
    for what, names in (("target", schema.target_names), ("id", schema.id_names), ("ignored", schema.ignored)):
        if names:
            lines.append((what, listed(names)))
    held_out, say = in_words(record["n_validation"]), say_of_validation(classifier.plan_)
    digest = record["split"].get("data_sha256")
    more = "of the same" if digest is not None and digest == record["data_sha256"] else "more"
    best = f"the best was {classifier.best_epoch_}" if classifier.plan_.early_stopping else "the last is kept"
    lines += [
        ("optimizer", f"{plan['optimizer']}, learning rate {plan['learning_rate']:g}, {plan['schedule']}"),
        ("batches", f"{plan['batch_size']:,} rows"),
        ("trained on", f"{in_words(record['n_train'])} rows"),
        ("validation", f"{held_out} {more} rows {say}" if record["n_validation"] else "no rows were held out"),
        ("epochs", f"{classifier.n_iter_}, {best}; ended by {record['stopped_by']}"),
        ("seed", str(record["seed"])),
        ("temperature", f"{held['temperature']:.4f}"),
    ]
    wide = max(len(name) for name, _ in lines)
    for name, text in lines:
        results.tell(f"{name.ljust(wide)}  {text}")
    figures = record["validation"]
    if isinstance(figures, dict):
        results.tell(figures_text(f"\nvalidation ({held_out} rows, which {say}):", figures))
        if table := per_label_table(figures):
            results.tell(f"\n{table}")
    return 0


def _input(schema: Any) -> str:
    if schema.picture_shape is not None:
        return f"pictures of {'x'.join(map(str, schema.picture_shape))}"
    if schema.names is None:
        return f"{schema.n_features:,} numbers"
    return f"{schema.n_features:,} columns: {listed(schema.names)}"
