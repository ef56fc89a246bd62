"""Filters of addresses: iriencode, urlize and urlizetrunc, which make links of those in a text.

The original's regular expressions take linear time whatever the text is; here the same is found step by step.
"""

from __future__ import annotations

import re
from urllib.parse import quote_plus

from server.config.payload.budget import Budget
from server.config.payload.characters import from_bytes, to_bytes
from server.config.payload.values import escape

_KEPT = frozenset("/#%[]=:;$&()+,!?*@'~")
_BEGIN = re.compile(r"https?://|www\.|(?:\A| )[0-9A-Za-z_\-]++\.(?:com|net|org|info|biz|de)")
_MAIL = re.compile(r"(\w++)(@\w++\.\w{2,4})?", re.ASCII)
_DOTS = "..."


def iriencode(whole: str) -> str:
    """Return a text with all that an address does not have written as ``%XX``."""
    shown = (c if c in _KEPT else "\ufffd" if "\udc80" <= c <= "\udcff" else c for c in whole)
    return "".join(c if c in _KEPT else quote_plus(c) for c in shown)


def urlize(whole: str, budget: Budget, *, escapes: bool = True, longest: int = 0) -> str:
    """Return a text with its addresses of pages and of mail as links.

    Args:
        whole: the text.
        budget: of the rendering.
        escapes: what a link shows is escaped.
        longest: bytes that a link shows, three of them dots; no limit below 4.
    """
    kept: list[str] = []
    at = length = 0
    while begin := _BEGIN.search(whole, at):
        end = _end(whole, begin.end())
        if end < 0:  # the line ends before a blank does
            following = whole.find("\n", begin.end())
            kept.append(whole[at:following])
            at = following
            continue
        link = _link(whole[begin.start() : end], escapes=escapes, longest=longest)
        kept += (whole[at : begin.start()], link)
        length += len(link)
        budget.reserve(length)
        at = end
    found = "".join(kept) + whole[at:]
    return _MAIL.sub(lambda match: _mail(match, longest), found)


def _end(whole: str, at: int) -> int:
    """Return where the blanks after an address end, -1 if its line ends before."""
    blank = whole.find(" ", at)
    line = whole.find("\n", at, blank if blank >= 0 else len(whole))
    if line >= 0:
        return -1
    if blank < 0:
        return len(whole)
    while whole.startswith(" ", blank):
        blank += 1
    return blank


def _link(found: str, *, escapes: bool, longest: int) -> str:
    before, behind = " " if found.startswith(" ") else "", " " if found.endswith(" ") else ""
    address = found.strip()
    target = iriencode(address)
    title = _shortened(address, longest)
    shown = escape(title) if escapes else title
    full = target if target.startswith("http") else f"http://{target}"
    return f'{before}<a href="{full}" rel="nofollow">{shown}</a>{behind}'


def _mail(match: re.Match[str], longest: int) -> str:
    if not match[2]:
        return match[0]
    return f'<a href="mailto:{match[0]}">{_shortened(match[0], longest)}</a>'


def _shortened(title: str, longest: int) -> str:
    data = to_bytes(title)
    return from_bytes(data[: longest - len(_DOTS)]) + _DOTS if len(data) > longest > len(_DOTS) else title
