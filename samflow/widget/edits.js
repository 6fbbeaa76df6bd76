// Edits of what is drawn, applied in the page at once; Python applies the same ones and has the
// last word. Regions are those of the shown frame; region 0 stands for the shared points.

export const SHARED = 0;

export function applyEdit(state, edit) {
  const next = structuredClone(state);
  const region = next.regions.find((each) => each.id === edit.region);
  const points = edit.region === SHARED ? next.shared : region?.points;
  if (edit.op === "set_box" && region) region.box = edit.box;
  else if (edit.op === "add_point" && points) {
    points.push(edit.point);
    if (region) region.point_labels.push(edit.label);
  } else if (edit.op === "move_point" && points?.[edit.index]) points[edit.index] = edit.point;
  else if (edit.op === "delete_point" && points) {
    points.splice(edit.index, 1);
    if (region) region.point_labels.splice(edit.index, 1);
  } else if (edit.op === "add_region") next.regions.push(emptyRegion(edit.region, state.palette));
  else if (edit.op === "remove_region") {
    next.regions = next.regions.filter((each) => each !== region);
  } else if (edit.op === "move_region" && region) {
    next.regions = next.regions.filter((each) => each !== region);
    next.regions.splice(edit.position, 0, region);
  } else if (edit.op === "rename_region" && region) region.name = edit.name;
  else if (edit.op === "recolor_region" && region) region.color = edit.color;
  else if (edit.op === "set_background" && region) region.background = edit.value;
  else if (edit.op === "set_ruler") setRuler(next, edit);
  else if (edit.op === "clear") clearMarks(next);
  return next;
}

function emptyRegion(id, palette) {
  return {
    id,
    name: `region ${id}`,
    color: palette[(id - 1) % palette.length],
    box: null,
    points: [],
    point_labels: [],
    background: false,
  };
}

function setRuler(state, { ends, length_mm }) {
  state.ruler = ends;
  state.mm_per_px = ends && length_mm / distance(...ends);
}

export function distance([xa, ya], [xb, yb]) {
  return Math.hypot(xa - xb, ya - yb);
}

function clearMarks(state) {
  state.shared = [];
  for (const region of state.regions) {
    region.box = null;
    region.points = [];
    region.point_labels = [];
  }
}

export function freeId(state) {
  const taken = new Set(state.regions.map((region) => region.id));
  let id = 1;
  while (taken.has(id)) id += 1;
  return id;
}

// Every box and point of the frame, in the order in which the keys [ and ] go through them.
export function listMarks(state) {
  const marks = [];
  for (const region of state.regions) {
    if (region.box) marks.push({ kind: "box", region: region.id });
    region.points.forEach((_, index) => marks.push({ kind: "point", region: region.id, index }));
  }
  state.shared.forEach((_, index) => marks.push({ kind: "point", region: SHARED, index }));
  return marks;
}

export function sameMark(one, other) {
  return (
    one != null &&
    other != null &&
    one.kind === other.kind &&
    one.region === other.region &&
    one.index === other.index
  );
}

export function pointsOf(state, region) {
  if (region === SHARED) return state.shared;
  return state.regions.find((each) => each.id === region)?.points ?? [];
}

export function boxOf(state, region) {
  return state.regions.find((each) => each.id === region)?.box ?? null;
}
