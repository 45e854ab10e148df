"""How a backbone is built and how it pools, as manifests and checkpoints write it."""

from typing import Annotated, Final, Literal

from pydantic import Field

Pool = Literal["concat", "avg", "token", "token_avg"]
AsPool = Pool | Literal["auto"]

Options = dict[str, bool | int | str]
"""Arguments of timm.create_model beside the name."""

PLAIN: Final[Options] = {"global_pool": ""}
"""How a network is built unless it needs something else: without pooling, for its own size."""

BUILT_BY: Final = frozenset({"global_pool", "strict_img_size", "dynamic_img_size", "img_size"})
"""The options that a network is ever built with (`timm_models.built`)."""

WrittenPool = Annotated[Pool, Field(exclude_if=lambda pool: pool == "concat")]
WrittenOptions = Annotated[Options, Field(exclude_if=lambda options: options == PLAIN)]
"""Fields that are not written where they are as before these keys existed."""
