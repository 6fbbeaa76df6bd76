import itertools
import re
import resource
import threading
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media import decode_with_ffmpeg, ffmpeg, read_number, write_film, write_numbered
from samflow.acquire import clip_name, cut, download, fetch, parse_time
from samflow.acquire import film as film_module
from samflow.acquire.film import inspect_film
from samflow.errors import SamflowError
from samflow.video.index import open_film

X264 = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", 12]
SIZE = (64, 128)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("13:21", 801),
        ("14:02", 842),
        ("1:02:03", 3723),
        ("0:00", 0),
        ("90:00", 5400),
        ("75.5", 75.5),
        (" 00:01.25 ", 1.25),
        (75.5, 75.5),
        (0, 0),
        (np.float64(2.5), 2.5),
    ],
)
def test_times_are_read(text, seconds):
    assert parse_time(text) == seconds


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59))
def test_hours_minutes_seconds(hours, minutes, seconds):
    assert (
        parse_time(f"{hours}:{minutes:02d}:{seconds:02d}") == 3600 * hours + 60 * minutes + seconds
    )
    assert parse_time(f"{minutes}:{seconds:02d}") == 60 * minutes + seconds


@pytest.mark.parametrize(
    "text", ["", "abc", "13:75", "1:60:00", "1:2:3:4", "-5", -5, "1e3", "13;21", float("nan"), "٣"]
)
def test_other_times_are_refused(text):
    with pytest.raises(SamflowError, match=r"is not understood: expected mm:ss, hh:mm:ss") as told:
        parse_time(text)
    assert "\n" not in str(told.value)


def test_clip_names():
    assert clip_name(11, "13:21", "14:02") == "fluids_11_1321_1402.mp4"
    assert clip_name("tank", 5, "1:02:03") == "tank_0005_6203.mp4"
    assert clip_name("tank", 1.25, 1.5) == "tank_0001.25_0001.5.mp4"
    assert clip_name("tank", 59.9999, 61) == "tank_0100_0101.mp4"


@given(st.integers(0, 10**7), st.integers(0, 10**7))
def test_different_times_give_different_names(one, other):
    names = {clip_name(11, ms / 1000, 20000) for ms in (one, other)}
    assert len(names) == len({one, other})


# cutting


def numbers(path):
    return [read_number(image) for image in decode_with_ffmpeg(path, SIZE)]


def video_times(path):
    with av.open(str(path)) as container:
        return np.array([frame.time for frame in container.decode(video=0)])


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """100 numbered frames with sound, 4 s."""
    path = tmp_path_factory.mktemp("films") / "film.mp4"
    return write_numbered(path, 100, sound=True)


@pytest.mark.parametrize("rate", ["25", "30000/1001", "24000/1001", "15", "12.5"])
@pytest.mark.parametrize("kind", ["film.mp4", "film.mkv"])
def test_cut_is_exact_to_the_frame(tmp_path, kind, rate):
    path = write_numbered(tmp_path / kind, 90, rate=rate)
    fps = Fraction(rate)
    spans = [(0, 20), (31, 47), (85, 90)]
    for begin, stop in spans:
        out = tmp_path / "clip.mp4"
        times = [float(f"{float(i / fps):.6f}") for i in (begin, stop)]
        assert cut(path, *times, out, progress=False) == out
        assert numbers(out) == list(range(begin, stop))
        times = video_times(out)
        np.testing.assert_allclose(
            times - times[0], np.arange(stop - begin) / float(fps), atol=0.00101
        )
        if kind.endswith("mp4"):
            with av.open(str(out)) as container:
                assert container.streams.video[0].average_rate == fps
    # between two frames: the first is the next one, the last is the one before
    halves = [float((i - Fraction(1, 2)) / fps) for i in (10, 14)]
    cut(path, *halves, tmp_path / "clip.mp4", progress=False)
    assert numbers(tmp_path / "clip.mp4") == [10, 11, 12, 13]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clip.mp4", kind]


def test_a_film_is_read_only_while_it_is_open(film, monkeypatch):
    """What a stream says is freed with its container: read later, it is sometimes nonsense."""

    class Closed(Exception):
        pass

    class Container:
        def __init__(self, container):
            self.container, self.is_open = container, True

        def __getattr__(self, name):
            return getattr(self.container, name)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.is_open = False
            self.container.close()

    class Stream:
        def __init__(self, stream, container):
            self.stream, self.container = stream, container

        def __getattr__(self, name):
            if not self.container.is_open:
                raise Closed(name)
            return getattr(self.stream, name)

    def guarded(path):
        container, stream = open_film(path)
        guard = Container(container)
        return guard, Stream(stream, guard)

    monkeypatch.setattr(film_module, "open_film", guarded)
    timing = inspect_film(film)
    np.testing.assert_allclose(timing.times, np.arange(100) / 25, atol=1e-9)
    assert timing.rate == 25


def test_cut_keeps_sound_and_writes_h264(film, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out = cut(film, "0:01", "0:03", tmp_path / "sub" / "clip.mp4", progress=False)
    assert numbers(out) == list(range(25, 75))
    with av.open(str(out)) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, sound.codec_context.name) == ("h264", "aac")
        assert video.codec_context.pix_fmt == "yuv420p"
        samples = np.concatenate([f.to_ndarray()[0] for f in container.decode(audio=0)])
        rate = sound.codec_context.sample_rate
    assert len(samples) / rate == pytest.approx(2, abs=0.1)
    spectrum = np.abs(np.fft.rfft(samples))
    assert spectrum.argmax() * rate / len(samples) == pytest.approx(440, abs=2)
    assert [p.name for p in tmp_path.iterdir()] == ["sub"]
    assert [p.name for p in out.parent.iterdir()] == ["clip.mp4"]


@pytest.mark.parametrize(
    "timing",
    [
        # a frame rate that varies, and a picture that starts after the sound
        ["-vf", "settb=1/1000,setpts='(N+floor(N/3))*0.04/TB'", "-fps_mode", "passthrough"],
        ["-vf", "settb=1/1000,setpts='(N*0.04+0.5)/TB'", "-fps_mode", "passthrough"],
    ],
)
def test_odd_timing_is_cut_by_true_times(tmp_path, timing):
    path = write_numbered(tmp_path / "odd.mp4", 60, options=[*timing, *X264], sound=True)
    times = video_times(path)
    times -= times[0]
    out = cut(path, times[20], times[41], tmp_path / "clip.mp4", progress=False)
    assert numbers(out) == list(range(20, 41))
    made = video_times(out)
    np.testing.assert_allclose(made - made[0], times[20:41] - times[20], atol=0.001)
    cut(path, 0, times[7], out, progress=False)
    assert numbers(out) == list(range(7))


def test_rotated_film_is_cut_upright_with_its_colours(tmp_path):
    image = np.full((64, 96, 3), 60, np.uint8)
    image[:32, :48] = (200, 50, 20)
    plain = write_film(tmp_path / "plain.mp4", [image] * 20)
    turned = tmp_path / "turned.mp4"
    ffmpeg("-display_rotation", 90, "-i", plain, "-c", "copy", turned)
    out = cut(turned, 0.2, 0.6, tmp_path / "clip.mp4", progress=False)
    frames = decode_with_ffmpeg(out, (96, 64))
    assert len(frames) == 10
    # turned counterclockwise, the patch is at the bottom left
    assert np.abs(frames[5, 56:88, 8:24].reshape(-1, 3).mean(axis=0) - (200, 50, 20)).max() < 6
    assert np.abs(frames[5, 8:40].reshape(-1, 3).mean(axis=0) - 60).max() < 6


def test_odd_size_is_cut(tmp_path):
    images = [np.full((45, 61, 3), level, np.uint8) for level in range(40, 200, 8)]
    path = write_film(tmp_path / "odd.mp4", images, ["-c:v", "libx264", "-pix_fmt", "yuv444p"])
    out = cut(path, 0.2, 0.4, tmp_path / "clip.mp4", progress=False)
    frames = decode_with_ffmpeg(out, (46, 62))
    means = frames.mean(axis=(1, 2, 3))
    np.testing.assert_allclose(means, [level for level in range(80, 120, 8)], atol=3)
    np.testing.assert_allclose(frames[:, -1].mean(), means.mean(), atol=3)


def test_bad_cuts_are_refused_and_leave_nothing(film, tmp_path):
    out = tmp_path / "clip.mp4"
    with pytest.raises(SamflowError, match=r"lasts 4\.00 s: expected an end up to that, got 0:05"):
        cut(film, "0:01", "0:05", out)
    with pytest.raises(SamflowError, match="start 3 is not before end 2"):
        cut(film, 3, 2, out)
    with pytest.raises(SamflowError, match=r"no frame between 1\.001 and 1\.002"):
        cut(film, 1.001, 1.002, out)
    with pytest.raises(SamflowError, match="does not exist"):
        cut(tmp_path / "missing.mp4", 0, 1, out)
    bad = tmp_path / "bad.mp4"
    bad.write_text("no film")
    with pytest.raises(SamflowError, match="not a complete video"):
        cut(bad, 0, 1, out)
    whole = tmp_path / "whole.mp4"
    ffmpeg("-i", film, "-c", "copy", "-movflags", "+faststart", whole)
    bad.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    with pytest.raises(SamflowError, match="not a complete video"):
        cut(bad, 0, 1, out)
    with pytest.raises(SamflowError, match="could not be written"):
        cut(film, 0, 1, bad / "clip.mp4")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.mp4", "whole.mp4"]


@pytest.mark.parametrize("rotated", [False, True])
def test_full_disk_while_cutting_is_one_line_and_leaves_nothing(film, tmp_path, rotated):
    source = film
    if rotated:
        source = tmp_path / "turned.mp4"
        ffmpeg("-display_rotation", 90, "-i", film, "-c", "copy", source)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, hard))
    try:
        with pytest.raises(SamflowError, match=r"could not (be cut|write)") as told:
            cut(source, 0, 4, tmp_path / "sub" / "clip.mp4", progress=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(told.value)
    assert list((tmp_path / "sub").iterdir()) == []


# downloading


class Site:
    """A web server on this machine; `breaks` is how many answers stop in the middle."""

    def __init__(self):
        self.files: dict[str, tuple[str, bytes]] = {}
        self.breaks = 0
        self.ranges: list[str | None] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                site.answer(self)

            do_HEAD = do_GET

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, request):
        if request.path not in self.files:
            request.send_error(404)
            return
        kind, body = self.files[request.path]
        asked = request.headers.get("Range")
        first = int(re.fullmatch(r"bytes=(\d+)-.*", asked)[1]) if asked else 0
        request.send_response(206 if asked else 200)
        request.send_header("Content-Type", kind)
        request.send_header("Accept-Ranges", "bytes")
        request.send_header("Content-Length", str(len(body) - first))
        if asked:
            request.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
        request.end_headers()
        self.ranges.append(asked)
        if request.command == "HEAD":
            return
        if self.breaks and len(body) - first > len(body) // 4:
            self.breaks -= 1
            body = body[: first + len(body) // 4]
        try:
            request.wfile.write(body[first:])
        except OSError:
            # the client looked at the start only
            return


@pytest.fixture
def site(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    site = Site()
    yield site
    site.server.shutdown()
    site.server.server_close()


def test_download_keeps_a_good_mp4_as_it_is(site, film, tmp_path):
    site.files["/films/tank.mp4"] = ("video/mp4", film.read_bytes())
    path = download(f"{site.url}/films/tank.mp4", tmp_path / "data", progress=False)
    assert path.read_bytes() == film.read_bytes()
    assert path.parent == tmp_path / "data"
    assert path.name.startswith("tank")
    assert list(path.parent.iterdir()) == [path]
    again = download(f"{site.url}/films/tank.mp4", tmp_path, name="fluids_11", progress=False)
    assert again == tmp_path / "fluids_11.mp4"


def test_broken_connection_is_taken_up_where_it_broke(site, film, tmp_path):
    site.files["/tank.mp4"] = ("video/mp4", film.read_bytes())
    # the first answer is yt-dlp's look at the kind of page
    site.breaks = 4
    path = download(f"{site.url}/tank.mp4", tmp_path, progress=False)
    assert path.read_bytes() == film.read_bytes()
    starts = [int(r[6:].split("-")[0]) for r in site.ranges if r and not r.startswith("bytes=0-")]
    assert len(starts) >= 2
    assert all(a < b for a, b in itertools.pairwise(starts))
    assert list(tmp_path.iterdir()) == [path]


def test_killed_download_goes_on_at_the_next_call(site, film, tmp_path, monkeypatch):
    url = f"{site.url}/tank.mp4"
    site.files["/tank.mp4"] = ("video/mp4", film.read_bytes())
    site.breaks = 4
    count = itertools.count()

    def interrupt(status):
        if status["downloaded_bytes"] > len(film.read_bytes()) // 4 and next(count) == 0:
            raise KeyboardInterrupt

    import yt_dlp

    hook = yt_dlp.YoutubeDL.add_progress_hook
    made = yt_dlp.YoutubeDL.__init__

    def with_interrupt(self, params=None, auto_init=True):
        made(self, params, auto_init)
        hook(self, interrupt)

    monkeypatch.setattr(yt_dlp.YoutubeDL, "__init__", with_interrupt)
    with pytest.raises(KeyboardInterrupt):
        download(url, tmp_path, progress=False)
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".download-")
    site.ranges.clear()
    site.breaks = 0
    path = download(url, tmp_path, progress=False)
    assert path.read_bytes() == film.read_bytes()
    assert any(r and not r.startswith("bytes=0-") for r in site.ranges)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "kind", "options", "kept"),
    [
        ("tank.webm", "video/webm", ["-c:v", "libvpx-vp9", "-cpu-used", 8], False),
        ("tank.mkv", "video/x-matroska", X264, True),
        ("tank.mov", "video/quicktime", X264, True),
        ("tank.avi", "video/x-msvideo", ["-c:v", "mpeg4", "-q:v", 2], False),
    ],
)
def test_other_kinds_become_h264_mp4(site, tmp_path, name, kind, options, kept):
    source = write_numbered(tmp_path / name, 30, options=options, sound=name.endswith("mkv"))
    expected = decode_with_ffmpeg(source, SIZE)
    site.files[f"/{name}"] = (kind, source.read_bytes())
    path = download(f"{site.url}/{name}", tmp_path / "data", progress=False)
    assert path.suffix == ".mp4"
    assert list(path.parent.iterdir()) == [path]
    assert numbers(path) == list(range(30))
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert len(container.streams.audio) == name.endswith("mkv")
        assert "mp4" in container.format.name
    np.testing.assert_allclose(video_times(path), np.arange(30) / 25, atol=0.0011)
    assert np.array_equal(decode_with_ffmpeg(path, SIZE), expected) == kept


def test_what_is_not_a_film_is_refused_and_leaves_nothing(site, film, tmp_path):
    page = b"<!DOCTYPE html><html><head><title>Fluids</title></head><body>No film</body></html>"
    site.files["/page.html"] = ("text/html", page)
    site.files["/page.mp4"] = ("text/html", page)
    site.files["/liar.mp4"] = ("video/mp4", page * 50)
    whole = tmp_path / "whole.mp4"
    ffmpeg("-i", film, "-c", "copy", "-movflags", "+faststart", whole)
    site.files["/short.mp4"] = ("video/mp4", whole.read_bytes()[: whole.stat().st_size // 2])
    refusals = {
        "/page.html": "could not be downloaded: .*Unsupported URL",
        "/page.mp4": "could not be downloaded",
        "/liar.mp4": "did not send a video that decodes",
        "/short.mp4": "did not send a video that decodes",
        "/missing.mp4": "could not be downloaded: .*404",
    }
    for path, message in refusals.items():
        with pytest.raises(SamflowError, match=message) as told:
            download(site.url + path, tmp_path / "data", progress=False)
        assert "\n" not in str(told.value)
        assert not (tmp_path / "data").exists()


def test_connection_that_never_holds_is_given_up(site, film, tmp_path, monkeypatch):
    monkeypatch.setattr("samflow.acquire.downloading._ATTEMPTS", 1)
    site.files["/tank.mp4"] = ("video/mp4", film.read_bytes())
    site.breaks = 10**6
    site.files["/tank.mp4"] = ("video/mp4", film.read_bytes())
    with pytest.raises(SamflowError, match="could not be downloaded"):
        download(f"{site.url}/tank.mp4", tmp_path, progress=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url", ["file:///etc/hosts", "ftp://a.org/b.mp4", "tank.mp4", "http://", ""]
)
def test_only_http_addresses_are_taken(tmp_path, url):
    with pytest.raises(SamflowError, match="expected an http or https address"):
        download(url, tmp_path / "data")
    assert list(tmp_path.iterdir()) == []


def test_fetch_downloads_and_cuts(site, film, tmp_path):
    site.files["/tank.mp4"] = ("video/mp4", film.read_bytes())
    clip = fetch(f"{site.url}/tank.mp4", "0:01", "0:02", film=11, folder=tmp_path)
    assert clip.name == "fluids_11_0001_0002.mp4"
    assert numbers(clip) == list(range(25, 50))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["fluids_11.mp4", clip.name]
    other = fetch(f"{site.url}/tank.mp4", 1, 2, film=None, folder=tmp_path / "more")
    assert re.fullmatch(r"tank.*_0001_0002\.mp4", other.name)
    with pytest.raises(SamflowError, match="is not before"):
        fetch(f"{site.url}/missing.mp4", 2, 1, film=11, folder=tmp_path)
