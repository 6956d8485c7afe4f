"""Patches are found by what is known of them, and nothing that is written is ever run."""

import operator
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_tsimcne import InputError
from napari_tsimcne.explore import find

COUNT = 40

TABLE = pd.DataFrame({
    "patch": np.arange(6),
    "area": [100.0, 250.0, np.nan, 300.0, 50.0, 250.0],
    "treatment": ["drug A", "drug B", None, "drug A", "Control", "drug A"],
    "mean DNA": [1, 2, 3, 4, 5, 6],
    "day": pd.array([1, None, 3, 1, 2, 3], dtype="Int64"),
    "control": [True, False, True, False, True, False],
    "seen": pd.array([True, None, False, True, True, False], dtype="boolean"),
    "image": ["well A (1).tif", "well A (2).tif", "well B+.tif", "b", "b", "b"],
    "size µm²": [1.5, 2, 3, 4, 5, 6],
    "gräße_µm": [1, 2, 3, 4, 5, 6],
    "cluster": pd.Categorical(["mitotic", None, "mitotic", "dead", None, "dead"]),
})  # fmt: skip


@pytest.mark.parametrize("text, rows", [
    ("treatment == 'drug A' and area > 200", [3, 5]),
    ("cluster == 'mitotic'", [0, 2]),
    ("cluster != 'mitotic'", [1, 3, 4, 5]),
    ("cluster.isna() or day.isna()", [1, 4]),
    ("treatment.notna() and not control", [1, 3, 5]),
    ("image.str.contains('well A')", [0, 1]),
    ("image.str.contains('B+')", [2]),
    ("treatment.str.lower().str.startswith('c')", [4]),
    ("image.str.endswith(').tif')", [0, 1]),
    ("100 <= area < 300", [0, 1, 5]),
    ("not area > 100", [0, 2, 4]),
    ("`mean DNA` * 2 - 1 >= area / 50 + day", [3, 4, 5]),
    ("-area < -260", [3]),
    ("day in [1, 2]", [0, 3, 4]),
    ("day not in (1, 2)", [1, 2, 5]),
    ("treatment in ['drug B', 'Control']", [1, 4]),
    ("treatment in []", []),
    ("(area > 200) & ~control | (day == 2)", [1, 3, 4, 5]),
    ("control", [0, 2, 4]),
    ("seen", [0, 3, 4]),
    ("seen == False", [2, 5]),
    ("control == 1", [0, 2, 4]),
    ("treatment == cluster", []),
    ("treatment > 'drug A'", [1]),
    ("'drug A' < treatment", [1]),
    ("`size µm²` > 4.5", [4, 5]),
    ("gräße_µm == 3", [2]),
    ("treatment == 'it`s a `mean DNA`'", []),
    ("DRUG a", [0, 3, 5]),
    ("'mitotic'", [0, 2]),
    ("\"well B+\"", [2]),
    ("well-A", []),
    ("nobody", []),
    ("(True)", [0, 1, 2, 3, 4, 5]),
    ("2 > 3", []),
    ("area / 0 > 1", [0, 1, 3, 4, 5]),
    ("9 ** 9 ** 9 ** 9 > area", [0, 1, 3, 4, 5]),
])  # fmt: skip
def test_patches_are_found(text, rows):
    found = find(TABLE, text)
    assert found.dtype == bool and found.shape == (6,)
    assert np.flatnonzero(found).tolist() == rows


@pytest.mark.parametrize("text, words", [
    ("", "nothing to find"),
    ("aera > 200", "no column is called 'aera': did you mean area?"),
    ("`mean dna ` > 2", "did you mean `mean DNA`?"),
    ("treatment == drug", "put it in quotes"),
    ("treatment == 3", "'treatment' is text and cannot be compared with 3: put texts in quotes"),
    ("area > '200'", "'area' is no text and cannot be compared with the text '200'"),
    ("mean DNA > 2", "put mean DNA in backticks, as `mean DNA`"),
    ("area = 2", "write == to compare"),
    ("area > 2 && day == 1", "write 'and' or 'or'"),
    ("area > 2 & day == 1", "brackets"),
    ("area", "'area' is compared with nothing"),
    ("mean DNA", "'mean DNA' is compared with nothing"),
    ("treatment", "'treatment' is compared with nothing"),
    ("(`mean DNA` + 1)", "`mean DNA` + 1 is compared with nothing"),
    ("(1)", "1 is compared with nothing"),
    ("12", "12 is compared with nothing"),
    ("area and day", "'area' beside 'and'"),
    ("treatment * 2 == 'a'", "reckoned"),
    ("day in 3", "list"),
    ("area is (3)", "'is' compares no values"),
    ("treatment == None", "neither a number nor a text"),
    ("area == 1j", "neither a number nor a text"),
    ("area.str.contains('2')", "'area' is no text"),
    ("treatment.str.contains(2)", "takes one text"),
    ("treatment.str.contains('a', 2)", "takes one text"),
    ("treatment.str.match('a')", "'.str.match' cannot be used here"),
    ("area > ", "cannot be read"),
    ("area == " + "9" * 1000, "1,000 characters"),
])  # fmt: skip
def test_what_is_wrong_is_said_in_one_sentence(text, words):
    with pytest.raises(InputError) as caught:
        find(TABLE, text)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


HOSTILE = [
    "__import__('os').system('true')",
    "().__class__.__bases__[0].__subclasses__()",
    "treatment.__class__ == 1",
    "treatment.str.__class__ == 1",
    "treatment.str.contains.__globals__ == 1",
    "area.map(print) == 1",
    "area.to_csv('here') == 1",
    "area.isna.__self__ == 1",
    "area.isna(1)",
    "area.isna().any()",
    "@area > 1",
    "@__builtins__ == 1",
    "open('here', 'w')",
    "exec('1')",
    "eval('1') == 1",
    "print('a')",
    "[print(x) for x in (1, 2)]",
    "(lambda: print('a'))()",
    "(y := 3) > 2",
    "f'{print(1)}' == 'a'",
    "f\"{().__class__}\" == 'a'",
    "treatment[0] == 'a'",
    "treatment[print('a'):] == 'a'",
    "{'a': print('a')} == 1",
    "'a' * 10**12 == 'b'",
    "'%s' % area == 'a'",
    "'{0.__class__}'.format(area) == 'a'",
    "area if print('a') else day",
    "treatment.str.contains(print('a'))",
    "treatment.str.contains(*'a')",
    "treatment.str.contains(pat='a')",
    "treatment.str.contains(**{'pat': 'a'})",
    "treatment.str.repeat(10**12) == 'a'",
    "area > 1; import os",
    "import os, sys as (s)",
    "del area > 1",
    "(yield area) > 1",
    "await area > 1",
    "1 << 10**12 > area",
    "area @ area > 1",
    "... == 1",
    "b'a' == treatment",
    "\0 > 1",
    "`area`.real > 1",
    "`__import__('os')` > 1",
    "(" * 450 + "area" + ")" * 450 + " > 1",
    "-" * 950 + "area > 1",
    "area" + " + 1" * 230 + ".__class__ > 1",
    "_ > 1",
    "__name__ == 'a'",
]


class Watch:
    """Notes whether Python runs code, opens files or imports, while it is switched on."""

    def __init__(self):
        self.on, self.seen = False, []
        # A hook stays until Python ends.
        sys.addaudithook(self._note)

    def _note(self, event, args):
        if self.on and event in ("exec", "open", "import", "os.system", "subprocess.Popen"):
            self.seen.append((event, args))


@pytest.fixture(scope="module")
def watch():
    return Watch()


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_is_ever_executed(text, watch, monkeypatch, tmp_path, capfd):
    monkeypatch.chdir(tmp_path)
    watch.on, watch.seen = True, []
    try:
        with pytest.raises(InputError) as caught:
            find(TABLE, text)
    finally:
        watch.on = False
    assert len(str(caught.value)) < 300
    assert watch.seen == []
    assert list(tmp_path.iterdir()) == [] and capfd.readouterr().out == ""


def test_the_watch_sees_code_run(watch):
    watch.on, watch.seen = True, []
    try:
        eval("1")
    finally:
        watch.on = False
    assert watch.seen


@given(st.text(max_size=60) | st.text("areatmnlusy`'\"()[]<>=!&|~.,+-*/%0123456789 _", max_size=60))
@settings(max_examples=300)
def test_any_text_is_answered(text):
    try:
        assert find(TABLE, text).shape == (6,)
    except InputError as error:
        assert "\n" not in str(error).replace(text.strip(), "")


numbers = st.floats(-5, 5).map(lambda value: round(value, 1))
columns = st.sampled_from(["a", "b", "c d"])
SIGNS = {"<": operator.lt, "<=": operator.le, "==": operator.eq, "!=": operator.ne,
         ">": operator.gt, ">=": operator.ge}  # fmt: skip


def shown_as(name):
    return name if name.isidentifier() else f"`{name}`"


@st.composite
def expressions(draw, depth=3):
    """An expression, and a function that evaluates it by numpy alone."""
    kind = draw(st.sampled_from(["compare", "text", "and", "or", "not"] if depth else ["compare"]))
    if kind == "compare":
        name, sign, factor, limit = draw(
            st.tuples(columns, st.sampled_from(list(SIGNS)), numbers, numbers)
        )
        return (
            f"{shown_as(name)} * {factor} {sign} {limit}",
            lambda t: SIGNS[sign](t[name] * factor, limit),
        )
    if kind == "text":
        value = draw(st.sampled_from(["x", "y z", "none"]))
        sign = draw(st.sampled_from(["==", "!="]))
        return f"word {sign} '{value}'", lambda t: SIGNS[sign](t["word"], value)
    left, evaluate_left = draw(expressions(depth=depth - 1))
    if kind == "not":
        return f"not ({left})", lambda t: ~evaluate_left(t)
    right, evaluate_right = draw(expressions(depth=depth - 1))
    joined = np.logical_and if kind == "and" else np.logical_or
    return f"({left}) {kind} ({right})", lambda t: joined(evaluate_left(t), evaluate_right(t))


@given(expressions(), st.integers(0, 2**32 - 1))
def test_find_agrees_with_numpy(expression, seed):
    text, evaluated = expression
    random = np.random.default_rng(seed)
    plain = {name: random.normal(size=COUNT).round(1) for name in ("a", "b", "c d")}
    plain["a"][::7] = np.nan
    plain["word"] = random.choice(np.array(["x", "y z", "none", None], object), COUNT)
    assert np.array_equal(find(pd.DataFrame(plain), text), evaluated(plain).astype(bool))


def test_names_of_columns_in_python_are_no_danger():
    table = pd.DataFrame({"column0x": [1, 2], "class": [3, 4], "__class__": [5, 6]})
    assert find(table, "`class` == 3").tolist() == [True, False]
    assert find(table, "`class` > column0x + 2").tolist() == [False, False]
    assert find(table, "__class__ > 5").tolist() == [False, True]
