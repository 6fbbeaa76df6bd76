"""Exports read back by the libraries that they are for."""

import json
import sys
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image
from pycocotools import mask as run_lengths
from pycocotools.coco import COCO
from vos_benchmark.benchmark import VideoEvaluator

from runs import NAMES, change_record, write_run
from samflow.cli import main
from samflow.errors import SamflowError
from samflow.maskio import write_label_map
from samflow.results.exports import EXPORT_FORMATS, export
from samflow.results.exports.cvat import mask_to_cvat

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


def test_coco_video_holds_each_regions_life(run, tmp_path):
    """Decoded by pycocotools, whose run lengths YouTube-VIS uses."""
    export(run, "coco-video", tmp_path / "out")
    for name, maps in MASKS.items():
        content = json.loads((tmp_path / "out" / f"{name}.json").read_text(encoding="utf-8"))
        (video,) = content["videos"]
        assert (video["width"], video["height"], video["length"]) == (*SIZE[::-1], FRAMES)
        assert video["file_names"] == [f"clip/{i:05d}.jpg" for i in range(FRAMES)]
        assert {c["id"]: c["name"] for c in content["categories"]} == {i: NAMES[i] for i in (1, 2)}
        rebuilt = np.zeros_like(maps)
        for annotation in content["annotations"]:
            assert annotation["video_id"] == video["id"]
            lists = [annotation[key] for key in ("segmentations", "bboxes", "areas")]
            for frame, (lengths, box, area) in enumerate(zip(*lists, strict=True)):
                if lengths is None:
                    assert box is None
                    assert area is None
                    continue
                mask = run_lengths.decode(lengths).astype(bool)
                rows, columns = np.nonzero(mask)
                x, y, width, height = box
                assert (x, y, x + width, y + height) == (
                    columns.min(),
                    rows.min(),
                    columns.max() + 1,
                    rows.max() + 1,
                )
                assert area == mask.sum()
                rebuilt[frame][mask] = annotation["category_id"]
        np.testing.assert_array_equal(rebuilt, maps)
        gone = next(a for a in content["annotations"] if a["category_id"] == 2)
        assert [frame is None for frame in gone["areas"]] == [False, False, False, True, False]


def test_a_region_that_is_never_there_has_no_annotation(tmp_path):
    maps = np.zeros((2, *SIZE), np.uint8)
    maps[:, 3:9, 4:20] = 1
    run = write_run(tmp_path, {"sam": maps}, [0.0, 0.04])
    (path,) = export(run, "coco-video", tmp_path / "video")
    content = json.loads(path.read_text())
    assert [a["category_id"] for a in content["annotations"]] == [1]
    assert [c["id"] for c in content["categories"]] == [1, 2]
    (path,) = export(run, "cvat", tmp_path / "cvat")
    root = ElementTree.parse(path).getroot()
    assert {mask.get("label") for mask in root.iter("mask")} == {"upper dye"}


def read_cvat_mask(element, size):
    """Decode a mask from CVAT's description of its format alone.

    `rle` counts the pixels of the box row by row, first those outside of the mask.
    """
    box = {key: int(element.get(key)) for key in ("left", "top", "width", "height")}
    values = []
    for number, count in enumerate(element.get("rle").split(", ")):
        values += [number % 2 == 1] * int(count)
    mask = np.zeros(size, bool)
    part = np.array(values).reshape(box["height"], box["width"])
    rows = slice(box["top"], box["top"] + box["height"])
    mask[rows, box["left"] : box["left"] + box["width"]] = part
    return mask


def test_cvat_is_read_as_its_format_says(run, tmp_path):
    export(run, "cvat", tmp_path / "out")
    for name, maps in MASKS.items():
        root = ElementTree.parse(tmp_path / "out" / f"{name}.xml").getroot()
        assert root.tag == "annotations"
        assert root.findtext("version") == "1.1"
        labels = {e.findtext("name"): e.findtext("color") for e in root.iter("label")}
        assert labels == {r.name: r.color for r in run.result_regions}
        images = root.findall("image")
        assert [e.get("id") for e in images] == [str(i) for i in range(FRAMES)]
        assert images[2].get("name") == "frame_000002"
        ids = {name: label for label, name in NAMES.items()}
        for image, expected in zip(images, maps, strict=True):
            assert (int(image.get("height")), int(image.get("width"))) == SIZE
            rebuilt = np.zeros(SIZE, np.uint8)
            for element in image.findall("mask"):
                rebuilt[read_cvat_mask(element, SIZE)] = ids[element.get("label")]
            np.testing.assert_array_equal(rebuilt, expected)


def test_cvats_published_example_is_what_we_would_write():
    """The mask in the documentation of CVAT's XML format 1.1."""
    rle = (
        "3, 5, 7, 7, 5, 9, 3, 11, 2, 11, 2, 12, 1, 12, 1, 26, 1, 12, 1, 12, 2, 11, 3, 9, 5, 7, 7, "
        "5, 3"
    )
    attributes = {"left": "707", "top": "888", "width": "13", "height": "15"}
    element = ElementTree.Element("mask", {"rle": rle, **attributes})
    assert mask_to_cvat(read_cvat_mask(element, (1200, 1600))) == {"rle": rle, **attributes}


def test_cvat_numbers_frames_as_the_film_does_and_escapes_names(tmp_path):
    maps = np.ones((5, *SIZE), np.uint8)
    run = write_run(tmp_path, {"sam": maps[2:]}, np.arange(5) / 25, first=2)
    names = ['<b>&"upper"\'', "lower dye", "bottom"]
    regions = [
        region.model_copy(update={"name": name})
        for region, name in zip(run.record.prompts.regions, names, strict=True)
    ]
    prompts = run.record.prompts.model_copy(update={"regions": regions})
    (path,) = export(change_record(run, prompts=prompts), "cvat", tmp_path / "out")
    root = ElementTree.parse(path).getroot()
    assert [(e.get("id"), e.get("name")) for e in root.findall("image")] == [
        (str(i), f"frame_{i:06d}") for i in (2, 3, 4)
    ]
    assert {e.get("label") for e in root.iter("mask")} == {names[0]}
    assert next(root.iter("label")).findtext("name") == names[0]


def test_cvat_cannot_tell_two_regions_of_one_name(tmp_path):
    run = write_run(tmp_path, {"sam": np.ones((2, *SIZE), np.uint8)}, np.arange(2) / 25)
    regions = [r.model_copy(update={"name": "dye"}) for r in run.record.prompts.regions]
    prompts = run.record.prompts.model_copy(update={"regions": regions})
    with pytest.raises(SamflowError, match="two regions are named 'dye'"):
        export(change_record(run, prompts=prompts), "cvat", tmp_path / "out")
    assert not (tmp_path / "out").exists()


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
        ("png", None, "format 'png' is unknown: choose from coco, coco-video, cvat, davis"),
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
    run = change_record(run, frames_done=FRAMES)
    for text, message in (
        ("strategy,frame\nxmem,0\n", r"lacks the columns \['time_s'"),
        ("", "is no table"),
        ("strategy,frame,time_s,region\nxmem,0,0,1\n", "has no strategy 'refined-box'"),
    ):
        (run.folder / "measures.csv").write_text(text)
        with pytest.raises(SamflowError, match=message):
            export(run, "csv", tmp_path / "out")
    path = run.mask_folder("refined-box") / "00004.png"
    path.write_bytes(path.read_bytes()[:90])
    for format_name in EXPORT_FORMATS[:-1]:
        with pytest.raises(SamflowError, match="damaged PNG"):
            export(run, format_name, tmp_path / "out")
        assert {path.name for path in tmp_path.iterdir()} == {"clip.mp4", "run", "notes.txt"}


def test_masks_of_another_size_than_the_film(run, tmp_path):
    for index in range(FRAMES):
        path = run.mask_folder("xmem") / f"{index:05d}.png"
        write_label_map(path, np.zeros((9, 7), np.uint8))
    message = "holds label maps of 7x9 px, the run's frames have 52x36 px"
    for format_name in EXPORT_FORMATS:
        with pytest.raises(SamflowError, match=message):
            export(run, format_name, tmp_path / "out")
    assert not (tmp_path / "out").exists()


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
