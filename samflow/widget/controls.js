// Toolbar above the canvas, frame chooser and status line below it.

import { icon, iconButton, make } from "./dom.js";
import { distance } from "./edits.js";
import { HELP } from "./keys.js";

const TOOLS = [
  ["box", "Box", "Box around the region (B)"],
  ["foreground", "Foreground", "Points in the region (F)"],
  ["background", "Background", "Points outside this region (G, or right click with any tool)"],
  ["shared", "Shared", "Background points for all regions (H)"],
  ["ruler", "Ruler", "Two ends of a known length, for results in millimetres (R)"],
  ["pan", "Pan", "Move the zoomed frame (V, or middle button)"],
];

const POINTS_HELP =
  "Masks from boxes and points (P). Off: boxes alone, as in a run without --points";

function group(label, ...children) {
  return make("div", { class: "sf-group", role: "group", "aria-label": label }, ...children);
}

export class Toolbar {
  constructor(page) {
    this.tools = TOOLS.map(([tool, label, title]) =>
      make(
        "button",
        {
          type: "button", class: "sf-button sf-tool", title, "data-tool": tool,
          "aria-label": `${label}: ${title}`, onclick: () => page.actions.setTool(tool),
        },
        icon(tool), make("span", {}, label),
      ),
    );
    this.undo = iconButton("undo", "Undo (Ctrl+Z)", () => page.actions.step("undo"), { "data-testid": "samflow-undo" });
    this.redo = iconButton("redo", "Redo (Shift+Ctrl+Z)", () => page.actions.step("redo"), { "data-testid": "samflow-redo" });
    this.remove = iconButton("remove", "Delete the chosen prompt (Delete)", () => page.actions.deleteSelected(), { "data-testid": "samflow-delete" });
    this.clear = make(
      "button",
      {
        type: "button", class: "sf-button", title: "Remove all prompts of this frame",
        "data-testid": "samflow-clear", onclick: () => page.actions.clear(),
      },
      "Clear",
    );
    this.zoom = make(
      "button",
      { type: "button", class: "sf-button sf-zoom", title: "Whole frame (0)", "aria-label": "Whole frame", onclick: () => page.actions.zoom(0) },
    );
    this.points = make("input", { type: "checkbox", "data-testid": "samflow-points", onchange: () => page.actions.togglePoints() });
    this.masks = iconButton("eye", "Masks shown or hidden (O)", () => page.actions.toggleMasks(), { "data-testid": "samflow-masks" });
    this.opacity = make("input", {
      type: "range", min: 0, max: 1, step: 0.05, class: "sf-range",
      title: "Opacity of the masks", "aria-label": "Opacity of the masks",
      "data-testid": "samflow-opacity", oninput: () => page.actions.setOpacity(Number(this.opacity.value)),
    });
    this.preview = group(
      "Preview",
      make("label", { class: "sf-check", title: POINTS_HELP }, this.points, "use points"),
      this.masks, this.opacity,
    );
    this.length = make("input", {
      type: "number", class: "sf-number", min: 0, step: "any", placeholder: "length",
      "aria-label": "Length of the ruler, mm", "data-testid": "samflow-ruler",
      onchange: () => page.actions.setRulerLength(Number(this.length.value)),
      onkeydown: (event) => {
        if (event.key === "Escape") page.actions.setTool("ruler");
      },
    });
    this.ruler = group(
      "Ruler", this.length, make("span", { class: "sf-label" }, "mm"),
      iconButton("remove", "Delete the ruler (Delete)", () => page.actions.deleteRuler(), { "data-testid": "samflow-ruler-delete" }),
    );
    this.element = make(
      "div", { class: "sf-toolbar", role: "toolbar", "aria-label": "Tools" },
      group("Tool", ...this.tools),
      this.ruler,
      group("Edit", this.undo, this.redo, this.remove, this.clear),
      group(
        "Zoom",
        iconButton("minus", "Zoom out (−)", () => page.actions.zoom(1 / 1.5)),
        this.zoom,
        iconButton("plus", "Zoom in (+)", () => page.actions.zoom(1.5)),
      ),
      this.preview,
    );
  }

  askLength() {
    this.length.value = "";
    this.length.focus();
  }

  updateRuler({ ruler, mm_per_px }, ui) {
    this.ruler.hidden = ui.tool !== "ruler";
    const drawn = ui.ruler?.length === 2;
    this.length.disabled = !drawn && !ruler;
    const typing = this.length.getRootNode().activeElement === this.length;
    if (typing || drawn) return;
    this.length.value = ruler ? Number((distance(...ruler) * mm_per_px).toPrecision(6)) : "";
  }

  update(state, ui, view) {
    this.updateRuler(state, ui);
    for (const tool of this.tools) {
      tool.setAttribute("aria-pressed", String(tool.dataset.tool === ui.tool));
    }
    this.undo.disabled = !state.undo;
    this.redo.disabled = !state.redo;
    this.remove.disabled = !ui.selected && !(ui.tool === "ruler" && state.mm_per_px !== null);
    const zoom = `${Math.round(view.zoom * 100)} %`;
    if (this.zoom.textContent !== zoom) this.zoom.textContent = zoom;
    this.preview.hidden = !state.preview;
    this.points.checked = state.points;
    this.masks.setAttribute("aria-pressed", String(ui.masks));
    if (Number(this.opacity.value) !== ui.opacity) this.opacity.value = ui.opacity;
  }
}

export class Footer {
  constructor(page) {
    this.slider = make("input", {
      type: "range", class: "sf-range sf-slider", "aria-label": "Frame", "data-testid": "samflow-frame-slider",
      oninput: () => page.link.wantFrame(Number(this.slider.value)),
    });
    this.number = make("input", {
      type: "number", class: "sf-number", "aria-label": "Frame number", "data-testid": "samflow-frame",
      onchange: () => page.link.wantFrame(Number(this.number.value)),
    });
    this.time = make("span", { class: "sf-time" });
    this.marked = make("div", { class: "sf-marked" });
    this.chooser = make(
      "div", { class: "sf-chooser" },
      make("span", { class: "sf-label" }, "Frame"), this.number,
      make("div", { class: "sf-track" }, this.slider, this.marked), this.time,
    );
    this.status = make("span", { class: "sf-status", role: "status", "data-testid": "samflow-status" });
    this.position = make("span", { class: "sf-position" });
    const rows = HELP.flatMap(([keys, meaning]) => [make("dt", {}, keys), make("dd", {}, meaning)]);
    this.element = make(
      "div", { class: "sf-footer" },
      this.chooser,
      make("div", { class: "sf-statusline" }, this.status, this.position),
      make("details", { class: "sf-help" }, make("summary", {}, "Keys and mouse"), make("dl", {}, ...rows)),
    );
  }

  update(state) {
    const [first, last, step] = state.frames;
    this.chooser.hidden = first === last;
    for (const input of [this.slider, this.number]) {
      Object.assign(input, { min: first, max: last, step });
      const typing = input.getRootNode().activeElement === input && input === this.number;
      if (!typing && input.value !== String(state.frame)) input.value = state.frame;
    }
    this.time.textContent = state.time == null ? "" : `${state.time.toFixed(2)} s`;
    const share = (frame) => (first === last ? 0 : (100 * (frame - first)) / (last - first));
    this.marked.replaceChildren(
      ...state.prompted.map((frame) =>
        make("i", { style: `left: ${share(frame)}%`, title: `Prompts on frame ${frame}` }),
      ),
    );
  }

  tell({ kind, text }) {
    this.status.dataset.kind = kind;
    if (this.status.textContent !== text) this.status.textContent = text;
  }
}
