import base64
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.display import Video as InlineVideo
from PIL import Image
from skimage.segmentation import find_boundaries

from samflow.errors import SamflowError
from samflow.overlay import (
    Comparison,
    PanelGrid,
    choose_columns,
    contact_sheet,
    evenly_spaced,
    overlay_labels,
    show_video,
)
from samflow.overlay.blend import overlay_scaled
from samflow.overlay.panels import fit_image
from samflow.overlay.text import fit_text, text_width
from samflow.prompts import Region, region_color
from samflow.video import Video, VideoWriter

REGIONS = [
    Region(id=1, name="upper dye"),
    Region(id=2, name="lower dye"),
    Region(id=3, name="bottom surface", background=True),
]
GREEN = (10, 200, 30)
ORANGE = (240, 130, 20)


def noise(size: tuple[int, int] = (90, 160), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype(np.uint8)


def flat(color: tuple[int, int, int], size: tuple[int, int] = (270, 480)) -> np.ndarray:
    return np.full((*size, 3), color, np.uint8)


def two_discs(size: tuple[int, int] = (90, 160)) -> np.ndarray:
    y, x = np.mgrid[: size[0], : size[1]] / size[0]
    labels = np.zeros(size, np.uint8)
    labels[(x - 0.6) ** 2 + (y - 0.5) ** 2 < 0.1] = 1
    labels[(x - 1.1) ** 2 + (y - 0.5) ** 2 < 0.08] = 2
    return labels


def rgb(color: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(color[1:])
    return red, green, blue


def places(picture: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    return (picture == np.array(color, np.uint8)).all(axis=2)


def bounds(mask: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.5, 1.0])
def test_overlay_is_the_weighted_mean(alpha: float) -> None:
    image, labels = noise(), two_discs()
    colors = {1: "#102030", 2: "#fa6400"}
    before = image.copy()
    out = overlay_labels(image, labels, colors, alpha, outline=False)
    expected = image.astype(float)
    for label, color in colors.items():
        there = labels == label
        expected[there] = (1 - alpha) * expected[there] + alpha * np.array(rgb(color))
    assert np.abs(out - expected).max() <= 0.5 + 1e-9
    np.testing.assert_array_equal(out[labels == 0], image[labels == 0])
    np.testing.assert_array_equal(image, before)
    assert out.dtype == np.uint8


def test_outline_is_the_inner_border() -> None:
    image, labels = noise(), two_discs()
    plain = overlay_labels(image, labels, alpha=0.4, outline=False)
    out = overlay_labels(image, labels, alpha=0.4)
    border = find_boundaries(labels, connectivity=2, mode="inner")
    np.testing.assert_array_equal(out[~border], plain[~border])
    for label in (1, 2):
        (tone,) = np.unique(out[border & (labels == label)], axis=0)
        assert (tone >= rgb(region_color(label))).all()


@pytest.mark.parametrize(("height", "width"), [(270, 1), (540, 1), (1080, 3), (2160, 5)])
def test_outline_follows_the_size_of_the_picture(height: int, width: int) -> None:
    labels = np.zeros((height, height), np.uint8)
    labels[:, height // 2 :] = 1
    out = overlay_labels(flat((0, 0, 0), labels.shape), labels, {1: "#00ff00"}, alpha=0.0)
    drawn = out.any(axis=2)
    assert drawn.sum() == width * height
    assert bounds(drawn) == (0, height, height // 2, height // 2 + width)


def test_colours_that_are_not_given_are_those_of_the_regions() -> None:
    labels = np.full((8, 8), 5, np.uint8)
    out = overlay_labels(flat((0, 0, 0), (8, 8)), labels, {1: "#123456"}, 1.0, outline=False)
    assert tuple(out[0, 0]) == rgb(region_color(5))


def test_views_are_accepted() -> None:
    image, labels = noise((90, 320))[:, ::2], two_discs((180, 320))[::2, ::2]
    expected = overlay_labels(image.copy(), labels.copy())
    np.testing.assert_array_equal(overlay_labels(image, labels), expected)


@pytest.mark.parametrize(
    ("image", "labels", "options", "words"),
    [
        (noise().astype(float), two_discs(), {}, r"image \(H, W, 3\) of uint8.* float64"),
        (noise()[..., 0], two_discs(), {}, r"got \(90, 160\)"),
        (noise(), two_discs((80, 160)), {}, r"labels \(90, 160\).*got \(80, 160\)"),
        (noise(), two_discs().astype(int), {}, "int64"),
        (noise(), two_discs(), {"alpha": 1.5}, "alpha must be 0 to 1, got 1.5"),
        (noise(), two_discs(), {"colors": {1: "blue"}}, "got 'blue'"),
    ],
)
def test_overlay_refuses(
    image: np.ndarray, labels: np.ndarray, options: dict[str, object], words: str
) -> None:
    with pytest.raises(SamflowError, match=words):
        overlay_labels(image, labels, **options)  # type: ignore[arg-type]


def test_digits_are_of_one_width() -> None:
    assert len({text_width(digit, 17) for digit in "0123456789"}) == 1


def test_text_is_shortened_to_fit() -> None:
    full = "a rather long name of a region"
    width = text_width(full, 20)
    assert fit_text(full, width, 20) == full
    shorter = fit_text(full, width // 2, 20)
    assert shorter.endswith("…")
    assert full.startswith(shorter[:-1])
    assert text_width(shorter, 20) <= width // 2
    assert fit_text(full, 2, 20) == ""


def test_columns_bring_the_whole_near_to_16_to_9() -> None:
    assert [choose_columns(n, (270, 480)) for n in range(1, 7)] == [1, 2, 2, 2, 3, 3]
    assert choose_columns(3, (1920, 1080)) == 3
    assert choose_columns(3, (200, 1600)) == 1


@given(
    count=st.integers(1, 6),
    height=st.integers(16, 2200),
    aspect=st.floats(0.2, 5.0),
    entries=st.integers(0, 6),
)
@settings(max_examples=25, deadline=None)
def test_every_grid_fits_and_is_even(count: int, height: int, aspect: float, entries: int) -> None:
    width = max(1, round(aspect * height))
    grid = PanelGrid(
        [f"strategy {i}" for i in range(count)],
        (height, width),
        legend=[("a region's name", "#ff0000")] * entries,
        caption="10.00 s",
    )
    assert max(grid.size) <= 1920
    assert grid.size[0] % 2 == grid.size[1] % 2 == 0
    panel_height, panel_width = grid.panel_size
    assert abs(panel_height - panel_width * height / width) <= 0.5 + 1e-9
    colors = [(10 * i + 40, 90, 30) for i in range(count)]
    picture = grid.compose([flat(c, grid.panel_size) for c in colors], caption="2.00 s")
    assert picture.shape == (*grid.size, 3)
    for color in colors:
        assert places(picture, color).sum() == panel_height * panel_width


def test_panels_stand_in_reading_order() -> None:
    colors = [(i * 40 + 30, 60, 90) for i in range(5)]
    grid = PanelGrid([f"panel {i}" for i in range(5)], (270, 480))
    picture = grid.compose([flat(c) for c in colors])
    found = [bounds(places(picture, c)) for c in colors]
    for top, bottom, left, right in found:
        assert (bottom - top, right - left) == (270, 480)
    assert len({b[0] for b in found[:3]}) == 1
    assert found[0][2] < found[1][2] < found[2][2]
    assert found[3][0] > found[0][1]
    assert found[3][2] == found[0][2]


def test_other_shapes_are_fitted_with_their_aspect() -> None:
    grid = PanelGrid(["film", "tall"], (270, 480))
    picture = grid.compose([flat(GREEN), flat(ORANGE, (400, 100))])
    top, bottom, left, right = bounds(places(picture, ORANGE))
    assert bottom - top == 270
    assert right - left == round(270 / 4)


def test_small_films_are_enlarged_until_their_titles_read() -> None:
    grid = PanelGrid(["film"], (48, 64))
    assert grid.panel_size == (240, 320)


def test_nothing_to_show_is_refused() -> None:
    with pytest.raises(SamflowError, match="at least one panel"):
        PanelGrid([], (270, 480))
    with pytest.raises(SamflowError, match="6 panels don't fit into 100 px"):
        PanelGrid("abcdef", (270, 480), max_width=100)
    with pytest.raises(SamflowError, match="expected 2 images, got 1"):
        PanelGrid(["a", "b"], (270, 480)).compose([flat(GREEN)])


def labels_of(*titles: str) -> dict[str, np.ndarray]:
    return {title: np.roll(two_discs((270, 480)), 9 * i, 1) for i, title in enumerate(titles)}


def find(picture: np.ndarray, part: np.ndarray) -> bool:
    """Whether `part` stands somewhere in `picture`, pixel for pixel."""
    height, width = part.shape[:2]
    starts = np.argwhere((picture == part[0, 0]).all(axis=2))
    return any(
        np.array_equal(picture[y : y + height, x : x + width], part)
        for y, x in starts
        if y + height <= picture.shape[0] and x + width <= picture.shape[1]
    )


def test_comparison_shows_film_and_overlays() -> None:
    image = noise((270, 480))
    labels = labels_of("xmem", "sam")
    comparison = Comparison((270, 480), ["xmem", "sam"], REGIONS, alpha=0.7)
    picture = comparison.frame(image, labels, time=1.28, index=32)
    assert picture.shape[:2] == comparison.size
    assert find(picture, image)
    colors = {region.id: region.color for region in REGIONS}
    for title in labels:
        assert find(picture, overlay_labels(image, labels[title], colors, 0.7))
    without = Comparison((270, 480), ["xmem", "sam"], REGIONS, film=False)
    assert not find(without.frame(image, labels), image)


def test_missing_result_shows_the_film() -> None:
    image = flat(GREEN)
    comparison = Comparison((270, 480), ["xmem", "sam"], REGIONS, film=False)
    picture = comparison.frame(image, {"xmem": labels_of("xmem")["xmem"]})
    assert places(picture[:, picture.shape[1] // 2 :], GREEN).sum() == 270 * 480


def test_frames_do_not_mark_each_other() -> None:
    comparison = Comparison((270, 480), ["xmem"], REGIONS)
    image, labels = flat(GREEN), labels_of("xmem")
    plain = comparison.frame(image, labels)
    marked = comparison.frame(image, labels, time=99.5, index=1234)
    assert (plain != marked).any()
    np.testing.assert_array_equal(comparison.frame(image, labels), plain)
    at_one = comparison.frame(image, labels, time=1.0, index=25)
    assert (at_one != comparison.frame(image, labels, time=1.04, index=26)).any()


def test_legend_names_result_regions_only() -> None:
    named = Comparison((270, 480), ["xmem"], REGIONS).frame(flat(GREEN), {})
    for region in REGIONS:
        assert places(named, rgb(region.color)).any() == (not region.background)


def test_comparison_of_a_large_film_is_scaled_before_drawing() -> None:
    labels = {"sam": two_discs((1080, 1920)), "xmem": two_discs((1080, 1920))}
    regions = [Region(id=1, name="dye", color="#00ff00"), Region(id=2, name="x", color="#00ff00")]
    comparison = Comparison((1080, 1920), list(labels), regions, alpha=1.0)
    picture = comparison.frame(flat((0, 0, 0), (1080, 1920)), labels)
    assert picture.shape[1] == 1920
    # nothing between film and colour: no label was blended with its neighbour while scaling
    top, left = np.argwhere(places(picture, (0, 0, 0)))[0]
    panel = picture[top + 60 : top + 400, left + 1000 : left + 1700]
    assert len(np.unique(panel.reshape(-1, 3), axis=0)) == 3


def test_masks_on_a_smaller_panel_do_not_wander() -> None:
    labels = np.zeros((90, 90), np.uint8)
    labels[30:60, 30:60] = 1
    image, panel = np.zeros((90, 90, 3), np.uint8), np.zeros((22, 22, 3), np.uint8)
    drawn = overlay_scaled(image, labels, panel, {1: "#ff0000"}, 1.0)
    y, x = np.nonzero(drawn[..., 0])
    assert (y.mean(), x.mean()) == (10.5, 10.5)


def test_comparison_refuses() -> None:
    comparison = Comparison((270, 480), ["xmem"], REGIONS)
    with pytest.raises(SamflowError, match=r"no panel 'sam': expected \['xmem'\]"):
        comparison.frame(flat(GREEN), labels_of("sam"))
    with pytest.raises(SamflowError, match=r"size \(270, 480\) \(H, W\), got \(90, 160\)"):
        comparison.frame(noise(), {})
    with pytest.raises(SamflowError, match=r"expected labels \(270, 480\)"):
        comparison.frame(flat(GREEN), {"xmem": two_discs()})


@given(length=st.integers(1, 500), count=st.integers(1, 40))
def test_evenly_spaced(length: int, count: int) -> None:
    positions = evenly_spaced(length, count)
    assert len(positions) == min(length, count)
    assert positions[0] == 0
    assert positions[-1] == (length - 1 if len(positions) > 1 else 0)
    assert len(set(np.diff(positions))) <= 2


def columns(count: int) -> list[tuple[str, np.ndarray, Mapping[str, np.ndarray]]]:
    empty = np.zeros((270, 480), np.uint8)
    return [
        (f"{i / 2:.2f} s", flat((20 * i + 30, 70, 50)), {"xmem": empty, "sam": empty})
        for i in range(count)
    ]


def test_contact_sheet_has_strategies_by_times(tmp_path: Path) -> None:
    sheet = contact_sheet(columns(5), REGIONS, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as written:
        np.testing.assert_array_equal(np.asarray(written), sheet)
    assert sheet.shape[1] <= 2400
    lefts = []
    for i in range(5):
        there = places(sheet, (20 * i + 30, 70, 50))
        rows = np.flatnonzero(np.diff(there.any(1).astype(int), prepend=0) == 1)
        assert len(rows) == 3
        height, width = there.any(1).sum() // 3, there.any(0).sum()
        assert there.sum() == 3 * height * width
        assert width / height == pytest.approx(16 / 9, rel=0.01)
        lefts.append(bounds(there)[2])
    assert lefts == sorted(lefts)
    assert places(sheet, rgb(REGIONS[1].color)).any()
    assert not places(sheet, rgb(REGIONS[2].color)).any()


def test_contact_sheet_refuses() -> None:
    with pytest.raises(SamflowError, match="at least one frame"):
        contact_sheet([], REGIONS)
    frames = columns(2)
    frames[1] = ("0.50 s", frames[1][1], {"xmem": frames[1][2]["xmem"]})
    with pytest.raises(SamflowError, match=r"column '0.50 s' has no label map of 'sam'"):
        contact_sheet(frames, REGIONS)
    with pytest.raises(SamflowError, match="2 frames don't fit into 90 px"):
        contact_sheet(columns(2), REGIONS, max_width=90)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise, which compresses badly: 12 frames of unequal durations."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    with VideoWriter(path, size=(240, 420), fps=10) as writer:
        for i in range(12):
            writer.write(noise((240, 420), seed=i), timestamp=i * 0.1 + 0.03 * (i % 2))
    return path


def embedded(shown: InlineVideo, path: Path) -> bytes:
    """The bytes behind the page's video element, also written to `path`."""
    html = shown._repr_html_()
    found = re.search(r"data:video/mp4;base64,([A-Za-z0-9+/=]+)", html)
    assert found
    assert "controls" in html
    data = base64.b64decode(found.group(1))
    path.write_bytes(data)
    return data


def test_small_video_is_embedded_as_it_is(film: Path, tmp_path: Path) -> None:
    assert embedded(show_video(film), tmp_path / "out.mp4") == film.read_bytes()


def test_large_video_is_embedded_as_a_smaller_preview(film: Path, tmp_path: Path) -> None:
    cap = film.stat().st_size / 1e6 / 4
    data = embedded(show_video(film, max_mb=cap), tmp_path / "out.mp4")
    assert 0 < len(data) <= cap * 1e6
    preview, whole = Video(tmp_path / "out.mp4"), Video(film)
    assert len(preview) == len(whole)
    np.testing.assert_allclose(preview.timestamps, whole.timestamps, atol=1e-3)
    assert preview.size[1] < whole.size[1]
    ratio = preview.size[1] / preview.size[0]
    assert ratio == pytest.approx(whole.size[1] / whole.size[0], rel=0.03)


def test_show_video_refuses(film: Path, tmp_path: Path) -> None:
    with pytest.raises(SamflowError, match=r"over 0\.001 MB even at 160 px"):
        show_video(film, max_mb=0.001)
    with pytest.raises(SamflowError, match="is not a file"):
        show_video(tmp_path / "absent.mp4")
    (tmp_path / "text.mp4").write_text("no film")
    with pytest.raises(SamflowError, match=r"text\.mp4"):
        show_video(tmp_path / "text.mp4")


@pytest.mark.parametrize("side", [60, 40])
def test_a_fine_pattern_shrinks_to_its_mean(side: int) -> None:
    rows, columns = np.mgrid[:240, :240]
    board = np.repeat((((rows + columns) % 2) * 200).astype(np.uint8)[..., None], 3, axis=2)
    assert np.unique(fit_image(board, (side, side))).tolist() == [100]
