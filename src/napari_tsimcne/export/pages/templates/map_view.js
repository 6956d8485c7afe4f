// Where the map is seen from, and how its points are drawn.

const map = byId("map"), canvas = byId("points"), rings = byId("rings");
const paper = canvas.getContext("2d"), above = rings.getContext("2d");
const box = bounds();
const view = { x: 0, y: 0, scale: 1 }; // the map's point in the middle; pixels a map unit
let width = 1, height = 1, density = 1, fitted = 1, image = null, pixels = null;
let hovered = -1, pinned = -1, due = false;
const PAD = 40; // around the picture, so that no point needs to be cut off

function bounds() {
  const found = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < COUNT; i++) {
    for (const axis of [0, 1]) {
      const value = places[2 * i + axis];
      found[axis] = Math.min(found[axis], value);
      found[axis + 2] = Math.max(found[axis + 2], value);
    }
  }
  return found;
}

function fitScale() {
  const room = 0.92;
  const wide = Math.max(box[2] - box[0], 1e-6), high = Math.max(box[3] - box[1], 1e-6);
  return Math.min((width * room) / wide, (height * room) / high, 1e6);
}

function fit() {
  Object.assign(view, { x: (box[0] + box[2]) / 2, y: (box[1] + box[3]) / 2, scale: fitted });
  redraw();
}

function resize() {
  const was = fitted;
  width = Math.max(1, map.clientWidth);
  height = Math.max(1, map.clientHeight);
  density = Math.min(2, window.devicePixelRatio || 1);
  for (const one of [canvas, rings]) {
    one.width = Math.round(width * density);
    one.height = Math.round(height * density);
  }
  image = new ImageData(canvas.width + 2 * PAD, canvas.height + 2 * PAD);
  pixels = new Uint32Array(image.data.buffer);
  fitted = fitScale();
  view.scale *= fitted / was;
  redraw();
}

const toScreen = (i) => [
  width / 2 + (places[2 * i] - view.x) * view.scale,
  height / 2 - (places[2 * i + 1] - view.y) * view.scale,
];

function zoom(factor, x = width / 2, y = height / 2) {
  const scale = Math.min(Math.max(view.scale * factor, fitted / 4), fitted * 2000);
  const change = 1 / view.scale - 1 / scale;
  view.x += (x - width / 2) * change;
  view.y -= (y - height / 2) * change;
  view.scale = scale;
  redraw();
}

function move(dx, dy) {
  view.x -= dx / view.scale;
  view.y += dy / view.scale;
  redraw();
}

function radius() {
  const room = Math.sqrt((0.12 * width * height) / (Math.PI * COUNT));
  const base = Math.min(Math.max(room, 1.3), 3.5);
  return Math.min(base * Math.sqrt(Math.max(1, view.scale / fitted)), Math.max(base, 6));
}

// --- drawing --------------------------------------------------------------------------------

function redraw() {
  if (!due) requestAnimationFrame(draw);
  due = true;
}

// Pixels that a point covers, and how far (0..256), where its centre lies at a quarter pixel.
function stamps(r, opacity) {
  const places = [], covers = [], reach = Math.ceil(r + 1), row = image.width;
  for (let part = 0; part < 16; part++) {
    const cx = (part % 4) / 4, cy = (part >> 2) / 4, at = [], cover = [];
    for (let y = -reach; y <= reach; y++) {
      for (let x = -reach; x <= reach; x++) {
        const share = Math.min(1, Math.max(0, r + 0.5 - Math.hypot(x - cx, y - cy)));
        if (share > 0.01) {
          at.push(y * row + x);
          cover.push(Math.round(256 * share * opacity));
        }
      }
    }
    places.push(Int32Array.from(at));
    covers.push(Int32Array.from(cover));
  }
  return { places, covers };
}

function draw() {
  due = false;
  pixels.fill(packed(dark.matches ? "#16191d" : "#ffffff"));
  const r = radius() * density;
  drawPoints(r);
  paper.putImageData(image, -PAD, -PAD);
  const style = getComputedStyle(document.body);
  above.clearRect(0, 0, rings.width, rings.height);
  ring(pinned, style.getPropertyValue("--text"), r + 4 * density);
  ring(hovered, style.getPropertyValue("--accent"), r + 3 * density);
  drawScale();
}

function drawPoints(r) {
  const faint = packed(dark.matches ? "#3a414a" : "#d5d9de");
  const palette = Uint32Array.from(coloring.colors.map(packed)), { codes } = coloring;
  const stamp = stamps(r, COUNT > 2000 ? 0.8 : 0.9);
  const w = canvas.width, h = canvas.height, row = image.width;
  const scale = view.scale * density;
  const left = w / 2 - view.x * scale, top = h / 2 + view.y * scale;
  // Plain loops: this is done for every point of every picture.
  for (let n = 0; n < order.length; n++) {
    const i = order[n];
    const x = left + places[2 * i] * scale, y = top - places[2 * i + 1] * scale;
    if (!(x > -r && y > -r && x < w + r && y < h + r)) continue;
    const px = Math.floor(x), py = Math.floor(y);
    const part = Math.floor(4 * (x - px)) + 4 * Math.floor(4 * (y - py));
    const at = stamp.places[part], cover = stamp.covers[part];
    const color = matching !== null && !matching[i] ? faint : palette[codes[i]];
    const redBlue = color & 0xff00ff, green = color & 0xff00;
    const start = (py + PAD) * row + px + PAD;
    for (let k = 0; k < at.length; k++) {
      const p = start + at[k], a = cover[k], b = 256 - a, old = pixels[p];
      const rb = Math.imul(old & 0xff00ff, b) + Math.imul(redBlue, a);
      const g = Math.imul(old & 0xff00, b) + Math.imul(green, a);
      pixels[p] = 0xff000000 | ((rb >>> 8) & 0xff00ff) | ((g >>> 8) & 0xff00);
    }
  }
}

function ring(i, color, r) {
  if (i < 0 || !isShown(i)) return;
  const [x, y] = toScreen(i);
  above.beginPath();
  above.arc(x * density, y * density, r, 0, 2 * Math.PI);
  above.lineWidth = 2 * density;
  above.strokeStyle = color;
  above.stroke();
}

function drawScale() {
  const most = Math.min(180, width / 3) / view.scale;
  const power = 10 ** Math.floor(Math.log10(most));
  const length = Math.max(...[1, 2, 5].filter((step) => step * power <= most)) * power;
  const [bar, label] = byId("scale").children;
  bar.style.width = `${length * view.scale}px`;
  label.textContent = `${short(length, 3)} map unit${length === 1 ? "" : "s"}`;
}
