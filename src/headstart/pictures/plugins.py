"""Forms of pictures that Pillow reads with another package only, and which package that is."""

import warnings
from contextlib import suppress
from functools import cache

from PIL import Image, features

from headstart.project.versions import versions

_PLUGINS = {"heic": "pillow-heif", "jxl": "pillow-jxl-plugin"}  # form -> package
_FEATURES = {
    "avif": "avif",
    "jp2": "jpg_2000",
    "webp": "webp",
}  # form -> what Pillow was built with
_NAMES = {"heic": "HEIC", "jxl": "JPEG XL", "avif": "AVIF", "jp2": "JPEG 2000", "webp": "WebP"}


@cache
def register_plugins() -> None:
    """Teach Pillow the forms of the installed packages; cheap from the second call on.

    Pillow's warnings name no file; what matters of them is a problem of the picture (`pictures.facts`).
    """
    Image.init()
    warnings.filterwarnings("ignore", module=r"PIL\.")
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    with suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()
    with suppress(ImportError):
        import pillow_jxl  # noqa: F401  it registers itself


def plugin_versions() -> dict[str, str]:
    """Package -> version, of the packages that are installed; they shape pixels as Pillow does."""
    return versions(*_PLUGINS.values())


def remedy(form: str) -> str:
    """Which package reads a form that is not read here, such as HEIC: pip install pillow-heif.

    Args:
        form: as `image_files.forms.form_of` gives it.

    Returns:
        '' if what is installed reads the form.
    """
    if form in _PLUGINS and _PLUGINS[form] not in plugin_versions():
        return f"{_NAMES[form]}: pip install {_PLUGINS[form]}"
    if form in _FEATURES and not features.check(_FEATURES[form]):
        return f"{_NAMES[form]}: pip install --force-reinstall pillow"  # built without it
    return ""
