"""The params and the inputs in which two runs differ."""

from headstart.comparison.params import ChangedParam, changed_inputs, changed_params


def texts(changes: list[ChangedParam]) -> list[tuple[str, ...]]:
    return [(change.key, *change.texts()) for change in changes]


def test_values_that_differ_have_their_dotted_key() -> None:
    a = {"head": {"lr": 0.1, "same": 1}, "old": {"x": None}, "tune": {"phases": [{"lr": 1e-4}]}}
    b = {"head": {"same": 1, "lr": 0.2}, "tune": {"phases": [{"lr": 1e-4}, {"lr": 2e-4}]}}
    found = changed_params(a, b)
    assert [(change.key, change.values()) for change in found] == [
        ("head.lr", {"a": 0.1, "b": 0.2}),
        ("old.x", {"a": None}),
        ("tune.phases.1.lr", {"b": 2e-4}),
    ]
    assert texts(found)[1:] == [("old.x", "null", "-"), ("tune.phases.1.lr", "-", "0.0002")]


def test_values_are_written_as_in_params_yaml() -> None:
    found = changed_params({"a": {"x": True, "y": ""}}, {"a": {"x": False, "y": "jpeg"}})
    assert texts(found) == [("a.x", "true", "false"), ("a.y", '""', "jpeg")]


def test_inputs_differ_by_digest_or_by_their_absence() -> None:
    a = {"src/b": "1", "src/a": "1", "same": "1"}
    assert changed_inputs(a, {"src/b": "2", "same": "1", "new": "1"}) == ["new", "src/a", "src/b"]
