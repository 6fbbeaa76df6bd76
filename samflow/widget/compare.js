// The page's half of TrackViewer: two strategies over the same frame with a wipe between them.

import { iconButton, listen, make } from "./dom.js";
import { drawFrame } from "./picture.js";
import { Overlay } from "./overlay.js";
import { View } from "./view.js";
import { ScorePlot } from "./scoreplot.js";
import { Timeline } from "./timeline.js";

class ComparePage {
  constructor(model, root) {
    this.model = model;
    this.info = model.get("_info");
    this.wipe = 0.5;
    this.opacity = 0.5;
    this.masks = true;
    this.asked = null;
    this.pictures = null;
    this.build(root);
    this.ignore = listen(model, { _view: () => this.takeView(), _status: () => this.takeStatus() });
    this.takeView();
    this.takeStatus();
  }

  build(root) {
    const { info } = this;
    const [height, width] = info.size;
    const single = info.titles.length < 2;
    this.view = new View(width, height);
    this.canvas = make("canvas", {
      class: "sf-canvas", width, height, tabindex: 0, role: "img", "data-testid": "samflow-compare",
      "data-ready": "0", onpointerdown: (event) => this.grab(event), onpointermove: (event) => this.drag(event),
      onpointerup: () => (this.dragging = false), onkeydown: (event) => this.key(event),
    });
    const choice = (side, title) => make(
      "select", { class: "sf-choice", "aria-label": `Strategy on the ${side}`, onchange: () => this.ask({}) },
      ...info.titles.map((each) => make("option", { value: each, selected: each === title }, each)),
    );
    const { left, right } = this.model.get("_view");
    this.left = choice("left", left);
    this.right = choice("right", right);
    this.eye = iconButton("eye", "Masks shown or hidden", () => this.toggleMasks(), { "aria-pressed": "true" });
    this.fade = make("input", {
      type: "range", min: 0, max: 1, step: 0.05, value: this.opacity, class: "sf-range", "aria-label": "Opacity of the masks",
      oninput: () => { this.opacity = Number(this.fade.value); this.paint(); },
    });
    this.wiper = make("input", {
      type: "range", min: 0, max: 1, step: 0.01, value: this.wipe, class: "sf-range sf-wiper", "aria-label": "Wipe between left and right",
      "data-testid": "samflow-wipe", oninput: () => this.setWipe(Number(this.wiper.value)),
    });
    this.slider = make("input", {
      type: "range", min: 0, max: info.frames.length - 1, step: 1, value: 0, class: "sf-range sf-slider", "aria-label": "Frame",
      "data-testid": "samflow-time", oninput: () => this.ask({ position: Number(this.slider.value) }),
    });
    this.player = make(
      "button", { type: "button", class: "sf-button sf-play", "aria-label": "Play", "aria-pressed": "false", onclick: () => this.togglePlay() },
      "▶",
    );
    this.time = make("span", { class: "sf-time sf-wide" });
    this.status = make("span", { class: "sf-status", role: "status" });
    this.divider = make("div", { class: "sf-divider", hidden: single });
    this.sides = ["left", "right"].map((side) => make("div", { class: `sf-side sf-${side}` }));
    this.stage = make("div", { class: "sf-stage" }, this.canvas, this.divider, ...this.sides);
    this.stage.style.aspectRatio = `${width} / ${height}`;
    this.stage.style.maxWidth = `calc(58vh * ${width / height})`;
    this.plot = new ScorePlot(info, this.slider, (position) => this.ask({ position }));
    this.timeline = new Timeline(info.frames.length, this.slider, (position) => this.ask({ position }));
    this.timeline.element.hidden = !info.timeline;
    if (info.timeline) this.timeline.take(info.timeline);
    const sides = make("div", { class: "sf-group" }, this.left, this.wiper, this.right);
    sides.hidden = single;
    this.root = make(
      "div", { class: "sf-prompt sf-compare" },
      make("div", { class: "sf-toolbar" }, sides, make("div", { class: "sf-group" }, this.eye, this.fade)),
      make("div", { class: "sf-desk" }, this.stage),
      make(
        "div", { class: "sf-footer" },
        make("div", { class: "sf-chooser" }, this.player, make("div", { class: "sf-track" }, this.slider), this.time),
        this.plot.element, this.timeline.element, this.status,
      ),
    );
    root.append(this.root);
  }

  dispose() {
    this.playing = false;
    this.plot.dispose();
    this.timeline.dispose();
    this.ignore();
  }

  // One request at a time: what is wanted meanwhile waits, and only the latest counts.
  ask({ position = this.wanted ?? this.shown }) {
    this.wanted = position;
    this.follow(position);
    if (this.asked !== null) return;
    this.asked = { position, left: this.left.value, right: this.right.value };
    this.model.send(this.asked);
  }

  follow(position) {
    const frame = this.info.frames[position];
    if (this.slider.value !== String(position)) this.slider.value = position;
    this.time.textContent = `frame ${frame}  ·  ${this.info.times[position].toFixed(2)} s`;
    this.plot.follow(position);
    this.timeline.follow(position);
  }

  async takeView() {
    const view = this.model.get("_view");
    const blob = new Blob([this.model.get("_image")], { type: "image/jpeg" });
    const image = await createImageBitmap(blob);
    if (view !== this.model.get("_view")) return;
    this.pictures = [image, new Overlay(this.model.get("_left")), new Overlay(this.model.get("_right"))];
    this.shown = view.position;
    this.answered();
    this.paint();
    this.nameSides(view);
    Object.assign(this.canvas.dataset, { ready: "1", frame: this.info.frames[view.position], number: view.number });
    this.canvas.setAttribute("aria-label", `Frame ${this.canvas.dataset.frame}: ${view.left} and ${view.right}`);
  }

  // Which strategy is on which side, at the picture's upper corners.
  nameSides({ left, right }) {
    this.sides[0].textContent = left;
    this.sides[1].textContent = right;
    this.sides[1].hidden = this.divider.hidden;
  }

  answered() {
    const asked = this.asked;
    this.asked = null;
    const behind = asked && (this.wanted !== asked.position || this.left.value !== asked.left || this.right.value !== asked.right);
    if (behind) this.ask({});
    else {
      this.wanted = null;
      this.follow(this.shown);
    }
  }

  takeStatus() {
    const { kind = "ready", text = "" } = this.model.get("_status");
    this.status.dataset.kind = kind;
    this.status.textContent = text;
    if (kind === "error") {
      this.asked = this.wanted = null;
      this.playing = false;
    }
  }

  paint() {
    if (!this.pictures) return;
    const [image, left, right] = this.pictures;
    const context = this.canvas.getContext("2d");
    const { width, height } = this.canvas;
    const edge = this.divider.hidden ? width : Math.round(this.wipe * width);
    const opacity = this.masks ? this.opacity : null;
    for (const [start, end, overlay] of [[0, edge, left], [edge, width, right]]) {
      context.save();
      context.beginPath();
      context.rect(start, 0, end - start, height);
      context.clip();
      drawFrame(this.canvas, this.view, image, overlay, opacity);
      context.restore();
    }
    this.divider.style.left = `${100 * this.wipe}%`;
  }

  setWipe(wipe) {
    this.wipe = Math.min(1, Math.max(0, wipe));
    this.wiper.value = this.wipe;
    this.paint();
  }

  grab(event) {
    if (event.button !== 0) return;
    this.dragging = true;
    this.canvas.setPointerCapture(event.pointerId);
    this.drag(event);
  }

  drag(event) {
    if (!this.dragging) return;
    const { left, width } = this.canvas.getBoundingClientRect();
    this.setWipe((event.clientX - left) / width);
  }

  key(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 };
    event.stopPropagation();
    if (event.key === " ") this.togglePlay();
    else if (event.key in steps) {
      const last = this.info.frames.length - 1;
      const next = (this.wanted ?? this.shown) + steps[event.key];
      this.ask({ position: Math.min(last, Math.max(0, next)) });
    } else return;
    event.preventDefault();
  }

  toggleMasks() {
    this.masks = !this.masks;
    this.eye.setAttribute("aria-pressed", String(this.masks));
    this.paint();
  }

  // Shows each frame as soon as it is there, at most as fast as the film.
  async togglePlay() {
    this.playing = !this.playing;
    if (this.running) return;
    this.running = true;
    this.player.textContent = "❚❚";
    this.player.setAttribute("aria-pressed", "true");
    while (this.playing) {
      if (this.asked === null) this.ask({ position: (this.shown + 1) % this.info.frames.length });
      await new Promise((resume) => setTimeout(resume, 1000 / this.info.fps));
    }
    this.running = false;
    this.player.textContent = "▶";
    this.player.setAttribute("aria-pressed", "false");
  }
}

function render({ model, el }) {
  const page = new ComparePage(model, el);
  return () => page.dispose();
}

export default { render };
