// The page's half of PromptWidget: shows what Python says, applies edits at once, sends them on.

import { listen, make } from "./dom.js";
import { applyEdit, boxOf, pointsOf } from "./edits.js";
import { View } from "./view.js";
import { MarkPainter, drawFrame } from "./picture.js";
import { Overlay } from "./overlay.js";
import { Link } from "./link.js";
import { Actions } from "./actions.js";
import { Pointer } from "./pointer.js";
import { Keys } from "./keys.js";
import { RegionList } from "./regions.js";
import { Footer, Toolbar } from "./controls.js";

class PromptPage {
  constructor(model, root) {
    this.model = model;
    this.state = null;
    this.image = this.overlay = null;
    // `anchor` is the first corner of a box drawn by keys, `draft` a box that is being drawn,
    // `ruler` one or two ends of a ruler without a length
    this.ui = {
      tool: "box", region: null, selected: null, opacity: 0.45, masks: true,
      cursor: null, guide: null, anchor: null, draft: null, moved: null, ruler: null,
    };
    this.view = new View(1, 1);
    this.link = new Link(this);
    this.actions = new Actions(this);
    this.build(root);
    this.ignore = listen(model, {
      _state: () => this.takeState(),
      _image: () => this.takeImage(),
      _overlay_info: () => this.takeOverlay(),
      _status: () => this.takeStatus(),
    });
    this.takeState();
    this.takeImage();
    this.takeOverlay();
    this.takeStatus();
    this.link.send({ kind: "hello" });
  }

  build(root) {
    this.canvas = make("canvas", {
      class: "sf-canvas", tabindex: 0, role: "application", "data-testid": "samflow-canvas",
      "data-ready": "0", "data-overlay": "0", "data-seq": "0", "data-seen": "0", "data-shown": "0",
    });
    this.marks = make("canvas", { class: "sf-marks", "aria-hidden": "true" });
    this.marks.removeAttribute("data-lm-suppress-shortcuts");
    this.veil = make("div", { class: "sf-veil", hidden: true }, make("span", { class: "sf-spinner" }), make("span"));
    this.hint = make("div", { class: "sf-hint", hidden: true });
    this.stage = make("div", { class: "sf-stage" }, this.canvas, this.marks, this.veil, this.hint);
    this.toolbar = new Toolbar(this);
    this.list = new RegionList(this);
    this.footer = new Footer(this);
    this.speech = make("div", { class: "sf-speech", "aria-live": "polite" });
    this.root = make(
      "div", { class: "sf-prompt", "data-testid": "samflow-prompt" },
      this.toolbar.element,
      make("div", { class: "sf-main" }, make("div", { class: "sf-desk" }, this.stage), this.list.element),
      this.footer.element, this.speech,
    );
    root.append(this.root);
    this.painter = new MarkPainter(this.marks, this.view);
    new Pointer(this);
    new Keys(this, this.root);
    this.observer = new ResizeObserver(() => this.redraw());
    this.observer.observe(this.stage);
  }

  dispose() {
    this.ignore();
    this.link.dispose();
    this.observer.disconnect();
  }

  // What Python sends

  takeState() {
    const state = this.model.get("_state");
    if (!state?.size || !this.link.isLatest(state)) return;
    // an answer mostly says what the page did already
    if (this.state && sameState(this.state, state)) return;
    const moved = this.state && this.state.frame !== state.frame;
    this.state = structuredClone(state);
    this.fitStage(state.size);
    if (moved) Object.assign(this.ui, { selected: null, cursor: null, anchor: null, draft: null, ruler: null });
    this.settle();
    this.link.askFrame();
    this.refresh();
  }

  fitStage([height, width]) {
    if (this.canvas.width === width && this.canvas.height === height) return;
    Object.assign(this.canvas, { width, height });
    this.view.resize(width, height);
    this.stage.style.aspectRatio = `${width} / ${height}`;
    this.stage.style.maxWidth = `calc(70vh * ${width / height})`;
  }

  // Keep the chosen region and prompt valid.
  settle() {
    const { state, ui } = this;
    if (!state.regions.some((region) => region.id === ui.region)) {
      ui.region = state.regions[0]?.id ?? null;
    }
    const { selected } = ui;
    if (!selected) return;
    const there = selected.kind === "box"
      ? boxOf(state, selected.region)
      : pointsOf(state, selected.region)[selected.index];
    if (!there) ui.selected = null;
  }

  async takeImage() {
    const bytes = this.model.get("_image");
    if (!bytes?.byteLength) return;
    const image = await createImageBitmap(new Blob([bytes], { type: "image/jpeg" }));
    if (bytes !== this.model.get("_image")) return;
    this.image = image;
    this.canvas.dataset.ready = "1";
    this.canvas.dataset.frame = this.state.frame;
    this.redraw(true);
  }

  takeOverlay() {
    const info = this.model.get("_overlay_info");
    const bytes = this.model.get("_overlay");
    if (!info?.number) return;
    if (bytes?.byteLength) (this.overlay ??= new Overlay()).take(bytes);
    else this.overlay = null;
    this.paintFrame();
    Object.assign(this.canvas.dataset, { overlay: info.number, shown: info.seen[this.link.client] ?? 0 });
  }

  takeStatus() {
    const status = this.model.get("_status");
    if (!status?.kind) return;
    const encoding = status.kind === "encoding";
    this.veil.hidden = !encoding;
    this.stage.classList.toggle("sf-encoding", encoding);
    if (encoding) this.veil.lastChild.textContent = `${status.text} …`;
    this.root.dataset.status = status.kind;
    this.footer.tell(status);
  }

  // Change what is drawn: here at once, in Python as soon as it can.
  edit(edit) {
    const whole = { frame: this.state.frame, ...edit };
    this.state = applyEdit(this.state, whole);
    this.settle();
    this.link.sendEdit(whole);
    this.refresh();
  }

  // What the user sees

  announce(text) {
    this.speech.textContent = text;
  }

  tellPosition(at) {
    this.footer.position.textContent = at ? `x ${Math.floor(at[0])}  y ${Math.floor(at[1])}` : "";
  }

  refresh() {
    const { state, ui } = this;
    if (!state) return;
    this.toolbar.update(state, ui, this.view);
    this.list.update(state, ui);
    this.footer.update(state);
    this.canvas.dataset.zoom = this.view.zoom;
    this.canvas.dataset.tool = ui.tool;
    this.tellWhatToDo();
    this.redraw();
  }

  tellWhatToDo() {
    const { state, ui } = this;
    if (ui.tool === "ruler") return this.tellOfRuler();
    const [height, width] = state.size;
    this.canvas.setAttribute(
      "aria-label",
      `Frame ${state.frame}, ${width} by ${height} pixels. Arrow keys move a cursor, Enter draws.`,
    );
    const region = state.regions.find(({ id }) => id === ui.region);
    const empty = region && !region.box && !region.points.length;
    this.hint.hidden = !empty || ui.draft !== null || ui.tool === "pan" || ui.tool === "shared";
    if (!empty) return;
    const action = ui.tool === "box" ? "Drag a box around" : "Click in";
    this.hint.textContent = `${action} “${region.name}”`;
    if (ui.tool === "background") this.hint.textContent = `Click outside “${region.name}”`;
  }

  tellOfRuler() {
    const { state, ui } = this;
    const ends = ui.ruler?.length ?? 0;
    this.hint.hidden = ends === 0 && state.ruler !== null;
    const asked = ["Click one end of a known length", "Click its other end", "Type its length, in mm"];
    this.hint.textContent = asked[ends];
  }

  paintFrame() {
    const { ui } = this;
    drawFrame(this.canvas, this.view, this.image, this.overlay, ui.masks ? ui.opacity : null);
  }

  // Draw once in the next animation frame, however often this is called before.
  redraw(withFrame = false) {
    this.frameToo ||= withFrame;
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = null;
      if (this.frameToo) this.paintFrame();
      this.frameToo = false;
      if (this.state) this.painter.draw(this.state, this.ui);
    });
  }
}

// Whether two states look the same; which edits they include does not show.
function sameState(one, other) {
  return JSON.stringify({ ...one, seen: 0 }) === JSON.stringify({ ...other, seen: 0 });
}

function render({ model, el }) {
  const page = new PromptPage(model, el);
  return () => page.dispose();
}

export default { render };
