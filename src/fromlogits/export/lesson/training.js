// The record that the model file keeps of its training.

const figure = (value) => (Number.isInteger(value) && value > 1 ? value.toLocaleString("en") : short(value));

// Charts of the losses of one network or of several: {metric, best, epochs: [[epoch, loss, validation]]} of each.
function learningCurves(curves, isChosen, kept = "is kept") {
  const charts = el("div", { class: "two" }), isOne = curves.length === 1, thin = isOne ? "" : " thin";
  const losses = curves.map(({ epochs }) => epochs.map(([epoch, loss]) => [epoch, loss]));
  const judged = curves.map(({ epochs }) => epochs.map(([epoch, , value]) => [epoch, value]));
  const numbers = (points) => points.flat().map(([, y]) => y).filter((y) => y !== null);
  const isLogLoss = curves.every(({ metric }) => metric === "log_loss"), last = Math.max(2, ...losses.flat().map(([epoch]) => epoch));
  const panel = (title, sets, marks, isLog) => {
    const values = sets.flatMap(({ points }) => points.map(([, y]) => y)).filter((y) => y !== null);
    if (!values.length) return;
    const low = Math.min(...values), high = Math.max(...values), isOnLog = isLog && low > 0 && high / low > 5;
    const ys = isOnLog ? [low * 0.8, high * 1.2] : [Math.min(low, isLog ? 0 : low) - (high - low) * 0.02, high + (high - low) * 0.05 + 1e-9];
    charts.append(el("figure", {}, el("figcaption", {}, title), chart({ title, xs: [1, last], ys, isLog: isOnLog, x: "epoch", curves: sets, marks }).picture));
  };
  const best = isOne && isChosen ? curves[0].epochs.find(([epoch]) => epoch === curves[0].best) : null;
  panel("loss on the training rows, in nats a row", losses.map((points) => ({ points, kind: `ours${thin}` })), [], true);
  if (numbers(judged).length) {
    const marks = best && best[2] !== null ? [{ x: best[0], kind: "here", text: `epoch ${best[0]} ${kept}` }, { x: best[0], y: best[2], kind: "dot" }] : [];
    panel(`${isLogLoss ? "log loss" : curves[0].metric.replace(/_/g, " ")} on held-out rows`, judged.map((points) => ({ points, kind: `ours${thin}` })), marks, isLogLoss);
  }
  return charts;
}

function buildTraining(model) {
  const body = byId("training-body"), { curves, rows, held_out: heldOut, split, validation, per_label: perLabel, seed, preset } = model.training, { plan } = model;
  const isOne = curves.length === 1, last = Math.max(2, ...curves.flatMap(({ epochs }) => epochs.map(([epoch]) => epoch)));
  const charts = learningCurves(curves, plan.early_stopping);
  if (charts.children.length) body.append(charts);
  const parts = { fraction: `${100 * (split.fraction ?? 0)} % of the rows, by chance`, folds: `${split.folds} folds`, given: "a file of their own" };
  const facts = [
    ["trained on", count(rows, "row")],
    ["held out", heldOut ? `${count(heldOut, "row")}${parts[split.kind] ? ` (${parts[split.kind]})` : ""}; they chose the epoch` : "no rows"],
    ["optimizer", `${plan.optimizer}, learning rate ${plan.learning_rate}, ${plan.schedule.replace(/_/g, " ")}`],
    ["batches", count(plan.batch_size, "row")],
    ["epochs", isOne ? `${curves[0].epochs.at(-1)?.[0] ?? 0}; ended by ${curves[0].stopped_by.replace(/_/g, " ")}` : `${last} at most`],
    ["preset, seed", `${preset ?? "none"}, ${seed}`],
    ...Object.entries(validation).map(([name, value]) => [name.replace(/_/g, " "), typeof value === "number" ? figure(value) : value]),
    ["calibration", model.calibration.biases ? "a temperature and a bias for each label" : model.calibration.temperatures[0] === 1 ? "none" : `temperature ${short(model.calibration.temperatures[0])}`],
    ["made by", `fromlogits ${model.versions.fromlogits}`],
  ];
  body.append(el("dl", {}, facts.map(([name, text]) => [el("dt", {}, name), el("dd", {}, String(text))])));
  if (heldOut) body.append(el("p", { class: "hint" }, "These rows had a say in the training, so the figures are a little too good. Judge it by rows it never saw: fromlogits evaluate."));
  if (perLabel.length) {
    const names = ["label", ...Object.keys(perLabel[0]).filter((name) => name !== "label")];
    body.append(el("div", { class: "wide", tabindex: 0, role: "region", "aria-label": "Figures of each label" }, el("table", {},
      el("thead", {}, el("tr", {}, names.map((name) => el("th", { scope: "col" }, name.replace(/_/g, " "))))),
      el("tbody", {}, perLabel.slice(0, 40).map((row) => el("tr", {}, names.map((name, at) => el(at ? "td" : "th", at ? {} : { scope: "row" }, at && typeof row[name] === "number" ? figure(row[name]) : String(row[name] ?? "–")))))))));
  }
  body.append(el("details", {}, el("summary", {}, "The whole spec"), el("dl", {}, Object.entries(plan).map(([name, value]) => [el("dt", {}, name), el("dd", {}, String(value))]))));
}
