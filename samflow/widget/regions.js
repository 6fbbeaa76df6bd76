// The list of regions beside the canvas.

import { icon, iconButton, make } from "./dom.js";

export class RegionList {
  constructor(page) {
    this.page = page;
    this.rows = new Map();
    this.list = make("ul", { class: "sf-regions", "aria-label": "Regions" });
    const add = make(
      "button",
      { class: "sf-add", type: "button", "data-testid": "samflow-add-region", onclick: () => page.actions.addRegion() },
      icon("plus"), "Add region",
    );
    this.shared = make("p", { class: "sf-shared" });
    this.element = make(
      "section", { class: "sf-panel", "aria-label": "Regions and their prompts" },
      make("h3", { class: "sf-title" }, "Regions"), this.list, add, this.shared,
    );
  }

  // Rows are kept and changed in place, so that the keyboard focus stays where it is.
  update(state, ui) {
    const focused = this.list.getRootNode().activeElement;
    const ids = new Set(state.regions.map((region) => region.id));
    for (const [id, row] of this.rows) {
      if (ids.has(id)) continue;
      row.element.remove();
      this.rows.delete(id);
    }
    state.regions.forEach((region, position) => {
      if (!this.rows.has(region.id)) this.rows.set(region.id, new RegionRow(this.page, region.id));
      const row = this.rows.get(region.id);
      const there = this.list.children[position];
      if (there !== row.element) this.list.insertBefore(row.element, there ?? null);
      row.update(region, { active: region.id === ui.region, position, count: state.regions.length });
    });
    // a row that moved has lost the focus on the way; one that went away hands it to the canvas
    if (focused && this.list.contains(focused)) focused.focus({ preventScroll: true });
    const count = state.shared.length;
    this.shared.textContent = count
      ? `${count} shared background point${count > 1 ? "s" : ""}`
      : "";
  }
}

class RegionRow {
  constructor(page, id) {
    this.page = page;
    this.id = id;
    const edit = (op, values) => page.edit({ op, region: id, ...values });
    this.color = make("input", {
      type: "color", class: "sf-color",
      onchange: () => edit("recolor_region", { color: this.color.value }),
    });
    this.name = make("input", {
      type: "text", class: "sf-name", maxlength: 60, spellcheck: "false",
      onfocus: () => page.actions.selectRegion(id),
      onchange: () => this.rename(),
      onkeydown: (event) => {
        if (event.key === "Enter") page.canvas.focus({ preventScroll: true });
        if (event.key === "Escape") this.name.value = this.region.name;
      },
    });
    this.counts = make("button", {
      type: "button", class: "sf-counts", title: "Choose this region",
      onclick: () => page.actions.selectRegion(id),
    });
    this.background = make("input", {
      type: "checkbox", onchange: () => edit("set_background", { value: this.background.checked }),
    });
    const small = { class: "sf-small" };
    this.up = iconButton("up", "Move up", () => this.move(-1), small);
    this.down = iconButton("down", "Move down", () => this.move(1), small);
    this.remove = iconButton("remove", "Remove region", () => page.actions.removeRegion(id), small);
    this.element = make(
      "li", { class: "sf-region", "data-region": id, onpointerdown: () => page.actions.selectRegion(id) },
      make("div", { class: "sf-line" }, this.color, this.name, this.up, this.down, this.remove),
      make(
        "div", { class: "sf-line" }, this.counts,
        make(
          "label",
          { class: "sf-check", title: "Keeps other regions out of it, and becomes 0 in results" },
          this.background, "background",
        ),
      ),
    );
  }

  rename() {
    const name = this.name.value.trim();
    if (name && name !== this.region.name) {
      this.page.edit({ op: "rename_region", region: this.id, name });
    } else this.name.value = this.region.name;
  }

  move(step) {
    this.page.edit({ op: "move_region", region: this.id, position: this.position + step });
    // a disabled button would drop the keyboard focus
    if (step < 0 && this.up.disabled) this.down.focus();
    if (step > 0 && this.down.disabled) this.up.focus();
  }

  update(region, { active, position, count }) {
    Object.assign(this, { region, position });
    this.element.classList.toggle("sf-active", active);
    this.element.style.setProperty("--sf-color", region.color);
    const typing = this.name.getRootNode().activeElement === this.name;
    if (!typing && this.name.value !== region.name) this.name.value = region.name;
    if (this.color.value !== region.color) this.color.value = region.color;
    this.background.checked = region.background;
    this.counts.textContent = describe(region);
    this.counts.setAttribute("aria-pressed", String(active));
    this.up.disabled = position === 0;
    this.down.disabled = position === count - 1;
    const label = (element, text) => element.setAttribute("aria-label", text);
    label(this.color, `Colour of ${region.name}`);
    label(this.name, `Name of region ${region.id}`);
    label(this.counts, `Draw ${region.name}: ${describe(region)}`);
    label(this.background, `${region.name} is background`);
    label(this.up, `Move ${region.name} up`);
    label(this.down, `Move ${region.name} down`);
    label(this.remove, `Remove ${region.name}`);
  }
}

function describe(region) {
  const plus = region.point_labels.filter((label) => label === 1).length;
  const minus = region.points.length - plus;
  const parts = [];
  if (region.box) parts.push("box");
  if (plus) parts.push(`${plus} +`);
  if (minus) parts.push(`${minus} −`);
  return parts.join("  ·  ") || "no prompt yet";
}
