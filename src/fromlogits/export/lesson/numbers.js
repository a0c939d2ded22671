// Losses and probabilities, each step rounded to a type: from the logits, and as textbooks write them.

const FLOATS = {
  float32: { round: Math.fround, digits: 9, held: 24 * Math.LOG10E * Math.LN2 },
  float64: { round: (x) => x, digits: 17, held: 53 * Math.LOG10E * Math.LN2 },
};

const sum = (values) => values.reduce((total, value) => total + value, 0);

// z_k - max, their exp and the sum of all but the largest's own 1.
function shifted(logits) {
  let top = 0;
  logits.forEach((z, k) => { if (z > logits[top]) top = k; });
  const below = Array.from(logits, (z) => (z === logits[top] ? 0 : z - logits[top]));
  const exps = below.map(Math.exp);
  let others = 0;
  exps.forEach((e, k) => { if (k !== top) others += e; });
  return { top, below, exps, others };
}

const fromLogits = {
  sigmoid(z, { round }) {
    const e = Math.exp(-Math.abs(z));
    return round((z >= 0 ? 1 : e) / (1 + e));
  },
  sigmoidLoss(z, t, { round }) {
    return round((t ? Math.max(-z, 0) : Math.max(z, 0)) + Math.log1p(Math.exp(-Math.abs(z))));
  },
  sigmoidGradient(z, t, { round }) {
    const e = Math.exp(-Math.abs(z));
    return round((z >= 0 ? 1 - t - t * e : (1 - t) * e - t) / (1 + e));
  },
  softmax(logits, { round }) {
    const { exps, others } = shifted(logits);
    return exps.map((e) => round(e / (1 + others)));
  },
  softmaxLoss(logits, y, { round }) {
    const { below, others } = shifted(logits);
    return round(-below[y] + Math.log1p(others));
  },
  softmaxGradient(logits, y, { round }) {  // minus the sum of the others, never p - 1
    const { exps, others } = shifted(logits);
    let wrong = 0;
    exps.forEach((e, k) => { if (k !== y) wrong += e; });
    return round(-wrong / (1 + others));
  },
};

// A sum, each addition rounded, in the order in which NumPy adds: eight at a time, halves of many.
function pairwise(values, round) {
  const n = values.length, add = (a, b) => round(a + b);
  if (n < 8) return values.reduce(add, 0);
  if (n > 128) {
    const half = Math.floor(n / 2) - (Math.floor(n / 2) % 8);
    return add(pairwise(values.slice(0, half), round), pairwise(values.slice(half), round));
  }
  const r = values.slice(0, 8), whole = n - (n % 8);
  for (let at = 8; at < whole; at++) r[at % 8] = add(r[at % 8], values[at]);
  const eight = add(add(add(r[0], r[1]), add(r[2], r[3])), add(add(r[4], r[5]), add(r[6], r[7])));
  return values.slice(whole).reduce(add, eight);
}

const textbook = {
  sigmoid(z, { round }) {
    return round(1 / round(1 + round(Math.exp(-z))));
  },
  sigmoidLoss(a, t, { round }) {
    const yes = round(t * round(Math.log(a)));
    const no = round((1 - t) * round(Math.log(round(1 - a))));
    return round(-yes - no);
  },
  softmax(logits, { round }) {
    const exps = Array.from(logits, (z) => round(Math.exp(z)));
    const total = pairwise(exps, round);
    return exps.map((e) => round(e / total));
  },
  softmaxLoss(probabilities, y, { round }) {
    return -round(Math.log(probabilities[y]));
  },
  gradient(a, t, { round }) {
    return round(a - t);
  },
};

const RIVALS = 9;  // beside the true class
const alone = (z, offset, { round }) => [round(z + offset), ...Array(RIVALS).fill(round(offset))];

// What the slider moves: each loss as a function of one z, in a type.
const QUESTIONS = {
  yes: {
    name: "logistic, true answer yes", ours: (z, f) => fromLogits.sigmoidLoss(z, 1, f),
    theirs: (z, f) => textbook.sigmoidLoss(textbook.sigmoid(z, f), 1, f),
    ourGradient: (z, f) => fromLogits.sigmoidGradient(z, 1, f),
    theirGradient: (z, f) => textbook.gradient(textbook.sigmoid(z, f), 1, f),
  },
  no: {
    name: "logistic, true answer no", ours: (z, f) => fromLogits.sigmoidLoss(z, 0, f),
    theirs: (z, f) => textbook.sigmoidLoss(textbook.sigmoid(z, f), 0, f),
    ourGradient: (z, f) => fromLogits.sigmoidGradient(z, 0, f),
    theirGradient: (z, f) => textbook.gradient(textbook.sigmoid(z, f), 0, f),
  },
  softmax: softmaxQuestion("softmax of ten, the others at 0", 0),
  raised: softmaxQuestion("the same, all ten raised by 80", 80),
};

function softmaxQuestion(name, offset) {
  return {
    name,
    ours: (z, f) => fromLogits.softmaxLoss(alone(z, offset, f), 0, f),
    theirs: (z, f) => textbook.softmaxLoss(textbook.softmax(alone(z, offset, f), f), 0, f),
    ourGradient: (z, f) => fromLogits.softmaxGradient(alone(z, offset, f), 0, f),
    theirGradient: (z, f) => textbook.gradient(textbook.softmax(alone(z, offset, f), f)[0], 1, f),
  };
}

const kindOf = (value) => (value === 0 ? "0" : Number.isNaN(value) ? "NaN" : Number.isFinite(value) ? "" : "inf");

// By kind, the z nearest to 0 on one side at which a loss is 0, inf or NaN. A step of 1/64 finds where; then every
// float32 in the distance of 1 before that is tried, and of float64 65 537 of them.
function firstFailures(of, side, type) {
  const f = FLOATS[type], found = {};
  const steps = (type === "float64" ? 1024 : 128) * 64;
  const coarse = {};
  for (let step = 0; step <= steps; step++) {
    const kind = kindOf(of(side * step / 64, f));
    if (kind && !(kind in coarse)) coarse[kind] = step / 64;
  }
  for (const [kind, last] of Object.entries(coarse)) {
    for (const z of allUpTo(last, type)) {
      if (kindOf(of(side * z, f)) === kind) {
        found[kind] = side * z;
        break;
      }
    }
  }
  return found;
}

function* allUpTo(last, type) {
  const first = Math.max(last - 1, 0);
  if (type === "float64") {
    for (let step = 0; step <= 65536; step++) yield first + (last - first) * step / 65536;
    return;
  }
  const number = new Float32Array(1), bits = new Int32Array(number.buffer);
  for (number[0] = first; number[0] <= last; bits[0]++) yield number[0];
}

// How many of its decimal digits an error has cost a number of the type.
function digitsLost(found, truth, type) {
  const { held } = FLOATS[type];
  if (!Number.isFinite(found)) return held;
  if (truth === 0) return found === 0 ? 0 : held;
  const least = type === "float32" ? 2 ** -149 : 2 ** -1074;
  const ulp = Math.max(2 ** (Math.floor(Math.log2(Math.abs(truth))) - (type === "float32" ? 23 : 52)), least);
  const error = Math.abs(found - truth) / ulp;
  return Math.min(Math.log10(Math.max(error, 1)), held);
}
