// A picture file as a row, as `fromlogits predict` makes it one: upright, over white, resized as Pillow resizes.

const PICTURE_TYPES = "image/png,image/jpeg,image/webp,image/gif,image/bmp", MOST_PIXELS = 80_000_000, WEIGHT_BITS = 22;

// For each output pixel the first input pixel and the weights from there on: a triangle as wide as the scale.
function triangles(from, to) {
  const scale = from / to, wide = Math.max(1, scale), narrow = 1 / wide;
  return Array.from({ length: to }, (_, at) => {
    const middle = (at + 0.5) * scale;
    const first = Math.max(0, Math.trunc(middle - wide + 0.5)), end = Math.min(from, Math.trunc(middle + wide + 0.5));
    const heights = Array.from({ length: end - first }, (_, k) => Math.max(0, 1 - Math.abs((k + first - middle + 0.5) * narrow)));
    const share = 1 / heights.reduce((total, height) => total + height, 0);
    return { first, weights: heights.map((height) => Math.floor(0.5 + height * share * 2 ** WEIGHT_BITS)) };
  });
}

// One side of some lines of pixels made longer or shorter, in whole numbers from 0 to 255.
function stretched(values, n, from, to, place) {
  const out = new Uint8ClampedArray(n * to), half = 2 ** (WEIGHT_BITS - 1);
  triangles(from, to).forEach(({ first, weights }, at) => {
    for (let line = 0; line < n; line++) {
      let total = half;
      weights.forEach((weight, k) => { total += weight * values[place(line, first + k, from)]; });
      out[place(line, at, to)] = Math.floor(total / 2 ** WEIGHT_BITS);
    }
  });
  return out;
}

function resized(values, [height, width], [newHeight, newWidth], channels) {
  const along = (line, at, length) => (Math.floor(line / channels) * length + at) * channels + (line % channels);
  const down = (line, at) => at * newWidth * channels + line;
  const wide = stretched(values, height * channels, width, newWidth, along);
  return stretched(wide, newWidth * channels, height, newHeight, down);
}

// A promise of the row, and of the size that the file's picture has; BadValue for what is no picture.
async function pictureOf(file, [height, width, channels = 1]) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" });
  } catch {
    throw new BadValue(`${file.name} is no picture that this browser reads, or it is damaged.`);
  }
  const size = [bitmap.height, bitmap.width];
  if (size[0] * size[1] > MOST_PIXELS) throw new BadValue(`${file.name} has more than ${MOST_PIXELS.toLocaleString("en")} pixels.`);
  const context = new OffscreenCanvas(size[1], size[0]).getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#fff";
  context.fillRect(0, 0, size[1], size[0]);
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, size[1], size[0]), values = new Uint8ClampedArray(size[0] * size[1] * channels);
  for (let pixel = 0; pixel < size[0] * size[1]; pixel++) {
    const [r, g, b] = data.subarray(4 * pixel, 4 * pixel + 3);
    if (channels === 3) values.set([r, g, b], 3 * pixel);
    else values[pixel] = (r * 19595 + g * 38470 + b * 7471 + 32768) >> 16;
  }
  return { values: Array.from(resized(values, size, [height, width], channels)), size };
}

// A button, and the whole card to drop a file on; `opened` is given the row and what became of the picture.
function pictureChooser(model, opened, failed) {
  const [height, width] = model.schema.picture_shape;
  const open = (file) => pictureOf(file, model.schema.picture_shape).then(({ values, size }) => {
    const made = `made ${height} × ${width}`, isSame = size[0] === height && size[1] === width;
    const how = isSame ? "taken as they are" : model.schema.is_of_files ? `${made} as the training’s pictures were` : `${made} here; the model learned from arrays, and does not know how those were made`;
    opened(values, `${file.name}: ${size[0]} × ${size[1]} pixels, ${how}.`);
  }).catch(failed);
  const input = el("input", { type: "file", id: "file", accept: PICTURE_TYPES });
  input.addEventListener("change", () => {
    if (input.files[0]) open(input.files[0]);
    input.value = "";  // so that the same file can be opened again
  });
  const card = byId("input"), over = (isOver) => card.classList.toggle("over", isOver);
  card.addEventListener("dragover", (event) => { event.preventDefault(); over(true); });
  card.addEventListener("dragleave", () => over(false));
  card.addEventListener("drop", (event) => {
    event.preventDefault();
    over(false);
    if (event.dataTransfer.files[0]) open(event.dataTransfer.files[0]);
  });
  return el("div", { class: "row" }, el("label", { class: "open" }, "Open a picture ", input), el("span", { class: "hint" }, "or drop one here."));
}
