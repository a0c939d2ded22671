"""The description of the API holds: schemathesis asks what it says can be asked, and what it says can't."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings

from fromlogits.serving import files
from tests.serving.running import Running

EXAMPLES = 25
"""Of each operation, right ones and wrong ones each."""
LEAST = 3
"""Predictions that the models must make of them from JSON, by either kind of endpoint. Of all models together: what is
drawn depends on the constants of all modules that are there, so of one model it may be few."""
JSON = "application/json"


def test_nothing_undocumented_happens(server: Running) -> None:
    schemathesis: Any = pytest.importorskip(
        "schemathesis", reason="schemathesis is not installed; nox -s clients installs it"
    )
    known = schemathesis.checks
    checks = (known.not_a_server_error, known.status_code_conformance, known.content_type_conformance,
              known.response_schema_conformance)  # fmt: skip
    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{server.port}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 30
    statuses: Counter[int] = Counter()
    right_ones: Counter[str] = Counter()
    for operation in operations:
        right, wrong = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
        for mode in (right, wrong) if operation.method == "post" else (right,):

            @seed(0)
            @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
            @given(operation.as_strategy(generation_mode=mode))
            def check(case: Any) -> None:
                if case.media_type not in files.FORMS:  # the document says so, in words alone
                    case.query = {name: value for name, value in case.query.items() if name not in files.OPTIONS}
                response = case.call()
                statuses[response.status_code] += 1
                if case.method == "POST":
                    right_ones[case.path] += case.media_type == JSON and response.status_code == 200
                case.validate_response(response, checks=checks)

            check()
    assert min(statuses[200], statuses[400]) >= 100  # it was asked right and wrong
    assert len(right_ones) == 18
    for endpoint in ("predict", "infer"):
        assert sum(n for path, n in right_ones.items() if path.endswith(endpoint)) >= LEAST, endpoint
