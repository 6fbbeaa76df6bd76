// Mouse, pen and touch on the canvas.

import { SHARED, boxOf, listMarks, pointsOf, sameMark } from "./edits.js";
import { HANDLES, handlePosition, moveBox, resizeBox, tidyBox, tidyPoint } from "./view.js";

// CSS pixels: how near counts as on it, and how far counts as a drag
const REACH = 6;
const DRAG = 3;

export class Pointer {
  constructor(page) {
    this.page = page;
    this.drag = null;
    const { canvas } = page;
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.up(event));
    canvas.addEventListener("pointercancel", () => this.cancel());
    canvas.addEventListener("pointerleave", () => this.hover(null));
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("contextmenu", (event) => {
      event.preventDefault();
      event.stopPropagation();
    });
  }

  position(event) {
    return this.page.view.fromPage(event, this.page.canvas.getBoundingClientRect());
  }

  // Distance on the page, CSS px, between two positions in the frame.
  distance(one, other) {
    const scale = this.page.canvas.getBoundingClientRect().width / this.page.view.shownWidth;
    return Math.hypot(one[0] - other[0], one[1] - other[1]) * scale;
  }

  down(event) {
    const { page } = this;
    page.canvas.focus({ preventScroll: true });
    if (!page.state || this.drag) return;
    event.preventDefault();
    page.ui.cursor = null;
    const at = this.position(event);
    if (event.button === 2) return page.actions.addPoint(page.actions.ensureRegion(), at, 0);
    const action = event.button === 1 || page.ui.tool === "pan" ? this.panning() : this.grab(at, event);
    this.drag = { ...action, start: at, client: [event.clientX, event.clientY], moved: false };
    page.canvas.setPointerCapture(event.pointerId);
    page.refresh();
  }

  panning() {
    const { view } = this.page;
    return { kind: "pan", left: view.left, top: view.top };
  }

  // What a press at a place takes hold of: a point, a handle, a box, or nothing yet.
  grab(at, event) {
    const { page } = this;
    const { state, ui } = page;
    if (ui.tool === "ruler") return { kind: "ruler" };
    const point = this.pointAt(at);
    if (point) {
      page.actions.select(point);
      const old = pointsOf(state, point.region)[point.index];
      return { kind: "point", mark: point, old };
    }
    const box = boxOf(state, ui.region);
    const handle = box && this.handleAt(at, box);
    if (handle) return { kind: "resize", box, handle };
    if (ui.tool !== "box") return { kind: "place" };
    const inside = box && at[0] >= box[0] && at[0] < box[2] && at[1] >= box[1] && at[1] < box[3];
    return inside && !event.shiftKey ? { kind: "move", box } : { kind: "draw" };
  }

  pointAt(at) {
    const { state, ui } = this.page;
    const points = listMarks(state).filter((mark) => mark.kind === "point");
    points.sort((a, b) => (b.region === ui.region) - (a.region === ui.region));
    return points.find((mark) => {
      const [x, y] = pointsOf(state, mark.region)[mark.index];
      return this.distance(at, [x + 0.5, y + 0.5]) <= REACH;
    });
  }

  handleAt(at, box) {
    return HANDLES.find((handle) => this.distance(at, handlePosition(box, handle)) <= REACH);
  }

  move(event) {
    const at = this.position(event);
    const { drag, page } = this;
    if (!drag) return this.hover(at, event);
    const [dx, dy] = [event.clientX - drag.client[0], event.clientY - drag.client[1]];
    drag.moved ||= Math.hypot(dx, dy) >= DRAG;
    if (!drag.moved) return;
    if (drag.kind === "pan") {
      const scale = page.view.shownWidth / page.canvas.getBoundingClientRect().width;
      page.view.moveTo(drag.left - dx * scale, drag.top - dy * scale);
    } else if (drag.kind === "point") {
      page.ui.moved = { mark: drag.mark, point: tidyPoint(...at, page.view) };
    } else if (drag.kind === "ruler") {
      // a drag goes from end to end; so do two clicks
      page.ui.guide = at;
      if (page.ui.ruler?.length !== 1) page.ui.ruler = [tidyPoint(...drag.start, page.view)];
    } else page.ui.draft = this.draftBox(drag, at);
    page.tellPosition(at);
    page.redraw(drag.kind === "pan");
  }

  draftBox(drag, at) {
    const { view } = this.page;
    if (drag.kind === "resize") return resizeBox(drag.box, drag.handle, ...at, view);
    if (drag.kind === "move") {
      return moveBox(drag.box, at[0] - drag.start[0], at[1] - drag.start[1], view);
    }
    return drag.kind === "draw" ? tidyBox([...drag.start, ...at], view) : null;
  }

  up(event) {
    const { drag, page } = this;
    if (!drag) return;
    if (drag.kind !== "pan") this.move(event);
    this.drag = null;
    const { draft, moved } = page.ui;
    page.ui.draft = page.ui.moved = null;
    if (drag.kind === "ruler") page.actions.placeRulerEnd(this.position(event));
    else if (drag.kind === "place" || (!drag.moved && drag.kind === "resize" && page.ui.tool !== "box")) {
      page.actions.placePoint(this.position(event));
    } else if (draft && drag.moved) {
      const region = page.actions.ensureRegion();
      page.actions.setBox(region, draft);
      page.actions.select({ kind: "box", region });
    } else if (moved && drag.moved) {
      page.actions.movePoint(drag.mark, moved.point);
    } else if (["draw", "move", "resize"].includes(drag.kind)) this.choose(drag.start);
    page.refresh();
  }

  // A click with the box tool chooses the box under it: the active one, or else the smallest.
  choose(at) {
    const { page } = this;
    const hits = page.state.regions.filter(
      ({ box }) => box && at[0] >= box[0] && at[0] < box[2] && at[1] >= box[1] && at[1] < box[3],
    );
    const area = ({ box }) => (box[2] - box[0]) * (box[3] - box[1]);
    hits.sort((a, b) => area(a) - area(b));
    if (!hits.length) return page.actions.select(null);
    // a second click on the same place goes on to the box beneath
    const current = hits.findIndex((region) =>
      sameMark(page.ui.selected, { kind: "box", region: region.id }),
    );
    const chosen = hits[(current + 1) % hits.length];
    page.actions.selectRegion(chosen.id);
    page.actions.select({ kind: "box", region: chosen.id });
  }

  cancel() {
    this.drag = null;
    this.page.ui.draft = this.page.ui.moved = this.page.ui.ruler = null;
    this.page.redraw();
  }

  hover(at, event) {
    const { page } = this;
    page.ui.guide = at && ["box", "ruler"].includes(page.ui.tool) ? at : null;
    page.tellPosition(at);
    if (at && page.state) page.canvas.style.cursor = this.cursorAt(at, event);
    page.redraw();
  }

  cursorAt(at, event) {
    const { state, ui } = this.page;
    if (ui.tool === "pan") return "grab";
    if (ui.tool === "ruler") return "crosshair";
    if (this.pointAt(at)) return "move";
    const box = boxOf(state, ui.region);
    const handle = box && this.handleAt(at, box);
    if (handle) return handle[2];
    return ui.tool === "box" && this.grab(at, event).kind === "move" ? "move" : "crosshair";
  }

  wheel(event) {
    // without a modifier the wheel scrolls the notebook; pinching arrives with ctrlKey set
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    this.page.view.zoomAt(...this.position(event), Math.exp(-event.deltaY * 0.0025));
    this.page.redraw(true);
    this.page.refresh();
  }
}
