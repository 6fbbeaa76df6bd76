"""The frames of a clip as strategies see them: in order, each with the images beside it."""

from collections.abc import Iterator

from samflow.strategies import Frame
from samflow.video import Video


def frames_of(clip: Video, indices: range) -> Iterator[Frame]:
    """Give frames of a clip, forwards or backwards; three images are held at a time.

    Parameters
    ----------
    clip : Video
    indices : range
        Frames of the clip, with a step of 1 or -1.
    """
    if not indices:
        return
    step, last = indices.step, len(clip) - 1
    begin, end = (min(max(i, 0), last) for i in (indices[0] - step, indices[-1] + step))
    images = iter(clip[begin : end + step if end + step >= 0 else None : step])
    earlier = next(images) if begin != indices[0] else None
    image = next(images)
    for index in indices:
        later = next(images, None)
        before, after = (earlier, later)[::step]
        yield Frame(image, index, before=before, after=after)
        if later is not None:
            earlier, image = image, later


def frame_at(clip: Video, index: int) -> Frame:
    """Give one frame of a clip."""
    return next(frames_of(clip, range(index, index + 1)))
