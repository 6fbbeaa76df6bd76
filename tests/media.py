"""Films for tests, written by the ffmpeg program of imageio-ffmpeg, not by samflow."""

import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

import imageio_ffmpeg
import numpy as np

BITS = 8


def ffmpeg(*arguments: object, data: bytes | None = None) -> bytes:
    """Run ffmpeg and return what it writes to its standard output."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", *map(str, arguments)]
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-500:]
    return done.stdout


def numbered_frame(number: int, size: tuple[int, int] = (64, 128)) -> np.ndarray:
    """Frame that carries its number: `BITS` bright or dark columns, highest bit first."""
    bits = [(number >> bit) & 1 for bit in range(BITS - 1, -1, -1)]
    column = np.arange(size[1]) * BITS // size[1]
    grey = np.array(bits)[column] * 160 + 48
    return np.broadcast_to(grey.astype(np.uint8)[None, :, None], (*size, 3)).copy()


def read_number(image: np.ndarray) -> int:
    """Read the number back from a frame of any size."""
    columns = np.array_split(image.mean(axis=(0, 2)), BITS)
    bits = [int(part[len(part) // 4 : -(len(part) // 4)].mean() > 128) for part in columns]
    return sum(bit << (BITS - 1 - i) for i, bit in enumerate(bits))


def write_film(
    path: Path,
    images: Iterable[np.ndarray],
    options: Sequence[object] = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", 12),
    rate: str = "25",
    sound: bool = False,
) -> Path:
    """Encode RGB frames with ffmpeg; `rate` as ffmpeg writes it, such as 30000/1001."""
    frames = list(images)
    height, width = frames[0].shape[:2]
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", rate, "-i", "-"]
    if sound:
        raw += ["-f", "lavfi", "-i", "sine=frequency=440", "-shortest"]
    ffmpeg(*raw, *options, path, data=b"".join(f.tobytes() for f in frames))
    return path


def write_numbered(path: Path, count: int, size: tuple[int, int] = (64, 128), **how) -> Path:
    """Film of `count` frames that carry their numbers."""
    return write_film(path, (numbered_frame(i, size) for i in range(count)), **how)


def decode_with_ffmpeg(path: Path, size: tuple[int, int]) -> np.ndarray:
    """All frames as ffmpeg decodes them, (T, H, W, 3) uint8 RGB."""
    raw = ffmpeg("-i", path, "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    return np.frombuffer(raw, np.uint8).reshape(-1, *size, 3)
