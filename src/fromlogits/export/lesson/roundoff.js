// One number in two ways, and the losses over z.

const SPANS = { float32: 110, float64: 800 };

function twoWays() {
  return Object.fromEntries(Object.entries(FLOATS).map(([type, { round }]) => {
    const small = round(1 / 10000);
    return [type, { quotient: round(2 / 10000), difference: round(round(1 + small) - round(1 - small)) }];
  }));
}

function buildRoundoff(model) {
  const body = byId("roundoff-body"), ways = twoWays();
  const digits = (x) => markedFrom(x.toFixed(18), Math.abs(x - 2 / 10000));
  body.append(
    el("p", {}, "Two ways to one number. The second goes through numbers near 1, which have no room for its last digits:"),
    el("div", { class: "wide", tabindex: 0, role: "region", "aria-label": "One number in two ways" }, el("table", { id: "two-ways", class: "stacked" },
      el("thead", {}, el("tr", {}, ["", "float64", "float32"].map((name) => (name ? el("th", { scope: "col" }, name) : el("td"))))),
      el("tbody", {}, [["2/10000", "quotient"], ["(1 + 1/10000) − (1 − 1/10000)", "difference"]].map(([name, way]) =>
        el("tr", {}, el("th", { scope: "row" }, name), ["float64", "float32"].map((type) => el("td", { class: "number", "data-name": type, "data-type": type, "data-way": way }, el("span", {}, digits(ways[type][way]))))))))),
    el("p", {}, "A probability near 1 is such a number. A loss computed from it has lost what the logits still knew:"),
  );
  const state = { question: "yes", type: "float32", what: "loss", z: 5 };
  const failures = new Map(), curves = new Map();
  const slider = el("input", { type: "range", id: "z", min: -110, max: 110, step: 0.125, value: state.z, oninput: () => { state.z = Number(slider.value); draw(); } });
  const told = el("output", { for: "z", class: "number" });
  const picture = el("div"), table = el("div"), where = el("p", { class: "hint", id: "breaks" });
  const change = (key) => (value) => { state[key] = value; state.z = Math.max(-SPANS[state.type], Math.min(SPANS[state.type], state.z)); draw(); };
  body.append(
    radios("Loss", "question", Object.fromEntries(Object.entries(QUESTIONS).map(([key, { name }]) => [key, name])), state.question, change("question")),
    radios("Type", "type", { float32: "float32", float64: "float64" }, state.type, change("type")),
    radios("Show", "what", { loss: "loss", gradient: "gradient" }, state.what, change("what")),
    el("label", { class: "row", for: "z" }, "z = ", told), slider,
    el("div", { class: "two" }, el("div", {}, picture, el("ul", { class: "key" }, el("li", {}, "from the logits"), el("li", { class: "theirs" }, "textbook; thick where it is 0, ∞ or NaN"))), el("div", {}, table, where)),
  );

  function sampled() {
    const key = [state.question, state.type, state.what].join();
    if (!curves.has(key)) {
      const q = QUESTIONS[state.question], f = FLOATS[state.type], span = SPANS[state.type], isLoss = state.what === "loss";
      const zs = Array.from({ length: 881 }, (_, at) => f.round(-span + (at * span) / 440));
      curves.set(key, {
        zs, ours: zs.map((z) => Math.abs((isLoss ? q.ours : q.ourGradient)(z, f))), theirs: zs.map((z) => Math.abs((isLoss ? q.theirs : q.theirGradient)(z, f))),
      });
    }
    return curves.get(key);
  }

  function draw() {
    const { question, type, what, z } = state, q = QUESTIONS[question], f = FLOATS[type], span = SPANS[type];
    Object.assign(slider, { min: -span, max: span, step: type === "float32" ? 0.125 : 0.5 });
    slider.value = z;
    told.textContent = minus(String(z));
    const { zs, ours, theirs } = sampled();
    const lowest = type === "float32" ? 1e-48 : 1e-320;
    const made = chart({
      title: `${what} over z: from the logits and textbook`, xs: [-span, span], ys: [lowest, type === "float32" ? 1e5 : 1e20], isLog: true, x: "z",
      curves: [{ points: zs.map((x, at) => [x, ours[at]]), kind: "ours broad" }, { points: zs.map((x, at) => [x, theirs[at]]), kind: "theirs" }],
      marks: [{ x: z, kind: "here" }], right: 36,
      xTicks: type === "float32" ? [-100, -50, 0, 50, 100] : [-800, -400, 0, 400, 800],
    });
    for (const [kind, words] of [["0", "0"], ["inf", "∞"], ["NaN", "NaN"]]) {  // where the textbook's is no number
      const y = kind === "0" ? made.height - made.bottom : kind === "inf" ? made.top : made.top + 14;
      let path = "", last = null;
      zs.forEach((x, at) => {
        const isSo = kindOf(theirs[at]) === kind && !(kind === "0" && ours[at] === 0);
        if (isSo && last === null) path += `M${made.X(x).toFixed(1)} ${y}`;
        if (isSo) { path += `L${made.X(x).toFixed(1)} ${y}`; last = x; } else last = null;
      });
      if (path) made.picture.append(svg("path", { class: "broken", d: path }), svg("text", { x: made.width - made.right + 6, y: y + 4 }, words));
    }
    picture.replaceChildren(made.picture);
    const at = f.round(z), pairs = [["loss", q.ours(at, f), q.theirs(at, f)], ["gradient by z", q.ourGradient(at, f), q.theirGradient(at, f)]];
    table.replaceChildren(el("div", { class: "wide", tabindex: 0, role: "region", "aria-label": "At this z" }, el("table", { id: "at-z", class: "stacked" },
      el("thead", {}, el("tr", {}, [`at z = ${minus(String(z))}`, ...BOTH_WAYS].map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, pairs.map(([name, our, their]) => bothWays(name, our, their, type))))));
    const key = [question, type].join();
    if (!failures.has(key)) failures.set(key, [-1, 1].map((side) => firstFailures(q.theirs, side, type)));
    const said = failures.get(key).flatMap((found) => Object.entries(found)).map(([kind, first]) => `${kind === "inf" ? "∞" : kind} from z = ${fixed(first, 2)}`);
    where.textContent = said.length ? `The textbook loss is ${said.join(", ")} on; from the logits only what is too small for ${type} is 0.` : "The textbook loss is a number everywhere here.";
  }
  draw();
}
