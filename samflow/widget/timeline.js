// The clip from left to right: each strategy's drift, corrected frames and suggested ones.

import { make } from "./dom.js";
import { COLORS, sliderEnds } from "./scoreplot.js";

const PLOT_HEIGHT = 96;
const MARKS_HEIGHT = 18;

export class Timeline {
  // The cursor stands below the thumb of `slider`.
  constructor(frames, slider, seek) {
    Object.assign(this, { frames, slider });
    this.frame = 0;
    this.data = { drift: {}, corrected: [], suggested: [] };
    this.top = 1;
    this.canvas = make("canvas", { class: "sf-timeline", role: "img", "data-testid": "samflow-timeline" });
    this.canvas.removeAttribute("data-lm-suppress-shortcuts");
    this.legend = make("div", { class: "sf-legend" });
    this.element = make("div", {}, this.canvas, this.legend);
    this.canvas.addEventListener("pointerdown", (event) => seek(this.frameAt(event)));
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.canvas);
    this.observer.observe(slider);
  }

  dispose() {
    this.observer.disconnect();
  }

  // The frame under a click; a mark near by counts as hit.
  frameAt(event) {
    const [first, last] = sliderEnds(this.canvas, this.slider);
    const share = (event.offsetX - first) / (last - first);
    const frame = Math.round(Math.min(1, Math.max(0, share)) * (this.frames - 1));
    const near = (5 * (this.frames - 1)) / (last - first);
    const marks = [...this.data.corrected, ...this.data.suggested];
    const hit = marks.filter((mark) => Math.abs(mark - frame) <= near);
    if (event.offsetY < PLOT_HEIGHT || !hit.length) return frame;
    return hit.reduce((a, b) => (Math.abs(b - frame) < Math.abs(a - frame) ? b : a));
  }

  take(data) {
    this.data = data;
    // up to the tenth above the largest drift, so that small ones can be told apart
    this.top = Math.min(1, Math.max(0.1, Math.ceil(10 * Math.max(0, ...Object.values(data.drift).flat())) / 10));
    const lines = Object.keys(data.drift).map((title, i) =>
      make("span", { style: `--sf-color: ${COLORS[i % COLORS.length]}` }, title));
    const what = make("span", { class: "sf-what" }, "◆ corrected    ▽ suggested");
    this.legend.replaceChildren(what, ...lines);
    const said = (name) => `${name}: ${data[name].join(", ") || "none"}`;
    this.canvas.setAttribute("aria-label", `Drift over the frames; ${said("corrected")}; ${said("suggested")}`);
    this.draw();
  }

  follow(frame) {
    this.frame = frame;
    this.draw();
  }

  draw() {
    const ratio = window.devicePixelRatio || 1;
    const { width } = this.canvas.getBoundingClientRect();
    if (!width) return;
    Object.assign(this.canvas, { width: width * ratio, height: (PLOT_HEIGHT + MARKS_HEIGHT) * ratio });
    const context = this.canvas.getContext("2d");
    context.scale(ratio, ratio);
    const [first, last] = sliderEnds(this.canvas, this.slider);
    const x = (frame) => first + (frame / Math.max(1, this.frames - 1)) * (last - first);
    const y = (drift) => 4 + (1 - Math.min(1, drift / this.top)) * (PLOT_HEIGHT - 8);
    const text = getComputedStyle(this.legend).color;
    context.strokeStyle = context.fillStyle = text;
    context.globalAlpha = 0.25;
    context.strokeRect(first, 4, last - first, PLOT_HEIGHT - 8);
    context.globalAlpha = 1;
    context.font = "11px system-ui, sans-serif";
    context.textBaseline = "top";
    context.fillText(`drift ${this.top}`, first + 5, 7);
    Object.values(this.data.drift).forEach((values, i) => {
      context.strokeStyle = COLORS[i % COLORS.length];
      context.lineWidth = 1.75;
      context.beginPath();
      values.forEach((value, frame) => context[frame ? "lineTo" : "moveTo"](x(frame), y(value)));
      context.stroke();
    });
    context.strokeStyle = text;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(x(this.frame), 0);
    context.lineTo(x(this.frame), PLOT_HEIGHT + MARKS_HEIGHT);
    context.stroke();
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.font = "13px system-ui, sans-serif";
    const low = PLOT_HEIGHT + MARKS_HEIGHT / 2;
    for (const frame of this.data.suggested) context.fillText("▽", x(frame), low);
    for (const frame of this.data.corrected) context.fillText("◆", x(frame), low);
  }
}
