"""The check of a network's gradients."""

from pathlib import Path

from click.testing import CliRunner, Result

from headstart.commands.cli import main


def headstart(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_check_gradients_of_many_labels(files: list[str]) -> None:
    result = headstart("check-gradients", "many.safetensors", *files)
    assert result.exit_code == 0 and "fp32: cosine 1.0000, may train" in result.output


def test_check_gradients_tells_a_cosine_a_precision(files: list[str]) -> None:
    result = headstart("check-gradients", "net.safetensors", *files)
    assert result.exit_code == 0, result.output
    auto, fp32, bf16 = result.output.splitlines()
    assert auto.startswith(("auto: cosine 1.0000, may train", "auto: cosine 0.999"))
    assert fp32.startswith("fp32: cosine 1.0000, may train") and bf16.startswith("bf16: cosine 0.9")


def test_check_gradients_refuses_files_that_cannot_be_read(files: list[str]) -> None:
    Path("notes.txt").write_text("no picture")
    result = headstart("check-gradients", "net.safetensors", *files, "notes.txt")
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: notes.txt cannot be read: its bytes are no picture that Pillow knows.\n"
    )
