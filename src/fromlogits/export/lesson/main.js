// The page comes alive.

const told = JSON.parse(byId("model").textContent);
const model = new MODELS[told.computed](told);
const state = { values: null, result: null };
const output = new OutputLayer(model, refresh);
const losses = new LossPanel(model, refresh);
const picture = new NetworkPicture(model);

function decided() {
  return model.decide(state.result.probabilities, output.thresholds);
}

function answer() {
  const { probabilities } = state.result, chosen = decided();
  if (model.isMultiLabel) {
    const names = model.units.filter((_, k) => chosen[k]);
    return [names.join(", ") || "no label", names.length > 1 ? "are above their thresholds" : "is above its threshold"];
  }
  return [model.classes[chosen], `with probability ${short(probabilities[chosen], 3)}`];
}

let pending = 0;
function refresh() {
  if (!state.result) return;
  output.show(state.result, decided(), losses.truth);
  losses.show(state.result);
  const [name, how] = answer();
  byId("answer").replaceChildren(model.isMultiLabel ? "" : "The network says ", el("strong", {}, name), ` ${how}.`);
  clearTimeout(pending);
  pending = setTimeout(() => { byId("said").textContent = `${name} ${how}`; }, 500);  // a screen reader hears the end
}

function given(values, truth) {
  const result = model.run(values);
  if (!(result instanceof Promise)) {
    shown(values, truth, result);
    return;
  }
  result.then((found) => { if (found) shown(values, truth, found); }, (error) => {
    if (!(error instanceof BadValue)) throw error;
    byId("problem").textContent = error.message;
  });
}

function shown(values, truth, result) {
  state.result = result;
  state.values = values;
  if (truth) losses.set(truth);
  refresh();
  picture.show(state.result);
}

const what = model.head === "softmax" ? `one class of ${model.classes.length}` : model.isMultiLabel ? `any of ${model.classes.length} labels` : "yes or no";
byId("about").textContent = `${model.members}: ${what}. Change the input and see each number between it and the answer.`;
byId("source").textContent = model.examples?.source ?? "";

byId("theme").addEventListener("click", nextTheme);

const start = buildInput(model, given);
buildRoundoff(model);
buildTraining(model);
start();
byId("each")?.addEventListener("toggle", refresh);
// For the console, and for tests: a row of raw values in, all numbers out.
globalThis.lesson = {
  model, given, run: (values) => model.run(values), values: () => state.values, firstFailures, QUESTIONS, FLOATS, twoWays, painted, pixelsOf, resized,
};
