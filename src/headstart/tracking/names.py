"""Names of metrics and params that MLflow accepts; a class may have any name."""

import hashlib
import posixpath
import re

NOTE = "mlflow.note.content"  # MLflow's own tag: the description of a run or an experiment
MAX_LENGTH = 250  # mlflow.utils.validation.MAX_ENTITY_KEY_LENGTH
REFUSED = re.compile(r"[^/\w.\- :]")  # by validate_param_and_metric_name, in the same module
MARK = re.compile(r"--[0-9a-f]{8}\Z")  # the end of every name that is not the original one


def mlflow_name(key: str) -> str:
    """Return the name of `key` in MLflow: the same in every run, and different from all other keys'.

    A key that MLflow accepts stays as it is. In any other key, `_` replaces each character that
    MLflow refuses, the end is cut, and the first 8 hex digits of the key's sha256 follow:
    `recall.a+b` becomes `recall.a_b--28dfc35e`. Two keys share a name only if these digits are equal
    too. A key that already ends in such a mark gets a second one, so that it never equals the changed
    name of another key.
    """
    if _taken(key) and not MARK.search(key):
        return key
    mark = "--" + hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    name = REFUSED.sub("_", key)[: MAX_LENGTH - len(mark)] + mark
    return name if _taken(name) else re.sub(r"\A\.\.|/", "_", name)


def _taken(name: str) -> bool:
    """Whether MLflow accepts `name`: its characters, its length, and that it is a normal path."""
    if REFUSED.search(name) or len(name) > MAX_LENGTH or name == ".":
        return False
    return posixpath.normpath(name) == name and not name.startswith(("..", "/"))
