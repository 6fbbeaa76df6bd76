// Which part of the frame is shown, and conversions between frame and page.

const MOST_ZOOM = 40;

export class View {
  constructor(width, height) {
    this.resize(width, height);
  }

  resize(width, height) {
    if (this.width === width && this.height === height) return;
    Object.assign(this, { width, height });
    this.fit();
  }

  fit() {
    Object.assign(this, { zoom: 1, left: 0, top: 0 });
  }

  get shownWidth() {
    return this.width / this.zoom;
  }

  get shownHeight() {
    return this.height / this.zoom;
  }

  // Zoom so that the frame's position (x, y) stays where it is on the page.
  zoomAt(x, y, factor) {
    const zoom = Math.min(MOST_ZOOM, Math.max(1, this.zoom * factor));
    const ratio = this.zoom / zoom;
    this.zoom = zoom;
    this.moveTo(x - (x - this.left) * ratio, y - (y - this.top) * ratio);
  }

  moveTo(left, top) {
    this.left = Math.min(this.width - this.shownWidth, Math.max(0, left));
    this.top = Math.min(this.height - this.shownHeight, Math.max(0, top));
  }

  // Scroll just as far as needed to have a position in view.
  reveal(x, y) {
    const dx = Math.min(0, x - this.left) + Math.max(0, x + 1 - this.left - this.shownWidth);
    const dy = Math.min(0, y - this.top) + Math.max(0, y + 1 - this.top - this.shownHeight);
    this.moveTo(this.left + dx, this.top + dy);
  }

  // Position in the frame, px, of a mouse event; pixel i covers [i, i + 1).
  fromPage(event, rectangle) {
    return [
      this.left + ((event.clientX - rectangle.left) / rectangle.width) * this.shownWidth,
      this.top + ((event.clientY - rectangle.top) / rectangle.height) * this.shownHeight,
    ];
  }

  // Position on a picture of this width of what is shown.
  toPicture(x, y, width) {
    const scale = width / this.shownWidth;
    return [(x - this.left) * scale, (y - this.top) * scale];
  }
}

// Corners and edges by which a box is resized: which sides each of them moves.
export const HANDLES = [
  [0, 0, "nwse-resize"],
  [0.5, 0, "ns-resize"],
  [1, 0, "nesw-resize"],
  [1, 0.5, "ew-resize"],
  [1, 1, "nwse-resize"],
  [0.5, 1, "ns-resize"],
  [0, 1, "nesw-resize"],
  [0, 0.5, "ew-resize"],
];

export function handlePosition(box, handle) {
  return [box[0] + (box[2] - box[0]) * handle[0], box[1] + (box[3] - box[1]) * handle[1]];
}

// Box with one of its handles at another place; sides that cross over change roles.
export function resizeBox(box, handle, x, y, view) {
  const sides = [...box];
  if (handle[0] !== 0.5) sides[handle[0] ? 2 : 0] = x;
  if (handle[1] !== 0.5) sides[handle[1] ? 3 : 1] = y;
  return tidyBox(sides, view);
}

export function moveBox(box, dx, dy, view) {
  const x = Math.min(view.width - box[2], Math.max(-box[0], Math.round(dx)));
  const y = Math.min(view.height - box[3], Math.max(-box[1], Math.round(dy)));
  return [box[0] + x, box[1] + y, box[2] + x, box[3] + y];
}

// Whole pixels, inside the frame, at least one pixel wide and high.
export function tidyBox([xa, ya, xb, yb], view) {
  const [x0, x1] = tidySpan(xa, xb, view.width);
  const [y0, y1] = tidySpan(ya, yb, view.height);
  return [x0, y0, x1, y1];
}

function tidySpan(one, other, length) {
  const low = Math.min(length - 1, Math.max(0, Math.round(Math.min(one, other))));
  const high = Math.min(length, Math.max(0, Math.round(Math.max(one, other))));
  return [low, Math.max(low + 1, high)];
}

export function tidyPoint(x, y, view) {
  return [
    Math.min(view.width - 1, Math.max(0, Math.floor(x))),
    Math.min(view.height - 1, Math.max(0, Math.floor(y))),
  ];
}
