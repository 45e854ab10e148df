"""The device and the precisions of a process, and torch's settings."""

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from numpy.typing import NDArray
from pydantic import AfterValidator, Field
from torch import Tensor

from headstart.backbone.fast.memory import keep_freed_memory, leave_new_memory_as_it_is
from headstart.backbone.fast.switch import is_plain
from headstart.backbone.precision import Precision
from headstart.project.errors import HeadstartError
from headstart.project.section import Section
from headstart.project.versions import NETWORKS, pins_in, versions

# On a CPU two teams of threads have a batch each. A GPU finishes 32 pictures before the next kernels
# are launched, so its batches are larger.
FORWARD_BATCH, FORWARD_BATCH_OF_GPU = 16, 128


def _right_pins(text: str) -> str:
    pins_in(text)
    return text


class RuntimeParams(Section):
    """Section `runtime`: precision, determinism and versions, which affect the bits of a result.

    A command that reads no params.yaml insists on no versions.
    """

    precision: Literal["auto", "fp32", "bf16"] = Field(
        description="auto: fp32, but where the chip multiplies bf16, forward passes of frozen "
        "networks run in bf16, and on a CPU the products of the backward pass too; fp32: everything; "
        "bf16: everything, if its gradients pass a check"
    )
    deterministic: bool = Field(description="refuse kernels whose result varies from run to run")
    versions: Literal["any", "pinned"] = Field(
        default="any",
        description="any: other versions of torch, torchvision, timm, Pillow or numpy rerun nothing; "
        "pinned: stages refuse all but those in pinned, and rerun when these change",
    )
    pinned: Annotated[str, AfterValidator(_right_pins)] = Field(
        default="",
        description="what `headstart check --pin` writes: package==version, with spaces between",
    )


@dataclass(frozen=True)
class Compute:
    """The device and the precisions chosen for this machine.

    Attributes:
        device: where everything is computed.
        inference_dtype: of forward passes that need no gradient.
        training_dtype: of forward passes that need one.
        backward_dtype: of the products of the backward pass, if not `training_dtype`.
    """

    device: torch.device
    inference_dtype: torch.dtype
    training_dtype: torch.dtype
    backward_dtype: torch.dtype | None = None

    def autocast(self, training: bool) -> AbstractContextManager[object]:
        """The precision of a backbone's forward pass, as a context; heads always run in float32."""
        dtype = self.training_dtype if training else self.inference_dtype
        return torch.autocast(self.device.type, dtype=dtype, enabled=dtype != torch.float32)

    @property
    def inference_precision(self) -> Precision:
        """The precision of forward passes that need no gradient."""
        return "bfloat16" if self.inference_dtype == torch.bfloat16 else "float32"

    def predicting_in(self, precision: Precision) -> "Compute":
        """This device, with the `inference_precision` of another machine.

        Forward passes run in float32 if this device has no units that multiply bf16.
        """
        reduced = precision == "bfloat16" and _multiplies_bf16(self.device)
        return Compute(self.device, torch.bfloat16 if reduced else torch.float32, torch.float32)

    def describe(self) -> dict[str, str]:
        """The kind of device and the precisions, for manifests and checkpoints."""
        training, backward = (
            str(dtype).removeprefix("torch.")
            for dtype in (self.training_dtype, self.backward_dtype)
        )
        return {
            "device": self.device.type,
            "inference_precision": self.inference_precision,
            "training_precision": f"{training}, backward {backward}"
            if self.backward_dtype
            else training,
        }

    def kernels(self) -> dict[str, str | int]:
        """What may change the last bits of a forward pass, apart from its inputs and precisions."""
        on_gpu = self.device.type == "cuda"
        chip = (
            torch.cuda.get_device_name(self.device)
            if on_gpu
            else torch.backends.cpu.get_cpu_capability()
        )
        return {
            **versions(*NETWORKS),
            "chip": str(chip),
            "threads": torch.get_num_threads(),
            "batch": forward_batch(self.device),
            "plain": is_plain(),
        }


PLAIN_CPU = Compute(torch.device("cpu"), torch.float32, torch.float32)


def prepare(runtime: RuntimeParams, environment: Mapping[str, str] = os.environ) -> Compute:
    """Set torch up for this process: device, threads, determinism, memory.

    HEADSTART_DEVICE (auto, cpu, cuda, cuda:1, mps), HEADSTART_THREADS and HEADSTART_PLAIN are read
    from `environment`: they are about speed, so they do not belong in params.yaml. auto is a CUDA GPU
    where there is one, else the CPU.

    Raises:
        HeadstartError: one of these variables is malformed, or this machine has no such device.
    """
    plain = is_plain(environment)
    if not plain:
        keep_freed_memory()
    if threads := environment.get("HEADSTART_THREADS"):
        torch.set_num_threads(_n_threads(threads))
    device = _device(environment.get("HEADSTART_DEVICE", "auto"))
    if runtime.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        # use_deterministic_algorithms(True) does the same for code that is not compiled. But it also
        # imports torch's compiler, to set its mode too, which takes a second a stage.
        torch.set_deterministic_debug_mode("error")
        if not plain:
            leave_new_memory_as_it_is()
        torch.backends.cudnn.benchmark = False
    fast = torch.bfloat16 if _multiplies_bf16(device) else torch.float32
    match runtime.precision:
        case "auto":
            reduced = fast == torch.bfloat16 and device.type == "cpu" and not plain
            return Compute(
                device,
                inference_dtype=fast,
                training_dtype=torch.float32,
                # on a GPU float32 is tf32 already, and each cast would be one more kernel to launch
                backward_dtype=fast if reduced else None,
            )
        case "fp32":
            return Compute(device, torch.float32, torch.float32)
        case "bf16":
            return Compute(device, torch.bfloat16, torch.bfloat16)


def forward_batch(device: torch.device) -> int:
    """Number of pictures in each batch of a forward pass that needs no gradient.

    Smaller batches are padded to this size: kernels may choose another order of summation for
    another size, which changes the last bit.
    """
    return FORWARD_BATCH_OF_GPU if device.type == "cuda" else FORWARD_BATCH


def on_device(array: NDArray[Any], device: torch.device) -> Tensor:
    """`array` as a tensor on `device`, without waiting for work that is queued on a GPU."""
    return torch.from_numpy(array).to(device, non_blocking=True)


def _n_threads(wanted: str) -> int:
    if not wanted.isdecimal() or int(wanted) < 1:
        raise HeadstartError(f"HEADSTART_THREADS is {wanted!r}; it must be a whole number from 1.")
    return int(wanted)


def _device(wanted: str) -> torch.device:
    if wanted != "auto":
        try:
            torch.zeros(1, device=wanted)
        except (RuntimeError, AssertionError) as error:  # torch raises the second without CUDA
            reason = str(error).splitlines()[0]
            raise HeadstartError(
                f"HEADSTART_DEVICE is {wanted!r}, which torch cannot use here ({reason}); it must "
                "be auto, cpu, cuda, cuda:1 (the second GPU) or mps."
            ) from None
        return torch.device(wanted)
    # Not mps: torch pools backward there by kernels whose sums vary from run to run.
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _multiplies_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and bool(torch.cpu._is_avx512_bf16_supported())
