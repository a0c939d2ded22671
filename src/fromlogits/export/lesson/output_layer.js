// The output layer as a table of bars, the networks it is the mean of, and the loss both ways.

const MOST_UNITS = 40, LARGEST_UNITS = 20;

function unitsShown(model, logits, truth) {
  const all = logits.map((_, k) => k);
  if (all.length <= MOST_UNITS) return all;
  const ranked = [...all].sort((a, b) => logits[b] - logits[a]).slice(0, LARGEST_UNITS);
  return [...new Set([...ranked, ...all.filter((k) => truth && truth[k] === 1)])].sort((a, b) => a - b);
}

class OutputLayer {
  constructor(model, changed) {
    this.model = model;
    this.thresholds = model.thresholds;
    this.changed = changed;
    this.table = el("tbody");
    this.foot = el("tfoot");
    this.note = el("p", { class: "hint" });
    this.each = el("div", {});
    const softmax = model.head === "softmax", { temperatures, biases } = model.calibration;
    const heads = softmax ? ["class", "z", "z − max", "exp", "a", ""] : [model.isMultiLabel ? "label" : "class", "z", "a", "", "cut", "answer"];
    byId("output-hint").textContent = (softmax
      ? "Each unit’s logit z; the largest is subtracted, then exp, then all are divided by their sum: the probability a."
      : "Each unit is a question of its own: a = 1 / (1 + exp(−z)), and yes where the bar passes its threshold, the cut. Drag the handle.")
      + (biases ? " z is calibrated: divided by the label’s temperature, plus its bias." : temperatures[0] === 1 ? "" : ` z is calibrated: divided by the temperature ${short(temperatures[0])}.`);
    byId("output-body").append(el("div", { class: "wide", tabindex: 0, role: "region", "aria-label": "Output units" },
      el("table", {}, el("thead", {}, el("tr", {}, heads.map((name) => (name ? el("th", { scope: "col", class: name === "cut" && "cut-text" }, name) : el("td"))))), this.table, this.foot)), this.note);
    if (model.n_networks > 1) {
      byId("output-body").append(el("details", { id: "each" }, el("summary", {}, `Each of the ${model.n_networks} networks`),
        el("p", { class: "hint" }, model.a_round > 1 ? "Each label has a network of its own." : "The answer is the mean of their probabilities, computed from their logits."), this.each));
    }
    this.rows = new Map();
  }

  row(k) {
    if (this.rows.has(k)) return this.rows.get(k);
    const { model } = this, softmax = model.head === "softmax";
    const cell = () => el("td"), fill = el("span", { class: "fill" });
    const track = el("span", { class: "track", "aria-hidden": "true" }, fill);
    const parts = { z: cell(), below: cell(), exp: cell(), a: cell(), fill, answer: cell() };
    const name = el("th", { scope: "row", title: model.units[k] }, model.units[k]);
    if (softmax) parts.tr = el("tr", {}, name, parts.z, parts.below, parts.exp, parts.a, el("td", { class: "bar" }, track));
    else {
      parts.cut = el("input", {
        type: "range", min: 0, max: 1, step: 0.001, value: this.thresholds[k], "aria-label": `Threshold of ${model.units[k]}`, "data-unit": k,
        oninput: (event) => { this.thresholds[k] = Number(event.target.value); this.changed(); },
      });
      parts.cutText = el("td", { class: "cut-text" });
      parts.tr = el("tr", {}, name, parts.z, parts.a, el("td", { class: "bar" }, el("div", { class: "cut" }, track, parts.cut)), parts.cutText, parts.answer);
    }
    this.rows.set(k, parts);
    return parts;
  }

  show(result, decided, truth) {
    const { model } = this, softmax = model.head === "softmax";
    const { below, exps, others, top } = shifted(result.logits);
    const probabilities = result.probabilities.slice(-result.logits.length);
    const shown = unitsShown(model, result.logits, truth);
    const [places, digits] = isNarrow() ? [1, 2] : [3, 4];
    const trs = shown.map((k) => {
      const parts = this.row(k), a = probabilities[k];
      parts.z.textContent = fixed(result.logits[k], places);
      parts.a.textContent = short(a, digits);
      parts.fill.style.width = `${100 * a}%`;
      if (softmax) {
        parts.below.textContent = fixed(below[k], places);
        parts.exp.textContent = short(exps[k], digits);
        parts.tr.className = decided === k ? "chosen" : "";
      } else {
        const isYes = a > this.thresholds[k];
        parts.cutText.textContent = String(Number(this.thresholds[k].toFixed(3)));
        parts.answer.textContent = isYes ? "yes" : "no";
        parts.answer.className = isYes ? "yes" : "";
        parts.tr.className = isYes ? "chosen" : "";
      }
      return parts.tr;
    });
    if (trs.length !== this.table.children.length || trs.some((tr, at) => this.table.children[at] !== tr)) this.table.replaceChildren(...trs);
    if (softmax) {
      this.foot.replaceChildren(el("tr", {}, el("th", { scope: "row" }, "sum"), el("td"), el("td"), el("td", {}, short(1 + others)), el("td", {}, short(sum(probabilities))), el("td")));
      this.note.textContent = `The largest, ${model.units[top]}, has exp(0) = 1; the others together ${short(others)}.`;
    } else if (model.isOneUnit) {
      this.note.textContent = `One unit answers for ${model.classes[1]}; ${model.classes[0]} has the rest, 1 − a = ${short(result.probabilities[0])}.`;
    }
    if (shown.length < result.logits.length) this.note.textContent += ` Shown are the largest of ${result.logits.length.toLocaleString("en")}.`;
    if (byId("each")?.open) this.showEach(result, shown);
  }

  showEach(result, shown) {
    const { model } = this;
    const numbers = (network) => {
      const z = result.each[network];
      if (model.head === "softmax") return fromLogits.softmax(z, model.float);
      return z.map((one) => fromLogits.sigmoid(one, model.float));
    };
    const labels = model.a_round > 1 ? ["network", "z", "a"] : ["network", ...shown.map((k) => model.units[k])];
    const rows = result.each.slice(0, 60).map((z, network) => {
      const a = numbers(network);
      const name = model.a_round > 1 ? model.units[network % model.a_round] : String(network + 1);
      const cells = model.a_round > 1 ? [fixed(z[0], 3), short(a[0])] : shown.map((k) => short(a[k], 3));
      return el("tr", {}, el("th", { scope: "row" }, name), cells.map((text) => el("td", {}, text)));
    });
    this.each.replaceChildren(el("div", { class: "wide", tabindex: 0, role: "region", "aria-label": "Networks" },
      el("table", {}, el("thead", {}, el("tr", {}, labels.map((label) => el("th", { scope: "col" }, label)))), el("tbody", {}, rows))));
  }
}

// The true class is chosen; the loss from the logits beside the textbook's, which has only the float32 probabilities.
class LossPanel {
  constructor(model, changed) {
    this.model = model;
    this.body = el("div");
    const body = byId("loss-body");
    if (model.isMultiLabel) {
      this.boxes = model.units.slice(0, MOST_UNITS).map((label, k) => el("input", { type: "checkbox", "data-label": k, onchange: changed }));
      body.append(fieldset("True labels", this.boxes.map((box, k) => el("label", {}, box, ` ${model.units[k]}`))));
    } else {
      this.select = el("select", { id: "truth", onchange: changed }, model.classes.map((name, k) => el("option", { value: k }, name)));
      body.append(el("label", {}, "True class ", this.select));
    }
    body.append(this.body);
  }

  set(names) {
    if (this.select) this.select.value = String(Math.max(0, this.model.classes.indexOf(names[0])));
    else this.boxes.forEach((box, k) => { box.checked = names.includes(this.model.units[k]); });
  }

  // By unit 0 or 1.
  get truth() {
    const { model } = this;
    if (!this.select) return model.units.map((_, k) => (this.boxes[k]?.checked ? 1 : 0));
    const y = Number(this.select.value);
    return model.isOneUnit ? [y] : model.units.map((_, k) => (k === y ? 1 : 0));
  }

  show({ logits, probabilities }) {
    const { float, head, units, isOneUnit } = this.model, t = this.truth;
    const a = probabilities.slice(-logits.length);
    let pairs;
    if (head === "softmax") {
      const y = t.indexOf(1);
      pairs = [[`class ${units[y]}`, fromLogits.softmaxLoss(logits, y, float), textbook.softmaxLoss(a, y, float)]];
    } else {
      const shown = unitsShown(this.model, logits, t);
      pairs = shown.map((k) => [isOneUnit ? "one unit" : units[k], fromLogits.sigmoidLoss(logits[k], t[k], float), textbook.sigmoidLoss(a[k], t[k], float)]);
    }
    const words = head === "softmax" ? ["(max − z) + log1p(others)", "−log a"] : ["max(∓z, 0) + log1p(exp(−|z|))", "−t log a − (1 − t) log(1 − a)"];
    this.body.replaceChildren(
      el("div", { class: "wide", tabindex: 0, role: "region", "aria-label": "Losses" }, el("table", { id: "losses", class: "stacked" },
        el("thead", {}, el("tr", {}, ["loss of", ...BOTH_WAYS].map((name) => el("th", { scope: "col" }, name)))),
        el("tbody", {}, pairs.map(([name, ours, theirs]) => bothWays(name, ours, theirs, "float32"))))),
      el("p", { class: "hint" }, `From the logits: ${words[0]}. Textbook: ${words[1]}, of the float32 probability. Digits it has lost are red and underlined.`),
    );
  }
}
