"""Index the pictures: size, copies, labels and split of each, and every problem found."""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from headstart.indexing.corrections import at_files, corrected, left_out, still_problems
from headstart.indexing.decoding import Decoded, decode
from headstart.indexing.findings import (
    alike_classes,
    all_in_one,
    left_aside,
    no_pictures,
    packages_needed,
)
from headstart.indexing.group_checks import check_drawn, within_one_split
from headstart.indexing.groups import join_groups
from headstart.indexing.index import Index, IndexImagesError
from headstart.indexing.labelling import Meaning, Problem, agreed
from headstart.indexing.layout import INIT
from headstart.indexing.meanings import find_meanings
from headstart.indexing.near_once import near_once
from headstart.indexing.near_splits import (
    Pair,
    joined_groups,
    keep_apart,
    labelled,
    near_notes,
    near_table,
    pairs_of,
)
from headstart.indexing.params import IndexImagesParams
from headstart.indexing.several_tables import tables_named
from headstart.indexing.signature_file import in_order
from headstart.indexing.splits import SplitRule, assign
from headstart.kept.once import Known, NothingKnown
from headstart.labels.labels import Labels
from headstart.labels.scoring_note import scoring_note
from headstart.pictures.names import is_picture
from headstart.project.report import Report


def index_images(
    files: Mapping[str, bytes],
    sha256: Mapping[str, str],
    forms: Mapping[str, str],
    params: IndexImagesParams,
    report: Report,
    earlier: Known | None = None,
) -> Index:
    """Decode every picture once, join it with its labels, assign splits, and list the problems.

    Near duplicates are searched for among all pictures; a drawn split keeps them together.

    Args:
        files: content by path, relative to the images folder (with /); read only where needed.
        sha256: hex digest of each content by path; its first half is the picture's id.
        forms: form of each content by path, as `image_files.forms.form_of` gives it.
        params: section index_images.
        report: shows progress while decoding.
        earlier: facts that earlier runs found, by content (key: `facts_key`).

    Raises:
        IndexImagesError: there is no picture, there are problems and `on_problem` is stop (one
            message lists them), nothing is left to train on, or there is only one class.
        ValueError: the params do not describe these files.
    """
    pictures = [path for path in sorted(files) if is_picture(path, forms[path])]
    if not pictures:
        raise IndexImagesError(no_pictures(files))
    meanings, problems, names, notes = find_meanings(files, pictures, params)
    wrong = {problem.path for problem in problems}
    # without folders that are left aside
    paths = [path for path in pictures if path in meanings or path in wrong]
    found = earlier or NothingKnown()
    decoded = decode(files, sha256, paths, meanings, report, found)
    copies = decoded.copies
    known, conflicts = agreed(copies, meanings)
    with_labels = {i: copies[i] for i, said in known.items() if said.labels is not None}
    others = {i: copies[i] for i in known if i not in with_labels}
    group, group_notes = join_groups(with_labels, others, names)
    corrections = at_files(params.corrections, pictures)
    out = left_out(corrections, copies)
    known, leaks = within_one_split(known, group, copies, out)
    together = params.near_duplicates == "together"
    pairs = None if params.near_duplicates == "off" else _near(decoded, known, report, found)
    before, near_leaks = known, list[Problem]()
    if pairs and together:
        known, near_leaks = keep_apart(known, pairs, copies, out)
        group = joined_groups(group, labelled(pairs, before), known)
    _check_one_test_split(known, params)
    rule = SplitRule(params.valid_frac, params.test_frac, params.seed, params.n_folds, params.fold)
    known = assign(known, params.n_max_per_class, rule, group)
    known, correction_notes = corrected(known, corrections, copies, pictures)
    classes = tuple(sorted({label for said in _of_train(known) for label in said.labels or ()}))
    unseen = _not_in_train(known, classes)
    problems += [*decoded.problems, *conflicts, *leaks, *near_leaks] + [
        Problem(path, "label_not_in_train", detail)
        for picture, detail in unseen.items()
        for path in copies[picture]
    ]
    problems = sorted(still_problems(problems, corrections, copies))
    if problems and params.on_problem == "stop":
        raise IndexImagesError(all_in_one(problems))
    kept = {picture: said for picture, said in sorted(known.items()) if picture not in unseen}
    n_train = sum(said.labels is not None for said in _of_train(kept))
    if len(classes) < 2 or n_train < 2:  # batch norm cannot train on a single picture
        raise IndexImagesError(
            f"train has {n_train} pictures of {len(classes)} classes ({', '.join(classes)}), "
            f"but at least 2 pictures and 2 classes are needed; {len(paths)} pictures and "
            f"{len(problems)} problems were found. If classes are elsewhere, {INIT}."
            + "".join(f" {line}." for line in packages_needed(problems))
        )
    labels = Labels(_label_table(kept, group), classes, params.task)
    if (names or (pairs and together)) and params.split == "stratified":
        drawn = {i: kept[i] for i in kept if i in with_labels}
        group_notes += tuple(check_drawn(drawn, group, rule))
    near = None if pairs is None else near_table(pairs, before, kept, copies, near_leaks)
    return Index(
        _picture_table(kept, copies, decoded.sizes),
        labels,
        pd.DataFrame(problems, columns=list(Problem._fields)),
        n_ignored=len(files) - len(pictures),
        notes=(
            *notes,
            *correction_notes,
            *group_notes,
            *(near_notes(near, together) if params.near_duplicates != "off" else ()),
            *_notes(labels, params),
            *alike_classes(classes),
            *_left_out(set(files) - {*pictures, *tables_named(params.labels, files)}, problems),
        ),
        grouped=bool(names),
        near=near,
    )


def _near(
    decoded: Decoded, known: Mapping[str, Meaning], report: Report, earlier: Known
) -> list[Pair] | None:
    """The near duplicates among the known pictures; None: they are too similar to tell."""
    signed = {picture: place for place, picture in enumerate(decoded.signed) if picture in known}
    ids = sorted(signed)  # so that names of files shape nothing
    signatures = in_order(decoded.signatures, [signed[picture] for picture in ids])
    near = near_once(ids, signatures, report, earlier)
    return None if near is None else pairs_of(near, ids)


def _check_one_test_split(known: Mapping[str, Meaning], params: IndexImagesParams) -> None:
    """Refuse to draw test pictures where a folder test has some already."""
    has_test = any(said.split == "test" and said.labels for said in known.values())
    if params.split == "stratified" and params.test_frac and has_test:
        raise IndexImagesError(
            f"index_images.test_frac is {params.test_frac}, but the folder test already holds labelled "
            "pictures: set it to 0, so that these alone are test."
        )


def _of_train(known: Mapping[str, Meaning]) -> list[Meaning]:
    return [said for said in known.values() if said.split == "train"]


def _not_in_train(known: Mapping[str, Meaning], classes: Sequence[str]) -> dict[str, str]:
    """Id -> phrase that names the picture's labels beside `classes`, the labels of train."""
    beside = {i: sorted(set(said.labels or ()) - set(classes)) for i, said in known.items()}
    return {
        i: f"{known[i].split} has {', '.join(names)}, train has not"
        for i, names in beside.items()
        if names
    }


def _picture_table(
    ids: Iterable[str], copies: Mapping[str, list[str]], sizes: Mapping[str, tuple[int, int]]
) -> pd.DataFrame:
    """The table `Index.pictures`: one row per id."""
    pictures = list(ids)
    return pd.DataFrame(
        {
            "id": pictures,
            "paths": [copies[picture] for picture in pictures],
            "width": [sizes[picture][0] for picture in pictures],
            "height": [sizes[picture][1] for picture in pictures],
        }
    )


def _label_table(known: Mapping[str, Meaning], group: Mapping[str, str]) -> pd.DataFrame:
    """The table `Labels.table`: one row per id."""
    return pd.DataFrame(
        {
            "id": list(known),
            "labels": [None if s.labels is None else list(s.labels) for s in known.values()],
            "split": [said.split for said in known.values()],
            "group": [group[picture] for picture in known],
        }
    )


def _notes(labels: Labels, params: IndexImagesParams) -> tuple[str, ...]:
    """A sentence if valid has no labelled picture, which also says how to give it some."""
    note = scoring_note(labels.n_labelled(), labels.task)
    if not note:
        return ()
    if params.split == "given":
        remedy = (
            "put labelled pictures into a folder valid beside train, or set index_images.split to "
            "stratified, which draws valid from train"
        )
    elif (params.valid_frac or params.n_folds) and (params.group_regex or params.group_column):
        remedy = "use a larger index_images.valid_frac or smaller groups, since no group is cut"
    elif params.valid_frac or params.n_folds:
        remedy = "add pictures, since the part of each class that goes into valid rounds to 0"
    else:
        remedy = "set index_images.valid_frac above 0"
    return (f"{note} For scores of valid, {remedy}.",)


def _left_out(others: set[str], problems: Iterable[Problem]) -> list[str]:
    """Sentences on files that were not read: no pictures, or of a form that needs a package."""
    packages = [
        f"Set aside: {line}, then run `dvc repro --force --single-item index-images`."
        for line in packages_needed(problems)
    ]
    return [note for note in (left_aside(others), *packages) if note]
