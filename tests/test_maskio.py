import json
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from pycocotools import mask as run_lengths
from pycocotools.coco import COCO

from samflow.errors import SamflowError
from samflow.maskio import (
    DAVIS_PALETTE,
    Track,
    read_label_map,
    read_palette,
    track_to_coco,
    write_label_map,
)

label_maps = hnp.arrays(
    np.uint8,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=24),
    elements=st.integers(0, 7),
)


def disc_labels(size: tuple[int, int] = (60, 80), label: int = 1) -> np.ndarray:
    y, x = np.mgrid[: size[0], : size[1]]
    return np.where((x - 40) ** 2 + (y - 30) ** 2 < 400, label, 0).astype(np.uint8)


def write_track(folder: Path, indices: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    frames = [rng.integers(0, 4, (9, 13)).astype(np.uint8) for _ in indices]
    for index, labels in zip(indices, frames, strict=True):
        write_label_map(folder / f"{index:05d}.png", labels)
    return frames


def test_palette_is_that_of_davis() -> None:
    known = {
        0: (0, 0, 0),
        1: (128, 0, 0),
        2: (0, 128, 0),
        3: (128, 128, 0),
        4: (0, 0, 128),
        7: (128, 128, 128),
        8: (64, 0, 0),
        21: (128, 64, 128),
        22: (0, 192, 128),
        255: (224, 224, 192),
    }
    for label, colour in known.items():
        assert tuple(DAVIS_PALETTE[label]) == colour
    assert len(np.unique(DAVIS_PALETTE, axis=0)) == 256


@given(labels=label_maps)
@settings(max_examples=40, deadline=None)
def test_round_trip(labels: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "round_trip.png"
    write_label_map(path, labels)
    back = read_label_map(path, size=labels.shape)
    assert back.dtype == np.uint8
    np.testing.assert_array_equal(back, labels)
    back[0, 0] = 3


def test_other_readers_see_labels_and_davis_colours(tmp_path: Path) -> None:
    labels = np.arange(255, dtype=np.uint8).reshape(15, 17).repeat(3, 0).repeat(3, 1)
    write_label_map(tmp_path / "a.png", labels)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.mode == "P"
        assert "transparency" not in picture.info
        # what XMem's own reader does
        np.testing.assert_array_equal(np.array(picture.convert("P")), labels)
    bgr = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(bgr[..., ::-1], DAVIS_PALETTE[labels])
    np.testing.assert_array_equal(read_label_map(tmp_path / "a.png"), labels)


def test_equal_labels_give_equal_bytes(tmp_path: Path) -> None:
    labels = disc_labels()
    write_label_map(tmp_path / "a.png", labels)
    write_label_map(tmp_path / "b.png", np.asfortranarray(labels.astype(np.int64)))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "b.png"]


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.zeros((4, 4), np.float32), "integers, got \\(4, 4\\) of float32"),
        (np.zeros((4, 4, 3), np.uint8), "got \\(4, 4, 3\\)"),
        (np.zeros((0, 4), np.uint8), "got \\(0, 4\\)"),
        (np.full((4, 4), 255), "0 to 254, got 255 to 255"),
        (np.full((4, 4), -1), "got -1 to -1"),
        (np.full((4, 4), 300), "got 300 to 300"),
    ],
)
def test_what_is_no_label_map_is_not_written(
    tmp_path: Path, labels: np.ndarray, words: str
) -> None:
    with pytest.raises(SamflowError, match=words):
        write_label_map(tmp_path / "a.png", labels)
    assert not any(tmp_path.iterdir())


def test_grey_png_with_labels_is_read(tmp_path: Path) -> None:
    labels = disc_labels(label=3)
    Image.fromarray(labels).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(read_label_map(tmp_path / "grey.png"), labels)


@given(
    labels=label_maps,
    palette=hnp.arrays(np.uint8, st.tuples(st.integers(1, 256), st.just(3))),
)
@settings(max_examples=30)
def test_a_palette_of_any_length_is_kept(
    labels: np.ndarray, palette: np.ndarray, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("palette") / "0.png"
    write_label_map(path, labels, palette)
    np.testing.assert_array_equal(read_label_map(path), labels)
    expected = np.concatenate([palette, DAVIS_PALETTE[len(palette) : labels.max() + 1]])
    np.testing.assert_array_equal(read_palette(path), expected)


def test_a_grey_png_has_the_colours_of_davis(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "grey.png"), disc_labels())
    np.testing.assert_array_equal(read_palette(tmp_path / "grey.png"), DAVIS_PALETTE)


def test_palette_png_of_few_bits_is_read(tmp_path: Path) -> None:
    labels = disc_labels(label=3)
    picture = Image.fromarray(labels)
    picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    picture.save(tmp_path / "two_bits.png", bits=2)
    assert (tmp_path / "two_bits.png").read_bytes()[24] == 2
    np.testing.assert_array_equal(read_label_map(tmp_path / "two_bits.png"), labels)


def test_many_real_labels_are_read(tmp_path: Path) -> None:
    labels = np.kron(np.arange(100).reshape(10, 10), np.ones((5, 5), np.uint8))
    write_label_map(tmp_path / "many.png", labels)
    np.testing.assert_array_equal(read_label_map(tmp_path / "many.png"), labels)


def antialiased(top: int) -> np.ndarray:
    large = disc_labels().repeat(4, 0).repeat(4, 1) * np.uint8(top)
    return cv2.resize(large, (83, 61), interpolation=cv2.INTER_AREA)


def save(path: Path, mode: str) -> None:
    labels = disc_labels()
    colours = DAVIS_PALETTE[labels]
    rgb = Image.fromarray(colours)
    pictures = {
        "RGB": rgb,
        "RGBA": rgb.convert("RGBA"),
        "LA": Image.fromarray(labels).convert("LA"),
        "16-bit": Image.fromarray(labels.astype(np.uint16)),
        "1-bit": Image.fromarray(labels.astype(bool)),
        "binary": Image.fromarray(labels * 255),
        "full": Image.fromarray(np.full((9, 9), 255, np.uint8)),
        "ignore": Image.fromarray(np.where(labels == 1, 1, labels + 255).astype(np.uint8)),
        "antialiased grey": Image.fromarray(antialiased(255)),
        "antialiased dim": Image.fromarray(antialiased(200)),
        "antialiased palette": Image.fromarray(antialiased(90)).convert("P"),
    }
    pictures[mode].save(path, format="PNG")


@pytest.mark.parametrize(
    ("mode", "found"),
    [
        ("RGB", "8-bit RGB PNG"),
        ("RGBA", "8-bit RGBA PNG"),
        ("LA", "8-bit grey with alpha PNG"),
        ("16-bit", "16-bit grey PNG"),
        ("1-bit", "1-bit grey PNG"),
        ("binary", "0/255 mask.*instead of 255"),
        ("full", "0/255 mask"),
        ("ignore", "label 255"),
        ("antialiased grey", "only on thin edges"),
        ("antialiased dim", "only on thin edges"),
        ("antialiased palette", "only on thin edges"),
    ],
)
def test_pictures_that_hold_no_labels_are_refused(tmp_path: Path, mode: str, found: str) -> None:
    save(tmp_path / "mask.png", mode)
    with pytest.raises(SamflowError, match=found) as error:
        read_label_map(tmp_path / "mask.png")
    assert "mask.png" in str(error.value)
    assert "\n" not in str(error.value)


def test_broken_files_are_refused(tmp_path: Path) -> None:
    labels = np.random.default_rng(1).integers(0, 4, (50, 50))
    write_label_map(tmp_path / "whole.png", labels)
    whole = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "half.png").write_bytes(whole[: len(whole) - 300])
    (tmp_path / "flipped.png").write_bytes(whole[:1000] + b"\0" * 40 + whole[1040:])
    (tmp_path / "text.png").write_text("not a picture")
    Image.new("L", (4, 4)).save(tmp_path / "jpeg.png", format="JPEG")
    for name, words in [
        ("half", "damaged PNG"),
        ("flipped", "damaged PNG"),
        ("text", "not a PNG"),
        ("jpeg", "not a PNG"),
        ("absent", "can't be read: No such file"),
    ]:
        with pytest.raises(SamflowError, match=words):
            read_label_map(tmp_path / f"{name}.png")
    with pytest.raises(SamflowError, match="is a folder"):
        read_label_map(tmp_path)


def test_another_size_is_refused(tmp_path: Path) -> None:
    write_label_map(tmp_path / "a.png", disc_labels())
    with pytest.raises(SamflowError, match="is 80x60 pixels, expected 64x48"):
        read_label_map(tmp_path / "a.png", size=(48, 64))


def test_track_reads_by_position_and_by_frame_number(tmp_path: Path) -> None:
    frames = write_track(tmp_path, (8, 9, 10, 100000))
    (tmp_path / "notes.txt").write_text("no mask")
    (tmp_path / ".00011-x1.png").write_text("left by a killed process")
    track = Track(tmp_path)
    assert track.indices == (8, 9, 10, 100000)
    assert track.size == (9, 13)
    assert len(track) == 4
    for position, labels in enumerate(track):
        np.testing.assert_array_equal(labels, frames[position])
    np.testing.assert_array_equal(track[-2], frames[2])
    np.testing.assert_array_equal(track[np.int64(1)], frames[1])
    np.testing.assert_array_equal(track.label_map_of(100000), frames[3])
    with pytest.raises(IndexError):
        track[4]
    with pytest.raises(SamflowError, match="no label map for frame 11"):
        track.label_map_of(11)


def test_track_sorts_by_number_not_by_name(tmp_path: Path) -> None:
    for name, label in (("frame_9", 1), ("frame_10", 2), ("frame_8", 3)):
        write_label_map(tmp_path / f"{name}.png", np.full((2, 2), label))
    track = Track(tmp_path)
    assert [int(labels[0, 0]) for labels in track] == [3, 1, 2]
    assert track.gaps == ()


def test_gaps_are_reported(tmp_path: Path) -> None:
    write_track(tmp_path, (0, 1, 4, 6))
    track = Track(tmp_path)
    assert track.gaps == (2, 3, 5)
    assert "3 missing" in repr(track)


def test_track_reads_lazily(tmp_path: Path) -> None:
    write_track(tmp_path, (0, 1))
    track = Track(tmp_path)
    write_label_map(tmp_path / "00001.png", np.full((9, 13), 6))
    assert (track[1] == 6).all()
    write_label_map(tmp_path / "00001.png", np.zeros((9, 14), int))
    with pytest.raises(SamflowError, match="14x9 pixels, expected 13x9"):
        track[1]


def test_folders_that_are_no_track_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SamflowError, match="is not a folder"):
        Track(tmp_path / "absent")
    with pytest.raises(SamflowError, match="holds no PNG"):
        Track(tmp_path)
    write_label_map(tmp_path / "00001.png", disc_labels())
    write_label_map(tmp_path / "1.png", disc_labels())
    with pytest.raises(SamflowError, match=r"00001\.png and 1\.png .* same frame"):
        Track(tmp_path)
    (tmp_path / "1.png").rename(tmp_path / "preview.png")
    with pytest.raises(SamflowError, match="no frame number"):
        Track(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="no read-only folders")
def test_unwritable_place_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SamflowError, match="could not be written"):
        write_label_map(tmp_path / "file" / "00000.png", disc_labels())


def test_coco_export_read_by_pycocotools(tmp_path: Path) -> None:
    frames = write_track(tmp_path / "track", (0, 2, 3))
    frames[1][frames[1] == 2] = 0
    write_label_map(tmp_path / "track" / "00002.png", frames[1])
    regions = [SimpleNamespace(id=1, name="upper dye"), SimpleNamespace(id=9, name="écume")]
    path = tmp_path / "coco.json"
    track_to_coco(Track(tmp_path / "track"), regions, path)

    coco = COCO(str(path))
    assert coco.getImgIds() == [0, 2, 3]
    assert {c["id"]: c["name"] for c in coco.loadCats(coco.getCatIds())} == {
        1: "upper dye",
        2: "region 2",
        3: "region 3",
        9: "écume",
    }
    for index, labels in zip((0, 2, 3), frames, strict=True):
        back = np.zeros_like(labels)
        annotations = coco.loadAnns(coco.getAnnIds(imgIds=[index]))
        for annotation in annotations:
            mask = coco.annToMask(annotation)
            assert annotation["area"] == mask.sum()
            x, y, width, height = annotation["bbox"]
            rows, columns = np.nonzero(mask)
            assert (x, y) == (columns.min(), rows.min())
            assert (x + width, y + height) == (columns.max() + 1, rows.max() + 1)
            back[mask == 1] = annotation["category_id"]
        np.testing.assert_array_equal(back, labels)
        assert len(annotations) == len(np.unique(labels[labels > 0]))
    assert coco.imgs[2]["file_name"] == "00002.jpg"


def test_coco_export_of_an_empty_track(tmp_path: Path) -> None:
    write_label_map(tmp_path / "track" / "00000.png", np.zeros((5, 6), int))
    track_to_coco(Track(tmp_path / "track"), [], tmp_path / "coco.json")
    data = json.loads((tmp_path / "coco.json").read_text())
    assert data["annotations"] == []
    assert data["categories"] == []
    assert data["images"] == [{"id": 0, "file_name": "00000.jpg", "width": 6, "height": 5}]


def test_coco_export_that_fails_leaves_nothing(tmp_path: Path) -> None:
    write_track(tmp_path / "track", (0, 1))
    (tmp_path / "track" / "00001.png").write_bytes(b"")
    out = tmp_path / "out"
    with pytest.raises(SamflowError, match="not a PNG"):
        track_to_coco(Track(tmp_path / "track"), [], out / "coco.json")
    assert not any(out.iterdir())


def test_run_lengths_decode_without_the_coco_class(tmp_path: Path) -> None:
    labels = disc_labels(label=2)
    write_label_map(tmp_path / "track" / "00000.png", labels)
    track_to_coco(Track(tmp_path / "track"), [], tmp_path / "coco.json")
    (annotation,) = json.loads((tmp_path / "coco.json").read_text())["annotations"]
    np.testing.assert_array_equal(run_lengths.decode(annotation["segmentation"]), labels == 2)
