"""The page about a run: nothing from outside, right numbers, names that do no harm."""

import base64
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from browser import FLAGS, chromium
from runs import change_record, write_run
from samflow.errors import SamflowError
from samflow.maskio import Track
from samflow.overlay.inline import video_within
from samflow.results.run_measures import measure
from samflow.results.scoring import score
from samflow.video import Video, VideoWriter

TIMES = np.arange(8) / 25
EVIL = "<script>alert('1 & 2')</script>"
VOID = {"meta", "link", "img", "br", "hr", "input"}


def maps(height, speed):
    """An upper dye of some height whose front moves, over a lower dye with a wavy edge.

    The frame is too low for a fit of the dimension, which must be shown as unknown.
    """
    frames = []
    x = np.arange(80)
    edge = 34 + np.round(3 * np.sin(x / 6)).astype(int)
    for index in range(len(TIMES)):
        labels = np.zeros((48, 80), np.uint8)
        labels[np.arange(48)[:, None] > edge] = 2
        labels[8 : 8 + height, : 20 + speed * index] = 1
        frames.append(labels)
    return frames


def named_run(folder, masks):
    """A run whose film, folder, regions and versions have names that are no HTML."""
    run = write_run(folder, masks, TIMES)
    names = [EVIL, 'lower "dye" <b>', "bottom & wall"]
    regions = [
        region.model_copy(update={"name": name})
        for region, name in zip(run.record.prompts.regions, names, strict=True)
    ]
    prompts = run.record.prompts.model_copy(update={"regions": regions})
    options = {"note": "<img src=http://example.org/x.png>", "inner": {"a": [1, "<i>"]}}
    return change_record(
        run,
        prompts=prompts,
        options=options,
        versions={"samflow": "<u>9</u>"},
        seconds={"xmem": 1.25, "<write>": 0.5},
    )


class Page(HTMLParser):
    """Elements of a page in order, its tables, and whether every tag is closed."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.texts, self.tables = [], [], [], []
        self.cell = None
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        assert len(attributes) == len(attrs), f"twice the same attribute: {tag} {attrs}"
        self.elements.append((tag, attributes))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append({"caption": "", "rows": []})
        elif tag == "tr":
            self.tables[-1]["rows"].append([])
        elif tag in ("td", "th"):
            self.cell = {"text": "", "value": None}
            self.tables[-1]["rows"][-1].append(self.cell)
        elif tag == "data":
            self.cell["value"] = float(attributes["value"])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag in ("td", "th"):
            self.cell = None

    def handle_data(self, data):
        self.texts.append(data)
        if self.cell is not None:
            self.cell["text"] += data
        elif self.open and self.open[-1] == "caption":
            self.tables[-1]["caption"] += data

    def table(self, caption):
        """Rows of the table whose caption begins like this, without the heads."""
        (found,) = [t for t in self.tables if t["caption"].startswith(caption)]
        return [row for row in found["rows"] if any(cell["value"] is not None for cell in row)]

    def attributes(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    """A scored and measured run with a comparison video, and its page."""
    folder = tmp_path_factory.mktemp("report")
    masks = {"xmem": maps(12, 2), "sam": maps(16, 4), "refined": maps(14, 3)}
    run = named_run(folder, masks)
    with VideoWriter(run.folder / "comparison.mp4", (48, 160)) as writer:
        rng = np.random.default_rng(0)
        for time in TIMES:
            writer.write(rng.integers(0, 256, (48, 160, 3)).astype(np.uint8), time)
    score(run, Track(run.mask_folder("refined")))
    measure(run, mm_per_px=0.5)
    text = (run.folder / "report.html").read_text(encoding="utf-8")
    return run, text, Page(text)


def test_nothing_is_loaded_from_outside(reported):
    _, text, page = reported
    for tag, attributes in page.elements:
        for name in ("src", "srcset", "poster", "data", "action", "background"):
            if name in attributes and tag != "data":
                assert attributes[name].startswith("data:"), (tag, attributes[name][:80])
        if tag == "link":
            assert attributes["href"].startswith("data:")
        assert tag not in ("script", "iframe", "object", "embed", "base", "form")
        assert not any(name.startswith("on") for name in attributes)
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    policy = next(a["content"] for a in page.attributes("meta") if "http-equiv" in a)
    assert "default-src 'none'" in policy


def test_the_page_can_be_read_by_everyone(reported):
    _, _, page = reported
    assert page.attributes("html") == [{"lang": "en"}]
    assert all(len(image["alt"]) > 20 for image in page.attributes("img"))
    assert all("aria-label" in video for video in page.attributes("video"))
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    assert {a["aria-labelledby"] for a in page.attributes("section")} <= set(ids)
    assert all(table["caption"] for table in page.tables)
    assert [tag for tag, _ in page.elements if tag == "h1"] == ["h1"]


def test_numbers_are_those_of_measures_csv(reported):
    run, _, page = reported
    table = pd.read_csv(run.folder / "measures.csv")
    ids = {region.name: region.id for region in run.result_regions}
    columns = [
        "area_mm2",
        "area_fraction",
        "interface_scale_mm",
        "interface_length_mm",
        "dimension",
        "area_rate_mm2_per_s",
        "holes",
        "islands",
    ]
    rows = page.table("Mean")
    assert len(rows) == 3 * 2
    for region, strategy, *cells in rows:
        own = table[
            (table["strategy"] == strategy["text"]) & (table["region"] == ids[region["text"]])
        ]
        assert len(own) == len(TIMES)
        expected = own[columns].mean().to_numpy()
        values = np.array([cell["value"] for cell in cells], dtype=np.float64)  # None is NaN
        np.testing.assert_allclose(values, expected, rtol=1e-7, atol=1e-12)
        shown = cells[1]["text"].split(" ")[0]
        decimals = len(shown.split(".")[1])
        assert float(shown) == pytest.approx(expected[1], abs=0.5001 * 10**-decimals)
    (heads,) = [t["rows"][0] for t in page.tables if t["caption"].startswith("Mean")]
    assert [cell["text"] for cell in heads][2:6] == [
        "areamm²",
        "area fraction",
        "interface scalemm",
        "interface lengthmm",
    ]


def test_spread_drift_and_scores_are_those_of_the_files(reported):
    run, text, page = reported
    table = pd.read_csv(run.folder / "measures.csv")
    first = page.table("Median over strategies")[0]
    area = table[table["region"] == 1].pivot(index="frame", columns="strategy", values="area_mm2")
    median, band = area.median(axis=1).mean(), (area.max(axis=1) - area.min(axis=1)).mean()
    assert [c["text"] for c in first[:2]] == [EVIL, "area"]
    np.testing.assert_allclose([c["value"] for c in first[2:5]], [median, band, band / median])
    assert first[5]["value"] > first[4]["value"]
    scale = table["interface_scale_mm"].iloc[0]
    assert f"Interfaces are measured at a scale of {scale / 0.5:.3g} px" in text

    drift = pd.read_csv(run.folder / "drift.csv")
    assert list(drift.columns[:4]) == ["strategy", "frame", "time_s", "region"]
    np.testing.assert_allclose(drift["time_s"], TIMES[drift["frame"]], atol=1e-3)
    rows = page.table("Drift score")
    assert len(rows) == 6
    means = drift[drift["region"] == 2].groupby("strategy")["drift"].mean()
    found = {row[1]["text"]: row[2]["value"] for row in rows if row[0]["text"].startswith("lower")}
    assert found == pytest.approx(means.to_dict(), rel=1e-6)
    assert f"stays above {0.2} for 3 frames" in text

    scores = pd.read_csv(run.folder / "scores.csv")
    rows = {(r[0]["text"], r[1]["text"]): r for r in page.table("Scores")}
    own = scores[(scores["strategy"] == "sam") & (scores["region"] == 1)]
    assert rows["sam", EVIL][2]["value"] == pytest.approx(own["J"].mean())
    assert rows["refined", "all dyes"][2]["value"] == 1.0
    assert "Against the truth refined is best, with a mean J of 1.000." in text


def test_names_of_the_user_are_text_and_nothing_else(reported):
    _, text, page = reported
    assert EVIL not in text
    assert any(EVIL in part for part in page.texts)
    assert any(part == "bottom & wall" for part in page.texts)
    joined = "".join(page.texts)
    for shown in ("<img src=http://example.org/x.png>", "<u>9</u>", "<write>", 'lower "dye" <b>'):
        assert shown in joined
    assert not {"b", "u", "i", "write", "script"} & {tag for tag, _ in page.elements}


def test_hashes_prompts_versions_and_seconds_are_there(reported):
    run, _, page = reported
    joined = " ".join("".join(page.texts).split())
    assert run.record.video.sha256 in joined
    assert "0.5 mm per px" in joined
    assert "8" in joined
    seconds = {row[0]["text"]: row[1]["value"] for row in page.table("Seconds")}
    assert seconds == {"xmem": 1.25, "<write>": 0.5, "all": 1.75}
    (prompts,) = [t for t in page.tables if t["caption"].startswith("Prompts")]
    assert [cell["text"] for cell in prompts["rows"][3]][1:] == [
        "bottom & wall",
        "0, 0, 9, 9",
        "none",
        "as background",
    ]


def decoded(uri, kind):
    head, data = uri.split(",", 1)
    assert head == f"data:{kind};base64"
    return base64.b64decode(data)


def test_the_video_and_the_plots_are_the_files(reported):
    run, _, page = reported
    (video,) = page.attributes("video")
    assert decoded(video["src"], "video/mp4") == (run.folder / "comparison.mp4").read_bytes()
    images = [image["src"] for image in page.attributes("img")]
    plots = {decoded(uri, "image/png") for uri in images if uri.startswith("data:image/png")}
    assert plots == {path.read_bytes() for path in (run.folder / "plots").iterdir()}
    assert sum(uri.startswith("data:image/jpeg") for uri in images) == 1


def test_a_video_that_is_too_large_becomes_a_preview(reported, tmp_path):
    path = reported[0].folder / "comparison.mp4"
    cap = 0.9 * path.stat().st_size / 1e6
    data, width = video_within(path, cap)
    assert len(data) <= cap * 1e6
    (tmp_path / "preview.mp4").write_bytes(data)
    preview = Video(tmp_path / "preview.mp4")
    assert (len(preview), preview.size[1]) == (len(TIMES), width)


def test_a_single_strategy_without_video_truth_or_scale(tmp_path):
    run = named_run(tmp_path, {"sam": maps(12, 2)})
    measure(run)
    page = Page((run.folder / "report.html").read_text(encoding="utf-8"))
    assert not page.attributes("video")
    captions = [table["caption"] for table in page.tables]
    assert not any(c.startswith(("Median over", "Scores")) for c in captions)
    joined = " ".join("".join(page.texts).split())
    assert "comparison video is not in this page" in joined
    assert "none: lengths in px" in joined
    # the dimension can't be fitted here
    assert "(– to –)" not in joined
    assert 'value="nan"' not in (run.folder / "report.html").read_text(encoding="utf-8")


def test_a_failure_leaves_the_earlier_results_as_they_were(tmp_path):
    run = named_run(tmp_path, {"sam": maps(12, 2), "xmem": maps(14, 2)})
    measure(run, 0.5)

    def contents():
        return {p: p.read_bytes() for p in run.folder.rglob("*") if p.is_file()}

    (run.folder / "scores.csv").write_text("frame,J\n0,1\n")
    before = contents()
    with pytest.raises(SamflowError, match=r"scores\.csv has 1 rows and lacks the columns"):
        measure(run, 0.25)
    assert contents() == before
    (run.folder / "scores.csv").write_text("")
    with pytest.raises(SamflowError, match=r"scores\.csv is no table"):
        measure(run, 0.25)
    (run.folder / "scores.csv").unlink()
    mask = run.mask_folder("xmem") / "00005.png"
    mask.write_bytes(mask.read_bytes()[:60])
    before = contents()
    with pytest.raises(SamflowError, match="damaged PNG"):
        measure(run, 0.25)
    assert contents() == before


@pytest.mark.browser
def test_a_browser_shows_it_without_asking_for_anything(reported):
    from playwright.sync_api import sync_playwright

    path = reported[0].folder / "report.html"
    asked, complaints = [], []
    with sync_playwright() as started:
        running = started.chromium.launch(executable_path=chromium(), args=FLAGS)
        page = running.new_page(viewport={"width": 1200, "height": 900})
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(path.as_uri())
        page.wait_for_function("document.querySelector('video').readyState >= 1")
        broken = page.evaluate("[...document.images].filter(i => !i.naturalWidth).length")
        too_wide = {}
        for width in (1200, 390):
            page.set_viewport_size({"width": width, "height": 900})
            too_wide[width] = page.evaluate("document.documentElement.scrollWidth > innerWidth")
        running.close()
    assert broken == 0
    assert too_wide == {1200: False, 390: False}
    assert {re.split("[:;]", url)[0] for url in asked} <= {"file", "data"}
    assert [url for url in asked if url.startswith("file")] == [path.as_uri()]
    assert complaints == []
