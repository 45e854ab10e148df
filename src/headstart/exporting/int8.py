"""8-bit ONNX files: weights per channel, activations by their range on pictures of train."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from headstart.exporting.about import INPUT, OUTPUT
from headstart.exporting.pixels import Pixels

PRODUCTS: Final = {"Conv", "Gemm", "MatMul"}
BATCH: Final = 8


def quantise(source: Path, target: Path, pixels: Pixels) -> None:
    """Write the float32 ONNX file `source` with 8-bit products as `target`; the metadata stay.

    Weights are signed, with a scale for each output channel: one scale for all cost an
    EfficientNet-Lite0 a third of its answers. Ranges of activations are minimum and maximum.

    Args:
        source: as `headstart export` writes it.
        target: the file to write.
        pixels: N pictures, as many and as varied as the network will see; N at least 1.
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        # the shapes are known already; sympy fails on those of a batch of any size
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared, target, _Reader(pixels), quant_format=QuantFormat.QDQ, per_channel=True,
            weight_type=QuantType.QInt8, activation_type=QuantType.QUInt8,
            nodes_to_exclude=list(_in_float32(onnx.load(prepared).graph.node)),
        )  # fmt: skip


def _in_float32(nodes: Any) -> Iterator[str]:
    """The nodes before the first product, from the last on, and batch norms that stand alone.

    Eight bits for the normalisation would take a third of the time, and for the probabilities 1/256.
    """
    before, after = {INPUT}, {OUTPUT}
    for node in nodes:  # in the order of computation
        if node.op_type == "BatchNormalization":
            yield node.name
        if node.op_type not in PRODUCTS and before & set(node.input):
            before |= set(node.output)
            yield node.name
    for node in reversed(nodes):
        if after & set(node.output):
            after |= set() if node.op_type in PRODUCTS else set(node.input)
            yield node.name


class _Reader:
    """Hands the pictures to onnxruntime, a batch a call, then None."""

    def __init__(self, pixels: Pixels) -> None:
        self._batches = (pixels[i : i + BATCH] for i in range(0, len(pixels), BATCH))

    def get_next(self) -> dict[str, Pixels] | None:
        batch = next(self._batches, None)
        return None if batch is None else {INPUT: batch}
