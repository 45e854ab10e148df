"""The description of a row."""

from typing import Any

from headstart.steps.publish_run import publish_run
from headstart.tracking.summary import again, summary

PARAMS = {
    "dataset": {"source": "sources/textile.yaml"},
    "backbone": {"name": "resnet18", "weights": "w.yaml", "size_px": 224},
}
PLAIN = {"n_pictures": 1400, "accuracy": 0.9, "accuracy_ci_low": 0.85, "accuracy_ci_high": 0.95}
METRICS: dict[str, dict[str, Any]] = {
    "index_images": {
        "n_pictures": 7000,
        "splits": {
            "train": {"n": 4200, "per_class": {"good": 4000, "a.b": 200}},
            "valid": {"n": 1400, "per_class": {"good": 1400}},
        },
    },
    "tta_evaluate": {"valid": {"plain": PLAIN, "tta": {"n_pictures": 1400, "accuracy": 0.92}}},
}


def test_a_summary_says_what_a_row_is() -> None:
    text = summary(publish_run(PARAMS, METRICS), ["a=1", "b=2"], 90_000, ["data/report.html"])
    assert text == (
        "- **Valid accuracy 0.9000 (0.850 to 0.950)**; TTA 0.9200; 1,400 pictures\n"
        "- **Differs from the row before**: `a=1`, `b=2`\n"
        "- **Data**: `sources/textile.yaml`, 7,000 pictures (train 4,200, valid 1,400)\n"
        "- **Network**: resnet18, 224 px, weights `w.yaml`\n"
        "- **Classes** (2, pictures of train): `good` 4,000, `a.b` 200\n"
        "- **Time**: 1.5 minutes, the sum over all stages, also those not run again\n"
        "- **Report**: `report.html` under *Artifacts*; `data/report.html` on disk\n"
    )


def test_a_summary_stays_short() -> None:
    classes = {f"c{i}": 1 for i in range(1000)}
    counted = {"index_images": {"splits": {"train": {"n": 1000, "per_class": classes}}}}
    text = summary(publish_run({}, counted), [f"p{i}=1" for i in range(100)], 0, [])
    assert "`p19=1` and 80 more\n" in text
    assert "(1,000, pictures of train)" in text and text.endswith("`c19` 1, …\n")


def test_a_row_says_how_to_get_it_again() -> None:
    assert "`dvc exp apply calm-otter`" in again("0123456789abcdef", "calm-otter")
    assert "`git checkout 0123456789`, `params.yaml`" in again("0123456789abcdef", "")
    assert again("", "") == "- **Again**: `params.yaml` as under *Parameters*, `dvc repro`\n"
