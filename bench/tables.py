"""What the benchmarks found, as tables, and into the pages that show them.

Run: python -m bench.tables     (fills README.md and docs/fine_tuning.md from bench/results)
"""

import itertools
import json
import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from scipy import stats

from headstart.core.intervals import wilson
from headstart.core.spread import mean_and_sd

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench/results"
PAGES = ("README.md", "docs/fine_tuning.md")
PARTS = {
    "fine_tuning": "fine-tuning with its range test",
    "other_work": "all other work",
    "start_up": "start-up (and DVC between the stages)",
}


def write_result(results: Path, found: Mapping[str, Any]) -> None:
    """What a benchmark found, as NAME.json in `results`."""
    results.mkdir(parents=True, exist_ok=True)
    (results / f"{found['name']}.json").write_text(json.dumps(found, indent=1) + "\n")


def with_interval(values: Sequence[float], n_pictures: int) -> str:
    """Mean and standard deviation of accuracies, and an interval, as 0.75 (0.01), 0.69 to 0.80.

    The standard deviation answers for the seed; three values carry no interval of their own. The
    interval answers for the choice of pictures: Wilson's, 95 %, of the mean as if one network had been
    right on that part of the pictures. The seeds share the pictures, so n is theirs, however many seeds
    there are; where seeds err on different pictures, their mean is better known than it says.
    """
    low, high = wilson(statistics.fmean(values) * n_pictures, n_pictures, 0.95)
    return f"{mean_and_sd(values)}, {low:.3f} to {high:.3f}"


def compare_table(found: Mapping[str, Any]) -> str:
    """The rows in Markdown: medians, and their ratios to ours."""
    recipe, epoch = found["recipe"], found["epoch"]
    lines = [
        "| what | headstart | fastai | ratio | torchvision's loop | ratio |",
        "|---|---|---|---|---|---|",
    ]

    def row(what: str, ours: list[float], *others: list[float]) -> None:
        middle = statistics.median(ours)
        cells = [f"{middle:.1f} s"]
        for other in others:
            if other:
                theirs = statistics.median(other)
                cells += [f"{theirs:.1f} s", f"{theirs / middle:.1f}"]
            else:
                cells += ["", ""]
        lines.append(f"| {what} | {' | '.join(cells)} |")

    def values_of(kind: Mapping[str, Any], who: str, key: str = "seconds") -> list[float]:
        return [result[key] for result in kind.get(who, []) if key in result]

    def spread(kind: Mapping[str, Any], who: str, key: str) -> str:
        return mean_and_sd(values_of(kind, who, key)) if kind.get(who) else ""

    if recipe:
        whose = [values_of(recipe, who) for who in ("headstart", "fastai")]
        row(f"whole recipe, first time, {found['size_px']} px", *whose, [])
        for part, label in PARTS.items():
            mine, peers = (values_of(recipe, who, part) for who in ("headstart", "fastai"))
            if mine:
                row(f"of it {label}", mine, peers, [])
        sd = f" (sd of {len(whose[0])} seeds)" if len(whose[0]) > 1 else ""
        for what, label in (("accuracy", "its accuracy of valid"), ("tta", "with TTA")):
            accuracies = (values_of(recipe, who, what) for who in ("headstart", "fastai"))
            cells = [with_interval(of, found["n_valid"]) if of else "" for of in accuracies]
            lines.append(f"| {label}: mean{sd}, interval | {' | '.join(cells)} | | | |")
    if head := found["head"]:
        about = f"{found['n_head']} pictures, {found['epoch_px']} px"
        whose = [values_of(head, who) for who in ("headstart", "fastai")]
        row(f"next experiment on the head, {about}", *whose, [])
    if epoch:
        whose = [values_of(epoch, who) for who in ("headstart", "fastai", "torchvision")]
        row(f"a fine-tuning epoch, {found['epoch_px']} px, batches of {found['batch']}", *whose)
        cosine = min(values_of(epoch, "headstart", "cosine"))
        lines.append(f"| cosine of its gradients with float64 | {cosine:.4f} | | | | |")
        ours, theirs, loop = (
            spread(epoch, who, "accuracy") for who in ("headstart", "fastai", "torchvision")
        )
        lines.append(f"| accuracy after two, mean (sd) | {ours} | {theirs} | | {loop} | |")
    idle = found["idle"].get("headstart", [])
    for what in idle[0] if idle else ():
        is_repro = what.startswith("`dvc repro`")
        label = f"{what}, {found['n_idle']} pictures" if is_repro else f"start-up, {what}"
        row(label, [result[what] for result in idle], [], [])
    how, versions = found["fastai"], found["machine"]
    layout = "channels_last" if how["last"] else "NCHW"
    packages = ", ".join(f"{name} {versions[name]}" for name in ("torch", "fastai", "timm"))
    n_seeds, n_rounds = (len(kind.get("headstart", [])) for kind in (recipe, epoch))
    threads = f", {found['threads']} thread a process" if found["threads"] else ""
    lines += [
        "",
        f"{found['name']}: {found['n_train']} pictures of train and {found['n_valid']} of valid"
        f"{_times(n_seeds, 'seed')}{_times(n_rounds, 'round')}; fastai in {layout} with "
        f"{how['n_workers']} workers{_waiting(how)}. {found['when']}, {versions['cores']} cores of "
        f"{versions['chip']}{threads}, {packages}. `{found['command']}`",
    ]
    return "\n".join(lines)


def _waiting(how: Mapping[str, Any]) -> str:
    """Of fastai's threads; results of before it was chosen do not say."""
    return f" and threads that {'sleep' if how['passive'] else 'spin'}" if "passive" in how else ""


def limits_table(found: Mapping[str, Any]) -> str:
    """What the machine can do, then what each part makes of it, in Markdown."""

    def number(value: float) -> str:
        return f"{value:.0f}" if value >= 100 else f"{value:.3g}"

    lines = ["| the machine | |", "|---|---|"]
    lines += [f"| {key} | {number(value)} |" for key, value in found["limits"].items()]
    lines += [f"| resize: {key} | {number(value)} |" for key, value in found["resize"].items()]
    networks = found["networks"]
    lines += ["", f"| at {found['size_px']} px | {' | '.join(networks)} |"]
    lines += ["|---" * (1 + len(networks)) + "|"]
    for key in next(iter(networks.values())):
        cells = [number(of_net[key]) for of_net in networks.values()]
        lines.append(f"| {key} | {' | '.join(cells)} |")
    about = found["machine"]
    lines += [
        "",
        f"{found['when']}, {about['cores']} cores of {about['chip']}, {found['threads']} threads, "
        f"torch {about['torch']}. `{found['command']}`",
    ]
    return "\n".join(lines)


def scale_table(found: Mapping[str, Any]) -> str:
    """Memory and milliseconds a picture at growing numbers, in Markdown."""
    rows = found["scale"]
    steps = list(rows[0]["ms"])
    lines = [
        f"| pictures | most memory, MB | with mapped files | ms a picture: {' | '.join(steps)} | all |",
        "|---" * (len(steps) + 4) + "|",
    ]
    for row in rows:
        times = [*row["ms"].values(), sum(row["ms"].values())]
        cells = [f"{row['n']:,}", f"{row['MB']:.0f}", f"{row['MB with mapped files']:.0f}"]
        lines.append(f"| {' | '.join([*cells, *(f'{ms:.2f}' for ms in times)])} |")
    width, height = found["generated_px"]
    about = found["machine"]
    lines += [
        "",
        f"Generated JPEGs of {width} x {height} px, input {found['size_px']} px. {found['when']}, "
        f"{about['cores']} cores of {about['chip']}, torch {about['torch']}. `{found['command']}`",
    ]
    return "\n".join(lines)


def neighbours_table(found: Mapping[str, Any]) -> str:
    """Seconds of an epoch, and how many times those of the same threads alone, in Markdown."""
    rows = found["neighbours"]
    alone = {way: statistics.median(_seconds(of_way)) for way, of_way in rows["nothing"].items()}

    def cells(results: Sequence[Mapping[str, Any]], alone_s: float) -> list[str]:
        middle = statistics.median(_seconds(results))
        over = "over " if any(result["over"] for result in results) else ""
        return [f"{over}{middle:.1f} s", f"{over}{middle / alone_s:.1f}"]

    lines = ["| beside it | threads spin | times alone | threads sleep | times alone |"]
    lines += ["|---|---|---|---|---|"]
    for beside, by_way in rows.items():
        both = [cell for way in ("spins", "sleeps") for cell in cells(by_way[way], alone[way])]
        lines.append(f"| {beside} | {' | '.join(both)} |")
    about = found["machine"]
    lines += [
        "",
        f"{found['n_train']} pictures at {found['size_px']} px, batches of {found['batch']}, "
        f"{found['threads']} threads{_times(len(rows['nothing']['spins']), 'round')}; another training "
        f"has the same threads. {found['when']}, {about['cores']} cores of {about['chip']}, load "
        f"{found['load_before']:.1f} before, torch {about['torch']}. `{found['command']}`",
    ]
    return "\n".join(lines)


def rules_table(found: Mapping[str, Any]) -> str:
    """A row a rule of reading a range test, in Markdown: scores after its rates, mean over seeds.

    Its rank among the rules (1 is the best, equals share theirs) is the mean over sets and splits, its
    worst the lowest difference of such a mean from that at the recipe's rates, found by hand.
    """
    results = found["lr_rules"]
    sets, rules = (list(dict.fromkeys(row[key] for row in results)) for key in ("set", "rule"))
    rules.remove("recipe")
    splits = ("valid", "test")

    def of(rule: str, name: str) -> list[Any]:
        return [row for row in results if (row["rule"], row["set"]) == (rule, name)]

    def mean(rule: str, name: str, key: str) -> float:
        return statistics.fmean(row[key] for row in of(rule, name))

    places = list(itertools.product(sets, splits))
    by_place = [[mean(rule, *place) for rule in rules] for place in places]
    ranks = stats.rankdata([[-score for score in row] for row in by_place], axis=1).mean(axis=0)
    worst = [min(mean(rule, *place) - mean("recipe", *place) for place in places) for rule in rules]
    last = {
        rule: (float(rank), f"{rank:.1f} | {least:+.3f}")
        for rule, rank, least in zip(rules, ranks, worst, strict=True)
    }
    lines = [f"| rule | {' | '.join(sets)} | mean rank | worst, less the recipe's |"]
    lines += ["|---" * (len(sets) + 3) + "|"]
    for rule in ("recipe", *sorted(rules, key=last.__getitem__)):
        cells = []
        for name in sets:
            scores = ", ".join(f"{mean(rule, name, split):.3f}" for split in splits)
            rates = ", ".join(
                f"{statistics.geometric_mean(row[key] for row in of(rule, name)):.2g}"
                for key in ("head_lr", "lr")
            )
            cells.append(f"{scores} ({rates})")
        label, end = ("its own rates", " | ") if rule == "recipe" else (f"`{rule}`", last[rule][1])
        lines.append(f"| {label} | {' | '.join(cells)} | {end} |")
    about, n_seeds = found["machine"], len({row["seed"] for row in results})
    lines += [
        "",
        f"Accuracy (planet: F2) of valid and of test, plain views, mean of {n_seeds} seeds; in "
        "brackets the rates of head and fine-tuning. "
        f"{found['n_train']} pictures of train, at most {found['n_score']} of valid and of test, "
        f"{found['size_px']} px (textile {found['textile_px']}). {found['when']}, {about['chip']}, "
        f"torch {about['torch']}. `{found['command']}`",
    ]
    return "\n".join(lines)


def _seconds(results: Sequence[Mapping[str, Any]]) -> list[float]:
    return [result["seconds"] for result in results]


def _times(n: int, what: str) -> str:
    return f", {n} {what}{'s' * (n > 1)}" if n else ""


def filled(text: str, results: Path) -> str:
    """The text with a table between each pair of `<!-- bench: NAME -->` and `<!-- /bench -->`.

    Raises:
        ValueError: no result has that name.
    """

    def table(match: re.Match[str]) -> str:
        file = results / f"{match[1]}.json"
        if not file.is_file():
            raise ValueError(f"a page wants the table {match[1]!r}, but there is no {file}.")
        found = json.loads(file.read_text())
        kinds = {
            "limits": limits_table, "scale": scale_table, "recipe": compare_table,
            "neighbours": neighbours_table, "lr_rules": rules_table,
        }  # fmt: skip
        made = next(table_of for kind, table_of in kinds.items() if kind in found)(found)
        return f"<!-- bench: {match[1]} -->\n{made}\n<!-- /bench -->"

    return re.sub(r"<!-- bench: (\S+) -->.*?<!-- /bench -->", table, text, flags=re.S)


@click.command(help=__doc__)
def main() -> None:
    for page in PAGES:
        file = ROOT / page
        file.write_text(filled(file.read_text(), RESULTS))


if __name__ == "__main__":
    main()
