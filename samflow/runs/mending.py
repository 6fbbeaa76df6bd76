"""A run brought up to date with its prompts, its corrections and its strategies."""

import shutil
from pathlib import Path

from tqdm.auto import tqdm

from samflow.files import sha256_of_file
from samflow.maskio import read_label_map, write_label_map
from samflow.masks import join_label_maps, without_labels
from samflow.runs.comparison_parts import ComparisonParts
from samflow.runs.given import Pass, Stretch, given_frames, stretches_between
from samflow.runs.passes import PassMaker, PassStore
from samflow.runs.record import Run
from samflow.runs.resuming import remove_halves
from samflow.runs.run_options import RunOptions
from samflow.runs.session import RunSession
from samflow.runs.sweep import Stopwatch, Sweep
from samflow.sam import Segmenter
from samflow.strategies import Strategy
from samflow.video import Video

# What other commands made from the masks: wrong once the masks are others
_DERIVED = ("scores.csv", "measures.csv", "drift.csv", "report.html", "plots")


class Mender:
    """Computes what a run's masks lack, and nothing else.

    Parameters
    ----------
    run : Run
        Its folder holds the corrections that are wanted; its record says what the masks were made
        with.
    clip : Video
    strategies : dict of str to Strategy
        All that the run is to have.
    sam : Segmenter
    options : RunOptions
    session : RunSession
        Hears of the frames of the passes, and knows whether the folder is held.
    """

    def __init__(
        self,
        run: Run,
        clip: Video,
        strategies: dict[str, Strategy],
        sam: Segmenter,
        options: RunOptions,
        session: RunSession,
    ) -> None:
        self.run, self.record = run, run.record
        self.clip = clip
        self.strategies = strategies
        self.sam, self.options, self.session = sam, options, session
        self.watch = Stopwatch(dict(run.record.seconds))
        self.states = run.folder / ".state"
        self.store = PassStore(run.folder)
        self.given = given_frames(run)
        self.stretches = stretches_between(self.given, len(clip))

    def go(self) -> None:
        """Make the passes that are missing, join them, and write what changed.

        The masks change only when all passes are there, each file at once, and `run.json` says so
        last: a killed process has lost nothing that is not computed again. One that has lost the
        folder to another host writes no more into it.
        """
        remove_halves(self.run.folder)
        plain = self._is_plain()
        if not plain:
            self._adopt_plain_run()
        self._make_passes()
        stale = {name: self._stale(name) for name in self.strategies}
        if any(stale.values()):
            self._disown(stale)
            for name, units in stale.items():
                self._write_masks(name, units)
            self._write_comparison()
        self._save(plain)
        if plain:
            shutil.rmtree(self.store.folder, ignore_errors=True)
        shutil.rmtree(self.states, ignore_errors=True)

    def _is_plain(self) -> bool:
        """Whether the masks are to be those of one pass from the clip's first frame."""
        return [(each.frame, each.path) for each in self.given] == [(0, None)]

    def _wanted(self, strategy: str) -> dict[str, str]:
        """What each stretch and corrected frame of a strategy is to be made from."""
        keeps = self.strategies[strategy].keeps
        stretches = {each.name: each.key(strategy, keeps) for each in self.stretches}
        corrected = {str(each.frame): each.key for each in self.given if each.path is not None}
        return stretches | corrected

    def _made(self, strategy: str) -> dict[str, str]:
        """What the masks of a strategy were made from; nothing that is not there."""
        if strategy in self.record.made_from:
            return self.record.made_from[strategy]
        if strategy not in self.record.strategies or self.record.frames_done != len(self.clip):
            return {}
        # a run straight from its prompts, which is one pass
        whole = stretches_between(given_frames(self.run, corrected=False), len(self.clip))
        keeps = self.strategies[strategy].keeps
        return {each.name: each.key(strategy, keeps) for each in whole}

    def _stale(self, strategy: str) -> set[str]:
        """The stretches and corrected frames whose masks are not as wanted."""
        made = self._made(strategy)
        return {n for n, key in self._wanted(strategy).items() if made.get(n) != key}

    def _adopt_plain_run(self) -> None:
        """Keep the masks of a run straight from its prompts as the pass that they are."""
        for name in self.record.strategies:
            if name not in self.record.made_from and self._made(name):
                whole = Pass(given_frames(self.run, corrected=False)[0], len(self.clip))
                key = whole.key(name, self.strategies[name].keeps)
                self.store.adopt(key, name, self.run.mask_folder(name), whole.frames)

    def _disown(self, stale: dict[str, set[str]]) -> None:
        """Before masks are replaced: record that, and delete what was computed from them."""
        self.session.check()
        self.record.made_from = {
            name: {n: key for n, key in self._made(name).items() if n not in units}
            for name, units in stale.items()
            if name in self.record.strategies
        }
        self.record.save(self.run.folder)
        for name in _DERIVED:
            path = self.run.folder / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def _make_passes(self) -> None:
        maker = PassMaker(self.clip, self.store, self.states, self.options.save_every)
        missing = {}
        for stretch in self.stretches:
            for each in stretch.passes:
                names = [name for name in self.strategies if self._lacks(stretch, each, name)]
                if names:
                    missing[each] = names
        if not missing:
            return
        total = sum(len(each.frames) for each in missing)
        with self.session.counting(total, "samflow correct") as advance:
            for each, names in missing.items():
                chosen = {name: self.strategies[name] for name in names}
                sweep = Sweep(chosen, self.sam, self.record.prompts, self.options, self.watch)
                maker.make(each, sweep, advance)

    def _lacks(self, stretch: Stretch, wanted: Pass, name: str) -> bool:
        key = wanted.key(name, self.strategies[name].keeps)
        frames = [frame for frame in stretch.frames if frame in wanted.frames]
        return stretch.name in self._stale(name) and not self.store.holds(key, name, frames)

    def _write_masks(self, name: str, units: set[str]) -> None:
        """Write a strategy's masks of some stretches and corrected frames."""
        for stretch in self.stretches:
            if stretch.name in units:
                self._write_stretch(name, stretch)
        for each in self.given:
            if str(each.frame) in units and each.path is not None:
                labels = without_labels(
                    read_label_map(each.path), self.record.prompts.background_ids
                )
                write_label_map(self._mask_path(name, each.frame), labels)

    def _mask_path(self, name: str, frame: int) -> Path:
        return self.run.mask_folder(name) / f"{frame:05d}.png"

    def _write_stretch(self, name: str, stretch: Stretch) -> None:
        keeps = self.strategies[name].keeps
        for frame in stretch.frames:
            self.session.check()
            maps = [
                read_label_map(self.store.path(each.key(name, keeps), name, frame))
                for each in stretch.passes
                if frame in each.frames
            ]
            share = stretch.share(frame) if len(maps) == 2 else 0.0
            write_label_map(self._mask_path(name, frame), join_label_maps(maps[0], maps[-1], share))

    def _write_comparison(self) -> None:
        every = self.options.save_every
        parts = ComparisonParts(self.states, self.clip, self.record, self.strategies, self.watch)
        images = iter(self.clip)
        hidden = self.session.on_frame is not None
        with tqdm(total=len(self.clip), unit="frame", desc="comparison", disable=hidden) as bar:
            for begin in range(0, len(self.clip), every):
                with parts.part(begin):
                    for frame in range(begin, min(begin + every, len(self.clip))):
                        self.session.check()
                        shown = {
                            name: read_label_map(self._mask_path(name, frame))
                            for name in self.strategies
                        }
                        parts.write(next(images), shown, frame)
                        bar.update()
        parts.join(every, self.run.folder / "comparison.mp4")

    def _save(self, plain: bool) -> None:
        self.session.check()
        record = self.record
        record.strategies = list(self.strategies)
        record.frames_done = len(self.clip)
        record.seconds = self.watch.seconds
        record.corrections = {
            frame: sha256_of_file(path) for frame, path in self.run.correction_files.items()
        }
        record.made_from = {} if plain else {name: self._wanted(name) for name in self.strategies}
        record.save(self.run.folder)
