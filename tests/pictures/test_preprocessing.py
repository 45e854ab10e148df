import pytest
from PIL import Image
from pydantic import ValidationError

from headstart.pictures.preprocessing import Preprocessing, StoredForm
from headstart.pictures.rgb import decode_stored
from tests.pictures.test_rgb import encoded

JPEG = StoredForm(size_px=64, codec="jpeg", quality=90, pillow="1")
PNG = StoredForm(size_px=32, codec="png", pillow="2")


def test_a_file_goes_through_each_form_in_order() -> None:
    data = encoded(Image.linear_gradient("L").convert("RGB"))
    through = Preprocessing(stored=(JPEG, PNG), pillow="3")
    assert through.encode(data) == PNG.encode(JPEG.encode(data)) != PNG.encode(data)
    assert decode_stored(through.encode(data)).size == (32, 32)
    assert through.pillows() == {"1", "2", "3"}
    assert Preprocessing.model_validate_json(through.model_dump_json()) == through


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"quality": None}, "quality is None; a jpeg needs one"),
        ({"codec": "png"}, "quality is 90; a jpeg needs one, a png has none"),
        ({"quality": 96}, "quality"),
        ({"size_px": 0}, "size_px"),
        ({"codec": "webp"}, "codec"),
    ],
)
def test_a_form_that_no_encoder_knows_is_refused(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        StoredForm.model_validate(JPEG.model_dump() | wrong)
    with pytest.raises(ValidationError, match="stored"):
        Preprocessing(stored=(), pillow="3")
