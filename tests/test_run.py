"""The run folder: what it holds, that it is repeatable, and that it survives a kill."""

import errno
import hashlib
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models import save_models, small_xmem
from samflow.errors import SamflowError
from samflow.lab.demo_run import write_dye_clip
from samflow.lab.synthetic import DyeClip
from samflow.masks import sharpen_labels, without_labels
from samflow.prompts import Prompts
from samflow.results.side_by_side import compare
from samflow.runs import FolderLockedError, Run, RunOptions, RunSession, locking, run
from samflow.runs.locking import locked
from samflow.sam import Sam
from samflow.strategies import BASELINE_NAMES, DEFAULT_NAMES, FlowStrategy, PromptOptions
from samflow.video import Video, video_to_frames
from samflow.xmem import Tracker

FRAMES = 12


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A dye clip with prompts, and files of small random weights."""
    folder = tmp_path_factory.mktemp("inputs")
    prompts = write_dye_clip(folder / "clip", DyeClip(seed=5, size=(54, 96), frames=FRAMES))
    sam, xmem = save_models(folder)
    return folder / "clip" / "clip.mp4", prompts, {"sam": str(sam), "xmem": str(xmem)}


def _options(inputs, **changes):
    return RunOptions(device="cpu", save_every=5, **(inputs[2] | changes))


@pytest.fixture(scope="module")
def whole(inputs, tmp_path_factory):
    """An unbroken run."""
    return run(inputs[0], inputs[1], tmp_path_factory.mktemp("runs") / "whole", _options(inputs))


def _bytes(folder: Path) -> dict[str, str]:
    """Hashes of all results of a run; of run.json all but the times."""
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    record = json.loads(files.pop("run.json"))
    del record["seconds"]
    files["run.json"] = json.dumps(record).encode()
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def test_the_folder_holds_what_the_design_says(inputs, whole):
    names = {path.name for path in whole.folder.iterdir()}
    assert names == {"run.json", "prompts.json", "masks", "comparison.mp4"}
    assert Prompts.load(whole.folder / "prompts.json") == inputs[1]
    record = json.loads((whole.folder / "run.json").read_text())
    video = Video(inputs[0])
    assert record["video"]["sha256"] == video.sha256
    assert record["video"]["name"] == "clip.mp4"
    assert record["frames_done"] == FRAMES
    assert record["strategies"] == list(DEFAULT_NAMES)
    assert set(record["models"]) == {"sam", "xmem"}
    assert all(len(model["sha256"]) == 64 for model in record["models"].values())
    stages = {"decode", "sam encode", "first frame", "overlay", "write"}
    assert set(record["seconds"]) == stages | set(DEFAULT_NAMES)
    for name in DEFAULT_NAMES:
        files = sorted(path.name for path in (whole.folder / "masks" / name).iterdir())
        assert files == [f"{index:05d}.png" for index in range(FRAMES)]
        with Image.open(whole.folder / "masks" / name / "00003.png") as picture:
            assert picture.mode == "P"


def test_background_regions_are_dropped_from_results(inputs, whole):
    assert inputs[1].background_ids == (3,)
    for name in DEFAULT_NAMES:
        labels = np.stack(list(whole.track(name)))
        assert set(np.unique(labels)) <= {0, 1, 2}
        assert labels.any()


def test_the_comparison_shows_every_frame_at_its_time(inputs, whole):
    film, comparison = Video(inputs[0]), Video(whole.folder / "comparison.mp4")
    np.testing.assert_allclose(comparison.timestamps, film.timestamps, atol=1e-3)
    assert comparison.size[1] > 2 * film.size[1]


def test_the_same_run_gives_the_same_bytes(inputs, whole, tmp_path):
    again = run(inputs[0], inputs[1], tmp_path / "again", _options(inputs))
    assert _bytes(again.folder) == _bytes(whole.folder)


def test_a_subset_of_strategies_gives_the_same_masks(inputs, whole, tmp_path):
    part = run(
        inputs[0], inputs[1], tmp_path / "part", _options(inputs, strategies=("refined-box", "sam"))
    )
    for name in ("refined-box", "sam"):
        np.testing.assert_array_equal(np.stack(list(part.track(name))), list(whole.track(name)))
    assert not (part.folder / "masks" / "xmem").exists()


def test_a_frame_is_decoded_encoded_and_tracked_once(inputs, tmp_path, monkeypatch):
    calls = dict.fromkeys(["decode", "embed", "track"], 0)
    iterate, embed, step = Video.__iter__, Sam.embed, Tracker.step

    def counted_iterate(self):
        for image in iterate(self):
            calls["decode"] += 1
            yield image

    def counted_embed(self, image):
        calls["embed"] += 1
        return embed(self, image)

    def counted_step(self, image, labels=None, last=False):
        calls["track"] += 1
        return step(self, image, labels, last)

    def no_random_access(self, item):
        assert isinstance(item, slice), "a run reads its frames in order"
        return getitem(self, item)

    getitem = Video.__getitem__
    monkeypatch.setattr(Video, "__iter__", counted_iterate)
    monkeypatch.setattr(Video, "__getitem__", no_random_access)
    monkeypatch.setattr(Sam, "embed", counted_embed)
    monkeypatch.setattr(Tracker, "step", counted_step)
    run(inputs[0], inputs[1], tmp_path / "run", _options(inputs))
    assert calls == {"decode": FRAMES, "embed": FRAMES, "track": FRAMES}


def test_xmem_alone_needs_sam_for_the_first_frame_only(inputs, tmp_path, monkeypatch):
    frames = []
    embed = Sam.embed
    monkeypatch.setattr(Sam, "embed", lambda self, image: frames.append(1) or embed(self, image))
    run(inputs[0], inputs[1], tmp_path / "run", _options(inputs, strategies=("xmem",)))
    assert len(frames) == 1


def test_baselines_alone_need_sam_for_the_first_frame_and_no_xmem(inputs, tmp_path, monkeypatch):
    frames = []
    embed = Sam.embed
    monkeypatch.setattr(Sam, "embed", lambda self, image: frames.append(1) or embed(self, image))
    options = _options(inputs, strategies=BASELINE_NAMES, xmem="no such file")
    finished = run(inputs[0], inputs[1], tmp_path / "run", options)
    assert len(frames) == 1
    assert set(finished.record.models) == {"sam"}
    for name in BASELINE_NAMES:
        assert set(np.unique(np.stack(list(finished.track(name))))) <= {0, 1, 2}
        assert finished.record.seconds[name] > 0


def test_interrupted_baselines_end_with_the_same_bytes(inputs, tmp_path, monkeypatch):
    options = _options(inputs, strategies=BASELINE_NAMES)
    unbroken = run(inputs[0], inputs[1], tmp_path / "unbroken", options)
    step = FlowStrategy.step

    def failing(self, frame):
        if frame.index == 8:
            raise _PowerCutError
        return step(self, frame)

    with monkeypatch.context() as patch:
        patch.setattr(FlowStrategy, "step", failing)
        with pytest.raises(_PowerCutError):
            run(inputs[0], inputs[1], tmp_path / "run", options)
    resumed = run(inputs[0], inputs[1], tmp_path / "run", options, resume=True)
    assert _bytes(resumed.folder) == _bytes(unbroken.folder)


class _PowerCutError(Exception):
    pass


def test_sharpening_is_of_results_alone_and_is_recorded(inputs, whole, tmp_path):
    options = _options(inputs, strategies=(*DEFAULT_NAMES, "kmeans"), sharpen=True)
    sharp = run(inputs[0], inputs[1], tmp_path / "sharp", options)
    assert sharp.record.options["sharpen"]
    assert "sharpen" not in whole.record.options
    assert sharp.record.seconds["sharpen"] > 0
    keeping = tmp_path / "keeping"
    prompts = inputs[1].model_copy(
        update={"regions": [r.model_copy(update={"background": False}) for r in inputs[1].regions]}
    )
    plain = run(inputs[0], prompts, keeping, _options(inputs, strategies=options.strategies))
    for index, image in enumerate(Video(inputs[0])):
        for name in DEFAULT_NAMES:
            expected = without_labels(sharpen_labels(plain.track(name)[index], image), [3])
            np.testing.assert_array_equal(sharp.track(name)[index], expected)
        baseline = without_labels(plain.track("kmeans")[index], [3])
        np.testing.assert_array_equal(sharp.track("kmeans")[index], baseline)
    options = _options(inputs, strategies=options.strategies)
    with pytest.raises(SamflowError, match=r"made with other input \(options\.sharpen was True"):
        run(inputs[0], inputs[1], sharp.folder, options, resume=True)


@pytest.mark.parametrize("killed_at", [0, 3, 5, 9, 10, 11])
def test_an_interrupted_run_ends_with_the_same_bytes(
    inputs, whole, tmp_path, monkeypatch, killed_at
):
    embed = Sam.embed
    count = 0

    def failing(self, image):
        nonlocal count
        if count == killed_at:
            raise _PowerCutError
        count += 1
        return embed(self, image)

    with monkeypatch.context() as patch:
        patch.setattr(Sam, "embed", failing)
        with pytest.raises(_PowerCutError):
            run(inputs[0], inputs[1], tmp_path / "run", _options(inputs))
    resumed = run(inputs[0], inputs[1], tmp_path / "run", _options(inputs), resume=True)
    assert _bytes(resumed.folder) == _bytes(whole.folder)


# Imports once, then forks a run for each line "seconds folder" and kills it after the seconds.
KILLER = """
import os, signal, sys, time
from samflow.prompts import Prompts
from samflow.runs import RunOptions, run

video, prompts, sam, xmem = sys.argv[1:]
options = RunOptions(sam=sam, xmem=xmem, device="cpu", save_every=5)
for line in sys.stdin:
    seconds, out = line.rstrip().split(" ", 1)
    child = os.fork()
    if child == 0:
        run(video, Prompts.load(prompts), out, options, resume=True)
        os._exit(0)
    end = time.perf_counter() + float(seconds)
    ended = status = 0
    while not ended and time.perf_counter() < end:
        time.sleep(0.005)
        ended, status = os.waitpid(child, os.WNOHANG)
    if not ended:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    print("killed" if not ended else status, flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks; Windows has no SIGKILL either")
def test_runs_killed_at_random_moments_end_with_the_same_bytes(inputs, tmp_path):
    """SIGKILL at 20 random moments; the run is resumed, and killed again, until it gets through."""
    video, _, models = inputs
    arguments = [video, video.with_name("prompts.json"), models["sam"], models["xmem"]]
    rng = random.Random(0)
    killer = subprocess.Popen(
        [sys.executable, "-c", KILLER, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )

    def go(seconds, out):
        killer.stdin.write(f"{seconds} {out}\n")
        killer.stdin.flush()
        return killer.stdout.readline().strip()

    assert go(600, tmp_path / "imports") == "0"
    begin = time.perf_counter()
    assert go(600, tmp_path / "whole") == "0"
    length = time.perf_counter() - begin
    whole = _bytes(tmp_path / "whole")
    out, kills, ends = tmp_path / "run", 0, 0
    while kills < 20 or ends == 0:
        ended = go(rng.uniform(0.02, 1.0) * length if kills < 20 else 600, out)
        if ended == "killed":
            kills += 1
            continue
        assert ended == "0"
        assert _bytes(out) == whole
        shutil.rmtree(out)
        ends += 1
    killer.communicate()
    assert killer.returncode == 0


def test_resuming_a_complete_run_changes_nothing(inputs, whole):
    before = {path: path.stat().st_mtime_ns for path in whole.folder.rglob("*")}
    run(inputs[0], inputs[1], whole.folder, _options(inputs), resume=True)
    assert {path: path.stat().st_mtime_ns for path in whole.folder.rglob("*")} == before


def test_a_scale_drawn_later_is_taken_in_and_nothing_else_changes(inputs, whole, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(whole.folder, folder)
    written = {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")}
    scaled = inputs[1].model_copy(update={"mm_per_px": 0.2, "ruler": ((1, 2), (31, 42))})
    changed = run(inputs[0], scaled, folder, _options(inputs), resume=True)
    assert changed.record.prompts == Prompts.load(folder / "prompts.json") == scaled
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")} == written
    # prompts without a scale do not take it away
    again = run(inputs[0], inputs[1], folder, _options(inputs), resume=True)
    assert again.record.prompts.mm_per_px == 0.2


def test_resuming_with_other_input_is_refused(inputs, whole, tmp_path):
    torch.save(small_xmem(seed=1).state_dict(), tmp_path / "other.pth")
    others = {
        "strategies": _options(inputs, strategies=("sam",)),
        "options.mask_value": _options(inputs, prompting=PromptOptions(mask_value=5.0)),
        "models": _options(inputs, xmem=str(tmp_path / "other.pth")),
    }
    for what, options in others.items():
        with pytest.raises(
            SamflowError, match=rf"made with other input \({what}.* was .*choose another"
        ):
            run(inputs[0], inputs[1], whole.folder, options, resume=True)


def test_folders_that_are_not_to_be_written(inputs, whole, tmp_path):
    with pytest.raises(SamflowError, match="already holds a run: continue it with --resume"):
        run(inputs[0], inputs[1], whole.folder, _options(inputs))
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(SamflowError, match="exists and is not a run"):
        run(inputs[0], inputs[1], tmp_path, _options(inputs), resume=True)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


# Holds the lock of a folder until it is killed.
HOLDER = """
import sys, time
from pathlib import Path
from samflow.runs.locking import locked

with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(600)
"""


def test_two_processes_never_write_one_run_and_a_dead_one_locks_nothing(inputs, tmp_path):
    out = tmp_path / "run"
    other = subprocess.Popen([sys.executable, "-c", HOLDER, str(out)], stdout=subprocess.PIPE)
    assert other.stdout.readline() == b"locked\n"
    options = _options(inputs, strategies=("nearest-colour",))
    with pytest.raises(SamflowError, match=rf"written by another samflow \(process {other.pid} on"):
        run(inputs[0], inputs[1], out, options)
    assert {path.name for path in out.iterdir()} == {".lock", ".lease"}
    other.kill()
    other.wait()
    finished = run(inputs[0], inputs[1], out, options)
    assert finished.complete
    assert not {path.name for path in out.iterdir()} & {".lock", ".lease"}


def test_a_lease_of_another_host_is_waited_for_and_taken_over_when_it_stands_still(
    inputs, tmp_path, monkeypatch
):
    """As on storage whose locks hold within one host: what another host left, dead or alive."""
    monkeypatch.setattr(locking, "_LEASE_SECONDS", 1.5)
    monkeypatch.setattr(locking, "_RENEWED_EVERY", 0.5)
    out = tmp_path / "run"
    with locked(out):
        claim = (out / ".lease").read_text().replace(platform.node(), "node7", 1)
    out.mkdir()
    (out / ".lease").write_text(claim)
    alive = threading.Event()

    def renew():
        while not alive.wait(0.3):
            os.utime(out / ".lease")

    node7 = threading.Thread(target=renew)
    node7.start()
    with pytest.raises(FolderLockedError, match="being written by another samflow"), locked(out):
        pass
    alive.set()
    node7.join()
    with locked(out) as hold:
        assert "host=node7" not in (out / ".lease").read_text()
        hold.check()
        # and the other way round: this host stood still, node7 has taken the folder
        (out / "theirs").write_text(claim.replace("token=", "token=0"))
        (out / "theirs").replace(out / ".lease")
        deadline = time.monotonic() + 20
        while not hold.lost and time.monotonic() < deadline:
            time.sleep(0.1)
        with pytest.raises(SamflowError, match="was taken over by another samflow"):
            hold.check()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no flock")
def test_a_file_system_without_flock_is_locked_by_the_lease_alone(tmp_path, monkeypatch):
    def without(fd, operation):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", without)
    with locked(tmp_path / "run"), pytest.raises(FolderLockedError), locked(tmp_path / "run"):
        pass
    assert not (tmp_path / "run").exists()


def test_a_session_loads_networks_once_and_hears_of_every_frame(inputs, tmp_path, capfd):
    heard = []
    session = RunSession(lambda done, total: heard.append((done, total)))
    options = _options(inputs, strategies=("xmem",))
    run(inputs[0], inputs[1], tmp_path / "a", options, session=session)
    assert heard == [(done, FRAMES) for done in range(FRAMES + 1)]
    assert "frame" not in capfd.readouterr().err
    first = session.sam(options.sam, "cpu"), session.xmem(options.xmem, "cpu")
    run(inputs[0], inputs[1], tmp_path / "b", options, session=session)
    assert (session.sam(options.sam, "cpu"), session.xmem(options.xmem, "cpu")) == first
    assert _bytes(tmp_path / "b") == _bytes(tmp_path / "a")
    file = tmp_path / "small.pth"
    shutil.copyfile(options.xmem, file)
    before = session.xmem(str(file), "cpu")
    torch.save(small_xmem(seed=1).state_dict(), file)
    assert session.xmem(str(file), "cpu").sha256 != before.sha256


def test_a_run_that_can_t_start_leaves_no_folder(inputs, tmp_path):
    with pytest.raises(SamflowError):
        run(tmp_path / "no.mp4", inputs[1], tmp_path / "run", _options(inputs))
    assert not (tmp_path / "run").exists()


def test_a_damaged_saved_point_starts_the_run_again(inputs, tmp_path, monkeypatch, caplog):
    options = _options(inputs, strategies=BASELINE_NAMES[:1])
    unbroken = run(inputs[0], inputs[1], tmp_path / "unbroken", options)
    monkeypatch.setattr("samflow.runs.comparison_parts.concatenate_videos", _power_cut)
    with pytest.raises(_PowerCutError):
        run(inputs[0], inputs[1], tmp_path / "run", options)
    monkeypatch.undo()
    (tmp_path / "run" / ".state" / "state.pt").write_bytes(b"half")
    resumed = run(inputs[0], inputs[1], tmp_path / "run", options, resume=True)
    assert _bytes(resumed.folder) == _bytes(unbroken.folder)
    assert "starting again" in caplog.text


def _power_cut(*_):
    raise _PowerCutError


def test_the_clip_starts_at_the_prompts_frame(inputs, tmp_path):
    video, prompts, _ = inputs
    moved = prompts.model_copy(
        update={"frame": prompts.frame.model_copy(update={"index": 7, "sha256": None})}
    )
    finished = run(video, moved, tmp_path / "late", _options(inputs, strategies=("sam",)))
    assert (finished.record.video.first, finished.record.video.frames) == (7, FRAMES - 7)
    with pytest.raises(SamflowError, match=r"frame 7 at 0\.280 s, which is not in the clip from"):
        run(video, moved, tmp_path / "other", _options(inputs, start=0.4))
    other_frame = prompts.frame.model_copy(update={"sha256": "0" * 64})
    wrong = prompts.model_copy(update={"frame": other_frame})
    with pytest.raises(SamflowError, match="--accept-frame"):
        run(video, wrong, tmp_path / "other", _options(inputs))
    assert not (tmp_path / "other").exists()
    ended = run(video, prompts, tmp_path / "end", _options(inputs, end=0.2, strategies=("sam",)))
    assert ended.record.video.frames == 5


def test_a_folder_of_images_runs_like_a_film(inputs, tmp_path):
    frames = video_to_frames(Video(inputs[0])[:4], tmp_path / "frames")
    finished = run(
        frames,
        inputs[1],
        tmp_path / "run",
        _options(inputs, strategies=("sam",), accept_frame=True),
    )
    assert len(finished.track("sam")) == 4


def test_compare_puts_runs_side_by_side(inputs, whole, tmp_path):
    part = run(inputs[0], inputs[1], tmp_path / "part", _options(inputs, strategies=("sam",)))
    out = compare([whole, part], tmp_path / "both.mp4")
    assert len(Video(out)) == FRAMES
    short = run(inputs[0], inputs[1], tmp_path / "short", _options(inputs, end=0.2))
    with pytest.raises(SamflowError, match="over another clip"):
        compare([whole, short], tmp_path / "x.mp4")
    with pytest.raises(SamflowError, match=r"'flow' is in none of the runs: choose from refined"):
        compare([whole, part], tmp_path / "x.mp4", strategies=["sam", "flow"])
    assert not (tmp_path / "x.mp4").exists()


def test_compare_draws_as_many_panels_as_a_run(inputs, whole, tmp_path):
    copy = Run(shutil.copytree(whole.folder, tmp_path / "copy"))
    both = Video(compare([whole, copy], tmp_path / "both.mp4"))
    alone = Video(compare([whole, copy], tmp_path / "sam.mp4", strategies=["sam"]))
    assert len(both) == len(alone) == FRAMES
    # eight panels and the frame against two and the frame
    assert both.size[0] * both.size[1] > 2 * alone.size[0] * alone.size[1]


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(SamflowError, match=r"is not a run: it has no run\.json"):
        Run(tmp_path)
    (tmp_path / "run.json").write_text('{"schema": "other"}')
    with pytest.raises(SamflowError, match="not a samflow run record"):
        Run(tmp_path)
