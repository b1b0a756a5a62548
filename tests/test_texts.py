"""Texts in files, and what of them is refused."""

import pytest

from gatewright.errors import ConfigError
from gatewright.limits import MOST_DEPTH, MOST_JSON, MOST_OBJECTS
from gatewright.texts import parse_json, read_object, read_toml


def test_plain_values_are_read():
    assert parse_json('{"a": [1, -2.5, true, null, "é"], "b": {}}') == {
        "a": [1, -2.5, True, None, "é"],
        "b": {},
    }
    deepest = "[" * MOST_DEPTH + "]" * MOST_DEPTH
    assert str(parse_json(deepest)).replace(" ", "") == deepest
    assert parse_json("[Infinity]", finite=False) == [float("inf")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * (MOST_DEPTH + 1) + "]" * (MOST_DEPTH + 1), "nested more than 64 deep"),
        ("[" * 100_000, "nested more than 64 deep"),
        ('{"a": {"b": 1, "b": 2}}', "'b' comes twice"),
        ("[NaN]", "nan is no finite number"),
        ("[-Infinity]", "-inf is no finite number"),
        ("[1e999]", "inf is no finite number"),
        ('{"a": 36893488147419103232}', "an integer above"),
        ('["\\ud800"]', "surrogates not allowed"),
        ('{"\\ud800": 1}', "surrogates not allowed"),
        ("[" + "{}," * MOST_OBJECTS + "{}]", "objects and lists; at most"),
        (" " * (MOST_JSON + 1), "characters; at most"),
    ],
)
def test_others_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_json(text)


def test_files_are_named(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("[1]")
    with pytest.raises(ConfigError, match=r"a\.json: not settings: must be a JSON object"):
        read_object(path, "settings", ConfigError)
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"a\.json: not settings \(UnicodeDecodeError"):
        read_object(path, "settings", ConfigError)
    path = tmp_path / "a.toml"
    path.write_text('a = [1, "b"]')
    assert read_toml(path, "settings", ConfigError) == {"a": [1, "b"]}
    for text, message in (
        ("a = inf", "inf is no"),
        ("a." * 3000 + "a = 1", "more than 2048 dots"),
        ("a", "TOMLDec"),
    ):
        path.write_text(text)
        with pytest.raises(ConfigError, match=rf"a\.toml: not settings \(.*{message}"):
            read_toml(path, "settings", ConfigError)
