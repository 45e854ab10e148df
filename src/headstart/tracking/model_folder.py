"""The folder of a logged model: all that `mlflow models serve` needs, and no pickle.

It holds the network, as an ONNX file or as the checkpoint, the code of this package, and the names of
the other packages.
"""

import json
import shutil
import warnings
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

LOADER: Final = "headstart.use.served"
# What the loader and all that it imports need; those that are not installed are left out.
PACKAGES: Final = (
    *("mlflow", "numpy", "pandas", "pydantic", "filelock", "psutil"),
    *("pillow", "pillow-heif", "pillow-jxl-plugin"),
)
OF_TORCH: Final = (*PACKAGES, "torch", "torchvision", "timm", "safetensors")
OF_ONNX: Final = (*PACKAGES, "onnxruntime")
WRITABLE: Final = 0o222


def write_folder(folder: Path, checkpoint: Path, data: Path, run_id: str, model_id: str) -> None:
    """Write all of an MLflow model into the empty `folder` but its network itself.

    Args:
        folder: MLmodel, requirements.txt, conda.yaml, python_env.yaml and code/headstart.zip go here.
        checkpoint: read for the task of its network.
        data: the ONNX file or the checkpoint; the model names it by its name.
        run_id: of the row, for MLmodel.
        model_id: of the logged model, for MLmodel.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow import pyfunc
        from mlflow.models import Model

        model = Model(signature=_signature(checkpoint), run_id=run_id, model_id=model_id)
        needed = list(requirements(OF_ONNX if data.suffix == ".onnx" else OF_TORCH))
        pyfunc.save_model(folder, LOADER, mlflow_model=model, pip_requirements=needed)
    code = folder / "code/headstart.zip"
    code.parent.mkdir()
    write_code(code)
    # save_model would copy the checkpoint, and cannot put a zip on the import path
    model.flavors[pyfunc.FLAVOR_NAME] |= {
        pyfunc.CODE: code.relative_to(folder).as_posix(),
        pyfunc.DATA: data.name,
    }
    model.save(str(folder / "MLmodel"))


def write_code(path: Path) -> None:
    """Write the modules of this package as a zip that Python imports; the same code, the same bytes.

    A server of files takes one file in a moment, and two hundred in many seconds.
    """
    package = Path(__file__).parents[1]
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for module in sorted(package.rglob("*.py")):
            entry = ZipInfo(module.relative_to(package.parent).as_posix())
            archive.writestr(entry, module.read_bytes(), ZIP_DEFLATED)


def requirements(packages: Iterable[str]) -> Iterator[str]:
    """`package==version` of what is installed here, without the build of torch (`+cpu`)."""
    for package in packages:
        with suppress(PackageNotFoundError):
            yield f"{package}=={version(package).split('+')[0]}"


def _signature(file: Path) -> Any:
    """Columns in and out, and the param, as `headstart.use.served` has them."""
    from mlflow.models import ModelSignature
    from mlflow.types import schema
    from mlflow.types.schema import ColSpec

    name, value = schema.DataType.string, schema.DataType.double
    decided: list[Any] = [ColSpec(name, "class", False), ColSpec(value, "probability", False)]
    if _task(file) == "multi_label":
        several = schema.Array(name), schema.Array(value)
        decided = [ColSpec(several[0], "labels"), ColSpec(several[1], "probability")]
    one = [schema.Property("class", name), schema.Property("probability", value)]
    top = schema.Array(schema.Object(one))
    return ModelSignature(
        inputs=schema.Schema([ColSpec(schema.DataType.binary, "picture")]),
        outputs=schema.Schema([*decided, ColSpec(top, "top"), ColSpec(name, "problem")]),
        params=schema.ParamSchema([schema.ParamSpec("top_k", schema.DataType.long, 3)]),
    )


def _task(file: Path) -> str:
    from safetensors import safe_open

    with safe_open(file, "numpy") as content:
        return str(json.loads(content.metadata()["headstart"])["task"])


def link_or_copy(source: Path, target: Path) -> None:
    """Put a file at `target`, in the place of what an interrupted call left there.

    DVC's own files are read-only, so one of them may have one more name, which costs no space. A
    file that may change, or one on another disk, is copied.
    """
    target.unlink(missing_ok=True)
    file = source.resolve()
    if not file.stat().st_mode & WRITABLE:
        with suppress(OSError):
            target.hardlink_to(file)
            return
    shutil.copyfile(file, target)
