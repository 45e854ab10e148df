"""Turn the results of the benchmarks into tables, and fill these into the pages.

Run: python -m bench.tables     (fills README.md and docs/*.md from bench/results and metrics)
"""

import itertools
import json
import re
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from scipy import stats

from bench.export_table import export_table
from bench.headlines import figures_table, scores_table
from bench.label_errors_table import label_errors_table
from bench.predict_table import predict_table
from bench.zero_table import zero_table
from headstart.commands.spread import mean_and_sd
from headstart.evaluation.intervals import wilson

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench/results"
SCORED = ("valid", "test")
PAGES = ("README.md", *(f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md"))))
PARTS = {
    "fine_tuning": "fine-tuning with its range test",
    "other_work": "all other work",
    "start_up": "start-up (and DVC between the stages)",
}


def write_result(results: Path, found: Mapping[str, Any]) -> None:
    """Write the result of a benchmark as NAME.json in `results`."""
    results.mkdir(parents=True, exist_ok=True)
    (results / f"{found['name']}.json").write_text(json.dumps(found, indent=1) + "\n")


def earlier_rows(
    results: Path, found: Mapping[str, Any], kind: str, options: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The rows that an earlier run with the same options left of the result `found`; or none.

    Raises:
        click.ClickException: the earlier run had other options.
    """
    file = results / f"{found['name']}.json"
    if not file.is_file():
        return []
    earlier = json.loads(file.read_text())
    if any(earlier[key] != value for key, value in options.items()):
        raise click.ClickException(f"{file} is of other options; move it away to begin anew.")
    return list(earlier[kind])


def with_interval(values: Sequence[float], n_pictures: int) -> str:
    """Mean, standard deviation and interval of accuracies, like 0.75 (0.01), 0.69 to 0.80.

    The standard deviation shows the effect of the seed; three values are too few for an interval.
    The interval shows the effect of the choice of pictures: it is Wilson's 95 % interval of the
    mean, as if one network had been right on that fraction of the pictures. The seeds share their
    pictures, so n is the number of pictures, whatever the number of seeds. If seeds err on
    different pictures, the interval is wider than necessary.
    """
    low, high = wilson(statistics.fmean(values) * n_pictures, n_pictures, 0.95)
    return f"{mean_and_sd(values)}, {low:.3f} to {high:.3f}"


def compare_table(found: Mapping[str, Any]) -> str:
    """The comparison in Markdown: medians, and their ratios to ours."""
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
    """How fastai's threads wait; older results do not say."""
    return f" and threads that {'sleep' if how['passive'] else 'spin'}" if "passive" in how else ""


def limits_table(found: Mapping[str, Any]) -> str:
    """The limits of the machine, then the fraction that each part reaches, in Markdown."""

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
    """Memory and milliseconds per picture at growing numbers of pictures, in Markdown."""
    rows = found["scale"]
    steps = list(rows[0]["ms"])
    with_cpu = " CPU |" if "cpu_ms" in rows[0] else ""
    lines = [
        f"| pictures | most memory, MB | with mapped files | ms a picture: {' | '.join(steps)} | all |"
        + with_cpu,
        "|---" * (len(steps) + 4 + bool(with_cpu)) + "|",
    ]
    for row in rows:
        times = [*row["ms"].values(), sum(row["ms"].values())]
        times += [row["cpu_ms"]] if with_cpu else []
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
    """Seconds of an epoch, and their ratio to an epoch of the same threads alone, in Markdown.

    They are those of the fastest round: what else the machine does can only add to them.
    """
    rows = found["neighbours"]
    alone = {way: min(_seconds(of_way)) for way, of_way in rows["nothing"].items()}

    def cells(results: Sequence[Mapping[str, Any]], alone_s: float) -> list[str]:
        fastest = min(results, key=lambda result: float(result["seconds"]))
        seconds, over = float(fastest["seconds"]), "over " if fastest["over"] else ""
        return [f"{over}{seconds:.1f} s", f"{over}{seconds / alone_s:.1f}"]

    lines = [f"| beside it | {' | '.join(f'{way} | times alone' for way in alone)} |"]
    lines += [f"|---|{'---|---|' * len(alone)}"]
    for beside, by_way in rows.items():
        of_all = [cell for way in alone for cell in cells(by_way[way], alone[way])]
        lines.append(f"| {beside} | {' | '.join(of_all)} |")
    about = found["machine"]
    lines += [
        "",
        f"{found['n_train']} pictures at {found['size_px']} px, batches of {found['batch']}, "
        f"{found['threads']} threads, the fastest of {len(rows['nothing']['two teams'])} rounds; "
        f"another training has the same threads. {found['when']}, {about['cores']} cores of "
        f"{about['chip']}, load {found['load_before']:.1f} before, torch {about['torch']}. "
        f"`{found['command']}`",
    ]
    return "\n".join(lines)


def rules_table(found: Mapping[str, Any]) -> str:
    """One row per rule that reads a range test, in Markdown: scores at its rates, mean over seeds.

    There is a table for the head after `train_head`, and one for the final network. The mean rank
    is over sets and splits (1 is the best rule; equal rules share a rank). The worst is the lowest
    difference of a set's and split's mean from the mean at the recipe's own rates. Seeds of a set
    that lack a rule do not count. The geometric mean of the rates stands beside the head's scores.
    """
    rules = list(dict.fromkeys(row["rule"] for row in found["lr_rules"]))
    done = Counter((row["set"], row["seed"]) for row in found["lr_rules"])
    results = [r for r in found["lr_rules"] if done[r["set"], r["seed"]] == len(rules)]
    seeds = Counter(row["set"] for row in results if row["rule"] == rules[0])
    rules.remove("recipe")

    def mean(rule: str, name: str, split: str, part: str) -> float:
        of = [r for r in results if (r["rule"], r["set"]) == (rule, name)]
        return statistics.fmean((r["head"] if part == "head" else r)[split] for r in of)

    def cells(rule: str, part: str) -> list[str]:
        found = [", ".join(f"{mean(rule, n, split, part):.3f}" for split in SCORED) for n in seeds]
        if part == "end":
            return found
        rates = [
            statistics.geometric_mean(
                r["head_lr"] for r in results if (r["rule"], r["set"]) == (rule, name)
            )
            for name in seeds
        ]
        return [f"{text} at {lr:.1g}" for text, lr in zip(found, rates, strict=True)]

    lines = []
    for part, title in (("head", "the head"), ("end", "the network, fine-tuned")):
        places = list(itertools.product(seeds, SCORED))
        scores = [[mean(rule, *place, part) for rule in rules] for place in places]
        ranks = stats.rankdata([[-x for x in row] for row in scores], axis=1).mean(axis=0)
        own = [mean("recipe", *place, part) for place in places]
        worst = [
            min(row[i] - o for row, o in zip(scores, own, strict=True)) for i in range(len(rules))
        ]
        ends = {
            rule: (float(rank), f"{rank:.1f} | {least:+.3f}")
            for rule, rank, least in zip(rules, ranks, worst, strict=True)
        }
        lines += [f"| {title} | {' | '.join(seeds)} | mean rank | worst, less the recipe's |"]
        lines += ["|---" * (len(seeds) + 3) + "|"]
        lines += [f"| the recipe's rates | {' | '.join(cells('recipe', part))} |  |  |"]
        for rule in sorted(rules, key=ends.__getitem__):
            lines.append(f"| `{rule}` | {' | '.join(cells(rule, part))} | {ends[rule][1]} |")
        lines.append("")
    about = found["machine"]
    tested = [row for row in results if row["rule"] == rules[0]]
    n_read = {part: sum(part not in row["none"] for row in tested) for part in ("head", "network")}
    lines += [
        "Accuracy (planet: F2) of valid and of test, plain views; seeds: "
        f"{', '.join(f'{name} {n}' for name, n in seeds.items())}. Curves that gave a rate: "
        f"{n_read['head']} of {len(tested)} of the head, {n_read['network']} of {len(tested)} of the "
        f"network. {found['n_train']} pictures of train, at most {found['n_score']} of valid and of "
        f"test, {found['size_px']} px (textile {found['textile_px']}). {found['when']}, "
        f"{about['chip']}, torch {about['torch']}. `{found['command']}`",
    ]
    return "\n".join(lines)


def networks_table(found: Mapping[str, Any]) -> str:
    """How many families of timm's networks can be a backbone, and one network of each, in Markdown."""
    families: Mapping[str, Mapping[str, Any]] = found["networks"]
    tried = {k: v for k, v in families.items() if v["outcome"] != "too large"}
    fits = {k: v for k, v in tried.items() if v["outcome"] == "fits"}
    large = [f"`{family['network']}`" for name, family in families.items() if name not in tried]
    lines = [
        f"{len(fits)} of {len(tried)} families fit ({len(fits) / len(tried):.0%}; timm "
        f"{found['timm']}, random weights). Too large for the walk: {', '.join(large)}.",
        "",
        "| family | network | size, px | `pool: auto` | built |",
        "|---|---|---|---|---|",
    ]
    for name, family in tried.items():
        start = f"| {name} | `{family['network']}` | {family.get('size_px', '')} |"
        if name in fits:
            lines.append(f"{start} {family['pool']} | {_of_sizes(family['options'])} |")
        else:
            where = f"**fails** ({family['step']})" if family.get("step") else "**fails**"
            lines.append(f"{start} {where} | {family['reason']} |")
    return "\n".join(lines)


def choices_table(found: Mapping[str, Any]) -> str:
    """What the head reaches on each network's frozen activations, in Markdown; a column a set."""
    rows: Sequence[Mapping[str, Any]] = found["network_choices"]
    sets, networks = (list(dict.fromkeys(row[key] for row in rows)) for key in ("set", "network"))
    lines = [
        f"| network | px | pictures/s | {' | '.join(sets)} |",
        "|---" * (3 + len(sets)) + "|",
    ]
    for network in networks:
        own = [row for row in rows if row["network"] == network]
        sizes = sorted({row["size_px"] for row in own})  # small pictures get a smaller input
        cells = [f"`{network}`", " to ".join(map(str, dict.fromkeys((sizes[0], sizes[-1]))))]
        cells.append(f"{statistics.median(row['per_second'] for row in own):.0f}")
        for of in sets:
            cells.append(mean_and_sd([row["score"] for row in own if row["set"] == of], 3))
        lines.append(f"| {' | '.join(cells)} |")
    n_draws, about = len({row["seed"] for row in rows}), found["machine"]
    lines += [
        "",
        f"At most {found['n_train']} pictures of train and {found['n_valid']} of valid"
        f"{_times(n_draws, 'draw')}. {found['when']}, {about['cores']} cores of {about['chip']}. "
        f"`{found['command']}`",
    ]
    return "\n".join(lines)


def _of_sizes(options: Mapping[str, Any]) -> str:
    """How a network that was built with these options takes the size."""
    if "img_size" in options:
        return "for the size"
    if "strict_img_size" in options:
        return "not insisting on its size"
    return "with positions resampled" if "dynamic_img_size" in options else "as it is"


def warm_table(found: Mapping[str, Any]) -> str:
    """Medians of the seconds of `dvc repro`, and of its parts, in Markdown."""
    lines = ["| | stages by | all, s | the stages' work | start-up of their processes | DVC |"]
    lines += ["|---|---|---|---|---|---|"]
    for kind, by_way in found["warm"].items():
        for way, rows in by_way.items():
            parts = [
                (row["seconds"], row["work"], row["commands"] - row["work"],
                 row["seconds"] - row["commands"])
                for row in rows
            ]  # fmt: skip
            cells = [f"{statistics.median(column):.1f}" for column in zip(*parts, strict=True)]
            lines.append(f"| {kind}: {rows[0]['n']} commands | {way} | {' | '.join(cells)} |")
    about = found["machine"]
    lines += [
        "",
        f"{found['n']:,} pictures{_times(len(rows), 'round')}{', medians' * (len(rows) > 1)}. "
        f"{found['when']}, {about['cores']} cores of {about['chip']}, torch {about['torch']}. "
        f"`{found['command']}`",
    ]
    return "\n".join(lines)


def _seconds(results: Sequence[Mapping[str, Any]]) -> list[float]:
    return [result["seconds"] for result in results]


def _times(n: int, what: str) -> str:
    return f", {n} {what}{'s' * (n > 1)}" if n else ""


def filled(text: str, results: Path) -> str:
    """The text with a table between each pair of `<!-- bench: NAME -->` and `<!-- /bench -->`.

    NAME is the name of a result, or `scores` (of the default run) or `figures` (three, against
    fastai's). An empty pair stays empty until its result exists.

    Raises:
        ValueError: the text has a table, but no result has its name.
    """

    def table(match: re.Match[str]) -> str:
        name, shown = match.groups()
        file = results / f"{name}.json"
        if name == "scores":
            made = scores_table()
        elif name == "figures":
            made = figures_table(results)
        elif file.is_file():
            made = _table_of(json.loads(file.read_text()))
        elif shown.strip():
            raise ValueError(f"a page wants the table {name!r}, but there is no {file}.")
        else:
            return match[0]
        return f"<!-- bench: {name} -->\n{made}\n<!-- /bench -->"

    return re.sub(r"<!-- bench: (\S+) -->(.*?)<!-- /bench -->", table, text, flags=re.S)


def _table_of(found: Mapping[str, Any]) -> str:
    """The table of a result, by its kind of benchmark."""
    kinds = {
        "limits": limits_table, "scale": scale_table, "recipe": compare_table,
        "neighbours": neighbours_table, "lr_rules": rules_table,
        "networks": networks_table, "zero_tuning": zero_table,
        "network_choices": choices_table, "export": export_table, "predict": predict_table,
        "label_errors": label_errors_table, "warm": warm_table,
    }  # fmt: skip
    return next(table_of for kind, table_of in kinds.items() if kind in found)(found)


@click.command(help=__doc__)
def main() -> None:
    for page in PAGES:
        file = ROOT / page
        file.write_text(filled(file.read_text(), RESULTS))


if __name__ == "__main__":
    main()
