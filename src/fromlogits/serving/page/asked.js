// A model that the server computes: a row is sent to it, its logits and probabilities come back.

class Asked extends Model {
  constructor(data) {
    super({ ...data, n_networks: 0, parameters: "" });
    this.isBusy = false;
    this.waiting = null;
    this.notes = el("p", { class: "hint", id: "notes" });
    byId("input").append(this.notes);
  }

  // A promise of what the page shows; of null for a row that a later one has overtaken. One row is asked about at a time.
  run(values) {
    const row = this.row(values);
    this.waiting?.resolve(null);
    return new Promise((resolve, reject) => {
      this.waiting = { row, resolve, reject };
      this.next();
    });
  }

  async next() {
    if (this.isBusy || !this.waiting) return;
    const { row, resolve, reject } = this.waiting;
    this.waiting = null;
    this.isBusy = true;
    try {
      resolve(this.read(await this.ask(row)));
    } catch (error) {
      reject(error);
    }
    this.isBusy = false;
    this.next();
  }

  async ask(row) {
    const asked = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ rows: [row] }) };
    let reply;
    try {
      reply = await fetch(`${this.at}?logits=true`, asked);
    } catch {
      throw new BadValue("the server does not answer; it may have been stopped.");
    }
    const said = await reply.json();
    if (reply.status === 401) throw new BadValue("the server wants its token again: load this page anew.");
    if (!reply.ok) throw new BadValue(said.error);
    return said;
  }

  read({ predictions: [{ logits, probabilities }], notes = [] }) {
    this.notes.textContent = notes.join(" ");
    const z = this.units.map((name) => Math.fround(logits[name]));
    return { features: null, layers: null, each: [], raw: z, logits: z, probabilities: this.classes.map((name) => Math.fround(probabilities[name])) };
  }

  // As the server takes it: numbers as numbers, all else as text, null where there is nothing.
  row(values) {
    const { schema, encoder } = this;
    if (values.length !== schema.n_features) throw new BadValue(`a row has ${schema.n_features} values; found ${values.length}.`);
    const nameOf = (column) => (schema.names ? `column “${schema.names[column]}”` : `column ${column}`);
    const kinds = encoder.columns?.map(({ kind }) => kind) ?? [];
    const read = Array.from(values, (value, column) => {
      if (!["number", "levels", undefined].includes(kinds[column])) return String(value ?? "").trim() || null;
      const x = numberOf(value, nameOf(column));
      return Number.isNaN(x) ? null : x;
    });
    if (!schema.names || kinds.every((kind) => kind === "number")) return read;
    return Object.fromEntries(schema.names.map((name, column) => [name, read[column]]));
  }
}

MODELS.asked = Asked;
