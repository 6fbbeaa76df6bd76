// Everything by keyboard.

import { SHARED, boxOf, listMarks, pointsOf, sameMark } from "./edits.js";
import { moveBox, tidyBox } from "./view.js";

export const TOOL_KEYS = { b: "box", f: "foreground", g: "background", h: "shared", r: "ruler", v: "pan" };
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export const HELP = [
  ["B F G H R V", "tools: box, foreground, background, shared background, ruler, pan"],
  ["1 … 9", "choose a region"],
  ["arrows", "move the cursor or the chosen prompt (Shift: by 1 px)"],
  ["Enter", "put a point; for a box: one corner, then the opposite one"],
  ["[ ]", "choose the previous or next prompt"],
  ["Delete", "delete the chosen prompt"],
  ["Esc", "let go"],
  ["Ctrl+Z, Shift+Ctrl+Z", "undo, redo"],
  ["+ − 0", "zoom in, zoom out, whole frame (or Ctrl+wheel)"],
  [", .", "previous or next frame"],
  ["P, O", "points used or not, masks shown or hidden"],
  ["right click", "background point"],
  ["Shift+drag", "a new box inside the old one"],
];

export class Keys {
  constructor(page, root) {
    this.page = page;
    root.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (this.handle(event)) event.preventDefault();
    });
  }

  // Whether the key meant something here.
  handle(event) {
    const { page } = this;
    const { target } = event;
    const typing = target.tagName === "INPUT" && ["text", "number"].includes(target.type);
    if (typing || !page.state) return false;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (event.ctrlKey || event.metaKey) return this.command(key, event.shiftKey);
    if (event.altKey) return false;
    if (target === page.canvas && this.onCanvas(event, key)) return true;
    if (target.type === "range" && key in ARROWS) return false;
    return this.anywhere(key);
  }

  command(key, shift) {
    const { page } = this;
    if (key === "z") page.actions.step(shift ? "redo" : "undo");
    else if (key === "y") page.actions.step("redo");
    else return false;
    return true;
  }

  anywhere(key) {
    const { page } = this;
    if (key in TOOL_KEYS) page.actions.setTool(TOOL_KEYS[key]);
    else if (key >= "1" && key <= "9") {
      const region = page.state.regions[Number(key) - 1];
      if (region) page.actions.selectRegion(region.id);
    } else if (key === "+" || key === "=") page.actions.zoom(1.5);
    else if (key === "-") page.actions.zoom(1 / 1.5);
    else if (key === "0") page.actions.zoom(0);
    else if (key === ",") page.link.stepFrame(-1);
    else if (key === ".") page.link.stepFrame(1);
    else if (key === "p") page.actions.togglePoints();
    else if (key === "o") page.actions.toggleMasks();
    else if (key === "[" || key === "]") this.cycle(key === "]" ? 1 : -1);
    else if (key === "Escape") this.release();
    else return false;
    return true;
  }

  onCanvas(event, key) {
    const { page } = this;
    if (key in ARROWS) this.arrow(ARROWS[key], event.shiftKey);
    else if (key === "Enter" || key === " ") this.put();
    else if (key === "Delete" || key === "Backspace") page.actions.deleteSelected();
    else return false;
    return true;
  }

  arrow([dx, dy], fine) {
    const { page } = this;
    const step = fine ? 1 : Math.max(1, Math.round(page.view.shownWidth / 64));
    if (page.ui.selected) return this.nudge(page.ui.selected, dx * step, dy * step);
    const { view } = page;
    const [x, y] = page.ui.cursor ?? [
      Math.floor(view.left + view.shownWidth / 2),
      Math.floor(view.top + view.shownHeight / 2),
    ];
    const next = [
      Math.min(view.width - 1, Math.max(0, x + dx * step)),
      Math.min(view.height - 1, Math.max(0, y + dy * step)),
    ];
    page.ui.cursor = next;
    if (page.ui.anchor) page.ui.draft = this.span(next);
    if (page.ui.ruler) page.ui.guide = [next[0] + 0.5, next[1] + 0.5];
    view.reveal(...next);
    page.announce(`${next[0]}, ${next[1]}`);
    page.tellPosition(next);
    page.redraw(true);
  }

  nudge(mark, dx, dy) {
    const { page } = this;
    if (mark.kind === "box") {
      const box = boxOf(page.state, mark.region);
      page.actions.setBox(mark.region, moveBox(box, dx, dy, page.view));
    } else {
      const [x, y] = pointsOf(page.state, mark.region)[mark.index];
      page.actions.movePoint(mark, [x + dx, y + dy]);
    }
    page.refresh();
  }

  // Box from the anchored corner to the cursor, both pixels inside.
  span([x, y]) {
    const [ax, ay] = this.page.ui.anchor;
    const sides = [Math.min(ax, x), Math.min(ay, y), Math.max(ax, x) + 1, Math.max(ay, y) + 1];
    return tidyBox(sides, this.page.view);
  }

  put() {
    const { page } = this;
    const { cursor, tool } = page.ui;
    if (!cursor) return page.announce("Move the cursor with the arrow keys first.");
    if (tool === "pan") return page.announce("Choose a tool first: B, F, G, H or R.");
    if (tool === "ruler") return page.actions.placeRulerEnd([cursor[0] + 0.5, cursor[1] + 0.5]);
    if (tool !== "box") {
      page.actions.placePoint([cursor[0] + 0.5, cursor[1] + 0.5]);
      page.actions.select(null);
      return page.announce("Point added");
    }
    if (!page.ui.anchor) {
      page.ui.anchor = cursor;
      return page.announce("Corner set. Move to the opposite corner and press Enter.");
    }
    const box = this.span(cursor);
    page.ui.anchor = page.ui.draft = null;
    page.actions.setBox(page.actions.ensureRegion(), box);
    page.announce("Box drawn");
    page.refresh();
  }

  cycle(step) {
    const { page } = this;
    const marks = listMarks(page.state);
    if (!marks.length) return;
    const current = marks.findIndex((mark) => sameMark(mark, page.ui.selected));
    const start = current < 0 && step < 0 ? 0 : current;
    const mark = marks[(start + step + marks.length) % marks.length];
    if (mark.region !== SHARED) page.actions.selectRegion(mark.region);
    page.actions.select(mark);
    page.ui.cursor = null;
    const name = page.state.regions.find((region) => region.id === mark.region)?.name ?? "shared";
    page.announce(mark.kind === "box" ? `Box of ${name}` : `Point ${mark.index + 1} of ${name}`);
    page.canvas.focus({ preventScroll: true });
    page.refresh();
  }

  release() {
    const { ui } = this.page;
    ui.anchor = ui.draft = ui.ruler = null;
    if (ui.selected) this.page.actions.select(null);
    else ui.cursor = null;
    this.page.refresh();
  }
}
