// A training that runs: each event has where it stands and the epochs that are new.

const about = JSON.parse(byId("about").textContent);
const curves = new Map();  // by the network's number
const source = new EventSource("/events");
const LOST_S = 6;
let last = null, lostAt = null, phase = "";

byId("data").textContent = about.data;
byId("what").textContent = about.what;
byId("stop").textContent = about.early_stopping ? "Stop and keep the best epoch" : "Stop and keep what was reached";
byId("theme").addEventListener("click", nextTheme);

const PHASES = {
  training: "It trains.",
  stopping: about.early_stopping ? "It stops after this step and keeps the best epoch so far." : "It stops after this step and keeps what was reached.",
  finishing: "The epochs are done; calibration, figures and the file follow.",
  lost: "The training does not answer any more: its process has ended, or was killed. What stands here is the last that came.",
  never: "There is no training here any more.",
};

function say(now, words = PHASES[now]) {
  if (phase === now) return;
  phase = now;
  byId("phase").textContent = words;
  byId("stop").disabled = now !== "training";
  byId("stop").hidden = byId("bar").hidden = ["ended", "failed", "lost", "never"].includes(now);
  document.title = { training: "Training", stopping: "Stopping", finishing: "Finishing", ended: "Trained", failed: "Failed" }[now] ?? "A training";
}

source.addEventListener("message", ({ data }) => {
  lostAt = null;
  last = JSON.parse(data);
  const shown = new Set(last.curves.map(({ number }) => number));
  for (const number of [...curves.keys()]) if (!shown.has(number)) curves.delete(number);
  for (const one of last.curves) {
    const points = curves.get(one.number)?.points ?? [];
    curves.set(one.number, { ...one, points: [...points.slice(0, one.from), ...one.points] });
  }
  if (last.end) {
    source.close();
    end(last.end);
  } else say(last.phase);
  draw();
});

source.addEventListener("error", () => {
  const now = Date.now() / 1000;
  lostAt ??= now;
  if (source.readyState !== EventSource.CLOSED && now - lostAt < LOST_S) return;  // the browser tries again
  source.close();
  say(last ? "lost" : "never");
});

byId("stop").addEventListener("click", async () => {
  byId("stop").disabled = true;
  try {
    const reply = await fetch("/stop", { method: "POST" });
    if (!reply.ok) byId("problem").textContent = (await reply.json()).error;
  } catch {
    byId("problem").textContent = "the training does not answer.";
  }
});

// "0.4 s", "12 s", "3 min 05 s", "2 h 10 min".
function duration(seconds) {
  if (seconds < 9.95) return `${Math.max(seconds, 0).toFixed(1)} s`;
  if (seconds < 59.5) return `${seconds.toFixed(0)} s`;
  const whole = Math.round(seconds), minutes = Math.round(seconds / 60);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
  return `${Math.floor(minutes / 60).toLocaleString("en")} h ${String(minutes % 60).padStart(2, "0")} min`;
}

const told = (list, pairs) => list.replaceChildren(...pairs.flatMap(([name, text]) => [el("dt", {}, name), el("dd", {}, String(text))]));
const metricOf = ({ metric }) => metric.replace(/_/g, " ");

function draw() {
  const { progress, networks, elapsed } = last, all = [...curves.values()], one = networks.all === 1 ? all[0] : null;
  const isOver = ["ended", "failed"].includes(phase);
  byId("done").style.width = `${(100 * (progress.rows_done ?? 0)) / (progress.rows_total || 1)}%`;
  const pairs = [];
  if (networks.all > 1) pairs.push(["networks", `${networks.done} of ${networks.all} done`]);
  if (progress.epoch) pairs.push(["epoch", `${progress.epoch} of ${about.max_epochs.toLocaleString("en")} at most`], ["loss", short(progress.loss)]);
  if (one?.last && one.last[2] !== null) pairs.push([`validation ${metricOf(one)}`, short(one.last[2])]);
  if (one?.best && one.best[2] !== null && about.early_stopping) pairs.push([isOver ? "best epoch" : "best epoch so far", `${one.best[0]}, ${metricOf(one)} ${short(one.best[2])}`]);
  if (progress.rows_per_s && !isOver) pairs.push(["speed", `${Math.round(progress.rows_per_s).toLocaleString("en")} rows a second`], ["left", `${duration(progress.seconds_left)}${about.early_stopping ? " at most; it may stop sooner" : ""}`]);
  pairs.push(["since the start", duration(elapsed)]);
  told(byId("figures"), pairs);
  if (networks.all > 1) byId("networks").replaceChildren(table(all));
  const drawn = all.filter(({ last }) => last).map(({ points, last, best, metric }) => {
    const more = [best, last].filter((point) => point && !points.some(([epoch]) => epoch === point[0]));
    return { metric, best: best?.[0], epochs: [...points, ...more].sort((a, b) => a[0] - b[0]) };
  });
  if (drawn.length) byId("curves").replaceChildren(learningCurves(drawn, about.early_stopping && networks.all === 1, isOver ? "is kept" : "is the best"));
  if (networks.all > 1) byId("shown").textContent = networks.all > all.length && all.length === about.most_curves ? `A line for each of the ${all.length} networks that began last.` : "A line for each network that has begun.";
}

function table(all) {
  const cells = ({ last, best, is_done: isDone }) => [
    last ? String(last[0]) : "–", last ? short(last[1]) : "–", last && last[2] !== null ? short(last[2]) : "–",
    best && best[2] !== null && about.early_stopping ? `${short(best[2])} in ${best[0]}` : "–", isDone ? "done" : "runs",
  ];
  return el("div", { class: "wide", tabindex: 0, role: "region", "aria-label": "Networks" }, el("table", {},
    el("thead", {}, el("tr", {}, ["network", "epoch", "loss", "validation", "best", ""].map((name) => (name ? el("th", { scope: "col" }, name) : el("td"))))),
    el("tbody", {}, all.map((one) => el("tr", {}, el("th", { scope: "row" }, one.name), cells(one).map((text) => el("td", {}, text)))))));
}

function end({ error, how, model, figures, command }) {
  if (error) {
    say("failed", "It has failed.");
    byId("problem").textContent = error;
    return;
  }
  say("ended", how);
  const list = el("dl"), body = byId("end");
  told(list, [["model", model], ...figures.map(([name, value]) => [name, typeof value === "number" ? figure(value) : value])]);
  body.replaceChildren(list, el("p", {}, "Look inside it:"), el("p", {}, el("code", { class: "number" }, command)));
  byId("out").hidden = false;
}
