"""Corrections: what they change, what they leave alone, and that they can be taken back."""

import filecmp
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from models import save_models
from samflow.cli import main
from samflow.errors import SamflowError
from samflow.lab.demo_run import write_dye_clip
from samflow.lab.synthetic import DyeClip
from samflow.maskio import read_label_map, write_label_map
from samflow.prompts import Prompts
from samflow.results.scoring import score
from samflow.results.side_by_side import compare
from samflow.runs import Run, RunOptions, RunSession, correct, run
from samflow.runs.clip_frames import frame_at
from samflow.runs.given import GivenFrame, stretches_between
from samflow.runs.locking import locked
from samflow.sam import Sam
from samflow.strategies import Frame, build_strategies, segment_first_frame
from samflow.video import Video
from samflow.xmem import Tracker

FRAMES = 12
NAMES = ("xmem", "sam", "refined-box", "nearest-colour", "flow")
CHEAP = ("nearest-colour", "flow")


class _PowerCutError(Exception):
    pass


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A dye clip with prompts and truth, and files of small random weights."""
    folder = tmp_path_factory.mktemp("inputs")
    prompts = write_dye_clip(folder / "clip", DyeClip(seed=5, size=(54, 96), frames=FRAMES))
    sam, xmem = save_models(folder)
    return folder / "clip" / "clip.mp4", prompts, {"sam": str(sam), "xmem": str(xmem)}


def _options(inputs, strategies=NAMES, **changes):
    return RunOptions(strategies=strategies, device="cpu", save_every=3, **(inputs[2] | changes))


@pytest.fixture(scope="module")
def plain(inputs, tmp_path_factory):
    """A run straight from its prompts."""
    return run(inputs[0], inputs[1], tmp_path_factory.mktemp("runs") / "run", _options(inputs))


@pytest.fixture
def copy(plain, tmp_path):
    """A copy of the run, to be corrected."""
    return Run(shutil.copytree(plain.folder, tmp_path / "run"))


@pytest.fixture
def small(inputs, tmp_path):
    """A run of two cheap baselines."""
    return run(inputs[0], inputs[1], tmp_path / "small", _options(inputs, CHEAP))


@pytest.fixture
def truth(inputs):
    """True label map of a frame, background region included."""
    return lambda frame: inputs[0].parent / "truth" / f"{frame:05d}.png"


def _maps(opened: Run, strategy: str) -> np.ndarray:
    return np.stack(list(opened.track(strategy)))


def _files(folder: Path) -> set[str]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)) for path in found if path.name != "run.json"}


def _assert_same(one: Path, other: Path) -> None:
    assert _files(one) == _files(other)
    for name in _files(one):
        assert filecmp.cmp(one / name, other / name, shallow=False), name
    records = [json.loads((folder / "run.json").read_text()) for folder in (one, other)]
    for record in records:
        del record["seconds"]
    assert records[0] == records[1]


def test_a_correction_is_the_result_on_its_frame_and_changes_both_sides(plain, copy, truth):
    mended = correct(copy, 7, truth(7))
    assert mended.complete
    given = read_label_map(truth(7))
    shown = np.where(given == 3, 0, given)
    for name in NAMES:
        before, after = _maps(plain, name), _maps(mended, name)
        np.testing.assert_array_equal(after[7], shown)
        np.testing.assert_array_equal(after[0], before[0])  # the prompts' frame
        assert (after[1:7] != before[1:7]).any(), name
        assert (after[8:] != before[8:]).any(), name
        assert set(np.unique(after)) <= {0, 1, 2}
    assert len(Video(mended.folder / "comparison.mp4")) == FRAMES
    np.testing.assert_array_equal(
        read_label_map(mended.folder / "corrections" / "00007.png"), given
    )


def test_passes_are_those_of_the_strategies_alone(inputs, copy, truth):
    """After the last correction a strategy goes on from it as from a first frame."""
    mended = correct(copy, 7, truth(7))
    from samflow.sam import load_sam

    sam = load_sam(inputs[2]["sam"], "cpu")
    clip = list(Video(inputs[0]))
    strategy = build_strategies(["sam"], sam)["sam"]
    strategy.start(Frame(clip[7], 7), read_label_map(truth(7)))
    for index in range(8, FRAMES):
        labels = strategy.step(Frame(clip[index], index))
        expected = np.where(labels == 3, 0, labels)
        np.testing.assert_array_equal(_maps(mended, "sam")[index], expected)


def test_between_two_given_frames_xmem_keeps_both(inputs, copy, truth, monkeypatch):
    kept = []
    keep = Tracker.keep
    monkeypatch.setattr(
        Tracker,
        "keep",
        lambda self, image, labels: kept.append(labels) or keep(self, image, labels),
    )
    correct(copy, 7, truth(7))
    # forwards from the prompts with the correction in mind, backwards the other way round
    assert len(kept) == 2
    np.testing.assert_array_equal(kept[0], read_label_map(truth(7)))


def test_a_fitted_network_learns_from_every_correction_for_all_frames(inputs, truth, tmp_path):
    options = _options(inputs, ("unet", "nearest-colour"), fit_steps=5)
    begun = run(inputs[0], inputs[1], tmp_path / "run", options)
    before = shutil.copytree(begun.folder, tmp_path / "before")
    correct(begun, 4, truth(4))
    both = correct(Run(begun.folder), 8, truth(8))
    clip = Video(inputs[0])
    taught = build_strategies(["unet"], fit_steps=5, size=options.size)["unet"]
    for index in (4, 8):
        taught.keep(frame_at(clip, index), read_label_map(truth(index)))
    taught.start(frame_at(clip, 0), read_label_map(truth(0)))
    for index in (0, 2, 6, FRAMES - 1):
        labels = taught.step(frame_at(clip, index))
        expected = np.where(labels == 3, 0, labels)
        np.testing.assert_array_equal(_maps(both, "unet")[index], expected)
    correct(Run(begun.folder), 8, None)
    restored = correct(Run(begun.folder), 4, None)
    _assert_same(before, restored.folder)


def test_taking_a_correction_back_restores_the_bytes(plain, copy, truth):
    correct(copy, 7, truth(7))
    restored = correct(Run(copy.folder), 7, None)
    _assert_same(plain.folder, restored.folder)


def test_taking_one_of_two_back_restores_the_other_s_run_and_computes_nothing(
    copy, truth, monkeypatch, tmp_path
):
    correct(copy, 4, truth(4))
    shutil.copytree(copy.folder / "masks", tmp_path / "masks")
    correct(Run(copy.folder), 8, truth(8))
    assert set(Run(copy.folder).correction_files) == {4, 8}

    def no_more(self, image):
        raise AssertionError("nothing is to be computed")

    monkeypatch.setattr(Sam, "embed", no_more)
    monkeypatch.setattr(Tracker, "step", no_more)
    correct(Run(copy.folder), 8, None)
    for path in (tmp_path / "masks").rglob("*.png"):
        kept = copy.folder / "masks" / path.relative_to(tmp_path / "masks")
        assert filecmp.cmp(path, kept, shallow=False)


def test_only_the_stretches_beside_a_correction_are_computed_again(copy, truth, monkeypatch):
    mended = correct(copy, 4, truth(4))
    before = {name: _maps(mended, name) for name in NAMES}
    seen = []
    embed = Sam.embed
    monkeypatch.setattr(Sam, "embed", lambda self, image: seen.append(1) or embed(self, image))
    again = correct(mended, 9, truth(9))
    for name in NAMES:
        np.testing.assert_array_equal(_maps(again, name)[:5], before[name][:5])
    # XMem and what refines it: 4 to 8, 9 down to 5, 9 to 11; `sam` forwards from 4 is known
    assert len(seen) == 5 + 5 + 3


def test_the_order_of_corrections_makes_no_difference(plain, truth, tmp_path):
    folders = []
    for number, order in enumerate([(3, 8), (8, 3)]):
        opened = Run(shutil.copytree(plain.folder, tmp_path / f"run{number}"))
        for frame in order:
            opened = correct(opened, frame, truth(frame))
        folders.append(opened.folder)
    for name in ("masks", "corrections"):
        for path in (folders[0] / name).rglob("*.png"):
            other = folders[1] / path.relative_to(folders[0])
            assert filecmp.cmp(path, other, shallow=False)
    assert filecmp.cmp(folders[0] / "comparison.mp4", folders[1] / "comparison.mp4", False)


@pytest.mark.parametrize("killed_at", [0, 1, 4, 7, 11, 16, 40, 60])
def test_a_killed_correction_goes_on(plain, copy, truth, monkeypatch, tmp_path, killed_at):
    """Killed while a pass is made, masks are replaced, or the comparison video is written."""
    whole = correct(Run(shutil.copytree(plain.folder, tmp_path / "whole")), 6, truth(6))
    count = 0

    def failing(path, labels, *rest):
        nonlocal count
        if count == killed_at:
            raise _PowerCutError
        count += 1
        return write_label_map(path, labels, *rest)

    with monkeypatch.context() as patch:
        for module in ("passes", "mending"):
            patch.setattr(f"samflow.runs.{module}.write_label_map", failing)
        if killed_at == 60:
            patch.setattr("samflow.runs.mending.Mender._write_comparison", _power_cut)
        with pytest.raises(_PowerCutError):
            correct(copy, 6, truth(6))
    with pytest.raises(SamflowError, match="was interrupted: finish it"):
        Run(copy.folder).check_finished()
    finished = correct(Run(copy.folder), 6, truth(6))
    _assert_same(whole.folder, finished.folder)


def _power_cut(*_):
    raise _PowerCutError


def test_frames_are_told_and_a_folder_that_another_host_took_is_left_alone(plain, copy, truth):
    heard = []
    session = RunSession(lambda done, total: heard.append((done, total)))
    whole = correct(plain, 6, truth(6), out=copy.folder.parent / "whole", session=session)
    total = heard[-1][1]
    assert heard == [(done, total) for done in range(total + 1)]

    def lose(done, total):
        if done == 5:
            session.hold.lose()

    session.on_frame = lose
    with pytest.raises(SamflowError, match="was taken over by another samflow"):
        correct(copy, 6, truth(6), session=session)
    for name in NAMES:
        np.testing.assert_array_equal(_maps(copy, name), _maps(plain, name))
    finished = correct(Run(copy.folder), 6, truth(6))
    _assert_same(whole.folder, finished.folder)


def test_a_killed_removal_goes_on(plain, copy, truth, monkeypatch):
    correct(copy, 6, truth(6))
    with monkeypatch.context() as patch:
        patch.setattr("samflow.runs.mending.Mender._write_comparison", _power_cut)
        with pytest.raises(_PowerCutError):
            correct(Run(copy.folder), 6, None)
    assert not Run(copy.folder).mended
    _assert_same(plain.folder, correct(Run(copy.folder), 6, None).folder)


def test_an_export_keeps_the_background_regions(small, truth):
    """A label map of results has no wall in it; the wall of the prompts' frame is found again."""
    labels = read_label_map(truth(5))
    exported = np.where(labels == 3, 0, labels)
    mended = correct(small, 5, exported)
    given = read_label_map(mended.folder / "corrections" / "00005.png")
    assert ((given == exported) | (exported == 0)).all()
    assert set(np.unique(given)) <= {0, 1, 2, 3}


def test_label_maps_of_other_tools(small, truth, tmp_path):
    labels = read_label_map(truth(5))
    stack = np.zeros((FRAMES, *labels.shape), np.uint16)
    stack[5] = labels
    tifffile.imwrite(tmp_path / "napari.tif", stack)
    tifffile.imwrite(tmp_path / "fiji.tiff", labels)
    Image.fromarray(labels).save(tmp_path / "grey.png")
    for name in ("napari.tif", "fiji.tiff", "grey.png"):
        mended = correct(Run(small.folder), 5, tmp_path / name)
        given = read_label_map(mended.folder / "corrections" / "00005.png")
        np.testing.assert_array_equal(given, labels)
        correct(mended, 5, None)


def test_a_correction_from_prompts(inputs, small):
    video, prompts, models = inputs
    later = prompts.model_copy(
        update={"frame": prompts.frame.model_copy(update={"index": 5, "sha256": None})}
    )
    later = later.model_copy(update={"regions": later.regions[1:]})  # the upper dye is gone
    mended = correct(small, 5, later)
    assert Prompts.load(mended.folder / "corrections" / "00005.json") == later
    from samflow.sam import load_sam

    expected = segment_first_frame(load_sam(models["sam"], "cpu"), Frame(Video(video)[5], 5), later)
    given = read_label_map(mended.folder / "corrections" / "00005.png")
    np.testing.assert_array_equal(given, expected)
    assert not (_maps(mended, "flow")[6:] == 1).any()
    replaced = correct(mended, 5, np.ones((54, 96), np.uint8), replace=True)
    assert not (replaced.folder / "corrections" / "00005.json").exists()


def test_a_region_that_ends_and_one_that_appears(copy, truth):
    labels = read_label_map(truth(6))
    mended = correct(copy, 6, np.where(labels == 1, 0, labels))
    for name in NAMES:
        assert not (_maps(mended, name)[6:] == 1).any()
    nothing = correct(mended, 3, np.zeros_like(labels), replace=True)
    for name in NAMES:
        assert not _maps(nothing, name)[3].any()
    back = correct(nothing, 9, labels)
    assert (_maps(back, "xmem")[9] == 1).any()


def test_prompts_in_the_middle_of_the_clip_run_both_ways(inputs, tmp_path):
    video, prompts, _ = inputs
    moved = prompts.model_copy(
        update={"frame": prompts.frame.model_copy(update={"index": 5, "sha256": None})}
    )
    options = _options(inputs, start=0.0)
    both = run(video, moved, tmp_path / "both", options)
    assert (both.record.video.first, both.record.video.frames) == (0, FRAMES)
    assert both.complete
    forwards = run(video, moved, tmp_path / "forwards", _options(inputs))
    # a folder of the first frames the other way round
    frames = tmp_path / "frames"
    frames.mkdir()
    for place, image in enumerate(Video(video)[5::-1]):
        Image.fromarray(image).save(frames / f"{place:05d}.png")
    turned = moved.model_copy(
        update={"frame": moved.frame.model_copy(update={"index": 0}), "video": None}
    )
    backwards = run(frames, turned, tmp_path / "backwards", _options(inputs))
    for name in NAMES:
        np.testing.assert_array_equal(_maps(both, name)[5:], _maps(forwards, name))
        np.testing.assert_array_equal(_maps(both, name)[5::-1], _maps(backwards, name))
    with pytest.raises(SamflowError, match=r"frame 5 at 0\.200 s, which is not in the clip"):
        run(video, moved, tmp_path / "no", _options(inputs, start=0.3))


def test_prompts_on_several_frames(inputs, small, tmp_path):
    video, prompts, _ = inputs
    later = prompts.model_copy(
        update={"frame": prompts.frame.model_copy(update={"index": 8, "sha256": None})}
    )
    several = run(video, [prompts, later], tmp_path / "several", _options(inputs, CHEAP))
    mended = correct(small, 8, later)
    for name in CHEAP:
        np.testing.assert_array_equal(_maps(several, name), _maps(mended, name))


@pytest.mark.parametrize("corrected", [False, True])
def test_a_run_grows_by_a_strategy(inputs, small, truth, tmp_path, monkeypatch, corrected):
    if corrected:
        correct(small, 6, truth(6))
    before = {name: _maps(Run(small.folder), name) for name in CHEAP}
    from samflow.strategies import ColorStrategy

    with monkeypatch.context() as patch:
        patch.setattr(ColorStrategy, "step", _power_cut)
        grown = run(
            inputs[0], inputs[1], small.folder, _options(inputs, (*CHEAP, "xmem")), resume=True
        )
    assert grown.complete
    assert grown.strategies == [*CHEAP, "xmem"]
    assert set(grown.record.models) == {"sam", "xmem"}
    whole = run(inputs[0], inputs[1], tmp_path / "whole", _options(inputs, (*CHEAP, "xmem")))
    if corrected:
        whole = correct(whole, 6, truth(6))
    for name in CHEAP:
        np.testing.assert_array_equal(_maps(grown, name), before[name])
    np.testing.assert_array_equal(_maps(grown, "xmem"), _maps(whole, "xmem"))
    assert filecmp.cmp(grown.folder / "comparison.mp4", whole.folder / "comparison.mp4", False)


def test_what_was_computed_from_the_old_masks_is_deleted(inputs, small, truth):
    from samflow.maskio import Track

    score(small, Track(inputs[0].parent / "truth"))
    assert (small.folder / "scores.csv").is_file()
    correct(small, 5, truth(5))
    assert not (small.folder / "scores.csv").exists()
    assert not (small.folder / "plots").exists()


def test_bad_input_ends_in_one_line_and_changes_nothing(inputs, small, truth, tmp_path):
    correct(small, 5, truth(5))
    before = {path: path.read_bytes() for path in small.folder.rglob("*") if path.is_file()}
    labels = read_label_map(truth(6))
    Image.fromarray(np.dstack([labels] * 3)).save(tmp_path / "rgb.png")
    soft = Image.fromarray((labels * 60).astype(np.uint8)).resize((384, 216), Image.BICUBIC)
    soft.resize((96, 54), Image.BICUBIC).save(tmp_path / "soft.png")
    tifffile.imwrite(tmp_path / "real.tif", labels.astype(np.float32))
    write_label_map(tmp_path / "small.png", labels[:20])
    (tmp_path / "text.txt").write_text("no")
    other = inputs[1].model_copy(
        update={"frame": inputs[1].frame.model_copy(update={"index": 2, "sha256": None})}
    )
    cases = [
        (FRAMES, truth(5), "has no frame 12: its 12 frames are numbered from 0 to 11"),
        (-1, truth(5), "has no frame -1"),
        (6, tmp_path / "small.png", "is 96x20 pixels, expected 96x54"),
        (6, np.full((54, 96), 7, np.uint8), "holds region 7, the run has 1, 2, 3"),
        (6, np.zeros((5, 5), np.uint8), r"expected \(54, 96\)"),
        (6, tmp_path / "rgb.png", "8-bit RGB PNG, so its pixel values are not labels"),
        (6, tmp_path / "soft.png", "antialiased"),
        (6, tmp_path / "real.tif", "its pixel values are not labels"),
        (6, tmp_path / "text.txt", "no PNG or TIFF"),
        (6, tmp_path / "missing.png", "can't be read"),
        (6, tmp_path / "missing.tif", "can't be read"),
        (6, other, "frame 2 of the run, not 6"),
        (5, truth(6), "has a correction already"),
        (6, None, r"no correction to take back \(corrected frames: 5\)"),
    ]
    for frame, given, message in cases:
        with pytest.raises(SamflowError, match=message):
            correct(Run(small.folder), frame, given)
    with locked(small.folder), pytest.raises(SamflowError, match="written by another samflow"):
        correct(Run(small.folder), 6, truth(6))
    after = {path: path.read_bytes() for path in small.folder.rglob("*") if path.is_file()}
    assert after == before


def test_a_run_that_is_not_finished_is_not_corrected(inputs, tmp_path, monkeypatch, truth):
    from samflow.strategies import FlowStrategy

    with monkeypatch.context() as patch:
        patch.setattr(FlowStrategy, "step", _power_cut)
        with pytest.raises(_PowerCutError):
            run(inputs[0], inputs[1], tmp_path / "run", _options(inputs, CHEAP))
    with pytest.raises(SamflowError, match="has 0 of 12 frames: finish it"):
        correct(Run(tmp_path / "run"), 5, truth(5))


def test_stretches_cover_every_frame_that_is_not_corrected_once():
    for at in (0, 3, 9):
        given = {at: GivenFrame(at, "prompts")}
        given |= {i: GivenFrame(i, str(i), Path("x.png")) for i in (2, 5, 6)}
        found = stretches_between([given[i] for i in sorted(given)], 10)
        covered = [frame for stretch in found for frame in stretch.frames]
        assert sorted(covered) == [frame for frame in range(10) if frame not in (2, 5, 6)]


def test_a_corrected_copy_leaves_the_run_alone_and_is_compared_with_it(small, truth, tmp_path):
    before = {path: path.read_bytes() for path in small.folder.rglob("*") if path.is_file()}
    mended = correct(small, 6, truth(6), out=tmp_path / "mended")
    assert {p: p.read_bytes() for p in small.folder.rglob("*") if p.is_file()} == before
    assert set(mended.correction_files) == {6}
    both = Video(compare([small, mended], tmp_path / "both.mp4"))
    assert len(both) == FRAMES
    with pytest.raises(SamflowError, match="mended exists already: choose a new folder"):
        correct(small, 6, truth(6), out=tmp_path / "mended")
    with pytest.raises(SamflowError, match="has no frame 99"):
        correct(small, 99, truth(6), out=tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_the_command_corrects_suggests_and_takes_back(small, truth, capsys):
    arguments = ["correct", str(small.folder), "--frame", "6"]

    def go(*words):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.argv", ["samflow", *words])
            with pytest.raises(SystemExit) as end:
                main()
        return end.value.code, capsys.readouterr()

    code, said = go("suggest", str(small.folder), "-n", "2")
    assert code == 0
    assert said.out.count("frame ") == 2
    code, said = go(*arguments, "--labels", str(truth(6)))
    assert (code, said.out.splitlines()[0]) == (0, "corrected frames: 6")
    code, said = go(*arguments, "--labels", str(truth(7)))
    assert code == 1
    assert "frame 6" in said.err
    assert "has a correction already" in said.err
    assert go(*arguments)[0] == 2
    code, said = go(*arguments, "--remove")
    assert (code, said.out.splitlines()[0]) == (0, "corrected frames: none")
