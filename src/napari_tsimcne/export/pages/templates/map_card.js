// One patch: under the pointer, and kept.

const MOST_VALUES = 8; // told of the patch under the pointer
const EDGE = 10; // pixels between its card and the edge of the map

const sheets = new Map();

function sheet(number) {
  if (!sheets.has(number)) {
    const picture = new Image();
    picture.src = `data:${content.pictures.kind};base64,${byId(`sheet-${number}`).textContent}`;
    sheets.set(number, picture.decode().then(() => picture));
  }
  return sheets.get(number);
}

function picture(i) {
  const { side, cell, across, capacity } = content.pictures;
  const made = element("canvas");
  made.width = made.height = 256;
  const tile = tiles[i] - 1, place = tile % capacity;
  sheet(Math.floor(tile / capacity)).then((drawn) => {
    const pen = made.getContext("2d");
    pen.imageSmoothingQuality = "high";
    const x = (place % across) * cell, y = Math.floor(place / across) * cell;
    pen.drawImage(drawn, x, y, side, side, 0, 0, 256, 256);
  });
  return made;
}

const placed = (place) => content.columns.filter((one) => one.place === place);
const values = content.columns.filter((one) => !one.place);
const clusters = content.colorings.find((one) => one.column === "cluster");

function describe(i, most) {
  const text = element("div");
  text.append(element("b", valueOf(placed("image")[0], i)));
  const at = placed("position").map((one) => `${one.name} ${Math.round(one.values[i])}`);
  text.append(element("div", `patch ${patches[i]}\u00a0\u00a0 ${at.join(", ")}`));
  if (clusters && clusters.codes[i] !== clusters.missing) {
    const line = element("div"), swatch = element("span", "", "swatch");
    swatch.style.background = clusters.colors[clusters.codes[i]];
    line.append(swatch, ` ${clusters.names[clusters.codes[i]]}`);
    text.append(line);
  }
  describeAddition(text, i);
  const table = element("table");
  // A last line that counts one value takes the room of this value.
  const shown = values.length <= most ? values : values.slice(0, most - 1);
  for (const column of shown) {
    table.insertRow().append(element("th", column.name), element("td", valueOf(column, i)));
  }
  if (table.rows.length) text.append(table);
  const more = values.length - shown.length;
  if (more) text.append(element("div", `... and ${more} more: click to see all`, "more"));
  return text;
}

function describeAddition(text, i) {
  const [added] = placed("added");
  if (!added || !valueOf(added, i)) return;
  const [familiarity] = placed("familiarity"), [unfamiliar] = placed("unfamiliar");
  const familiar = `familiarity ${short(familiarity.values[i], 2)}`;
  const from = `▲ added with ${valueOf(added, i)}`;
  if (valueOf(unfamiliar, i) === "True") {
    text.append(element("div", from));
    text.append(element("div", `similar to no training patch: ${familiar}`, "warning"));
  } else {
    text.append(element("div", `${from}, ${familiar}`));
  }
}

function fill(card, i, most) {
  const has = tiles && tiles[i];
  card.replaceChildren(has ? picture(i) : element("i", "no picture"), describe(i, most));
  card.hidden = false;
}

function hover(i, x, y, evenKept = false) {
  const card = byId("hover");
  if (i < 0) card.hidden = true;
  else if (i !== hovered) fill(card, i, MOST_VALUES);
  // What is kept is told beside the map, in full.
  if (i === pinned && !evenKept) card.hidden = true;
  if (i !== hovered) redraw();
  hovered = i;
  if (i < 0 || card.hidden) return;
  // In the half of the map away from the pointer, at its outer corner: never under the pointer.
  const left = x > width / 2 ? EDGE : width - card.offsetWidth - EDGE;
  const top = y > height / 2 ? EDGE : height - card.offsetHeight - EDGE;
  card.style.left = `${Math.max(0, left)}px`;
  card.style.top = `${Math.max(0, top)}px`;
}

function pin(i) {
  const card = byId("pinned");
  card.hidden = i < 0;
  pinned = i;
  if (i === hovered) byId("hover").hidden = true;
  redraw();
  if (i < 0) return;
  fill(card, i, Infinity);
  const close = element("button", "×");
  close.type = "button";
  close.setAttribute("aria-label", "Let go of this patch");
  close.addEventListener("click", () => { pin(-1); rings.focus(); });
  card.prepend(close);
}

// The shown patch nearest to a place in pixels, within reach of it; -1 where there is none.
function nearest(x, y, reach, allowed) {
  const mapX = view.x + (x - width / 2) / view.scale, mapY = view.y - (y - height / 2) / view.scale;
  let best = -1, least = (reach / view.scale) ** 2;
  for (let n = 0; n < order.length; n++) {
    const i = order[n], dx = places[2 * i] - mapX, dy = places[2 * i + 1] - mapY;
    const distance = dx * dx + dy * dy;
    if (distance <= least && (!allowed || allowed(dx, -dy, i))) {
      best = i;
      least = distance;
    }
  }
  return best;
}
