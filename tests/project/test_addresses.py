"""Addresses with secrets: which are refused, and what a text shows of them."""

from pathlib import Path

import pytest

from headstart.image_files.tree import DatasetParams
from headstart.project.addresses import masked, why_secret
from headstart.project.params import ParamsError, parse_section

SECRETS = [
    "https://ada:pa55word@host/p.tar",
    "s3://AKIAEXAMPLE@bucket/p.tar",
    "https://host/p.tar?X-Amz-Signature=0123456789abcdef",
    "https://host/p.tar?download=1&token=t",
    "https://host/p.tar?sv=2024-01-01&x=0123456789abcdef",
    "https://host/p.tar#access=1",
]


@pytest.mark.parametrize("address", SECRETS)
def test_what_may_be_a_secret_is_refused(address: str) -> None:
    assert why_secret(address)
    with pytest.raises(ParamsError) as error:
        parse_section(
            "dataset", DatasetParams, {"dataset": {"source": address, "copy": False}}, Path("p")
        )
    for secret in ("ada", "pa55word", "AKIAEXAMPLE", "0123456789abcdef", "=t", "=1"):
        assert secret not in str(error.value)


@pytest.mark.parametrize(
    "address",
    ["https://host/a%20b.zip?t=1", "https://host/p.tar?download=1", "s3://b/*.tar", "/a/b?c=@d#e"],
)
def test_which_file_is_meant_may_be_said(address: str) -> None:
    assert why_secret(address) == ""


def test_a_text_is_told_without_secrets() -> None:
    text = (
        "https://u:p4ss@h/x?X-Amz-Signature=abc&e=1 with hf_abcdefgh: 403, url: /x?sig=abc (Caused"
    )
    assert masked(
        text, {"HF_TOKEN": "hf_abcdefgh", "AWS_SECRET_ACCESS_KEY": "", "LANG": "with"}
    ) == ("https://***@h/x?*** with ***: 403, url: /x?*** (Caused")
