// From a row's values, as a file has them, to the features that the network takes.

class BadValue extends Error {}

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
const WORDS = { true: 1, false: 0, yes: 1, no: 0, t: 1, f: 0, y: 1, n: 0 };
const MISSING = new Set(["", "na", "nan", "null", "none", "n/a", "?"]);

// NaN where there is no value.
function numberOf(value, name) {
  if (typeof value === "number") return value;
  const text = String(value ?? "").trim();
  if (MISSING.has(text.toLowerCase())) return NaN;
  if (NUMBER.test(text)) return Number(text);
  if (text.toLowerCase() in WORDS) return WORDS[text.toLowerCase()];
  throw new BadValue(`${name} must be a number; found “${text.slice(0, 40)}”.`);
}

const softly = (z) => z / Math.sqrt(1 + (z / 3) ** 2);

function scaled(x, { centre, factor, is_robust }) {
  const z = (x - centre) * factor;
  return Math.fround(is_robust ? softly(z) : z);
}

// The text by which a category knows a value; null of none. A number has one text, however it is written.
function canonical(value) {
  const text = String(value ?? "").trim();
  if (text === "") return null;
  return NUMBER.test(text) && !/^[+-]?0\d/.test(text) ? textOf(Number(text)) : text;
}

// As Python writes a number: 1e-05, 1e+16.
function textOf(number) {
  if (Number.isInteger(number) && Math.abs(number) <= 2 ** 53) return String(number === 0 ? 0 : number);
  const [digits, power] = number.toExponential().split("e");
  if (power >= -4 && power < 16) return String(number);
  return `${digits}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
}

// Each writes its features from `at` on, and says how many there are.
const ENCODINGS = {
  number(one, value, name, features, at) {
    const x = numberOf(value, name);
    features[at] = scaled(Number.isNaN(x) ? one.middle : x, one.scale);
    if (!one.missing) return 1;
    features[at + 1] = Number.isNaN(x) ? 1 : 0;
    return 2;
  },
  category(one, value, name, features, at) {
    const place = placeOf(one, value);
    if (place >= 0) features[at + place] = 1;
    return widthOf(one);
  },
  code(one, value, name, features, at) {
    features[at] = placeOf(one, value);
    return 1;
  },
  levels(one, value, name, features, at) {
    const width = ENCODINGS.number(one.number, value, name, features, at);
    const text = Number.isNaN(numberOf(value, name)) ? "" : value;
    return width + ENCODINGS[one.category.kind](one.category, text, name, features, at + width);
  },
  moment(one, value, name, features, at) {
    const seconds = secondsOf(value, one.is_time, name), isMissing = seconds === null;
    let place = at;
    for (const part of one.parts) {
      if (part === "when") {
        features[place++] = isMissing ? 0 : scaled(seconds / 86400, one.scale);
      } else if (part === "weekday") {
        if (!isMissing) features[place + (((Math.floor(seconds / 86400) + 3) % 7) + 7) % 7] = 1;
        place += 7;
      } else {
        const angle = isMissing ? 0 : (2 * Math.PI * stepOf(part, seconds)) / { year: 366, month: 31, day: 1440 }[part];
        features[place++] = isMissing ? 0 : Math.fround(Math.sin(angle));
        features[place++] = isMissing ? 0 : Math.fround(Math.cos(angle));
      }
    }
    if (one.missing) features[place++] = isMissing ? 1 : 0;
    return place - at;
  },
};

const widthOf = (one) => one.values.length + (one.rare > 0) + (one.missing > 0);

function placeOf(one, value) {
  const text = canonical(value);
  if (text === null) return one.missing ? one.values.length + (one.rare > 0) : -1;
  const place = one.values.indexOf(text);
  return place >= 0 ? place : one.rare ? one.values.length : -1;
}

function stepOf(part, seconds) {
  if (part === "day") return Math.floor((((seconds % 86400) + 86400) % 86400) / 60);
  const date = new Date(seconds * 1000);
  if (part === "month") return date.getUTCDate() - 1;
  return Math.floor(seconds / 86400) - Math.floor(Date.UTC(date.getUTCFullYear(), 0, 1) / 86400000);
}

const TIME = "(\\d{2}):(\\d{2})(?::(\\d{2}(?:\\.\\d{1,9})?))?";
const TIME_OF_DAY = new RegExp(`^${TIME}$`);
const MOMENT = new RegExp(`^(\\d{4})-(\\d{2})-(\\d{2})(?:[T ]${TIME} ?(Z|[+-]\\d{2}(?::?\\d{2})?)?)?$`);

function secondsOf(value, isTime, name) {
  const text = String(value ?? "").trim();
  if (!text) return null;
  const found = (isTime ? TIME_OF_DAY : MOMENT).exec(text);
  if (!found) throw new BadValue(`${name} must be ${isTime ? "a time as 14:30" : "a date as 2024-01-31"}; found “${text.slice(0, 40)}”.`);
  const [hours = 0, minutes = 0, seconds = 0] = found.slice(isTime ? 1 : 4).map((part) => Number(part) || 0);
  const ofDay = hours * 3600 + minutes * 60 + seconds;
  if (isTime) return ofDay;
  const zone = /^([+-])(\d{2}):?(\d{2})?$/.exec(found[7] ?? "");
  const shift = zone ? (zone[1] === "-" ? 1 : -1) * (Number(zone[2]) * 3600 + Number(zone[3] ?? 0) * 60) : 0;
  return Date.UTC(Number(found[1]), Number(found[2]) - 1, Number(found[3])) / 1000 + ofDay + shift;
}

function encoderOf(encoder, schema) {
  const nameOf = (column) => (schema.names ? `column “${schema.names[column]}”` : `column ${column}`);
  return (values) => {
    if (values.length !== schema.n_features) {
      throw new BadValue(`a row has ${schema.n_features} values; found ${values.length}.`);
    }
    const features = new Float64Array(encoder.width);
    if (encoder.kind === "columns") {
      let at = 0;
      encoder.columns.forEach((one, column) => {
        at += ENCODINGS[one.kind](one, values[column], nameOf(column), features, at);
      });
    } else if (encoder.kind === "picture") {
      const scale = Math.fround(encoder.scale), shift = Math.fround(encoder.shift);
      values.forEach((value, at) => {
        features[at] = Math.fround(Math.fround(Math.fround(numberOf(value, `pixel ${at}`)) * scale) + shift);
      });
    } else {
      values.forEach((value, at) => {
        const x = numberOf(value, nameOf(at));
        const [centre, factor] = [encoder.centres ? encoder.centres[at] : 0, encoder.factors[at]];
        const z = (x - centre) * factor;
        features[at] = Number.isNaN(x) ? 0 : Math.fround(encoder.kind === "robust" ? softly(z) : z);
      });
    }
    const far = features.findIndex((value) => !Number.isFinite(value));
    if (far >= 0) throw new BadValue("a value lies so far from the training rows that float32 can’t hold the difference.");
    return features;
  };
}
