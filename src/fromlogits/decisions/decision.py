"""What a model decides for, and the rule that came of it: what its file holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import InputError, brief
from . import rules
from .objectives import Costs, Objective, resolve
from .rules import Rule, Task

MOST_NOTE = 10_000


@dataclass(frozen=True, eq=False)
class Decision:
    """An objective and the rule that rows chose for it, or costs and their rule."""

    what_for: Objective | Costs
    rule: Rule

    @classmethod
    def of_costs(cls, costs: Costs) -> Decision:
        return cls(costs, costs.rule())

    @property
    def decide_for(self) -> Any:
        """The classifier's setting of that name, as JSON."""
        return self.what_for.to_json() if isinstance(self.what_for, Costs) else self.what_for.name

    def in_words(self, task: Task, classes: Sequence[Any]) -> str:
        """With the class that it speaks of, where it speaks of one of two."""
        if isinstance(self.what_for, Costs):
            return "the smallest expected cost"
        is_of_one = task == "multi-class" and len(classes) == 2 and self.what_for.speaks_of_the_second
        return self.what_for.name + (f" of class {str(classes[1])!r}" if is_of_one else "")

    def to_json(self) -> dict[str, Any]:
        """Costs say what their rule is; of an objective both are there."""
        if isinstance(self.what_for, Costs):
            return {"decide_for": self.decide_for}
        return {"decide_for": self.decide_for, "rule": self.rule.to_json()}

    @classmethod
    def from_json(cls, value: object, task: Task, classes: Sequence[Any]) -> Decision:
        """The inverse of `to_json` for a target; raises InputError on anything else."""
        if not isinstance(value, dict) or "decide_for" not in value:
            raise InputError(f"the decision must be an object with decide_for; it is {brief(value)}.")
        decide_for = value["decide_for"]
        if not isinstance(decide_for, (str, list)):
            raise InputError(f"the decision's decide_for must be a name or costs; it is {brief(decide_for)}.")
        if set(value) != ({"decide_for", "rule"} if isinstance(decide_for, str) else {"decide_for"}):
            raise InputError(f"the decision has the keys {brief(sorted(map(str, value))[:5])}.")
        if isinstance(decide_for, list):
            n = len(classes)
            shape = (n, n) if task == "multi-class" else (n, 2, 2)
            rules.numbers_of("the decision's costs", decide_for, shape, -rules.LARGEST, rules.LARGEST)
        what_for = resolve(decide_for, task, classes)
        assert what_for is not None
        if isinstance(what_for, Costs):
            return cls.of_costs(what_for)
        return cls(what_for, rules.from_json(value["rule"], task, len(classes)))


def check_record(value: object) -> None:
    """Raise InputError unless this is what `thresholds.Fitted.to_json` gives."""
    known = {"kept": bool, "folds": int, "figures": dict, "notes": list}
    if not isinstance(value, dict) or set(value) != set(known):
        raise InputError(f"the record's decision must have the keys {sorted(known)}; it is {brief(value)}.")
    for name, kind in known.items():
        if type(value[name]) is not kind:
            raise InputError(f"the record's decision: {name} can't be {brief(value[name])}.")
    if value["folds"] < 0 or not 1 <= len(value["figures"]) <= 10:
        raise InputError("the record's decision: folds must be at least 0, and some figures must be there.")
    for name, both in value["figures"].items():
        if not isinstance(both, dict) or set(both) != {"natural", "decided"}:
            raise InputError(f"the record's decision: {brief(name)} must be natural and decided.")
        for figure in both.values():
            if figure is not None and not (type(figure) in (int, float) and -1e300 < figure < 1e300):
                raise InputError(f"the record's decision: {brief(name)} can't be {brief(figure)}.")
    if len(value["notes"]) > 10 or not all(isinstance(n, str) and len(n) <= MOST_NOTE for n in value["notes"]):
        raise InputError("the record's decision: notes must be a few texts.")
