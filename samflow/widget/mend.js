// The page's half of MendWidget: paint the right masks of a frame, and let the others follow.

import { listen, make } from "./dom.js";
import { PaintedLabels } from "./paint.js";
import { drawFrame } from "./picture.js";
import { Timeline } from "./timeline.js";
import { View } from "./view.js";

// Radii of the brush, px: of one pixel alone, and in steps of 1
const [SMALLEST, LARGEST] = [0.5, 80.5];

class MendPage {
  constructor(model, root) {
    this.model = model;
    this.info = model.get("_info");
    const [height, width] = this.info.size;
    this.view = new View(width, height);
    this.painted = new PaintedLabels(width, height, this.info.regions);
    this.old = new PaintedLabels(width, height, this.info.regions);
    Object.assign(this, { erasing: false, radius: 6.5, last: null, cursor: null, strokes: 0 });
    this.build(root, width, height);
    this.ignore = listen(model, {
      _view: () => this.takeView(), _timeline: () => this.timeline.take(model.get("_timeline")), _status: () => this.takeStatus(),
    });
    this.timeline.take(model.get("_timeline"));
    this.takeView();
    this.takeStatus();
  }

  build(root, width, height) {
    const button = (text, label, action, more = {}) =>
      make("button", { type: "button", class: "sf-button sf-word", title: label, "aria-label": label, onclick: action, ...more }, text);
    const range = (label, most, value, step, action) =>
      make("input", { type: "range", class: "sf-range", min: 0, max: most, step, value, "aria-label": label, oninput: action });
    const choice = (label, entries, action) =>
      make("select", { class: "sf-choice", "aria-label": label, onchange: action }, ...entries.map(([value, text]) => make("option", { value }, text)));
    this.canvas = make("canvas", {
      class: "sf-canvas", width, height, tabindex: 0, role: "application", "data-testid": "samflow-mend", "data-ready": "0", "data-strokes": "0",
      onpointerdown: (event) => this.down(event), onpointermove: (event) => this.move(event), onpointerup: () => this.up(),
      onpointercancel: () => this.up(), onkeydown: (event) => this.key(event),
    });
    this.ring = make("div", { class: "sf-ring", hidden: true });
    this.stage = make("div", { class: "sf-stage" }, this.canvas, this.ring);
    this.stage.style.aspectRatio = `${width} / ${height}`;
    this.stage.style.maxWidth = `calc(50vh * ${width / height})`;
    this.strategy = choice("Strategy", this.info.strategies.map((name) => [name, name]), () => this.show(this.frame));
    this.region = choice("Region to paint", this.info.regions.map(({ id, name }) => [id, `${id}  ${name}`]), () => this.canvas.focus());
    this.brush = button("Brush", "Brush (B)", () => this.setTool(false), { "aria-pressed": "true" });
    this.eraser = button("Eraser", "Eraser (E)", () => this.setTool(true), { "aria-pressed": "false" });
    this.size = make("input", {
      type: "range", class: "sf-range", min: SMALLEST, max: LARGEST, step: 1, value: this.radius, "aria-label": "Radius of the brush, pixels ([ and ])",
      oninput: () => this.setRadius(Number(this.size.value)),
    });
    this.fade = range("Opacity of the masks", 1, 0.5, 0.05, () => this.paint());
    this.wipe = range("Before, from the left", 1, 0.5, 0.01, () => this.paint());
    this.wipe.dataset.testid = "samflow-before";
    this.before = make("label", { class: "sf-group", hidden: true }, "before", this.wipe, "after");
    this.slider = make("input", {
      type: "range", min: 0, max: this.info.frames - 1, step: 1, value: 0, class: "sf-range sf-slider", "aria-label": "Frame",
      oninput: () => this.show(Number(this.slider.value)),
    });
    this.time = make("span", { class: "sf-time" });
    this.status = make("span", { class: "sf-status", role: "status" });
    this.timeline = new Timeline(this.info.frames, this.slider, (frame) => this.show(frame));
    const ask = (kind) => () => this.send({ kind, frame: this.frame });
    this.go = button("Carry on", "Correct this frame and let the others follow", ask("mend"), { class: "sf-button sf-word sf-main-action", "data-testid": "samflow-carry-on" });
    this.takeBack = button("Take back", "Take the correction of this frame back", ask("take_back"), { "data-testid": "samflow-take-back" });
    this.suggest = button("Suggest", "Mark the frames whose correction helps most", ask("suggest"), { "data-testid": "samflow-suggest" });
    this.root = make(
      "div", { class: "sf-prompt sf-mend" },
      make(
        "div", { class: "sf-toolbar" },
        make("div", { class: "sf-group" }, this.strategy, this.region),
        make("div", { class: "sf-group" }, this.brush, this.eraser, make("label", { class: "sf-check" }, "size", this.size), button("Undo", "Undo (Ctrl+Z)", () => this.undo())),
        make("label", { class: "sf-check" }, "masks", this.fade),
        make("div", { class: "sf-group" }, this.suggest, this.takeBack, this.go),
      ),
      make("div", { class: "sf-desk" }, this.stage),
      make(
        "div", { class: "sf-footer" },
        make("div", { class: "sf-statusline" }, this.status, this.before, this.time),
        this.slider, this.timeline.element,
      ),
    );
    root.append(this.root);
  }

  dispose() {
    this.timeline.dispose();
    this.ignore();
  }

  send(message, buffers) {
    this.model.send({ strategy: this.strategy.value, ...message }, undefined, buffers);
  }

  show(frame) {
    this.send({ kind: "show", frame: Math.min(this.info.frames - 1, Math.max(0, frame)) });
  }

  async takeView() {
    const view = this.model.get("_view");
    const image = await createImageBitmap(new Blob([this.model.get("_image")], { type: "image/jpeg" }));
    if (view !== this.model.get("_view")) return;
    this.image = image;
    this.frame = view.frame;
    this.painted.take(bytesOf(this.model.get("_labels")));
    const old = bytesOf(this.model.get("_old"));
    this.before.hidden = !old.length;
    if (old.length) this.old.take(old);
    this.slider.value = view.frame;
    this.strategy.value = view.strategy;
    this.takeBack.disabled = !view.corrected;
    this.time.textContent = `frame ${view.frame}  ·  ${view.time.toFixed(2)} s`;
    this.timeline.follow(view.frame);
    this.paint();
    this.canvas.setAttribute("aria-label", `Frame ${view.frame}. Arrow keys move the brush, Enter paints, B and E choose brush and eraser.`);
    Object.assign(this.canvas.dataset, { ready: "1", frame: view.frame, number: view.number });
  }

  takeStatus() {
    const { kind = "ready", text = "" } = this.model.get("_status");
    this.root.dataset.status = this.status.dataset.kind = kind;
    this.status.textContent = text;
    for (const each of [this.go, this.suggest]) each.disabled = kind === "busy";
  }

  paint() {
    if (!this.image) return;
    const opacity = Number(this.fade.value);
    drawFrame(this.canvas, this.view, this.image, this.painted, opacity);
    if (this.before.hidden) return;
    const edge = Math.round(Number(this.wipe.value) * this.canvas.width);
    const context = this.canvas.getContext("2d");
    context.save();
    context.beginPath();
    context.rect(0, 0, edge, this.canvas.height);
    context.clip();
    drawFrame(this.canvas, this.view, this.image, this.old, opacity);
    context.restore();
    context.fillStyle = "#fff";
    context.fillRect(edge - 1, 0, 2, this.canvas.height);
  }

  setTool(erasing) {
    this.erasing = erasing;
    this.brush.setAttribute("aria-pressed", String(!erasing));
    this.eraser.setAttribute("aria-pressed", String(erasing));
    this.canvas.focus();
  }

  setRadius(radius) {
    this.radius = Math.min(LARGEST, Math.max(SMALLEST, radius));
    this.size.value = this.radius;
    if (this.cursor) this.showRing(this.cursor);
  }

  // Where the brush is and how large, over the picture.
  showRing([x, y]) {
    const scale = this.canvas.getBoundingClientRect().width / this.canvas.width;
    this.ring.hidden = false;
    Object.assign(this.ring.style, {
      left: `${x * scale}px`, top: `${y * scale}px`, width: `${2 * this.radius * scale}px`, height: `${2 * this.radius * scale}px`,
    });
  }

  at(event) {
    return this.view.fromPage(event, this.canvas.getBoundingClientRect());
  }

  // What is painted on must be seen: the picture of before gives way.
  down(event) {
    if (event.button !== 0 || !this.image) return;
    event.preventDefault();
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    this.begin(this.at(event));
  }

  begin(at) {
    if (!this.before.hidden) this.wipe.value = 0;
    this.painted.beginStroke();
    this.last = at;
    this.dab(at);
  }

  move(event) {
    this.cursor = this.at(event);
    this.showRing(this.cursor);
    if (this.last) this.dab(this.cursor);
  }

  dab(at) {
    this.painted.stroke(this.last, at, this.radius, this.erasing ? 0 : Number(this.region.value));
    this.last = at;
    this.paint();
  }

  up() {
    if (!this.last) return;
    this.last = null;
    this.sendLabels();
  }

  sendLabels() {
    this.strokes += 1;
    this.canvas.dataset.strokes = this.strokes;
    this.send({ kind: "paint", frame: this.frame }, [this.painted.labels.slice().buffer]);
  }

  undo() {
    if (!this.painted.undo()) return;
    this.paint();
    this.sendLabels();
  }

  key(event) {
    event.stopPropagation();
    const step = event.shiftKey ? 10 : 1;
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    const pages = { PageUp: -1, PageDown: 1 };
    const tools = { b: () => this.setTool(false), e: () => this.setTool(true), "[": () => this.setRadius(this.radius - 1), "]": () => this.setRadius(this.radius + 1) };
    if (event.key in moves) {
      const [x, y] = this.cursor ?? [this.canvas.width / 2, this.canvas.height / 2];
      const [dx, dy] = moves[event.key];
      this.cursor = [Math.min(this.canvas.width - 0.5, Math.max(0.5, x + dx)), Math.min(this.canvas.height - 0.5, Math.max(0.5, y + dy))];
      this.showRing(this.cursor);
    } else if (event.key in pages) this.show(this.frame + pages[event.key]);
    else if (["Enter", " "].includes(event.key) && this.cursor) {
      this.begin(this.cursor);
      this.up();
    } else if (event.key === "z" && (event.ctrlKey || event.metaKey)) this.undo();
    else if (this.info.regions.some(({ id }) => String(id) === event.key)) this.region.value = event.key;
    else if (event.key in tools && !event.ctrlKey && !event.metaKey) tools[event.key]();
    else return;
    event.preventDefault();
  }
}

function bytesOf(view) {
  return view?.byteLength ? new Uint8Array(view.buffer, view.byteOffset, view.byteLength) : new Uint8Array(0);
}

function render({ model, el }) {
  const page = new MendPage(model, el);
  return () => page.dispose();
}

export default { render };
