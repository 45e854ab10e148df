"""The server of `headstart demo`: a page on this machine where one drops a picture.

The page sends the bytes of a picture to /look, and labels to /tell. Both answer JSON; what fails is a
sentence under `problem`.
"""

import base64
import hashlib
import io
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from flask import Flask, Response, abort, render_template, request
from PIL import Image
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from headstart.demo.corrections import Corrections
from headstart.demo.similar import Similar, TrainPictures
from headstart.explaining.overlay import mask_png
from headstart.project.errors import HeadstartError
from headstart.project.short import first_line
from headstart.use.classifier import Classifier
from headstart.use.decisions import Prediction
from headstart.use.picture_files import PictureFiles

MAX_BYTES = 1 << 26  # of a picture, 64 MiB
N_CLASSES, N_SIMILAR = 5, 6  # that the page shows
SHOWN_PX, THUMBNAIL_PX = 480, 128  # largest sides
HOST = "127.0.0.1"
NAMES = (HOST, "localhost")
# A page of another site can send a request here, but not with this header.
OWN_HEADER = "X-Headstart"
POLICY = (
    "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; connect-src 'self'"
)


@dataclass(frozen=True)
class Demo:
    """What the page asks.

    Attributes:
        classifier: the network.
        train: the pictures it was trained on; None: the page shows no similar ones.
        corrections: where corrected pictures go.
        uploads: an empty folder for the pictures that were dropped.
        without: why there are no similar pictures; empty if there are.
    """

    classifier: Classifier
    train: TrainPictures | None
    corrections: Corrections
    uploads: Path
    without: str = ""
    _one_at_a_time: Lock = field(default_factory=Lock)

    def look(self, data: bytes) -> dict[str, Any]:
        """What the network says of a picture file, for the page.

        Returns:
            key (names the picture in `tell`), decided (list of str), classes (the likeliest, each with
            name and p), picture (a data: address), heat (decided label -> what lies over the picture),
            similar (a list: picture, path, labels, cosine).

        Raises:
            HeadstartError: the bytes are no picture that can be read.
        """
        key = hashlib.sha256(data).hexdigest()
        file = self.uploads / key
        file.write_bytes(data)
        with self._one_at_a_time:
            said = self._said(file)
            if said.problem:
                file.unlink()
                raise HeadstartError(f"This file cannot be read: {said.problem.rstrip('.')}.")
            similar = self.train.like(file, N_SIMILAR) if self.train else []
        shown = PictureFiles([file], self.classifier.info.preprocessing).decode("0")
        frame = self.classifier.info.frame
        masks = {label: mask_png(heat, shown.size, frame) for label, heat in said.heat.items()}
        likeliest = self.classifier.likeliest(said.probabilities, N_CLASSES)
        return {
            "key": key,
            "decided": self.classifier.labels(said.probabilities),
            "classes": [{"name": name, "p": p} for name, p in likeliest],
            "picture": _address(shown, SHOWN_PX),
            "heat": {label: _png(mask) for label, mask in masks.items()},
            "similar": [_told(one) for one in similar],
        }

    def _said(self, file: Path) -> Prediction:
        """The prediction of a picture, with heat maps where this kind of network has any."""
        try:
            (said,) = self.classifier.explained([file])
        except HeadstartError:  # the patches form no square
            (said,) = self.classifier.each([file])
        return said

    def tell(self, key: str, labels: list[str]) -> str:
        """Keep a picture that was dropped, with the labels of a person; the sentence about it.

        Raises:
            HeadstartError: the picture was not dropped here, the labels do not suit it, or the folder
                has a table that is not one of kept pictures.
            OSError: the system refuses to read or write.
        """
        file = self.uploads / key
        if not (key.isalnum() and file.is_file()):
            raise HeadstartError("This picture is not known any more: drop it again.")
        with self._one_at_a_time:
            kept = self.corrections.add(file, key, labels)
        return f"Kept as {kept}."


def application(demo: Demo) -> Flask:
    """The web application, which answers requests from this machine's own page alone."""
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BYTES

    @app.before_request
    def only_from_here() -> None:
        # Another site's name may lead to this address; its page must not ask in the user's place.
        if request.host.partition(":")[0] not in NAMES:
            abort(403)
        if request.method == "POST" and OWN_HEADER not in request.headers:
            abort(403)

    @app.after_request
    def shut_in(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = POLICY
        return response

    @app.get("/")
    def page() -> str:
        info = demo.classifier.info
        return render_template(
            "demo.html",
            classes=info.classes,
            several=info.task == "multi_label",
            network=info.architecture,
            size_px=info.size_px,
            folder=str(demo.corrections.folder),
            without=demo.without,
        )

    @app.post("/look")
    def look() -> Mapping[str, Any]:
        return demo.look(request.get_data())

    @app.post("/tell")
    def tell() -> Mapping[str, str]:
        said = request.get_json()
        return {"said": demo.tell(str(said["key"]), [str(label) for label in said["labels"]])}

    @app.errorhandler(HeadstartError)
    def problem(error: HeadstartError) -> tuple[Mapping[str, str], int]:
        return {"problem": str(error)}, 400

    @app.errorhandler(OSError)
    def refused(error: OSError) -> tuple[Mapping[str, str], int]:
        where = f"{error.filename}: " if error.filename is not None else ""
        why = (error.strerror or first_line(error)).lower()
        return {
            "problem": f"{where}{why}. Mend that and try again; --keep names another folder for "
            "pictures whose label you correct."
        }, 500

    @app.errorhandler(RequestEntityTooLarge)
    def too_large(_: HTTPException) -> tuple[Mapping[str, str], int]:
        return {"problem": f"The file has more than {MAX_BYTES >> 20} MiB."}, 413

    return app


def served(app: Flask, port: int) -> BaseWSGIServer:
    """A server at HOST that is ready to answer.

    Args:
        app: what answers.
        port: 0 for any that is free.

    Raises:
        HeadstartError: another process has the port, or this one may not use it.
    """
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except OSError as error:
        listening.close()
        raise HeadstartError(
            f"--port {port} cannot be used ({error.strerror}): name another one, or 0 for any."
        ) from None
    listening.listen()
    with listening:  # the server has a copy of its own
        return make_server(
            HOST, port, app, threaded=True, request_handler=_Quiet, fd=listening.fileno()
        )


class _Quiet(WSGIRequestHandler):
    """Prints no line for a request."""

    def log_request(self, *_: object) -> None:
        pass


def _told(similar: Similar) -> dict[str, Any]:
    return {
        "picture": _address(similar.picture, THUMBNAIL_PX),
        "path": similar.path,
        "labels": list(similar.labels),
        "cosine": similar.cosine,
    }


def _address(picture: Image.Image, side_px: int) -> str:
    """A picture as the `src` of an <img>, at most `side_px` wide and high."""
    small = picture.copy()
    small.thumbnail((side_px, side_px))
    file = io.BytesIO()
    small.save(file, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def _png(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode('ascii')}"
