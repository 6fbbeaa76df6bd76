// Pictures of label maps, as overlay.py writes them.

const OUTLINE_ALPHA = 0.95;

export class Overlay {
  // `bytes` is a DataView, or nothing for an overlay that shows nothing yet.
  constructor(bytes) {
    this.canvas = document.createElement("canvas");
    if (bytes) this.take(bytes);
  }

  take({ buffer, byteOffset, byteLength }) {
    const own = buffer.slice(byteOffset, byteOffset + byteLength);
    const [height, width, areas, outlines, runs] = new Uint32Array(own, 0, 5);
    const colors = areas + outlines;
    this.areas = areas;
    this.colors = new Uint8Array(own, 20, 4 * colors);
    this.ends = new Uint32Array(own, 20 + 4 * colors, runs);
    this.entries = new Uint8Array(own, 20 + 4 * (colors + runs), runs);
    if (this.canvas.width !== width) this.canvas.width = width;
    if (this.canvas.height !== height) this.canvas.height = height;
    this.opacity = null;
  }

  // The picture, with areas of this opacity. Runs of pixels are filled as whole numbers.
  picture(opacity) {
    if (this.opacity === opacity) return this.canvas;
    this.opacity = opacity;
    const { width, height } = this.canvas;
    this.colors.forEach((_, i, bytes) => {
      if (i % 4 === 3) bytes[i] = 255 * (i < 4 * this.areas ? opacity : OUTLINE_ALPHA);
    });
    const words = new Uint32Array(this.colors.slice().buffer);
    const pixels = new Uint32Array(width * height);
    let start = 0;
    this.entries.forEach((entry, run) => {
      if (entry) pixels.fill(words[entry - 1], start, this.ends[run]);
      start = this.ends[run];
    });
    const picture = new ImageData(new Uint8ClampedArray(pixels.buffer), width, height);
    this.canvas.getContext("2d").putImageData(picture, 0, 0);
    return this.canvas;
  }
}
