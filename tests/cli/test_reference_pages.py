"""The reference pages say what the code does: they are made from it."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "script",
    [
        "docs/reference/make_settings_md.py",
        "docs/reference/make_command_line_md.py",
        "docs/reference/make_hostile_files_md.py",
        "docs/reference/make_metrics_md.py",
        "docs/reference/make_speed_md.py",
        "docs/reference/make_tables_md.py",
        "docs/reference/make_quality_md.py",
        "docs/reference/make_pictures_md.py",
        "docs/reference/make_decisions_md.py",
        "docs/guide/make_separate_or_joint_md.py",
        "docs/how-to/make_splits_md.py",
        "docs/how-to/make_mlp_examples_md.py",
        "tests/bad_input/make_errors_md.py",
    ],
)
def test_a_generated_page_is_what_its_script_makes(script: str) -> None:
    made = runpy.run_path(str(ROOT / script))

    assert made["PAGE"].read_text(encoding="utf-8") == made["page"](), f"run: python {script}"
