"""Small models of every kind, trained once, and one server for all of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.serving.running import Kind, Running, serving
from tests.serving.small_models import made


@pytest.fixture(scope="session")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Kind]:
    return made(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def server(kinds: dict[str, Kind]) -> Iterator[Running]:
    with serving(*(kind.path for kind in kinds.values()), "--threads", "2", "--max-rows", "500") as running:
        yield running
