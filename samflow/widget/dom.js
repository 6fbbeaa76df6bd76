// Elements, icons and colours.

const FOCUSABLE = new Set(["BUTTON", "INPUT", "CANVAS", "SELECT", "SUMMARY"]);

// Make an element. Keys of `attributes` that start with "on" are listeners.
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  // JupyterLab acts on keys (d d deletes the cell) unless the focused element itself says no
  if (FOCUSABLE.has(element.tagName)) element.setAttribute("data-lm-suppress-shortcuts", "true");
  element.append(...children);
  return element;
}

const ICONS = {
  box: "M4 5h12v10H4z",
  foreground: "M10 3.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 1 0 0-13M10 7v6M7 10h6",
  background: "M10 3.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 1 0 0-13M7 10h6",
  shared: "M7.5 3.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 1 0 0-9M12.5 7.5a4.5 4.5 0 1 1-4.6 5.2M5.6 8h3.8",
  pan: "M10 3v14M3 10h14M8 5l2-2 2 2M8 15l2 2 2-2M5 8l-2 2 2 2M15 8l2 2-2 2",
  ruler: "M3 13 13 3l4 4L7 17zM6 10l1.5 1.5M8.5 7.5 10.5 9.5M11 5l1.5 1.5",
  undo: "M7.5 4.5 4 8l3.5 3.5M4 8h7.5a4 4 0 0 1 0 8H8",
  redo: "M12.5 4.5 16 8l-3.5 3.5M16 8H8.5a4 4 0 0 0 0 8H12",
  remove: "M4 6h12M8 6V4h4v2M5.5 6l.8 10h7.4l.8-10M8.5 9v4.5M11.5 9v4.5",
  plus: "M10 4.5v11M4.5 10h11",
  minus: "M4.5 10h11",
  up: "M5.5 12 10 7.5l4.5 4.5",
  down: "M5.5 8 10 12.5 14.5 8",
  eye: "M2.5 10s2.8-5 7.5-5 7.5 5 7.5 5-2.8 5-7.5 5-7.5-5-7.5-5M10 7.8a2.2 2.2 0 1 0 0 4.4 2.2 2.2 0 1 0 0-4.4",
};

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("sf-icon");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

export function iconButton(name, label, action, attributes = {}) {
  return make(
    "button",
    { type: "button", class: "sf-button", title: label, "aria-label": label, onclick: action, ...attributes },
    icon(name),
  );
}

// Call a handler when its trait of the model changes; returns what ends that.
export function listen(model, handlers) {
  const all = Object.entries(handlers).map(([trait, handler]) => [`change:${trait}`, handler]);
  for (const [name, handler] of all) model.on(name, handler);
  return () => all.forEach(([name, handler]) => model.off(name, handler));
}

function channels(color) {
  return [1, 3, 5].map((start) => parseInt(color.slice(start, start + 2), 16));
}

// Share of full brightness as the eye sees it (ITU-R BT.709 weights).
function brightness(color) {
  const [red, green, blue] = channels(color);
  return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255;
}

// The colour lightened for lines, which would vanish on a dark film otherwise.
export function lineColor(color) {
  const share = brightness(color) < 0.35 ? 0.45 : 0.12;
  return `rgb(${channels(color).map((c) => Math.round(c + (255 - c) * share)).join(" ")})`;
}

export function textColor(color) {
  return brightness(color) > 0.55 ? "#111" : "#fff";
}
