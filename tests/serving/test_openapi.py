"""The description of the API holds: schemathesis asks what it says can be asked, and what it says can't."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings

from tests.serving.running import Running

EXAMPLES = 25
"""Of each operation, right ones and wrong ones each."""


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
    for operation in operations:
        right, wrong = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
        for mode in (right, wrong) if operation.method == "post" else (right,):

            @seed(0)
            @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
            @given(operation.as_strategy(generation_mode=mode))
            def check(case: Any) -> None:
                response = case.call()
                statuses[response.status_code] += 1
                case.validate_response(response, checks=checks)

            check()
    assert min(statuses[200], statuses[400]) >= 30  # it was asked right and wrong
