// The page's half of PromptWidget: shows what Python says, applies edits at once, sends them on.

import { make } from "./dom.js";
import { SHARED, applyEdit, boxOf, freeId, pointsOf } from "./edits.js";
import { View, tidyPoint } from "./view.js";
import { MarkPainter, drawFrame } from "./picture.js";
import { Pointer } from "./pointer.js";
import { Keys } from "./keys.js";
import { RegionList } from "./regions.js";
import { Footer, Toolbar } from "./controls.js";

// after this long without an answer the kernel is busy with something else
const BUSY_MS = 1200;

class PromptPage {
  constructor(model, root) {
    this.model = model;
    this.client = crypto.randomUUID?.() ?? String(Math.random());
    this.seq = 0;
    this.state = null;
    this.image = this.overlay = this.asked = this.wanted = null;
    this.ui = {
      tool: "box", region: null, selected: null, opacity: 0.45, masks: true,
      cursor: null, guide: null, draft: null, moved: null,
    };
    this.view = new View(1, 1);
    this.build(root);
    this.listen();
    this.takeState();
    this.takeImage();
    this.takeOverlay();
    this.takeStatus();
    this.send({ kind: "hello" });
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
    this.keys = new Keys(this, this.root);
    this.observer = new ResizeObserver(() => this.redraw());
    this.observer.observe(this.stage);
  }

  listen() {
    this.handlers = [
      ["change:_state", () => this.takeState()],
      ["change:_image", () => this.takeImage()],
      ["change:_overlay_info", () => this.takeOverlay()],
      ["change:_status", () => this.takeStatus()],
    ];
    for (const [name, handler] of this.handlers) this.model.on(name, handler);
  }

  dispose() {
    for (const [name, handler] of this.handlers) this.model.off(name, handler);
    clearTimeout(this.busyTimer);
    this.observer.disconnect();
  }

  // What Python sends

  takeState() {
    const state = this.model.get("_state");
    if (!state?.size) return;
    const seen = state.seen[this.client] ?? 0;
    this.canvas.dataset.seen = seen;
    this.markBusy(seen);
    // older than what is shown here: an answer that includes the latest edits is on its way
    if (seen < this.seq) return;
    const moved = this.state && this.state.frame !== state.frame;
    this.state = structuredClone(state);
    const [height, width] = state.size;
    this.fitStage(width, height);
    if (moved) Object.assign(this.ui, { selected: null, cursor: null, draft: null });
    this.settle();
    this.askFrame();
    this.refresh();
  }

  fitStage(width, height) {
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

  async takeOverlay() {
    const info = this.model.get("_overlay_info");
    const bytes = this.model.get("_overlay");
    if (!info?.number) return;
    const overlay = bytes?.byteLength
      ? await createImageBitmap(new Blob([bytes], { type: "image/png" }))
      : null;
    if (info !== this.model.get("_overlay_info")) return;
    this.overlay = overlay;
    this.paintFrame();
    Object.assign(this.canvas.dataset, { overlay: info.number, shown: info.seen[this.client] ?? 0 });
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

  // What the page sends

  send(message) {
    try {
      this.model.send({ client: this.client, ...message });
    } catch (error) {
      const text = `The kernel can't be reached (${error.message}): run the cell again.`;
      this.footer.tell({ kind: "error", text });
    }
  }

  edit(edit) {
    this.seq += 1;
    this.canvas.dataset.seq = this.seq;
    const whole = { frame: this.state.frame, ...edit };
    this.state = applyEdit(this.state, whole);
    this.settle();
    this.send({ kind: "edit", seq: this.seq, ...whole });
    this.markBusy(Number(this.canvas.dataset.seen));
    this.refresh();
  }

  step(op) {
    if (this.state[op] || this.seq > Number(this.canvas.dataset.seen)) this.edit({ op });
  }

  markBusy(seen) {
    clearTimeout(this.busyTimer);
    if (seen >= this.seq) {
      if (this.root.dataset.status === "busy") this.takeStatus();
      return;
    }
    this.busyTimer = setTimeout(() => {
      const waiting = this.seq - Number(this.canvas.dataset.seen);
      const edits = waiting === 1 ? "1 edit waits" : `${waiting} edits wait`;
      this.root.dataset.status = "busy";
      this.footer.tell({ kind: "busy", text: `The kernel is busy: ${edits} for it.` });
    }, BUSY_MS);
  }

  // One request for a frame at a time: a slider moves faster than frames are decoded.
  wantFrame(frame) {
    const [first, last, step] = this.state.frames;
    if (!Number.isFinite(frame)) return;
    const near = first + Math.round((frame - first) / step) * step;
    this.wanted = Math.min(last, Math.max(first, near));
    this.askFrame();
  }

  askFrame() {
    if (this.asked === this.state.frame) this.asked = null;
    if (this.wanted === this.state.frame) this.wanted = null;
    if (this.asked !== null || this.wanted === null) return;
    this.asked = this.wanted;
    this.send({ kind: "frame", frame: this.wanted });
    // a frame that can't be read is never shown
    setTimeout(() => (this.asked = null), BUSY_MS);
  }

  stepFrame(direction) {
    this.wantFrame((this.wanted ?? this.state.frame) + direction * this.state.frames[2]);
  }

  // What the user does

  setTool(tool) {
    Object.assign(this.ui, { tool, guide: null });
    this.keys.anchor = this.ui.draft = null;
    this.refresh();
  }

  selectRegion(id) {
    if (this.ui.region === id) return;
    Object.assign(this.ui, { region: id, selected: null });
    this.refresh();
  }

  select(mark) {
    this.ui.selected = mark;
    if (mark && mark.region !== SHARED) this.ui.region = mark.region;
    this.refresh();
  }

  // The region to draw on; the first one is made when there is none.
  ensureRegion() {
    if (this.ui.region === null) this.addRegion();
    return this.ui.region;
  }

  addRegion() {
    const region = freeId(this.state);
    this.edit({ op: "add_region", region });
    if (this.ui.tool === "pan" || this.ui.tool === "shared") this.ui.tool = "box";
    this.selectRegion(region);
  }

  removeRegion(id) {
    const position = this.state.regions.findIndex((region) => region.id === id);
    this.edit({ op: "remove_region", region: id });
    const next = this.state.regions[Math.min(position, this.state.regions.length - 1)];
    if (this.ui.region === id || !next) this.ui.region = next?.id ?? null;
    this.canvas.focus({ preventScroll: true });
    this.refresh();
  }

  addPoint(region, at, label) {
    const point = tidyPoint(...at, this.view);
    this.edit({ op: "add_point", region, point, label });
    this.select({ kind: "point", region, index: pointsOf(this.state, region).length - 1 });
  }

  placePoint(at) {
    const { tool } = this.ui;
    const region = tool === "shared" ? SHARED : this.ensureRegion();
    this.addPoint(region, at, tool === "foreground" ? 1 : 0);
  }

  movePoint({ region, index }, point) {
    const old = pointsOf(this.state, region)[index];
    const target = tidyPoint(...point, this.view);
    this.edit({ op: "move_point", region, index, old, point: target });
  }

  deleteSelected() {
    const { selected } = this.ui;
    if (!selected) return;
    const { kind, region, index } = selected;
    this.ui.selected = null;
    if (kind === "box") this.edit({ op: "set_box", region, box: null });
    else this.edit({ op: "delete_point", region, index, old: pointsOf(this.state, region)[index] });
    this.announce("Prompt deleted");
  }

  clear() {
    this.ui.selected = null;
    this.edit({ op: "clear" });
  }

  togglePoints() {
    this.state.points = !this.state.points;
    this.send({ kind: "points", value: this.state.points });
    this.refresh();
  }

  toggleMasks() {
    this.ui.masks = !this.ui.masks;
    this.paintFrame();
    this.refresh();
  }

  setOpacity(opacity) {
    Object.assign(this.ui, { opacity, masks: true });
    this.paintFrame();
    this.refresh();
  }

  zoom(factor) {
    const { view } = this;
    if (factor) {
      const middle = [view.left + view.shownWidth / 2, view.top + view.shownHeight / 2];
      view.zoomAt(...(this.ui.cursor ?? middle), factor);
    } else view.fit();
    this.redraw(true);
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

function render({ model, el }) {
  const page = new PromptPage(model, el);
  return () => page.dispose();
}

export default { render };
