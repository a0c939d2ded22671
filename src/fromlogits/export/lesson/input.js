// What stands before the network: a drawing, an example, a form, a pasted row. Each gives raw values.

const MOST_FIELDS = 80;

// `given` takes the values, the true classes if they are known, and where the row is from.
function buildInput(model, given) {
  const { schema, encoder, examples } = model, body = byId("input-body"), shape = schema.picture_shape;
  const problem = el("p", { class: "problem", id: "problem", role: "alert" });
  const opened = el("p", { class: "hint", id: "opened", role: "status" });
  const failed = (error) => {
    if (!(error instanceof BadValue)) throw error;
    problem.textContent = error.message;
  };
  const attempt = (work) => {
    try {
      problem.textContent = opened.textContent = "";
      work();
    } catch (error) {
      failed(error);
    }
  };
  let put = () => {}, start;
  const take = (values, truth = null) => attempt(() => { given(values, truth); put(values); });

  if (encoder.kind === "picture" && shape && [1, 3].includes(shape[2] ?? 1)) {
    const most = shape[2] === 3 ? (brightest(encoder) === 16 ? 255 : brightest(encoder)) : brightest(encoder);
    if (shape[2] === 3) {
      const pad = paintingPad(shape, most, (values) => attempt(() => given(Array.from(values), null)));
      const source = examples ? "Take an example" : most === 255 ? "Open a picture" : "Paint";
      const painting = el("div", {}, el("p", { class: "hint" }, `${source}${source === "Paint" ? "" : " and paint over it"}: the output layer moves as you paint.`), pad.canvas, pad.tools);
      put = pad.put;
      start = () => take(Array(schema.n_features).fill(Math.round(-encoder.shift / encoder.scale)));
      if (model.has_scenes) {
        const stage = sceneStage(model.classes, (values, truth) => attempt(() => { given(values, truth); pad.put(values); }));
        const turn = (isPainted) => {
          [painting.hidden, stage.parts.hidden] = [!isPainted, isPainted];
          body.querySelector(`[name=way][value=${isPainted ? "paint" : "move"}]`).checked = true;
        };
        const choice = radios("Picture", "way", { move: "move objects", paint: "paint on it" }, "move", (way) => { turn(way === "paint"); if (way === "move") stage.told(); });
        put = (values) => { turn(true); pad.put(values); };
        body.append(choice, stage.parts);
        painting.hidden = true;
        start = stage.told;
      }
      body.append(painting);
    } else {
      const seen = el("canvas", { class: "seen grey", id: "seen", role: "img", "aria-label": "What the network sees" });
      const pad = drawingPad((strokes) => {
        const pixels = reduced(strokes, shape, most);
        show(seen, pixels, shape, most);
        attempt(() => given(Array.from(pixels), null));
      });
      put = (values) => { show(seen, values, shape, most); pad.put(values, shape, most); };
      body.append(
        el("p", { class: "hint" }, model.classes.length === 10 ? "Draw a digit with mouse, finger or arrow keys and space." : "Draw with mouse, finger or arrow keys and space."),
        el("div", { class: "pads" }, el("div", {}, pad.canvas, el("div", { class: "row" }, el("button", { type: "button", id: "clear", onclick: pad.clear }, "Clear"))),
          el("figure", {}, seen, el("figcaption", {}, `${shape[0]} × ${shape[1]} pixels: what the network sees`))),
      );
      start = pad.clear;
    }
    if (examples) {
      const rows = examples.rows.map(([row, packed, truth]) => [row, Array.from(bytesOf(packed)), truth]);
      body.append(el("h3", {}, "Examples"), el("ul", { class: "examples" }, rows.map(([row, values, truth]) => {
        const name = truth.join(" and ") || "nothing", canvas = el("canvas", { "aria-hidden": "true", class: shape[2] === 3 ? "" : "grey" });
        show(canvas, values, shape, most);
        return el("li", {}, el("button", { type: "button", "aria-label": `Example: ${name} (row ${row})`, title: name, onclick: () => take(values, truth) }, canvas));
      })));
      if (!model.has_scenes) start = () => take(rows[Math.min(6, rows.length - 1)][1], rows[Math.min(6, rows.length - 1)][2]);
    }
    if (most === 255) body.append(pictureChooser(model, (values, what) => { take(values, model.isMultiLabel ? [] : null); opened.textContent = what; }, failed), opened);
  } else {
    const form = buildForm(model, (values) => take(values));
    body.append(...form.parts);
    put = form.put;
    start = form.start;
  }
  body.append(pasteBox(model, take, attempt), problem);
  return start;
}

// What stands for a value that is not said.
function usual(model, column) {
  const { encoder } = model;
  if (encoder.kind !== "columns") return String(encoder.centres ? Number(encoder.centres[column].toPrecision(4)) : 0);
  const one = encoder.columns[column];
  if (one.kind === "number") return String(one.middle);
  if (one.kind === "levels") return String(one.number.middle);
  if (one.kind === "moment") return one.is_time ? "12:00" : one.parts.includes("day") ? "2024-01-31 12:00" : "2024-01-31";
  return one.values[0] ?? "";
}

function buildForm(model, take) {
  const { schema, encoder } = model, n = Math.min(schema.n_features, MOST_FIELDS);
  const all = Array.from({ length: schema.n_features }, (_, column) => usual(model, column));
  const fields = Array.from({ length: n }, (_, column) => {
    const one = encoder.columns?.[column], of = one?.kind === "levels" ? one.number : one;
    const name = schema.names?.[column] ?? `feature ${column + (schema.first_index ?? 0)}`;
    let input;
    if (one?.values && one.kind !== "levels" && one.values.length <= 200) {
      const values = [...one.values, ...(one.missing ? [""] : [])];
      input = el("select", {}, values.map((value) => el("option", { value }, value === "" ? "(missing)" : value)));
    } else if (of?.is_boolean) {
      input = el("select", {}, el("option", { value: "1" }, "yes"), el("option", { value: "0" }, "no"), one.missing ? el("option", { value: "" }, "(missing)") : null);
    } else {
      input = el("input", { type: "text", inputmode: !one || of.kind === "number" ? "decimal" : "text", autocomplete: "off", spellcheck: "false" });
    }
    input.value = all[column];
    input.addEventListener("input", () => { all[column] = input.value; take([...all]); });
    return { input, label: el("label", {}, name, input) };
  });
  const rest = schema.n_features - n;
  const parts = [
    el("p", { class: "hint" }, "Change a value and watch the output layer.", rest ? ` Of ${schema.n_features.toLocaleString("en")} columns the first ${n} are shown; a pasted row sets all.` : ""),
    el("div", { class: "fields", tabindex: 0, role: "group", "aria-label": "Columns" }, fields.map(({ label }) => label)),
  ];
  const put = (values) => {
    values.forEach((value, column) => { all[column] = value; });
    fields.forEach(({ input }, column) => { if (document.activeElement !== input) input.value = values[column]; });
  };
  return { parts, put, start: () => take([...all]) };
}

function pasteBox(model, take, attempt) {
  const { schema } = model;
  const text = el("textarea", { id: "pasted", spellcheck: "false", "aria-label": "A CSV row, with or without its header line" });
  const use = () => attempt(() => {
    const { values, truth } = rowOf(model, text.value);
    take(values, truth);
  });
  const how = schema.first_index === null
    ? `${count(schema.n_features, "value")} in the order of the training columns, or a header line and a row.`
    : `“index:value” pairs, indices from ${schema.first_index}.`;
  return el("details", {}, el("summary", {}, "Paste a row"), el("p", { class: "hint" }, how), text,
    el("div", { class: "row" }, el("button", { type: "button", id: "use", onclick: use }, "Use this row")));
}

// Fields between commas, semicolons or tabs; in quotes anything.
function fieldsOf(line) {
  const separator = [",", "\t", ";"].reduce((best, one) => (line.split(one).length > line.split(best).length ? one : best));
  const fields = [];
  let field = "", quoted = false;
  for (let at = 0; at < line.length; at++) {
    const sign = line[at];
    if (quoted && sign === '"' && line[at + 1] === '"') field += line[at++];
    else if (sign === '"') quoted = !quoted;
    else if (sign === separator && !quoted) { fields.push(field); field = ""; } else field += sign;
  }
  return [...fields, field].map((one) => one.trim());
}

function rowOf(model, text) {
  const { schema } = model, lines = text.split(/\r?\n/).filter((line) => line.trim());
  if (!lines.length) throw new BadValue("paste a row first.");
  if (schema.first_index !== null && /\d:/.test(lines[0])) {
    const values = Array(schema.n_features).fill(0);
    for (const [, index, value] of lines[0].matchAll(/(\d+):(\S+)/g)) {
      const place = Number(index) - schema.first_index;
      if (!(place in values)) throw new BadValue(`index ${index} is none of the model’s.`);
      values[place] = Number(value);
    }
    return { values, truth: null };
  }
  if (lines.length === 1) return { values: fieldsOf(lines[0]), truth: null };
  if (!schema.names) throw new BadValue("the model’s columns have no names; paste one line of values.");
  const header = fieldsOf(lines[0]), row = fieldsOf(lines[1]);
  if (header.length !== row.length) throw new BadValue(`the header has ${header.length} fields, the row ${row.length}.`);
  const valueOf = new Map(header.map((name, at) => [name, row[at]]));
  const lacking = schema.names.find((name) => !valueOf.has(name));
  if (lacking !== undefined) throw new BadValue(`there is no column “${lacking}”.`);
  const others = schema.targets.length ? schema.targets : header.filter((name) => !schema.names.includes(name));
  const target = others.length === 1 ? valueOf.get(others[0]) : undefined;
  const truth = model.classes.includes(target) ? [target] : null;
  return { values: schema.names.map((name) => valueOf.get(name)), truth };
}
