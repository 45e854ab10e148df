"""The settings `-S key=value` of repeated experiments, checked before any of them is queued."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from headstart.project.errors import HeadstartError
from headstart.project.params import PARAMS_FILE, read_params


class SettingsError(HeadstartError):
    """A setting that no group of experiments can share."""


def parse_settings(settings: Iterable[str]) -> dict[str, Any]:
    """Return dotted key -> value of settings `key=value`, read as `dvc exp run -S` reads them.

    A key of another file than params.yaml keeps the file's name in front, as `other.yaml:key`.

    Raises:
        SettingsError: a setting is not of this form, or stands for several values.
    """
    return dict(_parse(setting) for setting in settings)


def check_settings(settings: Mapping[str, Any], own: Collection[str]) -> None:
    """Refuse settings of the keys `own`, in which the experiments differ.

    Raises:
        SettingsError: names the key.
    """
    for key in settings:
        if key in own:
            raise SettingsError(f"-S {key} cannot be set: the experiments must differ in it.")


def require_stratified(settings: Mapping[str, Any], root: Path) -> None:
    """Refuse folds of a split that is given by folders.

    Args:
        settings: of the experiments; they override params.yaml in the folder `root`.

    Raises:
        ParamsError: params.yaml is missing or no YAML.
        SettingsError: index_images.split is not stratified.
    """
    key = "index_images.split"
    section = read_params(root / PARAMS_FILE).get("index_images")
    split = settings.get(key, section.get("split") if isinstance(section, dict) else None)
    if split != "stratified":
        raise SettingsError(
            f"{root / PARAMS_FILE}: {key} is {split!r}, but must be stratified to draw folds: "
            f"change it, or add -S {key}=stratified."
        )


def _parse(setting: str) -> tuple[str, Any]:
    from dvc.utils.hydra import to_hydra_overrides

    name, equals, value = setting.partition("=")
    file, _, key = name.rpartition(":")
    if not key or not equals:
        raise SettingsError(f"-S {setting!r} must be key=value, such as train_head.lr=0.01.")
    try:
        [override] = to_hydra_overrides([f"{key}={value}"])
    except Exception as error:  # from a parser that is DVC's dependency, not ours
        reason = str(error).splitlines()[0]
        raise SettingsError(f"DVC cannot read -S {setting!r}: {reason}.") from None
    if override.is_sweep_override():
        raise SettingsError(
            f"-S {setting!r} stands for several values, but all experiments get the same one; "
            "write a list as [1,2] and a text with a comma in quotes."
        )
    ours = file in ("", str(PARAMS_FILE))
    return override.key_or_group if ours else f"{file}:{override.key_or_group}", override.value()
