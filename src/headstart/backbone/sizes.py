"""Sizes of the network's input: backbone.size_px, and smaller ones of single phases."""

from typing import Annotated, Literal

from pydantic import Field

from headstart.project.errors import HeadstartError

MAX_PX = 4096  # a square input of this side is 200 MB, before the first layer
Size = Annotated[int, Field(ge=32, le=MAX_PX)] | Literal["full"]


def px(size: Size, full_px: int, key: str) -> int:
    """The side of the square input that `size` stands for, px.

    Args:
        size: px, or "full" for `backbone.size_px`.
        full_px: `backbone.size_px`.
        key: the dotted key of `size`, for the error message.

    Raises:
        ValueError: `size` is larger than `backbone.size_px`.
    """
    if size == "full":
        return full_px
    if size > full_px:
        raise HeadstartError(f"{key} is {size}: it must be at most backbone.size_px ({full_px}).")
    return size
