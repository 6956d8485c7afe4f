// Classes or scale, what to colour by, and what is looked for.

function choose(code, several) {
  const others = coloring.names.map((_, i) => i).filter((i) => i !== code);
  const isAlone = !hidden.has(code) && others.every((i) => hidden.has(i));
  if (!several) hidden = new Set(isAlone ? [] : others);
  else if (!hidden.delete(code)) hidden.add(code);
  if (hidden.size === coloring.names.length) hidden.clear();
  showHidden();
}

function showHidden() {
  [...byId("legend").querySelectorAll("button")].forEach((button, code) => {
    button.setAttribute("aria-pressed", String(!hidden.has(code)));
  });
  byId("all").hidden = !hidden.size;
  if (hovered >= 0) hover(-1);
  arrange();
}

function showLegend() {
  const isScale = Boolean(coloring.limits);
  byId("legend").replaceChildren(...(isScale ? [] : coloring.names.map((name, code) => {
    const line = element("li"), button = element("button"), swatch = element("span", "", "swatch");
    swatch.style.background = coloring.colors[code];
    button.type = "button";
    button.title = name;
    button.append(swatch, element("span", name, "name"),
      element("span", whole(coloring.counts[code]), "count"));
    button.addEventListener("click", (event) => {
      choose(code, event.ctrlKey || event.metaKey || event.shiftKey);
    });
    line.append(button);
    return line;
  })));
  byId("classes").hidden = isScale;
  byId("numbers").hidden = !isScale;
  byId("missing").hidden = !isScale || !coloring.count_missing;
  if (isScale) {
    const [low, high] = coloring.limits;
    byId("bar").style.background = `linear-gradient(to right, ${coloring.bar.join(", ")})`;
    const ends = [low, (low + high) / 2, high].map((number) => element("span", short(number)));
    byId("ends").replaceChildren(...ends);
    const about = low === -high ? "0 is in the middle" : "From the 1st to the 99th percentile";
    byId("numbers").title = `${about}; what lies beyond has the colour of that end.`;
    byId("missing").textContent = `grey: none, ${whole(coloring.count_missing)} patches`;
  }
  hidden = new Set();
  showHidden();
}

function search() {
  const text = byId("find").value.trim().toLocaleLowerCase();
  matching = null;
  byId("found").textContent = "";
  if (text) {
    matching = new Uint8Array(COUNT);
    const texts = content.columns.filter((one) => one.kind === "text");
    const cluster = content.colorings.find((one) => one.column === "cluster");
    const sources = texts.map((one) => [one.texts, one.values]);
    if (cluster) sources.push([cluster.names.slice(0, cluster.missing ?? undefined), cluster.codes]);
    for (const [words, codes] of sources) {
      const holds = words.map((word) => word.toLocaleLowerCase().includes(text));
      for (let i = 0; i < COUNT; i++) if (holds[codes[i]]) matching[i] = 1;
    }
    const found = matching.reduce((sum, one) => sum + one, 0);
    byId("found").textContent = `${whole(found)} of ${whole(COUNT)} patches`;
  }
  arrange();
}

// How large a patch is, and which colour is which channel.
function showKey() {
  const { patch, channels } = content.pictures ?? { patch: "", channels: [] };
  const lines = channels.map(([name, color]) => {
    const line = element("span"), swatch = element("span", "", "swatch");
    swatch.style.background = color;
    line.append(swatch, ` ${name}`);
    return line;
  });
  if (patch) lines.unshift(element("div", `Pictures: side of a patch ${patch}`));
  byId("key").replaceChildren(...lines);
  byId("key").hidden = !lines.length;
}

const chooser = byId("column");
chooser.append(...content.colorings.map((one) => new Option(one.column)));
chooser.addEventListener("change", () => {
  coloring = content.colorings[chooser.selectedIndex];
  showLegend();
});
byId("find").addEventListener("input", search);
byId("all").addEventListener("click", () => { hidden.clear(); showHidden(); });
dark.addEventListener("change", redraw);
new ResizeObserver(resize).observe(map);
resize();
fit();
showKey();
showLegend();
