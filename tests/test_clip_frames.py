"""Frames of a clip, each with the images beside it, forwards and backwards."""

import numpy as np
import pytest
from PIL import Image

from samflow.runs.clip_frames import frame_at, frames_of
from samflow.video import Video

FRAMES = 5


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A folder of images in which each frame has a level of its own."""
    folder = tmp_path_factory.mktemp("levels")
    for index in range(FRAMES):
        Image.fromarray(np.full((8, 12, 3), 10 * index, np.uint8)).save(folder / f"{index}.png")
    return Video(folder)


def levels(frame):
    return tuple(int(image[0, 0, 0]) // 10 for image in (frame.before, frame.image, frame.after))


@pytest.mark.parametrize(
    "indices",
    [
        range(FRAMES),
        range(2, FRAMES),
        range(1, 3),
        range(FRAMES - 1, -1, -1),
        range(3, 0, -1),
        range(2, -1, -1),
        range(3, 3),
    ],
)
def test_each_frame_has_the_images_beside_it(clip, indices):
    frames = list(frames_of(clip, indices))
    assert [frame.index for frame in frames] == list(indices)
    for i, frame in zip(indices, frames, strict=True):
        # at the clip's ends there is none but the frame itself
        assert levels(frame) == (max(i - 1, 0), i, min(i + 1, FRAMES - 1))


def test_a_frame_by_its_number(clip):
    assert [levels(frame_at(clip, i)) for i in (0, 3, 4)] == [(0, 0, 1), (2, 3, 4), (3, 4, 4)]


def test_the_images_beside_are_those_of_a_cut_clip(clip):
    assert levels(frame_at(clip[1:4], 0)) == (1, 1, 2)
    assert levels(frame_at(clip[::2], 1)) == (0, 2, 4)
