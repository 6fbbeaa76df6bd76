import gc
import os
import resource
import subprocess
import sys
import threading
import time
import warnings
from itertools import pairwise

import av
import numpy as np
import pytest
from PIL import Image

from media import (
    decode_with_ffmpeg,
    ffmpeg,
    numbered_frame,
    read_number,
    write_film,
    write_numbered,
)
from samflow.errors import SamflowError
from samflow.video import Video, VideoWriter, concatenate_videos, video_to_frames
from samflow.video.reader import _AHEAD
from samflow.video.video_file import FilmSource

X264 = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", 12]
VP9 = ["-c:v", "libvpx-vp9", "-g", 12, "-cpu-used", 8, "-deadline", "realtime"]
ALT_REF = ["-deadline", "good", "-cpu-used", 5, "-auto-alt-ref", 1, "-lag-in-frames", 12, "-g", 20]
KINDS = {
    "h264.mp4": (X264, "25"),
    "ntsc.mp4": (X264, "30000/1001"),
    "open-gop.mp4": ([*X264, "-x264-params", "open-gop=1:bframes=3"], "25"),
    "h264.mov": (X264, "24"),
    "h264.mkv": (X264, "30000/1001"),
    "h264.avi": (X264, "25"),
    "h264.ts": (X264, "25"),
    "fragmented.mp4": ([*X264, "-movflags", "frag_keyframe+empty_moov"], "25"),
    "mpeg4.avi": (["-c:v", "mpeg4", "-q:v", 2, "-g", 12], "25"),
    "mpeg4-b.avi": (["-c:v", "mpeg4", "-q:v", 2, "-bf", 2, "-g", 12], "25"),
    "mjpeg.avi": (["-c:v", "mjpeg", "-pix_fmt", "yuvj420p"], "25"),
    "vp9.webm": (VP9, "25"),
    "vp9-ntsc.webm": (VP9, "30000/1001"),
    "vp9-alt-ref.webm": (["-c:v", "libvpx-vp9", *ALT_REF], "25"),
    "vp8-alt-ref.webm": (["-c:v", "libvpx", "-b:v", "500k", *ALT_REF], "25"),
}


def numbers(video):
    return [read_number(image) for image in video]


def decoder_threads():
    return [t for t in threading.enumerate() if t.name.startswith("samflow-decoder")]


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """50 numbered frames, 2 s, H.264 with B-frames, the header before the data."""
    path = tmp_path_factory.mktemp("films") / "film.mp4"
    return write_numbered(path, 50, options=[*X264, "-movflags", "+faststart"])


@pytest.mark.parametrize("name", KINDS)
def test_any_index_gives_that_frame(tmp_path, name):
    options, rate = KINDS[name]
    path = write_numbered(tmp_path / name, 45, options=options, rate=rate)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        video = Video(path)
    top, _, bottom = rate.partition("/")
    fps = int(top) / int(bottom or 1)
    assert len(video) == 45
    assert video.damage is None
    assert video.size == (64, 128)
    assert video.fps == pytest.approx(fps, rel=1e-3)
    np.testing.assert_allclose(video.timestamps, np.arange(45) / fps, atol=0.00101)
    # exact times find their frames, however the container rounded them
    assert video.between(20 / fps, 30 / fps).indices == range(20, 30)
    for i in np.random.default_rng(0).permutation(45):
        assert read_number(video[int(i)]) == i
    assert numbers(video) == list(range(45))
    assert numbers(video[7:40:9]) == list(range(7, 40, 9))


@pytest.mark.parametrize(
    ("size", "options"),
    [
        ((360, 640), X264),
        ((360, 640), VP9),
        ((1080, 1920), ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]),
        ((45, 61), ["-c:v", "libx264", "-pix_fmt", "yuv444p"]),
    ],
)
def test_pixels_equal_those_of_ffmpeg(tmp_path, size, options):
    rng = np.random.default_rng(1)
    coarse = rng.integers(0, 256, (3, 6, 8, 3), np.uint8)
    images = [np.asarray(Image.fromarray(c).resize(size[::-1], Image.BICUBIC)) for c in coarse]
    path = write_film(tmp_path / "film.mkv", images, options=options)
    expected = decode_with_ffmpeg(path, size).astype(float)
    video = Video(path)
    assert video.size == size
    assert len(video) == len(expected) == 3
    for image, reference in zip(video, expected, strict=True):
        assert np.abs(image - reference).mean() < 1.5


def test_order_needs_no_seek(film, monkeypatch):
    video = Video(film)
    first = video[0]
    calls = []
    monkeypatch.setattr(FilmSource, "_rewind", lambda self: calls.append("rewind"))
    monkeypatch.setattr(FilmSource, "_seek_and_advance", lambda self, *_: calls.append("seek"))
    assert [read_number(video[i]) for i in range(1, 50)] == list(range(1, 50))
    assert read_number(first) == 0
    assert calls == []


def test_index_counts_back_and_ends(film):
    video = Video(film)
    assert read_number(video[-1]) == 49
    assert read_number(video[np.int64(3)]) == 3
    with pytest.raises(IndexError, match=r"frame 50 of film\.mp4: it has 50 frames"):
        video[50]
    with pytest.raises(IndexError, match="frame -51"):
        video[-51]
    with pytest.raises(TypeError):
        video[1.0]


def test_views_of_views(film):
    video = Video(film)
    view = video[10:40][5:25:5]
    assert len(view) == 4
    assert view.first == 15
    assert view.indices == range(15, 35, 5)
    assert numbers(view) == [15, 20, 25, 30]
    assert view.fps == 5.0
    np.testing.assert_allclose(view.timestamps, [0.6, 0.8, 1.0, 1.2])
    assert numbers(video[::-1][:4]) == [49, 48, 47, 46]
    assert numbers(video[20:20]) == []
    with pytest.raises(IndexError):
        view[4]


@pytest.mark.parametrize("frames", [1, 3, 7, 1000])
def test_backwards_frames_are_those_of_the_film_and_few_are_held(film, monkeypatch, frames):
    monkeypatch.setattr("samflow.video.reader._BACKWARD_BYTES", frames * 64 * 128 * 3)
    video = Video(film)
    for part in (slice(None, None, -1), slice(37, None, -3), slice(2, None, -1), slice(40, 9, -7)):
        assert numbers(video[part]) == list(range(50))[part]


def test_backwards_a_film_is_decoded_a_few_times_only(film, monkeypatch):
    video = Video(film)
    decoded = 0
    numbered = FilmSource._numbered

    def counted(self):
        nonlocal decoded
        for found in numbered(self):
            decoded += 1
            yield found

    monkeypatch.setattr(FilmSource, "_numbered", counted)
    assert numbers(video[::-1]) == list(range(50))[::-1]
    assert decoded < 3 * 50


def test_name_and_hash(film):
    import hashlib

    video = Video(film)
    assert video.name == "film.mp4"
    assert video.sha256 == hashlib.sha256(film.read_bytes()).hexdigest() == video[3:5].sha256
    assert repr(video) == "<Video film.mp4: 50 frames, 128x64, 25 fps>"


def test_between_is_half_open(film):
    video = Video(film)
    assert video.between(0.2, 0.4).indices == range(5, 10)
    assert video.between(0.19, 0.41).indices == range(5, 11)
    assert video.between(1.9, 99).indices == range(48, 50)
    assert video.between(1.0, 2.0).between(1.2, 1.28).indices == range(30, 32)
    assert video[10:30:2].between(0.6, 0.8).indices == range(16, 20, 2)
    with pytest.raises(SamflowError, match=r"no frame between 5 and 6 s: it lasts from 0 to 2 s"):
        video.between(5, 6)
    with pytest.raises(SamflowError, match=r"no frame between 1 and 0\.5 s"):
        video.between(1, 0.5)


@pytest.mark.parametrize("name", ["vfr.mp4", "vfr.mkv", "vfr.webm"])
def test_variable_frame_rate_keeps_true_times(tmp_path, name):
    codec = VP9 if name.endswith("webm") else X264
    # frame n is shown at 0.04 (n + floor(n / 3)) s
    timing = ["-vf", "settb=1/1000,setpts='(N+floor(N/3))*0.04/TB'", "-fps_mode", "passthrough"]
    path = write_numbered(tmp_path / name, 30, options=[*timing, *codec])
    video = Video(path)
    n = np.arange(30)
    truth = 0.04 * (n + n // 3)
    np.testing.assert_allclose(video.timestamps, truth, atol=0.00101)
    assert video.fps == pytest.approx(29 / truth[-1], rel=0.02)
    assert numbers(video) == list(range(30))
    assert [read_number(video[i]) for i in (29, 3, 17, 16)] == [29, 3, 17, 16]
    assert numbers(video.between(truth[7], truth[9])) == [7, 8]


@pytest.mark.parametrize("name", ["late.mp4", "late.mkv", "late.ts"])
def test_times_count_from_the_first_frame(tmp_path, name):
    late = ["-vf", "setpts=PTS+5/TB", "-fps_mode", "passthrough", *X264]
    video = Video(write_numbered(tmp_path / name, 20, options=late))
    np.testing.assert_allclose(video.timestamps, np.arange(20) / 25, atol=0.00101)
    assert video.damage is None
    assert [read_number(video[i]) for i in (13, 2, 19)] == [13, 2, 19]


def test_frames_hidden_by_an_edit_list_do_not_shift_indices(film, tmp_path):
    # a copy from 0.7 s on must keep frames from the keyframe before, marked as not shown
    cut = tmp_path / "cut.mp4"
    ffmpeg("-ss", 0.7, "-i", film, "-c", "copy", cut)
    with av.open(str(cut)) as container:
        hidden = [p for p in container.demux(video=0) if p.size and p.is_discard]
        assert hidden, "the film has no hidden frames, so it tests nothing"
    expected = [read_number(image) for image in decode_with_ffmpeg(cut, (64, 128))]
    video = Video(cut)
    assert numbers(video) == expected
    assert [read_number(video[i]) for i in range(len(video))[::-1]] == expected[::-1]


def test_frames_that_lack_their_keyframe_are_left_out(film, tmp_path):
    # a transport stream may begin anywhere: here in the middle of a group
    whole = tmp_path / "whole.ts"
    ffmpeg("-i", film, "-c", "copy", whole)
    data = whole.read_bytes()
    tail = tmp_path / "tail.ts"
    # the tables in the first packets, then the second half, on packet borders
    middle = len(data) // 2 // 188 * 188
    tail.write_bytes(data[: 188 * 3] + data[middle:])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        video = Video(tail)
        found = numbers(video)
        with av.open(str(tail)) as container:
            decoded = [f.pts for f in container.decode(video=0)]
    assert len(video) == len(found) == len(decoded)
    assert found == list(range(found[0], 50))
    assert read_number(video[len(video) // 2]) == found[len(video) // 2]


@pytest.mark.parametrize("option", ["90", "180", "270", "hflip", "vflip"])
def test_display_matrix_is_honoured(tmp_path, option):
    corner = np.full((48, 80, 3), 60, np.uint8)
    corner[:16, :24] = (220, 40, 40)
    plain = write_film(tmp_path / "plain.mp4", [corner] * 3)
    turn = ["-display_rotation", option] if option.isdigit() else [f"-display_{option}"]
    turned = tmp_path / "turned.mp4"
    ffmpeg(*turn, "-i", plain, "-c", "copy", turned)
    video = Video(turned)
    assert video.size == ((80, 48) if option in ("90", "270") else (48, 80))
    expected = decode_with_ffmpeg(turned, video.size)
    # chroma is interpolated at the patch's border, differently in each program
    differing = np.abs(video[1].astype(float) - expected[1]).max(axis=2) > 20
    assert differing.mean() < 0.03
    assert not np.array_equal(video[1], Video(plain)[1])


TAGGED = {
    "bt709": ["-vf", "scale=out_color_matrix=bt709", "-colorspace", "bt709"],
    "bt601": ["-vf", "scale=out_color_matrix=bt601", "-colorspace", "smpte170m"],
    "full": [
        *["-vf", "scale=out_color_matrix=bt709:out_range=pc"],
        *["-colorspace", "bt709", "-color_range", "pc"],
    ],
    "bt2020": ["-vf", "scale=out_color_matrix=bt2020", "-colorspace", "bt2020nc"],
}


@pytest.mark.parametrize("depth", ["yuv420p", "yuv420p10le", "yuv444p"])
@pytest.mark.parametrize("tag", TAGGED)
def test_colours_follow_the_tags(tmp_path, tag, depth):
    colors = [(200, 50, 20), (20, 180, 50), (40, 80, 220), (250, 250, 250), (5, 5, 5)]
    images = [np.full((32, 32, 3), color, np.uint8) for color in colors]
    options = ["-c:v", "libx264", "-crf", 1, *TAGGED[tag], "-pix_fmt", depth]
    video = Video(write_film(tmp_path / "colors.mp4", images, options=options))
    for image, color in zip(video, colors, strict=True):
        assert np.abs(image.reshape(-1, 3).mean(axis=0) - color).max() < 4.5


def truncated(path, share, folder):
    data = path.read_bytes()
    short = folder / f"short{path.suffix}"
    short.write_bytes(data[: int(len(data) * share)])
    return short


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("film.mp4", [*X264, "-movflags", "+faststart"]),
        ("film.mkv", X264),
        ("film.webm", VP9),
        ("film.avi", ["-c:v", "mpeg4", "-q:v", 2, "-bf", 2, "-g", 12]),
        ("film2.avi", X264),
    ],
)
@pytest.mark.parametrize("share", [0.5, 0.83])
def test_truncated_film_gives_the_frames_before_the_damage(tmp_path, name, options, share):
    rng = np.random.default_rng(2)
    # noise makes all frames alike in bytes, so that a share of the file is a share of the frames
    images = [
        np.clip(numbered_frame(i) + rng.normal(0, 12, (64, 128, 3)), 0, 255).astype(np.uint8)
        for i in range(50)
    ]
    path = write_film(tmp_path / name, images, options=options)
    intact = list(Video(path))
    with pytest.warns(UserWarning, match="cut short"):
        video = Video(truncated(path, share, tmp_path))
    assert 50 * share * 0.7 < len(video) < 50
    assert video.damage == (
        f"short{path.suffix} is cut short: its first {len(video)} frames, up to "
        f"{video.timestamps[-1]:.2f} s{'' if '.avi' in name else ' of 2.00 s'}, are usable, the "
        "rest is missing or damaged."
    )
    for image, truth in zip(video, intact, strict=False):
        np.testing.assert_array_equal(image, truth)
    np.testing.assert_array_equal(video[len(video) - 1], intact[len(video) - 1])
    np.testing.assert_array_equal(video[1], intact[1])
    with pytest.raises(IndexError):
        video[len(video)]


def test_film_cut_before_its_header_is_refused(tmp_path):
    path = write_numbered(tmp_path / "film.mp4", 50)
    with pytest.raises(SamflowError, match=r"not a video that can be read.*may be incomplete"):
        Video(truncated(path, 0.6, tmp_path))


def test_damage_in_the_middle_is_told_where_it_is_met(film, tmp_path):
    data = bytearray(film.read_bytes())
    with av.open(str(film)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    # the third group's keyframe, stored after the 24 frames before it, loses its content
    position, size = packets[24]
    data[position + 4 : position + size] = bytes(size - 4)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(data)
    video = Video(broken)
    before = []
    with pytest.raises(SamflowError, match=r"can't be decoded: the file is damaged at 0\.[89]\d s"):
        before.extend(read_number(image) for image in video)
    # the decoder holds back up to two frames for reordering, which it may lose
    assert before == list(range(len(before)))
    assert 22 <= len(before) <= 24
    assert read_number(video[40]) == 40
    assert read_number(video[10]) == 10


def test_reading_ahead_is_bounded_and_stops_with_the_consumer(film, monkeypatch):
    asked = []
    read = FilmSource.read
    monkeypatch.setattr(FilmSource, "read", lambda self, i: asked.append(i) or read(self, i))
    frames = iter(Video(film))
    assert read_number(next(frames)) == 0
    deadline = time.monotonic() + 5
    while len(asked) < 1 + _AHEAD and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)
    # one consumed, the others wait
    assert asked == list(range(1 + _AHEAD))
    assert len(decoder_threads()) == 1
    frames.close()
    assert decoder_threads() == []
    frames = iter(Video(film))
    next(frames)
    del frames
    gc.collect()
    assert decoder_threads() == []


def resident_megabytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="asks Linux for its memory")
def test_memory_does_not_grow_with_the_number_of_frames(tmp_path):
    path = tmp_path / "long.mp4"
    picture = ["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25:duration=12"]
    ffmpeg(*picture, "-preset", "ultrafast", "-pix_fmt", "yuv420p", path)
    used = [resident_megabytes() for i, _ in enumerate(Video(path)) if i in (60, 299)]
    # 239 frames held would be 80 MB as decoded, 165 MB as RGB
    assert used[1] - used[0] < 30


def test_errors_come_through_the_thread(film, monkeypatch):
    read = FilmSource.read

    def fail(self, index):
        if index == 3:
            raise SamflowError("three")
        return read(self, index)

    monkeypatch.setattr(FilmSource, "read", fail)
    seen = []
    with pytest.raises(SamflowError, match="three"):
        seen.extend(read_number(image) for image in Video(film))
    assert seen == [0, 1, 2]
    assert decoder_threads() == []


def test_loops_nest_and_repeat(film):
    video = Video(film)[:8]
    pairs = [(read_number(a), read_number(b)) for a in video for b in video[::3]]
    assert pairs == [(a, b) for a in range(8) for b in (0, 3, 6)]
    assert numbers(video) == numbers(video) == list(range(8))
    mixed = [(read_number(a), read_number(video[7 - i])) for i, a in enumerate(video)]
    assert mixed == [(i, 7 - i) for i in range(8)]


def test_several_threads_share_a_video(film):
    video = Video(film)
    wrong = []

    def work(seed):
        for i in np.random.default_rng(seed).integers(0, 50, 15):
            if read_number(video[int(i)]) != i:
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_what_is_not_a_video_is_refused(tmp_path):
    text = tmp_path / "text.mp4"
    text.write_text("this is a text, not a video\n" * 50)
    empty = tmp_path / "empty.mp4"
    empty.touch()
    for path in (text, empty):
        with pytest.raises(SamflowError, match=r"not a video that can be read: expected an mp4"):
            Video(path)
    with pytest.raises(SamflowError, match="does not exist"):
        Video(tmp_path / "missing.mp4")
    sound = tmp_path / "sound.mp4"
    ffmpeg("-f", "lavfi", "-i", "sine=duration=0.5", "-c:a", "aac", sound)
    with pytest.raises(SamflowError, match="no video stream, only sound"):
        Video(sound)
    still = tmp_path / "still.png"
    Image.new("RGB", (8, 8)).save(still)
    with pytest.raises(SamflowError, match="single image"):
        Video(still)
    for error in (text, empty, sound, still):
        with pytest.raises(SamflowError) as caught:
            Video(error)
        assert "\n" not in str(caught.value)


def test_a_cover_picture_is_no_video(tmp_path):
    cover = tmp_path / "cover.jpg"
    Image.new("RGB", (16, 16), (200, 0, 0)).save(cover)
    path = tmp_path / "song.m4a"
    tone = ["-f", "lavfi", "-i", "sine=duration=0.5", "-i", cover, "-map", 0, "-map", 1]
    ffmpeg(*tone, "-c:a", "aac", "-c:v", "copy", "-disposition:v:0", "attached_pic", path)
    with pytest.raises(SamflowError, match="no video stream"):
        Video(path)


def test_folder_of_images(tmp_path):
    for i in (0, 1, 2, 9, 10, 11):
        Image.fromarray(numbered_frame(i)).save(tmp_path / f"frame{i}.png")
    (tmp_path / "notes.txt").write_text("kept apart")
    (tmp_path / ".hidden.png").write_text("kept apart")
    video = Video(tmp_path)
    assert numbers(video) == [0, 1, 2, 9, 10, 11]
    assert video.fps == 25
    assert video.size == (64, 128)
    np.testing.assert_allclose(video.timestamps, np.arange(6) / 25)
    np.testing.assert_array_equal(video[3], numbered_frame(9))
    assert numbers(video[1::2]) == [1, 9, 11]
    assert Video(tmp_path, fps=30).timestamps[-1] == pytest.approx(5 / 30)
    before = video.sha256
    Image.fromarray(numbered_frame(3)).save(tmp_path / "frame9.png")
    assert Video(tmp_path).sha256 != before


def test_images_of_every_mode_become_rgb(tmp_path):
    ramp = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (32, 1))
    rgb = np.stack([ramp, ramp[:, ::-1], np.full_like(ramp, 90)], axis=2)
    Image.fromarray(rgb).save(tmp_path / "0.png")
    Image.fromarray(ramp).save(tmp_path / "1.png")
    Image.fromarray(ramp.astype(np.uint16) * 257).save(tmp_path / "2.png")
    Image.fromarray(np.dstack([rgb, ramp])).save(tmp_path / "3.png")
    Image.fromarray(rgb).quantize(256).save(tmp_path / "4.png")
    video = Video(tmp_path)
    np.testing.assert_array_equal(video[0], rgb)
    np.testing.assert_array_equal(video[1], np.dstack([ramp] * 3))
    np.testing.assert_array_equal(video[2], np.dstack([ramp] * 3))
    np.testing.assert_array_equal(video[3], rgb)
    assert np.abs(video[4].astype(int) - rgb).max() < 16


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_honoured(tmp_path, orientation):
    image = np.full((24, 40, 3), 50, np.uint8)
    image[:8, :16] = 230
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(image).save(tmp_path / "0.jpg", exif=exif, quality=95, subsampling=0)
    # EXIF 2.3, tag Orientation: where row 0 and column 0 of the stored image are shown
    upright = {
        1: image,
        2: image[:, ::-1],
        3: image[::-1, ::-1],
        4: image[::-1],
        5: image.transpose(1, 0, 2),
        6: image.transpose(1, 0, 2)[:, ::-1],
        7: image.transpose(1, 0, 2)[::-1, ::-1],
        8: image.transpose(1, 0, 2)[::-1],
    }[orientation]
    video = Video(tmp_path)
    assert video.size == upright.shape[:2]
    assert np.abs(video[0].astype(int) - upright).max() < 12


def test_bad_folders_are_refused(tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(SamflowError, match=r"empty holds no images: expected JPEG or PNG"):
        Video(empty)
    Image.new("RGB", (8, 6)).save(empty / "0.png")
    with pytest.raises(SamflowError, match="fps is 0"):
        Video(empty, fps=0)
    Image.new("RGB", (9, 6)).save(empty / "1.png")
    with pytest.raises(SamflowError, match=r"1\.png is 9x6, the first image is 8x6"):
        Video(empty)
    (empty / "1.png").unlink()
    Image.new("RGB", (8, 6)).save(empty / "0.jpg")
    with pytest.raises(SamflowError, match=r"holds 0\.jpg and 0\.png"):
        Video(empty)
    (empty / "0.jpg").unlink()
    whole = empty / "1.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (6, 8, 3), np.uint8)).save(whole)
    whole.write_bytes(whole.read_bytes()[:-60])
    with pytest.raises(SamflowError, match=r"1\.png can't be read as an image"):
        Video(empty)[1]
    whole.write_text("no image")
    with pytest.raises(SamflowError, match=r"1\.png can't be read as an image"):
        Video(empty)


def test_a_film_states_its_own_rate(film):
    with pytest.raises(SamflowError, match="states its own frame rate"):
        Video(film, fps=30)


# writing


def write(path, images, timestamps=None, **how):
    times = [None] * len(images) if timestamps is None else timestamps
    with VideoWriter(path, size=images[0].shape[:2], **how) as writer:
        for image, moment in zip(images, times, strict=True):
            writer.write(image, moment)
    return path


def numbered(indices, size=(64, 128)):
    return [numbered_frame(i, size) for i in indices]


@pytest.mark.parametrize("fps", [25.0, 24.0, 30000 / 1001, 12.5])
def test_written_film_reads_back(tmp_path, fps):
    path = write(tmp_path / "sub" / "out.mp4", numbered(range(40)), fps=fps)
    video = Video(path)
    assert numbers(video) == list(range(40))
    np.testing.assert_allclose(video.timestamps, np.arange(40) / fps, atol=1e-5)
    assert video.fps == pytest.approx(fps, rel=1e-5)
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    with av.open(str(path)) as container:
        codec = container.streams.video[0].codec_context
        assert (codec.name, codec.pix_fmt) == ("h264", "yuv420p")
        assert [codec.colorspace, codec.color_primaries, codec.color_trc] == [1, 1, 1]
        assert codec.color_range == 1
    # as another reader sees it
    assert [read_number(f) for f in decode_with_ffmpeg(path, (64, 128))] == list(range(40))
    assert [p.name for p in path.parent.iterdir()] == ["out.mp4"]


def test_colours_survive_writing(tmp_path):
    colors = [(0, 0, 255), (255, 0, 0), (0, 158, 115), (200, 50, 20), (255,) * 3, (0,) * 3]
    images = [np.full((48, 64, 3), color, np.uint8) for color in colors]
    path = write(tmp_path / "out.mp4", images, crf=12)
    for reader in (Video(path), decode_with_ffmpeg(path, (48, 64))):
        for image, color in zip(reader, colors, strict=True):
            assert np.abs(image.reshape(-1, 3).mean(axis=0) - color).max() < 4


@pytest.mark.parametrize("size", [(63, 128), (64, 127), (63, 127)])
def test_odd_sizes_repeat_the_edge(tmp_path, size):
    images = [np.tile(np.linspace(20, 230, size[1]).astype(np.uint8), (size[0], 1))] * 2
    images = [np.dstack([image] * 3) for image in images]
    image = Video(write(tmp_path / "odd.mp4", images, crf=5))[0].astype(int)
    assert image.shape == (64, 128, 3)
    assert np.abs(image[: size[0], : size[1]] - images[0]).max() < 10
    assert np.abs(image[-1] - image[-2]).max() < 6
    assert np.abs(image[:, -1] - image[:, -2]).max() < 6


def test_given_timestamps_are_kept(tmp_path):
    times = np.cumsum(np.random.default_rng(3).uniform(0.01, 0.2, 20))
    path = write(tmp_path / "vfr.mp4", numbered(range(20)), times)
    video = Video(path)
    np.testing.assert_allclose(video.timestamps, times - times[0], atol=1.2e-5)
    assert numbers(video) == list(range(20))
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).time == pytest.approx(times[0], abs=1.2e-5)


def test_same_frames_give_the_same_bytes(tmp_path):
    images = list(np.random.default_rng(4).integers(0, 255, (30, 48, 64, 3), np.uint8))
    one = write(tmp_path / "one.mp4", images).read_bytes()
    assert write(tmp_path / "two.mp4", images).read_bytes() == one
    assert write(tmp_path / "two.mp4", images[::-1]).read_bytes() != one


FILM_OF_A_DYE_CLIP = """
import hashlib, sys
from samflow.lab.synthetic import DyeClip
from samflow.video import VideoWriter
with VideoWriter(sys.argv[1], size=(270, 480)) as writer:
    for image, _ in DyeClip(seed=0, frames=12):
        writer.write(image)
print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc alone fills fresh memory on request")
def test_bytes_do_not_depend_on_what_the_memory_held(tmp_path):
    # x264's macroblock tree reads memory before it writes it
    hashes = set()
    for pattern in ("0", "2", "3"):
        run = subprocess.run(
            [sys.executable, "-c", FILM_OF_A_DYE_CLIP, tmp_path / f"{pattern}.mp4"],
            env=os.environ | {"MALLOC_PERTURB_": pattern},
            capture_output=True,
            text=True,
            check=True,
        )
        hashes.add(run.stdout)
    assert len(hashes) == 1


def test_nothing_is_left_when_the_block_raises(tmp_path):
    old = write(tmp_path / "old.mp4", numbered(range(3))).read_bytes()

    def attempt(path):
        with VideoWriter(path, size=(64, 128)) as writer:
            for image in numbered(range(30)):
                writer.write(image)
            raise FileNotFoundError("the user's own error")

    for name in ("old.mp4", "fresh.mp4"):
        with pytest.raises(FileNotFoundError, match="the user's own error"):
            attempt(tmp_path / name)
    assert [p.name for p in tmp_path.iterdir()] == ["old.mp4"]
    assert (tmp_path / "old.mp4").read_bytes() == old
    with (
        pytest.raises(SamflowError, match="no frame was written"),
        VideoWriter(old_free(tmp_path), (8, 8)),
    ):
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["old.mp4"]


def old_free(folder):
    return folder / "empty.mp4"


def test_frames_that_do_not_fit_are_refused(tmp_path):
    with VideoWriter(tmp_path / "out.mp4", size=(16, 32)) as writer:
        writer.write(np.zeros((16, 32, 3), np.uint8), 0.5)
        with pytest.raises(SamflowError, match=r"frame 1 .* uint8 \(32, 16, 3\): expected"):
            writer.write(np.zeros((32, 16, 3), np.uint8), 1)
        with pytest.raises(SamflowError, match=r"float64 .*expected uint8 \(16, 32, 3\)"):
            writer.write(np.zeros((16, 32, 3)), 1)
        for time_ in (0.5, 0.1, -1, float("nan"), float("inf")):
            with pytest.raises(
                SamflowError, match=r"the one before at 0.5 s: timestamps must grow"
            ):
                writer.write(np.zeros((16, 32, 3), np.uint8), time_)
        writer.write(np.zeros((16, 32, 3), np.uint8), 0.6)
    assert len(Video(tmp_path / "out.mp4")) == 2
    with pytest.raises(RuntimeError, match="with block"):
        writer.write(np.zeros((16, 32, 3), np.uint8), 1)
    with pytest.raises(SamflowError, match="fps is 0"):
        VideoWriter(tmp_path / "out.mp4", size=(16, 32), fps=0)
    with pytest.raises(SamflowError, match="size is"):
        VideoWriter(tmp_path / "out.mp4", size=(0, 32))
    (tmp_path / "file").touch()
    with (
        pytest.raises(SamflowError, match="could not be written"),
        VideoWriter(tmp_path / "file" / "out.mp4", size=(16, 32)),
    ):
        pass


@pytest.mark.parametrize("share", [0.0, 0.3, 0.97, 0.9999])
def test_full_disk_is_one_line_and_leaves_nothing(tmp_path, share):
    images = list(np.random.default_rng(5).integers(0, 255, (60, 48, 64, 3), np.uint8))
    size = write(tmp_path / "whole.mp4", images).stat().st_size
    (tmp_path / "whole.mp4").unlink()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(size * share), hard))
    try:
        with pytest.raises(SamflowError, match="could not be written: File too large") as caught:
            write(tmp_path / "whole.mp4", images)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_parts_join_without_loss(tmp_path):
    borders = [0, 1, 20, 33, 50]
    times = np.cumsum(np.random.default_rng(6).uniform(0.02, 0.06, 50))
    times -= times[0]
    parts = [
        write(tmp_path / f"{a}.mp4", numbered(range(a, b)), times[a:b])
        for a, b in pairwise(borders)
    ]
    out = concatenate_videos(parts, tmp_path / "all.mp4")
    video = Video(out)
    assert numbers(video) == list(range(50))
    np.testing.assert_allclose(video.timestamps, times, atol=1.2e-5)
    assert [read_number(video[i]) for i in (49, 0, 21, 20, 19)] == [49, 0, 21, 20, 19]
    images = [image for part in parts for image in Video(part)]
    for image, truth in zip(video, images, strict=True):
        np.testing.assert_array_equal(image, truth)
    assert [read_number(f) for f in decode_with_ffmpeg(out, (64, 128))] == list(range(50))
    assert concatenate_videos(parts, tmp_path / "b.mp4").read_bytes() == out.read_bytes()
    data = out.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_parts_that_do_not_fit_are_refused(tmp_path):
    one = write(tmp_path / "one.mp4", numbered(range(3)))
    wide = write(tmp_path / "wide.mp4", numbered(range(3), (64, 192)), [1, 2, 3])
    out = tmp_path / "out.mp4"
    with pytest.raises(SamflowError, match=r"one\.mp4 starts at 0 s, before the end"):
        concatenate_videos([one, one], out)
    with pytest.raises(SamflowError, match=r"wide\.mp4 differs from .*one\.mp4"):
        concatenate_videos([one, wide], out)
    with pytest.raises(SamflowError, match="no parts"):
        concatenate_videos([], out)
    with pytest.raises(SamflowError, match="missing"):
        concatenate_videos([one, tmp_path / "missing.mp4"], out)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one.mp4", "wide.mp4"]


def test_film_to_frames_and_back(film, tmp_path):
    part = Video(film)[10:15]
    folder = video_to_frames(part, tmp_path / "JPEGImages" / "clip")
    assert sorted(os.listdir(folder)) == [f"{i:05d}.jpg" for i in range(5)]
    frames = Video(folder, fps=part.fps)
    assert numbers(frames) == list(range(10, 15))
    for image, truth in zip(frames, part, strict=True):
        assert np.abs(image.astype(float) - truth).mean() < 1.5
    with pytest.raises(SamflowError, match="holds images already"):
        video_to_frames(part, folder)
