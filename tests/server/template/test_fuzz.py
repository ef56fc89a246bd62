"""Any expression, well-formed or broken: a text, or an ExpressionError that knows its place; never anything else, and soon."""

from __future__ import annotations

import string

from golden_workflows import OBJECTS, RecordedServices
from hypothesis import given, settings
from hypothesis import strategies as st

from server.lint.expressions import analyse
from server.template.access import service_objects
from server.template.builtins import FUNCTIONS
from server.template.errors import ExpressionError
from server.template.functions import UTILITIES
from server.template.render import render
from server.template.scope import Function
from server.template.syntax import PREDICATES
from server.workflow.variables import Lineage

SERVICES = service_objects(RecordedServices({"flp001": "ITS"}, {"flp001": ["1"]}))
VARIABLES = {"a": "1", "b": "true", "list": '["x","y"]', "broken": "[", "empty": "", "ü": "ö", "len": "7", "h-y": "z"}
ROLE = Lineage("r", "w.r", Lineage("w", "w", None, {}, {}, {}), {}, {}, {})
ALL = {name: value for name, value in {**SERVICES, **OBJECTS, **ROLE.objects({})}.items() if name != "Dump"}
OBJECTS_TRIED = {**ALL, "util": {"PrefixedOverride": UTILITIES["PrefixedOverride"]}, "Dump": Function((), lambda: "")}

names = st.sampled_from([*VARIABLES, "nope", "$env", "strings", "json", "config", "inventory", "odc", "Parent"])
members = st.sampled_from(
    ["strings.ToLower", "strings.Atoi", "strings.Itoa", "strings.IsFalsy", "json.Unmarshal", "json.Marshal", "json.Sort",
     "uid.New", "util.PrefixedOverride", "inventory.DetectorForHost", "inventory.CRUCardsForHost", "config.Resolve",
     "config.Get", "runtime.Get", "Parent().Path", "Up", "This", "strings.Nope", "SuffixInRange", "FromJson", "ToJson", "Atoi"]
)  # fmt: skip
numbers = st.one_of(
    st.integers(-5, 300).map(str),
    st.sampled_from(
        ["0x1F", "1_000", "1e3", ".5", "1.", "1e400", "9223372036854775807", "9223372036854775808", "0b1", "1..3"]
    ),
)
texts = st.one_of(
    st.text(max_size=6).map(lambda text: "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"),
    st.sampled_from(
        ["''", '"a"', "`r`", "'\\x41'", "'\\ud800'", "'[1,2]'", "'{\"k\":1}'", "'\\n'", "'😀'", "'\\0'", "'(a+)+$'"]
    ),
)
atoms = st.one_of(
    names,
    numbers,
    texts,
    st.sampled_from(["true", "false", "nil", "[]", "{}", "#", "#index", "#acc", ".x"]),
    st.sampled_from(["date('2024-02-29')", "duration('-1h2ns')", "timezone('UTC')", "now()", "date('1:02', '3:04')"]),
)
operators = st.sampled_from(
    ["+", "-", "*", "/", "%", "**", "^", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "and", "or", "in", "not in",
     "contains", "matches", "startsWith", "endsWith", "..", "??", "|"]
)  # fmt: skip
functions = st.one_of(members, st.sampled_from(sorted(FUNCTIONS)), st.sampled_from(sorted(PREDICATES)), names)


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    arguments = st.lists(inner, max_size=3).map(", ".join)
    return st.one_of(
        st.tuples(inner, operators, inner).map(" ".join),
        st.tuples(st.sampled_from(["!", "-", "not ", "+"]), inner).map("".join),
        st.tuples(inner, inner, inner).map(lambda three: f"({three[0]}) ? {three[1]} : {three[2]}"),
        st.tuples(functions, arguments).map(lambda two: f"{two[0]}({two[1]})"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]})[{two[1]}]"),
        st.tuples(inner, inner, inner).map(lambda three: f"({three[0]})[{three[1]}:{three[2]}]"),
        st.tuples(inner, st.sampled_from(["x", "Path", "Name", "Hours()", "Month()", "Add"])).map(
            lambda two: f"({two[0]})?.{two[1]}"
        ),
        arguments.map(lambda inside: f"[{inside}]"),
        st.tuples(inner, inner).map(lambda two: f"{{k: {two[0]}, 'l': {two[1]}}}"),
        st.tuples(inner, inner).map(lambda two: f"let v = {two[0]}; [v, {two[1]}]"),
        st.tuples(inner, inner).map(lambda two: f"if {two[0]} {{ {two[1]} }} else {{ 1 }}"),
        st.tuples(st.sampled_from(sorted(PREDICATES)), inner, inner).map(
            lambda three: f"{three[0]}({three[1]}, {three[2]})"
        ),
    )


expressions = st.recursive(atoms, larger, max_leaves=12)
bits = st.sampled_from(
    [*"+-*/%()[]{}.,:;?!|&<>='\"`\\#$@ \n\t\0", "{{", "}}", "/*", "*/", "//", "let ", "in", "not", "é", "１", "a", "1"]
)  # fmt: skip
broken = st.one_of(
    st.text(max_size=60),
    st.lists(st.one_of(bits, atoms, operators), max_size=30).map("".join),
    st.tuples(expressions, st.integers(0, 60), bits).map(
        lambda three: three[0][: three[1]] + three[2] + three[0][three[1] :]
    ),
)
QUICK = settings(deadline=60_000)


def try_out(expression: str) -> None:
    text = "{{ " + expression + " }}"
    analysis = analyse(text, {**UTILITIES, **OBJECTS_TRIED})
    try:
        assert isinstance(render(text, VARIABLES, OBJECTS_TRIED), str)
    except ExpressionError as error:
        assert error.message
        assert -1 <= error.offset <= len(text)
        assert 0 <= error.offset_in(text) <= len(text) or "}}" in expression
    assert all(0 <= fault.offset <= len(text) for fault in analysis.faults)
    assert all(text[use.offset :].startswith(use.name) or "$env" in text for use in analysis.uses)


@settings(QUICK, max_examples=300)
@given(expressions)
def test_an_expression_of_sensible_parts_gives_a_text_or_an_error_with_its_place(expression: str) -> None:
    try_out(expression)


@settings(QUICK, max_examples=300)
@given(broken)
def test_an_expression_of_any_characters_gives_a_text_or_an_error_with_its_place(expression: str) -> None:
    try_out(expression)


@settings(QUICK, max_examples=200)
@given(st.text(alphabet=string.printable + "{}{}{}é\0😀", max_size=80))
def test_any_text_with_braces_gives_a_text_or_an_error(text: str) -> None:
    try:
        assert isinstance(render(text, VARIABLES, OBJECTS_TRIED), str)
    except ExpressionError as error:
        assert error.message
