"""The network of a checkpoint as the file that MLflow's model holds."""

import sys
from pathlib import Path
from typing import Final

READ_ONLY: Final = 0o444
NAME: Final = "model.onnx"


def as_onnx(checkpoint: Path, folder: Path) -> Path:
    """Write the network into `folder` as an ONNX file, which is served without torch.

    Returns:
        the file, read-only. Where torch cannot convert the network it is the checkpoint itself, from
        which a model is served too, by torch; a sentence on stderr says so. A checkpoint that cannot
        be read is left to whoever logs it.
    """
    from headstart.exporting.about import text  # here, as torch takes seconds
    from headstart.exporting.graph import first_line, graph_of
    from headstart.exporting.onnx_file import write_onnx
    from headstart.network.checkpoints import CheckpointError, read_checkpoint

    target = folder / NAME
    try:
        content = read_checkpoint(checkpoint)
        write_onnx(graph_of(content), content.info.size_px, target, text(content.info))
    except CheckpointError:
        return checkpoint
    except Exception as error:
        why = first_line(error)
        print(f"MLflow's model is the checkpoint, which torch serves: {why}.", file=sys.stderr)
        return checkpoint
    target.chmod(READ_ONLY)  # so it can be linked into a store on the same disk
    return target
