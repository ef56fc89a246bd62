"""Component templates against what the original engine made of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from server.config.payload.errors import PayloadError
from server.config.payload.templates import PayloadTemplates


@pytest.mark.reference
def test_all_component_templates_render_as_the_original_renders_them(reference: Path) -> None:
    vectors = json.loads((reference / "golden" / "component-template-vectors.json").read_text())
    assert len(vectors["cases"]) >= 40
    for case in vectors["cases"]:
        entries = {**vectors["other_entries"], vectors["path"]: case["template"]}
        try:
            result = PayloadTemplates().render(entries.get, vectors["path"], vectors["vars"])
        except PayloadError:
            assert "error" in case, case["template"]
        else:
            assert result == case.get("result"), case["template"]
