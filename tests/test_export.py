"""Exports read back by the libraries that they are for."""

import sys

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image
from pycocotools.coco import COCO
from runs import NAMES, change_record, write_run
from vos_benchmark.benchmark import VideoEvaluator

from samflow.cli import main
from samflow.errors import SamflowError
from samflow.export import EXPORT_FORMATS, export

SIZE, FRAMES = (36, 52), 5
TIMES = np.arange(FRAMES) / 25


def noise(seed):
    """Label maps with every kind of pixel neighbourhood; region 2 vanishes from frame 3."""
    maps = np.random.default_rng(seed).integers(0, 3, (FRAMES, *SIZE)).astype(np.uint8)
    maps[3][maps[3] == 2] = 0
    return maps


MASKS = {"xmem": noise(1), "refined-box": noise(2)}
TABLE = pd.DataFrame(
    {
        "strategy": ["xmem", "xmem", "refined-box", "refined-box"],
        "frame": [0, 0, 0, 0],
        "time_s": 0.0,
        "region": [1, 2, 1, 2],
        "area_mm2": [1.5, 2.5, 3.5, 4.5],
        "area_rate_mm2_per_s": [0.1, 0.2, 0.3, 0.4],
        "interface_density_per_mm": [7.0, 8.0, 9.0, 10.0],
        "dimension": [1.1, np.nan, 1.3, 1.4],
    }
)


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path, MASKS, TIMES)


def test_coco_is_read_by_pycocotools(run, tmp_path, capsys):
    assert [p.name for p in export(run, "coco", tmp_path / "out")] == [
        "refined-box.json",
        "xmem.json",
    ]
    for name, maps in MASKS.items():
        coco = COCO(tmp_path / "out" / f"{name}.json")
        assert {c["id"]: c["name"] for c in coco.loadCats(coco.getCatIds())} == {
            i: NAMES[i] for i in (1, 2)
        }
        for frame, labels in enumerate(maps):
            rebuilt = np.zeros_like(labels)
            for annotation in coco.loadAnns(coco.getAnnIds(imgIds=[frame])):
                mask = coco.annToMask(annotation).astype(bool)
                assert annotation["area"] == mask.sum() > 0
                rebuilt[mask] = annotation["category_id"]
            np.testing.assert_array_equal(rebuilt, labels)


def test_davis_is_read_by_vos_benchmark(run, tmp_path):
    export(run, "davis", tmp_path / "out")
    for name, maps in MASKS.items():
        files = sorted((tmp_path / "out" / name / "clip").iterdir())
        assert [path.name for path in files] == [f"{i:05d}.png" for i in range(FRAMES)]
        for path, labels in zip(files, maps, strict=True):
            with Image.open(path) as picture:
                assert picture.mode == "P"
                np.testing.assert_array_equal(np.asarray(picture), labels)
    truth, results = str(tmp_path / "out" / "xmem"), str(tmp_path / "out" / "refined-box")
    assert VideoEvaluator(truth, truth)("clip")[1] == pytest.approx({1: 100, 2: 100})
    other = VideoEvaluator(truth, results)("clip")[1]
    inner = slice(1, -1)  # the evaluation leaves out both ends
    a, b = MASKS["xmem"][inner] == 1, MASKS["refined-box"][inner] == 1
    expected = np.mean((a & b).sum((1, 2)) / (a | b).sum((1, 2)))
    assert other[1] == pytest.approx(100 * expected)


def test_tiff_is_read_by_tifffile_and_pillow(run, tmp_path):
    export(run, "tiff", tmp_path / "out")
    for name, maps in MASKS.items():
        path = tmp_path / "out" / f"{name}.tif"
        np.testing.assert_array_equal(tifffile.imread(path), maps)
        with tifffile.TiffFile(path) as file:
            assert file.series[0].axes == "TYX"
            assert len(file.pages) == FRAMES
            said = file.shaped_metadata[0]
            assert said["regions"] == {"1": "upper dye", "2": "lower dye"}
            assert said["fps"] == pytest.approx(25)
        with Image.open(path) as picture:
            assert picture.n_frames == FRAMES
            picture.seek(3)
            np.testing.assert_array_equal(np.asarray(picture), maps[3])


def test_large_tiff_frames_are_kept_in_several_strips(tmp_path):
    maps = np.random.default_rng(3).integers(0, 3, (2, 500, 700)).astype(np.uint8)
    run = write_run(tmp_path, {"sam": maps}, [0.0, 0.04])
    (path,) = export(run, "tiff", tmp_path / "out")
    with tifffile.TiffFile(path) as file:
        assert file.pages[0].rowsperstrip < 500
        np.testing.assert_array_equal(file.asarray(), maps)


def test_npz_is_read_by_numpy(run, tmp_path):
    export(run, "npz", tmp_path / "out")
    for name, maps in MASKS.items():
        with np.load(tmp_path / "out" / f"{name}.npz", allow_pickle=False) as arrays:
            assert set(arrays) == {"labels", "frames", "region_ids", "region_names", "fps"}
            assert arrays["labels"].dtype == np.uint8
            np.testing.assert_array_equal(arrays["labels"], maps)
            np.testing.assert_array_equal(arrays["frames"], np.arange(FRAMES))
            assert arrays["region_ids"].tolist() == [1, 2]
            assert arrays["region_names"].tolist() == ["upper dye", "lower dye"]
            assert float(arrays["fps"]) == pytest.approx(25)


def test_csv_has_one_value_in_a_row_with_its_unit(run, tmp_path):
    TABLE.to_csv(run.folder / "measures.csv", index=False)
    (path,) = export(run, "csv", tmp_path / "out")
    assert path.name == "quantities.csv"
    long = pd.read_csv(path)
    assert len(long) == 4 * 4
    units = long.groupby("quantity")["unit"].unique().map(list).to_dict()
    assert units == {
        "area": ["mm2"],
        "area_rate": ["mm2/s"],
        "interface_density": ["1/mm"],
        "dimension": ["1"],
    }
    assert (long["region_name"] == long["region"].map(NAMES)).all()
    keys = ["strategy", "frame", "time_s", "region"]
    wide = long.pivot(index=keys, columns="quantity", values="value").reset_index()
    expected = TABLE.sort_values(keys).reset_index(drop=True)
    np.testing.assert_allclose(wide["area"], expected["area_mm2"])
    np.testing.assert_allclose(wide["area_rate"], expected["area_rate_mm2_per_s"])
    np.testing.assert_allclose(wide["interface_density"], expected["interface_density_per_mm"])
    np.testing.assert_allclose(wide["dimension"], expected["dimension"])


@pytest.mark.parametrize("format_name", EXPORT_FORMATS)
def test_equal_runs_give_equal_bytes_and_strategies_can_be_chosen(run, tmp_path, format_name):
    TABLE.to_csv(run.folder / "measures.csv", index=False)
    written = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        (path,) = export(run, format_name, folder, ["xmem"])
        files = [path] if path.is_file() else sorted(path.rglob("*.png"))
        written.append([file.read_bytes() for file in files])
    assert written[0] == written[1]
    if format_name == "csv":
        assert set(pd.read_csv(path)["strategy"]) == {"xmem"}
    else:
        assert path.stem == "xmem"


@pytest.mark.parametrize(
    ("format_name", "strategies", "message"),
    [
        ("png", None, "format 'png' is unknown: choose from coco, davis, tiff, npz, csv"),
        ("tiff", ["sam"], "has no strategy 'sam': it has xmem, refined-box"),
        ("tiff", [], "no strategy to export"),
        ("csv", None, "has no measures.csv: run samflow measure on it first"),
    ],
)
def test_what_cannot_be_exported(run, tmp_path, format_name, strategies, message):
    with pytest.raises(SamflowError, match=message):
        export(run, format_name, tmp_path / "out", strategies)
    assert {path.name for path in tmp_path.iterdir()} == {"clip.mp4", "run"}


def test_runs_and_folders_that_cannot_be_used(run, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    for taken in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(SamflowError, match="is there already"):
            export(run, "npz", taken)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    with pytest.raises(SamflowError, match="has 2 of 5 frames: finish it"):
        export(change_record(run, frames_done=2), "npz", tmp_path / "out")
    (run.folder / "measures.csv").write_text("strategy,frame\nxmem,0\n")
    run = change_record(run, frames_done=FRAMES)
    with pytest.raises(SamflowError, match="lacks the column time_s"):
        export(run, "csv", tmp_path / "out")
    path = run.mask_folder("refined-box") / "00004.png"
    path.write_bytes(path.read_bytes()[:90])
    for format_name in ("coco", "davis", "tiff", "npz"):
        with pytest.raises(SamflowError, match="damaged PNG"):
            export(run, format_name, tmp_path / "out")
        assert {path.name for path in tmp_path.iterdir()} == {"clip.mp4", "run", "notes.txt"}


def test_the_command(run, tmp_path, monkeypatch, capsys):
    def call(*arguments):
        words = ["samflow", "export", str(run.folder), *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code, capsys.readouterr()

    out = tmp_path / "out"
    code, printed = call("--format", "npz", "--out", out, "--strategies", "xmem")
    assert code == 0
    assert f"npz: {out / 'xmem.npz'}" in printed.out
    code, printed = call("--format", "npz", "--out", out)
    assert code == 1
    assert printed.err.startswith(f"samflow: {out} is there already")
    assert call("--out", out)[0] == 2
