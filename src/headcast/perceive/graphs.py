"""Runs MediaPipe graphs one picture at a time, on one thread, and keeps its start-up chatter off the terminal."""

import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jaxtyping import UInt8
from numpy import ndarray

_CHATTER = re.compile(
    rb"Created TensorFlow Lite XNNPACK delegate"
    rb"|before absl::InitializeLog"
    rb"|inference_feedback_manager\.cc"
    rb"|face_landmarker_graph\.cc.*Sets FaceBlendshapesGraph"
    rb"|gl_context\.cc"
)
"""Lines that MediaPipe 0.10.21 prints on every start and that tell a user nothing."""


@contextmanager
def quiet_start() -> Iterator[None]:
    """Holds back what native code writes to standard error meanwhile, and afterwards passes on all but the known chatter."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            caught.seek(0)
            for line in caught:
                if not _CHATTER.search(line):
                    os.write(2, line)


class Graph:
    """A running MediaPipe graph with one picture stream named `image`. Use it from one thread."""

    def __init__(self, text: str, outputs: tuple[str, ...], image_size: int, side_packets: Mapping[str, Any] | None = None):
        """Starts the graph and sends one blank picture of `image_size`² through it, so that the first real one is not slow."""
        import numpy as np

        with quiet_start():
            import mediapipe
            from mediapipe.python import packet_creator
            from mediapipe.python._framework_bindings import calculator_graph, image_frame, resource_util

            resource_util.set_resource_dir(str(Path(mediapipe.__file__).parents[1]))
            self._create = lambda image: packet_creator.create_image_frame(image, image_format=image_frame.ImageFormat.SRGB)
            self._graph = calculator_graph.CalculatorGraph(graph_config=text)
            self._packets: dict[str, Any] = {}
            self._time = 0
            for name in outputs:
                self._graph.observe_output_stream(name, self._packets.__setitem__)
            self._graph.start_run(dict(side_packets or {}))
            self(np.zeros((image_size, image_size, 3), np.uint8))

    def __call__(self, image: UInt8[ndarray, "height width 3"]) -> dict[str, Any]:
        """Packets by output name; an output that the graph had nothing for is absent."""
        self._packets.clear()
        self._time += 1
        self._graph.add_packet_to_input_stream("image", self._create(image).at(self._time))
        self._graph.wait_until_idle()
        return dict(self._packets)
