"""Reads XML as boost::property_tree does, which is not as strict as XML is: no names of closing tags are compared, no root
element is asked for, entities that it does not know stay as they are, and text between elements is kept, blanks too.
"""

from __future__ import annotations

import re

from occ.errors import ConfigError
from occ.properties import Properties

_BLANK = re.compile(r"[ \t\r\n]*")
_NAME = re.compile(r"[^ \t\r\n/>?]*")
_ATTRIBUTE = re.compile(r"[^ \t\r\n/<>=?!]+")
_DOCTYPE = re.compile(r"!DOCTYPE[ \t\r\n]")
_REFERENCE = re.compile(r"&(?:(amp|apos|quot|gt|lt);|#(?:x([0-9A-Fa-f]*)|([0-9A-Fa-f]*))(;?))")
_CHARACTERS = {"amp": "&", "apos": "'", "quot": '"', "gt": ">", "lt": "<"}
_ULONG = 0xFFFFFFFFFFFFFFFF


def parse_xml(text: str) -> Properties:
    """Elements become nodes, attributes leaves below ``<xmlattr>``, comments leaves named ``<xmlcomment>``.

    Raises:
        ConfigError: it cannot be read, by boost neither.
    """
    return _Reader(text.partition("\0")[0].removeprefix("\ufeff")).read()


class _Reader:
    """One text and how far it is read."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._open = [Properties()]
        """The root and the elements that are open."""

    def read(self) -> Properties:
        while True:
            if len(self._open) == 1:
                self._skip(_BLANK)
                if self._at == len(self._text):
                    return self._open[0]
                self._expect("<")
                self._node()
            elif not self._text.startswith("<", self._at):
                end = self._text.find("<", self._at)
                if end < 0:
                    raise self._error("unexpected end of data")
                self._open[-1].value += self._plain(self._text[self._at : end])
                self._at = end
            elif self._take("</"):
                self._skip(_NAME)
                self._skip(_BLANK)
                self._expect(">")
                self._open.pop()
            else:
                self._expect("<")
                self._node()

    def _node(self) -> None:
        """Read what begins with "<", which is behind."""
        into = self._open[-1]
        if self._take("?"):
            self._until("?>")
        elif self._take("!--"):
            into.append("<xmlcomment>", Properties(self._until("-->")))
        elif self._take("![CDATA["):
            into.value += self._until("]]>")
        elif self._skip(_DOCTYPE):
            self._document_type()
        elif self._take("!"):
            self._until(">")
        else:
            self._element(into)

    def _element(self, into: Properties) -> None:
        name = self._skip(_NAME)
        if not name:
            raise self._error("expected element name")
        node = Properties()
        into.append(name, node)
        self._skip(_BLANK)
        attributes = Properties()
        while key := self._skip(_ATTRIBUTE):
            self._skip(_BLANK)
            self._expect("=")
            self._skip(_BLANK)
            quote = "'" if self._take("'") else '"'
            if quote == '"':
                self._expect('"')
            attributes.append(key, Properties(self._plain(self._until(quote))))
            self._skip(_BLANK)
        if len(attributes):
            node.append("<xmlattr>", attributes)
        if self._take("/"):
            self._expect(">")
        else:
            self._expect(">")
            self._open.append(node)

    def _document_type(self) -> None:
        """Skip it; what it declares is not known afterwards."""
        depth = 0
        for position in range(self._at, len(self._text)):
            character = self._text[position]
            if character == ">" and not depth:
                self._at = position + 1
                return
            depth += (character == "[") - (character == "]" and depth > 0)
        raise self._error("unexpected end of data")

    def _plain(self, text: str) -> str:
        return _REFERENCE.sub(self._character, text)

    def _character(self, found: re.Match[str]) -> str:
        name, hexadecimal, decimal, end = found.groups()
        if name:
            return _CHARACTERS[name]
        base, digits = (10, decimal) if hexadecimal is None else (16, hexadecimal)
        code = 0
        for digit in digits:
            code = (code * base + int(digit, 16)) & _ULONG
        if not end:
            raise self._error("expected ;")
        if code > 0x10FFFF or 0xD800 <= code < 0xE000:
            raise self._error("invalid numeric character entity")
        return chr(code)

    def _skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            return ""
        self._at = found.end()
        return found[0]

    def _take(self, text: str) -> bool:
        if not self._text.startswith(text, self._at):
            return False
        self._at += len(text)
        return True

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise self._error(f"expected {text}")

    def _until(self, end: str) -> str:
        """Return what comes before ``end``, and skip both."""
        position = self._text.find(end, self._at)
        if position < 0:
            raise self._error("unexpected end of data")
        passed = self._text[self._at : position]
        self._at = position + len(end)
        return passed

    def _error(self, what: str) -> ConfigError:
        return ConfigError(f"line {self._text.count(chr(10), 0, self._at) + 1}: {what}")
