"""Measured quantities against shapes whose answer is known."""

import math

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samflow.errors import SamflowError
from samflow.lab.synthetic import HELD_OUT_SEEDS, DyeClip
from samflow.results.measures import (
    MeasureOptions,
    band_coverage,
    box_counts,
    box_dimension,
    box_sizes,
    edge_heights,
    front_position,
    holes_and_islands,
    interface_contours,
    interface_length,
    interface_scales,
    intermittency,
    layer_thickness,
    lengths_at_scales,
    local_slopes,
    measure_track,
    rate_of_change,
    richardson_dimension,
    row_heights,
    spread,
    trusted_scale,
)
from streams import CountingTrack

Y, X = np.mgrid[:400, :600] + 0.5  # pixel centres, from the frame's corner


def disc(radius, x=300.3, y=200.1, shape=(Y, X)):
    return (shape[1] - x) ** 2 + (shape[0] - y) ** 2 <= radius**2


def sine(amplitude, wavelength, level=200.0):
    """Dye below a sine interface whose mean height is 400 - level."""
    return level + amplitude * np.sin(2 * np.pi * X / wavelength) < Y


def sine_length(amplitude, wavelength):
    x = np.linspace(0.5, 599.5, 200_001)
    slope = amplitude * 2 * np.pi / wavelength * np.cos(2 * np.pi * x / wavelength)
    return np.trapezoid(np.hypot(1, slope), x)


def koch_snowflake(size, order=6):
    """A filled Koch snowflake; its outline has the dimension log 4 / log 3."""
    points = np.exp(2j * np.pi * np.arange(4) / 3 + 0.3j)
    for _ in range(order):
        start, third = points[:-1], np.diff(points) / 3
        tip = start + third + third * np.exp(-1j * np.pi / 3)
        pieces = np.stack([start, start + third, tip, start + 2 * third], axis=1)
        points = np.append(pieces.ravel(), points[-1])
    z = points * size * 0.42 + size / 2 * (1 + 1j)
    image = np.zeros((size, size), np.uint8)
    cv2.fillPoly(image, [np.stack([z.real, z.imag], axis=1).round().astype(np.int32)], 1)
    return image.astype(bool)


def length_of(mask, **options):
    return interface_length(interface_contours(mask, **options))


def dimension_of(mask):
    sizes = box_sizes(mask.shape)
    return box_dimension(sizes, box_counts(mask, sizes), (4, min(mask.shape) / 8))


# ---- interface length


SHIFTS = [(0.0, 0.0), (0.25, 0.33), (0.5, 0.5)]


def disc_error(radius, shift):
    mask = disc(radius, 300 + shift[0], 200 + shift[1])
    return length_of(mask) / (2 * math.pi * radius) - 1


def line_error(degrees, offset):
    slope = math.tan(math.radians(degrees))
    mask = 150.3 + offset + slope * (X[:, :200] - 100) < Y[:, :200]
    return length_of(mask) / (199 * math.hypot(1, slope)) - 1


@pytest.mark.parametrize("shift", SHIFTS)
def test_length_of_discs(shift):
    for radius in (13, 20, 50, 150):
        assert abs(disc_error(radius, shift)) < 0.009
    assert -0.014 < disc_error(10, shift) < 0.009
    assert -0.035 < disc_error(5, shift) < 0.001


def test_length_of_a_square_is_short_at_its_corners():
    square = np.zeros((200, 200), bool)
    square[50:150, 50:150] = True
    assert -0.009 < length_of(square) / 400 - 1 < 0


def test_length_of_lines_at_any_angle():
    errors = [line_error(d, o) for d in np.linspace(0, 45, 31) for o in (0, 0.3, 0.6)]
    assert min(errors) > -0.0015
    assert max(errors) < 0.012
    assert np.mean(errors) == pytest.approx(0.005, abs=0.001)


@pytest.mark.parametrize("level", [200, 200.2, 200.5])
def test_length_of_sine_interfaces(level):
    for amplitude, wavelength in ((10, 100), (40, 300)):
        error = (
            length_of(sine(amplitude, wavelength, level)) / sine_length(amplitude, wavelength) - 1
        )
        assert abs(error) < 0.006
    assert -0.036 < length_of(sine(5, 20, level)) / sine_length(5, 20) - 1 < 0


def test_the_bare_staircase_is_too_long_and_thin_filaments_vanish():
    assert length_of(sine(10, 100), scale_px=0) > 1.06 * sine_length(10, 100)
    filament = np.zeros((40, 60), bool)
    filament[20] = True
    assert length_of(filament) == 0
    filament[21] = True
    assert length_of(filament) == pytest.approx(2 * 59, rel=1e-6)


def test_the_frame_edge_and_the_wall_are_no_interface():
    mask = np.zeros((60, 90), bool)
    mask[30:] = True
    assert length_of(mask) == pytest.approx(89)
    assert length_of(np.ones((60, 90), bool)) == 0
    fluid = np.ones_like(mask)
    fluid[50:] = False  # a wall under the dye
    mask &= fluid
    assert length_of(mask) == pytest.approx(2 * 89)
    assert length_of(mask, fluid=fluid) == pytest.approx(89)
    sizes = np.array([2.0, 4.0, 8.0])
    one_line = np.zeros_like(mask)
    one_line[30:] = True
    np.testing.assert_array_equal(box_counts(mask, sizes, fluid), box_counts(one_line, sizes))


# ---- lengths at scales


SCALES = 2.0 ** (np.arange(1, 11) / 2)  # 1.4 to 32 px


def test_scales_go_to_an_eighth_of_the_frame():
    assert interface_scales((400, 600))[[0, -1]] == pytest.approx([2**0.5, 45.25], abs=0.01)
    assert len(interface_scales((1, 1))) == 1


def test_richardson_slope_of_the_koch_snowflake():
    mask = koch_snowflake(1200)
    scales = interface_scales(mask.shape)
    scales = scales[scales > 2.5]
    value, low, high = richardson_dimension(scales, lengths_at_scales(mask, scales))
    assert value == pytest.approx(math.log(4) / math.log(3), abs=0.01)
    assert 1.2 < low <= value <= high < 1.3


def test_a_smooth_line_has_one_length_at_all_fine_scales():
    straight = 0.3 * X + 100 < Y
    lengths = lengths_at_scales(straight, SCALES)
    np.testing.assert_allclose(lengths, 599 * math.hypot(1, 0.3), rtol=0.012)
    assert richardson_dimension(SCALES[2:], lengths[2:])[0] == pytest.approx(1, abs=0.002)
    # the outline of a disc shrinks to first order by sigma^2 / 2 r
    for radius in (50, 150):
        sigma = SCALES / 1.349
        expected = 2 * math.pi * (radius - sigma**2 / (2 * radius))
        np.testing.assert_allclose(
            lengths_at_scales(disc(radius), SCALES), expected, rtol=0.006 if radius > 50 else 0.02
        )


def test_coarse_graining_a_sine_flattens_it():
    # a Gaussian takes exp(-k^2 sigma^2 / 2) of a gentle sine's amplitude
    for amplitude, wavelength in ((10, 100), (40, 300)):
        for scale in (5.66, 16.0, 32.0):
            k = 2 * math.pi / wavelength
            left = amplitude * math.exp(-((k * scale / 1.349) ** 2) / 2)
            found = length_of(sine(amplitude, wavelength), scale_px=scale)
            assert found == pytest.approx(sine_length(left, wavelength), rel=0.012)


@pytest.mark.parametrize("width", [3, 6, 12, 24])
def test_threads_and_gaps_thinner_than_the_scale_are_gone(width):
    thread = np.zeros((200, 300), bool)
    thread[80 : 80 + width] = True
    for mask in (thread, ~thread):
        kept = lengths_at_scales(mask, np.array([0.85 * width, 1.15 * width]))
        assert kept == pytest.approx([2 * 299, 0], rel=0.01)


def test_contours_on_cells_are_those_on_pixels():
    # at 45 px the mask is averaged over cells of 8 px first; a disc's centre and edge stay put
    for x, y in ((300.3, 200.1), (303.7, 204.9)):
        (line,) = interface_contours(disc(120, x, y), 45.25)
        distances = np.hypot(line[:, 1] + 0.5 - x, line[:, 0] + 0.5 - y)
        assert np.ptp(distances) < 0.5
        assert distances.mean() == pytest.approx(120 - 33.5**2 / 240, abs=0.6)
    (cut,) = interface_contours(Y < 200, 45.25)
    assert cut[[0, -1], 1].tolist() in ([0, 599], [599, 0])
    np.testing.assert_allclose(cut[:, 0], 199.5, atol=0.01)


def test_a_wall_is_no_interface_at_any_scale():
    fluid = Y < 300
    lengths = lengths_at_scales((Y > 150) & fluid, SCALES, fluid)
    np.testing.assert_allclose(lengths, 599, rtol=0.001)


def test_tables_give_lengths_at_the_scale_of_the_options():
    mask = sine(10, 40)[100:300, :240]
    maps = np.stack([mask] * 2).astype(np.uint8)
    fine = measure_track(maps, [1], [0, 1], mm_per_px=0.5)
    coarse = measure_track(maps, [1], [0, 1], mm_per_px=0.5, options=MeasureOptions(scale_px=8))
    assert coarse.frames["interface_scale_mm"].tolist() == [4, 4]
    for measures, scale in ((fine, 1.349), (coarse, 8)):
        expected = 0.5 * length_of(mask, scale_px=scale)
        np.testing.assert_allclose(measures.frames["interface_length_mm"], expected, rtol=1e-6)
        assert measures.clip.loc[0, "interface_length_mm"] == pytest.approx(expected)
    lengths = coarse.lengths
    np.testing.assert_allclose(lengths["scale_mm"], 0.5 * interface_scales(mask.shape))
    np.testing.assert_allclose(
        lengths["interface_length_mm"], 0.5 * lengths_at_scales(mask, interface_scales(mask.shape))
    )
    assert lengths.loc[lengths["in_fit"], "scale_mm"].min() == pytest.approx(4)
    assert coarse.frames.attrs["options"]["fit_range_px"] == (8, 32)
    with pytest.raises(SamflowError, match="scale of interfaces is 0 px"):
        MeasureOptions(scale_px=0)


# ---- the scale that can be trusted


def threads(widths):
    """A band of dye with threads of some widths above it."""
    mask = Y > 300
    for i, width in enumerate(widths):
        mask[40 + 40 * i : 40 + 40 * i + width] = True
    return mask


@pytest.mark.parametrize(("lost", "expected"), [(3, 4.0), (6, 8.0), (10, 11.3)])
def test_the_trusted_scale_is_that_of_the_threads_that_one_way_loses(lost, expected):
    whole = threads([3, 6, 10, 30, 35])
    without = threads([width if width > lost else 0 for width in (3, 6, 10, 30, 35)])
    lengths = {
        "whole": lengths_at_scales(whole, SCALES)[None],
        "without": lengths_at_scales(without, SCALES)[None],
    }
    found = trusted_scale(SCALES, lengths, tolerance=0.05)
    assert found.agreed
    assert found.scale_px == pytest.approx(expected, abs=0.05)
    apart = found.table["disagreement"].to_numpy()
    assert (apart[found.table["scale"] < 0.85 * lost] > 0.05).all()
    assert (apart[found.table["scale"] > 1.15 * lost] < 0.01).all()


def test_no_scale_is_trusted_where_masks_never_agree():
    lengths = {"half": np.ones((4, 10)), "whole": np.full((4, 10), 2.0)}
    found = trusted_scale(SCALES, lengths)
    assert not found.agreed
    assert found.scale_px == SCALES[-1]
    assert found.table["disagreement"].to_numpy() == pytest.approx(1 / 3)
    equal = trusted_scale(SCALES, {"a": np.ones((4, 10)), "b": np.ones((4, 10))}, finest_px=4)
    assert (equal.scale_px, equal.agreed) == (4.0, True)
    empty = trusted_scale(SCALES, {"a": np.zeros((4, 10)), "b": np.zeros((4, 10))})
    assert empty.scale_px == SCALES[0]
    # one mask in six may differ
    lengths = {"a": np.ones((6, 10)), "b": np.ones((6, 10))}
    lengths["b"][0] = 5
    assert trusted_scale(SCALES, lengths).scale_px == SCALES[0]
    with pytest.raises(SamflowError, match="lengths of 1 ways"):
        trusted_scale(SCALES, {"a": np.ones((4, 10))})
    with pytest.raises(SamflowError, match="there is no mask"):
        trusted_scale(SCALES, {"a": np.ones((0, 10)), "b": np.ones((0, 10))})


# ---- box counting


def test_dimension_of_the_koch_snowflake():
    value, low, high = dimension_of(koch_snowflake(1200))
    assert value == pytest.approx(math.log(4) / math.log(3), rel=0.01)
    assert 1.2 < low <= value <= high < 1.3
    coarse, _, _ = dimension_of(koch_snowflake(400))
    assert coarse == pytest.approx(math.log(4) / math.log(3), rel=0.06)


@pytest.mark.parametrize(
    ("mask", "error"),
    [
        (disc(150), 0.01),
        (disc(50), 0.01),
        (sine(30, 125), 0.01),
        (0.6 * X + 20 < Y, 0.02),
        (Y < 200, 0.02),
        (X - 50 < Y, 0.04),
    ],
)
def test_dimension_of_smooth_lines_is_one(mask, error):
    value, low, high = dimension_of(mask)
    assert value == pytest.approx(1, abs=error)
    assert low <= value <= high


def test_dimension_of_scattered_pixels_is_two():
    rng = np.random.default_rng(0)
    value, _, _ = dimension_of(rng.random((200, 200)) < 0.5)
    assert value == pytest.approx(2, rel=0.06)


def test_box_counts_by_hand():
    mask = np.zeros((16, 16), bool)
    mask[8:] = True  # a line of 16 edges: 16 / r boxes, and a part more where the grid is shifted
    sizes = np.array([1.0, 4.0, 8.0])
    counts = box_counts(mask, sizes)
    assert counts[0] == pytest.approx(16 + 3 / 8, abs=0.4)
    assert counts[1] == pytest.approx(4 + 3 / 4)
    assert counts[2] == pytest.approx(2 + 3 / 4)
    assert box_counts(np.zeros((16, 16), bool), sizes).tolist() == [0, 0, 0]


def test_local_slopes_of_a_power_law():
    sizes = box_sizes((256, 512))
    assert local_slopes(sizes, 1000 * sizes**-1.37) == pytest.approx(1.37)
    assert np.isnan(box_dimension(sizes, np.zeros(len(sizes)), (4, 32))).all()
    assert np.isnan(box_dimension(sizes, sizes**-1.0, (100, 120))).all()


# ---- heights and profiles


def test_heights_of_a_sine_interface():
    upper, lower = edge_heights(sine(10, 100))
    assert upper.mean() == pytest.approx(200, abs=0.1)
    assert upper.std() == pytest.approx(10 / math.sqrt(2), abs=0.1)
    assert (lower == 0).all()
    assert row_heights(400)[[0, -1]].tolist() == [399.5, 0.5]


def profile_of_tanh(thickness, rows=400, level=200.0):
    return (1 + np.tanh(2 * (level - row_heights(rows)) / thickness)) / 2


@pytest.mark.parametrize("thickness", [10.0, 40.0, 80.0])
def test_thickness_of_a_tanh_profile_is_its_scale(thickness):
    found = layer_thickness(profile_of_tanh(thickness))
    assert found["upper_integral_thickness"] == pytest.approx(thickness, abs=0.7)
    assert found["upper_10_90_thickness"] == pytest.approx(thickness * math.log(3), abs=0.5)
    assert found["lower_integral_thickness"] == pytest.approx(0, abs=0.7)
    assert math.isnan(found["lower_10_90_thickness"])  # it fills the frame down to its edge


def test_thickness_of_a_sine_interface_and_of_both_flanks():
    found = layer_thickness(intermittency(sine(30, 100)))
    assert found["upper_integral_thickness"] == pytest.approx(16 * 30 / math.pi**2, abs=0.5)
    expected = 2 * 30 * math.sin(0.4 * math.pi)
    assert found["upper_10_90_thickness"] == pytest.approx(expected, abs=0.5)
    # a band with a sharp lower and a ramped upper side
    height = row_heights(300)
    band = np.clip((220 - height) / 40, 0, 1) * (height > 100)
    found = layer_thickness(band)
    assert found["upper_integral_thickness"] == pytest.approx(2 * 40 / 3, abs=0.5)
    assert found["upper_10_90_thickness"] == pytest.approx(0.8 * 40, abs=0.5)
    assert found["lower_integral_thickness"] == pytest.approx(0, abs=0.5)
    assert found["lower_10_90_thickness"] == pytest.approx(0.8)  # one row, interpolated
    flipped = layer_thickness(band[::-1])
    for side, other in (("upper", "lower"), ("lower", "upper")):
        for kind in ("integral", "10_90"):
            assert flipped[f"{side}_{kind}_thickness"] == pytest.approx(
                found[f"{other}_{kind}_thickness"]
            )


def test_thin_dye_has_no_10_90_thickness_and_no_dye_has_none_at_all():
    assert math.isnan(layer_thickness(0.7 * profile_of_tanh(40))["upper_10_90_thickness"])
    assert all(math.isnan(v) for v in layer_thickness(np.zeros(50)).values())


def test_intermittency_counts_fluid_only():
    mask = np.zeros((4, 10), bool)
    mask[1, :5] = mask[2, :2] = True
    fluid = np.ones_like(mask)
    fluid[:, 8:] = False
    fluid[3] = False
    assert intermittency(mask).tolist() == [0, 0.5, 0.2, 0]
    np.testing.assert_array_equal(intermittency(mask, fluid), [0, 0.625, 0.25, np.nan])


# ---- blobs and fronts


def test_holes_and_islands_by_hand():
    mask = np.zeros((60, 60), bool)
    mask[5:35, 5:35] = True
    mask[10:14, 10:14] = mask[20:22, 20:22] = False  # two holes, 16 and 4 px
    mask[30:35, 18:20] = False  # a bay, open to the outside
    mask[12, 12] = mask[50:53, 50:53] = True  # islands in a hole and outside
    mask[0, 40:50] = True  # an island at the frame's edge
    found = holes_and_islands(mask)
    area = mask.sum()
    assert (found.holes, found.islands) == (2, 3)
    assert found.hole_ratio == pytest.approx((15 + 4) / area)
    assert found.island_ratio == pytest.approx((1 + 9 + 10) / area)
    large = holes_and_islands(mask, min_area_px=5)
    assert (large.holes, large.islands) == (1, 2)
    assert holes_and_islands(np.zeros((5, 5), bool)).holes == 0
    assert holes_and_islands(np.ones((5, 5), bool)).holes == 0


def test_rest_at_the_frame_edge_or_at_a_wall_is_no_hole():
    mask = np.ones((20, 20), bool)
    mask[0:4, 5:8] = False
    assert holes_and_islands(mask).holes == 0
    mask[10:13, 10:13] = False
    assert holes_and_islands(mask).holes == 1
    fluid = np.ones_like(mask)
    fluid[13:, :] = False
    assert holes_and_islands(mask & fluid, fluid=fluid).holes == 0


@pytest.mark.parametrize(
    ("direction", "expected"), [("right", 40), ("left", 50), ("up", 35), ("down", 20)]
)
def test_front_position(direction, expected):
    mask = np.zeros((45, 60), bool)
    mask[10:20, 10:40] = True
    mask[15, 40:50] = True  # a thread below the cover is no front
    assert front_position(mask, direction) == expected


def test_a_front_that_left_the_picture_is_unknown():
    mask = np.zeros((45, 60), bool)
    assert math.isnan(front_position(mask))
    mask[10:20] = True
    assert math.isnan(front_position(mask))


# ---- rates


@given(
    st.lists(st.floats(0.01, 0.2), min_size=4, max_size=30),
    st.tuples(*[st.floats(-5, 5)] * 3),
    st.integers(3, 11),
)
@settings(max_examples=60, deadline=None)
def test_rates_of_a_parabola_are_exact_at_uneven_times(steps, coefficients, window):
    times = np.cumsum(steps)
    a, b, c = coefficients
    rates = rate_of_change(times, a + b * times + c * times**2, window)
    np.testing.assert_allclose(rates, b + 2 * c * times, atol=1e-6)


def test_noise_in_a_rate_is_as_stated():
    rng = np.random.default_rng(3)
    times = np.arange(4000) / 25
    rates = rate_of_change(times, rng.normal(size=4000), 9)[10:-10]
    assert rates.std() == pytest.approx(25 * math.sqrt(12 / (9**3 - 9)), rel=0.05)


def test_rates_skip_unknown_values():
    times = np.arange(10.0)
    values = 3 * times
    values[4] = values[8] = values[9] = np.nan
    rates = rate_of_change(times, values, 5)
    assert np.isnan(rates[[4, 8, 9]]).all()
    np.testing.assert_allclose(rates[[0, 1, 2, 3, 5, 6, 7]], 3)
    assert np.isnan(rate_of_change(times, np.where(times < 2, times, np.nan))).all()
    assert rate_of_change([0, 0.5], [1, 2]) == pytest.approx(2)


# ---- whole tracks


def growing_disc(frames=12, dt=0.04, speed=30.0):
    """A disc whose radius grows by `speed` px/s; frames are not evenly spaced."""
    times = np.cumsum(np.resize([dt, 1.5 * dt], frames)) - dt
    y, x = np.mgrid[:120, :160] + 0.5
    radii = 20 + speed * times
    return np.stack([disc(r, 80, 60, (y, x)) for r in radii]).astype(np.uint8), times, radii


def test_a_growing_disc_in_mm():
    maps, times, radii = growing_disc()
    scale = 0.5
    options = MeasureOptions(inflow=10.0, rate_window=5)
    measures = measure_track(maps * 3, [3], times, mm_per_px=scale, options=options)
    table = measures.frames
    areas = math.pi * radii**2 * scale**2
    np.testing.assert_allclose(table["time_s"], times)
    np.testing.assert_allclose(table["area_mm2"], areas, rtol=0.01)
    np.testing.assert_allclose(table["area_fraction"], areas / (120 * 160 * scale**2), rtol=0.01)
    np.testing.assert_allclose(
        table["interface_length_mm"], 2 * math.pi * radii * scale, rtol=0.009
    )
    np.testing.assert_allclose(
        table["interface_density_per_mm"], table["interface_length_mm"] / (120 * 160 * scale**2)
    )
    growth = 2 * math.pi * radii * 30 * scale**2
    np.testing.assert_allclose(table["area_rate_mm2_per_s"][2:-2], growth[2:-2], rtol=0.1)
    np.testing.assert_allclose(
        table["entrainment_mm2_per_s"], table["area_rate_mm2_per_s"] - 10, atol=1e-9
    )
    np.testing.assert_allclose(table["front_mm"], (80 + radii) * scale, atol=2 * scale)
    assert table["front_speed_mm_per_s"].mean() == pytest.approx(15, rel=0.1)
    np.testing.assert_allclose(
        table["upper_height_mean_mm"] + table["lower_height_mean_mm"], 120 * scale, atol=1e-9
    )
    # the mean height of a half circle over its diameter is pi / 4 of the radius
    half = (table["upper_height_mean_mm"] - table["lower_height_mean_mm"]) / 2
    np.testing.assert_allclose(half, math.pi / 4 * radii * scale, rtol=0.02)
    assert (table["holes"] == 0).all()
    assert (table["islands"] == 0).all()
    assert table.attrs["units"]["area_rate_mm2_per_s"] == "mm2/s"
    assert table.attrs["options"]["rate_window"] == 5


def test_pixels_and_millimetres_differ_by_the_scale_only():
    maps, times, _ = growing_disc(4)
    in_px = measure_track(maps, [1], times)
    in_mm = measure_track(maps, [1], times, mm_per_px=0.2)
    for name in ("frames", "clip", "profiles", "box_counts"):
        a, b = getattr(in_px, name), getattr(in_mm, name)
        quantities = b.attrs["quantities"]
        assert list(quantities.values()) == list(b.columns)
        for quantity, column in a.attrs["quantities"].items():
            unit = a.attrs["units"][column]
            power = {"px": 1, "px2": 2, "1/px": -1, "px/s": 1, "px2/s": 2}.get(unit, 0)
            np.testing.assert_allclose(
                b[quantities[quantity]].astype(float), a[column].astype(float) * 0.2**power
            )
            assert ("px" in column) == (power != 0)


def test_clip_values_average_over_all_frames():
    shifts = np.arange(0, 100, 5)
    maps = np.stack([np.roll(sine(20, 100), shift, axis=1) for shift in shifts]).astype(np.uint8)
    maps = maps[:, 100:300]  # the interface is 100 px above the lower edge of 200 rows
    measures = measure_track(maps, [1], shifts / 25)
    clip = measures.clip.iloc[0]
    assert clip["frames"] == 20
    assert clip["duration_s"] == pytest.approx(95 / 25)
    assert clip["upper_height_mean_px"] == pytest.approx(100, abs=0.1)
    assert clip["upper_height_rms_px"] == pytest.approx(20 / math.sqrt(2), abs=0.1)
    assert clip["upper_integral_thickness_px"] == pytest.approx(16 * 20 / math.pi**2, abs=0.5)
    assert clip["dimension"] == pytest.approx(1, abs=0.03)
    profile = measures.profiles
    np.testing.assert_allclose(
        np.interp(100, profile["height_px"][::-1], profile["intermittency"][::-1]), 0.5, atol=0.02
    )
    expected = 0.5 + np.arcsin((100 - row_heights(200)).clip(-20, 20) / 20) / np.pi
    np.testing.assert_allclose(profile["intermittency"], expected, atol=0.05)
    boxes = measures.box_counts
    assert boxes[boxes["in_fit"]]["box_px"].agg(["min", "max"]).between(3.9, 25.1).all()


def test_a_region_that_vanishes_has_area_zero_and_unknown_heights():
    maps, times, _ = growing_disc(6)
    maps[3] = 0
    table = measure_track(maps, [1, 2], times).frames
    gone = table[(table["frame"] == 3) & (table["region"] == 1)].iloc[0]
    assert gone["area_px2"] == gone["interface_length_px"] == gone["area_fraction"] == 0
    for column in ("dimension", "upper_height_mean_px", "front_px", "hole_ratio"):
        assert math.isnan(gone[column])
    assert (table[table["region"] == 2]["area_px2"] == 0).all()


def test_frames_are_streamed_and_keep_their_numbers():
    maps, times, _ = growing_disc(12)
    track = CountingTrack(maps, range(50, 62))
    table = measure_track(track, [1], times).frames
    assert track.most <= 3
    assert table["frame"].tolist() == list(range(50, 62))


MAPS = np.ones((3, 20, 30), np.uint8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((MAPS[:0], [1], []), "no frame"),
        ((MAPS[:1], [1], [0.0]), "one frame, expected at least two"),
        ((MAPS, [1], [0.0, 0.1]), "2 timestamps came with 3 frames"),
        ((MAPS, [1], None), "no timestamps"),
        ((MAPS, [1], [0.0, 0.2, 0.1]), "timestamp 2 is 0.1 s after 0.2 s"),
        ((MAPS, [1], [0.0, 0.0, 0.1]), "timestamp 1 is 0.0 s after 0.0 s"),
        ((MAPS, [1], [0.0, math.nan, 0.1]), "expected finite times"),
        ((MAPS, [], [0.0, 0.1, 0.2]), "label above 0"),
        (([*MAPS[:2], MAPS[2, :10]], [1], [0.0, 0.1, 0.2]), "frame 2 of track 'masks' is 10 x 30"),
    ],
)
def test_bad_tracks_and_times_are_refused(arguments, message):
    with pytest.raises(SamflowError, match=message):
        measure_track(*arguments)


@pytest.mark.parametrize("scale", [0, -1.0, math.nan, math.inf])
def test_bad_scales_are_refused(scale):
    with pytest.raises(SamflowError, match="mm per pixel, expected a number above 0"):
        measure_track(MAPS, [1], [0.0, 0.1, 0.2], mm_per_px=scale)


def test_bad_options_and_fluid_are_refused():
    with pytest.raises(SamflowError, match="2 frames, expected at least 3"):
        MeasureOptions(rate_window=2)
    with pytest.raises(SamflowError, match="'forward', expected right"):
        MeasureOptions(front="forward")
    with pytest.raises(SamflowError, match="mask of the fluid"):
        measure_track(MAPS, [1], [0.0, 0.1, 0.2], fluid=np.ones((2, 2), bool))


def test_tiny_frames_are_measured():
    table = measure_track(np.ones((2, 1, 1), np.uint8), [1], [0.0, 1.0]).frames
    assert isinstance(table, pd.DataFrame)
    assert table["area_px2"].tolist() == [1, 1]


# ---- spread between strategies


def tables_of_discs(offsets):
    """Measures of growing discs whose radii differ by fixed offsets."""
    times = np.arange(6) / 25
    y, x = np.mgrid[:120, :160] + 0.5
    return {
        name: measure_track(
            np.stack([disc(20 + i + offset, 80, 60, (y, x)) for i in range(6)]).astype(np.uint8),
            [1],
            times,
            mm_per_px=0.5,
        ).frames
        for name, offset in offsets.items()
    }


def test_the_band_spans_the_strategies_and_holds_the_truth_when_it_lies_between():
    tables = tables_of_discs({"small": -2, "middle": 0, "large": 3, "truth": 1})
    truth = tables.pop("truth")
    band = spread(tables)
    assert band["quantity"].iloc[0] == "area_mm2"
    area = band[band["quantity"] == "area_mm2"]
    np.testing.assert_array_equal(area["low"], tables["small"]["area_mm2"])
    np.testing.assert_array_equal(area["median"], tables["middle"]["area_mm2"])
    np.testing.assert_array_equal(area["high"], tables["large"]["area_mm2"])
    assert (area["strategies"] == 3).all()
    coverage = band_coverage(band, truth).set_index("quantity")
    assert coverage.loc["area_mm2", "coverage"] == 1
    assert coverage.loc["area_mm2", "frames"] == 6
    mean_width = (area["high"] - area["low"]).mean()
    expected = mean_width / truth["area_mm2"].mean()
    assert coverage.loc["area_mm2", "relative_width"] == pytest.approx(expected)
    narrow = spread({name: tables[name] for name in ("small", "middle")})
    assert band_coverage(narrow, truth).set_index("quantity").loc["area_mm2", "coverage"] == 0


def test_the_band_counts_only_strategies_whose_value_is_known():
    tables = tables_of_discs({"a": 0, "b": 2})
    tables["a"].loc[2, "front_mm"] = np.nan
    band = spread(tables)
    front = band[band["quantity"] == "front_mm"].reset_index(drop=True)
    assert front["strategies"].tolist() == [2, 2, 1, 2, 2, 2]
    assert front.loc[2, "low"] == front.loc[2, "high"] == tables["b"].loc[2, "front_mm"]


def test_tables_that_do_not_belong_together_are_refused():
    tables = tables_of_discs({"a": 0, "b": 2})
    with pytest.raises(SamflowError, match="1 strategies were given, expected at least two"):
        spread({"a": tables["a"]})
    with pytest.raises(SamflowError, match="differ in frames, times or regions"):
        spread({"a": tables["a"], "b": tables["b"][:-1]})
    with pytest.raises(SamflowError, match="measure all strategies with the same scale"):
        spread({"a": tables["a"], "b": tables["b"].rename(columns={"area_mm2": "area_px2"})})
    band = spread(tables)
    with pytest.raises(SamflowError, match="true table lacks the column 'area_mm2'"):
        band_coverage(band, tables["a"].drop(columns="area_mm2"))
    with pytest.raises(SamflowError, match="no frame and region in common"):
        band_coverage(band, tables["a"].assign(frame=tables["a"]["frame"] + 100))


def measured_tables(lengths, areas, scale=8.0):
    return {
        name: pd.DataFrame(
            {
                "frame": range(len(length)),
                "time_s": np.arange(len(length)) / 25,
                "region": 1,
                "area_px2": area,
                "area_fraction": area / 1e5,
                "interface_scale_px": scale,
                "interface_length_px": length,
                "interface_density_per_px": length / 1e5,
                "holes": 0,
            }
        )
        for name, length, area in zip("abc", lengths, areas, strict=False)
    }


def test_the_likely_band_is_wider_by_a_strip_along_the_interface():
    frames = np.arange(5.0)
    lengths = np.stack([500 + frames, 520 + frames])
    areas = np.stack([9000 + 10 * frames, 9200 + 10 * frames])
    band = spread(measured_tables(lengths, areas)).set_index("quantity")

    def half_width(quantity):
        rows = band.loc[quantity]
        middle = (rows["low"] + rows["high"]) / 2
        np.testing.assert_allclose((rows["likely_low"] + rows["likely_high"]) / 2, middle)
        return (rows["likely_high"] - rows["likely_low"]).to_numpy() / 2

    area, length = half_width("area_px2"), half_width("interface_length_px")
    # in proportion to half the range and the uncertain strip, or a tenth of the length
    np.testing.assert_allclose(area / (100 + 8 * (510 + frames)), area[0] / (100 + 8 * 510))
    np.testing.assert_allclose(length / (10 + 0.1 * (510 + frames)), length[0] / 61)
    np.testing.assert_allclose(half_width("area_fraction"), area / 1e5)
    np.testing.assert_allclose(half_width("interface_density_per_px"), length / 1e5)
    assert band.loc["holes", ["likely_low", "likely_high"]].isna().all(axis=None)
    coarse = spread(measured_tables(lengths, areas, scale=16.0)).set_index("quantity")
    assert (coarse.loc["area_px2", "likely_low"] < band.loc["area_px2", "likely_low"]).all()


def test_the_likely_band_holds_what_strategies_that_share_mistakes_miss():
    rng = np.random.default_rng(4)
    true_length, true_area = 800 + 50 * rng.normal(size=400), 2e4 + 1e3 * rng.normal(size=400)
    # all are off together by up to a sixth of the strip, and a little each on its own
    common = rng.uniform(-1, 1, 400)
    areas = [true_area + 1000 * common + 50 * rng.normal(size=400) for _ in range(3)]
    lengths = [true_length * (1 + 0.08 * common) + 5 * rng.normal(size=400) for _ in range(3)]
    (truth,) = measured_tables([true_length], [true_area]).values()
    band = spread(measured_tables(lengths, areas))
    for likely, bounds in ((False, (0.0, 0.35)), (True, (0.95, 1.0))):
        held = band_coverage(band, truth, likely=likely).set_index("quantity")["coverage"]
        for quantity in ("area_px2", "interface_length_px"):
            assert bounds[0] <= held[quantity] <= bounds[1]
    likely = band_coverage(band, truth, likely=True)
    assert set(likely["quantity"]) == {
        "area_px2",
        "area_fraction",
        "interface_length_px",
        "interface_density_per_px",
    }


def test_measures_of_a_synthetic_clip_follow_its_truth():
    clip = DyeClip(HELD_OUT_SEEDS[0], size=(135, 240), frames=4)
    maps = [labels for _, labels in clip]
    times = np.arange(4) / 25
    truth = measure_track(maps, [1, 2], times).frames
    # strategies that lose or gain a rim of the dye lie on both sides of the truth
    tables = {}
    for name, operation in (("eroded", cv2.erode), ("dilated", cv2.dilate)):
        kernel = np.ones((3, 3), np.uint8)
        changed = [operation((m == 1).astype(np.uint8), kernel) for m in maps]
        tables[name] = measure_track(changed, [1], times).frames
    coverage = band_coverage(spread(tables), truth[truth["region"] == 1])
    held = coverage.set_index("quantity")["coverage"]
    for quantity in ("area_px2", "area_fraction", "upper_height_mean_px"):
        assert held[quantity] == 1
    for region in (1, 2):
        expected = [np.count_nonzero(m == region) for m in maps]
        assert truth[truth["region"] == region]["area_px2"].tolist() == expected
    shares = truth.groupby("frame")["area_fraction"].sum()
    assert shares.between(0.1, 1).all()
