import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from samflow.errors import SamflowError
from samflow.prompts import FrameReference, Prompts, Region, frame_sha256, region_color

WIDTH, HEIGHT = 64, 48


@st.composite
def regions(draw, region_id):
    x0, x1 = sorted(draw(st.lists(st.integers(0, WIDTH), min_size=2, max_size=2, unique=True)))
    y0, y1 = sorted(draw(st.lists(st.integers(0, HEIGHT), min_size=2, max_size=2, unique=True)))
    points = draw(
        st.lists(st.tuples(st.floats(0, WIDTH - 1), st.floats(0, HEIGHT - 1)), max_size=3)
    )
    return Region(
        id=region_id,
        name=draw(st.text(min_size=1, max_size=8)),
        box=draw(st.sampled_from([None, (x0, y0, x1, y1)])),
        points=points,
        point_labels=[draw(st.integers(0, 1)) for _ in points],
        background=draw(st.booleans()),
    )


@st.composite
def any_prompts(draw):
    ids = draw(st.lists(st.integers(1, 254), max_size=4, unique=True))
    return Prompts(
        regions=[draw(regions(i)) for i in ids],
        frame=FrameReference(index=draw(st.integers(0, 99)), width=WIDTH, height=HEIGHT),
        background_points=draw(st.lists(st.tuples(st.integers(0, 63), st.integers(0, 47)))),
    )


@given(any_prompts())
def test_json_round_trip(prompts):
    assert Prompts.model_validate(json.loads(prompts.to_json())) == prompts


def _valid():
    return {
        "schema": "samflow.prompts/1",
        "video": {"name": "clip.mp4", "sha256": "ab"},
        "frame": {"index": 0, "width": WIDTH, "height": HEIGHT, "sha256": None},
        "background_points": [[5, 3]],
        "regions": [
            {
                "id": 1,
                "name": "upper dye",
                "color": "#0000ff",
                "box": [2, 1, 60, 24],
                "points": [[5, 3]],
                "point_labels": [0],
                "background": False,
            }
        ],
    }


def test_the_documented_file_loads(tmp_path):
    path = tmp_path / "p.json"
    path.write_text(json.dumps(_valid()))
    prompts = Prompts.load(path)
    assert prompts.regions[0].box == (2, 1, 60, 24)
    assert prompts.background_points == [(5, 3)]
    assert prompts.video is not None
    assert prompts.video.name == "clip.mp4"


def _change(place, value):
    def apply(data):
        *path, last = place
        for key in path:
            data = data[key]
        data[last] = value

    return apply


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_change(["regions", 0, "bxo"], [1, 2, 3, 4]), r"regions\[0\]\.bxo: unknown key.*spelling"),
        (_change(["regions", 0, "box"], [2, 1, 65, 24]), r"outside the frame of 64x48 px: clip it"),
        (_change(["regions", 0, "box"], [-1, 1, 6, 24]), r"outside the frame"),
        (_change(["regions", 0, "box"], [9, 1, 9, 24]), r"regions\[0\]: box .* is empty"),
        (_change(["regions", 0, "box"], [9, 1, 3]), r"regions\[0\]\.box"),
        (_change(["regions", 0, "point_labels"], []), r"1 points but 0 point_labels"),
        (_change(["regions", 0, "point_labels"], [2]), r"point_labels\[0\].*0 or 1"),
        (_change(["regions", 0, "points"], [[64, 3]]), r"point \[64.*outside the frame"),
        (_change(["background_points"], [[1, 48]]), r"background_points: point .*outside"),
        (
            _change(["regions", 0, "id"], 0),
            r"regions\[0\]\.id: expected a whole number from 1 to 254, got 0",
        ),
        (
            _change(["regions", 0, "id"], 255),
            r"regions\[0\]\.id: expected a whole number from 1 to 254, got 255",
        ),
        (_change(["regions"], [_valid()["regions"][0]] * 2), r"region id 1 occurs twice"),
        (_change(["schema"], "samflow.prompts/2"), r"its schema is .*samflow.prompts/1"),
        (_change(["mm_per_px"], 0), r"mm_per_px: expected a number above 0, got 0"),
        (_change(["ruler"], [[1, 1], [9, 1]]), r"a ruler without mm_per_px has no length"),
        (_change(["ruler"], [[1, 1], [64, 1]]), r"ruler: point .*outside"),
        (lambda data: data.pop("frame"), r"frame: this key is missing"),
    ],
)
def test_mistakes_are_refused_with_place_and_remedy(tmp_path, change, message):
    data = _valid()
    change(data)
    path = tmp_path / "p.json"
    path.write_text(json.dumps(data))
    with pytest.raises(SamflowError, match=message) as caught:
        Prompts.load(path)
    assert "\n" not in str(caught.value)
    assert "p.json" in str(caught.value)


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe\x00", b"", b"[1, 2]"])
def test_a_file_that_is_no_prompts_json(tmp_path, content):
    path = tmp_path / "p.json"
    path.write_bytes(content)
    with pytest.raises(SamflowError, match=r"p\.json"):
        Prompts.load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SamflowError, match=r"absent\.json could not be read: No such file"):
        Prompts.load(tmp_path / "absent.json")


def test_a_mistake_in_python_raises_too():
    with pytest.raises(ValidationError, match="occurs twice"):
        Prompts(
            regions=[Region(id=1, name="a"), Region(id=1, name="b")],
            frame=FrameReference(width=4, height=4),
        )


def test_the_frame_is_checked():
    image = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    frame = FrameReference(width=WIDTH, height=HEIGHT, sha256=frame_sha256(image))
    prompts = Prompts(regions=[], frame=frame)
    prompts.check_frame(image)
    with pytest.raises(SamflowError, match=r"64x48 px, the video's frames have 48x64 px"):
        prompts.check_frame(image.transpose(1, 0, 2), accept_other=True)
    other = image.copy()
    other[0, 0, 0] ^= 1
    with pytest.raises(SamflowError, match="--accept-frame"):
        prompts.check_frame(other)
    prompts.check_frame(other, accept_other=True)


def test_saving_replaces_the_file_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "p.json"
    path.write_text("old")
    prompts = Prompts(regions=[], frame=FrameReference(width=4, height=4))
    prompts.save(path)
    assert Prompts.load(path) == prompts
    assert [entry.name for entry in tmp_path.iterdir()] == ["p.json"]


def test_colours_differ_for_the_first_seven_regions():
    colors = [region_color(i) for i in range(1, 8)]
    assert colors[:2] == ["#0000ff", "#ff0000"]
    assert len(set(colors)) == 7
    assert Region(id=9, name="x").color == region_color(9)
