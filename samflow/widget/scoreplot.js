// Score of each strategy over the frames, with a cursor.

import { make } from "./dom.js";

// Okabe and Ito's colours, as in samflow's figures
export const COLORS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442"];
const HEIGHT = 110;
const MARGIN = { top: 6, bottom: 6 };
// a slider's thumb keeps this far off both ends
const THUMB = 8;

// Columns on a canvas below a slider where its first and its last position are.
export function sliderEnds(canvas, slider) {
  const { left } = canvas.getBoundingClientRect();
  const track = slider.getBoundingClientRect();
  return [track.left + THUMB - left, track.right - THUMB - left];
}

export class ScorePlot {
  // The cursor stands below the thumb of `slider`.
  constructor(info, slider, seek) {
    Object.assign(this, { info, slider, position: 0 });
    // the axis starts at the tenth below the lowest score, so that strategies can be told apart
    const known = Object.values(info.scores).flat().filter((value) => value != null);
    this.low = Math.min(0.9, Math.floor(10 * Math.min(1, ...known)) / 10);
    this.canvas = make("canvas", { class: "sf-plot", "aria-hidden": "true" });
    this.canvas.removeAttribute("data-lm-suppress-shortcuts");
    this.legend = make("div", { class: "sf-legend" });
    this.element = make("div", {}, this.canvas, this.legend);
    this.element.hidden = !Object.keys(info.scores).length;
    this.canvas.addEventListener("pointerdown", (event) => seek(this.positionAt(event)));
    this.canvas.addEventListener("pointermove", (event) => event.buttons & 1 && seek(this.positionAt(event)));
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.canvas);
    this.observer.observe(slider);
    // the text has the theme's colour
    this.themes = new MutationObserver(() => this.draw());
    this.themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-jp-theme-name"] });
  }

  dispose() {
    this.observer.disconnect();
    this.themes.disconnect();
  }

  get last() {
    return Math.max(1, this.info.frames.length - 1);
  }

  // Columns of the first and the last frame.
  get ends() {
    return sliderEnds(this.canvas, this.slider);
  }

  positionAt(event) {
    const [first, last] = this.ends;
    const share = (event.offsetX - first) / (last - first);
    return Math.round(Math.min(1, Math.max(0, share)) * (this.info.frames.length - 1));
  }

  follow(position) {
    this.position = position;
    if (this.element.hidden) return;
    const entries = Object.entries(this.info.scores).map(([title, values], i) => {
      const value = values[position];
      const text = `${title}  ${value == null ? "–" : value.toFixed(3)}`;
      return make("span", { style: `--sf-color: ${COLORS[i % COLORS.length]}` }, text);
    });
    this.legend.replaceChildren(make("span", { class: "sf-what" }, "mean J"), ...entries);
    this.draw();
  }

  draw() {
    const ratio = window.devicePixelRatio || 1;
    const { width } = this.canvas.getBoundingClientRect();
    if (!width) return;
    Object.assign(this.canvas, { width: width * ratio, height: HEIGHT * ratio });
    const context = this.canvas.getContext("2d");
    context.scale(ratio, ratio);
    const [first, last] = this.ends;
    const x = (i) => first + (i / this.last) * (last - first);
    const y = (value) => MARGIN.top + ((1 - value) / (1 - this.low)) * (HEIGHT - MARGIN.top - MARGIN.bottom);
    const line = (x0, y0, x1, y1) => {
      context.beginPath();
      context.moveTo(x0, y0);
      context.lineTo(x1, y1);
      context.stroke();
    };
    context.fillStyle = context.strokeStyle = getComputedStyle(this.legend).color;
    context.font = "11px system-ui, sans-serif";
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const value of [this.low, (this.low + 1) / 2, 1]) {
      context.globalAlpha = 0.25;
      line(x(0), y(value), x(this.last), y(value));
      context.globalAlpha = 1;
      context.fillText(String(Math.round(100 * value) / 100), first - 6, y(value));
    }
    Object.values(this.info.scores).forEach((values, i) => {
      context.strokeStyle = COLORS[i % COLORS.length];
      context.lineWidth = 1.75;
      context.beginPath();
      let drawn = false;
      values.forEach((value, at) => {
        if (value != null) context[drawn ? "lineTo" : "moveTo"](x(at), y(value));
        drawn = value != null;
      });
      context.stroke();
    });
    context.strokeStyle = context.fillStyle;
    context.lineWidth = 1;
    line(x(this.position), 0, x(this.position), HEIGHT);
  }
}
