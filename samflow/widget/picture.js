// Drawing: the frame with its masks on one canvas, marks at the screen's sharpness on another.

import { SHARED, sameMark } from "./edits.js";
import { HANDLES, handlePosition } from "./view.js";
import { lineColor, textColor } from "./dom.js";
import { distance } from "./edits.js";

const RULER_COLOR = "#ffe14d";
const SHARED_COLOR = "#f4f4f5";
const FONT = "600 11px system-ui, sans-serif";

// `overlay` is an Overlay or null; an opacity of null hides it.
export function drawFrame(canvas, view, image, overlay, opacity) {
  const context = canvas.getContext("2d");
  const { left, top, shownWidth, shownHeight, width, height } = view;
  context.imageSmoothingEnabled = view.zoom < 4;
  for (const picture of [image, opacity === null ? null : overlay?.picture(opacity)]) {
    if (picture) context.drawImage(picture, left, top, shownWidth, shownHeight, 0, 0, width, height);
  }
}

export class MarkPainter {
  // `canvas` covers the frame's canvas; its size follows the screen's pixels.
  constructor(canvas, view) {
    Object.assign(this, { canvas, view });
    this.context = canvas.getContext("2d");
  }

  draw(state, ui) {
    const ratio = window.devicePixelRatio || 1;
    const rectangle = this.canvas.getBoundingClientRect();
    const [width, height] = [rectangle.width, rectangle.height].map((l) => Math.round(l * ratio));
    if (this.canvas.width !== width) this.canvas.width = width;
    if (this.canvas.height !== height) this.canvas.height = height;
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.context.clearRect(0, 0, rectangle.width, rectangle.height);
    this.width = rectangle.width;
    this.height = rectangle.height;
    // points that the masks leave out of account are faint
    this.pointAlpha = state.preview && !state.points ? 0.5 : 1;
    if (ui.guide && ui.tool === "box") this.drawGuide(ui.guide);
    const active = state.regions.filter((region) => region.id === ui.region);
    for (const region of state.regions) if (region.id !== ui.region) this.drawRegion(region, ui);
    this.drawPoints(state.shared, null, SHARED, SHARED_COLOR, ui);
    for (const region of active) this.drawRegion(region, ui);
    this.drawRuler(state, ui);
    if (ui.cursor) this.drawCursor(ui.cursor);
  }

  // The ruler that is being drawn, up to the pointer, or else the one that is there.
  drawRuler(state, ui) {
    const towards = ui.guide && [ui.guide[0] - 0.5, ui.guide[1] - 0.5];
    const ends = ui.ruler ? [ui.ruler[0], ui.ruler[1] ?? towards ?? ui.ruler[0]] : state.ruler;
    if (!ends) return;
    const [[xa, ya], [xb, yb]] = ends.map(([x, y]) => this.place(x + 0.5, y + 0.5));
    const length = Math.hypot(xb - xa, yb - ya) || 1;
    const [nx, ny] = [(6 * (ya - yb)) / length, (6 * (xb - xa)) / length];
    this.context.setLineDash([]);
    this.stroke(RULER_COLOR, 2, () => {
      this.context.beginPath();
      this.context.moveTo(xa, ya);
      this.context.lineTo(xb, yb);
      for (const [x, y] of [[xa, ya], [xb, yb]]) {
        this.context.moveTo(x - nx, y - ny);
        this.context.lineTo(x + nx, y + ny);
      }
    });
    if (ui.ruler) return;
    const text = `${Number((distance(...ends) * state.mm_per_px).toPrecision(4))} mm`;
    this.drawName({ name: text, color: RULER_COLOR }, (xa + xb) / 2 + 8, (ya + yb) / 2 - 4, true);
  }

  place(x, y) {
    return this.view.toPicture(x, y, this.width);
  }

  // A line with a dark rim, to be seen on any ground.
  stroke(color, width, path) {
    const { context } = this;
    context.strokeStyle = `rgb(0 0 0 / ${width < 2 ? 0.35 : 0.6})`;
    context.lineWidth = width + 2;
    path();
    context.stroke();
    context.strokeStyle = color;
    context.lineWidth = width;
    context.stroke();
  }

  drawRegion(region, ui) {
    const active = region.id === ui.region;
    const box = active && ui.draft ? ui.draft : region.box;
    if (box) this.drawBox(box, region, active, ui);
    this.drawPoints(region.points, region.point_labels, region.id, region.color, ui);
  }

  drawBox(box, region, active, ui) {
    const [x0, y0] = this.place(box[0], box[1]);
    const [x1, y1] = this.place(box[2], box[3]);
    const { context } = this;
    const color = lineColor(region.color);
    context.setLineDash(region.background ? [7, 5] : []);
    this.stroke(color, active ? 2 : 1.5, () => {
      context.beginPath();
      context.rect(x0, y0, x1 - x0, y1 - y0);
    });
    context.setLineDash([]);
    this.drawName(region, x0, y0, active);
    if (!active) return;
    const chosen = sameMark(ui.selected, { kind: "box", region: region.id });
    for (const handle of HANDLES) {
      const [x, y] = this.place(...handlePosition(box, handle));
      context.fillStyle = chosen ? "#fff" : color;
      context.strokeStyle = "rgb(0 0 0 / 0.75)";
      context.lineWidth = 1;
      context.beginPath();
      context.rect(x - 4, y - 4, 8, 8);
      context.fill();
      context.stroke();
    }
  }

  drawName(region, x, y, active) {
    const { context } = this;
    context.font = FONT;
    const width = context.measureText(region.name).width + 12;
    const left = Math.min(Math.max(x - 1, 2), Math.max(2, this.width - width - 2));
    const top = y >= 25 ? y - 23 : Math.max(y, 0) + 6;
    context.globalAlpha = active ? 1 : 0.75;
    context.fillStyle = region.color;
    context.beginPath();
    context.roundRect(left, top, width, 18, 5);
    context.fill();
    context.fillStyle = textColor(region.color);
    context.textBaseline = "middle";
    context.fillText(region.name, left + 6, top + 9.5);
    context.globalAlpha = 1;
  }

  drawPoints(points, labels, region, color, ui) {
    points.forEach((point, index) => {
      const mark = { kind: "point", region, index };
      const moved = ui.moved && sameMark(ui.moved.mark, mark) ? ui.moved.point : point;
      this.drawPoint(moved, labels?.[index] ?? 0, color, sameMark(ui.selected, mark));
    });
  }

  // A foreground point is a filled disc with a plus, a background one a white disc with a minus.
  drawPoint(point, label, color, chosen) {
    const { context } = this;
    const [x, y] = this.place(point[0] + 0.5, point[1] + 0.5);
    const disc = (radius) => {
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
    };
    context.globalAlpha = chosen ? 1 : this.pointAlpha;
    if (chosen) this.stroke("#fff", 2, () => disc(10.5));
    context.fillStyle = "rgb(0 0 0 / 0.7)";
    disc(7.5);
    context.fill();
    context.fillStyle = label ? "#fff" : color;
    disc(6.5);
    context.fill();
    context.fillStyle = label ? color : "#fff";
    disc(label ? 5.25 : 4.75);
    context.fill();
    context.strokeStyle = label ? textColor(color) : "#18181b";
    context.lineWidth = 1.6;
    context.beginPath();
    context.moveTo(x - 2.75, y);
    context.lineTo(x + 2.75, y);
    if (label) {
      context.moveTo(x, y - 2.75);
      context.lineTo(x, y + 2.75);
    }
    context.stroke();
    context.globalAlpha = 1;
  }

  drawGuide([x, y]) {
    const [px, py] = this.place(x, y);
    this.context.strokeStyle = "rgb(255 255 255 / 0.35)";
    this.context.lineWidth = 1;
    this.context.beginPath();
    this.context.moveTo(Math.round(px) + 0.5, 0);
    this.context.lineTo(Math.round(px) + 0.5, this.height);
    this.context.moveTo(0, Math.round(py) + 0.5);
    this.context.lineTo(this.width, Math.round(py) + 0.5);
    this.context.stroke();
  }

  drawCursor([x, y]) {
    const { context } = this;
    const [px, py] = this.place(x + 0.5, y + 0.5);
    this.stroke("#ffe14d", 1.5, () => {
      context.beginPath();
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        context.moveTo(px + 4 * dx, py + 4 * dy);
        context.lineTo(px + 14 * dx, py + 14 * dy);
      }
    });
  }
}
