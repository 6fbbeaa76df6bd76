// The link to Python: edits go out numbered, and what is busy or broken on the other side is told.

// after this long without an answer the kernel is busy with something else
const BUSY_MS = 1200;

export class Link {
  constructor(page) {
    this.page = page;
    this.model = page.model;
    this.client = crypto.randomUUID?.() ?? String(Math.random());
    // numbers of the latest edit sent, and of the latest one that Python's state includes
    this.sent = this.seen = 0;
    // frames: the one that Python was asked for, and the one that the user wants by now
    this.asked = this.wanted = null;
  }

  send(message) {
    try {
      this.model.send({ client: this.client, ...message });
    } catch (error) {
      const text = `The kernel can't be reached (${error.message}): run the cell again.`;
      this.page.footer.tell({ kind: "error", text });
    }
  }

  sendEdit(edit) {
    this.sent += 1;
    this.page.canvas.dataset.seq = this.sent;
    this.send({ kind: "edit", seq: this.sent, ...edit });
    this.watch();
  }

  // Note what a state of Python's includes; false when it is older than what is shown here: one
  // that includes the latest edits is on its way.
  isLatest(state) {
    this.seen = state.seen[this.client] ?? 0;
    this.page.canvas.dataset.seen = this.seen;
    this.watch();
    return !this.waiting;
  }

  get waiting() {
    return Math.max(0, this.sent - this.seen);
  }

  // Say so when Python takes long to answer, and take it back when it has.
  watch() {
    clearTimeout(this.timer);
    const { root } = this.page;
    if (!this.waiting) {
      if (root.dataset.status === "busy") this.page.takeStatus();
      return;
    }
    this.timer = setTimeout(() => {
      const edits = this.waiting === 1 ? "1 edit waits" : `${this.waiting} edits wait`;
      root.dataset.status = "busy";
      this.page.footer.tell({ kind: "busy", text: `The kernel is busy: ${edits} for it.` });
    }, BUSY_MS);
  }

  wantFrame(frame) {
    if (!Number.isFinite(frame)) return;
    const [first, last, step] = this.page.state.frames;
    const near = first + Math.round((frame - first) / step) * step;
    this.wanted = Math.min(last, Math.max(first, near));
    this.askFrame();
  }

  // One request for a frame at a time: a slider moves faster than frames are decoded.
  askFrame() {
    const shown = this.page.state.frame;
    if (this.asked === shown) this.asked = null;
    if (this.wanted === shown) this.wanted = null;
    if (this.asked !== null || this.wanted === null) return;
    this.asked = this.wanted;
    this.send({ kind: "frame", frame: this.wanted });
    // a frame that can't be read is never shown
    setTimeout(() => (this.asked = null), BUSY_MS);
  }

  stepFrame(direction) {
    const { frame, frames } = this.page.state;
    this.wantFrame((this.wanted ?? frame) + direction * frames[2]);
  }

  dispose() {
    clearTimeout(this.timer);
  }
}
