"""The params and the inputs in which two runs differ."""

from headstart.comparison.params import ChangedParam, changed_inputs, changed_params


def test_values_that_differ_have_their_dotted_key() -> None:
    a = {"head": {"lr": 0.1, "same": 1}, "old": {"x": None}, "tune": {"phases": [{"lr": 1e-4}]}}
    b = {"head": {"same": 1, "lr": 0.2}, "tune": {"phases": [{"lr": 1e-4}, {"lr": 2e-4}]}}
    assert changed_params(a, b) == [
        ChangedParam("head.lr", "0.1", "0.2"),
        ChangedParam("old.x", "null", "-"),
        ChangedParam("tune.phases.1.lr", "-", "0.0002"),
    ]


def test_values_are_written_as_in_params_yaml() -> None:
    found = changed_params({"a": {"x": True, "y": ""}}, {"a": {"x": False, "y": "jpeg"}})
    assert found == [ChangedParam("a.x", "true", "false"), ChangedParam("a.y", '""', "jpeg")]


def test_a_key_that_one_run_lacks_differs_from_an_empty_one() -> None:
    assert changed_params({"a": {"x": None}}, {"a": {"y": 1}}) == [
        ChangedParam("a.x", "null", "-"),
        ChangedParam("a.y", "-", "1"),
    ]


def test_inputs_differ_by_digest_or_by_their_absence() -> None:
    a = {"src/b": "1", "src/a": "1", "same": "1"}
    assert changed_inputs(a, {"src/b": "2", "same": "1", "new": "1"}) == ["new", "src/a", "src/b"]
