// A label map that is painted on, as pixels of the frame.

const STEPS_KEPT = 20;

export class PaintedLabels {
  constructor(width, height, regions) {
    Object.assign(this, { width, height });
    this.canvas = document.createElement("canvas");
    Object.assign(this.canvas, { width, height });
    this.colors = new Map(regions.map(({ id, color, background }) => [id, { color, background }]));
    this.take(new Uint8Array(width * height));
  }

  // Begin with another label map; the steps back end here.
  take(bytes) {
    this.labels = new Uint8Array(bytes);
    this.before = [];
    this.opacity = null;
  }

  // What follows can be taken back in one step.
  beginStroke() {
    this.before.push(this.labels.slice());
    if (this.before.length > STEPS_KEPT) this.before.shift();
  }

  undo() {
    if (!this.before.length) return false;
    this.labels = this.before.pop();
    this.opacity = null;
    return true;
  }

  // Give a label to the pixels whose centre is within `radius` px of the way between two positions.
  stroke([xa, ya], [xb, yb], radius, label) {
    const [dx, dy] = [xb - xa, yb - ya];
    const squared = dx * dx + dy * dy;
    const clamp = (value, most) => Math.min(most, Math.max(0, Math.floor(value)));
    const x1 = clamp(Math.max(xa, xb) + radius, this.width - 1);
    const y1 = clamp(Math.max(ya, yb) + radius, this.height - 1);
    for (let y = clamp(Math.min(ya, yb) - radius, this.height); y <= y1; y += 1) {
      for (let x = clamp(Math.min(xa, xb) - radius, this.width); x <= x1; x += 1) {
        const [px, py] = [x + 0.5 - xa, y + 0.5 - ya];
        const along = squared ? Math.min(1, Math.max(0, (px * dx + py * dy) / squared)) : 0;
        const away = Math.hypot(px - along * dx, py - along * dy);
        if (away <= radius) this.labels[y * this.width + x] = label;
      }
    }
    this.opacity = null;
  }

  // The picture, as `drawFrame` wants it; background regions are fainter.
  picture(opacity) {
    if (this.opacity === opacity) return this.canvas;
    this.opacity = opacity;
    const table = new Uint32Array(256);
    for (const [id, { color, background }] of this.colors) {
      const bytes = [1, 3, 5].map((start) => parseInt(color.slice(start, start + 2), 16));
      const alpha = Math.round(255 * opacity * (background ? 0.4 : 1));
      table[id] = new Uint32Array(new Uint8Array([...bytes, alpha]).buffer)[0];
    }
    const pixels = new Uint32Array(this.width * this.height);
    this.labels.forEach((label, i) => (pixels[i] = table[label]));
    const data = new ImageData(new Uint8ClampedArray(pixels.buffer), this.width, this.height);
    this.canvas.getContext("2d").putImageData(data, 0, 0);
    return this.canvas;
  }
}
