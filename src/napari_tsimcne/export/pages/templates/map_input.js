// Pointer, touch and keys on the map.

const fingers = new Map();
let travelled = 0;

const at = (event) => {
  const frame = rings.getBoundingClientRect();
  return [event.clientX - frame.left, event.clientY - frame.top];
};
const spread = () => {
  const [a, b] = [...fingers.values()];
  return [Math.hypot(a[0] - b[0], a[1] - b[1]), (a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
};

rings.addEventListener("pointerdown", (event) => {
  if (event.button > 0) return;
  rings.setPointerCapture(event.pointerId);
  if (!fingers.size) travelled = 0;
  fingers.set(event.pointerId, at(event));
});
rings.addEventListener("pointermove", (event) => {
  const [x, y] = at(event), before = fingers.get(event.pointerId);
  if (!before) {
    hover(nearest(x, y, radius() + 6), x, y);
    return;
  }
  const two = fingers.size === 2 ? spread() : null;
  fingers.set(event.pointerId, [x, y]);
  travelled += Math.hypot(x - before[0], y - before[1]);
  if (travelled < 4) return;
  hover(-1);
  rings.classList.add("dragged");
  if (two) {
    const [length, cx, cy] = spread();
    move(cx - two[1], cy - two[2]);
    zoom(length / Math.max(two[0], 1), cx, cy);
  } else if (fingers.size === 1) {
    move(x - before[0], y - before[1]);
  }
});
const lift = (event) => {
  const [x, y] = at(event);
  const clicked = fingers.delete(event.pointerId) && !fingers.size && travelled < 4;
  if (!fingers.size) rings.classList.remove("dragged");
  if (!clicked || event.type !== "pointerup") return;
  const isTouch = event.pointerType === "touch";
  const found = nearest(x, y, radius() + (isTouch ? 18 : 6));
  pin(found);
  if (isTouch) hover(found, x, y, true); // what is kept may be off the screen
};
rings.addEventListener("pointerup", lift);
rings.addEventListener("pointercancel", lift);
rings.addEventListener("pointerleave", (event) => {
  if (event.pointerType !== "touch") hover(-1);
});
rings.addEventListener("wheel", (event) => {
  event.preventDefault();
  const lines = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1;
  hover(-1);
  zoom(Math.exp(-0.0015 * event.deltaY * lines), ...at(event));
}, { passive: false });

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// The nearest patch within 45 degrees of a direction.
function step([dx, dy]) {
  const [x, y] = pinned < 0 ? [width / 2, height / 2] : toScreen(pinned);
  const next = nearest(x, y, Infinity, (right, down, i) => {
    const along = right * dx + down * dy;
    return i !== pinned && along > 0 && along >= Math.abs(right * dy + down * dx);
  });
  if (next < 0) return;
  pin(next);
  const [px, py] = toScreen(next);
  if (px < 0 || py < 0 || px > width || py > height) move(width / 2 - px, height / 2 - py);
}

rings.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const arrow = ARROWS[event.key];
  if (arrow && event.shiftKey) step(arrow);
  else if (arrow) move(-60 * arrow[0], -60 * arrow[1]);
  else if (event.key === "+" || event.key === "=") zoom(1.4);
  else if (event.key === "-") zoom(1 / 1.4);
  else if (event.key === "0") fit();
  else if (event.key === "Enter") pin(nearest(width / 2, height / 2, Infinity));
  else if (event.key === "Escape") pin(-1);
  else return;
  event.preventDefault();
});
byId("closer").addEventListener("click", () => zoom(1.4));
byId("farther").addEventListener("click", () => zoom(1 / 1.4));
byId("fit").addEventListener("click", fit);
