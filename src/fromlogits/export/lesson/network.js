// The model's forward pass, one function for each layer: float64 throughout, the logits rounded once to float32.

function bytesOf(base64) {
  const text = atob(base64), bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

// erf(x) = 2/√π e^(-x²) Σ 2^n x^(2n+1) / (2n+1)!!, whose terms are all of one sign; far out 1 - e^(-x²) / (x√π) …
function erf(x) {
  const far = Math.abs(x);
  if (far > 6) return Math.sign(x);
  let term = far, total = far;
  for (let n = 1; term > total * 1e-17 && n < 300; n++) {
    term *= (2 * far * far) / (2 * n + 1);
    total += term;
  }
  return Math.sign(x) * Math.min(1, (2 / Math.sqrt(Math.PI)) * Math.exp(-far * far) * total);
}

const SELU_SCALE = 1.0507009873554805, SELU_ALPHA = 1.6732632423543772;
const sigmoid = (z) => (z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z)));
const selu = (z) => (z > 0 ? SELU_SCALE * z : SELU_SCALE * SELU_ALPHA * Math.expm1(z));
const ACTIVATIONS = {
  linear: (z) => z,
  relu: (z) => (z > 0 ? z : 0),
  tanh: Math.tanh,
  gelu: (z) => z * 0.5 * (1 + erf(z / Math.SQRT2)),
  silu: (z) => z * sigmoid(z),
  selu,
  sigmoid,
  parametric_selu: (z, slope) => z + slope * (selu(z) - z),
};

function dense({ activation }, { weights, biases, slopes }, x) {
  const of = ACTIVATIONS[activation];
  return Float64Array.from(biases, (bias, unit) => {
    let z = 0;
    for (let at = 0, place = unit * x.length; at < x.length; at++, place++) z += weights[place] * x[at];
    return of(z + bias, slopes && slopes[unit]);
  });
}

const scaling = (layer, { factors }, x) => x.map((value, at) => value * factors[at]);

// Of each number itself, and W cos(2π (f x + p)) + s.
function periodic({ frequencies: f, mixtures: m }, { frequencies, phases, mixtures, shifts }, numbers) {
  const out = [];
  numbers.forEach((x, k) => {
    out.push(x);
    const waves = Array.from({ length: f }, (_, wave) =>
      Math.cos(2 * Math.PI * (x * frequencies[k * f + wave] + phases[k * f + wave])));
    for (let j = 0; j < m; j++) {
      out.push(sum(waves.map((wave, i) => mixtures[(k * m + j) * f + i] * wave)) + shifts[k * m + j]);
    }
  });
  return out;
}

// Of each number itself, and W enc(x) + s: in each bin how far the number has come through it, 0 of one without width.
function piecewise({ bins: b, mixtures: m }, { edges, mixtures, shifts }, numbers) {
  const out = [];
  numbers.forEach((x, k) => {
    out.push(x);
    const code = Array.from({ length: b }, (_, bin) => {
      const left = edges[k * (b + 1) + bin], width = edges[k * (b + 1) + bin + 1] - left;
      return width > 0 ? Math.min(1, Math.max(0, (x - left) / width)) : 0;
    });
    for (let j = 0; j < m; j++) {
      out.push(sum(code.map((part, i) => mixtures[(k * m + j) * b + i] * part)) + shifts[k * m + j]);
    }
  });
  return out;
}

// The vector of each category's value; zeros of the code -1.
function embedding({ outputs }, { vectors }, codes, counts) {
  let first = 0;
  return codes.flatMap((code, k) => {
    const start = (first + code) * outputs;
    first += counts[k];
    return code < 0 ? Array(outputs).fill(0) : Array.from(vectors.subarray(start, start + outputs));
  });
}

const COLUMNS = { periodic, piecewise, embedding };
const LAYERS = { scaling, dense };

// The networks of a model, and what becomes of their logits.
class Model {
  constructor(data) {
    Object.assign(this, data);
    this.float = FLOATS.float32;
    const parameters = new Float32Array(bytesOf(data.parameters).buffer);
    let at = 0;
    this.networks = Array.from({ length: data.n_networks }, () =>
      data.arrays.map((shapes) => Object.fromEntries(Object.entries(shapes).map(([name, shape]) => {
        const size = shape.reduce((product, length) => product * length, 1);
        at += size;
        return [name, parameters.subarray(at - size, at)];
      }))));
    this.encode = encoderOf(data.encoder, data.schema);
    this.isMultiLabel = data.task === "multi-label";
    this.isOneUnit = data.head === "sigmoid" && !this.isMultiLabel;
    this.units = this.isOneUnit ? data.classes.slice(1) : data.classes;
  }

  // What each layer of a network gives, and last its logits.
  layersOf(network, features) {
    const arrays = this.networks[network];
    const front = this.layers.filter((layer) => layer.kind in COLUMNS);
    const embedded = new Set();
    let x = features;
    const outputs = [];
    if (front.length) {
      const pieces = front.flatMap((layer) => {
        const isEmbedding = layer.kind === "embedding";
        const places = isEmbedding ? this.categories.map(([place]) => place) : this.numbers;
        places.forEach((place) => embedded.add(place));
        const values = places.map((place) => features[place]);
        const counts = this.categories.map(([, count]) => count);
        const piece = COLUMNS[layer.kind](layer, arrays[this.layers.indexOf(layer)], values, counts);
        outputs.push(piece);
        return piece;
      });
      features.forEach((value, place) => { if (!embedded.has(place)) pieces.push(value); });
      x = Float64Array.from(pieces);
    }
    this.layers.forEach((layer, number) => {
      if (!(layer.kind in LAYERS)) return;
      x = LAYERS[layer.kind](layer, arrays[number], x);
      outputs.push(x);
    });
    return outputs;
  }

  // Of raw values everything that the page shows.
  run(values) {
    const features = this.encode(values);
    const layers = this.networks.map((_, network) => this.layersOf(network, features));
    const each = layers.map((outputs) => Array.from(outputs.at(-1), Math.fround));
    const raw = Array.from({ length: this.a_round }, (_, label) =>
      this.combined(each.filter((_, network) => network % this.a_round === label))).flat();
    const logits = raw.map((z, k) => this.calibrated(z, k));
    const probabilities = this.isOneUnit
      ? [fromLogits.sigmoid(-logits[0], this.float), fromLogits.sigmoid(logits[0], this.float)]
      : this.head === "softmax" ? fromLogits.softmax(logits, this.float)
        : logits.map((z) => fromLogits.sigmoid(z, this.float));
    return { features, layers, each, raw, logits, probabilities };
  }

  // The logits of the mean of the networks' probabilities.
  combined(networks) {
    if (networks.length === 1) return networks[0];
    const mean = (of) => networks[0].map((_, k) => logMeanExp(networks.map((logits) => of(logits)[k])));
    if (this.head === "softmax") {
      return mean((logits) => {
        const { below, others } = shifted(logits);
        return below.map((z) => z - Math.log1p(others));
      }).map(Math.fround);
    }
    const logSigmoid = (z) => Math.min(z, 0) - Math.log1p(Math.exp(-Math.abs(z)));
    const yes = mean((logits) => logits.map(logSigmoid)), no = mean((logits) => logits.map((z) => logSigmoid(-z)));
    return yes.map((_, k) => {
      const lean = sum(networks.map((logits) => Math.tanh(0.5 * logits[k]))) / networks.length;
      return Math.fround(Math.abs(lean) < 0.5 ? 2 * Math.atanh(lean) : yes[k] - no[k]);
    });
  }

  calibrated(z, unit) {
    const { temperatures, biases } = this.calibration;
    if (biases) return Math.fround(z / temperatures[unit] + biases[unit]);
    return Math.fround(z / temperatures[0]);
  }

  // The class, or 0 and 1 for each label; thresholds may be others than the model's.
  decide(probabilities, thresholds) {
    const { kind, factors, charges, costs } = this.rule;
    if (kind === "thresholds") return probabilities.map((a, k) => (a > thresholds[k] ? 1 : 0));
    if (kind === "second_class") return probabilities[1] > thresholds[0] ? 1 : 0;
    if (kind === "scores") return largest(probabilities.map((a, k) => a * factors[k] - charges[k]));
    if (kind === "costs") {
      return largest(probabilities.map((_, j) => -sum(probabilities.map((a, k) => a * costs[k][j]))));
    }
    return largest(probabilities);
  }

  get thresholds() {
    const { kind, thresholds, threshold } = this.rule;
    return kind === "thresholds" ? [...thresholds] : kind === "second_class" ? [threshold] : null;
  }
}

// By what `computed` says: where the forward pass takes place.
const MODELS = { here: Model };

const largest = (values) => values.reduce((best, value, k) => (value > values[best] ? k : best), 0);

function logMeanExp(values) {
  const top = Math.max(...values);
  return top + Math.log1p(sum(values.map((value) => Math.expm1(value - top))) / values.length);
}
