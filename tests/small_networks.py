"""Small real architectures with fixed random weights, and small pictures."""

import io

import numpy as np
import PIL
import torch
from numpy.typing import NDArray
from PIL import Image

from headstart.backbone.backbone import Backbone, tensors_digest
from headstart.backbone.frame import Frame
from headstart.backbone.seeding import torch_seed
from headstart.network.head import HeadParams, create_head
from headstart.network.network import Network
from headstart.pictures.preprocessing import Preprocessing, StoredForm
from headstart.project.report import Report
from headstart.views.pictures import Pictures

SIZE = 32
SQUARE = Frame("center", 1.0)
FORM = StoredForm(size_px=40, codec="png", pillow=PIL.__version__)
PREPROCESSING = Preprocessing(stored=(FORM,), pillow=PIL.__version__)


def small_backbone(name: str = "test_resnet") -> Backbone:
    with torch_seed("small backbone"):
        backbone = Backbone.create(name)
    backbone.digest = tensors_digest(backbone.model.state_dict())
    return backbone.eval().requires_grad_(False)


def small_network(name: str = "test_resnet", n_classes: int = 3) -> Network:
    backbone = small_backbone(name)
    with torch_seed("small head"):
        head = create_head(
            backbone.n_features, n_classes, HeadParams(hidden_units=16, dropout=(0.25, 0.5))
        )
    return Network(backbone, head)


def pixels(number: int) -> NDArray[np.uint8]:
    """A smooth colour gradient, different for each number."""
    y, x = np.mgrid[0:40, 0:48] / 48
    channels = [np.sin(number + 1 + c + 3 * x * (c + 1) + 5 * y) for c in range(3)]
    return ((np.stack(channels, axis=-1) + 1) * 127).astype(np.uint8)


def picture(number: int) -> Image.Image:
    return Image.fromarray(pixels(number))


class StoredPictures:
    """Stored pictures: `picture(number)` by number, all of one size."""

    history = (FORM,)

    def encoded(self, number: str) -> bytes:
        buffer = io.BytesIO()
        self.decode(number).save(buffer, "PNG")
        return buffer.getvalue()

    def decode(self, number: str) -> Image.Image:
        return picture(int(number))

    def at(self, size_px: int, report: Report) -> "StoredPictures":
        return self


def small_pictures(size_px: int = SIZE, frame: Frame = SQUARE) -> Pictures:
    return Pictures.of(StoredPictures(), size_px, frame, torch.device("cpu"))
