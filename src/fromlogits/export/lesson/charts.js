// Line charts, and the network as squares and lines.

// A chart of curves {points: [[x, y]], kind}; y may be null, where the line ends.
function chart({ title, xs, ys, curves, isLog = false, x: xName, marks = [], xTicks, right = 12 }) {
  const [width, height] = isNarrow() ? [320, 220] : [560, 260], [left, bottom, top] = [46, 36, 14];
  const level = (y) => (isLog ? Math.log10(y) : y);
  const [low, high] = ys.map(level);
  const X = (x) => left + ((x - xs[0]) / (xs[1] - xs[0])) * (width - left - right);
  const Y = (y) => top + ((high - level(y)) / (high - low)) * (height - top - bottom);
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title });
  for (const y of isLog ? powers(low, high) : ticks(low, high)) {
    picture.append(svg("line", { class: "grid", x1: left, x2: width - right, y1: Y(y), y2: Y(y) }),
      svg("text", { x: left - 8, y: Y(y) + 4, "text-anchor": "end" }, tick(y)));
  }
  for (const x of xTicks ?? ticks(xs[0], xs[1])) picture.append(svg("text", { x: X(x), y: height - 16, "text-anchor": "middle" }, minus(String(x))));
  picture.append(svg("line", { class: "axis", x1: left, x2: width - right, y1: height - bottom + 4, y2: height - bottom + 4 }),
    svg("text", { x: (left + width - right) / 2, y: height - 1, "text-anchor": "middle" }, xName));
  for (const { points, kind } of curves) {
    let path = "", isOn = false;
    for (const [x, y] of points) {
      const isThere = y !== null && Number.isFinite(y) && (!isLog || y > 0);
      if (isThere) path += `${isOn ? "L" : "M"}${X(x).toFixed(1)} ${Math.min(height - bottom + 4, Y(y)).toFixed(1)}`;
      isOn = isThere;
    }
    picture.append(svg("path", { class: `line ${kind}`, d: path }));
  }
  for (const { x, y, kind, text } of marks) {
    if (kind.startsWith("here")) picture.append(svg("line", { class: "here", x1: X(x), x2: X(x), y1: top, y2: height - bottom }));
    else picture.append(svg("circle", { class: kind, cx: X(x), cy: Y(y), r: 4.5 }));
    if (text) {
      const isRight = X(x) > width * 0.7;
      picture.append(svg("text", { x: X(x) + (isRight ? -8 : 8), y: kind === "here" ? top + 10 : Y(y) - 9, "text-anchor": isRight ? "end" : "start" }, text));
    }
  }
  return { picture, X, Y, width, height, left, bottom, top, right };
}

// 10⁻⁹, or a short number.
function tick(y) {
  const power = Math.round(Math.log10(Math.abs(y) || 1));
  if (Math.abs(power) < 4) return minus(String(Number(y.toPrecision(3))));
  return `10${minus(String(power)).replace(/./g, (sign) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[sign] ?? "⁻")}`;
}

function ticks(low, high) {
  const rough = (high - low) / 5, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough);
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + step * 1e-9; at++) found.push(Number((at * step).toPrecision(6)));
  return found;
}

function powers(low, high) {
  const step = Math.max(1, Math.ceil((high - low) / 6)), found = [];
  if (high - low < 2) {
    for (let at = Math.floor(low); at <= high; at++) found.push(...[1, 2, 5].map((one) => one * 10 ** at));
    return found.filter((y) => Math.log10(y) >= low && Math.log10(y) <= high);
  }
  for (let at = Math.ceil(low / step) * step; at <= high; at += step) found.push(10 ** at);
  return found;
}

// A network drawn layer by layer; `show` is given what each layer gives.
const MOST_SQUARES = 48, MOST_TIES = 36;

class NetworkPicture {
  constructor(model) {
    this.model = model;
    this.box = el("div");
    this.chosen = 0;
    const body = byId("network-body");
    if (!model.networks.length) {
      byId("network-hint").textContent = `${model.why} What comes out of the last layer stands under “The output layer”.`;
      this.box.append(el("ol", {}, this.names.map(({ name, shape }) => el("li", {}, `${name}: ${shape}`))));
    }
    if (model.n_networks > 1) {
      const names = Array.from({ length: model.n_networks }, (_, n) => (model.a_round > 1 ? `${n + 1}: ${model.units[n % model.a_round]}` : String(n + 1)));
      const select = el("select", { id: "which", onchange: () => { this.chosen = Number(select.value); this.draw(); } }, names.map((name, n) => el("option", { value: n }, name)));
      body.append(el("div", { class: "row" }, el("label", {}, "Network ", select)));
    }
    body.append(this.box, el("p", { class: "hint" }, `${model.members}; ${model.n_parameters.toLocaleString("en")} parameters.`));
    new ResizeObserver(() => this.draw()).observe(this.box);
  }

  show(result) {
    this.result = result;
    this.draw();
  }

  // Each layer's name and shape, in the order of what `layersOf` gives.
  get names() {
    const { model } = this, front = (layer) => layer.kind in COLUMNS;
    return [...model.layers.filter(front), ...model.layers.filter((layer) => !front(layer))].map((layer) => {
      const { weights } = model.arrays[model.layers.indexOf(layer)], { picture_shape: shape } = model.schema;
      if (layer.kind === "dense") return { name: `${layer.units} ${layer.activation.replace("_", " ")}`, shape: `${weights[1]} → ${weights[0]}` };
      if (layer.kind === "residual") return { name: `residual ${layer.widths.join("-")}`, shape: `${shape.join(" × ")} → ${layer.widths.at(-1)}` };
      return { name: layer.kind, shape: ["periodic", "piecewise"].includes(layer.kind) ? `${model.numbers.length} numbers` : layer.kind === "embedding" ? count(model.categories.length, "category").replace("categorys", "categories") : "each its factor" };
    });
  }

  draw() {
    const { model, result } = this, wide = this.box.clientWidth;
    if (!result?.layers || !wide) return;
    const outputs = [Array.from(result.features), ...result.layers[this.chosen].map((values) => Array.from(values))];
    const titles = [{ name: "input", shape: count(model.encoder.width, "feature") }, ...this.names];
    const isTall = wide < 640, n = outputs.length;
    const length = isTall ? 64 * n + (this.isPicture ? 74 : 10) : Math.max(wide, 640), across = isTall ? wide : 300;
    const squares = outputs.map((values) => {
      const order = values.length <= MOST_SQUARES ? values.map((_, k) => k)
        : values.map((_, k) => k).sort((a, b) => Math.abs(values[b]) - Math.abs(values[a])).slice(0, MOST_SQUARES).sort((a, b) => a - b);
      return { values, order, most: Math.max(1e-9, ...values.map(Math.abs)), places: new Map() };
    });
    const picture = svg("svg", {
      viewBox: isTall ? `0 0 ${across} ${length}` : `0 0 ${length} ${across + 44}`, role: "img",
      "aria-label": `The network: ${titles.map(({ name, shape }) => `${name}, ${shape}`).join("; ")}.`,
    });
    const grid = this.pixels(squares[0], isTall, across), words = svg("g");
    squares.forEach((layer, number) => {
      const isLast = number === n - 1, lines = isTall ? 1 : layer.order.length > 32 ? 2 : 1, perLine = Math.ceil(layer.order.length / lines);
      const room = isTall ? across - 8 : across - 20;
      const size = Math.max(3, Math.min(isLast ? 20 : 16, room / perLine - 2));
      const along = isTall ? 64 * number + 34 + (grid && number ? grid : 0) : 80 + (number * (length - 180)) / Math.max(1, n - 1);
      if (!(grid && number === 0)) layer.order.forEach((k, at) => {
        const line = Math.floor(at / perLine), place = at % perLine, inLine = Math.min(perLine, layer.order.length - line * perLine);
        const side = across / 2 + (place - (inLine - 1) / 2) * Math.min(room / perLine, size + (isLast ? 6 : 3));
        const shift = along + (line - (lines - 1) / 2) * (size + 3);
        layer.places.set(k, { x: isTall ? side : shift, y: isTall ? shift : side + 40, size });
      });
      const { name, shape } = titles[number];
      const more = layer.values.length - layer.order.length;
      if (isTall) words.append(svg("text", { x: 2, y: along - 16 }, `${name} · ${shape}${more > 0 ? ` · the largest ${layer.order.length}` : ""}`));
      else {
        const isTight = (length - 180) / (n - 1) < 150, size = isTight ? " tight" : "";
        words.append(svg("text", { class: `name${size}`, x: along, y: 14, "text-anchor": "middle" }, name),
          svg("text", { class: size, x: along, y: 30, "text-anchor": "middle" }, `${shape}${more > 0 && !isTight ? `, ${layer.order.length} shown` : ""}`));
      }
    });
    this.tie(picture, squares, isTall);
    squares.forEach((layer, number) => layer.places.forEach(({ x, y, size }, k) => {
      if (layer.colours) {  // one square for the three features of a pixel
        if (k % 3 === 0) picture.append(svg("rect", { x: x - size / 2, y: y - size / 2, width: size, height: size, fill: `rgb(${layer.colours.slice(k, k + 3)})`, "shape-rendering": "crispEdges" }));
        return;
      }
      const value = layer.shades ? layer.shades[k] : layer.values[k], box = { x: x - size / 2, y: y - size / 2, width: size, height: size, rx: Math.min(3, size / 4) };
      picture.append(svg("rect", { ...box, class: "bed" }),
        svg("rect", { ...box, class: layer.shades ? "ink" : value < 0 ? "unit minus" : "unit", "fill-opacity": (Math.abs(value) / layer.most).toFixed(3) }, svg("title", {}, `${k}: ${short(layer.values[k])}`)));
      if (number === n - 1 && !isTall && layer.order.length <= 16 && outputs.at(-1).length === model.units.length) {
        picture.append(svg("text", { x: x + size / 2 + 7, y: y + 4 }, `${model.units[k]}  ${fixed(value, 1)}`));
      }
    }));
    picture.append(words);  // over the lines
    this.box.replaceChildren(picture);
  }

  get isPicture() {
    const [height, width, channels = 1] = this.model.schema.picture_shape ?? [];
    return [1, 3].includes(channels) && height * width <= 1024;
  }

  // A picture's pixels as a picture, instead of in a line; how much more room it takes, or 0.
  pixels(layer, isTall, across) {
    if (!this.isPicture) return 0;
    const [height, width, channels = 1] = this.model.schema.picture_shape, { kind, scale, shift } = this.model.encoder;
    const side = isTall ? 80 : 150, size = side / Math.max(height, width);
    const least = Math.min(...layer.values), most = Math.max(...layer.values);
    layer.most = most - least || 1;
    layer.shades = layer.values.map((value) => value - least);
    layer.order = layer.values.map((_, k) => k);
    if (channels === 3) {
      const raw = (value) => (kind === "picture" ? (value - shift) / scale : 255 * ((value - least) / layer.most));
      layer.colours = layer.values.map((value) => Math.round(raw(value) * (kind === "picture" && brightest(this.model.encoder) === 1 ? 255 : 1)));
    }
    layer.order.forEach((k) => {
      const pixel = Math.floor(k / channels), x = (pixel % width) * size, y = Math.floor(pixel / width) * size;
      const [left, top] = isTall ? [across / 2 - side / 2, 26] : [4, 40 + across / 2 - side / 2];
      layer.places.set(k, { x: left + x + size / 2, y: top + y + size / 2, size: size - (size > 6 ? 1 : 0) });
    });
    return 64;
  }

  // The products of weight and output that count most, between dense layers.
  tie(picture, squares, isTall) {
    const { model } = this, arrays = model.networks[this.chosen];
    const dense = model.layers.map((layer, number) => [layer, number]).filter(([layer]) => layer.kind === "dense");
    dense.forEach(([, number], at) => {
      const to = squares[squares.length - dense.length + at], from = squares[squares.length - dense.length + at - 1];
      const { weights } = arrays[number], d = weights.length / to.values.length, ties = [];
      if (from.values.length !== d) return;  // columns stand between
      let least = 0;  // what a tie must exceed: a picture has too many to sort them all
      const largest = () => ties.sort((a, b) => Math.abs(b[0]) - Math.abs(a[0])).splice(MOST_TIES);
      for (const k of to.order) {
        for (const j of from.order) {
          const value = weights[k * d + j] * from.values[j];
          if (Math.abs(value) <= least) continue;
          if (ties.push([value, j, k]) < 16 * MOST_TIES) continue;
          largest();
          least = Math.abs(ties.at(-1)[0]);
        }
      }
      largest();
      const most = Math.abs(ties[0]?.[0] ?? 0);
      for (const [value, j, k] of ties) {
        const a = from.places.get(j), b = to.places.get(k);
        const middle = isTall ? [a.x, (a.y + b.y) / 2, b.x, (a.y + b.y) / 2] : [(a.x + b.x) / 2, a.y, (a.x + b.x) / 2, b.y];
        picture.append(svg("path", { class: value < 0 ? "tie minus" : "tie", d: `M${a.x} ${a.y}C${middle.join(" ")} ${b.x} ${b.y}`, "stroke-width": (0.4 + 2 * Math.abs(value) / most).toFixed(2), opacity: (0.12 + 0.5 * Math.abs(value) / most).toFixed(2) }));
      }
    });
  }
}
