// From a drawing to pixels, as the training data was made. A stroke is a list of points [x, y], from 0 to 1.

// The 8 x 8 digits were fitted into 20 x 32 of a bitmap of 32 x 32, their pens made so thick that each has about as
// much ink, and the set pixels of each block of 4 x 4 counted.
const BITMAP = 32, FITTED_WIDTH = 20, INK = 313;
// The 28 x 28 digits were fitted into 20 x 20 in shades of grey, and their centre of mass put into the middle.
const BOX = 20 / 28, PEN = 1.15 / 28;

// The brightest value that a pixel has: 1, 16 or 255, by the mean and the spread of the training's pixels.
function brightest({ scale, shift }) {
  const likely = (1 - shift) / scale;
  return [1, 16].find((most) => most >= likely) ?? 255;
}

function reduced(strokes, [height, width], most) {
  const pixels = new Float32Array(height * width);
  if (!strokes.length) return pixels;
  return height === 8 && width === 8 ? counted(strokes, most) : shaded(strokes, height, width, most);
}

function extent(strokes) {
  const [xs, ys] = [0, 1].map((axis) => strokes.flat().map((point) => point[axis]));
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  return { x: (left + right) / 2, y: (top + bottom) / 2, width: right - left, height: bottom - top };
}

const moved = (strokes, of) => strokes.map((stroke) => stroke.map(of));

// Squared distance of each pixel's middle to the nearest stroke.
function distances(strokes, height, width) {
  const found = new Float64Array(height * width).fill(Infinity);
  for (const stroke of strokes) {
    for (let at = 0; at < Math.max(1, stroke.length - 1); at++) {
      const [ax, ay] = stroke[at], [bx, by] = stroke[at + 1] ?? stroke[at];
      const dx = bx - ax, dy = by - ay, length = dx * dx + dy * dy;
      for (let row = 0, place = 0; row < height; row++) {
        for (let column = 0; column < width; column++, place++) {
          const x = column + 0.5 - ax, y = row + 0.5 - ay;
          const along = length ? Math.min(1, Math.max(0, (x * dx + y * dy) / length)) : 0;
          const distance = (x - along * dx) ** 2 + (y - along * dy) ** 2;
          if (distance < found[place]) found[place] = distance;
        }
      }
    }
  }
  return found;
}

function counted(strokes, most) {
  const { x, y, width, height } = extent(strokes);
  let radius = 2, found;
  for (let turn = 0; turn < 4; turn++) {
    const high = Math.max(1, BITMAP - 2 * radius), wide = Math.max(1, FITTED_WIDTH - 2 * radius);
    const down = high / Math.max(height, 0.02), across = Math.min(down, wide / Math.max(width, 0.02));
    const fit = ([px, py]) => [(px - x) * across + BITMAP / 2, (py - y) * Math.min(down, 3 * across) + BITMAP / 2];
    found = distances(moved(strokes, fit), BITMAP, BITMAP);
    radius = Math.min(6, Math.sqrt(Float64Array.from(found).sort()[INK]));
  }
  const pixels = new Float32Array(64);
  found.forEach((distance, place) => {
    const row = Math.floor(place / BITMAP / 4), column = Math.floor((place % BITMAP) / 4);
    if (distance <= radius * radius) pixels[8 * row + column] += most / 16;
  });
  return pixels;
}

function shaded(strokes, height, width, most) {
  const side = Math.min(height, width), { x, y, width: wide, height: high } = extent(strokes);
  const pen = PEN * side, scale = (BOX * side - 2 * pen) / Math.max(wide, high, 0.05);
  let fitted = moved(strokes, ([px, py]) => [(px - x) * scale + width / 2, (py - y) * scale + height / 2]);
  const shade = () => Float32Array.from(distances(fitted, height, width), (distance) =>
    most * Math.min(1, Math.max(0, pen + 0.5 - Math.sqrt(distance))));
  let pixels = shade(), mass = 0, right = 0, down = 0;
  pixels.forEach((value, place) => {
    mass += value;
    right += value * ((place % width) + 0.5);
    down += value * (Math.floor(place / width) + 0.5);
  });
  const shift = [Math.round(width / 2 - right / mass), Math.round(height / 2 - down / mass)];
  fitted = moved(fitted, ([px, py]) => [px + shift[0], py + shift[1]]);
  pixels = shade();
  return most === 1 ? pixels : pixels.map(Math.round);
}

// Pixels onto a canvas of as many; white on black, or in colours.
function show(canvas, values, [height, width, channels = 1], most) {
  canvas.width = width;
  canvas.height = height;
  canvas.style.aspectRatio = `${width} / ${height}`;
  const context = canvas.getContext("2d"), picture = context.createImageData(width, height);
  for (let place = 0; place < height * width; place++) {
    for (let colour = 0; colour < 3; colour++) {
      const value = values[place * channels + (channels === 3 ? colour : 0)] / most;
      picture.data[4 * place + colour] = 255 * (channels === 3 ? value : 1 - value);
    }
    picture.data[4 * place + 3] = 255;
  }
  context.putImageData(picture, 0, 0);
}

// A canvas to draw on by mouse, finger, pen or keys; `changed` is given the strokes.
function drawingPad(changed) {
  const size = 512, step = 1 / 24;
  const canvas = el("canvas", {
    class: "pad grey", id: "pad", width: size, height: size, tabindex: 0, role: "application",
    "aria-label": "Drawing area. Arrow keys move the pen, the space bar lowers or lifts it, Delete clears.",
  });
  const context = canvas.getContext("2d");
  let strokes = [], drawing = false, pen = null, isDown = false;

  function paint() {
    context.clearRect(0, 0, size, size);
    Object.assign(context, { lineWidth: 40, lineCap: "round", lineJoin: "round", strokeStyle: "#1d2026" });
    for (const stroke of strokes) {
      context.beginPath();
      stroke.forEach(([x, y], at) => context[at ? "lineTo" : "moveTo"](x * size, y * size));
      if (stroke.length === 1) context.lineTo(stroke[0][0] * size + 0.1, stroke[0][1] * size);
      context.stroke();
    }
    if (pen) {
      context.beginPath();
      context.arc(pen[0] * size, pen[1] * size, 12, 0, 7);
      context.fillStyle = isDown ? "#b3261e" : "#1f5fbf";
      context.fill();
    }
  }
  const told = () => { paint(); changed(strokes); };
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    [drawing, pen] = [true, null];
    strokes.push([at(event)]);
    told();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drawing) return;
    const stroke = strokes.at(-1), point = at(event), last = stroke.at(-1);
    if (Math.hypot(point[0] - last[0], point[1] - last[1]) < 0.008) return;
    stroke.push(point);
    told();
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => { drawing = false; });
  canvas.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
    if (!way && event.key !== " " && event.key !== "Delete") return;
    event.preventDefault();
    if (event.key === "Delete") return clear();
    pen ??= [0.5, 0.2];
    if (way) {
      pen = pen.map((value, axis) => Math.min(0.95, Math.max(0.05, value + way[axis])));
      if (isDown) strokes.at(-1).push(pen);
    } else {
      isDown = !isDown;
      if (isDown) strokes.push([pen]);
    }
    told();
  });
  canvas.addEventListener("blur", () => { [pen, isDown] = [null, false]; paint(); });

  function clear() {
    strokes = [];
    isDown = false;
    told();
  }
  // A picture instead of strokes, as large squares.
  function put(values, shape, most) {
    strokes = [];
    const small = el("canvas");
    show(small, values, shape, most);
    context.imageSmoothingEnabled = false;
    context.clearRect(0, 0, size, size);
    context.drawImage(small, 0, 0, size, size);
  }
  return { canvas, clear, put };
}

// A picture in colours that is painted on, pixel by pixel; `changed` is told.
function paintingPad(shape, most, changed) {
  const [height, width] = shape;
  const canvas = el("canvas", {
    class: "pad picture", id: "pad", tabindex: 0, role: "application",
    "aria-label": "Picture. Arrow keys move the brush, the space bar paints.",
  });
  const colour = el("input", { type: "color", value: "#2060c0", id: "colour" }), side = Math.max(height, width);
  const size = el("input", { type: "range", min: 1, max: Math.ceil(side / 4), value: Math.ceil(side / 12), id: "brush" });
  let values = new Float32Array(height * width * 3), spot = [width / 2, height / 2];
  const paint = () => show(canvas, values, shape, most);
  function dab(x, y) {
    const paintOf = [1, 3, 5].map((from) => (parseInt(colour.value.slice(from, from + 2), 16) / 255) * most);
    const radius = Number(size.value) / 2;
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        if (Math.abs(row + 0.5 - y) < radius && Math.abs(column + 0.5 - x) < radius) {
          paintOf.forEach((value, channel) => { values[3 * (row * width + column) + channel] = Math.round(value); });
        }
      }
    }
    paint();
    changed(values);
  }
  let drawing = false;
  const from = (event) => {
    const box = canvas.getBoundingClientRect();
    dab(((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height);
  };
  canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); drawing = true; from(event); });
  canvas.addEventListener("pointermove", (event) => { if (drawing) from(event); });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => { drawing = false; });
  canvas.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!way && event.key !== " ") return;
    event.preventDefault();
    if (way) spot = [Math.min(width, Math.max(0, spot[0] + way[0])), Math.min(height, Math.max(0, spot[1] + way[1]))];
    else dab(...spot);
  });
  const put = (given) => { values = Float32Array.from(given); paint(); };
  const tools = el("div", { class: "row" }, el("label", {}, "Colour ", colour), el("label", {}, "Brush ", size));
  return { canvas, put, tools };
}
