"""JSON documents as the configuration service writes them: indented by tabs, as Go does, with sorted keys."""

from __future__ import annotations

import json

from server.config.store import Store, segments
from server.config.tree import Folder

_ESCAPED = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"})
"""Go escapes these, which stand only inside of texts."""


def indented(value: object) -> str:
    """Return a value as JSON text of several lines, without a last newline."""
    return json.dumps(value, indent="\t", sort_keys=True, ensure_ascii=False).translate(_ESCAPED)


def subtree(store: Store, path: str) -> str:
    """Return all below a folder as a JSON object of objects and texts; a single text as a JSON string.

    Nothing there is an empty object. Where a text and a folder have the same name, the folder is told.
    """
    found = store.get_tree(path)
    if not found and segments(path) and (text := store.get(path)) is not None:
        return indented(text)
    root: Folder = {}
    for key, value in found.items():
        *above, name = segments(key)
        folder = root
        for part in above:
            below = folder.get(part)
            if not isinstance(below, dict):
                below = folder[part] = {}
            folder = below
        if not isinstance(folder.get(name), dict):
            folder[name] = value
    return indented(root)
