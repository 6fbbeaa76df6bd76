// What the user does, whether by mouse, by key or by a button.

import { SHARED, distance, freeId, pointsOf } from "./edits.js";
import { tidyPoint } from "./view.js";

export class Actions {
  constructor(page) {
    this.page = page;
    this.ui = page.ui;
  }

  setTool(tool) {
    Object.assign(this.ui, { tool, guide: null, draft: null, anchor: null, ruler: null });
    // with the ruler in hand, Delete means the ruler
    if (tool === "ruler") this.ui.selected = null;
    this.page.refresh();
  }

  selectRegion(id) {
    if (this.ui.region === id) return;
    Object.assign(this.ui, { region: id, selected: null });
    this.page.refresh();
  }

  select(mark) {
    this.ui.selected = mark;
    if (mark && mark.region !== SHARED) this.ui.region = mark.region;
    this.page.refresh();
  }

  // The region to draw on; the first one is made when there is none.
  ensureRegion() {
    if (this.ui.region === null) this.addRegion();
    return this.ui.region;
  }

  addRegion() {
    const region = freeId(this.page.state);
    this.page.edit({ op: "add_region", region });
    if (this.ui.tool === "pan" || this.ui.tool === "shared") this.ui.tool = "box";
    this.selectRegion(region);
  }

  removeRegion(id) {
    const { page, ui } = this;
    const position = page.state.regions.findIndex((region) => region.id === id);
    page.edit({ op: "remove_region", region: id });
    const next = page.state.regions[Math.min(position, page.state.regions.length - 1)];
    if (ui.region === id || !next) ui.region = next?.id ?? null;
    page.canvas.focus({ preventScroll: true });
    page.refresh();
  }

  setBox(region, box) {
    this.page.edit({ op: "set_box", region, box });
  }

  addPoint(region, at, label) {
    const { page } = this;
    const point = tidyPoint(...at, page.view);
    page.edit({ op: "add_point", region, point, label });
    this.select({ kind: "point", region, index: pointsOf(page.state, region).length - 1 });
  }

  placePoint(at) {
    const { tool } = this.ui;
    const region = tool === "shared" ? SHARED : this.ensureRegion();
    this.addPoint(region, at, tool === "foreground" ? 1 : 0);
  }

  movePoint({ region, index }, to) {
    const { page } = this;
    const old = pointsOf(page.state, region)[index];
    page.edit({ op: "move_point", region, index, old, point: tidyPoint(...to, page.view) });
  }

  // The first end of a new ruler, or its second one; then its length is asked for.
  placeRulerEnd(at) {
    const { page, ui } = this;
    const end = tidyPoint(...at, page.view);
    if (ui.ruler?.length !== 1) ui.ruler = [end];
    else if (distance(ui.ruler[0], end) > 0) ui.ruler = [ui.ruler[0], end];
    page.refresh();
    if (ui.ruler.length === 1) return page.announce("One end set. Go to the other end.");
    page.toolbar.askLength();
    page.announce("Ruler drawn. Type its length in millimetres and press Enter.");
  }

  // The length of the ruler that is being drawn, or a new one of that which is there.
  setRulerLength(length_mm) {
    const { page, ui } = this;
    const ends = ui.ruler?.length === 2 ? ui.ruler : page.state.ruler;
    if (!ends || !(length_mm > 0)) return;
    ui.ruler = null;
    page.edit({ op: "set_ruler", ends, length_mm });
    page.announce(`${page.state.mm_per_px.toPrecision(4)} millimetres per pixel`);
    page.canvas.focus({ preventScroll: true });
  }

  deleteRuler() {
    this.ui.ruler = null;
    if (this.page.state.mm_per_px !== null) this.page.edit({ op: "set_ruler", ends: null });
    this.page.announce("Ruler deleted");
    this.page.refresh();
  }

  deleteSelected() {
    const { page, ui } = this;
    if (ui.tool === "ruler" && !ui.selected) return this.deleteRuler();
    if (!ui.selected) return;
    const { kind, region, index } = ui.selected;
    ui.selected = null;
    if (kind === "box") this.setBox(region, null);
    else page.edit({ op: "delete_point", region, index, old: pointsOf(page.state, region)[index] });
    page.announce("Prompt deleted");
  }

  clear() {
    this.ui.selected = null;
    this.page.edit({ op: "clear" });
  }

  // Undo or redo; Python alone knows the steps, and those of edits on their way to it.
  step(op) {
    const { state, link } = this.page;
    if (state[op] || link.waiting) this.page.edit({ op });
  }

  togglePoints() {
    const { page } = this;
    page.state.points = !page.state.points;
    page.link.send({ kind: "points", value: page.state.points });
    page.announce(page.state.points ? "Points on" : "Points off");
    page.refresh();
  }

  toggleMasks() {
    this.ui.masks = !this.ui.masks;
    this.page.paintFrame();
    this.page.refresh();
  }

  setOpacity(opacity) {
    Object.assign(this.ui, { opacity, masks: true });
    this.page.paintFrame();
    this.page.refresh();
  }

  // Zoom around the keyboard's cursor or the middle; 0 shows the whole frame.
  zoom(factor) {
    const { page, ui } = this;
    const { view } = page;
    if (factor) {
      const middle = [view.left + view.shownWidth / 2, view.top + view.shownHeight / 2];
      view.zoomAt(...(ui.cursor ?? middle), factor);
    } else view.fit();
    page.redraw(true);
    page.refresh();
  }
}
