"""All tags. Verbatim is known to tokens.py."""

from __future__ import annotations

from collections.abc import Mapping

from server.config.payload.document import TagReader
from server.config.payload.tags import conditions, entries, loops, lorem, names, texts

TAGS: Mapping[str, TagReader] = {
    "autoescape": texts.read_autoescape,
    "block": entries.read_block,
    "comment": texts.read_comment,
    "cycle": loops.read_cycle,
    "extends": entries.read_extends,
    "filter": texts.read_filter,
    "firstof": conditions.read_firstof,
    "for": loops.read_for,
    "if": conditions.read_if,
    "ifchanged": conditions.read_ifchanged,
    "ifequal": conditions.read_ifequal,
    "ifnotequal": conditions.read_ifequal,
    "import": names.read_import,
    "include": entries.read_include,
    "lorem": lorem.read_lorem,
    "macro": names.read_macro,
    "now": texts.read_now,
    "set": names.read_set,
    "spaceless": texts.read_spaceless,
    "ssi": entries.read_ssi,
    "templatetag": texts.read_templatetag,
    "widthratio": texts.read_widthratio,
    "with": names.read_with,
}
